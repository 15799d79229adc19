/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A few objects of a cache at hand, per CPU. What passes through the switch is allocated and freed
 * again within microseconds, by thousands a second; to take the last one that was put back costs a
 * fraction of what the allocator does for it.
 *
 * Any context, with any lock held; in interrupts, also soft ones, the allocator does it all. So it
 * does where KASAN looks for use after free.
 *
 * When memory is short, a shrinker has each CPU give back what it has at hand: they may lie on as
 * many pages as they are.
 */
#ifndef KMQTT_CORE_STOCK_H
#define KMQTT_CORE_STOCK_H

/* A local lock of PREEMPT_RT is a spin lock, whose header it does not include. */
#include <linux/spinlock.h>
#include <linux/local_lock.h>
#include <linux/mempool.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

/* Objects of one CPU. */
#define KMQTT_STOCK_MAX	256

/**
 * struct kmqtt_stock_cpu - one CPU's
 * @lock:	the CPU is ours
 * @count:	objects at @object, under @lock
 * @object:	they, under @lock
 * @drain:	gives them back
 * @stock:	whose they are
 */
struct kmqtt_stock_cpu {
	local_lock_t lock;
	unsigned int count;
	void *object[KMQTT_STOCK_MAX];
	struct work_struct drain;
	struct kmqtt_stock *stock;
};

/**
 * struct kmqtt_stock - objects of one cache that has a constructor, whose work is not undone
 * @cache:	cache
 * @cpu:	the CPUs'
 * @link:	among all stocks
 */
struct kmqtt_stock {
	struct kmem_cache *cache;
	struct kmqtt_stock_cpu __percpu *cpu;
	struct list_head link;
};

/** kmqtt_stock_init() - an empty one. Return: 0 or -ENOMEM (also if @cache is NULL) */
int kmqtt_stock_init(struct kmqtt_stock *stock, struct kmem_cache *cache);

/**
 * kmqtt_stocks_init() - from now on they are given back when memory is short: all are initialized
 *
 * Process context. Return: 0 or -ENOMEM
 */
int kmqtt_stocks_init(void);

/** kmqtt_stocks_exit() - ends that, before the first of them goes; process context */
void kmqtt_stocks_exit(void);

/** kmqtt_stock_exit() - frees all that is in it, and the cache; nobody uses it any more */
void kmqtt_stock_exit(struct kmqtt_stock *stock);

/**
 * kmqtt_reserve_new() - objects for when there is no memory for one
 * @cache:	their cache, which may have a constructor, as that of
 *		mempool_create_slab_pool() may not
 * @count:	how many
 *
 * Return: it, for mempool_alloc(), mempool_free() and mempool_destroy(); NULL
 */
mempool_t *kmqtt_reserve_new(struct kmem_cache *cache, int count);

/** kmqtt_stock_open() - may it be used here? */
static inline bool kmqtt_stock_open(void)
{
	return !IS_ENABLED(CONFIG_KASAN) && in_task();
}

/** kmqtt_stock_take() - an object that is at hand. Return: it; NULL: there is none */
static inline void *kmqtt_stock_take(struct kmqtt_stock *stock)
{
	struct kmqtt_stock_cpu *cpu;
	void *object = NULL;

	if (!kmqtt_stock_open())
		return NULL;
	local_lock(&stock->cpu->lock);
	cpu = this_cpu_ptr(stock->cpu);
	if (cpu->count)
		object = cpu->object[--cpu->count];
	local_unlock(&stock->cpu->lock);
	return object;
}

/** kmqtt_stock_put() - an object goes back */
static inline void kmqtt_stock_put(struct kmqtt_stock *stock, void *object)
{
	struct kmqtt_stock_cpu *cpu;

	if (kmqtt_stock_open()) {
		local_lock(&stock->cpu->lock);
		cpu = this_cpu_ptr(stock->cpu);
		if (likely(cpu->count < KMQTT_STOCK_MAX)) {
			cpu->object[cpu->count++] = object;
			object = NULL;
		}
		local_unlock(&stock->cpu->lock);
	}
	if (unlikely(object))
		kmem_cache_free(stock->cache, object);
}

#endif

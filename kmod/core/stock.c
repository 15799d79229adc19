// SPDX-License-Identifier: GPL-2.0
/* Objects at hand: see stock.h. */
#include <linux/cpumask.h>
#include <linux/list.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "core/stock.h"

/* All stocks; changed only while there is no shrinker. */
static LIST_HEAD(kmqtt_stocks);
static struct shrinker *kmqtt_stock_shrinker;

/* On the CPU whose objects they are; if it has gone meanwhile, another one gives its own. */
static void kmqtt_stock_drain(struct work_struct *work)
{
	struct kmqtt_stock_cpu *cpu = container_of(work, struct kmqtt_stock_cpu, drain);
	unsigned int n;
	void *object;

	for (n = 0; n < KMQTT_STOCK_MAX; n++) {
		object = kmqtt_stock_take(cpu->stock);
		if (!object)
			break;
		kmem_cache_free(cpu->stock->cache, object);
	}
}

/* Another CPU's count is what it was a moment ago, which will do for the shrinker. */
static unsigned long kmqtt_stock_count(struct shrinker *shrinker, struct shrink_control *sc)
{
	struct kmqtt_stock *stock;
	unsigned long count = 0;
	int cpu;

	list_for_each_entry(stock, &kmqtt_stocks, link)
		for_each_online_cpu(cpu)
			count += READ_ONCE(per_cpu_ptr(stock->cpu, cpu)->count);
	return count;
}

/*
 * Only a CPU itself may touch what it has at hand, and who is short of memory does not wait for
 * it: so they come soon, and all of them.
 */
static unsigned long kmqtt_stock_scan(struct shrinker *shrinker, struct shrink_control *sc)
{
	struct kmqtt_stock_cpu *one;
	struct kmqtt_stock *stock;
	unsigned long count = 0;
	int cpu;

	list_for_each_entry(stock, &kmqtt_stocks, link) {
		for_each_online_cpu(cpu) {
			unsigned int n;

			one = per_cpu_ptr(stock->cpu, cpu);
			n = READ_ONCE(one->count);
			if (n && schedule_work_on(cpu, &one->drain))
				count += n;
		}
	}
	return count ?: SHRINK_STOP;
}

int kmqtt_stocks_init(void)
{
	struct shrinker *shrinker = shrinker_alloc(0, "kmqtt");

	if (!shrinker)
		return -ENOMEM;
	shrinker->count_objects = kmqtt_stock_count;
	shrinker->scan_objects = kmqtt_stock_scan;
	shrinker_register(shrinker);
	kmqtt_stock_shrinker = shrinker;
	return 0;
}

void kmqtt_stocks_exit(void)
{
	shrinker_free(kmqtt_stock_shrinker);
}

int kmqtt_stock_init(struct kmqtt_stock *stock, struct kmem_cache *cache)
{
	struct kmqtt_stock_cpu *one;
	int cpu;

	stock->cache = cache;
	stock->cpu = NULL;
	if (!cache)
		return -ENOMEM;
	stock->cpu = alloc_percpu(struct kmqtt_stock_cpu);
	if (!stock->cpu)
		return -ENOMEM;
	for_each_possible_cpu(cpu) {
		one = per_cpu_ptr(stock->cpu, cpu);
		local_lock_init(&one->lock);
		INIT_WORK(&one->drain, kmqtt_stock_drain);
		one->stock = stock;
	}
	list_add_tail(&stock->link, &kmqtt_stocks);
	return 0;
}

void kmqtt_stock_exit(struct kmqtt_stock *stock)
{
	struct kmqtt_stock_cpu *one;
	int cpu;

	if (stock->cpu) {
		list_del(&stock->link);
		for_each_possible_cpu(cpu) {
			one = per_cpu_ptr(stock->cpu, cpu);
			cancel_work_sync(&one->drain);
			while (one->count)
				kmem_cache_free(stock->cache, one->object[--one->count]);
		}
		free_percpu(stock->cpu);
	}
	stock->cpu = NULL;
	kmem_cache_destroy(stock->cache);
	stock->cache = NULL;
}

static void *kmqtt_reserve_alloc(gfp_t gfp, void *cache)
{
	return kmem_cache_alloc(cache, gfp);
}

static void kmqtt_reserve_free(void *object, void *cache)
{
	kmem_cache_free(cache, object);
}

mempool_t *kmqtt_reserve_new(struct kmem_cache *cache, int count)
{
	return mempool_create(count, kmqtt_reserve_alloc, kmqtt_reserve_free, cache);
}

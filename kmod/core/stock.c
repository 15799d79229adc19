// SPDX-License-Identifier: GPL-2.0
/* Objects at hand: see stock.h. */
#include "core/stock.h"

int kmqtt_stock_init(struct kmqtt_stock *stock, struct kmem_cache *cache)
{
	int cpu;

	stock->cache = cache;
	stock->cpu = NULL;
	if (!cache)
		return -ENOMEM;
	stock->cpu = alloc_percpu(struct kmqtt_stock_cpu);
	if (!stock->cpu)
		return -ENOMEM;
	for_each_possible_cpu(cpu)
		local_lock_init(&per_cpu_ptr(stock->cpu, cpu)->lock);
	return 0;
}

void kmqtt_stock_exit(struct kmqtt_stock *stock)
{
	struct kmqtt_stock_cpu *one;
	int cpu;

	for_each_possible_cpu(cpu) {
		if (!stock->cpu)
			break;
		one = per_cpu_ptr(stock->cpu, cpu);
		while (one->count)
			kmem_cache_free(stock->cache, one->object[--one->count]);
	}
	free_percpu(stock->cpu);
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

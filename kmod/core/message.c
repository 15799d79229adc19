// SPDX-License-Identifier: GPL-2.0
/* Messages: allocation, memory limit, expiry. */
#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/highmem.h>
#include <linux/kconfig.h>
#include <linux/kmemleak.h>
#include <linux/llist.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/percpu_counter.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/timekeeping.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "core/broker.h"
#include "core/copy.h"
#include "core/message.h"
#include "core/stock.h"
#include "core/tracker.h"
#include "proto/props.h"

/* what is rewritten for each subscriber, or a will's own: not the message's */
#define KMQTT_MSG_OMIT	(KMQTT_PROP_BIT(KMQTT_PROP_MESSAGE_EXPIRY) |	\
			 KMQTT_PROP_BIT(KMQTT_PROP_TOPIC_ALIAS) |	\
			 KMQTT_PROP_BIT(KMQTT_PROP_WILL_DELAY) |	\
			 KMQTT_PROP_BIT(KMQTT_PROP_SUBSCRIPTION_ID))

/*
 * Short messages come from a cache with a constructor: a kernel that zeroes what
 * it hands out spares those, and all of them is filled in here.
 */
#define KMQTT_MSG_SHORT	256

/*
 * Runs, of which most are either short or all that one recvmsg brings; likewise. Where there is a
 * constructor the allocator puts its pointer behind the object: with it that is a power of two.
 */
#define KMQTT_RUN_SHORT	(2048 - sizeof(void *))
#define KMQTT_RUN_LONG	(16384 - sizeof(void *))

/* Up to this size it is tried to have pages that lie together, which cost no mapping. */
#define KMQTT_MSG_TOGETHER	(256 * 1024)

/* bytes that count against memory_limit of any guest */
static struct percpu_counter kmqtt_guests_memory;
static struct kmqtt_stock kmqtt_msg_stock;
static struct kmem_cache *kmqtt_run_short_cache;
static struct kmem_cache *kmqtt_run_long_cache;
/* of vmalloc(), and the last reference was dropped */
static LLIST_HEAD(kmqtt_msg_dropped);

/*
 * vfree() may sleep, and the last reference is often dropped under RCU. A worker does it,
 * and whoever needs as much again: so what waits here is no more than what was in use.
 * kvfree_rcu() lets hundreds wait for seconds, whatever their size.
 */
static void kmqtt_msg_free_dropped(struct work_struct *unused)
{
	struct kmqtt_msg *msg, *next;

	llist_for_each_entry_safe(msg, next, llist_del_all(&kmqtt_msg_dropped), dropped)
		vfree(msg);
}

static DECLARE_WORK(kmqtt_msg_free_work, kmqtt_msg_free_dropped);

static void kmqtt_msg_construct(void *p)
{
	struct kmqtt_msg *msg = p;

	msg->tracker = NULL;
}

int kmqtt_message_init(void)
{
	const unsigned int data = offsetof(struct kmqtt_msg, data);
	int err;

	err = percpu_counter_init(&kmqtt_guests_memory, 0, GFP_KERNEL);
	if (err)
		return err;
	err = kmqtt_stock_init(&kmqtt_msg_stock,
			       kmem_cache_create_usercopy("kmqtt_msg", KMQTT_MSG_SHORT, 0, 0, data,
							  KMQTT_MSG_SHORT - data,
							  kmqtt_msg_construct));
	/* a file copies what is long from where it stays: packets of a run as well */
	kmqtt_run_short_cache = kmem_cache_create_usercopy("kmqtt_run_short", KMQTT_RUN_SHORT, 0, 0,
							   data, KMQTT_RUN_SHORT - data,
							   kmqtt_msg_construct);
	kmqtt_run_long_cache = kmem_cache_create_usercopy("kmqtt_run_long", KMQTT_RUN_LONG, 0, 0,
							  data, KMQTT_RUN_LONG - data,
							  kmqtt_msg_construct);
	if (!err && kmqtt_run_short_cache && kmqtt_run_long_cache)
		return 0;
	kmqtt_message_exit();
	return -ENOMEM;
}

void kmqtt_message_exit(void)
{
	/* RCU callbacks have dropped the last */
	flush_work(&kmqtt_msg_free_work);
	kmem_cache_destroy(kmqtt_run_long_cache);
	kmem_cache_destroy(kmqtt_run_short_cache);
	kmqtt_stock_exit(&kmqtt_msg_stock);
	percpu_counter_destroy(&kmqtt_guests_memory);
}

/*
 * A hostile process may open files and name sessions as it likes; what bounds
 * it is its memory cgroup, and memory_limit an eighth of the machine for
 * messages, which no cgroup pays for if they come from the network.
 */
u64 kmqtt_memory_default(void)
{
	u64 size = (u64)(totalram_pages() - totalhigh_pages()) << PAGE_SHIFT;

	/* where addresses are few, all that is large shares what vmalloc() has of them */
	if (!IS_ENABLED(CONFIG_64BIT))
		size = min_t(u64, size, VMALLOC_TOTAL);
	return size / 8;
}

/*
 * Whoever makes a user namespace is the administrator of as many network
 * namespaces as he likes, and sets their limits.
 */
static bool kmqtt_guest_charge(u64 size)
{
	percpu_counter_add(&kmqtt_guests_memory, size);
	if (percpu_counter_compare(&kmqtt_guests_memory, kmqtt_memory_default()) <= 0)
		return true;
	percpu_counter_sub(&kmqtt_guests_memory, size);
	return false;
}

bool kmqtt_memory_charge(struct kmqtt_broker *broker, u64 size)
{
	u64 limit = READ_ONCE(broker->limits.memory_limit);

	if (unlikely(broker->guest) && !kmqtt_guest_charge(size))
		return false;
	percpu_counter_add(&broker->memory, size);
	/*
	 * Far below it, the rough value will do: the rest is in the CPUs' own. That
	 * it changes meanwhile, or comes in two halves, makes it no rougher.
	 */
	if (likely(data_race(percpu_counter_read(&broker->memory)) < (s64)(limit / 2)))
		return true;
	if (likely(!limit || percpu_counter_compare(&broker->memory, limit) <= 0))
		return true;
	kmqtt_memory_uncharge(broker, size);
	return false;
}

void kmqtt_memory_uncharge(struct kmqtt_broker *broker, u64 size)
{
	percpu_counter_sub(&broker->memory, size);
	if (unlikely(broker->guest))
		percpu_counter_sub(&kmqtt_guests_memory, size);
}

static struct kmqtt_msg *kmqtt_msg_new_paged(u32 size, gfp_t gfp)
{
	void *p = NULL;

	if (size <= KMQTT_MSG_TOGETHER)
		p = alloc_pages_exact(size, gfp | __GFP_NORETRY | __GFP_NOWARN);
	if (!p) {
		kmqtt_msg_free_dropped(NULL);
		return __vmalloc(size, gfp | __GFP_NOWARN);
	}
	kmemleak_alloc(p, size, 1, gfp);
	return p;
}

static void kmqtt_msg_free_paged(struct kmqtt_msg *msg)
{
	if (is_vmalloc_addr(msg)) {
		llist_add(&msg->dropped, &kmqtt_msg_dropped);
		schedule_work(&kmqtt_msg_free_work);
		return;
	}
	kmemleak_free(msg);
	free_pages_exact(msg, msg->size);
}

/* What a process pays for is not at hand: it is its own, and goes back to the cache. */
static struct kmqtt_msg *kmqtt_msg_new(u32 size, gfp_t gfp)
{
	struct kmqtt_msg *msg = NULL;
	bool accounted = gfp & __GFP_ACCOUNT;

	if (size > KMQTT_MSG_UNPAGED)
		return kmqtt_msg_new_paged(size, gfp);
	if (size > KMQTT_MSG_SHORT)
		return kmalloc(size, gfp | __GFP_NOWARN);
	if (!accounted)
		msg = kmqtt_stock_take(&kmqtt_msg_stock);
	if (!msg)
		msg = kmem_cache_alloc(kmqtt_msg_stock.cache, gfp);
	if (msg)
		msg->accounted = accounted;
	return msg;
}

static void kmqtt_msg_end(struct kmqtt_msg *msg)
{
	if (msg->accounted)
		kmem_cache_free(kmqtt_msg_stock.cache, msg);
	else
		kmqtt_stock_put(&kmqtt_msg_stock, msg);
}

/* What any message has; the caller fills in the rest. */
static void kmqtt_msg_begin(struct kmqtt_msg *msg, struct kmqtt_broker *broker, u32 size,
			    const u8 *topic, u16 topic_len)
{
	u8 *p = kmqtt_msg_topic(msg);

	refcount_set(&msg->refs, 1);
	msg->size = size;
	msg->broker = broker;
	msg->tracker = NULL;
	msg->time_ns = ktime_get_real_ns();
	msg->topic_len = topic_len;
	msg->origin = 0;
	put_unaligned_be16(topic_len, msg->data);
	kmqtt_copy(p, topic, topic_len);
	p[topic_len] = 0;
}

struct kmqtt_msg *kmqtt_msg_alloc(struct kmqtt_broker *broker,
				  const struct kmqtt_msg_desc *desc, gfp_t gfp)
{
	struct kmqtt_view props = { desc->props, desc->props_len };
	u32 max = READ_ONCE(broker->limits.max_packet_size);
	u32 kept = 0;
	struct kmqtt_msg *msg;
	u64 wire;
	u32 size;

	if (desc->props_len)
		kept = kmqtt_props_filter_size(props, KMQTT_MSG_OMIT);
	wire = (u64)desc->topic_len + kept + desc->payload_len +
	       KMQTT_PUBLISH_OVERHEAD;
	if (wire > max || desc->topic_len > U16_MAX)
		return ERR_PTR(-EMSGSIZE);
	size = sizeof(*msg) + sizeof(__be16) + desc->topic_len + 1 + kept +
	       desc->payload_len;
	if (!kmqtt_memory_charge(broker, size))
		return ERR_PTR(-ENOBUFS);
	msg = kmqtt_msg_new(size, gfp);
	if (!msg) {
		kmqtt_memory_uncharge(broker, size);
		return ERR_PTR(-ENOMEM);
	}
	kmqtt_msg_begin(msg, broker, size, desc->topic, desc->topic_len);
	kmqtt_msg_set_expiry(msg, desc->expiry);
	msg->record_len = KMQTT_REC_SIZE(desc->topic_len, kept, desc->payload_len);
	msg->props_len = kept;
	msg->payload_len = desc->payload_len;
	msg->qos = desc->qos;
	msg->retain = desc->retain;
	msg->run_count = 0;
	if (kept)
		kmqtt_props_filter_copy(kmqtt_msg_props(msg), props, KMQTT_MSG_OMIT);
	return msg;
}

void kmqtt_msg_set_run(struct kmqtt_msg *msg, const struct kmqtt_run *run)
{
	msg->run_longest = run->longest;
	msg->payload_len = run->len;
	msg->run_count = run->count;
	msg->run_version = run->version;
}

/* Bytes of a message for it. */
static u32 kmqtt_run_need(const struct kmqtt_run *run)
{
	return sizeof(struct kmqtt_msg) + sizeof(__be16) + run->topic.len + 1 + run->len;
}

struct kmqtt_msg *kmqtt_msg_alloc_run(struct kmqtt_broker *broker, const struct kmqtt_run *run,
				      gfp_t gfp)
{
	u32 need = kmqtt_run_need(run);
	u32 size = need > KMQTT_RUN_SHORT ? KMQTT_RUN_LONG : KMQTT_RUN_SHORT;
	struct kmqtt_msg *msg;

	if (need > size || run->count > U16_MAX)
		return ERR_PTR(-EMSGSIZE);
	if (!kmqtt_memory_charge(broker, size))
		return ERR_PTR(-ENOBUFS);
	msg = kmem_cache_alloc(size == KMQTT_RUN_SHORT ? kmqtt_run_short_cache :
							 kmqtt_run_long_cache,
			       gfp | __GFP_NOWARN);
	if (!msg) {
		kmqtt_memory_uncharge(broker, size);
		return ERR_PTR(-ENOMEM);
	}
	kmqtt_msg_begin(msg, broker, size, run->topic.data, run->topic.len);
	msg->expires = 0;
	msg->props_len = 0;
	msg->qos = 0;
	msg->retain = false;
	kmqtt_msg_set_run(msg, run);
	return msg;
}

struct kmqtt_msg *kmqtt_msg_shorten_run(struct kmqtt_msg *msg, struct kmqtt_run *run, gfp_t gfp)
{
	struct kmqtt_msg *less;

	if (msg->size == KMQTT_RUN_SHORT || kmqtt_run_need(run) > KMQTT_RUN_SHORT)
		return msg;
	less = kmqtt_msg_alloc_run(msg->broker, run, gfp);
	if (IS_ERR(less))
		return msg;
	memcpy(kmqtt_msg_payload(less), run->data, run->len);
	run->topic.data = kmqtt_msg_topic(less);
	run->data = kmqtt_msg_payload(less);
	kmqtt_msg_put(msg);
	return less;
}

static void kmqtt_run_free(struct kmqtt_msg *msg)
{
	kmem_cache_free(msg->size == KMQTT_RUN_SHORT ? kmqtt_run_short_cache :
						       kmqtt_run_long_cache, msg);
}

void kmqtt_msg_put(struct kmqtt_msg *msg)
{
	if (!refcount_dec_and_test(&msg->refs))
		return;
	kmqtt_memory_uncharge(msg->broker, msg->size);
	kmqtt_tracker_put(msg->tracker);
	if (msg->run_count)
		kmqtt_run_free(msg);
	else if (msg->size <= KMQTT_MSG_SHORT)
		kmqtt_msg_end(msg);
	else if (kmqtt_msg_paged(msg))
		kmqtt_msg_free_paged(msg);
	else
		kfree(msg);
}

void kmqtt_msg_set_expiry(struct kmqtt_msg *msg, u32 seconds)
{
	/* in whole seconds of the clock it would be over up to one too soon */
	msg->expires = seconds ? ktime_get_boottime_ns() + (u64)seconds * NSEC_PER_SEC : 0;
}

bool kmqtt_msg_expiry_left(const struct kmqtt_msg *msg, u32 *left)
{
	u64 now;

	*left = 0;
	if (likely(!msg->expires))
		return true;
	now = ktime_get_boottime_ns();
	if (now >= msg->expires)
		return false;
	*left = DIV_ROUND_UP_ULL(msg->expires - now, NSEC_PER_SEC);
	return true;
}

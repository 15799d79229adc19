/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Retained messages: the last one of each topic that was published with
 * RETAIN (MQTT 5.0, 3.3.1.3).
 *
 * Locks: writers hold store->lock (a mutex, process context); a walk holds it
 * too, from one kmqtt_retain_walk() call to its return. Who publishes with RETAIN
 * holds it until the message is in the queues, and who subscribes, and wants what is
 * retained, from before he is in the tree until he has that: so he gets each message
 * once. tree->lock, and an uplink's subs_lock, are inside it.
 */
#ifndef KMQTT_CORE_RETAIN_H
#define KMQTT_CORE_RETAIN_H

#include <linux/mutex.h>
#include <linux/rbtree.h>
#include <linux/types.h>

#include "core/trie.h"

struct kmqtt_identity;
struct kmqtt_msg;

/**
 * struct kmqtt_retain - the store
 * @trie:	nodes, keyed by topic name
 * @lock:	writers and walkers, who publishes with RETAIN and who subscribes: see above
 * @count:	messages, written under @lock, read anywhere
 * @bytes:	their sizes, without those of the nodes, likewise
 * @source:	who published last, a copy that his messages share, under @lock; NULL
 *		while there is no message
 * @by_expiry:	nodes whose message expires, the earliest first, under @lock
 */
struct kmqtt_retain {
	struct kmqtt_trie trie;
	struct mutex lock; /* writers and walkers */
	unsigned long count;
	u64 bytes;
	struct kmqtt_identity *source;
	struct rb_root_cached by_expiry;
};

/** kmqtt_retain_init() - an empty store. Return: 0 or -errno */
int kmqtt_retain_init(struct kmqtt_retain *store);

/** kmqtt_retain_destroy() - drops all messages and the store */
void kmqtt_retain_destroy(struct kmqtt_retain *store);

/**
 * kmqtt_retain_set() - keep a message, or with an empty payload forget the
 *	topic's (MQTT 5.0, 3.3.1.3)
 * @store:	the store
 * @msg:	the message; a reference of its own is taken
 * @source:	who published it, of which a copy is kept; NULL: the switch itself
 * @max_count:	most messages to keep; 0: no limit
 *
 * Each call also drops a few that have expired (MQTT 5.0, 3.3.2.3.3), so that
 * they do not pile up where nobody walks.
 *
 * The nodes of its topic and what is kept of @source count against memory_limit, as
 * the message does.
 *
 * Process context, may sleep; store->lock held. Return: 0, -ENOMEM, -ENOSPC over
 * @max_count or memory_limit.
 */
int kmqtt_retain_set(struct kmqtt_retain *store, struct kmqtt_msg *msg,
		     const struct kmqtt_identity *source, unsigned long max_count);

/**
 * typedef kmqtt_retain_fn - a message that is there, and who published it or NULL
 *
 * May sleep. Return: 0, or non-zero to stop the walk.
 */
typedef int (*kmqtt_retain_fn)(void *ctx, struct kmqtt_msg *msg,
			       const struct kmqtt_identity *source);

/**
 * kmqtt_retain_walk() - all retained messages that match a filter
 * @store:	the store
 * @filter:	a valid topic filter, not a shared one
 * @len:	its bytes
 * @after:	topic name to go on behind, or NULL for all: for a dump in parts.
 *		It need not be there any more: the order is that of the levels'
 *		bytes, whatever comes and goes
 * @after_len:	its bytes
 * @fn:		called for each that has not expired; expired ones are dropped
 * @ctx:	for @fn
 *
 * As of MQTT 5.0, 4.7. Process context, may sleep; holds store->lock while @fn
 * runs. No recursion. Return: 0 or what @fn returned.
 */
int kmqtt_retain_walk(struct kmqtt_retain *store, const u8 *filter, u32 len,
		      const u8 *after, u32 after_len, kmqtt_retain_fn fn,
		      void *ctx);

/** kmqtt_retain_walk_locked() - likewise; store->lock held */
int kmqtt_retain_walk_locked(struct kmqtt_retain *store, const u8 *filter, u32 len,
			     const u8 *after, u32 after_len, kmqtt_retain_fn fn, void *ctx);

/**
 * kmqtt_retain_clear() - forget all that match
 *
 * Process context, may sleep. Return: how many.
 */
unsigned long kmqtt_retain_clear(struct kmqtt_retain *store, const u8 *filter,
				 u32 len);

/** typedef kmqtt_retain_if - may sleep; return: forget this one? */
typedef bool (*kmqtt_retain_if)(void *ctx, const struct kmqtt_msg *msg);

/**
 * kmqtt_retain_clear_if() - forget those that match and for which @fn says so
 *
 * Process context; holds store->lock while @fn runs. Return: how many.
 */
unsigned long kmqtt_retain_clear_if(struct kmqtt_retain *store, const u8 *filter,
				    u32 len, kmqtt_retain_if fn, void *ctx);

#endif

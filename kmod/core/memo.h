/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where the last message went. Who publishes mostly does so many times under one topic name:
 * that this is valid, and which subscriptions match it, is found out once, until any subscription
 * of the switch changes. Who may publish and who may read is asked each time.
 */
#ifndef KMQTT_CORE_MEMO_H
#define KMQTT_CORE_MEMO_H

#include <linux/jiffies.h>
#include <linux/string.h>

#include "core/tree.h"

#define KMQTT_MEMO_SUBS		8	/* matches that are noted */
#define KMQTT_MEMO_TOPIC	120	/* bytes of a topic name that is noted */

/* &kmqtt_memo.count: more match, or a shared subscription, whose members take turns */
#define KMQTT_MEMO_UNKNOWN	U8_MAX

/**
 * struct kmqtt_memo - what is known of the last topic name; of one publisher, no lock
 * @since:	jiffies when it was found out: for a second, so that no number comes again
 * @generation:	of the tree then
 * @topic_len:	bytes of @topic, 0: nothing is known
 * @count:	how many are in @sub, or KMQTT_MEMO_UNKNOWN
 * @sub:	subscriptions that match. Not to be looked at unless @generation is still the
 *		tree's, under one rcu_read_lock() with that
 * @topic:	a valid topic name
 */
struct kmqtt_memo {
	unsigned long since;
	u32 generation;
	u8 topic_len;
	u8 count;
	const struct kmqtt_sub *sub[KMQTT_MEMO_SUBS];
	u8 topic[KMQTT_MEMO_TOPIC];
};

/** kmqtt_memo_topic() - a topic name that is known to be valid; of no bytes if none is */
static inline struct kmqtt_view kmqtt_memo_topic(const struct kmqtt_memo *memo)
{
	if (!memo)
		return (struct kmqtt_view) { };
	return (struct kmqtt_view) { .data = memo->topic, .len = memo->topic_len };
}

/**
 * kmqtt_memo_knows() - are the matches of this topic name known?
 * @memo:	memo
 * @tree:	subscription tree
 * @topic:	topic name
 * @len:	its bytes
 *
 * rcu_read_lock() held, and until @memo->sub was looked at.
 */
static inline bool kmqtt_memo_knows(const struct kmqtt_memo *memo, const struct kmqtt_tree *tree,
				    const u8 *topic, u32 len)
{
	return memo->topic_len == len && memo->count != KMQTT_MEMO_UNKNOWN &&
	       /* pairs with kmqtt_tree_changed(): what it has seen go, is not found here */
	       memo->generation == smp_load_acquire(&tree->generation) &&
	       time_before(jiffies, memo->since + HZ) && kmqtt_equal(memo->topic, topic, len);
}

/** kmqtt_memo_begin() - this topic name is about to be matched; rcu_read_lock() held */
static inline void kmqtt_memo_begin(struct kmqtt_memo *memo, const struct kmqtt_tree *tree,
				    const u8 *topic, u32 len)
{
	memo->topic_len = 0;
	if (len > KMQTT_MEMO_TOPIC)
		return;
	memo->since = jiffies;
	/* pairs with kmqtt_tree_changed(): what has come before it is found */
	memo->generation = smp_load_acquire(&tree->generation);
	memo->count = 0;
	memo->topic_len = len;
	memcpy(memo->topic, topic, len);
}

/** kmqtt_memo_note() - one that matches; NULL: what cannot be noted */
static inline void kmqtt_memo_note(struct kmqtt_memo *memo, const struct kmqtt_sub *sub)
{
	if (sub && memo->count < KMQTT_MEMO_SUBS)
		memo->sub[memo->count++] = sub;
	else
		memo->count = KMQTT_MEMO_UNKNOWN;
}

#endif

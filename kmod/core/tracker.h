/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A tracker waits for the brokers of the uplinks: it counts the uplink
 * sessions that still owe an acknowledgement for the messages that carry it.
 */
#ifndef KMQTT_CORE_TRACKER_H
#define KMQTT_CORE_TRACKER_H

#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>

/**
 * struct kmqtt_tracker - waits until uplinks have acknowledged messages
 * @refs:	the waiter's and one of each message that carries it
 * @pending:	queue entries of uplink sessions that are not acknowledged yet
 * @taken:	how many uplink sessions ever took such a message
 * @reason:	highest reason code that came back
 * @wait:	woken when @pending falls to 0
 */
struct kmqtt_tracker {
	refcount_t refs;
	atomic_t pending;
	atomic_t taken;
	atomic_t reason;
	wait_queue_head_t wait;
};

/** kmqtt_tracker_new() - a tracker with one reference. Return: it or NULL */
struct kmqtt_tracker *kmqtt_tracker_new(gfp_t gfp);

/** kmqtt_tracker_get() - one more reference */
static inline struct kmqtt_tracker *kmqtt_tracker_get(struct kmqtt_tracker *t)
{
	refcount_inc(&t->refs);
	return t;
}

/** kmqtt_tracker_put() - drop a reference; NULL is allowed */
void kmqtt_tracker_put(struct kmqtt_tracker *t);

/** kmqtt_tracker_add() - an uplink session queued the message; any context */
void kmqtt_tracker_add(struct kmqtt_tracker *t);

/**
 * kmqtt_tracker_done() - an uplink session is done with the message
 * @t:		tracker
 * @reason:	reason code of its broker; 0x80 and above: refused
 *
 * Any context.
 */
void kmqtt_tracker_done(struct kmqtt_tracker *t, u8 reason);

/** kmqtt_tracker_idle() - nothing is owed. Any context */
static inline bool kmqtt_tracker_idle(const struct kmqtt_tracker *t)
{
	return !atomic_read(&t->pending);
}

#endif

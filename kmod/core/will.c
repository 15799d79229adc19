// SPDX-License-Identifier: GPL-2.0
/* Will messages: see will.h. */
#include <linux/err.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "core/broker.h"
#include "core/queue.h"
#include "core/will.h"

/* longest time to arm a timer for at once; longer ones are armed again */
#define KMQTT_WILL_STEP		(24 * 3600)

/**
 * struct kmqtt_will - what is published when a peer is lost
 * @work:	publishes it; while it is queued, the will is its own
 * @session:	whose it is; a reference while @work is queued
 * @who:	identity of who set it, a reference
 * @msg:	message, a reference
 * @delay:	will delay interval in seconds
 * @expiry:	message expiry interval in seconds, 0: none
 * @at:		CLOCK_BOOTTIME in ns at which the delay is over
 * @due:	it is to be published; under session->lock
 */
struct kmqtt_will {
	struct delayed_work work;
	struct kmqtt_session *session;
	struct kmqtt_identity *who;
	struct kmqtt_msg *msg;
	u32 delay;
	u32 expiry;
	u64 at;
	bool due;
};

void kmqtt_will_free(struct kmqtt_will *w)
{
	if (!w)
		return;
	if (w->who)
		kmqtt_identity_put(w->who);
	kmqtt_msg_put(w->msg);
	kfree(w);
}

static void kmqtt_will_queue(struct kmqtt_will *w, u64 ns)
{
	ns = min_t(u64, ns, (u64)KMQTT_WILL_STEP * NSEC_PER_SEC);
	queue_delayed_work(w->session->broker->wq, &w->work, ns ? nsecs_to_jiffies(ns) + 1 : 0);
}

static void kmqtt_will_publish(struct kmqtt_will *w)
{
	/* nobody else has seen it yet; only now does its time begin */
	w->msg->time_ns = ktime_get_real_ns();
	kmqtt_msg_set_expiry(w->msg, w->expiry);
	kmqtt_publish_as(w->session, w->who, w->msg);
}

/* The will is the work's. Whoever let go of it before decided what happens. */
static void kmqtt_will_run(struct work_struct *work)
{
	struct kmqtt_will *w = container_of(to_delayed_work(work), struct kmqtt_will, work);
	struct kmqtt_session *s = w->session;
	u64 now = ktime_get_boottime_ns();
	bool early, due;

	spin_lock(&s->lock);
	early = s->will == w && now < w->at;
	if (s->will == w && !early) {
		s->will = NULL;
		w->due = true;
	}
	due = w->due;
	/* under the lock: who takes it from the session then finds it queued */
	if (early)
		kmqtt_will_queue(w, w->at - now);
	spin_unlock(&s->lock);
	if (early)
		return;
	if (due && !READ_ONCE(s->broker->dying))
		kmqtt_will_publish(w);
	kmqtt_will_free(w);
	kmqtt_session_put(s);
}

struct kmqtt_will *kmqtt_will_new(const struct kmqtt_session_params *p)
{
	struct kmqtt_will *w;

	if (!p->will)
		return NULL;
	w = kzalloc_obj(*w, GFP_KERNEL);
	if (!w)
		return ERR_PTR(-ENOMEM);
	INIT_DELAYED_WORK(&w->work, kmqtt_will_run);
	w->msg = kmqtt_msg_get(p->will);
	w->delay = p->will_delay;
	w->expiry = p->will_expiry;
	return w;
}

/*
 * Take it from its session, to be published at once if it is @due. A work item
 * that has begun waits for session->lock, finds that the will is nobody's, and
 * looks at ->due. session->lock held.
 * Return: the will, for kmqtt_will_finish(); NULL if there is nothing to do
 */
static struct kmqtt_will *kmqtt_will_take(struct kmqtt_session *s, bool due)
{
	struct kmqtt_will *w = s->will;

	lockdep_assert_held(&s->lock);
	if (!w)
		return NULL;
	s->will = NULL;
	w->due = due;
	if (w->session && !cancel_delayed_work(&w->work))
		return NULL;
	return w;
}

/* What kmqtt_will_take() has begun, without the lock. */
static void kmqtt_will_finish(struct kmqtt_session *s, struct kmqtt_will *w)
{
	bool waited = w && w->session;

	if (!w)
		return;
	if (w->due) {
		w->session = s;
		if (!waited)
			refcount_inc(&s->refs);
		kmqtt_will_queue(w, 0);
	} else {
		if (waited)
			kmqtt_session_put(s);
		kmqtt_will_free(w);
	}
}

void kmqtt_will_replace(struct kmqtt_session *s, struct kmqtt_will *will,
			struct kmqtt_identity *who)
{
	struct kmqtt_will *old;
	bool over;

	lockdep_assert_held(&s->broker->sessions_lock);
	if (will) {
		refcount_inc(&who->refs);
		will->who = who;
	}
	spin_lock(&s->lock);
	over = s->will && ktime_get_boottime_ns() >= s->will->at;
	old = kmqtt_will_take(s, over);
	s->will = will;
	spin_unlock(&s->lock);
	kmqtt_will_finish(s, old);
}

void kmqtt_will_lost(struct kmqtt_session *s, bool end)
{
	struct kmqtt_will *w;

	lockdep_assert_held(&s->broker->sessions_lock);
	spin_lock(&s->lock);
	w = s->will;
	if (w && !end && w->delay) {
		w->session = s;
		refcount_inc(&s->refs);
		w->at = ktime_get_boottime_ns() + (u64)w->delay * NSEC_PER_SEC;
		kmqtt_will_queue(w, (u64)w->delay * NSEC_PER_SEC);
		w = NULL;
	} else {
		w = kmqtt_will_take(s, !s->broker->dying);
	}
	spin_unlock(&s->lock);
	kmqtt_will_finish(s, w);
}

void kmqtt_session_will_drop(struct kmqtt_session *s, struct kmqtt_port *port)
{
	struct kmqtt_will *w = NULL;

	spin_lock(&s->lock);
	if (kmqtt_session_has_port(s, port))
		w = kmqtt_will_take(s, false);
	spin_unlock(&s->lock);
	kmqtt_will_finish(s, w);
}

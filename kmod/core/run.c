// SPDX-License-Identifier: GPL-2.0
/* Runs through the switch: see run.h. */
#include <linux/err.h>
#include <linux/rcupdate.h>

#include "core/broker.h"
#include "core/publish.h"
#include "core/queue.h"
#include "core/run.h"
#include "core/trace.h"

/**
 * struct kmqtt_runner - one run on its way
 * @run:	the packets
 * @from:	publisher
 * @msg:	message that has them when somebody wants them
 * @wakes:	where wake-ups are held back, or NULL
 * @queued:	packets that queues took
 * @merge:	one of the sessions has more subscriptions
 * @refused:	one of them takes no runs
 * @wanted:	who it is for: they get it by what they were when they were looked at
 */
struct kmqtt_runner {
	const struct kmqtt_run *run;
	struct kmqtt_session *from;
	struct kmqtt_msg *msg;
	struct kmqtt_wakes *wakes;
	u64 queued;
	bool merge;
	bool refused;
	struct kmqtt_matches *wanted;
};

/* Of @count packets, how many is there room for? */
static u32 kmqtt_run_fits(const struct kmqtt_session *s, u32 count)
{
	u32 max = kmqtt_queue_max(s);

	return max ? min(count, max - min(max, READ_ONCE(s->queued))) : count;
}

/* rcu_read_lock() held */
static bool kmqtt_run_suits(const struct kmqtt_session *s, const struct kmqtt_msg *msg)
{
	u8 policy = READ_ONCE(s->policy);

	return (policy == KMQTT_POLICY_DROP_NEWEST || policy == KMQTT_POLICY_BLOCK) &&
	       kmqtt_port_takes_run(rcu_dereference(s->port), msg) && !kmqtt_queue_max_bytes(s);
}

/* Must the publisher wait for room in it, which he does message by message? */
static bool kmqtt_run_waits(const struct kmqtt_session *s, const struct kmqtt_msg *msg)
{
	return READ_ONCE(s->policy) == KMQTT_POLICY_BLOCK &&
	       kmqtt_run_fits(s, msg->run_count) < msg->run_count;
}

static void kmqtt_run_look(void *ctx, const struct kmqtt_sub *sub)
{
	const struct kmqtt_session *s = sub->session;
	struct kmqtt_runner *r = ctx;

	if (r->refused || !kmqtt_route_wanted(r->from, r->msg, sub))
		return;
	if (!kmqtt_matches_reserve(r->wanted)) {
		r->refused = true;
		return;
	}
	r->wanted->sub[r->wanted->nr++] = sub;
	r->merge |= READ_ONCE(s->sub_count) > 1;
	/* several matches of one session are one delivery: not here */
	if (sub->opts.sub_id || (r->merge && r->wanted->nr > 1))
		r->refused = true;
	/* who is not there gets nothing of QoS 0, or keeps it one by one */
	else if (!READ_ONCE(s->online))
		r->refused = kmqtt_queue_keeps(s, 0);
	else
		r->refused = !kmqtt_run_suits(s, r->msg) || kmqtt_run_waits(s, r->msg);
}

static void kmqtt_run_group(void *ctx, struct kmqtt_sub_group *group)
{
	struct kmqtt_runner *r = ctx;

	r->refused = true;
}

/*
 * Links as many of the run's packets as there is room for; what has expired makes room, and
 * goes to @gone. Where a publisher waits for room, there was room when it was looked for: if others
 * took it since, the queue grows. Return: how many; lock held
 */
static u32 kmqtt_run_link(struct kmqtt_session *s, struct kmqtt_qent *ent, struct list_head *gone)
{
	bool had = s->policy == KMQTT_POLICY_BLOCK;
	u32 fits = had ? ent->count : kmqtt_run_fits(s, ent->count);

	if (unlikely(fits < ent->count)) {
		kmqtt_queue_drop_expired(s, gone);
		fits = kmqtt_run_fits(s, ent->count);
	}
	if (unlikely(fits < ent->count)) {
		ent->count = fits;
		ent->len = kmqtt_run_prefix(kmqtt_msg_payload(ent->msg), ent->msg->run_version,
					    ent->count, &ent->bytes);
	}
	if (!ent->count || !kmqtt_room_for_one(s))
		return 0;
	kmqtt_queue_add_tail(s, ent);
	return ent->count;
}

static void kmqtt_run_push(struct kmqtt_runner *r, struct kmqtt_session *s)
{
	struct kmqtt_push how = { .wakes = r->wakes };
	struct kmqtt_qent *ent;
	u64 before, dropped;
	u32 queued = 0;
	LIST_HEAD(gone);
	bool first;

	if (!kmqtt_queue_keeps(s, 0))
		return;
	ent = kmqtt_qent_new(s, r->msg, &how);
	if (ent)
		ent->bytes = r->run->bytes;
	spin_lock(&s->lock);
	before = s->dropped_messages;
	/*
	 * Another port may have it since it was looked at, and can be given no run; with other
	 * rules, which are for what comes from now on, it can.
	 */
	if (ent && !s->dead &&
	    kmqtt_port_takes_run(rcu_dereference_protected(s->port, lockdep_is_held(&s->lock)),
				 r->msg))
		queued = kmqtt_run_link(s, ent, &gone);
	if (!s->dead)
		s->dropped_messages += r->msg->run_count - queued;
	dropped = s->dropped_messages;
	first = dropped != before && before == s->dropped_reported;
	spin_unlock(&s->lock);

	if (unlikely(!list_empty(&gone)))
		kmqtt_qent_free_list(&gone);
	if (!queued && ent)
		kmqtt_qent_free(ent);
	r->queued += queued;
	kmqtt_queue_pushed(s, &how, dropped - before, dropped, queued || first);
}

static void kmqtt_run_count(const struct kmqtt_runner *r)
{
	const struct kmqtt_run *run = r->run;
	struct kmqtt_broker *b = r->msg->broker;
	struct kmqtt_stats *stats;
	unsigned long flags;

	stats = kmqtt_stats_begin(b->stats, &flags);
	u64_stats_add(&stats->v[KMQTT_STAT_MESSAGES_PUBLISHED], run->count);
	u64_stats_add(&stats->v[KMQTT_STAT_BYTES_PUBLISHED], run->bytes);
	u64_stats_add(&stats->v[KMQTT_STAT_MESSAGES_QUEUED], r->queued);
	u64_stats_add(&stats->v[KMQTT_STAT_MESSAGES_UNMATCHED], r->wanted->nr ? 0 : run->count);
	kmqtt_stats_end(b->stats, stats, flags);
	atomic64_add(run->count, &r->from->published_messages);
	atomic64_add(run->bytes, &r->from->published_bytes);
}

static bool kmqtt_run_publish(struct kmqtt_runner *r)
{
	struct kmqtt_msg *msg = r->msg;
	unsigned int i;

	rcu_read_lock();
	kmqtt_tree_match(&msg->broker->tree, kmqtt_msg_topic(msg), msg->topic_len,
			 kmqtt_run_look, kmqtt_run_group, r);
	if (r->refused)
		goto out;
	if (r->wanted->nr && r->run->data != kmqtt_msg_payload(msg))
		memcpy(kmqtt_msg_payload(msg), r->run->data, r->run->len);
	for (i = 0; i < r->wanted->nr; i++)
		kmqtt_run_push(r, r->wanted->sub[i]->session);
out:
	rcu_read_unlock();
	return !r->refused;
}

/* What tells of single messages, or changes them, has to see them. */
static bool kmqtt_run_may(const struct kmqtt_broker *broker)
{
	return !READ_ONCE(broker->limits.upgrade_outgoing_qos) &&
	       !trace_kmqtt_publish_enabled() && !trace_kmqtt_route_enabled() &&
	       !trace_kmqtt_deliver_enabled() && !trace_kmqtt_drop_enabled();
}

static bool kmqtt_run_try(const struct kmqtt_publisher *by, struct kmqtt_msg *msg,
			  const struct kmqtt_run *run)
{
	struct kmqtt_matches wanted __uninitialized;
	struct kmqtt_runner r = {
		.run = run,
		.from = by->session,
		.msg = msg,
		.wakes = by->wakes,
		.wanted = &wanted,
	};
	bool ret = false;

	kmqtt_matches_init(&wanted);
	if (!kmqtt_publish_allowed(by, msg) && kmqtt_run_publish(&r)) {
		kmqtt_run_count(&r);
		ret = true;
	}
	kmqtt_matches_exit(&wanted);
	return ret;
}

bool kmqtt_session_publish_run(struct kmqtt_session *s, const struct kmqtt_port *port,
			       const struct kmqtt_run *run, struct kmqtt_wakes *wakes)
{
	const struct kmqtt_publisher by = { .session = s, .port = port, .wakes = wakes };
	struct kmqtt_msg *msg;
	bool ret;

	if (!kmqtt_run_may(s->broker))
		return false;
	msg = kmqtt_msg_alloc_run(s->broker, run, GFP_KERNEL);
	if (IS_ERR(msg))
		return false;
	ret = kmqtt_run_try(&by, msg, run);
	kmqtt_msg_put(msg);
	return ret;
}

bool kmqtt_publish_run(struct kmqtt_session *s, struct kmqtt_msg *msg,
		       const struct kmqtt_run *run, struct kmqtt_wakes *wakes)
{
	const struct kmqtt_publisher by = { .session = s, .wakes = wakes };

	return kmqtt_run_may(s->broker) && kmqtt_run_try(&by, msg, run);
}

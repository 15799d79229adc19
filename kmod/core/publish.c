// SPDX-License-Identifier: GPL-2.0
/* The way of a message through the switch: rules, retained store, match, queues. */
#include <linux/jiffies.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/sort.h>

#include "compat.h"
#include "core/broker.h"
#include "core/queue.h"

/* matches of sessions with several subscriptions that are held on the stack */
#define KMQTT_ROUTE_STACK	32

/**
 * struct kmqtt_route - one message being routed
 * @from:	publisher, or NULL
 * @msg:	message
 * @waits:	the publisher waited until all that would block had room
 * @count:	sessions that it was for
 * @queued:	of them, those whose queue took it
 * @subs:	matches of sessions that have more than one subscription: several
 *		of them may match, and the message goes there but once
 * @nr:		entries at @subs
 * @cap:	places at @subs
 * @stack:	where @subs points first
 */
struct kmqtt_route {
	struct kmqtt_session *from;
	struct kmqtt_msg *msg;
	bool waits;
	unsigned int count;
	unsigned int queued;
	const struct kmqtt_sub **subs;
	unsigned int nr;
	unsigned int cap;
	const struct kmqtt_sub *stack[KMQTT_ROUTE_STACK];
};

static bool kmqtt_route_wanted(const struct kmqtt_session *from,
			       const struct kmqtt_msg *msg,
			       const struct kmqtt_sub *sub)
{
	const struct kmqtt_session *s = sub->session;

	if (s == from && (sub->opts.no_local || s->kind == KMQTT_KIND_UPLINK))
		return false;
	return kmqtt_acl_check(&s->broker->acl, rcu_dereference(s->who),
			       KMQTT_ACL_READ, kmqtt_msg_topic(msg),
			       msg->topic_len);
}

static void kmqtt_route_push(struct kmqtt_route *r, const struct kmqtt_sub *sub,
			     const struct kmqtt_push *how)
{
	r->count++;
	r->queued += kmqtt_queue_push(sub->session, r->msg, how);
}

/* All identifiers of a session's matches. Return: them, or NULL for lack of memory */
static struct kmqtt_sub_ids *kmqtt_route_ids(const struct kmqtt_sub **subs,
					     unsigned int nr, unsigned int count)
{
	struct kmqtt_sub_ids *ids;
	unsigned int i;

	ids = kmalloc(struct_size(ids, id, count), GFP_ATOMIC | __GFP_NOWARN);
	if (!ids)
		return NULL;
	refcount_set(&ids->refs, 1);
	ids->count = 0;
	for (i = 0; i < nr; i++)
		if (subs[i]->opts.sub_id)
			ids->id[ids->count++] = subs[i]->opts.sub_id;
	return ids;
}

/* One session's matches: the highest QoS, all identifiers (MQTT 5.0, 3.3.4). */
static void kmqtt_route_push_group(struct kmqtt_route *r,
				   const struct kmqtt_sub **subs, unsigned int nr)
{
	struct kmqtt_push how = {
		/* as kmqtt_route_find_full() has looked at it */
		.room = r->waits && !subs[0]->group && subs[0]->session != r->from,
	};
	unsigned int i, ids = 0;

	for (i = 0; i < nr; i++) {
		how.qos = max(how.qos, min(r->msg->qos, subs[i]->opts.qos));
		how.retain |= subs[i]->opts.retain_as_published && r->msg->retain;
		if (subs[i]->opts.sub_id) {
			how.sub_id = subs[i]->opts.sub_id;
			ids++;
		}
	}
	if (ids > 1)
		how.more_ids = kmqtt_route_ids(subs, nr, ids);
	kmqtt_route_push(r, subs[0], &how);
	kmqtt_sub_ids_put(how.more_ids);
}

static int kmqtt_route_cmp(const void *a, const void *b)
{
	const struct kmqtt_sub *const *x = a, *const *y = b;

	if ((*x)->session != (*y)->session)
		return (*x)->session < (*y)->session ? -1 : 1;
	return 0;
}

/* What was held back: grouped by session, each gets the message once. */
static void kmqtt_route_flush(struct kmqtt_route *r)
{
	unsigned int at = 0;

	if (r->nr > 1)
		sort(r->subs, r->nr, sizeof(*r->subs), kmqtt_route_cmp, NULL);
	while (at < r->nr) {
		unsigned int end = at + 1;

		while (end < r->nr &&
		       r->subs[end]->session == r->subs[at]->session)
			end++;
		kmqtt_route_push_group(r, r->subs + at, end - at);
		at = end;
	}
	r->nr = 0;
}

/* Return: is there room for one more in @subs now? */
static bool kmqtt_route_grow(struct kmqtt_route *r)
{
	const struct kmqtt_sub **more;

	if (r->nr < r->cap)
		return true;
	more = kmalloc_array(r->cap * 2, sizeof(*more), GFP_ATOMIC | __GFP_NOWARN);
	if (!more)
		return false;
	memcpy(more, r->subs, r->nr * sizeof(*more));
	if (r->subs != r->stack)
		kfree(r->subs);
	r->subs = more;
	r->cap *= 2;
	return true;
}

static void kmqtt_route_one(void *ctx, const struct kmqtt_sub *sub)
{
	struct kmqtt_route *r = ctx;

	if (!kmqtt_route_wanted(r->from, r->msg, sub))
		return;
	/* a shared subscription is delivered on its own account (MQTT 5.0, 4.8.2) */
	if (!sub->group && READ_ONCE(sub->session->sub_count) > 1) {
		/* out of memory: rather twice than not at all */
		if (!kmqtt_route_grow(r))
			kmqtt_route_flush(r);
		r->subs[r->nr++] = sub;
	} else {
		kmqtt_route_push_group(r, &sub, 1);
	}
}

struct kmqtt_block_search {
	const struct kmqtt_session *from;
	const struct kmqtt_msg *msg;
	struct kmqtt_session *found;
};

static void kmqtt_route_find_full(void *ctx, const struct kmqtt_sub *sub)
{
	struct kmqtt_block_search *search = ctx;
	struct kmqtt_session *s = sub->session;

	/* who writes to himself would wait for himself */
	if (!search->found && s != search->from && kmqtt_session_full(s) &&
	    kmqtt_route_wanted(search->from, search->msg, sub) &&
	    kmqtt_session_get(s))
		search->found = s;
}

static struct kmqtt_session *kmqtt_route_blocked(struct kmqtt_session *from,
						 struct kmqtt_msg *msg)
{
	struct kmqtt_block_search search = { .from = from, .msg = msg };

	rcu_read_lock();
	kmqtt_tree_match_plain(&msg->broker->tree, kmqtt_msg_topic(msg),
			       msg->topic_len, kmqtt_route_find_full, &search);
	rcu_read_unlock();
	return search.found;
}

static bool kmqtt_publish_allowed(struct kmqtt_session *from, struct kmqtt_msg *msg)
{
	struct kmqtt_event event = {
		.type = KMQTT_EVENT_DENY,
		.session = from->name,
		.topic = kmqtt_msg_topic(msg),
		.topic_len = msg->topic_len,
	};
	bool ok;

	rcu_read_lock();
	ok = kmqtt_acl_check(&msg->broker->acl, rcu_dereference(from->who),
			     KMQTT_ACL_WRITE, kmqtt_msg_topic(msg), msg->topic_len);
	rcu_read_unlock();
	if (likely(ok))
		return true;
	kmqtt_stats_add(msg->broker->stats, KMQTT_STAT_MESSAGES_DENIED, 1);
	if (time_after(jiffies, READ_ONCE(from->event_deny) + HZ)) {
		WRITE_ONCE(from->event_deny, jiffies);
		kmqtt_event_emit(msg->broker, &event);
	}
	return false;
}

static void kmqtt_publish_count(struct kmqtt_session *from, struct kmqtt_msg *msg,
				const struct kmqtt_route *r)
{
	struct kmqtt_stats __percpu *stats = msg->broker->stats;
	u32 bytes = msg->topic_len + msg->payload_len;

	kmqtt_stats_add(stats, KMQTT_STAT_MESSAGES_PUBLISHED, 1);
	kmqtt_stats_add(stats, KMQTT_STAT_BYTES_PUBLISHED, bytes);
	if (r->queued)
		kmqtt_stats_add(stats, KMQTT_STAT_MESSAGES_QUEUED, r->queued);
	if (!r->count)
		kmqtt_stats_add(stats, KMQTT_STAT_MESSAGES_UNMATCHED, 1);
	if (from) {
		atomic64_inc(&from->published_messages);
		atomic64_add(bytes, &from->published_bytes);
	}
}

int kmqtt_publish(struct kmqtt_session *from, struct kmqtt_msg *msg,
		  struct kmqtt_session **blocked)
{
	struct kmqtt_broker *b = msg->broker;
	struct kmqtt_route r = {
		.from = from,
		.msg = msg,
		.waits = blocked,
		.cap = KMQTT_ROUTE_STACK,
	};
	int ret;

	if (from && !kmqtt_publish_allowed(from, msg))
		return -EACCES;
	if (blocked && atomic_read(&b->blockers)) {
		*blocked = kmqtt_route_blocked(from, msg);
		if (*blocked)
			return -EAGAIN;
	}
	if (msg->retain && READ_ONCE(b->limits.retain_available)) {
		ret = kmqtt_retain_set(&b->retain, msg,
				       READ_ONCE(b->limits.max_retained_messages));
		if (ret)
			return ret == -ENOSPC ? -ENOBUFS : ret;
	}

	r.subs = r.stack;
	rcu_read_lock();
	kmqtt_tree_match(&b->tree, kmqtt_msg_topic(msg), msg->topic_len,
			 kmqtt_route_one, &r);
	kmqtt_route_flush(&r);
	rcu_read_unlock();
	if (r.subs != r.stack)
		kfree(r.subs);
	kmqtt_publish_count(from, msg, &r);
	return r.count;
}

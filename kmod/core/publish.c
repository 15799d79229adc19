// SPDX-License-Identifier: GPL-2.0
/* The way of a message through the switch: rules, retained store, match, queues. */
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/sort.h>

#include "compat.h"
#include "core/broker.h"
#include "core/publish.h"
#include "core/queue.h"
#include "core/share.h"
#include "core/trace.h"

/**
 * struct kmqtt_route - one message being routed
 * @from:	publisher, or NULL
 * @msg:	message
 * @wakes:	where wake-ups are held back, or NULL
 * @memo:	what is known of the publisher's last topic name, or NULL
 * @qos:	highest QoS that it is delivered with
 * @waits:	the publisher waited until all that would block had room
 * @count:	sessions that it was for
 * @queued:	of them, those whose queue took it
 * @held:	matches that are held back, those of sessions that have more than
 *		one subscription always: several of them may match, and the message
 *		goes there but once
 * @hold:	all matches are held back until it is known that none is full
 * @full:	a session that was found full, with a reference, or NULL
 * @merge:	one of @held is of a session that has more of them
 */
struct kmqtt_route {
	struct kmqtt_session *from;
	struct kmqtt_msg *msg;
	struct kmqtt_wakes *wakes;
	struct kmqtt_memo *memo;
	u8 qos;
	bool waits;
	unsigned int count;
	unsigned int queued;
	struct kmqtt_matches *held;
	struct kmqtt_session *full;
	bool hold;
	bool merge;
};

bool kmqtt_route_wanted(const struct kmqtt_session *from, const struct kmqtt_msg *msg,
			const struct kmqtt_sub *sub)
{
	const struct kmqtt_session *s = sub->session;

	if (s == from && (sub->opts.no_local || s->kind == KMQTT_KIND_UPLINK))
		return false;
	return kmqtt_acl_check(&s->broker->acl, rcu_dereference(s->who),
			       KMQTT_ACL_READ, kmqtt_msg_topic(msg),
			       msg->topic_len);
}

/* All identifiers of a session's matches. Return: them, or NULL for lack of memory */
static struct kmqtt_sub_ids *kmqtt_route_ids(const struct kmqtt_sub **subs,
					     unsigned int nr, unsigned int count)
{
	struct kmqtt_broker *broker = subs[0]->session->broker;
	struct kmqtt_sub_ids *ids;
	unsigned int i;

	if (!kmqtt_memory_charge(broker, struct_size(ids, id, count)))
		return NULL;
	ids = kmalloc(struct_size(ids, id, count), GFP_ATOMIC | __GFP_NOWARN);
	if (!ids) {
		kmqtt_memory_uncharge(broker, struct_size(ids, id, count));
		return NULL;
	}
	refcount_set(&ids->refs, 1);
	ids->broker = broker;
	ids->count = 0;
	for (i = 0; i < nr; i++)
		if (subs[i]->opts.sub_id)
			ids->id[ids->count++] = subs[i]->opts.sub_id;
	return ids;
}

static struct kmqtt_share kmqtt_route_share(const struct kmqtt_route *r)
{
	return (struct kmqtt_share) { .from = r->from, .msg = r->msg, .wakes = r->wakes };
}

/* As the publisher has looked at it, there is room for one that it would wait for. */
static bool kmqtt_route_room(const struct kmqtt_route *r, const struct kmqtt_sub *sub)
{
	return r->waits && sub->session != r->from;
}

/* One that is alone and no shared one. */
static void kmqtt_route_push_one(struct kmqtt_route *r, const struct kmqtt_sub *sub)
{
	const struct kmqtt_push how = {
		.wakes = r->wakes,
		.sub_id = sub->opts.sub_id,
		.qos = min(r->qos, sub->opts.qos),
		.retain = sub->opts.retain_as_published && r->msg->retain,
		.room = kmqtt_route_room(r, sub),
	};

	r->count++;
	r->queued += kmqtt_queue_push(sub->session, r->msg, &how);
}

/* One session's matches: the highest QoS, all identifiers (MQTT 5.0, 3.3.4). */
static void kmqtt_route_push(struct kmqtt_route *r, const struct kmqtt_sub **subs,
			     unsigned int nr)
{
	struct kmqtt_share share;
	struct kmqtt_push how = {
		.wakes = r->wakes,
		.room = kmqtt_route_room(r, subs[0]),
	};
	unsigned int i, ids = 0;

	r->count++;
	if (subs[0]->group) {
		share = kmqtt_route_share(r);
		r->queued += kmqtt_share_push(&share, subs[0]);
		return;
	}
	for (i = 0; i < nr; i++) {
		how.qos = max(how.qos, min(r->qos, subs[i]->opts.qos));
		how.retain |= subs[i]->opts.retain_as_published && r->msg->retain;
		if (subs[i]->opts.sub_id) {
			how.sub_id = subs[i]->opts.sub_id;
			ids++;
		}
	}
	if (ids > 1)
		how.more_ids = kmqtt_route_ids(subs, nr, ids);
	r->queued += kmqtt_queue_push(subs[0]->session, r->msg, &how);
	kmqtt_sub_ids_put(how.more_ids);
}

static int kmqtt_route_cmp(const void *a, const void *b)
{
	const struct kmqtt_sub *const *x = a, *const *y = b;

	if ((*x)->session != (*y)->session)
		return (*x)->session < (*y)->session ? -1 : 1;
	if ((*x)->group != (*y)->group)
		return (*x)->group < (*y)->group ? -1 : 1;
	return 0;
}

/* What was held back: grouped by session, each gets the message once. */
static void kmqtt_route_flush(struct kmqtt_route *r)
{
	const struct kmqtt_sub **subs = r->held->sub;
	unsigned int at = 0, nr = r->held->nr;

	if (r->merge)
		sort(subs, nr, sizeof(*subs), kmqtt_route_cmp, NULL);
	while (at < nr) {
		unsigned int end = at + 1;

		while (end < nr && !kmqtt_route_cmp(&subs[at], &subs[end]))
			end++;
		kmqtt_route_push(r, subs + at, end - at);
		at = end;
	}
	r->held->nr = 0;
}

bool kmqtt_matches_reserve(struct kmqtt_matches *m)
{
	const struct kmqtt_sub **more;

	if (m->nr < m->cap)
		return true;
	more = kmalloc_array(m->cap * 2, sizeof(*more), GFP_ATOMIC | __GFP_NOWARN);
	if (!more)
		return false;
	memcpy(more, m->sub, m->nr * sizeof(*more));
	kmqtt_matches_exit(m);
	m->sub = more;
	m->cap *= 2;
	return true;
}

void kmqtt_matches_exit(struct kmqtt_matches *m)
{
	if (m->sub != m->stack)
		kfree(m->sub);
}

static void kmqtt_route_add(struct kmqtt_route *r, const struct kmqtt_sub *sub,
			    bool merge)
{
	if (merge || r->hold) {
		/*
		 * Out of memory: rather twice, or too much, than not at all. Some
		 * have it now, so it cannot wait for others any more.
		 */
		if (!kmqtt_matches_reserve(r->held)) {
			kmqtt_route_flush(r);
			r->hold = false;
		}
		r->held->sub[r->held->nr++] = sub;
		r->merge |= merge;
	} else {
		kmqtt_route_push(r, &sub, 1);
	}
}

static void kmqtt_route_one(void *ctx, const struct kmqtt_sub *sub)
{
	struct kmqtt_route *r = ctx;

	if (kmqtt_route_wanted(r->from, r->msg, sub))
		kmqtt_route_add(r, sub, READ_ONCE(sub->session->sub_count) > 1);
}

/* A shared subscription is delivered on its own account (MQTT 5.0, 4.8.2). */
static void kmqtt_route_group(void *ctx, struct kmqtt_sub_group *group)
{
	struct kmqtt_route *r = ctx;
	struct kmqtt_share share = kmqtt_route_share(r);
	const struct kmqtt_sub *sub = kmqtt_share_pick(&share, group);

	if (sub)
		kmqtt_route_add(r, sub, false);
}

static void kmqtt_route_note(void *ctx, const struct kmqtt_sub *sub)
{
	struct kmqtt_route *r = ctx;

	kmqtt_memo_note(r->memo, sub);
	kmqtt_route_one(ctx, sub);
}

static void kmqtt_route_note_group(void *ctx, struct kmqtt_sub_group *group)
{
	struct kmqtt_route *r = ctx;

	kmqtt_memo_note(r->memo, NULL);
	kmqtt_route_group(ctx, group);
}

/* Must the publisher wait for it? Who writes to himself would wait for himself. */
static bool kmqtt_route_is_full(const struct kmqtt_route *r, const struct kmqtt_sub *sub)
{
	return !sub->group && sub->session != r->from && kmqtt_session_full(sub->session);
}

/* What matches alone need not be held back to be looked at. */
static void kmqtt_route_only(struct kmqtt_route *r, const struct kmqtt_sub *sub)
{
	if (!kmqtt_route_wanted(r->from, r->msg, sub))
		return;
	if (r->hold && kmqtt_route_is_full(r, sub) && kmqtt_session_get(sub->session))
		r->full = sub->session;
	else
		kmqtt_route_push_one(r, sub);
}

/* All that match; rcu_read_lock() held. */
static void kmqtt_route_match(struct kmqtt_route *r)
{
	struct kmqtt_tree *tree = &r->msg->broker->tree;
	const u8 *topic = kmqtt_msg_topic(r->msg);
	u32 len = r->msg->topic_len, i;

	if (!r->memo) {
		kmqtt_tree_match(tree, topic, len, kmqtt_route_one, kmqtt_route_group, r);
		return;
	}
	if (!kmqtt_memo_knows(r->memo, tree, topic, len)) {
		kmqtt_memo_begin(r->memo, tree, topic, len);
		kmqtt_tree_match(tree, topic, len, kmqtt_route_note, kmqtt_route_note_group, r);
		return;
	}
	if (r->memo->count == 1) {
		kmqtt_route_only(r, r->memo->sub[0]);
		return;
	}
	for (i = 0; i < r->memo->count; i++)
		kmqtt_route_one(r, r->memo->sub[i]);
}

/* Among what is held back, a session that is full. Return: a reference, or NULL */
static struct kmqtt_session *kmqtt_route_find_full(const struct kmqtt_route *r)
{
	unsigned int i;

	for (i = 0; i < r->held->nr; i++) {
		const struct kmqtt_sub *sub = r->held->sub[i];

		if (kmqtt_route_is_full(r, sub) && kmqtt_session_get(sub->session))
			return sub->session;
	}
	return NULL;
}

static void kmqtt_route_look(void *ctx, const struct kmqtt_sub *sub)
{
	struct kmqtt_route *r = ctx;

	if (!r->full && kmqtt_route_is_full(r, sub) &&
	    kmqtt_route_wanted(r->from, r->msg, sub) && kmqtt_session_get(sub->session))
		r->full = sub->session;
}

/*
 * Before a message is retained: is anyone full? It is matched once more when
 * it is in the store; it is no turn of a shared subscription's members.
 */
static struct kmqtt_session *kmqtt_route_ask(struct kmqtt_route *r)
{
	struct kmqtt_msg *msg = r->msg;

	rcu_read_lock();
	kmqtt_tree_match(&msg->broker->tree, kmqtt_msg_topic(msg), msg->topic_len,
			 kmqtt_route_look, NULL, r);
	rcu_read_unlock();
	return r->full;
}

/* rcu_read_lock() held. Return: who it is; NULL: another port has the session by now */
static struct kmqtt_identity *kmqtt_publisher_who(const struct kmqtt_publisher *by)
{
	struct kmqtt_identity *who = by->who ?: rcu_dereference(by->session->who);

	/* pairs with kmqtt_session_attach(): the port goes before its identity */
	smp_rmb();
	if (by->port && rcu_access_pointer(by->session->port) != by->port)
		return NULL;
	return who;
}

/* Return: 0, -EACCES, -ESTALE */
int kmqtt_publish_allowed(const struct kmqtt_publisher *by, const struct kmqtt_msg *msg)
{
	struct kmqtt_acl *acl = &msg->broker->acl;
	const struct kmqtt_identity *who;
	int ret = 0;

	if (likely(!rcu_access_pointer(acl->table)))
		return 0;
	rcu_read_lock();
	who = kmqtt_publisher_who(by);
	if (!who)
		ret = -ESTALE;
	else if (!kmqtt_acl_check(acl, who, KMQTT_ACL_WRITE, kmqtt_msg_topic(msg),
				  msg->topic_len))
		ret = -EACCES;
	rcu_read_unlock();
	return ret;
}

static void kmqtt_publish_count(struct kmqtt_session *from, struct kmqtt_msg *msg,
				const struct kmqtt_route *r)
{
	u32 bytes = msg->topic_len + msg->payload_len;
	struct kmqtt_stats *stats;
	unsigned long flags;

	stats = kmqtt_stats_begin(msg->broker->stats, &flags);
	u64_stats_add(&stats->v[KMQTT_STAT_MESSAGES_PUBLISHED], 1);
	u64_stats_add(&stats->v[KMQTT_STAT_BYTES_PUBLISHED], bytes);
	u64_stats_add(&stats->v[KMQTT_STAT_MESSAGES_QUEUED], r->queued);
	u64_stats_add(&stats->v[KMQTT_STAT_MESSAGES_UNMATCHED], !r->count);
	kmqtt_stats_end(msg->broker->stats, stats, flags);
	if (from) {
		atomic64_inc(&from->published_messages);
		atomic64_add(bytes, &from->published_bytes);
	}
}

/* Who is to be remembered, with a reference; NULL: the switch; ERR_PTR(-ESTALE) */
static struct kmqtt_identity *kmqtt_publisher_get(const struct kmqtt_publisher *by)
{
	struct kmqtt_identity *who = NULL;

	if (!by->session)
		return NULL;
	rcu_read_lock();
	do {
		who = kmqtt_publisher_who(by);
	} while (who && !refcount_inc_not_zero(&who->refs));
	rcu_read_unlock();
	return who ?: ERR_PTR(-ESTALE);
}

/*
 * A retained message, before anyone is told. Under its lock, as is the telling: who subscribes
 * meanwhile gets it as a retained one or as a new one, not both. Return: 0; -EAGAIN; -errno
 */
static int kmqtt_publish_retain(const struct kmqtt_publisher *by, struct kmqtt_route *r,
				struct kmqtt_session **blocked)
{
	struct kmqtt_broker *b = r->msg->broker;
	struct kmqtt_identity *who;
	int ret;

	if (r->hold) {
		*blocked = kmqtt_route_ask(r);
		if (*blocked)
			return -EAGAIN;
		r->hold = false;
	}
	if (!READ_ONCE(b->limits.retain_available))
		return 0;
	who = kmqtt_publisher_get(by);
	if (IS_ERR(who))
		return PTR_ERR(who);
	ret = kmqtt_retain_set(&b->retain, r->msg, who,
			       READ_ONCE(b->limits.max_retained_messages));
	if (who)
		kmqtt_identity_put(who);
	return ret == -ENOSPC ? -ENOBUFS : ret;
}

/* Return: 0; -EAGAIN: @blocked has to be waited for */
static int kmqtt_publish_route(struct kmqtt_route *r, struct kmqtt_session **blocked)
{
	int ret = 0;

	rcu_read_lock();
	kmqtt_route_match(r);
	if (r->hold && !r->full)
		r->full = kmqtt_route_find_full(r);
	if (r->full) {
		*blocked = r->full;
		ret = -EAGAIN;
	} else {
		kmqtt_route_flush(r);
	}
	rcu_read_unlock();
	return ret;
}

/* It may take long. Those whose wake-ups we hold do not wait for that. */
static void kmqtt_publish_lock(const struct kmqtt_publisher *by, struct kmqtt_retain *retain)
{
	if (mutex_trylock(&retain->lock))
		return;
	if (by->wakes)
		kmqtt_wakes_flush(by->wakes);
	mutex_lock(&retain->lock);
}

static int kmqtt_publish_by(const struct kmqtt_publisher *by, struct kmqtt_msg *msg,
			    struct kmqtt_session **blocked)
{
	struct kmqtt_matches held __uninitialized;
	struct kmqtt_broker *b = msg->broker;
	struct kmqtt_route r = {
		.from = by->session,
		.msg = msg,
		.wakes = by->wakes,
		.memo = by->memo,
		.qos = READ_ONCE(b->limits.upgrade_outgoing_qos) ? 2 : msg->qos,
		.waits = blocked,
		.hold = blocked && atomic_read(&b->blockers),
		.held = &held,
	};
	int ret = 0;

	kmqtt_matches_init(&held);
	if (by->session) {
		ret = kmqtt_publish_allowed(by, msg);
		if (ret == -EACCES) {
			kmqtt_stats_add(b->stats, KMQTT_STAT_MESSAGES_DENIED, 1);
			kmqtt_session_denied(by->session, kmqtt_msg_topic(msg),
					     msg->topic_len);
		}
		if (ret)
			return ret;
	}
	trace_kmqtt_publish(by->session, msg);
	if (msg->retain) {
		kmqtt_publish_lock(by, &b->retain);
		ret = kmqtt_publish_retain(by, &r, blocked);
	}
	if (!ret)
		ret = kmqtt_publish_route(&r, blocked);
	if (msg->retain)
		mutex_unlock(&b->retain.lock);
	if (!ret) {
		trace_kmqtt_route(msg, r.count, r.queued);
		kmqtt_publish_count(by->session, msg, &r);
		ret = r.count;
	}
	kmqtt_matches_exit(&held);
	return ret;
}

int kmqtt_publish(struct kmqtt_session *from, struct kmqtt_msg *msg,
		  struct kmqtt_session **blocked)
{
	return kmqtt_publish_by(&(struct kmqtt_publisher) { .session = from },
				msg, blocked);
}

int kmqtt_publish_memo(struct kmqtt_session *from, struct kmqtt_msg *msg,
		       struct kmqtt_session **blocked, struct kmqtt_memo *memo,
		       struct kmqtt_wakes *wakes)
{
	return kmqtt_publish_by(&(struct kmqtt_publisher) {
					.session = from, .memo = memo, .wakes = wakes,
				}, msg, blocked);
}

int kmqtt_session_publish(struct kmqtt_session *s, const struct kmqtt_port *port,
			  struct kmqtt_msg *msg, struct kmqtt_session **blocked,
			  struct kmqtt_stream *stream)
{
	return kmqtt_publish_by(&(struct kmqtt_publisher) {
					.session = s, .port = port,
					.wakes = stream ? &stream->wakes : NULL,
					.memo = stream ? stream->memo : NULL,
				}, msg, blocked);
}

int kmqtt_publish_as(struct kmqtt_session *from, struct kmqtt_identity *who,
		     struct kmqtt_msg *msg)
{
	return kmqtt_publish_by(&(struct kmqtt_publisher) { .session = from, .who = who },
				msg, NULL);
}

// SPDX-License-Identifier: GPL-2.0
/* What a session's port takes from its queue, and what it gives back. */
#include <linux/rcupdate.h>

#include "compat.h"
#include "core/broker.h"
#include "core/queue.h"
#include "core/trace.h"

/* Fill a delivery from an entry; its references stay the entry's. */
static void kmqtt_delivery_fill(struct kmqtt_delivery *d, struct kmqtt_qent *ent,
				u32 expiry)
{
	d->msg = ent->msg;
	d->more_ids = ent->more_ids;
	d->ent = ent;
	d->id = ent->id;
	d->sub_id = ent->sub_id;
	d->expiry = expiry;
	d->run_off = ent->off;
	d->run_len = ent->len;
	d->run_count = ent->count;
	d->packet_id = ent->packet_id;
	d->kind = ent->msg->run_count ? KMQTT_DELIVER_RUN : KMQTT_DELIVER_PUBLISH;
	d->qos = ent->qos;
	d->retain = ent->retain;
	d->dup = ent->dup;
}

/* It stays in flight, so the delivery gets references of its own. */
static void kmqtt_delivery_share(struct kmqtt_delivery *d)
{
	d->ent = NULL;
	kmqtt_msg_get(d->msg);
	if (d->more_ids)
		refcount_inc(&d->more_ids->refs);
}

void kmqtt_delivery_put(struct kmqtt_delivery *d)
{
	if (d->ent) {
		kmqtt_qent_free(d->ent);
	} else if (d->msg) {
		kmqtt_msg_put(d->msg);
		kmqtt_sub_ids_put(d->more_ids);
	}
}

/* The next one that a reconnect has to send again. */
static void kmqtt_take_again(struct kmqtt_session *s, struct kmqtt_delivery *d)
{
	struct kmqtt_qent *ent = s->resend;
	u32 left;

	/* what is in flight is sent on even if it has expired by now */
	if (!kmqtt_msg_expiry_left(ent->msg, &left))
		left = 1;
	kmqtt_delivery_fill(d, ent, left);
	if (ent->state == KMQTT_QENT_RELEASED) {
		d->kind = KMQTT_DELIVER_PUBREL;
		d->msg = NULL;
		d->more_ids = NULL;
		d->ent = NULL;
	} else {
		kmqtt_delivery_share(d);
	}
	kmqtt_window_count(s, ent, 1);
	ent->unsent = false;
	s->resend = list_is_last(&ent->link, &s->inflight) ?
		    NULL : list_next_entry(ent, link);
}

static void kmqtt_take_new(struct kmqtt_session *s, struct kmqtt_qent *ent,
			   u32 left, struct kmqtt_delivery *d)
{
	kmqtt_queue_remove(s, ent);
	s->last_id += ent->count;
	ent->id = s->last_id;
	s->delivered_messages += ent->count;
	s->delivered_bytes += ent->bytes;
	if (ent->qos && s->ack_mode != KMQTT_ACK_AUTO) {
		kmqtt_window_add(s, ent);
		kmqtt_delivery_fill(d, ent, left);
		kmqtt_delivery_share(d);
	} else {
		kmqtt_delivery_fill(d, ent, left);
	}
}

/* The first packets of a run, which fit; the others stay where they are. */
static void kmqtt_take_part(struct kmqtt_session *s, struct kmqtt_qent *ent, u32 count,
			    struct kmqtt_delivery *d, u32 *bytes)
{
	kmqtt_delivery_fill(d, ent, 0);
	kmqtt_delivery_share(d);
	d->run_count = count;
	d->run_len = kmqtt_queue_cut(s, ent, count, bytes);
	s->last_id += count;
	d->id = s->last_id;
	s->delivered_messages += count;
	s->delivered_bytes += *bytes;
}

bool kmqtt_qent_allowed(struct kmqtt_session *s, const struct kmqtt_qent *ent)
{
	bool ret;

	rcu_read_lock();
	ret = kmqtt_acl_check(&s->broker->acl, rcu_dereference(s->who), KMQTT_ACL_READ,
			      kmqtt_msg_topic(ent->msg), ent->msg->topic_len);
	rcu_read_unlock();
	return ret;
}

/*
 * Access rules are asked when a message is queued; if they have changed since, or
 * who it is for, once more before the next one is taken.
 */
static unsigned int kmqtt_queue_drop_denied(struct kmqtt_session *s, u32 generation,
					    struct list_head *gone)
{
	struct kmqtt_qent *ent, *next;
	unsigned int denied = 0;

	s->acl_generation = generation;
	if (kmqtt_acl_empty(&s->broker->acl))
		return 0;
	list_for_each_entry_safe(ent, next, &s->queue, link) {
		if (kmqtt_qent_allowed(s, ent))
			continue;
		kmqtt_queue_remove(s, ent);
		list_add_tail(&ent->link, gone);
		denied += ent->count;
	}
	kmqtt_stats_add(s->broker->stats, KMQTT_STAT_MESSAGES_DENIED, denied);
	return denied;
}

/* Of a run's packets, those whose records fit in @room, which gets less. Return: how many */
static u32 kmqtt_qent_records(const struct kmqtt_qent *ent, size_t *room)
{
	const struct kmqtt_msg *msg = ent->msg;
	const u8 *p = kmqtt_msg_payload(msg) + ent->off;
	size_t left = *room, len;
	u32 n;

	for (n = 0; n < ent->count; n++) {
		len = KMQTT_REC_SIZE(msg->topic_len, 0,
				     kmqtt_run_next(&p, msg->run_version, msg->topic_len).len);
		if (len > left)
			break;
		left -= len;
	}
	*room = left;
	return n;
}

/*
 * Of the messages of an entry, those that fit in @room, which gets less. Return: how many: all
 * or none, unless it is a run and the port makes records of it
 */
static u32 kmqtt_qent_fits(const struct kmqtt_qent *ent, const struct kmqtt_port *port,
			   size_t *room)
{
	const struct kmqtt_delivery d = { .msg = ent->msg, .more_ids = ent->more_ids };
	size_t len;

	if (unlikely(ent->msg->run_count) && port->run_version == KMQTT_RUN_ANY)
		return kmqtt_qent_records(ent, room);
	len = ent->msg->run_count ? ent->len : kmqtt_delivery_record_len(&d);
	if (len > *room)
		return 0;
	*room -= len;
	return ent->count;
}

/* A run whose client has come back as another one: QoS 0 may be lost then. */
static bool kmqtt_qent_unfit(const struct kmqtt_qent *ent, const struct kmqtt_port *port)
{
	return unlikely(ent->msg->run_count) && !kmqtt_port_takes_run(port, ent->msg);
}

/**
 * struct kmqtt_taking - what one kmqtt_session_take() comes to, counted when the lock is dropped
 * @gone:	entries that nobody gets
 * @expired:	messages of them that have expired
 * @denied:	messages of them that the rules deny by now
 * @unfit:	packets of runs among them that the port does not take
 * @fresh:	messages that were taken for the first time
 * @bytes:	bytes of their topic names and payloads
 * @dropped:	all that the session has dropped so far
 */
struct kmqtt_taking {
	struct list_head gone;
	unsigned int expired;
	unsigned int denied;
	unsigned int unfit;
	unsigned int fresh;
	u64 bytes;
	u64 dropped;
};

/* The first entry that may go to the port; lock held. @left: as kmqtt_msg_expiry_left() */
static struct kmqtt_qent *kmqtt_take_first(struct kmqtt_session *s, const struct kmqtt_port *port,
					   struct kmqtt_taking *t, u32 *left)
{
	struct kmqtt_qent *ent;

	while ((ent = list_first_entry_or_null(&s->queue, struct kmqtt_qent, link))) {
		if (kmqtt_qent_unfit(ent, port)) {
			s->dropped_messages += ent->count;
			t->unfit += ent->count;
		} else if (!kmqtt_msg_expiry_left(ent->msg, left)) {
			s->expired_messages++;
			t->expired++;
		} else {
			break;
		}
		kmqtt_queue_remove(s, ent);
		list_add_tail(&ent->link, &t->gone);
	}
	return ent;
}

static void kmqtt_take_count(struct kmqtt_session *s, struct kmqtt_taking *t)
{
	struct kmqtt_stats *stats;
	unsigned long flags;

	if (t->fresh) {
		stats = kmqtt_stats_begin(s->broker->stats, &flags);
		u64_stats_add(&stats->v[KMQTT_STAT_MESSAGES_DELIVERED], t->fresh);
		u64_stats_add(&stats->v[KMQTT_STAT_BYTES_DELIVERED], t->bytes);
		kmqtt_stats_end(s->broker->stats, stats, flags);
	}
	if (likely(list_empty(&t->gone)))
		return;
	kmqtt_qent_free_list(&t->gone);
	kmqtt_stats_add(s->broker->stats, KMQTT_STAT_MESSAGES_EXPIRED, t->expired);
	kmqtt_stats_add(s->broker->stats, KMQTT_STAT_MESSAGES_DROPPED, t->unfit);
	if (t->unfit)
		kmqtt_queue_tell_drop(s, t->dropped, 0);
}

int kmqtt_session_take(struct kmqtt_session *s, const struct kmqtt_port *port,
		       struct kmqtt_delivery *out, unsigned int max, size_t *room)
{
	u32 generation = atomic_read(&s->broker->acl.generation), left = 0;
	struct kmqtt_taking t = { .gone = LIST_HEAD_INIT(t.gone) };
	struct kmqtt_qent *ent;
	unsigned int n = 0, i;
	int ret = 0;

	spin_lock(&s->lock);
	if (unlikely(s->acl_generation != generation))
		t.denied = kmqtt_queue_drop_denied(s, generation, &t.gone);
	while (n < max && kmqtt_session_has_port(s, port)) {
		u32 fits, bytes;

		ent = s->resend ?: kmqtt_take_first(s, port, &t, &left);
		if (!ent)
			break;
		if (ent->qos && s->ack_mode != KMQTT_ACK_AUTO &&
		    !kmqtt_window_room(s))
			break;
		fits = kmqtt_qent_fits(ent, port, room);
		if (!fits) {
			ret = -EMSGSIZE;
			break;
		}
		if (s->resend) {
			kmqtt_take_again(s, &out[n++]);
			continue;
		}
		if (fits < ent->count) {
			kmqtt_take_part(s, ent, fits, &out[n++], &bytes);
			t.bytes += bytes;
			t.fresh += fits;
			break;
		}
		t.bytes += ent->bytes;
		t.fresh += ent->count;
		kmqtt_take_new(s, ent, left, &out[n++]);
	}
	kmqtt_room_less(s);
	t.dropped = s->dropped_messages;
	spin_unlock(&s->lock);

	if (trace_kmqtt_deliver_enabled())
		for (i = 0; i < n; i++)
			trace_kmqtt_deliver(s, &out[i]);
	kmqtt_take_count(s, &t);
	if (n || t.expired || t.denied || t.unfit)
		kmqtt_queue_space(s);
	return n ? n : ret;
}

void kmqtt_queue_uncount(struct kmqtt_session *s, u32 count, u64 bytes)
{
	lockdep_assert_held(&s->lock);
	s->delivered_messages -= count;
	s->delivered_bytes -= bytes;
	kmqtt_stats_sub(s->broker->stats, KMQTT_STAT_MESSAGES_DELIVERED, count);
	kmqtt_stats_sub(s->broker->stats, KMQTT_STAT_BYTES_DELIVERED, bytes);
}

/*
 * A part of a run goes back to the rest of it. If that has gone meanwhile, for whatever reason, so
 * has this.
 */
static void kmqtt_untake_part(struct kmqtt_session *s, const struct kmqtt_delivery *d)
{
	struct kmqtt_qent *ent = list_first_entry_or_null(&s->queue, struct kmqtt_qent, link);
	u32 bytes;

	kmqtt_run_prefix(kmqtt_msg_payload(d->msg) + d->run_off, d->msg->run_version,
			 d->run_count, &bytes);
	kmqtt_queue_uncount(s, d->run_count, bytes);
	if (!ent || ent->msg != d->msg || ent->off != d->run_off + d->run_len) {
		kmqtt_queue_lose(s, d->run_count);
		return;
	}
	s->queued += d->run_count;
	ent->count += d->run_count;
	ent->off = d->run_off;
	ent->len += d->run_len;
	ent->bytes += bytes;
}

/* What the port has not made records of goes back. */
static void kmqtt_untake_rest(struct kmqtt_qent *ent, const struct kmqtt_delivery *d)
{
	ent->count = d->run_count;
	ent->off = d->run_off;
	ent->len = d->run_len;
	kmqtt_run_prefix(kmqtt_msg_payload(d->msg) + d->run_off, d->msg->run_version,
			 d->run_count, &ent->bytes);
}

/*
 * Return: true if the entry must be freed: a later one of its topic is there, or
 * its connection is not
 */
static bool kmqtt_untake_one(struct kmqtt_session *s, struct kmqtt_delivery *d,
			     bool late)
{
	struct kmqtt_qent *ent = d->ent;

	if (d->kind == KMQTT_DELIVER_RUN) {
		if (!ent) {
			kmqtt_untake_part(s, d);
			return false;
		}
		kmqtt_untake_rest(ent, d);
	}
	if (!ent) {
		if (late)
			return false;	/* whoever came sends it again */
		ent = kmqtt_window_find(s, s->ack_mode == KMQTT_ACK_MQTT ?
					d->packet_id : d->id);
		if (!ent)
			return false;	/* acknowledged already */
		if (s->ack_mode == KMQTT_ACK_MQTT &&
		    (d->dup || d->kind == KMQTT_DELIVER_PUBREL)) {
			s->resend = ent;
			ent->unsent = true;
			kmqtt_window_count(s, ent, -1);
			return false;
		}
		kmqtt_window_remove(s, ent);
	}
	kmqtt_queue_uncount(s, ent->count, ent->bytes);
	if (s->dead || (late && !ent->qos) ||
	    (s->policy == KMQTT_POLICY_KEEP_LATEST && kmqtt_topic_find(s, ent->msg))) {
		kmqtt_queue_lose(s, ent->count);
		d->ent = ent;
		return true;
	}
	kmqtt_queue_add_head(s, ent);
	d->ent = NULL;
	return false;
}

void kmqtt_session_untake(struct kmqtt_session *s, const struct kmqtt_port *port,
			  struct kmqtt_delivery *d, unsigned int count)
{
	unsigned int i;

	for (i = count; i-- > 0;) {
		bool shared = !d[i].ent && d[i].msg;
		struct kmqtt_msg *msg = d[i].msg;
		struct kmqtt_sub_ids *ids = d[i].more_ids;
		bool gone;

		spin_lock(&s->lock);
		gone = kmqtt_untake_one(s, &d[i], !kmqtt_session_has_port(s, port));
		spin_unlock(&s->lock);
		if (gone)
			kmqtt_qent_free(d[i].ent);
		if (shared) {
			kmqtt_msg_put(msg);
			kmqtt_sub_ids_put(ids);
		}
	}
}

bool kmqtt_session_pending(struct kmqtt_session *s, const struct kmqtt_port *port)
{
	struct kmqtt_qent *ent;
	bool ret = false;

	if (kmqtt_session_idle(s))
		return false;
	/* nothing has to wait for an acknowledgement; but who has just lost it gets nothing */
	if (READ_ONCE(s->ack_mode) == KMQTT_ACK_AUTO)
		return rcu_access_pointer(s->port) == port;
	spin_lock(&s->lock);
	ent = s->resend ?:
	      list_first_entry_or_null(&s->queue, struct kmqtt_qent, link);
	if (ent && kmqtt_session_has_port(s, port))
		ret = !ent->qos || s->ack_mode == KMQTT_ACK_AUTO ||
		      kmqtt_window_room(s);
	spin_unlock(&s->lock);
	return ret;
}

u64 kmqtt_session_dropped(struct kmqtt_session *s)
{
	u64 n;

	if (likely(!kmqtt_session_has_dropped(s)))
		return 0;
	spin_lock(&s->lock);
	n = s->dropped_messages - s->dropped_reported;
	s->dropped_reported = s->dropped_messages;
	spin_unlock(&s->lock);
	return n;
}

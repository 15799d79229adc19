// SPDX-License-Identifier: GPL-2.0
/*
 * The windows of a session: deliveries that wait for their acknowledgement,
 * and QoS 2 messages that came in and wait for their PUBREL (MQTT 5.0, 4.3).
 */
#include <linux/err.h>
#include <linux/minmax.h>
#include <linux/rbtree.h>
#include <linux/xarray.h>

#include "compat.h"
#include "core/broker.h"
#include "core/queue.h"
#include "proto/proto.h"

static u64 kmqtt_window_key(const struct kmqtt_session *s,
			    const struct kmqtt_qent *ent)
{
	return s->ack_mode == KMQTT_ACK_MQTT ? ent->packet_id : ent->id;
}

/* Packet identifiers that the window leaves: for SUBSCRIBE and UNSUBSCRIBE. */
#define KMQTT_WINDOW_SPARE	64

bool kmqtt_window_room(const struct kmqtt_session *s)
{
	u64 max_bytes = READ_ONCE(s->broker->limits.max_inflight_bytes);

	return s->sent < min_t(u32, s->send_quota, U16_MAX - KMQTT_WINDOW_SPARE) &&
	       (!max_bytes || s->sent_bytes < max_bytes);
}

void kmqtt_window_count(struct kmqtt_session *s, const struct kmqtt_qent *ent, int n)
{
	s->sent += n;
	s->sent_bytes += n * (s64)ent->msg->size;
}

struct kmqtt_qent *kmqtt_window_find(struct kmqtt_session *s, u64 key)
{
	struct rb_node *n = s->by_packet.rb_node;

	lockdep_assert_held(&s->lock);
	while (n) {
		struct kmqtt_qent *ent = rb_entry(n, struct kmqtt_qent, rb);
		u64 at = kmqtt_window_key(s, ent);

		if (key == at)
			return ent;
		n = key < at ? n->rb_left : n->rb_right;
	}
	return NULL;
}

/* The window does not hold all 65535 (kmqtt_window_room()), so a free one is found. */
static u16 kmqtt_window_packet_id(struct kmqtt_session *s)
{
	do {
		if (!++s->last_packet_id)
			s->last_packet_id = 1;
	} while (kmqtt_window_find(s, s->last_packet_id));
	return s->last_packet_id;
}

u16 kmqtt_session_packet_id(struct kmqtt_session *s)
{
	u16 id;

	spin_lock(&s->lock);
	id = kmqtt_window_packet_id(s);
	spin_unlock(&s->lock);
	return id;
}

void kmqtt_window_add(struct kmqtt_session *s, struct kmqtt_qent *ent)
{
	struct rb_node **link = &s->by_packet.rb_node, *parent = NULL;
	u64 key;

	lockdep_assert_held(&s->lock);
	if (s->ack_mode == KMQTT_ACK_MQTT)
		ent->packet_id = kmqtt_window_packet_id(s);
	key = kmqtt_window_key(s, ent);
	while (*link) {
		parent = *link;
		link = key < kmqtt_window_key(s, rb_entry(parent, struct kmqtt_qent, rb)) ?
		       &parent->rb_left : &parent->rb_right;
	}
	rb_link_node(&ent->rb, parent, link);
	rb_insert_color(&ent->rb, &s->by_packet);
	list_add_tail(&ent->link, &s->inflight);
	ent->state = KMQTT_QENT_SENT;
	s->inflight_count++;
	kmqtt_window_count(s, ent, 1);
}

void kmqtt_window_remove(struct kmqtt_session *s, struct kmqtt_qent *ent)
{
	lockdep_assert_held(&s->lock);
	if (!ent->unsent)
		kmqtt_window_count(s, ent, -1);
	ent->unsent = false;
	if (s->resend == ent)
		s->resend = list_is_last(&ent->link, &s->inflight) ?
			    NULL : list_next_entry(ent, link);
	rb_erase(&ent->rb, &s->by_packet);
	list_del(&ent->link);
	s->inflight_count--;
	ent->packet_id = 0;
}

void kmqtt_window_requeue(struct kmqtt_session *s, bool dup)
{
	lockdep_assert_held(&s->lock);
	s->resend = NULL;
	while (!list_empty(&s->inflight)) {
		struct kmqtt_qent *ent =
			list_last_entry(&s->inflight, struct kmqtt_qent, link);

		kmqtt_window_remove(s, ent);
		ent->dup = dup;
		kmqtt_queue_add_head(s, ent);
	}
}

/* PUBREL says nothing of its message: that goes on. */
void kmqtt_window_drop_denied(struct kmqtt_session *s, struct list_head *gone)
{
	struct kmqtt_qent *ent, *next;
	unsigned int denied = 0;

	lockdep_assert_held(&s->lock);
	if (kmqtt_acl_empty(&s->broker->acl))
		return;
	list_for_each_entry_safe(ent, next, &s->inflight, link) {
		if (ent->state != KMQTT_QENT_SENT || kmqtt_qent_allowed(s, ent))
			continue;
		kmqtt_window_remove(s, ent);
		list_add_tail(&ent->link, gone);
		denied++;
	}
	kmqtt_stats_add(s->broker->stats, KMQTT_STAT_MESSAGES_DENIED, denied);
}

/* Does something wait for room in the window? */
static bool kmqtt_window_wanted(const struct kmqtt_session *s)
{
	return s->resend || !list_empty(&s->queue);
}

/* It is acknowledged: out of the window. Return: does something wait for room? */
static bool kmqtt_window_finish(struct kmqtt_session *s, struct kmqtt_qent *ent,
				u8 reason)
{
	kmqtt_window_remove(s, ent);
	kmqtt_room_less(s);
	ent->reason = reason;
	return kmqtt_window_wanted(s);
}

/* The rest of it, when the lock is dropped. */
static void kmqtt_window_done(struct kmqtt_session *s, struct kmqtt_qent *ent,
			      bool more)
{
	kmqtt_qent_free(ent);
	if (more)
		kmqtt_queue_wake(s);
}

int kmqtt_session_ack_id(struct kmqtt_session *s, u64 id, bool up_to)
{
	struct kmqtt_qent *ent, *next;
	LIST_HEAD(gone);
	bool more;

	spin_lock(&s->lock);
	if (s->ack_mode != KMQTT_ACK_MANUAL || !id || id > s->last_id) {
		spin_unlock(&s->lock);
		return -ENOENT;
	}
	if (!up_to) {
		ent = kmqtt_window_find(s, id);
		if (!ent) {
			spin_unlock(&s->lock);
			return -ENOENT;
		}
		kmqtt_window_remove(s, ent);
		list_add_tail(&ent->link, &gone);
	} else {
		list_for_each_entry_safe(ent, next, &s->inflight, link) {
			if (ent->id > id)
				break;
			kmqtt_window_remove(s, ent);
			list_add_tail(&ent->link, &gone);
		}
	}
	kmqtt_room_less(s);
	more = kmqtt_window_wanted(s);
	spin_unlock(&s->lock);
	kmqtt_qent_free_list(&gone);
	if (more)
		kmqtt_queue_wake(s);
	return 0;
}

/*
 * What an acknowledgement is about. It may come before the delivery was sent again
 * on this connection: an application that acknowledges by itself knows nothing of
 * connections, and what it acknowledges it has. session->lock held.
 * Return: it, or ERR_PTR(): -ESTALE, -ENOENT, -EPROTO
 */
static struct kmqtt_qent *kmqtt_window_acked(struct kmqtt_session *s,
					     const struct kmqtt_port *port,
					     u16 packet_id, u8 qos)
{
	struct kmqtt_qent *ent;

	if (!kmqtt_session_has_port(s, port))
		return ERR_PTR(-ESTALE);
	ent = kmqtt_window_find(s, packet_id);
	if (!ent)
		return ERR_PTR(-ENOENT);
	return ent->qos != qos ? ERR_PTR(-EPROTO) : ent;
}

int kmqtt_session_puback(struct kmqtt_session *s, const struct kmqtt_port *port,
			 u16 packet_id, u8 reason)
{
	struct kmqtt_qent *ent;
	bool more = false;
	int ret;

	spin_lock(&s->lock);
	ent = kmqtt_window_acked(s, port, packet_id, 1);
	ret = PTR_ERR_OR_ZERO(ent);
	if (!ret)
		more = kmqtt_window_finish(s, ent, reason);
	spin_unlock(&s->lock);
	if (!ret)
		kmqtt_window_done(s, ent, more);
	return ret;
}

int kmqtt_session_pubrec(struct kmqtt_session *s, const struct kmqtt_port *port,
			 u16 packet_id, u8 reason)
{
	struct kmqtt_qent *ent;
	bool more = false;
	int ret;

	spin_lock(&s->lock);
	ent = kmqtt_window_acked(s, port, packet_id, 2);
	ret = PTR_ERR_OR_ZERO(ent);
	if (ret) {
		/* nothing */
	} else if (reason < 0x80) {
		ent->state = KMQTT_QENT_RELEASED;
		ret = 1;
	} else {
		more = kmqtt_window_finish(s, ent, reason);
	}
	spin_unlock(&s->lock);
	if (!ret)
		kmqtt_window_done(s, ent, more);
	return ret;
}

int kmqtt_session_pubcomp(struct kmqtt_session *s, const struct kmqtt_port *port,
			  u16 packet_id, u8 reason)
{
	struct kmqtt_qent *ent;
	bool more = false;
	int ret;

	/* 0x92, packet identifier not found: it was completed before */
	if (reason == KMQTT_RC_PACKET_ID_NOT_FOUND)
		reason = 0;
	spin_lock(&s->lock);
	ent = kmqtt_window_acked(s, port, packet_id, 2);
	ret = PTR_ERR_OR_ZERO(ent);
	if (!ret && ent->state != KMQTT_QENT_RELEASED)
		ret = -EPROTO;
	if (!ret)
		more = kmqtt_window_finish(s, ent, reason);
	spin_unlock(&s->lock);
	if (!ret)
		kmqtt_window_done(s, ent, more);
	return ret;
}

void kmqtt_session_forget(struct kmqtt_session *s, const struct kmqtt_port *port,
			  const struct kmqtt_delivery *d)
{
	struct kmqtt_qent *ent = NULL;
	bool more = false;
	u64 dropped;

	spin_lock(&s->lock);
	if (!d->ent && !kmqtt_session_has_port(s, port)) {
		spin_unlock(&s->lock);
		return;
	}
	dropped = ++s->dropped_messages;
	kmqtt_queue_uncount(s, 1, d->msg->topic_len + d->msg->payload_len);
	if (!d->ent)
		ent = kmqtt_window_find(s, d->packet_id ?: d->id);
	if (ent)
		more = kmqtt_window_finish(s, ent, KMQTT_RC_PACKET_TOO_LARGE);
	spin_unlock(&s->lock);
	if (ent)
		kmqtt_window_done(s, ent, more);
	kmqtt_stats_add(s->broker->stats, KMQTT_STAT_MESSAGES_DROPPED, 1);
	kmqtt_queue_tell_drop(s, dropped, KMQTT_RC_PACKET_TOO_LARGE);
}

void kmqtt_session_resume(struct kmqtt_session *s, const struct kmqtt_port *port,
			  u16 send_quota, bool peer_kept)
{
	struct kmqtt_qent *ent, *next;
	LIST_HEAD(gone);

	spin_lock(&s->lock);
	if (!kmqtt_session_has_port(s, port)) {
		spin_unlock(&s->lock);
		return;
	}
	s->peer_quota = send_quota;
	s->send_quota = min_t(u32, send_quota, s->max_inflight);
	if (peer_kept) {
		list_for_each_entry(ent, &s->inflight, link) {
			ent->dup = ent->state == KMQTT_QENT_SENT;
			ent->unsent = true;
		}
		s->resend = list_first_entry_or_null(&s->inflight,
						     struct kmqtt_qent, link);
		s->sent = 0;
		s->sent_bytes = 0;
		spin_unlock(&s->lock);
		return;
	}
	xa_destroy(&s->rx_qos2);
	s->rx_qos2_count = 0;
	s->resend = NULL;
	list_for_each_entry_safe(ent, next, &s->inflight, link) {
		if (ent->state != KMQTT_QENT_RELEASED)
			continue;
		kmqtt_window_remove(s, ent);	/* the peer had it */
		ent->reason = 0;
		list_add_tail(&ent->link, &gone);
	}
	kmqtt_window_requeue(s, false);
	s->sent = 0;
	s->sent_bytes = 0;
	spin_unlock(&s->lock);
	kmqtt_qent_free_list(&gone);
}

int kmqtt_session_rx_begin(struct kmqtt_session *s, const struct kmqtt_port *port,
			   u16 packet_id)
{
	void *known;
	int ret = 1;

	spin_lock(&s->lock);
	known = xa_load(&s->rx_qos2, packet_id);
	if (!kmqtt_session_has_port(s, port))
		ret = -ESTALE;
	else if (known)
		ret = xa_is_value(known) ? 0 : -EBUSY;
	else if (xa_is_err(xa_store(&s->rx_qos2, packet_id, (void *)port,
				    GFP_ATOMIC | __GFP_NOWARN)))
		ret = -ENOMEM;
	else
		WRITE_ONCE(s->rx_qos2_count, s->rx_qos2_count + 1);
	spin_unlock(&s->lock);
	return ret;
}

void kmqtt_session_rx_end(struct kmqtt_session *s, const struct kmqtt_port *port,
			  u16 packet_id, bool arrived)
{
	spin_lock(&s->lock);
	/* else the session has ended, or its peer has forgotten it */
	if (xa_load(&s->rx_qos2, packet_id) == port) {
		/* in place of what is there: that takes no memory */
		xa_store(&s->rx_qos2, packet_id, arrived ? xa_mk_value(1) : NULL, GFP_ATOMIC);
		if (!arrived)
			WRITE_ONCE(s->rx_qos2_count, s->rx_qos2_count - 1);
	}
	spin_unlock(&s->lock);
}

int kmqtt_session_rx_release(struct kmqtt_session *s, const struct kmqtt_port *port,
			     u16 packet_id)
{
	int ret = 0;

	spin_lock(&s->lock);
	if (!kmqtt_session_has_port(s, port))
		ret = -ESTALE;
	else if (!kmqtt_session_rx_known(s, packet_id))
		ret = -ENOENT;
	if (!ret) {
		xa_erase(&s->rx_qos2, packet_id);
		WRITE_ONCE(s->rx_qos2_count, s->rx_qos2_count - 1);
	}
	spin_unlock(&s->lock);
	return ret;
}

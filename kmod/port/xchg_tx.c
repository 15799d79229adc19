// SPDX-License-Identifier: GPL-2.0
/* What goes to the peer. All in the connection's work item. */
#include <linux/err.h>
#include <linux/jhash.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "compat.h"
#include "core/copy.h"
#include "core/message.h"
#include "port/xchg.h"

static void kmqtt_xchg_send_reason(struct kmqtt_xchg *x, u8 type, u16 packet_id, u8 reason)
{
	struct kmqtt_ack_packet ack = { .packet_id = packet_id, .reason = reason };
	int len;
	u8 *p;

	kmqtt_props_init(&ack.props);
	len = kmqtt_ack_encode(NULL, 0, x->conn.version, type, &ack);
	p = len > 0 ? kmqtt_conn_reserve(&x->conn, len) : NULL;
	if (p)
		kmqtt_ack_encode(p, len, x->conn.version, type, &ack);
}

void kmqtt_xchg_send_ack(struct kmqtt_xchg *x, u8 type, u16 packet_id, u8 reason)
{
	u8 *p;

	if (unlikely(reason) && x->conn.version == KMQTT_V5) {
		kmqtt_xchg_send_reason(x, type, packet_id, reason);
		return;
	}
	p = kmqtt_conn_reserve(&x->conn, KMQTT_ACK_SHORT_SIZE);
	if (p)
		kmqtt_ack_short_encode(p, type, packet_id);
}

void kmqtt_xchg_disconnect(struct kmqtt_xchg *x, const struct kmqtt_disconnect *dis)
{
	int len = kmqtt_disconnect_encode(NULL, 0, x->conn.version, dis);
	u8 *p = len > 0 ? kmqtt_conn_reserve(&x->conn, len) : NULL;

	if (p)
		kmqtt_disconnect_encode(p, len, x->conn.version, dis);
}

/*
 * Topic alias of ours (MQTT 5.0, 3.3.2.3.4): a topic has its place by its hash;
 * who comes first has it as long as the connection lasts.
 */
static void kmqtt_xchg_alias_out(struct kmqtt_xchg *x, struct kmqtt_publish_head *head)
{
	struct kmqtt_alias *alias;
	u32 slot;

	if (!x->out.max)
		return;
	if (!x->out.alias) {
		x->out.alias = kvcalloc(x->out.max, sizeof(*alias), GFP_KERNEL);
		if (!x->out.alias)
			return;
	}
	slot = jhash(head->topic.data, head->topic.len, 0) % x->out.max;
	alias = &x->out.alias[slot];
	if (alias->topic) {
		if (alias->len != head->topic.len ||
		    memcmp(alias->topic, head->topic.data, alias->len))
			return;
		head->topic.len = 0;
	} else {
		if (!kmqtt_alias_set(x, alias, head->topic))
			return;
	}
	head->topic_alias = slot + 1;
}

static int kmqtt_xchg_pubrel(struct kmqtt_xchg *x, struct kmqtt_tx *tx,
			     const struct kmqtt_delivery *d)
{
	u8 *p = kmqtt_tx_head(tx, KMQTT_ACK_SHORT_SIZE);

	if (!p)
		return -ENOMEM;
	kmqtt_ack_short_encode(p, KMQTT_PUBREL, d->packet_id);
	kmqtt_tx_add(tx, p, KMQTT_ACK_SHORT_SIZE);
	tx->packets++;
	return 0;
}

static u32 kmqtt_xchg_body_len(const struct kmqtt_xchg *x, const struct kmqtt_msg *msg)
{
	return msg->payload_len + (x->conn.version == KMQTT_V5 ? msg->props_len : 0);
}

/* Would it be too large for the peer, with its whole topic name and an alias? */
static bool kmqtt_xchg_too_large(const struct kmqtt_xchg *x,
				 const struct kmqtt_publish_head *head,
				 const struct kmqtt_msg *msg)
{
	struct kmqtt_publish_head full = *head;
	int len;

	/* what fits with the longest head that there can be, fits */
	if (likely((u64)KMQTT_PUBLISH_HEAD_MAX(head->topic.len, head->n_sub_ids) +
		   kmqtt_xchg_body_len(x, msg) <=
		   min_t(u32, x->peer_max_packet, KMQTT_VARINT_MAX)))
		return false;
	full.topic_alias = x->out.max ? 1 : 0;
	len = kmqtt_publish_head_encode(NULL, 0, x->conn.version, &full);
	return len < 0 || (u64)len + kmqtt_xchg_body_len(x, msg) > x->peer_max_packet;
}

/* A peer with less QoS than ours: what it will not acknowledge is done. */
static void kmqtt_xchg_downgraded(struct kmqtt_xchg *x, const struct kmqtt_delivery *d)
{
	if (d->qos == 1)
		kmqtt_session_puback(x->session, x->port, d->packet_id, 0);
	else if (kmqtt_session_pubrec(x->session, x->port, d->packet_id, 0) == 1)
		kmqtt_session_pubcomp(x->session, x->port, d->packet_id, 0);
}

static void kmqtt_xchg_head(const struct kmqtt_xchg *x, const struct kmqtt_delivery *d,
			    struct kmqtt_publish_head *head)
{
	const struct kmqtt_msg *msg = d->msg;

	*head = (struct kmqtt_publish_head){
		.dup = d->dup,
		.qos = min(d->qos, x->max_qos),
		.retain = d->retain && x->retain_available,
		.has_expiry = d->expiry,
		.message_expiry = d->expiry,
		.packet_id = d->packet_id,
		.topic = { .data = kmqtt_msg_topic(msg), .len = msg->topic_len },
		.props_len = x->conn.version == KMQTT_V5 ? msg->props_len : 0,
		.payload_len = msg->payload_len,
	};
	if (!head->qos)
		head->dup = false;
	if (!x->server)
		return;
	if (d->more_ids) {
		head->sub_ids = d->more_ids->id;
		head->n_sub_ids = d->more_ids->count;
	} else if (d->sub_id) {
		head->sub_ids = &d->sub_id;
		head->n_sub_ids = 1;
	}
}

/*
 * Writes it at the end of tx->head, a small body behind it: then nothing has to be
 * held until it is sent. Return: 1: all of it; 0: the head alone; negative: no room
 */
static int kmqtt_xchg_write(struct kmqtt_xchg *x, struct kmqtt_tx *tx,
			    const struct kmqtt_publish_head *head, const u8 *body, u32 len)
{
	u32 max = KMQTT_PUBLISH_HEAD_MAX(head->topic.len, head->n_sub_ids);
	bool copy = len <= KMQTT_TX_COPY;
	u8 *p = kmqtt_tx_peek(tx, max + (copy ? len : 0));
	int used;

	if (!p)
		return -ENOSPC;
	used = kmqtt_publish_head_encode(p, max, x->conn.version, head);
	if (used < 0)
		return used;
	if (!copy) {
		kmqtt_tx_add(tx, p, used);
		return 0;
	}
	kmqtt_copy(p + used, body, len);
	kmqtt_tx_add(tx, p, used + len);
	return 1;
}

/*
 * Return: 1: the batch has copied it; 0: it points to it; -EMSGSIZE, -ENOENT: it
 * cannot be sent; -ENOMEM: not now
 */
static int kmqtt_xchg_put(struct kmqtt_xchg *x, struct kmqtt_tx *tx,
			  const struct kmqtt_delivery *d)
{
	const struct kmqtt_msg *msg = d->msg;
	const u8 *body = x->conn.version == KMQTT_V5 ? kmqtt_msg_props(msg) :
						       kmqtt_msg_payload(msg);
	u32 body_len = kmqtt_xchg_body_len(x, msg);
	struct kmqtt_publish_head head;
	int ret = 0, len;
	u8 *p;

	kmqtt_xchg_head(x, d, &head);
	if (x->ops->topic)
		ret = x->ops->topic(x, msg, &head.topic);
	if (ret)
		return ret;
	if (kmqtt_xchg_too_large(x, &head, msg))
		return -EMSGSIZE;
	if (x->ops->sending)
		x->ops->sending(x, d, &head);
	kmqtt_xchg_alias_out(x, &head);
	ret = kmqtt_xchg_write(x, tx, &head, body, body_len);
	if (ret < 0) {
		len = kmqtt_publish_head_encode(NULL, 0, x->conn.version, &head);
		p = kmqtt_tx_head(tx, len);
		if (!p)
			return -ENOMEM;
		kmqtt_publish_head_encode(p, len, x->conn.version, &head);
		kmqtt_tx_add(tx, p, len);
		ret = 0;
	}
	if (!ret && body_len)
		kmqtt_tx_add_body(tx, msg, body, body_len);
	tx->packets++;
	if (!head.qos && d->qos)
		kmqtt_xchg_downgraded(x, d);
	return ret;
}

/* As they came; what is short is copied, as a single message is. */
static int kmqtt_xchg_run(struct kmqtt_tx *tx, const struct kmqtt_delivery *d)
{
	u8 *p = d->run_len <= KMQTT_TX_COPY ? kmqtt_tx_peek(tx, d->run_len) : NULL;
	u8 *packets = kmqtt_msg_payload(d->msg) + d->run_off;

	if (p)
		memcpy(p, packets, d->run_len);
	kmqtt_tx_add(tx, p ?: packets, d->run_len);
	tx->packets += d->run_count;
	return p ? 1 : 0;
}

/* Return: has the batch to hold it until it is sent? */
static bool kmqtt_xchg_one(struct kmqtt_xchg *x, struct kmqtt_tx *tx, struct kmqtt_delivery *d)
{
	int ret;

	if (d->kind == KMQTT_DELIVER_PUBREL)
		ret = kmqtt_xchg_pubrel(x, tx, d);
	else if (d->kind == KMQTT_DELIVER_RUN)
		ret = kmqtt_xchg_run(tx, d);
	else
		ret = kmqtt_xchg_put(x, tx, d);
	if (!ret)
		return true;
	if (ret == -ENOMEM) {
		/* it stays in the window and goes with the next connection */
		kmqtt_conn_fail(&x->conn, ENOMEM, 0);
	} else if (ret < 0) {
		if (x->ops->unsent)
			x->ops->unsent(x, ret);
		kmqtt_session_forget(x->session, x->port, d);
	}
	kmqtt_delivery_put(d);
	return false;
}

/* Return: how many deliveries are at tx->d + tx->nd; @more: it may be worth to ask again */
static int kmqtt_xchg_take(struct kmqtt_xchg *x, struct kmqtt_tx *tx, bool *more)
{
	int max = min_t(int, KMQTT_TX_MESSAGES - tx->nd, (KMQTT_TX_VECS - tx->nvec) / 2);
	size_t room = KMQTT_TX_BYTES - tx->bytes;
	int n;

	n = kmqtt_session_take(x->session, x->port, tx->d + tx->nd, max, &room);
	/* as records they were longer than they are here */
	*more = n == max || (n > 0 && room < KMQTT_TX_BYTES / 2);
	if (n == -EMSGSIZE && !tx->nd) {
		/* one that is larger than a batch goes alone */
		room = SIZE_MAX;
		n = kmqtt_session_take(x->session, x->port, tx->d, 1, &room);
	}
	return n;
}

void kmqtt_xchg_refill(struct kmqtt_xchg *x, struct kmqtt_tx *tx)
{
	bool more = true;
	int i, n;

	while (more && !kmqtt_tx_full(tx)) {
		unsigned int from = tx->nd;

		n = kmqtt_xchg_take(x, tx, &more);
		for (i = 0; i < n; i++) {
			struct kmqtt_delivery d = tx->d[from + i];

			if (kmqtt_xchg_one(x, tx, &d))
				tx->d[tx->nd++] = d;
		}
		/* if none of them could be sent nobody comes again for those behind them */
		more |= n > 0 && !tx->nvec;
	}
}

// SPDX-License-Identifier: GPL-2.0
/* What goes to the server. All in the connection's work item. */
#include <linux/err.h>
#include <linux/jhash.h>
#include <linux/jiffies.h>
#include <linux/minmax.h>
#include <linux/siphash.h>
#include <linux/slab.h>

#include "compat.h"
#include "core/message.h"
#include "port/uplink_priv.h"

void kmqtt_link_send_ack(struct kmqtt_link *link, u8 type, u16 packet_id, u8 reason)
{
	struct kmqtt_ack_packet ack = {
		.packet_id = packet_id,
		.reason = link->conn.version == KMQTT_V5 ? reason : 0,
	};
	int len;
	u8 *p;

	kmqtt_props_init(&ack.props);
	len = kmqtt_ack_encode(NULL, 0, link->conn.version, type, &ack);
	p = len > 0 ? kmqtt_conn_reserve(&link->conn, len) : NULL;
	if (p)
		kmqtt_ack_encode(p, len, link->conn.version, type, &ack);
}

static u64 kmqtt_echo_hash(struct kmqtt_link *link, struct kmqtt_view topic,
			   const struct kmqtt_msg *msg)
{
	u64 a = siphash(topic.data, topic.len, &link->echo_key);
	u64 b = siphash(kmqtt_msg_payload(msg), msg->payload_len, &link->echo_key);

	return siphash_2u64(a, b, &link->echo_key) | 1;
}

/* A server without No Local and without the bridge bit sends it back to us. */
static void kmqtt_echo_expect(struct kmqtt_link *link, struct kmqtt_view topic,
			      const struct kmqtt_msg *msg)
{
	struct kmqtt_view local = { .data = kmqtt_msg_topic(msg), .len = msg->topic_len };
	struct kmqtt_echo *echo;

	if (!kmqtt_upsubs_expected(link->up, topic))
		return;
	if (!link->echo) {
		link->echo = kcalloc(KMQTT_UPLINK_ECHOES, sizeof(*echo), GFP_KERNEL);
		if (!link->echo)
			return;
		get_random_bytes(&link->echo_key, sizeof(link->echo_key));
	}
	echo = &link->echo[link->echo_next++ % KMQTT_UPLINK_ECHOES];
	echo->hash = kmqtt_echo_hash(link, local, msg);
	echo->time = jiffies;
}

bool kmqtt_link_is_echo(struct kmqtt_link *link, const struct kmqtt_msg *msg)
{
	struct kmqtt_view topic = { .data = kmqtt_msg_topic(msg), .len = msg->topic_len };
	unsigned int i;
	u64 hash;

	if (!link->echo)
		return false;
	hash = kmqtt_echo_hash(link, topic, msg);
	for (i = 0; i < KMQTT_UPLINK_ECHOES; i++) {
		struct kmqtt_echo *echo = &link->echo[i];

		if (echo->hash != hash ||
		    time_after(jiffies, echo->time + KMQTT_UPLINK_ECHO_TIME))
			continue;
		echo->hash = 0;
		return true;
	}
	return false;
}

/*
 * Topic alias of ours (MQTT 5.0, 3.3.2.3.4): a topic has its place by its hash;
 * who comes first has it as long as the connection lasts.
 */
static void kmqtt_link_alias_out(struct kmqtt_link *link, struct kmqtt_publish_head *head)
{
	struct kmqtt_alias *alias;
	u32 slot;

	if (!link->out_max)
		return;
	slot = jhash(head->topic.data, head->topic.len, 0) % link->out_max;
	alias = &link->out[slot];
	if (alias->topic) {
		if (alias->len != head->topic.len ||
		    memcmp(alias->topic, head->topic.data, alias->len))
			return;
		head->topic.len = 0;
	} else {
		alias->topic = kmemdup(head->topic.data, head->topic.len, GFP_KERNEL);
		if (!alias->topic)
			return;
		alias->len = head->topic.len;
	}
	head->topic_alias = slot + 1;
}

static int kmqtt_send_pubrel(struct kmqtt_link *link, struct kmqtt_tx *tx,
			     const struct kmqtt_delivery *d)
{
	struct kmqtt_ack_packet ack = { .packet_id = d->packet_id };
	u8 *p = kmqtt_tx_head(tx, KMQTT_ACK_SHORT_SIZE);

	if (!p)
		return -ENOMEM;
	kmqtt_props_init(&ack.props);
	kmqtt_ack_encode(p, KMQTT_ACK_SHORT_SIZE, link->conn.version, KMQTT_PUBREL, &ack);
	kmqtt_tx_add(tx, p, KMQTT_ACK_SHORT_SIZE);
	tx->packets++;
	return 0;
}

static u32 kmqtt_send_body_len(const struct kmqtt_link *link, const struct kmqtt_msg *msg)
{
	return msg->payload_len + (link->conn.version == KMQTT_V5 ? msg->props_len : 0);
}

/* Would it be too large for the server, with its whole topic name and an alias? */
static bool kmqtt_send_too_large(const struct kmqtt_link *link,
				 const struct kmqtt_publish_head *head,
				 const struct kmqtt_msg *msg)
{
	struct kmqtt_publish_head full = *head;
	int len;

	full.topic_alias = link->out_max ? 1 : 0;
	len = kmqtt_publish_head_encode(NULL, 0, link->conn.version, &full);
	return len < 0 || (u64)len + kmqtt_send_body_len(link, msg) > link->server_max_packet;
}

/* A server with less QoS than ours: what it will not acknowledge is done. */
static void kmqtt_send_downgraded(struct kmqtt_link *link, const struct kmqtt_delivery *d)
{
	if (d->qos == 1)
		kmqtt_session_puback(link->session, d->packet_id, 0);
	else if (kmqtt_session_pubrec(link->session, d->packet_id, 0) == 1)
		kmqtt_session_pubcomp(link->session, d->packet_id, 0);
}

/* Return: 0; -EMSGSIZE, -ENOENT: it cannot be sent; -ENOMEM: not now */
static int kmqtt_send_publish(struct kmqtt_link *link, struct kmqtt_tx *tx,
			      const struct kmqtt_delivery *d)
{
	const struct kmqtt_msg *msg = d->msg;
	struct kmqtt_view topic = { .data = kmqtt_msg_topic(msg), .len = msg->topic_len };
	struct kmqtt_publish_head head = {
		.dup = d->dup,
		.qos = min(d->qos, link->max_qos),
		.retain = d->retain && link->retain_available,
		.has_expiry = d->expiry,
		.message_expiry = d->expiry,
		.packet_id = d->packet_id,
		.props_len = link->conn.version == KMQTT_V5 ? msg->props_len : 0,
		.payload_len = msg->payload_len,
	};
	u32 body = kmqtt_send_body_len(link, msg);
	int ret, len;
	u8 *p;

	if (!head.qos)
		head.dup = false;
	ret = kmqtt_link_map(link, false, topic, &head.topic);
	if (ret)
		return ret;
	if (kmqtt_send_too_large(link, &head, msg))
		return -EMSGSIZE;
	if (link->echoes_due)
		kmqtt_echo_expect(link, head.topic, msg);
	kmqtt_link_alias_out(link, &head);
	len = kmqtt_publish_head_encode(NULL, 0, link->conn.version, &head);
	p = kmqtt_tx_head(tx, len);
	if (!p)
		return -ENOMEM;
	kmqtt_publish_head_encode(p, len, link->conn.version, &head);
	kmqtt_tx_add(tx, p, len);
	if (body)
		kmqtt_tx_add(tx, link->conn.version == KMQTT_V5 ? kmqtt_msg_props(msg) :
			     kmqtt_msg_payload(msg), body);
	tx->packets++;
	kmqtt_uplink_count(link->up, KMQTT_UPSTAT(publishes_sent), 1);
	if (d->dup)
		kmqtt_uplink_count(link->up, KMQTT_UPSTAT(redelivered), 1);
	if (!head.qos && d->qos)
		kmqtt_send_downgraded(link, d);
	return 0;
}

/* Return: has the batch got it? */
static bool kmqtt_send_one(struct kmqtt_link *link, struct kmqtt_tx *tx,
			   struct kmqtt_delivery *d)
{
	int ret;

	if (d->kind == KMQTT_DELIVER_PUBREL)
		ret = kmqtt_send_pubrel(link, tx, d);
	else
		ret = kmqtt_send_publish(link, tx, d);
	if (!ret)
		return true;
	if (ret == -ENOMEM) {
		/* it stays in the window and goes with the next connection */
		kmqtt_conn_fail(&link->conn, ENOMEM, 0);
	} else {
		kmqtt_uplink_count(link->up, ret == -EMSGSIZE ? KMQTT_UPSTAT(too_large) :
				   KMQTT_UPSTAT(unmapped), 1);
		kmqtt_session_forget(link->session, d);
	}
	kmqtt_delivery_put(d);
	return false;
}

/* Return: how many deliveries are at tx->d + tx->nd */
static int kmqtt_send_take(struct kmqtt_link *link, struct kmqtt_tx *tx)
{
	unsigned int max = min_t(unsigned int, KMQTT_TX_MESSAGES - tx->nd,
				 (KMQTT_TX_VECS - tx->nvec) / 2);
	size_t room = KMQTT_TX_BYTES - tx->bytes;
	int n;

	n = kmqtt_session_take(link->session, tx->d + tx->nd, max, &room);
	if (n == -EMSGSIZE && !tx->nd) {
		/* one that is larger than a batch goes alone */
		room = SIZE_MAX;
		n = kmqtt_session_take(link->session, tx->d, 1, &room);
	}
	return n;
}

void kmqtt_link_refill(struct kmqtt_conn *conn, struct kmqtt_tx *tx)
{
	struct kmqtt_link *link = container_of(conn, struct kmqtt_link, conn);
	int i, n;

	if (!link->connected)
		return;
	kmqtt_upsubs_send(link);
	while (!kmqtt_tx_full(tx)) {
		unsigned int from = tx->nd;

		n = kmqtt_send_take(link, tx);
		if (n <= 0)
			break;
		for (i = 0; i < n; i++) {
			struct kmqtt_delivery d = tx->d[from + i];

			if (kmqtt_send_one(link, tx, &d))
				tx->d[tx->nd++] = d;
		}
	}
}

// SPDX-License-Identifier: GPL-2.0
/* What goes to the server, and its echo. All in the connection's work item. */
#include <linux/jiffies.h>
#include <linux/siphash.h>
#include <linux/slab.h>

#include "compat.h"
#include "core/message.h"
#include "port/uplink_priv.h"

static u64 kmqtt_echo_hash(struct kmqtt_uplink *up, struct kmqtt_view topic,
			   const struct kmqtt_msg *msg)
{
	u64 a = siphash(topic.data, topic.len, &up->echo_key);
	u64 b = siphash(kmqtt_msg_payload(msg), msg->payload_len, &up->echo_key);

	return siphash_2u64(a, b, &up->echo_key) | 1;
}

/* A server without No Local and without the bridge bit sends it back to us. */
static void kmqtt_echo_expect(struct kmqtt_link *link, struct kmqtt_view topic,
			      const struct kmqtt_msg *msg)
{
	struct kmqtt_view local = { .data = kmqtt_msg_topic(msg), .len = msg->topic_len };
	struct kmqtt_uplink *up = link->up;
	struct kmqtt_echo *echo;

	if (!kmqtt_upsubs_expected(up, topic))
		return;
	if (!up->echo) {
		up->echo = kcalloc(KMQTT_UPLINK_ECHOES, sizeof(*echo), GFP_KERNEL);
		if (!up->echo)
			return;
		get_random_bytes(&up->echo_key, sizeof(up->echo_key));
	}
	echo = &up->echo[up->echo_next++ % KMQTT_UPLINK_ECHOES];
	echo->hash = kmqtt_echo_hash(up, local, msg);
	echo->time = jiffies;
}

static bool kmqtt_echo_over(const struct kmqtt_echo *echo)
{
	return time_after(jiffies, echo->time + KMQTT_UPLINK_ECHO_TIME);
}

bool kmqtt_link_is_echo(struct kmqtt_link *link, const struct kmqtt_msg *msg)
{
	struct kmqtt_view topic = { .data = kmqtt_msg_topic(msg), .len = msg->topic_len };
	struct kmqtt_uplink *up = link->up;
	unsigned int i;
	u64 hash;

	if (!link->echoes_due || !up->echo)
		return false;
	hash = kmqtt_echo_hash(up, topic, msg);
	for (i = 0; i < KMQTT_UPLINK_ECHOES; i++) {
		struct kmqtt_echo *echo = &up->echo[i];

		if (echo->hash != hash || kmqtt_echo_over(echo))
			continue;
		echo->hash = 0;
		return true;
	}
	return false;
}

/* The time without a connection does not count. */
void kmqtt_link_echo_resume(struct kmqtt_link *link, bool kept)
{
	struct kmqtt_echo *echo = link->up->echo;
	unsigned int i;

	for (i = 0; echo && i < KMQTT_UPLINK_ECHOES; i++, echo++) {
		if (!kept)
			echo->hash = 0;
		echo->time = jiffies;
	}
}

void kmqtt_link_echo_end(struct kmqtt_link *link)
{
	struct kmqtt_echo *echo = link->up->echo;
	unsigned int i;

	for (i = 0; link->connected && echo && i < KMQTT_UPLINK_ECHOES; i++, echo++)
		if (kmqtt_echo_over(echo))
			echo->hash = 0;
}

static struct kmqtt_link *kmqtt_link_of(struct kmqtt_xchg *x)
{
	return container_of(x, struct kmqtt_link, x);
}

static int kmqtt_link_topic_out(struct kmqtt_xchg *x, const struct kmqtt_msg *msg,
				struct kmqtt_view *topic)
{
	return kmqtt_link_map(kmqtt_link_of(x), false, *topic, topic);
}

static void kmqtt_link_sending(struct kmqtt_xchg *x, const struct kmqtt_delivery *d,
			       const struct kmqtt_publish_head *head)
{
	struct kmqtt_link *link = kmqtt_link_of(x);

	if (link->echoes_due)
		kmqtt_echo_expect(link, head->topic, d->msg);
	kmqtt_uplink_count(link->up, KMQTT_UPSTAT(publishes_sent), 1);
	if (d->dup)
		kmqtt_uplink_count(link->up, KMQTT_UPSTAT(redelivered), 1);
}

static void kmqtt_link_unsent(struct kmqtt_xchg *x, int error)
{
	kmqtt_uplink_count(kmqtt_link_of(x)->up, error == -EMSGSIZE ?
			   KMQTT_UPSTAT(too_large) : KMQTT_UPSTAT(unmapped), 1);
}

static void kmqtt_link_msg_refused(struct kmqtt_xchg *x, u16 packet_id, u8 reason)
{
	struct kmqtt_link *link = kmqtt_link_of(x);
	struct kmqtt_event event = {
		.type = KMQTT_EVENT_UPLINK_PUBACK,
		.reason = reason,
		.uplink = link->up->name,
		.count = packet_id,
	};

	kmqtt_event_emit(link->broker, &event);
}

const struct kmqtt_xchg_ops kmqtt_link_xchg_ops = {
	.topic		= kmqtt_link_topic_out,
	.sending	= kmqtt_link_sending,
	.unsent		= kmqtt_link_unsent,
	.refused	= kmqtt_link_msg_refused,
};

void kmqtt_link_refill(struct kmqtt_conn *conn, struct kmqtt_tx *tx)
{
	struct kmqtt_link *link = container_of(conn, struct kmqtt_link, x.conn);

	if (!link->connected)
		return;
	kmqtt_upsubs_send(link);
	kmqtt_xchg_refill(&link->x, tx);
}

// SPDX-License-Identifier: GPL-2.0
/* QoS 1 and 2 in both directions (MQTT 5.0, 4.3, 4.4, 4.9), and manual acknowledgement. */
#include <linux/slab.h>

#include "proto/proto.h"
#include "tests/kunit/fixture.h"

/* A client with a window of @quota; its queue holds what is published at "t". */
static struct kmqtt_peer *client(struct kunit *test, u16 quota)
{
	const struct kmqtt_session_params params = {
		.name = "client",
		.kind = KMQTT_KIND_REMOTE,
		.ack_mode = KMQTT_ACK_MQTT,
		.max_inflight = quota,
		.expiry = U32_MAX,
	};
	struct kmqtt_peer *peer = kmqtt_peer_open(test, &params);

	kmqtt_peer_subscribe(test, peer, "t", 2, 0);
	return peer;
}

/* A QoS 2 message comes in, and is published if it is new. */
static int arrive(struct kmqtt_session *s, const struct kmqtt_port *port, u16 packet_id)
{
	int ret = kmqtt_session_rx_begin(s, port, packet_id);

	if (ret > 0)
		kmqtt_session_rx_end(s, port, packet_id, true);
	return ret;
}

static void publish(struct kunit *test, const char *payload, u8 qos)
{
	KUNIT_ASSERT_EQ(test, kmqtt_peer_publish(test, NULL, "t", payload, qos), 1);
}

/* Takes one and expects it so; returns its packet identifier. */
static u16 take(struct kunit *test, struct kmqtt_peer *peer, const char *payload,
		bool dup)
{
	struct kmqtt_delivery d;
	u16 id;

	KUNIT_ASSERT_EQ_MSG(test, kmqtt_peer_take(peer, &d), 1, "no %s", payload);
	KUNIT_EXPECT_EQ(test, d.kind, KMQTT_DELIVER_PUBLISH);
	KUNIT_EXPECT_TRUE_MSG(test, kmqtt_delivery_is(&d, payload), "%s", payload);
	KUNIT_EXPECT_EQ_MSG(test, d.dup, dup, "%s", payload);
	KUNIT_EXPECT_EQ(test, !!d.packet_id, !!d.qos);
	id = d.packet_id;
	kmqtt_delivery_put(&d);
	return id;
}

static void take_pubrel(struct kunit *test, struct kmqtt_peer *peer, u16 id)
{
	struct kmqtt_delivery d;

	KUNIT_ASSERT_EQ(test, kmqtt_peer_take(peer, &d), 1);
	KUNIT_EXPECT_EQ(test, d.kind, KMQTT_DELIVER_PUBREL);
	KUNIT_EXPECT_EQ(test, d.packet_id, id);
	kmqtt_delivery_put(&d);
}

static void qos1_window(struct kunit *test)
{
	struct kmqtt_peer *peer = client(test, 2);
	u16 one, two;

	publish(test, "1", 1);
	publish(test, "2", 1);
	publish(test, "3", 1);
	publish(test, "0", 0);
	one = take(test, peer, "1", false);
	two = take(test, peer, "2", false);
	KUNIT_EXPECT_NE(test, one, two);
	/* the QoS 0 one behind it waits too: order is kept */
	kmqtt_peer_expect_none(test, peer);
	KUNIT_EXPECT_FALSE(test, kmqtt_session_pending(peer->s, &peer->port));
	atomic_set(&peer->wakes, 0);
	KUNIT_EXPECT_EQ(test, kmqtt_session_puback(peer->s, &peer->port, two, 0), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&peer->wakes), 1);
	KUNIT_EXPECT_EQ(test, kmqtt_session_puback(peer->s, &peer->port, two, 0), -ENOENT);
	take(test, peer, "3", false);
	take(test, peer, "0", false);
	KUNIT_EXPECT_EQ(test, kmqtt_session_pubrec(peer->s, &peer->port, one, 0), -EPROTO);
	KUNIT_EXPECT_EQ(test, kmqtt_session_pubcomp(peer->s, &peer->port, one, 0), -EPROTO);
	KUNIT_EXPECT_EQ(test, kmqtt_session_puback(peer->s, &peer->port, one, 0), 0);
	KUNIT_EXPECT_EQ(test, peer->s->inflight_count, 1);
}

/* max_inflight_bytes: what does not fit waits, but one is always sent. */
static void window_has_a_limit_in_bytes(struct kunit *test)
{
	struct kmqtt_limits *limits = &kmqtt_kunit_broker(test)->limits;
	struct kmqtt_peer *peer = client(test, 10);
	struct kmqtt_msg *msg = kmqtt_kunit_msg(test, "t", "1", 1, false);
	u32 size = msg->size;
	u16 one;

	kmqtt_msg_put(msg);
	limits->max_inflight_bytes = 1;
	publish(test, "1", 1);
	publish(test, "2", 2);
	publish(test, "3", 1);
	one = take(test, peer, "1", false);
	kmqtt_peer_expect_none(test, peer);
	KUNIT_EXPECT_FALSE(test, kmqtt_session_pending(peer->s, &peer->port));
	KUNIT_EXPECT_EQ(test, kmqtt_session_puback(peer->s, &peer->port, one, 0), 0);
	take(test, peer, "2", false);
	kmqtt_peer_expect_none(test, peer);
	limits->max_inflight_bytes = 2 * size;
	take(test, peer, "3", false);
	publish(test, "4", 1);
	kmqtt_peer_expect_none(test, peer);

	/* on a new connection nothing has been sent */
	limits->max_inflight_bytes = size;
	kmqtt_session_resume(peer->s, &peer->port, 10, true);
	KUNIT_EXPECT_EQ(test, peer->s->sent_bytes, 0);
	one = take(test, peer, "2", true);
	kmqtt_peer_expect_none(test, peer);
	KUNIT_EXPECT_EQ(test, kmqtt_session_pubrec(peer->s, &peer->port, one, 0x80), 0);
	one = take(test, peer, "3", true);
	kmqtt_peer_expect_none(test, peer);
	KUNIT_EXPECT_EQ(test, kmqtt_session_puback(peer->s, &peer->port, one, 0), 0);
	one = take(test, peer, "4", false);
	KUNIT_EXPECT_EQ(test, peer->s->sent_bytes, size);
	KUNIT_EXPECT_EQ(test, kmqtt_session_puback(peer->s, &peer->port, one, 0), 0);
	KUNIT_EXPECT_EQ(test, peer->s->sent_bytes, 0);
}

static void qos2_handshake(struct kunit *test)
{
	struct kmqtt_peer *peer = client(test, 2);
	u16 id;

	publish(test, "1", 2);
	publish(test, "2", 2);
	id = take(test, peer, "1", false);
	KUNIT_EXPECT_EQ(test, kmqtt_session_puback(peer->s, &peer->port, id, 0), -EPROTO);
	KUNIT_EXPECT_EQ(test, kmqtt_session_pubcomp(peer->s, &peer->port, id, 0), -EPROTO);
	KUNIT_EXPECT_EQ(test, kmqtt_session_pubrec(peer->s, &peer->port, id, 0), 1);
	KUNIT_EXPECT_EQ(test, kmqtt_session_pubrec(peer->s, &peer->port, id, 0), 1);
	KUNIT_EXPECT_EQ(test, kmqtt_session_pubcomp(peer->s, &peer->port, id, 0), 0);
	KUNIT_EXPECT_EQ(test, kmqtt_session_pubcomp(peer->s, &peer->port, id, 0), -ENOENT);
	KUNIT_EXPECT_EQ(test, kmqtt_session_pubrec(peer->s, &peer->port, id, 0), -ENOENT);

	/* a PUBREC that refuses ends it (MQTT 5.0, 4.3.3) */
	id = take(test, peer, "2", false);
	KUNIT_EXPECT_EQ(test, kmqtt_session_pubrec(peer->s, &peer->port, id, 0x97), 0);
	KUNIT_EXPECT_EQ(test, kmqtt_session_pubrec(peer->s, &peer->port, id, 0), -ENOENT);
	KUNIT_EXPECT_EQ(test, peer->s->inflight_count, 0);
}

/* Once PUBREC has come, one that refuses it later makes no difference. */
static void qos2_late_refusal(struct kunit *test)
{
	struct kmqtt_peer *peer = client(test, 2);
	u16 id;

	publish(test, "1", 2);
	id = take(test, peer, "1", false);
	KUNIT_EXPECT_EQ(test, kmqtt_session_pubrec(peer->s, &peer->port, id, 0), 1);
	kmqtt_session_resume(peer->s, &peer->port, 2, true);
	take_pubrel(test, peer, id);
	KUNIT_EXPECT_EQ(test, kmqtt_session_pubcomp(peer->s, &peer->port, id,
						    KMQTT_RC_PACKET_ID_NOT_FOUND), 0);
	KUNIT_EXPECT_EQ(test, peer->s->inflight_count, 0);
}

static void packet_ids_skip_what_is_used(struct kunit *test)
{
	struct kmqtt_peer *peer = client(test, 10);
	u16 id;

	publish(test, "1", 1);
	publish(test, "2", 1);
	publish(test, "3", 1);
	publish(test, "4", 1);
	KUNIT_EXPECT_EQ(test, take(test, peer, "1", false), 1);
	peer->s->last_packet_id = 65534;
	KUNIT_EXPECT_EQ(test, take(test, peer, "2", false), 65535);
	KUNIT_EXPECT_EQ(test, take(test, peer, "3", false), 2);
	id = kmqtt_session_packet_id(peer->s);
	KUNIT_EXPECT_EQ(test, id, 3);
	KUNIT_EXPECT_EQ(test, take(test, peer, "4", false), 4);
}

/* The same packets in the same order, with DUP; then what is new (4.4, 4.6). */
static void resume_sends_again(struct kunit *test)
{
	struct kmqtt_peer *peer = client(test, 10);
	u16 id[4];

	publish(test, "1", 1);
	publish(test, "2", 2);
	publish(test, "3", 2);
	publish(test, "4", 1);
	id[0] = take(test, peer, "1", false);
	id[1] = take(test, peer, "2", false);
	id[2] = take(test, peer, "3", false);
	kmqtt_session_pubrec(peer->s, &peer->port, id[1], 0);

	kmqtt_session_set_online(peer->s, &peer->port, false);
	kmqtt_session_resume(peer->s, &peer->port, 10, true);
	kmqtt_session_set_online(peer->s, &peer->port, true);
	KUNIT_EXPECT_TRUE(test, kmqtt_session_pending(peer->s, &peer->port));
	KUNIT_EXPECT_EQ(test, take(test, peer, "1", true), id[0]);
	take_pubrel(test, peer, id[1]);
	KUNIT_EXPECT_EQ(test, take(test, peer, "3", true), id[2]);
	id[3] = take(test, peer, "4", false);
	KUNIT_EXPECT_NE(test, id[3], id[0]);
	KUNIT_EXPECT_EQ(test, kmqtt_session_puback(peer->s, &peer->port, id[0], 0), 0);
	KUNIT_EXPECT_EQ(test, kmqtt_session_pubcomp(peer->s, &peer->port, id[1], 0), 0);
	KUNIT_EXPECT_EQ(test, kmqtt_session_pubrec(peer->s, &peer->port, id[2], 0), 1);
	KUNIT_EXPECT_EQ(test, kmqtt_session_pubcomp(peer->s, &peer->port, id[2], 0), 0);
	KUNIT_EXPECT_EQ(test, kmqtt_session_puback(peer->s, &peer->port, id[3], 0), 0);
	KUNIT_EXPECT_EQ(test, peer->s->inflight_count, 0);
	KUNIT_EXPECT_EQ(test, peer->s->sent, 0);
}

/* The peer now takes fewer at once than are in flight. */
static void resume_with_smaller_window(struct kunit *test)
{
	struct kmqtt_peer *peer = client(test, 3);
	u16 id[3];

	publish(test, "1", 2);
	publish(test, "2", 1);
	publish(test, "3", 1);
	id[0] = take(test, peer, "1", false);
	id[1] = take(test, peer, "2", false);
	id[2] = take(test, peer, "3", false);
	kmqtt_session_pubrec(peer->s, &peer->port, id[0], 0);

	kmqtt_session_resume(peer->s, &peer->port, 1, true);
	take_pubrel(test, peer, id[0]);
	kmqtt_session_pubcomp(peer->s, &peer->port, id[0], 0);
	take(test, peer, "2", true);
	kmqtt_peer_expect_none(test, peer);
	atomic_set(&peer->wakes, 0);
	kmqtt_session_puback(peer->s, &peer->port, id[1], 0);
	KUNIT_EXPECT_GE_MSG(test, atomic_read(&peer->wakes), 1,
			    "what waits to be sent again needs a wake-up too");
	take(test, peer, "3", true);
	kmqtt_session_puback(peer->s, &peer->port, id[2], 0);
	KUNIT_EXPECT_EQ(test, peer->s->sent, 0);
}

/* The peer has forgotten its session: anew, but for what it had for sure. */
static void resume_starts_anew(struct kunit *test)
{
	struct kmqtt_peer *peer = client(test, 3);
	u16 id;

	publish(test, "1", 1);
	publish(test, "2", 2);
	publish(test, "3", 2);
	publish(test, "4", 1);
	take(test, peer, "1", false);
	id = take(test, peer, "2", false);
	take(test, peer, "3", false);
	kmqtt_session_pubrec(peer->s, &peer->port, id, 0);
	KUNIT_EXPECT_EQ(test, arrive(peer->s, &peer->port, 7), 1);

	kmqtt_session_resume(peer->s, &peer->port, 3, false);
	KUNIT_EXPECT_EQ(test, arrive(peer->s, &peer->port, 7), 1);
	take(test, peer, "1", false);
	take(test, peer, "3", false);
	take(test, peer, "4", false);
	KUNIT_EXPECT_EQ(test, peer->s->inflight_count, 3);
	KUNIT_EXPECT_EQ(test, peer->s->sent, 3);
}

static void untake_of_what_is_in_flight(struct kunit *test)
{
	struct kmqtt_peer *peer = client(test, 2);
	struct kmqtt_delivery d[2];
	size_t room = SIZE_MAX;
	u16 id;

	publish(test, "1", 1);
	publish(test, "2", 2);
	publish(test, "3", 1);
	KUNIT_ASSERT_EQ(test, kmqtt_session_take(peer->s, &peer->port, d, 2, &room), 2);
	kmqtt_session_untake(peer->s, &peer->port, d, 2);
	KUNIT_EXPECT_EQ(test, peer->s->inflight_count, 0);
	KUNIT_EXPECT_EQ(test, peer->s->queued, 3);
	id = take(test, peer, "1", false);

	/* what is sent again is given back too, and comes again as DUP */
	kmqtt_session_resume(peer->s, &peer->port, 2, true);
	room = SIZE_MAX;
	KUNIT_ASSERT_EQ(test, kmqtt_session_take(peer->s, &peer->port, d, 2, &room), 2);
	KUNIT_EXPECT_TRUE(test, d[0].dup);
	KUNIT_EXPECT_FALSE(test, d[1].dup);
	kmqtt_session_untake(peer->s, &peer->port, d, 2);
	KUNIT_EXPECT_EQ(test, take(test, peer, "1", true), id);
	take(test, peer, "2", false);
	kmqtt_peer_expect_none(test, peer);
	KUNIT_EXPECT_EQ(test, peer->s->sent, 2);
}

/* Acknowledged before it was sent again: the application has had it all along. */
static void acknowledged_before_it_is_sent_again(struct kunit *test)
{
	struct kmqtt_peer *peer = client(test, 5);
	u16 id[5];

	publish(test, "1", 1);
	publish(test, "2", 2);
	publish(test, "3", 2);
	publish(test, "4", 2);
	publish(test, "5", 1);
	id[0] = take(test, peer, "1", false);
	id[1] = take(test, peer, "2", false);
	id[2] = take(test, peer, "3", false);
	id[3] = take(test, peer, "4", false);
	id[4] = take(test, peer, "5", false);
	KUNIT_EXPECT_EQ(test, kmqtt_session_pubrec(peer->s, &peer->port, id[3], 0), 1);

	kmqtt_session_resume(peer->s, &peer->port, 5, true);
	KUNIT_EXPECT_EQ(test, kmqtt_session_puback(peer->s, &peer->port, id[0], 0), 0);
	KUNIT_EXPECT_EQ(test, kmqtt_session_pubrec(peer->s, &peer->port, id[1], 0), 1);
	KUNIT_EXPECT_EQ(test, kmqtt_session_pubrec(peer->s, &peer->port, id[2], 0x80), 0);
	KUNIT_EXPECT_EQ(test, kmqtt_session_pubcomp(peer->s, &peer->port, id[3], 0), 0);
	take_pubrel(test, peer, id[1]);
	take(test, peer, "5", true);
	KUNIT_EXPECT_EQ(test, kmqtt_session_pubcomp(peer->s, &peer->port, id[1], 0), 0);
	KUNIT_EXPECT_EQ(test, kmqtt_session_puback(peer->s, &peer->port, id[4], 0), 0);
	KUNIT_EXPECT_EQ(test, peer->s->inflight_count, 0);
	KUNIT_EXPECT_EQ(test, peer->s->sent, 0);
}

/*
 * Too large for one client (MQTT-3.1.2-25): as if it had been delivered, for it
 * alone; whatever its QoS, and also where a new connection takes less than the one
 * before.
 */
static void forget_for_one_client(struct kunit *test)
{
	struct kmqtt_peer *other = kmqtt_peer_new(test, "other", KMQTT_KIND_LOCAL);
	struct kmqtt_peer *peer = client(test, 2);
	struct kmqtt_delivery d;
	u8 qos;

	kmqtt_peer_subscribe(test, other, "t", 2, 0);
	for (qos = 0; qos < 3; qos++) {
		KUNIT_ASSERT_EQ(test, kmqtt_peer_publish(test, NULL, "t", "large", qos), 2);
		KUNIT_ASSERT_EQ(test, kmqtt_peer_take(peer, &d), 1);
		KUNIT_EXPECT_EQ(test, d.qos, qos);
		kmqtt_session_forget(peer->s, &peer->port, &d);
		kmqtt_delivery_put(&d);
		kmqtt_peer_expect(test, other, "large");
	}
	KUNIT_EXPECT_EQ(test, kmqtt_peer_publish(test, NULL, "t", "sent", 2), 2);
	take(test, peer, "sent", false);
	kmqtt_session_resume(peer->s, &peer->port, 2, true);
	KUNIT_ASSERT_EQ(test, kmqtt_peer_take(peer, &d), 1);
	KUNIT_EXPECT_TRUE(test, d.dup);
	kmqtt_session_forget(peer->s, &peer->port, &d);
	kmqtt_delivery_put(&d);
	kmqtt_peer_expect(test, other, "sent");

	KUNIT_EXPECT_EQ(test, kmqtt_session_dropped(peer->s), 4);
	KUNIT_EXPECT_EQ(test, peer->s->delivered_messages, 0);
	KUNIT_EXPECT_EQ(test, peer->s->delivered_bytes, 0);
	KUNIT_EXPECT_EQ(test, peer->s->inflight_count, 0);
	KUNIT_EXPECT_EQ(test, peer->s->sent, 0);
	KUNIT_EXPECT_EQ(test, kmqtt_session_dropped(other->s), 0);
}

static void forget_frees_the_window(struct kunit *test)
{
	struct kmqtt_peer *peer = client(test, 1);
	struct kmqtt_delivery d;

	publish(test, "1", 1);
	publish(test, "2", 1);
	KUNIT_ASSERT_EQ(test, kmqtt_peer_take(peer, &d), 1);
	kmqtt_session_forget(peer->s, &peer->port, &d);
	kmqtt_delivery_put(&d);
	KUNIT_EXPECT_EQ(test, kmqtt_session_dropped(peer->s), 1);
	take(test, peer, "2", false);
}

/* Too long for its reader: it must not stay in the window for ever. */
static void forget_with_manual_acknowledgement(struct kunit *test)
{
	const struct kmqtt_session_params params = {
		.kind = KMQTT_KIND_LOCAL,
		.ack_mode = KMQTT_ACK_MANUAL,
		.max_inflight = 1,
	};
	struct kmqtt_peer *peer = kmqtt_peer_open(test, &params);
	struct kmqtt_delivery d;

	kmqtt_peer_subscribe(test, peer, "t", 1, 0);
	publish(test, "1", 1);
	publish(test, "2", 1);
	KUNIT_ASSERT_EQ(test, kmqtt_peer_take(peer, &d), 1);
	kmqtt_session_forget(peer->s, &peer->port, &d);
	kmqtt_delivery_put(&d);
	KUNIT_EXPECT_EQ(test, peer->s->inflight_count, 0);
	kmqtt_peer_expect(test, peer, "2");
}

/* What is tuned here does not widen the window of the peer (MQTT 5.0, 4.9). */
static void tune_keeps_the_receive_maximum(struct kunit *test)
{
	const struct kmqtt_session_params params = {
		.kind = KMQTT_KIND_REMOTE,
		.ack_mode = KMQTT_ACK_MQTT,
		.max_inflight = 20,
		.expiry = U32_MAX,
	};
	struct kmqtt_peer *peer = client(test, 20);

	kmqtt_session_resume(peer->s, &peer->port, 1, true);
	KUNIT_ASSERT_EQ(test, kmqtt_session_tune(peer->s, &params), 0);
	publish(test, "1", 1);
	publish(test, "2", 1);
	take(test, peer, "1", false);
	kmqtt_peer_expect_none(test, peer);
}

/* What comes in: published once, however often it is sent (4.3.3). */
static void qos2_in(struct kunit *test)
{
	struct kmqtt_peer *peer = client(test, 1);

	KUNIT_EXPECT_EQ(test, arrive(peer->s, &peer->port, 1), 1);
	KUNIT_EXPECT_EQ(test, arrive(peer->s, &peer->port, 65535), 1);
	KUNIT_EXPECT_EQ(test, arrive(peer->s, &peer->port, 1), 0);
	kmqtt_session_resume(peer->s, &peer->port, 1, true);
	KUNIT_EXPECT_EQ(test, arrive(peer->s, &peer->port, 1), 0);
	KUNIT_EXPECT_EQ(test, peer->s->rx_qos2_count, 2);
	KUNIT_EXPECT_EQ(test, kmqtt_session_rx_release(peer->s, &peer->port, 1), 0);
	KUNIT_EXPECT_EQ(test, kmqtt_session_rx_release(peer->s, &peer->port, 1), -ENOENT);
	KUNIT_EXPECT_EQ(test, arrive(peer->s, &peer->port, 1), 1);
	KUNIT_EXPECT_EQ(test, peer->s->rx_qos2_count, 2);
	kmqtt_session_resume(peer->s, &peer->port, 1, false);
	KUNIT_EXPECT_EQ(test, peer->s->rx_qos2_count, 0);
}

/*
 * The connection that publishes a message has lost the session: until it is known what
 * becomes of it, the client is not told that it has arrived, and it is not published twice.
 */
static void qos2_in_while_taken_over(struct kunit *test)
{
	struct kmqtt_peer *old = client(test, 1), *new;
	struct kmqtt_session *s = old->s;

	/* it is refused, or has to wait: it may come again */
	KUNIT_EXPECT_EQ(test, kmqtt_session_rx_begin(s, &old->port, 1), 1);
	new = client(test, 1);
	KUNIT_ASSERT_PTR_EQ(test, new->s, s);
	KUNIT_EXPECT_FALSE(test, kmqtt_session_rx_known(s, 1));
	KUNIT_EXPECT_EQ(test, kmqtt_session_rx_begin(s, &new->port, 1), -EBUSY);
	KUNIT_EXPECT_EQ(test, kmqtt_session_rx_release(s, &new->port, 1), -ENOENT);
	kmqtt_session_rx_end(s, &old->port, 1, false);
	KUNIT_EXPECT_EQ(test, s->rx_qos2_count, 0);

	/* it is published */
	KUNIT_EXPECT_EQ(test, kmqtt_session_rx_begin(s, &new->port, 1), 1);
	old = new;
	new = client(test, 1);
	kmqtt_session_rx_end(s, &old->port, 1, true);
	KUNIT_EXPECT_EQ(test, kmqtt_session_rx_begin(s, &new->port, 1), 0);
	KUNIT_EXPECT_EQ(test, s->rx_qos2_count, 1);

	/* what is another's, or is there no more, stays as it is */
	kmqtt_session_rx_end(s, &old->port, 1, false);
	kmqtt_session_rx_end(s, &old->port, 2, true);
	KUNIT_EXPECT_TRUE(test, kmqtt_session_rx_known(s, 1));
	KUNIT_EXPECT_FALSE(test, kmqtt_session_rx_known(s, 2));
	KUNIT_EXPECT_EQ(test, s->rx_qos2_count, 1);
}

/* A local process that acknowledges by itself, and dies in between. */
static void manual_acknowledgement(struct kunit *test)
{
	const struct kmqtt_session_params params = {
		.name = "process",
		.kind = KMQTT_KIND_LOCAL,
		.ack_mode = KMQTT_ACK_MANUAL,
		.max_inflight = 3,
		.expiry = U32_MAX,
	};
	struct kmqtt_peer *peer = kmqtt_peer_open(test, &params), *again;
	struct kmqtt_delivery d[3];
	size_t room = SIZE_MAX;
	unsigned int i;

	kmqtt_peer_subscribe(test, peer, "t", 1, 0);
	publish(test, "1", 1);
	publish(test, "2", 1);
	publish(test, "3", 1);
	publish(test, "4", 1);
	KUNIT_ASSERT_EQ(test, kmqtt_session_take(peer->s, &peer->port, d, 3, &room), 3);
	for (i = 0; i < 3; i++)
		kmqtt_delivery_put(&d[i]);
	kmqtt_peer_expect_none(test, peer);
	KUNIT_EXPECT_EQ(test, kmqtt_session_ack_id(peer->s, d[1].id, false), 0);
	KUNIT_EXPECT_EQ(test, kmqtt_session_ack_id(peer->s, d[1].id, false), -ENOENT);
	KUNIT_EXPECT_EQ(test, kmqtt_session_ack_id(peer->s, d[2].id + 1, false), -ENOENT);

	/* it dies and comes back: 1 and 3 again, before what is new */
	kmqtt_peer_detach(peer);
	again = kmqtt_peer_open(test, &params);
	KUNIT_EXPECT_TRUE(test, again->present);
	room = SIZE_MAX;
	KUNIT_ASSERT_EQ(test, kmqtt_session_take(again->s, &again->port, d, 3, &room), 3);
	KUNIT_EXPECT_TRUE(test, kmqtt_delivery_is(&d[0], "1") && d[0].dup);
	KUNIT_EXPECT_TRUE(test, kmqtt_delivery_is(&d[1], "3") && d[1].dup);
	KUNIT_EXPECT_TRUE(test, kmqtt_delivery_is(&d[2], "4") && !d[2].dup);
	for (i = 0; i < 3; i++)
		kmqtt_delivery_put(&d[i]);
	KUNIT_EXPECT_EQ(test, kmqtt_session_ack_id(again->s, d[1].id, true), 0);
	KUNIT_EXPECT_EQ(test, again->s->inflight_count, 1);
	KUNIT_EXPECT_EQ(test, kmqtt_session_ack_id(again->s, d[2].id, true), 0);
	KUNIT_EXPECT_EQ(test, again->s->inflight_count, 0);
}

/* Takes @n for a connection that is about to be lost. */
static void take_some(struct kunit *test, struct kmqtt_peer *peer,
		      struct kmqtt_delivery *d, unsigned int n)
{
	size_t room = SIZE_MAX;

	KUNIT_ASSERT_EQ(test, kmqtt_session_take(peer->s, &peer->port, d, n, &room), n);
}

/*
 * The client is back on a new connection before the old one's work is done: what
 * the old one still does changes nothing (MQTT 5.0, 4.4).
 */
static void late_port_does_nothing(struct kunit *test)
{
	struct kmqtt_peer *old = client(test, 10), *new;
	struct kmqtt_delivery d[4];
	struct kmqtt_session *s;
	unsigned int i;

	/* Arrange: one of each kind in flight, one in the queue, one coming in */
	publish(test, "1", 1);
	publish(test, "2", 2);
	publish(test, "3", 2);
	publish(test, "4", 1);
	publish(test, "5", 1);
	take_some(test, old, d, 4);
	KUNIT_EXPECT_EQ(test, kmqtt_session_pubrec(old->s, &old->port, d[2].packet_id, 0), 1);
	KUNIT_EXPECT_EQ(test, arrive(old->s, &old->port, 7), 1);
	new = client(test, 10);
	s = new->s;
	KUNIT_ASSERT_PTR_EQ(test, s, old->s);
	kmqtt_session_resume(s, &new->port, 10, true);
	take(test, new, "1", true);
	take(test, new, "2", true);

	/* Act and assert: all that the old one may still do */
	kmqtt_peer_expect_none(test, old);
	KUNIT_EXPECT_EQ(test, kmqtt_session_puback(s, &old->port, d[0].packet_id, 0), -ESTALE);
	KUNIT_EXPECT_EQ(test, kmqtt_session_pubrec(s, &old->port, d[1].packet_id, 0), -ESTALE);
	KUNIT_EXPECT_EQ(test, kmqtt_session_pubcomp(s, &old->port, d[2].packet_id, 0), -ESTALE);
	KUNIT_EXPECT_EQ(test, kmqtt_session_rx_begin(s, &old->port, 8), -ESTALE);
	KUNIT_EXPECT_EQ(test, kmqtt_session_rx_release(s, &old->port, 7), -ESTALE);
	kmqtt_session_resume(s, &old->port, 1, false);
	kmqtt_session_set_online(s, &old->port, false);
	kmqtt_session_forget(s, &old->port, &d[0]);
	kmqtt_delivery_put(&d[0]);
	kmqtt_session_untake(s, &old->port, d + 1, 3);
	KUNIT_EXPECT_TRUE(test, s->online);
	KUNIT_EXPECT_EQ(test, s->rx_qos2_count, 1);
	KUNIT_EXPECT_EQ(test, s->inflight_count, 4);
	KUNIT_EXPECT_EQ(test, s->sent, 2);
	KUNIT_EXPECT_EQ(test, s->queued, 1);
	KUNIT_EXPECT_EQ(test, kmqtt_session_dropped(s), 0);

	/* the new one goes on as if nothing had been */
	take_pubrel(test, new, d[2].packet_id);
	take(test, new, "4", true);
	take(test, new, "5", false);
	KUNIT_EXPECT_EQ(test, kmqtt_session_pubrec(s, &new->port, d[1].packet_id, 0), 1);
	KUNIT_EXPECT_EQ(test, arrive(s, &new->port, 7), 0);
	for (i = 1; i < 3; i++)
		KUNIT_EXPECT_EQ(test, kmqtt_session_pubcomp(s, &new->port, d[i].packet_id, 0), 0);
}

/* Before the new connection has said how much it takes. */
static void late_port_before_resume(struct kunit *test)
{
	struct kmqtt_peer *old = client(test, 10), *new;
	struct kmqtt_delivery d[2];

	publish(test, "1", 1);
	publish(test, "2", 2);
	take_some(test, old, d, 2);
	new = client(test, 10);
	kmqtt_session_untake(new->s, &old->port, d, 2);
	KUNIT_EXPECT_EQ(test, kmqtt_session_puback(new->s, &old->port, 1, 0), -ESTALE);
	kmqtt_session_resume(new->s, &new->port, 10, true);
	take(test, new, "1", true);
	take(test, new, "2", true);
	kmqtt_peer_expect_none(test, new);
}

/* What was taken for good, and could not be handed over in time. */
static void late_untake(struct kunit *test)
{
	const struct kmqtt_session_params params = {
		.name = "process",
		.kind = KMQTT_KIND_LOCAL,
		.expiry = U32_MAX,
	};
	struct kmqtt_peer *old = kmqtt_peer_open(test, &params), *new;
	struct kmqtt_delivery d[3];

	kmqtt_peer_subscribe(test, old, "t", 2, 0);
	publish(test, "1", 0);
	publish(test, "2", 1);
	publish(test, "3", 2);
	take_some(test, old, d, 3);
	new = kmqtt_peer_open(test, &params);
	/* QoS 0 was for the reader that is gone, the rest is for the session */
	kmqtt_session_untake(new->s, &old->port, d, 3);
	KUNIT_EXPECT_EQ(test, kmqtt_session_dropped(new->s), 1);
	kmqtt_peer_expect(test, new, "2");
	kmqtt_peer_expect(test, new, "3");
	kmqtt_peer_expect_none(test, new);
}

static struct kunit_case window_cases[] = {
	KUNIT_CASE(qos1_window),
	KUNIT_CASE(window_has_a_limit_in_bytes),
	KUNIT_CASE(qos2_handshake),
	KUNIT_CASE(qos2_late_refusal),
	KUNIT_CASE(packet_ids_skip_what_is_used),
	KUNIT_CASE(resume_sends_again),
	KUNIT_CASE(resume_with_smaller_window),
	KUNIT_CASE(resume_starts_anew),
	KUNIT_CASE(untake_of_what_is_in_flight),
	KUNIT_CASE(acknowledged_before_it_is_sent_again),
	KUNIT_CASE(forget_for_one_client),
	KUNIT_CASE(forget_frees_the_window),
	KUNIT_CASE(forget_with_manual_acknowledgement),
	KUNIT_CASE(tune_keeps_the_receive_maximum),
	KUNIT_CASE(qos2_in),
	KUNIT_CASE(qos2_in_while_taken_over),
	KUNIT_CASE(manual_acknowledgement),
	KUNIT_CASE(late_port_does_nothing),
	KUNIT_CASE(late_port_before_resume),
	KUNIT_CASE(late_untake),
	{ }
};

static struct kunit_suite window_suite = {
	.name = "kmqtt_window",
	.suite_init = kmqtt_kunit_suite_init,
	.suite_exit = kmqtt_kunit_suite_exit,
	.init = kmqtt_kunit_init,
	.exit = kmqtt_kunit_exit,
	.test_cases = window_cases,
};

kunit_test_suites(&window_suite);

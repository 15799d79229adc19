// SPDX-License-Identifier: GPL-2.0
/*
 * A client over a connection that breaks at any time: whatever happens, QoS 2
 * arrives exactly once and in order, QoS 1 at least once (MQTT 5.0, 4.3, 4.6).
 */
#include <linux/slab.h>

#include "tests/kunit/fixture.h"

#define MODEL_MESSAGES	200
#define MODEL_STEPS	20000
#define MODEL_WIRE	64

/* A packet on its way; what is not a PUBLISH has only its identifier. */
struct packet {
	u8 type;
	u8 qos;
	u16 id;
	u32 number;
};

/* One direction of a connection: first in, first out. */
struct wire {
	struct packet packet[MODEL_WIRE];
	unsigned int count;
};

struct model {
	struct kunit *test;
	struct kmqtt_peer *peer;
	struct rnd_state rnd;
	struct wire down;	/* to the client */
	struct wire up;		/* to the switch */
	bool known[64];		/* QoS 2 identifiers that the client has seen */
	u32 arrived[MODEL_MESSAGES];
	u8 qos[MODEL_MESSAGES];
	u32 last[3];		/* by QoS: number that arrived last, plus one */
	u32 published;
	u16 quota;
};

static u32 rnd(struct model *m, u32 below)
{
	return prandom_u32_state(&m->rnd) % below;
}

static void wire_put(struct wire *w, u8 type, u8 qos, u16 id, u32 number)
{
	w->packet[w->count++] = (struct packet) { type, qos, id, number };
}

static bool wire_get(struct wire *w, struct packet *p)
{
	if (!w->count)
		return false;
	*p = w->packet[0];
	w->count--;
	memmove(w->packet, w->packet + 1, w->count * sizeof(*w->packet));
	return true;
}

static void model_publish(struct model *m)
{
	char payload[12];

	if (m->published == MODEL_MESSAGES)
		return;
	m->qos[m->published] = 1 + rnd(m, 2);
	snprintf(payload, sizeof(payload), "%u", m->published);
	kmqtt_peer_publish(m->test, NULL, "t", payload, m->qos[m->published]);
	m->published++;
}

static u32 model_number(const struct kmqtt_delivery *d)
{
	char text[12] = "";
	u32 number = U32_MAX;

	memcpy(text, kmqtt_msg_payload(d->msg), min_t(u32, d->msg->payload_len, 11));
	return kstrtou32(text, 10, &number) ? U32_MAX : number;
}

/* The port takes some, and gives back what it could not send. */
static void model_send(struct model *m)
{
	unsigned int want = 1 + rnd(m, 4), keep, i;
	struct kmqtt_delivery d[4];
	size_t room = SIZE_MAX;
	int n;

	if (m->down.count + 4 > MODEL_WIRE)
		return;
	n = kmqtt_session_take(m->peer->s, &m->peer->port, d, want, &room);
	if (n <= 0)
		return;
	keep = rnd(m, 3) ? n : rnd(m, n + 1);
	for (i = 0; i < keep; i++) {
		if (d[i].kind == KMQTT_DELIVER_PUBREL)
			wire_put(&m->down, KMQTT_PUBREL, 0, d[i].packet_id, 0);
		else
			wire_put(&m->down, KMQTT_PUBLISH, d[i].qos, d[i].packet_id,
				 model_number(&d[i]));
		kmqtt_delivery_put(&d[i]);
	}
	kmqtt_session_untake(m->peer->s, &m->peer->port, d + keep, n - keep);
}

/* The application behind the client has it. */
static void model_arrive(struct model *m, const struct packet *p)
{
	KUNIT_ASSERT_LT(m->test, p->number, m->published);
	KUNIT_EXPECT_EQ(m->test, p->qos, m->qos[p->number]);
	/* a message that comes for the first time is not overtaken */
	if (!m->arrived[p->number]++) {
		KUNIT_EXPECT_GE(m->test, p->number, m->last[p->qos]);
		m->last[p->qos] = p->number + 1;
	}
}

static void model_client(struct model *m)
{
	struct packet p;

	if (m->up.count == MODEL_WIRE || !wire_get(&m->down, &p))
		return;
	KUNIT_ASSERT_GT(m->test, p.id, 0);
	if (p.type == KMQTT_PUBREL) {
		m->known[p.id % 64] = false;
		wire_put(&m->up, KMQTT_PUBCOMP, 0, p.id, 0);
	} else if (p.qos == 1) {
		model_arrive(m, &p);
		wire_put(&m->up, KMQTT_PUBACK, 0, p.id, 0);
	} else {
		if (!m->known[p.id % 64])
			model_arrive(m, &p);
		m->known[p.id % 64] = true;
		wire_put(&m->up, KMQTT_PUBREC, 0, p.id, 0);
	}
}

static void model_receive(struct model *m)
{
	struct packet p;
	int ret = 0;

	if (m->down.count == MODEL_WIRE || !wire_get(&m->up, &p))
		return;
	if (p.type == KMQTT_PUBACK)
		ret = kmqtt_session_puback(m->peer->s, &m->peer->port, p.id, 0);
	else if (p.type == KMQTT_PUBCOMP)
		ret = kmqtt_session_pubcomp(m->peer->s, &m->peer->port, p.id, 0);
	else if (kmqtt_session_pubrec(m->peer->s, &m->peer->port, p.id, 0) == 1)
		wire_put(&m->down, KMQTT_PUBREL, 0, p.id, 0);
	else
		ret = -EPROTO;
	KUNIT_EXPECT_EQ(m->test, ret, 0);
}

/* What was on its way is lost; both sides have kept their session. */
static void model_reconnect(struct model *m)
{
	m->up.count = 0;
	m->down.count = 0;
	m->quota = 1 + rnd(m, 12);
	kmqtt_session_set_online(m->peer->s, &m->peer->port, false);
	if (rnd(m, 2))
		model_publish(m);
	kmqtt_session_resume(m->peer->s, &m->peer->port, m->quota, true);
	kmqtt_session_set_online(m->peer->s, &m->peer->port, true);
}

static void model_step(struct model *m)
{
	u32 unacked = m->peer->s->sent;

	switch (rnd(m, 16)) {
	case 0 ... 1:
		model_publish(m);
		break;
	case 2 ... 6:
		model_send(m);
		KUNIT_EXPECT_LE(m->test, m->peer->s->sent, max_t(u32, m->quota, unacked));
		break;
	case 7 ... 11:
		model_client(m);
		break;
	case 12 ... 14:
		model_receive(m);
		break;
	default:
		if (!rnd(m, 6))
			model_reconnect(m);
	}
}

static void lossy_connection(struct kunit *test)
{
	const struct kmqtt_session_params params = {
		.name = "client",
		.kind = KMQTT_KIND_REMOTE,
		.ack_mode = KMQTT_ACK_MQTT,
		.max_inflight = 12,
		.expiry = U32_MAX,
	};
	struct model *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	unsigned int i;

	/* Arrange: identifiers 1 to 63, so that they come round */
	KUNIT_ASSERT_NOT_NULL(test, m);
	m->test = test;
	m->peer = kmqtt_peer_open(test, &params);
	m->quota = 12;
	prandom_seed_state(&m->rnd, 1885);
	kmqtt_peer_subscribe(test, m->peer, "t", 2, 0);

	/* Act */
	for (i = 0; i < MODEL_STEPS; i++) {
		if (m->peer->s->last_packet_id == 62)
			m->peer->s->last_packet_id = U16_MAX;
		model_step(m);
	}
	for (i = 0; i < 10 * MODEL_MESSAGES; i++) {
		model_publish(m);
		model_send(m);
		model_client(m);
		model_receive(m);
		model_client(m);
		model_receive(m);
	}

	/* Assert */
	for (i = 0; i < MODEL_MESSAGES; i++) {
		if (m->qos[i] == 2)
			KUNIT_EXPECT_EQ_MSG(test, m->arrived[i], 1, "message %u", i);
		else
			KUNIT_EXPECT_GE_MSG(test, m->arrived[i], 1, "message %u", i);
	}
	KUNIT_EXPECT_EQ(test, m->peer->s->inflight_count, 0);
	KUNIT_EXPECT_EQ(test, m->peer->s->sent, 0);
	KUNIT_EXPECT_EQ(test, m->peer->s->queued, 0);
}

static struct kunit_case model_cases[] = {
	KUNIT_CASE(lossy_connection),
	{ }
};

static struct kunit_suite model_suite = {
	.name = "kmqtt_qos_model",
	.suite_init = kmqtt_kunit_suite_init,
	.suite_exit = kmqtt_kunit_suite_exit,
	.init = kmqtt_kunit_init,
	.exit = kmqtt_kunit_exit,
	.test_cases = model_cases,
};

kunit_test_suites(&model_suite);

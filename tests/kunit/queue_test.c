// SPDX-License-Identifier: GPL-2.0
/* The queue of a session: policies, caps, expiry, taking and giving back. */
#include <linux/delay.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>

#include "tests/kunit/fixture.h"

static struct kmqtt_peer *named_reader(struct kunit *test, const char *name, u8 policy,
				       u32 max, u64 bytes)
{
	const struct kmqtt_session_params params = {
		.name = name,
		.kind = KMQTT_KIND_LOCAL,
		.policy = policy,
		.max_queued_messages = max,
		.max_queued_bytes = bytes,
		.expiry = U32_MAX,
	};
	struct kmqtt_peer *peer = kmqtt_peer_open(test, &params);

	kmqtt_peer_subscribe(test, peer, "#", 2, 0);
	return peer;
}

static struct kmqtt_peer *reader(struct kunit *test, u8 policy, u32 max, u64 bytes)
{
	return named_reader(test, "reader", policy, max, bytes);
}

static void publish(struct kunit *test, const char *topic, const char *payload)
{
	kmqtt_peer_publish(test, NULL, topic, payload, 1);
}

/* A policy, what is published as topic and payload, and what is left of it. */
static const struct policy_case {
	const char *name;
	u8 policy;
	const char *in[6];
	const char *out[4];
	u32 dropped;
} policy_cases[] = {
	{ "drop newest", KMQTT_POLICY_DROP_NEWEST,
	  { "a1", "a2", "b3", "a4", "b5" }, { "a1", "a2", "b3" }, 2 },
	{ "default", KMQTT_POLICY_DEFAULT,
	  { "a1", "a2", "b3", "a4", "b5" }, { "a1", "a2", "b3" }, 2 },
	{ "drop oldest", KMQTT_POLICY_DROP_OLDEST,
	  { "a1", "a2", "b3", "a4", "b5" }, { "b3", "a4", "b5" }, 2 },
	{ "keep latest", KMQTT_POLICY_KEEP_LATEST,
	  { "a1", "a2", "b3", "a4", "b5" }, { "a4", "b5" }, 3 },
	{ "keep latest, full", KMQTT_POLICY_KEEP_LATEST,
	  { "a1", "b2", "c3", "b4", "d5" }, { "b4", "c3", "d5" }, 2 },
	{ "block, writer cannot wait", KMQTT_POLICY_BLOCK,
	  { "a1", "a2", "b3", "a4", "b5" }, { "a1", "a2", "b3" }, 2 },
};

static void policy_case_desc(const struct policy_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(policy, policy_cases, policy_case_desc);

static void queue_follows_policy(struct kunit *test)
{
	const struct policy_case *c = test->param_value;
	struct kmqtt_peer *peer = reader(test, c->policy, 3, 0);
	char topic[2] = "";
	unsigned int i;

	for (i = 0; c->in[i]; i++) {
		topic[0] = c->in[i][0];
		publish(test, topic, c->in[i]);
	}
	KUNIT_EXPECT_EQ(test, kmqtt_session_dropped(peer->s), c->dropped);
	KUNIT_EXPECT_EQ(test, kmqtt_session_dropped(peer->s), 0);
	for (i = 0; c->out[i]; i++)
		kmqtt_peer_expect(test, peer, c->out[i]);
	kmqtt_peer_expect_none(test, peer);
	KUNIT_EXPECT_EQ(test, peer->s->queued_bytes, 0);
}

/* Room for two of these, in bytes. */
static u64 bytes_of(struct kunit *test, unsigned int n, unsigned int payload)
{
	char *text = kunit_kzalloc(test, payload + 1, GFP_KERNEL);
	struct kmqtt_msg *msg;
	u64 size;

	KUNIT_ASSERT_NOT_NULL(test, text);
	memset(text, 'x', payload);
	msg = kmqtt_kunit_msg(test, "t", text, 0, false);
	size = msg->size;
	kmqtt_msg_put(msg);
	return n * size;
}

static void queue_counts_bytes(struct kunit *test)
{
	struct kmqtt_peer *peer = reader(test, KMQTT_POLICY_DROP_NEWEST, 0,
					 bytes_of(test, 2, 4));

	publish(test, "t", "1111");
	publish(test, "t", "2222");
	publish(test, "t", "3");
	KUNIT_EXPECT_EQ(test, peer->s->queued, 2);
	kmqtt_peer_expect(test, peer, "1111");
	publish(test, "t", "4444");
	kmqtt_peer_expect(test, peer, "2222");
	kmqtt_peer_expect(test, peer, "4444");
	kmqtt_peer_expect_none(test, peer);
}

/* What never fits must not empty the queue on its way out. */
static void queue_keeps_what_fits(struct kunit *test)
{
	struct kmqtt_peer *peer = reader(test, KMQTT_POLICY_DROP_OLDEST, 0,
					 bytes_of(test, 2, 4));
	char large[600];

	memset(large, 'x', sizeof(large) - 1);
	large[sizeof(large) - 1] = 0;
	publish(test, "t", "1111");
	publish(test, "t", "2222");
	publish(test, "t", large);
	KUNIT_EXPECT_EQ(test, kmqtt_session_dropped(peer->s), 1);
	kmqtt_peer_expect(test, peer, "1111");
	kmqtt_peer_expect(test, peer, "2222");
}

/* A later one of the same topic may be larger, but not beyond the cap. */
static void keep_latest_counts_bytes(struct kunit *test)
{
	u64 max = bytes_of(test, 2, 100);
	struct kmqtt_peer *peer = reader(test, KMQTT_POLICY_KEEP_LATEST, 0, max);
	char large[181];

	memset(large, 'x', sizeof(large) - 1);
	large[sizeof(large) - 1] = 0;
	publish(test, "t", "1");
	publish(test, "u", "2");
	publish(test, "t", large);
	KUNIT_EXPECT_LE(test, peer->s->queued_bytes, max);
	publish(test, "u", large);
	KUNIT_EXPECT_LE(test, peer->s->queued_bytes, max);
	kmqtt_peer_expect(test, peer, large);
	kmqtt_peer_expect_none(test, peer);
}

/* Publishes as one who can wait. Return: what kmqtt_publish() said */
static int try_msg(struct kunit *test, struct kmqtt_peer *from, struct kmqtt_msg *msg)
{
	struct kmqtt_session *blocked = NULL;
	int ret;

	ret = kmqtt_publish(from ? from->s : NULL, msg, &blocked);
	KUNIT_EXPECT_EQ(test, ret == -EAGAIN, !!blocked);
	if (blocked) {
		KUNIT_EXPECT_TRUE(test, kmqtt_session_full(blocked));
		kmqtt_session_put(blocked);
	}
	kmqtt_msg_put(msg);
	return ret;
}

static int try_publish(struct kunit *test, struct kmqtt_peer *from,
		       const char *topic, const char *payload)
{
	return try_msg(test, from, kmqtt_kunit_msg(test, topic, payload, 1, false));
}

static void block_loses_nothing(struct kunit *test)
{
	struct kmqtt_peer *peer = reader(test, KMQTT_POLICY_BLOCK, 2, 0);
	struct kmqtt_peer *other = kmqtt_peer_new(test, "other", KMQTT_KIND_LOCAL);

	kmqtt_peer_subscribe(test, other, "#", 1, 0);
	KUNIT_EXPECT_EQ(test, try_publish(test, other, "t", "1"), 2);
	KUNIT_EXPECT_EQ(test, try_publish(test, other, "t", "2"), 2);
	KUNIT_EXPECT_EQ(test, try_publish(test, other, "t", "3"), -EAGAIN);
	/* nothing happened: the other one did not get it either */
	KUNIT_EXPECT_EQ(test, other->s->queued, 2);
	kmqtt_peer_expect(test, peer, "1");
	KUNIT_EXPECT_FALSE(test, kmqtt_session_full(peer->s));
	KUNIT_EXPECT_EQ(test, try_publish(test, other, "t", "3"), 2);
	kmqtt_peer_expect(test, peer, "2");
	kmqtt_peer_expect(test, peer, "3");
	KUNIT_EXPECT_EQ(test, kmqtt_session_dropped(peer->s), 0);
}

static void block_by_bytes_loses_nothing(struct kunit *test)
{
	struct kmqtt_peer *peer = reader(test, KMQTT_POLICY_BLOCK, 0,
					 bytes_of(test, 2, 4) + 10);
	unsigned int i, sent = 0;

	for (i = 0; i < 5; i++)
		sent += try_publish(test, NULL, "t", "xxxx") == 1;
	KUNIT_EXPECT_EQ(test, kmqtt_session_dropped(peer->s), 0);
	KUNIT_EXPECT_EQ(test, peer->s->queued, sent);
	KUNIT_EXPECT_LE(test, sent, 3);
	KUNIT_EXPECT_GE(test, sent, 2);
}

/* Full for itself, away, or not allowed to read it: nobody waits for such. */
static void block_only_for_who_gets_it(struct kunit *test)
{
	struct kmqtt_peer *peer = reader(test, KMQTT_POLICY_BLOCK, 1, 0);
	struct kmqtt_acl_rule *rule;

	KUNIT_EXPECT_EQ(test, try_publish(test, peer, "t", "1"), 1);
	KUNIT_EXPECT_NE(test, try_publish(test, peer, "t", "2"), -EAGAIN);
	KUNIT_EXPECT_EQ(test, kmqtt_session_dropped(peer->s), 1);

	rule = kzalloc(struct_size(rule, filter, 1), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, rule);
	rule->access = KMQTT_ACL_READ;
	rule->filter_len = 1;
	rule->filter[0] = 't';
	kmqtt_kunit_broker(test)->acl.default_allow = true;
	KUNIT_ASSERT_EQ(test, kmqtt_acl_add(&kmqtt_kunit_broker(test)->acl, rule, 0), 0);
	KUNIT_EXPECT_EQ(test, try_publish(test, NULL, "t", "3"), 0);
	KUNIT_EXPECT_EQ(test, try_publish(test, NULL, "u", "3"), -EAGAIN);

	kmqtt_session_set_online(peer->s, &peer->port, false);
	KUNIT_EXPECT_NE(test, try_publish(test, NULL, "u", "3"), -EAGAIN);
}

/* Looking for full sessions must not let a group's turn pass. */
static void block_leaves_groups_alone(struct kunit *test)
{
	struct kmqtt_peer *one = kmqtt_peer_new(test, "one", KMQTT_KIND_LOCAL);
	struct kmqtt_peer *two = kmqtt_peer_new(test, "two", KMQTT_KIND_LOCAL);
	unsigned int i;

	reader(test, KMQTT_POLICY_BLOCK, 0, 0);
	kmqtt_peer_subscribe(test, one, "$share/g/t", 1, 0);
	kmqtt_peer_subscribe(test, two, "$share/g/t", 1, 0);
	for (i = 0; i < 8; i++)
		KUNIT_EXPECT_EQ(test, try_publish(test, NULL, "t", "x"), 2);
	KUNIT_EXPECT_EQ(test, one->s->queued, 4);
	KUNIT_EXPECT_EQ(test, two->s->queued, 4);
}

/*
 * More match than there is memory to hold back: who has the message already must
 * not get it again when the publisher has waited for the others.
 */
static void block_without_memory_delivers_once(struct kunit *test)
{
	struct kmqtt_peer *peer[40];
	char name[8];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(peer); i++) {
		snprintf(name, sizeof(name), "%u", i);
		peer[i] = named_reader(test, name, KMQTT_POLICY_BLOCK, 1, 0);
	}
	KUNIT_EXPECT_EQ(test, try_publish(test, NULL, "t", "1"), ARRAY_SIZE(peer));

	/* who only asks whether any is full needs none */
	kmqtt_kunit_fail_arrays = 1;
	KUNIT_EXPECT_EQ(test, try_msg(test, NULL, kmqtt_kunit_msg(test, "t", "2", 1, true)),
			-EAGAIN);
	KUNIT_EXPECT_EQ(test, kmqtt_kunit_fail_arrays, 1);

	KUNIT_EXPECT_EQ(test, try_publish(test, NULL, "t", "3"), ARRAY_SIZE(peer));
	KUNIT_EXPECT_EQ(test, kmqtt_kunit_fail_arrays, 0);
	for (i = 0; i < ARRAY_SIZE(peer); i++) {
		kmqtt_peer_expect(test, peer[i], "1");
		kmqtt_peer_expect(test, peer[i], "3");
		kmqtt_peer_expect_none(test, peer[i]);
	}
}

static void queue_waits_for_the_absent(struct kunit *test)
{
	struct kmqtt_peer *peer = reader(test, 0, 0, 0);

	kmqtt_session_set_online(peer->s, &peer->port, false);
	kmqtt_peer_publish(test, NULL, "t", "zero", 0);
	kmqtt_peer_publish(test, NULL, "t", "one", 1);
	peer->s->queue_qos0 = true;
	kmqtt_peer_publish(test, NULL, "t", "two", 0);
	kmqtt_peer_expect(test, peer, "one");
	kmqtt_peer_expect(test, peer, "two");
	kmqtt_peer_expect_none(test, peer);
	KUNIT_EXPECT_EQ(test, kmqtt_session_dropped(peer->s), 0);
}

static void publish_expiring(struct kunit *test, const char *payload, s64 in)
{
	struct kmqtt_msg *msg = kmqtt_kunit_msg(test, "t", payload, 1, false);

	kmqtt_kunit_expire_in(msg, in);
	KUNIT_EXPECT_EQ(test, kmqtt_publish(NULL, msg, NULL), 1);
	kmqtt_msg_put(msg);
}

/* MQTT 5.0, 3.3.2.3.3 */
static void queue_drops_expired(struct kunit *test)
{
	struct kmqtt_peer *peer = reader(test, 0, 0, 0);
	struct kmqtt_delivery d;

	publish_expiring(test, "old", 0);
	publish_expiring(test, "older", -5);
	publish_expiring(test, "new", 5000);
	KUNIT_ASSERT_EQ(test, kmqtt_peer_take(peer, &d), 1);
	KUNIT_EXPECT_TRUE(test, kmqtt_delivery_is(&d, "new"));
	KUNIT_EXPECT_GT(test, d.expiry, 4000);
	KUNIT_EXPECT_LE(test, d.expiry, 5000);
	kmqtt_delivery_put(&d);
	KUNIT_EXPECT_EQ(test, peer->s->expired_messages, 2);
	publish_expiring(test, "gone", 0);
	kmqtt_peer_expect_none(test, peer);
	KUNIT_EXPECT_EQ(test, peer->s->queued_bytes, 0);
}

/* Whenever in a second of the clock it begins, a second is a second; one that has begun counts. */
static void expiry_is_not_too_soon(struct kunit *test)
{
	const struct kmqtt_msg_desc desc = {
		.topic = (const u8 *)"t", .topic_len = 1, .expiry = 2,
	};
	u64 begin, second;
	struct kmqtt_msg *msg;
	u32 left, wrong = 0;
	bool lasts;

	for (second = ktime_get_boottime_seconds(); second == ktime_get_boottime_seconds();)
		usleep_range(1000, 2000);
	msleep(900);
	begin = ktime_get_boottime_ns();
	msg = kmqtt_msg_alloc(kmqtt_kunit_broker(test), &desc, GFP_KERNEL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(msg));
	do {
		u64 before = msg->expires - 2 * NSEC_PER_SEC, asked = ktime_get_boottime_ns();

		lasts = kmqtt_msg_expiry_left(msg, &left);
		/* it was asked before one second was over: that left two, and so on */
		if (ktime_get_boottime_ns() < begin + NSEC_PER_SEC)
			wrong += !lasts || left != 2;
		else if (asked > before + NSEC_PER_SEC && lasts)
			wrong += left != 1;
		if (!lasts)
			wrong += ktime_get_boottime_ns() < begin + 2 * NSEC_PER_SEC;
		msleep(20);
	} while (lasts);
	KUNIT_EXPECT_EQ(test, wrong, 0);
	kmqtt_msg_put(msg);
}

/* Nobody takes anything: what has expired must not stand in the way. */
static void expired_make_room(struct kunit *test)
{
	struct kmqtt_peer *peer = reader(test, KMQTT_POLICY_DROP_NEWEST, 3, 0);
	u64 sum[KMQTT_STAT_COUNT];

	publish_expiring(test, "old", 0);
	publish(test, "t", "keep");
	publish_expiring(test, "older", -5);
	publish(test, "t", "new");
	KUNIT_EXPECT_EQ(test, peer->s->dropped_messages, 0);
	KUNIT_EXPECT_EQ(test, peer->s->expired_messages, 2);
	KUNIT_EXPECT_EQ(test, peer->s->queued, 2);
	publish_expiring(test, "lasts", 5000);
	publish(test, "t", "too much");
	KUNIT_EXPECT_EQ(test, peer->s->dropped_messages, 1);
	kmqtt_peer_expect(test, peer, "keep");
	kmqtt_peer_expect(test, peer, "new");
	kmqtt_peer_expect(test, peer, "lasts");
	kmqtt_peer_expect_none(test, peer);
	kmqtt_stats_sum(kmqtt_kunit_broker(test)->stats, sum);
	KUNIT_EXPECT_EQ(test, sum[KMQTT_STAT_MESSAGES_EXPIRED], 2);
}

/* The oldest has to go only if none has expired. */
static void expired_go_before_the_oldest(struct kunit *test)
{
	struct kmqtt_peer *peer = reader(test, KMQTT_POLICY_DROP_OLDEST, 2, 0);

	publish(test, "t", "keep");
	publish_expiring(test, "old", -1);
	publish(test, "t", "new");
	KUNIT_EXPECT_EQ(test, peer->s->dropped_messages, 0);
	kmqtt_peer_expect(test, peer, "keep");
	kmqtt_peer_expect(test, peer, "new");
	kmqtt_peer_expect_none(test, peer);
}

static void take_has_room(struct kunit *test)
{
	struct kmqtt_peer *peer = reader(test, 0, 0, 0);
	struct kmqtt_delivery d[4];
	size_t room, each;
	int i;

	publish(test, "t", "1");
	publish(test, "t", "2");
	publish(test, "t", "3");
	each = KMQTT_REC_SIZE(1, 0, 1);
	room = each - 1;
	KUNIT_EXPECT_EQ(test, kmqtt_session_take(peer->s, &peer->port, d, 4, &room), -EMSGSIZE);
	KUNIT_EXPECT_EQ(test, room, each - 1);
	room = 2 * each + 1;
	KUNIT_ASSERT_EQ(test, kmqtt_session_take(peer->s, &peer->port, d, 4, &room), 2);
	KUNIT_EXPECT_EQ(test, room, 1);
	for (i = 0; i < 2; i++)
		kmqtt_delivery_put(&d[i]);
	kmqtt_peer_expect(test, peer, "3");
}

static void untake_restores_order(struct kunit *test)
{
	u64 sum[KMQTT_STAT_COUNT];
	struct kmqtt_peer *peer = reader(test, 0, 0, 0);
	struct kmqtt_delivery d[3];
	size_t room = SIZE_MAX;

	publish(test, "t", "1");
	publish(test, "t", "2");
	publish(test, "t", "3");
	KUNIT_ASSERT_EQ(test, kmqtt_session_take(peer->s, &peer->port, d, 3, &room), 3);
	KUNIT_EXPECT_FALSE(test, kmqtt_session_pending(peer->s, &peer->port));
	kmqtt_delivery_put(&d[0]);
	kmqtt_session_untake(peer->s, &peer->port, d + 1, 2);
	KUNIT_EXPECT_TRUE(test, kmqtt_session_pending(peer->s, &peer->port));
	KUNIT_EXPECT_EQ(test, peer->s->queued, 2);
	KUNIT_EXPECT_EQ(test, peer->s->delivered_messages, 1);
	publish(test, "t", "4");
	kmqtt_peer_expect(test, peer, "2");
	kmqtt_peer_expect(test, peer, "3");
	kmqtt_peer_expect(test, peer, "4");
	KUNIT_EXPECT_EQ(test, peer->s->delivered_messages, 4);
	kmqtt_stats_sum(kmqtt_kunit_broker(test)->stats, sum);
	KUNIT_EXPECT_EQ(test, sum[KMQTT_STAT_MESSAGES_DELIVERED], 4);
	KUNIT_EXPECT_EQ(test, sum[KMQTT_STAT_BYTES_DELIVERED], 8);
}

/* Given back when a later one of its topic waits: that one is the latest. */
static void untake_keeps_latest(struct kunit *test)
{
	struct kmqtt_peer *peer = reader(test, KMQTT_POLICY_KEEP_LATEST, 0, 0);
	u64 sum[KMQTT_STAT_COUNT];
	struct kmqtt_delivery d;

	publish(test, "t", "1");
	KUNIT_ASSERT_EQ(test, kmqtt_peer_take(peer, &d), 1);
	publish(test, "t", "2");
	kmqtt_session_untake(peer->s, &peer->port, &d, 1);
	kmqtt_peer_expect(test, peer, "2");
	kmqtt_peer_expect_none(test, peer);
	KUNIT_EXPECT_EQ(test, peer->s->dropped_messages, 1);
	kmqtt_stats_sum(kmqtt_kunit_broker(test)->stats, sum);
	KUNIT_EXPECT_EQ(test, sum[KMQTT_STAT_MESSAGES_DROPPED], 1);
}

/* The latest of each topic, in the place of the first, be its name longer or shorter. */
static void keep_latest_tells_topics_apart(struct kunit *test)
{
	static const char * const topics[] = { "t/u", "t", "u", "t/u/v", "t/v" };
	struct kmqtt_peer *peer = reader(test, KMQTT_POLICY_KEEP_LATEST, 0, 0);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(topics); i++)
		publish(test, topics[i], "old");
	for (i = ARRAY_SIZE(topics); i-- > 0;)
		publish(test, topics[i], topics[i]);
	for (i = 0; i < ARRAY_SIZE(topics); i++)
		kmqtt_peer_expect(test, peer, topics[i]);
	kmqtt_peer_expect_none(test, peer);
}

/* A message to "a", for so many sessions. */
static void queue_hold(struct kunit *test, struct kmqtt_peer *from,
		       struct kmqtt_stream *stream, int sessions)
{
	struct kmqtt_msg *msg = kmqtt_kunit_msg(test, "a", "x", 0, false);

	KUNIT_EXPECT_EQ(test, kmqtt_session_publish(from->s, &from->port, msg, NULL, stream),
			sessions);
	kmqtt_msg_put(msg);
}

static void queue_hold_one(struct kunit *test, struct kmqtt_peer *from,
			   struct kmqtt_stream *stream)
{
	queue_hold(test, from, stream, 2);
}

/* Held back, each is woken once for all messages, and anew for the next ones. */
static void queue_holds_wakes_back(struct kunit *test)
{
	struct kmqtt_peer *from = kmqtt_peer_new(test, "from", KMQTT_KIND_REMOTE);
	struct kmqtt_peer *one = kmqtt_peer_new(test, "one", KMQTT_KIND_REMOTE);
	struct kmqtt_peer *two = kmqtt_peer_new(test, "two", KMQTT_KIND_REMOTE);
	struct kmqtt_stream stream = {}, others = {};

	kmqtt_peer_subscribe(test, one, "a", 0, 0);
	kmqtt_peer_subscribe(test, two, "a", 0, 0);
	queue_hold_one(test, from, &stream);
	queue_hold_one(test, from, &stream);
	/* who comes second relies on the first one's wake-up */
	queue_hold_one(test, from, &others);
	KUNIT_EXPECT_EQ(test, atomic_read(&one->wakes) + atomic_read(&two->wakes), 0);
	kmqtt_wakes_flush(&others.wakes);
	KUNIT_EXPECT_EQ(test, atomic_read(&one->wakes) + atomic_read(&two->wakes), 0);
	kmqtt_wakes_flush(&stream.wakes);
	KUNIT_EXPECT_EQ(test, atomic_read(&one->wakes), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&two->wakes), 1);
	queue_hold_one(test, from, &stream);
	/* one that ends meanwhile is kept until then, and not woken */
	kmqtt_session_kill(two->s, 0);
	kmqtt_wakes_flush(&stream.wakes);
	KUNIT_EXPECT_EQ(test, atomic_read(&one->wakes), 2);
	KUNIT_EXPECT_EQ(test, atomic_read(&two->wakes), 1);
}

/* A process may be slow: nobody relies on what it holds back. It relies on connections. */
static void queue_relies_on_no_process(struct kunit *test)
{
	struct kmqtt_peer *from = kmqtt_peer_new(test, "from", KMQTT_KIND_REMOTE);
	struct kmqtt_peer *to = kmqtt_peer_new(test, "to", KMQTT_KIND_REMOTE);
	struct kmqtt_stream connection = {};
	struct kmqtt_stream process = { .wakes.alone = true };
	struct kmqtt_stream another = { .wakes.alone = true };

	kmqtt_peer_subscribe(test, to, "a", 0, 0);
	kmqtt_peer_subscribe(test, from, "a", 0, 0);
	queue_hold_one(test, from, &process);
	queue_hold_one(test, from, &process);
	KUNIT_EXPECT_EQ(test, atomic_read(&to->wakes), 0);
	queue_hold_one(test, from, &connection);
	KUNIT_EXPECT_EQ(test, atomic_read(&to->wakes), 1);
	queue_hold_one(test, from, &another);
	KUNIT_EXPECT_EQ(test, atomic_read(&to->wakes), 2);
	kmqtt_wakes_flush(&connection.wakes);
	kmqtt_wakes_flush(&another.wakes);
	KUNIT_EXPECT_EQ(test, atomic_read(&to->wakes), 2);
	kmqtt_wakes_flush(&process.wakes);
	KUNIT_EXPECT_EQ(test, atomic_read(&to->wakes), 3);

	queue_hold_one(test, from, &connection);
	queue_hold_one(test, from, &process);
	kmqtt_wakes_flush(&process.wakes);
	KUNIT_EXPECT_EQ(test, atomic_read(&to->wakes), 3);
	kmqtt_wakes_flush(&connection.wakes);
	KUNIT_EXPECT_EQ(test, atomic_read(&to->wakes), 4);
}

static bool queue_claim_yes(struct kmqtt_port *port)
{
	return true;
}

static bool queue_claim_no(struct kmqtt_port *port)
{
	return false;
}

/* Counted where a test sees it: a peer that is sent to is not woken. */
static void queue_send(struct kmqtt_port *port)
{
	container_of(port, struct kmqtt_peer, port)->closes += 100;
}

static void queue_wake(struct kmqtt_port *port)
{
	atomic_inc(&container_of(port, struct kmqtt_peer, port)->wakes);
}

static void queue_close(struct kmqtt_port *port, u8 reason)
{
}

/* One or two that let it happen are sent to; all others are woken. */
static void queue_sends_for_a_few(struct kunit *test)
{
	static const struct kmqtt_port_ops yes = {
		.wake = queue_wake, .close = queue_close,
		.claim = queue_claim_yes, .send = queue_send,
	};
	static const struct kmqtt_port_ops no = {
		.wake = queue_wake, .close = queue_close,
		.claim = queue_claim_no, .send = queue_send,
	};
	struct kmqtt_peer *from = kmqtt_peer_new(test, "from", KMQTT_KIND_REMOTE);
	struct kmqtt_peer *peer[3];
	struct kmqtt_stream stream = {};
	unsigned int i;

	for (i = 0; i < 3; i++) {
		char name[] = { 'a' + i, 0 };

		peer[i] = kmqtt_peer_new(test, name, KMQTT_KIND_REMOTE);
	}
	kmqtt_peer_subscribe(test, peer[0], "a", 0, 0);
	kmqtt_peer_subscribe(test, peer[1], "a", 0, 0);
	peer[0]->port.ops = &yes;
	peer[1]->port.ops = &no;
	queue_hold_one(test, from, &stream);
	kmqtt_wakes_send(&stream.wakes);
	KUNIT_EXPECT_EQ(test, peer[0]->closes, 100);
	KUNIT_EXPECT_EQ(test, atomic_read(&peer[0]->wakes), 0);
	KUNIT_EXPECT_EQ(test, peer[1]->closes, 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&peer[1]->wakes), 1);
	kmqtt_wakes_send(&stream.wakes);
	KUNIT_EXPECT_EQ(test, peer[0]->closes, 100);

	/* a third one, and it is for their own work again */
	peer[1]->port.ops = &yes;
	peer[2]->port.ops = &yes;
	kmqtt_peer_subscribe(test, peer[2], "#", 0, 0);
	kmqtt_session_unsubscribe(peer[1]->s, TEXT("a"));
	kmqtt_peer_subscribe(test, from, "a", 0, 0);
	queue_hold(test, from, &stream, 3);
	kmqtt_wakes_send(&stream.wakes);
	KUNIT_EXPECT_EQ(test, peer[0]->closes, 100);
	KUNIT_EXPECT_EQ(test, peer[2]->closes, 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&peer[0]->wakes), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&peer[2]->wakes), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&from->wakes), 1);
}

/* Who lost the session a moment ago must not be told again and again that there is something. */
static void pending_for_its_port_alone(struct kunit *test)
{
	struct kmqtt_peer *first = reader(test, 0, 0, 0);
	struct kmqtt_peer *later = kmqtt_peer_alloc(test);

	publish(test, "t", "1");
	KUNIT_EXPECT_TRUE(test, kmqtt_session_pending(first->s, &first->port));
	KUNIT_ASSERT_EQ(test, kmqtt_peer_try(test, later, &(struct kmqtt_session_params) {
				.name = "reader", .kind = KMQTT_KIND_LOCAL,
				.expiry = U32_MAX }), 0);
	KUNIT_ASSERT_PTR_EQ(test, later->s, first->s);
	KUNIT_EXPECT_FALSE(test, kmqtt_session_pending(first->s, &first->port));
	KUNIT_EXPECT_TRUE(test, kmqtt_session_pending(later->s, &later->port));
	kmqtt_peer_expect_none(test, first);
	kmqtt_peer_expect(test, later, "1");
	KUNIT_EXPECT_FALSE(test, kmqtt_session_pending(later->s, &later->port));
}

static void queue_wakes_its_port(struct kunit *test)
{
	struct kmqtt_peer *peer = reader(test, KMQTT_POLICY_DROP_NEWEST, 1, 0);

	publish(test, "t", "1");
	KUNIT_EXPECT_EQ(test, atomic_read(&peer->wakes), 1);
	/* of what is dropped, at the first that it was not told of */
	publish(test, "t", "2");
	KUNIT_EXPECT_EQ(test, atomic_read(&peer->wakes), 2);
	publish(test, "t", "3");
	KUNIT_EXPECT_EQ(test, atomic_read(&peer->wakes), 2);
	KUNIT_EXPECT_EQ(test, kmqtt_session_dropped(peer->s), 2);
	publish(test, "t", "4");
	KUNIT_EXPECT_EQ(test, atomic_read(&peer->wakes), 3);
}

static void switch_has_a_memory_limit(struct kunit *test)
{
	struct kmqtt_broker *b = kmqtt_kunit_broker(test);
	const struct kmqtt_msg_desc desc = {
		.topic = (const u8 *)"t", .topic_len = 1, .payload_len = 100000,
	};
	struct kmqtt_msg *msg[8], *refused;
	unsigned int i;

	b->limits.memory_limit = 500000;
	for (i = 0; i < 4; i++) {
		msg[i] = kmqtt_msg_alloc(b, &desc, GFP_KERNEL);
		KUNIT_ASSERT_FALSE(test, IS_ERR(msg[i]));
	}
	refused = kmqtt_msg_alloc(b, &desc, GFP_KERNEL);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(refused), -ENOBUFS);
	while (i--)
		kmqtt_msg_put(msg[i]);
	refused = kmqtt_msg_alloc(b, &desc, GFP_KERNEL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(refused));
	kmqtt_msg_put(refused);
	b->limits.max_packet_size = 100000;
	refused = kmqtt_msg_alloc(b, &desc, GFP_KERNEL);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(refused), -EMSGSIZE);
}

/* What the switches of all guests have does not depend on what one of them sets. */
static void guests_have_one_share(struct kunit *test)
{
	struct kmqtt_broker *b = kmqtt_kunit_broker(test);
	u64 all = kmqtt_memory_default();

	b->limits.memory_limit = 0;
	KUNIT_EXPECT_TRUE(test, kmqtt_memory_charge(b, 2 * all));
	kmqtt_memory_uncharge(b, 2 * all);
	b->guest = true;
	KUNIT_EXPECT_TRUE(test, kmqtt_memory_charge(b, all));
	KUNIT_EXPECT_FALSE(test, kmqtt_memory_charge(b, 1));
	kmqtt_memory_uncharge(b, all);
	/* what its own limit refuses does not count for the others, either */
	b->limits.memory_limit = 100;
	KUNIT_EXPECT_FALSE(test, kmqtt_memory_charge(b, 101));
	b->limits.memory_limit = 0;
	KUNIT_EXPECT_TRUE(test, kmqtt_memory_charge(b, all));
	kmqtt_memory_uncharge(b, all);
	b->guest = false;
}

static struct kunit_case queue_cases[] = {
	KUNIT_CASE_PARAM(queue_follows_policy, policy_gen_params),
	KUNIT_CASE(queue_counts_bytes),
	KUNIT_CASE(queue_keeps_what_fits),
	KUNIT_CASE(keep_latest_counts_bytes),
	KUNIT_CASE(block_loses_nothing),
	KUNIT_CASE(block_by_bytes_loses_nothing),
	KUNIT_CASE(block_only_for_who_gets_it),
	KUNIT_CASE(block_leaves_groups_alone),
	KUNIT_CASE(block_without_memory_delivers_once),
	KUNIT_CASE(queue_waits_for_the_absent),
	KUNIT_CASE(queue_drops_expired),
	KUNIT_CASE(expiry_is_not_too_soon),
	KUNIT_CASE(expired_make_room),
	KUNIT_CASE(expired_go_before_the_oldest),
	KUNIT_CASE(take_has_room),
	KUNIT_CASE(untake_restores_order),
	KUNIT_CASE(untake_keeps_latest),
	KUNIT_CASE(keep_latest_tells_topics_apart),
	KUNIT_CASE(pending_for_its_port_alone),
	KUNIT_CASE(queue_wakes_its_port),
	KUNIT_CASE(queue_holds_wakes_back),
	KUNIT_CASE(queue_relies_on_no_process),
	KUNIT_CASE(queue_sends_for_a_few),
	KUNIT_CASE(switch_has_a_memory_limit),
	KUNIT_CASE(guests_have_one_share),
	{ }
};

static struct kunit_suite queue_suite = {
	.name = "kmqtt_queue",
	.suite_init = kmqtt_kunit_suite_init,
	.suite_exit = kmqtt_kunit_suite_exit,
	.init = kmqtt_kunit_init,
	.exit = kmqtt_kunit_exit,
	.test_cases = queue_cases,
};

kunit_test_suites(&queue_suite);

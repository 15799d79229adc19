// SPDX-License-Identifier: GPL-2.0
/* Runs whose packets are made records of: a reader takes as many as it has room for. */
#include <linux/slab.h>

#include "core/run.h"
#include "tests/kunit/fixture.h"

/* Packets with the topic name "t", where they end, and what a record of each has. */
#define PACKETS	"\x30\x03\x00\x01t\x30\x04\x00\x01tA\x30\x05\x00\x01tBB\x30\x03\x00\x01t"
#define COUNT	4
#define RECORD	KMQTT_REC_SIZE(1, 0, 2)

static const u32 ends[] = { 0, 5, 11, 18, 23 };

static struct kmqtt_peer *opened(struct kunit *test, const struct kmqtt_session_params *params,
				 u8 version)
{
	struct kmqtt_peer *peer = kmqtt_peer_alloc(test);

	peer->port.run_version = version;
	peer->port.run_max = 100;
	KUNIT_ASSERT_EQ(test, kmqtt_peer_try(test, peer, params), 0);
	kmqtt_session_set_online(peer->s, &peer->port, true);
	return peer;
}

static struct kmqtt_peer *reader_with(struct kunit *test, const struct kmqtt_session_params *more)
{
	struct kmqtt_session_params params = *more;
	struct kmqtt_peer *peer;

	params.name = "reader";
	params.kind = KMQTT_KIND_LOCAL;
	params.expiry = U32_MAX;
	peer = opened(test, &params, KMQTT_RUN_ANY);
	kmqtt_peer_subscribe(test, peer, "t", 0, 0);
	return peer;
}

static struct kmqtt_peer *reader(struct kunit *test)
{
	return reader_with(test, &(struct kmqtt_session_params) { });
}

static bool publish(struct kunit *test, struct kmqtt_peer *by)
{
	struct kmqtt_run run;

	KUNIT_ASSERT_EQ(test, kmqtt_run_scan((const u8 *)PACKETS, sizeof(PACKETS) - 1, KMQTT_V311,
					     100, &run), COUNT);
	return kmqtt_session_publish_run(by->s, &by->port, &run, NULL);
}

/* Takes with room for so many records: of the run's packets those from @from to @to. */
static struct kmqtt_delivery take(struct kunit *test, struct kmqtt_peer *peer, u32 records,
				  u32 from, u32 to)
{
	size_t room = records * RECORD;
	struct kmqtt_delivery d = { };

	KUNIT_ASSERT_EQ(test, kmqtt_session_take(peer->s, &peer->port, &d, 1, &room), 1);
	KUNIT_EXPECT_EQ(test, d.kind, KMQTT_DELIVER_RUN);
	KUNIT_EXPECT_EQ(test, d.run_count, to - from);
	KUNIT_EXPECT_EQ(test, d.run_off, ends[from]);
	KUNIT_EXPECT_EQ(test, d.run_len, ends[to] - ends[from]);
	KUNIT_EXPECT_EQ(test, room, (records - (to - from)) * RECORD);
	/* all of it is the entry's, a part is not */
	KUNIT_EXPECT_EQ(test, !d.ent, to < COUNT);
	return d;
}

static void untake(struct kmqtt_peer *peer, struct kmqtt_delivery *d)
{
	kmqtt_session_untake(peer->s, &peer->port, d, 1);
}

static void expect_left(struct kunit *test, struct kmqtt_peer *peer, u32 queued, u32 delivered)
{
	u32 bytes[] = { 0, 1, 3, 6, 7 };

	KUNIT_EXPECT_EQ(test, peer->s->queued, queued);
	KUNIT_EXPECT_EQ(test, peer->s->delivered_messages, delivered);
	KUNIT_EXPECT_EQ(test, peer->s->delivered_bytes, bytes[delivered]);
	KUNIT_EXPECT_EQ(test, list_empty(&peer->s->queue), !queued);
	KUNIT_EXPECT_EQ(test, peer->s->queued_bytes != 0, queued != 0);
}

static void part_all_of_it(struct kunit *test)
{
	struct kmqtt_peer *by = kmqtt_peer_new(test, "by", KMQTT_KIND_LOCAL), *one = reader(test);
	struct kmqtt_delivery d;

	KUNIT_EXPECT_TRUE(test, publish(test, by));
	d = take(test, one, 9, 0, COUNT);
	KUNIT_EXPECT_EQ(test, d.id, COUNT);
	expect_left(test, one, 0, COUNT);
	untake(one, &d);
	expect_left(test, one, COUNT, 0);
	d = take(test, one, COUNT, 0, COUNT);
	kmqtt_delivery_put(&d);
	expect_left(test, one, 0, COUNT);
}

static void part_after_part(struct kunit *test)
{
	struct kmqtt_peer *by = kmqtt_peer_new(test, "by", KMQTT_KIND_LOCAL), *one = reader(test);
	struct kmqtt_delivery d;

	KUNIT_EXPECT_TRUE(test, publish(test, by));
	kmqtt_peer_publish(test, by, "t", "after", 0);
	d = take(test, one, 1, 0, 1);
	KUNIT_EXPECT_EQ(test, d.id, 1);
	kmqtt_delivery_put(&d);
	expect_left(test, one, COUNT, 1);
	d = take(test, one, 2, 1, 3);
	KUNIT_EXPECT_EQ(test, d.id, 3);
	kmqtt_delivery_put(&d);
	expect_left(test, one, 2, 3);
	/* the last ones are the entry itself; what comes next does not fit any more */
	d = take(test, one, 1, 3, COUNT);
	KUNIT_EXPECT_EQ(test, d.id, COUNT);
	kmqtt_delivery_put(&d);
	expect_left(test, one, 1, COUNT);
	kmqtt_peer_expect(test, one, "after");
	kmqtt_peer_expect_none(test, one);
}

static void part_of_none(struct kunit *test)
{
	struct kmqtt_peer *by = kmqtt_peer_new(test, "by", KMQTT_KIND_LOCAL), *one = reader(test);
	size_t room = RECORD - 1;
	struct kmqtt_delivery d;

	KUNIT_EXPECT_TRUE(test, publish(test, by));
	KUNIT_EXPECT_EQ(test, kmqtt_session_take(one->s, &one->port, &d, 1, &room), -EMSGSIZE);
	KUNIT_EXPECT_EQ(test, room, RECORD - 1);
	expect_left(test, one, COUNT, 0);
}

static void part_goes_back(struct kunit *test)
{
	struct kmqtt_peer *by = kmqtt_peer_new(test, "by", KMQTT_KIND_LOCAL), *one = reader(test);
	struct kmqtt_delivery d;

	KUNIT_EXPECT_TRUE(test, publish(test, by));
	d = take(test, one, 3, 0, 3);
	untake(one, &d);
	expect_left(test, one, COUNT, 0);
	/* the first of them has been put, or all of it */
	d = take(test, one, 3, 0, 3);
	d.run_count = 2;
	d.run_off = ends[1];
	d.run_len = ends[3] - ends[1];
	untake(one, &d);
	expect_left(test, one, 3, 1);
	d = take(test, one, 3, 1, COUNT);
	d.run_count = 1;
	d.run_off = ends[3];
	d.run_len = ends[COUNT] - ends[3];
	untake(one, &d);
	expect_left(test, one, 1, 3);
	d = take(test, one, 1, 3, COUNT);
	kmqtt_delivery_put(&d);
	expect_left(test, one, 0, COUNT);
	KUNIT_EXPECT_EQ(test, one->s->dropped_messages, 0);
}

/* A batch of several that goes back, the last of them a part. */
static void part_goes_back_in_order(struct kunit *test)
{
	struct kmqtt_peer *by = kmqtt_peer_new(test, "by", KMQTT_KIND_LOCAL), *one = reader(test);
	size_t room = 7 * RECORD;
	struct kmqtt_delivery d[4];
	int n;

	KUNIT_EXPECT_TRUE(test, publish(test, by));
	kmqtt_peer_publish(test, by, "t", "x", 0);
	KUNIT_EXPECT_TRUE(test, publish(test, by));
	n = kmqtt_session_take(one->s, &one->port, d, ARRAY_SIZE(d), &room);
	KUNIT_ASSERT_EQ(test, n, 3);
	KUNIT_EXPECT_EQ(test, d[2].run_count, 2);
	kmqtt_session_untake(one->s, &one->port, d, n);
	KUNIT_EXPECT_EQ(test, one->s->queued, 2 * COUNT + 1);
	d[0] = take(test, one, COUNT, 0, COUNT);
	kmqtt_delivery_put(&d[0]);
	kmqtt_peer_expect(test, one, "x");
	d[0] = take(test, one, COUNT, 0, COUNT);
	kmqtt_delivery_put(&d[0]);
	kmqtt_peer_expect_none(test, one);
}

/* What is left of it is driven out while a part is away. */
static void part_has_lost_the_rest(struct kunit *test)
{
	struct kmqtt_session_params params = { .expiry = U32_MAX, .max_queued_messages = COUNT };
	struct kmqtt_peer *by = kmqtt_peer_new(test, "by", KMQTT_KIND_LOCAL);
	struct kmqtt_peer *one = reader_with(test, &params);
	u64 sum[KMQTT_STAT_COUNT];
	struct kmqtt_delivery d;
	int i;

	KUNIT_EXPECT_TRUE(test, publish(test, by));
	d = take(test, one, 2, 0, 2);
	params.policy = KMQTT_POLICY_DROP_OLDEST;
	KUNIT_ASSERT_EQ(test, kmqtt_session_tune(one->s, &params), 0);
	for (i = 0; i < COUNT; i++)
		kmqtt_peer_publish(test, by, "t", "new", 0);
	KUNIT_EXPECT_EQ(test, one->s->dropped_messages, 2);
	untake(one, &d);
	KUNIT_EXPECT_EQ(test, one->s->dropped_messages, COUNT);
	kmqtt_stats_sum(kmqtt_kunit_broker(test)->stats, sum);
	KUNIT_EXPECT_EQ(test, sum[KMQTT_STAT_MESSAGES_DROPPED], COUNT);
	KUNIT_EXPECT_EQ(test, one->s->queued, COUNT);
	for (i = 0; i < COUNT; i++)
		kmqtt_peer_expect(test, one, "new");
	kmqtt_peer_expect_none(test, one);
}

/* Where the oldest goes for a new one, it is one message that goes, not all that came with it. */
static void part_is_driven_out(struct kunit *test)
{
	struct kmqtt_session_params params = { .expiry = U32_MAX, .max_queued_messages = COUNT };
	struct kmqtt_peer *by = kmqtt_peer_new(test, "by", KMQTT_KIND_LOCAL);
	struct kmqtt_peer *one = reader_with(test, &params);
	struct kmqtt_delivery d;

	KUNIT_EXPECT_TRUE(test, publish(test, by));
	params.policy = KMQTT_POLICY_DROP_OLDEST;
	KUNIT_ASSERT_EQ(test, kmqtt_session_tune(one->s, &params), 0);
	kmqtt_peer_publish(test, by, "t", "new", 0);
	KUNIT_EXPECT_EQ(test, one->s->dropped_messages, 1);
	KUNIT_EXPECT_EQ(test, one->s->queued, COUNT);
	d = take(test, one, 1, 1, 2);
	kmqtt_delivery_put(&d);
	kmqtt_peer_publish(test, by, "t", "new", 0);
	kmqtt_peer_publish(test, by, "t", "new", 0);
	KUNIT_EXPECT_EQ(test, one->s->dropped_messages, 2);
	d = take(test, one, 1, 3, COUNT);
	kmqtt_delivery_put(&d);
	KUNIT_EXPECT_EQ(test, one->s->delivered_bytes, 2 + 1);
	kmqtt_peer_expect(test, one, "new");
	kmqtt_peer_expect(test, one, "new");
	kmqtt_peer_expect(test, one, "new");
	kmqtt_peer_expect_none(test, one);
	KUNIT_EXPECT_EQ(test, one->s->queued_bytes, 0);
}

/* Somebody else has the session before a part goes back: it is his, with the rest. */
static void part_goes_on_to_another(struct kunit *test)
{
	const struct kmqtt_session_params params = {
		.name = "reader", .kind = KMQTT_KIND_LOCAL, .expiry = U32_MAX, .privileged = true,
	};
	struct kmqtt_peer *by = kmqtt_peer_new(test, "by", KMQTT_KIND_LOCAL), *one = reader(test);
	struct kmqtt_session *s = one->s;
	struct kmqtt_delivery d, late;
	struct kmqtt_peer *other;

	KUNIT_EXPECT_TRUE(test, publish(test, by));
	d = take(test, one, 1, 0, 1);
	kmqtt_delivery_put(&d);
	late = take(test, one, 1, 1, 2);
	other = opened(test, &params, KMQTT_RUN_ANY);
	KUNIT_EXPECT_PTR_EQ(test, other->s, s);
	kmqtt_session_untake(s, &one->port, &late, 1);
	KUNIT_EXPECT_EQ(test, s->queued, 3);
	d = take(test, other, 3, 1, COUNT);
	kmqtt_delivery_put(&d);
	KUNIT_EXPECT_EQ(test, s->dropped_messages, 0);
}

/* A part that is away when its session ends goes with it. */
static void part_of_a_session_that_ended(struct kunit *test)
{
	struct kmqtt_peer *by = kmqtt_peer_new(test, "by", KMQTT_KIND_LOCAL), *one = reader(test);
	struct kmqtt_delivery d;

	KUNIT_EXPECT_TRUE(test, publish(test, by));
	d = take(test, one, 1, 0, 1);
	kmqtt_session_kill(one->s, 0);
	untake(one, &d);
	KUNIT_EXPECT_EQ(test, one->s->queued, 0);
	KUNIT_EXPECT_EQ(test, percpu_counter_sum(&kmqtt_kunit_broker(test)->memory), 0);
}

/* Who waits for room does so message by message; where there is room nobody has to. */
static void run_where_writers_wait(struct kunit *test)
{
	const struct kmqtt_session_params params = {
		.policy = KMQTT_POLICY_BLOCK, .max_queued_messages = 2 * COUNT - 1,
	};
	struct kmqtt_peer *by = kmqtt_peer_new(test, "by", KMQTT_KIND_LOCAL);
	struct kmqtt_peer *one = reader_with(test, &params);
	struct kmqtt_delivery d;

	KUNIT_EXPECT_TRUE(test, publish(test, by));
	KUNIT_EXPECT_FALSE(test, publish(test, by));
	expect_left(test, one, COUNT, 0);
	d = take(test, one, 1, 0, 1);
	kmqtt_delivery_put(&d);
	KUNIT_EXPECT_TRUE(test, publish(test, by));
	KUNIT_EXPECT_EQ(test, one->s->queued, 2 * COUNT - 1);
	KUNIT_EXPECT_EQ(test, one->s->dropped_messages, 0);
}

/* A reader and a client get the same one, which is what its publisher has filled in. */
static void run_in_its_message(struct kunit *test)
{
	const struct kmqtt_session_params params = {
		.name = "client", .kind = KMQTT_KIND_REMOTE, .ack_mode = KMQTT_ACK_MQTT,
	};
	struct kmqtt_peer *by = kmqtt_peer_new(test, "by", KMQTT_KIND_LOCAL), *one = reader(test);
	struct kmqtt_peer *client = opened(test, &params, KMQTT_V311);
	struct kmqtt_delivery d;
	struct kmqtt_msg *msg;
	struct kmqtt_run run;

	kmqtt_peer_subscribe(test, client, "#", 0, 0);
	KUNIT_ASSERT_EQ(test, kmqtt_run_scan((const u8 *)PACKETS, sizeof(PACKETS) - 1, KMQTT_V311,
					     100, &run), COUNT);
	msg = kmqtt_msg_alloc_run(kmqtt_kunit_broker(test), &run, GFP_KERNEL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(msg));
	memcpy(kmqtt_msg_payload(msg), run.data, run.len);
	run.data = kmqtt_msg_payload(msg);
	KUNIT_EXPECT_TRUE(test, kmqtt_publish_run(by->s, msg, &run, NULL));
	d = take(test, one, COUNT, 0, COUNT);
	KUNIT_EXPECT_PTR_EQ(test, d.msg, msg);
	kmqtt_delivery_put(&d);
	KUNIT_ASSERT_EQ(test, kmqtt_peer_take(client, &d), 1);
	KUNIT_EXPECT_PTR_EQ(test, d.msg, msg);
	KUNIT_EXPECT_MEMEQ(test, kmqtt_msg_payload(msg), PACKETS, d.run_len);
	kmqtt_delivery_put(&d);
	kmqtt_msg_put(msg);
	KUNIT_EXPECT_EQ(test, atomic64_read(&by->s->published_messages), COUNT);
}

static struct kunit_case part_cases[] = {
	KUNIT_CASE(part_all_of_it),
	KUNIT_CASE(part_after_part),
	KUNIT_CASE(part_of_none),
	KUNIT_CASE(part_goes_back),
	KUNIT_CASE(part_goes_back_in_order),
	KUNIT_CASE(part_has_lost_the_rest),
	KUNIT_CASE(part_is_driven_out),
	KUNIT_CASE(part_goes_on_to_another),
	KUNIT_CASE(part_of_a_session_that_ended),
	KUNIT_CASE(run_where_writers_wait),
	KUNIT_CASE(run_in_its_message),
	{ }
};

static struct kunit_suite part_suite = {
	.name = "kmqtt_run_part",
	.suite_init = kmqtt_kunit_suite_init,
	.suite_exit = kmqtt_kunit_suite_exit,
	.init = kmqtt_kunit_init,
	.exit = kmqtt_kunit_exit,
	.test_cases = part_cases,
};

kunit_test_suites(&part_suite);

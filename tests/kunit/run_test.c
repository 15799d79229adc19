// SPDX-License-Identifier: GPL-2.0
/* Runs of messages: who gets them as they are, and what becomes of the others. */
#include <linux/slab.h>

#include "core/run.h"
#include "tests/kunit/fixture.h"

/* Packets of QoS 0 with the topic name "t", and how many bytes the first ones have. */
#define PACKETS	"\x30\x03\x00\x01t\x30\x04\x00\x01tA\x30\x05\x00\x01tBB\x30\x03\x00\x01t"
#define LENGTHS	{ 0, 5, 11, 18, 23 }
#define COUNT	4

static struct kmqtt_peer *remote(struct kunit *test, const char *name,
				 const struct kmqtt_session_params *more)
{
	struct kmqtt_session_params params = *more;
	struct kmqtt_peer *peer = kmqtt_peer_alloc(test);

	params.name = name;
	params.kind = KMQTT_KIND_REMOTE;
	params.ack_mode = KMQTT_ACK_MQTT;
	peer->port.run_version = KMQTT_V311;
	peer->port.run_max = U32_MAX;
	KUNIT_ASSERT_EQ(test, kmqtt_peer_try(test, peer, &params), 0);
	kmqtt_session_set_online(peer->s, &peer->port, true);
	return peer;
}

static struct kmqtt_peer *client(struct kunit *test, const char *name)
{
	return remote(test, name, &(struct kmqtt_session_params) { .expiry = U32_MAX });
}

static bool publish(struct kunit *test, struct kmqtt_peer *by)
{
	struct kmqtt_run run;

	KUNIT_ASSERT_EQ(test, kmqtt_run_scan((const u8 *)PACKETS, sizeof(PACKETS) - 1, KMQTT_V311,
					     100, &run), COUNT);
	return kmqtt_session_publish_run(by->s, &by->port, &run, NULL);
}

/* Takes the first @count packets, and gives them back if @back. */
static void expect(struct kunit *test, struct kmqtt_peer *peer, u32 count, bool back)
{
	static const u32 lengths[] = LENGTHS;
	struct kmqtt_delivery d;

	KUNIT_ASSERT_EQ(test, kmqtt_peer_take(peer, &d), 1);
	KUNIT_EXPECT_EQ(test, d.kind, KMQTT_DELIVER_RUN);
	KUNIT_EXPECT_EQ(test, d.run_count, count);
	KUNIT_ASSERT_EQ(test, d.run_len, lengths[count]);
	KUNIT_EXPECT_MEMEQ(test, kmqtt_msg_payload(d.msg), PACKETS, d.run_len);
	if (back)
		kmqtt_session_untake(peer->s, &peer->port, &d, 1);
	else
		kmqtt_delivery_put(&d);
}

static u64 counted(struct kunit *test, enum kmqtt_stat stat)
{
	u64 sum[KMQTT_STAT_COUNT];

	kmqtt_stats_sum(kmqtt_kunit_broker(test)->stats, sum);
	return sum[stat];
}

static void run_goes_as_it_came(struct kunit *test)
{
	struct kmqtt_peer *by = client(test, "by"), *one = client(test, "one");
	struct kmqtt_peer *other = client(test, "other");

	kmqtt_peer_subscribe(test, one, "t", 0, 0);
	kmqtt_peer_subscribe(test, other, "#", 2, 0);
	KUNIT_EXPECT_TRUE(test, publish(test, by));
	KUNIT_EXPECT_EQ(test, one->s->queued, COUNT);
	KUNIT_EXPECT_EQ(test, atomic_read(&one->wakes), 1);
	expect(test, one, COUNT, true);
	expect(test, one, COUNT, false);
	expect(test, other, COUNT, false);
	kmqtt_peer_expect_none(test, one);
	KUNIT_EXPECT_EQ(test, one->s->queued, 0);
	KUNIT_EXPECT_EQ(test, one->s->delivered_messages, COUNT);
	KUNIT_EXPECT_EQ(test, one->s->delivered_bytes, COUNT + 3);
	KUNIT_EXPECT_EQ(test, atomic64_read(&by->s->published_messages), COUNT);
	KUNIT_EXPECT_EQ(test, counted(test, KMQTT_STAT_MESSAGES_PUBLISHED), COUNT);
	KUNIT_EXPECT_EQ(test, counted(test, KMQTT_STAT_BYTES_PUBLISHED), COUNT + 3);
	KUNIT_EXPECT_EQ(test, counted(test, KMQTT_STAT_MESSAGES_QUEUED), 2 * COUNT);
	KUNIT_EXPECT_EQ(test, counted(test, KMQTT_STAT_MESSAGES_DELIVERED), 2 * COUNT);
	KUNIT_EXPECT_EQ(test, counted(test, KMQTT_STAT_BYTES_DELIVERED), 2 * (COUNT + 3));
}

static void run_keeps_its_place(struct kunit *test)
{
	struct kmqtt_peer *by = client(test, "by"), *one = client(test, "one");

	kmqtt_peer_subscribe(test, one, "#", 0, 0);
	kmqtt_peer_publish(test, by, "t", "before", 0);
	KUNIT_EXPECT_TRUE(test, publish(test, by));
	kmqtt_peer_publish(test, by, "t", "after", 0);
	kmqtt_peer_expect(test, one, "before");
	expect(test, one, COUNT, false);
	kmqtt_peer_expect(test, one, "after");
}

static void run_for_nobody(struct kunit *test)
{
	struct kmqtt_peer *by = client(test, "by");

	KUNIT_EXPECT_TRUE(test, publish(test, by));
	KUNIT_EXPECT_EQ(test, counted(test, KMQTT_STAT_MESSAGES_UNMATCHED), COUNT);
}

static void run_not_to_oneself(struct kunit *test)
{
	const struct kmqtt_sub_opts opts = { .no_local = true };
	struct kmqtt_peer *by = client(test, "by");

	KUNIT_ASSERT_EQ(test, kmqtt_session_subscribe(by->s, TEXT("t"), &opts), 0);
	KUNIT_EXPECT_TRUE(test, publish(test, by));
	kmqtt_peer_expect_none(test, by);
}

static void run_to_many(struct kunit *test)
{
	struct kmqtt_peer *by = client(test, "by"), *peers[40];
	char name[16];
	int i;

	for (i = 0; i < ARRAY_SIZE(peers); i++) {
		snprintf(name, sizeof(name), "many-%d", i);
		peers[i] = client(test, name);
		kmqtt_peer_subscribe(test, peers[i], "t", 0, 0);
	}
	KUNIT_EXPECT_TRUE(test, publish(test, by));
	for (i = 0; i < ARRAY_SIZE(peers); i++)
		expect(test, peers[i], COUNT, false);
}

/* More get it than are held on the stack, and there is no memory for them. */
static void run_to_many_without_memory(struct kunit *test)
{
	struct kmqtt_peer *by = client(test, "by"), *peer;
	char name[16];
	int i;

	for (i = 0; i < 33; i++) {
		snprintf(name, sizeof(name), "many-%d", i);
		peer = client(test, name);
		kmqtt_peer_subscribe(test, peer, "t", 0, 0);
	}
	kmqtt_kunit_fail_arrays = 1;
	KUNIT_EXPECT_FALSE(test, publish(test, by));
	KUNIT_EXPECT_EQ(test, kmqtt_kunit_fail_arrays, 0);
	kmqtt_peer_expect_none(test, peer);
	KUNIT_EXPECT_TRUE(test, publish(test, by));
	expect(test, peer, COUNT, false);
}

static void publish_expiring(struct kunit *test, const char *payload, s64 in)
{
	struct kmqtt_msg *msg = kmqtt_kunit_msg(test, "t", payload, 1, false);

	kmqtt_kunit_expire_in(msg, in);
	KUNIT_EXPECT_EQ(test, kmqtt_publish(NULL, msg, NULL), 1);
	kmqtt_msg_put(msg);
}

/* A message that expires is no matter later, and one that has expired makes room. */
static void run_behind_what_expires(struct kunit *test)
{
	struct kmqtt_peer *by = client(test, "by"), *one;

	one = remote(test, "one", &(struct kmqtt_session_params) {
				.expiry = U32_MAX, .max_queued_messages = COUNT + 1 });
	kmqtt_peer_subscribe(test, one, "t", 0, 0);
	publish_expiring(test, "lasts", 5000);
	KUNIT_EXPECT_TRUE(test, publish(test, by));
	KUNIT_EXPECT_EQ(test, one->s->queued, COUNT + 1);
	kmqtt_peer_expect(test, one, "lasts");
	expect(test, one, COUNT, false);

	publish_expiring(test, "lasts", 5000);
	publish_expiring(test, "old", -1);
	publish_expiring(test, "older", -1);
	KUNIT_EXPECT_TRUE(test, publish(test, by));
	KUNIT_EXPECT_EQ(test, one->s->queued, COUNT + 1);
	KUNIT_EXPECT_EQ(test, one->s->expired_messages, 2);
	KUNIT_EXPECT_EQ(test, counted(test, KMQTT_STAT_MESSAGES_EXPIRED), 2);
	KUNIT_EXPECT_EQ(test, kmqtt_session_dropped(one->s), 0);
	kmqtt_peer_expect(test, one, "lasts");
	expect(test, one, COUNT, false);
	kmqtt_peer_expect_none(test, one);
}

/* What one of its readers is, for which it goes one by one. */
static const struct refused_case {
	const char *name;
	struct kmqtt_session_params params;
	const char *filter;
	const char *more;
	u32 sub_id;
	u32 run_max;
	u8 version;
	bool away;
} refused_cases[] = {
	{ "no port for runs", .version = 0 },
	{ "another version", .version = KMQTT_V5 },
	{ "a packet is too large for it", .version = KMQTT_V311, .run_max = 6 },
	{ "a subscription identifier", .version = KMQTT_V311, .sub_id = 7 },
	{ "a shared subscription", .version = KMQTT_V311, .filter = "$share/a/t" },
	{ "two subscriptions", .version = KMQTT_V311, .more = "#" },
	{ "drop oldest", { .policy = KMQTT_POLICY_DROP_OLDEST }, .version = KMQTT_V311 },
	{ "keep latest", { .policy = KMQTT_POLICY_KEEP_LATEST }, .version = KMQTT_V311 },
	{ "block, and it has not room for all", { .policy = KMQTT_POLICY_BLOCK,
		.max_queued_messages = COUNT - 1 }, .version = KMQTT_V311 },
	{ "a cap in bytes", { .max_queued_bytes = 100000 }, .version = KMQTT_V311 },
	{ "away, and keeps QoS 0", { .queue_qos0 = true }, .version = KMQTT_V311, .away = true },
};

static void refused_case_desc(const struct refused_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(refused, refused_cases, refused_case_desc);

static void run_goes_one_by_one(struct kunit *test)
{
	const struct refused_case *c = test->param_value;
	struct kmqtt_session_params params = c->params;
	struct kmqtt_peer *by = client(test, "by"), *one = client(test, "one"), *odd;

	params.expiry = U32_MAX;
	odd = remote(test, "odd", &params);
	odd->port.run_version = c->version;
	odd->port.run_max = c->run_max ?: U32_MAX;
	kmqtt_peer_subscribe(test, one, "t", 0, 0);
	kmqtt_peer_subscribe(test, odd, c->filter ?: "t", 0, c->sub_id);
	if (c->more)
		kmqtt_peer_subscribe(test, odd, c->more, 0, 0);
	if (c->away)
		kmqtt_peer_detach(odd);
	KUNIT_EXPECT_FALSE(test, publish(test, by));
	KUNIT_EXPECT_EQ(test, counted(test, KMQTT_STAT_MESSAGES_PUBLISHED), 0);
	KUNIT_EXPECT_EQ(test, one->s->queued, 0);
	if (odd->s)
		KUNIT_EXPECT_EQ(test, odd->s->queued, 0);
}

/* Two subscriptions, of which one matches, are no matter. */
static void run_by_one_of_two(struct kunit *test)
{
	struct kmqtt_peer *by = client(test, "by"), *one = client(test, "one");

	kmqtt_peer_subscribe(test, one, "t", 0, 0);
	kmqtt_peer_subscribe(test, one, "u", 0, 0);
	KUNIT_EXPECT_TRUE(test, publish(test, by));
	expect(test, one, COUNT, false);
}

static void run_passes_the_absent(struct kunit *test)
{
	struct kmqtt_peer *by = client(test, "by"), *one = client(test, "one");
	struct kmqtt_peer *away = client(test, "away");

	kmqtt_peer_subscribe(test, one, "t", 0, 0);
	kmqtt_peer_subscribe(test, away, "t", 0, 0);
	kmqtt_peer_detach(away);
	KUNIT_EXPECT_TRUE(test, publish(test, by));
	expect(test, one, COUNT, false);
	KUNIT_EXPECT_EQ(test, counted(test, KMQTT_STAT_MESSAGES_DROPPED), 0);
}

static void run_fills_a_queue(struct kunit *test)
{
	struct kmqtt_peer *by = client(test, "by"), *one;

	one = remote(test, "one", &(struct kmqtt_session_params) {
				.expiry = U32_MAX, .max_queued_messages = COUNT + 2 });
	kmqtt_peer_subscribe(test, one, "t", 0, 0);
	KUNIT_EXPECT_TRUE(test, publish(test, by));
	KUNIT_EXPECT_TRUE(test, publish(test, by));
	KUNIT_EXPECT_TRUE(test, publish(test, by));
	KUNIT_EXPECT_EQ(test, one->s->queued, COUNT + 2);
	KUNIT_EXPECT_EQ(test, kmqtt_session_dropped(one->s), COUNT + 2);
	KUNIT_EXPECT_EQ(test, counted(test, KMQTT_STAT_MESSAGES_DROPPED), COUNT + 2);
	expect(test, one, COUNT, false);
	expect(test, one, 2, true);
	expect(test, one, 2, false);
	kmqtt_peer_expect_none(test, one);
	KUNIT_EXPECT_EQ(test, one->s->delivered_messages, COUNT + 2);
}

static unsigned int drops_told;

static void count_drops(struct kmqtt_broker *broker, const struct kmqtt_event *event)
{
	drops_told += event->type == KMQTT_EVENT_DROP;
}

/* The client comes back with another version of MQTT. */
static void run_that_does_not_fit_any_more(struct kunit *test)
{
	struct kmqtt_peer *by = client(test, "by"), *one = client(test, "one");
	struct kmqtt_peer *later;

	kmqtt_peer_subscribe(test, one, "t", 0, 0);
	KUNIT_EXPECT_TRUE(test, publish(test, by));
	kmqtt_peer_publish(test, by, "t", "after", 0);
	later = kmqtt_peer_alloc(test);
	later->port.run_version = KMQTT_V5;
	later->port.run_max = U32_MAX;
	KUNIT_ASSERT_EQ(test, kmqtt_peer_try(test, later, &(struct kmqtt_session_params) {
				.name = "one", .kind = KMQTT_KIND_REMOTE,
				.ack_mode = KMQTT_ACK_MQTT, .expiry = U32_MAX }), 0);
	KUNIT_EXPECT_TRUE(test, later->present);
	drops_told = 0;
	kmqtt_event_set_sink(count_drops);
	kmqtt_session_set_online(later->s, &later->port, true);
	kmqtt_peer_expect(test, later, "after");
	kmqtt_event_set_sink(NULL);
	KUNIT_EXPECT_EQ(test, drops_told, 1);
	KUNIT_EXPECT_EQ(test, kmqtt_session_dropped(later->s), COUNT);
	KUNIT_EXPECT_EQ(test, counted(test, KMQTT_STAT_MESSAGES_DROPPED), COUNT);
	KUNIT_EXPECT_EQ(test, later->s->queued, 0);
}

/* Its policy is another one now: of what is oldest goes as much as there must be room for. */
static void run_is_driven_out(struct kunit *test)
{
	struct kmqtt_peer *by = client(test, "by"), *one;
	struct kmqtt_session_params params = { .expiry = U32_MAX, .max_queued_messages = COUNT };
	struct kmqtt_delivery d;

	one = remote(test, "one", &params);
	kmqtt_peer_subscribe(test, one, "t", 0, 0);
	KUNIT_EXPECT_TRUE(test, publish(test, by));
	params.ack_mode = KMQTT_ACK_MQTT;
	params.policy = KMQTT_POLICY_DROP_OLDEST;
	KUNIT_ASSERT_EQ(test, kmqtt_session_tune(one->s, &params), 0);
	kmqtt_peer_publish(test, by, "t", "after", 0);
	KUNIT_EXPECT_EQ(test, one->s->queued, COUNT);
	KUNIT_EXPECT_EQ(test, kmqtt_session_dropped(one->s), 1);
	KUNIT_ASSERT_EQ(test, kmqtt_peer_take(one, &d), 1);
	KUNIT_EXPECT_EQ(test, d.run_count, COUNT - 1);
	KUNIT_EXPECT_EQ(test, d.run_off + d.run_len, d.msg->payload_len);
	kmqtt_delivery_put(&d);
	kmqtt_peer_expect(test, one, "after");
}

static struct kunit_case run_cases[] = {
	KUNIT_CASE(run_goes_as_it_came),
	KUNIT_CASE(run_keeps_its_place),
	KUNIT_CASE(run_for_nobody),
	KUNIT_CASE(run_not_to_oneself),
	KUNIT_CASE(run_to_many),
	KUNIT_CASE(run_to_many_without_memory),
	KUNIT_CASE(run_behind_what_expires),
	KUNIT_CASE_PARAM(run_goes_one_by_one, refused_gen_params),
	KUNIT_CASE(run_by_one_of_two),
	KUNIT_CASE(run_passes_the_absent),
	KUNIT_CASE(run_fills_a_queue),
	KUNIT_CASE(run_that_does_not_fit_any_more),
	KUNIT_CASE(run_is_driven_out),
	{ }
};

static struct kunit_suite run_suite = {
	.name = "kmqtt_run",
	.suite_init = kmqtt_kunit_suite_init,
	.suite_exit = kmqtt_kunit_suite_exit,
	.init = kmqtt_kunit_init,
	.exit = kmqtt_kunit_exit,
	.test_cases = run_cases,
};

kunit_test_suites(&run_suite);

// SPDX-License-Identifier: GPL-2.0
/* What counts against memory_limit for as long as it is there. */
#include <linux/rcupdate.h>

#include "core/broker.h"
#include "core/grace.h"
#include "core/publish.h"
#include "core/queue.h"
#include "core/session.h"
#include "tests/kunit/fixture.h"

static struct kmqtt_peer *memory_client(struct kunit *test)
{
	const struct kmqtt_session_params params = {
		.name = "client", .kind = KMQTT_KIND_REMOTE, .expiry = U32_MAX,
	};

	return kmqtt_peer_open(test, &params);
}

/* All identifiers of overlapping subscriptions go with each message, or only one of them. */
static void identifiers_count_as_memory(struct kunit *test)
{
	struct kmqtt_broker *b = kmqtt_kunit_broker(test);
	struct kmqtt_peer *peer = memory_client(test);
	struct kmqtt_msg *msg = kmqtt_kunit_msg(test, "a/b", "x", 1, false);
	struct kmqtt_sub_ids *ids;
	struct kmqtt_delivery d;
	s64 before, with_one;

	kmqtt_peer_subscribe(test, peer, "a/b", 1, 1);
	kmqtt_peer_subscribe(test, peer, "a/+", 1, 2);
	kmqtt_peer_subscribe(test, peer, "+/b", 1, 3);
	kmqtt_publish(NULL, msg, NULL);
	with_one = percpu_counter_sum(&b->memory);
	kmqtt_publish(NULL, msg, NULL);
	KUNIT_EXPECT_EQ(test, percpu_counter_sum(&b->memory) - with_one,
			struct_size(ids, id, 3));
	b->limits.memory_limit = percpu_counter_sum(&b->memory);
	kmqtt_publish(NULL, msg, NULL);
	KUNIT_EXPECT_EQ(test, percpu_counter_sum(&b->memory), b->limits.memory_limit);
	KUNIT_EXPECT_EQ(test, peer->s->queued, 3);
	before = percpu_counter_sum(&b->memory);
	KUNIT_ASSERT_EQ(test, kmqtt_peer_take(peer, &d), 1);
	KUNIT_EXPECT_NOT_NULL(test, d.more_ids);
	kmqtt_delivery_put(&d);
	KUNIT_EXPECT_EQ(test, before - percpu_counter_sum(&b->memory), struct_size(ids, id, 3));
	KUNIT_ASSERT_EQ(test, kmqtt_peer_take(peer, &d), 1);
	kmqtt_delivery_put(&d);
	KUNIT_ASSERT_EQ(test, kmqtt_peer_take(peer, &d), 1);
	KUNIT_EXPECT_NULL(test, d.more_ids);
	KUNIT_EXPECT_GE(test, d.sub_id, 1);
	KUNIT_EXPECT_LE(test, d.sub_id, 3);
	kmqtt_delivery_put(&d);
	kmqtt_msg_put(msg);
}

/* Nobody is in it any more, but a message in a queue came by it. */
static void group_counts_until_its_messages_have_gone(struct kunit *test)
{
	struct kmqtt_broker *b = kmqtt_kunit_broker(test);
	struct kmqtt_peer *peer = memory_client(test);
	struct kmqtt_msg *msg = kmqtt_kunit_msg(test, "t", "x", 1, false);
	char *filter = kunit_kzalloc(test, 10001, GFP_KERNEL);
	struct kmqtt_delivery d;

	KUNIT_ASSERT_NOT_NULL(test, filter);
	memset(filter, 'g', 10000);
	memcpy(filter, "$share/", 7);
	memcpy(filter + 9998, "/t", 2);
	kmqtt_peer_subscribe(test, peer, filter, 1, 0);
	KUNIT_EXPECT_GT(test, percpu_counter_sum(&b->memory), 9990);
	kmqtt_publish(NULL, msg, NULL);
	KUNIT_EXPECT_EQ(test, peer->s->queued, 1);
	KUNIT_EXPECT_EQ(test, kmqtt_session_unsubscribe(peer->s, filter, 10000), 0);
	KUNIT_EXPECT_GT(test, percpu_counter_sum(&b->memory), 9990);
	KUNIT_ASSERT_EQ(test, kmqtt_peer_take(peer, &d), 1);
	kmqtt_delivery_put(&d);
	kmqtt_msg_put(msg);
	KUNIT_EXPECT_LT(test, percpu_counter_sum(&b->memory), 9990);
}

#define LONG_NAMES	(64U << 20)

struct going {
	struct rcu_head rcu;
	bool gone;
};

static void going_has_gone(struct rcu_head *rcu)
{
	kmqtt_grace_end(LONG_NAMES);
	WRITE_ONCE(container_of(rcu, struct going, rcu)->gone, true);
}

/* Who makes more of what is on its way waits until it has gone, if it is much. */
static void much_is_waited_for(struct kunit *test)
{
	struct going *going = kunit_kzalloc(test, sizeof(*going), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, going);
	KUNIT_EXPECT_FALSE(test, kmqtt_grace_begin(100));
	KUNIT_ASSERT_TRUE(test, kmqtt_grace_begin(LONG_NAMES));
	call_rcu(&going->rcu, going_has_gone);
	kmqtt_grace_wait();
	KUNIT_EXPECT_TRUE(test, READ_ONCE(going->gone));
	/* in any case it must not be freed before */
	rcu_barrier();
}

static struct kunit_case memory_cases[] = {
	KUNIT_CASE(identifiers_count_as_memory),
	KUNIT_CASE(group_counts_until_its_messages_have_gone),
	KUNIT_CASE(much_is_waited_for),
	{ }
};

static struct kunit_suite memory_suite = {
	.name = "kmqtt_memory",
	.suite_init = kmqtt_kunit_suite_init,
	.suite_exit = kmqtt_kunit_suite_exit,
	.init = kmqtt_kunit_init,
	.exit = kmqtt_kunit_exit,
	.test_cases = memory_cases,
};

kunit_test_suites(&memory_suite);

// SPDX-License-Identifier: GPL-2.0
/* Where the last message went (core/memo.h): what is known is what is so. */
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "tests/kunit/fixture.h"

static struct kmqtt_peer *local(struct kunit *test, const char *name)
{
	return kmqtt_peer_new(test, name, KMQTT_KIND_LOCAL);
}

static struct kmqtt_memo *memo_new(struct kunit *test)
{
	struct kmqtt_memo *memo = kunit_kzalloc(test, sizeof(*memo), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, memo);
	return memo;
}

static bool known(struct kunit *test, const struct kmqtt_memo *memo, const char *topic)
{
	bool ret;

	rcu_read_lock();
	ret = kmqtt_memo_knows(memo, &kmqtt_kunit_broker(test)->tree, TEXT(topic));
	rcu_read_unlock();
	return ret;
}

/* What is gone is freed before: who still goes there is found out. */
static int publish(struct kunit *test, struct kmqtt_peer *by, struct kmqtt_memo *memo,
		   const char *topic, const char *payload)
{
	struct kmqtt_msg *msg = kmqtt_kunit_msg(test, topic, payload, 1, false);
	int ret;

	rcu_barrier();
	ret = kmqtt_publish_memo(by->s, msg, NULL, memo, NULL);
	kmqtt_msg_put(msg);
	return ret;
}

static void memo_follows_subscriptions(struct kunit *test)
{
	struct kmqtt_peer *by = local(test, "by"), *one = local(test, "one");
	struct kmqtt_peer *two = local(test, "two");
	struct kmqtt_memo *memo = memo_new(test);
	struct kmqtt_delivery d;

	KUNIT_EXPECT_EQ(test, publish(test, by, memo, "t", "0"), 0);
	KUNIT_EXPECT_TRUE(test, known(test, memo, "t"));
	KUNIT_EXPECT_EQ(test, publish(test, by, memo, "t", "0"), 0);

	kmqtt_peer_subscribe(test, one, "t", 0, 0);
	KUNIT_EXPECT_FALSE(test, known(test, memo, "t"));
	KUNIT_EXPECT_EQ(test, publish(test, by, memo, "t", "1"), 1);
	KUNIT_EXPECT_TRUE(test, known(test, memo, "t"));
	KUNIT_EXPECT_EQ(test, publish(test, by, memo, "t", "2"), 1);
	kmqtt_peer_expect(test, one, "1");
	kmqtt_peer_expect(test, one, "2");

	kmqtt_peer_subscribe(test, two, "#", 1, 0);
	KUNIT_EXPECT_EQ(test, publish(test, by, memo, "t", "3"), 2);
	KUNIT_EXPECT_EQ(test, publish(test, by, memo, "t", "4"), 2);
	kmqtt_peer_expect(test, one, "3");
	kmqtt_peer_expect(test, one, "4");

	/* another one in its place */
	kmqtt_peer_subscribe(test, one, "t", 1, 7);
	KUNIT_EXPECT_EQ(test, publish(test, by, memo, "t", "5"), 2);
	KUNIT_ASSERT_EQ(test, kmqtt_peer_take(one, &d), 1);
	KUNIT_EXPECT_EQ(test, d.sub_id, 7);
	KUNIT_EXPECT_EQ(test, d.qos, 1);
	kmqtt_delivery_put(&d);

	KUNIT_ASSERT_EQ(test, kmqtt_session_unsubscribe(one->s, TEXT("t")), 0);
	KUNIT_EXPECT_EQ(test, publish(test, by, memo, "t", "6"), 1);
	kmqtt_peer_expect_none(test, one);

	kmqtt_session_kill(two->s, 0);
	kmqtt_peer_detach(two);
	KUNIT_EXPECT_EQ(test, publish(test, by, memo, "t", "7"), 0);
}

static void memo_is_of_one_topic(struct kunit *test)
{
	struct kmqtt_peer *by = local(test, "by"), *one = local(test, "one");
	struct kmqtt_memo *memo = memo_new(test);
	char *name = kunit_kzalloc(test, KMQTT_MEMO_TOPIC + 2, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, name);
	memset(name, 'n', KMQTT_MEMO_TOPIC);
	kmqtt_peer_subscribe(test, one, "a/b", 0, 0);
	kmqtt_peer_subscribe(test, one, name, 0, 0);
	KUNIT_EXPECT_EQ(test, publish(test, by, memo, "a/b", "1"), 1);
	KUNIT_EXPECT_EQ(test, publish(test, by, memo, "a/c", "2"), 0);
	KUNIT_EXPECT_EQ(test, publish(test, by, memo, "a/b", "3"), 1);
	KUNIT_EXPECT_EQ(test, publish(test, by, memo, "a", "4"), 0);
	KUNIT_EXPECT_EQ(test, publish(test, by, memo, name, "5"), 1);
	KUNIT_EXPECT_TRUE(test, known(test, memo, name));
	KUNIT_EXPECT_EQ(test, publish(test, by, memo, name, "6"), 1);
	/* too long for it */
	name[KMQTT_MEMO_TOPIC] = 'n';
	KUNIT_EXPECT_EQ(test, publish(test, by, memo, name, "7"), 0);
	KUNIT_EXPECT_EQ(test, kmqtt_memo_topic(memo).len, 0);
	kmqtt_peer_subscribe(test, one, name, 0, 0);
	KUNIT_EXPECT_EQ(test, publish(test, by, memo, name, "8"), 1);
	kmqtt_peer_expect(test, one, "1");
	kmqtt_peer_expect(test, one, "3");
	kmqtt_peer_expect(test, one, "5");
	kmqtt_peer_expect(test, one, "6");
	kmqtt_peer_expect(test, one, "8");
}

/* It must not be used when the generation may have come round. */
static void memo_lasts_a_second(struct kunit *test)
{
	struct kmqtt_peer *by = local(test, "by");
	struct kmqtt_memo *memo = memo_new(test);

	KUNIT_EXPECT_EQ(test, publish(test, by, memo, "t", "1"), 0);
	memo->since = jiffies - HZ;
	KUNIT_EXPECT_FALSE(test, known(test, memo, "t"));
	KUNIT_EXPECT_EQ(test, publish(test, by, memo, "t", "2"), 0);
	KUNIT_EXPECT_TRUE(test, known(test, memo, "t"));
}

/* Members of a shared subscription take turns; more than can be noted are all found again. */
static void memo_of_what_it_cannot_note(struct kunit *test)
{
	struct kmqtt_peer *by = local(test, "by"), *peers[KMQTT_MEMO_SUBS + 1];
	struct kmqtt_peer *one = local(test, "one"), *two = local(test, "two");
	struct kmqtt_memo *memo = memo_new(test);
	char name[16];
	unsigned int i;

	kmqtt_peer_subscribe(test, one, "$share/g/s", 1, 0);
	kmqtt_peer_subscribe(test, two, "$share/g/s", 1, 0);
	for (i = 0; i < 8; i++)
		KUNIT_EXPECT_EQ(test, publish(test, by, memo, "s", "x"), 1);
	KUNIT_EXPECT_FALSE(test, known(test, memo, "s"));
	KUNIT_EXPECT_EQ(test, one->s->queued, 4);
	KUNIT_EXPECT_EQ(test, two->s->queued, 4);

	for (i = 0; i < ARRAY_SIZE(peers); i++) {
		snprintf(name, sizeof(name), "many-%u", i);
		peers[i] = local(test, name);
		kmqtt_peer_subscribe(test, peers[i], "m", 0, 0);
		KUNIT_EXPECT_EQ(test, publish(test, by, memo, "m", "x"), i + 1);
		KUNIT_EXPECT_EQ(test, known(test, memo, "m"), i < KMQTT_MEMO_SUBS);
		KUNIT_EXPECT_EQ(test, publish(test, by, memo, "m", "x"), i + 1);
	}
	KUNIT_EXPECT_EQ(test, peers[0]->s->queued, 2 * ARRAY_SIZE(peers));
	KUNIT_EXPECT_EQ(test, peers[KMQTT_MEMO_SUBS]->s->queued, 2);
}

/* Several matches of one session are one delivery, and none if it wants none of its own. */
static void memo_delivers_once(struct kunit *test)
{
	const struct kmqtt_sub_opts opts = { .no_local = true };
	struct kmqtt_peer *by = local(test, "by"), *one = local(test, "one");
	struct kmqtt_memo *memo = memo_new(test);
	struct kmqtt_delivery d;
	unsigned int i;

	kmqtt_peer_subscribe(test, one, "t", 0, 1);
	kmqtt_peer_subscribe(test, one, "#", 1, 2);
	KUNIT_ASSERT_EQ(test, kmqtt_session_subscribe(by->s, TEXT("t"), &opts), 0);
	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(test, publish(test, by, memo, "t", "x"), 1);
		KUNIT_EXPECT_TRUE(test, known(test, memo, "t"));
		KUNIT_ASSERT_EQ(test, kmqtt_peer_take(one, &d), 1);
		KUNIT_EXPECT_EQ(test, d.qos, 1);
		KUNIT_EXPECT_NOT_NULL(test, d.more_ids);
		kmqtt_delivery_put(&d);
		kmqtt_peer_expect_none(test, one);
	}
	kmqtt_peer_expect_none(test, by);
}

static void memo_waits_for_who_blocks(struct kunit *test)
{
	const struct kmqtt_session_params params = {
		.name = "one", .kind = KMQTT_KIND_LOCAL,
		.policy = KMQTT_POLICY_BLOCK, .max_queued_messages = 2,
	};
	struct kmqtt_peer *by = local(test, "by"), *one = kmqtt_peer_open(test, &params);
	struct kmqtt_msg *msg = kmqtt_kunit_msg(test, "t", "x", 1, false);
	struct kmqtt_session *blocked = NULL;
	struct kmqtt_memo *memo = memo_new(test);

	kmqtt_peer_subscribe(test, one, "t", 0, 0);
	KUNIT_EXPECT_EQ(test, kmqtt_publish_memo(by->s, msg, &blocked, memo, NULL), 1);
	KUNIT_EXPECT_EQ(test, kmqtt_publish_memo(by->s, msg, &blocked, memo, NULL), 1);
	KUNIT_EXPECT_TRUE(test, known(test, memo, "t"));
	KUNIT_EXPECT_EQ(test, kmqtt_publish_memo(by->s, msg, &blocked, memo, NULL), -EAGAIN);
	KUNIT_ASSERT_PTR_EQ(test, blocked, one->s);
	kmqtt_session_put(blocked);
	blocked = NULL;
	KUNIT_EXPECT_EQ(test, one->s->queued, 2);
	kmqtt_peer_expect(test, one, "x");
	KUNIT_EXPECT_EQ(test, kmqtt_publish_memo(by->s, msg, &blocked, memo, NULL), 1);
	KUNIT_EXPECT_NULL(test, blocked);
	KUNIT_EXPECT_EQ(test, kmqtt_session_dropped(one->s), 0);
	kmqtt_msg_put(msg);
}

static void memo_asks_the_rules(struct kunit *test)
{
	struct kmqtt_peer *by = local(test, "by"), *one = local(test, "one");
	struct kmqtt_broker *b = kmqtt_kunit_broker(test);
	struct kmqtt_memo *memo = memo_new(test);
	u8 access[] = { KMQTT_ACL_READ, KMQTT_ACL_WRITE };
	struct kmqtt_acl_rule *rule;
	unsigned int i;

	kmqtt_peer_subscribe(test, one, "t", 0, 0);
	KUNIT_EXPECT_EQ(test, publish(test, by, memo, "t", "1"), 1);
	b->acl.default_allow = true;
	for (i = 0; i < ARRAY_SIZE(access); i++) {
		rule = kzalloc(struct_size(rule, filter, 1), GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, rule);
		rule->access = access[i];
		rule->filter_len = 1;
		rule->filter[0] = 't';
		KUNIT_ASSERT_EQ(test, kmqtt_acl_add(&b->acl, rule, i), 0);
		KUNIT_EXPECT_EQ(test, publish(test, by, memo, "t", "2"), i ? -EACCES : 0);
	}
	KUNIT_EXPECT_TRUE(test, known(test, memo, "t"));
}

static struct kunit_case memo_cases[] = {
	KUNIT_CASE(memo_follows_subscriptions),
	KUNIT_CASE(memo_is_of_one_topic),
	KUNIT_CASE(memo_lasts_a_second),
	KUNIT_CASE(memo_of_what_it_cannot_note),
	KUNIT_CASE(memo_delivers_once),
	KUNIT_CASE(memo_waits_for_who_blocks),
	KUNIT_CASE(memo_asks_the_rules),
	{ }
};

static struct kunit_suite memo_suite = {
	.name = "kmqtt_memo",
	.suite_init = kmqtt_kunit_suite_init,
	.suite_exit = kmqtt_kunit_suite_exit,
	.init = kmqtt_kunit_init,
	.exit = kmqtt_kunit_exit,
	.test_cases = memo_cases,
};

kunit_test_suites(&memo_suite);

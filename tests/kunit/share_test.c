// SPDX-License-Identifier: GPL-2.0
/* Shared subscriptions (MQTT 5.0, 4.8.2): who gets a message, and who gets it after him. */
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/slab.h>

#include "proto/proto.h"
#include "tests/kunit/fixture.h"

#define FILTER	"$share/g/t"

/* A member, a remote client, with room for @queue messages (0: as many as come). */
static struct kmqtt_peer *member(struct kunit *test, const char *name, u32 queue)
{
	const struct kmqtt_session_params params = {
		.name = name,
		.kind = KMQTT_KIND_REMOTE,
		.ack_mode = KMQTT_ACK_MQTT,
		.max_queued_messages = queue,
		.expiry = U32_MAX,
	};
	struct kmqtt_peer *peer = kmqtt_peer_open(test, &params);

	kmqtt_session_resume(peer->s, &peer->port, 100, true);
	kmqtt_peer_subscribe(test, peer, FILTER, 2, 0);
	return peer;
}

static void publish(struct kunit *test, const char *payload, u8 qos)
{
	KUNIT_ASSERT_EQ(test, kmqtt_peer_publish(test, NULL, "t", payload, qos), 1);
}

/* Takes @payload and expects it as a delivery that is new; its packet identifier. */
static u16 take(struct kunit *test, struct kmqtt_peer *peer, const char *payload)
{
	struct kmqtt_delivery d;

	KUNIT_ASSERT_EQ_MSG(test, kmqtt_peer_take(peer, &d), 1, "no %s", payload);
	KUNIT_EXPECT_TRUE_MSG(test, kmqtt_delivery_is(&d, payload), "%s", payload);
	KUNIT_EXPECT_FALSE(test, d.dup);
	kmqtt_delivery_put(&d);
	return d.packet_id;
}

static u32 queued(const struct kmqtt_peer *peer)
{
	return READ_ONCE(peer->s->queued);
}

/* Session @peer is lost for good. */
static void end(struct kmqtt_peer *peer)
{
	kmqtt_session_kill(peer->s, KMQTT_RC_ADMINISTRATIVE_ACTION);
}

/* The first of two members is full: the other one gets all that comes. */
static void full_members_are_passed_over(struct kunit *test)
{
	struct kmqtt_peer *a = member(test, "a", 2), *b = member(test, "b", 0);
	unsigned int i;

	for (i = 0; i < 10; i++)
		publish(test, "x", 1);
	KUNIT_EXPECT_EQ(test, queued(a), 2);
	KUNIT_EXPECT_EQ(test, queued(b), 8);
	KUNIT_EXPECT_EQ(test, kmqtt_session_dropped(a->s), 0);
	/* it has room again: they take turns */
	take(test, a, "x");
	take(test, a, "x");
	for (i = 0; i < 4; i++)
		publish(test, "x", 1);
	KUNIT_EXPECT_EQ(test, queued(a), 2);
	KUNIT_EXPECT_EQ(test, queued(b), 10);
}

/* Who is away and has room is better than who is there and has none. */
static void away_is_better_than_full(struct kunit *test)
{
	struct kmqtt_peer *a = member(test, "a", 1), *b = member(test, "b", 0);
	struct kmqtt_session *s = b->s;

	kmqtt_session_get(s);
	kmqtt_peer_detach(b);
	publish(test, "1", 1);
	publish(test, "2", 1);
	KUNIT_EXPECT_EQ(test, queued(a), 1);
	KUNIT_EXPECT_EQ(test, s->queued, 1);
	/* QoS 0 does not wait for anyone: it is dropped where that is seen */
	KUNIT_EXPECT_EQ(test, kmqtt_peer_publish(test, NULL, "t", "3", 0), 1);
	KUNIT_EXPECT_EQ(test, s->queued, 1);
	KUNIT_EXPECT_EQ(test, kmqtt_session_dropped(a->s), 1);
	kmqtt_session_put(s);
}

/* All are full: it counts where it is dropped, once. */
static void all_are_full(struct kunit *test)
{
	struct kmqtt_peer *a = member(test, "a", 1), *b = member(test, "b", 1);

	publish(test, "1", 1);
	publish(test, "2", 1);
	publish(test, "3", 1);
	KUNIT_EXPECT_EQ(test, kmqtt_session_dropped(a->s) + kmqtt_session_dropped(b->s), 1);
}

/* Who may not read it is passed over too. */
static void rules_choose_the_member(struct kunit *test)
{
	struct kmqtt_broker *b = kmqtt_kunit_broker(test);
	struct kmqtt_peer *member_a = member(test, "a", 0), *member_b = member(test, "b", 0);
	struct kmqtt_acl_rule *rule = kzalloc(struct_size(rule, filter, 1), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, rule);
	rule->subject = KMQTT_ACL_CLIENT;
	rule->access = KMQTT_ACL_READ;
	rule->allow = true;
	rule->name = kstrdup("b", GFP_KERNEL);
	rule->filter_len = 1;
	rule->filter[0] = '#';
	KUNIT_ASSERT_EQ(test, kmqtt_acl_add(&b->acl, rule, 0), 0);
	for (i = 0; i < 6; i++)
		publish(test, "x", 1);
	KUNIT_EXPECT_EQ(test, queued(member_a), 0);
	KUNIT_EXPECT_EQ(test, queued(member_b), 6);
	end(member_b);
	KUNIT_EXPECT_EQ(test, queued(member_a), 0);
	KUNIT_EXPECT_EQ(test, kmqtt_peer_publish(test, NULL, "t", "x", 1), 0);
}

/* [MQTT-4.8.2-5] and what comes before it: what the session leaves, if it ends. */
static void unsent_and_unacknowledged_go_on(struct kunit *test)
{
	struct kmqtt_peer *a = member(test, "a", 0), *b;
	u16 id[4];

	publish(test, "sent 1", 1);
	publish(test, "sent 2", 2);
	publish(test, "released 2", 2);
	publish(test, "acknowledged", 1);
	publish(test, "queued 2", 2);
	publish(test, "queued 0", 0);
	publish(test, "queued 1", 1);
	id[0] = take(test, a, "sent 1");
	id[1] = take(test, a, "sent 2");
	id[2] = take(test, a, "released 2");
	id[3] = take(test, a, "acknowledged");
	KUNIT_EXPECT_NE(test, id[0], id[1]);
	KUNIT_EXPECT_EQ(test, kmqtt_session_pubrec(a->s, &a->port, id[2], 0), 1);
	KUNIT_EXPECT_EQ(test, kmqtt_session_puback(a->s, &a->port, id[3], 0), 0);
	b = member(test, "b", 0);
	atomic_set(&b->wakes, 0);
	end(a);
	KUNIT_EXPECT_GE(test, atomic_read(&b->wakes), 1);
	take(test, b, "sent 1");
	take(test, b, "queued 2");
	take(test, b, "queued 1");
	kmqtt_peer_expect_none(test, b);
	/* and so on, from one to the next */
	member(test, "c", 0);
	end(b);
	KUNIT_EXPECT_EQ(test, kmqtt_kunit_broker(test)->session_count, 1);
}

/* A reconnect is not the end: MAY wait, and does. */
static void nothing_goes_on_while_the_session_lives(struct kunit *test)
{
	struct kmqtt_peer *a = member(test, "a", 0), *b;
	struct kmqtt_delivery d;

	publish(test, "1", 1);
	publish(test, "2", 2);
	take(test, a, "1");
	b = member(test, "b", 0);
	kmqtt_peer_detach(a);
	KUNIT_EXPECT_EQ(test, queued(b), 0);
	a = member(test, "a", 0);
	KUNIT_ASSERT_EQ(test, kmqtt_peer_take(a, &d), 1);
	KUNIT_EXPECT_TRUE(test, kmqtt_delivery_is(&d, "1") && d.dup);
	kmqtt_delivery_put(&d);
	take(test, a, "2");
}

/* [MQTT-4.8.2-6]: what a member refuses is nobody's. */
static void refused_is_gone(struct kunit *test)
{
	struct kmqtt_peer *a = member(test, "a", 0), *b;

	publish(test, "1", 1);
	publish(test, "2", 2);
	b = member(test, "b", 0);
	KUNIT_EXPECT_EQ(test, kmqtt_session_puback(a->s, &a->port, take(test, a, "1"),
						   KMQTT_RC_QUOTA_EXCEEDED), 0);
	KUNIT_EXPECT_EQ(test, kmqtt_session_pubrec(a->s, &a->port, take(test, a, "2"),
						   KMQTT_RC_QUOTA_EXCEEDED), 0);
	end(a);
	KUNIT_EXPECT_EQ(test, queued(b), 0);
}

/* In every way in which a session ends. */
static void every_end_hands_over(struct kunit *test)
{
	struct kmqtt_session_params clean = {
		.name = "a",
		.kind = KMQTT_KIND_REMOTE,
		.ack_mode = KMQTT_ACK_MQTT,
		.clean = true,
		.expiry = 1,
	};
	struct kmqtt_peer *a = member(test, "a", 0), *b;
	unsigned int tries;

	/* clean start */
	publish(test, "1", 1);
	b = member(test, "b", 0);
	a = kmqtt_peer_open(test, &clean);
	take(test, b, "1");

	/* expiry; how long that takes is not the question */
	kmqtt_session_set_online(b->s, &b->port, false);
	kmqtt_peer_subscribe(test, a, FILTER, 1, 0);
	publish(test, "2", 1);
	kmqtt_session_set_online(b->s, &b->port, true);
	KUNIT_EXPECT_EQ(test, queued(a), 1);
	kmqtt_peer_detach(a);
	for (tries = 0; tries < 600 && !queued(b); tries++)
		msleep(100);
	take(test, b, "2");

	/* the end of a connection that leaves no session */
	kmqtt_session_set_online(b->s, &b->port, false);
	a = member(test, "a", 0);
	publish(test, "3", 2);
	kmqtt_session_set_online(b->s, &b->port, true);
	KUNIT_EXPECT_EQ(test, kmqtt_session_set_expiry(a->s, &a->port, 0), 0);
	kmqtt_peer_detach(a);
	take(test, b, "3");
	kmqtt_peer_expect_none(test, b);
}

/* A process that acknowledges by itself is a member like any other. */
static void process_hands_over(struct kunit *test)
{
	const struct kmqtt_session_params params = {
		.kind = KMQTT_KIND_LOCAL,
		.ack_mode = KMQTT_ACK_MANUAL,
	};
	struct kmqtt_peer *a = kmqtt_peer_open(test, &params), *b;

	kmqtt_peer_subscribe(test, a, FILTER, 2, 0);
	publish(test, "1", 1);
	publish(test, "2", 2);
	publish(test, "3", 2);
	kmqtt_peer_expect(test, a, "1");
	kmqtt_peer_expect(test, a, "2");
	b = member(test, "b", 0);
	kmqtt_peer_detach(a);
	take(test, b, "1");
	take(test, b, "3");
	kmqtt_peer_expect_none(test, b);
}

/* What a member asked for by itself is not the group's. */
static void own_subscriptions_stay(struct kunit *test)
{
	struct kmqtt_peer *a = member(test, "a", 0), *b;

	kmqtt_peer_subscribe(test, a, "t", 2, 0);
	kmqtt_peer_subscribe(test, a, "$share/h/t", 2, 0);
	KUNIT_EXPECT_EQ(test, kmqtt_peer_publish(test, NULL, "t", "1", 1), 3);
	KUNIT_EXPECT_EQ(test, queued(a), 3);
	b = member(test, "b", 0);
	end(a);
	take(test, b, "1");
	kmqtt_peer_expect_none(test, b);
}

/* Each gets it with what it asked for. */
static void new_member_new_options(struct kunit *test)
{
	const struct kmqtt_session_params params = {
		.name = "b", .kind = KMQTT_KIND_REMOTE, .ack_mode = KMQTT_ACK_MQTT,
	};
	struct kmqtt_peer *a = member(test, "a", 0), *b;
	struct kmqtt_delivery d;

	publish(test, "1", 2);
	b = kmqtt_peer_open(test, &params);
	kmqtt_session_resume(b->s, &b->port, 100, false);
	kmqtt_peer_subscribe(test, b, FILTER, 1, 77);
	end(a);
	KUNIT_ASSERT_EQ(test, kmqtt_peer_take(b, &d), 1);
	KUNIT_EXPECT_EQ(test, d.qos, 1);
	KUNIT_EXPECT_EQ(test, d.sub_id, 77);
	kmqtt_delivery_put(&d);
}

/* Unsubscribed: what was begun is completed, what was not goes on (3.10.4). */
static void unsubscribe_hands_on(struct kunit *test)
{
	struct kmqtt_peer *a = member(test, "a", 0), *b;
	u16 id;

	publish(test, "1", 1);
	publish(test, "2", 1);
	publish(test, "0", 0);
	publish(test, "3", 2);
	id = take(test, a, "1");
	b = member(test, "b", 0);
	KUNIT_EXPECT_EQ(test, kmqtt_session_unsubscribe(a->s, TEXT(FILTER)), 0);
	take(test, b, "2");
	take(test, b, "3");
	kmqtt_peer_expect_none(test, b);
	KUNIT_EXPECT_EQ(test, kmqtt_session_puback(a->s, &a->port, id, 0), 0);
	take(test, a, "0");
	kmqtt_peer_expect_none(test, a);
}

/* With nobody to take it, it stays where it is. */
static void last_member_keeps_it(struct kunit *test)
{
	struct kmqtt_peer *a = member(test, "a", 0), *b;

	publish(test, "1", 1);
	publish(test, "2", 2);
	KUNIT_EXPECT_EQ(test, kmqtt_session_unsubscribe(a->s, TEXT(FILTER)), 0);
	KUNIT_EXPECT_EQ(test, queued(a), 2);
	/* a group of the same name is another one */
	b = member(test, "b", 0);
	take(test, a, "1");
	take(test, a, "2");
	end(a);
	kmqtt_peer_expect_none(test, b);
}

static void full_member_takes_over_nothing(struct kunit *test)
{
	struct kmqtt_peer *a = member(test, "a", 0), *b;

	publish(test, "1", 1);
	publish(test, "2", 1);
	publish(test, "3", 1);
	b = member(test, "b", 1);
	KUNIT_EXPECT_EQ(test, kmqtt_session_unsubscribe(a->s, TEXT(FILTER)), 0);
	KUNIT_EXPECT_EQ(test, queued(b), 1);
	KUNIT_EXPECT_EQ(test, kmqtt_session_dropped(b->s), 0);
	take(test, a, "2");
	take(test, a, "3");
	take(test, b, "1");
}

/* Publishes all it has, each message with its number. */
struct storm {
	struct kunit *test;
	unsigned int published;
	bool done;
};

#define STORM_MESSAGES	600

static int storm_publisher(void *data)
{
	struct storm *storm = data;
	unsigned int i;
	char text[12];

	for (i = 0; i < STORM_MESSAGES; i++) {
		snprintf(text, sizeof(text), "%u", i);
		kmqtt_peer_publish(storm->test, NULL, "t", text, 1 + i % 2);
		if (i % 8 == 0)
			usleep_range(50, 100);
	}
	WRITE_ONCE(storm->done, true);
	while (!kthread_should_stop())
		usleep_range(100, 200);
	return 0;
}

static void storm_mark(struct kunit *test, unsigned long *seen,
		       const struct kmqtt_delivery *d)
{
	char text[12] = "";
	u32 number;

	memcpy(text, kmqtt_msg_payload(d->msg), min_t(u32, d->msg->payload_len, 11));
	KUNIT_ASSERT_EQ(test, kstrtou32(text, 10, &number), 0);
	KUNIT_ASSERT_LT(test, number, STORM_MESSAGES);
	if (d->qos == 2)
		KUNIT_EXPECT_FALSE_MSG(test, test_bit(number, seen), "%u twice", number);
	__set_bit(number, seen);
}

/* Takes what there is, and acknowledges it: @all, or what is QoS 1. */
static void storm_take(struct kunit *test, struct kmqtt_peer *peer, unsigned long *seen,
		       bool all)
{
	struct kmqtt_delivery d[8];
	size_t room = SIZE_MAX;
	int i, n;

	n = kmqtt_session_take(peer->s, &peer->port, d, 8, &room);
	for (i = 0; i < n; i++) {
		storm_mark(test, seen, &d[i]);
		if (d[i].qos == 1)
			kmqtt_session_puback(peer->s, &peer->port, d[i].packet_id, 0);
		else if (all)
			kmqtt_session_pubrec(peer->s, &peer->port, d[i].packet_id, 0x80);
		kmqtt_delivery_put(&d[i]);
	}
}

/*
 * One member stays and takes nothing until the end; others come, take some, and go
 * in all ways while messages are published: each message reaches someone, and QoS 2
 * not twice.
 */
static void nothing_is_lost_in_a_storm(struct kunit *test)
{
	struct storm storm = { .test = test };
	struct kmqtt_peer *last = member(test, "last", U32_MAX), *peer;
	struct task_struct *publisher;
	unsigned long *seen;
	unsigned int i;

	seen = kunit_kcalloc(test, BITS_TO_LONGS(STORM_MESSAGES), sizeof(long), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, seen);
	kmqtt_kunit_broker(test)->limits.max_queued_messages = 0;
	publisher = kthread_run(storm_publisher, &storm, "kmqtt_share");
	KUNIT_ASSERT_FALSE(test, IS_ERR(publisher));
	for (i = 0; !READ_ONCE(storm.done); i++) {
		peer = member(test, i % 2 ? "a" : "b", 0);
		usleep_range(100, 200);
		storm_take(test, peer, seen, i % 3);
		if (i % 4 == 1) {
			kmqtt_session_unsubscribe(peer->s, TEXT(FILTER));
			storm_take(test, peer, seen, false);
		}
		kmqtt_session_kill(peer->s, 0);
		kmqtt_peer_detach(peer);
	}
	kthread_stop(publisher);
	while (kmqtt_session_pending(last->s, &last->port))
		storm_take(test, last, seen, true);
	KUNIT_EXPECT_EQ(test, find_first_zero_bit(seen, STORM_MESSAGES), STORM_MESSAGES);
}

/*
 * A session in two groups that subscribes to the same itself, twice: each group is on its own
 * account, the rest is one message. All are held back, since another one may make the writer wait.
 */
static void groups_are_apart_when_held_back(struct kunit *test)
{
	const struct kmqtt_session_params params = {
		.kind = KMQTT_KIND_LOCAL, .policy = KMQTT_POLICY_BLOCK,
	};
	struct kmqtt_peer *blocker = kmqtt_peer_open(test, &params);
	struct kmqtt_peer *writer = kmqtt_peer_new(test, NULL, KMQTT_KIND_LOCAL);
	struct kmqtt_peer *m = member(test, "m", 0);
	struct kmqtt_msg *msg = kmqtt_kunit_msg(test, "t", "1", 1, false);
	struct kmqtt_session *blocked = NULL;
	int i;

	kmqtt_peer_subscribe(test, blocker, "t", 1, 0);
	kmqtt_peer_subscribe(test, m, "$share/h/t", 2, 0);
	kmqtt_peer_subscribe(test, m, "t", 2, 0);
	kmqtt_peer_subscribe(test, m, "+", 2, 0);
	KUNIT_EXPECT_EQ(test, kmqtt_publish(writer->s, msg, &blocked), 4);
	KUNIT_EXPECT_PTR_EQ(test, blocked, NULL);
	kmqtt_msg_put(msg);
	kmqtt_peer_expect(test, blocker, "1");
	for (i = 0; i < 3; i++)
		take(test, m, "1");
	kmqtt_peer_expect_none(test, m);
}

static struct kunit_case share_cases[] = {
	KUNIT_CASE(full_members_are_passed_over),
	KUNIT_CASE(away_is_better_than_full),
	KUNIT_CASE(all_are_full),
	KUNIT_CASE(rules_choose_the_member),
	KUNIT_CASE(unsent_and_unacknowledged_go_on),
	KUNIT_CASE(nothing_goes_on_while_the_session_lives),
	KUNIT_CASE(refused_is_gone),
	KUNIT_CASE(every_end_hands_over),
	KUNIT_CASE(process_hands_over),
	KUNIT_CASE(own_subscriptions_stay),
	KUNIT_CASE(new_member_new_options),
	KUNIT_CASE(unsubscribe_hands_on),
	KUNIT_CASE(last_member_keeps_it),
	KUNIT_CASE(full_member_takes_over_nothing),
	KUNIT_CASE(groups_are_apart_when_held_back),
	KUNIT_CASE(nothing_is_lost_in_a_storm),
	{ }
};

static struct kunit_suite share_suite = {
	.name = "kmqtt_share",
	.suite_init = kmqtt_kunit_suite_init,
	.suite_exit = kmqtt_kunit_suite_exit,
	.init = kmqtt_kunit_init,
	.exit = kmqtt_kunit_exit,
	.test_cases = share_cases,
};

kunit_test_suites(&share_suite);

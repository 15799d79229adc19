// SPDX-License-Identifier: GPL-2.0
/* Will messages (MQTT 5.0, 3.1.2.5, 3.1.3.2.2; MQTT 3.1.1, 3.1.2.5). */
#include <linux/delay.h>
#include <linux/slab.h>

#include "proto/proto.h"
#include "proto/props.h"
#include "tests/kunit/fixture.h"

#define HOUR	3600

/* A subscriber to all: it keeps what comes. */
static struct kmqtt_peer *watcher(struct kunit *test)
{
	struct kmqtt_peer *peer = kmqtt_peer_new(test, "watcher", KMQTT_KIND_LOCAL);

	kmqtt_peer_subscribe(test, peer, "#", 2, 0);
	return peer;
}

static struct kmqtt_session_params params_of(u32 expiry, u32 delay)
{
	return (struct kmqtt_session_params) {
		.name = "client",
		.kind = KMQTT_KIND_REMOTE,
		.ack_mode = KMQTT_ACK_MQTT,
		.expiry = expiry,
		.will_delay = delay,
	};
}

static u64 published(struct kunit *test)
{
	u64 sum[KMQTT_STAT_COUNT];

	kmqtt_stats_sum(kmqtt_kunit_broker(test)->stats, sum);
	return sum[KMQTT_STAT_MESSAGES_PUBLISHED];
}

/* Opens a session whose will is @payload at the topic `will`; NULL: without one. */
static struct kmqtt_peer *client(struct kunit *test, struct kmqtt_session_params params,
				 const char *payload)
{
	struct kmqtt_peer *peer;

	params.will = payload ? kmqtt_kunit_msg(test, "will", payload, 1, false) : NULL;
	peer = kmqtt_peer_open(test, &params);
	if (params.will)
		kmqtt_msg_put(params.will);
	return peer;
}

/* What the work items had to publish by now, is published. */
static void settle(struct kunit *test)
{
	flush_workqueue(kmqtt_kunit_broker(test)->wq);
}

static void expect_will(struct kunit *test, struct kmqtt_peer *watcher, const char *payload)
{
	settle(test);
	kmqtt_peer_expect(test, watcher, payload);
	kmqtt_peer_expect_none(test, watcher);
}

static void expect_no_will(struct kunit *test, struct kmqtt_peer *watcher)
{
	settle(test);
	kmqtt_peer_expect_none(test, watcher);
}

static void lost_without_a_word(struct kunit *test)
{
	struct kmqtt_peer *w = watcher(test);
	struct kmqtt_peer *peer = client(test, params_of(U32_MAX, 0), "gone");

	expect_no_will(test, w);
	kmqtt_peer_detach(peer);
	expect_will(test, w, "gone");
	/* once: the session is still there, its will is not */
	peer = client(test, params_of(U32_MAX, 0), NULL);
	KUNIT_EXPECT_TRUE(test, peer->present);
	kmqtt_peer_detach(peer);
	expect_no_will(test, w);
}

static void good_bye_drops_it(struct kunit *test)
{
	struct kmqtt_peer *w = watcher(test);
	struct kmqtt_peer *peer = client(test, params_of(U32_MAX, HOUR), "gone");

	kmqtt_session_will_drop(peer->s, &peer->port);
	KUNIT_EXPECT_NULL(test, peer->s->will);
	kmqtt_session_will_drop(peer->s, &peer->port);
	kmqtt_peer_detach(peer);
	peer = client(test, params_of(0, 0), NULL);
	kmqtt_session_will_drop(peer->s, &peer->port);
	kmqtt_peer_detach(peer);
	expect_no_will(test, w);
}

/* The good-bye of the connection before is not that of this one. */
static void late_good_bye(struct kunit *test)
{
	struct kmqtt_peer *w = watcher(test);
	struct kmqtt_peer *old = client(test, params_of(U32_MAX, HOUR), "old");
	struct kmqtt_peer *new = client(test, params_of(U32_MAX, 0), "new");

	kmqtt_session_will_drop(old->s, &old->port);
	kmqtt_peer_detach(old);
	kmqtt_peer_detach(new);
	expect_will(test, w, "new");
}

static bool waits(const struct kmqtt_session *s)
{
	return READ_ONCE(s->will);
}

/* How long it takes is not the question, but that it comes. */
static void after_its_delay(struct kunit *test)
{
	struct kmqtt_peer *w = watcher(test);
	struct kmqtt_peer *peer = client(test, params_of(U32_MAX, 1), "gone");
	struct kmqtt_session *s = peer->s;
	unsigned int tries;

	kmqtt_session_get(s);
	kmqtt_peer_detach(peer);
	for (tries = 0; tries < 600 && waits(s); tries++)
		msleep(100);
	expect_will(test, w, "gone");
	kmqtt_session_put(s);
}

/* The delay or the end of the session, whichever comes first. */
static void at_the_end_of_the_session(struct kunit *test)
{
	struct kmqtt_peer *w = watcher(test);
	struct kmqtt_peer *peer;
	struct kmqtt_session *s;
	unsigned int tries;

	/* with the connection */
	kmqtt_peer_detach(client(test, params_of(0, HOUR), "1"));
	expect_will(test, w, "1");

	/* killed while it is away */
	peer = client(test, params_of(U32_MAX, HOUR), "2");
	s = peer->s;
	kmqtt_session_get(s);
	kmqtt_peer_detach(peer);
	expect_no_will(test, w);
	kmqtt_session_kill(s, KMQTT_RC_ADMINISTRATIVE_ACTION);
	kmqtt_session_put(s);
	expect_will(test, w, "2");

	/* killed while it is there */
	peer = client(test, params_of(U32_MAX, HOUR), "3");
	kmqtt_session_kill(peer->s, KMQTT_RC_ADMINISTRATIVE_ACTION);
	expect_will(test, w, "3");

	/* expired; how long that takes is not the question */
	peer = client(test, params_of(1, HOUR), "4");
	s = peer->s;
	kmqtt_session_get(s);
	kmqtt_peer_detach(peer);
	for (tries = 0; tries < 600 && waits(s); tries++)
		msleep(100);
	kmqtt_session_put(s);
	expect_will(test, w, "4");
}

/* DISCONNECT with a shorter session expiry interval, and with reason 0x04. */
static void expiry_changed_on_disconnect(struct kunit *test)
{
	struct kmqtt_peer *w = watcher(test);
	struct kmqtt_peer *peer = client(test, params_of(U32_MAX, HOUR), "gone");

	KUNIT_EXPECT_EQ(test, kmqtt_session_set_expiry(peer->s, &peer->port, 0), 0);
	kmqtt_peer_detach(peer);
	expect_will(test, w, "gone");
}

static void back_before_the_delay_is_over(struct kunit *test)
{
	struct kmqtt_peer *w = watcher(test);
	struct kmqtt_peer *peer;

	kmqtt_peer_detach(client(test, params_of(U32_MAX, HOUR), "1"));
	peer = client(test, params_of(U32_MAX, HOUR), "2");
	KUNIT_EXPECT_TRUE(test, peer->present);
	/* the new one took its place */
	KUNIT_EXPECT_EQ(test, kmqtt_session_set_expiry(peer->s, &peer->port, 0), 0);
	kmqtt_peer_detach(peer);
	expect_will(test, w, "2");
}

/* A clean start ends the session that was there (MQTT 5.0, 3.1.2.4). */
static void clean_start_after_the_loss(struct kunit *test)
{
	struct kmqtt_session_params params = params_of(U32_MAX, 0);
	struct kmqtt_peer *w = watcher(test);

	kmqtt_peer_detach(client(test, params_of(U32_MAX, HOUR), "gone"));
	params.clean = true;
	client(test, params, NULL);
	expect_will(test, w, "gone");
}

static void taken_over(struct kunit *test)
{
	struct kmqtt_session_params clean = params_of(U32_MAX, HOUR);
	struct kmqtt_peer *w = watcher(test);
	struct kmqtt_peer *peer;

	/* without a delay it is lost like any other */
	client(test, params_of(U32_MAX, 0), "1");
	client(test, params_of(U32_MAX, HOUR), "2");
	expect_will(test, w, "1");
	/* with one, the new connection is in time */
	client(test, params_of(U32_MAX, HOUR), "3");
	expect_no_will(test, w);
	/* a clean start ends the session, and with it the delay */
	clean.clean = true;
	peer = client(test, clean, "4");
	KUNIT_EXPECT_FALSE(test, peer->present);
	expect_will(test, w, "3");
}

static void allow(struct kunit *test, const char *user, u8 access, const char *filter)
{
	struct kmqtt_acl_rule *rule;

	rule = kzalloc(struct_size(rule, filter, strlen(filter)), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, rule);
	rule->subject = user ? KMQTT_ACL_USER : KMQTT_ACL_ANY;
	rule->access = access;
	rule->allow = true;
	rule->name = user ? kstrdup(user, GFP_KERNEL) : NULL;
	rule->filter_len = strlen(filter);
	memcpy(rule->filter, filter, rule->filter_len);
	KUNIT_ASSERT_EQ(test, kmqtt_acl_add(&kmqtt_kunit_broker(test)->acl, rule, 0), 0);
}

static void take_over_as(struct kunit *test, const char *user, const char *payload)
{
	struct kmqtt_session_params params = params_of(U32_MAX, 0);
	struct kmqtt_peer *peer = kmqtt_peer_alloc(test);

	params.will = kmqtt_kunit_msg(test, "will", payload, 1, false);
	peer->user = user;
	KUNIT_ASSERT_EQ(test, kmqtt_peer_try(test, peer, &params), 0);
	kmqtt_msg_put(params.will);
}

/* Who set it has to be allowed to, not who came after him. */
static void with_the_rights_of_who_set_it(struct kunit *test)
{
	struct kmqtt_peer *w = watcher(test);

	allow(test, NULL, KMQTT_ACL_READ, "#");
	allow(test, "alice", KMQTT_ACL_WRITE, "#");
	take_over_as(test, "alice", "alice");
	take_over_as(test, "bob", "bob");
	expect_will(test, w, "alice");
	take_over_as(test, "alice", "again");
	expect_no_will(test, w);
}

/* A message in every respect: retained, with QoS, with time from now on. */
static void is_a_message(struct kunit *test)
{
	/* will delay interval, user property */
	static const u8 props[] = { 0x18, 0, 0, 0, 9, 0x26, 0, 1, 'a', 0, 1, 'b' };
	const struct kmqtt_msg_desc desc = {
		.topic = "will",
		.topic_len = 4,
		.props = props,
		.props_len = sizeof(props),
		.qos = 2,
		.retain = true,
		.payload_len = 1,
	};
	struct kmqtt_session_params params = params_of(0, 0);
	struct kmqtt_broker *b = kmqtt_kunit_broker(test);
	struct kmqtt_peer *w = watcher(test);
	struct kmqtt_delivery d;

	params.will_expiry = HOUR;
	params.will = kmqtt_msg_alloc(b, &desc, GFP_KERNEL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(params.will));
	*kmqtt_msg_payload(params.will) = '1';
	/* the delay interval is no property of a PUBLISH */
	KUNIT_EXPECT_EQ(test, params.will->props_len, 7);
	kmqtt_peer_detach(kmqtt_peer_open(test, &params));
	kmqtt_msg_put(params.will);
	settle(test);
	KUNIT_ASSERT_EQ(test, kmqtt_peer_take(w, &d), 1);
	KUNIT_EXPECT_EQ(test, d.qos, 2);
	KUNIT_EXPECT_GT(test, d.expiry, 0);
	KUNIT_EXPECT_LE(test, d.expiry, HOUR);
	KUNIT_EXPECT_EQ(test, b->retain.count, 1);
	kmqtt_delivery_put(&d);
}

/* Who is refused leaves no will. */
static void refused_at_the_door(struct kunit *test)
{
	struct kmqtt_session_params params = params_of(U32_MAX, 0);
	struct kmqtt_peer *w = watcher(test), other = { };

	params.name = "watcher";
	params.will = kmqtt_kunit_msg(test, "will", "gone", 1, false);
	KUNIT_EXPECT_EQ(test, kmqtt_peer_try(test, &other, &params), -EACCES);
	kmqtt_msg_put(params.will);
	expect_no_will(test, w);
}

/* Nobody is told that a client was lost when it is the switch that goes. */
static void none_while_the_switch_goes(struct kunit *test)
{
	struct kmqtt_broker *b = kmqtt_kunit_broker(test);
	struct kmqtt_session_params params = params_of(U32_MAX, HOUR);
	u64 before = published(test);

	client(test, params, "there");
	params.name = "away";
	kmqtt_peer_detach(client(test, params, "away"));
	kmqtt_broker_shutdown(b);
	KUNIT_EXPECT_EQ(test, published(test), before);
	KUNIT_EXPECT_EQ(test, percpu_counter_sum(&b->memory), 0);
}

/*
 * Lost and back in every way, as fast as it goes: each will that has no delay and
 * was not dropped is published, and none that was dropped.
 */
static void many_come_and_go(struct kunit *test)
{
	unsigned int i, lost = 0, drop, delay;
	struct kmqtt_session_params params;
	u64 before = published(test);
	struct kmqtt_peer *peer;
	char name[8];

	for (i = 0; i < 300; i++) {
		delay = i % 3 ? 0 : HOUR;
		drop = i % 4 == 0;
		params = params_of(U32_MAX, delay);
		snprintf(name, sizeof(name), "%u", i % 7);
		params.name = name;
		peer = client(test, params, "x");
		if (drop)
			kmqtt_session_will_drop(peer->s, &peer->port);
		/* each is lost here or when the next one comes */
		lost += !drop && !delay;
		if (i % 5)
			kmqtt_peer_detach(peer);
	}
	settle(test);
	/* the last seven that are still there have not been lost */
	for (i = 293; i < 300; i++)
		lost -= !(i % 5) && i % 4 && i % 3;
	KUNIT_EXPECT_EQ(test, published(test) - before, lost);
}

static struct kunit_case will_cases[] = {
	KUNIT_CASE(lost_without_a_word),
	KUNIT_CASE(good_bye_drops_it),
	KUNIT_CASE(late_good_bye),
	KUNIT_CASE(after_its_delay),
	KUNIT_CASE(at_the_end_of_the_session),
	KUNIT_CASE(expiry_changed_on_disconnect),
	KUNIT_CASE(back_before_the_delay_is_over),
	KUNIT_CASE(clean_start_after_the_loss),
	KUNIT_CASE(taken_over),
	KUNIT_CASE(with_the_rights_of_who_set_it),
	KUNIT_CASE(is_a_message),
	KUNIT_CASE(refused_at_the_door),
	KUNIT_CASE(none_while_the_switch_goes),
	KUNIT_CASE(many_come_and_go),
	{ }
};

static struct kunit_suite will_suite = {
	.name = "kmqtt_will",
	.suite_init = kmqtt_kunit_suite_init,
	.suite_exit = kmqtt_kunit_suite_exit,
	.init = kmqtt_kunit_init,
	.exit = kmqtt_kunit_exit,
	.test_cases = will_cases,
};

kunit_test_suites(&will_suite);

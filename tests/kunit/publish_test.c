// SPDX-License-Identifier: GPL-2.0
/* The way of a message: rules, retained store, match, queues (MQTT 5.0, 3.3.1.3, 3.3.4). */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "core/queue.h"
#include "core/stock.h"
#include "core/tracker.h"
#include "proto/proto.h"
#include "tests/kunit/fixture.h"

static struct kmqtt_peer *local(struct kunit *test, const char *name)
{
	return kmqtt_peer_new(test, name, KMQTT_KIND_LOCAL);
}

static void subscribe(struct kunit *test, struct kmqtt_peer *peer,
		      const char *filter, const struct kmqtt_sub_opts *opts)
{
	KUNIT_ASSERT_EQ(test, kmqtt_session_subscribe(peer->s, TEXT(filter), opts), 0);
}

static int publish_retained(struct kunit *test, const char *topic,
			    const char *payload, u8 qos)
{
	struct kmqtt_msg *msg = kmqtt_kunit_msg(test, topic, payload, qos, true);
	int ret = kmqtt_publish(NULL, msg, NULL);

	kmqtt_msg_put(msg);
	return ret;
}

/* MQTT 5.0, 3.3.4: once, with the highest QoS and all identifiers. */
static void overlapping_subscriptions(struct kunit *test)
{
	struct kmqtt_peer *peer = local(test, "one");
	struct kmqtt_delivery d;
	u32 sum = 0, i;

	kmqtt_peer_subscribe(test, peer, "a/+", 0, 1);
	kmqtt_peer_subscribe(test, peer, "a/#", 2, 10);
	kmqtt_peer_subscribe(test, peer, "a/b", 1, 100);
	kmqtt_peer_subscribe(test, peer, "#", 1, 0);
	kmqtt_peer_subscribe(test, peer, "c", 1, 1000);
	KUNIT_EXPECT_EQ(test, kmqtt_peer_publish(test, NULL, "a/b", "x", 2), 1);
	KUNIT_ASSERT_EQ(test, kmqtt_peer_take(peer, &d), 1);
	KUNIT_EXPECT_EQ(test, d.qos, 2);
	KUNIT_ASSERT_NOT_NULL(test, d.more_ids);
	KUNIT_EXPECT_EQ(test, d.more_ids->count, 3);
	for (i = 0; i < d.more_ids->count; i++)
		sum += d.more_ids->id[i];
	KUNIT_EXPECT_EQ(test, sum, 111);
	KUNIT_EXPECT_GE(test, kmqtt_delivery_record_len(&d), d.msg->record_len);
	kmqtt_delivery_put(&d);
	kmqtt_peer_expect_none(test, peer);

	KUNIT_EXPECT_EQ(test, kmqtt_peer_publish(test, NULL, "c", "y", 2), 1);
	KUNIT_ASSERT_EQ(test, kmqtt_peer_take(peer, &d), 1);
	KUNIT_EXPECT_EQ(test, d.qos, 1);
	KUNIT_EXPECT_EQ(test, d.sub_id, 1000);
	KUNIT_EXPECT_NULL(test, d.more_ids);
	kmqtt_delivery_put(&d);
}

/* More at once than there is room for on the stack, of several sessions. */
static void many_overlapping_subscriptions(struct kunit *test)
{
	struct kmqtt_peer *peer[3];
	struct kmqtt_delivery d;
	char filter[32], *p;
	unsigned int i, mix, level;

	for (i = 0; i < 3; i++) {
		peer[i] = local(test, NULL);
		for (mix = 0; mix < 64; mix++) {
			for (p = filter, level = 0; level < 6; level++)
				p += sprintf(p, "%s%s", level ? "/" : "",
					     mix & BIT(level) ? "+" : "x");
			kmqtt_peer_subscribe(test, peer[i], filter, mix % 3, mix + 1);
		}
	}
	KUNIT_EXPECT_EQ(test, kmqtt_peer_publish(test, NULL, "x/x/x/x/x/x", "m", 2), 3);
	for (i = 0; i < 3; i++) {
		KUNIT_ASSERT_EQ(test, kmqtt_peer_take(peer[i], &d), 1);
		KUNIT_EXPECT_EQ(test, d.qos, 2);
		KUNIT_EXPECT_EQ(test, d.more_ids ? d.more_ids->count : 0, 64);
		kmqtt_delivery_put(&d);
		kmqtt_peer_expect_none(test, peer[i]);
	}
}

/* MQTT 5.0, 4.8.2: a shared subscription and one's own are two. */
static void shared_and_plain(struct kunit *test)
{
	struct kmqtt_peer *peer = local(test, "one");

	kmqtt_peer_subscribe(test, peer, "a", 1, 1);
	kmqtt_peer_subscribe(test, peer, "$share/g/a", 1, 2);
	KUNIT_EXPECT_EQ(test, kmqtt_peer_publish(test, NULL, "a", "x", 1), 2);
	kmqtt_peer_expect(test, peer, "x");
	kmqtt_peer_expect(test, peer, "x");
	kmqtt_peer_expect_none(test, peer);
}

static void nobody_gets_his_own_back(struct kunit *test)
{
	const struct kmqtt_sub_opts no_local = { .qos = 1, .no_local = true };
	struct kmqtt_peer *deaf = local(test, "deaf"), *both = local(test, "both");
	struct kmqtt_peer *uplink = kmqtt_peer_new(test, "up", KMQTT_KIND_UPLINK);

	subscribe(test, deaf, "t", &no_local);
	subscribe(test, both, "t", &no_local);
	kmqtt_peer_subscribe(test, both, "#", 1, 0);
	kmqtt_peer_subscribe(test, uplink, "#", 1, 0);
	KUNIT_EXPECT_EQ(test, kmqtt_peer_publish(test, deaf, "t", "1", 1), 2);
	KUNIT_EXPECT_EQ(test, kmqtt_peer_publish(test, both, "t", "2", 1), 3);
	KUNIT_EXPECT_EQ(test, kmqtt_peer_publish(test, uplink, "t", "3", 1), 2);
	kmqtt_peer_expect(test, deaf, "2");
	kmqtt_peer_expect(test, deaf, "3");
	kmqtt_peer_expect(test, both, "1");
	kmqtt_peer_expect(test, both, "2");
	kmqtt_peer_expect(test, both, "3");
	kmqtt_peer_expect(test, uplink, "1");
	kmqtt_peer_expect(test, uplink, "2");
	kmqtt_peer_expect_none(test, uplink);
}

/* Takes one; -1 if there is none, else its RETAIN flag. */
static int retain_flag(struct kmqtt_peer *peer)
{
	struct kmqtt_delivery d;
	int retain;

	if (kmqtt_peer_take(peer, &d) != 1)
		return -1;
	retain = d.retain;
	kmqtt_delivery_put(&d);
	return retain;
}

/* MQTT 5.0, 3.3.1.3 and 3.8.3.1 */
static void retain_flag_and_handling(struct kunit *test)
{
	struct kmqtt_sub_opts opts = { .qos = 1 };
	struct kmqtt_peer *peer = local(test, "one"), *keep = local(test, "keep");

	subscribe(test, peer, "t", &opts);
	opts.retain_as_published = true;
	subscribe(test, keep, "t", &opts);
	KUNIT_EXPECT_EQ(test, publish_retained(test, "t", "x", 1), 2);
	KUNIT_EXPECT_EQ(test, retain_flag(peer), 0);
	KUNIT_EXPECT_EQ(test, retain_flag(keep), 1);
	kmqtt_peer_publish(test, NULL, "t", "y", 1);
	KUNIT_EXPECT_EQ(test, retain_flag(keep), 0);
	KUNIT_EXPECT_EQ(test, retain_flag(peer), 0);

	/* each subscribe sends it; a new one only; never */
	opts.retain_as_published = false;
	subscribe(test, peer, "t", &opts);
	KUNIT_EXPECT_EQ(test, retain_flag(peer), 1);
	opts.retain_handling = 1;
	subscribe(test, peer, "t", &opts);
	KUNIT_EXPECT_EQ(test, retain_flag(peer), -1);
	subscribe(test, peer, "+", &opts);
	KUNIT_EXPECT_EQ(test, retain_flag(peer), 1);
	opts.retain_handling = 2;
	subscribe(test, peer, "#", &opts);
	KUNIT_EXPECT_EQ(test, retain_flag(peer), -1);
	/* a shared subscription gets none (4.8.2) */
	opts.retain_handling = 0;
	subscribe(test, peer, "$share/g/t", &opts);
	KUNIT_EXPECT_EQ(test, retain_flag(peer), -1);

	/* an empty one removes it, and is delivered to who is there */
	publish_retained(test, "t", "", 1);
	KUNIT_EXPECT_EQ(test, kmqtt_kunit_broker(test)->retain.count, 0);
	KUNIT_EXPECT_EQ(test, retain_flag(keep), 1);
}

/**
 * struct answer - a retained message that comes because somebody subscribes
 * @watch:	sees that
 * @work:	publishes it
 * @done:	it is published
 * @test:	for the rest
 */
struct answer {
	struct kmqtt_sub_watch watch;
	struct work_struct work;
	struct completion done;
	struct kunit *test;
};

static void answer_publish(struct work_struct *work)
{
	struct answer *a = container_of(work, struct answer, work);

	KUNIT_EXPECT_EQ(a->test, publish_retained(a->test, "t", "x", 1), 1);
	complete(&a->done);
}

/* It gets as long as it may want to come between. */
static void answer_subscribed(struct kmqtt_sub_watch *watch, const u8 *filter, u32 len,
			      bool added)
{
	struct answer *a = container_of(watch, struct answer, watch);

	if (!added)
		return;
	schedule_work(&a->work);
	wait_for_completion_timeout(&a->done, HZ / 10);
}

/* An uplink that subscribes on demand gets what its server has retained at once. */
static void retained_while_one_subscribes_comes_once(struct kunit *test)
{
	struct kmqtt_broker *b = kmqtt_kunit_broker(test);
	struct answer *a = kunit_kzalloc(test, sizeof(*a), GFP_KERNEL);
	struct kmqtt_peer *peer = local(test, "one");

	KUNIT_ASSERT_NOT_NULL(test, a);
	a->test = test;
	a->watch.changed = answer_subscribed;
	INIT_WORK(&a->work, answer_publish);
	init_completion(&a->done);
	kmqtt_tree_watch(&b->tree, &a->watch);
	kmqtt_peer_subscribe(test, peer, "t", 1, 0);
	flush_work(&a->work);
	kmqtt_tree_unwatch(&b->tree, &a->watch);
	KUNIT_EXPECT_EQ(test, retain_flag(peer), 0);
	KUNIT_EXPECT_EQ(test, retain_flag(peer), -1);
}

static int retained_publisher(void *data)
{
	struct kunit *test = data;
	char payload[12];
	int i = 0;

	while (!kthread_should_stop()) {
		snprintf(payload, sizeof(payload), "%d", i++);
		publish_retained(test, "t", payload, 1);
		cond_resched();
	}
	return 0;
}

/* Each value that follows the first is another one. */
static void retained_or_new_but_not_both(struct kunit *test)
{
	struct kmqtt_broker *b = kmqtt_kunit_broker(test);
	struct task_struct *publisher;
	struct kmqtt_delivery d;
	struct kmqtt_peer *peer;
	char last[12], now[12];
	int i, n, seen = 0;

	publisher = kthread_run(retained_publisher, test, "kmqtt_retained");
	KUNIT_ASSERT_FALSE(test, IS_ERR(publisher));
	/* where there is one processor, it would not have begun when this is over */
	for (i = 0; i < 10000 && !READ_ONCE(b->retain.count); i++)
		usleep_range(1000, 2000);
	for (i = 0; i < 60; i++) {
		cond_resched();
		peer = local(test, NULL);
		kmqtt_peer_subscribe(test, peer, "t", 1, 0);
		last[0] = '\0';
		for (n = 0; n < 3 && kmqtt_peer_take(peer, &d) == 1; n++) {
			snprintf(now, sizeof(now), "%.*s", (int)d.msg->payload_len,
				 kmqtt_msg_payload(d.msg));
			KUNIT_EXPECT_STRNEQ(test, last, now);
			strscpy(last, now, sizeof(last));
			kmqtt_delivery_put(&d);
			seen++;
		}
		kmqtt_peer_detach(peer);
	}
	kthread_stop(publisher);
	KUNIT_EXPECT_GT(test, seen, 0);
}

static void retained_qos_is_the_lower(struct kunit *test)
{
	struct kmqtt_peer *peer = local(test, "one");
	struct kmqtt_delivery d;

	publish_retained(test, "t", "x", 1);
	kmqtt_peer_subscribe(test, peer, "t", 2, 7);
	KUNIT_ASSERT_EQ(test, kmqtt_peer_take(peer, &d), 1);
	KUNIT_EXPECT_EQ(test, d.qos, 1);
	KUNIT_EXPECT_EQ(test, d.sub_id, 7);
	kmqtt_delivery_put(&d);
}

/* upgrade_outgoing_qos: the subscription's QoS, whatever the publisher's was. */
static void qos_is_upgraded(struct kunit *test)
{
	struct kmqtt_peer *high = local(test, "high"), *low = local(test, "low");
	struct kmqtt_delivery d;

	kmqtt_kunit_broker(test)->limits.upgrade_outgoing_qos = true;
	kmqtt_peer_subscribe(test, high, "t", 2, 0);
	kmqtt_peer_subscribe(test, low, "t", 0, 0);
	publish_retained(test, "t", "x", 0);
	KUNIT_ASSERT_EQ(test, kmqtt_peer_take(high, &d), 1);
	KUNIT_EXPECT_EQ(test, d.qos, 2);
	kmqtt_delivery_put(&d);
	KUNIT_ASSERT_EQ(test, kmqtt_peer_take(low, &d), 1);
	KUNIT_EXPECT_EQ(test, d.qos, 0);
	kmqtt_delivery_put(&d);
	/* what is retained too */
	kmqtt_peer_subscribe(test, high, "t", 1, 0);
	KUNIT_ASSERT_EQ(test, kmqtt_peer_take(high, &d), 1);
	KUNIT_EXPECT_EQ(test, d.qos, 1);
	KUNIT_EXPECT_TRUE(test, d.retain);
	kmqtt_delivery_put(&d);
}

static void retained_limits(struct kunit *test)
{
	struct kmqtt_broker *b = kmqtt_kunit_broker(test);
	struct kmqtt_peer *peer = local(test, "one");

	kmqtt_peer_subscribe(test, peer, "#", 1, 0);
	b->limits.max_retained_messages = 1;
	KUNIT_EXPECT_EQ(test, publish_retained(test, "a", "x", 1), 1);
	KUNIT_EXPECT_EQ(test, publish_retained(test, "b", "x", 1), -ENOBUFS);
	kmqtt_peer_expect(test, peer, "x");
	/* nothing happened */
	kmqtt_peer_expect_none(test, peer);
	b->limits.retain_available = false;
	KUNIT_EXPECT_EQ(test, publish_retained(test, "b", "y", 1), 1);
	KUNIT_EXPECT_EQ(test, b->retain.count, 1);
}

/* @client: whom it is about; NULL: everyone */
static void deny_name(struct kunit *test, u8 access, const char *filter, u8 subject,
		      const char *name)
{
	struct kmqtt_acl *acl = &kmqtt_kunit_broker(test)->acl;
	struct kmqtt_acl_rule *rule;

	rule = kzalloc(struct_size(rule, filter, strlen(filter)), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, rule);
	rule->subject = subject;
	rule->name = name ? kstrdup(name, GFP_KERNEL) : NULL;
	rule->access = access;
	rule->filter_len = strlen(filter);
	memcpy(rule->filter, filter, rule->filter_len);
	acl->default_allow = true;
	KUNIT_ASSERT_EQ(test, kmqtt_acl_add(acl, rule, 0), 0);
}

static void deny_client(struct kunit *test, u8 access, const char *filter,
			const char *client)
{
	deny_name(test, access, filter, KMQTT_ACL_CLIENT, client);
}

static void deny(struct kunit *test, u8 access, const char *filter)
{
	deny_name(test, access, filter, KMQTT_ACL_ANY, NULL);
}

static void rules_are_kept(struct kunit *test)
{
	const struct kmqtt_sub_opts opts = { .qos = 1 };
	struct kmqtt_peer *peer = local(test, "one");
	u64 sum[KMQTT_STAT_COUNT];

	publish_retained(test, "a/secret", "old", 1);
	deny(test, KMQTT_ACL_READ, "a/secret");
	deny(test, KMQTT_ACL_WRITE, "b/#");
	KUNIT_EXPECT_EQ(test, kmqtt_session_subscribe(peer->s, TEXT("a/secret"), &opts),
			-EACCES);
	kmqtt_peer_subscribe(test, peer, "a/#", 1, 0);
	kmqtt_peer_expect_none(test, peer);
	KUNIT_EXPECT_EQ(test, kmqtt_peer_publish(test, peer, "a/secret", "x", 1), 0);
	KUNIT_EXPECT_EQ(test, kmqtt_peer_publish(test, peer, "a/open", "y", 1), 1);
	KUNIT_EXPECT_EQ(test, kmqtt_peer_publish(test, peer, "b/c", "z", 1), -EACCES);
	kmqtt_peer_expect(test, peer, "y");
	kmqtt_peer_expect_none(test, peer);
	kmqtt_stats_sum(kmqtt_kunit_broker(test)->stats, sum);
	KUNIT_EXPECT_EQ(test, sum[KMQTT_STAT_MESSAGES_DENIED], 1);
}

/* What is inside a shared subscription is a filter, whatever it looks like. */
static void rules_look_into_one_share(struct kunit *test)
{
	const struct kmqtt_sub_opts opts = { .qos = 1 };
	struct kmqtt_peer *peer = local(test, "one");

	deny(test, KMQTT_ACL_READ, "x");
	KUNIT_EXPECT_EQ(test, kmqtt_session_subscribe(peer->s, TEXT("$share/a/x"), &opts),
			-EACCES);
	KUNIT_EXPECT_EQ(test, kmqtt_session_subscribe(peer->s,
						      TEXT("$share/a/$share/b/x"), &opts), 0);
	KUNIT_EXPECT_EQ(test, kmqtt_peer_publish(test, NULL, "$share/b/x", "1", 1), 1);
	kmqtt_peer_expect(test, peer, "1");
}

static int retain_by(struct kunit *test, struct kmqtt_peer *peer, const char *topic,
		     const char *payload)
{
	struct kmqtt_msg *msg = kmqtt_kunit_msg(test, topic, payload, 1, true);
	int ret = kmqtt_session_publish(peer->s, &peer->port, msg, NULL, NULL);

	kmqtt_msg_put(msg);
	return ret;
}

/* check_retain_source: what somebody may not publish any more is not sent any more. */
static void retained_message_of_who_may_not(struct kunit *test)
{
	struct kmqtt_broker *b = kmqtt_kunit_broker(test);
	struct kmqtt_peer *one = local(test, "one"), *two = local(test, "two");
	struct kmqtt_peer *reader = local(test, "reader");

	retain_by(test, one, "a/1", "1");
	retain_by(test, one, "a/2", "2");
	retain_by(test, two, "a/3", "3");
	publish_retained(test, "a/4", "4", 1);
	/* the messages outlive their publishers, and what is kept of them is shared */
	kmqtt_session_kill(one->s, 0x98);
	KUNIT_EXPECT_EQ(test, percpu_counter_sum(&b->memory),
			(s64)(b->retain.bytes + b->retain.trie.bytes) +
			2 * (s64)kmqtt_identity_size(b->retain.source));
	deny_client(test, KMQTT_ACL_WRITE, "a/1", "one");
	deny_client(test, KMQTT_ACL_WRITE, "a/3", "one");
	kmqtt_peer_subscribe(test, reader, "a/#", 1, 0);
	kmqtt_peer_expect(test, reader, "2");
	kmqtt_peer_expect(test, reader, "3");
	kmqtt_peer_expect(test, reader, "4");
	kmqtt_peer_expect_none(test, reader);

	/* another one publishes it, and it is his */
	KUNIT_EXPECT_EQ(test, retain_by(test, two, "a/1", "5"), 1);
	kmqtt_peer_expect(test, reader, "5");
	kmqtt_peer_subscribe(test, reader, "a/1", 1, 0);
	kmqtt_peer_expect(test, reader, "5");
	deny_client(test, KMQTT_ACL_WRITE, "a/1", "two");
	kmqtt_peer_subscribe(test, reader, "a/1", 1, 0);
	kmqtt_peer_expect_none(test, reader);
	b->limits.check_retain_source = false;
	kmqtt_peer_subscribe(test, reader, "a/1", 1, 0);
	kmqtt_peer_expect(test, reader, "5");
}

/* What is kept of a publisher counts as memory, or the message is not kept. */
static void retained_source_counts_as_memory(struct kunit *test)
{
	struct kmqtt_broker *b = kmqtt_kunit_broker(test);
	struct kmqtt_peer *peer = kmqtt_peer_alloc(test);
	const struct kmqtt_session_params params = {
		.name = "long", .kind = KMQTT_KIND_LOCAL,
	};
	char *user = kunit_kzalloc(test, 60001, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, user);
	memset(user, 'u', 60000);
	peer->user = user;
	KUNIT_ASSERT_EQ(test, kmqtt_peer_try(test, peer, &params), 0);
	b->limits.memory_limit = 50000;
	KUNIT_EXPECT_EQ(test, retain_by(test, peer, "a", "1"), -ENOBUFS);
	KUNIT_EXPECT_EQ(test, b->retain.count, 0);
	KUNIT_EXPECT_EQ(test, percpu_counter_sum(&b->memory), 0);
	b->limits.memory_limit = 100000;
	KUNIT_EXPECT_EQ(test, retain_by(test, peer, "a", "1"), 0);
	KUNIT_EXPECT_GT(test, percpu_counter_sum(&b->memory), 60000);
	KUNIT_EXPECT_EQ(test, retain_by(test, peer, "b", "1"), 0);
	KUNIT_EXPECT_LT(test, percpu_counter_sum(&b->memory), 65000);
}

/* Nor is anything kept of him if the topic's levels do not fit. */
static void retained_source_goes_with_its_message(struct kunit *test)
{
	struct kmqtt_broker *b = kmqtt_kunit_broker(test);
	struct kmqtt_peer *one = local(test, "one");
	s64 before = percpu_counter_sum(&b->memory);
	char topic[KMQTT_TOPIC_LEVELS_MAX];

	memset(topic, '/', sizeof(topic) - 1);
	topic[sizeof(topic) - 1] = 0;
	b->limits.memory_limit = 10000;
	KUNIT_EXPECT_EQ(test, retain_by(test, one, topic, "1"), -ENOBUFS);
	KUNIT_EXPECT_EQ(test, b->retain.count, 0);
	KUNIT_EXPECT_NULL(test, b->retain.source);
	KUNIT_EXPECT_EQ(test, percpu_counter_sum(&b->memory), before);
}

/* Another user's client has the same identifier: what waits is not all for it. */
static void session_of_another_user(struct kunit *test)
{
	const struct kmqtt_session_params params = {
		.name = "client",
		.kind = KMQTT_KIND_REMOTE,
		.ack_mode = KMQTT_ACK_MQTT,
		.expiry = U32_MAX,
	};
	struct kmqtt_peer *peer = kmqtt_peer_alloc(test);

	deny_name(test, KMQTT_ACL_READ, "a/#", KMQTT_ACL_USER, "two");
	peer->user = "one";
	KUNIT_ASSERT_EQ(test, kmqtt_peer_try(test, peer, &params), 0);
	kmqtt_session_resume(peer->s, &peer->port, 10, false);
	kmqtt_peer_subscribe(test, peer, "#", 2, 0);
	kmqtt_peer_publish(test, NULL, "a/1", "secret 1", 1);
	kmqtt_peer_publish(test, NULL, "b/1", "open 1", 2);
	kmqtt_peer_publish(test, NULL, "a/2", "secret 2", 2);
	kmqtt_peer_expect(test, peer, "secret 1");
	kmqtt_peer_expect(test, peer, "open 1");
	kmqtt_peer_expect(test, peer, "secret 2");
	kmqtt_peer_publish(test, NULL, "a/3", "secret 3", 1);
	kmqtt_peer_publish(test, NULL, "b/2", "open 2", 1);

	/* the same one gets all of it */
	kmqtt_peer_detach(peer);
	KUNIT_ASSERT_EQ(test, kmqtt_peer_try(test, peer, &params), 0);
	kmqtt_session_resume(peer->s, &peer->port, 10, true);
	kmqtt_peer_expect(test, peer, "secret 1");

	kmqtt_peer_detach(peer);
	peer->user = "two";
	KUNIT_ASSERT_EQ(test, kmqtt_peer_try(test, peer, &params), 0);
	KUNIT_EXPECT_TRUE(test, peer->present);
	kmqtt_session_resume(peer->s, &peer->port, 10, true);
	kmqtt_peer_expect(test, peer, "open 1");
	kmqtt_peer_expect(test, peer, "open 2");
	kmqtt_peer_expect_none(test, peer);
}

/*
 * A QoS 2 message is about to be published, and then another user's client takes the
 * session: it is not published as that one's, and has not arrived.
 */
static void arrived_before_another_user(struct kunit *test)
{
	const struct kmqtt_session_params params = {
		.name = "client",
		.kind = KMQTT_KIND_REMOTE,
		.ack_mode = KMQTT_ACK_MQTT,
		.expiry = U32_MAX,
	};
	struct kmqtt_peer *old = kmqtt_peer_alloc(test), *new = kmqtt_peer_alloc(test);
	struct kmqtt_peer *reader = local(test, "reader");
	struct kmqtt_msg *msg = kmqtt_kunit_msg(test, "a/1", "x", 2, true);

	kmqtt_peer_subscribe(test, reader, "a/#", 2, 0);
	deny_name(test, KMQTT_ACL_WRITE, "a/#", KMQTT_ACL_USER, "two");
	old->user = "one";
	new->user = "two";
	KUNIT_ASSERT_EQ(test, kmqtt_peer_try(test, old, &params), 0);
	KUNIT_EXPECT_EQ(test, kmqtt_session_rx_begin(old->s, &old->port, 7), 1);
	KUNIT_ASSERT_EQ(test, kmqtt_peer_try(test, new, &params), 0);
	KUNIT_EXPECT_EQ(test, kmqtt_session_publish(old->s, &old->port, msg, NULL, NULL),
			-ESTALE);
	kmqtt_session_rx_end(old->s, &old->port, 7, false);
	kmqtt_peer_expect_none(test, reader);
	KUNIT_EXPECT_EQ(test, kmqtt_session_rx_begin(new->s, &new->port, 7), 1);
	KUNIT_EXPECT_EQ(test, kmqtt_session_publish(new->s, &new->port, msg, NULL, NULL),
			-EACCES);
	kmqtt_session_rx_end(new->s, &new->port, 7, false);
	kmqtt_msg_put(msg);
}

/* Who may not read a message does not take it away from his group. */
static void group_skips_who_may_not_read(struct kunit *test)
{
	struct kmqtt_peer *one = local(test, "one"), *two = local(test, "two");
	unsigned int i;

	deny_client(test, KMQTT_ACL_READ, "a/secret", "one");
	kmqtt_peer_subscribe(test, one, "$share/g/a/#", 1, 0);
	kmqtt_peer_subscribe(test, two, "$share/g/a/#", 1, 0);
	for (i = 0; i < 3; i++)
		KUNIT_EXPECT_EQ(test, kmqtt_peer_publish(test, NULL, "a/secret", "x", 1), 1);
	KUNIT_EXPECT_EQ(test, two->s->queued, 3);
	kmqtt_peer_expect_none(test, one);

	/* one who is away may read it, who is there may not */
	kmqtt_session_set_online(two->s, &two->port, false);
	KUNIT_EXPECT_EQ(test, kmqtt_peer_publish(test, NULL, "a/secret", "x", 1), 1);
	KUNIT_EXPECT_EQ(test, two->s->queued, 4);
	deny_client(test, KMQTT_ACL_READ, "a/secret", "two");
	KUNIT_EXPECT_EQ(test, kmqtt_peer_publish(test, NULL, "a/secret", "x", 1), 0);
	KUNIT_EXPECT_EQ(test, kmqtt_peer_publish(test, NULL, "a/open", "x", 1), 1);
}

static unsigned int denials;

static void count_denials(struct kmqtt_broker *broker, const struct kmqtt_event *event)
{
	denials += event->type == KMQTT_EVENT_DENY;
}

/* Whoever tries again and again does not flood those who watch. */
static void denials_are_told_once_a_second(struct kunit *test)
{
	const struct kmqtt_sub_opts opts = { .qos = 1 };
	struct kmqtt_peer *peer = local(test, "one");
	unsigned long begin = jiffies;
	unsigned int i;

	deny(test, KMQTT_ACL_READ | KMQTT_ACL_WRITE, "a/#");
	denials = 0;
	kmqtt_event_set_sink(count_denials);
	for (i = 0; i < 20; i++) {
		KUNIT_EXPECT_EQ(test, kmqtt_session_subscribe(peer->s, TEXT("a/b"), &opts),
				-EACCES);
		KUNIT_EXPECT_EQ(test, kmqtt_peer_publish(test, peer, "a/b", "x", 1),
				-EACCES);
	}
	kmqtt_event_set_sink(NULL);
	KUNIT_EXPECT_GE(test, denials, 1);
	KUNIT_EXPECT_LE(test, denials, 1 + (jiffies - begin) / HZ);
}

static void counters_count(struct kunit *test)
{
	struct kmqtt_peer *peer = local(test, "one");
	u64 sum[KMQTT_STAT_COUNT];

	kmqtt_peer_subscribe(test, peer, "t", 1, 0);
	KUNIT_EXPECT_EQ(test, kmqtt_peer_publish(test, peer, "t", "1234", 1), 1);
	KUNIT_EXPECT_EQ(test, kmqtt_peer_publish(test, peer, "none", "1", 1), 0);
	kmqtt_peer_expect(test, peer, "1234");
	kmqtt_stats_sum(kmqtt_kunit_broker(test)->stats, sum);
	KUNIT_EXPECT_EQ(test, sum[KMQTT_STAT_MESSAGES_PUBLISHED], 2);
	KUNIT_EXPECT_EQ(test, sum[KMQTT_STAT_BYTES_PUBLISHED], 5 + 5);
	KUNIT_EXPECT_EQ(test, sum[KMQTT_STAT_MESSAGES_UNMATCHED], 1);
	KUNIT_EXPECT_EQ(test, sum[KMQTT_STAT_MESSAGES_QUEUED], 1);
	KUNIT_EXPECT_EQ(test, sum[KMQTT_STAT_MESSAGES_DELIVERED], 1);
	KUNIT_EXPECT_EQ(test, sum[KMQTT_STAT_BYTES_DELIVERED], 5);
	KUNIT_EXPECT_EQ(test, atomic64_read(&peer->s->published_messages), 2);
	KUNIT_EXPECT_EQ(test, peer->s->delivered_messages, 1);
	KUNIT_EXPECT_EQ(test, peer->s->delivered_bytes, 5);
}

/* A publish that waits: until each uplink's broker has acknowledged it. */
static void tracker_waits_for_uplinks(struct kunit *test)
{
	struct kmqtt_peer *one = kmqtt_peer_new(test, "up1", KMQTT_KIND_UPLINK);
	struct kmqtt_peer *two = kmqtt_peer_new(test, "up2", KMQTT_KIND_UPLINK);
	struct kmqtt_peer *peer = local(test, "local");
	struct kmqtt_tracker *t = kmqtt_tracker_new(GFP_KERNEL);
	struct kmqtt_msg *msg = kmqtt_kunit_msg(test, "t", "x", 2, false);
	struct kmqtt_delivery d;
	u16 id;

	KUNIT_ASSERT_NOT_NULL(test, t);
	kmqtt_peer_subscribe(test, one, "t", 1, 0);
	kmqtt_peer_subscribe(test, two, "t", 2, 0);
	kmqtt_peer_subscribe(test, peer, "t", 2, 0);
	msg->tracker = kmqtt_tracker_get(t);
	KUNIT_EXPECT_EQ(test, kmqtt_publish(NULL, msg, NULL), 3);
	kmqtt_msg_put(msg);
	KUNIT_EXPECT_EQ(test, atomic_read(&t->taken), 2);

	KUNIT_ASSERT_EQ(test, kmqtt_peer_take(one, &d), 1);
	id = d.packet_id;
	kmqtt_delivery_put(&d);
	KUNIT_EXPECT_EQ(test, kmqtt_session_puback(one->s, &one->port, id, 0x10), 0);
	KUNIT_ASSERT_EQ(test, kmqtt_peer_take(two, &d), 1);
	id = d.packet_id;
	kmqtt_delivery_put(&d);
	KUNIT_EXPECT_EQ(test, kmqtt_session_pubrec(two->s, &two->port, id, 0), 1);
	KUNIT_EXPECT_FALSE(test, kmqtt_tracker_idle(t));
	KUNIT_EXPECT_EQ(test, kmqtt_session_pubcomp(two->s, &two->port, id, 0), 0);
	KUNIT_EXPECT_TRUE(test, kmqtt_tracker_idle(t));
	KUNIT_EXPECT_EQ(test, atomic_read(&t->reason), 0x10);
	kmqtt_tracker_put(t);
}

/* An uplink that drops it, or ends, is done with it too. */
static void tracker_hears_of_drops(struct kunit *test)
{
	struct kmqtt_peer *up = kmqtt_peer_new(test, "up", KMQTT_KIND_UPLINK);
	struct kmqtt_tracker *t = kmqtt_tracker_new(GFP_KERNEL);
	struct kmqtt_msg *msg;
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, t);
	kmqtt_peer_subscribe(test, up, "t", 1, 0);
	up->s->max_queued_messages = 1;
	for (i = 0; i < 2; i++) {
		msg = kmqtt_kunit_msg(test, "t", "x", 1, false);
		msg->tracker = kmqtt_tracker_get(t);
		kmqtt_publish(NULL, msg, NULL);
		kmqtt_msg_put(msg);
	}
	KUNIT_EXPECT_EQ(test, atomic_read(&t->taken), 2);
	KUNIT_EXPECT_EQ(test, atomic_read(&t->pending), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&t->reason), KMQTT_RC_QUOTA_EXCEEDED);
	kmqtt_session_kill(up->s, 0);
	KUNIT_EXPECT_TRUE(test, kmqtt_tracker_idle(t));
	kmqtt_tracker_put(t);
}

/*
 * What is promised has a reserve. When that is used up, no memory for the queue is a loss as any
 * other: it must not pass for a success.
 */
static void tracker_hears_of_no_memory(struct kunit *test)
{
	struct kmqtt_peer *up = kmqtt_peer_new(test, "up", KMQTT_KIND_UPLINK);
	struct kmqtt_tracker *t = kmqtt_tracker_new(GFP_KERNEL);
	struct kmqtt_msg *msg = kmqtt_kunit_msg(test, "t", "x", 1, false);
	struct kmqtt_peer *other = kmqtt_peer_new(test, "other", KMQTT_KIND_LOCAL);
	struct kmqtt_msg *first = kmqtt_kunit_msg(test, "first", "x", 1, false);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, t);
	kmqtt_peer_subscribe(test, up, "t", 1, 0);
	kmqtt_peer_subscribe(test, other, "first", 1, 0);
	/* what this CPU has at hand is used first, and then the reserve */
	migrate_disable();
	for (i = 0; i < KMQTT_STOCK_MAX; i++)
		kmqtt_publish(NULL, first, NULL);
	kmqtt_kunit_fail_entries = UINT_MAX;
	for (i = 0; i < KMQTT_QENT_RESERVE; i++)
		KUNIT_EXPECT_EQ(test, kmqtt_publish(NULL, msg, NULL), 1);
	KUNIT_EXPECT_EQ(test, up->s->queued, KMQTT_QENT_RESERVE);
	KUNIT_EXPECT_EQ(test, up->s->dropped_messages, 0);
	msg->tracker = kmqtt_tracker_get(t);
	KUNIT_EXPECT_EQ(test, kmqtt_publish(NULL, msg, NULL), 1);
	kmqtt_kunit_fail_entries = 0;
	migrate_enable();
	kmqtt_msg_put(first);
	kmqtt_msg_put(msg);
	KUNIT_EXPECT_EQ(test, up->s->dropped_messages, 1);
	KUNIT_EXPECT_TRUE(test, kmqtt_tracker_idle(t));
	KUNIT_EXPECT_EQ(test, atomic_read(&t->taken), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&t->reason), KMQTT_RC_QUOTA_EXCEEDED);
	kmqtt_tracker_put(t);
}

static struct kunit_case publish_cases[] = {
	KUNIT_CASE(overlapping_subscriptions),
	KUNIT_CASE(many_overlapping_subscriptions),
	KUNIT_CASE(shared_and_plain),
	KUNIT_CASE(nobody_gets_his_own_back),
	KUNIT_CASE(retain_flag_and_handling),
	KUNIT_CASE(retained_while_one_subscribes_comes_once),
	KUNIT_CASE(retained_or_new_but_not_both),
	KUNIT_CASE(retained_qos_is_the_lower),
	KUNIT_CASE(qos_is_upgraded),
	KUNIT_CASE(retained_limits),
	KUNIT_CASE(rules_are_kept),
	KUNIT_CASE(rules_look_into_one_share),
	KUNIT_CASE(retained_message_of_who_may_not),
	KUNIT_CASE(retained_source_counts_as_memory),
	KUNIT_CASE(retained_source_goes_with_its_message),
	KUNIT_CASE(session_of_another_user),
	KUNIT_CASE(arrived_before_another_user),
	KUNIT_CASE(group_skips_who_may_not_read),
	KUNIT_CASE(denials_are_told_once_a_second),
	KUNIT_CASE(counters_count),
	KUNIT_CASE(tracker_waits_for_uplinks),
	KUNIT_CASE(tracker_hears_of_drops),
	KUNIT_CASE(tracker_hears_of_no_memory),
	{ }
};

static struct kunit_suite publish_suite = {
	.name = "kmqtt_publish",
	.suite_init = kmqtt_kunit_suite_init,
	.suite_exit = kmqtt_kunit_suite_exit,
	.init = kmqtt_kunit_init,
	.exit = kmqtt_kunit_exit,
	.test_cases = publish_cases,
};

kunit_test_suites(&publish_suite);

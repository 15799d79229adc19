// SPDX-License-Identifier: GPL-2.0
/* $SYS: averages, what is said, and when. */
#include <kunit/test.h>
#include <linux/delay.h>

#include "core/broker.h"
#include "fixture.h"

/* A rate that stays the same is approached as e says, and is kept then. */
static void sys_decays(struct kunit *test)
{
	const u64 one = 1000000;

	KUNIT_EXPECT_EQ(test, kmqtt_sys_decay(one, one, 10, 1), one);
	KUNIT_EXPECT_EQ(test, kmqtt_sys_decay(0, one, 0, 1), 0ULL);
	/* 1 - 1/e after as many seconds as the average has */
	KUNIT_EXPECT_LE(test, abs((s64)kmqtt_sys_decay(0, one, 60, 1) - 632120), 2LL);
	KUNIT_EXPECT_LE(test, abs((s64)kmqtt_sys_decay(0, one, 300, 5) - 632120), 2LL);
	KUNIT_EXPECT_LE(test, abs((s64)kmqtt_sys_decay(0, one, 900, 15) - 632120), 2LL);
	KUNIT_EXPECT_LE(test, abs((s64)kmqtt_sys_decay(one, 0, 60, 1) - 367879), 2LL);
	/* in steps as at once */
	KUNIT_EXPECT_LE(test, abs((s64)kmqtt_sys_decay(kmqtt_sys_decay(0, one, 7, 5), one, 3, 5) -
				  (s64)kmqtt_sys_decay(0, one, 10, 5)), 2LL);
	KUNIT_EXPECT_LE(test, kmqtt_sys_decay(one, 0, KMQTT_SYS_INTERVAL_MAX, 1), 1ULL);
}

static void sys_expect(struct kunit *test, struct kmqtt_peer *peer, const char *topic,
		       const char *payload)
{
	struct kmqtt_delivery d;
	bool found = false;

	while (!found && kmqtt_peer_take(peer, &d) == 1) {
		found = d.msg->topic_len == strlen(topic) &&
			!memcmp(kmqtt_msg_topic(d.msg), topic, d.msg->topic_len);
		if (found)
			KUNIT_EXPECT_TRUE_MSG(test, kmqtt_delivery_is(&d, payload), "%s: %.*s",
					      topic, (int)d.msg->payload_len,
					      (const char *)kmqtt_msg_payload(d.msg));
		kmqtt_delivery_put(&d);
	}
	KUNIT_EXPECT_TRUE_MSG(test, found, "%s was not said", topic);
}

/* Said at once when somebody may come, by Mosquitto's names; nothing before, and not after. */
static void sys_is_said(struct kunit *test)
{
	struct kmqtt_broker *b = kmqtt_kunit_broker(test);
	struct kmqtt_peer *peer = kmqtt_peer_new(test, "watcher", KMQTT_KIND_LOCAL);
	struct kmqtt_peer *remote = kmqtt_peer_new(test, "remote", KMQTT_KIND_REMOTE);

	kmqtt_peer_subscribe(test, peer, "$SYS/#", 0, 0);
	kmqtt_peer_subscribe(test, remote, "$share/group/a", 0, 0);
	flush_delayed_work(&b->sys.work);
	kmqtt_peer_expect_none(test, peer);
	kmqtt_sys_use(b);
	flush_delayed_work(&b->sys.work);
	sys_expect(test, peer, "$SYS/broker/version", "kmqtt version 1.0.0");
	sys_expect(test, peer, "$SYS/broker/load/connections/15min", "0.00");
	sys_expect(test, peer, "$SYS/broker/clients/total", "1");
	sys_expect(test, peer, "$SYS/broker/clients/connected", "1");
	sys_expect(test, peer, "$SYS/broker/subscriptions/count", "2");
	sys_expect(test, peer, "$SYS/broker/shared_subscriptions/count", "1");
	sys_expect(test, peer, "$SYS/broker/publish/messages/dropped", "0");
	sys_expect(test, peer, "$SYS/broker/publish/bytes/sent", "0");
	KUNIT_EXPECT_GT(test, b->retain.count, 40UL);
	/* a change is said, at the next look */
	kmqtt_peer_detach(remote);
	kmqtt_sys_changed(b);
	flush_delayed_work(&b->sys.work);
	sys_expect(test, peer, "$SYS/broker/clients/connected", "0");
	kmqtt_sys_unuse(b);
	KUNIT_EXPECT_FALSE(test, delayed_work_pending(&b->sys.work));
}

/* With an interval of 0 nothing is said. */
static void sys_is_silent(struct kunit *test)
{
	struct kmqtt_broker *b = kmqtt_kunit_broker(test);

	b->limits.sys_interval = 0;
	kmqtt_sys_use(b);
	flush_delayed_work(&b->sys.work);
	KUNIT_EXPECT_EQ(test, b->retain.count, 0UL);
	kmqtt_sys_unuse(b);
}

/* What there was no memory for is said when there is, though it has not changed. */
static void sys_catches_up(struct kunit *test)
{
	struct kmqtt_broker *b = kmqtt_kunit_broker(test);
	struct kmqtt_peer *peer = kmqtt_peer_new(test, "watcher", KMQTT_KIND_LOCAL);
	struct kmqtt_delivery d;

	kmqtt_peer_subscribe(test, peer, "$SYS/#", 0, 0);
	b->limits.memory_limit = 1;
	kmqtt_sys_use(b);
	flush_delayed_work(&b->sys.work);
	KUNIT_EXPECT_EQ(test, b->retain.count, 0UL);
	kmqtt_peer_expect_none(test, peer);
	b->limits.memory_limit = 1 << 20;
	kmqtt_sys_changed(b);
	flush_delayed_work(&b->sys.work);
	sys_expect(test, peer, "$SYS/broker/version", "kmqtt version 1.0.0");
	sys_expect(test, peer, "$SYS/broker/load/connections/15min", "0.00");
	sys_expect(test, peer, "$SYS/broker/clients/total", "0");
	sys_expect(test, peer, "$SYS/broker/publish/bytes/sent", "0");
	/* once: not what is as it was */
	while (kmqtt_peer_take(peer, &d) == 1)
		kmqtt_delivery_put(&d);
	kmqtt_sys_changed(b);
	flush_delayed_work(&b->sys.work);
	while (kmqtt_peer_take(peer, &d) == 1) {
		KUNIT_EXPECT_NE(test, d.msg->topic_len, strlen("$SYS/broker/version"));
		kmqtt_delivery_put(&d);
	}
	kmqtt_sys_unuse(b);
}

static struct kunit_case sys_cases[] = {
	KUNIT_CASE(sys_decays),
	KUNIT_CASE(sys_is_said),
	KUNIT_CASE(sys_is_silent),
	KUNIT_CASE(sys_catches_up),
	{}
};

static struct kunit_suite sys_suite = {
	.name = "kmqtt-sys",
	.suite_init = kmqtt_kunit_suite_init,
	.suite_exit = kmqtt_kunit_suite_exit,
	.init = kmqtt_kunit_init,
	.exit = kmqtt_kunit_exit,
	.test_cases = sys_cases,
};

kunit_test_suites(&sys_suite);

// SPDX-License-Identifier: GPL-2.0
/* How sessions begin, change hands and end (MQTT 5.0, 3.1.2.4, 3.1.2.11.2, 3.1.4, 4.1). */
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/memcontrol.h>
#include <linux/slab.h>

#include "core/queue.h"
#include "proto/proto.h"
#include "tests/kunit/fixture.h"

static const struct kmqtt_session_params named = {
	.name = "named",
	.kind = KMQTT_KIND_LOCAL,
	.expiry = U32_MAX,
};

static bool exists(struct kunit *test, const char *name)
{
	struct kmqtt_session *s = kmqtt_session_find(kmqtt_kunit_broker(test), name);

	if (s)
		kmqtt_session_put(s);
	return s;
}

static void unnamed_ends_with_its_port(struct kunit *test)
{
	const struct kmqtt_session_params params = {
		.kind = KMQTT_KIND_LOCAL, .expiry = 1000,
	};
	struct kmqtt_peer *peer = kmqtt_peer_open(test, &params);
	char name[32];

	strscpy(name, peer->s->name, sizeof(name));
	kmqtt_peer_subscribe(test, peer, "t", 0, 0);
	KUNIT_EXPECT_TRUE(test, exists(test, name));
	kmqtt_peer_detach(peer);
	KUNIT_EXPECT_FALSE(test, exists(test, name));
	KUNIT_EXPECT_EQ(test, kmqtt_kunit_broker(test)->tree.count, 0);
	KUNIT_EXPECT_EQ(test, kmqtt_peer_publish(test, NULL, "t", "x", 1), 0);
}

static void named_outlives_its_port(struct kunit *test)
{
	struct kmqtt_peer *peer = kmqtt_peer_open(test, &named);

	KUNIT_EXPECT_FALSE(test, peer->present);
	kmqtt_peer_subscribe(test, peer, "t", 2, 0);
	kmqtt_peer_detach(peer);
	KUNIT_EXPECT_EQ(test, kmqtt_peer_publish(test, NULL, "t", "later", 1), 1);
	peer = kmqtt_peer_open(test, &named);
	KUNIT_EXPECT_TRUE(test, peer->present);
	kmqtt_peer_expect(test, peer, "later");
}

static void clean_start_forgets(struct kunit *test)
{
	struct kmqtt_session_params params = named;
	struct kmqtt_peer *peer = kmqtt_peer_open(test, &named), *again;

	kmqtt_peer_subscribe(test, peer, "t", 1, 0);
	kmqtt_peer_publish(test, NULL, "t", "x", 1);
	params.clean = true;
	again = kmqtt_peer_open(test, &params);
	KUNIT_EXPECT_FALSE(test, again->present);
	KUNIT_EXPECT_EQ(test, peer->closes, 1);
	KUNIT_EXPECT_EQ(test, peer->reason, KMQTT_RC_SESSION_TAKEN_OVER);
	KUNIT_EXPECT_EQ(test, again->s->sub_count, 0);
	kmqtt_peer_expect_none(test, again);
	KUNIT_EXPECT_EQ(test, kmqtt_kunit_broker(test)->session_count, 1);
	/* the session that ended takes no subscription any more */
	KUNIT_EXPECT_EQ(test, kmqtt_session_subscribe(peer->s, TEXT("t"),
						      &(struct kmqtt_sub_opts) { }),
			-ESHUTDOWN);
}

static void takeover_closes_the_old_port(struct kunit *test)
{
	struct kmqtt_peer *old = kmqtt_peer_open(test, &named), *new;

	kmqtt_peer_subscribe(test, old, "t", 1, 0);
	kmqtt_peer_publish(test, NULL, "t", "1", 1);
	new = kmqtt_peer_open(test, &named);
	KUNIT_EXPECT_TRUE(test, new->present);
	KUNIT_EXPECT_PTR_EQ(test, new->s, old->s);
	KUNIT_EXPECT_EQ(test, old->closes, 1);
	KUNIT_EXPECT_EQ(test, old->reason, KMQTT_RC_SESSION_TAKEN_OVER);
	/* the old one's going changes nothing for the new one */
	kmqtt_peer_detach(old);
	atomic_set(&new->wakes, 0);
	kmqtt_peer_publish(test, NULL, "t", "2", 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&new->wakes), 1);
	kmqtt_peer_expect(test, new, "1");
	kmqtt_peer_expect(test, new, "2");
}

/* The name of an unnamed session: opened anew, then the first one is left. */
static void unnamed_gets_a_name(struct kunit *test)
{
	const struct kmqtt_session_params none = { .kind = KMQTT_KIND_LOCAL };
	struct kmqtt_peer *peer = kmqtt_peer_open(test, &none);
	struct kmqtt_session *first = peer->s;

	kmqtt_peer_subscribe(test, peer, "t", 1, 0);
	KUNIT_ASSERT_EQ(test, kmqtt_peer_try(test, peer, &named), 0);
	KUNIT_EXPECT_PTR_NE(test, peer->s, first);
	kmqtt_session_set_online(peer->s, &peer->port, true);
	kmqtt_session_detach(first, &peer->port, 0);
	KUNIT_EXPECT_EQ(test, peer->closes, 0);
	KUNIT_EXPECT_EQ(test, kmqtt_kunit_broker(test)->session_count, 1);
	kmqtt_peer_subscribe(test, peer, "t", 1, 0);
	kmqtt_peer_publish(test, NULL, "t", "x", 1);
	kmqtt_peer_expect(test, peer, "x");
}

static int try_as(struct kunit *test, const struct kmqtt_session_params *params,
		  kuid_t uid)
{
	struct kmqtt_identity *who = kmqtt_kunit_identity(test);
	struct cred *cred = prepare_creds();
	static const struct kmqtt_port_ops ops;	/* nobody publishes anything here */
	static struct kmqtt_port port = { .ops = &ops };
	struct kmqtt_session *s;
	bool present;

	KUNIT_ASSERT_NOT_NULL(test, cred);
	cred->fsuid = uid;
	cred->euid = uid;
	who->cred = cred;
	s = kmqtt_session_open(kmqtt_kunit_broker(test), params, who, &port, &present);
	if (!IS_ERR(s)) {
		kmqtt_session_detach(s, &port, 0);
		return 0;
	}
	kmqtt_identity_free(who);
	return PTR_ERR(s);
}

static void sessions_belong_to_their_user(struct kunit *test)
{
	struct kmqtt_session_params params = named;

	KUNIT_EXPECT_EQ(test, try_as(test, &params, KUIDT_INIT(1000)), 0);
	KUNIT_EXPECT_EQ(test, try_as(test, &params, KUIDT_INIT(1001)), -EACCES);
	KUNIT_EXPECT_EQ(test, try_as(test, &params, KUIDT_INIT(1000)), 0);
	params.clean = true;
	KUNIT_EXPECT_EQ(test, try_as(test, &params, KUIDT_INIT(1001)), -EACCES);
	params.privileged = true;
	KUNIT_EXPECT_EQ(test, try_as(test, &params, KUIDT_INIT(1001)), 0);
	params.kind = KMQTT_KIND_REMOTE;
	KUNIT_EXPECT_EQ(test, try_as(test, &params, KUIDT_INIT(1001)), -EACCES);
}

/* A remote session is whose client was let in under its name, and no process's. */
static void remote_sessions_belong_to_their_name(struct kunit *test)
{
	struct kmqtt_session_params params = named;

	params.kind = KMQTT_KIND_REMOTE;
	params.ack_mode = KMQTT_ACK_MQTT;
	KUNIT_EXPECT_EQ(test, try_as(test, &params, KUIDT_INIT(1000)), 0);
	KUNIT_EXPECT_EQ(test, try_as(test, &params, KUIDT_INIT(1001)), 0);
	params.clean = true;
	KUNIT_EXPECT_EQ(test, try_as(test, &params, KUIDT_INIT(1002)), 0);
	params.privileged = true;
	params.kind = KMQTT_KIND_LOCAL;
	KUNIT_EXPECT_EQ(test, try_as(test, &params, KUIDT_INIT(1002)), -EACCES);
	params.kind = KMQTT_KIND_NETLINK;
	KUNIT_EXPECT_EQ(test, try_as(test, &params, KUIDT_INIT(1002)), -EACCES);
	params.kind = KMQTT_KIND_UPLINK;
	KUNIT_EXPECT_EQ(test, try_as(test, &params, KUIDT_INIT(1002)), -EACCES);
}

/* DISCONNECT with a session expiry interval (MQTT 5.0, 3.14.2.2.2). */
static void expiry_changes_while_attached(struct kunit *test)
{
	struct kmqtt_broker *b = kmqtt_kunit_broker(test);
	struct kmqtt_peer *old = kmqtt_peer_open(test, &named), *new;

	b->limits.persistent_client_expiration = 100;
	KUNIT_EXPECT_EQ(test, kmqtt_session_set_expiry(old->s, &old->port, 50), 0);
	KUNIT_EXPECT_EQ(test, old->s->expiry, 50);
	KUNIT_EXPECT_EQ(test, kmqtt_session_set_expiry(old->s, &old->port, U32_MAX), 0);
	KUNIT_EXPECT_EQ(test, old->s->expiry, 100);
	/* a good-bye that comes late ends nothing */
	new = kmqtt_peer_open(test, &named);
	KUNIT_EXPECT_EQ(test, kmqtt_session_set_expiry(old->s, &old->port, 0), -ESTALE);
	kmqtt_peer_detach(old);
	KUNIT_EXPECT_EQ(test, new->s->expiry, 100);
	KUNIT_EXPECT_EQ(test, kmqtt_session_set_expiry(new->s, &new->port, 0), 0);
	kmqtt_peer_detach(new);
	KUNIT_EXPECT_FALSE(test, exists(test, "named"));
}

static void no_wake(struct kmqtt_port *port)
{
}

static void no_close(struct kmqtt_port *port, u8 reason)
{
}

static void tell(struct kmqtt_port *port, struct kmqtt_port_info *info)
{
	strscpy(info->address, "[::1]:1883", sizeof(info->address));
	info->version = 5;
}

static void ports_tell_who_is_there(struct kunit *test)
{
	static const struct kmqtt_port_ops ops = {
		.wake = no_wake, .close = no_close, .info = tell,
	};
	struct kmqtt_peer *peer = kmqtt_peer_open(test, &named);
	struct kmqtt_session *s = peer->s;
	struct kmqtt_port_info info;

	KUNIT_EXPECT_FALSE(test, kmqtt_session_info(s, &info));
	KUNIT_EXPECT_STREQ(test, info.address, "");
	peer->port.ops = &ops;
	KUNIT_EXPECT_TRUE(test, kmqtt_session_info(s, &info));
	KUNIT_EXPECT_STREQ(test, info.address, "[::1]:1883");
	KUNIT_EXPECT_EQ(test, info.version, 5);
	KUNIT_EXPECT_EQ(test, info.keepalive, 0);
	kmqtt_session_get(s);
	kmqtt_peer_detach(peer);
	KUNIT_EXPECT_FALSE(test, kmqtt_session_info(s, &info));
	kmqtt_session_put(s);
}

/* What clients of the network make the switch keep has one limit, whatever it is. */
static void clients_count_as_memory(struct kunit *test)
{
	struct kmqtt_broker *b = kmqtt_kunit_broker(test);
	char *name = kunit_kzalloc(test, 10001, GFP_KERNEL);
	struct kmqtt_session_params params = {
		.name = name, .kind = KMQTT_KIND_REMOTE, .expiry = U32_MAX,
	};
	struct kmqtt_peer *peer = kmqtt_peer_alloc(test);
	int i, ret = 0;

	KUNIT_ASSERT_NOT_NULL(test, name);
	memset(name, 'n', 10000);
	b->limits.memory_limit = 100000;
	for (i = 0; i < 20; i++) {
		name[0] = 'a' + i;
		ret = kmqtt_peer_try(test, peer, &params);
		if (ret)
			break;
		kmqtt_peer_detach(peer);
	}
	KUNIT_EXPECT_EQ(test, ret, -ENOBUFS);
	KUNIT_EXPECT_FALSE(test, peer->present);
	KUNIT_EXPECT_EQ(test, b->session_count, i);
	KUNIT_EXPECT_GE(test, percpu_counter_sum(&b->memory), i * 10000);
	/* who is there already may come back, but not as somebody with a longer name */
	name[0] = 'a';
	KUNIT_EXPECT_EQ(test, kmqtt_peer_try(test, peer, &params), 0);
	KUNIT_EXPECT_TRUE(test, peer->present);
	kmqtt_peer_detach(peer);
	peer->user = name;
	KUNIT_EXPECT_EQ(test, kmqtt_peer_try(test, peer, &params), -ENOBUFS);
	KUNIT_EXPECT_EQ(test, b->session_count, i);
	/* what one gives back another one may have */
	b->limits.memory_limit += 20000;
	KUNIT_EXPECT_EQ(test, kmqtt_peer_try(test, peer, &params), 0);
	kmqtt_session_kill(peer->s, 0x98);
	KUNIT_EXPECT_LT(test, percpu_counter_sum(&b->memory), 95000);
}

static void subscriptions_count_as_memory(struct kunit *test)
{
	struct kmqtt_broker *b = kmqtt_kunit_broker(test);
	struct kmqtt_peer *peer = kmqtt_peer_new(test, "one", KMQTT_KIND_REMOTE);
	const struct kmqtt_sub_opts opts = { };
	char *filter = kunit_kzalloc(test, 10001, GFP_KERNEL);
	int i, ret = 0;

	KUNIT_ASSERT_NOT_NULL(test, filter);
	memset(filter, 'f', 10000);
	memcpy(filter, "$share/", 7);
	b->limits.memory_limit = 100000;
	for (i = 0; i < 20 && !ret; i++) {
		/* a long share name, or a long level, or both in one */
		filter[7] = 'a' + i;
		filter[i % 2 ? 9 : 9998] = '/';
		ret = kmqtt_session_subscribe(peer->s, TEXT(filter + (i % 3 ? 0 : 1)), &opts);
		filter[i % 2 ? 9 : 9998] = 'f';
	}
	KUNIT_EXPECT_EQ(test, ret, -ENOBUFS);
	KUNIT_EXPECT_EQ(test, peer->s->sub_count, i - 1);
	KUNIT_EXPECT_EQ(test, b->tree.count, i - 1);
	/* what they have in common counts once */
	KUNIT_EXPECT_GT(test, percpu_counter_sum(&b->memory), 80000);
	KUNIT_EXPECT_LE(test, percpu_counter_sum(&b->memory), 100000);
	kmqtt_peer_detach(peer);
	peer->s = kmqtt_session_find(b, "one");
	KUNIT_ASSERT_NOT_NULL(test, peer->s);
	kmqtt_session_kill(peer->s, 0x98);
	kmqtt_session_put(peer->s);
	peer->s = NULL;
	KUNIT_EXPECT_EQ(test, percpu_counter_sum(&b->memory), 0);
}

/* One short message in a long queue: what is there of it is not the message. */
static void queue_entries_count_as_memory(struct kunit *test)
{
	const struct kmqtt_session_params params = {
		.name = "client", .kind = KMQTT_KIND_REMOTE, .expiry = U32_MAX,
	};
	struct kmqtt_broker *b = kmqtt_kunit_broker(test);
	struct kmqtt_peer *peer = kmqtt_peer_open(test, &params);
	struct kmqtt_msg *msg = kmqtt_kunit_msg(test, "t", "x", 1, false);
	struct kmqtt_delivery d;
	s64 before;
	int i;

	kmqtt_peer_subscribe(test, peer, "t", 1, 0);
	before = percpu_counter_sum(&b->memory);
	b->limits.max_queued_messages = 0;
	b->limits.memory_limit = 50000;
	for (i = 0; i < 1000; i++)
		kmqtt_publish(NULL, msg, NULL);
	KUNIT_EXPECT_GE(test, peer->s->queued * sizeof(struct kmqtt_qent), 40000);
	KUNIT_EXPECT_LE(test, peer->s->queued * sizeof(struct kmqtt_qent), 50000);
	KUNIT_EXPECT_EQ(test, peer->s->dropped_messages, 1000 - peer->s->queued);
	KUNIT_EXPECT_LE(test, percpu_counter_sum(&b->memory), 50000);
	while (kmqtt_peer_take(peer, &d) == 1)
		kmqtt_delivery_put(&d);
	KUNIT_EXPECT_EQ(test, percpu_counter_sum(&b->memory), before);
	for (i = 0; i < 100; i++)
		kmqtt_publish(NULL, msg, NULL);
	KUNIT_EXPECT_EQ(test, peer->s->queued, 100);
	KUNIT_EXPECT_GT(test, percpu_counter_sum(&b->memory), before);
	kmqtt_msg_put(msg);
}

/* And so it is of those that are in flight, until they are acknowledged. */
static void entries_in_flight_count_as_memory(struct kunit *test)
{
	const struct kmqtt_session_params params = {
		.name = "client", .kind = KMQTT_KIND_REMOTE, .ack_mode = KMQTT_ACK_MQTT,
		.expiry = U32_MAX, .max_inflight = 50,
	};
	struct kmqtt_broker *b = kmqtt_kunit_broker(test);
	struct kmqtt_peer *peer = kmqtt_peer_open(test, &params);
	struct kmqtt_msg *msg = kmqtt_kunit_msg(test, "t", "x", 1, false);
	struct kmqtt_delivery d;
	u16 id[50];
	s64 before;
	int i;

	kmqtt_session_resume(peer->s, &peer->port, 50, false);
	kmqtt_peer_subscribe(test, peer, "t", 1, 0);
	before = percpu_counter_sum(&b->memory);
	for (i = 0; i < 50; i++)
		kmqtt_publish(NULL, msg, NULL);
	for (i = 0; i < 50; i++) {
		KUNIT_ASSERT_EQ(test, kmqtt_peer_take(peer, &d), 1);
		id[i] = d.packet_id;
		kmqtt_delivery_put(&d);
	}
	KUNIT_EXPECT_GE(test, percpu_counter_sum(&b->memory) - before,
			(50 - 8) * (s64)sizeof(struct kmqtt_qent));
	for (i = 0; i < 50; i++)
		KUNIT_EXPECT_EQ(test, kmqtt_session_puback(peer->s, &peer->port, id[i], 0), 0);
	KUNIT_EXPECT_EQ(test, percpu_counter_sum(&b->memory), before);
	kmqtt_msg_put(msg);
}

/* Likewise of who acknowledges by number, if no memory cgroup pays for what waits for him. */
static void entries_in_flight_of_a_process(struct kunit *test)
{
	const struct kmqtt_session_params params = {
		.name = "local", .kind = KMQTT_KIND_LOCAL, .ack_mode = KMQTT_ACK_MANUAL,
		.max_inflight = 50,
	};
	struct kmqtt_broker *b = kmqtt_kunit_broker(test);
	struct kmqtt_peer *peer = kmqtt_peer_open(test, &params);
	struct kmqtt_msg *msg = kmqtt_kunit_msg(test, "t", "x", 1, false);
	struct kmqtt_delivery d;
	s64 before;
	u64 id = 0;
	int i;

	mem_cgroup_put(peer->s->memcg);
	peer->s->memcg = NULL;
	kmqtt_peer_subscribe(test, peer, "t", 1, 0);
	before = percpu_counter_sum(&b->memory);
	for (i = 0; i < 50; i++)
		kmqtt_publish(NULL, msg, NULL);
	for (i = 0; i < 50; i++) {
		KUNIT_ASSERT_EQ(test, kmqtt_peer_take(peer, &d), 1);
		id = d.id;
		kmqtt_delivery_put(&d);
	}
	KUNIT_EXPECT_GT(test, percpu_counter_sum(&b->memory), before);
	KUNIT_EXPECT_EQ(test, kmqtt_session_ack_id(peer->s, id, true), 0);
	KUNIT_EXPECT_EQ(test, percpu_counter_sum(&b->memory), before);
	kmqtt_msg_put(msg);
}

static void limits_refused(struct kunit *test, struct kmqtt_limits *limits, const char *name)
{
	struct kmqtt_broker *b = kmqtt_kunit_broker(test);
	const char *bad;

	limits->max_sessions = 5;
	KUNIT_EXPECT_EQ(test, kmqtt_limits_set(b, limits, &bad), -ERANGE);
	KUNIT_EXPECT_STREQ(test, bad, name);
	KUNIT_EXPECT_EQ(test, b->limits.max_sessions, 0);
	*limits = b->limits;
}

/* What is out of its range is named, and nothing changes. */
static void limits_have_ranges(struct kunit *test)
{
	struct kmqtt_broker *b = kmqtt_kunit_broker(test);
	struct kmqtt_limits limits = b->limits;
	const char *bad;

	limits.max_inflight_messages = 0;
	limits_refused(test, &limits, "max_inflight_messages");
	limits.max_inflight_messages = U16_MAX + 1;
	limits_refused(test, &limits, "max_inflight_messages");
	limits.max_packet_size = 19;
	limits_refused(test, &limits, "max_packet_size");
	limits.max_packet_size = 268435461;
	limits_refused(test, &limits, "max_packet_size");
	limits.policy = KMQTT_POLICY_DROP_NEWEST - 1;
	limits_refused(test, &limits, "policy");
	limits.policy = KMQTT_POLICY_BLOCK + 1;
	limits_refused(test, &limits, "policy");
	limits.sys_interval = KMQTT_SYS_INTERVAL_MAX + 1;
	limits_refused(test, &limits, "sys_interval");
	limits.sys_interval = KMQTT_SYS_INTERVAL_MAX;
	KUNIT_EXPECT_EQ(test, kmqtt_limits_set(b, &limits, &bad), 0);
	KUNIT_EXPECT_NULL(test, bad);
	KUNIT_EXPECT_EQ(test, b->limits.sys_interval, KMQTT_SYS_INTERVAL_MAX);
}

static void sessions_have_limits(struct kunit *test)
{
	struct kmqtt_broker *b = kmqtt_kunit_broker(test);
	struct kmqtt_session_params params = { .kind = KMQTT_KIND_LOCAL };
	struct kmqtt_peer *peer = kmqtt_peer_open(test, &params), other = { };
	const struct kmqtt_sub_opts opts = { }, local = { .no_local = true };

	b->limits.max_sessions = 1;
	KUNIT_EXPECT_EQ(test, kmqtt_peer_try(test, &other, &params), -ENOSPC);
	b->limits.max_subscriptions = 2;
	kmqtt_peer_subscribe(test, peer, "a", 0, 0);
	kmqtt_peer_subscribe(test, peer, "b", 0, 0);
	KUNIT_EXPECT_EQ(test, kmqtt_session_subscribe(peer->s, TEXT("c"), &opts), -ENOSPC);
	kmqtt_peer_subscribe(test, peer, "b", 1, 0);
	KUNIT_EXPECT_EQ(test, peer->s->sub_count, 2);
	KUNIT_EXPECT_EQ(test, kmqtt_session_subscribe(peer->s, TEXT("a/#/b"), &opts), -EILSEQ);
	KUNIT_EXPECT_EQ(test, kmqtt_session_subscribe(peer->s, TEXT("$share/g/x"), &local),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, kmqtt_session_unsubscribe(peer->s, TEXT("x")), -ENOENT);
	KUNIT_EXPECT_EQ(test, kmqtt_session_unsubscribe(peer->s, TEXT("")), -EILSEQ);
	KUNIT_EXPECT_EQ(test, kmqtt_session_unsubscribe(peer->s, TEXT("a")), 0);

	params.policy = KMQTT_POLICY_BLOCK + 1;
	KUNIT_EXPECT_EQ(test, kmqtt_peer_try(test, &other, &params), -EINVAL);
	KUNIT_EXPECT_EQ(test, kmqtt_session_tune(peer->s, &params), -EINVAL);
	params.policy = 0;
	params.name = "";
	KUNIT_EXPECT_EQ(test, kmqtt_peer_try(test, &other, &params), -EINVAL);
}

/* Whoever takes a name that could be made up stops nobody. */
static void made_up_names_are_free(struct kunit *test)
{
	struct kmqtt_session_params params = named;
	struct kmqtt_peer *peer, other = { };
	char name[32];

	peer = kmqtt_peer_new(test, NULL, KMQTT_KIND_LOCAL);
	snprintf(name, sizeof(name), "auto-%lu", peer->s->number + 2);
	params.name = name;
	kmqtt_peer_open(test, &params);
	snprintf(name, sizeof(name), "auto-%lu", peer->s->number + 3);
	kmqtt_peer_open(test, &params);
	KUNIT_EXPECT_EQ(test, kmqtt_peer_try(test, &other,
					     &(struct kmqtt_session_params) {
						     .kind = KMQTT_KIND_LOCAL }), 0);
	if (other.s)
		kmqtt_peer_detach(&other);

	/* and nobody comes back to one that never was to stay */
	params.name = peer->s->name;
	KUNIT_EXPECT_EQ(test, kmqtt_peer_try(test, &other, &params), -EACCES);
	KUNIT_EXPECT_EQ(test, peer->closes, 0);
}

static void kill_tells_the_port(struct kunit *test)
{
	struct kmqtt_peer *peer = kmqtt_peer_open(test, &named);
	struct kmqtt_delivery d;

	kmqtt_peer_subscribe(test, peer, "t", 1, 0);
	kmqtt_peer_publish(test, NULL, "t", "1", 1);
	kmqtt_session_kill(peer->s, KMQTT_RC_ADMINISTRATIVE_ACTION);
	KUNIT_EXPECT_EQ(test, peer->closes, 1);
	KUNIT_EXPECT_EQ(test, peer->reason, KMQTT_RC_ADMINISTRATIVE_ACTION);
	KUNIT_EXPECT_EQ(test, kmqtt_peer_take(peer, &d), 0);
	KUNIT_EXPECT_EQ(test, kmqtt_peer_publish(test, NULL, "t", "2", 1), 0);
	KUNIT_EXPECT_EQ(test, kmqtt_session_tune(peer->s, &named), -ESHUTDOWN);
	kmqtt_session_kill(peer->s, 0);
	KUNIT_EXPECT_EQ(test, peer->closes, 1);
}

static void sessions_are_walked_by_number(struct kunit *test)
{
	struct kmqtt_broker *b = kmqtt_kunit_broker(test);
	struct kmqtt_peer *peer[3];
	struct kmqtt_session *s;
	unsigned long after = 0;
	unsigned int i;

	for (i = 0; i < 3; i++)
		peer[i] = kmqtt_peer_new(test, NULL, KMQTT_KIND_LOCAL);
	kmqtt_peer_detach(peer[1]);
	for (i = 0; i < 3; i += 2) {
		s = kmqtt_session_next(b, after);
		KUNIT_ASSERT_PTR_EQ(test, s, peer[i]->s);
		after = s->number;
		kmqtt_session_put(s);
	}
	KUNIT_EXPECT_NULL(test, kmqtt_session_next(b, after));
}

/* After a second it is gone; how long that takes here is not the question. */
static void sessions_expire(struct kunit *test)
{
	struct kmqtt_broker *b = kmqtt_kunit_broker(test);
	struct kmqtt_session_params params = named;
	struct kmqtt_peer *peer;
	unsigned int tries;

	params.expiry = 1;
	peer = kmqtt_peer_open(test, &params);
	kmqtt_peer_subscribe(test, peer, "t", 1, 0);
	kmqtt_peer_publish(test, NULL, "t", "1", 1);
	kmqtt_peer_detach(peer);
	KUNIT_EXPECT_TRUE(test, exists(test, "named"));
	for (tries = 0; tries < 600 && exists(test, "named"); tries++)
		msleep(100);
	KUNIT_EXPECT_FALSE(test, exists(test, "named"));
	KUNIT_EXPECT_EQ(test, b->tree.count, 0);

	/* the switch has a longest interval; one that is attached does not expire */
	b->limits.persistent_client_expiration = 0;
	params.expiry = U32_MAX;
	peer = kmqtt_peer_open(test, &params);
	KUNIT_EXPECT_EQ(test, peer->s->expiry, 0);
	kmqtt_peer_detach(peer);
	KUNIT_EXPECT_FALSE(test, exists(test, "named"));
}

/* More of them than end in one go; one that left before they did ends later. */
static void sessions_expire_in_order(struct kunit *test)
{
	struct kmqtt_broker *b = kmqtt_kunit_broker(test);
	struct kmqtt_session_params params = named;
	unsigned int i, tries;
	struct kmqtt_peer *late;
	char name[16];

	params.expiry = 1000;
	late = kmqtt_peer_open(test, &params);
	kmqtt_peer_detach(late);
	params.name = name;
	params.expiry = 1;
	for (i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "brief %u", i);
		kmqtt_peer_detach(kmqtt_peer_open(test, &params));
	}
	for (tries = 0; tries < 600 && READ_ONCE(b->session_count) > 1; tries++)
		msleep(100);
	mutex_lock(&b->sessions_lock);
	KUNIT_EXPECT_EQ(test, b->session_count, 1);
	KUNIT_EXPECT_TRUE(test, exists(test, "named"));
	KUNIT_EXPECT_TRUE(test, delayed_work_pending(&b->expiry_work));
	mutex_unlock(&b->sessions_lock);
}

/* Two that leave in the same second, but not at its same moment, end a second after they left. */
static void each_session_has_its_whole_interval(struct kunit *test)
{
	struct kmqtt_session_params params = named;
	u64 second = ktime_get_boottime_seconds(), left;
	struct kmqtt_peer *one, *other;

	params.expiry = 1;
	one = kmqtt_peer_open(test, &params);
	params.name = "other";
	other = kmqtt_peer_open(test, &params);
	while (ktime_get_boottime_seconds() == second)
		usleep_range(100, 200);
	kmqtt_peer_detach(one);
	msleep(800);
	left = ktime_get_boottime_ns();
	kmqtt_peer_detach(other);
	while (exists(test, "other"))
		usleep_range(1000, 2000);
	KUNIT_EXPECT_GE(test, ktime_get_boottime_ns() - left, (u64)NSEC_PER_SEC);
	KUNIT_EXPECT_FALSE(test, exists(test, "named"));
}

/* As after the machine was suspended, when the timer of the first one stood still. */
static void who_leaves_looks_who_has_been_forgotten(struct kunit *test)
{
	struct kmqtt_broker *b = kmqtt_kunit_broker(test);
	struct kmqtt_session_params params = named;
	struct kmqtt_peer *peer;
	struct kmqtt_session *s;
	unsigned int tries;

	params.expiry = 1000;
	peer = kmqtt_peer_open(test, &params);
	s = peer->s;
	kmqtt_peer_detach(peer);
	mutex_lock(&b->sessions_lock);
	s->expires = 1;
	mutex_unlock(&b->sessions_lock);
	params.name = "other";
	params.expiry = 1;
	kmqtt_peer_detach(kmqtt_peer_open(test, &params));
	for (tries = 0; tries < 600 && READ_ONCE(b->session_count); tries++)
		msleep(100);
	KUNIT_EXPECT_EQ(test, b->session_count, 0);
}

static void attach_stops_the_expiry(struct kunit *test)
{
	struct kmqtt_session_params params = named;
	struct kmqtt_peer *peer;

	/* long enough for it to be there again in time, on a slow machine too */
	params.expiry = 3;
	peer = kmqtt_peer_open(test, &params);
	kmqtt_peer_detach(peer);
	peer = kmqtt_peer_open(test, &params);
	KUNIT_EXPECT_TRUE(test, peer->present);
	msleep(3500);
	flush_workqueue(kmqtt_kunit_broker(test)->wq);
	KUNIT_EXPECT_TRUE(test, exists(test, "named"));
}

static void tune_changes_the_policy(struct kunit *test)
{
	struct kmqtt_session_params params = named;
	struct kmqtt_peer *peer = kmqtt_peer_open(test, &named);

	kmqtt_peer_subscribe(test, peer, "#", 1, 0);
	kmqtt_peer_publish(test, NULL, "a", "1", 1);
	kmqtt_peer_publish(test, NULL, "b", "2", 1);
	kmqtt_peer_publish(test, NULL, "a", "3", 1);
	params.policy = KMQTT_POLICY_KEEP_LATEST;
	KUNIT_EXPECT_EQ(test, kmqtt_session_tune(peer->s, &params), 0);
	kmqtt_peer_publish(test, NULL, "a", "4", 1);
	kmqtt_peer_publish(test, NULL, "b", "5", 1);
	kmqtt_peer_expect(test, peer, "1");
	kmqtt_peer_expect(test, peer, "5");
	kmqtt_peer_expect(test, peer, "4");
	params.policy = KMQTT_POLICY_BLOCK;
	KUNIT_EXPECT_EQ(test, kmqtt_session_tune(peer->s, &params), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&kmqtt_kunit_broker(test)->blockers), 1);
}

static void no_session_while_the_switch_goes(struct kunit *test)
{
	struct kmqtt_peer *peer = kmqtt_peer_open(test, &named), other = { };

	kmqtt_sessions_end_all(kmqtt_kunit_broker(test));
	KUNIT_EXPECT_EQ(test, peer->closes, 1);
	KUNIT_EXPECT_EQ(test, kmqtt_peer_try(test, &other, &named), -ESHUTDOWN);
}

/* Publishes as fast as it may while sessions come and go. */
static int storm_publisher(void *data)
{
	struct kunit *test = data;
	unsigned int i = 0;

	while (!kthread_should_stop()) {
		kmqtt_peer_publish(test, NULL, i % 2 ? "storm/a" : "storm/b", "x", i % 3);
		if (i++ % 8 == 0)
			usleep_range(50, 100);
	}
	return 0;
}

static void sessions_come_and_go_in_a_storm(struct kunit *test)
{
	const struct kmqtt_session_params params[] = {
		{ .name = "one", .kind = KMQTT_KIND_REMOTE, .ack_mode = KMQTT_ACK_MQTT,
		  .expiry = U32_MAX },
		{ .name = "two", .kind = KMQTT_KIND_LOCAL, .ack_mode = KMQTT_ACK_MANUAL,
		  .policy = KMQTT_POLICY_KEEP_LATEST, .expiry = U32_MAX },
		{ .kind = KMQTT_KIND_LOCAL, .policy = KMQTT_POLICY_BLOCK },
		{ .name = "one", .kind = KMQTT_KIND_REMOTE, .ack_mode = KMQTT_ACK_MQTT,
		  .clean = true, .expiry = U32_MAX },
	};
	struct kmqtt_session_params p;
	struct task_struct *publisher;
	struct kmqtt_delivery d[8];
	struct kmqtt_msg *will;
	struct kmqtt_peer *peer;
	unsigned int i;
	size_t room;
	int n;

	publisher = kthread_run(storm_publisher, test, "kmqtt_storm");
	KUNIT_ASSERT_FALSE(test, IS_ERR(publisher));
	for (i = 0; i < 150; i++) {
		will = kmqtt_kunit_msg(test, "storm/a", "will", i % 3, false);
		p = params[i % ARRAY_SIZE(params)];
		p.will = will;
		p.will_delay = i % 2 ? 1000 : 0;
		peer = kmqtt_peer_open(test, &p);
		kmqtt_msg_put(will);
		kmqtt_peer_subscribe(test, peer, "storm/+", 2, 1);
		kmqtt_peer_subscribe(test, peer, "storm/a", 1, 2);
		kmqtt_peer_subscribe(test, peer, "$share/g/storm/#", 1, 3);
		usleep_range(100, 200);
		room = SIZE_MAX;
		n = kmqtt_session_take(peer->s, &peer->port, d, 8, &room);
		KUNIT_EXPECT_GE(test, n, 0);
		kmqtt_session_untake(peer->s, &peer->port, d + n / 2, n - n / 2);
		for (n /= 2; n-- > 0;)
			kmqtt_delivery_put(&d[n]);
		if (i % 5 == 0)
			kmqtt_session_kill(peer->s, 0);
		if (i % 3)
			kmqtt_peer_detach(peer);
	}
	kthread_stop(publisher);
}

static struct kunit_case session_cases[] = {
	KUNIT_CASE(unnamed_ends_with_its_port),
	KUNIT_CASE(named_outlives_its_port),
	KUNIT_CASE(clean_start_forgets),
	KUNIT_CASE(takeover_closes_the_old_port),
	KUNIT_CASE(unnamed_gets_a_name),
	KUNIT_CASE(sessions_belong_to_their_user),
	KUNIT_CASE(remote_sessions_belong_to_their_name),
	KUNIT_CASE(expiry_changes_while_attached),
	KUNIT_CASE(ports_tell_who_is_there),
	KUNIT_CASE(limits_have_ranges),
	KUNIT_CASE(sessions_have_limits),
	KUNIT_CASE(clients_count_as_memory),
	KUNIT_CASE(subscriptions_count_as_memory),
	KUNIT_CASE(queue_entries_count_as_memory),
	KUNIT_CASE(entries_in_flight_count_as_memory),
	KUNIT_CASE(entries_in_flight_of_a_process),
	KUNIT_CASE(made_up_names_are_free),
	KUNIT_CASE(kill_tells_the_port),
	KUNIT_CASE(sessions_are_walked_by_number),
	KUNIT_CASE(sessions_expire),
	KUNIT_CASE(sessions_expire_in_order),
	KUNIT_CASE(each_session_has_its_whole_interval),
	KUNIT_CASE(who_leaves_looks_who_has_been_forgotten),
	KUNIT_CASE(attach_stops_the_expiry),
	KUNIT_CASE(tune_changes_the_policy),
	KUNIT_CASE(no_session_while_the_switch_goes),
	KUNIT_CASE(sessions_come_and_go_in_a_storm),
	{ }
};

static struct kunit_suite session_suite = {
	.name = "kmqtt_session",
	.suite_init = kmqtt_kunit_suite_init,
	.suite_exit = kmqtt_kunit_suite_exit,
	.init = kmqtt_kunit_init,
	.exit = kmqtt_kunit_exit,
	.test_cases = session_cases,
};

kunit_test_suites(&session_suite);

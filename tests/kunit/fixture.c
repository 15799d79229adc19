// SPDX-License-Identifier: GPL-2.0
/* What the tests share: see fixture.h. */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <net/net_namespace.h>

#include "core/trie.h"
#include "tests/kunit/fixture.h"

unsigned long kmqtt_kunit_child_calls;

/* tree.c is built so that it calls this one (see Kbuild). */
struct kmqtt_node *kmqtt_kunit_trie_child(struct kmqtt_trie *trie,
					  const struct kmqtt_node *node,
					  struct kmqtt_view level);

struct kmqtt_node *kmqtt_kunit_trie_child(struct kmqtt_trie *trie,
					  const struct kmqtt_node *node,
					  struct kmqtt_view level)
{
	kmqtt_kunit_child_calls++;
	return kmqtt_trie_child(trie, node, level);
}

unsigned int kmqtt_kunit_fail_entries;

/* queue.c is built so that it calls this one (see Kbuild). */
void *kmqtt_kunit_cache_alloc(struct kmem_cache *cache, gfp_t gfp);

void *kmqtt_kunit_cache_alloc(struct kmem_cache *cache, gfp_t gfp)
{
	if (kmqtt_kunit_fail_entries) {
		kmqtt_kunit_fail_entries--;
		return NULL;
	}
	return kmem_cache_alloc(cache, gfp);
}

unsigned int kmqtt_kunit_fail_arrays;

/* publish.c and run.c are built so that they call this one (see Kbuild). */
void *kmqtt_kunit_kmalloc(size_t size, gfp_t gfp);

void *kmqtt_kunit_kmalloc(size_t size, gfp_t gfp)
{
	if (kmqtt_kunit_fail_arrays) {
		kmqtt_kunit_fail_arrays--;
		return NULL;
	}
	return kmalloc(size, gfp);
}

int kmqtt_kunit_suite_init(struct kunit_suite *suite)
{
	return kmqtt_core_init();
}

void kmqtt_kunit_suite_exit(struct kunit_suite *suite)
{
	kmqtt_core_exit();
}

int kmqtt_kunit_init(struct kunit *test)
{
	struct kmqtt_kunit *k = kunit_kzalloc(test, sizeof(*k), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, k);
	INIT_LIST_HEAD(&k->peers);
	KUNIT_ASSERT_EQ(test, kmqtt_broker_init(&k->broker, &init_net), 0);
	test->priv = k;
	return 0;
}

void kmqtt_kunit_exit(struct kunit *test)
{
	struct kmqtt_kunit *k = test->priv;
	struct kmqtt_broker *b = &k->broker;
	struct kmqtt_peer *peer, *next;

	if (!k)
		return;
	list_for_each_entry(peer, &k->peers, link)
		if (peer->s)
			kmqtt_peer_detach(peer);
	kmqtt_broker_shutdown(b);
	rcu_barrier();
	KUNIT_EXPECT_EQ(test, b->tree.trie.nodes, 0);
	KUNIT_EXPECT_EQ(test, b->tree.count, 0);
	KUNIT_EXPECT_EQ(test, b->session_count, 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&b->blockers), 0);
	kmqtt_retain_clear(&b->retain, TEXT("#"));
	kmqtt_retain_clear(&b->retain, TEXT("$SYS/#"));
	KUNIT_EXPECT_EQ(test, percpu_counter_sum(&b->memory), 0);
	kmqtt_broker_destroy(b);
	list_for_each_entry_safe(peer, next, &k->peers, link)
		kfree(peer);
}

static void kmqtt_peer_wake(struct kmqtt_port *port)
{
	atomic_inc(&container_of(port, struct kmqtt_peer, port)->wakes);
}

static void kmqtt_peer_close(struct kmqtt_port *port, u8 reason)
{
	struct kmqtt_peer *peer = container_of(port, struct kmqtt_peer, port);

	peer->closes++;
	peer->reason = reason;
}

static const struct kmqtt_port_ops kmqtt_peer_ops = {
	.wake = kmqtt_peer_wake,
	.close = kmqtt_peer_close,
};

struct kmqtt_identity *kmqtt_kunit_identity(struct kunit *test)
{
	struct kmqtt_identity *who = kzalloc_obj(*who, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, who);
	return who;
}

int kmqtt_peer_try(struct kunit *test, struct kmqtt_peer *peer,
		   const struct kmqtt_session_params *params)
{
	struct kmqtt_identity *who = kmqtt_kunit_identity(test);
	struct kmqtt_session *s;

	who->user = peer->user;
	peer->port.ops = &kmqtt_peer_ops;
	s = kmqtt_session_open(kmqtt_kunit_broker(test), params, who,
			       &peer->port, &peer->present);
	if (IS_ERR(s)) {
		kfree(who);
		return PTR_ERR(s);
	}
	peer->s = s;
	return 0;
}

struct kmqtt_peer *kmqtt_peer_alloc(struct kunit *test)
{
	struct kmqtt_kunit *k = test->priv;
	struct kmqtt_peer *peer = kzalloc_obj(*peer, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, peer);
	list_add_tail(&peer->link, &k->peers);
	return peer;
}

struct kmqtt_peer *kmqtt_peer_open(struct kunit *test,
				   const struct kmqtt_session_params *params)
{
	struct kmqtt_peer *peer = kmqtt_peer_alloc(test);

	KUNIT_ASSERT_EQ(test, kmqtt_peer_try(test, peer, params), 0);
	kmqtt_session_set_online(peer->s, &peer->port, true);
	return peer;
}

struct kmqtt_peer *kmqtt_peer_new(struct kunit *test, const char *name, u8 kind)
{
	const struct kmqtt_session_params params = {
		.name = name,
		.kind = kind,
		.ack_mode = kind == KMQTT_KIND_LOCAL ? KMQTT_ACK_AUTO : KMQTT_ACK_MQTT,
		.expiry = name ? U32_MAX : 0,
	};

	return kmqtt_peer_open(test, &params);
}

void kmqtt_peer_detach(struct kmqtt_peer *peer)
{
	kmqtt_session_detach(peer->s, &peer->port, 0);
	peer->s = NULL;
}

void kmqtt_peer_subscribe(struct kunit *test, struct kmqtt_peer *peer,
			  const char *filter, u8 qos, u32 sub_id)
{
	const struct kmqtt_sub_opts opts = { .qos = qos, .sub_id = sub_id };

	KUNIT_ASSERT_EQ(test, kmqtt_session_subscribe(peer->s, TEXT(filter), &opts), 0);
}

struct kmqtt_msg *kmqtt_kunit_msg(struct kunit *test, const char *topic,
				  const char *payload, u8 qos, bool retain)
{
	const struct kmqtt_msg_desc desc = {
		.topic = (const u8 *)topic,
		.topic_len = strlen(topic),
		.payload_len = strlen(payload),
		.qos = qos,
		.retain = retain,
	};
	struct kmqtt_msg *msg;

	msg = kmqtt_msg_alloc(kmqtt_kunit_broker(test), &desc, GFP_KERNEL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(msg));
	memcpy(kmqtt_msg_payload(msg), payload, desc.payload_len);
	return msg;
}

void kmqtt_kunit_expire_in(struct kmqtt_msg *msg, s64 seconds)
{
	if (seconds >= 0) {
		msg->expires = ktime_get_boottime_ns() + seconds * NSEC_PER_SEC;
		return;
	}
	/* within the first second, and that is over */
	msg->expires = 1;
	while (!ktime_get_boottime_seconds())
		msleep(20);
}

int kmqtt_peer_publish(struct kunit *test, struct kmqtt_peer *peer,
		       const char *topic, const char *payload, u8 qos)
{
	struct kmqtt_msg *msg = kmqtt_kunit_msg(test, topic, payload, qos, false);
	int ret = kmqtt_publish(peer ? peer->s : NULL, msg, NULL);

	kmqtt_msg_put(msg);
	return ret;
}

int kmqtt_peer_take(struct kmqtt_peer *peer, struct kmqtt_delivery *d)
{
	size_t room = SIZE_MAX;

	return kmqtt_session_take(peer->s, &peer->port, d, 1, &room);
}

bool kmqtt_delivery_is(const struct kmqtt_delivery *d, const char *payload)
{
	return d->msg && d->msg->payload_len == strlen(payload) &&
	       !memcmp(kmqtt_msg_payload(d->msg), payload, d->msg->payload_len);
}

void kmqtt_peer_expect(struct kunit *test, struct kmqtt_peer *peer,
		       const char *payload)
{
	struct kmqtt_delivery d;

	KUNIT_ASSERT_EQ_MSG(test, kmqtt_peer_take(peer, &d), 1, "no %s", payload);
	KUNIT_EXPECT_TRUE_MSG(test, kmqtt_delivery_is(&d, payload), "%.*s, not %s",
			      d.msg ? (int)d.msg->payload_len : 6,
			      d.msg ? (char *)kmqtt_msg_payload(d.msg) : "PUBREL",
			      payload);
	kmqtt_delivery_put(&d);
}

void kmqtt_peer_expect_none(struct kunit *test, struct kmqtt_peer *peer)
{
	struct kmqtt_delivery d;
	int n = kmqtt_peer_take(peer, &d);

	KUNIT_EXPECT_EQ(test, n, 0);
	if (n > 0)
		kmqtt_delivery_put(&d);
}

MODULE_DESCRIPTION("KUnit tests of kmqtt");
MODULE_LICENSE("GPL");

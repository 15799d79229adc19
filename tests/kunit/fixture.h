/* SPDX-License-Identifier: GPL-2.0 */
/* What the tests share: a switch of their own, peers on it, random numbers. */
#ifndef KMQTT_KUNIT_FIXTURE_H
#define KMQTT_KUNIT_FIXTURE_H

#include <kunit/test.h>
#include <linux/prandom.h>

#include "core/broker.h"

/* A string literal as the two arguments, bytes and their number. */
#define TEXT(s)	((const u8 *)(s)), ((u32)strlen(s))

/* How often the tree asked for a child of a node. */
extern unsigned long kmqtt_kunit_child_calls;

/* How many of the next queue entries there is no memory for. */
extern unsigned int kmqtt_kunit_fail_entries;

/* How many of the next arrays that a publish needs there is no memory for. */
extern unsigned int kmqtt_kunit_fail_arrays;

/**
 * struct kmqtt_kunit - a test's switch
 * @broker:	the switch
 * @peers:	all struct kmqtt_peer that were opened on it
 */
struct kmqtt_kunit {
	struct kmqtt_broker broker;
	struct list_head peers;
};

/**
 * struct kmqtt_peer - a port that only notes what it is told
 * @port:	the port
 * @link:	in kmqtt_kunit.peers
 * @s:		its session, or NULL
 * @user:	its MQTT user name from now on, constant, or NULL
 * @wakes:	calls of ->wake()
 * @closes:	calls of ->close()
 * @reason:	of the last one
 * @present:	what kmqtt_session_open() said
 */
struct kmqtt_peer {
	struct kmqtt_port port;
	struct list_head link;
	struct kmqtt_session *s;
	const char *user;
	atomic_t wakes;
	int closes;
	u8 reason;
	bool present;
};

/** kmqtt_kunit_suite_init() - suite_init of suites that need a switch */
int kmqtt_kunit_suite_init(struct kunit_suite *suite);
void kmqtt_kunit_suite_exit(struct kunit_suite *suite);

/**
 * kmqtt_kunit_init() - a test's switch, in test->priv
 *
 * kmqtt_kunit_exit() ends all peers and sessions, and expects that nothing is
 * left.
 */
int kmqtt_kunit_init(struct kunit *test);
void kmqtt_kunit_exit(struct kunit *test);

/** kmqtt_kunit_broker() - the test's switch */
static inline struct kmqtt_broker *kmqtt_kunit_broker(struct kunit *test)
{
	return &((struct kmqtt_kunit *)test->priv)->broker;
}

/** kmqtt_kunit_identity() - a process's identity without references, kmalloc */
struct kmqtt_identity *kmqtt_kunit_identity(struct kunit *test);

/** kmqtt_peer_try() - open a session for @peer. Return: 0 or -errno */
int kmqtt_peer_try(struct kunit *test, struct kmqtt_peer *peer,
		   const struct kmqtt_session_params *params);

/** kmqtt_peer_alloc() - a new peer without a session */
struct kmqtt_peer *kmqtt_peer_alloc(struct kunit *test);

/** kmqtt_peer_open() - a new peer with a session that is online */
struct kmqtt_peer *kmqtt_peer_open(struct kunit *test,
				   const struct kmqtt_session_params *params);

/** kmqtt_peer_new() - kmqtt_peer_open() of a kind, with all else as it comes */
struct kmqtt_peer *kmqtt_peer_new(struct kunit *test, const char *name, u8 kind);

/** kmqtt_peer_detach() - the peer goes away */
void kmqtt_peer_detach(struct kmqtt_peer *peer);

/** kmqtt_peer_subscribe() - with a QoS and an identifier; must succeed */
void kmqtt_peer_subscribe(struct kunit *test, struct kmqtt_peer *peer,
			  const char *filter, u8 qos, u32 sub_id);

/** kmqtt_kunit_msg() - a message; its payload is a string. Return: one reference */
struct kmqtt_msg *kmqtt_kunit_msg(struct kunit *test, const char *topic,
				  const char *payload, u8 qos, bool retain);

/**
 * kmqtt_kunit_expire_in() - it expires in @seconds; negative: it has expired long ago
 *
 * What has expired makes room in a queue only when the coarse clock says so as well
 * (session->next_expiry), which is behind by as long as a tick is late.
 */
void kmqtt_kunit_expire_in(struct kmqtt_msg *msg, s64 seconds);

/** kmqtt_peer_publish() - publish it from @peer (or NULL: the switch itself) */
int kmqtt_peer_publish(struct kunit *test, struct kmqtt_peer *peer,
		       const char *topic, const char *payload, u8 qos);

/** kmqtt_peer_take() - take one delivery. Return: how many */
int kmqtt_peer_take(struct kmqtt_peer *peer, struct kmqtt_delivery *d);

/** kmqtt_delivery_is() - is it this payload? */
bool kmqtt_delivery_is(const struct kmqtt_delivery *d, const char *payload);

/** kmqtt_peer_expect() - take one, expect this payload, put it */
void kmqtt_peer_expect(struct kunit *test, struct kmqtt_peer *peer,
		       const char *payload);

/** kmqtt_peer_expect_none() - nothing can be taken now */
void kmqtt_peer_expect_none(struct kunit *test, struct kmqtt_peer *peer);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/* The switch of one network namespace. */
#ifndef KMQTT_CORE_BROKER_H
#define KMQTT_CORE_BROKER_H

#include <linux/mutex.h>
#include <linux/percpu_counter.h>
#include <linux/rhashtable.h>
#include <linux/types.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "core/acl.h"
#include "core/auth.h"
#include "core/event.h"
#include "core/message.h"
#include "core/retain.h"
#include "core/session.h"
#include "core/stats.h"
#include "core/sys.h"
#include "core/tree.h"

struct net;

/**
 * struct kmqtt_limits - what an administrator sets; names as in mosquitto.conf
 * @max_inflight_messages: QoS 1/2 in flight per session, 1 to 65535
 * @max_queued_messages: waiting messages per session; 0: no limit
 * @max_queued_bytes:	waiting bytes per session; 0: no limit
 * @max_inflight_bytes:	bytes of QoS 1/2 in flight per session, 0: no limit; one message
 *			is always sent
 * @max_packet_size:	largest MQTT packet in bytes, 20 to 268435460
 * @message_size_limit:	largest payload that an MQTT client may publish; 0: no limit
 * @memory_limit:	bytes of all messages in the switch, of the retained ones' topics, of
 *			subscriptions, and of what else MQTT clients make it keep: sessions
 *			with their queues, and topic aliases; 0: no limit
 * @max_sessions:	sessions; 0: no limit
 * @max_subscriptions:	subscriptions of one session; 0: no limit
 * @max_retained_messages: in the store; 0: no limit
 * @persistent_client_expiration: longest session expiry interval in seconds;
 *			U32_MAX: no limit
 * @sys_interval:	seconds between two looks at what is said below $SYS, up to
 *			KMQTT_SYS_INTERVAL_MAX; 0: nothing is said
 * @retain_available:	RETAIN is honoured
 * @queue_qos0_messages: queue QoS 0 for sessions that are not online
 * @upgrade_outgoing_qos: deliver with the QoS of the subscription, even if it was
 *			published with a lower one
 * @check_retain_source: a retained message is sent only if who published it might
 *			still do so
 * @policy:		&enum kmqtt_policy of sessions that ask for none
 */
struct kmqtt_limits {
	u32 max_inflight_messages;
	u32 max_queued_messages;
	u64 max_queued_bytes;
	u64 max_inflight_bytes;
	u32 max_packet_size;
	u32 message_size_limit;
	u64 memory_limit;
	u32 max_sessions;
	u32 max_subscriptions;
	u32 max_retained_messages;
	u32 persistent_client_expiration;
	u32 sys_interval;
	bool retain_available;
	bool queue_qos0_messages;
	bool upgrade_outgoing_qos;
	bool check_retain_source;
	u8 policy;
};

/**
 * struct kmqtt_broker - one switch
 * @net:		its network namespace; not held: the switch goes with it
 * @wq:			what all work of the switch and its ports is queued on, from init to
 *			destroy. Its own: who may do as he likes in this namespace has as
 *			many work items wait, and for as long, as he likes (his sockets'
 *			locks, a lock for which another of them waits), and nobody else's
 *			stand behind them
 * @tree:		subscriptions
 * @retain:		retained messages
 * @acl:		access rules
 * @auth:		password table
 * @limits:		read with READ_ONCE() anywhere, written under
 *			@sessions_lock
 * @stats:		counters
 * @sys:		what the switch says of itself
 * @memory:		bytes of all that counts against memory_limit
 * @guest:		its namespace's administrator is not the machine's: those of all guests
 *			together have an eighth of the machine, whatever he sets
 * @blockers:		sessions with KMQTT_POLICY_BLOCK: only if there are any does
 *			a publish look for full ones first
 * @sessions:		by name
 * @by_number:		by number, ascending
 * @sessions_lock:	writers of both, and set-up and end of sessions
 * @by_expiry:		sessions that nobody is attached to and that end, the first of
 *			them first, under @sessions_lock
 * @expiry_work:	ends them
 * @session_count:	under @sessions_lock
 * @next_number:	under @sessions_lock
 * @dying:		no session is made any more
 * @started:		CLOCK_BOOTTIME seconds
 */
struct kmqtt_broker {
	struct net *net;
	struct workqueue_struct *wq;
	struct kmqtt_tree tree;
	struct kmqtt_retain retain;
	struct kmqtt_acl acl;
	struct kmqtt_auth auth;
	struct kmqtt_limits limits;
	struct kmqtt_stats __percpu *stats;
	struct kmqtt_sys sys;
	struct percpu_counter memory;
	bool guest;
	atomic_t blockers;
	struct rhashtable sessions;
	struct xarray by_number;
	struct mutex sessions_lock;	/* writers of sessions, by_number, limits */
	struct rb_root_cached by_expiry;
	struct delayed_work expiry_work;
	u32 session_count;
	unsigned long next_number;
	bool dying;
	u64 started;
};

/**
 * kmqtt_wq - work queue of the module: unbound, frozen with nothing
 *
 * For what may outlive a switch, and never waits for long: all network namespaces share it.
 * Everything else is in the switch's own, &kmqtt_broker.wq.
 */
extern struct workqueue_struct *kmqtt_wq;

/** kmqtt_core_init() / kmqtt_core_exit() - caches and work queue, at module load */
int kmqtt_core_init(void);
void kmqtt_core_exit(void);

/** kmqtt_broker_init() - an empty switch with the default limits. Return: 0, -errno */
int kmqtt_broker_init(struct kmqtt_broker *broker, struct net *net);

/** kmqtt_broker_shutdown() - ends all sessions; after the ports have gone. May sleep */
void kmqtt_broker_shutdown(struct kmqtt_broker *broker);

/** kmqtt_broker_destroy() - frees what is left, a grace period after shutdown */
void kmqtt_broker_destroy(struct kmqtt_broker *broker);

/** kmqtt_broker_of() - the switch of a network namespace (main.c) */
struct kmqtt_broker *kmqtt_broker_of(struct net *net);

/** kmqtt_limits_set() - all or none. Return: 0 or -ERANGE with the bad key's name */
int kmqtt_limits_set(struct kmqtt_broker *broker,
		     const struct kmqtt_limits *limits, const char **bad);

/**
 * kmqtt_publish() - a message enters the switch
 * @from:	publisher's session, or NULL for the switch itself
 * @msg:	message; the caller keeps its reference
 * @blocked:	out, with -EAGAIN: the session that is full, with a reference; wait
 *		on its ->space until kmqtt_session_full() is false and try again.
 *		NULL: do not ask for that: a full KMQTT_POLICY_BLOCK session drops
 *		its newest
 *
 * Rules, retained store, match, a reference to each queue that it matches, and
 * a wake for each. Nothing happened if it returns an error. A session never
 * gets back what it published if it is an uplink, or subscribed with no-local.
 *
 * Process context, may sleep (retained store); no locks held.
 * Return: number of sessions that it went to; -EACCES, -EAGAIN, -ENOBUFS.
 */
int kmqtt_publish(struct kmqtt_session *from, struct kmqtt_msg *msg,
		  struct kmqtt_session **blocked);

/**
 * kmqtt_publish_memo() - kmqtt_publish() of one message among others
 * @from:	as for kmqtt_publish()
 * @msg:	as for kmqtt_publish()
 * @blocked:	as for kmqtt_publish()
 * @memo:	where the last one went, not used by others meanwhile; or NULL
 * @wakes:	where wake-ups are held back, which is flushed soon and before anyone
 *		waits on @blocked; or NULL
 *
 * Return: as kmqtt_publish().
 */
int kmqtt_publish_memo(struct kmqtt_session *from, struct kmqtt_msg *msg,
		       struct kmqtt_session **blocked, struct kmqtt_memo *memo,
		       struct kmqtt_wakes *wakes);

/** kmqtt_session_full() - does its policy block a writer now? (atomic, lockless) */
bool kmqtt_session_full(const struct kmqtt_session *session);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A session: the state of one peer on the switch, whoever it is.
 *
 * It has subscriptions, a queue of messages to be delivered, the window of
 * QoS 1/2 deliveries that are not acknowledged, and the packet identifiers of
 * QoS 2 messages that came in. It lives while a port is attached or until its
 * session expiry interval ends (MQTT 5.0, 4.1).
 *
 * A port may lose its session to another one at any time while it works: a
 * client that comes back is often faster than the end of its old connection.
 * What a port does to the queue and the windows therefore says which port it is,
 * and is decided under session->lock: if the session is not its own any more,
 * nothing happens. A port frees itself only when it has stopped, so the address
 * tells them apart. Where the port is not asked for, it does no harm to come late.
 *
 * All functions are called from process context; those that are marked
 * (atomic) may also be called under rcu_read_lock() or a spinlock.
 *
 * Locks, outer first: broker->sessions_lock (mutex), or broker->retain.lock (mutex) ->
 * tree->lock (mutex) -> session->lock (spinlock). No port function is called under session->lock.
 */
#ifndef KMQTT_CORE_SESSION_H
#define KMQTT_CORE_SESSION_H

#include <linux/list.h>
#include <linux/rbtree.h>
#include <linux/refcount.h>
#include <linux/rhashtable.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "core/acl.h"
#include "core/memo.h"
#include "core/message.h"
#include "core/tree.h"
#include "kmqtt.h"
#include "proto/wire.h"

struct kmqtt_broker;
struct kmqtt_port;
struct kmqtt_port_info;
struct kmqtt_qent;
struct kmqtt_will;

/**
 * struct kmqtt_port_ops - what a session may ask of its port
 * @wake:	there is something to take, or to tell of drops. Under
 *		rcu_read_lock(), must not sleep; called by any publisher at any
 *		time until a grace period after kmqtt_session_detach()
 * @close:	the session is lost to this port: taken over, killed or expired.
 *		It has been detached already. Process context under
 *		broker->sessions_lock: must not sleep for long nor call back into
 *		the session's functions; a connection queues its teardown
 * @claim:	optional: as @wake, but the caller would do what there is to do himself: by
 *		@send, if this returns true. Then the port stays until that was called
 * @send:	with @claim: gives its peer what can be taken. Process context, may sleep
 * @info:	optional: what it knows of its peer. Under rcu_read_lock(), must not
 *		sleep; @info is zeroed
 */
struct kmqtt_port_ops {
	void (*wake)(struct kmqtt_port *port);
	void (*close)(struct kmqtt_port *port, u8 reason);
	bool (*claim)(struct kmqtt_port *port);
	void (*send)(struct kmqtt_port *port);
	void (*info)(struct kmqtt_port *port, struct kmqtt_port_info *info);
};

/**
 * struct kmqtt_port - where a session plugs in; embedded in a file, connection...
 * @ops:	constant
 * @run_max:	bytes of a packet in a run that it takes, at most
 * @run_version: protocol version of runs (core/run.h) that it takes; 0: of none; KMQTT_RUN_ANY:
 *		of any, for it makes records of their packets, and takes as many as it has room for
 *
 * Constant while it is attached. Its owner frees it no earlier than a grace period after it was
 * detached.
 */
struct kmqtt_port {
	const struct kmqtt_port_ops *ops;
	u32 run_max;
	u8 run_version;
};

/** KMQTT_RUN_ANY - in &kmqtt_port.run_version: see there */
#define KMQTT_RUN_ANY	0xff

/**
 * struct kmqtt_port_info - what a port knows of its peer, for show
 * @address:	where the peer is, NUL terminated, or empty
 * @listener:	where it came in, NUL terminated, or empty
 * @version:	protocol level: 3, 4 or 5; 0: not MQTT
 * @keepalive:	keep alive in seconds, 0: none
 * @error:	errno that ended the connection, 0: none did
 * @packets_received: MQTT packets of this connection, likewise below
 * @packets_sent: see above
 * @bytes_received: see above
 * @bytes_sent:	see above
 */
struct kmqtt_port_info {
	char address[64];
	char listener[64];
	u8 version;
	u16 keepalive;
	int error;
	u64 packets_received;
	u64 packets_sent;
	u64 bytes_received;
	u64 bytes_sent;
};

/**
 * enum kmqtt_session_kind - what kind of peer it is, for show and for rules
 * @KMQTT_KIND_LOCAL:	a file of /dev/kmqtt
 * @KMQTT_KIND_NETLINK:	a netlink socket
 * @KMQTT_KIND_REMOTE:	an MQTT client
 * @KMQTT_KIND_UPLINK:	a broker elsewhere
 */
enum kmqtt_session_kind {
	KMQTT_KIND_LOCAL = 1,
	KMQTT_KIND_NETLINK = 2,
	KMQTT_KIND_REMOTE = 3,
	KMQTT_KIND_UPLINK = 4,
};

/**
 * enum kmqtt_ack_mode - when a QoS 1/2 delivery is done with
 * @KMQTT_ACK_AUTO:	as it is taken
 * @KMQTT_ACK_MANUAL:	by kmqtt_session_ack_id()
 * @KMQTT_ACK_MQTT:	by packet identifier, with the handshakes of MQTT 4.3
 */
enum kmqtt_ack_mode {
	KMQTT_ACK_AUTO = 0,
	KMQTT_ACK_MANUAL = 1,
	KMQTT_ACK_MQTT = 2,
};

/**
 * struct kmqtt_sub_ids - subscription identifiers, where several match
 * @refs:	queue entries and deliveries that hold it
 * @count:	how many
 * @broker:	against whose memory_limit it counts
 * @id:		they
 */
struct kmqtt_sub_ids {
	refcount_t refs;
	u32 count;
	struct kmqtt_broker *broker;
	u32 id[];
};

/**
 * enum kmqtt_delivery_kind - what a port has to send
 * @KMQTT_DELIVER_PUBLISH:	a message
 * @KMQTT_DELIVER_PUBREL:	only the PUBREL of a QoS 2 message, after a reconnect
 * @KMQTT_DELIVER_RUN:		packets of a run, to a port that takes them
 */
enum kmqtt_delivery_kind {
	KMQTT_DELIVER_PUBLISH = 0,
	KMQTT_DELIVER_PUBREL = 1,
	KMQTT_DELIVER_RUN = 2,
};

/**
 * struct kmqtt_delivery - a message as one subscriber gets it
 * @msg:	the message; NULL for a PUBREL
 * @more_ids:	all its subscription identifiers if there are several, else NULL
 * @ent:	private to the queue: what kmqtt_delivery_put() lets go of; it keeps
 *		@msg and @more_ids
 * @id:		number of the delivery in its session, from 1 up; of a run: that of the last one
 * @sub_id:	subscription identifier, 0: none
 * @expiry:	message expiry interval left in seconds, 0: none
 * @run_off:	of a run: where in @msg's payload its packets begin
 * @run_len:	of a run: bytes of its packets
 * @run_count:	of a run: how many there are
 * @packet_id:	for KMQTT_ACK_MQTT and QoS > 0, else 0
 * @kind:	&enum kmqtt_delivery_kind
 * @qos:	QoS to deliver with
 * @retain:	RETAIN flag to send
 * @dup:	it was sent before (MQTT 5.0, 3.3.1.1)
 */
struct kmqtt_delivery {
	struct kmqtt_msg *msg;
	struct kmqtt_sub_ids *more_ids;
	struct kmqtt_qent *ent;
	u64 id;
	u32 sub_id;
	u32 expiry;
	u32 run_off;
	u32 run_len;
	u16 run_count;
	u16 packet_id;
	u8 kind;
	u8 qos;
	bool retain;
	bool dup;
};

/** kmqtt_port_takes_run() - may a run go to this port as it is? NULL is allowed */
static inline bool kmqtt_port_takes_run(const struct kmqtt_port *port,
					const struct kmqtt_msg *msg)
{
	return port && msg->run_longest <= port->run_max &&
	       (port->run_version == msg->run_version || port->run_version == KMQTT_RUN_ANY);
}

/** kmqtt_delivery_put() - drop the references of a delivery (atomic) */
void kmqtt_delivery_put(struct kmqtt_delivery *d);

/**
 * kmqtt_delivery_record_len() - bytes of its record for a local reader
 *
 * Where several subscriptions match, each identifier but the first, which is
 * kmqtt_record.sub_id, is one more property (MQTT 5.0, 3.3.2.3.8) behind those
 * of the message.
 */
static inline size_t kmqtt_delivery_record_len(const struct kmqtt_delivery *d)
{
	size_t extra = 0;
	u32 i;

	if (likely(!d->more_ids))
		return d->msg->record_len;
	for (i = 1; i < d->more_ids->count; i++)
		extra += 1 + kmqtt_varint_size(d->more_ids->id[i]);
	return KMQTT_REC_SIZE(d->msg->topic_len, d->msg->props_len + extra,
			      d->msg->payload_len);
}

/**
 * struct kmqtt_session_params - how to open or tune a session
 * @name:	client identifier, NUL terminated; NULL: one is made
 * @kind:	&enum kmqtt_session_kind
 * @ack_mode:	&enum kmqtt_ack_mode
 * @policy:	&enum kmqtt_policy; 0: the switch's default
 * @clean:	forget a session of this name that is there (Clean Start)
 * @queue_qos0:	queue QoS 0 while it is not online
 * @privileged:	may take a session that another user owns
 * @expiry:	session expiry interval in seconds, U32_MAX: never
 * @max_queued_messages: 0: the switch's default
 * @max_queued_bytes: 0: the switch's default
 * @max_inflight: 0: the switch's default
 * @will:	will message (MQTT 5.0, 3.1.2.5), or NULL: none; allocated without
 *		expiry. The session takes a reference of its own if it is opened; the
 *		message must not be published otherwise
 * @will_delay:	will delay interval in seconds (MQTT 5.0, 3.1.3.2.2)
 * @will_expiry: message expiry interval of the will, 0: none; it counts from when
 *		the will is published (MQTT 5.0, 3.1.3.2.4)
 */
struct kmqtt_session_params {
	const char *name;
	u8 kind;
	u8 ack_mode;
	u8 policy;
	bool clean;
	bool queue_qos0;
	bool privileged;
	u32 expiry;
	u32 max_queued_messages;
	u64 max_queued_bytes;
	u32 max_inflight;
	struct kmqtt_msg *will;
	u32 will_delay;
	u32 will_expiry;
};

/**
 * struct kmqtt_wakes - wake-ups that are held back while a batch of messages goes
 *	into the switch
 * @first:	struct kmqtt_session by ->wake_next, each with a reference
 * @alone:	only those of the owner's own messages: others do not rely on him to
 *		wake whom he holds. For a process, which others may not have to wait for
 *
 * Belongs to one publisher, on whose stack or in whose connection it is. It must be
 * flushed before he waits for anything that a subscriber does.
 */
struct kmqtt_wakes {
	struct kmqtt_session *first;
	bool alone;
};

/**
 * struct kmqtt_stream - what messages of one publisher, one behind the other, have in common
 * @wakes:	wake-ups that are held back
 * @memo:	where the last one went, or NULL
 */
struct kmqtt_stream {
	struct kmqtt_wakes wakes;
	struct kmqtt_memo *memo;
};

/** kmqtt_wakes_flush() - wake them all (atomic) */
void kmqtt_wakes_flush(struct kmqtt_wakes *wakes);

/**
 * kmqtt_wakes_send() - kmqtt_wakes_flush(), but where it is a few that can be claimed
 *	(&kmqtt_port_ops.claim) the caller sends for them: nobody has to wake up for it first
 *
 * Process context, may sleep; no locks held.
 */
void kmqtt_wakes_send(struct kmqtt_wakes *wakes);

/**
 * struct kmqtt_session - see the head of this file
 * @port:	RCU; NULL while nobody is attached; written under sessions_lock and
 *		@lock, so that either will do to read it
 * @broker:	its switch
 * @lock:	protects all below up to @counters
 * @queue:	struct kmqtt_qent that wait to be taken, in order
 * @inflight:	taken and not acknowledged, in order of their first delivery
 * @resend:	first entry of @inflight that has to be sent again, or NULL
 * @by_packet:	@inflight by packet identifier (KMQTT_ACK_MQTT) or by delivery
 *		number (KMQTT_ACK_MANUAL)
 * @by_topic:	@queue by topic, for KMQTT_POLICY_KEEP_LATEST
 * @queued:	messages in @queue; an entry may have several
 * @queued_bytes: their sizes
 * @next_expiry: second of CLOCK_BOOTTIME from which on it is looked for what of them has
 *		expired; 0: none does at all
 * @inflight_count: entries in @inflight
 * @room:	entries for which memory_limit was asked
 * @acl_generation: of the access rules by which all in @queue may be read by @who
 * @last_id:	number of the last delivery
 * @last_packet_id: packet identifier given last
 * @sent:	QoS 1/2 deliveries on this connection that are not acknowledged
 * @sent_bytes:	their sizes
 * @send_quota:	how many QoS 1/2 deliveries may be in flight: max_inflight, or the
 *		peer's receive maximum if that is less (MQTT 5.0, 4.9)
 * @peer_quota:	the peer's receive maximum
 * @rx_qos2:	packet identifiers of QoS 2 messages that came in and wait for
 *		their PUBREL (MQTT 5.0, 4.3.3), each a value entry; or the port
 *		that is publishing it
 * @rx_qos2_count: how many
 * @will:	what is to be published when the peer is lost, or NULL
 * @online:	deliver QoS 0
 * @dead:	it has left the table; nothing is pushed any more
 * @space:	woken when a full session with KMQTT_POLICY_BLOCK has room
 * @memcg:	memory cgroup that pays for the queue entries, or NULL
 * @published_messages: what came in from it
 * @published_bytes: topics and payloads
 * @delivered_messages: what was taken from it
 * @delivered_bytes: topics and payloads
 * @dropped_messages: what did not fit
 * @expired_messages: what expired here
 * @dropped_reported: what of @dropped_messages a record has told the reader
 * @event_drop:	jiffies of the last KMQTT_EVENT_DROP, without a lock
 * @event_deny:	jiffies of the last KMQTT_EVENT_DENY, without a lock
 * @wake_holder: the struct kmqtt_wakes that it is in, and KMQTT_WAKES_ALONE; or 0;
 *		atomic
 * @wake_next:	next in that
 * @refs:	the table's, the port's, and whoever waits on it
 * @name_link:	in broker->sessions by name
 * @number:	given once, ascending; key in broker->by_number
 * @created:	CLOCK_BOOTTIME seconds
 * @subs:	its struct kmqtt_sub, under tree->lock
 * @sub_count:	how many, written under tree->lock
 * @last_sub:	number of the one made last, under tree->lock
 * @who:	identity of the peer that is or was attached last, RCU
 * @owner:	user who made it; he may come back to it
 * @expiry_link: in broker->by_expiry while it is to end, under sessions_lock
 * @expires:	ns of CLOCK_BOOTTIME at which it ends then, else 0; also read without a lock
 * @charged:	bytes that count against memory_limit for it, under sessions_lock
 * @ever_named:	the name was given, not made up
 * @name:	client identifier, NUL terminated
 */
struct kmqtt_session {
	struct kmqtt_port __rcu *port;
	struct kmqtt_broker *broker;

	spinlock_t lock;	/* queue and windows */
	u32 queued;
	struct list_head queue;
	struct list_head inflight;
	struct kmqtt_qent *resend;
	struct rb_root by_packet;
	struct rb_root by_topic;
	u32 inflight_count;
	u32 room;
	u32 acl_generation;
	u32 sent;
	u64 queued_bytes;
	u64 next_expiry;
	u64 last_id;
	u64 sent_bytes;
	u16 last_packet_id;
	u16 send_quota;
	u16 peer_quota;
	bool online;
	bool dead;
	u32 rx_qos2_count;

	u8 kind;
	u8 ack_mode;
	u8 policy;
	bool queue_qos0;
	struct xarray rx_qos2;
	struct kmqtt_will *will;
	u32 max_queued_messages;
	u32 max_inflight;
	u64 max_queued_bytes;
	u32 expiry;

	kuid_t owner;
	wait_queue_head_t space;
	struct mem_cgroup *memcg;

	atomic64_t published_messages;
	atomic64_t published_bytes;
	u64 delivered_messages;
	u64 delivered_bytes;
	u64 dropped_messages;
	u64 expired_messages;
	u64 dropped_reported;
	unsigned long event_drop;
	unsigned long event_deny;

	unsigned long wake_holder;
	struct kmqtt_session *wake_next;
	struct rhash_head name_link;
	unsigned long number;
	u64 created;
	struct list_head subs;
	u32 sub_count;
	u32 last_sub;
	struct kmqtt_identity __rcu *who;
	struct rb_node expiry_link;
	u64 expires;
	u64 charged;
	struct rcu_head rcu;
	refcount_t refs;
	bool ever_named;
	char name[];
};

/**
 * kmqtt_session_open() - make a session or come back to one, and attach a port
 * @broker:	the switch
 * @params:	see there
 * @who:	identity, from kmalloc; passes to the session if this succeeds;
 *		client_id is set to the session's name
 * @port:	port to attach; another one that is attached gets ->close() with
 *		reason 0x8E (session taken over)
 * @present:	out: it was there and was kept (session present)
 *
 * A session that is attached is offline until kmqtt_session_set_online(); one
 * with KMQTT_ACK_MQTT needs kmqtt_session_resume() before.
 * A session of KMQTT_KIND_REMOTE belongs to whoever is let in under its name.
 * A port that has an unnamed session and wants a named one opens that and then
 * detaches from the first; both refer to the port in between.
 * Return: the session with a reference for the port; ERR_PTR: -ENOMEM, -EACCES
 * (another user's, or one whose name was made up), -ENOSPC (max_sessions),
 * -ENOBUFS (memory_limit), -EINVAL, -ESHUTDOWN (the switch is going).
 */
struct kmqtt_session *
kmqtt_session_open(struct kmqtt_broker *broker,
		   const struct kmqtt_session_params *params,
		   struct kmqtt_identity *who, struct kmqtt_port *port,
		   bool *present);

/**
 * kmqtt_session_tune() - change all but name, kind, clean and will
 * Return: 0, -EINVAL, -ESHUTDOWN (ended)
 */
int kmqtt_session_tune(struct kmqtt_session *session,
		       const struct kmqtt_session_params *params);

/**
 * kmqtt_session_detach() - the port goes
 * @session:	session; the port's reference to it is dropped
 * @port:	the port; nothing happens to a session that has another by now
 * @reason:	for the event
 *
 * With an expiry of 0 the session ends here. The port must not be freed before
 * a grace period has passed (kfree_rcu() or synchronize_rcu()).
 */
void kmqtt_session_detach(struct kmqtt_session *session,
			  struct kmqtt_port *port, u8 reason);

/**
 * kmqtt_session_will_drop() - the peer says good-bye: its will is not published
 *
 * DISCONNECT with reason code 0 (MQTT 5.0, 3.14.4), before kmqtt_session_detach().
 * Nothing happens if another @port has the session by now. (atomic)
 */
void kmqtt_session_will_drop(struct kmqtt_session *session,
			     struct kmqtt_port *port);

/**
 * kmqtt_session_set_expiry() - DISCONNECT changes the session expiry interval
 * @session:	session
 * @port:	its port
 * @expiry:	seconds, U32_MAX: never; not more than persistent_client_expiration
 *
 * Whether that is allowed (MQTT 5.0, 3.14.2.2.2) is the port's to know. (atomic)
 * Return: 0; -ESTALE: nothing happened, another port has it or it ended.
 */
int kmqtt_session_set_expiry(struct kmqtt_session *session,
			     struct kmqtt_port *port, u32 expiry);

/**
 * kmqtt_session_info() - ask its port who is there (atomic)
 * Return: false: nobody is, or it has nothing to tell; @info is zeroed then
 */
bool kmqtt_session_info(struct kmqtt_session *session,
			struct kmqtt_port_info *info);

/** kmqtt_session_kill() - end it now; its port gets ->close(reason) */
void kmqtt_session_kill(struct kmqtt_session *session, u8 reason);

/**
 * kmqtt_session_get() - one more reference; the caller has one or holds RCU
 * Return: false if it is being freed (atomic)
 */
bool kmqtt_session_get(struct kmqtt_session *session);

/** kmqtt_session_put() - drop a reference (atomic) */
void kmqtt_session_put(struct kmqtt_session *session);

/** kmqtt_session_find() - by name. Return: with a reference, or NULL */
struct kmqtt_session *kmqtt_session_find(struct kmqtt_broker *broker,
					 const char *name);

/**
 * kmqtt_session_next() - walk all, by number
 * Return: the one with the smallest number above @after, with a reference; NULL
 */
struct kmqtt_session *kmqtt_session_next(struct kmqtt_broker *broker,
					 unsigned long after);

/** kmqtt_sessions_expire() - &kmqtt_broker.expiry_work: end those whose time is over */
void kmqtt_sessions_expire(struct work_struct *work);

/** kmqtt_sessions_end_all() - none is left and none will come */
void kmqtt_sessions_end_all(struct kmqtt_broker *broker);

/** kmqtt_session_init() / kmqtt_session_exit() - cache of sessions, at module load */
int kmqtt_session_init(void);
void kmqtt_session_exit(void);

/** kmqtt_session_params_by_name - how broker->sessions is hashed */
extern const struct rhashtable_params kmqtt_session_params_by_name;

/**
 * kmqtt_session_set_online() - does the port take QoS 0 now? (atomic)
 *
 * Nothing happens if another @port has the session by now.
 */
void kmqtt_session_set_online(struct kmqtt_session *session,
			      const struct kmqtt_port *port, bool online);

/**
 * kmqtt_session_subscribe() - checks rules, subscribes, queues retained messages
 * @session:	subscriber
 * @filter:	topic filter, validated here
 * @len:	its bytes
 * @opts:	options
 *
 * Return: 0, -EILSEQ, -EACCES, -ESHUTDOWN (ended), -ENOSPC (max_subscriptions),
 * -ENOBUFS (memory_limit), -EINVAL (no-local with `$share`, MQTT 5.0, 3.8.3.1), -ENOMEM.
 */
int kmqtt_session_subscribe(struct kmqtt_session *session, const u8 *filter,
			    u32 len, const struct kmqtt_sub_opts *opts);

/** kmqtt_session_denied() - the rules forbade it a topic name or filter: the event */
void kmqtt_session_denied(struct kmqtt_session *session, const u8 *topic, u32 len);

/** kmqtt_session_unsubscribe() - Return: 0, -ENOENT, -EILSEQ */
int kmqtt_session_unsubscribe(struct kmqtt_session *session, const u8 *filter,
			      u32 len);

/**
 * kmqtt_session_take() - what is to be delivered next
 * @session:	session
 * @port:	who takes: nothing if another port has the session by now
 * @out:	filled in order; each must be given to kmqtt_delivery_put()
 * @max:	entries at @out
 * @room:	in: bytes that may be taken, counted as records of /dev/kmqtt; out:
 *		what is left of it
 *
 * Stops at a QoS 1/2 message for which send_quota has no place: order is kept.
 * One taker at a time (the port sees to that).
 * Return: how many; -EMSGSIZE if the first one is larger than @room.
 * (atomic)
 */
int kmqtt_session_take(struct kmqtt_session *session,
		       const struct kmqtt_port *port, struct kmqtt_delivery *out, unsigned int max,
		       size_t *room);

/**
 * kmqtt_session_untake() - give back what could not be delivered after all
 *
 * @d[0..count) are the last that were taken, in order; they go back to where
 * they came from, as if they had not been taken. If another @port has the session
 * by now, that one sends again what is in flight; QoS 0 was for a connection that
 * is lost and goes with it. (atomic)
 */
void kmqtt_session_untake(struct kmqtt_session *session,
			  const struct kmqtt_port *port,
			  struct kmqtt_delivery *d, unsigned int count);

/** kmqtt_session_pending() - would take() by this port return something? (atomic) */
bool kmqtt_session_pending(struct kmqtt_session *session,
			   const struct kmqtt_port *port);

/** kmqtt_session_dropped() - drops that were not reported yet; they are from now */
u64 kmqtt_session_dropped(struct kmqtt_session *session);

/**
 * kmqtt_session_has_dropped() - are there drops that were not reported yet? The
 *	port is woken at the first of them that a new message makes. Any context
 */
static inline bool kmqtt_session_has_dropped(const struct kmqtt_session *session)
{
	return READ_ONCE(session->dropped_messages) !=
	       READ_ONCE(session->dropped_reported);
}

/**
 * kmqtt_session_ack_id() - KMQTT_ACK_MANUAL: done with a delivery
 * @up_to: and with all that were taken before it
 *
 * The process that lost its session may come late: what it was given has had a
 * new number since, and no number comes twice.
 * Return: 0 or -ENOENT (atomic)
 */
int kmqtt_session_ack_id(struct kmqtt_session *session, u64 id, bool up_to);

/**
 * kmqtt_session_puback() - KMQTT_ACK_MQTT: PUBACK came (MQTT 5.0, 4.3.2)
 * @session:	session
 * @port:	whose peer sent it
 * @packet_id:	its packet identifier
 * @reason:	its reason code; 0x80 and above: refused, and not sent again
 *		(MQTT 5.0, 4.4)
 *
 * This and what follows of acknowledgements: (atomic)
 * Return: 0, -ENOENT unknown, -EPROTO if it is not a QoS 1 delivery, -ESTALE if
 * another port has the session by now: the packet is to be ignored.
 */
int kmqtt_session_puback(struct kmqtt_session *session,
			 const struct kmqtt_port *port, u16 packet_id, u8 reason);

/**
 * kmqtt_session_pubrec() - PUBREC came (MQTT 5.0, 4.3.3)
 * Return: 1: a PUBREL has to be sent; 0: @reason ended it; -ENOENT, -EPROTO,
 * -ESTALE
 */
int kmqtt_session_pubrec(struct kmqtt_session *session,
			 const struct kmqtt_port *port, u16 packet_id, u8 reason);

/** kmqtt_session_pubcomp() - PUBCOMP came. Return: 0, -ENOENT, -EPROTO, -ESTALE */
int kmqtt_session_pubcomp(struct kmqtt_session *session,
			  const struct kmqtt_port *port, u16 packet_id, u8 reason);

/**
 * kmqtt_session_forget() - a delivery that the port cannot send (too large for
 *	its peer): it counts as dropped and frees its packet identifier (atomic)
 *
 * @d is still to be put. If another @port has the session by now, that one may
 * be able to send it: then it stays in flight.
 */
void kmqtt_session_forget(struct kmqtt_session *session,
			  const struct kmqtt_port *port,
			  const struct kmqtt_delivery *d);

/**
 * kmqtt_session_resume() - KMQTT_ACK_MQTT: the peer is back
 * @session:	session
 * @port:	its port; nothing happens if another one has it by now
 * @send_quota:	the peer's receive maximum, 1 to 65535
 * @peer_kept:	the peer has kept its session: what is in flight is sent again
 *		with DUP, and PUBREL where PUBREC has come (MQTT 5.0, 4.4);
 *		otherwise it is sent anew, but for what had its PUBREC
 *
 * Called before set_online(); also resets rx_qos2 unless @peer_kept.
 */
void kmqtt_session_resume(struct kmqtt_session *session,
			  const struct kmqtt_port *port, u16 send_quota,
			  bool peer_kept);

/** kmqtt_session_idle() - is there nothing to take just now? (atomic, lockless) */
static inline bool kmqtt_session_idle(const struct kmqtt_session *session)
{
	return list_empty_careful(&session->queue) && !READ_ONCE(session->resend);
}

/**
 * kmqtt_session_publish() - kmqtt_publish() by a port
 * @session:	its session
 * @port:	the port
 * @msg:	message; the caller keeps its reference
 * @blocked:	as for kmqtt_publish()
 * @stream:	of the port's publishes, not used by others meanwhile, or NULL
 *
 * Whoever takes a session over may be another user: what the one before him sent
 * must not pass for his. Return: as kmqtt_publish(); -ESTALE: another port has
 * the session by now, and nothing happened.
 */
int kmqtt_session_publish(struct kmqtt_session *session,
			  const struct kmqtt_port *port, struct kmqtt_msg *msg,
			  struct kmqtt_session **blocked, struct kmqtt_stream *stream);

/** kmqtt_publish_as() - kmqtt_publish() by a session that was @who then, without waiting */
int kmqtt_publish_as(struct kmqtt_session *from, struct kmqtt_identity *who,
		     struct kmqtt_msg *msg);

/**
 * kmqtt_session_rx_known() - has this QoS 2 message come before? (atomic)
 *
 * Asked when it begins to come, to spare the rest; kmqtt_session_rx_begin() decides.
 */
static inline bool kmqtt_session_rx_known(struct kmqtt_session *session, u16 packet_id)
{
	return xa_is_value(xa_load(&session->rx_qos2, packet_id));
}

/**
 * kmqtt_session_rx_begin() - a QoS 2 PUBLISH came in (MQTT 5.0, 4.3.3)
 *
 * To be called when the whole message is there, right before it is published: if
 * a connection breaks before that, the client sends the message again on its next
 * one, which may have the session before this one's end is known, and must not be
 * told then that the message has arrived. For the same reason it has not arrived
 * before kmqtt_session_rx_end(), which must follow, whatever becomes of the port.
 * Return: 1: new, publish it; 0: seen before, send PUBREC only; -ENOMEM; -ESTALE:
 * another port has the session by now, do neither; -EBUSY: one that had the session
 * is publishing it, and nobody knows yet what will become of it: neither, too.
 */
int kmqtt_session_rx_begin(struct kmqtt_session *session,
			   const struct kmqtt_port *port, u16 packet_id);

/** kmqtt_session_rx_end() - @arrived: it is published: send PUBREC; or it may come again */
void kmqtt_session_rx_end(struct kmqtt_session *session,
			  const struct kmqtt_port *port, u16 packet_id, bool arrived);

/**
 * kmqtt_session_packet_id() - a packet identifier that no delivery has, for a
 *	SUBSCRIBE or UNSUBSCRIBE (MQTT 5.0, 2.2.1)
 *
 * Deliveries get theirs in turn, so they come to it only 65535 later. (atomic)
 */
u16 kmqtt_session_packet_id(struct kmqtt_session *session);

/** kmqtt_session_rx_release() - PUBREL came. Return: 0, -ENOENT, -ESTALE */
int kmqtt_session_rx_release(struct kmqtt_session *session,
			     const struct kmqtt_port *port, u16 packet_id);

#endif

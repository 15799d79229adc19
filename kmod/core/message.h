/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A message: immutable once published, reference counted, one allocation.
 *
 * Topic, properties and payload lie as they go on the wire and as a local
 * reader gets them, one behind the other:
 *
 *	data: be16 topic length | topic | NUL | properties | payload
 *
 * so that the head of a PUBLISH is data[0..2 + topic_len), what follows the
 * packet identifier and the property length is properties and payload in one
 * piece, and a record for /dev/kmqtt is topic, NUL, properties and payload in
 * one piece. What differs from subscriber to subscriber (QoS, packet
 * identifier, RETAIN flag, expiry left, subscription identifiers, topic alias)
 * is not in here: it travels in struct kmqtt_delivery (session.h).
 *
 * Context: any function here may be called from process context with or
 * without rcu_read_lock(); none sleeps but kmqtt_msg_alloc() as its gfp says.
 */
#ifndef KMQTT_CORE_MESSAGE_H
#define KMQTT_CORE_MESSAGE_H

#include <linux/llist.h>
#include <linux/mm.h>
#include <linux/refcount.h>
#include <linux/types.h>

#include "proto/run.h"

struct kmqtt_broker;
struct kmqtt_tracker;

/*
 * What a PUBLISH has besides topic name, properties and payload, at most: fixed header,
 * topic length, packet identifier, property length.
 */
#define KMQTT_PUBLISH_OVERHEAD	(5 + 2 + 2 + 4)

/*
 * Longer ones are of pages of their own, each with a reference count of its own: sockets may hold
 * those of a message that is gone already. Where pages are large, so is what is not worth that.
 */
#define KMQTT_MSG_UNPAGED	(2 * PAGE_SIZE)

/**
 * struct kmqtt_msg - a message on its way
 * @refs:	who holds it: queues, the retained store, ports while they send
 * @broker:	whose memory it counts against
 * @tracker:	told when uplinks have acknowledged it, or NULL (tracker.h)
 * @time_ns:	CLOCK_REALTIME in ns when it entered the switch
 * @expires:	ns of CLOCK_BOOTTIME at which it expires; 0: never (MQTT 5.0, 3.3.2.3.3)
 * @dropped:	what may not be freed where the last reference was dropped waits here
 * @size:	bytes of this allocation, as counted against memory_limit
 * @record_len:	bytes of its record for a local reader, if no subscription
 *		identifiers have to be added (struct kmqtt_record.len)
 * @run_longest: of a run: bytes of its longest packet
 * @props_len:	bytes of the properties, without message expiry interval,
 *		topic alias, subscription identifiers and will delay
 * @payload_len: bytes of the payload
 * @topic_len:	bytes of the topic name
 * @qos:	QoS with which it was published
 * @retain:	it was published with RETAIN (MQTT 5.0, 3.3.1.3)
 * @origin:	slot of the uplink that it came from, 1 to 64; else 0
 * @run_count:	packets of a run (core/run.h), which are the payload; 0: it is none
 * @run_version: protocol version of a run
 * @accounted:	a memory cgroup pays for it
 * @data:	as drawn above
 *
 * All but @refs is constant from kmqtt_publish() on.
 */
struct kmqtt_msg {
	refcount_t refs;
	u32 size;
	struct kmqtt_broker *broker;
	struct kmqtt_tracker *tracker;
	union {
		struct {
			u64 time_ns;
			u64 expires;
		};
		struct llist_node dropped;
	};
	union {
		u32 record_len;
		u32 run_longest;
	};
	u32 props_len;
	u32 payload_len;
	u16 topic_len;
	u8 qos;
	u8 retain : 1;
	u8 origin : 7;
	u16 run_count;
	u8 run_version;
	bool accounted;
	u8 data[];
};

/**
 * struct kmqtt_msg_desc - what kmqtt_msg_alloc() has to know
 * @topic:	topic name, valid (kmqtt_topic_name_valid())
 * @topic_len:	its bytes
 * @props:	a valid block of properties for PUBLISH or a will, or NULL; expiry,
 *		alias, subscription identifiers and will delay in it are left out
 * @props_len:	its bytes
 * @payload_len: bytes of the payload, which the caller copies in afterwards
 * @expiry:	message expiry interval in seconds; 0: none
 * @qos:	0 to 2
 * @retain:	RETAIN flag
 */
struct kmqtt_msg_desc {
	const u8 *topic;
	const u8 *props;
	u32 topic_len;
	u32 props_len;
	u32 payload_len;
	u32 expiry;
	u8 qos;
	bool retain;
};

/**
 * kmqtt_msg_alloc() - make a message, all but the payload
 * @broker:	switch whose memory_limit counts
 * @desc:	the rest
 * @gfp:	GFP_KERNEL_ACCOUNT for a process, GFP_KERNEL for a worker
 *
 * Return: the message with one reference, to be filled at kmqtt_msg_payload();
 * ERR_PTR(-ENOMEM), ERR_PTR(-ENOBUFS) over memory_limit, ERR_PTR(-EMSGSIZE)
 * over max_packet_size.
 */
struct kmqtt_msg *kmqtt_msg_alloc(struct kmqtt_broker *broker,
				  const struct kmqtt_msg_desc *desc, gfp_t gfp);

/* Bytes of packets in one run for which kmqtt_msg_alloc_run() has room, at most. */
#define KMQTT_RUN_MAX	(16384 - 256)

/**
 * kmqtt_msg_alloc_run() - a message for the packets of a run, with room for them
 * @broker:	switch whose memory_limit counts
 * @run:	the run; @run->len: as many bytes as it may come to
 * @gfp:	GFP_KERNEL_ACCOUNT for a process, GFP_KERNEL for a worker
 *
 * The caller copies the packets in. Process context, may sleep. Return: the message
 * with one reference; ERR_PTR(-EMSGSIZE): there are too many, or they are too long;
 * ERR_PTR(-ENOMEM), ERR_PTR(-ENOBUFS).
 */
struct kmqtt_msg *kmqtt_msg_alloc_run(struct kmqtt_broker *broker, const struct kmqtt_run *run,
				      gfp_t gfp);

/** kmqtt_msg_set_run() - it has these packets by now, and is not published yet */
void kmqtt_msg_set_run(struct kmqtt_msg *msg, const struct kmqtt_run *run);

/**
 * kmqtt_msg_shorten_run() - it has all packets: is a shorter message long enough for them?
 * @msg:	of kmqtt_msg_alloc_run() and kmqtt_msg_set_run(); nobody else has seen it
 * @run:	the packets, in it
 * @gfp:	as above
 *
 * It may have been thought to come to more, and it may wait for long. Process context, may
 * sleep. Return: @msg, or instead of it another one, to which @run points from now on.
 */
struct kmqtt_msg *kmqtt_msg_shorten_run(struct kmqtt_msg *msg, struct kmqtt_run *run, gfp_t gfp);

/** kmqtt_memory_default() - memory_limit of a new switch, and of all guests, in bytes */
u64 kmqtt_memory_default(void);

/**
 * kmqtt_memory_charge() - count bytes against memory_limit
 *
 * Any context. Return: false, and they are not counted, if that is over it, or over what
 * there is for guests (&kmqtt_broker.guest).
 */
bool kmqtt_memory_charge(struct kmqtt_broker *broker, u64 size);

/** kmqtt_memory_uncharge() - they are free again. Any context */
void kmqtt_memory_uncharge(struct kmqtt_broker *broker, u64 size);

/** kmqtt_msg_get() - one more reference; the caller holds one already */
static inline struct kmqtt_msg *kmqtt_msg_get(struct kmqtt_msg *msg)
{
	refcount_inc(&msg->refs);
	return msg;
}

/** kmqtt_msg_put() - drop a reference; the last one frees it */
void kmqtt_msg_put(struct kmqtt_msg *msg);

/** kmqtt_msg_paged() - may what it consists of be handed to a socket by its pages? */
static inline bool kmqtt_msg_paged(const struct kmqtt_msg *msg)
{
	return msg->size > KMQTT_MSG_UNPAGED && !msg->run_count;
}

/** kmqtt_msg_topic() - its topic name, msg->topic_len bytes and a NUL */
static inline u8 *kmqtt_msg_topic(const struct kmqtt_msg *msg)
{
	return (u8 *)msg->data + sizeof(__be16);
}

/** kmqtt_msg_props() - its properties, msg->props_len bytes; payload follows */
static inline u8 *kmqtt_msg_props(const struct kmqtt_msg *msg)
{
	return kmqtt_msg_topic(msg) + msg->topic_len + 1;
}

/** kmqtt_msg_payload() - its payload, msg->payload_len bytes */
static inline u8 *kmqtt_msg_payload(const struct kmqtt_msg *msg)
{
	return kmqtt_msg_props(msg) + msg->props_len;
}

/**
 * kmqtt_msg_set_expiry() - its time begins now; nobody else has seen it yet
 * @msg:	the message
 * @seconds:	message expiry interval; 0: it never expires
 */
void kmqtt_msg_set_expiry(struct kmqtt_msg *msg, u32 seconds);

/**
 * kmqtt_msg_expiry_left() - message expiry interval to send on
 * @msg:	the message
 * @left:	out: seconds left, at least 1, of which the last one that has begun counts as a
 *		whole one; 0 if it never expires
 *
 * Return: false if it has expired already (MQTT 5.0, 3.3.2.3.3).
 */
bool kmqtt_msg_expiry_left(const struct kmqtt_msg *msg, u32 *left);

/** kmqtt_message_init() / kmqtt_message_exit() - cache of messages, at module load */
int kmqtt_message_init(void);
void kmqtt_message_exit(void);

#endif

/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * kmqtt: the character device /dev/kmqtt, as user space sees it.
 *
 * This file alone is enough to subscribe and to publish:
 *
 *	fd = open(KMQTT_DEVICE, O_RDWR | O_CLOEXEC);
 *	ioctl(fd, KMQTT_IOC_SUBSCRIBE, &sub);		// struct kmqtt_subscription
 *	read(fd, buf, sizeof(buf));			// whole struct kmqtt_record's
 *	write(fd, rec, rec->len);			// one or more records
 *
 * An open file is a session on the switch of the network namespace in which
 * it was opened. Everything is of fixed width, aligned to 8 bytes, in host
 * byte order and the same for 32- and 64-bit programs. Fields named `reserved`
 * and unknown flags must be zero: they are refused with EINVAL, so that a
 * later version can give them a meaning.
 *
 * Structs passed to ioctls begin with their own size. A longer struct than the
 * kernel knows is accepted if what it does not know is zero (else E2BIG); of a
 * shorter one the missing rest counts as zero. Members that are "out" are not
 * looked at on the way in.
 *
 * write() and writev() take one record after the other. At a bad one they stop:
 * what came before it is published, and its bytes are returned; the error is
 * returned if it is the first. A record never spans two write()s. Readers are
 * woken once for up to 32 records of a write: one that has several costs less.
 *
 * Errors, one meaning each:
 *	EACCES		an access rule forbids this topic or filter to this process; the
 *			named session belongs to another user
 *	EAGAIN		O_NONBLOCK: nothing to read; or a subscriber whose policy is
 *			KMQTT_POLICY_BLOCK is full (KMQTT_IOC_PUBLISH: all the time)
 *	EBADF		the file was not opened for that: reading, writing
 *	EBADMSG		the ring's consumer position made no sense; the ring is dead
 *	EBUSY		the ring or the session's name is set already; a session is
 *			named after it subscribed; read() on a file with a ring
 *	EFAULT		an address is not the process's; nothing is lost by it
 *	EILSEQ		a topic, a filter or a name is not valid MQTT UTF-8 or has a
 *			wildcard or a level where it must not
 *	EINTR		a signal came while it waited
 *	EINVAL		a flag, a length or a reserved field that makes no sense, or
 *			properties that are not well-formed or not allowed there
 *	EMSGSIZE	read: the buffer is too small for the next record, which stays
 *			write: the message is larger than max_packet_size
 *	ENOBUFS		the switch's memory_limit is reached
 *	ENOENT		no such subscription, no such delivery to acknowledge
 *	ENOLINK		a publish that waits: no uplink carries this topic; local
 *			subscribers have got it
 *	ENOMEM		no memory; a ring: RLIMIT_MEMLOCK
 *	ENOSPC		too many subscriptions; open: too many sessions
 *	ENOTTY		no such ioctl
 *	EOPNOTSUPP	a ring: this machine cannot store 64 bits at once (ARMv5, MIPS32)
 *	EPERM		mmap: to write or to execute what may only be read
 *	EPROTO		the uplink's broker refused the publish that waits; fsync: it
 *			refused one since the last fsync
 *	ESHUTDOWN	the session was taken over by another file, or killed
 *	ETIMEDOUT	a publish that waits: not acknowledged in time; it stays queued
 */
#ifndef _UAPI_KMQTT_H
#define _UAPI_KMQTT_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define KMQTT_DEVICE	"/dev/kmqtt"

/** KMQTT_ABI - version of this file; only grows when something is added */
#define KMQTT_ABI	1

/** KMQTT_NAME_MAX - bytes in a session's name, without a terminating NUL */
#define KMQTT_NAME_MAX	256

/**
 * enum kmqtt_record_type - what a record is
 * @KMQTT_REC_MESSAGE: a message; the only one that can be written
 * @KMQTT_REC_DROPPED: messages were lost here, since this session's queue was
 *	full; &kmqtt_record.id says how many. Only with KMQTT_SESSION_REPORT_DROPS.
 */
enum kmqtt_record_type {
	KMQTT_REC_MESSAGE = 1,
	KMQTT_REC_DROPPED = 2,
};

/* flags of a record */
#define KMQTT_REC_RETAIN	0x0001	/* write: retain it; read: it is retained (3.3.1.3) */
#define KMQTT_REC_DUP		0x0002	/* read: handed out before and never acknowledged */
#define KMQTT_REC_ACK		0x0004	/* read: waits for KMQTT_IOC_ACK with this id */

/**
 * struct kmqtt_record - head of a record, read from or written to the device
 * @len:	bytes of the whole record: this head, topic, a NUL byte, properties,
 *		payload, and the padding up to the next multiple of 8
 * @type:	&enum kmqtt_record_type
 * @flags:	KMQTT_REC_RETAIN, ...
 * @topic_len:	bytes of the topic name, without the NUL byte that follows it
 * @qos:	0, 1 or 2: read: with which it is delivered; write: to publish it with
 * @reserved:	zero
 * @props_len:	bytes of the MQTT 5.0 properties, as on the wire
 *		(see kmqtt_prop_next()); 0 if there are none
 * @payload_len: bytes of the payload
 * @expiry:	message expiry interval left, in seconds; 0: never expires
 * @sub_id:	read: subscription identifier of the matching subscription, 0 if it
 *		has none. If several match, the others are in the properties.
 *		write: zero
 * @id:		read: number of this delivery in the session, for KMQTT_IOC_ACK;
 *		KMQTT_REC_DROPPED: how many were dropped; write: zero
 * @time_ns:	read: CLOCK_REALTIME in ns when the switch took it, which may have been
 *		together with others of the same write(); write: zero
 *
 * After the head: topic[topic_len], one NUL byte, props[props_len],
 * payload[payload_len], padding. The next record, if any, starts at @len.
 */
struct kmqtt_record {
	__u32 len;
	__u16 type;
	__u16 flags;
	__u16 topic_len;
	__u8  qos;
	__u8  reserved;
	__u32 props_len;
	__u32 payload_len;
	__u32 expiry;
	__u32 sub_id;
	__u32 reserved2;
	__u64 id;
	__u64 time_ns;
};

/** KMQTT_REC_SIZE() - &kmqtt_record.len for these lengths, in bytes */
#define KMQTT_REC_SIZE(topic_len, props_len, payload_len) \
	((sizeof(struct kmqtt_record) + (topic_len) + 1 + (props_len) + \
	  (payload_len) + 7) & ~(__typeof__(sizeof(0)))7)

/**
 * enum kmqtt_policy - what to do for a session whose queue is full
 * @KMQTT_POLICY_DEFAULT:	as the switch is configured (drop newest)
 * @KMQTT_POLICY_DROP_NEWEST:	the new message is not queued
 * @KMQTT_POLICY_DROP_OLDEST:	the oldest queued message makes room
 * @KMQTT_POLICY_KEEP_LATEST:	one message per topic is queued, the latest;
 *				for a new topic the oldest makes room
 * @KMQTT_POLICY_BLOCK:		the writer waits (EAGAIN with O_NONBLOCK; an
 *				uplink stops reading)
 */
enum kmqtt_policy {
	KMQTT_POLICY_DEFAULT = 0,
	KMQTT_POLICY_DROP_NEWEST = 1,
	KMQTT_POLICY_DROP_OLDEST = 2,
	KMQTT_POLICY_KEEP_LATEST = 3,
	KMQTT_POLICY_BLOCK = 4,
};

/* flags of struct kmqtt_session_conf */
#define KMQTT_SESSION_MANUAL_ACK	0x1 /* QoS 1/2 stay until KMQTT_IOC_ACK */
#define KMQTT_SESSION_REPORT_DROPS	0x2 /* KMQTT_REC_DROPPED records are read */
#define KMQTT_SESSION_CLEAN		0x4 /* begin anew: forget what was there (Clean Start) */
#define KMQTT_SESSION_QUEUE_QOS0	0x8 /* queue QoS 0 too while no file is attached */

/**
 * struct kmqtt_session_conf - for KMQTT_IOC_SESSION: names and tunes a session
 * @size:	sizeof(struct kmqtt_session_conf)
 * @flags:	KMQTT_SESSION_MANUAL_ACK, ...
 * @name:	address of the session's name (client identifier), UTF-8
 * @name_len:	its bytes, up to KMQTT_NAME_MAX; 0 keeps the session unnamed: it
 *		ends with the file
 * @expiry:	seconds that a named session outlives its file; 0xffffffff: for
 *		ever (session expiry interval, MQTT 5.0, 3.1.2.11.2)
 * @policy:	&enum kmqtt_policy
 * @max_queued_messages: messages queued; 0: the switch's default
 * @max_queued_bytes: bytes queued; 0: the switch's default
 * @max_inflight: QoS 1/2 messages handed out and not acknowledged, with manual
 *		acknowledgement; 0: the switch's default
 * @present:	out: 1 if the named session existed already (session present)
 *
 * A file may call this once with a name, before it subscribes (else EBUSY). A
 * name that another file is using is taken over: that file gets ESHUTDOWN and
 * poll() tells POLLHUP. Without a name it may be called any number of times, to
 * change the rest. A session belongs to the user who made it: another one
 * without CAP_NET_ADMIN gets EACCES.
 */
struct kmqtt_session_conf {
	__u32 size;
	__u32 flags;
	__u64 name;
	__u32 name_len;
	__u32 expiry;
	__u32 policy;
	__u32 max_queued_messages;
	__u64 max_queued_bytes;
	__u32 max_inflight;
	__u32 present;
};

/* flags of struct kmqtt_subscription: subscription options, MQTT 5.0, 3.8.3.1 */
#define KMQTT_SUB_NO_LOCAL		0x1 /* not what this session published */
#define KMQTT_SUB_RETAIN_AS_PUBLISHED	0x2 /* keep the RETAIN flag as it was sent */

/**
 * enum kmqtt_retain_handling - when retained messages are sent (MQTT 5.0, 3.8.3.1)
 * @KMQTT_RETAIN_SEND:		at each subscribe
 * @KMQTT_RETAIN_SEND_NEW:	only if the subscription is new
 * @KMQTT_RETAIN_SEND_NEVER:	never
 */
enum kmqtt_retain_handling {
	KMQTT_RETAIN_SEND = 0,
	KMQTT_RETAIN_SEND_NEW = 1,
	KMQTT_RETAIN_SEND_NEVER = 2,
};

/**
 * struct kmqtt_subscription - for KMQTT_IOC_SUBSCRIBE and KMQTT_IOC_UNSUBSCRIBE
 * @size:	sizeof(struct kmqtt_subscription)
 * @flags:	KMQTT_SUB_NO_LOCAL, ...
 * @filter:	address of the topic filter, UTF-8; `+`, `#`, `$share/NAME/FILTER`
 * @filter_len:	its bytes
 * @sub_id:	subscription identifier, 1 to 268435455; 0: none
 * @qos:	highest QoS to deliver with
 * @retain_handling: &enum kmqtt_retain_handling
 * @reserved:	zero
 *
 * A filter that the session has already gets these options instead. To
 * unsubscribe, all but @size, @filter and @filter_len must be zero.
 */
struct kmqtt_subscription {
	__u32 size;
	__u32 flags;
	__u64 filter;
	__u32 filter_len;
	__u32 sub_id;
	__u8  qos;
	__u8  retain_handling;
	__u8  reserved[6];
};

/* flags of struct kmqtt_ack */
#define KMQTT_ACK_UP_TO		0x1 /* this delivery and all that were read before it */

/**
 * struct kmqtt_ack - for KMQTT_IOC_ACK: these messages are done with
 * @size:	sizeof(struct kmqtt_ack)
 * @flags:	KMQTT_ACK_UP_TO
 * @id:		&kmqtt_record.id of the delivery
 */
struct kmqtt_ack {
	__u32 size;
	__u32 flags;
	__u64 id;
};

/**
 * struct kmqtt_publish_wait - for KMQTT_IOC_PUBLISH: publish and wait
 * @size:	sizeof(struct kmqtt_publish_wait)
 * @timeout_ms:	how long to wait; 0: for ever
 * @record:	address of one struct kmqtt_record with QoS 1 or 2
 * @len:	its bytes
 * @reason:	out: highest reason code of the brokers' acknowledgements
 *		(MQTT 5.0, 2.4); 0 if all took it
 *
 * Returns when each uplink that carries the topic has the acknowledgement
 * (PUBACK, or PUBCOMP) of its broker. fsync() waits for all that this file
 * has written with write() and QoS 1 and 2.
 */
struct kmqtt_publish_wait {
	__u32 size;
	__u32 timeout_ms;
	__u64 record;
	__u32 len;
	__u32 reason;
};

/**
 * struct kmqtt_file_stats - from KMQTT_IOC_STATS: counts of this file's session
 * @size:		in and out: bytes of this struct
 * @subscriptions:	subscriptions that it has
 * @queued_messages:	messages waiting to be read
 * @inflight_messages:	read and not yet acknowledged
 * @queued_bytes:	bytes waiting to be read
 * @published_messages:	messages that this file wrote
 * @published_bytes:	their topics and payloads
 * @delivered_messages:	messages that this file read, or found in its ring
 * @delivered_bytes:	their topics and payloads
 * @dropped_messages:	messages that did not fit in the session's queue
 * @expired_messages:	messages that expired there
 */
struct kmqtt_file_stats {
	__u32 size;
	__u32 subscriptions;
	__u32 queued_messages;
	__u32 inflight_messages;
	__u64 queued_bytes;
	__u64 published_messages;
	__u64 published_bytes;
	__u64 delivered_messages;
	__u64 delivered_bytes;
	__u64 dropped_messages;
	__u64 expired_messages;
};

/**
 * struct kmqtt_ring_setup - for KMQTT_IOC_RING: receive without system calls
 * @size:	sizeof(struct kmqtt_ring_setup)
 * @flags:	zero
 * @data_size:	bytes for records: a power of two, from one page to 64 MiB
 * @map_size:	out: length to give to mmap(), offset 0, MAP_SHARED
 * @user_offset: out: where in the mapping struct kmqtt_ring_user is
 * @kernel_offset: out: where struct kmqtt_ring_kernel is (read only)
 * @data_offset: out: where the records begin (read only). They are mapped twice
 *		in a row, so that a record never breaks at the end.
 *
 * From then on messages go to the ring, and read() gives EBUSY. The first page
 * must be mapped PROT_READ | PROT_WRITE, the rest PROT_READ: two mmap() calls.
 * The loop of a reader:
 *
 *	while (user->consumer != load_acquire(&kernel->producer)) {
 *		rec = data + (user->consumer & (data_size - 1));
 *		... use rec ...
 *		store_release(&user->consumer, user->consumer + rec->len);
 *	}
 *	if (load_acquire(&kernel->flags) & KMQTT_RING_MORE || nothing to do)
 *		poll(fd);	// moves what waits in the queue into the ring
 *
 * With automatic acknowledgement a message is done with as it enters the ring.
 * A message that is longer than the whole ring counts as dropped. A consumer
 * position that is behind an earlier one, beyond the producer's or no multiple
 * of 8 ends the ring: KMQTT_RING_ERROR, and EPOLLERR from poll().
 */
struct kmqtt_ring_setup {
	__u32 size;
	__u32 flags;
	__u64 data_size;
	__u64 map_size;
	__u64 user_offset;
	__u64 kernel_offset;
	__u64 data_offset;
};

/**
 * struct kmqtt_ring_user - what the reader writes; in the ring's first page
 * @consumer:	position up to which records were consumed; only ever grows by
 *		whole records
 */
struct kmqtt_ring_user {
	__u64 consumer;
};

#define KMQTT_RING_MORE		0x1 /* messages wait in the queue: poll() when there is room */
#define KMQTT_RING_ERROR	0x2 /* the consumer position made no sense; the ring is dead */

/**
 * struct kmqtt_ring_kernel - what the kernel writes; in the ring's second page
 * @producer:	position up to which records are there
 * @dropped:	messages that did not fit in the session's queue so far
 * @flags:	KMQTT_RING_MORE, KMQTT_RING_ERROR
 * @reserved:	zero
 */
struct kmqtt_ring_kernel {
	__u64 producer;
	__u64 dropped;
	__u32 flags;
	__u32 reserved;
};

/**
 * struct kmqtt_info - from KMQTT_IOC_INFO: what this kernel offers
 * @size:		in and out: bytes of this struct
 * @abi:		KMQTT_ABI of the module
 * @max_packet_size:	largest message, in bytes of an MQTT packet
 * @max_queued_messages: default of a session
 * @max_inflight_messages: default of a session
 * @policy:		default of a session, &enum kmqtt_policy
 */
struct kmqtt_info {
	__u32 size;
	__u32 abi;
	__u32 max_packet_size;
	__u32 max_queued_messages;
	__u32 max_inflight_messages;
	__u32 policy;
};

#define KMQTT_IOC_MAGIC		0xB7
#define KMQTT_IOC_INFO		_IOWR(KMQTT_IOC_MAGIC, 0, struct kmqtt_info)
#define KMQTT_IOC_SESSION	_IOWR(KMQTT_IOC_MAGIC, 1, struct kmqtt_session_conf)
#define KMQTT_IOC_SUBSCRIBE	_IOW(KMQTT_IOC_MAGIC, 2, struct kmqtt_subscription)
#define KMQTT_IOC_UNSUBSCRIBE	_IOW(KMQTT_IOC_MAGIC, 3, struct kmqtt_subscription)
#define KMQTT_IOC_ACK		_IOW(KMQTT_IOC_MAGIC, 4, struct kmqtt_ack)
#define KMQTT_IOC_PUBLISH	_IOWR(KMQTT_IOC_MAGIC, 5, struct kmqtt_publish_wait)
#define KMQTT_IOC_STATS		_IOWR(KMQTT_IOC_MAGIC, 6, struct kmqtt_file_stats)
#define KMQTT_IOC_RING		_IOWR(KMQTT_IOC_MAGIC, 7, struct kmqtt_ring_setup)

/**
 * enum kmqtt_prop - properties of a message (MQTT 5.0, 3.3.2.3)
 * @KMQTT_PROP_PAYLOAD_FORMAT:	one byte: 1 if the payload is UTF-8
 * @KMQTT_PROP_CONTENT_TYPE:	string
 * @KMQTT_PROP_RESPONSE_TOPIC:	string: topic name for the answer
 * @KMQTT_PROP_CORRELATION_DATA: bytes
 * @KMQTT_PROP_SUBSCRIPTION_ID:	read only: variable byte integer; only where more
 *				than one subscription matched
 * @KMQTT_PROP_USER:		pair of strings; any number of them
 *
 * The expiry interval is in &kmqtt_record.expiry. Any other identifier in a
 * record that is written gets EINVAL.
 */
#ifndef __KERNEL__
enum kmqtt_prop {
	KMQTT_PROP_PAYLOAD_FORMAT = 0x01,
	KMQTT_PROP_CONTENT_TYPE = 0x03,
	KMQTT_PROP_RESPONSE_TOPIC = 0x08,
	KMQTT_PROP_CORRELATION_DATA = 0x09,
	KMQTT_PROP_SUBSCRIPTION_ID = 0x0b,
	KMQTT_PROP_USER = 0x26,
};

/**
 * struct kmqtt_prop_view - one property, in place
 * @id:		&enum kmqtt_prop
 * @number:	value, where it is a number
 * @data:	string or bytes; of a pair, its name; not terminated by NUL
 * @len:	bytes at @data
 * @value:	of a pair, its value
 * @value_len:	bytes at @value
 */
struct kmqtt_prop_view {
	__u8 id;
	__u32 number;
	const char *data;
	__u32 len;
	const char *value;
	__u32 value_len;
};

/**
 * kmqtt_prop_next() - the next property of a record that was read
 * @pos:	where to go on; starts at the record's properties; moved on
 * @end:	where the properties end
 * @out:	the property
 *
 * Return: 1, or 0 at the end.
 */
static inline int kmqtt_prop_next(const unsigned char **pos,
				  const unsigned char *end,
				  struct kmqtt_prop_view *out)
{
	const unsigned char *p = *pos;
	unsigned int shift = 0;

	if (end - p < 2)
		return 0;
	out->id = *p++;
	out->number = 0;
	out->data = 0;
	out->value = 0;
	out->len = 0;
	out->value_len = 0;
	switch (out->id) {
	case KMQTT_PROP_PAYLOAD_FORMAT:
		out->number = *p++;
		break;
	case KMQTT_PROP_SUBSCRIPTION_ID:
		do {
			out->number |= (__u32)(*p & 0x7f) << shift;
			shift += 7;
		} while (*p++ & 0x80 && p < end && shift < 28);
		break;
	case KMQTT_PROP_CONTENT_TYPE:
	case KMQTT_PROP_RESPONSE_TOPIC:
	case KMQTT_PROP_CORRELATION_DATA:
	case KMQTT_PROP_USER:
		if (end - p < 2)
			return 0;
		out->len = (__u32)p[0] << 8 | p[1];
		p += 2;
		if (end - p < (long)out->len)
			return 0;
		out->data = (const char *)p;
		p += out->len;
		if (out->id != KMQTT_PROP_USER)
			break;
		if (end - p < 2)
			return 0;
		out->value_len = (__u32)p[0] << 8 | p[1];
		p += 2;
		if (end - p < (long)out->value_len)
			return 0;
		out->value = (const char *)p;
		p += out->value_len;
		break;
	default:
		return 0;
	}
	*pos = p;
	return 1;
}
#endif /* !__KERNEL__ */

#endif /* _UAPI_KMQTT_H */

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libkmqtt: publish and subscribe through /dev/kmqtt.
 *
 * A comfortable cover over <linux/kmqtt.h>, which alone is enough as well.
 * No function keeps global state, so sessions are independent of each other;
 * one session is for one thread at a time, except that kmqtt_publish() and
 * kmqtt_ack() may run in any number of threads beside one that receives.
 *
 * Unless it says otherwise, a function returns 0, or -1 with errno set to one
 * of the errors in <linux/kmqtt.h>; kmqtt_strerror() explains them.
 */
#ifndef KMQTT_KMQTT_H
#define KMQTT_KMQTT_H

#include <linux/kmqtt.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/** struct kmqtt - an open session; opaque */
struct kmqtt;

/** struct kmqtt_props - properties for messages to publish; opaque */
struct kmqtt_props;

/** KMQTT_FOREVER - as a session's expiry: it never expires (MQTT 5.0, 3.1.2.11.2) */
#define KMQTT_FOREVER	0xffffffffU

/**
 * struct kmqtt_message - a message that was received
 * @topic:	topic name, followed by a NUL byte
 * @topic_len:	its bytes, without that
 * @payload:	payload; not terminated
 * @payload_len: its bytes
 * @props:	MQTT 5.0 properties, for kmqtt_message_prop() or kmqtt_prop_next()
 * @props_len:	their bytes
 * @type:	&enum kmqtt_record_type
 * @flags:	KMQTT_REC_RETAIN, KMQTT_REC_DUP, KMQTT_REC_ACK
 * @qos:	0, 1 or 2: with which it was delivered
 * @expiry:	seconds until it expires; 0: never
 * @sub_id:	subscription identifier of what matched, 0 if it has none
 * @id:		number of this delivery, for kmqtt_ack(); of a
 *		KMQTT_REC_DROPPED, how many were dropped
 * @time_ns:	when the switch took it, in ns of CLOCK_REALTIME
 *
 * Points into the session's buffer or ring, or into the caller's buffer.
 */
struct kmqtt_message {
	const char *topic;
	size_t topic_len;
	const void *payload;
	size_t payload_len;
	const unsigned char *props;
	size_t props_len;
	unsigned int type;
	unsigned int flags;
	unsigned int qos;
	uint32_t expiry;
	uint32_t sub_id;
	uint64_t id;
	uint64_t time_ns;
};

/**
 * struct kmqtt_publication - a message to publish
 * @topic:	topic name, UTF-8
 * @payload:	payload, may be NULL if it is empty
 * @payload_len: its bytes
 * @qos:	0, 1 or 2
 * @flags:	KMQTT_REC_RETAIN or 0
 * @props:	properties, or NULL
 */
struct kmqtt_publication {
	const char *topic;
	const void *payload;
	size_t payload_len;
	unsigned int qos;
	unsigned int flags;
	const struct kmqtt_props *props;
};

/* ---- sessions ---- */

/**
 * kmqtt_open() - open a session on the switch of this network namespace
 * @flags: 0, or O_NONBLOCK
 *
 * Return: the session, to be closed with kmqtt_close(); NULL with errno, for
 * instance ENOENT if the module is not loaded, EACCES without permission.
 */
struct kmqtt *kmqtt_open(int flags);

/**
 * kmqtt_close() - close a session; an unnamed one ends with it
 * @k: the session, or NULL
 *
 * Messages that kmqtt_receive() gave are gone with it.
 */
void kmqtt_close(struct kmqtt *k);

/**
 * kmqtt_fd() - the file descriptor, for poll() and epoll
 * @k: the session
 *
 * Before waiting for it, call kmqtt_receive() until it returns 0: it reads
 * many messages at once and hands them out one by one.
 *
 * Return: the file descriptor, owned by @k.
 */
int kmqtt_fd(const struct kmqtt *k);

/**
 * kmqtt_session() - name the session, so that it survives this process
 * @k: the session
 * @name: its name (client identifier), UTF-8, 1 to KMQTT_NAME_MAX bytes
 * @expiry: seconds that it outlives its file; KMQTT_FOREVER
 * @flags: KMQTT_SESSION_MANUAL_ACK, KMQTT_SESSION_CLEAN, ...
 *
 * To be called before anything is subscribed. A session of this name that
 * another process has open is taken over: that one gets ESHUTDOWN.
 *
 * Return: 1 if the session existed, with its subscriptions and what was queued
 * since; 0 if it is new; -1 with errno: EACCES if it belongs to another user,
 * EBUSY if @k has a name or a subscription.
 */
int kmqtt_session(struct kmqtt *k, const char *name, uint32_t expiry,
		  unsigned int flags);

/**
 * kmqtt_session_set() - all that can be set about a session
 * @k: the session
 * @conf: see &struct kmqtt_session_conf; its size is filled in
 *
 * Return: as kmqtt_session().
 */
int kmqtt_session_set(struct kmqtt *k, struct kmqtt_session_conf *conf);

/**
 * kmqtt_stats() - counts of this session
 * @k: the session
 * @stats: where to store them
 *
 * Return: 0, or -1 with errno.
 */
int kmqtt_stats(struct kmqtt *k, struct kmqtt_file_stats *stats);

/**
 * kmqtt_info() - what this kernel's switch offers
 * @k: the session
 * @info: where to store it
 *
 * Return: 0, or -1 with errno.
 */
int kmqtt_info(struct kmqtt *k, struct kmqtt_info *info);

/**
 * kmqtt_strerror() - what an error of the device means
 * @err: errno
 *
 * Return: one line of text, as in <linux/kmqtt.h>, or that of strerror() for
 * errors that are not of the device.
 */
const char *kmqtt_strerror(int err);

/* ---- subscribing and receiving ---- */

/**
 * kmqtt_subscribe() - subscribe to a topic filter (MQTT 5.0, 3.8)
 * @k: the session
 * @filter: topic filter; `+`, `#`, `$share/NAME/FILTER`
 * @qos: highest QoS to be delivered with
 *
 * Return: 0, or -1 with errno: EACCES, EILSEQ, ENOSPC.
 */
int kmqtt_subscribe(struct kmqtt *k, const char *filter, unsigned int qos);

/**
 * kmqtt_subscribe_set() - subscribe with all options
 * @k: the session
 * @filter: topic filter
 * @sub: options; its size and filter are filled in
 *
 * Return: 0, or -1 with errno.
 */
int kmqtt_subscribe_set(struct kmqtt *k, const char *filter,
			struct kmqtt_subscription *sub);

/**
 * kmqtt_unsubscribe() - end a subscription
 * @k: the session
 * @filter: topic filter, as it was subscribed
 *
 * Return: 0, or -1 with errno: ENOENT.
 */
int kmqtt_unsubscribe(struct kmqtt *k, const char *filter);

/**
 * kmqtt_receive() - the next message
 * @k: the session
 * @msg: the message; valid until the next call or kmqtt_close()
 * @timeout_ms: how long to wait: -1 for ever, 0 not at all
 *
 * Reads many messages with one system call, and with kmqtt_ring_open() takes
 * them without any. With automatic acknowledgement what was read together is
 * acknowledged together, before it is handed out; a program that must lose
 * nothing when it dies uses KMQTT_SESSION_MANUAL_ACK and kmqtt_ack().
 *
 * Return: 1; 0 if there was none in time; -1 with errno: EINTR, ESHUTDOWN.
 */
int kmqtt_receive(struct kmqtt *k, struct kmqtt_message *msg, int timeout_ms);

/**
 * kmqtt_read() - whole records into the caller's buffer
 * @k: the session
 * @buf: buffer, aligned to 8 bytes
 * @size: its bytes
 *
 * Return: bytes read, for kmqtt_message_next(); -1 with errno: EMSGSIZE if the
 * buffer is too small for the next one, which stays; EAGAIN.
 */
ssize_t kmqtt_read(struct kmqtt *k, void *buf, size_t size);

/**
 * kmqtt_message_next() - the messages in a buffer, one after the other
 * @pos: where to go on; starts at 0; moved on
 * @buf: what kmqtt_read() filled
 * @len: how much it read
 * @msg: the message
 *
 * Return: 1, or 0 at the end.
 */
int kmqtt_message_next(size_t *pos, const void *buf, size_t len,
		       struct kmqtt_message *msg);

/**
 * kmqtt_ack() - a message is done with (manual acknowledgement)
 * @k: the session
 * @id: &kmqtt_message.id
 *
 * Return: 0, or -1 with errno: ENOENT.
 */
int kmqtt_ack(struct kmqtt *k, uint64_t id);

/**
 * kmqtt_ack_up_to() - a message and all that were read before it are done with
 * @k: the session
 * @id: &kmqtt_message.id
 *
 * Return: 0, or -1 with errno: ENOENT.
 */
int kmqtt_ack_up_to(struct kmqtt *k, uint64_t id);

/**
 * kmqtt_message_prop() - a property of a message
 * @msg: the message
 * @id: which
 * @out: the first of that kind
 *
 * Return: 1, or 0 if it has none.
 */
int kmqtt_message_prop(const struct kmqtt_message *msg, enum kmqtt_prop id,
		       struct kmqtt_prop_view *out);

/**
 * kmqtt_message_user() - value of a user property (MQTT 5.0, 3.3.2.3.7)
 * @msg: the message
 * @name: its name
 * @len: bytes of the value
 *
 * Return: the value of the first one of that name, not terminated by NUL; NULL
 * if there is none.
 */
const char *kmqtt_message_user(const struct kmqtt_message *msg,
			       const char *name, size_t *len);

/* ---- the ring: receiving without system calls ---- */

/**
 * kmqtt_ring_open() - receive through shared memory from now on
 * @k: the session, without a message in its buffer
 * @size: bytes for messages, a power of two, from one page to 64 MiB
 *
 * kmqtt_receive() then takes messages from there; kmqtt_read() gets EBUSY.
 *
 * Return: 0, or -1 with errno: EBUSY if it has a ring, EINVAL for the size,
 * EOPNOTSUPP on a machine that cannot have one.
 */
int kmqtt_ring_open(struct kmqtt *k, size_t size);

/**
 * kmqtt_ring_next() - the next message in the ring
 * @k: the session, with a ring
 * @msg: the message; valid until kmqtt_ring_release()
 *
 * Goes on behind the message that it gave last, so several can be looked at
 * and released together.
 *
 * Return: 1; 0 if there is none (then poll() on kmqtt_fd()); -1 with errno
 * EBADMSG if the ring is dead.
 */
int kmqtt_ring_next(struct kmqtt *k, struct kmqtt_message *msg);

/**
 * kmqtt_ring_release() - give back the room of all that kmqtt_ring_next() gave
 * @k: the session, with a ring
 */
void kmqtt_ring_release(struct kmqtt *k);

/* ---- publishing ---- */

/**
 * kmqtt_publish() - publish a message (MQTT 5.0, 3.3)
 * @k: the session
 * @topic: topic name
 * @payload: payload
 * @payload_len: its bytes
 * @qos: 0, 1 or 2
 *
 * Return: 0 when the switch has it; -1 with errno: EACCES, EAGAIN, EILSEQ,
 * EMSGSIZE, ENOBUFS.
 */
int kmqtt_publish(struct kmqtt *k, const char *topic, const void *payload,
		  size_t payload_len, unsigned int qos);

/**
 * kmqtt_publish_set() - publish with all options
 * @k: the session
 * @pub: the message
 *
 * Return: as kmqtt_publish().
 */
int kmqtt_publish_set(struct kmqtt *k, const struct kmqtt_publication *pub);

/**
 * kmqtt_publish_wait() - publish, and wait until the uplinks' brokers have it
 * @k: the session
 * @pub: the message, with QoS 1 or 2
 * @timeout_ms: how long to wait; 0: for ever
 * @reason: highest reason code of the brokers (MQTT 5.0, 2.4), or NULL
 *
 * Return: 0; -1 with errno: ENOLINK if no uplink carries the topic, EPROTO if a
 * broker refused it, ETIMEDOUT if it is still queued.
 */
int kmqtt_publish_wait(struct kmqtt *k, const struct kmqtt_publication *pub,
		       unsigned int timeout_ms, unsigned int *reason);

/**
 * kmqtt_reply() - answer a request (MQTT 5.0, 4.10)
 * @k: the session
 * @request: what was received; its response topic and correlation data count
 * @payload: the answer
 * @payload_len: its bytes
 *
 * Return: 0; -1 with errno: EINVAL if the request has no response topic.
 */
int kmqtt_reply(struct kmqtt *k, const struct kmqtt_message *request,
		const void *payload, size_t payload_len);

/**
 * kmqtt_sync() - wait until the brokers have all that was published here
 * @k: the session
 *
 * Counts what was published with QoS 1 and 2 for topics that an uplink carries.
 *
 * Return: 0, or -1 with errno.
 */
int kmqtt_sync(struct kmqtt *k);

/**
 * kmqtt_record_put() - write a record into a buffer, to publish many at once
 * @buf: where, aligned to 8 bytes; may be NULL if @size is 0
 * @size: bytes that are free there
 * @pub: the message
 *
 * Records one after the other go to the switch with one write() to kmqtt_fd().
 *
 * Return: bytes of the record, a multiple of 8; nothing was written if that is
 * more than @size. -1 with errno EMSGSIZE or EINVAL if there is no such record.
 */
ssize_t kmqtt_record_put(void *buf, size_t size,
			 const struct kmqtt_publication *pub);

/* ---- properties of messages to publish ---- */

/**
 * kmqtt_props_new() - an empty list of properties
 *
 * Return: the list, to be freed with kmqtt_props_free(); NULL without memory.
 */
struct kmqtt_props *kmqtt_props_new(void);

/**
 * kmqtt_props_free() - free a list of properties
 * @props: the list, or NULL
 */
void kmqtt_props_free(struct kmqtt_props *props);

/**
 * kmqtt_props_string() - add a string or bytes
 * @props: the list
 * @id: KMQTT_PROP_CONTENT_TYPE, KMQTT_PROP_RESPONSE_TOPIC or
 *	KMQTT_PROP_CORRELATION_DATA
 * @data: the string
 * @len: its bytes, up to 65535
 *
 * Return: 0; -1 with errno: EINVAL, EEXIST if it is there already, ENOMEM.
 */
int kmqtt_props_string(struct kmqtt_props *props, enum kmqtt_prop id,
		       const void *data, size_t len);

/**
 * kmqtt_props_user() - add a user property (MQTT 5.0, 3.3.2.3.7)
 * @props: the list
 * @name: its name
 * @value: its value
 *
 * Return: 0; -1 with errno: EINVAL, ENOMEM.
 */
int kmqtt_props_user(struct kmqtt_props *props, const char *name,
		     const char *value);

/**
 * kmqtt_props_format() - say whether the payload is UTF-8 (MQTT 5.0, 3.3.2.3.2)
 * @props: the list
 * @utf8: 1: it is; 0: it is bytes
 *
 * Return: 0; -1 with errno: EINVAL, EEXIST, ENOMEM.
 */
int kmqtt_props_format(struct kmqtt_props *props, unsigned int utf8);

/**
 * kmqtt_props_expiry() - let messages expire (MQTT 5.0, 3.3.2.3.3)
 * @props: the list
 * @seconds: after how many; 0: never
 */
void kmqtt_props_expiry(struct kmqtt_props *props, uint32_t seconds);

#ifdef __cplusplus
}
#endif

#endif /* KMQTT_KMQTT_H */

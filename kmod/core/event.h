/* SPDX-License-Identifier: GPL-2.0 */
/* Events: what an administrator may watch (`kmqtt monitor`). */
#ifndef KMQTT_CORE_EVENT_H
#define KMQTT_CORE_EVENT_H

#include <linux/types.h>

struct kmqtt_broker;

/**
 * enum kmqtt_event_type - what happened
 * @KMQTT_EVENT_ATTACH:		a session got its port (a client connected)
 * @KMQTT_EVENT_DETACH:		it lost it; reason and error say why
 * @KMQTT_EVENT_TAKEOVER:	another port took the session; peer is who lost it
 * @KMQTT_EVENT_EXPIRE:		the session's expiry interval ended
 * @KMQTT_EVENT_SUBSCRIBE:	topic is the filter
 * @KMQTT_EVENT_UNSUBSCRIBE:	topic is the filter
 * @KMQTT_EVENT_DROP:		it began to lose messages; count so far; reason 0x95:
 *				they are larger than its peer takes; at most one a
 *				second for a session
 * @KMQTT_EVENT_DENY:		the access rules forbade it; at most one a second for
 *				a session
 * @KMQTT_EVENT_UPLINK_UP:	CONNACK received; text is the server's address
 * @KMQTT_EVENT_UPLINK_DOWN:	connection lost or closed; reason, error, text
 * @KMQTT_EVENT_UPLINK_REFUSED:	CONNACK refused it; reason
 * @KMQTT_EVENT_UPLINK_REDIRECT: the server wants us elsewhere; text says where;
 *				not followed (MQTT 5.0, 4.13)
 * @KMQTT_EVENT_UPLINK_MALFORMED: malformed packet or protocol error; reason
 * @KMQTT_EVENT_UPLINK_SUBACK:	the server refused a filter; reason
 * @KMQTT_EVENT_UPLINK_PUBACK:	the server refused a publish; reason
 * @KMQTT_EVENT_CLIENT_REFUSED:	an MQTT client was not let in; reason, text
 * @KMQTT_EVENT_CLIENT_MALFORMED: an MQTT client was closed for what it sent; reason
 */
enum kmqtt_event_type {
	KMQTT_EVENT_ATTACH = 1,
	KMQTT_EVENT_DETACH = 2,
	KMQTT_EVENT_TAKEOVER = 3,
	KMQTT_EVENT_EXPIRE = 4,
	KMQTT_EVENT_SUBSCRIBE = 5,
	KMQTT_EVENT_UNSUBSCRIBE = 6,
	KMQTT_EVENT_DROP = 7,
	KMQTT_EVENT_DENY = 8,
	KMQTT_EVENT_UPLINK_UP = 9,
	KMQTT_EVENT_UPLINK_DOWN = 10,
	KMQTT_EVENT_UPLINK_REFUSED = 11,
	KMQTT_EVENT_UPLINK_REDIRECT = 12,
	KMQTT_EVENT_UPLINK_MALFORMED = 13,
	KMQTT_EVENT_UPLINK_SUBACK = 14,
	KMQTT_EVENT_UPLINK_PUBACK = 15,
	KMQTT_EVENT_CLIENT_REFUSED = 16,
	KMQTT_EVENT_CLIENT_MALFORMED = 17,
};

/**
 * struct kmqtt_event - one event; all pointers are the caller's
 * @type:	&enum kmqtt_event_type
 * @reason:	MQTT 5.0 reason code, 0 if there is none
 * @version:	protocol level of an MQTT client, 0 if it is none
 * @error:	positive errno, 0 if there is none
 * @session:	name of the session, or NULL
 * @uplink:	name of the uplink, or NULL
 * @peer:	address of an MQTT client, or NULL
 * @listener:	name of the listener that it came by, or NULL
 * @text:	NUL-terminated explanation, or NULL
 * @topic:	topic name or filter, or NULL
 * @topic_len:	its bytes
 * @count:	how many, where that makes sense
 */
struct kmqtt_event {
	u8 type;
	u8 reason;
	u8 version;
	int error;
	const char *session;
	const char *uplink;
	const char *peer;
	const char *listener;
	const char *text;
	const u8 *topic;
	u32 topic_len;
	u64 count;
};

/** typedef kmqtt_event_fn - the sink; must not sleep */
typedef void (*kmqtt_event_fn)(struct kmqtt_broker *broker,
			       const struct kmqtt_event *event);

/** kmqtt_event_set_sink() - set by the netlink port; NULL removes and waits */
void kmqtt_event_set_sink(kmqtt_event_fn fn);

/** kmqtt_event_emit() - tell it. Any context; cheap when nobody listens */
void kmqtt_event_emit(struct kmqtt_broker *broker,
		      const struct kmqtt_event *event);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints kmqtt:*, the way of a message and of a client through the switch:
 * connect, publish, route, deliver, drop, ack, close. What they show of a topic or
 * a name is cut off at KMQTT_TRACE_TOPIC and KMQTT_TRACE_NAME bytes; payloads are
 * not shown.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM kmqtt

#if !defined(KMQTT_CORE_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define KMQTT_CORE_TRACE_H

#include <linux/minmax.h>
#include <linux/string.h>
#include <linux/tracepoint.h>

#include "core/message.h"
#include "core/session.h"

#ifndef KMQTT_TRACE_TOPIC
#define KMQTT_TRACE_TOPIC	64
#define KMQTT_TRACE_NAME	32

/* Bytes that have no NUL, into an array of @size that gets one. */
static inline void kmqtt_trace_copy(char *to, size_t size, const void *from, size_t len)
{
	len = min(len, size - 1);
	memcpy(to, from, len);
	to[len] = '\0';
}
#endif

/* A client is let in (reason 0) or not. */
TRACE_EVENT(kmqtt_connect,
	TP_PROTO(const char *session, const char *address, u8 version, u8 reason),
	TP_ARGS(session, address, version, reason),
	TP_STRUCT__entry(
		__array(char, session, KMQTT_TRACE_NAME)
		__array(char, address, 64)
		__field(u8, version)
		__field(u8, reason)
	),
	TP_fast_assign(
		strscpy(__entry->session, session, KMQTT_TRACE_NAME);
		strscpy(__entry->address, address, 64);
		__entry->version = version;
		__entry->reason = reason;
	),
	TP_printk("session=%s address=%s version=%u reason=0x%02x", __entry->session,
		  __entry->address, __entry->version, __entry->reason)
);

/* A message enters the switch; of the switch's own there is no session. */
TRACE_EVENT(kmqtt_publish,
	TP_PROTO(const struct kmqtt_session *from, const struct kmqtt_msg *msg),
	TP_ARGS(from, msg),
	TP_STRUCT__entry(
		__array(char, session, KMQTT_TRACE_NAME)
		__array(char, topic, KMQTT_TRACE_TOPIC)
		__field(u32, payload_len)
		__field(u8, qos)
		__field(u8, retain)
	),
	TP_fast_assign(
		strscpy(__entry->session, from ? from->name : "", KMQTT_TRACE_NAME);
		kmqtt_trace_copy(__entry->topic, KMQTT_TRACE_TOPIC, kmqtt_msg_topic(msg),
				 msg->topic_len);
		__entry->payload_len = msg->payload_len;
		__entry->qos = msg->qos;
		__entry->retain = msg->retain;
	),
	TP_printk("session=%s topic=%s payload=%u qos=%u retain=%u", __entry->session,
		  __entry->topic, __entry->payload_len, __entry->qos, __entry->retain)
);

/* It was matched: sessions that it was for, and those whose queue took it. */
TRACE_EVENT(kmqtt_route,
	TP_PROTO(const struct kmqtt_msg *msg, unsigned int matched, unsigned int queued),
	TP_ARGS(msg, matched, queued),
	TP_STRUCT__entry(
		__array(char, topic, KMQTT_TRACE_TOPIC)
		__field(unsigned int, matched)
		__field(unsigned int, queued)
	),
	TP_fast_assign(
		kmqtt_trace_copy(__entry->topic, KMQTT_TRACE_TOPIC, kmqtt_msg_topic(msg),
				 msg->topic_len);
		__entry->matched = matched;
		__entry->queued = queued;
	),
	TP_printk("topic=%s matched=%u queued=%u", __entry->topic, __entry->matched,
		  __entry->queued)
);

/* A port takes it, to be sent or read. */
TRACE_EVENT(kmqtt_deliver,
	TP_PROTO(const struct kmqtt_session *session, const struct kmqtt_delivery *d),
	TP_ARGS(session, d),
	TP_STRUCT__entry(
		__array(char, session, KMQTT_TRACE_NAME)
		__array(char, topic, KMQTT_TRACE_TOPIC)
		__field(u16, packet_id)
		__field(u8, qos)
		__field(u8, dup)
	),
	TP_fast_assign(
		strscpy(__entry->session, session->name, KMQTT_TRACE_NAME);
		if (d->msg)
			kmqtt_trace_copy(__entry->topic, KMQTT_TRACE_TOPIC,
					 kmqtt_msg_topic(d->msg), d->msg->topic_len);
		else	/* only the PUBREL of it */
			__entry->topic[0] = '\0';
		__entry->packet_id = d->packet_id;
		__entry->qos = d->qos;
		__entry->dup = d->dup;
	),
	TP_printk("session=%s topic=%s packet_id=%u qos=%u dup=%u", __entry->session,
		  __entry->topic, __entry->packet_id, __entry->qos, __entry->dup)
);

/* Messages of a session are lost: its queue is full, or there is no memory. */
TRACE_EVENT(kmqtt_drop,
	TP_PROTO(const struct kmqtt_session *session, const struct kmqtt_msg *msg, u64 count),
	TP_ARGS(session, msg, count),
	TP_STRUCT__entry(
		__array(char, session, KMQTT_TRACE_NAME)
		__array(char, topic, KMQTT_TRACE_TOPIC)
		__field(u64, count)
	),
	TP_fast_assign(
		strscpy(__entry->session, session->name, KMQTT_TRACE_NAME);
		kmqtt_trace_copy(__entry->topic, KMQTT_TRACE_TOPIC, kmqtt_msg_topic(msg),
				 msg->topic_len);
		__entry->count = count;
	),
	TP_printk("session=%s topic=%s count=%llu", __entry->session, __entry->topic,
		  __entry->count)
);

/* PUBACK, PUBREC, PUBREL or PUBCOMP has come. */
TRACE_EVENT(kmqtt_ack,
	TP_PROTO(const struct kmqtt_session *session, const char *packet, u16 packet_id,
		 u8 reason),
	TP_ARGS(session, packet, packet_id, reason),
	TP_STRUCT__entry(
		__array(char, session, KMQTT_TRACE_NAME)
		__array(char, packet, 12)
		__field(u16, packet_id)
		__field(u8, reason)
	),
	TP_fast_assign(
		strscpy(__entry->session, session->name, KMQTT_TRACE_NAME);
		strscpy(__entry->packet, packet, 12);
		__entry->packet_id = packet_id;
		__entry->reason = reason;
	),
	TP_printk("session=%s packet=%s packet_id=%u reason=0x%02x", __entry->session,
		  __entry->packet, __entry->packet_id, __entry->reason)
);

/* A client's connection is over. */
TRACE_EVENT(kmqtt_close,
	TP_PROTO(const char *session, const char *address, u8 reason, int error),
	TP_ARGS(session, address, reason, error),
	TP_STRUCT__entry(
		__array(char, session, KMQTT_TRACE_NAME)
		__array(char, address, 64)
		__field(u8, reason)
		__field(int, error)
	),
	TP_fast_assign(
		strscpy(__entry->session, session, KMQTT_TRACE_NAME);
		strscpy(__entry->address, address, 64);
		__entry->reason = reason;
		__entry->error = error;
	),
	TP_printk("session=%s address=%s reason=0x%02x error=%d", __entry->session,
		  __entry->address, __entry->reason, __entry->error)
);

#endif

#undef TRACE_INCLUDE_PATH
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_PATH core
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>

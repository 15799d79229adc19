/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The exchange of messages over a connection, which is the same whichever side is
 * the server: PUBLISH both ways with the handshakes of MQTT 5.0, 4.3, topic
 * aliases, flow control. Between a connection (conn.h) and who owns it: the
 * uplink's link, where the peer is the server, and the client, where we are.
 *
 * All functions run in the connection's work item, but for kmqtt_xchg_free().
 */
#ifndef KMQTT_PORT_XCHG_H
#define KMQTT_PORT_XCHG_H

#include <linux/types.h>
#include <linux/wait.h>

#include "core/session.h"
#include "port/conn.h"
#include "proto/packet.h"

struct kmqtt_xchg;

/**
 * struct kmqtt_alias - one topic alias (MQTT 5.0, 3.3.2.3.4)
 * @topic:	from kmalloc, or NULL
 * @len:	its bytes
 */
struct kmqtt_alias {
	u8 *topic;
	u16 len;
};

/**
 * struct kmqtt_aliases - the topic aliases of one direction
 * @alias:	@max of them, or NULL while none has been used
 * @max:	how many may be used (Topic Alias Maximum)
 */
struct kmqtt_aliases {
	struct kmqtt_alias *alias;
	u16 max;
};

/**
 * struct kmqtt_inpub - the PUBLISH that is being received
 * @msg:	the connection's, or NULL if it goes nowhere
 * @blocked:	session that has no room for it, a reference, while reading is paused
 * @wait:	on blocked->space
 * @packet_id:	as it came
 * @qos:	as it came
 * @reason:	with which it is acknowledged
 * @known:	QoS 2: the session knows its packet identifier
 * @no_memory:	it is refused because memory fails, not by a limit
 */
struct kmqtt_inpub {
	struct kmqtt_msg *msg;
	struct kmqtt_session *blocked;
	struct wait_queue_entry wait;
	u16 packet_id;
	u8 qos;
	u8 reason;
	bool known;
	bool no_memory;
};

/**
 * struct kmqtt_xchg_ops - where the two sides differ
 * @topic:	the topic name of a message as the peer is to see it; *@topic is the
 *		message's. What it points to must last until the head is encoded.
 *		Return: 0; -ENOENT: it is not for this peer; -ENOMEM. NULL: as it is
 * @sending:	the head of a PUBLISH is about to be encoded. May be NULL
 * @unsent:	a message cannot be sent: -EMSGSIZE, it is too large for the peer;
 *		-ENOENT. May be NULL
 * @refused:	the peer refused a message with this reason code. May be NULL
 */
struct kmqtt_xchg_ops {
	int (*topic)(struct kmqtt_xchg *x, const struct kmqtt_msg *msg,
		     struct kmqtt_view *topic);
	void (*sending)(struct kmqtt_xchg *x, const struct kmqtt_delivery *d,
			const struct kmqtt_publish_head *head);
	void (*unsent)(struct kmqtt_xchg *x, int error);
	void (*refused)(struct kmqtt_xchg *x, u16 packet_id, u8 reason);
};

/**
 * struct kmqtt_xchg - embedded in who owns the connection
 * @conn:	the connection
 * @ops:	constant
 * @session:	session on the switch, a reference, or NULL before there is one
 * @port:	the port that is attached to it
 * @server:	we are the server: the peer gets subscription identifiers, and is told
 *		where nobody had subscribed
 * @retain_available: the peer takes RETAIN
 * @max_qos:	highest QoS that the peer takes
 * @receive_max: ours: QoS 2 messages of the peer that may be open at a time
 * @peer_max_packet: largest packet that the peer takes, in bytes; U32_MAX: no limit
 * @in:		topic aliases of the peer
 * @out:	topic aliases of ours
 * @pub:	PUBLISH being received
 */
struct kmqtt_xchg {
	struct kmqtt_conn conn;
	const struct kmqtt_xchg_ops *ops;
	struct kmqtt_session *session;
	struct kmqtt_port *port;
	bool server;
	bool retain_available;
	u8 max_qos;
	u16 receive_max;
	u32 peer_max_packet;
	struct kmqtt_aliases in;
	struct kmqtt_aliases out;
	struct kmqtt_inpub pub;
};

/** kmqtt_xchg_of() - from the connection that is embedded in it */
static inline struct kmqtt_xchg *kmqtt_xchg_of(struct kmqtt_conn *conn)
{
	return container_of(conn, struct kmqtt_xchg, conn);
}

/** kmqtt_xchg_free() - topic aliases; when nothing of the connection runs any more */
void kmqtt_xchg_free(struct kmqtt_xchg *x);

/**
 * kmqtt_alias_set() - it stands for this topic name from now on
 *
 * Counts against memory_limit. Return: false if there is no room, nothing has changed.
 */
bool kmqtt_alias_set(struct kmqtt_xchg *x, struct kmqtt_alias *alias, struct kmqtt_view topic);

/* What comes (xchg_rx.c) */

/**
 * kmqtt_xchg_topic_in() - the topic name of a PUBLISH, by its alias if it has one
 * @x:		exchange
 * @pub:	the packet's head
 * @topic:	out: the topic name; of an alias, valid until the next PUBLISH
 *
 * Return: 0 or the reason code with which the connection is to be closed
 */
int kmqtt_xchg_topic_in(struct kmqtt_xchg *x, const struct kmqtt_publish *pub,
			struct kmqtt_view *topic);

/**
 * kmqtt_xchg_begin() - a PUBLISH has begun: is it new?
 * @x:		exchange; @x->pub is set, with reason 0 and no message
 * @pub:	the packet's head
 * @fresh:	out: false if it is a QoS 2 message that came before
 *
 * Return: 0 or the reason code with which the connection is to be closed
 */
int kmqtt_xchg_begin(struct kmqtt_xchg *x, const struct kmqtt_publish *pub, bool *fresh);

/**
 * kmqtt_xchg_refuse() - there is no room for the PUBLISH
 * @x:		exchange; sets @x->pub.reason
 * @error:	why, as -errno: if it is -ENOMEM, the server of an uplink is not told, but
 *		has to send it again
 */
void kmqtt_xchg_refuse(struct kmqtt_xchg *x, int error);

/**
 * kmqtt_xchg_alloc() - the message of a PUBLISH, to receive its payload into
 * @x:		exchange
 * @pub:	the packet's head
 * @topic:	topic name on the switch
 *
 * Return: the message, which is @x->pub.msg too; NULL: there is no room for it, and
 * @x->pub.reason says so
 */
struct kmqtt_msg *kmqtt_xchg_alloc(struct kmqtt_xchg *x, const struct kmqtt_publish *pub,
				   struct kmqtt_view topic);

/**
 * kmqtt_xchg_publish() - the message is whole: into the switch with it
 *
 * Sets @x->pub.reason. If another connection has the session by now, there is
 * nothing to be answered any more. Return: 0; -EAGAIN: a subscriber whose policy
 * blocks publishers has no room; the connection is kicked when it has.
 */
int kmqtt_xchg_publish(struct kmqtt_xchg *x);

/** kmqtt_xchg_waits() - is there still no room for what kmqtt_xchg_publish() refused? */
bool kmqtt_xchg_waits(const struct kmqtt_xchg *x);

/** kmqtt_xchg_answer() - acknowledge the PUBLISH, if its QoS wants that */
void kmqtt_xchg_answer(struct kmqtt_xchg *x);

/**
 * kmqtt_xchg_drop() - forget a PUBLISH that is being received
 *
 * One that was not published comes again, and does not pass for a duplicate: the
 * session knows a packet identifier only from right before it is published.
 */
void kmqtt_xchg_drop(struct kmqtt_xchg *x);

/**
 * kmqtt_xchg_ack() - PUBACK, PUBREC, PUBREL or PUBCOMP has come
 * Return: 0 or the reason code with which the connection is to be closed
 */
int kmqtt_xchg_ack(struct kmqtt_xchg *x, const struct kmqtt_fixed *f, const u8 *body);

/* What goes (xchg_tx.c) */

/** kmqtt_xchg_send_ack() - append an acknowledgement; in 3.x it has no reason code */
void kmqtt_xchg_send_ack(struct kmqtt_xchg *x, u8 type, u16 packet_id, u8 reason);

/** kmqtt_xchg_disconnect() - append a DISCONNECT */
void kmqtt_xchg_disconnect(struct kmqtt_xchg *x, const struct kmqtt_disconnect *dis);

/** kmqtt_xchg_refill() - what the session has, into a batch that is not full */
void kmqtt_xchg_refill(struct kmqtt_xchg *x, struct kmqtt_tx *tx);

#endif

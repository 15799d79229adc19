/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The control packets of MQTT 3.1, 3.1.1 and 5.0: decode (decode.c) and encode (encode.c).
 *
 * Receiving: kmqtt_fixed_decode() on what has come so far; refuse a @remaining that is over the
 * limit; wait until that many bytes are there; then the packet's own decoder. A large PUBLISH need
 * not be waited for: see kmqtt_publish_head_decode(). PINGREQ and PINGRESP have no body and no
 * decoder. Results are views of the given buffer.
 *
 * All decoders of bodies: @f is the fixed header, @body has exactly @f->remaining bytes (it may be
 * NULL if there are none), @version is that of the connection. They return 0 or the reason code
 * (&enum kmqtt_reason) of the violation, in every version; after that, *@out is not to be used.
 * What depends on more than the packet is left to the caller: who may send what
 * (kmqtt_packet_allowed(), kmqtt_props_allowed()), limits, packet ids in use, topic aliases.
 *
 * All encoders write the whole packet to @buf, which has @cap bytes, and return its size, or
 * -ENOSPC if it does not fit, -EMSGSIZE if it is larger than MQTT can say (a Remaining Length of
 * 268435455, a string of 65535), or -EINVAL if a peer would have to refuse it (and for a property
 * that is too long). With @buf NULL and
 * @cap 0 they return the size and write nothing. Properties are written only if @version is 5:
 * those that have their bit in @props.present, see kmqtt_props_size().
 */
#ifndef KMQTT_PROTO_PACKET_H
#define KMQTT_PROTO_PACKET_H

#include "props.h"
#include "proto.h"

/* The longest fixed header: type and flags, and four bytes of Remaining Length. */
#define KMQTT_FIXED_MAX 5U

/**
 * struct kmqtt_fixed - fixed header (MQTT 5.0, 2.1.1)
 * @type: &enum kmqtt_packet_type
 * @flags: the four bits beside it
 * @hdr_len: bytes of the fixed header itself, 2 to 5
 * @remaining: bytes that follow it, 0 to %KMQTT_VARINT_MAX
 */
struct kmqtt_fixed {
	u8 type;
	u8 flags;
	u8 hdr_len;
	u32 remaining;
};

/**
 * kmqtt_fixed_decode() - decode a fixed header
 * @p: what has come of the packet
 * @left: number of bytes that are there; may be 0
 * @f: out: the header
 * @rc: out: on error the reason code
 *
 * The first byte is judged as soon as it is there: packet type 0 and reserved flags (2.1.3) are
 * refused, and so are QoS 3 and, in a PUBLISH of QoS 0, DUP. Of PUBREL, SUBSCRIBE and UNSUBSCRIBE,
 * the DUP flag of MQTT 3.1 passes here; their decoders refuse it in later versions. A @remaining
 * that is too short or too long for the packet in any version is refused too.
 *
 * Return: bytes of the header, 2 to 5; 0 if more are needed; -EINVAL if it is malformed
 */
int kmqtt_fixed_decode(const u8 *p, size_t left, struct kmqtt_fixed *f, u8 *rc);

/**
 * struct kmqtt_connect_will - the will of a CONNECT (3.1.2.5)
 * @qos: 0 to 2
 * @retain: publish it as a retained message
 * @topic: a valid topic name; @data NULL: there is no will
 * @payload: the message
 * @props: will properties (3.1.3.2)
 */
struct kmqtt_connect_will {
	u8 qos;
	bool retain;
	struct kmqtt_view topic;
	struct kmqtt_view payload;
	struct kmqtt_props props;
};

/**
 * struct kmqtt_connect - CONNECT (3.1)
 * @version: &enum kmqtt_version
 * @bridge: the sender says that it is a bridge: 0x80 is set in the protocol level. Not in the
 *	standard; Mosquitto and others take it as: no echo of its own messages, and RETAIN as
 *	published. Only with 3.1 and 3.1.1.
 * @clean_start: Clean Start, in 3.x Clean Session
 * @keep_alive: seconds; 0: off
 * @client_id: client identifier; empty if the server is to choose one
 * @user_name: @data NULL: none
 * @password: @data NULL: none
 * @will: will
 * @props: properties
 */
struct kmqtt_connect {
	u8 version;
	bool bridge;
	bool clean_start;
	u16 keep_alive;
	struct kmqtt_view client_id;
	struct kmqtt_view user_name;
	struct kmqtt_view password;
	struct kmqtt_connect_will will;
	struct kmqtt_props props;
};

/**
 * kmqtt_connect_decode() - decode a CONNECT
 * @f: fixed header
 * @body: @f->remaining bytes
 * @out: the result
 *
 * %KMQTT_RC_UNSUPPORTED_PROTOCOL_VERSION: the protocol name or level is none of ours; then
 * @out->version is the version in which it is to be answered (5.0 if the level is 5 or above, else
 * 3.1.1).
 * %KMQTT_RC_CLIENT_ID_NOT_VALID: an empty client identifier where the version does not allow it:
 * in 3.1, and in 3.1.1 without Clean Session. The 23 bytes to which 3.1 limits it are not
 * insisted on. After any other error @out->version is the client's, or 0 if it is not known.
 *
 * Return: 0 or the reason code
 */
u8 kmqtt_connect_decode(const struct kmqtt_fixed *f, const u8 *body, struct kmqtt_connect *out);

/**
 * kmqtt_connect_encode() - encode a CONNECT
 * @buf: buffer
 * @cap: its size
 * @c: what to write; @c->version is the version
 *
 * Return: size or error, see above
 */
int kmqtt_connect_encode(u8 *buf, size_t cap, const struct kmqtt_connect *c);

/**
 * struct kmqtt_connack - CONNACK (3.2)
 * @session_present: the server has the session; always false in 3.1
 * @reason: &enum kmqtt_reason in every version, see kmqtt_connack_from_v3()
 * @props: properties
 */
struct kmqtt_connack {
	bool session_present;
	u8 reason;
	struct kmqtt_props props;
};

/**
 * kmqtt_connack_decode() - decode a CONNACK
 * @f: fixed header
 * @body: @f->remaining bytes
 * @version: protocol version of the connection
 * @out: the result
 *
 * Return: 0 or the reason code
 */
u8 kmqtt_connack_decode(const struct kmqtt_fixed *f, const u8 *body, u8 version,
			struct kmqtt_connack *out);

/**
 * kmqtt_connack_encode() - encode a CONNACK
 * @buf: buffer, or NULL
 * @cap: its size
 * @version: protocol version
 * @c: what to write
 *
 * Return: size or error, see above
 */
int kmqtt_connack_encode(u8 *buf, size_t cap, u8 version, const struct kmqtt_connack *c);

/**
 * struct kmqtt_publish - PUBLISH (3.3)
 * @dup: DUP flag
 * @qos: 0 to 2
 * @retain: RETAIN flag
 * @packet_id: 1 or more; 0 with QoS 0
 * @topic: topic name; empty only if there is a Topic Alias
 * @payload: payload
 * @props: properties; if the decoder finds none, nothing in it is set but @present, @raw and the
 *	two numbers, all to nothing
 */
struct kmqtt_publish {
	bool dup;
	u8 qos;
	bool retain;
	u16 packet_id;
	struct kmqtt_view topic;
	struct kmqtt_view payload;
	struct kmqtt_props props;
};

/**
 * kmqtt_publish_decode() - decode a whole PUBLISH
 * @f: fixed header
 * @body: @f->remaining bytes
 * @version: protocol version of the connection
 * @out: the result
 *
 * Return: 0 or the reason code
 */
u8 kmqtt_publish_decode(const struct kmqtt_fixed *f, const u8 *body, u8 version,
			struct kmqtt_publish *out);

/**
 * kmqtt_publish_head_decode() - decode a PUBLISH up to its payload
 * @f: fixed header
 * @p: what has come of the body
 * @left: number of bytes that are there; what is beyond @f->remaining is not looked at
 * @version: protocol version
 * @known: a valid topic name, which is not judged again if it is this packet's; or of no bytes
 * @out: the result. @out->payload.len is the length of the whole payload; of its bytes, those that
 *	are in @p's buffer begin at @out->payload.data.
 * @rc: out: on error the reason code
 *
 * Takes constant time as long as topic or properties are not wholly there, so it may be tried
 * again after each byte. What makes the head longer than @f->remaining is refused at once.
 *
 * Return: bytes of the head, 2 or more; 0 if more bytes are needed; -EINVAL on a violation
 */
int kmqtt_publish_head_decode(const struct kmqtt_fixed *f, const u8 *p, size_t left, u8 version,
			      struct kmqtt_view known, struct kmqtt_publish *out, u8 *rc);

/**
 * kmqtt_publish_encode() - encode a whole PUBLISH
 * @buf: buffer, or NULL
 * @cap: its size
 * @version: protocol version
 * @pub: what to write
 *
 * Return: size or error, see above
 */
int kmqtt_publish_encode(u8 *buf, size_t cap, u8 version, const struct kmqtt_publish *pub);

/**
 * struct kmqtt_publish_head - all of a PUBLISH but for what subscribers share
 * @dup: DUP flag
 * @qos: 0 to 2
 * @retain: RETAIN flag
 * @has_expiry: there is a Message Expiry Interval
 * @packet_id: 1 or more; not looked at with QoS 0
 * @topic_alias: Topic Alias; 0: none
 * @message_expiry: Message Expiry Interval that is left, seconds
 * @topic: topic name; empty if @topic_alias alone is to say it
 * @sub_ids: Subscription Identifiers, each 1 to %KMQTT_VARINT_MAX
 * @n_sub_ids: their number
 * @props_len: bytes of the properties that the caller sends after the head; must not contain
 *	those that this structure has
 * @payload_len: bytes of the payload that the caller sends after that
 *
 * In 3.x the members that are about properties are not looked at, and the caller must leave the
 * stored properties out.
 */
struct kmqtt_publish_head {
	bool dup;
	u8 qos;
	bool retain;
	bool has_expiry;
	u16 packet_id;
	u16 topic_alias;
	u32 message_expiry;
	struct kmqtt_view topic;
	const u32 *sub_ids;
	u32 n_sub_ids;
	u32 props_len;
	u32 payload_len;
};

/**
 * KMQTT_PUBLISH_HEAD_MAX - room that is enough for any head with these
 * @topic_len: bytes of the topic name
 * @n_sub_ids: number of Subscription Identifiers
 *
 * Fixed header, topic length, packet id, Property Length, expiry, alias, and identifiers.
 */
#define KMQTT_PUBLISH_HEAD_MAX(topic_len, n_sub_ids) \
	(KMQTT_FIXED_MAX + 2U + (topic_len) + 2U + 4U + 5U + 3U + 5U * (n_sub_ids))

/**
 * kmqtt_publish_head_encode() - encode a PUBLISH up to where the stored parts follow
 * @buf: buffer
 * @cap: its size
 * @version: protocol version
 * @head: what to write
 *
 * Writes fixed header, topic, packet id, Property Length and the properties of @head; the Property
 * Length and the Remaining Length count what the caller sends after it.
 *
 * Return: bytes written (or needed, with @buf NULL and @cap 0), or an error as for all encoders
 */
int kmqtt_publish_head_encode(u8 *buf, size_t cap, u8 version,
			      const struct kmqtt_publish_head *head);

/**
 * struct kmqtt_ack_packet - PUBACK, PUBREC, PUBREL and PUBCOMP (3.4 to 3.7)
 * @packet_id: 1 or more
 * @reason: &enum kmqtt_reason; %KMQTT_RC_SUCCESS in 3.x
 * @props: properties
 */
struct kmqtt_ack_packet {
	u16 packet_id;
	u8 reason;
	struct kmqtt_props props;
};

/**
 * kmqtt_ack_decode() - decode a PUBACK, PUBREC, PUBREL or PUBCOMP, whichever @f says
 * @f: fixed header
 * @body: @f->remaining bytes
 * @version: protocol version of the connection
 * @out: the result
 *
 * Return: 0 or the reason code
 */
u8 kmqtt_ack_decode(const struct kmqtt_fixed *f, const u8 *body, u8 version,
		    struct kmqtt_ack_packet *out);

/**
 * kmqtt_ack_encode() - encode a PUBACK, PUBREC, PUBREL or PUBCOMP
 * @buf: buffer
 * @cap: its size
 * @version: protocol version; in 3.x only the packet id is written
 * @type: which of the four
 * @ack: what to write
 *
 * In 5.0 a success without properties takes the short form of 3.x (3.4.2.1).
 *
 * Return: size or error, see above
 */
int kmqtt_ack_encode(u8 *buf, size_t cap, u8 version, u8 type, const struct kmqtt_ack_packet *ack);

/* Size of a PUBACK, PUBREC, PUBREL or PUBCOMP in its short form. */
#define KMQTT_ACK_SHORT_SIZE 4U

/**
 * kmqtt_ack_short_encode() - PUBACK, PUBREC, PUBREL or PUBCOMP with reason code 0 and no properties
 * @p: room for %KMQTT_ACK_SHORT_SIZE bytes
 * @type: which
 * @packet_id: 1 or more
 */
static inline void kmqtt_ack_short_encode(u8 *p, u8 type, u16 packet_id)
{
	p[0] = (u8)(type << 4 | (type == KMQTT_PUBREL ? 2 : 0));
	p[1] = 2;
	p[2] = (u8)(packet_id >> 8);
	p[3] = (u8)packet_id;
}

/**
 * kmqtt_ack_short_decode() - the packet identifier of such a packet
 * @f: fixed header, of one of these packets
 * @body: @f->remaining bytes
 *
 * Return: it; 0 if it is not of that form, and kmqtt_ack_decode() has to look at it
 */
static inline u16 kmqtt_ack_short_decode(const struct kmqtt_fixed *f, const u8 *body)
{
	if (f->remaining != 2 || f->flags != (f->type == KMQTT_PUBREL ? 2 : 0))
		return 0;
	return (u16)(body[0] << 8 | body[1]);
}

/**
 * struct kmqtt_sub_entry - one topic filter of a SUBSCRIBE (3.8.3)
 * @filter: valid topic filter; may be a shared one, see kmqtt_share_split()
 * @qos: maximum QoS, 0 to 2
 * @no_local: No Local
 * @retain_as_published: Retain As Published
 * @retain_handling: 0 send at subscribe, 1 only if the subscription is new, 2 do not send
 *
 * In 3.x the last three are 0.
 */
struct kmqtt_sub_entry {
	struct kmqtt_view filter;
	u8 qos;
	bool no_local;
	bool retain_as_published;
	u8 retain_handling;
};

/**
 * struct kmqtt_subscribe - SUBSCRIBE (3.8)
 * @packet_id: 1 or more
 * @entries: what kmqtt_subscribe_next() goes through; the encoder does not look at it
 * @n_entries: number of entries, 1 or more; likewise
 * @props: properties
 */
struct kmqtt_subscribe {
	u16 packet_id;
	struct kmqtt_view entries;
	u32 n_entries;
	struct kmqtt_props props;
};

/**
 * kmqtt_subscribe_decode() - decode a SUBSCRIBE and check all its entries
 * @f: fixed header
 * @body: @f->remaining bytes
 * @version: protocol version of the connection
 * @out: the result
 *
 * %KMQTT_RC_TOPIC_FILTER_INVALID: a filter that is well-formed UTF-8, but breaks the rules of 4.7.
 *
 * Return: 0 or the reason code
 */
u8 kmqtt_subscribe_decode(const struct kmqtt_fixed *f, const u8 *body, u8 version,
			  struct kmqtt_subscribe *out);

/**
 * kmqtt_subscribe_next() - the next entry of a SUBSCRIBE
 * @rest: what is left; begins as @entries of a decoded packet
 * @entry: out: the entry
 *
 * Return: true if there was one more
 */
bool kmqtt_subscribe_next(struct kmqtt_view *rest, struct kmqtt_sub_entry *entry);

/**
 * kmqtt_subscribe_encode() - encode a SUBSCRIBE
 * @buf: buffer
 * @cap: its size
 * @version: protocol version
 * @sub: packet id and properties
 * @entries: the entries
 * @n: their number, 1 or more
 *
 * Return: size or error, see above; -EINVAL for options that @version does not have
 */
int kmqtt_subscribe_encode(u8 *buf, size_t cap, u8 version, const struct kmqtt_subscribe *sub,
			   const struct kmqtt_sub_entry *entries, unsigned int n);

/**
 * struct kmqtt_suback - SUBACK (3.9) and UNSUBACK (3.11)
 * @packet_id: 1 or more
 * @codes: one &enum kmqtt_reason per entry, in their order. In 3.x a SUBACK has 0 to 2 or 0x80, and
 *	an UNSUBACK has none.
 * @props: properties
 */
struct kmqtt_suback {
	u16 packet_id;
	struct kmqtt_view codes;
	struct kmqtt_props props;
};

/**
 * kmqtt_suback_decode() - decode a SUBACK
 * @f: fixed header
 * @body: @f->remaining bytes
 * @version: protocol version of the connection
 * @out: the result
 *
 * Return: 0 or the reason code
 */
u8 kmqtt_suback_decode(const struct kmqtt_fixed *f, const u8 *body, u8 version,
		       struct kmqtt_suback *out);

/**
 * kmqtt_suback_encode() - encode a SUBACK
 * @buf: buffer, or NULL
 * @cap: its size
 * @version: protocol version
 * @ack: what to write
 *
 * In 3.x every code of 0x80 and more is written as 0x80 (3.1.1, 3.9.3).
 *
 * Return: size or error, see above
 */
int kmqtt_suback_encode(u8 *buf, size_t cap, u8 version, const struct kmqtt_suback *ack);

/**
 * kmqtt_unsuback_decode() - decode an UNSUBACK
 * @f: fixed header
 * @body: @f->remaining bytes
 * @version: protocol version of the connection
 * @out: the result
 *
 * Return: 0 or the reason code
 */
u8 kmqtt_unsuback_decode(const struct kmqtt_fixed *f, const u8 *body, u8 version,
			 struct kmqtt_suback *out);

/**
 * kmqtt_unsuback_encode() - encode an UNSUBACK
 * @buf: buffer, or NULL
 * @cap: its size
 * @version: protocol version
 * @ack: what to write
 *
 * In 3.x the codes are left out.
 *
 * Return: size or error, see above
 */
int kmqtt_unsuback_encode(u8 *buf, size_t cap, u8 version, const struct kmqtt_suback *ack);

/**
 * struct kmqtt_unsubscribe - UNSUBSCRIBE (3.10)
 * @packet_id: 1 or more
 * @filters: what kmqtt_unsubscribe_next() goes through; the encoder does not look at it
 * @n_filters: number of filters, 1 or more; likewise
 * @props: properties
 */
struct kmqtt_unsubscribe {
	u16 packet_id;
	struct kmqtt_view filters;
	u32 n_filters;
	struct kmqtt_props props;
};

/**
 * kmqtt_unsubscribe_decode() - decode an UNSUBSCRIBE and check all its filters
 * @f: fixed header
 * @body: @f->remaining bytes
 * @version: protocol version of the connection
 * @out: the result
 *
 * %KMQTT_RC_TOPIC_FILTER_INVALID: as for kmqtt_subscribe_decode().
 *
 * Return: 0 or the reason code
 */
u8 kmqtt_unsubscribe_decode(const struct kmqtt_fixed *f, const u8 *body, u8 version,
			    struct kmqtt_unsubscribe *out);

/**
 * kmqtt_unsubscribe_next() - the next topic filter of an UNSUBSCRIBE
 * @rest: what is left; begins as @filters of a decoded packet
 * @filter: out: the topic filter
 *
 * Return: true if there was one more
 */
bool kmqtt_unsubscribe_next(struct kmqtt_view *rest, struct kmqtt_view *filter);

/**
 * kmqtt_unsubscribe_encode() - encode an UNSUBSCRIBE
 * @buf: buffer
 * @cap: its size
 * @version: protocol version
 * @unsub: packet id and properties
 * @filters: topic filters
 * @n: their number, 1 or more
 *
 * Return: size or error, see above
 */
int kmqtt_unsubscribe_encode(u8 *buf, size_t cap, u8 version, const struct kmqtt_unsubscribe *unsub,
			     const struct kmqtt_view *filters, unsigned int n);

/**
 * struct kmqtt_disconnect - DISCONNECT (3.14) and AUTH (3.15)
 * @reason: &enum kmqtt_reason; %KMQTT_RC_SUCCESS in 3.x
 * @props: properties
 */
struct kmqtt_disconnect {
	u8 reason;
	struct kmqtt_props props;
};

/**
 * kmqtt_disconnect_decode() - decode a DISCONNECT
 * @f: fixed header
 * @body: @f->remaining bytes
 * @version: protocol version of the connection
 * @out: the result
 *
 * Return: 0 or the reason code
 */
u8 kmqtt_disconnect_decode(const struct kmqtt_fixed *f, const u8 *body, u8 version,
			   struct kmqtt_disconnect *out);

/**
 * kmqtt_disconnect_encode() - encode a DISCONNECT
 * @buf: buffer, or NULL
 * @cap: its size
 * @version: protocol version
 * @d: what to write
 *
 * In 3.x it is always two bytes.
 *
 * Return: size or error, see above
 */
int kmqtt_disconnect_encode(u8 *buf, size_t cap, u8 version, const struct kmqtt_disconnect *d);

/**
 * kmqtt_auth_decode() - decode an AUTH
 * @f: fixed header
 * @body: @f->remaining bytes
 * @version: protocol version of the connection
 * @out: the result
 *
 * Only 5.0 has it; before that it is a %KMQTT_RC_PROTOCOL_ERROR.
 *
 * Return: 0 or the reason code
 */
u8 kmqtt_auth_decode(const struct kmqtt_fixed *f, const u8 *body, u8 version,
		     struct kmqtt_disconnect *out);

/**
 * kmqtt_auth_encode() - encode an AUTH
 * @buf: buffer, or NULL
 * @cap: its size
 * @version: protocol version
 * @a: what to write
 *
 * In 3.x it is -EINVAL.
 *
 * Return: size or error, see above
 */
int kmqtt_auth_encode(u8 *buf, size_t cap, u8 version, const struct kmqtt_disconnect *a);

/* Size of a PINGREQ or PINGRESP. */
#define KMQTT_PING_SIZE 2U

/**
 * kmqtt_ping_encode() - encode a PINGREQ or PINGRESP (3.12, 3.13)
 * @buf: buffer
 * @cap: its size
 * @type: which of the two
 *
 * Return: size or error, see above
 */
int kmqtt_ping_encode(u8 *buf, size_t cap, u8 type);

#endif /* KMQTT_PROTO_PACKET_H */

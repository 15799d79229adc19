/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Properties of MQTT 5.0 (2.2.2).
 *
 * A "block" is the properties one after the other as they stand on the wire, without the Property
 * Length before them.
 */
#ifndef KMQTT_PROTO_PROPS_H
#define KMQTT_PROTO_PROPS_H

#include "proto.h"
#include "wire.h"

/**
 * struct kmqtt_props - the properties of one packet (or of one will)
 * @present: set of KMQTT_PROP_BIT() of what is there
 * @raw: the whole block; User Properties, and Subscription Identifiers beyond the first, are only
 *	here: see kmqtt_prop_next()
 * @session_expiry: Session Expiry Interval, seconds; 0xffffffff: never
 * @message_expiry: Message Expiry Interval, seconds; means something only if present
 * @will_delay: Will Delay Interval, seconds
 * @max_packet_size: Maximum Packet Size, bytes, 1 or more; if absent 0xffffffff: no limit
 * @sub_id: the first Subscription Identifier, 1 to %KMQTT_VARINT_MAX
 * @sub_ids: number of Subscription Identifiers
 * @user_props: number of User Properties
 * @server_keep_alive: Server Keep Alive, seconds; means something only if present
 * @receive_max: Receive Maximum, 1 or more; if absent 65535
 * @topic_alias_max: Topic Alias Maximum; 0: none
 * @topic_alias: Topic Alias, 1 or more; 0: none
 * @payload_format: Payload Format Indicator: 1 if the payload is UTF-8
 * @request_problem_info: Request Problem Information, 0 or 1; if absent 1
 * @request_response_info: Request Response Information, 0 or 1
 * @max_qos: Maximum QoS, 0 or 1; if absent 2
 * @retain_available: Retain Available, 0 or 1; if absent 1
 * @wildcard_sub_available: Wildcard Subscription Available, 0 or 1; if absent 1
 * @sub_id_available: Subscription Identifiers Available, 0 or 1; if absent 1
 * @shared_sub_available: Shared Subscription Available, 0 or 1; if absent 1
 * @content_type: Content Type
 * @response_topic: Response Topic, a valid topic name
 * @correlation_data: Correlation Data
 * @assigned_client_id: Assigned Client Identifier
 * @auth_method: Authentication Method
 * @auth_data: Authentication Data
 * @response_info: Response Information
 * @server_reference: Server Reference
 * @reason_string: Reason String
 *
 * After kmqtt_props_init(), and hence after a decode, what is absent has the value that the
 * standard gives to its absence; views are then NULL. The encoders look at @present first.
 */
struct kmqtt_props {
	u64 present;
	struct kmqtt_view raw;
	u32 session_expiry;
	u32 message_expiry;
	u32 will_delay;
	u32 max_packet_size;
	u32 sub_id;
	u32 sub_ids;
	u32 user_props;
	u16 server_keep_alive;
	u16 receive_max;
	u16 topic_alias_max;
	u16 topic_alias;
	u8 payload_format;
	u8 request_problem_info;
	u8 request_response_info;
	u8 max_qos;
	u8 retain_available;
	u8 wildcard_sub_available;
	u8 sub_id_available;
	u8 shared_sub_available;
	struct kmqtt_view content_type;
	struct kmqtt_view response_topic;
	struct kmqtt_view correlation_data;
	struct kmqtt_view assigned_client_id;
	struct kmqtt_view auth_method;
	struct kmqtt_view auth_data;
	struct kmqtt_view response_info;
	struct kmqtt_view server_reference;
	struct kmqtt_view reason_string;
};

/**
 * kmqtt_props_init() - no property at all
 * @props: what to set
 */
void kmqtt_props_init(struct kmqtt_props *props);

/**
 * kmqtt_props_has() - is this property there?
 * @props: properties
 * @id: &enum kmqtt_prop_id
 *
 * Return: true if it is
 */
static inline bool kmqtt_props_has(const struct kmqtt_props *props, u8 id)
{
	return props->present & KMQTT_PROP_BIT(id);
}

/**
 * kmqtt_props_decode() - check and decode a Property Length and the properties after it
 * @p: where the Property Length begins
 * @left: number of bytes to the end of the packet
 * @type: packet that they stand in; %KMQTT_WILL for will properties
 * @out: the result; not to be used after an error
 * @used: out: number of bytes used, Property Length and all
 *
 * Refused (2.2.2.2) as %KMQTT_RC_MALFORMED_PACKET: an identifier that is unknown or not for this
 * packet, and what is cut off or not well-formed UTF-8; as %KMQTT_RC_PROTOCOL_ERROR: a second
 * time what may stand once, a value out of its range, Authentication Data without Method, and a
 * Response Topic with wildcards; as %KMQTT_RC_TOPIC_ALIAS_INVALID: Topic Alias 0.
 * Who may send what is not looked at, see kmqtt_props_allowed().
 *
 * Return: 0 or the reason code
 */
u8 kmqtt_props_decode(const u8 *p, size_t left, u8 type, struct kmqtt_props *out, size_t *used);

/**
 * kmqtt_props_parse() - check and decode a block
 * @block: the properties without Property Length; need not come from a peer
 * @type: as for kmqtt_props_decode()
 * @out: as for kmqtt_props_decode()
 *
 * Return: 0 or the reason code
 */
u8 kmqtt_props_parse(struct kmqtt_view block, u8 type, struct kmqtt_props *out);

/**
 * kmqtt_props_allowed() - may these properties come from this side?
 * @props: decoded properties
 * @type: packet that they stand in
 * @from_server: true if the sender is the server
 *
 * A client sends no Subscription Identifier in a PUBLISH (3.3.4) and no Server Reference in a
 * DISCONNECT, and a server no Session Expiry Interval in a DISCONNECT (3.14.2.2.2).
 *
 * Return: true if they may; if not, it is a %KMQTT_RC_PROTOCOL_ERROR
 */
bool kmqtt_props_allowed(const struct kmqtt_props *props, u8 type, bool from_server);

/**
 * kmqtt_props_size() - size of the Property Length and the properties after it
 * @props: what to write: what has its bit in @present. User Properties are taken from @raw, and so
 *	are Subscription Identifiers if @sub_ids is more than 1. The order is that of the
 *	identifiers. Values are not checked.
 *
 * Return: number of bytes, 1 or more
 */
size_t kmqtt_props_size(const struct kmqtt_props *props);

/**
 * kmqtt_props_write() - append the Property Length and the properties after it
 * @w: where to
 * @props: as for kmqtt_props_size()
 */
void kmqtt_props_write(struct kmqtt_writer *w, const struct kmqtt_props *props);

/**
 * kmqtt_props_encodable() - would a peer accept these properties?
 * @props: what is to be written
 * @type: packet that they are to stand in
 *
 * The same rules as kmqtt_props_decode() has, for the typed members. @raw is trusted to be a valid
 * block (or empty).
 *
 * Return: true if it would
 */
bool kmqtt_props_encodable(const struct kmqtt_props *props, u8 type);

/**
 * struct kmqtt_prop - one property
 * @id: &enum kmqtt_prop_id
 * @num: the value, where it is a number, else 0
 * @val: the value, where it is a string or binary; of a User Property, the value
 * @name: of a User Property, the name
 * @raw: the whole property with its identifier, to be copied
 */
struct kmqtt_prop {
	u8 id;
	u32 num;
	struct kmqtt_view val;
	struct kmqtt_view name;
	struct kmqtt_view raw;
};

/**
 * kmqtt_prop_next() - the next property of a block
 * @rest: what is left; begins as the whole block
 * @prop: out: the property
 *
 * ::
 *
 *	struct kmqtt_view rest = props->raw;
 *	struct kmqtt_prop prop;
 *
 *	while (kmqtt_prop_next(&rest, &prop))
 *		if (prop.id == KMQTT_PROP_USER_PROPERTY)
 *			...
 *
 * On a block that is not valid it stops where the fault is, and reads nothing beyond the block;
 * then @rest is not empty.
 *
 * Return: true if there was one more
 */
bool kmqtt_prop_next(struct kmqtt_view *rest, struct kmqtt_prop *prop);

/**
 * kmqtt_props_filter_size() - size of a block without some of its properties
 * @block: a valid block
 * @omit: set of KMQTT_PROP_BIT() of what to leave out
 *
 * Return: number of bytes
 */
u32 kmqtt_props_filter_size(struct kmqtt_view block, u64 omit);

/**
 * kmqtt_props_filter_copy() - copy a block without some of its properties
 * @dst: where to; kmqtt_props_filter_size() bytes
 * @block: a valid block, not overlapping @dst
 * @omit: set of KMQTT_PROP_BIT() of what to leave out
 *
 * Return: the byte after the last one written
 */
u8 *kmqtt_props_filter_copy(u8 *dst, struct kmqtt_view block, u64 omit);

/* Sizes of single properties whose size is fixed, identifier and all. */
#define KMQTT_PROP_SIZE_U8 2U
#define KMQTT_PROP_SIZE_U16 3U
#define KMQTT_PROP_SIZE_U32 5U

/**
 * kmqtt_prop_size_varint() - size of a property whose value is a variable byte integer
 * @val: the value, at most %KMQTT_VARINT_MAX
 *
 * Return: number of bytes, identifier and all
 */
unsigned int kmqtt_prop_size_varint(u32 val);

/**
 * kmqtt_prop_size_str() - size of a property whose value is a string or binary
 * @len: bytes of the value, at most %KMQTT_STRING_MAX
 *
 * Return: number of bytes, identifier and all
 */
unsigned int kmqtt_prop_size_str(u32 len);

/**
 * kmqtt_prop_size_pair() - size of a property whose value is a pair of strings
 * @name_len: bytes of the name, at most %KMQTT_STRING_MAX
 * @val_len: bytes of the value, at most %KMQTT_STRING_MAX
 *
 * Return: number of bytes, identifier and all
 */
unsigned int kmqtt_prop_size_pair(u32 name_len, u32 val_len);

/**
 * kmqtt_prop_put_u8() - write a property whose value is one byte
 * @p: where to: %KMQTT_PROP_SIZE_U8 bytes
 * @id: &enum kmqtt_prop_id; nothing is checked
 * @val: value
 *
 * Return: the byte after the last one written
 */
u8 *kmqtt_prop_put_u8(u8 *p, u8 id, u8 val);

/**
 * kmqtt_prop_put_u16() - write a property whose value is a two byte integer
 * @p: where to: %KMQTT_PROP_SIZE_U16 bytes
 * @id: &enum kmqtt_prop_id; nothing is checked
 * @val: value
 *
 * Return: the byte after the last one written
 */
u8 *kmqtt_prop_put_u16(u8 *p, u8 id, u16 val);

/**
 * kmqtt_prop_put_u32() - write a property whose value is a four byte integer
 * @p: where to: %KMQTT_PROP_SIZE_U32 bytes
 * @id: &enum kmqtt_prop_id; nothing is checked
 * @val: value
 *
 * Return: the byte after the last one written
 */
u8 *kmqtt_prop_put_u32(u8 *p, u8 id, u32 val);

/**
 * kmqtt_prop_put_varint() - write a property whose value is a variable byte integer
 * @p: where to: kmqtt_prop_size_varint() bytes
 * @id: &enum kmqtt_prop_id; nothing is checked
 * @val: value, at most %KMQTT_VARINT_MAX
 *
 * Return: the byte after the last one written
 */
u8 *kmqtt_prop_put_varint(u8 *p, u8 id, u32 val);

/**
 * kmqtt_prop_put_str() - write a property whose value is a string or binary
 * @p: where to: kmqtt_prop_size_str() bytes
 * @id: &enum kmqtt_prop_id; nothing is checked
 * @val: value, at most %KMQTT_STRING_MAX bytes
 *
 * Return: the byte after the last one written
 */
u8 *kmqtt_prop_put_str(u8 *p, u8 id, struct kmqtt_view val);

/**
 * kmqtt_prop_put_pair() - write a property whose value is a pair of strings
 * @p: where to: kmqtt_prop_size_pair() bytes
 * @id: &enum kmqtt_prop_id; nothing is checked
 * @name: name, at most %KMQTT_STRING_MAX bytes
 * @val: value, at most %KMQTT_STRING_MAX bytes
 *
 * Return: the byte after the last one written
 */
u8 *kmqtt_prop_put_pair(u8 *p, u8 id, struct kmqtt_view name, struct kmqtt_view val);

#endif /* KMQTT_PROTO_PROPS_H */

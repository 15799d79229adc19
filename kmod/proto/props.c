// SPDX-License-Identifier: GPL-2.0-only
/* Properties of MQTT 5.0 (2.2.2). */
#include "props.h"
#include "topic.h"
#include "utf8.h"

/* Data types of table 2-4. All properties of one byte are flags: 0 or 1. */
enum prop_kind {
	KIND_NONE,
	KIND_FLAG,
	KIND_U16,
	KIND_U32,
	KIND_VARINT,
	KIND_STRING,
	KIND_BINARY,
	KIND_PAIR,
};

#define WILL BIT(KMQTT_WILL)
#define CONNECT BIT(KMQTT_CONNECT)
#define CONNACK BIT(KMQTT_CONNACK)
#define PUBLISH BIT(KMQTT_PUBLISH)
#define PUBACKS \
	(BIT(KMQTT_PUBACK) | BIT(KMQTT_PUBREC) | BIT(KMQTT_PUBREL) | BIT(KMQTT_PUBCOMP))
#define SUBSCRIBE BIT(KMQTT_SUBSCRIBE)
#define UNSUBSCRIBE BIT(KMQTT_UNSUBSCRIBE)
#define SUBACKS (BIT(KMQTT_SUBACK) | BIT(KMQTT_UNSUBACK))
#define DISCONNECT BIT(KMQTT_DISCONNECT)
#define AUTH BIT(KMQTT_AUTH)
#define WITH_REASON (CONNACK | PUBACKS | SUBACKS | DISCONNECT | AUTH)

/**
 * struct prop_def - what the standard says about one property
 * @packets: bits of the packets in which it may stand
 * @offset: its member of struct kmqtt_props
 * @kind: its data type; KIND_NONE: there is no such property
 * @min: smallest value allowed, if it is a number
 */
struct prop_def {
	u32 packets;
	u16 offset;
	u8 kind;
	u8 min;
};

#define DEF(id, type, least, member, where) \
	[KMQTT_PROP_##id] = { \
		.packets = (where), \
		.offset = offsetof(struct kmqtt_props, member), \
		.kind = KIND_##type, \
		.min = (least), \
	}

static const struct prop_def defs[KMQTT_PROP_ID_END] = {
	DEF(PAYLOAD_FORMAT, FLAG, 0, payload_format, PUBLISH | WILL),
	DEF(MESSAGE_EXPIRY, U32, 0, message_expiry, PUBLISH | WILL),
	DEF(CONTENT_TYPE, STRING, 0, content_type, PUBLISH | WILL),
	DEF(RESPONSE_TOPIC, STRING, 0, response_topic, PUBLISH | WILL),
	DEF(CORRELATION_DATA, BINARY, 0, correlation_data, PUBLISH | WILL),
	DEF(SUBSCRIPTION_ID, VARINT, 1, sub_id, PUBLISH | SUBSCRIBE),
	DEF(SESSION_EXPIRY, U32, 0, session_expiry, CONNECT | CONNACK | DISCONNECT),
	DEF(ASSIGNED_CLIENT_ID, STRING, 0, assigned_client_id, CONNACK),
	DEF(SERVER_KEEP_ALIVE, U16, 0, server_keep_alive, CONNACK),
	DEF(AUTH_METHOD, STRING, 0, auth_method, CONNECT | CONNACK | AUTH),
	DEF(AUTH_DATA, BINARY, 0, auth_data, CONNECT | CONNACK | AUTH),
	DEF(REQUEST_PROBLEM_INFO, FLAG, 0, request_problem_info, CONNECT),
	DEF(WILL_DELAY, U32, 0, will_delay, WILL),
	DEF(REQUEST_RESPONSE_INFO, FLAG, 0, request_response_info, CONNECT),
	DEF(RESPONSE_INFO, STRING, 0, response_info, CONNACK),
	DEF(SERVER_REFERENCE, STRING, 0, server_reference, CONNACK | DISCONNECT),
	DEF(REASON_STRING, STRING, 0, reason_string, WITH_REASON),
	DEF(RECEIVE_MAX, U16, 1, receive_max, CONNECT | CONNACK),
	DEF(TOPIC_ALIAS_MAX, U16, 0, topic_alias_max, CONNECT | CONNACK),
	DEF(TOPIC_ALIAS, U16, 1, topic_alias, PUBLISH),
	DEF(MAX_QOS, FLAG, 0, max_qos, CONNACK),
	DEF(RETAIN_AVAILABLE, FLAG, 0, retain_available, CONNACK),
	DEF(USER_PROPERTY, PAIR, 0, user_props,
	    CONNECT | WITH_REASON | PUBLISH | WILL | SUBSCRIBE | UNSUBSCRIBE),
	DEF(MAX_PACKET_SIZE, U32, 1, max_packet_size, CONNECT | CONNACK),
	DEF(WILDCARD_SUB_AVAILABLE, FLAG, 0, wildcard_sub_available, CONNACK),
	DEF(SUB_ID_AVAILABLE, FLAG, 0, sub_id_available, CONNACK),
	DEF(SHARED_SUB_AVAILABLE, FLAG, 0, shared_sub_available, CONNACK),
};

static bool is_number(u8 kind)
{
	return kind >= KIND_FLAG && kind <= KIND_VARINT;
}

void kmqtt_props_init(struct kmqtt_props *props)
{
	memset(props, 0, sizeof(*props));
	props->max_packet_size = 0xffffffff;
	props->receive_max = 65535;
	props->request_problem_info = 1;
	props->max_qos = 2;
	props->retain_available = 1;
	props->wildcard_sub_available = 1;
	props->sub_id_available = 1;
	props->shared_sub_available = 1;
}

/* Read the value of one property; no more is checked than that it is wholly there. */
static bool read_value(struct kmqtt_reader *r, u8 kind, struct kmqtt_prop *prop)
{
	u8 byte;
	u16 word;

	switch (kind) {
	case KIND_FLAG:
		if (!kmqtt_read_u8(r, &byte))
			return false;
		prop->num = byte;
		return true;
	case KIND_U16:
		if (!kmqtt_read_u16(r, &word))
			return false;
		prop->num = word;
		return true;
	case KIND_U32:
		return kmqtt_read_u32(r, &prop->num);
	case KIND_VARINT:
		return kmqtt_read_varint(r, &prop->num);
	case KIND_STRING:
	case KIND_BINARY:
		return kmqtt_read_binary(r, &prop->val);
	case KIND_PAIR:
		return kmqtt_read_binary(r, &prop->name) && kmqtt_read_binary(r, &prop->val);
	default:
		return false;
	}
}

bool kmqtt_prop_next(struct kmqtt_view *rest, struct kmqtt_prop *prop)
{
	struct kmqtt_reader r = { rest->data, rest->len };

	memset(prop, 0, sizeof(*prop));
	if (!kmqtt_read_u8(&r, &prop->id) || prop->id >= ARRAY_SIZE(defs) ||
	    !read_value(&r, defs[prop->id].kind, prop))
		return false;

	prop->raw.data = rest->data;
	prop->raw.len = rest->len - (u32)r.left;
	rest->data = r.p;
	rest->len = (u32)r.left;
	return true;
}

/* The rules for a value of its own, whatever stands beside it. Returns 0 or the reason code. */
static u8 check_value(const struct prop_def *def, const struct kmqtt_prop *prop)
{
	if (is_number(def->kind)) {
		if (def->kind == KIND_FLAG && prop->num > 1)
			return KMQTT_RC_PROTOCOL_ERROR;
		if (prop->num >= def->min)
			return 0;
		return prop->id == KMQTT_PROP_TOPIC_ALIAS ? KMQTT_RC_TOPIC_ALIAS_INVALID :
							    KMQTT_RC_PROTOCOL_ERROR;
	}
	if (def->kind == KIND_BINARY)
		return 0;
	if (!kmqtt_utf8_valid(prop->val.data, prop->val.len) ||
	    !kmqtt_utf8_valid(prop->name.data, prop->name.len))
		return KMQTT_RC_MALFORMED_PACKET;
	if (prop->id == KMQTT_PROP_RESPONSE_TOPIC &&
	    !kmqtt_topic_name_valid(prop->val.data, prop->val.len))
		return KMQTT_RC_PROTOCOL_ERROR;
	return 0;
}

static bool may_repeat(u8 id, u8 type)
{
	return id == KMQTT_PROP_USER_PROPERTY ||
	       (id == KMQTT_PROP_SUBSCRIPTION_ID && type == KMQTT_PUBLISH);
}

/* Put a value that was checked into its member. */
static void store_value(struct kmqtt_props *out, const struct prop_def *def,
			const struct kmqtt_prop *prop)
{
	void *member = (u8 *)out + def->offset;

	switch (def->kind) {
	case KIND_FLAG:
		*(u8 *)member = (u8)prop->num;
		break;
	case KIND_U16:
		*(u16 *)member = (u16)prop->num;
		break;
	case KIND_U32:
		*(u32 *)member = prop->num;
		break;
	case KIND_VARINT:
		if (!out->sub_ids++)
			*(u32 *)member = prop->num;
		break;
	case KIND_PAIR:
		++*(u32 *)member;
		break;
	default:
		*(struct kmqtt_view *)member = prop->val;
		break;
	}
}

/* The other way round; a User Property has no value to load. */
static void load_value(const struct kmqtt_props *props, const struct prop_def *def,
		       struct kmqtt_prop *prop)
{
	const void *member = (const u8 *)props + def->offset;

	memset(prop, 0, sizeof(*prop));
	prop->id = (u8)(def - defs);
	switch (def->kind) {
	case KIND_FLAG:
		prop->num = *(const u8 *)member;
		break;
	case KIND_U16:
		prop->num = *(const u16 *)member;
		break;
	case KIND_U32:
	case KIND_VARINT:
		prop->num = *(const u32 *)member;
		break;
	case KIND_STRING:
	case KIND_BINARY:
		prop->val = *(const struct kmqtt_view *)member;
		break;
	default:
		break;
	}
}

u8 kmqtt_props_parse(struct kmqtt_view block, u8 type, struct kmqtt_props *out)
{
	struct kmqtt_view rest = block;
	const struct prop_def *def;
	struct kmqtt_prop prop;
	u8 rc;

	kmqtt_props_init(out);
	out->raw = block;
	while (rest.len) {
		if (!kmqtt_prop_next(&rest, &prop))
			return KMQTT_RC_MALFORMED_PACKET;
		def = &defs[prop.id];
		if (!(def->packets & BIT(type)))
			return KMQTT_RC_MALFORMED_PACKET;
		if (kmqtt_props_has(out, prop.id) && !may_repeat(prop.id, type))
			return KMQTT_RC_PROTOCOL_ERROR;
		rc = check_value(def, &prop);
		if (rc)
			return rc;
		store_value(out, def, &prop);
		out->present |= KMQTT_PROP_BIT(prop.id);
	}

	if (kmqtt_props_has(out, KMQTT_PROP_AUTH_DATA) &&
	    !kmqtt_props_has(out, KMQTT_PROP_AUTH_METHOD))
		return KMQTT_RC_PROTOCOL_ERROR;
	return 0;
}

u8 kmqtt_props_decode(const u8 *p, size_t left, u8 type, struct kmqtt_props *out, size_t *used)
{
	struct kmqtt_reader r = { p, left };
	struct kmqtt_view block;
	u32 len;

	if (!kmqtt_read_varint(&r, &len) || !kmqtt_read_bytes(&r, len, &block))
		return KMQTT_RC_MALFORMED_PACKET;
	*used = left - r.left;
	return kmqtt_props_parse(block, type, out);
}

bool kmqtt_props_allowed(const struct kmqtt_props *props, u8 type, bool from_server)
{
	u64 refused = 0;

	if (type == KMQTT_PUBLISH && !from_server)
		refused = KMQTT_PROP_BIT(KMQTT_PROP_SUBSCRIPTION_ID);
	else if (type == KMQTT_DISCONNECT)
		refused = KMQTT_PROP_BIT(from_server ? KMQTT_PROP_SESSION_EXPIRY :
						       KMQTT_PROP_SERVER_REFERENCE);
	return !(props->present & refused);
}

bool kmqtt_props_encodable(const struct kmqtt_props *props, u8 type)
{
	const struct prop_def *def;
	struct kmqtt_prop prop;
	u64 known = 0;

	if (!props->present)
		return true;
	for (def = defs; def < defs + ARRAY_SIZE(defs); def++) {
		if (def->packets & BIT(type))
			known |= KMQTT_PROP_BIT(def - defs);
		if (!kmqtt_props_has(props, (u8)(def - defs)))
			continue;
		load_value(props, def, &prop);
		if (prop.val.len > KMQTT_STRING_MAX || check_value(def, &prop))
			return false;
		if (def->kind == KIND_VARINT &&
		    (prop.num > KMQTT_VARINT_MAX ||
		     (props->sub_ids > 1 && !may_repeat(prop.id, type))))
			return false;
	}
	if (kmqtt_props_has(props, KMQTT_PROP_AUTH_DATA) &&
	    !kmqtt_props_has(props, KMQTT_PROP_AUTH_METHOD))
		return false;
	return !(props->present & ~known);
}

/* Append those of a valid block that have this identifier. */
static void write_from_block(struct kmqtt_writer *w, struct kmqtt_view rest, u8 id)
{
	struct kmqtt_prop prop;

	while (kmqtt_prop_next(&rest, &prop))
		if (prop.id == id)
			kmqtt_write_bytes(w, prop.raw);
}

static void write_block(struct kmqtt_writer *w, const struct kmqtt_props *props)
{
	const struct prop_def *def;
	struct kmqtt_prop prop;

	for (def = defs; def < defs + ARRAY_SIZE(defs); def++) {
		if (!kmqtt_props_has(props, (u8)(def - defs)))
			continue;
		load_value(props, def, &prop);
		if (def->kind == KIND_PAIR || (def->kind == KIND_VARINT && props->sub_ids > 1)) {
			write_from_block(w, props->raw, prop.id);
			continue;
		}
		kmqtt_write_u8(w, prop.id);
		if (def->kind == KIND_FLAG)
			kmqtt_write_u8(w, (u8)prop.num);
		else if (def->kind == KIND_U16)
			kmqtt_write_u16(w, (u16)prop.num);
		else if (def->kind == KIND_U32)
			kmqtt_write_u32(w, prop.num);
		else if (def->kind == KIND_VARINT)
			kmqtt_write_varint(w, prop.num);
		else
			kmqtt_write_string(w, prop.val);
	}
}

static size_t block_size(const struct kmqtt_props *props)
{
	struct kmqtt_writer count = { NULL, 0, 0 };

	write_block(&count, props);
	return count.len;
}

size_t kmqtt_props_size(const struct kmqtt_props *props)
{
	size_t size = block_size(props);

	return kmqtt_varint_size((u32)size) + size;
}

void kmqtt_props_write(struct kmqtt_writer *w, const struct kmqtt_props *props)
{
	kmqtt_write_varint(w, (u32)block_size(props));
	write_block(w, props);
}

u32 kmqtt_props_filter_size(struct kmqtt_view block, u64 omit)
{
	struct kmqtt_prop prop;
	u32 size = 0;

	while (kmqtt_prop_next(&block, &prop))
		if (!(omit & KMQTT_PROP_BIT(prop.id)))
			size += prop.raw.len;
	return size;
}

u8 *kmqtt_props_filter_copy(u8 *dst, struct kmqtt_view block, u64 omit)
{
	struct kmqtt_prop prop;

	while (kmqtt_prop_next(&block, &prop)) {
		if (omit & KMQTT_PROP_BIT(prop.id))
			continue;
		memcpy(dst, prop.raw.data, prop.raw.len);
		dst += prop.raw.len;
	}
	return dst;
}

unsigned int kmqtt_prop_size_varint(u32 val)
{
	return 1 + kmqtt_varint_size(val);
}

unsigned int kmqtt_prop_size_str(u32 len)
{
	return 1 + 2 + len;
}

unsigned int kmqtt_prop_size_pair(u32 name_len, u32 val_len)
{
	return 1 + 2 + name_len + 2 + val_len;
}

u8 *kmqtt_prop_put_u8(u8 *p, u8 id, u8 val)
{
	*p++ = id;
	*p++ = val;
	return p;
}

u8 *kmqtt_prop_put_u16(u8 *p, u8 id, u16 val)
{
	*p++ = id;
	put_unaligned_be16(val, p);
	return p + 2;
}

u8 *kmqtt_prop_put_u32(u8 *p, u8 id, u32 val)
{
	*p++ = id;
	put_unaligned_be32(val, p);
	return p + 4;
}

u8 *kmqtt_prop_put_varint(u8 *p, u8 id, u32 val)
{
	*p++ = id;
	return kmqtt_varint_encode(p, val);
}

static u8 *put_str(u8 *p, struct kmqtt_view val)
{
	put_unaligned_be16((u16)val.len, p);
	p += 2;
	if (val.len)
		memcpy(p, val.data, val.len);
	return p + val.len;
}

u8 *kmqtt_prop_put_str(u8 *p, u8 id, struct kmqtt_view val)
{
	*p++ = id;
	return put_str(p, val);
}

u8 *kmqtt_prop_put_pair(u8 *p, u8 id, struct kmqtt_view name, struct kmqtt_view val)
{
	*p++ = id;
	return put_str(put_str(p, name), val);
}

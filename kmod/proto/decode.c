// SPDX-License-Identifier: GPL-2.0-only
/* Control packets: bytes to structures. */
#include "bits.h"
#include "packet.h"
#include "topic.h"
#include "utf8.h"

#define FLAG_RETAIN 0x01
#define FLAG_DUP 0x08

static u8 flags_qos(u8 flags)
{
	return flags >> 1 & 3;
}

/* Judge the first byte alone (2.1.3). */
static bool flags_valid(u8 type, u8 flags)
{
	switch (type) {
	case KMQTT_PUBLISH:
		return flags_qos(flags) != 3 && (flags_qos(flags) || !(flags & FLAG_DUP));
	case KMQTT_PUBREL:
	case KMQTT_SUBSCRIBE:
	case KMQTT_UNSUBSCRIBE:
		return (flags & ~FLAG_DUP) == 0x02;
	default:
		return type && !flags;
	}
}

/* May any version have a packet of this type with so many bytes? */
static bool remaining_possible(u8 type, u32 remaining)
{
	switch (type) {
	case KMQTT_CONNECT:
		return remaining >= 10;
	case KMQTT_PINGREQ:
	case KMQTT_PINGRESP:
		return !remaining;
	case KMQTT_DISCONNECT:
	case KMQTT_AUTH:
		return true;
	default:
		return remaining >= 2;
	}
}

int kmqtt_fixed_decode(const u8 *p, size_t left, struct kmqtt_fixed *f, u8 *rc)
{
	int used;

	if (!left)
		return 0;

	*rc = KMQTT_RC_MALFORMED_PACKET;
	f->type = p[0] >> 4;
	f->flags = p[0] & 0x0f;
	if (!flags_valid(f->type, f->flags))
		return -EINVAL;
	used = kmqtt_varint_decode(p + 1, left - 1, &f->remaining);
	if (used <= 0)
		return used;
	if (!remaining_possible(f->type, f->remaining))
		return -EINVAL;
	f->hdr_len = (u8)(1 + used);
	return f->hdr_len;
}

/* Only MQTT 3.1 knows DUP outside of a PUBLISH. */
static bool dup_refused(const struct kmqtt_fixed *f, u8 version)
{
	return version > KMQTT_V31 && f->flags & FLAG_DUP;
}

static u8 read_props(struct kmqtt_reader *r, u8 version, u8 type, struct kmqtt_props *out)
{
	size_t used;
	u8 rc;

	if (version < KMQTT_V5) {
		kmqtt_props_init(out);
		return 0;
	}
	rc = kmqtt_props_decode(r->p, r->left, type, out, &used);
	if (rc)
		return rc;
	r->p += used;
	r->left -= used;
	return 0;
}

/* Packet ids are not 0 (2.2.1). */
static u8 read_packet_id(struct kmqtt_reader *r, u16 *id)
{
	if (!kmqtt_read_u16(r, id))
		return KMQTT_RC_MALFORMED_PACKET;
	return *id ? 0 : KMQTT_RC_PROTOCOL_ERROR;
}

static u8 check_topic(struct kmqtt_view topic)
{
	if (kmqtt_topic_name_valid(topic.data, topic.len))
		return 0;
	return kmqtt_utf8_valid(topic.data, topic.len) ? KMQTT_RC_TOPIC_NAME_INVALID :
							 KMQTT_RC_MALFORMED_PACKET;
}

static u8 check_filter(struct kmqtt_view filter)
{
	if (kmqtt_topic_filter_valid(filter.data, filter.len))
		return 0;
	return kmqtt_utf8_valid(filter.data, filter.len) ? KMQTT_RC_TOPIC_FILTER_INVALID :
							   KMQTT_RC_MALFORMED_PACKET;
}

/* Protocol name and level (3.1.2.1, 3.1.2.2). */
static u8 read_protocol(struct kmqtt_reader *r, struct kmqtt_connect *out)
{
	struct kmqtt_view name;
	u8 level;

	if (!kmqtt_read_binary(r, &name) || !kmqtt_read_u8(r, &level))
		return KMQTT_RC_MALFORMED_PACKET;

	out->bridge = level == (KMQTT_LEVEL_BRIDGE | KMQTT_V31) ||
		      level == (KMQTT_LEVEL_BRIDGE | KMQTT_V311);
	out->version = out->bridge ? level & ~KMQTT_LEVEL_BRIDGE : level;
	if (out->version >= KMQTT_V31 && out->version <= KMQTT_V5 &&
	    kmqtt_view_equal(name, kmqtt_protocol_name(out->version)))
		return 0;
	out->version = level >= KMQTT_V5 && !out->bridge ? KMQTT_V5 : KMQTT_V311;
	return KMQTT_RC_UNSUPPORTED_PROTOCOL_VERSION;
}

/* Connect flags (3.1.2.3); MQTT 3.1 leaves open what is in those that it does not use. */
static bool connect_flags_valid(u8 flags, u8 version)
{
	u8 will_bits = flags & (KMQTT_CONNECT_WILL_QOS | KMQTT_CONNECT_WILL_RETAIN);

	if (flags & KMQTT_CONNECT_WILL) {
		if ((flags & KMQTT_CONNECT_WILL_QOS) == KMQTT_CONNECT_WILL_QOS)
			return false;
	} else if (will_bits && version > KMQTT_V31) {
		return false;
	}
	if (flags & KMQTT_CONNECT_PASSWORD && !(flags & KMQTT_CONNECT_USER_NAME) &&
	    version < KMQTT_V5)
		return false;
	return !(flags & KMQTT_CONNECT_RESERVED) || version == KMQTT_V31;
}

static u8 read_will(struct kmqtt_reader *r, u8 flags, u8 version, struct kmqtt_connect_will *will)
{
	u8 rc;

	will->qos = flags >> KMQTT_CONNECT_WILL_QOS_SHIFT & 3;
	will->retain = flags & KMQTT_CONNECT_WILL_RETAIN;
	rc = read_props(r, version, KMQTT_WILL, &will->props);
	if (rc)
		return rc;
	if (!kmqtt_read_binary(r, &will->topic) || !kmqtt_read_binary(r, &will->payload))
		return KMQTT_RC_MALFORMED_PACKET;
	return check_topic(will->topic);
}

/*
 * User name and password (3.1.3.5, 3.1.3.6). In MQTT 3.1 the Remaining Length takes precedence over
 * the flags: what they promise may be missing.
 */
static u8 read_credentials(struct kmqtt_reader *r, u8 flags, struct kmqtt_connect *out)
{
	bool lenient = out->version == KMQTT_V31;

	if (flags & KMQTT_CONNECT_USER_NAME && !(lenient && !r->left) &&
	    !kmqtt_read_string(r, &out->user_name))
		return KMQTT_RC_MALFORMED_PACKET;
	if (flags & KMQTT_CONNECT_PASSWORD && !(lenient && !r->left) &&
	    !kmqtt_read_binary(r, &out->password))
		return KMQTT_RC_MALFORMED_PACKET;
	return 0;
}

static bool client_id_required(const struct kmqtt_connect *c)
{
	return c->version == KMQTT_V31 || (c->version == KMQTT_V311 && !c->clean_start);
}

u8 kmqtt_connect_decode(const struct kmqtt_fixed *f, const u8 *body, struct kmqtt_connect *out)
{
	struct kmqtt_reader r = { body, f->remaining };
	u8 flags, rc;

	memset(out, 0, sizeof(*out));
	kmqtt_props_init(&out->will.props);
	rc = read_protocol(&r, out);
	if (rc)
		return rc;
	if (!kmqtt_read_u8(&r, &flags) || !connect_flags_valid(flags, out->version) ||
	    !kmqtt_read_u16(&r, &out->keep_alive))
		return KMQTT_RC_MALFORMED_PACKET;
	out->clean_start = flags & KMQTT_CONNECT_CLEAN_START;

	rc = read_props(&r, out->version, KMQTT_CONNECT, &out->props);
	if (rc)
		return rc;
	if (!kmqtt_read_string(&r, &out->client_id))
		return KMQTT_RC_MALFORMED_PACKET;
	if (flags & KMQTT_CONNECT_WILL) {
		rc = read_will(&r, flags, out->version, &out->will);
		if (rc)
			return rc;
	}
	rc = read_credentials(&r, flags, out);
	if (rc)
		return rc;
	if (r.left)
		return KMQTT_RC_MALFORMED_PACKET;
	if (!out->client_id.len && client_id_required(out))
		return KMQTT_RC_CLIENT_ID_NOT_VALID;
	return 0;
}

u8 kmqtt_connack_decode(const struct kmqtt_fixed *f, const u8 *body, u8 version,
			struct kmqtt_connack *out)
{
	struct kmqtt_reader r = { body, f->remaining };
	u8 flags, code, rc;

	if (!kmqtt_read_u8(&r, &flags) || !kmqtt_read_u8(&r, &code))
		return KMQTT_RC_MALFORMED_PACKET;
	rc = read_props(&r, version, KMQTT_CONNACK, &out->props);
	if (rc)
		return rc;
	/* MQTT 3.1 has no Session Present; its first byte is not used. */
	if (version == KMQTT_V31)
		flags = 0;
	if (r.left || flags & ~KMQTT_CONNACK_SESSION_PRESENT)
		return KMQTT_RC_MALFORMED_PACKET;

	out->session_present = flags;
	if (version < KMQTT_V5 && code > KMQTT_CONNACK_V3_LAST)
		return KMQTT_RC_PROTOCOL_ERROR;
	out->reason = version < KMQTT_V5 ? kmqtt_connack_from_v3(code) : code;
	if (!kmqtt_reason_allowed(KMQTT_CONNACK, out->reason) ||
	    (out->session_present && out->reason))
		return KMQTT_RC_PROTOCOL_ERROR;
	return 0;
}

/*
 * How long is a PUBLISH up to its payload? Looks at three lengths and nothing else.
 * Returns 1 if that much is there, 0 if more is needed, or -EINVAL if it cannot fit.
 */
static int publish_head_size(const struct kmqtt_fixed *f, const u8 *p, size_t left, u8 version,
			     u32 *size)
{
	u32 need = 2, props_len;
	int used;

	if (f->remaining < need)
		return -EINVAL;
	if (left < need)
		return 0;
	need += get_unaligned_be16(p);
	if (flags_qos(f->flags))
		need += 2;
	if (f->remaining < need)
		return -EINVAL;

	if (version >= KMQTT_V5) {
		if (left < need)
			return 0;
		used = kmqtt_varint_decode(p + need, left - need, &props_len);
		if (used < 0)
			return used;
		if (!used)
			return left == f->remaining ? -EINVAL : 0;
		need += used;
		if (f->remaining - need < props_len)
			return -EINVAL;
		need += props_len;
	}
	*size = need;
	return left >= need;
}

/* An empty topic name needs an alias (3.3.2.1). */
static u8 check_publish_topic(const struct kmqtt_publish *pub)
{
	if (pub->topic.len)
		return check_topic(pub->topic);
	return kmqtt_props_has(&pub->props, KMQTT_PROP_TOPIC_ALIAS) ? 0 : KMQTT_RC_PROTOCOL_ERROR;
}

/* Most messages have none, and nothing is to be done for these. */
static u8 read_publish_props(struct kmqtt_reader *r, u8 version, struct kmqtt_props *out)
{
	if (version >= KMQTT_V5 && !(r->left && !*r->p))
		return read_props(r, version, KMQTT_PUBLISH, out);
	if (version >= KMQTT_V5) {
		r->p++;
		r->left--;
	}
	out->present = 0;
	out->raw = KMQTT_VIEW_NONE;
	out->sub_ids = 0;
	out->user_props = 0;
	return 0;
}

int kmqtt_publish_head_decode(const struct kmqtt_fixed *f, const u8 *p, size_t left, u8 version,
			      struct kmqtt_view known, struct kmqtt_publish *out, u8 *rc)
{
	struct kmqtt_reader r = { p, 0 };
	u32 size;
	int ret;

	*rc = KMQTT_RC_MALFORMED_PACKET;
	ret = publish_head_size(f, p, left < f->remaining ? left : f->remaining, version, &size);
	if (ret <= 0)
		return ret;

	r.left = size;
	out->dup = f->flags & FLAG_DUP;
	out->qos = flags_qos(f->flags);
	out->retain = f->flags & FLAG_RETAIN;
	out->packet_id = 0;
	if (!kmqtt_read_binary(&r, &out->topic))
		return -EINVAL;
	if (out->qos) {
		*rc = read_packet_id(&r, &out->packet_id);
		if (*rc)
			return -EINVAL;
	}
	*rc = read_publish_props(&r, version, &out->props);
	if (*rc)
		return -EINVAL;
	*rc = known.len && kmqtt_view_equal(out->topic, known) ? 0 : check_publish_topic(out);
	if (*rc)
		return -EINVAL;
	out->payload.data = p + size;
	out->payload.len = f->remaining - size;
	return (int)size;
}

u8 kmqtt_publish_decode(const struct kmqtt_fixed *f, const u8 *body, u8 version,
			struct kmqtt_publish *out)
{
	u8 rc;

	if (kmqtt_publish_head_decode(f, body, f->remaining, version, KMQTT_VIEW_NONE, out,
				      &rc) <= 0)
		return rc;
	return 0;
}

/*
 * Reason code and properties as they end a PUBACK and its like, a DISCONNECT or an AUTH of MQTT
 * 5.0: the properties may be left out, and the reason code with them (3.4.2.1, 3.14.2.1,
 * 3.15.2.1).
 */
static u8 read_reason(struct kmqtt_reader *r, u8 version, u8 type, u8 *reason,
		      struct kmqtt_props *props)
{
	u8 rc;

	*reason = KMQTT_RC_SUCCESS;
	kmqtt_props_init(props);
	if (version >= KMQTT_V5) {
		kmqtt_read_u8(r, reason);
		if (r->left) {
			rc = read_props(r, version, type, props);
			if (rc)
				return rc;
		}
	}
	if (r->left)
		return KMQTT_RC_MALFORMED_PACKET;
	return kmqtt_reason_allowed(type, *reason) ? 0 : KMQTT_RC_PROTOCOL_ERROR;
}

u8 kmqtt_ack_decode(const struct kmqtt_fixed *f, const u8 *body, u8 version,
		    struct kmqtt_ack_packet *out)
{
	struct kmqtt_reader r = { body, f->remaining };
	u8 rc;

	if (dup_refused(f, version))
		return KMQTT_RC_MALFORMED_PACKET;
	rc = read_packet_id(&r, &out->packet_id);
	if (rc)
		return rc;
	return read_reason(&r, version, f->type, &out->reason, &out->props);
}

static bool reader_view(struct kmqtt_reader *r, struct kmqtt_view *rest)
{
	rest->data = r->p;
	rest->len = (u32)r->left;
	return rest->len;
}

/* Subscription options (3.8.3.1); in 3.x but for the QoS all of them are reserved. */
static u8 check_options(u8 options, struct kmqtt_view filter, u8 version)
{
	struct kmqtt_view name, plain;

	if (options & KMQTT_SUB_OPT_RESERVED || (options & KMQTT_SUB_OPT_QOS) == 3 ||
	    (version < KMQTT_V5 && options & ~KMQTT_SUB_OPT_QOS))
		return KMQTT_RC_MALFORMED_PACKET;
	if (options >> KMQTT_SUB_OPT_RETAIN_SHIFT == 3)
		return KMQTT_RC_PROTOCOL_ERROR;
	if (options & KMQTT_SUB_OPT_NO_LOCAL && kmqtt_share_split(filter, &name, &plain))
		return KMQTT_RC_PROTOCOL_ERROR;
	return 0;
}

u8 kmqtt_subscribe_decode(const struct kmqtt_fixed *f, const u8 *body, u8 version,
			  struct kmqtt_subscribe *out)
{
	struct kmqtt_reader r = { body, f->remaining };
	struct kmqtt_view filter;
	u8 options, rc;

	if (dup_refused(f, version))
		return KMQTT_RC_MALFORMED_PACKET;
	rc = read_packet_id(&r, &out->packet_id);
	if (rc)
		return rc;
	rc = read_props(&r, version, KMQTT_SUBSCRIBE, &out->props);
	if (rc)
		return rc;
	if (!reader_view(&r, &out->entries))
		return KMQTT_RC_PROTOCOL_ERROR;

	for (out->n_entries = 0; r.left; out->n_entries++) {
		if (!kmqtt_read_binary(&r, &filter) || !kmqtt_read_u8(&r, &options))
			return KMQTT_RC_MALFORMED_PACKET;
		rc = check_filter(filter);
		if (!rc)
			rc = check_options(options, filter, version);
		if (rc)
			return rc;
	}
	return 0;
}

bool kmqtt_subscribe_next(struct kmqtt_view *rest, struct kmqtt_sub_entry *entry)
{
	struct kmqtt_reader r = { rest->data, rest->len };
	u8 options;

	if (!kmqtt_read_binary(&r, &entry->filter) || !kmqtt_read_u8(&r, &options))
		return false;
	entry->qos = options & KMQTT_SUB_OPT_QOS;
	entry->no_local = options & KMQTT_SUB_OPT_NO_LOCAL;
	entry->retain_as_published = options & KMQTT_SUB_OPT_RETAIN_AS_PUBLISHED;
	entry->retain_handling = options >> KMQTT_SUB_OPT_RETAIN_SHIFT & 3;
	reader_view(&r, rest);
	return true;
}

/* SUBACK and UNSUBACK up to their codes. */
static u8 read_suback_head(struct kmqtt_reader *r, u8 version, u8 type, struct kmqtt_suback *out)
{
	u8 rc = read_packet_id(r, &out->packet_id);

	if (!rc)
		rc = read_props(r, version, type, &out->props);
	reader_view(r, &out->codes);
	return rc;
}

static u8 check_codes(struct kmqtt_view codes, u8 type, u8 version)
{
	u32 i;

	if (!codes.len)
		return KMQTT_RC_PROTOCOL_ERROR;
	for (i = 0; i < codes.len; i++) {
		if (!kmqtt_reason_allowed(type, codes.data[i]))
			return KMQTT_RC_PROTOCOL_ERROR;
		if (version < KMQTT_V5 && codes.data[i] > KMQTT_RC_UNSPECIFIED)
			return KMQTT_RC_PROTOCOL_ERROR;
	}
	return 0;
}

u8 kmqtt_suback_decode(const struct kmqtt_fixed *f, const u8 *body, u8 version,
		       struct kmqtt_suback *out)
{
	struct kmqtt_reader r = { body, f->remaining };
	u8 rc = read_suback_head(&r, version, KMQTT_SUBACK, out);

	return rc ? rc : check_codes(out->codes, KMQTT_SUBACK, version);
}

u8 kmqtt_unsuback_decode(const struct kmqtt_fixed *f, const u8 *body, u8 version,
			 struct kmqtt_suback *out)
{
	struct kmqtt_reader r = { body, f->remaining };
	u8 rc = read_suback_head(&r, version, KMQTT_UNSUBACK, out);

	if (rc)
		return rc;
	if (version < KMQTT_V5)
		return out->codes.len ? KMQTT_RC_MALFORMED_PACKET : 0;
	return check_codes(out->codes, KMQTT_UNSUBACK, version);
}

u8 kmqtt_unsubscribe_decode(const struct kmqtt_fixed *f, const u8 *body, u8 version,
			    struct kmqtt_unsubscribe *out)
{
	struct kmqtt_reader r = { body, f->remaining };
	struct kmqtt_view filter;
	u8 rc;

	if (dup_refused(f, version))
		return KMQTT_RC_MALFORMED_PACKET;
	rc = read_packet_id(&r, &out->packet_id);
	if (rc)
		return rc;
	rc = read_props(&r, version, KMQTT_UNSUBSCRIBE, &out->props);
	if (rc)
		return rc;
	if (!reader_view(&r, &out->filters))
		return KMQTT_RC_PROTOCOL_ERROR;

	for (out->n_filters = 0; r.left; out->n_filters++) {
		if (!kmqtt_read_binary(&r, &filter))
			return KMQTT_RC_MALFORMED_PACKET;
		rc = check_filter(filter);
		if (rc)
			return rc;
	}
	return 0;
}

bool kmqtt_unsubscribe_next(struct kmqtt_view *rest, struct kmqtt_view *filter)
{
	struct kmqtt_reader r = { rest->data, rest->len };

	if (!kmqtt_read_binary(&r, filter))
		return false;
	reader_view(&r, rest);
	return true;
}

u8 kmqtt_disconnect_decode(const struct kmqtt_fixed *f, const u8 *body, u8 version,
			   struct kmqtt_disconnect *out)
{
	struct kmqtt_reader r = { body, f->remaining };

	return read_reason(&r, version, KMQTT_DISCONNECT, &out->reason, &out->props);
}

u8 kmqtt_auth_decode(const struct kmqtt_fixed *f, const u8 *body, u8 version,
		     struct kmqtt_disconnect *out)
{
	struct kmqtt_reader r = { body, f->remaining };
	u8 rc;

	if (version < KMQTT_V5)
		return KMQTT_RC_PROTOCOL_ERROR;
	rc = read_reason(&r, version, KMQTT_AUTH, &out->reason, &out->props);
	if (rc)
		return rc;
	/* Only a success may do without a method, and then without anything (3.15.2.1). */
	if (!kmqtt_props_has(&out->props, KMQTT_PROP_AUTH_METHOD) &&
	    (out->reason || out->props.present))
		return KMQTT_RC_PROTOCOL_ERROR;
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-only
/* Control packets: structures to bytes. */
#include "bits.h"
#include "packet.h"
#include "topic.h"
#include "utf8.h"

/* Appends all that follows the fixed header. Runs twice: it counts first, then it writes. */
typedef void (*body_fn)(struct kmqtt_writer *w, u8 version, const void *packet);

static u8 first_byte(u8 type, u8 flags)
{
	return (u8)(type << 4 | flags);
}

/* Size of a packet with such a body; -EMSGSIZE if no Remaining Length can say it. */
static int packet_size(u64 remaining)
{
	if (remaining > KMQTT_VARINT_MAX)
		return -EMSGSIZE;
	return (int)(1 + kmqtt_varint_size((u32)remaining) + remaining);
}

static int encode(u8 *buf, size_t cap, u8 first, u8 version, body_fn body, const void *packet)
{
	struct kmqtt_writer w = { NULL, 0, 0 };
	size_t remaining;
	int size;

	body(&w, version, packet);
	remaining = w.len;
	size = packet_size(remaining);
	if (size < 0 || (!buf && !cap))
		return size;
	if (cap < (size_t)size)
		return -ENOSPC;

	w = (struct kmqtt_writer){ buf, size, 0 };
	kmqtt_write_u8(&w, first);
	kmqtt_write_varint(&w, (u32)remaining);
	body(&w, version, packet);
	return size;
}

static void write_props(struct kmqtt_writer *w, u8 version, const struct kmqtt_props *props)
{
	if (version >= KMQTT_V5)
		kmqtt_props_write(w, props);
}

static int check_props(const struct kmqtt_props *props, u8 type, u8 version)
{
	if (version >= KMQTT_V5 && !kmqtt_props_encodable(props, type))
		return -EINVAL;
	return 0;
}

static int check_version(u8 version)
{
	return version >= KMQTT_V31 && version <= KMQTT_V5 ? 0 : -EINVAL;
}

/* What packets with a packet id and properties have in common. */
static int check_head(u8 version, u16 packet_id, const struct kmqtt_props *props, u8 type)
{
	if (check_version(version) || !packet_id)
		return -EINVAL;
	return check_props(props, type, version);
}

static int check_binary(struct kmqtt_view val)
{
	return val.len > KMQTT_STRING_MAX ? -EMSGSIZE : 0;
}

static int check_string(struct kmqtt_view val)
{
	if (val.len > KMQTT_STRING_MAX)
		return -EMSGSIZE;
	return kmqtt_utf8_valid(val.data, val.len) ? 0 : -EINVAL;
}

static int check_filter(struct kmqtt_view filter)
{
	if (filter.len > KMQTT_STRING_MAX)
		return -EMSGSIZE;
	return kmqtt_topic_filter_valid(filter.data, filter.len) ? 0 : -EINVAL;
}

static int check_topic(struct kmqtt_view topic)
{
	if (topic.len > KMQTT_STRING_MAX)
		return -EMSGSIZE;
	return kmqtt_topic_name_valid(topic.data, topic.len) ? 0 : -EINVAL;
}

static int check_will(const struct kmqtt_connect *c)
{
	int ret;

	if (!c->will.topic.data)
		return 0;
	if (c->will.qos > 2)
		return -EINVAL;
	ret = check_topic(c->will.topic);
	if (!ret)
		ret = check_binary(c->will.payload);
	if (!ret)
		ret = check_props(&c->will.props, KMQTT_WILL, c->version);
	return ret;
}

static int check_connect(const struct kmqtt_connect *c)
{
	int ret;

	if (check_version(c->version) || (c->bridge && c->version >= KMQTT_V5))
		return -EINVAL;
	if (c->version < KMQTT_V5 && c->password.data && !c->user_name.data)
		return -EINVAL;
	if (!c->client_id.len &&
	    (c->version == KMQTT_V31 || (c->version == KMQTT_V311 && !c->clean_start)))
		return -EINVAL;
	ret = check_string(c->client_id);
	if (!ret)
		ret = check_string(c->user_name);
	if (!ret)
		ret = check_binary(c->password);
	if (!ret)
		ret = check_will(c);
	if (!ret)
		ret = check_props(&c->props, KMQTT_CONNECT, c->version);
	return ret;
}

static u8 connect_flags(const struct kmqtt_connect *c)
{
	u8 flags = 0;

	if (c->clean_start)
		flags |= KMQTT_CONNECT_CLEAN_START;
	if (c->will.topic.data) {
		flags |= KMQTT_CONNECT_WILL | c->will.qos << KMQTT_CONNECT_WILL_QOS_SHIFT;
		if (c->will.retain)
			flags |= KMQTT_CONNECT_WILL_RETAIN;
	}
	if (c->user_name.data)
		flags |= KMQTT_CONNECT_USER_NAME;
	if (c->password.data)
		flags |= KMQTT_CONNECT_PASSWORD;
	return flags;
}

static void write_connect(struct kmqtt_writer *w, u8 version, const void *packet)
{
	const struct kmqtt_connect *c = packet;

	kmqtt_write_string(w, kmqtt_protocol_name(version));
	kmqtt_write_u8(w, c->bridge ? version | KMQTT_LEVEL_BRIDGE : version);
	kmqtt_write_u8(w, connect_flags(c));
	kmqtt_write_u16(w, c->keep_alive);
	write_props(w, version, &c->props);
	kmqtt_write_string(w, c->client_id);
	if (c->will.topic.data) {
		write_props(w, version, &c->will.props);
		kmqtt_write_string(w, c->will.topic);
		kmqtt_write_string(w, c->will.payload);
	}
	if (c->user_name.data)
		kmqtt_write_string(w, c->user_name);
	if (c->password.data)
		kmqtt_write_string(w, c->password);
}

int kmqtt_connect_encode(u8 *buf, size_t cap, const struct kmqtt_connect *c)
{
	int ret = check_connect(c);

	if (ret)
		return ret;
	return encode(buf, cap, first_byte(KMQTT_CONNECT, 0), c->version, write_connect, c);
}

static void write_connack(struct kmqtt_writer *w, u8 version, const void *packet)
{
	const struct kmqtt_connack *c = packet;
	bool present = c->session_present && version > KMQTT_V31;

	kmqtt_write_u8(w, present ? KMQTT_CONNACK_SESSION_PRESENT : 0);
	kmqtt_write_u8(w, version < KMQTT_V5 ? kmqtt_connack_to_v3(c->reason) : c->reason);
	write_props(w, version, &c->props);
}

int kmqtt_connack_encode(u8 *buf, size_t cap, u8 version, const struct kmqtt_connack *c)
{
	int ret = check_version(version);

	if (ret || !kmqtt_reason_allowed(KMQTT_CONNACK, c->reason) ||
	    (c->session_present && c->reason))
		return -EINVAL;
	ret = check_props(&c->props, KMQTT_CONNACK, version);
	if (ret)
		return ret;
	return encode(buf, cap, first_byte(KMQTT_CONNACK, 0), version, write_connack, c);
}

static u8 publish_byte(bool dup, u8 qos, bool retain)
{
	return first_byte(KMQTT_PUBLISH, (u8)(dup << 3 | qos << 1 | retain));
}

static bool publish_flags_valid(bool dup, u8 qos, u16 packet_id)
{
	return qos <= 2 && (!qos || packet_id) && (qos || !dup);
}

static void write_publish(struct kmqtt_writer *w, u8 version, const void *packet)
{
	const struct kmqtt_publish *pub = packet;

	kmqtt_write_string(w, pub->topic);
	if (pub->qos)
		kmqtt_write_u16(w, pub->packet_id);
	write_props(w, version, &pub->props);
	kmqtt_write_bytes(w, pub->payload);
}

int kmqtt_publish_encode(u8 *buf, size_t cap, u8 version, const struct kmqtt_publish *pub)
{
	bool alias = version >= KMQTT_V5 && kmqtt_props_has(&pub->props, KMQTT_PROP_TOPIC_ALIAS);
	int ret;

	if (check_version(version) || !publish_flags_valid(pub->dup, pub->qos, pub->packet_id))
		return -EINVAL;
	if (pub->topic.len || !alias) {
		ret = check_topic(pub->topic);
		if (ret)
			return ret;
	}
	ret = check_props(&pub->props, KMQTT_PUBLISH, version);
	if (ret)
		return ret;
	return encode(buf, cap, publish_byte(pub->dup, pub->qos, pub->retain), version,
		      write_publish, pub);
}

/* Size of the properties that the head itself has; -EINVAL if an identifier is out of range. */
static int head_props_size(const struct kmqtt_publish_head *h)
{
	int size = 0;
	u32 i;

	if (h->has_expiry)
		size += KMQTT_PROP_SIZE_U32;
	if (h->topic_alias)
		size += KMQTT_PROP_SIZE_U16;
	if (h->n_sub_ids > KMQTT_VARINT_MAX / 2)
		return -EINVAL;
	for (i = 0; i < h->n_sub_ids; i++) {
		if (!h->sub_ids[i] || h->sub_ids[i] > KMQTT_VARINT_MAX)
			return -EINVAL;
		size += (int)kmqtt_prop_size_varint(h->sub_ids[i]);
	}
	return size;
}

static void put_head_props(u8 *p, const struct kmqtt_publish_head *h)
{
	u32 i;

	if (h->has_expiry)
		p = kmqtt_prop_put_u32(p, KMQTT_PROP_MESSAGE_EXPIRY, h->message_expiry);
	for (i = 0; i < h->n_sub_ids; i++)
		p = kmqtt_prop_put_varint(p, KMQTT_PROP_SUBSCRIPTION_ID, h->sub_ids[i]);
	if (h->topic_alias)
		kmqtt_prop_put_u16(p, KMQTT_PROP_TOPIC_ALIAS, h->topic_alias);
}

static void put_head(u8 *p, u8 version, const struct kmqtt_publish_head *h, u32 remaining,
		     u32 props_len)
{
	*p++ = publish_byte(h->dup, h->qos, h->retain);
	p = kmqtt_varint_encode(p, remaining);
	put_unaligned_be16((u16)h->topic.len, p);
	p += 2;
	if (h->topic.len)
		memcpy(p, h->topic.data, h->topic.len);
	p += h->topic.len;
	if (h->qos) {
		put_unaligned_be16(h->packet_id, p);
		p += 2;
	}
	if (version >= KMQTT_V5)
		put_head_props(kmqtt_varint_encode(p, props_len), h);
}

int kmqtt_publish_head_encode(u8 *buf, size_t cap, u8 version,
			      const struct kmqtt_publish_head *head)
{
	u64 body = 2 + head->topic.len + (head->qos ? 2 : 0), behind = head->payload_len;
	u64 props_len = 0;
	int own, size;

	if (check_version(version) ||
	    !publish_flags_valid(head->dup, head->qos, head->packet_id) ||
	    (!head->topic.len && (version < KMQTT_V5 || !head->topic_alias)))
		return -EINVAL;
	if (head->topic.len > KMQTT_STRING_MAX)
		return -EMSGSIZE;

	if (version >= KMQTT_V5) {
		own = head_props_size(head);
		if (own < 0)
			return own;
		props_len = (u64)own + head->props_len;
		if (props_len > KMQTT_VARINT_MAX)
			return -EMSGSIZE;
		body += kmqtt_varint_size((u32)props_len) + own;
		behind += head->props_len;
	}

	size = packet_size(body + behind);
	if (size < 0)
		return size;
	size -= (int)behind;
	if (!buf && !cap)
		return size;
	if (cap < (size_t)size)
		return -ENOSPC;
	put_head(buf, version, head, (u32)(body + behind), (u32)props_len);
	return size;
}

/* How much of reason code and properties has to be said: see read_reason() in decode.c. */
static void write_reason(struct kmqtt_writer *w, u8 reason, const struct kmqtt_props *props)
{
	if (!reason && !props->present)
		return;
	kmqtt_write_u8(w, reason);
	if (props->present)
		kmqtt_props_write(w, props);
}

static void write_ack(struct kmqtt_writer *w, u8 version, const void *packet)
{
	const struct kmqtt_ack_packet *ack = packet;

	kmqtt_write_u16(w, ack->packet_id);
	if (version >= KMQTT_V5)
		write_reason(w, ack->reason, &ack->props);
}

int kmqtt_ack_encode(u8 *buf, size_t cap, u8 version, u8 type, const struct kmqtt_ack_packet *ack)
{
	if (type < KMQTT_PUBACK || type > KMQTT_PUBCOMP ||
	    check_head(version, ack->packet_id, &ack->props, type) ||
	    (version >= KMQTT_V5 && !kmqtt_reason_allowed(type, ack->reason)))
		return -EINVAL;
	return encode(buf, cap, first_byte(type, type == KMQTT_PUBREL ? 0x02 : 0), version,
		      write_ack, ack);
}

/* A SUBSCRIBE is more than one structure; body_fn takes one. */
struct subscribe_packet {
	const struct kmqtt_subscribe *sub;
	const struct kmqtt_sub_entry *entries;
	unsigned int n;
};

static u8 entry_options(const struct kmqtt_sub_entry *entry)
{
	u8 options = (u8)(entry->qos | entry->retain_handling << KMQTT_SUB_OPT_RETAIN_SHIFT);

	if (entry->no_local)
		options |= KMQTT_SUB_OPT_NO_LOCAL;
	if (entry->retain_as_published)
		options |= KMQTT_SUB_OPT_RETAIN_AS_PUBLISHED;
	return options;
}

static int check_entry(const struct kmqtt_sub_entry *entry, u8 version)
{
	struct kmqtt_view name, plain;
	int ret = check_filter(entry->filter);

	if (ret)
		return ret;
	if (entry->qos > 2 || entry->retain_handling > 2)
		return -EINVAL;
	if (version < KMQTT_V5 && entry_options(entry) != entry->qos)
		return -EINVAL;
	if (entry->no_local && kmqtt_share_split(entry->filter, &name, &plain))
		return -EINVAL;
	return 0;
}

static void write_subscribe(struct kmqtt_writer *w, u8 version, const void *packet)
{
	const struct subscribe_packet *s = packet;
	unsigned int i;

	kmqtt_write_u16(w, s->sub->packet_id);
	write_props(w, version, &s->sub->props);
	for (i = 0; i < s->n; i++) {
		kmqtt_write_string(w, s->entries[i].filter);
		kmqtt_write_u8(w, entry_options(&s->entries[i]));
	}
}

int kmqtt_subscribe_encode(u8 *buf, size_t cap, u8 version, const struct kmqtt_subscribe *sub,
			   const struct kmqtt_sub_entry *entries, unsigned int n)
{
	struct subscribe_packet packet = { sub, entries, n };
	int ret = check_head(version, sub->packet_id, &sub->props, KMQTT_SUBSCRIBE);
	unsigned int i;

	for (i = 0; !ret && i < n; i++)
		ret = check_entry(&entries[i], version);
	if (ret || !n)
		return ret ? ret : -EINVAL;
	return encode(buf, cap, first_byte(KMQTT_SUBSCRIBE, 0x02), version, write_subscribe,
		      &packet);
}

static void write_suback(struct kmqtt_writer *w, u8 version, const void *packet)
{
	const struct kmqtt_suback *ack = packet;
	u32 i;

	kmqtt_write_u16(w, ack->packet_id);
	write_props(w, version, &ack->props);
	if (version >= KMQTT_V5) {
		kmqtt_write_bytes(w, ack->codes);
		return;
	}
	for (i = 0; i < ack->codes.len; i++)
		kmqtt_write_u8(w, ack->codes.data[i] < KMQTT_RC_UNSPECIFIED ?
				  ack->codes.data[i] : KMQTT_RC_UNSPECIFIED);
}

static bool codes_allowed(struct kmqtt_view codes, u8 type)
{
	u32 i;

	for (i = 0; i < codes.len; i++)
		if (!kmqtt_reason_allowed(type, codes.data[i]))
			return false;
	return codes.len;
}

int kmqtt_suback_encode(u8 *buf, size_t cap, u8 version, const struct kmqtt_suback *ack)
{
	int ret = check_head(version, ack->packet_id, &ack->props, KMQTT_SUBACK);

	if (ret || !codes_allowed(ack->codes, KMQTT_SUBACK))
		return -EINVAL;
	return encode(buf, cap, first_byte(KMQTT_SUBACK, 0), version, write_suback, ack);
}

static void write_unsuback(struct kmqtt_writer *w, u8 version, const void *packet)
{
	const struct kmqtt_suback *ack = packet;

	kmqtt_write_u16(w, ack->packet_id);
	if (version >= KMQTT_V5) {
		kmqtt_props_write(w, &ack->props);
		kmqtt_write_bytes(w, ack->codes);
	}
}

int kmqtt_unsuback_encode(u8 *buf, size_t cap, u8 version, const struct kmqtt_suback *ack)
{
	int ret = check_head(version, ack->packet_id, &ack->props, KMQTT_UNSUBACK);

	if (ret || (version >= KMQTT_V5 && !codes_allowed(ack->codes, KMQTT_UNSUBACK)))
		return -EINVAL;
	return encode(buf, cap, first_byte(KMQTT_UNSUBACK, 0), version, write_unsuback, ack);
}

struct unsubscribe_packet {
	const struct kmqtt_unsubscribe *unsub;
	const struct kmqtt_view *filters;
	unsigned int n;
};

static void write_unsubscribe(struct kmqtt_writer *w, u8 version, const void *packet)
{
	const struct unsubscribe_packet *u = packet;
	unsigned int i;

	kmqtt_write_u16(w, u->unsub->packet_id);
	write_props(w, version, &u->unsub->props);
	for (i = 0; i < u->n; i++)
		kmqtt_write_string(w, u->filters[i]);
}

int kmqtt_unsubscribe_encode(u8 *buf, size_t cap, u8 version, const struct kmqtt_unsubscribe *unsub,
			     const struct kmqtt_view *filters, unsigned int n)
{
	struct unsubscribe_packet packet = { unsub, filters, n };
	int ret = check_head(version, unsub->packet_id, &unsub->props, KMQTT_UNSUBSCRIBE);
	unsigned int i;

	for (i = 0; !ret && i < n; i++)
		ret = check_filter(filters[i]);
	if (ret || !n)
		return ret ? ret : -EINVAL;
	return encode(buf, cap, first_byte(KMQTT_UNSUBSCRIBE, 0x02), version, write_unsubscribe,
		      &packet);
}

static void write_disconnect(struct kmqtt_writer *w, u8 version, const void *packet)
{
	const struct kmqtt_disconnect *d = packet;

	if (version >= KMQTT_V5)
		write_reason(w, d->reason, &d->props);
}

int kmqtt_disconnect_encode(u8 *buf, size_t cap, u8 version, const struct kmqtt_disconnect *d)
{
	if (check_version(version) || check_props(&d->props, KMQTT_DISCONNECT, version) ||
	    (version >= KMQTT_V5 && !kmqtt_reason_allowed(KMQTT_DISCONNECT, d->reason)))
		return -EINVAL;
	return encode(buf, cap, first_byte(KMQTT_DISCONNECT, 0), version, write_disconnect, d);
}

int kmqtt_auth_encode(u8 *buf, size_t cap, u8 version, const struct kmqtt_disconnect *a)
{
	if (version != KMQTT_V5 || check_props(&a->props, KMQTT_AUTH, version) ||
	    !kmqtt_reason_allowed(KMQTT_AUTH, a->reason))
		return -EINVAL;
	if (!kmqtt_props_has(&a->props, KMQTT_PROP_AUTH_METHOD) && (a->reason || a->props.present))
		return -EINVAL;
	return encode(buf, cap, first_byte(KMQTT_AUTH, 0), version, write_disconnect, a);
}

int kmqtt_ping_encode(u8 *buf, size_t cap, u8 type)
{
	if (type != KMQTT_PINGREQ && type != KMQTT_PINGRESP)
		return -EINVAL;
	if (!buf && !cap)
		return KMQTT_PING_SIZE;
	if (cap < KMQTT_PING_SIZE)
		return -ENOSPC;
	buf[0] = first_byte(type, 0);
	buf[1] = 0;
	return KMQTT_PING_SIZE;
}

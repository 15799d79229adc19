// SPDX-License-Identifier: GPL-2.0-only
/*
 * Structures filled at random: whatever an encoder takes, the decoder takes too, and it is the
 * same. The input is a tape from which numbers and strings are read; behind its end are zeros.
 */
#include "any.h"
#include "fuzz.h"
#include "proto/topic.h"

struct tape {
	const u8 *data;
	size_t left;
};

static u8 tape_u8(struct tape *t)
{
	if (!t->left)
		return 0;
	t->left--;
	return *t->data++;
}

static u16 tape_u16(struct tape *t)
{
	u8 high = tape_u8(t);

	return (u16)(high << 8 | tape_u8(t));
}

static u32 tape_u32(struct tape *t)
{
	u32 high = tape_u16(t);

	return high << 16 | tape_u16(t);
}

/* Nothing, or up to 127 bytes. */
static struct kmqtt_view tape_view(struct tape *t)
{
	u8 len = tape_u8(t);
	struct kmqtt_view view = { NULL, 0 };

	if (len & 0x80)
		return view;
	view.data = t->data;
	view.len = len < t->left ? len : (u32)t->left;
	t->data += view.len;
	t->left -= view.len;
	return view;
}

/* Without those that no peer would take by themselves: else hardly one tape in a million passes. */
static u64 sensible(struct kmqtt_props *p, u8 type, u64 present)
{
	u64 alone, kept = 0;
	u8 id;

	for (id = 0; id < KMQTT_PROP_ID_END; id++) {
		alone = present & KMQTT_PROP_BIT(id);
		p->present = alone | (alone & KMQTT_PROP_BIT(KMQTT_PROP_AUTH_DATA) ?
				      KMQTT_PROP_BIT(KMQTT_PROP_AUTH_METHOD) : 0);
		if (kmqtt_props_encodable(p, type))
			kept |= alone;
	}
	return kept;
}

static void tape_props(struct tape *t, struct kmqtt_props *p, u8 type)
{
	u64 present = (u64)tape_u32(t) << 32 | tape_u32(t);
	bool any = tape_u8(t) == 0xff;

	kmqtt_props_init(p);
	p->session_expiry = tape_u32(t);
	p->message_expiry = tape_u32(t);
	p->will_delay = tape_u32(t);
	p->max_packet_size = tape_u8(t);
	p->sub_id = tape_u32(t);
	p->server_keep_alive = tape_u16(t);
	p->receive_max = tape_u8(t);
	p->topic_alias_max = tape_u16(t);
	p->topic_alias = tape_u8(t);
	p->payload_format = tape_u8(t);
	p->request_problem_info = tape_u8(t);
	p->request_response_info = tape_u8(t);
	p->max_qos = tape_u8(t);
	p->retain_available = tape_u8(t);
	p->wildcard_sub_available = tape_u8(t);
	p->sub_id_available = tape_u8(t);
	p->shared_sub_available = tape_u8(t);
	p->content_type = tape_view(t);
	p->response_topic = tape_view(t);
	p->correlation_data = tape_view(t);
	p->assigned_client_id = tape_view(t);
	p->auth_method = tape_view(t);
	p->auth_data = tape_view(t);
	p->response_info = tape_view(t);
	p->server_reference = tape_view(t);
	p->reason_string = tape_view(t);
	p->present = any ? present : sensible(p, type, present);
}

static int encode_connect(u8 *buf, size_t cap, struct tape *t)
{
	struct kmqtt_connect c = { .version = tape_u8(t) };

	c.bridge = tape_u8(t) & 1;
	c.clean_start = tape_u8(t) & 1;
	c.keep_alive = tape_u16(t);
	c.client_id = tape_view(t);
	c.user_name = tape_view(t);
	c.password = tape_view(t);
	c.will.qos = tape_u8(t);
	c.will.retain = tape_u8(t) & 1;
	c.will.topic = tape_view(t);
	c.will.payload = tape_view(t);
	tape_props(t, &c.will.props, KMQTT_WILL);
	tape_props(t, &c.props, KMQTT_CONNECT);
	return kmqtt_connect_encode(buf, cap, &c);
}

static int encode_publish(u8 *buf, size_t cap, u8 version, struct tape *t)
{
	struct kmqtt_publish pub = { .qos = tape_u8(t) };

	pub.dup = tape_u8(t) & 1;
	pub.retain = tape_u8(t) & 1;
	pub.packet_id = tape_u16(t);
	pub.topic = tape_view(t);
	pub.payload = tape_view(t);
	tape_props(t, &pub.props, KMQTT_PUBLISH);
	return kmqtt_publish_encode(buf, cap, version, &pub);
}

/* A head with nothing behind it; the topic is one that the caller checked. */
static int encode_head(u8 *buf, size_t cap, u8 version, struct tape *t)
{
	struct kmqtt_publish_head h = { .qos = tape_u8(t) };
	u32 ids[4] = { tape_u32(t), tape_u32(t), tape_u32(t), tape_u32(t) };
	int size;

	h.dup = tape_u8(t) & 1;
	h.retain = tape_u8(t) & 1;
	h.has_expiry = tape_u8(t) & 1;
	h.packet_id = tape_u16(t);
	h.topic_alias = tape_u16(t);
	h.message_expiry = tape_u32(t);
	h.topic = tape_view(t);
	h.sub_ids = ids;
	h.n_sub_ids = tape_u8(t) % 5;
	if (h.topic.len && !kmqtt_topic_name_valid(h.topic.data, h.topic.len))
		return -EINVAL;
	size = kmqtt_publish_head_encode(buf, cap, version, &h);
	PROMISE(size <= (int)KMQTT_PUBLISH_HEAD_MAX(h.topic.len, h.n_sub_ids));
	return size;
}

static int encode_subscribe(u8 *buf, size_t cap, u8 version, struct tape *t)
{
	struct kmqtt_subscribe sub = { .packet_id = tape_u16(t) };
	struct kmqtt_sub_entry entries[3];
	unsigned int n = tape_u8(t) % 4, i;

	for (i = 0; i < n; i++) {
		entries[i].filter = tape_view(t);
		entries[i].qos = tape_u8(t);
		entries[i].no_local = tape_u8(t) & 1;
		entries[i].retain_as_published = tape_u8(t) & 1;
		entries[i].retain_handling = tape_u8(t);
	}
	tape_props(t, &sub.props, KMQTT_SUBSCRIBE);
	return kmqtt_subscribe_encode(buf, cap, version, &sub, entries, n);
}

static int encode_unsubscribe(u8 *buf, size_t cap, u8 version, struct tape *t)
{
	struct kmqtt_unsubscribe unsub = { .packet_id = tape_u16(t) };
	struct kmqtt_view filters[3] = { tape_view(t), tape_view(t), tape_view(t) };
	unsigned int n = tape_u8(t) % 4;

	tape_props(t, &unsub.props, KMQTT_UNSUBSCRIBE);
	return kmqtt_unsubscribe_encode(buf, cap, version, &unsub, filters, n);
}

static int encode_answer(u8 *buf, size_t cap, u8 version, u8 type, struct tape *t)
{
	struct kmqtt_connack c = { .session_present = tape_u8(t) & 1, .reason = tape_u8(t) };
	struct kmqtt_ack_packet ack = { .packet_id = tape_u16(t), .reason = c.reason };
	struct kmqtt_suback sub = { .packet_id = ack.packet_id, .codes = tape_view(t) };
	struct kmqtt_disconnect d = { .reason = c.reason };

	tape_props(t, &d.props, type);
	c.props = d.props;
	ack.props = d.props;
	sub.props = d.props;
	switch (type) {
	case KMQTT_CONNACK:
		return kmqtt_connack_encode(buf, cap, version, &c);
	case KMQTT_SUBACK:
		return kmqtt_suback_encode(buf, cap, version, &sub);
	case KMQTT_UNSUBACK:
		return kmqtt_unsuback_encode(buf, cap, version, &sub);
	case KMQTT_DISCONNECT:
		return kmqtt_disconnect_encode(buf, cap, version, &d);
	case KMQTT_AUTH:
		return kmqtt_auth_encode(buf, cap, version, &d);
	default:
		return kmqtt_ack_encode(buf, cap, version, type, &ack);
	}
}

static int encode_one(u8 *buf, size_t cap, u8 version, u8 type, struct tape t)
{
	switch (type) {
	case KMQTT_CONNECT:
		return encode_connect(buf, cap, &t);
	case KMQTT_PUBLISH:
		return encode_publish(buf, cap, version, &t);
	case KMQTT_SUBSCRIBE:
		return encode_subscribe(buf, cap, version, &t);
	case KMQTT_UNSUBSCRIBE:
		return encode_unsubscribe(buf, cap, version, &t);
	case KMQTT_PINGREQ:
	case KMQTT_PINGRESP:
		return kmqtt_ping_encode(buf, cap, type);
	case KMQTT_WILL:
		return encode_head(buf, cap, version, &t);
	default:
		return encode_answer(buf, cap, version, type, &t);
	}
}

static void check_packet(const u8 *buf, int size, u8 version)
{
	struct any_packet a;
	struct kmqtt_fixed f;
	u8 rc;
	int hdr = kmqtt_fixed_decode(buf, size, &f, &rc);

	PROMISE(hdr > 0 && f.remaining == (u32)(size - hdr));
	PROMISE(!any_decode(&f, buf + hdr, version, &a));
	PROMISE(!any_round_trip(&a));
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct tape t = { data, size };
	u8 version = fuzz_version(tape_u8(&t)), type = 1 + tape_u8(&t) % KMQTT_WILL;
	int need = encode_one(NULL, 0, version, type, t);
	u8 *buf;

	if (need < 0) {
		PROMISE(need == -EINVAL || need == -EMSGSIZE);
		return 0;
	}
	buf = malloc(need);
	PROMISE(buf);
	PROMISE(encode_one(buf, need - 1, version, type, t) == -ENOSPC);
	PROMISE(encode_one(buf, need, version, type, t) == need);
	check_packet(buf, need, version);
	free(buf);
	return 0;
}

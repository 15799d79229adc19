// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>

#include "any.h"

u8 any_decode(const struct kmqtt_fixed *f, const u8 *body, u8 version, struct any_packet *out)
{
	memset(out, 0, sizeof(*out));
	out->type = f->type;
	out->version = version;

	switch (f->type) {
	case KMQTT_CONNECT:
		return kmqtt_connect_decode(f, body, &out->connect);
	case KMQTT_CONNACK:
		return kmqtt_connack_decode(f, body, version, &out->connack);
	case KMQTT_PUBLISH:
		return kmqtt_publish_decode(f, body, version, &out->publish);
	case KMQTT_PUBACK:
	case KMQTT_PUBREC:
	case KMQTT_PUBREL:
	case KMQTT_PUBCOMP:
		return kmqtt_ack_decode(f, body, version, &out->ack);
	case KMQTT_SUBSCRIBE:
		return kmqtt_subscribe_decode(f, body, version, &out->subscribe);
	case KMQTT_SUBACK:
		return kmqtt_suback_decode(f, body, version, &out->suback);
	case KMQTT_UNSUBSCRIBE:
		return kmqtt_unsubscribe_decode(f, body, version, &out->unsubscribe);
	case KMQTT_UNSUBACK:
		return kmqtt_unsuback_decode(f, body, version, &out->suback);
	case KMQTT_DISCONNECT:
		return kmqtt_disconnect_decode(f, body, version, &out->disconnect);
	case KMQTT_AUTH:
		return kmqtt_auth_decode(f, body, version, &out->disconnect);
	default:
		return 0;
	}
}

static int encode_subscribe(u8 *buf, size_t cap, const struct any_packet *a)
{
	struct kmqtt_sub_entry entries[ANY_ENTRIES];
	struct kmqtt_view rest = a->subscribe.entries;
	unsigned int n = 0;

	if (a->subscribe.n_entries > ANY_ENTRIES)
		return -E2BIG;
	while (n < ANY_ENTRIES && kmqtt_subscribe_next(&rest, &entries[n]))
		n++;
	if (n != a->subscribe.n_entries || rest.len)
		return -EPROTO;
	return kmqtt_subscribe_encode(buf, cap, a->version, &a->subscribe, entries, n);
}

static int encode_unsubscribe(u8 *buf, size_t cap, const struct any_packet *a)
{
	struct kmqtt_view filters[ANY_ENTRIES], rest = a->unsubscribe.filters;
	unsigned int n = 0;

	if (a->unsubscribe.n_filters > ANY_ENTRIES)
		return -E2BIG;
	while (n < ANY_ENTRIES && kmqtt_unsubscribe_next(&rest, &filters[n]))
		n++;
	if (n != a->unsubscribe.n_filters || rest.len)
		return -EPROTO;
	return kmqtt_unsubscribe_encode(buf, cap, a->version, &a->unsubscribe, filters, n);
}

int any_encode(u8 *buf, size_t cap, const struct any_packet *a)
{
	switch (a->type) {
	case KMQTT_CONNECT:
		return kmqtt_connect_encode(buf, cap, &a->connect);
	case KMQTT_CONNACK:
		return kmqtt_connack_encode(buf, cap, a->version, &a->connack);
	case KMQTT_PUBLISH:
		return kmqtt_publish_encode(buf, cap, a->version, &a->publish);
	case KMQTT_PUBACK:
	case KMQTT_PUBREC:
	case KMQTT_PUBREL:
	case KMQTT_PUBCOMP:
		return kmqtt_ack_encode(buf, cap, a->version, a->type, &a->ack);
	case KMQTT_SUBSCRIBE:
		return encode_subscribe(buf, cap, a);
	case KMQTT_SUBACK:
		return kmqtt_suback_encode(buf, cap, a->version, &a->suback);
	case KMQTT_UNSUBSCRIBE:
		return encode_unsubscribe(buf, cap, a);
	case KMQTT_UNSUBACK:
		return kmqtt_unsuback_encode(buf, cap, a->version, &a->suback);
	case KMQTT_DISCONNECT:
		return kmqtt_disconnect_encode(buf, cap, a->version, &a->disconnect);
	case KMQTT_AUTH:
		return kmqtt_auth_encode(buf, cap, a->version, &a->disconnect);
	default:
		return kmqtt_ping_encode(buf, cap, a->type);
	}
}

const struct kmqtt_props *any_props(const struct any_packet *a)
{
	switch (a->type) {
	case KMQTT_CONNECT:
		return &a->connect.props;
	case KMQTT_CONNACK:
		return &a->connack.props;
	case KMQTT_PUBLISH:
		return &a->publish.props;
	case KMQTT_PUBACK:
	case KMQTT_PUBREC:
	case KMQTT_PUBREL:
	case KMQTT_PUBCOMP:
		return &a->ack.props;
	case KMQTT_SUBSCRIBE:
		return &a->subscribe.props;
	case KMQTT_SUBACK:
	case KMQTT_UNSUBACK:
		return &a->suback.props;
	case KMQTT_UNSUBSCRIBE:
		return &a->unsubscribe.props;
	case KMQTT_DISCONNECT:
	case KMQTT_AUTH:
		return &a->disconnect.props;
	default:
		return NULL;
	}
}

static bool same_view(struct kmqtt_view a, struct kmqtt_view b)
{
	return !a.data == !b.data && kmqtt_view_equal(a, b);
}

/* The same, but for the order of different properties in the block. */
static bool same_props(const struct kmqtt_props *a, const struct kmqtt_props *b)
{
	const size_t begin = offsetof(struct kmqtt_props, session_expiry);
	const size_t end = offsetof(struct kmqtt_props, content_type);

	return a->present == b->present && a->raw.len == b->raw.len &&
	       !memcmp((const u8 *)a + begin, (const u8 *)b + begin, end - begin) &&
	       same_view(a->content_type, b->content_type) &&
	       same_view(a->response_topic, b->response_topic) &&
	       same_view(a->correlation_data, b->correlation_data) &&
	       same_view(a->assigned_client_id, b->assigned_client_id) &&
	       same_view(a->auth_method, b->auth_method) &&
	       same_view(a->auth_data, b->auth_data) &&
	       same_view(a->response_info, b->response_info) &&
	       same_view(a->server_reference, b->server_reference) &&
	       same_view(a->reason_string, b->reason_string);
}

static bool same_connect(const struct kmqtt_connect *a, const struct kmqtt_connect *b)
{
	return a->version == b->version && a->bridge == b->bridge &&
	       a->clean_start == b->clean_start && a->keep_alive == b->keep_alive &&
	       same_view(a->client_id, b->client_id) && same_view(a->user_name, b->user_name) &&
	       same_view(a->password, b->password) && a->will.qos == b->will.qos &&
	       a->will.retain == b->will.retain && same_view(a->will.topic, b->will.topic) &&
	       same_view(a->will.payload, b->will.payload) &&
	       same_props(&a->will.props, &b->will.props);
}

static bool same_packet(const struct any_packet *a, const struct any_packet *b)
{
	const struct kmqtt_props *props = any_props(a);

	if (a->type != b->type || (props && !same_props(props, any_props(b))))
		return false;
	switch (a->type) {
	case KMQTT_CONNECT:
		return same_connect(&a->connect, &b->connect);
	case KMQTT_CONNACK:
		return a->connack.session_present == b->connack.session_present &&
		       a->connack.reason == b->connack.reason;
	case KMQTT_PUBLISH:
		return a->publish.dup == b->publish.dup && a->publish.qos == b->publish.qos &&
		       a->publish.retain == b->publish.retain &&
		       a->publish.packet_id == b->publish.packet_id &&
		       same_view(a->publish.topic, b->publish.topic) &&
		       same_view(a->publish.payload, b->publish.payload);
	case KMQTT_SUBSCRIBE:
		return a->subscribe.packet_id == b->subscribe.packet_id &&
		       a->subscribe.n_entries == b->subscribe.n_entries &&
		       same_view(a->subscribe.entries, b->subscribe.entries);
	case KMQTT_SUBACK:
	case KMQTT_UNSUBACK:
		return a->suback.packet_id == b->suback.packet_id &&
		       same_view(a->suback.codes, b->suback.codes);
	case KMQTT_UNSUBSCRIBE:
		return a->unsubscribe.packet_id == b->unsubscribe.packet_id &&
		       a->unsubscribe.n_filters == b->unsubscribe.n_filters &&
		       same_view(a->unsubscribe.filters, b->unsubscribe.filters);
	case KMQTT_DISCONNECT:
	case KMQTT_AUTH:
		return a->disconnect.reason == b->disconnect.reason;
	case KMQTT_PINGREQ:
	case KMQTT_PINGRESP:
		return true;
	default:
		return a->ack.packet_id == b->ack.packet_id && a->ack.reason == b->ack.reason;
	}
}

static const char *decode_again(const struct any_packet *a, const u8 *buf, int size, u8 *copy)
{
	struct any_packet again;
	struct kmqtt_fixed f;
	int hdr;
	u8 rc;

	hdr = kmqtt_fixed_decode(buf, size, &f, &rc);
	if (hdr <= 0 || f.remaining != (u32)(size - hdr))
		return "the encoded header is wrong";
	if (any_decode(&f, buf + hdr, a->version, &again))
		return "the encoded packet is refused";
	if (!same_packet(a, &again))
		return "the encoded packet says something else";
	if (any_encode(copy, size, &again) != size || memcmp(buf, copy, size))
		return "it encodes to other bytes the second time";
	return NULL;
}

const char *any_round_trip(const struct any_packet *a)
{
	const char *wrong = "there is no memory";
	int size = any_encode(NULL, 0, a);
	u8 *buf, *copy;

	if (size == -E2BIG)
		return NULL;
	if (size < 0)
		return "the encoder refuses what the decoder took";
	buf = malloc(size);
	copy = malloc(size);
	if (buf && copy) {
		if (any_encode(buf, size - 1, a) != -ENOSPC)
			wrong = "it fits into too little";
		else if (any_encode(buf, size, a) != size)
			wrong = "the size is not what was foretold";
		else
			wrong = decode_again(a, buf, size, copy);
	}
	free(buf);
	free(copy);
	return wrong;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * A stream of packets as a receiver takes it: a byte that chooses the version, then packets. Each
 * body is in a block of its own; what is taken must survive the way through the encoder and back.
 * A PUBLISH is decoded byte by byte too, and must come to the same.
 */
#include "any.h"
#include "fuzz.h"

static void publish_in_parts(const struct kmqtt_fixed *f, const u8 *body, u8 version, u8 want,
			     const struct kmqtt_publish *whole)
{
	struct kmqtt_publish pub;
	u32 n, step = 1 + f->remaining / 64;
	u8 *part, rc;
	int ret = 0;

	for (n = 0; !ret; n = n + step < f->remaining ? n + step : f->remaining) {
		part = fuzz_copy(body, n);
		rc = 0;
		ret = kmqtt_publish_head_decode(f, part, n, version, KMQTT_VIEW_NONE, &pub, &rc);
		free(part);
		PROMISE(ret <= (int)n);
		if (n == f->remaining)
			break;
	}
	if (want) {
		PROMISE(ret < 0 && rc == want);
		return;
	}
	PROMISE(ret > 0 && (u32)ret + pub.payload.len == f->remaining);
	PROMISE(pub.payload.len == whole->payload.len && pub.topic.len == whole->topic.len &&
		pub.packet_id == whole->packet_id && pub.props.present == whole->props.present);
}

/* What the short way makes of an acknowledgement is what the long one makes of it. */
static void short_ack(const struct kmqtt_fixed *f, const u8 *body, u8 rc,
		      const struct kmqtt_ack_packet *ack)
{
	u8 packet[KMQTT_ACK_SHORT_SIZE];
	u16 id;

	if (f->type < KMQTT_PUBACK || f->type > KMQTT_PUBCOMP)
		return;
	id = kmqtt_ack_short_decode(f, body);
	/* what has DUP, as in MQTT 3.1, goes the long way */
	PROMISE(id || rc || f->remaining != 2 || f->flags & 8);
	if (!id)
		return;
	PROMISE(!rc && id == ack->packet_id && !ack->reason && !ack->props.present);
	kmqtt_ack_short_encode(packet, f->type, id);
	PROMISE(packet[0] == (f->type << 4 | f->flags) && packet[1] == 2);
	PROMISE(!memcmp(packet + 2, body, 2));
}

static void one_packet(const struct kmqtt_fixed *f, const u8 *data, u8 version)
{
	u8 *body = fuzz_copy(data, f->remaining);
	struct any_packet a;
	u8 rc = any_decode(f, body, version, &a);

	PROMISE(!rc || rc >= KMQTT_RC_UNSPECIFIED);
	PROMISE(!rc || strcmp(kmqtt_reason_name(rc), "Unknown"));
	short_ack(f, body, rc, &a.ack);
	if (f->type == KMQTT_PUBLISH)
		publish_in_parts(f, body, version, rc, &a.publish);
	if (!rc)
		PROMISE(!any_round_trip(&a));
	free(body);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct kmqtt_fixed f;
	u8 version, rc;
	int hdr;

	if (!size)
		return 0;
	version = fuzz_version(*data++);
	size--;

	while (size) {
		hdr = kmqtt_fixed_decode(data, size, &f, &rc);
		if (hdr <= 0)
			break;
		data += hdr;
		size -= hdr;
		if (size < f.remaining)
			break;
		one_packet(&f, data, version);
		data += f.remaining;
		size -= f.remaining;
	}
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-only
/* Runs: see run.h. */
#include "run.h"
#include "wire.h"

/* First byte of a PUBLISH with QoS 0, without DUP and RETAIN (3.3.1). */
#define RUN_FIRST	(KMQTT_PUBLISH << 4)

/* Longest fixed header looked at: a Remaining Length of two bytes. */
#define RUN_HEADER_MAX	3

/*
 * The fixed header of a packet of a run. Return: its bytes; 0 if it is not there, or is none
 * that a run has
 */
static u32 run_header(const u8 *p, size_t left, u32 *remaining)
{
	if (left < RUN_HEADER_MAX || p[0] != RUN_FIRST)
		return 0;
	*remaining = p[1] & 0x7f;
	if (!(p[1] & 0x80))
		return 2;
	*remaining |= (u32)p[2] << 7;
	/* nor may it be longer than it need be (1.5.5) */
	return p[2] & 0x80 || !p[2] ? 0 : 3;
}

/* What a packet of a run has before its payload besides its fixed header and the topic name. */
static u32 run_overhead(u8 version)
{
	return 2 + (version == KMQTT_V5);
}

u32 kmqtt_run_scan(const u8 *p, size_t left, u8 version, u32 max_packet, struct kmqtt_run *run)
{
	u32 header, remaining, head, size;
	struct kmqtt_publish pub;
	struct kmqtt_fixed f;
	const u8 *first;
	u8 rc = 0;
	int n;

	memset(run, 0, sizeof(*run));
	header = run_header(p, left, &remaining);
	if (!header)
		return 0;
	f.type = KMQTT_PUBLISH;
	f.flags = 0;
	f.hdr_len = (u8)header;
	f.remaining = remaining;
	first = p + header;
	n = kmqtt_publish_head_decode(&f, first, left - header, version, KMQTT_VIEW_NONE,
				      &pub, &rc);
	/* one with properties has more of them than a length of 0 */
	if (n <= 0)
		return 0;
	head = pub.topic.len + run_overhead(version);
	if ((u32)n != head)
		return 0;
	run->data = p;
	run->topic = pub.topic;
	run->version = kmqtt_run_version(version);
	do {
		size = header + remaining;
		if (size > left || size > max_packet || remaining < head ||
		    !kmqtt_equal(p + header, first, head))
			break;
		if (size > run->longest)
			run->longest = size;
		run->bytes += remaining - run_overhead(version);
		run->count++;
		p += size;
		left -= size;
		header = run_header(p, left, &remaining);
	} while (header);
	run->len = (u32)(p - run->data);
	return run->count;
}

u32 kmqtt_run_prefix(const u8 *p, u8 version, u32 count, u32 *bytes)
{
	const u8 *first = p;
	u32 header, remaining = 0;

	*bytes = 0;
	while (count--) {
		header = run_header(p, RUN_HEADER_MAX, &remaining);
		*bytes += remaining - run_overhead(version);
		p += header + remaining;
	}
	return (u32)(p - first);
}

struct kmqtt_view kmqtt_run_next(const u8 **p, u8 version, u32 topic_len)
{
	u32 head = topic_len + run_overhead(version);
	struct kmqtt_view payload;
	u32 header, remaining = 0;

	header = run_header(*p, RUN_HEADER_MAX, &remaining);
	payload.data = *p + header + head;
	payload.len = remaining - head;
	*p = payload.data + payload.len;
	return payload;
}

u8 *kmqtt_run_encode(u8 *p, u8 version, struct kmqtt_view topic, u32 payload_len)
{
	*p++ = RUN_FIRST;
	p = kmqtt_varint_encode(p, topic.len + run_overhead(version) + payload_len);
	put_unaligned_be16((u16)topic.len, p);
	p += 2;
	memcpy(p, topic.data, topic.len);
	p += topic.len;
	if (version == KMQTT_V5)
		*p++ = 0;
	return p;
}

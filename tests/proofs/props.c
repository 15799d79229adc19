// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>

#include "any.h"
#include "prove.h"
#include "proto/props.h"
#include "twins.h"

/**
 * struct text - bytes
 * @data: they
 * @len: their number
 */
struct text {
	const char *data;
	u8 len;
};

#define TEXT(bytes) ((struct text){ (bytes), sizeof(bytes) - 1 })

/**
 * struct rule - a line of table 2-4
 * @id: identifier
 * @kind: 'b'yte that is 0 or 1, 't'wo or 'f'our bytes, 'v'ariable byte integer, 's'tring,
 *	binary 'd'ata, 'p'air of strings
 * @min: the smallest number allowed
 * @where: packets that may have it: hexadecimal digits, 'g' for the will's
 * @sample: a valid value
 */
struct rule {
	u8 id;
	char kind;
	u8 min;
	const char *where;
	struct text sample;
};

static const struct rule rules[] = {
	{ 0x01, 'b', 0, "3g", TEXT("\1") },
	{ 0x02, 'f', 0, "3g", TEXT("\1\2\3\4") },
	{ 0x03, 's', 0, "3g", TEXT("\0\3t/x") },
	{ 0x08, 's', 0, "3g", TEXT("\0\3r/t") },
	{ 0x09, 'd', 0, "3g", TEXT("\0\2\0\xff") },
	{ 0x0b, 'v', 1, "38", TEXT("\x80\x80\1") },
	{ 0x11, 'f', 0, "12e", TEXT("\xff\xff\xff\xff") },
	{ 0x12, 's', 0, "2", TEXT("\0\1i") },
	{ 0x13, 't', 0, "2", TEXT("\1\0") },
	{ 0x15, 's', 0, "12f", TEXT("\0\1m") },
	{ 0x16, 'd', 0, "12f", TEXT("\0\1\0") },
	{ 0x17, 'b', 0, "1", TEXT("\0") },
	{ 0x18, 'f', 0, "g", TEXT("\0\0\0\5") },
	{ 0x19, 'b', 0, "1", TEXT("\1") },
	{ 0x1a, 's', 0, "2", TEXT("\0\0") },
	{ 0x1c, 's', 0, "2e", TEXT("\0\2\xc3\xa4") },
	{ 0x1f, 's', 0, "245679bef", TEXT("\0\1?") },
	{ 0x21, 't', 1, "12", TEXT("\0\1") },
	{ 0x22, 't', 0, "12", TEXT("\0\0") },
	{ 0x23, 't', 1, "3", TEXT("\xff\xff") },
	{ 0x24, 'b', 0, "2", TEXT("\1") },
	{ 0x25, 'b', 0, "2", TEXT("\0") },
	{ 0x26, 'p', 0, "123456789abefg", TEXT("\0\1k\0\2vv") },
	{ 0x27, 'f', 1, "12", TEXT("\0\0\0\1") },
	{ 0x28, 'b', 0, "2", TEXT("\0") },
	{ 0x29, 'b', 0, "2", TEXT("\0") },
	{ 0x2a, 'b', 0, "2", TEXT("\1") },
};

#define MALFORMED 0x81
#define PROTOCOL_ERROR 0x82
#define ALIAS_INVALID 0x94

static const struct rule *rule_of(u8 id)
{
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		if (rules[i].id == id)
			return &rules[i];
	return NULL;
}

static bool may_stand(const struct rule *rule, u8 type)
{
	return strchr(rule->where, "0123456789abcdefg"[type]);
}

/* Bytes of a string with its length, or -1. */
static long string_size(const u8 *p, size_t left)
{
	size_t size = left < 2 ? 0 : 2 + (size_t)p[0] * 256 + p[1];

	return size && size <= left ? (long)size : -1;
}

/* Bytes of a value, or -1 if it is not wholly there. */
static long value_size(char kind, const u8 *p, size_t left)
{
	long first, second;
	size_t size = 1;

	switch (kind) {
	case 's':
	case 'd':
		return string_size(p, left);
	case 'p':
		first = string_size(p, left);
		second = first < 0 ? -1 : string_size(p + first, left - first);
		return second < 0 ? -1 : first + second;
	case 'v':
		while (size <= left && size <= 4 && p[size - 1] >= 128)
			size++;
		if (size > 4 || (size > 1 && size <= left && !p[size - 1]))
			return -1;
		break;
	default:
		size = kind == 'b' ? 1 : kind == 't' ? 2 : 4;
	}
	return size <= left ? (long)size : -1;
}

/* Of a value that is there: 0 or the reason code. */
static u8 judge(const struct rule *rule, const u8 *p, size_t size)
{
	u64 number = 0;
	long first;
	size_t i;

	switch (rule->kind) {
	case 'd':
		return 0;
	case 's':
		if (!slow_utf8_valid(p + 2, size - 2))
			return MALFORMED;
		if (rule->id != 0x08)
			return 0;
		for (i = 2; i < size; i++)
			if (p[i] == '+' || p[i] == '#')
				return PROTOCOL_ERROR;
		return size > 2 ? 0 : PROTOCOL_ERROR;
	case 'p':
		first = string_size(p, size);
		return slow_utf8_valid(p + 2, first - 2) &&
		       slow_utf8_valid(p + first + 2, size - first - 2) ? 0 : MALFORMED;
	case 'v':
		for (i = size; i--;)
			number = number * 128 + p[i] % 128;
		break;
	default:
		for (i = 0; i < size; i++)
			number = number * 256 + p[i];
	}
	if (number < rule->min)
		return rule->id == 0x23 ? ALIAS_INVALID : PROTOCOL_ERROR;
	return rule->kind == 'b' && number > 1 ? PROTOCOL_ERROR : 0;
}

/* Of a whole block: 0 and the set of what is there, or the reason code. */
static u8 slow_props(const u8 *p, size_t left, u8 type, u64 *seen)
{
	*seen = 0;
	while (left) {
		const struct rule *rule = rule_of(*p);
		long size = rule ? value_size(rule->kind, p + 1, left - 1) : -1;
		bool again;
		u8 rc;

		if (size < 0 || !may_stand(rule, type))
			return MALFORMED;
		again = rule->id == 0x26 || (rule->id == 0x0b && type == KMQTT_PUBLISH);
		if (*seen >> rule->id & 1 && !again)
			return PROTOCOL_ERROR;
		rc = judge(rule, p + 1, size);
		if (rc)
			return rc;
		*seen |= 1ULL << rule->id;
		p += 1 + size;
		left -= 1 + size;
	}
	return *seen >> 0x16 & 1 && !(*seen >> 0x15 & 1) ? PROTOCOL_ERROR : 0;
}

/* Nothing may be read behind it. */
static u64 wrong_block(const u8 *block, size_t len, u8 type)
{
	u8 *p = memcpy(guard_end() - len, block, len);
	struct kmqtt_props props;
	u64 seen;
	u8 want = slow_props(p, len, type, &seen);
	u8 rc = kmqtt_props_parse((struct kmqtt_view){ p, (u32)len }, type, &props);

	return rc != want ||
	       (!rc && (props.present != seen || !kmqtt_props_encodable(&props, type)));
}

/* What stands behind an identifier: up to @longest of some bytes, in all orders. */
static void all_bytes(u32 longest)
{
	static const u8 letters[] = { 0x00, 0x01, 0x02, '+', 'a', 0x80, 0xa4, 0xc3 };
	u64 wrong = 0, n = 0;
	u8 block[8];

	for (u8 type = KMQTT_CONNECT; type <= KMQTT_WILL; type++)
		for (u32 id = 0; id < 256; id++)
			for (u32 len = 0; len <= (rule_of((u8)id) ? longest : 2); len++)
				for (u32 i = 0; i < 1U << 3 * len; i++, n++) {
					block[0] = (u8)id;
					for (u32 at = 0; at < len; at++)
						block[1 + at] = letters[i >> 3 * at & 7];
					wrong += wrong_block(block, 1 + len, type);
				}
	ok(!wrong, "props: %llu blocks of each identifier in each packet, %llu wrong",
	   (unsigned long long)n, (unsigned long long)wrong);
}

static u32 put_string(u8 *p, u32 said, u32 len)
{
	p[0] = (u8)(said >> 8);
	p[1] = (u8)said;
	memset(p + 2, 'a', len);
	return 2 + len;
}

/* A string of this length; and one that says it has a byte more, or less. */
static u64 wrong_string(u8 *block, const struct rule *rule, u8 type, u32 len)
{
	u64 wrong = 0;
	u32 said, at;

	block[0] = rule->id;
	for (said = len ? len - 1 : 0; said <= len + 1 && said <= 65535; said++) {
		at = 1;
		if (rule->kind == 'p')
			at += put_string(block + at, 300 - len % 301, 300 - len % 301);
		at += put_string(block + at, said, len);
		wrong += wrong_block(block, at, type);
	}
	return wrong;
}

static void all_lengths(u32 longest)
{
	u8 *block = malloc(3 + 302 + 65537);
	u64 wrong = 0, n = 0;

	for (size_t i = 0; block && i < ARRAY_SIZE(rules); i++)
		for (u8 type = KMQTT_CONNECT; type <= KMQTT_WILL; type++) {
			u32 most = may_stand(&rules[i], type) ? longest : 300;

			if (!strchr("sdp", rules[i].kind))
				continue;
			for (u32 len = 0; len <= most; len++, n++)
				wrong += wrong_string(block, &rules[i], type, len);
		}
	ok(!wrong && n, "props: %llu lengths of strings in each packet, %llu wrong",
	   (unsigned long long)n, (unsigned long long)wrong);
	free(block);
}

static u32 put_sample(u8 *p, const struct rule *rule)
{
	p[0] = rule->id;
	memcpy(p + 1, rule->sample.data, rule->sample.len);
	return 1 + rule->sample.len;
}

/* Valid ones are written again, in the order of their identifiers. */
static u64 wrong_again(const u8 *block, u32 len, u8 type, const u8 *sorted)
{
	u8 buf[256];
	struct kmqtt_writer w = { buf, sizeof(buf), 0 };
	struct kmqtt_props props;

	if (kmqtt_props_parse((struct kmqtt_view){ block, len }, type, &props))
		return 0;
	kmqtt_props_write(&w, &props);
	return w.len != 1 + len || w.buf[0] != len || memcmp(w.buf + 1, sorted, len) != 0;
}

/* Any three of them beside each other. */
static void triples(void)
{
	const u32 count = ARRAY_SIZE(rules);
	u64 wrong = 0, n = 0;

	for (u32 i = 0; i < count * count * count; i++)
		for (u8 type = KMQTT_CONNECT; type <= KMQTT_WILL; type++, n++) {
			u32 x[3] = { i % count, i / count % count, i / count / count };
			u8 block[64], sorted[64];
			u32 len = 0, sum = 0, r, k;

			for (k = 0; k < 3; k++)
				len += put_sample(block + len, &rules[x[k]]);
			for (r = 0; r < count; r++)
				for (k = 0; k < 3; k++)
					if (x[k] == r)
						sum += put_sample(sorted + sum, &rules[r]);
			wrong += wrong_block(block, len, type) +
				 wrong_again(block, len, type, sorted);
		}
	ok(!wrong, "props: %llu blocks of three in each packet, %llu wrong",
	   (unsigned long long)n, (unsigned long long)wrong);
}

/**
 * struct frame - a packet of MQTT 5.0 around its properties
 * @before: what is before their Property Length
 * @after: what is behind them
 */
struct frame {
	struct text before;
	struct text after;
};

/* By type; the will's properties stand in a CONNECT, which has none of its own then. */
static const struct frame frames[] = {
	[KMQTT_CONNECT] = { TEXT("\0\4MQTT\5\2\0\0"), TEXT("\0\1c") },
	[KMQTT_CONNACK] = { TEXT("\0\0"), TEXT("") },
	[KMQTT_PUBLISH] = { TEXT("\0\1t"), TEXT("") },
	[KMQTT_PUBACK] = { TEXT("\0\1\0"), TEXT("") },
	[KMQTT_PUBREC] = { TEXT("\0\1\0"), TEXT("") },
	[KMQTT_PUBREL] = { TEXT("\0\1\0"), TEXT("") },
	[KMQTT_PUBCOMP] = { TEXT("\0\1\0"), TEXT("") },
	[KMQTT_SUBSCRIBE] = { TEXT("\0\1"), TEXT("\0\1f\0") },
	[KMQTT_SUBACK] = { TEXT("\0\1"), TEXT("\0") },
	[KMQTT_UNSUBSCRIBE] = { TEXT("\0\1"), TEXT("\0\1f") },
	[KMQTT_UNSUBACK] = { TEXT("\0\1"), TEXT("\0") },
	[KMQTT_DISCONNECT] = { TEXT("\0"), TEXT("") },
	[KMQTT_AUTH] = { TEXT("\0"), TEXT("") },
	[KMQTT_WILL] = { TEXT("\0\4MQTT\5\6\0\0\0\0\1c"), TEXT("\0\1t\0\0") },
};

/* One property in its packet, which says that its properties have @said bytes. */
static u64 wrong_packet(u8 type, const u8 *block, u32 len, u32 said)
{
	const struct frame *frame = &frames[type];
	struct kmqtt_fixed f = { .type = type == KMQTT_WILL ? KMQTT_CONNECT : type };
	u32 size = frame->before.len + 1 + len + frame->after.len;
	u8 *body = guard_end() - size, want, rc;
	struct any_packet a;
	u64 seen;

	f.flags = type == KMQTT_PUBREL || type == KMQTT_SUBSCRIBE || type == KMQTT_UNSUBSCRIBE ?
		  2 : 0;
	f.remaining = size;
	memcpy(body, frame->before.data, frame->before.len);
	body[frame->before.len] = (u8)said;
	memcpy(body + frame->before.len + 1, block, len);
	memcpy(body + frame->before.len + 1 + len, frame->after.data, frame->after.len);
	rc = any_decode(&f, body, KMQTT_V5, &a);
	if (said != len)
		/* it may be but longer than the packet: what else is another packet then */
		return said > len + frame->after.len && rc != MALFORMED;
	want = slow_props(block, len, type, &seen);
	/* 3.15.2.2.2: without a method an AUTH has nothing at all */
	if (!want && type == KMQTT_AUTH && !(seen >> 0x15 & 1))
		want = PROTOCOL_ERROR;
	return rc != want || (!rc && any_round_trip(&a));
}

static void all_packets(void)
{
	u64 wrong = 0, n = 0;
	u8 block[64];

	for (u8 type = KMQTT_CONNECT; type <= KMQTT_WILL; type++)
		for (u32 id = 0; frames[type].before.data && id < 256; id++)
			for (u32 said = 0; said < 128; said++, n++) {
				const struct rule *rule = rule_of((u8)id);
				u32 len = 1;

				block[0] = (u8)id;
				if (rule)
					len = put_sample(block, rule);
				wrong += wrong_packet(type, block, len, said);
			}
	ok(!wrong, "props: %llu packets with one property, whatever length they say, %llu wrong",
	   (unsigned long long)n, (unsigned long long)wrong);
}

void prove_props(bool full)
{
	all_bytes(full ? 6 : 5);
	all_lengths(full ? 65535 : 300);
	triples();
	all_packets();
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Changes a stream of packets, behind a byte that chooses the version, so that it stays one: what
 * libFuzzer does to bytes it does to the body of one packet, and the Remaining Length is right
 * again. Lengths inside of a body are set right too, now and then.
 */
#include "fuzz.h"
#include "proto/packet.h"

#define PACKETS_MAX 16

size_t LLVMFuzzerMutate(u8 *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(u8 *data, size_t size, size_t max, unsigned int seed);

/* Where each packet begins, as far as the stream is whole. Return: how many */
static unsigned int split(const u8 *data, size_t size, size_t *begin)
{
	struct kmqtt_fixed f;
	unsigned int n = 0;
	size_t at = 1;
	int hdr;
	u8 rc;

	while (n < PACKETS_MAX && at < size) {
		hdr = kmqtt_fixed_decode(data + at, size - at, &f, &rc);
		if (hdr <= 0 || size - at - hdr < f.remaining)
			break;
		begin[n++] = at;
		at += hdr + f.remaining;
	}
	begin[n] = at;
	return n;
}

/* A length of two bytes becomes what there is behind it, or about that. */
static void mend_length(u8 *body, size_t len, unsigned int seed)
{
	size_t at;

	if (len < 2)
		return;
	at = seed % (len - 1);
	put_unaligned_be16((u16)(len - at - 2 - (seed >> 16) % 3), body + at);
}

/* One packet, of @size bytes at @p, in a place of @max. Return: its new size */
static size_t change_packet(u8 *p, size_t size, size_t max, unsigned int seed)
{
	struct kmqtt_fixed f;
	size_t len, room;
	u8 *body, rc;
	int hdr;

	hdr = kmqtt_fixed_decode(p, size, &f, &rc);
	PROMISE(hdr > 0);
	if (max < size || max < KMQTT_FIXED_MAX + 1)
		return size;
	room = max - KMQTT_FIXED_MAX;
	if (f.remaining > room)
		return size;
	body = malloc(room);
	PROMISE(body);
	memcpy(body, p + hdr, f.remaining);
	len = LLVMFuzzerMutate(body, f.remaining, room);
	if (seed % 4 == 0)
		mend_length(body, len, seed / 4);
	hdr = (int)(kmqtt_varint_encode(p + 1, (u32)len) - p);
	memcpy(p + hdr, body, len);
	free(body);
	return hdr + len;
}

/* One packet a second time, or not at all. */
static size_t repeat_or_drop(u8 *data, size_t size, size_t max, size_t from, size_t to, bool drop)
{
	if (drop) {
		memmove(data + from, data + to, size - to);
		return size - (to - from);
	}
	if (size + (to - from) > max)
		return size;
	memmove(data + to + (to - from), data + to, size - to);
	memcpy(data + to, data + from, to - from);
	return size + (to - from);
}

size_t LLVMFuzzerCustomMutator(u8 *data, size_t size, size_t max, unsigned int seed)
{
	size_t begin[PACKETS_MAX + 1], from, to, changed;
	unsigned int n = split(data, size, begin), which;
	u8 *tail;

	if (!n || seed % 8 == 0)
		return LLVMFuzzerMutate(data, size, max);
	which = seed / 8 % n;
	from = begin[which];
	to = begin[which + 1];
	if (seed % 8 == 1)
		return repeat_or_drop(data, size, max, from, to, n > 1 && seed / 64 % 2);
	tail = fuzz_copy(data + to, size - to);
	changed = change_packet(data + from, to - from, max - from - (size - to), seed / 64);
	memcpy(data + from + changed, tail, size - to);
	free(tail);
	return from + changed + (size - to);
}

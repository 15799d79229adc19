// SPDX-License-Identifier: GPL-2.0-only
#include "prove.h"
#include "proto/wire.h"

/* The algorithm of 1.5.5, and its rule that no byte more is used than is necessary. */
static int slow_decode(const u8 *p, size_t left, u32 *val)
{
	u64 multiplier = 1, value = 0;
	size_t n = 0;
	u8 byte;

	do {
		if (n == 4)
			return -EINVAL;
		if (n == left)
			return 0;
		byte = p[n++];
		value += (u64)(byte % 128) * multiplier;
		multiplier *= 128;
	} while (byte >= 128);
	if (n > 1 && value < multiplier / 128)
		return -EINVAL;
	*val = (u32)value;
	return (int)n;
}

static u64 wrong_decode(const u8 *p, size_t left)
{
	u32 got = 0xdeadbeef, want = 0xdeadbeef;

	return kmqtt_varint_decode(p, left, &got) != slow_decode(p, left, &want) || got != want;
}

static void values(void)
{
	u64 wrong = 0;
	u32 val, got;
	u8 buf[5];

	for (val = 0; val <= KMQTT_VARINT_MAX; val++) {
		u8 *end = kmqtt_varint_encode(buf, val);
		u32 size = val < 128 ? 1 : val < 16384 ? 2 : val < 2097152 ? 3 : 4;

		*end = 0xff;
		wrong += end - buf != size || kmqtt_varint_size(val) != size ||
			 slow_decode(buf, size, &got) != (int)size || got != val ||
			 kmqtt_varint_decode(buf, size, &got) != (int)size || got != val;
	}
	ok(!wrong, "varint: each of %u numbers, there and back, %llu wrong", val,
	   (unsigned long long)wrong);
}

/* All of up to four bytes; behind them is nothing. */
static void all_sequences(void)
{
	u32 i, tail;
	u64 wrong = 0, n = 0;
	u8 *end = guard_end();

	for (i = 0; i < 1U << 24; i++) {
		end[-3] = (u8)(i >> 16);
		end[-2] = (u8)(i >> 8);
		end[-1] = (u8)i;
		for (size_t left = 0; left <= 3; left++, n++)
			wrong += wrong_decode(end - left, left);
		for (tail = 0; tail < 256; tail++, n++) {
			end[-4] = (u8)tail;
			wrong += wrong_decode(end - 4, 4);
		}
	}
	ok(!wrong, "varint: %llu sequences, %llu wrong", (unsigned long long)n,
	   (unsigned long long)wrong);
}

void prove_varint(void)
{
	values();
	all_sequences();
}

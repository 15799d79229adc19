// SPDX-License-Identifier: GPL-2.0-only
#include "prove.h"
#include "proto/packet.h"

#define MANY 268435455U

/**
 * struct rule - what 2.1 says of one packet type
 * @flags: which of the sixteen values of the flags it may have, as a set of bits
 * @min: fewest bytes that may follow, in any version
 * @max: most of them
 */
struct rule {
	u16 flags;
	u32 min;
	u32 max;
};

/*
 * Tables 2-1 and 2-2. PUBLISH: QoS 0 without DUP, QoS 1 and 2. PUBREL, SUBSCRIBE and UNSUBSCRIBE of
 * MQTT 3.1 may have DUP. A CONNECT of MQTT 3.1.1 has at least a protocol name of 6 bytes, level,
 * flags, keep alive.
 */
static const struct rule rules[16] = {
	[1] = { 0x0001, 10, MANY }, [2] = { 0x0001, 2, MANY }, [3] = { 0x3c3f, 2, MANY },
	[4] = { 0x0001, 2, MANY }, [5] = { 0x0001, 2, MANY }, [6] = { 0x0404, 2, MANY },
	[7] = { 0x0001, 2, MANY }, [8] = { 0x0404, 2, MANY }, [9] = { 0x0001, 2, MANY },
	[10] = { 0x0404, 2, MANY }, [11] = { 0x0001, 2, MANY }, [12] = { 0x0001, 0, 0 },
	[13] = { 0x0001, 0, 0 }, [14] = { 0x0001, 0, MANY }, [15] = { 0x0001, 0, MANY },
};

/* Return: bytes of the header; 0: more are wanted; -EINVAL */
static int slow_fixed(const u8 *p, size_t left, u32 *remaining)
{
	static const u32 weights[] = { 0, 1, 128, 16384, 2097152 };
	const struct rule *rule;
	u32 i;

	if (!left)
		return 0;
	rule = &rules[p[0] / 16];
	if (!(rule->flags >> p[0] % 16 & 1))
		return -EINVAL;
	*remaining = 0;
	for (i = 1; i < left && i <= 4; i++) {
		*remaining += (p[i] % 128) * weights[i];
		if (p[i] >= 128)
			continue;
		if ((i > 1 && !p[i]) || *remaining < rule->min || *remaining > rule->max)
			return -EINVAL;
		return (int)i + 1;
	}
	return i > 4 ? -EINVAL : 0;
}

static u64 wrong_fixed(const u8 *p, size_t left)
{
	u32 remaining = 0;
	int want = slow_fixed(p, left, &remaining);
	struct kmqtt_fixed f;
	u8 rc = 0;

	if (kmqtt_fixed_decode(p, left, &f, &rc) != want)
		return 1;
	if (want < 0)
		return rc != KMQTT_RC_MALFORMED_PACKET;
	return want > 0 && (f.type != p[0] / 16 || f.flags != p[0] % 16 ||
			    f.remaining != remaining || f.hdr_len != want);
}

/* Nothing may be read behind it. */
static u64 wrong_guarded(const u8 *p, size_t left)
{
	u8 *end = guard_end();

	memcpy(end - left, p, left);
	return wrong_fixed(end - left, left);
}

/* Whatever comes, cut at every place. */
static void all_bytes(bool full)
{
	static const u8 few[] = { 0x00, 0x01, 0x7f, 0x80, 0x81, 0xff };
	const u32 n_few = ARRAY_SIZE(few), n_second = full ? 256 : n_few;
	u64 wrong = 0, n = 0;
	u8 p[6];
	u32 i, j;

	for (i = 0; i < 1U << 16; i++) {
		p[0] = (u8)(i >> 8);
		p[1] = (u8)i;
		for (j = 0; j < n_second * n_few * n_few * 2; j++) {
			u32 rest = j / n_second;

			p[2] = full ? (u8)(j % n_second) : few[j % n_second];
			p[3] = few[rest % n_few];
			p[4] = few[rest / n_few % n_few];
			p[5] = rest / n_few / n_few ? 0xff : 0x00;
			for (size_t left = 0; left <= sizeof(p); left++, n++)
				wrong += wrong_guarded(p, left);
		}
	}
	ok(!wrong, "fixed: %llu sequences of bytes, %llu wrong", (unsigned long long)n,
	   (unsigned long long)wrong);
}

/* Every first byte that is valid, with every Remaining Length. */
static void all_lengths(bool full)
{
	u64 wrong = 0, n = 0;
	u32 first, val, step;
	u8 p[5];

	for (first = 0; first < 256; first++) {
		if (!(rules[first / 16].flags >> first % 16 & 1))
			continue;
		step = 1;
		p[0] = (u8)first;
		for (val = 0; val <= MANY; val += step, n++) {
			u32 rest = val, i = 1;

			for (; rest >= 128; rest /= 128)
				p[i++] = (u8)(rest % 128 + 128);
			p[i++] = (u8)rest;
			wrong += wrong_fixed(p, i);
			if (!full && val > 1U << 17)
				step = 251;
		}
	}
	ok(!wrong, "fixed: %llu headers with a valid first byte, %llu wrong",
	   (unsigned long long)n, (unsigned long long)wrong);
}

void prove_fixed(bool full)
{
	all_bytes(full);
	all_lengths(full);
}

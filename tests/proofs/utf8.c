// SPDX-License-Identifier: GPL-2.0-only
#include "prove.h"
#include "proto/utf8.h"
#include "twins.h"

static void up_to_three(void)
{
	u8 *end = guard_end();
	u64 wrong = 0;
	u32 i;

	for (i = 0; i < 1U << 24; i++) {
		end[-3] = (u8)(i >> 16);
		end[-2] = (u8)(i >> 8);
		end[-1] = (u8)i;
		for (size_t len = 0; len <= 3; len++)
			wrong += kmqtt_utf8_valid(end - len, len) !=
				 slow_utf8_valid(end - len, len);
	}
	ok(!wrong, "utf8: every sequence of up to three bytes, %llu wrong",
	   (unsigned long long)wrong);
}

static void all_of_four(void)
{
	u64 wrong = 0, i;
	u8 *s = guard_end() - 4;

	for (i = 0; i < 1ULL << 32; i++) {
		s[0] = (u8)(i >> 24);
		s[1] = (u8)(i >> 16);
		s[2] = (u8)(i >> 8);
		s[3] = (u8)i;
		wrong += kmqtt_utf8_valid(s, 4) != slow_utf8_valid(s, 4);
	}
	ok(!wrong, "utf8: every sequence of four bytes, %llu wrong", (unsigned long long)wrong);
}

/* Strings are gone through by eight bytes where they can be: at each place of such a word. */
static void inside_longer(void)
{
	u32 i;
	u8 *s = guard_end() - 19;
	u64 wrong = 0, n = 0;

	for (size_t at = 0; at <= 16; at++) {
		memset(s, 'x', 19);
		for (i = 0; i < 1U << 24; i++, n++) {
			s[at] = (u8)(i >> 16);
			s[at + 1] = (u8)(i >> 8);
			s[at + 2] = (u8)i;
			wrong += kmqtt_utf8_valid(s, 19) !=
				 slow_utf8_valid(s + at, at < 16 ? 4 : 3);
		}
	}
	ok(!wrong, "utf8: %llu sequences of three bytes inside of nineteen, %llu wrong",
	   (unsigned long long)n, (unsigned long long)wrong);
}

void prove_utf8(void)
{
	up_to_three();
	all_of_four();
	inside_longer();
}

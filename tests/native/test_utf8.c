// SPDX-License-Identifier: GPL-2.0-only
#include "bytes.h"
#include "proto/utf8.h"
#include "tap.h"
#include "tests.h"
#include "twins.h"

static unsigned int put_point(u8 *s, u32 point)
{
	if (point < 0x80) {
		s[0] = (u8)point;
		return 1;
	}
	if (point < 0x800) {
		s[0] = (u8)(0xc0 | point >> 6);
		s[1] = 0x80 | (point & 0x3f);
		return 2;
	}
	if (point < 0x10000) {
		s[0] = (u8)(0xe0 | point >> 12);
		s[1] = 0x80 | (point >> 6 & 0x3f);
		s[2] = 0x80 | (point & 0x3f);
		return 3;
	}
	s[0] = (u8)(0xf0 | point >> 18);
	s[1] = 0x80 | (point >> 12 & 0x3f);
	s[2] = 0x80 | (point >> 6 & 0x3f);
	s[3] = 0x80 | (point & 0x3f);
	return 4;
}

static void test_points(void)
{
	u32 point, wrong = 0;
	u8 s[4];

	for (point = 0; point < 0x200000; point++) {
		bool good = point && point <= 0x10ffff && (point < 0xd800 || point > 0xdfff);

		wrong += kmqtt_utf8_valid(s, put_point(s, point)) != good;
	}
	ok(!wrong, "utf8: every code point up to U+1FFFFF, %u wrong", wrong);
}

static void test_sequences(void)
{
	static const u8 tails[] = { 0x00, 0x41, 0x7f, 0x80, 0xa5, 0xbf, 0xc0, 0xff };
	u32 wrong = 0, i;
	u8 s[4];

	for (i = 0; i < 1U << 24; i++) {
		s[0] = (u8)(i >> 16);
		s[1] = (u8)(i >> 8);
		s[2] = (u8)i;
		wrong += kmqtt_utf8_valid(s, 3) != slow_utf8_valid(s, 3);
	}
	ok(!wrong, "utf8: every sequence of three bytes, %u wrong", wrong);

	for (i = 0; i < 1U << 16; i++)
		for (size_t j = 0; j < ARRAY_SIZE(tails) * ARRAY_SIZE(tails); j++) {
			s[0] = (u8)(i >> 8);
			s[1] = (u8)i;
			s[2] = tails[j / ARRAY_SIZE(tails)];
			s[3] = tails[j % ARRAY_SIZE(tails)];
			wrong += kmqtt_utf8_valid(s, 4) != slow_utf8_valid(s, 4);
			wrong += kmqtt_utf8_valid(s, 2) != slow_utf8_valid(s, 2);
		}
	ok(!wrong, "utf8: sequences of two and four bytes, %u wrong", wrong);
}

/* Are the two at odds over len digits with something special after the first of them? */
static bool wrong_place(const char *digits, u32 len, u32 at, const char *special)
{
	struct bytes before = bytes_copy(digits, at), middle = bytes_parse(special);
	struct bytes after = bytes_copy(digits, len - at), head = bytes_join(before, middle);
	struct bytes s = bytes_join(head, after);
	bool wrong = kmqtt_utf8_valid(s.data, s.len) != slow_utf8_valid(s.data, s.len);

	bytes_free(&s);
	bytes_free(&head);
	bytes_free(&after);
	bytes_free(&middle);
	bytes_free(&before);
	return wrong;
}

/* The way through whole words must not see less than the one through bytes. */
static void test_places(void)
{
	static const char * const specials[] = {
		"00", "80", "ff", "c3a4", "c3", "e282ac", "e282", "f09f9880", "f09f98", "eda080",
	};
	const char *digits = "0123456789012345678901234567890123456789";
	u32 wrong = 0;

	for (u32 len = 0; len < 40; len++)
		for (u32 at = 0; at <= len; at++)
			for (size_t i = 0; i < ARRAY_SIZE(specials); i++)
				wrong += wrong_place(digits, len, at, specials[i]);
	ok(!wrong, "utf8: special bytes at every place of strings up to 40, %u wrong", wrong);
	ok(kmqtt_utf8_valid(NULL, 0), "utf8: nothing is valid");
}

void test_utf8(void)
{
	test_points();
	test_sequences();
	test_places();
}

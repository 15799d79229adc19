// SPDX-License-Identifier: GPL-2.0-only
/* Strings as MQTT wants them (MQTT 5.0, 1.5.4). */
#include "utf8.h"

/* Are all eight bytes U+0001 to U+007F? */
static bool word_is_plain(const u8 *s)
{
	return !(kmqtt_bytes_without(kmqtt_bytes_load(s), 0) & KMQTT_BYTES_TOP);
}

/*
 * Size of the well-formed sequence of two to four bytes at s, or 0. The bounds of the second byte
 * shut out overlong forms, surrogates, and what is above U+10FFFF (Unicode, table 3-7).
 */
static unsigned int sequence_size(const u8 *s, size_t left)
{
	unsigned int size, i;
	u8 min = 0x80, max = 0xbf;

	if (*s >= 0xc2 && *s <= 0xdf) {
		size = 2;
	} else if (*s >= 0xe0 && *s <= 0xef) {
		size = 3;
		if (*s == 0xe0)
			min = 0xa0;
		else if (*s == 0xed)
			max = 0x9f;
	} else if (*s >= 0xf0 && *s <= 0xf4) {
		size = 4;
		if (*s == 0xf0)
			min = 0x90;
		else if (*s == 0xf4)
			max = 0x8f;
	} else {
		return 0;
	}

	if (left < size || s[1] < min || s[1] > max)
		return 0;
	for (i = 2; i < size; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	return size;
}

bool kmqtt_utf8_valid(const u8 *s, size_t len)
{
	unsigned int size;

	while (len) {
		if (len >= sizeof(u64) && word_is_plain(s)) {
			size = sizeof(u64);
		} else if (*s < 0x80) {
			if (!*s)
				return false;
			size = 1;
		} else {
			size = sequence_size(s, len);
			if (!size)
				return false;
		}
		s += size;
		len -= size;
	}
	return true;
}

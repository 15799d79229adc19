// SPDX-License-Identifier: GPL-2.0
#include "topic.h"

#include <stdint.h>
#include <string.h>

#define TOPIC_MAX	65535

/* Bytes of the character that begins with c, by its highest bits; 0: none. */
static size_t utf8_length(unsigned char c)
{
	if (c < 0x80)
		return 1;
	if (c >= 0xc2 && c < 0xe0)
		return 2;
	if (c >= 0xe0 && c < 0xf0)
		return 3;
	if (c >= 0xf0 && c < 0xf5)
		return 4;
	return 0;
}

/* The next character, and what it takes; 0 if it is not encoded as it must be. */
static size_t utf8_next(const unsigned char *p, size_t len, uint32_t *c)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = utf8_length(*p), i;

	if (!n || n > len)
		return 0;
	*c = n == 1 ? *p : *p & (0x7f >> n);
	for (i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		*c = *c << 6 | (p[i] & 0x3f);
	}
	if (*c < least[n] || *c > 0x10ffff || (*c >= 0xd800 && *c <= 0xdfff))
		return 0;
	return n;
}

/* What libmosquitto does not want in a string (MQTT 5.0, 1.5.4). */
static bool utf8_unwanted(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) ||
	       (c >= 0xfdd0 && c <= 0xfdef) || (c & 0xfffe) == 0xfffe;
}

static bool utf8_scan(const void *s, size_t len, bool strict)
{
	const unsigned char *p = s;
	uint32_t c;
	size_t n;

	for (; len; p += n, len -= n) {
		n = utf8_next(p, len, &c);
		if (!n || (strict && utf8_unwanted(c)))
			return false;
	}
	return true;
}

bool utf8_encoded(const void *s, size_t len)
{
	return utf8_scan(s, len, false);
}

bool utf8_valid(const char *s, size_t len)
{
	return utf8_scan(s, len, true);
}

bool topic_name_valid(const char *topic)
{
	return strlen(topic) <= TOPIC_MAX && !strpbrk(topic, "+#");
}

bool topic_filter_valid(const char *filter)
{
	const char *p;

	if (strlen(filter) > TOPIC_MAX)
		return false;
	for (p = filter; *p; p++) {
		if (*p != '+' && *p != '#')
			continue;
		if (p > filter && p[-1] != '/')
			return false;
		if (p[1] && (*p == '#' || p[1] != '/'))
			return false;
	}
	return true;
}

bool topic_matches(const char *filter, const char *topic)
{
	/* Topics with $ are not for wildcards at the beginning. */
	if ((*filter == '$') != (*topic == '$'))
		return false;
	for (;;) {
		size_t f = strcspn(filter, "/"), t = strcspn(topic, "/");

		if (*filter == '#')
			return true;
		if (*filter != '+' && (f != t || memcmp(filter, topic, f)))
			return false;
		/* "a/#" matches "a" too. */
		if (!topic[t])
			return !filter[f] || !strcmp(filter + f, "/#");
		if (!filter[f])
			return false;
		filter += f + 1;
		topic += t + 1;
	}
}

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

static bool utf8_allowed(uint32_t c, size_t len)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };

	if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return false;
	if (c < 0x20 || (c >= 0x7f && c < 0xa0))
		return false;
	return (c < 0xfdd0 || c > 0xfdef) && (c & 0xfffe) != 0xfffe;
}

bool utf8_valid(const char *s, size_t len)
{
	const unsigned char *p = (const unsigned char *)s;
	const unsigned char *end = p + len;

	while (p < end) {
		size_t n = utf8_length(*p), i;
		uint32_t c;

		if (!n || n > (size_t)(end - p))
			return false;
		c = n == 1 ? *p : *p & (0x7f >> n);
		for (i = 1; i < n; i++) {
			if ((p[i] & 0xc0) != 0x80)
				return false;
			c = c << 6 | (p[i] & 0x3f);
		}
		if (!utf8_allowed(c, n))
			return false;
		p += n;
	}
	return true;
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

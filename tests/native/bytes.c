// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "bytes.h"

static u8 *alloc_or_die(size_t len)
{
	u8 *data = malloc(len ? len : 1);

	if (!data) {
		perror("malloc");
		exit(2);
	}
	return data;
}

struct bytes bytes_copy(const void *data, size_t len)
{
	struct bytes b = { alloc_or_die(len), (u32)len };

	if (len)
		memcpy(b.data, data, len);
	return b;
}

struct bytes bytes_join(struct bytes a, struct bytes b)
{
	struct bytes sum = { alloc_or_die((size_t)a.len + b.len), a.len + b.len };

	memcpy(sum.data, a.data, a.len);
	memcpy(sum.data + a.len, b.data, b.len);
	return sum;
}

void bytes_free(struct bytes *b)
{
	free(b->data);
	b->data = NULL;
	b->len = 0;
}

static void bad_text(const char *text)
{
	fprintf(stderr, "bytes_parse: %s\n", text);
	exit(2);
}

/* Append n times what is between begin and end. */
static void append(struct bytes *out, const char *begin, const char *end, unsigned long n)
{
	struct bytes part = bytes_copy(begin, end - begin), sum;

	while (n--) {
		sum = bytes_join(*out, part);
		bytes_free(out);
		*out = sum;
	}
	bytes_free(&part);
}

struct bytes bytes_parse(const char *text)
{
	struct bytes out = bytes_copy("", 0);
	char hex[3] = "", byte, *end;
	unsigned long n = 1;
	const char *close;

	while (*text) {
		if (isspace((unsigned char)*text)) {
			text++;
			continue;
		}
		if (*text == '@') {
			n = strtoul(text + 1, &end, 10);
			text = end;
		}
		if (*text == '\'') {
			close = strchr(text + 1, '\'');
			if (!close)
				bad_text(text);
			append(&out, text + 1, close, n);
			text = close + 1;
		} else {
			if (!isxdigit((unsigned char)text[0]) || !isxdigit((unsigned char)text[1]))
				bad_text(text);
			memcpy(hex, text, 2);
			byte = (char)strtoul(hex, NULL, 16);
			append(&out, &byte, &byte + 1, n);
			text += 2;
		}
		n = 1;
	}
	return out;
}

u32 random_below(u32 n)
{
	static u64 state = 0x9e3779b97f4a7c15ULL;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (u32)((state >> 16) % n);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Written by hand, since the command then needs no library for it, in 64 and
 * in 32 bits; the tests compare it with cJSON.
 */
#include "json.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "topic.h"

/* As cJSON: deeper texts are refused. */
#define DEPTH_MAX	1000

static void indent(const struct json *j)
{
	unsigned int i;

	for (i = 0; i < j->depth; i++)
		putc('\t', j->out);
}

void json_open(struct json *j)
{
	putc('{', j->out);
	if (j->pretty)
		putc('\n', j->out);
	j->depth++;
	j->first = true;
}

void json_close(struct json *j)
{
	j->depth--;
	if (j->pretty) {
		if (!j->first)
			putc('\n', j->out);
		indent(j);
	}
	putc('}', j->out);
	j->first = false;
}

void json_key(struct json *j, const char *key, size_t len)
{
	if (!j->first)
		fputs(j->pretty ? ",\n" : ",", j->out);
	j->first = false;
	if (j->pretty)
		indent(j);
	json_string(j, key, len);
	fputs(j->pretty ? ":\t" : ":", j->out);
}

static void put_char(struct json *j, unsigned char c)
{
	static const char names[] = "\"\\\b\f\n\r\t";
	static const char letters[] = "\"\\bfnrt";
	const char *p = c ? strchr(names, c) : NULL;

	if (p)
		fprintf(j->out, "\\%c", letters[p - names]);
	else if (c < 0x20)
		fprintf(j->out, "\\u%04x", c);
	else
		putc(c, j->out);
}

void json_string(struct json *j, const char *s, size_t len)
{
	size_t i;

	putc('"', j->out);
	for (i = 0; i < len; i++)
		put_char(j, s[i]);
	putc('"', j->out);
}

static void array_comma(struct json *j)
{
	fputs(j->pretty ? ", " : ",", j->out);
}

void json_bytes(struct json *j, const unsigned char *data, size_t len)
{
	size_t i;

	putc('[', j->out);
	for (i = 0; i < len; i++) {
		if (i)
			array_comma(j);
		fprintf(j->out, "%u", data[i]);
	}
	putc(']', j->out);
}

void json_number(struct json *j, uint64_t n)
{
	fprintf(j->out, "%llu", (unsigned long long)n);
}

/**
 * struct scan - a JSON text that is read
 * @p:		the next byte
 * @end:	end of the text
 * @depth:	arrays and objects that are open
 */
struct scan {
	const char *p;
	const char *end;
	unsigned int depth;
};

static int scan_value(struct json *j, struct scan *s);

/* The next byte that is not blank; 0 at the end. */
static char scan_peek(struct scan *s)
{
	while (s->p < s->end && (unsigned char)*s->p <= ' ')
		s->p++;
	return s->p < s->end ? *s->p : '\0';
}

static int scan_hex4(struct scan *s, uint32_t *value)
{
	char digits[5] = "";
	char *end;

	if (s->end - s->p < 4)
		return -1;
	memcpy(digits, s->p, 4);
	if (strspn(digits, "0123456789abcdefABCDEF") != 4)
		return -1;
	*value = strtoul(digits, &end, 16);
	s->p += 4;
	return 0;
}

static void put_utf8(struct json *j, uint32_t c)
{
	if (c < 0x80) {
		put_char(j, c);
		return;
	}
	if (c < 0x800) {
		putc(0xc0 | c >> 6, j->out);
	} else {
		if (c < 0x10000) {
			putc(0xe0 | c >> 12, j->out);
		} else {
			putc(0xf0 | c >> 18, j->out);
			putc(0x80 | (c >> 12 & 0x3f), j->out);
		}
		putc(0x80 | (c >> 6 & 0x3f), j->out);
	}
	putc(0x80 | (c & 0x3f), j->out);
}

/* What follows "\u": one character, of two such escapes if it is a surrogate. */
static int scan_unicode(struct json *j, struct scan *s)
{
	uint32_t c, low;

	if (scan_hex4(s, &c) < 0)
		return -1;
	if (c >= 0xdc00 && c <= 0xdfff)
		return -1;
	if (c >= 0xd800 && c <= 0xdbff) {
		if (s->end - s->p < 2 || s->p[0] != '\\' || s->p[1] != 'u')
			return -1;
		s->p += 2;
		if (scan_hex4(s, &low) < 0 || low < 0xdc00 || low > 0xdfff)
			return -1;
		c = 0x10000 + ((c & 0x3ff) << 10 | (low & 0x3ff));
	}
	put_utf8(j, c);
	return 0;
}

static int scan_escape(struct json *j, struct scan *s)
{
	static const char letters[] = "\"\\/bfnrt";
	static const char values[] = "\"\\/\b\f\n\r\t";
	const char *p;
	char c;

	if (s->p == s->end)
		return -1;
	c = *s->p++;
	if (c == 'u')
		return scan_unicode(j, s);
	p = c ? strchr(letters, c) : NULL;
	if (!p)
		return -1;
	put_char(j, values[p - letters]);
	return 0;
}

static int scan_string(struct json *j, struct scan *s)
{
	s->p++;
	putc('"', j->out);
	while (s->p < s->end && *s->p != '"') {
		if (*s->p != '\\') {
			put_char(j, *s->p++);
			continue;
		}
		s->p++;
		if (scan_escape(j, s) < 0)
			return -1;
	}
	if (s->p == s->end)
		return -1;
	s->p++;
	putc('"', j->out);
	return 0;
}

/* Fifteen digits if they are enough to tell the number, else seventeen. */
static void put_double(struct json *j, double d)
{
	char text[32];
	double back, larger;

	if (!isfinite(d)) {
		fputs("null", j->out);
		return;
	}
	snprintf(text, sizeof(text), "%1.15g", d);
	back = strtod(text, NULL);
	larger = fabs(back) > fabs(d) ? fabs(back) : fabs(d);
	if (fabs(back - d) > larger * DBL_EPSILON)
		snprintf(text, sizeof(text), "%1.17g", d);
	fputs(text, j->out);
}

static int scan_number(struct json *j, struct scan *s)
{
	char text[64];
	char *end;
	size_t n;
	double d;

	for (n = 0; n < sizeof(text) - 1 && s->p + n < s->end &&
	     s->p[n] && strchr("0123456789+-eE.", s->p[n]); n++)
		text[n] = s->p[n];
	text[n] = '\0';
	d = strtod(text, &end);
	if (end == text)
		return -1;
	s->p += end - text;
	put_double(j, d);
	return 0;
}

static int scan_array(struct json *j, struct scan *s)
{
	s->p++;
	putc('[', j->out);
	j->depth++;
	if (scan_peek(s) != ']') {
		if (scan_value(j, s) < 0)
			return -1;
		while (scan_peek(s) == ',') {
			s->p++;
			array_comma(j);
			if (scan_value(j, s) < 0)
				return -1;
		}
	}
	if (scan_peek(s) != ']')
		return -1;
	s->p++;
	j->depth--;
	putc(']', j->out);
	return 0;
}

static int scan_member(struct json *j, struct scan *s)
{
	if (scan_peek(s) != '"')
		return -1;
	if (!j->first)
		fputs(j->pretty ? ",\n" : ",", j->out);
	j->first = false;
	if (j->pretty)
		indent(j);
	if (scan_string(j, s) < 0 || scan_peek(s) != ':')
		return -1;
	s->p++;
	fputs(j->pretty ? ":\t" : ":", j->out);
	return scan_value(j, s);
}

static int scan_object(struct json *j, struct scan *s)
{
	s->p++;
	json_open(j);
	if (scan_peek(s) != '}') {
		if (scan_member(j, s) < 0)
			return -1;
		while (scan_peek(s) == ',') {
			s->p++;
			if (scan_member(j, s) < 0)
				return -1;
		}
	}
	if (scan_peek(s) != '}')
		return -1;
	s->p++;
	json_close(j);
	return 0;
}

static int scan_word(struct json *j, struct scan *s)
{
	static const char * const words[] = { "null", "false", "true" };
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		size_t len = strlen(words[i]);

		if ((size_t)(s->end - s->p) < len ||
		    memcmp(s->p, words[i], len))
			continue;
		s->p += len;
		fputs(words[i], j->out);
		return 0;
	}
	return -1;
}

static int scan_value(struct json *j, struct scan *s)
{
	char c = scan_peek(s);
	int ret;

	if (c == '"')
		return scan_string(j, s);
	if (c == '-' || (c >= '0' && c <= '9'))
		return scan_number(j, s);
	if (c != '[' && c != '{')
		return scan_word(j, s);
	if (s->depth == DEPTH_MAX)
		return -1;
	s->depth++;
	ret = c == '[' ? scan_array(j, s) : scan_object(j, s);
	s->depth--;
	return ret;
}

int json_text(struct json *j, const char *text, size_t len)
{
	struct scan s = { .p = text, .end = text + len };

	/* A byte order mark may come first. */
	if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3))
		s.p += 3;
	/* What is no UTF-8 would not be JSON when it is written either. */
	if (memchr(text, '\0', len) || !utf8_encoded(text, len) ||
	    scan_value(j, &s) < 0)
		return -1;
	return scan_peek(&s) || s.p != s.end ? -1 : 0;
}

// SPDX-License-Identifier: GPL-2.0
/* Output as text or as JSON. */
#include <stdio.h>
#include <string.h>

#include "out.h"

struct out_options out_options;

/*
 * Where the output stands. depth counts the open brackets, bit N of `filled`
 * says that the one at depth N has an element already; in_line that the text
 * line has a word.
 */
static struct {
	unsigned int depth;
	uint32_t filled;
	bool in_line;
} out;

/*
 * Bytes of the UTF-8 character at @s, of at most @len: 1 to 4; 0 if it is not
 * valid (overlong, surrogate, above U+10FFFF, cut off).
 */
static unsigned int utf8_len(const unsigned char *s, size_t len)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned int n, i;
	uint32_t c;

	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	n = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (n > len)
		return 0;
	c = s[0] & (0x7f >> n);
	for (i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	return n;
}

/* C0, DEL and C1 drive terminals. */
static bool is_control(const unsigned char *s, unsigned int n)
{
	return (n == 1 && (s[0] < 0x20 || s[0] == 0x7f)) ||
	       (n == 2 && s[0] == 0xc2 && s[1] < 0xa0);
}

static bool is_utf8(const unsigned char *s, size_t len)
{
	unsigned int n;

	for (; len; s += n, len -= n) {
		n = utf8_len(s, len);
		if (!n)
			return false;
	}
	return true;
}

static void json_string(const unsigned char *s, size_t len)
{
	unsigned int n;

	putchar('"');
	for (; len; s += n, len -= n) {
		n = utf8_len(s, len);
		if (!n) {
			fputs("\\ufffd", stdout);
			n = 1;
		} else if (s[0] == '"' || s[0] == '\\') {
			printf("\\%c", s[0]);
		} else if (s[0] == '\n') {
			fputs("\\n", stdout);
		} else if (is_control(s, n)) {
			printf("\\u%04x", n == 1 ? s[0] : s[1]);
		} else {
			fwrite(s, 1, n, stdout);
		}
	}
	putchar('"');
}

static void json_newline(void)
{
	if (out_options.pretty)
		printf("\n%*s", (int)out.depth * 4, "");
}

/* What goes before each element: the comma and the key. */
static void json_element(const char *key)
{
	uint32_t bit = 1u << out.depth;

	if (out.depth) {
		if (out.filled & bit)
			putchar(',');
		json_newline();
	}
	out.filled |= bit;
	if (key)
		printf("\"%s\":%s", key, out_options.pretty ? " " : "");
}

static void json_begin(const char *key, char bracket)
{
	if (!out_options.json)
		return;
	json_element(key);
	putchar(bracket);
	out.depth++;
	out.filled &= ~(1u << out.depth);
}

static void json_end(char bracket)
{
	bool filled = out.filled & 1u << out.depth;

	if (!out_options.json)
		return;
	out.depth--;
	if (filled)
		json_newline();
	putchar(bracket);
	if (!out.depth)
		putchar('\n');
}

void out_array_begin(const char *key)
{
	json_begin(key, '[');
}

void out_array_end(void)
{
	json_end(']');
}

void out_object_begin(const char *key)
{
	json_begin(key, '{');
}

void out_object_end(void)
{
	json_end('}');
}

static void text_end_line(void)
{
	if (out.in_line)
		putchar('\n');
	out.in_line = false;
}

void out_line(unsigned int indent)
{
	if (out_options.json)
		return;
	text_end_line();
	printf("%*s", (int)indent, "");
}

void out_word(const char *word)
{
	if (out_options.json)
		return;
	if (out.in_line)
		putchar(' ');
	fputs(word, stdout);
	out.in_line = true;
}

/* True if the bytes can stand in a line as one word that is not misread. */
static bool is_word(const unsigned char *s, size_t len)
{
	unsigned int n;

	if (!len)
		return false;
	for (; len; s += n, len -= n) {
		n = utf8_len(s, len);
		if (!n || is_control(s, n) || strchr(" \"\\", s[0]))
			return false;
	}
	return true;
}

static void text_string(const unsigned char *s, size_t len)
{
	unsigned int n, i;

	if (is_word(s, len)) {
		fwrite(s, 1, len, stdout);
		return;
	}
	putchar('"');
	for (; len; s += n, len -= n) {
		n = utf8_len(s, len);
		if (!n || is_control(s, n)) {
			n = n ? n : 1;
			for (i = 0; i < n; i++)
				printf("\\x%02x", s[i]);
			continue;
		}
		if (s[0] == '"' || s[0] == '\\')
			putchar('\\');
		fwrite(s, 1, n, stdout);
	}
	putchar('"');
}

/* True if the value itself follows as JSON, false if it does as text. */
static bool value_begin(const char *key, const char *label)
{
	if (out_options.json) {
		json_element(key);
		return true;
	}
	if (label)
		out_word(label);
	out_word("");
	return false;
}

void out_string(const char *key, const char *label, const void *data,
		size_t len)
{
	if (value_begin(key, label))
		json_string(data, len);
	else
		text_string(data, len);
}

void out_str(const char *key, const char *label, const char *value)
{
	out_string(key, label, value, strlen(value));
}

static void json_base64(const unsigned char *s, size_t len)
{
	static const char digit[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint32_t v;
	size_t i;

	putchar('"');
	for (i = 0; i < len; i += 3) {
		v = (uint32_t)s[i] << 16;
		if (i + 1 < len)
			v |= (uint32_t)s[i + 1] << 8;
		if (i + 2 < len)
			v |= s[i + 2];
		putchar(digit[v >> 18]);
		putchar(digit[v >> 12 & 63]);
		putchar(i + 1 < len ? digit[v >> 6 & 63] : '=');
		putchar(i + 2 < len ? digit[v & 63] : '=');
	}
	putchar('"');
}

void out_bytes(const char *key, const char *label, const void *data,
	       size_t len)
{
	char base64_key[64];

	if (!out_options.json || is_utf8(data, len)) {
		out_string(key, label, data, len);
		return;
	}
	snprintf(base64_key, sizeof(base64_key), "%s_base64", key);
	json_element(base64_key);
	json_base64(data, len);
}

void out_uint(const char *key, const char *label, uint64_t value)
{
	value_begin(key, label);
	printf("%llu", (unsigned long long)value);
}

void out_bool(const char *key, const char *label, bool value)
{
	if (value_begin(key, label))
		fputs(value ? "true" : "false", stdout);
	else
		fputs(value ? "on" : "off", stdout);
}

void out_flag(const char *key, const char *label, bool value)
{
	if (out_options.json)
		out_bool(key, label, value);
	else if (value)
		out_word(label);
}

void out_seconds(const char *key, const char *label, uint64_t seconds)
{
	unsigned int h = seconds / 3600 % 24, m = seconds / 60 % 60;
	unsigned int s = seconds % 60, d = seconds / 86400;

	if (value_begin(key, label))
		printf("%llu", (unsigned long long)seconds);
	else if (d)
		printf("%ud%02uh%02um%02us", d, h, m, s);
	else if (h)
		printf("%uh%02um%02us", h, m, s);
	else if (m)
		printf("%um%02us", m, s);
	else
		printf("%us", s);
}

void out_uint_or(const char *key, const char *label, uint64_t value,
		 uint64_t special, const char *word)
{
	if (out_options.json || value != special)
		out_uint(key, label, value);
	else
		out_str(key, label, word);
}

int out_flush(void)
{
	static bool reported;

	text_end_line();
	if (!fflush(stdout) && !ferror(stdout))
		return 0;
	if (!reported)
		perror("kmqtt: standard output");
	reported = true;
	return -1;
}

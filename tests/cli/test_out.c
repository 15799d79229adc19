// SPDX-License-Identifier: GPL-2.0
/* The output layer: strings, numbers and brackets. */
#include <string.h>

#include "harness.h"
#include "out.h"
#include "tap.h"

/* A value of each kind, as run() wants it: as an object without words. */
static struct {
	const char *data;
	size_t len;
	uint64_t number;
} value;

static int print_string(struct args *args)
{
	(void)args;
	out_string(NULL, NULL, value.data, value.len);
	return STATUS_OK;
}

static int print_bytes(struct args *args)
{
	(void)args;
	out_object_begin(NULL);
	out_bytes("x", NULL, value.data, value.len);
	out_object_end();
	return STATUS_OK;
}

static int print_seconds(struct args *args)
{
	(void)args;
	out_seconds(NULL, NULL, value.number);
	return STATUS_OK;
}

static int print_nested(struct args *args)
{
	(void)args;
	out_array_begin(NULL);
	out_object_begin(NULL);
	out_line(0);
	out_word("head:");
	out_uint("n", "number", 5);
	out_array_begin("l");
	out_array_end();
	out_object_begin("in");
	out_line(4);
	out_bool("on", "switch", true);
	out_flag("off", "off", false);
	out_object_end();
	out_object_end();
	out_object_begin(NULL);
	out_line(0);
	out_uint_or("s", NULL, 0, 0, "none");
	out_object_end();
	out_array_end();
	return STATUS_OK;
}

struct strings {
	const char *data;
	size_t len;
	const char *text;
	const char *json;
};

#define STRING(s, t, j)	{ (s), sizeof(s) - 1, (t), (j) }

static const struct strings strings[] = {
	STRING("a/b+#", "a/b+#", "\"a/b+#\""),
	STRING("", "\"\"", "\"\""),
	STRING("a b", "\"a b\"", "\"a b\""),
	STRING("a\"b\\", "\"a\\\"b\\\\\"", "\"a\\\"b\\\\\""),
	STRING("\x1b[2J", "\"\\x1b[2J\"", "\"\\u001b[2J\""),
	STRING("a\nb\0", "\"a\\x0ab\\x00\"", "\"a\\nb\\u0000\""),
	STRING("\x7f", "\"\\x7f\"", "\"\\u007f\""),
	STRING("\xc2\x9b", "\"\\xc2\\x9b\"", "\"\\u009b\""),
	STRING("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80",
	       "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80",
	       "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\""),
	STRING("\xff", "\"\\xff\"", "\"\\ufffd\""),
	STRING("\xc0\x80", "\"\\xc0\\x80\"", "\"\\ufffd\\ufffd\""),
	STRING("\xed\xa0\x80", "\"\\xed\\xa0\\x80\"",
	       "\"\\ufffd\\ufffd\\ufffd\""),
	STRING("\xe2\x82", "\"\\xe2\\x82\"", "\"\\ufffd\\ufffd\""),
};

static const struct strings bytes[] = {
	STRING("text", "text\n", "{\"x\":\"text\"}\n"),
	STRING("\xff", "\"\\xff\"\n", "{\"x_base64\":\"/w==\"}\n"),
	STRING("\xff\xfe", "\"\\xff\\xfe\"\n", "{\"x_base64\":\"//4=\"}\n"),
	STRING("\xff\x00\x10", "\"\\xff\\x00\\x10\"\n",
	       "{\"x_base64\":\"/wAQ\"}\n"),
	STRING("\xffhello", "\"\\xffhello\"\n", "{\"x_base64\":\"/2hlbGxv\"}\n"),
};

static void test_strings(void)
{
	const struct run *r;
	size_t i, len;

	for (i = 0; i < ARRAY_SIZE(strings); i++) {
		value.data = strings[i].data;
		value.len = strings[i].len;
		r = run(print_string, "");
		len = strlen(strings[i].text);
		ok(!strncmp(r->out, strings[i].text, len) &&
		   !strcmp(r->out + len, "\n"), "string %zu as text", i);
		out_options.json = true;
		r = run(print_string, "");
		out_options.json = false;
		ok(!strcmp(r->out, strings[i].json), "string %zu as JSON", i);
	}
	for (i = 0; i < ARRAY_SIZE(bytes); i++) {
		value.data = bytes[i].data;
		value.len = bytes[i].len;
		ok(!strcmp(run(print_bytes, "")->out, bytes[i].text),
		   "bytes %zu as text", i);
		out_options.json = true;
		ok(!strcmp(run(print_bytes, "")->out, bytes[i].json),
		   "bytes %zu as JSON", i);
		out_options.json = false;
	}
}

static void test_seconds(void)
{
	static const struct {
		uint64_t seconds;
		const char *text;
	} table[] = {
		{ 0, "0s\n" }, { 59, "59s\n" }, { 60, "1m00s\n" },
		{ 3599, "59m59s\n" }, { 3600, "1h00m00s\n" },
		{ 86399, "23h59m59s\n" }, { 90061, "1d01h01m01s\n" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(table); i++) {
		value.number = table[i].seconds;
		ok(!strcmp(run(print_seconds, "")->out, table[i].text),
		   "seconds %zu", i);
	}
}

static void test_nested(void)
{
	const struct run *r;

	ok(!strcmp(run(print_nested, "")->out,
		   "head: number 5\n    switch on\nnone\n"),
	   "brackets as text");
	out_options.json = true;
	r = run(print_nested, "");
	ok(!strcmp(r->out,
		   "[{\"n\":5,\"l\":[],\"in\":{\"on\":true,\"off\":false}},{\"s\":0}]\n"),
	   "brackets as JSON");
	out_options.pretty = true;
	ok(!strcmp(run(print_nested, "")->out,
		   "[\n    {\n        \"n\": 5,\n        \"l\": [],\n        \"in\": {\n"
		   "            \"on\": true,\n            \"off\": false\n        }\n    },\n"
		   "    {\n        \"s\": 0\n    }\n]\n"),
	   "brackets as pretty JSON");
	out_options.pretty = false;
	out_options.json = false;
}

void test_out(void)
{
	test_strings();
	test_seconds();
	test_nested();
}

// SPDX-License-Identifier: GPL-2.0-only
/* What the protocol layer's hot paths cost, natively. Prints; judges nothing. */
#include <stdio.h>
#include <time.h>

#include "bytes.h"
#include "proto/packet.h"
#include "proto/topic.h"
#include "proto/utf8.h"

#define ROUNDS 2000000

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void report(const char *what, double begin, unsigned int sink)
{
	printf("%-44s %7.1f ns%s\n", what, (now() - begin) / ROUNDS, sink < ROUNDS ? " (refused)" : "");
}

static void publish(const char *what, u8 version, const char *text)
{
	struct bytes body = bytes_parse(text);
	struct kmqtt_fixed f = { KMQTT_PUBLISH, 0x02, 2, body.len };
	struct kmqtt_publish pub;
	unsigned int sink = 0;
	double begin = now();

	for (int i = 0; i < ROUNDS; i++)
		sink += !kmqtt_publish_decode(&f, body.data, version, &pub);
	report(what, begin, sink);
	bytes_free(&body);
}

static void head(const char *what, u8 version)
{
	struct kmqtt_publish_head h = {
		.qos = 1, .packet_id = 1, .topic = text_view("building/7/floor/3/temperature"),
		.payload_len = 64,
	};
	unsigned int sink = 0;
	double begin = now();
	u8 buf[128];

	for (int i = 0; i < ROUNDS; i++)
		sink += (unsigned int)kmqtt_publish_head_encode(buf, sizeof(buf), version, &h);
	report(what, begin, sink);
}

static void match(const char *what, const char *filter)
{
	struct kmqtt_view topic = text_view("building/7/floor/3/temperature");
	struct kmqtt_view view = text_view(filter);
	unsigned int sink = 0;
	double begin = now();

	for (int i = 0; i < ROUNDS; i++)
		sink += kmqtt_topic_matches(view, topic);
	report(what, begin, sink);
}

static void text(const char *what, const char *of)
{
	struct bytes b = bytes_parse(of);
	unsigned int sink = 0;
	double begin = now();

	for (int i = 0; i < ROUNDS; i++)
		sink += kmqtt_utf8_valid(b.data, b.len);
	report(what, begin, sink);
	bytes_free(&b);
}

int main(void)
{
	publish("decode PUBLISH 3.1.1, 30 B topic, 64 B", 4,
		"001e 'building/7/floor/3/temperature' 0001 @64'p'");
	publish("decode PUBLISH 5.0, the same", 5,
		"001e 'building/7/floor/3/temperature' 0001 00 @64'p'");
	publish("decode PUBLISH 5.0, four properties", 5,
		"001e 'building/7/floor/3/temperature' 0001 1e 01 01 03 000a'text/plain'"
		" 08 0005'r/1/2' 09 0004'corr' @64'p'");
	head("encode PUBLISH head 3.1.1", 4);
	head("encode PUBLISH head 5.0", 5);
	match("match building/+/floor/#", "building/+/floor/#");
	match("match the name itself", "building/7/floor/3/temperature");
	text("UTF-8, 64 B of ASCII", "@64'a'");
	text("UTF-8, 32 B of two-byte characters", "c3a4 c3a4 c3a4 c3a4 c3a4 c3a4 c3a4 c3a4 c3a4 c3a4 c3a4 c3a4 c3a4 c3a4 c3a4 c3a4");
	return 0;
}

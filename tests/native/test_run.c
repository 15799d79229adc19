// SPDX-License-Identifier: GPL-2.0-only
/* Runs of PUBLISH packets, against one that decodes packet by packet. */
#include <stdlib.h>

#include "bytes.h"
#include "proto/run.h"
#include "tap.h"
#include "tests.h"
#include "twins.h"

static const struct {
	const char *what;
	const char *bytes;
	u8 version;
	u32 count;
	u32 len;
} runs[] = {
	{ "two alike", "30 06 0001 'a' '123'  30 03 0001 'a'", 4, 2, 13 },
	{ "two alike in 3.1", "30 06 0001 'a' '123'  30 03 0001 'a'", 3, 2, 13 },
	{ "two alike in 5.0", "30 07 0001 'a' 00 '123'  30 04 0001 'a' 00", 5, 2, 15 },
	{ "another topic name ends it", "30 04 0001 'a' '1'  30 04 0001 'b' '1'", 4, 1, 6 },
	{ "a longer topic name ends it", "30 05 0001 'a' '12'  30 05 0002 'ab' '1'", 4, 1, 7 },
	{ "what begins as the topic name", "30 05 0002 'ab' '1'  30 03 0001 'a'", 4, 1, 7 },
	{ "QoS 1 ends it", "30 04 0001 'a' '1'  32 05 0001 'a' 0001", 4, 1, 6 },
	{ "RETAIN ends it", "30 04 0001 'a' '1'  31 04 0001 'a' '1'", 4, 1, 6 },
	{ "DUP ends it", "30 04 0001 'a' '1'  38 04 0001 'a' '1'", 4, 1, 6 },
	{ "another packet ends it", "30 04 0001 'a' '1'  c000 00", 4, 1, 6 },
	{ "properties end it", "30 05 0001 'a' 00 '1'  30 07 0001 'a' 02 0101 '1'", 5, 1, 7 },
	{ "properties are none", "30 07 0001 'a' 02 0101 '1'  30 04 0001 'a' 00", 5, 0, 0 },
	{ "an alias is none", "30 07 0000 03 230001 '1'  30 04 0001 'a' 00", 5, 0, 0 },
	{ "QoS 1 is none", "32 05 0001 'a' 0001", 4, 0, 0 },
	{ "a wildcard is none", "30 04 0001 '+' '1'  30 04 0001 '+' '1'", 4, 0, 0 },
	{ "no topic name is none", "30 03 0000 '1'", 4, 0, 0 },
	{ "a cut one ends it", "30 04 0001 'a' '1'  30 04 0001 'a'", 4, 1, 6 },
	{ "a cut length ends it", "30 04 0001 'a' '1'  30 84", 4, 1, 6 },
	{ "a head over its end ends it", "30 04 0001 'a' '1'  30 02 0001 'a'", 4, 1, 6 },
	{ "a length of two bytes", "30 8001 0001 'a' @125'x'  30 03 0001 'a'", 4, 2, 136 },
	{ "a length that is too long ends it", "30 04 0001 'a' '1'  30 8300 0001 'a'", 4, 1, 6 },
	{ "a length of three bytes ends it", "30 04 0001 'a' '1'  30 848001 0001 'a'", 4, 1, 6 },
};

static void test_table(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(runs); i++) {
		struct bytes b = bytes_parse(runs[i].bytes);
		struct kmqtt_run run;
		u32 n = kmqtt_run_scan(b.data, b.len, runs[i].version, KMQTT_VARINT_MAX, &run);

		ok(n == runs[i].count && run.count == n && run.len == runs[i].len, "run: %s",
		   runs[i].what);
		/* what is seen quickly is true, but for two that are longer than is worth it */
		ok(!(b.len >= 2 && kmqtt_run_is_one(b.data, b.len) && n > 1), "run: %s: one?",
		   runs[i].what);
		bytes_free(&b);
	}
}

static void test_limit(void)
{
	struct bytes b = bytes_parse("30 04 0001 'a' '1'  30 05 0001 'a' '12'  30 04 0001 'a' '1'");
	struct kmqtt_run run;

	ok(kmqtt_run_scan(b.data, b.len, 4, 7, &run) == 3 && run.longest == 7 && run.bytes == 7,
	   "run: as large as it may be");
	ok(kmqtt_run_scan(b.data, b.len, 4, 6, &run) == 1 && run.longest == 6 && run.bytes == 2,
	   "run: one that is too large ends it");
	ok(!kmqtt_run_scan(b.data, b.len, 4, 5, &run), "run: one that is too large is none");
	ok(!kmqtt_run_is_one(b.data, b.len) && !kmqtt_run_is_one(b.data, 7), "run: there is more");
	ok(kmqtt_run_is_one(b.data, 6) && kmqtt_run_is_one(b.data, 3), "run: there is but one");
	bytes_free(&b);
}

/* A packet that may belong to a run, or nearly. Return: its bytes */
static u32 some_packet(u8 *p, u8 version)
{
	static const char * const topics[] = { "a", "a", "a", "a/b", "ab" };
	const char *topic = topics[random_below(ARRAY_SIZE(topics))];
	struct kmqtt_publish_head head = {
		.qos = random_below(20) ? 0 : 1,
		.retain = !random_below(20),
		.packet_id = 1,
		.topic = text_view(topic),
		.payload_len = random_below(4) ? random_below(8) : random_below(300),
	};
	int n;

	if (!head.qos)
		head.packet_id = 0;
	if (version == KMQTT_V5 && !random_below(20)) {
		head.has_expiry = true;
		head.message_expiry = 7;
	}
	n = kmqtt_publish_head_encode(p, 400, version, &head);
	if (n < 0)
		return 0;
	memset(p + n, 'x', head.payload_len);
	return (u32)n + head.payload_len;
}

/* Streams of such packets, now and then with a byte changed, cut off where they may be. */
static bool same_as_slow(u8 version)
{
	u8 buf[4096];
	u32 len = 0, i, n = 1 + random_below(8), slow_len, slow_bytes, bytes;
	struct kmqtt_run run;
	struct bytes b;
	bool same;

	for (i = 0; i < n; i++)
		len += some_packet(buf + len, version);
	if (!random_below(3))
		buf[random_below(len)] ^= 1 << random_below(8);
	b = bytes_copy(buf, random_below(4) ? len : random_below(len + 1));
	n = slow_run(b.data, b.len, version, &slow_len, &slow_bytes);
	same = kmqtt_run_scan(b.data, b.len, version, KMQTT_VARINT_MAX, &run) == n &&
	       run.len == slow_len && run.bytes == slow_bytes;
	for (i = 0; same && i <= n; i++) {
		struct bytes part = bytes_copy(b.data, kmqtt_run_prefix(b.data, version, i,
									&bytes));

		same = slow_run(part.data, part.len, version, &slow_len, &slow_bytes) == i &&
		       slow_len == part.len && slow_bytes == bytes;
		bytes_free(&part);
	}
	bytes_free(&b);
	return same;
}

static void test_slow_twin(void)
{
	for (u8 version = KMQTT_V31; version <= KMQTT_V5; version++) {
		u32 i = 0;

		while (i < 30000 && same_as_slow(version))
			i++;
		ok(i == 30000, "run: as decoded one by one, version %u", version);
	}
}

/* Encoded a packet at a time, a run is what it is decoded as, and comes out as it went in. */
static bool same_again(u8 version)
{
	struct kmqtt_view topic = text_view(random_below(2) ? "t" : "a/longer/topic/name");
	u32 lens[20], n = 1 + random_below(ARRAY_SIZE(lens)), size = 0, i;
	struct kmqtt_view payload;
	struct kmqtt_run run;
	bool same;
	const u8 *p;
	u8 *buf, *at;

	for (i = 0; i < n; i++) {
		lens[i] = random_below(16) ? random_below(140) : random_below(16386 - 30);
		size += KMQTT_RUN_HEAD_MAX(topic.len) + lens[i];
	}
	buf = malloc(size);
	for (i = 0, at = buf; i < n; i++) {
		at = kmqtt_run_encode(at, version, topic, lens[i]);
		memset(at, (int)i, lens[i]);
		at += lens[i];
	}
	same = at <= buf + size &&
	       kmqtt_run_scan(buf, (size_t)(at - buf), version, KMQTT_VARINT_MAX, &run) == n &&
	       kmqtt_view_equal(run.topic, topic);
	for (i = 0, p = buf; same && i < n; i++) {
		payload = kmqtt_run_next(&p, version, topic.len);
		same = payload.len == lens[i];
		if (same && payload.len)
			same = payload.data[0] == i && payload.data[payload.len - 1] == i;
	}
	same = same && p == at;
	free(buf);
	return same;
}

static void test_encoded(void)
{
	for (u8 version = KMQTT_V31; version <= KMQTT_V5; version++) {
		u32 i = 0;

		while (i < 3000 && same_again(version))
			i++;
		ok(i == 3000, "run: as it was encoded, version %u", version);
	}
}

void test_run(void)
{
	test_table();
	test_limit();
	test_slow_twin();
	test_encoded();
}

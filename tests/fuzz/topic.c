// SPDX-License-Identifier: GPL-2.0-only
/* Two filters and a topic name, with a line feed between them, against the slow twin. */
#include "fuzz.h"
#include "proto/topic.h"
#include "proto/utf8.h"
#include "twins.h"

/* The part up to the next line feed, in a block of its own. */
static struct kmqtt_view next_line(const u8 **data, size_t *size)
{
	const u8 *end = *size ? memchr(*data, '\n', *size) : NULL;
	size_t len = end ? (size_t)(end - *data) : *size;
	struct kmqtt_view line = { fuzz_copy(*data, len), (u32)len };

	*data += len + !!end;
	*size -= len + !!end;
	return line;
}

static bool share_like(struct kmqtt_view f)
{
	return f.len >= 7 && !memcmp(f.data, "$share/", 7);
}

static bool filter_valid(struct kmqtt_view f)
{
	bool valid = kmqtt_topic_filter_valid(f.data, f.len);

	if (!share_like(f))
		PROMISE(valid == (slow_filter_valid(f) && kmqtt_utf8_valid(f.data, f.len) &&
				  f.len <= KMQTT_STRING_MAX &&
				  kmqtt_topic_levels(f) <= KMQTT_TOPIC_LEVELS_MAX));
	return valid;
}

static void levels(struct kmqtt_view v)
{
	struct kmqtt_view rest = v, level;
	u32 sum = 0;
	unsigned int n = 0;

	while (kmqtt_level_next(&rest, &level)) {
		sum += level.len + 1;
		n++;
	}
	PROMISE(n == kmqtt_topic_levels(v) && sum == v.len + 1);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct kmqtt_view own[3], a, b, topic, name;
	bool valid_a, valid_b, valid_topic;

	for (int i = 0; i < 3; i++) {
		own[i] = next_line(&data, &size);
		levels(own[i]);
	}
	valid_a = filter_valid(own[0]);
	valid_b = filter_valid(own[1]);
	topic = own[2];
	valid_topic = kmqtt_topic_name_valid(topic.data, topic.len);
	kmqtt_share_split(own[0], &name, &a);
	PROMISE(!name.data || !valid_a || (name.len && a.len && share_like(own[0])));
	kmqtt_share_split(own[1], &name, &b);

	if (valid_a && valid_topic)
		PROMISE(kmqtt_topic_matches(a, topic) == slow_topic_matches(a, topic));
	if (valid_a) {
		PROMISE(kmqtt_filter_covers(a, a));
		if (!kmqtt_filter_has_wildcard(a))
			PROMISE(kmqtt_topic_name_valid(a.data, a.len) && kmqtt_topic_matches(a, a));
	}
	if (valid_topic)
		PROMISE(filter_valid(topic) || share_like(topic));
	if (valid_a && valid_b && valid_topic && kmqtt_filter_covers(a, b))
		PROMISE(!kmqtt_topic_matches(b, topic) || kmqtt_topic_matches(a, topic));

	for (int i = 0; i < 3; i++)
		free((void *)own[i].data);
	return 0;
}

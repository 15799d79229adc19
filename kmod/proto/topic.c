// SPDX-License-Identifier: GPL-2.0-only
/* Topic names and topic filters (MQTT 5.0, 4.7 and 4.8). */
#include "topic.h"
#include "utf8.h"

static const char share_prefix[] = "$share/";

#define SHARE_PREFIX_LEN (sizeof(share_prefix) - 1)

static bool level_is(struct kmqtt_view level, char wildcard)
{
	return level.len == 1 && level.data[0] == wildcard;
}

static bool has_wildcard(const u8 *s, size_t len)
{
	return memchr(s, '+', len) || memchr(s, '#', len);
}

static bool begins_with_wildcard(struct kmqtt_view filter)
{
	return filter.len && (filter.data[0] == '+' || filter.data[0] == '#');
}

static bool begins_with_dollar(struct kmqtt_view topic)
{
	return topic.len && topic.data[0] == '$';
}

bool kmqtt_level_next(struct kmqtt_view *rest, struct kmqtt_view *level)
{
	const u8 *slash;

	if (!rest->data)
		return false;

	slash = rest->len ? memchr(rest->data, '/', rest->len) : NULL;
	level->data = rest->data;
	if (slash) {
		level->len = slash - rest->data;
		rest->data = slash + 1;
		rest->len -= level->len + 1;
	} else {
		level->len = rest->len;
		rest->data = NULL;
		rest->len = 0;
	}
	return true;
}

unsigned int kmqtt_topic_levels(struct kmqtt_view topic)
{
	unsigned int levels = 1;
	u32 i;

	for (i = 0; i < topic.len; i++)
		levels += topic.data[i] == '/';
	return levels;
}

static bool text_valid(const u8 *s, size_t len)
{
	return len && len <= KMQTT_STRING_MAX && kmqtt_utf8_valid(s, len);
}

/* Are all eight bytes U+0001 to U+007F, and no wildcards? */
static bool word_is_plain(const u8 *s)
{
	u64 word = kmqtt_bytes_load(s);

	return !((kmqtt_bytes_without(word, 0) | kmqtt_bytes_without(word, '+') |
		  kmqtt_bytes_without(word, '#')) & KMQTT_BYTES_TOP);
}

/* What is left of a topic name behind that part of it which is plain beyond doubt. */
static struct kmqtt_view behind_plain(const u8 *topic, size_t len)
{
	struct kmqtt_view left = { topic, (u32)len };

	while (left.len >= sizeof(u64) && word_is_plain(left.data)) {
		left.data += sizeof(u64);
		left.len -= sizeof(u64);
	}
	/* the last bytes, with some that have been looked at */
	if (left.len < sizeof(u64) && len >= sizeof(u64) &&
	    word_is_plain(topic + len - sizeof(u64)))
		left.len = 0;
	return left;
}

/* Each message comes with one: most are plain, and short. */
bool kmqtt_topic_name_valid(const u8 *topic, size_t len)
{
	struct kmqtt_view view = { topic, (u32)len }, left;

	if (!len || len > KMQTT_STRING_MAX)
		return false;
	left = behind_plain(topic, len);
	if (left.len && (!kmqtt_utf8_valid(left.data, left.len) ||
			 has_wildcard(left.data, left.len)))
		return false;
	return len < KMQTT_TOPIC_LEVELS_MAX || kmqtt_topic_levels(view) <= KMQTT_TOPIC_LEVELS_MAX;
}

/* The rules of 4.7.1 for wildcards, and our limit on levels. */
static bool filter_levels_valid(struct kmqtt_view filter)
{
	struct kmqtt_view rest = filter, level;
	unsigned int levels = 0;

	while (kmqtt_level_next(&rest, &level)) {
		if (++levels > KMQTT_TOPIC_LEVELS_MAX)
			return false;
		if (level_is(level, '+'))
			continue;
		if (level_is(level, '#'))
			return !rest.data;
		if (level.len && has_wildcard(level.data, level.len))
			return false;
	}
	return true;
}

bool kmqtt_topic_filter_valid(const u8 *filter, size_t len)
{
	struct kmqtt_view view = { filter, (u32)len }, name;

	if (!text_valid(filter, len))
		return false;
	if (len >= SHARE_PREFIX_LEN && !memcmp(filter, share_prefix, SHARE_PREFIX_LEN)) {
		if (!kmqtt_share_split(view, &name, &view))
			return false;
		if (has_wildcard(name.data, name.len))
			return false;
	}
	return filter_levels_valid(view);
}

bool kmqtt_share_split(struct kmqtt_view full, struct kmqtt_view *name, struct kmqtt_view *filter)
{
	const u8 *begin, *slash = NULL;
	u32 left;

	if (full.len > SHARE_PREFIX_LEN && !memcmp(full.data, share_prefix, SHARE_PREFIX_LEN)) {
		begin = full.data + SHARE_PREFIX_LEN;
		left = full.len - SHARE_PREFIX_LEN;
		slash = memchr(begin, '/', left);
	}
	/* Neither the name nor the filter may be empty. */
	if (!slash || slash == begin || slash + 1 == begin + left) {
		name->data = NULL;
		name->len = 0;
		*filter = full;
		return false;
	}

	name->data = begin;
	name->len = slash - begin;
	filter->data = slash + 1;
	filter->len = left - name->len - 1;
	return true;
}

bool kmqtt_topic_matches(struct kmqtt_view filter, struct kmqtt_view topic)
{
	struct kmqtt_view want, have;

	if (begins_with_dollar(topic) && begins_with_wildcard(filter))
		return false;

	while (kmqtt_level_next(&filter, &want)) {
		if (level_is(want, '#'))
			return true;
		if (!kmqtt_level_next(&topic, &have))
			return false;
		if (!level_is(want, '+') && !kmqtt_view_equal(want, have))
			return false;
	}
	return !topic.data;
}

bool kmqtt_filter_covers(struct kmqtt_view a, struct kmqtt_view b)
{
	struct kmqtt_view in_a, in_b;
	bool first = true, there = true;

	if (begins_with_dollar(b) && begins_with_wildcard(a))
		return false;

	while (kmqtt_level_next(&a, &in_a)) {
		if (level_is(in_a, '#'))
			return true;
		if (!kmqtt_level_next(&b, &in_b))
			return false;
		/*
		 * Some topic that b matches may have no level here. But every topic has a first
		 * one, and a second one if the first is empty, for no topic is empty: so "+/#"
		 * covers "#", and "/+/#" covers "/#".
		 */
		if (level_is(in_b, '#'))
			return there && level_is(in_a, '+') && level_is(a, '#');
		if (!level_is(in_a, '+') &&
		    (level_is(in_b, '+') || !kmqtt_view_equal(in_a, in_b)))
			return false;
		there = first && !in_b.len;
		first = false;
	}
	return !b.data;
}

bool kmqtt_filter_has_wildcard(struct kmqtt_view filter)
{
	return has_wildcard(filter.data, filter.len);
}

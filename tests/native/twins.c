// SPDX-License-Identifier: GPL-2.0-only
#include "proto/packet.h"
#include "twins.h"

/* How many bytes does a sequence have that begins like this, by its top bits alone? */
static unsigned int lead_size(u8 lead)
{
	if (!(lead & 0x80))
		return 1;
	if ((lead & 0xe0) == 0xc0)
		return 2;
	if ((lead & 0xf0) == 0xe0)
		return 3;
	if ((lead & 0xf8) == 0xf0)
		return 4;
	return 0;
}

bool slow_utf8_valid(const u8 *s, size_t len)
{
	static const u32 smallest[] = { 0, 0x01, 0x80, 0x800, 0x10000 };
	unsigned int size, i;
	u32 point;

	for (; len; s += size, len -= size) {
		size = lead_size(*s);
		if (!size || size > len)
			return false;
		point = size == 1 ? *s : *s & (0x7f >> size);
		for (i = 1; i < size; i++) {
			if ((s[i] & 0xc0) != 0x80)
				return false;
			point = point << 6 | (s[i] & 0x3f);
		}
		if (point < smallest[size] || point > 0x10ffff ||
		    (point >= 0xd800 && point <= 0xdfff))
			return false;
	}
	return true;
}

/* Byte i, or 0 after the end; no valid name or filter contains a 0. */
static u8 at(struct kmqtt_view v, u32 i)
{
	return i < v.len ? v.data[i] : 0;
}

/* Does the filter from byte f on match the topic from byte t on? */
static bool match_from(struct kmqtt_view filter, u32 f, struct kmqtt_view topic, u32 t)
{
	if (at(filter, f) == '#')
		return true;
	/* "/#" matches the parent level too */
	if (t == topic.len && at(filter, f) == '/' && at(filter, f + 1) == '#')
		return true;
	if (f == filter.len || (t == topic.len && at(filter, f) != '+'))
		return f == filter.len && t == topic.len;
	if (at(filter, f) == '+') {
		if (t < topic.len && at(topic, t) != '/')
			return match_from(filter, f, topic, t + 1);
		return match_from(filter, f + 1, topic, t);
	}
	return at(filter, f) == at(topic, t) && match_from(filter, f + 1, topic, t + 1);
}

bool slow_topic_matches(struct kmqtt_view filter, struct kmqtt_view topic)
{
	if (at(topic, 0) == '$' && (at(filter, 0) == '+' || at(filter, 0) == '#'))
		return false;
	return match_from(filter, 0, topic, 0);
}

bool slow_filter_valid(struct kmqtt_view filter)
{
	u32 i;

	for (i = 0; i < filter.len; i++) {
		bool begins = !i || filter.data[i - 1] == '/';
		bool ends = i + 1 == filter.len || filter.data[i + 1] == '/';

		if (filter.data[i] == '+' && !(begins && ends))
			return false;
		if (filter.data[i] == '#' && !(begins && i + 1 == filter.len))
			return false;
	}
	return filter.len;
}

u32 slow_run(const u8 *p, size_t left, u8 version, u32 *len, u32 *bytes)
{
	struct kmqtt_view topic = { NULL, 0 };
	struct kmqtt_publish pub;
	struct kmqtt_fixed f;
	u32 count = 0;
	u8 rc;

	*len = 0;
	*bytes = 0;
	while (kmqtt_fixed_decode(p, left, &f, &rc) > 0 && f.type == KMQTT_PUBLISH &&
	       left >= f.hdr_len + f.remaining &&
	       !kmqtt_publish_decode(&f, p + f.hdr_len, version, &pub)) {
		if (f.hdr_len > 3 || pub.qos || pub.retain || pub.dup || pub.props.raw.len ||
		    (topic.data && !kmqtt_view_equal(topic, pub.topic)))
			break;
		topic = pub.topic;
		*len += f.hdr_len + f.remaining;
		*bytes += pub.topic.len + pub.payload.len;
		p += f.hdr_len + f.remaining;
		left -= f.hdr_len + f.remaining;
		count++;
	}
	return count;
}

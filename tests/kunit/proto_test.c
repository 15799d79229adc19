// SPDX-License-Identifier: GPL-2.0-only
/*
 * The protocol layer as it is in the module: the packets of the native unit run, under KASAN. That
 * run covers far more; this one shows that the kernel's build of the same files is no other.
 */
#include <kunit/test.h>
#include <linux/ctype.h>
#include <linux/hex.h>
#include <linux/slab.h>

#include "proto/packet.h"
#include "proto/topic.h"
#include "proto/utf8.h"

#include "../native/vectors_valid.c"
#include "../native/vectors_other.c"

/* Make bytes of the form that bytes_parse() of the native run describes; -1 if it is another. */
static int parse_text(const char *text, u8 *out, size_t cap)
{
	unsigned int len = 0, size, n;
	const char *part;
	u8 byte;

	for (; *text; text++) {
		if (isspace(*text))
			continue;
		n = 1;
		if (*text == '@')
			for (n = 0, text++; isdigit(*text); text++)
				n = n * 10 + *text - '0';
		if (*text == '\'') {
			part = text + 1;
			text = strchr(part, '\'');
			if (!text)
				return -1;
			size = text - part;
		} else {
			if (hex2bin(&byte, text, 1))
				return -1;
			part = (const char *)&byte;
			size = 1;
			text++;
		}
		for (; n; n--, len += size) {
			if (len + size > cap)
				return -1;
			memcpy(out + len, part, size);
		}
	}
	return len;
}

static u8 decode_body(const struct kmqtt_fixed *f, const u8 *body, u8 version, void *out)
{
	switch (f->type) {
	case KMQTT_CONNECT:
		return kmqtt_connect_decode(f, body, out);
	case KMQTT_CONNACK:
		return kmqtt_connack_decode(f, body, version, out);
	case KMQTT_PUBLISH:
		return kmqtt_publish_decode(f, body, version, out);
	case KMQTT_SUBSCRIBE:
		return kmqtt_subscribe_decode(f, body, version, out);
	case KMQTT_SUBACK:
		return kmqtt_suback_decode(f, body, version, out);
	case KMQTT_UNSUBSCRIBE:
		return kmqtt_unsubscribe_decode(f, body, version, out);
	case KMQTT_UNSUBACK:
		return kmqtt_unsuback_decode(f, body, version, out);
	case KMQTT_DISCONNECT:
		return kmqtt_disconnect_decode(f, body, version, out);
	case KMQTT_AUTH:
		return kmqtt_auth_decode(f, body, version, out);
	case KMQTT_PINGREQ:
	case KMQTT_PINGRESP:
		return 0;
	default:
		return kmqtt_ack_decode(f, body, version, out);
	}
}

/* The reason code for a packet, whose body is in a block of exactly its size. */
static u8 receive(struct kunit *test, const struct vector *v, u8 *buf, size_t cap)
{
	u8 hdr[KMQTT_FIXED_MAX] = { v->first }, rc = 0, *body;
	struct kmqtt_connect *largest;
	struct kmqtt_fixed f;
	int len;

	len = parse_text(v->body, buf, cap);
	KUNIT_ASSERT_GE_MSG(test, len, 0, "%s", v->name);
	if (kmqtt_fixed_decode(hdr, kmqtt_varint_encode(hdr + 1, len) - hdr, &f, &rc) < 0)
		return rc;
	KUNIT_EXPECT_EQ(test, f.remaining, (u32)len);

	body = kunit_kmalloc(test, len, GFP_KERNEL);
	largest = kunit_kzalloc(test, sizeof(*largest), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, body);
	KUNIT_ASSERT_NOT_NULL(test, largest);
	memcpy(body, buf, len);
	rc = decode_body(&f, body, v->version, largest);
	kunit_kfree(test, largest);
	kunit_kfree(test, body);
	return rc;
}

static void run_vectors(struct kunit *test, const struct vector *v)
{
	const size_t cap = 4096;
	u8 *buf = kunit_kmalloc(test, cap, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, buf);
	for (; v->name; v++)
		KUNIT_EXPECT_EQ_MSG(test, receive(test, v, buf, cap), v->rc, "%s", v->name);
}

static void proto_valid(struct kunit *test)
{
	run_vectors(test, vectors_valid);
}

static void proto_tolerated(struct kunit *test)
{
	run_vectors(test, vectors_tolerated);
}

static void proto_refused(struct kunit *test)
{
	run_vectors(test, vectors_refused);
}

/* Every way of writing numbers: one, two, four bytes, and variable. */
static void proto_publish_head(struct kunit *test)
{
	static const u8 want[] = {
		0x3b, 0x14, 0x00, 0x01, 't', 0x12, 0x34, 0x0e,
		0x02, 0x01, 0x02, 0x03, 0x04, 0x0b, 0x80, 0x01, 0x23, 0x05, 0x06,
	};
	static const u32 ids[] = { 128 };
	const struct kmqtt_publish_head head = {
		.dup = true, .qos = 1, .retain = true, .packet_id = 0x1234, .has_expiry = true,
		.message_expiry = 0x01020304, .topic_alias = 0x0506, .sub_ids = ids,
		.n_sub_ids = 1, .topic = { (const u8 *)"t", 1 }, .props_len = 3, .payload_len = 0,
	};
	u8 buf[sizeof(want)];

	KUNIT_EXPECT_EQ(test, kmqtt_publish_head_encode(NULL, 0, KMQTT_V5, &head),
			(int)sizeof(want));
	KUNIT_EXPECT_EQ(test, kmqtt_publish_head_encode(buf, sizeof(buf), KMQTT_V5, &head),
			(int)sizeof(want));
	KUNIT_EXPECT_MEMEQ(test, buf, want, sizeof(want));
}

/* Words are compared without regard to their byte order or place. */
static void proto_utf8(struct kunit *test)
{
	static const u8 text[] = "0123456789abcdef\xc3\xa4 0123456789abcdef";
	u8 *copy = kunit_kmalloc(test, sizeof(text) - 1, GFP_KERNEL);
	size_t i;

	KUNIT_ASSERT_NOT_NULL(test, copy);
	memcpy(copy, text, sizeof(text) - 1);
	for (i = 0; i < 16; i++)
		KUNIT_EXPECT_TRUE(test, kmqtt_utf8_valid(copy + i, sizeof(text) - 1 - i));
	for (i = 0; i < sizeof(text) - 1; i++) {
		copy[i] = 0;
		KUNIT_EXPECT_FALSE(test, kmqtt_utf8_valid(copy, sizeof(text) - 1));
		copy[i] = text[i];
	}
}

static void proto_topic(struct kunit *test)
{
	const struct kmqtt_view filter = { (const u8 *)"a/+/#", 5 };
	const struct kmqtt_view narrow = { (const u8 *)"a/b", 3 };
	const struct kmqtt_view other = { (const u8 *)"b/b", 3 };

	KUNIT_EXPECT_TRUE(test, kmqtt_topic_filter_valid(filter.data, filter.len));
	KUNIT_EXPECT_FALSE(test, kmqtt_topic_name_valid(filter.data, filter.len));
	KUNIT_EXPECT_TRUE(test, kmqtt_topic_matches(filter, narrow));
	KUNIT_EXPECT_FALSE(test, kmqtt_topic_matches(filter, other));
	KUNIT_EXPECT_TRUE(test, kmqtt_filter_covers(filter, narrow));
	KUNIT_EXPECT_FALSE(test, kmqtt_filter_covers(narrow, filter));
}

static struct kunit_case proto_cases[] = {
	KUNIT_CASE(proto_valid),
	KUNIT_CASE(proto_tolerated),
	KUNIT_CASE(proto_refused),
	KUNIT_CASE(proto_publish_head),
	KUNIT_CASE(proto_utf8),
	KUNIT_CASE(proto_topic),
	{}
};

static struct kunit_suite proto_suite = {
	.name = "kmqtt_proto",
	.test_cases = proto_cases,
};

kunit_test_suite(proto_suite);

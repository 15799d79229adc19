// SPDX-License-Identifier: GPL-2.0-only
/* Packets written down by hand: taken or refused, cut at every byte, changed at every byte. */
#include "any.h"
#include "bytes.h"
#include "tap.h"
#include "tests.h"
#include "vectors.h"

static struct kmqtt_fixed fixed_of(const struct vector *v, u32 remaining)
{
	struct kmqtt_fixed f = {
		v->first >> 4, v->first & 0x0f, (u8)(1 + kmqtt_varint_size(remaining)), remaining
	};

	return f;
}

/* The whole packet: first byte, Remaining Length, body. */
static struct bytes whole(const struct vector *v, struct bytes body)
{
	u8 hdr[KMQTT_FIXED_MAX] = { v->first };
	struct bytes head = bytes_copy(hdr, kmqtt_varint_encode(hdr + 1, body.len) - hdr);
	struct bytes packet = bytes_join(head, body);

	bytes_free(&head);
	return packet;
}

/* As a receiver does it: fixed header first, then the body. */
static u8 receive(struct bytes packet, u8 version, struct any_packet *out)
{
	struct kmqtt_fixed f;
	struct bytes body;
	u8 rc = 0;
	int hdr;

	hdr = kmqtt_fixed_decode(packet.data, packet.len, &f, &rc);
	if (hdr < 0)
		return rc;
	if (!hdr || f.remaining != packet.len - (u32)hdr)
		return 0xff;
	body = bytes_copy(packet.data + hdr, f.remaining);
	rc = any_decode(&f, body.data, version, out);
	if (!rc) {
		const char *wrong = any_round_trip(out);

		if (wrong) {
			diag("%s", wrong);
			rc = 0xfe;
		}
	}
	bytes_free(&body);
	return rc;
}

static void test_valid(const struct vector *v, bool canonical)
{
	struct bytes body = bytes_parse(v->body), packet = whole(v, body), back;
	struct any_packet a;
	struct kmqtt_fixed f = fixed_of(v, body.len);
	u8 rc = receive(packet, v->version, &a);

	ok(!rc, "%s", v->name);
	if (rc)
		diag("reason code 0x%02x", rc);
	if (canonical && !rc) {
		any_decode(&f, body.data, v->version, &a);
		back = bytes_copy(packet.data, packet.len);
		memset(back.data, 0xee, back.len);
		ok(any_encode(back.data, back.len, &a) == (int)packet.len &&
		   !memcmp(back.data, packet.data, packet.len), "%s: encoded again", v->name);
		bytes_free(&back);
	}
	bytes_free(&packet);
	bytes_free(&body);
}

/* The head of a PUBLISH that is wholly there is not said to want more. */
static void test_head_refused(const struct vector *v)
{
	struct bytes body = bytes_parse(v->body);
	struct kmqtt_fixed f = fixed_of(v, body.len);
	struct kmqtt_publish pub;
	u8 rc = 0;
	int ret;

	ret = kmqtt_publish_head_decode(&f, body.data, body.len, v->version, KMQTT_VIEW_NONE,
					&pub, &rc);
	ok(ret == -EINVAL && rc == v->rc, "head refused with 0x%02x: %s", v->rc, v->name);
	bytes_free(&body);
}

static void test_refused(const struct vector *v)
{
	struct bytes body = bytes_parse(v->body), packet = whole(v, body);
	struct any_packet a;
	u8 rc = receive(packet, v->version, &a);

	ok(rc == v->rc, "refused with 0x%02x: %s", v->rc, v->name);
	if (rc != v->rc)
		diag("reason code 0x%02x", rc);
	bytes_free(&packet);
	bytes_free(&body);
}

/* A fixed header that comes byte by byte. */
static void test_fixed_restart(const struct vector *v)
{
	struct bytes body = bytes_parse(v->body), packet = whole(v, body), part;
	struct kmqtt_fixed f, want = fixed_of(v, body.len);
	bool pass = true;
	int hdr;
	u8 rc;

	for (u32 n = 0; n <= packet.len; n++) {
		part = bytes_copy(packet.data, n);
		hdr = kmqtt_fixed_decode(part.data, n, &f, &rc);
		if (n < want.hdr_len)
			pass &= !hdr;
		else
			pass &= hdr == want.hdr_len && f.type == want.type &&
				f.flags == want.flags && f.hdr_len == want.hdr_len &&
				f.remaining == want.remaining;
		bytes_free(&part);
	}
	ok(pass, "%s: header byte by byte", v->name);
	bytes_free(&packet);
	bytes_free(&body);
}

/* The head of a PUBLISH that comes byte by byte. */
static void test_head_restart(const struct vector *v)
{
	struct bytes body = bytes_parse(v->body), part;
	struct kmqtt_fixed f = fixed_of(v, body.len);
	struct kmqtt_publish all, pub;
	bool pass = !kmqtt_publish_decode(&f, body.data, v->version, &all);
	u32 head = body.len - all.payload.len;
	int ret;
	u8 rc;

	for (u32 n = 0; n <= body.len; n++) {
		part = bytes_copy(body.data, n);
		ret = kmqtt_publish_head_decode(&f, part.data, n, v->version, KMQTT_VIEW_NONE,
						&pub, &rc);
		if (n < head)
			pass &= !ret;
		else
			pass &= ret == (int)head && pub.payload.data == part.data + head &&
				pub.payload.len == all.payload.len &&
				pub.packet_id == all.packet_id &&
				kmqtt_view_equal(pub.topic, all.topic) &&
				pub.props.present == all.props.present;
		bytes_free(&part);
	}
	ok(pass, "%s: head byte by byte", v->name);
	bytes_free(&body);
}

static bool rc_known(u8 rc)
{
	return rc == 0x81 || rc == 0x82 || rc == 0x84 || rc == 0x85 || rc == 0x8f || rc == 0x90 ||
	       rc == 0x94;
}

/*
 * Bodies that are shorter than they should be: nothing beyond them is read (they have blocks of
 * their own), and what is taken nevertheless is sound.
 */
static void test_truncated(const struct vector *v)
{
	struct bytes body = bytes_parse(v->body), part;
	struct any_packet a;
	bool pass = true;

	for (u32 n = 0; n < body.len; n++) {
		struct kmqtt_fixed f = fixed_of(v, n);
		u8 rc;

		part = bytes_copy(body.data, n);
		rc = any_decode(&f, part.data, v->version, &a);
		pass &= rc ? rc_known(rc) : !any_round_trip(&a);
		bytes_free(&part);
	}
	ok(pass, "%s: cut at every byte", v->name);
	bytes_free(&body);
}

/* Each byte with each value: what is not refused with a known reason code is sound. */
static void test_changed(const struct vector *v)
{
	struct bytes body = bytes_parse(v->body);
	struct kmqtt_fixed f = fixed_of(v, body.len);
	struct any_packet a;
	bool pass = true;

	for (u32 at = 0; at < body.len && pass; at++) {
		u8 saved = body.data[at];

		for (u32 val = 0; val < 256 && pass; val++) {
			u8 rc;

			body.data[at] = (u8)val;
			rc = any_decode(&f, body.data, v->version, &a);
			pass &= rc ? rc_known(rc) : !any_round_trip(&a);
			if (!pass)
				diag("byte %u as 0x%02x: 0x%02x", at, val, rc);
		}
		body.data[at] = saved;
	}
	ok(pass, "%s: each byte with each value", v->name);
	bytes_free(&body);
}

static void test_header_limits(void)
{
	static const struct {
		const char *bytes;
		u32 remaining;
	} good[] = {
		{ "30 02", 2 }, { "30 7f", 127 }, { "30 8001", 128 }, { "30 ffffff7f", 268435455 },
	};
	static const char * const bad[] = {
		"30 8000", "30 80808000", "30 80808080", "30 ffffffff", "c0 01", "d0 8001",
		"00", "36", "38", "60", "80", "a1", "f8",
	};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct bytes b = bytes_parse(good[i].bytes);
		struct kmqtt_fixed f;
		u8 rc;

		ok(kmqtt_fixed_decode(b.data, b.len, &f, &rc) == (int)b.len &&
		   f.remaining == good[i].remaining, "fixed: %s", good[i].bytes);
		bytes_free(&b);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct bytes b = bytes_parse(bad[i]);
		struct kmqtt_fixed f;
		u8 rc = 0;

		ok(kmqtt_fixed_decode(b.data, b.len, &f, &rc) == -EINVAL && rc == 0x81,
		   "fixed: %s is refused", bad[i]);
		bytes_free(&b);
	}
}

void test_vectors(void)
{
	const struct vector *v;

	test_header_limits();
	for (v = vectors_valid; v->name; v++) {
		test_valid(v, true);
		test_fixed_restart(v);
		test_truncated(v);
		test_changed(v);
		if (v->first >> 4 == KMQTT_PUBLISH)
			test_head_restart(v);
	}
	for (v = vectors_tolerated; v->name; v++)
		test_valid(v, false);
	for (v = vectors_refused; v->name; v++) {
		test_refused(v);
		if (v->first >> 4 == KMQTT_PUBLISH && (v->first & 0x0f) <= 0x04)
			test_head_refused(v);
	}
}

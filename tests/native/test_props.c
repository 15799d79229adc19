// SPDX-License-Identifier: GPL-2.0-only
/* Every property in every packet: allowed or not, twice, out of range, cut off. */
#include <stdio.h>
#include <stdlib.h>

#include "any.h"
#include "bytes.h"
#include "tap.h"
#include "tests.h"

/* One letter per packet, as the rows below use them. */
static const struct packet {
	char letter;
	u8 type;
	u8 first;
	const char *before;
	const char *after;
} packets[] = {
	{ 'C', KMQTT_CONNECT, 0x10, "0004'MQTT' 05 02 003c", "0001'c'" },
	{ 'W', KMQTT_CONNECT, 0x10, "0004'MQTT' 05 06 003c 00 0001'c'", "0001't' 0001'm'" },
	{ 'c', KMQTT_CONNACK, 0x20, "00 00", "" },
	{ 'P', KMQTT_PUBLISH, 0x32, "0001't' 0001", "'payload'" },
	{ 'a', KMQTT_PUBACK, 0x40, "0001 00", "" },
	{ 'r', KMQTT_PUBREC, 0x50, "0001 00", "" },
	{ 'l', KMQTT_PUBREL, 0x62, "0001 00", "" },
	{ 'p', KMQTT_PUBCOMP, 0x70, "0001 00", "" },
	{ 'S', KMQTT_SUBSCRIBE, 0x82, "0001", "0001't' 00" },
	{ 's', KMQTT_SUBACK, 0x90, "0001", "00" },
	{ 'U', KMQTT_UNSUBSCRIBE, 0xa2, "0001", "0001't'" },
	{ 'u', KMQTT_UNSUBACK, 0xb0, "0001", "00" },
	{ 'D', KMQTT_DISCONNECT, 0xe0, "00", "" },
	{ 'A', KMQTT_AUTH, 0xf0, "18", "" },
};

/* Table 2-4 of MQTT 5.0, and the values that each section allows or forbids. */
static const struct row {
	u8 id;
	const char *where;
	const char *good[3];
	const char *bad[4];
	u8 rc;
} rows[] = {
	{ 0x01, "PW", { "00", "01" }, { "02", "ff" }, 0x82 },
	{ 0x02, "PW", { "00000000", "ffffffff" }, { NULL }, 0 },
	{ 0x03, "PW", { "0000", "0004'text'" }, { "0001 00", "0001 ff" }, 0x81 },
	{ 0x08, "PW", { "0003'a/b'", "0004'$a/b'" }, { "0000", "0001'#'", "0003'a/+'" }, 0x82 },
	{ 0x09, "PW", { "0000", "0003 00ff80" }, { NULL }, 0 },
	{ 0x0b, "PS", { "01", "ffffff7f" }, { "00" }, 0x82 },
	{ 0x11, "CcD", { "00000000", "ffffffff" }, { NULL }, 0 },
	{ 0x12, "c", { "0000", "0002'id'" }, { "0002 c080" }, 0x81 },
	{ 0x13, "c", { "0000", "ffff" }, { NULL }, 0 },
	{ 0x15, "CcA", { "0000", "0001'm'" }, { "0003 eda080" }, 0x81 },
	{ 0x16, "CcA", { "0000", "0002 00ff" }, { NULL }, 0 },
	{ 0x17, "C", { "00", "01" }, { "02" }, 0x82 },
	{ 0x18, "W", { "00000000", "ffffffff" }, { NULL }, 0 },
	{ 0x19, "C", { "00", "01" }, { "02" }, 0x82 },
	{ 0x1a, "c", { "0000", "0002'ri'" }, { "0001 00" }, 0x81 },
	{ 0x1c, "cD", { "0000", "0006'server'" }, { "0001 80" }, 0x81 },
	{ 0x1f, "carlpsuDA", { "0000", "0002'rs'" }, { "0001 80" }, 0x81 },
	{ 0x21, "Cc", { "0001", "ffff" }, { "0000" }, 0x82 },
	{ 0x22, "Cc", { "0000", "ffff" }, { NULL }, 0 },
	{ 0x23, "P", { "0001", "ffff" }, { "0000" }, 0x94 },
	{ 0x24, "c", { "00", "01" }, { "02" }, 0x82 },
	{ 0x25, "c", { "00", "01" }, { "02" }, 0x82 },
	{ 0x26, "CWcParlpSsUuDA", { "0000 0000", "0001'k' 0001'v'" },
	  { "0001 00 0000", "0000 0001 ff" }, 0x81 },
	{ 0x27, "Cc", { "00000001", "ffffffff" }, { "00000000" }, 0x82 },
	{ 0x28, "c", { "00", "01" }, { "02" }, 0x82 },
	{ 0x29, "c", { "00", "01" }, { "02" }, 0x82 },
	{ 0x2a, "c", { "00", "01" }, { "02" }, 0x82 },
};

static const struct row *row_of(u8 id)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].id == id)
			return &rows[i];
	return NULL;
}

/* An AUTH and Authentication Data are not without a method. */
static const char *companion(const struct packet *p, u8 id)
{
	return id != 0x15 && (p->letter == 'A' || id == 0x16) ? "15 0001'm'" : "";
}

/* A body of packet p that says it has declared bytes of properties, and has those of block. */
static struct bytes make_body(const struct packet *p, const char *block, int declared)
{
	struct bytes props = bytes_parse(block), body;
	char text[600];

	snprintf(text, sizeof(text), "%s %02x %s %s", p->before,
		 declared < 0 ? props.len : (u32)declared, block, p->after);
	body = bytes_parse(text);
	bytes_free(&props);
	return body;
}

static u8 decode_body(const struct packet *p, struct bytes body, struct any_packet *out)
{
	struct kmqtt_fixed f = { p->type, p->first & 0x0f, 2, body.len };

	return any_decode(&f, body.data, KMQTT_V5, out);
}

static const struct kmqtt_props *props_of(const struct packet *p, const struct any_packet *a)
{
	return p->letter == 'W' ? &a->connect.will.props : any_props(a);
}

/* Is it taken, is it there, and does it come out of the encoder again? */
static bool taken(const struct packet *p, const char *block, u8 id)
{
	struct bytes body = make_body(p, block, -1);
	struct any_packet a;
	const char *wrong = NULL;
	u8 rc = decode_body(p, body, &a);
	bool pass = !rc && kmqtt_props_has(props_of(p, &a), id);

	if (pass)
		wrong = any_round_trip(&a);
	if (!pass || wrong)
		diag("%s: %s: 0x%02x %s", kmqtt_packet_name(p->type), block, rc,
		     wrong ? wrong : "");
	bytes_free(&body);
	return pass && !wrong;
}

static bool refused(const struct packet *p, const char *block, int declared, u8 want)
{
	struct bytes body = make_body(p, block, declared);
	struct any_packet a;
	u8 rc = decode_body(p, body, &a);

	if (rc != want)
		diag("%s: %s: 0x%02x, not 0x%02x", kmqtt_packet_name(p->type), block, rc, want);
	bytes_free(&body);
	return rc == want;
}

static void test_one(const struct packet *p, const struct row *row)
{
	const char *also = companion(p, row->id);
	bool repeats = row->id == 0x26 || (row->id == 0x0b && p->letter == 'P');
	bool pass = true;
	char block[200];

	for (size_t i = 0; i < ARRAY_SIZE(row->good) && row->good[i]; i++) {
		snprintf(block, sizeof(block), "%s %02x %s", also, row->id, row->good[i]);
		pass &= taken(p, block, row->id);
		snprintf(block, sizeof(block), "%s %02x %s %02x %s", also, row->id, row->good[0],
			 row->id, row->good[i]);
		pass &= repeats ? taken(p, block, row->id) : refused(p, block, -1, 0x82);
	}
	for (size_t i = 0; i < ARRAY_SIZE(row->bad) && row->bad[i]; i++) {
		snprintf(block, sizeof(block), "%s %02x %s", also, row->id, row->bad[i]);
		pass &= refused(p, block, -1, row->rc);
	}
	ok(pass, "props: 0x%02x in %s%s", row->id, kmqtt_packet_name(p->type),
	   p->letter == 'W' ? " will" : "");
}

static void test_not_allowed(const struct packet *p)
{
	bool pass = true;
	char block[64];

	for (u32 id = 0; id < 256; id++) {
		const struct row *row = row_of((u8)id);

		if (row && strchr(row->where, p->letter))
			continue;
		snprintf(block, sizeof(block), "%02x %s", id, row ? row->good[1] : "01 01 01 01");
		pass &= refused(p, block, -1, 0x81);
		snprintf(block, sizeof(block), "%02x", id);
		pass &= refused(p, block, -1, 0x81);
	}
	ok(pass, "props: all others are malformed in %s%s", kmqtt_packet_name(p->type),
	   p->letter == 'W' ? " will" : "");
}

/* A block that ends in the middle of a property, while the packet goes on. */
static void test_cut(const struct packet *p)
{
	bool pass = true;
	char text[64];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct bytes value = bytes_parse(rows[i].good[1]);

		if (strchr(rows[i].where, p->letter)) {
			snprintf(text, sizeof(text), "%02x %s", rows[i].id, rows[i].good[1]);
			for (u32 cut = 1; cut <= value.len; cut++)
				pass &= refused(p, text, (int)cut, 0x81);
		}
		bytes_free(&value);
	}
	ok(pass, "props: cut off anywhere in %s%s", kmqtt_packet_name(p->type),
	   p->letter == 'W' ? " will" : "");
}

static void test_values(void)
{
	struct bytes b = bytes_parse("11 00000e10 12 0002'id' 13 003c 15 0001'm' 16 0002 00ff"
				     "1a 0001'i' 1c 0001's' 1f 0001'r' 21 0014 22 000a 24 01 25 00"
				     "26 0001'k' 0001'v' 26 0001'k' 0001'w' 27 00100000 28 00 29 00"
				     "2a 00");
	struct kmqtt_props p;

	ok(!kmqtt_props_parse(bytes_view(b), KMQTT_CONNACK, &p), "props: a full CONNACK");
	ok(p.session_expiry == 3600 && p.server_keep_alive == 60 && p.receive_max == 20 &&
	   p.topic_alias_max == 10 && p.max_qos == 1 && !p.retain_available &&
	   p.user_props == 2 && p.max_packet_size == 0x100000 && !p.wildcard_sub_available &&
	   !p.sub_id_available && !p.shared_sub_available, "props: its numbers");
	ok(kmqtt_view_equal(p.assigned_client_id, text_view("id")) &&
	   kmqtt_view_equal(p.auth_method, text_view("m")) && p.auth_data.len == 2 &&
	   kmqtt_view_equal(p.response_info, text_view("i")) &&
	   kmqtt_view_equal(p.server_reference, text_view("s")) &&
	   kmqtt_view_equal(p.reason_string, text_view("r")), "props: its strings");
	ok(p.raw.data == b.data && p.raw.len == b.len, "props: the block itself");
	bytes_free(&b);

	b = bytes_parse("01 01 02 00000007 03 0001'c' 08 0001'r' 09 0001 00 0b 05 0b 06 23 0009");
	ok(!kmqtt_props_parse(bytes_view(b), KMQTT_PUBLISH, &p) && p.payload_format == 1 &&
	   p.message_expiry == 7 && p.sub_id == 5 && p.sub_ids == 2 && p.topic_alias == 9 &&
	   kmqtt_view_equal(p.content_type, text_view("c")) &&
	   kmqtt_view_equal(p.response_topic, text_view("r")) && p.correlation_data.len == 1,
	   "props: a full PUBLISH");
	bytes_free(&b);

	b = bytes_parse("17 00 19 01");
	ok(!kmqtt_props_parse(bytes_view(b), KMQTT_CONNECT, &p) && !p.request_problem_info &&
	   p.request_response_info, "props: of a CONNECT");
	bytes_free(&b);
	b = bytes_parse("18 00000005");
	ok(!kmqtt_props_parse(bytes_view(b), KMQTT_WILL, &p) && p.will_delay == 5,
	   "props: of a will");
	bytes_free(&b);
}

static void test_absent(void)
{
	struct kmqtt_props p;
	struct bytes b = bytes_parse("00");
	size_t used = 0;

	memset(&p, 0xaa, sizeof(p));
	ok(!kmqtt_props_decode(b.data, b.len, KMQTT_CONNACK, &p, &used) && used == 1 &&
	   !p.present, "props: none");
	ok(p.receive_max == 65535 && p.max_packet_size == 0xffffffff && p.max_qos == 2 &&
	   p.retain_available && p.wildcard_sub_available && p.sub_id_available &&
	   p.shared_sub_available && p.request_problem_info && !p.session_expiry &&
	   !p.topic_alias_max && !p.request_response_info && !p.reason_string.data,
	   "props: what absence means");
	ok(kmqtt_props_size(&p) == 1 && kmqtt_props_encodable(&p, KMQTT_CONNACK),
	   "props: none take one byte");
	bytes_free(&b);
}

static void test_from(void)
{
	struct kmqtt_props p;
	bool right = true;

	kmqtt_props_init(&p);
	p.present = KMQTT_PROP_BIT(KMQTT_PROP_SUBSCRIPTION_ID);
	right &= !kmqtt_props_allowed(&p, KMQTT_PUBLISH, false);
	right &= kmqtt_props_allowed(&p, KMQTT_PUBLISH, true);
	right &= kmqtt_props_allowed(&p, KMQTT_SUBSCRIBE, false);
	p.present = KMQTT_PROP_BIT(KMQTT_PROP_SESSION_EXPIRY);
	right &= kmqtt_props_allowed(&p, KMQTT_DISCONNECT, false);
	right &= !kmqtt_props_allowed(&p, KMQTT_DISCONNECT, true);
	right &= kmqtt_props_allowed(&p, KMQTT_CONNACK, true);
	p.present = KMQTT_PROP_BIT(KMQTT_PROP_SERVER_REFERENCE);
	right &= !kmqtt_props_allowed(&p, KMQTT_DISCONNECT, false);
	right &= kmqtt_props_allowed(&p, KMQTT_DISCONNECT, true);
	right &= kmqtt_props_allowed(&p, KMQTT_CONNACK, true);
	ok(right, "props: who may send what");
}

static void test_iterate(void)
{
	struct bytes b = bytes_parse("01 01 0b 8001 26 0001'k' 0002'vw' 23 0102 02 01020304 09 0000");
	static const u8 ids[] = { 0x01, 0x0b, 0x26, 0x23, 0x02, 0x09 };
	static const u32 nums[] = { 1, 128, 0, 0x0102, 0x01020304, 0 };
	struct kmqtt_view rest = bytes_view(b);
	struct kmqtt_prop prop;
	const u8 *at = b.data;
	u32 n = 0;

	while (kmqtt_prop_next(&rest, &prop)) {
		ok(n < ARRAY_SIZE(ids) && prop.id == ids[n] && prop.num == nums[n] &&
		   prop.raw.data == at, "iterate: 0x%02x", prop.id);
		at += prop.raw.len;
		if (prop.id == 0x26)
			ok(kmqtt_view_equal(prop.name, text_view("k")) &&
			   kmqtt_view_equal(prop.val, text_view("vw")), "iterate: a pair");
		n++;
	}
	ok(n == ARRAY_SIZE(ids) && !rest.len && at == b.data + b.len, "iterate: to the end");
	bytes_free(&b);

	b = bytes_parse("01 01 ff 00");
	rest = bytes_view(b);
	ok(kmqtt_prop_next(&rest, &prop) && !kmqtt_prop_next(&rest, &prop) && rest.len == 2,
	   "iterate: stops at what is no property");
	bytes_free(&b);
}

static void test_filter(void)
{
	struct bytes b = bytes_parse("02 00000001 01 01 0b 7f 26 0001'k' 0001'v' 0b 8001 23 0001");
	struct bytes want = bytes_parse("01 01 26 0001'k' 0001'v'");
	u64 omit = KMQTT_PROP_BIT(KMQTT_PROP_MESSAGE_EXPIRY) |
		   KMQTT_PROP_BIT(KMQTT_PROP_SUBSCRIPTION_ID) |
		   KMQTT_PROP_BIT(KMQTT_PROP_TOPIC_ALIAS);
	struct bytes out = bytes_copy(want.data, kmqtt_props_filter_size(bytes_view(b), omit));

	memset(out.data, 0, out.len);
	ok(out.len == want.len, "filter: size");
	ok(kmqtt_props_filter_copy(out.data, bytes_view(b), omit) == out.data + out.len &&
	   !memcmp(out.data, want.data, want.len), "filter: copy");
	ok(kmqtt_props_filter_size(bytes_view(b), 0) == b.len &&
	   !kmqtt_props_filter_size(bytes_view(b), ~0ULL), "filter: nothing and everything");
	bytes_free(&out);
	bytes_free(&want);
	bytes_free(&b);
}

static void test_put(void)
{
	struct bytes want = bytes_parse("01 01 23 0102 02 01020304 0b 8001 03 0002'ct' 09 0000"
					"26 0001'k' 0002'vw'");
	struct kmqtt_view none = { };
	unsigned int size = KMQTT_PROP_SIZE_U8 + KMQTT_PROP_SIZE_U16 + KMQTT_PROP_SIZE_U32 +
			    kmqtt_prop_size_varint(128) + kmqtt_prop_size_str(2) +
			    kmqtt_prop_size_str(0) + kmqtt_prop_size_pair(1, 2);
	struct bytes out = bytes_copy(want.data, want.len);
	u8 *p = out.data;

	ok(size == want.len, "put: sizes");
	memset(out.data, 0, out.len);
	p = kmqtt_prop_put_u8(p, 0x01, 1);
	p = kmqtt_prop_put_u16(p, 0x23, 0x0102);
	p = kmqtt_prop_put_u32(p, 0x02, 0x01020304);
	p = kmqtt_prop_put_varint(p, 0x0b, 128);
	p = kmqtt_prop_put_str(p, 0x03, text_view("ct"));
	p = kmqtt_prop_put_str(p, 0x09, none);
	p = kmqtt_prop_put_pair(p, 0x26, text_view("k"), text_view("vw"));
	ok(p == out.data + out.len && !memcmp(out.data, want.data, want.len), "put: bytes");
	bytes_free(&out);
	bytes_free(&want);
}

void test_props(void)
{
	ok(ARRAY_SIZE(rows) == 27, "props: 27 of them");
	for (size_t i = 0; i < ARRAY_SIZE(packets); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(rows); j++)
			if (strchr(rows[j].where, packets[i].letter))
				test_one(&packets[i], &rows[j]);
		test_not_allowed(&packets[i]);
		test_cut(&packets[i]);
	}
	test_values();
	test_absent();
	test_from();
	test_iterate();
	test_filter();
	test_put();
}

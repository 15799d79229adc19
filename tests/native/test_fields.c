// SPDX-License-Identifier: GPL-2.0-only
/* What the decoders put into each member. */
#include "any.h"
#include "bytes.h"
#include "tap.h"
#include "tests.h"

/* Decode a body; the views stay valid until bytes_free(). */
static struct bytes decode(u8 first, u8 version, const char *text, struct any_packet *a, u8 *rc)
{
	struct bytes body = bytes_parse(text);
	struct kmqtt_fixed f = { first >> 4, first & 0x0f, 2, body.len };

	*rc = any_decode(&f, body.data, version, a);
	return body;
}

static bool says(struct kmqtt_view view, const char *text)
{
	return view.data && kmqtt_view_equal(view, text_view(text));
}

static void test_connect(void)
{
	struct any_packet a;
	struct bytes b;
	u8 rc;

	b = decode(0x10, 0, "0004'MQTT' 05 f6 0102 05 11 00000007 0002'id' 05 18 00000009"
			    "0001't' 0002'wm' 0004'user' 0004'pass'", &a, &rc);
	ok(!rc && a.connect.version == KMQTT_V5 && !a.connect.bridge && a.connect.clean_start &&
	   a.connect.keep_alive == 0x0102, "CONNECT: numbers");
	ok(says(a.connect.client_id, "id") && says(a.connect.user_name, "user") &&
	   says(a.connect.password, "pass"), "CONNECT: strings");
	ok(a.connect.will.qos == 2 && a.connect.will.retain && says(a.connect.will.topic, "t") &&
	   says(a.connect.will.payload, "wm"), "CONNECT: will");
	ok(a.connect.props.session_expiry == 7 && a.connect.will.props.will_delay == 9,
	   "CONNECT: both kinds of properties");
	bytes_free(&b);

	b = decode(0x10, 0, "0006'MQIsdp' 83 00 003c 0001'c'", &a, &rc);
	ok(!rc && a.connect.version == KMQTT_V31 && a.connect.bridge && !a.connect.clean_start,
	   "CONNECT: a bridge with 3.1");
	ok(!a.connect.will.topic.data && !a.connect.user_name.data && !a.connect.password.data,
	   "CONNECT: what it does not have");
	ok(a.connect.props.receive_max == 65535 && a.connect.will.props.receive_max == 65535,
	   "CONNECT: 3.x has the properties of absence");
	bytes_free(&b);

	b = decode(0x10, 0, "0006'MQIsdp' 03 c2 003c 0001'c' 0001'u'", &a, &rc);
	ok(!rc && says(a.connect.user_name, "u") && !a.connect.password.data,
	   "CONNECT: 3.1 with a password that is not there");
	bytes_free(&b);
}

static void test_connect_version(void)
{
	static const struct {
		const char *body;
		u8 version;
	} cases[] = {
		{ "0004'MQTT' 06 02 003c 0000", KMQTT_V5 },
		{ "0004'MQTT' ff 02 003c 0000", KMQTT_V5 },
		{ "0004'MQTT' 03 02 003c 0000", KMQTT_V311 },
		{ "0004'XXXX' 04 02 003c 0000", KMQTT_V311 },
		{ "0004'XXXX' 05 02 003c 0000", KMQTT_V5 },
		{ "0004'MQTT' 83 02 003c 0000", KMQTT_V311 },
		{ "0006'MQIsdp' 84 02 003c 0000", KMQTT_V311 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct any_packet a;
		u8 rc;
		struct bytes b = decode(0x10, 0, cases[i].body, &a, &rc);

		ok(rc == 0x84 && a.connect.version == cases[i].version,
		   "CONNECT: %s is to be answered with level %u", cases[i].body, cases[i].version);
		bytes_free(&b);
	}
}

static void test_connack(void)
{
	struct any_packet a;
	struct bytes b;
	u8 rc;

	b = decode(0x20, KMQTT_V5, "01 00 03 21 0007", &a, &rc);
	ok(!rc && a.connack.session_present && !a.connack.reason &&
	   a.connack.props.receive_max == 7, "CONNACK: 5.0");
	bytes_free(&b);
	b = decode(0x20, KMQTT_V311, "00 04", &a, &rc);
	ok(!rc && !a.connack.session_present && a.connack.reason == 0x86,
	   "CONNACK: a return code becomes a reason code");
	bytes_free(&b);
	b = decode(0x20, KMQTT_V31, "01 00", &a, &rc);
	ok(!rc && !a.connack.session_present, "CONNACK: 3.1 has no session present");
	bytes_free(&b);
}

static void test_publish(void)
{
	struct any_packet a;
	struct bytes b;
	u8 rc;

	b = decode(0x3d, KMQTT_V5, "0003'a/b' 1234 05 02 00000009 'pay'", &a, &rc);
	ok(!rc && a.publish.dup && a.publish.qos == 2 && a.publish.retain &&
	   a.publish.packet_id == 0x1234, "PUBLISH: flags and packet id");
	ok(says(a.publish.topic, "a/b") && says(a.publish.payload, "pay") &&
	   a.publish.props.message_expiry == 9, "PUBLISH: topic, payload, properties");
	ok(a.publish.topic.data == b.data + 2, "PUBLISH: in place");
	bytes_free(&b);
	b = decode(0x30, KMQTT_V311, "0001't' 00ff", &a, &rc);
	ok(!rc && !a.publish.dup && !a.publish.qos && !a.publish.retain && !a.publish.packet_id &&
	   a.publish.payload.len == 2, "PUBLISH: QoS 0");
	bytes_free(&b);
}

static int head_decode(const struct kmqtt_fixed *f, const u8 *p, size_t left,
		       struct kmqtt_publish *pub, u8 *rc)
{
	return kmqtt_publish_head_decode(f, p, left, KMQTT_V5, KMQTT_VIEW_NONE, pub, rc);
}

/* A payload that is announced, but far from being there. */
static void test_publish_head(void)
{
	struct kmqtt_fixed f = { KMQTT_PUBLISH, 0x02, 5, KMQTT_VARINT_MAX };
	struct bytes b = bytes_parse("0003'a/b' 0001 00 'pa'");
	struct kmqtt_publish pub;
	u8 rc;

	ok(head_decode(&f, b.data, b.len, &pub, &rc) == 8 &&
	   pub.payload.len == KMQTT_VARINT_MAX - 8 && pub.payload.data == b.data + 8 &&
	   says(pub.topic, "a/b"), "PUBLISH head: a payload of 256 MiB");
	f.remaining = 4;
	ok(head_decode(&f, b.data, 2, &pub, &rc) == -EINVAL && rc == 0x81,
	   "PUBLISH head: a topic that cannot fit is refused before it is there");
	f.remaining = 9;
	bytes_free(&b);
	b = bytes_parse("0003'a/b' 0001 7f");
	ok(head_decode(&f, b.data, b.len, &pub, &rc) == -EINVAL &&
	   rc == 0x81, "PUBLISH head: properties that cannot fit are refused at once");
	bytes_free(&b);
	f.remaining = 8;
	b = bytes_parse("0003'a/b' 0001 80");
	ok(head_decode(&f, b.data, b.len, &pub, &rc) == -EINVAL &&
	   rc == 0x81, "PUBLISH head: a Property Length that goes on behind the packet");
	bytes_free(&b);
}

static void test_acks(void)
{
	struct any_packet a;
	struct bytes b;
	u8 rc;

	b = decode(0x50, KMQTT_V5, "1234 97 04 1f 0001'r'", &a, &rc);
	ok(!rc && a.ack.packet_id == 0x1234 && a.ack.reason == 0x97 &&
	   says(a.ack.props.reason_string, "r"), "PUBREC: members");
	bytes_free(&b);
	b = decode(0xb0, KMQTT_V5, "1234 04 1f 0001'r' 00 11", &a, &rc);
	ok(!rc && a.suback.packet_id == 0x1234 && a.suback.codes.len == 2 &&
	   a.suback.codes.data[1] == 0x11 && says(a.suback.props.reason_string, "r"),
	   "UNSUBACK: members");
	bytes_free(&b);
	b = decode(0xe0, KMQTT_V5, "9d 04 1c 0001's'", &a, &rc);
	ok(!rc && a.disconnect.reason == 0x9d && says(a.disconnect.props.server_reference, "s"),
	   "DISCONNECT: members");
	bytes_free(&b);
	b = decode(0xe0, KMQTT_V5, "", &a, &rc);
	ok(!rc && !a.disconnect.reason && !a.disconnect.props.present &&
	   a.disconnect.props.receive_max == 65535, "DISCONNECT: nothing said");
	bytes_free(&b);
}

static void test_subscribe(void)
{
	struct kmqtt_sub_entry e;
	struct kmqtt_view rest, filter;
	struct any_packet a;
	struct bytes b;
	u8 rc;

	b = decode(0x82, KMQTT_V5, "1234 02 0b05 0003'a/#' 2e 0001'b' 11", &a, &rc);
	ok(!rc && a.subscribe.packet_id == 0x1234 && a.subscribe.n_entries == 2 &&
	   a.subscribe.props.sub_id == 5, "SUBSCRIBE: members");
	rest = a.subscribe.entries;
	ok(kmqtt_subscribe_next(&rest, &e) && says(e.filter, "a/#") && e.qos == 2 && e.no_local &&
	   e.retain_as_published && e.retain_handling == 2, "SUBSCRIBE: first entry");
	ok(kmqtt_subscribe_next(&rest, &e) && says(e.filter, "b") && e.qos == 1 && !e.no_local &&
	   !e.retain_as_published && e.retain_handling == 1, "SUBSCRIBE: second entry");
	ok(!kmqtt_subscribe_next(&rest, &e), "SUBSCRIBE: no third entry");
	bytes_free(&b);

	b = decode(0xa2, KMQTT_V311, "1234 0003'a/#' 0001'b'", &a, &rc);
	rest = a.unsubscribe.filters;
	ok(!rc && a.unsubscribe.packet_id == 0x1234 && a.unsubscribe.n_filters == 2 &&
	   kmqtt_unsubscribe_next(&rest, &filter) && says(filter, "a/#") &&
	   kmqtt_unsubscribe_next(&rest, &filter) && says(filter, "b") &&
	   !kmqtt_unsubscribe_next(&rest, &filter), "UNSUBSCRIBE: members");
	bytes_free(&b);
}

void test_fields(void)
{
	test_connect();
	test_connect_version();
	test_connack();
	test_publish();
	test_publish_head();
	test_acks();
	test_subscribe();
}

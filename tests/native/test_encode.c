// SPDX-License-Identifier: GPL-2.0-only
/* What the encoders refuse, and the PUBLISH heads of the sender. */
#include <stdlib.h>

#include "bytes.h"
#include "proto/packet.h"
#include "tap.h"
#include "tests.h"

static const struct kmqtt_view nothing;

static struct kmqtt_connect good_connect(u8 version)
{
	struct kmqtt_connect c = { .version = version, .clean_start = true };

	c.client_id = text_view("id");
	kmqtt_props_init(&c.props);
	kmqtt_props_init(&c.will.props);
	return c;
}

static void test_connect(void)
{
	struct kmqtt_view large = { (const u8 *)"", KMQTT_STRING_MAX + 1 };
	struct kmqtt_connect c;

#define CONNECT_IS(want, version, change, name) \
	do { \
		c = good_connect(version); \
		change; \
		ok(kmqtt_connect_encode(NULL, 0, &c) == (want), "encode CONNECT: %s", name); \
	} while (0)

	CONNECT_IS(18, 3, (void)0, "3.1");
	CONNECT_IS(16, 4, (void)0, "3.1.1");
	CONNECT_IS(17, 5, (void)0, "5.0");
	CONNECT_IS(-EINVAL, 2, (void)0, "version 2");
	CONNECT_IS(-EINVAL, 6, (void)0, "version 6");
	CONNECT_IS(-EINVAL, 5, c.bridge = true, "5.0 as a bridge");
	CONNECT_IS(-EINVAL, 4, c.password = text_view("p"), "3.1.1, password without user name");
	CONNECT_IS(20, 5, c.password = text_view("p"), "5.0, password without user name");
	CONNECT_IS(-EINVAL, 3, c.client_id = nothing, "3.1, no client id");
	CONNECT_IS(14, 4, c.client_id = nothing, "3.1.1, no client id");
	CONNECT_IS(-EINVAL, 4, c.client_id = nothing; c.clean_start = false,
		   "3.1.1, no client id and no clean session");
	CONNECT_IS(-EMSGSIZE, 4, c.client_id = large, "client id too long");
	CONNECT_IS(-EMSGSIZE, 4, c.user_name = large, "user name too long");
	CONNECT_IS(-EMSGSIZE, 5, c.password = large, "password too long");
	CONNECT_IS(-EINVAL, 4, c.client_id = text_view("\xff"), "client id not UTF-8");
	CONNECT_IS(-EINVAL, 4, c.user_name = text_view("\xc0\x80"), "user name not UTF-8");
	CONNECT_IS(-EINVAL, 4, c.will.topic = text_view("+"), "will topic with wildcard");
	CONNECT_IS(-EINVAL, 4, c.will.topic = text_view("t"); c.will.qos = 3, "will QoS 3");
	CONNECT_IS(-EMSGSIZE, 4, c.will.topic = text_view("t"); c.will.payload = large,
		   "will too long");
	CONNECT_IS(-EINVAL, 5, c.props.present = KMQTT_PROP_BIT(KMQTT_PROP_MAX_QOS),
		   "property of another packet");
	CONNECT_IS(16, 4, c.props.present = KMQTT_PROP_BIT(KMQTT_PROP_MAX_QOS),
		   "properties do not count in 3.1.1");
	CONNECT_IS(-EINVAL, 5, c.will.topic = text_view("t");
		   c.will.props.present = KMQTT_PROP_BIT(KMQTT_PROP_RECEIVE_MAX),
		   "property of another packet in the will");
#undef CONNECT_IS
}

static void test_props_encode(void)
{
	struct kmqtt_view large = { (const u8 *)"", KMQTT_STRING_MAX + 1 };
	struct kmqtt_disconnect d = { .reason = 0 };
	struct kmqtt_connack c = { .reason = 0 };

#define CONNACK_IS(want, id, change, name) \
	do { \
		kmqtt_props_init(&c.props); \
		c.props.present = KMQTT_PROP_BIT(KMQTT_PROP_##id); \
		change; \
		ok(kmqtt_connack_encode(NULL, 0, KMQTT_V5, &c) == (want), \
		   "encode properties: %s", name); \
	} while (0)

	CONNACK_IS(8, RECEIVE_MAX, c.props.receive_max = 1, "receive maximum 1");
	CONNACK_IS(-EINVAL, RECEIVE_MAX, c.props.receive_max = 0, "receive maximum 0");
	CONNACK_IS(7, MAX_QOS, c.props.max_qos = 1, "maximum QoS 1");
	CONNACK_IS(-EINVAL, MAX_QOS, c.props.max_qos = 2, "maximum QoS 2");
	CONNACK_IS(-EINVAL, MAX_PACKET_SIZE, c.props.max_packet_size = 0, "packet size 0");
	CONNACK_IS(10, REASON_STRING, c.props.reason_string = text_view("rs"), "reason string");
	CONNACK_IS(-EINVAL, REASON_STRING, c.props.reason_string = text_view("\x80"),
		   "reason string not UTF-8");
	CONNACK_IS(-EINVAL, REASON_STRING, c.props.reason_string = large,
		   "reason string too long");
	CONNACK_IS(-EINVAL, AUTH_DATA, c.props.auth_data = text_view("d"), "data without method");
	CONNACK_IS(-EINVAL, SUBSCRIPTION_ID, c.props.sub_id = 1, "not in a CONNACK");
	CONNACK_IS(-EINVAL, ID_END, (void)0, "an identifier that does not exist");
#undef CONNACK_IS

	kmqtt_props_init(&d.props);
	ok(kmqtt_disconnect_encode(NULL, 0, KMQTT_V5, &d) == 2, "encode DISCONNECT: shortest");
	d.reason = 0x8b;
	ok(kmqtt_disconnect_encode(NULL, 0, KMQTT_V5, &d) == 3, "encode DISCONNECT: reason");
	ok(kmqtt_disconnect_encode(NULL, 0, KMQTT_V311, &d) == 2, "encode DISCONNECT: 3.1.1");
	d.reason = 0x10;
	ok(kmqtt_disconnect_encode(NULL, 0, KMQTT_V5, &d) == -EINVAL,
	   "encode DISCONNECT: reason of another packet");
	ok(kmqtt_auth_encode(NULL, 0, KMQTT_V5, &d) == -EINVAL,
	   "encode AUTH: reason of another packet");
	d.reason = 0x18;
	ok(kmqtt_auth_encode(NULL, 0, KMQTT_V5, &d) == -EINVAL, "encode AUTH: no method");
	d.props.present = KMQTT_PROP_BIT(KMQTT_PROP_AUTH_METHOD);
	ok(kmqtt_auth_encode(NULL, 0, KMQTT_V5, &d) == 7, "encode AUTH");
	ok(kmqtt_auth_encode(NULL, 0, KMQTT_V311, &d) == -EINVAL, "encode AUTH: 3.1.1");
}

static void test_subscription_ids(void)
{
	struct bytes block = bytes_parse("0b 01 0b 02");
	struct kmqtt_sub_entry entry = { .filter = text_view("t") };
	struct kmqtt_subscribe sub = { .packet_id = 1 };

	kmqtt_props_init(&sub.props);
	sub.props.present = KMQTT_PROP_BIT(KMQTT_PROP_SUBSCRIPTION_ID);
	sub.props.sub_id = 128;
	ok(kmqtt_subscribe_encode(NULL, 0, KMQTT_V5, &sub, &entry, 1) == 12,
	   "encode SUBSCRIBE: identifier");
	sub.props.sub_id = 0;
	ok(kmqtt_subscribe_encode(NULL, 0, KMQTT_V5, &sub, &entry, 1) == -EINVAL,
	   "encode SUBSCRIBE: identifier 0");
	sub.props.sub_id = KMQTT_VARINT_MAX + 1;
	ok(kmqtt_subscribe_encode(NULL, 0, KMQTT_V5, &sub, &entry, 1) == -EINVAL,
	   "encode SUBSCRIBE: identifier too large");
	sub.props.sub_id = 1;
	sub.props.sub_ids = 2;
	sub.props.raw = bytes_view(block);
	ok(kmqtt_subscribe_encode(NULL, 0, KMQTT_V5, &sub, &entry, 1) == -EINVAL,
	   "encode SUBSCRIBE: two identifiers");
	bytes_free(&block);
}

static int subscribe(u8 version, u16 packet_id, const char *filter, u8 qos, u8 retain_handling,
		     bool no_local)
{
	struct kmqtt_sub_entry entry = {
		.filter = text_view(filter), .qos = qos, .retain_handling = retain_handling,
		.no_local = no_local,
	};
	struct kmqtt_subscribe sub = { .packet_id = packet_id };

	kmqtt_props_init(&sub.props);
	return kmqtt_subscribe_encode(NULL, 0, version, &sub, &entry, 1);
}

static void test_subscribe(void)
{
	struct kmqtt_view filters[2] = { text_view("a"), text_view("a#") };
	struct kmqtt_view large = { (const u8 *)"", KMQTT_STRING_MAX + 1 };
	struct kmqtt_subscribe sub = { .packet_id = 1 };
	struct kmqtt_unsubscribe unsub = { .packet_id = 1 };
	struct kmqtt_sub_entry entry = { .filter = large };

	kmqtt_props_init(&sub.props);
	kmqtt_props_init(&unsub.props);
	ok(subscribe(4, 1, "a/#", 2, 0, false) == 10, "encode SUBSCRIBE: 3.1.1");
	ok(subscribe(5, 1, "a/#", 2, 2, true) == 11, "encode SUBSCRIBE: 5.0");
	ok(subscribe(4, 0, "a", 0, 0, false) == -EINVAL, "encode SUBSCRIBE: packet id 0");
	ok(subscribe(4, 1, "a#", 0, 0, false) == -EINVAL, "encode SUBSCRIBE: bad filter");
	ok(subscribe(4, 1, "a", 3, 0, false) == -EINVAL, "encode SUBSCRIBE: QoS 3");
	ok(subscribe(5, 1, "a", 0, 3, false) == -EINVAL, "encode SUBSCRIBE: retain handling 3");
	ok(subscribe(4, 1, "a", 0, 0, true) == -EINVAL, "encode SUBSCRIBE: no local in 3.1.1");
	ok(subscribe(4, 1, "a", 0, 1, false) == -EINVAL,
	   "encode SUBSCRIBE: retain handling in 3.1.1");
	ok(subscribe(5, 1, "$share/g/a", 0, 0, true) == -EINVAL,
	   "encode SUBSCRIBE: shared and no local");
	ok(kmqtt_subscribe_encode(NULL, 0, 4, &sub, &entry, 1) == -EMSGSIZE,
	   "encode SUBSCRIBE: filter too long");
	ok(kmqtt_subscribe_encode(NULL, 0, 4, &sub, NULL, 0) == -EINVAL,
	   "encode SUBSCRIBE: no entry");
	ok(kmqtt_unsubscribe_encode(NULL, 0, 4, &unsub, filters, 1) == 7, "encode UNSUBSCRIBE");
	ok(kmqtt_unsubscribe_encode(NULL, 0, 4, &unsub, filters, 2) == -EINVAL,
	   "encode UNSUBSCRIBE: bad filter");
	ok(kmqtt_unsubscribe_encode(NULL, 0, 4, &unsub, filters, 0) == -EINVAL,
	   "encode UNSUBSCRIBE: no filter");
}

static void test_acks(void)
{
	struct kmqtt_ack_packet ack = { .packet_id = 1 };
	struct kmqtt_suback sub = { .packet_id = 1 };
	struct kmqtt_connack c = { .session_present = true };
	u8 buf[16];

	kmqtt_props_init(&ack.props);
	kmqtt_props_init(&sub.props);
	kmqtt_props_init(&c.props);
	ok(kmqtt_ack_encode(NULL, 0, 5, KMQTT_PUBACK, &ack) == KMQTT_ACK_SHORT_SIZE,
	   "encode PUBACK: short form");
	ok(kmqtt_ack_encode(NULL, 0, 5, KMQTT_PUBLISH, &ack) == -EINVAL &&
	   kmqtt_ack_encode(NULL, 0, 5, KMQTT_SUBSCRIBE, &ack) == -EINVAL &&
	   kmqtt_ack_encode(NULL, 0, 4, KMQTT_SUBSCRIBE, &ack) == -EINVAL &&
	   kmqtt_ack_encode(NULL, 0, 4, KMQTT_PUBLISH, &ack) == -EINVAL &&
	   kmqtt_ack_encode(NULL, 0, 5, 255, &ack) == -EINVAL, "encode PUBACK: another type");
	ack.reason = 0x92;
	ok(kmqtt_ack_encode(NULL, 0, 5, KMQTT_PUBACK, &ack) == -EINVAL &&
	   kmqtt_ack_encode(NULL, 0, 5, KMQTT_PUBREL, &ack) == 5,
	   "encode PUBACK: reason of another packet");
	ok(kmqtt_ack_encode(NULL, 0, 4, KMQTT_PUBACK, &ack) == 4,
	   "encode PUBACK: no reason in 3.1.1");
	ack.packet_id = 0;
	ok(kmqtt_ack_encode(NULL, 0, 4, KMQTT_PUBACK, &ack) == -EINVAL,
	   "encode PUBACK: packet id 0");

	sub.codes = text_view("\x01\x87\x97");
	ok(kmqtt_suback_encode(buf, sizeof(buf), 4, &sub) == 7 && buf[4] == 1 && buf[5] == 0x80 &&
	   buf[6] == 0x80, "encode SUBACK: every error is 0x80 in 3.1.1");
	ok(kmqtt_suback_encode(buf, sizeof(buf), 5, &sub) == 8 && buf[6] == 0x87,
	   "encode SUBACK: 5.0");
	ok(kmqtt_unsuback_encode(buf, sizeof(buf), 5, &sub) == -EINVAL,
	   "encode UNSUBACK: code of another packet");
	ok(kmqtt_unsuback_encode(buf, sizeof(buf), 4, &sub) == 4, "encode UNSUBACK: 3.1.1");
	sub.codes = nothing;
	ok(kmqtt_suback_encode(buf, sizeof(buf), 5, &sub) == -EINVAL &&
	   kmqtt_unsuback_encode(buf, sizeof(buf), 5, &sub) == -EINVAL,
	   "encode SUBACK, UNSUBACK: no code");

	ok(kmqtt_connack_encode(buf, sizeof(buf), 4, &c) == 4 && buf[2] == 1,
	   "encode CONNACK: session present");
	ok(kmqtt_connack_encode(buf, sizeof(buf), 3, &c) == 4 && !buf[2],
	   "encode CONNACK: not in 3.1");
	c.reason = 0x87;
	ok(kmqtt_connack_encode(buf, sizeof(buf), 4, &c) == -EINVAL,
	   "encode CONNACK: session present and refused");
	c.session_present = false;
	ok(kmqtt_connack_encode(buf, sizeof(buf), 4, &c) == 4 && buf[3] == 5,
	   "encode CONNACK: return code");
	ok(kmqtt_connack_encode(buf, sizeof(buf), 6, &c) == -EINVAL, "encode CONNACK: version 6");
	c.reason = 0x8e;
	ok(kmqtt_connack_encode(buf, sizeof(buf), 5, &c) == -EINVAL,
	   "encode CONNACK: reason of another packet");
	c.reason = 0;
	ok(kmqtt_connack_encode(buf, 0, 4, &c) == -ENOSPC &&
	   kmqtt_ping_encode(buf, 0, KMQTT_PINGREQ) == -ENOSPC,
	   "encode: a buffer without room is not the question for the size");
	ok(kmqtt_ping_encode(buf, 1, KMQTT_PINGREQ) == -ENOSPC &&
	   kmqtt_ping_encode(buf, 2, KMQTT_PUBLISH) == -EINVAL, "encode PINGREQ: refusals");
}

static int publish(u8 version, const char *topic, u8 qos, u16 packet_id, bool dup, u32 payload)
{
	struct kmqtt_publish pub = {
		.topic = text_view(topic), .qos = qos, .packet_id = packet_id, .dup = dup,
		.payload = { (const u8 *)"", payload },
	};

	kmqtt_props_init(&pub.props);
	return kmqtt_publish_encode(NULL, 0, version, &pub);
}

static void test_publish(void)
{
	ok(publish(4, "t", 0, 0, false, 0) == 5, "encode PUBLISH: smallest");
	ok(publish(4, "t", 0, 0, false, KMQTT_VARINT_MAX - 3) == (int)KMQTT_VARINT_MAX + 5,
	   "encode PUBLISH: largest");
	ok(publish(4, "t", 0, 0, false, KMQTT_VARINT_MAX - 2) == -EMSGSIZE,
	   "encode PUBLISH: one byte too many");
	ok(publish(5, "t", 0, 0, false, 0xffffffff) == -EMSGSIZE, "encode PUBLISH: far too many");
	ok(publish(4, "t", 1, 0, false, 0) == -EINVAL, "encode PUBLISH: packet id 0");
	ok(publish(4, "t", 3, 1, false, 0) == -EINVAL, "encode PUBLISH: QoS 3");
	ok(publish(4, "t", 0, 0, true, 0) == -EINVAL, "encode PUBLISH: DUP with QoS 0");
	ok(publish(4, "t/#", 0, 0, false, 0) == -EINVAL, "encode PUBLISH: wildcard");
	ok(publish(5, "", 0, 0, false, 0) == -EINVAL, "encode PUBLISH: no topic and no alias");
	ok(publish(6, "t", 0, 0, false, 0) == -EINVAL, "encode PUBLISH: version 6");
}

static void test_publish_refusals(void)
{
	struct kmqtt_publish pub = { .topic = { (const u8 *)"", KMQTT_STRING_MAX + 1 } };

	kmqtt_props_init(&pub.props);
	ok(kmqtt_publish_encode(NULL, 0, KMQTT_V5, &pub) == -EMSGSIZE,
	   "encode PUBLISH: topic too long");
	pub.topic = text_view("t");
	pub.props.present = KMQTT_PROP_BIT(KMQTT_PROP_RECEIVE_MAX);
	ok(kmqtt_publish_encode(NULL, 0, KMQTT_V5, &pub) == -EINVAL,
	   "encode PUBLISH: property of another packet");
	ok(kmqtt_publish_encode(NULL, 0, KMQTT_V311, &pub) == 5,
	   "encode PUBLISH: properties do not count in 3.1.1");
}

/* Head, stored properties and payload one after the other; and what that decodes to. */
static void check_head(const struct kmqtt_publish_head *head, u8 version, struct bytes stored,
		       struct bytes payload, const char *name)
{
	int size = kmqtt_publish_head_encode(NULL, 0, version, head), hdr;
	struct bytes buf = bytes_copy("", 0), first, packet;
	struct kmqtt_publish pub = { };
	struct kmqtt_fixed f = { };
	bool pass = size > 0;
	u8 rc = 0;

	if (pass) {
		buf.data = realloc(buf.data, size);
		buf.len = (u32)size;
		pass &= kmqtt_publish_head_encode(buf.data, size - 1, version, head) == -ENOSPC;
		pass &= kmqtt_publish_head_encode(buf.data, size, version, head) == size;
		pass &= (u32)size <= KMQTT_PUBLISH_HEAD_MAX(head->topic.len, head->n_sub_ids);
	}
	first = version >= KMQTT_V5 ? bytes_join(buf, stored) : bytes_copy(buf.data, buf.len);
	packet = bytes_join(first, payload);
	hdr = kmqtt_fixed_decode(packet.data, packet.len, &f, &rc);
	pass &= hdr > 0 && f.remaining == packet.len - (u32)hdr;
	if (pass)
		rc = kmqtt_publish_decode(&f, packet.data + hdr, version, &pub);
	pass &= !rc && kmqtt_view_equal(pub.payload, bytes_view(payload)) &&
		kmqtt_view_equal(pub.topic, head->topic) && pub.qos == head->qos &&
		pub.dup == head->dup && pub.retain == head->retain &&
		pub.packet_id == (head->qos ? head->packet_id : 0);
	if (pass && version >= KMQTT_V5)
		pass = pub.props.topic_alias == head->topic_alias &&
		       kmqtt_props_has(&pub.props, KMQTT_PROP_MESSAGE_EXPIRY) == head->has_expiry &&
		       (!head->has_expiry || pub.props.message_expiry == head->message_expiry) &&
		       pub.props.sub_ids == head->n_sub_ids &&
		       (!head->n_sub_ids || pub.props.sub_id == head->sub_ids[0]) &&
		       kmqtt_view_equal(pub.props.content_type, text_view("ct"));
	ok(pass, "PUBLISH head: %s, version %u", name, version);
	bytes_free(&packet);
	bytes_free(&first);
	bytes_free(&buf);
}

static void test_heads(void)
{
	static const u32 ids[] = { 1, 128, 16384, KMQTT_VARINT_MAX };
	struct bytes stored = bytes_parse("03 0002'ct'"), payload = bytes_parse("@300'p'");
	struct kmqtt_publish_head head = { .topic = text_view("a/b"), .props_len = stored.len,
					   .payload_len = payload.len };

	for (u8 version = KMQTT_V31; version <= KMQTT_V5; version++) {
		struct kmqtt_publish_head h = head;

		check_head(&h, version, stored, payload, "plain");
		h.retain = true;
		h.qos = 2;
		h.packet_id = 0xfffe;
		h.dup = true;
		check_head(&h, version, stored, payload, "all flags");
		h.has_expiry = true;
		h.message_expiry = 77;
		check_head(&h, version, stored, payload, "expiry");
		h.sub_ids = ids;
		h.n_sub_ids = ARRAY_SIZE(ids);
		check_head(&h, version, stored, payload, "identifiers");
		h.topic_alias = 9;
		check_head(&h, version, stored, payload, "topic and alias");
	}
	head.topic = nothing;
	head.topic_alias = 1;
	check_head(&head, KMQTT_V5, stored, payload, "alias alone");
	ok(kmqtt_publish_head_encode(NULL, 0, KMQTT_V311, &head) == -EINVAL,
	   "PUBLISH head: no alias in 3.1.1");
	bytes_free(&payload);
	bytes_free(&stored);
}

static void test_head_refusals(void)
{
	static const u32 zero[] = { 1, 0 }, large[] = { KMQTT_VARINT_MAX + 1 };
	const struct kmqtt_publish_head good = { .topic = text_view("t") };
	struct kmqtt_publish_head h;
	u8 byte;

#define HEAD_IS(want, change, name) \
	do { \
		h = good; \
		change; \
		ok(kmqtt_publish_head_encode(NULL, 0, KMQTT_V5, &h) == (want), \
		   "PUBLISH head: %s", name); \
	} while (0)

	HEAD_IS(6, (void)0, "smallest");
	ok(kmqtt_publish_head_encode(&byte, 0, KMQTT_V5, &h) == -ENOSPC,
	   "PUBLISH head: a buffer without room");
	HEAD_IS(-EINVAL, h.topic = nothing, "no topic and no alias");
	HEAD_IS(65542, h.topic.len = KMQTT_STRING_MAX, "longest topic");
	HEAD_IS(-EMSGSIZE, h.topic.len = KMQTT_STRING_MAX + 1, "topic too long");
	HEAD_IS(-EINVAL, h.qos = 1, "packet id 0");
	HEAD_IS(-EINVAL, h.qos = 3; h.packet_id = 1, "QoS 3");
	HEAD_IS(-EINVAL, h.dup = true, "DUP with QoS 0");
	HEAD_IS(-EINVAL, h.sub_ids = zero; h.n_sub_ids = 2, "identifier 0");
	HEAD_IS(-EINVAL, h.sub_ids = large; h.n_sub_ids = 1, "identifier too large");
	HEAD_IS(-EINVAL, h.sub_ids = zero; h.n_sub_ids = 0xffffffff, "far too many identifiers");
	HEAD_IS(9, h.payload_len = KMQTT_VARINT_MAX - 4, "largest payload");
	HEAD_IS(-EMSGSIZE, h.payload_len = KMQTT_VARINT_MAX - 3, "payload one byte too large");
	HEAD_IS(-EMSGSIZE, h.payload_len = 0xffffffff, "payload far too large");
	HEAD_IS(-EMSGSIZE, h.props_len = 0xffffffff, "properties far too large");
	HEAD_IS(-EMSGSIZE, h.props_len = KMQTT_VARINT_MAX - 3, "properties that leave no room");
#undef HEAD_IS
}

void test_encode(void)
{
	test_connect();
	test_props_encode();
	test_subscription_ids();
	test_subscribe();
	test_acks();
	test_publish();
	test_publish_refusals();
	test_heads();
	test_head_refusals();
}

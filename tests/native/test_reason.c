// SPDX-License-Identifier: GPL-2.0-only
#include "proto/proto.h"
#include "tap.h"
#include "tests.h"

/* Table 2-6 of MQTT 5.0 the other way round: packet by packet, as 3.2.2.2 to 3.15.2.1 list them. */
static const struct {
	u8 type;
	u8 n;
	u8 codes[40];
} allowed[] = {
	{ KMQTT_CONNACK, 22, { 0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89,
			       0x8a, 0x8c, 0x90, 0x95, 0x97, 0x99, 0x9a, 0x9b, 0x9c, 0x9d,
			       0x9f } },
	{ KMQTT_PUBACK, 9, { 0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99 } },
	{ KMQTT_PUBREC, 9, { 0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99 } },
	{ KMQTT_PUBREL, 2, { 0x00, 0x92 } },
	{ KMQTT_PUBCOMP, 2, { 0x00, 0x92 } },
	{ KMQTT_SUBACK, 12, { 0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8f, 0x91, 0x97, 0x9e, 0xa1,
			      0xa2 } },
	{ KMQTT_UNSUBACK, 7, { 0x00, 0x11, 0x80, 0x83, 0x87, 0x8f, 0x91 } },
	{ KMQTT_DISCONNECT, 30, { 0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8b, 0x8c, 0x8d,
				  0x8e, 0x8f, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99,
				  0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f, 0xa0, 0xa1,
				  0xa2 } },
	{ KMQTT_AUTH, 3, { 0x00, 0x18, 0x19 } },
};

static bool listed(size_t row, u32 rc)
{
	for (u32 i = 0; i < allowed[row].n; i++)
		if (allowed[row].codes[i] == rc)
			return true;
	return false;
}

static void test_allowed(void)
{
	u32 wrong = 0;

	for (size_t row = 0; row < ARRAY_SIZE(allowed); row++) {
		for (u32 rc = 0; rc < 256; rc++)
			wrong += kmqtt_reason_allowed(allowed[row].type, (u8)rc) != listed(row, rc);
		ok(!wrong, "reason: what may stand in %s", kmqtt_packet_name(allowed[row].type));
	}
	for (u32 rc = 0; rc < 256; rc++)
		wrong += kmqtt_reason_allowed(KMQTT_PUBLISH, (u8)rc) ||
			 kmqtt_reason_allowed(KMQTT_CONNECT, (u8)rc) ||
			 kmqtt_reason_allowed(0, (u8)rc) || kmqtt_reason_allowed(255, (u8)rc);
	ok(!wrong, "reason: none in packets that have no reason");
}

static void test_names(void)
{
	u32 named = 0, twice = 0;

	for (u32 rc = 0; rc < 256; rc++)
		named += strcmp(kmqtt_reason_name((u8)rc), "Unknown") != 0;
	ok(named == 43, "reason: 43 codes have a name, %u here", named);
	for (u32 rc = 0; rc < 256; rc++)
		for (u32 other = 0; other < rc; other++)
			twice += strcmp(kmqtt_reason_name((u8)rc), "Unknown") &&
				 !strcmp(kmqtt_reason_name((u8)rc),
					 kmqtt_reason_name((u8)other));
	ok(!twice, "reason: no two have the same name");
	ok(!strcmp(kmqtt_reason_name(0x00), "Success") &&
	   !strcmp(kmqtt_reason_name(0x8e), "Session taken over") &&
	   !strcmp(kmqtt_reason_name(0xa2), "Wildcard Subscriptions not supported"),
	   "reason: the names");
	ok(!strcmp(kmqtt_packet_name(KMQTT_CONNECT), "CONNECT") &&
	   !strcmp(kmqtt_packet_name(KMQTT_SUBSCRIBE), "SUBSCRIBE") &&
	   !strcmp(kmqtt_packet_name(KMQTT_AUTH), "AUTH"), "packet: the names");
	ok(!strcmp(kmqtt_packet_name(0), "reserved") &&
	   !strcmp(kmqtt_packet_name(KMQTT_WILL), "reserved") &&
	   !strcmp(kmqtt_packet_name(255), "reserved"), "packet: what is no packet");
}

static void test_return_codes(void)
{
	static const u8 rcs[] = { 0x00, 0x84, 0x85, 0x88, 0x86, 0x87 };
	bool small = true;

	for (u32 code = 0; code < ARRAY_SIZE(rcs); code++)
		ok(kmqtt_connack_from_v3((u8)code) == rcs[code] &&
		   kmqtt_connack_to_v3(rcs[code]) == code, "return code %u is 0x%02x", code,
		   rcs[code]);
	for (u32 rc = 0; rc < 256; rc++)
		small &= kmqtt_connack_to_v3((u8)rc) <= 5 && !kmqtt_connack_to_v3((u8)rc) == !rc;
	ok(small, "return code: 0 to 5 for every reason, 0 for success alone");
	ok(kmqtt_connack_from_v3(6) == 0x80 && kmqtt_connack_from_v3(255) == 0x80,
	   "return code: what is reserved is an unspecified error");
	ok(kmqtt_connack_to_v3(0x97) == 3 && kmqtt_connack_to_v3(0x8a) == 5 &&
	   kmqtt_connack_to_v3(0x8c) == 5, "return code: the nearest one");
}

static void test_directions(void)
{
	/* c: from the client, s: from the server; capital: in 5.0 only. */
	static const char * const who[] = {
		"", "c", "s", "cs", "cs", "cs", "cs", "cs", "c", "s", "c", "s", "c", "s", "cS",
		"CS", "", "",
	};

	for (u32 type = 0; type < ARRAY_SIZE(who); type++) {
		bool right = true;

		for (u8 version = KMQTT_V31; version <= KMQTT_V5; version++) {
			bool v5 = version == KMQTT_V5;
			bool client = strchr(who[type], 'c') || (v5 && strchr(who[type], 'C'));
			bool server = strchr(who[type], 's') || (v5 && strchr(who[type], 'S'));

			right &= kmqtt_packet_allowed((u8)type, version, false) == client &&
				 kmqtt_packet_allowed((u8)type, version, true) == server;
		}
		ok(right, "direction of packet type %u", type);
	}
}

void test_reason(void)
{
	test_allowed();
	test_names();
	test_return_codes();
	test_directions();
}

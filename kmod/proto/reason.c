// SPDX-License-Identifier: GPL-2.0-only
/* What the numbers mean: reason codes, return codes, packet types (MQTT 5.0, 2.1.2 and 2.4). */
#include "proto.h"

#define CONNACK BIT(KMQTT_CONNACK)
#define PUBACK (BIT(KMQTT_PUBACK) | BIT(KMQTT_PUBREC))
#define PUBREL (BIT(KMQTT_PUBREL) | BIT(KMQTT_PUBCOMP))
#define SUBACK BIT(KMQTT_SUBACK)
#define UNSUBACK BIT(KMQTT_UNSUBACK)
#define DISCONNECT BIT(KMQTT_DISCONNECT)
#define AUTH BIT(KMQTT_AUTH)

/* Table 2-6, by reason code: its name, and the packets in which it may stand. */
static const struct {
	const char *name;
	u16 packets;
} reasons[] = {
	[0x00] = { "Success", CONNACK | PUBACK | PUBREL | SUBACK | UNSUBACK | DISCONNECT | AUTH },
	[0x01] = { "Granted QoS 1", SUBACK },
	[0x02] = { "Granted QoS 2", SUBACK },
	[0x04] = { "Disconnect with Will Message", DISCONNECT },
	[0x10] = { "No matching subscribers", PUBACK },
	[0x11] = { "No subscription existed", UNSUBACK },
	[0x18] = { "Continue authentication", AUTH },
	[0x19] = { "Re-authenticate", AUTH },
	[0x80] = { "Unspecified error", CONNACK | PUBACK | SUBACK | UNSUBACK | DISCONNECT },
	[0x81] = { "Malformed Packet", CONNACK | DISCONNECT },
	[0x82] = { "Protocol Error", CONNACK | DISCONNECT },
	[0x83] = { "Implementation specific error",
		   CONNACK | PUBACK | SUBACK | UNSUBACK | DISCONNECT },
	[0x84] = { "Unsupported Protocol Version", CONNACK },
	[0x85] = { "Client Identifier not valid", CONNACK },
	[0x86] = { "Bad User Name or Password", CONNACK },
	[0x87] = { "Not authorized", CONNACK | PUBACK | SUBACK | UNSUBACK | DISCONNECT },
	[0x88] = { "Server unavailable", CONNACK },
	[0x89] = { "Server busy", CONNACK | DISCONNECT },
	[0x8a] = { "Banned", CONNACK },
	[0x8b] = { "Server shutting down", DISCONNECT },
	[0x8c] = { "Bad authentication method", CONNACK | DISCONNECT },
	[0x8d] = { "Keep Alive timeout", DISCONNECT },
	[0x8e] = { "Session taken over", DISCONNECT },
	[0x8f] = { "Topic Filter invalid", SUBACK | UNSUBACK | DISCONNECT },
	[0x90] = { "Topic Name invalid", CONNACK | PUBACK | DISCONNECT },
	[0x91] = { "Packet Identifier in use", PUBACK | SUBACK | UNSUBACK },
	[0x92] = { "Packet Identifier not found", PUBREL },
	[0x93] = { "Receive Maximum exceeded", DISCONNECT },
	[0x94] = { "Topic Alias invalid", DISCONNECT },
	[0x95] = { "Packet too large", CONNACK | DISCONNECT },
	[0x96] = { "Message rate too high", DISCONNECT },
	[0x97] = { "Quota exceeded", CONNACK | PUBACK | SUBACK | DISCONNECT },
	[0x98] = { "Administrative action", DISCONNECT },
	[0x99] = { "Payload format invalid", CONNACK | PUBACK | DISCONNECT },
	[0x9a] = { "Retain not supported", CONNACK | DISCONNECT },
	[0x9b] = { "QoS not supported", CONNACK | DISCONNECT },
	[0x9c] = { "Use another server", CONNACK | DISCONNECT },
	[0x9d] = { "Server moved", CONNACK | DISCONNECT },
	[0x9e] = { "Shared Subscriptions not supported", SUBACK | DISCONNECT },
	[0x9f] = { "Connection rate exceeded", CONNACK | DISCONNECT },
	[0xa0] = { "Maximum connect time", DISCONNECT },
	[0xa1] = { "Subscription Identifiers not supported", SUBACK | DISCONNECT },
	[0xa2] = { "Wildcard Subscriptions not supported", SUBACK | DISCONNECT },
};

const char *kmqtt_reason_name(u8 rc)
{
	return rc < ARRAY_SIZE(reasons) && reasons[rc].name ? reasons[rc].name : "Unknown";
}

bool kmqtt_reason_allowed(u8 type, u8 rc)
{
	return type <= KMQTT_AUTH && rc < ARRAY_SIZE(reasons) && reasons[rc].packets & BIT(type);
}

const char *kmqtt_packet_name(u8 type)
{
	static const char * const names[] = {
		"reserved", "CONNECT", "CONNACK", "PUBLISH", "PUBACK", "PUBREC", "PUBREL",
		"PUBCOMP", "SUBSCRIBE", "SUBACK", "UNSUBSCRIBE", "UNSUBACK", "PINGREQ",
		"PINGRESP", "DISCONNECT", "AUTH",
	};

	return names[type < ARRAY_SIZE(names) ? type : 0];
}

u8 kmqtt_connack_to_v3(u8 rc)
{
	switch (rc) {
	case KMQTT_RC_SUCCESS:
		return 0;
	case KMQTT_RC_UNSUPPORTED_PROTOCOL_VERSION:
		return 1;
	case KMQTT_RC_CLIENT_ID_NOT_VALID:
		return 2;
	case KMQTT_RC_BAD_USER_NAME_OR_PASSWORD:
		return 4;
	case KMQTT_RC_NOT_AUTHORIZED:
	case KMQTT_RC_BANNED:
	case KMQTT_RC_BAD_AUTHENTICATION_METHOD:
		return 5;
	default:
		return 3;
	}
}

u8 kmqtt_connack_from_v3(u8 code)
{
	static const u8 rcs[] = {
		KMQTT_RC_SUCCESS,
		KMQTT_RC_UNSUPPORTED_PROTOCOL_VERSION,
		KMQTT_RC_CLIENT_ID_NOT_VALID,
		KMQTT_RC_SERVER_UNAVAILABLE,
		KMQTT_RC_BAD_USER_NAME_OR_PASSWORD,
		KMQTT_RC_NOT_AUTHORIZED,
	};

	return code < ARRAY_SIZE(rcs) ? rcs[code] : KMQTT_RC_UNSPECIFIED;
}

bool kmqtt_packet_allowed(u8 type, u8 version, bool from_server)
{
	switch (type) {
	case KMQTT_PUBLISH:
	case KMQTT_PUBACK:
	case KMQTT_PUBREC:
	case KMQTT_PUBREL:
	case KMQTT_PUBCOMP:
		return true;
	case KMQTT_CONNECT:
	case KMQTT_SUBSCRIBE:
	case KMQTT_UNSUBSCRIBE:
	case KMQTT_PINGREQ:
		return !from_server;
	case KMQTT_CONNACK:
	case KMQTT_SUBACK:
	case KMQTT_UNSUBACK:
	case KMQTT_PINGRESP:
		return from_server;
	case KMQTT_DISCONNECT:
		return version >= KMQTT_V5 || !from_server;
	case KMQTT_AUTH:
		return version >= KMQTT_V5;
	default:
		return false;
	}
}

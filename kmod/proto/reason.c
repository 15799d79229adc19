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

/* Table 2-6: names, and the packets in which the code may stand. */
static const struct {
	u8 rc;
	u16 packets;
	const char *name;
} reasons[] = {
	{ 0x00, CONNACK | PUBACK | PUBREL | SUBACK | UNSUBACK | DISCONNECT | AUTH, "Success" },
	{ 0x01, SUBACK, "Granted QoS 1" },
	{ 0x02, SUBACK, "Granted QoS 2" },
	{ 0x04, DISCONNECT, "Disconnect with Will Message" },
	{ 0x10, PUBACK, "No matching subscribers" },
	{ 0x11, UNSUBACK, "No subscription existed" },
	{ 0x18, AUTH, "Continue authentication" },
	{ 0x19, AUTH, "Re-authenticate" },
	{ 0x80, CONNACK | PUBACK | SUBACK | UNSUBACK | DISCONNECT, "Unspecified error" },
	{ 0x81, CONNACK | DISCONNECT, "Malformed Packet" },
	{ 0x82, CONNACK | DISCONNECT, "Protocol Error" },
	{ 0x83, CONNACK | PUBACK | SUBACK | UNSUBACK | DISCONNECT,
	  "Implementation specific error" },
	{ 0x84, CONNACK, "Unsupported Protocol Version" },
	{ 0x85, CONNACK, "Client Identifier not valid" },
	{ 0x86, CONNACK, "Bad User Name or Password" },
	{ 0x87, CONNACK | PUBACK | SUBACK | UNSUBACK | DISCONNECT, "Not authorized" },
	{ 0x88, CONNACK, "Server unavailable" },
	{ 0x89, CONNACK | DISCONNECT, "Server busy" },
	{ 0x8a, CONNACK, "Banned" },
	{ 0x8b, DISCONNECT, "Server shutting down" },
	{ 0x8c, CONNACK | DISCONNECT, "Bad authentication method" },
	{ 0x8d, DISCONNECT, "Keep Alive timeout" },
	{ 0x8e, DISCONNECT, "Session taken over" },
	{ 0x8f, SUBACK | UNSUBACK | DISCONNECT, "Topic Filter invalid" },
	{ 0x90, CONNACK | PUBACK | DISCONNECT, "Topic Name invalid" },
	{ 0x91, PUBACK | SUBACK | UNSUBACK, "Packet Identifier in use" },
	{ 0x92, PUBREL, "Packet Identifier not found" },
	{ 0x93, DISCONNECT, "Receive Maximum exceeded" },
	{ 0x94, DISCONNECT, "Topic Alias invalid" },
	{ 0x95, CONNACK | DISCONNECT, "Packet too large" },
	{ 0x96, DISCONNECT, "Message rate too high" },
	{ 0x97, CONNACK | PUBACK | SUBACK | DISCONNECT, "Quota exceeded" },
	{ 0x98, DISCONNECT, "Administrative action" },
	{ 0x99, CONNACK | PUBACK | DISCONNECT, "Payload format invalid" },
	{ 0x9a, CONNACK | DISCONNECT, "Retain not supported" },
	{ 0x9b, CONNACK | DISCONNECT, "QoS not supported" },
	{ 0x9c, CONNACK | DISCONNECT, "Use another server" },
	{ 0x9d, CONNACK | DISCONNECT, "Server moved" },
	{ 0x9e, SUBACK | DISCONNECT, "Shared Subscriptions not supported" },
	{ 0x9f, CONNACK | DISCONNECT, "Connection rate exceeded" },
	{ 0xa0, DISCONNECT, "Maximum connect time" },
	{ 0xa1, SUBACK | DISCONNECT, "Subscription Identifiers not supported" },
	{ 0xa2, SUBACK | DISCONNECT, "Wildcard Subscriptions not supported" },
};

const char *kmqtt_reason_name(u8 rc)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(reasons); i++)
		if (reasons[i].rc == rc)
			return reasons[i].name;
	return "Unknown";
}

bool kmqtt_reason_allowed(u8 type, u8 rc)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(reasons); i++)
		if (reasons[i].rc == rc)
			return type <= KMQTT_AUTH && reasons[i].packets & BIT(type);
	return false;
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

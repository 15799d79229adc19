/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What all of the protocol layer shares: numbers of the standards, and views.
 *
 * Everything in proto/ is a pure function over bytes: it allocates nothing, takes no lock, logs
 * nothing, keeps no state, and may be called in any context. The same files compile in user
 * space; shim.h is the only place that knows the difference.
 *
 * Section numbers are those of "MQTT Version 5.0", OASIS Standard, 7 March 2019, unless they are
 * marked 3.1.1 (OASIS Standard, 29 October 2014) or 3.1 ("MQTT V3.1 Protocol Specification").
 */
#ifndef KMQTT_PROTO_PROTO_H
#define KMQTT_PROTO_PROTO_H

#include "shim.h"

/**
 * enum kmqtt_packet_type - the control packets (MQTT 5.0, 2.1.2)
 * @KMQTT_CONNECT: client asks for a connection
 * @KMQTT_CONNACK: server answers it
 * @KMQTT_PUBLISH: a message, either way
 * @KMQTT_PUBACK: answers a message of QoS 1
 * @KMQTT_PUBREC: QoS 2, part 1
 * @KMQTT_PUBREL: QoS 2, part 2
 * @KMQTT_PUBCOMP: QoS 2, part 3
 * @KMQTT_SUBSCRIBE: client subscribes
 * @KMQTT_SUBACK: server answers it
 * @KMQTT_UNSUBSCRIBE: client unsubscribes
 * @KMQTT_UNSUBACK: server answers it
 * @KMQTT_PINGREQ: client is alive
 * @KMQTT_PINGRESP: server is alive
 * @KMQTT_DISCONNECT: the connection ends; from the server only in 5.0
 * @KMQTT_AUTH: 5.0 only: enhanced authentication
 * @KMQTT_WILL: no packet: stands for the will properties of a CONNECT (3.1.3.2)
 */
enum kmqtt_packet_type {
	KMQTT_CONNECT = 1,
	KMQTT_CONNACK,
	KMQTT_PUBLISH,
	KMQTT_PUBACK,
	KMQTT_PUBREC,
	KMQTT_PUBREL,
	KMQTT_PUBCOMP,
	KMQTT_SUBSCRIBE,
	KMQTT_SUBACK,
	KMQTT_UNSUBSCRIBE,
	KMQTT_UNSUBACK,
	KMQTT_PINGREQ,
	KMQTT_PINGRESP,
	KMQTT_DISCONNECT,
	KMQTT_AUTH,
	KMQTT_WILL,
};

/**
 * enum kmqtt_version - the protocol levels as they stand in a CONNECT (3.1.2.2)
 * @KMQTT_V31: MQTT 3.1, protocol name "MQIsdp"
 * @KMQTT_V311: MQTT 3.1.1, protocol name "MQTT"
 * @KMQTT_V5: MQTT 5.0, protocol name "MQTT"
 */
enum kmqtt_version {
	KMQTT_V31 = 3,
	KMQTT_V311 = 4,
	KMQTT_V5 = 5,
};

/**
 * enum kmqtt_reason - reason codes (MQTT 5.0, 2.4, table 2-6)
 * @KMQTT_RC_SUCCESS: Success; in a DISCONNECT: Normal disconnection
 * @KMQTT_RC_GRANTED_QOS0: the same number, in a SUBACK: Granted QoS 0
 * @KMQTT_RC_GRANTED_QOS1: Granted QoS 1
 * @KMQTT_RC_GRANTED_QOS2: Granted QoS 2
 * @KMQTT_RC_DISCONNECT_WITH_WILL: Disconnect with Will Message
 * @KMQTT_RC_NO_MATCHING_SUBSCRIBERS: No matching subscribers
 * @KMQTT_RC_NO_SUBSCRIPTION_EXISTED: No subscription existed
 * @KMQTT_RC_CONTINUE_AUTHENTICATION: Continue authentication
 * @KMQTT_RC_REAUTHENTICATE: Re-authenticate
 * @KMQTT_RC_UNSPECIFIED: Unspecified error
 * @KMQTT_RC_MALFORMED_PACKET: Malformed Packet
 * @KMQTT_RC_PROTOCOL_ERROR: Protocol Error
 * @KMQTT_RC_IMPLEMENTATION_SPECIFIC: Implementation specific error
 * @KMQTT_RC_UNSUPPORTED_PROTOCOL_VERSION: Unsupported Protocol Version
 * @KMQTT_RC_CLIENT_ID_NOT_VALID: Client Identifier not valid
 * @KMQTT_RC_BAD_USER_NAME_OR_PASSWORD: Bad User Name or Password
 * @KMQTT_RC_NOT_AUTHORIZED: Not authorized
 * @KMQTT_RC_SERVER_UNAVAILABLE: Server unavailable
 * @KMQTT_RC_SERVER_BUSY: Server busy
 * @KMQTT_RC_BANNED: Banned
 * @KMQTT_RC_SERVER_SHUTTING_DOWN: Server shutting down
 * @KMQTT_RC_BAD_AUTHENTICATION_METHOD: Bad authentication method
 * @KMQTT_RC_KEEP_ALIVE_TIMEOUT: Keep Alive timeout
 * @KMQTT_RC_SESSION_TAKEN_OVER: Session taken over
 * @KMQTT_RC_TOPIC_FILTER_INVALID: Topic Filter invalid
 * @KMQTT_RC_TOPIC_NAME_INVALID: Topic Name invalid
 * @KMQTT_RC_PACKET_ID_IN_USE: Packet Identifier in use
 * @KMQTT_RC_PACKET_ID_NOT_FOUND: Packet Identifier not found
 * @KMQTT_RC_RECEIVE_MAXIMUM_EXCEEDED: Receive Maximum exceeded
 * @KMQTT_RC_TOPIC_ALIAS_INVALID: Topic Alias invalid
 * @KMQTT_RC_PACKET_TOO_LARGE: Packet too large
 * @KMQTT_RC_MESSAGE_RATE_TOO_HIGH: Message rate too high
 * @KMQTT_RC_QUOTA_EXCEEDED: Quota exceeded
 * @KMQTT_RC_ADMINISTRATIVE_ACTION: Administrative action
 * @KMQTT_RC_PAYLOAD_FORMAT_INVALID: Payload format invalid
 * @KMQTT_RC_RETAIN_NOT_SUPPORTED: Retain not supported
 * @KMQTT_RC_QOS_NOT_SUPPORTED: QoS not supported
 * @KMQTT_RC_USE_ANOTHER_SERVER: Use another server
 * @KMQTT_RC_SERVER_MOVED: Server moved
 * @KMQTT_RC_SHARED_SUBSCRIPTIONS_NOT_SUPPORTED: Shared Subscriptions not supported
 * @KMQTT_RC_CONNECTION_RATE_EXCEEDED: Connection rate exceeded
 * @KMQTT_RC_MAXIMUM_CONNECT_TIME: Maximum connect time
 * @KMQTT_RC_SUBSCRIPTION_IDS_NOT_SUPPORTED: Subscription Identifiers not supported
 * @KMQTT_RC_WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED: Wildcard Subscriptions not supported
 *
 * The decoders use these codes for every version; see kmqtt_connack_to_v3() for what a 3.x peer
 * is told.
 */
enum kmqtt_reason {
	KMQTT_RC_SUCCESS = 0x00,
	KMQTT_RC_GRANTED_QOS0 = 0x00,
	KMQTT_RC_GRANTED_QOS1 = 0x01,
	KMQTT_RC_GRANTED_QOS2 = 0x02,
	KMQTT_RC_DISCONNECT_WITH_WILL = 0x04,
	KMQTT_RC_NO_MATCHING_SUBSCRIBERS = 0x10,
	KMQTT_RC_NO_SUBSCRIPTION_EXISTED = 0x11,
	KMQTT_RC_CONTINUE_AUTHENTICATION = 0x18,
	KMQTT_RC_REAUTHENTICATE = 0x19,
	KMQTT_RC_UNSPECIFIED = 0x80,
	KMQTT_RC_MALFORMED_PACKET = 0x81,
	KMQTT_RC_PROTOCOL_ERROR = 0x82,
	KMQTT_RC_IMPLEMENTATION_SPECIFIC = 0x83,
	KMQTT_RC_UNSUPPORTED_PROTOCOL_VERSION = 0x84,
	KMQTT_RC_CLIENT_ID_NOT_VALID = 0x85,
	KMQTT_RC_BAD_USER_NAME_OR_PASSWORD = 0x86,
	KMQTT_RC_NOT_AUTHORIZED = 0x87,
	KMQTT_RC_SERVER_UNAVAILABLE = 0x88,
	KMQTT_RC_SERVER_BUSY = 0x89,
	KMQTT_RC_BANNED = 0x8A,
	KMQTT_RC_SERVER_SHUTTING_DOWN = 0x8B,
	KMQTT_RC_BAD_AUTHENTICATION_METHOD = 0x8C,
	KMQTT_RC_KEEP_ALIVE_TIMEOUT = 0x8D,
	KMQTT_RC_SESSION_TAKEN_OVER = 0x8E,
	KMQTT_RC_TOPIC_FILTER_INVALID = 0x8F,
	KMQTT_RC_TOPIC_NAME_INVALID = 0x90,
	KMQTT_RC_PACKET_ID_IN_USE = 0x91,
	KMQTT_RC_PACKET_ID_NOT_FOUND = 0x92,
	KMQTT_RC_RECEIVE_MAXIMUM_EXCEEDED = 0x93,
	KMQTT_RC_TOPIC_ALIAS_INVALID = 0x94,
	KMQTT_RC_PACKET_TOO_LARGE = 0x95,
	KMQTT_RC_MESSAGE_RATE_TOO_HIGH = 0x96,
	KMQTT_RC_QUOTA_EXCEEDED = 0x97,
	KMQTT_RC_ADMINISTRATIVE_ACTION = 0x98,
	KMQTT_RC_PAYLOAD_FORMAT_INVALID = 0x99,
	KMQTT_RC_RETAIN_NOT_SUPPORTED = 0x9A,
	KMQTT_RC_QOS_NOT_SUPPORTED = 0x9B,
	KMQTT_RC_USE_ANOTHER_SERVER = 0x9C,
	KMQTT_RC_SERVER_MOVED = 0x9D,
	KMQTT_RC_SHARED_SUBSCRIPTIONS_NOT_SUPPORTED = 0x9E,
	KMQTT_RC_CONNECTION_RATE_EXCEEDED = 0x9F,
	KMQTT_RC_MAXIMUM_CONNECT_TIME = 0xA0,
	KMQTT_RC_SUBSCRIPTION_IDS_NOT_SUPPORTED = 0xA1,
	KMQTT_RC_WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED = 0xA2,
};

/**
 * enum kmqtt_prop_id - property identifiers (MQTT 5.0, 2.2.2.2, table 2-4)
 * @KMQTT_PROP_PAYLOAD_FORMAT: Payload Format Indicator, byte
 * @KMQTT_PROP_MESSAGE_EXPIRY: Message Expiry Interval, four bytes
 * @KMQTT_PROP_CONTENT_TYPE: Content Type, string
 * @KMQTT_PROP_RESPONSE_TOPIC: Response Topic, string
 * @KMQTT_PROP_CORRELATION_DATA: Correlation Data, binary
 * @KMQTT_PROP_SUBSCRIPTION_ID: Subscription Identifier, variable byte integer
 * @KMQTT_PROP_SESSION_EXPIRY: Session Expiry Interval, four bytes
 * @KMQTT_PROP_ASSIGNED_CLIENT_ID: Assigned Client Identifier, string
 * @KMQTT_PROP_SERVER_KEEP_ALIVE: Server Keep Alive, two bytes
 * @KMQTT_PROP_AUTH_METHOD: Authentication Method, string
 * @KMQTT_PROP_AUTH_DATA: Authentication Data, binary
 * @KMQTT_PROP_REQUEST_PROBLEM_INFO: Request Problem Information, byte
 * @KMQTT_PROP_WILL_DELAY: Will Delay Interval, four bytes
 * @KMQTT_PROP_REQUEST_RESPONSE_INFO: Request Response Information, byte
 * @KMQTT_PROP_RESPONSE_INFO: Response Information, string
 * @KMQTT_PROP_SERVER_REFERENCE: Server Reference, string
 * @KMQTT_PROP_REASON_STRING: Reason String, string
 * @KMQTT_PROP_RECEIVE_MAX: Receive Maximum, two bytes
 * @KMQTT_PROP_TOPIC_ALIAS_MAX: Topic Alias Maximum, two bytes
 * @KMQTT_PROP_TOPIC_ALIAS: Topic Alias, two bytes
 * @KMQTT_PROP_MAX_QOS: Maximum QoS, byte
 * @KMQTT_PROP_RETAIN_AVAILABLE: Retain Available, byte
 * @KMQTT_PROP_USER_PROPERTY: User Property, pair of strings
 * @KMQTT_PROP_MAX_PACKET_SIZE: Maximum Packet Size, four bytes
 * @KMQTT_PROP_WILDCARD_SUB_AVAILABLE: Wildcard Subscription Available, byte
 * @KMQTT_PROP_SUB_ID_AVAILABLE: Subscription Identifiers Available, byte
 * @KMQTT_PROP_SHARED_SUB_AVAILABLE: Shared Subscription Available, byte
 * @KMQTT_PROP_ID_END: no property: one more than the last
 */
enum kmqtt_prop_id {
	KMQTT_PROP_PAYLOAD_FORMAT = 0x01,
	KMQTT_PROP_MESSAGE_EXPIRY = 0x02,
	KMQTT_PROP_CONTENT_TYPE = 0x03,
	KMQTT_PROP_RESPONSE_TOPIC = 0x08,
	KMQTT_PROP_CORRELATION_DATA = 0x09,
	KMQTT_PROP_SUBSCRIPTION_ID = 0x0B,
	KMQTT_PROP_SESSION_EXPIRY = 0x11,
	KMQTT_PROP_ASSIGNED_CLIENT_ID = 0x12,
	KMQTT_PROP_SERVER_KEEP_ALIVE = 0x13,
	KMQTT_PROP_AUTH_METHOD = 0x15,
	KMQTT_PROP_AUTH_DATA = 0x16,
	KMQTT_PROP_REQUEST_PROBLEM_INFO = 0x17,
	KMQTT_PROP_WILL_DELAY = 0x18,
	KMQTT_PROP_REQUEST_RESPONSE_INFO = 0x19,
	KMQTT_PROP_RESPONSE_INFO = 0x1A,
	KMQTT_PROP_SERVER_REFERENCE = 0x1C,
	KMQTT_PROP_REASON_STRING = 0x1F,
	KMQTT_PROP_RECEIVE_MAX = 0x21,
	KMQTT_PROP_TOPIC_ALIAS_MAX = 0x22,
	KMQTT_PROP_TOPIC_ALIAS = 0x23,
	KMQTT_PROP_MAX_QOS = 0x24,
	KMQTT_PROP_RETAIN_AVAILABLE = 0x25,
	KMQTT_PROP_USER_PROPERTY = 0x26,
	KMQTT_PROP_MAX_PACKET_SIZE = 0x27,
	KMQTT_PROP_WILDCARD_SUB_AVAILABLE = 0x28,
	KMQTT_PROP_SUB_ID_AVAILABLE = 0x29,
	KMQTT_PROP_SHARED_SUB_AVAILABLE = 0x2A,
	KMQTT_PROP_ID_END,
};

/**
 * KMQTT_PROP_BIT - the bit of a property in a u64 set of properties
 * @id: &enum kmqtt_prop_id
 */
#define KMQTT_PROP_BIT(id) (1ULL << (id))

/* The largest value of a variable byte integer, hence of a Remaining Length (1.5.5, 2.1.4). */
#define KMQTT_VARINT_MAX 268435455U

/* The longest string, binary, topic name or topic filter, in bytes (1.5.4, 1.5.6, 4.7.3). */
#define KMQTT_STRING_MAX 65535U

/* The deepest topic name or filter accepted, in levels; as Mosquitto's 200 separators. */
#define KMQTT_TOPIC_LEVELS_MAX 201U

/**
 * struct kmqtt_view - bytes that belong to somebody else
 * @data: first byte; NULL if there is nothing, e.g. a field that a packet does not have. An empty
 *	string that is there has @len 0 and @data not NULL.
 * @len: number of bytes; no byte follows that could be relied on (there is no final NUL)
 *
 * A view is valid for as long as the buffer that was decoded.
 */
struct kmqtt_view {
	const u8 *data;
	u32 len;
};

/* Nothing. */
#define KMQTT_VIEW_NONE ((struct kmqtt_view){ NULL, 0 })

/* Of whatever byte order, for comparisons. */
static inline u64 kmqtt_word(const u8 *p)
{
	u64 val;

	memcpy(&val, p, sizeof(val));
	return val;
}

/**
 * kmqtt_equal() - are these bytes the same?
 * @a: some
 * @b: others
 * @len: how many
 *
 * For short ones, as topic names are: by eight at a time, the last eight perhaps twice.
 *
 * Return: true if they are
 */
static inline bool kmqtt_equal(const u8 *a, const u8 *b, size_t len)
{
	size_t i;

	if (len < 8)
		return !len || !memcmp(a, b, len);
	for (i = 0; i < len - 8; i += 8)
		if (kmqtt_word(a + i) != kmqtt_word(b + i))
			return false;
	return kmqtt_word(a + len - 8) == kmqtt_word(b + len - 8);
}

/**
 * kmqtt_view_equal() - are the bytes of two views the same?
 * @a: one
 * @b: the other
 *
 * Return: true if they are; "nothing" and "empty" are the same
 */
static inline bool kmqtt_view_equal(struct kmqtt_view a, struct kmqtt_view b)
{
	return a.len == b.len && kmqtt_equal(a.data, b.data, a.len);
}

/**
 * kmqtt_view_str() - view of a string
 * @s: NUL-terminated string
 *
 * Return: a view of its bytes, without the NUL
 */
static inline struct kmqtt_view kmqtt_view_str(const char *s)
{
	return (struct kmqtt_view){ .data = (const u8 *)s, .len = strlen(s) };
}

/**
 * kmqtt_reason_name() - the standard's name of a reason code
 * @rc: reason code, any value
 *
 * Return: a constant string; "Unknown" for a number that the standard does not give a meaning
 */
const char *kmqtt_reason_name(u8 rc);

/**
 * kmqtt_packet_name() - the standard's name of a packet type
 * @type: &enum kmqtt_packet_type, any value
 *
 * Return: a constant string such as "PUBLISH"; "reserved" for 0 and for what is no packet
 */
const char *kmqtt_packet_name(u8 type);

/**
 * kmqtt_reason_allowed() - may this reason code stand in this packet?
 * @type: CONNACK, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK, UNSUBACK, DISCONNECT or AUTH
 * @rc: reason code
 *
 * The reason codes of MQTT 5.0 (2.4, table 2-6), whoever sends the packet.
 *
 * Return: true if it may
 */
bool kmqtt_reason_allowed(u8 type, u8 rc);

/**
 * kmqtt_connack_to_v3() - the CONNACK return code for a 3.x client
 * @rc: reason code that a 5.0 client would get, e.g. %KMQTT_RC_NOT_AUTHORIZED
 *
 * MQTT 3.1.1, 3.2.2.3: 0 accepted, 1 unacceptable protocol version, 2 identifier rejected,
 * 3 server unavailable, 4 bad user name or password, 5 not authorized.
 *
 * Return: 0 to 5; an error that 3.x has no word for becomes 3, server unavailable
 */
u8 kmqtt_connack_to_v3(u8 rc);

/**
 * kmqtt_connack_from_v3() - the reason code that a CONNACK return code of 3.x means
 * @code: return code
 *
 * Return: reason code; %KMQTT_RC_UNSPECIFIED for a @code above 5
 */
u8 kmqtt_connack_from_v3(u8 code);

/**
 * kmqtt_packet_allowed() - may this packet come from this side at all?
 * @type: &enum kmqtt_packet_type
 * @version: protocol version of the connection
 * @from_server: true if the sender is the server, false if it is the client
 *
 * MQTT 5.0, 2.1.2, "direction of flow". In 3.x a DISCONNECT comes from the client only, and there
 * is no AUTH.
 *
 * Return: true if it may; if not, it is a %KMQTT_RC_PROTOCOL_ERROR
 */
bool kmqtt_packet_allowed(u8 type, u8 version, bool from_server);

#endif /* KMQTT_PROTO_PROTO_H */

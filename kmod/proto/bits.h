/* SPDX-License-Identifier: GPL-2.0-only */
/* Bits that decode.c and encode.c share and nobody else needs. */
#ifndef KMQTT_PROTO_BITS_H
#define KMQTT_PROTO_BITS_H

#include "proto.h"

/* Protocol level: the bit by which a bridge gives itself to be known. */
#define KMQTT_LEVEL_BRIDGE 0x80

/* Connect flags (3.1.2.3). */
#define KMQTT_CONNECT_RESERVED 0x01
#define KMQTT_CONNECT_CLEAN_START 0x02
#define KMQTT_CONNECT_WILL 0x04
#define KMQTT_CONNECT_WILL_QOS 0x18
#define KMQTT_CONNECT_WILL_QOS_SHIFT 3
#define KMQTT_CONNECT_WILL_RETAIN 0x20
#define KMQTT_CONNECT_PASSWORD 0x40
#define KMQTT_CONNECT_USER_NAME 0x80

/* Connect acknowledge flags (3.2.2.1). */
#define KMQTT_CONNACK_SESSION_PRESENT 0x01

/* The last return code that 3.x has; the others are reserved (3.1.1, 3.2.2.3). */
#define KMQTT_CONNACK_V3_LAST 5

/* Subscription options (3.8.3.1). */
#define KMQTT_SUB_OPT_QOS 0x03
#define KMQTT_SUB_OPT_NO_LOCAL 0x04
#define KMQTT_SUB_OPT_RETAIN_AS_PUBLISHED 0x08
#define KMQTT_SUB_OPT_RETAIN_SHIFT 4
#define KMQTT_SUB_OPT_RESERVED 0xc0

/**
 * kmqtt_protocol_name() - the protocol name of a version (3.1.2.1)
 * @version: &enum kmqtt_version
 *
 * Return: a constant string
 */
static inline struct kmqtt_view kmqtt_protocol_name(u8 version)
{
	struct kmqtt_view name = { (const u8 *)"MQTT", 4 };

	if (version == KMQTT_V31) {
		name.data = (const u8 *)"MQIsdp";
		name.len = 6;
	}
	return name;
}

#endif /* KMQTT_PROTO_BITS_H */

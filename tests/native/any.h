/* SPDX-License-Identifier: GPL-2.0-only */
/* Decode and encode whatever packet it is: for tests that go over all of them. */
#ifndef KMQTT_TESTS_ANY_H
#define KMQTT_TESTS_ANY_H

#include "proto/packet.h"

/* As many entries as a test packet has at most. */
#define ANY_ENTRIES 512

/**
 * struct any_packet - one decoded packet of whatever type
 * @type: which member of the union it is
 * @version: protocol version
 * @connect: CONNECT
 * @connack: CONNACK
 * @publish: PUBLISH
 * @ack: PUBACK, PUBREC, PUBREL, PUBCOMP
 * @subscribe: SUBSCRIBE
 * @suback: SUBACK, UNSUBACK
 * @unsubscribe: UNSUBSCRIBE
 * @disconnect: DISCONNECT, AUTH
 */
struct any_packet {
	u8 type;
	u8 version;
	union {
		struct kmqtt_connect connect;
		struct kmqtt_connack connack;
		struct kmqtt_publish publish;
		struct kmqtt_ack_packet ack;
		struct kmqtt_subscribe subscribe;
		struct kmqtt_suback suback;
		struct kmqtt_unsubscribe unsubscribe;
		struct kmqtt_disconnect disconnect;
	};
};

/** any_decode() - call the decoder for @f->type; returns 0 or the reason code */
u8 any_decode(const struct kmqtt_fixed *f, const u8 *body, u8 version, struct any_packet *out);

/**
 * any_encode() - call the encoder for what any_decode() gave
 *
 * Return: as the encoders; -E2BIG if the packet has more than %ANY_ENTRIES entries
 */
int any_encode(u8 *buf, size_t cap, const struct any_packet *a);

/** any_props() - the properties of the packet, or NULL if it is a PINGREQ or PINGRESP */
const struct kmqtt_props *any_props(const struct any_packet *a);

/**
 * any_round_trip() - decode, encode, decode, encode
 * @a: a packet that was decoded without error
 *
 * Return: NULL if the encoded packet decodes to the same values and encodes to the same bytes,
 * and the size was foretold; or else what is wrong
 */
const char *any_round_trip(const struct any_packet *a);

#endif /* KMQTT_TESTS_ANY_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/* Strings as MQTT wants them. */
#ifndef KMQTT_PROTO_UTF8_H
#define KMQTT_PROTO_UTF8_H

#include "proto.h"

/**
 * kmqtt_utf8_valid() - may these bytes stand in a UTF-8 encoded string?
 * @s: bytes; may be NULL if @len is 0
 * @len: number of bytes
 *
 * MQTT 5.0, 1.5.4: well-formed UTF-8 (Unicode, RFC 3629), hence no surrogates U+D800 to U+DFFF, no
 * overlong form and nothing above U+10FFFF, and no U+0000. Control characters and non-characters,
 * which "should not" be there, are accepted.
 *
 * Return: true if they may; if not, the packet is a %KMQTT_RC_MALFORMED_PACKET
 */
bool kmqtt_utf8_valid(const u8 *s, size_t len);

/* One bit of each of eight bytes: the lowest, the highest. */
#define KMQTT_BYTES_ONE	0x0101010101010101ULL
#define KMQTT_BYTES_TOP	0x8080808080808080ULL

/**
 * kmqtt_bytes_load() - eight bytes at once, in the order of the machine
 * @s: bytes, aligned or not
 *
 * Return: them
 */
static inline u64 kmqtt_bytes_load(const u8 *s)
{
	u64 word;

	memcpy(&word, s, sizeof(word));
	return word;
}

/**
 * kmqtt_bytes_without() - are eight bytes U+0000 to U+007F, and none of them this one?
 * @word: the bytes
 * @byte: below 0x80
 *
 * Without a top bit anywhere, a byte borrows from the subtraction only if it is 0.
 *
 * Return: a bit of %KMQTT_BYTES_TOP is set if not
 */
static inline u64 kmqtt_bytes_without(u64 word, u8 byte)
{
	return word | ((word ^ byte * KMQTT_BYTES_ONE) - KMQTT_BYTES_ONE);
}

#endif /* KMQTT_PROTO_UTF8_H */

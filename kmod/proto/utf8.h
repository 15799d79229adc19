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

#endif /* KMQTT_PROTO_UTF8_H */

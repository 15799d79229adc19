/* SPDX-License-Identifier: GPL-2.0-only */
/* Packets written down by hand from the text of the standards. */
#ifndef KMQTT_TESTS_VECTORS_H
#define KMQTT_TESTS_VECTORS_H

#include "proto/proto.h"

/**
 * struct vector - one packet
 * @name: what is special about it
 * @version: protocol version of the connection
 * @first: first byte of the packet
 * @body: what follows the fixed header, as for bytes_parse()
 * @rc: the reason code of the violation, 0 if there is none
 */
struct vector {
	const char *name;
	u8 version;
	u8 first;
	const char *body;
	u8 rc;
};

/* Packets that must be taken, and that the encoders write in the same bytes. Ends with no name. */
extern const struct vector vectors_valid[];

/* Packets that must be taken though the encoders write them otherwise. */
extern const struct vector vectors_tolerated[];

/* Packets that must be refused, with this reason code. */
extern const struct vector vectors_refused[];

#endif /* KMQTT_TESTS_VECTORS_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Proofs by going through all there is. Each judges kmod/proto against something slow that was
 * written from the standard alone, and shares no line with what it judges.
 */
#ifndef KMQTT_TESTS_PROVE_H
#define KMQTT_TESTS_PROVE_H

#include "proto/proto.h"
#include "tap.h"

/** GUARD_SIZE - bytes before guard_end() */
#define GUARD_SIZE (2 * 65536)

/** guard_end() - where memory ends: who reads there is killed */
u8 *guard_end(void);

/** prove_varint() - every variable byte integer, and every sequence of four bytes (1.5.5) */
void prove_varint(void);

/** prove_utf8() - every sequence of up to four bytes, of three inside longer strings (1.5.4) */
void prove_utf8(void);

/**
 * prove_fixed() - every fixed header (2.1)
 * @full: every Remaining Length with every first byte; else with steps above 2^17
 */
void prove_fixed(bool full);

/**
 * prove_props() - every property identifier in every packet, with every length (2.2.2)
 * @full: lengths up to 65535, else up to 300; six bytes of value, else five
 */
void prove_props(bool full);

/**
 * prove_topic() - every short filter against every short topic, and filter (4.7, 4.8)
 * @full: eight characters, else seven
 */
void prove_topic(bool full);

#endif /* KMQTT_TESTS_PROVE_H */

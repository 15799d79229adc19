/* SPDX-License-Identifier: GPL-2.0-only */
/* The parts of the native unit run. */
#ifndef KMQTT_TESTS_TESTS_H
#define KMQTT_TESTS_TESTS_H

/** test_utf8() - kmqtt_utf8_valid() against a slow and obvious decoder, over all code points */
void test_utf8(void);

/** test_wire() - integers, readers and writers */
void test_wire(void);

/** test_reason() - names, reason codes per packet, directions, return codes of 3.x */
void test_reason(void);

/** test_props() - every property in every packet */
void test_props(void);

/** test_vectors() - packets written down by hand: taken, refused, cut, changed, round trips */
void test_vectors(void);

/** test_fields() - what the decoders put into each member */
void test_fields(void);

/** test_encode() - what the encoders refuse, and PUBLISH heads */
void test_encode(void);

/** test_topic() - validity, levels, shares; matching and covering against slow twins */
void test_topic(void);

/** test_run() - runs of PUBLISH packets, against decoding one by one */
void test_run(void);

#endif /* KMQTT_TESTS_TESTS_H */

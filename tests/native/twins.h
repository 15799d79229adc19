/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Slow and obvious twins of what is written for speed: the tests and the fuzzers compare the two.
 */
#ifndef KMQTT_TESTS_TWINS_H
#define KMQTT_TESTS_TWINS_H

#include "proto/proto.h"

/** slow_utf8_valid() - kmqtt_utf8_valid(): each code point is taken apart and judged by number */
bool slow_utf8_valid(const u8 *s, size_t len);

/** slow_topic_matches() - kmqtt_topic_matches(): by recursion, straight from 4.7.1 and 4.7.2 */
bool slow_topic_matches(struct kmqtt_view filter, struct kmqtt_view topic);

/** slow_filter_valid() - is it a valid filter by 4.7.1, not looking at $share, UTF-8 and limits? */
bool slow_filter_valid(struct kmqtt_view filter);

/**
 * slow_run() - kmqtt_run_scan(): each packet is decoded
 * @p: first byte
 * @left: bytes that are there
 * @version: protocol version
 * @len: out: bytes of the run
 * @bytes: out: bytes of its topic names and payloads
 *
 * Return: number of packets
 */
u32 slow_run(const u8 *p, size_t left, u8 version, u32 *len, u32 *bytes);

#endif /* KMQTT_TESTS_TWINS_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A run: PUBLISH packets one behind the other that differ in their payloads alone. A server sends
 * them on as they are, to whom speaks the same version of MQTT.
 */
#ifndef KMQTT_PROTO_RUN_H
#define KMQTT_PROTO_RUN_H

#include "packet.h"

/**
 * struct kmqtt_run - whole PUBLISH packets of QoS 0, without RETAIN and properties, and with one
 *	topic name
 * @data: first byte of the first one
 * @len: bytes of all
 * @count: how many
 * @longest: bytes of the longest one
 * @bytes: bytes of their topic names and payloads
 * @topic: topic name, in the first one
 * @version: kmqtt_run_version()
 */
struct kmqtt_run {
	const u8 *data;
	u32 len;
	u32 count;
	u32 longest;
	u32 bytes;
	struct kmqtt_view topic;
	u8 version;
};

/** kmqtt_run_version() - one version for all that write such packets alike */
static inline u8 kmqtt_run_version(u8 version)
{
	return version == KMQTT_V5 ? KMQTT_V5 : KMQTT_V311;
}

/**
 * kmqtt_run_scan() - how far does a run go?
 * @p: first byte of a packet
 * @left: number of bytes that are there
 * @version: protocol version, or kmqtt_run_version()
 * @max_packet: bytes of a packet that is taken into the run, at most
 * @run: the result
 *
 * What does not belong to it, or might be wrong in whatever way, ends the run: it is not judged
 * here. Packets of more than 16386 bytes do not belong to it.
 *
 * Return: number of packets, 0 if the first one is none
 */
u32 kmqtt_run_scan(const u8 *p, size_t left, u8 version, u32 max_packet, struct kmqtt_run *run);

/**
 * kmqtt_run_is_one() - is it quickly seen that there is but one packet?
 * @p: first byte of a packet
 * @left: number of bytes that are there, at least 2
 */
static inline bool kmqtt_run_is_one(const u8 *p, size_t left)
{
	return (size_t)p[1] + 2 >= left;	/* a longer Remaining Length is over 127 here */
}

/**
 * kmqtt_run_prefix() - the beginning of a run
 * @p: first byte of the first packet
 * @version: protocol version
 * @count: how many packets; not more than the run has
 * @bytes: out: bytes of their topic names and payloads
 *
 * Return: bytes of the packets
 */
u32 kmqtt_run_prefix(const u8 *p, u8 version, u32 count, u32 *bytes);

/**
 * kmqtt_run_next() - the next packet of a run
 * @p: its first byte; moved on behind it
 * @version: protocol version of the run
 * @topic_len: bytes of the run's topic name
 *
 * Return: its payload
 */
struct kmqtt_view kmqtt_run_next(const u8 **p, u8 version, u32 topic_len);

/**
 * kmqtt_run_encode() - one more packet of a run, but for its payload
 * @p: where it goes: there is room for KMQTT_RUN_HEAD_MAX(@topic.len) bytes and the payload
 * @version: protocol version of the run
 * @topic: topic name
 * @payload_len: bytes of its payload; the packet has 16386 bytes or fewer
 *
 * Return: where the payload goes, up to the end of the packet
 */
u8 *kmqtt_run_encode(u8 *p, u8 version, struct kmqtt_view topic, u32 payload_len);

/** KMQTT_RUN_HEAD_MAX() - bytes of a run's packet before its payload, at most */
#define KMQTT_RUN_HEAD_MAX(topic_len)	(3 + 2 + (topic_len) + 1)

#endif /* KMQTT_PROTO_RUN_H */

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef KMQTT_INTERNAL_H
#define KMQTT_INTERNAL_H

#include <kmqtt/kmqtt.h>

/**
 * struct ring - the mapped ring of a session
 * @user:	our page: how far we have consumed
 * @kernel:	the kernel's page: how far it has produced
 * @data:	the records, mapped twice in a row
 * @mask:	their bytes minus one
 * @map_len:	bytes of the read-only mapping at @kernel
 * @user_len:	bytes of the mapping at @user
 * @next:	position of the record that is looked at next
 */
struct ring {
	struct kmqtt_ring_user *user;
	const struct kmqtt_ring_kernel *kernel;
	const unsigned char *data;
	uint64_t mask;
	size_t map_len;
	size_t user_len;
	uint64_t next;
};

/**
 * struct kmqtt - an open session
 * @fd:		the device
 * @nonblock:	it was opened with O_NONBLOCK
 * @buf:	what was read and is handed out message by message
 * @buf_size:	bytes allocated for it
 * @buf_len:	bytes read
 * @buf_pos:	bytes handed out
 * @ring:	used instead of @buf if ring.user is set
 */
struct kmqtt {
	int fd;
	int nonblock;
	unsigned char *buf;
	size_t buf_size;
	size_t buf_len;
	size_t buf_pos;
	struct ring ring;
};

/**
 * struct kmqtt_props - properties to publish with
 * @data:	as on the wire (MQTT 5.0, 2.2.2), without their length
 * @len:	bytes used
 * @size:	bytes allocated
 * @expiry:	message expiry interval in seconds, which has a field of its own
 */
struct kmqtt_props {
	unsigned char *data;
	size_t len;
	size_t size;
	uint32_t expiry;
};

/* A record as it lies in memory becomes a message; no check, the kernel wrote it. */
void kmqtt_record_view(const struct kmqtt_record *rec,
		       struct kmqtt_message *msg);

/* Unmaps the ring, if there is one. */
void kmqtt_ring_close(struct ring *ring);

#endif

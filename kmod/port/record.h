/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Records of /dev/kmqtt (struct kmqtt_record in uapi/kmqtt.h) to messages of
 * the switch and back.
 *
 * Process context; both functions touch the caller's memory through an
 * iov_iter and may fault, unless the iterator is over kernel memory.
 */
#ifndef KMQTT_PORT_RECORD_H
#define KMQTT_PORT_RECORD_H

#include <linux/types.h>
#include <linux/uio.h>

#include "core/broker.h"

/** KMQTT_RECORD_ALIGN - records begin and end at multiples of this */
#define KMQTT_RECORD_ALIGN	8

/**
 * kmqtt_record_read() - make a message of the record that @from begins with
 * @session:	session that publishes it
 * @known:	a valid topic name, which is not judged again; or of no bytes
 * @from:	moved on behind the record; where it stands after an error is not said
 *
 * The record is copied once, then checked, and not looked at again.
 *
 * Return: a message with one reference; ERR_PTR(-EINVAL) a length, a flag, a
 * reserved field or properties that make no sense, -EILSEQ the topic name,
 * -EMSGSIZE over max_packet_size, -EFAULT, -ENOMEM, -ENOBUFS.
 */
struct kmqtt_msg *kmqtt_record_read(struct kmqtt_session *session, struct kmqtt_view known,
				    struct iov_iter *from);

/**
 * kmqtt_record_write() - put a delivery as a record
 * @d:		delivery of kind KMQTT_DELIVER_PUBLISH
 * @ack:	it waits for KMQTT_IOC_ACK
 * @to:		moved on behind the record
 *
 * Return: bytes of the record, a multiple of KMQTT_RECORD_ALIGN; -EFAULT if
 * not all of it could be put, -EMSGSIZE, with nothing put, if it is longer
 * than @to.
 */
ssize_t kmqtt_record_write(const struct kmqtt_delivery *d, bool ack,
			   struct iov_iter *to);

/**
 * kmqtt_record_write_drops() - put a record that tells how many were lost
 * @drops:	how many
 * @to:		moved on behind the record
 *
 * Return: as kmqtt_record_write().
 */
ssize_t kmqtt_record_write_drops(u64 drops, struct iov_iter *to);

#endif

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
 * kmqtt_record_read_run() - make a run of the records that @from begins with
 * @session:	session that publishes it
 * @known:	as above
 * @from:	moved on behind those that are in the run; NULL: not moved
 * @run:	out: the run, in the message; NULL: its count is 1 if there is but one record
 *
 * Those are short ones of QoS 0 and one topic name, without RETAIN, properties and expiry. What is
 * wrong ends the run, or is none: kmqtt_record_read() says in which way.
 *
 * Return: a message with one reference, or NULL
 */
struct kmqtt_msg *kmqtt_record_read_run(struct kmqtt_session *session, struct kmqtt_view known,
					struct iov_iter *from, struct kmqtt_run *run);

/**
 * kmqtt_record_write() - put a delivery as a record, or a run as one for each packet
 * @d:		delivery, no PUBREL; packets that have been put are no part of it any more
 * @ack:	it waits for KMQTT_IOC_ACK
 * @to:		moved on behind what is put
 * @done:	in, out: grows by the bytes of whole records that were put, a multiple of
 *		KMQTT_RECORD_ALIGN
 *
 * Return: 0; -EFAULT if not all of a record could be put, -EMSGSIZE, with nothing of it put, if it
 * is longer than @to.
 */
int kmqtt_record_write(struct kmqtt_delivery *d, bool ack, struct iov_iter *to, size_t *done);

/**
 * kmqtt_record_write_drops() - put a record that tells how many were lost
 * @drops:	how many
 * @to:		moved on behind the record
 *
 * Return: bytes of the record, or as kmqtt_record_write().
 */
ssize_t kmqtt_record_write_drops(u64 drops, struct iov_iter *to);

#endif

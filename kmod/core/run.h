/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Runs through the switch: what a client sends fast comes as many PUBLISH packets of QoS 0 with
 * one topic name (proto/run.h), and what a process writes at once is made to be the same. Where
 * all who get them are clients of the same version of MQTT, or processes that read, they go through
 * as one message that has them as they came: one match, one copy, one entry in each queue, and
 * nothing to be encoded. A file makes records of them as they are read.
 *
 * Caps, counters and rules are those of single messages: a queue that has not room for all takes
 * those that it has room for. Whatever a run is not good for (another QoS, properties,
 * other readers, policies other than drop-newest, identifiers, tracing) goes one by one.
 */
#ifndef KMQTT_CORE_RUN_H
#define KMQTT_CORE_RUN_H

#include "core/session.h"
#include "proto/run.h"

/**
 * kmqtt_session_publish_run() - publish all packets of a run at once, if that can be
 * @session:	publisher
 * @port:	its port
 * @run:	run, of valid topic name
 * @wakes:	where the wake-ups of those who get it are held back, or NULL
 *
 * Process context, may sleep. Return: true: done; false: nothing happened, they are to be
 * published one by one.
 */
bool kmqtt_session_publish_run(struct kmqtt_session *session, const struct kmqtt_port *port,
			       const struct kmqtt_run *run, struct kmqtt_wakes *wakes);

/**
 * kmqtt_publish_run() - publish a run that is in its message already
 * @session:	publisher
 * @msg:	of kmqtt_msg_alloc_run(), with the packets; nobody else has seen it
 * @run:	the packets, of valid topic name; @run->data: the payload of @msg
 * @wakes:	as above
 *
 * Process context, may sleep. Return: as above.
 */
bool kmqtt_publish_run(struct kmqtt_session *session, struct kmqtt_msg *msg,
		       const struct kmqtt_run *run, struct kmqtt_wakes *wakes);

#endif

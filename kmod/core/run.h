/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Runs through the switch: what a client sends fast comes as many PUBLISH packets of QoS 0 with
 * one topic name (proto/run.h). Where all who get them are clients of the same version of MQTT,
 * they go through as one message that has them as they came: one match, one copy, one entry in
 * each queue, and nothing to be encoded.
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

#endif

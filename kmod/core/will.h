/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Inside the core: will messages (MQTT 5.0, 3.1.2.5).
 *
 * A session has a will only if its client asked for one. It rests in
 * session->will, under session->lock, until it is dropped or due:
 *
 *	set      the peer is there
 *	waiting  the peer was lost; the will delay interval runs, and whoever comes
 *	         back before it is over drops the will
 *	due      it is on its way to be published; session->will has let go of it
 *
 * It is published by a work item, which owns it as soon as it is queued.
 */
#ifndef KMQTT_CORE_WILL_H
#define KMQTT_CORE_WILL_H

#include <linux/types.h>

struct kmqtt_identity;
struct kmqtt_session;
struct kmqtt_session_params;
struct kmqtt_will;

/**
 * kmqtt_will_new() - a will as @params say, that is no session's yet
 *
 * Process context. Return: it; NULL if there is none to be; ERR_PTR(-ENOMEM).
 */
struct kmqtt_will *kmqtt_will_new(const struct kmqtt_session_params *params);

/** kmqtt_will_free() - one that no work item owns; NULL is allowed (atomic) */
void kmqtt_will_free(struct kmqtt_will *will);

/**
 * kmqtt_will_replace() - a new connection has come, with its own will or none
 * @session:	session; its old port is gone
 * @will:	the new one, NULL: none
 * @who:	who set it: what he may publish counts when the will is published
 *
 * The old one is not published if its delay is not over yet (3.1.3.2.2).
 * broker->sessions_lock held.
 */
void kmqtt_will_replace(struct kmqtt_session *session, struct kmqtt_will *will,
			struct kmqtt_identity *who);

/**
 * kmqtt_will_lost() - the port has gone
 * @session:	session
 * @end:	the session ends: there is no delay any more
 *
 * Published when its delay is over; dropped if the switch is going.
 * broker->sessions_lock held.
 */
void kmqtt_will_lost(struct kmqtt_session *session, bool end);

#endif

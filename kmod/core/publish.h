/* SPDX-License-Identifier: GPL-2.0 */
/* Inside the core: who publishes, and who may get it. */
#ifndef KMQTT_CORE_PUBLISH_H
#define KMQTT_CORE_PUBLISH_H

#include "core/session.h"

/**
 * struct kmqtt_publisher - on whose account a message is published
 * @session:	session, or NULL: the switch itself, which may all
 * @who:	who the session was then, or NULL: who it is
 * @port:	the port that must have the session still, or NULL
 * @wakes:	where wake-ups are held back, or NULL
 * @memo:	what is known of its last topic name, or NULL
 */
struct kmqtt_publisher {
	struct kmqtt_session *session;
	struct kmqtt_identity *who;
	const struct kmqtt_port *port;
	struct kmqtt_wakes *wakes;
	struct kmqtt_memo *memo;
};

/* subscriptions that are held back without memory of their own */
#define KMQTT_MATCHES_STACK	32

/**
 * struct kmqtt_matches - subscriptions that match, held back; under one rcu_read_lock()
 * @sub:	they, at @stack until they are too many
 * @nr:		how many
 * @cap:	places at @sub
 * @stack:	room for the first ones
 */
struct kmqtt_matches {
	const struct kmqtt_sub **sub;
	unsigned int nr;
	unsigned int cap;
	const struct kmqtt_sub *stack[KMQTT_MATCHES_STACK];
};

/** kmqtt_matches_init() - none. @matches need not be zeroed, and does not move */
static inline void kmqtt_matches_init(struct kmqtt_matches *matches)
{
	matches->sub = matches->stack;
	matches->nr = 0;
	matches->cap = KMQTT_MATCHES_STACK;
}

/** kmqtt_matches_exit() - frees what more than fits took (atomic) */
void kmqtt_matches_exit(struct kmqtt_matches *matches);

/** kmqtt_matches_reserve() - is there room for one more now? (atomic) */
bool kmqtt_matches_reserve(struct kmqtt_matches *matches);

/** kmqtt_publish_allowed() - by the rules. Return: 0, -EACCES, -ESTALE (atomic) */
int kmqtt_publish_allowed(const struct kmqtt_publisher *by, const struct kmqtt_msg *msg);

/**
 * kmqtt_route_wanted() - is a message for who has this subscription, by its options and the
 *	rules? rcu_read_lock() held
 */
bool kmqtt_route_wanted(const struct kmqtt_session *from, const struct kmqtt_msg *msg,
			const struct kmqtt_sub *sub);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Inside the core: shared subscriptions (MQTT 5.0, 4.8.2), which member gets a
 * message, and what becomes of it when that member goes.
 *
 * A message that came by a shared subscription remembers its group while it is
 * queued or in flight. When the member's session ends, another member gets what was
 * not sent yet, and QoS 1 that was not acknowledged; not QoS 2 that was sent, for
 * the member may have it (MQTT-4.8.2-5). When a member unsubscribes, another one
 * gets what was not sent yet if it has room: this one does not want it any more.
 * The rest stays, as 3.10.4 allows, and what has been sent must be completed
 * (MQTT-3.10.4-4). What a member refuses is gone (MQTT-4.8.2-6).
 */
#ifndef KMQTT_CORE_SHARE_H
#define KMQTT_CORE_SHARE_H

#include <linux/list.h>
#include <linux/types.h>

struct kmqtt_msg;
struct kmqtt_session;
struct kmqtt_sub;
struct kmqtt_sub_group;
struct kmqtt_wakes;

/**
 * struct kmqtt_share - a message for one member of a group
 * @from:	who published it, or NULL if that does not matter: an uplink gets
 *		nothing back
 * @msg:	message
 * @wakes:	where the wake-up is held back, or NULL
 * @room:	only for a member whose queue has room
 */
struct kmqtt_share {
	const struct kmqtt_session *from;
	struct kmqtt_msg *msg;
	struct kmqtt_wakes *wakes;
	bool room;
};

/**
 * kmqtt_share_pick() - whose turn is it?
 *
 * Of the members that may read it: those that are online and have room; those
 * that will have it when they come back; those that are online; the rest.
 * rcu_read_lock() held. Return: the subscription, or NULL if there is none.
 */
const struct kmqtt_sub *kmqtt_share_pick(struct kmqtt_share *share,
					 struct kmqtt_sub_group *group);

/**
 * kmqtt_share_push() - queue it for this member, for another one if it has ended
 *
 * rcu_read_lock() held. Return: true if one has got it; what is full drops it.
 */
bool kmqtt_share_push(struct kmqtt_share *share, const struct kmqtt_sub *sub);

/**
 * kmqtt_share_hand_over() - what an ended session leaves to the other members
 * @gone:	its queue entries, which stay the caller's
 *
 * Process context; takes queue locks of others.
 */
void kmqtt_share_hand_over(struct list_head *gone);

/**
 * kmqtt_share_left() - a session has unsubscribed from this group
 *
 * Process context; takes queue locks, one after the other.
 */
void kmqtt_share_left(struct kmqtt_session *session, struct kmqtt_sub_group *group);

#endif

// SPDX-License-Identifier: GPL-2.0
/* Shared subscriptions: see share.h. */
#include <linux/rcupdate.h>
#include <linux/sched.h>

#include "compat.h"
#include "core/broker.h"
#include "core/queue.h"
#include "core/share.h"

/* entries of a queue that are looked at when its session unsubscribes */
#define KMQTT_SHARE_LEFT_MAX	16384

/* How well a member suits, from no to yes. */
enum kmqtt_share_rank {
	KMQTT_SHARE_NEVER = 0,
	KMQTT_SHARE_LOST,	/* away, and nothing is queued for it */
	KMQTT_SHARE_FULL,	/* online, but what comes drives out something */
	KMQTT_SHARE_LATER,	/* away; it finds the message when it comes back */
	KMQTT_SHARE_NOW = KMQTT_RANK_BEST,
};

static bool kmqtt_share_allowed(const struct kmqtt_share *share,
				const struct kmqtt_session *s)
{
	if (READ_ONCE(s->dead) || (s == share->from && s->kind == KMQTT_KIND_UPLINK))
		return false;
	return kmqtt_acl_check(&s->broker->acl, rcu_dereference(s->who), KMQTT_ACL_READ,
			       kmqtt_msg_topic(share->msg), share->msg->topic_len);
}

static u8 kmqtt_share_rank(void *ctx, const struct kmqtt_sub *sub)
{
	const struct kmqtt_share *share = ctx;
	const struct kmqtt_session *s = sub->session;
	bool room;

	if (!kmqtt_share_allowed(share, s))
		return KMQTT_SHARE_NEVER;
	room = kmqtt_queue_has_room(s, share->msg->size);
	if (!room && share->room)
		return KMQTT_SHARE_NEVER;
	if (rcu_access_pointer(s->port) && READ_ONCE(s->online))
		return room ? KMQTT_SHARE_NOW : KMQTT_SHARE_FULL;
	if (room && kmqtt_queue_keeps(s, min(share->msg->qos, sub->opts.qos)))
		return KMQTT_SHARE_LATER;
	return KMQTT_SHARE_LOST;
}

const struct kmqtt_sub *kmqtt_share_pick(struct kmqtt_share *share,
					 struct kmqtt_sub_group *group)
{
	return kmqtt_group_pick(group, kmqtt_share_rank, share);
}

bool kmqtt_share_push(struct kmqtt_share *share, const struct kmqtt_sub *sub)
{
	struct kmqtt_sub_group *group = sub->group;
	struct kmqtt_push how;

	/* each turn excludes one that has died, of those that were there when RCU began */
	do {
		how = (struct kmqtt_push) {
			.wakes = share->wakes,
			.group = group,
			.sub_id = sub->opts.sub_id,
			.qos = min(share->msg->qos, sub->opts.qos),
			.retain = sub->opts.retain_as_published && share->msg->retain,
		};
		if (kmqtt_queue_push(sub->session, share->msg, &how))
			return true;
		if (!READ_ONCE(sub->session->dead))
			return false;
		sub = kmqtt_share_pick(share, group);
	} while (sub);
	return false;
}

/* Return: has another member got it? */
static bool kmqtt_share_hand_on(struct kmqtt_qent *ent, bool room)
{
	struct kmqtt_share share = { .msg = ent->msg, .room = room };
	const struct kmqtt_sub *sub;
	bool ret;

	rcu_read_lock();
	sub = kmqtt_share_pick(&share, ent->group);
	ret = sub && kmqtt_share_push(&share, sub);
	rcu_read_unlock();
	return ret;
}

/* Was it sent, or handed to a process, at any time? */
static bool kmqtt_qent_was_sent(const struct kmqtt_qent *ent)
{
	return ent->state != KMQTT_QENT_QUEUED || ent->dup;
}

void kmqtt_share_hand_over(struct list_head *gone)
{
	struct kmqtt_qent *ent;

	list_for_each_entry(ent, gone, link) {
		if (!ent->group || !ent->qos ||
		    (ent->qos == 2 && kmqtt_qent_was_sent(ent)))
			continue;
		kmqtt_share_hand_on(ent, false);
		cond_resched();
	}
}

void kmqtt_share_left(struct kmqtt_session *s, struct kmqtt_sub_group *group)
{
	unsigned int left = KMQTT_SHARE_LEFT_MAX;
	struct kmqtt_qent *ent, *next;
	LIST_HEAD(rest);
	LIST_HEAD(gone);

	if (kmqtt_group_empty(group))
		return;
	spin_lock(&s->lock);
	list_for_each_entry_safe(ent, next, &s->queue, link) {
		if (!left--)
			break;
		if (ent->group != group || !ent->qos || ent->dup)
			continue;
		kmqtt_queue_remove(s, ent);
		list_add_tail(&ent->link, &gone);
	}
	spin_unlock(&s->lock);

	list_for_each_entry_safe(ent, next, &gone, link) {
		if (!kmqtt_share_hand_on(ent, true))
			list_move_tail(&ent->link, &rest);
		cond_resched();
	}
	kmqtt_qent_free_list(&gone);
	kmqtt_queue_return(s, &rest);
}

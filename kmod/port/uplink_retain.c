// SPDX-License-Identifier: GPL-2.0
/*
 * Retained messages of the server, which are kept here too: what comes again is
 * not delivered again, and what is not subscribed any more is forgotten, for
 * nobody would tell us when it changes.
 */
#include <linux/jhash.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/slab.h>

#include "compat.h"
#include "core/message.h"
#include "core/retain.h"
#include "port/uplink_priv.h"

static int kmqtt_link_same(void *ctx, struct kmqtt_msg *old,
			   const struct kmqtt_identity *source)
{
	const struct kmqtt_msg *msg = ctx;

	return old->payload_len == msg->payload_len && old->props_len == msg->props_len &&
	       !memcmp(kmqtt_msg_props(old), kmqtt_msg_props(msg),
		       msg->props_len + msg->payload_len);
}

/* Is this the first retained message of its topic since the last SUBSCRIBE? */
static bool kmqtt_link_first_retained(struct kmqtt_link *link, const struct kmqtt_msg *msg)
{
	u32 hash = jhash(kmqtt_msg_topic(msg), msg->topic_len, 0) | 1;
	u32 *seen;

	if (!link->replayed)
		link->replayed = kcalloc(KMQTT_UPLINK_REPLAYS, sizeof(u32), GFP_KERNEL);
	if (!link->replayed)
		return false;
	seen = &link->replayed[(hash >> 1) % KMQTT_UPLINK_REPLAYS];
	if (*seen == hash)
		return false;
	*seen = hash;
	return true;
}

/*
 * After a SUBSCRIBE the server sends what it has retained, once for each topic. It
 * may be what we got by another subscription, or before the connection was lost:
 * then those who are subscribed here have had it.
 */
bool kmqtt_link_is_replay(struct kmqtt_link *link, struct kmqtt_msg *msg)
{
	if (!msg->retain ||
	    (!kmqtt_upsubs_waiting(link->up) && time_after(jiffies, link->replay_until)))
		return false;
	return kmqtt_link_first_retained(link, msg) && msg->payload_len &&
	       kmqtt_retain_walk(&link->broker->retain, kmqtt_msg_topic(msg),
				 msg->topic_len, NULL, 0, kmqtt_link_same, msg);
}

/* A topic of the uplink does not want this filter of the server's any more. */
void kmqtt_uppurge_add(struct kmqtt_uplink *up, const struct kmqtt_uptopic *t,
		       struct kmqtt_view filter)
{
	u32 rest = filter.len - t->remote.len;
	struct kmqtt_uppurge *p;

	lockdep_assert_held(&up->subs_lock);
	p = kmalloc(struct_size(p, text, t->remote.len + t->local.len + rest),
		    GFP_KERNEL_ACCOUNT);
	if (!p)
		return;
	p->remote_len = t->remote.len;
	p->local_len = t->local.len;
	p->filter_len = t->local.len + rest;
	memcpy(p->text, t->remote.data, t->remote.len);
	memcpy(p->text + p->remote_len, t->local.data, t->local.len);
	memcpy(p->text + p->remote_len + p->local_len, filter.data + t->remote.len, rest);
	list_add_tail(&p->link, &up->purge);
	kmqtt_uplink_kick(up);
}

/**
 * struct kmqtt_purging - a purge at work
 * @up:		uplink
 * @purge:	what is not wanted any more
 */
struct kmqtt_purging {
	struct kmqtt_uplink *up;
	const struct kmqtt_uppurge *purge;
};

/* Is it the server's, and does no other filter bring it? */
static bool kmqtt_uppurge_one(void *ctx, const struct kmqtt_msg *msg)
{
	const struct kmqtt_purging *w = ctx;
	const struct kmqtt_uppurge *p = w->purge;
	struct kmqtt_view topic;
	bool wanted;
	u8 *buf;

	if (msg->origin != w->up->slot || msg->topic_len < p->local_len)
		return false;
	topic.len = p->remote_len + msg->topic_len - p->local_len;
	buf = kvmalloc(topic.len + 1, GFP_KERNEL);
	if (!buf)
		return false;
	memcpy(buf, p->text, p->remote_len);
	memcpy(buf + p->remote_len, kmqtt_msg_topic(msg) + p->local_len,
	       msg->topic_len - p->local_len);
	topic.data = buf;
	wanted = kmqtt_upsubs_expected(w->up, topic);
	kvfree(buf);
	return !wanted;
}

void kmqtt_uppurge_run(struct kmqtt_uplink *up)
{
	struct kmqtt_purging w = { .up = up };
	struct kmqtt_uppurge *p, *next;
	LIST_HEAD(list);

	mutex_lock(&up->subs_lock);
	list_splice_init(&up->purge, &list);
	mutex_unlock(&up->subs_lock);
	list_for_each_entry_safe(p, next, &list, link) {
		w.purge = p;
		kmqtt_retain_clear_if(&up->broker->retain, p->text + p->remote_len,
				      p->filter_len, kmqtt_uppurge_one, &w);
		kfree(p);
	}
}

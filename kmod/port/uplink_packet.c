// SPDX-License-Identifier: GPL-2.0
/*
 * What the server publishes: which topic it has here, and what is not to be
 * published again. All in the connection's work item.
 */
#include <linux/mm.h>
#include <linux/slab.h>

#include "compat.h"
#include "core/message.h"
#include "port/uplink_priv.h"

static struct kmqtt_link *kmqtt_link_of(struct kmqtt_conn *conn)
{
	return container_of(conn, struct kmqtt_link, x.conn);
}

static int kmqtt_link_topic_room(struct kmqtt_link *link, u32 need)
{
	u8 *topic;

	if (link->topic_cap >= need)
		return 0;
	topic = kvmalloc(need, GFP_KERNEL);
	if (!topic)
		return -ENOMEM;
	kvfree(link->topic);
	link->topic = topic;
	link->topic_cap = need;
	return 0;
}

int kmqtt_link_map(struct kmqtt_link *link, bool in, struct kmqtt_view topic,
		   struct kmqtt_view *out)
{
	const struct kmqtt_uptopic *t;
	struct kmqtt_view prefix;
	u32 skip, need;

	for (;;) {
		rcu_read_lock();
		t = in ? kmqtt_uptopic_in(link->up, topic, &prefix, &skip) :
			 kmqtt_uptopic_out(link->up, topic, &prefix, &skip);
		if (!t) {
			rcu_read_unlock();
			return -ENOENT;
		}
		*out = topic;
		if (!prefix.len && !skip) {
			rcu_read_unlock();
			return 0;
		}
		need = prefix.len + topic.len - skip;
		if (need <= link->topic_cap)
			break;
		rcu_read_unlock();
		if (kmqtt_link_topic_room(link, need))
			return -ENOMEM;
	}
	memcpy(link->topic, prefix.data, prefix.len);
	memcpy(link->topic + prefix.len, topic.data + skip, topic.len - skip);
	rcu_read_unlock();
	out->data = link->topic;
	out->len = need;
	return 0;
}

/* Return: the message, or NULL with the reason in link->x.pub */
static struct kmqtt_msg *kmqtt_link_msg(struct kmqtt_link *link,
					const struct kmqtt_publish *pub,
					struct kmqtt_view topic)
{
	struct kmqtt_msg *msg;
	int ret;

	ret = kmqtt_link_map(link, true, topic, &topic);
	if (ret) {
		kmqtt_uplink_count(link->up, KMQTT_UPSTAT(unmapped), 1);
		if (ret != -ENOENT)
			kmqtt_xchg_refuse(&link->x, ret);
		return NULL;
	}
	msg = kmqtt_xchg_alloc(&link->x, pub, topic);
	if (msg)
		msg->origin = link->up->slot;
	return msg;
}

int kmqtt_link_publish(struct kmqtt_conn *conn, const struct kmqtt_publish *pub,
		       struct kmqtt_msg **msg)
{
	struct kmqtt_link *link = kmqtt_link_of(conn);
	struct kmqtt_view topic;
	bool fresh;
	int ret;

	*msg = NULL;
	link->sent_any = true;
	if (!link->connected || !kmqtt_props_allowed(&pub->props, KMQTT_PUBLISH, true))
		return KMQTT_RC_PROTOCOL_ERROR;
	ret = kmqtt_xchg_topic_in(&link->x, pub, &topic);
	if (ret)
		return ret;
	kmqtt_uplink_count(link->up, KMQTT_UPSTAT(publishes_received), 1);
	ret = kmqtt_xchg_begin(&link->x, pub, &fresh);
	if (!ret && fresh)
		*msg = kmqtt_link_msg(link, pub, topic);
	return ret;
}

int kmqtt_link_published(struct kmqtt_conn *conn)
{
	struct kmqtt_link *link = kmqtt_link_of(conn);
	struct kmqtt_msg *msg = link->x.pub.msg;

	if (msg && kmqtt_link_is_echo(link, msg)) {
		kmqtt_uplink_count(link->up, KMQTT_UPSTAT(echoes_suppressed), 1);
		kmqtt_stats_add(link->broker->stats, KMQTT_STAT_ECHOES_SUPPRESSED, 1);
	} else if (msg && !kmqtt_link_is_replay(link, msg)) {
		if (kmqtt_xchg_publish(&link->x))
			return -EAGAIN;
	}
	kmqtt_xchg_answer(&link->x);
	return 0;
}

int kmqtt_link_resume(struct kmqtt_conn *conn)
{
	struct kmqtt_link *link = kmqtt_link_of(conn);

	if (kmqtt_xchg_waits(&link->x) || kmqtt_xchg_publish(&link->x))
		return -EAGAIN;
	kmqtt_xchg_answer(&link->x);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * What comes from the server: messages and acknowledgements, with the handshakes
 * of MQTT 5.0, 4.3. All in the connection's work item.
 */
#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "compat.h"
#include "core/message.h"
#include "port/uplink_priv.h"

static struct kmqtt_link *kmqtt_link_of(struct kmqtt_conn *conn)
{
	return container_of(conn, struct kmqtt_link, conn);
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

/* Topic alias of the server (MQTT 5.0, 3.3.2.3.4). Return: 0 or a reason code */
static int kmqtt_link_alias_in(struct kmqtt_link *link, const struct kmqtt_publish *pub,
			       struct kmqtt_view *topic)
{
	struct kmqtt_alias *alias;
	u8 *copy;

	*topic = pub->topic;
	if (!kmqtt_props_has(&pub->props, KMQTT_PROP_TOPIC_ALIAS))
		return 0;
	if (pub->props.topic_alias > link->in_max)
		return KMQTT_RC_TOPIC_ALIAS_INVALID;
	alias = &link->in[pub->props.topic_alias - 1];
	if (!pub->topic.len) {
		if (!alias->topic)
			return KMQTT_RC_PROTOCOL_ERROR;
		topic->data = alias->topic;
		topic->len = alias->len;
		return 0;
	}
	copy = kmemdup(pub->topic.data, pub->topic.len, GFP_KERNEL);
	if (!copy)
		return KMQTT_RC_QUOTA_EXCEEDED;
	kfree(alias->topic);
	alias->topic = copy;
	alias->len = pub->topic.len;
	return 0;
}

/* Return: the message, or NULL with link->pub.reason said */
static struct kmqtt_msg *kmqtt_link_msg(struct kmqtt_link *link,
					const struct kmqtt_publish *pub,
					struct kmqtt_view topic)
{
	struct kmqtt_msg_desc desc = {
		.props = pub->props.raw.data,
		.props_len = pub->props.raw.len,
		.payload_len = pub->payload.len,
		.qos = pub->qos,
		.retain = pub->retain,
	};
	struct kmqtt_msg *msg;
	int ret;

	/* 0 says: expires at once. The switch has one second for it. */
	if (kmqtt_props_has(&pub->props, KMQTT_PROP_MESSAGE_EXPIRY))
		desc.expiry = max_t(u32, pub->props.message_expiry, 1);
	ret = kmqtt_link_map(link, true, topic, &topic);
	if (ret) {
		kmqtt_uplink_count(link->up, KMQTT_UPSTAT(unmapped), 1);
		link->pub.reason = ret == -ENOENT ? 0 : KMQTT_RC_QUOTA_EXCEEDED;
		return NULL;
	}
	desc.topic = topic.data;
	desc.topic_len = topic.len;
	msg = kmqtt_msg_alloc(link->broker, &desc, GFP_KERNEL);
	if (!IS_ERR(msg)) {
		msg->origin = link->up->slot;
		return msg;
	}
	kmqtt_stats_add(link->broker->stats, KMQTT_STAT_MESSAGES_DROPPED, 1);
	link->pub.reason = PTR_ERR(msg) == -EMSGSIZE ? KMQTT_RC_PACKET_TOO_LARGE :
			   KMQTT_RC_QUOTA_EXCEEDED;
	return NULL;
}

int kmqtt_link_publish(struct kmqtt_conn *conn, const struct kmqtt_publish *pub,
		       struct kmqtt_msg **msg)
{
	struct kmqtt_link *link = kmqtt_link_of(conn);
	struct kmqtt_view topic;
	int ret;

	*msg = NULL;
	link->sent_any = true;
	if (!link->connected || !kmqtt_props_allowed(&pub->props, KMQTT_PUBLISH, true))
		return KMQTT_RC_PROTOCOL_ERROR;
	ret = kmqtt_link_alias_in(link, pub, &topic);
	if (ret)
		return ret;
	kmqtt_uplink_count(link->up, KMQTT_UPSTAT(publishes_received), 1);
	link->pub.packet_id = pub->packet_id;
	link->pub.qos = pub->qos;
	link->pub.reason = 0;
	link->pub.fresh = true;
	if (pub->qos == 2) {
		ret = kmqtt_session_rx_qos2(link->session, pub->packet_id);
		if (ret < 0)
			return KMQTT_RC_QUOTA_EXCEEDED;
		link->pub.fresh = ret;
		link->pub.open = ret;
		/* 3.x knows no such limit; there 65535 identifiers are one */
		if (ret && conn->version == KMQTT_V5 &&
		    READ_ONCE(link->session->rx_qos2_count) > link->receive_max)
			return KMQTT_RC_RECEIVE_MAXIMUM_EXCEEDED;
	}
	if (link->pub.fresh)
		*msg = kmqtt_link_msg(link, pub, topic);
	link->pub.msg = *msg;
	return 0;
}

/* Said only when the message is where it belongs. */
static void kmqtt_link_answer(struct kmqtt_link *link)
{
	struct kmqtt_uppub *pub = &link->pub;
	u8 reason = link->conn.version == KMQTT_V5 ? pub->reason : 0;

	pub->open = false;
	pub->msg = NULL;
	if (pub->qos == 1) {
		kmqtt_link_send_ack(link, KMQTT_PUBACK, pub->packet_id, reason);
	} else if (pub->qos == 2) {
		if (reason >= 0x80)
			kmqtt_session_rx_release(link->session, pub->packet_id);
		kmqtt_link_send_ack(link, KMQTT_PUBREC, pub->packet_id, reason);
	}
}

static int kmqtt_link_space(struct wait_queue_entry *wait, unsigned int mode, int flags,
			    void *key)
{
	struct kmqtt_link *link = container_of(wait, struct kmqtt_link, pub.wait);

	kmqtt_conn_kick(&link->conn);
	return 0;
}

static void kmqtt_link_unblock(struct kmqtt_link *link)
{
	struct kmqtt_session *blocked = link->pub.blocked;

	if (!blocked)
		return;
	link->pub.blocked = NULL;
	remove_wait_queue(&blocked->space, &link->pub.wait);
	kmqtt_session_put(blocked);
}

/* Return: 0: published or dropped for good; -EAGAIN: a subscriber has no room */
static int kmqtt_link_try(struct kmqtt_link *link)
{
	struct kmqtt_session *blocked = NULL;
	int ret;

	do {
		kmqtt_link_unblock(link);
		ret = kmqtt_publish(link->session, link->pub.msg, &blocked);
		if (ret != -EAGAIN)
			break;
		link->pub.blocked = blocked;
		init_waitqueue_func_entry(&link->pub.wait, kmqtt_link_space);
		add_wait_queue(&blocked->space, &link->pub.wait);
	} while (!kmqtt_session_full(blocked));
	if (ret == -EAGAIN)
		return ret;
	if (ret == -EACCES)
		link->pub.reason = KMQTT_RC_NOT_AUTHORIZED;
	else if (ret < 0)
		link->pub.reason = KMQTT_RC_QUOTA_EXCEEDED;
	return 0;
}

int kmqtt_link_published(struct kmqtt_conn *conn)
{
	struct kmqtt_link *link = kmqtt_link_of(conn);
	struct kmqtt_msg *msg = link->pub.msg;

	if (msg && kmqtt_link_is_echo(link, msg)) {
		kmqtt_uplink_count(link->up, KMQTT_UPSTAT(echoes_suppressed), 1);
		kmqtt_stats_add(link->broker->stats, KMQTT_STAT_ECHOES_SUPPRESSED, 1);
	} else if (msg && !kmqtt_link_is_replay(link, msg)) {
		if (kmqtt_link_try(link))
			return -EAGAIN;
	}
	kmqtt_link_answer(link);
	return 0;
}

int kmqtt_link_resume(struct kmqtt_conn *conn)
{
	struct kmqtt_link *link = kmqtt_link_of(conn);

	if (link->pub.blocked && kmqtt_session_full(link->pub.blocked))
		return -EAGAIN;
	if (kmqtt_link_try(link))
		return -EAGAIN;
	kmqtt_link_answer(link);
	return 0;
}

/* One that was not published comes again: it must not pass for a duplicate. */
void kmqtt_link_pub_drop(struct kmqtt_link *link)
{
	kmqtt_link_unblock(link);
	if (link->pub.open)
		kmqtt_session_rx_release(link->session, link->pub.packet_id);
	link->pub.open = false;
	link->pub.msg = NULL;
}

static void kmqtt_link_refused(struct kmqtt_link *link, u16 packet_id, u8 reason)
{
	struct kmqtt_event event = {
		.type = KMQTT_EVENT_UPLINK_PUBACK,
		.reason = reason,
		.uplink = link->up->name,
		.count = packet_id,
	};

	kmqtt_event_emit(link->broker, &event);
}

static int kmqtt_link_puback(struct kmqtt_link *link, const struct kmqtt_ack_packet *ack)
{
	int ret = kmqtt_session_puback(link->session, ack->packet_id, ack->reason);

	/* a QoS 2 message goes out with QoS 1 if the server has no more */
	if (ret == -EPROTO && link->max_qos == 1) {
		ret = kmqtt_session_pubrec(link->session, ack->packet_id, ack->reason);
		if (ret == 1)
			ret = kmqtt_session_pubcomp(link->session, ack->packet_id, 0);
	}
	if (ack->reason >= 0x80)
		kmqtt_link_refused(link, ack->packet_id, ack->reason);
	return ret == -EPROTO ? KMQTT_RC_PROTOCOL_ERROR : 0;
}

static int kmqtt_link_pubrec(struct kmqtt_link *link, const struct kmqtt_ack_packet *ack)
{
	int ret = kmqtt_session_pubrec(link->session, ack->packet_id, ack->reason);

	if (ret == -EPROTO)
		return KMQTT_RC_PROTOCOL_ERROR;
	if (ack->reason >= 0x80)
		kmqtt_link_refused(link, ack->packet_id, ack->reason);
	else
		kmqtt_link_send_ack(link, KMQTT_PUBREL, ack->packet_id,
				    ret == -ENOENT ? KMQTT_RC_PACKET_ID_NOT_FOUND : 0);
	return 0;
}

int kmqtt_link_ack(struct kmqtt_link *link, const struct kmqtt_fixed *f, const u8 *body)
{
	struct kmqtt_ack_packet ack;
	int ret = kmqtt_ack_decode(f, body, link->conn.version, &ack);

	if (ret)
		return ret;
	switch (f->type) {
	case KMQTT_PUBACK:
		return kmqtt_link_puback(link, &ack);
	case KMQTT_PUBREC:
		return kmqtt_link_pubrec(link, &ack);
	case KMQTT_PUBREL:
		ret = kmqtt_session_rx_release(link->session, ack.packet_id);
		kmqtt_link_send_ack(link, KMQTT_PUBCOMP, ack.packet_id,
				    ret ? KMQTT_RC_PACKET_ID_NOT_FOUND : 0);
		return 0;
	default:
		ret = kmqtt_session_pubcomp(link->session, ack.packet_id, ack.reason);
		return ret == -EPROTO ? KMQTT_RC_PROTOCOL_ERROR : 0;
	}
}

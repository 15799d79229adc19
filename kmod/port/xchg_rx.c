// SPDX-License-Identifier: GPL-2.0
/*
 * What comes from the peer: messages and acknowledgements, with the handshakes of
 * MQTT 5.0, 4.3. All in the connection's work item.
 */
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "compat.h"
#include "core/broker.h"
#include "core/message.h"
#include "core/trace.h"
#include "port/xchg.h"

static void kmqtt_alias_drop(struct kmqtt_xchg *x, struct kmqtt_alias *alias)
{
	if (!alias->topic)
		return;
	kfree(alias->topic);
	alias->topic = NULL;
	kmqtt_memory_uncharge(x->conn.broker, alias->len);
}

bool kmqtt_alias_set(struct kmqtt_xchg *x, struct kmqtt_alias *alias, struct kmqtt_view topic)
{
	u8 *copy;

	if (!kmqtt_memory_charge(x->conn.broker, topic.len))
		return false;
	copy = kmemdup(topic.data, topic.len, GFP_KERNEL);
	if (!copy) {
		kmqtt_memory_uncharge(x->conn.broker, topic.len);
		return false;
	}
	kmqtt_alias_drop(x, alias);
	alias->topic = copy;
	alias->len = topic.len;
	return true;
}

static void kmqtt_aliases_free(struct kmqtt_xchg *x, struct kmqtt_aliases *a)
{
	unsigned int i;

	for (i = 0; a->alias && i < a->max; i++)
		kmqtt_alias_drop(x, &a->alias[i]);
	kvfree(a->alias);
	a->alias = NULL;
}

void kmqtt_xchg_free(struct kmqtt_xchg *x)
{
	kfree(x->conn.stream.memo);
	kmqtt_aliases_free(x, &x->in);
	kmqtt_aliases_free(x, &x->out);
}

int kmqtt_xchg_topic_in(struct kmqtt_xchg *x, const struct kmqtt_publish *pub,
			struct kmqtt_view *topic)
{
	struct kmqtt_alias *alias;

	*topic = pub->topic;
	if (!kmqtt_props_has(&pub->props, KMQTT_PROP_TOPIC_ALIAS))
		return 0;
	if (pub->props.topic_alias > x->in.max)
		return KMQTT_RC_TOPIC_ALIAS_INVALID;
	if (!x->in.alias) {
		x->in.alias = kvcalloc(x->in.max, sizeof(*alias), GFP_KERNEL);
		if (!x->in.alias)
			return KMQTT_RC_QUOTA_EXCEEDED;
	}
	alias = &x->in.alias[pub->props.topic_alias - 1];
	if (!pub->topic.len) {
		if (!alias->topic)
			return KMQTT_RC_PROTOCOL_ERROR;
		topic->data = alias->topic;
		topic->len = alias->len;
		return 0;
	}
	return kmqtt_alias_set(x, alias, pub->topic) ? 0 : KMQTT_RC_QUOTA_EXCEEDED;
}

int kmqtt_xchg_begin(struct kmqtt_xchg *x, const struct kmqtt_publish *pub, bool *fresh)
{
	x->pub.msg = NULL;
	x->pub.packet_id = pub->packet_id;
	x->pub.qos = pub->qos;
	x->pub.reason = 0;
	x->pub.no_memory = false;
	x->pub.known = pub->qos == 2 && kmqtt_session_rx_known(x->session, pub->packet_id);
	*fresh = !x->pub.known;
	/* 3.x knows no such limit; there 65535 identifiers are one */
	if (pub->qos == 2 && *fresh && x->conn.version == KMQTT_V5 &&
	    READ_ONCE(x->session->rx_qos2_count) >= x->receive_max)
		return KMQTT_RC_RECEIVE_MAXIMUM_EXCEEDED;
	return 0;
}

void kmqtt_xchg_refuse(struct kmqtt_xchg *x, int error)
{
	/* also for one that is too large: PUBACK and PUBREC know no code for that */
	x->pub.reason = KMQTT_RC_QUOTA_EXCEEDED;
	x->pub.no_memory = error == -ENOMEM;
}

/*
 * In 3.x a server has no way to say no but to close the connection, and must not
 * acknowledge what it has no room for (3.1.1, 4.8): that may come again. What it
 * would not take then either, it may. An uplink's server forgets what it is told
 * that there is no room for: it had better come again, too, unless it is a limit
 * that stands against it, which would still be there.
 */
static bool kmqtt_xchg_unanswerable(const struct kmqtt_xchg *x)
{
	if (!x->pub.qos || x->pub.reason != KMQTT_RC_QUOTA_EXCEEDED)
		return false;
	return x->server ? x->conn.version != KMQTT_V5 : x->pub.no_memory;
}

struct kmqtt_msg *kmqtt_xchg_alloc(struct kmqtt_xchg *x, const struct kmqtt_publish *pub,
				   struct kmqtt_view topic)
{
	struct kmqtt_msg_desc desc = {
		.topic = topic.data,
		.topic_len = topic.len,
		.props = pub->props.raw.data,
		.props_len = pub->props.raw.len,
		.payload_len = pub->payload.len,
		.qos = pub->qos,
		.retain = pub->retain,
	};
	struct kmqtt_broker *broker = x->conn.broker;
	struct kmqtt_msg *msg;

	/* 0 says: expires at once. The switch has one second for it. */
	if (kmqtt_props_has(&pub->props, KMQTT_PROP_MESSAGE_EXPIRY))
		desc.expiry = max_t(u32, pub->props.message_expiry, 1);
	msg = kmqtt_msg_alloc(broker, &desc, GFP_KERNEL);
	if (!IS_ERR(msg)) {
		x->pub.msg = msg;
		return msg;
	}
	kmqtt_xchg_refuse(x, PTR_ERR(msg));
	if (x->server || !kmqtt_xchg_unanswerable(x))
		kmqtt_stats_add(broker->stats, KMQTT_STAT_MESSAGES_DROPPED, 1);
	return NULL;
}

/* What became of it. */
static void kmqtt_xchg_result(struct kmqtt_xchg *x, int error)
{
	struct kmqtt_inpub *pub = &x->pub;

	if (error == -EBUSY)	/* it may come again when that is known */
		kmqtt_conn_fail(&x->conn, EBUSY, KMQTT_RC_SERVER_BUSY);
	if (error == -ESTALE || error == -EBUSY)
		pub->qos = 0;	/* the connection that has the session answers */
	else if (error == -EACCES)
		pub->reason = KMQTT_RC_NOT_AUTHORIZED;
	else if (error < 0)
		kmqtt_xchg_refuse(x, error);
}

/* One that goes nowhere has arrived nevertheless, and may come again. */
static void kmqtt_xchg_arrived(struct kmqtt_xchg *x)
{
	int ret = kmqtt_session_rx_begin(x->session, x->port, x->pub.packet_id);

	if (ret > 0)
		kmqtt_session_rx_end(x->session, x->port, x->pub.packet_id, true);
	else
		kmqtt_xchg_result(x, ret);
}

/* Said only when the message is where it belongs. */
void kmqtt_xchg_answer(struct kmqtt_xchg *x)
{
	struct kmqtt_inpub *pub = &x->pub;
	bool v5 = x->conn.version == KMQTT_V5;

	pub->msg = NULL;
	/* in 3.x what is refused for good counts as arrived too */
	if (pub->qos == 2 && !pub->known && !kmqtt_xchg_unanswerable(x) &&
	    (pub->reason < 0x80 || !v5))
		kmqtt_xchg_arrived(x);
	if (kmqtt_xchg_unanswerable(x)) {
		kmqtt_conn_fail(&x->conn, pub->no_memory ? ENOMEM : ENOBUFS, pub->reason);
		return;
	}
	if (pub->qos)
		kmqtt_xchg_send_ack(x, pub->qos == 1 ? KMQTT_PUBACK : KMQTT_PUBREC,
				    pub->packet_id, v5 ? pub->reason : 0);
}

static int kmqtt_xchg_space(struct wait_queue_entry *wait, unsigned int mode, int flags,
			    void *key)
{
	struct kmqtt_xchg *x = container_of(wait, struct kmqtt_xchg, pub.wait);

	kmqtt_conn_kick(&x->conn);
	return 0;
}

static void kmqtt_xchg_unblock(struct kmqtt_xchg *x)
{
	struct kmqtt_session *blocked = x->pub.blocked;

	if (!blocked)
		return;
	x->pub.blocked = NULL;
	remove_wait_queue(&blocked->space, &x->pub.wait);
	kmqtt_session_put(blocked);
}

static int kmqtt_xchg_try(struct kmqtt_xchg *x, struct kmqtt_session **blocked)
{
	struct kmqtt_stream *stream = &x->conn.stream;

	/* it can do without */
	if (unlikely(!stream->memo))
		stream->memo = kzalloc_obj(*stream->memo, GFP_KERNEL | __GFP_NOWARN);
	return kmqtt_session_publish(x->session, x->port, x->pub.msg, blocked, stream);
}

/* Return: as kmqtt_publish(), and -EEXIST, -EBUSY, -ENOMEM, -ESTALE */
static int kmqtt_xchg_try_qos(struct kmqtt_xchg *x, struct kmqtt_session **blocked)
{
	u16 packet_id = x->pub.packet_id;
	int ret;

	if (x->pub.qos < 2)
		return kmqtt_xchg_try(x, blocked);
	ret = kmqtt_session_rx_begin(x->session, x->port, packet_id);
	x->pub.known = !ret;
	if (ret <= 0)
		return ret ?: -EEXIST;
	ret = kmqtt_xchg_try(x, blocked);
	x->pub.known = ret >= 0;
	/* as long as this was open, nobody has told the client that it has arrived */
	kmqtt_session_rx_end(x->session, x->port, packet_id, ret >= 0);
	return ret;
}

int kmqtt_xchg_publish(struct kmqtt_xchg *x)
{
	struct kmqtt_session *blocked = NULL;
	int ret;

	do {
		kmqtt_xchg_unblock(x);
		ret = kmqtt_xchg_try_qos(x, &blocked);
		if (ret != -EAGAIN)
			break;
		x->pub.blocked = blocked;
		init_waitqueue_func_entry(&x->pub.wait, kmqtt_xchg_space);
		add_wait_queue(&blocked->space, &x->pub.wait);
	} while (!kmqtt_session_full(blocked));
	if (ret == -EAGAIN)
		return ret;
	if (ret < 0 && ret != -EEXIST)
		kmqtt_xchg_result(x, ret);
	else if (!ret && x->server)
		x->pub.reason = KMQTT_RC_NO_MATCHING_SUBSCRIBERS;
	return 0;
}

bool kmqtt_xchg_waits(const struct kmqtt_xchg *x)
{
	return x->pub.blocked && kmqtt_session_full(x->pub.blocked);
}

void kmqtt_xchg_drop(struct kmqtt_xchg *x)
{
	kmqtt_xchg_unblock(x);
	x->pub.msg = NULL;
}

static int kmqtt_xchg_puback(struct kmqtt_xchg *x, const struct kmqtt_ack_packet *ack)
{
	int ret = kmqtt_session_puback(x->session, x->port, ack->packet_id, ack->reason);

	/* a QoS 2 message goes out with QoS 1 if the peer has no more */
	if (ret == -EPROTO && x->max_qos == 1) {
		ret = kmqtt_session_pubrec(x->session, x->port, ack->packet_id, ack->reason);
		if (ret == 1)
			ret = kmqtt_session_pubcomp(x->session, x->port, ack->packet_id, 0);
	}
	if (ack->reason >= 0x80 && x->ops->refused)
		x->ops->refused(x, ack->packet_id, ack->reason);
	return ret == -EPROTO ? KMQTT_RC_PROTOCOL_ERROR : 0;
}

static int kmqtt_xchg_pubrec(struct kmqtt_xchg *x, const struct kmqtt_ack_packet *ack)
{
	int ret = kmqtt_session_pubrec(x->session, x->port, ack->packet_id, ack->reason);

	if (ret == -EPROTO)
		return KMQTT_RC_PROTOCOL_ERROR;
	if (ret == -ESTALE)
		return 0;
	if (ack->reason < 0x80)
		kmqtt_xchg_send_ack(x, KMQTT_PUBREL, ack->packet_id,
				    ret == -ENOENT ? KMQTT_RC_PACKET_ID_NOT_FOUND : 0);
	else if (x->ops->refused)
		x->ops->refused(x, ack->packet_id, ack->reason);
	return 0;
}

int kmqtt_xchg_ack(struct kmqtt_xchg *x, const struct kmqtt_fixed *f, const u8 *body)
{
	struct kmqtt_ack_packet ack __uninitialized;
	int ret;

	ack.reason = 0;
	ack.packet_id = kmqtt_ack_short_decode(f, body);
	ret = ack.packet_id ? 0 : kmqtt_ack_decode(f, body, x->conn.version, &ack);
	if (ret)
		return ret;
	trace_kmqtt_ack(x->session, kmqtt_packet_name(f->type), ack.packet_id, ack.reason);
	switch (f->type) {
	case KMQTT_PUBACK:
		return kmqtt_xchg_puback(x, &ack);
	case KMQTT_PUBREC:
		return kmqtt_xchg_pubrec(x, &ack);
	case KMQTT_PUBREL:
		ret = kmqtt_session_rx_release(x->session, x->port, ack.packet_id);
		if (ret == -ESTALE)
			return 0;
		kmqtt_xchg_send_ack(x, KMQTT_PUBCOMP, ack.packet_id,
				    ret ? KMQTT_RC_PACKET_ID_NOT_FOUND : 0);
		return 0;
	default:
		ret = kmqtt_session_pubcomp(x->session, x->port, ack.packet_id, ack.reason);
		return ret == -EPROTO ? KMQTT_RC_PROTOCOL_ERROR : 0;
	}
}

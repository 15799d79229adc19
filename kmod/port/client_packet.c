// SPDX-License-Identifier: GPL-2.0
/*
 * What a client sends once it is let in: messages, subscriptions, its good-bye. All
 * in the connection's work item.
 */
#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "compat.h"
#include "core/broker.h"
#include "core/message.h"
#include "core/run.h"
#include "port/client.h"
#include "proto/topic.h"

/* So few bytes are not worth looking for a run. */
#define KMQTT_CLIENT_RUN_MIN	32

/* jiffies after which the rest of a SUBSCRIBE is refused: quota exceeded */
#define KMQTT_SUBSCRIBE_TIME	(10 * HZ)

/* The mount point. */

static int kmqtt_mount_room(struct kmqtt_client *c, u32 need)
{
	u8 *topic;

	if (c->topic_cap >= need)
		return 0;
	topic = kvmalloc(need, GFP_KERNEL);
	if (!topic)
		return -ENOMEM;
	kvfree(c->topic);
	c->topic = topic;
	c->topic_cap = need;
	return 0;
}

int kmqtt_client_mount(struct kmqtt_client *c, struct kmqtt_view topic,
		       struct kmqtt_view *out)
{
	struct kmqtt_view share, inner = topic;
	u32 head = 0, need;

	*out = topic;
	if (!c->conf->mount_len)
		return 0;
	if (kmqtt_share_split(topic, &share, &inner))
		head = topic.len - inner.len;
	need = topic.len + c->conf->mount_len;
	if (need - head > KMQTT_STRING_MAX)
		return -EILSEQ;
	if (kmqtt_mount_room(c, need))
		return -ENOMEM;
	memcpy(c->topic, topic.data, head);
	memcpy(c->topic + head, c->conf->mount_point, c->conf->mount_len);
	memcpy(c->topic + head + c->conf->mount_len, inner.data, inner.len);
	out->data = c->topic;
	out->len = need;
	return 0;
}

/* The other way. What is not below the mount point is not for this client. */
static int kmqtt_client_topic_out(struct kmqtt_xchg *x, const struct kmqtt_msg *msg,
				  struct kmqtt_view *topic)
{
	const struct kmqtt_client *c = container_of(x, struct kmqtt_client, x);
	u16 len = c->conf->mount_len;

	if (!len)
		return 0;
	if (topic->len <= len || memcmp(topic->data, c->conf->mount_point, len))
		return -ENOENT;
	topic->data += len;
	topic->len -= len;
	return 0;
}

const struct kmqtt_xchg_ops kmqtt_client_xchg_ops = {
	.topic	= kmqtt_client_topic_out,
};

/* PUBLISH (MQTT 5.0, 3.3). */

static bool kmqtt_topic_below(struct kmqtt_view topic, const char *root)
{
	u32 len = strlen(root);

	return topic.len >= len && !memcmp(topic.data, root, len) &&
	       (topic.len == len || topic.data[len] == '/');
}

/* That a bridge of Mosquitto's is there, the bridge itself says, as it does at Mosquitto. */
bool kmqtt_client_topic_reserved(struct kmqtt_view topic)
{
	static const char bridge[] = "$SYS/broker/connection/+/state";

	if (likely(!topic.len || topic.data[0] != '$'))
		return false;
	if (kmqtt_topic_below(topic, "$SYS"))
		return !kmqtt_topic_matches(kmqtt_view_str(bridge), topic);
	return kmqtt_topic_below(topic, "$share");
}

/* Return: the message, or NULL with the reason in c->x.pub */
static struct kmqtt_msg *kmqtt_client_msg(struct kmqtt_client *c,
					  const struct kmqtt_publish *pub,
					  struct kmqtt_view topic)
{
	u32 most = READ_ONCE(c->x.conn.broker->limits.message_size_limit);
	int ret;

	if (most && pub->payload.len > most) {
		kmqtt_stats_add(c->x.conn.broker->stats, KMQTT_STAT_MESSAGES_DENIED, 1);
		c->x.pub.reason = KMQTT_RC_IMPLEMENTATION_SPECIFIC;
		return NULL;
	}
	if (kmqtt_client_topic_reserved(topic)) {
		kmqtt_stats_add(c->x.conn.broker->stats, KMQTT_STAT_MESSAGES_DENIED, 1);
		c->x.pub.reason = KMQTT_RC_NOT_AUTHORIZED;
		return NULL;
	}
	ret = kmqtt_client_mount(c, topic, &topic);
	if (ret) {
		c->x.pub.reason = ret == -ENOMEM ? KMQTT_RC_QUOTA_EXCEEDED :
						   KMQTT_RC_TOPIC_NAME_INVALID;
		return NULL;
	}
	return kmqtt_xchg_alloc(&c->x, pub, topic);
}

int kmqtt_client_publish(struct kmqtt_conn *conn, const struct kmqtt_publish *pub,
			 struct kmqtt_msg **msg)
{
	struct kmqtt_client *c = kmqtt_client_of(conn);
	struct kmqtt_view topic;
	bool fresh;
	int ret;

	*msg = NULL;
	if (c->state != KMQTT_CLIENT_LIVE ||
	    !kmqtt_props_allowed(&pub->props, KMQTT_PUBLISH, false))
		return KMQTT_RC_PROTOCOL_ERROR;
	if (pub->qos > c->conf->max_qos)
		return KMQTT_RC_QOS_NOT_SUPPORTED;
	if (pub->retain && !READ_ONCE(conn->broker->limits.retain_available))
		return KMQTT_RC_RETAIN_NOT_SUPPORTED;
	ret = kmqtt_xchg_topic_in(&c->x, pub, &topic);
	if (!ret)
		ret = kmqtt_xchg_begin(&c->x, pub, &fresh);
	if (!ret && fresh)
		*msg = kmqtt_client_msg(c, pub, topic);
	return ret;
}

/* Who sends more than is allowed is not read from until it is paid for. */
static void kmqtt_client_pay(struct kmqtt_client *c, u64 bytes)
{
	unsigned long wait = 0;
	u32 message_rate;
	u64 byte_rate;

	rcu_read_lock();
	message_rate = rcu_dereference(c->listener->conf)->message_rate;
	byte_rate = rcu_dereference(c->listener->conf)->byte_rate;
	rcu_read_unlock();
	if (message_rate)
		wait = kmqtt_bucket_take(&c->messages, message_rate, 1);
	if (byte_rate)
		wait = max(wait, kmqtt_bucket_take(&c->bytes, byte_rate, bytes));
	if (likely(!wait))
		return;
	c->hold_until = (jiffies + wait) | 1;
	kmqtt_conn_hold(&c->x.conn);
	kmqtt_client_arm(c);
}

/* Return: as &kmqtt_conn_ops.published */
static int kmqtt_client_put_in(struct kmqtt_client *c)
{
	struct kmqtt_msg *msg = c->x.pub.msg;
	u64 bytes = msg ? msg->topic_len + msg->payload_len : 0;

	if (msg && kmqtt_xchg_publish(&c->x))
		return -EAGAIN;
	kmqtt_xchg_answer(&c->x);
	kmqtt_client_pay(c, bytes);
	return 0;
}

int kmqtt_client_published(struct kmqtt_conn *conn)
{
	return kmqtt_client_put_in(kmqtt_client_of(conn));
}

int kmqtt_client_resume(struct kmqtt_conn *conn)
{
	struct kmqtt_client *c = kmqtt_client_of(conn);

	return kmqtt_xchg_waits(&c->x) ? -EAGAIN : kmqtt_client_put_in(c);
}

/* Is there nothing about this client's messages that has to be looked at one by one? */
static bool kmqtt_client_may_run(const struct kmqtt_client *c)
{
	const struct kmqtt_listener_conf *conf;
	bool ret;

	if (c->state != KMQTT_CLIENT_LIVE || c->conf->mount_len ||
	    READ_ONCE(c->x.conn.broker->limits.message_size_limit))
		return false;
	rcu_read_lock();
	conf = rcu_dereference(c->listener->conf);
	ret = !conf->message_rate && !conf->byte_rate;
	rcu_read_unlock();
	return ret;
}

size_t kmqtt_client_run(struct kmqtt_conn *conn, const u8 *p, size_t left)
{
	struct kmqtt_client *c = kmqtt_client_of(conn);
	u32 max = min(conn->max_packet, READ_ONCE(conn->broker->limits.max_packet_size));
	struct kmqtt_run run;

	left = min_t(size_t, left, KMQTT_RUN_MAX);
	if (left < KMQTT_CLIENT_RUN_MIN || kmqtt_run_is_one(p, left) || !kmqtt_client_may_run(c) ||
	    max < KMQTT_CLIENT_RUN_MIN)
		return 0;
	if (kmqtt_run_scan(p, left, conn->version, max - KMQTT_PUBLISH_OVERHEAD, &run) < 2 ||
	    kmqtt_client_topic_reserved(run.topic) ||
	    !kmqtt_session_publish_run(c->x.session, &c->port, &run, &conn->stream.wakes))
		return 0;
	conn->packets_received += run.count;
	return run.len;
}

/* SUBSCRIBE and UNSUBSCRIBE (MQTT 5.0, 3.8 to 3.11). */

static void kmqtt_client_suback(struct kmqtt_client *c, u8 type, struct kmqtt_suback *ack)
{
	u8 version = c->x.conn.version, *p;
	int len;

	kmqtt_props_init(&ack->props);
	len = type == KMQTT_SUBACK ? kmqtt_suback_encode(NULL, 0, version, ack) :
				     kmqtt_unsuback_encode(NULL, 0, version, ack);
	/* the client must not be sent more than it takes (3.1.2-24) */
	if (len < 0 || len > c->x.peer_max_packet)
		return;
	p = kmqtt_conn_reserve_counted(&c->x.conn, len);
	if (!p)
		return;
	if (type == KMQTT_SUBACK)
		kmqtt_suback_encode(p, len, version, ack);
	else
		kmqtt_unsuback_encode(p, len, version, ack);
}

static u8 kmqtt_sub_error(int error)
{
	switch (error) {
	case -EACCES:
		return KMQTT_RC_NOT_AUTHORIZED;
	case -EILSEQ:
		return KMQTT_RC_TOPIC_FILTER_INVALID;
	case -ENOSPC:
	case -ENOBUFS:
		return KMQTT_RC_QUOTA_EXCEEDED;
	default:
		return KMQTT_RC_UNSPECIFIED;
	}
}

/* @late: it is refused. Return: what SUBACK says of it: the granted QoS or a reason code */
static u8 kmqtt_client_subscribe_one(struct kmqtt_client *c,
				     const struct kmqtt_sub_entry *e, u32 sub_id, bool late)
{
	u8 qos = min(e->qos, c->conf->max_qos);
	struct kmqtt_sub_opts opts = {
		.sub_id = sub_id,
		.qos = qos,
		.retain_handling = e->retain_handling,
		/* a bridge gets nothing back, and RETAIN as it was */
		.no_local = e->no_local || c->bridge,
		.retain_as_published = e->retain_as_published || c->bridge,
	};
	struct kmqtt_view filter;
	int ret;

	if (c->bridge && kmqtt_share_split(e->filter, &filter, &filter))
		opts.no_local = false;
	ret = late ? -ENOSPC : kmqtt_client_mount(c, e->filter, &filter);
	if (!ret)
		ret = kmqtt_session_subscribe(c->x.session, filter.data, filter.len, &opts);
	if (!ret)
		return qos;
	/* 3.1 has no word for a failure: it is granted and nothing comes */
	return c->x.conn.version == KMQTT_V31 ? qos : kmqtt_sub_error(ret);
}

static int kmqtt_client_subscribe(struct kmqtt_client *c, const struct kmqtt_fixed *f,
				  const u8 *body)
{
	struct kmqtt_subscribe sub;
	struct kmqtt_sub_entry e;
	struct kmqtt_suback ack;
	unsigned long end;
	u8 *codes;
	u32 n = 0;
	int ret;

	ret = kmqtt_subscribe_decode(f, body, c->x.conn.version, &sub);
	if (ret)
		return ret;
	codes = kvmalloc(sub.n_entries, GFP_KERNEL);
	if (!codes)
		return KMQTT_RC_QUOTA_EXCEEDED;
	ack.packet_id = sub.packet_id;
	/*
	 * Each may have to look at all that is retained. Who ends it does not wait for all; nor
	 * does its peer's end, or the end of its keep-alive, which come after this packet.
	 */
	end = jiffies + KMQTT_SUBSCRIBE_TIME;
	while (!kmqtt_conn_ending(&c->x.conn) && kmqtt_subscribe_next(&sub.entries, &e)) {
		codes[n++] = kmqtt_client_subscribe_one(c, &e, sub.props.sub_id,
							time_after(jiffies, end));
		cond_resched();
	}
	ack.codes.data = codes;
	ack.codes.len = n;
	if (!kmqtt_conn_ending(&c->x.conn))
		kmqtt_client_suback(c, KMQTT_SUBACK, &ack);
	kvfree(codes);
	return 0;
}

static int kmqtt_client_unsubscribe(struct kmqtt_client *c, const struct kmqtt_fixed *f,
				    const u8 *body)
{
	struct kmqtt_unsubscribe unsub;
	struct kmqtt_view filter;
	struct kmqtt_suback ack;
	u8 *codes;
	u32 n = 0;
	int ret;

	ret = kmqtt_unsubscribe_decode(f, body, c->x.conn.version, &unsub);
	if (ret)
		return ret;
	codes = kvmalloc(unsub.n_filters, GFP_KERNEL);
	if (!codes)
		return KMQTT_RC_QUOTA_EXCEEDED;
	ack.packet_id = unsub.packet_id;
	while (!kmqtt_conn_ending(&c->x.conn) && kmqtt_unsubscribe_next(&unsub.filters, &filter)) {
		ret = kmqtt_client_mount(c, filter, &filter);
		if (!ret)
			ret = kmqtt_session_unsubscribe(c->x.session, filter.data, filter.len);
		codes[n++] = ret == -ENOENT ? KMQTT_RC_NO_SUBSCRIPTION_EXISTED :
			     ret ? kmqtt_sub_error(ret) : 0;
		cond_resched();
	}
	ack.codes.data = codes;
	ack.codes.len = n;
	if (!kmqtt_conn_ending(&c->x.conn))
		kmqtt_client_suback(c, KMQTT_UNSUBACK, &ack);
	kvfree(codes);
	return 0;
}

/* DISCONNECT (MQTT 5.0, 3.14). */

static int kmqtt_client_disconnect(struct kmqtt_client *c, const struct kmqtt_fixed *f,
				   const u8 *body)
{
	struct kmqtt_disconnect dis;
	int ret = kmqtt_disconnect_decode(f, body, c->x.conn.version, &dis);

	if (ret)
		return ret;
	if (!kmqtt_props_allowed(&dis.props, KMQTT_DISCONNECT, false))
		return KMQTT_RC_PROTOCOL_ERROR;
	if (kmqtt_props_has(&dis.props, KMQTT_PROP_SESSION_EXPIRY)) {
		/* what was to end with the connection cannot be kept now (3.14.2.2.2) */
		if (!c->session_expiry && dis.props.session_expiry)
			return KMQTT_RC_PROTOCOL_ERROR;
		kmqtt_session_set_expiry(c->x.session, &c->port, dis.props.session_expiry);
	}
	if (!dis.reason)
		kmqtt_session_will_drop(c->x.session, &c->port);
	WRITE_ONCE(c->lost_reason, dis.reason);
	/* it closes the connection, and so do we: in good order */
	c->x.conn.peer_reason = true;
	kmqtt_conn_finish(&c->x.conn);
	return 0;
}

static int kmqtt_client_ping(struct kmqtt_client *c)
{
	u8 *p = kmqtt_conn_reserve(&c->x.conn, KMQTT_PING_SIZE);

	if (p)
		kmqtt_ping_encode(p, KMQTT_PING_SIZE, KMQTT_PINGRESP);
	return 0;
}

int kmqtt_client_packet(struct kmqtt_client *c, const struct kmqtt_fixed *f, const u8 *body)
{
	if (!kmqtt_packet_allowed(f->type, c->x.conn.version, false))
		return KMQTT_RC_PROTOCOL_ERROR;
	switch (f->type) {
	case KMQTT_PUBACK:
	case KMQTT_PUBREC:
	case KMQTT_PUBREL:
	case KMQTT_PUBCOMP:
		return kmqtt_xchg_ack(&c->x, f, body);
	case KMQTT_SUBSCRIBE:
		return kmqtt_client_subscribe(c, f, body);
	case KMQTT_UNSUBSCRIBE:
		return kmqtt_client_unsubscribe(c, f, body);
	case KMQTT_PINGREQ:
		return kmqtt_client_ping(c);
	case KMQTT_DISCONNECT:
		return kmqtt_client_disconnect(c, f, body);
	case KMQTT_AUTH:
		return kmqtt_client_auth_packet(c, f, body);
	default:
		/* a second CONNECT */
		return KMQTT_RC_PROTOCOL_ERROR;
	}
}

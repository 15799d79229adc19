// SPDX-License-Identifier: GPL-2.0
/*
 * A link: one connection of an uplink. CONNECT and CONNACK, keep alive, the end.
 * The ops run in the connection's work item (conn.h).
 */
#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/utsname.h>

#include "compat.h"
#include "port/net.h"
#include "port/uplink_priv.h"

/* Longest wait for a SUBACK, where there is a keep alive to notice it. */
#define KMQTT_LINK_SUBACK_TIME	(60 * HZ)

static struct kmqtt_link *kmqtt_link_of(struct kmqtt_conn *conn)
{
	return container_of(conn, struct kmqtt_link, x.conn);
}

static void kmqtt_link_copy_text(char *to, struct kmqtt_view from)
{
	u32 n = min_t(u32, from.len, KMQTT_UPLINK_TEXT - 1);

	if (n)
		memcpy(to, from.data, n);
	to[n] = 0;
}

/* The server is another one now (MQTT 5.0, 4.13): an administrator decides that. */
static void kmqtt_link_redirect(struct kmqtt_link *link, u8 reason,
				const struct kmqtt_props *props)
{
	kmqtt_link_copy_text(link->redirect, props->server_reference);
	kmqtt_uplink_event(link->up, KMQTT_EVENT_UPLINK_REDIRECT, reason, 0, link->redirect);
}

static bool kmqtt_reason_is_redirect(u8 reason)
{
	return reason == KMQTT_RC_USE_ANOTHER_SERVER || reason == KMQTT_RC_SERVER_MOVED;
}

static int kmqtt_link_refused(struct kmqtt_link *link, const struct kmqtt_connack *ack)
{
	struct kmqtt_conn *conn = &link->x.conn;
	char text[KMQTT_UPLINK_TEXT];

	conn->peer_reason = true;
	if (kmqtt_reason_is_redirect(ack->reason)) {
		kmqtt_link_redirect(link, ack->reason, &ack->props);
	} else {
		kmqtt_link_copy_text(text, ack->props.reason_string.len ?
				     ack->props.reason_string :
				     kmqtt_view_str(kmqtt_reason_name(ack->reason)));
		kmqtt_uplink_event(link->up, KMQTT_EVENT_UPLINK_REFUSED, ack->reason, 0, text);
	}
	kmqtt_conn_fail(conn, ECONNREFUSED, ack->reason);
	return 0;
}

/* What the server gave, in force from now. Return: 0 or a reason code */
static int kmqtt_link_take_props(struct kmqtt_link *link, const struct kmqtt_props *props)
{
	struct kmqtt_uplink *up = link->up;

	link->server_receive_max = props->receive_max;
	link->x.peer_max_packet = props->max_packet_size;
	link->x.max_qos = props->max_qos;
	link->x.retain_available = props->retain_available;
	if (kmqtt_props_has(props, KMQTT_PROP_SERVER_KEEP_ALIVE))
		link->keepalive = props->server_keep_alive;
	if (kmqtt_props_has(props, KMQTT_PROP_SESSION_EXPIRY))
		link->session_expiry = props->session_expiry;
	link->x.out.max = min(props->topic_alias_max, up->conf->topic_alias_max);
	if (props->assigned_client_id.len) {
		char *id = kmemdup_nul((const char *)props->assigned_client_id.data,
				       props->assigned_client_id.len, GFP_KERNEL);

		if (!id)
			return KMQTT_RC_QUOTA_EXCEEDED;
		kfree(up->assigned_id);
		up->assigned_id = id;
	}
	return 0;
}

static void kmqtt_link_show(struct kmqtt_link *link, bool session_present, u16 alias_max)
{
	struct kmqtt_uplink_view *v = &link->up->view_link;

	v->session_present = session_present;
	v->retain_available = link->x.retain_available;
	v->version = link->x.conn.version;
	v->bridge_bit = link->bridge;
	v->max_qos = link->x.max_qos;
	v->keepalive = link->keepalive;
	v->receive_max = link->server_receive_max;
	v->max_packet_size = link->x.peer_max_packet == U32_MAX ? 0 : link->x.peer_max_packet;
	v->topic_alias_max = alias_max;
	v->session_expiry = link->session_expiry;
}

static void kmqtt_link_arm(struct kmqtt_link *link)
{
	if (link->keepalive)
		kmqtt_conn_timer(&link->x.conn, link->keepalive * HZ);
	else
		timer_delete(&link->x.conn.timer);
}

static int kmqtt_link_connack(struct kmqtt_link *link, const struct kmqtt_fixed *f,
			      const u8 *body)
{
	struct kmqtt_uplink *up = link->up;
	struct kmqtt_conn *conn = &link->x.conn;
	struct kmqtt_connack ack;
	bool kept;
	int ret;

	/* a server that knows no 5.0 answers as of 3.1.1 */
	if (conn->version == KMQTT_V5 && f->remaining == 2 && body[1]) {
		kmqtt_props_init(&ack.props);
		ack.reason = KMQTT_RC_UNSUPPORTED_PROTOCOL_VERSION;
		return kmqtt_link_refused(link, &ack);
	}
	ret = kmqtt_connack_decode(f, body, conn->version, &ack);
	if (ret)
		return ret;
	if (ack.reason)
		return kmqtt_link_refused(link, &ack);
	/* nothing could be kept (MQTT 5.0, 3.2.2.1.1) */
	if (ack.session_present && link->clean)
		return KMQTT_RC_PROTOCOL_ERROR;
	kept = conn->version == KMQTT_V31 ? !link->clean : ack.session_present;

	mutex_lock(&up->lock);
	if (up->state == KMQTT_UPLINK_CLOSING) {
		/* its session may have gone, or be offline */
		mutex_unlock(&up->lock);
		return 0;
	}
	ret = kmqtt_link_take_props(link, &ack.props);
	if (ret) {
		mutex_unlock(&up->lock);
		return ret;
	}
	kmqtt_session_resume(link->x.session, &up->port, link->server_receive_max, kept);
	kmqtt_upsubs_connected(up, kept);
	kmqtt_link_echo_resume(link, kept);
	link->connected = true;
	link->up_since = jiffies;
	kmqtt_link_show(link, ack.session_present, ack.props.topic_alias_max);
	kmqtt_uplink_set_state(up, KMQTT_UPLINK_UP);
	kmqtt_session_set_online(link->x.session, &up->port, true);
	kmqtt_uptopic_retained(up, !kept);
	mutex_unlock(&up->lock);

	kmqtt_uplink_count(up, KMQTT_UPSTAT(connects), 1);
	kmqtt_stats_add(link->broker->stats, KMQTT_STAT_CONNECTS, 1);
	kmqtt_link_arm(link);
	kmqtt_uplink_up_event(up);
	return 0;
}

static int kmqtt_link_disconnect(struct kmqtt_link *link, const struct kmqtt_fixed *f,
				 const u8 *body)
{
	struct kmqtt_disconnect dis;
	int ret = kmqtt_disconnect_decode(f, body, link->x.conn.version, &dis);

	if (ret)
		return ret;
	if (!kmqtt_props_allowed(&dis.props, KMQTT_DISCONNECT, true))
		return KMQTT_RC_PROTOCOL_ERROR;
	if (kmqtt_reason_is_redirect(dis.reason))
		kmqtt_link_redirect(link, dis.reason, &dis.props);
	link->x.conn.peer_reason = true;
	if (dis.reason)
		kmqtt_conn_fail(&link->x.conn, ECONNRESET, dis.reason);
	else
		kmqtt_conn_fail(&link->x.conn, EPIPE, 0);
	return 0;
}

static int kmqtt_link_suback(struct kmqtt_link *link, const struct kmqtt_fixed *f,
			     const u8 *body)
{
	struct kmqtt_suback ack;
	int ret;

	if (f->type == KMQTT_SUBACK)
		ret = kmqtt_suback_decode(f, body, link->x.conn.version, &ack);
	else
		ret = kmqtt_unsuback_decode(f, body, link->x.conn.version, &ack);
	return ret ? ret : kmqtt_upsubs_acked(link, f->type, &ack);
}

static int kmqtt_link_packet(struct kmqtt_conn *conn, const struct kmqtt_fixed *f,
			     const u8 *body)
{
	struct kmqtt_link *link = kmqtt_link_of(conn);

	link->sent_any = true;
	if (!kmqtt_packet_allowed(f->type, conn->version, true) ||
	    (f->type == KMQTT_CONNACK ? link->connected : !link->connected))
		return KMQTT_RC_PROTOCOL_ERROR;
	switch (f->type) {
	case KMQTT_CONNACK:
		return kmqtt_link_connack(link, f, body);
	case KMQTT_PUBACK:
	case KMQTT_PUBREC:
	case KMQTT_PUBREL:
	case KMQTT_PUBCOMP:
		return kmqtt_xchg_ack(&link->x, f, body);
	case KMQTT_SUBACK:
	case KMQTT_UNSUBACK:
		return kmqtt_link_suback(link, f, body);
	case KMQTT_PINGRESP:
		link->ping = false;
		return 0;
	case KMQTT_DISCONNECT:
		return kmqtt_link_disconnect(link, f, body);
	default:
		/* AUTH: we have asked for no authentication method */
		return KMQTT_RC_PROTOCOL_ERROR;
	}
}

static void kmqtt_link_send_ping(struct kmqtt_link *link)
{
	u8 *p = kmqtt_conn_reserve(&link->x.conn, KMQTT_PING_SIZE);

	if (!p)
		return;
	kmqtt_ping_encode(p, KMQTT_PING_SIZE, KMQTT_PINGREQ);
	kmqtt_uplink_count(link->up, KMQTT_UPSTAT(pings), 1);
	link->ping = true;
	link->ping_at = jiffies;
}

/*
 * One timer: it is set to the keep alive, and when it fires to what is left of it
 * since either side said something last. A server that takes what we send and says
 * nothing need not be alive: it is asked too. Anything that has come since a PINGREQ
 * stands for its PINGRESP, which may be queued behind a large message; and while
 * reading is paused it cannot come.
 */
static void kmqtt_link_timer(struct kmqtt_conn *conn)
{
	struct kmqtt_link *link = kmqtt_link_of(conn);
	bool paused = test_bit(KMQTT_CONN_PAUSED, &conn->flags);
	unsigned long keepalive = link->keepalive * HZ;
	unsigned long idle = jiffies - (time_before(conn->last_rx, conn->last_tx) ?
					conn->last_rx : conn->last_tx);

	if (!link->connected) {
		kmqtt_conn_fail(conn, ETIMEDOUT, 0);
		return;
	}
	if (!keepalive)
		return;
	if (link->ping && !paused && time_before(conn->last_rx, link->ping_at) &&
	    time_after_eq(jiffies, link->ping_at + keepalive)) {
		kmqtt_conn_fail(conn, ETIMEDOUT, 0);
		return;
	}
	if (!paused && kmqtt_upsubs_waiting(link->up) &&
	    time_after(jiffies, link->subs_since + KMQTT_LINK_SUBACK_TIME)) {
		kmqtt_conn_fail(conn, ETIMEDOUT, KMQTT_RC_UNSPECIFIED);
		return;
	}
	if (idle >= keepalive) {
		kmqtt_link_send_ping(link);
		idle = 0;
	}
	kmqtt_conn_timer(conn, keepalive - idle);
}

/*
 * DISCONNECT, if it is us who close: in 3.x only where all is well, since there
 * it says so, and the server drops the will. An uplink that is deleted does not
 * come back: the server need not keep its session (MQTT 5.0, 3.14.2.2.2).
 */
static void kmqtt_link_goodbye(struct kmqtt_conn *conn)
{
	struct kmqtt_link *link = kmqtt_link_of(conn);
	struct kmqtt_disconnect dis = { .reason = conn->reason };

	if (conn->peer_reason || (conn->version != KMQTT_V5 && conn->reason))
		return;
	kmqtt_props_init(&dis.props);
	if (READ_ONCE(link->up->deleted) && link->session_expiry) {
		dis.props.present |= KMQTT_PROP_BIT(KMQTT_PROP_SESSION_EXPIRY);
		dis.props.session_expiry = 0;
	}
	kmqtt_xchg_disconnect(&link->x, &dis);
}

static void kmqtt_link_ready(struct kmqtt_conn *conn)
{
	struct kmqtt_uplink *up = kmqtt_link_of(conn)->up;

	mutex_lock(&up->lock);
	if (up->state == KMQTT_UPLINK_CONNECTING)
		kmqtt_uplink_set_state(up, KMQTT_UPLINK_HANDSHAKE);
	mutex_unlock(&up->lock);
}

static void kmqtt_link_closed(struct kmqtt_conn *conn)
{
	struct kmqtt_link *link = kmqtt_link_of(conn);
	struct kmqtt_uplink *up = link->up;

	kmqtt_xchg_drop(&link->x);
	kmqtt_link_echo_end(link);
	/* pairs with the one in kmqtt_uplink_life() */
	smp_store_release(&link->closed, true);
	kmqtt_uplink_kick(up);
}

static const struct kmqtt_conn_ops kmqtt_link_ops = {
	.ready		= kmqtt_link_ready,
	.packet		= kmqtt_link_packet,
	.publish	= kmqtt_link_publish,
	.published	= kmqtt_link_published,
	.resume		= kmqtt_link_resume,
	.refill		= kmqtt_link_refill,
	.timer		= kmqtt_link_timer,
	.goodbye	= kmqtt_link_goodbye,
	.closed		= kmqtt_link_closed,
};

static void kmqtt_link_connect_props(const struct kmqtt_link *link,
				     const struct kmqtt_uplink_conf *conf,
				     struct kmqtt_props *props)
{
	props->session_expiry = link->session_expiry;
	props->receive_max = conf->receive_max;
	props->max_packet_size = link->x.conn.max_packet;
	props->topic_alias_max = link->x.in.max;
	props->present = KMQTT_PROP_BIT(KMQTT_PROP_RECEIVE_MAX);
	if (link->x.conn.max_packet < KMQTT_VARINT_MAX)
		props->present |= KMQTT_PROP_BIT(KMQTT_PROP_MAX_PACKET_SIZE);
	if (link->session_expiry)
		props->present |= KMQTT_PROP_BIT(KMQTT_PROP_SESSION_EXPIRY);
	if (link->x.in.max)
		props->present |= KMQTT_PROP_BIT(KMQTT_PROP_TOPIC_ALIAS_MAX);
}

static void kmqtt_link_will(const struct kmqtt_uplink_conf *conf, struct kmqtt_connect_will *will)
{
	kmqtt_props_init(&will->props);
	if (!conf->will_topic)
		return;
	will->topic = kmqtt_view_str(conf->will_topic);
	will->payload.data = conf->will_payload ?: (const u8 *)"";
	will->payload.len = conf->will_len;
	will->qos = conf->will_qos;
	will->retain = conf->will_retain;
	if (conf->will_delay) {
		will->props.present = KMQTT_PROP_BIT(KMQTT_PROP_WILL_DELAY);
		will->props.will_delay = conf->will_delay;
	}
}

/* 5.0 lets the server choose; before, it is the uplink's name and the host's. */
static struct kmqtt_view kmqtt_link_client_id(const struct kmqtt_uplink *up, char *made,
					      size_t size)
{
	if (up->conf->client_id && *up->conf->client_id)
		return kmqtt_view_str(up->conf->client_id);
	if (up->conf->version == KMQTT_V5)
		return kmqtt_view_str(up->assigned_id ?: "");
	snprintf(made, size, "%s.%s", up->name, init_utsname()->nodename);
	return kmqtt_view_str(made);
}

static int kmqtt_link_put_connect(struct kmqtt_link *link)
{
	const struct kmqtt_uplink *up = link->up;
	const struct kmqtt_uplink_conf *conf = up->conf;
	char made[KMQTT_UPLINK_NAME_MAX + __NEW_UTS_LEN + 2];
	struct kmqtt_connect *c;
	int len, ret = 0;
	u8 *p;

	c = kzalloc_obj(*c, GFP_KERNEL);
	if (!c)
		return -ENOMEM;
	c->version = conf->version;
	c->bridge = link->bridge;
	c->clean_start = conf->clean;
	c->keep_alive = conf->keepalive;
	c->client_id = kmqtt_link_client_id(up, made, sizeof(made));
	if (conf->username)
		c->user_name = kmqtt_view_str(conf->username);
	c->password.data = conf->password;
	c->password.len = conf->password_len;
	kmqtt_link_will(conf, &c->will);
	kmqtt_props_init(&c->props);
	kmqtt_link_connect_props(link, conf, &c->props);
	len = kmqtt_connect_encode(NULL, 0, c);
	p = len > 0 ? kmqtt_conn_reserve(&link->x.conn, len) : NULL;
	if (p)
		kmqtt_connect_encode(p, len, c);
	else
		ret = len < 0 ? len : -ENOMEM;
	kfree(c);
	return ret;
}

struct kmqtt_link *kmqtt_link_new(struct kmqtt_uplink *up)
{
	const struct kmqtt_uplink_conf *conf = up->conf;
	u32 limit = READ_ONCE(up->broker->limits.max_packet_size);
	struct kmqtt_link *link;
	int ret;

	lockdep_assert_held(&up->lock);
	link = kzalloc_obj(*link, GFP_KERNEL);
	if (!link)
		return ERR_PTR(-ENOMEM);
	kmqtt_conn_setup(&link->x.conn, &kmqtt_link_ops, up->broker);
	link->up = up;
	link->broker = up->broker;
	link->x.ops = &kmqtt_link_xchg_ops;
	link->x.session = up->session;
	link->x.port = &up->port;
	kmqtt_session_get(link->x.session);
	link->x.conn.version = conf->version;
	link->x.conn.max_packet = conf->max_packet_size ?
				min(conf->max_packet_size, limit) : limit;
	link->bridge = conf->version != KMQTT_V5 && conf->try_private && !up->no_bridge;
	link->echoes_due = conf->version != KMQTT_V5 && !link->bridge;
	link->clean = conf->clean;
	link->keepalive = conf->keepalive;
	link->x.receive_max = conf->receive_max;
	link->batch = conf->batch;
	link->session_expiry = conf->session_expiry;
	if (conf->clean && !(conf->fields & KMQTT_UPLINK_SESSION_EXPIRY))
		link->session_expiry = 0;
	if (conf->version == KMQTT_V5)
		link->x.in.max = conf->topic_alias_max;
	ret = kmqtt_link_put_connect(link);
	if (ret) {
		/* nothing of it has run yet: to wait for that, under up->lock, is not allowed */
		kmqtt_conn_tx_drop(&link->x.conn);
		kmqtt_link_free(link);
		return ERR_PTR(ret);
	}
	kmqtt_conn_timer(&link->x.conn, conf->connect_timeout * HZ);
	return link;
}

void kmqtt_link_free(struct kmqtt_link *link)
{
	kmqtt_xchg_free(&link->x);
	kvfree(link->topic);
	kfree(link->replayed);
	kmqtt_session_put(link->x.session);
	kfree(link);
}

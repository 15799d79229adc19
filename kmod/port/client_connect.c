// SPDX-License-Identifier: GPL-2.0
/*
 * CONNECT and CONNACK: who is let in, and with what (MQTT 5.0, 3.1 and 3.2). All in
 * the connection's work item, but for kmqtt_greeting_done().
 */
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/uuid.h>

#include "compat.h"
#include "core/broker.h"
#include "core/message.h"
#include "core/trace.h"
#include "port/client.h"
#include "proto/topic.h"

/* CONNACK. */

static void kmqtt_connack_put(struct kmqtt_client *c, struct kmqtt_connack *ack)
{
	u8 version = c->x.conn.version, *p;
	int len;

	/* what is only there to help must not be what makes it too large */
	len = kmqtt_connack_encode(NULL, 0, version, ack);
	if (len > 0 && len > c->x.peer_max_packet) {
		ack->props.present &= ~KMQTT_PROP_BIT(KMQTT_PROP_REASON_STRING);
		len = kmqtt_connack_encode(NULL, 0, version, ack);
	}
	if (len < 0 || len > c->x.peer_max_packet) {
		/* nothing can be said, not even why: the end alone */
		c->answered = false;
		if (!test_bit(KMQTT_CONN_FINISHING, &c->x.conn.flags))
			kmqtt_conn_fail(&c->x.conn, EMSGSIZE, KMQTT_RC_PACKET_TOO_LARGE);
		return;
	}
	p = kmqtt_conn_reserve(&c->x.conn, len);
	if (p)
		kmqtt_connack_encode(p, len, version, ack);
}

/* A wrong password is "not authorized" in 3.x; its code 4 is for malformed ones. */
static u8 kmqtt_reason_to(u8 version, u8 reason)
{
	if (version != KMQTT_V5 && reason == KMQTT_RC_BAD_USER_NAME_OR_PASSWORD)
		return KMQTT_RC_NOT_AUTHORIZED;
	if (version == KMQTT_V5 && !kmqtt_reason_allowed(KMQTT_CONNACK, reason))
		return KMQTT_RC_UNSPECIFIED;
	return reason;
}

/*
 * A CONNECT that breaks the protocol is answered in 5.0 alone (3.1.4); a 3.x server
 * closes the connection without a word (3.1.1, 3.1.4-1).
 */
void kmqtt_client_refuse(struct kmqtt_client *c, u8 reason)
{
	struct kmqtt_connack ack = {
		.reason = kmqtt_reason_to(c->x.conn.version, reason),
	};

	if (c->x.conn.version != KMQTT_V5 && c->x.conn.error == EBADMSG &&
	    reason != KMQTT_RC_UNSUPPORTED_PROTOCOL_VERSION &&
	    reason != KMQTT_RC_CLIENT_ID_NOT_VALID)
		return;
	kmqtt_props_init(&ack.props);
	if (c->why && c->problem_info) {
		ack.props.reason_string = kmqtt_view_str(c->why);
		ack.props.present |= KMQTT_PROP_BIT(KMQTT_PROP_REASON_STRING);
	}
	kmqtt_connack_put(c, &ack);
}

static void kmqtt_props_set(struct kmqtt_props *props, u8 id)
{
	props->present |= KMQTT_PROP_BIT(id);
}

/* What is not as the client has to assume, is said (3.2.2.3). */
static void kmqtt_connack_props(struct kmqtt_client *c, const struct kmqtt_greeting *g,
				struct kmqtt_props *props)
{
	u32 max_packet = c->x.conn.max_packet;

	props->receive_max = c->x.receive_max;
	kmqtt_props_set(props, KMQTT_PROP_RECEIVE_MAX);
	if (max_packet < KMQTT_VARINT_MAX) {
		props->max_packet_size = max_packet;
		kmqtt_props_set(props, KMQTT_PROP_MAX_PACKET_SIZE);
	}
	if (c->x.in.max) {
		props->topic_alias_max = c->x.in.max;
		kmqtt_props_set(props, KMQTT_PROP_TOPIC_ALIAS_MAX);
	}
	if (c->conf->max_qos < 2) {
		props->max_qos = c->conf->max_qos;
		kmqtt_props_set(props, KMQTT_PROP_MAX_QOS);
	}
	if (!READ_ONCE(c->x.conn.broker->limits.retain_available)) {
		props->retain_available = 0;
		kmqtt_props_set(props, KMQTT_PROP_RETAIN_AVAILABLE);
	}
	if (*g->made) {
		props->assigned_client_id = kmqtt_view_str(g->made);
		kmqtt_props_set(props, KMQTT_PROP_ASSIGNED_CLIENT_ID);
	}
	if (c->keepalive != g->connect.keep_alive) {
		props->server_keep_alive = c->keepalive;
		kmqtt_props_set(props, KMQTT_PROP_SERVER_KEEP_ALIVE);
	}
	if (c->session_expiry != g->connect.props.session_expiry) {
		props->session_expiry = c->session_expiry;
		kmqtt_props_set(props, KMQTT_PROP_SESSION_EXPIRY);
	}
}

static void kmqtt_connack_accept(struct kmqtt_client *c, const struct kmqtt_greeting *g,
				 bool present)
{
	struct kmqtt_connack ack = { .session_present = present };

	kmqtt_props_init(&ack.props);
	if (c->x.conn.version == KMQTT_V31)
		ack.session_present = false;
	if (c->x.conn.version == KMQTT_V5) {
		kmqtt_connack_props(c, g, &ack.props);
		kmqtt_client_auth_props(c, &ack.props);
	}
	kmqtt_connack_put(c, &ack);
}

/* The session. */

static u8 kmqtt_open_error(struct kmqtt_client *c, int error)
{
	switch (error) {
	case -EACCES:
		c->why = "the client identifier is the name of another kind of session";
		return KMQTT_RC_CLIENT_ID_NOT_VALID;
	case -ENOSPC:
		c->why = "max_sessions is reached";
		return KMQTT_RC_QUOTA_EXCEEDED;
	case -ENOBUFS:
		c->why = "memory_limit is reached";
		return KMQTT_RC_QUOTA_EXCEEDED;
	case -ESHUTDOWN:
		return KMQTT_RC_SERVER_UNAVAILABLE;
	default:
		return KMQTT_RC_SERVER_BUSY;
	}
}

/* Return: the will message, NULL if there is none, ERR_PTR() */
static struct kmqtt_msg *kmqtt_will_message(struct kmqtt_client *c,
					    const struct kmqtt_connect_will *will)
{
	struct kmqtt_msg_desc desc = {
		.props = will->props.raw.data,
		.props_len = will->props.raw.len,
		.payload_len = will->payload.len,
		.qos = will->qos,
		.retain = will->retain,
	};
	struct kmqtt_view topic;
	struct kmqtt_msg *msg;
	int ret;

	if (!will->topic.data)
		return NULL;
	ret = kmqtt_client_mount(c, will->topic, &topic);
	if (ret)
		return ERR_PTR(ret);
	desc.topic = topic.data;
	desc.topic_len = topic.len;
	msg = kmqtt_msg_alloc(c->x.conn.broker, &desc, GFP_KERNEL);
	if (!IS_ERR(msg) && will->payload.len)
		memcpy(kmqtt_msg_payload(msg), will->payload.data, will->payload.len);
	return msg;
}

/* Who it is: with room for the user name behind it, its own or an authenticator's. */
static struct kmqtt_identity *kmqtt_client_identity(const struct kmqtt_client *c,
						    const struct kmqtt_connect *connect)
{
	bool given = c->relay && c->relay->user;
	struct kmqtt_view user = given ? kmqtt_view_str(c->relay->user) : connect->user_name;
	struct kmqtt_identity *who;
	char *name;

	who = kzalloc(size_add(sizeof(*who), user.data ? user.len + 1 : 0), GFP_KERNEL);
	if (!who || !user.data)
		return who;
	name = (char *)(who + 1);
	memcpy(name, user.data, user.len);
	who->user = name;
	return who;
}

static void kmqtt_client_params(struct kmqtt_client *c, const struct kmqtt_connect *connect,
				struct kmqtt_session_params *p)
{
	u32 limit = READ_ONCE(c->x.conn.broker->limits.persistent_client_expiration);

	p->kind = KMQTT_KIND_REMOTE;
	p->ack_mode = KMQTT_ACK_MQTT;
	p->clean = connect->clean_start;
	if (connect->version == KMQTT_V5)
		p->expiry = connect->props.session_expiry;
	else
		p->expiry = connect->clean_start ? 0 : U32_MAX;
	p->expiry = min(p->expiry, limit);
	c->session_expiry = p->expiry;
	p->will_delay = connect->will.props.will_delay;
	if (kmqtt_props_has(&connect->will.props, KMQTT_PROP_MESSAGE_EXPIRY))
		p->will_expiry = max_t(u32, connect->will.props.message_expiry, 1);
}

/* Return: 0 or a reason code */
static u8 kmqtt_client_open(struct kmqtt_client *c, struct kmqtt_greeting *g, char *name,
			    bool *present)
{
	struct kmqtt_session_params params = { .name = name };
	struct kmqtt_session *session;
	struct kmqtt_identity *who;

	kmqtt_client_params(c, &g->connect, &params);
	params.will = kmqtt_will_message(c, &g->connect.will);
	if (PTR_ERR_OR_ZERO(params.will) == -EILSEQ) {
		c->why = "with the mount point the will's topic is too long";
		return KMQTT_RC_TOPIC_NAME_INVALID;
	}
	if (IS_ERR(params.will))
		return KMQTT_RC_QUOTA_EXCEEDED;
	who = kmqtt_client_identity(c, &g->connect);
	session = who ? kmqtt_session_open(c->x.conn.broker, &params, who, &c->port, present) :
			ERR_PTR(-ENOMEM);
	if (params.will)
		kmqtt_msg_put(params.will);
	if (IS_ERR(session)) {
		kfree(who);
		return kmqtt_open_error(c, PTR_ERR(session));
	}
	c->x.session = session;
	return 0;
}

/* What holds for the connection from now on. */
static void kmqtt_client_limits(struct kmqtt_client *c, const struct kmqtt_connect *connect)
{
	const struct kmqtt_listener_conf *conf = c->conf;

	c->keepalive = connect->keep_alive;
	if (conf->max_keepalive && (!c->keepalive || c->keepalive > conf->max_keepalive) &&
	    connect->version == KMQTT_V5)
		c->keepalive = conf->max_keepalive;
	c->x.receive_max = conf->receive_maximum ?:
			   READ_ONCE(c->x.conn.broker->limits.max_inflight_messages);
	c->port.run_max = c->x.peer_max_packet;
	if (!conf->mount_len)
		c->port.run_version = kmqtt_run_version(connect->version);
	if (connect->version != KMQTT_V5)
		return;
	c->x.in.max = conf->max_topic_alias;
	c->x.out.max = min(conf->max_topic_alias_broker, connect->props.topic_alias_max);
	/* a run goes out as it came in, with the whole topic name */
	if (c->x.out.max)
		c->port.run_version = 0;
}

static void kmqtt_client_trace(const struct kmqtt_client *c)
{
	char address[64];

	if (!trace_kmqtt_connect_enabled())
		return;
	kmqtt_client_address(c, address, sizeof(address));
	trace_kmqtt_connect(c->x.session->name, address, c->x.conn.version, 0);
}

int kmqtt_client_admit(struct kmqtt_client *c, struct kmqtt_greeting *g)
{
	struct kmqtt_view id = g->connect.client_id;
	bool present = false;
	char *name;
	int ret;

	if (*g->made)
		id = kmqtt_view_str(g->made);
	name = kmemdup_nul((const char *)id.data, id.len, GFP_KERNEL);
	if (!name)
		return KMQTT_RC_SERVER_BUSY;
	kmqtt_client_limits(c, &g->connect);
	kmqtt_client_admitted(c);
	ret = kmqtt_client_open(c, g, name, &present);
	kfree(name);
	if (ret)
		return ret;
	kmqtt_session_resume(c->x.session, &c->port, g->connect.props.receive_max, present);
	c->state = KMQTT_CLIENT_LIVE;
	c->answered = true;
	kmqtt_connack_accept(c, g, present);
	/* more than the client takes: it was not let in */
	if (!c->answered)
		return 0;
	kmqtt_session_set_online(c->x.session, &c->port, true);
	kmqtt_stats_add(c->x.conn.broker->stats, KMQTT_STAT_CONNECTS, 1);
	kmqtt_client_trace(c);
	c->greeting = NULL;
	kmqtt_greeting_free(g);
	kmqtt_client_arm(c);
	return 0;
}

/* The check of a password. */

/* In the context of the check: io_work goes on. */
static void kmqtt_greeting_done(struct kmqtt_auth_request *req)
{
	struct kmqtt_client *c = container_of(req, struct kmqtt_greeting, auth)->client;

	/* pairs with kmqtt_client_refill() */
	smp_store_release(&c->state, KMQTT_CLIENT_CHECKED);
	kmqtt_conn_kick(&c->x.conn);
}

void kmqtt_greeting_free(struct kmqtt_greeting *g)
{
	if (!g)
		return;
	kmqtt_auth_cancel(&g->auth);
	kfree(g->auth.user);
	kfree_sensitive(g->auth.password);
	if (g->charged)
		kmqtt_memory_uncharge(g->client->x.conn.broker, g->charged);
	kvfree_sensitive(g, struct_size(g, body, g->body_len));
}

int kmqtt_client_checked(struct kmqtt_client *c)
{
	struct kmqtt_greeting *g = c->greeting;
	int ret = g->auth.reason;

	c->state = KMQTT_CLIENT_NEW;
	if (!ret)
		ret = kmqtt_client_admit(c, g);
	if (!ret)
		kmqtt_conn_unhold(&c->x.conn);
	return ret;
}

/* Return: 0 or a reason code */
static int kmqtt_client_check(struct kmqtt_client *c, struct kmqtt_greeting *g)
{
	const struct kmqtt_connect *connect = &g->connect;
	int ret;

	g->auth.broker = c->x.conn.broker;
	g->auth.done = kmqtt_greeting_done;
	g->auth.user = kmemdup_nul((const char *)connect->user_name.data,
				   connect->user_name.len, GFP_KERNEL);
	if (!g->auth.user)
		return KMQTT_RC_SERVER_BUSY;
	if (connect->password.data) {
		/* of an empty one too there is something to point at */
		g->auth.password = kmalloc(connect->password.len + 1, GFP_KERNEL);
		if (!g->auth.password)
			return KMQTT_RC_SERVER_BUSY;
		memcpy(g->auth.password, connect->password.data, connect->password.len);
		g->auth.password_len = connect->password.len;
	}
	kmqtt_conn_hold(&c->x.conn);
	c->state = KMQTT_CLIENT_CHECKING;
	ret = kmqtt_auth_submit(&g->auth);
	if (ret) {
		c->state = KMQTT_CLIENT_NEW;
		c->why = "too many passwords wait to be checked";
		return KMQTT_RC_SERVER_BUSY;
	}
	return 0;
}

/* CONNECT. */

/* What this listener does not allow. Return: 0 or a reason code */
static int kmqtt_connect_judge(struct kmqtt_client *c, const struct kmqtt_connect *connect)
{
	u32 most = READ_ONCE(c->x.conn.broker->limits.message_size_limit);
	const struct kmqtt_listener_conf *conf = c->conf;

	if (!(conf->protocols & KMQTT_PROTOCOL_BIT(connect->version))) {
		c->why = "this listener does not speak this version";
		return KMQTT_RC_UNSUPPORTED_PROTOCOL_VERSION;
	}
	if (!connect->client_id.len && !conf->zero_length_client_id) {
		c->why = "a client identifier is needed";
		return KMQTT_RC_CLIENT_ID_NOT_VALID;
	}
	if (connect->version != KMQTT_V5 && conf->max_keepalive &&
	    (!connect->keep_alive || connect->keep_alive > conf->max_keepalive)) {
		return KMQTT_RC_CLIENT_ID_NOT_VALID;	/* as Mosquitto: 3.x has no word for it */
	}
	if (connect->will.topic.data && most && connect->will.payload.len > most)
		return connect->version == KMQTT_V5 ? KMQTT_RC_PACKET_TOO_LARGE :
						      KMQTT_RC_NOT_AUTHORIZED;
	if (connect->will.topic.data && connect->will.qos > conf->max_qos)
		return KMQTT_RC_QOS_NOT_SUPPORTED;
	if (connect->will.topic.data && kmqtt_client_topic_reserved(connect->will.topic)) {
		c->why = "nobody may publish the will's topic";
		return KMQTT_RC_NOT_AUTHORIZED;
	}
	if (connect->will.topic.data && connect->will.retain &&
	    !READ_ONCE(c->x.conn.broker->limits.retain_available))
		return KMQTT_RC_RETAIN_NOT_SUPPORTED;
	if (kmqtt_props_has(&connect->props, KMQTT_PROP_AUTH_METHOD) &&
	    !kmqtt_relay_listens(c->listener->kn)) {
		c->why = "nobody here does enhanced authentication";
		return KMQTT_RC_BAD_AUTHENTICATION_METHOD;
	}
	return 0;
}

/* A long one counts, with what is copied of it, where it may wait. Return: 0 or a reason code */
static u8 kmqtt_greeting_charge(struct kmqtt_client *c, struct kmqtt_greeting *g)
{
	if (g->body_len <= KMQTT_GREETING_FREE)
		return 0;
	if (!kmqtt_memory_charge(c->x.conn.broker, 2 * g->body_len)) {
		c->why = "too much waits in the switch (memory_limit)";
		return KMQTT_RC_QUOTA_EXCEEDED;
	}
	g->charged = 2 * g->body_len;
	return 0;
}

/* Is it to be let in? Return: 0 or a reason code */
static int kmqtt_connect_let_in(struct kmqtt_client *c, struct kmqtt_greeting *g)
{
	if (kmqtt_props_has(&g->connect.props, KMQTT_PROP_AUTH_METHOD))
		return kmqtt_greeting_charge(c, g) ?: kmqtt_client_auth_begin(c, g);
	if (g->connect.user_name.data && kmqtt_auth_has_users(c->x.conn.broker))
		return kmqtt_greeting_charge(c, g) ?: kmqtt_client_check(c, g);
	if (!c->conf->anonymous) {
		c->why = "this listener lets in no one without a user name and password";
		return g->connect.user_name.data ? KMQTT_RC_BAD_USER_NAME_OR_PASSWORD :
						   KMQTT_RC_NOT_AUTHORIZED;
	}
	return kmqtt_client_admit(c, g);
}

/* A name that nobody can guess, for who has it may have the session. */
static void kmqtt_greeting_make_id(struct kmqtt_greeting *g)
{
	uuid_t uuid;

	uuid_gen(&uuid);
	snprintf(g->made, sizeof(g->made), "auto-%pUB", &uuid);
}

static struct kmqtt_greeting *kmqtt_greeting_new(struct kmqtt_client *c, u32 len, const u8 *body)
{
	struct kmqtt_greeting *g = kvzalloc(struct_size(g, body, len), GFP_KERNEL);

	if (!g)
		return NULL;
	g->client = c;
	g->body_len = len;
	if (len)
		memcpy(g->body, body, len);
	return g;
}

int kmqtt_client_connect(struct kmqtt_client *c, const struct kmqtt_fixed *f, const u8 *body)
{
	struct kmqtt_greeting *g = kmqtt_greeting_new(c, f->remaining, body);
	struct kmqtt_connect *connect;
	int ret;

	if (!g)
		return KMQTT_RC_SERVER_BUSY;
	c->greeting = g;
	connect = &g->connect;
	ret = kmqtt_connect_decode(f, g->body, connect);
	c->x.conn.version = connect->version;
	if (ret)
		return ret;
	c->bridge = connect->bridge;
	c->problem_info = connect->props.request_problem_info;
	c->x.peer_max_packet = connect->props.max_packet_size;
	ret = kmqtt_connect_judge(c, connect);
	if (!ret) {
		if (!connect->client_id.len)
			kmqtt_greeting_make_id(g);
		ret = kmqtt_connect_let_in(c, g);
	}
	if (ret)
		kmqtt_conn_fail(&c->x.conn, EACCES, ret);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Enhanced authentication of a client (MQTT 5.0, 4.12): what user space is asked,
 * and what comes of its answer. All in the connection's work item.
 */
#include "compat.h"
#include "core/broker.h"
#include "port/client.h"
#include "port/net.h"

static void kmqtt_client_auth_put(struct kmqtt_client *c, u8 reason)
{
	struct kmqtt_disconnect auth = { .reason = reason };
	int len;
	u8 *p;

	kmqtt_props_init(&auth.props);
	kmqtt_client_auth_props(c, &auth.props);
	len = kmqtt_auth_encode(NULL, 0, KMQTT_V5, &auth);
	/* the client must not be sent more than it takes (3.1.2-24) */
	if (len < 0 || len > c->x.peer_max_packet) {
		kmqtt_conn_fail(&c->x.conn, EMSGSIZE, KMQTT_RC_UNSPECIFIED);
		return;
	}
	p = kmqtt_conn_reserve(&c->x.conn, len);
	if (p)
		kmqtt_auth_encode(p, len, KMQTT_V5, &auth);
}

void kmqtt_client_auth_props(const struct kmqtt_client *c, struct kmqtt_props *props)
{
	const struct kmqtt_relay *r = c->relay;

	if (!r)
		return;
	props->auth_method = (struct kmqtt_view) { .data = r->method, .len = r->method_len };
	props->present |= KMQTT_PROP_BIT(KMQTT_PROP_AUTH_METHOD);
	if (!r->data)
		return;
	props->auth_data = (struct kmqtt_view) { .data = r->data, .len = r->data_len };
	props->present |= KMQTT_PROP_BIT(KMQTT_PROP_AUTH_DATA);
}

/* What it came with, or nothing at all. */
static struct kmqtt_view kmqtt_client_auth_data(const struct kmqtt_props *props)
{
	if (!kmqtt_props_has(props, KMQTT_PROP_AUTH_DATA))
		return (struct kmqtt_view) { };
	return props->auth_data;
}

static u8 kmqtt_client_auth_start(struct kmqtt_client *c, const struct kmqtt_greeting *g)
{
	struct kmqtt_relay_about about = {
		.session = *g->made ? kmqtt_view_str(g->made) : g->connect.client_id,
		.user = g->connect.user_name,
		.listener = c->listener->name,
	};
	char address[64];

	kmqtt_client_address(c, address, sizeof(address));
	about.address = address;
	return kmqtt_relay_ask(c->relay, KMQTT_AUTH_STEP_START, &about,
			       kmqtt_client_auth_data(&g->connect.props));
}

int kmqtt_client_auth_begin(struct kmqtt_client *c, struct kmqtt_greeting *g)
{
	u8 ret;

	c->relay = kmqtt_relay_new(c->listener->kn, &c->x.conn, g->connect.props.auth_method);
	if (!c->relay)
		return KMQTT_RC_SERVER_BUSY;
	/* nothing is read while user space thinks */
	kmqtt_conn_hold(&c->x.conn);
	c->state = KMQTT_CLIENT_AUTH;
	ret = kmqtt_client_auth_start(c, g);
	if (ret)
		c->state = KMQTT_CLIENT_NEW;
	return ret;
}

/* It is connected, and goes on as it did until this one ends (4.12.1). */
static u8 kmqtt_client_auth_again(struct kmqtt_client *c, struct kmqtt_view data)
{
	struct kmqtt_relay_about about = {
		.session = kmqtt_view_str(c->x.session->name),
		.listener = c->listener->name,
	};
	char address[64];

	kmqtt_client_address(c, address, sizeof(address));
	about.address = address;
	return kmqtt_relay_ask(c->relay, KMQTT_AUTH_STEP_AGAIN, &about, data);
}

/* Before CONNACK nothing but AUTH and this may come (3.1.2-30). Return: as a packet op */
static int kmqtt_client_auth_other(struct kmqtt_client *c, const struct kmqtt_fixed *f)
{
	if (f->type != KMQTT_DISCONNECT)
		return KMQTT_RC_PROTOCOL_ERROR;
	c->x.conn.peer_reason = true;
	kmqtt_conn_finish(&c->x.conn);
	return 0;
}

int kmqtt_client_auth_packet(struct kmqtt_client *c, const struct kmqtt_fixed *f,
			     const u8 *body)
{
	bool live = c->state == KMQTT_CLIENT_LIVE;
	struct kmqtt_relay *r = c->relay;
	struct kmqtt_disconnect auth;
	struct kmqtt_view method;
	int ret;

	if (f->type != KMQTT_AUTH)
		return kmqtt_client_auth_other(c, f);
	ret = kmqtt_auth_decode(f, body, c->x.conn.version, &auth);
	if (ret)
		return ret;
	if (!r || !kmqtt_props_allowed(&auth.props, KMQTT_AUTH, false))
		return KMQTT_RC_PROTOCOL_ERROR;
	method = (struct kmqtt_view) { .data = r->method, .len = r->method_len };
	if (!kmqtt_props_has(&auth.props, KMQTT_PROP_AUTH_METHOD) ||
	    !kmqtt_view_equal(auth.props.auth_method, method))
		return KMQTT_RC_PROTOCOL_ERROR;
	if (auth.reason == KMQTT_RC_CONTINUE_AUTHENTICATION &&
	    kmqtt_relay_turn(r) == KMQTT_RELAY_CLIENT) {
		if (!live)
			kmqtt_conn_hold(&c->x.conn);
		ret = kmqtt_relay_ask(r, KMQTT_AUTH_STEP_CONTINUE, NULL,
				      kmqtt_client_auth_data(&auth.props));
	} else if (auth.reason == KMQTT_RC_REAUTHENTICATE && live &&
		   kmqtt_relay_turn(r) == KMQTT_RELAY_NONE) {
		ret = kmqtt_client_auth_again(c, kmqtt_client_auth_data(&auth.props));
	} else {
		return KMQTT_RC_PROTOCOL_ERROR;
	}
	if (ret)
		kmqtt_conn_fail(&c->x.conn, EACCES, ret);
	return 0;
}

int kmqtt_client_auth_answered(struct kmqtt_client *c)
{
	bool live = c->state == KMQTT_CLIENT_LIVE;
	struct kmqtt_relay *r = c->relay;
	u8 turn = KMQTT_RELAY_NONE;
	int ret = 0;

	switch (r->verdict) {
	case KMQTT_AUTH_VERDICT_CONTINUE:
		kmqtt_client_auth_put(c, KMQTT_RC_CONTINUE_AUTHENTICATION);
		turn = KMQTT_RELAY_CLIENT;
		break;
	case KMQTT_AUTH_VERDICT_SUCCESS:
		if (live)
			kmqtt_client_auth_put(c, KMQTT_RC_SUCCESS);
		else
			ret = kmqtt_client_admit(c, c->greeting);
		break;
	default:
		ret = r->reason;
	}
	kmqtt_relay_taken(r, turn);
	if (!ret && !live)
		kmqtt_conn_unhold(&c->x.conn);
	return ret;
}

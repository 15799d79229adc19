// SPDX-License-Identifier: GPL-2.0
/* The agent of libmosquitto, with its thread. */
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent.h"

static void check(struct agent_client *c, int rc, const char *what)
{
	if (rc != MOSQ_ERR_SUCCESS)
		agent_tell("error %s %s: %s\n", c->name, what, mosquitto_strerror(rc));
}

static void on_connect(struct mosquitto *m, void *ctx, int code, int flags,
		       const mosquitto_property *props)
{
	struct agent_client *c = ctx;
	char *id = NULL;

	(void)m;
	mosquitto_property_read_string(props, MQTT_PROP_ASSIGNED_CLIENT_IDENTIFIER, &id, false);
	agent_tell("connected %s code=%d present=%d id=%s\n", c->name, code, flags & 1, id ?: "");
	free(id);
}

static void on_disconnect(struct mosquitto *m, void *ctx, int code, const mosquitto_property *props)
{
	struct agent_client *c = ctx;

	(void)props;
	agent_tell("disconnected %s code=%d\n", c->name, code);
	/* its thread would connect again */
	if (code)
		mosquitto_disconnect(m);
}

static void on_publish(struct mosquitto *m, void *ctx, int mid, int code,
		       const mosquitto_property *props)
{
	struct agent_client *c = ctx;

	(void)m;
	(void)mid;
	(void)props;
	agent_tell("published %s code=%d\n", c->name, code);
}

static void on_subscribe(struct mosquitto *m, void *ctx, int mid, int count, const int *qos,
			 const mosquitto_property *props)
{
	struct agent_client *c = ctx;

	(void)m;
	(void)mid;
	(void)count;
	(void)props;
	agent_tell("subscribed %s code=%d\n", c->name, qos[0]);
}

static void on_unsubscribe(struct mosquitto *m, void *ctx, int mid, const mosquitto_property *props)
{
	struct agent_client *c = ctx;

	(void)m;
	(void)mid;
	(void)props;
	agent_tell("unsubscribed %s\n", c->name);
}

static void read_props(const mosquitto_property *props, struct agent_props *to)
{
	char *name = NULL, *value = NULL;
	uint16_t len;

	if (mosquitto_property_read_string(props, MQTT_PROP_CONTENT_TYPE, &value, false))
		agent_copy(to->content, value, strlen(value));
	free(value);
	value = NULL;
	if (mosquitto_property_read_string(props, MQTT_PROP_RESPONSE_TOPIC, &value, false))
		agent_copy(to->response, value, strlen(value));
	free(value);
	value = NULL;
	if (mosquitto_property_read_binary(props, MQTT_PROP_CORRELATION_DATA, (void **)&value, &len,
					   false))
		agent_copy(to->correlation, value, len);
	free(value);
	value = NULL;
	if (mosquitto_property_read_string_pair(props, MQTT_PROP_USER_PROPERTY, &name, &value,
						false))
		snprintf(to->user, sizeof(to->user), "%s:%s", name, value);
	free(name);
	free(value);
	mosquitto_property_read_int32(props, MQTT_PROP_MESSAGE_EXPIRY_INTERVAL, &to->expiry, false);
	mosquitto_property_read_varint(props, MQTT_PROP_SUBSCRIPTION_IDENTIFIER, &to->sub_id,
				       false);
}

static void on_message(struct mosquitto *m, void *ctx, const struct mosquitto_message *got,
		       const mosquitto_property *props)
{
	struct agent_message msg = {
		.topic = got->topic,
		.payload = got->payload,
		.len = got->payloadlen,
		.qos = got->qos,
		.retain = got->retain,
	};

	(void)m;
	read_props(props, &msg.props);
	agent_message(ctx, &msg);
}

static mosquitto_property *make_props(const struct agent_props *from)
{
	mosquitto_property *props = NULL;
	char name[AGENT_TEXT];
	const char *value;

	if (*from->content)
		mosquitto_property_add_string(&props, MQTT_PROP_CONTENT_TYPE, from->content);
	if (*from->response)
		mosquitto_property_add_string(&props, MQTT_PROP_RESPONSE_TOPIC, from->response);
	if (*from->correlation)
		mosquitto_property_add_binary(&props, MQTT_PROP_CORRELATION_DATA, from->correlation,
					      strlen(from->correlation));
	if (*from->user) {
		value = agent_pair(from->user, name);
		mosquitto_property_add_string_pair(&props, MQTT_PROP_USER_PROPERTY, name, value);
	}
	if (from->expiry)
		mosquitto_property_add_int32(&props, MQTT_PROP_MESSAGE_EXPIRY_INTERVAL,
					     from->expiry);
	return props;
}

static void do_connect(struct agent_client *c, const struct agent_connect *how)
{
	static const int versions[] = {
		[3] = MQTT_PROTOCOL_V31, [4] = MQTT_PROTOCOL_V311, [5] = MQTT_PROTOCOL_V5,
	};
	struct mosquitto *m = mosquitto_new(how->id, how->clean, c);
	const struct agent_message *will = &how->will;
	mosquitto_property *props = NULL;

	c->lib = m;
	mosquitto_int_option(m, MOSQ_OPT_PROTOCOL_VERSION, versions[how->version]);
	mosquitto_connect_v5_callback_set(m, on_connect);
	mosquitto_disconnect_v5_callback_set(m, on_disconnect);
	mosquitto_publish_v5_callback_set(m, on_publish);
	mosquitto_subscribe_v5_callback_set(m, on_subscribe);
	mosquitto_unsubscribe_v5_callback_set(m, on_unsubscribe);
	mosquitto_message_v5_callback_set(m, on_message);
	if (how->user)
		mosquitto_username_pw_set(m, how->user, how->password);
	if (will->topic)
		check(c, mosquitto_will_set_v5(m, will->topic, will->len, will->payload, will->qos,
					       will->retain, how->version == 5 ?
					       make_props(&will->props) : NULL), "will");
	if (how->expiry)
		mosquitto_property_add_int32(&props, MQTT_PROP_SESSION_EXPIRY_INTERVAL,
					     how->expiry);
	check(c, mosquitto_connect_bind_v5(m, "127.0.0.1", 1883, 60, NULL, props), "connect");
	mosquitto_property_free_all(&props);
	check(c, mosquitto_loop_start(m), "thread");
}

static void do_subscribe(struct agent_client *c, const char *filter, int qos, bool no_local,
			 unsigned int sub_id)
{
	mosquitto_property *props = NULL;

	if (sub_id)
		mosquitto_property_add_varint(&props, MQTT_PROP_SUBSCRIPTION_IDENTIFIER, sub_id);
	check(c, mosquitto_subscribe_v5(c->lib, NULL, filter, qos,
					no_local ? MQTT_SUB_OPT_NO_LOCAL : 0, props), "subscribe");
	mosquitto_property_free_all(&props);
}

static void do_unsubscribe(struct agent_client *c, const char *filter)
{
	check(c, mosquitto_unsubscribe(c->lib, NULL, filter), "unsubscribe");
}

static void do_publish(struct agent_client *c, const struct agent_message *msg)
{
	mosquitto_property *props = make_props(&msg->props);

	check(c, mosquitto_publish_v5(c->lib, NULL, msg->topic, msg->len, msg->payload, msg->qos,
				      msg->retain, props), "publish");
	mosquitto_property_free_all(&props);
}

static void do_disconnect(struct agent_client *c)
{
	mosquitto_disconnect(c->lib);
	mosquitto_loop_stop(c->lib, false);
	mosquitto_destroy(c->lib);
}

int main(void)
{
	static const struct agent_ops ops = {
		.connect = do_connect,
		.subscribe = do_subscribe,
		.unsubscribe = do_unsubscribe,
		.publish = do_publish,
		.disconnect = do_disconnect,
	};
	int major, minor, revision;

	mosquitto_lib_init();
	mosquitto_lib_version(&major, &minor, &revision);
	printf("version %d.%d.%d\n", major, minor, revision);
	return agent_run(&ops);
}

// SPDX-License-Identifier: GPL-2.0
/* The agent of Paho C, the library that tells later what became of it (MQTTAsync). */
#include <MQTTAsync.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent.h"
#include "paho_both.h"

static int on_message(void *ctx, char *topic, int len, MQTTAsync_message *got)
{
	struct agent_message msg = {
		.topic = topic,
		.payload = got->payload,
		.len = got->payloadlen,
		.qos = got->qos,
		.retain = got->retained,
	};

	(void)len;
	paho_props_read(&got->properties, &msg.props);
	agent_message(ctx, &msg);
	MQTTAsync_freeMessage(&got);
	MQTTAsync_free(topic);
	return 1;
}

/* Answers, of MQTT 5.0 and of those before. */

static void on_connected5(void *ctx, MQTTAsync_successData5 *got)
{
	struct agent_client *c = ctx;
	char id[AGENT_TEXT];

	paho_assigned_id(&got->properties, id);
	agent_tell("connected %s code=0 present=%d id=%s\n", c->name,
		   got->alt.connect.sessionPresent, id);
}

static void on_connected(void *ctx, MQTTAsync_successData *got)
{
	struct agent_client *c = ctx;

	agent_tell("connected %s code=0 present=%d id=\n", c->name,
		   got->alt.connect.sessionPresent);
}

static void on_refused5(void *ctx, MQTTAsync_failureData5 *got)
{
	struct agent_client *c = ctx;

	agent_tell("connected %s code=%d present=0 id=\n", c->name,
		   got->reasonCode ? (int)got->reasonCode : got->code);
}

static void on_refused(void *ctx, MQTTAsync_failureData *got)
{
	struct agent_client *c = ctx;

	agent_tell("connected %s code=%d present=0 id=\n", c->name, got->code);
}

static void on_subscribed5(void *ctx, MQTTAsync_successData5 *got)
{
	struct agent_client *c = ctx;

	agent_tell("subscribed %s code=%d\n", c->name, got->reasonCode);
}

static void on_subscribed(void *ctx, MQTTAsync_successData *got)
{
	struct agent_client *c = ctx;

	agent_tell("subscribed %s code=%d\n", c->name, got->alt.qos);
}

static void on_unsubscribed5(void *ctx, MQTTAsync_successData5 *got)
{
	struct agent_client *c = ctx;

	(void)got;
	agent_tell("unsubscribed %s\n", c->name);
}

static void on_unsubscribed(void *ctx, MQTTAsync_successData *got)
{
	struct agent_client *c = ctx;

	(void)got;
	agent_tell("unsubscribed %s\n", c->name);
}

static void on_published5(void *ctx, MQTTAsync_successData5 *got)
{
	struct agent_client *c = ctx;

	agent_tell("published %s code=%d\n", c->name, got->reasonCode);
}

static void on_published(void *ctx, MQTTAsync_successData *got)
{
	struct agent_client *c = ctx;

	(void)got;
	agent_tell("published %s code=0\n", c->name);
}

static void on_failed5(void *ctx, MQTTAsync_failureData5 *got)
{
	struct agent_client *c = ctx;

	agent_tell("error %s: %d, %d\n", c->name, got->reasonCode, got->code);
}

static void on_failed(void *ctx, MQTTAsync_failureData *got)
{
	struct agent_client *c = ctx;

	agent_tell("error %s: %d\n", c->name, got->code);
}

static MQTTAsync_responseOptions answer(struct agent_client *c, MQTTAsync_onSuccess5 *good5,
					MQTTAsync_onSuccess *good)
{
	MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;

	options.context = c;
	if (c->version == 5) {
		options.onSuccess5 = good5;
		options.onFailure5 = on_failed5;
	} else {
		options.onSuccess = good;
		options.onFailure = on_failed;
	}
	return options;
}

static void check(struct agent_client *c, int rc, const char *what)
{
	if (rc != MQTTASYNC_SUCCESS)
		agent_tell("error %s %s: %d\n", c->name, what, rc);
}

static void do_connect(struct agent_client *c, const struct agent_connect *how)
{
	static const int versions[] = {
		[3] = MQTTVERSION_3_1, [4] = MQTTVERSION_3_1_1, [5] = MQTTVERSION_5,
	};
	MQTTAsync_connectOptions old = MQTTAsync_connectOptions_initializer;
	MQTTAsync_connectOptions new = MQTTAsync_connectOptions_initializer5;
	MQTTAsync_connectOptions conn = how->version == 5 ? new : old;
	MQTTAsync_createOptions create = MQTTAsync_createOptions_initializer;
	MQTTAsync_willOptions will = MQTTAsync_willOptions_initializer;
	MQTTProperties props = MQTTProperties_initializer, will_props = MQTTProperties_initializer;

	create.MQTTVersion = how->version == 5 ? MQTTVERSION_5 : MQTTVERSION_DEFAULT;
	check(c, MQTTAsync_createWithOptions(&c->lib, "tcp://127.0.0.1:1883", how->id ?: "",
					     MQTTCLIENT_PERSISTENCE_NONE, NULL, &create), "create");
	MQTTAsync_setCallbacks(c->lib, c, paho_lost, on_message, NULL);
	MQTTAsync_setDisconnected(c->lib, c, paho_disconnected);
	conn.context = c;
	conn.MQTTVersion = versions[how->version];
	conn.username = how->user;
	conn.password = how->password;
	if (how->version == 5) {
		paho_number_add(&props, MQTTPROPERTY_CODE_SESSION_EXPIRY_INTERVAL, how->expiry);
		paho_props_make(&will_props, &how->will.props);
		conn.cleanstart = how->clean;
		conn.onSuccess5 = on_connected5;
		conn.onFailure5 = on_refused5;
		conn.connectProperties = &props;
	} else {
		conn.cleansession = how->clean;
		conn.onSuccess = on_connected;
		conn.onFailure = on_refused;
	}
	if (how->will.topic) {
		will.topicName = how->will.topic;
		will.payload.data = how->will.payload;
		will.payload.len = how->will.len;
		will.qos = how->will.qos;
		will.retained = how->will.retain;
		conn.will = &will;
		if (how->version == 5)
			conn.willProperties = &will_props;
	}
	check(c, MQTTAsync_connect(c->lib, &conn), "connect");
	MQTTProperties_free(&props);
	MQTTProperties_free(&will_props);
}

static void do_subscribe(struct agent_client *c, const char *filter, int qos, bool no_local,
			 unsigned int sub_id)
{
	MQTTAsync_responseOptions options = answer(c, on_subscribed5, on_subscribed);

	options.subscribeOptions.noLocal = no_local;
	paho_number_add(&options.properties, MQTTPROPERTY_CODE_SUBSCRIPTION_IDENTIFIER, sub_id);
	check(c, MQTTAsync_subscribe(c->lib, filter, qos, &options), "subscribe");
	MQTTProperties_free(&options.properties);
}

static void do_unsubscribe(struct agent_client *c, const char *filter)
{
	MQTTAsync_responseOptions options = answer(c, on_unsubscribed5, on_unsubscribed);

	check(c, MQTTAsync_unsubscribe(c->lib, filter, &options), "unsubscribe");
}

static void do_publish(struct agent_client *c, const struct agent_message *from)
{
	MQTTAsync_responseOptions options = answer(c, on_published5, on_published);
	MQTTAsync_message msg = MQTTAsync_message_initializer;

	msg.payload = (void *)from->payload;
	msg.payloadlen = from->len;
	msg.qos = from->qos;
	msg.retained = from->retain;
	if (c->version == 5)
		paho_props_make(&msg.properties, &from->props);
	check(c, MQTTAsync_sendMessage(c->lib, from->topic, &msg, &options), "publish");
	MQTTProperties_free(&msg.properties);
}

static void on_gone(void *ctx, MQTTAsync_successData *got)
{
	struct agent_client *c = ctx;

	(void)got;
	agent_tell("disconnected %s code=0\n", c->name);
}

static void on_gone5(void *ctx, MQTTAsync_successData5 *got)
{
	(void)got;
	on_gone(ctx, NULL);
}

/* It is not destroyed: it tells when it has ended, and only then could it be. */
static void do_disconnect(struct agent_client *c)
{
	MQTTAsync_disconnectOptions old = MQTTAsync_disconnectOptions_initializer;
	MQTTAsync_disconnectOptions new = MQTTAsync_disconnectOptions_initializer5;
	MQTTAsync_disconnectOptions options = c->version == 5 ? new : old;

	options.context = c;
	options.timeout = PAHO_WAIT_MS;
	if (c->version == 5)
		options.onSuccess5 = on_gone5;
	else
		options.onSuccess = on_gone;
	check(c, MQTTAsync_disconnect(c->lib, &options), "disconnect");
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
	const MQTTAsync_nameValue *info = MQTTAsync_getVersionInfo();

	printf("version %s\n", info[1].value);
	return agent_run(&ops);
}

// SPDX-License-Identifier: GPL-2.0
/* The agent of Paho C, the library that waits for what it does (MQTTClient). */
#include <MQTTClient.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent.h"
#include "paho_both.h"

static int on_message(void *ctx, char *topic, int len, MQTTClient_message *got)
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
	MQTTClient_freeMessage(&got);
	MQTTClient_free(topic);
	return 1;
}

/* What MQTTClient_connect() wants, in both of its ways. */
struct setup {
	MQTTClient_connectOptions conn;
	MQTTClient_willOptions will;
	MQTTProperties props;
	MQTTProperties will_props;
};

static void setup(struct setup *s, const struct agent_connect *how)
{
	static const MQTTClient_connectOptions old = MQTTClient_connectOptions_initializer;
	static const MQTTClient_connectOptions new = MQTTClient_connectOptions_initializer5;
	static const MQTTClient_willOptions will = MQTTClient_willOptions_initializer;
	static const int versions[] = {
		[3] = MQTTVERSION_3_1, [4] = MQTTVERSION_3_1_1, [5] = MQTTVERSION_5,
	};

	memset(s, 0, sizeof(*s));
	s->conn = how->version == 5 ? new : old;
	s->conn.MQTTVersion = versions[how->version];
	if (how->version == 5)
		s->conn.cleanstart = how->clean;
	else
		s->conn.cleansession = how->clean;
	s->conn.username = how->user;
	s->conn.password = how->password;
	s->will = will;
	s->will.topicName = how->will.topic;
	s->will.payload.data = how->will.payload;
	s->will.payload.len = how->will.len;
	s->will.qos = how->will.qos;
	s->will.retained = how->will.retain;
	if (how->will.topic)
		s->conn.will = &s->will;
	paho_number_add(&s->props, MQTTPROPERTY_CODE_SESSION_EXPIRY_INTERVAL, how->expiry);
	paho_props_make(&s->will_props, &how->will.props);
}

static void connect_v5(struct agent_client *c, struct setup *s)
{
	MQTTResponse got = MQTTClient_connect5(c->lib, &s->conn, &s->props,
					       s->conn.will ? &s->will_props : NULL);
	char id[AGENT_TEXT];

	paho_assigned_id(got.properties, id);
	/* whether the session was there is returned for 3.1.1 only */
	agent_tell("connected %s code=%d present=- id=%s\n", c->name, got.reasonCode, id);
	MQTTResponse_free(got);
}

static void do_connect(struct agent_client *c, const struct agent_connect *how)
{
	MQTTClient_createOptions options = MQTTClient_createOptions_initializer;
	struct setup s;
	int rc;

	options.MQTTVersion = how->version == 5 ? MQTTVERSION_5 : MQTTVERSION_DEFAULT;
	rc = MQTTClient_createWithOptions(&c->lib, "tcp://127.0.0.1:1883", how->id ?: "",
					  MQTTCLIENT_PERSISTENCE_NONE, NULL, &options);
	if (rc) {
		agent_tell("error %s create: %d\n", c->name, rc);
		return;
	}
	MQTTClient_setCallbacks(c->lib, c, paho_lost, on_message, NULL);
	MQTTClient_setDisconnected(c->lib, c, paho_disconnected);
	setup(&s, how);
	if (how->version == 5) {
		connect_v5(c, &s);
	} else {
		rc = MQTTClient_connect(c->lib, &s.conn);
		agent_tell("connected %s code=%d present=%d id=\n", c->name, rc,
			   s.conn.returned.sessionPresent);
	}
	MQTTProperties_free(&s.props);
	MQTTProperties_free(&s.will_props);
}

static void do_subscribe(struct agent_client *c, const char *filter, int qos, bool no_local,
			 unsigned int sub_id)
{
	MQTTSubscribe_options options = MQTTSubscribe_options_initializer;
	MQTTProperties props = MQTTProperties_initializer;
	MQTTResponse got;
	int rc;

	if (c->version < 5) {
		/* a code of its own for 0x80; the granted QoS is told in no other way */
		rc = MQTTClient_subscribe(c->lib, filter, qos);
		agent_tell("subscribed %s code=%d\n", c->name,
			   rc == MQTTCLIENT_SUCCESS ? qos : 128);
		return;
	}
	options.noLocal = no_local;
	paho_number_add(&props, MQTTPROPERTY_CODE_SUBSCRIPTION_IDENTIFIER, sub_id);
	got = MQTTClient_subscribe5(c->lib, filter, qos, &options, &props);
	agent_tell("subscribed %s code=%d\n", c->name, got.reasonCode);
	MQTTResponse_free(got);
	MQTTProperties_free(&props);
}

static void do_unsubscribe(struct agent_client *c, const char *filter)
{
	if (c->version < 5)
		MQTTClient_unsubscribe(c->lib, filter);
	else
		MQTTResponse_free(MQTTClient_unsubscribe5(c->lib, filter, NULL));
	agent_tell("unsubscribed %s\n", c->name);
}

static void do_publish(struct agent_client *c, const struct agent_message *from)
{
	MQTTClient_message msg = MQTTClient_message_initializer;
	MQTTClient_deliveryToken token = 0;
	MQTTResponse got;
	int rc;

	msg.payload = (void *)from->payload;
	msg.payloadlen = from->len;
	msg.qos = from->qos;
	msg.retained = from->retain;
	if (c->version == 5) {
		paho_props_make(&msg.properties, &from->props);
		got = MQTTClient_publishMessage5(c->lib, from->topic, &msg, &token);
		rc = got.reasonCode;
		MQTTResponse_free(got);
		MQTTProperties_free(&msg.properties);
	} else {
		rc = MQTTClient_publishMessage(c->lib, from->topic, &msg, &token);
	}
	if (!rc && from->qos)
		rc = MQTTClient_waitForCompletion(c->lib, token, PAHO_WAIT_MS);
	agent_tell("published %s code=%d\n", c->name, rc);
}

static void do_disconnect(struct agent_client *c)
{
	if (c->version == 5)
		MQTTClient_disconnect5(c->lib, PAHO_WAIT_MS,
				       MQTTREASONCODE_NORMAL_DISCONNECTION, NULL);
	else
		MQTTClient_disconnect(c->lib, PAHO_WAIT_MS);
	agent_tell("disconnected %s code=0\n", c->name);
	MQTTClient_destroy(&c->lib);
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
	const MQTTClient_nameValue *info = MQTTClient_getVersionInfo();

	printf("version %s\n", info[1].value);
	return agent_run(&ops);
}

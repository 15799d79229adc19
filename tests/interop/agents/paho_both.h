/* SPDX-License-Identifier: GPL-2.0 */
/* What the agents of Paho's two libraries have in common: properties, the end of a connection. */
#ifndef PAHO_BOTH_H
#define PAHO_BOTH_H

#include <MQTTProperties.h>
#include <stdio.h>
#include <string.h>

#include "agent.h"

#define PAHO_WAIT_MS	30000

/* It is gone, whatever the reason. */
static inline void paho_lost(void *ctx, char *cause)
{
	struct agent_client *c = ctx;

	(void)cause;
	agent_tell("disconnected %s code=1\n", c->name);
}

/* The broker has said that it ends the connection. */
static inline void paho_disconnected(void *ctx, MQTTProperties *props, enum MQTTReasonCodes code)
{
	struct agent_client *c = ctx;

	(void)props;
	agent_tell("disconnected %s code=%d\n", c->name, code);
}

static inline MQTTLenString paho_string(const char *text)
{
	return (MQTTLenString){ .len = strlen(text), .data = (char *)text };
}

static inline void paho_text_add(MQTTProperties *props, enum MQTTPropertyCodes id, const char *text)
{
	MQTTProperty prop = { .identifier = id };

	prop.value.data = paho_string(text);
	if (*text)
		MQTTProperties_add(props, &prop);
}

static inline void paho_number_add(MQTTProperties *props, enum MQTTPropertyCodes id,
				   unsigned int number)
{
	MQTTProperty prop = { .identifier = id };

	prop.value.integer4 = number;
	if (number)
		MQTTProperties_add(props, &prop);
}

/* Into @props, which is empty. */
static inline void paho_props_make(MQTTProperties *props, const struct agent_props *from)
{
	MQTTProperty user = { .identifier = MQTTPROPERTY_CODE_USER_PROPERTY };
	char name[AGENT_TEXT];

	paho_text_add(props, MQTTPROPERTY_CODE_CONTENT_TYPE, from->content);
	paho_text_add(props, MQTTPROPERTY_CODE_RESPONSE_TOPIC, from->response);
	paho_text_add(props, MQTTPROPERTY_CODE_CORRELATION_DATA, from->correlation);
	paho_number_add(props, MQTTPROPERTY_CODE_MESSAGE_EXPIRY_INTERVAL, from->expiry);
	if (*from->user) {
		user.value.value = paho_string(agent_pair(from->user, name));
		user.value.data = paho_string(name);
		MQTTProperties_add(props, &user);
	}
}

static inline void paho_text_read(MQTTProperties *props, enum MQTTPropertyCodes id, char *to)
{
	MQTTProperty *prop = MQTTProperties_getProperty(props, id);

	if (prop)
		agent_copy(to, prop->value.data.data, prop->value.data.len);
}

static inline void paho_props_read(MQTTProperties *props, struct agent_props *to)
{
	MQTTProperty *user = MQTTProperties_getProperty(props, MQTTPROPERTY_CODE_USER_PROPERTY);
	long long number;

	paho_text_read(props, MQTTPROPERTY_CODE_CONTENT_TYPE, to->content);
	paho_text_read(props, MQTTPROPERTY_CODE_RESPONSE_TOPIC, to->response);
	paho_text_read(props, MQTTPROPERTY_CODE_CORRELATION_DATA, to->correlation);
	if (user)
		snprintf(to->user, sizeof(to->user), "%.*s:%.*s", user->value.data.len,
			 user->value.data.data, user->value.value.len, user->value.value.data);
	number = MQTTProperties_getNumericValue(props, MQTTPROPERTY_CODE_MESSAGE_EXPIRY_INTERVAL);
	if (number > 0)
		to->expiry = number;
	number = MQTTProperties_getNumericValue(props, MQTTPROPERTY_CODE_SUBSCRIPTION_IDENTIFIER);
	if (number > 0)
		to->sub_id = number;
}

static inline void paho_assigned_id(MQTTProperties *props, char *to)
{
	*to = 0;
	if (props)
		paho_text_read(props, MQTTPROPERTY_CODE_ASSIGNED_CLIENT_IDENTIFER, to);
}

#endif

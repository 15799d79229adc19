// SPDX-License-Identifier: GPL-2.0
/* Option -D: MQTT 5.0 properties by name. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "options.h"
#include "topic.h"

/* Commands that can have properties; the first ones of them can be given. */
enum command {
	CMD_CONNECT,
	CMD_PUBLISH,
	CMD_SUBSCRIBE,
	CMD_UNSUBSCRIBE,
	CMD_DISCONNECT,
	CMD_WILL,
	CMD_SETTABLE,
	CMD_AUTH = CMD_SETTABLE,
	CMD_OTHER,
};

static const struct {
	const char *name;
	enum command command;
} commands[] = {
	{ "connect", CMD_CONNECT },	{ "publish", CMD_PUBLISH },
	{ "subscribe", CMD_SUBSCRIBE },	{ "unsubscribe", CMD_UNSUBSCRIBE },
	{ "disconnect", CMD_DISCONNECT }, { "will", CMD_WILL },
	{ "auth", CMD_AUTH },		{ "connack", CMD_OTHER },
	{ "puback", CMD_OTHER },	{ "pubrec", CMD_OTHER },
	{ "pubrel", CMD_OTHER },	{ "pubcomp", CMD_OTHER },
	{ "suback", CMD_OTHER },	{ "unsuback", CMD_OTHER },
};

static const char * const command_texts[CMD_SETTABLE] = {
	"CONNECT", "PUBLISH", "SUBSCRIBE", "UNSUBSCRIBE", "DISCONNECT", "Will",
};

/* numbered as in libmosquitto, whose messages show the number */
enum type {
	TYPE_BYTE = 1,
	TYPE_INT16,
	TYPE_INT32,
	TYPE_VARINT,
	TYPE_BINARY,
	TYPE_STRING,
	TYPE_PAIR,
};

#define C(cmd)	(1U << CMD_##cmd)
#define ALL	(C(CONNECT) | C(PUBLISH) | C(SUBSCRIBE) | C(UNSUBSCRIBE) | \
		 C(DISCONNECT) | C(WILL) | C(AUTH) | C(OTHER))

/**
 * struct property - a property by name (MQTT 5.0, 2.2.2.2)
 * @name:	its name
 * @id:		its identifier
 * @type:	type of its value
 * @commands:	where it may be
 * @max:	largest value of a number
 */
struct property {
	const char *name;
	unsigned char id;
	enum type type;
	unsigned int commands;
	uint32_t max;
};

#define ID_SESSION_EXPIRY	0x11
#define ID_EXPIRY		0x02

static const struct property properties[] = {
	{ "payload-format-indicator", 0x01, TYPE_BYTE, C(PUBLISH) | C(WILL), 1 },
	{ "message-expiry-interval", ID_EXPIRY, TYPE_INT32,
	  C(PUBLISH) | C(WILL), UINT32_MAX },
	{ "content-type", 0x03, TYPE_STRING, C(PUBLISH) | C(WILL), 0 },
	{ "response-topic", 0x08, TYPE_STRING, C(PUBLISH) | C(WILL), 0 },
	{ "correlation-data", 0x09, TYPE_BINARY, C(PUBLISH) | C(WILL), 0 },
	{ "subscription-identifier", 0x0b, TYPE_VARINT,
	  C(PUBLISH) | C(SUBSCRIBE), 268435455 },
	{ "session-expiry-interval", ID_SESSION_EXPIRY, TYPE_INT32,
	  C(CONNECT) | C(OTHER) | C(DISCONNECT), UINT32_MAX },
	{ "assigned-client-identifier", 0x12, TYPE_STRING, C(OTHER), 0 },
	{ "server-keep-alive", 0x13, TYPE_INT16, C(OTHER), UINT16_MAX },
	{ "authentication-method", 0x15, TYPE_STRING,
	  C(CONNECT) | C(OTHER) | C(AUTH), 0 },
	{ "authentication-data", 0x16, TYPE_BINARY,
	  C(CONNECT) | C(OTHER) | C(AUTH), 0 },
	{ "request-problem-information", 0x17, TYPE_BYTE, C(CONNECT), 1 },
	{ "will-delay-interval", 0x18, TYPE_INT32, C(WILL), UINT32_MAX },
	{ "request-response-information", 0x19, TYPE_BYTE, C(CONNECT), 1 },
	{ "response-information", 0x1a, TYPE_STRING, C(OTHER), 0 },
	{ "server-reference", 0x1c, TYPE_STRING, C(DISCONNECT) | C(OTHER), 0 },
	{ "reason-string", 0x1f, TYPE_STRING,
	  C(DISCONNECT) | C(AUTH) | C(OTHER), 0 },
	{ "receive-maximum", 0x21, TYPE_INT16, C(CONNECT) | C(OTHER),
	  UINT16_MAX },
	{ "topic-alias-maximum", 0x22, TYPE_INT16, C(CONNECT) | C(OTHER),
	  UINT16_MAX },
	{ "topic-alias", 0x23, TYPE_INT16, C(PUBLISH), UINT16_MAX },
	{ "maximum-qos", 0x24, TYPE_BYTE, C(OTHER), 1 },
	{ "retain-available", 0x25, TYPE_BYTE, C(OTHER), 1 },
	{ "user-property", 0x26, TYPE_PAIR, ALL, 0 },
	{ "maximum-packet-size", 0x27, TYPE_INT32, C(CONNECT) | C(OTHER),
	  UINT32_MAX },
	{ "wildcard-subscription-available", 0x28, TYPE_BYTE, C(OTHER), 1 },
	{ "subscription-identifier-available", 0x29, TYPE_BYTE, C(OTHER), 1 },
	{ "shared-subscription-available", 0x2a, TYPE_BYTE, C(OTHER), 1 },
};

/* A number in its range: 0, or -1 after telling why not. */
static int parse_number(const struct property *prop, const char *value,
			uint32_t *number)
{
	static const int64_t limits[] = {
		[TYPE_BYTE] = UINT8_MAX,
		[TYPE_INT16] = UINT16_MAX,
		[TYPE_INT32] = UINT32_MAX,
		[TYPE_VARINT] = UINT32_MAX,
	};
	long long n;
	char *end;

	errno = 0;
	n = strtoll(value, &end, 0);
	if (end == value || *end) {
		fprintf(stderr, "Error: Property value '%s' not a number.\n\n",
			value);
		return -1;
	}
	if (errno || n < 0 || n > limits[prop->type]) {
		fprintf(stderr, "Error: Property value (%lld) out of range for property %s.\n\n",
			n, prop->name);
		return -1;
	}
	*number = n;
	return 0;
}

static int add_failed(const struct property *prop)
{
	fprintf(stderr, "Error adding property %s %d\n", prop->name,
		prop->type);
	return -1;
}

/* The property in what is published. */
static int publish_add(struct options *o, const struct property *prop,
		       const char *value, uint32_t number)
{
	switch (prop->id) {
	case KMQTT_PROP_PAYLOAD_FORMAT:
		return kmqtt_props_format(o->props, number);
	case ID_EXPIRY:
		kmqtt_props_expiry(o->props, number);
		return 0;
	case KMQTT_PROP_CONTENT_TYPE:
	case KMQTT_PROP_RESPONSE_TOPIC:
	case KMQTT_PROP_CORRELATION_DATA:
		return kmqtt_props_string(o->props, prop->id, value,
					  strlen(value));
	default:
		/* A topic alias saves bytes on a connection; here is none. */
		return strings_add(&o->no_effect, "-D publish topic-alias");
	}
}

/* One property of one command, checked: 0, or -1 after telling why not. */
static int property_add(struct options *o, enum command command,
			const struct property *prop, const char *name,
			const char *value)
{
	uint32_t number = 0;

	if (prop->type <= TYPE_VARINT) {
		if (parse_number(prop, value, &number) < 0)
			return -1;
	} else if (strlen(value) > UINT16_MAX) {
		fprintf(stderr, "Error: Property value too long for property %s.\n\n",
			prop->name);
		return -1;
	} else if (prop->type != TYPE_BINARY &&
		   (!utf8_valid(value, strlen(value)) ||
		    !utf8_valid(name, strlen(name)) ||
		    strlen(name) > UINT16_MAX)) {
		return add_failed(prop);
	}
	if (prop->type == TYPE_PAIR) {
		if (command == CMD_PUBLISH &&
		    kmqtt_props_user(o->props, name, value) < 0)
			return add_failed(prop);
		return 0;
	}
	if (o->seen[command] & UINT64_C(1) << prop->id) {
		fprintf(stderr, "Error in %s properties: Duplicate property in property list\n",
			command_texts[command]);
		return -1;
	}
	o->seen[command] |= UINT64_C(1) << prop->id;
	if (prop->type <= TYPE_VARINT &&
	    (number > prop->max ||
	     (!number && (prop->id == 0x0b || prop->id == 0x21 ||
			  prop->id == 0x23 || prop->id == 0x27)))) {
		fprintf(stderr, "Error in %s properties: A network protocol error occurred when communicating with the broker.\n",
			command_texts[command]);
		return -1;
	}
	if (command == CMD_PUBLISH)
		return publish_add(o, prop, value, number) < 0 ?
		       add_failed(prop) : 0;
	if (command == CMD_SUBSCRIBE)
		o->sub_id = number;
	else if (command == CMD_CONNECT && prop->id == ID_SESSION_EXPIRY)
		o->expiry = number;
	return 0;
}

static const struct property *property_find(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(properties) / sizeof(properties[0]); i++)
		if (!strcmp(properties[i].name, name))
			return &properties[i];
	return NULL;
}

static int command_find(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcasecmp(commands[i].name, name))
			return commands[i].command;
	return -1;
}

int property_parse(struct options *o, int argc, char **argv, int *i)
{
	const struct property *prop;
	const char *name = "", *value;
	int left = argc - *i, command;

	if (left < 3) {
		fprintf(stderr, "Error: --property argument given but not enough arguments specified.\n\n");
		return -1;
	}
	command = command_find(argv[*i]);
	if (command < 0) {
		fprintf(stderr, "Error: Invalid command given in --property argument.\n\n");
		return -1;
	}
	prop = property_find(argv[*i + 1]);
	if (!prop) {
		fprintf(stderr, "Error: Invalid property name given in --property argument.\n\n");
		return -1;
	}
	if (!(prop->commands & 1U << command)) {
		fprintf(stderr, "Error: %s property not allowed for %s in --property argument.\n\n",
			prop->name, argv[*i]);
		return -1;
	}
	value = argv[*i + 2];
	if (prop->type == TYPE_PAIR) {
		if (left < 4) {
			fprintf(stderr, "Error: --property argument given but not enough arguments specified.\n\n");
			return -1;
		}
		name = value;
		value = argv[*i + 3];
	}
	if (command >= CMD_SETTABLE ||
	    (command == CMD_PUBLISH && prop->id == KMQTT_PROP_SUBSCRIPTION_ID)) {
		fprintf(stderr, "Error: %s property not supported for %s in --property argument.\n\n",
			prop->name, argv[*i]);
		return -1;
	}
	*i += prop->type == TYPE_PAIR ? 3 : 2;
	return property_add(o, command, prop, name, value);
}

// SPDX-License-Identifier: GPL-2.0
/* kmqtt session: the peers on the switch. */
#include <ctype.h>
#include <linux/kmqtt_netlink.h>
#include <stdio.h>
#include <string.h>

#include "fields.h"
#include "nl.h"
#include "objects.h"
#include "out.h"

#define A(name)	KMQTT_A_SESSION_##name

static const char usage[] =
	"Usage: kmqtt session { show | kill }\n"
	"  kmqtt session show [ CLIENT-ID | number N ]\n"
	"  kmqtt session kill { CLIENT-ID | number N } [ reason CODE ]\n"
	"A client identifier of more than 65530 bytes is cut off; its session has a\n"
	"number too. CODE is an MQTT 5.0 reason code, 128 to 255; 152, administrative action, if\n"
	"it is not given.\n";

static const struct field fields[] = {
	FIELD(A(KIND), CHOICE, 0, false, "kind", NULL,
	      .words = &words_session_type),
	FIELD(A(NUMBER), UINT, 0, false, "number", "number"),
	FIELD(A(ATTACHED), FLAG, 0, false, "attached", "attached"),
	FIELD(A(ONLINE), FLAG, 0, false, "online", "online"),
	FIELD(A(UID), UINT, 0, false, "uid", "uid"),
	FIELD(A(USER), STRING, 0, false, "user", "user"),
	FIELD(A(AGE), SECONDS, 0, false, "age", "age"),
	FIELD(A(PEER), STRING, 1, false, "peer", "peer"),
	FIELD(A(LISTENER), STRING, 1, false, "listener", "listener"),
	FIELD(A(VERSION), CHOICE, 1, false, "version", "version",
	      .words = &words_version),
	FIELD(A(KEEPALIVE), SECONDS, 1, false, "keepalive", "keepalive"),
	FIELD(A(EXPIRY), NEVER, 2, false, "expiry", "expiry"),
	FIELD(A(EXPIRES_IN), SECONDS, 2, false, "expires_in", "expires-in"),
	FIELD(A(ACK_MODE), CHOICE, 2, false, "ack", "ack",
	      .words = &words_ack_type),
	FIELD(A(POLICY), CHOICE, 2, false, "policy", "policy",
	      .words = &words_policy),
	FIELD(A(SUBSCRIPTIONS), UINT, 2, false, "subscriptions",
	      "subscriptions"),
	FIELD(A(QUEUED_MESSAGES), UINT, 3, false, "queued_messages", "queued"),
	FIELD(A(QUEUED_BYTES), UINT, 3, false, "queued_bytes", "bytes"),
	FIELD(A(INFLIGHT_MESSAGES), UINT, 3, false, "inflight_messages",
	      "inflight"),
	FIELD(A(DROPPED_MESSAGES), COUNT, 3, false, "dropped_messages",
	      "dropped"),
	FIELD(A(EXPIRED_MESSAGES), COUNT, 3, false, "expired_messages",
	      "expired"),
	FIELD(A(MAX_QUEUED_MESSAGES), DEFAULT, 4, true, "max_queued_messages",
	      "max-queued"),
	FIELD(A(MAX_QUEUED_BYTES), DEFAULT, 4, true, "max_queued_bytes",
	      "max-bytes"),
	FIELD(A(MAX_INFLIGHT), UINT, 4, true, "max_inflight", "max-inflight"),
	FIELD(A(PUBLISHED_MESSAGES), UINT, 5, true, "published_messages",
	      "published"),
	FIELD(A(PUBLISHED_BYTES), UINT, 5, true, "published_bytes", "bytes"),
	FIELD(A(DELIVERED_MESSAGES), UINT, 5, true, "delivered_messages",
	      "delivered"),
	FIELD(A(DELIVERED_BYTES), UINT, 5, true, "delivered_bytes", "bytes"),
	FIELD(A(PACKETS_RECEIVED), UINT, 6, true, "packets_received",
	      "received packets"),
	FIELD(A(BYTES_RECEIVED), UINT, 6, true, "bytes_received", "bytes"),
	FIELD(A(PACKETS_SENT), UINT, 6, true, "packets_sent", "sent packets"),
	FIELD(A(BYTES_SENT), UINT, 6, true, "bytes_sent", "bytes"),
};

static const struct field name_field =
	FIELD(A(NAME), STRING, 0, false, "name", NULL);

static int session_print(const struct nlmsghdr *nlh, void *ctx)
{
	const struct nlattr *tb[NL_ATTR_MAX];

	(void)ctx;
	nl_parse(nlh, tb);
	out_object_begin(NULL);
	out_line(0);
	if (tb[A(NAME)])
		field_show(tb[A(NAME)], &name_field);
	fields_show(tb, fields, ARRAY_SIZE(fields));
	out_object_end();
	return STATUS_OK;
}

int put_session(struct args *args, struct nlmsghdr *nlh, uint16_t name_attr,
		uint16_t number_attr)
{
	const char *word = args_need(args, "CLIENT-ID");
	uint64_t number;

	if (!word)
		return STATUS_USAGE;
	nl_mark(nlh, "CLIENT-ID");
	/* a client may be called so; it is no keyword without a number behind it */
	if (strcmp(word, "number") || !args->count || !isdigit(*args->words[0]))
		return nl_put_str(nlh, name_attr, word);
	if (number_parse(args_next(args), 1, UINT64_MAX, word, &number))
		return STATUS_USAGE;
	return nl_put_u64(nlh, number_attr, number);
}

static int session_show(struct args *args)
{
	struct nlmsghdr *nlh = nl_request(KMQTT_CMD_SESSION_GET);
	bool all = !args->count;

	if (!all && put_session(args, nlh, A(NAME), A(NUMBER)))
		return STATUS_USAGE;
	if (args_end(args))
		return STATUS_USAGE;
	return list_show(nlh, all, session_print, NULL);
}

static int session_kill(struct args *args)
{
	static const struct param params[] = {
		PARAM("reason", A(REASON), U8, .min = 128),
	};
	struct nlmsghdr *nlh = nl_request(KMQTT_CMD_SESSION_DEL);

	if (put_session(args, nlh, A(NAME), A(NUMBER)) ||
	    params_parse(args, params, ARRAY_SIZE(params), nlh))
		return STATUS_USAGE;
	return nl_do(nlh, NULL, NULL);
}

int session_main(struct args *args)
{
	static const struct command commands[] = {
		{ "show", session_show },
		{ "kill", session_kill },
	};

	return command_run(args, commands, ARRAY_SIZE(commands), usage);
}

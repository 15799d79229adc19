// SPDX-License-Identifier: GPL-2.0
/* kmqtt uplink topic: what goes over an uplink. */
#include <linux/kmqtt_netlink.h>
#include <stdio.h>

#include "fields.h"
#include "nl.h"
#include "objects.h"
#include "out.h"

#define A(name)	KMQTT_A_UPLINK_TOPIC_##name

static const char usage[] =
	"Usage: kmqtt uplink topic { add | del | show }\n"
	"  kmqtt uplink topic add NAME FILTER { in | out | both | demand } [ qos Q ]\n"
	"                         [ local PREFIX ] [ remote PREFIX ]\n"
	"  kmqtt uplink topic del NAME FILTER [ in | out | both | demand ]\n"
	"                         [ local PREFIX ] [ remote PREFIX ]\n"
	"  kmqtt uplink topic show [NAME]\n"
	"in: from the broker to the switch; out: from the switch to the broker; demand:\n"
	"as in, for as long as someone subscribes to something below FILTER. A topic has\n"
	"the prefix \"local\" on the switch and the prefix \"remote\" at the broker.\n"
	"FILTER may be \"\" where the prefixes are the whole topic. QoS is 0 if it is not\n"
	"given.\n";

static const struct field uplink_field =
	FIELD(A(UPLINK), STRING, 0, false, "uplink", NULL);

static const struct field fields[] = {
	FIELD(A(FILTER), STRING, 0, false, "filter", NULL),
	FIELD(A(DIRECTION), CHOICE, 0, false, "direction", NULL,
	      .words = &words_direction),
	FIELD(A(QOS), UINT, 0, false, "qos", "qos"),
	FIELD(A(LOCAL_PREFIX), STRING, 0, false, "local", "local"),
	FIELD(A(REMOTE_PREFIX), STRING, 0, false, "remote", "remote"),
};

/* @ctx points to a bool: whether it is part of `uplink show`. */
static int topic_print(const struct nlmsghdr *nlh, void *ctx)
{
	const struct nlattr *tb[NL_ATTR_MAX];
	const bool *nested = ctx;

	nl_parse(nlh, tb);
	out_object_begin(NULL);
	out_line(*nested ? 4 : 0);
	if (*nested)
		out_word("topic");
	else if (tb[A(UPLINK)])
		field_show(tb[A(UPLINK)], &uplink_field);
	/* an empty filter is a value here */
	if (tb[A(FILTER)] && !*mnl_attr_get_str(tb[A(FILTER)]))
		out_word("\"\"");
	fields_show(tb, fields, ARRAY_SIZE(fields));
	out_object_end();
	return STATUS_OK;
}

int uplink_topics_print(const char *uplink)
{
	struct nlmsghdr *nlh = nl_request(KMQTT_CMD_UPLINK_TOPIC_GET);
	struct nl_replies replies;
	bool nested = true;
	int ret;

	if (nl_put_str(nlh, A(UPLINK), uplink))
		return STATUS_USAGE;
	ret = nl_ask(nlh, true, &replies);
	if (ret)
		return ret;
	out_array_begin("topics");
	ret = nl_use(&replies, topic_print, &nested);
	out_array_end();
	return ret;
}

static int topic_show(struct args *args)
{
	const char *uplink = args_next(args);
	bool nested = false;
	struct nlmsghdr *nlh;

	if (args_end(args))
		return STATUS_USAGE;
	nlh = nl_request(KMQTT_CMD_UPLINK_TOPIC_GET);
	if (uplink && nl_put_str(nlh, A(UPLINK), uplink))
		return STATUS_USAGE;
	return list_show(nlh, true, topic_print, &nested);
}

/* A request with NAME and FILTER, or NULL (reported). */
static struct nlmsghdr *topic_request(struct args *args, uint8_t cmd)
{
	struct nlmsghdr *nlh = nl_request(cmd);
	const char *uplink, *filter;

	uplink = args_need(args, "NAME");
	filter = uplink ? args_need(args, "FILTER") : NULL;
	if (!filter)
		return NULL;
	nl_mark(nlh, "NAME");
	if (nl_put_str(nlh, A(UPLINK), uplink))
		return NULL;
	nl_mark(nlh, "FILTER");
	return nl_put_str(nlh, A(FILTER), filter) ? NULL : nlh;
}

static int put_direction(struct args *args, struct nlmsghdr *nlh)
{
	unsigned int direction;

	if (choice_parse(args_next(args), &words_direction, "direction",
			 &direction))
		return STATUS_USAGE;
	nl_mark(nlh, "direction");
	return nl_put_u32(nlh, A(DIRECTION), direction);
}

static int topic_add(struct args *args)
{
	static const struct param params[] = {
		PARAM("qos", A(QOS), U8, .max = 2),
		PARAM("local", A(LOCAL_PREFIX), STRING),
		PARAM("remote", A(REMOTE_PREFIX), STRING),
	};
	struct nlmsghdr *nlh = topic_request(args, KMQTT_CMD_UPLINK_TOPIC_NEW);

	if (!nlh)
		return STATUS_USAGE;
	if (!args->count)
		return usage_error("in, out, both or demand is needed");
	if (put_direction(args, nlh) ||
	    params_parse(args, params, ARRAY_SIZE(params), nlh))
		return STATUS_USAGE;
	return nl_do(nlh, NULL, NULL);
}

static int topic_del(struct args *args)
{
	static const struct param params[] = {
		PARAM("local", A(LOCAL_PREFIX), STRING),
		PARAM("remote", A(REMOTE_PREFIX), STRING),
	};
	struct nlmsghdr *nlh = topic_request(args, KMQTT_CMD_UPLINK_TOPIC_DEL);

	if (!nlh)
		return STATUS_USAGE;
	/* a direction may be left out, and is no keyword */
	if (args->count && args->words[0][0] != 'l' &&
	    args->words[0][0] != 'r' && put_direction(args, nlh))
		return STATUS_USAGE;
	if (params_parse(args, params, ARRAY_SIZE(params), nlh))
		return STATUS_USAGE;
	return nl_do(nlh, NULL, NULL);
}

int uplink_topic_main(struct args *args)
{
	static const struct command commands[] = {
		{ "show", topic_show },
		{ "add", topic_add },
		{ "del", topic_del },
	};

	return command_run(args, commands, ARRAY_SIZE(commands), usage);
}

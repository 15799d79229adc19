// SPDX-License-Identifier: GPL-2.0
/* kmqtt subscription: who has subscribed to what. */
#include <linux/kmqtt_netlink.h>
#include <stdio.h>

#include "fields.h"
#include "nl.h"
#include "objects.h"
#include "out.h"

#define A(name)	KMQTT_A_SUBSCRIPTION_##name

static const char usage[] =
	"Usage: kmqtt subscription show [ CLIENT-ID | number N ]\n";

static const struct field fields[] = {
	FIELD(A(SESSION), STRING, 0, false, "session", NULL),
	FIELD(A(NUMBER), UINT, 0, true, "number", "number"),
	FIELD(A(FILTER), STRING, 0, false, "filter", NULL),
	FIELD(A(QOS), UINT, 0, false, "qos", "qos"),
	FIELD(A(NO_LOCAL), FLAG, 0, false, "no_local", "no-local"),
	FIELD(A(RETAIN_AS_PUBLISHED), FLAG, 0, false, "retain_as_published",
	      "retain-as-published"),
	FIELD(A(RETAIN_HANDLING), CHOICE, 0, false, "retain_handling",
	      "retain-handling", .words = &words_retain_handling),
	FIELD(A(ID), COUNT, 0, false, "id", "id"),
};

static int subscription_print(const struct nlmsghdr *nlh, void *ctx)
{
	const struct nlattr *tb[NL_ATTR_MAX];

	(void)ctx;
	nl_parse(nlh, tb);
	out_object_begin(NULL);
	out_line(0);
	fields_show(tb, fields, ARRAY_SIZE(fields));
	out_object_end();
	return STATUS_OK;
}

static int subscription_show(struct args *args)
{
	struct nlmsghdr *nlh = nl_request(KMQTT_CMD_SUBSCRIPTION_GET);

	if (args->count && put_session(args, nlh, A(SESSION), A(NUMBER)))
		return STATUS_USAGE;
	if (args_end(args))
		return STATUS_USAGE;
	return list_show(nlh, true, subscription_print, NULL);
}

int subscription_main(struct args *args)
{
	static const struct command commands[] = {
		{ "show", subscription_show },
	};

	return command_run(args, commands, ARRAY_SIZE(commands), usage);
}

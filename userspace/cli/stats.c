// SPDX-License-Identifier: GPL-2.0
/* kmqtt stats: the counters of the switch. */
#include <linux/kmqtt_netlink.h>
#include <stdio.h>

#include "fields.h"
#include "nl.h"
#include "objects.h"
#include "out.h"

static const char usage[] =
	"Usage: kmqtt stats [ show ]\n"
	"Counters of the switch since it was made; \"kmqtt top\" shows them live.\n";

#define A(name)	KMQTT_A_STATS_##name

const char *const stats_keys[STATS_KEYS] = {
	[A(MESSAGES_PUBLISHED)] = "messages_published",
	[A(BYTES_PUBLISHED)] = "bytes_published",
	[A(MESSAGES_DELIVERED)] = "messages_delivered",
	[A(BYTES_DELIVERED)] = "bytes_delivered",
	[A(MESSAGES_QUEUED)] = "messages_queued",
	[A(MESSAGES_DROPPED)] = "messages_dropped",
	[A(MESSAGES_EXPIRED)] = "messages_expired",
	[A(MESSAGES_UNMATCHED)] = "messages_unmatched",
	[A(MESSAGES_DENIED)] = "messages_denied",
	[A(PACKETS_RECEIVED)] = "packets_received",
	[A(PACKETS_SENT)] = "packets_sent",
	[A(BYTES_RECEIVED)] = "bytes_received",
	[A(BYTES_SENT)] = "bytes_sent",
	[A(CONNECTS)] = "connects",
	[A(DISCONNECTS)] = "disconnects",
	[A(MALFORMED)] = "malformed",
	[A(ECHOES_SUPPRESSED)] = "echoes_suppressed",
	[A(SOCKETS)] = "sockets",
	[A(SESSIONS_EXPIRED)] = "sessions_expired",
};

static int stats_print(const struct nlmsghdr *nlh, void *ctx)
{
	const struct nlattr *tb[NL_ATTR_MAX];
	size_t i;

	(void)ctx;
	nl_parse(nlh, tb);
	out_object_begin(NULL);
	for (i = 0; i < STATS_KEYS; i++) {
		if (!stats_keys[i] || !tb[i])
			continue;
		out_line(0);
		out_uint(stats_keys[i], stats_keys[i], nl_uint(tb[i]));
	}
	out_object_end();
	return STATUS_OK;
}

static int stats_show(struct args *args)
{
	if (args_end(args))
		return STATUS_USAGE;
	return nl_do(nl_request(KMQTT_CMD_STATS_GET), stats_print, NULL);
}

int stats_main(struct args *args)
{
	static const struct command commands[] = {
		{ "show", stats_show },
	};

	return command_run(args, commands, ARRAY_SIZE(commands), usage);
}

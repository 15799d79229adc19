// SPDX-License-Identifier: GPL-2.0
/* kmqtt show, kmqtt set: the switch and its limits. */
#include <linux/kmqtt_netlink.h>
#include <stdio.h>

#include "fields.h"
#include "nl.h"
#include "objects.h"
#include "out.h"

#define A(name)	KMQTT_A_SWITCH_##name

static const char show_usage[] =
	"Usage: kmqtt show\n"
	"The switch of this network namespace: totals and limits.\n";

static const char set_usage[] =
	"Usage: kmqtt set KEY VALUE [ KEY VALUE ]...\n"
	"Sets limits, all or none. KEY is as in mosquitto.conf:\n"
	"  max_inflight_messages N         QoS 1 and 2 in flight per session, 1 to 65535\n"
	"  max_inflight_bytes N            their bytes; 0: no limit\n"
	"  max_queued_messages N           waiting messages per session; 0: no limit\n"
	"  max_queued_bytes N              their bytes; 0: no limit\n"
	"  max_packet_size N               largest MQTT packet, in bytes\n"
	"  message_size_limit N            largest payload from an MQTT client; 0: no limit\n"
	"  memory_limit N                  bytes of all that is kept; 0: no limit\n"
	"  max_sessions N                  0: no limit\n"
	"  max_subscriptions N             of one session; 0: no limit\n"
	"  max_retained_messages N         0: no limit\n"
	"  persistent_client_expiration T  longest session expiry: seconds, or with\n"
	"                                  s, m, h, d, w behind it; never\n"
	"  sys_interval N                  seconds between what is published below\n"
	"                                  $SYS/broker; 0: nothing is\n"
	"  retain_available on|off\n"
	"  queue_qos0_messages on|off      for sessions that are not online\n"
	"  upgrade_outgoing_qos on|off     deliver with the QoS of the subscription\n"
	"  check_retain_source on|off      retained messages only of who may still publish\n"
	"                                  them\n"
	"  queue_policy P                  drop-newest, drop-oldest, keep-latest, block\n"
	"  acl_default allow|deny          when there are rules and none matches\n";

static const struct field fields[] = {
	FIELD(A(UPTIME), SECONDS, 0, false, "uptime", "up"),
	FIELD(A(ABI), UINT, 0, false, "abi", "abi"),
	FIELD(A(SESSIONS), UINT, 1, false, "sessions", "sessions"),
	FIELD(A(SUBSCRIPTIONS), UINT, 1, false, "subscriptions",
	      "subscriptions"),
	FIELD(A(RETAINED_MESSAGES), UINT, 1, false, "retained_messages",
	      "retained"),
	FIELD(A(RETAINED_BYTES), UINT, 1, false, "retained_bytes", "bytes"),
	FIELD(A(MEMORY), UINT, 1, false, "memory", "memory"),
	FIELD(A(MAX_INFLIGHT_MESSAGES), UINT, 2, false, "max_inflight_messages",
	      "max_inflight_messages"),
	FIELD(A(MAX_INFLIGHT_BYTES), LIMIT, 2, false, "max_inflight_bytes",
	      "max_inflight_bytes"),
	FIELD(A(MAX_QUEUED_MESSAGES), LIMIT, 2, false, "max_queued_messages",
	      "max_queued_messages"),
	FIELD(A(MAX_QUEUED_BYTES), LIMIT, 2, false, "max_queued_bytes",
	      "max_queued_bytes"),
	FIELD(A(MAX_PACKET_SIZE), UINT, 3, false, "max_packet_size",
	      "max_packet_size"),
	FIELD(A(MESSAGE_SIZE_LIMIT), LIMIT, 3, false, "message_size_limit",
	      "message_size_limit"),
	FIELD(A(MEMORY_LIMIT), LIMIT, 3, false, "memory_limit", "memory_limit"),
	FIELD(A(MAX_SESSIONS), LIMIT, 4, false, "max_sessions", "max_sessions"),
	FIELD(A(MAX_SUBSCRIPTIONS), LIMIT, 4, false, "max_subscriptions",
	      "max_subscriptions"),
	FIELD(A(MAX_RETAINED_MESSAGES), LIMIT, 4, false,
	      "max_retained_messages", "max_retained_messages"),
	FIELD(A(PERSISTENT_CLIENT_EXPIRATION), NEVER, 5, false,
	      "persistent_client_expiration", "persistent_client_expiration"),
	FIELD(A(SYS_INTERVAL), UINT, 5, false, "sys_interval", "sys_interval"),
	FIELD(A(RETAIN_AVAILABLE), BOOL, 6, false, "retain_available",
	      "retain_available"),
	FIELD(A(CHECK_RETAIN_SOURCE), BOOL, 6, false, "check_retain_source",
	      "check_retain_source"),
	FIELD(A(QUEUE_QOS0_MESSAGES), BOOL, 6, false, "queue_qos0_messages",
	      "queue_qos0_messages"),
	FIELD(A(UPGRADE_OUTGOING_QOS), BOOL, 6, false, "upgrade_outgoing_qos",
	      "upgrade_outgoing_qos"),
	FIELD(A(QUEUE_POLICY), CHOICE, 7, false, "queue_policy", "queue_policy",
	      .words = &words_policy),
	FIELD(A(ACL_DEFAULT), CHOICE, 7, false, "acl_default", "acl_default",
	      .words = &words_allow),
};

static const struct param params[] = {
	PARAM("max_inflight_messages", A(MAX_INFLIGHT_MESSAGES), U32),
	PARAM("max_inflight_bytes", A(MAX_INFLIGHT_BYTES), U64),
	PARAM("max_queued_messages", A(MAX_QUEUED_MESSAGES), U32),
	PARAM("max_queued_bytes", A(MAX_QUEUED_BYTES), U64),
	PARAM("max_packet_size", A(MAX_PACKET_SIZE), U32),
	PARAM("message_size_limit", A(MESSAGE_SIZE_LIMIT), U32),
	PARAM("memory_limit", A(MEMORY_LIMIT), U64),
	PARAM("max_sessions", A(MAX_SESSIONS), U32),
	PARAM("max_subscriptions", A(MAX_SUBSCRIPTIONS), U32),
	PARAM("max_retained_messages", A(MAX_RETAINED_MESSAGES), U32),
	PARAM("persistent_client_expiration", A(PERSISTENT_CLIENT_EXPIRATION),
	      SECONDS),
	PARAM("sys_interval", A(SYS_INTERVAL), U32),
	PARAM("retain_available", A(RETAIN_AVAILABLE), BOOL),
	PARAM("queue_qos0_messages", A(QUEUE_QOS0_MESSAGES), BOOL),
	PARAM("upgrade_outgoing_qos", A(UPGRADE_OUTGOING_QOS), BOOL),
	PARAM("check_retain_source", A(CHECK_RETAIN_SOURCE), BOOL),
	PARAM("queue_policy", A(QUEUE_POLICY), CHOICE, .words = &words_policy),
	PARAM("acl_default", A(ACL_DEFAULT), CHOICE8, .words = &words_allow),
};

static int switch_print(const struct nlmsghdr *nlh, void *ctx)
{
	const struct nlattr *tb[NL_ATTR_MAX];

	(void)ctx;
	nl_parse(nlh, tb);
	out_object_begin(NULL);
	out_line(0);
	out_word("switch:");
	fields_show(tb, fields, ARRAY_SIZE(fields));
	out_object_end();
	return STATUS_OK;
}

int switch_show_main(struct args *args)
{
	if (is_help(args, true)) {
		fputs(show_usage, stdout);
		return STATUS_OK;
	}
	if (args_end(args))
		return STATUS_USAGE;
	return nl_do(nl_request(KMQTT_CMD_SWITCH_GET), switch_print, NULL);
}

int switch_set_main(struct args *args)
{
	struct nlmsghdr *nlh;
	int ret;

	if (is_help(args, true)) {
		fputs(set_usage, stdout);
		return STATUS_OK;
	}
	if (!args->count)
		return usage_error("set: KEY VALUE is needed; see \"kmqtt set help\"");
	nlh = nl_request(KMQTT_CMD_SWITCH_SET);
	ret = params_parse(args, params, ARRAY_SIZE(params), nlh);
	return ret ? ret : nl_do(nlh, NULL, NULL);
}

// SPDX-License-Identifier: GPL-2.0
/* kmqtt uplink: brokers to which the kernel is a client. */
#include <arpa/inet.h>
#include <linux/kmqtt_netlink.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "fields.h"
#include "nl.h"
#include "objects.h"
#include "out.h"
#include "resolve.h"

#define A(name)	KMQTT_A_UPLINK_##name

static const char usage[] =
	"Usage: kmqtt uplink { add | set | del | up | down | show | attach | topic }\n"
	"  kmqtt uplink { add | set } NAME [ to HOST[:PORT][,HOST[:PORT]]... ]\n"
	"      [ version 31|311|5 ] [ client-id ID ] [ username U ] [ password-file F ]\n"
	"      [ keepalive T ] [ clean on|off ] [ session-expiry T ]\n"
	"      [ will-topic TOPIC ] [ will-payload TEXT | will-file F ] [ will-qos Q ]\n"
	"      [ will-retain on|off ] [ will-delay T ]\n"
	"      [ receive-maximum N ] [ max-packet-size N ] [ topic-alias-maximum N ]\n"
	"      [ max-inflight-messages N ] [ max-queued-messages N ]\n"
	"      [ max-queued-bytes N ] [ policy P ]\n"
	"      [ connect-timeout T ] [ backoff-min T ] [ backoff-max T ] [ stable T ]\n"
	"      [ try-private on|off ] [ batch N ] [ up | down ]\n"
	"  kmqtt uplink { del | up | down } NAME\n"
	"  kmqtt uplink show [NAME]\n"
	"  kmqtt uplink attach NAME fd N [ early-data-file F ]\n"
	"  kmqtt uplink topic { add | del | show } ...   see \"kmqtt uplink topic help\"\n"
	"HOST: name, IPv4 address, or IPv6 address, with a port as [V6]:PORT; the port is\n"
	"1883 if none is given. T: seconds, or a number with s, m, h, d or w behind it.\n"
	"P: drop-newest, drop-oldest, keep-latest or block. F: path, or - for standard\n"
	"input. An uplink is up as soon as it is added, unless \"down\" is given.\n";

static int put_servers(struct args *args, const struct param *param,
		       struct nlmsghdr *nlh);

static const struct param params[] = {
	PARAM("to", A(SERVER), CALL, .call = put_servers),
	PARAM("version", A(VERSION), CHOICE8, .words = &words_version),
	PARAM("client-id", A(CLIENT_ID), STRING, .max = KMQTT_NAME_LEN),
	PARAM("username", A(USERNAME), STRING, .max = KMQTT_CREDENTIAL_LEN),
	PARAM("password-file", A(PASSWORD), FILE, .max = KMQTT_CREDENTIAL_LEN),
	PARAM("keepalive", A(KEEPALIVE), SECONDS16),
	PARAM("clean", A(CLEAN_START), BOOL),
	PARAM("session-expiry", A(SESSION_EXPIRY), SECONDS),
	PARAM("will-topic", A(WILL_TOPIC), STRING, .max = KMQTT_TEXT_LEN),
	PARAM("will-payload", A(WILL_PAYLOAD), BYTES, .max = KMQTT_TEXT_LEN),
	PARAM("will-file", A(WILL_PAYLOAD), FILE, .max = KMQTT_TEXT_LEN),
	PARAM("will-qos", A(WILL_QOS), U8, .max = 2),
	PARAM("will-retain", A(WILL_RETAIN), BOOL),
	PARAM("will-delay", A(WILL_DELAY), SECONDS),
	PARAM("receive-maximum", A(RECEIVE_MAXIMUM), U16, .min = 1),
	PARAM("max-packet-size", A(MAXIMUM_PACKET_SIZE), U32),
	PARAM("topic-alias-maximum", A(TOPIC_ALIAS_MAXIMUM), U16),
	PARAM("max-inflight-messages", A(MAX_INFLIGHT_MESSAGES), U32),
	PARAM("max-queued-messages", A(MAX_QUEUED_MESSAGES), U32),
	PARAM("max-queued-bytes", A(MAX_QUEUED_BYTES), U64),
	PARAM("policy", A(POLICY), CHOICE, .words = &words_policy),
	PARAM("connect-timeout", A(CONNECT_TIMEOUT), SECONDS),
	PARAM("backoff-min", A(BACKOFF_MIN), SECONDS),
	PARAM("backoff-max", A(BACKOFF_MAX), SECONDS),
	PARAM("stable", A(STABLE), SECONDS),
	PARAM("try-private", A(TRY_PRIVATE), BOOL),
	PARAM("batch", A(BATCH), U32),
	PARAM("up", A(ADMIN_UP), CONST8, .min = 1),
	PARAM("down", A(ADMIN_UP), CONST8, .min = 0),
};

/* What stands after the name: state, and what of it matters most. */
static const struct field state_fields[] = {
	FIELD(A(STATE), CHOICE, 0, false, "state", NULL,
	      .words = &words_uplink_state),
	FIELD(A(STATE_TIME), SECONDS, 0, false, "state_time", "for"),
	FIELD(A(RETRY_IN), COUNT, 0, false, "retry_in", "retry-in-ms"),
	FIELD(A(ACTIVE_VERSION), CHOICE, 0, false, "active_version", "version",
	      .words = &words_version),
	FIELD(A(SESSION_PRESENT), FLAG, 0, false, "session_present",
	      "session-present"),
	FIELD(A(HANDED_OVER), FLAG, 0, false, "handed_over", "handed-over"),
	FIELD(A(TLS), FLAG, 0, false, "tls", "tls"),
	FIELD(A(BRIDGE_BIT), FLAG, 0, false, "bridge_bit", "bridge"),
	FIELD(A(ERROR), ERRNO, 0, false, "error", "last-error"),
	FIELD(A(REASON), REASON, 0, false, "reason", "last-reason"),
};

static const struct field conf_fields[] = {
	FIELD(A(ADMIN_UP), BOOL, 1, true, "admin_up", "admin-up"),
	FIELD(A(VERSION), CHOICE, 1, true, "version", "version",
	      .words = &words_version),
	FIELD(A(SESSION), STRING, 1, true, "session", "session"),
	FIELD(A(CLIENT_ID), STRING, 2, false, "client_id", "client-id"),
	FIELD(A(USERNAME), STRING, 2, false, "username", "username"),
	FIELD(A(HAS_PASSWORD), FLAG, 2, false, "has_password", "password-set"),
	FIELD(A(KEEPALIVE), SECONDS, 2, false, "keepalive", "keepalive"),
	FIELD(A(CLEAN_START), BOOL, 2, false, "clean", "clean"),
	FIELD(A(SESSION_EXPIRY), NEVER, 2, false, "session_expiry",
	      "session-expiry"),
	FIELD(A(WILL_TOPIC), STRING, 3, false, "will_topic", "will-topic"),
	FIELD(A(WILL_PAYLOAD), BYTES, 3, false, "will_payload", "will-payload"),
	FIELD(A(WILL_QOS), COUNT, 3, false, "will_qos", "will-qos"),
	FIELD(A(WILL_RETAIN), FLAG, 3, false, "will_retain", "will-retain"),
	FIELD(A(WILL_DELAY), COUNT, 3, false, "will_delay", "will-delay"),
	FIELD(A(RECEIVE_MAXIMUM), UINT, 4, true, "receive_maximum",
	      "receive-maximum"),
	FIELD(A(MAXIMUM_PACKET_SIZE), DEFAULT, 4, true, "max_packet_size",
	      "max-packet-size"),
	FIELD(A(TOPIC_ALIAS_MAXIMUM), UINT, 4, true, "topic_alias_maximum",
	      "topic-alias-maximum"),
	FIELD(A(MAX_INFLIGHT_MESSAGES), DEFAULT, 5, true, "max_inflight_messages",
	      "max-inflight-messages"),
	FIELD(A(MAX_QUEUED_MESSAGES), DEFAULT, 5, true, "max_queued_messages",
	      "max-queued-messages"),
	FIELD(A(MAX_QUEUED_BYTES), DEFAULT, 5, true, "max_queued_bytes",
	      "max-queued-bytes"),
	FIELD(A(POLICY), CHOICE, 5, true, "policy", "policy",
	      .words = &words_policy),
	FIELD(A(CONNECT_TIMEOUT), SECONDS, 6, true, "connect_timeout",
	      "connect-timeout"),
	FIELD(A(BACKOFF_MIN), SECONDS, 6, true, "backoff_min", "backoff-min"),
	FIELD(A(BACKOFF_MAX), SECONDS, 6, true, "backoff_max", "backoff-max"),
	FIELD(A(STABLE), SECONDS, 6, true, "stable", "stable"),
	FIELD(A(TRY_PRIVATE), BOOL, 6, true, "try_private", "try-private"),
	FIELD(A(BATCH), UINT, 6, true, "batch", "batch"),
	FIELD(A(ACTIVE_CLIENT_ID), STRING, 7, true, "active_client_id",
	      "active-client-id"),
	FIELD(A(ACTIVE_KEEPALIVE), SECONDS, 7, true, "active_keepalive",
	      "active-keepalive"),
	FIELD(A(ACTIVE_SESSION_EXPIRY), NEVER, 7, true, "active_session_expiry",
	      "active-session-expiry"),
	FIELD(A(SERVER_RECEIVE_MAXIMUM), UINT, 8, true,
	      "server_receive_maximum", "server-receive-maximum"),
	FIELD(A(SERVER_MAXIMUM_PACKET_SIZE), LIMIT, 8, true,
	      "server_maximum_packet_size", "server-maximum-packet-size"),
	FIELD(A(SERVER_TOPIC_ALIAS_MAXIMUM), UINT, 8, true,
	      "server_topic_alias_maximum", "server-topic-alias-maximum"),
	FIELD(A(SERVER_MAXIMUM_QOS), UINT, 8, true, "server_maximum_qos",
	      "server-maximum-qos"),
	FIELD(A(SERVER_RETAIN_AVAILABLE), BOOL, 8, true,
	      "server_retain_available", "server-retain-available"),
	FIELD(A(QUEUED_MESSAGES), UINT, 9, false, "queued_messages", "queued"),
	FIELD(A(INFLIGHT_MESSAGES), UINT, 9, false, "inflight_messages",
	      "inflight"),
	FIELD(A(FILTERS), UINT, 9, false, "filters", "filters"),
	FIELD(A(ATTEMPTS), UINT, 10, true, "attempts", "attempts"),
	FIELD(A(CONNECTS), UINT, 10, true, "connects", "connects"),
	FIELD(A(DISCONNECTS), UINT, 10, true, "disconnects", "disconnects"),
	FIELD(A(MALFORMED), UINT, 10, true, "malformed", "malformed"),
	FIELD(A(PINGS), UINT, 10, true, "pings", "pings"),
	FIELD(A(SUBSCRIBES), UINT, 10, true, "subscribes", "subscribes"),
	FIELD(A(UNSUBSCRIBES), UINT, 10, true, "unsubscribes", "unsubscribes"),
	FIELD(A(PACKETS_RECEIVED), UINT, 11, true, "packets_received",
	      "received packets"),
	FIELD(A(BYTES_RECEIVED), UINT, 11, true, "bytes_received", "bytes"),
	FIELD(A(PUBLISHES_RECEIVED), UINT, 11, true, "publishes_received",
	      "publishes"),
	FIELD(A(ECHOES_SUPPRESSED), UINT, 11, true, "echoes_suppressed",
	      "echoes"),
	FIELD(A(PACKETS_SENT), UINT, 12, true, "packets_sent", "sent packets"),
	FIELD(A(BYTES_SENT), UINT, 12, true, "bytes_sent", "bytes"),
	FIELD(A(PUBLISHES_SENT), UINT, 12, true, "publishes_sent", "publishes"),
	FIELD(A(REDELIVERED), UINT, 12, true, "redelivered", "redelivered"),
	FIELD(A(TOO_LARGE), UINT, 12, true, "too_large", "too-large"),
	FIELD(A(UNMAPPED), UINT, 12, true, "unmapped", "unmapped"),
};

/* One server as a nest. */
static int put_server(struct nlmsghdr *nlh, const struct server *server)
{
	const struct sockaddr_in6 *in6 = (const void *)&server->addr;
	const struct sockaddr_in *in = (const void *)&server->addr;
	struct nlattr *nest;

	nest = nl_nest_begin(nlh, A(SERVER));
	if (!nest)
		return STATUS_USAGE;
	if (server->addr.ss_family == AF_INET) {
		if (nl_put(nlh, KMQTT_A_SERVER_IPV4, &in->sin_addr,
			   sizeof(in->sin_addr)))
			return STATUS_USAGE;
	} else {
		if (nl_put(nlh, KMQTT_A_SERVER_IPV6, &in6->sin6_addr,
			   sizeof(in6->sin6_addr)) ||
		    (in6->sin6_scope_id &&
		     nl_put_u32(nlh, KMQTT_A_SERVER_SCOPE_ID,
				in6->sin6_scope_id)))
			return STATUS_USAGE;
	}
	/* the port is at the same place in both, in network order */
	if (nl_put_u16(nlh, KMQTT_A_SERVER_PORT, in->sin_port) ||
	    nl_put_str(nlh, KMQTT_A_SERVER_HOST, server->host))
		return STATUS_USAGE;
	return nl_nest_end(nlh, nest);
}

static int put_servers(struct args *args, const struct param *param,
		       struct nlmsghdr *nlh)
{
	struct server servers[SERVERS_MAX];
	const char *list = args_value(args, param->name);
	size_t count, i;

	if (!list || servers_resolve(list, servers, &count))
		return STATUS_USAGE;
	for (i = 0; i < count; i++) {
		if (put_server(nlh, &servers[i]))
			return STATUS_USAGE;
	}
	return STATUS_OK;
}

/* "to host:1883 (192.0.2.1)"; an object in JSON. */
static void server_print(const char *key, const struct nlattr *nest)
{
	const struct nlattr *tb[NL_ATTR_MAX];
	char address[INET6_ADDRSTRLEN] = "", words[INET6_ADDRSTRLEN + 300];
	unsigned int port;
	const char *host;
	bool v6;

	nl_parse_nested(nest, tb);
	v6 = tb[KMQTT_A_SERVER_IPV6];
	if (v6)
		inet_ntop(AF_INET6, mnl_attr_get_payload(tb[KMQTT_A_SERVER_IPV6]),
			  address, sizeof(address));
	else if (tb[KMQTT_A_SERVER_IPV4])
		inet_ntop(AF_INET, mnl_attr_get_payload(tb[KMQTT_A_SERVER_IPV4]),
			  address, sizeof(address));
	port = ntohs(nl_uint(tb[KMQTT_A_SERVER_PORT]));
	host = tb[KMQTT_A_SERVER_HOST] ?
	       mnl_attr_get_str(tb[KMQTT_A_SERVER_HOST]) : address;
	out_object_begin(key);
	if (out_options.json) {
		out_str("host", NULL, host);
		out_str("address", NULL, address);
		if (nl_uint(tb[KMQTT_A_SERVER_SCOPE_ID]))
			out_uint("scope_id", NULL,
				 nl_uint(tb[KMQTT_A_SERVER_SCOPE_ID]));
		out_uint("port", NULL, port);
	} else {
		snprintf(words, sizeof(words),
			 strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, port);
		out_str(NULL, NULL, words);
		if (strcmp(host, address)) {
			snprintf(words, sizeof(words), "(%s)", address);
			out_word(words);
		}
	}
	out_object_end();
}

static void servers_print(const struct nlmsghdr *nlh)
{
	const struct nlattr *attr;
	bool any = false;

	out_array_begin("servers");
	mnl_attr_for_each(attr, nlh, NL_HEADER) {
		if (mnl_attr_get_type(attr) != A(SERVER))
			continue;
		if (!any) {
			out_line(4);
			out_word("to");
		}
		any = true;
		server_print(NULL, attr);
	}
	out_array_end();
}

static int uplink_print(const struct nlmsghdr *nlh, void *ctx)
{
	const struct nlattr *tb[NL_ATTR_MAX];
	char name[KMQTT_UPLINK_NAME_LEN + 2];

	(void)ctx;
	nl_parse(nlh, tb);
	if (!tb[A(NAME)])
		return STATUS_OK;
	out_object_begin(NULL);
	out_line(0);
	snprintf(name, sizeof(name), "%s:", mnl_attr_get_str(tb[A(NAME)]));
	out_word(name);
	if (out_options.json)
		out_str("name", NULL, mnl_attr_get_str(tb[A(NAME)]));
	fields_show(tb, state_fields, ARRAY_SIZE(state_fields));
	if (tb[A(PEER)]) {
		out_word("at");
		server_print("peer", tb[A(PEER)]);
	}
	servers_print(nlh);
	fields_show(tb, conf_fields, ARRAY_SIZE(conf_fields));
	uplink_topics_print(mnl_attr_get_str(tb[A(NAME)]));
	out_object_end();
	return STATUS_OK;
}

static int uplink_show(struct args *args)
{
	const char *name = args_next(args);
	struct nlmsghdr *nlh;

	if (args_end(args))
		return STATUS_USAGE;
	nlh = nl_request(KMQTT_CMD_UPLINK_GET);
	if (name && nl_put_str(nlh, A(NAME), name))
		return STATUS_USAGE;
	return list_show(nlh, !name, uplink_print, NULL);
}

/* A request about the uplink that the next word names, or NULL (reported). */
static struct nlmsghdr *uplink_request(struct args *args, uint8_t cmd)
{
	const char *name = args_need(args, "NAME");
	struct nlmsghdr *nlh = nl_request(cmd);

	if (!name)
		return NULL;
	nl_mark(nlh, "NAME");
	return nl_put_str(nlh, A(NAME), name) ? NULL : nlh;
}

static int uplink_add(struct args *args)
{
	struct nlmsghdr *nlh = uplink_request(args, KMQTT_CMD_UPLINK_NEW);
	const struct nlattr *tb[NL_ATTR_MAX];

	if (!nlh || params_parse(args, params, ARRAY_SIZE(params), nlh))
		return STATUS_USAGE;
	nl_parse(nlh, tb);
	if (!tb[A(ADMIN_UP)] && nl_put_u8(nlh, A(ADMIN_UP), 1))
		return STATUS_USAGE;
	return nl_do(nlh, NULL, NULL);
}

static int uplink_set(struct args *args)
{
	struct nlmsghdr *nlh = uplink_request(args, KMQTT_CMD_UPLINK_SET);

	if (!nlh)
		return STATUS_USAGE;
	if (!args->count)
		return usage_error("set: nothing to be set is given");
	if (params_parse(args, params, ARRAY_SIZE(params), nlh))
		return STATUS_USAGE;
	return nl_do(nlh, NULL, NULL);
}

static int uplink_del(struct args *args)
{
	struct nlmsghdr *nlh = uplink_request(args, KMQTT_CMD_UPLINK_DEL);

	if (!nlh || args_end(args))
		return STATUS_USAGE;
	return nl_do(nlh, NULL, NULL);
}

static int uplink_admin(struct args *args, uint8_t up)
{
	struct nlmsghdr *nlh = uplink_request(args, KMQTT_CMD_UPLINK_SET);

	if (!nlh || args_end(args) || nl_put_u8(nlh, A(ADMIN_UP), up))
		return STATUS_USAGE;
	return nl_do(nlh, NULL, NULL);
}

static int uplink_up(struct args *args)
{
	return uplink_admin(args, 1);
}

static int uplink_down(struct args *args)
{
	return uplink_admin(args, 0);
}

static int uplink_attach(struct args *args)
{
	static const struct param attach_params[] = {
		PARAM("fd", A(FD), U32, .max = INT32_MAX),
		PARAM("early-data-file", A(EARLY_DATA), FILE,
		      .max = KMQTT_TEXT_LEN),
	};
	struct nlmsghdr *nlh = uplink_request(args, KMQTT_CMD_UPLINK_SET);
	const struct nlattr *tb[NL_ATTR_MAX];

	if (!nlh || params_parse(args, attach_params, ARRAY_SIZE(attach_params),
				 nlh))
		return STATUS_USAGE;
	nl_parse(nlh, tb);
	if (!tb[A(FD)])
		return usage_error("attach: \"fd N\" is needed");
	return nl_do(nlh, NULL, NULL);
}

int uplink_main(struct args *args)
{
	static const struct command commands[] = {
		{ "show", uplink_show },
		{ "add", uplink_add },
		{ "set", uplink_set },
		{ "del", uplink_del },
		{ "up", uplink_up },
		{ "down", uplink_down },
		{ "attach", uplink_attach },
		{ "topic", uplink_topic_main },
	};

	return command_run(args, commands, ARRAY_SIZE(commands), usage);
}

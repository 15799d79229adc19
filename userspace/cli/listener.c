// SPDX-License-Identifier: GPL-2.0
/* kmqtt listener: where remote MQTT clients connect to. */
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

#define A(name)	KMQTT_A_LISTENER_##name

static const char usage[] =
	"Usage: kmqtt listener { add | set | del | show | attach }\n"
	"  kmqtt listener add { [ADDR:]PORT | none name NAME } [ name NAME ]\n"
	"      [ v6only on|off ] [ SETTING ]...\n"
	"  kmqtt listener set LISTENER SETTING...\n"
	"  kmqtt listener del LISTENER\n"
	"  kmqtt listener show [LISTENER]\n"
	"  kmqtt listener attach LISTENER fd N [ early-data-file F ]\n"
	"ADDR: IPv4 address, [IPv6 address], host name, or * for all, which is meant too\n"
	"if only a PORT is given. PORT 0: any that is free; it is printed. none: no\n"
	"socket; its clients are sockets that are handed over by attach.\n"
	"LISTENER: its name, or [ADDR:]PORT as for add.\n"
	"SETTING, named as in mosquitto.conf, with - or _ between words:\n"
	"  max-connections N          clients at a time\n"
	"  max-qos Q                  highest QoS that clients may publish with\n"
	"  protocols V[,V]...         MQTT versions that are spoken: 3, 4 (3.1.1), 5\n"
	"  max-packet-size N          bytes; 0: that of the switch\n"
	"  max-topic-alias N          topic aliases of a client\n"
	"  max-topic-alias-broker N   topic aliases to a client\n"
	"  max-keepalive T            longest keep alive; 0: any\n"
	"  receive-maximum N          QoS 2 messages of a client that are open; 0: as\n"
	"                             many as the switch's max_inflight_messages\n"
	"  anonymous on|off           let in clients without a user name\n"
	"  zero-length-clientid on|off  let in clients without a client identifier\n"
	"  mount-point PREFIX         what is put before each topic of its clients\n"
	"  connect-timeout T          until a client has to have said who it is\n"
	"  connection-rate N          connections a second; 0: no limit\n"
	"  message-rate N, byte-rate N  of one client, a second; 0: no limit\n"
	"T: seconds, or a number with s, m, h, d or w behind it.\n";

/* "3,4,5" */
static int put_protocols(struct args *args, const struct param *param, struct nlmsghdr *nlh)
{
	const char *list = args_value(args, param->name), *p;
	unsigned int bits = 0;

	if (!list)
		return STATUS_USAGE;
	for (p = list;; p += 2) {
		if (*p < '3' || *p > '5' || (p[1] && p[1] != ','))
			return usage_error("\"%s\" must be 3, 4 and 5 with commas between, not \"%s\"",
					   param->name, list);
		bits |= 1u << (*p - '0');
		if (!p[1])
			break;
	}
	return nl_put_u32(nlh, param->attr, bits);
}

/* The last ones are of `add` alone. Some have another name in mosquitto.conf. */
static const struct param params[] = {
	PARAM("max-connections", A(MAX_CONNECTIONS), U32),
	PARAM("max-qos", A(MAX_QOS), U8, .max = 2),
	PARAM("protocols", A(PROTOCOLS), CALL, .call = put_protocols),
	PARAM("accept-protocol-versions", A(PROTOCOLS), CALL, .call = put_protocols),
	PARAM("max-packet-size", A(MAX_PACKET_SIZE), U32),
	PARAM("max-topic-alias", A(MAX_TOPIC_ALIAS), U16),
	PARAM("max-topic-alias-broker", A(MAX_TOPIC_ALIAS_BROKER), U16),
	PARAM("max-keepalive", A(MAX_KEEPALIVE), SECONDS16),
	PARAM("receive-maximum", A(RECEIVE_MAXIMUM), U16),
	PARAM("anonymous", A(ANONYMOUS), BOOL),
	PARAM("allow-anonymous", A(ANONYMOUS), BOOL),
	PARAM("zero-length-clientid", A(ZERO_LENGTH_CLIENTID), BOOL),
	PARAM("allow-zero-length-clientid", A(ZERO_LENGTH_CLIENTID), BOOL),
	PARAM("mount-point", A(MOUNT_POINT), STRING, .max = KMQTT_MOUNT_POINT_LEN),
	PARAM("connect-timeout", A(CONNECT_TIMEOUT), SECONDS, .min = 1),
	PARAM("connection-rate", A(CONNECTION_RATE), U32),
	PARAM("message-rate", A(MESSAGE_RATE), U32),
	PARAM("byte-rate", A(BYTE_RATE), U64),
	PARAM("name", A(NAME), STRING, .min = 1, .max = KMQTT_LISTENER_NAME_LEN),
	PARAM("v6only", A(V6ONLY), BOOL),
};

#define ADD_ONLY	2

static const struct field fields[] = {
	FIELD(A(V6ONLY), FLAG, 0, false, "v6only", "v6only"),
	FIELD(A(CONNECTIONS), UINT, 0, false, "connections", "connections"),
	FIELD(A(PENDING), COUNT, 0, false, "pending", "pending"),
	FIELD(A(MAX_CONNECTIONS), UINT, 1, false, "max_connections", "max-connections"),
	FIELD(A(PROTOCOLS), BITS, 1, false, "protocols", "protocols"),
	FIELD(A(MAX_QOS), UINT, 1, false, "max_qos", "max-qos"),
	FIELD(A(ANONYMOUS), BOOL, 1, false, "anonymous", "anonymous"),
	FIELD(A(ZERO_LENGTH_CLIENTID), BOOL, 1, false, "zero_length_clientid",
	      "zero-length-clientid"),
	FIELD(A(MOUNT_POINT), STRING, 2, false, "mount_point", "mount-point"),
	FIELD(A(MAX_PACKET_SIZE), DEFAULT, 3, true, "max_packet_size", "max-packet-size"),
	FIELD(A(MAX_TOPIC_ALIAS), UINT, 3, true, "max_topic_alias", "max-topic-alias"),
	FIELD(A(MAX_TOPIC_ALIAS_BROKER), UINT, 3, true, "max_topic_alias_broker",
	      "max-topic-alias-broker"),
	FIELD(A(RECEIVE_MAXIMUM), DEFAULT, 4, true, "receive_maximum", "receive-maximum"),
	FIELD(A(MAX_KEEPALIVE), LIMIT, 4, true, "max_keepalive", "max-keepalive"),
	FIELD(A(CONNECT_TIMEOUT), SECONDS, 4, true, "connect_timeout", "connect-timeout"),
	FIELD(A(CONNECTION_RATE), LIMIT, 5, true, "connection_rate", "connection-rate"),
	FIELD(A(MESSAGE_RATE), LIMIT, 5, true, "message_rate", "message-rate"),
	FIELD(A(BYTE_RATE), LIMIT, 5, true, "byte_rate", "byte-rate"),
	FIELD(A(ACCEPTED), UINT, 6, true, "accepted", "accepted"),
	FIELD(A(REFUSED), UINT, 6, true, "refused", "refused"),
	FIELD(A(DENIED), UINT, 6, true, "denied", "denied"),
	FIELD(A(TIMEOUTS), UINT, 6, true, "timeouts", "timeouts"),
	FIELD(A(MALFORMED), UINT, 6, true, "malformed", "malformed"),
};

/* The address of a listener as getaddrinfo() gives them; AF_UNSPEC: it has none. */
static void listener_address(const struct nlattr *const *tb, struct sockaddr_storage *addr)
{
	const struct nlattr *v4 = tb[A(IPV4)], *v6 = tb[A(IPV6)];
	struct sockaddr_in6 *in6 = (void *)addr;
	struct sockaddr_in *in = (void *)addr;

	memset(addr, 0, sizeof(*addr));
	if (v4 && mnl_attr_get_payload_len(v4) == sizeof(in->sin_addr)) {
		in->sin_family = AF_INET;
		memcpy(&in->sin_addr, mnl_attr_get_payload(v4), sizeof(in->sin_addr));
		in->sin_port = nl_uint(tb[A(PORT)]);
	} else if (v6 && mnl_attr_get_payload_len(v6) == sizeof(in6->sin6_addr)) {
		in6->sin6_family = AF_INET6;
		memcpy(&in6->sin6_addr, mnl_attr_get_payload(v6), sizeof(in6->sin6_addr));
		in6->sin6_scope_id = nl_uint(tb[A(SCOPE_ID)]);
		in6->sin6_port = nl_uint(tb[A(PORT)]);
	}
}

/* "[::1]:1883", "[fe80::1%2]:1883", "127.0.0.1:1883" */
static void address_text(const struct sockaddr_storage *addr, char *host, char *all, size_t room)
{
	const struct sockaddr_in6 *in6 = (const void *)addr;
	const struct sockaddr_in *in = (const void *)addr;
	unsigned int port = ntohs(in->sin_port);

	if (addr->ss_family == AF_INET) {
		inet_ntop(AF_INET, &in->sin_addr, host, INET6_ADDRSTRLEN);
		snprintf(all, room, "%s:%u", host, port);
		return;
	}
	inet_ntop(AF_INET6, &in6->sin6_addr, host, INET6_ADDRSTRLEN);
	if (in6->sin6_scope_id)
		snprintf(all, room, "[%s%%%u]:%u", host, in6->sin6_scope_id, port);
	else
		snprintf(all, room, "[%s]:%u", host, port);
}

/* The name, and the address if that does not say it. */
static void name_print(const struct nlattr *const *tb)
{
	const char *name = tb[A(NAME)] ? mnl_attr_get_str(tb[A(NAME)]) : "";
	char host[INET6_ADDRSTRLEN], all[INET6_ADDRSTRLEN + 32], word[KMQTT_LISTENER_NAME_LEN + 2];
	struct sockaddr_storage addr;

	listener_address(tb, &addr);
	snprintf(word, sizeof(word), "%s:", name);
	out_word(word);
	if (out_options.json)
		out_str("name", NULL, name);
	if (addr.ss_family == AF_UNSPEC) {
		out_word("no-socket");
		return;
	}
	address_text(&addr, host, all, sizeof(all));
	if (out_options.json)
		out_str("address", NULL, host);
	else if (strcmp(all, name))
		out_word(all);
}

static int listener_print(const struct nlmsghdr *nlh, void *ctx)
{
	const struct nlattr *tb[NL_ATTR_MAX];

	(void)ctx;
	nl_parse(nlh, tb);
	out_object_begin(NULL);
	out_line(0);
	name_print(tb);
	if (out_options.json && tb[A(PORT)])
		out_uint("port", NULL, ntohs(nl_uint(tb[A(PORT)])));
	if (out_options.json && tb[A(SCOPE_ID)])
		out_uint("scope_id", NULL, nl_uint(tb[A(SCOPE_ID)]));
	fields_show(tb, fields, ARRAY_SIZE(fields));
	out_object_end();
	return STATUS_OK;
}

static int put_address(struct nlmsghdr *nlh, const char *word)
{
	struct sockaddr_storage addr;
	const struct sockaddr_in6 *in6 = (const void *)&addr;
	const struct sockaddr_in *in = (const void *)&addr;

	if (listen_resolve(word, &addr))
		return STATUS_USAGE;
	if (addr.ss_family == AF_INET) {
		if (nl_put(nlh, A(IPV4), &in->sin_addr, sizeof(in->sin_addr)))
			return STATUS_USAGE;
	} else {
		if (nl_put(nlh, A(IPV6), &in6->sin6_addr, sizeof(in6->sin6_addr)) ||
		    (in6->sin6_scope_id && nl_put_u32(nlh, A(SCOPE_ID), in6->sin6_scope_id)))
			return STATUS_USAGE;
	}
	/* the port is at the same place in both, in network order */
	return nl_put_u16(nlh, A(PORT), in->sin_port);
}

/* A name begins with a letter, and has no colon. */
static bool is_address(const char *word)
{
	return strchr(word, ':') || !word[strspn(word, "0123456789")];
}

static int put_listener(struct nlmsghdr *nlh, const char *word)
{
	nl_mark(nlh, "LISTENER");
	return is_address(word) ? put_address(nlh, word) : nl_put_str(nlh, A(NAME), word);
}

/* A request about the listener that the next word means, or NULL (reported). */
static struct nlmsghdr *listener_request(struct args *args, uint8_t cmd)
{
	const char *word = args_need(args, "LISTENER");
	struct nlmsghdr *nlh = nl_request(cmd);

	return word && !put_listener(nlh, word) ? nlh : NULL;
}

static int listener_show(struct args *args)
{
	const char *word = args_next(args);
	struct nlmsghdr *nlh;

	if (args_end(args))
		return STATUS_USAGE;
	nlh = nl_request(KMQTT_CMD_LISTENER_GET);
	if (word && put_listener(nlh, word))
		return STATUS_USAGE;
	return list_show(nlh, !word, listener_print, NULL);
}

static int added_print(const struct nlmsghdr *nlh, void *ctx)
{
	static const struct field added[] = {
		FIELD(A(NAME), STRING, 0, false, "name", "name"),
	};
	const struct nlattr *tb[NL_ATTR_MAX];

	(void)ctx;
	nl_parse(nlh, tb);
	out_object_begin(NULL);
	out_line(0);
	fields_show(tb, added, ARRAY_SIZE(added));
	if (tb[A(PORT)])
		out_uint("port", "port", ntohs(nl_uint(tb[A(PORT)])));
	out_object_end();
	return STATUS_OK;
}

static int listener_add(struct args *args)
{
	const char *word = args_need(args, "[ADDR:]PORT");
	struct nlmsghdr *nlh = nl_request(KMQTT_CMD_LISTENER_NEW);

	if (!word)
		return STATUS_USAGE;
	nl_mark(nlh, "[ADDR:]PORT");
	if (strcmp(word, "none") && put_address(nlh, word))
		return STATUS_USAGE;
	if (params_parse(args, params, ARRAY_SIZE(params), nlh))
		return STATUS_USAGE;
	return nl_do(nlh, added_print, NULL);
}

static int listener_set(struct args *args)
{
	struct nlmsghdr *nlh = listener_request(args, KMQTT_CMD_LISTENER_SET);

	if (!nlh)
		return STATUS_USAGE;
	if (!args->count)
		return usage_error("set: nothing to be set is given");
	if (params_parse(args, params, ARRAY_SIZE(params) - ADD_ONLY, nlh))
		return STATUS_USAGE;
	return nl_do(nlh, NULL, NULL);
}

static int listener_del(struct args *args)
{
	struct nlmsghdr *nlh = listener_request(args, KMQTT_CMD_LISTENER_DEL);

	if (!nlh || args_end(args))
		return STATUS_USAGE;
	return nl_do(nlh, NULL, NULL);
}

static int listener_attach(struct args *args)
{
	static const struct param attach_params[] = {
		PARAM("fd", A(FD), U32, .max = INT32_MAX),
		PARAM("early-data-file", A(EARLY_DATA), FILE, .max = KMQTT_TEXT_LEN),
	};
	struct nlmsghdr *nlh = listener_request(args, KMQTT_CMD_CLIENT_ATTACH);
	const struct nlattr *tb[NL_ATTR_MAX];

	if (!nlh || params_parse(args, attach_params, ARRAY_SIZE(attach_params), nlh))
		return STATUS_USAGE;
	nl_parse(nlh, tb);
	if (!tb[A(FD)])
		return usage_error("attach: \"fd N\" is needed");
	return nl_do(nlh, NULL, NULL);
}

int listener_main(struct args *args)
{
	static const struct command commands[] = {
		{ "show", listener_show },
		{ "add", listener_add },
		{ "set", listener_set },
		{ "del", listener_del },
		{ "attach", listener_attach },
	};

	return command_run(args, commands, ARRAY_SIZE(commands), usage);
}

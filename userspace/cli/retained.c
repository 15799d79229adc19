// SPDX-License-Identifier: GPL-2.0
/* kmqtt retained: the last message of each topic that was to be kept. */
#include <linux/kmqtt_netlink.h>
#include <stdio.h>

#include "fields.h"
#include "nl.h"
#include "objects.h"
#include "out.h"

#define A(name)	KMQTT_A_RETAINED_##name

/* Of a longer payload, text shows so many bytes, unless -s is given. */
#define PREVIEW	64

static const char usage[] =
	"Usage: kmqtt retained { show | clear } [FILTER]\n"
	"Payloads are shown up to a length of 4096 bytes; in text their beginning, or\n"
	"with -s all.\n";

static const struct field fields[] = {
	FIELD(A(TOPIC), STRING, 0, false, "topic", NULL),
	FIELD(A(QOS), UINT, 0, false, "qos", "qos"),
	FIELD(A(PAYLOAD_LEN), UINT, 0, false, "payload_len", "len"),
	FIELD(A(EXPIRY), SECONDS, 0, false, "expiry", "expiry"),
	FIELD(A(TIME_NS), TIME, 0, false, "time", "time"),
};

static void payload_print(const struct nlattr *attr)
{
	const char *data = mnl_attr_get_payload(attr);
	size_t len = mnl_attr_get_payload_len(attr);
	bool cut = len > PREVIEW && !out_options.stats && !out_options.json;
	size_t shown = cut ? PREVIEW : len;

	/* no half of a UTF-8 character stays at the end, which has up to 4 bytes */
	while (cut && shown > PREVIEW - 4 && (data[shown] & 0xc0) == 0x80)
		shown--;
	out_line(4);
	out_bytes("payload", "payload", data, shown);
	if (cut)
		out_word("...");
}

static int retained_print(const struct nlmsghdr *nlh, void *ctx)
{
	const struct nlattr *tb[NL_ATTR_MAX];

	(void)ctx;
	nl_parse(nlh, tb);
	out_object_begin(NULL);
	out_line(0);
	fields_show(tb, fields, ARRAY_SIZE(fields));
	if (tb[A(PAYLOAD)])
		payload_print(tb[A(PAYLOAD)]);
	properties_show(tb[A(PROPERTIES)], 4);
	out_object_end();
	return STATUS_OK;
}

static int cleared_print(const struct nlmsghdr *nlh, void *ctx)
{
	const struct nlattr *tb[NL_ATTR_MAX];

	(void)ctx;
	nl_parse(nlh, tb);
	out_object_begin(NULL);
	out_line(0);
	out_uint("cleared", "cleared", nl_uint(tb[A(CLEARED)]));
	out_object_end();
	return STATUS_OK;
}

/* A request with the filter, if one follows. Return: it, or NULL (reported). */
static struct nlmsghdr *retained_request(struct args *args, uint8_t cmd)
{
	struct nlmsghdr *nlh = nl_request(cmd);
	const char *filter = args_next(args);

	if (args_end(args) || (filter && nl_put_str(nlh, A(FILTER), filter)))
		return NULL;
	return nlh;
}

static int retained_show(struct args *args)
{
	struct nlmsghdr *nlh = retained_request(args, KMQTT_CMD_RETAINED_GET);

	if (!nlh)
		return STATUS_USAGE;
	return list_show(nlh, true, retained_print, NULL);
}

static int retained_clear(struct args *args)
{
	struct nlmsghdr *nlh = retained_request(args, KMQTT_CMD_RETAINED_DEL);

	return nlh ? nl_do(nlh, cleared_print, NULL) : STATUS_USAGE;
}

int retained_main(struct args *args)
{
	static const struct command commands[] = {
		{ "show", retained_show },
		{ "clear", retained_clear },
	};

	return command_run(args, commands, ARRAY_SIZE(commands), usage);
}

// SPDX-License-Identifier: GPL-2.0
/* kmqtt monitor: events as they happen. */
#include <linux/kmqtt_netlink.h>
#include <stdio.h>
#include <string.h>

#include "fields.h"
#include "nl.h"
#include "objects.h"
#include "out.h"
#include "topic.h"

#define A(name)	KMQTT_A_EVENT_##name

static const char usage[] =
	"Usage: kmqtt monitor [FILTER] [ event EVENT ] [ session NAME ] [ uplink NAME ]\n"
	"Events as they happen, until it is interrupted; with -j one JSON object per\n"
	"line. FILTER: only those about a topic or filter that this filter covers.\n"
	"EVENT: attach, detach, takeover, expire, subscribe, unsubscribe, drop, deny,\n"
	"uplink-up, uplink-down, uplink-refused, uplink-redirect, uplink-malformed,\n"
	"uplink-suback, uplink-puback, client-refused, client-malformed\n";

static const struct field fields[] = {
	FIELD(A(TIME_NS), TIME, 0, false, "time", NULL),
	FIELD(A(CODE), CHOICE, 0, false, "event", NULL, .words = &words_event),
	FIELD(A(UPLINK), STRING, 0, false, "uplink", "uplink"),
	FIELD(A(SESSION), STRING, 0, false, "session", "session"),
	FIELD(A(PEER), STRING, 0, false, "peer", "peer"),
	FIELD(A(LISTENER), STRING, 0, false, "listener", "listener"),
	FIELD(A(VERSION), CHOICE, 0, false, "version", "version",
	      .words = &words_version),
	FIELD(A(TOPIC), STRING, 0, false, "topic", "topic"),
	FIELD(A(COUNT), COUNT, 0, false, "count", "count"),
	FIELD(A(REASON), REASON, 0, false, "reason", "reason"),
	FIELD(A(ERROR), ERRNO, 0, false, "error", "error"),
	FIELD(A(TEXT), STRING, 0, false, "text", "text"),
};

/* Which events are shown; NULL and 0: all. */
struct selection {
	const char *filter;
	const char *session;
	const char *uplink;
	unsigned int event;
};

static bool is_same(const struct nlattr *attr, const char *name)
{
	return !name || (attr && !strcmp(mnl_attr_get_str(attr), name));
}

static bool is_selected(const struct nlattr *const *tb,
			const struct selection *sel)
{
	if (sel->event && nl_uint(tb[A(CODE)]) != sel->event)
		return false;
	if (!is_same(tb[A(SESSION)], sel->session) ||
	    !is_same(tb[A(UPLINK)], sel->uplink))
		return false;
	if (!sel->filter)
		return true;
	return tb[A(TOPIC)] && topic_matches(sel->filter,
					     mnl_attr_get_str(tb[A(TOPIC)]));
}

static int event_print(const struct nlmsghdr *nlh, void *ctx)
{
	const struct nlattr *tb[NL_ATTR_MAX];

	nl_parse(nlh, tb);
	if (!is_selected(tb, ctx))
		return STATUS_OK;
	out_object_begin(NULL);
	out_line(0);
	fields_show(tb, fields, ARRAY_SIZE(fields));
	out_object_end();
	return out_flush() ? STATUS_REFUSED : STATUS_OK;
}

static int selection_parse(struct args *args, struct selection *sel)
{
	static const char *const keywords[] = { "event", "session", "uplink" };
	const char *word, *value;
	int i;

	while ((word = args_next(args))) {
		i = word_find(word, keywords, sizeof(*keywords),
			      ARRAY_SIZE(keywords), "keyword");
		if (i < 0)
			return STATUS_USAGE;
		value = args_value(args, keywords[i]);
		if (!value)
			return STATUS_USAGE;
		if (i == 1)
			sel->session = value;
		else if (i == 2)
			sel->uplink = value;
		else if (choice_parse(value, &words_event, "event", &sel->event))
			return STATUS_USAGE;
	}
	return STATUS_OK;
}

/*
 * FILTER may be left out; a word counts as one if it is none of the keywords
 * in full.
 */
static bool is_filter(const struct args *args)
{
	return args->count && strcmp(args->words[0], "event") &&
	       strcmp(args->words[0], "session") &&
	       strcmp(args->words[0], "uplink");
}

int monitor_main(struct args *args)
{
	struct selection sel = { .filter = NULL };

	if (is_help(args, false)) {
		fputs(usage, stdout);
		return STATUS_OK;
	}
	if (is_filter(args)) {
		sel.filter = args_next(args);
		if (!topic_filter_valid(sel.filter))
			return usage_error("\"%s\" is not a topic filter",
					   sel.filter);
	}
	if (selection_parse(args, &sel))
		return STATUS_USAGE;
	return nl_listen(KMQTT_MCGRP_EVENTS, event_print, &sel);
}

// SPDX-License-Identifier: GPL-2.0
#include "pubsub.h"

#include <stdio.h>
#include <string.h>

#include "client.h"
#include "options.h"

static const struct {
	const char *word;
	const char *name;
	enum tool tool;
	int (*run)(const struct options *o);
} tools[] = {
	{ "pub", "kmqtt pub", TOOL_PUB, pub_run },
	{ "sub", "kmqtt sub", TOOL_SUB, sub_run },
	{ "rr", "kmqtt rr", TOOL_RR, rr_run },
};

static void tell_usage(const struct options *o)
{
	fprintf(stderr, "\nUse '%s --help' to see usage.\n", o->name);
}

/* What must be there, and what must not be together. */
static bool is_complete(const struct options *o)
{
	bool message = o->topic && o->mode != MODE_NONE;

	if (o->tool == TOOL_PUB && !message) {
		fprintf(stderr, "Error: Both topic and message must be supplied.\n");
		usage_print(o);
		return false;
	}
	if (o->tool == TOOL_RR && (!message || !o->response_topic)) {
		fprintf(stderr, "Error: All of topic, message, and response topic must be supplied.\n");
		tell_usage(o);
		return false;
	}
	if (o->no_retained && o->retained_only) {
		fprintf(stderr, "\nError: Combining '-R' and '--retained-only' makes no sense.\n");
		return false;
	}
	/* A session without a name keeps nothing, which -c and -x promise. */
	if (o->id && !*o->id) {
		client_error(o, o->tool == TOOL_PUB ? "Error: Invalid id." :
			     "Error: Invalid id and/or clean_session.");
		return false;
	}
	return true;
}

static int run(size_t i, const char *name, int argc, char **argv)
{
	struct options o;
	int status = STATUS_ERROR;

	switch (options_parse(&o, tools[i].tool, name, argc - 1, argv + 1)) {
	case PARSED_HELP:
		usage_print(&o);
		break;
	case PARSED_VERSION:
		printf("%s version %s.\n", o.name, KMQTT_VERSION);
		break;
	case PARSED_ERROR:
		tell_usage(&o);
		break;
	case PARSED_OK:
		if (is_complete(&o))
			status = tools[i].run(&o);
		break;
	}
	options_free(&o);
	return status;
}

int kmqtt_pubsub(const char *word, int argc, char **argv)
{
	const char *base = strrchr(word, '/');
	size_t i;

	base = base ? base + 1 : word;
	for (i = 0; i < sizeof(tools) / sizeof(tools[0]); i++) {
		if (!strcmp(base, tools[i].word))
			return run(i, tools[i].name, argc, argv);
		if (!strncmp(base, "kmqtt_", 6) &&
		    !strcmp(base + 6, tools[i].word))
			return run(i, base, argc, argv);
	}
	return -1;
}

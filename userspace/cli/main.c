// SPDX-License-Identifier: GPL-2.0
/* kmqtt: global options, and which object is meant. */
#include <getopt.h>
#include <stdio.h>

#include "netns.h"
#include "objects.h"
#include "out.h"
#include "pubsub.h"

static const char usage[] =
	"Usage: kmqtt [ OPTIONS ] OBJECT { COMMAND | help }\n"
	"       kmqtt [ OPTIONS ] { pub | sub | rr } ...\n"
	"OBJECT:\n"
	"  show          the switch: limits, totals, state; if no OBJECT is given\n"
	"  set           its limits\n"
	"  listener      where remote MQTT clients connect to\n"
	"  uplink        brokers to which the kernel is a client\n"
	"  session       peers: processes, clients, uplinks\n"
	"  subscription  who has subscribed to what\n"
	"  retained      retained messages\n"
	"  acl           who may publish and subscribe to what\n"
	"  passwd        users and their passwords\n"
	"  monitor       events as they happen\n"
	"  stats         counters\n"
	"  top           counters and sessions, live\n"
	"  bench         how fast a broker is, and what it costs\n"
	"  pub, sub, rr  publish and subscribe, as mosquitto_pub, _sub and _rr do\n"
	"OPTIONS:\n"
	"  -j, --json        print JSON\n"
	"  -p, --pretty      with -j: line breaks and indentation\n"
	"  -s, --stats       more: counters and settings of each object\n"
	"  -n, --netns NAME  in this network namespace\n"
	"  -V, --version     print the version\n"
	"  -h, --help        print this\n"
	"Words may be shortened while they are unambiguous. Exit status: 0; 1 for a\n"
	"mistake in the command line; 2 if the kernel refused.\n";

/* Those without a function parse their own words: kmqtt_pubsub(). */
static const struct command objects[] = {
	{ "show", switch_show_main },
	{ "set", switch_set_main },
	{ "listener", listener_main },
	{ "uplink", uplink_main },
	{ "session", session_main },
	{ "subscription", subscription_main },
	{ "retained", retained_main },
	{ "acl", acl_main },
	{ "passwd", passwd_main },
	{ "monitor", monitor_main },
	{ "stats", stats_main },
	{ "top", top_main },
	{ "bench", bench_main },
	{ "pub", NULL },
	{ "sub", NULL },
	{ "rr", NULL },
};

static int object_run(int argc, char **argv)
{
	struct args args = { argc, argv };
	int i = 0, ret;

	if (is_help(&args, true)) {
		fputs(usage, stdout);
		return STATUS_OK;
	}
	if (argc) {
		i = word_find(args_next(&args), objects, sizeof(objects[0]),
			      ARRAY_SIZE(objects), "object");
		if (i < 0) {
			fputs("Try \"kmqtt help\".\n", stderr);
			return STATUS_USAGE;
		}
	}
	if (!objects[i].run)
		return kmqtt_pubsub(objects[i].name, argc, argv);
	ret = objects[i].run(&args);
	if (out_flush() && !ret)
		ret = STATUS_REFUSED;
	return ret;
}

/* Return: -1 to go on, else the exit status */
static int options_parse(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "pretty", no_argument, NULL, 'p' },
		{ "stats", no_argument, NULL, 's' },
		{ "netns", required_argument, NULL, 'n' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	const char *netns = NULL;
	int opt;

	/* as in iproute2, -json is --json too */
	while ((opt = getopt_long_only(argc, argv, "+jpsn:Vh", options, NULL)) != -1) {
		switch (opt) {
		case 'j':
			out_options.json = true;
			break;
		case 'p':
			out_options.pretty = true;
			break;
		case 's':
			out_options.stats = true;
			break;
		case 'n':
			netns = optarg;
			break;
		case 'V':
			printf("kmqtt %s\n", KMQTT_VERSION);
			return STATUS_OK;
		case 'h':
			fputs(usage, stdout);
			return STATUS_OK;
		default:
			return STATUS_USAGE;
		}
	}
	opt = netns ? netns_enter(netns) : STATUS_OK;
	return opt ? opt : -1;
}

int main(int argc, char **argv)
{
	int ret, first;

	/* installed under the names kmqtt_pub, kmqtt_sub and kmqtt_rr too */
	ret = argc ? kmqtt_pubsub(argv[0], argc, argv) : -1;
	if (ret >= 0)
		return ret;
	ret = options_parse(argc, argv);
	if (ret >= 0)
		return ret;
	first = optind;
	/* what is called next looks at its own words from the beginning */
	optind = 0;
	return object_run(argc - first, argv + first);
}

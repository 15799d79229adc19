// SPDX-License-Identifier: GPL-2.0
/* kmqtt bench: how fast is a broker, and what does it cost? */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "bench.h"
#include "objects.h"
#include "out.h"

static const char usage[] =
	"Usage: kmqtt bench HOST[:PORT] [ MODE ] [ SETTING VALUE ] ...\n"
	"MODE:\n"
	"  flow        publishers to subscribers, as fast as it goes; if none is given\n"
	"  round-trip  one message after another at a rate; how long each takes\n"
	"  filters     as flow, each message for one of many filters\n"
	"  retained    what subscribers get that come to many retained messages\n"
	"  connect     clients that connect and leave\n"
	"  idle        clients that are there: memory\n"
	"SETTING:\n"
	"  publishers N    clients that publish (1)\n"
	"  subscribers N   clients that subscribe (1)\n"
	"  pairs N         so many of both, each two with a topic of their own\n"
	"  shared on       the subscribers share one subscription\n"
	"  qos N           of messages and subscriptions (0)\n"
	"  size BYTES      of payloads, 16 or more (64)\n"
	"  version 311|5   of the protocol (311)\n"
	"  window N        messages on their way (1000); of large ones at most 4 MiB\n"
	"  inflight N      of one publisher, not acknowledged (20)\n"
	"  seconds N       measure so long (5)\n"
	"  deliveries N    measure so many, if that takes no longer\n"
	"  rate N          messages a second of round-trip (1000)\n"
	"  count N         filters (100000), retained messages (10000), connections (1000)\n"
	"  wildcard on     the filters have a wildcard\n"
	"  bare on         idle: sockets to a listener of its own, to compare with\n"
	"  topic NAME      first level of all topics (load)\n"
	"  username NAME   to connect with\n"
	"  password-file PATH  whose content is the password\n"
	"  pid N           tell the memory of this process, too\n"
	"Every delivery is counted, and its size and order are checked. Processor time is\n"
	"that of all this machine but this command, for who runs the broker on it.\n";

enum type { NUMBER, DURATION, SWITCH, VERSION, TEXT, PASSWORD };

static const struct setting {
	const char *name;
	enum type type;
	size_t offset;
	uint64_t min;
	uint64_t max;
} settings[] = {
#define SETTING(n, t, member, ...) { n, t, offsetof(struct bench_conf, member), __VA_ARGS__ }
	SETTING("publishers", NUMBER, publishers, 1, 100000),
	SETTING("subscribers", NUMBER, subscribers, 1, 100000),
	SETTING("pairs", NUMBER, publishers, 1, 10000),
	SETTING("shared", SWITCH, shared, 0, 0),
	SETTING("qos", NUMBER, qos, 0, 2),
	SETTING("size", NUMBER, size, BENCH_SIZE_MIN, 100000000),
	SETTING("version", VERSION, version, 0, 0),
	SETTING("window", NUMBER, window, 2, 1000000),
	SETTING("inflight", NUMBER, inflight, 1, 65535),
	SETTING("seconds", DURATION, ns, 1, 86400),
	SETTING("deliveries", NUMBER, deliveries, 1, UINT32_MAX),
	SETTING("rate", NUMBER, rate, 1, 100000),
	SETTING("count", NUMBER, count, 1, 9999999),
	SETTING("wildcard", SWITCH, wildcard, 0, 0),
	SETTING("bare", SWITCH, bare, 0, 0),
	SETTING("topic", TEXT, prefix, 0, 0),
	SETTING("username", TEXT, username, 0, 0),
	SETTING("password-file", PASSWORD, password, 0, 0),
	SETTING("pid", NUMBER, pid, 1, INT32_MAX),
#undef SETTING
};

static const struct mode {
	const char *name;
	void (*run)(struct bench_result *result);
	uint64_t count;
} modes[] = {
	[BENCH_FLOW] = { "flow", bench_flow, 1 },
	[BENCH_ROUND_TRIP] = { "round-trip", bench_round_trip, 1 },
	[BENCH_FILTERS] = { "filters", bench_flow, 100000 },
	[BENCH_RETAINED] = { "retained", bench_retained, 10000 },
	[BENCH_CONNECT] = { "connect", bench_connect, 1000 },
	[BENCH_IDLE] = { "idle", bench_idle, 1000 },
};

noreturn void bench_fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("kmqtt bench: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(STATUS_REFUSED);
}

static int setting_parse(const struct setting *s, const char *value, struct bench_conf *conf)
{
	void *to = (char *)conf + s->offset;
	double seconds;
	char *end;

	switch (s->type) {
	case NUMBER:
		if (!strcmp(s->name, "pairs"))
			conf->pairs = true;
		return number_parse(value, s->min, s->max, s->name, to);
	case DURATION:
		seconds = strtod(value, &end);
		if (end == value || *end || !(seconds > 0 && seconds <= s->max))
			return usage_error("%s: \"%s\" is not a number up to %llu", s->name, value,
					   (unsigned long long)s->max);
		*(uint64_t *)to = seconds * 1e9;
		return STATUS_OK;
	case SWITCH:
		return bool_parse(value, s->name, to);
	case VERSION:
		if (strcmp(value, "311") && strcmp(value, "5"))
			return usage_error("version: \"%s\" is not 311 or 5", value);
		*(uint64_t *)to = *value == '5' ? 5 : 4;
		return STATUS_OK;
	case PASSWORD:
		conf->password = file_read(value, UINT16_MAX, &conf->password_len);
		return conf->password ? STATUS_OK : STATUS_USAGE;
	case TEXT:
		*(const char **)to = value;
		if (strlen(value) <= (to == &conf->prefix ? 32 : UINT16_MAX))
			return STATUS_OK;
		return usage_error("%s: it is too long", s->name);
	}
	return STATUS_USAGE;
}

/* A mode may be left out; a word counts as one if it is no setting in full. */
static bool is_setting(const char *word)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(settings); i++)
		if (!strcmp(word, settings[i].name))
			return true;
	return false;
}

static int conf_check(struct bench_conf *conf)
{
	if (conf->pairs)
		conf->subscribers = conf->publishers;
	if (conf->pairs && (conf->shared || conf->mode != BENCH_FLOW))
		return usage_error("pairs are of the mode flow, and share nothing");
	if (conf->mode == BENCH_ROUND_TRIP && conf->publishers + conf->subscribers != 2)
		return usage_error("round-trip is from one publisher to one subscriber");
	if (conf->mode == BENCH_RETAINED && conf->publishers != 1)
		return usage_error("retained has one publisher");
	return STATUS_OK;
}

static int conf_parse(struct args *args, struct bench_conf *conf)
{
	struct server servers[SERVERS_MAX];
	const char *word = args_need(args, "HOST[:PORT]"), *value;
	size_t count;
	int i;

	if (!word || servers_resolve(word, servers, &count))
		return STATUS_USAGE;
	conf->server = servers[0];
	if (args->count && !is_setting(args->words[0])) {
		i = word_find(args_next(args), modes, sizeof(*modes), ARRAY_SIZE(modes), "mode");
		if (i < 0)
			return STATUS_USAGE;
		conf->mode = i;
	}
	conf->count = modes[conf->mode].count;
	while ((word = args_next(args))) {
		i = word_find(word, settings, sizeof(*settings), ARRAY_SIZE(settings), "setting");
		if (i < 0)
			return STATUS_USAGE;
		value = args_value(args, settings[i].name);
		if (!value || setting_parse(&settings[i], value, conf))
			return STATUS_USAGE;
	}
	return conf_check(conf);
}

static const struct {
	const char *key;
	const char *label;
	unsigned int thousandths;
} percentiles[] = {
	{ "p50_ns", "p50", 500 },
	{ "p99_ns", "p99", 990 },
	{ "p999_ns", "p99.9", 999 },
	{ "max_ns", "max", 1000 },
};

/* The smallest of which so many thousandths of all are not larger. */
static uint32_t percentile(const struct bench_result *result, unsigned int thousandths)
{
	size_t rank = (result->samples * thousandths + 999) / 1000;

	return result->samples ? result->latency[rank ? rank - 1 : 0] : 0;
}

static void word(const char *fmt, ...)
{
	char text[128];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	out_word(text);
}

/* Text: what it means; JSON has what was counted. */
static void result_text(const struct bench_result *r, enum bench_mode mode)
{
	const char *what = mode < BENCH_CONNECT ? "delivery" : "connection";
	double n = r->n ? r->n : 1, seconds = r->spent.ns / 1e9;
	size_t i;

	out_line(0);
	word("%s %llu seconds %.3f rate %.0f/s", mode < BENCH_CONNECT ? "deliveries" : "connections",
	     (unsigned long long)r->n, seconds, r->n / seconds);
	if (r->lost)
		word("lost %llu", (unsigned long long)r->lost);
	if (r->spent.machine) {
		out_line(4);
		word("processor %.3f us a %s, and %.3f us of this command",
		     (double)(int64_t)(r->spent.machine - r->spent.own) / n / 1e3, what,
		     r->spent.own / n / 1e3);
	}
	out_line(4);
	word("switches %.3f a %s, and %.3f of this command",
	     (double)(int64_t)(r->spent.switches - r->spent.own_switches) / n, what,
	     r->spent.own_switches / n);
	if (r->samples) {
		out_line(4);
		word("latency");
		for (i = 0; i < ARRAY_SIZE(percentiles); i++)
			word("%s %.1f us", percentiles[i].label,
			     percentile(r, percentiles[i].thousandths) / 1e3);
	}
	out_line(4);
	word("memory of the kernel %+.1f KiB, of the process %+.1f KiB",
	     (r->spent.kernel_memory + r->setup_kernel_memory) / 1024.0,
	     (r->spent.pid_memory + r->setup_pid_memory) / 1024.0);
}

/* Memory may have shrunk, and JSON has numbers of a sign, too. */
static void out_int(const char *key, int64_t value)
{
	out_uint(key, NULL, value > 0 ? value : 0);
}

static void result_json(const struct bench_result *r, const struct bench_conf *c)
{
	size_t i;

	out_object_begin(NULL);
	out_str("mode", NULL, modes[c->mode].name);
	out_uint("publishers", NULL, c->publishers);
	out_uint("subscribers", NULL, c->subscribers);
	out_uint("qos", NULL, c->qos);
	out_uint("size", NULL, c->size);
	out_uint("version", NULL, c->version);
	out_uint("count", NULL, c->count);
	out_uint("n", NULL, r->n);
	out_uint("lost", NULL, r->lost);
	out_uint("ns", NULL, r->spent.ns);
	out_int("cpu_ns", r->spent.machine - r->spent.own);
	out_uint("own_cpu_ns", NULL, r->spent.own);
	out_int("switches", r->spent.switches - r->spent.own_switches);
	out_uint("own_switches", NULL, r->spent.own_switches);
	out_int("kernel_memory", r->spent.kernel_memory);
	out_int("used_memory", r->spent.used_memory - r->spent.own_memory);
	out_int("pid_memory", r->spent.pid_memory);
	out_int("setup_kernel_memory", r->setup_kernel_memory);
	out_int("setup_pid_memory", r->setup_pid_memory);
	for (i = 0; r->samples && i < ARRAY_SIZE(percentiles); i++)
		out_uint(percentiles[i].key, NULL, percentile(r, percentiles[i].thousandths));
	out_object_end();
}

int bench_main(struct args *args)
{
	struct bench_conf conf = {
		.publishers = 1,
		.subscribers = 1,
		.version = 4,
		.size = 64,
		.window = 1000,
		.inflight = 20,
		.ns = 5000000000,
		.rate = 1000,
		.prefix = "load",
	};
	struct bench_result result = { 0 };

	if (is_help(args, false)) {
		fputs(usage, stdout);
		return STATUS_OK;
	}
	if (conf_parse(args, &conf))
		return STATUS_USAGE;
	bench.conf = &conf;
	modes[conf.mode].run(&result);
	if (out_options.json)
		result_json(&result, &conf);
	else
		result_text(&result, conf.mode);
	free(result.latency);
	if (!result.lost)
		return STATUS_OK;
	fprintf(stderr, "kmqtt bench: %llu deliveries were lost\n",
		(unsigned long long)result.lost);
	return STATUS_REFUSED;
}

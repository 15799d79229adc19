// SPDX-License-Identifier: GPL-2.0
#include "options.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "format.h"
#include "topic.h"

#define PUB	TOOL_PUB
#define SUB	TOOL_SUB
#define RR	TOOL_RR
#define ALL	(TOOL_PUB | TOOL_SUB | TOOL_RR)

/* Largest payload, as libmosquitto has it (MQTT 5.0, 2.1.4). */
#define PAYLOAD_MAX	268435455U

/**
 * struct option - one option
 * @name:	as it is called in messages
 * @other:	its other name, or NULL
 * @tools:	which programs have it
 * @value:	what its value is called in messages; NULL if it has none
 * @set:	stores it: 0, or -1 after telling why not
 * @flag:	or where the bool is that it sets; without both it has no effect
 */
struct option {
	const char *name;
	const char *other;
	unsigned int tools;
	const char *value;
	int (*set)(struct options *o, const char *value);
	size_t flag;
};

int strings_add(struct strings *list, const char *s)
{
	const char **v = realloc(list->v, (list->n + 1) * sizeof(*v));

	if (!v) {
		fprintf(stderr, "Error: Out of memory.\n");
		return -1;
	}
	v[list->n++] = s;
	list->v = v;
	return 0;
}

bool options_shows_props(const struct options *o)
{
	return !o->version || o->version == 5;
}

/* As atoi(), with a value for what no int can hold. */
static int number(const char *value)
{
	long n = strtol(value, NULL, 10);

	return n < INT_MIN || n > INT_MAX ? -1 : (int)n;
}

/* ---- topics ---- */

static int utf8_check(const char *value, const char *option)
{
	if (utf8_valid(value, strlen(value)))
		return 0;
	fprintf(stderr, "Error: Malformed UTF-8 in %s argument.\n\n", option);
	return -1;
}

static int name_check(const char *value, const char *option, const char *kind)
{
	if (utf8_check(value, option) < 0)
		return -1;
	if (topic_name_valid(value))
		return 0;
	fprintf(stderr, "Error: Invalid %s topic '%s', does it contain '+' or '#'?\n",
		kind, value);
	return -1;
}

static int filter_add(struct strings *list, const char *value,
		      const char *option, const char *kind)
{
	if (utf8_check(value, option) < 0)
		return -1;
	if (topic_filter_valid(value))
		return strings_add(list, value);
	fprintf(stderr, "Error: Invalid %s topic '%s', are all '+' and '#' wildcards correct?\n",
		kind, value);
	return -1;
}

static int topic_add(struct options *o, const char *value, const char *option)
{
	if (o->tool == TOOL_SUB)
		return filter_add(&o->topics, value, option, "subscription");
	if (name_check(value, option, "publish") < 0)
		return -1;
	o->topic = value;
	return 0;
}

static int set_topic(struct options *o, const char *value)
{
	return topic_add(o, value, "-t");
}

static int set_response_topic(struct options *o, const char *value)
{
	if (name_check(value, "-e", "response") < 0)
		return -1;
	o->response_topic = value;
	return 0;
}

static int set_filter_out(struct options *o, const char *value)
{
	return filter_add(&o->filter_out, value, "-T", "filter");
}

static int set_unsubscribe(struct options *o, const char *value)
{
	return filter_add(&o->unsubscribe, value, "-U", "unsubscribe");
}

/* Only the topic of mqtt://user:password@host:port/topic counts here. */
static int set_url(struct options *o, const char *value)
{
	static const char * const schemes[] = {
		"mqtt://", "mqtts://", "ws://", "wss://",
	};
	const char *topic;
	size_t i, len = 0;

	for (i = 0; i < sizeof(schemes) / sizeof(schemes[0]) && !len; i++)
		if (!strncasecmp(value, schemes[i], strlen(schemes[i])))
			len = strlen(schemes[i]);
	if (!len) {
		fprintf(stderr, "Error: unsupported URL scheme.\n\n");
		return -1;
	}
	topic = strchr(value + len, '/');
	if (!topic) {
		fprintf(stderr, "Error: Invalid URL for -L argument specified - topic missing.\n");
		return -1;
	}
	if (strings_add(&o->no_effect, "-L (but for its topic)") < 0)
		return -1;
	return topic_add(o, topic + 1, "-L topic");
}

/* ---- what to publish ---- */

static int mode_set(struct options *o, enum pub_mode mode)
{
	if (o->mode != MODE_NONE) {
		fprintf(stderr, "Error: Only one type of message can be sent at once.\n\n");
		return -1;
	}
	o->mode = mode;
	return 0;
}

static int set_message(struct options *o, const char *value)
{
	if (strlen(value) > PAYLOAD_MAX) {
		fprintf(stderr, "Error: Message length must be less than %u bytes.\n\n",
			PAYLOAD_MAX);
		return -1;
	}
	o->message = value;
	return mode_set(o, MODE_MESSAGE);
}

static int set_file(struct options *o, const char *value)
{
	o->file = value;
	return mode_set(o, MODE_FILE);
}

static int set_lines(struct options *o, const char *value)
{
	(void)value;
	return mode_set(o, MODE_LINES);
}

static int set_stdin(struct options *o, const char *value)
{
	(void)value;
	return mode_set(o, MODE_STDIN);
}

static int set_null(struct options *o, const char *value)
{
	(void)value;
	return mode_set(o, MODE_NULL);
}

static int set_qos(struct options *o, const char *value)
{
	int n = number(value);

	if (n < 0 || n > 2) {
		fprintf(stderr, "Error: Invalid QoS given: %d\n", n);
		return -1;
	}
	o->qos = n;
	return 0;
}

static int set_repeat(struct options *o, const char *value)
{
	int n = number(value);

	if (n < 1) {
		fprintf(stderr, "Error: --repeat argument must be >0.\n\n");
		return -1;
	}
	o->repeat = n;
	return 0;
}

static int set_repeat_delay(struct options *o, const char *value)
{
	double seconds = strtod(value, NULL);

	if (!(seconds >= 0.0 && seconds < 1e9)) {
		fprintf(stderr, "Error: --repeat-delay argument must be >=0.0.\n\n");
		return -1;
	}
	o->repeat_delay_us = (uint64_t)(seconds * 1e6);
	return 0;
}

static int set_wait(struct options *o, const char *value)
{
	double seconds = strtod(value, NULL);

	if (!(seconds >= 0.0 && seconds < 4e6)) {
		fprintf(stderr, "Error: --wait argument must be >=0.0.\n\n");
		return -1;
	}
	o->wait = true;
	o->wait_ms = (unsigned int)(seconds * 1e3);
	return 0;
}

/* ---- the session ---- */

static int set_id(struct options *o, const char *value)
{
	if (o->id_prefix) {
		fprintf(stderr, "Error: -i and -I argument cannot be used together.\n\n");
		return -1;
	}
	o->id = value;
	return 0;
}

static int set_id_prefix(struct options *o, const char *value)
{
	if (o->id) {
		fprintf(stderr, "Error: -i and -I argument cannot be used together.\n\n");
		return -1;
	}
	o->id_prefix = value;
	return 0;
}

static int set_expiry(struct options *o, const char *value)
{
	long long n;
	char *end;

	if (!strcmp(value, "∞")) {
		o->expiry = KMQTT_FOREVER;
		return 0;
	}
	errno = 0;
	n = strtoll(value, &end, 0);
	if (end == value || *end) {
		fprintf(stderr, "Error: session-expiry-interval not a number.\n\n");
		return -1;
	}
	if (errno || n < -1 || n > UINT32_MAX) {
		fprintf(stderr, "Error: session-expiry-interval out of range.\n\n");
		return -1;
	}
	o->expiry = n < 0 ? KMQTT_FOREVER : n;
	return 0;
}

static int set_max_inflight(struct options *o, const char *value)
{
	int n = number(value);

	if (n < 1) {
		fprintf(stderr, "Error: Maximum inflight messages must be greater than 0.\n\n");
		return -1;
	}
	o->max_inflight = n;
	return 0;
}

static int set_version(struct options *o, const char *value)
{
	if (!strcmp(value, "mqttv31") || !strcmp(value, "31")) {
		o->version = 3;
	} else if (!strcmp(value, "mqttv311") || !strcmp(value, "311")) {
		o->version = 4;
	} else if (!strcmp(value, "mqttv5") || !strcmp(value, "5")) {
		o->version = 5;
	} else {
		fprintf(stderr, "Error: Invalid protocol version argument given.\n\n");
		return -1;
	}
	return 0;
}

/* ---- printing ---- */

static int set_format(struct options *o, const char *value)
{
	o->format = value;
	return format_check(value);
}

static int set_count(struct options *o, const char *value)
{
	int n = number(value);

	if (n < 1) {
		fprintf(stderr, "Error: Invalid message count \"%d\".\n\n", n);
		return -1;
	}
	o->count = n;
	return 0;
}

static int set_timeout(struct options *o, const char *value)
{
	int n = number(value);

	if (n < 1) {
		fprintf(stderr, "Error: Invalid timeout \"%d\".\n\n", n);
		return -1;
	}
	o->timeout = n;
	return 0;
}

static int set_random_filter(struct options *o, const char *value)
{
	double chance = strtod(value, NULL);

	if (!(chance >= 0.1 && chance <= 100.0)) {
		fprintf(stderr, "Error: --random-filter chance must be between 0.1-100.0\n\n");
		return -1;
	}
	o->random_filter = (unsigned int)(chance * 100.0);
	return 0;
}

static int set_retain_handling(struct options *o, const char *value)
{
	static const char * const words[] = { "always", "new", "never" };
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(value, words[i]))
			continue;
		o->retain_handling = i;
		return 0;
	}
	fprintf(stderr, "Error: Unknown value '%s' for --retain-handling.\n\n",
		value);
	return -1;
}

static int set_no_retained(struct options *o, const char *value)
{
	(void)value;
	o->no_retained = true;
	o->retain_handling = KMQTT_RETAIN_SEND_NEVER;
	return 0;
}

/* ---- what has no effect, but is checked ---- */

static int set_keepalive(struct options *o, const char *value)
{
	int n = number(value);

	if (n < 5 || n > UINT16_MAX) {
		fprintf(stderr, "Error: Invalid keepalive given, it must be between 5 and 65535 inclusive.\n\n");
		return -1;
	}
	return strings_add(&o->no_effect, "-k");
}

static int set_port(struct options *o, const char *value)
{
	int n = number(value);

	if (n < 0 || n > UINT16_MAX) {
		fprintf(stderr, "Error: Invalid port given: %d\n", n);
		return -1;
	}
	return strings_add(&o->no_effect, "-p");
}

static int set_will_payload(struct options *o, const char *value)
{
	(void)value;
	o->will_payload = true;
	return strings_add(&o->no_effect, "--will-payload");
}

static int set_will_qos(struct options *o, const char *value)
{
	int n = number(value);

	if (n < 0 || n > 2) {
		fprintf(stderr, "Error: Invalid will QoS %d.\n\n", n);
		return -1;
	}
	return strings_add(&o->no_effect, "--will-qos");
}

static int set_will_retain(struct options *o, const char *value)
{
	(void)value;
	o->will_retain = true;
	return strings_add(&o->no_effect, "--will-retain");
}

static int set_will_topic(struct options *o, const char *value)
{
	if (name_check(value, "--will-topic", "will") < 0)
		return -1;
	o->will_topic = value;
	return strings_add(&o->no_effect, "--will-topic");
}

/* ---- flags ---- */

static int set_clean(struct options *o, const char *value)
{
	(void)value;
	o->clean = false;
	return 0;
}

static int set_eol(struct options *o, const char *value)
{
	(void)value;
	o->eol = false;
	return 0;
}

#define FLAG(member)	.flag = offsetof(struct options, member)

static const struct option options[] = {
	{ "-A", NULL, ALL, .value = "address" },
	{ "--cafile", NULL, ALL, .value = "file" },
	{ "--capath", NULL, ALL, .value = "directory" },
	{ "--cert", NULL, ALL, .value = "file" },
	{ "--ciphers", NULL, ALL, .value = "ciphers" },
	{ "-C", NULL, SUB, "count", .set = set_count },
	{ "-c", "--disable-clean-session", ALL, NULL, .set = set_clean },
	{ "-d", "--debug", ALL, NULL, FLAG(debug) },
	{ "-e", NULL, RR, "response topic", .set = set_response_topic },
	{ "-E", NULL, SUB, NULL, FLAG(exit_after_sub) },
	{ "-f", "--file", PUB | RR, "file", .set = set_file },
	{ "-F", NULL, SUB | RR, "format", .set = set_format },
	{ "-h", "--host", ALL, .value = "host" },
	{ "--insecure", NULL, ALL, .value = NULL },
	{ "-i", "--id", ALL, "id", .set = set_id },
	{ "-I", "--id-prefix", ALL, "id prefix", .set = set_id_prefix },
	{ "-k", "--keepalive", ALL, "keepalive", .set = set_keepalive },
	{ "--key", NULL, ALL, .value = "file" },
	{ "--keyform", NULL, ALL, .value = "keyform" },
	{ "-L", "--url", ALL, "URL", .set = set_url },
	{ "-l", "--stdin-line", PUB, NULL, .set = set_lines },
	{ "-m", "--message", PUB | RR, "message", .set = set_message },
	{ "-M", NULL, ALL, "max_inflight", .set = set_max_inflight },
	{ "--nodelay", NULL, ALL, .value = NULL },
	{ "--no-tls", NULL, ALL, .value = NULL },
	{ "-n", "--null-message", PUB | RR, NULL, .set = set_null },
	{ "-N", NULL, SUB | RR, NULL, .set = set_eol },
	{ "-p", "--port", ALL, "port", .set = set_port },
	{ "--pretty", NULL, SUB | RR, NULL, FLAG(pretty) },
	{ "-P", "--pw", ALL, .value = "password" },
	{ "--proxy", NULL, ALL, .value = "proxy url" },
	{ "--psk", NULL, ALL, .value = "key" },
	{ "--psk-identity", NULL, ALL, .value = "identity" },
	{ "-q", "--qos", ALL, "QoS", .set = set_qos },
	{ "--quiet", NULL, ALL, NULL, FLAG(quiet) },
	{ "-r", "--retain", PUB, NULL, FLAG(retain) },
	{ "-R", NULL, SUB | RR, NULL, .set = set_no_retained },
	{ "--random-filter", NULL, SUB, "chance", .set = set_random_filter },
	{ "--remove-retained", NULL, SUB, NULL, FLAG(remove_retained) },
	{ "--repeat", NULL, PUB, "count", .set = set_repeat },
	{ "--repeat-delay", NULL, PUB, "time", .set = set_repeat_delay },
	{ "--retain-as-published", NULL, SUB | RR, NULL,
	  FLAG(retain_as_published) },
	{ "--retain-handling", NULL, SUB, "value", .set = set_retain_handling },
	{ "--retained-only", NULL, SUB, NULL, FLAG(retained_only) },
	{ "-s", "--stdin-file", PUB | RR, NULL, .set = set_stdin },
	{ "-S", NULL, ALL, .value = NULL },
	{ "-t", "--topic", ALL, "topic", .set = set_topic },
	{ "-T", "--filter-out", SUB, "topic filter", .set = set_filter_out },
	{ "--tls-alpn", NULL, ALL, .value = "protocol" },
	{ "--tls-engine", NULL, ALL, .value = "engine_id" },
	{ "--tls-engine-kpass-sha1", NULL, ALL, .value = "kpass sha1" },
	{ "--tls-use-os-certs", NULL, ALL, .value = NULL },
	{ "--tls-version", NULL, ALL, .value = "version" },
	{ "-U", "--unsubscribe", SUB, "unsubscribe topic", .set = set_unsubscribe },
	{ "-u", "--username", ALL, .value = "username" },
	{ "--unix", NULL, ALL, .value = "socket path" },
	{ "--protocol-version", "-V", ALL, "version", .set = set_version },
	{ "-v", "--verbose", SUB | RR, NULL, FLAG(verbose) },
	{ "-W", NULL, SUB | RR, "timeout", .set = set_timeout },
	{ "--wait", NULL, PUB, "time", .set = set_wait },
	{ "--will-payload", NULL, ALL, "will payload", .set = set_will_payload },
	{ "--will-qos", NULL, ALL, "will QoS", .set = set_will_qos },
	{ "--will-retain", NULL, ALL, NULL, .set = set_will_retain },
	{ "--will-topic", NULL, ALL, "will topic", .set = set_will_topic },
	{ "--ws", NULL, ALL, .value = NULL },
	{ "-x", NULL, ALL, "session expiry interval", .set = set_expiry },
};

static const struct option *option_find(const char *word, enum tool tool)
{
	size_t i;

	for (i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (options[i].tools & tool &&
		    (!strcmp(options[i].name, word) ||
		     (options[i].other && !strcmp(options[i].other, word))))
			return &options[i];
	return NULL;
}

static void value_missing(const struct option *opt)
{
	if (!strcmp(opt->name, "-M"))
		fprintf(stderr, "Error: -M argument given but max_inflight not specified.\n\n");
	else
		fprintf(stderr, "Error: %s argument given but no %s specified.\n\n",
			opt->name, opt->value);
}

static int option_set(struct options *o, const struct option *opt,
		      const char *value)
{
	if (opt->set)
		return opt->set(o, value);
	if (!opt->flag)
		return strings_add(&o->no_effect, opt->name);
	*(bool *)((char *)o + opt->flag) = true;
	return 0;
}

/* A line of an options file, or the command line. */
static enum parsed parse_words(struct options *o, int argc, char **argv)
{
	const struct option *opt;
	int i;

	for (i = 0; i < argc; i++) {
		if (!strcmp(argv[i], "--help"))
			return PARSED_HELP;
		if (!strcmp(argv[i], "--version"))
			return PARSED_VERSION;
		if (!strcmp(argv[i], "-o")) {
			/* It was read before all others. */
			i++;
			continue;
		}
		if (!strcmp(argv[i], "-D") || !strcmp(argv[i], "--property")) {
			i++;
			if (property_parse(o, argc, argv, &i) < 0)
				return PARSED_ERROR;
			o->version = 5;
			continue;
		}
		opt = option_find(argv[i], o->tool);
		if (!opt) {
			fprintf(stderr, "Error: Unknown option '%s'.\n", argv[i]);
			return PARSED_ERROR;
		}
		if (opt->value && i == argc - 1) {
			value_missing(opt);
			return PARSED_ERROR;
		}
		if (opt->value)
			i++;
		if (option_set(o, opt, argv[i]) < 0)
			return PARSED_ERROR;
	}
	return PARSED_OK;
}

/* ---- the options file ---- */

/* One line: an option, and all that follows the first blank as its value. */
static enum parsed parse_line(struct options *o, const char *text)
{
	char *line = strdup(text);
	char *words[2], *rest;

	if (!line || strings_add(&o->owned, line) < 0) {
		free(line);
		return PARSED_ERROR;
	}
	line[strcspn(line, "\r\n")] = '\0';
	words[0] = strtok_r(line, " ", &rest);
	if (!words[0])
		return PARSED_OK;
	words[1] = rest;
	return parse_words(o, *rest ? 2 : 1, words);
}

static FILE *file_default(const struct options *o)
{
	static const char * const names[] = {
		[TOOL_PUB] = "pub", [TOOL_SUB] = "sub", [TOOL_RR] = "rr",
	};
	const char *dir = getenv("XDG_CONFIG_HOME"), *under = "";
	char *path;
	FILE *f;

	if (!dir) {
		dir = getenv("HOME");
		under = "/.config";
	}
	if (!dir || asprintf(&path, "%s%s/kmqtt_%s", dir, under,
			     names[o->tool]) < 0)
		return NULL;
	f = fopen(path, "r");
	free(path);
	return f;
}

static int file_find(struct options *o, int argc, char **argv)
{
	int i;

	for (i = 0; i < argc; i++) {
		if (strcmp(argv[i], "-o"))
			continue;
		if (o->options_file) {
			fprintf(stderr, "Error: Duplicate -o argument given.\n\n");
			return -1;
		}
		if (i == argc - 1) {
			fprintf(stderr, "Error: -o argument given but no options file specified.\n\n");
			return -1;
		}
		o->options_file = argv[++i];
	}
	return 0;
}

static enum parsed parse_file(struct options *o, int argc, char **argv)
{
	enum parsed ret = PARSED_OK;
	char *line = NULL;
	size_t size = 0;
	FILE *f;

	if (file_find(o, argc, argv) < 0)
		return PARSED_ERROR;
	f = o->options_file ? fopen(o->options_file, "r") : file_default(o);
	if (!f && o->options_file) {
		fprintf(stderr, "Error: Unable to open file \"%s\".\n",
			o->options_file);
		return PARSED_ERROR;
	}
	while (f && ret == PARSED_OK && getline(&line, &size, f) >= 0)
		if (*line != '#')
			ret = parse_line(o, line);
	free(line);
	if (f)
		fclose(f);
	return ret;
}

/* ---- all together ---- */

static bool told(const char *error)
{
	fprintf(stderr, "Error: %s\n", error);
	return false;
}

static bool options_agree(struct options *o)
{
	bool named = o->id;

	if (o->will_payload && !o->will_topic)
		return told("Will payload given, but no will topic given.");
	if (o->will_retain && !o->will_topic)
		return told("Will retain given, but no will topic given.");
	if (o->version == 5) {
		if (!o->clean && o->expiry < 0)
			o->expiry = KMQTT_FOREVER;
		if (o->expiry == KMQTT_FOREVER && !named)
			return told("You must provide a client id if you are using an infinite session expiry interval.");
	} else if (!o->clean && !named) {
		return told("You must provide a client id if you are using the -c option.");
	}
	if (o->tool == TOOL_SUB && !o->topics.n && !o->unsubscribe.n)
		return told("You must specify a topic to subscribe to.");
	return true;
}

enum parsed options_parse(struct options *o, enum tool tool, const char *name,
			  int argc, char **argv)
{
	enum parsed ret;

	memset(o, 0, sizeof(*o));
	o->tool = tool;
	o->name = name;
	o->clean = true;
	o->expiry = -1;
	/* An answer comes with properties; the others leave it to the message. */
	o->version = tool == TOOL_RR ? 5 : 0;
	o->eol = true;
	o->repeat = 1;
	o->random_filter = 10000;
	o->props = kmqtt_props_new();
	if (!o->props) {
		fprintf(stderr, "Error: Out of memory.\n");
		return PARSED_ERROR;
	}
	ret = parse_file(o, argc, argv);
	if (ret == PARSED_OK)
		ret = parse_words(o, argc, argv);
	if (ret == PARSED_OK && !options_agree(o))
		ret = PARSED_ERROR;
	return ret;
}

void options_free(struct options *o)
{
	size_t i;

	for (i = 0; i < o->owned.n; i++)
		free((char *)(uintptr_t)o->owned.v[i]);
	free(o->owned.v);
	free(o->topics.v);
	free(o->filter_out.v);
	free(o->unsubscribe.v);
	free(o->no_effect.v);
	kmqtt_props_free(o->props);
}

// SPDX-License-Identifier: GPL-2.0
/* kmqtt top: counters and sessions, live. */
#include <linux/kmqtt_netlink.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "fields.h"
#include "nl.h"
#include "objects.h"
#include "out.h"

static const char usage[] =
	"Usage: kmqtt top [ -b ] [ -d SECONDS ] [ -n COUNT ]\n"
	"  -b          batch: one report after the other, for a file or a script\n"
	"  -d SECONDS  between two reports; 2 if it is not given; may be a fraction\n"
	"  -n COUNT    end after so many reports\n"
	"Rates are those since the report before. \"q\" or Ctrl-C ends it.\n";

/* Width of the columns before the name of a session. */
#define COLUMNS	61

/**
 * struct peer - a session, as it was when it was asked
 * @number:	its number, which no other one has
 * @kind:	&enum kmqtt_session_type
 * @subscriptions: how many it has
 * @queued:	messages that wait
 * @inflight:	messages that are not acknowledged
 * @published:	messages so far
 * @delivered:	messages so far
 * @dropped:	messages so far
 * @published_rate: messages per second since the sample before
 * @delivered_rate: messages per second since the sample before
 * @name_len:	bytes of @name
 * @name:	its name
 */
struct peer {
	uint64_t number;
	uint64_t kind;
	uint32_t subscriptions;
	uint32_t queued;
	uint32_t inflight;
	uint64_t published;
	uint64_t delivered;
	uint64_t dropped;
	double published_rate;
	double delivered_rate;
	size_t name_len;
	char name[KMQTT_NAME_LEN];
};

/**
 * struct sample - the switch at one moment
 * @time:	CLOCK_MONOTONIC in seconds
 * @stats:	counters, by attribute
 * @totals:	attributes of the switch, by type
 * @clients:	remote clients that are connected
 * @peers:	sessions, in ascending order of their numbers; from malloc()
 * @count:	entries in @peers
 * @room:	entries that fit
 */
struct sample {
	double time;
	uint64_t stats[STATS_KEYS];
	uint64_t totals[KMQTT_A_SWITCH_MAX + 1];
	uint64_t clients;
	struct peer *peers;
	size_t count;
	size_t room;
};

/**
 * struct top - how it is to be shown
 * @batch:	no control codes, no limit on lines
 * @delay_ms:	between two reports
 * @reports:	how many are left; 0: no end
 * @stop_fd:	readable when it is to end, see nl_stop_fd()
 */
struct top {
	bool batch;
	int delay_ms;
	uint64_t reports;
	int stop_fd;
};

static int stats_take(const struct nlmsghdr *nlh, void *ctx)
{
	const struct nlattr *tb[NL_ATTR_MAX];
	struct sample *sample = ctx;
	size_t i;

	nl_parse(nlh, tb);
	for (i = 0; i < STATS_KEYS; i++)
		sample->stats[i] = nl_uint(tb[i]);
	return STATUS_OK;
}

static int totals_take(const struct nlmsghdr *nlh, void *ctx)
{
	const struct nlattr *tb[NL_ATTR_MAX];
	struct sample *sample = ctx;
	size_t i;

	nl_parse(nlh, tb);
	for (i = 0; i < ARRAY_SIZE(sample->totals); i++)
		sample->totals[i] = nl_uint(tb[i]);
	return STATUS_OK;
}

static int peer_take(const struct nlmsghdr *nlh, void *ctx)
{
	const struct nlattr *tb[NL_ATTR_MAX];
	struct sample *sample = ctx;
	struct peer *peer;
	const char *name;

	if (sample->count == sample->room) {
		sample->room = sample->room * 2 + 64;
		peer = realloc(sample->peers, sample->room * sizeof(*peer));
		if (!peer) {
			perror("kmqtt: memory");
			return STATUS_REFUSED;
		}
		sample->peers = peer;
	}
	peer = &sample->peers[sample->count++];
	memset(peer, 0, sizeof(*peer));
	nl_parse(nlh, tb);
	peer->number = nl_uint(tb[KMQTT_A_SESSION_NUMBER]);
	peer->kind = nl_uint(tb[KMQTT_A_SESSION_KIND]);
	sample->clients += peer->kind == KMQTT_SESSION_TYPE_REMOTE &&
			   nl_uint(tb[KMQTT_A_SESSION_ATTACHED]);
	peer->subscriptions = nl_uint(tb[KMQTT_A_SESSION_SUBSCRIPTIONS]);
	peer->queued = nl_uint(tb[KMQTT_A_SESSION_QUEUED_MESSAGES]);
	peer->inflight = nl_uint(tb[KMQTT_A_SESSION_INFLIGHT_MESSAGES]);
	peer->published = nl_uint(tb[KMQTT_A_SESSION_PUBLISHED_MESSAGES]);
	peer->delivered = nl_uint(tb[KMQTT_A_SESSION_DELIVERED_MESSAGES]);
	peer->dropped = nl_uint(tb[KMQTT_A_SESSION_DROPPED_MESSAGES]);
	if (tb[KMQTT_A_SESSION_NAME]) {
		name = attr_text(tb[KMQTT_A_SESSION_NAME], &peer->name_len);
		if (peer->name_len > sizeof(peer->name))
			peer->name_len = sizeof(peer->name);
		memcpy(peer->name, name, peer->name_len);
	}
	return STATUS_OK;
}

static int by_number(const void *a, const void *b)
{
	const struct peer *x = a, *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

static int by_rate(const void *a, const void *b)
{
	const struct peer *x = a, *y = b;
	double dx = x->published_rate + x->delivered_rate;
	double dy = y->published_rate + y->delivered_rate;

	if (dx != dy)
		return dx < dy ? 1 : -1;
	return by_number(a, b);
}

static int sample_take(struct sample *sample)
{
	struct nl_replies replies;
	struct timespec now;
	int ret;

	sample->count = 0;
	sample->clients = 0;
	clock_gettime(CLOCK_MONOTONIC, &now);
	sample->time = now.tv_sec + now.tv_nsec / 1e9;
	ret = nl_do(nl_request(KMQTT_CMD_STATS_GET), stats_take, sample);
	if (!ret)
		ret = nl_do(nl_request(KMQTT_CMD_SWITCH_GET), totals_take,
			    sample);
	if (!ret)
		ret = nl_ask(nl_request(KMQTT_CMD_SESSION_GET), true, &replies);
	if (!ret)
		ret = nl_use(&replies, peer_take, sample);
	if (!ret)
		qsort(sample->peers, sample->count, sizeof(*sample->peers),
		      by_number);
	return ret;
}

static double rate(uint64_t now, uint64_t before, double seconds)
{
	return seconds > 0 && now > before ? (now - before) / seconds : 0;
}

/* The rates of @now, against @before. */
static void rates_fill(struct sample *now, const struct sample *before)
{
	static const struct peer none;
	double seconds = now->time - before->time;
	const struct peer *old;
	struct peer *peer;
	size_t i;

	for (i = 0; i < now->count; i++) {
		peer = &now->peers[i];
		old = before->count ?
		      bsearch(peer, before->peers, before->count,
			      sizeof(*old), by_number) : NULL;
		if (!old)
			old = &none;
		peer->published_rate = rate(peer->published, old->published,
					    seconds);
		peer->delivered_rate = rate(peer->delivered, old->delivered,
					    seconds);
	}
}

static void print_rates(const struct sample *now, const struct sample *before,
			const char *title, const int *attrs, size_t count)
{
	double seconds = now->time - before->time;
	const char *key, *name;
	size_t i;

	printf("%-11s", title);
	for (i = 0; i < count; i++) {
		key = stats_keys[attrs[i]];
		name = strchr(key, '_');
		printf("%s %s %.0f", i ? "," : "", name ? name + 1 : key,
		       rate(now->stats[attrs[i]], before->stats[attrs[i]],
			    seconds));
	}
	putchar('\n');
}

static void print_head(const struct sample *now, const struct sample *before)
{
#define S(name)	KMQTT_A_STATS_##name
	static const int messages[] = {
		S(MESSAGES_PUBLISHED), S(MESSAGES_DELIVERED),
		S(MESSAGES_QUEUED), S(MESSAGES_DROPPED), S(MESSAGES_UNMATCHED),
		S(MESSAGES_DENIED),
	};
	static const int bytes[] = { S(BYTES_PUBLISHED), S(BYTES_DELIVERED) };
	static const int packets[] = { S(PACKETS_RECEIVED), S(PACKETS_SENT) };
	static const int wire[] = { S(BYTES_RECEIVED), S(BYTES_SENT) };
	static const int links[] = { S(CONNECTS), S(DISCONNECTS), S(MALFORMED) };
#undef S
	const uint64_t *t = now->totals;

	out_seconds(NULL, "kmqtt top: up", t[KMQTT_A_SWITCH_UPTIME]);
	out_uint(NULL, " sessions", t[KMQTT_A_SWITCH_SESSIONS]);
	out_uint(NULL, " clients", now->clients);
	out_uint(NULL, " subscriptions", t[KMQTT_A_SWITCH_SUBSCRIPTIONS]);
	out_uint(NULL, " retained", t[KMQTT_A_SWITCH_RETAINED_MESSAGES]);
	out_uint(NULL, " memory", t[KMQTT_A_SWITCH_MEMORY]);
	out_line(0);
	print_rates(now, before, "messages/s", messages, ARRAY_SIZE(messages));
	print_rates(now, before, "bytes/s", bytes, ARRAY_SIZE(bytes));
	print_rates(now, before, "packets/s", packets, ARRAY_SIZE(packets));
	print_rates(now, before, "wire B/s", wire, ARRAY_SIZE(wire));
	print_rates(now, before, "clients/s", links, ARRAY_SIZE(links));
}

static void print_peer(const struct peer *peer, size_t width)
{
	const char *kind = words_find(&words_session_type, peer->kind);
	size_t len = peer->name_len;

	/* no half of a UTF-8 character stays at the end */
	while (len > width || (len < peer->name_len &&
			       (peer->name[len] & 0xc0) == 0x80))
		len--;
	printf("%-8s%6u%8u%9u%10.0f%10.0f%9llu ", kind ? kind : "?",
	       peer->subscriptions, peer->queued, peer->inflight,
	       peer->published_rate, peer->delivered_rate,
	       (unsigned long long)peer->dropped);
	out_string(NULL, NULL, peer->name, len);
	out_line(0);
}

static int report(const struct top *top, struct sample *now,
		  const struct sample *before)
{
	struct winsize window = { .ws_row = 0 };
	size_t rows = SIZE_MAX, width = SIZE_MAX, i;

	if (!top->batch) {
		fputs("\033[H\033[J", stdout);
		ioctl(STDOUT_FILENO, TIOCGWINSZ, &window);
		rows = window.ws_row > 9 ? window.ws_row - 9 : 1;
		width = window.ws_col > COLUMNS ? window.ws_col - COLUMNS : 8;
	}
	rates_fill(now, before);
	print_head(now, before);
	printf("\n%-8s%6s%8s%9s%10s%10s%9s %s\n", "KIND", "SUBS", "QUEUED",
	       "INFLIGHT", "PUB/S", "DELIV/S", "DROPPED", "SESSION");
	qsort(now->peers, now->count, sizeof(*now->peers), by_rate);
	for (i = 0; i < now->count && i < rows; i++)
		print_peer(&now->peers[i], width);
	qsort(now->peers, now->count, sizeof(*now->peers), by_number);
	if (top->batch)
		putchar('\n');
	return out_flush() ? STATUS_REFUSED : STATUS_OK;
}

/* Waits for the next report. Return: false if it is to end. */
static bool pause_between(const struct top *top)
{
	struct pollfd fds[2] = {
		{ .fd = top->stop_fd, .events = POLLIN },
		{ .fd = top->batch ? -1 : STDIN_FILENO, .events = POLLIN },
	};
	char key = 0;

	if (poll(fds, 2, top->delay_ms) < 0 || fds[0].revents)
		return false;
	if (!fds[1].revents)
		return true;
	return read(STDIN_FILENO, &key, 1) == 1 && key != 'q' && key != 'Q';
}

static int reports(struct top *top)
{
	struct sample samples[2] = { { .time = 0 } };
	int ret, which = 0;

	ret = sample_take(&samples[0]);
	while (!ret && pause_between(top)) {
		which = !which;
		ret = sample_take(&samples[which]);
		if (ret)
			break;
		ret = report(top, &samples[which], &samples[!which]);
		if (top->reports && !--top->reports)
			break;
	}
	free(samples[0].peers);
	free(samples[1].peers);
	return ret;
}

/* The terminal gives single keys, and shows no cursor, while it runs. */
static int reports_on_terminal(struct top *top)
{
	struct termios old, raw;
	bool keys;
	int ret;

	keys = tcgetattr(STDIN_FILENO, &old) == 0;
	raw = old;
	raw.c_lflag &= ~(ICANON | ECHO);
	if (keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	setvbuf(stdout, NULL, _IOFBF, 65536);
	fputs("\033[?25l", stdout);
	ret = reports(top);
	fputs("\033[?25h\n", stdout);
	if (keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &old);
	return ret;
}

static int delay_parse(const char *word, int *out)
{
	char *end;
	double v = strtod(word, &end);

	if (*end || end == word || !(v >= 0.01 && v <= 86400))
		return usage_error("\"-d\" must be from 0.01 to 86400 seconds");
	*out = v * 1000;
	return STATUS_OK;
}

static int options_parse(struct args *args, struct top *top)
{
	const char *word, *value;

	while ((word = args_next(args))) {
		if (!strcmp(word, "-b")) {
			top->batch = true;
			continue;
		}
		if (strcmp(word, "-d") && strcmp(word, "-n"))
			return usage_error("unknown option \"%s\"", word);
		value = args_value(args, word);
		if (!value)
			return STATUS_USAGE;
		if (word[1] == 'd' ? delay_parse(value, &top->delay_ms) :
				     number_parse(value, 1, UINT32_MAX, word,
						  &top->reports))
			return STATUS_USAGE;
	}
	return STATUS_OK;
}

int top_main(struct args *args)
{
	struct top top = { .delay_ms = 2000 };

	if (is_help(args, true)) {
		fputs(usage, stdout);
		return STATUS_OK;
	}
	if (options_parse(args, &top))
		return STATUS_USAGE;
	if (out_options.json)
		return usage_error("top prints no JSON; \"kmqtt -j stats\" does");
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		top.batch = true;
	top.stop_fd = nl_stop_fd();
	return top.batch ? reports(&top) : reports_on_terminal(&top);
}

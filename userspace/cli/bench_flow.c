// SPDX-License-Identifier: GPL-2.0
/* kmqtt bench: messages from publishers to subscribers, as fast as it goes or at a fixed rate. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"

#define SECOND		1000000000ull
#define BATCH		(256 * 1024)	/* bytes that are sent at once */
#define WINDOW_BYTES	(4 << 20)	/* on their way, if that is fewer than the window */
#define FILTERS_AT_ONCE	100		/* in a SUBSCRIBE */
#define STALL		(5 * SECOND)	/* after which what has not come is lost */

/* Of all publishers together; no more than the quota are sent. */
static uint64_t window;
static uint64_t sent;
static uint64_t quota = UINT64_MAX;

int bench_topic(char *text, uint64_t number)
{
	return sprintf(text, "%.32s/%llu", bench.conf->prefix, (unsigned long long)number);
}

static int flow_filter(char *text, uint64_t number)
{
	if (!bench.conf->shared)
		return bench_topic(text, number);
	memcpy(text, "$share/g/", 9);
	return 9 + bench_topic(text + 9, number);
}

/* Where each message is for one of many filters: levels of a topic, of fixed length. */
static int many_topic(char *text, uint64_t number)
{
	return sprintf(text, "%.32s/%07llu/x", bench.conf->prefix, (unsigned long long)number);
}

static int many_filter(char *text, uint64_t number)
{
	int len = many_topic(text, number);

	if (bench.conf->wildcard)
		text[len - 1] = '+';
	return len;
}

static void subscribe(void)
{
	const struct bench_conf *c = bench.conf;
	struct peer *p = bench.peers + c->publishers;
	uint64_t i, step = c->subscribers, left;

	for (i = 0; i < c->subscribers; i++, p++) {
		if (c->mode != BENCH_FILTERS) {
			peer_subscribe(p, flow_filter, c->pairs ? i : 0, 1, 1);
			continue;
		}
		for (left = i; left < c->count; left += FILTERS_AT_ONCE * step) {
			uint64_t n = (c->count - left + step - 1) / step;

			peer_subscribe(p, many_filter, left, step,
				       n < FILTERS_AT_ONCE ? n : FILTERS_AT_ONCE);
			peers_wait();
		}
	}
	peers_wait();
}

static uint64_t slowest(void)
{
	const struct peer *p = bench.peers + bench.conf->publishers;
	uint64_t least = p->got;

	for (; p < bench.peers + bench.n_peers; p++)
		if (p->got < least)
			least = p->got;
	return least;
}

/* Does each message go to one subscriber only? */
static bool is_to_one(void)
{
	return bench.conf->pairs || bench.conf->shared || bench.conf->mode == BENCH_FILTERS;
}

/* Deliveries that all that was sent will become. */
static uint64_t expected(void)
{
	return is_to_one() ? sent : sent * bench.conf->subscribers;
}

static uint64_t on_their_way(void)
{
	return sent - (is_to_one() ? bench.got : slowest());
}

/* A topic for the message of this number: all of them in turn, in an order like none. */
static int topic_of(char *text, const struct peer *p)
{
	const struct bench_conf *c = bench.conf;

	if (c->mode != BENCH_FILTERS)
		return bench_topic(text, c->pairs ? p->number : 0);
	return many_topic(text, p->sent * 7368787 % c->count);
}

static void publish(void)
{
	const struct bench_conf *c = bench.conf;
	uint64_t each = window / c->publishers ? window / c->publishers : 1;
	uint64_t away = c->pairs ? 0 : on_their_way();
	struct peer *p;

	for (p = bench.peers; p < bench.peers + c->publishers; p++) {
		uint64_t inflight = p->sent - p->acked, most = each, n;
		char topic[64];
		int len;

		if (c->pairs)
			away = p->sent - p[c->publishers].got;
		n = away >= (c->pairs ? each : window) ? 0 : (c->pairs ? each : window) - away;
		if (c->qos && most > p->inflight_max)
			most = p->inflight_max;
		if (n > most)
			n = most;
		if (c->qos && n > p->inflight_max - inflight)
			n = p->inflight_max - inflight;
		/* a batch is worth a system call, of this process and of the broker */
		if (2 * n < most)
			continue;
		len = topic_of(topic, p);
		for (; n && p->out_len < BATCH && sent < quota; n--, sent++, away++) {
			peer_publish(p, topic, len, c->size, false);
			if (c->mode == BENCH_FILTERS)
				len = topic_of(topic, p);
		}
		peer_flush(p);
	}
}

/* Until so many deliveries or so late. Return: false if nothing comes any more */
static bool run(uint64_t deliveries, uint64_t until, bool publishing)
{
	uint64_t last = bench_now(), got = bench.got, now;

	while (bench.got < deliveries) {
		if (publishing)
			publish();
		peers_turn(10);
		now = bench_now();
		if (now >= until)
			break;
		if (bench.got != got) {
			got = bench.got;
			last = now;
		} else if (now - last > STALL) {
			return false;
		}
	}
	return true;
}

void bench_flow(struct bench_result *result)
{
	const struct bench_conf *c = bench.conf;
	uint64_t got, lost, fan = is_to_one() ? 1 : c->subscribers;
	struct bench_clock begin;

	window = c->window;
	if (window * c->size > WINDOW_BYTES)
		window = WINDOW_BYTES / c->size;
	if (window < 2)
		window = 2;
	peers_start();
	bench_clock_read(&begin);
	subscribe();
	bench_clock_read(&result->spent);
	result->setup_kernel_memory = result->spent.kernel_memory - begin.kernel_memory;
	result->setup_pid_memory = result->spent.pid_memory - begin.pid_memory;

	/* all that is sent for it has arrived when it ends, if that does not take too long */
	quota = 2 * window > c->deliveries / fan / 4 ? 2 * window : c->deliveries / fan / 4;
	if (!run(quota * fan, bench_now() + c->ns / 4, true))
		bench_fail("nothing comes any more");
	got = bench.got;
	lost = bench.lost;
	quota = c->deliveries ? sent + (c->deliveries + fan - 1) / fan : UINT64_MAX;
	bench_begin(&begin);
	run(c->deliveries ? quota * fan : UINT64_MAX, bench_now() + c->ns, true);
	bench_end(&begin, result);
	result->n = bench.got - got - (bench.lost - lost);

	/* what is still on its way from a slow broker is not lost, but worth no longer wait */
	if (!run(expected(), bench_now() + c->ns, false))
		result->lost = expected() - bench.got;
	result->lost += bench.lost;
	if (bench.got > expected())
		bench_fail("more came than was sent");
	peers_stop();
}

static struct bench_result *round_trips;
static size_t round_trips_max;

static void arrived(uint64_t sent_ns)
{
	uint64_t ns = bench_now() - sent_ns;

	if (round_trips->samples < round_trips_max)
		round_trips->latency[round_trips->samples++] = ns > UINT32_MAX ? UINT32_MAX : ns;
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* Waits for input until a time, in a finer measure than epoll's. */
static void wait_until(uint64_t ns)
{
	uint64_t now = bench_now(), left = ns > now ? ns - now : 0;
	struct timespec ts = { left / SECOND, left % SECOND };
	struct pollfd p = { .fd = bench.epfd, .events = POLLIN };

	if (ppoll(&p, 1, &ts, NULL) > 0)
		peers_turn(0);
}

/* Messages at the rate, until @n have been sent. */
static void pace(uint64_t n)
{
	uint64_t i, next = bench_now();
	char topic[64];

	for (i = 0; i < n; i++) {
		next += SECOND / bench.conf->rate;
		while (bench_now() < next)
			wait_until(next);
		peer_publish(bench.peers, topic, bench_topic(topic, 0), bench.conf->size, false);
		peer_flush(bench.peers);
		sent++;
	}
}

void bench_round_trip(struct bench_result *result)
{
	const struct bench_conf *c = bench.conf;
	uint64_t most = c->ns / (SECOND / c->rate) + 1;
	uint64_t n = c->deliveries && c->deliveries < most ? c->deliveries : most;
	struct bench_clock begin;
	uint64_t got;

	round_trips = result;
	result->latency = calloc(n, sizeof(*result->latency));
	if (!result->latency)
		bench_fail("out of memory");
	peers_start();
	subscribe();
	bench.arrived = arrived;
	pace(c->rate / 10);
	run(sent, UINT64_MAX, false);
	round_trips_max = n;
	got = bench.got;
	bench_begin(&begin);
	pace(n);
	run(expected(), UINT64_MAX, false);
	bench_end(&begin, result);
	result->n = bench.got - got;
	result->lost = expected() - bench.got + bench.lost;
	qsort(result->latency, result->samples, sizeof(*result->latency), compare);
	peers_stop();
}

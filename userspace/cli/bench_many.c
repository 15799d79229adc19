// SPDX-License-Identifier: GPL-2.0
/* kmqtt bench: many retained messages, many connections. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define AT_ONCE		64	/* connections that are being made */
#define BATCH		500	/* retained messages of QoS 0 that are sent at once */

static int retained_filter(char *text, uint64_t number)
{
	(void)number;
	return sprintf(text, "%.32s/r/#", bench.conf->prefix);
}

/* Each of the topics gets a message, or loses it. */
static void retain(size_t size)
{
	struct peer *p = bench.peers;
	uint64_t i, batch = bench.conf->qos ? p->inflight_max : BATCH;
	char topic[64];
	int len;

	for (i = 0; i < bench.conf->count; i++) {
		len = sprintf(topic, "%.32s/r/%07llu", bench.conf->prefix, (unsigned long long)i);
		peer_publish(p, topic, len, size, true);
		if ((i + 1) % batch && i + 1 < bench.conf->count)
			continue;
		do {
			peer_flush(p);
			peers_turn(p->out_len || bench.conf->qos ? 10 : 0);
		} while (p->out_len || (bench.conf->qos && p->acked < p->sent));
	}
}

/* A subscriber that gets what is retained. Return: deliveries that did not come */
static uint64_t storm(struct peer *p)
{
	uint64_t before, idle = 0;

	peer_subscribe(p, retained_filter, 0, 1, 1);
	peer_flush(p);
	while (p->got < bench.conf->count && idle < 500) {
		before = p->got;
		peers_turn(10);
		idle = p->got == before ? idle + 1 : 0;
	}
	return bench.conf->count - p->got;
}

void bench_retained(struct bench_result *result)
{
	const struct bench_conf *c = bench.conf;
	struct bench_clock begin;
	struct peer *p;

	peers_start();
	bench_clock_read(&begin);
	retain(c->size);
	/* what was sent at QoS 0 has arrived when this is answered */
	peer_subscribe(bench.peers, bench_topic, 0, 1, 1);
	peers_wait();
	bench_clock_read(&result->spent);
	result->setup_kernel_memory = result->spent.kernel_memory - begin.kernel_memory;
	result->setup_pid_memory = result->spent.pid_memory - begin.pid_memory;
	bench_begin(&begin);
	for (p = bench.peers + 1; p < bench.peers + bench.n_peers; p++)
		result->lost += storm(p);
	bench_end(&begin, result);
	result->n = bench.got;
	/* they hear of it, as messages of no bytes, unless they have gone */
	for (p = bench.peers + 1; p < bench.peers + bench.n_peers; p++)
		peer_disconnect(p);
	bench.n_peers = 1;
	retain(0);
	peer_subscribe(bench.peers, bench_topic, 0, 1, 1);
	peers_wait();
	peers_stop();
}

void bench_connect(struct bench_result *result)
{
	const struct bench_conf *c = bench.conf;
	struct peer some[AT_ONCE];
	struct bench_clock begin;
	uint64_t until, i, n;

	bench_sockets(AT_ONCE);
	until = bench_now() + c->ns;
	bench_begin(&begin);
	for (; result->n < c->count && bench_now() < until; result->n += n) {
		n = c->count - result->n < AT_ONCE ? c->count - result->n : AT_ONCE;
		for (i = 0; i < n; i++) {
			some[i] = (struct peer){ .fd = -1 };
			peer_connect(&some[i], result->n + i);
			peer_flush(&some[i]);
		}
		for (i = 0; i < n; i++) {
			peer_connack(&some[i]);
			peer_disconnect(&some[i]);
		}
	}
	bench_end(&begin, result);
}

/* A listener that accepts and does no more, in a process of its own. Return: the process */
static pid_t bare_listener(uint64_t count, int *in)
{
	const struct server *server = &bench.conf->server;
	int one = 1, fd = socket(server->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), pipes[2];
	socklen_t len = server->addr.ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) :
							     sizeof(struct sockaddr_in);
	char byte;
	pid_t pid;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || pipe(pipes) || bind(fd, (const struct sockaddr *)&server->addr, len) ||
	    listen(fd, 1024))
		bench_fail("listen: %s", strerror(errno));
	pid = fork();
	if (pid) {
		close(fd);
		close(pipes[0]);
		*in = pipes[1];
		return pid;
	}
	close(pipes[1]);
	while (count--)
		if (accept(fd, NULL, NULL) < 0)
			_exit(1);
	_exit(read(pipes[0], &byte, 1) < 0);
}

void bench_idle(struct bench_result *result)
{
	const struct bench_conf *c = bench.conf;
	struct peer *p = calloc(c->count, sizeof(*p));
	struct bench_clock begin;
	pid_t pid = 0;
	int in = -1;
	uint64_t i;

	if (!p)
		bench_fail("out of memory");
	bench_sockets(c->count);
	if (c->bare)
		pid = bare_listener(c->count, &in);
	bench_begin(&begin);
	for (i = 0; i < c->count; i++) {
		if (c->bare) {
			p[i].fd = peer_dial();
			continue;
		}
		peer_connect(&p[i], i);
		peer_connack(&p[i]);
	}
	/* what can go has gone then */
	sleep(2);
	bench_end(&begin, result);
	result->n = c->count;
	for (i = 0; i < c->count; i++) {
		if (c->bare)
			close(p[i].fd);
		else
			peer_disconnect(&p[i]);
	}
	free(p);
	if (c->bare) {
		close(in);
		waitpid(pid, NULL, 0);
	}
}

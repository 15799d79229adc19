// SPDX-License-Identifier: GPL-2.0
/* kmqtt bench: all clients together. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "bench.h"

/*
 * Turns of so many ms in which something must happen. Many short ones: where the clock counts
 * instructions it jumps to the next timer while a file is read from the host.
 */
#define STALL_TURNS	600
#define STALL_MS	50

int peers_turn(int timeout)
{
	struct epoll_event events[256];
	int i, n = epoll_wait(bench.epfd, events, 256, timeout);

	for (i = 0; i < n; i++) {
		struct peer *p = events[i].data.ptr;

		if (events[i].events & ~EPOLLOUT)
			peer_receive(p);
		if (p->out_len)
			peer_flush(p);
	}
	return n;
}

void peers_wait(void)
{
	unsigned int idle = 0;
	size_t i;

	for (i = 0; i < bench.n_peers; i++) {
		peer_flush(&bench.peers[i]);
		while (!bench.peers[i].up) {
			idle = peers_turn(STALL_MS) ? 0 : idle + 1;
			if (idle == STALL_TURNS)
				bench_fail("nothing came for %u seconds",
					   STALL_TURNS * STALL_MS / 1000);
		}
	}
}

void peers_start(void)
{
	const struct bench_conf *c = bench.conf;
	size_t i;

	bench.n_peers = c->publishers + c->subscribers;
	bench_sockets(bench.n_peers);
	bench.peers = calloc(bench.n_peers, sizeof(*bench.peers));
	bench.epfd = epoll_create1(EPOLL_CLOEXEC);
	if (!bench.peers || bench.epfd < 0)
		bench_fail("%s", strerror(errno));
	for (i = 0; i < bench.n_peers; i++) {
		struct peer *p = &bench.peers[i];
		struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = p };

		p->publisher = i < c->publishers;
		p->number = p->publisher ? i : i - c->publishers;
		p->inflight_max = c->inflight;
		if (!p->publisher)
			p->next = calloc(c->publishers, sizeof(*p->next));
		if (!p->publisher && !p->next)
			bench_fail("out of memory");
		peer_connect(p, i);
		if (epoll_ctl(bench.epfd, EPOLL_CTL_ADD, p->fd, &e))
			bench_fail("epoll_ctl: %s", strerror(errno));
		peer_flush(p);
	}
	peers_wait();
}

void peers_stop(void)
{
	size_t i;

	for (i = 0; i < bench.n_peers; i++)
		peer_disconnect(&bench.peers[i]);
	close(bench.epfd);
	free(bench.peers);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * The blind relay: what a broker in user space cannot be quicker than. It answers CONNECT and
 * SUBSCRIBE, so that a load generator works; after that it reads a batch and writes the same
 * bytes to each subscriber's socket, and parses nothing. QoS 0 only: an acknowledgement would
 * have to be understood.
 *
 *   relay PORT [pairs]
 *
 * Who subscribes is a subscriber, everybody else publishes to all of them; with "pairs" the n-th
 * of those who publish goes to the n-th subscriber, in the order in which they have connected,
 * which is the order of kmqtt bench. Writes wait for the socket: the generator always reads.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS	4096
#define BATCH	(256 * 1024)

/* What a client has said so far. */
enum state { NOTHING, CONNECT, SUBSCRIBE };

struct client {
	int fd;
	int version;
	enum state state;
	struct client *to;	/* pairs: whom it publishes to */
};

/* In the order in which they have connected, and those of them that subscribe. */
static struct client clients[CLIENTS];
static struct client *subscribers[CLIENTS];
static int n_clients, n_subscribers, n_gone, pairs, epfd;

static unsigned char batch[BATCH];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void add(int fd, struct client *c)
{
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };

	if (epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &e))
		die("epoll_ctl");
}

static int listen_on(int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, CLIENTS))
		die("listen");
	return fd;
}

static void welcome(int listener)
{
	struct client *c = &clients[n_clients];
	int one = 1, fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0 || n_clients == CLIENTS)
		die("accept");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	*c = (struct client){ .fd = fd };
	add(fd, c);
	n_clients++;
}

/* One run of the generator has its connections; when the last has gone all begins again. */
static void leave(struct client *c)
{
	close(c->fd);
	c->fd = -1;
	n_subscribers = 0;
	if (++n_gone < n_clients)
		return;
	n_gone = 0;
	n_clients = 0;
}

static void say(int fd, const void *data, size_t len)
{
	const char *at = data;
	ssize_t n;

	for (; len; at += n, len -= n) {
		n = send(fd, at, len, MSG_NOSIGNAL);
		if (n < 0)
			return;
	}
}

/* The CONNECT and the SUBSCRIBE, which come each in a piece. */
static void answer(struct client *c)
{
	unsigned char connack[] = { 0x20, 2, 0, 0, 0 };
	unsigned char suback[] = { 0x90, 3, batch[2], batch[3], 0, 0 };

	if (c->state == NOTHING) {
		c->version = batch[8];
		connack[1] += c->version == 5;
		say(c->fd, connack, 2 + connack[1]);
		c->state = CONNECT;
		return;
	}
	suback[1] += c->version == 5;
	say(c->fd, suback, 2 + suback[1]);
	c->state = SUBSCRIBE;
	subscribers[n_subscribers++] = c;
}

/* The subscriber of this publisher. */
static struct client *partner(const struct client *publisher)
{
	int i, n = 0, m = 0;

	for (i = 0; &clients[i] != publisher; i++)
		n += clients[i].state == CONNECT;
	for (i = 0; i < n_clients; i++)
		if (clients[i].state == SUBSCRIBE && m++ == n)
			return &clients[i];
	return NULL;
}

static void relay(struct client *c, size_t len)
{
	int i;

	if (pairs) {
		if (!c->to)
			c->to = partner(c);
		if (c->to)
			say(c->to->fd, batch, len);
		return;
	}
	for (i = 0; i < n_subscribers; i++)
		say(subscribers[i]->fd, batch, len);
}

static void receive(struct client *c)
{
	ssize_t n = recv(c->fd, batch, BATCH, 0);

	/* DISCONNECT, alone: the only thing that is looked for besides */
	if (n <= 0 || (n == 2 && batch[0] == 0xe0))
		leave(c);
	else if (c->state == NOTHING || (c->state == CONNECT && batch[0] == 0x82))
		answer(c);
	else if (c->state == CONNECT)
		relay(c, n);
}

int main(int argc, char **argv)
{
	struct rlimit files = { CLIENTS + 64, CLIENTS + 64 };
	struct epoll_event events[256];
	int i, n, listener;

	if (argc < 2) {
		fprintf(stderr, "usage: relay PORT [pairs]\n");
		return 1;
	}
	pairs = argc > 2;
	setrlimit(RLIMIT_NOFILE, &files);
	epfd = epoll_create1(EPOLL_CLOEXEC);
	listener = listen_on(atoi(argv[1]));
	add(listener, NULL);
	for (;;) {
		n = epoll_wait(epfd, events, 256, -1);
		for (i = 0; i < n; i++) {
			if (events[i].data.ptr)
				receive(events[i].data.ptr);
			else
				welcome(listener);
		}
	}
}

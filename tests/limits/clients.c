// SPDX-License-Identifier: GPL-2.0
/*
 * Many MQTT 3.1.1 clients in one process.
 *
 *	clients PORT COUNT FILTER SOME [MUTE]
 *
 * Each subscribes to client/NUMBER, the first SOME of them to FILTER as well, all with QoS 1. The
 * last MUTE read nothing any more then. Says "ready", and for each line on standard input what
 * came until then: "MESSAGES BYTES WRONG". Ends at the end of standard input.
 *
 * A payload is right if each of its bytes is the last one of its topic.
 */
#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_MAX	64

/*
 * @head:	the first bytes of a packet: up to and with a PUBLISH's packet identifier
 * @have:	of these
 * @left:	bytes of the payload that are to come
 */
struct client {
	int fd;
	uint8_t head[HEAD_MAX];
	uint8_t have;
	uint8_t fill;
	bool wrong;
	uint32_t left;
};

static unsigned long long messages, bytes, wrong;
static uint8_t buf[1 << 16];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static uint8_t *string(uint8_t *at, const char *text)
{
	size_t len = strlen(text);

	*at++ = len >> 8;
	*at++ = len;
	return (uint8_t *)memcpy(at, text, len) + len;
}

static void say(int fd, const uint8_t *packet, size_t len)
{
	if (send(fd, packet, len, MSG_NOSIGNAL) != (ssize_t)len)
		die("send");
}

static void hear(int fd, uint8_t first, size_t len)
{
	uint8_t packet[8];

	if (recv(fd, packet, len, MSG_WAITALL) != (ssize_t)len || packet[0] != first ||
	    packet[len - 1] > 1)
		die("CONNACK, SUBACK");
}

static void subscribe(int fd, const char *filter)
{
	uint8_t packet[80] = { 0x82, 0, 0, 1 }, *end = string(packet + 4, filter);

	*end++ = 1;
	packet[1] = end - packet - 2;
	say(fd, packet, end - packet);
	hear(fd, 0x90, 5);
}

static void open_client(struct client *c, int port, unsigned int number, const char *filter)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET, .sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	uint8_t packet[80] = { 0x10, 0, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 0 }, *end;
	char name[32];

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (void *)&addr, sizeof(addr)))
		die("connect");
	snprintf(name, sizeof(name), "%d-%u", getpid(), number);
	end = string(packet + 12, name);
	packet[1] = end - packet - 2;
	say(c->fd, packet, end - packet);
	hear(c->fd, 0x20, 4);
	snprintf(name, sizeof(name), "client/%u", number);
	subscribe(c->fd, name);
	if (filter)
		subscribe(c->fd, filter);
}

/* Bytes of the head of a packet, as far as they are known: one more than @have, if not. */
static unsigned int head_len(const struct client *c, uint32_t *body)
{
	unsigned int at = 1, shift = 0, topic;

	*body = 0;
	do {
		if (at >= c->have)
			return c->have + 1;
		*body |= (uint32_t)(c->head[at] & 0x7f) << shift;
		shift += 7;
	} while (c->head[at++] & 0x80);
	if ((c->head[0] & 0xf0) != 0x30)
		return at;
	if (c->have < at + 2)
		return at + 2;
	topic = c->head[at] << 8 | c->head[at + 1];
	*body -= 2 + topic + 2 * !!(c->head[0] & 6);
	return at + 2 + topic + 2 * !!(c->head[0] & 6);
}

static void whole(struct client *c)
{
	uint8_t ack[4] = { 0x40, 2 };

	if ((c->head[0] & 0xf0) == 0x30) {
		messages++;
		wrong += c->wrong;
		if (c->head[0] & 6) {
			memcpy(ack + 2, c->head + c->have - 2, 2);
			say(c->fd, ack, sizeof(ack));
		}
	}
	c->have = 0;
	c->wrong = false;
}

/* Takes what it can of @data. Return: how much that was. */
static size_t feed(struct client *c, const uint8_t *data, size_t len)
{
	uint32_t i, n, body;

	if (!c->left) {
		c->head[c->have++] = *data;
		n = head_len(c, &body);
		if (n > HEAD_MAX)
			die("a topic that is not ours");
		if (n > c->have)
			return 1;
		/* the topic ends before the packet identifier, if there is one */
		c->fill = c->head[c->have - 1 - 2 * !!(c->head[0] & 6)];
		c->left = body;
		if (!body)
			whole(c);
		return 1;
	}
	n = len < c->left ? len : c->left;
	for (i = 0; i < n; i++)
		c->wrong |= data[i] != c->fill;
	bytes += n;
	c->left -= n;
	if (!c->left)
		whole(c);
	return n;
}

static void take(struct client *c)
{
	ssize_t len = recv(c->fd, buf, sizeof(buf), MSG_DONTWAIT), at = 0;

	if (len <= 0)
		die("recv");
	while (at < len)
		at += feed(c, buf + at, len - at);
}

static void watch(int poll, int fd, void *ptr)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = ptr };

	if (epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event))
		die("epoll_ctl");
}

int main(int argc, char **argv)
{
	unsigned int count, some, mute, i;
	int poll = epoll_create1(EPOLL_CLOEXEC), n;
	struct epoll_event events[64];
	struct client *clients;
	char line[16];

	if (argc < 5)
		return 1;
	count = atoi(argv[2]);
	some = atoi(argv[4]);
	mute = argc > 5 ? atoi(argv[5]) : 0;
	clients = calloc(count, sizeof(*clients));
	for (i = 0; i < count; i++) {
		open_client(&clients[i], atoi(argv[1]), i, i < some ? argv[3] : NULL);
		if (i < count - mute)
			watch(poll, clients[i].fd, &clients[i]);
	}
	watch(poll, STDIN_FILENO, NULL);
	puts("ready");
	fflush(stdout);
	for (;;) {
		n = epoll_wait(poll, events, 64, -1);
		while (n-- > 0) {
			if (events[n].data.ptr) {
				take(events[n].data.ptr);
				continue;
			}
			if (read(STDIN_FILENO, line, sizeof(line)) <= 0)
				return 0;
			printf("%llu %llu %llu\n", messages, bytes, wrong);
			fflush(stdout);
		}
	}
}

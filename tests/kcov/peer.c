// SPDX-License-Identifier: GPL-2.0-only
/*
 * TCP connections: their ends are handed to kmqtt by netlink, or go to a listener; and what comes
 * to it from the other ends. That is read in other threads of the kernel, and guides nobody: it is
 * here for the state that it leaves.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "kcov.h"

#define PORT		1883
#define CLIENTS		4

#define TEXT(string)	{ string, sizeof(string) - 1 }

/* ends of a connection: the first one is for kmqtt; 0: not there */
static int pairs[PAIRS][2];
static int clients[CLIENTS];

static const struct text streams[] = {
	/* CONNECT: 3.1.1; 5.0; another one; with a will and a user; with authentication */
	TEXT("\020\015\000\004MQTT\004\002\000\074\000\001a"),
	TEXT("\020\016\000\004MQTT\005\000\000\074\000\000\001a"),
	TEXT("\020\023\000\004MQTT\005\000\000\074\005\021\000\000\000\074\000\001b"),
	TEXT("\020\033\000\004MQTT\004\356\000\074\000\001c\000\003a/b\000\001w\000\001a\000\001p"),
	TEXT("\020\022\000\004MQTT\005\000\000\074\004\025\000\001a\000\001b"),
	/* CONNACK: 3.1.1; 5.0; refused */
	TEXT("\040\002\000\000"), TEXT("\040\003\000\000\000"), TEXT("\040\003\000\207\000"),
	TEXT("\040\010\000\000\005\047\000\000\020\000"),
	/* SUBSCRIBE, 3.1.1 and 5.0; PUBLISH; PUBACK; DISCONNECT; PINGREQ */
	TEXT("\202\006\000\001\000\001#\002"), TEXT("\202\007\000\001\000\000\001#\002"),
	TEXT("\060\006\000\003a/bx"), TEXT("\061\007\000\003a/b\000x"),
	TEXT("\062\011\000\003a/b\000\007\000x"), TEXT("\100\002\000\001"),
	TEXT("\120\002\000\001"),
	TEXT("\160\002\000\001"), TEXT("\340\000"), TEXT("\300\000"), TEXT("\360\003\030\001\000"),
	/* CONNECT and SUBSCRIBE and PUBLISH together; nonsense */
	TEXT("\020\015\000\004MQTT\004\002\000\074\000\001a\202\006\000\001\000\001#\001"
	     "\062\010\000\003a/b\000\007x"),
	TEXT("\377\377\377\377\377"),
};

/* Open something as a user without rights: only this thread is him, and only meanwhile. */
int as_nobody(int (*open)(int flags), int flags)
{
	int fd;

	if (syscall(SYS_setresuid, -1, NOBODY, -1))
		fail("setresuid");
	fd = open(flags);
	if (syscall(SYS_setresuid, -1, 0, -1))
		fail("setresuid back");
	return fd;
}

struct text peer_stream(unsigned int which)
{
	return streams[which % ARRAY_LEN(streams)];
}

static int client(uint16_t port)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval most = { .tv_usec = 50000 };

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof(most)))
		fail("a socket");
	/* over lo this is done at once, but if the listener's backlog is full */
	if (connect(fd, (struct sockaddr *)&to, sizeof(to))) {
		close(fd);
		return 0;
	}
	return fd;
}

static void pair_open(int pair[2])
{
	struct sockaddr_in at = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(at);
	int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (server < 0)
		return;
	if (!bind(server, (struct sockaddr *)&at, len) && !listen(server, 1) &&
	    !getsockname(server, (struct sockaddr *)&at, &len))
		pair[0] = client(ntohs(at.sin_port));
	if (pair[0])
		pair[1] = accept4(server, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (pair[1] < 0)
		pair[1] = 0;
	close(server);
}

/* The end that is for kmqtt. */
int peer_fd(unsigned int pair)
{
	int *p = pairs[pair % PAIRS];

	if (!p[0])
		pair_open(p);
	return p[0];
}

static void send_to(int fd, struct input *in)
{
	uint8_t damage;
	uint8_t bytes[128];
	struct text stream = peer_stream(in8(in));
	unsigned int i;

	for (i = 0; i < stream.len && i < sizeof(bytes); i++)
		bytes[i] = stream.bytes[i];
	damage = in8(in);
	if (damage >= 232)
		bytes[in8(in) % i] ^= in8(in);
	note("send", send(fd, bytes, i, MSG_DONTWAIT | MSG_NOSIGNAL) > 0);
}

/* Something comes from the other end of a pair, or from a client of a listener. */
void peer_op(struct input *in)
{
	uint8_t code = in8(in);
	int *one;

	if (code & 1) {
		one = &clients[code >> 1 & (CLIENTS - 1)];
		if (code >= 240 && *one) {
			close(*one);
			*one = 0;
		}
		if (!*one)
			*one = client(PORT + (code >> 3 & 1));
	} else {
		one = &pairs[code >> 1 & 1][1];
	}
	if (*one)
		send_to(*one, in);
}

static void forget(int *fd)
{
	if (*fd)
		close(*fd);
	*fd = 0;
}

void peer_close(void)
{
	unsigned int i;

	for (i = 0; i < PAIRS; i++) {
		forget(&pairs[i][0]);
		forget(&pairs[i][1]);
	}
	for (i = 0; i < CLIENTS; i++)
		forget(&clients[i]);
}

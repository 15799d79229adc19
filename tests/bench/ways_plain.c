// SPDX-License-Identifier: GPL-2.0
/*
 * What the kernel has without kmqtt: a pipe, a unix datagram socket, a POSIX message queue for each
 * reader. They carry the same bytes, topic included, for a reader would want to know it.
 */
#include <mqueue.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "ways.h"

#define MOST	2000
#define QUEUE	500

static int in[MOST], out[MOST], count;
static struct message message;

static void prepare(int readers)
{
	struct rlimit files = { 2 * MOST + 64, 2 * MOST + 64 };
	struct rlimit bytes = { RLIM_INFINITY, RLIM_INFINITY };

	if (readers > MOST || setrlimit(RLIMIT_NOFILE, &files) ||
	    setrlimit(RLIMIT_MSGQUEUE, &bytes))
		die("setrlimit");
	make_message(&message, TOPIC);
	count = readers;
}

static void pipes(int readers)
{
	int i, fd[2];

	prepare(readers);
	for (i = 0; i < readers; i++) {
		if (pipe(fd))
			die("pipe");
		in[i] = fd[0];
		out[i] = fd[1];
	}
}

static void sockets(int readers)
{
	int i, fd[2];

	prepare(readers);
	for (i = 0; i < readers; i++) {
		if (socketpair(AF_UNIX, SOCK_DGRAM, 0, fd))
			die("socketpair");
		in[i] = fd[0];
		out[i] = fd[1];
	}
}

static void queues(int readers)
{
	struct mq_attr attr = { .mq_maxmsg = QUEUE, .mq_msgsize = sizeof(message) };
	char name[32];
	int i;

	prepare(readers);
	for (i = 0; i < readers; i++) {
		snprintf(name, sizeof(name), "/kmqtt-bench-%d", i);
		in[i] = mq_open(name, O_RDWR | O_CREAT, 0600, &attr);
		if (in[i] < 0)
			die("mq_open");
		mq_unlink(name);
		out[i] = in[i];
	}
}

static void stream_reader(struct count *c, int number, long total)
{
	static char buf[65536];
	size_t part = 0;
	ssize_t n;

	c->ready = 1;
	while (c->got < total) {
		n = read(in[number], buf, sizeof(buf));
		if (n <= 0)
			die("read");
		part += n;
		c->got += part / message.head.len;
		part %= message.head.len;
	}
}

static void queue_reader(struct count *c, int number, long total)
{
	char buf[sizeof(message)];

	c->ready = 1;
	while (c->got < total) {
		if (mq_receive(in[number], buf, sizeof(buf), NULL) < 0)
			die("mq_receive");
		c->got++;
	}
}

static void ready(void)
{
}

static void stream_write(int messages)
{
	int i;

	while (messages--)
		for (i = 0; i < count; i++)
			write_all(out[i], &message, message.head.len);
}

static void queue_write(int messages)
{
	int i;

	while (messages--)
		for (i = 0; i < count; i++)
			if (mq_send(out[i], (char *)&message, message.head.len, 0))
				die("mq_send");
}

const struct way plain_ways[] = {
	{ "pipe", pipes, stream_reader, ready, stream_write },
	{ "unix", sockets, stream_reader, ready, stream_write },
	{ "mq", queues, queue_reader, ready, queue_write },
	{ 0 },
};

// SPDX-License-Identifier: GPL-2.0
/*
 * A load generator for any MQTT broker: publishers and subscribers in one process,
 * 3.1.1, each message of its own QoS. Closed loop: what was published and has not
 * arrived at all its subscribers is at most a window, so nothing queues without
 * bound, and every delivery is counted.
 *
 *   load PORT PUBLISHERS SUBSCRIBERS QOS SIZE SECONDS [pairs]
 *
 * With "pairs" each subscriber has a topic and a publisher of its own. Prints:
 * deliveries, seconds, seconds of processor time of all but this process.
 *
 *   load PORT idle COUNT
 *   load PORT bare COUNT
 *
 * connects so many clients, or so many sockets to a listener of its own that says
 * nothing, prints "ready", and waits for the end of its input.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "bench.h"

#define WINDOW		1000	/* messages of all publishers on their way */
#define INFLIGHT	500	/* QoS 1 and 2: of one publisher not acknowledged */
#define BUFFER		(256 * 1024)
#define WARM_UP		0.3	/* seconds before it counts */

enum { CONNACK = 2, PUBLISH = 3, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK = 9 };

struct peer {
	int fd;
	int number;
	int publisher;
	int up;			/* CONNACK, and for a subscriber SUBACK */
	long sent, acked, got;
	uint16_t id;
	uint32_t have, out, gone;
	unsigned char *in, *to;	/* what came, and what is to go */
};

static struct peer *peers;
static int n_pub, n_sub, qos, pairs, epfd;
static uint32_t size;
static long total_got;

static int port;

static int dial(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)))
		die("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static int put_connect(unsigned char *p, int number)
{
	char id[24];
	int len = snprintf(id, sizeof(id), "load-%d-%d", getpid() % 100000, number);
	static const unsigned char head[] = { 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 0 };

	p[0] = 0x10;
	p[1] = sizeof(head) + 2 + len;
	memcpy(p + 2, head, sizeof(head));
	p[12] = 0;
	p[13] = len;
	memcpy(p + 14, id, len);
	return 14 + len;
}

static int topic_of(char *text, int number)
{
	return sprintf(text, "load/%d", pairs ? number : 0);
}

static void put_subscribe(struct peer *p)
{
	unsigned char *b = p->to + p->out;
	int len = topic_of((char *)b + 6, p->number);

	b[0] = 0x82;
	b[1] = 5 + len;
	b[2] = 0;
	b[3] = 1;
	b[4] = 0;
	b[5] = len;
	b[6 + len] = qos;
	p->out += 7 + len;
}

static void put_publish(struct peer *p)
{
	unsigned char *b = p->to + p->out;
	char topic[32];
	int len = topic_of(topic, p->number), id = qos ? 2 : 0;
	uint32_t left = 2 + len + id + size;

	*b++ = 0x30 | qos << 1;
	do {
		*b++ = (left & 127) | (left > 127 ? 128 : 0);
		left >>= 7;
	} while (left);
	*b++ = 0;
	*b++ = len;
	memcpy(b, topic, len);
	b += len;
	if (qos) {
		if (!++p->id)
			p->id = 1;
		*b++ = p->id >> 8;
		*b++ = p->id & 255;
	}
	memset(b, 'x', size);
	p->out = b + size - p->to;
	p->sent++;
}

static void put_ack(struct peer *p, int first, const unsigned char *id)
{
	unsigned char *b = p->to + p->out;

	b[0] = first;
	b[1] = 2;
	b[2] = id[0];
	b[3] = id[1];
	p->out += 4;
}

static void packet(struct peer *p, int first, const unsigned char *b)
{
	int level = first >> 1 & 3;

	switch (first >> 4) {
	case CONNACK:
		if (b[1]) {
			fprintf(stderr, "load: refused, code %d\n", b[1]);
			exit(1);
		}
		p->up = p->publisher;
		if (!p->publisher)
			put_subscribe(p);
		break;
	case SUBACK:
		p->up = 1;
		break;
	case PUBLISH:
		p->got++;
		total_got++;
		if (level)
			put_ack(p, level == 1 ? PUBACK << 4 : PUBREC << 4,
				b + 2 + (b[0] << 8 | b[1]));
		break;
	case PUBREC:
		put_ack(p, PUBREL << 4 | 2, b);
		break;
	case PUBREL:
		put_ack(p, PUBCOMP << 4, b);
		break;
	case PUBACK:
	case PUBCOMP:
		p->acked++;
		break;
	}
}

/* All whole packets that are there. */
static void packets(struct peer *p)
{
	uint32_t at = 0;

	for (;;) {
		uint32_t i = at + 1, left = 0, shift = 0;

		do {
			if (i >= p->have || shift > 21)
				goto out;
			left |= (uint32_t)(p->in[i] & 127) << shift;
			shift += 7;
		} while (p->in[i++] & 128);
		if (left > p->have - i || p->out > BUFFER - 4096)
			break;
		packet(p, p->in[at], p->in + i);
		at = i + left;
	}
out:
	memmove(p->in, p->in + at, p->have - at);
	p->have -= at;
}

static void flush(struct peer *p)
{
	while (p->gone < p->out) {
		ssize_t n = send(p->fd, p->to + p->gone, p->out - p->gone,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0)
			die("send");
		p->gone += n;
	}
	p->gone = 0;
	p->out = 0;
}

static void receive(struct peer *p)
{
	ssize_t n = recv(p->fd, p->in + p->have, BUFFER - p->have, MSG_DONTWAIT);

	if (n == 0 || (n < 0 && errno != EAGAIN)) {
		fprintf(stderr, "load: the broker closed a connection\n");
		exit(1);
	}
	if (n > 0)
		p->have += n;
	packets(p);
}

static void start(void)
{
	int i;

	peers = calloc(n_pub + n_sub, sizeof(*peers));
	epfd = epoll_create1(EPOLL_CLOEXEC);
	for (i = 0; i < n_pub + n_sub; i++) {
		struct peer *p = &peers[i];
		struct epoll_event e = { .events = EPOLLIN, .data.ptr = p };

		p->publisher = i < n_pub;
		p->number = p->publisher ? i : i - n_pub;
		p->in = malloc(BUFFER);
		p->to = malloc(BUFFER + size + 64);
		p->fd = dial();
		if (epoll_ctl(epfd, EPOLL_CTL_ADD, p->fd, &e))
			die("epoll_ctl");
		p->out = put_connect(p->to, i);
		flush(p);
	}
}

static void turn(int wait)
{
	struct epoll_event e[256];
	int i, n = epoll_wait(epfd, e, 256, wait);

	for (i = 0; i < n; i++) {
		receive(e[i].data.ptr);
		flush(e[i].data.ptr);
	}
}

static long slowest(void)
{
	long least = peers[n_pub].got;
	int i;

	for (i = n_pub + 1; i < n_pub + n_sub; i++)
		if (peers[i].got < least)
			least = peers[i].got;
	return least;
}

/* Of this publisher, messages that may be sent now. */
static long room(const struct peer *p, long sent)
{
	long n = pairs ? WINDOW / n_pub - (p->sent - peers[n_pub + p->number].got) :
			 WINDOW - (sent - slowest());

	if (qos && n > INFLIGHT - (p->sent - p->acked))
		n = INFLIGHT - (p->sent - p->acked);
	return n;
}

static void publish(void)
{
	long sent = 0;
	int i;

	for (i = 0; i < n_pub; i++)
		sent += peers[i].sent;
	for (i = 0; i < n_pub; i++) {
		struct peer *p = &peers[i];
		long n = room(p, sent);

		if (!pairs && n > WINDOW / n_pub)
			n = WINDOW / n_pub;
		/* a batch is worth a system call, of this process and of the broker */
		if (n < (pairs || n_pub > 1 ? 1 : WINDOW / 8) && size < 4096)
			continue;
		for (; n > 0 && p->out + size + 64 < BUFFER; n--, sent++)
			put_publish(p);
		flush(p);
	}
}

static double own(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return u.ru_utime.tv_sec + u.ru_utime.tv_usec / 1e6 +
	       u.ru_stime.tv_sec + u.ru_stime.tv_usec / 1e6;
}

/* A listener that accepts and does no more, in a process of its own. */
static void bare_listener(int count)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, 1024))
		die("listen");
	if (fork()) {
		close(fd);
		return;
	}
	while (count--)
		if (accept(fd, NULL, NULL) < 0)
			die("accept");
	while (getchar() != EOF)
		;
	exit(0);
}

static void idle(int count, int bare)
{
	struct rlimit files = { count + 64, count + 64 };
	unsigned char b[64];
	int i, len, fd;

	if (setrlimit(RLIMIT_NOFILE, &files))
		die("setrlimit");
	if (bare)
		bare_listener(count);
	for (i = 0; i < count; i++) {
		fd = dial();
		if (bare)
			continue;
		len = put_connect(b, i);
		if (send(fd, b, len, 0) != len || recv(fd, b, 4, MSG_WAITALL) != 4 || b[3])
			die("CONNECT");
	}
	puts("ready");
	fflush(stdout);
	while (getchar() != EOF)
		;
}

int main(int argc, char **argv)
{
	double begin, cpu, mine, seconds;
	long got;
	int i;

	if (argc == 4) {
		port = atoi(argv[1]);
		idle(atoi(argv[3]), !strcmp(argv[2], "bare"));
		return 0;
	}
	if (argc < 7) {
		fprintf(stderr, "usage: load PORT PUBLISHERS SUBSCRIBERS QOS SIZE SECONDS [pairs]\n");
		return 1;
	}
	port = atoi(argv[1]);
	n_pub = atoi(argv[2]);
	n_sub = atoi(argv[3]);
	qos = atoi(argv[4]);
	size = atoi(argv[5]);
	seconds = atof(argv[6]);
	pairs = argc > 7;
	start();
	for (i = 0; i < n_pub + n_sub; i++)
		while (!peers[i].up)
			turn(-1);
	begin = now();
	while (now() - begin < WARM_UP) {
		publish();
		turn(10);
	}
	begin = now();
	cpu = busy();
	mine = own();
	got = total_got;
	mark_begin();
	while (now() - begin < seconds) {
		publish();
		turn(10);
	}
	mark_end();
	cpu = busy() - cpu - (own() - mine);
	printf("%ld %.3f %.3f\n", total_got - got, now() - begin, cpu);
	return 0;
}

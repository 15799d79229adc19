// SPDX-License-Identifier: GPL-2.0
/*
 * Local processes, against a pipe between the same processes: throughput with
 * one record a write, latency there and back, the ring, memory of a file.
 */
#include <poll.h>
#include <sys/resource.h>

#include "bench.h"

#define MESSAGES	40000
#define ROUNDS		3000
#define REPEAT		3
#define FILES		2000
#define RING_SIZE	0x100000
#define BATCH		100
#define SPINS		5000

/* Read @count records of one size, as many at a time as there are. */
static void read_records(int fd, size_t size, long count)
{
	static char buf[65536];
	size_t left = size * count;

	while (left) {
		ssize_t n = read(fd, buf, sizeof(buf));

		if (n <= 0)
			die("read");
		left -= n;
	}
}

/* A child reads from @in what we write to @out. Return: messages a second */
static double stream(int in, int out)
{
	struct message m;
	double start;
	long i;
	int status;
	pid_t child;

	make_message(&m, TOPIC);
	child = fork();
	if (!child) {
		read_records(in, m.head.len, MESSAGES);
		_exit(0);
	}
	start = now();
	for (i = 0; i < MESSAGES; i++)
		write_all(out, &m, m.head.len);
	waitpid(child, &status, 0);
	if (status)
		exit(1);
	return MESSAGES / (now() - start);
}

static double stream_pipe(void)
{
	int fd[2];
	double rate;

	if (pipe(fd))
		die("pipe");
	rate = stream(fd[0], fd[1]);
	close(fd[0]);
	close(fd[1]);
	return rate;
}

static double stream_kmqtt(void)
{
	int in = open_subscriber(TOPIC), out = open_device();
	double rate = stream(in, out);

	close(in);
	close(out);
	return rate;
}

static double better(double a, double b, int less)
{
	if (!a)
		return b;
	return (a < b) == less ? a : b;
}

/*
 * Send and wait for the answer. Return: microseconds a round, of the best batch:
 * what else this machine does hits the others.
 */
static double rounds(int ping_in, int ping_out, int pong_in, int pong_out)
{
	struct message ping, pong, in;
	double start, best = 0;
	long i;
	pid_t child;

	make_message(&ping, "bench/ping");
	make_message(&pong, "bench/pong");
	child = fork();
	if (!child) {
		for (i = 0; i < ROUNDS; i++) {
			if (read(ping_in, &in, sizeof(in)) != ping.head.len)
				die("read");
			write_all(pong_out, &pong, pong.head.len);
		}
		_exit(0);
	}
	start = now();
	for (i = 1; i <= ROUNDS; i++) {
		write_all(ping_out, &ping, ping.head.len);
		if (read(pong_in, &in, sizeof(in)) != pong.head.len)
			die("read");
		if (i % BATCH)
			continue;
		best = better(best, now() - start, 1);
		start = now();
	}
	waitpid(child, NULL, 0);
	return best / BATCH * 1e6;
}

/*
 * What a write and a read cost the process that does them, with nobody on the
 * other side: microseconds a message, of the best batch.
 */
static void cost(int in, int out, double *write_us, double *read_us)
{
	struct message m;
	double start;
	int turn, i;

	make_message(&m, TOPIC);
	for (turn = 0; turn < 200; turn++) {
		start = now();
		for (i = 0; i < BATCH; i++)
			write_all(out, &m, m.head.len);
		*write_us = better(*write_us, (now() - start) / BATCH * 1e6, 1);
		start = now();
		read_records(in, m.head.len, BATCH);
		*read_us = better(*read_us, (now() - start) / BATCH * 1e6, 1);
	}
	close(in);
	close(out);
}

static void costs(void)
{
	double write_us = 0, read_us = 0, pipe_write_us = 0, pipe_read_us = 0;
	int fd[2];

	if (pipe(fd))
		die("pipe");
	cost(fd[0], fd[1], &pipe_write_us, &pipe_read_us);
	fd[0] = open_subscriber(TOPIC);
	cost(fd[0], open_device(), &write_us, &read_us);
	row("one write, best batch", write_us, "us", pipe_write_us, "pipe");
	row("one message read, 100 at a time, best batch", read_us, "us", pipe_read_us,
	    "pipe");
}

static double rounds_pipe(void)
{
	int a[2], b[2];
	double took;

	if (pipe(a) || pipe(b))
		die("pipe");
	took = rounds(a[0], a[1], b[0], b[1]);
	close(a[0]);
	close(a[1]);
	close(b[0]);
	close(b[1]);
	return took;
}

static double rounds_kmqtt(void)
{
	int ping = open_subscriber("bench/ping"), pong = open_subscriber("bench/pong");
	double took = rounds(ping, pong, pong, ping);

	close(ping);
	close(pong);
	return took;
}

struct ring_count {
	long polls;
};

/* Look again for a while before going to sleep: a wake-up costs both sides more. */
static int ring_moved(const struct kmqtt_ring_kernel *kernel, __u64 consumer)
{
	int i;

	for (i = 0; i < SPINS; i++)
		if (__atomic_load_n(&kernel->producer, __ATOMIC_ACQUIRE) != consumer)
			return 1;
	return 0;
}

/* A ring as it is mapped. */
struct ring {
	int fd;
	const char *data;
	const struct kmqtt_ring_kernel *kernel;
	struct kmqtt_ring_user *user;
};

static struct ring open_ring(int fd)
{
	struct kmqtt_ring_setup setup = { .size = sizeof(setup), .data_size = RING_SIZE };
	struct ring ring = { .fd = fd };
	const char *map;

	if (ioctl(fd, KMQTT_IOC_RING, &setup))
		die("KMQTT_IOC_RING");
	map = mmap(NULL, setup.map_size, PROT_READ, MAP_SHARED, fd, 0);
	ring.user = mmap(NULL, setup.kernel_offset, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED || ring.user == MAP_FAILED)
		die("mmap");
	ring.kernel = (const void *)(map + setup.kernel_offset);
	ring.data = map + setup.data_offset;
	return ring;
}

/* The loop of a reader, as uapi/kmqtt.h gives it. */
static void read_ring(const struct ring *ring, long count, struct ring_count *shared)
{
	struct pollfd p = { .fd = ring->fd, .events = POLLIN };

	while (count) {
		__u64 consumer = ring->user->consumer;
		__u64 producer = __atomic_load_n(&ring->kernel->producer, __ATOMIC_ACQUIRE);

		for (; consumer != producer; count--) {
			const struct kmqtt_record *r = (const void *)
				(ring->data + (consumer & (RING_SIZE - 1)));

			consumer += r->len;
		}
		__atomic_store_n(&ring->user->consumer, consumer, __ATOMIC_RELEASE);
		if (count && (__atomic_load_n(&ring->kernel->flags, __ATOMIC_ACQUIRE) ||
			      !ring_moved(ring->kernel, consumer))) {
			shared->polls++;
			if (poll(&p, 1, -1) != 1 || p.revents & POLLERR)
				die("poll");
		}
	}
}

/* Return: system calls of a reader for which so many messages are there already */
static double ring_waiting(long messages)
{
	struct ring_count count = { 0 };
	int in = open_subscriber(TOPIC), out = open_device();
	struct ring ring = open_ring(in);
	struct message m;
	long i;

	make_message(&m, TOPIC);
	for (i = 0; i < messages; i++)
		write_all(out, &m, m.head.len);
	read_ring(&ring, messages, &count);
	close(in);
	close(out);
	return count.polls;
}

/* Return: messages a second; @polls: system calls of the reader a message */
static double stream_ring(double *polls)
{
	struct ring_count *count = shared(sizeof(*count));
	int in = open_subscriber(TOPIC), out = open_device();
	struct message m;
	double start, rate;
	pid_t child;
	long i;

	make_message(&m, TOPIC);
	child = fork();
	if (!child) {
		struct ring ring = open_ring(in);

		read_ring(&ring, MESSAGES, count);
		_exit(0);
	}
	usleep(10000);
	start = now();
	for (i = 0; i < MESSAGES; i++)
		write_all(out, &m, m.head.len);
	waitpid(child, NULL, 0);
	rate = MESSAGES / (now() - start);
	*polls = (double)count->polls / MESSAGES;
	close(in);
	close(out);
	munmap(count, sizeof(*count));
	return rate;
}

static long kernel_memory(void)
{
	static const char *const names[] = { "Slab:", "VmallocUsed:", "Percpu:" };
	char line[128];
	long sum = 0, kib;
	unsigned int i;
	FILE *f = fopen("/proc/meminfo", "r");

	if (!f)
		die("/proc/meminfo");
	while (fgets(line, sizeof(line), f))
		for (i = 0; i < 3; i++)
			if (!strncmp(line, names[i], strlen(names[i])) &&
			    sscanf(line + strlen(names[i]), "%ld", &kib) == 1)
				sum += kib;
	fclose(f);
	return sum * 1024;
}

/* Return: bytes of kernel memory of a file that is open and has subscribed */
static double memory(void)
{
	struct rlimit limit = { FILES + 64, FILES + 64 };
	static int fd[FILES];
	char filter[32];
	long before;
	double each;
	int i;

	if (setrlimit(RLIMIT_NOFILE, &limit))
		die("RLIMIT_NOFILE");
	before = kernel_memory();
	for (i = 0; i < FILES; i++) {
		snprintf(filter, sizeof(filter), "bench/%d/+", i);
		fd[i] = open_subscriber(filter);
	}
	each = (double)(kernel_memory() - before) / FILES;
	for (i = 0; i < FILES; i++)
		close(fd[i]);
	return each;
}

int main(void)
{
	double pipe_rate = 0, rate = 0, pipe_round = 0, round = 0, ring = 0, polls = 0, p;
	int i;

	/* In turns, and the best of each: other work on this machine hits both. */
	for (i = 0; i < REPEAT; i++) {
		pipe_rate = better(pipe_rate, stream_pipe(), 0);
		rate = better(rate, stream_kmqtt(), 0);
		pipe_round = better(pipe_round, rounds_pipe(), 1);
		round = better(round, rounds_kmqtt(), 1);
		p = stream_ring(&polls);
		ring = better(ring, p, 0);
	}
	row("write to read, 64 B, 1 to 1", rate / 1e3, "k/s", pipe_rate / 1e3,
	    "pipe; >= 0.5");
	costs();
	row("there and back, best batch", round, "us", pipe_round, "pipe; <= 1.3");
	row("write to mmap ring, 64 B, 1 to 1", ring / 1e3, "k/s", pipe_rate / 1e3, "pipe");
	row("system calls of the ring's reader", polls, "a msg", 0, "");
	row("the same, 1000 messages being there", ring_waiting(1000), "calls", 0, "0");
	row("kernel memory of a subscribed file", memory(), "bytes", 0, "<= 8192");
	return 0;
}

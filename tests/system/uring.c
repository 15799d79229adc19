// SPDX-License-Identifier: GPL-2.0
/*
 * The device through io_uring: a read that waits is completed by a later
 * write, linked and batched operations, poll, cancellation.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <liburing.h>

#include "kmqtt.h"

#define COUNT 32

static struct io_uring uring;
static const char *topic;

union message {
	struct kmqtt_record head;
	char bytes[128];
};

static void check(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "%s\n", what);
	exit(1);
}

static int open_device(void)
{
	int fd = open(KMQTT_DEVICE, O_RDWR | O_CLOEXEC);

	check(fd >= 0, "open");
	return fd;
}

static void make(union message *m, uint32_t number)
{
	memset(m, 0, sizeof(*m));
	m->head.type = KMQTT_REC_MESSAGE;
	m->head.topic_len = strlen(topic);
	m->head.payload_len = 4;
	m->head.len = KMQTT_REC_SIZE(strlen(topic), 0, 4);
	memcpy(m->bytes + sizeof(m->head), topic, strlen(topic));
	memcpy(m->bytes + sizeof(m->head) + strlen(topic) + 1, &number, 4);
}

static uint32_t number_of(const union message *m)
{
	uint32_t number;

	memcpy(&number, m->bytes + sizeof(m->head) + m->head.topic_len + 1, 4);
	return number;
}

static void submit(unsigned int count)
{
	check(io_uring_submit(&uring) == (int)count, "submit");
}

/* Wait for one completion. Return: its result */
static int complete(uint64_t *data)
{
	struct io_uring_cqe *cqe;
	int res;

	check(!io_uring_wait_cqe(&uring, &cqe), "wait");
	*data = cqe->user_data;
	res = cqe->res;
	io_uring_cqe_seen(&uring, cqe);
	return res;
}

static int nothing_done(void)
{
	struct io_uring_cqe *cqe;

	return io_uring_peek_cqe(&uring, &cqe) == -EAGAIN;
}

/* A read is submitted before there is anything to read. */
static void read_waits(int reader, int writer)
{
	union message in, out;
	struct io_uring_sqe *sqe = io_uring_get_sqe(&uring);
	uint64_t data;

	io_uring_prep_read(sqe, reader, &in, sizeof(in), 0);
	sqe->user_data = 1;
	submit(1);
	usleep(50000);
	check(nothing_done(), "a read was done too early");
	make(&out, 42);
	check(write(writer, &out, out.head.len) == (ssize_t)out.head.len, "write");
	check(complete(&data) == (int)out.head.len && data == 1, "read");
	check(number_of(&in) == 42, "payload");
}

/* Writes go in order if they are linked; one read gets all. */
static void linked_writes(int reader, int writer)
{
	static union message out[COUNT];
	static char in[COUNT * sizeof(union message)];
	uint64_t data;
	int i, len, at;

	for (i = 0; i < COUNT; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&uring);

		make(&out[i], i);
		io_uring_prep_write(sqe, writer, &out[i], out[i].head.len, 0);
		sqe->user_data = i;
		if (i < COUNT - 1)
			sqe->flags |= IOSQE_IO_LINK;
	}
	submit(COUNT);
	for (i = 0; i < COUNT; i++)
		check(complete(&data) == (int)out[0].head.len, "linked write");
	len = read(reader, in, sizeof(in));
	check(len == COUNT * (int)out[0].head.len, "read of all");
	for (i = 0, at = 0; at < len; i++) {
		union message m;

		memcpy(&m, in + at, out[0].head.len);
		check(number_of(&m) == (uint32_t)i, "order");
		at += m.head.len;
	}
}

static void bad_write(int writer)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&uring);
	union message out;
	uint64_t data;

	make(&out, 0);
	out.head.reserved = 1;
	io_uring_prep_write(sqe, writer, &out, out.head.len, 0);
	submit(1);
	check(complete(&data) == -EINVAL, "a bad record through io_uring");
}

static void poll_once(int reader, int writer)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&uring);
	union message m;
	uint64_t data;

	io_uring_prep_poll_add(sqe, reader, POLLIN);
	submit(1);
	check(nothing_done(), "poll was done too early");
	make(&m, 1);
	check(write(writer, &m, m.head.len) > 0, "write");
	check(complete(&data) & POLLIN, "poll");
	check(read(reader, &m, sizeof(m)) > 0, "read after poll");
}

static void cancel(int reader)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&uring);
	union message in;
	uint64_t data;
	int i, res;

	io_uring_prep_read(sqe, reader, &in, sizeof(in), 0);
	sqe->user_data = 7;
	submit(1);
	sqe = io_uring_get_sqe(&uring);
	io_uring_prep_cancel(sqe, (void *)7, 0);
	sqe->user_data = 8;
	submit(1);
	for (i = 0; i < 2; i++) {
		res = complete(&data);
		check(data == 7 ? res == -ECANCELED || res == -EINTR : !res, "cancel");
	}
}

/* Who asks not to wait is told; io_uring waits by poll() otherwise, as on a pipe. */
static void nowait(int reader)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&uring);
	union message in;
	uint64_t data;

	io_uring_prep_read(sqe, reader, &in, sizeof(in), 0);
	sqe->rw_flags = RWF_NOWAIT;
	submit(1);
	check(complete(&data) == -EAGAIN, "RWF_NOWAIT");
}

int main(int argc, char **argv)
{
	struct kmqtt_subscription sub = { .size = sizeof(sub) };
	int reader, writer;

	check(argc == 2, "usage: uring TOPIC");
	topic = argv[1];
	sub.filter = (uintptr_t)topic;
	sub.filter_len = strlen(topic);
	reader = open_device();
	writer = open_device();
	check(!ioctl(reader, KMQTT_IOC_SUBSCRIBE, &sub), "subscribe");
	check(!io_uring_queue_init(2 * COUNT, &uring, 0), "io_uring_queue_init");
	read_waits(reader, writer);
	linked_writes(reader, writer);
	bad_write(writer);
	poll_once(reader, writer);
	cancel(reader);
	nowait(reader);
	io_uring_queue_exit(&uring);
	puts("io_uring: ok");
	return 0;
}

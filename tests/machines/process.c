// SPDX-License-Identifier: GPL-2.0
/*
 * Local processes on another machine: records, named sessions and rings, with libkmqtt. Prints TAP.
 *
 *	process			everything
 *	process many GIB		so many GiB through a ring
 */
#include <kmqtt/kmqtt.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WAIT_MS	60000

static int failed;

static void ok(bool good, const char *what)
{
	printf("%sok - %zu bits: %s\n", good ? "" : "not ", sizeof(void *) * 8, what);
	fflush(stdout);
	failed |= !good;
}

static struct kmqtt *opened(const char *filter, unsigned int qos)
{
	struct kmqtt *k = kmqtt_open(0);

	if (!k || (filter && kmqtt_subscribe(k, filter, qos))) {
		ok(false, "open, subscribe");
		exit(1);
	}
	return k;
}

static void test_record(void)
{
	struct kmqtt_subscription sub = { .qos = 2, .sub_id = 268435455 };
	struct kmqtt_props *props = kmqtt_props_new();
	struct kmqtt_publication pub = {
		.topic = "a/\xc3\xa4", .payload = "load", .payload_len = 4, .qos = 2,
		.props = props,
	};
	struct kmqtt *k = opened(NULL, 0);
	struct kmqtt_message msg;
	struct timespec now;
	const char *value;
	size_t len;

	kmqtt_props_format(props, 1);
	kmqtt_props_expiry(props, 0x01020304);
	kmqtt_props_string(props, KMQTT_PROP_CORRELATION_DATA, "\0\1\2", 3);
	kmqtt_props_user(props, "name", "value");
	ok(!kmqtt_subscribe_set(k, "a/+", &sub) && !kmqtt_publish_set(k, &pub), "publish");
	ok(kmqtt_receive(k, &msg, WAIT_MS) == 1, "receive");
	clock_gettime(CLOCK_REALTIME, &now);
	ok(msg.topic_len == 4 && !memcmp(msg.topic, pub.topic, 5) && msg.payload_len == 4 &&
	   !memcmp(msg.payload, "load", 4), "topic and payload");
	ok(msg.qos == 2 && msg.sub_id == sub.sub_id && msg.expiry <= 0x01020304 &&
	   msg.expiry > 0x01020304 - 3600, "QoS, subscription identifier, expiry");
	ok((long long)(msg.time_ns / 1000000000) >= now.tv_sec - 3600 &&
	   (long long)(msg.time_ns / 1000000000) <= now.tv_sec, "time");
	value = kmqtt_message_user(&msg, "name", &len);
	ok(value && len == 5 && !memcmp(value, "value", 5), "user property");
	kmqtt_props_free(props);
	kmqtt_close(k);
}

static void test_session(void)
{
	struct kmqtt *k = opened(NULL, 0), *from = opened(NULL, 0);
	unsigned int i, seen = 0;
	struct kmqtt_message msg;
	char name[16];

	snprintf(name, sizeof(name), "of %zu bits", sizeof(void *) * 8);
	ok(kmqtt_session(k, name, 600, KMQTT_SESSION_MANUAL_ACK) == 0 &&
	   !kmqtt_subscribe(k, "s/#", 1), "a named session");
	kmqtt_close(k);
	for (i = 0; i < 10; i++)
		kmqtt_publish(from, "s/t", &i, sizeof(i), 1);
	for (;;) {
		k = kmqtt_open(0);
		if (kmqtt_session(k, name, 600, KMQTT_SESSION_MANUAL_ACK) != 1)
			break;
		/* two are read each time, and one is acknowledged */
		if (kmqtt_receive(k, &msg, WAIT_MS) != 1 ||
		    memcmp(msg.payload, &seen, sizeof(seen)))
			break;
		seen++;
		if (kmqtt_ack(k, msg.id) || seen == 10 || kmqtt_receive(k, &msg, WAIT_MS) != 1)
			break;
		kmqtt_close(k);
	}
	ok(seen == 10, "what is not acknowledged comes again");
	kmqtt_close(k);
	kmqtt_close(from);
}

/* What a message of this number is like. */
static size_t filled(unsigned char *buf, unsigned int number, size_t max)
{
	size_t len = max - number % (max - sizeof(number));

	memset(buf, number, len);
	memcpy(buf, &number, sizeof(number));
	return len;
}

/* So many messages from another process by way of a ring; they come whole, in order, and all. */
static bool through_ring(size_t size, unsigned int count, size_t max)
{
	/* of the largest about half of memory_limit, which is 30 MB on armhf */
	struct kmqtt_session_conf conf = {
		.policy = KMQTT_POLICY_BLOCK, .max_queued_messages = 8,
	};
	struct kmqtt *k = opened(NULL, 0), *from;
	unsigned char *want = malloc(max);
	unsigned int i, number = 0;
	struct kmqtt_message msg;
	int status;
	pid_t pid;

	if (kmqtt_session_set(k, &conf) || kmqtt_ring_open(k, size) || kmqtt_subscribe(k, "r/#", 1))
		return false;
	pid = fork();
	if (!pid) {
		from = opened(NULL, 0);
		for (i = 0; i < count; i++)
			if (kmqtt_publish(from, "r/t", want, filled(want, i, max), 1)) {
				printf("# message %u is refused: %s\n", i, strerror(errno));
				fflush(stdout);
				_exit(1);
			}
		_exit(0);
	}
	for (; number < count; number++) {
		int got = kmqtt_receive(k, &msg, WAIT_MS);

		if (got != 1) {
			printf("# message %u does not come: %s\n", number,
			       got ? strerror(errno) : "time-out");
			break;
		}
		if (msg.payload_len != filled(want, number, max) ||
		    memcmp(msg.payload, want, msg.payload_len)) {
			printf("# message %u is not what was sent\n", number);
			break;
		}
	}
	/* first, so that it is not waited for by who is waited for */
	kmqtt_close(k);
	waitpid(pid, &status, 0);
	free(want);
	return number == count && !status;
}

/* A reader whose position makes no sense ends its ring. */
static bool ring_is_ended(void)
{
	struct kmqtt_ring_setup setup = { .size = sizeof(setup), .data_size = 65536 };
	struct kmqtt *k = opened("e/#", 0);
	struct kmqtt_ring_kernel *kernel;
	struct kmqtt_ring_user *user;
	bool good;

	if (ioctl(kmqtt_fd(k), KMQTT_IOC_RING, &setup))
		return false;
	user = mmap(NULL, setup.kernel_offset, PROT_READ | PROT_WRITE, MAP_SHARED, kmqtt_fd(k), 0);
	kernel = mmap(NULL, setup.data_offset - setup.kernel_offset, PROT_READ, MAP_SHARED,
		      kmqtt_fd(k), setup.kernel_offset);
	if (user == MAP_FAILED || kernel == MAP_FAILED)
		return false;
	good = !kmqtt_publish(k, "e/t", "1", 1, 0) && kernel->producer && !kernel->flags;
	/* the lower half is right */
	user->consumer = 1ULL << 32;
	good = good && !kmqtt_publish(k, "e/t", "2", 1, 0) && kernel->flags == KMQTT_RING_ERROR;
	munmap(user, setup.kernel_offset);
	munmap(kernel, setup.data_offset - setup.kernel_offset);
	kmqtt_close(k);
	return good;
}

int main(int argc, char **argv)
{
	if (argc == 3) {
		unsigned int count = strtoul(argv[2], NULL, 10) * 570;
		char what[64];

		snprintf(what, sizeof(what), "%s GiB through a ring", argv[2]);
		ok(through_ring(8 << 20, count, 1900000), what);
		return failed;
	}
	test_record();
	test_session();
	ok(through_ring(65536, 5000, 3000), "5000 messages through a ring");
	ok(ring_is_ended(), "a ring whose position makes no sense");
	return failed;
}

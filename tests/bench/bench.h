/* SPDX-License-Identifier: GPL-2.0 */
/* What the benches share: clocks, records, rows of the table. */
#ifndef KMQTT_BENCH_H
#define KMQTT_BENCH_H

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kmqtt.h"

/* one message, as everything here carries it */
#define TOPIC	"bench/local"
#define PAYLOAD	64

struct message {
	struct kmqtt_record head;
	char text[KMQTT_REC_SIZE(sizeof(TOPIC), 0, PAYLOAD)];
};

static inline void die(const char *what)
{
	perror(what);
	exit(1);
}

static inline double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/*
 * Seconds that all CPUs of this machine were not idle. Idle time is measured by the clock, while
 * user and system time in /proc/stat are counted in ticks, of which a machine that does not get
 * its host's processors misses many.
 */
static inline double busy(void)
{
	FILE *f = fopen("/proc/uptime", "r");
	double up, idle;

	if (!f || fscanf(f, "%lf %lf", &up, &idle) != 2)
		die("/proc/uptime");
	fclose(f);
	return up * sysconf(_SC_NPROCESSORS_ONLN) - idle;
}

static inline void make_message(struct message *m, const char *topic)
{
	size_t len = strlen(topic);

	memset(m, 0, sizeof(*m));
	m->head.type = KMQTT_REC_MESSAGE;
	m->head.topic_len = len;
	m->head.payload_len = PAYLOAD;
	m->head.len = KMQTT_REC_SIZE(len, 0, PAYLOAD);
	memcpy(m->text, topic, len);
}

static inline int open_device(void)
{
	int fd = open(KMQTT_DEVICE, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		die(KMQTT_DEVICE);
	return fd;
}

/* A file that receives @filter, and makes writers wait when it is full. */
static inline int open_subscriber(const char *filter)
{
	struct kmqtt_session_conf conf = {
		.size = sizeof(conf),
		.policy = KMQTT_POLICY_BLOCK,
	};
	struct kmqtt_subscription sub = {
		.size = sizeof(sub),
		.filter = (uintptr_t)filter,
		.filter_len = strlen(filter),
	};
	int fd = open_device();

	if (ioctl(fd, KMQTT_IOC_SESSION, &conf) ||
	    ioctl(fd, KMQTT_IOC_SUBSCRIBE, &sub))
		die("subscribe");
	return fd;
}

/* Memory that children share with us. */
static inline void *shared(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		die("mmap");
	return p;
}

static inline void write_all(int fd, const void *data, size_t len)
{
	if (write(fd, data, len) != (ssize_t)len)
		die("write");
}

static inline void row(const char *what, double ours, const char *unit,
		       double theirs, const char *wanted)
{
	if (theirs)
		printf("%-44s %12.1f %12.1f %-7s %6.2f  %s\n", what, ours, theirs,
		       unit, ours / theirs, wanted);
	else
		printf("%-44s %12.1f %12s %-7s %6s  %s\n", what, ours, "", unit, "",
		       wanted);
	fflush(stdout);
}

#endif

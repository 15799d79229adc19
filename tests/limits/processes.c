// SPDX-License-Identifier: GPL-2.0
/*
 * Local processes by the thousand, and those that write to them.
 *
 *	processes many COUNT SUBSCRIPTIONS
 *		COUNT processes with process/NUMBER/0, process/NUMBER/1, ... and `big`. Says
 *		"ready", and for each line on standard input what clients.c does
 *	processes write TOPIC COUNT SIZE QOS [retain | number]
 *		COUNT messages, to TOPIC with a number behind it, or, with `number`, to TOPIC
 *		itself, with a sequence number at the beginning. Says how many ns a message took
 *	processes read FILTER COUNT ROOM [block] [NS]
 *		COUNT messages of a session whose queue has ROOM; their order is looked at where
 *		they are numbered (QoS 1), and each takes NS. Says "ready", then how many were right
 *	processes mute FILTER
 *		reads nothing; says "ready", and for each line "QUEUED DROPPED"
 */
#include <kmqtt/kmqtt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define BATCH	65536U
#define WAIT_MS	600000

struct counts {
	unsigned int ready;
	unsigned long long messages, bytes, wrong;
};

static struct counts *counts;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static struct kmqtt *opened(void)
{
	struct kmqtt *k = kmqtt_open(0);

	if (!k)
		die("open");
	return k;
}

static void ready(void)
{
	puts("ready");
	fflush(stdout);
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

/* What a payload is made of: the last byte of its topic. */
static bool right(const struct kmqtt_message *msg, size_t from)
{
	const uint8_t *at = msg->payload;
	size_t i;

	for (i = from; i < msg->payload_len; i++)
		if (at[i] != (uint8_t)msg->topic[msg->topic_len - 1])
			return false;
	return true;
}

static void one_of_many(unsigned int number, unsigned int subscriptions)
{
	struct kmqtt *k = opened();
	struct kmqtt_message msg;
	char filter[64];
	unsigned int i;
	int own;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (i = 0; i < subscriptions; i++) {
		own = snprintf(filter, sizeof(filter), "process/%u/%u", number, i);
		if (kmqtt_subscribe(k, filter, 1))
			die("subscribe");
	}
	if (kmqtt_subscribe(k, "big", 1))
		die("subscribe");
	own = snprintf(filter, sizeof(filter), "process/%u/", number);
	__atomic_add_fetch(&counts->ready, 1, __ATOMIC_RELEASE);
	while (kmqtt_receive(k, &msg, -1) == 1) {
		if (!right(&msg, 0) ||
		    (strcmp(msg.topic, "big") && strncmp(msg.topic, filter, own)))
			__atomic_add_fetch(&counts->wrong, 1, __ATOMIC_RELAXED);
		__atomic_add_fetch(&counts->bytes, msg.payload_len, __ATOMIC_RELAXED);
		__atomic_add_fetch(&counts->messages, 1, __ATOMIC_RELAXED);
	}
	die("receive");
}

static int many(unsigned int count, unsigned int subscriptions)
{
	char line[16];
	unsigned int i;

	counts = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	for (i = 0; i < count; i++) {
		switch (fork()) {
		case -1:
			die("fork");
			break;
		case 0:
			one_of_many(i, subscriptions);
		}
	}
	while (__atomic_load_n(&counts->ready, __ATOMIC_ACQUIRE) < count)
		usleep(10000);
	ready();
	while (fgets(line, sizeof(line), stdin)) {
		printf("%llu %llu %llu\n", counts->messages, counts->bytes, counts->wrong);
		fflush(stdout);
	}
	return 0;
}

static int write_all(const char *topic, unsigned int count, size_t size, int qos, const char *how)
{
	bool retain = how && !strcmp(how, "retain"), numbered = how && !strcmp(how, "number");
	size_t room = size + 2 * BATCH, used = 0;
	uint8_t *payload = malloc(size);
	void *batch = malloc(room);
	struct kmqtt *k = opened();
	uint64_t begin = now();
	char name[64];
	unsigned int i;

	for (i = 0; i < count; i++) {
		struct kmqtt_publication pub = {
			.topic = numbered ? topic : name, .payload = payload, .payload_len = size,
			.qos = qos, .flags = retain ? KMQTT_REC_RETAIN : 0,
		};

		snprintf(name, sizeof(name), count > 1 ? "%s%u" : "%s", topic, i);
		memset(payload, pub.topic[strlen(pub.topic) - 1], size);
		if (numbered)
			memcpy(payload, &i, sizeof(i));
		used += kmqtt_record_put((char *)batch + used, room - used, &pub);
		if (used < BATCH && i + 1 < count && !numbered)
			continue;
		if (write(kmqtt_fd(k), batch, used) != (ssize_t)used)
			die("write");
		used = 0;
	}
	printf("%llu\n", (unsigned long long)(now() - begin) / count);
	return 0;
}

static int read_all(const char *filter, unsigned int count, unsigned int room, bool block, long ns)
{
	struct kmqtt_session_conf conf = {
		.policy = block ? KMQTT_POLICY_BLOCK : 0, .max_queued_messages = room,
	};
	struct timespec pause = { 0, ns };
	unsigned int good = 0, number;
	struct kmqtt *k = opened();
	struct kmqtt_message msg;

	if (kmqtt_session_set(k, &conf) || kmqtt_subscribe(k, filter, 1))
		die("subscribe");
	ready();
	while (good < count && kmqtt_receive(k, &msg, WAIT_MS) == 1) {
		if (msg.qos && !(msg.flags & KMQTT_REC_RETAIN)) {
			memcpy(&number, msg.payload, sizeof(number));
			if (number != good || !right(&msg, sizeof(number)))
				break;
		} else if (!right(&msg, 0)) {
			break;
		}
		good++;
		if (ns)
			nanosleep(&pause, NULL);
	}
	printf("%u\n", good);
	return 0;
}

static int mute(const char *filter)
{
	struct kmqtt_file_stats stats = { .size = sizeof(stats) };
	struct kmqtt *k = opened();
	char line[16];

	if (kmqtt_subscribe(k, filter, 1))
		die("subscribe");
	ready();
	while (fgets(line, sizeof(line), stdin)) {
		if (kmqtt_stats(k, &stats))
			die("stats");
		printf("%u %llu\n", stats.queued_messages,
		       (unsigned long long)stats.dropped_messages);
		fflush(stdout);
	}
	return 0;
}

int main(int argc, char **argv)
{
	bool block = argc > 5 && !strcmp(argv[5], "block");

	if (argc == 4 && !strcmp(argv[1], "many"))
		return many(atoi(argv[2]), atoi(argv[3]));
	if (argc >= 6 && !strcmp(argv[1], "write"))
		return write_all(argv[2], atoi(argv[3]), atoi(argv[4]), atoi(argv[5]), argv[6]);
	if (argc >= 5 && !strcmp(argv[1], "read"))
		return read_all(argv[2], atoi(argv[3]), atoi(argv[4]), block,
				argc > 6 ? atol(argv[6]) : 0);
	if (argc == 3 && !strcmp(argv[1], "mute"))
		return mute(argv[2]);
	fputs("processes: see the head of processes.c\n", stderr);
	return 1;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * One writer and its readers, each a process of its own: what a delivery costs the whole machine,
 * both sides included. At most WINDOW messages are between the writer and the slowest reader.
 *
 *   ways WAY READERS MESSAGES
 *
 * Prints an object of JSON with sums, as `kmqtt -j bench` does. Ways: see kmqtt_ways[] and so on.
 */
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>

#include "../../userspace/cli/bench.h"
#include "ways.h"

#define WINDOW		500
#define BATCH		50	/* between two looks at how far they are */
#define MOMENT		100	/* us, until the next look */
#define PATIENCE	600000	/* looks in which nothing happens */

/* For bench_clock.c */
struct bench bench;

static struct count *counts;
static int readers;

noreturn void bench_fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

static long slowest(void)
{
	long least = counts[0].got;
	int i;

	for (i = 1; i < readers; i++)
		if (counts[i].got < least)
			least = counts[i].got;
	return least;
}

static void wait_for(long got)
{
	long i;

	for (i = 0; slowest() < got; i++) {
		if (i == PATIENCE)
			bench_fail("ways: messages do not come");
		usleep(MOMENT);
	}
}

static const struct way *find(const char *name)
{
	static const struct way *const all[] = { kmqtt_ways, plain_ways, bus_ways };
	const struct way *way;
	size_t i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		for (way = all[i]; way->name; way++)
			if (!strcmp(way->name, name))
				return way;
	fprintf(stderr, "ways: there is no way \"%s\"\n", name);
	exit(1);
}

static void start(const struct way *way, long total)
{
	int i;

	if (way->prepare)
		way->prepare(readers);
	for (i = 0; i < readers; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (!pid) {
			struct timespec spent;

			prctl(PR_SET_PDEATHSIG, SIGKILL);
			way->reader(&counts[i], i, total);
			clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
			counts[i].cpu_ns = spent.tv_sec * 1000000000LL + spent.tv_nsec;
			_exit(counts[i].got == total ? 0 : 1);
		}
	}
	for (i = 0; i < readers; i++)
		while (!counts[i].ready)
			usleep(1000);
	way->open();
}

static void stream(const struct way *way, long from, long to)
{
	long sent;

	for (sent = from; sent < to; sent += BATCH) {
		way->write(BATCH);
		wait_for(sent + BATCH - WINDOW);
	}
	wait_for(to);
}

int main(int argc, char **argv)
{
	static const struct bench_conf conf;
	struct bench_result result = { 0 };
	struct bench_clock begin;
	const struct way *way;
	long long readers_cpu = 0;
	long warm_up, total;
	int i, status;

	if (argc < 4) {
		fprintf(stderr, "usage: ways WAY READERS MESSAGES\n");
		return 1;
	}
	way = find(argv[1]);
	readers = atoi(argv[2]);
	bench.conf = &conf;
	warm_up = BATCH;
	total = warm_up + (atol(argv[3]) + BATCH - 1) / BATCH * BATCH;
	counts = shared(sizeof(*counts) * readers);
	start(way, total);
	stream(way, 0, warm_up);
	bench_begin(&begin);
	stream(way, warm_up, total);
	bench_end(&begin, &result);
	for (i = 0; i < readers; i++)
		if (wait(&status) < 0 || status)
			bench_fail("ways: a reader has not got what it should");
	for (i = 0; i < readers; i++)
		readers_cpu += counts[i].cpu_ns;
	printf("{\"way\":\"%s\",\"n\":%ld,\"ns\":%llu,\"cpu_ns\":%llu,\"own_cpu_ns\":0,"
	       "\"readers_cpu_ns\":%lld,\"switches\":%llu,\"kernel_memory\":%lld,\"pid_memory\":0,"
	       "\"setup_kernel_memory\":0,\"setup_pid_memory\":0}\n", way->name,
	       (total - warm_up) * readers, (unsigned long long)result.spent.ns,
	       (unsigned long long)result.spent.machine, readers_cpu,
	       (unsigned long long)result.spent.switches, (long long)result.spent.kernel_memory);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0
/* kmqtt bench: what it costs this machine. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

static uint64_t clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

uint64_t bench_now(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

/*
 * Processor time of all processes and kernel threads that are not running now. /proc/stat counts
 * it in ticks, of which a machine that does not get its host's processors misses many.
 */
static uint64_t machine_ns(void)
{
	unsigned long long ns, sum = 0;
	char line[1024];
	FILE *f = fopen("/proc/schedstat", "r");

	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "cpu%*u %*u %*u %*u %*u %*u %*u %llu", &ns) == 1)
			sum += ns;
	fclose(f);
	return sum;
}

/* The number behind a word at the beginning of a line of a file, or of several; 0: none. */
static int64_t number_in(const char *path, const char *const *words, size_t count)
{
	char line[1024];
	long long sum = 0, value;
	FILE *f = fopen(path, "r");
	size_t i;

	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f))
		for (i = 0; i < count; i++)
			if (!strncmp(line, words[i], strlen(words[i])) &&
			    sscanf(line + strlen(words[i]), "%lld", &value) == 1)
				sum += value;
	fclose(f);
	return sum;
}

static int64_t resident(uint64_t pid)
{
	static const char *const word[] = { "VmRSS:" };
	char path[40];

	snprintf(path, sizeof(path), "/proc/%llu/status", (unsigned long long)pid);
	return pid ? number_in(path, word, 1) * 1024 : 0;
}

static void memory_read(struct bench_clock *clock)
{
	static const char *const kernel[] = { "Slab:", "KernelStack:", "VmallocUsed:", "Percpu:" };
	static const char *const total[] = { "MemTotal:" };
	static const char *const rest[] = { "MemFree:", "Buffers:", "Cached:" };

	clock->kernel_memory = number_in("/proc/meminfo", kernel, 4) * 1024;
	clock->used_memory = (number_in("/proc/meminfo", total, 1) -
			      number_in("/proc/meminfo", rest, 3)) * 1024;
	clock->pid_memory = resident(bench.conf->pid);
	clock->own_memory = resident(getpid());
}

void bench_clock_read(struct bench_clock *clock)
{
	static const char *const switches[] = { "ctxt " };
	struct timespec moment = { 0, 1 };
	struct rusage usage;

	memory_read(clock);
	getrusage(RUSAGE_SELF, &usage);
	clock->own_switches = usage.ru_nvcsw + usage.ru_nivcsw;
	clock->own = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	/* so that what this process has had until now is in the machine's, too */
	nanosleep(&moment, NULL);
	clock->ns = bench_now();
	clock->machine = machine_ns();
	clock->switches = number_in("/proc/stat", switches, 1);
}

/* For the plugin of tests/bench/profile: what is counted lies between these. */
static void mark_begin(void)
{
#ifdef __x86_64__
	__asm__ volatile("xchg %%bx, %%bx" : : : "memory");
#endif
}

static void mark_end(void)
{
#ifdef __x86_64__
	__asm__ volatile("xchg %%cx, %%cx" : : : "memory");
#endif
}

void bench_begin(struct bench_clock *clock)
{
	bench_clock_read(clock);
	mark_begin();
}

void bench_end(const struct bench_clock *begin, struct bench_result *result)
{
	struct bench_clock *spent = &result->spent;

	mark_end();
	bench_clock_read(spent);
	spent->ns -= begin->ns;
	spent->machine -= begin->machine;
	spent->own -= begin->own;
	spent->switches -= begin->switches;
	spent->own_switches -= begin->own_switches;
	spent->kernel_memory -= begin->kernel_memory;
	spent->used_memory -= begin->used_memory;
	spent->pid_memory -= begin->pid_memory;
	spent->own_memory -= begin->own_memory;
}

void bench_sockets(uint64_t count)
{
	struct rlimit files;

	getrlimit(RLIMIT_NOFILE, &files);
	if (files.rlim_cur >= count + 64)
		return;
	files.rlim_cur = count + 64;
	if (files.rlim_max < files.rlim_cur)
		files.rlim_max = files.rlim_cur;
	if (setrlimit(RLIMIT_NOFILE, &files))
		bench_fail("%llu sockets: %s", (unsigned long long)count, strerror(errno));
}

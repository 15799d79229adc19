/* SPDX-License-Identifier: GPL-2.0 */
/* Ways in which messages get from one local process to others. */
#ifndef KMQTT_BENCH_WAYS_H
#define KMQTT_BENCH_WAYS_H

#include "bench.h"

/* What a reader has got, in a cache line of its own, and in the end what it has spent on it. */
struct count {
	volatile long got;
	volatile int ready;
	long long cpu_ns;
	char pad[64 - 2 * sizeof(long) - sizeof(long long)];
};

/* Of each process one function; they get the count of the reader. */
struct way {
	const char *name;
	void (*prepare)(int readers);	/* before there are readers, in the writer; or NULL */
	void (*reader)(struct count *c, int number, long total);	/* until it has all */
	void (*open)(void);		/* the writer's side, when all readers are ready */
	void (*write)(int messages);	/* so many */
};

extern const struct way kmqtt_ways[], plain_ways[], bus_ways[];

/* Port of the broker that measure has started for "mosquitto" and "uplink". */
#define MOSQUITTO_PORT	18832

#endif

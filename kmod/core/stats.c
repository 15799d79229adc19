// SPDX-License-Identifier: GPL-2.0
/* Counters of a switch: see stats.h. */
#include <linux/build_bug.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "core/stats.h"

static const char * const kmqtt_stats_names[] = {
	[KMQTT_STAT_MESSAGES_PUBLISHED] = "messages_published",
	[KMQTT_STAT_BYTES_PUBLISHED] = "bytes_published",
	[KMQTT_STAT_MESSAGES_DELIVERED] = "messages_delivered",
	[KMQTT_STAT_BYTES_DELIVERED] = "bytes_delivered",
	[KMQTT_STAT_MESSAGES_QUEUED] = "messages_queued",
	[KMQTT_STAT_MESSAGES_DROPPED] = "messages_dropped",
	[KMQTT_STAT_MESSAGES_EXPIRED] = "messages_expired",
	[KMQTT_STAT_MESSAGES_UNMATCHED] = "messages_unmatched",
	[KMQTT_STAT_MESSAGES_DENIED] = "messages_denied",
	[KMQTT_STAT_PACKETS_RECEIVED] = "packets_received",
	[KMQTT_STAT_PACKETS_SENT] = "packets_sent",
	[KMQTT_STAT_BYTES_RECEIVED] = "bytes_received",
	[KMQTT_STAT_BYTES_SENT] = "bytes_sent",
	[KMQTT_STAT_CONNECTS] = "connects",
	[KMQTT_STAT_DISCONNECTS] = "disconnects",
	[KMQTT_STAT_MALFORMED] = "malformed",
	[KMQTT_STAT_ECHOES_SUPPRESSED] = "echoes_suppressed",
	[KMQTT_STAT_SOCKETS] = "sockets",
	[KMQTT_STAT_SESSIONS_EXPIRED] = "sessions_expired",
};

static_assert(ARRAY_SIZE(kmqtt_stats_names) == KMQTT_STAT_COUNT);

struct kmqtt_stats __percpu *kmqtt_stats_alloc(void)
{
	struct kmqtt_stats __percpu *stats = alloc_percpu(struct kmqtt_stats);
	int cpu;

	if (!stats)
		return NULL;
	for_each_possible_cpu(cpu)
		u64_stats_init(&per_cpu_ptr(stats, cpu)->syncp);
	return stats;
}

void kmqtt_stats_sum(struct kmqtt_stats __percpu *stats, u64 *out)
{
	const struct kmqtt_stats *s;
	u64 v[KMQTT_STAT_COUNT];
	unsigned int start;
	int cpu, i;

	memset(out, 0, sizeof(v));
	for_each_possible_cpu(cpu) {
		s = per_cpu_ptr(stats, cpu);
		do {
			start = u64_stats_fetch_begin(&s->syncp);
			for (i = 0; i < KMQTT_STAT_COUNT; i++)
				v[i] = u64_stats_read(&s->v[i]);
		} while (u64_stats_fetch_retry(&s->syncp, start));
		for (i = 0; i < KMQTT_STAT_COUNT; i++)
			out[i] += v[i];
	}
}

const char *kmqtt_stats_name(enum kmqtt_stat which)
{
	return kmqtt_stats_names[which];
}

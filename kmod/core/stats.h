/* SPDX-License-Identifier: GPL-2.0 */
/* Counters of a switch: per CPU, exact, read by summing up. */
#ifndef KMQTT_CORE_STATS_H
#define KMQTT_CORE_STATS_H

#include <linux/percpu.h>
#include <linux/types.h>
#include <linux/u64_stats_sync.h>

/* X(name): one counter each; what it counts */
#define KMQTT_STATS(X)							\
	X(MESSAGES_PUBLISHED)	/* messages that entered the switch */	\
	X(BYTES_PUBLISHED)	/* their topics and payloads */		\
	X(MESSAGES_DELIVERED)	/* handed to a port */			\
	X(BYTES_DELIVERED)	/* their topics and payloads */		\
	X(MESSAGES_QUEUED)	/* ever put into a session's queue */	\
	X(MESSAGES_DROPPED)	/* queue full, or no memory */		\
	X(MESSAGES_EXPIRED)	/* message expiry interval */		\
	X(MESSAGES_UNMATCHED)	/* published, no subscriber */		\
	X(MESSAGES_DENIED)	/* by the access rules */		\
	X(PACKETS_RECEIVED)	/* MQTT control packets */		\
	X(PACKETS_SENT)							\
	X(BYTES_RECEIVED)	/* on MQTT connections */		\
	X(BYTES_SENT)							\
	X(CONNECTS)		/* MQTT connections made */		\
	X(DISCONNECTS)							\
	X(MALFORMED)		/* connections closed for bad packets */ \
	X(ECHOES_SUPPRESSED)	/* own publishes come back from an uplink */

enum kmqtt_stat {
#define X(name) KMQTT_STAT_##name,
	KMQTT_STATS(X)
#undef X
	KMQTT_STAT_COUNT
};

/**
 * struct kmqtt_stats - one CPU's counters
 * @syncp:	lets a 32-bit reader see whole values
 * @v:		by &enum kmqtt_stat
 */
struct kmqtt_stats {
	struct u64_stats_sync syncp;
	u64_stats_t v[KMQTT_STAT_COUNT];
};

/** kmqtt_stats_add() - any context */
static inline void kmqtt_stats_add(struct kmqtt_stats __percpu *stats,
				   enum kmqtt_stat which, u64 n)
{
	struct kmqtt_stats *s = get_cpu_ptr(stats);
	unsigned long flags = u64_stats_update_begin_irqsave(&s->syncp);

	u64_stats_add(&s->v[which], n);
	u64_stats_update_end_irqrestore(&s->syncp, flags);
	put_cpu_ptr(stats);
}

/** kmqtt_stats_alloc() - all zero. Process context. Return: them or NULL */
struct kmqtt_stats __percpu *kmqtt_stats_alloc(void);

/** kmqtt_stats_sum() - of all CPUs, into @out[KMQTT_STAT_COUNT] */
void kmqtt_stats_sum(struct kmqtt_stats __percpu *stats, u64 *out);

/** kmqtt_stats_name() - a counter's name in lower case, as JSON shows it */
const char *kmqtt_stats_name(enum kmqtt_stat which);

#endif

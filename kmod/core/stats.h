/* SPDX-License-Identifier: GPL-2.0 */
/* Counters of a switch: per CPU, exact, read by summing up. */
#ifndef KMQTT_CORE_STATS_H
#define KMQTT_CORE_STATS_H

#include <linux/percpu.h>
#include <linux/types.h>
#include <linux/u64_stats_sync.h>

/**
 * enum kmqtt_stat - what is counted
 * @KMQTT_STAT_MESSAGES_PUBLISHED:	messages that entered the switch
 * @KMQTT_STAT_BYTES_PUBLISHED:		their topics and payloads
 * @KMQTT_STAT_MESSAGES_DELIVERED:	messages handed to a port
 * @KMQTT_STAT_BYTES_DELIVERED:		their topics and payloads
 * @KMQTT_STAT_MESSAGES_QUEUED:		messages ever put into a session's queue
 * @KMQTT_STAT_MESSAGES_DROPPED:	lost: queue full, no memory, or given back too late
 * @KMQTT_STAT_MESSAGES_EXPIRED:	lost: message expiry interval
 * @KMQTT_STAT_MESSAGES_UNMATCHED:	published without any subscriber
 * @KMQTT_STAT_MESSAGES_DENIED:		refused by the access rules
 * @KMQTT_STAT_PACKETS_RECEIVED:	MQTT control packets
 * @KMQTT_STAT_PACKETS_SENT:		MQTT control packets
 * @KMQTT_STAT_BYTES_RECEIVED:		on MQTT connections
 * @KMQTT_STAT_BYTES_SENT:		on MQTT connections
 * @KMQTT_STAT_CONNECTS:		MQTT connections made
 * @KMQTT_STAT_DISCONNECTS:		MQTT connections ended
 * @KMQTT_STAT_MALFORMED:		of them, closed for bad packets
 * @KMQTT_STAT_ECHOES_SUPPRESSED:	own publishes come back from an uplink
 * @KMQTT_STAT_SOCKETS:			connections that listeners accepted
 * @KMQTT_STAT_SESSIONS_EXPIRED:	sessions whose expiry interval ended
 * @KMQTT_STAT_COUNT:			how many counters there are
 */
enum kmqtt_stat {
	KMQTT_STAT_MESSAGES_PUBLISHED,
	KMQTT_STAT_BYTES_PUBLISHED,
	KMQTT_STAT_MESSAGES_DELIVERED,
	KMQTT_STAT_BYTES_DELIVERED,
	KMQTT_STAT_MESSAGES_QUEUED,
	KMQTT_STAT_MESSAGES_DROPPED,
	KMQTT_STAT_MESSAGES_EXPIRED,
	KMQTT_STAT_MESSAGES_UNMATCHED,
	KMQTT_STAT_MESSAGES_DENIED,
	KMQTT_STAT_PACKETS_RECEIVED,
	KMQTT_STAT_PACKETS_SENT,
	KMQTT_STAT_BYTES_RECEIVED,
	KMQTT_STAT_BYTES_SENT,
	KMQTT_STAT_CONNECTS,
	KMQTT_STAT_DISCONNECTS,
	KMQTT_STAT_MALFORMED,
	KMQTT_STAT_ECHOES_SUPPRESSED,
	KMQTT_STAT_SOCKETS,
	KMQTT_STAT_SESSIONS_EXPIRED,
	KMQTT_STAT_COUNT,
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

/** kmqtt_stats_begin() - this CPU's counters, to add to several; any context */
static inline struct kmqtt_stats *
kmqtt_stats_begin(struct kmqtt_stats __percpu *stats, unsigned long *flags)
{
	struct kmqtt_stats *s = get_cpu_ptr(stats);

	*flags = u64_stats_update_begin_irqsave(&s->syncp);
	return s;
}

/** kmqtt_stats_end() - done with what kmqtt_stats_begin() gave */
static inline void kmqtt_stats_end(struct kmqtt_stats __percpu *stats,
				   struct kmqtt_stats *s, unsigned long flags)
{
	u64_stats_update_end_irqrestore(&s->syncp, flags);
	put_cpu_ptr(stats);
}

/** kmqtt_stats_add() - any context */
static inline void kmqtt_stats_add(struct kmqtt_stats __percpu *stats,
				   enum kmqtt_stat which, u64 n)
{
	unsigned long flags;
	struct kmqtt_stats *s = kmqtt_stats_begin(stats, &flags);

	u64_stats_add(&s->v[which], n);
	kmqtt_stats_end(stats, s, flags);
}

/** kmqtt_stats_sub() - it was counted too early; any context */
static inline void kmqtt_stats_sub(struct kmqtt_stats __percpu *stats,
				   enum kmqtt_stat which, u64 n)
{
	unsigned long flags;
	struct kmqtt_stats *s = kmqtt_stats_begin(stats, &flags);

	/* a 32-bit kernel adds an unsigned long; interrupts are off there */
	if (BITS_PER_LONG < 64)
		u64_stats_set(&s->v[which], u64_stats_read(&s->v[which]) - n);
	else
		u64_stats_add(&s->v[which], -n);
	kmqtt_stats_end(stats, s, flags);
}

/** kmqtt_stats_alloc() - all zero. Process context. Return: them or NULL */
struct kmqtt_stats __percpu *kmqtt_stats_alloc(void);

/** kmqtt_stats_sum() - of all CPUs, into @out[KMQTT_STAT_COUNT] */
void kmqtt_stats_sum(struct kmqtt_stats __percpu *stats, u64 *out);

/** kmqtt_stats_name() - a counter's name in lower case, as JSON shows it */
const char *kmqtt_stats_name(enum kmqtt_stat which);

#endif

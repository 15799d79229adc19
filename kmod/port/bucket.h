/* SPDX-License-Identifier: GPL-2.0 */
/* A token bucket: so many a second, and as many at once after a second of rest. */
#ifndef KMQTT_PORT_BUCKET_H
#define KMQTT_PORT_BUCKET_H

#include <linux/jiffies.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/types.h>

#define KMQTT_BUCKET_TIME	(3600UL * HZ) /* longest time that is looked at */
#define KMQTT_BUCKET_RATE_MAX	1099511627776ULL /* largest rate: no product overflows */

/**
 * struct kmqtt_bucket - who uses it sees to it that nobody else does
 * @level:	tokens, times HZ; below zero: they are owed
 * @last:	jiffies when it was filled last, the lower 32 bits of them
 * @begun:	it has been filled once
 */
struct kmqtt_bucket {
	s64 level;
	u32 last;
	bool begun;
};

/**
 * kmqtt_bucket_take() - take tokens that may have to be owed
 * @b:		bucket
 * @rate:	tokens a second, 1 to KMQTT_BUCKET_RATE_MAX
 * @n:		tokens
 *
 * What is larger than the whole bucket passes too, and is paid for afterwards.
 * Return: jiffies until nothing is owed any more; 0: nothing is.
 */
static inline unsigned long kmqtt_bucket_take(struct kmqtt_bucket *b, u64 rate, u64 n)
{
	u32 now = jiffies;
	s64 full = rate * HZ;

	if (!b->begun) {
		b->begun = true;
		b->level = full;
	} else {
		b->level += (s64)min_t(u32, now - b->last, KMQTT_BUCKET_TIME) * (s64)rate;
		b->level = min(b->level, full);
	}
	b->last = now;
	b->level -= n * HZ;
	if (b->level >= 0)
		return 0;
	return min_t(u64, div64_u64(-b->level + rate - 1, rate), KMQTT_BUCKET_TIME);
}

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/* Copies of what is mostly short. */
#ifndef KMQTT_CORE_COPY_H
#define KMQTT_CORE_COPY_H

#include <linux/kernel.h>
#include <linux/string.h>
#include <linux/types.h>

#include "compat.h"

#define KMQTT_COPY_SHORT	256	/* bytes up to which it is a loop */

/**
 * kmqtt_copy() - memcpy() for a topic name or a payload
 * @to:		where to; does not overlap @from
 * @from:	where from
 * @len:	bytes
 *
 * memcpy() of x86 may be a single "rep movsb" (Linux 6.1), which takes longer to
 * begin than most messages take to be copied. Any context.
 */
static inline void kmqtt_copy(void *to, const void *from, size_t len)
{
	const u8 *f = from;
	u8 *t = to;

	if (!IS_ENABLED(CONFIG_HAVE_EFFICIENT_UNALIGNED_ACCESS) || len < sizeof(u64) ||
	    len > KMQTT_COPY_SHORT) {
		memcpy(to, from, len);
		return;
	}
	/* the last ones, which may be copied by the loop, too, but for the very last */
	put_unaligned(get_unaligned((const u64 *)(f + len - sizeof(u64))),
		      (u64 *)(t + len - sizeof(u64)));
	for (; len > sizeof(u64); len -= sizeof(u64)) {
		put_unaligned(get_unaligned((const u64 *)f), (u64 *)t);
		f += sizeof(u64);
		t += sizeof(u64);
	}
}

#endif

// SPDX-License-Identifier: GPL-2.0
/* What is large and waits for a grace period. */
#include <linux/atomic.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>

#include "core/grace.h"

/* that is on its way at once */
#define KMQTT_GRACE_MAX	(4L << 20)

static atomic_long_t kmqtt_grace_bytes;

bool kmqtt_grace_begin(size_t size)
{
	if (size <= PAGE_SIZE)
		return false;
	atomic_long_add(size, &kmqtt_grace_bytes);
	return true;
}

void kmqtt_grace_end(size_t size)
{
	atomic_long_sub(size, &kmqtt_grace_bytes);
}

void kmqtt_grace_wait(void)
{
	if (unlikely(atomic_long_read(&kmqtt_grace_bytes) > KMQTT_GRACE_MAX))
		rcu_barrier();
}

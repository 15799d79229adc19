// SPDX-License-Identifier: GPL-2.0
/* Waiting for the brokers of the uplinks: see tracker.h. */
#include <linux/sched.h>
#include <linux/slab.h>

#include "compat.h"
#include "core/tracker.h"

struct kmqtt_tracker *kmqtt_tracker_new(gfp_t gfp)
{
	struct kmqtt_tracker *t = kzalloc_obj(*t, gfp);

	if (!t)
		return NULL;
	refcount_set(&t->refs, 1);
	init_waitqueue_head(&t->wait);
	return t;
}

void kmqtt_tracker_put(struct kmqtt_tracker *t)
{
	if (t && refcount_dec_and_test(&t->refs))
		kfree(t);
}

void kmqtt_tracker_add(struct kmqtt_tracker *t)
{
	atomic_inc(&t->taken);
	atomic_inc(&t->pending);
}

void kmqtt_tracker_done(struct kmqtt_tracker *t, u8 reason)
{
	int seen = atomic_read(&t->reason);

	/* The highest wins, whoever comes first. */
	while (reason > seen && !atomic_try_cmpxchg(&t->reason, &seen, reason))
		;
	if (atomic_dec_and_test(&t->pending))
		wake_up_all(&t->wait);
}

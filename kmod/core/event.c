// SPDX-License-Identifier: GPL-2.0
/* Events: see event.h. */
#include <linux/rcupdate.h>

#include "core/event.h"

static kmqtt_event_fn kmqtt_event_sink;

void kmqtt_event_set_sink(kmqtt_event_fn fn)
{
	/* what the sink needs was set up before; pairs with kmqtt_event_emit() */
	smp_store_release(&kmqtt_event_sink, fn);
	if (!fn)
		synchronize_rcu();
}

void kmqtt_event_emit(struct kmqtt_broker *broker,
		      const struct kmqtt_event *event)
{
	kmqtt_event_fn fn;

	rcu_read_lock();
	/* pairs with kmqtt_event_set_sink() */
	fn = smp_load_acquire(&kmqtt_event_sink);
	if (fn)
		fn(broker, event);
	rcu_read_unlock();
}

// SPDX-License-Identifier: GPL-2.0
/*
 * What the entries of a session's queue and window take. A message counts against
 * memory_limit once, however many have it; what each of them has of it is small, but
 * more than the message if that is short, and a client may have as many sessions as it
 * likes. So where no memory cgroup pays for it, a session has room for a few entries,
 * and gets more in steps: not each message asks.
 */
#include <linux/math.h>

#include "core/broker.h"
#include "core/queue.h"

/* entries that a session has room for as it is, and in a step */
#define KMQTT_ROOM_FREE	8
#define KMQTT_ROOM_STEP	32

static u32 kmqtt_room_used(const struct kmqtt_session *s)
{
	lockdep_assert_held(&s->lock);
	return s->queued + s->inflight_count;
}

bool kmqtt_room_for_one(struct kmqtt_session *s)
{
	if (likely(kmqtt_room_used(s) < KMQTT_ROOM_FREE + s->room) || READ_ONCE(s->memcg))
		return true;
	if (!kmqtt_memory_charge(s->broker, KMQTT_ROOM_STEP * sizeof(struct kmqtt_qent)))
		return false;
	s->room += KMQTT_ROOM_STEP;
	return true;
}

void kmqtt_room_give_back(struct kmqtt_session *s)
{
	u32 used = kmqtt_room_used(s), keep = 0;

	/* who goes to and fro keeps a step more than he has now */
	if (used)
		keep = KMQTT_ROOM_STEP;
	if (used > KMQTT_ROOM_FREE)
		keep += round_up(used - KMQTT_ROOM_FREE, KMQTT_ROOM_STEP);
	if (s->room <= keep)
		return;
	kmqtt_memory_uncharge(s->broker, (u64)(s->room - keep) * sizeof(struct kmqtt_qent));
	s->room = keep;
}

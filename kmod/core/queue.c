// SPDX-License-Identifier: GPL-2.0
/*
 * The queue of a session: what waits to be taken, and the policy when it is
 * full. All under session->lock; what leaves is freed after it is dropped.
 */
#include <linux/jiffies.h>
#include <linux/memcontrol.h>
#include <linux/rcupdate.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/timekeeping.h>

#include "compat.h"
#include "core/broker.h"
#include "core/queue.h"
#include "core/stock.h"
#include "core/trace.h"
#include "core/tracker.h"
#include "proto/proto.h"

static struct kmqtt_stock kmqtt_qent_stock;
static mempool_t *kmqtt_qent_reserve;

static void kmqtt_qent_construct(void *p)
{
	struct kmqtt_qent *ent = p;

	INIT_LIST_HEAD(&ent->link);
}

int kmqtt_queue_init(void)
{
	/* with a constructor: not zeroed before it is filled in */
	int err = kmqtt_stock_init(&kmqtt_qent_stock,
				   kmem_cache_create("kmqtt_qent", sizeof(struct kmqtt_qent),
						     0, 0, kmqtt_qent_construct));

	if (!err) {
		kmqtt_qent_reserve = kmqtt_reserve_new(kmqtt_qent_stock.cache, KMQTT_QENT_RESERVE);
		err = kmqtt_qent_reserve ? 0 : -ENOMEM;
	}
	if (err)
		kmqtt_stock_exit(&kmqtt_qent_stock);
	return err;
}

void kmqtt_queue_exit(void)
{
	mempool_destroy(kmqtt_qent_reserve);
	kmqtt_stock_exit(&kmqtt_qent_stock);
}

void kmqtt_sub_ids_put(struct kmqtt_sub_ids *ids)
{
	if (!ids || !refcount_dec_and_test(&ids->refs))
		return;
	kmqtt_memory_uncharge(ids->broker, struct_size(ids, id, ids->count));
	kfree(ids);
}

void kmqtt_qent_free(struct kmqtt_qent *ent)
{
	if (ent->tracked)
		kmqtt_tracker_done(ent->msg->tracker, ent->reason);
	kmqtt_msg_put(ent->msg);
	kmqtt_sub_ids_put(ent->more_ids);
	kmqtt_group_put(ent->group);
	if (ent->accounted)
		kmem_cache_free(kmqtt_qent_stock.cache, ent);
	else if (unlikely(READ_ONCE(kmqtt_qent_reserve->curr_nr) < KMQTT_QENT_RESERVE))
		mempool_free(ent, kmqtt_qent_reserve);
	else
		kmqtt_stock_put(&kmqtt_qent_stock, ent);
}

void kmqtt_qent_free_list(struct list_head *list)
{
	struct kmqtt_qent *ent, *next;

	list_for_each_entry_safe(ent, next, list, link)
		kmqtt_qent_free(ent);
}

/* Does somebody wait for its acknowledgement? */
static bool kmqtt_qent_tracked(const struct kmqtt_session *s,
			       const struct kmqtt_msg *msg,
			       const struct kmqtt_push *how)
{
	return msg->tracker && how->qos && s->kind == KMQTT_KIND_UPLINK;
}

/*
 * The process that will read it pays for the entry. GFP_ATOMIC for what was
 * promised to arrive, GFP_NOWAIT for the rest: a publisher never waits for
 * memory that a subscriber holds. When even that fails, there is a reserve for
 * what was promised; a process that has used up its own memory does not come
 * here, as it is charged in any case for what is GFP_ATOMIC.
 */
static struct kmqtt_qent *kmqtt_qent_alloc(struct mem_cgroup *memcg, bool promised)
{
	gfp_t gfp = (promised ? GFP_ATOMIC : GFP_NOWAIT) | __GFP_NOWARN;
	struct mem_cgroup *old;
	struct kmqtt_qent *ent;

	if (memcg) {
		old = set_active_memcg(memcg);
		ent = kmem_cache_alloc(kmqtt_qent_stock.cache, gfp | __GFP_ACCOUNT);
		set_active_memcg(old);
	} else {
		ent = kmqtt_stock_take(&kmqtt_qent_stock);
		if (!ent)
			ent = kmem_cache_alloc(kmqtt_qent_stock.cache, gfp);
	}
	if (ent) {
		ent->accounted = memcg;
	} else if (promised) {
		ent = mempool_alloc(kmqtt_qent_reserve, gfp);
		if (ent)
			ent->accounted = false;
	}
	return ent;
}

struct kmqtt_qent *kmqtt_qent_new(struct kmqtt_session *s, struct kmqtt_msg *msg,
				  const struct kmqtt_push *how)
{
	struct kmqtt_qent *ent = kmqtt_qent_alloc(READ_ONCE(s->memcg), how->qos);

	if (!ent) {
		/* it is lost as if it had not fitted: whoever waits must know */
		if (kmqtt_qent_tracked(s, msg, how)) {
			kmqtt_tracker_add(msg->tracker);
			kmqtt_tracker_done(msg->tracker, KMQTT_RC_QUOTA_EXCEEDED);
		}
		return NULL;
	}
	ent->msg = kmqtt_msg_get(msg);
	ent->more_ids = how->more_ids;
	if (ent->more_ids)
		refcount_inc(&ent->more_ids->refs);
	ent->group = how->group && kmqtt_group_tryget(how->group) ? how->group : NULL;
	ent->id = 0;
	ent->sub_id = how->sub_id;
	ent->count = msg->run_count ?: 1;
	ent->off = 0;
	ent->len = msg->payload_len;
	ent->bytes = msg->topic_len + msg->payload_len;
	ent->packet_id = 0;
	ent->qos = how->qos;
	ent->state = KMQTT_QENT_QUEUED;
	ent->retain = how->retain;
	ent->dup = false;
	ent->unsent = false;
	ent->reason = KMQTT_RC_QUOTA_EXCEEDED;
	/* before anyone can see it: its acknowledgement may come at once */
	ent->tracked = kmqtt_qent_tracked(s, msg, how);
	if (ent->tracked)
		kmqtt_tracker_add(msg->tracker);
	return ent;
}

static int kmqtt_topic_cmp(const struct kmqtt_msg *a, const struct kmqtt_msg *b)
{
	if (a->topic_len != b->topic_len)
		return a->topic_len < b->topic_len ? -1 : 1;
	return memcmp(kmqtt_msg_topic(a), kmqtt_msg_topic(b), a->topic_len);
}

struct kmqtt_qent *kmqtt_topic_find(struct kmqtt_session *s, const struct kmqtt_msg *msg)
{
	struct rb_node *n = s->by_topic.rb_node;

	while (n) {
		struct kmqtt_qent *ent = rb_entry(n, struct kmqtt_qent, rb);
		int cmp = kmqtt_topic_cmp(msg, ent->msg);

		if (!cmp)
			return ent;
		n = cmp < 0 ? n->rb_left : n->rb_right;
	}
	return NULL;
}

static void kmqtt_topic_insert(struct kmqtt_session *s, struct kmqtt_qent *ent)
{
	struct rb_node **link = &s->by_topic.rb_node, *parent = NULL;

	RB_CLEAR_NODE(&ent->rb);
	while (*link) {
		struct kmqtt_qent *at = rb_entry(*link, struct kmqtt_qent, rb);
		int cmp = kmqtt_topic_cmp(ent->msg, at->msg);

		if (!cmp)
			return;
		parent = *link;
		link = cmp < 0 ? &parent->rb_left : &parent->rb_right;
	}
	rb_link_node(&ent->rb, parent, link);
	rb_insert_color(&ent->rb, &s->by_topic);
}

static void kmqtt_queue_note_expiry(struct kmqtt_session *s,
				    const struct kmqtt_msg *msg)
{
	u64 second;

	if (likely(!msg->expires))
		return;
	second = DIV_ROUND_UP_ULL(msg->expires, NSEC_PER_SEC);
	if (!s->next_expiry || second < s->next_expiry)
		s->next_expiry = second;
}

static void kmqtt_queue_count(struct kmqtt_session *s, struct kmqtt_qent *ent)
{
	kmqtt_queue_note_expiry(s, ent->msg);
	ent->state = KMQTT_QENT_QUEUED;
	s->queued += ent->count;
	s->queued_bytes += ent->msg->size;
	if (s->policy == KMQTT_POLICY_KEEP_LATEST)
		kmqtt_topic_insert(s, ent);
	else
		RB_CLEAR_NODE(&ent->rb);
}

void kmqtt_queue_add_tail(struct kmqtt_session *s, struct kmqtt_qent *ent)
{
	lockdep_assert_held(&s->lock);
	list_add_tail(&ent->link, &s->queue);
	kmqtt_queue_count(s, ent);
}

void kmqtt_queue_add_head(struct kmqtt_session *s, struct kmqtt_qent *ent)
{
	lockdep_assert_held(&s->lock);
	list_add(&ent->link, &s->queue);
	kmqtt_queue_count(s, ent);
}

void kmqtt_queue_remove(struct kmqtt_session *s, struct kmqtt_qent *ent)
{
	lockdep_assert_held(&s->lock);
	list_del(&ent->link);
	s->queued -= ent->count;
	s->queued_bytes -= ent->msg->size;
	if (!RB_EMPTY_NODE(&ent->rb))
		rb_erase(&ent->rb, &s->by_topic);
}

void kmqtt_queue_reindex(struct kmqtt_session *s)
{
	struct kmqtt_qent *ent;

	lockdep_assert_held(&s->lock);
	s->by_topic = RB_ROOT;
	list_for_each_entry_reverse(ent, &s->queue, link) {
		RB_CLEAR_NODE(&ent->rb);
		if (s->policy == KMQTT_POLICY_KEEP_LATEST)
			kmqtt_topic_insert(s, ent);
	}
}

void kmqtt_queue_drain(struct kmqtt_session *s, struct list_head *gone)
{
	lockdep_assert_held(&s->lock);
	list_splice_init(&s->inflight, gone);
	list_splice_tail_init(&s->queue, gone);
	s->by_topic = RB_ROOT;
	s->by_packet = RB_ROOT;
	s->resend = NULL;
	s->queued = 0;
	s->queued_bytes = 0;
	s->next_expiry = 0;
	s->inflight_count = 0;
	s->sent = 0;
	s->sent_bytes = 0;
	kmqtt_room_give_back(s);
}

/* rcu_read_lock() held */
static void kmqtt_port_wake(struct kmqtt_session *s)
{
	struct kmqtt_port *port = rcu_dereference(s->port);

	if (port)
		port->ops->wake(port);
}

void kmqtt_queue_wake(struct kmqtt_session *s)
{
	rcu_read_lock();
	kmqtt_port_wake(s);
	rcu_read_unlock();
}

/* in &kmqtt_session.wake_holder: of one that is &kmqtt_wakes.alone */
#define KMQTT_WAKES_ALONE	1UL

/*
 * It is told once for all that it gets until then. Whoever finds it held already
 * has queued his message before, and the wake-up looks at the queue after: there is
 * a barrier between on both sides. Return: false: it must be woken now
 */
static bool kmqtt_wakes_add(struct kmqtt_wakes *wakes, struct kmqtt_session *s)
{
	unsigned long mine = (unsigned long)wakes | (wakes->alone ? KMQTT_WAKES_ALONE : 0);
	unsigned long holder;

	smp_mb();	/* pairs with that in kmqtt_wakes_flush() */
	holder = cmpxchg(&s->wake_holder, 0, mine);
	if (holder)
		return holder == mine || !(holder & KMQTT_WAKES_ALONE);
	if (!kmqtt_session_get(s))
		return true;		/* nobody is there to be woken */
	s->wake_next = wakes->first;
	wakes->first = s;
	return true;
}

/* Return: one that is in it no more, with its reference; NULL: there is none */
static struct kmqtt_session *kmqtt_wakes_pop(struct kmqtt_wakes *wakes)
{
	struct kmqtt_session *s = wakes->first;

	if (!s)
		return NULL;
	wakes->first = s->wake_next;
	/* the next holder writes ->wake_next, which was read */
	smp_store_release(&s->wake_holder, 0);
	smp_mb();	/* pairs with that in kmqtt_wakes_add() */
	return s;
}

void kmqtt_wakes_flush(struct kmqtt_wakes *wakes)
{
	struct kmqtt_session *s;

	while ((s = kmqtt_wakes_pop(wakes))) {
		kmqtt_queue_wake(s);
		kmqtt_session_put(s);
	}
}

/* so many, at most, are sent for */
#define KMQTT_WAKES_FEW	2

static bool kmqtt_wakes_are_few(const struct kmqtt_wakes *wakes)
{
	const struct kmqtt_session *s = wakes->first;
	unsigned int n;

	for (n = 0; s && n < KMQTT_WAKES_FEW; n++)
		s = s->wake_next;
	return !s;
}

void kmqtt_wakes_send(struct kmqtt_wakes *wakes)
{
	struct kmqtt_port *claimed[KMQTT_WAKES_FEW], *port;
	struct kmqtt_session *s;
	unsigned int n = 0, i;

	if (!kmqtt_wakes_are_few(wakes)) {
		kmqtt_wakes_flush(wakes);
		return;
	}
	/* to send may take long: others must not rely on us for who comes next meanwhile */
	while ((s = kmqtt_wakes_pop(wakes))) {
		rcu_read_lock();
		port = rcu_dereference(s->port);
		if (port && port->ops->claim && port->ops->claim(port))
			claimed[n++] = port;
		else if (port)
			port->ops->wake(port);
		rcu_read_unlock();
		kmqtt_session_put(s);
	}
	for (i = 0; i < n; i++)
		claimed[i]->ops->send(claimed[i]);
}

void kmqtt_queue_space(struct kmqtt_session *s)
{
	if (s->policy == KMQTT_POLICY_BLOCK && wq_has_sleeper(&s->space))
		wake_up_all(&s->space);
}

u32 kmqtt_queue_max(const struct kmqtt_session *s)
{
	return READ_ONCE(s->max_queued_messages) ?:
	       READ_ONCE(s->broker->limits.max_queued_messages);
}

u64 kmqtt_queue_max_bytes(const struct kmqtt_session *s)
{
	return READ_ONCE(s->max_queued_bytes) ?:
	       READ_ONCE(s->broker->limits.max_queued_bytes);
}

/* Is there no room for @size more bytes in one more message? */
static bool kmqtt_queue_over(const struct kmqtt_session *s, u32 size, u64 extra)
{
	u32 max = kmqtt_queue_max(s);
	u64 max_bytes = kmqtt_queue_max_bytes(s);

	if (max && READ_ONCE(s->queued) >= max + extra)
		return true;
	return max_bytes && !extra && READ_ONCE(s->queued_bytes) + size > max_bytes;
}

bool kmqtt_queue_has_room(const struct kmqtt_session *s, u32 size)
{
	return !kmqtt_queue_over(s, size, 0);
}

bool kmqtt_queue_keeps(const struct kmqtt_session *s, u8 qos)
{
	return qos || READ_ONCE(s->online) || READ_ONCE(s->queue_qos0) ||
	       READ_ONCE(s->broker->limits.queue_qos0_messages);
}

/* Full is a matter of the session alone: waiters do not tell what they have. */
bool kmqtt_session_full(const struct kmqtt_session *s)
{
	return READ_ONCE(s->policy) == KMQTT_POLICY_BLOCK &&
	       READ_ONCE(s->online) && !READ_ONCE(s->dead) &&
	       READ_ONCE(s->queued) && kmqtt_queue_over(s, 1, 0);
}

void kmqtt_queue_drop_expired(struct kmqtt_session *s, struct list_head *gone)
{
	struct kmqtt_qent *ent, *next;
	unsigned int expired = 0;
	u64 now;

	if (!s->next_expiry || ktime_get_boottime_seconds() < s->next_expiry)
		return;
	now = ktime_get_boottime_ns();
	s->next_expiry = 0;
	list_for_each_entry_safe(ent, next, &s->queue, link) {
		if (ent->msg->expires && now >= ent->msg->expires) {
			kmqtt_queue_remove(s, ent);
			list_add_tail(&ent->link, gone);
			expired++;
		} else {
			kmqtt_queue_note_expiry(s, ent->msg);
		}
	}
	s->expired_messages += expired;
	kmqtt_stats_add(s->broker->stats, KMQTT_STAT_MESSAGES_EXPIRED, expired);
}

u32 kmqtt_queue_cut(struct kmqtt_session *s, struct kmqtt_qent *ent, u32 count, u32 *bytes)
{
	u32 len = kmqtt_run_prefix(kmqtt_msg_payload(ent->msg) + ent->off, ent->msg->run_version,
				   count, bytes);

	lockdep_assert_held(&s->lock);
	s->queued -= count;
	ent->count -= count;
	ent->off += len;
	ent->len -= len;
	ent->bytes -= *bytes;
	return len;
}

/* One message: the policy may have been another one when a run was queued. */
static void kmqtt_queue_drop_first(struct kmqtt_session *s, struct kmqtt_qent *ent,
				   struct list_head *gone)
{
	u32 bytes;

	s->dropped_messages++;
	if (ent->count > 1) {
		kmqtt_queue_cut(s, ent, 1, &bytes);
		return;
	}
	kmqtt_queue_remove(s, ent);
	list_add_tail(&ent->link, gone);
}

/* By policy, make room for a new one; what has to go moves to @gone. */
static bool kmqtt_queue_make_room(struct kmqtt_session *s, u32 size, u64 extra,
				  struct list_head *gone)
{
	u64 max_bytes = kmqtt_queue_max_bytes(s);

	/* what never fits must not drive out what does */
	if (max_bytes && size > max_bytes && !extra)
		return false;
	if (unlikely(kmqtt_queue_over(s, size, extra)))
		kmqtt_queue_drop_expired(s, gone);
	while (kmqtt_queue_over(s, size, extra)) {
		struct kmqtt_qent *oldest;

		if (s->policy != KMQTT_POLICY_DROP_OLDEST &&
		    s->policy != KMQTT_POLICY_KEEP_LATEST)
			return false;
		oldest = list_first_entry_or_null(&s->queue, struct kmqtt_qent, link);
		if (!oldest)
			return false;
		kmqtt_queue_drop_first(s, oldest, gone);
	}
	return true;
}

void kmqtt_queue_tell_drop(struct kmqtt_session *s, u64 count, u8 reason)
{
	struct kmqtt_event event = {
		.type = KMQTT_EVENT_DROP,
		.reason = reason,
		.session = s->name,
		.count = count,
	};
	unsigned long last = READ_ONCE(s->event_drop);

	/* of several at a time one tells it */
	if (time_after(jiffies, last + HZ) && cmpxchg(&s->event_drop, last, jiffies) == last)
		kmqtt_event_emit(s->broker, &event);
}

/*
 * KEEP_LATEST: a message of the same topic that waits gives its place away. If
 * the new one is too long for that place, it is queued as any other.
 */
static bool kmqtt_queue_replace(struct kmqtt_session *s, struct kmqtt_qent *ent,
				struct list_head *gone)
{
	struct kmqtt_qent *old = kmqtt_topic_find(s, ent->msg);
	u64 max_bytes = kmqtt_queue_max_bytes(s);

	if (!old || (max_bytes && ent->msg->size > max_bytes))
		return false;
	if (max_bytes &&
	    s->queued_bytes - old->msg->size + ent->msg->size > max_bytes) {
		kmqtt_queue_remove(s, old);
		list_add_tail(&old->link, gone);
		s->dropped_messages += old->count;
		return false;
	}
	kmqtt_queue_note_expiry(s, ent->msg);
	list_replace(&old->link, &ent->link);
	rb_replace_node(&old->rb, &ent->rb, &s->by_topic);
	s->queued_bytes += ent->msg->size;
	s->queued_bytes -= old->msg->size;
	s->queued += ent->count;
	s->queued -= old->count;
	list_add_tail(&old->link, gone);
	s->dropped_messages += old->count;
	return true;
}

void kmqtt_queue_pushed(struct kmqtt_session *s, const struct kmqtt_push *how,
			u64 lost, u64 dropped, bool wake)
{
	if (unlikely(lost)) {
		kmqtt_stats_add(s->broker->stats, KMQTT_STAT_MESSAGES_DROPPED, lost);
		kmqtt_queue_tell_drop(s, dropped, 0);
	}
	if (wake && !(how->wakes && kmqtt_wakes_add(how->wakes, s)))
		kmqtt_port_wake(s);
}

bool kmqtt_queue_push(struct kmqtt_session *s, struct kmqtt_msg *msg,
		      const struct kmqtt_push *how)
{
	u64 extra = how->replay ? READ_ONCE(s->broker->retain.count) : 0;
	bool queued = false, first;
	struct kmqtt_qent *ent;
	u64 before, dropped;
	LIST_HEAD(gone);

	if (!kmqtt_queue_keeps(s, how->qos))
		return false;
	ent = kmqtt_qent_new(s, msg, how);

	spin_lock(&s->lock);
	before = s->dropped_messages;
	if (!ent || s->dead) {
		s->dropped_messages += !s->dead;
	} else if (s->policy == KMQTT_POLICY_KEEP_LATEST &&
		   kmqtt_queue_replace(s, ent, &gone)) {
		queued = true;
	} else if (((how->room && s->online && s->policy == KMQTT_POLICY_BLOCK) ||
		    kmqtt_queue_make_room(s, msg->size, extra, &gone)) &&
		   kmqtt_room_for_one(s)) {
		kmqtt_queue_add_tail(s, ent);
		queued = true;
	} else {
		s->dropped_messages++;
	}
	dropped = s->dropped_messages;
	/* a reader who has told of all drops so far may want to know, and sleep */
	first = dropped != before && before == s->dropped_reported;
	spin_unlock(&s->lock);

	if (unlikely(dropped != before))
		trace_kmqtt_drop(s, msg, dropped - before);
	if (unlikely(!list_empty(&gone)))
		kmqtt_qent_free_list(&gone);
	if (!queued && ent)
		kmqtt_qent_free(ent);
	kmqtt_queue_pushed(s, how, dropped - before, dropped, queued || first);
	return queued;
}

void kmqtt_queue_lose(struct kmqtt_session *s, u32 count)
{
	lockdep_assert_held(&s->lock);
	if (s->dead)
		return;
	s->dropped_messages += count;
	kmqtt_stats_add(s->broker->stats, KMQTT_STAT_MESSAGES_DROPPED, count);
}

void kmqtt_queue_return(struct kmqtt_session *s, struct list_head *list)
{
	struct kmqtt_qent *ent, *next;
	LIST_HEAD(gone);

	spin_lock(&s->lock);
	list_for_each_entry_safe(ent, next, list, link) {
		if (s->dead || (s->policy == KMQTT_POLICY_KEEP_LATEST &&
				kmqtt_topic_find(s, ent->msg))) {
			list_move_tail(&ent->link, &gone);
			kmqtt_queue_lose(s, 1);
		} else {
			list_del(&ent->link);
			kmqtt_queue_add_tail(s, ent);
		}
	}
	spin_unlock(&s->lock);
	kmqtt_qent_free_list(&gone);
	kmqtt_queue_space(s);
	kmqtt_queue_wake(s);
}

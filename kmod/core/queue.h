/* SPDX-License-Identifier: GPL-2.0 */
/* Inside the core: the queue and the windows of a session. */
#ifndef KMQTT_CORE_QUEUE_H
#define KMQTT_CORE_QUEUE_H

#include <linux/list.h>
#include <linux/rbtree.h>
#include <linux/types.h>

#include "core/session.h"

/**
 * enum kmqtt_qent_state - how far a delivery has come
 * @KMQTT_QENT_QUEUED:	in session->queue
 * @KMQTT_QENT_SENT:	in session->inflight: waits for PUBACK, PUBREC or ack_id
 * @KMQTT_QENT_RELEASED: in session->inflight: PUBREC came, waits for PUBCOMP
 */
enum kmqtt_qent_state {
	KMQTT_QENT_QUEUED = 0,
	KMQTT_QENT_SENT = 1,
	KMQTT_QENT_RELEASED = 2,
};

/**
 * struct kmqtt_qent - one message in one session
 * @link:	in session->queue or session->inflight
 * @rb:		in session->by_topic while queued, session->by_packet in flight
 * @msg:	message, a reference
 * @more_ids:	subscription identifiers if there are several, a reference
 * @group:	group of the shared subscription by which it came, a reference; or NULL
 * @id:		number of the delivery, given when it is taken
 * @sub_id:	subscription identifier, or 0
 * @count:	messages: 1, or the packets of a run that it has
 * @off:	of a run: where in the payload they begin
 * @len:	of a run: their bytes
 * @bytes:	bytes of their topic names and payloads
 * @packet_id:	packet identifier while in flight, KMQTT_ACK_MQTT
 * @qos:	QoS to deliver with
 * @state:	&enum kmqtt_qent_state
 * @retain:	RETAIN flag to send
 * @dup:	it was sent before
 * @unsent:	in flight since an earlier connection, not yet sent on this one
 * @tracked:	the message's tracker waits for it
 * @accounted:	a memory cgroup pays for it
 * @reason:	what the tracker is told when it goes
 */
struct kmqtt_qent {
	struct list_head link;
	struct rb_node rb;
	struct kmqtt_msg *msg;
	struct kmqtt_sub_ids *more_ids;
	struct kmqtt_sub_group *group;
	u64 id;
	u32 sub_id;
	u32 count;
	u32 off;
	u32 len;
	u32 bytes;
	u16 packet_id;
	u8 qos;
	u8 state;
	bool retain;
	bool dup;
	bool unsent;
	bool tracked;
	bool accounted;
	u8 reason;
};

/**
 * struct kmqtt_push - how a message goes to one session
 * @wakes:	where the wake-up is held back, or NULL
 * @more_ids:	subscription identifiers if there are several, or NULL; the queue
 *		takes a reference of its own
 * @group:	group of the shared subscription by which it comes, or NULL; likewise
 * @sub_id:	subscription identifier, or 0
 * @qos:	QoS to deliver with
 * @retain:	RETAIN flag to send
 * @replay:	a retained message for a new subscription: it is in memory
 *		already, so as many as are retained may be queued beyond the caps
 * @room:	the publisher has seen that a KMQTT_POLICY_BLOCK session has room; if
 *		others took it since, the queue grows by one message for each of them
 *		(by a run, if that is what it was looked at for: run.h)
 */
struct kmqtt_push {
	struct kmqtt_wakes *wakes;
	struct kmqtt_sub_ids *more_ids;
	struct kmqtt_sub_group *group;
	u32 sub_id;
	u8 qos;
	bool retain;
	bool replay;
	bool room;
};

/**
 * kmqtt_session_has_port() - is it still this port's session? session->lock held
 *
 * A session that ended has no port.
 */
static inline bool kmqtt_session_has_port(const struct kmqtt_session *session,
					  const struct kmqtt_port *port)
{
	lockdep_assert_held(&session->lock);
	return rcu_access_pointer(session->port) == port;
}

/** kmqtt_queue_init() / kmqtt_queue_exit() - cache of entries, at module load */
int kmqtt_queue_init(void);
void kmqtt_queue_exit(void);

/**
 * kmqtt_queue_push() - queue a message by the session's policy, wake its port
 *
 * rcu_read_lock() held; takes session->lock. What does not fit is counted.
 * Return: true if it is queued.
 */
bool kmqtt_queue_push(struct kmqtt_session *session, struct kmqtt_msg *msg,
		      const struct kmqtt_push *how);

/** KMQTT_QENT_RESERVE - entries for what is promised to arrive when there is no memory */
#define KMQTT_QENT_RESERVE	64

/**
 * kmqtt_qent_new() - an entry for a message of this session, which is in no list
 *
 * rcu_read_lock() held. With references to all that it points to. Return: it or NULL
 */
struct kmqtt_qent *kmqtt_qent_new(struct kmqtt_session *session, struct kmqtt_msg *msg,
				  const struct kmqtt_push *how);

/**
 * kmqtt_queue_pushed() - the lock is dropped: count, tell and wake
 * @session:	session; rcu_read_lock() held
 * @how:	how it was pushed
 * @lost:	messages that were dropped for it
 * @dropped:	all that the session has dropped so far
 * @wake:	there is something new for its port
 */
void kmqtt_queue_pushed(struct kmqtt_session *session, const struct kmqtt_push *how,
			u64 lost, u64 dropped, bool wake);

/** kmqtt_queue_max() / kmqtt_queue_max_bytes() - its caps in messages, bytes; 0: none */
u32 kmqtt_queue_max(const struct kmqtt_session *session);
u64 kmqtt_queue_max_bytes(const struct kmqtt_session *session);

/** kmqtt_queue_keeps() - is this QoS queued now, or only what can be sent at once? */
bool kmqtt_queue_keeps(const struct kmqtt_session *session, u8 qos);

/** kmqtt_queue_has_room() - for @size more bytes in one message, without a lock? */
bool kmqtt_queue_has_room(const struct kmqtt_session *session, u32 size);

/**
 * kmqtt_queue_return() - entries that were removed to be handed on go back
 *
 * To the end of the queue, beyond the caps: they were there before. Takes
 * session->lock.
 */
void kmqtt_queue_return(struct kmqtt_session *session, struct list_head *list);

/** kmqtt_queue_wake() - wake the session's port, if it has one (atomic) */
void kmqtt_queue_wake(struct kmqtt_session *session);

/** kmqtt_queue_space() - wake writers that wait for room (atomic) */
void kmqtt_queue_space(struct kmqtt_session *session);

/** kmqtt_queue_add_tail() / add_head() - link an entry that is in no list; lock held */
void kmqtt_queue_add_tail(struct kmqtt_session *session, struct kmqtt_qent *ent);
void kmqtt_queue_add_head(struct kmqtt_session *session, struct kmqtt_qent *ent);

/** kmqtt_queue_remove() - unlink an entry of session->queue; lock held */
void kmqtt_queue_remove(struct kmqtt_session *session, struct kmqtt_qent *ent);

/**
 * kmqtt_queue_cut() - the first packets of a run leave session->queue; lock held
 * @session:	session
 * @ent:	entry of the run
 * @count:	how many; fewer than it has
 * @bytes:	out: bytes of their topic names and payloads
 *
 * Return: bytes of the packets
 */
u32 kmqtt_queue_cut(struct kmqtt_session *session, struct kmqtt_qent *ent, u32 count, u32 *bytes);

/**
 * kmqtt_queue_drop_expired() - what has expired goes to @gone; lock held
 *
 * A full queue looks for it: nobody may get that any more (MQTT 5.0, 3.3.2.3.3), and it must not
 * drive out what somebody may. It looks no more than once in a second.
 */
void kmqtt_queue_drop_expired(struct kmqtt_session *session, struct list_head *gone);

/** kmqtt_topic_find() - an entry of the same topic in session->by_topic, or NULL; lock held */
struct kmqtt_qent *kmqtt_topic_find(struct kmqtt_session *session,
				    const struct kmqtt_msg *msg);

/** kmqtt_queue_reindex() - after a change of session->policy; lock held */
void kmqtt_queue_reindex(struct kmqtt_session *session);

/**
 * kmqtt_queue_drain() - the session ends: all entries go to @gone; lock held
 *
 * Free them with kmqtt_qent_free_list() when the lock is dropped.
 */
void kmqtt_queue_drain(struct kmqtt_session *session, struct list_head *gone);

/**
 * kmqtt_queue_tell_drop() - KMQTT_EVENT_DROP, unless one was told a moment ago
 * @session:	session, lock not held
 * @count:	what it has lost so far
 * @reason:	reason code, 0: its queue is full
 */
void kmqtt_queue_tell_drop(struct kmqtt_session *session, u64 count, u8 reason);

/**
 * kmqtt_queue_uncount() - messages that were taken are not delivered; lock held
 * @session:	session
 * @count:	how many
 * @bytes:	bytes of their topic names and payloads
 */
void kmqtt_queue_uncount(struct kmqtt_session *session, u32 count, u64 bytes);

/**
 * kmqtt_queue_lose() - messages that were there are lost; lock held
 * @session:	session; when it is dead, what it had is no loss
 * @count:	how many
 */
void kmqtt_queue_lose(struct kmqtt_session *session, u32 count);

/** kmqtt_qent_allowed() - do the rules let the session's peer read it? Any context */
bool kmqtt_qent_allowed(struct kmqtt_session *session, const struct kmqtt_qent *ent);

/** kmqtt_qent_free() - drops what it holds, tells the tracker (atomic) */
void kmqtt_qent_free(struct kmqtt_qent *ent);

/** kmqtt_qent_free_list() - all on the list */
void kmqtt_qent_free_list(struct list_head *list);

/** kmqtt_sub_ids_put() - drop a reference; NULL is allowed (atomic) */
void kmqtt_sub_ids_put(struct kmqtt_sub_ids *ids);

/* What both take (room.c); session->lock held for both. */

/** kmqtt_room_for_one() - does memory_limit allow one more entry? */
bool kmqtt_room_for_one(struct kmqtt_session *session);

/** kmqtt_room_give_back() - what is not needed any more */
void kmqtt_room_give_back(struct kmqtt_session *session);

/** kmqtt_room_less() - an entry is gone: when nothing waits, what of it is not needed? */
static inline void kmqtt_room_less(struct kmqtt_session *session)
{
	if (unlikely(session->room) && !session->queued)
		kmqtt_room_give_back(session);
}

/* The window of deliveries in flight; session->lock held for all. */

/** kmqtt_window_room() - may one more QoS 1/2 delivery be sent? */
bool kmqtt_window_room(const struct kmqtt_session *session);

/** kmqtt_window_count() - one more, or less, is sent and not acknowledged (@n 1, -1) */
void kmqtt_window_count(struct kmqtt_session *session, const struct kmqtt_qent *ent,
			int n);

/** kmqtt_window_add() - an entry that was taken; gives it its packet identifier */
void kmqtt_window_add(struct kmqtt_session *session, struct kmqtt_qent *ent);

/** kmqtt_window_remove() - it is acknowledged, or goes back to the queue */
void kmqtt_window_remove(struct kmqtt_session *session, struct kmqtt_qent *ent);

/**
 * kmqtt_window_drop_denied() - another peer has come: what of it he may not read and
 *	would be sent again goes to @gone
 */
void kmqtt_window_drop_denied(struct kmqtt_session *session, struct list_head *gone);

/** kmqtt_window_find() - by packet identifier or number. Return: it or NULL */
struct kmqtt_qent *kmqtt_window_find(struct kmqtt_session *session, u64 key);

/** kmqtt_window_requeue() - all in flight goes back to the queue, in order, as DUP */
void kmqtt_window_requeue(struct kmqtt_session *session, bool dup);

#endif

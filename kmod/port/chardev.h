/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A file of /dev/kmqtt: a session of a local process. chardev.c opens, reads,
 * writes and polls, chardev_ioctl.c does the rest.
 *
 * Locks, outer first: file->lock (mutex) -> those of the core. file->lock is
 * held while memory of the process is touched, so mmap() does not take it; it
 * is never held while a reader or a writer waits.
 */
#ifndef KMQTT_PORT_CHARDEV_H
#define KMQTT_PORT_CHARDEV_H

#include <linux/fs.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <net/net_namespace.h>

#include "core/broker.h"
#include "port/ring.h"

/**
 * struct kmqtt_space_wait - tells a file that another session has room again
 * @entry:	in that session's ->space
 * @file:	whose ->wait is woken
 */
struct kmqtt_space_wait {
	struct wait_queue_entry entry;
	struct kmqtt_file *file;
};

/**
 * struct kmqtt_file - an open file
 * @port:	where its session plugs in
 * @session:	its session; changed once, by the first naming, under @lock; read
 *		with READ_ONCE() anywhere, for @first is kept until the end
 * @first:	a reference to the unnamed session that it had before, or NULL
 * @broker:	switch of @net
 * @ring:	set once under @lock, read with smp_load_acquire(); or NULL
 * @tracker:	counts what uplinks owe for what was written; set once, or NULL
 * @net:	network namespace in which it was opened, a reference
 * @ns_tracker:	of that reference
 * @lock:	one taker at a time; set-up
 * @wait:	readers, blocked writers, poll
 * @drops:	drops that no record has told yet, under @lock
 * @named:	the session has a name, under @lock
 * @report_drops: KMQTT_SESSION_REPORT_DROPS
 * @closed:	the session is lost to another file, or was killed
 * @soon:	the message that read() slept for last came soon; a hint, without a lock
 * @wake_ns:	how long it takes read() to wake up, on an average; likewise
 * @woken:	local_clock() when it was woken last, as much of it as fits; likewise
 * @memo:	where the last write went, for one writer at a time
 * @memo_used:	bit 0: one has it
 * @run_pause:	so many writes of several records go one by one before it is looked again
 *		whether they may be a run (core/run.h); who has @memo has it
 * @full_lock:	protects @full and @full_wait
 * @full:	session that refused the last write of O_NONBLOCK, a reference, or
 *		NULL; poll() tells EPOLLOUT when it has room
 * @full_wait:	in its ->space while @full is set
 * @rcu:	publishers wake it under RCU
 */
struct kmqtt_file {
	struct kmqtt_port port;
	struct kmqtt_session *session;
	struct kmqtt_session *first;
	struct kmqtt_broker *broker;
	struct kmqtt_ring *ring;
	struct kmqtt_tracker *tracker;
	struct net *net;
	netns_tracker ns_tracker;
	struct mutex lock;	/* one taker at a time; set-up */
	wait_queue_head_t wait;
	u64 drops;
	bool named;
	bool report_drops;
	bool closed;
	bool soon;
	u32 wake_ns;
	unsigned long woken;
	struct kmqtt_memo memo;
	unsigned long memo_used;
	u8 run_pause;
	spinlock_t full_lock;	/* full and full_wait */
	struct kmqtt_session *full;
	struct kmqtt_space_wait full_wait;
	struct rcu_head rcu;
};

/**
 * kmqtt_file_ioctl() - file_operations.unlocked_ioctl
 *
 * Process context, may sleep. Return: 0 or what uapi/kmqtt.h says.
 */
long kmqtt_file_ioctl(struct file *filp, unsigned int cmd, unsigned long arg);

/**
 * kmqtt_file_open_session() - a session for a file, with the opener's identity
 * @f:		the file; its port is attached
 * @cred:	credentials of who opened it
 * @params:	for kmqtt_session_open()
 * @present:	out: it was there
 *
 * Return: session with the port's reference; ERR_PTR() as kmqtt_session_open().
 */
struct kmqtt_session *
kmqtt_file_open_session(struct kmqtt_file *f, const struct cred *cred,
			const struct kmqtt_session_params *params, bool *present);

/**
 * struct kmqtt_writing - how a process publishes
 * @f:		publisher
 * @memo:	@f->memo, if it is the caller's, or NULL
 * @wakes:	where wake-ups are held back, &kmqtt_wakes.alone, or NULL; flushed
 *		before it waits, and by the caller in the end
 * @timeout:	jiffies to wait at most, MAX_SCHEDULE_TIMEOUT: for ever; what is left
 * @nowait:	do not wait
 */
struct kmqtt_writing {
	struct kmqtt_file *f;
	struct kmqtt_memo *memo;
	struct kmqtt_wakes *wakes;
	long timeout;
	bool nowait;
};

/**
 * kmqtt_file_publish() - publish, and wait where KMQTT_POLICY_BLOCK wants it
 * @w:		publisher
 * @msg:	message; the caller keeps its reference
 *
 * Process context, may sleep, no locks held.
 * Return: 0; -EAGAIN a subscriber is full; -ERESTARTSYS; -ESHUTDOWN; -EACCES;
 * -ENOBUFS. Nothing was published if it is an error.
 */
int kmqtt_file_publish(struct kmqtt_writing *w, struct kmqtt_msg *msg);

/** kmqtt_file_kick() - look again: the session or what it may take has changed */
void kmqtt_file_kick(struct kmqtt_file *f);

#endif

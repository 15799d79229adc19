/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The mmap ring: messages go to a local reader without a system call.
 *
 * Pages: struct kmqtt_ring_user (the reader writes it), struct
 * kmqtt_ring_kernel (read only), the data (read only, mapped twice in a row).
 * The kernel keeps its own producer position and the last consumer position
 * that it believed; of what the reader can write it reads one u64, once for
 * each filling, and only to know how much room there is. A position that makes
 * no sense ends this ring and nothing else.
 *
 * Who fills: whoever publishes, or poll(). One at a time: the one who finds
 * @kicks at 0 fills, and goes on as long as others have kicked meanwhile, so
 * nobody waits for a copy. There is no lock.
 */
#ifndef KMQTT_PORT_RING_H
#define KMQTT_PORT_RING_H

#include <linux/atomic.h>
#include <linux/mm_types.h>
#include <linux/skbuff.h>
#include <linux/types.h>

#include "core/session.h"

/**
 * struct kmqtt_ring - one ring, owned by its file
 * @producer:	position up to which records were put; the filler's
 * @consumer:	consumer position that was believed last; the filler's
 * @drops:	drops that were not told in a record yet; the filler's
 * @size:	bytes of data, a power of two
 * @kicks:	calls of kmqtt_ring_fill() that were not heeded yet
 * @dead:	the consumer position made no sense; never cleared
 * @user:	first page
 * @kernel:	second page
 * @data:	the rest, 2 * @size bytes of addresses
 * @pin:	what counts against RLIMIT_MEMLOCK
 * @page_count:	entries at @pages
 * @pages:	as they are mapped: the data pages twice
 */
struct kmqtt_ring {
	u64 producer;
	u64 consumer;
	u64 drops;
	u64 size;
	atomic_t kicks;
	bool dead;
	struct kmqtt_ring_user *user;
	struct kmqtt_ring_kernel *kernel;
	u8 *data;
	struct mmpin pin;
	unsigned int page_count;
	struct page *pages[];
};

/** KMQTT_RING_SIZE_MAX - most bytes of data */
#define KMQTT_RING_SIZE_MAX	(64U << 20)

/** KMQTT_RING_WAKE_BUDGET - most bytes that a publisher copies for a reader */
#define KMQTT_RING_WAKE_BUDGET	(256U << 10)

/**
 * kmqtt_ring_new() - make a ring
 * @size:	bytes of data
 *
 * Pages are charged to the caller's memory cgroup and count against his
 * RLIMIT_MEMLOCK. Process context, may sleep.
 * Return: the ring; ERR_PTR(-EINVAL) a size that is not allowed, -ENOMEM,
 * -EOPNOTSUPP if the machine cannot store 64 bits at once.
 */
struct kmqtt_ring *kmqtt_ring_new(u64 size);

/** kmqtt_ring_free() - a grace period after the last that could fill it. May sleep */
void kmqtt_ring_free(struct kmqtt_ring *ring);

/** kmqtt_ring_layout() - the out members of @setup */
void kmqtt_ring_layout(const struct kmqtt_ring *ring,
		       struct kmqtt_ring_setup *setup);

/**
 * kmqtt_ring_mmap() - for file_operations.mmap; mmap_lock held for writing
 *
 * Return: 0; -EINVAL not shared or out of the ring; -EPERM to execute, or to
 * write anything but the first page; -ENOMEM.
 */
int kmqtt_ring_mmap(struct kmqtt_ring *ring, struct vm_area_struct *vma);

/**
 * kmqtt_ring_fill() - move messages from a session's queue into the ring
 * @ring:	ring
 * @session:	where the file has its session, which it may change meanwhile
 * @port:	the file's, which takes
 * @report:	put records of what was dropped, too
 * @budget:	bytes to copy at most; what is left is told as KMQTT_RING_MORE
 *
 * Any process context, also under rcu_read_lock().
 * Return: true if the reader has something to see that it may sleep on.
 */
bool kmqtt_ring_fill(struct kmqtt_ring *ring,
		     struct kmqtt_session *const *session,
		     const struct kmqtt_port *port, bool report, size_t budget);

/** kmqtt_ring_readable() - is there what was not consumed yet? Any context */
bool kmqtt_ring_readable(const struct kmqtt_ring *ring);

#endif

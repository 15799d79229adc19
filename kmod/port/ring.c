// SPDX-License-Identifier: GPL-2.0
/* The mmap ring of a file of /dev/kmqtt. */
#include <linux/atomic.h>
#include <linux/err.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/uio.h>
#include <linux/vmalloc.h>

#include "compat.h"
#include "port/record.h"
#include "port/ring.h"

/* pages before the data: the reader's and the kernel's */
#define KMQTT_RING_HEAD_PAGES	2

/* deliveries taken at a time */
#define KMQTT_RING_BATCH	8

/*
 * Positions are of 64 bits for every program, and shared with one. Read or
 * written in halves they would make no sense once in 4 GiB, so that a machine of
 * 32 bits must be told, too.
 */
static u64 kmqtt_ring_load(const __u64 *pos)
{
	return atomic64_read_acquire((const atomic64_t *)pos);
}

static void kmqtt_ring_store(__u64 *pos, u64 value)
{
	atomic64_set_release((atomic64_t *)pos, value);
}

static unsigned int kmqtt_ring_own_pages(const struct kmqtt_ring *ring)
{
	return KMQTT_RING_HEAD_PAGES + (ring->size >> PAGE_SHIFT);
}

static void kmqtt_ring_free_pages(struct kmqtt_ring *ring)
{
	unsigned int i;

	for (i = 0; i < kmqtt_ring_own_pages(ring) && ring->pages[i]; i++)
		__free_page(ring->pages[i]);
}

static int kmqtt_ring_alloc_pages(struct kmqtt_ring *ring)
{
	unsigned int own = kmqtt_ring_own_pages(ring);
	unsigned int i;

	for (i = 0; i < own; i++) {
		if (fatal_signal_pending(current))
			return -EINTR;
		ring->pages[i] = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
		if (!ring->pages[i])
			return -ENOMEM;
	}
	for (; i < ring->page_count; i++)
		ring->pages[i] = ring->pages[i - (own - KMQTT_RING_HEAD_PAGES)];
	return 0;
}

struct kmqtt_ring *kmqtt_ring_new(u64 size)
{
	struct kmqtt_ring *ring;
	unsigned int count;
	void *map;
	int err;

	/* There 64 bits are stored in halves, which no lock of ours hides from a program. */
	if (IS_ENABLED(CONFIG_GENERIC_ATOMIC64))
		return ERR_PTR(-EOPNOTSUPP);
	if (size < PAGE_SIZE || size > KMQTT_RING_SIZE_MAX || !is_power_of_2(size))
		return ERR_PTR(-EINVAL);
	count = KMQTT_RING_HEAD_PAGES + 2 * (size >> PAGE_SHIFT);
	ring = kvzalloc(struct_size(ring, pages, count), GFP_KERNEL_ACCOUNT);
	if (!ring)
		return ERR_PTR(-ENOMEM);
	ring->size = size;
	ring->page_count = count;
	err = -ENOMEM;
	if (mm_account_pinned_pages(&ring->pin,
				    (size_t)kmqtt_ring_own_pages(ring) << PAGE_SHIFT))
		goto err_free;
	err = kmqtt_ring_alloc_pages(ring);
	if (err)
		goto err_pages;
	err = -ENOMEM;
	map = vmap(ring->pages, count, VM_MAP, PAGE_KERNEL);
	if (!map)
		goto err_pages;
	ring->user = map;
	ring->kernel = map + PAGE_SIZE;
	ring->data = map + KMQTT_RING_HEAD_PAGES * PAGE_SIZE;
	return ring;

err_pages:
	kmqtt_ring_free_pages(ring);
	mm_unaccount_pinned_pages(&ring->pin);
err_free:
	kvfree(ring);
	return ERR_PTR(err);
}

void kmqtt_ring_free(struct kmqtt_ring *ring)
{
	might_sleep();
	vunmap(ring->user);
	kmqtt_ring_free_pages(ring);
	mm_unaccount_pinned_pages(&ring->pin);
	kvfree(ring);
}

void kmqtt_ring_layout(const struct kmqtt_ring *ring,
		       struct kmqtt_ring_setup *setup)
{
	setup->map_size = (u64)ring->page_count << PAGE_SHIFT;
	setup->user_offset = 0;
	setup->kernel_offset = PAGE_SIZE;
	setup->data_offset = KMQTT_RING_HEAD_PAGES * PAGE_SIZE;
}

int kmqtt_ring_mmap(struct kmqtt_ring *ring, struct vm_area_struct *vma)
{
	unsigned long first = vma->vm_pgoff;
	unsigned long count = vma_pages(vma);

	/* Without FMODE_WRITE a shared mapping has VM_MAYSHARE only. */
	if (!(vma->vm_flags & VM_MAYSHARE) || first >= ring->page_count ||
	    count > ring->page_count - first)
		return -EINVAL;
	if (vma->vm_flags & VM_EXEC)
		return -EPERM;
	if (first || count > 1) {
		if (vma->vm_flags & VM_WRITE)
			return -EPERM;
		vm_flags_clear(vma, VM_MAYWRITE);
	}
	vm_flags_clear(vma, VM_MAYEXEC);
	vm_flags_set(vma, VM_DONTEXPAND | VM_DONTDUMP);
	return vm_insert_pages(vma, vma->vm_start, ring->pages + first, &count);
}

/*
 * How much room the reader has made. It may write anything at any time, so its
 * position is read once. Return: false if the position makes no sense.
 */
static bool kmqtt_ring_room(struct kmqtt_ring *ring, size_t *room)
{
	/* Pairs with the reader's store_release: it is done with those records. */
	u64 consumer = kmqtt_ring_load(&ring->user->consumer);

	if (consumer - ring->consumer > ring->producer - ring->consumer ||
	    consumer % KMQTT_RECORD_ALIGN)
		return false;
	ring->consumer = consumer;
	*room = ring->size - (ring->producer - consumer);
	return true;
}

/* Where the next record goes; never beyond the second mapping of the data. */
static void kmqtt_ring_iter(struct kmqtt_ring *ring, struct kvec *vec,
			    struct iov_iter *iter, size_t room)
{
	vec->iov_base = ring->data + (ring->producer & (ring->size - 1));
	vec->iov_len = room;
	iov_iter_kvec(iter, ITER_DEST, vec, 1, room);
}

/*
 * Puts what was taken. The core counts with the same lengths; should they
 * differ, what does not fit goes back.
 */
static void kmqtt_ring_put(struct kmqtt_ring *ring, struct kmqtt_session *session,
			   const struct kmqtt_port *port, struct kmqtt_delivery *d,
			   unsigned int count, size_t room)
{
	bool ack = READ_ONCE(session->ack_mode) == KMQTT_ACK_MANUAL;
	struct iov_iter iter;
	struct kvec vec;
	unsigned int i;
	size_t done = 0;

	kmqtt_ring_iter(ring, &vec, &iter, room);
	for (i = 0; i < count; i++) {
		if (kmqtt_record_write(&d[i], ack, &iter, &done)) {
			kmqtt_session_untake(session, port, d + i, count - i);
			break;
		}
		kmqtt_delivery_put(&d[i]);
	}
	ring->producer += done;
	/* Pairs with the reader's load_acquire: it sees the records. */
	kmqtt_ring_store(&ring->kernel->producer, ring->producer);
}

/* A message that is longer than the whole ring can never go there. */
static void kmqtt_ring_skip(const struct kmqtt_ring *ring,
			    struct kmqtt_session *session,
			    const struct kmqtt_port *port)
{
	struct kmqtt_delivery d;
	size_t room = SIZE_MAX;

	if (kmqtt_session_take(session, port, &d, 1, &room) != 1)
		return;
	/* a full queue's policy may have put another one in its place */
	if (kmqtt_delivery_record_len(&d) <= ring->size) {
		kmqtt_session_untake(session, port, &d, 1);
		return;
	}
	kmqtt_session_forget(session, port, &d);
	kmqtt_delivery_put(&d);
}

static void kmqtt_ring_put_drops(struct kmqtt_ring *ring, size_t *room)
{
	struct iov_iter iter;
	struct kvec vec;
	ssize_t len;

	kmqtt_ring_iter(ring, &vec, &iter, *room);
	len = kmqtt_record_write_drops(ring->drops, &iter);
	if (len < 0)
		return;
	ring->drops = 0;
	*room -= len;
	ring->producer += len;
	/* Pairs with the reader's load_acquire: it sees the record. */
	kmqtt_ring_store(&ring->kernel->producer, ring->producer);
}

/*
 * Return: false when there is nothing left to take, or no room or budget for
 * it, which @flags tells.
 */
static bool kmqtt_ring_fill_batch(struct kmqtt_ring *ring,
				  struct kmqtt_session *session,
				  const struct kmqtt_port *port, bool report,
				  size_t *budget, u32 *flags)
{
	struct kmqtt_delivery d[KMQTT_RING_BATCH] __uninitialized;
	u64 before = ring->producer;
	size_t room, left;
	int count;

	if (!kmqtt_ring_room(ring, &room)) {
		WRITE_ONCE(ring->dead, true);
		*flags = KMQTT_RING_ERROR;
		return false;
	}
	if (report)
		ring->drops += kmqtt_session_dropped(session);
	if (ring->drops)
		kmqtt_ring_put_drops(ring, &room);
	room = min(room, *budget);
	left = room;
	count = kmqtt_session_take(session, port, d, KMQTT_RING_BATCH, &left);
	if (count == -EMSGSIZE && room == ring->size) {
		kmqtt_ring_skip(ring, session, port);
		return true;
	}
	if (count > 0)
		kmqtt_ring_put(ring, session, port, d, count, room);
	*budget -= min_t(u64, *budget, ring->producer - before);
	*flags = count && ring->producer == before ? KMQTT_RING_MORE : 0;
	return count && !*flags;
}

bool kmqtt_ring_fill(struct kmqtt_ring *ring,
		     struct kmqtt_session *const *session,
		     const struct kmqtt_port *port, bool report, size_t budget)
{
	struct kmqtt_session *s;
	u32 flags = 0;
	u64 before;
	bool put;
	int seen;

	if (atomic_fetch_inc(&ring->kicks))
		return false;
	before = ring->producer;
	do {
		/*
		 * Pairs with the increment above of who kicked meanwhile: the
		 * message that he queued is seen, and the session that he meant.
		 */
		seen = atomic_read_acquire(&ring->kicks);
		s = READ_ONCE(*session);
		if (ring->dead)
			flags = KMQTT_RING_ERROR;
		else
			while (kmqtt_ring_fill_batch(ring, s, port, report,
						     &budget, &flags))
				;
		kmqtt_ring_store(&ring->kernel->dropped,
				 READ_ONCE(s->dropped_messages));
		WRITE_ONCE(ring->kernel->flags, flags);
		/* while it is ours: who kicks next may fill it as soon as we have gone */
		put = ring->producer != before;
		/*
		 * With a flag up the reader is to call poll(), which fills
		 * again: nobody's kick is lost, and a publisher is not held up
		 * by what others publish.
		 */
		if (flags)
			atomic_xchg(&ring->kicks, 0);
	} while (!flags && atomic_sub_return(seen, &ring->kicks));
	return flags || put;
}

bool kmqtt_ring_readable(const struct kmqtt_ring *ring)
{
	return kmqtt_ring_load(&ring->kernel->producer) !=
	       kmqtt_ring_load(&ring->user->consumer);
}

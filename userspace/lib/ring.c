// SPDX-License-Identifier: LGPL-2.1-or-later
/* The ring: messages in memory that the kernel and this process share. */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "internal.h"

/*
 * A position, which lies at a multiple of 8: i386 must be told, so that it is
 * read and written with one instruction.
 */
struct position {
	__u64 value __attribute__((aligned(8)));
};

static uint64_t load_producer(const struct ring *ring)
{
	const struct position *pos = (const void *)&ring->kernel->producer;

	/* Pairs with the kernel's release: what lies before it is written. */
	return __atomic_load_n(&pos->value, __ATOMIC_ACQUIRE);
}

int kmqtt_ring_open(struct kmqtt *k, size_t size)
{
	struct kmqtt_ring_setup setup = {
		.size = sizeof(setup),
		.data_size = size,
	};
	struct ring *ring = &k->ring;
	size_t rest;
	void *user, *kernel;

	if (ring->user || k->buf_pos < k->buf_len) {
		errno = EBUSY;
		return -1;
	}
	if (ioctl(k->fd, KMQTT_IOC_RING, &setup) < 0)
		return -1;
	user = mmap(NULL, setup.kernel_offset, PROT_READ | PROT_WRITE,
		    MAP_SHARED, k->fd, setup.user_offset);
	if (user == MAP_FAILED)
		return -1;
	rest = setup.map_size - setup.kernel_offset;
	kernel = mmap(NULL, rest, PROT_READ, MAP_SHARED, k->fd,
		      setup.kernel_offset);
	if (kernel == MAP_FAILED) {
		int err = errno;

		munmap(user, setup.kernel_offset);
		errno = err;
		return -1;
	}
	ring->user = user;
	ring->user_len = setup.kernel_offset;
	ring->kernel = kernel;
	ring->map_len = rest;
	ring->data = (unsigned char *)kernel +
		     (setup.data_offset - setup.kernel_offset);
	ring->mask = setup.data_size - 1;
	ring->next = ring->user->consumer;
	return 0;
}

void kmqtt_ring_close(struct ring *ring)
{
	if (!ring->user)
		return;
	munmap(ring->user, ring->user_len);
	munmap((void *)(uintptr_t)ring->kernel, ring->map_len);
	ring->user = NULL;
}

int kmqtt_ring_next(struct kmqtt *k, struct kmqtt_message *msg)
{
	struct ring *ring = &k->ring;
	const struct kmqtt_record *rec;

	if (ring->next == load_producer(ring)) {
		if (!(__atomic_load_n(&ring->kernel->flags, __ATOMIC_ACQUIRE) &
		      KMQTT_RING_ERROR))
			return 0;
		errno = EBADMSG;
		return -1;
	}
	rec = (const void *)(ring->data + (ring->next & ring->mask));
	kmqtt_record_view(rec, msg);
	ring->next += rec->len;
	return 1;
}

void kmqtt_ring_release(struct kmqtt *k)
{
	struct position *pos = (void *)&k->ring.user->consumer;

	/* Pairs with the kernel's acquire: we are done with those bytes. */
	__atomic_store_n(&pos->value, k->ring.next, __ATOMIC_RELEASE);
}

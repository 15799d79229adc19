// SPDX-License-Identifier: GPL-2.0-only
/* The ring's first page: what a reader writes there, a bad one too, while the kernel works. */
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

#include <kmqtt.h>

#include "kcov.h"

/* stores of the other thread before it looks whether it is still wanted */
#define STORES		32

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wanted = PTHREAD_COND_INITIALIZER;
static struct ring *stormed;
static uint8_t storm_mode;
/* its own numbers: when it runs is not known anyway */
static uint64_t storm_state;

static uint64_t producer_of(const struct ring *ring)
{
	const struct kmqtt_ring_kernel *kernel = (const void *)ring->rest;

	return __atomic_load_n(&kernel->producer, __ATOMIC_ACQUIRE);
}

/* Where the consumer would go next: past the record at its position. */
static uint64_t next_of(const struct ring *ring)
{
	uint64_t at = __atomic_load_n(ring->user, __ATOMIC_RELAXED);
	const struct kmqtt_record *rec;

	if (at == producer_of(ring) || at % 8)
		return at;
	/* after the kernel's page */
	rec = (const void *)(ring->rest + 4096 + (at & (ring->data_size - 1)));
	return at + rec->len;
}

static uint64_t value_of(const struct ring *ring, uint8_t mode, uint64_t random)
{
	uint64_t at = __atomic_load_n(ring->user, __ATOMIC_RELAXED);

	switch (mode) {
	case 0:
		return next_of(ring);
	case 1:
		return producer_of(ring);
	case 2:
		return at + 8;
	case 3:
		return at - 8;
	case 4:
		return producer_of(ring) + 8;
	case 5:
		return at + 1;
	case 6:
		return at + ring->data_size;
	default:
		return random;
	}
}

static void *storm(void *unused)
{
	unsigned int i;

	(void)unused;
	for (;;) {
		pthread_mutex_lock(&lock);
		while (!stormed)
			pthread_cond_wait(&wanted, &lock);
		for (i = 0; i < STORES; i++) {
			uint8_t mode = storm_mode & 1;

			storm_state = storm_state * 6364136223846793005ull + 1442695040888963407ull;
			/* a good reader all the time; one that is bad once in a while; or often */
			if (storm_mode >= 128 && storm_state >> 58 < (storm_mode & 31))
				mode = storm_state >> 32 & 7;
			__atomic_store_n(stormed->user, value_of(stormed, mode, storm_state),
					 __ATOMIC_RELEASE);
		}
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

void ring_start(void)
{
	pthread_t thread;
	sigset_t all, old;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	if (pthread_create(&thread, NULL, storm, NULL))
		fail("a thread");
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

/* The other thread lets go of whatever it writes to. */
void ring_calm(void)
{
	pthread_mutex_lock(&lock);
	stormed = NULL;
	pthread_mutex_unlock(&lock);
}

void ring_storm(struct ring *ring, struct input *in)
{
	ring_calm();
	if (!ring->user)
		return;
	pthread_mutex_lock(&lock);
	storm_mode = in8(in);
	storm_state = in32(in);
	stormed = ring;
	pthread_cond_signal(&wanted);
	pthread_mutex_unlock(&lock);
}

void ring_store(struct ring *ring, struct input *in)
{
	uint8_t code = in8(in);

	if (!ring->user)
		return;
	__atomic_store_n(ring->user, value_of(ring, code < 192 ? code & 1 : code & 7, number(in)),
			 __ATOMIC_RELEASE);
}

void ring_unmap(struct ring *ring)
{
	ring_calm();
	if (ring->user) {
		munmap(ring->user, 4096);
		munmap((void *)ring->rest, ring->rest_size);
	}
	ring->user = NULL;
}

/* Two mappings as they must be; or one that need not be right, which goes again at once. */
void ring_map(struct ring *ring, int fd, const void *setup, struct input *in)
{
	const struct kmqtt_ring_setup *s = setup;
	uint8_t mode = in8(in);
	size_t len = mode & 1 ? s->map_size : number(in);
	off_t at = mode & 2 ? 0 : number(in) & ~4095ull;
	void *map;

	if (mode >= 208) {
		map = mmap(NULL, len, mode & 4 ? PROT_READ | PROT_WRITE : PROT_READ,
			   mode & 8 ? MAP_SHARED : MAP_PRIVATE, fd, at);
		note("mmap, not right", map != MAP_FAILED);
		if (map != MAP_FAILED)
			munmap(map, len);
		return;
	}
	ring_unmap(ring);
	if (!s->map_size)
		return;
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	note("mmap", map != MAP_FAILED);
	if (map == MAP_FAILED)
		return;
	ring->rest_size = s->map_size - s->kernel_offset;
	ring->rest = mmap(NULL, ring->rest_size, PROT_READ, MAP_SHARED, fd, s->kernel_offset);
	if (ring->rest == MAP_FAILED)
		munmap(map, 4096);
	else
		ring->user = map;
	ring->data_size = s->data_size;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random programs against /dev/kmqtt and its netlink family, guided by what of the module they
 * reach.
 *
 * A program is a string of bytes: operations of OP_BYTES each. The first byte of each says what is
 * done, the others how; whatever they are, it is an operation, mostly a right one. So any change of
 * any byte gives a program again, and what an operation does changes nothing about how the next
 * one is read.
 */
#ifndef KCOV_H
#define KCOV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OP_BYTES	32
#define OPS_MAX		16
#define PROGRAM_MAX	(OP_BYTES * OPS_MAX)

#define SLOTS		4
#define PAIRS		2
/* the user who may do nothing in particular */
#define NOBODY		1000

#define ARRAY_LEN(array)	(sizeof(array) / sizeof((array)[0]))

/* What an operation is. */
enum op {
	/* with a file of /dev/kmqtt */
	OP_OPEN, OP_SESSION, OP_SUBSCRIBE, OP_UNSUBSCRIBE, OP_WRITE, OP_WRITEV, OP_READ, OP_POLL,
	OP_ACK, OP_PUBLISH, OP_INFO, OP_RING, OP_MAP, OP_STORE, OP_STORM, OP_FSYNC, OP_ANY,
	OP_CLOSE,
	/* with a netlink socket, or with a TCP connection */
	OP_REQUEST, OP_MEMBER, OP_RECEIVE, OP_LEAVE, OP_PEER,
};

struct program {
	unsigned int len;	/* a multiple of OP_BYTES */
	uint8_t bytes[PROGRAM_MAX];
};

/* The bytes of one operation that are not read yet. */
struct input {
	const uint8_t *data;
	unsigned int left;
};

/* Past the end all is zero, which is the most common choice everywhere. */
static inline uint8_t in8(struct input *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->data++;
}

static inline uint32_t in32(struct input *in)
{
	uint32_t value = 0;
	unsigned int i;

	for (i = 0; i < 4; i++)
		value = value << 8 | in8(in);
	return value;
}

/* main.c */
void fail(const char *what);
void note(const char *name, bool done);
void timer(bool on);

/* cover.c: what the kernel ran for this thread */
void cover_open(void);
void cover_begin(void);
void cover_mark(void);
bool cover_end(bool *place);
unsigned int cover_places(void);
unsigned int cover_edges(void);
unsigned int cover_lost(void);

/* corpus.c: programs, and new ones from them */
void random_seed(uint64_t seed);
uint32_t random_below(uint32_t bound);
void corpus_add(const struct program *program, bool place);
void corpus_get(struct program *program, unsigned int which);
unsigned int corpus_size(void);
void program_new(struct program *program);

/* seeds.c: what an operation's first byte means, and programs to begin with */
enum op op_of(uint8_t byte);
void seeds_add(void);

/* values.c: strings, properties, numbers, and memory to have them in */
struct text {
	const char *bytes;
	unsigned int len;
};

void memory_open(void);
void memory_forget(void);
void *memory_put(struct input *in, const void *data, size_t len);
void *memory_room(struct input *in, size_t len);
struct text text_name(struct input *in);
struct text text_topic(struct input *in);
struct text text_filter(struct input *in);
struct text text_props(struct input *in);
uint64_t number(struct input *in);
unsigned int length(struct input *in);

/* device.c */
void device_close(void);
void device_op(enum op op, struct input *in);
int device_fd(unsigned int slot);

/* ring.c: what is written into a ring's page, by this thread or by another one meanwhile */
struct ring {
	uint64_t *user;			/* NULL: not mapped */
	const uint8_t *rest;		/* the kernel's page, and the records */
	size_t rest_size;
	uint64_t data_size;
};

void ring_start(void);
void ring_map(struct ring *ring, int fd, const void *setup, struct input *in);
void ring_unmap(struct ring *ring);
void ring_store(struct ring *ring, struct input *in);
void ring_storm(struct ring *ring, struct input *in);
void ring_calm(void);

/* netlink.c */
void netlink_resolve(void);
void netlink_close(void);
void netlink_op(enum op op, struct input *in);
int netlink_fd(void);

/* peer.c: who is at the other end of a TCP connection */
void peer_close(void);
void peer_op(struct input *in);
int peer_fd(unsigned int pair);
struct text peer_stream(unsigned int which);
int as_nobody(int (*open)(int flags), int flags);

#endif /* KCOV_H */

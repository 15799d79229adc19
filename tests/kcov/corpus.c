// SPDX-License-Identifier: GPL-2.0-only
/* Programs that reached something new, and new programs from them. */
#include <stdlib.h>
#include <string.h>

#include "kcov.h"

static struct program *corpus;
/* which of them reached a new place, and not only a new way between two */
static unsigned int *finders;
static unsigned int size, found, room;
static uint64_t state;

void random_seed(uint64_t seed)
{
	state = seed;
}

/* splitmix64 */
static uint64_t random64(void)
{
	uint64_t z = state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

uint32_t random_below(uint32_t bound)
{
	return (random64() >> 32) * bound >> 32;
}

void corpus_add(const struct program *program, bool place)
{
	if (size == room) {
		room = room ? 2 * room : 256;
		corpus = realloc(corpus, room * sizeof(*corpus));
		finders = realloc(finders, room * sizeof(*finders));
		if (!corpus || !finders)
			fail("memory");
	}
	if (place)
		finders[found++] = size;
	corpus[size++] = *program;
}

void corpus_get(struct program *program, unsigned int which)
{
	*program = corpus[which];
}

unsigned int corpus_size(void)
{
	return size;
}

/* Half of the time one that found a place; of any kind, half of the time a late one. */
static const struct program *choose(void)
{
	bool finder = found && random_below(2);
	unsigned int all = finder ? found : size, i;

	i = random_below(2) ? random_below(all) : all - 1 - random_below(all / 4 + 1);
	return &corpus[finder ? finders[i] : i];
}

static void op_fill(uint8_t *op)
{
	unsigned int i;

	/* the end is often zero: what an operation does not choose is the usual thing */
	for (i = 0; i < OP_BYTES; i++)
		op[i] = random64();
	if (random_below(2))
		memset(op + 4 + random_below(OP_BYTES - 4), 0, 4);
}

static void op_insert(struct program *p, const uint8_t *op, unsigned int at)
{
	if (p->len == PROGRAM_MAX)
		p->len -= OP_BYTES;
	if (at > p->len / OP_BYTES)
		at = p->len / OP_BYTES;
	memmove(p->bytes + (at + 1) * OP_BYTES, p->bytes + at * OP_BYTES, p->len - at * OP_BYTES);
	memcpy(p->bytes + at * OP_BYTES, op, OP_BYTES);
	p->len += OP_BYTES;
}

static void op_delete(struct program *p, unsigned int at)
{
	if (p->len <= OP_BYTES)
		return;
	p->len -= OP_BYTES;
	memmove(p->bytes + at * OP_BYTES, p->bytes + (at + 1) * OP_BYTES, p->len - at * OP_BYTES);
}

/* From somewhere on it goes on as another one. */
static void splice(struct program *p, const struct program *other)
{
	unsigned int keep = OP_BYTES * random_below(p->len / OP_BYTES + 1);
	unsigned int from = OP_BYTES * random_below(other->len / OP_BYTES);
	unsigned int more = other->len - from;

	if (more > PROGRAM_MAX - keep)
		more = PROGRAM_MAX - keep;
	memcpy(p->bytes + keep, other->bytes + from, more);
	p->len = keep + more;
}

static void change_byte(struct program *p)
{
	static const uint8_t interesting[] = { 0, 1, 2, 3, 4, 7, 8, 16, 63, 127, 128, 192, 255 };
	/* rather one of the first bytes of an operation: they say more */
	unsigned int at = OP_BYTES * random_below(p->len / OP_BYTES) +
			  random_below(random_below(2) ? 8 : OP_BYTES);

	switch (random_below(4)) {
	case 0:
		p->bytes[at] ^= 1 << random_below(8);
		break;
	case 1:
		p->bytes[at] += random_below(17) - 8;
		break;
	case 2:
		p->bytes[at] = interesting[random_below(ARRAY_LEN(interesting))];
		break;
	default:
		p->bytes[at] = random64();
	}
}

static void change(struct program *p)
{
	unsigned int at = random_below(p->len / OP_BYTES);
	uint8_t op[OP_BYTES];

	switch (random_below(16)) {
	case 0:
	case 1:
		op_fill(op);
		op_insert(p, op, random_below(OPS_MAX));
		break;
	case 2:
		op_delete(p, at);
		break;
	case 3:
		memcpy(op, p->bytes + at * OP_BYTES, OP_BYTES);
		op_insert(p, op, random_below(OPS_MAX));
		break;
	case 4:
	case 5:
		splice(p, choose());
		break;
	case 6:
		memcpy(op, choose()->bytes, OP_BYTES);
		op_insert(p, op, 0);
		break;
	default:
		change_byte(p);
	}
}

static void fresh(struct program *p)
{
	unsigned int i, ops = 1 + random_below(random_below(2) ? OPS_MAX : 6);

	for (i = 0; i < ops; i++)
		op_fill(p->bytes + i * OP_BYTES);
	p->len = ops * OP_BYTES;
}

/* One program of sixteen is new from the ground. */
void program_new(struct program *program)
{
	unsigned int times;

	if (!random_below(16)) {
		fresh(program);
		return;
	}
	*program = *choose();
	for (times = 1 + random_below(random_below(2) ? 2 : 8); times; times--)
		change(program);
}

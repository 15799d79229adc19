// SPDX-License-Identifier: GPL-2.0-only
/* Values, mostly right, of which a few come again and again; and memory, mostly good. */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kcov.h"

#define TEXT(string)	{ string, sizeof(string) - 1 }
/* what one operation hands over at once, at most, and how much room each has */
#define AREAS		6
#define AREA_SIZE	(192u << 10)
#define READONLY_SIZE	4096

static const struct text names[] = {
	TEXT("a"), TEXT("b"), TEXT("a/b"), TEXT("c"),
	/* not so often */
	TEXT(""), TEXT("127.0.0.1"), TEXT("\303\251"), TEXT("\303"), TEXT("a\000b"), TEXT("+"),
	TEXT("a\001z"), TEXT("%u"), TEXT("*"),
	TEXT("0123456789012345678901234567890123456789012345678901234567890123456789"),
};

static const struct text topics[] = {
	TEXT("a/b"), TEXT("a"), TEXT("b"), TEXT("a/b/c"), TEXT("b/b"),
	/* not so often */
	TEXT("/"), TEXT(""), TEXT("a//"), TEXT("$SYS/x"), TEXT("a/+"), TEXT("#"), TEXT("a\000b"),
	TEXT("\355\240\200"), TEXT("\364\217\277\277"), TEXT("a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r"),
	TEXT("$share/g/a"), TEXT("//////////////////////////////////////////////////////////////"),
};

static const struct text filters[] = {
	TEXT("#"), TEXT("a/b"), TEXT("a/#"), TEXT("+/b"), TEXT("a/+"), TEXT("$share/g/a/#"),
	TEXT("$share/g/+/b"), TEXT("a"),
	/* not so often */
	TEXT("$share/h/#"), TEXT("$SYS/#"), TEXT("+"), TEXT("+/+/#"), TEXT(""), TEXT("$share/g"),
	TEXT("$share//a"), TEXT("$share/+/a"), TEXT("a/#/b"), TEXT("a+"), TEXT("/"), TEXT("\377"),
	TEXT("a\000b"), TEXT("$share/g/"), TEXT("%u/#"), TEXT("%c/+"), TEXT("a/%c/%u"),
	TEXT("+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/#"),
};

static const struct text props[] = {
	TEXT(""), TEXT("\001\001"), TEXT("\046\000\001a\000\001b"),
	TEXT("\010\000\003a/b\011\000\002\000\001"),
	/* not so often */
	TEXT("\003\000\004text\001\000\046\000\000\000\000\046\000\001a\000\001b"),
	TEXT("\001\002"), TEXT("\001\001\001\001"), TEXT("\010\000\001#"), TEXT("\013\001"),
	TEXT("\046\000\001a\000\011b"),
	TEXT("\011\377\377"), TEXT("\002\000\000\000\005"), TEXT("\003\000\001\377"), TEXT("\177"),
	TEXT("\046"), TEXT("\043\000\001"),
};

static uint8_t *areas;
static uint8_t *readonly;
static unsigned int used;

/* Where nothing is, or nothing of ours. */
static const uintptr_t nowhere[] = {
	0, 1, 0x1000, 0x7ffffffff000, 0x8000000000000000, 0xffff888000000000, 0xffffffff81000000,
	0xfffffffffffffff8,
};

void memory_open(void)
{
	size_t each = AREA_SIZE + 4096;
	unsigned int i;

	areas = mmap(NULL, AREAS * each, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		     0);
	readonly = mmap(NULL, READONLY_SIZE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (areas == MAP_FAILED || readonly == MAP_FAILED)
		fail("memory");
	for (i = 0; i < AREAS; i++)
		if (mprotect(areas + i * each + AREA_SIZE, 4096, PROT_NONE))
			fail("mprotect");
}

/* What was handed over is done with. */
void memory_forget(void)
{
	used = 0;
}

/* Room of @len bytes up to a page that is not there; or with less of it there; or elsewhere. */
void *memory_room(struct input *in, size_t len)
{
	uint8_t mode = in8(in);
	uint8_t *end = areas + used % AREAS * (AREA_SIZE + 4096) + AREA_SIZE;

	used++;
	if (len > AREA_SIZE)
		len = AREA_SIZE;
	if (mode < 240)
		return end - len;
	if (mode < 248)
		return end - len + len * (mode & 7) / 8;
	return mode == 248 ? readonly : (void *)nowhere[mode & 7];
}

/* @data, in such room */
void *memory_put(struct input *in, const void *data, size_t len)
{
	uint8_t *room = memory_room(in, len);
	uint8_t *end = areas + (used - 1) % AREAS * (AREA_SIZE + 4096) + AREA_SIZE;

	if (room >= areas && room < end)
		memcpy(room, data, (size_t)(end - room) < len ? (size_t)(end - room) : len);
	return room;
}

static struct text choose(struct input *in, const struct text *texts, unsigned int common,
			  unsigned int all)
{
	uint8_t code = in8(in);

	/* so that what is made is met again */
	if (code < 112)
		return texts[code & 1];
	return texts[code % (code < 208 ? common : all)];
}

struct text text_name(struct input *in)
{
	return choose(in, names, 4, ARRAY_LEN(names));
}

struct text text_topic(struct input *in)
{
	return choose(in, topics, 5, ARRAY_LEN(topics));
}

struct text text_filter(struct input *in)
{
	return choose(in, filters, 8, ARRAY_LEN(filters));
}

struct text text_props(struct input *in)
{
	return choose(in, props, 4, ARRAY_LEN(props));
}

/* Mostly small. */
uint64_t number(struct input *in)
{
	static const uint64_t interesting[] = {
		16, 20, 60, 63, 64, 100, 127, 128, 255, 256, 1000, 1024, 4095, 4096, 4097, 8192,
		32767, 32768, 65535, 65536, 1 << 20, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff,
		0x100000000, 1ull << 40, INT64_MAX, 1ull << 63, UINT64_MAX - 7, UINT64_MAX,
	};
	uint8_t code = in8(in);

	if (code < 128)
		return code & 7;
	if (code == 255)
		return in32(in);
	return interesting[code % ARRAY_LEN(interesting)];
}

/* Of a payload or a buffer. */
unsigned int length(struct input *in)
{
	static const unsigned int lengths[] = {
		0, 1, 7, 8, 100, 250, 1000, 2040, 3000,
		/* not so often */
		4096, 4097, 8192, 16384, 32768, 60000, 65536,
	};
	uint8_t code = in8(in);

	return lengths[code % (code < 224 ? 9 : ARRAY_LEN(lengths))];
}

// SPDX-License-Identifier: GPL-2.0-only
/* What of the module a program reaches, as KCOV tells it. */
#include <errno.h>
#include <fcntl.h>
#include <linux/kcov.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kcov.h"

#define KCOV_FILE	"/sys/kernel/debug/kcov"
/* places of one program, at most: the rest is lost */
#define ENTRIES		262144u
#define EDGES		262144u

static int kcov = -1;
static unsigned long *area;
static unsigned long base, size;
/* by place: was it reached? */
static uint8_t *reached;
/* by edge: classes of how often, of all programs; how often in this one; which ones in this one */
static uint8_t seen[EDGES], count[EDGES];
static uint32_t touched[EDGES];
static unsigned int places, edges, lost;
/* where the operations of this program begin */
static unsigned long marks[OPS_MAX + 1];
static unsigned int marked;

/* Where the module is. What else is instrumented, if anything, does not count. */
static void find_module(void)
{
	char line[512], name[64];
	FILE *file = fopen("/proc/modules", "r");

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "%63s %lu %*s %*s %*s %lx", name, &size, &base) == 3 &&
		    !strcmp(name, "kmqtt")) {
			fclose(file);
			reached = calloc(1, size);
			if (!base || !reached)
				fail("where kmqtt is, is not told");
			return;
		}
	fail("the module kmqtt is not loaded");
}

void cover_open(void)
{
	find_module();
	kcov = open(KCOV_FILE, O_RDWR | O_CLOEXEC);
	if (kcov < 0)
		fail("there is no KCOV (CONFIG_KCOV, debugfs): " KCOV_FILE);
	if (ioctl(kcov, KCOV_INIT_TRACE, (unsigned long)ENTRIES))
		fail("KCOV_INIT_TRACE");
	area = mmap(NULL, ENTRIES * sizeof(*area), PROT_READ | PROT_WRITE, MAP_SHARED, kcov, 0);
	if (area == MAP_FAILED)
		fail("mmap of KCOV");
}

void cover_begin(void)
{
	__atomic_store_n(&area[0], 0, __ATOMIC_RELAXED);
	marked = 0;
	if (ioctl(kcov, KCOV_ENABLE, KCOV_TRACE_PC))
		fail("KCOV_ENABLE");
}

/* Another operation begins: how one gets there from the end of the last one says nothing. */
void cover_mark(void)
{
	if (marked < ARRAY_LEN(marks))
		marks[marked++] = __atomic_load_n(&area[0], __ATOMIC_RELAXED) + 1;
}

/* Once, a few times, often: what happens more often is no news. */
static uint8_t class_of(uint8_t times)
{
	return times == 1 ? 1 : times < 4 ? 2 : times < 16 ? 4 : 8;
}

/* Return: was there anything new? @place: a new place, not only a new way from one to another */
bool cover_end(bool *place)
{
	unsigned long n = __atomic_load_n(&area[0], __ATOMIC_RELAXED), i, pc;
	unsigned int some = 0, before = places, mark = 0;
	uint32_t last = 0, edge;
	bool is_new = false;

	if (ioctl(kcov, KCOV_DISABLE, 0))
		fail("KCOV_DISABLE");
	lost += n >= ENTRIES - 1;
	for (i = 1; i <= n && i < ENTRIES; i++) {
		for (; mark < marked && marks[mark] <= i; mark++)
			last = 0;
		pc = area[i] - base;
		if (pc >= size)
			continue;
		places += !reached[pc];
		reached[pc] = 1;
		edge = ((uint32_t)pc * 2654435761u >> 14 ^ last) % EDGES;
		last = ((uint32_t)pc * 2246822519u >> 14) % EDGES;
		if (!count[edge])
			touched[some++] = edge;
		count[edge] += count[edge] < 255;
	}
	for (i = 0; i < some; i++) {
		edge = touched[i];
		edges += !seen[edge];
		is_new |= class_of(count[edge]) & ~seen[edge];
		seen[edge] |= class_of(count[edge]);
		count[edge] = 0;
	}
	*place = places > before;
	return is_new;
}

unsigned int cover_places(void)
{
	return places;
}

unsigned int cover_edges(void)
{
	return edges;
}

/* programs of which not all was told */
unsigned int cover_lost(void)
{
	return lost;
}

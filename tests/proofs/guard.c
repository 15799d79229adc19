// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <sys/mman.h>

#include "prove.h"

/* A power of two that any page size divides. */
#define GUARD 65536

u8 *guard_end(void)
{
	static u8 *end;
	u8 *all;

	if (end)
		return end;
	all = mmap(NULL, GUARD_SIZE + GUARD, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		   -1, 0);
	if (all == MAP_FAILED || mprotect(all + GUARD_SIZE, GUARD, PROT_NONE))
		abort();
	end = all + GUARD_SIZE;
	return end;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* What the fuzz targets share. */
#ifndef KMQTT_TESTS_FUZZ_H
#define KMQTT_TESTS_FUZZ_H

#include <stdio.h>
#include <stdlib.h>

#include "proto/proto.h"

/* A promise that must hold whatever the input is; unlike assert(), it cannot be compiled out. */
#define PROMISE(cond) \
	do { \
		if (!(cond)) { \
			fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #cond); \
			abort(); \
		} \
	} while (0)

/** fuzz_version() - a protocol version, chosen by a byte of the input */
static inline u8 fuzz_version(u8 byte)
{
	return 3 + byte % 3;
}

/**
 * fuzz_copy() - bytes in a block of exactly their size
 * @data: bytes
 * @len: their number
 *
 * Return: the block, to be freed
 */
static inline u8 *fuzz_copy(const u8 *data, size_t len)
{
	u8 *copy = malloc(len ? len : 1);

	PROMISE(copy);
	if (len)
		memcpy(copy, data, len);
	return copy;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

#endif /* KMQTT_TESTS_FUZZ_H */

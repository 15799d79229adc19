// SPDX-License-Identifier: GPL-2.0-only
/* Strings against the slow twin. */
#include "fuzz.h"
#include "proto/utf8.h"
#include "twins.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	u8 *copy = fuzz_copy(data, size);

	PROMISE(kmqtt_utf8_valid(copy, size) == slow_utf8_valid(copy, size));
	free(copy);
	return 0;
}

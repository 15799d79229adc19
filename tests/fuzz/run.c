// SPDX-License-Identifier: GPL-2.0-only
/* Runs: a byte of version, then packets, against decoding one by one. */
#include "fuzz.h"
#include "proto/run.h"
#include "twins.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	u32 n, i, len, bytes, prefix_bytes;
	struct kmqtt_view payload;
	struct kmqtt_run run;
	u8 version;
	const u8 *at;
	u8 *p;

	if (!size)
		return 0;
	version = KMQTT_V31 + *data++ % 3;
	size--;
	p = fuzz_copy(data, size);
	n = slow_run(p, size, version, &len, &bytes);
	PROMISE(kmqtt_run_scan(p, size, version, KMQTT_VARINT_MAX, &run) == n);
	PROMISE(run.count == n && run.len == len && run.bytes == bytes);
	for (i = 0; i <= n; i++) {
		len = kmqtt_run_prefix(p, version, i, &prefix_bytes);
		PROMISE(slow_run(p, len, version, &len, &bytes) == i && bytes == prefix_bytes);
	}
	/* and by itself: all of it, in its place */
	for (i = 0, at = p; i < n; i++) {
		kmqtt_run_prefix(p, version, i + 1, &bytes);
		kmqtt_run_prefix(p, version, i, &prefix_bytes);
		payload = kmqtt_run_next(&at, version, run.topic.len);
		PROMISE(payload.len == bytes - prefix_bytes - run.topic.len);
		PROMISE(payload.data + payload.len == at);
	}
	PROMISE(at == p + run.len);
	free(p);
	return 0;
}

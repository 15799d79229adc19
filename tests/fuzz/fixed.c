// SPDX-License-Identifier: GPL-2.0-only
/* The fixed header, byte by byte: once it is judged, more bytes do not change the verdict. */
#include "fuzz.h"
#include "proto/packet.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct kmqtt_fixed f, first;
	int verdict = 0, ret;
	size_t n;
	u8 *part;
	u8 rc;

	for (n = 0; n <= size && n <= KMQTT_FIXED_MAX + 2; n++) {
		part = fuzz_copy(data, n);
		rc = 0;
		ret = kmqtt_fixed_decode(part, n, &f, &rc);
		free(part);
		if (verdict) {
			PROMISE(ret == verdict);
			PROMISE(ret < 0 || (f.remaining == first.remaining &&
					    f.type == first.type && f.flags == first.flags));
			continue;
		}
		PROMISE(ret <= (int)n);
		if (n >= KMQTT_FIXED_MAX)
			PROMISE(ret);
		if (ret < 0)
			PROMISE(rc == KMQTT_RC_MALFORMED_PACKET);
		if (ret > 0) {
			PROMISE(ret == (int)n && f.hdr_len == n && n >= 2);
			PROMISE(f.type >= KMQTT_CONNECT && f.type <= KMQTT_AUTH);
			PROMISE(f.remaining <= KMQTT_VARINT_MAX);
			PROMISE(f.remaining >= 2 || f.type >= KMQTT_PINGREQ);
			PROMISE(kmqtt_varint_size(f.remaining) == n - 1);
		}
		verdict = ret;
		first = f;
	}
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-only
/* prove WHAT [full]: one of the proofs of prove.h; prints TAP, exits with 1 if it does not hold. */
#include <stdio.h>

#include "prove.h"

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*prove)(void);
		void (*prove_some)(bool full);
	} proofs[] = {
		{ "varint", prove_varint, NULL }, { "utf8", prove_utf8, NULL },
		{ "fixed", NULL, prove_fixed }, { "props", NULL, prove_props },
		{ "topic", NULL, prove_topic },
	};
	bool full = argc == 3 && !strcmp(argv[2], "full");

	for (size_t i = 0; i < ARRAY_SIZE(proofs); i++) {
		if (argc != 2 + full || strcmp(argv[1], proofs[i].name))
			continue;
		if (proofs[i].prove)
			proofs[i].prove();
		else
			proofs[i].prove_some(full);
	}
	return done_testing();
}

// SPDX-License-Identifier: GPL-2.0-only
/* The native unit run of the protocol layer: prints TAP, exits with 1 if a check failed. */
#include "tap.h"
#include "tests.h"

int main(void)
{
	test_utf8();
	test_wire();
	test_reason();
	test_props();
	test_vectors();
	test_fields();
	test_encode();
	test_topic();
	test_run();
	return done_testing();
}

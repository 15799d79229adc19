// SPDX-License-Identifier: GPL-2.0
/* The command without a kernel: prints TAP, exits with 1 if a check failed. */
#include "harness.h"
#include "tap.h"

int main(void)
{
	test_out();
	test_args();
	test_passwd();
	test_acl_file();
	test_show();
	return done_testing();
}

// SPDX-License-Identifier: GPL-2.0
#include <kunit/test.h>
#include "core/message.h"
static void a(struct kunit *test) { KUNIT_EXPECT_EQ(test, 1, 1); }
static struct kunit_case cases[] = { KUNIT_CASE(a), {} };
static struct kunit_suite s = { .name = "dummy", .test_cases = cases };
kunit_test_suites(&s);
MODULE_LICENSE("GPL");

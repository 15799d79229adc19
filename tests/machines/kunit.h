/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What of KUnit the tests of tests/kunit use, for kernels that were built without it, as Debian's
 * are: included before everything else, in place of <kunit/test.h>. Names and meanings are KUnit's.
 * Each case runs in a thread of its own, so that an assertion can end it.
 */
#ifndef _KUNIT_TEST_H
#define _KUNIT_TEST_H

#include <linux/completion.h>
#include <linux/err.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/types.h>

#define KUNIT_PARAM_DESC_SIZE	128

/**
 * struct kunit - a case that runs
 * @priv:	the test's own
 * @param_value: of a case with parameters, this one
 * @failed:	an expectation was not met
 * @memory:	what kunit_kmalloc() gave and is to be freed after it
 * @done:	it has ended
 * @suite:	where it belongs
 * @run:	the case
 */
struct kunit {
	void *priv;
	const void *param_value;
	bool failed;
	struct list_head memory;
	struct completion done;
	struct kunit_suite *suite;
	void (*run)(struct kunit *test);
};

struct kunit_case {
	void (*run_case)(struct kunit *test);
	const char *name;
	const void *(*generate_params)(const void *prev, char *desc);
};

struct kunit_suite {
	const char name[256];
	int (*suite_init)(struct kunit_suite *suite);
	void (*suite_exit)(struct kunit_suite *suite);
	int (*init)(struct kunit *test);
	void (*exit)(struct kunit *test);
	struct kunit_case *test_cases;
};

/* What Kbuild's list of suites is of. */
struct kunit_suite_entry {
	struct kunit_suite *suite;
};

#define KUNIT_CASE(fn)			{ .run_case = fn, .name = #fn }
#define KUNIT_CASE_PARAM(fn, gen)	{ .run_case = fn, .name = #fn, .generate_params = gen }

#define KUNIT_ARRAY_PARAM(name, array, get_desc)					\
	static const void *name##_gen_params(const void *prev, char *desc)		\
	{										\
		typeof(&(array)[0]) first = (array), next = prev;			\
		void (*describe)(typeof(next), char *) = get_desc;			\
											\
		next = next ? next + 1 : first;						\
		if (next - first >= ARRAY_SIZE(array))					\
			return NULL;							\
		if (describe)								\
			describe(next, desc);						\
		return next;								\
	}

/* KMQTT_SUITE is a name that Kbuild makes of the file's. */
#define kunit_test_suites(suite)							\
	extern const struct kunit_suite_entry KMQTT_SUITE;				\
	const struct kunit_suite_entry KMQTT_SUITE = { suite }
#define kunit_test_suite(suite)		kunit_test_suites(&(suite))

void *kunit_kmalloc(struct kunit *test, size_t size, gfp_t gfp);
void kunit_kfree(struct kunit *test, const void *data);

static inline void *kunit_kzalloc(struct kunit *test, size_t size, gfp_t gfp)
{
	return kunit_kmalloc(test, size, gfp | __GFP_ZERO);
}

static inline void *kunit_kcalloc(struct kunit *test, size_t n, size_t size, gfp_t gfp)
{
	return kunit_kzalloc(test, size_mul(n, size), gfp);
}

/** kunit_fail() - the case has failed; with @abort, it ends here */
__printf(5, 6) void kunit_fail(struct kunit *test, bool abort, const char *file, int line,
			       const char *fmt, ...);

#define KUNIT_CHECK(test, abort, good, what, fmt, ...) do {				\
	if (!(good))									\
		kunit_fail(test, abort, __FILE__, __LINE__, "%s " fmt, what, ##__VA_ARGS__); \
} while (0)

#define KUNIT_COMPARE(test, abort, left, op, right, fmt, ...) do {			\
	const typeof(left) __left = (left);						\
	const typeof(right) __right = (right);						\
											\
	if (!(__left op __right))							\
		kunit_fail(test, abort, __FILE__, __LINE__,				\
			   "%s: %lld, %lld " fmt, #left " " #op " " #right,		\
			   (long long)__left, (long long)__right, ##__VA_ARGS__);	\
} while (0)

#define KUNIT_EXPECT_EQ(test, a, b)	KUNIT_COMPARE(test, false, a, ==, b, "")
#define KUNIT_EXPECT_NE(test, a, b)	KUNIT_COMPARE(test, false, a, !=, b, "")
#define KUNIT_EXPECT_LT(test, a, b)	KUNIT_COMPARE(test, false, a, <, b, "")
#define KUNIT_EXPECT_LE(test, a, b)	KUNIT_COMPARE(test, false, a, <=, b, "")
#define KUNIT_EXPECT_GT(test, a, b)	KUNIT_COMPARE(test, false, a, >, b, "")
#define KUNIT_EXPECT_GE(test, a, b)	KUNIT_COMPARE(test, false, a, >=, b, "")
#define KUNIT_ASSERT_EQ(test, a, b)	KUNIT_COMPARE(test, true, a, ==, b, "")
#define KUNIT_ASSERT_LT(test, a, b)	KUNIT_COMPARE(test, true, a, <, b, "")
#define KUNIT_ASSERT_GT(test, a, b)	KUNIT_COMPARE(test, true, a, >, b, "")
#define KUNIT_EXPECT_EQ_MSG(test, a, b, ...)	KUNIT_COMPARE(test, false, a, ==, b, __VA_ARGS__)
#define KUNIT_EXPECT_GE_MSG(test, a, b, ...)	KUNIT_COMPARE(test, false, a, >=, b, __VA_ARGS__)
#define KUNIT_ASSERT_EQ_MSG(test, a, b, ...)	KUNIT_COMPARE(test, true, a, ==, b, __VA_ARGS__)
#define KUNIT_ASSERT_GE_MSG(test, a, b, ...)	KUNIT_COMPARE(test, true, a, >=, b, __VA_ARGS__)

#define KUNIT_EXPECT_TRUE(test, x)	KUNIT_CHECK(test, false, x, #x, "")
#define KUNIT_EXPECT_FALSE(test, x)	KUNIT_CHECK(test, false, !(x), "!" #x, "")
#define KUNIT_ASSERT_TRUE(test, x)	KUNIT_CHECK(test, true, x, #x, "")
#define KUNIT_ASSERT_FALSE(test, x)	KUNIT_CHECK(test, true, !(x), "!" #x, "")
#define KUNIT_EXPECT_TRUE_MSG(test, x, ...)	KUNIT_CHECK(test, false, x, #x, __VA_ARGS__)
#define KUNIT_EXPECT_FALSE_MSG(test, x, ...)	KUNIT_CHECK(test, false, !(x), "!" #x, __VA_ARGS__)
#define KUNIT_ASSERT_TRUE_MSG(test, x, ...)	KUNIT_CHECK(test, true, x, #x, __VA_ARGS__)

#define KUNIT_EXPECT_NULL(test, p)	KUNIT_CHECK(test, false, !(p), "!" #p, "")
#define KUNIT_EXPECT_NOT_NULL(test, p)	KUNIT_CHECK(test, false, p, #p, "")
#define KUNIT_ASSERT_NOT_NULL(test, p)	KUNIT_CHECK(test, true, p, #p, "")
#define KUNIT_EXPECT_NOT_NULL_MSG(test, p, ...)	KUNIT_CHECK(test, false, p, #p, __VA_ARGS__)
#define KUNIT_EXPECT_PTR_EQ(test, a, b)	KUNIT_CHECK(test, false, (a) == (b), #a " == " #b, "")
#define KUNIT_EXPECT_PTR_NE(test, a, b)	KUNIT_CHECK(test, false, (a) != (b), #a " != " #b, "")
#define KUNIT_ASSERT_PTR_EQ(test, a, b)	KUNIT_CHECK(test, true, (a) == (b), #a " == " #b, "")
#define KUNIT_EXPECT_STREQ(test, a, b)	\
	KUNIT_CHECK(test, false, !strcmp(a, b), #a " == " #b, "")
#define KUNIT_EXPECT_STRNEQ(test, a, b)	\
	KUNIT_CHECK(test, false, strcmp(a, b), #a " != " #b, "")
#define KUNIT_EXPECT_MEMEQ(test, a, b, size)	\
	KUNIT_CHECK(test, false, !memcmp(a, b, size), #a " == " #b, "")

#endif

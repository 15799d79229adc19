// SPDX-License-Identifier: GPL-2.0
/*
 * Runs the suites as the module is loaded, and says how it went, one line each:
 *
 *	kmqtt-kunit: ok SUITE.CASE
 *	kmqtt-kunit: not ok SUITE.CASE
 *	kmqtt-kunit: N passed, N failed
 */
#undef pr_fmt
#define pr_fmt(fmt) "kmqtt-kunit: " fmt

#include <linux/kthread.h>

/* Kbuild lists the suites, with commas. */
extern const struct kunit_suite_entry KMQTT_SUITES;

static unsigned int kunit_passed, kunit_failed;

struct kunit_memory {
	struct list_head link;
	u8 data[] __aligned(8);
};

void *kunit_kmalloc(struct kunit *test, size_t size, gfp_t gfp)
{
	struct kunit_memory *m = kmalloc(struct_size(m, data, size), gfp);

	if (!m)
		return NULL;
	list_add(&m->link, &test->memory);
	return m->data;
}

static void kunit_memory_free(struct kunit_memory *m)
{
	list_del(&m->link);
	kfree(m);
}

void kunit_kfree(struct kunit *test, const void *data)
{
	if (data)
		kunit_memory_free(container_of(data, struct kunit_memory, data[0]));
}

void kunit_fail(struct kunit *test, bool abort, const char *file, int line, const char *fmt, ...)
{
	struct va_format vaf = { .fmt = fmt };
	va_list args;

	va_start(args, fmt);
	vaf.va = &args;
	pr_info("# %s:%d: %pV\n", file, line, &vaf);
	va_end(args);
	WRITE_ONCE(test->failed, true);
	if (abort)
		kthread_complete_and_exit(&test->done, 0);
}

static int kunit_thread(void *data)
{
	struct kunit *test = data;
	int err = test->suite->init ? test->suite->init(test) : 0;

	if (err)
		kunit_fail(test, true, test->suite->name, 0, "init: %d", err);
	test->run(test);
	kthread_complete_and_exit(&test->done, 0);
}

/* Clean-up after a case has a thread of its own, too: there are expectations in it. */
static int kunit_exit_thread(void *data)
{
	struct kunit *test = data;

	test->suite->exit(test);
	kthread_complete_and_exit(&test->done, 0);
}

static void kunit_in_thread(struct kunit *test, int (*fn)(void *data))
{
	struct task_struct *task;

	init_completion(&test->done);
	task = kthread_run(fn, test, "kmqtt-kunit");
	if (IS_ERR(task))
		test->failed = true;
	else
		wait_for_completion(&test->done);
}

static void kunit_run_case(struct kunit_suite *suite, const struct kunit_case *c,
			   const void *param, const char *desc)
{
	struct kunit test = {
		.suite = suite, .run = c->run_case, .param_value = param,
		.memory = LIST_HEAD_INIT(test.memory),
	};
	struct kunit_memory *m, *next;

	kunit_in_thread(&test, kunit_thread);
	if (suite->exit)
		kunit_in_thread(&test, kunit_exit_thread);
	list_for_each_entry_safe(m, next, &test.memory, link)
		kunit_memory_free(m);
	pr_info("%s %s.%s %s\n", test.failed ? "not ok" : "ok", suite->name, c->name, desc);
	if (test.failed)
		kunit_failed++;
	else
		kunit_passed++;
}

static void kunit_run_suite(struct kunit_suite *suite)
{
	char desc[KUNIT_PARAM_DESC_SIZE] = "";
	const struct kunit_case *c;
	const void *param;

	if (suite->suite_init && suite->suite_init(suite)) {
		pr_info("not ok %s\n", suite->name);
		kunit_failed++;
		return;
	}
	for (c = suite->test_cases; c->run_case; c++) {
		param = c->generate_params ? c->generate_params(NULL, desc) : NULL;
		do {
			kunit_run_case(suite, c, param, desc);
			if (param)
				param = c->generate_params(param, desc);
		} while (param);
		desc[0] = 0;
	}
	if (suite->suite_exit)
		suite->suite_exit(suite);
}

static int __init kunit_module_init(void)
{
	const struct kunit_suite_entry suites[] = { KMQTT_SUITES };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(suites); i++)
		kunit_run_suite(suites[i].suite);
	pr_info("%u passed, %u failed\n", kunit_passed, kunit_failed);
	return 0;
}

static void __exit kunit_module_exit(void)
{
}

module_init(kunit_module_init);
module_exit(kunit_module_exit);

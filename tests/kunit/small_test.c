// SPDX-License-Identifier: GPL-2.0
/* Copies, counters, events, trackers. */
#include <linux/kthread.h>
#include <linux/wait.h>

#include "core/copy.h"
#include "core/event.h"
#include "core/stats.h"
#include "core/tracker.h"
#include "tests/kunit/fixture.h"

/* Of each length, from and to each place in a word; what is beside it stays. */
static void copies_are_whole(struct kunit *test)
{
	static u8 from[KMQTT_COPY_SHORT + 32], to[sizeof(from)], wanted[sizeof(from)];
	unsigned int len, at, wrong = 0;

	for (at = 0; at < sizeof(from); at++)
		from[at] = at * 7 + 1;
	for (len = 0; len <= KMQTT_COPY_SHORT + 8; len++) {
		for (at = 0; at < 64; at++) {
			memset(to, 0xff, sizeof(to));
			memset(wanted, 0xff, sizeof(wanted));
			memcpy(wanted + at / 8, from + at % 8, len);
			kmqtt_copy(to + at / 8, from + at % 8, len);
			wrong += !!memcmp(to, wanted, sizeof(to));
		}
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
}

static void stats_sum_up(struct kunit *test)
{
	struct kmqtt_stats __percpu *stats = kmqtt_stats_alloc();
	u64 sum[KMQTT_STAT_COUNT];
	unsigned int cpu, cpus = 0;
	u64 large = U32_MAX;

	/* as a constant it would not fit the one instruction of local_add() */
	OPTIMIZER_HIDE_VAR(large);
	KUNIT_ASSERT_TRUE(test, stats);
	kmqtt_stats_add(stats, KMQTT_STAT_BYTES_SENT, large);
	kmqtt_stats_add(stats, KMQTT_STAT_BYTES_SENT, 2);
	for_each_possible_cpu(cpu) {
		u64_stats_add(&per_cpu_ptr(stats, cpu)->v[KMQTT_STAT_CONNECTS], 3);
		cpus++;
	}
	kmqtt_stats_sum(stats, sum);
	KUNIT_EXPECT_EQ(test, sum[KMQTT_STAT_BYTES_SENT], (u64)U32_MAX + 2);
	KUNIT_EXPECT_EQ(test, sum[KMQTT_STAT_CONNECTS], 3 * cpus);
	KUNIT_EXPECT_EQ(test, sum[KMQTT_STAT_MALFORMED], 0);
	free_percpu(stats);
}

static void stats_have_names(struct kunit *test)
{
	unsigned int i, j;

	KUNIT_EXPECT_STREQ(test, kmqtt_stats_name(KMQTT_STAT_MESSAGES_PUBLISHED),
			   "messages_published");
	KUNIT_EXPECT_STREQ(test, kmqtt_stats_name(KMQTT_STAT_ECHOES_SUPPRESSED),
			   "echoes_suppressed");
	for (i = 0; i < KMQTT_STAT_COUNT; i++) {
		KUNIT_ASSERT_NOT_NULL(test, kmqtt_stats_name(i));
		for (j = 0; j < i; j++)
			KUNIT_EXPECT_STRNEQ(test, kmqtt_stats_name(i), kmqtt_stats_name(j));
	}
}

static unsigned int events;
static u8 event_type;

static void sink(struct kmqtt_broker *broker, const struct kmqtt_event *event)
{
	events++;
	event_type = event->type;
}

static void events_go_to_the_sink(struct kunit *test)
{
	const struct kmqtt_event event = { .type = KMQTT_EVENT_DROP };

	events = 0;
	kmqtt_event_emit(NULL, &event);
	KUNIT_EXPECT_EQ(test, events, 0);
	kmqtt_event_set_sink(sink);
	kmqtt_event_emit(NULL, &event);
	kmqtt_event_set_sink(NULL);
	kmqtt_event_emit(NULL, &event);
	KUNIT_EXPECT_EQ(test, events, 1);
	KUNIT_EXPECT_EQ(test, event_type, KMQTT_EVENT_DROP);
}

static void tracker_keeps_the_worst(struct kunit *test)
{
	struct kmqtt_tracker *t = kmqtt_tracker_new(GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	KUNIT_EXPECT_TRUE(test, kmqtt_tracker_idle(t));
	kmqtt_tracker_add(t);
	kmqtt_tracker_add(t);
	kmqtt_tracker_add(t);
	kmqtt_tracker_done(t, 0x10);
	kmqtt_tracker_done(t, 0x97);
	KUNIT_EXPECT_FALSE(test, kmqtt_tracker_idle(t));
	kmqtt_tracker_done(t, 0);
	KUNIT_EXPECT_TRUE(test, kmqtt_tracker_idle(t));
	KUNIT_EXPECT_EQ(test, atomic_read(&t->taken), 3);
	KUNIT_EXPECT_EQ(test, atomic_read(&t->reason), 0x97);
	kmqtt_tracker_get(t);
	kmqtt_tracker_put(t);
	kmqtt_tracker_put(t);
	kmqtt_tracker_put(NULL);
}

static int tracker_finish(void *data)
{
	struct kmqtt_tracker *t = data;

	kmqtt_tracker_done(t, 0);
	kmqtt_tracker_put(t);
	return 0;
}

static void tracker_wakes_its_waiter(struct kunit *test)
{
	struct kmqtt_tracker *t = kmqtt_tracker_new(GFP_KERNEL);
	struct task_struct *task;

	KUNIT_ASSERT_NOT_NULL(test, t);
	kmqtt_tracker_add(t);
	task = kthread_run(tracker_finish, kmqtt_tracker_get(t), "kmqtt_tracker");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	KUNIT_EXPECT_GT(test, wait_event_timeout(t->wait, kmqtt_tracker_idle(t), 60 * HZ), 0);
	kmqtt_tracker_put(t);
}

static struct kunit_case small_cases[] = {
	KUNIT_CASE(copies_are_whole),
	KUNIT_CASE(stats_sum_up),
	KUNIT_CASE(stats_have_names),
	KUNIT_CASE(events_go_to_the_sink),
	KUNIT_CASE(tracker_keeps_the_worst),
	KUNIT_CASE(tracker_wakes_its_waiter),
	{ }
};

static struct kunit_suite small_suite = {
	.name = "kmqtt_small",
	.test_cases = small_cases,
};

kunit_test_suites(&small_suite);

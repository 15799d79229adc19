// SPDX-License-Identifier: GPL-2.0
/* Shared subscriptions, watches, and matching while others subscribe. */
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/slab.h>

#include "core/tree.h"
#include "tests/kunit/fixture.h"

#define GROUP_SESSIONS	5
#define GROUP_LOG	32
#define RACE_ROUNDS	3000

struct group_test {
	struct kmqtt_tree tree;
	struct kmqtt_session session[GROUP_SESSIONS];
	struct kmqtt_port port;
	unsigned int got[GROUP_SESSIONS];
	unsigned int calls;
	struct kmqtt_sub_watch watch;
	char log[GROUP_LOG][16];
	unsigned int logged;
	struct kunit *test;
};

static void attach(struct group_test *t, unsigned int session, bool ready)
{
	rcu_assign_pointer(t->session[session].port, ready ? &t->port : NULL);
	WRITE_ONCE(t->session[session].online, ready);
}

static int group_test_init(struct kunit *test)
{
	struct group_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, t);
	KUNIT_ASSERT_EQ(test, kmqtt_tree_init(&t->tree), 0);
	for (i = 0; i < GROUP_SESSIONS; i++) {
		INIT_LIST_HEAD(&t->session[i].subs);
		t->session[i].kind = KMQTT_KIND_LOCAL;
		attach(t, i, true);
	}
	t->test = test;
	test->priv = t;
	return 0;
}

static void group_test_exit(struct kunit *test)
{
	struct group_test *t = test->priv;
	unsigned int i;

	for (i = 0; i < GROUP_SESSIONS; i++)
		kmqtt_tree_del_session(&t->tree, &t->session[i]);
	KUNIT_EXPECT_EQ(test, t->tree.shared_count, 0);
	KUNIT_EXPECT_EQ(test, t->tree.trie.nodes, 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&t->tree.groups.nelems), 0);
	kmqtt_tree_destroy(&t->tree);
	rcu_barrier();
}

static void add(struct group_test *t, unsigned int session, const char *filter)
{
	const struct kmqtt_sub_opts opts = { };
	bool existed;

	KUNIT_ASSERT_EQ(t->test, kmqtt_tree_add(&t->tree, &t->session[session],
						TEXT(filter), &opts, &existed), 0);
}

static void del(struct group_test *t, unsigned int session, const char *filter)
{
	KUNIT_ASSERT_EQ(t->test, kmqtt_tree_del(&t->tree, &t->session[session],
						TEXT(filter), NULL), 0);
}

static void note_session(void *ctx, const struct kmqtt_sub *sub)
{
	struct group_test *t = ctx;

	t->got[sub->session - t->session]++;
	t->calls++;
}

/* Whoever is there suits best; those who are away will do. */
static u8 rank(void *ctx, const struct kmqtt_sub *sub)
{
	const struct kmqtt_session *s = sub->session;

	return rcu_access_pointer(s->port) && READ_ONCE(s->online) ? KMQTT_RANK_BEST : 1;
}

static void note_group(void *ctx, struct kmqtt_sub_group *group)
{
	note_session(ctx, kmqtt_group_pick(group, rank, NULL));
}

/* Publishes @n times; t->got says who had how many. */
static void match(struct group_test *t, const char *topic, unsigned int n)
{
	memset(t->got, 0, sizeof(t->got));
	t->calls = 0;
	while (n--) {
		rcu_read_lock();
		kmqtt_tree_match(&t->tree, TEXT(topic), note_session, note_group, t);
		rcu_read_unlock();
	}
}

static void group_takes_turns(struct kunit *test)
{
	struct group_test *t = test->priv;
	unsigned int i;

	for (i = 0; i < GROUP_SESSIONS; i++)
		add(t, i, "$share/g/a/+");
	match(t, "a/b", 10 * GROUP_SESSIONS);
	KUNIT_EXPECT_EQ(test, t->calls, 10 * GROUP_SESSIONS);
	for (i = 0; i < GROUP_SESSIONS; i++)
		KUNIT_EXPECT_EQ(test, t->got[i], 10);
}

static void group_prefers_who_is_there(struct kunit *test)
{
	struct group_test *t = test->priv;

	add(t, 0, "$share/g/a");
	add(t, 1, "$share/g/a");
	add(t, 2, "$share/g/a");
	attach(t, 0, false);
	WRITE_ONCE(t->session[1].online, false);
	match(t, "a", 12);
	KUNIT_EXPECT_EQ(test, t->got[2], 12);

	attach(t, 2, false);
	match(t, "a", 12);
	KUNIT_EXPECT_EQ(test, t->calls, 12);
	KUNIT_EXPECT_EQ(test, t->got[0], 4);
	KUNIT_EXPECT_EQ(test, t->got[1], 4);
}

/* A message may go to a group, to another group, and to a plain subscriber. */
static void groups_are_apart(struct kunit *test)
{
	struct group_test *t = test->priv;

	add(t, 0, "$share/g/a");
	add(t, 1, "$share/h/a");
	add(t, 2, "$share/g/+");
	add(t, 3, "a");
	add(t, 3, "$share/g/a");
	KUNIT_EXPECT_EQ(test, t->tree.shared_count, 4);
	match(t, "a", 4);
	KUNIT_EXPECT_EQ(test, t->calls, 16);
	KUNIT_EXPECT_EQ(test, t->got[0], 2);
	KUNIT_EXPECT_EQ(test, t->got[1], 4);
	KUNIT_EXPECT_EQ(test, t->got[2], 4);
	KUNIT_EXPECT_EQ(test, t->got[3], 4 + 2);
}

static void group_survives_leaving(struct kunit *test)
{
	struct group_test *t = test->priv;
	unsigned int i;

	for (i = 0; i < GROUP_SESSIONS; i++)
		add(t, i, "$share/g/a");
	del(t, 1, "$share/g/a");
	del(t, 4, "$share/g/a");
	match(t, "a", 30);
	KUNIT_EXPECT_EQ(test, t->got[0], 10);
	KUNIT_EXPECT_EQ(test, t->got[1], 0);
	KUNIT_EXPECT_EQ(test, t->got[2], 10);
	KUNIT_EXPECT_EQ(test, t->got[3], 10);
	add(t, 4, "$share/g/a");
	match(t, "a", 40);
	KUNIT_EXPECT_EQ(test, t->got[4], 10);
	for (i = 0; i < GROUP_SESSIONS; i++)
		if (i != 1)
			del(t, i, "$share/g/a");
	match(t, "a", 1);
	KUNIT_EXPECT_EQ(test, t->calls, 0);
}

/* Looking at who would get it does not take a turn. */
static void plain_match_leaves_groups_alone(struct kunit *test)
{
	struct group_test *t = test->priv;
	unsigned int i;

	add(t, 0, "$share/g/a");
	add(t, 1, "$share/g/a");
	add(t, 2, "a");
	memset(t->got, 0, sizeof(t->got));
	for (i = 0; i < 4; i++) {
		rcu_read_lock();
		kmqtt_tree_match(&t->tree, TEXT("a"), note_session, NULL, t);
		kmqtt_tree_match(&t->tree, TEXT("a"), note_session, note_group, t);
		rcu_read_unlock();
	}
	KUNIT_EXPECT_EQ(test, t->got[0], 2);
	KUNIT_EXPECT_EQ(test, t->got[1], 2);
	KUNIT_EXPECT_EQ(test, t->got[2], 8);
}

static u8 nobody(void *ctx, const struct kmqtt_sub *sub)
{
	return 0;
}

/* Whoever remembers a group does not keep it alive for others. */
static void group_outlives_its_members(struct kunit *test)
{
	struct group_test *t = test->priv;
	struct kmqtt_sub_group *group, *again;

	add(t, 0, "$share/g/a");
	add(t, 1, "$share/g/a");
	KUNIT_ASSERT_EQ(test, kmqtt_tree_del(&t->tree, &t->session[0], TEXT("$share/g/a"),
					     &group), 0);
	KUNIT_ASSERT_NOT_NULL(test, group);
	KUNIT_EXPECT_FALSE(test, kmqtt_group_empty(group));
	rcu_read_lock();
	KUNIT_EXPECT_PTR_EQ(test, kmqtt_group_pick(group, rank, NULL)->session,
			    &t->session[1]);
	KUNIT_EXPECT_NULL(test, kmqtt_group_pick(group, nobody, NULL));
	rcu_read_unlock();
	del(t, 1, "$share/g/a");
	KUNIT_EXPECT_TRUE(test, kmqtt_group_empty(group));
	add(t, 2, "$share/g/a");
	rcu_read_lock();
	KUNIT_EXPECT_NULL(test, kmqtt_group_pick(group, rank, NULL));
	rcu_read_unlock();
	KUNIT_ASSERT_EQ(test, kmqtt_tree_del(&t->tree, &t->session[2], TEXT("$share/g/a"),
					     &again), 0);
	KUNIT_EXPECT_PTR_NE(test, again, group);
	kmqtt_group_put(group);
	kmqtt_group_put(again);
	add(t, 0, "a");
	KUNIT_ASSERT_EQ(test, kmqtt_tree_del(&t->tree, &t->session[0], TEXT("a"), &group), 0);
	KUNIT_EXPECT_NULL(test, group);
}

static void watch_changed(struct kmqtt_sub_watch *watch, const u8 *filter,
			  u32 len, bool added)
{
	struct group_test *t = container_of(watch, struct group_test, watch);

	if (t->logged < GROUP_LOG)
		snprintf(t->log[t->logged], sizeof(t->log[0]), "%c%.*s",
			 added ? '+' : '-', (int)len, filter);
	t->logged++;
}

/* What the watch was told since the last time, in order. */
static void expect_log(struct group_test *t, const char * const *want,
		       unsigned int n)
{
	unsigned int i;

	KUNIT_EXPECT_EQ(t->test, t->logged, n);
	for (i = 0; i < n && i < t->logged; i++)
		KUNIT_EXPECT_STREQ(t->test, t->log[i], want[i]);
	t->logged = 0;
}

#define EXPECT_LOG(t, ...) do {						\
	static const char * const want[] = { __VA_ARGS__ };		\
	expect_log(t, want, ARRAY_SIZE(want));				\
} while (0)

static void watch_follows_demand(struct kunit *test)
{
	struct group_test *t = test->priv;

	/* Arrange: session 4 is an uplink, whose subscriptions are no demand */
	t->session[4].kind = KMQTT_KIND_UPLINK;
	t->watch.changed = watch_changed;
	add(t, 0, "b/+");
	add(t, 1, "b/+");
	add(t, 0, "a/#");
	add(t, 4, "c");

	/* Act and assert: what is there, then each first and each last */
	kmqtt_tree_watch(&t->tree, &t->watch);
	EXPECT_LOG(t, "+a/#", "+b/+");
	add(t, 2, "b/+");
	add(t, 2, "d");
	add(t, 2, "d");
	EXPECT_LOG(t, "+d");
	add(t, 3, "$share/g/d");
	add(t, 3, "$share/g/e//f");
	EXPECT_LOG(t, "+e//f");
	add(t, 4, "e//f");
	del(t, 2, "d");
	expect_log(t, NULL, 0);
	del(t, 3, "$share/g/d");
	EXPECT_LOG(t, "-d");
	del(t, 0, "b/+");
	del(t, 1, "b/+");
	expect_log(t, NULL, 0);
	kmqtt_tree_del_session(&t->tree, &t->session[2]);
	EXPECT_LOG(t, "-b/+");
	kmqtt_tree_del_session(&t->tree, &t->session[3]);
	EXPECT_LOG(t, "-e//f");
	kmqtt_tree_unwatch(&t->tree, &t->watch);
	del(t, 0, "a/#");
	expect_log(t, NULL, 0);
}

/*
 * Changes all that session 1 to 3 have, all the time; what session 0 has, and
 * session 4's place in the group, stays.
 */
static int race_writer(void *data)
{
	static const char * const filters[] = {
		"a/b/c", "a/+/c", "#", "a/b/#", "+/+/+", "$share/g/a/b/c",
		"a/b/c/d", "a/+", "$share/h/a/b/c",
	};
	const struct kmqtt_sub_opts opts = { .qos = 1 };
	struct group_test *t = data;
	unsigned int i = 0;
	const char *filter;
	bool existed;

	while (!kthread_should_stop()) {
		filter = filters[i % ARRAY_SIZE(filters)];
		kmqtt_tree_add(&t->tree, &t->session[1 + i % 3], TEXT(filter),
			       &opts, &existed);
		filter = filters[(i * 7 + 3) % ARRAY_SIZE(filters)];
		kmqtt_tree_del(&t->tree, &t->session[1 + i % 3], TEXT(filter), NULL);
		/* in place, under the matcher's eyes */
		kmqtt_tree_add(&t->tree, &t->session[0], TEXT("a/b/c"), &opts, &existed);
		if (i++ % 16 == 0)
			kmqtt_tree_del_session(&t->tree, &t->session[1 + i % 3]);
		usleep_range(50, 100);
	}
	return 0;
}

struct race_seen {
	struct group_test *t;
	unsigned int stable;
	unsigned int group;
};

static void race_note(void *ctx, const struct kmqtt_sub *sub)
{
	struct race_seen *seen = ctx;

	if (sub->group && sub->group->name[0] == 'g')
		seen->group++;
	else if (sub->session == &seen->t->session[0])
		seen->stable++;
}

static void race_group(void *ctx, struct kmqtt_sub_group *group)
{
	const struct kmqtt_sub *sub = kmqtt_group_pick(group, rank, NULL);

	if (sub)
		race_note(ctx, sub);
}

static void match_races_with_subscribe(struct kunit *test)
{
	struct group_test *t = test->priv;
	struct task_struct *writer;
	unsigned int i, wrong = 0;
	struct race_seen seen;

	add(t, 0, "a/b/c");
	add(t, 0, "+/b/#");
	add(t, 4, "$share/g/a/b/c");
	writer = kthread_run(race_writer, t, "kmqtt_race");
	KUNIT_ASSERT_FALSE(test, IS_ERR(writer));
	for (i = 0; i < RACE_ROUNDS; i++) {
		seen = (struct race_seen) { .t = t };
		rcu_read_lock();
		kmqtt_tree_match(&t->tree, TEXT("a/b/c"), race_note, race_group, &seen);
		rcu_read_unlock();
		wrong += seen.stable != 2 || seen.group != 1;
		if (i % 8 == 0)
			usleep_range(50, 100);
	}
	kthread_stop(writer);
	KUNIT_EXPECT_EQ(test, wrong, 0);
}

static struct kunit_case group_cases[] = {
	KUNIT_CASE(group_takes_turns),
	KUNIT_CASE(group_prefers_who_is_there),
	KUNIT_CASE(groups_are_apart),
	KUNIT_CASE(group_survives_leaving),
	KUNIT_CASE(plain_match_leaves_groups_alone),
	KUNIT_CASE(group_outlives_its_members),
	KUNIT_CASE(watch_follows_demand),
	KUNIT_CASE(match_races_with_subscribe),
	{ }
};

static struct kunit_suite group_suite = {
	.name = "kmqtt_group",
	.init = group_test_init,
	.exit = group_test_exit,
	.test_cases = group_cases,
};

kunit_test_suites(&group_suite);

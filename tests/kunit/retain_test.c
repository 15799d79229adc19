// SPDX-License-Identifier: GPL-2.0
/* The retained store against a slow, obvious twin. */
#include <linux/slab.h>

#include "core/message.h"
#include "core/retain.h"
#include "proto/topic.h"
#include "tests/kunit/fixture.h"

#define TWIN_TOPICS	150
#define TWIN_TEXT	32
#define WALK_MAX	256

/* What a walk came by, in order. */
struct walk_log {
	char topic[WALK_MAX][TWIN_TEXT];
	unsigned int count;
	unsigned int stop_after;
};

static struct kmqtt_retain *store_of(struct kunit *test)
{
	return &kmqtt_kunit_broker(test)->retain;
}

static int keep(struct kunit *test, struct kmqtt_msg *msg, unsigned long max_count)
{
	struct kmqtt_retain *store = store_of(test);
	int ret;

	mutex_lock(&store->lock);
	ret = kmqtt_retain_set(store, msg, NULL, max_count);
	mutex_unlock(&store->lock);
	return ret;
}

static int set(struct kunit *test, const char *topic, const char *payload,
	       unsigned long max_count)
{
	struct kmqtt_msg *msg = kmqtt_kunit_msg(test, topic, payload, 1, true);
	int ret = keep(test, msg, max_count);

	kmqtt_msg_put(msg);
	return ret;
}

/* One that has expired already, or that expires some time. */
static void set_expiring(struct kunit *test, const char *topic, s64 in)
{
	struct kmqtt_msg *msg = kmqtt_kunit_msg(test, topic, "x", 1, true);

	kmqtt_kunit_expire_in(msg, in);
	KUNIT_ASSERT_EQ(test, keep(test, msg, 0), 0);
	kmqtt_msg_put(msg);
}

static int note_topic(void *ctx, struct kmqtt_msg *msg, const struct kmqtt_identity *source)
{
	struct walk_log *log = ctx;

	if (log->count < WALK_MAX)
		strscpy(log->topic[log->count], kmqtt_msg_topic(msg), TWIN_TEXT);
	log->count++;
	return log->count == log->stop_after ? -EINTR : 0;
}

static int walk(struct kunit *test, struct walk_log *log, const char *filter,
		const char *after)
{
	log->count = 0;
	return kmqtt_retain_walk(store_of(test), TEXT(filter), (const u8 *)after,
				 after ? strlen(after) : 0, note_topic, log);
}

static struct walk_log *log_new(struct kunit *test)
{
	struct walk_log *log = kunit_kzalloc(test, sizeof(*log), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, log);
	return log;
}

static void retain_keeps_the_last(struct kunit *test)
{
	struct kmqtt_retain *store = store_of(test);
	struct walk_log *log = log_new(test);

	KUNIT_EXPECT_EQ(test, set(test, "a/b", "one", 0), 0);
	KUNIT_EXPECT_EQ(test, set(test, "a/b", "three", 0), 0);
	KUNIT_EXPECT_EQ(test, set(test, "a", "x", 0), 0);
	KUNIT_EXPECT_EQ(test, store->count, 2);
	KUNIT_EXPECT_EQ(test, store->bytes + store->trie.bytes,
			percpu_counter_sum(&kmqtt_kunit_broker(test)->memory));

	KUNIT_EXPECT_EQ(test, set(test, "a/b", "", 0), 0);
	KUNIT_EXPECT_EQ(test, set(test, "none", "", 0), 0);
	KUNIT_EXPECT_EQ(test, walk(test, log, "#", NULL), 0);
	KUNIT_EXPECT_EQ(test, log->count, 1);
	KUNIT_EXPECT_STREQ(test, log->topic[0], "a");
	KUNIT_EXPECT_EQ(test, set(test, "a", "", 0), 0);
	KUNIT_EXPECT_EQ(test, store->count, 0);
	KUNIT_EXPECT_EQ(test, store->bytes, 0);
	KUNIT_EXPECT_EQ(test, store->trie.nodes, 0);
}

static void retain_has_a_limit(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, set(test, "a", "x", 2), 0);
	KUNIT_EXPECT_EQ(test, set(test, "b", "x", 2), 0);
	KUNIT_EXPECT_EQ(test, set(test, "c", "x", 2), -ENOSPC);
	KUNIT_EXPECT_EQ(test, set(test, "b", "y", 2), 0);
	KUNIT_EXPECT_EQ(test, store_of(test)->trie.nodes, 2);
	KUNIT_EXPECT_EQ(test, set(test, "a", "", 2), 0);
	KUNIT_EXPECT_EQ(test, set(test, "c", "x", 2), 0);
}

/* A short message with a deep topic takes a hundred times its size. */
static void retained_topics_count_as_memory(struct kunit *test)
{
	struct kmqtt_broker *b = kmqtt_kunit_broker(test);
	struct kmqtt_retain *store = &b->retain;
	char topic[KMQTT_TOPIC_LEVELS_MAX];
	unsigned int i;
	int ret = 0;

	memset(topic, '/', sizeof(topic));
	topic[sizeof(topic) - 1] = 0;
	b->limits.memory_limit = 100000;
	for (i = 0; i < 26 && !ret; i++) {
		topic[0] = 'a' + i;
		ret = set(test, topic, "x", 0);
		KUNIT_EXPECT_GE(test, percpu_counter_sum(&b->memory),
				(s64)(store->bytes + store->trie.nodes *
				      sizeof(struct kmqtt_node)));
	}
	KUNIT_EXPECT_EQ(test, ret, -ENOSPC);
	KUNIT_EXPECT_GE(test, store->count, 1);
	KUNIT_EXPECT_EQ(test, store->trie.nodes, store->count * (sizeof(topic) - 1));

	/* what has a place may change, and what goes gives it back */
	topic[0] = 'a';
	KUNIT_EXPECT_EQ(test, set(test, topic, "y", 0), 0);
	KUNIT_EXPECT_EQ(test, set(test, topic, "", 0), 0);
	topic[0] = 'z';
	KUNIT_EXPECT_EQ(test, set(test, topic, "x", 0), 0);
}

static void retain_walk_drops_expired(struct kunit *test)
{
	struct kmqtt_retain *store = store_of(test);
	struct walk_log *log = log_new(test);

	/* Arrange: expired ones before, between, above and behind */
	set_expiring(test, "a", 0);
	set_expiring(test, "a/b", 1000);
	set_expiring(test, "a/b/c", 1001);
	set(test, "a/c", "x", 0);
	set_expiring(test, "z/y/x", 1002);
	kmqtt_retain_walk(store, TEXT("a/b/c"), NULL, 0, note_topic, log);
	KUNIT_ASSERT_EQ(test, log->count, 1);

	/* Act: their time has come */
	mutex_lock(&store->lock);
	kmqtt_trie_find(&store->trie, (struct kmqtt_view) { TEXT("a/b/c") })->msg->expires = 1;
	kmqtt_trie_find(&store->trie, (struct kmqtt_view) { TEXT("z/y/x") })->msg->expires = 1;
	mutex_unlock(&store->lock);
	walk(test, log, "#", NULL);

	/* Assert */
	KUNIT_EXPECT_EQ(test, log->count, 2);
	KUNIT_EXPECT_STREQ(test, log->topic[0], "a/b");
	KUNIT_EXPECT_STREQ(test, log->topic[1], "a/c");
	KUNIT_EXPECT_EQ(test, store->count, 2);
	KUNIT_EXPECT_EQ(test, store->trie.nodes, 3);
}

/* Expired ones go as new ones come, though nobody ever walks. */
static void retain_reaps_expired(struct kunit *test)
{
	char topic[16];
	unsigned int i;

	for (i = 0; i < 100; i++) {
		snprintf(topic, sizeof(topic), "t/%u", i);
		set_expiring(test, topic, 0);
	}
	KUNIT_EXPECT_LE(test, store_of(test)->count, 2);
	KUNIT_EXPECT_LE(test, store_of(test)->trie.nodes, 3);
}

static void retain_clears_by_filter(struct kunit *test)
{
	struct kmqtt_retain *store = store_of(test);

	set(test, "a", "x", 0);
	set(test, "a/b", "x", 0);
	set(test, "a/b/c", "x", 0);
	set(test, "$SYS/a", "x", 0);
	KUNIT_EXPECT_EQ(test, kmqtt_retain_clear(store, TEXT("+/b")), 1);
	KUNIT_EXPECT_EQ(test, kmqtt_retain_clear(store, TEXT("#")), 2);
	KUNIT_EXPECT_EQ(test, store->count, 1);
	KUNIT_EXPECT_EQ(test, kmqtt_retain_clear(store, TEXT("$SYS/#")), 1);
	KUNIT_EXPECT_EQ(test, store->trie.nodes, 0);
}

static void retain_walk_stops(struct kunit *test)
{
	struct walk_log *log = log_new(test);

	set(test, "a", "x", 0);
	set(test, "b", "x", 0);
	log->stop_after = 1;
	KUNIT_EXPECT_EQ(test, walk(test, log, "#", NULL), -EINTR);
	KUNIT_EXPECT_EQ(test, log->count, 1);
}

/* Order of two topic names: level by level, as the levels' bytes are. */
static int twin_cmp(const char *a, const char *b)
{
	for (; *a && *a == *b; a++, b++)
		;
	/* the end comes first, then the end of a level, then all else */
	return (*a == '/' ? 1 : *a ? *a + 1 : 0) - (*b == '/' ? 1 : *b ? *b + 1 : 0);
}

static bool twin_matches(const char *filter, const char *topic)
{
	return kmqtt_topic_matches((struct kmqtt_view) { TEXT(filter) },
				   (struct kmqtt_view) { TEXT(topic) });
}

struct twin {
	char topic[TWIN_TOPICS][TWIN_TEXT];
	unsigned int count;
	struct rnd_state rnd;
};

static void random_path(struct twin *twin, char *to, bool filter)
{
	static const char * const levels[] = { "a", "b", "", "$x", "a-", "+", "+", "#" };
	unsigned int n = 1 + prandom_u32_state(&twin->rnd) % 4, i;
	const char *level;

	for (*to = 0, i = 0; i < n; i++) {
		level = levels[prandom_u32_state(&twin->rnd) % (filter ? 8 : 5)];
		if (i)
			strcat(to, "/");
		strcat(to, level);
		if (*level == '#')
			return;
	}
	if (!*to)
		strcat(to, "/");
}

static void twin_fill(struct kunit *test, struct twin *twin)
{
	char topic[TWIN_TEXT];
	unsigned int tries, i;

	for (tries = 0; tries < 3 * TWIN_TOPICS && twin->count < TWIN_TOPICS; tries++) {
		random_path(twin, topic, false);
		for (i = 0; i < twin->count && strcmp(twin->topic[i], topic); i++)
			;
		if (i == twin->count)
			strscpy(twin->topic[twin->count++], topic, TWIN_TEXT);
		KUNIT_ASSERT_EQ(test, set(test, topic, "x", 0), 0);
	}
}

/* All that match and stand behind @after, each once, in order. */
static void twin_compare(struct kunit *test, struct twin *twin,
			 struct walk_log *log, const char *filter,
			 const char *after)
{
	unsigned int i, want = 0;

	walk(test, log, filter, after);
	for (i = 0; i < twin->count; i++)
		want += twin_matches(filter, twin->topic[i]) &&
			(!after || twin_cmp(twin->topic[i], after) > 0);
	KUNIT_EXPECT_EQ_MSG(test, log->count, want, "%s after %s", filter,
			    after ?: "nothing");
	for (i = 0; i < log->count; i++) {
		KUNIT_EXPECT_TRUE(test, twin_matches(filter, log->topic[i]));
		if (i)
			KUNIT_EXPECT_GT(test, twin_cmp(log->topic[i], log->topic[i - 1]), 0);
	}
	if (after && log->count)
		KUNIT_EXPECT_GT(test, twin_cmp(log->topic[0], after), 0);
}

static void retain_agrees_with_twin(struct kunit *test)
{
	struct twin *twin = kunit_kzalloc(test, sizeof(*twin), GFP_KERNEL);
	struct walk_log *log = log_new(test);
	char filter[TWIN_TEXT], after[TWIN_TEXT];
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, twin);
	prandom_seed_state(&twin->rnd, 1884);
	twin_fill(test, twin);
	KUNIT_EXPECT_EQ(test, store_of(test)->count, twin->count);
	KUNIT_EXPECT_GT(test, twin->count, 100);
	for (i = 0; i < 600; i++) {
		random_path(twin, filter, true);
		/* a topic that may or may not be there */
		random_path(twin, after, false);
		twin_compare(test, twin, log, filter, i % 3 ? after : NULL);
		cond_resched();
	}
	kmqtt_retain_clear(store_of(test), TEXT("$x/#"));
	kmqtt_retain_clear(store_of(test), TEXT("#"));
	KUNIT_EXPECT_EQ(test, store_of(test)->trie.nodes, 0);
}

/* A dump in parts of one, with the last one deleted each time. */
static void retain_dump_goes_on(struct kunit *test)
{
	struct walk_log *log = log_new(test);
	char topic[TWIN_TEXT], after[TWIN_TEXT] = "";
	unsigned int i, seen = 0;

	for (i = 0; i < 50; i++) {
		snprintf(topic, sizeof(topic), "%c/%u", 'a' + i % 3, i);
		set(test, topic, "x", 0);
	}
	log->stop_after = 1;
	while (walk(test, log, "#", seen ? after : NULL) == -EINTR) {
		strscpy(after, log->topic[0], sizeof(after));
		set(test, after, "", 0);
		seen++;
	}
	KUNIT_EXPECT_EQ(test, seen, 50);
	KUNIT_EXPECT_EQ(test, store_of(test)->trie.nodes, 0);
}

static struct kunit_case retain_cases[] = {
	KUNIT_CASE(retain_keeps_the_last),
	KUNIT_CASE(retain_has_a_limit),
	KUNIT_CASE(retained_topics_count_as_memory),
	KUNIT_CASE(retain_walk_drops_expired),
	KUNIT_CASE(retain_reaps_expired),
	KUNIT_CASE(retain_clears_by_filter),
	KUNIT_CASE(retain_walk_stops),
	KUNIT_CASE(retain_agrees_with_twin),
	KUNIT_CASE(retain_dump_goes_on),
	{ }
};

static void retain_test_exit(struct kunit *test)
{
	kmqtt_retain_clear(store_of(test), TEXT("$x/#"));
	kmqtt_kunit_exit(test);
}

static struct kunit_suite retain_suite = {
	.name = "kmqtt_retain",
	.suite_init = kmqtt_kunit_suite_init,
	.suite_exit = kmqtt_kunit_suite_exit,
	.init = kmqtt_kunit_init,
	.exit = retain_test_exit,
	.test_cases = retain_cases,
};

kunit_test_suites(&retain_suite);

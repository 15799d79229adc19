// SPDX-License-Identifier: GPL-2.0
/* The subscription tree against the standard's examples and a slow, obvious twin. */
#include <linux/slab.h>

#include "core/tree.h"
#include "tests/kunit/fixture.h"

#define TWIN_SUBS	300
#define TWIN_SESSIONS	6
#define TWIN_ROUNDS	4000
#define TWIN_TEXT	48

/* One subscription as the twin knows it. */
struct twin_sub {
	struct kmqtt_session *session;
	char filter[TWIN_TEXT];
	u32 sub_id;
	unsigned int seen;
};

struct tree_test {
	struct kmqtt_tree tree;
	struct kmqtt_session session[TWIN_SESSIONS];
	struct twin_sub twin[TWIN_SUBS];
	unsigned int count;
	struct rnd_state rnd;
	struct kunit *test;
	unsigned int calls;
};

static int tree_test_init(struct kunit *test)
{
	struct tree_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, t);
	KUNIT_ASSERT_EQ(test, kmqtt_tree_init(&t->tree), 0);
	for (i = 0; i < TWIN_SESSIONS; i++) {
		INIT_LIST_HEAD(&t->session[i].subs);
		t->session[i].kind = KMQTT_KIND_LOCAL;
	}
	prandom_seed_state(&t->rnd, 1883);
	t->test = test;
	test->priv = t;
	return 0;
}

/* Whatever a test did, with the last subscription all else goes too. */
static void tree_test_exit(struct kunit *test)
{
	struct tree_test *t = test->priv;
	unsigned int i;

	for (i = 0; i < TWIN_SESSIONS; i++) {
		kmqtt_tree_del_session(&t->tree, &t->session[i]);
		KUNIT_EXPECT_EQ(test, t->session[i].sub_count, 0);
	}
	KUNIT_EXPECT_EQ(test, t->tree.count, 0);
	KUNIT_EXPECT_EQ(test, t->tree.shared_count, 0);
	KUNIT_EXPECT_EQ(test, t->tree.trie.nodes, 0);
	KUNIT_EXPECT_EQ(test, t->tree.trie.root->users, 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&t->tree.subs.nelems), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&t->tree.groups.nelems), 0);
	kmqtt_tree_destroy(&t->tree);
	rcu_barrier();
}

static void add(struct tree_test *t, unsigned int session, const char *filter,
		u32 sub_id)
{
	const struct kmqtt_sub_opts opts = { .sub_id = sub_id };
	bool existed;

	KUNIT_ASSERT_EQ(t->test, kmqtt_tree_add(&t->tree, &t->session[session],
						TEXT(filter), &opts, &existed), 0);
}

static void count_call(void *ctx, const struct kmqtt_sub *sub)
{
	struct tree_test *t = ctx;

	t->calls++;
}

static u8 any_member(void *ctx, const struct kmqtt_sub *sub)
{
	return KMQTT_RANK_BEST;
}

static void count_group(void *ctx, struct kmqtt_sub_group *group)
{
	count_call(ctx, kmqtt_group_pick(group, any_member, NULL));
}

static unsigned int match(struct tree_test *t, const char *topic)
{
	t->calls = 0;
	rcu_read_lock();
	kmqtt_tree_match(&t->tree, TEXT(topic), count_call, count_group, t);
	rcu_read_unlock();
	return t->calls;
}

/* MQTT 5.0, 4.7.1 to 4.7.3, with its own examples. */
static const struct match_case {
	const char *filter;
	const char *topic;
	bool matches;
} match_cases[] = {
	{ "sport/tennis/player1/#", "sport/tennis/player1", true },
	{ "sport/tennis/player1/#", "sport/tennis/player1/ranking", true },
	{ "sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true },
	{ "sport/tennis/player1/#", "sport/tennis/player2", false },
	{ "sport/#", "sport", true },
	{ "sport/#", "sports", false },
	{ "#", "a", true },
	{ "#", "/", true },
	{ "sport/tennis/+", "sport/tennis/player1", true },
	{ "sport/tennis/+", "sport/tennis/player1/ranking", false },
	{ "sport/+", "sport", false },
	{ "sport/+", "sport/", true },
	{ "+", "a", true },
	{ "+", "/a", false },
	{ "+/+", "/finance", true },
	{ "/+", "/finance", true },
	{ "+/tennis/#", "sport/tennis", true },
	{ "+/tennis/#", "sport/golf/tennis", false },
	{ "#", "$SYS/monitor/Clients", false },
	{ "+", "$SYS", false },
	{ "+/#", "$SYS", false },
	{ "+/monitor/Clients", "$SYS/monitor/Clients", false },
	{ "$SYS/#", "$SYS/monitor/Clients", true },
	{ "$SYS/#", "$SYS", true },
	{ "$SYS/monitor/+", "$SYS/monitor/Clients", true },
	{ "a/+", "a/$b", true },
	{ "a/#", "a/$b", true },
	{ "ACCOUNTS", "Accounts", false },
	{ "a//b", "a//b", true },
	{ "a//b", "a/b", false },
	{ "a/+/b", "a//b", true },
	{ "a/b", "a/b/", false },
	{ "a/b/", "a/b", false },
	{ "/", "/", true },
	{ "//", "/", false },
	{ "$share/g/a/+", "a/b", true },
	{ "$share/g/a/+", "a/b/c", false },
	{ "$share/g//a", "/a", true },
	{ "$share/g/#", "$SYS", false },
	{ "$share/g/$SYS/#", "$SYS/a", true },
};

static void match_case_desc(const struct match_case *c, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s %s %s", c->filter,
		 c->matches ? "matches" : "does not match", c->topic);
}

KUNIT_ARRAY_PARAM(match, match_cases, match_case_desc);

static void tree_matches(struct kunit *test)
{
	const struct match_case *c = test->param_value;
	struct tree_test *t = test->priv;

	/* Arrange */
	add(t, 0, c->filter, 0);

	/* Act and assert */
	KUNIT_EXPECT_EQ(test, match(t, c->topic), c->matches);
}

/* The twin: level by level on the text, plain and slow. */
static bool twin_level_matches(const char *filter, const char *topic)
{
	size_t f = strcspn(filter, "/"), n = strcspn(topic, "/");

	if (f == 1 && *filter == '#')
		return true;
	if (!(f == 1 && *filter == '+') && (f != n || strncmp(filter, topic, n)))
		return false;
	if (!filter[f] || !topic[n])
		return filter[f] == topic[n] ||
		       (!topic[n] && !strcmp(filter + f, "/#"));
	return twin_level_matches(filter + f + 1, topic + n + 1);
}

static bool twin_shared(const char *filter)
{
	return !strncmp(filter, "$share/", 7);
}

static bool twin_matches(const char *filter, const char *topic)
{
	if (twin_shared(filter))
		filter = strchr(filter + 7, '/') + 1;
	if (*topic == '$' && (*filter == '+' || *filter == '#'))
		return false;
	return twin_level_matches(filter, topic);
}

static u32 rnd(struct tree_test *t, u32 below)
{
	return prandom_u32_state(&t->rnd) % below;
}

/* One to four levels out of few, so that they meet often. */
static void random_path(struct tree_test *t, char *to, bool filter)
{
	static const char * const levels[] = { "a", "b", "", "$x", "cc", "+", "+", "#" };
	unsigned int n = 1 + rnd(t, 4), i;
	const char *level;

	*to = 0;
	if (filter && !rnd(t, 4))
		strcat(to, rnd(t, 2) ? "$share/g/" : "$share/h/");
	for (i = 0; i < n; i++) {
		level = levels[rnd(t, filter ? 8 : 5)];
		if (i)
			strcat(to, "/");
		strcat(to, level);
		if (*level == '#')
			return;
	}
	if (n == 1 && !*level)
		strcat(to, "/");
}

static struct twin_sub *twin_find(struct tree_test *t,
				  const struct kmqtt_session *session,
				  const char *filter)
{
	unsigned int i;

	for (i = 0; i < t->count; i++)
		if (t->twin[i].session == session &&
		    !strcmp(t->twin[i].filter, filter))
			return &t->twin[i];
	return NULL;
}

static void twin_change(struct tree_test *t)
{
	struct kmqtt_session *session = &t->session[rnd(t, TWIN_SESSIONS)];
	struct kmqtt_sub_opts opts = { .sub_id = 1 + rnd(t, 1000) };
	char filter[TWIN_TEXT];
	struct twin_sub *sub;
	bool existed;

	random_path(t, filter, true);
	sub = twin_find(t, session, filter);
	if (rnd(t, 5) > 1 && (sub || t->count < TWIN_SUBS)) {
		KUNIT_ASSERT_EQ(t->test, kmqtt_tree_add(&t->tree, session, TEXT(filter),
							&opts, &existed), 0);
		KUNIT_EXPECT_EQ(t->test, existed, !!sub);
		if (!sub)
			sub = &t->twin[t->count++];
		sub->session = session;
		sub->sub_id = opts.sub_id;
		strscpy(sub->filter, filter, sizeof(sub->filter));
		return;
	}
	KUNIT_EXPECT_EQ(t->test, kmqtt_tree_del(&t->tree, session, TEXT(filter), NULL),
			sub ? 0 : -ENOENT);
	if (sub)
		*sub = t->twin[--t->count];
}

static void twin_mark(void *ctx, const struct kmqtt_sub *sub)
{
	struct tree_test *t = ctx;
	char filter[TWIN_TEXT];
	struct twin_sub *twin;
	u32 len;

	len = kmqtt_sub_filter(sub, (u8 *)filter, sizeof(filter) - 1);
	filter[min_t(u32, len, sizeof(filter) - 1)] = 0;
	twin = twin_find(t, sub->session, filter);
	KUNIT_EXPECT_NOT_NULL_MSG(t->test, twin, "%s is unknown", filter);
	if (!twin)
		return;
	KUNIT_EXPECT_EQ(t->test, twin->sub_id, sub->opts.sub_id);
	twin->seen++;
}

static void twin_group(void *ctx, struct kmqtt_sub_group *group)
{
	twin_mark(ctx, kmqtt_group_pick(group, any_member, NULL));
}

/* How often were the subscriptions of a shared one's group told? */
static unsigned int twin_group_seen(struct tree_test *t, const char *filter)
{
	unsigned int i, seen = 0;

	for (i = 0; i < t->count; i++)
		if (!strcmp(t->twin[i].filter, filter))
			seen += t->twin[i].seen;
	return seen;
}

static void twin_compare(struct tree_test *t)
{
	struct twin_sub *sub;
	char topic[TWIN_TEXT];
	unsigned int seen;

	random_path(t, topic, false);
	for (sub = t->twin; sub < t->twin + t->count; sub++)
		sub->seen = 0;
	rcu_read_lock();
	kmqtt_tree_match(&t->tree, TEXT(topic), twin_mark, twin_group, t);
	rcu_read_unlock();
	for (sub = t->twin; sub < t->twin + t->count; sub++) {
		seen = twin_shared(sub->filter) ? twin_group_seen(t, sub->filter) :
						  sub->seen;
		KUNIT_EXPECT_EQ_MSG(t->test, seen, twin_matches(sub->filter, topic),
				    "%s, %s", sub->filter, topic);
	}
}

static void tree_agrees_with_twin(struct kunit *test)
{
	struct tree_test *t = test->priv;
	unsigned int i;

	for (i = 0; i < TWIN_ROUNDS; i++) {
		twin_change(t);
		if (i % 3 == 0)
			twin_compare(t);
		cond_resched();
	}
	KUNIT_EXPECT_EQ(test, t->tree.count, t->count);
	KUNIT_EXPECT_GT(test, t->count, 100);
}

/* Subscribed, changed, unsubscribed. */
static void tree_replaces_options(struct kunit *test)
{
	struct kmqtt_sub_opts opts = { .qos = 1 };
	struct tree_test *t = test->priv;
	struct kmqtt_sub *sub;
	bool existed;

	add(t, 0, "a/b", 5);
	KUNIT_EXPECT_EQ(test, kmqtt_tree_add(&t->tree, &t->session[0], TEXT("a/b"),
					     &opts, &existed), 0);
	KUNIT_EXPECT_TRUE(test, existed);
	KUNIT_EXPECT_EQ(test, t->tree.count, 1);
	KUNIT_EXPECT_EQ(test, t->session[0].sub_count, 1);
	sub = list_first_entry(&t->session[0].subs, struct kmqtt_sub, session_link);
	KUNIT_EXPECT_EQ(test, sub->opts.qos, 1);
	KUNIT_EXPECT_EQ(test, sub->opts.sub_id, 0);
	KUNIT_EXPECT_EQ(test, match(t, "a/b"), 1);
	KUNIT_EXPECT_EQ(test, kmqtt_tree_del(&t->tree, &t->session[0], TEXT("a/b"), NULL), 0);
	KUNIT_EXPECT_EQ(test, kmqtt_tree_del(&t->tree, &t->session[0], TEXT("a/b"), NULL),
			-ENOENT);
	KUNIT_EXPECT_EQ(test, match(t, "a/b"), 0);
	KUNIT_EXPECT_EQ(test, t->tree.trie.nodes, 0);
}

static void tree_refuses_dead_session(struct kunit *test)
{
	const struct kmqtt_sub_opts opts = { };
	struct tree_test *t = test->priv;
	bool existed;

	t->session[0].dead = true;
	KUNIT_EXPECT_EQ(test, kmqtt_tree_add(&t->tree, &t->session[0], TEXT("a"),
					     &opts, &existed), -ESHUTDOWN);
	KUNIT_EXPECT_EQ(test, t->tree.trie.nodes, 0);
}

/* Look-ups that a match costs. */
static unsigned long match_cost(struct tree_test *t, const char *topic)
{
	kmqtt_kunit_child_calls = 0;
	match(t, topic);
	return kmqtt_kunit_child_calls;
}

static void tree_cost_is_independent_of_size(struct kunit *test)
{
	struct tree_test *t = test->priv;
	unsigned long few, many;
	char filter[32];
	unsigned int i;

	/* Arrange */
	add(t, 0, "site/+/sensor/#", 0);
	add(t, 0, "site/7/sensor/3", 0);
	few = match_cost(t, "site/7/sensor/3");

	/* Act: two thousand more, all below the same first levels */
	for (i = 0; i < 2000; i++) {
		snprintf(filter, sizeof(filter), "site/7/sensor/%u/%s", i,
			 i % 3 ? "x" : "+");
		add(t, i % TWIN_SESSIONS, filter, 0);
		cond_resched();
	}
	many = match_cost(t, "site/7/sensor/3");

	/* Assert */
	KUNIT_EXPECT_GT(test, few, 0);
	KUNIT_EXPECT_EQ(test, many, few);
	KUNIT_EXPECT_EQ(test, match(t, "site/7/sensor/3"), 2);
}

/* Every mix of a level and `+` in eight levels: all match, each once. */
static void tree_backtracks_everywhere(struct kunit *test)
{
	struct tree_test *t = test->priv;
	unsigned int mix, level;
	char filter[32], *p;

	for (mix = 0; mix < 256; mix++) {
		for (p = filter, level = 0; level < 8; level++)
			p += sprintf(p, "%s%s", level ? "/" : "",
				     mix & BIT(level) ? "+" : "x");
		add(t, 0, filter, 0);
	}
	KUNIT_EXPECT_EQ(test, match(t, "x/x/x/x/x/x/x/x"), 256);
	KUNIT_EXPECT_EQ(test, match(t, "x/x/x/x/x/x/x/y"), 128);
	KUNIT_EXPECT_EQ(test, match(t, "x/x/x/x/x/x/x"), 0);
}

/* As deep and as long as they may be. */
static void tree_takes_the_largest(struct kunit *test)
{
	struct tree_test *t = test->priv;
	char *text = kunit_kzalloc(test, KMQTT_STRING_MAX + 1, GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, text);
	for (i = 0; i < KMQTT_TOPIC_LEVELS_MAX; i++)
		memcpy(text + 2 * i, "d/", 2);
	text[2 * KMQTT_TOPIC_LEVELS_MAX - 1] = 0;
	add(t, 0, text, 0);
	add(t, 1, "+/#", 0);
	KUNIT_EXPECT_EQ(test, match(t, text), 2);

	memset(text, 'l', KMQTT_STRING_MAX);
	add(t, 2, text, 0);
	KUNIT_EXPECT_EQ(test, match(t, text), 2);
	KUNIT_EXPECT_EQ(test, kmqtt_tree_del(&t->tree, &t->session[2], TEXT(text), NULL), 0);
	KUNIT_EXPECT_EQ(test, match(t, text), 1);
}

static void tree_tells_filters(struct kunit *test)
{
	struct tree_test *t = test->priv;
	struct kmqtt_sub *sub;
	u8 buf[20] = "";

	add(t, 0, "$share/name/a//+/#", 0);
	sub = list_first_entry(&t->session[0].subs, struct kmqtt_sub, session_link);
	mutex_lock(&t->tree.lock);
	KUNIT_EXPECT_EQ(test, kmqtt_sub_filter(sub, NULL, 0), 18);
	KUNIT_EXPECT_EQ(test, kmqtt_sub_filter(sub, buf, 17), 18);
	KUNIT_EXPECT_EQ(test, buf[0], 0);
	KUNIT_EXPECT_EQ(test, kmqtt_sub_filter(sub, buf, 18), 18);
	mutex_unlock(&t->tree.lock);
	KUNIT_EXPECT_STREQ(test, (char *)buf, "$share/name/a//+/#");
}

static struct kunit_case tree_cases[] = {
	KUNIT_CASE_PARAM(tree_matches, match_gen_params),
	KUNIT_CASE(tree_agrees_with_twin),
	KUNIT_CASE(tree_replaces_options),
	KUNIT_CASE(tree_refuses_dead_session),
	KUNIT_CASE(tree_cost_is_independent_of_size),
	KUNIT_CASE(tree_backtracks_everywhere),
	KUNIT_CASE(tree_takes_the_largest),
	KUNIT_CASE(tree_tells_filters),
	{ }
};

static struct kunit_suite tree_suite = {
	.name = "kmqtt_tree",
	.init = tree_test_init,
	.exit = tree_test_exit,
	.test_cases = tree_cases,
};

kunit_test_suites(&tree_suite);

// SPDX-License-Identifier: GPL-2.0
/* Access rules, as tables. */
#include <linux/cgroup.h>
#include <linux/cred.h>
#include <linux/slab.h>

#include "core/acl_match.h"
#include "proto/topic.h"
#include "tests/kunit/fixture.h"

#define RULES_MAX	4
#define R		KMQTT_ACL_READ
#define W		KMQTT_ACL_WRITE

static struct kmqtt_acl_rule *rule_new(struct kunit *test, u8 subject, u8 access,
				       bool allow, const char *name,
				       const char *filter)
{
	struct kmqtt_acl_rule *rule;

	rule = kzalloc(struct_size(rule, filter, strlen(filter)), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, rule);
	rule->subject = subject;
	rule->access = access;
	rule->allow = allow;
	rule->name = name ? kstrdup(name, GFP_KERNEL) : NULL;
	rule->filter_len = strlen(filter);
	memcpy(rule->filter, filter, rule->filter_len);
	return rule;
}

static struct kmqtt_acl *acl_of(struct kunit *test)
{
	return test->priv;
}

static void add(struct kunit *test, u8 subject, u8 access, bool allow,
		const char *name, const char *filter)
{
	struct kmqtt_acl_rule *rule = rule_new(test, subject, access, allow, name,
					       filter);

	KUNIT_ASSERT_EQ(test, kmqtt_acl_add(acl_of(test), rule, 0), 0);
}

static int acl_test_init(struct kunit *test)
{
	struct kmqtt_acl *acl = kunit_kzalloc(test, sizeof(*acl), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, acl);
	kmqtt_acl_init(acl);
	test->priv = acl;
	return 0;
}

static void acl_test_exit(struct kunit *test)
{
	kmqtt_acl_destroy(acl_of(test));
}

/* One rule "allow" or "deny" and a filter, for everyone. */
struct rule_text {
	bool allow;
	u8 access;
	const char *filter;
};

static const struct acl_case {
	const char *name;
	struct rule_text rule[RULES_MAX];
	bool default_allow;
	u8 access;
	const char *topic;	/* to check, or NULL */
	const char *filter;	/* to check if @topic is NULL */
	bool allowed;
} acl_cases_table[] = {
	{ "no rules allow all", { }, false, W, "a", NULL, true },
	{ "no match, default deny", { { true, R | W, "b" } }, false, W, "a", NULL, false },
	{ "no match, default allow", { { false, R | W, "b" } }, true, W, "a", NULL, true },
	{ "allowed", { { true, R | W, "a/+" } }, false, W, "a/b", NULL, true },
	{ "other access", { { true, R, "a/+" } }, false, W, "a/b", NULL, false },
	{ "first rule decides", { { false, W, "a/b" }, { true, W, "a/#" } },
	  false, W, "a/b", NULL, false },
	{ "first rule decides, again", { { true, W, "a/b" }, { false, W, "#" } },
	  true, W, "a/b", NULL, true },
	{ "next rule decides", { { false, W, "a/b" }, { true, W, "a/#" } },
	  false, W, "a/c", NULL, true },
	{ "# is not for $SYS", { { true, R, "#" } }, false, R, "$SYS/x", NULL, false },
	{ "$SYS/# is", { { true, R, "$SYS/#" } }, false, R, "$SYS/x", NULL, true },
	{ "parent of #", { { true, R, "a/#" } }, false, R, "a", NULL, true },
	{ "not deeper than +", { { true, R, "a/+" } }, false, R, "a/b/c", NULL, false },
	{ "client name", { { true, R, "c/%c/#" } }, false, R, "c/me/x", NULL, true },
	{ "other client's name", { { true, R, "c/%c/#" } }, false, R, "c/you/x", NULL, false },
	{ "user name", { { true, R, "u/%u" } }, false, R, "u/joe", NULL, true },
	{ "other user's name", { { true, R, "u/%u" } }, false, R, "u/me", NULL, false },
	{ "name only as a whole level", { { true, R, "c/x%c" } }, false, R, "c/xme", NULL,
	  false },
	{ "text of the rule is no name", { { true, R, "c/%c" } }, false, R, "c/%c", NULL,
	  false },
	{ "filter: deny covers", { { false, R, "a/#" }, { true, R, "#" } },
	  true, R, NULL, "a/+", false },
	{ "filter: deny covers itself", { { false, R, "a/+" }, { true, R, "#" } },
	  true, R, NULL, "a/+", false },
	{ "filter: deny inside", { { false, R, "a/b" }, { true, R, "#" } },
	  false, R, NULL, "a/+", true },
	{ "filter: allow inside", { { true, R, "a/b" } }, false, R, NULL, "a/+", true },
	{ "filter: allow apart", { { true, R, "a/b" } }, false, R, NULL, "b/+", false },
	{ "filter: allow shorter", { { true, R, "a" } }, false, R, NULL, "a/+", false },
	{ "filter: parent of its #", { { true, R, "a" } }, false, R, NULL, "a/#", true },
	{ "filter: parent of the rule's #", { { true, R, "a/#" } }, false, R, NULL, "a", true },
	{ "filter: # is not inside +", { { false, R, "a/+" } }, true, R, NULL, "a/#", true },
	{ "filter: + is not inside a level", { { false, R, "a/b" } }, true, R, NULL, "a/+",
	  true },
	{ "filter: # and $SYS", { { true, R, "$SYS/#" } }, false, R, NULL, "#", false },
	{ "filter: deny # is not $SYS", { { false, R, "#" } }, true, R, NULL, "$SYS/#", true },
	{ "filter: write rules do not count", { { true, W, "#" } }, false, R, NULL, "a", false },
	{ "filter: shared", { { false, R, "a/#" } }, true, R, NULL, "$share/g/a/b", false },
	{ "filter: name", { { true, R, "c/%c/+" } }, false, R, NULL, "c/me/#", true },
	{ "filter: + over a name", { { true, R, "c/%c/x" } }, false, R, NULL, "c/+/x", true },
	{ "filter: other name", { { true, R, "c/%c/+" } }, false, R, NULL, "c/you/#", false },
	{ "all topics", { { true, W, "" } }, false, W, "a/b", NULL, true },
	{ "all topics, $SYS too", { { true, W, "" } }, false, W, "$SYS/x", NULL, true },
	{ "filter: all topics", { { false, R, "" } }, true, R, NULL, "$SYS/#", false },
	{ "filter: some of all topics", { { true, R, "" } }, false, R, NULL, "$SYS/+", true },
};

static void acl_case_desc(const struct acl_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(acl_case, acl_cases_table, acl_case_desc);

static void acl_decides(struct kunit *test)
{
	const struct kmqtt_identity who = { .client_id = "me", .user = "joe" };
	const struct acl_case *c = test->param_value;
	unsigned int i;
	bool allowed;

	/* Arrange */
	acl_of(test)->default_allow = c->default_allow;
	for (i = 0; i < RULES_MAX && c->rule[i].filter; i++)
		add(test, KMQTT_ACL_ANY, c->rule[i].access, c->rule[i].allow, NULL,
		    c->rule[i].filter);

	/* Act */
	if (c->topic)
		allowed = kmqtt_acl_check(acl_of(test), &who, c->access, TEXT(c->topic));
	else
		allowed = kmqtt_acl_check_filter(acl_of(test), &who, TEXT(c->filter));

	/* Assert */
	KUNIT_EXPECT_EQ(test, allowed, c->allowed);
}

static bool may_write(struct kunit *test, const struct kmqtt_identity *who,
		      const char *topic)
{
	return kmqtt_acl_check(acl_of(test), who, W, TEXT(topic));
}

static struct kmqtt_view text_view(const char *text)
{
	return (struct kmqtt_view) { .data = (const u8 *)text, .len = strlen(text) };
}

/* What a filter with names in it comes to, for a name. */
static const struct subst_case {
	u8 subst;
	const char *filter;
	const char *client;
	const char *user;	/* or NULL */
	const char *topic;
	bool match;
} subst_cases[] = {
	{ KMQTT_ACL_SUBST_NONE, "c/%c", "me", "joe", "c/me", false },
	{ KMQTT_ACL_SUBST_NONE, "c/%c", "me", "joe", "c/%c", true },
	{ KMQTT_ACL_SUBST_LEVEL, "c/%c", "a/b", "joe", "c/a/b", false },
	{ KMQTT_ACL_SUBST_LEVEL, "%c/%u/%c", "me", "joe", "me/joe/me", true },
	{ KMQTT_ACL_SUBST_LEVEL, "%u", "me", NULL, "me", false },
	{ KMQTT_ACL_SUBST_LEVEL, "a%u", "me", NULL, "a%u", true },
	{ KMQTT_ACL_SUBST_TEXT, "c/%c", "me", "joe", "c/me", true },
	{ KMQTT_ACL_SUBST_TEXT, "x%cy/%u%c", "me", "joe", "xmey/joeme", true },
	{ KMQTT_ACL_SUBST_TEXT, "x%cy/%u%c", "me", "joe", "xmey/joem", false },
	{ KMQTT_ACL_SUBST_TEXT, "x%cy/%u%c", "me", "joe", "xmey/joeme/", false },
	{ KMQTT_ACL_SUBST_TEXT, "c/%c/#", "a/b", "joe", "c/a/b/x", true },
	{ KMQTT_ACL_SUBST_TEXT, "c/%c/#", "a/b", "joe", "c/a/b", true },
	{ KMQTT_ACL_SUBST_TEXT, "c/%c/#", "a/b", "joe", "c/a", false },
	{ KMQTT_ACL_SUBST_TEXT, "c/%c/+", "a/b", "joe", "c/a/b/x", true },
	{ KMQTT_ACL_SUBST_TEXT, "c/%u/x", "me", "", "c//x", false },
	{ KMQTT_ACL_SUBST_TEXT, "c/%c/x", "", "joe", "c//x", true },
	{ KMQTT_ACL_SUBST_TEXT, "%c", "", "joe", "/", false },
	{ KMQTT_ACL_SUBST_TEXT, "c/%u", "me", NULL, "c/", false },
	{ KMQTT_ACL_SUBST_TEXT, "c/%u", "me", NULL, "c/%u", false },
	{ KMQTT_ACL_SUBST_TEXT, "c/%c", "+", "joe", "c/x", false },
	{ KMQTT_ACL_SUBST_TEXT, "c/%c", "#", "joe", "c/x", false },
	{ KMQTT_ACL_SUBST_TEXT, "c/%c", "a+b", "joe", "c/a+b", false },
	{ KMQTT_ACL_SUBST_TEXT, "%u/#", "me", "$SYS", "$SYS/x", true },
	{ KMQTT_ACL_SUBST_TEXT, "%%c/%x", "me", "joe", "%me/%x", true },
	{ KMQTT_ACL_SUBST_TEXT, "a%", "me", "joe", "a%", true },
	/* what is put in is not looked at again */
	{ KMQTT_ACL_SUBST_TEXT, "c/%c", "%u", "joe", "c/%u", true },
	{ KMQTT_ACL_SUBST_TEXT, "%%cu", "%", "joe", "%%u", true },
};

static void acl_puts_names_in(struct kunit *test)
{
	struct kmqtt_acl_rule *rule;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(subst_cases); i++) {
		const struct subst_case *c = &subst_cases[i];
		const struct kmqtt_identity who = { .client_id = c->client, .user = c->user };

		rule = rule_new(test, KMQTT_ACL_ANY, W, true, NULL, c->filter);
		rule->subst = c->subst;
		kmqtt_acl_prepare(rule);
		KUNIT_EXPECT_EQ_MSG(test, kmqtt_acl_covers(rule, &who, text_view(c->topic)),
				    c->match, "%s for %s and %s", c->filter, c->topic,
				    c->client);
		kmqtt_acl_rule_free(rule);
	}
}

static const char * const some_levels[] = { "a", "b", "", "+", "#" };

/* A random filter, or a topic name. */
static void random_path(struct rnd_state *rnd, bool filter, char *path)
{
	unsigned int i, count = prandom_u32_state(rnd) % 4 + 1, which;

	do {
		*path = '\0';
		for (i = 0; i < count; i++) {
			which = prandom_u32_state(rnd) % (filter ? 5 : 3);
			if (which == 4 && i < count - 1)
				which = 3;
			strlcat(path, i ? "/" : "", 16);
			strlcat(path, some_levels[which], 16);
		}
	} while (!*path);
}

/* Against the matching of subscriptions, which has other code. */
static void acl_matches_as_subscriptions_do(struct kunit *test)
{
	const struct kmqtt_identity who = { .client_id = "me" };
	struct kmqtt_acl_rule *rule;
	char filter[16], other[16], topic[16];
	struct rnd_state rnd;
	unsigned int i, j;
	bool covers, overlaps, a, b;

	prandom_seed_state(&rnd, 2026);
	for (i = 0; i < 150; i++) {
		random_path(&rnd, true, filter);
		random_path(&rnd, true, other);
		rule = rule_new(test, KMQTT_ACL_ANY, R, true, NULL, filter);
		kmqtt_acl_prepare(rule);
		covers = kmqtt_acl_covers(rule, &who, text_view(other));
		overlaps = kmqtt_acl_overlaps(rule, &who, text_view(other));
		for (j = 0; j < 100; j++) {
			random_path(&rnd, false, topic);
			a = kmqtt_topic_matches(text_view(filter), text_view(topic));
			b = kmqtt_topic_matches(text_view(other), text_view(topic));
			KUNIT_ASSERT_EQ_MSG(test, kmqtt_acl_covers(rule, &who, text_view(topic)),
					    a, "%s %s", filter, topic);
			KUNIT_ASSERT_EQ_MSG(test, kmqtt_acl_overlaps(rule, &who, text_view(topic)),
					    a, "%s %s", filter, topic);
			KUNIT_ASSERT_TRUE_MSG(test, overlaps || !(a && b), "%s %s %s", filter,
					      other, topic);
			KUNIT_ASSERT_TRUE_MSG(test, !covers || a || !b, "%s %s %s", filter,
					      other, topic);
		}
		kmqtt_acl_rule_free(rule);
	}
}

/* Names that are not one level must not open what the rule did not mean. */
static void acl_names_cannot_inject(struct kunit *test)
{
	static const char * const names[] = { "", "+", "#", "a/b", "a+", NULL };
	struct kmqtt_identity who = { };
	unsigned int i;

	add(test, KMQTT_ACL_ANY, R | W, true, NULL, "c/%c");
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		who.client_id = names[i];
		KUNIT_EXPECT_FALSE(test, may_write(test, &who, "c/a"));
		KUNIT_EXPECT_FALSE(test, may_write(test, &who, "c/a/b"));
		KUNIT_EXPECT_FALSE(test, may_write(test, &who, "c/"));
		KUNIT_EXPECT_FALSE(test, kmqtt_acl_check_filter(acl_of(test), &who,
								TEXT("c/+")));
	}
}

static void acl_by_name(struct kunit *test)
{
	const struct kmqtt_identity joe = { .client_id = "c1", .user = "joe" };
	const struct kmqtt_identity ann = { .client_id = "c2", .user = "ann" };
	const struct kmqtt_identity none = { .client_id = "joe" };

	add(test, KMQTT_ACL_USER, W, true, "joe", "u");
	add(test, KMQTT_ACL_CLIENT, W, true, "c2", "c");
	KUNIT_EXPECT_TRUE(test, may_write(test, &joe, "u"));
	KUNIT_EXPECT_FALSE(test, may_write(test, &ann, "u"));
	KUNIT_EXPECT_FALSE(test, may_write(test, &none, "u"));
	KUNIT_EXPECT_TRUE(test, may_write(test, &ann, "c"));
	KUNIT_EXPECT_FALSE(test, may_write(test, &joe, "c"));
}

static void acl_by_kind_of_client(struct kunit *test)
{
	const struct kmqtt_identity joe = { .client_id = "c1", .user = "joe" };
	const struct kmqtt_identity none = { .client_id = "c2" };
	const struct kmqtt_identity wild = { .client_id = "c+", .user = "joe" };
	const struct kmqtt_identity wild_user = { .client_id = "c", .user = "#" };
	const struct kmqtt_identity local = { .client_id = "c+", .cred = current_cred() };

	add(test, KMQTT_ACL_ANONYMOUS, W, true, NULL, "anonymous");
	add(test, KMQTT_ACL_WILDCARD, W, true, NULL, "wildcard");
	add(test, KMQTT_ACL_REMOTE, W, true, NULL, "remote");
	KUNIT_EXPECT_FALSE(test, may_write(test, &joe, "anonymous"));
	KUNIT_EXPECT_TRUE(test, may_write(test, &none, "anonymous"));
	KUNIT_EXPECT_FALSE(test, may_write(test, &local, "anonymous"));
	KUNIT_EXPECT_FALSE(test, may_write(test, &joe, "wildcard"));
	KUNIT_EXPECT_FALSE(test, may_write(test, &none, "wildcard"));
	KUNIT_EXPECT_TRUE(test, may_write(test, &wild, "wildcard"));
	KUNIT_EXPECT_TRUE(test, may_write(test, &wild_user, "wildcard"));
	KUNIT_EXPECT_FALSE(test, may_write(test, &local, "wildcard"));
	KUNIT_EXPECT_TRUE(test, may_write(test, &joe, "remote"));
	KUNIT_EXPECT_TRUE(test, may_write(test, &none, "remote"));
	KUNIT_EXPECT_FALSE(test, may_write(test, &local, "remote"));
}

static void acl_trusts_uplinks(struct kunit *test)
{
	const struct kmqtt_identity who = { .client_id = "up", .trusted = true };

	add(test, KMQTT_ACL_ANY, R | W, false, NULL, "#");
	KUNIT_EXPECT_TRUE(test, may_write(test, &who, "a"));
	KUNIT_EXPECT_TRUE(test, kmqtt_acl_check_filter(acl_of(test), &who, TEXT("#")));
}

static void acl_by_uid_and_gid(struct kunit *test)
{
	const struct kmqtt_identity remote = { .client_id = "r" };
	struct kmqtt_identity local = { .client_id = "l" };
	struct group_info *groups = groups_alloc(3);
	struct cred *cred = prepare_creds();
	struct kmqtt_acl_rule *rule;
	static const gid_t extra[] = { 100, 300, 500 };
	unsigned int i;

	/* Arrange: user 1000, group 1000, and 100, 300, 500 */
	KUNIT_ASSERT_NOT_NULL(test, groups);
	KUNIT_ASSERT_NOT_NULL(test, cred);
	for (i = 0; i < ARRAY_SIZE(extra); i++)
		groups->gid[i] = KGIDT_INIT(extra[i]);
	cred->euid = KUIDT_INIT(1000);
	cred->egid = KGIDT_INIT(1000);
	set_groups(cred, groups);
	put_group_info(groups);
	local.cred = cred;

	rule = rule_new(test, KMQTT_ACL_UID, W, true, NULL, "uid");
	rule->uid = KUIDT_INIT(1000);
	KUNIT_ASSERT_EQ(test, kmqtt_acl_add(acl_of(test), rule, 0), 0);
	rule = rule_new(test, KMQTT_ACL_UID, W, true, NULL, "other");
	rule->uid = KUIDT_INIT(1001);
	KUNIT_ASSERT_EQ(test, kmqtt_acl_add(acl_of(test), rule, 0), 0);
	for (i = 0; i < 7; i++) {
		char filter[8];

		snprintf(filter, sizeof(filter), "g%u", i * 100);
		rule = rule_new(test, KMQTT_ACL_GID, W, true, NULL, filter);
		rule->gid = KGIDT_INIT(i * 100);
		KUNIT_ASSERT_EQ(test, kmqtt_acl_add(acl_of(test), rule, 0), 0);
	}
	rule = rule_new(test, KMQTT_ACL_GID, W, true, NULL, "g1000");
	rule->gid = KGIDT_INIT(1000);
	KUNIT_ASSERT_EQ(test, kmqtt_acl_add(acl_of(test), rule, 0), 0);

	/* Act and assert */
	KUNIT_EXPECT_TRUE(test, may_write(test, &local, "uid"));
	KUNIT_EXPECT_FALSE(test, may_write(test, &local, "other"));
	KUNIT_EXPECT_FALSE(test, may_write(test, &remote, "uid"));
	KUNIT_EXPECT_TRUE(test, may_write(test, &local, "g1000"));
	KUNIT_EXPECT_FALSE(test, may_write(test, &remote, "g1000"));
	for (i = 0; i < 7; i++) {
		char topic[8];

		snprintf(topic, sizeof(topic), "g%u", i * 100);
		KUNIT_EXPECT_EQ_MSG(test, may_write(test, &local, topic),
				    i == 1 || i == 3 || i == 5, "%s", topic);
	}
	abort_creds(cred);
}

/* A process is in its cgroup and in all above. */
static void acl_by_cgroup(struct kunit *test)
{
	struct kmqtt_identity who, remote = { .client_id = "r" };
	struct kmqtt_acl_rule *rule;
	struct cgroup *other;

	/* Arrange: a rule for our own cgroup's root, one for a cgroup elsewhere */
	kmqtt_identity_init_current(&who);
	KUNIT_ASSERT_NOT_NULL(test, who.cgroup);
	other = kunit_kzalloc(test, struct_size(other, ancestors, 2), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, other);
	other->self.flags = CSS_NO_REF;
	other->root = who.cgroup->root;
	other->level = who.cgroup->level + 1;
	rule = rule_new(test, KMQTT_ACL_CGROUP, W, true, "/other", "other");
	rule->cgroup = other;
	KUNIT_ASSERT_EQ(test, kmqtt_acl_add(acl_of(test), rule, 0), 0);
	rule = rule_new(test, KMQTT_ACL_CGROUP, W, true, "/", "root");
	rule->cgroup = &who.cgroup->root->cgrp;
	cgroup_get(rule->cgroup);
	KUNIT_ASSERT_EQ(test, kmqtt_acl_add(acl_of(test), rule, 0), 0);

	/* Act and assert */
	KUNIT_EXPECT_TRUE(test, may_write(test, &who, "root"));
	KUNIT_EXPECT_FALSE(test, may_write(test, &who, "other"));
	KUNIT_EXPECT_FALSE(test, may_write(test, &remote, "root"));
	kmqtt_identity_release(&who);
	KUNIT_EXPECT_NULL(test, who.cred);
	kmqtt_acl_flush(acl_of(test));
}

static int note_id(void *ctx, const struct kmqtt_acl_rule *rule)
{
	u32 **at = ctx;

	*(*at)++ = rule->id;
	return 0;
}

static int stop(void *ctx, const struct kmqtt_acl_rule *rule)
{
	return rule->id == *(u32 *)ctx;
}

static void acl_keeps_order(struct kunit *test)
{
	struct kmqtt_acl *acl = acl_of(test);
	struct kmqtt_acl_rule *rule;
	u32 ids[4], *at = ids, id;

	add(test, KMQTT_ACL_ANY, W, true, NULL, "a");
	add(test, KMQTT_ACL_ANY, W, true, NULL, "b");
	rule = rule_new(test, KMQTT_ACL_ANY, W, false, NULL, "#");
	KUNIT_EXPECT_EQ(test, kmqtt_acl_add(acl, rule, 99), -ENOENT);
	KUNIT_EXPECT_EQ(test, kmqtt_acl_add(acl, rule, 2), 0);
	KUNIT_EXPECT_EQ(test, kmqtt_acl_walk(acl, 0, note_id, &at), 3);
	KUNIT_EXPECT_EQ(test, ids[0], 1);
	KUNIT_EXPECT_EQ(test, ids[1], 3);
	KUNIT_EXPECT_EQ(test, ids[2], 2);
	KUNIT_EXPECT_FALSE(test, may_write(test, &(struct kmqtt_identity) { }, "b"));

	id = 2;
	KUNIT_EXPECT_EQ(test, kmqtt_acl_walk(acl, 0, stop, &id), 2);
	KUNIT_EXPECT_EQ(test, kmqtt_acl_del(acl, 3), 0);
	KUNIT_EXPECT_EQ(test, kmqtt_acl_del(acl, 3), -ENOENT);
	KUNIT_EXPECT_TRUE(test, may_write(test, &(struct kmqtt_identity) { }, "b"));
	KUNIT_EXPECT_EQ(test, kmqtt_acl_del(acl, 1), 0);
	KUNIT_EXPECT_EQ(test, kmqtt_acl_del(acl, 2), 0);
	KUNIT_EXPECT_NULL(test, rcu_access_pointer(acl->table));
	KUNIT_EXPECT_EQ(test, kmqtt_acl_walk(acl, 0, stop, &id), 0);
}

static bool is_about_name(const struct kmqtt_acl_rule *rule,
			  const struct kmqtt_identity *who)
{
	return rule->subject == KMQTT_ACL_ANY ||
	       !strcmp(rule->name, rule->subject == KMQTT_ACL_USER ? who->user : who->client_id);
}

/* However rules are found, the first one in order decides. */
static void acl_finds_names_in_order(struct kunit *test)
{
	static const u8 subjects[] = { KMQTT_ACL_USER, KMQTT_ACL_CLIENT, KMQTT_ACL_ANY };
	char user[3] = "n0", client[3] = "n0";
	const struct kmqtt_identity who = { .user = user, .client_id = client };
	struct kmqtt_acl_rule *rule[64];
	unsigned int i, tables, tries;
	struct rnd_state rnd;

	prandom_seed_state(&rnd, 5);
	for (tables = 0; tables < 2; tables++) {
		/* the last ones are about everyone, so that there is one that decides */
		for (i = 0; i < ARRAY_SIZE(rule); i++) {
			user[1] = '0' + prandom_u32_state(&rnd) % 10;
			rule[i] = rule_new(test, subjects[i < 60 ? prandom_u32_state(&rnd) % 2 : 2],
					   W, prandom_u32_state(&rnd) % 2, user, "t");
		}
		KUNIT_ASSERT_EQ(test, kmqtt_acl_replace(acl_of(test), rule, ARRAY_SIZE(rule)), 0);
		for (tries = 0; tries < 200; tries++) {
			user[1] = '0' + prandom_u32_state(&rnd) % 11;
			client[1] = '0' + prandom_u32_state(&rnd) % 11;
			for (i = 0; !is_about_name(rule[i], &who);)
				i++;
			KUNIT_EXPECT_EQ_MSG(test, may_write(test, &who, "t"), rule[i]->allow,
					    "%s %s", user, client);
		}
	}
}

static void acl_is_replaced_as_a_whole(struct kunit *test)
{
	const struct kmqtt_identity joe = { .client_id = "c1", .user = "joe" };
	struct kmqtt_acl_rule *rule[2];
	u32 ids[4], *at = ids;

	add(test, KMQTT_ACL_ANY, W, true, NULL, "old");
	rule[0] = rule_new(test, KMQTT_ACL_USER, W, false, "joe", "t");
	rule[1] = rule_new(test, KMQTT_ACL_ANY, W, true, NULL, "+");
	KUNIT_EXPECT_EQ(test, kmqtt_acl_replace(acl_of(test), rule, KMQTT_ACL_RULES_MAX + 1),
			-ENOSPC);
	KUNIT_EXPECT_TRUE(test, may_write(test, &joe, "old"));
	KUNIT_EXPECT_EQ(test, kmqtt_acl_replace(acl_of(test), rule, 2), 0);
	KUNIT_EXPECT_FALSE(test, may_write(test, &joe, "t"));
	KUNIT_EXPECT_TRUE(test, may_write(test, &joe, "u"));
	KUNIT_EXPECT_EQ(test, kmqtt_acl_walk(acl_of(test), 0, note_id, &at), 2);
	KUNIT_EXPECT_EQ(test, ids[0] + 1, ids[1]);
	KUNIT_EXPECT_EQ(test, kmqtt_acl_del(acl_of(test), ids[0]), 0);
	KUNIT_EXPECT_TRUE(test, may_write(test, &joe, "t"));
}

static struct kunit_case acl_cases[] = {
	KUNIT_CASE_PARAM(acl_decides, acl_case_gen_params),
	KUNIT_CASE(acl_puts_names_in),
	KUNIT_CASE(acl_matches_as_subscriptions_do),
	KUNIT_CASE(acl_names_cannot_inject),
	KUNIT_CASE(acl_by_name),
	KUNIT_CASE(acl_by_kind_of_client),
	KUNIT_CASE(acl_trusts_uplinks),
	KUNIT_CASE(acl_by_uid_and_gid),
	KUNIT_CASE(acl_by_cgroup),
	KUNIT_CASE(acl_keeps_order),
	KUNIT_CASE(acl_finds_names_in_order),
	KUNIT_CASE(acl_is_replaced_as_a_whole),
	{ }
};

static struct kunit_suite acl_suite = {
	.name = "kmqtt_acl",
	.init = acl_test_init,
	.exit = acl_test_exit,
	.test_cases = acl_cases,
};

kunit_test_suites(&acl_suite);

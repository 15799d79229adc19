// SPDX-License-Identifier: GPL-2.0
/* Access rules, as tables. */
#include <linux/cgroup.h>
#include <linux/cred.h>
#include <linux/slab.h>

#include "core/acl.h"
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

static struct kunit_case acl_cases[] = {
	KUNIT_CASE_PARAM(acl_decides, acl_case_gen_params),
	KUNIT_CASE(acl_names_cannot_inject),
	KUNIT_CASE(acl_by_name),
	KUNIT_CASE(acl_trusts_uplinks),
	KUNIT_CASE(acl_by_uid_and_gid),
	KUNIT_CASE(acl_by_cgroup),
	KUNIT_CASE(acl_keeps_order),
	{ }
};

static struct kunit_suite acl_suite = {
	.name = "kmqtt_acl",
	.init = acl_test_init,
	.exit = acl_test_exit,
	.test_cases = acl_cases,
};

kunit_test_suites(&acl_suite);

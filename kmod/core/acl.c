// SPDX-License-Identifier: GPL-2.0
/* Permission: see acl.h. */
#include <linux/cgroup.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "core/acl.h"
#include "core/trie.h"
#include "proto/topic.h"

/* Most rules of a switch: each one is looked at for each message. */
#define KMQTT_ACL_RULES_MAX	4096

/**
 * struct kmqtt_acl_table - the rules; constant once published
 * @count:	how many
 * @rule:	in order, at least one
 */
struct kmqtt_acl_table {
	u32 count;
	struct kmqtt_acl_rule *rule[];
};

#ifdef CONFIG_CGROUPS
static struct cgroup *kmqtt_cgroup_get_current(void)
{
	struct cgroup *cgrp;

	/* A try fails only if the process was moved away in this very moment. */
	rcu_read_lock();
	do {
		cgrp = task_dfl_cgroup(current);
	} while (!cgroup_tryget(cgrp));
	rcu_read_unlock();
	return cgrp;
}

static void kmqtt_cgroup_put(struct cgroup *cgrp)
{
	if (cgrp)
		cgroup_put(cgrp);
}

static bool kmqtt_cgroup_within(struct cgroup *cgrp, struct cgroup *ancestor)
{
	return cgrp && cgroup_is_descendant(cgrp, ancestor);
}
#else
static struct cgroup *kmqtt_cgroup_get_current(void)
{
	return NULL;
}

static void kmqtt_cgroup_put(struct cgroup *cgrp)
{
}

static bool kmqtt_cgroup_within(struct cgroup *cgrp, struct cgroup *ancestor)
{
	return false;
}
#endif

void kmqtt_identity_init_current(struct kmqtt_identity *id)
{
	*id = (struct kmqtt_identity) {
		.cred = get_current_cred(),
		.cgroup = kmqtt_cgroup_get_current(),
	};
}

void kmqtt_identity_release(struct kmqtt_identity *id)
{
	if (id->cred)
		put_cred(id->cred);
	kmqtt_cgroup_put(id->cgroup);
	id->cred = NULL;
	id->cgroup = NULL;
}

void kmqtt_acl_init(struct kmqtt_acl *acl)
{
	memset(acl, 0, sizeof(*acl));
	mutex_init(&acl->lock);
	acl->next_id = 1;
}

void kmqtt_acl_destroy(struct kmqtt_acl *acl)
{
	kmqtt_acl_flush(acl);
	mutex_destroy(&acl->lock);
}

static bool kmqtt_acl_name_is(const struct kmqtt_acl_rule *rule,
			      const char *name)
{
	return name && rule->name && !strcmp(rule->name, name);
}

/* groups_search() is not for modules; the kernel keeps the groups sorted. */
static bool kmqtt_acl_in_group(const struct cred *cred, kgid_t gid)
{
	const struct group_info *groups = cred->group_info;
	int low = 0, high = groups->ngroups, mid;

	while (low < high) {
		mid = (low + high) / 2;
		if (gid_lt(groups->gid[mid], gid))
			low = mid + 1;
		else
			high = mid;
	}
	return gid_eq(cred->egid, gid) ||
	       (low < groups->ngroups && gid_eq(groups->gid[low], gid));
}

static bool kmqtt_acl_is_about(const struct kmqtt_acl_rule *rule,
			       const struct kmqtt_identity *who)
{
	switch (rule->subject) {
	case KMQTT_ACL_ANY:
		return true;
	case KMQTT_ACL_UID:
		return who->cred && uid_eq(who->cred->euid, rule->uid);
	case KMQTT_ACL_GID:
		return who->cred && kmqtt_acl_in_group(who->cred, rule->gid);
	case KMQTT_ACL_CGROUP:
		return kmqtt_cgroup_within(who->cgroup, rule->cgroup);
	case KMQTT_ACL_USER:
		return kmqtt_acl_name_is(rule, who->user);
	case KMQTT_ACL_CLIENT:
		return kmqtt_acl_name_is(rule, who->client_id);
	}
	return false;
}

static bool kmqtt_level_is_name(struct kmqtt_view level, char which)
{
	return level.len == 2 && level.data[0] == '%' && level.data[1] == which;
}

/*
 * A rule's level with the peer's name in the place of `%c` or `%u`. No data
 * means that it matches nothing: there is no such name, or it is one that
 * would be more or less than one level of a topic name.
 */
static struct kmqtt_view kmqtt_acl_level(const struct kmqtt_identity *who,
					 struct kmqtt_view level)
{
	const char *name;

	if (kmqtt_level_is_name(level, 'c'))
		name = who->client_id;
	else if (kmqtt_level_is_name(level, 'u'))
		name = who->user;
	else
		return level;
	if (!name || !*name || strpbrk(name, "/+#"))
		return (struct kmqtt_view) { };
	return (struct kmqtt_view) { .data = (const u8 *)name, .len = strlen(name) };
}

/* One begins with a wildcard, the other with `$` (MQTT 5.0, 4.7.2). */
static bool kmqtt_acl_dollar_apart(struct kmqtt_view wild, struct kmqtt_view path)
{
	return path.data[0] == '$' &&
	       (wild.data[0] == '+' || wild.data[0] == '#');
}

static struct kmqtt_view kmqtt_acl_filter(const struct kmqtt_acl_rule *rule)
{
	return (struct kmqtt_view) {
		.data = rule->filter, .len = rule->filter_len,
	};
}

/* Does the rule's filter match all of @path, a topic name or a filter? */
static bool kmqtt_acl_covers(const struct kmqtt_acl_rule *rule,
			     const struct kmqtt_identity *who,
			     struct kmqtt_view path)
{
	struct kmqtt_view filter = kmqtt_acl_filter(rule), want, have;

	if (kmqtt_acl_dollar_apart(filter, path))
		return false;
	while (kmqtt_level_next(&filter, &want)) {
		if (kmqtt_level_is(want, '#'))
			return true;
		if (!kmqtt_level_next(&path, &have) ||
		    kmqtt_level_is(have, '#'))
			return false;
		if (kmqtt_level_is(want, '+'))
			continue;
		want = kmqtt_acl_level(who, want);
		if (!want.data || !kmqtt_view_equal(want, have))
			return false;
	}
	return !path.data;
}

/* Is there a topic name that both the rule's filter and @path match? */
static bool kmqtt_acl_overlaps(const struct kmqtt_acl_rule *rule,
			       const struct kmqtt_identity *who,
			       struct kmqtt_view path)
{
	struct kmqtt_view filter = kmqtt_acl_filter(rule), want, have;
	bool more, also;

	if (kmqtt_acl_dollar_apart(filter, path) ||
	    kmqtt_acl_dollar_apart(path, filter))
		return false;
	for (;;) {
		more = kmqtt_level_next(&filter, &want);
		also = kmqtt_level_next(&path, &have);
		if ((more && kmqtt_level_is(want, '#')) ||
		    (also && kmqtt_level_is(have, '#')))
			return true;
		if (!more || !also)
			return more == also;
		want = kmqtt_acl_level(who, want);
		if (!want.data)
			return false;
		if (!kmqtt_level_is(want, '+') &&
		    !kmqtt_level_is(have, '+') &&
		    !kmqtt_view_equal(want, have))
			return false;
	}
}

bool kmqtt_acl_check_rules(struct kmqtt_acl *acl, const struct kmqtt_identity *who,
			   u8 access, const u8 *topic, u32 len)
{
	const struct kmqtt_view name = { .data = topic, .len = len };
	const struct kmqtt_acl_table *table;
	const struct kmqtt_acl_rule *rule;
	bool allow;
	u32 i;

	rcu_read_lock();
	table = rcu_dereference(acl->table);
	allow = !table || READ_ONCE(acl->default_allow);
	for (i = 0; table && i < table->count; i++) {
		rule = table->rule[i];
		if (!(rule->access & access) || !kmqtt_acl_is_about(rule, who) ||
		    !kmqtt_acl_covers(rule, who, name))
			continue;
		allow = rule->allow;
		break;
	}
	rcu_read_unlock();
	return allow;
}

bool kmqtt_acl_check_filter(struct kmqtt_acl *acl,
			    const struct kmqtt_identity *who, const u8 *filter,
			    u32 len)
{
	struct kmqtt_view inner = { .data = filter, .len = len }, share;
	const struct kmqtt_acl_table *table;
	const struct kmqtt_acl_rule *rule;
	bool allow;
	u32 i;

	if (!rcu_access_pointer(acl->table) || who->trusted)
		return true;
	kmqtt_share_split(inner, &share, &inner);
	rcu_read_lock();
	table = rcu_dereference(acl->table);
	allow = !table || READ_ONCE(acl->default_allow);
	for (i = 0; table && i < table->count; i++) {
		rule = table->rule[i];
		if (!(rule->access & KMQTT_ACL_READ) ||
		    !kmqtt_acl_is_about(rule, who))
			continue;
		if (rule->allow ? kmqtt_acl_overlaps(rule, who, inner) :
				  kmqtt_acl_covers(rule, who, inner)) {
			allow = rule->allow;
			break;
		}
	}
	rcu_read_unlock();
	return allow;
}

void kmqtt_acl_rule_free(struct kmqtt_acl_rule *rule)
{
	kmqtt_cgroup_put(rule->cgroup);
	kfree(rule->name);
	kfree(rule);
}

static struct kmqtt_acl_table *kmqtt_acl_table(const struct kmqtt_acl *acl)
{
	return rcu_dereference_protected(acl->table, lockdep_is_held(&acl->lock));
}

/* Where the rule with this id stands, or the number of rules. */
static u32 kmqtt_acl_index(const struct kmqtt_acl_table *table, u32 id)
{
	u32 i = 0;

	while (table && i < table->count && table->rule[i]->id != id)
		i++;
	return i;
}

/* Waits until nobody reads the table any more. */
static void kmqtt_acl_table_free(struct kmqtt_acl_table *table)
{
	if (!table)
		return;
	synchronize_rcu();
	kvfree(table);
}

/*
 * A copy of the table with room for @rule at @at (@rule not NULL), or without
 * the rule at @at.
 */
static struct kmqtt_acl_table *
kmqtt_acl_table_copy(const struct kmqtt_acl_table *old, u32 at,
		     struct kmqtt_acl_rule *rule)
{
	u32 count = old ? old->count : 0, tail = count - at;
	struct kmqtt_acl_table *new;

	new = kvmalloc(struct_size(new, rule, count + 1), GFP_KERNEL);
	if (!new)
		return NULL;
	new->count = rule ? count + 1 : count - 1;
	if (old)
		memcpy(new->rule, old->rule, at * sizeof(rule));
	if (rule) {
		new->rule[at] = rule;
		if (tail)
			memcpy(&new->rule[at + 1], &old->rule[at], tail * sizeof(rule));
	} else {
		memcpy(&new->rule[at], &old->rule[at + 1], (tail - 1) * sizeof(rule));
	}
	return new;
}

int kmqtt_acl_add(struct kmqtt_acl *acl, struct kmqtt_acl_rule *rule, u32 before)
{
	struct kmqtt_acl_table *old, *new;
	u32 count, at;
	int err = 0;

	mutex_lock(&acl->lock);
	old = kmqtt_acl_table(acl);
	count = old ? old->count : 0;
	at = before ? kmqtt_acl_index(old, before) : count;
	if (before && at == count) {
		err = -ENOENT;
	} else if (count >= KMQTT_ACL_RULES_MAX) {
		err = -ENOSPC;
	} else {
		new = kmqtt_acl_table_copy(old, at, rule);
		if (!new)
			err = -ENOMEM;
	}
	if (!err) {
		rule->id = acl->next_id++;
		rcu_assign_pointer(acl->table, new);
	}
	mutex_unlock(&acl->lock);
	if (!err)
		kmqtt_acl_table_free(old);
	return err;
}

int kmqtt_acl_del(struct kmqtt_acl *acl, u32 id)
{
	struct kmqtt_acl_table *old, *new = NULL;
	struct kmqtt_acl_rule *rule = NULL;
	int err = 0;
	u32 at;

	mutex_lock(&acl->lock);
	old = kmqtt_acl_table(acl);
	at = kmqtt_acl_index(old, id);
	if (!old || at == old->count) {
		err = -ENOENT;
	} else {
		rule = old->rule[at];
		if (old->count > 1) {
			new = kmqtt_acl_table_copy(old, at, NULL);
			if (!new)
				err = -ENOMEM;
		}
	}
	if (!err)
		rcu_assign_pointer(acl->table, new);
	mutex_unlock(&acl->lock);
	if (err)
		return err;
	kmqtt_acl_table_free(old);
	kmqtt_acl_rule_free(rule);
	return 0;
}

void kmqtt_acl_flush(struct kmqtt_acl *acl)
{
	struct kmqtt_acl_table *old;
	u32 i;

	mutex_lock(&acl->lock);
	old = kmqtt_acl_table(acl);
	RCU_INIT_POINTER(acl->table, NULL);
	mutex_unlock(&acl->lock);
	if (!old)
		return;
	synchronize_rcu();
	for (i = 0; i < old->count; i++)
		kmqtt_acl_rule_free(old->rule[i]);
	kvfree(old);
}

unsigned int kmqtt_acl_walk(struct kmqtt_acl *acl, unsigned int start,
			    int (*fn)(void *ctx, const struct kmqtt_acl_rule *r),
			    void *ctx)
{
	const struct kmqtt_acl_table *table;
	unsigned int i = start;

	mutex_lock(&acl->lock);
	table = kmqtt_acl_table(acl);
	while (table && i < table->count && !fn(ctx, table->rule[i]))
		i++;
	mutex_unlock(&acl->lock);
	return i;
}

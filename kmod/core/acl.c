// SPDX-License-Identifier: GPL-2.0
/* Permission: see acl.h. */
#include <linux/cgroup.h>
#include <linux/jhash.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/random.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "core/acl_match.h"
#include "proto/topic.h"

#define KMQTT_ACL_NONE		U32_MAX		/* no rule */

/**
 * struct kmqtt_acl_table - the rules; constant once published
 * @count:	how many
 * @seed:	of the hash of names
 * @mask:	number of hash buckets, less one
 * @others:	first rule that is not about a name
 * @bucket:	first rule about a name of that hash
 * @next:	for each rule, the next one that hangs together with it
 * @rule:	in order, at least one
 *
 * In one allocation: the rules, @next, @bucket.
 */
struct kmqtt_acl_table {
	u32 count;
	u32 seed;
	u32 mask;
	u32 others;
	u32 *bucket;
	u32 *next;
	struct kmqtt_acl_rule *rule[];
};

/**
 * struct kmqtt_acl_iter - the rules that may be about a peer, in order
 * @table:	rules
 * @at:		where it is in each chain that may have some
 */
struct kmqtt_acl_iter {
	const struct kmqtt_acl_table *table;
	u32 at[3];
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

static struct cgroup *kmqtt_cgroup_get(struct cgroup *cgrp)
{
	if (cgrp)
		cgroup_get(cgrp);
	return cgrp;
}

static void kmqtt_cgroup_put(struct cgroup *cgrp)
{
	if (cgrp)
		cgroup_put(cgrp);
}
#else
static struct cgroup *kmqtt_cgroup_get_current(void)
{
	return NULL;
}

static struct cgroup *kmqtt_cgroup_get(struct cgroup *cgrp)
{
	return cgrp;
}

static void kmqtt_cgroup_put(struct cgroup *cgrp)
{
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

void kmqtt_identity_free(struct kmqtt_identity *id)
{
	kmqtt_identity_release(id);
	kfree(id);
}

static void kmqtt_identity_free_rcu(struct rcu_head *rcu)
{
	kmqtt_identity_free(container_of(rcu, struct kmqtt_identity, rcu));
}

void kmqtt_identity_put(struct kmqtt_identity *id)
{
	if (refcount_dec_and_test(&id->refs))
		call_rcu(&id->rcu, kmqtt_identity_free_rcu);
}

static size_t kmqtt_name_size(const char *name)
{
	return name ? strlen(name) + 1 : 0;
}

size_t kmqtt_identity_size(const struct kmqtt_identity *id)
{
	return sizeof(*id) + kmqtt_name_size(id->client_id) + kmqtt_name_size(id->user);
}

struct kmqtt_identity *kmqtt_identity_copy(const struct kmqtt_identity *id)
{
	struct kmqtt_identity *copy = kzalloc(kmqtt_identity_size(id), GFP_KERNEL_ACCOUNT);
	char *names = (char *)(copy + 1);

	if (!copy)
		return NULL;
	refcount_set(&copy->refs, 1);
	copy->cred = id->cred ? get_cred(id->cred) : NULL;
	copy->cgroup = kmqtt_cgroup_get(id->cgroup);
	copy->trusted = id->trusted;
	copy->client_id = memcpy(names, id->client_id, kmqtt_name_size(id->client_id));
	if (id->user)
		copy->user = memcpy(names + kmqtt_name_size(id->client_id), id->user,
				    kmqtt_name_size(id->user));
	return copy;
}

bool kmqtt_identity_same(const struct kmqtt_identity *a, const struct kmqtt_identity *b)
{
	return a->cred == b->cred && a->cgroup == b->cgroup && a->trusted == b->trusted &&
	       !strcmp(a->client_id, b->client_id) &&
	       (a->user && b->user ? !strcmp(a->user, b->user) : a->user == b->user);
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

static bool kmqtt_acl_by_name(const struct kmqtt_acl_rule *rule)
{
	return rule->subject == KMQTT_ACL_USER || rule->subject == KMQTT_ACL_CLIENT;
}

static u32 *kmqtt_acl_bucket(const struct kmqtt_acl_table *table, u8 subject,
			     const char *name)
{
	u32 hash = jhash(name, strlen(name), table->seed ^ subject);

	return &table->bucket[hash & table->mask];
}

static void kmqtt_acl_iter_begin(struct kmqtt_acl_iter *iter,
				 const struct kmqtt_acl_table *table,
				 const struct kmqtt_identity *who)
{
	const u32 *user = NULL, *client = NULL;

	if (who->user)
		user = kmqtt_acl_bucket(table, KMQTT_ACL_USER, who->user);
	if (who->client_id)
		client = kmqtt_acl_bucket(table, KMQTT_ACL_CLIENT, who->client_id);
	iter->table = table;
	iter->at[0] = table->others;
	iter->at[1] = user ? *user : KMQTT_ACL_NONE;
	/* the same chain is gone through once */
	iter->at[2] = client && client != user ? *client : KMQTT_ACL_NONE;
}

/* Return: the next rule, or NULL */
static const struct kmqtt_acl_rule *kmqtt_acl_iter_next(struct kmqtt_acl_iter *iter)
{
	u32 *first = &iter->at[0], i = *first;

	if (iter->at[1] < i) {
		first = &iter->at[1];
		i = *first;
	}
	if (iter->at[2] < i) {
		first = &iter->at[2];
		i = *first;
	}
	if (i == KMQTT_ACL_NONE)
		return NULL;
	*first = iter->table->next[i];
	return iter->table->rule[i];
}

bool kmqtt_acl_check_rules(struct kmqtt_acl *acl, const struct kmqtt_identity *who,
			   u8 access, const u8 *topic, u32 len)
{
	const struct kmqtt_view name = { .data = topic, .len = len };
	const struct kmqtt_acl_table *table;
	const struct kmqtt_acl_rule *rule;
	struct kmqtt_acl_iter iter;
	bool allow = true;

	rcu_read_lock();
	table = rcu_dereference(acl->table);
	if (table) {
		allow = READ_ONCE(acl->default_allow);
		kmqtt_acl_iter_begin(&iter, table, who);
		while ((rule = kmqtt_acl_iter_next(&iter))) {
			if (!(rule->access & access) || !kmqtt_acl_is_about(rule, who) ||
			    !kmqtt_acl_covers(rule, who, name))
				continue;
			allow = rule->allow;
			break;
		}
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
	struct kmqtt_acl_iter iter;
	bool allow = true;

	if (!rcu_access_pointer(acl->table) || who->trusted)
		return true;
	kmqtt_share_split(inner, &share, &inner);
	rcu_read_lock();
	table = rcu_dereference(acl->table);
	if (table) {
		allow = READ_ONCE(acl->default_allow);
		kmqtt_acl_iter_begin(&iter, table, who);
		while ((rule = kmqtt_acl_iter_next(&iter))) {
			if (!(rule->access & KMQTT_ACL_READ) ||
			    !kmqtt_acl_is_about(rule, who))
				continue;
			if (rule->allow ? kmqtt_acl_overlaps(rule, who, inner) :
					  kmqtt_acl_covers(rule, who, inner)) {
				allow = rule->allow;
				break;
			}
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

/* Waits until nobody reads the table that was before any more. */
static void kmqtt_acl_changed(struct kmqtt_acl *acl)
{
	synchronize_rcu();
	/* what is queued from now on was judged by the new rules: kmqtt_session_take() */
	atomic_inc(&acl->generation);
}

/* Room for so many rules. */
static struct kmqtt_acl_table *kmqtt_acl_table_alloc(u32 count)
{
	u32 buckets = roundup_pow_of_two(count);
	struct kmqtt_acl_table *table;

	table = kvmalloc(size_add(struct_size(table, rule, count),
				  array_size(size_add(count, buckets), sizeof(u32))),
			 GFP_KERNEL_ACCOUNT);
	if (!table)
		return NULL;
	table->count = count;
	table->seed = get_random_u32();
	table->mask = buckets - 1;
	table->next = (u32 *)&table->rule[count];
	table->bucket = table->next + count;
	return table;
}

/* With all its rules in it: what hangs together with what. */
static void kmqtt_acl_table_link(struct kmqtt_acl_table *table)
{
	u32 i, *head;

	table->others = KMQTT_ACL_NONE;
	memset(table->bucket, 0xff, array_size(table->mask + 1, sizeof(u32)));
	for (i = table->count; i-- > 0; ) {
		const struct kmqtt_acl_rule *rule = table->rule[i];

		head = kmqtt_acl_by_name(rule) ?
		       kmqtt_acl_bucket(table, rule->subject, rule->name) : &table->others;
		table->next[i] = *head;
		*head = i;
	}
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

	new = kmqtt_acl_table_alloc(rule ? count + 1 : count - 1);
	if (!new)
		return NULL;
	if (old)
		memcpy(new->rule, old->rule, at * sizeof(rule));
	if (rule) {
		new->rule[at] = rule;
		if (tail)
			memcpy(&new->rule[at + 1], &old->rule[at], tail * sizeof(rule));
	} else {
		memcpy(&new->rule[at], &old->rule[at + 1], (tail - 1) * sizeof(rule));
	}
	kmqtt_acl_table_link(new);
	return new;
}

int kmqtt_acl_add(struct kmqtt_acl *acl, struct kmqtt_acl_rule *rule, u32 before)
{
	struct kmqtt_acl_table *old, *new;
	u32 count, at;
	int err = 0;

	kmqtt_acl_prepare(rule);
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
	if (err)
		return err;
	kmqtt_acl_changed(acl);
	kvfree(old);
	return 0;
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
	kmqtt_acl_changed(acl);
	kvfree(old);
	kmqtt_acl_rule_free(rule);
	return 0;
}

/* A table that nobody reads any more, and its rules. */
static void kmqtt_acl_table_end(struct kmqtt_acl_table *table)
{
	u32 i;

	if (!table)
		return;
	for (i = 0; i < table->count; i++)
		kmqtt_acl_rule_free(table->rule[i]);
	kvfree(table);
}

int kmqtt_acl_replace(struct kmqtt_acl *acl, struct kmqtt_acl_rule **rule, u32 count)
{
	struct kmqtt_acl_table *old, *new;
	u32 i;

	if (count > KMQTT_ACL_RULES_MAX)
		return -ENOSPC;
	new = kmqtt_acl_table_alloc(count);
	if (!new)
		return -ENOMEM;
	for (i = 0; i < count; i++) {
		kmqtt_acl_prepare(rule[i]);
		new->rule[i] = rule[i];
	}
	kmqtt_acl_table_link(new);
	mutex_lock(&acl->lock);
	for (i = 0; i < count; i++)
		rule[i]->id = acl->next_id++;
	old = kmqtt_acl_table(acl);
	rcu_assign_pointer(acl->table, new);
	mutex_unlock(&acl->lock);
	kmqtt_acl_changed(acl);
	kmqtt_acl_table_end(old);
	return 0;
}

void kmqtt_acl_set_default(struct kmqtt_acl *acl, bool allow)
{
	WRITE_ONCE(acl->default_allow, allow);
	kmqtt_acl_changed(acl);
}

void kmqtt_acl_flush(struct kmqtt_acl *acl)
{
	struct kmqtt_acl_table *old;

	mutex_lock(&acl->lock);
	old = kmqtt_acl_table(acl);
	RCU_INIT_POINTER(acl->table, NULL);
	mutex_unlock(&acl->lock);
	if (old)
		kmqtt_acl_changed(acl);
	kmqtt_acl_table_end(old);
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

// SPDX-License-Identifier: GPL-2.0
/* The subscription tree: see tree.h. */
#include <linux/hash.h>
#include <linux/jhash.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "compat.h"
#include "core/grace.h"
#include "core/message.h"
#include "core/session.h"
#include "core/tree.h"

/* Subscriptions of a session that goes, removed before others get a turn. */
#define KMQTT_TREE_DEL_BATCH	256

/* Members for which a new group has room. */
#define KMQTT_GROUP_ROOM	4

#define KMQTT_SHARE_PREFIX	"$share/"

/* What a subscription is found by: @place is its group, or else its node. */
struct kmqtt_sub_key {
	const void *place;
	const struct kmqtt_session *session;
};

/* What a group is found by. */
struct kmqtt_group_key {
	const struct kmqtt_node *node;
	struct kmqtt_view name;
};

static const void *kmqtt_sub_place(const struct kmqtt_sub *sub)
{
	return sub->group ?: (void *)sub->node;
}

static u32 kmqtt_sub_hash(const void *place,
			  const struct kmqtt_session *session, u32 seed)
{
	return jhash_3words(hash_ptr(place, 32), hash_ptr(session, 32), 0, seed);
}

static u32 kmqtt_sub_key_hashfn(const void *data, u32 len, u32 seed)
{
	const struct kmqtt_sub_key *key = data;

	return kmqtt_sub_hash(key->place, key->session, seed);
}

static u32 kmqtt_sub_obj_hashfn(const void *data, u32 len, u32 seed)
{
	const struct kmqtt_sub *sub = data;

	return kmqtt_sub_hash(kmqtt_sub_place(sub), sub->session, seed);
}

static int kmqtt_sub_obj_cmpfn(struct rhashtable_compare_arg *arg,
			       const void *obj)
{
	const struct kmqtt_sub_key *key = arg->key;
	const struct kmqtt_sub *sub = obj;

	return sub->session != key->session ||
	       kmqtt_sub_place(sub) != key->place;
}

static const struct rhashtable_params kmqtt_sub_params = {
	.head_offset = offsetof(struct kmqtt_sub, hash_link),
	.key_len = sizeof(struct kmqtt_sub_key),
	.hashfn = kmqtt_sub_key_hashfn,
	.obj_hashfn = kmqtt_sub_obj_hashfn,
	.obj_cmpfn = kmqtt_sub_obj_cmpfn,
	.automatic_shrinking = true,
};

static struct kmqtt_view kmqtt_group_name(const struct kmqtt_sub_group *group)
{
	return (struct kmqtt_view) { .data = group->name, .len = group->name_len };
}

static u32 kmqtt_group_key_hashfn(const void *data, u32 len, u32 seed)
{
	const struct kmqtt_group_key *key = data;

	return jhash(key->name.data, key->name.len,
		     seed ^ hash_ptr(key->node, 32));
}

static u32 kmqtt_group_obj_hashfn(const void *data, u32 len, u32 seed)
{
	const struct kmqtt_sub_group *group = data;

	return jhash(group->name, group->name_len,
		     seed ^ hash_ptr(group->node, 32));
}

static int kmqtt_group_obj_cmpfn(struct rhashtable_compare_arg *arg,
				 const void *obj)
{
	const struct kmqtt_group_key *key = arg->key;
	const struct kmqtt_sub_group *group = obj;

	return group->node != key->node ||
	       !kmqtt_view_equal(kmqtt_group_name(group), key->name);
}

static const struct rhashtable_params kmqtt_group_params = {
	.head_offset = offsetof(struct kmqtt_sub_group, hash_link),
	.key_len = sizeof(struct kmqtt_group_key),
	.hashfn = kmqtt_group_key_hashfn,
	.obj_hashfn = kmqtt_group_obj_hashfn,
	.obj_cmpfn = kmqtt_group_obj_cmpfn,
	.automatic_shrinking = true,
};

int kmqtt_tree_init(struct kmqtt_tree *tree)
{
	int err;

	memset(tree, 0, sizeof(*tree));
	mutex_init(&tree->lock);
	INIT_LIST_HEAD(&tree->watches);
	err = kmqtt_trie_init(&tree->trie);
	if (err)
		return err;
	err = rhashtable_init(&tree->subs, &kmqtt_sub_params);
	if (err)
		goto err_trie;
	err = rhashtable_init(&tree->groups, &kmqtt_group_params);
	if (err)
		goto err_subs;
	return 0;

err_subs:
	rhashtable_destroy(&tree->subs);
err_trie:
	kmqtt_trie_destroy(&tree->trie);
	return err;
}

void kmqtt_tree_destroy(struct kmqtt_tree *tree)
{
	WARN_ON(tree->count);
	kmqtt_trie_destroy(&tree->trie);
	rhashtable_destroy(&tree->groups);
	rhashtable_destroy(&tree->subs);
	mutex_destroy(&tree->lock);
	kvfree(tree->path);
}

/* Is a subscription of this session a demand that watches are told of? */
static bool kmqtt_session_counts(const struct kmqtt_session *session)
{
	return session->kind != KMQTT_KIND_UPLINK;
}

static void kmqtt_tree_tell(struct kmqtt_tree *tree,
			    const struct kmqtt_node *node, bool added)
{
	struct kmqtt_sub_watch *watch;
	u32 len;

	if (list_empty(&tree->watches))
		return;
	len = kmqtt_node_path(node, tree->path, tree->path_cap);
	list_for_each_entry(watch, &tree->watches, link)
		watch->changed(watch, tree->path, len, added);
}

/* Makes tree->path long enough for one more filter. */
static int kmqtt_tree_path_reserve(struct kmqtt_tree *tree, u32 len)
{
	u32 cap = round_up(len, 64);
	u8 *path;

	if (cap <= tree->path_cap)
		return 0;
	path = kvmalloc(cap, GFP_KERNEL_ACCOUNT);
	if (!path)
		return -ENOMEM;
	kvfree(tree->path);
	tree->path = path;
	tree->path_cap = cap;
	return 0;
}

/* What there is of it for its subscriptions alone. tree->lock held */
static u64 kmqtt_tree_bytes(const struct kmqtt_tree *tree)
{
	return tree->trie.bytes + (u64)tree->count * sizeof(struct kmqtt_sub);
}

/* Whoever subscribes may have made up all levels and names: they count as messages do. */
static bool kmqtt_tree_charge(const struct kmqtt_tree *tree, u64 before)
{
	return !tree->broker ||
	       kmqtt_memory_charge(tree->broker, kmqtt_tree_bytes(tree) - before);
}

static void kmqtt_tree_uncharge(const struct kmqtt_tree *tree, u64 before)
{
	if (tree->broker)
		kmqtt_memory_uncharge(tree->broker, before - kmqtt_tree_bytes(tree));
}

static struct kmqtt_sub_members *
kmqtt_group_members(const struct kmqtt_tree *tree,
		    const struct kmqtt_sub_group *group)
{
	return rcu_dereference_protected(group->members,
					 lockdep_is_held(&tree->lock));
}

/* Has the group room for one more member? Makes it, if need be. */
static int kmqtt_group_reserve(struct kmqtt_tree *tree,
			       struct kmqtt_sub_group *group)
{
	struct kmqtt_sub_members *old = kmqtt_group_members(tree, group), *new;
	u32 room = old ? 2 * old->room : KMQTT_GROUP_ROOM;

	if (old && old->count < old->room)
		return 0;
	new = kvzalloc(struct_size(new, sub, room), GFP_KERNEL_ACCOUNT);
	if (!new)
		return -ENOMEM;
	new->room = room;
	if (old) {
		new->count = old->count;
		memcpy(new->sub, old->sub, array_size(old->count, sizeof(old->sub[0])));
	}
	rcu_assign_pointer(group->members, new);
	if (old)
		kvfree_rcu(old, rcu);
	return 0;
}

static size_t kmqtt_group_size(const struct kmqtt_sub_group *group)
{
	return struct_size(group, name, group->name_len);
}

static void kmqtt_group_free_rcu(struct rcu_head *rcu)
{
	struct kmqtt_sub_group *group = container_of(rcu, struct kmqtt_sub_group, rcu);

	kmqtt_grace_end(kmqtt_group_size(group));
	kfree(group);
}

void kmqtt_group_put(struct kmqtt_sub_group *group)
{
	if (!group || !refcount_dec_and_test(&group->refs))
		return;
	if (group->broker)
		kmqtt_memory_uncharge(group->broker, kmqtt_group_size(group));
	if (kmqtt_grace_begin(kmqtt_group_size(group)))
		call_rcu(&group->rcu, kmqtt_group_free_rcu);
	else
		kfree_rcu(group, rcu);
}

/* It has no members from now on, and drops the tree's reference. */
static void kmqtt_group_disband(struct kmqtt_tree *tree,
				struct kmqtt_sub_group *group)
{
	struct kmqtt_sub_members *members = kmqtt_group_members(tree, group);

	RCU_INIT_POINTER(group->members, NULL);
	if (members)
		kvfree_rcu(members, rcu);
	kmqtt_group_put(group);
}

static struct kmqtt_sub_group *kmqtt_group_find(struct kmqtt_tree *tree,
						const struct kmqtt_node *node,
						struct kmqtt_view name)
{
	struct kmqtt_group_key key = { .node = node, .name = name };

	return rhashtable_lookup_fast(&tree->groups, &key, kmqtt_group_params);
}

/* One without members. Return: it, with the tree's reference, or ERR_PTR() */
static struct kmqtt_sub_group *kmqtt_group_new(struct kmqtt_broker *broker,
					       struct kmqtt_node *node, struct kmqtt_view name)
{
	struct kmqtt_sub_group *group;
	size_t size = struct_size(group, name, name.len);

	if (broker && !kmqtt_memory_charge(broker, size))
		return ERR_PTR(-ENOBUFS);
	kmqtt_grace_wait();
	group = kzalloc(size, GFP_KERNEL_ACCOUNT);
	if (!group) {
		if (broker)
			kmqtt_memory_uncharge(broker, size);
		return ERR_PTR(-ENOMEM);
	}
	refcount_set(&group->refs, 1);
	group->broker = broker;
	group->node = node;
	group->name_len = name.len;
	memcpy(group->name, name.data, name.len);
	return group;
}

/*
 * The group with room for one more member; not in its node's list while empty.
 * Return: it, or ERR_PTR()
 */
static struct kmqtt_sub_group *kmqtt_group_get(struct kmqtt_tree *tree,
					       struct kmqtt_node *node,
					       struct kmqtt_view name)
{
	struct kmqtt_sub_group *group = kmqtt_group_find(tree, node, name);

	if (group)
		return kmqtt_group_reserve(tree, group) ? ERR_PTR(-ENOMEM) : group;
	group = kmqtt_group_new(tree->broker, node, name);
	if (IS_ERR(group))
		return group;
	if (kmqtt_group_reserve(tree, group) ||
	    kmqtt_hash_insert(&tree->groups, &group->hash_link,
			      kmqtt_group_params)) {
		kmqtt_group_disband(tree, group);
		return ERR_PTR(-ENOMEM);
	}
	return group;
}

/* A group that lost its last member, or never got one. */
static void kmqtt_group_drop(struct kmqtt_tree *tree,
			     struct kmqtt_sub_group *group)
{
	if (!hlist_unhashed(&group->node_link))
		hlist_del_rcu(&group->node_link);
	rhashtable_remove_fast(&tree->groups, &group->hash_link,
			       kmqtt_group_params);
	kmqtt_group_disband(tree, group);
}

/* A reader that sees the new count sees the new member too. */
static void kmqtt_group_join(struct kmqtt_tree *tree, struct kmqtt_sub *sub)
{
	struct kmqtt_sub_group *group = sub->group;
	struct kmqtt_sub_members *members = kmqtt_group_members(tree, group);

	sub->place = members->count;
	rcu_assign_pointer(members->sub[sub->place], sub);
	/* pairs with kmqtt_group_pick() */
	smp_store_release(&members->count, members->count + 1);
	if (hlist_unhashed(&group->node_link))
		hlist_add_head_rcu(&group->node_link, &group->node->groups);
}

/*
 * The last member moves to the place of the one that goes, and stays where it
 * was too, so that no reader misses it. Whoever still counts that last place
 * began before this and so before anything that is found there is freed.
 */
static void kmqtt_group_leave(struct kmqtt_tree *tree, struct kmqtt_sub *sub)
{
	struct kmqtt_sub_members *members = kmqtt_group_members(tree, sub->group);
	u32 count = members->count - 1;
	struct kmqtt_sub *last;

	if (!count) {
		kmqtt_group_drop(tree, sub->group);
		return;
	}
	last = rcu_dereference_protected(members->sub[count],
					 lockdep_is_held(&tree->lock));
	last->place = sub->place;
	rcu_assign_pointer(members->sub[last->place], last);
	/* pairs with kmqtt_group_pick() */
	smp_store_release(&members->count, count);
}

static struct kmqtt_sub *kmqtt_sub_find(struct kmqtt_tree *tree,
					const struct kmqtt_session *session,
					struct kmqtt_view share,
					struct kmqtt_view filter)
{
	struct kmqtt_node *node = kmqtt_trie_find(&tree->trie, filter);
	struct kmqtt_sub_key key = { .place = node, .session = session };

	if (node && share.data)
		key.place = kmqtt_group_find(tree, node, share);
	if (!key.place)
		return NULL;
	return rhashtable_lookup_fast(&tree->subs, &key, kmqtt_sub_params);
}

static void kmqtt_sub_count(struct kmqtt_tree *tree, struct kmqtt_sub *sub,
			    int n)
{
	struct kmqtt_session *session = sub->session;
	struct kmqtt_node *node = sub->node;

	tree->count += n;
	if (sub->group)
		tree->shared_count += n;
	WRITE_ONCE(session->sub_count, session->sub_count + n);
	if (!kmqtt_session_counts(session))
		return;
	node->local_subs += n;
	if (n > 0 && node->local_subs == 1)
		kmqtt_tree_tell(tree, node, true);
	else if (n < 0 && !node->local_subs)
		kmqtt_tree_tell(tree, node, false);
}

/* Before anything is freed that can be found no more. */
static void kmqtt_tree_changed(struct kmqtt_tree *tree)
{
	/* pairs with kmqtt_memo_begin() and kmqtt_memo_knows() */
	smp_store_release(&tree->generation, tree->generation + 1);
}

/* Puts a new subscription into the tree. */
static int kmqtt_sub_insert(struct kmqtt_tree *tree, struct kmqtt_sub *sub,
			    struct kmqtt_view share, struct kmqtt_view filter)
{
	int err = -ENOMEM;

	if (kmqtt_tree_path_reserve(tree, filter.len))
		return -ENOMEM;
	sub->node = kmqtt_trie_get(&tree->trie, filter);
	if (!sub->node)
		return -ENOMEM;
	if (share.data) {
		sub->group = kmqtt_group_get(tree, sub->node, share);
		if (IS_ERR(sub->group)) {
			err = PTR_ERR(sub->group);
			goto err_node;
		}
	}
	if (kmqtt_hash_insert(&tree->subs, &sub->hash_link, kmqtt_sub_params))
		goto err_group;
	if (sub->group)
		kmqtt_group_join(tree, sub);
	else
		hlist_add_head_rcu(&sub->node_link, &sub->node->subs);
	sub->number = ++sub->session->last_sub;
	list_add_tail(&sub->session_link, &sub->session->subs);
	kmqtt_tree_changed(tree);
	kmqtt_sub_count(tree, sub, 1);
	return 0;

err_group:
	if (sub->group && hlist_unhashed(&sub->group->node_link))
		kmqtt_group_drop(tree, sub->group);
err_node:
	kmqtt_trie_put(&tree->trie, sub->node);
	return err;
}

/* Puts a subscription with other options in the place of one that is there. */
static void kmqtt_sub_replace(struct kmqtt_tree *tree, struct kmqtt_sub *old,
			      struct kmqtt_sub *new)
{
	struct kmqtt_sub_members *members;

	new->node = old->node;
	new->group = old->group;
	new->place = old->place;
	new->number = old->number;
	rhashtable_replace_fast(&tree->subs, &old->hash_link, &new->hash_link,
				kmqtt_sub_params);
	if (new->group) {
		members = kmqtt_group_members(tree, new->group);
		rcu_assign_pointer(members->sub[new->place], new);
	} else {
		hlist_replace_rcu(&old->node_link, &new->node_link);
	}
	list_replace(&old->session_link, &new->session_link);
	kmqtt_tree_changed(tree);
	kfree_rcu(old, rcu);
}

static void kmqtt_sub_remove(struct kmqtt_tree *tree, struct kmqtt_sub *sub)
{
	struct kmqtt_node *node = sub->node;

	rhashtable_remove_fast(&tree->subs, &sub->hash_link, kmqtt_sub_params);
	list_del(&sub->session_link);
	kmqtt_sub_count(tree, sub, -1);
	if (sub->group)
		kmqtt_group_leave(tree, sub);
	else
		hlist_del_rcu(&sub->node_link);
	kmqtt_tree_changed(tree);
	kmqtt_trie_put(&tree->trie, node);
	kfree_rcu(sub, rcu);
}

int kmqtt_tree_add(struct kmqtt_tree *tree, struct kmqtt_session *session,
		   const u8 *filter, u32 len, const struct kmqtt_sub_opts *opts,
		   bool *existed)
{
	struct kmqtt_view inner = { .data = filter, .len = len }, share;
	struct kmqtt_sub *sub, *old;
	u64 before;
	int err = 0;

	kmqtt_share_split(inner, &share, &inner);
	sub = kzalloc_obj(*sub, GFP_KERNEL_ACCOUNT);
	if (!sub)
		return -ENOMEM;
	sub->session = session;
	sub->opts = *opts;

	mutex_lock(&tree->lock);
	before = kmqtt_tree_bytes(tree);
	old = kmqtt_sub_find(tree, session, share, inner);
	/*
	 * It died before kmqtt_tree_del_session() took the lock for the last
	 * time: either that finds this subscription, or this finds it dead.
	 */
	if (READ_ONCE(session->dead))
		err = -ESHUTDOWN;
	else if (old)
		kmqtt_sub_replace(tree, old, sub);
	else
		err = kmqtt_sub_insert(tree, sub, share, inner);
	if (err) {
		kfree(sub);
	} else if (!old && !kmqtt_tree_charge(tree, before)) {
		kmqtt_sub_remove(tree, sub);
		err = -ENOBUFS;
	}
	*existed = old;
	mutex_unlock(&tree->lock);
	return err;
}

int kmqtt_tree_del(struct kmqtt_tree *tree, struct kmqtt_session *session,
		   const u8 *filter, u32 len, struct kmqtt_sub_group **left)
{
	struct kmqtt_view inner = { .data = filter, .len = len }, share;
	struct kmqtt_sub *sub;
	u64 before;

	if (left)
		*left = NULL;
	kmqtt_share_split(inner, &share, &inner);
	mutex_lock(&tree->lock);
	sub = kmqtt_sub_find(tree, session, share, inner);
	if (sub && sub->group && left) {
		refcount_inc(&sub->group->refs);
		*left = sub->group;
	}
	before = kmqtt_tree_bytes(tree);
	if (sub)
		kmqtt_sub_remove(tree, sub);
	kmqtt_tree_uncharge(tree, before);
	mutex_unlock(&tree->lock);
	return sub ? 0 : -ENOENT;
}

void kmqtt_tree_del_session(struct kmqtt_tree *tree,
			    struct kmqtt_session *session)
{
	struct kmqtt_sub *sub;
	unsigned int batch;
	u64 before;
	bool more;

	do {
		mutex_lock(&tree->lock);
		before = kmqtt_tree_bytes(tree);
		for (batch = 0; batch < KMQTT_TREE_DEL_BATCH; batch++) {
			sub = list_first_entry_or_null(&session->subs,
						       struct kmqtt_sub,
						       session_link);
			if (!sub)
				break;
			kmqtt_sub_remove(tree, sub);
		}
		more = !list_empty(&session->subs);
		kmqtt_tree_uncharge(tree, before);
		mutex_unlock(&tree->lock);
		cond_resched();
	} while (more);
}

const struct kmqtt_sub *kmqtt_group_pick(struct kmqtt_sub_group *group,
					 kmqtt_rank_fn rank, void *ctx)
{
	struct kmqtt_sub_members *members = rcu_dereference(group->members);
	const struct kmqtt_sub *sub, *best = NULL;
	u32 count, at, left;
	u8 is, most = 0;

	if (!members)
		return NULL;
	/* pairs with kmqtt_group_join() and kmqtt_group_leave() */
	count = smp_load_acquire(&members->count);
	at = (u32)atomic_fetch_inc(&group->turn) % count;
	for (left = count; left && most < KMQTT_RANK_BEST; left--) {
		sub = rcu_dereference(members->sub[at]);
		is = rank(ctx, sub);
		if (is > most) {
			most = is;
			best = sub;
		}
		at = at + 1 < count ? at + 1 : 0;
	}
	return best;
}

/* What to call for what is found. */
struct kmqtt_visitor {
	kmqtt_sub_fn fn;
	kmqtt_group_fn group_fn;
	void *ctx;
};

static void kmqtt_node_visit(const struct kmqtt_node *node,
			     const struct kmqtt_visitor *v)
{
	struct kmqtt_sub_group *group;
	struct kmqtt_sub *sub;

	hlist_for_each_entry_rcu(sub, &node->subs, node_link)
		v->fn(v->ctx, sub);
	if (!v->group_fn)
		return;
	hlist_for_each_entry_rcu(group, &node->groups, node_link)
		v->group_fn(v->ctx, group);
}

/*
 * Depth first over all nodes whose path matches the topic's levels so far. At
 * each node the literal child comes first, then `+`. The way back needs no
 * stack: a node knows its parent, its own level tells which of the two it is (no
 * level of a topic name is `+`), and the topic is scanned backwards. It is not
 * gone if no `+` was left out on the way down.
 */
void kmqtt_tree_match(struct kmqtt_tree *tree, const u8 *topic, u32 len,
		      kmqtt_sub_fn fn, kmqtt_group_fn group_fn, void *ctx)
{
	const struct kmqtt_visitor visitor = { fn, group_fn, ctx };
	const struct kmqtt_view name = { .data = topic, .len = len };
	const struct kmqtt_node *root = tree->trie.root, *node = root;
	const struct kmqtt_node *next, *hash, *plus;
	/* A leading wildcard does not match `$` (MQTT 5.0, 4.7.2). */
	const bool dollar = topic[0] == '$';
	struct kmqtt_view level;
	bool left_out = false;
	u32 pos = 0;	/* where the level below @node begins */

	for (;;) {
		hash = rcu_dereference(node->hash);
		if (hash && !(dollar && node == root))
			kmqtt_node_visit(hash, &visitor);
		next = NULL;
		if (pos > len) {
			kmqtt_node_visit(node, &visitor);
		} else {
			level = kmqtt_level_at(name, pos);
			next = kmqtt_trie_child(&tree->trie, node, level);
			plus = dollar && node == root ? NULL : rcu_dereference(node->plus);
			left_out |= next && plus;
			if (!next)
				next = plus;
		}
		while (!next) {
			if (node == root || !left_out)
				return;
			pos = kmqtt_level_back(name, pos);
			if (!kmqtt_level_is(kmqtt_node_level(node), '+') &&
			    !(dollar && node->parent == root))
				next = rcu_dereference(node->parent->plus);
			if (next)
				level = kmqtt_level_at(name, pos);
			node = node->parent;
		}
		pos += level.len + 1;
		node = next;
	}
}

u32 kmqtt_sub_filter(const struct kmqtt_sub *sub, u8 *buf, u32 cap)
{
	const struct kmqtt_sub_group *group = sub->group;
	u32 prefix = sizeof(KMQTT_SHARE_PREFIX) - 1;
	u32 head = group ? prefix + group->name_len + 1 : 0;
	u32 len = head + kmqtt_node_path(sub->node, NULL, 0);

	if (len > cap || !buf)
		return len;
	if (group) {
		memcpy(buf, KMQTT_SHARE_PREFIX, prefix);
		memcpy(buf + prefix, group->name, group->name_len);
		buf[head - 1] = '/';
	}
	kmqtt_node_path(sub->node, buf + head, cap - head);
	return len;
}

void kmqtt_tree_watch(struct kmqtt_tree *tree, struct kmqtt_sub_watch *watch)
{
	const struct kmqtt_node *node = tree->trie.root;
	u32 len;

	mutex_lock(&tree->lock);
	while ((node = kmqtt_trie_next(node))) {
		cond_resched();
		if (!node->local_subs)
			continue;
		len = kmqtt_node_path(node, tree->path, tree->path_cap);
		watch->changed(watch, tree->path, len, true);
	}
	list_add_tail(&watch->link, &tree->watches);
	mutex_unlock(&tree->lock);
}

void kmqtt_tree_unwatch(struct kmqtt_tree *tree, struct kmqtt_sub_watch *watch)
{
	mutex_lock(&tree->lock);
	list_del(&watch->link);
	mutex_unlock(&tree->lock);
}

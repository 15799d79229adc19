/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A trie of topic levels, the ground of the subscription tree and of the
 * retained store. It knows levels only, not what hangs on a node.
 *
 * A child is found in one hash table that is keyed by (parent, level), so a
 * step costs the same however many children there are. The hash is seeded per
 * table. The children of a node are also in an ordered tree, for walks.
 *
 * Writers are serialised by whoever owns the trie (tree->lock, store->lock);
 * kmqtt_trie_child(), kmqtt_trie_find() and the parents, levels and wildcard
 * children of a node may be used under rcu_read_lock() instead.
 */
#ifndef KMQTT_CORE_TRIE_H
#define KMQTT_CORE_TRIE_H

#include <linux/delay.h>
#include <linux/rbtree.h>
#include <linux/rculist.h>
#include <linux/rhashtable.h>
#include <linux/types.h>

#include "proto/topic.h"

struct kmqtt_identity;
struct kmqtt_msg;

/**
 * struct kmqtt_node - one level of a filter or a topic name
 * @hash_link:	in trie->table
 * @parent:	one level up; NULL for the root. Stays readable as long as the node
 * @plus:	child for `+`, RCU
 * @hash:	child for `#`, RCU
 * @children:	all children by level, under the writer's lock
 * @sibling:	in parent->children
 * @rcu:	freed a grace period after it left the trie
 * @subs:	the subscription tree's: struct kmqtt_sub, RCU
 * @groups:	the subscription tree's: struct kmqtt_sub_group, RCU
 * @local_subs:	the subscription tree's: subscriptions by sessions that are no
 *		uplinks, shared ones too; for watches
 * @msg:	the retained store's: the retained message
 * @source:	the retained store's: who published it, a reference, or NULL
 * @expiry_link: the retained store's: in store->by_expiry if the message expires
 * @users:	subscriptions, message and children that keep it, under the
 *		writer's lock
 * @level_len:	bytes of @level
 * @level:	the level's text; `+` and `#` for wildcards
 */
struct kmqtt_node {
	struct rhash_head hash_link;
	struct kmqtt_node *parent;
	struct kmqtt_node __rcu *plus;
	struct kmqtt_node __rcu *hash;
	struct rb_root children;
	struct rb_node sibling;
	struct rcu_head rcu;
	union {
		struct {
			struct hlist_head subs;
			struct hlist_head groups;
			u32 local_subs;
		};
		struct {
			struct kmqtt_msg *msg;
			struct kmqtt_identity *source;
			struct rb_node expiry_link;
		};
	};
	u32 users;
	u16 level_len;
	u8 level[];
};

/**
 * struct kmqtt_trie - all levels
 * @table:	all nodes but the root by (parent, level)
 * @root:	above the first level
 * @nodes:	how many there are but the root, under the writer's lock
 * @bytes:	their sizes, likewise
 */
struct kmqtt_trie {
	struct rhashtable table;
	struct kmqtt_node *root;
	unsigned long nodes;
	u64 bytes;
};

/** kmqtt_level_is() - is the level the wildcard @wild (`+` or `#`)? Any context */
static inline bool kmqtt_level_is(struct kmqtt_view level, u8 wild)
{
	return level.len == 1 && level.data[0] == wild;
}

/** kmqtt_level_is_wild() - is the level a wildcard? Any context */
static inline bool kmqtt_level_is_wild(struct kmqtt_view level)
{
	return kmqtt_level_is(level, '+') || kmqtt_level_is(level, '#');
}

/**
 * kmqtt_level_at() - the level that begins at a position. Any context
 * @path:	topic name or filter
 * @pos:	where a level begins, at most @path.len; the next one begins
 *		1 + level.len behind; behind the last one that is @path.len + 1
 */
static inline struct kmqtt_view kmqtt_level_at(struct kmqtt_view path, u32 pos)
{
	struct kmqtt_view level = { .data = path.data + pos };

	while (pos + level.len < path.len && level.data[level.len] != '/')
		level.len++;
	return level;
}

/**
 * kmqtt_level_back() - where the level before a position begins. Any context
 * @path:	topic name or filter
 * @pos:	where a level begins, or @path.len + 1 behind the last one; not 0
 */
static inline u32 kmqtt_level_back(struct kmqtt_view path, u32 pos)
{
	for (pos--; pos && path.data[pos - 1] != '/'; pos--)
		;
	return pos;
}

/** kmqtt_node_level() - a node's level as a view; lives as long as the node */
static inline struct kmqtt_view kmqtt_node_level(const struct kmqtt_node *node)
{
	return (struct kmqtt_view) { .data = node->level, .len = node->level_len };
}

/* How often an insertion is tried again while its table is being rebuilt. */
#define KMQTT_HASH_INSERT_TRIES	20

/**
 * kmqtt_hash_insert() - rhashtable_insert_fast() that waits for a rebuild
 * @table:	hash table
 * @obj:	its link in the object
 * @params:	constant
 *
 * While the table is being rebuilt, an insertion into a long chain fails with
 * -EBUSY although there is room. Process context, may sleep.
 * Return: 0, -EBUSY, -ENOMEM, -E2BIG.
 */
static __always_inline int
kmqtt_hash_insert(struct rhashtable *table, struct rhash_head *obj,
		  const struct rhashtable_params params)
{
	int tries = KMQTT_HASH_INSERT_TRIES, err;

	for (;;) {
		err = rhashtable_insert_fast(table, obj, params);
		if (err != -EBUSY || !tries--)
			return err;
		usleep_range(500, 1000);
	}
}

/** kmqtt_trie_init() - only a root. Process context. Return: 0 or -errno */
int kmqtt_trie_init(struct kmqtt_trie *trie);

/** kmqtt_trie_destroy() - frees a trie that has only its root. Process context */
void kmqtt_trie_destroy(struct kmqtt_trie *trie);

/**
 * kmqtt_trie_child() - one step down
 * @trie:	the trie
 * @node:	from where
 * @level:	the child's level; `+` and `#` give the wildcards' nodes
 *
 * rcu_read_lock() or the writer's lock held. Return: the child or NULL.
 */
struct kmqtt_node *kmqtt_trie_child(struct kmqtt_trie *trie,
				    const struct kmqtt_node *node,
				    struct kmqtt_view level);

/**
 * kmqtt_trie_find() - the node of a topic name or filter
 * @trie:	the trie
 * @path:	valid name or filter
 *
 * rcu_read_lock() or the writer's lock held. Return: the node or NULL.
 */
struct kmqtt_node *kmqtt_trie_find(struct kmqtt_trie *trie,
				   struct kmqtt_view path);

/**
 * kmqtt_trie_get() - the node of a topic name or filter, made if need be
 * @trie:	the trie
 * @path:	valid name or filter
 *
 * Process context, the writer's lock held. The memory is charged to the
 * caller's cgroup. Return: the node with one more user, for kmqtt_trie_put();
 * NULL if there is no memory.
 */
struct kmqtt_node *kmqtt_trie_get(struct kmqtt_trie *trie,
				  struct kmqtt_view path);

/**
 * kmqtt_trie_put() - one user less; nodes without users leave the trie
 * @trie:	the trie
 * @node:	node; it and its parents may be gone afterwards
 *
 * The writer's lock held.
 */
void kmqtt_trie_put(struct kmqtt_trie *trie, struct kmqtt_node *node);

/**
 * kmqtt_node_cmp() - order of a node among its siblings: by bytes, the shorter
 *	one first
 *
 * Return: below, equal to or above 0 as @node stands before, at or behind @level.
 */
int kmqtt_node_cmp(const struct kmqtt_node *node, struct kmqtt_view level);

/**
 * kmqtt_node_child_from() - the first child that is not before a level
 * @node:	parent
 * @level:	a level; one without bytes for the very first child
 *
 * The writer's lock held. Return: the child or NULL.
 */
struct kmqtt_node *kmqtt_node_child_from(const struct kmqtt_node *node,
					 struct kmqtt_view level);

/** kmqtt_node_next() - the next sibling or NULL. The writer's lock held */
struct kmqtt_node *kmqtt_node_next(const struct kmqtt_node *node);

/**
 * kmqtt_trie_next() - walk all nodes, parents before their children
 * @node:	where the walk is; the root to begin
 *
 * The writer's lock held. Return: the next node, NULL at the end.
 */
struct kmqtt_node *kmqtt_trie_next(const struct kmqtt_node *node);

/**
 * kmqtt_node_path() - the topic name or filter of a node
 * @node:	not the root; rcu_read_lock() or the writer's lock held
 * @buf:	where to, or NULL to ask for the length alone
 * @cap:	bytes at @buf
 *
 * Return: its bytes; nothing is written if that is more than @cap.
 */
u32 kmqtt_node_path(const struct kmqtt_node *node, u8 *buf, u32 cap);

#endif

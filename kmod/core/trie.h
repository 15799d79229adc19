/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A trie of topic levels, the ground of the subscription tree and of the
 * retained store. It knows levels only, not what hangs on a node.
 *
 * Writers are serialised by whoever owns the trie (tree->lock, store->lock);
 * look-ups run under rcu_read_lock().
 */
#ifndef KMQTT_CORE_TRIE_H
#define KMQTT_CORE_TRIE_H

#include <linux/rculist.h>
#include <linux/rhashtable.h>
#include <linux/types.h>

/**
 * struct kmqtt_node - one level of a filter or a topic name
 * @hash_link:	in trie->table, for a literal level
 * @parent:	one level up; NULL for the root
 * @plus:	child for `+`, RCU
 * @hash:	child for `#`, RCU
 * @children:	all literal children (sibling), RCU
 * @sibling:	in parent->children
 * @rcu:	freed a grace period after it left the trie
 * @subs:	the subscription tree's: struct kmqtt_sub, RCU
 * @groups:	the subscription tree's: shared subscriptions, RCU
 * @msg:	the retained store's: the retained message, RCU
 * @users:	subscriptions, groups, message and children that keep it
 * @level_len:	bytes of @level
 * @level:	the level's text; `+` and `#` for wildcards
 */
struct kmqtt_node {
	struct rhash_head hash_link;
	struct kmqtt_node *parent;
	struct kmqtt_node __rcu *plus;
	struct kmqtt_node __rcu *hash;
	struct hlist_head children;
	struct hlist_node sibling;
	struct rcu_head rcu;
	struct hlist_head subs;
	struct hlist_head groups;
	struct kmqtt_msg __rcu *msg;
	u32 users;
	u32 local_subs;
	u16 level_len;
	u8 level[];
};

/**
 * struct kmqtt_trie - all levels
 * @table:	literal children by (parent, level)
 * @root:	above the first level
 * @nodes:	how many there are but the root
 */
struct kmqtt_trie {
	struct rhashtable table;
	struct kmqtt_node *root;
	unsigned long nodes;
};

/* see trie.c for the functions: init, destroy, find, get (create), put, child */
#endif

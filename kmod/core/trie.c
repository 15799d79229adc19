// SPDX-License-Identifier: GPL-2.0
/* A trie of topic levels: see trie.h. */
#include <linux/hash.h>
#include <linux/jhash.h>
#include <linux/slab.h>

#include "compat.h"
#include "core/grace.h"
#include "core/trie.h"

/* What a node is found by. */
struct kmqtt_node_key {
	const struct kmqtt_node *parent;
	struct kmqtt_view level;
};

static u32 kmqtt_node_hash(const struct kmqtt_node *parent,
			   struct kmqtt_view level, u32 seed)
{
	return jhash(level.data, level.len, seed ^ hash_ptr(parent, 32));
}

static u32 kmqtt_node_key_hashfn(const void *data, u32 len, u32 seed)
{
	const struct kmqtt_node_key *key = data;

	return kmqtt_node_hash(key->parent, key->level, seed);
}

static u32 kmqtt_node_obj_hashfn(const void *data, u32 len, u32 seed)
{
	const struct kmqtt_node *node = data;

	return kmqtt_node_hash(node->parent, kmqtt_node_level(node), seed);
}

static int kmqtt_node_obj_cmpfn(struct rhashtable_compare_arg *arg,
				const void *obj)
{
	const struct kmqtt_node_key *key = arg->key;
	const struct kmqtt_node *node = obj;

	return node->parent != key->parent ||
	       !kmqtt_view_equal(kmqtt_node_level(node), key->level);
}

static const struct rhashtable_params kmqtt_trie_params = {
	.head_offset = offsetof(struct kmqtt_node, hash_link),
	.key_len = sizeof(struct kmqtt_node_key),
	.hashfn = kmqtt_node_key_hashfn,
	.obj_hashfn = kmqtt_node_obj_hashfn,
	.obj_cmpfn = kmqtt_node_obj_cmpfn,
	.automatic_shrinking = true,
};

int kmqtt_trie_init(struct kmqtt_trie *trie)
{
	int err;

	trie->nodes = 0;
	trie->bytes = 0;
	trie->root = kzalloc_obj(*trie->root, GFP_KERNEL);
	if (!trie->root)
		return -ENOMEM;
	err = rhashtable_init(&trie->table, &kmqtt_trie_params);
	if (err)
		kfree(trie->root);
	return err;
}

void kmqtt_trie_destroy(struct kmqtt_trie *trie)
{
	WARN_ON(trie->nodes);
	rhashtable_destroy(&trie->table);
	kfree(trie->root);
}

struct kmqtt_node *kmqtt_trie_child(struct kmqtt_trie *trie,
				    const struct kmqtt_node *node,
				    struct kmqtt_view level)
{
	struct kmqtt_node_key key = { .parent = node, .level = level };

	return rhashtable_lookup_fast(&trie->table, &key, kmqtt_trie_params);
}

struct kmqtt_node *kmqtt_trie_find(struct kmqtt_trie *trie,
				   struct kmqtt_view path)
{
	struct kmqtt_node *node = trie->root;
	struct kmqtt_view level;

	while (node && kmqtt_level_next(&path, &level))
		node = kmqtt_trie_child(trie, node, level);
	return node;
}

int kmqtt_node_cmp(const struct kmqtt_node *node, struct kmqtt_view level)
{
	int cmp = memcmp(node->level, level.data,
			 min_t(u32, node->level_len, level.len));

	return cmp ?: (int)node->level_len - (int)level.len;
}

/* Into the order of its parent's children. */
static void kmqtt_node_link(struct kmqtt_node *node)
{
	struct rb_node **at = &node->parent->children.rb_node, *above = NULL;
	struct kmqtt_view level = kmqtt_node_level(node);

	while (*at) {
		above = *at;
		if (kmqtt_node_cmp(rb_entry(above, struct kmqtt_node, sibling), level) > 0)
			at = &above->rb_left;
		else
			at = &above->rb_right;
	}
	rb_link_node(&node->sibling, above, at);
	rb_insert_color(&node->sibling, &node->parent->children);
}

/* The parent's pointer to a wildcard child; NULL for any other level. */
static struct kmqtt_node __rcu **kmqtt_node_slot(struct kmqtt_node *parent,
						 struct kmqtt_view level)
{
	if (kmqtt_level_is(level, '+'))
		return &parent->plus;
	return kmqtt_level_is(level, '#') ? &parent->hash : NULL;
}

static size_t kmqtt_node_size(const struct kmqtt_node *node)
{
	return struct_size(node, level, node->level_len);
}

static void kmqtt_node_free_rcu(struct rcu_head *rcu)
{
	struct kmqtt_node *node = container_of(rcu, struct kmqtt_node, rcu);

	kmqtt_grace_end(kmqtt_node_size(node));
	kfree(node);
}

static struct kmqtt_node *kmqtt_node_new(struct kmqtt_trie *trie,
					 struct kmqtt_node *parent,
					 struct kmqtt_view level)
{
	struct kmqtt_node __rcu **slot = kmqtt_node_slot(parent, level);
	struct kmqtt_node *node;

	kmqtt_grace_wait();
	node = kzalloc(struct_size(node, level, level.len), GFP_KERNEL_ACCOUNT);
	if (!node)
		return NULL;
	node->parent = parent;
	node->level_len = level.len;
	memcpy(node->level, level.data, level.len);
	if (kmqtt_hash_insert(&trie->table, &node->hash_link, kmqtt_trie_params)) {
		kfree(node);
		return NULL;
	}
	if (slot)
		rcu_assign_pointer(*slot, node);
	kmqtt_node_link(node);
	parent->users++;
	trie->nodes++;
	trie->bytes += kmqtt_node_size(node);
	return node;
}

struct kmqtt_node *kmqtt_trie_get(struct kmqtt_trie *trie,
				  struct kmqtt_view path)
{
	struct kmqtt_node *node = trie->root, *child;
	struct kmqtt_view level;

	/* One user moves down along the path; the child keeps what is above. */
	node->users++;
	while (kmqtt_level_next(&path, &level)) {
		child = kmqtt_trie_child(trie, node, level);
		if (!child)
			child = kmqtt_node_new(trie, node, level);
		if (!child) {
			kmqtt_trie_put(trie, node);
			return NULL;
		}
		child->users++;
		node->users--;
		node = child;
	}
	return node;
}

void kmqtt_trie_put(struct kmqtt_trie *trie, struct kmqtt_node *node)
{
	struct kmqtt_node __rcu **slot;
	struct kmqtt_node *parent;

	while (!--node->users && node->parent) {
		parent = node->parent;
		slot = kmqtt_node_slot(parent, kmqtt_node_level(node));
		if (slot)
			RCU_INIT_POINTER(*slot, NULL);
		rhashtable_remove_fast(&trie->table, &node->hash_link,
				       kmqtt_trie_params);
		rb_erase(&node->sibling, &parent->children);
		trie->nodes--;
		trie->bytes -= kmqtt_node_size(node);
		if (kmqtt_grace_begin(kmqtt_node_size(node)))
			call_rcu(&node->rcu, kmqtt_node_free_rcu);
		else
			kfree_rcu(node, rcu);
		node = parent;
	}
}

struct kmqtt_node *kmqtt_node_child_from(const struct kmqtt_node *node,
					 struct kmqtt_view level)
{
	struct rb_node *at = node->children.rb_node;
	struct kmqtt_node *child, *best = NULL;

	while (at) {
		child = rb_entry(at, struct kmqtt_node, sibling);
		if (kmqtt_node_cmp(child, level) < 0) {
			at = at->rb_right;
		} else {
			best = child;
			at = at->rb_left;
		}
	}
	return best;
}

struct kmqtt_node *kmqtt_node_next(const struct kmqtt_node *node)
{
	struct rb_node *next = rb_next(&node->sibling);

	return next ? rb_entry(next, struct kmqtt_node, sibling) : NULL;
}

struct kmqtt_node *kmqtt_trie_next(const struct kmqtt_node *node)
{
	struct rb_node *first = rb_first(&node->children);
	struct kmqtt_node *next;

	if (first)
		return rb_entry(first, struct kmqtt_node, sibling);
	for (; node->parent; node = node->parent) {
		next = kmqtt_node_next(node);
		if (next)
			return next;
	}
	return NULL;
}

u32 kmqtt_node_path(const struct kmqtt_node *node, u8 *buf, u32 cap)
{
	const struct kmqtt_node *at;
	u32 len = 0, pos;

	for (at = node; at->parent; at = at->parent)
		len += at->level_len + 1;
	len--;
	if (len > cap || !buf)
		return len;
	for (pos = len, at = node; at->parent; at = at->parent) {
		if (at != node)
			buf[--pos] = '/';
		pos -= at->level_len;
		memcpy(buf + pos, at->level, at->level_len);
	}
	return len;
}

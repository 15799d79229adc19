// SPDX-License-Identifier: GPL-2.0
/* Retained messages: see retain.h. */
#include <linux/err.h>
#include <linux/sched.h>

#include "core/acl.h"
#include "core/message.h"
#include "core/retain.h"

/*
 * Expired messages that a new one drops. More than one, so that there are
 * never more than twice as many as have been published in their lifetime.
 */
#define KMQTT_RETAIN_REAP	2

int kmqtt_retain_init(struct kmqtt_retain *store)
{
	memset(store, 0, sizeof(*store));
	mutex_init(&store->lock);
	store->by_expiry = RB_ROOT_CACHED;
	return kmqtt_trie_init(&store->trie);
}

static void kmqtt_retain_put_source(struct kmqtt_broker *broker, struct kmqtt_identity *source)
{
	if (!source || !refcount_dec_and_test(&source->refs))
		return;
	kmqtt_memory_uncharge(broker, kmqtt_identity_size(source));
	kmqtt_identity_free(source);
}

/* Who published last, where nothing is left of what he did. */
static void kmqtt_retain_forget_source(struct kmqtt_retain *store, struct kmqtt_broker *broker)
{
	if (store->count)
		return;
	kmqtt_retain_put_source(broker, store->source);
	store->source = NULL;
}

static bool kmqtt_retain_earlier(struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct kmqtt_node, expiry_link)->msg->expires <
	       rb_entry(b, struct kmqtt_node, expiry_link)->msg->expires;
}

static void kmqtt_retain_count(struct kmqtt_retain *store, long n, s64 bytes)
{
	WRITE_ONCE(store->count, store->count + n);
	WRITE_ONCE(store->bytes, store->bytes + bytes);
}

/* Who publishes a message is seldom another one than who published the last. */
static int kmqtt_retain_get_source(struct kmqtt_retain *store, struct kmqtt_broker *broker,
				   const struct kmqtt_identity *who,
				   struct kmqtt_identity **source)
{
	struct kmqtt_identity *copy;

	*source = NULL;
	if (!who)
		return 0;
	if (!store->source || !kmqtt_identity_same(store->source, who)) {
		if (!kmqtt_memory_charge(broker, kmqtt_identity_size(who)))
			return -ENOSPC;
		copy = kmqtt_identity_copy(who);
		if (!copy) {
			kmqtt_memory_uncharge(broker, kmqtt_identity_size(who));
			return -ENOMEM;
		}
		kmqtt_retain_put_source(broker, store->source);
		store->source = copy;
	}
	refcount_inc(&store->source->refs);
	*source = store->source;
	return 0;
}

/* Hangs a message on a node without one; takes over the reference to @source. */
static void kmqtt_retain_attach(struct kmqtt_retain *store, struct kmqtt_node *node,
				struct kmqtt_msg *msg, struct kmqtt_identity *source)
{
	node->msg = kmqtt_msg_get(msg);
	node->source = source;
	if (msg->expires)
		rb_add_cached(&node->expiry_link, &store->by_expiry,
			      kmqtt_retain_earlier);
	kmqtt_retain_count(store, 1, msg->size);
}

static void kmqtt_retain_detach(struct kmqtt_retain *store,
				struct kmqtt_node *node)
{
	struct kmqtt_msg *msg = node->msg;

	if (msg->expires)
		rb_erase_cached(&node->expiry_link, &store->by_expiry);
	kmqtt_retain_put_source(msg->broker, node->source);
	node->source = NULL;
	node->msg = NULL;
	kmqtt_retain_count(store, -1, -(s64)msg->size);
	kmqtt_msg_put(msg);
}

/* Lets go of a node without a message; what becomes free is not counted any more. */
static void kmqtt_retain_put_node(struct kmqtt_retain *store,
				  struct kmqtt_broker *broker,
				  struct kmqtt_node *node)
{
	u64 before = store->trie.bytes;

	kmqtt_trie_put(&store->trie, node);
	kmqtt_memory_uncharge(broker, before - store->trie.bytes);
}

/* Forgets a node's message, and the node if nothing else needs it. */
static void kmqtt_retain_drop(struct kmqtt_retain *store,
			      struct kmqtt_node *node)
{
	struct kmqtt_broker *broker = node->msg->broker;

	kmqtt_retain_detach(store, node);
	kmqtt_retain_put_node(store, broker, node);
	kmqtt_retain_forget_source(store, broker);
}

/*
 * A node for one more message. The levels of a topic name may take much more
 * memory than the message, and whoever sent it may have made up all of them: so
 * they count as it does.
 */
static struct kmqtt_node *kmqtt_retain_get_node(struct kmqtt_retain *store,
						struct kmqtt_broker *broker,
						struct kmqtt_view topic)
{
	u64 before = store->trie.bytes, more;
	struct kmqtt_node *node = kmqtt_trie_get(&store->trie, topic);

	if (!node)
		return ERR_PTR(-ENOMEM);
	more = store->trie.bytes - before;
	if (kmqtt_memory_charge(broker, more))
		return node;
	kmqtt_trie_put(&store->trie, node);
	return ERR_PTR(-ENOSPC);
}

static bool kmqtt_retain_expired(const struct kmqtt_node *node)
{
	u32 left;

	return !kmqtt_msg_expiry_left(node->msg, &left);
}

static void kmqtt_retain_reap(struct kmqtt_retain *store)
{
	unsigned int budget = KMQTT_RETAIN_REAP;
	struct kmqtt_node *node;
	struct rb_node *first;

	while (budget-- && (first = rb_first_cached(&store->by_expiry))) {
		node = rb_entry(first, struct kmqtt_node, expiry_link);
		if (!kmqtt_retain_expired(node))
			return;
		kmqtt_retain_drop(store, node);
	}
}

static int kmqtt_retain_keep(struct kmqtt_retain *store, struct kmqtt_msg *msg,
			     const struct kmqtt_identity *who, unsigned long max_count)
{
	struct kmqtt_view topic = {
		.data = kmqtt_msg_topic(msg), .len = msg->topic_len,
	};
	struct kmqtt_node *node = kmqtt_trie_find(&store->trie, topic);
	struct kmqtt_identity *source;
	bool there = node && node->msg;
	int ret;

	if (!msg->payload_len) {
		if (there)
			kmqtt_retain_drop(store, node);
		return 0;
	}
	if (!there && max_count && store->count >= max_count)
		return -ENOSPC;
	ret = kmqtt_retain_get_source(store, msg->broker, who, &source);
	if (ret)
		return ret;
	if (there) {
		kmqtt_retain_detach(store, node);
	} else {
		node = kmqtt_retain_get_node(store, msg->broker, topic);
		if (IS_ERR(node)) {
			kmqtt_retain_put_source(msg->broker, source);
			kmqtt_retain_forget_source(store, msg->broker);
			return PTR_ERR(node);
		}
	}
	kmqtt_retain_attach(store, node, msg, source);
	return 0;
}

int kmqtt_retain_set(struct kmqtt_retain *store, struct kmqtt_msg *msg,
		     const struct kmqtt_identity *source, unsigned long max_count)
{
	lockdep_assert_held(&store->lock);
	kmqtt_retain_reap(store);
	return kmqtt_retain_keep(store, msg, source, max_count);
}

/**
 * struct kmqtt_retain_iter - a walk over the nodes that match a filter
 * @store:	where
 * @filter:	what has to match
 * @after:	topic name to go on behind; @data is NULL if there is none
 * @filter_pos:	where in @filter the level for the children of @node begins;
 *		stays at a `#` while below @base
 * @after_pos:	where in @after the level for the children of @node begins
 * @seeking:	the path so far is that of @after
 * @node:	where the walk is
 * @base:	node below which `#` lets everything through, or NULL
 */
struct kmqtt_retain_iter {
	struct kmqtt_retain *store;
	struct kmqtt_view filter;
	struct kmqtt_view after;
	u32 filter_pos;
	u32 after_pos;
	bool seeking;
	struct kmqtt_node *node;
	struct kmqtt_node *base;
};

/* A leading wildcard does not match `$` (MQTT 5.0, 4.7.2). */
static struct kmqtt_node *
kmqtt_retain_skip_dollar(const struct kmqtt_retain_iter *it,
			 struct kmqtt_node *child)
{
	while (child && !it->node->parent && child->level_len &&
	       child->level[0] == '$')
		child = kmqtt_node_next(child);
	return child;
}

/* The level of @after that the next child is measured by; none if not seeking. */
static struct kmqtt_view
kmqtt_retain_seek_level(const struct kmqtt_retain_iter *it)
{
	if (!it->seeking || it->after_pos > it->after.len)
		return (struct kmqtt_view) { };
	return kmqtt_level_at(it->after, it->after_pos);
}

/* The first child of the node that the filter's next level lets through. */
static struct kmqtt_node *kmqtt_retain_below(const struct kmqtt_retain_iter *it)
{
	struct kmqtt_view seek = kmqtt_retain_seek_level(it), level;
	struct kmqtt_node *child;

	if (it->filter_pos > it->filter.len)
		return NULL;
	level = kmqtt_level_at(it->filter, it->filter_pos);
	if (kmqtt_level_is_wild(level)) {
		child = kmqtt_node_child_from(it->node, seek);
		return kmqtt_retain_skip_dollar(it, child);
	}
	child = kmqtt_trie_child(&it->store->trie, it->node, level);
	return child && kmqtt_node_cmp(child, seek) >= 0 ? child : NULL;
}

static void kmqtt_retain_down(struct kmqtt_retain_iter *it,
			      struct kmqtt_node *child)
{
	struct kmqtt_view seek = kmqtt_retain_seek_level(it), level;

	it->seeking = seek.data && !kmqtt_node_cmp(child, seek);
	it->after_pos += seek.len + 1;
	if (!it->base) {
		level = kmqtt_level_at(it->filter, it->filter_pos);
		if (kmqtt_level_is(level, '#'))
			it->base = it->node;
		else
			it->filter_pos += level.len + 1;
	}
	it->node = child;
}

/* Back to the parent. Return: the next of its children, or NULL. */
static struct kmqtt_node *kmqtt_retain_up(struct kmqtt_retain_iter *it)
{
	struct kmqtt_node *child = it->node;
	struct kmqtt_view level;

	it->seeking = false;
	if (it->base == child)
		it->base = NULL;
	if (!it->base)
		it->filter_pos = kmqtt_level_back(it->filter, it->filter_pos);
	it->node = child->parent;
	level = kmqtt_level_at(it->filter, it->filter_pos);
	if (!kmqtt_level_is_wild(level))
		return NULL;
	return kmqtt_retain_skip_dollar(it, kmqtt_node_next(child));
}

/* Does the filter match the node's topic name, and is it behind @after? */
static bool kmqtt_retain_hit(const struct kmqtt_retain_iter *it)
{
	if (!it->node->msg || it->seeking)
		return false;
	return it->base || it->filter_pos > it->filter.len ||
	       kmqtt_level_is(kmqtt_level_at(it->filter, it->filter_pos), '#');
}

/*
 * The next node whose message matches, depth first, or NULL. What was returned
 * last may be dropped after this call: what is returned now is not above it,
 * and keeps its own parents.
 */
static struct kmqtt_node *kmqtt_retain_next(struct kmqtt_retain_iter *it)
{
	struct kmqtt_node *child;

	do {
		child = kmqtt_retain_below(it);
		while (!child) {
			if (!it->node->parent)
				return NULL;
			child = kmqtt_retain_up(it);
		}
		kmqtt_retain_down(it, child);
		cond_resched();
	} while (!kmqtt_retain_hit(it));
	return it->node;
}

static void kmqtt_retain_iter_init(struct kmqtt_retain_iter *it,
				   struct kmqtt_retain *store,
				   const u8 *filter, u32 len, const u8 *after,
				   u32 after_len)
{
	*it = (struct kmqtt_retain_iter) {
		.store = store,
		.filter = { .data = filter, .len = len },
		.after = { .data = after, .len = after_len },
		.seeking = after,
		.node = store->trie.root,
	};
}

int kmqtt_retain_walk_locked(struct kmqtt_retain *store, const u8 *filter, u32 len,
			     const u8 *after, u32 after_len, kmqtt_retain_fn fn, void *ctx)
{
	struct kmqtt_retain_iter it;
	struct kmqtt_node *node, *next;
	int ret = 0;

	lockdep_assert_held(&store->lock);
	kmqtt_retain_iter_init(&it, store, filter, len, after, after_len);
	for (node = kmqtt_retain_next(&it); node && !ret; node = next) {
		next = kmqtt_retain_next(&it);
		if (kmqtt_retain_expired(node))
			kmqtt_retain_drop(store, node);
		else
			ret = fn(ctx, node->msg, node->source);
	}
	return ret;
}

int kmqtt_retain_walk(struct kmqtt_retain *store, const u8 *filter, u32 len,
		      const u8 *after, u32 after_len, kmqtt_retain_fn fn,
		      void *ctx)
{
	int ret;

	mutex_lock(&store->lock);
	ret = kmqtt_retain_walk_locked(store, filter, len, after, after_len, fn, ctx);
	mutex_unlock(&store->lock);
	return ret;
}

unsigned long kmqtt_retain_clear(struct kmqtt_retain *store, const u8 *filter,
				 u32 len)
{
	return kmqtt_retain_clear_if(store, filter, len, NULL, NULL);
}

unsigned long kmqtt_retain_clear_if(struct kmqtt_retain *store, const u8 *filter,
				    u32 len, kmqtt_retain_if fn, void *ctx)
{
	struct kmqtt_retain_iter it;
	struct kmqtt_node *node, *next;
	unsigned long cleared = 0;

	kmqtt_retain_iter_init(&it, store, filter, len, NULL, 0);
	mutex_lock(&store->lock);
	for (node = kmqtt_retain_next(&it); node; node = next) {
		next = kmqtt_retain_next(&it);
		if (fn && !fn(ctx, node->msg))
			continue;
		kmqtt_retain_drop(store, node);
		cleared++;
	}
	mutex_unlock(&store->lock);
	return cleared;
}

void kmqtt_retain_destroy(struct kmqtt_retain *store)
{
	struct kmqtt_node *node, *next;

	/* Parents come before their children, so the next one is never dropped. */
	for (node = kmqtt_trie_next(store->trie.root); node; node = next) {
		next = kmqtt_trie_next(node);
		if (node->msg)
			kmqtt_retain_drop(store, node);
		cond_resched();
	}
	kmqtt_trie_destroy(&store->trie);
	mutex_destroy(&store->lock);
}

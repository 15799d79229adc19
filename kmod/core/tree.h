/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The subscription tree: which sessions does a topic name match?
 *
 * One node per topic level; literal children are found in one hash table that
 * is keyed by (parent, level), `+` and `#` hang on the node itself. So a match
 * costs hash look-ups by the topic's levels and what matches, however many
 * subscriptions there are.
 *
 * Subscribing and unsubscribing cost the same, however many there are.
 *
 * Locks: writers hold tree->lock (a mutex: process context, may sleep),
 * readers rcu_read_lock() and nothing else. Order: session->lock may be taken
 * inside a match, never tree->lock inside session->lock.
 */
#ifndef KMQTT_CORE_TREE_H
#define KMQTT_CORE_TREE_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/types.h>

#include "core/trie.h"

struct kmqtt_broker;
struct kmqtt_session;

/**
 * struct kmqtt_sub_opts - subscription options (MQTT 5.0, 3.8.3.1)
 * @sub_id:		subscription identifier, 0: none (MQTT 5.0, 3.8.2.1.2)
 * @qos:		maximum QoS
 * @retain_handling:	0 to 2
 * @no_local:		not what the session published itself
 * @retain_as_published: keep the RETAIN flag
 */
struct kmqtt_sub_opts {
	u32 sub_id;
	u8 qos;
	u8 retain_handling;
	bool no_local;
	bool retain_as_published;
};

/**
 * struct kmqtt_sub - one subscription of one session
 * @node_link:	in its node's list, if it is not a shared one; RCU, written under
 *		tree->lock
 * @hash_link:	in tree->subs
 * @session_link: in session->subs, under tree->lock
 * @session:	owner; holds no reference: a session removes its subscriptions
 *		before it goes, and is freed a grace period later
 * @node:	where it hangs
 * @group:	its group if it is a shared subscription (`$share`), else NULL
 * @place:	its index in the group, under tree->lock
 * @number:	given once, ascending in session->subs: where a dump goes on
 * @opts:	options; replaced as a whole by a new struct kmqtt_sub, so that a
 *		reader sees either the old ones or the new ones
 * @rcu:	freed a grace period after removal
 */
struct kmqtt_sub {
	struct hlist_node node_link;
	struct rhash_head hash_link;
	struct list_head session_link;
	struct kmqtt_session *session;
	struct kmqtt_node *node;
	struct kmqtt_sub_group *group;
	u32 place;
	u32 number;
	struct kmqtt_sub_opts opts;
	struct rcu_head rcu;
};

/**
 * struct kmqtt_sub_members - the members of a group
 * @rcu:	freed a grace period after a larger one has taken its place, or all left
 * @count:	how many; what is behind them may be stale
 * @room:	for how many there is room, under tree->lock
 * @sub:	they, in no order
 */
struct kmqtt_sub_members {
	struct rcu_head rcu;
	u32 count;
	u32 room;
	struct kmqtt_sub __rcu *sub[];
};

/**
 * struct kmqtt_sub_group - the shared subscriptions (MQTT 5.0, 4.8.2) that have
 *	their share name and their filter in common
 * @node_link:	in its node's list, RCU, written under tree->lock
 * @hash_link:	in tree->groups
 * @node:	node of the filter; only while there are members
 * @broker:	against whose memory_limit it counts, to the last reference; NULL: nobody's
 * @members:	RCU; NULL when the last one has left: there is no way back
 * @refs:	the tree's, and the messages' that came by it (struct kmqtt_qent)
 * @turn:	how many messages it had
 * @rcu:	freed a grace period after the last reference went
 * @name_len:	bytes of @name
 * @name:	share name
 */
struct kmqtt_sub_group {
	struct hlist_node node_link;
	struct rhash_head hash_link;
	struct kmqtt_node *node;
	struct kmqtt_broker *broker;
	struct kmqtt_sub_members __rcu *members;
	refcount_t refs;
	atomic_t turn;
	struct rcu_head rcu;
	u16 name_len;
	u8 name[];
};

/**
 * struct kmqtt_sub_watch - told when a filter gets its first or loses its last
 *	subscription; uplinks follow the local demand with it
 * @link:	in tree->watches, under tree->lock
 * @changed:	called under tree->lock, and mostly retain.lock: must not call back into
 *		the tree or the retained store, nor wait for who does. A
 *		session of KMQTT_KIND_UPLINK is not counted. For `$share` the
 *		filter inside it is told. @filter has no NUL and is only lent.
 */
struct kmqtt_sub_watch {
	struct list_head link;
	void (*changed)(struct kmqtt_sub_watch *watch, const u8 *filter,
			u32 len, bool added);
};

/**
 * struct kmqtt_tree - all subscriptions of a switch
 * @broker:	whose memory_limit all of it counts against; NULL: nobody's. Set before it is
 *		used
 * @trie:	nodes
 * @subs:	subscriptions by (group or node, session)
 * @groups:	shared subscriptions' groups by (node, share name)
 * @lock:	writers
 * @generation:	changes so far, written under @lock, read anywhere
 * @count:	subscriptions, under @lock
 * @shared_count: of them, shared ones, under @lock
 * @watches:	list of struct kmqtt_sub_watch, under @lock
 * @path:	room for any filter in the tree, so that unsubscribing needs no
 *		memory, under @lock
 * @path_cap:	bytes at @path, under @lock
 */
struct kmqtt_tree {
	struct kmqtt_broker *broker;
	struct kmqtt_trie trie;
	struct rhashtable subs;
	struct rhashtable groups;
	struct mutex lock; /* writers */
	u32 generation;
	u64 count;
	u64 shared_count;
	struct list_head watches;
	u8 *path;
	u32 path_cap;
};

/** kmqtt_tree_init() - an empty tree. Process context. Return: 0 or -errno */
int kmqtt_tree_init(struct kmqtt_tree *tree);

/** kmqtt_tree_destroy() - frees an empty tree. Process context */
void kmqtt_tree_destroy(struct kmqtt_tree *tree);

/**
 * kmqtt_tree_add() - subscribe, or change the options of a subscription
 * @tree:	the tree
 * @session:	subscriber
 * @filter:	a valid topic filter, may begin with `$share/`
 * @len:	its bytes
 * @opts:	options
 * @existed:	out: it was there before
 *
 * Process context, takes tree->lock. The memory is charged to the caller's
 * cgroup. Changes session->subs, session->sub_count and session->last_sub.
 * Return: 0, -ENOMEM, -ENOBUFS over memory_limit, -ESHUTDOWN if the session is dead.
 */
int kmqtt_tree_add(struct kmqtt_tree *tree, struct kmqtt_session *session,
		   const u8 *filter, u32 len, const struct kmqtt_sub_opts *opts,
		   bool *existed);

/**
 * kmqtt_tree_del() - unsubscribe
 * @tree:	the tree
 * @session:	subscriber
 * @filter:	as it was subscribed
 * @len:	its bytes
 * @left:	out: the group that it was a member of, with a reference; NULL if it
 *		was no shared subscription. May be NULL
 *
 * Process context, takes tree->lock. Return: 0 or -ENOENT.
 */
int kmqtt_tree_del(struct kmqtt_tree *tree, struct kmqtt_session *session,
		   const u8 *filter, u32 len, struct kmqtt_sub_group **left);

/**
 * kmqtt_tree_del_session() - all of a session's; session->dead is set
 *
 * Process context, takes tree->lock, several times if there are many. None is
 * added any more.
 */
void kmqtt_tree_del_session(struct kmqtt_tree *tree,
			    struct kmqtt_session *session);

/**
 * typedef kmqtt_sub_fn - called for each subscription that matches
 *
 * Under rcu_read_lock(): must not sleep. A session with several matching
 * subscriptions is told once for each.
 */
typedef void (*kmqtt_sub_fn)(void *ctx, const struct kmqtt_sub *sub);

/**
 * typedef kmqtt_group_fn - called for each group that matches
 *
 * Under rcu_read_lock(): must not sleep. It has kmqtt_group_pick() choose.
 */
typedef void (*kmqtt_group_fn)(void *ctx, struct kmqtt_sub_group *group);

/**
 * kmqtt_tree_match() - who has subscribed to this topic name?
 * @tree:	the tree
 * @topic:	a valid topic name
 * @len:	its bytes
 * @fn:		called for each subscription that is no shared one
 * @group_fn:	called for each group of shared ones; NULL: they are not looked at
 * @ctx:	for both
 *
 * As of MQTT 5.0, 4.7 and 4.8.2. A subscription that is changed meanwhile is
 * seen as it was or as it is, once; one that is added or removed meanwhile may
 * be seen or not.
 *
 * rcu_read_lock() held; takes no lock; no recursion, no memory.
 */
void kmqtt_tree_match(struct kmqtt_tree *tree, const u8 *topic, u32 len,
		      kmqtt_sub_fn fn, kmqtt_group_fn group_fn, void *ctx);

/* what &kmqtt_rank_fn says of a member than which there is no better */
#define KMQTT_RANK_BEST		U8_MAX

/**
 * typedef kmqtt_rank_fn - how well does a member of a group suit?
 *
 * Under rcu_read_lock(): must not sleep. Return: 0: not at all; to KMQTT_RANK_BEST
 */
typedef u8 (*kmqtt_rank_fn)(void *ctx, const struct kmqtt_sub *sub);

/**
 * kmqtt_group_pick() - a group's member for the next message
 * @group:	group
 * @rank:	how well a member suits
 * @ctx:	for @rank
 *
 * Of those that suit best the one whose turn it is (MQTT 5.0, 4.8.2).
 * rcu_read_lock() held. Return: the subscription, or NULL if none suits.
 */
const struct kmqtt_sub *kmqtt_group_pick(struct kmqtt_sub_group *group,
					 kmqtt_rank_fn rank, void *ctx);

/** kmqtt_group_empty() - have all members left? For good then. Any context */
static inline bool kmqtt_group_empty(const struct kmqtt_sub_group *group)
{
	return !rcu_access_pointer(group->members);
}

/**
 * kmqtt_group_tryget() - a reference to a group that was found under RCU
 * Return: false if it is gone (atomic)
 */
static inline bool kmqtt_group_tryget(struct kmqtt_sub_group *group)
{
	return refcount_inc_not_zero(&group->refs);
}

/** kmqtt_group_put() - drop a reference; NULL is allowed (atomic) */
void kmqtt_group_put(struct kmqtt_sub_group *group);

/**
 * kmqtt_sub_filter() - the filter of a subscription as it was subscribed
 * @sub:	subscription; tree->lock or rcu_read_lock() held
 * @buf:	where to, or NULL to ask for the length alone
 * @cap:	bytes at @buf
 *
 * With the `$share/NAME/` prefix if it is a shared one; no NUL is added.
 * Return: bytes of the filter; nothing is written if that is more than @cap.
 */
u32 kmqtt_sub_filter(const struct kmqtt_sub *sub, u8 *buf, u32 cap);

/**
 * kmqtt_tree_watch() - follow which filters are subscribed by non-uplinks
 *
 * Calls @watch->changed for each filter that there is, then for each change.
 * Process context. kmqtt_tree_unwatch() returns when no call is running.
 */
void kmqtt_tree_watch(struct kmqtt_tree *tree, struct kmqtt_sub_watch *watch);
void kmqtt_tree_unwatch(struct kmqtt_tree *tree, struct kmqtt_sub_watch *watch);

#endif

// SPDX-License-Identifier: GPL-2.0
/* Sessions: how they begin, change hands and end. */
#include <linux/err.h>
#include <linux/jhash.h>
#include <linux/jiffies.h>
#include <linux/memcontrol.h>
#include <linux/rcupdate.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/timekeeping.h>

#include "compat.h"
#include "core/broker.h"
#include "core/queue.h"
#include "core/share.h"
#include "core/will.h"
#include "proto/proto.h"
#include "proto/topic.h"

/* longest time in ns to arm a timer for at once; longer ones are armed again */
#define KMQTT_EXPIRY_STEP	(24ULL * 3600 * NSEC_PER_SEC)

/* sessions that end in one go, with sessions_lock held */
#define KMQTT_EXPIRY_BATCH	64

static u32 kmqtt_name_hashfn(const void *key, u32 len, u32 seed)
{
	return jhash(key, strlen(key), seed);
}

static u32 kmqtt_name_obj_hashfn(const void *obj, u32 len, u32 seed)
{
	const struct kmqtt_session *s = obj;

	return kmqtt_name_hashfn(s->name, 0, seed);
}

static int kmqtt_name_cmpfn(struct rhashtable_compare_arg *arg, const void *obj)
{
	const struct kmqtt_session *s = obj;

	return strcmp(arg->key, s->name);
}

const struct rhashtable_params kmqtt_session_params_by_name = {
	.head_offset = offsetof(struct kmqtt_session, name_link),
	.hashfn = kmqtt_name_hashfn,
	.obj_hashfn = kmqtt_name_obj_hashfn,
	.obj_cmpfn = kmqtt_name_cmpfn,
	.automatic_shrinking = true,
};

/* Most names are short; with them a session would take almost twice of what it needs. */
#define KMQTT_SESSION_SIZE	(sizeof(struct kmqtt_session) + 48)

static struct kmem_cache *kmqtt_session_cache;

int kmqtt_session_init(void)
{
	kmqtt_session_cache = kmem_cache_create("kmqtt_session", KMQTT_SESSION_SIZE, 0, 0, NULL);
	return kmqtt_session_cache ? 0 : -ENOMEM;
}

void kmqtt_session_exit(void)
{
	kmem_cache_destroy(kmqtt_session_cache);
}

static struct kmqtt_session *kmqtt_session_alloc(const char *name)
{
	size_t len = strlen(name) + 1;
	struct kmqtt_session *s;

	if (struct_size(s, name, len) > KMQTT_SESSION_SIZE)
		s = kzalloc(struct_size(s, name, len), GFP_KERNEL_ACCOUNT);
	else
		s = kmem_cache_zalloc(kmqtt_session_cache, GFP_KERNEL_ACCOUNT);
	if (s)
		memcpy(s->name, name, len);
	return s;
}

static void kmqtt_session_free(struct kmqtt_session *s)
{
	if (struct_size(s, name, strlen(s->name) + 1) > KMQTT_SESSION_SIZE)
		kfree(s);
	else
		kmem_cache_free(kmqtt_session_cache, s);
}

static void kmqtt_session_free_rcu(struct rcu_head *rcu)
{
	struct kmqtt_session *s = container_of(rcu, struct kmqtt_session, rcu);
	struct kmqtt_identity *who = rcu_dereference_protected(s->who, true);

	/* not by another call_rcu(): the module waits for those of one round */
	if (who && refcount_dec_and_test(&who->refs))
		kmqtt_identity_free(who);
	kmqtt_will_free(s->will);
	mem_cgroup_put(s->memcg);
	kmqtt_session_free(s);
}

bool kmqtt_session_get(struct kmqtt_session *s)
{
	return refcount_inc_not_zero(&s->refs);
}

void kmqtt_session_put(struct kmqtt_session *s)
{
	if (refcount_dec_and_test(&s->refs))
		call_rcu(&s->rcu, kmqtt_session_free_rcu);
}

/* sessions_lock held: nobody gets or loses a port meanwhile */
static struct kmqtt_port *kmqtt_session_port(struct kmqtt_session *s)
{
	return rcu_dereference_protected(s->port,
			lockdep_is_held(&s->broker->sessions_lock));
}

/* With what its port knows. sessions_lock held */
static void kmqtt_session_event(struct kmqtt_session *s, u8 type, u8 reason)
{
	struct kmqtt_event event = {
		.type = type,
		.reason = reason,
		.session = s->name,
	};
	struct kmqtt_port_info info;

	if (kmqtt_session_info(s, &info)) {
		event.peer = info.address;
		event.listener = info.listener;
		event.version = info.version;
		event.error = info.error;
	}
	kmqtt_event_emit(s->broker, &event);
}

/* It has no port from now on. Return: the one that it had, or NULL */
static struct kmqtt_port *kmqtt_session_unplug(struct kmqtt_session *s)
{
	struct kmqtt_port *port = kmqtt_session_port(s);

	spin_lock(&s->lock);
	RCU_INIT_POINTER(s->port, NULL);
	WRITE_ONCE(s->online, false);
	spin_unlock(&s->lock);
	return port;
}

static struct kmqtt_session *kmqtt_session_of_expiry(const struct rb_node *node)
{
	return rb_entry(node, struct kmqtt_session, expiry_link);
}

static bool kmqtt_session_earlier(struct rb_node *a, const struct rb_node *b)
{
	return kmqtt_session_of_expiry(a)->expires < kmqtt_session_of_expiry(b)->expires;
}

/* sessions_lock held. Return: who ends first, or NULL */
static struct kmqtt_session *kmqtt_session_first_expiry(const struct kmqtt_broker *b)
{
	struct rb_node *node = rb_first_cached(&b->by_expiry);

	return node ? kmqtt_session_of_expiry(node) : NULL;
}

/* sessions_lock held */
static void kmqtt_session_arm(struct kmqtt_broker *b)
{
	const struct kmqtt_session *first = kmqtt_session_first_expiry(b);
	u64 now = ktime_get_boottime_ns();
	u64 left;

	if (!first)
		return;
	left = first->expires > now ? min_t(u64, first->expires - now, KMQTT_EXPIRY_STEP) : 0;
	mod_delayed_work(b->wq, &b->expiry_work, left ? nsecs_to_jiffies(left) + 1 : 0);
}

/* It has no port: it ends when its session expiry interval is over. sessions_lock held. */
static void kmqtt_session_expiry_begin(struct kmqtt_session *s)
{
	struct kmqtt_broker *b = s->broker;

	WRITE_ONCE(s->expires, ktime_get_boottime_ns() + (u64)s->expiry * NSEC_PER_SEC);
	rb_add_cached(&s->expiry_link, &b->by_expiry, kmqtt_session_earlier);
	/* also if it is not the first: a timer stands still while the machine is suspended */
	kmqtt_session_arm(b);
}

/* sessions_lock held */
static void kmqtt_session_expiry_end(struct kmqtt_session *s)
{
	if (RB_EMPTY_NODE(&s->expiry_link))
		return;
	rb_erase_cached(&s->expiry_link, &s->broker->by_expiry);
	RB_CLEAR_NODE(&s->expiry_link);
	WRITE_ONCE(s->expires, 0);
}

/*
 * What a client makes the switch keep of it counts as its messages do; who is local
 * pays by his memory cgroup. sessions_lock held. Return: is there room for it?
 */
static bool kmqtt_session_charge(struct kmqtt_session *s, const struct kmqtt_identity *who)
{
	u64 size = struct_size(s, name, strlen(s->name) + 1) + sizeof(*who) +
		   (who->user ? strlen(who->user) + 1 : 0);

	if (s->kind != KMQTT_KIND_REMOTE)
		return true;
	if (size > s->charged && !kmqtt_memory_charge(s->broker, size - s->charged))
		return false;
	if (size < s->charged)
		kmqtt_memory_uncharge(s->broker, s->charged - size);
	s->charged = size;
	return true;
}

/* The port is gone already, or is told here. sessions_lock held. */
static void kmqtt_session_end(struct kmqtt_session *s, u8 reason)
{
	struct kmqtt_broker *b = s->broker;
	struct kmqtt_port *port = kmqtt_session_unplug(s);
	LIST_HEAD(gone);

	spin_lock(&s->lock);
	s->dead = true;
	spin_unlock(&s->lock);
	kmqtt_will_lost(s, true);

	rhashtable_remove_fast(&b->sessions, &s->name_link,
			       kmqtt_session_params_by_name);
	xa_erase(&b->by_number, s->number);
	b->session_count--;
	kmqtt_memory_uncharge(b, s->charged);
	s->charged = 0;
	kmqtt_tree_del_session(&b->tree, s);
	if (port)
		port->ops->close(port, reason);

	spin_lock(&s->lock);
	kmqtt_queue_drain(s, &gone);
	xa_destroy(&s->rx_qos2);
	spin_unlock(&s->lock);
	if (!b->dying)
		kmqtt_share_hand_over(&gone);
	kmqtt_qent_free_list(&gone);
	if (s->policy == KMQTT_POLICY_BLOCK)
		atomic_dec(&b->blockers);
	wake_up_all(&s->space);
	kmqtt_session_expiry_end(s);
	kmqtt_session_put(s);
}

void kmqtt_sessions_expire(struct work_struct *work)
{
	struct kmqtt_broker *b = container_of(work, struct kmqtt_broker, expiry_work.work);
	unsigned int left = KMQTT_EXPIRY_BATCH;
	struct kmqtt_session *s;

	mutex_lock(&b->sessions_lock);
	while (left-- && (s = kmqtt_session_first_expiry(b)) &&
	       ktime_get_boottime_ns() >= s->expires) {
		kmqtt_session_event(s, KMQTT_EVENT_EXPIRE, 0);
		kmqtt_stats_add(b->stats, KMQTT_STAT_SESSIONS_EXPIRED, 1);
		kmqtt_session_end(s, 0);
	}
	kmqtt_session_arm(b);
	mutex_unlock(&b->sessions_lock);
}

static u32 kmqtt_session_longest(const struct kmqtt_broker *b, u32 expiry)
{
	return min(expiry, READ_ONCE(b->limits.persistent_client_expiration));
}

static int kmqtt_params_check(const struct kmqtt_session_params *p)
{
	if (p->policy > KMQTT_POLICY_BLOCK || p->max_inflight > U16_MAX)
		return -EINVAL;
	if (p->name && !*p->name)
		return -EINVAL;
	return 0;
}

/* sessions_lock held; @p was checked */
static void kmqtt_session_apply(struct kmqtt_session *s,
				const struct kmqtt_session_params *p)
{
	struct kmqtt_broker *b = s->broker;
	u8 policy = p->policy ?: READ_ONCE(b->limits.policy);
	u8 old = s->policy;

	spin_lock(&s->lock);
	s->policy = policy;
	if (policy != old)
		kmqtt_queue_reindex(s);
	if (p->ack_mode != s->ack_mode) {
		kmqtt_window_requeue(s, true);
		s->ack_mode = p->ack_mode;
	}
	s->queue_qos0 = p->queue_qos0;
	s->max_queued_messages = p->max_queued_messages;
	s->max_queued_bytes = p->max_queued_bytes;
	s->max_inflight = p->max_inflight ?:
			  READ_ONCE(b->limits.max_inflight_messages);
	s->send_quota = min_t(u32, s->peer_quota, s->max_inflight);
	s->expiry = kmqtt_session_longest(b, p->expiry);
	spin_unlock(&s->lock);
	if (policy == KMQTT_POLICY_BLOCK && old != KMQTT_POLICY_BLOCK)
		atomic_inc(&b->blockers);
	if (policy != KMQTT_POLICY_BLOCK && old == KMQTT_POLICY_BLOCK)
		atomic_dec(&b->blockers);
	wake_up_all(&s->space);
}

int kmqtt_session_tune(struct kmqtt_session *s,
		       const struct kmqtt_session_params *params)
{
	int ret = kmqtt_params_check(params);

	if (ret)
		return ret;
	mutex_lock(&s->broker->sessions_lock);
	if (s->dead)
		ret = -ESHUTDOWN;
	else
		kmqtt_session_apply(s, params);
	mutex_unlock(&s->broker->sessions_lock);
	return ret;
}

static kuid_t kmqtt_identity_owner(const struct kmqtt_identity *who)
{
	return who->cred ? who->cred->fsuid : GLOBAL_ROOT_UID;
}

/*
 * Who pays for what waits for the calling process. Return: a reference, or NULL: where no
 * cgroup has a limit nobody counts.
 */
static struct mem_cgroup *kmqtt_session_memcg(void)
{
	struct mem_cgroup *memcg = current->mm ? get_mem_cgroup_from_mm(current->mm) : NULL;

	if (!memcg || parent_mem_cgroup(memcg))
		return memcg;
	mem_cgroup_put(memcg);
	return NULL;
}

/* sessions_lock held: the peer that was there goes, this one comes. */
static void kmqtt_session_attach(struct kmqtt_session *s,
				 struct kmqtt_identity *who,
				 struct kmqtt_port *port, struct kmqtt_will *will)
{
	struct kmqtt_port *old_port = kmqtt_session_port(s);
	struct mem_cgroup *old_memcg = s->memcg;
	struct kmqtt_identity *old;
	bool local, other;
	LIST_HEAD(gone);

	if (old_port) {
		kmqtt_session_event(s, KMQTT_EVENT_TAKEOVER, KMQTT_RC_SESSION_TAKEN_OVER);
		kmqtt_session_unplug(s);
		kmqtt_will_lost(s, false);
		old_port->ops->close(old_port, KMQTT_RC_SESSION_TAKEN_OVER);
	}
	kmqtt_session_expiry_end(s);
	who->client_id = s->name;
	refcount_set(&who->refs, 1);
	kmqtt_will_replace(s, will, who);
	/* pairs with kmqtt_publish_allowed(): after the port was unplugged */
	old = rcu_replace_pointer(s->who, who,
				  lockdep_is_held(&s->broker->sessions_lock));
	other = old && !kmqtt_identity_same(old, who);
	if (old)
		kmqtt_identity_put(old);
	/* a publisher uses it under RCU, which a memory cgroup outlives */
	local = s->kind == KMQTT_KIND_LOCAL || s->kind == KMQTT_KIND_NETLINK;
	WRITE_ONCE(s->memcg, local ? kmqtt_session_memcg() : NULL);
	mem_cgroup_put(old_memcg);
	spin_lock(&s->lock);
	if (s->ack_mode != KMQTT_ACK_MQTT)
		kmqtt_window_requeue(s, true);
	if (other) {
		/* what waits was for who was there before: the rules are asked again */
		s->acl_generation--;
		kmqtt_window_drop_denied(s, &gone);
	}
	rcu_assign_pointer(s->port, port);
	spin_unlock(&s->lock);
	kmqtt_qent_free_list(&gone);
	refcount_inc(&s->refs);
	kmqtt_session_event(s, KMQTT_EVENT_ATTACH, 0);
}

/*
 * The number of the next session, and in @made the name that it gets if it has
 * none. Somebody may have chosen such a name: then it is the one after that.
 */
static unsigned long kmqtt_session_number(struct kmqtt_broker *b, char *made,
					  size_t size)
{
	unsigned long number = b->next_number;

	lockdep_assert_held(&b->sessions_lock);
	do {
		snprintf(made, size, "auto-%lu", ++number);
	} while (rhashtable_lookup_fast(&b->sessions, made,
					kmqtt_session_params_by_name));
	return number;
}

static struct kmqtt_session *
kmqtt_session_new(struct kmqtt_broker *b,
		  const struct kmqtt_session_params *p,
		  const struct kmqtt_identity *who)
{
	u32 max = READ_ONCE(b->limits.max_sessions);
	unsigned long number;
	struct kmqtt_session *s;
	char made[32];
	int ret;

	if (max && b->session_count >= max)
		return ERR_PTR(-ENOSPC);
	number = kmqtt_session_number(b, made, sizeof(made));
	s = kmqtt_session_alloc(p->name ?: made);
	if (!s)
		return ERR_PTR(-ENOMEM);
	s->ever_named = p->name;
	s->broker = b;
	s->kind = p->kind;
	s->ack_mode = p->ack_mode;
	s->number = number;
	s->peer_quota = U16_MAX;
	s->created = ktime_get_boottime_seconds();
	s->owner = kmqtt_identity_owner(who);
	s->event_drop = jiffies - 2 * HZ;
	s->event_deny = s->event_drop;
	spin_lock_init(&s->lock);
	INIT_LIST_HEAD(&s->queue);
	INIT_LIST_HEAD(&s->inflight);
	INIT_LIST_HEAD(&s->subs);
	xa_init(&s->rx_qos2);
	init_waitqueue_head(&s->space);
	RB_CLEAR_NODE(&s->expiry_link);
	refcount_set(&s->refs, 1);
	ret = xa_err(xa_store(&b->by_number, number, s, GFP_KERNEL_ACCOUNT));
	if (ret)
		goto free;
	/* sessions_lock is held, and the name was looked up: it is not there */
	ret = kmqtt_hash_insert(&b->sessions, &s->name_link,
				kmqtt_session_params_by_name);
	if (ret)
		goto erase;
	b->next_number = number;
	b->session_count++;
	return s;
erase:
	xa_erase(&b->by_number, number);
	/* a walk may have seen it: let it find a session that is dead */
	s->dead = true;
	kmqtt_session_put(s);
	return ERR_PTR(-ENOMEM);
free:
	kmqtt_session_free(s);
	return ERR_PTR(ret);
}

static bool kmqtt_session_may_take(const struct kmqtt_session *s,
				   const struct kmqtt_session_params *p,
				   const struct kmqtt_identity *who)
{
	if (s->kind != p->kind || !s->ever_named)
		return false;
	/* a client that was let in is who it says; no user of this machine owns it */
	return s->kind == KMQTT_KIND_REMOTE || p->privileged ||
	       uid_eq(s->owner, kmqtt_identity_owner(who));
}

/*
 * A client's session without an expiry interval lasts as long as its connection,
 * which the next one ends: it gets none of its state (MQTT 3.1.1, 3.1.2.4).
 */
static bool kmqtt_session_ends_with_port(const struct kmqtt_session *s)
{
	return s->kind == KMQTT_KIND_REMOTE && !s->expiry;
}

struct kmqtt_session *
kmqtt_session_open(struct kmqtt_broker *b, const struct kmqtt_session_params *p,
		   struct kmqtt_identity *who, struct kmqtt_port *port,
		   bool *present)
{
	struct kmqtt_session *s = NULL;
	int ret = kmqtt_params_check(p);
	struct kmqtt_will *will;

	*present = false;
	if (ret)
		return ERR_PTR(ret);
	will = kmqtt_will_new(p);
	if (IS_ERR(will))
		return ERR_CAST(will);
	mutex_lock(&b->sessions_lock);
	if (b->dying) {
		s = ERR_PTR(-ESHUTDOWN);
		goto out;
	}
	if (p->name)
		s = rhashtable_lookup_fast(&b->sessions, p->name,
					   kmqtt_session_params_by_name);
	if (s && !kmqtt_session_may_take(s, p, who)) {
		s = ERR_PTR(-EACCES);
		goto out;
	}
	if (s && (p->clean || kmqtt_session_ends_with_port(s))) {
		if (kmqtt_session_port(s))
			kmqtt_session_event(s, KMQTT_EVENT_TAKEOVER,
					    KMQTT_RC_SESSION_TAKEN_OVER);
		kmqtt_session_end(s, KMQTT_RC_SESSION_TAKEN_OVER);
		s = NULL;
	}
	*present = s;
	if (!s)
		s = kmqtt_session_new(b, p, who);
	if (IS_ERR(s))
		goto out;
	if (!kmqtt_session_charge(s, who)) {
		if (!*present)
			kmqtt_session_end(s, 0);
		s = ERR_PTR(-ENOBUFS);
		goto out;
	}
	kmqtt_session_apply(s, p);
	kmqtt_session_attach(s, who, port, will);
out:
	mutex_unlock(&b->sessions_lock);
	if (IS_ERR(s))
		kmqtt_will_free(will);
	return s;
}

void kmqtt_session_detach(struct kmqtt_session *s, struct kmqtt_port *port,
			  u8 reason)
{
	struct kmqtt_broker *b = s->broker;

	mutex_lock(&b->sessions_lock);
	if (!s->dead && kmqtt_session_port(s) == port) {
		kmqtt_session_event(s, KMQTT_EVENT_DETACH, reason);
		kmqtt_session_unplug(s);
		wake_up_all(&s->space);
		kmqtt_will_lost(s, false);
		if (!s->expiry || !s->ever_named)
			kmqtt_session_end(s, reason);
		else if (s->expiry != U32_MAX)
			kmqtt_session_expiry_begin(s);
	}
	mutex_unlock(&b->sessions_lock);
	kmqtt_session_put(s);
}

int kmqtt_session_set_expiry(struct kmqtt_session *s, struct kmqtt_port *port,
			     u32 expiry)
{
	int ret = -ESTALE;

	spin_lock(&s->lock);
	if (kmqtt_session_has_port(s, port)) {
		s->expiry = kmqtt_session_longest(s->broker, expiry);
		ret = 0;
	}
	spin_unlock(&s->lock);
	return ret;
}

bool kmqtt_session_info(struct kmqtt_session *s, struct kmqtt_port_info *info)
{
	struct kmqtt_port *port;
	bool known;

	memset(info, 0, sizeof(*info));
	rcu_read_lock();
	port = rcu_dereference(s->port);
	known = port && port->ops->info;
	if (known)
		port->ops->info(port, info);
	rcu_read_unlock();
	return known;
}

void kmqtt_session_kill(struct kmqtt_session *s, u8 reason)
{
	mutex_lock(&s->broker->sessions_lock);
	if (!s->dead) {
		kmqtt_session_event(s, KMQTT_EVENT_DETACH, reason);
		kmqtt_session_end(s, reason);
	}
	mutex_unlock(&s->broker->sessions_lock);
}

struct kmqtt_session *kmqtt_session_find(struct kmqtt_broker *b, const char *name)
{
	struct kmqtt_session *s;

	rcu_read_lock();
	s = rhashtable_lookup(&b->sessions, name, kmqtt_session_params_by_name);
	if (s && !kmqtt_session_get(s))
		s = NULL;
	rcu_read_unlock();
	return s;
}

struct kmqtt_session *kmqtt_session_next(struct kmqtt_broker *b,
					 unsigned long after)
{
	struct kmqtt_session *s;

	rcu_read_lock();
	do {
		s = xa_find_after(&b->by_number, &after, ULONG_MAX, XA_PRESENT);
	} while (s && !kmqtt_session_get(s));
	rcu_read_unlock();
	return s;
}

void kmqtt_session_set_online(struct kmqtt_session *s,
			      const struct kmqtt_port *port, bool online)
{
	spin_lock(&s->lock);
	if (kmqtt_session_has_port(s, port))
		WRITE_ONCE(s->online, online);
	spin_unlock(&s->lock);
	if (!online)
		kmqtt_queue_space(s);
}

void kmqtt_session_denied(struct kmqtt_session *s, const u8 *topic, u32 len)
{
	struct kmqtt_event event = {
		.type = KMQTT_EVENT_DENY,
		.session = s->name,
		.topic = topic,
		.topic_len = len,
	};

	if (!time_after(jiffies, READ_ONCE(s->event_deny) + HZ))
		return;
	WRITE_ONCE(s->event_deny, jiffies);
	kmqtt_event_emit(s->broker, &event);
}

struct kmqtt_replay {
	struct kmqtt_session *session;
	const struct kmqtt_sub_opts *opts;
};

/* rcu_read_lock() held */
static bool kmqtt_replay_allowed(struct kmqtt_session *s, const struct kmqtt_msg *msg,
				 const struct kmqtt_identity *source)
{
	struct kmqtt_broker *b = s->broker;

	if (source && READ_ONCE(b->limits.check_retain_source) &&
	    !kmqtt_acl_check(&b->acl, source, KMQTT_ACL_WRITE,
			     kmqtt_msg_topic(msg), msg->topic_len))
		return false;
	return kmqtt_acl_check(&b->acl, rcu_dereference(s->who), KMQTT_ACL_READ,
			       kmqtt_msg_topic(msg), msg->topic_len);
}

static int kmqtt_session_replay(void *ctx, struct kmqtt_msg *msg,
				const struct kmqtt_identity *source)
{
	struct kmqtt_replay *r = ctx;
	struct kmqtt_broker *b = r->session->broker;
	u8 most = READ_ONCE(b->limits.upgrade_outgoing_qos) ? 2 : msg->qos;
	struct kmqtt_push how = {
		.sub_id = r->opts->sub_id,
		.qos = min(most, r->opts->qos),
		.retain = true,
		.replay = true,
	};

	rcu_read_lock();
	if (kmqtt_replay_allowed(r->session, msg, source))
		kmqtt_queue_push(r->session, msg, &how);
	rcu_read_unlock();
	return READ_ONCE(r->session->dead);
}

/* Return: 0, or -errno; @shared tells of `$share`, @inner the filter inside it */
static int kmqtt_session_check_filter(struct kmqtt_session *s,
				      struct kmqtt_view full, bool no_local,
				      struct kmqtt_view *inner, bool *shared)
{
	struct kmqtt_view share;
	bool ok;

	if (!kmqtt_topic_filter_valid(full.data, full.len))
		return -EILSEQ;
	*shared = kmqtt_share_split(full, &share, inner);
	if (*shared && no_local)
		return -EINVAL;
	if (!*shared)
		*inner = full;
	rcu_read_lock();
	ok = kmqtt_acl_check_filter(&s->broker->acl, rcu_dereference(s->who),
				    full.data, full.len);
	rcu_read_unlock();
	return ok ? 0 : -EACCES;
}

int kmqtt_session_subscribe(struct kmqtt_session *s, const u8 *filter, u32 len,
			    const struct kmqtt_sub_opts *opts)
{
	struct kmqtt_view full = { filter, len }, inner;
	struct kmqtt_broker *b = s->broker;
	struct kmqtt_event event = {
		.type = KMQTT_EVENT_SUBSCRIBE,
		.session = s->name,
		.topic = filter,
		.topic_len = len,
	};
	struct kmqtt_replay replay = { s, opts };
	u32 max = READ_ONCE(b->limits.max_subscriptions);
	bool existed, shared, replays;
	int ret;

	ret = kmqtt_session_check_filter(s, full, opts->no_local, &inner, &shared);
	if (ret == -EACCES)
		kmqtt_session_denied(s, filter, len);
	if (ret)
		return ret;
	replays = !shared && opts->retain_handling != KMQTT_RETAIN_SEND_NEVER;
	if (replays)
		mutex_lock(&b->retain.lock);
	ret = kmqtt_tree_add(&b->tree, s, filter, len, opts, &existed);
	if (!ret && !existed && max && READ_ONCE(s->sub_count) > max) {
		kmqtt_tree_del(&b->tree, s, filter, len, NULL);
		ret = -ENOSPC;
	}
	if (!ret)
		kmqtt_event_emit(b, &event);
	if (!ret && replays && (!opts->retain_handling || !existed))
		kmqtt_retain_walk_locked(&b->retain, inner.data, inner.len, NULL, 0,
					 kmqtt_session_replay, &replay);
	if (replays)
		mutex_unlock(&b->retain.lock);
	return ret;
}

int kmqtt_session_unsubscribe(struct kmqtt_session *s, const u8 *filter, u32 len)
{
	struct kmqtt_event event = {
		.type = KMQTT_EVENT_UNSUBSCRIBE,
		.session = s->name,
		.topic = filter,
		.topic_len = len,
	};
	struct kmqtt_sub_group *group;
	int ret;

	if (!kmqtt_topic_filter_valid(filter, len))
		return -EILSEQ;
	ret = kmqtt_tree_del(&s->broker->tree, s, filter, len, &group);
	if (group)
		kmqtt_share_left(s, group);
	kmqtt_group_put(group);
	if (!ret)
		kmqtt_event_emit(s->broker, &event);
	return ret;
}

void kmqtt_sessions_end_all(struct kmqtt_broker *b)
{
	struct kmqtt_session *s;
	unsigned long number;

	mutex_lock(&b->sessions_lock);
	b->dying = true;
	xa_for_each(&b->by_number, number, s)
		kmqtt_session_end(s, KMQTT_RC_SERVER_SHUTTING_DOWN);
	mutex_unlock(&b->sessions_lock);
}

// SPDX-License-Identifier: GPL-2.0
/* Uplinks: the table of a namespace, and what user space may ask (uplink.h). */
#include <linux/bitmap.h>
#include <linux/completion.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/net.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <net/sock.h>

#include "compat.h"
#include "port/net.h"
#include "port/uplink_priv.h"

/* Jiffies that kmqtt_uplink_del() waits; others wait for generic netlink behind it. */
#define KMQTT_UPLINK_PATIENCE	(10 * HZ)

int kmqtt_uplink_net_init(struct kmqtt_net *kn)
{
	INIT_LIST_HEAD(&kn->uplinks.list);
	mutex_init(&kn->uplinks.lock);
	kn->uplinks.generation = 1;
	init_waitqueue_head(&kn->uplinks.idle);
	return 0;
}

/* Also one that is deleted and has not gone yet. */
static struct kmqtt_uplink *kmqtt_uplink_any(struct kmqtt_net *kn, const char *name)
{
	struct kmqtt_uplink *up;

	lockdep_assert_held(&kn->uplinks.lock);
	list_for_each_entry(up, &kn->uplinks.list, list)
		if (!strcmp(up->name, name))
			return up;
	return NULL;
}

struct kmqtt_uplink *kmqtt_uplink_find(struct kmqtt_net *kn, const char *name)
{
	struct kmqtt_uplink *up = kmqtt_uplink_any(kn, name);

	return up && !up->deleted ? up : NULL;
}

unsigned int kmqtt_uplink_generation(const struct kmqtt_net *kn)
{
	return READ_ONCE(kn->uplinks.generation);
}

void kmqtt_uplink_changed(struct kmqtt_net *kn)
{
	unsigned int next = kn->uplinks.generation + 1;

	lockdep_assert_held(&kn->uplinks.lock);
	WRITE_ONCE(kn->uplinks.generation, next ?: 1);
}

static void kmqtt_uplink_free(struct kmqtt_uplink *up)
{
	kmqtt_upconf_free(up->conf);
	kfree(up->assigned_id);
	kfree(up->echo);
	kfree(up);
	module_put(THIS_MODULE);
}

/*
 * The work queue ends after all uplinks of its namespace have gone, and then waits for the rest of
 * this: until then there are @kn, and the module, which an uplink keeps loaded.
 */
static void kmqtt_uplink_end_work(struct work_struct *work)
{
	struct kmqtt_uplink *up = container_of(work, struct kmqtt_uplink, end_work);
	struct kmqtt_uplinks *all = &up->kn->uplinks;
	struct completion *gone;

	kmqtt_uplink_stop(up);
	mutex_lock(&all->lock);
	list_del(&up->list);
	gone = up->gone;
	kmqtt_uplink_free(up);
	/* it has let the module go */
	if (gone)
		complete(gone);
	WRITE_ONCE(all->count, all->count - 1);
	mutex_unlock(&all->lock);
	wake_up_all(&all->idle);
}

/* ->life ends what there is, and then all of it. uplinks->lock held */
static void kmqtt_uplink_end(struct kmqtt_uplink *up, bool abort)
{
	mutex_lock(&up->lock);
	up->deleted = true;
	up->abort |= abort;
	/* under the lock: ->end_work comes after it, and waits for ->life. And not twice */
	if (!up->ending)
		kmqtt_uplink_kick(up);
	mutex_unlock(&up->lock);
}

void kmqtt_uplink_net_exit(struct kmqtt_net *kn)
{
	struct kmqtt_uplinks *all = &kn->uplinks;
	struct kmqtt_uplink *up;

	mutex_lock(&all->lock);
	all->dying = true;
	list_for_each_entry(up, &all->list, list)
		kmqtt_uplink_end(up, true);
	mutex_unlock(&all->lock);
	wait_event(all->idle, !READ_ONCE(all->count));
}

/* The first slot that no uplink has; there are fewer than KMQTT_UPLINK_COUNT_MAX. */
static u8 kmqtt_uplink_slot(struct kmqtt_net *kn)
{
	DECLARE_BITMAP(used, KMQTT_UPLINK_COUNT_MAX) = {};
	struct kmqtt_uplink *up;

	list_for_each_entry(up, &kn->uplinks.list, list)
		__set_bit(up->slot - 1, used);
	return find_first_zero_bit(used, KMQTT_UPLINK_COUNT_MAX) + 1;
}

static struct kmqtt_uplink *kmqtt_uplink_new(struct kmqtt_net *kn, const char *name,
					     const struct kmqtt_uplink_conf *conf,
					     const char **why)
{
	struct kmqtt_uplink_conf *all = kmqtt_upconf_merge(NULL, conf, why);
	struct kmqtt_uplink *up;
	int ret;

	if (IS_ERR(all))
		return ERR_CAST(all);
	up = kzalloc_obj(*up, GFP_KERNEL_ACCOUNT);
	if (!up) {
		kmqtt_upconf_free(all);
		return ERR_PTR(-ENOMEM);
	}
	__module_get(THIS_MODULE);
	strscpy(up->name, name, sizeof(up->name));
	up->kn = kn;
	up->broker = &kn->broker;
	up->conf = all;
	up->slot = kmqtt_uplink_slot(kn);
	up->retry_at = jiffies;
	up->since = ktime_get_boottime_seconds();
	mutex_init(&up->lock);
	mutex_init(&up->subs_lock);
	INIT_LIST_HEAD(&up->topics);
	INIT_LIST_HEAD(&up->purge);
	kmqtt_upsubs_init(&up->subs);
	INIT_DELAYED_WORK(&up->life, kmqtt_uplink_life);
	INIT_WORK(&up->end_work, kmqtt_uplink_end_work);
	mutex_lock(&up->lock);
	ret = kmqtt_uplink_session(up);
	mutex_unlock(&up->lock);
	if (!ret)
		return up;
	*why = "its session cannot be made";
	kmqtt_uplink_free(up);
	return ERR_PTR(ret);
}

int kmqtt_uplink_add(struct kmqtt_net *kn, const char *name,
		     const struct kmqtt_uplink_conf *conf, const char **why)
{
	struct kmqtt_uplinks *all = &kn->uplinks;
	struct kmqtt_uplink *up;
	int ret = 0;

	*why = NULL;
	if (!kmqtt_upname_valid(name)) {
		*why = "a name has 1 to 63 of the characters A-Z a-z 0-9 . _ -";
		return -EINVAL;
	}
	mutex_lock(&all->lock);
	if (all->dying) {
		ret = -ESHUTDOWN;
	} else if (kmqtt_uplink_find(kn, name)) {
		*why = "there is an uplink of this name";
		ret = -EEXIST;
	} else if (kmqtt_uplink_any(kn, name)) {
		*why = "the last uplink of this name has not gone yet";
		ret = -EBUSY;
	} else if (all->count >= KMQTT_UPLINK_COUNT_MAX) {
		*why = "there are 64 uplinks already";
		ret = -ENOSPC;
	} else {
		up = kmqtt_uplink_new(kn, name, conf, why);
		if (IS_ERR(up)) {
			ret = PTR_ERR(up);
		} else {
			list_add_tail(&up->list, &all->list);
			kmqtt_uplink_changed(kn);
			all->count++;
		}
	}
	mutex_unlock(&all->lock);
	return ret;
}

/* Change something of an uplink under its locks, and let ->life look at it. */
typedef int (*kmqtt_uplink_change_fn)(struct kmqtt_uplink *up, const void *arg,
				      const char **why);

static int kmqtt_uplink_change(struct kmqtt_net *kn, const char *name,
			       kmqtt_uplink_change_fn fn, const void *arg, const char **why)
{
	struct kmqtt_uplink *up;
	int ret = -ENOENT;

	*why = "no such uplink";
	mutex_lock(&kn->uplinks.lock);
	up = kmqtt_uplink_find(kn, name);
	if (up) {
		*why = NULL;
		mutex_lock(&up->lock);
		ret = fn(up, arg, why);
		mutex_unlock(&up->lock);
		if (!ret)
			kmqtt_uplink_kick(up);
	}
	mutex_unlock(&kn->uplinks.lock);
	return ret;
}

static int kmqtt_uplink_change_conf(struct kmqtt_uplink *up, const void *arg,
				    const char **why)
{
	const struct kmqtt_uplink_conf *set = arg;
	struct kmqtt_uplink_conf *conf;

	if (!set->fields)
		return 0;
	conf = kmqtt_upconf_merge(up->conf, set, why);
	if (IS_ERR(conf))
		return PTR_ERR(conf);
	kmqtt_upconf_free(up->conf);
	up->conf = conf;
	up->server = 0;
	up->tried = 0;
	up->backoff = 0;
	up->retry_at = jiffies;
	up->no_bridge = false;
	up->bounce = rcu_access_pointer(up->link) || up->starting;
	if (set->fields & KMQTT_UPLINK_CLIENT_ID) {
		kfree(up->assigned_id);
		up->assigned_id = NULL;
	}
	kmqtt_uplink_tune(up);
	return 0;
}

static int kmqtt_uplink_change_up(struct kmqtt_uplink *up, const void *arg, const char **why)
{
	bool down = !up->want_up;

	up->want_up = true;
	up->retry_at = jiffies;
	up->backoff = 0;
	up->tried = 0;
	if (!up->conf->server_count || up->next_sock)
		return 0;
	if (!rcu_access_pointer(up->link) && !up->starting)
		up->by_fd = false;
	else if (down)
		up->by_server = true;
	return 0;
}

static int kmqtt_uplink_change_down(struct kmqtt_uplink *up, const void *arg,
				    const char **why)
{
	up->want_up = false;
	/* though it may be switched on again before ->life has seen this */
	up->bounce = rcu_access_pointer(up->link) || up->starting;
	/* its peer must not wait for an uplink that may never come up again */
	kmqtt_uplink_sock_drop(up);
	return 0;
}

int kmqtt_uplink_set(struct kmqtt_net *kn, const char *name,
		     const struct kmqtt_uplink_conf *conf, const char **why)
{
	return kmqtt_uplink_change(kn, name, kmqtt_uplink_change_conf, conf, why);
}

int kmqtt_uplink_up(struct kmqtt_net *kn, const char *name)
{
	const char *why;

	return kmqtt_uplink_change(kn, name, kmqtt_uplink_change_up, NULL, &why);
}

int kmqtt_uplink_down(struct kmqtt_net *kn, const char *name)
{
	const char *why;

	return kmqtt_uplink_change(kn, name, kmqtt_uplink_change_down, NULL, &why);
}

int kmqtt_uplink_del(struct kmqtt_net *kn, const char *name)
{
	DECLARE_COMPLETION_ONSTACK(gone);
	struct kmqtt_uplink *up;

	mutex_lock(&kn->uplinks.lock);
	up = kmqtt_uplink_find(kn, name);
	if (up) {
		up->gone = &gone;
		kmqtt_uplink_end(up, false);
		kmqtt_uplink_changed(kn);
	}
	mutex_unlock(&kn->uplinks.lock);
	if (!up)
		return -ENOENT;
	if (wait_for_completion_killable_timeout(&gone, KMQTT_UPLINK_PATIENCE) <= 0) {
		mutex_lock(&kn->uplinks.lock);
		if (!completion_done(&gone))
			up->gone = NULL;
		mutex_unlock(&kn->uplinks.lock);
	}
	return 0;
}

/**
 * struct kmqtt_uplink_sock - a socket for an uplink
 * @sock:	its reference passes to the uplink
 * @early:	likewise
 * @early_len:	bytes at @early
 */
struct kmqtt_uplink_sock {
	struct socket *sock;
	u8 *early;
	u32 early_len;
};

static int kmqtt_uplink_change_sock(struct kmqtt_uplink *up, const void *arg,
				    const char **why)
{
	const struct kmqtt_uplink_sock *next = arg;

	kmqtt_uplink_sock_drop(up);
	up->next_sock = next->sock;
	up->next_early = next->early;
	up->next_early_len = next->early_len;
	up->want_up = true;
	return 0;
}

int kmqtt_uplink_attach(struct kmqtt_net *kn, const char *name, int fd, const void *early,
			size_t early_len, const char **why)
{
	struct kmqtt_uplink_sock next = { .early_len = early_len };
	int ret;

	*why = NULL;
	next.sock = kmqtt_sock_get(fd, kn->broker.net, why);
	if (IS_ERR(next.sock))
		return PTR_ERR(next.sock);
	if (early_len) {
		next.early = kvmalloc(early_len, GFP_KERNEL_ACCOUNT);
		if (!next.early) {
			kmqtt_sock_put(next.sock);
			return -ENOMEM;
		}
		memcpy(next.early, early, early_len);
	}
	ret = kmqtt_uplink_change(kn, name, kmqtt_uplink_change_sock, &next, why);
	if (ret) {
		kvfree(next.early);
		kmqtt_sock_put(next.sock);
	}
	return ret;
}

/* Counters of the connection that there is come on top of those that were. */
static void kmqtt_uplink_view_stats(struct kmqtt_uplink *up, const struct kmqtt_link *link,
				    struct kmqtt_uplink_stats *stats)
{
	u64 *to = (u64 *)stats;
	unsigned int i;

	for (i = 0; i < KMQTT_UPSTAT_COUNT; i++)
		to[i] = atomic64_read(&up->stats[i]);
	if (!link)
		return;
	stats->packets_received += READ_ONCE(link->x.conn.packets_received);
	stats->packets_sent += READ_ONCE(link->x.conn.packets_sent);
	stats->bytes_received += READ_ONCE(link->x.conn.bytes_received);
	stats->bytes_sent += READ_ONCE(link->x.conn.bytes_sent);
}

static void kmqtt_uplink_view_conf(const struct kmqtt_uplink *up,
				   struct kmqtt_uplink_view *v)
{
	const char *id = up->conf->client_id;

	v->name = up->name;
	v->session = up->session ? up->session->name : "";
	v->conf = up->conf;
	v->client_id = id && *id ? id : up->assigned_id ?: "";
	v->topics = up->topic_count;
}

/* uplink->lock held */
static void kmqtt_uplink_view(struct kmqtt_uplink *up, struct kmqtt_uplink_view *v)
{
	const struct kmqtt_link *link = rcu_dereference_protected(up->link,
						lockdep_is_held(&up->lock));

	memset(v, 0, sizeof(*v));
	if (up->state == KMQTT_UPLINK_UP) {
		*v = up->view_link;
	} else {
		v->version = up->conf->version;
		v->keepalive = up->conf->keepalive;
	}
	kmqtt_uplink_view_conf(up, v);
	v->state = up->state;
	v->since = up->since;
	v->server = up->server;
	v->attached = up->by_fd && (link || up->starting);
	v->tls = link && test_bit(KMQTT_CONN_TLS, &link->x.conn.flags);
	if (up->state == KMQTT_UPLINK_BACKOFF && time_before(jiffies, up->retry_at))
		v->retry_ms = jiffies_to_msecs(up->retry_at - jiffies);
	v->last_error = up->last_error;
	v->last_reason = up->last_reason;
	if (up->session) {
		v->queued_messages = READ_ONCE(up->session->queued);
		v->inflight_messages = READ_ONCE(up->session->inflight_count);
	}
	v->filters = READ_ONCE(up->subs.active);
	kmqtt_uplink_view_stats(up, link, &v->stats);
}

static int kmqtt_uplink_show(struct kmqtt_uplink *up, struct kmqtt_uplink_view *v,
			     kmqtt_uplink_fn fn, void *ctx)
{
	int ret;

	mutex_lock(&up->lock);
	kmqtt_uplink_view(up, v);
	ret = fn(ctx, v);
	mutex_unlock(&up->lock);
	return ret;
}

int kmqtt_uplink_walk(struct kmqtt_net *kn, const char *name, unsigned int start,
		      kmqtt_uplink_fn fn, void *ctx)
{
	struct kmqtt_uplink_view *v;
	struct kmqtt_uplink *up;
	int i = 0, ret = -ENOENT;

	/* too large for the stack */
	v = kzalloc_obj(*v, GFP_KERNEL);
	if (!v)
		return -ENOMEM;
	mutex_lock(&kn->uplinks.lock);
	if (name) {
		up = kmqtt_uplink_find(kn, name);
		if (up)
			ret = kmqtt_uplink_show(up, v, fn, ctx) ? 0 : 1;
	} else {
		list_for_each_entry(up, &kn->uplinks.list, list) {
			if (up->deleted)
				continue;
			if (i >= start && kmqtt_uplink_show(up, v, fn, ctx))
				break;
			i++;
		}
		ret = i;
	}
	mutex_unlock(&kn->uplinks.lock);
	kfree(v);
	return ret;
}

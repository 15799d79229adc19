// SPDX-License-Identifier: GPL-2.0
/* Topics of an uplink: what goes which way, under which name, and demand. */
#include <linux/err.h>
#include <linux/overflow.h>
#include <linux/ratelimit.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "compat.h"
#include "core/grace.h"
#include "port/net.h"
#include "port/uplink_priv.h"

static bool kmqtt_uptopic_is_in(const struct kmqtt_uptopic *t)
{
	return t->dir == KMQTT_UPLINK_IN || t->dir == KMQTT_UPLINK_BOTH ||
	       t->dir == KMQTT_UPLINK_DEMAND;
}

static bool kmqtt_uptopic_is_out(const struct kmqtt_uptopic *t)
{
	return t->dir == KMQTT_UPLINK_OUT || t->dir == KMQTT_UPLINK_BOTH;
}

static bool kmqtt_view_begins(struct kmqtt_view v, struct kmqtt_view prefix)
{
	return v.len >= prefix.len && !memcmp(v.data, prefix.data, prefix.len);
}

/* With @skip bytes less and @prefix before it, is there anything left of it? */
static bool kmqtt_uptopic_fits(struct kmqtt_view topic, struct kmqtt_view prefix, u32 skip)
{
	u32 len = topic.len - skip + prefix.len;

	return len && len <= KMQTT_STRING_MAX;
}

const struct kmqtt_uptopic *kmqtt_uptopic_out(struct kmqtt_uplink *up,
					      struct kmqtt_view topic,
					      struct kmqtt_view *prefix, u32 *skip)
{
	struct kmqtt_uptopic *t;

	list_for_each_entry_rcu(t, &up->topics, link) {
		if (!kmqtt_uptopic_is_out(t) || !kmqtt_view_begins(topic, t->local) ||
		    !kmqtt_topic_matches(t->lfilter, topic) ||
		    !kmqtt_uptopic_fits(topic, t->remote, t->local.len))
			continue;
		*prefix = t->remote;
		*skip = t->local.len;
		return t;
	}
	return NULL;
}

const struct kmqtt_uptopic *kmqtt_uptopic_in(struct kmqtt_uplink *up,
					     struct kmqtt_view topic,
					     struct kmqtt_view *prefix, u32 *skip)
{
	struct kmqtt_uptopic *t;

	list_for_each_entry_rcu(t, &up->topics, link) {
		if (!kmqtt_uptopic_is_in(t) || !kmqtt_view_begins(topic, t->remote) ||
		    !kmqtt_topic_matches(t->rfilter, topic) ||
		    !kmqtt_uptopic_fits(topic, t->local, t->remote.len))
			continue;
		*prefix = t->local;
		*skip = t->remote.len;
		return t;
	}
	return NULL;
}

static void kmqtt_level_put(struct kmqtt_view *out, u8 *buf, struct kmqtt_view level)
{
	if (out->data)
		buf[out->len++] = '/';
	memcpy(buf + out->len, level.data, level.len);
	out->len += level.len;
	out->data = buf;
}

/*
 * What both filters match, which is one filter again: level by level the
 * narrower one. @buf has room for both. Return: is there anything?
 */
static bool kmqtt_filter_intersect(struct kmqtt_view a, struct kmqtt_view b, u8 *buf,
				   struct kmqtt_view *out)
{
	struct kmqtt_view la, lb;

	*out = (struct kmqtt_view){};
	for (;;) {
		struct kmqtt_view from_a = a, from_b = b;
		bool more_a = a.data && kmqtt_level_next(&a, &la);
		bool more_b = b.data && kmqtt_level_next(&b, &lb);
		bool wild_a = more_a && kmqtt_level_is(la, '#');
		bool wild_b = more_b && kmqtt_level_is(lb, '#');

		/* wildcards do not match a first level with $ (MQTT 5.0, 4.7.2) */
		if (!out->data && more_a && more_b) {
			if ((wild_a || kmqtt_level_is(la, '+')) && lb.len && lb.data[0] == '$')
				return false;
			if ((wild_b || kmqtt_level_is(lb, '+')) && la.len && la.data[0] == '$')
				return false;
		}
		if (wild_a || wild_b) {
			if (wild_a && more_b)
				kmqtt_level_put(out, buf, from_b);
			else if (wild_b && more_a)
				kmqtt_level_put(out, buf, from_a);
			return out->data;
		}
		if (!more_a || !more_b)
			return more_a == more_b;
		if (kmqtt_level_is(la, '+'))
			kmqtt_level_put(out, buf, lb);
		else if (kmqtt_level_is(lb, '+') || kmqtt_view_equal(la, lb))
			kmqtt_level_put(out, buf, la);
		else
			return false;
	}
}

/*
 * The filter on the server for a local one below a demand. @buf has room for
 * all. Return: is there one?
 */
static bool kmqtt_uptopic_wanted(const struct kmqtt_uptopic *t, struct kmqtt_view filter,
				 u8 *buf, struct kmqtt_view *out)
{
	struct kmqtt_view both;
	u8 *p = buf + t->remote.len;

	if (!kmqtt_filter_intersect(t->lfilter, filter, p, &both) ||
	    !kmqtt_view_begins(both, t->local))
		return false;
	memmove(p, p + t->local.len, both.len - t->local.len);
	memcpy(buf, t->remote.data, t->remote.len);
	out->data = buf;
	out->len = t->remote.len + both.len - t->local.len;
	return kmqtt_topic_filter_valid(out->data, out->len);
}

/* Under tree->lock. */
static void kmqtt_uptopic_changed(struct kmqtt_sub_watch *watch, const u8 *filter,
				  u32 len, bool added)
{
	struct kmqtt_uptopic *t = container_of(watch, struct kmqtt_uptopic, watch);
	struct kmqtt_view wanted, local = { .data = filter, .len = len };
	int ret = 0;
	u8 *buf;

	buf = kvmalloc(t->remote.len + t->lfilter.len + len + 1, GFP_KERNEL);
	if (!buf) {
		ret = -ENOMEM;
	} else if (kmqtt_uptopic_wanted(t, local, buf, &wanted)) {
		if (added)
			ret = kmqtt_upsubs_get(t, wanted);
		else
			kmqtt_upsubs_put(t, wanted);
	}
	kvfree(buf);
	if (ret)
		pr_warn_ratelimited("kmqtt: uplink %s: a subscription is not passed on (%d)\n",
				    t->up->name, ret);
}

static bool kmqtt_uptopic_same_local(struct kmqtt_uplink *up, const struct kmqtt_uptopic *t)
{
	struct kmqtt_uptopic *o;

	list_for_each_entry(o, &up->topics, link)
		if (o != t && kmqtt_uptopic_is_out(o) &&
		    kmqtt_view_equal(o->lfilter, t->lfilter))
			return true;
	return false;
}

/*
 * What is retained here goes to the server only for `out`: with `both` the
 * server's own retained messages would go back to it, and old ones over new ones.
 * It goes when there is a connection: one that is to come asks for it, and what was
 * queued before that would go twice.
 */
static int kmqtt_uptopic_subscribe(struct kmqtt_uplink *up, struct kmqtt_uptopic *t)
{
	bool out = t->dir == KMQTT_UPLINK_OUT;
	bool online = READ_ONCE(up->session->online);
	struct kmqtt_sub_opts opts = {
		.retain_handling = out && online ? KMQTT_RETAIN_SEND : KMQTT_RETAIN_SEND_NEVER,
		.no_local = true,
		.retain_as_published = true,
	};
	struct kmqtt_uptopic *o;

	list_for_each_entry(o, &up->topics, link)
		if (kmqtt_uptopic_is_out(o) && kmqtt_view_equal(o->lfilter, t->lfilter))
			opts.qos = max(opts.qos, o->qos);
	opts.qos = max(opts.qos, t->qos);
	t->retained_due = out && !online;
	return kmqtt_session_subscribe(up->session, t->lfilter.data, t->lfilter.len, &opts);
}

void kmqtt_uptopic_subscribe_all(struct kmqtt_uplink *up)
{
	struct kmqtt_uptopic *t;

	lockdep_assert_held(&up->lock);
	if (!up->session)
		return;
	list_for_each_entry(t, &up->topics, link)
		if (kmqtt_uptopic_is_out(t))
			kmqtt_uptopic_subscribe(up, t);
}

void kmqtt_uptopic_retained(struct kmqtt_uplink *up, bool all)
{
	struct kmqtt_uptopic *t;

	lockdep_assert_held(&up->lock);
	if (!up->session)
		return;
	list_for_each_entry(t, &up->topics, link)
		if (t->retained_due || (all && t->dir == KMQTT_UPLINK_OUT))
			kmqtt_uptopic_subscribe(up, t);
}

static int kmqtt_uptopic_start(struct kmqtt_uplink *up, struct kmqtt_uptopic *t)
{
	int ret = 0;

	if (kmqtt_uptopic_is_out(t)) {
		ret = kmqtt_uplink_session(up);
		if (!ret)
			ret = kmqtt_uptopic_subscribe(up, t);
		if (ret)
			return ret;
	}
	if (t->dir == KMQTT_UPLINK_IN || t->dir == KMQTT_UPLINK_BOTH)
		ret = kmqtt_upsubs_get(t, t->rfilter);
	if (ret && kmqtt_uptopic_is_out(t) && !kmqtt_uptopic_same_local(up, t))
		kmqtt_session_unsubscribe(up->session, t->lfilter.data, t->lfilter.len);
	if (!ret && t->dir == KMQTT_UPLINK_DEMAND) {
		t->watch.changed = kmqtt_uptopic_changed;
		kmqtt_tree_watch(&up->broker->tree, &t->watch);
	}
	return ret;
}

static size_t kmqtt_uptopic_text_size(struct kmqtt_view filter, struct kmqtt_view local,
				      struct kmqtt_view remote)
{
	return 3 * filter.len + 2 * local.len + 2 * remote.len + 5;
}

static size_t kmqtt_uptopic_size(const struct kmqtt_uptopic *t)
{
	return struct_size(t, text, kmqtt_uptopic_text_size(t->filter, t->local, t->remote));
}

static void kmqtt_uptopic_free_rcu(struct rcu_head *rcu)
{
	struct kmqtt_uptopic *t = container_of(rcu, struct kmqtt_uptopic, rcu);

	kmqtt_grace_end(kmqtt_uptopic_size(t));
	kvfree(t);
}

static void kmqtt_uptopic_free(struct kmqtt_uptopic *t)
{
	if (kmqtt_grace_begin(kmqtt_uptopic_size(t)))
		call_rcu(&t->rcu, kmqtt_uptopic_free_rcu);
	else
		kvfree_rcu(t, rcu);
}

/* It is out of the list already. */
static void kmqtt_uptopic_stop(struct kmqtt_uplink *up, struct kmqtt_uptopic *t)
{
	if (t->dir == KMQTT_UPLINK_DEMAND)
		kmqtt_tree_unwatch(&up->broker->tree, &t->watch);
	if (kmqtt_uptopic_is_in(t))
		kmqtt_upsubs_put_all(t);
	if (kmqtt_uptopic_is_out(t) && up->session && !kmqtt_uptopic_same_local(up, t))
		kmqtt_session_unsubscribe(up->session, t->lfilter.data, t->lfilter.len);
	kmqtt_uptopic_free(t);
}

void kmqtt_uptopic_free_all(struct kmqtt_uplink *up)
{
	struct kmqtt_uptopic *t, *next;

	list_for_each_entry_safe(t, next, &up->topics, link) {
		list_del_rcu(&t->link);
		kmqtt_uptopic_stop(up, t);
	}
	up->topic_count = 0;
}

static void kmqtt_text_put(u8 **p, struct kmqtt_view a, struct kmqtt_view b,
			   struct kmqtt_view *to)
{
	to->data = *p;
	to->len = a.len + b.len;
	memcpy(*p, a.data, a.len);
	memcpy(*p + a.len, b.data, b.len);
	(*p)[to->len] = 0;
	*p += to->len + 1;
}

static struct kmqtt_uptopic *kmqtt_uptopic_new(struct kmqtt_uplink *up,
					       const struct kmqtt_uplink_topic_conf *conf)
{
	struct kmqtt_view filter = kmqtt_view_str(conf->filter);
	struct kmqtt_view local = kmqtt_view_str(conf->local ?: "");
	struct kmqtt_view remote = kmqtt_view_str(conf->remote ?: "");
	struct kmqtt_view none = kmqtt_view_str("");
	struct kmqtt_uptopic *t;
	u8 *p;

	kmqtt_grace_wait();
	t = kvzalloc(struct_size(t, text, kmqtt_uptopic_text_size(filter, local, remote)),
		     GFP_KERNEL_ACCOUNT);
	if (!t)
		return NULL;
	t->up = up;
	t->dir = conf->dir;
	t->qos = conf->qos;
	p = t->text;
	kmqtt_text_put(&p, filter, none, &t->filter);
	kmqtt_text_put(&p, local, none, &t->local);
	kmqtt_text_put(&p, remote, none, &t->remote);
	kmqtt_text_put(&p, local, filter, &t->lfilter);
	kmqtt_text_put(&p, remote, filter, &t->rfilter);
	return t;
}

static const char *kmqtt_uptopic_check_prefix(const char *prefix)
{
	size_t len = prefix ? strlen(prefix) : 0;

	if (!len)
		return NULL;
	if (len > KMQTT_UPLINK_PREFIX_MAX)
		return "a prefix is longer than 1024 bytes";
	if (!kmqtt_topic_name_valid((const u8 *)prefix, len))
		return "a prefix must be valid UTF-8 without wildcards";
	return NULL;
}

/* Direction and QoS are known to be in range, by the policy of the netlink interface. */
static int kmqtt_uptopic_check(const struct kmqtt_uptopic *t,
			       const struct kmqtt_uplink_topic_conf *conf, const char **why)
{
	struct kmqtt_view name, filter;

	*why = kmqtt_uptopic_check_prefix(conf->local) ?:
	       kmqtt_uptopic_check_prefix(conf->remote);
	if (*why)
		return -EINVAL;
	if (!t->filter.len && (!t->local.len || !t->remote.len)) {
		*why = "without a filter both prefixes are needed: they are the topic then";
		return -EINVAL;
	}
	if (!kmqtt_topic_filter_valid(t->lfilter.data, t->lfilter.len) ||
	    !kmqtt_topic_filter_valid(t->rfilter.data, t->rfilter.len)) {
		*why = "filter, with its prefixes, is not a valid topic filter";
		return -EILSEQ;
	}
	if (kmqtt_share_split(t->lfilter, &name, &filter) ||
	    kmqtt_share_split(t->rfilter, &name, &filter)) {
		*why = "an uplink does not carry shared subscriptions";
		return -EINVAL;
	}
	return 0;
}

static bool kmqtt_uptopic_is(const struct kmqtt_uptopic *t,
			     const struct kmqtt_uplink_topic_conf *conf)
{
	return kmqtt_view_equal(t->filter, kmqtt_view_str(conf->filter)) &&
	       (!conf->dir || t->dir == conf->dir) &&
	       (!conf->local || kmqtt_view_equal(t->local, kmqtt_view_str(conf->local))) &&
	       (!conf->remote || kmqtt_view_equal(t->remote, kmqtt_view_str(conf->remote)));
}

static int kmqtt_uptopic_insert(struct kmqtt_uplink *up, struct kmqtt_uptopic *t,
				const struct kmqtt_uplink_topic_conf *conf, const char **why)
{
	struct kmqtt_uplink_topic_conf same = *conf;
	struct kmqtt_uptopic *o;
	int ret;

	same.local = conf->local ?: "";
	same.remote = conf->remote ?: "";
	list_for_each_entry(o, &up->topics, link) {
		if (kmqtt_uptopic_is(o, &same)) {
			*why = "the uplink has this topic already";
			return -EEXIST;
		}
	}
	if (up->topic_count >= KMQTT_UPLINK_TOPIC_MAX) {
		*why = "the uplink has 1024 topics already";
		return -ENOSPC;
	}
	list_add_tail_rcu(&t->link, &up->topics);
	ret = kmqtt_uptopic_start(up, t);
	if (ret) {
		*why = "cannot subscribe";
		list_del_rcu(&t->link);
		return ret;
	}
	up->topic_count++;
	return 0;
}

int kmqtt_uplink_topic_add(struct kmqtt_net *kn, const char *name,
			   const struct kmqtt_uplink_topic_conf *conf, const char **why)
{
	struct kmqtt_uplink *up;
	struct kmqtt_uptopic *t;
	int ret;

	*why = NULL;
	mutex_lock(&kn->uplinks.lock);
	up = kmqtt_uplink_find(kn, name);
	if (!up) {
		*why = "no such uplink";
		ret = -ENOENT;
		goto out;
	}
	t = kmqtt_uptopic_new(up, conf);
	if (!t) {
		ret = -ENOMEM;
		goto out;
	}
	mutex_lock(&up->lock);
	ret = kmqtt_uptopic_check(t, conf, why) ?: kmqtt_uptopic_insert(up, t, conf, why);
	mutex_unlock(&up->lock);
	if (ret)
		kmqtt_uptopic_free(t);
	else
		kmqtt_uplink_changed(kn);
out:
	mutex_unlock(&kn->uplinks.lock);
	return ret;
}

int kmqtt_uplink_topic_del(struct kmqtt_net *kn, const char *name,
			   const struct kmqtt_uplink_topic_conf *conf, const char **why)
{
	struct kmqtt_uptopic *t, *next;
	struct kmqtt_uplink *up;
	int ret = -ENOENT;

	*why = "no such uplink";
	mutex_lock(&kn->uplinks.lock);
	up = kmqtt_uplink_find(kn, name);
	if (!up)
		goto out;
	*why = "the uplink has no such topic";
	mutex_lock(&up->lock);
	list_for_each_entry_safe(t, next, &up->topics, link) {
		if (!kmqtt_uptopic_is(t, conf))
			continue;
		list_del_rcu(&t->link);
		kmqtt_uptopic_stop(up, t);
		up->topic_count--;
		*why = NULL;
		ret = 0;
	}
	mutex_unlock(&up->lock);
	if (!ret)
		kmqtt_uplink_changed(kn);
out:
	mutex_unlock(&kn->uplinks.lock);
	return ret;
}

int kmqtt_uplink_topic_walk(struct kmqtt_net *kn, const char *name, unsigned int start,
			    kmqtt_uplink_topic_fn fn, void *ctx)
{
	struct kmqtt_uptopic *t;
	struct kmqtt_uplink *up;
	unsigned int i = 0;
	int ret = -ENOENT;

	mutex_lock(&kn->uplinks.lock);
	up = kmqtt_uplink_find(kn, name);
	if (!up)
		goto out;
	mutex_lock(&up->lock);
	list_for_each_entry(t, &up->topics, link) {
		struct kmqtt_uplink_topic_conf conf = {
			.filter = (const char *)t->filter.data,
			.local = (const char *)t->local.data,
			.remote = (const char *)t->remote.data,
			.dir = t->dir,
			.qos = t->qos,
		};

		if (i >= start && fn(ctx, &conf))
			break;
		i++;
	}
	mutex_unlock(&up->lock);
	ret = i;
out:
	mutex_unlock(&kn->uplinks.lock);
	return ret;
}

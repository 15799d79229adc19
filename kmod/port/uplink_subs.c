// SPDX-License-Identifier: GPL-2.0
/*
 * What is subscribed upstream.
 *
 * Of all filters that somebody wants, those that no other one covers are
 * subscribed (the maximal ones). One that covers others is subscribed first,
 * and only when all SUBSCRIBEs have their SUBACK are the others unsubscribed,
 * so that nothing is missed in between.
 */
#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/minmax.h>
#include <linux/overflow.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "compat.h"
#include "port/uplink_priv.h"

/* Packet identifier and Property Length of a SUBSCRIBE (MQTT 5.0, 3.8.2). */
#define KMQTT_UPSUB_HEAD	3

static struct kmqtt_view kmqtt_upsub_view(const struct kmqtt_upsub *e)
{
	return (struct kmqtt_view){ .data = e->filter, .len = e->len };
}

static bool kmqtt_upsub_used(const struct kmqtt_upsub *e)
{
	return !list_empty(&e->claims);
}

/* The highest QoS that somebody wants it with. */
static u8 kmqtt_upsub_qos(const struct kmqtt_upsub *e)
{
	struct kmqtt_upclaim *c;
	u8 qos = 0;

	list_for_each_entry(c, &e->claims, link)
		qos = max(qos, c->topic->qos);
	return qos;
}

static struct kmqtt_upclaim *kmqtt_upsub_claim(const struct kmqtt_upsub *e,
					       const struct kmqtt_uptopic *t)
{
	struct kmqtt_upclaim *c;

	list_for_each_entry(c, &e->claims, link)
		if (c->topic == t)
			return c;
	return NULL;
}

static void kmqtt_upclaim_free(struct kmqtt_upclaim *c)
{
	list_del(&c->link);
	kfree(c);
}

/* Does @a, if it is subscribed, make a subscription of @b superfluous? */
static bool kmqtt_upsub_covers(const struct kmqtt_upsub *a, const struct kmqtt_upsub *b)
{
	return a != b && a->state != KMQTT_UPSUB_REFUSED &&
	       kmqtt_upsub_qos(a) >= kmqtt_upsub_qos(b) &&
	       kmqtt_filter_covers(kmqtt_upsub_view(a), kmqtt_upsub_view(b));
}

static int kmqtt_upsub_cmp(struct kmqtt_view a, const struct kmqtt_upsub *e)
{
	int ret = memcmp(a.data, e->filter, min_t(u32, a.len, e->len));

	return ret ? ret : (int)a.len - (int)e->len;
}

void kmqtt_upsubs_init(struct kmqtt_upsubs *subs)
{
	subs->tree = RB_ROOT;
	INIT_LIST_HEAD(&subs->maximal);
	INIT_LIST_HEAD(&subs->covered);
	INIT_LIST_HEAD(&subs->todo);
	INIT_LIST_HEAD(&subs->sent);
}

/* Nobody has a claim any more: the topics are gone. */
void kmqtt_upsubs_destroy(struct kmqtt_upsubs *subs)
{
	struct kmqtt_upsub *e, *next;

	rbtree_postorder_for_each_entry_safe(e, next, &subs->tree, node)
		kfree(e);
	kmqtt_upsubs_init(subs);
	subs->count = 0;
}

static struct kmqtt_upsub *kmqtt_upsubs_find(struct kmqtt_upsubs *subs,
					     struct kmqtt_view filter,
					     struct rb_node ***link,
					     struct rb_node **parent)
{
	struct rb_node **n = &subs->tree.rb_node, *up = NULL;
	struct kmqtt_upsub *e = NULL;

	while (*n) {
		int cmp;

		up = *n;
		e = rb_entry(up, struct kmqtt_upsub, node);
		cmp = kmqtt_upsub_cmp(filter, e);
		if (!cmp)
			return e;
		n = cmp < 0 ? &up->rb_left : &up->rb_right;
	}
	*link = n;
	*parent = up;
	return NULL;
}

static struct kmqtt_upsub *kmqtt_upsubs_add(struct kmqtt_upsubs *subs,
					    struct kmqtt_view filter)
{
	struct rb_node **link, *parent;
	struct kmqtt_upsub *e = kmqtt_upsubs_find(subs, filter, &link, &parent);

	if (e)
		return e;
	if (subs->count >= KMQTT_UPLINK_SUBS_MAX)
		return ERR_PTR(-ENOSPC);
	e = kzalloc(struct_size(e, filter, filter.len), GFP_KERNEL_ACCOUNT);
	if (!e)
		return ERR_PTR(-ENOMEM);
	INIT_LIST_HEAD(&e->todo);
	INIT_LIST_HEAD(&e->wanted);
	INIT_LIST_HEAD(&e->claims);
	e->len = filter.len;
	memcpy(e->filter, filter.data, filter.len);
	rb_link_node(&e->node, parent, link);
	rb_insert_color(&e->node, &subs->tree);
	subs->count++;
	return e;
}

static void kmqtt_upsub_set_state(struct kmqtt_upsubs *subs, struct kmqtt_upsub *e,
				  u8 state)
{
	subs->active -= e->state == KMQTT_UPSUB_ACTIVE;
	subs->active += state == KMQTT_UPSUB_ACTIVE;
	e->state = state;
}

/*
 * Puts it where it has to be told to the server, or forgets it if nobody wants
 * it and the server does not know it. Not while it is being told.
 */
static void kmqtt_upsub_settle(struct kmqtt_upsubs *subs, struct kmqtt_upsub *e)
{
	bool todo;

	if (e->state == KMQTT_UPSUB_SUBSCRIBING ||
	    e->state == KMQTT_UPSUB_UNSUBSCRIBING)
		return;
	if (e->maximal)
		todo = e->state == KMQTT_UPSUB_NONE || e->forgotten ||
		       e->qos != kmqtt_upsub_qos(e);
	else
		todo = e->known && e->state != KMQTT_UPSUB_REFUSED;
	list_del_init(&e->todo);
	if (todo) {
		list_add_tail(&e->todo, &subs->todo);
	} else if (!kmqtt_upsub_used(e)) {
		rb_erase(&e->node, &subs->tree);
		subs->count--;
		kfree(e);
	}
}

/* Somebody wants it: whether it is to be subscribed, or another one brings it. */
static void kmqtt_upsub_set_maximal(struct kmqtt_upsubs *subs,
				    struct kmqtt_upsub *e, bool maximal)
{
	if (list_empty(&e->wanted) || e->maximal != maximal)
		list_move_tail(&e->wanted, maximal ? &subs->maximal : &subs->covered);
	e->maximal = maximal;
	kmqtt_upsub_settle(subs, e);
}

/* Nobody wants it any more, or it cannot be had; to be settled. Return: was it maximal? */
static bool kmqtt_upsub_set_unwanted(struct kmqtt_upsub *e)
{
	bool was = e->maximal;

	list_del_init(&e->wanted);
	e->maximal = false;
	return was;
}

static bool kmqtt_upsubs_covered(struct kmqtt_upsubs *subs, struct kmqtt_upsub *e)
{
	struct kmqtt_upsub *m;

	list_for_each_entry(m, &subs->maximal, wanted)
		if (kmqtt_upsub_covers(m, e))
			return true;
	return false;
}

/* It has come, or is worth more now: it may cover others. */
static void kmqtt_upsubs_promote(struct kmqtt_upsubs *subs, struct kmqtt_upsub *e)
{
	struct kmqtt_upsub *m, *next;

	if (kmqtt_upsubs_covered(subs, e)) {
		kmqtt_upsub_set_maximal(subs, e, false);
		return;
	}
	kmqtt_upsub_set_maximal(subs, e, true);
	list_for_each_entry_safe(m, next, &subs->maximal, wanted)
		if (kmqtt_upsub_covers(e, m))
			kmqtt_upsub_set_maximal(subs, m, false);
}

/* A maximal one has gone, or is worth less now: what it covered may need its own. */
static void kmqtt_upsubs_demote(struct kmqtt_upsubs *subs, struct kmqtt_upsub *e)
{
	struct kmqtt_view was = kmqtt_upsub_view(e);
	struct kmqtt_upsub *o;
	LIST_HEAD(covered);

	/* each is looked at once, and @e is not there; what comes to subs->covered is covered */
	list_splice_init(&subs->covered, &covered);
	while ((o = list_first_entry_or_null(&covered, struct kmqtt_upsub, wanted))) {
		list_move_tail(&o->wanted, &subs->covered);
		cond_resched();
		if (kmqtt_filter_covers(was, kmqtt_upsub_view(o)))
			kmqtt_upsubs_promote(subs, o);
	}
}

static void kmqtt_upsubs_kick(struct kmqtt_uplink *up)
{
	struct kmqtt_link *link;

	rcu_read_lock();
	link = rcu_dereference(up->link);
	if (link)
		kmqtt_conn_kick(&link->x.conn);
	rcu_read_unlock();
}

int kmqtt_upsubs_get(struct kmqtt_uptopic *t, struct kmqtt_view filter)
{
	struct kmqtt_uplink *up = t->up;
	struct kmqtt_upsubs *subs = &up->subs;
	struct kmqtt_upclaim *c, *fresh;
	struct kmqtt_upsub *e;
	int ret = 0;

	fresh = kzalloc_obj(*fresh, GFP_KERNEL_ACCOUNT);
	if (!fresh)
		return -ENOMEM;
	fresh->topic = t;
	mutex_lock(&up->subs_lock);
	e = kmqtt_upsubs_add(subs, filter);
	c = IS_ERR(e) ? NULL : kmqtt_upsub_claim(e, t);
	if (IS_ERR(e)) {
		ret = PTR_ERR(e);
	} else if (c) {
		c->count++;
	} else {
		fresh->count = 1;
		list_add_tail(&fresh->link, &e->claims);
		fresh = NULL;
		if (e->state != KMQTT_UPSUB_REFUSED)
			kmqtt_upsubs_promote(subs, e);
	}
	mutex_unlock(&up->subs_lock);
	kfree(fresh);
	kmqtt_upsubs_kick(up);
	return ret;
}

/* A claim has gone. @e may be gone afterwards. */
static void kmqtt_upsubs_unclaimed(struct kmqtt_upsubs *subs, struct kmqtt_upsub *e)
{
	if (kmqtt_upsub_used(e)) {
		if (e->maximal) {
			kmqtt_upsubs_demote(subs, e);
			kmqtt_upsubs_promote(subs, e);
		}
		return;
	}
	e->forgotten = true;
	if (e->state == KMQTT_UPSUB_REFUSED)
		kmqtt_upsub_set_state(subs, e, KMQTT_UPSUB_NONE);
	if (kmqtt_upsub_set_unwanted(e))
		kmqtt_upsubs_demote(subs, e);
	kmqtt_upsub_settle(subs, e);
}

void kmqtt_upsubs_put(struct kmqtt_uptopic *t, struct kmqtt_view filter)
{
	struct kmqtt_upsubs *subs = &t->up->subs;
	struct rb_node **link, *parent;
	struct kmqtt_upclaim *c;
	struct kmqtt_upsub *e;

	mutex_lock(&t->up->subs_lock);
	e = kmqtt_upsubs_find(subs, filter, &link, &parent);
	c = e ? kmqtt_upsub_claim(e, t) : NULL;
	if (c && !--c->count) {
		kmqtt_uppurge_add(t->up, t, kmqtt_upsub_view(e));
		kmqtt_upclaim_free(c);
		kmqtt_upsubs_unclaimed(subs, e);
	}
	mutex_unlock(&t->up->subs_lock);
	kmqtt_upsubs_kick(t->up);
}

void kmqtt_upsubs_put_all(struct kmqtt_uptopic *t)
{
	struct kmqtt_upsubs *subs = &t->up->subs;
	struct rb_node *n, *next;

	mutex_lock(&t->up->subs_lock);
	/* from the end: '#' and '+' sort first, and what they cover need not come up first */
	for (n = rb_last(&subs->tree); n; n = next) {
		struct kmqtt_upsub *e = rb_entry(n, struct kmqtt_upsub, node);
		struct kmqtt_upclaim *c = kmqtt_upsub_claim(e, t);

		next = rb_prev(n);
		cond_resched();
		if (!c)
			continue;
		kmqtt_uppurge_add(t->up, t, kmqtt_upsub_view(e));
		kmqtt_upclaim_free(c);
		kmqtt_upsubs_unclaimed(subs, e);
	}
	mutex_unlock(&t->up->subs_lock);
	kmqtt_upsubs_kick(t->up);
}

/*
 * A server that has kept the session may know the filters that it was told of, and is told which
 * of them need not be any more. Those that are wanted are subscribed again all the same, since
 * retained messages may have changed. Whatever was on its way is not known to have arrived.
 */
void kmqtt_upsubs_connected(struct kmqtt_uplink *up, bool session_present)
{
	struct kmqtt_upsubs *subs = &up->subs;
	struct rb_node *n, *next;

	mutex_lock(&up->subs_lock);
	subs->packets = 0;
	for (n = rb_first(&subs->tree); n; n = next) {
		struct kmqtt_upsub *e = rb_entry(n, struct kmqtt_upsub, node);

		next = rb_next(n);
		list_del_init(&e->todo);
		kmqtt_upsub_set_unwanted(e);
		kmqtt_upsub_set_state(subs, e, KMQTT_UPSUB_NONE);
		e->known &= session_present;
		kmqtt_upsub_settle(subs, e);
	}
	for (n = rb_first(&subs->tree); n; n = rb_next(n)) {
		struct kmqtt_upsub *e = rb_entry(n, struct kmqtt_upsub, node);

		/* each may have to be compared with all others */
		cond_resched();
		if (kmqtt_upsub_used(e))
			kmqtt_upsubs_promote(subs, e);
	}
	mutex_unlock(&up->subs_lock);
}

/* What may go into one packet: @batch entries, and the server's maximum size. */
static unsigned int kmqtt_upsubs_pick(struct kmqtt_link *link, bool subscribe,
				      struct kmqtt_upsub **pick)
{
	u32 head = KMQTT_FIXED_MAX + KMQTT_UPSUB_HEAD;
	u32 left = min_t(u32, max(link->x.peer_max_packet, head), KMQTT_VARINT_MAX) - head;
	struct kmqtt_upsub *e, *next;
	unsigned int n = 0;

	list_for_each_entry_safe(e, next, &link->up->subs.todo, todo) {
		if (e->maximal != subscribe)
			continue;
		if (e->len + 3 > left) {
			if (n)
				break;
			/* not even alone: such a filter cannot be asked for */
			list_del_init(&e->todo);
			continue;
		}
		left -= e->len + 3;
		pick[n++] = e;
		if (n == link->batch)
			break;
	}
	return n;
}

static int kmqtt_upsubs_put_subscribe(struct kmqtt_link *link, u16 packet_id,
				      struct kmqtt_upsub **pick, unsigned int n)
{
	bool v5 = link->x.conn.version == KMQTT_V5;
	struct kmqtt_subscribe packet = { .packet_id = packet_id };
	struct kmqtt_sub_entry *entries;
	unsigned int i;
	int len;
	u8 *p;

	entries = kcalloc(n, sizeof(*entries), GFP_KERNEL);
	if (!entries)
		return -ENOMEM;
	for (i = 0; i < n; i++) {
		entries[i].filter = kmqtt_upsub_view(pick[i]);
		entries[i].qos = kmqtt_upsub_qos(pick[i]);
		entries[i].no_local = v5;
		entries[i].retain_as_published = v5;
	}
	kmqtt_props_init(&packet.props);
	len = kmqtt_subscribe_encode(NULL, 0, link->x.conn.version, &packet, entries, n);
	p = len > 0 ? kmqtt_conn_reserve(&link->x.conn, len) : NULL;
	if (p)
		kmqtt_subscribe_encode(p, len, link->x.conn.version, &packet, entries, n);
	kfree(entries);
	return p ? 0 : -ENOMEM;
}

static int kmqtt_upsubs_put_unsubscribe(struct kmqtt_link *link, u16 packet_id,
					struct kmqtt_upsub **pick, unsigned int n)
{
	struct kmqtt_unsubscribe packet = { .packet_id = packet_id };
	struct kmqtt_view *filters;
	unsigned int i;
	int len;
	u8 *p;

	filters = kcalloc(n, sizeof(*filters), GFP_KERNEL);
	if (!filters)
		return -ENOMEM;
	for (i = 0; i < n; i++)
		filters[i] = kmqtt_upsub_view(pick[i]);
	kmqtt_props_init(&packet.props);
	len = kmqtt_unsubscribe_encode(NULL, 0, link->x.conn.version, &packet, filters, n);
	p = len > 0 ? kmqtt_conn_reserve(&link->x.conn, len) : NULL;
	if (p)
		kmqtt_unsubscribe_encode(p, len, link->x.conn.version, &packet, filters, n);
	kfree(filters);
	return p ? 0 : -ENOMEM;
}

/* Return: was there something to be told? subs_lock held */
static bool kmqtt_upsubs_send_one(struct kmqtt_link *link, bool subscribe,
				  struct kmqtt_upsub **pick)
{
	struct kmqtt_upsubs *subs = &link->up->subs;
	unsigned int i, n = kmqtt_upsubs_pick(link, subscribe, pick);
	u16 packet_id;
	int ret;

	if (!n)
		return false;
	packet_id = kmqtt_session_packet_id(link->x.session);
	ret = subscribe ? kmqtt_upsubs_put_subscribe(link, packet_id, pick, n) :
			  kmqtt_upsubs_put_unsubscribe(link, packet_id, pick, n);
	if (ret) {
		kmqtt_conn_fail(&link->x.conn, ENOMEM, 0);
		return false;
	}
	for (i = 0; i < n; i++) {
		pick[i]->packet_id = packet_id;
		pick[i]->forgotten &= !subscribe;
		pick[i]->known |= subscribe;
		pick[i]->qos = kmqtt_upsub_qos(pick[i]);
		kmqtt_upsub_set_state(subs, pick[i], subscribe ? KMQTT_UPSUB_SUBSCRIBING :
				      KMQTT_UPSUB_UNSUBSCRIBING);
		list_move_tail(&pick[i]->todo, &subs->sent);
	}
	subs->packets++;
	link->subs_since = jiffies;
	kmqtt_uplink_count(link->up, subscribe ? KMQTT_UPSTAT(subscribes) :
			   KMQTT_UPSTAT(unsubscribes), 1);
	return true;
}

static bool kmqtt_upsubs_subscribing(struct kmqtt_upsubs *subs)
{
	struct kmqtt_upsub *e;

	list_for_each_entry(e, &subs->sent, todo)
		if (e->state == KMQTT_UPSUB_SUBSCRIBING)
			return true;
	return false;
}

void kmqtt_upsubs_send(struct kmqtt_link *link)
{
	struct kmqtt_upsubs *subs = &link->up->subs;
	struct kmqtt_upsub **pick;

	if (list_empty(&subs->todo))
		return;
	pick = kcalloc(link->batch, sizeof(*pick), GFP_KERNEL);
	if (!pick) {
		kmqtt_conn_fail(&link->x.conn, ENOMEM, 0);
		return;
	}
	mutex_lock(&link->up->subs_lock);
	while (subs->packets < KMQTT_UPLINK_SUBS_INFLIGHT &&
	       kmqtt_upsubs_send_one(link, true, pick)) {
		link->replay_until = jiffies + KMQTT_UPLINK_REPLAY_TIME;
		kfree(link->replayed);
		link->replayed = NULL;
	}
	if (!kmqtt_upsubs_subscribing(subs))
		while (subs->packets < KMQTT_UPLINK_SUBS_INFLIGHT &&
		       kmqtt_upsubs_send_one(link, false, pick))
			;
	mutex_unlock(&link->up->subs_lock);
	kfree(pick);
}

static void kmqtt_upsub_refused(struct kmqtt_link *link, struct kmqtt_upsub *e, u8 rc)
{
	struct kmqtt_event event = {
		.type = KMQTT_EVENT_UPLINK_SUBACK,
		.reason = rc,
		.uplink = link->up->name,
		.topic = e->filter,
		.topic_len = e->len,
	};

	kmqtt_event_emit(link->broker, &event);
}

/* An answer to one entry. subs_lock held; @e may be gone afterwards. */
static void kmqtt_upsub_answered(struct kmqtt_link *link, struct kmqtt_upsub *e, u8 rc)
{
	struct kmqtt_upsubs *subs = &link->up->subs;
	bool was_sub = e->state == KMQTT_UPSUB_SUBSCRIBING;

	list_del_init(&e->todo);
	if (was_sub && rc < 0x80) {
		kmqtt_upsub_set_state(subs, e, KMQTT_UPSUB_ACTIVE);
	} else if (was_sub) {
		kmqtt_upsub_refused(link, e, rc);
		kmqtt_upsub_set_state(subs, e, kmqtt_upsub_used(e) ? KMQTT_UPSUB_REFUSED :
				      KMQTT_UPSUB_NONE);
		if (kmqtt_upsub_set_unwanted(e))
			kmqtt_upsubs_demote(subs, e);
	} else {
		kmqtt_upsub_set_state(subs, e, KMQTT_UPSUB_NONE);
		e->known = false;
	}
	kmqtt_upsub_settle(subs, e);
}

int kmqtt_upsubs_acked(struct kmqtt_link *link, u8 type, const struct kmqtt_suback *ack)
{
	u8 state = type == KMQTT_SUBACK ? KMQTT_UPSUB_SUBSCRIBING : KMQTT_UPSUB_UNSUBSCRIBING;
	struct kmqtt_upsubs *subs = &link->up->subs;
	struct kmqtt_upsub *e, *next;
	unsigned int n = 0, i = 0;
	int ret = 0;

	mutex_lock(&link->up->subs_lock);
	list_for_each_entry(e, &subs->sent, todo)
		n += e->packet_id == ack->packet_id && e->state == state;
	/* an UNSUBACK of 3.x has no codes (MQTT 3.1.1, 3.11) */
	if (!n || (ack->codes.len != n && !(type == KMQTT_UNSUBACK && !ack->codes.len))) {
		ret = KMQTT_RC_PROTOCOL_ERROR;
	} else {
		list_for_each_entry_safe(e, next, &subs->sent, todo)
			if (e->packet_id == ack->packet_id && e->state == state)
				kmqtt_upsub_answered(link, e, ack->codes.len ?
						     ack->codes.data[i++] : 0);
		subs->packets--;
		if (type == KMQTT_SUBACK)
			link->replay_until = jiffies + KMQTT_UPLINK_REPLAY_TIME;
	}
	mutex_unlock(&link->up->subs_lock);
	return ret;
}

bool kmqtt_upsubs_waiting(struct kmqtt_uplink *up)
{
	return READ_ONCE(up->subs.packets);
}

bool kmqtt_upsubs_expected(struct kmqtt_uplink *up, struct kmqtt_view topic)
{
	struct kmqtt_upsub *e;
	bool ret = false;

	mutex_lock(&up->subs_lock);
	list_for_each_entry(e, &up->subs.maximal, wanted) {
		ret = kmqtt_topic_matches(kmqtt_upsub_view(e), topic);
		if (ret)
			break;
	}
	mutex_unlock(&up->subs_lock);
	return ret;
}

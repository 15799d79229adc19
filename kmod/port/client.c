// SPDX-License-Identifier: GPL-2.0
/* The life of a client: its socket, its timer, its session's port, its end. */
#include <linux/err.h>
#include <linux/in.h>
#include <linux/mm.h>
#include <linux/net.h>
#include <linux/slab.h>
#include <net/ipv6.h>
#include <net/sock.h>

#include "compat.h"
#include "core/broker.h"
#include "core/trace.h"
#include "port/client.h"
#include "port/net.h"

static struct kmem_cache *kmqtt_client_cache;

int kmqtt_client_init(void)
{
	kmqtt_client_cache = KMEM_CACHE(kmqtt_client, 0);
	return kmqtt_client_cache ? 0 : -ENOMEM;
}

void kmqtt_client_exit(void)
{
	kmem_cache_destroy(kmqtt_client_cache);
}

/* The session's port. */

static struct kmqtt_client *kmqtt_client_of_port(struct kmqtt_port *port)
{
	return container_of(port, struct kmqtt_client, port);
}

static void kmqtt_client_wake(struct kmqtt_port *port)
{
	kmqtt_conn_kick(&kmqtt_client_of_port(port)->x.conn);
}

static void kmqtt_client_put(struct kmqtt_client *c);

static bool kmqtt_client_claim(struct kmqtt_port *port)
{
	struct kmqtt_client *c = kmqtt_client_of_port(port);

	/* the lock of a socket from user space may be a process's for as long as that likes */
	if (READ_ONCE(c->x.conn.file))
		return false;
	return READ_ONCE(c->state) == KMQTT_CLIENT_LIVE && refcount_inc_not_zero(&c->refs);
}

static void kmqtt_client_send(struct kmqtt_port *port)
{
	struct kmqtt_client *c = kmqtt_client_of_port(port);

	kmqtt_conn_send(&c->x.conn);
	kmqtt_client_put(c);
}

static void kmqtt_client_end(struct kmqtt_client *c, u8 reason)
{
	WRITE_ONCE(c->lost_reason, reason);
	kmqtt_conn_finish(&c->x.conn);
}

static void kmqtt_client_port_close(struct kmqtt_port *port, u8 reason)
{
	kmqtt_client_end(kmqtt_client_of_port(port), reason);
}

void kmqtt_client_address(const struct kmqtt_client *c, char *text, size_t size)
{
	if (c->peer.sin6_family == AF_INET || c->peer.sin6_family == AF_INET6)
		snprintf(text, size, "%pISpc", &c->peer);
	else
		strscpy(text, "local", size);
}

static void kmqtt_client_info(struct kmqtt_port *port, struct kmqtt_port_info *info)
{
	const struct kmqtt_client *c = kmqtt_client_of_port(port);
	const struct kmqtt_conn *conn = &c->x.conn;

	kmqtt_client_address(c, info->address, sizeof(info->address));
	strscpy(info->listener, c->listener->name, sizeof(info->listener));
	info->version = READ_ONCE(conn->version);
	info->keepalive = READ_ONCE(c->keepalive);
	info->error = READ_ONCE(conn->error);
	info->packets_received = READ_ONCE(conn->packets_received);
	info->packets_sent = READ_ONCE(conn->packets_sent);
	info->bytes_received = READ_ONCE(conn->bytes_received);
	info->bytes_sent = READ_ONCE(conn->bytes_sent);
}

static const struct kmqtt_port_ops kmqtt_client_port_ops = {
	.wake	= kmqtt_client_wake,
	.close	= kmqtt_client_port_close,
	.claim	= kmqtt_client_claim,
	.send	= kmqtt_client_send,
	.info	= kmqtt_client_info,
};

/* The connection's ops. */

static int kmqtt_client_any(struct kmqtt_conn *conn, const struct kmqtt_fixed *f,
			    const u8 *body)
{
	struct kmqtt_client *c = kmqtt_client_of(conn);

	if (c->state == KMQTT_CLIENT_LIVE)
		return kmqtt_client_packet(c, f, body);
	if (c->state == KMQTT_CLIENT_AUTH)
		return kmqtt_client_auth_packet(c, f, body);
	/* nothing is read while a CONNECT is looked at */
	if (f->type != KMQTT_CONNECT)
		return KMQTT_RC_PROTOCOL_ERROR;
	return kmqtt_client_connect(c, f, body);
}

static bool kmqtt_client_is_answered(const struct kmqtt_client *c)
{
	return unlikely(c->relay) && kmqtt_relay_turn(c->relay) == KMQTT_RELAY_ANSWERED;
}

static bool kmqtt_client_pending(struct kmqtt_conn *conn)
{
	struct kmqtt_client *c = kmqtt_client_of(conn);

	return READ_ONCE(c->state) == KMQTT_CLIENT_CHECKED || kmqtt_client_is_answered(c) ||
	       (c->state == KMQTT_CLIENT_LIVE && kmqtt_session_pending(c->x.session, &c->port));
}

static void kmqtt_client_refill(struct kmqtt_conn *conn, struct kmqtt_tx *tx)
{
	struct kmqtt_client *c = kmqtt_client_of(conn);
	int ret;

	/* pairs with kmqtt_greeting_done() */
	if (smp_load_acquire(&c->state) == KMQTT_CLIENT_CHECKED) {
		ret = kmqtt_client_checked(c);
		if (ret)
			kmqtt_conn_fail(conn, EACCES, ret);
	}
	if (kmqtt_client_is_answered(c)) {
		ret = kmqtt_client_auth_answered(c);
		if (ret)
			kmqtt_conn_fail(conn, EACCES, ret);
	}
	/* CONNACK goes first: it waits to be put before what is there now */
	if (c->state == KMQTT_CLIENT_LIVE && list_empty(&conn->ctrl))
		kmqtt_xchg_refill(&c->x, tx);
}

/* Jiffies from which on silence is too long (MQTT 5.0, 3.1.2.10). */
static unsigned long kmqtt_client_deadline(const struct kmqtt_client *c)
{
	return c->x.conn.last_rx + c->keepalive * HZ + c->keepalive * HZ / 2;
}

void kmqtt_client_arm(struct kmqtt_client *c)
{
	unsigned long at = jiffies + KMQTT_BUCKET_TIME;
	bool wanted = false;

	if (c->keepalive) {
		at = kmqtt_client_deadline(c);
		wanted = true;
	}
	if (c->hold_until && (!wanted || time_before(c->hold_until, at))) {
		at = c->hold_until;
		wanted = true;
	}
	if (wanted)
		kmqtt_conn_timer(&c->x.conn, time_after(at, jiffies) ? at - jiffies : 1);
	else
		timer_delete(&c->x.conn.timer);
}

/*
 * One timer: it is set to the keep alive, and when it fires to what is left of it
 * since something came last. While nothing is read nothing can come.
 */
static void kmqtt_client_timer(struct kmqtt_conn *conn)
{
	struct kmqtt_client *c = kmqtt_client_of(conn);

	if (c->state != KMQTT_CLIENT_LIVE) {
		atomic64_inc(&c->listener->stats.timeouts);
		c->why = c->greeting ? "authentication takes too long" : "no CONNECT in time";
		kmqtt_conn_fail(conn, ETIMEDOUT, c->greeting ? KMQTT_RC_SERVER_BUSY : 0);
		return;
	}
	if (c->hold_until && time_after_eq(jiffies, c->hold_until)) {
		c->hold_until = 0;
		conn->last_rx = jiffies;
		kmqtt_conn_unhold(conn);
	}
	if (test_bit(KMQTT_CONN_PAUSED, &conn->flags) || test_bit(KMQTT_CONN_HELD, &conn->flags))
		conn->last_rx = jiffies;
	if (c->keepalive && time_after_eq(jiffies, kmqtt_client_deadline(c))) {
		kmqtt_conn_fail(conn, ETIMEDOUT, KMQTT_RC_KEEP_ALIVE_TIMEOUT);
		return;
	}
	kmqtt_client_arm(c);
}

/*
 * Before it was let in it is told by a CONNACK, afterwards by a DISCONNECT, which
 * 3.x does not have from a server.
 */
static void kmqtt_client_goodbye(struct kmqtt_conn *conn)
{
	struct kmqtt_client *c = kmqtt_client_of(conn);
	struct kmqtt_disconnect dis = { .reason = conn->reason ?: READ_ONCE(c->lost_reason) };

	if (conn->peer_reason || !conn->version || !dis.reason)
		return;
	if (!c->answered) {
		kmqtt_client_refuse(c, dis.reason);
		return;
	}
	if (conn->version != KMQTT_V5)
		return;
	if (!kmqtt_reason_allowed(KMQTT_DISCONNECT, dis.reason))
		dis.reason = KMQTT_RC_UNSPECIFIED;
	kmqtt_props_init(&dis.props);
	kmqtt_xchg_disconnect(&c->x, &dis);
}

/* It was not let in, or is closed for what it sent. */
static void kmqtt_client_tell_bad(struct kmqtt_client *c, const char *address, bool bad)
{
	const struct kmqtt_greeting *g = c->greeting;
	const struct kmqtt_conn *conn = &c->x.conn;
	struct kmqtt_event event = {
		.type = bad ? KMQTT_EVENT_CLIENT_MALFORMED : KMQTT_EVENT_CLIENT_REFUSED,
		.reason = conn->reason,
		.version = conn->version,
		.session = c->x.session ? c->x.session->name : NULL,
		.peer = address,
		.listener = c->listener->name,
		.text = c->why,
	};
	char *name = NULL;

	if (!event.session && g && g->connect.client_id.len)
		name = kmemdup_nul((const char *)g->connect.client_id.data,
				   g->connect.client_id.len, GFP_KERNEL);
	if (name)
		event.session = name;
	kmqtt_event_emit(conn->broker, &event);
	kfree(name);
	if (__ratelimit(&c->listener->log))
		pr_info("kmqtt: client %s: %s: %s (0x%02x)\n", address,
			bad ? "closed for what it sent" : "not let in",
			kmqtt_reason_name(conn->reason), conn->reason);
}

static void kmqtt_client_count_end(struct kmqtt_client *c)
{
	const struct kmqtt_conn *conn = &c->x.conn;
	bool bad = conn->error == EBADMSG && conn->reason;
	char address[64];

	kmqtt_client_address(c, address, sizeof(address));
	trace_kmqtt_close(c->x.session ? c->x.session->name : "", address, conn->reason,
			  conn->error);
	if (!c->answered)
		trace_kmqtt_connect("", address, conn->version, conn->reason);
	if (c->answered)
		kmqtt_stats_add(conn->broker->stats, KMQTT_STAT_DISCONNECTS, 1);
	if (!bad && (c->answered || !conn->reason))
		return;
	if (bad) {
		kmqtt_stats_add(conn->broker->stats, KMQTT_STAT_MALFORMED, 1);
		atomic64_inc(&c->listener->stats.malformed);
	} else {
		atomic64_inc(&c->listener->stats.denied);
	}
	kmqtt_client_tell_bad(c, address, bad);
}

static void kmqtt_client_unlink(struct kmqtt_client *c)
{
	struct kmqtt_listener *l = c->listener;

	spin_lock(&l->lock);
	if (!list_empty(&c->pending)) {
		list_del_init(&c->pending);
		l->pending_count--;
	}
	list_del(&c->link);
	c->gone = true;
	l->count--;
	spin_unlock(&l->lock);
}

static void kmqtt_client_put(struct kmqtt_client *c)
{
	struct kmqtt_listener *l = c->listener;

	if (!refcount_dec_and_test(&c->refs))
		return;
	kmqtt_xchg_free(&c->x);
	kvfree(c->topic);
	kmqtt_listener_conf_put(c->conf);
	kmem_cache_free(kmqtt_client_cache, c);
	/* the last thing: who waits for it may take the cache away */
	kmqtt_listener_put(l);
}

/* A grace period after ->closed(): no wake-up finds it any more. */
static void kmqtt_client_free(struct work_struct *work)
{
	struct kmqtt_client *c = container_of(to_rcu_work(work), struct kmqtt_client, free_work);

	kmqtt_conn_release(&c->x.conn);
	kmqtt_client_put(c);
}

static void kmqtt_client_closed(struct kmqtt_conn *conn)
{
	struct kmqtt_client *c = kmqtt_client_of(conn);

	kmqtt_client_count_end(c);
	kmqtt_greeting_free(c->greeting);
	c->greeting = NULL;
	kmqtt_relay_free(c->relay);
	c->relay = NULL;
	if (c->x.session) {
		kmqtt_xchg_drop(&c->x);
		kmqtt_session_detach(c->x.session, &c->port,
				     conn->reason ?: READ_ONCE(c->lost_reason));
	}
	kmqtt_client_unlink(c);
	INIT_RCU_WORK(&c->free_work, kmqtt_client_free);
	queue_rcu_work(kmqtt_wq, &c->free_work);
}

static const struct kmqtt_conn_ops kmqtt_client_ops = {
	.packet		= kmqtt_client_any,
	.run		= kmqtt_client_run,
	.publish	= kmqtt_client_publish,
	.published	= kmqtt_client_published,
	.resume		= kmqtt_client_resume,
	.pending	= kmqtt_client_pending,
	.refill		= kmqtt_client_refill,
	.timer		= kmqtt_client_timer,
	.goodbye	= kmqtt_client_goodbye,
	.closed		= kmqtt_client_closed,
};

/* Coming and going. */

/*
 * Into the lists of its listener. Where too many have not said what they want, the
 * one that has had the most time for it goes.
 */
static int kmqtt_client_link(struct kmqtt_client *c, u32 max)
{
	struct kmqtt_listener *l = c->listener;
	struct kmqtt_client *oldest;
	int ret = 0;

	spin_lock(&l->lock);
	if (l->dead) {
		ret = -ESHUTDOWN;
	} else if (l->count >= max) {
		ret = -EUSERS;
	} else {
		if (l->pending_count >= KMQTT_CLIENT_PENDING_MAX) {
			oldest = list_first_entry(&l->pending, struct kmqtt_client, pending);
			list_del_init(&oldest->pending);
			l->pending_count--;
			atomic64_inc(&l->stats.timeouts);
			oldest->doomed = true;
			if (oldest->started)
				kmqtt_conn_close(&oldest->x.conn);
		}
		list_add_tail(&c->link, &l->clients);
		list_add_tail(&c->pending, &l->pending);
		l->count++;
		l->pending_count++;
	}
	spin_unlock(&l->lock);
	return ret;
}

void kmqtt_client_admitted(struct kmqtt_client *c)
{
	struct kmqtt_listener *l = c->listener;
	u32 max = READ_ONCE(c->x.conn.broker->limits.max_packet_size);

	if (c->conf->max_packet_size)
		max = min(max, c->conf->max_packet_size);
	c->x.conn.max_packet = max;
	spin_lock(&l->lock);
	if (!list_empty(&c->pending)) {
		list_del_init(&c->pending);
		l->pending_count--;
	}
	spin_unlock(&l->lock);
}

static void kmqtt_client_peer(struct kmqtt_client *c, struct socket *sock)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&c->peer;
	struct sockaddr_storage addr;
	int len = kernel_getpeername(sock, (struct sockaddr *)&addr);

	if (len <= 0 || (addr.ss_family != AF_INET && addr.ss_family != AF_INET6))
		return;
	memcpy(&c->peer, &addr, min_t(size_t, len, sizeof(c->peer)));
	/* who came by IPv4 is shown so; the port is at the same place in both */
	if (addr.ss_family == AF_INET6 && ipv6_addr_v4mapped(&c->peer.sin6_addr)) {
		in->sin_family = AF_INET;
		in->sin_addr.s_addr = c->peer.sin6_addr.s6_addr32[3];
	}
}

static struct kmqtt_client *kmqtt_client_alloc(struct kmqtt_listener *l, struct socket *sock)
{
	struct kmqtt_broker *broker = &l->kn->broker;
	struct kmqtt_client *c = kmem_cache_zalloc(kmqtt_client_cache, GFP_KERNEL);

	if (!c)
		return NULL;
	kmqtt_conn_setup(&c->x.conn, &kmqtt_client_ops, broker);
	c->x.conn.max_packet = KMQTT_CLIENT_CONNECT_MAX;
	c->x.ops = &kmqtt_client_xchg_ops;
	c->x.port = &c->port;
	c->x.server = true;
	c->x.retain_available = true;
	c->x.max_qos = 2;
	c->x.peer_max_packet = U32_MAX;
	c->port.ops = &kmqtt_client_port_ops;
	refcount_set(&c->refs, 1);
	c->problem_info = true;
	INIT_LIST_HEAD(&c->link);
	INIT_LIST_HEAD(&c->pending);
	c->listener = l;
	refcount_inc(&l->refs);
	rcu_read_lock();
	c->conf = rcu_dereference(l->conf);
	while (!refcount_inc_not_zero(&c->conf->refs))
		c->conf = rcu_dereference(l->conf);
	rcu_read_unlock();
	kmqtt_client_peer(c, sock);
	return c;
}

/*
 * It can be found before it has its socket, and can be over before we are done
 * with it here: who finds it too early leaves word, and a reference keeps it.
 */
static void kmqtt_client_started(struct kmqtt_client *c)
{
	spin_lock(&c->listener->lock);
	c->started = true;
	if (c->doomed && !c->gone)
		kmqtt_conn_close(&c->x.conn);
	spin_unlock(&c->listener->lock);
	kmqtt_client_put(c);
}

int kmqtt_client_new(struct kmqtt_listener *l, struct socket *sock, u8 *early, u32 early_len)
{
	struct kmqtt_client *c = kmqtt_client_alloc(l, sock);
	int ret;

	if (!c)
		return -ENOMEM;
	ret = kmqtt_client_link(c, READ_ONCE(c->conf->max_connections));
	if (ret)
		goto put;
	refcount_inc(&c->refs);
	kmqtt_conn_timer(&c->x.conn, c->conf->connect_timeout * HZ);
	ret = kmqtt_conn_start(&c->x.conn, sock, early, early_len);
	if (!ret) {
		kmqtt_client_started(c);
		return 0;
	}
	/* nothing ran but the timer, perhaps; the socket stays its owner's */
	kmqtt_client_unlink(c);
	timer_shutdown_sync(&c->x.conn.timer);
	kmqtt_conn_cancel(&c->x.conn);
	kmqtt_client_put(c);
put:
	kmqtt_client_put(c);
	return ret;
}

void kmqtt_clients_end(struct kmqtt_listener *l, bool abort)
{
	struct kmqtt_client *c;

	spin_lock(&l->lock);
	list_for_each_entry(c, &l->clients, link) {
		c->doomed = true;
		if (c->started && abort)
			kmqtt_conn_close(&c->x.conn);
		else if (c->started)
			kmqtt_client_end(c, KMQTT_RC_SERVER_SHUTTING_DOWN);
	}
	spin_unlock(&l->lock);
}

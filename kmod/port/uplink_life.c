// SPDX-License-Identifier: GPL-2.0
/*
 * The life of an uplink: one work item that looks at what is wanted and at what
 * is, and makes or ends the link. All that others do is to change what is wanted
 * and to kick it.
 */
#include <linux/err.h>
#include <linux/file.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/net.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>

#include "compat.h"
#include "port/net.h"
#include "port/uplink_priv.h"

/* Jiffies that one that is deleted has; a connection that is finished has a second. */
#define KMQTT_UPLINK_GOODBYE	(2 * HZ)

void kmqtt_uplink_kick(struct kmqtt_uplink *up)
{
	mod_delayed_work(up->broker->wq, &up->life, 0);
}

void kmqtt_uplink_set_state(struct kmqtt_uplink *up, u8 state)
{
	lockdep_assert_held(&up->lock);
	if (up->state == state)
		return;
	WRITE_ONCE(up->state, state);
	up->since = ktime_get_boottime_seconds();
}

void kmqtt_uplink_event(struct kmqtt_uplink *up, u8 type, u8 reason, int error,
			const char *text)
{
	struct kmqtt_event event = {
		.type = type,
		.reason = reason,
		.error = error,
		.uplink = up->name,
		.text = text,
	};

	kmqtt_event_emit(up->broker, &event);
}

/* Where the connection goes, to show. uplink->lock held */
static void kmqtt_uplink_address(const struct kmqtt_uplink *up, char *text)
{
	if (up->by_fd)
		strscpy(text, "socket from user space", KMQTT_UPLINK_TEXT);
	else
		snprintf(text, KMQTT_UPLINK_TEXT, "%pISpc", &up->conf->server[up->server].addr);
}

void kmqtt_uplink_up_event(struct kmqtt_uplink *up)
{
	char text[KMQTT_UPLINK_TEXT];

	mutex_lock(&up->lock);
	kmqtt_uplink_address(up, text);
	mutex_unlock(&up->lock);
	kmqtt_uplink_event(up, KMQTT_EVENT_UPLINK_UP, 0, 0, text);
}

/* The session's port. */

static struct kmqtt_uplink *kmqtt_uplink_of_port(struct kmqtt_port *port)
{
	return container_of(port, struct kmqtt_uplink, port);
}

static void kmqtt_uplink_wake(struct kmqtt_port *port)
{
	struct kmqtt_link *link = rcu_dereference(kmqtt_uplink_of_port(port)->link);

	if (link && READ_ONCE(link->connected))
		kmqtt_conn_kick(&link->x.conn);
}

static void kmqtt_uplink_port_close(struct kmqtt_port *port, u8 reason)
{
	struct kmqtt_uplink *up = kmqtt_uplink_of_port(port);

	WRITE_ONCE(up->session_lost, true);
	kmqtt_uplink_kick(up);
}

static const struct kmqtt_port_ops kmqtt_uplink_port_ops = {
	.wake = kmqtt_uplink_wake,
	.close = kmqtt_uplink_port_close,
};

static void kmqtt_uplink_session_params(const struct kmqtt_uplink *up,
					struct kmqtt_session_params *p)
{
	p->kind = KMQTT_KIND_UPLINK;
	p->ack_mode = KMQTT_ACK_MQTT;
	p->policy = up->conf->policy;
	p->privileged = true;
	p->max_queued_messages = up->conf->max_queued_messages;
	p->max_queued_bytes = up->conf->max_queued_bytes;
	p->max_inflight = up->conf->max_inflight;
}

int kmqtt_uplink_session(struct kmqtt_uplink *up)
{
	char name[KMQTT_UPLINK_NAME_MAX + sizeof("uplink.")];
	struct kmqtt_session_params params = { .name = name };
	struct kmqtt_session *session;
	struct kmqtt_identity *who;
	bool present;

	lockdep_assert_held(&up->lock);
	if (up->session)
		return 0;
	who = kzalloc_obj(*who, GFP_KERNEL);
	if (!who)
		return -ENOMEM;
	who->trusted = true;
	snprintf(name, sizeof(name), "uplink.%s", up->name);
	kmqtt_uplink_session_params(up, &params);
	WRITE_ONCE(up->session_lost, false);
	up->port.ops = &kmqtt_uplink_port_ops;
	session = kmqtt_session_open(up->broker, &params, who, &up->port, &present);
	if (IS_ERR(session)) {
		kfree(who);
		return PTR_ERR(session);
	}
	up->session = session;
	kmqtt_uptopic_subscribe_all(up);
	return 0;
}

void kmqtt_uplink_tune(struct kmqtt_uplink *up)
{
	struct kmqtt_session_params params = {};

	lockdep_assert_held(&up->lock);
	kmqtt_uplink_session_params(up, &params);
	if (up->session)
		kmqtt_session_tune(up->session, &params);
}

static void kmqtt_uplink_session_drop(struct kmqtt_uplink *up)
{
	struct kmqtt_session *session = up->session;

	up->session = NULL;
	if (session)
		kmqtt_session_detach(session, &up->port, 0);
}

/* When to try again, and where. */

/* Of ->life itself: what waits for its end is a kick, and stays as early as it is. */
static void kmqtt_uplink_later(struct kmqtt_uplink *up, unsigned long delay)
{
	queue_delayed_work(up->broker->wq, &up->life, delay);
}

static void kmqtt_uplink_wait(struct kmqtt_uplink *up)
{
	u32 ms;

	up->backoff = up->backoff ? min(2 * up->backoff, up->conf->backoff_max) :
				    up->conf->backoff_min;
	/* a quarter more or less, so that many do not come back all at once */
	ms = up->backoff * MSEC_PER_SEC;
	ms = ms - ms / 4 + get_random_u32_below(ms / 2 + 1);
	up->retry_at = jiffies + msecs_to_jiffies(ms);
}

/* The next server at once; after all of them a pause. */
static void kmqtt_uplink_failed(struct kmqtt_uplink *up)
{
	up->retry_at = jiffies;
	if (!up->conf->server_count)
		return;
	up->server = (up->server + 1) % up->conf->server_count;
	if (++up->tried % up->conf->server_count == 0)
		kmqtt_uplink_wait(up);
}

/*
 * A server that does not know the bridge bit refuses the protocol, or closes the
 * connection without a word (MQTT 3.1.1, 3.1.2.2): then it is tried without.
 */
static bool kmqtt_uplink_without_bridge(struct kmqtt_uplink *up,
					const struct kmqtt_link *link)
{
	bool refused = link->x.conn.reason == KMQTT_RC_UNSUPPORTED_PROTOCOL_VERSION;
	bool silent = !link->sent_any && link->x.conn.bytes_sent &&
		      (link->x.conn.error == EPIPE || link->x.conn.error == ECONNRESET);

	if (link->connected)
		return false;
	if (!link->bridge) {
		/* it was not that: ask with it again some time */
		if (silent)
			up->no_bridge = false;
		return false;
	}
	if (!refused && !silent)
		return false;
	up->no_bridge = true;
	up->retry_at = jiffies;
	return true;
}

static void kmqtt_uplink_ended_event(struct kmqtt_uplink *up, const struct kmqtt_link *link)
{
	const struct kmqtt_conn *conn = &link->x.conn;
	char text[KMQTT_UPLINK_TEXT];

	kmqtt_uplink_address(up, text);
	if (conn->error == EBADMSG && conn->reason) {
		kmqtt_uplink_count(up, KMQTT_UPSTAT(malformed), 1);
		kmqtt_stats_add(up->broker->stats, KMQTT_STAT_MALFORMED, 1);
		kmqtt_uplink_event(up, KMQTT_EVENT_UPLINK_MALFORMED, conn->reason, 0,
				   kmqtt_reason_name(conn->reason));
	}
	kmqtt_uplink_event(up, KMQTT_EVENT_UPLINK_DOWN, conn->reason, conn->error, text);
	if (conn->error)
		net_info_ratelimited("kmqtt: uplink %s: %s: connection ended, error %d, reason 0x%02x\n",
				     up->name, text, conn->error, conn->reason);
}

/* uplink->lock held; it is let go and taken again. */
static void kmqtt_uplink_ended(struct kmqtt_uplink *up, struct kmqtt_link *link)
{
	const struct kmqtt_conn *conn = &link->x.conn;
	bool wanted = up->bounce || up->next_sock || !up->want_up;

	if (up->session)
		kmqtt_session_set_online(up->session, &up->port, false);
	kmqtt_uplink_ended_event(up, link);
	kmqtt_uplink_count(up, KMQTT_UPSTAT(packets_received), conn->packets_received);
	kmqtt_uplink_count(up, KMQTT_UPSTAT(packets_sent), conn->packets_sent);
	kmqtt_uplink_count(up, KMQTT_UPSTAT(bytes_received), conn->bytes_received);
	kmqtt_uplink_count(up, KMQTT_UPSTAT(bytes_sent), conn->bytes_sent);
	up->last_error = conn->error;
	up->last_reason = conn->reason;
	if (link->connected) {
		kmqtt_uplink_count(up, KMQTT_UPSTAT(disconnects), 1);
		kmqtt_stats_add(up->broker->stats, KMQTT_STAT_DISCONNECTS, 1);
		if (time_after_eq(jiffies, link->up_since + up->conf->stable * HZ)) {
			up->tried = 0;
			up->backoff = 0;
		}
	}
	up->bounce = false;
	if (up->by_server)
		up->by_fd = false;
	up->by_server = false;
	if (wanted)
		up->retry_at = jiffies;
	else if (!kmqtt_uplink_without_bridge(up, link))
		kmqtt_uplink_failed(up);

	rcu_assign_pointer(up->link, NULL);
	mutex_unlock(&up->lock);
	/* a wake-up may have seen it */
	synchronize_rcu();
	kmqtt_conn_release(&link->x.conn);
	kmqtt_link_free(link);
	mutex_lock(&up->lock);
}

void kmqtt_uplink_sock_drop(struct kmqtt_uplink *up)
{
	lockdep_assert_held(&up->lock);
	if (up->next_sock)
		kmqtt_sock_put(up->next_sock);
	kvfree(up->next_early);
	up->next_sock = NULL;
	up->next_early = NULL;
}

/* As kmqtt_uplink_sock_drop(). uplink->lock held; it is let go and taken again */
static void kmqtt_uplink_sock_close(struct kmqtt_uplink *up)
{
	struct socket *sock = up->next_sock;
	u8 *early = up->next_early;

	up->next_sock = NULL;
	up->next_early = NULL;
	mutex_unlock(&up->lock);
	kvfree(early);
	kmqtt_sock_put(sock);
	mutex_lock(&up->lock);
}

/* uplink->lock held; it is let go and taken again: the socket's own lock may be a process's */
static int kmqtt_uplink_start_sock(struct kmqtt_uplink *up, struct kmqtt_link *link)
{
	struct socket *sock = up->next_sock;
	u8 *early = up->next_early;
	u32 early_len = up->next_early_len;
	int ret;

	up->next_sock = NULL;
	up->next_early = NULL;
	up->by_fd = true;
	up->starting = true;
	kmqtt_uplink_set_state(up, KMQTT_UPLINK_HANDSHAKE);
	mutex_unlock(&up->lock);
	ret = kmqtt_conn_start(&link->x.conn, sock, early, early_len);
	if (ret) {
		kvfree(early);
		kmqtt_sock_put(sock);
	}
	mutex_lock(&up->lock);
	up->starting = false;
	return ret;
}

/* uplink->lock held; of a socket from user space it is let go and taken again */
static void kmqtt_uplink_start(struct kmqtt_uplink *up)
{
	struct kmqtt_link *link;
	int ret = kmqtt_uplink_session(up);

	if (ret)
		goto failed;
	link = kmqtt_link_new(up);
	if (IS_ERR(link)) {
		ret = PTR_ERR(link);
		goto failed;
	}
	kmqtt_uplink_count(up, KMQTT_UPSTAT(attempts), 1);
	if (up->next_sock) {
		ret = kmqtt_uplink_start_sock(up, link);
	} else {
		kmqtt_uplink_set_state(up, KMQTT_UPLINK_CONNECTING);
		ret = kmqtt_conn_connect(&link->x.conn, up->kn->broker.net,
					 &up->conf->server[up->server].addr);
	}
	if (ret) {
		/* the link ends by the way by which all do */
		link->x.conn.error = -ret;
		kmqtt_conn_close(&link->x.conn);
	}
	/* it has its socket: only now may anyone kick it; who would have, before, is made up for */
	rcu_assign_pointer(up->link, link);
	if (!ret)
		kmqtt_conn_kick(&link->x.conn);
	return;
failed:
	up->last_error = -ret;
	up->last_reason = 0;
	kmqtt_uplink_event(up, KMQTT_EVENT_UPLINK_DOWN, 0, -ret, "cannot start");
	up->by_fd |= !!up->next_sock;
	kmqtt_uplink_wait(up);
	kmqtt_uplink_set_state(up, KMQTT_UPLINK_BACKOFF);
	kmqtt_uplink_later(up, msecs_to_jiffies(up->backoff * MSEC_PER_SEC));
	/* its peer must not wait for what may never be possible; others may kick us then */
	if (up->next_sock)
		kmqtt_uplink_sock_close(up);
}

/* There is no link: what now? */
static void kmqtt_uplink_decide(struct kmqtt_uplink *up)
{
	/* one that is deleted gets no new session: its port is about to go */
	if (READ_ONCE(up->session_lost) && !up->deleted) {
		kmqtt_uplink_session_drop(up);
		kmqtt_uplink_session(up);
	}
	if (up->deleted || !up->want_up) {
		kmqtt_uplink_set_state(up, KMQTT_UPLINK_DOWN);
	} else if (up->next_sock) {
		kmqtt_uplink_start(up);
	} else if (up->by_fd || !up->conf->server_count) {
		kmqtt_uplink_set_state(up, KMQTT_UPLINK_WAIT_FD);
	} else if (time_before(jiffies, up->retry_at)) {
		kmqtt_uplink_set_state(up, KMQTT_UPLINK_BACKOFF);
		kmqtt_uplink_later(up, up->retry_at - jiffies);
	} else {
		kmqtt_uplink_start(up);
	}
}

/*
 * Nobody is to wait for what the link does not send any more, however long its end takes. One that
 * is deleted has time to say good-bye, for which the link needs the session; then that goes first.
 */
static void kmqtt_uplink_retire(struct kmqtt_uplink *up)
{
	unsigned long now = jiffies;

	if (!up->deleted && up->want_up)
		return;		/* it is only made anew */
	if (up->session)
		kmqtt_session_set_online(up->session, &up->port, false);
	if (!up->deleted)
		return;
	if (!up->drop_at)
		up->drop_at = (now + KMQTT_UPLINK_GOODBYE) ?: 1;
	if (time_before(now, up->drop_at)) {
		kmqtt_uplink_later(up, up->drop_at - now);
	} else {
		kmqtt_uptopic_free_all(up);
		kmqtt_uplink_session_drop(up);
	}
}

void kmqtt_uplink_life(struct work_struct *work)
{
	struct kmqtt_uplink *up = container_of(to_delayed_work(work), struct kmqtt_uplink, life);
	struct kmqtt_link *link;

	kmqtt_uppurge_run(up);
	mutex_lock(&up->lock);
	link = rcu_dereference_protected(up->link, lockdep_is_held(&up->lock));
	/* pairs with kmqtt_link_closed() */
	if (link && smp_load_acquire(&link->closed)) {
		kmqtt_uplink_ended(up, link);
		link = NULL;
	}
	if (!link) {
		kmqtt_uplink_decide(up);
	} else if (up->abort) {
		kmqtt_conn_close(&link->x.conn);
	} else if (up->deleted || !up->want_up || up->bounce || up->next_sock ||
		   READ_ONCE(up->session_lost)) {
		up->bounce = true;
		kmqtt_uplink_set_state(up, KMQTT_UPLINK_CLOSING);
		kmqtt_conn_finish(&link->x.conn);
		kmqtt_uplink_retire(up);
	}
	if (up->deleted && !rcu_access_pointer(up->link) && !up->ending) {
		up->ending = true;
		queue_work(up->broker->wq, &up->end_work);
	}
	mutex_unlock(&up->lock);
}

/*
 * Two steps: the work item ends; then the session, so that no wake-up begins any
 * more, and a grace period later, which is here, none runs.
 */
void kmqtt_uplink_stop(struct kmqtt_uplink *up)
{
	might_sleep();
	cancel_delayed_work_sync(&up->life);
	mutex_lock(&up->lock);
	kmqtt_uptopic_free_all(up);
	kmqtt_uplink_session_drop(up);
	if (up->next_sock)
		kmqtt_uplink_sock_close(up);
	mutex_unlock(&up->lock);
	synchronize_rcu();
	cancel_delayed_work_sync(&up->life);
	kmqtt_uppurge_run(up);
	kmqtt_upsubs_destroy(&up->subs);
}

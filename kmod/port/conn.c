// SPDX-License-Identifier: GPL-2.0
/* A connection's life: callbacks, the work item, the timer, the end. */
#include <linux/file.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/jiffies.h>
#include <linux/mempool.h>
#include <linux/module.h>
#include <linux/net.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/tcp.h>
#include <linux/wait_bit.h>
#include <net/net_namespace.h>
#include <net/sock.h>
#include <net/tcp.h>

#include "compat.h"
#include "core/broker.h"
#include "core/stock.h"
#include "port/conn.h"
#include "port/net.h"

/* How long the peer has to close its side after our DISCONNECT. */
#define KMQTT_CONN_LINGER	HZ

static struct kmem_cache *kmqtt_scratch_cache;
static mempool_t *kmqtt_scratch_pool;
static struct kmem_cache *kmqtt_tx_cache;

/* A cache with a constructor is not zeroed for each use, which would cost more than that. */
static void kmqtt_buffer_construct(void *p)
{
}

void *kmqtt_scratch_get(void)
{
	return mempool_alloc(kmqtt_scratch_pool, GFP_KERNEL);
}

void kmqtt_scratch_put(void *scratch)
{
	mempool_free(scratch, kmqtt_scratch_pool);
}

struct kmqtt_tx *kmqtt_tx_alloc(void)
{
	struct kmqtt_tx *tx = kmem_cache_alloc(kmqtt_tx_cache, GFP_KERNEL);

	if (!tx)
		return NULL;
	memset(tx, 0, offsetof(struct kmqtt_tx, vec));
	INIT_LIST_HEAD(&tx->chunks);
	return tx;
}

void kmqtt_tx_free(struct kmqtt_tx *tx)
{
	kmem_cache_free(kmqtt_tx_cache, tx);
}

/* io_works of the namespace that are queued and do not run yet */
static atomic_t *kmqtt_conn_queued(const struct kmqtt_conn *conn)
{
	return &container_of(conn->broker, struct kmqtt_net, broker)->conns_queued;
}

bool kmqtt_conn_idle(const struct kmqtt_conn *conn)
{
	return !atomic_read(kmqtt_conn_queued(conn));
}

void kmqtt_conn_kick(struct kmqtt_conn *conn)
{
	if (test_bit(KMQTT_CONN_CLOSED, &conn->flags))
		return;
	/* before it runs, which counts it down */
	atomic_inc(kmqtt_conn_queued(conn));
	if (!queue_work(conn->broker->wq, &conn->io_work))
		atomic_dec(kmqtt_conn_queued(conn));
}

void kmqtt_conn_cancel(struct kmqtt_conn *conn)
{
	if (cancel_work_sync(&conn->io_work))
		atomic_dec(kmqtt_conn_queued(conn));
}

void kmqtt_conn_close(struct kmqtt_conn *conn)
{
	set_bit(KMQTT_CONN_FAILED, &conn->flags);
	queue_work(conn->broker->wq, &conn->close_work);
}

void kmqtt_conn_finish(struct kmqtt_conn *conn)
{
	set_bit(KMQTT_CONN_FINISH, &conn->flags);
	kmqtt_conn_kick(conn);
}

void kmqtt_conn_unhold(struct kmqtt_conn *conn)
{
	clear_bit(KMQTT_CONN_HELD, &conn->flags);
	kmqtt_conn_kick(conn);
}

void kmqtt_conn_fail(struct kmqtt_conn *conn, int error, u8 reason)
{
	if (!test_bit(KMQTT_CONN_FAILED, &conn->flags) && !conn->error && !conn->reason) {
		conn->error = error;
		conn->reason = reason;
	}
	if (reason && !test_bit(KMQTT_CONN_FINISHING, &conn->flags))
		set_bit(KMQTT_CONN_FINISH, &conn->flags);
	else
		set_bit(KMQTT_CONN_FAILED, &conn->flags);
}

void kmqtt_conn_timer(struct kmqtt_conn *conn, unsigned long delay)
{
	clear_bit(KMQTT_CONN_TIMER, &conn->flags);
	mod_timer(&conn->timer, jiffies + delay);
}

static void kmqtt_conn_timer_fn(struct timer_list *t)
{
	struct kmqtt_conn *conn = timer_container_of(conn, t, timer);

	set_bit(KMQTT_CONN_TIMER, &conn->flags);
	kmqtt_conn_kick(conn);
}

/*
 * The callbacks. While sk_user_data is set, which sk_callback_lock protects,
 * the connection is there: kmqtt_sock_detach() clears it under that lock.
 *
 * The socket's own callback is called too: kTLS does its part of the work there,
 * and a process may be asleep on a socket that it has handed over.
 *
 * A backlog is worked off in process context, where the lock alone, not RCU,
 * says that the connection is there.
 */
static struct kmqtt_conn *kmqtt_sk_conn(struct sock *sk)
{
	return rcu_dereference_protected(__sk_user_data(sk),
					 lockdep_is_held(&sk->sk_callback_lock));
}

static void kmqtt_conn_readable(struct kmqtt_conn *conn)
{
	set_bit(KMQTT_CONN_READABLE, &conn->flags);
	kmqtt_conn_kick(conn);
}

static void kmqtt_sk_data_ready(struct sock *sk)
{
	struct kmqtt_conn *conn;

	read_lock_bh(&sk->sk_callback_lock);
	conn = kmqtt_sk_conn(sk);
	if (conn) {
		conn->data_ready(sk);
		kmqtt_conn_readable(conn);
	}
	read_unlock_bh(&sk->sk_callback_lock);
}

static void kmqtt_sk_state_change(struct sock *sk)
{
	struct kmqtt_conn *conn;

	read_lock_bh(&sk->sk_callback_lock);
	conn = kmqtt_sk_conn(sk);
	if (conn) {
		conn->state_change(sk);
		kmqtt_conn_readable(conn);
	}
	read_unlock_bh(&sk->sk_callback_lock);
}

static void kmqtt_sk_write_space(struct sock *sk)
{
	struct kmqtt_conn *conn;

	read_lock_bh(&sk->sk_callback_lock);
	conn = kmqtt_sk_conn(sk);
	if (conn) {
		/*
		 * kTLS sends the rest of its record first; of an AF_UNIX
		 * socket only its own callback knows the room.
		 */
		conn->write_space(sk);
		if (test_bit(KMQTT_CONN_STALLED, &conn->flags) &&
		    (!sk_is_tcp(sk) || sk_stream_is_writeable(sk)))
			kmqtt_conn_kick(conn);
	}
	read_unlock_bh(&sk->sk_callback_lock);
}

static int kmqtt_sock_hook(struct kmqtt_conn *conn, struct sock *sk, bool connected)
{
	int ret = 0;

	lock_sock(sk);
	write_lock_bh(&sk->sk_callback_lock);
	if (sk->sk_user_data) {
		ret = -EBUSY;
	} else if (connected && sk->sk_state != TCP_ESTABLISHED &&
		   sk->sk_state != TCP_CLOSE_WAIT) {
		ret = -ENOTCONN;
	} else {
		conn->data_ready = sk->sk_data_ready;
		conn->state_change = sk->sk_state_change;
		conn->write_space = sk->sk_write_space;
		WRITE_ONCE(sk->sk_data_ready, kmqtt_sk_data_ready);
		WRITE_ONCE(sk->sk_state_change, kmqtt_sk_state_change);
		WRITE_ONCE(sk->sk_write_space, kmqtt_sk_write_space);
		rcu_assign_sk_user_data(sk, conn);
	}
	write_unlock_bh(&sk->sk_callback_lock);
	release_sock(sk);
	return ret;
}

/*
 * lock_sock() keeps release_sock() from running callbacks for the backlog, in
 * process context; sk_callback_lock keeps softirqs from it. A callback that is
 * not ours any more belongs to somebody who will put ours back: he cannot be
 * stopped, so the module stays.
 */
static void kmqtt_sock_unhook(struct kmqtt_conn *conn, struct sock *sk)
{
	bool foreign = false;

	lock_sock(sk);
	write_lock_bh(&sk->sk_callback_lock);
	if (sk->sk_data_ready == kmqtt_sk_data_ready)
		WRITE_ONCE(sk->sk_data_ready, conn->data_ready);
	else
		foreign = true;
	if (sk->sk_state_change == kmqtt_sk_state_change)
		WRITE_ONCE(sk->sk_state_change, conn->state_change);
	else
		foreign = true;
	if (sk->sk_write_space == kmqtt_sk_write_space)
		WRITE_ONCE(sk->sk_write_space, conn->write_space);
	else
		foreign = true;
	rcu_assign_sk_user_data(sk, NULL);
	write_unlock_bh(&sk->sk_callback_lock);
	release_sock(sk);
	if (foreign)
		__module_get(THIS_MODULE);
}

/* Says good-bye, and once that is sent, FIN. */
static void kmqtt_conn_io_finish(struct kmqtt_conn *conn)
{
	if (!test_and_set_bit(KMQTT_CONN_FINISHING, &conn->flags)) {
		kmqtt_conn_rx_drop(conn);
		clear_bit(KMQTT_CONN_PAUSED, &conn->flags);
		if (test_bit(KMQTT_CONN_CONNECTING, &conn->flags)) {
			set_bit(KMQTT_CONN_FAILED, &conn->flags);
			return;
		}
		conn->ops->goodbye(conn);
		kmqtt_conn_timer(conn, KMQTT_CONN_LINGER);
	}
	if (kmqtt_conn_tx_idle(conn) && !test_and_set_bit(KMQTT_CONN_SHUT, &conn->flags)) {
		if (test_bit(KMQTT_CONN_TLS, &conn->flags))
			kmqtt_conn_tls_bye(conn);
		kernel_sock_shutdown(conn->sock, SHUT_WR);
	}
}

static void kmqtt_conn_io_connect(struct kmqtt_conn *conn)
{
	struct sock *sk = conn->sock->sk;
	int state = READ_ONCE(sk->sk_state);

	if (state == TCP_ESTABLISHED || state == TCP_CLOSE_WAIT) {
		clear_bit(KMQTT_CONN_CONNECTING, &conn->flags);
		conn->last_rx = jiffies;
		conn->last_tx = jiffies;
		if (conn->ops->ready)
			conn->ops->ready(conn);
	} else if (state == TCP_CLOSE) {
		int err = sock_error(sk);

		kmqtt_conn_fail(conn, err ? -err : ECONNREFUSED, 0);
	}
}

/* KMQTT_CONN_BUSY held. */
static void kmqtt_conn_io(struct kmqtt_conn *conn)
{
	bool more = false;

	/* the timer may be over while somebody holds the socket's lock, and we wait for that */
	if (!test_bit(KMQTT_CONN_STARTED, &conn->flags))
		return;
	if (test_bit(KMQTT_CONN_CLOSED, &conn->flags) ||
	    test_bit(KMQTT_CONN_FAILED, &conn->flags))
		return;
	if (test_bit(KMQTT_CONN_CONNECTING, &conn->flags))
		kmqtt_conn_io_connect(conn);
	if (test_and_clear_bit(KMQTT_CONN_TIMER, &conn->flags)) {
		if (test_bit(KMQTT_CONN_FINISHING, &conn->flags))
			set_bit(KMQTT_CONN_FAILED, &conn->flags);
		else
			conn->ops->timer(conn);
	}
	if (!test_bit(KMQTT_CONN_CONNECTING, &conn->flags) &&
	    !test_bit(KMQTT_CONN_FAILED, &conn->flags)) {
		more = kmqtt_conn_rx(conn);
		more |= kmqtt_conn_tx(conn);
	}
	if (test_bit(KMQTT_CONN_FINISH, &conn->flags) &&
	    !test_bit(KMQTT_CONN_FAILED, &conn->flags)) {
		kmqtt_conn_io_finish(conn);
		kmqtt_conn_tx(conn);
		kmqtt_conn_io_finish(conn);
	}
	if (test_bit(KMQTT_CONN_FAILED, &conn->flags))
		queue_work(conn->broker->wq, &conn->close_work);
	else if (more)
		kmqtt_conn_kick(conn);
}

static void kmqtt_conn_io_work(struct work_struct *work)
{
	struct kmqtt_conn *conn = container_of(work, struct kmqtt_conn, io_work);

	atomic_dec(kmqtt_conn_queued(conn));
	wait_on_bit_lock(&conn->flags, KMQTT_CONN_BUSY, TASK_UNINTERRUPTIBLE);
	kmqtt_conn_io(conn);
	clear_and_wake_up_bit(KMQTT_CONN_BUSY, &conn->flags);
}

void kmqtt_conn_send(struct kmqtt_conn *conn)
{
	bool more;

	/* with a full barrier: close_work sets CLOSED, and then waits for BUSY */
	if (test_and_set_bit(KMQTT_CONN_BUSY, &conn->flags)) {
		/* close_work does not wait for this, but a grace period, before it is freed */
		rcu_read_lock();
		kmqtt_conn_kick(conn);
		rcu_read_unlock();
		return;
	}
	if (!test_bit(KMQTT_CONN_CLOSED, &conn->flags) && !kmqtt_conn_ending(conn) &&
	    !test_bit(KMQTT_CONN_CONNECTING, &conn->flags)) {
		more = kmqtt_conn_tx(conn);
		/* io_work does nothing for one that has failed */
		if (test_bit(KMQTT_CONN_FAILED, &conn->flags))
			queue_work(conn->broker->wq, &conn->close_work);
		else if (more || kmqtt_conn_ending(conn))
			kmqtt_conn_kick(conn);
	}
	clear_and_wake_up_bit(KMQTT_CONN_BUSY, &conn->flags);
}

static void kmqtt_conn_sock_release(struct kmqtt_conn *conn)
{
	struct socket *sock = conn->sock;

	if (conn->file)
		kmqtt_handed_del(conn);
	conn->sock = NULL;
	if (conn->file) {
		/* the namespace goes: what waits for the other side would hold it */
		if (test_bit(KMQTT_CONN_ALONE, &conn->flags))
			sock_no_linger(sock->sk);
		kernel_sock_shutdown(sock, SHUT_RDWR);
		conn->file = NULL;
		kmqtt_sock_put(sock);
		return;
	}
	/*
	 * A kernel socket's timers go with it, so a FIN that is lost would never
	 * be sent again: unless both sides have closed, the peer gets a reset.
	 */
	if (!test_bit(KMQTT_CONN_SHUT, &conn->flags) ||
	    !test_bit(KMQTT_CONN_EOF, &conn->flags))
		sock_no_linger(sock->sk);
	sock_release(sock);
}

static void kmqtt_conn_close_work(struct work_struct *work)
{
	struct kmqtt_conn *conn = container_of(work, struct kmqtt_conn, close_work);

	if (test_and_set_bit(KMQTT_CONN_CLOSED, &conn->flags))
		return;
	if (conn->sock)
		kmqtt_sock_unhook(conn, conn->sock->sk);
	timer_shutdown_sync(&conn->timer);
	/* whoever sends for it may still kick it; from then on nobody does */
	wait_on_bit(&conn->flags, KMQTT_CONN_BUSY, TASK_UNINTERRUPTIBLE);
	kmqtt_conn_cancel(conn);
	kmqtt_conn_rx_drop(conn);
	kmqtt_conn_tx_drop(conn);
	if (conn->sock)
		kmqtt_conn_sock_release(conn);
	conn->ops->closed(conn);
}

void kmqtt_conn_release(struct kmqtt_conn *conn)
{
	might_sleep();
	/* that runs to its end; if it is queued once more, there is nothing to wait for */
	cancel_work_sync(&conn->close_work);
	timer_shutdown_sync(&conn->timer);
	kmqtt_conn_cancel(conn);
	kmqtt_conn_rx_drop(conn);
	kmqtt_conn_tx_drop(conn);
}

void kmqtt_conn_setup(struct kmqtt_conn *conn, const struct kmqtt_conn_ops *ops,
		      struct kmqtt_broker *broker)
{
	conn->ops = ops;
	conn->broker = broker;
	conn->last_rx = jiffies;
	conn->last_tx = jiffies;
	set_bit(KMQTT_CONN_READABLE, &conn->flags);
	INIT_LIST_HEAD(&conn->handed);
	INIT_LIST_HEAD(&conn->ctrl);
	INIT_WORK(&conn->io_work, kmqtt_conn_io_work);
	INIT_WORK(&conn->close_work, kmqtt_conn_close_work);
	timer_setup(&conn->timer, kmqtt_conn_timer_fn, 0);
}

int kmqtt_conn_connect(struct kmqtt_conn *conn, struct net *net,
		       const struct sockaddr_storage *addr)
{
	struct sockaddr_storage to = *addr;
	struct socket *sock;
	int ret, len;

	len = to.ss_family == AF_INET ? sizeof(struct sockaddr_in) :
					sizeof(struct sockaddr_in6);
	ret = sock_create_kern(net, to.ss_family, SOCK_STREAM, IPPROTO_TCP, &sock);
	if (ret)
		return ret;
	tcp_sock_set_nodelay(sock->sk);
	conn->sock = sock;
	set_bit(KMQTT_CONN_CONNECTING, &conn->flags);
	ret = kmqtt_sock_hook(conn, sock->sk, false);
	if (!ret)
		ret = kernel_connect(sock, (void *)&to, len, O_NONBLOCK);
	if (ret && ret != -EINPROGRESS) {
		set_bit(KMQTT_CONN_FAILED, &conn->flags);
		conn->error = -ret;
		kmqtt_conn_close(conn);
		return 0;
	}
	set_bit(KMQTT_CONN_STARTED, &conn->flags);
	kmqtt_conn_kick(conn);
	return 0;
}

int kmqtt_conn_start(struct kmqtt_conn *conn, struct socket *sock, u8 *early,
		     u32 early_len)
{
	bool handed = sock->file;
	int ret;

	conn->sock = sock;
	conn->file = sock->file;
	conn->rx.rest = early;
	conn->rx.rest_len = early_len;
	set_bit(KMQTT_CONN_CONNECTING, &conn->flags);
	if (kmqtt_sock_is_tls(sock->sk))
		set_bit(KMQTT_CONN_TLS, &conn->flags);
	if (sk_is_tcp(sock->sk))
		tcp_sock_set_nodelay(sock->sk);
	ret = kmqtt_sock_hook(conn, sock->sk, true);
	if (ret) {
		conn->sock = NULL;
		conn->file = NULL;
		conn->rx.rest = NULL;
		conn->rx.rest_len = 0;
		return ret;
	}
	if (handed)
		kmqtt_handed_add(conn);
	/* what came before the callbacks were in place, or before this, is looked for now */
	set_bit(KMQTT_CONN_STARTED, &conn->flags);
	kmqtt_conn_kick(conn);
	return 0;
}

int kmqtt_conn_init(void)
{
	int ret = -ENOMEM;

	kmqtt_scratch_cache = kmem_cache_create("kmqtt_scratch", KMQTT_CONN_SCRATCH,
						0, 0, kmqtt_buffer_construct);
	if (!kmqtt_scratch_cache)
		return ret;
	kmqtt_scratch_pool = kmqtt_reserve_new(kmqtt_scratch_cache, 1);
	if (!kmqtt_scratch_pool)
		goto err_cache;
	kmqtt_tx_cache = kmem_cache_create("kmqtt_tx", sizeof(struct kmqtt_tx), 0, 0,
					   kmqtt_buffer_construct);
	if (!kmqtt_tx_cache)
		goto err_pool;
	ret = kmqtt_sock_init();
	if (ret)
		goto err_tx;
	return 0;

err_tx:
	kmem_cache_destroy(kmqtt_tx_cache);
err_pool:
	mempool_destroy(kmqtt_scratch_pool);
err_cache:
	kmem_cache_destroy(kmqtt_scratch_cache);
	return ret;
}

void kmqtt_conn_exit(void)
{
	kmqtt_sock_exit();
	kmem_cache_destroy(kmqtt_tx_cache);
	mempool_destroy(kmqtt_scratch_pool);
	kmem_cache_destroy(kmqtt_scratch_cache);
}

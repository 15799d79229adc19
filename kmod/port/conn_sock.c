// SPDX-License-Identifier: GPL-2.0
/*
 * Sockets that user space hands over.
 *
 * The process keeps its descriptor. So that it cannot put kTLS on a plain TCP
 * socket under us (which would save our callbacks, and put them back when we are
 * gone), such a socket gets an upper layer protocol that does nothing: there is
 * room for one only. It holds a reference to the module until the socket dies.
 *
 * And the socket holds its network namespace, as a process's does and a kernel's
 * does not. When the process is gone, and the namespace's name too, the connection
 * alone would keep it for ever: nobody could reach it any more to end it. So while
 * a namespace has such connections it is looked at every second. When it has no
 * references but those of their sockets, and nobody but us refers to these, then
 * they are closed, without a word, as the others are when a namespace ends, and it
 * ends. Only counters are read for that. All that is counted is there as long as
 * kmqtt_handed.lock is held, and who is not counted keeps the sum from being
 * equal; so the worst that can happen is that it is found out a second later.
 */
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/net.h>
#include <linux/sched.h>
#include <linux/sockptr.h>
#include <net/af_unix.h>
#include <net/inet_connection_sock.h>
#include <net/net_namespace.h>
#include <net/sock.h>
#include <net/tcp.h>
#include <net/tls.h>

#include "compat.h"
#include "core/broker.h"
#include "port/conn.h"
#include "port/net.h"

#define KMQTT_ULP	"kmqtt"

/* How often a namespace with sockets from user space is looked at. */
#define KMQTT_HANDED_INTERVAL	HZ

static int kmqtt_ulp_init(struct sock *sk)
{
	return 0;
}

static struct tcp_ulp_ops kmqtt_ulp_ops __read_mostly = {
	.name	= KMQTT_ULP,
	.owner	= THIS_MODULE,
	.init	= kmqtt_ulp_init,
};

int kmqtt_sock_init(void)
{
	return tcp_register_ulp(&kmqtt_ulp_ops);
}

void kmqtt_sock_exit(void)
{
	tcp_unregister_ulp(&kmqtt_ulp_ops);
}

/* Is kTLS set up both ways? */
static bool kmqtt_tls_ready(struct sock *sk)
{
#if IS_ENABLED(CONFIG_TLS)
	struct tls_context *ctx = tls_get_ctx(sk);

	return ctx && (ctx->tx_conf == TLS_SW || ctx->tx_conf == TLS_HW) &&
	       (ctx->rx_conf == TLS_SW || ctx->rx_conf == TLS_HW);
#else
	return false;
#endif
}

static int kmqtt_sock_pin(struct socket *sock, const char **why)
{
	const struct tcp_ulp_ops *ulp;
	struct sock *sk = sock->sk;
	int ret;

	ulp = READ_ONCE(inet_csk(sk)->icsk_ulp_ops);
	if (kmqtt_sock_is_tls(sk)) {
		if (kmqtt_tls_ready(sk))
			return 0;
		*why = "kTLS is not set up in both directions";
		return -EOPNOTSUPP;
	}
	if (ulp == &kmqtt_ulp_ops)
		return 0;
	if (ulp) {
		*why = "the socket has another upper layer protocol";
		return -EOPNOTSUPP;
	}
	ret = sock->ops->setsockopt(sock, SOL_TCP, TCP_ULP,
				    KERNEL_SOCKPTR((void *)KMQTT_ULP),
				    sizeof(KMQTT_ULP) - 1);
	if (ret)
		*why = "the socket cannot be reserved";
	return ret;
}

static int kmqtt_sock_check(struct socket *sock, struct net *net, const char **why)
{
	struct sock *sk = sock->sk;

	if (sk->sk_type != SOCK_STREAM || (!sk_is_tcp(sk) && sk->sk_family != AF_UNIX)) {
		*why = "not a TCP or AF_UNIX stream socket";
		return -EOPNOTSUPP;
	}
	if (!net_eq(sock_net(sk), net)) {
		*why = "the socket is of another network namespace";
		return -EXDEV;
	}
	if (READ_ONCE(sk->sk_state) != TCP_ESTABLISHED) {
		*why = "the socket is not connected";
		return -ENOTCONN;
	}
	/* one that does not hold its namespace is not a process's */
	if (READ_ONCE(sk->sk_user_data) || !sk->sk_net_refcnt) {
		*why = "the socket is in use in the kernel";
		return -EBUSY;
	}
	return sk_is_tcp(sk) ? kmqtt_sock_pin(sock, why) : 0;
}

struct socket *kmqtt_sock_get(int fd, struct net *net, const char **why)
{
	struct socket *sock;
	int ret;

	if (!try_module_get(THIS_MODULE))
		return ERR_PTR(-ESHUTDOWN);
	sock = sockfd_lookup(fd, &ret);
	if (!sock) {
		module_put(THIS_MODULE);
		*why = ret == -ENOTSOCK ? "not a socket" : "no such file descriptor";
		return ERR_PTR(ret);
	}
	ret = kmqtt_sock_check(sock, net, why);
	if (!ret)
		return sock;
	kmqtt_sock_put(sock);
	return ERR_PTR(ret);
}

/* Nobody is there to be told that all has been sent. It goes on without us, as it would then. */
static void kmqtt_sock_no_wait(struct sock *sk)
{
	lock_sock(sk);
	if (sk->sk_lingertime)
		sock_reset_flag(sk, SOCK_LINGER);
	release_sock(sk);
}

void kmqtt_sock_put(struct socket *sock)
{
	/*
	 * What kernel threads put is closed by one work item of the whole machine, which is not
	 * to wait for what a process has in it or has said of it: so it is done here and now.
	 */
	if (current->flags & PF_KTHREAD) {
		kmqtt_sock_no_wait(sock->sk);
		__fput_sync(sock->file);
	} else {
		sockfd_put(sock);
	}
	module_put(THIS_MODULE);
}

static struct kmqtt_handed *kmqtt_handed_of(const struct kmqtt_conn *conn)
{
	return &container_of(conn->broker, struct kmqtt_net, broker)->handed;
}

void kmqtt_handed_add(struct kmqtt_conn *conn)
{
	struct kmqtt_handed *h = kmqtt_handed_of(conn);

	mutex_lock(&h->lock);
	/* if this is not set yet, kmqtt_handed_del() is still to come */
	if (!test_bit(KMQTT_CONN_CLOSED, &conn->flags)) {
		list_add_tail(&conn->handed, &h->list);
		h->unix_count += conn->sock->sk->sk_family == AF_UNIX;
		if (!h->count++ && !net_eq(conn->broker->net, &init_net))
			queue_delayed_work(conn->broker->wq, &h->watch, KMQTT_HANDED_INTERVAL);
	}
	mutex_unlock(&h->lock);
}

void kmqtt_handed_del(struct kmqtt_conn *conn)
{
	struct kmqtt_handed *h = kmqtt_handed_of(conn);

	mutex_lock(&h->lock);
	if (!list_empty(&conn->handed)) {
		list_del_init(&conn->handed);
		h->unix_count -= conn->sock->sk->sk_family == AF_UNIX;
		h->count--;
	}
	mutex_unlock(&h->lock);
}

/*
 * References to the namespace that go with a socket: its own, and that of the
 * other end of an AF_UNIX socket which is closed, for we hold that.
 */
static unsigned int kmqtt_handed_refs(struct sock *sk)
{
	unsigned int refs = 1;
	struct sock *peer;

	if (sk->sk_family != AF_UNIX)
		return refs;
	unix_state_lock(sk);
	peer = unix_peer(sk);
	if (peer && sock_flag(peer, SOCK_DEAD) && peer->sk_net_refcnt &&
	    net_eq(sock_net(peer), sock_net(sk)))
		refs++;
	unix_state_unlock(sk);
	return refs;
}

/* Is there nobody who could ever reach the namespace, or one of its sockets? */
static bool kmqtt_handed_alone(struct kmqtt_handed *h, struct net *net)
{
	struct kmqtt_conn *conn;
	unsigned int refs = 0;

	lockdep_assert_held(&h->lock);
	/* that is as long as there is a process, and costs nothing */
	if (ns_ref_read(net) > h->count + h->unix_count)
		return false;
	list_for_each_entry(conn, &h->list, handed) {
		if (file_count(conn->file) != 1)
			return false;
		refs += kmqtt_handed_refs(conn->sock->sk);
	}
	/* read anew: what was added up is still there, and this is all then */
	return ns_ref_read(net) == refs;
}

static void kmqtt_handed_watch(struct work_struct *work)
{
	struct kmqtt_handed *h = container_of(to_delayed_work(work), struct kmqtt_handed, watch);
	struct kmqtt_net *kn = container_of(h, struct kmqtt_net, handed);
	struct kmqtt_conn *conn;

	mutex_lock(&h->lock);
	if (h->count && kmqtt_handed_alone(h, kn->broker.net)) {
		list_for_each_entry(conn, &h->list, handed) {
			set_bit(KMQTT_CONN_ALONE, &conn->flags);
			kmqtt_conn_close(conn);
		}
	}
	if (h->count)
		queue_delayed_work(kn->broker.wq, &h->watch,
				   round_jiffies_relative(KMQTT_HANDED_INTERVAL));
	mutex_unlock(&h->lock);
}

void kmqtt_handed_net_init(struct kmqtt_net *kn)
{
	struct kmqtt_handed *h = &kn->handed;

	mutex_init(&h->lock);
	INIT_LIST_HEAD(&h->list);
	INIT_DELAYED_WORK(&h->watch, kmqtt_handed_watch);
}

/* No connection is left, so it does not start again. */
void kmqtt_handed_net_exit(struct kmqtt_net *kn)
{
	cancel_delayed_work_sync(&kn->handed.watch);
}

bool kmqtt_sock_has_fds(struct sock *sk)
{
	return sk->sk_family == AF_UNIX && atomic_read(&unix_sk(sk)->scm_stat.nr_fds);
}

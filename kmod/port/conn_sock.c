// SPDX-License-Identifier: GPL-2.0
/*
 * Sockets that user space hands over.
 *
 * The process keeps its descriptor. So that it cannot put kTLS on a plain TCP
 * socket under us (which would save our callbacks, and put them back when we are
 * gone), such a socket gets an upper layer protocol that does nothing: there is
 * room for one only. It holds a reference to the module until the socket dies.
 */
#include <linux/err.h>
#include <linux/file.h>
#include <linux/module.h>
#include <linux/net.h>
#include <linux/sockptr.h>
#include <net/inet_connection_sock.h>
#include <net/sock.h>
#include <net/tcp.h>
#include <net/tls.h>

#include "compat.h"
#include "port/conn.h"

#define KMQTT_ULP	"kmqtt"

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
	if (READ_ONCE(sk->sk_user_data)) {
		*why = "the socket is in use in the kernel";
		return -EBUSY;
	}
	return sk_is_tcp(sk) ? kmqtt_sock_pin(sock, why) : 0;
}

struct socket *kmqtt_sock_get(int fd, struct net *net, const char **why)
{
	struct socket *sock;
	int ret;

	sock = sockfd_lookup(fd, &ret);
	if (!sock) {
		*why = ret == -ENOTSOCK ? "not a socket" : "no such file descriptor";
		return ERR_PTR(ret);
	}
	ret = kmqtt_sock_check(sock, net, why);
	if (!ret)
		return sock;
	sockfd_put(sock);
	return ERR_PTR(ret);
}

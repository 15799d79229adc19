// SPDX-License-Identifier: GPL-2.0
/* Listeners: sockets that are listened on, settings, and the end of both. */
#include <linux/ctype.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/net.h>
#include <linux/slab.h>
#include <linux/tcp.h>
#include <net/ipv6.h>
#include <net/sock.h>
#include <net/tcp.h>

#include "compat.h"
#include "port/client.h"
#include "port/conn.h"
#include "port/listener.h"
#include "port/net.h"

#define KMQTT_LISTEN_BACKLOG	1024
#define KMQTT_ACCEPT_BUDGET	64	/* connections accepted in one run */
#define KMQTT_ACCEPT_PAUSE	(HZ / 10) /* when there is no memory for one */

/* Settings */

void kmqtt_listener_conf_default(struct kmqtt_listener_conf *conf)
{
	conf->max_connections = 16384;
	conf->max_packet_size = 0;
	conf->connect_timeout = 20;
	conf->connection_rate = 0;
	conf->message_rate = 0;
	conf->byte_rate = 0;
	conf->receive_maximum = 0;
	conf->max_topic_alias = 10;
	conf->max_topic_alias_broker = 10;
	conf->max_keepalive = 0;
	conf->max_qos = 2;
	conf->protocols = KMQTT_PROTOCOLS_ALL;
	conf->anonymous = false;
	conf->zero_length_client_id = true;
}

struct kmqtt_listener_conf *
kmqtt_listener_conf_new(const struct kmqtt_listener_conf *from, const char *mount)
{
	size_t len = mount ? strlen(mount) : 0;
	struct kmqtt_listener_conf *conf;

	conf = kzalloc(struct_size(conf, mount_point, len + 1), GFP_KERNEL_ACCOUNT);
	if (!conf)
		return NULL;
	if (from)
		memcpy(conf, from, sizeof(*conf));
	else
		kmqtt_listener_conf_default(conf);
	refcount_set(&conf->refs, 1);
	conf->mount_len = len;
	if (len)
		memcpy(conf->mount_point, mount, len);
	return conf;
}

void kmqtt_listener_conf_put(struct kmqtt_listener_conf *conf)
{
	if (conf && refcount_dec_and_test(&conf->refs))
		kfree_rcu(conf, rcu);
}

/* What is alive in a namespace */

void kmqtt_listeners_get(struct kmqtt_net *kn)
{
	spin_lock(&kn->listeners.alive_lock);
	kn->listeners.alive++;
	spin_unlock(&kn->listeners.alive_lock);
}

/* The last one may not touch the namespace after it has let go of the lock. */
void kmqtt_listeners_put(struct kmqtt_net *kn)
{
	spin_lock(&kn->listeners.alive_lock);
	if (!--kn->listeners.alive)
		wake_up_all(&kn->listeners.idle);
	spin_unlock(&kn->listeners.alive_lock);
}

static bool kmqtt_listeners_idle(struct kmqtt_listeners *l)
{
	bool idle;

	spin_lock(&l->alive_lock);
	idle = !l->alive;
	spin_unlock(&l->alive_lock);
	return idle;
}

void kmqtt_listener_put(struct kmqtt_listener *l)
{
	struct kmqtt_net *kn = l->kn;

	if (!refcount_dec_and_test(&l->refs))
		return;
	kmqtt_listener_conf_put(rcu_dereference_protected(l->conf, true));
	kfree(l);
	kmqtt_listeners_put(kn);
}

/* Accepting */

/*
 * Children are made with a copy of this callback, but not of sk_user_data
 * (SK_USER_DATA_NOCOPY): for them it finds nobody. What a child has got before it is accepted is
 * worked off by accept(), where the lock alone, not RCU, says that the listener is there.
 */
static void kmqtt_listen_data_ready(struct sock *sk)
{
	struct kmqtt_listener *l;

	read_lock_bh(&sk->sk_callback_lock);
	l = __locked_read_sk_user_data_with_flags(sk, SK_USER_DATA_NOCOPY);
	if (l && sk->sk_state == TCP_LISTEN)
		queue_delayed_work(l->kn->broker.wq, &l->accept_work, 0);
	read_unlock_bh(&sk->sk_callback_lock);
}

static void kmqtt_listener_count(struct kmqtt_listener *l)
{
	atomic64_inc(&l->stats.accepted);
	kmqtt_stats_add(l->kn->broker.stats, KMQTT_STAT_SOCKETS, 1);
}

static void kmqtt_accept_one(struct kmqtt_listener *l, struct socket *sock)
{
	struct sock *sk = sock->sk;
	int ret;

	kmqtt_listener_count(l);
	write_lock_bh(&sk->sk_callback_lock);
	WRITE_ONCE(sk->sk_data_ready, l->data_ready);
	write_unlock_bh(&sk->sk_callback_lock);
	/* a peer that is gone without a word is noticed even without keep alive */
	sock_set_keepalive(sk);
	ret = kmqtt_client_new(l, sock, NULL, 0);
	if (!ret)
		return;
	if (ret == -EUSERS)
		atomic64_inc(&l->stats.refused);
	sock_no_linger(sk);
	sock_release(sock);
}

/* Return: jiffies until one more may be accepted, 0: now */
static unsigned long kmqtt_accept_wait(struct kmqtt_listener *l)
{
	u32 rate;

	rcu_read_lock();
	rate = rcu_dereference(l->conf)->connection_rate;
	rcu_read_unlock();
	return rate ? kmqtt_bucket_take(&l->rate, rate, 0) : 0;
}

static void kmqtt_accept_pay(struct kmqtt_listener *l)
{
	u32 rate;

	rcu_read_lock();
	rate = rcu_dereference(l->conf)->connection_rate;
	rcu_read_unlock();
	if (rate)
		kmqtt_bucket_take(&l->rate, rate, 1);
}

static void kmqtt_accept_work(struct work_struct *work)
{
	struct kmqtt_listener *l = container_of(to_delayed_work(work),
						struct kmqtt_listener, accept_work);
	unsigned long wait;
	struct socket *sock;
	int n, ret;

	for (n = 0; n < KMQTT_ACCEPT_BUDGET && !READ_ONCE(l->dead); n++) {
		/* over the rate they wait in the backlog */
		wait = kmqtt_accept_wait(l);
		if (wait) {
			queue_delayed_work(l->kn->broker.wq, &l->accept_work, wait);
			return;
		}
		ret = kernel_accept(l->sock, &sock, O_NONBLOCK);
		if (ret == -EAGAIN || ret == -EINVAL)
			return;
		if (ret == -ECONNABORTED)
			continue;
		if (ret) {
			queue_delayed_work(l->kn->broker.wq, &l->accept_work, KMQTT_ACCEPT_PAUSE);
			return;
		}
		kmqtt_accept_pay(l);
		kmqtt_accept_one(l, sock);
	}
	queue_delayed_work(l->kn->broker.wq, &l->accept_work, 0);
}

/* Making one */

static int kmqtt_addr_len(const struct sockaddr_storage *addr)
{
	return addr->ss_family == AF_INET ? sizeof(struct sockaddr_in) :
					    sizeof(struct sockaddr_in6);
}

static int kmqtt_listener_bind(struct kmqtt_listener *l, struct socket *sock,
			       const char **why)
{
	int ret;

	sock_set_reuseaddr(sock->sk);
	tcp_sock_set_nodelay(sock->sk);
	if (l->addr.ss_family == AF_INET6) {
		lock_sock(sock->sk);
		sock->sk->sk_ipv6only = l->v6only;
		release_sock(sock->sk);
	}
	ret = kernel_bind(sock, (void *)&l->addr, kmqtt_addr_len(&l->addr));
	if (ret) {
		*why = ret == -EADDRINUSE ? "the address is in use" :
					    "cannot bind to this address";
		return ret;
	}
	ret = kernel_listen(sock, KMQTT_LISTEN_BACKLOG);
	if (ret) {
		*why = ret == -EADDRINUSE ? "the address is in use" : "cannot listen";
		return ret;
	}
	ret = kernel_getsockname(sock, (struct sockaddr *)&l->addr);
	return min(ret, 0);
}

static int kmqtt_listener_open(struct kmqtt_listener *l, const char **why)
{
	struct socket *sock;
	struct sock *sk;
	int ret;

	ret = sock_create_kern(l->kn->broker.net, l->addr.ss_family, SOCK_STREAM,
			       IPPROTO_TCP, &sock);
	if (ret) {
		if (ret == -EAFNOSUPPORT)
			*why = "there is no such address family";
		return ret;
	}
	ret = kmqtt_listener_bind(l, sock, why);
	if (ret) {
		sock_release(sock);
		return ret;
	}
	l->sock = sock;
	sk = sock->sk;
	lock_sock(sk);
	write_lock_bh(&sk->sk_callback_lock);
	l->data_ready = sk->sk_data_ready;
	WRITE_ONCE(sk->sk_data_ready, kmqtt_listen_data_ready);
	__rcu_assign_sk_user_data_with_flags(sk, l, SK_USER_DATA_NOCOPY);
	write_unlock_bh(&sk->sk_callback_lock);
	release_sock(sk);
	return 0;
}

/* Connections that came meanwhile are looked for by the first run of the work item. */
static void kmqtt_listener_close(struct kmqtt_listener *l)
{
	struct sock *sk;

	if (l->sock) {
		sk = l->sock->sk;
		lock_sock(sk);
		write_lock_bh(&sk->sk_callback_lock);
		WRITE_ONCE(sk->sk_data_ready, l->data_ready);
		rcu_assign_sk_user_data(sk, NULL);
		write_unlock_bh(&sk->sk_callback_lock);
		release_sock(sk);
	}
	cancel_delayed_work_sync(&l->accept_work);
	if (l->sock)
		sock_release(l->sock);
	l->sock = NULL;
}

static bool kmqtt_addr_equal(const struct sockaddr_storage *a,
			     const struct sockaddr_storage *b)
{
	const struct sockaddr_in6 *a6 = (const void *)a, *b6 = (const void *)b;
	const struct sockaddr_in *a4 = (const void *)a, *b4 = (const void *)b;

	if (a->ss_family != b->ss_family)
		return false;
	if (a->ss_family == AF_INET)
		return a4->sin_port == b4->sin_port &&
		       a4->sin_addr.s_addr == b4->sin_addr.s_addr;
	return a->ss_family == AF_INET6 && a6->sin6_port == b6->sin6_port &&
	       a6->sin6_scope_id == b6->sin6_scope_id &&
	       ipv6_addr_equal(&a6->sin6_addr, &b6->sin6_addr);
}

struct kmqtt_listener *kmqtt_listener_find(struct kmqtt_net *kn, const char *name,
					   const struct sockaddr_storage *addr)
{
	struct kmqtt_listener *l;

	lockdep_assert_held(&kn->listeners.lock);
	list_for_each_entry(l, &kn->listeners.list, link)
		if (name ? !strcmp(l->name, name) : kmqtt_addr_equal(&l->addr, addr))
			return l;
	return NULL;
}

static struct kmqtt_listener *
kmqtt_listener_new(struct kmqtt_net *kn, const char *name,
		   const struct sockaddr_storage *addr, bool v6only)
{
	struct kmqtt_listener *l = kzalloc_obj(*l, GFP_KERNEL_ACCOUNT);

	if (!l)
		return NULL;
	l->kn = kn;
	refcount_set(&l->refs, 1);
	l->addr = *addr;
	l->v6only = v6only;
	spin_lock_init(&l->lock);
	INIT_LIST_HEAD(&l->clients);
	INIT_LIST_HEAD(&l->pending);
	INIT_DELAYED_WORK(&l->accept_work, kmqtt_accept_work);
	ratelimit_state_init(&l->log, DEFAULT_RATELIMIT_INTERVAL, DEFAULT_RATELIMIT_BURST);
	strscpy(l->name, name ?: "", sizeof(l->name));
	kmqtt_listeners_get(kn);
	return l;
}

/* listeners->lock held. Return: as kmqtt_listener_add() */
static int kmqtt_listener_make(struct kmqtt_net *kn, const char *name,
			       struct sockaddr_storage *addr, bool v6only,
			       struct kmqtt_listener_conf *conf, char *made,
			       const char **why)
{
	struct kmqtt_listener *l;
	int ret = 0;

	if (kn->listeners.count >= KMQTT_LISTENERS_MAX) {
		*why = "too many listeners";
		return -ENOSPC;
	}
	if (name && kmqtt_listener_find(kn, name, NULL)) {
		*why = "there is a listener of this name";
		return -EEXIST;
	}
	l = kmqtt_listener_new(kn, name, addr, v6only);
	if (!l)
		return -ENOMEM;
	if (addr->ss_family != AF_UNSPEC)
		ret = kmqtt_listener_open(l, why);
	if (ret)
		goto put;
	if (!*l->name)
		snprintf(l->name, sizeof(l->name), "%pISpc", &l->addr);
	if (kmqtt_listener_find(kn, l->name, NULL)) {
		*why = "there is a listener of this name";
		ret = -EEXIST;
		goto close;
	}
	RCU_INIT_POINTER(l->conf, conf);
	list_add_tail(&l->link, &kn->listeners.list);
	kn->listeners.count++;
	kmqtt_sys_use(&kn->broker);
	*addr = l->addr;
	strscpy(made, l->name, sizeof(l->name));
	if (l->sock)
		queue_delayed_work(l->kn->broker.wq, &l->accept_work, 0);
	return 0;
close:
	kmqtt_listener_close(l);
put:
	kmqtt_listener_put(l);
	return ret;
}

bool kmqtt_listener_name_valid(const char *name)
{
	const char *p;

	for (p = name; *p; p++)
		if (!isascii(*p) || (!isalnum(*p) && !strchr("._-", *p)))
			return false;
	return isalpha(*name);
}

int kmqtt_listener_add(struct kmqtt_net *kn, const char *name,
		       struct sockaddr_storage *addr, bool v6only,
		       struct kmqtt_listener_conf *conf, char *made, const char **why)
{
	int ret;

	*why = NULL;
	if (name && !kmqtt_listener_name_valid(name)) {
		*why = "a name is of letters, digits, '.', '_' and '-', a letter first";
		return -EINVAL;
	}
	if (!name && addr->ss_family == AF_UNSPEC) {
		*why = "a listener without an address needs a name";
		return -EINVAL;
	}
	mutex_lock(&kn->listeners.lock);
	ret = kmqtt_listener_make(kn, name, addr, v6only, conf, made, why);
	mutex_unlock(&kn->listeners.lock);
	return ret;
}

void kmqtt_listener_set(struct kmqtt_listener *l, struct kmqtt_listener_conf *conf)
{
	struct kmqtt_listener_conf *old;

	old = rcu_replace_pointer(l->conf, conf, lockdep_is_held(&l->kn->listeners.lock));
	kmqtt_listener_conf_put(old);
	if (l->sock)
		mod_delayed_work(l->kn->broker.wq, &l->accept_work, 0);
}

void kmqtt_listener_del(struct kmqtt_listener *l, bool abort)
{
	lockdep_assert_held(&l->kn->listeners.lock);
	list_del(&l->link);
	l->kn->listeners.count--;
	spin_lock(&l->lock);
	WRITE_ONCE(l->dead, true);
	spin_unlock(&l->lock);
	kmqtt_listener_close(l);
	kmqtt_clients_end(l, abort);
	kmqtt_sys_unuse(&l->kn->broker);
	kmqtt_listener_put(l);
}

int kmqtt_listener_attach(struct kmqtt_listener *l, int fd, const u8 *early, u32 early_len,
			  const char **why)
{
	struct socket *sock;
	u8 *copy = NULL;
	int ret;

	*why = NULL;
	sock = kmqtt_sock_get(fd, l->kn->broker.net, why);
	if (IS_ERR(sock))
		return PTR_ERR(sock);
	if (early_len) {
		copy = kvmalloc(early_len, GFP_KERNEL);
		if (!copy) {
			ret = -ENOMEM;
			goto put;
		}
		memcpy(copy, early, early_len);
	}
	kmqtt_listener_count(l);
	ret = kmqtt_client_new(l, sock, copy, early_len);
	if (!ret)
		return 0;
	if (ret == -EUSERS) {
		atomic64_inc(&l->stats.refused);
		*why = "the listener has max_connections clients";
	}
	kvfree(copy);
put:
	kmqtt_sock_put(sock);
	return ret;
}

void kmqtt_listener_net_init(struct kmqtt_net *kn)
{
	INIT_LIST_HEAD(&kn->listeners.list);
	mutex_init(&kn->listeners.lock);
	spin_lock_init(&kn->listeners.alive_lock);
	init_waitqueue_head(&kn->listeners.idle);
}

void kmqtt_listener_net_exit(struct kmqtt_net *kn)
{
	struct kmqtt_listener *l, *next;

	mutex_lock(&kn->listeners.lock);
	list_for_each_entry_safe(l, next, &kn->listeners.list, link)
		kmqtt_listener_del(l, true);
	mutex_unlock(&kn->listeners.lock);
	wait_event(kn->listeners.idle, kmqtt_listeners_idle(&kn->listeners));
}

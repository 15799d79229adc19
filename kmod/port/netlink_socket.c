// SPDX-License-Identifier: GPL-2.0
/*
 * Netlink: sockets that publish or subscribe. Each has a session of its own,
 * made when it is needed and ended when the socket is closed.
 *
 * A work item per socket takes what its session has and puts it into the
 * socket's receive buffer. Half of the buffer is left to answers and dumps; when
 * the other half is full, messages wait in the session, whose limits and policy
 * hold, and the work tries again a little later: netlink tells nobody that there
 * is room. So what is acknowledged to a publisher with QoS 1 or 2 is not lost.
 *
 * A socket holds the module and, being a socket of user space, its network
 * namespace; hence all of them are gone before either goes.
 */
#include <linux/cred.h>
#include <linux/hash.h>
#include <linux/jhash.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/rhashtable.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "port/netlink.h"

/* deliveries that are taken at once, and how often before the work starts anew */
#define KMQTT_NL_BATCH		16
#define KMQTT_NL_ROUNDS		8

/* jiffies until a full socket is looked at again, doubled while it stays so */
#define KMQTT_NL_RETRY_MIN	1
#define KMQTT_NL_RETRY_MAX	(HZ / 8)

struct kmqtt_nl_key {
	struct net *net;
	u32 portid;
};

/**
 * struct kmqtt_nl_socket - a netlink socket with a session
 * @port:	where the session plugs in
 * @session:	the session, a reference
 * @key:	who it is
 * @link:	in kmqtt_nl_sockets
 * @sk:		the socket, a reference
 * @work:	delivers
 * @release:	frees it a grace period after it was detached
 * @retry:	jiffies to wait if the socket is full, only in @work
 * @dropped:	messages lost so far, only in @work
 * @dropped_told: how many of them the socket knows of, only in @work
 * @closed:	the session was taken away
 */
struct kmqtt_nl_socket {
	struct kmqtt_port port;
	struct kmqtt_session *session;
	struct kmqtt_nl_key key;
	struct rhash_head link;
	struct sock *sk;
	struct delayed_work work;
	struct rcu_work release;
	unsigned int retry;
	u64 dropped;
	u64 dropped_told;
	bool closed;
};

static u32 kmqtt_nl_key_hashfn(const void *data, u32 len, u32 seed)
{
	const struct kmqtt_nl_key *key = data;

	return jhash_2words(key->portid, hash_ptr(key->net, 32), seed);
}

static u32 kmqtt_nl_obj_hashfn(const void *data, u32 len, u32 seed)
{
	const struct kmqtt_nl_socket *ns = data;

	return kmqtt_nl_key_hashfn(&ns->key, len, seed);
}

static int kmqtt_nl_obj_cmpfn(struct rhashtable_compare_arg *arg, const void *obj)
{
	const struct kmqtt_nl_key *key = arg->key;
	const struct kmqtt_nl_socket *ns = obj;

	return key->portid != ns->key.portid || key->net != ns->key.net;
}

static const struct rhashtable_params kmqtt_nl_params = {
	.head_offset = offsetof(struct kmqtt_nl_socket, link),
	.hashfn = kmqtt_nl_key_hashfn,
	.obj_hashfn = kmqtt_nl_obj_hashfn,
	.obj_cmpfn = kmqtt_nl_obj_cmpfn,
	.automatic_shrinking = true,
};

static struct rhashtable kmqtt_nl_sockets;

static void kmqtt_nl_wake(struct kmqtt_port *port)
{
	struct kmqtt_nl_socket *ns = container_of(port, struct kmqtt_nl_socket, port);

	/* does nothing while the work waits for room */
	queue_delayed_work(kmqtt_wq, &ns->work, 0);
}

static void kmqtt_nl_close(struct kmqtt_port *port, u8 reason)
{
	struct kmqtt_nl_socket *ns = container_of(port, struct kmqtt_nl_socket, port);

	WRITE_ONCE(ns->closed, true);
	/* recv() tells it, and poll() */
	WRITE_ONCE(ns->sk->sk_err, ESHUTDOWN);
	sk_error_report(ns->sk);
}

static const struct kmqtt_port_ops kmqtt_nl_port_ops = {
	.wake = kmqtt_nl_wake,
	.close = kmqtt_nl_close,
};

/* One message always fits, if nothing else is there: as in netlink itself. */
static bool kmqtt_nl_has_room(const struct kmqtt_nl_socket *ns, unsigned int size)
{
	unsigned int used = atomic_read(&ns->sk->sk_rmem_alloc);

	return !used || used + size <= READ_ONCE(ns->sk->sk_rcvbuf) / 2;
}

/* Return: 0, or a reason to give it back: -EAGAIN (full), -ENOMEM, -ECONNREFUSED */
static int kmqtt_nl_deliver_one(struct kmqtt_nl_socket *ns,
				const struct kmqtt_delivery *d)
{
	bool tell = ns->dropped != ns->dropped_told;
	struct sk_buff *skb;
	int err;

	skb = kmqtt_nl_message(ns->key.portid, d, tell ? ns->dropped : 0);
	if (IS_ERR(skb)) {
		if (PTR_ERR(skb) != -EMSGSIZE)
			return PTR_ERR(skb);
		kmqtt_session_forget(ns->session, &ns->port, d);
		return 0;
	}
	if (!kmqtt_nl_has_room(ns, skb->truesize)) {
		nlmsg_free(skb);
		return -EAGAIN;
	}
	/* its port id may be another's by now */
	if (sock_flag(ns->sk, SOCK_DEAD)) {
		nlmsg_free(skb);
		return -ECONNREFUSED;
	}
	err = genlmsg_unicast(ns->key.net, skb, ns->key.portid);
	if (!err)
		ns->dropped_told = ns->dropped;
	return err;
}

/* Return: how many were delivered; *err: why no more */
static unsigned int kmqtt_nl_deliver_batch(struct kmqtt_nl_socket *ns, int *err)
{
	struct kmqtt_delivery d[KMQTT_NL_BATCH] __uninitialized;
	size_t room = SIZE_MAX;
	int i, n;

	n = kmqtt_session_take(ns->session, &ns->port, d, ARRAY_SIZE(d), &room);
	ns->dropped += kmqtt_session_dropped(ns->session);
	for (i = 0; i < n; i++) {
		*err = kmqtt_nl_deliver_one(ns, &d[i]);
		if (*err)
			break;
		kmqtt_delivery_put(&d[i]);
	}
	if (i < n)
		kmqtt_session_untake(ns->session, &ns->port, d + i, n - i);
	return max(i, 0);
}

static void kmqtt_nl_deliver(struct work_struct *work)
{
	struct kmqtt_nl_socket *ns = container_of(to_delayed_work(work),
						  struct kmqtt_nl_socket, work);
	unsigned int round, done = 0, n;
	int err = 0;

	for (round = 0; round < KMQTT_NL_ROUNDS && !err; round++) {
		n = kmqtt_nl_deliver_batch(ns, &err);
		if (!n && !err)
			return;
		done += n;
	}
	if (err == -ECONNREFUSED)
		return;		/* the socket is being closed */
	if (!err) {
		queue_delayed_work(kmqtt_wq, &ns->work, 0);
		return;
	}
	ns->retry = done ? KMQTT_NL_RETRY_MIN :
		    clamp(ns->retry * 2, KMQTT_NL_RETRY_MIN, KMQTT_NL_RETRY_MAX);
	/* a message that came meanwhile does not make it any earlier */
	mod_delayed_work(kmqtt_wq, &ns->work, ns->retry);
}

static void kmqtt_nl_socket_release(struct work_struct *work)
{
	struct kmqtt_nl_socket *ns = container_of(to_rcu_work(work),
						  struct kmqtt_nl_socket, release);

	/* nobody wakes it any more */
	cancel_delayed_work_sync(&ns->work);
	kmqtt_session_put(ns->session);
	sock_put(ns->sk);
	kfree(ns);
	/* kmqtt_core_exit() waits for the work that runs here */
	module_put(THIS_MODULE);
}

static int kmqtt_nl_urelease(struct notifier_block *nb, unsigned long state,
			     void *data)
{
	const struct netlink_notify *n = data;
	struct kmqtt_nl_key key = { .net = n->net, .portid = n->portid };
	struct kmqtt_nl_socket *ns;

	if (state != NETLINK_URELEASE || n->protocol != NETLINK_GENERIC)
		return NOTIFY_DONE;
	/*
	 * The port id was free again before this is called: what is found may be
	 * of a socket that has it now, which is not dead, or the notifier of
	 * another one that had it may remove it first.
	 */
	rcu_read_lock();
	ns = rhashtable_lookup(&kmqtt_nl_sockets, &key, kmqtt_nl_params);
	if (ns && (!sock_flag(ns->sk, SOCK_DEAD) ||
		   rhashtable_remove_fast(&kmqtt_nl_sockets, &ns->link,
					  kmqtt_nl_params)))
		ns = NULL;
	rcu_read_unlock();
	if (!ns)
		return NOTIFY_DONE;
	kmqtt_session_get(ns->session);		/* for the work, until it is freed */
	kmqtt_session_detach(ns->session, &ns->port, 0);
	queue_rcu_work(kmqtt_wq, &ns->release);
	return NOTIFY_OK;
}

static struct notifier_block kmqtt_nl_notifier = {
	.notifier_call = kmqtt_nl_urelease,
};

/* Return: the session, attached to @ns; ERR_PTR */
static struct kmqtt_session *kmqtt_nl_socket_open(struct genl_info *info,
						  struct kmqtt_nl_socket *ns)
{
	struct kmqtt_session_params params = {
		.kind = KMQTT_KIND_NETLINK,
		.ack_mode = KMQTT_ACK_AUTO,
	};
	struct kmqtt_identity *who = kzalloc_obj(*who, GFP_KERNEL_ACCOUNT);
	struct kmqtt_session *s;
	bool present;

	if (!who)
		return ERR_PTR(-ENOMEM);
	kmqtt_identity_init_current(who);
	s = kmqtt_session_open(&kmqtt_nl_kn(info)->broker, &params, who, &ns->port,
			       &present);
	if (IS_ERR(s))
		kmqtt_identity_free(who);
	return s;
}

/* kn->sockets_lock held. Return: the new socket; ERR_PTR */
static struct kmqtt_nl_socket *kmqtt_nl_socket_new(struct genl_info *info,
						   struct sock *sk,
						   const struct kmqtt_nl_key *key)
{
	struct kmqtt_nl_socket *ns = kzalloc_obj(*ns, GFP_KERNEL_ACCOUNT);
	int err;

	if (!ns)
		return ERR_PTR(-ENOMEM);
	if (!try_module_get(THIS_MODULE)) {
		kfree(ns);
		return ERR_PTR(-ESHUTDOWN);
	}
	ns->port.ops = &kmqtt_nl_port_ops;
	ns->key = *key;
	ns->sk = sk;
	INIT_DELAYED_WORK(&ns->work, kmqtt_nl_deliver);
	INIT_RCU_WORK(&ns->release, kmqtt_nl_socket_release);
	sock_hold(sk);

	ns->session = kmqtt_nl_socket_open(info, ns);
	if (IS_ERR(ns->session)) {
		err = PTR_ERR(ns->session);
		goto put;
	}
	err = rhashtable_insert_fast(&kmqtt_nl_sockets, &ns->link, kmqtt_nl_params);
	if (err) {
		kmqtt_session_get(ns->session);
		kmqtt_session_detach(ns->session, &ns->port, 0);
		queue_rcu_work(kmqtt_wq, &ns->release);
		return ERR_PTR(err);
	}
	kmqtt_session_set_online(ns->session, &ns->port, true);
	return ns;
put:
	sock_put(sk);
	kfree(ns);
	module_put(THIS_MODULE);
	return ERR_PTR(err);
}

struct kmqtt_session *kmqtt_nl_socket_session(struct genl_info *info,
					      struct sk_buff *skb, bool make)
{
	struct kmqtt_nl_key key = {
		.net = genl_info_net(info),
		.portid = info->snd_portid,
	};
	struct kmqtt_nl_socket *ns;

	mutex_lock(&kmqtt_nl_kn(info)->sockets_lock);
	rcu_read_lock();
	ns = rhashtable_lookup(&kmqtt_nl_sockets, &key, kmqtt_nl_params);
	/* one that had this port id, and is still being closed */
	if (ns && ns->sk != NETLINK_CB(skb).sk)
		ns = ERR_PTR(-EAGAIN);
	rcu_read_unlock();
	if (!ns && make && kmqtt_acl_empty(&kmqtt_nl_kn(info)->broker.acl) &&
	    !netlink_net_capable(skb, CAP_NET_ADMIN))
		ns = ERR_PTR(-EPERM);
	else if (!ns)
		ns = make ? kmqtt_nl_socket_new(info, NETLINK_CB(skb).sk, &key) :
			    ERR_PTR(-ENOENT);
	mutex_unlock(&kmqtt_nl_kn(info)->sockets_lock);
	if (PTR_ERR_OR_ZERO(ns) == -EPERM)
		kmqtt_nl_fail(info->extack, NULL,
			      "without access rules only CAP_NET_ADMIN publishes and subscribes here",
			      -EPERM);
	if (PTR_ERR_OR_ZERO(ns) == -ENOSPC)
		kmqtt_nl_fail(info->extack, NULL, "too many sessions", -ENOSPC);
	if (IS_ERR(ns))
		return ERR_CAST(ns);
	if (READ_ONCE(ns->closed))
		return ERR_PTR(kmqtt_nl_fail(info->extack, NULL,
					     "the session of this socket was ended",
					     -ESHUTDOWN));
	return ns->session;
}

int kmqtt_nl_sockets_init(void)
{
	int ret = rhashtable_init(&kmqtt_nl_sockets, &kmqtt_nl_params);

	if (ret)
		return ret;
	ret = netlink_register_notifier(&kmqtt_nl_notifier);
	if (ret)
		rhashtable_destroy(&kmqtt_nl_sockets);
	return ret;
}

void kmqtt_nl_sockets_exit(void)
{
	netlink_unregister_notifier(&kmqtt_nl_notifier);
	rhashtable_destroy(&kmqtt_nl_sockets);
}

// SPDX-License-Identifier: GPL-2.0
/* Enhanced authentication, between a client and user space: see auth_relay.h. */
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/notifier.h>
#include <linux/slab.h>

#include "port/auth_relay.h"
#include "port/conn.h"
#include "port/netlink.h"

/* how long the authenticator may think */
#define KMQTT_RELAY_SECONDS	10

/* the authenticator, if it has not been closed. relays->lock held */
static struct sock *kmqtt_relay_sock(struct kmqtt_relays *rs)
{
	lockdep_assert_held(&rs->lock);
	return rs->sk && !sock_flag(rs->sk, SOCK_DEAD) ? rs->sk : NULL;
}

bool kmqtt_relay_listens(struct kmqtt_net *kn)
{
	return READ_ONCE(kn->relays.sk);
}

static void kmqtt_relay_forget(struct kmqtt_relay *r)
{
	if (r->data)
		kvfree_sensitive(r->data, r->data_len);
	r->data = NULL;
	r->data_len = 0;
}

void kmqtt_relay_taken(struct kmqtt_relay *r, u8 turn)
{
	kmqtt_relay_forget(r);
	WRITE_ONCE(r->turn, turn);
}

/* Everything that belongs to the answer is there. relays->lock held */
static void kmqtt_relay_answer(struct kmqtt_relay *r, u8 verdict, u8 reason)
{
	lockdep_assert_held(&r->relays->lock);
	r->verdict = verdict;
	r->reason = reason;
	/* pairs with kmqtt_relay_turn() */
	smp_store_release(&r->turn, KMQTT_RELAY_ANSWERED);
	/* if its timer has fired already it finds that there is an answer */
	cancel_delayed_work(&r->timeout);
	kmqtt_conn_kick(r->conn);
}

static void kmqtt_relay_time_over(struct work_struct *work)
{
	struct kmqtt_relay *r = container_of(to_delayed_work(work), struct kmqtt_relay, timeout);

	mutex_lock(&r->relays->lock);
	if (r->turn == KMQTT_RELAY_ASKED && time_after_eq(jiffies, r->deadline))
		kmqtt_relay_answer(r, KMQTT_AUTH_VERDICT_REFUSE, KMQTT_RC_SERVER_BUSY);
	mutex_unlock(&r->relays->lock);
}

struct kmqtt_relay *kmqtt_relay_new(struct kmqtt_net *kn, struct kmqtt_conn *conn,
				    struct kmqtt_view method)
{
	struct kmqtt_relays *rs = &kn->relays;
	struct kmqtt_relay *r;
	int err;

	r = kzalloc(struct_size(r, method, method.len), GFP_KERNEL);
	if (!r)
		return NULL;
	r->relays = rs;
	r->conn = conn;
	INIT_DELAYED_WORK(&r->timeout, kmqtt_relay_time_over);
	r->method_len = method.len;
	memcpy(r->method, method.data, method.len);
	mutex_lock(&rs->lock);
	err = xa_alloc_cyclic(&rs->by_id, &r->id, r, xa_limit_32b, &rs->next, GFP_KERNEL);
	mutex_unlock(&rs->lock);
	if (err < 0) {
		kfree(r);
		return NULL;
	}
	return r;
}

static size_t kmqtt_relay_size(const struct kmqtt_relay *r,
			       const struct kmqtt_relay_about *about, u32 len)
{
	size_t size = 2 * nla_total_size(sizeof(u32)) + nla_total_size(r->method_len + 1) +
		      nla_total_size(len);

	if (about)
		size += nla_total_size(about->session.len + 1) +
			nla_total_size(about->user.len + 1) +
			nla_total_size(strlen(about->listener) + 1) +
			nla_total_size(strlen(about->address) + 1);
	return size;
}

static int kmqtt_relay_put(struct sk_buff *skb, const struct kmqtt_relay *r, u8 step,
			   const struct kmqtt_relay_about *about, struct kmqtt_view data)
{
	int err = nla_put_u32(skb, KMQTT_A_AUTH_ID, r->id) ?:
		  nla_put_u32(skb, KMQTT_A_AUTH_STEP, step) ?:
		  kmqtt_nl_put_text(skb, KMQTT_A_AUTH_METHOD, r->method, r->method_len);

	if (!err && about)
		err = kmqtt_nl_put_text(skb, KMQTT_A_AUTH_SESSION, about->session.data,
					about->session.len) ?:
		      kmqtt_nl_put_str(skb, KMQTT_A_AUTH_LISTENER, about->listener) ?:
		      kmqtt_nl_put_str(skb, KMQTT_A_AUTH_ADDRESS, about->address);
	if (!err && about && about->user.data)
		err = kmqtt_nl_put_text(skb, KMQTT_A_AUTH_USER, about->user.data,
					about->user.len);
	if (!err && data.data)
		err = nla_put(skb, KMQTT_A_AUTH_DATA, data.len, data.data);
	return err;
}

/* relays->lock held. Return: 0, -errno */
static int kmqtt_relay_send(struct kmqtt_relay *r, u8 step,
			    const struct kmqtt_relay_about *about, struct kmqtt_view data)
{
	struct kmqtt_relays *rs = r->relays;
	struct sock *sk = kmqtt_relay_sock(rs);
	struct sk_buff *skb;
	void *head;

	if (!sk)
		return -ECONNREFUSED;
	/* an attribute's length has 16 bits */
	if (data.len > KMQTT_TEXT_LEN || r->method_len > KMQTT_TEXT_LEN)
		return -EMSGSIZE;
	skb = genlmsg_new(kmqtt_relay_size(r, about, data.len), GFP_KERNEL);
	if (!skb)
		return -ENOMEM;
	head = genlmsg_put(skb, 0, 0, &kmqtt_nl_family, 0, KMQTT_CMD_AUTH_REQUEST);
	if (!head || kmqtt_relay_put(skb, r, step, about, data)) {
		nlmsg_free(skb);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, head);
	r->told = true;
	return genlmsg_unicast(sock_net(sk), skb, rs->portid);
}

static u8 kmqtt_relay_reason(int err)
{
	switch (err) {
	case 0:
		return 0;
	case -ECONNREFUSED:
		return KMQTT_RC_BAD_AUTHENTICATION_METHOD;
	case -EMSGSIZE:
		return KMQTT_RC_PACKET_TOO_LARGE;
	default:
		return KMQTT_RC_SERVER_BUSY;
	}
}

u8 kmqtt_relay_ask(struct kmqtt_relay *r, u8 step, const struct kmqtt_relay_about *about,
		   struct kmqtt_view data)
{
	u8 before = r->turn;
	int err;

	mutex_lock(&r->relays->lock);
	WRITE_ONCE(r->turn, KMQTT_RELAY_ASKED);
	err = kmqtt_relay_send(r, step, about, data);
	if (err) {
		WRITE_ONCE(r->turn, before);
	} else {
		r->deadline = jiffies + KMQTT_RELAY_SECONDS * HZ;
		mod_delayed_work(r->conn->broker->wq, &r->timeout, KMQTT_RELAY_SECONDS * HZ);
	}
	mutex_unlock(&r->relays->lock);
	return kmqtt_relay_reason(err);
}

void kmqtt_relay_free(struct kmqtt_relay *r)
{
	if (!r)
		return;
	mutex_lock(&r->relays->lock);
	xa_erase(&r->relays->by_id, r->id);
	r->turn = KMQTT_RELAY_NONE;
	if (r->told)
		kmqtt_relay_send(r, KMQTT_AUTH_STEP_END, NULL, (struct kmqtt_view) { });
	mutex_unlock(&r->relays->lock);
	cancel_delayed_work_sync(&r->timeout);
	kmqtt_relay_forget(r);
	kfree(r->user);
	kfree(r);
}

/* The authenticator has gone; relays->lock held */
static void kmqtt_relays_drop(struct kmqtt_relays *rs)
{
	struct kmqtt_relay *r;
	unsigned long id;

	sock_put(rs->sk);
	WRITE_ONCE(rs->sk, NULL);
	xa_for_each(&rs->by_id, id, r) {
		r->told = false;
		if (r->turn == KMQTT_RELAY_ASKED)
			kmqtt_relay_answer(r, KMQTT_AUTH_VERDICT_REFUSE,
					   KMQTT_RC_BAD_AUTHENTICATION_METHOD);
	}
}

int kmqtt_nl_auth_register_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct kmqtt_relays *rs = &kmqtt_nl_kn(info)->relays;
	struct sock *sk = NETLINK_CB(skb).sk;
	int err = kmqtt_nl_no_attrs(info->nlhdr, info->extack);

	if (err)
		return err;
	mutex_lock(&rs->lock);
	if (rs->sk && !kmqtt_relay_sock(rs))
		kmqtt_relays_drop(rs);
	if (rs->sk) {
		err = rs->sk == sk ? 0 : -EBUSY;
	} else {
		sock_hold(sk);
		rs->portid = info->snd_portid;
		WRITE_ONCE(rs->sk, sk);
	}
	mutex_unlock(&rs->lock);
	if (err)
		kmqtt_nl_fail(info->extack, NULL,
			      "another socket is the authenticator of this network namespace",
			      err);
	return err;
}

/* What is wrong with an answer. Return: 0; -EINVAL, said */
static int kmqtt_relay_check(struct genl_info *info)
{
	struct nlattr **attrs = info->attrs;
	u32 verdict;

	if (GENL_REQ_ATTR_CHECK(info, KMQTT_A_AUTH_ID) ||
	    GENL_REQ_ATTR_CHECK(info, KMQTT_A_AUTH_VERDICT))
		return -EINVAL;
	verdict = nla_get_u32(attrs[KMQTT_A_AUTH_VERDICT]);
	if (attrs[KMQTT_A_AUTH_REASON] && verdict != KMQTT_AUTH_VERDICT_REFUSE)
		return kmqtt_nl_fail(info->extack, attrs[KMQTT_A_AUTH_REASON],
				     "a reason code is for a refusal", -EINVAL);
	if (attrs[KMQTT_A_AUTH_DATA] && verdict == KMQTT_AUTH_VERDICT_REFUSE)
		return kmqtt_nl_fail(info->extack, attrs[KMQTT_A_AUTH_DATA],
				     "a refusal has no data", -EINVAL);
	if (attrs[KMQTT_A_AUTH_USER] && verdict != KMQTT_AUTH_VERDICT_SUCCESS)
		return kmqtt_nl_fail(info->extack, attrs[KMQTT_A_AUTH_USER],
				     "a user name is for a success", -EINVAL);
	return 0;
}

/* relays->lock held; the answer was checked. Return: 0, -errno */
static int kmqtt_relay_reply(struct genl_info *info, struct kmqtt_relay *r)
{
	struct nlattr *data = info->attrs[KMQTT_A_AUTH_DATA];
	struct nlattr *user = info->attrs[KMQTT_A_AUTH_USER];
	struct nlattr *reason = info->attrs[KMQTT_A_AUTH_REASON];

	if (!r || r->turn != KMQTT_RELAY_ASKED)
		return kmqtt_nl_fail(info->extack, info->attrs[KMQTT_A_AUTH_ID],
				     "no client of that number waits for an answer", -ENOENT);
	if (user && r->user)
		return kmqtt_nl_fail(info->extack, user,
				     "a client that is connected keeps its user name", -EINVAL);
	if (data) {
		/* of none too there is something to point at */
		r->data = kvmalloc(nla_len(data) + 1, GFP_KERNEL_ACCOUNT);
		if (!r->data)
			return -ENOMEM;
		memcpy(r->data, nla_data(data), nla_len(data));
		r->data_len = nla_len(data);
	}
	if (user) {
		r->user = nla_strdup(user, GFP_KERNEL_ACCOUNT);
		if (!r->user) {
			kmqtt_relay_forget(r);
			return -ENOMEM;
		}
	}
	kmqtt_relay_answer(r, nla_get_u32(info->attrs[KMQTT_A_AUTH_VERDICT]),
			   reason ? nla_get_u8(reason) : KMQTT_RC_NOT_AUTHORIZED);
	return 0;
}

int kmqtt_nl_auth_reply_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct kmqtt_relays *rs = &kmqtt_nl_kn(info)->relays;
	int err = kmqtt_relay_check(info);
	struct kmqtt_relay *r;

	if (err)
		return err;
	mutex_lock(&rs->lock);
	if (rs->sk != NETLINK_CB(skb).sk) {
		err = kmqtt_nl_fail(info->extack, NULL, "this socket is no authenticator",
				    -EPERM);
	} else {
		r = xa_load(&rs->by_id, nla_get_u32(info->attrs[KMQTT_A_AUTH_ID]));
		err = kmqtt_relay_reply(info, r);
	}
	mutex_unlock(&rs->lock);
	return err;
}

static int kmqtt_relay_urelease(struct notifier_block *nb, unsigned long state, void *data)
{
	const struct netlink_notify *n = data;
	struct kmqtt_relays *rs;

	if (state != NETLINK_URELEASE || n->protocol != NETLINK_GENERIC)
		return NOTIFY_DONE;
	rs = &kmqtt_net_of(n->net)->relays;
	if (!READ_ONCE(rs->sk))
		return NOTIFY_DONE;
	/* its port id may be another socket's by now: ask the socket itself */
	mutex_lock(&rs->lock);
	if (rs->sk && !kmqtt_relay_sock(rs))
		kmqtt_relays_drop(rs);
	mutex_unlock(&rs->lock);
	return NOTIFY_OK;
}

static struct notifier_block kmqtt_relay_notifier = {
	.notifier_call = kmqtt_relay_urelease,
};

int kmqtt_relay_init(void)
{
	return netlink_register_notifier(&kmqtt_relay_notifier);
}

void kmqtt_relay_exit(void)
{
	netlink_unregister_notifier(&kmqtt_relay_notifier);
}

void kmqtt_relay_net_init(struct kmqtt_net *kn)
{
	mutex_init(&kn->relays.lock);
	xa_init_flags(&kn->relays.by_id, XA_FLAGS_ALLOC1);
}

/* Its clients are gone. A socket that is still open is one of a module that goes. */
void kmqtt_relay_net_exit(struct kmqtt_net *kn)
{
	struct kmqtt_relays *rs = &kn->relays;

	mutex_lock(&rs->lock);
	if (rs->sk)
		kmqtt_relays_drop(rs);
	mutex_unlock(&rs->lock);
	WARN_ON_ONCE(!xa_empty(&rs->by_id));
	xa_destroy(&rs->by_id);
	mutex_destroy(&rs->lock);
}

// SPDX-License-Identifier: GPL-2.0
/* Netlink: sessions. */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/ktime.h>

#include "port/netlink.h"
#include "proto/proto.h"

/**
 * struct kmqtt_nl_session_ctx - where a dump goes on
 * @after:	number of the session that was shown last; they are numbered in the
 *		order of their making
 * @allowed:	who asked for it has the capability
 */
struct kmqtt_nl_session_ctx {
	unsigned long after;
	bool allowed;
};

static int kmqtt_nl_put_counts(struct sk_buff *skb, struct kmqtt_session *s)
{
	u64 delivered, delivered_bytes, dropped, expired, queued_bytes;
	u32 queued, inflight;

	spin_lock(&s->lock);
	delivered = s->delivered_messages;
	delivered_bytes = s->delivered_bytes;
	dropped = s->dropped_messages;
	expired = s->expired_messages;
	queued = s->queued;
	queued_bytes = s->queued_bytes;
	inflight = s->inflight_count;
	spin_unlock(&s->lock);

	if (nla_put_u32(skb, KMQTT_A_SESSION_QUEUED_MESSAGES, queued) ||
	    nla_put_u64_64bit(skb, KMQTT_A_SESSION_QUEUED_BYTES, queued_bytes,
			      KMQTT_A_SESSION_PAD) ||
	    nla_put_u32(skb, KMQTT_A_SESSION_INFLIGHT_MESSAGES, inflight) ||
	    nla_put_u64_64bit(skb, KMQTT_A_SESSION_PUBLISHED_MESSAGES,
			      atomic64_read(&s->published_messages),
			      KMQTT_A_SESSION_PAD) ||
	    nla_put_u64_64bit(skb, KMQTT_A_SESSION_PUBLISHED_BYTES,
			      atomic64_read(&s->published_bytes),
			      KMQTT_A_SESSION_PAD) ||
	    nla_put_u64_64bit(skb, KMQTT_A_SESSION_DELIVERED_MESSAGES, delivered,
			      KMQTT_A_SESSION_PAD) ||
	    nla_put_u64_64bit(skb, KMQTT_A_SESSION_DELIVERED_BYTES,
			      delivered_bytes, KMQTT_A_SESSION_PAD) ||
	    nla_put_u64_64bit(skb, KMQTT_A_SESSION_DROPPED_MESSAGES, dropped,
			      KMQTT_A_SESSION_PAD) ||
	    nla_put_u64_64bit(skb, KMQTT_A_SESSION_EXPIRED_MESSAGES, expired,
			      KMQTT_A_SESSION_PAD))
		return -EMSGSIZE;
	return 0;
}

static int kmqtt_nl_put_times(struct sk_buff *skb, struct kmqtt_session *s)
{
	u64 age = ktime_get_boottime_seconds() - s->created;
	u64 expires = READ_ONCE(s->expires), now = ktime_get_boottime_ns();
	u64 left = expires > now ? div_u64(expires - now, NSEC_PER_SEC) : 0;

	if (nla_put_u32(skb, KMQTT_A_SESSION_EXPIRY, READ_ONCE(s->expiry)) ||
	    nla_put_u64_64bit(skb, KMQTT_A_SESSION_AGE, age, KMQTT_A_SESSION_PAD))
		return -EMSGSIZE;
	if (expires)
		return nla_put_u64_64bit(skb, KMQTT_A_SESSION_EXPIRES_IN, left,
					 KMQTT_A_SESSION_PAD);
	return 0;
}

static int kmqtt_nl_put_user(struct sk_buff *skb, struct kmqtt_session *s)
{
	const struct kmqtt_identity *who;
	int err = 0;

	rcu_read_lock();
	who = rcu_dereference(s->who);
	if (who && who->user)
		err = kmqtt_nl_put_text(skb, KMQTT_A_SESSION_USER, who->user,
					strnlen(who->user, KMQTT_CREDENTIAL_LEN));
	rcu_read_unlock();
	return err;
}

/* Bytes of the strings of a session */
static u32 kmqtt_nl_session_need(struct kmqtt_session *s)
{
	const struct kmqtt_identity *who;
	u32 len = strlen(s->name);

	rcu_read_lock();
	who = rcu_dereference(s->who);
	if (who && who->user)
		len += strnlen(who->user, KMQTT_CREDENTIAL_LEN);
	rcu_read_unlock();
	return len;
}

/* Who is there, if that is an MQTT client. */
static int kmqtt_nl_put_port(struct sk_buff *skb, struct kmqtt_session *s)
{
	struct kmqtt_port_info info;

	if (!kmqtt_session_info(s, &info))
		return 0;
	if (kmqtt_nl_put_str(skb, KMQTT_A_SESSION_PEER, info.address) ||
	    kmqtt_nl_put_str(skb, KMQTT_A_SESSION_LISTENER, info.listener) ||
	    nla_put_u8(skb, KMQTT_A_SESSION_VERSION, info.version) ||
	    nla_put_u16(skb, KMQTT_A_SESSION_KEEPALIVE, info.keepalive) ||
	    nla_put_u64_64bit(skb, KMQTT_A_SESSION_PACKETS_RECEIVED,
			      info.packets_received, KMQTT_A_SESSION_PAD) ||
	    nla_put_u64_64bit(skb, KMQTT_A_SESSION_PACKETS_SENT, info.packets_sent,
			      KMQTT_A_SESSION_PAD) ||
	    nla_put_u64_64bit(skb, KMQTT_A_SESSION_BYTES_RECEIVED, info.bytes_received,
			      KMQTT_A_SESSION_PAD) ||
	    nla_put_u64_64bit(skb, KMQTT_A_SESSION_BYTES_SENT, info.bytes_sent,
			      KMQTT_A_SESSION_PAD))
		return -EMSGSIZE;
	return 0;
}

static int kmqtt_nl_put_session(struct sk_buff *skb, struct kmqtt_session *s,
				struct user_namespace *user_ns)
{
	static_assert((int)KMQTT_SESSION_TYPE_LOCAL == KMQTT_KIND_LOCAL);
	static_assert((int)KMQTT_SESSION_TYPE_UPLINK == KMQTT_KIND_UPLINK);
	static_assert((int)KMQTT_ACK_TYPE_MANUAL == KMQTT_ACK_MANUAL);
	static_assert((int)KMQTT_ACK_TYPE_MQTT == KMQTT_ACK_MQTT);

	if (kmqtt_nl_put_str(skb, KMQTT_A_SESSION_NAME, s->name) ||
	    nla_put_u64_64bit(skb, KMQTT_A_SESSION_NUMBER, s->number,
			      KMQTT_A_SESSION_PAD) ||
	    nla_put_u32(skb, KMQTT_A_SESSION_KIND, s->kind) ||
	    nla_put_u32(skb, KMQTT_A_SESSION_ACK_MODE, READ_ONCE(s->ack_mode)) ||
	    nla_put_u32(skb, KMQTT_A_SESSION_POLICY, READ_ONCE(s->policy)) ||
	    nla_put_u8(skb, KMQTT_A_SESSION_ATTACHED, !!rcu_access_pointer(s->port)) ||
	    nla_put_u8(skb, KMQTT_A_SESSION_ONLINE, READ_ONCE(s->online)) ||
	    (s->kind != KMQTT_KIND_REMOTE &&
	     nla_put_u32(skb, KMQTT_A_SESSION_UID, from_kuid_munged(user_ns, s->owner))) ||
	    nla_put_u32(skb, KMQTT_A_SESSION_SUBSCRIPTIONS,
			READ_ONCE(s->sub_count)) ||
	    nla_put_u32(skb, KMQTT_A_SESSION_MAX_QUEUED_MESSAGES,
			READ_ONCE(s->max_queued_messages)) ||
	    nla_put_u64_64bit(skb, KMQTT_A_SESSION_MAX_QUEUED_BYTES,
			      READ_ONCE(s->max_queued_bytes),
			      KMQTT_A_SESSION_PAD) ||
	    nla_put_u32(skb, KMQTT_A_SESSION_MAX_INFLIGHT,
			READ_ONCE(s->max_inflight)))
		return -EMSGSIZE;
	return kmqtt_nl_put_user(skb, s) ?: kmqtt_nl_put_times(skb, s) ?:
	       kmqtt_nl_put_counts(skb, s) ?: kmqtt_nl_put_port(skb, s);
}

struct kmqtt_session *kmqtt_nl_find_session(struct kmqtt_broker *b, const struct nlattr *name,
					    const struct nlattr *number,
					    struct netlink_ext_ack *extack)
{
	unsigned long n = number ? min_t(u64, nla_get_u64(number), ULONG_MAX) : 0;
	struct kmqtt_session *s;

	if (name) {
		s = kmqtt_session_find(b, nla_data(name));
		return s ?: ERR_PTR(kmqtt_nl_fail(extack, name, "no session of that name",
						  -ENOENT));
	}
	s = n ? kmqtt_session_next(b, n - 1) : NULL;
	if (s && s->number == n)
		return s;
	if (s)
		kmqtt_session_put(s);
	return ERR_PTR(kmqtt_nl_fail(extack, number, "no session of that number", -ENOENT));
}

static int kmqtt_nl_session_reply(struct sk_buff *skb, struct genl_info *info,
				  struct kmqtt_session *s)
{
	struct sk_buff *msg;
	void *head;
	int err;

	msg = kmqtt_nl_reply_new(info, GENLMSG_DEFAULT_SIZE + kmqtt_nl_session_need(s), &head);
	if (!msg)
		return -ENOMEM;
	err = kmqtt_nl_put_session(msg, s, kmqtt_nl_user_ns(skb));
	return kmqtt_nl_reply_send(info, msg, head, err);
}

int kmqtt_nl_session_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *number = info->attrs[KMQTT_A_SESSION_NUMBER];
	struct nlattr *name = info->attrs[KMQTT_A_SESSION_NAME];
	struct kmqtt_session *s;
	int err;

	if (!name && !number) {
		s = kmqtt_nl_socket_session(info, skb, false);
		if (IS_ERR(s))
			return kmqtt_nl_fail(info->extack, NULL,
					     PTR_ERR(s) == -ENOENT ?
					     "this socket has no session" : NULL,
					     PTR_ERR(s));
		return kmqtt_nl_session_reply(skb, info, s);
	}
	if (!netlink_net_capable(skb, CAP_NET_ADMIN))
		return kmqtt_nl_fail(info->extack, name ?: number,
				     "a session of others is shown to CAP_NET_ADMIN only",
				     -EPERM);
	s = kmqtt_nl_find_session(&kmqtt_nl_kn(info)->broker, name, number, info->extack);
	if (IS_ERR(s))
		return PTR_ERR(s);
	err = kmqtt_nl_session_reply(skb, info, s);
	kmqtt_session_put(s);
	return err;
}

int kmqtt_nl_session_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct kmqtt_broker *b = &kmqtt_nl_dump_kn(cb)->broker;
	struct kmqtt_nl_session_ctx *ctx = (void *)cb->ctx;
	struct kmqtt_session *s;
	unsigned long number;
	void *head;
	int err;

	/* not when the dump starts: older kernels tell no text from there */
	if (!ctx->allowed && !netlink_net_capable(cb->skb, CAP_NET_ADMIN))
		return kmqtt_nl_fail(cb->extack, NULL,
				     "all sessions are shown to CAP_NET_ADMIN only",
				     -EPERM);
	ctx->allowed = true;
	err = kmqtt_nl_no_attrs(cb->nlh, cb->extack);
	if (err)
		return err;
	while ((s = kmqtt_session_next(b, ctx->after))) {
		number = s->number;
		head = kmqtt_nl_dump_begin(skb, cb, kmqtt_nl_session_need(s));
		err = head ? kmqtt_nl_put_session(skb, s, kmqtt_nl_user_ns(cb->skb)) :
			     -EMSGSIZE;
		if (head)
			kmqtt_nl_dump_end(skb, cb, head, err);
		kmqtt_session_put(s);
		if (err)
			return skb->len ?: err;
		ctx->after = number;
	}
	return skb->len;
}

int kmqtt_nl_session_del_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *reason = info->attrs[KMQTT_A_SESSION_REASON];
	struct nlattr *number = info->attrs[KMQTT_A_SESSION_NUMBER];
	struct nlattr *name = info->attrs[KMQTT_A_SESSION_NAME];
	struct kmqtt_session *s;

	if (!number && GENL_REQ_ATTR_CHECK(info, KMQTT_A_SESSION_NAME))
		return kmqtt_nl_fail(info->extack, NULL, "which session?", -EINVAL);
	s = kmqtt_nl_find_session(&kmqtt_nl_kn(info)->broker, name, number, info->extack);
	if (IS_ERR(s))
		return PTR_ERR(s);
	kmqtt_session_kill(s, reason ? nla_get_u8(reason) :
				       KMQTT_RC_ADMINISTRATIVE_ACTION);
	kmqtt_session_put(s);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0
/* Netlink: who has subscribed to what. */
#include <linux/slab.h>

#include "core/tree.h"
#include "port/netlink.h"

/**
 * struct kmqtt_nl_sub_ctx - where a dump of subscriptions goes on
 * @session:	number of the session that is being shown; 0: none yet
 * @after:	number of its subscription that was shown last. Counting them would
 *		pass over others when one that was shown goes
 */
struct kmqtt_nl_sub_ctx {
	unsigned long session;
	u32 after;
};

/* A filter too long for an attribute is cut off. tree->lock held. */
static int kmqtt_nl_put_cut_filter(struct sk_buff *skb,
				   const struct kmqtt_sub *sub, u32 len)
{
	u8 *buf = kvmalloc(len, GFP_KERNEL);
	int err;

	if (!buf)
		return -ENOMEM;
	kmqtt_sub_filter(sub, buf, len);
	err = kmqtt_nl_put_text(skb, KMQTT_A_SUBSCRIPTION_FILTER, buf, len);
	kvfree(buf);
	return err;
}

static int kmqtt_nl_put_filter(struct sk_buff *skb, const struct kmqtt_sub *sub,
			       u32 len)
{
	struct nlattr *attr;

	if (len > KMQTT_TEXT_LEN)
		return kmqtt_nl_put_cut_filter(skb, sub, len);
	attr = nla_reserve(skb, KMQTT_A_SUBSCRIPTION_FILTER, len + 1);
	if (!attr)
		return -EMSGSIZE;
	kmqtt_sub_filter(sub, nla_data(attr), len);
	((char *)nla_data(attr))[len] = '\0';
	return 0;
}

/* Return: 0, or -EMSGSIZE if it has to wait for the next message */
static int kmqtt_nl_dump_sub(struct sk_buff *skb, struct netlink_callback *cb,
			     const struct kmqtt_sub *sub)
{
	const struct kmqtt_sub_opts *o = &sub->opts;
	const struct kmqtt_session *s = sub->session;
	/* with a filter of the greatest length it must fit into a message */
	u32 name_len = strnlen(s->name, KMQTT_CREDENTIAL_LEN);
	u32 len = kmqtt_sub_filter(sub, NULL, 0);
	void *head;
	int err;

	head = kmqtt_nl_dump_begin(skb, cb, name_len + len);
	if (!head)
		return -EMSGSIZE;
	err = kmqtt_nl_put_text(skb, KMQTT_A_SUBSCRIPTION_SESSION, s->name, name_len) ?:
	      nla_put_u64_64bit(skb, KMQTT_A_SUBSCRIPTION_NUMBER, s->number,
				KMQTT_A_SUBSCRIPTION_PAD) ?:
	      kmqtt_nl_put_filter(skb, sub, len) ?:
	      nla_put_u8(skb, KMQTT_A_SUBSCRIPTION_QOS, o->qos) ?:
	      nla_put_u8(skb, KMQTT_A_SUBSCRIPTION_NO_LOCAL, o->no_local) ?:
	      nla_put_u8(skb, KMQTT_A_SUBSCRIPTION_RETAIN_AS_PUBLISHED,
			 o->retain_as_published) ?:
	      nla_put_u8(skb, KMQTT_A_SUBSCRIPTION_RETAIN_HANDLING,
			 o->retain_handling);
	if (!err && o->sub_id)
		err = nla_put_u32(skb, KMQTT_A_SUBSCRIPTION_ID, o->sub_id);
	return kmqtt_nl_dump_end(skb, cb, head, err);
}

/* Shows the subscriptions of a session that are left. Return: as above */
static int kmqtt_nl_dump_subs(struct sk_buff *skb, struct netlink_callback *cb,
			      struct kmqtt_session *s)
{
	struct kmqtt_nl_sub_ctx *ctx = (void *)cb->ctx;
	struct kmqtt_tree *tree = &s->broker->tree;
	const struct kmqtt_sub *sub;
	int err = 0;

	if (s->number != ctx->session) {
		ctx->session = s->number;
		ctx->after = 0;
	}
	mutex_lock(&tree->lock);
	list_for_each_entry(sub, &s->subs, session_link) {
		if (sub->number <= ctx->after)
			continue;
		err = kmqtt_nl_dump_sub(skb, cb, sub);
		if (err)
			break;
		ctx->after = sub->number;
	}
	mutex_unlock(&tree->lock);
	return err;
}

/* Return: as above */
static int kmqtt_nl_dump_all_subs(struct sk_buff *skb,
				  struct netlink_callback *cb)
{
	struct kmqtt_broker *b = &kmqtt_nl_dump_kn(cb)->broker;
	struct kmqtt_nl_sub_ctx *ctx = (void *)cb->ctx;
	struct kmqtt_session *s;
	int err;

	/* the one that is under way, unless it is gone, or else the next one */
	while ((s = kmqtt_session_next(b, ctx->session ? ctx->session - 1 : 0))) {
		err = kmqtt_nl_dump_subs(skb, cb, s);
		kmqtt_session_put(s);
		if (err)
			return err;
		ctx->session++;
		ctx->after = 0;
	}
	return 0;
}

int kmqtt_nl_subscription_get_dumpit(struct sk_buff *skb,
				     struct netlink_callback *cb)
{
	struct nlattr **attrs = genl_info_dump(cb)->attrs;
	struct nlattr *number = attrs[KMQTT_A_SUBSCRIPTION_NUMBER];
	struct nlattr *name = attrs[KMQTT_A_SUBSCRIPTION_SESSION];
	struct kmqtt_nl_sub_ctx *ctx = (void *)cb->ctx;
	struct kmqtt_session *s;
	int err;

	if (name || number) {
		/* one that has ended meanwhile ends the dump too */
		s = kmqtt_nl_find_session(&kmqtt_nl_dump_kn(cb)->broker, name, number,
					  ctx->session ? NULL : cb->extack);
		if (IS_ERR(s))
			return ctx->session ? 0 : PTR_ERR(s);
		err = kmqtt_nl_dump_subs(skb, cb, s);
		kmqtt_session_put(s);
	} else {
		err = kmqtt_nl_dump_all_subs(skb, cb);
	}
	return skb->len ?: err;
}

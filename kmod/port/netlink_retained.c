// SPDX-License-Identifier: GPL-2.0
/* Netlink: retained messages. */
#include "core/retain.h"
#include "port/netlink.h"
#include "proto/topic.h"

/**
 * struct kmqtt_nl_retained_ctx - where a dump goes on
 * @last:	message that was shown last, with a reference, or NULL
 */
struct kmqtt_nl_retained_ctx {
	struct kmqtt_msg *last;
};

struct kmqtt_nl_retained_walk {
	struct sk_buff *skb;
	struct netlink_callback *cb;
};

static const u8 kmqtt_nl_all[] = "#";

/* Return: 0, or -EILSEQ, and then it is said why */
static int kmqtt_nl_retained_filter(struct nlattr *attr,
				    struct netlink_ext_ack *extack,
				    struct kmqtt_view *filter)
{
	filter->data = kmqtt_nl_all;
	filter->len = 1;
	if (!attr)
		return 0;
	filter->data = nla_data(attr);
	filter->len = kmqtt_nl_str_len(attr);
	if (!kmqtt_topic_filter_valid(filter->data, filter->len))
		return kmqtt_nl_fail(extack, attr, "not a valid topic filter",
				     -EILSEQ);
	if (kmqtt_share_split(*filter, &(struct kmqtt_view){}, &(struct kmqtt_view){}))
		return kmqtt_nl_fail(extack, attr,
				     "a shared subscription has no retained messages",
				     -EILSEQ);
	return 0;
}

static int kmqtt_nl_put_retained(struct sk_buff *skb, const struct kmqtt_msg *m)
{
	u32 left = 0;

	kmqtt_msg_expiry_left(m, &left);
	if (kmqtt_nl_put_text(skb, KMQTT_A_RETAINED_TOPIC, kmqtt_msg_topic(m),
			      m->topic_len) ||
	    nla_put_u32(skb, KMQTT_A_RETAINED_PAYLOAD_LEN, m->payload_len) ||
	    nla_put_u8(skb, KMQTT_A_RETAINED_QOS, m->qos) ||
	    nla_put_u64_64bit(skb, KMQTT_A_RETAINED_TIME_NS, m->time_ns,
			      KMQTT_A_RETAINED_PAD))
		return -EMSGSIZE;
	if (left && nla_put_u32(skb, KMQTT_A_RETAINED_EXPIRY, left))
		return -EMSGSIZE;
	if (m->props_len && m->props_len <= KMQTT_NL_SHOW_MAX &&
	    nla_put(skb, KMQTT_A_RETAINED_PROPERTIES, m->props_len,
		    kmqtt_msg_props(m)))
		return -EMSGSIZE;
	if (m->payload_len <= KMQTT_NL_SHOW_MAX &&
	    nla_put(skb, KMQTT_A_RETAINED_PAYLOAD, m->payload_len,
		    kmqtt_msg_payload(m)))
		return -EMSGSIZE;
	return 0;
}

static int kmqtt_nl_dump_retained(void *arg, struct kmqtt_msg *m,
				  const struct kmqtt_identity *source)
{
	struct kmqtt_nl_retained_walk *walk = arg;
	struct kmqtt_nl_retained_ctx *ctx = (void *)walk->cb->ctx;
	size_t need = m->topic_len + min_t(u32, m->props_len, KMQTT_NL_SHOW_MAX) +
		      min_t(u32, m->payload_len, KMQTT_NL_SHOW_MAX);
	void *head;
	int err;

	head = kmqtt_nl_dump_begin(walk->skb, walk->cb, need);
	if (!head)
		return -EMSGSIZE;
	err = kmqtt_nl_dump_end(walk->skb, walk->cb, head,
				kmqtt_nl_put_retained(walk->skb, m));
	if (err)
		return err;
	if (ctx->last)
		kmqtt_msg_put(ctx->last);
	ctx->last = kmqtt_msg_get(m);
	return 0;
}

int kmqtt_nl_retained_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct kmqtt_retain *store = &kmqtt_nl_dump_kn(cb)->broker.retain;
	struct kmqtt_nl_retained_walk walk = { .skb = skb, .cb = cb };
	struct kmqtt_nl_retained_ctx *ctx = (void *)cb->ctx;
	struct nlattr **attrs = genl_info_dump(cb)->attrs;
	struct kmqtt_msg *last = ctx->last;
	struct kmqtt_view filter;
	int err;

	err = kmqtt_nl_retained_filter(attrs[KMQTT_A_RETAINED_FILTER],
				       cb->extack, &filter);
	if (err)
		return err;
	/* the walk reads where to go on while it puts ctx->last anew */
	if (last)
		kmqtt_msg_get(last);
	err = kmqtt_retain_walk(store, filter.data, filter.len,
				last ? kmqtt_msg_topic(last) : NULL,
				last ? last->topic_len : 0,
				kmqtt_nl_dump_retained, &walk);
	if (last)
		kmqtt_msg_put(last);
	return skb->len ?: err;
}

int kmqtt_nl_retained_done(struct netlink_callback *cb)
{
	struct kmqtt_nl_retained_ctx *ctx = (void *)cb->ctx;

	if (ctx->last)
		kmqtt_msg_put(ctx->last);
	return 0;
}

int kmqtt_nl_retained_del_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct kmqtt_retain *store = &kmqtt_nl_kn(info)->broker.retain;
	struct kmqtt_view filter;
	struct sk_buff *msg;
	unsigned long n;
	void *head;
	int err;

	err = kmqtt_nl_retained_filter(info->attrs[KMQTT_A_RETAINED_FILTER],
				       info->extack, &filter);
	if (err)
		return err;
	msg = kmqtt_nl_reply_new(info, nla_total_size_64bit(sizeof(u64)), &head);
	if (!msg)
		return -ENOMEM;
	n = kmqtt_retain_clear(store, filter.data, filter.len);
	err = nla_put_u64_64bit(msg, KMQTT_A_RETAINED_CLEARED, n,
				KMQTT_A_RETAINED_PAD);
	return kmqtt_nl_reply_send(info, msg, head, err);
}

// SPDX-License-Identifier: GPL-2.0
/* Netlink: what goes over an uplink. */
#include "port/netlink.h"
#include "port/netlink_uplink.h"

/**
 * struct kmqtt_nl_topic_ctx - where a dump goes on
 * @uplink:	uplinks that were shown
 * @topic:	topics of the next one that were shown
 */
struct kmqtt_nl_topic_ctx {
	unsigned int uplink;
	unsigned int topic;
};

struct kmqtt_nl_topic_walk {
	struct sk_buff *skb;
	struct netlink_callback *cb;
	char uplink[KMQTT_UPLINK_NAME_MAX + 1];
	bool full;
	int err;
};

/* none is shown as none */
static int kmqtt_nl_put_prefix(struct sk_buff *skb, int type, const char *prefix)
{
	return prefix && *prefix ? kmqtt_nl_put_str(skb, type, prefix) : 0;
}

static const char *kmqtt_nl_get_prefix(const struct nlattr *attr)
{
	return attr ? nla_data(attr) : NULL;
}

/* Return: 0, or -EINVAL and then it is said why */
static int kmqtt_nl_get_topic(struct genl_info *info,
			      struct kmqtt_uplink_topic_conf *conf)
{
	struct nlattr **attrs = info->attrs;

	static_assert((int)KMQTT_DIRECTION_IN == KMQTT_UPLINK_IN);
	static_assert((int)KMQTT_DIRECTION_OUT == KMQTT_UPLINK_OUT);
	static_assert((int)KMQTT_DIRECTION_BOTH == KMQTT_UPLINK_BOTH);
	static_assert((int)KMQTT_DIRECTION_DEMAND == KMQTT_UPLINK_DEMAND);

	if (GENL_REQ_ATTR_CHECK(info, KMQTT_A_UPLINK_TOPIC_UPLINK))
		return kmqtt_nl_fail(info->extack, NULL, "which uplink?", -EINVAL);
	if (GENL_REQ_ATTR_CHECK(info, KMQTT_A_UPLINK_TOPIC_FILTER))
		return kmqtt_nl_fail(info->extack, NULL, "which topic filter?", -EINVAL);
	conf->filter = nla_data(attrs[KMQTT_A_UPLINK_TOPIC_FILTER]);
	conf->local = kmqtt_nl_get_prefix(attrs[KMQTT_A_UPLINK_TOPIC_LOCAL_PREFIX]);
	conf->remote = kmqtt_nl_get_prefix(attrs[KMQTT_A_UPLINK_TOPIC_REMOTE_PREFIX]);
	if (attrs[KMQTT_A_UPLINK_TOPIC_DIRECTION])
		conf->dir = nla_get_u32(attrs[KMQTT_A_UPLINK_TOPIC_DIRECTION]);
	return 0;
}

static int kmqtt_nl_topic_fail(struct genl_info *info, const char *why, int err)
{
	/* what is not there may be the uplink or the topic: the text says which */
	return kmqtt_nl_fail(info->extack, err == -ENOENT ? NULL :
			     info->attrs[KMQTT_A_UPLINK_TOPIC_FILTER], why, err);
}

int kmqtt_nl_uplink_topic_new_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *qos = info->attrs[KMQTT_A_UPLINK_TOPIC_QOS];
	struct kmqtt_uplink_topic_conf conf = {};
	const char *why = NULL;
	int err;

	err = kmqtt_nl_get_topic(info, &conf);
	if (err)
		return err;
	if (GENL_REQ_ATTR_CHECK(info, KMQTT_A_UPLINK_TOPIC_DIRECTION))
		return kmqtt_nl_fail(info->extack, NULL, "which direction?", -EINVAL);
	conf.qos = qos ? nla_get_u8(qos) : 0;
	err = kmqtt_uplink_topic_add(kmqtt_nl_kn(info),
				     nla_data(info->attrs[KMQTT_A_UPLINK_TOPIC_UPLINK]),
				     &conf, &why);
	if (err)
		return kmqtt_nl_topic_fail(info, why, err);
	return 0;
}

int kmqtt_nl_uplink_topic_del_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct kmqtt_uplink_topic_conf conf = {};
	const char *why = NULL;
	int err;

	err = kmqtt_nl_get_topic(info, &conf);
	if (err)
		return err;
	err = kmqtt_uplink_topic_del(kmqtt_nl_kn(info),
				     nla_data(info->attrs[KMQTT_A_UPLINK_TOPIC_UPLINK]),
				     &conf, &why);
	if (err)
		return kmqtt_nl_topic_fail(info, why, err);
	return 0;
}

static size_t kmqtt_nl_topic_size(const struct kmqtt_uplink_topic_conf *t)
{
	return KMQTT_UPLINK_NAME_MAX + strlen(t->filter) +
	       (t->local ? strlen(t->local) : 0) + (t->remote ? strlen(t->remote) : 0);
}

static int kmqtt_nl_dump_topic(void *arg, const struct kmqtt_uplink_topic_conf *t)
{
	struct kmqtt_nl_topic_walk *walk = arg;
	struct sk_buff *skb = walk->skb;
	void *head;
	int err;

	head = kmqtt_nl_dump_begin(skb, walk->cb, kmqtt_nl_topic_size(t));
	if (!head) {
		walk->full = true;
		return 1;
	}
	err = kmqtt_nl_put_str(skb, KMQTT_A_UPLINK_TOPIC_UPLINK, walk->uplink) ?:
	      kmqtt_nl_put_str(skb, KMQTT_A_UPLINK_TOPIC_FILTER, t->filter) ?:
	      nla_put_u32(skb, KMQTT_A_UPLINK_TOPIC_DIRECTION, t->dir) ?:
	      nla_put_u8(skb, KMQTT_A_UPLINK_TOPIC_QOS, t->qos) ?:
	      kmqtt_nl_put_prefix(skb, KMQTT_A_UPLINK_TOPIC_LOCAL_PREFIX, t->local) ?:
	      kmqtt_nl_put_prefix(skb, KMQTT_A_UPLINK_TOPIC_REMOTE_PREFIX, t->remote);
	walk->err = kmqtt_nl_dump_end(skb, walk->cb, head, err);
	if (err)
		walk->full = true;
	return err;
}

/* Shows the topics of walk->uplink that are left. Return: 0 or -ENOENT */
static int kmqtt_nl_dump_topics(struct kmqtt_nl_topic_walk *walk)
{
	struct kmqtt_nl_topic_ctx *ctx = (void *)walk->cb->ctx;
	int ret;

	ret = kmqtt_uplink_topic_walk(kmqtt_nl_dump_kn(walk->cb), walk->uplink,
				      ctx->topic, kmqtt_nl_dump_topic, walk);
	if (ret < 0)
		return ret;
	ctx->topic = ret;
	return 0;
}

/* stops at the first one, with its name */
static int kmqtt_nl_name_uplink(void *arg, const struct kmqtt_uplink_view *v)
{
	struct kmqtt_nl_topic_walk *walk = arg;

	strscpy(walk->uplink, v->name, sizeof(walk->uplink));
	return 1;
}

static void kmqtt_nl_dump_all_topics(struct kmqtt_nl_topic_walk *walk)
{
	struct kmqtt_nl_topic_ctx *ctx = (void *)walk->cb->ctx;

	for (;;) {
		walk->uplink[0] = '\0';
		kmqtt_uplink_walk(kmqtt_nl_dump_kn(walk->cb), NULL, ctx->uplink,
				  kmqtt_nl_name_uplink, walk);
		if (!walk->uplink[0])
			return;
		/* it may have gone meanwhile: then the next one has its place */
		if (kmqtt_nl_dump_topics(walk))
			continue;
		if (walk->full)
			return;
		ctx->uplink++;
		ctx->topic = 0;
	}
}

int kmqtt_nl_uplink_topic_get_dumpit(struct sk_buff *skb,
				     struct netlink_callback *cb)
{
	struct nlattr **attrs = genl_info_dump(cb)->attrs;
	struct nlattr *name = attrs[KMQTT_A_UPLINK_TOPIC_UPLINK];
	struct kmqtt_nl_topic_walk walk = { .skb = skb, .cb = cb };
	int err;

	cb->seq = kmqtt_uplink_generation(kmqtt_nl_dump_kn(cb));
	if (!name) {
		kmqtt_nl_dump_all_topics(&walk);
		/* as in kmqtt_nl_uplink_get_dumpit() */
		cb->seq = kmqtt_uplink_generation(kmqtt_nl_dump_kn(cb));
		return skb->len ?: walk.err;
	}
	nla_strscpy(walk.uplink, name, sizeof(walk.uplink));
	err = kmqtt_nl_dump_topics(&walk);
	cb->seq = kmqtt_uplink_generation(kmqtt_nl_dump_kn(cb));
	if (err)
		return kmqtt_nl_fail(cb->extack, name, "no such uplink", err);
	return skb->len ?: walk.err;
}

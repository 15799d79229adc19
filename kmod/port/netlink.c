// SPDX-License-Identifier: GPL-2.0
/* The generic netlink family: life, and what all its commands share. */
#include <linux/module.h>

#include "port/netlink.h"

/* a dump's message, unless an entry needs more: small readers have a page */
#define KMQTT_NL_DUMP_SOFT	NLMSG_GOODSIZE

/* generic netlink head and attributes of fixed size of any entry */
#define KMQTT_NL_ENTRY_FIXED	1024

/* Events name sessions and topics of others: only an administrator listens. */
static const struct genl_multicast_group kmqtt_nl_groups[] = {
	[KMQTT_NLGRP_EVENTS] = {
		.name = KMQTT_MCGRP_EVENTS,
		.flags = GENL_MCAST_CAP_NET_ADMIN,
	},
};

int kmqtt_nl_fail(struct netlink_ext_ack *extack, const struct nlattr *attr,
		  const char *why, int err)
{
	if (extack) {
		if (why)
			extack->_msg = why;
		NL_SET_BAD_ATTR(extack, attr);
	}
	return err;
}

struct nlattr *kmqtt_nl_next(struct genl_info *info, struct nlattr *attr, int type)
{
	struct nlattr *next = genlmsg_data(info->genlhdr);
	int left = genlmsg_len(info->genlhdr);

	if (attr) {
		left -= (char *)attr - (char *)next;
		next = nla_next(attr, &left);
	}
	return nla_find(next, left, type);
}

int kmqtt_nl_put_text(struct sk_buff *skb, int type, const void *text, u32 len)
{
	struct nlattr *attr;

	len = min_t(u32, len, KMQTT_TEXT_LEN);
	attr = nla_reserve(skb, type, len + 1);
	if (!attr)
		return -EMSGSIZE;
	memcpy(nla_data(attr), text, len);
	((char *)nla_data(attr))[len] = '\0';
	return 0;
}

int kmqtt_nl_put_str(struct sk_buff *skb, int type, const char *text)
{
	return text ? kmqtt_nl_put_text(skb, type, text, strlen(text)) : 0;
}

struct sk_buff *kmqtt_nl_reply_new(struct genl_info *info, size_t size,
				   void **head)
{
	struct sk_buff *skb = genlmsg_new(size, GFP_KERNEL);

	if (!skb)
		return NULL;
	*head = genlmsg_put(skb, info->snd_portid, info->snd_seq,
			    &kmqtt_nl_family, 0, info->genlhdr->cmd);
	return skb;
}

int kmqtt_nl_reply_send(struct genl_info *info, struct sk_buff *skb, void *head,
			int err)
{
	if (err) {
		nlmsg_free(skb);
		return err;
	}
	genlmsg_end(skb, head);
	return genlmsg_reply(skb, info);
}

void *kmqtt_nl_dump_begin(struct sk_buff *skb, struct netlink_callback *cb,
			  size_t need)
{
	size_t size = need + KMQTT_NL_ENTRY_FIXED;
	struct genlmsghdr *req = nlmsg_data(cb->nlh);
	void *head;

	if (skb->len && skb->len + size > KMQTT_NL_DUMP_SOFT) {
		cb->min_dump_alloc = max_t(size_t, size, KMQTT_NL_DUMP_SOFT);
		return NULL;
	}
	head = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
			   &kmqtt_nl_family, NLM_F_MULTI, req->cmd);
	if (head && cb->seq)
		genl_dump_check_consistent(cb, head);
	return head;
}

int kmqtt_nl_dump_end(struct sk_buff *skb, struct netlink_callback *cb,
		      void *head, int err)
{
	if (err)
		genlmsg_cancel(skb, head);
	else
		genlmsg_end(skb, head);
	return err;
}

int kmqtt_nl_dump_start(struct netlink_callback *cb)
{
	cb->min_dump_alloc = KMQTT_NL_ENTRY_MAX;
	return 0;
}

void kmqtt_netlink_net_init(struct kmqtt_net *kn)
{
	mutex_init(&kn->change_lock);
	mutex_init(&kn->sockets_lock);
}

int kmqtt_netlink_init(void)
{
	int ret = kmqtt_nl_sockets_init();

	if (ret)
		return ret;
	ret = kmqtt_relay_init();
	if (ret)
		goto sockets;
	kmqtt_nl_family.mcgrps = kmqtt_nl_groups;
	ret = genl_register_family(&kmqtt_nl_family);
	if (ret)
		goto relay;
	kmqtt_nl_events_start();
	return 0;
relay:
	kmqtt_relay_exit();
sockets:
	kmqtt_nl_sockets_exit();
	return ret;
}

void kmqtt_netlink_exit(void)
{
	kmqtt_nl_events_stop();
	genl_unregister_family(&kmqtt_nl_family);
	kmqtt_relay_exit();
	kmqtt_nl_sockets_exit();
}

// SPDX-License-Identifier: GPL-2.0
/* Netlink: limits, totals and counters of the switch. */
#include <linux/mutex.h>
#include <linux/ktime.h>

#include "port/netlink.h"

static int kmqtt_nl_put_limits(struct sk_buff *skb, struct kmqtt_broker *b)
{
	const struct kmqtt_limits *l = &b->limits;

	if (nla_put_u32(skb, KMQTT_A_SWITCH_MAX_INFLIGHT_MESSAGES,
			READ_ONCE(l->max_inflight_messages)) ||
	    nla_put_u32(skb, KMQTT_A_SWITCH_MAX_QUEUED_MESSAGES,
			READ_ONCE(l->max_queued_messages)) ||
	    nla_put_u64_64bit(skb, KMQTT_A_SWITCH_MAX_QUEUED_BYTES,
			      READ_ONCE(l->max_queued_bytes), KMQTT_A_SWITCH_PAD) ||
	    nla_put_u32(skb, KMQTT_A_SWITCH_MAX_PACKET_SIZE,
			READ_ONCE(l->max_packet_size)) ||
	    nla_put_u64_64bit(skb, KMQTT_A_SWITCH_MAX_INFLIGHT_BYTES,
			      READ_ONCE(l->max_inflight_bytes), KMQTT_A_SWITCH_PAD) ||
	    nla_put_u32(skb, KMQTT_A_SWITCH_MESSAGE_SIZE_LIMIT,
			READ_ONCE(l->message_size_limit)) ||
	    nla_put_u64_64bit(skb, KMQTT_A_SWITCH_MEMORY_LIMIT,
			      READ_ONCE(l->memory_limit), KMQTT_A_SWITCH_PAD) ||
	    nla_put_u32(skb, KMQTT_A_SWITCH_MAX_SESSIONS,
			READ_ONCE(l->max_sessions)) ||
	    nla_put_u32(skb, KMQTT_A_SWITCH_MAX_SUBSCRIPTIONS,
			READ_ONCE(l->max_subscriptions)) ||
	    nla_put_u32(skb, KMQTT_A_SWITCH_MAX_RETAINED_MESSAGES,
			READ_ONCE(l->max_retained_messages)) ||
	    nla_put_u32(skb, KMQTT_A_SWITCH_PERSISTENT_CLIENT_EXPIRATION,
			READ_ONCE(l->persistent_client_expiration)) ||
	    nla_put_u32(skb, KMQTT_A_SWITCH_SYS_INTERVAL, READ_ONCE(l->sys_interval)) ||
	    nla_put_u8(skb, KMQTT_A_SWITCH_RETAIN_AVAILABLE,
		       READ_ONCE(l->retain_available)) ||
	    nla_put_u8(skb, KMQTT_A_SWITCH_QUEUE_QOS0_MESSAGES,
		       READ_ONCE(l->queue_qos0_messages)) ||
	    nla_put_u8(skb, KMQTT_A_SWITCH_UPGRADE_OUTGOING_QOS,
		       READ_ONCE(l->upgrade_outgoing_qos)) ||
	    nla_put_u8(skb, KMQTT_A_SWITCH_CHECK_RETAIN_SOURCE,
		       READ_ONCE(l->check_retain_source)) ||
	    nla_put_u32(skb, KMQTT_A_SWITCH_QUEUE_POLICY, READ_ONCE(l->policy)) ||
	    nla_put_u8(skb, KMQTT_A_SWITCH_ACL_DEFAULT,
		       READ_ONCE(b->acl.default_allow)))
		return -EMSGSIZE;
	return 0;
}

static int kmqtt_nl_put_totals(struct sk_buff *skb, struct kmqtt_broker *b)
{
	u64 uptime = ktime_get_boottime_seconds() - b->started;

	if (nla_put_u32(skb, KMQTT_A_SWITCH_ABI, KMQTT_ABI) ||
	    nla_put_u32(skb, KMQTT_A_SWITCH_SESSIONS,
			READ_ONCE(b->session_count)) ||
	    nla_put_u64_64bit(skb, KMQTT_A_SWITCH_SUBSCRIPTIONS,
			      READ_ONCE(b->tree.count), KMQTT_A_SWITCH_PAD) ||
	    nla_put_u64_64bit(skb, KMQTT_A_SWITCH_RETAINED_MESSAGES,
			      READ_ONCE(b->retain.count), KMQTT_A_SWITCH_PAD) ||
	    nla_put_u64_64bit(skb, KMQTT_A_SWITCH_RETAINED_BYTES,
			      READ_ONCE(b->retain.bytes), KMQTT_A_SWITCH_PAD) ||
	    nla_put_u64_64bit(skb, KMQTT_A_SWITCH_MEMORY,
			      percpu_counter_sum_positive(&b->memory),
			      KMQTT_A_SWITCH_PAD) ||
	    nla_put_u64_64bit(skb, KMQTT_A_SWITCH_UPTIME, uptime,
			      KMQTT_A_SWITCH_PAD))
		return -EMSGSIZE;
	return 0;
}

int kmqtt_nl_switch_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct kmqtt_broker *b = &kmqtt_nl_kn(info)->broker;
	struct sk_buff *msg;
	void *head;
	int err;

	err = kmqtt_nl_no_attrs(info->nlhdr, info->extack);
	if (err)
		return err;
	msg = kmqtt_nl_reply_new(info, GENLMSG_DEFAULT_SIZE, &head);
	if (!msg)
		return -ENOMEM;
	err = kmqtt_nl_put_limits(msg, b) ?: kmqtt_nl_put_totals(msg, b);
	return kmqtt_nl_reply_send(info, msg, head, err);
}

/* What the request names; all else stays as it is. */
static void kmqtt_nl_get_limits(struct nlattr **attrs, struct kmqtt_limits *l)
{
	const struct nlattr *a;

	a = attrs[KMQTT_A_SWITCH_MAX_INFLIGHT_MESSAGES];
	if (a)
		l->max_inflight_messages = nla_get_u32(a);
	a = attrs[KMQTT_A_SWITCH_MAX_QUEUED_MESSAGES];
	if (a)
		l->max_queued_messages = nla_get_u32(a);
	a = attrs[KMQTT_A_SWITCH_MAX_QUEUED_BYTES];
	if (a)
		l->max_queued_bytes = nla_get_u64(a);
	a = attrs[KMQTT_A_SWITCH_MAX_PACKET_SIZE];
	if (a)
		l->max_packet_size = nla_get_u32(a);
	a = attrs[KMQTT_A_SWITCH_MAX_INFLIGHT_BYTES];
	if (a)
		l->max_inflight_bytes = nla_get_u64(a);
	a = attrs[KMQTT_A_SWITCH_MESSAGE_SIZE_LIMIT];
	if (a)
		l->message_size_limit = nla_get_u32(a);
	a = attrs[KMQTT_A_SWITCH_MEMORY_LIMIT];
	if (a)
		l->memory_limit = nla_get_u64(a);
	a = attrs[KMQTT_A_SWITCH_MAX_SESSIONS];
	if (a)
		l->max_sessions = nla_get_u32(a);
	a = attrs[KMQTT_A_SWITCH_MAX_SUBSCRIPTIONS];
	if (a)
		l->max_subscriptions = nla_get_u32(a);
	a = attrs[KMQTT_A_SWITCH_MAX_RETAINED_MESSAGES];
	if (a)
		l->max_retained_messages = nla_get_u32(a);
	a = attrs[KMQTT_A_SWITCH_PERSISTENT_CLIENT_EXPIRATION];
	if (a)
		l->persistent_client_expiration = nla_get_u32(a);
	a = attrs[KMQTT_A_SWITCH_SYS_INTERVAL];
	if (a)
		l->sys_interval = nla_get_u32(a);
	a = attrs[KMQTT_A_SWITCH_RETAIN_AVAILABLE];
	if (a)
		l->retain_available = nla_get_u8(a);
	a = attrs[KMQTT_A_SWITCH_QUEUE_QOS0_MESSAGES];
	if (a)
		l->queue_qos0_messages = nla_get_u8(a);
	a = attrs[KMQTT_A_SWITCH_UPGRADE_OUTGOING_QOS];
	if (a)
		l->upgrade_outgoing_qos = nla_get_u8(a);
	a = attrs[KMQTT_A_SWITCH_CHECK_RETAIN_SOURCE];
	if (a)
		l->check_retain_source = nla_get_u8(a);
	a = attrs[KMQTT_A_SWITCH_QUEUE_POLICY];
	if (a)
		l->policy = nla_get_u32(a);
}

int kmqtt_nl_switch_set_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct kmqtt_broker *b = &kmqtt_nl_kn(info)->broker;
	struct nlattr *acl = info->attrs[KMQTT_A_SWITCH_ACL_DEFAULT];
	struct kmqtt_limits limits;
	const char *bad;
	int err;

	mutex_lock(&kmqtt_nl_kn(info)->change_lock);
	limits = b->limits;
	kmqtt_nl_get_limits(info->attrs, &limits);
	err = kmqtt_limits_set(b, &limits, &bad);
	if (!err && acl)
		kmqtt_acl_set_default(&b->acl, nla_get_u8(acl));
	mutex_unlock(&kmqtt_nl_kn(info)->change_lock);
	if (err)
		kmqtt_nl_fail(info->extack, NULL, bad, err);
	return err;
}

int kmqtt_nl_stats_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct kmqtt_broker *b = &kmqtt_nl_kn(info)->broker;
	u64 sum[KMQTT_STAT_COUNT];
	struct sk_buff *msg;
	unsigned int i;
	int err = kmqtt_nl_no_attrs(info->nlhdr, info->extack);
	void *head;

	/* the attributes are the counters, in their order */
	static_assert((int)KMQTT_A_STATS_MESSAGES_QUEUED - 1 == (int)KMQTT_STAT_MESSAGES_QUEUED);
	static_assert((int)KMQTT_A_STATS_MESSAGES_DENIED - 1 == (int)KMQTT_STAT_MESSAGES_DENIED);
	static_assert((int)KMQTT_A_STATS_BYTES_SENT - 1 == (int)KMQTT_STAT_BYTES_SENT);
	static_assert((int)KMQTT_A_STATS_CONNECTS - 1 == (int)KMQTT_STAT_CONNECTS);
	static_assert((int)KMQTT_A_STATS_PAD - 1 == (int)KMQTT_STAT_COUNT);

	if (err)
		return err;
	msg = kmqtt_nl_reply_new(info, GENLMSG_DEFAULT_SIZE, &head);
	if (!msg)
		return -ENOMEM;
	kmqtt_stats_sum(b->stats, sum);
	for (i = 0; i < KMQTT_STAT_COUNT && !err; i++)
		err = nla_put_u64_64bit(msg, i + 1, sum[i], KMQTT_A_STATS_PAD);
	return kmqtt_nl_reply_send(info, msg, head, err);
}

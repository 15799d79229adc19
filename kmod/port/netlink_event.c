// SPDX-License-Identifier: GPL-2.0
/* Netlink: events go to the members of the multicast group. */
#include <linux/ktime.h>

#include "port/netlink.h"

static int kmqtt_nl_put_event(struct sk_buff *skb, const struct kmqtt_event *e)
{
	static_assert((int)KMQTT_EVENT_CODE_ATTACH == KMQTT_EVENT_ATTACH);
	static_assert((int)KMQTT_EVENT_CODE_DENY == KMQTT_EVENT_DENY);
	static_assert((int)KMQTT_EVENT_CODE_UPLINK_UP == KMQTT_EVENT_UPLINK_UP);
	static_assert((int)KMQTT_EVENT_CODE_UPLINK_PUBACK == KMQTT_EVENT_UPLINK_PUBACK);
	static_assert((int)KMQTT_EVENT_CODE_CLIENT_MALFORMED == KMQTT_EVENT_CLIENT_MALFORMED);

	if (nla_put_u32(skb, KMQTT_A_EVENT_CODE, e->type) ||
	    nla_put_u8(skb, KMQTT_A_EVENT_REASON, e->reason) ||
	    nla_put_u64_64bit(skb, KMQTT_A_EVENT_TIME_NS, ktime_get_real_ns(),
			      KMQTT_A_EVENT_PAD) ||
	    kmqtt_nl_put_str(skb, KMQTT_A_EVENT_SESSION, e->session) ||
	    kmqtt_nl_put_str(skb, KMQTT_A_EVENT_UPLINK, e->uplink) ||
	    kmqtt_nl_put_str(skb, KMQTT_A_EVENT_PEER, e->peer) ||
	    kmqtt_nl_put_str(skb, KMQTT_A_EVENT_LISTENER, e->listener) ||
	    kmqtt_nl_put_str(skb, KMQTT_A_EVENT_TEXT, e->text))
		return -EMSGSIZE;
	if (e->version && nla_put_u8(skb, KMQTT_A_EVENT_VERSION, e->version))
		return -EMSGSIZE;
	if (e->error && nla_put_u32(skb, KMQTT_A_EVENT_ERROR, e->error))
		return -EMSGSIZE;
	if (e->topic && kmqtt_nl_put_text(skb, KMQTT_A_EVENT_TOPIC, e->topic,
					  e->topic_len))
		return -EMSGSIZE;
	if (e->count)
		return nla_put_u64_64bit(skb, KMQTT_A_EVENT_COUNT, e->count,
					 KMQTT_A_EVENT_PAD);
	return 0;
}

static size_t kmqtt_nl_str_size(const char *text)
{
	return nla_total_size(text ? strlen(text) + 1 : 0);
}

static size_t kmqtt_nl_event_size(const struct kmqtt_event *e)
{
	return nla_total_size(sizeof(u32)) * 2 + nla_total_size(sizeof(u8)) * 2 +
	       nla_total_size_64bit(sizeof(u64)) * 2 +
	       kmqtt_nl_str_size(e->session) + kmqtt_nl_str_size(e->uplink) +
	       kmqtt_nl_str_size(e->peer) + kmqtt_nl_str_size(e->listener) +
	       kmqtt_nl_str_size(e->text) +
	       nla_total_size(e->topic ? e->topic_len + 1 : 0);
}

/*
 * Any context. Whoever does not keep up learns it by ENOBUFS from his socket;
 * an event for which there is no memory is not told.
 */
static void kmqtt_nl_event(struct kmqtt_broker *broker, const struct kmqtt_event *e)
{
	struct sk_buff *skb;
	void *head;

	if (!genl_has_listeners(&kmqtt_nl_family, broker->net, KMQTT_NLGRP_EVENTS))
		return;
	skb = genlmsg_new(kmqtt_nl_event_size(e), GFP_ATOMIC);
	if (!skb)
		return;
	head = genlmsg_put(skb, 0, 0, &kmqtt_nl_family, 0, KMQTT_CMD_EVENT);
	if (!head || kmqtt_nl_put_event(skb, e)) {
		nlmsg_free(skb);
		return;
	}
	genlmsg_end(skb, head);
	genlmsg_multicast_netns(&kmqtt_nl_family, broker->net, skb, 0,
				KMQTT_NLGRP_EVENTS, GFP_ATOMIC);
}

void kmqtt_nl_events_start(void)
{
	kmqtt_event_set_sink(kmqtt_nl_event);
}

void kmqtt_nl_events_stop(void)
{
	kmqtt_event_set_sink(NULL);
}

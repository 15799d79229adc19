/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause) */
/* Do not edit directly, auto-generated from: */
/*	uapi/kmqtt.yaml */
/* YNL-GEN kernel header */
/* To regenerate run: tools/net/ynl/ynl-regen.sh */

#ifndef _LINUX_KMQTT_GEN_H
#define _LINUX_KMQTT_GEN_H

#include <net/netlink.h>
#include <net/genetlink.h>

#include <uapi/kmqtt_netlink.h>
#include <kmqtt.h>

/* Common nested types */
extern const struct nla_policy kmqtt_acl_rule_nl_policy[KMQTT_A_ACL_RULE_SUBSTITUTE + 1];
extern const struct nla_policy kmqtt_server_nl_policy[KMQTT_A_SERVER_HOST + 1];
extern const struct nla_policy kmqtt_user_entry_nl_policy[KMQTT_A_USER_ENTRY_HASH + 1];

int kmqtt_nl_dump_start(struct netlink_callback *cb);
int kmqtt_nl_retained_done(struct netlink_callback *cb);

int kmqtt_nl_switch_get_doit(struct sk_buff *skb, struct genl_info *info);
int kmqtt_nl_switch_set_doit(struct sk_buff *skb, struct genl_info *info);
int kmqtt_nl_stats_get_doit(struct sk_buff *skb, struct genl_info *info);
int kmqtt_nl_uplink_new_doit(struct sk_buff *skb, struct genl_info *info);
int kmqtt_nl_uplink_set_doit(struct sk_buff *skb, struct genl_info *info);
int kmqtt_nl_uplink_del_doit(struct sk_buff *skb, struct genl_info *info);
int kmqtt_nl_uplink_get_doit(struct sk_buff *skb, struct genl_info *info);
int kmqtt_nl_uplink_get_dumpit(struct sk_buff *skb,
			       struct netlink_callback *cb);
int kmqtt_nl_uplink_topic_new_doit(struct sk_buff *skb, struct genl_info *info);
int kmqtt_nl_uplink_topic_del_doit(struct sk_buff *skb, struct genl_info *info);
int kmqtt_nl_uplink_topic_get_dumpit(struct sk_buff *skb,
				     struct netlink_callback *cb);
int kmqtt_nl_session_get_doit(struct sk_buff *skb, struct genl_info *info);
int kmqtt_nl_session_get_dumpit(struct sk_buff *skb,
				struct netlink_callback *cb);
int kmqtt_nl_session_del_doit(struct sk_buff *skb, struct genl_info *info);
int kmqtt_nl_subscription_get_dumpit(struct sk_buff *skb,
				     struct netlink_callback *cb);
int kmqtt_nl_retained_get_dumpit(struct sk_buff *skb,
				 struct netlink_callback *cb);
int kmqtt_nl_retained_del_doit(struct sk_buff *skb, struct genl_info *info);
int kmqtt_nl_acl_new_doit(struct sk_buff *skb, struct genl_info *info);
int kmqtt_nl_acl_del_doit(struct sk_buff *skb, struct genl_info *info);
int kmqtt_nl_acl_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb);
int kmqtt_nl_acl_flush_doit(struct sk_buff *skb, struct genl_info *info);
int kmqtt_nl_listener_new_doit(struct sk_buff *skb, struct genl_info *info);
int kmqtt_nl_listener_set_doit(struct sk_buff *skb, struct genl_info *info);
int kmqtt_nl_listener_del_doit(struct sk_buff *skb, struct genl_info *info);
int kmqtt_nl_listener_get_doit(struct sk_buff *skb, struct genl_info *info);
int kmqtt_nl_listener_get_dumpit(struct sk_buff *skb,
				 struct netlink_callback *cb);
int kmqtt_nl_client_attach_doit(struct sk_buff *skb, struct genl_info *info);
int kmqtt_nl_publish_doit(struct sk_buff *skb, struct genl_info *info);
int kmqtt_nl_subscribe_doit(struct sk_buff *skb, struct genl_info *info);
int kmqtt_nl_unsubscribe_doit(struct sk_buff *skb, struct genl_info *info);
int kmqtt_nl_user_set_doit(struct sk_buff *skb, struct genl_info *info);
int kmqtt_nl_user_del_doit(struct sk_buff *skb, struct genl_info *info);
int kmqtt_nl_user_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb);
int kmqtt_nl_user_flush_doit(struct sk_buff *skb, struct genl_info *info);
int kmqtt_nl_user_replace_doit(struct sk_buff *skb, struct genl_info *info);
int kmqtt_nl_acl_replace_doit(struct sk_buff *skb, struct genl_info *info);
int kmqtt_nl_auth_register_doit(struct sk_buff *skb, struct genl_info *info);
int kmqtt_nl_auth_reply_doit(struct sk_buff *skb, struct genl_info *info);

enum {
	KMQTT_NLGRP_EVENTS,
};

extern struct genl_family kmqtt_nl_family;

#endif /* _LINUX_KMQTT_GEN_H */

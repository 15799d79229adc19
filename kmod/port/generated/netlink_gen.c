// SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause)
/* Do not edit directly, auto-generated from: */
/*	uapi/kmqtt.yaml */
/* YNL-GEN kernel source */
/* To regenerate run: tools/net/ynl/ynl-regen.sh */

#include <net/netlink.h>
#include <net/genetlink.h>

#include "netlink_gen.h"

#include <uapi/kmqtt_netlink.h>
#include <kmqtt.h>

/* Integer value ranges */
static const struct netlink_range_validation kmqtt_a_switch_max_inflight_messages_range = {
	.min	= 1ULL,
	.max	= U16_MAX,
};

static const struct netlink_range_validation kmqtt_a_switch_max_packet_size_range = {
	.min	= 20ULL,
	.max	= KMQTT_PACKET_SIZE_MAX,
};

static const struct netlink_range_validation kmqtt_a_switch_sys_interval_range = {
	.max	= 65535ULL,
};

static const struct netlink_range_validation kmqtt_a_uplink_maximum_packet_size_range = {
	.max	= KMQTT_PACKET_SIZE_MAX,
};

static const struct netlink_range_validation kmqtt_a_uplink_max_inflight_messages_range = {
	.max	= U16_MAX,
};

static const struct netlink_range_validation kmqtt_a_subscription_id_range = {
	.min	= 1ULL,
	.max	= KMQTT_SUBSCRIPTION_ID_MAX,
};

static const struct netlink_range_validation kmqtt_a_listener_max_packet_size_range = {
	.max	= KMQTT_PACKET_SIZE_MAX,
};

static const struct netlink_range_validation kmqtt_a_listener_byte_rate_range = {
	.max	= KMQTT_RATE_MAX,
};

static const struct netlink_range_validation kmqtt_a_user_iterations_range = {
	.max	= KMQTT_USER_ITERATIONS_MAX,
};

static const struct netlink_range_validation kmqtt_a_user_entry_iterations_range = {
	.max	= KMQTT_USER_ITERATIONS_MAX,
};

/* Common nested types */
const struct nla_policy kmqtt_acl_rule_nl_policy[KMQTT_A_ACL_RULE_SUBSTITUTE + 1] = {
	[KMQTT_A_ACL_RULE_WHO] = NLA_POLICY_MAX(NLA_U32, 8),
	[KMQTT_A_ACL_RULE_UID] = { .type = NLA_U32, },
	[KMQTT_A_ACL_RULE_GID] = { .type = NLA_U32, },
	[KMQTT_A_ACL_RULE_NAME] = { .type = NLA_NUL_STRING, .len = 4095, },
	[KMQTT_A_ACL_RULE_ACCESS] = NLA_POLICY_MASK(NLA_U32, 0x3),
	[KMQTT_A_ACL_RULE_ALLOW] = NLA_POLICY_MAX(NLA_U8, 1),
	[KMQTT_A_ACL_RULE_FILTER] = { .type = NLA_NUL_STRING, .len = KMQTT_TEXT_LEN, },
	[KMQTT_A_ACL_RULE_SUBSTITUTE] = NLA_POLICY_MAX(NLA_U32, 2),
};

const struct nla_policy kmqtt_server_nl_policy[KMQTT_A_SERVER_HOST + 1] = {
	[KMQTT_A_SERVER_IPV4] = { .type = NLA_BE32, },
	[KMQTT_A_SERVER_IPV6] = NLA_POLICY_EXACT_LEN(16),
	[KMQTT_A_SERVER_SCOPE_ID] = { .type = NLA_U32, },
	[KMQTT_A_SERVER_PORT] = NLA_POLICY_MIN(NLA_BE16, 1),
	[KMQTT_A_SERVER_HOST] = { .type = NLA_NUL_STRING, .len = KMQTT_HOST_LEN, },
};

const struct nla_policy kmqtt_user_entry_nl_policy[KMQTT_A_USER_ENTRY_HASH + 1] = {
	[KMQTT_A_USER_ENTRY_NAME] = { .type = NLA_NUL_STRING, .len = KMQTT_CREDENTIAL_LEN, },
	[KMQTT_A_USER_ENTRY_ITERATIONS] = NLA_POLICY_FULL_RANGE(NLA_U32, &kmqtt_a_user_entry_iterations_range),
	[KMQTT_A_USER_ENTRY_SALT] = NLA_POLICY_MAX_LEN(KMQTT_USER_SALT_LEN),
	[KMQTT_A_USER_ENTRY_HASH] = NLA_POLICY_EXACT_LEN(KMQTT_USER_HASH_LEN),
};

/* KMQTT_CMD_SWITCH_SET - do */
static const struct nla_policy kmqtt_switch_set_nl_policy[KMQTT_A_SWITCH_CHECK_RETAIN_SOURCE + 1] = {
	[KMQTT_A_SWITCH_MAX_INFLIGHT_MESSAGES] = NLA_POLICY_FULL_RANGE(NLA_U32, &kmqtt_a_switch_max_inflight_messages_range),
	[KMQTT_A_SWITCH_MAX_QUEUED_MESSAGES] = { .type = NLA_U32, },
	[KMQTT_A_SWITCH_MAX_QUEUED_BYTES] = { .type = NLA_U64, },
	[KMQTT_A_SWITCH_MAX_PACKET_SIZE] = NLA_POLICY_FULL_RANGE(NLA_U32, &kmqtt_a_switch_max_packet_size_range),
	[KMQTT_A_SWITCH_MEMORY_LIMIT] = { .type = NLA_U64, },
	[KMQTT_A_SWITCH_MAX_SESSIONS] = { .type = NLA_U32, },
	[KMQTT_A_SWITCH_MAX_SUBSCRIPTIONS] = { .type = NLA_U32, },
	[KMQTT_A_SWITCH_MAX_RETAINED_MESSAGES] = { .type = NLA_U32, },
	[KMQTT_A_SWITCH_PERSISTENT_CLIENT_EXPIRATION] = { .type = NLA_U32, },
	[KMQTT_A_SWITCH_SYS_INTERVAL] = NLA_POLICY_FULL_RANGE(NLA_U32, &kmqtt_a_switch_sys_interval_range),
	[KMQTT_A_SWITCH_RETAIN_AVAILABLE] = NLA_POLICY_MAX(NLA_U8, 1),
	[KMQTT_A_SWITCH_QUEUE_QOS0_MESSAGES] = NLA_POLICY_MAX(NLA_U8, 1),
	[KMQTT_A_SWITCH_QUEUE_POLICY] = NLA_POLICY_RANGE(NLA_U32, 1, 4),
	[KMQTT_A_SWITCH_ACL_DEFAULT] = NLA_POLICY_MAX(NLA_U8, 1),
	[KMQTT_A_SWITCH_MAX_INFLIGHT_BYTES] = { .type = NLA_U64, },
	[KMQTT_A_SWITCH_MESSAGE_SIZE_LIMIT] = { .type = NLA_U32, },
	[KMQTT_A_SWITCH_UPGRADE_OUTGOING_QOS] = NLA_POLICY_MAX(NLA_U8, 1),
	[KMQTT_A_SWITCH_CHECK_RETAIN_SOURCE] = NLA_POLICY_MAX(NLA_U8, 1),
};

/* KMQTT_CMD_UPLINK_NEW - do */
static const struct nla_policy kmqtt_uplink_new_nl_policy[KMQTT_A_UPLINK_EARLY_DATA + 1] = {
	[KMQTT_A_UPLINK_NAME] = { .type = NLA_NUL_STRING, .len = KMQTT_UPLINK_NAME_LEN, },
	[KMQTT_A_UPLINK_SERVER] = NLA_POLICY_NESTED(kmqtt_server_nl_policy),
	[KMQTT_A_UPLINK_VERSION] = NLA_POLICY_RANGE(NLA_U8, 3, 5),
	[KMQTT_A_UPLINK_CLIENT_ID] = { .type = NLA_NUL_STRING, .len = KMQTT_NAME_LEN, },
	[KMQTT_A_UPLINK_USERNAME] = { .type = NLA_NUL_STRING, .len = KMQTT_CREDENTIAL_LEN, },
	[KMQTT_A_UPLINK_PASSWORD] = NLA_POLICY_MAX_LEN(KMQTT_CREDENTIAL_LEN),
	[KMQTT_A_UPLINK_WILL_TOPIC] = { .type = NLA_NUL_STRING, .len = KMQTT_TEXT_LEN, },
	[KMQTT_A_UPLINK_WILL_PAYLOAD] = { .type = NLA_BINARY, },
	[KMQTT_A_UPLINK_WILL_QOS] = NLA_POLICY_MAX(NLA_U8, 2),
	[KMQTT_A_UPLINK_WILL_RETAIN] = NLA_POLICY_MAX(NLA_U8, 1),
	[KMQTT_A_UPLINK_WILL_DELAY] = { .type = NLA_U32, },
	[KMQTT_A_UPLINK_KEEPALIVE] = { .type = NLA_U16, },
	[KMQTT_A_UPLINK_CLEAN_START] = NLA_POLICY_MAX(NLA_U8, 1),
	[KMQTT_A_UPLINK_SESSION_EXPIRY] = { .type = NLA_U32, },
	[KMQTT_A_UPLINK_RECEIVE_MAXIMUM] = NLA_POLICY_MIN(NLA_U16, 1),
	[KMQTT_A_UPLINK_MAXIMUM_PACKET_SIZE] = NLA_POLICY_FULL_RANGE(NLA_U32, &kmqtt_a_uplink_maximum_packet_size_range),
	[KMQTT_A_UPLINK_TOPIC_ALIAS_MAXIMUM] = NLA_POLICY_MAX(NLA_U16, 1024),
	[KMQTT_A_UPLINK_MAX_INFLIGHT_MESSAGES] = NLA_POLICY_FULL_RANGE(NLA_U32, &kmqtt_a_uplink_max_inflight_messages_range),
	[KMQTT_A_UPLINK_MAX_QUEUED_MESSAGES] = { .type = NLA_U32, },
	[KMQTT_A_UPLINK_MAX_QUEUED_BYTES] = { .type = NLA_U64, },
	[KMQTT_A_UPLINK_POLICY] = NLA_POLICY_RANGE(NLA_U32, 1, 4),
	[KMQTT_A_UPLINK_CONNECT_TIMEOUT] = NLA_POLICY_RANGE(NLA_U32, 1, 300),
	[KMQTT_A_UPLINK_BACKOFF_MIN] = NLA_POLICY_RANGE(NLA_U32, 1, 3600),
	[KMQTT_A_UPLINK_BACKOFF_MAX] = NLA_POLICY_RANGE(NLA_U32, 1, 3600),
	[KMQTT_A_UPLINK_STABLE] = NLA_POLICY_MAX(NLA_U32, 3600),
	[KMQTT_A_UPLINK_TRY_PRIVATE] = NLA_POLICY_MAX(NLA_U8, 1),
	[KMQTT_A_UPLINK_BATCH] = NLA_POLICY_RANGE(NLA_U32, 1, 1000),
	[KMQTT_A_UPLINK_ADMIN_UP] = NLA_POLICY_MAX(NLA_U8, 1),
	[KMQTT_A_UPLINK_FD] = { .type = NLA_U32, },
	[KMQTT_A_UPLINK_EARLY_DATA] = { .type = NLA_BINARY, },
};

/* KMQTT_CMD_UPLINK_SET - do */
static const struct nla_policy kmqtt_uplink_set_nl_policy[KMQTT_A_UPLINK_EARLY_DATA + 1] = {
	[KMQTT_A_UPLINK_NAME] = { .type = NLA_NUL_STRING, .len = KMQTT_UPLINK_NAME_LEN, },
	[KMQTT_A_UPLINK_SERVER] = NLA_POLICY_NESTED(kmqtt_server_nl_policy),
	[KMQTT_A_UPLINK_VERSION] = NLA_POLICY_RANGE(NLA_U8, 3, 5),
	[KMQTT_A_UPLINK_CLIENT_ID] = { .type = NLA_NUL_STRING, .len = KMQTT_NAME_LEN, },
	[KMQTT_A_UPLINK_USERNAME] = { .type = NLA_NUL_STRING, .len = KMQTT_CREDENTIAL_LEN, },
	[KMQTT_A_UPLINK_PASSWORD] = NLA_POLICY_MAX_LEN(KMQTT_CREDENTIAL_LEN),
	[KMQTT_A_UPLINK_WILL_TOPIC] = { .type = NLA_NUL_STRING, .len = KMQTT_TEXT_LEN, },
	[KMQTT_A_UPLINK_WILL_PAYLOAD] = { .type = NLA_BINARY, },
	[KMQTT_A_UPLINK_WILL_QOS] = NLA_POLICY_MAX(NLA_U8, 2),
	[KMQTT_A_UPLINK_WILL_RETAIN] = NLA_POLICY_MAX(NLA_U8, 1),
	[KMQTT_A_UPLINK_WILL_DELAY] = { .type = NLA_U32, },
	[KMQTT_A_UPLINK_KEEPALIVE] = { .type = NLA_U16, },
	[KMQTT_A_UPLINK_CLEAN_START] = NLA_POLICY_MAX(NLA_U8, 1),
	[KMQTT_A_UPLINK_SESSION_EXPIRY] = { .type = NLA_U32, },
	[KMQTT_A_UPLINK_RECEIVE_MAXIMUM] = NLA_POLICY_MIN(NLA_U16, 1),
	[KMQTT_A_UPLINK_MAXIMUM_PACKET_SIZE] = NLA_POLICY_FULL_RANGE(NLA_U32, &kmqtt_a_uplink_maximum_packet_size_range),
	[KMQTT_A_UPLINK_TOPIC_ALIAS_MAXIMUM] = NLA_POLICY_MAX(NLA_U16, 1024),
	[KMQTT_A_UPLINK_MAX_INFLIGHT_MESSAGES] = NLA_POLICY_FULL_RANGE(NLA_U32, &kmqtt_a_uplink_max_inflight_messages_range),
	[KMQTT_A_UPLINK_MAX_QUEUED_MESSAGES] = { .type = NLA_U32, },
	[KMQTT_A_UPLINK_MAX_QUEUED_BYTES] = { .type = NLA_U64, },
	[KMQTT_A_UPLINK_POLICY] = NLA_POLICY_RANGE(NLA_U32, 1, 4),
	[KMQTT_A_UPLINK_CONNECT_TIMEOUT] = NLA_POLICY_RANGE(NLA_U32, 1, 300),
	[KMQTT_A_UPLINK_BACKOFF_MIN] = NLA_POLICY_RANGE(NLA_U32, 1, 3600),
	[KMQTT_A_UPLINK_BACKOFF_MAX] = NLA_POLICY_RANGE(NLA_U32, 1, 3600),
	[KMQTT_A_UPLINK_STABLE] = NLA_POLICY_MAX(NLA_U32, 3600),
	[KMQTT_A_UPLINK_TRY_PRIVATE] = NLA_POLICY_MAX(NLA_U8, 1),
	[KMQTT_A_UPLINK_BATCH] = NLA_POLICY_RANGE(NLA_U32, 1, 1000),
	[KMQTT_A_UPLINK_ADMIN_UP] = NLA_POLICY_MAX(NLA_U8, 1),
	[KMQTT_A_UPLINK_FD] = { .type = NLA_U32, },
	[KMQTT_A_UPLINK_EARLY_DATA] = { .type = NLA_BINARY, },
};

/* KMQTT_CMD_UPLINK_DEL - do */
static const struct nla_policy kmqtt_uplink_del_nl_policy[KMQTT_A_UPLINK_NAME + 1] = {
	[KMQTT_A_UPLINK_NAME] = { .type = NLA_NUL_STRING, .len = KMQTT_UPLINK_NAME_LEN, },
};

/* KMQTT_CMD_UPLINK_GET - do */
static const struct nla_policy kmqtt_uplink_get_nl_policy[KMQTT_A_UPLINK_NAME + 1] = {
	[KMQTT_A_UPLINK_NAME] = { .type = NLA_NUL_STRING, .len = KMQTT_UPLINK_NAME_LEN, },
};

/* KMQTT_CMD_UPLINK_TOPIC_NEW - do */
static const struct nla_policy kmqtt_uplink_topic_new_nl_policy[KMQTT_A_UPLINK_TOPIC_REMOTE_PREFIX + 1] = {
	[KMQTT_A_UPLINK_TOPIC_UPLINK] = { .type = NLA_NUL_STRING, .len = KMQTT_UPLINK_NAME_LEN, },
	[KMQTT_A_UPLINK_TOPIC_FILTER] = { .type = NLA_NUL_STRING, .len = KMQTT_TEXT_LEN, },
	[KMQTT_A_UPLINK_TOPIC_DIRECTION] = NLA_POLICY_RANGE(NLA_U32, 1, 4),
	[KMQTT_A_UPLINK_TOPIC_QOS] = NLA_POLICY_MAX(NLA_U8, 2),
	[KMQTT_A_UPLINK_TOPIC_LOCAL_PREFIX] = { .type = NLA_NUL_STRING, .len = KMQTT_TEXT_LEN, },
	[KMQTT_A_UPLINK_TOPIC_REMOTE_PREFIX] = { .type = NLA_NUL_STRING, .len = KMQTT_TEXT_LEN, },
};

/* KMQTT_CMD_UPLINK_TOPIC_DEL - do */
static const struct nla_policy kmqtt_uplink_topic_del_nl_policy[KMQTT_A_UPLINK_TOPIC_REMOTE_PREFIX + 1] = {
	[KMQTT_A_UPLINK_TOPIC_UPLINK] = { .type = NLA_NUL_STRING, .len = KMQTT_UPLINK_NAME_LEN, },
	[KMQTT_A_UPLINK_TOPIC_FILTER] = { .type = NLA_NUL_STRING, .len = KMQTT_TEXT_LEN, },
	[KMQTT_A_UPLINK_TOPIC_DIRECTION] = NLA_POLICY_RANGE(NLA_U32, 1, 4),
	[KMQTT_A_UPLINK_TOPIC_LOCAL_PREFIX] = { .type = NLA_NUL_STRING, .len = KMQTT_TEXT_LEN, },
	[KMQTT_A_UPLINK_TOPIC_REMOTE_PREFIX] = { .type = NLA_NUL_STRING, .len = KMQTT_TEXT_LEN, },
};

/* KMQTT_CMD_UPLINK_TOPIC_GET - dump */
static const struct nla_policy kmqtt_uplink_topic_get_nl_policy[KMQTT_A_UPLINK_TOPIC_UPLINK + 1] = {
	[KMQTT_A_UPLINK_TOPIC_UPLINK] = { .type = NLA_NUL_STRING, .len = KMQTT_UPLINK_NAME_LEN, },
};

/* KMQTT_CMD_SESSION_GET - do */
static const struct nla_policy kmqtt_session_get_nl_policy[KMQTT_A_SESSION_NUMBER + 1] = {
	[KMQTT_A_SESSION_NAME] = { .type = NLA_NUL_STRING, .len = KMQTT_TEXT_LEN, },
	[KMQTT_A_SESSION_NUMBER] = { .type = NLA_U64, },
};

/* KMQTT_CMD_SESSION_DEL - do */
static const struct nla_policy kmqtt_session_del_nl_policy[KMQTT_A_SESSION_NUMBER + 1] = {
	[KMQTT_A_SESSION_NAME] = { .type = NLA_NUL_STRING, .len = KMQTT_TEXT_LEN, },
	[KMQTT_A_SESSION_NUMBER] = { .type = NLA_U64, },
	[KMQTT_A_SESSION_REASON] = NLA_POLICY_MIN(NLA_U8, 128),
};

/* KMQTT_CMD_SUBSCRIPTION_GET - dump */
static const struct nla_policy kmqtt_subscription_get_nl_policy[KMQTT_A_SUBSCRIPTION_NUMBER + 1] = {
	[KMQTT_A_SUBSCRIPTION_SESSION] = { .type = NLA_NUL_STRING, .len = KMQTT_TEXT_LEN, },
	[KMQTT_A_SUBSCRIPTION_NUMBER] = { .type = NLA_U64, },
};

/* KMQTT_CMD_RETAINED_GET - dump */
static const struct nla_policy kmqtt_retained_get_nl_policy[KMQTT_A_RETAINED_FILTER + 1] = {
	[KMQTT_A_RETAINED_FILTER] = { .type = NLA_NUL_STRING, .len = KMQTT_TEXT_LEN, },
};

/* KMQTT_CMD_RETAINED_DEL - do */
static const struct nla_policy kmqtt_retained_del_nl_policy[KMQTT_A_RETAINED_FILTER + 1] = {
	[KMQTT_A_RETAINED_FILTER] = { .type = NLA_NUL_STRING, .len = KMQTT_TEXT_LEN, },
};

/* KMQTT_CMD_ACL_NEW - do */
static const struct nla_policy kmqtt_acl_new_nl_policy[KMQTT_A_ACL_SUBSTITUTE + 1] = {
	[KMQTT_A_ACL_BEFORE] = NLA_POLICY_MIN(NLA_U32, 1),
	[KMQTT_A_ACL_WHO] = NLA_POLICY_MAX(NLA_U32, 8),
	[KMQTT_A_ACL_UID] = { .type = NLA_U32, },
	[KMQTT_A_ACL_GID] = { .type = NLA_U32, },
	[KMQTT_A_ACL_NAME] = { .type = NLA_NUL_STRING, .len = 4095, },
	[KMQTT_A_ACL_ACCESS] = NLA_POLICY_MASK(NLA_U32, 0x3),
	[KMQTT_A_ACL_ALLOW] = NLA_POLICY_MAX(NLA_U8, 1),
	[KMQTT_A_ACL_FILTER] = { .type = NLA_NUL_STRING, .len = KMQTT_TEXT_LEN, },
	[KMQTT_A_ACL_SUBSTITUTE] = NLA_POLICY_MAX(NLA_U32, 2),
};

/* KMQTT_CMD_ACL_DEL - do */
static const struct nla_policy kmqtt_acl_del_nl_policy[KMQTT_A_ACL_ID + 1] = {
	[KMQTT_A_ACL_ID] = NLA_POLICY_MIN(NLA_U32, 1),
};

/* KMQTT_CMD_LISTENER_NEW - do */
static const struct nla_policy kmqtt_listener_new_nl_policy[KMQTT_A_LISTENER_BYTE_RATE + 1] = {
	[KMQTT_A_LISTENER_NAME] = { .type = NLA_NUL_STRING, .len = KMQTT_LISTENER_NAME_LEN, },
	[KMQTT_A_LISTENER_IPV4] = { .type = NLA_BE32, },
	[KMQTT_A_LISTENER_IPV6] = NLA_POLICY_EXACT_LEN(16),
	[KMQTT_A_LISTENER_SCOPE_ID] = { .type = NLA_U32, },
	[KMQTT_A_LISTENER_PORT] = { .type = NLA_BE16, },
	[KMQTT_A_LISTENER_V6ONLY] = NLA_POLICY_MAX(NLA_U8, 1),
	[KMQTT_A_LISTENER_MAX_CONNECTIONS] = { .type = NLA_U32, },
	[KMQTT_A_LISTENER_MAX_QOS] = NLA_POLICY_MAX(NLA_U8, 2),
	[KMQTT_A_LISTENER_PROTOCOLS] = NLA_POLICY_RANGE(NLA_U32, 8, 56),
	[KMQTT_A_LISTENER_MAX_PACKET_SIZE] = NLA_POLICY_FULL_RANGE(NLA_U32, &kmqtt_a_listener_max_packet_size_range),
	[KMQTT_A_LISTENER_MAX_TOPIC_ALIAS] = { .type = NLA_U16, },
	[KMQTT_A_LISTENER_MAX_TOPIC_ALIAS_BROKER] = { .type = NLA_U16, },
	[KMQTT_A_LISTENER_MAX_KEEPALIVE] = { .type = NLA_U16, },
	[KMQTT_A_LISTENER_RECEIVE_MAXIMUM] = { .type = NLA_U16, },
	[KMQTT_A_LISTENER_ANONYMOUS] = NLA_POLICY_MAX(NLA_U8, 1),
	[KMQTT_A_LISTENER_ZERO_LENGTH_CLIENTID] = NLA_POLICY_MAX(NLA_U8, 1),
	[KMQTT_A_LISTENER_MOUNT_POINT] = { .type = NLA_NUL_STRING, .len = KMQTT_MOUNT_POINT_LEN, },
	[KMQTT_A_LISTENER_CONNECT_TIMEOUT] = NLA_POLICY_RANGE(NLA_U32, 1, 3600),
	[KMQTT_A_LISTENER_CONNECTION_RATE] = { .type = NLA_U32, },
	[KMQTT_A_LISTENER_MESSAGE_RATE] = { .type = NLA_U32, },
	[KMQTT_A_LISTENER_BYTE_RATE] = NLA_POLICY_FULL_RANGE(NLA_U64, &kmqtt_a_listener_byte_rate_range),
};

/* KMQTT_CMD_LISTENER_SET - do */
static const struct nla_policy kmqtt_listener_set_nl_policy[KMQTT_A_LISTENER_BYTE_RATE + 1] = {
	[KMQTT_A_LISTENER_NAME] = { .type = NLA_NUL_STRING, .len = KMQTT_LISTENER_NAME_LEN, },
	[KMQTT_A_LISTENER_IPV4] = { .type = NLA_BE32, },
	[KMQTT_A_LISTENER_IPV6] = NLA_POLICY_EXACT_LEN(16),
	[KMQTT_A_LISTENER_SCOPE_ID] = { .type = NLA_U32, },
	[KMQTT_A_LISTENER_PORT] = { .type = NLA_BE16, },
	[KMQTT_A_LISTENER_MAX_CONNECTIONS] = { .type = NLA_U32, },
	[KMQTT_A_LISTENER_MAX_QOS] = NLA_POLICY_MAX(NLA_U8, 2),
	[KMQTT_A_LISTENER_PROTOCOLS] = NLA_POLICY_RANGE(NLA_U32, 8, 56),
	[KMQTT_A_LISTENER_MAX_PACKET_SIZE] = NLA_POLICY_FULL_RANGE(NLA_U32, &kmqtt_a_listener_max_packet_size_range),
	[KMQTT_A_LISTENER_MAX_TOPIC_ALIAS] = { .type = NLA_U16, },
	[KMQTT_A_LISTENER_MAX_TOPIC_ALIAS_BROKER] = { .type = NLA_U16, },
	[KMQTT_A_LISTENER_MAX_KEEPALIVE] = { .type = NLA_U16, },
	[KMQTT_A_LISTENER_RECEIVE_MAXIMUM] = { .type = NLA_U16, },
	[KMQTT_A_LISTENER_ANONYMOUS] = NLA_POLICY_MAX(NLA_U8, 1),
	[KMQTT_A_LISTENER_ZERO_LENGTH_CLIENTID] = NLA_POLICY_MAX(NLA_U8, 1),
	[KMQTT_A_LISTENER_MOUNT_POINT] = { .type = NLA_NUL_STRING, .len = KMQTT_MOUNT_POINT_LEN, },
	[KMQTT_A_LISTENER_CONNECT_TIMEOUT] = NLA_POLICY_RANGE(NLA_U32, 1, 3600),
	[KMQTT_A_LISTENER_CONNECTION_RATE] = { .type = NLA_U32, },
	[KMQTT_A_LISTENER_MESSAGE_RATE] = { .type = NLA_U32, },
	[KMQTT_A_LISTENER_BYTE_RATE] = NLA_POLICY_FULL_RANGE(NLA_U64, &kmqtt_a_listener_byte_rate_range),
};

/* KMQTT_CMD_LISTENER_DEL - do */
static const struct nla_policy kmqtt_listener_del_nl_policy[KMQTT_A_LISTENER_PORT + 1] = {
	[KMQTT_A_LISTENER_NAME] = { .type = NLA_NUL_STRING, .len = KMQTT_LISTENER_NAME_LEN, },
	[KMQTT_A_LISTENER_IPV4] = { .type = NLA_BE32, },
	[KMQTT_A_LISTENER_IPV6] = NLA_POLICY_EXACT_LEN(16),
	[KMQTT_A_LISTENER_SCOPE_ID] = { .type = NLA_U32, },
	[KMQTT_A_LISTENER_PORT] = { .type = NLA_BE16, },
};

/* KMQTT_CMD_LISTENER_GET - do */
static const struct nla_policy kmqtt_listener_get_nl_policy[KMQTT_A_LISTENER_PORT + 1] = {
	[KMQTT_A_LISTENER_NAME] = { .type = NLA_NUL_STRING, .len = KMQTT_LISTENER_NAME_LEN, },
	[KMQTT_A_LISTENER_IPV4] = { .type = NLA_BE32, },
	[KMQTT_A_LISTENER_IPV6] = NLA_POLICY_EXACT_LEN(16),
	[KMQTT_A_LISTENER_SCOPE_ID] = { .type = NLA_U32, },
	[KMQTT_A_LISTENER_PORT] = { .type = NLA_BE16, },
};

/* KMQTT_CMD_CLIENT_ATTACH - do */
static const struct nla_policy kmqtt_client_attach_nl_policy[KMQTT_A_LISTENER_EARLY_DATA + 1] = {
	[KMQTT_A_LISTENER_NAME] = { .type = NLA_NUL_STRING, .len = KMQTT_LISTENER_NAME_LEN, },
	[KMQTT_A_LISTENER_IPV4] = { .type = NLA_BE32, },
	[KMQTT_A_LISTENER_IPV6] = NLA_POLICY_EXACT_LEN(16),
	[KMQTT_A_LISTENER_SCOPE_ID] = { .type = NLA_U32, },
	[KMQTT_A_LISTENER_PORT] = { .type = NLA_BE16, },
	[KMQTT_A_LISTENER_FD] = { .type = NLA_U32, },
	[KMQTT_A_LISTENER_EARLY_DATA] = { .type = NLA_BINARY, },
};

/* KMQTT_CMD_PUBLISH - do */
static const struct nla_policy kmqtt_publish_nl_policy[KMQTT_A_MESSAGE_PROPERTIES + 1] = {
	[KMQTT_A_MESSAGE_TOPIC] = { .type = NLA_NUL_STRING, .len = KMQTT_TEXT_LEN, },
	[KMQTT_A_MESSAGE_PAYLOAD] = { .type = NLA_BINARY, },
	[KMQTT_A_MESSAGE_QOS] = NLA_POLICY_MAX(NLA_U8, 2),
	[KMQTT_A_MESSAGE_RETAIN] = NLA_POLICY_MAX(NLA_U8, 1),
	[KMQTT_A_MESSAGE_EXPIRY] = NLA_POLICY_MIN(NLA_U32, 1),
	[KMQTT_A_MESSAGE_PROPERTIES] = { .type = NLA_BINARY, },
};

/* KMQTT_CMD_SUBSCRIBE - do */
static const struct nla_policy kmqtt_subscribe_nl_policy[KMQTT_A_SUBSCRIPTION_ID + 1] = {
	[KMQTT_A_SUBSCRIPTION_FILTER] = { .type = NLA_NUL_STRING, .len = KMQTT_TEXT_LEN, },
	[KMQTT_A_SUBSCRIPTION_QOS] = NLA_POLICY_MAX(NLA_U8, 2),
	[KMQTT_A_SUBSCRIPTION_NO_LOCAL] = NLA_POLICY_MAX(NLA_U8, 1),
	[KMQTT_A_SUBSCRIPTION_RETAIN_AS_PUBLISHED] = NLA_POLICY_MAX(NLA_U8, 1),
	[KMQTT_A_SUBSCRIPTION_RETAIN_HANDLING] = NLA_POLICY_MAX(NLA_U8, 2),
	[KMQTT_A_SUBSCRIPTION_ID] = NLA_POLICY_FULL_RANGE(NLA_U32, &kmqtt_a_subscription_id_range),
};

/* KMQTT_CMD_UNSUBSCRIBE - do */
static const struct nla_policy kmqtt_unsubscribe_nl_policy[KMQTT_A_SUBSCRIPTION_FILTER + 1] = {
	[KMQTT_A_SUBSCRIPTION_FILTER] = { .type = NLA_NUL_STRING, .len = KMQTT_TEXT_LEN, },
};

/* KMQTT_CMD_USER_SET - do */
static const struct nla_policy kmqtt_user_set_nl_policy[KMQTT_A_USER_HASH + 1] = {
	[KMQTT_A_USER_NAME] = { .type = NLA_NUL_STRING, .len = KMQTT_CREDENTIAL_LEN, },
	[KMQTT_A_USER_ITERATIONS] = NLA_POLICY_FULL_RANGE(NLA_U32, &kmqtt_a_user_iterations_range),
	[KMQTT_A_USER_SALT] = NLA_POLICY_MAX_LEN(KMQTT_USER_SALT_LEN),
	[KMQTT_A_USER_HASH] = NLA_POLICY_EXACT_LEN(KMQTT_USER_HASH_LEN),
};

/* KMQTT_CMD_USER_DEL - do */
static const struct nla_policy kmqtt_user_del_nl_policy[KMQTT_A_USER_NAME + 1] = {
	[KMQTT_A_USER_NAME] = { .type = NLA_NUL_STRING, .len = KMQTT_CREDENTIAL_LEN, },
};

/* KMQTT_CMD_USER_REPLACE - do */
static const struct nla_policy kmqtt_user_replace_nl_policy[KMQTT_A_USER_ENTRY + 1] = {
	[KMQTT_A_USER_ENTRY] = NLA_POLICY_NESTED(kmqtt_user_entry_nl_policy),
};

/* KMQTT_CMD_ACL_REPLACE - do */
static const struct nla_policy kmqtt_acl_replace_nl_policy[KMQTT_A_ACL_RULE + 1] = {
	[KMQTT_A_ACL_RULE] = NLA_POLICY_NESTED(kmqtt_acl_rule_nl_policy),
};

/* KMQTT_CMD_AUTH_REPLY - do */
static const struct nla_policy kmqtt_auth_reply_nl_policy[KMQTT_A_AUTH_REASON + 1] = {
	[KMQTT_A_AUTH_ID] = NLA_POLICY_MIN(NLA_U32, 1),
	[KMQTT_A_AUTH_USER] = { .type = NLA_NUL_STRING, .len = KMQTT_CREDENTIAL_LEN, },
	[KMQTT_A_AUTH_DATA] = { .type = NLA_BINARY, },
	[KMQTT_A_AUTH_VERDICT] = NLA_POLICY_MAX(NLA_U32, 2),
	[KMQTT_A_AUTH_REASON] = NLA_POLICY_MIN(NLA_U8, 128),
};

/* Ops table for kmqtt */
static const struct genl_split_ops kmqtt_nl_ops[] = {
	{
		.cmd	= KMQTT_CMD_SWITCH_GET,
		.doit	= kmqtt_nl_switch_get_doit,
		.flags	= GENL_CMD_CAP_DO,
	},
	{
		.cmd		= KMQTT_CMD_SWITCH_SET,
		.doit		= kmqtt_nl_switch_set_doit,
		.policy		= kmqtt_switch_set_nl_policy,
		.maxattr	= KMQTT_A_SWITCH_CHECK_RETAIN_SOURCE,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd	= KMQTT_CMD_STATS_GET,
		.doit	= kmqtt_nl_stats_get_doit,
		.flags	= GENL_CMD_CAP_DO,
	},
	{
		.cmd		= KMQTT_CMD_UPLINK_NEW,
		.doit		= kmqtt_nl_uplink_new_doit,
		.policy		= kmqtt_uplink_new_nl_policy,
		.maxattr	= KMQTT_A_UPLINK_EARLY_DATA,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= KMQTT_CMD_UPLINK_SET,
		.doit		= kmqtt_nl_uplink_set_doit,
		.policy		= kmqtt_uplink_set_nl_policy,
		.maxattr	= KMQTT_A_UPLINK_EARLY_DATA,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= KMQTT_CMD_UPLINK_DEL,
		.doit		= kmqtt_nl_uplink_del_doit,
		.policy		= kmqtt_uplink_del_nl_policy,
		.maxattr	= KMQTT_A_UPLINK_NAME,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= KMQTT_CMD_UPLINK_GET,
		.doit		= kmqtt_nl_uplink_get_doit,
		.policy		= kmqtt_uplink_get_nl_policy,
		.maxattr	= KMQTT_A_UPLINK_NAME,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd	= KMQTT_CMD_UPLINK_GET,
		.start	= kmqtt_nl_dump_start,
		.dumpit	= kmqtt_nl_uplink_get_dumpit,
		.flags	= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= KMQTT_CMD_UPLINK_TOPIC_NEW,
		.doit		= kmqtt_nl_uplink_topic_new_doit,
		.policy		= kmqtt_uplink_topic_new_nl_policy,
		.maxattr	= KMQTT_A_UPLINK_TOPIC_REMOTE_PREFIX,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= KMQTT_CMD_UPLINK_TOPIC_DEL,
		.doit		= kmqtt_nl_uplink_topic_del_doit,
		.policy		= kmqtt_uplink_topic_del_nl_policy,
		.maxattr	= KMQTT_A_UPLINK_TOPIC_REMOTE_PREFIX,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= KMQTT_CMD_UPLINK_TOPIC_GET,
		.start		= kmqtt_nl_dump_start,
		.dumpit		= kmqtt_nl_uplink_topic_get_dumpit,
		.policy		= kmqtt_uplink_topic_get_nl_policy,
		.maxattr	= KMQTT_A_UPLINK_TOPIC_UPLINK,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= KMQTT_CMD_SESSION_GET,
		.doit		= kmqtt_nl_session_get_doit,
		.policy		= kmqtt_session_get_nl_policy,
		.maxattr	= KMQTT_A_SESSION_NUMBER,
		.flags		= GENL_CMD_CAP_DO,
	},
	{
		.cmd	= KMQTT_CMD_SESSION_GET,
		.start	= kmqtt_nl_dump_start,
		.dumpit	= kmqtt_nl_session_get_dumpit,
		.flags	= GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= KMQTT_CMD_SESSION_DEL,
		.doit		= kmqtt_nl_session_del_doit,
		.policy		= kmqtt_session_del_nl_policy,
		.maxattr	= KMQTT_A_SESSION_NUMBER,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= KMQTT_CMD_SUBSCRIPTION_GET,
		.start		= kmqtt_nl_dump_start,
		.dumpit		= kmqtt_nl_subscription_get_dumpit,
		.policy		= kmqtt_subscription_get_nl_policy,
		.maxattr	= KMQTT_A_SUBSCRIPTION_NUMBER,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= KMQTT_CMD_RETAINED_GET,
		.start		= kmqtt_nl_dump_start,
		.dumpit		= kmqtt_nl_retained_get_dumpit,
		.done		= kmqtt_nl_retained_done,
		.policy		= kmqtt_retained_get_nl_policy,
		.maxattr	= KMQTT_A_RETAINED_FILTER,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= KMQTT_CMD_RETAINED_DEL,
		.doit		= kmqtt_nl_retained_del_doit,
		.policy		= kmqtt_retained_del_nl_policy,
		.maxattr	= KMQTT_A_RETAINED_FILTER,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= KMQTT_CMD_ACL_NEW,
		.doit		= kmqtt_nl_acl_new_doit,
		.policy		= kmqtt_acl_new_nl_policy,
		.maxattr	= KMQTT_A_ACL_SUBSTITUTE,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= KMQTT_CMD_ACL_DEL,
		.doit		= kmqtt_nl_acl_del_doit,
		.policy		= kmqtt_acl_del_nl_policy,
		.maxattr	= KMQTT_A_ACL_ID,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd	= KMQTT_CMD_ACL_GET,
		.start	= kmqtt_nl_dump_start,
		.dumpit	= kmqtt_nl_acl_get_dumpit,
		.flags	= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DUMP,
	},
	{
		.cmd	= KMQTT_CMD_ACL_FLUSH,
		.doit	= kmqtt_nl_acl_flush_doit,
		.flags	= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= KMQTT_CMD_LISTENER_NEW,
		.doit		= kmqtt_nl_listener_new_doit,
		.policy		= kmqtt_listener_new_nl_policy,
		.maxattr	= KMQTT_A_LISTENER_BYTE_RATE,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= KMQTT_CMD_LISTENER_SET,
		.doit		= kmqtt_nl_listener_set_doit,
		.policy		= kmqtt_listener_set_nl_policy,
		.maxattr	= KMQTT_A_LISTENER_BYTE_RATE,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= KMQTT_CMD_LISTENER_DEL,
		.doit		= kmqtt_nl_listener_del_doit,
		.policy		= kmqtt_listener_del_nl_policy,
		.maxattr	= KMQTT_A_LISTENER_PORT,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= KMQTT_CMD_LISTENER_GET,
		.doit		= kmqtt_nl_listener_get_doit,
		.policy		= kmqtt_listener_get_nl_policy,
		.maxattr	= KMQTT_A_LISTENER_PORT,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd	= KMQTT_CMD_LISTENER_GET,
		.start	= kmqtt_nl_dump_start,
		.dumpit	= kmqtt_nl_listener_get_dumpit,
		.flags	= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= KMQTT_CMD_CLIENT_ATTACH,
		.doit		= kmqtt_nl_client_attach_doit,
		.policy		= kmqtt_client_attach_nl_policy,
		.maxattr	= KMQTT_A_LISTENER_EARLY_DATA,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= KMQTT_CMD_PUBLISH,
		.doit		= kmqtt_nl_publish_doit,
		.policy		= kmqtt_publish_nl_policy,
		.maxattr	= KMQTT_A_MESSAGE_PROPERTIES,
		.flags		= GENL_CMD_CAP_DO,
	},
	{
		.cmd		= KMQTT_CMD_SUBSCRIBE,
		.doit		= kmqtt_nl_subscribe_doit,
		.policy		= kmqtt_subscribe_nl_policy,
		.maxattr	= KMQTT_A_SUBSCRIPTION_ID,
		.flags		= GENL_CMD_CAP_DO,
	},
	{
		.cmd		= KMQTT_CMD_UNSUBSCRIBE,
		.doit		= kmqtt_nl_unsubscribe_doit,
		.policy		= kmqtt_unsubscribe_nl_policy,
		.maxattr	= KMQTT_A_SUBSCRIPTION_FILTER,
		.flags		= GENL_CMD_CAP_DO,
	},
	{
		.cmd		= KMQTT_CMD_USER_SET,
		.doit		= kmqtt_nl_user_set_doit,
		.policy		= kmqtt_user_set_nl_policy,
		.maxattr	= KMQTT_A_USER_HASH,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= KMQTT_CMD_USER_DEL,
		.doit		= kmqtt_nl_user_del_doit,
		.policy		= kmqtt_user_del_nl_policy,
		.maxattr	= KMQTT_A_USER_NAME,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd	= KMQTT_CMD_USER_GET,
		.start	= kmqtt_nl_dump_start,
		.dumpit	= kmqtt_nl_user_get_dumpit,
		.flags	= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DUMP,
	},
	{
		.cmd	= KMQTT_CMD_USER_FLUSH,
		.doit	= kmqtt_nl_user_flush_doit,
		.flags	= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= KMQTT_CMD_USER_REPLACE,
		.doit		= kmqtt_nl_user_replace_doit,
		.policy		= kmqtt_user_replace_nl_policy,
		.maxattr	= KMQTT_A_USER_ENTRY,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= KMQTT_CMD_ACL_REPLACE,
		.doit		= kmqtt_nl_acl_replace_doit,
		.policy		= kmqtt_acl_replace_nl_policy,
		.maxattr	= KMQTT_A_ACL_RULE,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd	= KMQTT_CMD_AUTH_REGISTER,
		.doit	= kmqtt_nl_auth_register_doit,
		.flags	= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= KMQTT_CMD_AUTH_REPLY,
		.doit		= kmqtt_nl_auth_reply_doit,
		.policy		= kmqtt_auth_reply_nl_policy,
		.maxattr	= KMQTT_A_AUTH_REASON,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
};

static const struct genl_multicast_group kmqtt_nl_mcgrps[] = {
	[KMQTT_NLGRP_EVENTS] = { "events", },
};

struct genl_family kmqtt_nl_family __ro_after_init = {
	.name		= KMQTT_FAMILY_NAME,
	.version	= KMQTT_FAMILY_VERSION,
	.netnsok	= true,
	.parallel_ops	= true,
	.module		= THIS_MODULE,
	.split_ops	= kmqtt_nl_ops,
	.n_split_ops	= ARRAY_SIZE(kmqtt_nl_ops),
	.mcgrps		= kmqtt_nl_mcgrps,
	.n_mcgrps	= ARRAY_SIZE(kmqtt_nl_mcgrps),
};

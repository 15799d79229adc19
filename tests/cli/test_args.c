// SPDX-License-Identifier: GPL-2.0
/* Words become attributes, or a message that says what is wrong. */
#include <arpa/inet.h>
#include <linux/kmqtt_netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"
#include "nl.h"
#include "objects.h"
#include "tap.h"

#define WANTS	8

/* An attribute of a request: a number of @len bytes, or bytes at @text. */
struct want {
	uint16_t attr;
	uint16_t len;
	uint64_t number;
	const char *text;
};

#define U8(a, v)	{ KMQTT_A_##a, 1, v, NULL }
#define U16(a, v)	{ KMQTT_A_##a, 2, v, NULL }
#define U32(a, v)	{ KMQTT_A_##a, 4, v, NULL }
#define U64(a, v)	{ KMQTT_A_##a, 8, v, NULL }
#define STR(a, s)	{ KMQTT_A_##a, sizeof(s), 0, s }
#define BYTES(a, s)	{ KMQTT_A_##a, sizeof(s) - 1, 0, s }

/* Words, and the request that they become. */
struct good {
	int (*main)(struct args *args);
	const char *line;
	uint8_t cmd;
	bool dump;
	struct want want[WANTS];
};

static const struct good good[] = {
	{ switch_show_main, "", KMQTT_CMD_SWITCH_GET, false, { { 0 } } },
	{ switch_set_main, "max_inflight_messages 7 memory_limit 5000000000",
	  KMQTT_CMD_SWITCH_SET, false,
	  { U32(SWITCH_MAX_INFLIGHT_MESSAGES, 7),
	    U64(SWITCH_MEMORY_LIMIT, 5000000000) } },
	{ switch_set_main, "persistent_client_expiration 2w",
	  KMQTT_CMD_SWITCH_SET, false,
	  { U32(SWITCH_PERSISTENT_CLIENT_EXPIRATION, 1209600) } },
	{ switch_set_main, "pers never retain_av no queue_q on",
	  KMQTT_CMD_SWITCH_SET, false,
	  { U32(SWITCH_PERSISTENT_CLIENT_EXPIRATION, 4294967295),
	    U8(SWITCH_RETAIN_AVAILABLE, 0),
	    U8(SWITCH_QUEUE_QOS0_MESSAGES, 1) } },
	{ switch_set_main, "queue_policy keep acl_default deny",
	  KMQTT_CMD_SWITCH_SET, false,
	  { U32(SWITCH_QUEUE_POLICY, 3), U8(SWITCH_ACL_DEFAULT, 0) } },

	{ uplink_main, "", KMQTT_CMD_UPLINK_GET, true, { { 0 } } },
	{ uplink_main, "sh b1", KMQTT_CMD_UPLINK_GET, false,
	  { STR(UPLINK_NAME, "b1") } },
	{ uplink_main, "add b1", KMQTT_CMD_UPLINK_NEW, false,
	  { STR(UPLINK_NAME, "b1"), U8(UPLINK_ADMIN_UP, 1) } },
	{ uplink_main, "add b1 down", KMQTT_CMD_UPLINK_NEW, false,
	  { STR(UPLINK_NAME, "b1"), U8(UPLINK_ADMIN_UP, 0) } },
	{ uplink_main, "set b1 version 31 client-id 'a b' username u",
	  KMQTT_CMD_UPLINK_SET, false,
	  { STR(UPLINK_NAME, "b1"), U8(UPLINK_VERSION, 3),
	    STR(UPLINK_CLIENT_ID, "a b"), STR(UPLINK_USERNAME, "u") } },
	{ uplink_main, "set b1 version 311 keepalive 5m clean off",
	  KMQTT_CMD_UPLINK_SET, false,
	  { STR(UPLINK_NAME, "b1"), U8(UPLINK_VERSION, 4),
	    U16(UPLINK_KEEPALIVE, 300), U8(UPLINK_CLEAN_START, 0) } },
	{ uplink_main, "set b1 version 5 session-expiry never receive-maximum 9",
	  KMQTT_CMD_UPLINK_SET, false,
	  { STR(UPLINK_NAME, "b1"), U8(UPLINK_VERSION, 5),
	    U32(UPLINK_SESSION_EXPIRY, 4294967295),
	    U16(UPLINK_RECEIVE_MAXIMUM, 9) } },
	{ uplink_main, "set b1 will-topic w/t will-payload gone will-qos 2 will-retain on will-delay 1h",
	  KMQTT_CMD_UPLINK_SET, false,
	  { STR(UPLINK_NAME, "b1"), STR(UPLINK_WILL_TOPIC, "w/t"),
	    BYTES(UPLINK_WILL_PAYLOAD, "gone"), U8(UPLINK_WILL_QOS, 2),
	    U8(UPLINK_WILL_RETAIN, 1), U32(UPLINK_WILL_DELAY, 3600) } },
	{ uplink_main, "set b1 max-queued-bytes 5 policy block batch 3 try-private off",
	  KMQTT_CMD_UPLINK_SET, false,
	  { STR(UPLINK_NAME, "b1"), U64(UPLINK_MAX_QUEUED_BYTES, 5),
	    U32(UPLINK_POLICY, 4), U32(UPLINK_BATCH, 3),
	    U8(UPLINK_TRY_PRIVATE, 0) } },
	{ uplink_main, "set b1 connect-timeout 3 backoff-min 2 backoff-max 1m stable 9s",
	  KMQTT_CMD_UPLINK_SET, false,
	  { STR(UPLINK_NAME, "b1"), U32(UPLINK_CONNECT_TIMEOUT, 3),
	    U32(UPLINK_BACKOFF_MIN, 2), U32(UPLINK_BACKOFF_MAX, 60),
	    U32(UPLINK_STABLE, 9) } },
	{ uplink_main, "del b1", KMQTT_CMD_UPLINK_DEL, false,
	  { STR(UPLINK_NAME, "b1") } },
	{ uplink_main, "up b1", KMQTT_CMD_UPLINK_SET, false,
	  { STR(UPLINK_NAME, "b1"), U8(UPLINK_ADMIN_UP, 1) } },
	{ uplink_main, "down b1", KMQTT_CMD_UPLINK_SET, false,
	  { STR(UPLINK_NAME, "b1"), U8(UPLINK_ADMIN_UP, 0) } },
	{ uplink_main, "attach b1 fd 5", KMQTT_CMD_UPLINK_SET, false,
	  { STR(UPLINK_NAME, "b1"), U32(UPLINK_FD, 5) } },

	{ uplink_main, "topic add b1 s/# in", KMQTT_CMD_UPLINK_TOPIC_NEW, false,
	  { STR(UPLINK_TOPIC_UPLINK, "b1"), STR(UPLINK_TOPIC_FILTER, "s/#"),
	    U32(UPLINK_TOPIC_DIRECTION, 1) } },
	{ uplink_main, "t a b1 '' dem q 1 l x/ r y/",
	  KMQTT_CMD_UPLINK_TOPIC_NEW, false,
	  { STR(UPLINK_TOPIC_UPLINK, "b1"), STR(UPLINK_TOPIC_FILTER, ""),
	    U32(UPLINK_TOPIC_DIRECTION, 4), U8(UPLINK_TOPIC_QOS, 1),
	    STR(UPLINK_TOPIC_LOCAL_PREFIX, "x/"),
	    STR(UPLINK_TOPIC_REMOTE_PREFIX, "y/") } },
	{ uplink_main, "topic del b1 s/#", KMQTT_CMD_UPLINK_TOPIC_DEL, false,
	  { STR(UPLINK_TOPIC_UPLINK, "b1"), STR(UPLINK_TOPIC_FILTER, "s/#") } },
	{ uplink_main, "topic del b1 s/# both remote r/",
	  KMQTT_CMD_UPLINK_TOPIC_DEL, false,
	  { STR(UPLINK_TOPIC_UPLINK, "b1"), STR(UPLINK_TOPIC_FILTER, "s/#"),
	    U32(UPLINK_TOPIC_DIRECTION, 3),
	    STR(UPLINK_TOPIC_REMOTE_PREFIX, "r/") } },
	{ uplink_main, "topic del b1 s/# local l/",
	  KMQTT_CMD_UPLINK_TOPIC_DEL, false,
	  { STR(UPLINK_TOPIC_UPLINK, "b1"), STR(UPLINK_TOPIC_FILTER, "s/#"),
	    STR(UPLINK_TOPIC_LOCAL_PREFIX, "l/") } },
	{ uplink_main, "topic show b1", KMQTT_CMD_UPLINK_TOPIC_GET, true,
	  { STR(UPLINK_TOPIC_UPLINK, "b1") } },

	{ listener_main, "", KMQTT_CMD_LISTENER_GET, true, { { 0 } } },
	{ listener_main, "show l1", KMQTT_CMD_LISTENER_GET, false,
	  { STR(LISTENER_NAME, "l1") } },
	{ listener_main, "show 127.0.0.1:1883", KMQTT_CMD_LISTENER_GET, false,
	  { BYTES(LISTENER_IPV4, "\x7f\0\0\1"),
	    BYTES(LISTENER_PORT, "\x07\x5b") } },
	{ listener_main, "add 127.0.0.1:0", KMQTT_CMD_LISTENER_NEW, false,
	  { BYTES(LISTENER_IPV4, "\x7f\0\0\1"), U16(LISTENER_PORT, 0) } },
	{ listener_main, "add [::1]:8883 name tls v6only on",
	  KMQTT_CMD_LISTENER_NEW, false,
	  { BYTES(LISTENER_IPV6, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"),
	    BYTES(LISTENER_PORT, "\x22\xb3"), STR(LISTENER_NAME, "tls"),
	    U8(LISTENER_V6ONLY, 1) } },
	{ listener_main, "add none name tls mount-point a/b",
	  KMQTT_CMD_LISTENER_NEW, false,
	  { STR(LISTENER_NAME, "tls"), STR(LISTENER_MOUNT_POINT, "a/b") } },
	{ listener_main, "set l1 max-connections 7 max_qos 1 prot 3,5 max-packet 99",
	  KMQTT_CMD_LISTENER_SET, false,
	  { STR(LISTENER_NAME, "l1"), U32(LISTENER_MAX_CONNECTIONS, 7),
	    U8(LISTENER_MAX_QOS, 1), U32(LISTENER_PROTOCOLS, 40),
	    U32(LISTENER_MAX_PACKET_SIZE, 99) } },
	{ listener_main, "set l1 max-topic-alias 1 max_topic_alias_b 2 max_keepalive 1h receive-m 4",
	  KMQTT_CMD_LISTENER_SET, false,
	  { STR(LISTENER_NAME, "l1"), U16(LISTENER_MAX_TOPIC_ALIAS, 1),
	    U16(LISTENER_MAX_TOPIC_ALIAS_BROKER, 2),
	    U16(LISTENER_MAX_KEEPALIVE, 3600), U16(LISTENER_RECEIVE_MAXIMUM, 4) } },
	{ listener_main, "set l1 anonymous on zero-length-clientid no connect-timeout 1m",
	  KMQTT_CMD_LISTENER_SET, false,
	  { STR(LISTENER_NAME, "l1"), U8(LISTENER_ANONYMOUS, 1),
	    U8(LISTENER_ZERO_LENGTH_CLIENTID, 0),
	    U32(LISTENER_CONNECT_TIMEOUT, 60) } },
	{ listener_main, "set l1 connection-rate 5 message_rate 6 byte-rate 5000000000",
	  KMQTT_CMD_LISTENER_SET, false,
	  { STR(LISTENER_NAME, "l1"), U32(LISTENER_CONNECTION_RATE, 5),
	    U32(LISTENER_MESSAGE_RATE, 6), U64(LISTENER_BYTE_RATE, 5000000000) } },
	{ listener_main, "set l1 allow_anonymous true allow_zero_length_clientid false "
			 "accept_protocol_versions 4", KMQTT_CMD_LISTENER_SET, false,
	  { STR(LISTENER_NAME, "l1"), U8(LISTENER_ANONYMOUS, 1),
	    U8(LISTENER_ZERO_LENGTH_CLIENTID, 0), U32(LISTENER_PROTOCOLS, 16) } },
	{ listener_main, "del 127.0.0.1:1883", KMQTT_CMD_LISTENER_DEL, false,
	  { BYTES(LISTENER_IPV4, "\x7f\0\0\1"),
	    BYTES(LISTENER_PORT, "\x07\x5b") } },
	{ listener_main, "attach tls fd 5", KMQTT_CMD_CLIENT_ATTACH, false,
	  { STR(LISTENER_NAME, "tls"), U32(LISTENER_FD, 5) } },

	{ session_main, "", KMQTT_CMD_SESSION_GET, true, { { 0 } } },
	{ session_main, "show c1", KMQTT_CMD_SESSION_GET, false,
	  { STR(SESSION_NAME, "c1") } },
	{ session_main, "kill c1", KMQTT_CMD_SESSION_DEL, false,
	  { STR(SESSION_NAME, "c1") } },
	{ session_main, "show number 7", KMQTT_CMD_SESSION_GET, false,
	  { U64(SESSION_NUMBER, 7) } },
	{ session_main, "show number", KMQTT_CMD_SESSION_GET, false,
	  { STR(SESSION_NAME, "number") } },
	{ session_main, "kill number 7 reason 139", KMQTT_CMD_SESSION_DEL, false,
	  { U64(SESSION_NUMBER, 7), U8(SESSION_REASON, 139) } },
	{ session_main, "kill number reason 139", KMQTT_CMD_SESSION_DEL, false,
	  { STR(SESSION_NAME, "number"), U8(SESSION_REASON, 139) } },
	{ subscription_main, "show number 7", KMQTT_CMD_SUBSCRIPTION_GET, true,
	  { U64(SUBSCRIPTION_NUMBER, 7) } },
	{ session_main, "kill c1 reason 139", KMQTT_CMD_SESSION_DEL, false,
	  { STR(SESSION_NAME, "c1"), U8(SESSION_REASON, 139) } },
	{ subscription_main, "show c1", KMQTT_CMD_SUBSCRIPTION_GET, true,
	  { STR(SUBSCRIPTION_SESSION, "c1") } },
	{ retained_main, "show s/+", KMQTT_CMD_RETAINED_GET, true,
	  { STR(RETAINED_FILTER, "s/+") } },
	{ retained_main, "c", KMQTT_CMD_RETAINED_DEL, false, { { 0 } } },
	{ retained_main, "clear s/+", KMQTT_CMD_RETAINED_DEL, false,
	  { STR(RETAINED_FILTER, "s/+") } },

	{ acl_main, "add allow read s/# uid 1000", KMQTT_CMD_ACL_NEW, false,
	  { U8(ACL_ALLOW, 1), U32(ACL_ACCESS, 1), STR(ACL_FILTER, "s/#"),
	    U32(ACL_WHO, 1), U32(ACL_UID, 1000) } },
	{ acl_main, "add deny readwrite # uid root before 3", KMQTT_CMD_ACL_NEW,
	  false,
	  { U8(ACL_ALLOW, 0), U32(ACL_ACCESS, 3), STR(ACL_FILTER, "#"),
	    U32(ACL_WHO, 1), U32(ACL_UID, 0), U32(ACL_BEFORE, 3) } },
	{ acl_main, "add a w x gid root", KMQTT_CMD_ACL_NEW, false,
	  { U8(ACL_ALLOW, 1), U32(ACL_ACCESS, 2), STR(ACL_FILTER, "x"),
	    U32(ACL_WHO, 2), U32(ACL_GID, 0) } },
	{ acl_main, "add allow write x cgroup /sys/fs/cgroup/a.slice",
	  KMQTT_CMD_ACL_NEW, false,
	  { U8(ACL_ALLOW, 1), U32(ACL_ACCESS, 2), STR(ACL_FILTER, "x"),
	    U32(ACL_WHO, 3), STR(ACL_NAME, "/a.slice") } },
	{ acl_main, "add allow write x cgroup /sys/fs/cgroups",
	  KMQTT_CMD_ACL_NEW, false,
	  { U8(ACL_ALLOW, 1), U32(ACL_ACCESS, 2), STR(ACL_FILTER, "x"),
	    U32(ACL_WHO, 3), STR(ACL_NAME, "/sys/fs/cgroups") } },
	{ acl_main, "add allow write %u/# user bob", KMQTT_CMD_ACL_NEW, false,
	  { U8(ACL_ALLOW, 1), U32(ACL_ACCESS, 2), STR(ACL_FILTER, "%u/#"),
	    U32(ACL_WHO, 4), STR(ACL_NAME, "bob") } },
	{ acl_main, "add allow write x client c1", KMQTT_CMD_ACL_NEW, false,
	  { U8(ACL_ALLOW, 1), U32(ACL_ACCESS, 2), STR(ACL_FILTER, "x"),
	    U32(ACL_WHO, 5), STR(ACL_NAME, "c1") } },
	{ acl_main, "add allow write x anonymous before 2", KMQTT_CMD_ACL_NEW, false,
	  { U8(ACL_ALLOW, 1), U32(ACL_ACCESS, 2), STR(ACL_FILTER, "x"),
	    U32(ACL_WHO, 6), U32(ACL_BEFORE, 2) } },
	{ acl_main, "add deny readwrite '' wildcard", KMQTT_CMD_ACL_NEW, false,
	  { U8(ACL_ALLOW, 0), U32(ACL_ACCESS, 3), STR(ACL_FILTER, ""), U32(ACL_WHO, 8) } },
	{ acl_main, "add allow read a%c remote sub text", KMQTT_CMD_ACL_NEW, false,
	  { U8(ACL_ALLOW, 1), U32(ACL_ACCESS, 1), STR(ACL_FILTER, "a%c"),
	    U32(ACL_WHO, 7), U32(ACL_SUBSTITUTE, 1) } },
	{ acl_main, "del 4", KMQTT_CMD_ACL_DEL, false, { U32(ACL_ID, 4) } },
	{ acl_main, "flush", KMQTT_CMD_ACL_FLUSH, false, { { 0 } } },
	{ acl_main, "", KMQTT_CMD_ACL_GET, true, { { 0 } } },
	{ passwd_main, "", KMQTT_CMD_USER_GET, true, { { 0 } } },
	{ passwd_main, "del joe", KMQTT_CMD_USER_DEL, false, { STR(USER_NAME, "joe") } },
	{ passwd_main, "flush", KMQTT_CMD_USER_FLUSH, false, { { 0 } } },
	{ stats_main, "", KMQTT_CMD_STATS_GET, false, { { 0 } } },
};

static bool is_wanted(const struct nlattr *attr, const struct want *want)
{
	if (!attr || mnl_attr_get_type(attr) != want->attr ||
	    mnl_attr_get_payload_len(attr) != want->len)
		return false;
	if (want->text)
		return !memcmp(mnl_attr_get_payload(attr), want->text, want->len);
	return nl_uint(attr) == want->number;
}

static bool is_good(const struct run *r, const struct good *g)
{
	size_t i;

	if (r->status != STATUS_OK || r->requests != 1 || *r->err)
		return false;
	if (request_cmd(r) != g->cmd || r->dump != g->dump)
		return false;
	for (i = 0; i < WANTS && g->want[i].attr; i++) {
		if (!is_wanted(request_attr(r, i), &g->want[i]))
			return false;
	}
	return requested(r) == i;
}

/* Words, and what is said of them; no request is sent. */
struct bad {
	int (*main)(struct args *args);
	const char *line;
	const char *says;
};

static const struct bad bad[] = {
	{ switch_show_main, "x", "\"x\" is one word too many" },
	{ switch_set_main, "", "KEY VALUE is needed" },
	{ switch_set_main, "max_inflight_messages", "needs a value" },
	{ switch_set_main, "foo 1", "unknown keyword \"foo\"" },
	{ switch_set_main, "max_q 1", "ambiguous: max_queued_messages max_queued_bytes" },
	{ switch_set_main, "max_sessions 1 max_sessions 2", "given twice" },
	{ switch_set_main, "max_sessions 4294967296", "from 0 to 4294967295" },
	{ switch_set_main, "max_sessions -1", "not a number" },
	{ switch_set_main, "max_sessions 1x", "not a number" },
	{ switch_set_main, "max_sessions ''", "not a number" },
	{ switch_set_main, "memory_limit 18446744073709551616", "not a number" },
	{ switch_set_main, "retain_available maybe", "must be on or off" },
	{ switch_set_main, "queue_policy drop", "ambiguous: drop-newest drop-oldest" },
	{ switch_set_main, "persistent_client_expiration 1y", "not a time" },
	{ switch_set_main, "persistent_client_expiration 10000w", "from 0 to" },
	{ uplink_main, "foo", "unknown command \"foo\"" },
	{ uplink_main, "s", "ambiguous: show set" },
	{ uplink_main, "add", "NAME is missing" },
	{ uplink_main, "add b1 to", "needs a value" },
	{ uplink_main, "add b1 to host:0", "from 1 to 65535" },
	{ uplink_main, "add b1 to 192.0.2.1:", "not a number" },
	{ uplink_main, "add b1 to 192.0.2.1:123456789", "from 1 to 65535" },
	{ uplink_main, "add b1 to 192.0.2.1:65536", "from 1 to 65535" },
	{ uplink_main, "add b1 to [::1", "\"]\" is missing" },
	{ uplink_main, "add b1 to [::1]x", "must follow \"]\"" },
	{ uplink_main, "add b1 to 192.0.2.1,,192.0.2.2", "1 to 255 bytes" },
	{ uplink_main, "add b1 to a..b", "host \"a..b\"" },
	{ uplink_main, "add b1 to 1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1",
	  "more than 8 hosts" },
	{ uplink_main, "add b1 version 3", "ambiguous: 31 311" },
	{ uplink_main, "add b1 keepalive 65536", "from 0 to 65535" },
	{ uplink_main, "add b1 will-qos 3", "from 0 to 2" },
	{ uplink_main, "add b1 receive-maximum 0", "from 1 to 65535" },
	{ uplink_main, "add b1 password-file /does/not/exist", "No such file" },
	{ uplink_main, "add b1 password secret", "secret: No such file" },
	{ uplink_main, "set b1", "nothing to be set" },
	{ uplink_main, "del b1 b2", "one word too many" },
	{ uplink_main, "attach b1", "\"fd N\" is needed" },
	{ uplink_main, "attach b1 fd x", "not a number" },
	{ uplink_main, "topic add b1", "FILTER is missing" },
	{ uplink_main, "topic add b1 s/#", "in, out, both or demand" },
	{ uplink_main, "topic add b1 s/# up", "unknown direction" },
	{ uplink_main, "topic add b1 s/# in qos 3", "from 0 to 2" },
	{ listener_main, "add", "[ADDR:]PORT is missing" },
	{ listener_main, "add 65536", "from 0 to 65535" },
	{ listener_main, "add ''", "not a number" },
	{ listener_main, "add 127.0.0.1", "\":PORT\" is missing" },
	{ listener_main, "add ::1", "\":PORT\" is missing" },
	{ listener_main, "add [::1]", "\":PORT\" is missing" },
	{ listener_main, "add 127.0.0.1:x", "not a number" },
	{ listener_main, "add :1883", "1 to 255 bytes" },
	{ listener_main, "add a..b:1", "host \"a..b\"" },
	{ listener_main, "add 1883 protocols", "needs a value" },
	{ listener_main, "add 1883 protocols 2", "must be 3, 4 and 5" },
	{ listener_main, "add 1883 protocols 3,", "must be 3, 4 and 5" },
	{ listener_main, "add 1883 protocols 31", "must be 3, 4 and 5" },
	{ listener_main, "add 1883 protocols ''", "must be 3, 4 and 5" },
	{ listener_main, "add 1883 max-qos 3", "from 0 to 2" },
	{ listener_main, "add 1883 anonymous on allow_anonymous on", "exclude each other" },
	{ listener_main, "add 1883 max", "ambiguous: max-connections max-qos" },
	{ listener_main, "add none name ''", "must not be empty" },
	{ listener_main, "set", "LISTENER is missing" },
	{ listener_main, "set l1", "nothing to be set" },
	{ listener_main, "set l1 name l2", "unknown keyword" },
	{ listener_main, "set l1 v6only on", "unknown keyword" },
	{ listener_main, "del l1 l2", "one word too many" },
	{ listener_main, "attach l1", "\"fd N\" is needed" },
	{ session_main, "kill", "CLIENT-ID is missing" },
	{ session_main, "kill c1 reason 127", "from 128 to 255" },
	{ session_main, "show a b", "one word too many" },
	{ session_main, "show number 0", "from 1 to" },
	{ session_main, "kill number 7x", "not a number" },
	{ subscription_main, "add", "unknown command" },
	{ retained_main, "clear a b", "one word too many" },
	{ acl_main, "add allow read", "FILTER" },
	{ acl_main, "add maybe read x", "unknown action" },
	{ acl_main, "add allow r x", "ambiguous: read readwrite" },
	{ acl_main, "add allow read x uid no-such-user", "no user" },
	{ acl_main, "add allow read x gid no-such-group", "no group" },
	{ acl_main, "add allow read x uid 1 gid 1", "exclude each other" },
	{ acl_main, "add allow read x remote user u", "exclude each other" },
	{ acl_main, "add allow read x substitute some", "unknown substitute" },
	{ acl_main, "load", "FILE is missing" },
	{ acl_main, "load /does/not/exist", "No such file" },
	{ uplink_main, "add b1 up down", "exclude each other" },
	{ acl_main, "del", "ID is missing" },
	{ acl_main, "del 0", "from 1 to" },
	{ passwd_main, "add", "USER is missing" },
	{ passwd_main, "add joe password a password b", "two passwords" },
	{ passwd_main, "add joe password a iterations 0", "from 1 to 1000000" },
	{ passwd_main, "add joe password a iterations 1000001", "from 1 to 1000000" },
	{ passwd_main, "add joe password-file /does/not/exist", "No such file" },
	{ passwd_main, "add joe pass x", "ambiguous: password password-file" },
	{ passwd_main, "del", "USER is missing" },
	{ passwd_main, "del joe iterations 1", "does not belong here" },
	{ passwd_main, "load", "FILE is missing" },
	{ passwd_main, "load /does/not/exist", "No such file" },
	{ passwd_main, "flush x", "one word too many" },
	{ passwd_main, "hash x password y", "does not belong here" },
	{ monitor_main, "a#", "not a topic filter" },
	{ monitor_main, "a event foo", "unknown event" },
	{ monitor_main, "a b", "unknown keyword" },
	{ stats_main, "show x", "one word too many" },
	{ top_main, "-x", "unknown option" },
	{ top_main, "-d 0", "0.01 to" },
	{ top_main, "-n 0", "from 1 to" },
	{ top_main, "-n", "needs a value" },
	{ bench_main, "", "HOST[:PORT] is missing" },
	{ bench_main, "127.0.0.1:0", "from 1 to 65535" },
	{ bench_main, "127.0.0.1 fast", "unknown mode \"fast\"" },
	{ bench_main, "127.0.0.1 r", "ambiguous: round-trip retained" },
	{ bench_main, "127.0.0.1 flow fast 1", "unknown setting \"fast\"" },
	{ bench_main, "127.0.0.1 flow p 1", "ambiguous: publishers pairs password-file pid" },
	{ bench_main, "127.0.0.1 publishers", "needs a value" },
	{ bench_main, "127.0.0.1 publishers 0", "from 1 to" },
	{ bench_main, "127.0.0.1 qos 3", "from 0 to 2" },
	{ bench_main, "127.0.0.1 size 15", "from 16 to" },
	{ bench_main, "127.0.0.1 version 31", "not 311 or 5" },
	{ bench_main, "127.0.0.1 seconds 0", "not a number up to" },
	{ bench_main, "127.0.0.1 seconds 1s", "not a number up to" },
	{ bench_main, "127.0.0.1 shared maybe", "must be on or off" },
	{ bench_main, "127.0.0.1 pairs 2 shared on", "share nothing" },
	{ bench_main, "127.0.0.1 round-trip subscribers 2", "one publisher to one" },
	{ bench_main, "127.0.0.1 retained publishers 2", "one publisher" },
	{ bench_main, "127.0.0.1 topic 123456789012345678901234567890123", "too long" },
};

/* Each object explains itself, on standard output, without the kernel. */
static void test_help(void)
{
	static int (*const mains[])(struct args *args) = {
		switch_show_main, switch_set_main, listener_main, uplink_main,
		session_main, subscription_main, retained_main, acl_main,
		passwd_main, monitor_main, stats_main, top_main, bench_main,
	};
	const struct run *r;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(mains); i++) {
		r = run(mains[i], "help");
		ok(r->status == STATUS_OK && !r->requests &&
		   !strncmp(r->out, "Usage: kmqtt ", 13), "help %zu", i);
		r = run(mains[i], "he");
		/* where another word may stand it is that */
		ok(mains[i] == monitor_main || mains[i] == bench_main ||
		   !strncmp(r->out, "Usage:", 6), "shortened help %zu", i);
	}
	r = run(uplink_main, "topic help");
	ok(strstr(r->out, "kmqtt uplink topic"), "help of uplink topic");
}

/* A server's nest: address family, last byte of the address, port, host. */
static bool is_server(const struct nlattr *nest, bool v6, uint8_t last,
		      uint16_t port, const char *host)
{
	const struct nlattr *tb[NL_ATTR_MAX];
	const struct nlattr *address;
	const uint8_t *bytes;

	if (!nest || mnl_attr_get_type(nest) != KMQTT_A_UPLINK_SERVER)
		return false;
	nl_parse_nested(nest, tb);
	address = tb[v6 ? KMQTT_A_SERVER_IPV6 : KMQTT_A_SERVER_IPV4];
	if (!address || tb[v6 ? KMQTT_A_SERVER_IPV4 : KMQTT_A_SERVER_IPV6] ||
	    mnl_attr_get_payload_len(address) != (v6 ? 16 : 4))
		return false;
	bytes = mnl_attr_get_payload(address);
	return bytes[v6 ? 15 : 3] == last &&
	       ntohs(nl_uint(tb[KMQTT_A_SERVER_PORT])) == port &&
	       !strcmp(mnl_attr_get_str(tb[KMQTT_A_SERVER_HOST]), host);
}

static void test_servers(void)
{
	const struct run *r;

	r = run(uplink_main, "add b1 to 192.0.2.7,[2001:db8::9]:1884,2001:db8::8");
	ok(r->status == STATUS_OK, "servers: taken");
	ok(is_server(request_attr(r, 1), false, 7, 1883, "192.0.2.7"),
	   "servers: IPv4 with the default port");
	ok(is_server(request_attr(r, 2), true, 9, 1884, "2001:db8::9"),
	   "servers: IPv6 with a port");
	ok(is_server(request_attr(r, 3), true, 8, 1883, "2001:db8::8"),
	   "servers: bare IPv6");
	ok(requested(r) == 5, "servers: no more than these");
	r = run(uplink_main, "add b1 to localhost:1");
	ok(r->status == STATUS_OK && requested(r) >= 3,
	   "servers: a name is resolved");
}

/* A port alone is any address, of both families where there are both. */
static void test_listen(void)
{
	static const char *const lines[] = { "add 1883", "add *:1883", "del 1883" };
	static const uint8_t any[16];
	const struct nlattr *attr;
	const struct run *r;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(lines); i++) {
		r = run(listener_main, lines[i]);
		attr = request_attr(r, 0);
		ok(r->status == STATUS_OK && requested(r) == 2 &&
		   mnl_attr_get_type(attr) == (mnl_attr_get_payload_len(attr) == 16 ?
					       KMQTT_A_LISTENER_IPV6 :
					       KMQTT_A_LISTENER_IPV4) &&
		   !memcmp(mnl_attr_get_payload(attr), any, mnl_attr_get_payload_len(attr)) &&
		   ntohs(nl_uint(request_attr(r, 1))) == 1883, "listen: %s", lines[i]);
	}
	r = run(listener_main, "add localhost:7");
	ok(r->status == STATUS_OK && requested(r) == 2 &&
	   ntohs(nl_uint(request_attr(r, 1))) == 7, "listen: a name is resolved");
	r = run(listener_main, "add [fe80::1%1]:7");
	ok(r->status == STATUS_OK && requested(r) == 3 &&
	   mnl_attr_get_type(request_attr(r, 1)) == KMQTT_A_LISTENER_SCOPE_ID &&
	   nl_uint(request_attr(r, 1)) == 1, "listen: link-local");
}

/* The newline at the end of a password's file is not part of it. */
static void test_password(void)
{
	static const char password[] = "pa\0ss word";
	char path[] = "/tmp/kmqtt-test-XXXXXX", line[128];
	const struct nlattr *attr;
	const struct run *r;
	int fd = mkstemp(path);

	ok(write(fd, password, sizeof(password) - 1) > 0 &&
	   write(fd, "\n", 1) == 1, "password: file");
	snprintf(line, sizeof(line), "set b1 password-file %s", path);
	r = run(uplink_main, line);
	attr = request_attr(r, 1);
	ok(attr && mnl_attr_get_type(attr) == KMQTT_A_UPLINK_PASSWORD &&
	   mnl_attr_get_payload_len(attr) == sizeof(password) - 1 &&
	   !memcmp(mnl_attr_get_payload(attr), password, sizeof(password) - 1),
	   "password: from a file, without its last newline");
	ok(!ftruncate(fd, KMQTT_CREDENTIAL_LEN + 1), "password: long file");
	r = run(uplink_main, line);
	ok(r->status == STATUS_USAGE && strstr(r->err, "more than 16384 bytes"),
	   "password: too long");
	close(fd);
	unlink(path);
}

/* A name that needs more bytes than an attribute of it may have. */
static void test_lengths(void)
{
	char line[400];
	const struct run *r;

	memset(line, 'x', sizeof(line));
	memcpy(line, "set b1 client-id ", 17);
	line[17 + KMQTT_NAME_LEN] = 0;
	r = run(uplink_main, line);
	ok(r->status == STATUS_OK, "client-id of 256 bytes");
	line[17 + KMQTT_NAME_LEN] = 'x';
	line[18 + KMQTT_NAME_LEN] = 0;
	r = run(uplink_main, line);
	ok(r->status == STATUS_USAGE && strstr(r->err, "longer than 256 bytes"),
	   "client-id of 257 bytes");
}

void test_args(void)
{
	const struct run *r;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(good); i++) {
		r = run(good[i].main, good[i].line);
		if (!ok(is_good(r, &good[i]), "%zu: %s", i, good[i].line))
			diag("status %d: %s", r->status, r->err);
	}
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		r = run(bad[i].main, bad[i].line);
		if (!ok(r->status == STATUS_USAGE && !r->requests && !*r->out &&
			strstr(r->err, bad[i].says), "refused: %s", bad[i].line))
			diag("status %d: %s", r->status, r->err);
	}
	test_help();
	test_servers();
	test_listen();
	test_password();
	test_lengths();
}

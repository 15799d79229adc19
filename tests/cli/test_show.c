// SPDX-License-Identifier: GPL-2.0
/* Attributes become text and JSON. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/kmqtt_netlink.h>
#include <stdio.h>
#include <string.h>

#include "harness.h"
#include "nl.h"
#include "objects.h"
#include "out.h"
#include "tap.h"

/* What is expected, in parts; a single quote stands for a double one. */
#define IS(...)	((const char *const[]){ __VA_ARGS__, NULL })

static void join(const char *const *parts, char *out)
{
	const char *p;

	for (; *parts; parts++) {
		for (p = *parts; *p; p++)
			*out++ = *p == '\'' ? '"' : *p;
	}
	*out = 0;
}

/* The same answer shown as text, as text with -s and as JSON. */
static void check(void (*answer)(void), int (*main)(struct args *args),
		  const char *line, const char *const *text,
		  const char *const *more, const char *const *json)
{
	const char *const *const want[3] = { text, more, json };
	const struct run *r;
	char all[4096];
	int i;

	for (i = 0; i < 3; i++) {
		answer();
		out_options.stats = i == 1;
		out_options.json = i == 2;
		r = run(main, line);
		join(want[i], all);
		if (!ok(!strcmp(r->out, all) && r->status == STATUS_OK &&
			!*r->err, "show: %s, %d", line, i))
			diag("it is: %s%s", r->out, r->err);
	}
	out_options.stats = false;
	out_options.json = false;
}

static void answer_session(void)
{
	struct nlmsghdr *nlh = reply_begin(KMQTT_CMD_SESSION_GET);

	nl_put_str(nlh, KMQTT_A_SESSION_NAME, "c 1");
	nl_put_u64(nlh, KMQTT_A_SESSION_NUMBER, 7);
	nl_put_u32(nlh, KMQTT_A_SESSION_KIND, 3);
	nl_put_u8(nlh, KMQTT_A_SESSION_ATTACHED, 1);
	nl_put_u8(nlh, KMQTT_A_SESSION_ONLINE, 0);
	nl_put_str(nlh, KMQTT_A_SESSION_PEER, "127.0.0.1:9");
	nl_put_str(nlh, KMQTT_A_SESSION_LISTENER, "l1");
	nl_put_u8(nlh, KMQTT_A_SESSION_VERSION, 4);
	nl_put_u16(nlh, KMQTT_A_SESSION_KEEPALIVE, 60);
	nl_put_u64(nlh, KMQTT_A_SESSION_PACKETS_SENT, 8);
	nl_put_u32(nlh, KMQTT_A_SESSION_EXPIRY, UINT32_MAX);
	nl_put_u32(nlh, KMQTT_A_SESSION_POLICY, 9);
	nl_put_u32(nlh, KMQTT_A_SESSION_QUEUED_MESSAGES, 2);
	nl_put_u64(nlh, KMQTT_A_SESSION_DROPPED_MESSAGES, 0);
	nl_put_u32(nlh, KMQTT_A_SESSION_MAX_QUEUED_MESSAGES, 0);
	nlh = reply_begin(KMQTT_CMD_SESSION_GET);
	nl_put_str(nlh, KMQTT_A_SESSION_NAME, "c2");
	nl_put_u64(nlh, KMQTT_A_SESSION_DROPPED_MESSAGES, 5);
}

#define UTF8	"012345678901234567890123456789012345678901234567890123456789012"

static void answer_retained(void)
{
	/* content type "t", user property a=b, correlation data 0xff */
	static const char props[] = "\x03\0\1t\x26\0\1a\0\1b\x09\0\1\xff";
	struct nlmsghdr *nlh = reply_begin(KMQTT_CMD_RETAINED_GET);

	nl_put_str(nlh, KMQTT_A_RETAINED_TOPIC, "s/1");
	nl_put_u32(nlh, KMQTT_A_RETAINED_PAYLOAD_LEN, 70);
	nl_put(nlh, KMQTT_A_RETAINED_PAYLOAD,
	       "0123456789012345678901234567890123456789012345678901234567890123456789",
	       70);
	nl_put(nlh, KMQTT_A_RETAINED_PROPERTIES, props, sizeof(props) - 1);
	nl_put_u8(nlh, KMQTT_A_RETAINED_QOS, 1);
	nl_put_u64(nlh, KMQTT_A_RETAINED_TIME_NS, 1000000000000000001);
}

/* Byte 64 is the second half of a character. */
static void answer_retained_utf8(void)
{
	struct nlmsghdr *nlh = reply_begin(KMQTT_CMD_RETAINED_GET);

	nl_put_str(nlh, KMQTT_A_RETAINED_TOPIC, "s/2");
	nl_put(nlh, KMQTT_A_RETAINED_PAYLOAD, UTF8 "\u00e9more", sizeof(UTF8 "\u00e9more") - 1);
}

static void put_server(struct nlmsghdr *nlh, int type, uint8_t last,
		       const char *host)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, type);
	uint8_t address[4] = { 192, 0, 2, last };

	nl_put(nlh, KMQTT_A_SERVER_IPV4, address, sizeof(address));
	nl_put_u16(nlh, KMQTT_A_SERVER_PORT, htons(1883));
	nl_put_str(nlh, KMQTT_A_SERVER_HOST, host);
	mnl_attr_nest_end(nlh, nest);
}

static void answer_uplink(void)
{
	struct nlmsghdr *nlh;

	reply_to(KMQTT_CMD_UPLINK_GET);
	nlh = reply_begin(KMQTT_CMD_UPLINK_GET);
	nl_put_str(nlh, KMQTT_A_UPLINK_NAME, "b1");
	put_server(nlh, KMQTT_A_UPLINK_SERVER, 1, "broker");
	put_server(nlh, KMQTT_A_UPLINK_SERVER, 2, "192.0.2.2");
	nl_put_u32(nlh, KMQTT_A_UPLINK_STATE, 2);
	put_server(nlh, KMQTT_A_UPLINK_PEER, 1, "broker");
	nl_put_u32(nlh, KMQTT_A_UPLINK_ERROR, ECONNREFUSED);
	nl_put_u8(nlh, KMQTT_A_UPLINK_REASON, 0x87);
	nl_put_u8(nlh, KMQTT_A_UPLINK_VERSION, 4);
	nl_put_u16(nlh, KMQTT_A_UPLINK_KEEPALIVE, 60);
	nl_put_u8(nlh, KMQTT_A_UPLINK_HAS_PASSWORD, 1);
	nl_put_u64(nlh, KMQTT_A_UPLINK_ATTEMPTS, 3);
	reply_to(KMQTT_CMD_UPLINK_TOPIC_GET);
	nlh = reply_begin(KMQTT_CMD_UPLINK_TOPIC_GET);
	nl_put_str(nlh, KMQTT_A_UPLINK_TOPIC_UPLINK, "b1");
	nl_put_str(nlh, KMQTT_A_UPLINK_TOPIC_FILTER, "");
	nl_put_u32(nlh, KMQTT_A_UPLINK_TOPIC_DIRECTION, 3);
	nl_put_u8(nlh, KMQTT_A_UPLINK_TOPIC_QOS, 2);
	nl_put_str(nlh, KMQTT_A_UPLINK_TOPIC_LOCAL_PREFIX, "l/t");
	nl_put_str(nlh, KMQTT_A_UPLINK_TOPIC_REMOTE_PREFIX, "r/t");
}

static void answer_listener(void)
{
	static const uint8_t v4[4] = { 127, 0, 0, 1 };
	static const uint8_t v6[16] = { 0xfe, 0x80, [15] = 1 };
	struct nlmsghdr *nlh = reply_begin(KMQTT_CMD_LISTENER_GET);

	nl_put_str(nlh, KMQTT_A_LISTENER_NAME, "127.0.0.1:1883");
	nl_put(nlh, KMQTT_A_LISTENER_IPV4, v4, sizeof(v4));
	nl_put_u16(nlh, KMQTT_A_LISTENER_PORT, htons(1883));
	nl_put_u32(nlh, KMQTT_A_LISTENER_CONNECTIONS, 2);
	nl_put_u32(nlh, KMQTT_A_LISTENER_PROTOCOLS, 56);
	nl_put_u8(nlh, KMQTT_A_LISTENER_ANONYMOUS, 0);
	nl_put_u32(nlh, KMQTT_A_LISTENER_MAX_PACKET_SIZE, 0);
	nl_put_u64(nlh, KMQTT_A_LISTENER_DENIED, 3);
	nlh = reply_begin(KMQTT_CMD_LISTENER_GET);
	nl_put_str(nlh, KMQTT_A_LISTENER_NAME, "l2");
	nl_put(nlh, KMQTT_A_LISTENER_IPV6, v6, sizeof(v6));
	nl_put_u32(nlh, KMQTT_A_LISTENER_SCOPE_ID, 7);
	nl_put_u16(nlh, KMQTT_A_LISTENER_PORT, htons(1884));
	nl_put_u8(nlh, KMQTT_A_LISTENER_V6ONLY, 1);
	nl_put_str(nlh, KMQTT_A_LISTENER_MOUNT_POINT, "m/p");
	nlh = reply_begin(KMQTT_CMD_LISTENER_GET);
	nl_put_str(nlh, KMQTT_A_LISTENER_NAME, "l3");
}

static void answer_added(void)
{
	struct nlmsghdr *nlh = reply_begin(KMQTT_CMD_LISTENER_NEW);

	nl_put_str(nlh, KMQTT_A_LISTENER_NAME, "[::]:40000");
	nl_put_u16(nlh, KMQTT_A_LISTENER_PORT, htons(40000));
}

static void answer_acl(void)
{
	struct nlmsghdr *nlh = reply_begin(KMQTT_CMD_ACL_GET);

	nl_put_u32(nlh, KMQTT_A_ACL_ID, 3);
	nl_put_u8(nlh, KMQTT_A_ACL_ALLOW, 0);
	nl_put_u32(nlh, KMQTT_A_ACL_ACCESS, 3);
	nl_put_u32(nlh, KMQTT_A_ACL_WHO, 1);
	nl_put_u32(nlh, KMQTT_A_ACL_UID, 0);
	nl_put_str(nlh, KMQTT_A_ACL_FILTER, "a/#");
}

static void answer_event(void)
{
	struct nlmsghdr *nlh = reply_begin(KMQTT_CMD_EVENT);

	nl_put_u32(nlh, KMQTT_A_EVENT_CODE, 5);
	nl_put_str(nlh, KMQTT_A_EVENT_SESSION, "c1");
	nl_put_str(nlh, KMQTT_A_EVENT_TOPIC, "a/b");
	nlh = reply_begin(KMQTT_CMD_EVENT);
	nl_put_u32(nlh, KMQTT_A_EVENT_CODE, 10);
	nl_put_u8(nlh, KMQTT_A_EVENT_REASON, 0x8b);
	nl_put_str(nlh, KMQTT_A_EVENT_UPLINK, "b1");
	nl_put_str(nlh, KMQTT_A_EVENT_TEXT, "gone away");
	nlh = reply_begin(KMQTT_CMD_EVENT);
	nl_put_u32(nlh, KMQTT_A_EVENT_CODE, 16);
	nl_put_u8(nlh, KMQTT_A_EVENT_REASON, 0x87);
	nl_put_str(nlh, KMQTT_A_EVENT_PEER, "127.0.0.1:9");
	nl_put_str(nlh, KMQTT_A_EVENT_LISTENER, "l1");
	nl_put_u8(nlh, KMQTT_A_EVENT_VERSION, 5);
}

static void answer_stats(void)
{
	struct nlmsghdr *nlh = reply_begin(KMQTT_CMD_STATS_GET);

	nl_put_u64(nlh, KMQTT_A_STATS_MESSAGES_PUBLISHED, 1ull << 40);
	nl_put_u64(nlh, KMQTT_A_STATS_ECHOES_SUPPRESSED, 1);
}

static void answer_switch(void)
{
	struct nlmsghdr *nlh = reply_begin(KMQTT_CMD_SWITCH_GET);

	nl_put_u64(nlh, KMQTT_A_SWITCH_UPTIME, 61);
	nl_put_u32(nlh, KMQTT_A_SWITCH_MAX_QUEUED_MESSAGES, 1000);
	nl_put_u32(nlh, KMQTT_A_SWITCH_MAX_SESSIONS, 0);
	nl_put_u32(nlh, KMQTT_A_SWITCH_QUEUE_POLICY, 1);
	nl_put_u8(nlh, KMQTT_A_SWITCH_ACL_DEFAULT, 1);
}

static void answer_nothing(void)
{
}

#define EVENT_1	"subscribe session c1 topic a/b\n"
#define EVENT_2	"uplink-down uplink b1 reason 139 (server shutting down) text 'gone away'\n"
#define JSON_1	"{'event':'subscribe','session':'c1','topic':'a/b'}\n"
#define JSON_2	"{'event':'uplink-down','uplink':'b1','reason':139,", \
		"'reason_text':'server shutting down','text':'gone away'}\n"

#define EVENT_3	"client-refused peer 127.0.0.1:9 listener l1 version 5 reason 135 (not authorized)\n"
#define JSON_3	"{'event':'client-refused','peer':'127.0.0.1:9','listener':'l1',", \
		"'version':'5','reason':135,'reason_text':'not authorized'}\n"

static void test_events(void)
{
	check(answer_event, monitor_main, "", IS(EVENT_1, EVENT_2, EVENT_3),
	      IS(EVENT_1, EVENT_2, EVENT_3), IS(JSON_1, JSON_2, JSON_3));
	check(answer_event, monitor_main, "a/+", IS(EVENT_1), IS(EVENT_1),
	      IS(JSON_1));
	check(answer_event, monitor_main, "b/+", IS(""), IS(""), IS(""));
	check(answer_event, monitor_main, "hel", IS(""), IS(""), IS(""));
	check(answer_event, monitor_main, "event uplink-down", IS(EVENT_2),
	      IS(EVENT_2), IS(JSON_2));
	check(answer_event, monitor_main, "uplink b1", IS(EVENT_2), IS(EVENT_2),
	      IS(JSON_2));
	check(answer_event, monitor_main, "# session c1", IS(EVENT_1),
	      IS(EVENT_1), IS(JSON_1));
}

#define UPLINK	"b1: backoff last-error 111 (Connection refused) ",		\
		"last-reason 135 (not authorized) at broker:1883 (192.0.2.1)\n",	\
		"    to broker:1883 (192.0.2.1) 192.0.2.2:1883\n"
#define TOPIC	"    topic '' both qos 2 local l/t remote r/t\n"

static void test_uplink(void)
{
	check(answer_uplink, uplink_main, "",
	      IS(UPLINK, "    password-set keepalive 1m00s\n", TOPIC),
	      IS(UPLINK, "    version 311\n", "    password-set keepalive 1m00s\n",
		 "    attempts 3\n", TOPIC),
	      IS("[{'name':'b1','state':'backoff','error':111,",
		 "'error_text':'Connection refused','reason':135,",
		 "'reason_text':'not authorized','peer':{'host':'broker',",
		 "'address':'192.0.2.1','port':1883},'servers':[",
		 "{'host':'broker','address':'192.0.2.1','port':1883},",
		 "{'host':'192.0.2.2','address':'192.0.2.2','port':1883}],",
		 "'version':'311','has_password':true,'keepalive':60,",
		 "'attempts':3,'topics':[{'filter':'','direction':'both',",
		 "'qos':2,'local':'l/t','remote':'r/t'}]}]\n"));
}

#define LISTENER1	"127.0.0.1:1883: connections 2\n    protocols 3,4,5 anonymous off\n"
#define LISTENER2	"l2: [fe80::1%7]:1884 v6only\n    mount-point m/p\nl3: no-socket\n"
#define ADDED		"name [::]:40000 port 40000\n"

static void test_listener(void)
{
	check(answer_listener, listener_main, "", IS(LISTENER1, LISTENER2),
	      IS(LISTENER1, "    max-packet-size default\n    denied 3\n", LISTENER2),
	      IS("[{'name':'127.0.0.1:1883','address':'127.0.0.1','port':1883,",
		 "'connections':2,'protocols':[3,4,5],'anonymous':false,",
		 "'max_packet_size':0,'denied':3},",
		 "{'name':'l2','address':'fe80::1','port':1884,'scope_id':7,",
		 "'v6only':true,'mount_point':'m/p'},{'name':'l3'}]\n"));
	check(answer_added, listener_main, "add 0", IS(ADDED), IS(ADDED),
	      IS("{'name':'[::]:40000','port':40000}\n"));
}

#define SESSION		"'c 1' remote number 7 attached\n", \
			"    peer 127.0.0.1:9 listener l1 version 311 keepalive 1m00s\n", \
			"    expiry never policy 9\n    queued 2\n"
#define SESSION2	"c2\n    dropped 5\n"

static void test_sessions(void)
{
	check(answer_session, session_main, "", IS(SESSION, SESSION2),
	      IS(SESSION, "    max-queued default\n    sent packets 8\n", SESSION2),
	      IS("[{'name':'c 1','kind':'remote','number':7,'attached':true,",
		 "'online':false,'peer':'127.0.0.1:9','listener':'l1','version':'311',",
		 "'keepalive':60,'expiry':4294967295,'policy':9,'queued_messages':2,",
		 "'dropped_messages':0,'max_queued_messages':0,'packets_sent':8},",
		 "{'name':'c2','dropped_messages':5}]\n"));
	check(answer_nothing, session_main, "", IS(""), IS(""), IS("[]\n"));
}

#define SWITCH	"switch: up 1m01s\n    max_queued_messages 1000\n    max_sessions unlimited\n", \
		"    queue_policy drop-newest acl_default allow\n"
#define STATS	"messages_published 1099511627776\nechoes_suppressed 1\n"

static void test_switch(void)
{
	check(answer_switch, switch_show_main, "", IS(SWITCH), IS(SWITCH),
	      IS("{'uptime':61,'max_queued_messages':1000,'max_sessions':0,",
		 "'queue_policy':'drop-newest','acl_default':'allow'}\n"));
	check(answer_stats, stats_main, "", IS(STATS), IS(STATS),
	      IS("{'messages_published':1099511627776,'echoes_suppressed':1}\n"));
}

#define RETAINED	"s/1 qos 1 len 70 time 2001-09-09T01:46:40.000000001Z\n    payload "
#define DIGITS		"0123456789012345678901234567890123456789012345678901234567890123"
#define PROPERTIES	"    content-type t correlation-data '\\xff' user-property a b\n"

static void test_retained(void)
{
	check(answer_retained, retained_main, "",
	      IS(RETAINED, DIGITS, " ...\n", PROPERTIES),
	      IS(RETAINED, DIGITS, "456789\n", PROPERTIES),
	      IS("[{'topic':'s/1','qos':1,'payload_len':70,",
		 "'time':'2001-09-09T01:46:40.000000001Z','payload':'", DIGITS,
		 "456789','content_type':'t','correlation_data_base64':'/w==',",
		 "'user_properties':[['a','b']]}]\n"));
	check(answer_retained_utf8, retained_main, "",
	      IS("s/2\n    payload ", UTF8, " ...\n"),
	      IS("s/2\n    payload ", UTF8, "\u00e9more\n"),
	      IS("[{'topic':'s/2','payload':'", UTF8, "\u00e9more'}]\n"));
}

/* An answer with no more than what an uplink must have. */
static struct nlmsghdr *answer_named(uint8_t cmd)
{
	struct nlmsghdr *nlh;

	reply_to(cmd == KMQTT_CMD_EVENT ? 0 : cmd);
	nlh = reply_begin(cmd);
	if (cmd == KMQTT_CMD_UPLINK_GET)
		nl_put_str(nlh, KMQTT_A_UPLINK_NAME, "b1");
	return nlh;
}

/*
 * Each attribute that the kernel may send changes what is printed: none is
 * forgotten. A set of attributes, and those that only requests or padding have.
 */
static void test_complete(int (*main)(struct args *args), uint8_t cmd, int max,
			  const int *others, size_t count)
{
	char without[sizeof(((struct run *)NULL)->out)];
	const struct run *r;
	int attr;
	size_t i;

	answer_named(cmd);
	out_options.json = true;
	snprintf(without, sizeof(without), "%s", run(main, "")->out);
	for (attr = 1; attr <= max; attr++) {
		for (i = 0; i < count && others[i] != attr;)
			i++;
		if (i < count)
			continue;
		/* four bytes: a number, a string, or an empty nest */
		nl_put_u32(answer_named(cmd), attr, '1');
		r = run(main, "");
		ok(strcmp(r->out, without), "command %d shows attribute %d",
		   cmd, attr);
	}
	out_options.json = false;
}

#define COMPLETE(main, cmd, set, ...)					\
	test_complete(main, KMQTT_CMD_##cmd, KMQTT_A_##set##_MAX,	\
		      (const int[]){ __VA_ARGS__ },			\
		      sizeof((const int[]){ __VA_ARGS__ }) / sizeof(int))

static void test_all_complete(void)
{
	COMPLETE(switch_show_main, SWITCH_GET, SWITCH, KMQTT_A_SWITCH_PAD);
	COMPLETE(session_main, SESSION_GET, SESSION, KMQTT_A_SESSION_PAD,
		 KMQTT_A_SESSION_REASON);
	COMPLETE(subscription_main, SUBSCRIPTION_GET, SUBSCRIPTION,
		 KMQTT_A_SUBSCRIPTION_PAD);
	COMPLETE(retained_main, RETAINED_GET, RETAINED, KMQTT_A_RETAINED_PAD,
		 KMQTT_A_RETAINED_FILTER, KMQTT_A_RETAINED_CLEARED,
		 KMQTT_A_RETAINED_PROPERTIES);
	COMPLETE(acl_main, ACL_GET, ACL, KMQTT_A_ACL_BEFORE, KMQTT_A_ACL_RULE);
	COMPLETE(stats_main, STATS_GET, STATS, KMQTT_A_STATS_PAD);
	COMPLETE(monitor_main, EVENT, EVENT, KMQTT_A_EVENT_PAD);
	COMPLETE(listener_main, LISTENER_GET, LISTENER, KMQTT_A_LISTENER_PAD,
		 KMQTT_A_LISTENER_IPV6, KMQTT_A_LISTENER_FD,
		 KMQTT_A_LISTENER_EARLY_DATA);
	COMPLETE(uplink_main, UPLINK_GET, UPLINK, KMQTT_A_UPLINK_PAD,
		 KMQTT_A_UPLINK_NAME, KMQTT_A_UPLINK_PASSWORD,
		 KMQTT_A_UPLINK_FD, KMQTT_A_UPLINK_EARLY_DATA,
		 KMQTT_A_UPLINK_TOPICS);
}

void test_show(void)
{
	test_switch();
	test_sessions();
	test_retained();
	check(answer_acl, acl_main, "", IS("3: deny readwrite a/# uid 0\n"),
	      IS("3: deny readwrite a/# uid 0\n"),
	      IS("[{'id':3,'action':'deny','access':'readwrite','filter':'a/#',",
		 "'who':'uid','uid':0}]\n"));
	test_listener();
	test_uplink();
	test_events();
	test_all_complete();
}

// SPDX-License-Identifier: GPL-2.0
/* Netlink: uplinks are shown. */
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ktime.h>

#include "port/netlink.h"
#include "port/netlink_uplink.h"

/* an address with its name and heads */
#define KMQTT_NL_SERVER_SIZE	(KMQTT_HOST_LEN + 64)

/**
 * struct kmqtt_nl_uplink_ctx - where a dump goes on
 * @index:	uplinks that were shown
 */
struct kmqtt_nl_uplink_ctx {
	unsigned int index;
};

struct kmqtt_nl_uplink_walk {
	struct sk_buff *skb;
	struct netlink_callback *cb;
	struct genl_info *info;
	int err;
};

static size_t kmqtt_nl_strlen(const char *s)
{
	return s ? strlen(s) : 0;
}

/* upper bound of all that is of no fixed size */
static size_t kmqtt_nl_uplink_size(const struct kmqtt_uplink_view *v)
{
	const struct kmqtt_uplink_conf *c = v->conf;

	return KMQTT_UPLINK_NAME_MAX +
	       (c->server_count + 1) * KMQTT_NL_SERVER_SIZE +
	       kmqtt_nl_strlen(c->client_id) + kmqtt_nl_strlen(c->username) +
	       kmqtt_nl_strlen(c->will_topic) +
	       min_t(u32, c->will_len, KMQTT_NL_SHOW_MAX) +
	       kmqtt_nl_strlen(v->client_id) + kmqtt_nl_strlen(v->session);
}

static int kmqtt_nl_put_server(struct sk_buff *skb, int type,
			       const struct kmqtt_uplink_server *server)
{
	const struct sockaddr_in6 *in6 = (const void *)&server->addr;
	const struct sockaddr_in *in = (const void *)&server->addr;
	struct nlattr *nest = nla_nest_start(skb, type);
	int err;

	if (!nest)
		return -EMSGSIZE;
	if (server->addr.ss_family == AF_INET)
		err = nla_put_in_addr(skb, KMQTT_A_SERVER_IPV4, in->sin_addr.s_addr) ?:
		      nla_put_be16(skb, KMQTT_A_SERVER_PORT, in->sin_port);
	else
		err = nla_put_in6_addr(skb, KMQTT_A_SERVER_IPV6, &in6->sin6_addr) ?:
		      nla_put_u32(skb, KMQTT_A_SERVER_SCOPE_ID, in6->sin6_scope_id) ?:
		      nla_put_be16(skb, KMQTT_A_SERVER_PORT, in6->sin6_port);
	err = err ?: kmqtt_nl_put_str(skb, KMQTT_A_SERVER_HOST, server->host);
	if (!err)
		nla_nest_end(skb, nest);
	return err;
}

static int kmqtt_nl_put_will(struct sk_buff *skb, const struct kmqtt_uplink_conf *c)
{
	if (!c->will_topic)
		return 0;
	if (kmqtt_nl_put_str(skb, KMQTT_A_UPLINK_WILL_TOPIC, c->will_topic) ||
	    nla_put_u8(skb, KMQTT_A_UPLINK_WILL_QOS, c->will_qos) ||
	    nla_put_u8(skb, KMQTT_A_UPLINK_WILL_RETAIN, c->will_retain) ||
	    nla_put_u32(skb, KMQTT_A_UPLINK_WILL_DELAY, c->will_delay))
		return -EMSGSIZE;
	if (c->will_len > KMQTT_NL_SHOW_MAX)
		return 0;
	return nla_put(skb, KMQTT_A_UPLINK_WILL_PAYLOAD, c->will_len, c->will_payload);
}

static int kmqtt_nl_put_conf(struct sk_buff *skb, const struct kmqtt_uplink_conf *c)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < c->server_count && !err; i++)
		err = kmqtt_nl_put_server(skb, KMQTT_A_UPLINK_SERVER, &c->server[i]);
	if (err ||
	    nla_put_u8(skb, KMQTT_A_UPLINK_VERSION, c->version) ||
	    kmqtt_nl_put_str(skb, KMQTT_A_UPLINK_CLIENT_ID, c->client_id) ||
	    kmqtt_nl_put_str(skb, KMQTT_A_UPLINK_USERNAME, c->username) ||
	    nla_put_u8(skb, KMQTT_A_UPLINK_HAS_PASSWORD, !!c->password) ||
	    nla_put_u16(skb, KMQTT_A_UPLINK_KEEPALIVE, c->keepalive) ||
	    nla_put_u8(skb, KMQTT_A_UPLINK_CLEAN_START, c->clean) ||
	    nla_put_u32(skb, KMQTT_A_UPLINK_SESSION_EXPIRY, c->session_expiry) ||
	    nla_put_u16(skb, KMQTT_A_UPLINK_RECEIVE_MAXIMUM, c->receive_max) ||
	    nla_put_u32(skb, KMQTT_A_UPLINK_MAXIMUM_PACKET_SIZE, c->max_packet_size) ||
	    nla_put_u16(skb, KMQTT_A_UPLINK_TOPIC_ALIAS_MAXIMUM, c->topic_alias_max) ||
	    nla_put_u32(skb, KMQTT_A_UPLINK_MAX_INFLIGHT_MESSAGES, c->max_inflight) ||
	    nla_put_u32(skb, KMQTT_A_UPLINK_MAX_QUEUED_MESSAGES,
			c->max_queued_messages) ||
	    nla_put_u64_64bit(skb, KMQTT_A_UPLINK_MAX_QUEUED_BYTES,
			      c->max_queued_bytes, KMQTT_A_UPLINK_PAD) ||
	    nla_put_u32(skb, KMQTT_A_UPLINK_CONNECT_TIMEOUT, c->connect_timeout) ||
	    nla_put_u32(skb, KMQTT_A_UPLINK_BACKOFF_MIN, c->backoff_min) ||
	    nla_put_u32(skb, KMQTT_A_UPLINK_BACKOFF_MAX, c->backoff_max) ||
	    nla_put_u32(skb, KMQTT_A_UPLINK_STABLE, c->stable) ||
	    nla_put_u8(skb, KMQTT_A_UPLINK_TRY_PRIVATE, c->try_private) ||
	    nla_put_u32(skb, KMQTT_A_UPLINK_BATCH, c->batch))
		return -EMSGSIZE;
	if (c->policy && nla_put_u32(skb, KMQTT_A_UPLINK_POLICY, c->policy))
		return -EMSGSIZE;
	return kmqtt_nl_put_will(skb, c);
}

static int kmqtt_nl_put_connection(struct sk_buff *skb,
				   const struct kmqtt_uplink_view *v)
{
	if (nla_put_u8(skb, KMQTT_A_UPLINK_SESSION_PRESENT, v->session_present) ||
	    nla_put_u8(skb, KMQTT_A_UPLINK_ACTIVE_VERSION, v->version) ||
	    kmqtt_nl_put_str(skb, KMQTT_A_UPLINK_ACTIVE_CLIENT_ID, v->client_id) ||
	    nla_put_u16(skb, KMQTT_A_UPLINK_ACTIVE_KEEPALIVE, v->keepalive) ||
	    nla_put_u32(skb, KMQTT_A_UPLINK_ACTIVE_SESSION_EXPIRY,
			v->session_expiry) ||
	    nla_put_u8(skb, KMQTT_A_UPLINK_BRIDGE_BIT, v->bridge_bit) ||
	    nla_put_u16(skb, KMQTT_A_UPLINK_SERVER_RECEIVE_MAXIMUM, v->receive_max) ||
	    nla_put_u32(skb, KMQTT_A_UPLINK_SERVER_MAXIMUM_PACKET_SIZE,
			v->max_packet_size) ||
	    nla_put_u16(skb, KMQTT_A_UPLINK_SERVER_TOPIC_ALIAS_MAXIMUM,
			v->topic_alias_max) ||
	    nla_put_u8(skb, KMQTT_A_UPLINK_SERVER_MAXIMUM_QOS, v->max_qos) ||
	    nla_put_u8(skb, KMQTT_A_UPLINK_SERVER_RETAIN_AVAILABLE,
		       v->retain_available))
		return -EMSGSIZE;
	return 0;
}

static int kmqtt_nl_put_state(struct sk_buff *skb, const struct kmqtt_uplink_view *v)
{
	u64 age = ktime_get_boottime_seconds() - v->since;

	static_assert((int)KMQTT_LINK_STATE_DOWN == KMQTT_UPLINK_DOWN);
	static_assert((int)KMQTT_LINK_STATE_WAIT_FD == KMQTT_UPLINK_WAIT_FD);
	static_assert((int)KMQTT_LINK_STATE_UP == KMQTT_UPLINK_UP);
	static_assert((int)KMQTT_LINK_STATE_CLOSING == KMQTT_UPLINK_CLOSING);

	if (nla_put_u8(skb, KMQTT_A_UPLINK_ADMIN_UP, v->state != KMQTT_UPLINK_DOWN) ||
	    nla_put_u32(skb, KMQTT_A_UPLINK_STATE, v->state) ||
	    nla_put_u8(skb, KMQTT_A_UPLINK_HANDED_OVER, v->attached) ||
	    nla_put_u8(skb, KMQTT_A_UPLINK_TLS, v->tls) ||
	    nla_put_u8(skb, KMQTT_A_UPLINK_REASON, v->last_reason) ||
	    nla_put_u32(skb, KMQTT_A_UPLINK_ERROR, v->last_error) ||
	    nla_put_u64_64bit(skb, KMQTT_A_UPLINK_STATE_TIME, age,
			      KMQTT_A_UPLINK_PAD) ||
	    nla_put_u32(skb, KMQTT_A_UPLINK_QUEUED_MESSAGES, v->queued_messages) ||
	    nla_put_u32(skb, KMQTT_A_UPLINK_INFLIGHT_MESSAGES,
			v->inflight_messages) ||
	    nla_put_u32(skb, KMQTT_A_UPLINK_FILTERS, v->filters) ||
	    nla_put_u32(skb, KMQTT_A_UPLINK_TOPICS, v->topics))
		return -EMSGSIZE;
	if (v->session && *v->session &&
	    kmqtt_nl_put_str(skb, KMQTT_A_UPLINK_SESSION, v->session))
		return -EMSGSIZE;
	if (v->state == KMQTT_UPLINK_BACKOFF &&
	    nla_put_u32(skb, KMQTT_A_UPLINK_RETRY_IN, v->retry_ms))
		return -EMSGSIZE;
	if (!v->attached && v->server < v->conf->server_count &&
	    kmqtt_nl_put_server(skb, KMQTT_A_UPLINK_PEER,
				&v->conf->server[v->server]))
		return -EMSGSIZE;
	return v->state == KMQTT_UPLINK_UP ? kmqtt_nl_put_connection(skb, v) : 0;
}

static int kmqtt_nl_put_uplink_stats(struct sk_buff *skb,
				     const struct kmqtt_uplink_stats *stats)
{
	/* nothing but counters; the attributes are they, in their order */
	const u64 *value = (const u64 *)stats;
	unsigned int i;
	int err = 0;

	static_assert((KMQTT_A_UPLINK_MAX - KMQTT_A_UPLINK_ATTEMPTS + 1) *
		      sizeof(u64) == sizeof(*stats));
	static_assert((KMQTT_A_UPLINK_PUBLISHES_SENT - KMQTT_A_UPLINK_ATTEMPTS) *
		      sizeof(u64) == offsetof(struct kmqtt_uplink_stats, publishes_sent));
	static_assert((KMQTT_A_UPLINK_MALFORMED - KMQTT_A_UPLINK_ATTEMPTS) *
		      sizeof(u64) == offsetof(struct kmqtt_uplink_stats, malformed));

	for (i = 0; i < sizeof(*stats) / sizeof(u64) && !err; i++)
		err = nla_put_u64_64bit(skb, KMQTT_A_UPLINK_ATTEMPTS + i, value[i],
					KMQTT_A_UPLINK_PAD);
	return err;
}

static int kmqtt_nl_put_uplink(struct sk_buff *skb, const struct kmqtt_uplink_view *v)
{
	return kmqtt_nl_put_str(skb, KMQTT_A_UPLINK_NAME, v->name) ?:
	       kmqtt_nl_put_conf(skb, v->conf) ?:
	       kmqtt_nl_put_state(skb, v) ?:
	       kmqtt_nl_put_uplink_stats(skb, &v->stats);
}

static int kmqtt_nl_uplink_reply(void *arg, const struct kmqtt_uplink_view *v)
{
	struct kmqtt_nl_uplink_walk *walk = arg;
	struct sk_buff *msg;
	void *head;

	msg = kmqtt_nl_reply_new(walk->info, GENLMSG_DEFAULT_SIZE +
				 kmqtt_nl_uplink_size(v), &head);
	if (msg)
		walk->err = kmqtt_nl_reply_send(walk->info, msg, head,
						kmqtt_nl_put_uplink(msg, v));
	else
		walk->err = -ENOMEM;
	return 0;
}

int kmqtt_nl_uplink_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *name = info->attrs[KMQTT_A_UPLINK_NAME];
	struct kmqtt_nl_uplink_walk walk = { .info = info };
	int err;

	if (GENL_REQ_ATTR_CHECK(info, KMQTT_A_UPLINK_NAME))
		return kmqtt_nl_fail(info->extack, NULL, "which uplink?", -EINVAL);
	err = kmqtt_uplink_walk(kmqtt_nl_kn(info), nla_data(name), 0,
				kmqtt_nl_uplink_reply, &walk);
	if (err < 0)
		return kmqtt_nl_uplink_fail(info, name, NULL, err);
	return walk.err;
}

static int kmqtt_nl_dump_uplink(void *arg, const struct kmqtt_uplink_view *v)
{
	struct kmqtt_nl_uplink_walk *walk = arg;
	void *head;

	head = kmqtt_nl_dump_begin(walk->skb, walk->cb, kmqtt_nl_uplink_size(v));
	if (!head)
		return 1;
	walk->err = kmqtt_nl_dump_end(walk->skb, walk->cb, head,
				      kmqtt_nl_put_uplink(walk->skb, v));
	return walk->err;
}

int kmqtt_nl_uplink_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct kmqtt_nl_uplink_walk walk = { .skb = skb, .cb = cb };
	struct kmqtt_nl_uplink_ctx *ctx = (void *)cb->ctx;
	int ret = kmqtt_nl_no_attrs(cb->nlh, cb->extack);

	if (ret)
		return ret;
	cb->seq = kmqtt_uplink_generation(kmqtt_nl_dump_kn(cb));
	ret = kmqtt_uplink_walk(kmqtt_nl_dump_kn(cb), NULL, ctx->index,
				kmqtt_nl_dump_uplink, &walk);
	/* what changed before the walk began has changed between this part and the last one */
	cb->seq = kmqtt_uplink_generation(kmqtt_nl_dump_kn(cb));
	if (ret < 0)
		return skb->len ?: ret;
	ctx->index = ret;
	return skb->len ?: walk.err;
}

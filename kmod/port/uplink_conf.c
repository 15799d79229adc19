// SPDX-License-Identifier: GPL-2.0
/* Settings of an uplink: defaults, checks, copies. */
#include <linux/ctype.h>
#include <linux/err.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <net/ipv6.h>

#include "compat.h"
#include "port/uplink_priv.h"
#include "proto/utf8.h"

#define KMQTT_BINARY_MAX	65535

static const struct kmqtt_uplink_conf kmqtt_upconf_defaults = {
	.version = KMQTT_V5,
	.keepalive = 60,
	.session_expiry = 86400,
	.receive_max = 1000,
	.topic_alias_max = 10,
	.connect_timeout = 10,
	.backoff_min = 1,
	.backoff_max = 60,
	.stable = 10,
	.try_private = true,
	.batch = 8,
};

bool kmqtt_upname_valid(const char *name)
{
	size_t len = strlen(name);

	if (!len || len > KMQTT_UPLINK_NAME_MAX)
		return false;
	for (; *name; name++)
		if (!isascii(*name) || (!isalnum(*name) && !strchr("._-", *name)))
			return false;
	return true;
}

static void kmqtt_upconf_take(struct kmqtt_uplink_conf *to,
			      const struct kmqtt_uplink_conf *conf)
{
	if (conf->fields & KMQTT_UPLINK_SERVER) {
		memcpy(to->server, conf->server, sizeof(to->server));
		to->server_count = conf->server_count;
	}
	if (conf->fields & KMQTT_UPLINK_VERSION)
		to->version = conf->version;
	if (conf->fields & KMQTT_UPLINK_CLIENT_ID)
		to->client_id = conf->client_id;
	if (conf->fields & KMQTT_UPLINK_USERNAME)
		to->username = conf->username;
	if (conf->fields & KMQTT_UPLINK_PASSWORD) {
		to->password = conf->password;
		to->password_len = conf->password_len;
	}
	if (conf->fields & KMQTT_UPLINK_KEEPALIVE)
		to->keepalive = conf->keepalive;
	if (conf->fields & KMQTT_UPLINK_CLEAN)
		to->clean = conf->clean;
	if (conf->fields & KMQTT_UPLINK_SESSION_EXPIRY)
		to->session_expiry = conf->session_expiry;
	if (conf->fields & KMQTT_UPLINK_RECEIVE_MAX)
		to->receive_max = conf->receive_max;
	if (conf->fields & KMQTT_UPLINK_MAX_PACKET_SIZE)
		to->max_packet_size = conf->max_packet_size;
	if (conf->fields & KMQTT_UPLINK_TOPIC_ALIAS_MAX)
		to->topic_alias_max = conf->topic_alias_max;
	if (conf->fields & KMQTT_UPLINK_MAX_INFLIGHT)
		to->max_inflight = conf->max_inflight;
	if (conf->fields & KMQTT_UPLINK_MAX_QUEUED_MESSAGES)
		to->max_queued_messages = conf->max_queued_messages;
	if (conf->fields & KMQTT_UPLINK_MAX_QUEUED_BYTES)
		to->max_queued_bytes = conf->max_queued_bytes;
	if (conf->fields & KMQTT_UPLINK_POLICY)
		to->policy = conf->policy;
	if (conf->fields & KMQTT_UPLINK_CONNECT_TIMEOUT)
		to->connect_timeout = conf->connect_timeout;
	if (conf->fields & KMQTT_UPLINK_BACKOFF_MIN)
		to->backoff_min = conf->backoff_min;
	if (conf->fields & KMQTT_UPLINK_BACKOFF_MAX)
		to->backoff_max = conf->backoff_max;
	if (conf->fields & KMQTT_UPLINK_STABLE)
		to->stable = conf->stable;
	if (conf->fields & KMQTT_UPLINK_TRY_PRIVATE)
		to->try_private = conf->try_private;
	if (conf->fields & KMQTT_UPLINK_BATCH)
		to->batch = conf->batch;
	if (conf->fields & KMQTT_UPLINK_WILL) {
		to->will_topic = conf->will_topic;
		to->will_payload = conf->will_payload;
		to->will_len = conf->will_len;
		to->will_delay = conf->will_delay;
		to->will_qos = conf->will_qos;
		to->will_retain = conf->will_retain;
	}
	to->fields |= conf->fields;
}

/* Return: what is wrong, or NULL */
static const char *kmqtt_upconf_check_servers(const struct kmqtt_uplink_conf *c)
{
	unsigned int i;

	if (c->server_count > KMQTT_UPLINK_SERVERS)
		return "too many servers";
	for (i = 0; i < c->server_count; i++) {
		const struct sockaddr_storage *ss = &c->server[i].addr;
		const struct sockaddr_in *in = (const void *)ss;
		const struct sockaddr_in6 *in6 = (const void *)ss;

		if (ss->ss_family == AF_INET) {
			if (!in->sin_addr.s_addr || ipv4_is_multicast(in->sin_addr.s_addr))
				return "not the address of a server";
			if (!in->sin_port)
				return "a server has no port";
		} else if (ss->ss_family == AF_INET6) {
			if (ipv6_addr_any(&in6->sin6_addr) ||
			    ipv6_addr_is_multicast(&in6->sin6_addr))
				return "not the address of a server";
			if (!in6->sin6_port)
				return "a server has no port";
		} else {
			return "a server's address must be IPv4 or IPv6";
		}
	}
	return NULL;
}

static bool kmqtt_upconf_string_ok(const char *s, size_t max)
{
	size_t len = s ? strlen(s) : 0;

	return len <= max && kmqtt_utf8_valid((const u8 *)s, len);
}

static const char *kmqtt_upconf_check_texts(const struct kmqtt_uplink_conf *c)
{
	if (!kmqtt_upconf_string_ok(c->client_id, KMQTT_NAME_MAX))
		return "client id is not UTF-8 of at most 256 bytes";
	if (!kmqtt_upconf_string_ok(c->username, KMQTT_STRING_MAX))
		return "user name is not UTF-8 of at most 65535 bytes";
	if (c->password && !c->username && c->version != KMQTT_V5)
		return "a password needs a user name before MQTT 5.0";
	if (c->will_topic &&
	    !kmqtt_topic_name_valid((const u8 *)c->will_topic, strlen(c->will_topic)))
		return "will topic is not a valid topic name";
	return NULL;
}

/* What the policy of the netlink interface cannot say: it knows the range of each number. */
static const char *kmqtt_upconf_check(const struct kmqtt_uplink_conf *c)
{
	const char *why = kmqtt_upconf_check_servers(c);

	if (!why)
		why = kmqtt_upconf_check_texts(c);
	if (why)
		return why;
	if (c->max_packet_size && c->max_packet_size < 20)
		return "maximum packet size must be 20 to 268435460";
	if (c->backoff_max < c->backoff_min)
		return "backoff must be 1 to 3600 seconds, its maximum at least its minimum";
	return NULL;
}

/* All texts lie behind the struct. Return: where the next one may go */
static u8 *kmqtt_upconf_put(u8 *p, const void *from, size_t len, const void **to)
{
	if (!from)
		return p;
	memcpy(p, from, len);
	p[len] = 0;
	*to = p;
	return p + len + 1;
}

static size_t kmqtt_upconf_len(const char *s)
{
	return s ? strlen(s) + 1 : 0;
}

static u8 *kmqtt_upconf_put_str(u8 *p, const char *from, const char **to)
{
	return kmqtt_upconf_put(p, from, from ? strlen(from) : 0, (const void **)to);
}

static size_t kmqtt_upconf_texts(const struct kmqtt_uplink_conf *c)
{
	size_t size = kmqtt_upconf_len(c->client_id) + kmqtt_upconf_len(c->username) +
		      kmqtt_upconf_len(c->will_topic);
	unsigned int i;

	if (c->password)
		size += c->password_len + 1;
	if (c->will_payload)
		size += c->will_len + 1;
	for (i = 0; i < c->server_count; i++)
		size += kmqtt_upconf_len(c->server[i].host);
	return size;
}

static struct kmqtt_uplink_conf *kmqtt_upconf_dup(const struct kmqtt_uplink_conf *c)
{
	struct kmqtt_uplink_conf *to;
	unsigned int i;
	u8 *p;

	to = kvmalloc(size_add(sizeof(*to), kmqtt_upconf_texts(c)), GFP_KERNEL_ACCOUNT);
	if (!to)
		return NULL;
	*to = *c;
	p = (u8 *)(to + 1);
	p = kmqtt_upconf_put_str(p, c->client_id, &to->client_id);
	p = kmqtt_upconf_put_str(p, c->username, &to->username);
	p = kmqtt_upconf_put_str(p, c->will_topic, &to->will_topic);
	p = kmqtt_upconf_put(p, c->password, c->password_len,
			     (const void **)&to->password);
	p = kmqtt_upconf_put(p, c->will_payload, c->will_len,
			     (const void **)&to->will_payload);
	for (i = 0; i < c->server_count; i++)
		p = kmqtt_upconf_put_str(p, c->server[i].host, &to->server[i].host);
	return to;
}

struct kmqtt_uplink_conf *kmqtt_upconf_merge(const struct kmqtt_uplink_conf *old,
					     const struct kmqtt_uplink_conf *conf,
					     const char **why)
{
	struct kmqtt_uplink_conf *all, *to;

	/* too large for the stack */
	all = kzalloc_obj(*all, GFP_KERNEL);
	if (!all)
		return ERR_PTR(-ENOMEM);
	*all = old ? *old : kmqtt_upconf_defaults;
	kmqtt_upconf_take(all, conf);
	if (!all->password)
		all->password_len = 0;
	if (!all->will_payload)
		all->will_len = 0;
	*why = kmqtt_upconf_check(all);
	if (*why)
		to = ERR_PTR(-EINVAL);
	else
		to = kmqtt_upconf_dup(all) ?: ERR_PTR(-ENOMEM);
	kfree(all);
	return to;
}

void kmqtt_upconf_free(struct kmqtt_uplink_conf *conf)
{
	if (conf)
		kvfree_sensitive(conf, sizeof(*conf) + kmqtt_upconf_texts(conf));
}

// SPDX-License-Identifier: GPL-2.0
/* Netlink: uplinks are made, changed and forgotten. */
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/slab.h>

#include "port/netlink.h"
#include "port/netlink_uplink.h"

int kmqtt_nl_uplink_fail(struct genl_info *info, const struct nlattr *name,
			 const char *why, int err)
{
	if (err == -ENOENT)
		why = "no such uplink";
	else if (err != -EEXIST)
		name = NULL;
	return kmqtt_nl_fail(info->extack, name, why, err);
}

/* Return: 0, or -EINVAL and then it is said why */
static int kmqtt_nl_get_server(struct genl_info *info, struct nlattr *attr,
			       struct kmqtt_uplink_server *server)
{
	struct nlattr *tb[KMQTT_A_SERVER_MAX + 1], *v4, *v6;
	struct sockaddr_in6 *in6 = (void *)&server->addr;
	struct sockaddr_in *in = (void *)&server->addr;
	int err;

	err = nla_parse_nested(tb, KMQTT_A_SERVER_MAX, attr,
			       kmqtt_server_nl_policy, info->extack);
	if (err)
		return err;
	v4 = tb[KMQTT_A_SERVER_IPV4];
	v6 = tb[KMQTT_A_SERVER_IPV6];
	if (!v4 == !v6)
		return kmqtt_nl_fail(info->extack, attr,
				     "a server has either an IPv4 or an IPv6 address",
				     -EINVAL);
	if (NL_REQ_ATTR_CHECK(info->extack, attr, tb, KMQTT_A_SERVER_PORT))
		return kmqtt_nl_fail(info->extack, attr, "a server needs a port",
				     -EINVAL);
	if (v4) {
		in->sin_family = AF_INET;
		in->sin_port = nla_get_be16(tb[KMQTT_A_SERVER_PORT]);
		in->sin_addr.s_addr = nla_get_be32(v4);
	} else {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = nla_get_be16(tb[KMQTT_A_SERVER_PORT]);
		in6->sin6_addr = nla_get_in6_addr(v6);
		if (tb[KMQTT_A_SERVER_SCOPE_ID])
			in6->sin6_scope_id = nla_get_u32(tb[KMQTT_A_SERVER_SCOPE_ID]);
	}
	if (tb[KMQTT_A_SERVER_HOST])
		server->host = nla_data(tb[KMQTT_A_SERVER_HOST]);
	return 0;
}

static int kmqtt_nl_get_servers(struct genl_info *info,
				struct kmqtt_uplink_conf *conf)
{
	struct nlattr *attr;
	int rem, err;

	if (!info->attrs[KMQTT_A_UPLINK_SERVER])
		return 0;
	conf->fields |= KMQTT_UPLINK_SERVER;
	nla_for_each_attr(attr, genlmsg_data(info->genlhdr),
			  genlmsg_len(info->genlhdr), rem) {
		if (nla_type(attr) != KMQTT_A_UPLINK_SERVER)
			continue;
		if (conf->server_count == KMQTT_UPLINK_SERVERS)
			return kmqtt_nl_fail(info->extack, attr, "too many servers",
					     -EINVAL);
		err = kmqtt_nl_get_server(info, attr,
					  &conf->server[conf->server_count++]);
		if (err)
			return err;
	}
	return 0;
}

/* Return: the string, NULL if it is absent or empty */
static const char *kmqtt_nl_get_name(const struct nlattr *attr)
{
	return attr && kmqtt_nl_str_len(attr) ? nla_data(attr) : NULL;
}

static int kmqtt_nl_get_will(struct genl_info *info, struct kmqtt_uplink_conf *conf)
{
	struct nlattr **attrs = info->attrs, *a;
	unsigned int type;

	BUILD_BUG_ON(KMQTT_A_UPLINK_WILL_DELAY - KMQTT_A_UPLINK_WILL_TOPIC != 4);

	for (type = KMQTT_A_UPLINK_WILL_TOPIC; type <= KMQTT_A_UPLINK_WILL_DELAY; type++)
		if (attrs[type])
			conf->fields |= KMQTT_UPLINK_WILL;
	if (!(conf->fields & KMQTT_UPLINK_WILL))
		return 0;
	if (GENL_REQ_ATTR_CHECK(info, KMQTT_A_UPLINK_WILL_TOPIC))
		return kmqtt_nl_fail(info->extack, NULL, "a will needs a topic", -EINVAL);
	conf->will_topic = kmqtt_nl_get_name(attrs[KMQTT_A_UPLINK_WILL_TOPIC]);
	a = attrs[KMQTT_A_UPLINK_WILL_PAYLOAD];
	if (a) {
		conf->will_payload = nla_data(a);
		conf->will_len = nla_len(a);
	}
	a = attrs[KMQTT_A_UPLINK_WILL_QOS];
	if (a)
		conf->will_qos = nla_get_u8(a);
	a = attrs[KMQTT_A_UPLINK_WILL_RETAIN];
	if (a)
		conf->will_retain = nla_get_u8(a);
	a = attrs[KMQTT_A_UPLINK_WILL_DELAY];
	if (a)
		conf->will_delay = nla_get_u32(a);
	return 0;
}

/* What a CONNECT says */
static void kmqtt_nl_get_connect(struct nlattr **attrs, struct kmqtt_uplink_conf *conf)
{
	const struct nlattr *a;

	a = attrs[KMQTT_A_UPLINK_VERSION];
	if (a) {
		conf->fields |= KMQTT_UPLINK_VERSION;
		conf->version = nla_get_u8(a);
	}
	a = attrs[KMQTT_A_UPLINK_KEEPALIVE];
	if (a) {
		conf->fields |= KMQTT_UPLINK_KEEPALIVE;
		conf->keepalive = nla_get_u16(a);
	}
	a = attrs[KMQTT_A_UPLINK_CLEAN_START];
	if (a) {
		conf->fields |= KMQTT_UPLINK_CLEAN;
		conf->clean = nla_get_u8(a);
	}
	a = attrs[KMQTT_A_UPLINK_SESSION_EXPIRY];
	if (a) {
		conf->fields |= KMQTT_UPLINK_SESSION_EXPIRY;
		conf->session_expiry = nla_get_u32(a);
	}
	a = attrs[KMQTT_A_UPLINK_RECEIVE_MAXIMUM];
	if (a) {
		conf->fields |= KMQTT_UPLINK_RECEIVE_MAX;
		conf->receive_max = nla_get_u16(a);
	}
	a = attrs[KMQTT_A_UPLINK_MAXIMUM_PACKET_SIZE];
	if (a) {
		conf->fields |= KMQTT_UPLINK_MAX_PACKET_SIZE;
		conf->max_packet_size = nla_get_u32(a);
	}
	a = attrs[KMQTT_A_UPLINK_TOPIC_ALIAS_MAXIMUM];
	if (a) {
		conf->fields |= KMQTT_UPLINK_TOPIC_ALIAS_MAX;
		conf->topic_alias_max = nla_get_u16(a);
	}
	a = attrs[KMQTT_A_UPLINK_TRY_PRIVATE];
	if (a) {
		conf->fields |= KMQTT_UPLINK_TRY_PRIVATE;
		conf->try_private = nla_get_u8(a);
	}
}

/* When and how to connect and subscribe */
static void kmqtt_nl_get_times(struct nlattr **attrs, struct kmqtt_uplink_conf *conf)
{
	const struct nlattr *a;

	a = attrs[KMQTT_A_UPLINK_CONNECT_TIMEOUT];
	if (a) {
		conf->fields |= KMQTT_UPLINK_CONNECT_TIMEOUT;
		conf->connect_timeout = nla_get_u32(a);
	}
	a = attrs[KMQTT_A_UPLINK_BACKOFF_MIN];
	if (a) {
		conf->fields |= KMQTT_UPLINK_BACKOFF_MIN;
		conf->backoff_min = nla_get_u32(a);
	}
	a = attrs[KMQTT_A_UPLINK_BACKOFF_MAX];
	if (a) {
		conf->fields |= KMQTT_UPLINK_BACKOFF_MAX;
		conf->backoff_max = nla_get_u32(a);
	}
	a = attrs[KMQTT_A_UPLINK_STABLE];
	if (a) {
		conf->fields |= KMQTT_UPLINK_STABLE;
		conf->stable = nla_get_u32(a);
	}
	a = attrs[KMQTT_A_UPLINK_BATCH];
	if (a) {
		conf->fields |= KMQTT_UPLINK_BATCH;
		conf->batch = nla_get_u32(a);
	}
}

/* What waits for the server */
static void kmqtt_nl_get_queue(struct nlattr **attrs, struct kmqtt_uplink_conf *conf)
{
	const struct nlattr *a;

	a = attrs[KMQTT_A_UPLINK_MAX_INFLIGHT_MESSAGES];
	if (a) {
		conf->fields |= KMQTT_UPLINK_MAX_INFLIGHT;
		conf->max_inflight = nla_get_u32(a);
	}
	a = attrs[KMQTT_A_UPLINK_MAX_QUEUED_MESSAGES];
	if (a) {
		conf->fields |= KMQTT_UPLINK_MAX_QUEUED_MESSAGES;
		conf->max_queued_messages = nla_get_u32(a);
	}
	a = attrs[KMQTT_A_UPLINK_MAX_QUEUED_BYTES];
	if (a) {
		conf->fields |= KMQTT_UPLINK_MAX_QUEUED_BYTES;
		conf->max_queued_bytes = nla_get_u64(a);
	}
	a = attrs[KMQTT_A_UPLINK_POLICY];
	if (a) {
		conf->fields |= KMQTT_UPLINK_POLICY;
		conf->policy = nla_get_u32(a);
	}
}

/* Who we are */
static void kmqtt_nl_get_names(struct nlattr **attrs, struct kmqtt_uplink_conf *conf)
{
	const struct nlattr *password = attrs[KMQTT_A_UPLINK_PASSWORD];

	if (attrs[KMQTT_A_UPLINK_CLIENT_ID])
		conf->fields |= KMQTT_UPLINK_CLIENT_ID;
	conf->client_id = kmqtt_nl_get_name(attrs[KMQTT_A_UPLINK_CLIENT_ID]);
	if (attrs[KMQTT_A_UPLINK_USERNAME])
		conf->fields |= KMQTT_UPLINK_USERNAME;
	conf->username = kmqtt_nl_get_name(attrs[KMQTT_A_UPLINK_USERNAME]);
	if (password) {
		conf->fields |= KMQTT_UPLINK_PASSWORD;
		conf->password = nla_len(password) ? nla_data(password) : NULL;
		conf->password_len = nla_len(password);
	}
}

/* What the request names. Return: 0, or -errno and then it is said why */
static int kmqtt_nl_get_conf(struct genl_info *info, struct kmqtt_uplink_conf *conf)
{
	kmqtt_nl_get_names(info->attrs, conf);
	kmqtt_nl_get_connect(info->attrs, conf);
	kmqtt_nl_get_times(info->attrs, conf);
	kmqtt_nl_get_queue(info->attrs, conf);
	return kmqtt_nl_get_will(info, conf) ?: kmqtt_nl_get_servers(info, conf);
}

/* The socket and the state; what makes no sense together is refused before. */
static int kmqtt_nl_check_transport(struct genl_info *info)
{
	struct nlattr *fd = info->attrs[KMQTT_A_UPLINK_FD];
	struct nlattr *up = info->attrs[KMQTT_A_UPLINK_ADMIN_UP];
	struct nlattr *early = info->attrs[KMQTT_A_UPLINK_EARLY_DATA];

	if (early && !fd)
		return kmqtt_nl_fail(info->extack, early,
				     "early data belongs to a socket", -EINVAL);
	if (fd && up && !nla_get_u8(up))
		return kmqtt_nl_fail(info->extack, up,
				     "an uplink that gets a socket is up", -EINVAL);
	return 0;
}

static int kmqtt_nl_set_transport(struct genl_info *info, const char *name, bool up)
{
	struct nlattr *fd = info->attrs[KMQTT_A_UPLINK_FD];
	struct nlattr *early = info->attrs[KMQTT_A_UPLINK_EARLY_DATA];
	struct kmqtt_net *kn = kmqtt_nl_kn(info);
	const char *why = NULL;
	int err;

	if (!fd)
		return up ? kmqtt_uplink_up(kn, name) : kmqtt_uplink_down(kn, name);
	err = kmqtt_uplink_attach(kn, name, nla_get_u32(fd),
				  early ? nla_data(early) : NULL,
				  early ? nla_len(early) : 0, &why);
	return err ? kmqtt_nl_fail(info->extack, fd, why, err) : 0;
}

int kmqtt_nl_uplink_new_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *name = info->attrs[KMQTT_A_UPLINK_NAME];
	struct nlattr *up = info->attrs[KMQTT_A_UPLINK_ADMIN_UP];
	struct kmqtt_net *kn = kmqtt_nl_kn(info);
	struct kmqtt_uplink_conf *conf;
	const char *why = NULL;
	int err;

	if (GENL_REQ_ATTR_CHECK(info, KMQTT_A_UPLINK_NAME))
		return kmqtt_nl_fail(info->extack, NULL, "an uplink needs a name", -EINVAL);
	conf = kzalloc_obj(*conf, GFP_KERNEL);
	if (!conf)
		return -ENOMEM;
	err = kmqtt_nl_check_transport(info) ?: kmqtt_nl_get_conf(info, conf);
	if (err)
		goto out;
	err = kmqtt_uplink_add(kn, nla_data(name), conf, &why);
	if (err) {
		kmqtt_nl_uplink_fail(info, name, why, err);
		goto out;
	}
	if (!up || nla_get_u8(up)) {
		err = kmqtt_nl_set_transport(info, nla_data(name), true);
		if (err)	/* all or nothing */
			kmqtt_uplink_del(kn, nla_data(name));
	}
out:
	kfree(conf);
	return err;
}

int kmqtt_nl_uplink_set_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *name = info->attrs[KMQTT_A_UPLINK_NAME];
	struct nlattr *up = info->attrs[KMQTT_A_UPLINK_ADMIN_UP];
	struct nlattr *fd = info->attrs[KMQTT_A_UPLINK_FD];
	struct kmqtt_uplink_conf *conf;
	const char *why = NULL;
	int err;

	if (GENL_REQ_ATTR_CHECK(info, KMQTT_A_UPLINK_NAME))
		return kmqtt_nl_fail(info->extack, NULL, "which uplink?", -EINVAL);
	conf = kzalloc_obj(*conf, GFP_KERNEL);
	if (!conf)
		return -ENOMEM;
	err = kmqtt_nl_check_transport(info) ?: kmqtt_nl_get_conf(info, conf);
	if (err)
		goto out;
	if (fd && conf->fields) {
		err = kmqtt_nl_fail(info->extack, fd,
				    "a socket is handed over without other settings",
				    -EINVAL);
		goto out;
	}
	/* also without any setting: to know that the uplink is there */
	err = kmqtt_uplink_set(kmqtt_nl_kn(info), nla_data(name), conf, &why);
	if (err) {
		kmqtt_nl_uplink_fail(info, name, why, err);
		goto out;
	}
	if (fd || up)
		err = kmqtt_nl_set_transport(info, nla_data(name),
					     !up || nla_get_u8(up));
out:
	kfree(conf);
	return err;
}

int kmqtt_nl_uplink_del_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *name = info->attrs[KMQTT_A_UPLINK_NAME];
	int err;

	if (GENL_REQ_ATTR_CHECK(info, KMQTT_A_UPLINK_NAME))
		return kmqtt_nl_fail(info->extack, NULL, "which uplink?", -EINVAL);
	err = kmqtt_uplink_del(kmqtt_nl_kn(info), nla_data(name));
	if (err)
		return kmqtt_nl_uplink_fail(info, name, NULL, err);
	return 0;
}

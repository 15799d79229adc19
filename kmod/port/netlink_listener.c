// SPDX-License-Identifier: GPL-2.0
/* Netlink: listeners, and sockets that become clients. */
#include <linux/in.h>
#include <linux/in6.h>

#include "port/netlink.h"
#include "proto/topic.h"

static atomic_t kmqtt_nl_listener_generation = ATOMIC_INIT(1);

struct kmqtt_nl_listener_ctx {
	unsigned int index;
};

/* Return: 0, or -EINVAL and then it is said why */
static int kmqtt_nl_get_address(struct genl_info *info, struct sockaddr_storage *addr)
{
	struct nlattr *v4 = info->attrs[KMQTT_A_LISTENER_IPV4];
	struct nlattr *v6 = info->attrs[KMQTT_A_LISTENER_IPV6];
	struct nlattr *port = info->attrs[KMQTT_A_LISTENER_PORT];
	struct sockaddr_in6 *in6 = (void *)addr;
	struct sockaddr_in *in = (void *)addr;

	memset(addr, 0, sizeof(*addr));
	if (v4 && v6)
		return kmqtt_nl_fail(info->extack, v6,
				     "a listener has either an IPv4 or an IPv6 address",
				     -EINVAL);
	if (!v4 && !v6) {
		if (port)
			return kmqtt_nl_fail(info->extack, port,
					     "a port needs an address", -EINVAL);
		return 0;
	}
	if (!port)
		return kmqtt_nl_fail(info->extack, v4 ?: v6, "an address needs a port",
				     -EINVAL);
	if (v4) {
		in->sin_family = AF_INET;
		in->sin_port = nla_get_be16(port);
		in->sin_addr.s_addr = nla_get_be32(v4);
		return 0;
	}
	in6->sin6_family = AF_INET6;
	in6->sin6_port = nla_get_be16(port);
	in6->sin6_addr = nla_get_in6_addr(v6);
	if (info->attrs[KMQTT_A_LISTENER_SCOPE_ID])
		in6->sin6_scope_id = nla_get_u32(info->attrs[KMQTT_A_LISTENER_SCOPE_ID]);
	return 0;
}

/* What is a number, into settings that are not in force yet. */
static void kmqtt_nl_get_limits(struct nlattr **attrs, struct kmqtt_listener_conf *conf)
{
	if (attrs[KMQTT_A_LISTENER_MAX_CONNECTIONS])
		conf->max_connections = nla_get_u32(attrs[KMQTT_A_LISTENER_MAX_CONNECTIONS]);
	if (attrs[KMQTT_A_LISTENER_MAX_QOS])
		conf->max_qos = nla_get_u8(attrs[KMQTT_A_LISTENER_MAX_QOS]);
	if (attrs[KMQTT_A_LISTENER_PROTOCOLS])
		conf->protocols = nla_get_u32(attrs[KMQTT_A_LISTENER_PROTOCOLS]);
	if (attrs[KMQTT_A_LISTENER_MAX_PACKET_SIZE])
		conf->max_packet_size = nla_get_u32(attrs[KMQTT_A_LISTENER_MAX_PACKET_SIZE]);
	if (attrs[KMQTT_A_LISTENER_MAX_TOPIC_ALIAS])
		conf->max_topic_alias = nla_get_u16(attrs[KMQTT_A_LISTENER_MAX_TOPIC_ALIAS]);
	if (attrs[KMQTT_A_LISTENER_MAX_TOPIC_ALIAS_BROKER])
		conf->max_topic_alias_broker =
			nla_get_u16(attrs[KMQTT_A_LISTENER_MAX_TOPIC_ALIAS_BROKER]);
	if (attrs[KMQTT_A_LISTENER_MAX_KEEPALIVE])
		conf->max_keepalive = nla_get_u16(attrs[KMQTT_A_LISTENER_MAX_KEEPALIVE]);
	if (attrs[KMQTT_A_LISTENER_RECEIVE_MAXIMUM])
		conf->receive_maximum = nla_get_u16(attrs[KMQTT_A_LISTENER_RECEIVE_MAXIMUM]);
	if (attrs[KMQTT_A_LISTENER_ANONYMOUS])
		conf->anonymous = nla_get_u8(attrs[KMQTT_A_LISTENER_ANONYMOUS]);
	if (attrs[KMQTT_A_LISTENER_ZERO_LENGTH_CLIENTID])
		conf->zero_length_client_id =
			nla_get_u8(attrs[KMQTT_A_LISTENER_ZERO_LENGTH_CLIENTID]);
	if (attrs[KMQTT_A_LISTENER_CONNECT_TIMEOUT])
		conf->connect_timeout = nla_get_u32(attrs[KMQTT_A_LISTENER_CONNECT_TIMEOUT]);
	if (attrs[KMQTT_A_LISTENER_CONNECTION_RATE])
		conf->connection_rate = nla_get_u32(attrs[KMQTT_A_LISTENER_CONNECTION_RATE]);
	if (attrs[KMQTT_A_LISTENER_MESSAGE_RATE])
		conf->message_rate = nla_get_u32(attrs[KMQTT_A_LISTENER_MESSAGE_RATE]);
	if (attrs[KMQTT_A_LISTENER_BYTE_RATE])
		conf->byte_rate = nla_get_u64(attrs[KMQTT_A_LISTENER_BYTE_RATE]);
}

/* Return: the settings, or ERR_PTR() and then it is said why */
static struct kmqtt_listener_conf *
kmqtt_nl_get_listener(struct genl_info *info, const struct kmqtt_listener_conf *from)
{
	struct nlattr *mount = info->attrs[KMQTT_A_LISTENER_MOUNT_POINT];
	struct nlattr *size = info->attrs[KMQTT_A_LISTENER_MAX_PACKET_SIZE];
	struct nlattr *levels = info->attrs[KMQTT_A_LISTENER_PROTOCOLS];
	const char *prefix = from ? from->mount_point : NULL;
	struct kmqtt_listener_conf *conf;

	BUILD_BUG_ON(KMQTT_LISTENER_NAME_LEN != KMQTT_LISTENER_NAME_MAX);
	BUILD_BUG_ON(KMQTT_MOUNT_POINT_LEN != KMQTT_MOUNT_MAX);
	BUILD_BUG_ON(KMQTT_RATE_MAX != KMQTT_BUCKET_RATE_MAX);

	if (mount) {
		prefix = nla_data(mount);
		if (*prefix && !kmqtt_topic_name_valid(nla_data(mount), strlen(prefix)))
			return ERR_PTR(kmqtt_nl_fail(info->extack, mount,
						     "not a topic name", -EILSEQ));
	}
	if (size && nla_get_u32(size) && nla_get_u32(size) < 20)
		return ERR_PTR(kmqtt_nl_fail(info->extack, size,
					     "the smallest packet size is 20", -ERANGE));
	if (levels && nla_get_u32(levels) & ~KMQTT_PROTOCOLS_ALL)
		return ERR_PTR(kmqtt_nl_fail(info->extack, levels,
					     "no such protocol level", -EINVAL));
	conf = kmqtt_listener_conf_new(from, prefix);
	if (!conf)
		return ERR_PTR(-ENOMEM);
	kmqtt_nl_get_limits(info->attrs, conf);
	return conf;
}

static __be16 kmqtt_nl_port(const struct sockaddr_storage *addr)
{
	return addr->ss_family == AF_INET ? ((const struct sockaddr_in *)addr)->sin_port :
					    ((const struct sockaddr_in6 *)addr)->sin6_port;
}

/* Its name and its port, which the kernel may have chosen. */
static int kmqtt_nl_listener_reply(struct genl_info *info, struct sk_buff *msg, void *head,
				   const char *name, const struct sockaddr_storage *addr)
{
	int err = kmqtt_nl_put_str(msg, KMQTT_A_LISTENER_NAME, name);

	if (!err && addr->ss_family != AF_UNSPEC)
		err = nla_put_be16(msg, KMQTT_A_LISTENER_PORT, kmqtt_nl_port(addr));
	return kmqtt_nl_reply_send(info, msg, head, err);
}

int kmqtt_nl_listener_new_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *name = info->attrs[KMQTT_A_LISTENER_NAME];
	struct nlattr *v6only = info->attrs[KMQTT_A_LISTENER_V6ONLY];
	char made[KMQTT_LISTENER_NAME_MAX + 1];
	struct kmqtt_listener_conf *conf;
	struct sockaddr_storage addr;
	const char *why = NULL;
	struct sk_buff *msg;
	void *head;
	int err;

	err = kmqtt_nl_get_address(info, &addr);
	if (err)
		return err;
	conf = kmqtt_nl_get_listener(info, NULL);
	if (IS_ERR(conf))
		return PTR_ERR(conf);
	/* what may fail comes before the listener is there */
	msg = kmqtt_nl_reply_new(info, sizeof(made) + 64, &head);
	err = -ENOMEM;
	if (msg)
		err = kmqtt_listener_add(kmqtt_nl_kn(info), name ? nla_data(name) : NULL,
					 &addr, v6only && nla_get_u8(v6only), conf, made, &why);
	if (err) {
		kmqtt_listener_conf_put(conf);
		nlmsg_free(msg);
		if (err != -EEXIST && (!name || kmqtt_listener_name_valid(nla_data(name))))
			name = NULL;
		return kmqtt_nl_fail(info->extack, name, why, err);
	}
	atomic_inc(&kmqtt_nl_listener_generation);
	return kmqtt_nl_listener_reply(info, msg, head, made, &addr);
}

/* By name, or else by address. listeners->lock held. Return: it, or ERR_PTR(), said */
static struct kmqtt_listener *kmqtt_nl_find_listener(struct genl_info *info)
{
	struct nlattr *name = info->attrs[KMQTT_A_LISTENER_NAME];
	struct sockaddr_storage addr;
	struct kmqtt_listener *l;
	int err;

	err = kmqtt_nl_get_address(info, &addr);
	if (!err && !name && addr.ss_family == AF_UNSPEC)
		err = kmqtt_nl_fail(info->extack, NULL, "which listener?", -EINVAL);
	if (err)
		return ERR_PTR(err);
	l = kmqtt_listener_find(kmqtt_nl_kn(info), name ? nla_data(name) : NULL, &addr);
	if (l)
		return l;
	return ERR_PTR(kmqtt_nl_fail(info->extack, name ?: info->attrs[KMQTT_A_LISTENER_PORT],
				     "no such listener", -ENOENT));
}

int kmqtt_nl_listener_set_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct kmqtt_listeners *listeners = &kmqtt_nl_kn(info)->listeners;
	struct kmqtt_listener_conf *conf, *old;
	struct kmqtt_listener *l;
	int err;

	mutex_lock(&listeners->lock);
	l = kmqtt_nl_find_listener(info);
	err = PTR_ERR_OR_ZERO(l);
	if (!err) {
		old = rcu_dereference_protected(l->conf, lockdep_is_held(&listeners->lock));
		conf = kmqtt_nl_get_listener(info, old);
		err = PTR_ERR_OR_ZERO(conf);
		if (!err)
			kmqtt_listener_set(l, conf);
	}
	mutex_unlock(&listeners->lock);
	return err;
}

int kmqtt_nl_listener_del_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct kmqtt_listeners *listeners = &kmqtt_nl_kn(info)->listeners;
	struct kmqtt_listener *l;

	mutex_lock(&listeners->lock);
	l = kmqtt_nl_find_listener(info);
	if (!IS_ERR(l)) {
		kmqtt_listener_del(l, false);
		atomic_inc(&kmqtt_nl_listener_generation);
	}
	mutex_unlock(&listeners->lock);
	return PTR_ERR_OR_ZERO(l);
}

static int kmqtt_nl_put_address(struct sk_buff *skb, const struct kmqtt_listener *l)
{
	const struct sockaddr_in6 *in6 = (const void *)&l->addr;
	const struct sockaddr_in *in = (const void *)&l->addr;
	int err;

	if (l->addr.ss_family == AF_UNSPEC)
		return 0;
	if (l->addr.ss_family == AF_INET)
		err = nla_put_in_addr(skb, KMQTT_A_LISTENER_IPV4, in->sin_addr.s_addr);
	else
		err = nla_put_in6_addr(skb, KMQTT_A_LISTENER_IPV6, &in6->sin6_addr) ?:
		      nla_put_u8(skb, KMQTT_A_LISTENER_V6ONLY, l->v6only);
	if (!err && l->addr.ss_family == AF_INET6 && in6->sin6_scope_id)
		err = nla_put_u32(skb, KMQTT_A_LISTENER_SCOPE_ID, in6->sin6_scope_id);
	return err ?: nla_put_be16(skb, KMQTT_A_LISTENER_PORT, kmqtt_nl_port(&l->addr));
}

static int kmqtt_nl_put_conf(struct sk_buff *skb, const struct kmqtt_listener_conf *conf)
{
	int err;

	err = nla_put_u32(skb, KMQTT_A_LISTENER_MAX_CONNECTIONS, conf->max_connections) ?:
	      nla_put_u8(skb, KMQTT_A_LISTENER_MAX_QOS, conf->max_qos) ?:
	      nla_put_u32(skb, KMQTT_A_LISTENER_PROTOCOLS, conf->protocols) ?:
	      nla_put_u32(skb, KMQTT_A_LISTENER_MAX_PACKET_SIZE, conf->max_packet_size) ?:
	      nla_put_u16(skb, KMQTT_A_LISTENER_MAX_TOPIC_ALIAS, conf->max_topic_alias) ?:
	      nla_put_u16(skb, KMQTT_A_LISTENER_MAX_TOPIC_ALIAS_BROKER,
			  conf->max_topic_alias_broker) ?:
	      nla_put_u16(skb, KMQTT_A_LISTENER_MAX_KEEPALIVE, conf->max_keepalive) ?:
	      nla_put_u16(skb, KMQTT_A_LISTENER_RECEIVE_MAXIMUM, conf->receive_maximum) ?:
	      nla_put_u8(skb, KMQTT_A_LISTENER_ANONYMOUS, conf->anonymous);
	return err ?:
	       nla_put_u8(skb, KMQTT_A_LISTENER_ZERO_LENGTH_CLIENTID,
			  conf->zero_length_client_id) ?:
	       nla_put_u32(skb, KMQTT_A_LISTENER_CONNECT_TIMEOUT, conf->connect_timeout) ?:
	       nla_put_u32(skb, KMQTT_A_LISTENER_CONNECTION_RATE, conf->connection_rate) ?:
	       nla_put_u32(skb, KMQTT_A_LISTENER_MESSAGE_RATE, conf->message_rate) ?:
	       nla_put_u64_64bit(skb, KMQTT_A_LISTENER_BYTE_RATE, conf->byte_rate,
				 KMQTT_A_LISTENER_PAD) ?:
	       (conf->mount_len ? kmqtt_nl_put_str(skb, KMQTT_A_LISTENER_MOUNT_POINT,
						   conf->mount_point) : 0);
}

static int kmqtt_nl_put_count(struct sk_buff *skb, int type, const atomic64_t *count)
{
	return nla_put_u64_64bit(skb, type, atomic64_read(count), KMQTT_A_LISTENER_PAD);
}

static int kmqtt_nl_put_listener(struct sk_buff *skb, struct kmqtt_listener *l)
{
	const struct kmqtt_listener_stats *stats = &l->stats;
	const struct kmqtt_listener_conf *conf;

	conf = rcu_dereference_protected(l->conf, lockdep_is_held(&l->kn->listeners.lock));
	return kmqtt_nl_put_str(skb, KMQTT_A_LISTENER_NAME, l->name) ?:
	       kmqtt_nl_put_address(skb, l) ?:
	       kmqtt_nl_put_conf(skb, conf) ?:
	       nla_put_u32(skb, KMQTT_A_LISTENER_CONNECTIONS, READ_ONCE(l->count)) ?:
	       nla_put_u32(skb, KMQTT_A_LISTENER_PENDING, READ_ONCE(l->pending_count)) ?:
	       kmqtt_nl_put_count(skb, KMQTT_A_LISTENER_ACCEPTED, &stats->accepted) ?:
	       kmqtt_nl_put_count(skb, KMQTT_A_LISTENER_REFUSED, &stats->refused) ?:
	       kmqtt_nl_put_count(skb, KMQTT_A_LISTENER_DENIED, &stats->denied) ?:
	       kmqtt_nl_put_count(skb, KMQTT_A_LISTENER_TIMEOUTS, &stats->timeouts) ?:
	       kmqtt_nl_put_count(skb, KMQTT_A_LISTENER_MALFORMED, &stats->malformed);
}

int kmqtt_nl_listener_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct kmqtt_listeners *listeners = &kmqtt_nl_kn(info)->listeners;
	struct kmqtt_listener *l;
	struct sk_buff *msg;
	void *head;
	int err;

	msg = kmqtt_nl_reply_new(info, GENLMSG_DEFAULT_SIZE + KMQTT_MOUNT_MAX, &head);
	if (!msg)
		return -ENOMEM;
	mutex_lock(&listeners->lock);
	l = kmqtt_nl_find_listener(info);
	err = PTR_ERR_OR_ZERO(l);
	if (!err)
		err = kmqtt_nl_put_listener(msg, l);
	mutex_unlock(&listeners->lock);
	return kmqtt_nl_reply_send(info, msg, head, err);
}

int kmqtt_nl_listener_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct kmqtt_listeners *listeners = &kmqtt_nl_dump_kn(cb)->listeners;
	struct kmqtt_nl_listener_ctx *ctx = (void *)cb->ctx;
	struct kmqtt_listener *l;
	unsigned int index = 0;
	int err = kmqtt_nl_no_attrs(cb->nlh, cb->extack);
	void *head;

	if (err)
		return err;
	cb->seq = atomic_read(&kmqtt_nl_listener_generation);
	mutex_lock(&listeners->lock);
	list_for_each_entry(l, &listeners->list, link) {
		if (index++ < ctx->index)
			continue;
		head = kmqtt_nl_dump_begin(skb, cb, KMQTT_MOUNT_MAX);
		if (!head)
			break;
		err = kmqtt_nl_dump_end(skb, cb, head, kmqtt_nl_put_listener(skb, l));
		if (err)
			break;
		ctx->index = index;
	}
	mutex_unlock(&listeners->lock);
	return skb->len ?: err;
}

int kmqtt_nl_client_attach_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct kmqtt_listeners *listeners = &kmqtt_nl_kn(info)->listeners;
	struct nlattr *early = info->attrs[KMQTT_A_LISTENER_EARLY_DATA];
	struct nlattr *fd = info->attrs[KMQTT_A_LISTENER_FD];
	struct kmqtt_listener *l;
	const char *why = NULL;
	int err;

	if (GENL_REQ_ATTR_CHECK(info, KMQTT_A_LISTENER_FD))
		return kmqtt_nl_fail(info->extack, NULL, "which socket?", -EINVAL);
	mutex_lock(&listeners->lock);
	l = kmqtt_nl_find_listener(info);
	if (!IS_ERR(l))
		refcount_inc(&l->refs);
	mutex_unlock(&listeners->lock);
	if (IS_ERR(l))
		return PTR_ERR(l);
	err = kmqtt_listener_attach(l, nla_get_u32(fd), early ? nla_data(early) : NULL,
				    early ? nla_len(early) : 0, &why);
	kmqtt_listener_put(l);
	return err ? kmqtt_nl_fail(info->extack, fd, why, err) : 0;
}

// SPDX-License-Identifier: GPL-2.0
/* Netlink: publish, subscribe, unsubscribe, and what a message looks like. */
#include <linux/cred.h>

#include "port/netlink.h"
#include "proto/props.h"
#include "proto/topic.h"

/* payload in one attribute of a message; a multiple of what they are aligned to */
#define KMQTT_NL_PIECE		(KMQTT_TEXT_LEN & ~(NLA_ALIGNTO - 1))

/*
 * A larger message does not go over netlink: its reader would have to allocate
 * that much, and the kernel in one piece.
 */
#define KMQTT_NL_MESSAGE_MAX	(1024 * 1024)

/* properties that a publisher may give; the others are attributes, or not his */
#define KMQTT_NL_PROPS							\
	(KMQTT_PROP_BIT(KMQTT_PROP_PAYLOAD_FORMAT) |			\
	 KMQTT_PROP_BIT(KMQTT_PROP_CONTENT_TYPE) |			\
	 KMQTT_PROP_BIT(KMQTT_PROP_RESPONSE_TOPIC) |			\
	 KMQTT_PROP_BIT(KMQTT_PROP_CORRELATION_DATA) |			\
	 KMQTT_PROP_BIT(KMQTT_PROP_USER_PROPERTY))

/* The next piece of the payload, in order. Return: it or NULL */
static const struct nlattr *kmqtt_nl_next_piece(const struct nlattr **attr, int *rem)
{
	const struct nlattr *a;

	while (nla_ok(*attr, *rem)) {
		a = *attr;
		*attr = nla_next(a, rem);
		if (nla_type(a) == KMQTT_A_MESSAGE_PAYLOAD)
			return a;
	}
	return NULL;
}

static u32 kmqtt_nl_payload_len(struct genl_info *info)
{
	const struct nlattr *attr = genlmsg_data(info->genlhdr), *piece;
	int rem = genlmsg_len(info->genlhdr);
	u32 len = 0;	/* no more than the request */

	while ((piece = kmqtt_nl_next_piece(&attr, &rem)))
		len += nla_len(piece);
	return len;
}

static void kmqtt_nl_payload_copy(struct genl_info *info, u8 *to)
{
	const struct nlattr *attr = genlmsg_data(info->genlhdr), *piece;
	int rem = genlmsg_len(info->genlhdr);

	while ((piece = kmqtt_nl_next_piece(&attr, &rem))) {
		memcpy(to, nla_data(piece), nla_len(piece));
		to += nla_len(piece);
	}
}

static int kmqtt_nl_check_props(struct genl_info *info, struct nlattr *attr)
{
	struct kmqtt_view block = { .data = nla_data(attr), .len = nla_len(attr) };
	struct kmqtt_props props;

	if (kmqtt_props_parse(block, KMQTT_PUBLISH, &props))
		return kmqtt_nl_fail(info->extack, attr,
				     "not valid MQTT 5.0 properties", -EINVAL);
	if (props.present & ~KMQTT_NL_PROPS)
		return kmqtt_nl_fail(info->extack, attr,
				     "a property that a publisher does not give here",
				     -EINVAL);
	return 0;
}

/* Return: the message; ERR_PTR, and then it is said why */
static struct kmqtt_msg *kmqtt_nl_msg(struct genl_info *info)
{
	struct nlattr **attrs = info->attrs;
	struct nlattr *topic = attrs[KMQTT_A_MESSAGE_TOPIC];
	struct nlattr *props = attrs[KMQTT_A_MESSAGE_PROPERTIES];
	struct nlattr *a;
	struct kmqtt_msg_desc desc = {};
	struct kmqtt_msg *msg;
	int err;

	if (GENL_REQ_ATTR_CHECK(info, KMQTT_A_MESSAGE_TOPIC))
		return ERR_PTR(kmqtt_nl_fail(info->extack, NULL,
					     "a message needs a topic", -EINVAL));
	desc.topic = nla_data(topic);
	desc.topic_len = kmqtt_nl_str_len(topic);
	if (!kmqtt_topic_name_valid(desc.topic, desc.topic_len))
		return ERR_PTR(kmqtt_nl_fail(info->extack, topic,
					     "not a valid topic name", -EILSEQ));
	if (props) {
		err = kmqtt_nl_check_props(info, props);
		if (err)
			return ERR_PTR(err);
		desc.props = nla_data(props);
		desc.props_len = nla_len(props);
	}
	a = attrs[KMQTT_A_MESSAGE_QOS];
	desc.qos = a ? nla_get_u8(a) : 0;
	a = attrs[KMQTT_A_MESSAGE_RETAIN];
	desc.retain = a ? nla_get_u8(a) : false;
	a = attrs[KMQTT_A_MESSAGE_EXPIRY];
	desc.expiry = a ? nla_get_u32(a) : 0;
	desc.payload_len = kmqtt_nl_payload_len(info);

	msg = kmqtt_msg_alloc(&kmqtt_nl_kn(info)->broker, &desc, GFP_KERNEL_ACCOUNT);
	if (!IS_ERR(msg)) {
		kmqtt_nl_payload_copy(info, kmqtt_msg_payload(msg));
		return msg;
	}
	err = PTR_ERR(msg);
	if (err == -EMSGSIZE)
		kmqtt_nl_fail(info->extack, NULL,
			      "the message is larger than max-packet-size", err);
	if (err == -ENOBUFS)
		kmqtt_nl_fail(info->extack, NULL,
			      "the switch's memory-limit is reached", err);
	return msg;
}

/*
 * The switch asks whether the session may; a socket may have come to a process
 * that may do less than the one who opened the session, so this one is asked too.
 */
static bool kmqtt_nl_may(struct genl_info *info, struct kmqtt_session *s, u8 access,
			 const u8 *topic, u32 len)
{
	struct kmqtt_acl *acl = &kmqtt_nl_kn(info)->broker.acl;
	struct kmqtt_identity who = {};
	bool same, ok;

	rcu_read_lock();
	same = rcu_dereference(s->who)->cred == current_cred();
	rcu_read_unlock();
	if (same)
		return true;
	kmqtt_identity_init_current(&who);
	who.client_id = s->name;
	if (access == KMQTT_ACL_WRITE)
		ok = kmqtt_acl_check(acl, &who, access, topic, len);
	else
		ok = kmqtt_acl_check_filter(acl, &who, topic, len);
	kmqtt_identity_release(&who);
	return ok;
}

static int kmqtt_nl_do_publish(struct genl_info *info, struct kmqtt_session *from,
			       struct kmqtt_msg *msg)
{
	struct kmqtt_session *blocked = NULL;
	int ret = -EACCES;

	if (kmqtt_nl_may(info, from, KMQTT_ACL_WRITE, kmqtt_msg_topic(msg),
			 msg->topic_len))
		ret = kmqtt_publish(from, msg, &blocked);
	if (ret == -EACCES)
		kmqtt_nl_fail(info->extack, info->attrs[KMQTT_A_MESSAGE_TOPIC],
			      "the access rules forbid to publish this", ret);
	if (ret == -ENOBUFS)
		kmqtt_nl_fail(info->extack, NULL, "too many retained messages", ret);
	if (ret == -EAGAIN) {
		kmqtt_nl_fail(info->extack, NULL,
			      "the queue of a subscriber with policy block is full", ret);
		if (blocked)
			kmqtt_session_put(blocked);
	}
	return ret;
}

int kmqtt_nl_publish_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct kmqtt_session *from;
	struct kmqtt_msg *msg;
	struct sk_buff *reply;
	void *head;
	int ret;

	msg = kmqtt_nl_msg(info);
	if (IS_ERR(msg))
		return PTR_ERR(msg);
	from = kmqtt_nl_socket_session(info, skb, true);
	if (IS_ERR(from)) {
		ret = PTR_ERR(from);
		goto put;
	}
	/* what may fail comes before the message is out */
	reply = kmqtt_nl_reply_new(info, nla_total_size(sizeof(u32)), &head);
	if (!reply) {
		ret = -ENOMEM;
		goto put;
	}
	ret = kmqtt_nl_do_publish(info, from, msg);
	if (ret < 0)
		nlmsg_free(reply);
	else
		ret = kmqtt_nl_reply_send(info, reply, head,
					  nla_put_u32(reply, KMQTT_A_MESSAGE_RECEIVERS,
						      ret));
put:
	kmqtt_msg_put(msg);
	return ret;
}

static const char *kmqtt_nl_subscribe_why(int err)
{
	switch (err) {
	case -EILSEQ:
		return "not a valid topic filter";
	case -EACCES:
		return "the access rules forbid to subscribe to this";
	case -ENOSPC:
		return "too many subscriptions";
	case -ENOBUFS:
		return "the switch's memory-limit is reached";
	case -EINVAL:
		return "no-local makes no sense with $share (MQTT 5.0, 3.8.3.1)";
	case -ENOENT:
		return "not subscribed to this";
	default:
		return NULL;
	}
}

int kmqtt_nl_subscribe_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr **attrs = info->attrs, *a;
	struct nlattr *filter = attrs[KMQTT_A_SUBSCRIPTION_FILTER];
	struct kmqtt_sub_opts opts = {};
	struct kmqtt_session *s;
	int err;

	if (GENL_REQ_ATTR_CHECK(info, KMQTT_A_SUBSCRIPTION_FILTER))
		return kmqtt_nl_fail(info->extack, NULL, "which topic filter?", -EINVAL);
	/* before the rules are asked, which take a valid one */
	if (!kmqtt_topic_filter_valid(nla_data(filter), kmqtt_nl_str_len(filter)))
		return kmqtt_nl_fail(info->extack, filter,
				     kmqtt_nl_subscribe_why(-EILSEQ), -EILSEQ);
	a = attrs[KMQTT_A_SUBSCRIPTION_QOS];
	opts.qos = a ? nla_get_u8(a) : 0;
	a = attrs[KMQTT_A_SUBSCRIPTION_NO_LOCAL];
	opts.no_local = a ? nla_get_u8(a) : false;
	a = attrs[KMQTT_A_SUBSCRIPTION_RETAIN_AS_PUBLISHED];
	opts.retain_as_published = a ? nla_get_u8(a) : false;
	a = attrs[KMQTT_A_SUBSCRIPTION_RETAIN_HANDLING];
	opts.retain_handling = a ? nla_get_u8(a) : KMQTT_RETAIN_SEND;
	a = attrs[KMQTT_A_SUBSCRIPTION_ID];
	opts.sub_id = a ? nla_get_u32(a) : 0;

	s = kmqtt_nl_socket_session(info, skb, true);
	if (IS_ERR(s))
		return PTR_ERR(s);
	err = -EACCES;
	if (kmqtt_nl_may(info, s, KMQTT_ACL_READ, nla_data(filter),
			 kmqtt_nl_str_len(filter)))
		err = kmqtt_session_subscribe(s, nla_data(filter),
					      kmqtt_nl_str_len(filter), &opts);
	if (err)
		kmqtt_nl_fail(info->extack, filter, kmqtt_nl_subscribe_why(err), err);
	return err;
}

int kmqtt_nl_unsubscribe_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *filter = info->attrs[KMQTT_A_SUBSCRIPTION_FILTER];
	struct kmqtt_session *s;
	int err;

	if (GENL_REQ_ATTR_CHECK(info, KMQTT_A_SUBSCRIPTION_FILTER))
		return kmqtt_nl_fail(info->extack, NULL, "which topic filter?", -EINVAL);
	s = kmqtt_nl_socket_session(info, skb, false);
	if (IS_ERR(s))
		err = PTR_ERR(s);
	else
		err = kmqtt_session_unsubscribe(s, nla_data(filter),
						kmqtt_nl_str_len(filter));
	if (err)
		kmqtt_nl_fail(info->extack, filter, kmqtt_nl_subscribe_why(err), err);
	return err;
}

static size_t kmqtt_nl_message_size(const struct kmqtt_delivery *d)
{
	const struct kmqtt_msg *m = d->msg;
	u32 ids = d->more_ids ? d->more_ids->count : 1;

	return nla_total_size(m->topic_len + 1) + nla_total_size(m->props_len) +
	       m->payload_len +
	       nla_total_size(NLA_ALIGNTO) * (m->payload_len / KMQTT_NL_PIECE + 1) +
	       nla_total_size(sizeof(u32)) * (2 + ids) +
	       nla_total_size(sizeof(u8)) * 3 +
	       nla_total_size_64bit(sizeof(u64)) * 3;
}

static int kmqtt_nl_put_payload(struct sk_buff *skb, const struct kmqtt_msg *m)
{
	u32 at = 0, len;
	int err;

	do {
		len = min_t(u32, m->payload_len - at, KMQTT_NL_PIECE);
		err = nla_put(skb, KMQTT_A_MESSAGE_PAYLOAD, len,
			      kmqtt_msg_payload(m) + at);
		at += len;
	} while (!err && at < m->payload_len);
	return err;
}

static int kmqtt_nl_put_ids(struct sk_buff *skb, const struct kmqtt_delivery *d)
{
	u32 i;

	if (!d->more_ids)
		return d->sub_id ? nla_put_u32(skb, KMQTT_A_MESSAGE_SUBSCRIPTION_ID,
					       d->sub_id) : 0;
	for (i = 0; i < d->more_ids->count; i++)
		if (nla_put_u32(skb, KMQTT_A_MESSAGE_SUBSCRIPTION_ID,
				d->more_ids->id[i]))
			return -EMSGSIZE;
	return 0;
}

static int kmqtt_nl_put_message(struct sk_buff *skb, const struct kmqtt_delivery *d,
				u64 dropped)
{
	const struct kmqtt_msg *m = d->msg;

	if (kmqtt_nl_put_text(skb, KMQTT_A_MESSAGE_TOPIC, kmqtt_msg_topic(m),
			      m->topic_len) ||
	    nla_put_u32(skb, KMQTT_A_MESSAGE_PAYLOAD_LEN, m->payload_len) ||
	    kmqtt_nl_put_payload(skb, m) ||
	    nla_put_u8(skb, KMQTT_A_MESSAGE_QOS, d->qos) ||
	    nla_put_u8(skb, KMQTT_A_MESSAGE_RETAIN, d->retain) ||
	    nla_put_u8(skb, KMQTT_A_MESSAGE_DUP, d->dup) ||
	    nla_put_u64_64bit(skb, KMQTT_A_MESSAGE_ID, d->id, KMQTT_A_MESSAGE_PAD) ||
	    nla_put_u64_64bit(skb, KMQTT_A_MESSAGE_TIME_NS, m->time_ns,
			      KMQTT_A_MESSAGE_PAD) ||
	    kmqtt_nl_put_ids(skb, d))
		return -EMSGSIZE;
	if (d->expiry && nla_put_u32(skb, KMQTT_A_MESSAGE_EXPIRY, d->expiry))
		return -EMSGSIZE;
	if (m->props_len && nla_put(skb, KMQTT_A_MESSAGE_PROPERTIES, m->props_len,
				    kmqtt_msg_props(m)))
		return -EMSGSIZE;
	if (dropped)
		return nla_put_u64_64bit(skb, KMQTT_A_MESSAGE_DROPPED, dropped,
					 KMQTT_A_MESSAGE_PAD);
	return 0;
}

struct sk_buff *kmqtt_nl_message(u32 portid, const struct kmqtt_delivery *d,
				 u64 dropped)
{
	const struct kmqtt_msg *m = d->msg;
	struct sk_buff *skb;
	void *head;

	if (m->topic_len > KMQTT_TEXT_LEN || m->props_len > KMQTT_TEXT_LEN ||
	    kmqtt_nl_message_size(d) > KMQTT_NL_MESSAGE_MAX)
		return ERR_PTR(-EMSGSIZE);
	skb = genlmsg_new(kmqtt_nl_message_size(d), GFP_KERNEL | __GFP_NOWARN);
	if (!skb)
		return ERR_PTR(-ENOMEM);
	head = genlmsg_put(skb, portid, 0, &kmqtt_nl_family, 0, KMQTT_CMD_MESSAGE);
	if (!head || kmqtt_nl_put_message(skb, d, dropped)) {
		nlmsg_free(skb);
		return ERR_PTR(-EMSGSIZE);
	}
	genlmsg_end(skb, head);
	return skb;
}

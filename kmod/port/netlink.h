/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The generic netlink port: configuration, dumps, events, publish, subscribe.
 *
 * What a request may look like is in uapi/kmqtt.yaml, from which the policies
 * in generated/ are made; the functions named there (kmqtt_nl_*_doit and
 * _dumpit) are in the file of their object. They run in the context of the
 * process that sends, several at a time, with the genetlink core's semaphore
 * held for reading: they may sleep for memory and locks, but wait for no peer.
 * A dump may go on in another process than it was asked for in.
 */
#ifndef KMQTT_PORT_NETLINK_H
#define KMQTT_PORT_NETLINK_H

#include <linux/err.h>
#include <linux/netlink.h>
#include <net/genetlink.h>
#include <net/sock.h>

#include "compat.h"
#include "compat_genl.h"
#include "port/generated/netlink_gen.h"
#include "port/net.h"

/* an entry of a dump that is as large as can be: two long strings, and more */
#define KMQTT_NL_ENTRY_MAX	(96 * 1024)

/* payloads and properties above this are not shown by dumps */
#define KMQTT_NL_SHOW_MAX	4096

/** kmqtt_nl_kn() - the switch and its ports that a request is about */
static inline struct kmqtt_net *kmqtt_nl_kn(struct genl_info *info)
{
	return kmqtt_net_of(genl_info_net(info));
}

/** kmqtt_nl_dump_kn() - likewise for a dump */
static inline struct kmqtt_net *kmqtt_nl_dump_kn(const struct netlink_callback *cb)
{
	return kmqtt_net_of(sock_net(cb->skb->sk));
}

/** kmqtt_nl_user_ns() - user namespace in which a request's uid and gid count */
static inline struct user_namespace *kmqtt_nl_user_ns(struct sk_buff *skb)
{
	return sk_user_ns(NETLINK_CB(skb).sk);
}

/**
 * kmqtt_nl_fail() - refuse a request and say why
 * @extack:	where to
 * @attr:	attribute that is wrong, or NULL
 * @why:	a constant text, or NULL to leave what was said
 * @err:	negative errno
 *
 * Return: @err.
 */
int kmqtt_nl_fail(struct netlink_ext_ack *extack, const struct nlattr *attr,
		  const char *why, int err);

/**
 * kmqtt_nl_no_attrs() - a command that takes no attribute has been given none
 * @nlh:	the request
 * @extack:	where to say otherwise
 *
 * Where operations have policies of their own, one without a policy ignores what
 * it is given; where they have not, a dump has the policy of do, and would show
 * all to who names one. Return: 0 or -EINVAL, said.
 */
static inline int kmqtt_nl_no_attrs(const struct nlmsghdr *nlh,
				    struct netlink_ext_ack *extack)
{
	if (likely(!nlmsg_attrlen(nlh, GENL_HDRLEN)))
		return 0;
	return kmqtt_nl_fail(extack, NULL, "this command takes no attribute",
			     -EINVAL);
}

/**
 * kmqtt_nl_next() - attributes of a request that may be there many times
 * @info:	the request
 * @attr:	one of them, or NULL to begin
 * @type:	which
 *
 * Return: the next one behind @attr, or NULL.
 */
struct nlattr *kmqtt_nl_next(struct genl_info *info, struct nlattr *attr, int type);

/**
 * kmqtt_nl_str_len() - bytes of a string attribute, without the NUL
 * @attr:	of a policy NLA_NUL_STRING
 */
static inline u32 kmqtt_nl_str_len(const struct nlattr *attr)
{
	return strnlen(nla_data(attr), nla_len(attr));
}

/**
 * kmqtt_nl_put_text() - a string attribute from bytes without a NUL
 * @skb:	message
 * @type:	attribute
 * @text:	bytes
 * @len:	how many; what is over KMQTT_TEXT_LEN is cut off
 *
 * Return: 0 or -EMSGSIZE.
 */
int kmqtt_nl_put_text(struct sk_buff *skb, int type, const void *text, u32 len);

/** kmqtt_nl_put_str() - likewise; nothing at all for NULL */
int kmqtt_nl_put_str(struct sk_buff *skb, int type, const char *text);

/**
 * kmqtt_nl_reply_new() - begin the answer to a request
 * @info:	the request
 * @size:	bytes for attributes
 * @head:	out: for kmqtt_nl_reply_send()
 *
 * Return: the message or NULL.
 */
struct sk_buff *kmqtt_nl_reply_new(struct genl_info *info, size_t size,
				   void **head);

/**
 * kmqtt_nl_reply_send() - end and send it; frees it on error
 * @info:	the request
 * @skb:	the message
 * @head:	from kmqtt_nl_reply_new()
 * @err:	what putting the attributes came to: if not 0 nothing is sent
 *
 * Return: 0, @err or what sending it came to.
 */
int kmqtt_nl_reply_send(struct genl_info *info, struct sk_buff *skb, void *head,
			int err);

/**
 * kmqtt_nl_dump_begin() - begin an entry of a dump, if it fits in this message
 * @skb:	message
 * @cb:		the dump; cb->seq is the generation, 0 for none
 * @need:	upper bound of the entry's variable part in bytes
 *
 * Messages stay small for readers with ordinary buffers, unless an entry needs
 * more.
 * Return: for genlmsg_end(), or NULL if the entry has to wait for the next one.
 */
void *kmqtt_nl_dump_begin(struct sk_buff *skb, struct netlink_callback *cb,
			  size_t need);

/**
 * kmqtt_nl_dump_end() - end an entry
 * @skb:	message
 * @cb:		the dump
 * @head:	from kmqtt_nl_dump_begin()
 * @err:	what putting the attributes came to: if not 0 the entry is taken out
 *
 * Return: @err.
 */
int kmqtt_nl_dump_end(struct sk_buff *skb, struct netlink_callback *cb,
		      void *head, int err);

/**
 * kmqtt_nl_find_session() - by its name or its number
 * @broker:	the switch
 * @name:	attribute, or NULL
 * @number:	attribute that counts without @name
 * @extack:	where it is said that there is none
 *
 * Return: with a reference, or ERR_PTR(-ENOENT).
 */
struct kmqtt_session *kmqtt_nl_find_session(struct kmqtt_broker *broker,
					    const struct nlattr *name,
					    const struct nlattr *number,
					    struct netlink_ext_ack *extack);

/** kmqtt_nl_events_start() - the event sink takes over */
void kmqtt_nl_events_start(void);

/** kmqtt_nl_events_stop() - no event is sent when it returns. May sleep */
void kmqtt_nl_events_stop(void);

/** kmqtt_nl_sockets_init() - sockets that subscribe and publish. Return: 0, -errno */
int kmqtt_nl_sockets_init(void);

/** kmqtt_nl_sockets_exit() - none is left (each of them holds the module) */
void kmqtt_nl_sockets_exit(void);

/**
 * kmqtt_nl_socket_session() - the session of the socket that a request came by
 * @info:	the request
 * @skb:	its message
 * @make:	make one if there is none
 *
 * The device has its file's mode to say who is let in; a netlink socket is open
 * to anyone, so without access rules a session is made for CAP_NET_ADMIN only.
 *
 * It stays at least as long as the request, since sending it keeps the socket.
 * Return: the session; ERR_PTR: -ENOENT if there is none, -EPERM without rules
 * and capability, -EAGAIN while one that had this port id is being closed,
 * -ESHUTDOWN if it was killed, or as kmqtt_session_open().
 */
struct kmqtt_session *kmqtt_nl_socket_session(struct genl_info *info,
					      struct sk_buff *skb, bool make);

/**
 * kmqtt_nl_message() - a message for a socket that has subscribed
 * @portid:	the socket's
 * @d:		the delivery
 * @dropped:	messages that it has lost, to tell it; 0: none
 *
 * Process context. Return: it, ERR_PTR(-ENOMEM), or ERR_PTR(-EMSGSIZE) if such
 * a message does not go over netlink.
 */
struct sk_buff *kmqtt_nl_message(u32 portid, const struct kmqtt_delivery *d,
				 u64 dropped);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Generic netlink, family `kmqtt`: requests, dumps, events, and what the kernel
 * says when it refuses.
 *
 * There is one socket, opened by the first request, and one request at a time.
 */
#ifndef KMQTT_CLI_NL_H
#define KMQTT_CLI_NL_H

#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * NL_SIZE - bytes that a request may have; room for a will and a password of
 *	the greatest length
 */
#define NL_SIZE		(192 * 1024)

/** NL_HEADER - bytes between the netlink header and the attributes */
#define NL_HEADER	sizeof(struct genlmsghdr)

/** NL_ATTR_MAX - attributes that an enum of the family may have, and more */
#define NL_ATTR_MAX	128

/**
 * typedef nl_fn - called for each message that the kernel sends back
 * @nlh:	message; see nl_parse()
 * @ctx:	as it was given to nl_use(), ...
 *
 * Return: 0, or non-zero to stop with this status
 */
typedef int (*nl_fn)(const struct nlmsghdr *nlh, void *ctx);

/**
 * nl_request() - begins a request
 * @cmd:	command of the family
 *
 * Return: the message, to be filled by nl_put() and given to nl_ask() or
 * nl_do(). Valid until the next call.
 */
struct nlmsghdr *nl_request(uint8_t cmd);

/**
 * nl_request_large() - begins a request that may be larger than NL_SIZE
 * @cmd:	command of the family
 * @size:	bytes that it may have
 *
 * Return: as nl_request(); NULL (reported) if there is no memory.
 */
struct nlmsghdr *nl_request_large(uint8_t cmd, size_t size);

/**
 * nl_put() - adds an attribute
 * @nlh:	from nl_request()
 * @attr:	its type
 * @data:	payload
 * @len:	its bytes
 *
 * Return: STATUS_OK, or STATUS_USAGE (reported) if it does not fit.
 */
int nl_put(struct nlmsghdr *nlh, uint16_t attr, const void *data, size_t len);

/**
 * nl_message() - begins a message of any family
 * @buf:	where; aligned
 * @type:	family
 * @cmd:	its command
 */
struct nlmsghdr *nl_message(void *buf, uint16_t type, uint8_t cmd);

/** nl_put_str() - with its NUL byte; see nl_put() */
int nl_put_str(struct nlmsghdr *nlh, uint16_t attr, const char *s);

/**
 * nl_nest_begin() - the attributes that follow are inside of one
 * @nlh:	from nl_request()
 * @attr:	its type
 *
 * Return: for nl_nest_end(), or NULL (reported) if it does not fit.
 */
struct nlattr *nl_nest_begin(struct nlmsghdr *nlh, uint16_t attr);

/** nl_nest_end() - no more are. Return: STATUS_OK, STATUS_USAGE (reported) */
int nl_nest_end(struct nlmsghdr *nlh, struct nlattr *nest);

/** nl_put_u8() - see nl_put() */
int nl_put_u8(struct nlmsghdr *nlh, uint16_t attr, uint8_t v);

/** nl_put_u16() - see nl_put() */
int nl_put_u16(struct nlmsghdr *nlh, uint16_t attr, uint16_t v);

/** nl_put_u32() - see nl_put() */
int nl_put_u32(struct nlmsghdr *nlh, uint16_t attr, uint32_t v);

/** nl_put_u64() - see nl_put() */
int nl_put_u64(struct nlmsghdr *nlh, uint16_t attr, uint64_t v);

/**
 * nl_mark() - the attributes that follow come from this keyword: if the kernel
 *	refuses one of them, the message says so
 * @keyword:	constant, kept by reference
 */
void nl_mark(struct nlmsghdr *nlh, const char *keyword);

/**
 * nl_mark_find() - which keyword's attributes are at @offset of the request?
 * Return: the one that was given to nl_mark(), or NULL
 */
const char *nl_mark_find(uint32_t offset);

/**
 * struct nl_replies - what came back for a request, one message behind the other
 * @data:	they; from malloc()
 * @len:	bytes that are used
 * @room:	bytes that there are
 * @interrupted: the list changed while the kernel dumped it (NLM_F_DUMP_INTR)
 */
struct nl_replies {
	char *data;
	size_t len;
	size_t room;
	bool interrupted;
};

/**
 * nl_ask() - sends a request and waits until the kernel has done it
 * @nlh:	from nl_request()
 * @dump:	all that there are
 * @replies:	out: for nl_use()
 *
 * A dump that was interrupted by a change is asked for again.
 * Return: STATUS_OK, or STATUS_REFUSED (the kernel's explanation was printed;
 * there is nothing to use).
 */
int nl_ask(struct nlmsghdr *nlh, bool dump, struct nl_replies *replies);

/**
 * nl_use() - gives the replies to a function, and frees them
 * @replies:	from nl_ask()
 * @fn:		for each; it may ask the kernel again; NULL: for none
 * @ctx:	for @fn
 *
 * Return: STATUS_OK, or what @fn returned when it stopped.
 */
int nl_use(struct nl_replies *replies, nl_fn fn, void *ctx);

/** nl_do() - nl_ask() without dump, then nl_use() */
int nl_do(struct nlmsghdr *nlh, nl_fn fn, void *ctx);

/**
 * nl_listen() - events of a multicast group, until a signal comes
 * @group:	its name
 * @fn:		for each; its ctx is @ctx
 *
 * Messages that the kernel could not queue (ENOBUFS) are told on standard
 * error. Return: STATUS_OK after SIGINT or SIGTERM, or as nl_do().
 */
int nl_listen(const char *group, nl_fn fn, void *ctx);

/**
 * nl_stop_fd() - SIGINT and SIGTERM do not end the process any more
 * Return: descriptor that becomes readable when one of them comes; -1 on error
 */
int nl_stop_fd(void);

/**
 * nl_parse() - the attributes of a message
 * @nlh:	message
 * @tb:		out: by type; NULL where there is none
 */
void nl_parse(const struct nlmsghdr *nlh, const struct nlattr **tb);

/** nl_parse_attrs() - @len bytes of attributes, from @attr on; see nl_parse() */
void nl_parse_attrs(const struct nlattr *attr, size_t len,
		    const struct nlattr **tb);

/** nl_parse_nested() - the attributes inside @nest; see nl_parse() */
void nl_parse_nested(const struct nlattr *nest, const struct nlattr **tb);

/**
 * nl_uint() - number in an attribute of any width
 * Return: it; 0 if @attr is NULL
 */
uint64_t nl_uint(const struct nlattr *attr);

#endif

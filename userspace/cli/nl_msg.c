// SPDX-License-Identifier: GPL-2.0
/* Generic netlink, the messages: how they are made and read. */
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/kmqtt_netlink.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "nl.h"

/* The request, and its keywords in order of their attributes. */
static struct {
	char buf[NL_SIZE] __attribute__((aligned(8)));
	char *large;
	size_t room;
	size_t marks;
	size_t marks_room;
	struct {
		uint32_t offset;
		const char *keyword;
	} *mark;
} request;

struct nlmsghdr *nl_message(void *buf, uint16_t type, uint8_t cmd)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct genlmsghdr *genl;

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));
	genl->cmd = cmd;
	genl->version = KMQTT_FAMILY_VERSION;
	return nlh;
}

struct nlmsghdr *nl_request(uint8_t cmd)
{
	request.marks = 0;
	request.room = NL_SIZE;
	return nl_message(request.buf, 0, cmd);
}

struct nlmsghdr *nl_request_large(uint8_t cmd, size_t size)
{
	free(request.large);
	request.large = malloc(size);
	if (!request.large) {
		usage_error("out of memory");
		return NULL;
	}
	request.marks = 0;
	request.room = size;
	return nl_message(request.large, 0, cmd);
}

int nl_put(struct nlmsghdr *nlh, uint16_t attr, const void *data, size_t len)
{
	if (len > UINT16_MAX - MNL_ATTR_HDRLEN ||
	    !mnl_attr_put_check(nlh, request.room, attr, len, data))
		return usage_error("the request is too long");
	return STATUS_OK;
}

struct nlattr *nl_nest_begin(struct nlmsghdr *nlh, uint16_t attr)
{
	struct nlattr *nest = mnl_attr_nest_start_check(nlh, request.room, attr);

	if (!nest)
		usage_error("the request is too long");
	return nest;
}

int nl_nest_end(struct nlmsghdr *nlh, struct nlattr *nest)
{
	size_t len = (char *)mnl_nlmsg_get_payload_tail(nlh) - (char *)nest;

	if (len > UINT16_MAX)
		return usage_error("the request is too long");
	mnl_attr_nest_end(nlh, nest);
	return STATUS_OK;
}

int nl_put_str(struct nlmsghdr *nlh, uint16_t attr, const char *s)
{
	return nl_put(nlh, attr, s, strlen(s) + 1);
}

int nl_put_u8(struct nlmsghdr *nlh, uint16_t attr, uint8_t v)
{
	return nl_put(nlh, attr, &v, sizeof(v));
}

int nl_put_u16(struct nlmsghdr *nlh, uint16_t attr, uint16_t v)
{
	return nl_put(nlh, attr, &v, sizeof(v));
}

int nl_put_u32(struct nlmsghdr *nlh, uint16_t attr, uint32_t v)
{
	return nl_put(nlh, attr, &v, sizeof(v));
}

int nl_put_u64(struct nlmsghdr *nlh, uint16_t attr, uint64_t v)
{
	return nl_put(nlh, attr, &v, sizeof(v));
}

void nl_mark(struct nlmsghdr *nlh, const char *keyword)
{
	void *more;

	if (request.marks == request.marks_room) {
		more = reallocarray(request.mark, request.marks + 64,
				    2 * sizeof(*request.mark));
		if (!more)
			return;
		request.mark = more;
		request.marks_room = 2 * (request.marks + 64);
	}
	request.mark[request.marks].offset = nlh->nlmsg_len;
	request.mark[request.marks++].keyword = keyword;
}

const char *nl_mark_find(uint32_t offset)
{
	const char *keyword = NULL;
	size_t i;

	for (i = 0; i < request.marks && request.mark[i].offset <= offset; i++)
		keyword = request.mark[i].keyword;
	return keyword;
}

void nl_parse_attrs(const struct nlattr *attr, size_t len,
		    const struct nlattr **tb)
{
	const struct nlattr *end = (const void *)((const char *)attr + len);

	memset(tb, 0, sizeof(*tb) * NL_ATTR_MAX);
	while (mnl_attr_ok(attr, (const char *)end - (const char *)attr)) {
		if (mnl_attr_get_type(attr) < NL_ATTR_MAX)
			tb[mnl_attr_get_type(attr)] = attr;
		attr = mnl_attr_next(attr);
	}
}

void nl_parse(const struct nlmsghdr *nlh, const struct nlattr **tb)
{
	nl_parse_attrs(mnl_nlmsg_get_payload_offset(nlh, NL_HEADER),
		       mnl_nlmsg_get_payload_len(nlh) - NL_HEADER, tb);
}

void nl_parse_nested(const struct nlattr *nest, const struct nlattr **tb)
{
	nl_parse_attrs(mnl_attr_get_payload(nest),
		       mnl_attr_get_payload_len(nest), tb);
}

uint64_t nl_uint(const struct nlattr *attr)
{
	uint64_t v64;
	uint32_t v32;
	uint16_t v16;

	if (!attr)
		return 0;
	switch (mnl_attr_get_payload_len(attr)) {
	case sizeof(uint8_t):
		return mnl_attr_get_u8(attr);
	case sizeof(v16):
		memcpy(&v16, mnl_attr_get_payload(attr), sizeof(v16));
		return v16;
	case sizeof(v32):
		memcpy(&v32, mnl_attr_get_payload(attr), sizeof(v32));
		return v32;
	case sizeof(v64):
		memcpy(&v64, mnl_attr_get_payload(attr), sizeof(v64));
		return v64;
	default:
		return 0;
	}
}

int nl_use(struct nl_replies *replies, nl_fn fn, void *ctx)
{
	const struct nlmsghdr *nlh;
	size_t pos;
	int ret = 0;

	for (pos = 0; fn && !ret && pos < replies->len;) {
		nlh = (const void *)(replies->data + pos);
		pos += MNL_ALIGN(nlh->nlmsg_len);
		ret = fn(nlh, ctx);
	}
	free(replies->data);
	replies->data = NULL;
	return ret;
}

int nl_do(struct nlmsghdr *nlh, nl_fn fn, void *ctx)
{
	struct nl_replies replies;
	int ret = nl_ask(nlh, false, &replies);

	return ret ? ret : nl_use(&replies, fn, ctx);
}

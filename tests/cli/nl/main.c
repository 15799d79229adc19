// SPDX-License-Identifier: GPL-2.0
/*
 * The netlink socket of the command, over a libmnl whose socket is a script:
 * what a request looks like, interrupted dumps, and what is said of refusals.
 */
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/kmqtt_netlink.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "args.h"
#include "nl.h"
#include "tap.h"

#define FAMILY	77
#define PARTS	16

/* What recv() gives, one part after the other, and what was sent. */
static struct {
	size_t count;
	size_t next;
	struct {
		size_t len;
		char buf[1024] __attribute__((aligned(8)));
	} part[PARTS];
	unsigned int sent;
	uint32_t seq;
	uint16_t type;
	uint16_t flags;
	bool unknown;
} script;

struct mnl_socket *mnl_socket_open2(int bus, int flags)
{
	(void)flags;
	return bus == NETLINK_GENERIC ? (void *)&script : NULL;
}

int mnl_socket_bind(struct mnl_socket *nl, unsigned int groups, pid_t pid)
{
	(void)nl;
	(void)groups;
	(void)pid;
	return 0;
}

int mnl_socket_setsockopt(const struct mnl_socket *nl, int type, void *buf,
			  socklen_t len)
{
	(void)nl;
	(void)type;
	(void)buf;
	(void)len;
	return 0;
}

ssize_t mnl_socket_sendto(const struct mnl_socket *nl, const void *buf,
			  size_t len)
{
	const struct nlmsghdr *nlh = buf;

	(void)nl;
	script.sent++;
	script.seq = nlh->nlmsg_seq;
	script.type = nlh->nlmsg_type;
	script.flags = nlh->nlmsg_flags;
	return len;
}

/* The controller is asked first; it knows the family unless told otherwise. */
static size_t family_answer(void *buf)
{
	struct nlmsghdr *nlh = nl_message(buf, GENL_ID_CTRL, CTRL_CMD_NEWFAMILY);
	struct nlmsgerr *err;

	if (!script.unknown) {
		mnl_attr_put_u16(nlh, CTRL_ATTR_FAMILY_ID, FAMILY);
		return nlh->nlmsg_len;
	}
	nlh = mnl_nlmsg_put_header(buf);
	nlh->nlmsg_type = NLMSG_ERROR;
	err = mnl_nlmsg_put_extra_header(nlh, sizeof(*err));
	err->error = -ENOENT;
	return nlh->nlmsg_len;
}

ssize_t mnl_socket_recvfrom(const struct mnl_socket *nl, void *buf, size_t len)
{
	struct nlmsghdr *nlh;
	int left;

	(void)nl;
	if (script.type == GENL_ID_CTRL)
		return family_answer(buf);
	if (script.next == script.count || len < 1024) {
		errno = EIO;
		return -1;
	}
	left = script.part[script.next].len;
	memcpy(buf, script.part[script.next++].buf, left);
	len = left;
	for (nlh = buf; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
		if (!nlh->nlmsg_seq)
			nlh->nlmsg_seq = script.seq;
	}
	return len;
}

int mnl_socket_get_fd(const struct mnl_socket *nl)
{
	(void)nl;
	return -1;
}

/* A new recv(). */
static void part(void)
{
	script.part[script.count++].len = 0;
}

/* A message in the last recv(). */
static struct nlmsghdr *message(uint16_t type, uint16_t flags)
{
	struct nlmsghdr *nlh;

	nlh = mnl_nlmsg_put_header(script.part[script.count - 1].buf +
				   script.part[script.count - 1].len);
	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = flags;
	return nlh;
}

/* It is complete. */
static void end(const struct nlmsghdr *nlh)
{
	script.part[script.count - 1].len += MNL_ALIGN(nlh->nlmsg_len);
}

/* A message with a number in it, as of a dump. */
static void item(uint32_t number, uint16_t flags)
{
	struct nlmsghdr *nlh = message(FAMILY, flags | NLM_F_MULTI);
	struct genlmsghdr *genl;

	genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));
	genl->cmd = 1;
	mnl_attr_put_u32(nlh, 1, number);
	end(nlh);
}

static void done(uint16_t flags)
{
	struct nlmsghdr *nlh = message(NLMSG_DONE, flags | NLM_F_MULTI);
	int *error = mnl_nlmsg_put_extra_header(nlh, sizeof(*error));

	*error = 0;
	end(nlh);
}

/* A refusal; its TLVs follow. */
static struct nlmsghdr *refusal(int error, bool capped)
{
	struct nlmsghdr *nlh = message(NLMSG_ERROR, NLM_F_ACK_TLVS |
				       (capped ? NLM_F_CAPPED : 0));
	struct nlmsgerr *err = mnl_nlmsg_put_extra_header(nlh, sizeof(*err));

	err->error = -error;
	err->msg.nlmsg_len = sizeof(err->msg);
	if (!capped) {
		mnl_nlmsg_put_extra_header(nlh, 20);
		err->msg.nlmsg_len += 20;
	}
	return nlh;
}

static char numbers[256];

static int collect(const struct nlmsghdr *nlh, void *ctx)
{
	const struct nlattr *tb[NL_ATTR_MAX];
	size_t len = strlen(numbers);

	(void)ctx;
	nl_parse(nlh, tb);
	snprintf(numbers + len, sizeof(numbers) - len, " %u",
		 (unsigned int)nl_uint(tb[1]));
	return 0;
}

/* What was said on standard error by nl_ask(). */
static char said[1024];

static int ask(struct nlmsghdr *nlh, bool dump)
{
	struct nl_replies replies;
	FILE *file = tmpfile();
	int old = dup(STDERR_FILENO), status;
	size_t len;

	dup2(fileno(file), STDERR_FILENO);
	numbers[0] = 0;
	script.next = 0;
	script.sent = 0;
	status = nl_ask(nlh, dump, &replies);
	if (!status)
		status = nl_use(&replies, collect, NULL);
	fflush(stderr);
	dup2(old, STDERR_FILENO);
	close(old);
	rewind(file);
	len = fread(said, 1, sizeof(said) - 1, file);
	said[len] = 0;
	fclose(file);
	script.count = 0;
	return status;
}

static void test_family(void)
{
	script.unknown = true;
	ok(ask(nl_request(1), false) == STATUS_REFUSED &&
	   strstr(said, "is the module loaded?"), "no such family");
	script.unknown = false;
}

static void test_requests(void)
{
	part();
	item(5, 0);
	end(refusal(0, true));
	ok(ask(nl_request(1), false) == STATUS_OK && !strcmp(numbers, " 5"),
	   "a reply and an acknowledgement");
	ok(script.type == FAMILY && script.flags == (NLM_F_REQUEST | NLM_F_ACK),
	   "flags of a request");
	part();
	item(4, 0);
	((struct nlmsghdr *)script.part[0].buf)->nlmsg_seq = 1;
	part();
	end(refusal(0, true));
	ok(ask(nl_request(1), false) == STATUS_OK && !*numbers,
	   "what answers another request is left out");
	ok(ask(nl_request(1), false) == STATUS_REFUSED &&
	   strstr(said, "Input/output error"), "the socket fails");
}

static void test_dumps(void)
{
	int i;

	part();
	item(1, 0);
	item(2, 0);
	part();
	item(3, 0);
	part();
	done(0);
	ok(ask(nl_request(1), true) == STATUS_OK && !strcmp(numbers, " 1 2 3"),
	   "a dump of several parts");
	ok(script.flags == (NLM_F_REQUEST | NLM_F_DUMP), "flags of a dump");
	part();
	item(1, 0);
	item(2, NLM_F_DUMP_INTR);
	done(0);
	part();
	item(7, 0);
	done(NLM_F_DUMP_INTR);
	part();
	item(8, 0);
	done(0);
	ok(ask(nl_request(1), true) == STATUS_OK && !strcmp(numbers, " 8") &&
	   !*said && script.sent == 3, "an interrupted dump is asked for again");
	for (i = 0; i < PARTS; i++) {
		part();
		item(i, 0);
		done(NLM_F_DUMP_INTR);
	}
	ok(ask(nl_request(1), true) == STATUS_OK && !strcmp(numbers, " 9") &&
	   strstr(said, "may not be complete"), "but not for ever");
}

static void test_refusals(void)
{
	struct nlmsghdr *nlh, *request;
	struct nlattr *nest;

	part();
	nlh = refusal(EPERM, true);
	end(nlh);
	ok(ask(nl_request(1), false) == STATUS_REFUSED &&
	   strstr(said, "Operation not permitted"), "refused without a word");
	part();
	nlh = refusal(EINVAL, true);
	mnl_attr_put_strz(nlh, NLMSGERR_ATTR_MSG, "the kernel's words");
	end(nlh);
	ok(ask(nl_request(1), false) == STATUS_REFUSED &&
	   !strcmp(said, "kmqtt: the kernel's words\n"), "refused in words");
	part();
	nlh = refusal(EINVAL, false);
	mnl_attr_put_strz(nlh, NLMSGERR_ATTR_MSG, "behind the request");
	end(nlh);
	ok(ask(nl_request(1), false) == STATUS_REFUSED &&
	   !strcmp(said, "kmqtt: behind the request\n"),
	   "refused with the request in it");

	request = nl_request(1);
	nl_mark(request, "first");
	nl_put_u32(request, 1, 0);
	nl_mark(request, "second");
	part();
	nlh = refusal(ERANGE, true);
	mnl_attr_put_strz(nlh, NLMSGERR_ATTR_MSG, "out of range");
	mnl_attr_put_u32(nlh, NLMSGERR_ATTR_OFFS, request->nlmsg_len);
	nest = mnl_attr_nest_start(nlh, NLMSGERR_ATTR_POLICY);
	mnl_attr_put_u64(nlh, NL_POLICY_TYPE_ATTR_MIN_VALUE_U, 3);
	mnl_attr_put_u64(nlh, NL_POLICY_TYPE_ATTR_MAX_VALUE_U, 9);
	mnl_attr_nest_end(nlh, nest);
	end(nlh);
	nl_put_u32(request, 2, 0);
	ok(ask(request, false) == STATUS_REFUSED &&
	   !strcmp(said, "kmqtt: second: out of range (from 3 to 9)\n"),
	   "which keyword, and what it may be");

	part();
	item(1, 0);
	nlh = message(NLMSG_DONE, NLM_F_MULTI | NLM_F_ACK_TLVS);
	*(int *)mnl_nlmsg_put_extra_header(nlh, sizeof(int)) = -ENOENT;
	mnl_attr_put_strz(nlh, NLMSGERR_ATTR_MSG, "no such thing");
	end(nlh);
	ok(ask(nl_request(1), true) == STATUS_REFUSED && !*numbers &&
	   !strcmp(said, "kmqtt: no such thing\n"), "a dump refused at its end");

	part();
	nlh = refusal(0, true);
	mnl_attr_put_strz(nlh, NLMSGERR_ATTR_MSG, "by the way");
	end(nlh);
	ok(ask(nl_request(1), false) == STATUS_OK &&
	   !strcmp(said, "kmqtt: note: by the way\n"), "done, with a note");
}

static void test_length(void)
{
	static char big[65000];
	struct nlmsghdr *nlh = nl_request(1);

	ok(!nl_put(nlh, 1, big, sizeof(big)) &&
	   !nl_put(nlh, 2, big, sizeof(big)), "large attributes");
	ok(nl_put(nlh, 3, big, sizeof(big)) || nl_put(nlh, 4, big, sizeof(big)),
	   "more than fits");
}

int main(void)
{
	test_family();
	test_requests();
	test_dumps();
	test_refusals();
	test_length();
	return done_testing();
}

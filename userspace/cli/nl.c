// SPDX-License-Identifier: GPL-2.0
/* Generic netlink, the socket: what is sent and what comes back. */
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/kmqtt_netlink.h>
#include <linux/netlink.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>

#include "args.h"
#include "nl.h"

/* How often an interrupted dump is tried; then what came is shown. */
#define DUMP_TRIES	10

static struct {
	struct mnl_socket *socket;
	uint16_t family;
	uint32_t seq;
	char reply[NL_SIZE] __attribute__((aligned(8)));
} nl;

static int report_errno(const char *what)
{
	fprintf(stderr, "kmqtt: %s: %s\n", what, strerror(errno));
	return STATUS_REFUSED;
}

/* "(from 1 to 65535)" of NLMSGERR_ATTR_POLICY, where it has a range. */
static void report_policy(const struct nlattr *policy)
{
	static const int min[] = {
		NL_POLICY_TYPE_ATTR_MIN_VALUE_U, NL_POLICY_TYPE_ATTR_MIN_LENGTH,
	};
	static const int max[] = {
		NL_POLICY_TYPE_ATTR_MAX_VALUE_U, NL_POLICY_TYPE_ATTR_MAX_LENGTH,
	};
	static const char *const what[] = { "from", "length from" };
	const struct nlattr *tb[NL_ATTR_MAX];
	size_t i;

	nl_parse_nested(policy, tb);
	for (i = 0; i < ARRAY_SIZE(min); i++) {
		if (tb[min[i]] && tb[max[i]])
			fprintf(stderr, " (%s %llu to %llu)", what[i],
				(unsigned long long)nl_uint(tb[min[i]]),
				(unsigned long long)nl_uint(tb[max[i]]));
	}
}

/* Prints why the kernel refused; @tb: what it says beyond the errno. */
static int report_refusal(int error, const struct nlattr **tb)
{
	const char *keyword = NULL;

	if (tb[NLMSGERR_ATTR_OFFS])
		keyword = nl_mark_find(nl_uint(tb[NLMSGERR_ATTR_OFFS]));
	fputs("kmqtt: ", stderr);
	if (keyword)
		fprintf(stderr, "%s: ", keyword);
	if (tb[NLMSGERR_ATTR_MSG])
		fprintf(stderr, "%.*s",
			(int)mnl_attr_get_payload_len(tb[NLMSGERR_ATTR_MSG]),
			(const char *)mnl_attr_get_payload(tb[NLMSGERR_ATTR_MSG]));
	else
		fprintf(stderr, "the kernel answers: %s", strerror(error));
	if (tb[NLMSGERR_ATTR_POLICY])
		report_policy(tb[NLMSGERR_ATTR_POLICY]);
	fputc('\n', stderr);
	return STATUS_REFUSED;
}

/* NLMSG_ERROR, or NLMSG_DONE with an error in it. */
static int handle_end(const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *err = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[NL_ATTR_MAX] = { NULL };
	size_t head = sizeof(int), len = mnl_nlmsg_get_payload_len(nlh);

	if (len < sizeof(int))
		return STATUS_OK;
	if (nlh->nlmsg_type == NLMSG_ERROR) {
		head = sizeof(*err);
		if (err->error && !(nlh->nlmsg_flags & NLM_F_CAPPED))
			head += err->msg.nlmsg_len - sizeof(err->msg);
	}
	if (nlh->nlmsg_flags & NLM_F_ACK_TLVS && len > MNL_ALIGN(head))
		nl_parse_attrs((const void *)((const char *)err + MNL_ALIGN(head)),
			       len - MNL_ALIGN(head), tb);
	if (err->error)
		return report_refusal(-err->error, tb);
	if (tb[NLMSGERR_ATTR_MSG])
		fprintf(stderr, "kmqtt: note: %s\n",
			mnl_attr_get_str(tb[NLMSGERR_ATTR_MSG]));
	return STATUS_OK;
}

static int replies_add(struct nl_replies *replies, const struct nlmsghdr *nlh)
{
	size_t need = MNL_ALIGN(nlh->nlmsg_len);
	char *data;

	if (replies->room - replies->len < need) {
		data = realloc(replies->data, replies->room * 2 + need);
		if (!data)
			return report_errno("memory");
		replies->data = data;
		replies->room = replies->room * 2 + need;
	}
	memcpy(replies->data + replies->len, nlh, nlh->nlmsg_len);
	replies->len += need;
	return STATUS_OK;
}

/* One recv(). Return: -1 if more has to come, else the status. */
static int handle_reply(const char *buf, int len, uint32_t seq,
			struct nl_replies *replies)
{
	const struct nlmsghdr *nlh;
	int ret;

	for (nlh = (const void *)buf; mnl_nlmsg_ok(nlh, len);
	     nlh = mnl_nlmsg_next(nlh, &len)) {
		if (nlh->nlmsg_seq != seq)
			continue;
		if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
			replies->interrupted = true;
		if (nlh->nlmsg_type == NLMSG_ERROR ||
		    nlh->nlmsg_type == NLMSG_DONE)
			return handle_end(nlh);
		ret = replies_add(replies, nlh);
		if (ret)
			return ret;
	}
	return -1;
}

/* A large request has to fit into the send buffer, whose limit binds all but root. */
static int nl_send(const struct nlmsghdr *nlh)
{
	int fd = mnl_socket_get_fd(nl.socket), room = nlh->nlmsg_len + 1024;

	if (nlh->nlmsg_len > NL_SIZE &&
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	if (mnl_socket_sendto(nl.socket, nlh, nlh->nlmsg_len) >= 0)
		return STATUS_OK;
	if (errno != EMSGSIZE)
		return report_errno("netlink");
	fputs("kmqtt: the request is larger than a socket's send buffer may be (net.core.wmem_max)\n",
	      stderr);
	return STATUS_REFUSED;
}

/* Sends a request and takes all that comes back for it. */
static int nl_exchange(struct nlmsghdr *nlh, struct nl_replies *replies)
{
	ssize_t len;
	int ret = -1;

	replies->len = 0;
	replies->interrupted = false;
	nlh->nlmsg_seq = ++nl.seq;
	if (nl_send(nlh))
		return STATUS_REFUSED;
	while (ret == -1) {
		len = mnl_socket_recvfrom(nl.socket, nl.reply,
					  sizeof(nl.reply));
		if (len < 0)
			return report_errno("netlink");
		ret = handle_reply(nl.reply, len, nlh->nlmsg_seq, replies);
	}
	return ret;
}

/* The answer to CTRL_CMD_GETFAMILY, with the number of one group. */
struct family {
	const char *group;
	uint32_t group_id;
	uint16_t id;
};

static int handle_family(const struct nlmsghdr *nlh, struct family *family)
{
	const struct nlattr *tb[NL_ATTR_MAX], *group[NL_ATTR_MAX], *attr;

	nl_parse(nlh, tb);
	family->id = nl_uint(tb[CTRL_ATTR_FAMILY_ID]);
	if (!family->group || !tb[CTRL_ATTR_MCAST_GROUPS])
		return STATUS_OK;
	mnl_attr_for_each_nested(attr, tb[CTRL_ATTR_MCAST_GROUPS]) {
		nl_parse_nested(attr, group);
		if (group[CTRL_ATTR_MCAST_GRP_NAME] &&
		    !strcmp(mnl_attr_get_str(group[CTRL_ATTR_MCAST_GRP_NAME]),
			    family->group))
			family->group_id =
				nl_uint(group[CTRL_ATTR_MCAST_GRP_ID]);
	}
	return STATUS_OK;
}

/*
 * Asks the controller. Its ENOENT, when the module is not loaded, is told in
 * other words than strerror()'s; so this is no nl_exchange().
 */
static int family_get(struct family *family)
{
	char buf[256];
	struct nlmsghdr *nlh = nl_message(buf, GENL_ID_CTRL,
					  CTRL_CMD_GETFAMILY);
	const struct nlmsgerr *err;

	nlh->nlmsg_seq = ++nl.seq;
	mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, KMQTT_FAMILY_NAME);
	if (mnl_socket_sendto(nl.socket, nlh, nlh->nlmsg_len) < 0 ||
	    mnl_socket_recvfrom(nl.socket, nl.reply, sizeof(nl.reply)) < 0)
		return report_errno("netlink");
	nlh = (struct nlmsghdr *)nl.reply;
	if (nlh->nlmsg_type == GENL_ID_CTRL)
		return handle_family(nlh, family);
	err = mnl_nlmsg_get_payload(nlh);
	errno = -err->error;
	if (errno != ENOENT)
		return report_errno("netlink");
	fputs("kmqtt: the kernel knows no kmqtt: is the module loaded? (modprobe kmqtt)\n",
	      stderr);
	return STATUS_REFUSED;
}

static int nl_open(struct family *family)
{
	int on = 1;

	if (nl.socket)
		return family_get(family);
	nl.socket = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
	if (!nl.socket || mnl_socket_bind(nl.socket, 0, MNL_SOCKET_AUTOPID) < 0)
		return report_errno("netlink");
	/* all three only make answers better; old kernels may lack them */
	mnl_socket_setsockopt(nl.socket, NETLINK_EXT_ACK, &on, sizeof(on));
	mnl_socket_setsockopt(nl.socket, NETLINK_CAP_ACK, &on, sizeof(on));
	mnl_socket_setsockopt(nl.socket, NETLINK_GET_STRICT_CHK, &on,
			      sizeof(on));
	nl.seq = time(NULL);
	return family_get(family);
}

/*
 * Resolves the family only now, after the words were understood: a mistake of
 * the user is told even if the module is not loaded.
 */
static int nl_ready(struct nlmsghdr *nlh, uint16_t flags)
{
	struct family family = { .group = NULL };
	int ret;

	if (!nl.family) {
		ret = nl_open(&family);
		if (ret)
			return ret;
		nl.family = family.id;
	}
	nlh->nlmsg_type = nl.family;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	return STATUS_OK;
}

int nl_ask(struct nlmsghdr *nlh, bool dump, struct nl_replies *replies)
{
	int ret = nl_ready(nlh, dump ? NLM_F_DUMP : NLM_F_ACK);
	int i;

	memset(replies, 0, sizeof(*replies));
	for (i = 0; !ret && i < DUMP_TRIES; i++) {
		ret = nl_exchange(nlh, replies);
		if (!replies->interrupted)
			break;
	}
	if (ret) {
		free(replies->data);
		replies->data = NULL;
	} else if (replies->interrupted) {
		fputs("kmqtt: the list changed while it was read; it may not be complete\n",
		      stderr);
	}
	return ret;
}

/* One recv() of events. Return: 0 or the status to end with. */
static int listen_once(nl_fn fn, void *ctx)
{
	const struct nlmsghdr *nlh;
	ssize_t len;
	int left, ret;

	len = mnl_socket_recvfrom(nl.socket, nl.reply, sizeof(nl.reply));
	if (len < 0 && errno == ENOBUFS) {
		fputs("kmqtt: events were lost: they came faster than they were read\n",
		      stderr);
		return 0;
	}
	if (len < 0)
		return report_errno("netlink");
	left = len;
	for (nlh = (const void *)nl.reply; mnl_nlmsg_ok(nlh, left);
	     nlh = mnl_nlmsg_next(nlh, &left)) {
		if (nlh->nlmsg_type < NLMSG_MIN_TYPE)
			continue;
		ret = fn(nlh, ctx);
		if (ret)
			return ret;
	}
	return 0;
}

int nl_stop_fd(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	return signalfd(-1, &signals, SFD_CLOEXEC);
}

int nl_listen(const char *group, nl_fn fn, void *ctx)
{
	struct family family = { .group = group };
	struct pollfd fds[2] = { { .events = POLLIN }, { .events = POLLIN } };
	int ret;

	ret = nl_open(&family);
	if (ret)
		return ret;
	if (mnl_socket_setsockopt(nl.socket, NETLINK_ADD_MEMBERSHIP,
				  &family.group_id, sizeof(int)) < 0)
		return report_errno("netlink: events");
	fds[0].fd = nl_stop_fd();
	fds[1].fd = mnl_socket_get_fd(nl.socket);
	if (fds[0].fd < 0)
		return report_errno("signalfd");
	while (!ret) {
		if (poll(fds, 2, -1) < 0)
			return report_errno("poll");
		if (fds[0].revents)
			return STATUS_OK;
		ret = listen_once(fn, ctx);
	}
	return ret;
}

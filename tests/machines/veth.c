// SPDX-License-Identifier: GPL-2.0
/* veth NAME NETNS: a pair of interfaces NAME, one here, one in NETNS; busybox cannot. */
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct {
	struct nlmsghdr head;
	struct ifinfomsg info;
	uint8_t room[512];
} request = {
	.head.nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)),
	.head.nlmsg_type = RTM_NEWLINK,
	.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL,
};

static struct rtattr *put(int type, const void *data, size_t len)
{
	struct rtattr *attr = (void *)((uint8_t *)&request + request.head.nlmsg_len);

	attr->rta_type = type;
	attr->rta_len = RTA_LENGTH(len);
	if (data)
		memcpy(RTA_DATA(attr), data, len);
	request.head.nlmsg_len += RTA_ALIGN(attr->rta_len);
	return attr;
}

static void end(struct rtattr *attr)
{
	attr->rta_len = (uint8_t *)&request + request.head.nlmsg_len - (uint8_t *)attr;
}

int main(int argc, char **argv)
{
	int netns = argc == 3 ? open(argv[2], O_RDONLY) : -1;
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	struct {
		struct nlmsghdr head;
		struct nlmsgerr error;
		uint8_t rest[1024];
	} answer = { 0 };
	struct rtattr *info, *data, *peer;

	if (netns < 0 || fd < 0) {
		perror("veth");
		return 1;
	}
	put(IFLA_IFNAME, argv[1], strlen(argv[1]) + 1);
	info = put(IFLA_LINKINFO, NULL, 0);
	put(IFLA_INFO_KIND, "veth", 4);
	data = put(IFLA_INFO_DATA, NULL, 0);
	peer = put(VETH_INFO_PEER, NULL, sizeof(struct ifinfomsg));
	put(IFLA_IFNAME, argv[1], strlen(argv[1]) + 1);
	put(IFLA_NET_NS_FD, &netns, sizeof(netns));
	end(peer);
	end(data);
	end(info);
	if (send(fd, &request, request.head.nlmsg_len, 0) < 0 ||
	    recv(fd, &answer, sizeof(answer), 0) < 0 || answer.error.error) {
		fprintf(stderr, "veth: %s\n", strerror(-answer.error.error));
		return 1;
	}
	return 0;
}

// SPDX-License-Identifier: GPL-2.0
/* Through /dev/kmqtt: by read(), by the mapped ring, by netlink, and over a broker elsewhere. */
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <poll.h>
#include <sys/socket.h>

#include "kmqtt_netlink.h"
#include "ways.h"

#define RING_SIZE	0x100000
#define SPINS		2000
#define MOST		50	/* messages in a write */

static struct message messages[MOST];
static int out;

static void open_topic(const char *topic)
{
	int i;

	for (i = 0; i < MOST; i++)
		make_message(&messages[i], topic);
	out = open_device();
}

static void open_writer(void)
{
	open_topic(TOPIC);
}

static void write_each(int count)
{
	while (count--)
		write_all(out, &messages[0], messages[0].head.len);
}

/* All in one write. */
static void write_batch(int count)
{
	static char batch[sizeof(messages)];
	size_t len = messages[0].head.len;
	int i;

	for (i = 0; i < count; i++)
		memcpy(batch + i * len, &messages[i], len);
	write_all(out, batch, count * len);
}

static void read_filter(struct count *c, const char *filter, long total)
{
	static char buf[65536];
	const struct kmqtt_record *r;
	int fd = open_subscriber(filter);
	ssize_t n, at;
	long got;

	c->ready = 1;
	while (c->got < total) {
		n = read(fd, buf, sizeof(buf));
		if (n <= 0)
			die("read");
		for (got = 0, at = 0; at < n; at += r->len, got++)
			r = (const void *)(buf + at);
		c->got += got;
	}
}

static void read_reader(struct count *c, int number, long total)
{
	(void)number;
	read_filter(c, TOPIC, total);
}

static void uplink_reader(struct count *c, int number, long total)
{
	(void)number;
	read_filter(c, "down/x", total);
}

static void open_uplink(void)
{
	open_topic("up/x");
}

/* The loop of a reader, as uapi/kmqtt.h gives it; it looks again for a while before it sleeps. */
static void ring_reader(struct count *c, int number, long total)
{
	struct kmqtt_ring_setup setup = { .size = sizeof(setup), .data_size = RING_SIZE };
	const struct kmqtt_ring_kernel *kernel;
	struct kmqtt_ring_user *user;
	struct pollfd p = { .events = POLLIN };
	const char *map;
	__u64 consumer;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	int spins = 0;

	(void)number;
	p.fd = open_subscriber(TOPIC);
	if (ioctl(p.fd, KMQTT_IOC_RING, &setup))
		die("KMQTT_IOC_RING");
	map = mmap(NULL, setup.map_size, PROT_READ, MAP_SHARED, p.fd, 0);
	user = mmap(NULL, setup.kernel_offset, PROT_READ | PROT_WRITE, MAP_SHARED, p.fd, 0);
	if (map == MAP_FAILED || user == MAP_FAILED)
		die("mmap");
	kernel = (const void *)(map + setup.kernel_offset);
	c->ready = 1;
	while (c->got < total) {
		__u64 producer = __atomic_load_n(&kernel->producer, __ATOMIC_ACQUIRE);
		long got = 0;

		for (consumer = user->consumer; consumer != producer; got++) {
			const struct kmqtt_record *r = (const void *)
				(map + setup.data_offset + (consumer & (RING_SIZE - 1)));

			consumer += r->len;
		}
		__atomic_store_n(&user->consumer, consumer, __ATOMIC_RELEASE);
		c->got += got;
		spins = got ? 0 : spins + 1;
		if (c->got == total)
			break;
		/* with one processor nothing comes while it looks */
		if (cpus > 1 && spins < SPINS &&
		    !__atomic_load_n(&kernel->flags, __ATOMIC_ACQUIRE))
			continue;
		if (poll(&p, 1, -1) != 1 || p.revents & POLLERR)
			die("poll");
	}
}

static struct nlmsghdr *request(char *buf, uint16_t type, uint8_t cmd)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct genlmsghdr *head;

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	head = mnl_nlmsg_put_extra_header(nlh, sizeof(*head));
	head->cmd = cmd;
	head->version = 1;
	return nlh;
}

static int family_attr(const struct nlattr *attr, void *id)
{
	if (mnl_attr_get_type(attr) == CTRL_ATTR_FAMILY_ID)
		*(uint16_t *)id = mnl_attr_get_u16(attr);
	return MNL_CB_OK;
}

/* Sends a request; of messages that come before its acknowledgement, the family's number. */
static uint16_t ask(struct mnl_socket *nl, struct nlmsghdr *nlh)
{
	char buf[8192];
	uint16_t id = 0;
	ssize_t n;

	if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		die("netlink");
	for (;;) {
		n = mnl_socket_recvfrom(nl, buf, sizeof(buf));
		if (n < 0)
			die("netlink");
		nlh = (void *)buf;
		if (nlh->nlmsg_type == NLMSG_ERROR) {
			errno = -((struct nlmsgerr *)mnl_nlmsg_get_payload(nlh))->error;
			if (errno)
				die("netlink");
			return id;
		}
		mnl_attr_parse(nlh, sizeof(struct genlmsghdr), family_attr, &id);
	}
}

static void netlink_reader(struct count *c, int number, long total)
{
	static char buf[65536];
	struct mnl_socket *nl = mnl_socket_open(NETLINK_GENERIC);
	int size = 4 << 20, left;
	struct nlmsghdr *nlh;
	uint16_t family;
	ssize_t n;
	long got;

	(void)number;
	if (!nl || mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0)
		die("netlink");
	setsockopt(mnl_socket_get_fd(nl), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	nlh = request(buf, GENL_ID_CTRL, CTRL_CMD_GETFAMILY);
	mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, KMQTT_FAMILY_NAME);
	family = ask(nl, nlh);
	nlh = request(buf, family, KMQTT_CMD_SUBSCRIBE);
	mnl_attr_put_strz(nlh, KMQTT_A_SUBSCRIPTION_FILTER, TOPIC);
	ask(nl, nlh);
	c->ready = 1;
	while (c->got < total) {
		n = mnl_socket_recvfrom(nl, buf, sizeof(buf));
		if (n <= 0)
			die("netlink");
		nlh = (void *)buf;
		left = n;
		for (got = 0; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left))
			got += nlh->nlmsg_type == family;
		c->got += got;
	}
}

const struct way kmqtt_ways[] = {
	{ "read", NULL, read_reader, open_writer, write_each },
	{ "ring", NULL, ring_reader, open_writer, write_each },
	{ "netlink", NULL, netlink_reader, open_writer, write_each },
	{ "read-batch", NULL, read_reader, open_writer, write_batch },
	{ "ring-batch", NULL, ring_reader, open_writer, write_batch },
	{ "uplink", NULL, uplink_reader, open_uplink, write_each },
	{ 0 },
};

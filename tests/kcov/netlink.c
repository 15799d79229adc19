// SPDX-License-Identifier: GPL-2.0-only
/* Requests of the netlink family, with attributes that are mostly of the right kind. */
#include <arpa/inet.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <kmqtt_netlink.h>

#include "kcov.h"

#define MESSAGE_MAX	(160u << 10)
/* room that an attribute's value needs at most */
#define VALUE_MAX	65536
#define DEPTH		2
/* answers to one request, at most: a dump that goes on is let be */
#define ANSWERS		64

enum nl_kind {
	NL_NONE, NL_U8, NL_U16, NL_U32, NL_U64, NL_BE16, NL_BE32, NL_NAME, NL_TOPIC, NL_FILTER,
	NL_BINARY, NL_PROPS, NL_STREAM, NL_FD, NL_NEST,
};

struct nl_attr {
	uint16_t number;
	uint8_t kind;
	uint8_t nest;			/* NL_NEST: the set of what is in it */
	uint64_t least, most;		/* values or lengths that are right */
};

struct nl_set {
	const struct nl_attr *attrs;
	unsigned int count;
	uint16_t needs;			/* as a nest: which ones it mostly has */
};

struct nl_command {
	const char *name;
	uint8_t number;
	uint8_t set;
	bool dumps;
	uint8_t needs_count;
	uint8_t asked_count;
	uint8_t needs[4];		/* attributes without which it is nothing */
	uint8_t asked[32];		/* attributes that it knows in a request */
};

#include "table.h"

/* A message that is being made. */
struct out {
	uint8_t bytes[MESSAGE_MAX];
	unsigned int len;
};

/* of root and of somebody else; 0: not open */
static int sockets[2];
static uint16_t family;
static uint32_t group;
static uint32_t sequence;
static struct out out;
static uint8_t answer[65536];

static void put(const void *data, unsigned int len)
{
	memcpy(out.bytes + out.len, data, len);
	memset(out.bytes + out.len + len, 0, NLA_ALIGN(len) - len);
	out.len += NLA_ALIGN(len);
}

static void put_attribute(uint16_t number, const void *data, unsigned int len)
{
	struct nlattr head = { .nla_len = sizeof(head) + len, .nla_type = number };

	put(&head, sizeof(head));
	put(data, len);
}

static int open_socket(int flags)
{
	return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | flags, NETLINK_GENERIC);
}

static int socket_of(unsigned int which)
{
	static const int options[] = { NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK };
	int *fd = &sockets[which], one = 1;
	unsigned int i;

	if (*fd)
		return *fd;
	*fd = which ? as_nobody(open_socket, 0) : open_socket(0);
	if (*fd < 0)
		fail("a netlink socket");
	for (i = 0; i < ARRAY_LEN(options); i++)
		setsockopt(*fd, SOL_NETLINK, options[i], &one, sizeof(one));
	return *fd;
}

int netlink_fd(void)
{
	return sockets[0];
}

void netlink_close(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_LEN(sockets); i++) {
		if (sockets[i])
			close(sockets[i]);
		sockets[i] = 0;
	}
}

static void begin(uint16_t type, uint16_t flags, uint8_t cmd, uint8_t version)
{
	struct nlmsghdr head = {
		.nlmsg_type = type,
		.nlmsg_flags = flags | NLM_F_REQUEST,
		.nlmsg_seq = ++sequence,
	};
	struct genlmsghdr genl = { .cmd = cmd, .version = version };

	out.len = 0;
	put(&head, sizeof(head));
	put(&genl, sizeof(genl));
}

static bool send_out(int fd)
{
	((struct nlmsghdr *)out.bytes)->nlmsg_len = out.len;
	return send(fd, out.bytes, out.len, MSG_DONTWAIT) == (ssize_t)out.len;
}

static const void *find(const void *attrs, int len, unsigned int number)
{
	const struct nlattr *one = attrs;

	while (len >= (int)sizeof(*one) && one->nla_len >= sizeof(*one)) {
		if ((one->nla_type & NLA_TYPE_MASK) == number)
			return one;
		len -= NLA_ALIGN(one->nla_len);
		one = (const void *)((const uint8_t *)one + NLA_ALIGN(one->nla_len));
	}
	return NULL;
}

/* The family's numbers, which are those of the module for as long as it is loaded. */
void netlink_resolve(void)
{
	const unsigned int head = NLMSG_HDRLEN + GENL_HDRLEN;
	const struct nlattr *one;
	int fd = socket_of(0), len;

	begin(GENL_ID_CTRL, 0, CTRL_CMD_GETFAMILY, 1);
	put_attribute(CTRL_ATTR_FAMILY_NAME, KMQTT_FAMILY_NAME, sizeof(KMQTT_FAMILY_NAME));
	send_out(fd);
	len = recv(fd, answer, sizeof(answer), 0);
	one = len > (int)head ? find(answer + head, len - head, CTRL_ATTR_FAMILY_ID) : NULL;
	if (!one)
		fail("there is no netlink family kmqtt");
	memcpy(&family, one + 1, sizeof(family));
	one = find(answer + head, len - head, CTRL_ATTR_MCAST_GROUPS);
	if (one)
		one = find(one + 2, one->nla_len - 2 * sizeof(*one), CTRL_ATTR_MCAST_GRP_ID);
	if (!one)
		fail("the family has no group");
	memcpy(&group, one + 1, sizeof(group));
	netlink_close();
}

static uint64_t integer(const struct nl_attr *attr, struct input *in)
{
	uint8_t code = in8(in);
	uint64_t value = attr->least + (code & 3);

	if (code >= 240)
		return code & 1 ? attr->most + 1 : attr->least - 1;
	if (code >= 208)
		return number(in);
	if (code >= 176)
		return attr->most - (code & 1);
	return value > attr->most ? attr->most : value;
}

static uint32_t descriptor(struct input *in)
{
	uint8_t code = in8(in);

	if (code < 208)
		return peer_fd(code & 1);
	switch (code & 3) {
	case 0:
		return netlink_fd();
	case 1:
		return device_fd(code >> 2);
	case 2:
		return 999;
	default:
		/* that is /dev/null, what is ours being elsewhere */
		return code & 4 ? 1 : number(in);
	}
}

static unsigned int binary(const struct nl_attr *attr, struct input *in, uint8_t *value)
{
	uint8_t code = in8(in);
	unsigned int len = attr->least == attr->most && code < 240 ? attr->most : length(in);

	/* of an address: any, or one's own */
	memset(value, attr->most == 16 ? 0 : code, len);
	if (attr->most == 16 && len == 16)
		value[15] = code & 1;
	if (len > attr->most && code < 240)
		len = attr->most;
	return len < VALUE_MAX - 64 ? len : VALUE_MAX - 64;
}

static unsigned int text(struct text from, uint8_t *value)
{
	memcpy(value, from.bytes, from.len);
	value[from.len] = 0;
	return from.len + 1;
}

static unsigned int stream(struct text from, uint8_t *value)
{
	memcpy(value, from.bytes, from.len);
	return from.len;
}

/* Return: bytes of @value; what has no value in a request gets one all the same */
static unsigned int value_of(const struct nl_attr *attr, struct input *in, uint8_t *value)
{
	uint64_t wide;
	uint32_t word;
	uint16_t half;

	switch (attr->kind) {
	case NL_NAME:
		return text(text_name(in), value);
	case NL_TOPIC:
		return text(text_topic(in), value);
	case NL_FILTER:
		return text(text_filter(in), value);
	case NL_PROPS:
		return stream(text_props(in), value);
	case NL_STREAM:
		return stream(peer_stream(in8(in)), value);
	case NL_FD:
		word = descriptor(in);
		memcpy(value, &word, sizeof(word));
		return sizeof(word);
	case NL_BE16:
		word = in8(in);
		half = htons(word < 224 ? 1883 + (word & 1) : number(in));
		memcpy(value, &half, sizeof(half));
		return sizeof(half);
	case NL_BE32:
		word = in8(in);
		word = htonl(word < 192 ? INADDR_LOOPBACK : word < 224 ? 0 : number(in));
		memcpy(value, &word, sizeof(word));
		return sizeof(word);
	case NL_BINARY:
		return binary(attr, in, value);
	default:
		/* the least significant bytes come first here */
		wide = integer(attr, in);
		memcpy(value, &wide, sizeof(wide));
		return attr->kind == NL_U8 ? 1 : attr->kind == NL_U16 ? 2 :
		       attr->kind == NL_U32 ? 4 : 8;
	}
}

static void put_value(const struct nl_attr *attr, struct input *in, unsigned int depth)
{
	static uint8_t value[VALUE_MAX];
	unsigned int start = out.len, i;
	uint16_t mask;

	/* what follows must have room, too */
	if (out.len > MESSAGE_MAX - VALUE_MAX - 8192)
		return;
	if (attr->kind != NL_NEST || depth == DEPTH) {
		put_attribute(attr->number, value, value_of(attr, in, value));
		return;
	}
	put_attribute(attr->number | NLA_F_NESTED, NULL, 0);
	mask = in8(in);
	mask = mask < 160 ? nl_sets[attr->nest].needs : mask << 8 | in8(in);
	for (i = 0; i < nl_sets[attr->nest].count && i < 16; i++)
		if (mask & 1 << i)
			put_value(&nl_sets[attr->nest].attrs[i], in, depth + 1);
	((struct nlattr *)(out.bytes + start))->nla_len = out.len - start;
}

static void put_attributes(const struct nl_command *cmd, struct input *in)
{
	const struct nl_set *set = &nl_sets[cmd->set];
	uint8_t code = in8(in);
	unsigned int count = code < 160 ? code & 3 : code % 10, i;
	uint8_t which;

	if (in8(in) < 224)
		for (i = 0; i < cmd->needs_count; i++)
			put_value(&set->attrs[cmd->needs[i] - 1], in, 0);
	for (i = 0; i < count && in->left; i++) {
		which = in8(in);
		if (which < 244 && cmd->asked_count)
			put_value(&set->attrs[cmd->asked[which % cmd->asked_count] - 1], in, 0);
		else if (which >= 244)
			put_value(&set->attrs[which % set->count], in, 0);
	}
}

/* Something about the message is wrong. */
static void damage(struct input *in, uint8_t code)
{
	struct nlmsghdr *head = (struct nlmsghdr *)out.bytes;
	unsigned int at = NLMSG_HDRLEN + in8(in) % (out.len - NLMSG_HDRLEN);

	switch (code & 3) {
	case 0:
		out.bytes[at] = in8(in);
		break;
	case 1:
		out.len = at & ~3u;
		break;
	case 2:
		head->nlmsg_flags = in8(in) << 8 | NLM_F_REQUEST;
		break;
	default:
		put_attribute(in8(in) << 8 | in8(in), out.bytes, at);
	}
}

/* What has come. Return: was the request of @wanted done? */
static bool receive(int fd, uint32_t wanted)
{
	bool done = false;
	unsigned int i;

	for (i = 0; i < ANSWERS; i++) {
		int len = recv(fd, answer, sizeof(answer), MSG_DONTWAIT);
		const struct nlmsghdr *head = (const void *)answer;
		const struct nlmsgerr *error = NLMSG_DATA(head);

		/* its session was killed, or something was lost; the next one may be there */
		if (len < 0 && i)
			break;
		for (; len >= (int)sizeof(*head) && NLMSG_OK(head, (unsigned int)len);
		     head = NLMSG_NEXT(head, len)) {
			error = NLMSG_DATA(head);
			if (head->nlmsg_seq == wanted &&
			    (head->nlmsg_type == NLMSG_ERROR || head->nlmsg_type == NLMSG_DONE))
				done = !error->error;
		}
	}
	return done;
}

static void request(struct input *in)
{
	uint8_t which = in8(in), how = in8(in), sock = in8(in), broken;
	const struct nl_command *cmd = &nl_commands[which % ARRAY_LEN(nl_commands)];
	bool dump = cmd->dumps ? how & 1 : how >= 252;
	int fd = socket_of(sock >= 232);

	begin(family, dump ? NLM_F_DUMP : NLM_F_ACK, cmd->number, how < 248);
	put_attributes(cmd, in);
	broken = in8(in);
	if (broken >= 240)
		damage(in, broken);
	if (!send_out(fd))
		return;
	/* or what comes is left for later */
	if (how < 128 || how & 2)
		note(cmd->name, receive(fd, sequence));
}

void netlink_op(enum op op, struct input *in)
{
	uint8_t code;

	switch (op) {
	case OP_MEMBER:
		code = in8(in);
		setsockopt(socket_of(code >= 232), SOL_NETLINK,
			   code & 1 ? NETLINK_DROP_MEMBERSHIP : NETLINK_ADD_MEMBERSHIP, &group,
			   sizeof(group));
		break;
	case OP_RECEIVE:
		receive(socket_of(in8(in) >= 232), 0);
		break;
	case OP_LEAVE:
		netlink_close();
		break;
	default:
		request(in);
	}
}

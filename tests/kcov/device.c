// SPDX-License-Identifier: GPL-2.0-only
/* Operations on /dev/kmqtt. */
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <kmqtt.h>

#include "kcov.h"

#define WRITE_MAX	(128u << 10)
#define IOVS		8

/* An open file. */
struct slot {
	int fd;				/* 0: not open */
	bool waits;			/* without O_NONBLOCK */
	uint64_t last;			/* number of the last delivery that was read */
	struct kmqtt_ring_setup setup;
	struct ring ring;
};

static struct slot slots[SLOTS];
static uint8_t scratch[WRITE_MAX];

static uint64_t address(const void *p)
{
	return (uintptr_t)p;
}

/* Which of @bits are set: mostly none. */
static uint32_t some_flags(struct input *in, uint32_t bits)
{
	uint8_t code = in8(in);

	if (code == 255)
		return in32(in);
	return code & 1 ? code >> 1 & bits : 0;
}

static int call(struct slot *s, const char *name, unsigned long cmd, void *arg)
{
	int ret;

	timer(s->waits);
	ret = ioctl(s->fd, cmd, arg);
	timer(false);
	note(name, !ret);
	return ret;
}

/* @known bytes of a struct, the first of which say its size: that is mostly right. */
static void *put_struct(struct input *in, void *data, uint32_t known)
{
	uint8_t code = in8(in);
	uint8_t longer[256] = { 0 };
	uint32_t size = known;

	memcpy(longer, data, known);
	if (code >= 248) {
		size = code == 248 ? number(in) : known + (code & 7) * 8 - 24;
		longer[(code * 8u) % sizeof(longer)] |= code == 255;
	}
	memcpy(longer, &size, sizeof(size));
	return memory_put(in, longer, size < sizeof(longer) && size > known ? size : known);
}

static int open_device(int flags)
{
	return open(KMQTT_DEVICE, flags | O_CLOEXEC);
}

static void close_slot(struct slot *s)
{
	ring_unmap(&s->ring);
	if (s->fd)
		close(s->fd);
	memset(s, 0, sizeof(*s));
}

static void open_slot(struct slot *s, uint8_t code)
{
	int flags = code & 16 && code & 32 ? (code & 64 ? O_RDONLY : O_WRONLY) : O_RDWR;

	close_slot(s);
	s->waits = (code & 15) == 15;
	if (!s->waits)
		flags |= O_NONBLOCK;
	s->fd = code >= 224 ? as_nobody(open_device, flags) : open_device(flags);
	note("open", s->fd > 0);
	if (s->fd < 0)
		s->fd = 0;
}

static void op_open(struct slot *s, struct input *in)
{
	open_slot(s, in8(in));
}

static void op_session(struct slot *s, struct input *in)
{
	static const uint32_t expiries[] = { 0, 60, 1, 0xffffffff };
	uint8_t named = in8(in);
	uint8_t code = in8(in);
	struct text name = text_name(in);
	struct kmqtt_session_conf conf = {
		.flags = some_flags(in, 0xf),
		.policy = in8(in) % (code < 248 ? 5 : 6),
		.max_queued_messages = code & 1 ? number(in) : 0,
		.max_queued_bytes = code & 2 ? number(in) : 0,
		.max_inflight = code & 4 ? number(in) : 0,
	};

	if (named & 1) {
		conf.name = address(memory_put(in, name.bytes, name.len));
		conf.name_len = named < 248 ? name.len : number(in);
		conf.expiry = expiries[code >> 3 & 3];
	}
	call(s, "session", KMQTT_IOC_SESSION, put_struct(in, &conf, sizeof(conf)));
}

static void op_subscribe(struct slot *s, struct input *in)
{
	struct text filter = text_filter(in);
	uint8_t code = in8(in);
	struct kmqtt_subscription sub = {
		.filter = address(memory_put(in, filter.bytes, filter.len)),
		.filter_len = filter.len,
		.flags = some_flags(in, 3),
		.qos = code < 248 ? code % 3 : code,
		.retain_handling = code < 248 ? code / 3 % 3 : code,
		.sub_id = code & 64 ? number(in) : 0,
	};

	if (code == 255) {
		sub.filter_len = number(in);
		sub.reserved[in8(in) % 6] = 1;
	}
	call(s, "subscribe", KMQTT_IOC_SUBSCRIBE, put_struct(in, &sub, sizeof(sub)));
}

static void op_unsubscribe(struct slot *s, struct input *in)
{
	struct text filter = text_filter(in);
	struct kmqtt_subscription sub = {
		.filter = address(memory_put(in, filter.bytes, filter.len)),
		.filter_len = filter.len,
		.sub_id = in8(in) == 255,
	};

	call(s, "unsubscribe", KMQTT_IOC_UNSUBSCRIBE, put_struct(in, &sub, sizeof(sub)));
}

/* One record at @to. Return: its bytes, or 0 if there is no room */
static size_t put_record(uint8_t *to, size_t room, struct text topic, struct text props,
			 unsigned int payload, uint8_t flags)
{
	struct kmqtt_record rec = {
		.len = KMQTT_REC_SIZE(topic.len, props.len, payload),
		.type = KMQTT_REC_MESSAGE,
		.flags = flags & 4 ? KMQTT_REC_RETAIN : 0,
		.topic_len = topic.len,
		.qos = flags % 4 == 3 ? 0 : flags % 4,
		.props_len = props.len,
		.payload_len = payload,
		.expiry = flags & 8 ? flags >> 4 : 0,
	};

	if (rec.len > room)
		return 0;
	memset(to, 'x', rec.len);
	memcpy(to, &rec, sizeof(rec));
	memcpy(to + sizeof(rec), topic.bytes, topic.len);
	to[sizeof(rec) + topic.len] = 0;
	memcpy(to + sizeof(rec) + topic.len + 1, props.bytes, props.len);
	return rec.len;
}

/* Records that are alike, or not all; one of them damaged, if any. Return: bytes in scratch */
static size_t put_records(struct input *in, unsigned int most)
{
	struct text topic = text_topic(in), other = text_topic(in), props = text_props(in);
	uint8_t flags = in8(in), vary = in8(in), code = in8(in), damage;
	unsigned int payload = length(in), count, i;
	/* what copies much takes long, and shows little */
	size_t len = 0, each, room = code == 255 ? sizeof(scratch) : sizeof(scratch) / 8;

	count = code < 96 ? 1 : 1 + code % 80;
	if (count > most)
		count = most;
	for (i = 0; i < count; i++) {
		bool odd = vary >= 192 && (vary & 7) == (i & 7);

		each = put_record(scratch + len, room - len, odd ? other : topic, props,
				  payload, odd ? flags ^ vary : flags);
		if (!each)
			break;
		len += each;
	}
	damage = in8(in);
	if (damage >= 224 && len)
		scratch[damage & 8 ? in32(in) % len : in8(in) % 64 % len] ^= in8(in);
	return len;
}

static void op_write(struct slot *s, struct input *in)
{
	size_t len = put_records(in, 1000);
	void *data = memory_put(in, scratch, len);
	ssize_t done;

	if (in8(in) >= 248)
		len = number(in) & 0xfffff;
	timer(s->waits);
	done = write(s->fd, data, len);
	timer(false);
	note("write", done > 0);
}

/* The same in pieces, which break where they like. */
static unsigned int pieces(struct input *in, struct iovec *iov, uint8_t *data, size_t len)
{
	unsigned int i, count = 1 + in8(in) % IOVS;
	size_t at = 0, piece;

	for (i = 0; i < count; i++) {
		piece = i + 1 == count ? len - at : len * (in8(in) & 127) / 128;
		if (piece > len - at)
			piece = len - at;
		iov[i].iov_base = data + at;
		iov[i].iov_len = piece;
		at += piece;
	}
	return count;
}

static void op_writev(struct slot *s, struct input *in)
{
	struct iovec iov[IOVS];
	size_t len = put_records(in, 1000);
	unsigned int count = pieces(in, iov, memory_put(in, scratch, len), len);
	ssize_t done;

	timer(s->waits);
	done = writev(s->fd, iov, count);
	timer(false);
	note("writev", done > 0);
}

static void op_read(struct slot *s, struct input *in)
{
	struct iovec iov[IOVS];
	uint8_t code = in8(in);
	size_t size = code < 192 ? 65536 : length(in) + (code & 7) * 8;
	uint8_t *room = memory_room(in, size);
	struct kmqtt_record rec;
	ssize_t done, at;

	timer(s->waits);
	done = code & 1 ? readv(s->fd, iov, pieces(in, iov, room, size)) :
			  read(s->fd, room, size);
	timer(false);
	note("read", done > 0);
	for (at = 0; at + (ssize_t)sizeof(rec) <= done; at += rec.len) {
		memcpy(&rec, room + at, sizeof(rec));
		if (rec.len < sizeof(rec))
			fail("a record that was read is shorter than its head");
		if (rec.flags & KMQTT_REC_ACK)
			s->last = rec.id;
	}
}

static void op_poll(struct slot *s, struct input *in)
{
	struct pollfd one = { .fd = s->fd, .events = in8(in) & 1 ? POLLIN : POLLIN | POLLOUT };

	note("poll", poll(&one, 1, 0) > 0);
}

static void op_ack(struct slot *s, struct input *in)
{
	uint8_t code = in8(in);
	struct kmqtt_ack ack = {
		.flags = code < 248 ? code & 1 : code,
		.id = code & 2 ? number(in) : s->last - (code >> 2 & 3),
	};

	call(s, "ack", KMQTT_IOC_ACK, put_struct(in, &ack, sizeof(ack)));
}

static void op_publish(struct slot *s, struct input *in)
{
	size_t len = put_records(in, in8(in) < 248 ? 1 : 2);
	struct kmqtt_publish_wait pub = {
		.timeout_ms = 1 + in8(in) % 16,
		.record = address(memory_put(in, scratch, len)),
		.len = in8(in) < 248 ? len : number(in),
	};
	struct slot waits = { .fd = s->fd, .waits = true };

	call(&waits, "publish", KMQTT_IOC_PUBLISH, put_struct(in, &pub, sizeof(pub)));
}

static void op_info(struct slot *s, struct input *in)
{
	struct kmqtt_file_stats stats = { .size = 0 };

	if (in8(in) & 1)
		call(s, "stats", KMQTT_IOC_STATS, put_struct(in, &stats, sizeof(stats)));
	else
		call(s, "info", KMQTT_IOC_INFO,
		     put_struct(in, &stats, sizeof(struct kmqtt_info)));
}

static void op_ring(struct slot *s, struct input *in)
{
	static const uint32_t sizes[] = { 4096, 8192, 65536, 1 << 20 };
	uint8_t code = in8(in);
	struct kmqtt_ring_setup setup = {
		.data_size = code < 240 ? sizes[code % 4] : number(in) & ~(15ull << 20),
		.flags = code == 255,
	};
	struct kmqtt_ring_setup *arg = put_struct(in, &setup, sizeof(setup));

	if (!call(s, "ring", KMQTT_IOC_RING, arg) && arg->size == sizeof(setup))
		s->setup = *arg;
	/* mostly the next thing that one does with it */
	if (s->setup.map_size && code & 4)
		ring_map(&s->ring, s->fd, &s->setup, in);
}

static void op_map(struct slot *s, struct input *in)
{
	ring_map(&s->ring, s->fd, &s->setup, in);
}

static void op_store(struct slot *s, struct input *in)
{
	ring_store(&s->ring, in);
}

static void op_storm(struct slot *s, struct input *in)
{
	ring_storm(&s->ring, in);
}

static void op_fsync(struct slot *s, struct input *in)
{
	(void)in;
	timer(true);
	note("fsync", !fsync(s->fd));
	timer(false);
}

static void op_any(struct slot *s, struct input *in)
{
	uint8_t code = in8(in);
	uint32_t cmd = _IOC(code >> 6, KMQTT_IOC_MAGIC, code & 15, in8(in));
	uint32_t bytes[16];
	unsigned int i;

	/* what waits says itself for how long */
	if (_IOC_NR(cmd) == _IOC_NR(KMQTT_IOC_PUBLISH))
		cmd++;
	bytes[0] = number(in);
	for (i = 1; i < ARRAY_LEN(bytes); i++)
		bytes[i] = number(in);
	call(s, "any ioctl", cmd, memory_put(in, bytes, sizeof(bytes)));
}

static void op_close(struct slot *s, struct input *in)
{
	(void)in;
	close_slot(s);
}

static void (*const operations[])(struct slot *s, struct input *in) = {
	[OP_OPEN] = op_open,
	[OP_SESSION] = op_session,
	[OP_SUBSCRIBE] = op_subscribe,
	[OP_UNSUBSCRIBE] = op_unsubscribe,
	[OP_WRITE] = op_write,
	[OP_WRITEV] = op_writev,
	[OP_READ] = op_read,
	[OP_POLL] = op_poll,
	[OP_ACK] = op_ack,
	[OP_PUBLISH] = op_publish,
	[OP_INFO] = op_info,
	[OP_RING] = op_ring,
	[OP_MAP] = op_map,
	[OP_STORE] = op_store,
	[OP_STORM] = op_storm,
	[OP_FSYNC] = op_fsync,
	[OP_ANY] = op_any,
	[OP_CLOSE] = op_close,
};

/* Mostly with one of the first two files, which is opened if it is not. */
void device_op(enum op op, struct input *in)
{
	uint8_t code = in8(in);
	struct slot *s = &slots[code < 192 ? code & 1 : code % SLOTS];

	if (!s->fd)
		open_slot(s, 0);
	if (s->fd)
		operations[op](s, in);
}

/* 0: it is not open */
int device_fd(unsigned int slot)
{
	return slots[slot % SLOTS].fd;
}

void device_close(void)
{
	unsigned int i;

	for (i = 0; i < SLOTS; i++)
		close_slot(&slots[i]);
}

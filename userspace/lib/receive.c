// SPDX-License-Identifier: LGPL-2.1-or-later
/* Receiving: by read() into a buffer, or from the ring. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

/* What one read() can take; grows to the size of the largest message. */
#define BUF_SIZE	65536
/* No message is larger: a packet has at most 268435455 bytes (MQTT 5.0, 2.1.4). */
#define BUF_SIZE_MAX	(512UL << 20)

void kmqtt_record_view(const struct kmqtt_record *rec,
		       struct kmqtt_message *msg)
{
	const unsigned char *p = (const unsigned char *)(rec + 1);

	msg->topic = (const char *)p;
	msg->topic_len = rec->topic_len;
	p += rec->topic_len + 1;
	msg->props = p;
	msg->props_len = rec->props_len;
	p += rec->props_len;
	msg->payload = p;
	msg->payload_len = rec->payload_len;
	msg->type = rec->type;
	msg->flags = rec->flags;
	msg->qos = rec->qos;
	msg->expiry = rec->expiry;
	msg->sub_id = rec->sub_id;
	msg->id = rec->id;
	msg->time_ns = rec->time_ns;
}

ssize_t kmqtt_read(struct kmqtt *k, void *buf, size_t size)
{
	return read(k->fd, buf, size);
}

int kmqtt_message_next(size_t *pos, const void *buf, size_t len,
		       struct kmqtt_message *msg)
{
	const struct kmqtt_record *rec;

	if (*pos >= len || len - *pos < sizeof(*rec))
		return 0;
	rec = (const void *)((const unsigned char *)buf + *pos);
	if (rec->len > len - *pos || rec->len < sizeof(*rec))
		return 0;
	kmqtt_record_view(rec, msg);
	*pos += rec->len;
	return 1;
}

static int buf_grow(struct kmqtt *k)
{
	size_t size = k->buf_size ? k->buf_size * 2 : BUF_SIZE;
	void *buf;

	if (size > BUF_SIZE_MAX) {
		errno = EMSGSIZE;
		return -1;
	}
	/* Nothing in it is worth copying: it was handed out. */
	buf = malloc(size);
	if (!buf)
		return -1;
	free(k->buf);
	k->buf = buf;
	k->buf_size = size;
	return 0;
}

/* One read() into an empty buffer: 1, 0 if nothing is there, -1. */
static int buf_fill(struct kmqtt *k)
{
	ssize_t n;

	k->buf_pos = 0;
	k->buf_len = 0;
	if (!k->buf && buf_grow(k) < 0)
		return -1;
	for (;;) {
		n = read(k->fd, k->buf, k->buf_size);
		if (n >= 0)
			break;
		if (errno == EAGAIN)
			return 0;
		if (errno != EMSGSIZE || buf_grow(k) < 0)
			return -1;
	}
	if (!n) {
		/* The device has no end of file but this. */
		errno = ESHUTDOWN;
		return -1;
	}
	k->buf_len = n;
	return 1;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000) + ts.tv_nsec / 1000000;
}

/* What poll() says of the session: revents; 0: nothing in time; -1. */
static int wait_readable(struct kmqtt *k, int timeout_ms)
{
	struct pollfd p = { .fd = k->fd, .events = POLLIN };
	int ret = poll(&p, 1, timeout_ms);

	return ret > 0 ? p.revents : ret;
}

static int receive_ring(struct kmqtt *k, struct kmqtt_message *msg,
			int timeout_ms)
{
	int ret;

	kmqtt_ring_release(k);
	ret = kmqtt_ring_next(k, msg);
	if (ret)
		return ret;
	/* poll() also moves what waits in the session's queue into the ring. */
	ret = wait_readable(k, timeout_ms);
	if (ret <= 0)
		return ret;
	if (kmqtt_ring_next(k, msg))
		return 1;
	if (!(ret & (POLLHUP | POLLERR)))
		return 0;
	errno = ret & POLLHUP ? ESHUTDOWN : EBADMSG;
	return -1;
}

static int receive_read(struct kmqtt *k, struct kmqtt_message *msg,
			int timeout_ms)
{
	int ret;

	if (kmqtt_message_next(&k->buf_pos, k->buf, k->buf_len, msg))
		return 1;
	/* A read() that may wait as long as it likes needs no poll() before. */
	if (k->nonblock || timeout_ms >= 0) {
		ret = wait_readable(k, timeout_ms);
		if (ret <= 0)
			return ret;
	}
	ret = buf_fill(k);
	if (ret <= 0)
		return ret;
	return kmqtt_message_next(&k->buf_pos, k->buf, k->buf_len, msg);
}

int kmqtt_receive(struct kmqtt *k, struct kmqtt_message *msg, int timeout_ms)
{
	int64_t end = timeout_ms > 0 ? now_ms() + timeout_ms : 0;
	int ret;

	for (;;) {
		if (k->ring.user)
			ret = receive_ring(k, msg, timeout_ms);
		else
			ret = receive_read(k, msg, timeout_ms);
		if (ret || !timeout_ms)
			return ret;
		if (timeout_ms > 0) {
			int64_t left = end - now_ms();

			timeout_ms = left > 0 ? (int)left : 0;
		}
	}
}

int kmqtt_message_prop(const struct kmqtt_message *msg, enum kmqtt_prop id,
		       struct kmqtt_prop_view *out)
{
	const unsigned char *pos = msg->props;
	const unsigned char *end = pos + msg->props_len;

	while (kmqtt_prop_next(&pos, end, out))
		if (out->id == id)
			return 1;
	return 0;
}

const char *kmqtt_message_user(const struct kmqtt_message *msg,
			       const char *name, size_t *len)
{
	const unsigned char *pos = msg->props;
	const unsigned char *end = pos + msg->props_len;
	size_t name_len = strlen(name);
	struct kmqtt_prop_view prop;

	while (kmqtt_prop_next(&pos, end, &prop)) {
		if (prop.id != KMQTT_PROP_USER || prop.len != name_len ||
		    memcmp(prop.data, name, name_len))
			continue;
		*len = prop.value_len;
		return prop.value;
	}
	return NULL;
}

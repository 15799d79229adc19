// SPDX-License-Identifier: GPL-2.0
/* kmqtt bench: one client. Packets by hand, so that they cost next to nothing. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

#define READ_SIZE	(256 * 1024)

/* Packet types, as the upper half of their first byte. */
enum {
	CONNECT = 1, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBSCRIBE, SUBACK,
	DISCONNECT = 14,
};

#define RECEIVE_MAXIMUM	0x21

struct bench bench;

/* What arrives at any client, behind what it carries. */
static uint8_t input[sizeof(((struct peer *)0)->carry) + READ_SIZE];

/* Room for so many more bytes. */
static uint8_t *room(struct peer *p, size_t len)
{
	if (p->out_len + len > p->out_size) {
		p->out_size = 2 * (p->out_len + len);
		p->out = realloc(p->out, p->out_size);
		if (!p->out)
			bench_fail("out of memory");
	}
	return p->out + p->out_len;
}

static uint8_t *put_16(uint8_t *b, unsigned int value)
{
	*b++ = value >> 8;
	*b++ = value;
	return b;
}

static uint8_t *put_bytes(uint8_t *b, const void *data, size_t len)
{
	memcpy(put_16(b, len), data, len);
	return b + 2 + len;
}

static uint8_t *put_head(uint8_t *b, unsigned int first, size_t left)
{
	*b++ = first;
	for (; left > 127; left >>= 7)
		*b++ = left | 128;
	*b++ = left;
	return b;
}

static void put_32(uint8_t *b, uint32_t value)
{
	memcpy(b, &value, sizeof(value));
}

static uint32_t get_32(const uint8_t *b)
{
	uint32_t value;

	memcpy(&value, b, sizeof(value));
	return value;
}

int peer_dial(void)
{
	const struct server *server = &bench.conf->server;
	int one = 1, fd = socket(server->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = server->addr.ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) :
							     sizeof(struct sockaddr_in);

	if (fd < 0 || connect(fd, (const struct sockaddr *)&server->addr, len))
		bench_fail("%s: %s", server->host, strerror(errno));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

void peer_connect(struct peer *p, unsigned int id)
{
	const struct bench_conf *c = bench.conf;
	size_t user = c->username ? 2 + strlen(c->username) : 0;
	size_t password = c->password ? 2 + c->password_len : 0;
	char name[24];
	int len = snprintf(name, sizeof(name), "bench%u-%u", getpid() % 100000, id);
	size_t left = 10 + (c->version == 5) + 2 + len + user + password;
	uint8_t *b = put_head(room(p, left + 5), CONNECT << 4, left);

	p->fd = peer_dial();
	b = put_bytes(b, "MQTT", 4);
	*b++ = c->version;
	/* Clean Session or Clean Start, and no Keep Alive */
	*b++ = 2 | (user ? 128 : 0) | (password ? 64 : 0);
	b = put_16(b, 0);
	if (c->version == 5)
		*b++ = 0;
	b = put_bytes(b, name, len);
	if (user)
		b = put_bytes(b, c->username, user - 2);
	if (password)
		b = put_bytes(b, c->password, password - 2);
	p->out_len = b - p->out;
}

void peer_connack(struct peer *p)
{
	uint8_t rest[128], head[4];

	peer_flush(p);
	if (recv(p->fd, head, 4, MSG_WAITALL) != 4 || head[0] != CONNACK << 4 || head[3] ||
	    head[1] > 127)
		bench_fail("the broker refused to connect");
	/* properties, which a close would answer with a reset if they were not read */
	if (head[1] > 2 && recv(p->fd, rest, head[1] - 2, MSG_WAITALL) != head[1] - 2)
		bench_fail("the broker closed a connection");
}

static uint16_t new_id(struct peer *p)
{
	if (!++p->id)
		p->id = 1;
	return p->id;
}

void peer_subscribe(struct peer *p, int (*filter)(char *text, uint64_t number), uint64_t first,
		    uint64_t step, unsigned int count)
{
	bool v5 = bench.conf->version == 5;
	size_t left = 2 + v5;
	char text[64];
	unsigned int i;
	uint8_t *b;

	for (i = 0; i < count; i++)
		left += 3 + filter(text, first + i * step);
	b = put_head(room(p, left + 5), SUBSCRIBE << 4 | 2, left);
	b = put_16(b, new_id(p));
	if (v5)
		*b++ = 0;
	for (i = 0; i < count; i++) {
		b = put_bytes(b, text, filter(text, first + i * step));
		*b++ = bench.conf->qos;
	}
	p->out_len = b - p->out;
	p->subacks++;
	p->up = false;
}

void peer_publish(struct peer *p, const char *topic, size_t len, size_t size, bool retain)
{
	unsigned int qos = bench.conf->qos;
	bool v5 = bench.conf->version == 5;
	size_t left = 2 + len + (qos ? 2 : 0) + v5 + size;
	uint8_t *b = put_head(room(p, left + 5), PUBLISH << 4 | qos << 1 | retain, left);

	b = put_bytes(b, topic, len);
	if (qos)
		b = put_16(b, new_id(p));
	if (v5)
		*b++ = 0;
	if (size) {
		uint64_t ns = bench.arrived ? bench_now() : 0;

		put_32(b, p->number);
		put_32(b + 4, p->sent);
		memcpy(b + 8, &ns, sizeof(ns));
		memset(b + BENCH_SIZE_MIN, 'x', size - BENCH_SIZE_MIN);
	}
	p->out_len = b + size - p->out;
	p->sent++;
}

static void put_ack(struct peer *p, unsigned int first, const uint8_t *id)
{
	uint8_t *b = room(p, 4);

	b[0] = first;
	b[1] = 2;
	b[2] = id[0];
	b[3] = id[1];
	p->out_len += 4;
}

void peer_flush(struct peer *p)
{
	while (p->out_gone < p->out_len) {
		ssize_t n = send(p->fd, p->out + p->out_gone, p->out_len - p->out_gone,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0)
			bench_fail("send: %s", strerror(errno));
		p->out_gone += n;
	}
	p->out_gone = 0;
	p->out_len = 0;
}

void peer_disconnect(struct peer *p)
{
	static const uint8_t packet[] = { DISCONNECT << 4, 0 };

	/* whoever has closed already has heard enough */
	if (send(p->fd, packet, sizeof(packet), MSG_NOSIGNAL) < 0 && errno != EPIPE &&
	    errno != ECONNRESET)
		bench_fail("send: %s", strerror(errno));
	close(p->fd);
	free(p->out);
	free(p->next);
}

/* Bytes of the value of a property of CONNACK at @b, or SIZE_MAX. */
static size_t property_len(unsigned int id, const uint8_t *b, const uint8_t *end)
{
	size_t len;

	switch (id) {
	case 0x11: case 0x27:
		return 4;
	case 0x13: case RECEIVE_MAXIMUM: case 0x22:
		return 2;
	case 0x24: case 0x25: case 0x28: case 0x29: case 0x2a:
		return 1;
	case 0x26:
		if (end - b < 2)
			return SIZE_MAX;
		len = 2 + (b[0] << 8 | b[1]);
		if (end - b < (ssize_t)len + 2)
			return SIZE_MAX;
		return len + 2 + (b[len] << 8 | b[len + 1]);
	default:
		return end - b < 2 ? SIZE_MAX : 2u + (b[0] << 8 | b[1]);
	}
}

static void connack(struct peer *p, const uint8_t *b, size_t left)
{
	const uint8_t *end = b + left;

	if (left < 2 || b[1])
		bench_fail("the broker refused to connect: code %u", left < 2 ? 0 : b[1]);
	p->up = !p->subacks;
	if (bench.conf->version != 5 || left < 3)
		return;
	/* All of them are shorter than 128 bytes, or there is none that matters. */
	if (b[2] > 127)
		return;
	for (b += 3; b < end; ) {
		unsigned int id = *b++;
		size_t len = property_len(id, b, end);

		if (len > (size_t)(end - b))
			bench_fail("a CONNACK is malformed");
		if (id == RECEIVE_MAXIMUM && (b[0] << 8 | b[1]) < (int)p->inflight_max)
			p->inflight_max = b[0] << 8 | b[1];
		b += len;
	}
}

static void suback(struct peer *p, const uint8_t *b, size_t left)
{
	size_t i = 2 + (bench.conf->version == 5 && left > 2 ? 1 + b[2] : 0);

	for (; i < left; i++)
		if (b[i] & 128)
			bench_fail("the broker refused a subscription: code %u", b[i]);
	p->up = !--p->subacks;
}

/* A packet that is no PUBLISH. */
static void control(struct peer *p, unsigned int type, const uint8_t *b, size_t left)
{
	if (left < 2 && type != DISCONNECT)
		bench_fail("a packet of type %u is malformed", type);
	if (type >= PUBACK && type <= PUBCOMP && left > 2 && b[2] & 128)
		bench_fail("the broker refused a message: code %u", b[2]);
	switch (type) {
	case CONNACK:
		connack(p, b, left);
		break;
	case SUBACK:
		suback(p, b, left);
		break;
	case PUBREC:
		put_ack(p, PUBREL << 4 | 2, b);
		break;
	case PUBREL:
		put_ack(p, PUBCOMP << 4, b);
		break;
	case PUBACK:
	case PUBCOMP:
		p->acked++;
		break;
	case DISCONNECT:
		bench_fail("the broker closed a connection: code %u", left ? b[0] : 0);
	default:
		bench_fail("the broker sent a packet of type %u", type);
	}
}

/* A delivery: is it of the size and the next of its publisher? */
static void delivered(struct peer *p, const uint8_t *payload, size_t size)
{
	const struct bench_conf *c = bench.conf;
	uint32_t from, number;
	uint64_t ns, lost;

	if (p->publisher || size != c->size)
		bench_fail("a message has %zu bytes", size);
	p->got++;
	bench.got++;
	from = get_32(payload);
	number = get_32(payload + 4);
	if (from >= c->publishers || (c->pairs && from != p->number))
		bench_fail("a message came to whom it is not for");
	if (number < p->next[from] && c->mode != BENCH_RETAINED)
		bench_fail("message %u came after message %u", number, p->next[from] - 1);
	/* where each gets only some of them, the sum of all tells */
	if (c->mode == BENCH_FLOW && !c->shared) {
		lost = number - p->next[from];
		p->got += lost;
		bench.got += lost;
		bench.lost += lost;
	}
	p->next[from] = number + 1;
	if (bench.arrived) {
		memcpy(&ns, payload + 8, sizeof(ns));
		bench.arrived(ns);
	}
}

/* The beginning of a PUBLISH, up to what a payload begins with. Return: its bytes, 0: go on */
static size_t publish(struct peer *p, unsigned int first, const uint8_t *b, size_t have,
		      size_t left)
{
	unsigned int qos = first >> 1 & 3;
	size_t at = have < 2 ? 0 : 2 + (b[0] << 8 | b[1]), id = at;

	if (have < 2)
		return 0;
	if (qos)
		at += 2;
	if (bench.conf->version == 5) {
		if (have <= at)
			return 0;
		/* nobody has put in more than fits one byte */
		at += 1 + b[at];
	}
	if (at + BENCH_SIZE_MIN > left)
		bench_fail("a message has %zu bytes", left);
	if (have < at + BENCH_SIZE_MIN)
		return 0;
	if (qos)
		put_ack(p, qos == 1 ? PUBACK << 4 : PUBREC << 4, b + id);
	delivered(p, b + at, left - at);
	p->skip = left - at - BENCH_SIZE_MIN;
	return at + BENCH_SIZE_MIN;
}

/* One packet, of a PUBLISH its beginning. Return: its bytes; 0: there are not enough yet */
static size_t one_packet(struct peer *p, const uint8_t *b, size_t have)
{
	size_t i = 1, left = 0, used;
	unsigned int shift = 0;

	do {
		if (i >= have)
			return 0;
		if (shift > 21)
			bench_fail("a packet is malformed");
		left |= (size_t)(b[i] & 127) << shift;
		shift += 7;
	} while (b[i++] & 128);
	if (b[0] >> 4 == PUBLISH) {
		used = publish(p, b[0], b + i, have - i, left);
		return used ? i + used : 0;
	}
	if (left > have - i)
		return 0;
	control(p, b[0] >> 4, b + i, left);
	return i + left;
}

/* The packets in so many bytes of input; what is left of them is carried. */
static void packets(struct peer *p, size_t have)
{
	size_t at = 0, used;

	while (at < have) {
		if (p->skip) {
			used = p->skip < have - at ? p->skip : have - at;
			p->skip -= used;
		} else {
			used = one_packet(p, input + at, have - at);
			if (!used)
				break;
		}
		at += used;
	}
	p->carry_len = have - at;
	if (p->carry_len > sizeof(p->carry))
		bench_fail("the broker sent a packet that is too long");
	memcpy(p->carry, input + at, p->carry_len);
}

void peer_receive(struct peer *p)
{
	ssize_t n;

	/* epoll tells once: all of it, of which there is no more when a read is short */
	do {
		memcpy(input, p->carry, p->carry_len);
		n = recv(p->fd, input + p->carry_len, READ_SIZE, MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0)
			bench_fail("the broker closed a connection");
		packets(p, p->carry_len + n);
	} while (n == READ_SIZE);
}

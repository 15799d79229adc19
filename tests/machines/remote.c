// SPDX-License-Identifier: GPL-2.0
/*
 * An MQTT client, written byte by byte, so that it agrees with nobody by accident.
 *
 *	remote PORT USER PASSWORD 4|5		is let in, and hears itself at each QoS; prints TAP
 *	remote PORT USER PASSWORD refused	is not let in
 */
#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static int failed, sock, version = 4;
static uint8_t in[1 << 18];
static size_t in_len;		/* of the packet's body */

static void ok(bool good, const char *what)
{
	printf("%sok - MQTT %d: %s\n", good ? "" : "not ", version, what);
	fflush(stdout);
	failed |= !good;
}

static void put_bytes(uint8_t **at, const void *data, size_t len)
{
	memcpy(*at, data, len);
	*at += len;
}

static void put_u16(uint8_t **at, unsigned int value)
{
	*(*at)++ = value >> 8;
	*(*at)++ = value & 0xff;
}

static void put_string(uint8_t **at, const char *text)
{
	put_u16(at, strlen(text));
	put_bytes(at, text, strlen(text));
}

static void send_packet(uint8_t first, const uint8_t *body, size_t len)
{
	uint8_t head[5] = { first }, *at = head + 1;
	size_t left = len;

	do {
		*at++ = left % 128 | (left > 127 ? 0x80 : 0);
		left /= 128;
	} while (left);
	if (send(sock, head, at - head, MSG_MORE) < 0 || send(sock, body, len, 0) < 0)
		perror("send");
}

static bool recv_all(uint8_t *to, size_t len)
{
	return !len || recv(sock, to, len, MSG_WAITALL) == (ssize_t)len;
}

/* The first byte of the next packet, whose body is then in @in; -1 if none comes. */
static int recv_packet(void)
{
	uint8_t first, byte;
	int shift = 0;

	in_len = 0;
	if (!recv_all(&first, 1))
		return -1;
	do {
		if (!recv_all(&byte, 1))
			return -1;
		in_len |= (size_t)(byte & 0x7f) << shift;
		shift += 7;
	} while (byte & 0x80);
	return in_len <= sizeof(in) && recv_all(in, in_len) ? first : -1;
}

/* The reason of CONNACK, -1 without one. */
static int connect_as(int port, const char *user, const char *password)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET, .sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct timeval limit = { .tv_sec = 60 };
	uint8_t body[512], *at = body;

	sock = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (connect(sock, (void *)&addr, sizeof(addr)))
		return -1;
	put_string(&at, "MQTT");
	*at++ = version;
	*at++ = 0xc2;		/* user name, password, Clean Start */
	put_u16(&at, 600);
	if (version == 5)
		*at++ = 0;
	put_string(&at, "remote");
	put_string(&at, user);
	put_string(&at, password);
	send_packet(0x10, body, at - body);
	return recv_packet() == 0x20 && in_len >= 2 ? in[1] : -1;
}

static bool subscribe(const char *filter, int qos)
{
	uint8_t body[512], *at = body;

	put_u16(&at, 0x1234);
	if (version == 5)
		*at++ = 0;
	put_string(&at, filter);
	*at++ = qos;
	send_packet(0x82, body, at - body);
	return recv_packet() == 0x90 && in[0] == 0x12 && in[1] == 0x34 && in[in_len - 1] == qos;
}

/* A packet of nothing but an identifier: PUBACK, PUBREC, PUBREL, PUBCOMP. */
static void send_id(uint8_t first, const uint8_t *id)
{
	send_packet(first, id, 2);
}

/*
 * Publishes to where it is subscribed itself: what is acknowledged and what comes back may be in
 * any order, but both hand-shakes end, and the message is the same.
 */
static bool there_and_back(int qos, size_t len)
{
	bool published = !qos, received = false, good = true;
	static uint8_t body[1 << 17];
	uint8_t *at = body, id[2] = { 0xab, 0xcd };
	size_t i, topic, head;
	int first;

	put_string(&at, "t/remote");
	topic = at - body;
	if (qos)
		put_bytes(&at, id, 2);
	if (version == 5)
		*at++ = 0;
	head = at - body;
	for (i = 0; i < len; i++)
		*at++ = i * 7 + i / 256;
	send_packet(0x30 | qos << 1, body, at - body);
	while (good && !(published && received)) {
		first = recv_packet();
		switch (first & 0xf0) {
		case 0x30:
			good = (first & 0x0f) == qos << 1 && in_len == head + len &&
			       !memcmp(in, body, topic) && !memcmp(in + head, body + head, len);
			if (qos)
				send_id(qos == 1 ? 0x40 : 0x50, in + 10);
			received = qos < 2;
			break;
		case 0x60:	/* PUBREL for what came back */
			send_id(0x70, in);
			received = true;
			break;
		case 0x50:	/* PUBREC */
			good = qos == 2 && !memcmp(in, id, 2);
			send_id(0x62, id);
			break;
		case 0x40:
		case 0x70:
			good = !memcmp(in, id, 2);
			published = true;
			break;
		default:
			good = false;
		}
	}
	return good;
}

int main(int argc, char **argv)
{
	static const size_t lengths[] = { 0, 1, 127, 16384, 100000 };
	char what[64];
	int qos;
	size_t i;

	if (argc != 5)
		return 1;
	if (!strcmp(argv[4], "refused")) {
		ok(connect_as(atoi(argv[1]), argv[2], argv[3]) == 5, "a wrong password");
		return failed;
	}
	version = atoi(argv[4]);
	ok(!connect_as(atoi(argv[1]), argv[2], argv[3]), "connect");
	ok(subscribe("t/+", 2), "subscribe");
	for (qos = 0; qos < 3; qos++) {
		for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
			snprintf(what, sizeof(what), "QoS %d, %zu bytes", qos, lengths[i]);
			ok(there_and_back(qos, lengths[i]), what);
		}
	}
	send_packet(0xe0, NULL, 0);
	return failed;
}

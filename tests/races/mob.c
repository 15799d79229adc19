// SPDX-License-Identifier: GPL-2.0
/*
 * Whoever is in the way: they do at random, fast and for ever, what a switch must bear. They are
 * killed at any moment, and nobody looks at what they get.
 *
 *	mob local SEED
 *		sessions of /dev/kmqtt, each with two threads on one file: named ones that take
 *		each other over, and unnamed ones; subscribe, unsubscribe, write, read, a ring
 *		mapped and unmapped
 *	mob remote SEED ADDRESS PORT
 *		clients of 3.1.1 and 5.0 with four names, so that they take each other over, too;
 *		connections end in every way that there is
 *
 * A module that is not loaded, and a server that is not there, are waited for.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kmqtt.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define NAMES		4
#define STORM		8
#define TOPICS		8
#define QUEUE		500
#define RING		65536
#define PAUSE_US	20000

/* One thread's dice. */
static unsigned int dice(uint64_t *state, unsigned int sides)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (*state >> 33) % sides;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* A filter of those that the mob publishes below. Returns its length. */
static int some_filter(uint64_t *state, char *out, size_t size)
{
	static const char * const forms[] = {
		"noise/%u", "noise/%u/#", "noise/+/%u", "$share/mob/noise/%u", "noise/#",
	};

	return snprintf(out, size, forms[dice(state, 5)], dice(state, TOPICS));
}

struct local {
	int fd;
	uint64_t state;
	int rounds;
};

static void local_subscribe(struct local *l, unsigned long number)
{
	char filter[64];
	struct kmqtt_subscription sub = {
		.size = sizeof(sub),
		.filter = (unsigned long)filter,
		.filter_len = some_filter(&l->state, filter, sizeof(filter)),
	};

	if (number == KMQTT_IOC_SUBSCRIBE) {
		sub.qos = dice(&l->state, 3);
		sub.retain_handling = dice(&l->state, 3);
		sub.sub_id = dice(&l->state, 4);
	}
	ioctl(l->fd, number, &sub);
}

static void local_write(struct local *l)
{
	_Alignas(8) char buf[16 * 1024];
	size_t used = 0;
	int count = 1 + dice(&l->state, 16);

	memset(buf, 0, sizeof(buf));
	while (count--) {
		struct kmqtt_record *rec = (void *)(buf + used);
		char *topic = (char *)(rec + 1);

		rec->type = KMQTT_REC_MESSAGE;
		rec->qos = dice(&l->state, 3);
		rec->flags = dice(&l->state, 20) ? 0 : KMQTT_REC_RETAIN;
		rec->topic_len = sprintf(topic, "noise/%u", dice(&l->state, TOPICS));
		rec->payload_len = dice(&l->state, 300);
		rec->len = KMQTT_REC_SIZE(rec->topic_len, 0, rec->payload_len);
		used += rec->len;
	}
	if (write(l->fd, buf, used) < 0 && errno == EINVAL)
		die("write");
}

static void local_read(struct local *l)
{
	_Alignas(8) char buf[8192];
	ssize_t n = read(l->fd, buf, sizeof(buf));
	struct kmqtt_ack ack = { .size = sizeof(ack), .flags = KMQTT_ACK_UP_TO };

	for (char *p = buf; p < buf + n; p += ((struct kmqtt_record *)p)->len) {
		struct kmqtt_record *rec = (void *)p;

		if (!rec->len)
			die("a record without a length");
		if (rec->flags & KMQTT_REC_ACK)
			ack.id = rec->id;
	}
	if (ack.id && dice(&l->state, 2))
		ioctl(l->fd, KMQTT_IOC_ACK, &ack);
}

/* Maps the ring's parts, takes what is there, and unmaps them. */
static void local_ring(struct local *l)
{
	struct kmqtt_ring_setup setup = { .size = sizeof(setup), .data_size = RING };
	size_t page = sysconf(_SC_PAGE_SIZE), rest = 2 * RING + page;
	struct kmqtt_ring_kernel *kernel;
	struct kmqtt_ring_user *user;
	struct pollfd poller = { .fd = l->fd, .events = POLLIN };

	/* it is there already, most of the time */
	ioctl(l->fd, KMQTT_IOC_RING, &setup);
	user = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, l->fd, 0);
	if (user == MAP_FAILED)
		return;
	kernel = mmap(NULL, rest, PROT_READ, MAP_SHARED, l->fd, page);
	if (kernel != MAP_FAILED) {
		for (int i = 0; i < 4; i++) {
			poll(&poller, 1, 1);
			__atomic_store_n(&user->consumer,
					 __atomic_load_n(&kernel->producer, __ATOMIC_ACQUIRE),
					 __ATOMIC_RELEASE);
		}
		munmap(kernel, rest);
	}
	munmap(user, page);
}

static void *local_thread(void *arg)
{
	struct local *l = arg;
	struct kmqtt_file_stats stats = { .size = sizeof(stats) };

	for (int i = 0; i < l->rounds; i++) {
		switch (dice(&l->state, 12)) {
		case 0:
			local_ring(l);
			break;
		case 1:
		case 2:
			local_subscribe(l, KMQTT_IOC_SUBSCRIBE);
			break;
		case 3:
		case 4:
			local_subscribe(l, KMQTT_IOC_UNSUBSCRIBE);
			break;
		case 5:
			ioctl(l->fd, KMQTT_IOC_STATS, &stats);
			break;
		case 6:
		case 7:
		case 8:
			local_write(l);
			break;
		default:
			local_read(l);
		}
		usleep(dice(&l->state, PAUSE_US));
	}
	return NULL;
}

static void local(uint64_t seed)
{
	struct local one = { .state = seed };

	for (;;) {
		struct kmqtt_session_conf conf = { .size = sizeof(conf) };
		struct local two;
		pthread_t thread;
		char name[16];

		one.fd = open(KMQTT_DEVICE, O_RDWR | O_CLOEXEC | O_NONBLOCK);
		if (one.fd < 0) {
			usleep(PAUSE_US);
			continue;
		}
		conf.flags = dice(&one.state, 16);
		conf.policy = dice(&one.state, 5);
		conf.max_queued_messages = QUEUE;
		if (dice(&one.state, 2)) {
			conf.name = (unsigned long)name;
			conf.name_len = sprintf(name, "mob%u", dice(&one.state, NAMES));
			conf.expiry = dice(&one.state, 3);
		}
		ioctl(one.fd, KMQTT_IOC_SESSION, &conf);
		one.rounds = dice(&one.state, 60);
		two = one;
		two.state ^= 0x5bd1e995;
		if (pthread_create(&thread, NULL, local_thread, &two))
			die("pthread_create");
		local_thread(&one);
		/* the file may be closed while the other one is still in there */
		if (dice(&one.state, 2)) {
			close(one.fd);
			pthread_join(thread, NULL);
		} else {
			pthread_join(thread, NULL);
			close(one.fd);
		}
	}
}

/* Bytes to be sent to a server. */
struct out {
	uint8_t data[4096];
	size_t len;
};

static void put(struct out *out, const void *data, size_t len)
{
	memcpy(out->data + out->len, data, len);
	out->len += len;
}

static void put8(struct out *out, unsigned int value)
{
	out->data[out->len++] = value;
}

static void put16(struct out *out, unsigned int value)
{
	put8(out, value >> 8);
	put8(out, value);
}

static void put_string(struct out *out, const char *text)
{
	put16(out, strlen(text));
	put(out, text, strlen(text));
}

static void put_packet(struct out *out, unsigned int first, const struct out *body)
{
	put8(out, first);
	if (body->len < 128) {
		put8(out, body->len);
	} else {
		put8(out, (body->len & 127) | 128);
		put8(out, body->len >> 7);
	}
	put(out, body->data, body->len);
}

static void put_connect(struct out *out, uint64_t *state, int version, unsigned int number)
{
	struct out body = { .len = 0 };
	bool will = dice(state, 2);
	char name[16];

	put_string(&body, "MQTT");
	put8(&body, version);
	put8(&body, dice(state, 2) << 1 | (will ? 4 : 0));
	put16(&body, dice(state, 3));
	if (version == 5) {
		/* session expiry interval, in a few seconds */
		put(&body, "\5\x11\0\0\0", 5);
		put8(&body, dice(state, 4));
	}
	sprintf(name, "crowd%u", number);
	put_string(&body, name);
	if (will) {
		if (version == 5)
			put8(&body, 0);
		put_string(&body, "noise/will");
		put_string(&body, "gone");
	}
	put_packet(out, 0x10, &body);
}

static void put_subscribe(struct out *out, uint64_t *state, int version)
{
	struct out body = { .len = 0 };
	bool subscribe = dice(state, 3);
	char filter[64];

	put16(&body, 1 + dice(state, 1000));
	if (version == 5)
		put8(&body, 0);
	some_filter(state, filter, sizeof(filter));
	put_string(&body, filter);
	if (subscribe)
		put8(&body, dice(state, 3));
	put_packet(out, subscribe ? 0x82 : 0xa2, &body);
}

static void put_publish(struct out *out, uint64_t *state, int version)
{
	struct out body = { .len = 0 };
	unsigned int qos = dice(state, 3);
	char topic[32];

	sprintf(topic, "noise/%u", dice(state, TOPICS));
	put_string(&body, topic);
	if (qos)
		put16(&body, 1 + dice(state, 20));
	if (version == 5)
		put8(&body, 0);
	memset(body.data + body.len, 'x', 328);
	body.len += dice(state, 328);
	put_packet(out, 0x30 | qos << 1 | !dice(state, 20), &body);
}

/* An acknowledgement of what has come, perhaps: of a packet identifier that is likely. */
static void put_ack(struct out *out, uint64_t *state)
{
	static const uint8_t kinds[] = { 0x40, 0x50, 0x62, 0x70 };

	put8(out, kinds[dice(state, 4)]);
	put8(out, 2);
	put16(out, 1 + dice(state, 20));
}

static void remote_talk(int fd, uint64_t *state)
{
	int version = 4 + dice(state, 2), rounds = dice(state, 30);
	struct out out = { .len = 0 };
	char buf[4096];

	put_connect(&out, state, version, dice(state, NAMES));
	for (int i = 0; i < rounds; i++) {
		switch (dice(state, 6)) {
		case 0:
		case 1:
			put_subscribe(&out, state, version);
			break;
		case 2:
			put_ack(&out, state);
			break;
		case 3:
			put(&out, "\xc0\0", 2);
			break;
		default:
			put_publish(&out, state, version);
		}
		/* at a place that has nothing to do with packets */
		if (out.len > 3000 || !dice(state, 3)) {
			if (send(fd, out.data, out.len, MSG_NOSIGNAL | MSG_DONTWAIT) !=
			    (ssize_t)out.len)
				return;
			out.len = 0;
			usleep(dice(state, PAUSE_US));
		}
		while (dice(state, 4) && recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0)
			;
	}
}

/* A connection, or -1 after a while. */
static int remote_connect(const struct sockaddr_in *to)
{
	struct timeval patience = { .tv_sec = 2 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (!connect(fd, (const struct sockaddr *)to, sizeof(*to)))
		return fd;
	close(fd);
	usleep(PAUSE_US);
	return -1;
}

/* Many at once that all want the same session. */
static void remote_storm(const struct sockaddr_in *to, uint64_t *state)
{
	unsigned int number = dice(state, NAMES);
	int fd[STORM];

	for (int i = 0; i < STORM; i++)
		fd[i] = remote_connect(to);
	for (int i = 0; i < STORM; i++) {
		int version = 4 + dice(state, 2);
		struct out out = { .len = 0 };

		put_connect(&out, state, version, number);
		put_subscribe(&out, state, version);
		put_publish(&out, state, version);
		/* who is cut off already does not matter */
		if (fd[i] >= 0)
			(void)!send(fd[i], out.data, out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	usleep(dice(state, PAUSE_US));
	for (int i = 0; i < STORM; i++) {
		if (fd[i] >= 0)
			close(fd[i]);
	}
}

static void remote(uint64_t seed, const char *address, int port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct linger reset = { .l_onoff = 1 };
	int open_ones[8], at = 0;

	memset(open_ones, -1, sizeof(open_ones));
	if (inet_pton(AF_INET, address, &to.sin_addr) != 1)
		die(address);
	for (;;) {
		int fd;

		if (!dice(&seed, 8))
			remote_storm(&to, &seed);
		fd = remote_connect(&to);
		if (fd < 0)
			continue;
		remote_talk(fd, &seed);
		switch (dice(&seed, 4)) {
		case 0:
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
			break;
		case 1:
			shutdown(fd, SHUT_WR);
			break;
		}
		/* it stays for a while, for the others to take over */
		at = (at + 1) % 8;
		if (open_ones[at] >= 0)
			close(open_ones[at]);
		open_ones[at] = fd;
	}
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "local"))
		local(strtoull(argv[2], NULL, 10));
	else if (argc == 5 && !strcmp(argv[1], "remote"))
		remote(strtoull(argv[2], NULL, 10), argv[3], atoi(argv[4]));
	fprintf(stderr, "usage: mob local SEED | mob remote SEED ADDRESS PORT\n");
	return 1;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * The layout that uapi/kmqtt.h promises, for any compiler, and one round trip
 * of a message. Built as a 32-bit and as a 64-bit program by test_chardev_abi.py.
 */
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kmqtt.h"

#define SIZE(type, bytes) _Static_assert(sizeof(struct type) == (bytes), #type)
#define AT(type, member, offset) \
	_Static_assert(offsetof(struct type, member) == (offset), #type "." #member)

SIZE(kmqtt_record, 48);
AT(kmqtt_record, props_len, 12);
AT(kmqtt_record, id, 32);
AT(kmqtt_record, time_ns, 40);
SIZE(kmqtt_session_conf, 48);
AT(kmqtt_session_conf, name, 8);
AT(kmqtt_session_conf, max_queued_bytes, 32);
SIZE(kmqtt_subscription, 32);
AT(kmqtt_subscription, filter, 8);
AT(kmqtt_subscription, reserved, 26);
SIZE(kmqtt_ack, 16);
SIZE(kmqtt_publish_wait, 24);
SIZE(kmqtt_file_stats, 72);
AT(kmqtt_file_stats, queued_bytes, 16);
SIZE(kmqtt_ring_setup, 48);
SIZE(kmqtt_ring_kernel, 24);
SIZE(kmqtt_info, 24);

static int fail(const char *what)
{
	perror(what);
	return 1;
}

static int ring(int fd, const char *topic, const void *rec, size_t len)
{
	struct kmqtt_ring_setup setup = { .size = sizeof(setup), .data_size = 65536 };
	const struct kmqtt_record *got;
	const char *map;

	if (ioctl(fd, KMQTT_IOC_RING, &setup))
		return fail("KMQTT_IOC_RING");
	map = mmap(NULL, setup.map_size, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return fail("mmap");
	if (write(fd, rec, len) != (ssize_t)len)
		return fail("write");
	got = (const void *)(map + setup.data_offset);
	return got->len != len || strcmp((const char *)(got + 1), topic);
}

int main(int argc, char **argv)
{
	const char *topic = argc > 1 ? argv[1] : "abi";
	struct kmqtt_session_conf conf = {
		.size = sizeof(conf), .name = (uintptr_t)topic,
		.name_len = strlen(topic),
	};
	struct kmqtt_subscription sub = {
		.size = sizeof(sub), .filter = (uintptr_t)topic,
		.filter_len = strlen(topic), .sub_id = 7,
	};
	struct kmqtt_file_stats stats = { .size = sizeof(stats) };
	union {
		struct kmqtt_record head;
		char bytes[256];
	} out = { .head.type = KMQTT_REC_MESSAGE }, in;
	int fd = open(KMQTT_DEVICE, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return fail(KMQTT_DEVICE);
	if (ioctl(fd, KMQTT_IOC_SESSION, &conf) || conf.present)
		return fail("KMQTT_IOC_SESSION");
	if (ioctl(fd, KMQTT_IOC_SUBSCRIBE, &sub))
		return fail("KMQTT_IOC_SUBSCRIBE");
	out.head.topic_len = strlen(topic);
	out.head.payload_len = 4;
	out.head.len = KMQTT_REC_SIZE(out.head.topic_len, 0, 4);
	memcpy(out.bytes + sizeof(out.head), topic, strlen(topic));
	memcpy(out.bytes + sizeof(out.head) + strlen(topic) + 1, "load", 4);
	if (write(fd, &out, out.head.len) != (ssize_t)out.head.len)
		return fail("write");
	if (read(fd, &in, sizeof(in)) != (ssize_t)out.head.len)
		return fail("read");
	if (in.head.len != out.head.len || in.head.sub_id != 7 ||
	    memcmp(in.bytes + sizeof(in.head), out.bytes + sizeof(out.head),
		   out.head.len - sizeof(out.head)))
		return fail("record");
	if (ioctl(fd, KMQTT_IOC_STATS, &stats) || stats.delivered_messages != 1)
		return fail("KMQTT_IOC_STATS");
	if (ring(fd, topic, &out, out.head.len))
		return fail("ring");
	printf("%zu bits: ok\n", sizeof(void *) * 8);
	return 0;
}

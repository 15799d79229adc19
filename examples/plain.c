// SPDX-License-Identifier: GPL-2.0
/* No library at all, <linux/kmqtt.h> is enough: plain 'sensors/#' */
#include <fcntl.h>
#include <linux/kmqtt.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	static char buf[65536] __attribute__((aligned(8)));
	struct kmqtt_subscription sub = { .size = sizeof(sub) };
	int fd = open(KMQTT_DEVICE, O_RDWR | O_CLOEXEC);
	ssize_t n, pos;

	sub.filter = (uintptr_t)argv[1];
	sub.filter_len = argc > 1 ? strlen(argv[1]) : 0;
	if (ioctl(fd, KMQTT_IOC_SUBSCRIBE, &sub) < 0)
		return 1;
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		for (pos = 0; pos < n;) {
			struct kmqtt_record *rec = (void *)(buf + pos);

			puts((char *)(rec + 1)); /* the topic */
			pos += rec->len;
		}
	return 1;
}

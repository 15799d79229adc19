// SPDX-License-Identifier: GPL-2.0
/* Count messages without a system call for each: ring 'sensors/#' 1000 */
#include <kmqtt/kmqtt.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	unsigned long left = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
	struct kmqtt *k = kmqtt_open(0);
	struct kmqtt_message msg;
	unsigned long long bytes = 0;

	if (!left || !k || kmqtt_ring_open(k, 1 << 20) < 0 ||
	    kmqtt_subscribe(k, argv[1], 0) < 0) {
		perror("ring");
		return 1;
	}
	while (left && kmqtt_receive(k, &msg, -1) > 0) {
		bytes += msg.payload_len;
		left--;
	}
	printf("%llu bytes\n", bytes);
	kmqtt_close(k);
	return left != 0;
}

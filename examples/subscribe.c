// SPDX-License-Identifier: GPL-2.0
/* Print what is published below a topic: subscribe 'sensors/#' */
#include <kmqtt/kmqtt.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	struct kmqtt *k = kmqtt_open(0);
	struct kmqtt_message msg;

	if (argc < 2 || !k || kmqtt_subscribe(k, argv[1], 0) < 0) {
		perror("subscribe");
		return 1;
	}
	while (kmqtt_receive(k, &msg, -1) > 0) {
		printf("%s %.*s\n", msg.topic, (int)msg.payload_len,
		       (const char *)msg.payload);
		fflush(stdout);
	}
	perror("receive");
	kmqtt_close(k);
	return 1;
}

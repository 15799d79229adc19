// SPDX-License-Identifier: GPL-2.0
/* Answer requests with their length: answer service/length */
#include <errno.h>
#include <kmqtt/kmqtt.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	struct kmqtt *k = kmqtt_open(0);
	struct kmqtt_message msg;
	char text[24];
	int len;

	if (argc < 2 || !k || kmqtt_subscribe(k, argv[1], 1) < 0) {
		perror("answer");
		return 1;
	}
	while (kmqtt_receive(k, &msg, -1) > 0) {
		len = snprintf(text, sizeof(text), "%zu", msg.payload_len);
		if (kmqtt_reply(k, &msg, text, len) < 0)
			fprintf(stderr, "no answer: %s\n", kmqtt_strerror(errno));
	}
	kmqtt_close(k);
	return 1;
}

// SPDX-License-Identifier: GPL-2.0
/* Take one job of a queue that outlives this program: session worker 'jobs/#' */
#include <kmqtt/kmqtt.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	struct kmqtt *k = kmqtt_open(0);
	struct kmqtt_message msg;

	if (argc < 3 || !k ||
	    kmqtt_session(k, argv[1], KMQTT_FOREVER, KMQTT_SESSION_MANUAL_ACK) < 0 ||
	    kmqtt_subscribe(k, argv[2], 1) < 0) {
		perror("session");
		return 1;
	}
	if (kmqtt_receive(k, &msg, 1000) <= 0) {
		printf("no job\n");
	} else {
		printf("%s%.*s\n", msg.flags & KMQTT_REC_DUP ? "again: " : "",
		       (int)msg.payload_len, (const char *)msg.payload);
		/* Without this it comes again: "session worker 'jobs/#' fail" */
		if (argc == 3 && msg.flags & KMQTT_REC_ACK)
			kmqtt_ack(k, msg.id);
	}
	kmqtt_close(k);
	return 0;
}

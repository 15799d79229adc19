// SPDX-License-Identifier: GPL-2.0
/*
 * Prints the records of standard input as kmqtt sub would, with its options:
 * the tests compare that with what mosquitto_sub prints of the same message.
 * The time of receipt is that of the record.
 */
#include <stdio.h>
#include <stdlib.h>

#include "format.h"
#include "options.h"

static unsigned char buf[1 << 20] __attribute__((aligned(8)));

int main(int argc, char **argv)
{
	struct kmqtt_message msg;
	struct options o;
	size_t pos = 0, len = fread(buf, 1, sizeof(buf), stdin);

	if (options_parse(&o, TOOL_SUB, "show", argc - 1, argv + 1)) {
		options_free(&o);
		return 2;
	}
	while (kmqtt_message_next(&pos, buf, len, &msg)) {
		struct timespec now = {
			.tv_sec = msg.time_ns / 1000000000,
			.tv_nsec = msg.time_ns % 1000000000,
		};

		message_print(stdout, &o, &msg, &now);
	}
	options_free(&o);
	return pos == len ? 0 : 3;
}

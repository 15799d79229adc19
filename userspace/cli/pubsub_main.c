// SPDX-License-Identifier: GPL-2.0
/* kmqtt where it is built without libmnl: pub, sub and rr only. */
#include <stdio.h>

#include "pubsub.h"

int main(int argc, char **argv)
{
	int status = kmqtt_pubsub(argv[0], argc, argv);

	if (status < 0 && argc > 1)
		status = kmqtt_pubsub(argv[1], argc - 1, argv + 1);
	if (status >= 0)
		return status;
	fprintf(stderr, "Usage: kmqtt { pub | sub | rr } [OPTIONS]\n");
	return 1;
}

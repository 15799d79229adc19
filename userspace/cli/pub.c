// SPDX-License-Identifier: GPL-2.0
/* kmqtt pub: publish from a shell. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "client.h"

static void delay(uint64_t us)
{
	struct timespec ts = {
		.tv_sec = us / 1000000,
		.tv_nsec = us % 1000000 * 1000,
	};

	while (us && nanosleep(&ts, &ts) < 0 && errno == EINTR)
		;
}

/* A message for each line of standard input, as it comes. */
static int publish_lines(struct client *c, struct kmqtt_publication *pub)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t len;
	int status = 0;

	while (!status && (len = getline(&line, &size, stdin)) >= 0) {
		if (len && line[len - 1] == '\n')
			len--;
		pub->payload = line;
		pub->payload_len = len;
		status = client_publish(c, pub);
	}
	free(line);
	return status;
}

static int publish_repeated(struct client *c, struct kmqtt_publication *pub)
{
	unsigned int i;
	int status = 0;

	for (i = 0; !status && i < c->o->repeat; i++) {
		if (i)
			delay(c->o->repeat_delay_us);
		status = client_publish(c, pub);
	}
	return status;
}

int pub_run(const struct options *o)
{
	struct kmqtt_publication pub = {
		.topic = o->topic,
		.qos = o->qos,
		.flags = o->retain ? KMQTT_REC_RETAIN : 0,
		.props = options_shows_props(o) ? o->props : NULL,
	};
	struct client c;
	char *payload;
	int status;

	if (o->wait && !o->qos) {
		client_error(o, "Error: --wait needs QoS 1 or 2.");
		return STATUS_INVAL;
	}
	status = client_payload(o, &payload, &pub.payload_len);
	pub.payload = payload;
	if (!status)
		status = client_open(&c, o);
	if (status) {
		free(payload);
		return status;
	}
	if (o->mode == MODE_LINES)
		status = publish_lines(&c, &pub);
	else
		status = publish_repeated(&c, &pub);
	client_close(&c);
	free(payload);
	return status;
}

// SPDX-License-Identifier: GPL-2.0
/* kmqtt rr: publish a request, and print the answer (MQTT 5.0, 4.10). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client.h"
#include "format.h"

static int print_answer(struct client *c)
{
	struct kmqtt_message msg;
	struct timespec now;
	enum event event;

	do {
		event = client_next(c, &msg, true);
		if (event == EVENT_ERROR)
			return client_failed(c->o, errno);
		if (event != EVENT_MESSAGE) {
			client_error(c->o, "Timed out");
			return STATUS_TIMEOUT;
		}
	} while (msg.type != KMQTT_REC_MESSAGE ||
		 (c->o->no_retained && msg.flags & KMQTT_REC_RETAIN));
	clock_gettime(CLOCK_REALTIME, &now);
	message_print(stdout, c->o, &msg, &now);
	if (fflush(stdout)) {
		client_error(c->o, "Error: standard output: %s",
			     strerror(errno));
		return STATUS_ERRNO;
	}
	if (msg.flags & KMQTT_REC_ACK && kmqtt_ack(c->k, msg.id) < 0)
		return client_failed(c->o, errno);
	return 0;
}

static int ask(struct client *c, const struct kmqtt_publication *pub)
{
	int status;

	status = client_subscribe(c, c->o->response_topic);
	if (status == STATUS_NOT_AUTHORIZED)
		client_error(c->o, "Not authorized");
	if (!status)
		status = client_publish(c, pub);
	if (!status)
		status = print_answer(c);
	return status;
}

int rr_run(const struct options *o)
{
	struct kmqtt_publication pub = {
		.topic = o->topic,
		.qos = o->qos,
		.props = options_shows_props(o) ? o->props : NULL,
	};
	struct client c;
	char *payload;
	int status;

	if (kmqtt_props_string(o->props, KMQTT_PROP_RESPONSE_TOPIC,
			       o->response_topic,
			       strlen(o->response_topic)) < 0) {
		client_error(o, "Error in PUBLISH properties: Duplicate response topic.");
		return STATUS_ERROR;
	}
	status = client_payload(o, &payload, &pub.payload_len);
	pub.payload = payload;
	if (!status)
		status = client_open(&c, o);
	if (status) {
		free(payload);
		return status;
	}
	status = client_signals(o->timeout, false);
	if (!status)
		status = ask(&c, &pub);
	client_close(&c);
	free(payload);
	return status;
}

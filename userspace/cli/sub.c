// SPDX-License-Identifier: GPL-2.0
/* kmqtt sub: subscribe, and print what comes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client.h"
#include "format.h"
#include "topic.h"

static int subscribe_all(struct client *c)
{
	const struct options *o = c->o;
	size_t i, granted = 0;
	int status;

	for (i = 0; i < o->topics.n; i++) {
		status = client_subscribe(c, o->topics.v[i]);
		if (!status)
			granted++;
		else if (status != STATUS_NOT_AUTHORIZED)
			return status;
	}
	if (o->topics.n && !granted) {
		client_error(o, "All subscription requests were denied.");
		return STATUS_NOT_AUTHORIZED;
	}
	/* What the session does not have it need not lose. */
	for (i = 0; i < o->unsubscribe.n; i++)
		if (kmqtt_unsubscribe(c->k, o->unsubscribe.v[i]) < 0 &&
		    errno != ENOENT)
			return client_failed(o, errno);
	if (o->debug && !o->quiet && o->topics.n) {
		printf("Subscribed (mid: 1): %u", o->qos);
		for (i = 1; i < o->topics.n; i++)
			printf(", %u", o->qos);
		putchar('\n');
		fflush(stdout);
	}
	return 0;
}

static bool is_filtered_out(const struct options *o,
			    const struct kmqtt_message *msg)
{
	size_t i;

	if (o->no_retained && msg->flags & KMQTT_REC_RETAIN)
		return true;
	for (i = 0; i < o->filter_out.n; i++)
		if (topic_matches(o->filter_out.v[i], msg->topic))
			return true;
	return false;
}

static int remove_retained(struct client *c, const struct kmqtt_message *msg)
{
	struct kmqtt_publication pub = {
		.topic = msg->topic,
		.qos = 1,
		.flags = KMQTT_REC_RETAIN,
	};

	return client_publish(c, &pub);
}

/* Acknowledges what was printed, once it has left this process. */
static int finish(struct client *c, uint64_t *last)
{
	if (fflush(stdout)) {
		client_error(c->o, "Error: standard output: %s",
			     strerror(errno));
		return STATUS_ERRNO;
	}
	if (*last && kmqtt_ack_up_to(c->k, *last) < 0 && errno != ENOENT)
		return client_failed(c->o, errno);
	*last = 0;
	return 0;
}

/* One message; sets *end if it was the last one that is wanted. */
static int handle(struct client *c, const struct kmqtt_message *msg,
		  unsigned int *count, bool *end)
{
	const struct options *o = c->o;
	struct timespec now;

	if (msg->type != KMQTT_REC_MESSAGE)
		return 0;
	client_debug(c, "received PUBLISH (d%d, q%u, r%d, m%llu, '%s', ... (%zu bytes))",
		     !!(msg->flags & KMQTT_REC_DUP), msg->qos,
		     !!(msg->flags & KMQTT_REC_RETAIN),
		     msg->qos ? (unsigned long long)msg->id : 0, msg->topic,
		     msg->payload_len);
	if (o->retained_only && !(msg->flags & KMQTT_REC_RETAIN)) {
		*end = true;
		return 0;
	}
	if (is_filtered_out(o, msg))
		return 0;
	if (o->remove_retained && msg->flags & KMQTT_REC_RETAIN) {
		int status = remove_retained(c, msg);

		if (status)
			return status;
	}
	if (o->random_filter == 10000 ||
	    random() % 10000 < (long)o->random_filter) {
		clock_gettime(CLOCK_REALTIME, &now);
		message_print(stdout, o, msg, &now);
	}
	*end = o->count && ++*count == o->count;
	return 0;
}

static int receive_all(struct client *c)
{
	struct kmqtt_message msg;
	unsigned int count = 0;
	uint64_t last = 0;
	bool end = false;
	enum event event = EVENT_STOP;
	int status = 0;

	while (!end) {
		event = client_next(c, &msg, false);
		if (event == EVENT_STOP) {
			status = finish(c, &last);
			if (status)
				return status;
			event = client_next(c, &msg, true);
		}
		if (event != EVENT_MESSAGE)
			break;
		status = handle(c, &msg, &count, &end);
		if (status)
			break;
		if (msg.flags & KMQTT_REC_ACK)
			last = msg.id;
	}
	if (!status && !end && event == EVENT_ERROR)
		status = client_failed(c->o, errno);
	if (!status && !end && event == EVENT_TIMEOUT) {
		client_error(c->o, "Timed out");
		status = STATUS_TIMEOUT;
	}
	if (finish(c, &last) && !status)
		status = STATUS_ERRNO;
	return status;
}

int sub_run(const struct options *o)
{
	struct client c;
	int status;

	srandom(getpid() ^ time(NULL));
	status = client_open(&c, o);
	if (status)
		return status;
	status = client_signals(o->timeout, true);
	if (!status)
		status = subscribe_all(&c);
	if (!status && !o->exit_after_sub)
		status = receive_all(&c);
	client_close(&c);
	return status;
}

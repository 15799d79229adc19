// SPDX-License-Identifier: GPL-2.0
#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAYLOAD_MAX	268435455U

/* The signal that came, and a pipe that wakes who waits for a message. */
static volatile sig_atomic_t caught;
static int wake_pipe[2] = { -1, -1 };

void client_error(const struct options *o, const char *format, ...)
{
	va_list args;

	if (o->quiet)
		return;
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	putc('\n', stderr);
}

void client_debug(const struct client *c, const char *format, ...)
{
	va_list args;

	if (!c->o->debug || c->o->quiet)
		return;
	printf("Client %s ", c->id ? c->id : "(null)");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

int client_failed(const struct options *o, int err)
{
	switch (err) {
	case EACCES:
		client_error(o, "Error: Not authorized.");
		return STATUS_NOT_AUTHORIZED;
	case EILSEQ:
	case EINVAL:
		client_error(o, "Error: Invalid input. Does your topic contain '+' or '#'?");
		return STATUS_INVAL;
	case EMSGSIZE:
		client_error(o, "Error: Message payload is too large.");
		return STATUS_PAYLOAD_SIZE;
	case ENOBUFS:
	case ENOMEM:
		client_error(o, "Error: Out of memory.");
		return STATUS_ERROR;
	case ESHUTDOWN:
		client_error(o, "Error: The connection was lost: %s.",
			     kmqtt_strerror(err));
		return STATUS_CONN_LOST;
	default:
		client_error(o, "Error: %s", kmqtt_strerror(err));
		return STATUS_ERRNO;
	}
}

/* ---- the session ---- */

static void tell_no_effect(const struct options *o)
{
	size_t i;

	if (!o->no_effect.n || o->quiet)
		return;
	fputs("Note: no effect, since messages go through " KMQTT_DEVICE ":",
	      stderr);
	for (i = 0; i < o->no_effect.n; i++)
		fprintf(stderr, "%s %s", i ? "," : "", o->no_effect.v[i]);
	putc('\n', stderr);
}

static int client_name(struct client *c)
{
	const struct options *o = c->o;
	struct kmqtt_session_conf conf = {
		.flags = KMQTT_SESSION_MANUAL_ACK,
		.max_inflight = o->max_inflight,
	};

	if (o->id_prefix) {
		if (asprintf(&c->id, "%s%d", o->id_prefix, (int)getpid()) < 0)
			return ENOMEM;
	} else if (o->id) {
		c->id = strdup(o->id);
		if (!c->id)
			return ENOMEM;
	}
	if (!c->id || !*c->id)
		return 0;
	conf.name = (uintptr_t)c->id;
	conf.name_len = strlen(c->id);
	if (o->clean)
		conf.flags |= KMQTT_SESSION_CLEAN;
	if (o->expiry >= 0)
		conf.expiry = o->expiry;
	else if (!o->clean)
		conf.expiry = KMQTT_FOREVER;
	return kmqtt_session_set(c->k, &conf) < 0 ? errno : 0;
}

int client_open(struct client *c, const struct options *o)
{
	int err;

	memset(c, 0, sizeof(*c));
	c->o = o;
	tell_no_effect(o);
	c->k = kmqtt_open(0);
	if (!c->k) {
		err = errno;
		if (err == ENOENT || err == ENXIO || err == ENODEV)
			client_error(o, "Error: %s: no such device; is the module kmqtt loaded?",
				     KMQTT_DEVICE);
		else
			client_error(o, "Error: %s: %s", KMQTT_DEVICE,
				     strerror(err));
		return STATUS_ERROR;
	}
	err = client_name(c);
	if (!err)
		return 0;
	if (err == EACCES)
		client_error(o, "Error: The session %s belongs to another user.",
			     c->id);
	else
		client_error(o, "Error: Invalid id and/or clean_session.");
	client_close(c);
	return err == EACCES ? STATUS_NOT_AUTHORIZED : STATUS_ERROR;
}

void client_close(struct client *c)
{
	client_debug(c, "sending DISCONNECT");
	kmqtt_close(c->k);
	free(c->id);
}

int client_subscribe(struct client *c, const char *filter)
{
	const struct options *o = c->o;
	struct kmqtt_subscription sub = {
		.flags = o->retain_as_published ?
			 KMQTT_SUB_RETAIN_AS_PUBLISHED : 0,
		.sub_id = o->sub_id,
		.qos = o->qos,
		.retain_handling = o->retain_handling,
	};

	client_debug(c, "sending SUBSCRIBE (Mid: 1, Topic: %s, QoS: %u, Options: 0x%02x)",
		     filter, o->qos, o->retain_handling << 4 |
		     (o->retain_as_published ? 0x08 : 0));
	if (!kmqtt_subscribe_set(c->k, filter, &sub))
		return 0;
	if (errno == EACCES)
		return STATUS_NOT_AUTHORIZED;
	return client_failed(o, errno);
}

/* ---- publishing ---- */

static int publish_failed(const struct client *c, int err, unsigned int reason)
{
	const struct options *o = c->o;

	switch (err) {
	case EACCES:
		client_error(o, "Warning: Publish %u failed: Not authorized.",
			     c->mid);
		return STATUS_NOT_AUTHORIZED;
	case EPROTO:
		client_error(o, "Warning: Publish %u failed: reason code %u.",
			     c->mid, reason);
		return reason ? (int)reason : STATUS_ERRNO;
	case ETIMEDOUT:
		client_error(o, "Timed out");
		return STATUS_TIMEOUT;
	case ENOBUFS:
	case ENOMEM:
		client_error(o, "Error: Out of memory when trying to publish message.");
		return STATUS_ERROR;
	default:
		return client_failed(o, err);
	}
}

int client_publish(struct client *c, const struct kmqtt_publication *pub)
{
	unsigned int reason = 0;
	int ret;

	c->mid++;
	client_debug(c, "sending PUBLISH (d0, q%u, r%d, m%u, '%s', ... (%zu bytes))",
		     pub->qos, !!(pub->flags & KMQTT_REC_RETAIN), c->mid,
		     pub->topic, pub->payload_len);
	if (c->o->wait)
		ret = kmqtt_publish_wait(c->k, pub, c->o->wait_ms, &reason);
	else
		ret = kmqtt_publish_set(c->k, pub);
	return ret < 0 ? publish_failed(c, errno, reason) : 0;
}

/* All of a file, which may also be a pipe. */
static int read_all(FILE *f, char **data, size_t *len)
{
	size_t size = 65536, n;
	char *more;

	*data = NULL;
	*len = 0;
	do {
		more = realloc(*data, size);
		if (!more)
			return ENOMEM;
		*data = more;
		n = fread(*data + *len, 1, size - *len, f);
		*len += n;
		size *= 2;
	} while (n && *len <= PAYLOAD_MAX);
	if (ferror(f))
		return errno;
	return *len > PAYLOAD_MAX ? EFBIG : 0;
}

static int payload_stdin(const struct options *o, char **data, size_t *len)
{
	int err = read_all(stdin, data, len);

	if (!err && *len)
		return 0;
	if (err == EFBIG)
		client_error(o, "Error: Message length must be less than %u bytes.",
			     PAYLOAD_MAX);
	else if (err)
		client_error(o, "Error: %s", strerror(err));
	else
		client_error(o, "Error: Zero length input.");
	client_error(o, "Error loading input from stdin.");
	return STATUS_ERROR;
}

static int payload_file(const struct options *o, char **data, size_t *len)
{
	FILE *f = fopen(o->file, "rb");
	int err;

	if (!f) {
		client_error(o, "Error: Unable to open file \"%s\".", o->file);
		client_error(o, "Error loading input file \"%s\".", o->file);
		return STATUS_ERROR;
	}
	err = read_all(f, data, len);
	fclose(f);
	if (!err)
		return 0;
	if (err == EFBIG)
		client_error(o, "Error: File must be less than %u bytes.",
			     PAYLOAD_MAX);
	else
		client_error(o, "Error: %s: %s", o->file, strerror(err));
	client_error(o, "Error loading input file \"%s\".", o->file);
	return STATUS_ERROR;
}

int client_payload(const struct options *o, char **data, size_t *len)
{
	*data = NULL;
	*len = 0;
	if (o->mode == MODE_FILE)
		return payload_file(o, data, len);
	if (o->mode == MODE_STDIN)
		return payload_stdin(o, data, len);
	if (o->mode != MODE_MESSAGE)
		return 0;
	*data = strdup(o->message);
	if (!*data) {
		client_error(o, "Error: Out of memory.");
		return STATUS_ERROR;
	}
	*len = strlen(*data);
	return 0;
}

/* ---- waiting ---- */

static void on_signal(int signum)
{
	int err = errno;
	ssize_t n;

	caught = signum;
	n = write(wake_pipe[1], "", 1);
	(void)n;
	errno = err;
}

int client_signals(unsigned int timeout, bool stop)
{
	struct sigaction action = { .sa_handler = on_signal };

	if (pipe2(wake_pipe, O_CLOEXEC | O_NONBLOCK) < 0 ||
	    sigaction(SIGALRM, &action, NULL) < 0 ||
	    (stop && (sigaction(SIGINT, &action, NULL) < 0 ||
		      sigaction(SIGTERM, &action, NULL) < 0))) {
		perror("Error: signals");
		return STATUS_ERROR;
	}
	alarm(timeout);
	return 0;
}

enum event client_next(struct client *c, struct kmqtt_message *msg, bool wait)
{
	struct pollfd fds[2] = {
		{ .fd = kmqtt_fd(c->k), .events = POLLIN },
		{ .fd = wake_pipe[0], .events = POLLIN },
	};
	int ret;

	for (;;) {
		if (caught)
			return caught == SIGALRM ? EVENT_TIMEOUT : EVENT_STOP;
		ret = kmqtt_receive(c->k, msg, 0);
		if (ret > 0)
			return EVENT_MESSAGE;
		if (ret < 0 && errno != EINTR)
			return EVENT_ERROR;
		if (!ret && !wait)
			return EVENT_STOP;
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return EVENT_ERROR;
	}
}

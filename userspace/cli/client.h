/* SPDX-License-Identifier: GPL-2.0 */
/* What kmqtt pub, sub and rr have in common: session, signals, errors. */
#ifndef KMQTT_CLI_CLIENT_H
#define KMQTT_CLI_CLIENT_H

#include "options.h"

/**
 * struct client - a run of one of the programs
 * @o:		the options
 * @k:		the session
 * @id:		its name, NULL without one; allocated
 * @mid:	number of the last message that was published
 */
struct client {
	const struct options *o;
	struct kmqtt *k;
	char *id;
	unsigned int mid;
};

/* what ended client_wait() */
enum event {
	EVENT_MESSAGE,
	EVENT_STOP,
	EVENT_TIMEOUT,
	EVENT_ERROR,
};

/**
 * client_error() - tell of an error on standard error, unless --quiet
 * @o: the options
 * @format: as of printf(), without a newline
 */
void client_error(const struct options *o, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/**
 * client_debug() - tell what happens, with -d
 * @c: the client
 * @format: as of printf(), without a newline; "Client NAME " comes before it
 */
void client_debug(const struct client *c, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/**
 * client_open() - open the device, and name the session
 * @c: where to store it; to be closed with client_close()
 * @o: the options
 *
 * Return: 0, or an exit status after telling why.
 */
int client_open(struct client *c, const struct options *o);

/**
 * client_close() - close the session
 * @c: the client
 */
void client_close(struct client *c);

/**
 * client_subscribe() - subscribe with the options' QoS and flags
 * @c: the client
 * @filter: topic filter
 *
 * Return: 0, or an exit status; only errors other than EACCES are told.
 */
int client_subscribe(struct client *c, const char *filter);

/**
 * client_publish() - publish, and tell what went wrong
 * @c: the client
 * @pub: the message
 *
 * Return: 0, or an exit status.
 */
int client_publish(struct client *c, const struct kmqtt_publication *pub);

/**
 * client_payload() - the payload of every mode but MODE_LINES
 * @o: the options
 * @data: it; allocated
 * @len: its bytes
 *
 * Return: 0, or an exit status after telling why.
 */
int client_payload(const struct options *o, char **data, size_t *len);

/**
 * client_signals() - from now on client_wait() tells of signals
 * @timeout: seconds until EVENT_TIMEOUT, 0: never
 * @stop: let SIGINT and SIGTERM be EVENT_STOP too
 *
 * Return: 0, or an exit status after telling why.
 */
int client_signals(unsigned int timeout, bool stop);

/**
 * client_next() - the next message
 * @c: the client
 * @msg: where to store it
 * @wait: if there is none, wait for one
 *
 * Return: what happened; EVENT_STOP also if there is none and @wait is false.
 */
enum event client_next(struct client *c, struct kmqtt_message *msg, bool wait);

/**
 * client_failed() - exit status for an errno of the device, which is told
 * @o: the options
 * @err: errno
 *
 * Return: the status.
 */
int client_failed(const struct options *o, int err);

int pub_run(const struct options *o);
int sub_run(const struct options *o);
int rr_run(const struct options *o);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/* How kmqtt sub and kmqtt rr print a message. */
#ifndef KMQTT_CLI_FORMAT_H
#define KMQTT_CLI_FORMAT_H

#include <kmqtt/kmqtt.h>
#include <stdio.h>
#include <time.h>

struct options;

/**
 * format_check() - is it a format string? (option -F)
 * @format: the string
 *
 * Tells on standard error what is wrong with it.
 *
 * Return: 0, or -1.
 */
int format_check(const char *format);

/**
 * message_print() - print a message as the options say
 * @out: where to
 * @o: the options
 * @msg: the message
 * @now: when it was received
 */
void message_print(FILE *out, const struct options *o,
		   const struct kmqtt_message *msg, const struct timespec *now);

#endif

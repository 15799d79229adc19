/* SPDX-License-Identifier: GPL-2.0 */
/* Topics, as far as a command line must check them before the kernel does. */
#ifndef KMQTT_CLI_TOPIC_H
#define KMQTT_CLI_TOPIC_H

#include <stdbool.h>
#include <stddef.h>

/**
 * utf8_encoded() - is it UTF-8? (RFC 3629)
 * @s: bytes
 * @len: how many
 *
 * Return: false if there is an overlong form, a surrogate, or half a character.
 */
bool utf8_encoded(const void *s, size_t len);

/**
 * utf8_valid() - is it UTF-8 as MQTT wants it? (MQTT 5.0, 1.5.4)
 * @s: bytes
 * @len: how many
 *
 * Control characters and noncharacters are refused too, as in libmosquitto.
 *
 * Return: true if so.
 */
bool utf8_valid(const char *s, size_t len);

/**
 * topic_name_valid() - can one publish to it? (MQTT 5.0, 4.7.1)
 * @topic: topic name
 *
 * Return: false if it has a wildcard or is too long.
 */
bool topic_name_valid(const char *topic);

/**
 * topic_filter_valid() - can one subscribe to it? (MQTT 5.0, 4.7.1)
 * @filter: topic filter
 *
 * Return: false if a wildcard is where it must not be, or if it is too long.
 */
bool topic_filter_valid(const char *filter);

/**
 * topic_matches() - does a topic match a filter? (MQTT 5.0, 4.7)
 * @filter: a valid topic filter
 * @topic: topic name
 *
 * Return: true if so.
 */
bool topic_matches(const char *filter, const char *topic);

#endif

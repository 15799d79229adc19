/* SPDX-License-Identifier: GPL-2.0 */
/* JSON, written as cJSON writes it, which is the form of Mosquitto's clients. */
#ifndef KMQTT_CLI_JSON_H
#define KMQTT_CLI_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/**
 * struct json - where to write JSON, and how
 * @out:	where
 * @pretty:	on several lines, indented with tabs
 * @depth:	how many objects are open
 * @first:	the next member is the first one of its object
 */
struct json {
	FILE *out;
	bool pretty;
	unsigned int depth;
	bool first;
};

/**
 * json_open() - begin an object
 * @j: where to write
 */
void json_open(struct json *j);

/**
 * json_close() - end an object
 * @j: where to write
 */
void json_close(struct json *j);

/**
 * json_key() - begin a member of an object; its value must follow
 * @j: where to write
 * @key: its name, as bytes
 * @len: how many
 */
void json_key(struct json *j, const char *key, size_t len);

/**
 * json_string() - a string as a value
 * @j: where to write
 * @s: its bytes
 * @len: how many
 */
void json_string(struct json *j, const char *s, size_t len);

/**
 * json_bytes() - bytes as a value, in an array
 * @j: where to write
 * @data: the bytes
 * @len: how many
 */
void json_bytes(struct json *j, const unsigned char *data, size_t len);

/**
 * json_number() - an integer as a value
 * @j: where to write
 * @n: the number
 */
void json_number(struct json *j, uint64_t n);

/**
 * json_text() - a JSON text as a value, in the form of the rest
 * @j: where to write
 * @text: the text; it must not contain a NUL byte
 * @len: its bytes
 *
 * Return: 0; -1 if it is not JSON; then something of it may be written.
 */
int json_text(struct json *j, const char *text, size_t len);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One output layer: every value is printed by one call, either as text for a
 * reader or as JSON for a program.
 *
 * Text is words on lines: out_line() begins one, each value adds
 * "label value". A value that has white space, quotes or control characters is
 * put in quotes with escapes: topics and names come from strangers and must not
 * reach a terminal raw, nor look like two words.
 *
 * JSON is a stream: values and brackets in the order of the calls. Keys are in
 * snake case.
 */
#ifndef KMQTT_CLI_OUT_H
#define KMQTT_CLI_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct out_options - the global options that concern output
 * @json:	-j
 * @pretty:	-p: JSON with line breaks and indentation
 * @stats:	-s: counters of each object too
 */
struct out_options {
	bool json;
	bool pretty;
	bool stats;
};

extern struct out_options out_options;

/**
 * out_array_begin() - JSON only: what follows are elements of an array
 * @key:	its key; NULL at the top and inside another array
 */
void out_array_begin(const char *key);

/** out_array_end() - the array that was begun last is complete */
void out_array_end(void);

/**
 * out_object_begin() - JSON only: what follows are members of an object
 * @key:	its key; NULL at the top and inside an array
 */
void out_object_begin(const char *key);

/** out_object_end() - the object that was begun last is complete */
void out_object_end(void);

/**
 * out_line() - text only: a new line
 * @indent:	columns to indent it by
 */
void out_line(unsigned int indent);

/** out_word() - text only: a word, printed as it is */
void out_word(const char *word);

/**
 * out_string() - a string
 * @key:	its key in JSON; NULL in an array
 * @label:	word before it in text; NULL: none
 * @data:	its bytes, need not end with a NUL byte
 * @len:	how many
 *
 * Bytes that are not UTF-8 are shown as \xNN in text and as U+FFFD in JSON.
 */
void out_string(const char *key, const char *label, const void *data,
		size_t len);

/** out_str() - a string that ends with a NUL byte; see out_string() */
void out_str(const char *key, const char *label, const char *value);

/**
 * out_bytes() - bytes that may be text
 * @key:	JSON: key of a string; if the bytes are not UTF-8, the key gets
 *		`_base64` behind it and the string is in base64
 * @label:	as for out_string()
 * @data:	bytes
 * @len:	how many
 */
void out_bytes(const char *key, const char *label, const void *data,
	       size_t len);

/** out_uint() - an unsigned number; see out_string() */
void out_uint(const char *key, const char *label, uint64_t value);

/** out_bool() - JSON: true or false; text: "label on" or "label off" */
void out_bool(const char *key, const char *label, bool value);

/**
 * out_flag() - JSON: true or false; text: @label if it is true, else nothing
 */
void out_flag(const char *key, const char *label, bool value);

/**
 * out_seconds() - a duration in seconds
 *
 * JSON: the number; text: as 1d02h03m04s, without the leading parts that are
 * zero.
 */
void out_seconds(const char *key, const char *label, uint64_t seconds);

/**
 * out_uint_or() - a number of which one value has a meaning of its own
 * @key:	see out_string()
 * @label:	see out_string()
 * @value:	the number
 * @special:	that one value
 * @word:	what is shown for it in text
 */
void out_uint_or(const char *key, const char *label, uint64_t value,
		 uint64_t special, const char *word);

/**
 * out_flush() - ends the line and sends what was printed
 *
 * At the end, and after each piece of live output.
 * Return: 0, or -1 if something could not be written (a full disk; reported on
 * standard error, once).
 */
int out_flush(void);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* Test data: bytes in blocks of exactly their size, so that a sanitizer sees who reads beyond. */
#ifndef KMQTT_TESTS_BYTES_H
#define KMQTT_TESTS_BYTES_H

#include "proto/proto.h"

/**
 * struct bytes - bytes of their own
 * @data: block of @len bytes, to be freed; never NULL
 * @len: their number
 */
struct bytes {
	u8 *data;
	u32 len;
};

/**
 * bytes_parse() - make bytes of a readable form
 * @text: pairs of hexadecimal digits, 'quoted' text, and blanks; @n before a digit pair or a
 *	quote, e.g. ``@300'a'``, repeats it n times
 *
 * Return: the bytes
 */
struct bytes bytes_parse(const char *text);

/** bytes_copy() - a copy of @len bytes at @data in a block of its own */
struct bytes bytes_copy(const void *data, size_t len);

/** bytes_join() - the bytes of @a and then those of @b, in a block of their own */
struct bytes bytes_join(struct bytes a, struct bytes b);

/** bytes_free() - give a block back */
void bytes_free(struct bytes *b);

/** bytes_view() - a view of them */
static inline struct kmqtt_view bytes_view(struct bytes b)
{
	struct kmqtt_view view = { b.data, b.len };

	return view;
}

/** text_view() - a view of a C string, without its NUL */
static inline struct kmqtt_view text_view(const char *text)
{
	struct kmqtt_view view = { (const u8 *)text, (u32)strlen(text) };

	return view;
}

/** random_below() - the next pseudo-random number below @n; the same sequence in each run */
u32 random_below(u32 n);

#endif /* KMQTT_TESTS_BYTES_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The data representations of MQTT 5.0, 1.5, and two cursors that cannot leave their buffer: one
 * that reads, one that writes.
 */
#ifndef KMQTT_PROTO_WIRE_H
#define KMQTT_PROTO_WIRE_H

#include "proto.h"

/**
 * kmqtt_varint_decode() - read a variable byte integer (1.5.5)
 * @p: first byte
 * @left: number of bytes that are there
 * @val: the value; untouched unless the return value is positive
 *
 * Return: number of bytes used (1 to 4); 0 if more bytes are needed; -EINVAL if it is longer than
 * four bytes or longer than it need be
 */
int kmqtt_varint_decode(const u8 *p, size_t left, u32 *val);

/**
 * kmqtt_varint_size() - size of a variable byte integer
 * @val: value, at most %KMQTT_VARINT_MAX
 *
 * Return: 1 to 4 bytes
 */
unsigned int kmqtt_varint_size(u32 val);

/**
 * kmqtt_varint_encode() - write a variable byte integer
 * @p: where to; kmqtt_varint_size() bytes are written
 * @val: value, at most %KMQTT_VARINT_MAX
 *
 * Return: the byte after the last one written
 */
u8 *kmqtt_varint_encode(u8 *p, u32 val);

/**
 * struct kmqtt_reader - a cursor over received bytes
 * @p: next byte
 * @left: number of bytes left
 *
 * Every kmqtt_read function returns false, and moves nothing, if what it is to read is not wholly
 * there (or not well-formed); then its result is untouched.
 */
struct kmqtt_reader {
	const u8 *p;
	size_t left;
};

/**
 * kmqtt_read_u8() - read one byte
 * @r: cursor
 * @val: out: the byte
 *
 * Return: true; false if it is not wholly there
 */
bool kmqtt_read_u8(struct kmqtt_reader *r, u8 *val);

/**
 * kmqtt_read_u16() - read a two byte integer (1.5.2)
 * @r: cursor
 * @val: out: the number, 0 to 65535
 *
 * Return: true; false if it is not wholly there
 */
bool kmqtt_read_u16(struct kmqtt_reader *r, u16 *val);

/**
 * kmqtt_read_u32() - read a four byte integer (1.5.3)
 * @r: cursor
 * @val: out: the number
 *
 * Return: true; false if it is not wholly there
 */
bool kmqtt_read_u32(struct kmqtt_reader *r, u32 *val);

/**
 * kmqtt_read_varint() - read a variable byte integer (1.5.5)
 * @r: cursor
 * @val: out: the number, 0 to %KMQTT_VARINT_MAX
 *
 * Return: true; false if it is not wholly there, overlong, or too long
 */
bool kmqtt_read_varint(struct kmqtt_reader *r, u32 *val);

/**
 * kmqtt_read_bytes() - read some bytes
 * @r: cursor
 * @len: how many
 * @val: out: a view of them
 *
 * Return: true; false if it is not wholly there
 */
bool kmqtt_read_bytes(struct kmqtt_reader *r, u32 len, struct kmqtt_view *val);

/**
 * kmqtt_read_binary() - read binary data (1.5.6)
 * @r: cursor
 * @val: out: a view of it, without the length before it
 *
 * Return: true; false if it is not wholly there
 */
bool kmqtt_read_binary(struct kmqtt_reader *r, struct kmqtt_view *val);

/**
 * kmqtt_read_string() - read a UTF-8 encoded string (1.5.4)
 * @r: cursor
 * @val: out: a view of it, without the length before it
 *
 * Return: true; false if it is not wholly there, or not what kmqtt_utf8_valid() wants
 */
bool kmqtt_read_string(struct kmqtt_reader *r, struct kmqtt_view *val);

/**
 * struct kmqtt_writer - a cursor that fills a buffer, or only counts
 * @buf: the buffer; NULL if @cap is 0
 * @cap: its size in bytes; with 0 the writer only counts
 * @len: number of bytes that were written, or would have been: nothing is ever written beyond
 *	@cap, so the result is complete only if @len <= @cap at the end
 */
struct kmqtt_writer {
	u8 *buf;
	size_t cap;
	size_t len;
};

/**
 * kmqtt_write_u8() - append one byte
 * @w: cursor
 * @val: the byte
 */
void kmqtt_write_u8(struct kmqtt_writer *w, u8 val);

/**
 * kmqtt_write_u16() - append a two byte integer (1.5.2)
 * @w: cursor
 * @val: the number
 */
void kmqtt_write_u16(struct kmqtt_writer *w, u16 val);

/**
 * kmqtt_write_u32() - append a four byte integer (1.5.3)
 * @w: cursor
 * @val: the number
 */
void kmqtt_write_u32(struct kmqtt_writer *w, u32 val);

/**
 * kmqtt_write_varint() - append a variable byte integer (1.5.5)
 * @w: cursor
 * @val: the number, at most %KMQTT_VARINT_MAX
 */
void kmqtt_write_varint(struct kmqtt_writer *w, u32 val);

/**
 * kmqtt_write_bytes() - append some bytes
 * @w: cursor
 * @val: the bytes
 */
void kmqtt_write_bytes(struct kmqtt_writer *w, struct kmqtt_view val);

/**
 * kmqtt_write_string() - append a string or binary data with its length before it (1.5.4, 1.5.6)
 * @w: cursor
 * @val: at most %KMQTT_STRING_MAX bytes
 */
void kmqtt_write_string(struct kmqtt_writer *w, struct kmqtt_view val);

#endif /* KMQTT_PROTO_WIRE_H */

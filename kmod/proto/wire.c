// SPDX-License-Identifier: GPL-2.0-only
/* The data representations of MQTT 5.0, 1.5. */
#include "utf8.h"
#include "wire.h"

#define VARINT_BYTES 4
#define VARINT_MORE 0x80
#define VARINT_BITS 0x7f

int kmqtt_varint_decode(const u8 *p, size_t left, u32 *val)
{
	u32 sum = 0;
	int i;

	for (i = 0; i < VARINT_BYTES; i++) {
		if ((size_t)i == left)
			return 0;
		sum |= (u32)(p[i] & VARINT_BITS) << (7 * i);
		if (p[i] & VARINT_MORE)
			continue;
		if (i && !p[i])
			return -EINVAL;
		*val = sum;
		return i + 1;
	}
	return -EINVAL;
}

unsigned int kmqtt_varint_size(u32 val)
{
	if (val < 1U << 7)
		return 1;
	if (val < 1U << 14)
		return 2;
	if (val < 1U << 21)
		return 3;
	return 4;
}

u8 *kmqtt_varint_encode(u8 *p, u32 val)
{
	while (val > VARINT_BITS) {
		*p++ = (u8)(val | VARINT_MORE);
		val >>= 7;
	}
	*p++ = (u8)val;
	return p;
}

static void reader_skip(struct kmqtt_reader *r, size_t n)
{
	r->p += n;
	r->left -= n;
}

bool kmqtt_read_u8(struct kmqtt_reader *r, u8 *val)
{
	if (r->left < 1)
		return false;
	*val = *r->p;
	reader_skip(r, 1);
	return true;
}

bool kmqtt_read_u16(struct kmqtt_reader *r, u16 *val)
{
	if (r->left < 2)
		return false;
	*val = get_unaligned_be16(r->p);
	reader_skip(r, 2);
	return true;
}

bool kmqtt_read_u32(struct kmqtt_reader *r, u32 *val)
{
	if (r->left < 4)
		return false;
	*val = get_unaligned_be32(r->p);
	reader_skip(r, 4);
	return true;
}

bool kmqtt_read_varint(struct kmqtt_reader *r, u32 *val)
{
	int used = kmqtt_varint_decode(r->p, r->left, val);

	if (used <= 0)
		return false;
	reader_skip(r, used);
	return true;
}

bool kmqtt_read_bytes(struct kmqtt_reader *r, u32 len, struct kmqtt_view *val)
{
	if (r->left < len)
		return false;
	val->data = r->p;
	val->len = len;
	reader_skip(r, len);
	return true;
}

bool kmqtt_read_binary(struct kmqtt_reader *r, struct kmqtt_view *val)
{
	u16 len;

	if (r->left < 2)
		return false;
	len = get_unaligned_be16(r->p);
	if (r->left - 2 < len)
		return false;
	reader_skip(r, 2);
	return kmqtt_read_bytes(r, len, val);
}

bool kmqtt_read_string(struct kmqtt_reader *r, struct kmqtt_view *val)
{
	struct kmqtt_reader ahead = *r;
	struct kmqtt_view str;

	if (!kmqtt_read_binary(&ahead, &str) || !kmqtt_utf8_valid(str.data, str.len))
		return false;
	*val = str;
	*r = ahead;
	return true;
}

/* Where the next n bytes go, or NULL if they only count. */
static u8 *writer_claim(struct kmqtt_writer *w, size_t n)
{
	size_t at = w->len;

	/* A count that cannot be is as good as the largest one: it never fits. */
	w->len = n > SIZE_MAX - at ? SIZE_MAX : at + n;
	return w->len <= w->cap ? w->buf + at : NULL;
}

void kmqtt_write_u8(struct kmqtt_writer *w, u8 val)
{
	u8 *p = writer_claim(w, 1);

	if (p)
		*p = val;
}

void kmqtt_write_u16(struct kmqtt_writer *w, u16 val)
{
	u8 *p = writer_claim(w, 2);

	if (p)
		put_unaligned_be16(val, p);
}

void kmqtt_write_u32(struct kmqtt_writer *w, u32 val)
{
	u8 *p = writer_claim(w, 4);

	if (p)
		put_unaligned_be32(val, p);
}

void kmqtt_write_varint(struct kmqtt_writer *w, u32 val)
{
	u8 *p = writer_claim(w, kmqtt_varint_size(val));

	if (p)
		kmqtt_varint_encode(p, val);
}

void kmqtt_write_bytes(struct kmqtt_writer *w, struct kmqtt_view val)
{
	u8 *p = writer_claim(w, val.len);

	if (p && val.len)
		memcpy(p, val.data, val.len);
}

void kmqtt_write_string(struct kmqtt_writer *w, struct kmqtt_view val)
{
	kmqtt_write_u16(w, (u16)val.len);
	kmqtt_write_bytes(w, val);
}

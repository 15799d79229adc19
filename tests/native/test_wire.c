// SPDX-License-Identifier: GPL-2.0-only
#include "bytes.h"
#include "proto/wire.h"
#include "tap.h"
#include "tests.h"

/* The table of MQTT 5.0, 1.5.5. */
static const struct {
	u32 val;
	const char *bytes;
} varints[] = {
	{ 0, "00" },
	{ 127, "7f" },
	{ 128, "8001" },
	{ 16383, "ff7f" },
	{ 16384, "808001" },
	{ 2097151, "ffff7f" },
	{ 2097152, "80808001" },
	{ 268435455, "ffffff7f" },
};

static const char * const bad_varints[] = {
	"8000", "ff00", "808000", "80808000", "ffffffff", "80808080", "ffffff80", "8080808001",
};

static void test_varint_table(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(varints); i++) {
		struct bytes b = bytes_parse(varints[i].bytes);
		u32 val = 1;
		u8 out[5];
		u8 *end = kmqtt_varint_encode(out, varints[i].val);
		int used = kmqtt_varint_decode(b.data, b.len, &val);

		ok(used == (int)b.len && val == varints[i].val, "varint: %s is %u",
		   varints[i].bytes, varints[i].val);
		ok((u32)(end - out) == b.len && !memcmp(out, b.data, b.len) &&
		   kmqtt_varint_size(varints[i].val) == b.len, "varint: %u is %s", varints[i].val,
		   varints[i].bytes);
		for (u32 cut = 0; cut < b.len; cut++) {
			struct bytes part = bytes_copy(b.data, cut);

			val = 7;
			ok(!kmqtt_varint_decode(part.data, cut, &val) && val == 7,
			   "varint: %u bytes of %s want more", cut, varints[i].bytes);
			bytes_free(&part);
		}
		bytes_free(&b);
	}

	for (size_t i = 0; i < ARRAY_SIZE(bad_varints); i++) {
		struct bytes b = bytes_parse(bad_varints[i]);
		u32 val = 7;

		ok(kmqtt_varint_decode(b.data, b.len, &val) == -EINVAL && val == 7,
		   "varint: %s is refused", bad_varints[i]);
		bytes_free(&b);
	}
}

static void test_varint_all(void)
{
	u32 wrong = 0, step = 1, back;
	u8 buf[4];

	for (u32 val = 0; val <= KMQTT_VARINT_MAX; val += step) {
		u8 *end = kmqtt_varint_encode(buf, val);

		wrong += kmqtt_varint_decode(buf, sizeof(buf), &back) != end - buf || back != val ||
			 kmqtt_varint_size(val) != (u32)(end - buf);
		if (val > 1U << 17)
			step = 251;
	}
	ok(!wrong, "varint: there and back, %u wrong", wrong);
}

static void test_readers(void)
{
	struct bytes b = bytes_parse("01 0203 04050607 8001 0002'ab' 0003'xyz' 'raw'");
	struct kmqtt_reader r = { b.data, b.len };
	struct kmqtt_view bin = { }, str = { }, raw = { };
	u32 quad = 0, var = 0;
	u16 pair = 0;
	u8 one = 0;

	ok(kmqtt_read_u8(&r, &one) && one == 1, "read: one byte");
	ok(kmqtt_read_u16(&r, &pair) && pair == 0x0203, "read: two byte integer");
	ok(kmqtt_read_u32(&r, &quad) && quad == 0x04050607, "read: four byte integer");
	ok(kmqtt_read_varint(&r, &var) && var == 128, "read: variable byte integer");
	ok(kmqtt_read_binary(&r, &bin) && kmqtt_view_equal(bin, text_view("ab")), "read: binary");
	ok(kmqtt_read_string(&r, &str) && kmqtt_view_equal(str, text_view("xyz")), "read: string");
	ok(!kmqtt_read_bytes(&r, 4, &raw) && !raw.data && r.left == 3, "read: not what is not there");
	ok(kmqtt_read_bytes(&r, 3, &raw) && kmqtt_view_equal(raw, text_view("raw")), "read: bytes");
	ok(!r.left && !kmqtt_read_u8(&r, &one) && !kmqtt_read_u16(&r, &pair) &&
	   !kmqtt_read_u32(&r, &quad) && !kmqtt_read_varint(&r, &var) &&
	   !kmqtt_read_binary(&r, &bin) && !kmqtt_read_string(&r, &str),
	   "read: nothing after the end");
	ok(one == 1 && pair == 0x0203 && quad == 0x04050607 && var == 128 && bin.len == 2 &&
	   str.len == 3, "read: what fails changes nothing");
	bytes_free(&b);
}

static void test_reader_refusals(void)
{
	static const char * const bad[] = {
		"", "00", "0001", "0002'a'", "ffff'abc'", "0001 00", "0001 80", "0002 c080",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct bytes b = bytes_parse(bad[i]);
		struct kmqtt_reader r = { b.data, b.len };
		struct kmqtt_view val = { };

		ok(!kmqtt_read_string(&r, &val) && !val.data && r.p == b.data && r.left == b.len,
		   "read: \"%s\" is no string, and nothing moves", bad[i]);
		bytes_free(&b);
	}
}

static void write_all(struct kmqtt_writer *w)
{
	kmqtt_write_u8(w, 1);
	kmqtt_write_u16(w, 0x0203);
	kmqtt_write_u32(w, 0x04050607);
	kmqtt_write_varint(w, 128);
	kmqtt_write_string(w, text_view("ab"));
	kmqtt_write_bytes(w, text_view("raw"));
}

static void test_writers(void)
{
	struct bytes want = bytes_parse("01 0203 04050607 8001 0002'ab' 'raw'");
	struct kmqtt_writer count = { NULL, 0, 0 };
	bool same = true;

	write_all(&count);
	ok(count.len == want.len, "write: counts without a buffer");
	for (u32 cap = 0; cap <= want.len; cap++) {
		struct bytes buf = bytes_copy(want.data, cap);
		struct kmqtt_writer w = { buf.data, cap, 0 };

		memset(buf.data, 0xee, cap);
		write_all(&w);
		same &= w.len == want.len;
		if (cap == want.len)
			ok(!memcmp(buf.data, want.data, cap), "write: the bytes");
		bytes_free(&buf);
	}
	ok(same, "write: counts on when the buffer is full");
	bytes_free(&want);
}

static void test_writer_limit(void)
{
	struct kmqtt_writer w = { NULL, 0, SIZE_MAX - 1 };

	kmqtt_write_u32(&w, 1);
	ok(w.len == SIZE_MAX, "write: the count does not wrap");
}

void test_wire(void)
{
	test_varint_table();
	test_varint_all();
	test_readers();
	test_reader_refusals();
	test_writers();
	test_writer_limit();
}

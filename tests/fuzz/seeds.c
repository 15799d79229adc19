// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writes the first corpus of each target into DIRECTORY/TARGET, from the packets that the native
 * unit run has: so there is one list of them.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bytes.h"
#include "proto/packet.h"
#include "vectors.h"

static const char *directory;
static unsigned int n_files;

static void put_file(const char *target, struct bytes b)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s/seed-%03u", directory, target, n_files++);
	file = fopen(path, "w");
	if (!file || fwrite(b.data, 1, b.len, file) != b.len || fclose(file)) {
		perror(path);
		exit(1);
	}
}

/* The same bytes with one more before them. */
static void put_with(const char *target, u8 first, struct bytes b)
{
	struct bytes head = bytes_copy(&first, 1), both = bytes_join(head, b);

	put_file(target, both);
	bytes_free(&both);
	bytes_free(&head);
}

static void put_vector(const struct vector *v)
{
	struct bytes body = bytes_parse(v->body), head, packet, two;
	u8 hdr[KMQTT_FIXED_MAX] = { v->first };

	head = bytes_copy(hdr, kmqtt_varint_encode(hdr + 1, body.len) - hdr);
	packet = bytes_join(head, body);
	put_file("fixed", head);
	put_with("packet", v->version, packet);
	two = bytes_join(packet, packet);
	put_with("run", v->version - KMQTT_V31, two);
	bytes_free(&two);
	/* A tape that chooses the type of this packet. */
	put_with("encode", v->first >> 4, body);
	bytes_free(&packet);
	bytes_free(&head);
	bytes_free(&body);
}

static void put_texts(const char *target, const char * const *texts)
{
	for (; *texts; texts++) {
		struct bytes b = bytes_parse(*texts);

		put_file(target, b);
		bytes_free(&b);
	}
}

int main(int argc, char **argv)
{
	static const char * const props[] = {
		"02 01 01 02 00000001 03 0001't' 08 0001'r' 09 0001 00 0b 01 0b 8001 23 0001",
		"00 11 00000001 15 0001'm' 16 0001 00 17 01 19 00 21 0001 22 0001 27 00000001",
		"01 12 0001'i' 13 0001 1a 0001'i' 1c 0001's' 1f 0001'r' 24 01 25 00 28 00 29 01 2a 00",
		"0f 18 00000001 26 0001'k' 0001'v' 26 0000 0000",
		NULL
	};
	static const char * const topics[] = {
		"'a/+/b' 0a 'a/#' 0a 'a/c/b'", "'#' 0a '$SYS/+' 0a '$SYS/x'",
		"'$share/g/+/#' 0a '/#' 0a '//'", "'+' 0a '+/+' 0a 'a/b'", NULL
	};
	static const char * const strings[] = {
		"'plain text of more than eight bytes'", "c3a4 e282ac f09f9880 '1234567890'",
		"eda080 'surrogate'", "c080", "f4908080", NULL
	};
	const struct vector *v;

	if (argc != 2) {
		fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
		return 2;
	}
	directory = argv[1];
	for (v = vectors_valid; v->name; v++)
		put_vector(v);
	for (v = vectors_tolerated; v->name; v++)
		put_vector(v);
	for (v = vectors_refused; v->name; v++)
		put_vector(v);
	put_texts("props", props);
	put_texts("topic", topics);
	put_texts("utf8", strings);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * differ NUMBER: packets, and what kmqtt makes of each, for differ.js to compare with what others
 * make of it. The packets are those of the native unit run, and NUMBER of them with some bytes
 * changed, cut out, or put in from another one, with a Remaining Length that is right again.
 *
 * A line: version, packet in hexadecimal digits, and "refused" or what it says.
 */
#include "any.h"
#include "bytes.h"
#include "fuzz.h"
#include "vectors.h"

#define SEEDS_MAX 512

static struct { u8 version, first; struct bytes body; } seeds[SEEDS_MAX];
static u32 n_seeds;

static void add_seeds(const struct vector *v)
{
	for (; v->name && n_seeds < SEEDS_MAX; v++, n_seeds++) {
		seeds[n_seeds].version = v->version;
		seeds[n_seeds].first = v->first;
		seeds[n_seeds].body = bytes_parse(v->body);
	}
}

static void put_hex(const u8 *data, u32 len)
{
	for (u32 i = 0; i < len; i++)
		printf("%02x", data[i]);
}

static void put_text(const char *name, struct kmqtt_view text)
{
	if (!text.data)
		return;
	printf(" %s=", name);
	put_hex(text.data, text.len);
}

/* In the order of the packet; a number in decimal digits, a text in hexadecimal ones. */
static void put_props(const char *name, const struct kmqtt_props *props)
{
	struct kmqtt_view rest = props->raw;
	struct kmqtt_prop prop;

	while (kmqtt_prop_next(&rest, &prop)) {
		printf(" %s%02x=", name, prop.id);
		if (prop.name.data) {
			put_hex(prop.name.data, prop.name.len);
			putchar(':');
		}
		if (prop.val.data)
			put_hex(prop.val.data, prop.val.len);
		else
			printf("%u", prop.num);
	}
}

static void put_connect(const struct kmqtt_connect *c)
{
	printf(" keepalive=%u clean=%u", c->keep_alive, c->clean_start);
	put_text("client", c->client_id);
	put_text("user", c->user_name);
	put_text("password", c->password);
	if (!c->will.topic.data)
		return;
	printf(" willqos=%u willretain=%u", c->will.qos, c->will.retain);
	put_text("willtopic", c->will.topic);
	put_text("will", c->will.payload);
	put_props("w", &c->will.props);
}

static void put_entries(const struct kmqtt_subscribe *sub)
{
	struct kmqtt_view rest = sub->entries;
	struct kmqtt_sub_entry e;

	while (kmqtt_subscribe_next(&rest, &e)) {
		put_text("filter", e.filter);
		printf(":%u%u%u%u", e.qos, e.no_local, e.retain_as_published, e.retain_handling);
	}
}

static void put_filters(const struct kmqtt_unsubscribe *unsub)
{
	struct kmqtt_view rest = unsub->filters, filter;

	while (kmqtt_unsubscribe_next(&rest, &filter))
		put_text("filter", filter);
}

static void put_packet(const struct any_packet *a)
{
	printf(" %s", kmqtt_packet_name(a->type));
	switch (a->type) {
	case KMQTT_CONNECT:
		put_connect(&a->connect);
		break;
	case KMQTT_CONNACK:
		printf(" present=%u reason=%u", a->connack.session_present,
		       a->version == KMQTT_V5 ? a->connack.reason :
		       kmqtt_connack_to_v3(a->connack.reason));
		break;
	case KMQTT_PUBLISH:
		printf(" qos=%u dup=%u retain=%u id=%u", a->publish.qos, a->publish.dup,
		       a->publish.retain, a->publish.packet_id);
		put_text("topic", a->publish.topic);
		put_text("payload", a->publish.payload);
		break;
	case KMQTT_SUBSCRIBE:
		printf(" id=%u", a->subscribe.packet_id);
		put_entries(&a->subscribe);
		break;
	case KMQTT_UNSUBSCRIBE:
		printf(" id=%u", a->unsubscribe.packet_id);
		put_filters(&a->unsubscribe);
		break;
	case KMQTT_SUBACK:
	case KMQTT_UNSUBACK:
		printf(" id=%u", a->suback.packet_id);
		if (a->suback.codes.len)
			put_text("codes", a->suback.codes);
		break;
	case KMQTT_DISCONNECT:
	case KMQTT_AUTH:
		printf(" reason=%u", a->disconnect.reason);
		break;
	case KMQTT_PINGREQ:
	case KMQTT_PINGRESP:
		return;
	default:
		printf(" id=%u reason=%u", a->ack.packet_id, a->ack.reason);
	}
	put_props("p", any_props(a));
}

static void put_line(u8 version, u8 first, const u8 *body, u32 len)
{
	u8 head[KMQTT_FIXED_MAX] = { first }, rc;
	u32 size = (u32)(kmqtt_varint_encode(head + 1, len) - head);
	struct any_packet a;
	struct kmqtt_fixed f;

	printf("%u ", version);
	put_hex(head, size);
	put_hex(body, len);
	if (kmqtt_fixed_decode(head, size, &f, &rc) <= 0 || any_decode(&f, body, version, &a))
		printf(" refused");
	else
		put_packet(&a);
	putchar('\n');
}

/* Some bytes of a packet are changed, go, or come from another packet. */
static void put_changed(void)
{
	u32 which = random_below(n_seeds), other = random_below(n_seeds), len, at, n;
	struct bytes from = seeds[other].body, b;
	u8 first = seeds[which].first;

	b = bytes_join(seeds[which].body, from);
	len = seeds[which].body.len;
	for (u32 times = 1 + random_below(2); times && len; times--) {
		at = random_below(len);
		n = random_below(len - at < 4 ? len - at : 4);
		switch (random_below(5)) {
		case 0:
			b.data[at] = (u8)random_below(256);
			break;
		case 1:
			b.data[at] ^= 1 << random_below(8);
			break;
		case 2:
			memmove(b.data + at, b.data + at + n, len - at - n);
			len -= n;
			break;
		case 3:
			if (from.len)
				b.data[at] = from.data[random_below(from.len)];
			break;
		default:
			first ^= 1 << random_below(4);
		}
	}
	put_line(seeds[which].version, first, b.data, len);
	bytes_free(&b);
}

int main(int argc, char **argv)
{
	u32 i, number = argc == 2 ? (u32)strtoul(argv[1], NULL, 10) : 0;

	add_seeds(vectors_valid);
	add_seeds(vectors_tolerated);
	add_seeds(vectors_refused);
	for (i = 0; i < n_seeds; i++)
		put_line(seeds[i].version, seeds[i].first, seeds[i].body.data, seeds[i].body.len);
	for (i = 0; i < number; i++)
		put_changed();
	for (i = 0; i < n_seeds; i++)
		bytes_free(&seeds[i].body);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0
/* How attributes are shown. */
#include <libmnl/libmnl.h>
#include <linux/kmqtt.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "args.h"
#include "fields.h"
#include "nl.h"
#include "out.h"

/* Columns by which the lines below the first one of an object are indented. */
#define INDENT	4

/* The words are those of uapi/kmqtt.yaml, in the order of its enums. */
const struct words words_policy = {
	1, { "drop-newest", "drop-oldest", "keep-latest", "block" }
};

const struct words words_session_type = {
	1, { "local", "netlink", "remote", "uplink" }
};

const struct words words_ack_type = { 0, { "auto", "manual", "mqtt" } };

const struct words words_direction = { 1, { "in", "out", "both", "demand" } };

const struct words words_uplink_state = {
	0, { "down", "wait-fd", "backoff", "connecting", "handshake", "up",
	     "closing" }
};

const struct words words_version = { 3, { "31", "311", "5" } };

const struct words words_acl_who = {
	0, { "any", "uid", "gid", "cgroup", "user", "client", "anonymous", "remote",
	     "wildcard" }
};

const struct words words_acl_access = { 1, { "read", "write", "readwrite" } };

const struct words words_acl_substitute = { 0, { "level", "text", "none" } };

const struct words words_allow = { 0, { "deny", "allow" } };

const struct words words_event = {
	1, { "attach", "detach", "takeover", "expire", "subscribe",
	     "unsubscribe", "drop", "deny", "uplink-up", "uplink-down",
	     "uplink-refused", "uplink-redirect", "uplink-malformed",
	     "uplink-suback", "uplink-puback", "client-refused",
	     "client-malformed" }
};

const struct words words_retain_handling = { 0, { "always", "new", "never" } };

const char *words_find(const struct words *words, uint64_t value)
{
	uint64_t i;

	if (value < words->first)
		return NULL;
	for (i = 0; words->word[i]; i++) {
		if (i == value - words->first)
			return words->word[i];
	}
	return NULL;
}

const char *attr_text(const struct nlattr *attr, size_t *len)
{
	const char *s = mnl_attr_get_payload(attr);

	*len = strnlen(s, mnl_attr_get_payload_len(attr));
	return s;
}

const char *reason_name(unsigned int code)
{
	static const struct {
		unsigned char code;
		const char *name;
	} table[] = {
		{ 0x01, "granted QoS 1" },
		{ 0x02, "granted QoS 2" },
		{ 0x04, "disconnect with will message" },
		{ 0x10, "no matching subscribers" },
		{ 0x11, "no subscription existed" },
		{ 0x80, "unspecified error" },
		{ 0x81, "malformed packet" },
		{ 0x82, "protocol error" },
		{ 0x83, "implementation specific error" },
		{ 0x84, "unsupported protocol version" },
		{ 0x85, "client identifier not valid" },
		{ 0x86, "bad user name or password" },
		{ 0x87, "not authorized" },
		{ 0x88, "server unavailable" },
		{ 0x89, "server busy" },
		{ 0x8a, "banned" },
		{ 0x8b, "server shutting down" },
		{ 0x8c, "bad authentication method" },
		{ 0x8d, "keep alive timeout" },
		{ 0x8e, "session taken over" },
		{ 0x8f, "topic filter invalid" },
		{ 0x90, "topic name invalid" },
		{ 0x91, "packet identifier in use" },
		{ 0x92, "packet identifier not found" },
		{ 0x93, "receive maximum exceeded" },
		{ 0x94, "topic alias invalid" },
		{ 0x95, "packet too large" },
		{ 0x96, "message rate too high" },
		{ 0x97, "quota exceeded" },
		{ 0x98, "administrative action" },
		{ 0x99, "payload format invalid" },
		{ 0x9a, "retain not supported" },
		{ 0x9b, "QoS not supported" },
		{ 0x9c, "use another server" },
		{ 0x9d, "server moved" },
		{ 0x9e, "shared subscriptions not supported" },
		{ 0x9f, "connection rate exceeded" },
		{ 0xa0, "maximum connect time" },
		{ 0xa1, "subscription identifiers not supported" },
		{ 0xa2, "wildcard subscriptions not supported" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(table); i++) {
		if (table[i].code == code)
			return table[i].name;
	}
	return NULL;
}

void time_show(const char *key, const char *label, uint64_t ns)
{
	time_t seconds = ns / 1000000000;
	char date[32], text[64];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text, sizeof(text), "%s.%09uZ", date,
		 (unsigned int)(ns % 1000000000));
	out_str(key, label, text);
}

/* A number and what it means: two members in JSON, "label 135 (text)" in text. */
static void show_code(const struct field *f, uint64_t code, const char *meaning)
{
	char key[64], words[160];

	if (out_options.json) {
		out_uint(f->key, NULL, code);
		snprintf(key, sizeof(key), "%s_text", f->key);
		if (code && meaning)
			out_str(key, NULL, meaning);
		return;
	}
	if (!code)
		return;
	out_uint(f->key, f->label, code);
	if (meaning) {
		snprintf(words, sizeof(words), "(%s)", meaning);
		out_word(words);
	}
}

static void show_bits(const struct field *f, uint64_t bits)
{
	char text[256] = "";
	unsigned int i;

	out_array_begin(f->key);
	for (i = 0; i < 64; i++) {
		if (!(bits >> i & 1))
			continue;
		if (out_options.json)
			out_uint(NULL, NULL, i);
		else
			snprintf(text + strlen(text), 4, *text ? ",%u" : "%u", i);
	}
	out_array_end();
	if (!out_options.json)
		out_str(NULL, f->label, *text ? text : "none");
}

static void show_number(const struct nlattr *attr, const struct field *f)
{
	uint64_t v = nl_uint(attr);
	const char *word;

	switch (f->type) {
	case FIELD_COUNT:
		if (v || out_options.json)
			out_uint(f->key, f->label, v);
		break;
	case FIELD_LIMIT:
		out_uint_or(f->key, f->label, v, 0, "unlimited");
		break;
	case FIELD_DEFAULT:
		out_uint_or(f->key, f->label, v, 0, "default");
		break;
	case FIELD_CHOICE:
		word = words_find(f->words, v);
		if (word)
			out_str(f->key, f->label, word);
		else
			out_uint(f->key, f->label, v);
		break;
	default:
		out_uint(f->key, f->label, v);
	}
}

static void show_duration(const struct nlattr *attr, const struct field *f)
{
	uint64_t v = nl_uint(attr);

	if (f->type == FIELD_NEVER && v == UINT32_MAX && !out_options.json)
		out_str(f->key, f->label, "never");
	else
		out_seconds(f->key, f->label, v);
}

static void show_text(const struct nlattr *attr, const struct field *f)
{
	const char *s;
	size_t len;

	if (f->type == FIELD_STRING) {
		s = attr_text(attr, &len);
		if (len || out_options.json)
			out_string(f->key, f->label, s, len);
	} else {
		s = mnl_attr_get_payload(attr);
		len = mnl_attr_get_payload_len(attr);
		if (len || out_options.json)
			out_bytes(f->key, f->label, s, len);
	}
}

void field_show(const struct nlattr *attr, const struct field *f)
{
	switch (f->type) {
	case FIELD_BITS:
		show_bits(f, nl_uint(attr));
		break;
	case FIELD_BOOL:
		out_bool(f->key, f->label, nl_uint(attr));
		break;
	case FIELD_FLAG:
		out_flag(f->key, f->label, nl_uint(attr));
		break;
	case FIELD_SECONDS:
	case FIELD_NEVER:
		show_duration(attr, f);
		break;
	case FIELD_STRING:
	case FIELD_BYTES:
		show_text(attr, f);
		break;
	case FIELD_REASON:
		show_code(f, nl_uint(attr), reason_name(nl_uint(attr)));
		break;
	case FIELD_ERRNO:
		show_code(f, nl_uint(attr), strerror(nl_uint(attr)));
		break;
	case FIELD_TIME:
		time_show(f->key, f->label, nl_uint(attr));
		break;
	default:
		show_number(attr, f);
	}
}

/* True if text has nothing to show for it: the line may not be needed then. */
static bool is_empty(const struct nlattr *attr, const struct field *f)
{
	if (!attr || (f->stats && !out_options.stats && !out_options.json))
		return true;
	if (out_options.json)
		return false;
	switch (f->type) {
	case FIELD_COUNT:
	case FIELD_FLAG:
	case FIELD_REASON:
	case FIELD_ERRNO:
		return !nl_uint(attr);
	case FIELD_STRING:
		return !*(const char *)mnl_attr_get_payload(attr);
	case FIELD_BYTES:
		return !mnl_attr_get_payload_len(attr);
	default:
		return false;
	}
}

void fields_show(const struct nlattr *const *tb, const struct field *table,
		 size_t count)
{
	unsigned int line = 0;
	size_t i;

	for (i = 0; i < count; i++) {
		if (is_empty(tb[table[i].attr], &table[i]))
			continue;
		if (table[i].line != line) {
			line = table[i].line;
			out_line(INDENT);
		}
		field_show(tb[table[i].attr], &table[i]);
	}
}

int list_show(struct nlmsghdr *nlh, bool dump, nl_fn print, void *ctx)
{
	struct nl_replies replies;
	int ret = nl_ask(nlh, dump, &replies);

	if (ret)
		return ret;
	out_array_begin(NULL);
	ret = nl_use(&replies, print, ctx);
	out_array_end();
	return ret;
}

static void show_user_property(const struct kmqtt_prop_view *p)
{
	if (out_options.json) {
		out_array_begin(NULL);
		out_string(NULL, NULL, p->data, p->len);
		out_string(NULL, NULL, p->value, p->value_len);
		out_array_end();
		return;
	}
	out_string(NULL, "user-property", p->data, p->len);
	out_string(NULL, NULL, p->value, p->value_len);
}

/* User properties come as pairs, since a name may come more than once. */
static void show_user_properties(const unsigned char *pos,
				 const unsigned char *end)
{
	struct kmqtt_prop_view p;
	bool any = false;

	while (kmqtt_prop_next(&pos, end, &p)) {
		if (p.id != KMQTT_PROP_USER)
			continue;
		if (!any)
			out_array_begin("user_properties");
		any = true;
		show_user_property(&p);
	}
	if (any)
		out_array_end();
}

void properties_show(const struct nlattr *attr, unsigned int line)
{
	const unsigned char *pos, *start, *end;
	struct kmqtt_prop_view p;

	if (!attr || !mnl_attr_get_payload_len(attr))
		return;
	start = mnl_attr_get_payload(attr);
	end = start + mnl_attr_get_payload_len(attr);
	out_line(line);
	for (pos = start; kmqtt_prop_next(&pos, end, &p);) {
		if (p.id == KMQTT_PROP_PAYLOAD_FORMAT)
			out_uint("payload_format", "payload-format", p.number);
		else if (p.id == KMQTT_PROP_CONTENT_TYPE)
			out_string("content_type", "content-type", p.data, p.len);
		else if (p.id == KMQTT_PROP_RESPONSE_TOPIC)
			out_string("response_topic", "response-topic", p.data,
				   p.len);
		else if (p.id == KMQTT_PROP_CORRELATION_DATA)
			out_bytes("correlation_data", "correlation-data",
				  p.data, p.len);
	}
	show_user_properties(start, end);
}

// SPDX-License-Identifier: GPL-2.0
#include "format.h"

#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "options.h"
#include "topic.h"

/* what can follow a '%', and a backslash, and what that prints */
#define CONVERSIONS	"%ACDEFIJPRSUXjlmpqrtx"
#define ESCAPES		"\\0aenrtv"
#define ESCAPED		"\\\0\a\033\n\r\t\v"

/**
 * struct spec - a conversion: %[-][0][width][.precision]letter
 * @left:	'-': align to the left
 * @zero:	'0': pad with zeros
 * @width:	least width, 0 without one
 * @precision:	largest width, -1 without one
 * @letter:	which
 */
struct spec {
	bool left;
	bool zero;
	int width;
	int precision;
	char letter;
};

/**
 * struct print - a message that is being printed
 * @out:	where to
 * @o:		the options
 * @msg:	the message
 * @props:	its properties, none for MQTT 3
 * @now:	when it was received
 * @tm:		the same as local time
 */
struct print {
	FILE *out;
	const struct options *o;
	const struct kmqtt_message *msg;
	struct kmqtt_message props;
	const struct timespec *now;
	struct tm tm;
};

static const char *parse_int(const char *p, int *n)
{
	*n = 0;
	while (*p >= '0' && *p <= '9') {
		if (*n < INT_MAX / 10 - 1)
			*n = *n * 10 + (*p - '0');
		p++;
	}
	return p;
}

/* What follows a '%': returns the end of it; letter is 0 if there is none. */
static const char *spec_parse(const char *p, struct spec *spec)
{
	memset(spec, 0, sizeof(*spec));
	spec->precision = -1;
	if (*p == '-') {
		spec->left = true;
		p++;
	} else if (*p == '0') {
		spec->zero = true;
		p++;
	}
	/* "%-05x" has a width that begins with 0. */
	p = parse_int(p, &spec->width);
	if (*p == '.')
		p = parse_int(p + 1, &spec->precision);
	spec->letter = *p;
	return *p ? p + 1 : p;
}

static int check_failed(const char *kind, char c)
{
	if (c)
		fprintf(stderr, "Error: Invalid %s specifier '%c'.\n", kind, c);
	else
		fprintf(stderr, "Error: Incomplete %s specifier.\n", kind);
	return -1;
}

int format_check(const char *format)
{
	const char *p = format;
	struct spec spec;

	while (*p) {
		char c = *p++;

		if (c == '%') {
			p = spec_parse(p, &spec);
			if (!spec.letter || !strchr(CONVERSIONS, spec.letter))
				return check_failed("format", spec.letter);
		} else if (c == '@') {
			if (!*p++)
				return check_failed("format", 0);
		} else if (c == '\\') {
			if (!*p || !strchr(ESCAPES, *p))
				return check_failed("escape", *p);
			p++;
		}
	}
	return 0;
}

static void put_blanks(const struct print *pr, char c, int n)
{
	while (n-- > 0)
		putc(c, pr->out);
}

static void put_string(const struct print *pr, const struct spec *spec,
		       const char *s, size_t len)
{
	int blanks;

	if (spec->precision >= 0 && len > (size_t)spec->precision)
		len = spec->precision;
	blanks = len < (size_t)spec->width ? spec->width - (int)len : 0;
	if (!spec->left)
		put_blanks(pr, ' ', blanks);
	fwrite(s, 1, len, pr->out);
	if (spec->left)
		put_blanks(pr, ' ', blanks);
}

static void put_number(const struct print *pr, const struct spec *spec,
		       uint64_t n)
{
	char text[24];
	int len = snprintf(text, sizeof(text), "%llu", (unsigned long long)n);
	int blanks = spec->width - len;

	if (!spec->left)
		put_blanks(pr, spec->zero ? '0' : ' ', blanks);
	fwrite(text, 1, len, pr->out);
	if (spec->left)
		put_blanks(pr, ' ', blanks);
}

/*
 * A width is not only the least but also the largest one here, and counts
 * twice for hexadecimal digits: so does mosquitto_sub.
 */
static void put_payload(const struct print *pr, const struct spec *spec,
			const char *hex)
{
	const unsigned char *p = pr->msg->payload;
	size_t len = pr->msg->payload_len, width = spec->width, i;
	int blanks = 0;

	if (width) {
		if (len > width)
			len = width;
		if (hex)
			len /= 2;
		blanks = (int)(width - (hex ? 2 * len : len));
	}
	if (!spec->left)
		put_blanks(pr, spec->zero ? '0' : ' ', blanks);
	if (!hex)
		fwrite(p, 1, len, pr->out);
	else
		for (i = 0; i < len; i++) {
			putc(hex[p[i] >> 4], pr->out);
			putc(hex[p[i] & 15], pr->out);
		}
	if (spec->left)
		put_blanks(pr, ' ', blanks);
}

static void put_prop(const struct print *pr, const struct spec *spec,
		     enum kmqtt_prop id)
{
	static const struct spec plain = { .precision = -1 };
	struct kmqtt_prop_view prop;

	if (!kmqtt_message_prop(&pr->props, id, &prop)) {
		if (id == KMQTT_PROP_CONTENT_TYPE)
			put_blanks(pr, ' ', spec->width);
		else if (id == KMQTT_PROP_PAYLOAD_FORMAT)
			put_blanks(pr, spec->zero ? '0' : ' ', spec->width);
		return;
	}
	if (id == KMQTT_PROP_PAYLOAD_FORMAT)
		put_number(pr, spec, prop.number);
	else
		put_string(pr, id == KMQTT_PROP_CORRELATION_DATA ? &plain : spec,
			   prop.data, prop.len);
}

static void put_optional(const struct print *pr, const struct spec *spec,
			 uint32_t n)
{
	if (n)
		put_number(pr, spec, n);
	else
		put_blanks(pr, spec->zero ? '0' : ' ', spec->width);
}

static void put_user_props(const struct print *pr)
{
	const unsigned char *pos = pr->props.props;
	const unsigned char *end = pos + pr->props.props_len;
	struct kmqtt_prop_view prop;
	bool first = true;

	while (kmqtt_prop_next(&pos, end, &prop)) {
		if (prop.id != KMQTT_PROP_USER)
			continue;
		if (!first)
			putc(' ', pr->out);
		first = false;
		fwrite(prop.data, 1, prop.len, pr->out);
		putc(':', pr->out);
		fwrite(prop.value, 1, prop.value_len, pr->out);
	}
}

/* ---- JSON ---- */

static void key(struct json *j, const char *name)
{
	json_key(j, name, strlen(name));
}

static void json_user_props(struct json *j, const struct print *pr)
{
	const unsigned char *pos = pr->props.props;
	const unsigned char *end = pos + pr->props.props_len;
	struct kmqtt_prop_view prop;

	key(j, "user-properties");
	json_open(j);
	while (kmqtt_prop_next(&pos, end, &prop)) {
		if (prop.id != KMQTT_PROP_USER)
			continue;
		json_key(j, prop.data, prop.len);
		json_string(j, prop.value, prop.value_len);
	}
	json_close(j);
}

/* Bytes as a string if they are text, else as an array: JSON is UTF-8 (RFC 8259, 8.1). */
static void json_data(struct json *j, const void *data, size_t len)
{
	if (utf8_encoded(data, len) && !memchr(data, '\0', len))
		json_string(j, data, len);
	else
		json_bytes(j, data, len);
}

static const char *prop_name(unsigned int id)
{
	switch (id) {
	case KMQTT_PROP_PAYLOAD_FORMAT:
		return "payload-format-indicator";
	case KMQTT_PROP_CONTENT_TYPE:
		return "content-type";
	case KMQTT_PROP_RESPONSE_TOPIC:
		return "response-topic";
	case KMQTT_PROP_CORRELATION_DATA:
		return "correlation-data";
	default:
		return "subscription-identifier";
	}
}

/* In the order in which Mosquitto sends them. */
static void json_props(struct json *j, const struct print *pr)
{
	const unsigned char *pos = pr->props.props;
	const unsigned char *end = pos + pr->props.props_len;
	struct kmqtt_prop_view prop;
	bool users = false;

	key(j, "properties");
	json_open(j);
	if (pr->props.sub_id) {
		key(j, "subscription-identifier");
		json_number(j, pr->props.sub_id);
	}
	while (kmqtt_prop_next(&pos, end, &prop)) {
		if (prop.id == KMQTT_PROP_USER) {
			/* All of them are one member, where the first one is. */
			if (!users)
				json_user_props(j, pr);
			users = true;
			continue;
		}
		key(j, prop_name(prop.id));
		if (prop.data)
			json_data(j, prop.data, prop.len);
		else
			json_number(j, prop.number);
	}
	if (pr->props.expiry) {
		key(j, "message-expiry-interval");
		json_number(j, pr->props.expiry);
	}
	json_close(j);
}

/* The payload as a value: 0, or -1 if it should be JSON and is not. */
static int json_payload(struct json *j, const struct print *pr, bool parse)
{
	const struct kmqtt_message *msg = pr->msg;

	if (msg->payload_len && parse)
		return json_text(j, msg->payload, msg->payload_len);
	if (msg->payload_len)
		json_data(j, msg->payload, msg->payload_len);
	else
		fputs("null", j->out);
	return 0;
}

static int json_message(struct json *j, const struct print *pr, bool parse)
{
	const struct kmqtt_message *msg = pr->msg;
	char text[100], zone[16];
	size_t len;

	len = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &pr->tm);
	strftime(zone, sizeof(zone), "%z", &pr->tm);
	snprintf(text + len, sizeof(text) - len, ".%06ldZ%s",
		 pr->now->tv_nsec / 1000, zone);
	json_open(j);
	key(j, "tst");
	json_string(j, text, strlen(text));
	key(j, "topic");
	json_string(j, msg->topic, msg->topic_len);
	key(j, "qos");
	json_number(j, msg->qos);
	key(j, "retain");
	json_number(j, !!(msg->flags & KMQTT_REC_RETAIN));
	key(j, "payloadlen");
	json_number(j, msg->payload_len);
	if (msg->qos) {
		key(j, "mid");
		json_number(j, msg->id);
	}
	if (pr->props.props_len || pr->props.expiry || pr->props.sub_id)
		json_props(j, pr);
	key(j, "payload");
	if (json_payload(j, pr, parse) < 0)
		return -1;
	json_close(j);
	return 0;
}

/* Nothing is printed of a message whose payload turns out not to be JSON. */
static void put_json(const struct print *pr, bool parse)
{
	char *text = NULL;
	size_t len = 0;
	struct json j = { .pretty = pr->o->pretty };
	int ret;

	j.out = open_memstream(&text, &len);
	if (!j.out) {
		fprintf(stderr, "Error: Out of memory.\n");
		return;
	}
	ret = json_message(&j, pr, parse);
	if (fclose(j.out)) {
		fprintf(stderr, "Error: Out of memory.\n");
	} else if (!ret) {
		fwrite(text, 1, len, pr->out);
	} else if (!pr->o->quiet) {
		fflush(pr->out);
		fprintf(stderr, "Error: Message payload is not valid JSON on topic %s.\n",
			pr->msg->topic);
	}
	free(text);
}

/* ---- the format string ---- */

static void put_time(const struct print *pr, const struct spec *spec)
{
	char text[100];

	if (spec->letter == 'U') {
		fprintf(pr->out, "%lld.%09ld", (long long)pr->now->tv_sec,
			pr->now->tv_nsec);
		return;
	}
	strftime(text, sizeof(text), "%FT%T%z", &pr->tm);
	put_string(pr, spec, text, strlen(text));
}

static void put_spec(const struct print *pr, const struct spec *spec)
{
	const struct kmqtt_message *msg = pr->msg;

	switch (spec->letter) {
	case '%':
		putc('%', pr->out);
		break;
	case 'A': /* topic aliases are resolved before a message gets here */
		put_optional(pr, spec, 0);
		break;
	case 'C':
		put_prop(pr, spec, KMQTT_PROP_CONTENT_TYPE);
		break;
	case 'D':
		put_prop(pr, spec, KMQTT_PROP_CORRELATION_DATA);
		break;
	case 'E':
		put_optional(pr, spec, pr->props.expiry);
		break;
	case 'F':
		put_prop(pr, spec, KMQTT_PROP_PAYLOAD_FORMAT);
		break;
	case 'I':
	case 'U':
		put_time(pr, spec);
		break;
	case 'j':
	case 'J':
		put_json(pr, spec->letter == 'J');
		break;
	case 'l':
		put_number(pr, spec, msg->payload_len);
		break;
	case 'm':
		put_number(pr, spec, msg->qos ? msg->id : 0);
		break;
	case 'P':
		put_user_props(pr);
		break;
	case 'p':
		put_payload(pr, spec, NULL);
		break;
	case 'q':
		putc('0' + (int)msg->qos, pr->out);
		break;
	case 'R':
		put_prop(pr, spec, KMQTT_PROP_RESPONSE_TOPIC);
		break;
	case 'r':
		putc(msg->flags & KMQTT_REC_RETAIN ? '1' : '0', pr->out);
		break;
	case 'S':
		put_optional(pr, spec, pr->props.sub_id);
		break;
	case 't':
		put_string(pr, spec, msg->topic, msg->topic_len);
		break;
	case 'x':
		put_payload(pr, spec, "0123456789abcdef");
		break;
	case 'X':
		put_payload(pr, spec, "0123456789ABCDEF");
		break;
	}
}

/* What follows an '@': a conversion of strftime(), or N for nanoseconds. */
static void put_strftime(const struct print *pr, char letter)
{
	char format[3] = { '%', letter, '\0' };
	char text[100];

	if (letter == '@')
		putc('@', pr->out);
	else if (letter == 'N')
		fprintf(pr->out, "%09ld", pr->now->tv_nsec);
	else if (strftime(text, sizeof(text), format, &pr->tm))
		fputs(text, pr->out);
}

static void put_format(const struct print *pr)
{
	const char *p = pr->o->format;
	struct spec spec;

	while (*p) {
		char c = *p++;

		if (c == '%') {
			p = spec_parse(p, &spec);
			put_spec(pr, &spec);
		} else if (c == '@') {
			put_strftime(pr, *p++);
		} else if (c == '\\') {
			putc(ESCAPED[strchr(ESCAPES, *p) - ESCAPES], pr->out);
			p++;
		} else {
			putc(c, pr->out);
		}
	}
}

void message_print(FILE *out, const struct options *o,
		   const struct kmqtt_message *msg, const struct timespec *now)
{
	struct print pr = { .out = out, .o = o, .msg = msg, .now = now };

	if (options_shows_props(o))
		pr.props = *msg;
	localtime_r(&now->tv_sec, &pr.tm);
	if (o->format) {
		put_format(&pr);
	} else if (!msg->payload_len) {
		/* Without a payload there is only something to say with -v. */
		if (!o->verbose || !o->eol)
			return;
		fprintf(out, "%s (null)", msg->topic);
	} else {
		if (o->verbose)
			fprintf(out, "%s ", msg->topic);
		fwrite(msg->payload, 1, msg->payload_len, out);
	}
	if (o->eol)
		putc('\n', out);
}

// SPDX-License-Identifier: GPL-2.0
/* What all agents have in common: lines in, lines out. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent.h"

#define CLIENTS	16
#define WORDS	24

static struct agent_client clients[CLIENTS];

void agent_tell(const char *format, ...)
{
	char line[2048];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	/* one call, so that lines of two threads stay apart */
	fputs(line, stdout);
}

void agent_copy(char *to, const char *from, size_t len)
{
	if (len >= AGENT_TEXT)
		len = AGENT_TEXT - 1;
	if (len)
		memcpy(to, from, len);
	to[len] = 0;
}

const char *agent_pair(const char *pair, char *name)
{
	const char *colon = strchr(pair, ':');

	agent_copy(name, pair, colon ? (size_t)(colon - pair) : strlen(pair));
	return colon ? colon + 1 : "";
}

static unsigned int sum(const unsigned char *p, size_t len)
{
	unsigned int n = 0;

	while (len--)
		n += *p++;
	return n;
}

/* A payload that is no word is told by its length and the sum of its bytes. */
void agent_message(struct agent_client *c, const struct agent_message *msg)
{
	const struct agent_props *p = &msg->props;
	char payload[AGENT_TEXT], props[6 * AGENT_TEXT] = "";
	size_t at = 0;

	if (!msg->len)
		snprintf(payload, sizeof(payload), "-");
	else if (msg->len < 100 && !memchr(msg->payload, 0, msg->len))
		agent_copy(payload, msg->payload, msg->len);
	else
		snprintf(payload, sizeof(payload), "*%zu:%u", msg->len,
			 sum(msg->payload, msg->len));
	if (*p->content)
		at += sprintf(props + at, " content=%s", p->content);
	if (*p->response)
		at += sprintf(props + at, " response=%s", p->response);
	if (*p->correlation)
		at += sprintf(props + at, " correlation=%s", p->correlation);
	if (*p->user)
		at += sprintf(props + at, " user=%s", p->user);
	if (p->expiry)
		at += sprintf(props + at, " expiry=%u", p->expiry);
	if (p->sub_id)
		at += sprintf(props + at, " sub_id=%u", p->sub_id);
	agent_tell("message %s %s %d %d %s%s\n", c->name, msg->topic, msg->qos, msg->retain,
		   payload, props);
}

static struct agent_client *client_of(const char *name)
{
	struct agent_client *c;

	for (c = clients; c < clients + CLIENTS; c++) {
		if (!*c->name)
			snprintf(c->name, sizeof(c->name), "%s", name);
		if (!strcmp(c->name, name))
			return c;
	}
	fprintf(stderr, "agent: too many clients\n");
	exit(1);
}

/* The value of NAME=VALUE among the words, or NULL. */
static const char *option(char **words, const char *name)
{
	size_t len = strlen(name);

	for (; *words; words++)
		if (!strncmp(*words, name, len) && (*words)[len] == '=')
			return *words + len + 1;
	return NULL;
}

static unsigned int number(char **words, const char *name, unsigned int absent)
{
	const char *text = option(words, name);

	return text ? strtoul(text, NULL, 10) : absent;
}

static void text(char **words, const char *name, char *to)
{
	const char *value = option(words, name);

	agent_copy(to, value, value ? strlen(value) : 0);
}

/* *N is N bytes. */
static void payload_make(const char *word, struct agent_message *msg)
{
	static char *bytes;

	msg->len = !word ? 0 : *word == '*' ? strtoul(word + 1, NULL, 10) : strlen(word);
	free(bytes);
	bytes = malloc(msg->len + 1);
	if (!bytes)
		exit(1);
	if (word && *word == '*')
		memset(bytes, 'x', msg->len);
	else if (word)
		memcpy(bytes, word, msg->len);
	msg->payload = bytes;
}

static void message_make(char **words, struct agent_message *msg)
{
	msg->topic = option(words, "topic");
	msg->qos = number(words, "qos", 0);
	msg->retain = number(words, "retain", 0);
	payload_make(option(words, "payload"), msg);
	text(words, "content", msg->props.content);
	text(words, "response", msg->props.response);
	text(words, "correlation", msg->props.correlation);
	text(words, "user", msg->props.user);
	msg->props.expiry = number(words, "expiry", 0);
}

static void connect_do(const struct agent_ops *ops, struct agent_client *c, char **words)
{
	struct agent_connect how = {
		.version = number(words, "version", 5),
		.id = option(words, "id"),
		.clean = number(words, "clean", 1),
		.expiry = number(words, "session", 0),
		.user = option(words, "login"),
		.password = option(words, "password"),
	};

	c->version = how.version;
	if (option(words, "topic"))
		message_make(words, &how.will);
	ops->connect(c, &how);
}

static void line_do(const struct agent_ops *ops, char *line)
{
	char *words[WORDS + 1] = { NULL };
	struct agent_message msg = { .topic = NULL };
	struct agent_client *c;
	int n = 0;

	for (line = strtok(line, "\n "); line && n < WORDS; line = strtok(NULL, "\n "))
		words[n++] = line;
	if (n < 2)
		return;
	c = client_of(words[1]);
	if (!strcmp(words[0], "connect")) {
		connect_do(ops, c, words + 2);
	} else if (!strcmp(words[0], "subscribe")) {
		ops->subscribe(c, option(words, "filter"), number(words, "qos", 0),
			       number(words, "no_local", 0), number(words, "sub_id", 0));
	} else if (!strcmp(words[0], "unsubscribe")) {
		ops->unsubscribe(c, option(words, "filter"));
	} else if (!strcmp(words[0], "publish")) {
		message_make(words, &msg);
		ops->publish(c, &msg);
	} else if (!strcmp(words[0], "disconnect")) {
		ops->disconnect(c);
	}
}

int agent_run(const struct agent_ops *ops)
{
	char line[4096];

	setvbuf(stdout, NULL, _IOLBF, 8192);
	while (fgets(line, sizeof(line), stdin))
		line_do(ops, line);
	return 0;
}

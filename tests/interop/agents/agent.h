/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An agent: a program around one MQTT client library that does what it is told, a line each on
 * standard input, and tells what happens, a line each on standard output. One library is one
 * `struct agent_ops`; agents.py has the other side, and what the lines are.
 */
#ifndef AGENT_H
#define AGENT_H

#include <stdbool.h>
#include <stddef.h>

#define AGENT_TEXT 256

/* Properties of a message, of MQTT 5.0; empty or 0: it has none. */
struct agent_props {
	char content[AGENT_TEXT];
	char response[AGENT_TEXT];
	char correlation[AGENT_TEXT];
	char user[AGENT_TEXT];		/* NAME:VALUE */
	unsigned int expiry;
	unsigned int sub_id;
};

struct agent_message {
	const char *topic;
	const void *payload;
	size_t len;
	int qos;
	bool retain;
	struct agent_props props;
};

/* What CONNECT has. Texts may be NULL. */
struct agent_connect {
	int version;			/* 3, 4, 5 */
	const char *id;
	bool clean;
	unsigned int expiry;
	const char *user;
	const char *password;
	struct agent_message will;	/* without a topic: none */
};

/* One client. What a function has begun is told by agent_tell() when it has ended. */
struct agent_client {
	char name[32];
	int version;
	void *lib;
};

struct agent_ops {
	void (*connect)(struct agent_client *c, const struct agent_connect *how);
	void (*subscribe)(struct agent_client *c, const char *filter, int qos, bool no_local,
			  unsigned int sub_id);
	void (*unsubscribe)(struct agent_client *c, const char *filter);
	void (*publish)(struct agent_client *c, const struct agent_message *msg);
	void (*disconnect)(struct agent_client *c);
};

/* From any thread. */
void agent_tell(const char *format, ...) __attribute__((format(printf, 1, 2)));
void agent_message(struct agent_client *c, const struct agent_message *msg);

/* Copy @len bytes, which may be NULL, as a string that fits. */
void agent_copy(char *to, const char *from, size_t len);

/* The two halves of NAME:VALUE, the first one in @name. Returns the second. */
const char *agent_pair(const char *pair, char *name);

int agent_run(const struct agent_ops *ops);

#endif

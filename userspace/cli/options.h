/* SPDX-License-Identifier: GPL-2.0 */
/* The options of kmqtt pub, sub and rr, which are those of Mosquitto's clients. */
#ifndef KMQTT_CLI_OPTIONS_H
#define KMQTT_CLI_OPTIONS_H

#include <kmqtt/kmqtt.h>
#include <stdbool.h>
#include <stdint.h>

/* which program; also bits of a mask */
enum tool {
	TOOL_PUB = 1,
	TOOL_SUB = 2,
	TOOL_RR = 4,
};

/* where the payload comes from */
enum pub_mode {
	MODE_NONE,
	MODE_MESSAGE,
	MODE_FILE,
	MODE_LINES,
	MODE_STDIN,
	MODE_NULL,
};

/* Exit statuses, those of libmosquitto and of MQTT 5.0, 2.4. */
enum status {
	STATUS_OK = 0,
	STATUS_ERROR = 1,
	STATUS_INVAL = 3,
	STATUS_CONN_LOST = 7,
	STATUS_PAYLOAD_SIZE = 9,
	STATUS_ERRNO = 14,
	STATUS_TIMEOUT = 27,
	STATUS_NOT_AUTHORIZED = 135,
};

/* what options_parse() found */
enum parsed {
	PARSED_OK,
	PARSED_ERROR,
	PARSED_HELP,
	PARSED_VERSION,
};

/**
 * struct strings - a list of strings that live elsewhere
 * @v:	the strings
 * @n:	how many
 */
struct strings {
	const char **v;
	size_t n;
};

/**
 * struct options - what was asked for
 * @tool:	which program
 * @name:	its name in texts
 * @topic:	pub, rr: where to publish
 * @response_topic: rr: where the answer comes
 * @topics:	sub: filters to subscribe to
 * @filter_out:	sub: filters of what is not printed
 * @unsubscribe: sub: filters to unsubscribe from
 * @mode:	where the payload comes from
 * @message:	payload of MODE_MESSAGE
 * @file:	its name, of MODE_FILE
 * @qos:	0, 1 or 2
 * @retain:	pub: retain it
 * @id:		name of the session, NULL without one
 * @id_prefix:	its beginning; the process id is appended
 * @clean:	begin anew (Clean Start)
 * @expiry:	session expiry interval in s, -1 if not given
 * @version:	5, 4 or 3 if -V was given, else 0
 * @props:	properties to publish with
 * @seen:	which properties were given, per command: bits by identifier
 * @sub_id:	subscription identifier, 0 without one
 * @max_inflight: QoS 1 and 2 messages not yet acknowledged, 0: default
 * @repeat:	pub: how often to publish
 * @repeat_delay_us: pub: time between, in us
 * @wait:	pub: wait for the uplinks' brokers
 * @wait_ms:	how long, 0: for ever
 * @format:	how to print, or NULL
 * @verbose:	print the topic too
 * @eol:	end each message with a newline
 * @pretty:	print JSON on several lines
 * @count:	end after so many messages, 0: never
 * @timeout:	end after so many seconds, 0: never
 * @no_retained: do not print retained messages
 * @retained_only: end at the first message that is not retained
 * @retain_as_published: keep the RETAIN flag as it was sent
 * @retain_handling: &enum kmqtt_retain_handling
 * @remove_retained: delete retained messages that were received
 * @exit_after_sub: end when subscribed
 * @random_filter: print that many of 10000
 * @quiet:	no errors on standard error
 * @debug:	tell on standard output what happens
 * @will_topic:	a will was given; it has no effect
 * @will_payload: its payload was given
 * @will_retain: its RETAIN flag was given
 * @no_effect:	options that were given and have no effect here
 * @options_file: -o
 * @owned:	lines of an options file, which the rest points into
 */
struct options {
	enum tool tool;
	const char *name;
	const char *topic;
	const char *response_topic;
	struct strings topics;
	struct strings filter_out;
	struct strings unsubscribe;
	enum pub_mode mode;
	const char *message;
	const char *file;
	unsigned int qos;
	bool retain;
	const char *id;
	const char *id_prefix;
	bool clean;
	int64_t expiry;
	unsigned int version;
	struct kmqtt_props *props;
	uint64_t seen[8];
	uint32_t sub_id;
	unsigned int max_inflight;
	unsigned int repeat;
	uint64_t repeat_delay_us;
	bool wait;
	unsigned int wait_ms;
	const char *format;
	bool verbose;
	bool eol;
	bool pretty;
	unsigned int count;
	unsigned int timeout;
	bool no_retained;
	bool retained_only;
	bool retain_as_published;
	unsigned int retain_handling;
	bool remove_retained;
	bool exit_after_sub;
	unsigned int random_filter;
	bool quiet;
	bool debug;
	const char *will_topic;
	bool will_payload;
	bool will_retain;
	struct strings no_effect;
	const char *options_file;
	struct strings owned;
};

/**
 * options_parse() - read the options file and the command line
 * @o: where to store them; to be freed with options_free()
 * @tool: which program
 * @name: its name in texts
 * @argc: count of @argv
 * @argv: the options; the strings must outlive @o
 *
 * Tells of errors on standard error.
 *
 * Return: what to do.
 */
enum parsed options_parse(struct options *o, enum tool tool, const char *name,
			  int argc, char **argv);

/**
 * options_free() - free what options_parse() stored
 * @o: the options
 */
void options_free(struct options *o);

/**
 * options_shows_props() - are properties to be used, as in MQTT 5.0?
 * @o: the options
 *
 * Return: false if an older version of MQTT was asked for with -V.
 */
bool options_shows_props(const struct options *o);

/**
 * strings_add() - add a string to a list
 * @list: the list
 * @s: the string, not copied
 *
 * Return: 0, or -1 without memory, which was told.
 */
int strings_add(struct strings *list, const char *s);

/**
 * property_parse() - parse the arguments of -D
 * @o: the options
 * @argc: count of @argv
 * @argv: the arguments
 * @i: where the command word is; moved on to the last argument used
 *
 * Tells of errors on standard error.
 *
 * Return: 0, or -1.
 */
int property_parse(struct options *o, int argc, char **argv, int *i);

/**
 * usage_print() - print the help text of --help
 * @o: the options; only the program and its name count
 */
void usage_print(const struct options *o);

#endif

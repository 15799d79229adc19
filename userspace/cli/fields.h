/* SPDX-License-Identifier: GPL-2.0 */
/* Tables that say how the attributes of a message are shown. */
#ifndef KMQTT_CLI_FIELDS_H
#define KMQTT_CLI_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nlattr;
struct nlmsghdr;

/**
 * enum field_type - how an attribute is shown
 * @FIELD_UINT:		number
 * @FIELD_COUNT:	number; in text only if it is not 0
 * @FIELD_LIMIT:	number; 0 is `unlimited` in text
 * @FIELD_DEFAULT:	number; 0 is `default` in text: what the switch has
 * @FIELD_BITS:		numbers of the bits that are set, as 3,4,5; JSON: an array
 * @FIELD_BOOL:		on or off
 * @FIELD_FLAG:		its label, or nothing
 * @FIELD_SECONDS:	duration
 * @FIELD_NEVER:	duration of which 4294967295 is `never` in text
 * @FIELD_STRING:	string; in text only if it is not empty
 * @FIELD_BYTES:	bytes that may be text; in text only if there are any
 * @FIELD_CHOICE:	the word in &field.words for the number
 * @FIELD_REASON:	MQTT reason code, with its name; in text only if not 0
 * @FIELD_ERRNO:	errno, with its text; in text only if it is not 0
 * @FIELD_TIME:		ns since 1970; as a date
 */
enum field_type {
	FIELD_UINT,
	FIELD_COUNT,
	FIELD_LIMIT,
	FIELD_DEFAULT,
	FIELD_BITS,
	FIELD_BOOL,
	FIELD_FLAG,
	FIELD_SECONDS,
	FIELD_NEVER,
	FIELD_STRING,
	FIELD_BYTES,
	FIELD_CHOICE,
	FIELD_REASON,
	FIELD_ERRNO,
	FIELD_TIME,
};

/**
 * struct words - names of the values of an enum
 * @first:	value of the first one
 * @word:	words, NULL at the end
 */
struct words {
	unsigned int first;
	const char *word[18];
};

extern const struct words words_policy;
extern const struct words words_session_type;
extern const struct words words_ack_type;
extern const struct words words_direction;
extern const struct words words_uplink_state;
extern const struct words words_version;
extern const struct words words_acl_who;
extern const struct words words_acl_access;
extern const struct words words_acl_substitute;
extern const struct words words_allow;
extern const struct words words_event;
extern const struct words words_retain_handling;

/**
 * struct field - how one attribute is shown
 * @attr:	its type; an attribute that is not there is not shown
 * @type:	&enum field_type
 * @line:	text: which line it is on; 0: the line that is open already
 * @stats:	text: only with -s
 * @key:	JSON key
 * @label:	word in text, NULL: none
 * @words:	FIELD_CHOICE: names
 */
struct field {
	uint16_t attr;
	enum field_type type;
	unsigned char line;
	bool stats;
	const char *key;
	const char *label;
	const struct words *words;
};

/* One entry of a table, e.g. FIELD(attr, UINT, 1, false, "key", "label") */
#define FIELD(a, t, l, s, k, lb, ...)					\
	{ .attr = (a), .type = FIELD_##t, .line = (l), .stats = (s),	\
	  .key = (k), .label = (lb), __VA_ARGS__ }

/**
 * fields_show() - prints attributes
 * @tb:		attributes, by type
 * @table:	how; in the order in which they are printed
 * @count:	entries in @table
 */
void fields_show(const struct nlattr *const *tb, const struct field *table,
		 size_t count);

/**
 * list_show() - asks the kernel and prints what it tells, in JSON as an array
 * @nlh:	request
 * @dump:	all that there are, else one
 * @print:	prints one object
 * @ctx:	for @print
 *
 * Nothing is printed if the kernel refuses. Return: &enum status
 */
int list_show(struct nlmsghdr *nlh, bool dump,
	      int (*print)(const struct nlmsghdr *nlh, void *ctx), void *ctx);

/** field_show() - prints one attribute; see fields_show() */
void field_show(const struct nlattr *attr, const struct field *field);

/** words_find() - name of a value. Return: it, or NULL if it has none */
const char *words_find(const struct words *words, uint64_t value);

/**
 * attr_text() - a string attribute's bytes without a NUL byte at the end
 * @attr:	attribute
 * @len:	out: how many
 */
const char *attr_text(const struct nlattr *attr, size_t *len);

/** reason_name() - name of an MQTT 5.0 reason code (2.4), or NULL */
const char *reason_name(unsigned int code);

/** time_show() - prints ns since 1970 as a date in UTC; see out_string() */
void time_show(const char *key, const char *label, uint64_t ns);

/**
 * properties_show() - prints the MQTT 5.0 properties of a message
 * @attr:	they, as on the wire; NULL: none
 * @line:	text: indentation of the lines that they are put on
 */
void properties_show(const struct nlattr *attr, unsigned int line);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The words of a command line: shortened words, keywords with values, and the
 * tables that say which there are and which netlink attribute they become.
 *
 * Whoever finds a mistake prints it on standard error and returns
 * STATUS_USAGE; the callers only pass that on.
 */
#ifndef KMQTT_CLI_ARGS_H
#define KMQTT_CLI_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nlmsghdr;
struct words;

/**
 * enum status - exit status of the command, and what its functions return
 * @STATUS_OK:		done
 * @STATUS_USAGE:	the command line makes no sense
 * @STATUS_REFUSED:	refused by the kernel, or it could not be asked
 */
enum status {
	STATUS_OK = 0,
	STATUS_USAGE = 1,
	STATUS_REFUSED = 2,
};

/**
 * struct args - the words that were not looked at yet
 * @count:	how many
 * @words:	they
 */
struct args {
	int count;
	char **words;
};

/** args_next() - takes the next word. Return: it, or NULL at the end */
char *args_next(struct args *args);

/**
 * args_value() - takes the value that must follow a keyword
 * @args:	the words behind it
 * @keyword:	for the message
 *
 * Return: the value, or NULL (reported) if there is none.
 */
char *args_value(struct args *args, const char *keyword);

/**
 * args_need() - takes a word that must be there
 * @args:	words
 * @what:	what it is, as in the usage: "NAME"
 *
 * Return: the word, or NULL (reported) if there is none.
 */
char *args_need(struct args *args, const char *what);

/** args_end() - there must be no more words. Return: STATUS_OK, STATUS_USAGE */
int args_end(const struct args *args);

/**
 * usage_error() - reports a mistake in the command line
 * @fmt:	as for printf(), without a newline
 *
 * Return: STATUS_USAGE, to be passed on
 */
int usage_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/**
 * word_find() - which word of a table is meant?
 * @word:	a whole word of the table, or the beginning of only one of them; with
 *		`-` or `_` between its parts
 * @table:	array of structs whose first member is a `const char *`, or of
 *		`const char *`
 * @stride:	size of an element
 * @count:	elements
 * @what:	what they are, for the message
 *
 * Return: index in @table, or -1 (reported) if it is none or may be several.
 */
int word_find(const char *word, const void *table, size_t stride, size_t count,
	      const char *what);

/**
 * number_parse() - a decimal number
 * @word:	the number
 * @min:	smallest that is allowed
 * @max:	largest that is allowed
 * @keyword:	whose value it is, for the message
 * @out:	where to
 *
 * Return: STATUS_OK, STATUS_USAGE (reported)
 */
int number_parse(const char *word, uint64_t min, uint64_t max,
		 const char *keyword, uint64_t *out);

/**
 * seconds_parse() - a duration: a number of seconds, or with one of the units
 *	s m h d w behind it; `never`: UINT32_MAX
 *
 * See number_parse().
 */
int seconds_parse(const char *word, uint64_t min, uint64_t max,
		  const char *keyword, uint64_t *out);

/** bool_parse() - on, off, true, false, yes, no, 1, 0. See number_parse() */
int bool_parse(const char *word, const char *keyword, bool *out);

/**
 * choice_parse() - one of several words, maybe shortened
 * @word:	the word
 * @words:	which there are
 * @keyword:	what they are, for the message
 * @out:	out: the value of the word
 *
 * Return: STATUS_OK, STATUS_USAGE (reported)
 */
int choice_parse(const char *word, const struct words *words,
		 const char *keyword, unsigned int *out);

/**
 * file_read() - the whole content of a small file, without a newline at its end
 * @path:	its path; `-`: standard input
 * @max:	bytes that are allowed
 * @len:	out: bytes
 *
 * Return: the content from malloc(), or NULL (reported).
 */
char *file_read(const char *path, size_t max, size_t *len);

/**
 * enum param_type - how a value becomes an attribute
 * @PARAM_CONST8:	no value on the command line; u8, &param.min
 * @PARAM_BOOL:		on or off; u8 1 or 0
 * @PARAM_U8:		number
 * @PARAM_U16:		number
 * @PARAM_U32:		number
 * @PARAM_U64:		number
 * @PARAM_SECONDS:	duration; u32 seconds
 * @PARAM_SECONDS16:	duration; u16 seconds
 * @PARAM_STRING:	string with a NUL byte
 * @PARAM_BYTES:	string without one
 * @PARAM_FILE:		path of a file whose content are the bytes
 * @PARAM_CHOICE:	one of the words in &param.words; u32
 * @PARAM_CHOICE8:	the same; u8
 * @PARAM_CALL:		&param.call does it
 */
enum param_type {
	PARAM_CONST8,
	PARAM_BOOL,
	PARAM_U8,
	PARAM_U16,
	PARAM_U32,
	PARAM_U64,
	PARAM_SECONDS,
	PARAM_SECONDS16,
	PARAM_STRING,
	PARAM_BYTES,
	PARAM_FILE,
	PARAM_CHOICE,
	PARAM_CHOICE8,
	PARAM_CALL,
};

/**
 * struct param - a keyword of a command
 * @name:	keyword
 * @attr:	netlink attribute
 * @type:	&enum param_type
 * @min:	smallest number, or length of a string
 * @max:	largest number, or length of a string; 0: what the type can hold
 * @words:	PARAM_CHOICE: words
 * @call:	PARAM_CALL: takes the value from the words and puts the
 *		attributes; return: STATUS_OK, STATUS_USAGE (reported)
 */
struct param {
	const char *name;
	uint16_t attr;
	enum param_type type;
	uint64_t min;
	uint64_t max;
	const struct words *words;
	int (*call)(struct args *args, const struct param *param,
		    struct nlmsghdr *nlh);
};

/* One entry of a table, e.g. PARAM("keyword", attr, U8, .max = 2) */
#define PARAM(n, a, t, ...)						\
	{ .name = (n), .attr = (a), .type = PARAM_##t, __VA_ARGS__ }

/** PARAMS_MAX - most keywords that one table may have */
#define PARAMS_MAX	64

/**
 * params_parse() - all remaining words as keywords with their values
 * @args:	the words; each attribute at most once
 * @table:	keywords
 * @count:	how many, up to PARAMS_MAX
 * @nlh:	the request that gets the attributes
 *
 * Return: STATUS_OK, STATUS_USAGE (reported)
 */
int params_parse(struct args *args, const struct param *table, size_t count,
		 struct nlmsghdr *nlh);

/**
 * param_put() - one keyword's value, see params_parse()
 * @param:	keyword
 */
int param_put(struct args *args, const struct param *param,
	      struct nlmsghdr *nlh);

/**
 * struct command - a command of an object
 * @name:	its word
 * @run:	does it with the words behind it; return: &enum status
 */
struct command {
	const char *name;
	int (*run)(struct args *args);
};

/**
 * command_run() - finds the command that the next word names and runs it
 * @args:	words; none: `show`; `help`: @usage on standard output
 * @table:	commands of the object; the first is the default
 * @count:	how many
 * @usage:	text of `help`
 *
 * Return: &enum status
 */
int command_run(struct args *args, const struct command *table, size_t count,
		const char *usage);

/**
 * is_help() - does the next word ask for help?
 * @args:	words; it is taken if it does
 * @shortened:	it may be shortened, for nothing else can stand there
 */
bool is_help(struct args *args, bool shortened);

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#endif

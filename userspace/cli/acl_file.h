/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Files of access rules, as Mosquitto has them:
 *
 *	topic [read|write|readwrite|deny] TOPIC		of anonymous clients
 *	user NAME
 *	topic ...					of that user
 *	pattern [read|write|readwrite|deny] TOPIC	of all, with %c and %u
 *
 * and besides, `rule ...` with what may stand behind `kmqtt acl add`.
 */
#ifndef KMQTT_CLI_ACL_FILE_H
#define KMQTT_CLI_ACL_FILE_H

#include <stddef.h>

/**
 * enum acl_line_kind - what a line of such a file is
 * @ACL_LINE_RULE:	`rule`: the rest is in @text
 * @ACL_LINE_TOPIC:	`topic`
 * @ACL_LINE_PATTERN:	`pattern`
 */
enum acl_line_kind {
	ACL_LINE_RULE,
	ACL_LINE_TOPIC,
	ACL_LINE_PATTERN,
};

/**
 * struct acl_line - a line of such a file that says something
 * @kind:	&enum acl_line_kind
 * @access:	KMQTT_ACL_ACCESS_READ and KMQTT_ACL_ACCESS_WRITE; 0: deny
 * @user:	ACL_LINE_TOPIC: whose, NULL: of anonymous clients
 * @text:	the topic, or the rest of a rule
 * @where:	file and number of the line, for messages
 */
struct acl_line {
	enum acl_line_kind kind;
	unsigned int access;
	char *user;
	char *text;
	char *where;
};

/**
 * struct acl_file - all of them
 * @line:	lines, from malloc()
 * @count:	how many
 * @room:	places at @line
 * @bytes:	of all texts
 */
struct acl_file {
	struct acl_line *line;
	size_t count;
	size_t room;
	size_t bytes;
};

/**
 * acl_file_read() - reads a file
 * @path:	its path; `-`: standard input
 * @file:	out: for acl_file_free(), also on error
 *
 * Return: STATUS_OK, STATUS_USAGE (reported, with the line).
 */
int acl_file_read(const char *path, struct acl_file *file);

/** acl_file_free() - forgets it */
void acl_file_free(struct acl_file *file);

#endif

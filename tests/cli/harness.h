/* SPDX-License-Identifier: GPL-2.0 */
/* Runs the command's objects with a kernel that only remembers and answers. */
#ifndef KMQTT_TESTS_CLI_HARNESS_H
#define KMQTT_TESTS_CLI_HARNESS_H

#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "args.h"

/**
 * struct run - one run of an object, and what came of it
 * @status:	what it returned
 * @out:	standard output
 * @err:	standard error
 * @requests:	how many requests were sent
 * @dump:	the last one was a dump
 * @request:	the last one
 */
struct run {
	int status;
	char out[16384];
	char err[4096];
	unsigned int requests;
	bool dump;
	char request[65536] __attribute__((aligned(8)));
};

/**
 * run() - runs an object
 * @main:	its function
 * @line:	its words, with spaces between; in single quotes if they have some
 *
 * Return: what came of it, valid until the next call
 */
const struct run *run(int (*main)(struct args *args), const char *line);

/**
 * reply_begin() - the kernel's next answer has one more message
 * @cmd:	its command
 *
 * Return: the message, to be filled with attributes before the next call. It is
 * the answer to the first request of the next run(), and to that alone.
 */
struct nlmsghdr *reply_begin(uint8_t cmd);

/**
 * reply_to() - what reply_begin() makes from now on answers only requests with
 *	this command; 0: the first request
 */
void reply_to(uint8_t cmd);

/** requested() - number of attributes in the last request */
size_t requested(const struct run *r);

/** request_attr() - the attribute at @index of the last request, or NULL */
const struct nlattr *request_attr(const struct run *r, size_t index);

/** request_cmd() - command of the last request */
uint8_t request_cmd(const struct run *r);

/** test_args() - words become attributes, or a message that says what is wrong */
void test_args(void);

/** test_passwd() - passwords, and files with them */
void test_passwd(void);

/** test_acl_file() - files of access rules */
void test_acl_file(void);

/** test_show() - attributes become text and JSON */
void test_show(void);

/** test_out() - strings, numbers and brackets */
void test_out(void);

#endif

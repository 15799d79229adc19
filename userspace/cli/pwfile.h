/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Password files as Mosquitto has them: lines of USER:HASH, of which HASH is
 * $7$ITERATIONS$SALT$HASH with salt and PBKDF2 in base64, or as before Mosquitto 2.0
 * $6$SALT$HASH with SHA-512 of the password and then the salt.
 */
#ifndef KMQTT_CLI_PWFILE_H
#define KMQTT_CLI_PWFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sha512.h"

/** PW_SALT_MAX - bytes of a salt at most */
#define PW_SALT_MAX		64

/** PW_ITERATIONS - of passwords that are hashed here, as Mosquitto 2.1 has it */
#define PW_ITERATIONS		1000

/** PW_ITERATIONS_MAX - more the kernel does not take */
#define PW_ITERATIONS_MAX	1000000

/** PW_TEXT_MAX - bytes of a hash as text, with the NUL byte */
#define PW_TEXT_MAX		256

/** PW_PASSWORD_MAX - bytes of a password: what MQTT can carry */
#define PW_PASSWORD_MAX		65535

/**
 * struct pw_hash - what is kept of a password
 * @iterations:	of PBKDF2; 0: SHA-512
 * @salt_len:	bytes of @salt
 * @salt:	they
 * @hash:	what it comes to
 */
struct pw_hash {
	uint32_t iterations;
	size_t salt_len;
	uint8_t salt[PW_SALT_MAX];
	uint8_t hash[SHA512_LEN];
};

/**
 * pw_make() - hash a password, with a new salt
 * Return: STATUS_OK, STATUS_REFUSED (reported)
 */
int pw_make(struct pw_hash *pw, const char *password, size_t len,
	    uint32_t iterations);

/** pw_format() - as it stands in a file, into PW_TEXT_MAX bytes */
void pw_format(const struct pw_hash *pw, char *text);

/** pw_parse() - out of a file. Return: NULL, or what is wrong with it */
const char *pw_parse(const char *text, struct pw_hash *pw);

/** pw_hashed() - does this look like a hash, of whatever kind? */
bool pw_hashed(const char *text);

/** pw_user_check() - may it stand in a file? Return: STATUS_OK, STATUS_USAGE (reported) */
int pw_user_check(const char *user);

/**
 * struct pwfile_line - a line of a password file
 * @path:	of the file, for messages
 * @number:	from 1
 * @text:	all of it, without the line break
 * @user:	user name; NULL: a comment or an empty line
 * @hash:	what stands behind the colon
 */
struct pwfile_line {
	const char *path;
	unsigned int number;
	const char *text;
	const char *user;
	const char *hash;
};

/**
 * pwfile_read() - the lines of a password file
 * @path:	its path; `-`: standard input
 * @missing:	it need not be there
 * @fn:		for each line; it returns 0, or a status to stop with
 * @ctx:	for @fn
 *
 * Return: STATUS_OK, STATUS_USAGE (reported), or what @fn returned.
 */
int pwfile_read(const char *path, bool missing,
		int (*fn)(const struct pwfile_line *line, void *ctx), void *ctx);

/** pwfile_error() - reports what is wrong with a line. Return: STATUS_USAGE */
int pwfile_error(const struct pwfile_line *line, const char *what);

/**
 * pwfile_set() - give a user a password, in a file that is made if need be
 * Return: STATUS_OK, STATUS_USAGE (reported)
 */
int pwfile_set(const char *path, const char *user, const struct pw_hash *pw);

/** pwfile_del() - remove a user from a file. See pwfile_set() */
int pwfile_del(const char *path, const char *user);

/** pwfile_hash() - hash the passwords that are not. See pwfile_set() */
int pwfile_hash(const char *path, uint32_t iterations);

#endif

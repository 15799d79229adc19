/* SPDX-License-Identifier: GPL-2.0 */
/*
 * PBKDF2 (RFC 8018, 5.2) with HMAC-SHA-512: what a password table holds of passwords. And
 * what Mosquitto's had before version 2.0, and still takes: SHA-512 with a salt, once.
 */
#ifndef KMQTT_CORE_PBKDF2_H
#define KMQTT_CORE_PBKDF2_H

#include <linux/types.h>

struct crypto_shash;

/* one block of the function is all that is derived */
#define KMQTT_PBKDF2_LEN	64

/** kmqtt_pbkdf2_alloc() - its keyed hash. May sleep. Return: it or ERR_PTR() */
struct crypto_shash *kmqtt_pbkdf2_alloc(void);

/**
 * kmqtt_pbkdf2() - derive a key from a password
 * @hmac:	from kmqtt_pbkdf2_alloc(); it is keyed with the password and used by
 *		one caller at a time
 * @password:	bytes; NULL is allowed if there are none
 * @len:	how many
 * @salt:	bytes
 * @salt_len:	how many
 * @iterations:	1 or more: the time that it takes
 * @stop:	looked at again and again: true ends it
 * @out:	out: KMQTT_PBKDF2_LEN bytes
 *
 * Process context, may sleep, lets others run.
 * Return: 0, -EINTR (@stop), -ENOMEM, or what the hash says.
 */
int kmqtt_pbkdf2(struct crypto_shash *hmac, const u8 *password, u32 len,
		 const u8 *salt, u32 salt_len, u32 iterations, const bool *stop,
		 u8 *out);

/**
 * kmqtt_salted_sha512() - the hash of a password and then a salt
 * @password:	bytes; NULL is allowed if there are none
 * @len:	how many
 * @salt:	bytes
 * @salt_len:	how many
 * @out:	out: KMQTT_PBKDF2_LEN bytes
 *
 * Process context, may sleep. Return: 0, -ENOMEM, or what the hash says.
 */
int kmqtt_salted_sha512(const u8 *password, u32 len, const u8 *salt, u32 salt_len, u8 *out);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/* SHA-512 (FIPS 180-4), and PBKDF2 (RFC 8018, 5.2) with HMAC-SHA-512. */
#ifndef KMQTT_CLI_SHA512_H
#define KMQTT_CLI_SHA512_H

#include <stddef.h>
#include <stdint.h>

/** SHA512_LEN - bytes of a hash */
#define SHA512_LEN	64

/** SHA512_BLOCK - bytes that are hashed at once */
#define SHA512_BLOCK	128

/**
 * struct sha512 - a hash that is being made
 * @state:	of the blocks so far
 * @total:	bytes so far
 * @block:	those that fill no block yet
 */
struct sha512 {
	uint64_t state[8];
	uint64_t total;
	uint8_t block[SHA512_BLOCK];
};

/** sha512_init() - nothing was hashed yet */
void sha512_init(struct sha512 *h);

/** sha512_update() - @len more bytes */
void sha512_update(struct sha512 *h, const void *data, size_t len);

/** sha512_final() - the hash; @h has to be begun anew after it */
void sha512_final(struct sha512 *h, uint8_t *out);

/**
 * pbkdf2_sha512() - SHA512_LEN bytes out of a password
 * @password:	its bytes
 * @len:	how many
 * @salt:	bytes
 * @salt_len:	how many
 * @iterations:	1 or more
 * @out:	out: they
 */
void pbkdf2_sha512(const void *password, size_t len, const void *salt,
		   size_t salt_len, uint32_t iterations, uint8_t *out);

#endif

// SPDX-License-Identifier: GPL-2.0
/* PBKDF2 with HMAC-SHA-512: see pbkdf2.h. */
#include <crypto/hash.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "core/pbkdf2.h"

/* bytes of a block of SHA-512, to which HMAC fills up a key */
#define KMQTT_SHA512_BLOCK	128

/* iterations between two looks at what else there is to do */
#define KMQTT_PBKDF2_STEP	64

MODULE_SOFTDEP("pre: hmac sha512");

struct crypto_shash *kmqtt_pbkdf2_alloc(void)
{
	return crypto_alloc_shash("hmac(sha512)", 0, 0);
}

/*
 * A short key is filled up here as HMAC would do it: in FIPS mode the kernel
 * refuses keys that are short, and passwords are.
 */
static int kmqtt_pbkdf2_setkey(struct crypto_shash *hmac, const u8 *password, u32 len)
{
	u8 key[KMQTT_SHA512_BLOCK] = { };
	int err;

	if (len > sizeof(key))
		return crypto_shash_setkey(hmac, password, len);
	if (len)
		memcpy(key, password, len);
	err = crypto_shash_setkey(hmac, key, sizeof(key));
	memzero_explicit(key, sizeof(key));
	return err;
}

/* The first hash of the block, of the salt and the number of the block. */
static int kmqtt_pbkdf2_first(struct shash_desc *desc, const u8 *salt, u32 salt_len,
			      u8 *out)
{
	static const u8 block[] = { 0, 0, 0, 1 };

	return crypto_shash_init(desc) ?:
	       crypto_shash_update(desc, salt, salt_len) ?:
	       crypto_shash_finup(desc, block, sizeof(block), out);
}

static int kmqtt_pbkdf2_rest(struct shash_desc *desc, u32 iterations, const bool *stop,
			     u8 *hash, u8 *out)
{
	u32 i, j;
	int err;

	for (i = 1; i < iterations; i++) {
		if (!(i % KMQTT_PBKDF2_STEP)) {
			if (READ_ONCE(*stop))
				return -EINTR;
			cond_resched();
		}
		err = crypto_shash_digest(desc, hash, KMQTT_PBKDF2_LEN, hash);
		if (err)
			return err;
		for (j = 0; j < KMQTT_PBKDF2_LEN; j++)
			out[j] ^= hash[j];
	}
	return 0;
}

int kmqtt_pbkdf2(struct crypto_shash *hmac, const u8 *password, u32 len,
		 const u8 *salt, u32 salt_len, u32 iterations, const bool *stop,
		 u8 *out)
{
	u8 hash[KMQTT_PBKDF2_LEN];
	struct shash_desc *desc;
	int err;

	might_sleep();
	desc = kzalloc(sizeof(*desc) + crypto_shash_descsize(hmac), GFP_KERNEL);
	if (!desc)
		return -ENOMEM;
	desc->tfm = hmac;
	err = kmqtt_pbkdf2_setkey(hmac, password, len) ?:
	      kmqtt_pbkdf2_first(desc, salt, salt_len, hash);
	if (!err) {
		memcpy(out, hash, sizeof(hash));
		err = kmqtt_pbkdf2_rest(desc, iterations, stop, hash, out);
	}
	memzero_explicit(hash, sizeof(hash));
	kfree_sensitive(desc);
	return err;
}

int kmqtt_salted_sha512(const u8 *password, u32 len, const u8 *salt, u32 salt_len, u8 *out)
{
	struct crypto_shash *sha = crypto_alloc_shash("sha512", 0, 0);
	struct shash_desc *desc;
	int err = -ENOMEM;

	if (IS_ERR(sha))
		return PTR_ERR(sha);
	desc = kzalloc(sizeof(*desc) + crypto_shash_descsize(sha), GFP_KERNEL);
	if (desc) {
		desc->tfm = sha;
		err = crypto_shash_init(desc) ?:
		      crypto_shash_update(desc, password, len) ?:
		      crypto_shash_finup(desc, salt, salt_len, out);
		kfree_sensitive(desc);
	}
	crypto_free_shash(sha);
	return err;
}

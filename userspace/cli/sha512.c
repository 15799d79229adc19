// SPDX-License-Identifier: GPL-2.0
/* SHA-512 and PBKDF2: see sha512.h. */
#include <string.h>

#include "sha512.h"

/* The first 64 bits of the fractions of the square roots of the first primes. */
static const uint64_t first[8] = {
	0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b,
	0xa54ff53a5f1d36f1, 0x510e527fade682d1, 0x9b05688c2b3e6c1f,
	0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
};

/* Likewise of their cube roots. */
static const uint64_t add[80] = {
	0x428a2f98d728ae22, 0x7137449123ef65cd, 0xb5c0fbcfec4d3b2f,
	0xe9b5dba58189dbbc, 0x3956c25bf348b538, 0x59f111f1b605d019,
	0x923f82a4af194f9b, 0xab1c5ed5da6d8118, 0xd807aa98a3030242,
	0x12835b0145706fbe, 0x243185be4ee4b28c, 0x550c7dc3d5ffb4e2,
	0x72be5d74f27b896f, 0x80deb1fe3b1696b1, 0x9bdc06a725c71235,
	0xc19bf174cf692694, 0xe49b69c19ef14ad2, 0xefbe4786384f25e3,
	0x0fc19dc68b8cd5b5, 0x240ca1cc77ac9c65, 0x2de92c6f592b0275,
	0x4a7484aa6ea6e483, 0x5cb0a9dcbd41fbd4, 0x76f988da831153b5,
	0x983e5152ee66dfab, 0xa831c66d2db43210, 0xb00327c898fb213f,
	0xbf597fc7beef0ee4, 0xc6e00bf33da88fc2, 0xd5a79147930aa725,
	0x06ca6351e003826f, 0x142929670a0e6e70, 0x27b70a8546d22ffc,
	0x2e1b21385c26c926, 0x4d2c6dfc5ac42aed, 0x53380d139d95b3df,
	0x650a73548baf63de, 0x766a0abb3c77b2a8, 0x81c2c92e47edaee6,
	0x92722c851482353b, 0xa2bfe8a14cf10364, 0xa81a664bbc423001,
	0xc24b8b70d0f89791, 0xc76c51a30654be30, 0xd192e819d6ef5218,
	0xd69906245565a910, 0xf40e35855771202a, 0x106aa07032bbd1b8,
	0x19a4c116b8d2d0c8, 0x1e376c085141ab53, 0x2748774cdf8eeb99,
	0x34b0bcb5e19b48a8, 0x391c0cb3c5c95a63, 0x4ed8aa4ae3418acb,
	0x5b9cca4f7763e373, 0x682e6ff3d6b2b8a3, 0x748f82ee5defb2fc,
	0x78a5636f43172f60, 0x84c87814a1f0ab72, 0x8cc702081a6439ec,
	0x90befffa23631e28, 0xa4506cebde82bde9, 0xbef9a3f7b2c67915,
	0xc67178f2e372532b, 0xca273eceea26619c, 0xd186b8c721c0c207,
	0xeada7dd6cde0eb1e, 0xf57d4f7fee6ed178, 0x06f067aa72176fba,
	0x0a637dc5a2c898a6, 0x113f9804bef90dae, 0x1b710b35131c471b,
	0x28db77f523047d84, 0x32caab7b40c72493, 0x3c9ebe0a15c9bebc,
	0x431d67c49c100d4c, 0x4cc5d4becb3e42b6, 0x597f299cfc657e2a,
	0x5fcb6fab3ad6faec, 0x6c44198c4a475817,
};

static uint64_t ror(uint64_t v, unsigned int n)
{
	return v >> n | v << (64 - n);
}

static uint64_t load(const uint8_t *p)
{
	uint64_t v = 0;
	int i;

	for (i = 0; i < 8; i++)
		v = v << 8 | p[i];
	return v;
}

static void store(uint8_t *p, uint64_t v)
{
	int i;

	for (i = 7; i >= 0; i--, v >>= 8)
		p[i] = v;
}

/* One block (6.4.2): w has the last 16 words of the schedule. */
static void compress(uint64_t *state, const uint8_t *block)
{
	uint64_t s[8], w[16], t1, t2;
	int i, t;

	memcpy(s, state, sizeof(s));
	for (t = 0; t < 80; t++) {
		if (t < 16) {
			w[t] = load(block + 8 * t);
		} else {
			t1 = w[(t - 2) % 16];
			t2 = w[(t - 15) % 16];
			w[t % 16] += (ror(t1, 19) ^ ror(t1, 61) ^ t1 >> 6) +
				     w[(t - 7) % 16] +
				     (ror(t2, 1) ^ ror(t2, 8) ^ t2 >> 7);
		}
		t1 = s[7] + (ror(s[4], 14) ^ ror(s[4], 18) ^ ror(s[4], 41)) +
		     ((s[4] & s[5]) ^ (~s[4] & s[6])) + add[t] + w[t % 16];
		t2 = (ror(s[0], 28) ^ ror(s[0], 34) ^ ror(s[0], 39)) +
		     ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
		memmove(s + 1, s, 7 * sizeof(*s));
		s[4] += t1;
		s[0] = t1 + t2;
	}
	for (i = 0; i < 8; i++)
		state[i] += s[i];
	explicit_bzero(w, sizeof(w));
	explicit_bzero(s, sizeof(s));
}

void sha512_init(struct sha512 *h)
{
	memcpy(h->state, first, sizeof(first));
	h->total = 0;
}

void sha512_update(struct sha512 *h, const void *data, size_t len)
{
	size_t used = h->total % SHA512_BLOCK, n;
	const uint8_t *p = data;

	h->total += len;
	while (len) {
		n = SHA512_BLOCK - used < len ? SHA512_BLOCK - used : len;
		memcpy(h->block + used, p, n);
		if (used + n == SHA512_BLOCK)
			compress(h->state, h->block);
		used = (used + n) % SHA512_BLOCK;
		p += n;
		len -= n;
	}
}

void sha512_final(struct sha512 *h, uint8_t *out)
{
	size_t used = h->total % SHA512_BLOCK;
	int i;

	h->block[used++] = 0x80;
	if (used > SHA512_BLOCK - 16) {
		memset(h->block + used, 0, SHA512_BLOCK - used);
		compress(h->state, h->block);
		used = 0;
	}
	memset(h->block + used, 0, SHA512_BLOCK - 8 - used);
	store(h->block + SHA512_BLOCK - 8, h->total * 8);
	compress(h->state, h->block);
	for (i = 0; i < 8; i++)
		store(out + 8 * i, h->state[i]);
	explicit_bzero(h, sizeof(*h));
}

/* The hashes that HMAC (RFC 2104) begins with, after a key of at most a block. */
static void hmac_begin(struct sha512 *h, const uint8_t *key, size_t len, uint8_t pad)
{
	uint8_t block[SHA512_BLOCK];
	size_t i;

	memset(block, pad, sizeof(block));
	for (i = 0; i < len; i++)
		block[i] ^= key[i];
	sha512_init(h);
	sha512_update(h, block, sizeof(block));
	explicit_bzero(block, sizeof(block));
}

/* @h has the inner hash, @outer the one to begin the outer one with */
static void hmac_end(struct sha512 *h, const struct sha512 *outer, uint8_t *out)
{
	sha512_final(h, out);
	*h = *outer;
	sha512_update(h, out, SHA512_LEN);
	sha512_final(h, out);
}

void pbkdf2_sha512(const void *password, size_t len, const void *salt,
		   size_t salt_len, uint32_t iterations, uint8_t *out)
{
	struct sha512 inner, outer, h;
	uint8_t key[SHA512_LEN], u[SHA512_LEN];
	uint32_t i;
	int j;

	if (len > SHA512_BLOCK) {
		sha512_init(&h);
		sha512_update(&h, password, len);
		sha512_final(&h, key);
		password = key;
		len = sizeof(key);
	}
	hmac_begin(&inner, password, len, 0x36);
	hmac_begin(&outer, password, len, 0x5c);

	h = inner;
	sha512_update(&h, salt, salt_len);
	sha512_update(&h, "\0\0\0\1", 4);
	hmac_end(&h, &outer, u);
	memcpy(out, u, sizeof(u));
	for (i = 1; i < iterations; i++) {
		h = inner;
		sha512_update(&h, u, sizeof(u));
		hmac_end(&h, &outer, u);
		for (j = 0; j < SHA512_LEN; j++)
			out[j] ^= u[j];
	}
	explicit_bzero(&inner, sizeof(inner));
	explicit_bzero(&outer, sizeof(outer));
	explicit_bzero(key, sizeof(key));
	explicit_bzero(u, sizeof(u));
}

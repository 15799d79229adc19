/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The few names that the protocol layer needs from its surroundings: from the kernel's headers in
 * the kernel, from libc in user space (native unit run, fuzzers).
 */
#ifndef KMQTT_PROTO_SHIM_H
#define KMQTT_PROTO_SHIM_H

#ifdef __KERNEL__

#include <linux/bits.h>
#include <linux/build_bug.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/stddef.h>
#include <linux/string.h>
#include <linux/types.h>
#include "../compat.h"

#else

#include <errno.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define BIT(n) (1UL << (n))
#define fallthrough __attribute__((__fallthrough__))

static inline u16 get_unaligned_be16(const void *from)
{
	const u8 *p = from;

	return (u16)(p[0] << 8 | p[1]);
}

static inline u32 get_unaligned_be32(const void *from)
{
	const u8 *p = from;

	return (u32)p[0] << 24 | (u32)p[1] << 16 | (u32)p[2] << 8 | p[3];
}

static inline void put_unaligned_be16(u16 val, void *to)
{
	u8 *p = to;

	p[0] = (u8)(val >> 8);
	p[1] = (u8)val;
}

static inline void put_unaligned_be32(u32 val, void *to)
{
	u8 *p = to;

	p[0] = (u8)(val >> 24);
	p[1] = (u8)(val >> 16);
	p[2] = (u8)(val >> 8);
	p[3] = (u8)val;
}

#endif /* __KERNEL__ */

#endif /* KMQTT_PROTO_SHIM_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Older kernels, seen from 7.2: the code is written towards the newest API, and what an older
 * kernel lacks is supplied here, found by probing for the feature and not for the version.
 */
#ifndef KMQTT_COMPAT_H
#define KMQTT_COMPAT_H

/*
 * 6.12 moved get_unaligned_be16() and its like. A sparse that cannot ask for a header is too old
 * for the kernels that have the new one.
 */
#ifdef __has_include
#if __has_include("linux/unaligned.h")
#define KMQTT_HAVE_LINUX_UNALIGNED_H
#endif
#endif

#ifdef KMQTT_HAVE_LINUX_UNALIGNED_H
#include <linux/unaligned.h>
#else
#include <asm/unaligned.h>
#endif

/* 7.0 allocates by type. */
#include <linux/slab.h>
#ifndef kzalloc_obj
#define kzalloc_obj(P, gfp) kcalloc(1, sizeof(P), (gfp))
#endif

/* 6.16 renamed from_timer(). */
#include <linux/timer.h>
#ifndef timer_container_of
#define timer_container_of(var, callback_timer, timer_fieldname) \
	container_of(callback_timer, typeof(*(var)), timer_fieldname)
#endif

/* 6.3 made vma->vm_flags read only but for functions. */
#ifdef KMQTT_COMPAT_VM_FLAGS
#include <linux/mm.h>
static inline void vm_flags_set(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags |= flags;
}

static inline void vm_flags_clear(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags &= ~flags;
}
#endif

/*
 * 6.7 allocates shrinkers. Before, one is registered without if there is no memory for what it
 * keeps: it is not asked then, and need not be unregistered.
 */
#include <linux/shrinker.h>
#ifdef KMQTT_COMPAT_SHRINKER
static inline struct shrinker *shrinker_alloc(unsigned int flags, const char *name)
{
	struct shrinker *shrinker = kzalloc_obj(*shrinker, GFP_KERNEL);

	if (shrinker) {
		shrinker->flags = flags;
		shrinker->seeks = DEFAULT_SEEKS;
	}
	return shrinker;
}

static inline void shrinker_register(struct shrinker *shrinker)
{
	register_shrinker(shrinker, "kmqtt");
}

static inline void shrinker_free(struct shrinker *shrinker)
{
	unregister_shrinker(shrinker);
	kfree(shrinker);
}
#endif

/* 6.18 counts the references to namespaces of all kinds alike. */
#include <linux/ns_common.h>
#ifndef ns_ref_read
#define ns_ref_read(ns_owner) refcount_read(&(ns_owner)->ns.count)
#endif

/* 6.2 named the directions of iterators. */
#include <linux/uio.h>
#ifndef ITER_SOURCE
#define ITER_SOURCE WRITE
#endif

/*
 * kmqtt_sendmsg_pages() - send what an iterator over pages has, by reference: they must not be
 *	changed any more. Process context. Return: bytes that were taken, or -errno
 *
 * 6.5 replaced sendpage() by a flag of sendmsg(), which 6.1 has been given and ignores.
 */
#include <linux/bvec.h>
#include <linux/net.h>
#include <net/sock.h>
#ifndef KMQTT_COMPAT_SENDPAGE
static inline int kmqtt_sendmsg_pages(struct socket *sock, struct msghdr *msg)
{
	msg->msg_flags |= MSG_SPLICE_PAGES;
	return sock_sendmsg(sock, msg);
}
#else
static inline int kmqtt_sendmsg_pages(struct socket *sock, struct msghdr *msg)
{
	const struct bio_vec *v = msg->msg_iter.bvec;
	unsigned long n = msg->msg_iter.nr_segs;
	int ret = 0, done = 0;

	lock_sock(sock->sk);
	for (; n; n--, v++) {
		ret = kernel_sendpage_locked(sock->sk, v->bv_page, v->bv_offset, v->bv_len,
					     msg->msg_flags |
					     (n > 1 ? MSG_MORE | MSG_SENDPAGE_NOTLAST : 0));
		if (ret > 0)
			done += ret;
		if (ret < (int)v->bv_len)
			break;
	}
	release_sock(sock->sk);
	return done ?: ret;
}
#endif

#endif /* KMQTT_COMPAT_H */

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is large and has to outlive a grace period before it is freed.
 *
 * kfree_rcu() collects hundreds of objects for up to seconds before it begins, and asks for
 * nobody's size. Names are chosen by strangers, and may have 64 KB: those are counted on their
 * way, and who makes more of them waits.
 */
#ifndef KMQTT_CORE_GRACE_H
#define KMQTT_CORE_GRACE_H

#include <linux/types.h>

/**
 * kmqtt_grace_begin() - something is to be freed after a grace period
 * @size:	bytes
 *
 * Context: any.
 * Return: true if it is counted from now on: it goes by call_rcu(), and its callback calls
 * kmqtt_grace_end(); false if it is small: it goes by kfree_rcu()
 */
bool kmqtt_grace_begin(size_t size);

/** kmqtt_grace_end() - it is freed; @size: as it was. Any context */
void kmqtt_grace_end(size_t size);

/**
 * kmqtt_grace_wait() - wait for what is on its way, if that is much
 *
 * Context: may sleep, for a grace period; locks may be held that no RCU callback wants.
 */
void kmqtt_grace_wait(void);

#endif

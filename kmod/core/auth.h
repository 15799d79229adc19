/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who may connect with a user name: a switch's password table, and the check
 * against it.
 *
 * The table is what a password file of Mosquitto has: of each password only a
 * salted hash. It is replaced as a whole under RCU; a check that is under way
 * ends with what the table said when it began.
 *
 * A check takes as long as its user's iterations make it, on purpose. So it is
 * done on a work queue of the switch's own, by a few workers at a time, and the
 * number of those that wait is bounded; whoever receives packets only submits.
 * A user who is not in the table costs what one of those who are costs.
 *
 * Process context throughout, unless it says otherwise.
 */
#ifndef KMQTT_CORE_AUTH_H
#define KMQTT_CORE_AUTH_H

#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/siphash.h>
#include <linux/types.h>
#include <linux/workqueue.h>

#include "core/pbkdf2.h"

struct kmqtt_auth_table;
struct kmqtt_broker;

/* users of a switch */
#define KMQTT_AUTH_USERS_MAX		65536

/* iterations of one user: seconds on a small processor */
#define KMQTT_AUTH_ITERATIONS_MAX	1000000

/* bytes of a salt */
#define KMQTT_AUTH_SALT_MAX		64

/* checks of a switch that wait for their turn */
#define KMQTT_AUTH_WAITING_MAX		1024

/**
 * struct kmqtt_auth_user - a user who has a password; constant once in a table
 * @iterations:	up to KMQTT_AUTH_ITERATIONS_MAX; 0: kmqtt_salted_sha512()
 * @salt_len:	1 to KMQTT_AUTH_SALT_MAX
 * @salt:	they
 * @hash:	kmqtt_pbkdf2() of the password, or that
 * @name:	user name, NUL terminated
 */
struct kmqtt_auth_user {
	u32 iterations;
	u8 salt_len;
	u8 salt[KMQTT_AUTH_SALT_MAX];
	u8 hash[KMQTT_PBKDF2_LEN];
	char name[];
};

/**
 * struct kmqtt_auth - the password table of a switch
 * @table:	RCU; NULL: no users
 * @lock:	writers
 * @wq:		where passwords are checked; NULL until there are users, then it
 *		stays: smp_store_release() under @lock
 * @hmac:	what keeps the hash function loaded from then on
 * @waiting:	checks that were submitted and have not begun
 * @key:	secret by which an unknown user name stands for a known one
 */
struct kmqtt_auth {
	struct kmqtt_auth_table __rcu *table;
	struct mutex lock; /* writers */
	struct workqueue_struct *wq;
	struct crypto_shash *hmac;
	atomic_t waiting;
	siphash_key_t key;
};

/**
 * struct kmqtt_auth_request - a user name and a password to be checked
 * @work:	does it
 * @broker:	the switch whose table counts
 * @done:	called once with @reason set, in process context; may free the
 *		request, must not call kmqtt_auth_cancel() for it
 * @user:	user name, NUL terminated
 * @password:	the password; NULL: none was given, which is never right
 * @password_len: its bytes
 * @cancelled:	private
 * @reason:	for @done: KMQTT_RC_SUCCESS, KMQTT_RC_BAD_USER_NAME_OR_PASSWORD, or
 *		KMQTT_RC_SERVER_BUSY for lack of memory
 *
 * All zero before it is submitted first. @user and @password are from kmalloc()
 * and stay the owner's, who frees them with kfree_sensitive() when it is done
 * or cancelled.
 */
struct kmqtt_auth_request {
	struct work_struct work;
	struct kmqtt_broker *broker;
	void (*done)(struct kmqtt_auth_request *req);
	char *user;
	u8 *password;
	u32 password_len;
	bool cancelled;
	u8 reason;
};

/** kmqtt_auth_init() - no users */
void kmqtt_auth_init(struct kmqtt_auth *auth);

/** kmqtt_auth_destroy() - all requests are done or cancelled. May sleep */
void kmqtt_auth_destroy(struct kmqtt_auth *auth);

/** kmqtt_auth_has_users() - is there a password table? Any context */
bool kmqtt_auth_has_users(struct kmqtt_broker *broker);

/**
 * kmqtt_auth_submit() - check a user name and a password, later
 * @req:	the request, with all but private members set; it stays until
 *		@done was called or kmqtt_auth_cancel() has returned
 *
 * Any context. With an empty table every user is unknown.
 * Return: 0, or -EBUSY if too many wait: @done is not called then.
 */
int kmqtt_auth_submit(struct kmqtt_auth_request *req);

/**
 * kmqtt_auth_cancel() - forget a request, whether it was submitted or not
 * @req:	all zero, submitted, or done
 *
 * May sleep, while @done runs or a step of the check does: not for long.
 * When it returns @done does not run and will not.
 */
void kmqtt_auth_cancel(struct kmqtt_auth_request *req);

/**
 * kmqtt_auth_set() - a new user, or another password for one that there is
 * @auth:	the table
 * @user:	from kmalloc(), owned by the table on success
 *
 * Waits for a grace period.
 * Return: 0, -EINVAL (iterations, salt or name out of range), -ENOMEM, -ENOSPC
 * over KMQTT_AUTH_USERS_MAX, -ENOENT if the kernel has no such hash function.
 */
int kmqtt_auth_set(struct kmqtt_auth *auth, struct kmqtt_auth_user *user);

/** kmqtt_auth_del() - remove a user. Waits for a grace period. Return: 0, -ENOENT, -ENOMEM */
int kmqtt_auth_del(struct kmqtt_auth *auth, const char *name);

/**
 * kmqtt_auth_replace() - these users and no others, or nothing at all
 * @auth:	the table
 * @user:	they, each from kmalloc(), owned by the table on success; sorted here
 * @count:	how many; 0 removes all
 * @bad:	out, with -EINVAL and -EEXIST: the user that is wrong
 *
 * Waits for a grace period.
 * Return: 0, -EEXIST if two have the same name, or as kmqtt_auth_set().
 */
int kmqtt_auth_replace(struct kmqtt_auth *auth, struct kmqtt_auth_user **user,
		       u32 count, const struct kmqtt_auth_user **bad);

/** kmqtt_auth_flush() - remove all. Waits for a grace period */
void kmqtt_auth_flush(struct kmqtt_auth *auth);

/**
 * kmqtt_auth_walk() - the users by name, from the one with index @start
 *
 * @fn runs under auth->lock and returns non-zero to stop.
 * Return: the index that it stopped at; behind the last user, @start or the
 * number of users, whichever is more.
 */
unsigned int kmqtt_auth_walk(struct kmqtt_auth *auth, unsigned int start,
			     int (*fn)(void *ctx, const struct kmqtt_auth_user *user),
			     void *ctx);

/** kmqtt_auth_user_free() - a user that no table owns; NULL is allowed */
void kmqtt_auth_user_free(struct kmqtt_auth_user *user);

#endif

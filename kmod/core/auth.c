// SPDX-License-Identifier: GPL-2.0
/* Password table and password checks: see auth.h. */
#include <crypto/algapi.h>
#include <crypto/hash.h>
#include <linux/cpumask.h>
#include <linux/mm.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/string.h>

#include "compat.h"
#include "core/auth.h"
#include "core/broker.h"
#include "proto/proto.h"

/* most processors that a switch's password checks may keep busy */
#define KMQTT_AUTH_WORKERS_MAX	8

/**
 * struct kmqtt_auth_table - the users; constant once published
 * @count:	how many, at least one
 * @user:	they, sorted by name
 */
struct kmqtt_auth_table {
	u32 count;
	struct kmqtt_auth_user *user[];
};

/**
 * struct kmqtt_auth_wanted - what a password has to come to, out of the table
 * @iterations:	of the user, or of the one that an unknown name stands for
 * @salt_len:	likewise
 * @salt:	likewise
 * @hash:	likewise
 * @known:	there is such a user
 */
struct kmqtt_auth_wanted {
	u32 iterations;
	u8 salt_len;
	u8 salt[KMQTT_AUTH_SALT_MAX];
	u8 hash[KMQTT_PBKDF2_LEN];
	bool known;
};

void kmqtt_auth_init(struct kmqtt_auth *auth)
{
	memset(auth, 0, sizeof(*auth));
	mutex_init(&auth->lock);
	get_random_bytes(&auth->key, sizeof(auth->key));
}

void kmqtt_auth_destroy(struct kmqtt_auth *auth)
{
	WARN_ON_ONCE(atomic_read(&auth->waiting));
	kmqtt_auth_flush(auth);
	if (auth->wq)
		destroy_workqueue(auth->wq);
	if (auth->hmac)
		crypto_free_shash(auth->hmac);
	mutex_destroy(&auth->lock);
}

bool kmqtt_auth_has_users(struct kmqtt_broker *b)
{
	return rcu_access_pointer(b->auth.table);
}

/* Where a name stands in the table, or would stand; *found: it is there. */
static u32 kmqtt_auth_index(const struct kmqtt_auth_table *table, const char *name,
			    bool *found)
{
	u32 low = 0, high = table ? table->count : 0, mid;
	int cmp;

	*found = false;
	while (low < high && !*found) {
		mid = low + (high - low) / 2;
		cmp = strcmp(name, table->user[mid]->name);
		if (cmp > 0) {
			low = mid + 1;
		} else {
			high = mid;
			*found = !cmp;
		}
	}
	return *found ? high : low;
}

/*
 * An unknown name stands for one that is known, always the same one: what it
 * takes to refuse it tells nothing, though users may differ in their iterations.
 * Return: false if there are no users at all.
 */
static bool kmqtt_auth_look_up(struct kmqtt_auth *auth, const char *name,
			       struct kmqtt_auth_wanted *wanted)
{
	const struct kmqtt_auth_table *table;
	const struct kmqtt_auth_user *user;
	u32 at;

	rcu_read_lock();
	table = rcu_dereference(auth->table);
	if (table) {
		at = kmqtt_auth_index(table, name, &wanted->known);
		if (!wanted->known)
			at = reciprocal_scale(siphash(name, strlen(name), &auth->key),
					      table->count);
		user = table->user[at];
		wanted->iterations = user->iterations;
		wanted->salt_len = user->salt_len;
		memcpy(wanted->salt, user->salt, sizeof(wanted->salt));
		memcpy(wanted->hash, user->hash, sizeof(wanted->hash));
	}
	rcu_read_unlock();
	return table;
}

static int kmqtt_auth_hash(const struct kmqtt_auth_request *req,
			   const struct kmqtt_auth_wanted *wanted, u8 *hash)
{
	u32 len = req->password ? req->password_len : 0;
	struct crypto_shash *hmac;
	int err;

	if (!wanted->iterations)
		return kmqtt_salted_sha512(req->password, len, wanted->salt, wanted->salt_len,
					   hash);
	hmac = kmqtt_pbkdf2_alloc();
	if (IS_ERR(hmac))
		return PTR_ERR(hmac);
	err = kmqtt_pbkdf2(hmac, req->password, len, wanted->salt, wanted->salt_len,
			   wanted->iterations, &req->cancelled, hash);
	crypto_free_shash(hmac);
	return err;
}

static u8 kmqtt_auth_compare(const struct kmqtt_auth_request *req,
			     const struct kmqtt_auth_wanted *wanted)
{
	u8 hash[KMQTT_PBKDF2_LEN] = { };
	int err = kmqtt_auth_hash(req, wanted, hash);
	bool differs = crypto_memneq(hash, wanted->hash, sizeof(hash));

	memzero_explicit(hash, sizeof(hash));
	if (err)
		return KMQTT_RC_SERVER_BUSY;
	if (differs || !wanted->known || !req->password)
		return KMQTT_RC_BAD_USER_NAME_OR_PASSWORD;
	return KMQTT_RC_SUCCESS;
}

static void kmqtt_auth_check(struct work_struct *work)
{
	struct kmqtt_auth_request *req = container_of(work, struct kmqtt_auth_request, work);
	struct kmqtt_auth *auth = &req->broker->auth;
	struct kmqtt_auth_wanted wanted = { };

	atomic_dec(&auth->waiting);
	req->reason = KMQTT_RC_BAD_USER_NAME_OR_PASSWORD;
	if (kmqtt_auth_look_up(auth, req->user, &wanted))
		req->reason = kmqtt_auth_compare(req, &wanted);
	memzero_explicit(&wanted, sizeof(wanted));
	/* the request may be gone after this */
	if (!READ_ONCE(req->cancelled))
		req->done(req);
}

int kmqtt_auth_submit(struct kmqtt_auth_request *req)
{
	struct kmqtt_auth *auth = &req->broker->auth;
	struct workqueue_struct *wq;

	if (atomic_inc_return(&auth->waiting) > KMQTT_AUTH_WAITING_MAX) {
		atomic_dec(&auth->waiting);
		return -EBUSY;
	}
	WRITE_ONCE(req->cancelled, false);
	INIT_WORK(&req->work, kmqtt_auth_check);
	/* pairs with kmqtt_auth_prepare(); without users there is little to do */
	wq = smp_load_acquire(&auth->wq);
	queue_work(wq ?: req->broker->wq, &req->work);
	return 0;
}

void kmqtt_auth_cancel(struct kmqtt_auth_request *req)
{
	if (!req->work.func)
		return;
	WRITE_ONCE(req->cancelled, true);
	if (cancel_work_sync(&req->work))
		atomic_dec(&req->broker->auth.waiting);
}

static struct kmqtt_auth_table *kmqtt_auth_table(const struct kmqtt_auth *auth)
{
	return rcu_dereference_protected(auth->table, lockdep_is_held(&auth->lock));
}

static struct kmqtt_auth_table *kmqtt_auth_table_alloc(u32 count)
{
	struct kmqtt_auth_table *table;

	table = kvmalloc(struct_size(table, user, count), GFP_KERNEL_ACCOUNT);
	if (table)
		table->count = count;
	return table;
}

/* What the first user needs. Network namespaces without any do without it. */
static int kmqtt_auth_prepare(struct kmqtt_auth *auth)
{
	int workers = clamp(num_online_cpus() / 2, 1U, (unsigned int)KMQTT_AUTH_WORKERS_MAX);
	struct workqueue_struct *wq;

	lockdep_assert_held(&auth->lock);
	if (!auth->hmac) {
		struct crypto_shash *hmac = kmqtt_pbkdf2_alloc();

		if (IS_ERR(hmac))
			return PTR_ERR(hmac);
		auth->hmac = hmac;
	}
	if (auth->wq)
		return 0;
	wq = alloc_workqueue("kmqtt_auth", WQ_UNBOUND, workers);
	if (!wq)
		return -ENOMEM;
	/* pairs with kmqtt_auth_submit() */
	smp_store_release(&auth->wq, wq);
	return 0;
}

static bool kmqtt_auth_user_valid(const struct kmqtt_auth_user *user)
{
	return user->iterations <= KMQTT_AUTH_ITERATIONS_MAX &&
	       user->salt_len && user->salt_len <= KMQTT_AUTH_SALT_MAX && *user->name;
}

int kmqtt_auth_set(struct kmqtt_auth *auth, struct kmqtt_auth_user *user)
{
	struct kmqtt_auth_table *old, *new = NULL;
	struct kmqtt_auth_user *gone = NULL;
	u32 at, count, tail;
	bool found;
	int err;

	if (!kmqtt_auth_user_valid(user))
		return -EINVAL;
	mutex_lock(&auth->lock);
	old = kmqtt_auth_table(auth);
	at = kmqtt_auth_index(old, user->name, &found);
	count = old ? old->count : 0;
	err = kmqtt_auth_prepare(auth);
	if (!err && !found && count >= KMQTT_AUTH_USERS_MAX)
		err = -ENOSPC;
	if (!err) {
		new = kmqtt_auth_table_alloc(count + !found);
		if (!new)
			err = -ENOMEM;
	}
	if (!err) {
		tail = count - at - found;
		if (old) {
			memcpy(new->user, old->user, at * sizeof(user));
			memcpy(new->user + at + 1, old->user + at + found,
			       tail * sizeof(user));
		}
		if (found)
			gone = old->user[at];
		new->user[at] = user;
		rcu_assign_pointer(auth->table, new);
	}
	mutex_unlock(&auth->lock);
	if (err)
		return err;
	synchronize_rcu();
	kmqtt_auth_user_free(gone);
	kvfree(old);
	return 0;
}

int kmqtt_auth_del(struct kmqtt_auth *auth, const char *name)
{
	struct kmqtt_auth_table *old, *new = NULL;
	struct kmqtt_auth_user *gone;
	int err = -ENOENT;
	bool found;
	u32 at;

	mutex_lock(&auth->lock);
	old = kmqtt_auth_table(auth);
	at = kmqtt_auth_index(old, name, &found);
	if (!found)
		goto unlock;
	gone = old->user[at];
	if (old->count > 1) {
		err = -ENOMEM;
		new = kmqtt_auth_table_alloc(old->count - 1);
		if (!new)
			goto unlock;
		memcpy(new->user, old->user, at * sizeof(gone));
		memcpy(new->user + at, old->user + at + 1, (new->count - at) * sizeof(gone));
	}
	rcu_assign_pointer(auth->table, new);
	mutex_unlock(&auth->lock);
	synchronize_rcu();
	kmqtt_auth_user_free(gone);
	kvfree(old);
	return 0;
unlock:
	mutex_unlock(&auth->lock);
	return err;
}

static int kmqtt_auth_cmp(const void *a, const void *b)
{
	const struct kmqtt_auth_user *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static int kmqtt_auth_check_users(struct kmqtt_auth_user **user, u32 count,
				  const struct kmqtt_auth_user **bad)
{
	u32 i;

	if (count > KMQTT_AUTH_USERS_MAX)
		return -ENOSPC;
	sort(user, count, sizeof(*user), kmqtt_auth_cmp, NULL);
	for (i = 0; i < count; i++) {
		*bad = user[i];
		if (!kmqtt_auth_user_valid(user[i]))
			return -EINVAL;
		if (i && !strcmp(user[i - 1]->name, user[i]->name))
			return -EEXIST;
	}
	return 0;
}

/* Waits until nobody reads the table any more; its users go with it. */
static void kmqtt_auth_table_free(struct kmqtt_auth_table *table)
{
	u32 i;

	if (!table)
		return;
	synchronize_rcu();
	for (i = 0; i < table->count; i++)
		kmqtt_auth_user_free(table->user[i]);
	kvfree(table);
}

int kmqtt_auth_replace(struct kmqtt_auth *auth, struct kmqtt_auth_user **user,
		       u32 count, const struct kmqtt_auth_user **bad)
{
	struct kmqtt_auth_table *old, *new;
	int err = kmqtt_auth_check_users(user, count, bad);

	if (err)
		return err;
	if (!count) {
		kmqtt_auth_flush(auth);
		return 0;
	}
	new = kmqtt_auth_table_alloc(count);
	if (!new)
		return -ENOMEM;
	memcpy(new->user, user, count * sizeof(*user));
	mutex_lock(&auth->lock);
	err = kmqtt_auth_prepare(auth);
	if (err) {
		mutex_unlock(&auth->lock);
		kvfree(new);
		return err;
	}
	old = kmqtt_auth_table(auth);
	rcu_assign_pointer(auth->table, new);
	mutex_unlock(&auth->lock);
	kmqtt_auth_table_free(old);
	return 0;
}

void kmqtt_auth_flush(struct kmqtt_auth *auth)
{
	struct kmqtt_auth_table *old;

	mutex_lock(&auth->lock);
	old = kmqtt_auth_table(auth);
	RCU_INIT_POINTER(auth->table, NULL);
	mutex_unlock(&auth->lock);
	kmqtt_auth_table_free(old);
}

unsigned int kmqtt_auth_walk(struct kmqtt_auth *auth, unsigned int start,
			     int (*fn)(void *ctx, const struct kmqtt_auth_user *user),
			     void *ctx)
{
	const struct kmqtt_auth_table *table;
	unsigned int i = start;

	mutex_lock(&auth->lock);
	table = kmqtt_auth_table(auth);
	while (table && i < table->count && !fn(ctx, table->user[i]))
		i++;
	mutex_unlock(&auth->lock);
	return i;
}

void kmqtt_auth_user_free(struct kmqtt_auth_user *user)
{
	kfree_sensitive(user);
}

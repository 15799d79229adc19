// SPDX-License-Identifier: GPL-2.0
/* Netlink: the password table. What it has of passwords comes in and never out. */
#include <linux/mm.h>
#include <linux/slab.h>

#include "core/auth.h"
#include "port/netlink.h"

/**
 * struct kmqtt_nl_user_ctx - where a dump goes on
 * @index:	users that were shown
 */
struct kmqtt_nl_user_ctx {
	unsigned int index;
};

struct kmqtt_nl_user_walk {
	struct sk_buff *skb;
	struct netlink_callback *cb;
	int err;
};

/* counts changes: a dump that sees it change is marked as interrupted */
static atomic_t kmqtt_nl_user_generation = ATOMIC_INIT(1);

static struct kmqtt_auth *kmqtt_nl_auth(struct genl_info *info)
{
	return &kmqtt_nl_kn(info)->broker.auth;
}

/*
 * A user out of attributes of the set user or user-entry, which are the same.
 * @attr is the entry, NULL if there is none. Return: the user; ERR_PTR, said
 */
static struct kmqtt_auth_user *kmqtt_nl_user(struct genl_info *info,
					     const struct nlattr *attr,
					     struct nlattr **tb)
{
	struct nlattr *name = tb[KMQTT_A_USER_NAME], *salt = tb[KMQTT_A_USER_SALT];
	struct netlink_ext_ack *extack = info->extack;
	struct kmqtt_auth_user *user;
	u32 len;

	static_assert((int)KMQTT_A_USER_NAME == KMQTT_A_USER_ENTRY_NAME);
	static_assert((int)KMQTT_A_USER_ITERATIONS == KMQTT_A_USER_ENTRY_ITERATIONS);
	static_assert((int)KMQTT_A_USER_SALT == KMQTT_A_USER_ENTRY_SALT);
	static_assert((int)KMQTT_A_USER_HASH == KMQTT_A_USER_ENTRY_HASH);
	static_assert(KMQTT_USER_ITERATIONS_MAX == KMQTT_AUTH_ITERATIONS_MAX);
	static_assert(KMQTT_USER_SALT_LEN == KMQTT_AUTH_SALT_MAX);
	static_assert(KMQTT_USER_HASH_LEN == KMQTT_PBKDF2_LEN);

	if (!name || !salt || !tb[KMQTT_A_USER_ITERATIONS] || !tb[KMQTT_A_USER_HASH])
		return ERR_PTR(kmqtt_nl_fail(extack, attr,
					     "a user needs a name, iterations, salt and hash",
					     -EINVAL));
	len = kmqtt_nl_str_len(name);
	if (!len)
		return ERR_PTR(kmqtt_nl_fail(extack, attr ?: name, "an empty name",
					     -EINVAL));
	if (!nla_len(salt))
		return ERR_PTR(kmqtt_nl_fail(extack, attr ?: salt, "an empty salt",
					     -EINVAL));
	user = kzalloc(struct_size(user, name, len + 1), GFP_KERNEL_ACCOUNT);
	if (!user)
		return ERR_PTR(-ENOMEM);
	user->iterations = nla_get_u32(tb[KMQTT_A_USER_ITERATIONS]);
	user->salt_len = nla_len(salt);
	memcpy(user->salt, nla_data(salt), nla_len(salt));
	memcpy(user->hash, nla_data(tb[KMQTT_A_USER_HASH]), sizeof(user->hash));
	memcpy(user->name, nla_data(name), len);
	return user;
}

static int kmqtt_nl_user_fail(struct genl_info *info, int err)
{
	if (err == -ENOSPC)
		kmqtt_nl_fail(info->extack, NULL, "too many users", err);
	if (err == -ENOENT)
		kmqtt_nl_fail(info->extack, NULL, "this kernel has no hmac(sha512)", err);
	return err;
}

int kmqtt_nl_user_set_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct kmqtt_auth_user *user = kmqtt_nl_user(info, NULL, info->attrs);
	int err;

	if (IS_ERR(user))
		return PTR_ERR(user);
	err = kmqtt_auth_set(kmqtt_nl_auth(info), user);
	if (err) {
		kmqtt_auth_user_free(user);
		return kmqtt_nl_user_fail(info, err);
	}
	atomic_inc(&kmqtt_nl_user_generation);
	return 0;
}

int kmqtt_nl_user_del_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *name = info->attrs[KMQTT_A_USER_NAME];
	int err;

	if (GENL_REQ_ATTR_CHECK(info, KMQTT_A_USER_NAME))
		return -EINVAL;
	err = kmqtt_auth_del(kmqtt_nl_auth(info), nla_data(name));
	if (err == -ENOENT)
		return kmqtt_nl_fail(info->extack, name, "no user of that name", err);
	if (!err)
		atomic_inc(&kmqtt_nl_user_generation);
	return err;
}

int kmqtt_nl_user_flush_doit(struct sk_buff *skb, struct genl_info *info)
{
	int err = kmqtt_nl_no_attrs(info->nlhdr, info->extack);

	if (err)
		return err;
	kmqtt_auth_flush(kmqtt_nl_auth(info));
	atomic_inc(&kmqtt_nl_user_generation);
	return 0;
}

/* Return: 0; -errno, said. @user has @count so far, either way */
static int kmqtt_nl_user_entries(struct genl_info *info, struct kmqtt_auth_user **user,
				 u32 *count)
{
	struct nlattr *attr = NULL, *tb[KMQTT_A_USER_ENTRY_MAX + 1];
	struct kmqtt_auth_user *one;
	int err;

	while ((attr = kmqtt_nl_next(info, attr, KMQTT_A_USER_ENTRY))) {
		err = nla_parse_nested(tb, KMQTT_A_USER_ENTRY_MAX, attr,
				       kmqtt_user_entry_nl_policy, info->extack);
		if (err)
			return err;
		one = kmqtt_nl_user(info, attr, tb);
		if (IS_ERR(one))
			return PTR_ERR(one);
		user[(*count)++] = one;
		cond_resched();
	}
	return 0;
}

/* Which entry is the second one of this name? */
static struct nlattr *kmqtt_nl_user_twice(struct genl_info *info, const char *name)
{
	struct nlattr *attr = NULL, *first = NULL, *one;

	while ((attr = kmqtt_nl_next(info, attr, KMQTT_A_USER_ENTRY))) {
		one = nla_find_nested(attr, KMQTT_A_USER_ENTRY_NAME);
		if (!one || nla_strcmp(one, name))
			continue;
		if (first)
			return attr;
		first = attr;
	}
	return first;
}

static int kmqtt_nl_user_replace(struct genl_info *info, struct kmqtt_auth_user **user)
{
	const struct kmqtt_auth_user *bad = NULL;
	u32 count = 0;
	int err;

	err = kmqtt_nl_user_entries(info, user, &count);
	if (!err)
		err = kmqtt_auth_replace(kmqtt_nl_auth(info), user, count, &bad);
	if (!err) {
		atomic_inc(&kmqtt_nl_user_generation);
		return 0;
	}
	if (err == -EEXIST)
		kmqtt_nl_fail(info->extack, kmqtt_nl_user_twice(info, bad->name),
			      "two users have the same name", err);
	while (count)
		kmqtt_auth_user_free(user[--count]);
	return kmqtt_nl_user_fail(info, err);
}

int kmqtt_nl_user_replace_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct kmqtt_auth_user **user;
	struct nlattr *attr = NULL;
	u32 max = 0;
	int err;

	while ((attr = kmqtt_nl_next(info, attr, KMQTT_A_USER_ENTRY)))
		max++;
	/* a switch that was to have a table must not end up without one */
	if (!max)
		return kmqtt_nl_fail(info->extack, NULL,
				     "no user: to remove all, flush them", -EINVAL);
	if (max > KMQTT_AUTH_USERS_MAX)
		return kmqtt_nl_user_fail(info, -ENOSPC);
	user = kvmalloc_array(max, sizeof(*user), GFP_KERNEL_ACCOUNT);
	if (!user)
		return -ENOMEM;
	err = kmqtt_nl_user_replace(info, user);
	kvfree(user);
	return err;
}

static int kmqtt_nl_dump_user(void *arg, const struct kmqtt_auth_user *user)
{
	struct kmqtt_nl_user_walk *walk = arg;
	void *head;
	int err;

	head = kmqtt_nl_dump_begin(walk->skb, walk->cb, strlen(user->name));
	if (!head)
		return 1;
	err = kmqtt_nl_put_str(walk->skb, KMQTT_A_USER_NAME, user->name) ?:
	      nla_put_u32(walk->skb, KMQTT_A_USER_ITERATIONS, user->iterations);
	walk->err = kmqtt_nl_dump_end(walk->skb, walk->cb, head, err);
	return walk->err;
}

int kmqtt_nl_user_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct kmqtt_nl_user_walk walk = { .skb = skb, .cb = cb };
	struct kmqtt_nl_user_ctx *ctx = (void *)cb->ctx;
	int err = kmqtt_nl_no_attrs(cb->nlh, cb->extack);

	if (err)
		return err;
	cb->seq = atomic_read(&kmqtt_nl_user_generation);
	ctx->index = kmqtt_auth_walk(&kmqtt_nl_dump_kn(cb)->broker.auth, ctx->index,
				     kmqtt_nl_dump_user, &walk);
	return skb->len ?: walk.err;
}

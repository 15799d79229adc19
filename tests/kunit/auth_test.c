// SPDX-License-Identifier: GPL-2.0
/* Password table, password checks. */
#include <crypto/hash.h>
#include <linux/completion.h>
#include <linux/hex.h>
#include <linux/slab.h>

#include "core/auth.h"
#include "proto/proto.h"
#include "tests/kunit/fixture.h"

/* A check, its name and password from kmalloc() as a connection has them. */
struct check {
	struct kmqtt_auth_request req;
	struct completion done;
	struct completion *gate;	/* for which the end waits, or NULL */
	atomic_t calls;
};

/* Keys as another implementation makes them (hashlib of Python, OpenSSL's). */
static const struct pbkdf2_case {
	const char *name;
	const char *password;
	u32 len;
	const char *salt;
	u32 salt_len;
	u32 iterations;
	const char *hash;
} pbkdf2_cases_table[] = {
	{ "one iteration", "password", 8, "salt", 4, 1,
	  "867f70cf1ade02cff3752599a3a53dc4af34c7a669815ae5d513554e1c8cf252"
	  "c02d470a285a0501bad999bfe943c08f050235d7d68b1da55e63f73b60a57fce" },
	{ "two iterations", "password", 8, "salt", 4, 2,
	  "e1d9c16aa681708a45f5c7c4e215ceb66e011a2e9f0040713f18aefdb866d53c"
	  "f76cab2868a39b9f7840edce4fef5a82be67335c77a6068e04112754f27ccf4e" },
	{ "4096 iterations", "password", 8, "salt", 4, 4096,
	  "d197b1b33db0143e018b12f3d1d1479e6cdebdcc97c5c0f87f6902e072f457b5"
	  "143f30602641b3d55cd335988cb36b84376060ecd532e039b742a239434af2d5" },
	{ "longer texts", "passwordPASSWORDpassword", 24,
	  "saltSALTsaltSALTsaltSALTsaltSALTsalt", 36, 4096,
	  "8c0511f4c6e597c6ac6315d8f0362e225f3c501495ba23b868c005174dc4ee71"
	  "115b59f9e60cd9532fa33e0f75aefe30225c583a186cd82bd4daea9724a3d3b8" },
	{ "NUL bytes", "pass\0word", 9, "sa\0lt", 5, 4096,
	  "9d9e9c4cd21fe4be24d5b8244c759665f39d98fc12a9ca759bb021db3cfadf34"
	  "5844aebe70dd8b2f6966f25f3613e1187bbd24ed2ca43ed13b246e4675be7ab9" },
	{ "an empty password", "", 0, "salt", 4, 3,
	  "35728858479af699c1690e989eba0d104c6c9d7ff67373a48e4f87e90cb55af7"
	  "71ac93458ee4ba4ac24f1e927bc4aba5bfed6aa82a752ad40403fbfd9575a46c" },
	{ "a password of one block",
	  "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"
	  "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk", 128,
	  "salt", 4, 3,
	  "abdcbe5c83ebca2ad4616dffff43e3080f93d57eabbce87c047e16926bf4b16a"
	  "dc76f2170994ecb59e3608a739cad20653929c499607687651a271c8d62aea03" },
	{ "a longer password, the longest salt",
	  "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"
	  "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk", 129,
	  "ssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss", 64, 3,
	  "67859c825ce935db4ee87d05cfe4fdacdb4602aebe52b7c64118ff1f5c24becd"
	  "4e76b82367af672555bd70d21151cfea33989bc202df840997fdeeb55ce3168e" },
};

static void pbkdf2_case_desc(const struct pbkdf2_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(pbkdf2_case, pbkdf2_cases_table, pbkdf2_case_desc);

static void auth_pbkdf2(struct kunit *test)
{
	const struct pbkdf2_case *c = test->param_value;
	struct crypto_shash *hmac = kmqtt_pbkdf2_alloc();
	u8 hash[KMQTT_PBKDF2_LEN], want[KMQTT_PBKDF2_LEN];
	const bool stop = false;

	KUNIT_ASSERT_FALSE(test, IS_ERR(hmac));
	KUNIT_ASSERT_EQ(test, hex2bin(want, c->hash, sizeof(want)), 0);
	KUNIT_EXPECT_EQ(test, kmqtt_pbkdf2(hmac, (const u8 *)c->password, c->len,
					   (const u8 *)c->salt, c->salt_len, c->iterations,
					   &stop, hash), 0);
	KUNIT_EXPECT_MEMEQ(test, hash, want, sizeof(want));
	crypto_free_shash(hmac);
}

static void auth_pbkdf2_stops(struct kunit *test)
{
	struct crypto_shash *hmac = kmqtt_pbkdf2_alloc();
	u8 hash[KMQTT_PBKDF2_LEN];
	const bool stop = true;

	KUNIT_ASSERT_FALSE(test, IS_ERR(hmac));
	KUNIT_EXPECT_EQ(test, kmqtt_pbkdf2(hmac, NULL, 0, (const u8 *)"s", 1, U32_MAX, &stop,
					   hash), -EINTR);
	crypto_free_shash(hmac);
}

/* Lines of a file of mosquitto_passwd 2.0.11, with their passwords; the last one is of 1.6. */
static const struct {
	const char *name;
	const char *password;
	u32 iterations;
	const char *salt;
	const char *hash;
} made_by_mosquitto[] = {
	{ "joe", "secret", 101, "be92fa5e524407610fb9048f",
	  "8c39cffe62ae265497ab4bc41b691c343808f8f9ad1ece46a4bdf29fb43120f7"
	  "47fd946c2f56d38fb993ebfbcf26b96a0467d4856fa2cb0995b6c1d666d4d756" },
	{ "ann", "p\xc3\xa4 ss", 101, "fd8b210856303c6799c38871",
	  "9b1f9715941519989a6430fcce0a31569675564360f7458b7bac913be503660f"
	  "93d3814a01e4eb483804172158f97f5e2161ca0d994c55ac8677ef6667520a75" },
	{ "test", "test", 0, "9e3111959322ffb0f3341f44",
	  "8a26af7ee5ef526f22c83640ad3cbbb264f1874ec65d73ab3acab17d6ea090e6"
	  "155c71a4f96fa2ffc777c43c6b33010fca010186803c03f823402d0dd8ce0b93" },
};

static struct kmqtt_auth *auth_of(struct kunit *test)
{
	return &kmqtt_kunit_broker(test)->auth;
}

static struct kmqtt_auth_user *user_new(struct kunit *test, const char *name,
					u32 iterations)
{
	size_t size = strlen(name) + 1;
	struct kmqtt_auth_user *user = kzalloc(struct_size(user, name, size), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, user);
	memcpy(user->name, name, size);
	user->iterations = iterations;
	user->salt_len = 1;
	return user;
}

/* A user with this password and the salt "s". */
static struct kmqtt_auth_user *user_of_password(struct kunit *test, const char *name,
						const char *password, u32 iterations)
{
	struct kmqtt_auth_user *user = user_new(test, name, iterations);
	struct crypto_shash *hmac = kmqtt_pbkdf2_alloc();
	const bool stop = false;

	KUNIT_ASSERT_FALSE(test, IS_ERR(hmac));
	user->salt[0] = 's';
	KUNIT_ASSERT_EQ(test, kmqtt_pbkdf2(hmac, TEXT(password), user->salt, 1, iterations,
					   &stop, user->hash), 0);
	crypto_free_shash(hmac);
	return user;
}

static void set(struct kunit *test, const char *name, const char *password)
{
	KUNIT_ASSERT_EQ(test, kmqtt_auth_set(auth_of(test),
					     user_of_password(test, name, password, 2)), 0);
}

static void note_done(struct kmqtt_auth_request *req)
{
	struct check *check = container_of(req, struct check, req);

	if (check->gate)
		wait_for_completion(check->gate);
	atomic_inc(&check->calls);
	complete(&check->done);
}

static struct check *check_new(struct kunit *test, const char *name, const char *password)
{
	struct check *check = kzalloc_obj(*check, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, check);
	init_completion(&check->done);
	check->req.broker = kmqtt_kunit_broker(test);
	check->req.done = note_done;
	check->req.user = kstrdup(name, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, check->req.user);
	if (password) {
		check->req.password_len = strlen(password);
		check->req.password = kmemdup(password, strlen(password), GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, check->req.password);
	}
	return check;
}

static void check_free(struct check *check)
{
	kmqtt_auth_cancel(&check->req);
	kfree_sensitive(check->req.user);
	kfree_sensitive(check->req.password);
	kfree(check);
}

/* Return: the reason code that it came to */
static u8 result(struct kunit *test, const char *name, const char *password)
{
	struct check *check = check_new(test, name, password);
	u8 reason;

	KUNIT_ASSERT_EQ(test, kmqtt_auth_submit(&check->req), 0);
	wait_for_completion(&check->done);
	reason = check->req.reason;
	KUNIT_EXPECT_EQ(test, atomic_read(&check->calls), 1);
	check_free(check);
	return reason;
}

static bool accepted(struct kunit *test, const char *name, const char *password)
{
	u8 reason = result(test, name, password);

	if (reason)
		KUNIT_EXPECT_EQ(test, reason, KMQTT_RC_BAD_USER_NAME_OR_PASSWORD);
	return !reason;
}

static void auth_takes_what_mosquitto_made(struct kunit *test)
{
	struct kmqtt_auth_user *user;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(made_by_mosquitto); i++) {
		user = user_new(test, made_by_mosquitto[i].name,
				made_by_mosquitto[i].iterations);
		user->salt_len = strlen(made_by_mosquitto[i].salt) / 2;
		KUNIT_ASSERT_EQ(test, hex2bin(user->salt, made_by_mosquitto[i].salt,
					      user->salt_len), 0);
		KUNIT_ASSERT_EQ(test, hex2bin(user->hash, made_by_mosquitto[i].hash,
					      sizeof(user->hash)), 0);
		KUNIT_ASSERT_EQ(test, kmqtt_auth_set(auth_of(test), user), 0);
	}
	for (i = 0; i < ARRAY_SIZE(made_by_mosquitto); i++)
		KUNIT_EXPECT_TRUE(test, accepted(test, made_by_mosquitto[i].name,
						 made_by_mosquitto[i].password));
	KUNIT_EXPECT_FALSE(test, accepted(test, "joe", made_by_mosquitto[1].password));
}

static void auth_decides(struct kunit *test)
{
	set(test, "joe", "secret");
	set(test, "ann", "");
	KUNIT_EXPECT_TRUE(test, accepted(test, "joe", "secret"));
	KUNIT_EXPECT_FALSE(test, accepted(test, "joe", "Secret"));
	KUNIT_EXPECT_FALSE(test, accepted(test, "joe", "secret "));
	KUNIT_EXPECT_FALSE(test, accepted(test, "joe", ""));
	KUNIT_EXPECT_FALSE(test, accepted(test, "joe", NULL));
	KUNIT_EXPECT_FALSE(test, accepted(test, "jo", "secret"));
	KUNIT_EXPECT_FALSE(test, accepted(test, "joe ", "secret"));
	KUNIT_EXPECT_FALSE(test, accepted(test, "", "secret"));
	KUNIT_EXPECT_FALSE(test, accepted(test, "", NULL));
	/* an empty password is one, and no password is none */
	KUNIT_EXPECT_TRUE(test, accepted(test, "ann", ""));
	KUNIT_EXPECT_FALSE(test, accepted(test, "ann", NULL));
}

static void auth_without_users(struct kunit *test)
{
	KUNIT_EXPECT_FALSE(test, kmqtt_auth_has_users(kmqtt_kunit_broker(test)));
	KUNIT_EXPECT_FALSE(test, accepted(test, "joe", "secret"));
	KUNIT_EXPECT_NULL(test, auth_of(test)->wq);
	set(test, "joe", "secret");
	KUNIT_EXPECT_TRUE(test, kmqtt_auth_has_users(kmqtt_kunit_broker(test)));
	kmqtt_auth_flush(auth_of(test));
	KUNIT_EXPECT_FALSE(test, kmqtt_auth_has_users(kmqtt_kunit_broker(test)));
	KUNIT_EXPECT_FALSE(test, accepted(test, "joe", "secret"));
}

static int note_name(void *ctx, const struct kmqtt_auth_user *user)
{
	char *names = ctx;

	strlcat(names, user->name, 64);
	strlcat(names, " ", 64);
	return 0;
}

static void expect_names(struct kunit *test, const char *want)
{
	char names[64] = "";

	kmqtt_auth_walk(auth_of(test), 0, note_name, names);
	KUNIT_EXPECT_STREQ(test, names, want);
}

static int stop_at_once(void *ctx, const struct kmqtt_auth_user *user)
{
	return 1;
}

static void auth_sets_and_deletes(struct kunit *test)
{
	struct kmqtt_auth *auth = auth_of(test);

	KUNIT_EXPECT_EQ(test, kmqtt_auth_del(auth, "joe"), -ENOENT);
	set(test, "joe", "a");
	set(test, "ann", "b");
	set(test, "zoe", "c");
	set(test, "kim", "d");
	expect_names(test, "ann joe kim zoe ");
	KUNIT_EXPECT_EQ(test, kmqtt_auth_walk(auth, 2, stop_at_once, NULL), 2);
	set(test, "kim", "new");
	expect_names(test, "ann joe kim zoe ");
	KUNIT_EXPECT_FALSE(test, accepted(test, "kim", "d"));
	KUNIT_EXPECT_TRUE(test, accepted(test, "kim", "new"));
	KUNIT_EXPECT_EQ(test, kmqtt_auth_del(auth, "joe"), 0);
	KUNIT_EXPECT_EQ(test, kmqtt_auth_del(auth, "joe"), -ENOENT);
	expect_names(test, "ann kim zoe ");
	KUNIT_EXPECT_EQ(test, kmqtt_auth_del(auth, "zoe"), 0);
	KUNIT_EXPECT_EQ(test, kmqtt_auth_del(auth, "ann"), 0);
	KUNIT_EXPECT_TRUE(test, accepted(test, "kim", "new"));
	KUNIT_EXPECT_EQ(test, kmqtt_auth_del(auth, "kim"), 0);
	KUNIT_EXPECT_FALSE(test, kmqtt_auth_has_users(kmqtt_kunit_broker(test)));
}

static void auth_refuses_bad_users(struct kunit *test)
{
	struct kmqtt_auth_user *user = user_new(test, "joe", KMQTT_AUTH_ITERATIONS_MAX + 1);

	KUNIT_EXPECT_EQ(test, kmqtt_auth_set(auth_of(test), user), -EINVAL);
	user->iterations = 1;
	user->salt_len = 0;
	KUNIT_EXPECT_EQ(test, kmqtt_auth_set(auth_of(test), user), -EINVAL);
	user->salt_len = KMQTT_AUTH_SALT_MAX + 1;
	KUNIT_EXPECT_EQ(test, kmqtt_auth_set(auth_of(test), user), -EINVAL);
	user->salt_len = KMQTT_AUTH_SALT_MAX;
	user->name[0] = '\0';
	KUNIT_EXPECT_EQ(test, kmqtt_auth_set(auth_of(test), user), -EINVAL);
	user->name[0] = 'j';
	KUNIT_EXPECT_EQ(test, kmqtt_auth_set(auth_of(test), user), 0);
}

static void auth_replaces_all_or_nothing(struct kunit *test)
{
	struct kmqtt_auth *auth = auth_of(test);
	const struct kmqtt_auth_user *bad = NULL;
	struct kmqtt_auth_user *users[3];

	set(test, "old", "secret");
	users[0] = user_of_password(test, "zoe", "z", 2);
	users[1] = user_of_password(test, "ann", "a", 2);
	users[2] = user_of_password(test, "zoe", "y", 2);
	KUNIT_EXPECT_EQ(test, kmqtt_auth_replace(auth, users, 3, &bad), -EEXIST);
	KUNIT_EXPECT_STREQ(test, bad->name, "zoe");
	expect_names(test, "old ");

	/* sorted by now */
	users[2]->name[0] = 'x';
	users[0]->iterations = KMQTT_AUTH_ITERATIONS_MAX + 1;
	KUNIT_EXPECT_EQ(test, kmqtt_auth_replace(auth, users, 3, &bad), -EINVAL);
	KUNIT_EXPECT_STREQ(test, bad->name, "ann");
	KUNIT_EXPECT_EQ(test, kmqtt_auth_replace(auth, users, KMQTT_AUTH_USERS_MAX + 1, &bad),
			-ENOSPC);
	expect_names(test, "old ");

	users[0]->iterations = 2;
	KUNIT_EXPECT_EQ(test, kmqtt_auth_replace(auth, users, 3, &bad), 0);
	expect_names(test, "ann xoe zoe ");
	KUNIT_EXPECT_TRUE(test, accepted(test, "ann", "a"));
	KUNIT_EXPECT_FALSE(test, accepted(test, "old", "secret"));
	KUNIT_EXPECT_EQ(test, kmqtt_auth_replace(auth, users, 0, &bad), 0);
	expect_names(test, "");
}

/* A check that is under way ends as the table was, however often it changes. */
static void auth_is_replaced_during_checks(struct kunit *test)
{
	struct check *checks[16];
	unsigned int i;

	set(test, "joe", "secret");
	for (i = 0; i < ARRAY_SIZE(checks); i++) {
		checks[i] = check_new(test, i % 2 ? "joe" : "nobody", "secret");
		KUNIT_ASSERT_EQ(test, kmqtt_auth_submit(&checks[i]->req), 0);
	}
	for (i = 0; i < ARRAY_SIZE(checks); i++) {
		set(test, "ann", "secret");
		set(test, "joe", "secret");
		KUNIT_EXPECT_EQ(test, kmqtt_auth_del(auth_of(test), "ann"), 0);
	}
	for (i = 0; i < ARRAY_SIZE(checks); i++) {
		wait_for_completion(&checks[i]->done);
		KUNIT_EXPECT_EQ(test, checks[i]->req.reason,
				i % 2 ? KMQTT_RC_SUCCESS : KMQTT_RC_BAD_USER_NAME_OR_PASSWORD);
		check_free(checks[i]);
	}
}

/* The first ones keep all workers there may be; of those that wait there is a limit. */
static void auth_bounds_what_waits(struct kunit *test)
{
	unsigned int i, count = 0, workers = 8, max = KMQTT_AUTH_WAITING_MAX + workers + 1;
	struct check **checks = kcalloc(max, sizeof(*checks), GFP_KERNEL);
	DECLARE_COMPLETION_ONSTACK(gate);
	int err = 0;

	KUNIT_ASSERT_NOT_NULL(test, checks);
	set(test, "joe", "secret");
	while (!err && count < max) {
		checks[count] = check_new(test, "joe", "secret");
		checks[count]->gate = &gate;
		err = kmqtt_auth_submit(&checks[count++]->req);
	}
	KUNIT_EXPECT_EQ(test, err, -EBUSY);
	KUNIT_EXPECT_GT(test, count, KMQTT_AUTH_WAITING_MAX);
	/* the one that was refused is free to be forgotten, like those that wait */
	for (i = count; i-- > workers;) {
		kmqtt_auth_cancel(&checks[i]->req);
		KUNIT_EXPECT_EQ(test, atomic_read(&checks[i]->calls), 0);
		check_free(checks[i]);
	}
	complete_all(&gate);
	for (i = 0; i < workers; i++) {
		wait_for_completion(&checks[i]->done);
		KUNIT_EXPECT_EQ(test, checks[i]->req.reason, KMQTT_RC_SUCCESS);
		check_free(checks[i]);
	}
	KUNIT_EXPECT_EQ(test, atomic_read(&auth_of(test)->waiting), 0);
	/* and there is room again */
	KUNIT_EXPECT_TRUE(test, accepted(test, "joe", "secret"));
	kfree(checks);
}

/* A slow one stops soon, not when it is through. */
static void auth_stops_a_slow_one(struct kunit *test)
{
	struct check *check = check_new(test, "joe", "secret");

	KUNIT_ASSERT_EQ(test, kmqtt_auth_set(auth_of(test),
					     user_new(test, "joe", KMQTT_AUTH_ITERATIONS_MAX)),
			0);
	KUNIT_ASSERT_EQ(test, kmqtt_auth_submit(&check->req), 0);
	/* it is not waiting any more: it has begun */
	while (atomic_read(&auth_of(test)->waiting))
		cond_resched();
	check_free(check);
}

static void auth_cancels(struct kunit *test)
{
	struct check *check = check_new(test, "joe", "secret");

	set(test, "joe", "secret");
	kmqtt_auth_cancel(&check->req);	/* it was not submitted */
	KUNIT_ASSERT_EQ(test, kmqtt_auth_submit(&check->req), 0);
	wait_for_completion(&check->done);
	kmqtt_auth_cancel(&check->req);	/* it is done */
	KUNIT_EXPECT_EQ(test, atomic_read(&check->calls), 1);
	/* once more, as a connection does that authenticates again */
	reinit_completion(&check->done);
	KUNIT_ASSERT_EQ(test, kmqtt_auth_submit(&check->req), 0);
	wait_for_completion(&check->done);
	KUNIT_EXPECT_EQ(test, check->req.reason, KMQTT_RC_SUCCESS);
	KUNIT_EXPECT_EQ(test, atomic_read(&check->calls), 2);
	check_free(check);
}

static struct kunit_case auth_cases[] = {
	KUNIT_CASE_PARAM(auth_pbkdf2, pbkdf2_case_gen_params),
	KUNIT_CASE(auth_pbkdf2_stops),
	KUNIT_CASE(auth_takes_what_mosquitto_made),
	KUNIT_CASE(auth_decides),
	KUNIT_CASE(auth_without_users),
	KUNIT_CASE(auth_sets_and_deletes),
	KUNIT_CASE(auth_refuses_bad_users),
	KUNIT_CASE(auth_replaces_all_or_nothing),
	KUNIT_CASE(auth_is_replaced_during_checks),
	KUNIT_CASE(auth_bounds_what_waits),
	KUNIT_CASE(auth_stops_a_slow_one),
	KUNIT_CASE(auth_cancels),
	{ }
};

static struct kunit_suite auth_suite = {
	.name = "kmqtt_auth",
	.suite_init = kmqtt_kunit_suite_init,
	.suite_exit = kmqtt_kunit_suite_exit,
	.init = kmqtt_kunit_init,
	.exit = kmqtt_kunit_exit,
	.test_cases = auth_cases,
};

kunit_test_suites(&auth_suite);

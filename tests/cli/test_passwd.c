// SPDX-License-Identifier: GPL-2.0
/* Passwords: how they are hashed, written to files, read from them, and sent. */
#include <linux/kmqtt_netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"
#include "nl.h"
#include "objects.h"
#include "pwfile.h"
#include "tap.h"

/* Lines that mosquitto_passwd 2.0.11 made; the passwords are "secret", "pä ss". */
#define JOE "$7$101$vpL6XlJEB2EPuQSP$jDnP/mKuJlSXq0vEG2kcNDgI+PmtHs5GpL3yn7QxIPdH/ZRsL1bTj7mT6/vPJrlqBGfUhW+iywmVtsHWZtTXVg=="
#define ANN "$7$101$/YshCFYwPGeZw4hx$mx+XFZQVGZiaZDD8zgoxVpZ1VkNg90WLe6yRO+UDZg+T04FKAeTrSDgEFyFY+X9eIWHKDZlMVayGd+9mZ1IKdQ=="

static const char *hex(const uint8_t *data, size_t len)
{
	static char text[2 * SHA512_LEN + 1];
	size_t i;

	for (i = 0; i < len; i++)
		sprintf(text + 2 * i, "%02x", data[i]);
	return text;
}

/* Examples of FIPS 180-4's test vectors, and lengths at the borders of a block. */
static void test_sha512(void)
{
	static const struct {
		const char *unit;
		unsigned int times;
		const char *hash;
	} vectors[] = {
		{ "", 0, "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
			 "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e" },
		{ "abc", 1, "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
			    "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f" },
		{ "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
		  "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu", 1,
		  "8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299aeadb6889018"
		  "501d289e4900f7e4331b99dec4b5433ac7d329eeb6dd26545e96e55b874be909" },
		{ "a", 1000000,
		  "e718483d0ce769644e2e42c7bc15b4638e1f98b13b2044285632a803afa973eb"
		  "de0ff244877ea60a4cb0432ce577c31beb009c5c2c49aa2e4eadb217ad8cc09b" },
	};
	struct sha512 h;
	uint8_t out[SHA512_LEN], whole[SHA512_LEN];
	char text[300];
	unsigned int i, j;
	bool same = true;

	for (i = 0; i < ARRAY_SIZE(vectors); i++) {
		sha512_init(&h);
		for (j = 0; j < vectors[i].times; j++)
			sha512_update(&h, vectors[i].unit, strlen(vectors[i].unit));
		sha512_final(&h, out);
		ok(!strcmp(hex(out, sizeof(out)), vectors[i].hash), "SHA-512: vector %u", i);
	}
	memset(text, 'x', sizeof(text));
	for (i = 0; i < sizeof(text); i++) {
		sha512_init(&h);
		sha512_update(&h, text, i);
		sha512_final(&h, whole);
		sha512_init(&h);
		for (j = 0; j < i; j++)
			sha512_update(&h, text + j, 1);
		sha512_final(&h, out);
		same = same && !memcmp(out, whole, sizeof(out));
	}
	ok(same, "SHA-512: in pieces as at once");
}

static void test_pbkdf2(void)
{
	static const struct {
		const char *password;
		size_t len;
		const char *salt;
		size_t salt_len;
		uint32_t iterations;
		const char *hash;
	} vectors[] = {
		{ "password", 8, "salt", 4, 1,
		  "867f70cf1ade02cff3752599a3a53dc4af34c7a669815ae5d513554e1c8cf252"
		  "c02d470a285a0501bad999bfe943c08f050235d7d68b1da55e63f73b60a57fce" },
		{ "passwordPASSWORDpassword", 24,
		  "saltSALTsaltSALTsaltSALTsaltSALTsalt", 36, 4096,
		  "8c0511f4c6e597c6ac6315d8f0362e225f3c501495ba23b868c005174dc4ee71"
		  "115b59f9e60cd9532fa33e0f75aefe30225c583a186cd82bd4daea9724a3d3b8" },
		{ "pass\0word", 9, "sa\0lt", 5, 4096,
		  "9d9e9c4cd21fe4be24d5b8244c759665f39d98fc12a9ca759bb021db3cfadf34"
		  "5844aebe70dd8b2f6966f25f3613e1187bbd24ed2ca43ed13b246e4675be7ab9" },
		{ "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"
		  "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk", 129,
		  "ssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss", 64, 3,
		  "67859c825ce935db4ee87d05cfe4fdacdb4602aebe52b7c64118ff1f5c24becd"
		  "4e76b82367af672555bd70d21151cfea33989bc202df840997fdeeb55ce3168e" },
	};
	uint8_t out[SHA512_LEN];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(vectors); i++) {
		pbkdf2_sha512(vectors[i].password, vectors[i].len, vectors[i].salt,
			      vectors[i].salt_len, vectors[i].iterations, out);
		ok(!strcmp(hex(out, sizeof(out)), vectors[i].hash), "PBKDF2: vector %zu", i);
	}
}

static bool is_password(const char *text, const char *password)
{
	uint8_t out[SHA512_LEN];
	struct pw_hash pw;

	if (pw_parse(text, &pw))
		return false;
	pbkdf2_sha512(password, strlen(password), pw.salt, pw.salt_len, pw.iterations, out);
	return !memcmp(out, pw.hash, sizeof(out));
}

static void test_hashes(void)
{
	static const char *const wrong[][2] = {
		{ "secret", "not hashed" },
		{ "$6$", "salt" },
		{ "$6$vpL6XlJEB2EPuQSP", "salt" },
		{ "$6$vpL6XlJEB2EPuQSP$jDnP", "64 bytes" },
		{ "$argon2id$v=19$m=47104,t=1,p=1$x$y", "argon2" },
		{ "$8$1$x$y", "unknown kind" },
		{ "$7$", "no number" },
		{ "$7$x$AAAA$AAAA", "no number" },
		{ "$7$-1$AAAA$AAAA", "no number" },
		{ "$7$0$AAAA$AAAA", "from 1 to" },
		{ "$7$1000001$AAAA$AAAA", "from 1 to" },
		{ "$7$99999999999999999999$AAAA$AAAA", "from 1 to" },
		{ "$7$1", "no number" },
		{ "$7$1$AAAA", "salt" },
		{ "$7$1$$AAAA", "salt" },
		{ "$7$1$AAA$AAAA", "salt" },
		{ "$7$1$A*AA$AAAA", "salt" },
		{ "$7$1$====$AAAA", "salt" },
		{ "$7$1$A===$AAAA", "salt" },
		{ "$7$1$AAAA$AAAA", "64 bytes" },
		{ "$7$1$AAAA$", "64 bytes" },
		{ JOE "AAAA", "64 bytes" },
	};
	char text[PW_TEXT_MAX];
	struct pw_hash pw, again;
	const char *says;
	size_t i;

	ok(is_password(JOE, "secret") && is_password(ANN, "p\xc3\xa4 ss") &&
	   !is_password(JOE, "Secret"), "hash: what mosquitto_passwd made");
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		says = pw_parse(wrong[i][0], &pw);
		if (!ok(says && strstr(says, wrong[i][1]), "hash: refused: %s", wrong[i][0]))
			diag("%s", says ? says : "taken");
	}
	memset(&pw, 0xff, sizeof(pw));
	pw.iterations = PW_ITERATIONS_MAX;
	for (pw.salt_len = 1; pw.salt_len <= PW_SALT_MAX; pw.salt_len++) {
		pw_format(&pw, text);
		if (pw_parse(text, &again) || again.salt_len != pw.salt_len ||
		    memcmp(again.salt, pw.salt, pw.salt_len) ||
		    memcmp(again.hash, pw.hash, sizeof(pw.hash)))
			break;
	}
	ok(pw.salt_len == PW_SALT_MAX + 1, "hash: all lengths of salt come back");
	ok(!pw_make(&pw, "x", 1, 2) && !pw_make(&again, "x", 1, 2) &&
	   memcmp(pw.salt, again.salt, pw.salt_len) && pw.salt_len == 12,
	   "hash: a salt of its own, as long as Mosquitto's");
	pw_format(&pw, text);
	ok(is_password(text, "x"), "hash: made here");
}

static char path[64];

static void file_write(const char *text)
{
	FILE *f = fopen(path, "w");

	fputs(text, f);
	fclose(f);
}

static const char *file_text(void)
{
	static char text[4096];
	FILE *f = fopen(path, "r");
	size_t n = fread(text, 1, sizeof(text) - 1, f);

	fclose(f);
	text[n] = 0;
	return text;
}

static const struct run *run_file(const char *words)
{
	char line[256];

	snprintf(line, sizeof(line), words, path);
	return run(passwd_main, line);
}

/* Is the file this text, but that @user has a hash of @password? */
static bool file_is(const char *before, const char *user, const char *password,
		    const char *after)
{
	const char *text = file_text(), *end;
	char hash[PW_TEXT_MAX];

	if (strncmp(text, before, strlen(before)))
		return false;
	text += strlen(before);
	if (strncmp(text, user, strlen(user)) || text[strlen(user)] != ':')
		return false;
	text += strlen(user) + 1;
	end = strchr(text, '\n');
	if (!end || end - text >= (long)sizeof(hash))
		return false;
	memcpy(hash, text, end - text);
	hash[end - text] = 0;
	return is_password(hash, password) && !strcmp(end + 1, after);
}

static void test_file(void)
{
	const struct run *r;
	struct stat st;

	unlink(path);
	r = run_file("add joe password secret iterations 3 file %s");
	ok(r->status == STATUS_OK && !r->requests && file_is("", "joe", "secret", "") &&
	   !stat(path, &st) && (st.st_mode & 0777) == 0600, "file: is made, for its owner alone");

	file_write("# comment\n\nann:" ANN "\n joe : x\r\nzoe:" JOE "\n");
	chmod(path, 0640);
	r = run_file("add joe -b new file %s");
	ok(r->status == STATUS_OK &&
	   file_is("# comment\n\nann:" ANN "\n", "joe", "new", "zoe:" JOE "\n"),
	   "file: another password, all else stays");
	ok(!stat(path, &st) && (st.st_mode & 0777) == 0640, "file: its mode stays");

	file_write("joe:" JOE "\nann:" ANN "\n");
	r = run_file("del joe file %s");
	ok(r->status == STATUS_OK && !r->requests && !strcmp(file_text(), "ann:" ANN "\n"),
	   "file: a user goes");
	r = run_file("del joe file %s");
	ok(r->status == STATUS_USAGE && strstr(r->err, "no user \"joe\"") &&
	   !strcmp(file_text(), "ann:" ANN "\n"), "file: nobody to go");

	file_write("ann:" ANN "\nplain:pass word\n");
	r = run_file("hash %s iterations 2");
	ok(r->status == STATUS_OK && file_is("ann:" ANN "\n", "plain", "pass word", ""),
	   "file: hashes what is not");

	file_write("ann:" ANN "\nno colon\n");
	r = run_file("add joe password x file %s");
	ok(r->status == STATUS_USAGE && strstr(r->err, ":2: no colon") &&
	   !strcmp(file_text(), "ann:" ANN "\nno colon\n"), "file: one that is none stays as it is");
	r = run(passwd_main, "add a:b password x file /does/not/matter");
	ok(r->status == STATUS_USAGE && strstr(r->err, "no colon"), "file: a user with a colon");
	r = run(passwd_main, "add joe password x file /does/not/exist");
	ok(r->status == STATUS_USAGE && strstr(r->err, "No such file"), "file: no such folder");
	r = run(passwd_main, "del joe file -");
	ok(r->status == STATUS_USAGE, "file: not standard input");
}

static bool is_user(const struct nlattr *first, const char *name, const char *text)
{
	const struct nlattr *tb[NL_ATTR_MAX];
	struct pw_hash pw;

	if (!first || pw_parse(text, &pw))
		return false;
	nl_parse_nested(first, tb);
	return tb[KMQTT_A_USER_NAME] && tb[KMQTT_A_USER_SALT] && tb[KMQTT_A_USER_HASH] &&
	       !strcmp(mnl_attr_get_str(tb[KMQTT_A_USER_NAME]), name) &&
	       nl_uint(tb[KMQTT_A_USER_ITERATIONS]) == pw.iterations &&
	       mnl_attr_get_payload_len(tb[KMQTT_A_USER_SALT]) == pw.salt_len &&
	       !memcmp(mnl_attr_get_payload(tb[KMQTT_A_USER_SALT]), pw.salt, pw.salt_len) &&
	       !memcmp(mnl_attr_get_payload(tb[KMQTT_A_USER_HASH]), pw.hash, sizeof(pw.hash));
}

static void test_load(void)
{
	static const char *const wrong[][2] = {
		{ "joe:secret\n", ":1: the password is not hashed" },
		{ "\n# c\njoe:$6$x$y\n", ":3: the salt is no base64" },
		{ "joe:" JOE "\nann\n", ":2: no colon" },
		{ "joe:\n", ":1: the user name or the hash is missing" },
		{ ":" JOE "\n", ":1: the user name or the hash is missing" },
	};
	const struct run *r;
	size_t i;

	file_write("# comment\njoe:" JOE "\n\n ann : " ANN "\r\n");
	r = run_file("load %s");
	ok(r->status == STATUS_OK && r->requests == 1 &&
	   request_cmd(r) == KMQTT_CMD_USER_REPLACE && requested(r) == 2 &&
	   is_user(request_attr(r, 0), "joe", JOE) && is_user(request_attr(r, 1), "ann", ANN),
	   "load: a request");
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		file_write(wrong[i][0]);
		r = run_file("load %s");
		if (!ok(r->status == STATUS_USAGE && !r->requests && strstr(r->err, wrong[i][1]),
			"load: refused: %s", wrong[i][1]))
			diag("status %d: %s", r->status, r->err);
	}
}

/* A user that is sent is hashed anew each time, so it has a test of its own. */
static void test_add(void)
{
	const struct nlattr *attr;
	const struct run *r;

	r = run(passwd_main, "add joe password secret iterations 7");
	attr = request_attr(r, 1);
	ok(r->status == STATUS_OK && request_cmd(r) == KMQTT_CMD_USER_SET && requested(r) == 4 &&
	   !strcmp(mnl_attr_get_str(request_attr(r, 0)), "joe") && nl_uint(attr) == 7,
	   "add: a request");
	file_write("from a file\n");
	r = run_file("add joe password-file %s");
	ok(r->status == STATUS_OK && nl_uint(request_attr(r, 1)) == PW_ITERATIONS,
	   "add: password from a file");
}

void test_passwd(void)
{
	int fd;

	strcpy(path, "/tmp/kmqtt-test-XXXXXX");
	fd = mkstemp(path);
	test_sha512();
	test_pbkdf2();
	test_hashes();
	test_file();
	test_load();
	test_add();
	close(fd);
	unlink(path);
}

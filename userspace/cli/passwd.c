// SPDX-License-Identifier: GPL-2.0
/* kmqtt passwd: the users of the switch and their passwords, and password files. */
#include <errno.h>
#include <linux/kmqtt_netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "fields.h"
#include "nl.h"
#include "objects.h"
#include "out.h"
#include "pwfile.h"

#define A(name)	KMQTT_A_USER_##name

static const char usage[] =
	"Usage: kmqtt passwd { add | del | show | load | flush | hash }\n"
	"  kmqtt passwd add USER [ password PASSWORD | password-file FILE ]\n"
	"                   [ iterations N ] [ file FILE ]\n"
	"  kmqtt passwd del USER [ file FILE ]\n"
	"  kmqtt passwd show\n"
	"  kmqtt passwd load FILE\n"
	"  kmqtt passwd flush\n"
	"  kmqtt passwd hash FILE [ iterations N ]\n"
	"Without password, it is asked for, or read from standard input. With file, a\n"
	"password file as Mosquitto has them is changed and not the switch; load makes\n"
	"its users the switch's, all or none. hash hashes passwords of a file that are\n"
	"not. Passwords are hashed here: PBKDF2 with HMAC-SHA-512 and N iterations (1000).\n";

static const struct field fields[] = {
	FIELD(A(NAME), STRING, 0, false, "name", NULL),
	FIELD(A(ITERATIONS), UINT, 0, false, "iterations", "iterations"),
};

/**
 * struct options - what may stand behind a user
 * @password:	from malloc(), NULL if it was not given
 * @len:	its bytes
 * @iterations:	to hash it with
 * @file:	path of a password file, or NULL
 */
struct options {
	char *password;
	size_t len;
	uint64_t iterations;
	const char *file;
};

static int user_print(const struct nlmsghdr *nlh, void *ctx)
{
	const struct nlattr *tb[NL_ATTR_MAX];

	(void)ctx;
	nl_parse(nlh, tb);
	out_object_begin(NULL);
	out_line(0);
	fields_show(tb, fields, ARRAY_SIZE(fields));
	out_object_end();
	return STATUS_OK;
}

static int passwd_show(struct args *args)
{
	if (args_end(args))
		return STATUS_USAGE;
	return list_show(nl_request(KMQTT_CMD_USER_GET), true, user_print, NULL);
}

/* One line of the terminal that is not shown, or of whatever standard input is. */
static char *prompt(const char *text, size_t *len)
{
	struct termios old, quiet;
	bool tty = !tcgetattr(STDIN_FILENO, &old);
	char *line = NULL;
	size_t room = 0;
	ssize_t n;

	if (tty) {
		quiet = old;
		quiet.c_lflag &= ~ECHO;
		/* first: who answers at once is not shown either, nor thrown away */
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
		fprintf(stderr, "%s: ", text);
	}
	n = getline(&line, &room, stdin);
	if (tty) {
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
		fputc('\n', stderr);
	}
	if (n < 0) {
		usage_error("there is no password");
		free(line);
		return NULL;
	}
	if (n && line[n - 1] == '\n')
		line[--n] = 0;
	*len = n;
	return line;
}

static void password_free(char *password, size_t len)
{
	if (password)
		explicit_bzero(password, len);
	free(password);
}

static int password_ask(struct options *o)
{
	char *again;
	size_t len;
	int ret = STATUS_OK;

	o->password = prompt("Password", &o->len);
	if (!o->password)
		return STATUS_USAGE;
	if (!isatty(STDIN_FILENO))
		return STATUS_OK;
	again = prompt("Once more", &len);
	if (!again || len != o->len || memcmp(again, o->password, len))
		ret = again ? usage_error("the passwords differ") : STATUS_USAGE;
	password_free(again, len);
	return ret;
}

static int password_take(struct args *args, struct options *o, bool file)
{
	const char *word = args_value(args, file ? "password-file" : "password");

	if (!word)
		return STATUS_USAGE;
	if (o->password)
		return usage_error("there are two passwords");
	if (file) {
		o->password = file_read(word, PW_PASSWORD_MAX, &o->len);
		return o->password ? STATUS_OK : STATUS_USAGE;
	}
	o->len = strlen(word);
	o->password = strdup(word);
	return o->password ? STATUS_OK : usage_error("out of memory");
}

enum keyword {
	KEYWORD_FILE,
	KEYWORD_ITERATIONS,
	KEYWORD_PASSWORD,
	KEYWORD_PASSWORD_FILE,
};

static const char *const keywords[] = {
	[KEYWORD_FILE] = "file",
	[KEYWORD_ITERATIONS] = "iterations",
	[KEYWORD_PASSWORD] = "password",
	[KEYWORD_PASSWORD_FILE] = "password-file",
};

/* Return: the keyword if it is one of those in @allowed (bits), or -1 (reported) */
static int keyword_find(const char *word, unsigned int allowed)
{
	int i = strcmp(word, "-b") ? word_find(word, keywords, sizeof(*keywords),
					       ARRAY_SIZE(keywords), "keyword") :
				     KEYWORD_PASSWORD;

	if (i >= 0 && !(allowed >> i & 1)) {
		usage_error("\"%s\" does not belong here", keywords[i]);
		return -1;
	}
	return i;
}

static int options_parse(struct args *args, unsigned int allowed, struct options *o)
{
	const char *word;
	int ret = STATUS_OK;

	while (!ret && (word = args_next(args))) {
		switch (keyword_find(word, allowed)) {
		case KEYWORD_FILE:
			o->file = args_value(args, "file");
			ret = o->file ? STATUS_OK : STATUS_USAGE;
			break;
		case KEYWORD_ITERATIONS:
			word = args_value(args, "iterations");
			ret = !word || number_parse(word, 1, PW_ITERATIONS_MAX, "iterations",
						    &o->iterations);
			break;
		case KEYWORD_PASSWORD:
			ret = password_take(args, o, false);
			break;
		case KEYWORD_PASSWORD_FILE:
			ret = password_take(args, o, true);
			break;
		default:
			ret = STATUS_USAGE;
		}
	}
	return ret;
}

/* The attributes of a user, which are the same inside an entry and outside. */
static int put_user(struct nlmsghdr *nlh, const char *user, const struct pw_hash *pw)
{
	return nl_put_str(nlh, A(NAME), user) ||
	       nl_put_u32(nlh, A(ITERATIONS), pw->iterations) ||
	       nl_put(nlh, A(SALT), pw->salt, pw->salt_len) ||
	       nl_put(nlh, A(HASH), pw->hash, sizeof(pw->hash));
}

static int user_set(const char *user, const struct pw_hash *pw)
{
	struct nlmsghdr *nlh = nl_request(KMQTT_CMD_USER_SET);

	nl_mark(nlh, "USER");
	if (put_user(nlh, user, pw))
		return STATUS_USAGE;
	return nl_do(nlh, NULL, NULL);
}

static int passwd_add(struct args *args)
{
	struct options o = { .iterations = PW_ITERATIONS };
	const char *user = args_need(args, "USER");
	struct pw_hash pw;
	int ret;

	if (!user)
		return STATUS_USAGE;
	ret = options_parse(args, ~0U, &o);
	if (!ret && o.file)
		ret = pw_user_check(user);
	if (!ret && !o.password)
		ret = password_ask(&o);
	if (!ret && o.len > PW_PASSWORD_MAX)
		ret = usage_error("the password is longer than %u bytes", PW_PASSWORD_MAX);
	if (!ret)
		ret = pw_make(&pw, o.password, o.len, o.iterations);
	if (!ret)
		ret = o.file ? pwfile_set(o.file, user, &pw) : user_set(user, &pw);
	password_free(o.password, o.len);
	return ret;
}

static int passwd_del(struct args *args)
{
	const char *user = args_need(args, "USER");
	struct nlmsghdr *nlh;
	struct options o = { .file = NULL };

	if (!user || options_parse(args, 1U << KEYWORD_FILE, &o))
		return STATUS_USAGE;
	if (o.file)
		return pwfile_del(o.file, user);
	nlh = nl_request(KMQTT_CMD_USER_DEL);
	nl_mark(nlh, user);
	if (nl_put_str(nlh, A(NAME), user))
		return STATUS_USAGE;
	return nl_do(nlh, NULL, NULL);
}

static int passwd_flush(struct args *args)
{
	if (args_end(args))
		return STATUS_USAGE;
	return nl_do(nl_request(KMQTT_CMD_USER_FLUSH), NULL, NULL);
}

static int passwd_hash(struct args *args)
{
	struct options o = { .iterations = PW_ITERATIONS };
	const char *file = args_need(args, "FILE");

	if (!file || options_parse(args, 1U << KEYWORD_ITERATIONS, &o))
		return STATUS_USAGE;
	return pwfile_hash(file, o.iterations);
}

/* A user of a file, and where he was found. */
struct entry {
	char *user;
	char *where;
	struct pw_hash pw;
};

struct entries {
	struct entry *entry;
	size_t count;
	size_t room;
	size_t bytes;
};

static int entries_add(const struct pwfile_line *line, void *ctx)
{
	struct entries *all = ctx;
	struct entry *e;
	const char *wrong;

	if (!line->user)
		return STATUS_OK;
	if (all->count == all->room) {
		e = reallocarray(all->entry, all->room + 64, 2 * sizeof(*e));
		if (!e)
			return usage_error("out of memory");
		all->entry = e;
		all->room = 2 * (all->room + 64);
	}
	e = &all->entry[all->count];
	wrong = pw_parse(line->hash, &e->pw);
	if (wrong)
		return pwfile_error(line, wrong);
	e->user = strdup(line->user);
	if (!e->user || asprintf(&e->where, "%s:%u", line->path, line->number) < 0) {
		free(e->user);
		return usage_error("out of memory");
	}
	all->count++;
	/* its attributes with their headers */
	all->bytes += strlen(e->user) + sizeof(e->pw) + 64;
	return STATUS_OK;
}

static void entries_free(struct entries *all)
{
	while (all->count--) {
		free(all->entry[all->count].user);
		free(all->entry[all->count].where);
	}
	free(all->entry);
}

static struct nlmsghdr *entries_request(const struct entries *all)
{
	struct nlmsghdr *nlh = nl_request_large(KMQTT_CMD_USER_REPLACE,
						all->bytes + 4096);
	struct nlattr *nest;
	size_t i;

	for (i = 0; nlh && i < all->count; i++) {
		nl_mark(nlh, all->entry[i].where);
		nest = nl_nest_begin(nlh, A(ENTRY));
		if (!nest || put_user(nlh, all->entry[i].user, &all->entry[i].pw) ||
		    nl_nest_end(nlh, nest))
			return NULL;
	}
	return nlh;
}

static int passwd_load(struct args *args)
{
	const char *file = args_need(args, "FILE");
	struct entries all = { .entry = NULL };
	struct nlmsghdr *nlh;
	int ret;

	if (!file || args_end(args))
		return STATUS_USAGE;
	ret = pwfile_read(file, false, entries_add, &all);
	if (!ret) {
		nlh = entries_request(&all);
		ret = nlh ? nl_do(nlh, NULL, NULL) : STATUS_USAGE;
	}
	entries_free(&all);
	return ret;
}

int passwd_main(struct args *args)
{
	static const struct command commands[] = {
		{ "show", passwd_show },
		{ "add", passwd_add },
		{ "del", passwd_del },
		{ "load", passwd_load },
		{ "flush", passwd_flush },
		{ "hash", passwd_hash },
	};

	return command_run(args, commands, ARRAY_SIZE(commands), usage);
}

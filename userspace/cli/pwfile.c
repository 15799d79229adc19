// SPDX-License-Identifier: GPL-2.0
/* Password files: see pwfile.h. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "args.h"
#include "pwfile.h"

/* Salts that Mosquitto 2.0 reads are of this length and no other. */
#define SALT_LEN	12

static const char digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static char *base64_encode(const uint8_t *data, size_t len, char *out)
{
	uint32_t v;
	size_t i;

	for (i = 0; i < len; i += 3) {
		v = data[i] << 16;
		v |= i + 1 < len ? data[i + 1] << 8 : 0;
		v |= i + 2 < len ? data[i + 2] : 0;
		*out++ = digits[v >> 18];
		*out++ = digits[v >> 12 & 63];
		*out++ = i + 1 < len ? digits[v >> 6 & 63] : '=';
		*out++ = i + 2 < len ? digits[v & 63] : '=';
	}
	*out = 0;
	return out;
}

/* @len characters, at most @max bytes. Return: how many bytes, or -1. */
static int base64_decode(const char *text, size_t len, uint8_t *out, size_t max)
{
	size_t i, pad = 0, n = 0;
	const char *digit;
	uint32_t v = 0;

	while (pad < 2 && pad < len && text[len - 1 - pad] == '=')
		pad++;
	if (len % 4 || len / 4 * 3 - pad > max)
		return -1;
	for (i = 0; i < len; i++) {
		digit = i < len - pad ? memchr(digits, text[i], 64) : digits;
		if (!digit)
			return -1;
		v = v << 6 | (uint32_t)(digit - digits);
		if (i % 4 < 3)
			continue;
		out[n++] = v >> 16;
		if (n < len / 4 * 3 - pad)
			out[n++] = v >> 8;
		if (n < len / 4 * 3 - pad)
			out[n++] = v;
		v = 0;
	}
	return n;
}

int pw_make(struct pw_hash *pw, const char *password, size_t len,
	    uint32_t iterations)
{
	pw->iterations = iterations;
	pw->salt_len = SALT_LEN;
	if (getrandom(pw->salt, SALT_LEN, 0) != SALT_LEN) {
		fprintf(stderr, "kmqtt: random numbers: %s\n", strerror(errno));
		return STATUS_REFUSED;
	}
	pbkdf2_sha512(password, len, pw->salt, pw->salt_len, iterations, pw->hash);
	return STATUS_OK;
}

void pw_format(const struct pw_hash *pw, char *text)
{
	text += pw->iterations ? sprintf(text, "$7$%u$", pw->iterations) : sprintf(text, "$6$");
	text = base64_encode(pw->salt, pw->salt_len, text);
	*text++ = '$';
	base64_encode(pw->hash, sizeof(pw->hash), text);
}

/* After $7$. Returns the salt, or NULL. */
static const char *pw_parse_iterations(const char *text, uint32_t *iterations)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (!isdigit((unsigned char)*text) || *end != '$')
		return NULL;
	*iterations = errno || value > PW_ITERATIONS_MAX ? 0 : value;
	return end + 1;
}

const char *pw_parse(const char *text, struct pw_hash *pw)
{
	const char *salt = text + 3, *hash;
	int len;

	pw->iterations = 0;
	if (!strncmp(text, "$argon2", 7))
		return "an argon2 hash: only $7$ is taken (mosquitto_passwd -H sha512-pbkdf2)";
	if (*text != '$')
		return "the password is not hashed: see kmqtt passwd hash";
	if (!strncmp(text, "$7$", 3)) {
		salt = pw_parse_iterations(text + 3, &pw->iterations);
		if (!salt)
			return "no number of iterations";
		if (!pw->iterations)
			return "iterations must be from 1 to 1000000";
	} else if (strncmp(text, "$6$", 3)) {
		return "an unknown kind of hash: only $7$ and $6$ are taken";
	}
	hash = strchr(salt, '$');
	len = hash ? base64_decode(salt, hash - salt, pw->salt, PW_SALT_MAX) : -1;
	if (len <= 0)
		return "the salt is no base64 of up to 64 bytes";
	hash++;
	if (base64_decode(hash, strlen(hash), pw->hash, SHA512_LEN) != SHA512_LEN)
		return "the hash is no base64 of 64 bytes";
	pw->salt_len = len;
	return NULL;
}

bool pw_hashed(const char *text)
{
	return !strncmp(text, "$6$", 3) || !strncmp(text, "$7$", 3) ||
	       !strncmp(text, "$argon2", 7);
}

int pw_user_check(const char *user)
{
	size_t i;

	if (!*user)
		return usage_error("the user name must not be empty");
	for (i = 0; user[i]; i++)
		if (user[i] == ':' || iscntrl((unsigned char)user[i]))
			return usage_error("a user name in a file has no colon and no control characters");
	if (*user == '#' || isspace((unsigned char)*user) ||
	    isspace((unsigned char)user[i - 1]))
		return usage_error("a user name in a file neither begins with # nor begins or ends with a space");
	return STATUS_OK;
}

int pwfile_error(const struct pwfile_line *line, const char *what)
{
	return usage_error("%s:%u: %s", line->path, line->number, what);
}

/* Without white space at both ends. */
static char *trim(char *s)
{
	size_t len;

	while (isspace((unsigned char)*s))
		s++;
	len = strlen(s);
	while (len && isspace((unsigned char)s[len - 1]))
		s[--len] = 0;
	return s;
}

/* One line without its break; it is cut up in @copy. */
static int read_line(struct pwfile_line *line, char *copy,
		     int (*fn)(const struct pwfile_line *line, void *ctx),
		     void *ctx)
{
	char *colon = strchr(copy, ':');

	line->user = NULL;
	line->hash = NULL;
	if (*copy != '#' && colon) {
		*colon = 0;
		line->user = trim(copy);
		line->hash = trim(colon + 1);
		if (!*line->user || !*line->hash)
			return pwfile_error(line, "the user name or the hash is missing");
	} else if (*copy != '#' && *trim(copy)) {
		return pwfile_error(line, "no colon behind the user name");
	}
	return fn(line, ctx);
}

int pwfile_read(const char *path, bool missing,
		int (*fn)(const struct pwfile_line *line, void *ctx), void *ctx)
{
	FILE *f = strcmp(path, "-") ? fopen(path, "re") : stdin;
	struct pwfile_line line = { .path = path };
	char *text = NULL, *copy;
	size_t room = 0;
	ssize_t len;
	int ret = STATUS_OK;

	if (!f && missing && errno == ENOENT)
		return STATUS_OK;
	if (!f)
		return usage_error("%s: %s", path, strerror(errno));
	while (!ret && (len = getline(&text, &room, f)) >= 0) {
		line.number++;
		if (strlen(text) != (size_t)len) {
			ret = pwfile_error(&line, "a NUL byte");
			break;
		}
		text[strcspn(text, "\n")] = 0;
		line.text = text;
		copy = strdup(text);
		ret = copy ? read_line(&line, copy, fn, ctx) : usage_error("out of memory");
		free(copy);
	}
	if (!ret && ferror(f))
		ret = usage_error("%s: %s", path, strerror(errno));
	if (text)
		explicit_bzero(text, room);
	free(text);
	if (f != stdin)
		fclose(f);
	return ret;
}

/**
 * struct edit - a file that is being written anew
 * @out:	the new one
 * @user:	whom it is about, or NULL
 * @hash:	what he gets, or NULL to take him out
 * @iterations:	to hash passwords with
 * @found:	he was there
 */
struct edit {
	FILE *out;
	const char *user;
	const char *hash;
	uint32_t iterations;
	bool found;
};

static int edit_line(const struct pwfile_line *line, void *ctx)
{
	struct edit *edit = ctx;

	if (!line->user || strcmp(line->user, edit->user)) {
		fprintf(edit->out, "%s\n", line->text);
		return STATUS_OK;
	}
	/* a second line of his would count, or not: there is but one from now on */
	if (edit->hash && !edit->found)
		fprintf(edit->out, "%s:%s\n", edit->user, edit->hash);
	edit->found = true;
	return STATUS_OK;
}

static int hash_line(const struct pwfile_line *line, void *ctx)
{
	struct edit *edit = ctx;
	char text[PW_TEXT_MAX];
	struct pw_hash pw;
	int ret;

	if (!line->user || pw_hashed(line->hash)) {
		fprintf(edit->out, "%s\n", line->text);
		return STATUS_OK;
	}
	ret = pw_make(&pw, line->hash, strlen(line->hash), edit->iterations);
	if (ret)
		return ret;
	pw_format(&pw, text);
	fprintf(edit->out, "%s:%s\n", line->user, text);
	return STATUS_OK;
}

/* The new file gets the old one's owner and mode; nobody else's to begin with. */
static int edit_open(struct edit *edit, const char *path, const char *new)
{
	struct stat st;
	int fd;

	unlink(new);
	fd = open(new, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return usage_error("%s: %s", new, strerror(errno));
	if (!stat(path, &st) &&
	    (fchown(fd, st.st_uid, st.st_gid) || fchmod(fd, st.st_mode & 07777)))
		fprintf(stderr, "kmqtt: %s: owner and mode are not those of the old file: %s\n",
			path, strerror(errno));
	edit->out = fdopen(fd, "w");
	if (!edit->out) {
		close(fd);
		return usage_error("out of memory");
	}
	return STATUS_OK;
}

/* Writes the file anew and puts it in the old one's place; all or nothing. */
static int edit_run(struct edit *edit, const char *path, bool missing,
		    int (*fn)(const struct pwfile_line *line, void *ctx))
{
	char *real, *new;
	int ret, err;

	if (!strcmp(path, "-"))
		return usage_error("a password file is needed, not standard input");
	real = realpath(path, NULL);
	if (asprintf(&new, "%s.new", real ? real : path) < 0)
		return usage_error("out of memory");
	ret = edit_open(edit, path, new);
	if (ret)
		goto out;
	ret = pwfile_read(path, missing, fn, edit);
	if (!ret && edit->user && edit->hash && !edit->found)
		fprintf(edit->out, "%s:%s\n", edit->user, edit->hash);
	if (!ret && edit->user && !edit->hash && !edit->found)
		ret = usage_error("%s: no user \"%s\"", path, edit->user);
	err = fflush(edit->out) || fsync(fileno(edit->out));
	err |= fclose(edit->out);
	if (!ret && (err || rename(new, real ? real : path)))
		ret = usage_error("%s: %s", new, strerror(errno));
	if (ret)
		unlink(new);
out:
	free(real);
	free(new);
	return ret;
}

int pwfile_set(const char *path, const char *user, const struct pw_hash *pw)
{
	char text[PW_TEXT_MAX];
	struct edit edit = { .user = user, .hash = text };

	pw_format(pw, text);
	return pw_user_check(user) ?: edit_run(&edit, path, true, edit_line);
}

int pwfile_del(const char *path, const char *user)
{
	struct edit edit = { .user = user };

	return edit_run(&edit, path, false, edit_line);
}

int pwfile_hash(const char *path, uint32_t iterations)
{
	struct edit edit = { .iterations = iterations };

	return edit_run(&edit, path, false, hash_line);
}

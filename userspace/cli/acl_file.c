// SPDX-License-Identifier: GPL-2.0
/* Files of access rules: see acl_file.h. */
#include <ctype.h>
#include <errno.h>
#include <linux/kmqtt_netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "acl_file.h"
#include "args.h"

/* What reading has come to: where, and whose topics follow. */
struct reader {
	struct acl_file *file;
	const char *path;
	unsigned int number;
	char *user;
};

static int reader_error(const struct reader *r, const char *what)
{
	return usage_error("%s:%u: %s", r->path, r->number, what);
}

/* Mosquitto knows spaces only, but for the ends of what it takes. */
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

static int line_add(struct reader *r, enum acl_line_kind kind, unsigned int access,
		    const char *text)
{
	struct acl_file *file = r->file;
	struct acl_line *line;

	if (file->count == file->room) {
		line = reallocarray(file->line, file->room + 64, 2 * sizeof(*line));
		if (!line)
			return reader_error(r, "out of memory");
		file->line = line;
		file->room = 2 * (file->room + 64);
	}
	line = &file->line[file->count];
	*line = (struct acl_line) { .kind = kind, .access = access };
	line->text = strdup(text);
	if (r->user && kind == ACL_LINE_TOPIC)
		line->user = strdup(r->user);
	if (asprintf(&line->where, "%s:%u", r->path, r->number) < 0)
		line->where = NULL;
	file->count++;
	file->bytes += strlen(text) + (line->user ? strlen(line->user) : 0);
	if (!line->text || !line->where || (r->user && kind == ACL_LINE_TOPIC && !line->user))
		return reader_error(r, "out of memory");
	return STATUS_OK;
}

/* What stands behind `topic` or `pattern`: an access word only if more follows. */
static int read_topic(struct reader *r, enum acl_line_kind kind, char *rest)
{
	static const struct {
		const char *word;
		unsigned int access;
	} words[] = {
		{ "read", KMQTT_ACL_ACCESS_READ },
		{ "write", KMQTT_ACL_ACCESS_WRITE },
		{ "readwrite", KMQTT_ACL_ACCESS_READ | KMQTT_ACL_ACCESS_WRITE },
		{ "deny", 0 },
	};
	char *first = strtok_r(NULL, " ", &rest), *topic;
	size_t i;

	if (!first)
		return reader_error(r, "the topic is missing");
	topic = strtok_r(NULL, "", &rest);
	if (!topic)
		return line_add(r, kind, words[2].access, first);
	for (i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(first, words[i].word))
			return line_add(r, kind, words[i].access, trim(topic));
	return reader_error(r, "the access is none of read, write, readwrite, deny");
}

static int read_user(struct reader *r, char *rest)
{
	char *name = trim(rest);

	if (!*name)
		return reader_error(r, "the user name is missing");
	free(r->user);
	r->user = strdup(name);
	return r->user ? STATUS_OK : reader_error(r, "out of memory");
}

static int read_line(struct reader *r, char *text)
{
	size_t len = strlen(text);
	char *rest, *word;

	while (len && isspace((unsigned char)text[len - 1]))
		text[--len] = 0;
	if (*text == '#')
		return STATUS_OK;
	word = strtok_r(text, " ", &rest);
	if (!word)
		return STATUS_OK;
	if (!strcmp(word, "topic"))
		return read_topic(r, ACL_LINE_TOPIC, rest);
	if (!strcmp(word, "pattern"))
		return read_topic(r, ACL_LINE_PATTERN, rest);
	if (!strcmp(word, "user"))
		return read_user(r, rest);
	if (!strcmp(word, "rule"))
		return line_add(r, ACL_LINE_RULE, 0, rest);
	return reader_error(r, "it begins with none of user, topic, pattern, rule");
}

int acl_file_read(const char *path, struct acl_file *file)
{
	FILE *f = strcmp(path, "-") ? fopen(path, "re") : stdin;
	struct reader r = { .file = file, .path = path };
	char *text = NULL;
	size_t room = 0;
	ssize_t len;
	int ret = STATUS_OK;

	memset(file, 0, sizeof(*file));
	if (!f)
		return usage_error("%s: %s", path, strerror(errno));
	while (!ret && (len = getline(&text, &room, f)) >= 0) {
		r.number++;
		ret = strlen(text) == (size_t)len ? read_line(&r, text) :
						    reader_error(&r, "a NUL byte");
	}
	if (!ret && ferror(f))
		ret = usage_error("%s: %s", path, strerror(errno));
	free(text);
	free(r.user);
	if (f != stdin)
		fclose(f);
	return ret;
}

void acl_file_free(struct acl_file *file)
{
	while (file->count--) {
		free(file->line[file->count].user);
		free(file->line[file->count].text);
		free(file->line[file->count].where);
	}
	free(file->line);
}

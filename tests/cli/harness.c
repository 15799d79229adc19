// SPDX-License-Identifier: GPL-2.0
/* In place of userspace/cli/nl.c, and what runs the objects. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "harness.h"
#include "nl.h"
#include "out.h"

#define REPLIES	16

static struct run current;

static struct {
	size_t count;
	uint8_t to;
	struct {
		uint8_t to;
		char buf[4096] __attribute__((aligned(8)));
	} reply[REPLIES];
} answers;

struct nlmsghdr *reply_begin(uint8_t cmd)
{
	answers.reply[answers.count].to = answers.to;
	return nl_message(answers.reply[answers.count++].buf, 0, cmd);
}

void reply_to(uint8_t cmd)
{
	answers.to = cmd;
}

int nl_ask(struct nlmsghdr *nlh, bool dump, struct nl_replies *replies)
{
	const struct genlmsghdr *genl = mnl_nlmsg_get_payload(nlh);
	const struct nlmsghdr *reply;
	size_t i, len;

	memset(replies, 0, sizeof(*replies));
	memcpy(current.request, nlh, nlh->nlmsg_len);
	current.dump = dump;
	current.requests++;
	replies->data = malloc(sizeof(answers));
	for (i = 0; i < answers.count; i++) {
		if (answers.reply[i].to ? answers.reply[i].to != genl->cmd :
					  current.requests > 1)
			continue;
		reply = (const void *)answers.reply[i].buf;
		len = MNL_ALIGN(reply->nlmsg_len);
		memcpy(replies->data + replies->len, reply, len);
		replies->len += len;
	}
	return STATUS_OK;
}

int nl_listen(const char *group, nl_fn fn, void *ctx)
{
	struct nl_replies replies;
	struct nlmsghdr *nlh = nl_request(0);

	(void)group;
	nl_ask(nlh, false, &replies);
	return nl_use(&replies, fn, ctx);
}

int nl_stop_fd(void)
{
	return -1;
}

static size_t split(char *line, char **words)
{
	size_t count = 0;
	char quote;

	while (*line) {
		quote = *line == '\'' ? '\'' : ' ';
		line += quote == '\'';
		words[count++] = line;
		line = strchrnul(line, quote);
		if (*line)
			*line++ = 0;
		while (*line == ' ')
			line++;
	}
	return count;
}

/* Standard output or error goes to a file in memory; the old one is returned. */
static int redirect(FILE *stream)
{
	int old = dup(fileno(stream)), file = memfd_create("out", MFD_CLOEXEC);

	fflush(stream);
	dup2(file, fileno(stream));
	close(file);
	return old;
}

static void restore(FILE *stream, int old, char *text, size_t room)
{
	ssize_t len;

	fflush(stream);
	lseek(fileno(stream), 0, SEEK_SET);
	len = read(fileno(stream), text, room - 1);
	text[len < 0 ? 0 : len] = 0;
	dup2(old, fileno(stream));
	close(old);
}

const struct run *run(int (*main)(struct args *args), const char *line)
{
	char *words[64], buf[8192];
	struct args args = { .words = words };
	int out, err;

	memset(&current, 0, sizeof(current));
	snprintf(buf, sizeof(buf), "%s", line);
	args.count = split(buf, words);
	out = redirect(stdout);
	err = redirect(stderr);
	current.status = main(&args);
	if (out_flush())
		current.status = -1;
	restore(stdout, out, current.out, sizeof(current.out));
	restore(stderr, err, current.err, sizeof(current.err));
	answers.count = 0;
	answers.to = 0;
	return &current;
}

const struct nlattr *request_attr(const struct run *r, size_t index)
{
	const struct nlattr *attr;
	const struct nlmsghdr *nlh = (const void *)r->request;

	mnl_attr_for_each(attr, nlh, NL_HEADER) {
		if (!index--)
			return attr;
	}
	return NULL;
}

size_t requested(const struct run *r)
{
	size_t count = 0;

	while (request_attr(r, count))
		count++;
	return count;
}

uint8_t request_cmd(const struct run *r)
{
	const struct nlmsghdr *nlh = (const void *)r->request;
	const struct genlmsghdr *genl = mnl_nlmsg_get_payload(nlh);

	return genl->cmd;
}

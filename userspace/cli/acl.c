// SPDX-License-Identifier: GPL-2.0
/* kmqtt acl: who may publish and subscribe to what. */
#include <grp.h>
#include <linux/kmqtt_netlink.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "acl_file.h"
#include "fields.h"
#include "nl.h"
#include "objects.h"
#include "out.h"

#define A(name)	KMQTT_A_ACL_##name

static const char usage[] =
	"Usage: kmqtt acl { add | del | flush | load | show }\n"
	"  kmqtt acl add { allow | deny } { read | write | readwrite } FILTER [ WHO ]\n"
	"                [ substitute { level | text | none } ] [ before ID ]\n"
	"  kmqtt acl del ID\n"
	"  kmqtt acl flush\n"
	"  kmqtt acl load FILE\n"
	"  kmqtt acl show\n"
	"WHO:\n"
	"  uid USER       processes of a user, by number or name\n"
	"  gid GROUP      processes in a group, by number or name\n"
	"  cgroup PATH    processes in a cgroup (version 2) or below it\n"
	"  user NAME      clients with this MQTT user name\n"
	"  client ID      sessions with this name (client identifier)\n"
	"  anonymous      remote clients that gave no user name\n"
	"  remote         remote clients\n"
	"  wildcard       remote clients whose user name or client identifier has a + or #\n"
	"Everyone, if none is given. The first rule that matches decides; if none does,\n"
	"\"kmqtt set acl_default\". In FILTER %c and %u as whole levels stand for the\n"
	"session's name and user name; with substitute, anywhere or nowhere. An empty\n"
	"FILTER is for all topics. load makes the rules of an ACL file of Mosquitto those\n"
	"of the switch, all or none.\n";

static const struct field fields[] = {
	FIELD(A(ALLOW), CHOICE, 0, false, "action", NULL,
	      .words = &words_allow),
	FIELD(A(ACCESS), CHOICE, 0, false, "access", NULL,
	      .words = &words_acl_access),
	FIELD(A(FILTER), STRING, 0, false, "filter", NULL),
	FIELD(A(WHO), CHOICE, 0, false, "who", NULL, .words = &words_acl_who),
	FIELD(A(UID), UINT, 0, false, "uid", NULL),
	FIELD(A(GID), UINT, 0, false, "gid", NULL),
	FIELD(A(NAME), STRING, 0, false, "name", NULL),
	FIELD(A(SUBSTITUTE), CHOICE, 0, false, "substitute", "substitute",
	      .words = &words_acl_substitute),
};

static int acl_print(const struct nlmsghdr *nlh, void *ctx)
{
	const struct nlattr *tb[NL_ATTR_MAX];
	char id[16];

	(void)ctx;
	nl_parse(nlh, tb);
	out_object_begin(NULL);
	out_line(0);
	snprintf(id, sizeof(id), "%u:", (unsigned int)nl_uint(tb[A(ID)]));
	out_word(id);
	if (out_options.json)
		out_uint("id", NULL, nl_uint(tb[A(ID)]));
	fields_show(tb, fields, ARRAY_SIZE(fields));
	out_object_end();
	return STATUS_OK;
}

static int acl_show(struct args *args)
{
	if (args_end(args))
		return STATUS_USAGE;
	return list_show(nl_request(KMQTT_CMD_ACL_GET), true, acl_print, NULL);
}

static int id_print(const struct nlmsghdr *nlh, void *ctx)
{
	const struct nlattr *tb[NL_ATTR_MAX];

	(void)ctx;
	nl_parse(nlh, tb);
	out_object_begin(NULL);
	out_line(0);
	out_uint("id", "id", nl_uint(tb[A(ID)]));
	out_object_end();
	return STATUS_OK;
}

static int put_who(struct nlmsghdr *nlh, const char *who)
{
	unsigned int v;

	if (choice_parse(who, &words_acl_who, "WHO", &v))
		return STATUS_USAGE;
	return nl_put_u32(nlh, A(WHO), v);
}

static bool is_number(const char *word)
{
	return *word && !word[strspn(word, "0123456789")];
}

static int put_uid(struct args *args, const struct param *param,
		   struct nlmsghdr *nlh)
{
	const char *word = args_value(args, param->name);
	struct passwd *pw;
	uint64_t id;

	if (!word)
		return STATUS_USAGE;
	if (is_number(word)) {
		if (number_parse(word, 0, UINT32_MAX - 1, param->name, &id))
			return STATUS_USAGE;
	} else {
		pw = getpwnam(word);
		if (!pw)
			return usage_error("no user is called \"%s\"", word);
		id = pw->pw_uid;
	}
	return put_who(nlh, "uid") || nl_put_u32(nlh, A(UID), id);
}

static int put_gid(struct args *args, const struct param *param,
		   struct nlmsghdr *nlh)
{
	const char *word = args_value(args, param->name);
	struct group *gr;
	uint64_t id;

	if (!word)
		return STATUS_USAGE;
	if (is_number(word)) {
		if (number_parse(word, 0, UINT32_MAX - 1, param->name, &id))
			return STATUS_USAGE;
	} else {
		gr = getgrnam(word);
		if (!gr)
			return usage_error("no group is called \"%s\"", word);
		id = gr->gr_gid;
	}
	return put_who(nlh, "gid") || nl_put_u32(nlh, A(GID), id);
}

/* The path may be given with the place where the file system is mounted. */
static const char *cgroup_path(const char *path)
{
	static const char mount[] = "/sys/fs/cgroup";
	size_t len = sizeof(mount) - 1;

	if (strncmp(path, mount, len) || (path[len] && path[len] != '/'))
		return path;
	return path[len] ? path + len : "/";
}

/* cgroup, user, client: a name. */
static int put_named(struct args *args, const struct param *param,
		     struct nlmsghdr *nlh)
{
	const char *word = args_value(args, param->name);

	if (!word)
		return STATUS_USAGE;
	if (!strcmp(param->name, "cgroup"))
		word = cgroup_path(word);
	return put_who(nlh, param->name) || nl_put_str(nlh, A(NAME), word);
}

/* anonymous, remote, wildcard: no value. */
static int put_kind(struct args *args, const struct param *param,
		    struct nlmsghdr *nlh)
{
	(void)args;
	return put_who(nlh, param->name);
}

/* The last one is not for rules in a file. */
static const struct param params[] = {
	PARAM("uid", A(WHO), CALL, .call = put_uid),
	PARAM("gid", A(WHO), CALL, .call = put_gid),
	PARAM("cgroup", A(WHO), CALL, .call = put_named),
	PARAM("user", A(WHO), CALL, .call = put_named),
	PARAM("client", A(WHO), CALL, .call = put_named),
	PARAM("anonymous", A(WHO), CALL, .call = put_kind),
	PARAM("remote", A(WHO), CALL, .call = put_kind),
	PARAM("wildcard", A(WHO), CALL, .call = put_kind),
	PARAM("substitute", A(SUBSTITUTE), CHOICE, .words = &words_acl_substitute),
	PARAM("before", A(BEFORE), U32, .min = 1),
};

/* Action, access, filter, and @count of the keywords. */
static int put_rule(struct args *args, size_t count, struct nlmsghdr *nlh)
{
	unsigned int allow, access;

	if (args->count < 3)
		return usage_error("action, access and FILTER are needed; see \"kmqtt acl help\"");
	if (choice_parse(args_next(args), &words_allow, "action", &allow) ||
	    choice_parse(args_next(args), &words_acl_access, "access", &access))
		return STATUS_USAGE;
	if (nl_put_u8(nlh, A(ALLOW), allow) ||
	    nl_put_u32(nlh, A(ACCESS), access))
		return STATUS_USAGE;
	nl_mark(nlh, "FILTER");
	return nl_put_str(nlh, A(FILTER), args_next(args)) ||
	       params_parse(args, params, count, nlh);
}

static int acl_add(struct args *args)
{
	struct nlmsghdr *nlh = nl_request(KMQTT_CMD_ACL_NEW);

	if (put_rule(args, ARRAY_SIZE(params), nlh))
		return STATUS_USAGE;
	return nl_do(nlh, id_print, NULL);
}

/* A line `rule`: its words, separated by white space. */
static int put_rule_line(struct nlmsghdr *nlh, const struct acl_line *line)
{
	char *words[32], *rest, *word;
	struct args args = { .words = words };

	for (word = strtok_r(line->text, " \t", &rest); word;
	     word = strtok_r(NULL, " \t", &rest)) {
		if (args.count == ARRAY_SIZE(words))
			return usage_error("too many words");
		words[args.count++] = word;
	}
	return put_rule(&args, ARRAY_SIZE(params) - 1, nlh);
}

/* A rule about remote clients. What they may not do at all is denied either way. */
static int put_remote(struct nlmsghdr *nlh, unsigned int access, const char *filter,
		      unsigned int who, const char *name)
{
	unsigned int both = KMQTT_ACL_ACCESS_READ | KMQTT_ACL_ACCESS_WRITE;

	return nl_put_u8(nlh, A(ALLOW), !!access) ||
	       nl_put_u32(nlh, A(ACCESS), access ? access : both) ||
	       nl_put_str(nlh, A(FILTER), filter) || nl_put_u32(nlh, A(WHO), who) ||
	       (name && nl_put_str(nlh, A(NAME), name));
}

static int put_line(struct nlmsghdr *nlh, const struct acl_line *line)
{
	bool names = strstr(line->text, "%c") || strstr(line->text, "%u");
	unsigned int who = KMQTT_ACL_WHO_REMOTE, subst = KMQTT_ACL_SUBSTITUTE_TEXT;

	if (line->kind == ACL_LINE_RULE)
		return put_rule_line(nlh, line);
	if (line->kind == ACL_LINE_TOPIC) {
		who = line->user ? KMQTT_ACL_WHO_USER : KMQTT_ACL_WHO_ANONYMOUS;
		subst = KMQTT_ACL_SUBSTITUTE_NONE;
	}
	return put_remote(nlh, line->access, line->text, who, line->user) ||
	       (names && nl_put_u32(nlh, A(SUBSTITUTE), subst));
}

/* The rules of this kind, those that deny or those that do not. */
static int put_lines(struct nlmsghdr *nlh, const struct acl_file *file,
		     enum acl_line_kind kind, bool deny)
{
	const struct acl_line *line;
	struct nlattr *nest;
	size_t i;

	for (i = 0; i < file->count; i++) {
		line = &file->line[i];
		if (line->kind != kind || !line->access != deny)
			continue;
		nl_mark(nlh, line->where);
		nest = nl_nest_begin(nlh, A(RULE));
		if (!nest)
			return STATUS_USAGE;
		if (put_line(nlh, line) || nl_nest_end(nlh, nest))
			return usage_error("in %s", line->where);
	}
	return STATUS_OK;
}

/* Some remote clients may do nothing from here on. */
static int put_end(struct nlmsghdr *nlh, unsigned int who)
{
	struct nlattr *nest = nl_nest_begin(nlh, A(RULE));

	return !nest || put_remote(nlh, 0, "", who, NULL) || nl_nest_end(nlh, nest);
}

static bool has_patterns(const struct acl_file *file)
{
	size_t i;

	for (i = 0; i < file->count; i++)
		if (file->line[i].kind == ACL_LINE_PATTERN)
			return true;
	return false;
}

/*
 * As Mosquitto decides: a user's own topics, denied ones first; then patterns, for
 * which names with wildcards in them are of no use; what is not allowed is denied.
 */
static int put_file(struct nlmsghdr *nlh, const struct acl_file *file)
{
	return put_lines(nlh, file, ACL_LINE_RULE, true) ||
	       put_lines(nlh, file, ACL_LINE_TOPIC, true) ||
	       put_lines(nlh, file, ACL_LINE_TOPIC, false) ||
	       (has_patterns(file) && put_end(nlh, KMQTT_ACL_WHO_WILDCARD)) ||
	       put_lines(nlh, file, ACL_LINE_PATTERN, true) ||
	       put_lines(nlh, file, ACL_LINE_PATTERN, false) ||
	       put_end(nlh, KMQTT_ACL_WHO_REMOTE);
}

static int acl_load(struct args *args)
{
	const char *path = args_need(args, "FILE");
	struct nlmsghdr *nlh = NULL;
	struct acl_file file;
	int ret;

	if (!path || args_end(args))
		return STATUS_USAGE;
	ret = acl_file_read(path, &file);
	/* a rule's attributes of fixed size, and what else there is */
	if (!ret)
		nlh = nl_request_large(KMQTT_CMD_ACL_REPLACE,
				       file.bytes + 96 * file.count + 4096);
	if (!ret)
		ret = nlh && !put_file(nlh, &file) ? nl_do(nlh, NULL, NULL) : STATUS_USAGE;
	acl_file_free(&file);
	return ret;
}

static int acl_del(struct args *args)
{
	const char *word = args_need(args, "ID");
	struct nlmsghdr *nlh = nl_request(KMQTT_CMD_ACL_DEL);
	uint64_t id;

	if (!word || number_parse(word, 1, UINT32_MAX, "ID", &id) ||
	    args_end(args) || nl_put_u32(nlh, A(ID), id))
		return STATUS_USAGE;
	return nl_do(nlh, NULL, NULL);
}

static int acl_flush(struct args *args)
{
	if (args_end(args))
		return STATUS_USAGE;
	return nl_do(nl_request(KMQTT_CMD_ACL_FLUSH), NULL, NULL);
}

int acl_main(struct args *args)
{
	static const struct command commands[] = {
		{ "show", acl_show },
		{ "add", acl_add },
		{ "del", acl_del },
		{ "flush", acl_flush },
		{ "load", acl_load },
	};

	return command_run(args, commands, ARRAY_SIZE(commands), usage);
}

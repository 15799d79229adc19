// SPDX-License-Identifier: GPL-2.0
/* kmqtt acl: who may publish and subscribe to what. */
#include <grp.h>
#include <linux/kmqtt_netlink.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "fields.h"
#include "nl.h"
#include "objects.h"
#include "out.h"

#define A(name)	KMQTT_A_ACL_##name

static const char usage[] =
	"Usage: kmqtt acl { add | del | flush | show }\n"
	"  kmqtt acl add { allow | deny } { read | write | readwrite } FILTER [ WHO ]\n"
	"                [ before ID ]\n"
	"  kmqtt acl del ID\n"
	"  kmqtt acl flush\n"
	"  kmqtt acl show\n"
	"WHO:\n"
	"  uid USER       processes of a user, by number or name\n"
	"  gid GROUP      processes in a group, by number or name\n"
	"  cgroup PATH    processes in a cgroup (version 2) or below it\n"
	"  user NAME      clients with this MQTT user name\n"
	"  client ID      sessions with this name (client identifier)\n"
	"Everyone, if none is given. The first rule that matches decides; if none does,\n"
	"\"kmqtt set acl_default\". In FILTER %c and %u as whole levels stand for the\n"
	"session's name and user name.\n";

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

static const struct param params[] = {
	PARAM("uid", A(WHO), CALL, .call = put_uid),
	PARAM("gid", A(WHO), CALL, .call = put_gid),
	PARAM("cgroup", A(WHO), CALL, .call = put_named),
	PARAM("user", A(WHO), CALL, .call = put_named),
	PARAM("client", A(WHO), CALL, .call = put_named),
	PARAM("before", A(BEFORE), U32, .min = 1),
};

static int acl_add(struct args *args)
{
	struct nlmsghdr *nlh = nl_request(KMQTT_CMD_ACL_NEW);
	unsigned int allow, access;
	const char *filter;

	if (args->count < 3)
		return usage_error("action, access and FILTER are needed; see \"kmqtt acl help\"");
	if (choice_parse(args_next(args), &words_allow, "action", &allow) ||
	    choice_parse(args_next(args), &words_acl_access, "access", &access))
		return STATUS_USAGE;
	filter = args_next(args);
	if (nl_put_u8(nlh, A(ALLOW), allow) ||
	    nl_put_u32(nlh, A(ACCESS), access))
		return STATUS_USAGE;
	nl_mark(nlh, "FILTER");
	if (nl_put_str(nlh, A(FILTER), filter) ||
	    params_parse(args, params, ARRAY_SIZE(params), nlh))
		return STATUS_USAGE;
	return nl_do(nlh, id_print, NULL);
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
	};

	return command_run(args, commands, ARRAY_SIZE(commands), usage);
}

// SPDX-License-Identifier: GPL-2.0
/* Files of access rules become a request, or a message that names the line. */
#include <linux/kmqtt_netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"
#include "nl.h"
#include "objects.h"
#include "tap.h"

static char path[64];

static const struct run *load_text(const char *text)
{
	FILE *f = fopen(path, "w");
	char line[128];

	fputs(text, f);
	fclose(f);
	snprintf(line, sizeof(line), "load %s", path);
	return run(acl_main, line);
}

static const char *string(const struct nlattr *attr)
{
	return attr ? mnl_attr_get_str(attr) : "-";
}

/* The rules of a request, one a line: action, access, filter, who, name or number, substitute. */
static const char *rules(const struct run *r)
{
	static const char *const access[] = { "none", "read", "write", "both" };
	static const char *const who[] = {
		"any", "uid", "gid", "cgroup", "user", "client", "anonymous", "remote", "wildcard",
	};
	static const char *const subst[] = { "level", "text", "none" };
	const struct nlattr *tb[NL_ATTR_MAX], *rule;
	static char text[4096];
	size_t i, n = 0;

	for (i = 0; (rule = request_attr(r, i)); i++) {
		nl_parse_nested(rule, tb);
		n += snprintf(text + n, sizeof(text) - n, "%s %s '%s' %s %s %s\n",
			      nl_uint(tb[KMQTT_A_ACL_RULE_ALLOW]) ? "allow" : "deny",
			      access[nl_uint(tb[KMQTT_A_ACL_RULE_ACCESS])],
			      string(tb[KMQTT_A_ACL_RULE_FILTER]),
			      who[nl_uint(tb[KMQTT_A_ACL_RULE_WHO])],
			      tb[KMQTT_A_ACL_RULE_UID] ? "0" : string(tb[KMQTT_A_ACL_RULE_NAME]),
			      subst[nl_uint(tb[KMQTT_A_ACL_RULE_SUBSTITUTE])]);
	}
	return text;
}

static const struct {
	const char *what;
	const char *text;
	const char *rules;
} files[] = {
	{ "nothing", "# only a comment\n\n", "deny both '' remote - level\n" },
	{ "anonymous clients and users",
	  "topic read a/#\ntopic b\nuser joe\ntopic write c\nuser ann b\t\ntopic readwrite d e \r\n",
	  "allow read 'a/#' anonymous - level\nallow both 'b' anonymous - level\n"
	  "allow write 'c' user joe level\nallow both 'd e' user ann b level\n"
	  "deny both '' remote - level\n" },
	{ "denied first, patterns last",
	  "pattern read p/%c/#\nuser joe\ntopic read a/#\ntopic deny a/b\npattern deny p/%u/x\n",
	  "deny both 'a/b' user joe level\nallow read 'a/#' user joe level\n"
	  "deny both '' wildcard - level\n"
	  "deny both 'p/%u/x' remote - text\nallow read 'p/%c/#' remote - text\n"
	  "deny both '' remote - level\n" },
	{ "names are put in where Mosquitto does",
	  "topic t/%c\npattern p\npattern x%uy\n",
	  "allow both 't/%c' anonymous - none\ndeny both '' wildcard - level\n"
	  "allow both 'p' remote - level\nallow both 'x%uy' remote - text\n"
	  "deny both '' remote - level\n" },
	{ "a topic that is called as an access is", "topic read\ntopic  deny  deny\n",
	  "deny both 'deny' anonymous - level\nallow both 'read' anonymous - level\n"
	  "deny both '' remote - level\n" },
	{ "rules of our own come first",
	  "topic a\nrule deny write secret/# uid root\nrule allow readwrite #\tclient c\n",
	  "deny write 'secret/#' uid 0 level\nallow both '#' client c level\n"
	  "allow both 'a' anonymous - level\ndeny both '' remote - level\n" },
	{ "no newline at the end", "topic a", "allow both 'a' anonymous - level\n"
	  "deny both '' remote - level\n" },
};

static const char *const wrong[][2] = {
	{ "topic\n", ":1: the topic is missing" },
	{ "\n# c\npattern  \t\n", ":3: the topic is missing" },
	{ "topic reads a\n", ":1: the access is none of" },
	{ "user\n", ":1: the user name is missing" },
	{ "topics a\n", ":1: it begins with none of" },
	{ "\ttopic a\n", ":1: it begins with none of" },
	{ "topic a\nrule allow\n", "in /tmp/" },
	{ "rule allow read a before 1\n", "unknown keyword \"before\"" },
	{ "rule maybe read a\n", "unknown action" },
};

void test_acl_file(void)
{
	const struct run *r;
	size_t i;
	int fd;

	strcpy(path, "/tmp/kmqtt-test-XXXXXX");
	fd = mkstemp(path);
	for (i = 0; i < ARRAY_SIZE(files); i++) {
		r = load_text(files[i].text);
		if (!ok(r->status == STATUS_OK && r->requests == 1 &&
			request_cmd(r) == KMQTT_CMD_ACL_REPLACE &&
			!strcmp(rules(r), files[i].rules), "ACL file: %s", files[i].what))
			diag("status %d: %s\n%s", r->status, r->err, rules(r));
	}
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		r = load_text(wrong[i][0]);
		if (!ok(r->status == STATUS_USAGE && !r->requests && strstr(r->err, wrong[i][1]),
			"ACL file: refused: %s", wrong[i][1]))
			diag("status %d: %s", r->status, r->err);
	}
	close(fd);
	unlink(path);
}

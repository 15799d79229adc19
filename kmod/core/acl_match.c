// SPDX-License-Identifier: GPL-2.0
/* Permission: whom and what a rule is about, see acl_match.h. */
#include <linux/cgroup.h>
#include <linux/string.h>

#include "core/acl_match.h"
#include "proto/topic.h"

/* names that a filter asks for */
#define KMQTT_ACL_USES_CLIENT	0x1
#define KMQTT_ACL_USES_USER	0x2

/**
 * struct kmqtt_acl_text - a rule's filter with the peer's names in it, byte by byte
 * @rule:	rule
 * @who:	peer
 * @at:	what comes next of the filter
 * @end:	its end
 * @name:	what comes before that of a name, or NULL
 */
struct kmqtt_acl_text {
	const struct kmqtt_acl_rule *rule;
	const struct kmqtt_identity *who;
	const u8 *at;
	const u8 *end;
	const char *name;
};

/* groups_search() is not for modules; the kernel keeps the groups sorted. */
static bool kmqtt_acl_in_group(const struct cred *cred, kgid_t gid)
{
	const struct group_info *groups = cred->group_info;
	int low = 0, high = groups->ngroups, mid;

	while (low < high) {
		mid = (low + high) / 2;
		if (gid_lt(groups->gid[mid], gid))
			low = mid + 1;
		else
			high = mid;
	}
	return gid_eq(cred->egid, gid) ||
	       (low < groups->ngroups && gid_eq(groups->gid[low], gid));
}

#ifdef CONFIG_CGROUPS
static bool kmqtt_cgroup_within(struct cgroup *cgrp, struct cgroup *ancestor)
{
	return cgrp && cgroup_is_descendant(cgrp, ancestor);
}
#else
static bool kmqtt_cgroup_within(struct cgroup *cgrp, struct cgroup *ancestor)
{
	return false;
}
#endif

static bool kmqtt_acl_remote(const struct kmqtt_identity *who)
{
	return !who->cred && !who->trusted;
}

/* An empty user name is none, as in Mosquitto. */
static const char *kmqtt_acl_user(const struct kmqtt_identity *who)
{
	return who->user && *who->user ? who->user : NULL;
}

static bool kmqtt_acl_wild(const char *name)
{
	return name && strpbrk(name, "+#");
}

static bool kmqtt_acl_name_is(const struct kmqtt_acl_rule *rule,
			      const char *name)
{
	return name && rule->name && !strcmp(rule->name, name);
}

bool kmqtt_acl_is_about(const struct kmqtt_acl_rule *rule,
			const struct kmqtt_identity *who)
{
	switch (rule->subject) {
	case KMQTT_ACL_ANY:
		return true;
	case KMQTT_ACL_UID:
		return who->cred && uid_eq(who->cred->euid, rule->uid);
	case KMQTT_ACL_GID:
		return who->cred && kmqtt_acl_in_group(who->cred, rule->gid);
	case KMQTT_ACL_CGROUP:
		return kmqtt_cgroup_within(who->cgroup, rule->cgroup);
	case KMQTT_ACL_USER:
		return kmqtt_acl_name_is(rule, who->user);
	case KMQTT_ACL_CLIENT:
		return kmqtt_acl_name_is(rule, who->client_id);
	case KMQTT_ACL_ANONYMOUS:
		return kmqtt_acl_remote(who) && !kmqtt_acl_user(who);
	case KMQTT_ACL_REMOTE:
		return kmqtt_acl_remote(who);
	case KMQTT_ACL_WILDCARD:
		return kmqtt_acl_remote(who) &&
		       (kmqtt_acl_wild(who->user) || kmqtt_acl_wild(who->client_id));
	}
	return false;
}

/* Does a name belong here? Return: what it is in @who, %c or %u; 0: it does not */
static u8 kmqtt_acl_uses(const struct kmqtt_acl_rule *rule, const u8 *at)
{
	const u8 *end = rule->filter + rule->filter_len;

	if (rule->subst == KMQTT_ACL_SUBST_NONE || end - at < 2 || at[0] != '%')
		return 0;
	if (rule->subst == KMQTT_ACL_SUBST_LEVEL &&
	    ((at != rule->filter && at[-1] != '/') || (end - at > 2 && at[2] != '/')))
		return 0;
	switch (at[1]) {
	case 'c':
		return KMQTT_ACL_USES_CLIENT;
	case 'u':
		return KMQTT_ACL_USES_USER;
	}
	return 0;
}

void kmqtt_acl_prepare(struct kmqtt_acl_rule *rule)
{
	u32 i;

	rule->uses = 0;
	for (i = 0; i < rule->filter_len; i++)
		rule->uses |= kmqtt_acl_uses(rule, rule->filter + i);
}

/*
 * A name must not be a wildcard where the rule has none; nor, if it stands for a
 * level, be more or less than one.
 */
static bool kmqtt_acl_name_fits(const struct kmqtt_acl_rule *rule, const char *name)
{
	if (rule->subst == KMQTT_ACL_SUBST_LEVEL)
		return name && *name && !strpbrk(name, "/+#");
	return name && !strpbrk(name, "+#");
}

/* Return: false if the rule matches nothing for the lack of a name */
static bool kmqtt_acl_text_begin(struct kmqtt_acl_text *t,
				 const struct kmqtt_acl_rule *rule,
				 const struct kmqtt_identity *who)
{
	*t = (struct kmqtt_acl_text) {
		.rule = rule,
		.who = who,
		.at = rule->filter,
		.end = rule->filter + rule->filter_len,
	};
	if ((rule->uses & KMQTT_ACL_USES_CLIENT) &&
	    !kmqtt_acl_name_fits(rule, who->client_id))
		return false;
	if ((rule->uses & KMQTT_ACL_USES_USER) &&
	    !kmqtt_acl_name_fits(rule, kmqtt_acl_user(who)))
		return false;
	return true;
}

/* Return: the next byte, -1 at the end */
static int kmqtt_acl_text_next(struct kmqtt_acl_text *t)
{
	u8 uses;

	for (;;) {
		if (t->name && *t->name)
			return (u8)*t->name++;
		t->name = NULL;
		if (t->at == t->end)
			return -1;
		uses = t->rule->uses ? kmqtt_acl_uses(t->rule, t->at) : 0;
		if (!uses)
			return *t->at++;
		t->name = uses == KMQTT_ACL_USES_CLIENT ? t->who->client_id : t->who->user;
		t->at += 2;
	}
}

/* At the beginning of a level: is it a wildcard? Return: it, or 0 */
static u8 kmqtt_acl_text_wildcard(const struct kmqtt_acl_text *t)
{
	if ((t->name && *t->name) || t->at == t->end)
		return 0;
	return *t->at == '+' || *t->at == '#' ? *t->at : 0;
}

/* Goes behind the level. Return: is there one more? */
static bool kmqtt_acl_text_skip(struct kmqtt_acl_text *t)
{
	int c;

	do {
		c = kmqtt_acl_text_next(t);
	} while (c >= 0 && c != '/');
	return c == '/';
}

/* Is the level this one? Goes behind it if it is; *more: there is another */
static bool kmqtt_acl_text_level(struct kmqtt_acl_text *t, struct kmqtt_view level,
				 bool *more)
{
	u32 i;
	int c;

	for (i = 0;; i++) {
		c = kmqtt_acl_text_next(t);
		if (c < 0 || c == '/') {
			*more = c == '/';
			return i == level.len;
		}
		if (i >= level.len || level.data[i] != c)
			return false;
	}
}

/* One begins with a wildcard, the other with `$` (MQTT 5.0, 4.7.2). */
static bool kmqtt_acl_dollar_apart(struct kmqtt_acl_text t, struct kmqtt_view path)
{
	u8 first = path.data[0];

	if (first == '$')
		return kmqtt_acl_text_wildcard(&t);
	return (first == '+' || first == '#') && kmqtt_acl_text_next(&t) == '$';
}

static bool kmqtt_level_is(struct kmqtt_view level, char c)
{
	return level.len == 1 && level.data[0] == c;
}

bool kmqtt_acl_covers(const struct kmqtt_acl_rule *rule,
		      const struct kmqtt_identity *who, struct kmqtt_view path)
{
	struct kmqtt_acl_text text;
	struct kmqtt_view have;
	bool more = true;
	u8 wildcard;

	if (!rule->filter_len)
		return true;
	if (!kmqtt_acl_text_begin(&text, rule, who) || kmqtt_acl_dollar_apart(text, path))
		return false;
	while (more) {
		wildcard = kmqtt_acl_text_wildcard(&text);
		if (wildcard == '#')
			return true;
		if (!kmqtt_level_next(&path, &have) || kmqtt_level_is(have, '#'))
			return false;
		if (wildcard)
			more = kmqtt_acl_text_skip(&text);
		else if (!kmqtt_acl_text_level(&text, have, &more))
			return false;
	}
	return !path.data;
}

bool kmqtt_acl_overlaps(const struct kmqtt_acl_rule *rule,
			const struct kmqtt_identity *who, struct kmqtt_view path)
{
	struct kmqtt_acl_text text;
	bool more = true, also;
	struct kmqtt_view have;
	u8 wildcard;

	if (!rule->filter_len)
		return true;
	if (!kmqtt_acl_text_begin(&text, rule, who) || kmqtt_acl_dollar_apart(text, path))
		return false;
	for (;;) {
		wildcard = more ? kmqtt_acl_text_wildcard(&text) : 0;
		also = kmqtt_level_next(&path, &have);
		if (wildcard == '#' || (also && kmqtt_level_is(have, '#')))
			return true;
		if (!more || !also)
			return more == also;
		if (wildcard || kmqtt_level_is(have, '+'))
			more = kmqtt_acl_text_skip(&text);
		else if (!kmqtt_acl_text_level(&text, have, &more))
			return false;
	}
}

// SPDX-License-Identifier: GPL-2.0
/* Netlink: access rules. */
#include <linux/cgroup.h>
#include <linux/cred.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/slab.h>

#include "core/acl.h"
#include "port/netlink.h"
#include "proto/topic.h"

/**
 * struct kmqtt_nl_acl_ctx - where a dump goes on
 * @index:	rules that were shown
 */
struct kmqtt_nl_acl_ctx {
	unsigned int index;
};

struct kmqtt_nl_acl_walk {
	struct sk_buff *skb;
	struct netlink_callback *cb;
	int err;
};

static const char kmqtt_nl_acl_all[] = "#";

/* counts changes: a dump that sees it change is marked as interrupted */
static atomic_t kmqtt_nl_acl_generation = ATOMIC_INIT(1);

/* whom the rule is about: what each kind of subject needs, and nothing else */
static const struct {
	u8 attr;
	const char *missing;
} kmqtt_nl_acl_subject[] = {
	[KMQTT_ACL_ANY]		= { 0, NULL },
	[KMQTT_ACL_UID]		= { KMQTT_A_ACL_UID, "who uid needs uid" },
	[KMQTT_ACL_GID]		= { KMQTT_A_ACL_GID, "who gid needs gid" },
	[KMQTT_ACL_CGROUP]	= { KMQTT_A_ACL_NAME, "who cgroup needs name, its path" },
	[KMQTT_ACL_USER]	= { KMQTT_A_ACL_NAME, "who user needs name" },
	[KMQTT_ACL_CLIENT]	= { KMQTT_A_ACL_NAME, "who client needs name" },
	[KMQTT_ACL_ANONYMOUS]	= { 0, NULL },
	[KMQTT_ACL_REMOTE]	= { 0, NULL },
	[KMQTT_ACL_WILDCARD]	= { 0, NULL },
};

/**
 * struct kmqtt_nl_acl_request - a rule in a request
 * @info:	the request
 * @nest:	the rule, where there are many; else NULL
 * @attrs:	its attributes: those of acl-rule are numbered as those of acl
 * @user_ns:	in which its uid and gid count
 */
struct kmqtt_nl_acl_request {
	struct genl_info *info;
	struct nlattr *nest;
	struct nlattr **attrs;
	struct user_namespace *user_ns;
};

/* What is wrong is the rule as a whole, if it is one of many. */
static int kmqtt_nl_acl_fail(const struct kmqtt_nl_acl_request *req,
			     const struct nlattr *attr, const char *why, int err)
{
	return kmqtt_nl_fail(req->info->extack, req->nest ?: attr, why, err);
}

static int kmqtt_nl_acl_check_subject(const struct kmqtt_nl_acl_request *req, u8 subject)
{
	static const u8 all[] = { KMQTT_A_ACL_UID, KMQTT_A_ACL_GID, KMQTT_A_ACL_NAME };
	u8 wanted = kmqtt_nl_acl_subject[subject].attr;
	unsigned int i;

	static_assert((int)KMQTT_ACL_WHO_UID == KMQTT_ACL_UID);
	static_assert((int)KMQTT_ACL_WHO_CGROUP == KMQTT_ACL_CGROUP);
	static_assert((int)KMQTT_ACL_WHO_CLIENT == KMQTT_ACL_CLIENT);
	static_assert((int)KMQTT_ACL_WHO_WILDCARD == KMQTT_ACL_WILDCARD);
	static_assert(ARRAY_SIZE(kmqtt_nl_acl_subject) == KMQTT_ACL_WILDCARD + 1);

	if (wanted && !req->attrs[wanted])
		return kmqtt_nl_acl_fail(req, NULL, kmqtt_nl_acl_subject[subject].missing,
					 -EINVAL);
	for (i = 0; i < ARRAY_SIZE(all); i++)
		if (all[i] != wanted && req->attrs[all[i]])
			return kmqtt_nl_acl_fail(req, req->attrs[all[i]],
						 "this does not belong to who the rule is about",
						 -EINVAL);
	if (wanted == KMQTT_A_ACL_NAME && !kmqtt_nl_str_len(req->attrs[wanted]))
		return kmqtt_nl_acl_fail(req, req->attrs[wanted], "an empty name", -EINVAL);
	return 0;
}

#ifdef CONFIG_CGROUPS
static int kmqtt_nl_acl_cgroup(const struct kmqtt_nl_acl_request *req,
			       struct kmqtt_acl_rule *rule)
{
	struct cgroup *cgroup = cgroup_get_from_path(rule->name);

	if (IS_ERR(cgroup))
		return kmqtt_nl_acl_fail(req, req->attrs[KMQTT_A_ACL_NAME],
					 "no cgroup of that path", PTR_ERR(cgroup));
	rule->cgroup = cgroup;
	return 0;
}
#else
static int kmqtt_nl_acl_cgroup(const struct kmqtt_nl_acl_request *req,
			       struct kmqtt_acl_rule *rule)
{
	return kmqtt_nl_acl_fail(req, req->attrs[KMQTT_A_ACL_WHO],
				 "this kernel has no cgroups", -EOPNOTSUPP);
}
#endif

static int kmqtt_nl_acl_set_subject(const struct kmqtt_nl_acl_request *req,
				    struct kmqtt_acl_rule *rule)
{
	struct nlattr **attrs = req->attrs;

	switch (rule->subject) {
	case KMQTT_ACL_UID:
		rule->uid = make_kuid(req->user_ns, nla_get_u32(attrs[KMQTT_A_ACL_UID]));
		if (!uid_valid(rule->uid))
			return kmqtt_nl_acl_fail(req, attrs[KMQTT_A_ACL_UID],
						 "no such user in this user namespace",
						 -EINVAL);
		return 0;
	case KMQTT_ACL_GID:
		rule->gid = make_kgid(req->user_ns, nla_get_u32(attrs[KMQTT_A_ACL_GID]));
		if (!gid_valid(rule->gid))
			return kmqtt_nl_acl_fail(req, attrs[KMQTT_A_ACL_GID],
						 "no such group in this user namespace",
						 -EINVAL);
		return 0;
	}
	if (!attrs[KMQTT_A_ACL_NAME])
		return 0;
	rule->name = nla_strdup(attrs[KMQTT_A_ACL_NAME], GFP_KERNEL_ACCOUNT);
	if (!rule->name)
		return -ENOMEM;
	return rule->subject == KMQTT_ACL_CGROUP ? kmqtt_nl_acl_cgroup(req, rule) : 0;
}

/* Return: 0, and *filter; or it is said what is wrong with it */
static int kmqtt_nl_acl_filter(const struct kmqtt_nl_acl_request *req,
			       struct kmqtt_view *filter)
{
	struct nlattr *text = req->attrs[KMQTT_A_ACL_FILTER];
	struct kmqtt_view share, inner;

	*filter = (struct kmqtt_view) { .data = (const u8 *)kmqtt_nl_acl_all, .len = 1 };
	if (!text)
		return 0;
	filter->data = nla_data(text);
	filter->len = kmqtt_nl_str_len(text);
	if (filter->len && (!kmqtt_topic_filter_valid(filter->data, filter->len) ||
			    kmqtt_share_split(*filter, &share, &inner)))
		return kmqtt_nl_acl_fail(req, text,
					 "not a valid topic filter without $share", -EILSEQ);
	return 0;
}

/* Return: the rule as the request has it; ERR_PTR, and then it is said why */
static struct kmqtt_acl_rule *kmqtt_nl_acl_rule(const struct kmqtt_nl_acl_request *req)
{
	struct nlattr *who = req->attrs[KMQTT_A_ACL_WHO];
	struct nlattr *access = req->attrs[KMQTT_A_ACL_ACCESS];
	struct nlattr *subst = req->attrs[KMQTT_A_ACL_SUBSTITUTE];
	u8 subject = who ? nla_get_u32(who) : KMQTT_ACL_ANY;
	struct kmqtt_acl_rule *rule;
	struct kmqtt_view filter;
	int err;

	static_assert((int)KMQTT_ACL_ACCESS_READ == KMQTT_ACL_READ);
	static_assert((int)KMQTT_ACL_ACCESS_WRITE == KMQTT_ACL_WRITE);
	static_assert((int)KMQTT_ACL_SUBSTITUTE_LEVEL == KMQTT_ACL_SUBST_LEVEL);
	static_assert((int)KMQTT_ACL_SUBSTITUTE_NONE == KMQTT_ACL_SUBST_NONE);

	if (!req->attrs[KMQTT_A_ACL_ALLOW])
		return ERR_PTR(kmqtt_nl_acl_fail(req, NULL,
						 "a rule must say whether it allows",
						 -EINVAL));
	err = kmqtt_nl_acl_check_subject(req, subject) ?: kmqtt_nl_acl_filter(req, &filter);
	if (err)
		return ERR_PTR(err);
	if (access && !nla_get_u32(access))
		return ERR_PTR(kmqtt_nl_acl_fail(req, access, "neither read nor write",
						 -EINVAL));

	rule = kzalloc(struct_size(rule, filter, filter.len), GFP_KERNEL_ACCOUNT);
	if (!rule)
		return ERR_PTR(-ENOMEM);
	rule->subject = subject;
	rule->access = access ? nla_get_u32(access) : KMQTT_ACL_READ | KMQTT_ACL_WRITE;
	rule->allow = nla_get_u8(req->attrs[KMQTT_A_ACL_ALLOW]);
	rule->subst = subst ? nla_get_u32(subst) : KMQTT_ACL_SUBST_LEVEL;
	rule->filter_len = filter.len;
	memcpy(rule->filter, filter.data, filter.len);
	err = kmqtt_nl_acl_set_subject(req, rule);
	if (err) {
		kmqtt_acl_rule_free(rule);
		return ERR_PTR(err);
	}
	return rule;
}

static int kmqtt_nl_acl_add(struct kmqtt_net *kn, struct kmqtt_acl_rule *rule,
			    u32 before, u32 *id)
{
	int err;

	mutex_lock(&kn->change_lock);
	err = kmqtt_acl_add(&kn->broker.acl, rule, before);
	if (!err) {
		*id = rule->id;
		atomic_inc(&kmqtt_nl_acl_generation);
	}
	mutex_unlock(&kn->change_lock);
	return err;
}

int kmqtt_nl_acl_new_doit(struct sk_buff *skb, struct genl_info *info)
{
	const struct kmqtt_nl_acl_request req = {
		.info = info,
		.attrs = info->attrs,
		.user_ns = kmqtt_nl_user_ns(skb),
	};
	struct nlattr *before = info->attrs[KMQTT_A_ACL_BEFORE];
	struct kmqtt_acl_rule *rule;
	struct sk_buff *msg;
	void *head;
	u32 id = 0;
	int err;

	rule = kmqtt_nl_acl_rule(&req);
	if (IS_ERR(rule))
		return PTR_ERR(rule);
	/* what may fail comes before the rule is in force */
	msg = kmqtt_nl_reply_new(info, nla_total_size(sizeof(u32)), &head);
	err = msg ? kmqtt_nl_acl_add(kmqtt_nl_kn(info), rule, before ? nla_get_u32(before) : 0,
				     &id) : -ENOMEM;
	if (err) {
		kmqtt_acl_rule_free(rule);
		nlmsg_free(msg);
		if (err == -ENOENT)
			kmqtt_nl_fail(info->extack, before, "no rule of that number", err);
		if (err == -ENOSPC)
			kmqtt_nl_fail(info->extack, NULL, "too many rules", err);
		return err;
	}
	return kmqtt_nl_reply_send(info, msg, head,
				   nla_put_u32(msg, KMQTT_A_ACL_ID, id));
}

/* Return: 0; -errno, said. @rule has @count so far, either way */
static int kmqtt_nl_acl_rules(struct sk_buff *skb, struct genl_info *info,
			      struct kmqtt_acl_rule **rule, u32 *count)
{
	struct nlattr *tb[KMQTT_A_ACL_RULE_MAX + 1];
	struct kmqtt_nl_acl_request req = {
		.info = info,
		.attrs = tb,
		.user_ns = kmqtt_nl_user_ns(skb),
	};
	struct kmqtt_acl_rule *one;
	int err;

	static_assert((int)KMQTT_A_ACL_WHO == KMQTT_A_ACL_RULE_WHO);
	static_assert((int)KMQTT_A_ACL_UID == KMQTT_A_ACL_RULE_UID);
	static_assert((int)KMQTT_A_ACL_GID == KMQTT_A_ACL_RULE_GID);
	static_assert((int)KMQTT_A_ACL_NAME == KMQTT_A_ACL_RULE_NAME);
	static_assert((int)KMQTT_A_ACL_ACCESS == KMQTT_A_ACL_RULE_ACCESS);
	static_assert((int)KMQTT_A_ACL_ALLOW == KMQTT_A_ACL_RULE_ALLOW);
	static_assert((int)KMQTT_A_ACL_FILTER == KMQTT_A_ACL_RULE_FILTER);
	static_assert((int)KMQTT_A_ACL_SUBSTITUTE == KMQTT_A_ACL_RULE_SUBSTITUTE);

	while ((req.nest = kmqtt_nl_next(info, req.nest, KMQTT_A_ACL_RULE))) {
		err = nla_parse_nested(tb, KMQTT_A_ACL_RULE_MAX, req.nest,
				       kmqtt_acl_rule_nl_policy, info->extack);
		if (err)
			return err;
		one = kmqtt_nl_acl_rule(&req);
		if (IS_ERR(one))
			return PTR_ERR(one);
		rule[(*count)++] = one;
		cond_resched();
	}
	return 0;
}

static int kmqtt_nl_acl_replace(struct sk_buff *skb, struct genl_info *info,
				struct kmqtt_acl_rule **rule)
{
	u32 count = 0;
	int err;

	err = kmqtt_nl_acl_rules(skb, info, rule, &count);
	if (!err) {
		mutex_lock(&kmqtt_nl_kn(info)->change_lock);
		err = kmqtt_acl_replace(&kmqtt_nl_kn(info)->broker.acl, rule, count);
		if (!err)
			atomic_inc(&kmqtt_nl_acl_generation);
		mutex_unlock(&kmqtt_nl_kn(info)->change_lock);
	}
	while (err && count)
		kmqtt_acl_rule_free(rule[--count]);
	return err;
}

int kmqtt_nl_acl_replace_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct kmqtt_acl_rule **rule;
	struct nlattr *attr = NULL;
	u32 max = 0;
	int err;

	while ((attr = kmqtt_nl_next(info, attr, KMQTT_A_ACL_RULE)))
		max++;
	/* no rule at all would allow everything */
	if (!max)
		return kmqtt_nl_fail(info->extack, NULL,
				     "no rule: to remove all, flush them", -EINVAL);
	if (max > KMQTT_ACL_RULES_MAX)
		return kmqtt_nl_fail(info->extack, NULL, "too many rules", -ENOSPC);
	rule = kvmalloc_array(max, sizeof(*rule), GFP_KERNEL_ACCOUNT);
	if (!rule)
		return -ENOMEM;
	err = kmqtt_nl_acl_replace(skb, info, rule);
	kvfree(rule);
	return err;
}

int kmqtt_nl_acl_del_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *id = info->attrs[KMQTT_A_ACL_ID];
	int err;

	if (GENL_REQ_ATTR_CHECK(info, KMQTT_A_ACL_ID))
		return kmqtt_nl_fail(info->extack, NULL, "which rule?", -EINVAL);
	mutex_lock(&kmqtt_nl_kn(info)->change_lock);
	err = kmqtt_acl_del(&kmqtt_nl_kn(info)->broker.acl, nla_get_u32(id));
	if (!err)
		atomic_inc(&kmqtt_nl_acl_generation);
	mutex_unlock(&kmqtt_nl_kn(info)->change_lock);
	if (err == -ENOENT)
		kmqtt_nl_fail(info->extack, id, "no rule of that number", err);
	return err;
}

int kmqtt_nl_acl_flush_doit(struct sk_buff *skb, struct genl_info *info)
{
	int err = kmqtt_nl_no_attrs(info->nlhdr, info->extack);

	if (err)
		return err;
	mutex_lock(&kmqtt_nl_kn(info)->change_lock);
	kmqtt_acl_flush(&kmqtt_nl_kn(info)->broker.acl);
	atomic_inc(&kmqtt_nl_acl_generation);
	mutex_unlock(&kmqtt_nl_kn(info)->change_lock);
	return 0;
}

static int kmqtt_nl_put_rule(struct sk_buff *skb, struct user_namespace *user_ns,
			     const struct kmqtt_acl_rule *rule)
{
	int err = nla_put_u32(skb, KMQTT_A_ACL_ID, rule->id) ?:
		  nla_put_u32(skb, KMQTT_A_ACL_WHO, rule->subject) ?:
		  nla_put_u32(skb, KMQTT_A_ACL_ACCESS, rule->access) ?:
		  nla_put_u8(skb, KMQTT_A_ACL_ALLOW, rule->allow) ?:
		  kmqtt_nl_put_str(skb, KMQTT_A_ACL_NAME, rule->name) ?:
		  kmqtt_nl_put_text(skb, KMQTT_A_ACL_FILTER, rule->filter,
				    rule->filter_len);

	if (!err && rule->subst != KMQTT_ACL_SUBST_LEVEL)
		err = nla_put_u32(skb, KMQTT_A_ACL_SUBSTITUTE, rule->subst);
	if (!err && rule->subject == KMQTT_ACL_UID)
		err = nla_put_u32(skb, KMQTT_A_ACL_UID,
				  from_kuid_munged(user_ns, rule->uid));
	if (!err && rule->subject == KMQTT_ACL_GID)
		err = nla_put_u32(skb, KMQTT_A_ACL_GID,
				  from_kgid_munged(user_ns, rule->gid));
	return err;
}

static int kmqtt_nl_dump_rule(void *arg, const struct kmqtt_acl_rule *rule)
{
	struct kmqtt_nl_acl_walk *walk = arg;
	size_t need = rule->filter_len + (rule->name ? strlen(rule->name) : 0);
	struct user_namespace *user_ns = kmqtt_nl_user_ns(walk->cb->skb);
	void *head;

	head = kmqtt_nl_dump_begin(walk->skb, walk->cb, need);
	if (!head)
		return 1;
	walk->err = kmqtt_nl_dump_end(walk->skb, walk->cb, head,
				      kmqtt_nl_put_rule(walk->skb, user_ns, rule));
	return walk->err;
}

int kmqtt_nl_acl_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct kmqtt_nl_acl_walk walk = { .skb = skb, .cb = cb };
	struct kmqtt_acl *acl = &kmqtt_nl_dump_kn(cb)->broker.acl;
	struct kmqtt_nl_acl_ctx *ctx = (void *)cb->ctx;
	int err = kmqtt_nl_no_attrs(cb->nlh, cb->extack);

	if (err)
		return err;
	cb->seq = atomic_read(&kmqtt_nl_acl_generation);
	ctx->index = kmqtt_acl_walk(acl, ctx->index, kmqtt_nl_dump_rule, &walk);
	return skb->len ?: walk.err;
}

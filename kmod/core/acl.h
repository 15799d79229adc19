/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Permission: who may publish and subscribe to what.
 *
 * Rules are an ordered list, replaced as a whole under RCU. The first rule
 * whose subject and filter match decides. Without any rule all is allowed;
 * with rules and no match the answer is acl_default. Rules about user names and
 * client identifiers are found by these: thousands of other users' cost nothing.
 */
#ifndef KMQTT_CORE_ACL_H
#define KMQTT_CORE_ACL_H

#include <linux/cred.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/types.h>
#include <linux/uidgid.h>

struct cgroup;

/* rules of a switch */
#define KMQTT_ACL_RULES_MAX	65536

#define KMQTT_ACL_READ		0x1	/* subscribe to it and be sent it */
#define KMQTT_ACL_WRITE		0x2	/* publish it */

/**
 * enum kmqtt_acl_subject - whom a rule is about
 * @KMQTT_ACL_ANY:	everyone
 * @KMQTT_ACL_UID:	local processes of a user
 * @KMQTT_ACL_GID:	local processes in a group, supplementary ones too
 * @KMQTT_ACL_CGROUP:	local processes in a cgroup (v2) or below it
 * @KMQTT_ACL_USER:	clients with this MQTT user name
 * @KMQTT_ACL_CLIENT:	sessions with this name (client identifier)
 * @KMQTT_ACL_ANONYMOUS: remote clients that gave no user name, or an empty one
 * @KMQTT_ACL_REMOTE:	remote clients
 * @KMQTT_ACL_WILDCARD:	remote clients whose user name or client identifier has a
 *			`+` or `#`
 */
enum kmqtt_acl_subject {
	KMQTT_ACL_ANY = 0,
	KMQTT_ACL_UID = 1,
	KMQTT_ACL_GID = 2,
	KMQTT_ACL_CGROUP = 3,
	KMQTT_ACL_USER = 4,
	KMQTT_ACL_CLIENT = 5,
	KMQTT_ACL_ANONYMOUS = 6,
	KMQTT_ACL_REMOTE = 7,
	KMQTT_ACL_WILDCARD = 8,
};

/**
 * enum kmqtt_acl_subst - where in a filter `%c` and `%u` stand for names
 * @KMQTT_ACL_SUBST_LEVEL: as a whole level; a name that is empty or has a `/`, `+`
 *			or `#` matches nothing there
 * @KMQTT_ACL_SUBST_TEXT: anywhere, as in Mosquitto; a name may be several levels,
 *			and one that has a `+` or `#` matches nothing
 * @KMQTT_ACL_SUBST_NONE: nowhere
 */
enum kmqtt_acl_subst {
	KMQTT_ACL_SUBST_LEVEL = 0,
	KMQTT_ACL_SUBST_TEXT = 1,
	KMQTT_ACL_SUBST_NONE = 2,
};

/**
 * struct kmqtt_identity - who a session is; constant while it is attached
 * @refs:	the session's, its wills' and who publishes by it, from
 *		kmqtt_session_open() on
 * @cred:	opener's credentials, reference held; NULL for a remote client
 * @cgroup:	opener's cgroup (v2), reference held, or NULL
 * @user:	MQTT user name, NUL terminated, or NULL
 * @client_id:	session's name, NUL terminated
 * @trusted:	an uplink: rules do not apply to it
 * @rcu:	a session's is freed a grace period after its last reference is dropped
 */
struct kmqtt_identity {
	refcount_t refs;
	const struct cred *cred;
	struct cgroup *cgroup;
	const char *user;
	const char *client_id;
	bool trusted;
	struct rcu_head rcu;
};

/** kmqtt_identity_init_current() - of the calling process; takes references */
void kmqtt_identity_init_current(struct kmqtt_identity *id);

/** kmqtt_identity_size() - bytes of a copy by kmqtt_identity_copy() */
size_t kmqtt_identity_size(const struct kmqtt_identity *id);

/**
 * kmqtt_identity_copy() - for who outlives the session
 *
 * With one reference, and names of its own; to be freed by kmqtt_identity_free()
 * or kmqtt_identity_put(). Process context, may sleep. Return: it or NULL.
 */
struct kmqtt_identity *kmqtt_identity_copy(const struct kmqtt_identity *id);

/** kmqtt_identity_same() - do all rules say the same of both? (atomic) */
bool kmqtt_identity_same(const struct kmqtt_identity *a, const struct kmqtt_identity *b);

/** kmqtt_identity_release() - drop the references (atomic); does not free @id */
void kmqtt_identity_release(struct kmqtt_identity *id);

/** kmqtt_identity_free() - drop its references, and free one from kmalloc (atomic) */
void kmqtt_identity_free(struct kmqtt_identity *id);

/** kmqtt_identity_put() - drop a reference to it (atomic) */
void kmqtt_identity_put(struct kmqtt_identity *id);

/**
 * struct kmqtt_acl_rule - one rule
 * @id:		number, given by kmqtt_acl_add(); for del
 * @subject:	&enum kmqtt_acl_subject
 * @access:	KMQTT_ACL_READ | KMQTT_ACL_WRITE: what it is about
 * @allow:	allow or deny it
 * @subst:	&enum kmqtt_acl_subst
 * @uses:	which names its filter asks for, private
 * @uid:	for KMQTT_ACL_UID
 * @gid:	for KMQTT_ACL_GID
 * @cgroup:	for KMQTT_ACL_CGROUP; the rule owns a reference
 * @name:	user name, client identifier, or the cgroup's path, to show; NUL
 *		terminated, owned by the rule, or NULL
 * @filter_len:	bytes of @filter; 0: all topics, those that begin with `$` too
 * @filter:	a valid topic filter, not a shared one; `%c` and `%u` stand for the
 *		session's name and user name, where @subst says so
 */
struct kmqtt_acl_rule {
	u32 id;
	u8 subject;
	u8 access;
	bool allow;
	u8 subst;
	u8 uses;
	kuid_t uid;
	kgid_t gid;
	struct cgroup *cgroup;
	char *name;
	u32 filter_len;
	u8 filter[];
};

struct kmqtt_acl_table;

/**
 * struct kmqtt_acl - a switch's rules
 * @table:	RCU; NULL: no rules
 * @lock:	writers
 * @next_id:	under @lock
 * @generation:	changes so far, each counted when nobody goes by what was before any more
 * @default_allow: what holds when there are rules and none matches
 */
struct kmqtt_acl {
	struct kmqtt_acl_table __rcu *table;
	struct mutex lock; /* writers */
	u32 next_id;
	atomic_t generation;
	bool default_allow;
};

/** kmqtt_acl_empty() - there is no rule: all is allowed to who is let in. Any context */
static inline bool kmqtt_acl_empty(const struct kmqtt_acl *acl)
{
	return !rcu_access_pointer(acl->table);
}

/** kmqtt_acl_init() - no rules */
void kmqtt_acl_init(struct kmqtt_acl *acl);

/** kmqtt_acl_destroy() - frees all rules; nobody checks any more. May sleep */
void kmqtt_acl_destroy(struct kmqtt_acl *acl);

/** kmqtt_acl_check_rules() - kmqtt_acl_check() where there are rules */
bool kmqtt_acl_check_rules(struct kmqtt_acl *acl, const struct kmqtt_identity *who,
			   u8 access, const u8 *topic, u32 len);

/**
 * kmqtt_acl_check() - may this session do that with this topic name?
 * @acl:	rules
 * @who:	session's identity
 * @access:	KMQTT_ACL_READ or KMQTT_ACL_WRITE
 * @topic:	a topic name
 * @len:	its bytes
 *
 * Any context, takes no lock; one test if there are no rules.
 * Return: true if it may.
 */
static inline bool kmqtt_acl_check(struct kmqtt_acl *acl,
				   const struct kmqtt_identity *who, u8 access,
				   const u8 *topic, u32 len)
{
	if (likely(!rcu_access_pointer(acl->table)) || who->trusted)
		return true;
	return kmqtt_acl_check_rules(acl, who, access, topic, len);
}

/**
 * kmqtt_acl_check_filter() - may this session subscribe to this filter?
 * @acl:	rules
 * @who:	session's identity
 * @filter:	a valid topic filter; of `$share/NAME/FILTER` only FILTER counts
 * @len:	its bytes
 *
 * Denied if a deny rule that comes first covers the whole filter, or if
 * nothing allows any topic of it; what is denied inside an allowed filter is
 * held back on delivery by kmqtt_acl_check(). Any context, takes no lock.
 * Return: true if it may.
 */
bool kmqtt_acl_check_filter(struct kmqtt_acl *acl,
			    const struct kmqtt_identity *who, const u8 *filter,
			    u32 len);

/**
 * kmqtt_acl_add() - append a rule, or put it before rule @before
 * @acl:	rules
 * @rule:	from kmalloc, owned by the table on success
 * @before:	id of a rule, 0: at the end
 *
 * Process context, waits for a grace period.
 * Return: 0, -ENOMEM, -ENOENT, -ENOSPC over KMQTT_ACL_RULES_MAX.
 */
int kmqtt_acl_add(struct kmqtt_acl *acl, struct kmqtt_acl_rule *rule, u32 before);

/**
 * kmqtt_acl_del() - remove the rule with this id
 *
 * Process context, waits for a grace period.
 * Return: 0, -ENOENT, -ENOMEM (nothing changed).
 */
int kmqtt_acl_del(struct kmqtt_acl *acl, u32 id);

/**
 * kmqtt_acl_replace() - these rules and no others, or nothing at all
 * @acl:	rules
 * @rule:	they, in order, each from kmalloc, owned by the table on success
 * @count:	how many, at least one
 *
 * Process context, waits for a grace period.
 * Return: 0, -ENOMEM, -ENOSPC over KMQTT_ACL_RULES_MAX.
 */
int kmqtt_acl_replace(struct kmqtt_acl *acl, struct kmqtt_acl_rule **rule, u32 count);

/** kmqtt_acl_set_default() - when no rule matches. Process context, waits for a grace period */
void kmqtt_acl_set_default(struct kmqtt_acl *acl, bool allow);

/** kmqtt_acl_flush() - remove all. Process context, waits for a grace period */
void kmqtt_acl_flush(struct kmqtt_acl *acl);

/**
 * kmqtt_acl_walk() - the rules in order, from the one with index @start
 *
 * @fn runs under acl->lock and returns non-zero to stop. Process context.
 * Return: the index that it stopped at; behind the last rule, @start or the
 * number of rules, whichever is more.
 */
unsigned int kmqtt_acl_walk(struct kmqtt_acl *acl, unsigned int start,
			    int (*fn)(void *ctx, const struct kmqtt_acl_rule *r),
			    void *ctx);

/** kmqtt_acl_rule_free() - a rule that no table owns */
void kmqtt_acl_rule_free(struct kmqtt_acl_rule *rule);

#endif

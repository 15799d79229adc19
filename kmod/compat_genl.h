/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Generic netlink as of 6.2, for kernels that lack the table of operations
 * split by do and dump (struct genl_split_ops), which the generated code uses.
 *
 * There struct genl_family is, for whoever includes this, a struct that has
 * the members that the generated code sets, and the kernel's own family inside;
 * registering it folds the table into the older one. Kbuild probes for it and
 * defines KMQTT_COMPAT_GENL_SPLIT.
 */
#ifndef KMQTT_COMPAT_GENL_H
#define KMQTT_COMPAT_GENL_H

#include <net/genetlink.h>

#ifndef NLA_POLICY_MAX_LEN
#define NLA_POLICY_MAX_LEN(_len) { .type = NLA_BINARY, .len = (_len) }
#endif

#ifdef KMQTT_COMPAT_GENL_SPLIT

/* commands that a family may have */
#define KMQTT_COMPAT_GENL_OPS	64

struct genl_split_ops {
	union {
		int (*doit)(struct sk_buff *skb, struct genl_info *info);
		struct {
			int (*start)(struct netlink_callback *cb);
			int (*dumpit)(struct sk_buff *skb,
				      struct netlink_callback *cb);
			int (*done)(struct netlink_callback *cb);
		};
	};
	const struct nla_policy *policy;
	unsigned int maxattr;
	u8 cmd;
	u8 flags;
	u8 validate;
};

/**
 * struct kmqtt_compat_genl_family - what the generated code believes a family is
 * @name:	as in struct genl_family, like those that follow
 * @version:	likewise
 * @netnsok:	likewise
 * @parallel_ops: likewise
 * @n_split_ops: entries in @split_ops
 * @n_mcgrps:	likewise
 * @split_ops:	the table; where a command can do and dump, the dump takes no
 *		attributes of its own, and the policy is that of do
 * @mcgrps:	likewise
 * @module:	likewise
 * @family:	the family that the kernel knows
 * @ops:	its operations
 */
struct kmqtt_compat_genl_family {
	char name[GENL_NAMSIZ];
	unsigned int version;
	u8 netnsok:1;
	u8 parallel_ops:1;
	u8 n_split_ops;
	u8 n_mcgrps;
	const struct genl_split_ops *split_ops;
	const struct genl_multicast_group *mcgrps;
	struct module *module;
	struct genl_family family;
	struct genl_ops ops[KMQTT_COMPAT_GENL_OPS];
};

/** kmqtt_compat_genl_register() - genl_register_family() with the table folded */
int kmqtt_compat_genl_register(struct kmqtt_compat_genl_family *family);

static inline int
kmqtt_compat_genl_unregister(const struct kmqtt_compat_genl_family *family)
{
	return genl_unregister_family(&family->family);
}

static inline void *
kmqtt_compat_genlmsg_put(struct sk_buff *skb, u32 portid, u32 seq,
			 const struct kmqtt_compat_genl_family *family,
			 int flags, u8 cmd)
{
	return genlmsg_put(skb, portid, seq, &family->family, flags, cmd);
}

static inline int
kmqtt_compat_genlmsg_multicast(const struct kmqtt_compat_genl_family *family,
			       struct net *net, struct sk_buff *skb, u32 portid,
			       unsigned int group, gfp_t flags)
{
	return genlmsg_multicast_netns(&family->family, net, skb, portid, group,
				       flags);
}

static inline int
kmqtt_compat_genl_has_listeners(const struct kmqtt_compat_genl_family *family,
				struct net *net, unsigned int group)
{
	return genl_has_listeners(&family->family, net, group);
}

#define genl_family		kmqtt_compat_genl_family
#define genl_register_family	kmqtt_compat_genl_register
#define genl_unregister_family	kmqtt_compat_genl_unregister
#define genl_has_listeners	kmqtt_compat_genl_has_listeners
#define genlmsg_put		kmqtt_compat_genlmsg_put
#define genlmsg_multicast_netns	kmqtt_compat_genlmsg_multicast

/* of what genl_info_dump() gives, the attributes are there too */
#define genl_info_dump		genl_dumpit_info

/* the range of a policy was not const then */
#undef NLA_POLICY_FULL_RANGE
#define NLA_POLICY_FULL_RANGE(tp, _range) {				\
	.type = (tp),							\
	.validation_type = NLA_VALIDATE_RANGE_PTR,			\
	.range = (struct netlink_range_validation *)(_range),		\
}

#endif /* KMQTT_COMPAT_GENL_SPLIT */

#endif /* KMQTT_COMPAT_GENL_H */

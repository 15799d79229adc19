// SPDX-License-Identifier: GPL-2.0
/* Generic netlink as of 6.2 on older kernels; empty where it is not needed. */
#include "compat_genl.h"

#ifdef KMQTT_COMPAT_GENL_SPLIT

#undef genl_family
#undef genl_register_family

static struct genl_ops *kmqtt_compat_genl_op(struct genl_family *family,
					     struct genl_ops *ops, u8 cmd)
{
	unsigned int i;

	for (i = 0; i < family->n_ops; i++)
		if (ops[i].cmd == cmd)
			return &ops[i];
	if (family->n_ops == KMQTT_COMPAT_GENL_OPS)
		return NULL;
	ops[i].cmd = cmd;
	family->n_ops++;
	return &ops[i];
}

int kmqtt_compat_genl_register(struct kmqtt_compat_genl_family *family)
{
	struct genl_family *old = &family->family;
	const struct genl_split_ops *split;
	struct genl_ops *op;
	unsigned int i;

	for (i = 0; i < family->n_split_ops; i++) {
		split = &family->split_ops[i];
		op = kmqtt_compat_genl_op(old, family->ops, split->cmd);
		if (WARN_ON_ONCE(!op))
			return -E2BIG;
		if (split->flags & GENL_CMD_CAP_DO) {
			op->doit = split->doit;
		} else {
			op->start = split->start;
			op->dumpit = split->dumpit;
			op->done = split->done;
		}
		if (split->policy) {
			op->policy = split->policy;
			op->maxattr = split->maxattr;
		}
		op->flags |= split->flags &
			     ~(GENL_CMD_CAP_DO | GENL_CMD_CAP_DUMP);
		op->validate |= split->validate;
	}
	strscpy(old->name, family->name, sizeof(old->name));
	old->version = family->version;
	old->netnsok = family->netnsok;
	old->parallel_ops = family->parallel_ops;
	old->module = family->module;
	old->mcgrps = family->mcgrps;
	old->n_mcgrps = family->n_mcgrps;
	old->ops = family->ops;
	return genl_register_family(old);
}

#endif

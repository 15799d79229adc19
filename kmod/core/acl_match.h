/* SPDX-License-Identifier: GPL-2.0 */
/* Permission: is a rule about this peer, and about this topic? Any context, no locks. */
#ifndef KMQTT_CORE_ACL_MATCH_H
#define KMQTT_CORE_ACL_MATCH_H

#include "core/acl.h"
#include "proto/wire.h"

/** kmqtt_acl_prepare() - note what of @rule is looked at again and again */
void kmqtt_acl_prepare(struct kmqtt_acl_rule *rule);

/** kmqtt_acl_is_about() - is it about this peer? */
bool kmqtt_acl_is_about(const struct kmqtt_acl_rule *rule,
			const struct kmqtt_identity *who);

/**
 * kmqtt_acl_covers() - does the rule's filter match all of @path?
 * @rule:	rule, prepared
 * @who:	whose names stand for %c and %u
 * @path:	a topic name, or a topic filter without `$share`
 */
bool kmqtt_acl_covers(const struct kmqtt_acl_rule *rule,
		      const struct kmqtt_identity *who, struct kmqtt_view path);

/** kmqtt_acl_overlaps() - is there a topic name that both it and @path match? */
bool kmqtt_acl_overlaps(const struct kmqtt_acl_rule *rule,
			const struct kmqtt_identity *who, struct kmqtt_view path);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/* What the netlink commands about uplinks share. */
#ifndef KMQTT_PORT_NETLINK_UPLINK_H
#define KMQTT_PORT_NETLINK_UPLINK_H

struct genl_info;
struct nlattr;

/**
 * kmqtt_nl_uplink_fail() - refuse a request about an uplink and say why
 * @info:	the request
 * @name:	attribute with the uplink's name, which is wrong if there is none of
 *		it, or one already
 * @why:	what the uplink said, or NULL
 * @err:	negative errno
 *
 * Return: @err.
 */
int kmqtt_nl_uplink_fail(struct genl_info *info, const struct nlattr *name,
			 const char *why, int err);

#endif

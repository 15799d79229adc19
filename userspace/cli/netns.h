/* SPDX-License-Identifier: GPL-2.0 */
/* Network namespaces by name, as `ip netns` makes them. */
#ifndef KMQTT_CLI_NETNS_H
#define KMQTT_CLI_NETNS_H

/**
 * netns_enter() - the rest of the command runs in a network namespace
 * @name:	its name in /run/netns, or a path (with a slash in it)
 *
 * The files in /etc/netns/NAME stand in for those in /etc from then on, as
 * under `ip netns exec`: host names are resolved with its resolv.conf.
 *
 * Return: STATUS_OK, STATUS_USAGE (there is none), STATUS_REFUSED; reported.
 */
int netns_enter(const char *name);

#endif

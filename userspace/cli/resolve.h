/* SPDX-License-Identifier: GPL-2.0 */
/* Host names: the kernel gets addresses. */
#ifndef KMQTT_CLI_RESOLVE_H
#define KMQTT_CLI_RESOLVE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/** SERVERS_MAX - addresses that an uplink can have */
#define SERVERS_MAX	8

/** DEFAULT_PORT - of MQTT over TCP, as registered with the IANA */
#define DEFAULT_PORT	1883

/**
 * struct server - one address of a broker
 * @addr:	IPv4 or IPv6 address and port
 * @host:	what the user wrote, without the port
 */
struct server {
	struct sockaddr_storage addr;
	char host[256];
};

/**
 * servers_resolve() - the addresses of `HOST[:PORT][,HOST[:PORT]]...`
 * @list:	that
 * @servers:	out: SERVERS_MAX entries, in the order of the list and, for each
 *		host, of getaddrinfo(); when there are more, each host gets an
 *		equal share
 * @count:	out: how many
 *
 * A bare IPv6 address needs no brackets if no port follows.
 * Return: STATUS_OK, STATUS_USAGE (reported: a host that has no address too)
 */
int servers_resolve(const char *list, struct server *servers, size_t *count);

/**
 * listen_resolve() - the address of `[HOST:]PORT`, to be listened on
 * @text:	that; HOST `*` and none at all is any address, [::] for IPv4 too, or
 *		0.0.0.0 where there is no IPv6. PORT may be 0
 * @addr:	out: IPv4 or IPv6 address and port; of a name that has several, the
 *		first
 *
 * Return: STATUS_OK, STATUS_USAGE (reported)
 */
int listen_resolve(const char *text, struct sockaddr_storage *addr);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/* Host names of brokers: the kernel gets addresses. */
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
 * host_split() - `HOST`, `HOST:PORT`, `[V6]`, `[V6]:PORT` or a bare `V6`
 * @text:	that
 * @len:	its bytes
 * @host:	out: the host, at least 256 bytes
 * @port:	out: the port, DEFAULT_PORT if there is none
 *
 * Return: STATUS_OK, STATUS_USAGE (reported)
 */
int host_split(const char *text, size_t len, char *host, uint16_t *port);

/**
 * servers_resolve() - the addresses of `HOST[:PORT][,HOST[:PORT]]...`
 * @list:	that
 * @servers:	out: SERVERS_MAX entries, in the order of the list and, for each
 *		host, of getaddrinfo(); when there are more, each host gets an
 *		equal share
 * @count:	out: how many
 *
 * Return: STATUS_OK, STATUS_USAGE (reported: a host that has no address too)
 */
int servers_resolve(const char *list, struct server *servers, size_t *count);

#endif

// SPDX-License-Identifier: GPL-2.0
/* Host names to addresses. */
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "args.h"
#include "resolve.h"

static int bad_host(const char *text, size_t len, const char *why)
{
	return usage_error("host \"%.*s\": %s", (int)len, text, why);
}

/*
 * `HOST`, `HOST:PORT`, `[V6]`, `[V6]:PORT` or a bare `V6`. The host goes to @host,
 * which has room for 256 bytes; @digits is what stands for the port, or NULL.
 */
static int host_split(const char *text, size_t len, char *host, const char **digits)
{
	const char *start = text, *end = text + len, *colon;

	if (len && *text == '[') {
		start++;
		end = memchr(start, ']', len - 1);
		if (!end)
			return bad_host(text, len, "\"]\" is missing");
		colon = end + 1;
		if (colon != text + len && *colon != ':')
			return bad_host(text, len, "\":PORT\" must follow \"]\"");
	} else {
		colon = memchr(text, ':', len);
		/* more than one colon: a bare IPv6 address */
		if (colon && memchr(colon + 1, ':', text + len - colon - 1))
			colon = NULL;
		if (colon)
			end = colon;
		else
			colon = text + len;
	}
	if (start == end || end - start > 255)
		return bad_host(text, len, "a name of 1 to 255 bytes is needed");
	memcpy(host, start, end - start);
	host[end - start] = 0;
	*digits = colon == text + len ? NULL : colon + 1;
	return STATUS_OK;
}

static int port_parse(const char *text, size_t len, unsigned int min, uint16_t *port)
{
	uint64_t number;
	char digits[16];

	/* what is cut off is longer than any port all the same */
	snprintf(digits, sizeof(digits), "%.*s", (int)len, text);
	if (number_parse(digits, min, 65535, "port", &number))
		return STATUS_USAGE;
	*port = number;
	return STATUS_OK;
}

/* Return: the addresses, or NULL (reported) */
static struct addrinfo *lookup(const char *host, uint16_t port, int flags)
{
	struct addrinfo hints = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = flags,
	};
	struct addrinfo *list;
	char service[8];
	int ret;

	snprintf(service, sizeof(service), "%u", port);
	ret = getaddrinfo(host, service, &hints, &list);
	if (!ret)
		return list;
	usage_error("host \"%s\": %s", host, gai_strerror(ret));
	return NULL;
}

/* All addresses of one host, up to @room. */
static int resolve_one(const char *text, size_t len, struct server *servers,
		       size_t room, size_t *count)
{
	struct addrinfo *list, *ai;
	uint16_t port = DEFAULT_PORT;
	const char *digits;
	char host[256];

	if (host_split(text, len, host, &digits) ||
	    (digits && port_parse(digits, text + len - digits, 1, &port)))
		return STATUS_USAGE;
	list = lookup(host, port, 0);
	if (!list)
		return STATUS_USAGE;
	for (ai = list, *count = 0; ai && *count < room; ai = ai->ai_next) {
		memcpy(&servers[*count].addr, ai->ai_addr, ai->ai_addrlen);
		memcpy(servers[*count].host, host, sizeof(host));
		(*count)++;
	}
	freeaddrinfo(list);
	return STATUS_OK;
}

int servers_resolve(const char *list, struct server *servers, size_t *count)
{
	size_t hosts = 1, len, n;
	const char *p;
	int ret;

	for (p = list; *p; p++)
		hosts += *p == ',';
	if (hosts > SERVERS_MAX)
		return usage_error("more than %d hosts", SERVERS_MAX);
	for (p = list, *count = 0;; p += len + 1) {
		len = strcspn(p, ",");
		ret = resolve_one(p, len, servers + *count, SERVERS_MAX / hosts,
				  &n);
		if (ret)
			return ret;
		*count += n;
		if (!p[len])
			return STATUS_OK;
	}
}

/* Any address, of both families where there are both. */
static void any_address(uint16_t port, struct sockaddr_storage *addr)
{
	struct sockaddr_in6 *in6 = (void *)addr;
	struct sockaddr_in *in = (void *)addr;
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memset(addr, 0, sizeof(*addr));
	if (fd >= 0) {
		close(fd);
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
	} else {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
	}
}

int listen_resolve(const char *text, struct sockaddr_storage *addr)
{
	const char *digits = text;
	struct addrinfo *list;
	char host[256] = "*";
	uint16_t port;

	if (text[strspn(text, "0123456789")] &&
	    host_split(text, strlen(text), host, &digits))
		return STATUS_USAGE;
	if (!digits)
		return bad_host(text, strlen(text), "\":PORT\" is missing; an IPv6 address needs brackets");
	if (port_parse(digits, strlen(digits), 0, &port))
		return STATUS_USAGE;
	if (!strcmp(host, "*")) {
		any_address(port, addr);
		return STATUS_OK;
	}
	list = lookup(host, port, AI_PASSIVE);
	if (!list)
		return STATUS_USAGE;
	memset(addr, 0, sizeof(*addr));
	memcpy(addr, list->ai_addr, list->ai_addrlen);
	freeaddrinfo(list);
	return STATUS_OK;
}

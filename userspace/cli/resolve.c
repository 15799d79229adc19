// SPDX-License-Identifier: GPL-2.0
/* Host names to addresses. */
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "args.h"
#include "resolve.h"

static int bad_host(const char *text, size_t len, const char *why)
{
	return usage_error("host \"%.*s\": %s", (int)len, text, why);
}

int host_split(const char *text, size_t len, char *host, uint16_t *port)
{
	const char *start = text, *end = text + len, *colon;
	uint64_t number = DEFAULT_PORT;
	char digits[16] = "";

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
	if (colon != text + len) {
		/* what is cut off is longer than any port all the same */
		snprintf(digits, sizeof(digits), "%.*s",
			 (int)(text + len - colon - 1), colon + 1);
		if (number_parse(digits, 1, 65535, "port", &number))
			return STATUS_USAGE;
	}
	memcpy(host, start, end - start);
	host[end - start] = 0;
	*port = number;
	return STATUS_OK;
}

/* All addresses of one host, up to @room. */
static int resolve_one(const char *text, size_t len, struct server *servers,
		       size_t room, size_t *count)
{
	struct addrinfo hints = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
	};
	struct addrinfo *list, *ai;
	char host[256], service[8];
	uint16_t port;
	int ret;

	ret = host_split(text, len, host, &port);
	if (ret)
		return ret;
	snprintf(service, sizeof(service), "%u", port);
	ret = getaddrinfo(host, service, &hints, &list);
	if (ret)
		return usage_error("host \"%s\": %s", host, gai_strerror(ret));
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

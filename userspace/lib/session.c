// SPDX-License-Identifier: LGPL-2.1-or-later
/* Sessions: open, name, subscribe, acknowledge, count. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "internal.h"

struct kmqtt *kmqtt_open(int flags)
{
	struct kmqtt *k;

	if (flags & ~O_NONBLOCK) {
		errno = EINVAL;
		return NULL;
	}
	k = calloc(1, sizeof(*k));
	if (!k)
		return NULL;
	k->fd = open(KMQTT_DEVICE, O_RDWR | O_CLOEXEC | flags);
	if (k->fd < 0) {
		free(k);
		return NULL;
	}
	k->nonblock = flags & O_NONBLOCK;
	return k;
}

void kmqtt_close(struct kmqtt *k)
{
	if (!k)
		return;
	kmqtt_ring_close(&k->ring);
	close(k->fd);
	free(k->buf);
	free(k);
}

int kmqtt_fd(const struct kmqtt *k)
{
	return k->fd;
}

int kmqtt_session_set(struct kmqtt *k, struct kmqtt_session_conf *conf)
{
	conf->size = sizeof(*conf);
	conf->present = 0;
	if (ioctl(k->fd, KMQTT_IOC_SESSION, conf) < 0)
		return -1;
	return conf->present != 0;
}

int kmqtt_session(struct kmqtt *k, const char *name, uint32_t expiry,
		  unsigned int flags)
{
	struct kmqtt_session_conf conf = {
		.flags = flags,
		.name = (uintptr_t)name,
		.name_len = strlen(name),
		.expiry = expiry,
	};

	return kmqtt_session_set(k, &conf);
}

int kmqtt_stats(struct kmqtt *k, struct kmqtt_file_stats *stats)
{
	memset(stats, 0, sizeof(*stats));
	stats->size = sizeof(*stats);
	return ioctl(k->fd, KMQTT_IOC_STATS, stats);
}

int kmqtt_info(struct kmqtt *k, struct kmqtt_info *info)
{
	memset(info, 0, sizeof(*info));
	info->size = sizeof(*info);
	return ioctl(k->fd, KMQTT_IOC_INFO, info);
}

int kmqtt_subscribe_set(struct kmqtt *k, const char *filter,
			struct kmqtt_subscription *sub)
{
	sub->size = sizeof(*sub);
	sub->filter = (uintptr_t)filter;
	sub->filter_len = strlen(filter);
	return ioctl(k->fd, KMQTT_IOC_SUBSCRIBE, sub);
}

int kmqtt_subscribe(struct kmqtt *k, const char *filter, unsigned int qos)
{
	struct kmqtt_subscription sub = { 0 };

	if (qos > 2) {
		errno = EINVAL;
		return -1;
	}
	sub.qos = qos;
	return kmqtt_subscribe_set(k, filter, &sub);
}

int kmqtt_unsubscribe(struct kmqtt *k, const char *filter)
{
	struct kmqtt_subscription sub = {
		.size = sizeof(sub),
		.filter = (uintptr_t)filter,
		.filter_len = strlen(filter),
	};

	return ioctl(k->fd, KMQTT_IOC_UNSUBSCRIBE, &sub);
}

static int ack(struct kmqtt *k, uint64_t id, unsigned int flags)
{
	struct kmqtt_ack a = {
		.size = sizeof(a),
		.flags = flags,
		.id = id,
	};

	return ioctl(k->fd, KMQTT_IOC_ACK, &a);
}

int kmqtt_ack(struct kmqtt *k, uint64_t id)
{
	return ack(k, id, 0);
}

int kmqtt_ack_up_to(struct kmqtt *k, uint64_t id)
{
	return ack(k, id, KMQTT_ACK_UP_TO);
}

// SPDX-License-Identifier: LGPL-2.1-or-later
/* What the device's errors mean: the texts of <linux/kmqtt.h>. */
#include <errno.h>
#include <string.h>

#include "internal.h"

static const struct {
	int err;
	const char *text;
} meanings[] = {
	{ EACCES, "an access rule or the device's permissions forbid this" },
	{ EAGAIN, "nothing to read, or a subscriber's queue is full" },
	{ EBADMSG, "the ring's consumer position made no sense; the ring is dead" },
	{ EBUSY, "the ring or the session's name is set already" },
	{ EILSEQ, "not valid as a topic, a topic filter or MQTT's UTF-8" },
	{ EINVAL, "a flag, a length or a property that makes no sense" },
	{ EMSGSIZE, "the message is larger than the buffer, or than max_packet_size" },
	{ ENOBUFS, "the switch's memory_limit is reached" },
	{ ENODEV, "the kmqtt module is not loaded" },
	{ ENOENT, "no such subscription or delivery, or the kmqtt module is not loaded" },
	{ ENOLINK, "no uplink carries this topic" },
	{ ENOSPC, "too many subscriptions" },
	{ ENXIO, "the kmqtt module is not loaded" },
	{ EOPNOTSUPP, "this machine cannot have a ring" },
	{ EPROTO, "the uplink's broker refused the message" },
	{ ESHUTDOWN, "the session was taken over by another process, or killed" },
	{ ETIMEDOUT, "not acknowledged in time; it stays queued" },
};

const char *kmqtt_strerror(int err)
{
	size_t i;

	for (i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
		if (meanings[i].err == err)
			return meanings[i].text;
	return strerror(err);
}

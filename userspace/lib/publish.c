// SPDX-License-Identifier: LGPL-2.1-or-later
/* Publishing. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "internal.h"

/* Longest payload that can be in a record: len is 32 bits wide. */
#define PAYLOAD_MAX	0x7fffffff

/* Fills in the head of a record: 0, or -1 with errno. */
static int record_head(struct kmqtt_record *rec,
		       const struct kmqtt_publication *pub)
{
	size_t topic_len = strlen(pub->topic);
	size_t props_len = pub->props ? pub->props->len : 0;

	if (topic_len > UINT16_MAX || pub->qos > 2 || pub->flags > UINT16_MAX) {
		errno = EINVAL;
		return -1;
	}
	if (pub->payload_len > PAYLOAD_MAX) {
		errno = EMSGSIZE;
		return -1;
	}
	memset(rec, 0, sizeof(*rec));
	rec->len = KMQTT_REC_SIZE(topic_len, props_len, pub->payload_len);
	rec->type = KMQTT_REC_MESSAGE;
	rec->flags = pub->flags;
	rec->topic_len = topic_len;
	rec->qos = pub->qos;
	rec->props_len = props_len;
	rec->payload_len = pub->payload_len;
	rec->expiry = pub->props ? pub->props->expiry : 0;
	return 0;
}

ssize_t kmqtt_record_put(void *buf, size_t size,
			 const struct kmqtt_publication *pub)
{
	struct kmqtt_record rec;
	unsigned char *p = buf;

	if (record_head(&rec, pub) < 0)
		return -1;
	if (rec.len > size)
		return rec.len;
	memcpy(p, &rec, sizeof(rec));
	p += sizeof(rec);
	memcpy(p, pub->topic, rec.topic_len + 1U);
	p += rec.topic_len + 1U;
	if (rec.props_len)
		memcpy(p, pub->props->data, rec.props_len);
	p += rec.props_len;
	if (rec.payload_len)
		memcpy(p, pub->payload, rec.payload_len);
	p += rec.payload_len;
	memset(p, 0, (unsigned char *)buf + rec.len - p);
	return rec.len;
}

int kmqtt_publish_set(struct kmqtt *k, const struct kmqtt_publication *pub)
{
	static const char padding[8];
	struct kmqtt_record rec;
	struct iovec iov[5];
	size_t used;

	if (record_head(&rec, pub) < 0)
		return -1;
	iov[0].iov_base = &rec;
	iov[0].iov_len = sizeof(rec);
	iov[1].iov_base = (void *)(uintptr_t)pub->topic;
	iov[1].iov_len = rec.topic_len + 1U;
	iov[2].iov_base = rec.props_len ? pub->props->data : NULL;
	iov[2].iov_len = rec.props_len;
	iov[3].iov_base = (void *)(uintptr_t)pub->payload;
	iov[3].iov_len = rec.payload_len;
	used = sizeof(rec) + rec.topic_len + 1U + rec.props_len +
	       rec.payload_len;
	iov[4].iov_base = (void *)(uintptr_t)padding;
	iov[4].iov_len = rec.len - used;
	return writev(k->fd, iov, 5) < 0 ? -1 : 0;
}

int kmqtt_publish(struct kmqtt *k, const char *topic, const void *payload,
		  size_t payload_len, unsigned int qos)
{
	struct kmqtt_publication pub = {
		.topic = topic,
		.payload = payload,
		.payload_len = payload_len,
		.qos = qos,
	};

	return kmqtt_publish_set(k, &pub);
}

int kmqtt_publish_wait(struct kmqtt *k, const struct kmqtt_publication *pub,
		       unsigned int timeout_ms, unsigned int *reason)
{
	struct kmqtt_publish_wait req = {
		.size = sizeof(req),
		.timeout_ms = timeout_ms,
	};
	ssize_t len = kmqtt_record_put(NULL, 0, pub);
	void *buf;
	int ret, err;

	if (len < 0)
		return -1;
	buf = malloc(len);
	if (!buf)
		return -1;
	kmqtt_record_put(buf, len, pub);
	req.record = (uintptr_t)buf;
	req.len = len;
	ret = ioctl(k->fd, KMQTT_IOC_PUBLISH, &req);
	err = errno;
	free(buf);
	errno = err;
	if (reason)
		*reason = req.reason;
	return ret < 0 ? -1 : 0;
}

int kmqtt_reply(struct kmqtt *k, const struct kmqtt_message *request,
		const void *payload, size_t payload_len)
{
	struct kmqtt_publication pub = {
		.payload = payload,
		.payload_len = payload_len,
		.qos = request->qos,
	};
	struct kmqtt_prop_view to, data;
	struct kmqtt_props *props;
	char *topic;
	int ret = -1, err;

	if (!kmqtt_message_prop(request, KMQTT_PROP_RESPONSE_TOPIC, &to)) {
		errno = EINVAL;
		return -1;
	}
	topic = strndup(to.data, to.len);
	props = kmqtt_props_new();
	pub.topic = topic;
	pub.props = props;
	if (!topic || !props)
		goto out;
	if (kmqtt_message_prop(request, KMQTT_PROP_CORRELATION_DATA, &data) &&
	    kmqtt_props_string(props, KMQTT_PROP_CORRELATION_DATA, data.data,
			       data.len) < 0)
		goto out;
	ret = kmqtt_publish_set(k, &pub);
out:
	err = errno;
	kmqtt_props_free(props);
	free(topic);
	errno = err;
	return ret;
}

int kmqtt_sync(struct kmqtt *k)
{
	return fsync(k->fd);
}

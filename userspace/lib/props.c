// SPDX-License-Identifier: LGPL-2.1-or-later
/* Properties of messages to publish (MQTT 5.0, 3.3.2.3). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

struct kmqtt_props *kmqtt_props_new(void)
{
	return calloc(1, sizeof(struct kmqtt_props));
}

void kmqtt_props_free(struct kmqtt_props *props)
{
	if (!props)
		return;
	free(props->data);
	free(props);
}

static int error(int err)
{
	errno = err;
	return -1;
}

/* Room for len more bytes: where they go, or NULL. */
static unsigned char *props_room(struct kmqtt_props *props, size_t len)
{
	if (props->size - props->len < len) {
		size_t size = (props->len + len) * 2;
		unsigned char *data = realloc(props->data, size);

		if (!data)
			return NULL;
		props->data = data;
		props->size = size;
	}
	return props->data + props->len;
}

static int props_has(const struct kmqtt_props *props, enum kmqtt_prop id)
{
	struct kmqtt_message msg = {
		.props = props->data,
		.props_len = props->len,
	};
	struct kmqtt_prop_view view;

	return kmqtt_message_prop(&msg, id, &view);
}

static unsigned char *put_string(unsigned char *p, const void *data, size_t len)
{
	*p++ = len >> 8;
	*p++ = len & 0xff;
	if (len)
		memcpy(p, data, len);
	return p + len;
}

int kmqtt_props_string(struct kmqtt_props *props, enum kmqtt_prop id,
		       const void *data, size_t len)
{
	unsigned char *p;

	if (len > UINT16_MAX ||
	    (id != KMQTT_PROP_CONTENT_TYPE && id != KMQTT_PROP_RESPONSE_TOPIC &&
	     id != KMQTT_PROP_CORRELATION_DATA))
		return error(EINVAL);
	if (props_has(props, id))
		return error(EEXIST);
	p = props_room(props, 3 + len);
	if (!p)
		return -1;
	*p++ = id;
	p = put_string(p, data, len);
	props->len = p - props->data;
	return 0;
}

int kmqtt_props_user(struct kmqtt_props *props, const char *name,
		     const char *value)
{
	size_t name_len = strlen(name), value_len = strlen(value);
	unsigned char *p;

	if (name_len > UINT16_MAX || value_len > UINT16_MAX)
		return error(EINVAL);
	p = props_room(props, 5 + name_len + value_len);
	if (!p)
		return -1;
	*p++ = KMQTT_PROP_USER;
	p = put_string(p, name, name_len);
	p = put_string(p, value, value_len);
	props->len = p - props->data;
	return 0;
}

int kmqtt_props_format(struct kmqtt_props *props, unsigned int utf8)
{
	unsigned char *p;

	if (utf8 > 1)
		return error(EINVAL);
	if (props_has(props, KMQTT_PROP_PAYLOAD_FORMAT))
		return error(EEXIST);
	p = props_room(props, 2);
	if (!p)
		return -1;
	*p++ = KMQTT_PROP_PAYLOAD_FORMAT;
	*p++ = utf8;
	props->len += 2;
	return 0;
}

void kmqtt_props_expiry(struct kmqtt_props *props, uint32_t seconds)
{
	props->expiry = seconds;
}

// SPDX-License-Identifier: GPL-2.0
/* Records of /dev/kmqtt: the way in and the way out. */
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "compat.h"
#include "core/copy.h"
#include "port/record.h"
#include "proto/props.h"
#include "proto/topic.h"
#include "proto/wire.h"

/* what is copied of a record at first: mostly this is all of it */
#define KMQTT_RECORD_FIRST	256

/* what a record that is written may have as properties; the rest it says itself */
#define KMQTT_RECORD_PROPS	(KMQTT_PROP_BIT(KMQTT_PROP_PAYLOAD_FORMAT) |	\
				 KMQTT_PROP_BIT(KMQTT_PROP_CONTENT_TYPE) |	\
				 KMQTT_PROP_BIT(KMQTT_PROP_RESPONSE_TOPIC) |	\
				 KMQTT_PROP_BIT(KMQTT_PROP_CORRELATION_DATA) |	\
				 KMQTT_PROP_BIT(KMQTT_PROP_USER_PROPERTY))

/**
 * struct kmqtt_record_start - the first bytes of a record, as they were copied
 * @head:	its head
 * @text:	topic, NUL, properties, payload, as far as there was room
 */
struct kmqtt_record_start {
	struct kmqtt_record head;
	u8 text[KMQTT_RECORD_FIRST - sizeof(struct kmqtt_record)];
};

/* The head alone. @left: bytes from where it begins to the end of the write */
static int kmqtt_record_check(const struct kmqtt_record *head, size_t left,
			      u32 max_packet_size)
{
	u64 text = (u64)head->topic_len + 1 + head->props_len + head->payload_len;

	if (head->type != KMQTT_REC_MESSAGE || head->flags & ~KMQTT_REC_RETAIN ||
	    head->qos > 2 || head->reserved || head->reserved2 ||
	    head->sub_id || head->id || head->time_ns)
		return -EINVAL;
	if (head->len > left ||
	    head->len != ALIGN(sizeof(*head) + text, (u64)KMQTT_RECORD_ALIGN))
		return -EINVAL;
	/* Before anything is allocated for it; the message is asked exactly. */
	if (head->props_len > max_packet_size ||
	    head->payload_len > max_packet_size)
		return -EMSGSIZE;
	return 0;
}

/* Topic name and properties, which @text has without a gap. */
static int kmqtt_record_check_text(const struct kmqtt_record *head, const u8 *text,
				   struct kmqtt_view known)
{
	struct kmqtt_view topic = { text, head->topic_len };
	struct kmqtt_view block = { text + head->topic_len + 1, head->props_len };
	struct kmqtt_props props;

	if (text[head->topic_len])
		return -EINVAL;
	if (!(known.len && kmqtt_view_equal(topic, known)) &&
	    !kmqtt_topic_name_valid(text, head->topic_len))
		return -EILSEQ;
	if (!head->props_len)
		return 0;
	if (kmqtt_props_parse(block, KMQTT_PUBLISH, &props) ||
	    props.present & ~KMQTT_RECORD_PROPS)
		return -EINVAL;
	return 0;
}

/* A message without its payload, of a head and a text that were copied. */
static struct kmqtt_msg *kmqtt_record_msg(struct kmqtt_session *session,
					  const struct kmqtt_record *head,
					  const u8 *text, struct kmqtt_view known)
{
	struct kmqtt_msg_desc desc = {
		.topic = text,
		.topic_len = head->topic_len,
		.props = text + head->topic_len + 1,
		.props_len = head->props_len,
		.payload_len = head->payload_len,
		.expiry = head->expiry,
		.qos = head->qos,
		.retain = head->flags & KMQTT_REC_RETAIN,
	};
	int err = kmqtt_record_check_text(head, text, known);

	if (err)
		return ERR_PTR(err);
	return kmqtt_msg_alloc(session->broker, &desc,
			       READ_ONCE(session->memcg) ? GFP_KERNEL_ACCOUNT : GFP_KERNEL);
}

/*
 * A record that is longer than what was copied at first: topic and properties
 * go through memory of their own, the payload goes where it stays. @from
 * stands behind the head.
 */
static struct kmqtt_msg *kmqtt_record_read_long(struct kmqtt_session *session,
						const struct kmqtt_record *head,
						struct iov_iter *from)
{
	size_t text_len = (size_t)head->topic_len + 1 + head->props_len;
	size_t used = sizeof(*head) + text_len + head->payload_len;
	struct kmqtt_msg *msg;
	u8 *text;

	text = kvmalloc(text_len, GFP_KERNEL_ACCOUNT);
	if (!text)
		return ERR_PTR(-ENOMEM);
	if (copy_from_iter_full(text, text_len, from))
		msg = kmqtt_record_msg(session, head, text, KMQTT_VIEW_NONE);
	else
		msg = ERR_PTR(-EFAULT);
	kvfree(text);
	if (IS_ERR(msg))
		return msg;
	if (!copy_from_iter_full(kmqtt_msg_payload(msg), head->payload_len, from)) {
		kmqtt_msg_put(msg);
		return ERR_PTR(-EFAULT);
	}
	iov_iter_advance(from, head->len - used);
	return msg;
}

struct kmqtt_msg *kmqtt_record_read(struct kmqtt_session *session, struct kmqtt_view known,
				    struct iov_iter *from)
{
	size_t left = iov_iter_count(from);
	struct kmqtt_record_start start __uninitialized;
	struct kmqtt_msg *msg;
	size_t got;
	int err;

	if (left < sizeof(start.head))
		return ERR_PTR(-EINVAL);
	got = copy_from_iter(&start, min(left, sizeof(start)), from);
	if (got < sizeof(start.head))
		return ERR_PTR(-EFAULT);
	err = kmqtt_record_check(&start.head, left,
				 READ_ONCE(session->broker->limits.max_packet_size));
	if (err)
		return ERR_PTR(err);
	if (start.head.len > got) {
		iov_iter_revert(from, got - sizeof(start.head));
		return kmqtt_record_read_long(session, &start.head, from);
	}
	iov_iter_revert(from, got - start.head.len);
	msg = kmqtt_record_msg(session, &start.head, start.text, known);
	if (!IS_ERR(msg))
		kmqtt_copy(kmqtt_msg_payload(msg), start.text + start.head.topic_len +
			   1 + start.head.props_len, start.head.payload_len);
	return msg;
}

static bool kmqtt_record_put(const void *from, size_t len, struct iov_iter *to)
{
	return copy_to_iter(from, len, to) == len;
}

/* Bytes of the subscription identifiers that the head has no place for. */
static u32 kmqtt_record_ids_len(const struct kmqtt_sub_ids *ids)
{
	u32 len = 0;
	u32 i;

	for (i = 1; ids && i < ids->count; i++)
		len += 1 + kmqtt_varint_size(ids->id[i]);
	return len;
}

/* They go behind the message's own properties (MQTT 5.0, 3.3.2.3.8). */
static bool kmqtt_record_write_ids(const struct kmqtt_sub_ids *ids,
				   struct iov_iter *to)
{
	u8 prop[1 + 4];
	u32 len;
	u32 i;

	for (i = 1; i < ids->count; i++) {
		prop[0] = KMQTT_PROP_SUBSCRIPTION_ID;
		len = kmqtt_varint_encode(prop + 1, ids->id[i]) - prop;
		if (!kmqtt_record_put(prop, len, to))
			return false;
	}
	return true;
}

/* A record that is short and all in one piece is put by one copy. */
static bool kmqtt_record_write_short(const struct kmqtt_record *head,
				     const struct kmqtt_msg *msg, size_t text_len,
				     struct iov_iter *to)
{
	struct kmqtt_record_start start __uninitialized;

	start.head = *head;
	kmqtt_copy(start.text, kmqtt_msg_topic(msg), text_len);
	memset(start.text + text_len, 0, head->len - sizeof(*head) - text_len);
	return kmqtt_record_put(&start, head->len, to);
}

/* Topic and properties lie in one piece, and so do properties and payload. */
static bool kmqtt_record_write_long(const struct kmqtt_record *head,
				    const struct kmqtt_delivery *d,
				    size_t text_len, struct iov_iter *to)
{
	static const u8 zero[KMQTT_RECORD_ALIGN];
	const struct kmqtt_msg *msg = d->msg;
	size_t before = msg->topic_len + 1 + msg->props_len;
	size_t padding = head->len - sizeof(*head) - text_len;

	if (!kmqtt_record_put(head, sizeof(*head), to))
		return false;
	if (d->more_ids) {
		if (!kmqtt_record_put(kmqtt_msg_topic(msg), before, to) ||
		    !kmqtt_record_write_ids(d->more_ids, to) ||
		    !kmqtt_record_put(kmqtt_msg_payload(msg), msg->payload_len, to))
			return false;
	} else if (!kmqtt_record_put(kmqtt_msg_topic(msg), text_len, to)) {
		return false;
	}
	return kmqtt_record_put(zero, padding, to);
}

ssize_t kmqtt_record_write(const struct kmqtt_delivery *d, bool ack,
			   struct iov_iter *to)
{
	const struct kmqtt_msg *msg = d->msg;
	u32 props_len = msg->props_len + kmqtt_record_ids_len(d->more_ids);
	size_t text_len = (size_t)msg->topic_len + 1 + props_len + msg->payload_len;
	struct kmqtt_record head = {
		.len = KMQTT_REC_SIZE(msg->topic_len, props_len, msg->payload_len),
		.type = KMQTT_REC_MESSAGE,
		.flags = (d->retain ? KMQTT_REC_RETAIN : 0) |
			 (d->dup ? KMQTT_REC_DUP : 0) |
			 (ack && d->qos ? KMQTT_REC_ACK : 0),
		.topic_len = msg->topic_len,
		.qos = d->qos,
		.props_len = props_len,
		.payload_len = msg->payload_len,
		.expiry = d->expiry,
		.sub_id = d->more_ids ? d->more_ids->id[0] : d->sub_id,
		.id = d->id,
		.time_ns = msg->time_ns,
	};
	bool done;

	if (head.len > iov_iter_count(to))
		return -EMSGSIZE;
	if (head.len <= sizeof(struct kmqtt_record_start) && !d->more_ids)
		done = kmqtt_record_write_short(&head, msg, text_len, to);
	else
		done = kmqtt_record_write_long(&head, d, text_len, to);
	return done ? (ssize_t)head.len : -EFAULT;
}

ssize_t kmqtt_record_write_drops(u64 drops, struct iov_iter *to)
{
	struct {
		struct kmqtt_record head;
		u8 text[KMQTT_RECORD_ALIGN];
	} r = {
		.head.len = sizeof(r),
		.head.type = KMQTT_REC_DROPPED,
		.head.id = drops,
	};

	BUILD_BUG_ON(sizeof(r) != KMQTT_REC_SIZE(0, 0, 0));
	if (sizeof(r) > iov_iter_count(to))
		return -EMSGSIZE;
	return kmqtt_record_put(&r, sizeof(r), to) ? (ssize_t)sizeof(r) : -EFAULT;
}

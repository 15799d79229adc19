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

/* records in a run, at most */
#define KMQTT_RECORD_RUN	62

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

/*
 * A record that a run may have, all of it, behind which @from is moved on; else it stays. @like:
 * bytes that it is thought to have, at most those of @start
 */
static bool kmqtt_record_next(struct kmqtt_session *session, struct kmqtt_record_start *start,
			      size_t like, struct iov_iter *from)
{
	u32 max = READ_ONCE(session->broker->limits.max_packet_size);
	const struct kmqtt_record *head = &start->head;
	size_t left = iov_iter_count(from), got;

	got = copy_from_iter(start, min(left, like), from);
	if (got == like && head->len > got && head->len <= min(left, sizeof(*start)))
		got += copy_from_iter((u8 *)start + got, head->len - got, from);
	if (got < sizeof(*head) || kmqtt_record_check(head, left, max) || head->len > got ||
	    head->qos || head->flags || head->props_len || head->expiry ||
	    head->topic_len + head->payload_len + KMQTT_PUBLISH_OVERHEAD > max) {
		iov_iter_revert(from, got);
		return false;
	}
	iov_iter_revert(from, got - head->len);
	return true;
}

/* One more packet of the run, behind those that @msg has. */
static void kmqtt_record_add(struct kmqtt_msg *msg, const struct kmqtt_record_start *start,
			     struct kmqtt_run *run)
{
	const struct kmqtt_view topic = { kmqtt_msg_topic(msg), msg->topic_len };
	u8 *p = kmqtt_msg_payload(msg) + run->len, *payload;
	u32 len = start->head.payload_len;

	payload = kmqtt_run_encode(p, run->version, topic, len);
	kmqtt_copy(payload, start->text + topic.len + 1, len);
	len += payload - p;
	run->len += len;
	run->longest = max(run->longest, len);
	run->bytes += topic.len + start->head.payload_len;
	run->count++;
}

struct kmqtt_msg *kmqtt_record_read_run(struct kmqtt_session *session, struct kmqtt_view known,
					struct iov_iter *from, struct kmqtt_run *run)
{
	gfp_t gfp = READ_ONCE(session->memcg) ? GFP_KERNEL_ACCOUNT : GFP_KERNEL;
	struct kmqtt_record_start start __uninitialized;
	size_t all = iov_iter_count(from);
	struct kmqtt_msg *msg;

	/* each packet is shorter than its record, so that all of them fit in the message */
	BUILD_BUG_ON(KMQTT_RUN_HEAD_MAX(0) > sizeof(start.head));
	BUILD_BUG_ON(KMQTT_RECORD_RUN * KMQTT_RECORD_FIRST > KMQTT_RUN_MAX);
	*run = (struct kmqtt_run) {
		.version = KMQTT_V311,
		.len = min_t(size_t, all, KMQTT_RECORD_RUN * KMQTT_RECORD_FIRST),
	};
	if (!kmqtt_record_next(session, &start, sizeof(start), from))
		return NULL;
	run->count = start.head.len == all;
	if (run->count || kmqtt_record_check_text(&start.head, start.text, known))
		goto none;
	run->topic = (struct kmqtt_view) { start.text, start.head.topic_len };
	msg = kmqtt_msg_alloc_run(session->broker, run, gfp);
	if (IS_ERR(msg))
		goto none;
	run->topic.data = kmqtt_msg_topic(msg);
	run->data = kmqtt_msg_payload(msg);
	run->len = 0;
	for (;;) {
		kmqtt_record_add(msg, &start, run);
		if (run->count == KMQTT_RECORD_RUN ||
		    !kmqtt_record_next(session, &start, start.head.len, from))
			break;
		if (start.head.topic_len != run->topic.len ||
		    memcmp(start.text, run->topic.data, run->topic.len + 1)) {
			iov_iter_revert(from, start.head.len);
			break;
		}
	}
	kmqtt_msg_set_run(msg, run);
	return kmqtt_msg_shorten_run(msg, run, gfp);
none:
	iov_iter_revert(from, start.head.len);
	return NULL;
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

/* Of a single message. Return: bytes of the record; -EFAULT, -EMSGSIZE */
static ssize_t kmqtt_record_write_one(const struct kmqtt_delivery *d, bool ack, struct iov_iter *to)
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

/*
 * Of a packet of a run; @start: what all of them have, which is head and topic name, if that has
 * room there. Return: as kmqtt_record_write_one()
 */
static ssize_t kmqtt_record_write_packet(struct kmqtt_record_start *start,
					 const struct kmqtt_msg *msg,
					 struct kmqtt_view payload, struct iov_iter *to)
{
	static const u8 zero[KMQTT_RECORD_ALIGN];
	struct kmqtt_record *head = &start->head;
	size_t topic = msg->topic_len + 1, used = sizeof(*head) + topic + payload.len;
	u8 *p = start->text + topic;
	bool done;

	head->len = KMQTT_REC_SIZE(msg->topic_len, 0, payload.len);
	head->payload_len = payload.len;
	if (head->len > iov_iter_count(to))
		return -EMSGSIZE;
	if (head->len > sizeof(*start)) {
		done = kmqtt_record_put(head, sizeof(*head), to) &&
		       kmqtt_record_put(kmqtt_msg_topic(msg), topic, to) &&
		       kmqtt_record_put(payload.data, payload.len, to) &&
		       kmqtt_record_put(zero, head->len - used, to);
	} else {
		kmqtt_copy(p, payload.data, payload.len);
		memset(p + payload.len, 0, head->len - used);
		done = kmqtt_record_put(start, head->len, to);
	}
	return done ? (ssize_t)head->len : -EFAULT;
}

/* Of each packet. Return: as kmqtt_record_write() */
static int kmqtt_record_write_run(struct kmqtt_delivery *d, struct iov_iter *to, size_t *done)
{
	const struct kmqtt_msg *msg = d->msg;
	const u8 *begin = kmqtt_msg_payload(msg), *p = begin + d->run_off;
	struct kmqtt_record_start start __uninitialized;

	start.head = (struct kmqtt_record) {
		.type = KMQTT_REC_MESSAGE,
		.topic_len = msg->topic_len,
		.time_ns = msg->time_ns,
	};
	kmqtt_copy(start.text, kmqtt_msg_topic(msg),
		   min_t(size_t, msg->topic_len + 1, sizeof(start.text)));
	while (d->run_count) {
		struct kmqtt_view payload = kmqtt_run_next(&p, msg->run_version, msg->topic_len);
		ssize_t len;

		start.head.id = d->id - d->run_count + 1;
		len = kmqtt_record_write_packet(&start, msg, payload, to);
		if (len < 0)
			return len;
		*done += len;
		d->run_len -= p - begin - d->run_off;
		d->run_off = p - begin;
		d->run_count--;
	}
	return 0;
}

int kmqtt_record_write(struct kmqtt_delivery *d, bool ack, struct iov_iter *to, size_t *done)
{
	ssize_t len;

	if (d->kind == KMQTT_DELIVER_RUN)
		return kmqtt_record_write_run(d, to, done);
	len = kmqtt_record_write_one(d, ack, to);
	if (len < 0)
		return len;
	*done += len;
	return 0;
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

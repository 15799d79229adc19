// SPDX-License-Identifier: GPL-2.0
/* /dev/kmqtt: what ioctl() does. */
#include <linux/capability.h>
#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/stddef.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/uio.h>

#include "compat.h"
#include "core/tracker.h"
#include "port/chardev.h"
#include "port/record.h"
#include "proto/utf8.h"

#define KMQTT_SESSION_FLAGS	(KMQTT_SESSION_MANUAL_ACK |	\
				 KMQTT_SESSION_REPORT_DROPS |	\
				 KMQTT_SESSION_CLEAN |		\
				 KMQTT_SESSION_QUEUE_QOS0)

#define KMQTT_SUB_FLAGS		(KMQTT_SUB_NO_LOCAL | KMQTT_SUB_RETAIN_AS_PUBLISHED)

/*
 * Read a struct that begins with its own size, which @size gets and which is
 * not read again.
 */
static int kmqtt_get_struct(void *to, size_t known, const void __user *from, u32 *size)
{
	int err;

	if (get_user(*size, (const u32 __user *)from))
		return -EFAULT;
	if (*size < sizeof(*size))
		return -EINVAL;
	if (*size > PAGE_SIZE)
		return -E2BIG;
	err = copy_struct_from_user(to, known, from, *size);
	if (err)
		return err;
	*(u32 *)to = min_t(u32, *size, known);
	return 0;
}

/* Write it back: as much of it as both know. */
static int kmqtt_put_struct(void __user *to, const void *from, size_t known, u32 size)
{
	return copy_to_user(to, from, min_t(size_t, known, size)) ? -EFAULT : 0;
}

static int kmqtt_ioc_info(struct kmqtt_file *f, void __user *arg)
{
	const struct kmqtt_limits *limits = &f->broker->limits;
	struct kmqtt_info info;
	u32 size;
	int err;

	err = kmqtt_get_struct(&info, sizeof(info), arg, &size);
	if (err)
		return err;
	info.abi = KMQTT_ABI;
	info.max_packet_size = READ_ONCE(limits->max_packet_size);
	info.max_queued_messages = READ_ONCE(limits->max_queued_messages);
	info.max_inflight_messages = READ_ONCE(limits->max_inflight_messages);
	info.policy = READ_ONCE(limits->policy);
	return kmqtt_put_struct(arg, &info, sizeof(info), size);
}

/* Return: a name, NUL terminated, for kfree(); NULL if there is none; ERR_PTR() */
static char *kmqtt_get_name(const struct kmqtt_session_conf *conf)
{
	char *name;

	if (!conf->name_len)
		return NULL;
	if (conf->name_len > KMQTT_NAME_MAX)
		return ERR_PTR(-EINVAL);
	name = memdup_user_nul(u64_to_user_ptr(conf->name), conf->name_len);
	if (IS_ERR(name))
		return name;
	if (!kmqtt_utf8_valid(name, conf->name_len)) {
		kfree(name);
		return ERR_PTR(-EILSEQ);
	}
	return name;
}

/* f->lock held */
static int kmqtt_file_name(struct kmqtt_file *f, const struct cred *cred,
			   const struct kmqtt_session_params *params, bool *present)
{
	struct kmqtt_session *first = f->session, *session;

	if (f->named || READ_ONCE(first->sub_count))
		return -EBUSY;
	session = kmqtt_file_open_session(f, cred, params, present);
	if (IS_ERR(session))
		return PTR_ERR(session);
	/* Writers may be using the first one for as long as the file is open. */
	kmqtt_session_get(first);
	f->first = first;
	f->named = true;
	WRITE_ONCE(f->session, session);
	kmqtt_session_set_online(session, &f->port, true);
	kmqtt_session_detach(first, &f->port, 0);
	return 0;
}

static int kmqtt_session_conf_check(const struct kmqtt_session_conf *conf, bool named)
{
	if (conf->flags & ~KMQTT_SESSION_FLAGS || conf->policy > KMQTT_POLICY_BLOCK ||
	    conf->max_inflight > U16_MAX)
		return -EINVAL;
	if (!conf->name_len && conf->flags & KMQTT_SESSION_CLEAN)
		return -EINVAL;
	if (!conf->name_len && !named && conf->expiry)
		return -EINVAL;
	return 0;
}

/* f->lock held */
static int kmqtt_file_configure(struct kmqtt_file *f, const struct file *filp,
				const struct kmqtt_session_conf *conf,
				const char *name, bool *present)
{
	struct kmqtt_session_params params = {
		.name = name,
		.kind = KMQTT_KIND_LOCAL,
		.ack_mode = conf->flags & KMQTT_SESSION_MANUAL_ACK ?
			    KMQTT_ACK_MANUAL : KMQTT_ACK_AUTO,
		.policy = conf->policy,
		.clean = conf->flags & KMQTT_SESSION_CLEAN,
		.queue_qos0 = conf->flags & KMQTT_SESSION_QUEUE_QOS0,
		.expiry = conf->expiry,
		.max_queued_messages = conf->max_queued_messages,
		.max_queued_bytes = conf->max_queued_bytes,
		.max_inflight = conf->max_inflight,
	};
	int err = kmqtt_session_conf_check(conf, f->named);

	if (err)
		return err;
	params.privileged = name && file_ns_capable(filp, f->net->user_ns, CAP_NET_ADMIN);
	if (name)
		err = kmqtt_file_name(f, filp->f_cred, &params, present);
	else
		err = kmqtt_session_tune(f->session, &params);
	if (!err)
		WRITE_ONCE(f->report_drops, conf->flags & KMQTT_SESSION_REPORT_DROPS);
	return err;
}

static int kmqtt_ioc_session(struct kmqtt_file *f, const struct file *filp,
			     void __user *arg)
{
	struct kmqtt_session_conf conf;
	bool present = false;
	char *name;
	u32 size;
	int err;

	err = kmqtt_get_struct(&conf, sizeof(conf), arg, &size);
	if (err)
		return err;
	conf.present = 0;
	/* Nothing is changed for a process that cannot be told the outcome. */
	err = kmqtt_put_struct(arg, &conf, sizeof(conf), size);
	if (err)
		return err;
	name = kmqtt_get_name(&conf);
	if (IS_ERR(name))
		return PTR_ERR(name);
	err = mutex_lock_interruptible(&f->lock) ? -ERESTARTSYS : 0;
	if (!err) {
		err = kmqtt_file_configure(f, filp, &conf, name, &present);
		mutex_unlock(&f->lock);
	}
	kfree(name);
	if (err)
		return err;
	kmqtt_file_kick(f);
	conf.present = present;
	return kmqtt_put_struct(arg, &conf, sizeof(conf), size);
}

/* Return: the filter, for kvfree(), or ERR_PTR(); what it says is checked later */
static u8 *kmqtt_get_filter(const struct kmqtt_subscription *sub)
{
	if (!sub->filter_len || sub->filter_len > KMQTT_STRING_MAX)
		return ERR_PTR(-EILSEQ);
	return vmemdup_user(u64_to_user_ptr(sub->filter), sub->filter_len);
}

static int kmqtt_ioc_subscribe(struct kmqtt_file *f, const void __user *arg)
{
	struct kmqtt_subscription sub;
	struct kmqtt_sub_opts opts;
	u8 *filter;
	u32 size;
	int err;

	err = kmqtt_get_struct(&sub, sizeof(sub), arg, &size);
	if (err)
		return err;
	if (sub.flags & ~KMQTT_SUB_FLAGS || sub.qos > 2 ||
	    sub.retain_handling > KMQTT_RETAIN_SEND_NEVER ||
	    sub.sub_id > KMQTT_VARINT_MAX ||
	    memchr_inv(sub.reserved, 0, sizeof(sub.reserved)))
		return -EINVAL;
	filter = kmqtt_get_filter(&sub);
	if (IS_ERR(filter))
		return PTR_ERR(filter);
	opts.sub_id = sub.sub_id;
	opts.qos = sub.qos;
	opts.retain_handling = sub.retain_handling;
	opts.no_local = sub.flags & KMQTT_SUB_NO_LOCAL;
	opts.retain_as_published = sub.flags & KMQTT_SUB_RETAIN_AS_PUBLISHED;
	err = mutex_lock_interruptible(&f->lock) ? -ERESTARTSYS : 0;
	if (!err) {
		err = kmqtt_session_subscribe(f->session, filter, sub.filter_len, &opts);
		mutex_unlock(&f->lock);
	}
	kvfree(filter);
	return err;
}

static int kmqtt_ioc_unsubscribe(struct kmqtt_file *f, const void __user *arg)
{
	struct kmqtt_subscription sub;
	u8 *filter;
	u32 size;
	int err;

	err = kmqtt_get_struct(&sub, sizeof(sub), arg, &size);
	if (err)
		return err;
	if (sub.flags || sub.qos || sub.retain_handling || sub.sub_id ||
	    memchr_inv(sub.reserved, 0, sizeof(sub.reserved)))
		return -EINVAL;
	filter = kmqtt_get_filter(&sub);
	if (IS_ERR(filter))
		return PTR_ERR(filter);
	err = mutex_lock_interruptible(&f->lock) ? -ERESTARTSYS : 0;
	if (!err) {
		err = kmqtt_session_unsubscribe(f->session, filter, sub.filter_len);
		mutex_unlock(&f->lock);
	}
	kvfree(filter);
	return err;
}

static int kmqtt_ioc_ack(struct kmqtt_file *f, const void __user *arg)
{
	struct kmqtt_ack ack;
	u32 size;
	int err;

	err = kmqtt_get_struct(&ack, sizeof(ack), arg, &size);
	if (err)
		return err;
	if (ack.flags & ~KMQTT_ACK_UP_TO)
		return -EINVAL;
	return kmqtt_session_ack_id(READ_ONCE(f->session), ack.id,
				    ack.flags & KMQTT_ACK_UP_TO);
}

/*
 * Publish @msg and wait for its tracker. A signal gives EINTR, never a restart:
 * that would publish it again.
 */
static int kmqtt_publish_and_wait(struct kmqtt_file *f, struct kmqtt_msg *msg,
				  bool nowait, long timeout)
{
	struct kmqtt_writing w = { .f = f, .timeout = timeout, .nowait = nowait };
	struct kmqtt_tracker *t = msg->tracker;
	long left;
	int err;

	err = kmqtt_file_publish(&w, msg);
	if (err)
		return err == -ERESTARTSYS ? -EINTR : err;
	if (!atomic_read(&t->taken))
		return -ENOLINK;
	left = wait_event_interruptible_timeout(t->wait, kmqtt_tracker_idle(t), w.timeout);
	if (left <= 0)
		return left ? -EINTR : -ETIMEDOUT;
	return 0;
}

static int kmqtt_publish_record(struct kmqtt_file *f, struct kmqtt_publish_wait *pub,
				bool nowait)
{
	void __user *record = u64_to_user_ptr(pub->record);
	long timeout = MAX_SCHEDULE_TIMEOUT;
	struct kmqtt_tracker *t;
	struct kmqtt_msg *msg;
	struct iov_iter from;
	int err;

	if (!access_ok(record, pub->len))
		return -EFAULT;
	iov_iter_ubuf(&from, ITER_SOURCE, record, pub->len);
	msg = kmqtt_record_read(READ_ONCE(f->session), KMQTT_VIEW_NONE, &from);
	if (IS_ERR(msg))
		return PTR_ERR(msg);
	err = -EINVAL;
	if (!msg->qos || iov_iter_count(&from))
		goto put_msg;
	err = -ENOMEM;
	t = kmqtt_tracker_new(GFP_KERNEL_ACCOUNT);
	if (!t)
		goto put_msg;
	msg->tracker = kmqtt_tracker_get(t);
	if (pub->timeout_ms)
		timeout = msecs_to_jiffies(pub->timeout_ms);
	err = kmqtt_publish_and_wait(f, msg, nowait, timeout);
	pub->reason = atomic_read(&t->reason);
	if (!err && pub->reason >= 0x80)
		err = -EPROTO;
	kmqtt_tracker_put(t);
put_msg:
	kmqtt_msg_put(msg);
	return err;
}

static int kmqtt_ioc_publish(struct kmqtt_file *f, const struct file *filp,
			     void __user *arg)
{
	struct kmqtt_publish_wait pub;
	u32 size;
	int err;

	err = kmqtt_get_struct(&pub, sizeof(pub), arg, &size);
	if (err)
		return err;
	pub.reason = 0;
	/* Nothing is published for a process that cannot be told the outcome. */
	err = kmqtt_put_struct(arg, &pub, sizeof(pub), size);
	if (err)
		return err;
	err = kmqtt_publish_record(f, &pub, filp->f_flags & O_NONBLOCK);
	return kmqtt_put_struct(arg, &pub, sizeof(pub), size) ?: err;
}

static int kmqtt_ioc_stats(struct kmqtt_file *f, void __user *arg)
{
	struct kmqtt_session *s = READ_ONCE(f->session);
	struct kmqtt_file_stats stats;
	u32 size;
	int err;

	err = kmqtt_get_struct(&stats, sizeof(stats), arg, &size);
	if (err)
		return err;
	stats.subscriptions = READ_ONCE(s->sub_count);
	stats.published_messages = atomic64_read(&s->published_messages);
	stats.published_bytes = atomic64_read(&s->published_bytes);
	spin_lock(&s->lock);
	stats.queued_messages = s->queued;
	stats.inflight_messages = s->inflight_count;
	stats.queued_bytes = s->queued_bytes;
	stats.delivered_messages = s->delivered_messages;
	stats.delivered_bytes = s->delivered_bytes;
	stats.dropped_messages = s->dropped_messages;
	stats.expired_messages = s->expired_messages;
	spin_unlock(&s->lock);
	return kmqtt_put_struct(arg, &stats, sizeof(stats), size);
}

static int kmqtt_ioc_ring(struct kmqtt_file *f, void __user *arg)
{
	struct kmqtt_ring_setup setup;
	struct kmqtt_ring *ring;
	u32 size;
	int err;

	err = kmqtt_get_struct(&setup, sizeof(setup), arg, &size);
	if (err)
		return err;
	if (setup.flags)
		return -EINVAL;
	if (READ_ONCE(f->ring))
		return -EBUSY;
	ring = kmqtt_ring_new(setup.data_size);
	if (IS_ERR(ring))
		return PTR_ERR(ring);
	kmqtt_ring_layout(ring, &setup);
	err = kmqtt_put_struct(arg, &setup, sizeof(setup), size);
	if (err)
		goto free;
	/* No reader is taking while the ring becomes the one who takes. */
	err = mutex_lock_interruptible(&f->lock) ? -ERESTARTSYS : 0;
	if (err)
		goto free;
	if (f->ring)
		err = -EBUSY;
	else
		smp_store_release(&f->ring, ring);	/* whole for who sees it */
	mutex_unlock(&f->lock);
	if (err)
		goto free;
	wake_up_interruptible_all(&f->wait);	/* a reader, to be told EBUSY */
	kmqtt_file_kick(f);
	return 0;
free:
	kmqtt_ring_free(ring);
	return err;
}

/* Receiving needs a file that may be read, publishing one that may be written. */
static int kmqtt_ioc_check_mode(const struct file *filp, unsigned int cmd)
{
	switch (cmd) {
	case KMQTT_IOC_SUBSCRIBE:
	case KMQTT_IOC_UNSUBSCRIBE:
	case KMQTT_IOC_ACK:
	case KMQTT_IOC_RING:
		return filp->f_mode & FMODE_READ ? 0 : -EBADF;
	case KMQTT_IOC_PUBLISH:
		return filp->f_mode & FMODE_WRITE ? 0 : -EBADF;
	default:
		return 0;
	}
}

/*
 * The size of the struct is a part of the number, as a program knew it when it
 * was compiled; the struct itself says the size too, so that part is put aside.
 */
static unsigned int kmqtt_ioc_number(unsigned int cmd)
{
	static const unsigned int known[] = {
		KMQTT_IOC_INFO, KMQTT_IOC_SESSION, KMQTT_IOC_SUBSCRIBE,
		KMQTT_IOC_UNSUBSCRIBE, KMQTT_IOC_ACK, KMQTT_IOC_PUBLISH,
		KMQTT_IOC_STATS, KMQTT_IOC_RING,
	};
	unsigned int nr = _IOC_NR(cmd);

	if (nr < ARRAY_SIZE(known) && !((known[nr] ^ cmd) & ~IOCSIZE_MASK))
		return known[nr];
	return 0;
}

long kmqtt_file_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	struct kmqtt_file *f = filp->private_data;
	void __user *p = (void __user *)arg;
	int err;

	cmd = kmqtt_ioc_number(cmd);
	if (!cmd)
		return -ENOTTY;
	err = kmqtt_ioc_check_mode(filp, cmd);
	if (err)
		return err;
	if (READ_ONCE(f->closed) && cmd != KMQTT_IOC_INFO && cmd != KMQTT_IOC_STATS)
		return -ESHUTDOWN;
	switch (cmd) {
	case KMQTT_IOC_INFO:
		return kmqtt_ioc_info(f, p);
	case KMQTT_IOC_SESSION:
		return kmqtt_ioc_session(f, filp, p);
	case KMQTT_IOC_SUBSCRIBE:
		return kmqtt_ioc_subscribe(f, p);
	case KMQTT_IOC_UNSUBSCRIBE:
		return kmqtt_ioc_unsubscribe(f, p);
	case KMQTT_IOC_ACK:
		return kmqtt_ioc_ack(f, p);
	case KMQTT_IOC_PUBLISH:
		return kmqtt_ioc_publish(f, filp, p);
	case KMQTT_IOC_STATS:
		return kmqtt_ioc_stats(f, p);
	default:
		return kmqtt_ioc_ring(f, p);
	}
}

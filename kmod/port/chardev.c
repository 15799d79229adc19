// SPDX-License-Identifier: GPL-2.0
/* /dev/kmqtt: open, read, write, poll, fsync, mmap. */
#include <linux/err.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/nsproxy.h>
#include <linux/poll.h>
#include <linux/sched/clock.h>
#include <linux/sched/signal.h>
#include <linux/sched/stat.h>
#include <linux/slab.h>
#include <linux/uio.h>

#include "compat.h"
#include "core/run.h"
#include "core/tracker.h"
#include "port/chardev.h"
#include "port/net.h"
#include "port/record.h"

/* deliveries that read() takes at a time */
#define KMQTT_READ_BATCH	16

/* records that write() copies before the first of them is published, and about how many bytes */
#define KMQTT_WRITE_BATCH	32
#define KMQTT_WRITE_BYTES	65536

/* writes of several records until it is seen again whether they may be a run */
#define KMQTT_RUN_PAUSE		31

/* messages in a run, at least: it has room for more of them than two or three are worth */
#define KMQTT_RUN_LEAST		4

/* bytes of a packet in a run that a file takes, at most: its record fits in any ring */
#define KMQTT_FILE_RUN_MAX	2048

/* largest time in ns that read() is thought to need to wake up */
#define KMQTT_WAKE_NS		25000

static struct kmqtt_file *kmqtt_file_of_port(struct kmqtt_port *port)
{
	return container_of(port, struct kmqtt_file, port);
}

/* May a message come while its reader looks for it? */
static bool kmqtt_file_spins(void)
{
	return num_online_cpus() > 1;
}

/* Whoever publishes comes here, for each message: a ring is filled at once. */
static void kmqtt_file_wake(struct kmqtt_port *port)
{
	struct kmqtt_file *f = kmqtt_file_of_port(port);
	struct kmqtt_ring *ring = smp_load_acquire(&f->ring); /* whole after set-up */

	if (ring && !READ_ONCE(f->closed) &&
	    !kmqtt_ring_fill(ring, &f->session, port,
			     READ_ONCE(f->report_drops), KMQTT_RING_WAKE_BUDGET))
		return;
	/*
	 * Sync, as pipes do it: a writer often waits for the answer next.
	 * wq_has_sleeper() has the barrier that pairs with prepare_to_wait()
	 * and poll_wait(): who slept before sees the message, or we see him.
	 */
	if (wq_has_sleeper(&f->wait)) {
		if (kmqtt_file_spins())
			WRITE_ONCE(f->woken, (unsigned long)local_clock());
		wake_up_interruptible_sync_poll(&f->wait, EPOLLIN | EPOLLRDNORM);
	}
}

static void kmqtt_file_close(struct kmqtt_port *port, u8 reason)
{
	struct kmqtt_file *f = kmqtt_file_of_port(port);

	WRITE_ONCE(f->closed, true);
	wake_up_interruptible_all(&f->wait);
}

static const struct kmqtt_port_ops kmqtt_file_port_ops = {
	.wake = kmqtt_file_wake,
	.close = kmqtt_file_close,
};

void kmqtt_file_kick(struct kmqtt_file *f)
{
	rcu_read_lock();
	kmqtt_file_wake(&f->port);
	rcu_read_unlock();
}

struct kmqtt_session *
kmqtt_file_open_session(struct kmqtt_file *f, const struct cred *cred,
			const struct kmqtt_session_params *params, bool *present)
{
	struct kmqtt_identity *who = kzalloc_obj(*who, GFP_KERNEL_ACCOUNT);
	struct kmqtt_session *session;
	const struct cred *old;

	if (!who)
		return ERR_PTR(-ENOMEM);
	/* Whoever was handed the file acts for its opener. */
	old = override_creds(cred);
	kmqtt_identity_init_current(who);
	revert_creds(old);
	session = kmqtt_session_open(f->broker, params, who, &f->port, present);
	if (IS_ERR(session))
		kmqtt_identity_free(who);
	return session;
}

static int kmqtt_space_wake(struct wait_queue_entry *entry, unsigned int mode,
			    int flags, void *key)
{
	struct kmqtt_space_wait *w =
		container_of(entry, struct kmqtt_space_wait, entry);

	wake_up_interruptible_poll(&w->file->wait, EPOLLOUT | EPOLLWRNORM);
	return 0;
}

/*
 * A writer waits until @blocked, a reference that goes here, has room. It
 * sleeps on its own file's queue, where its session's end wakes it too.
 */
static int kmqtt_file_wait_space(struct kmqtt_file *f,
				 struct kmqtt_session *blocked, long *timeout)
{
	struct kmqtt_space_wait w = { .file = f };
	long left;

	init_waitqueue_func_entry(&w.entry, kmqtt_space_wake);
	add_wait_queue(&blocked->space, &w.entry);
	left = wait_event_interruptible_timeout(f->wait,
						!kmqtt_session_full(blocked) ||
						READ_ONCE(f->closed), *timeout);
	remove_wait_queue(&blocked->space, &w.entry);
	kmqtt_session_put(blocked);
	if (left < 0)
		return left;
	*timeout = left;
	return left ? 0 : -EAGAIN;
}

/*
 * Remember, for poll(), which session is full; NULL: none is. The reference
 * goes here.
 */
static void kmqtt_file_set_full(struct kmqtt_file *f, struct kmqtt_session *full)
{
	struct kmqtt_session *old;

	spin_lock(&f->full_lock);
	old = f->full;
	if (old)
		remove_wait_queue(&old->space, &f->full_wait.entry);
	if (full)
		add_wait_queue(&full->space, &f->full_wait.entry);
	WRITE_ONCE(f->full, full);
	spin_unlock(&f->full_lock);
	if (old)
		kmqtt_session_put(old);
}

/* Is the session that refused the last write still full? */
static bool kmqtt_file_blocked(struct kmqtt_file *f)
{
	bool full;

	if (likely(!READ_ONCE(f->full)))
		return false;
	spin_lock(&f->full_lock);
	full = f->full && kmqtt_session_full(f->full);
	spin_unlock(&f->full_lock);
	return full;
}

int kmqtt_file_publish(struct kmqtt_writing *w, struct kmqtt_msg *msg)
{
	struct kmqtt_file *f = w->f;
	int ret;

	for (;;) {
		struct kmqtt_session *blocked = NULL;

		if (READ_ONCE(f->closed))
			return -ESHUTDOWN;
		ret = kmqtt_publish_memo(READ_ONCE(f->session), msg, &blocked, w->memo, w->wakes);
		if (!blocked)
			break;
		if (w->wakes)
			kmqtt_wakes_flush(w->wakes);
		if (w->nowait) {
			kmqtt_file_set_full(f, blocked);
			/* It may have got room before it knew of us. */
			if (!kmqtt_file_blocked(f))
				continue;
			return -EAGAIN;
		}
		ret = kmqtt_file_wait_space(f, blocked, &w->timeout);
		if (ret)
			return ret;
	}
	if (unlikely(READ_ONCE(f->full)))
		kmqtt_file_set_full(f, NULL);
	return min(ret, 0);
}

/* For fsync(): what was written with QoS 1 and 2 is counted from the first on. */
static int kmqtt_file_track(struct kmqtt_file *f, struct kmqtt_msg *msg)
{
	struct kmqtt_tracker *t = READ_ONCE(f->tracker);

	if (!t) {
		t = kmqtt_tracker_new(GFP_KERNEL_ACCOUNT);
		if (!t)
			return -ENOMEM;
		if (cmpxchg(&f->tracker, NULL, t)) {
			kmqtt_tracker_put(t);
			t = READ_ONCE(f->tracker);
		}
	}
	msg->tracker = kmqtt_tracker_get(t);
	return 0;
}

/**
 * struct kmqtt_batch - records of one write that were copied
 * @count:	how many
 * @bytes:	of their records
 * @len:	bytes of each record
 * @msg:	messages, each with a reference
 */
struct kmqtt_batch {
	unsigned int count;
	size_t bytes;
	u32 len[KMQTT_WRITE_BATCH];
	struct kmqtt_msg *msg[KMQTT_WRITE_BATCH];
};

/* Some records, or the first of them alone. Return: 0; why there are no more of them, -errno */
static int kmqtt_batch_read(struct kmqtt_batch *batch, const struct kmqtt_writing *w,
			    struct iov_iter *from)
{
	struct kmqtt_session *session = READ_ONCE(w->f->session);

	batch->count = 0;
	batch->bytes = 0;
	do {
		size_t before = iov_iter_count(from);
		struct kmqtt_msg *msg;

		msg = kmqtt_record_read(session, kmqtt_memo_topic(w->memo), from);
		if (IS_ERR(msg))
			return PTR_ERR(msg);
		batch->len[batch->count] = before - iov_iter_count(from);
		batch->bytes += batch->len[batch->count];
		batch->msg[batch->count++] = msg;
	} while (iov_iter_count(from) && batch->count < KMQTT_WRITE_BATCH &&
		 batch->bytes < KMQTT_WRITE_BYTES);
	return 0;
}

/* All of it, until one fails. Return: bytes of what was published; -errno if nothing was */
static ssize_t kmqtt_batch_publish(const struct kmqtt_batch *batch, struct kmqtt_writing *w)
{
	unsigned int i;
	ssize_t done = 0;
	int ret = 0;

	for (i = 0; i < batch->count && !ret; i++) {
		if (i)
			cond_resched();
		if (batch->msg[i]->qos)
			ret = kmqtt_file_track(w->f, batch->msg[i]);
		if (!ret)
			ret = kmqtt_file_publish(w, batch->msg[i]);
		if (!ret)
			done += batch->len[i];
	}
	for (i = 0; i < batch->count; i++)
		kmqtt_msg_put(batch->msg[i]);
	return done ?: ret;
}

static bool kmqtt_nowait(const struct kiocb *iocb)
{
	return iocb->ki_flags & IOCB_NOWAIT || iocb->ki_filp->f_flags & O_NONBLOCK;
}

/*
 * All or many of the records as one run (core/run.h), if whoever gets them takes it. Who writes
 * several at once, alike, will mostly go on like that; who does not, likewise. Return: bytes of
 * what was published; 0: nothing was, they are to be published one by one
 */
static size_t kmqtt_file_write_run(struct kmqtt_writing *w, struct iov_iter *from)
{
	struct kmqtt_wakes wakes = { .alone = true };
	size_t before = iov_iter_count(from), done;
	struct kmqtt_file *f = w->f;
	struct kmqtt_session *session = READ_ONCE(f->session);
	struct kmqtt_run run;
	struct kmqtt_msg *msg;

	msg = kmqtt_record_read_run(session, kmqtt_memo_topic(w->memo), from, &run);
	done = before - iov_iter_count(from);
	if (msg && (READ_ONCE(f->closed) || run.count < KMQTT_RUN_LEAST ||
		    !kmqtt_publish_run(session, msg, &run, &wakes))) {
		iov_iter_revert(from, done);
		done = 0;
	}
	if (done && unlikely(READ_ONCE(f->full)))
		kmqtt_file_set_full(f, NULL);
	kmqtt_wakes_flush(&wakes);
	if (msg)
		kmqtt_msg_put(msg);
	if (!done)
		f->run_pause = !msg && run.count ? 1 : KMQTT_RUN_PAUSE;
	return done;
}

/*
 * Records are copied before any of them is published: their readers are woken once for all of
 * them, and nobody waits for pages of the writer meanwhile. Return: bytes of what was published,
 * or -errno; @more: there may be more
 */
static ssize_t kmqtt_file_write_some(struct kmqtt_writing *w, struct iov_iter *from, bool *more)
{
	struct kmqtt_batch batch __uninitialized;
	struct kmqtt_wakes wakes = { .alone = true };
	ssize_t done = 0;
	int err;

	if (w->memo && !w->f->run_pause) {
		done = kmqtt_file_write_run(w, from);
		*more = iov_iter_count(from);
		if (done)
			return done;
	}
	err = kmqtt_batch_read(&batch, w, from);
	if (batch.count) {
		w->wakes = batch.count > 1 ? &wakes : NULL;
		done = kmqtt_batch_publish(&batch, w);
		kmqtt_wakes_flush(&wakes);
	}
	if (w->memo && w->f->run_pause && batch.count > 1)
		w->f->run_pause--;
	*more = !err && done == batch.bytes && iov_iter_count(from);
	return done ?: err;
}

static ssize_t kmqtt_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct kmqtt_file *f = iocb->ki_filp->private_data;
	struct kmqtt_writing w = {
		.f = f,
		.timeout = MAX_SCHEDULE_TIMEOUT,
		.nowait = kmqtt_nowait(iocb),
	};
	ssize_t done = 0, ret = 0;
	bool more = iov_iter_count(from);

	/* of several writers at a time one has it */
	if (more && !test_and_set_bit_lock(0, &f->memo_used))
		w.memo = &f->memo;
	while (more) {
		ret = kmqtt_file_write_some(&w, from, &more);
		if (ret < 0)
			break;
		done += ret;
		if (signal_pending(current))
			break;
		if (more)
			cond_resched();
	}
	if (w.memo)
		clear_bit_unlock(0, &f->memo_used);
	return done ?: ret;
}

/* f->lock held. Return: bytes put, which may be 0; -errno if the first fails */
static ssize_t kmqtt_file_take_drops(struct kmqtt_file *f,
				     struct kmqtt_session *session,
				     struct iov_iter *to)
{
	ssize_t len;

	f->drops += kmqtt_session_dropped(session);
	if (!f->drops)
		return 0;
	len = kmqtt_record_write_drops(f->drops, to);
	if (len > 0)
		f->drops = 0;
	return len;
}

/*
 * Hand out what was taken. What cannot be put, for whatever reason, goes back:
 * the reader loses nothing. @all: nothing has gone back; otherwise a part of a record may
 * stand where the next one would begin. Return: as above
 */
static ssize_t kmqtt_file_put(struct kmqtt_file *f, struct kmqtt_delivery *d,
			      unsigned int count, struct iov_iter *to, bool *all)
{
	struct kmqtt_session *session = f->session;
	bool ack = READ_ONCE(session->ack_mode) == KMQTT_ACK_MANUAL;
	size_t done = 0;
	unsigned int i;
	int err;

	for (i = 0; i < count; i++) {
		err = kmqtt_record_write(&d[i], ack, to, &done);
		*all = !err;
		if (err) {
			kmqtt_session_untake(session, &f->port, d + i, count - i);
			return done ? (ssize_t)done : err;
		}
		kmqtt_delivery_put(&d[i]);
	}
	return done;
}

/* As many whole records as fit. f->lock held. Return: as above */
static ssize_t kmqtt_file_take(struct kmqtt_file *f, struct iov_iter *to)
{
	struct kmqtt_session *session = f->session;
	struct kmqtt_delivery d[KMQTT_READ_BATCH] __uninitialized;
	ssize_t done = 0, len;
	bool all;
	int count;

	if (f->report_drops) {
		done = kmqtt_file_take_drops(f, session, to);
		if (done < 0)
			return done;
	}
	do {
		size_t room = iov_iter_count(to);

		count = kmqtt_session_take(session, &f->port, d, KMQTT_READ_BATCH, &room);
		if (count <= 0)
			return done ?: count;
		len = kmqtt_file_put(f, d, count, to, &all);
		if (len < 0)
			return done ?: len;
		done += len;
	} while (all && count == KMQTT_READ_BATCH && !signal_pending(current));
	return done;
}

static int kmqtt_file_lock(struct kmqtt_file *f, const struct kiocb *iocb)
{
	if (iocb->ki_flags & IOCB_NOWAIT)
		return mutex_trylock(&f->lock) ? 0 : -EAGAIN;
	return mutex_lock_interruptible(&f->lock) ? -ERESTARTSYS : 0;
}

/* Has read() drops to tell of? */
static bool kmqtt_file_dropped(struct kmqtt_file *f)
{
	return READ_ONCE(f->report_drops) &&
	       (READ_ONCE(f->drops) || kmqtt_session_has_dropped(READ_ONCE(f->session)));
}

/* Would read() put something? */
static bool kmqtt_file_pending(struct kmqtt_file *f)
{
	return kmqtt_session_pending(READ_ONCE(f->session), &f->port) || kmqtt_file_dropped(f);
}

/* Does it surely not, without a lock? */
static bool kmqtt_file_idle(struct kmqtt_file *f)
{
	return kmqtt_session_idle(READ_ONCE(f->session)) && !kmqtt_file_dropped(f);
}

/* What ends a read() with an error, if anything. Return: 0 or -errno */
static int kmqtt_file_error(const struct kmqtt_file *f)
{
	struct kmqtt_ring *ring = smp_load_acquire(&f->ring); /* whole after set-up */

	if (READ_ONCE(f->closed))
		return -ESHUTDOWN;
	if (ring)
		return READ_ONCE(ring->dead) ? -EBADMSG : -EBUSY;
	return 0;
}

/* Look for something to read until @end, if nobody else wants the processor. */
static void kmqtt_file_spin(struct kmqtt_file *f, u64 end)
{
	while (kmqtt_file_idle(f) && !kmqtt_file_error(f) && single_task_running() &&
	       !need_resched() && !signal_pending(current) && local_clock() < end)
		cpu_relax();
}

/*
 * How long it took to wake up, and whether it was worth while to sleep: not if there was something
 * less than twice that after @start.
 */
static void kmqtt_file_woken(struct kmqtt_file *f, unsigned long start)
{
	unsigned long woken = READ_ONCE(f->woken);
	u32 old = READ_ONCE(f->wake_ns), ns;

	/* it found something before it slept, or that was no message */
	if ((long)(woken - start) < 0)
		return;
	ns = min_t(unsigned long, (unsigned long)local_clock() - woken, KMQTT_WAKE_NS);
	ns = old ? (7 * old + ns) / 8 : ns;
	WRITE_ONCE(f->wake_ns, ns);
	WRITE_ONCE(f->soon, woken - start < 2 * ns);
}

/*
 * Who sleeps for a message costs its publisher a wake-up and himself two switches. If the last
 * one came sooner than these take, read() looks for the next one about as long before it sleeps:
 * then it wastes no more than it may save. Return: 0 or -ERESTARTSYS
 */
static int kmqtt_file_wait(struct kmqtt_file *f)
{
	bool spins = kmqtt_file_spins();
	u64 start = spins ? local_clock() : 0;
	int ret;

	if (spins && READ_ONCE(f->soon))
		kmqtt_file_spin(f, start + 2 * READ_ONCE(f->wake_ns));
	ret = wait_event_interruptible(f->wait, kmqtt_file_error(f) || kmqtt_file_pending(f));
	if (spins && !ret)
		kmqtt_file_woken(f, start);
	return ret;
}

static ssize_t kmqtt_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct kmqtt_file *f = iocb->ki_filp->private_data;
	ssize_t ret;

	if (!iov_iter_count(to))
		return 0;
	for (;;) {
		/* who waits for an answer finds nothing at first */
		if (kmqtt_file_idle(f)) {
			ret = kmqtt_file_error(f);
		} else {
			ret = kmqtt_file_lock(f, iocb);
			if (ret)
				return ret;
			ret = kmqtt_file_error(f) ?: kmqtt_file_take(f, to);
			mutex_unlock(&f->lock);
		}
		if (ret)
			return ret;
		if (kmqtt_nowait(iocb))
			return -EAGAIN;
		ret = kmqtt_file_wait(f);
		if (ret)
			return ret;
	}
}

static __poll_t kmqtt_file_poll_ring(struct kmqtt_file *f, struct kmqtt_ring *ring)
{
	__poll_t mask = 0;
	bool told;

again:
	told = !READ_ONCE(f->closed) &&
	       kmqtt_ring_fill(ring, &f->session, &f->port,
			       READ_ONCE(f->report_drops), ring->size);
	if (READ_ONCE(ring->dead))
		mask |= EPOLLERR;
	/* What a reader consumed before it came here counts, on every CPU. */
	smp_mb();
	if (kmqtt_ring_readable(ring)) {
		mask |= EPOLLIN | EPOLLRDNORM;
	} else if (told && READ_ONCE(ring->kernel->flags) == KMQTT_RING_MORE) {
		/*
		 * Another thread emptied it while this one found it full. Who fills
		 * it just now instead has been told, and wakes this one: to try again
		 * until he is done would be for ever if he has to wait for this CPU.
		 */
		cond_resched();
		goto again;
	}
	return mask;
}

static __poll_t kmqtt_poll(struct file *filp, poll_table *wait)
{
	struct kmqtt_file *f = filp->private_data;
	struct kmqtt_ring *ring;
	__poll_t mask = 0;

	poll_wait(filp, &f->wait, wait);
	ring = smp_load_acquire(&f->ring); /* whole after set-up */
	if (READ_ONCE(f->closed))
		mask |= EPOLLHUP | EPOLLIN | EPOLLRDNORM;
	if (ring)
		mask |= kmqtt_file_poll_ring(f, ring);
	else if (kmqtt_file_pending(f))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (!kmqtt_file_blocked(f))
		mask |= EPOLLOUT | EPOLLWRNORM;
	return mask;
}

/* Waits for the uplinks. The range means nothing here. */
static int kmqtt_fsync(struct file *filp, loff_t start, loff_t end, int datasync)
{
	struct kmqtt_file *f = filp->private_data;
	struct kmqtt_tracker *t = READ_ONCE(f->tracker);
	int ret;

	if (!t)
		return 0;
	ret = wait_event_interruptible(t->wait, kmqtt_tracker_idle(t));
	if (ret)
		return ret;
	return atomic_xchg(&t->reason, 0) >= 0x80 ? -EPROTO : 0;
}

static int kmqtt_mmap(struct file *filp, struct vm_area_struct *vma)
{
	struct kmqtt_file *f = filp->private_data;
	struct kmqtt_ring *ring = smp_load_acquire(&f->ring); /* whole after set-up */

	return ring ? kmqtt_ring_mmap(ring, vma) : -EINVAL;
}

static int kmqtt_open(struct inode *inode, struct file *filp)
{
	struct net *net = current->nsproxy->net_ns;
	struct kmqtt_session_params params = { .kind = KMQTT_KIND_LOCAL };
	struct kmqtt_file *f;
	bool present;

	f = kzalloc_obj(*f, GFP_KERNEL_ACCOUNT);
	if (!f)
		return -ENOMEM;
	f->port.ops = &kmqtt_file_port_ops;
	f->port.run_version = KMQTT_RUN_ANY;
	f->port.run_max = KMQTT_FILE_RUN_MAX;
	f->run_pause = 1;
	mutex_init(&f->lock);
	init_waitqueue_head(&f->wait);
	spin_lock_init(&f->full_lock);
	f->full_wait.file = f;
	init_waitqueue_func_entry(&f->full_wait.entry, kmqtt_space_wake);
	f->broker = kmqtt_broker_of(net);
	f->session = kmqtt_file_open_session(f, filp->f_cred, &params, &present);
	if (IS_ERR(f->session)) {
		int err = PTR_ERR(f->session);

		kfree(f);
		return err;
	}
	kmqtt_session_set_online(f->session, &f->port, true);
	f->net = get_net_track(net, &f->ns_tracker, GFP_KERNEL);
	filp->private_data = f;
	filp->f_mode |= FMODE_NOWAIT;
	return stream_open(inode, filp);
}

static int kmqtt_release(struct inode *inode, struct file *filp)
{
	struct kmqtt_file *f = filp->private_data;

	kmqtt_session_detach(f->session, &f->port, 0);
	kmqtt_file_set_full(f, NULL);
	if (f->ring) {
		/* Publishers may be filling it; its memory cannot go by RCU. */
		synchronize_rcu();
		kmqtt_ring_free(f->ring);
	}
	if (f->first)
		kmqtt_session_put(f->first);
	kmqtt_tracker_put(f->tracker);
	put_net_track(f->net, &f->ns_tracker);
	kfree_rcu(f, rcu);
	return 0;
}

static const struct file_operations kmqtt_fops = {
	.owner = THIS_MODULE,
	.open = kmqtt_open,
	.release = kmqtt_release,
	.read_iter = kmqtt_read_iter,
	.write_iter = kmqtt_write_iter,
	.poll = kmqtt_poll,
	.fsync = kmqtt_fsync,
	.mmap = kmqtt_mmap,
	.unlocked_ioctl = kmqtt_file_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice kmqtt_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "kmqtt",
	.fops = &kmqtt_fops,
	.mode = 0660,
};

int kmqtt_chardev_init(void)
{
	return misc_register(&kmqtt_device);
}

void kmqtt_chardev_exit(void)
{
	misc_deregister(&kmqtt_device);
}

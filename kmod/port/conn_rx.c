// SPDX-License-Identifier: GPL-2.0
/*
 * Receiving: from the socket into one scratch buffer, which a connection has only
 * while it receives; whole packets are used in place. Of what is not whole, the
 * payload of a PUBLISH goes into its message, anything else into a buffer that
 * grows with what has really come.
 *
 * All in io_work, no lock held.
 */
#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/net.h>
#include <linux/slab.h>
#include <net/sock.h>

#include "core/broker.h"
#include "core/copy.h"
#include "core/message.h"
#include "port/conn.h"

/* Begin of a packet: grown at least by this many bytes. */
#define KMQTT_PART_STEP	64

/*
 * A begin of a packet that needs more counts against memory_limit. What is shorter is a
 * connection's own, as its socket's buffers are: when the limit is reached, nobody is disconnected
 * because his packet happened to come in two pieces.
 */
#define KMQTT_PART_FREE		(64 * 1024)

/* What is received at once behind a payload that is larger than the scratch. */
#define KMQTT_RX_BEHIND	256

/* What has come alone and is no more than this goes on at once. */
#define KMQTT_RX_LITTLE	1024

/**
 * struct kmqtt_cursor - what was received and not used yet
 * @p:		next byte
 * @left:	bytes left
 */
struct kmqtt_cursor {
	const u8 *p;
	size_t left;
};

static void kmqtt_cursor_skip(struct kmqtt_cursor *c, size_t n)
{
	c->p += n;
	c->left -= n;
}

static void kmqtt_rx_part_free(struct kmqtt_conn *conn)
{
	struct kmqtt_rx *rx = &conn->rx;

	if (rx->part_cap > KMQTT_PART_FREE)
		kmqtt_memory_uncharge(conn->broker, rx->part_cap);
	kvfree(rx->part);
	rx->part = NULL;
	rx->part_len = 0;
	rx->part_cap = 0;
}

void kmqtt_conn_rx_drop(struct kmqtt_conn *conn)
{
	struct kmqtt_rx *rx = &conn->rx;

	if (rx->msg)
		kmqtt_msg_put(rx->msg);
	kmqtt_rx_part_free(conn);
	kvfree(rx->rest);
	memset(rx, 0, sizeof(*rx));
}

/* Return: as ->published() */
static int kmqtt_rx_published(struct kmqtt_conn *conn)
{
	struct kmqtt_rx *rx = &conn->rx;
	int ret = conn->ops->published(conn);

	if (ret == -EAGAIN)
		return ret;
	if (rx->msg)
		kmqtt_msg_put(rx->msg);
	rx->msg = NULL;
	rx->in_body = false;
	return ret;
}

static u8 *kmqtt_rx_body_pos(const struct kmqtt_rx *rx)
{
	return kmqtt_msg_payload(rx->msg) + rx->msg->payload_len - rx->body_left;
}

/* Takes what belongs to the payload. Return: as ->published(), 0 if it is not whole */
static int kmqtt_rx_body(struct kmqtt_conn *conn, struct kmqtt_cursor *c)
{
	struct kmqtt_rx *rx = &conn->rx;
	size_t n = min_t(size_t, c->left, rx->body_left);

	if (rx->msg && n)
		kmqtt_copy(kmqtt_rx_body_pos(rx), c->p, n);
	rx->body_left -= n;
	kmqtt_cursor_skip(c, n);
	return rx->body_left ? 0 : kmqtt_rx_published(conn);
}

/*
 * Tries to begin a PUBLISH with what is at the cursor: @f is its fixed header,
 * still before the cursor's position. Return: 1: begun, or the reason code
 * negated; 0: its head is not wholly there.
 */
static int kmqtt_rx_publish(struct kmqtt_conn *conn, const struct kmqtt_fixed *f,
			    struct kmqtt_cursor *c)
{
	struct kmqtt_publish pub __uninitialized;
	u8 rc = 0;
	int n, ret;

	n = kmqtt_publish_head_decode(f, c->p + f->hdr_len, c->left - f->hdr_len,
				      conn->version, kmqtt_memo_topic(conn->stream.memo),
				      &pub, &rc);
	if (n < 0)
		return -rc;
	if (!n)
		return 0;
	ret = conn->ops->publish(conn, &pub, &conn->rx.msg);
	if (ret)
		return -ret;
	conn->rx.in_body = true;
	conn->rx.body_left = pub.payload.len;
	kmqtt_cursor_skip(c, f->hdr_len + n);
	return 1;
}

/*
 * Takes one packet, or the head of a PUBLISH, at the cursor.
 * Return: 1: taken; 0: more bytes are needed, *@want is how many the whole packet
 * has, as far as that is known; negated reason code.
 */
static int kmqtt_rx_packet(struct kmqtt_conn *conn, struct kmqtt_cursor *c, u32 *want)
{
	struct kmqtt_fixed f;
	u8 rc = 0;
	int n;

	n = kmqtt_fixed_decode(c->p, c->left, &f, &rc);
	if (n < 0)
		return -rc;
	*want = KMQTT_FIXED_MAX;
	if (!n)
		return 0;
	*want = f.hdr_len + f.remaining;
	if (*want > conn->max_packet)
		return -KMQTT_RC_PACKET_TOO_LARGE;
	if (f.type == KMQTT_PUBLISH) {
		n = kmqtt_rx_publish(conn, &f, c);
		if (n > 0)
			conn->packets_received++;
		return n;
	}
	if (c->left < *want)
		return 0;
	conn->packets_received++;
	n = conn->ops->packet(conn, &f, f.remaining ? c->p + f.hdr_len : NULL);
	kmqtt_cursor_skip(c, *want);
	return n ? -n : 1;
}

/* Room for so many bytes of a packet. Return: 0 or -ENOMEM */
static int kmqtt_rx_part_grow(struct kmqtt_conn *conn, u32 cap)
{
	struct kmqtt_rx *rx = &conn->rx;
	bool counts = cap > KMQTT_PART_FREE;
	u32 len = rx->part_len;
	u8 *part;

	if (counts && !kmqtt_memory_charge(conn->broker, cap))
		return -ENOMEM;
	part = kvmalloc(cap, GFP_KERNEL);
	if (!part) {
		if (counts)
			kmqtt_memory_uncharge(conn->broker, cap);
		return -ENOMEM;
	}
	if (len)
		memcpy(part, rx->part, len);
	kmqtt_rx_part_free(conn);
	rx->part = part;
	rx->part_len = len;
	rx->part_cap = cap;
	return 0;
}

/* Keeps @n more bytes of a packet that is not whole. Return: 0 or -ENOMEM */
static int kmqtt_rx_keep(struct kmqtt_conn *conn, struct kmqtt_cursor *c, size_t n)
{
	struct kmqtt_rx *rx = &conn->rx;
	u32 len = rx->part_len + n;
	int ret;

	if (len > rx->part_cap) {
		ret = kmqtt_rx_part_grow(conn, max3(len, 2 * rx->part_cap, (u32)KMQTT_PART_STEP));
		if (ret)
			return ret;
	}
	memcpy(rx->part + rx->part_len, c->p, n);
	rx->part_len += n;
	kmqtt_cursor_skip(c, n);
	return 0;
}

/*
 * Goes on with the packet in @part. What else is there is added in steps, since a
 * PUBLISH needs only its head; the rest of @part is then its payload.
 */
static int kmqtt_rx_part(struct kmqtt_conn *conn, struct kmqtt_cursor *c)
{
	struct kmqtt_rx *rx = &conn->rx;
	struct kmqtt_cursor in;
	u32 want, step;
	int ret;

	for (;;) {
		in.p = rx->part;
		in.left = rx->part_len;
		ret = kmqtt_rx_packet(conn, &in, &want);
		if (ret)
			break;
		if (!c->left)
			return 0;
		step = want > rx->part_len ? want - rx->part_len : 1;
		if (want == KMQTT_FIXED_MAX)
			step = 1;
		step = min_t(u32, step, max_t(u32, rx->part_len, KMQTT_PART_STEP));
		if (kmqtt_rx_keep(conn, c, min_t(size_t, step, c->left)))
			return -KMQTT_RC_QUOTA_EXCEEDED;
	}
	if (ret > 0 && rx->in_body)
		ret = kmqtt_rx_body(conn, &in);
	else if (ret > 0)
		ret = 0;
	kmqtt_rx_part_free(conn);
	return ret;
}

/*
 * Takes PUBLISH packets that are alike at once. Return: false: there are none; to look
 * for them again in the same bytes would cost more than it brings.
 */
static bool kmqtt_rx_run(struct kmqtt_conn *conn, struct kmqtt_cursor *c)
{
	size_t n = conn->ops->run ? conn->ops->run(conn, c->p, c->left) : 0;

	kmqtt_cursor_skip(c, n);
	return n;
}

/* Return: 0: all used; -EAGAIN: paused; a reason code, negated or as ->published() */
static int kmqtt_rx_feed(struct kmqtt_conn *conn, struct kmqtt_cursor *c)
{
	struct kmqtt_rx *rx = &conn->rx;
	bool runs = true;
	u32 want;
	int ret = 0;

	while (!ret && (c->left || (rx->in_body && !rx->body_left))) {
		if (kmqtt_conn_ending(conn))
			return 0;
		if (test_bit(KMQTT_CONN_HELD, &conn->flags))
			return -EAGAIN;
		if (rx->in_body) {
			ret = kmqtt_rx_body(conn, c);
		} else if (rx->part_len) {
			ret = kmqtt_rx_part(conn, c);
		} else if (runs && kmqtt_rx_run(conn, c)) {
			continue;
		} else {
			runs = false;
			ret = kmqtt_rx_packet(conn, c, &want);
			if (ret > 0)
				ret = 0;
			else if (!ret && kmqtt_rx_keep(conn, c, c->left))
				ret = -KMQTT_RC_QUOTA_EXCEEDED;
		}
	}
	return ret;
}

/* Keeps what came behind a message that could not be taken, or that has to wait. */
static int kmqtt_rx_pause(struct kmqtt_conn *conn, const struct kmqtt_cursor *c)
{
	struct kmqtt_rx *rx = &conn->rx;
	u8 *rest = NULL;

	set_bit(KMQTT_CONN_PAUSED, &conn->flags);
	if (c->left) {
		rest = kvmalloc(c->left, GFP_KERNEL);
		if (!rest)
			return -ENOMEM;
		memcpy(rest, c->p, c->left);
	}
	kvfree(rx->rest);
	rx->rest = rest;
	rx->rest_len = c->left;
	return 0;
}

/*
 * Tell who has got something. A little that came alone, with nothing else to do, goes on from
 * here; what is much, or one of many, is collected by who sends it.
 */
static void kmqtt_rx_wake(struct kmqtt_conn *conn, bool little)
{
	if (little && kmqtt_conn_idle(conn))
		kmqtt_wakes_send(&conn->stream.wakes);
	else
		kmqtt_wakes_flush(&conn->stream.wakes);
}

/* @little: of what is received at a time it is all, and not much. Return: may it go on reading? */
static bool kmqtt_rx_use(struct kmqtt_conn *conn, const u8 *p, size_t len, bool little)
{
	struct kmqtt_cursor c = { .p = p, .left = len };
	int ret = kmqtt_rx_feed(conn, &c);

	kmqtt_rx_wake(conn, little);
	if (ret == -EAGAIN) {
		if (kmqtt_rx_pause(conn, &c))
			kmqtt_conn_fail(conn, ENOMEM, KMQTT_RC_QUOTA_EXCEEDED);
		return false;
	}
	if (ret) {
		kmqtt_conn_fail(conn, EBADMSG, ret < 0 ? -ret : ret);
		return false;
	}
	return true;
}

/*
 * Has a TCP socket given all that it has? Then it will tell of more; but of an end
 * that came with the last bytes it has told already.
 */
static bool kmqtt_rx_drained(const struct kmqtt_conn *conn, size_t wanted, int got)
{
	const struct sock *sk = conn->sock->sk;

	return got < wanted && sk_is_tcp(sk) && !test_bit(KMQTT_CONN_TLS, &conn->flags) &&
	       READ_ONCE(sk->sk_state) == TCP_ESTABLISHED && !READ_ONCE(sk->sk_err);
}

/*
 * One recvmsg: the rest of a payload straight into its message, then the scratch.
 * Return: 1: there may be more; 0 at the end of the stream; -EAGAIN: there is no
 * more; other -errno
 */
static int kmqtt_rx_once(struct kmqtt_conn *conn, u8 *scratch)
{
	struct msghdr msg = { .msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL };
	struct kmqtt_rx *rx = &conn->rx;
	struct kvec iov[2];
	size_t direct = 0, behind = KMQTT_CONN_SCRATCH, wanted;
	bool drained;
	int n = 0, ret;

	if (rx->msg && rx->body_left) {
		direct = rx->body_left;
		iov[n].iov_base = kmqtt_rx_body_pos(rx);
		iov[n++].iov_len = direct;
	}
	/* behind a large payload there is the head of the next one, often, and no more is copied */
	if (direct >= KMQTT_CONN_SCRATCH)
		behind = KMQTT_RX_BEHIND;
	iov[n].iov_base = scratch;
	iov[n++].iov_len = behind;
	wanted = direct + behind;
	ret = kernel_recvmsg(conn->sock, &msg, iov, n, wanted, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (unlikely(msg.msg_flags & MSG_CTRUNC) && (!ret || ret == -EIO)) {
		ret = kmqtt_conn_tls_control(conn);
		if (ret > 0)
			conn->bytes_received += ret;
		return ret;
	}
	if (ret <= 0)
		return ret;
	drained = kmqtt_rx_drained(conn, wanted, ret);
	conn->last_rx = jiffies;
	conn->bytes_received += ret;
	if (!test_bit(KMQTT_CONN_FINISHING, &conn->flags)) {
		direct = min_t(size_t, direct, ret);
		rx->body_left -= direct;
		kmqtt_rx_use(conn, scratch, ret - direct, drained && ret <= KMQTT_RX_LITTLE);
	}
	return drained ? -EAGAIN : 1;
}

/* Return: may it read? */
static bool kmqtt_rx_resume(struct kmqtt_conn *conn)
{
	struct kmqtt_rx *rx = &conn->rx;
	u8 *rest;
	bool ok;

	if (test_bit(KMQTT_CONN_HELD, &conn->flags))
		return false;
	/* held while a payload was coming, it is not whole yet */
	if (test_and_clear_bit(KMQTT_CONN_PAUSED, &conn->flags) &&
	    rx->in_body && !rx->body_left) {
		ok = !conn->ops->resume(conn);
		kmqtt_wakes_flush(&conn->stream.wakes);
		if (!ok) {
			set_bit(KMQTT_CONN_PAUSED, &conn->flags);
			return false;
		}
		if (rx->msg)
			kmqtt_msg_put(rx->msg);
		rx->msg = NULL;
		rx->in_body = false;
	}
	if (!rx->rest)
		return true;
	rest = rx->rest;
	rx->rest = NULL;
	ok = kmqtt_rx_use(conn, rest, rx->rest_len, false);
	kvfree(rest);
	return ok;
}

/*
 * While nothing is read the socket is asked for its end. File descriptors, which
 * are closed as what they come with is read, may not wait there either: one may be
 * the other end of this very connection, which would then never be closed.
 */
static void kmqtt_rx_check(struct kmqtt_conn *conn)
{
	struct sock *sk = conn->sock->sk;

	if (READ_ONCE(sk->sk_state) == TCP_CLOSE)
		kmqtt_conn_fail(conn, -sock_error(sk) ?: EPIPE, 0);
	else if (kmqtt_sock_has_fds(sk))
		kmqtt_conn_fail(conn, EBADMSG, KMQTT_RC_PROTOCOL_ERROR);
}

static void kmqtt_rx_count(struct kmqtt_conn *conn, u64 bytes, u64 packets)
{
	if (bytes)
		kmqtt_stats_add(conn->broker->stats, KMQTT_STAT_BYTES_RECEIVED, bytes);
	if (packets)
		kmqtt_stats_add(conn->broker->stats, KMQTT_STAT_PACKETS_RECEIVED, packets);
}

/* The stream has ended, or broke. That is no error if we have closed our side. */
static void kmqtt_rx_ended(struct kmqtt_conn *conn, int ret)
{
	if (!ret || ret == -EPIPE)
		set_bit(KMQTT_CONN_EOF, &conn->flags);
	set_bit(KMQTT_CONN_FAILED, &conn->flags);
	if (!test_bit(KMQTT_CONN_FINISHING, &conn->flags) && !conn->error && !conn->reason)
		conn->error = ret ? -ret : EPIPE;
}

static bool kmqtt_rx_stopped(const struct kmqtt_conn *conn)
{
	return test_bit(KMQTT_CONN_PAUSED, &conn->flags) ||
	       (test_bit(KMQTT_CONN_HELD, &conn->flags) &&
		!test_bit(KMQTT_CONN_FINISHING, &conn->flags));
}

/* Is there nothing to do for the receiver? */
static bool kmqtt_rx_quiet(struct kmqtt_conn *conn)
{
	return !test_and_clear_bit(KMQTT_CONN_READABLE, &conn->flags) && !conn->rx.rest &&
	       !test_bit(KMQTT_CONN_PAUSED, &conn->flags);
}

bool kmqtt_conn_rx(struct kmqtt_conn *conn)
{
	u64 bytes = conn->bytes_received, packets = conn->packets_received;
	bool more = false;
	u8 *scratch;
	int ret = 0;

	if (kmqtt_rx_quiet(conn))
		return false;
	if (!test_bit(KMQTT_CONN_FINISHING, &conn->flags)) {
		if (!kmqtt_rx_resume(conn))
			kmqtt_rx_check(conn);
		if (kmqtt_rx_stopped(conn)) {
			set_bit(KMQTT_CONN_READABLE, &conn->flags);
			return false;
		}
	}
	scratch = kmqtt_scratch_get();
	while (!test_bit(KMQTT_CONN_FAILED, &conn->flags) && !kmqtt_rx_stopped(conn)) {
		if (test_bit(KMQTT_CONN_FINISH, &conn->flags) &&
		    !test_bit(KMQTT_CONN_FINISHING, &conn->flags))
			break;
		/* the rest is read when what it makes us say is sent */
		if (conn->ctrl_bytes > KMQTT_CONN_CTRL_MAX)
			break;
		more = conn->bytes_received - bytes >= KMQTT_CONN_RX_BUDGET;
		if (more)
			break;
		ret = kmqtt_rx_once(conn, scratch);
		if (ret == -EAGAIN)
			break;
		if (ret <= 0)
			kmqtt_rx_ended(conn, ret);
	}
	kmqtt_scratch_put(scratch);
	if (ret != -EAGAIN || kmqtt_rx_stopped(conn))
		set_bit(KMQTT_CONN_READABLE, &conn->flags);
	if (kmqtt_rx_stopped(conn) || conn->ctrl_bytes > KMQTT_CONN_CTRL_MAX)
		kmqtt_rx_check(conn);
	kmqtt_rx_count(conn, conn->bytes_received - bytes,
		       conn->packets_received - packets);
	return more;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Sending: all that waits is collected into one batch, and a batch is one
 * sendmsg. What the socket does not take stays in the batch until there is room.
 * A large body goes by itself, not copied: the socket gets its pages.
 *
 * All in io_work, no lock held.
 */
#include <linux/bitops.h>
#include <linux/bvec.h>
#include <linux/errno.h>
#include <linux/jiffies.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/net.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/uio.h>
#include <net/sock.h>

#include "compat.h"
#include "core/broker.h"
#include "port/conn.h"

#define KMQTT_CHUNK_MIN	512
/* so much counts against nobody */
#define KMQTT_CHUNK_FREE	4096

/* pages that a socket gets at a time */
#define KMQTT_TX_PAGES	17

static struct kmqtt_chunk *kmqtt_chunk_new(u32 cap)
{
	struct kmqtt_chunk *chunk = kvmalloc(struct_size(chunk, data, cap), GFP_KERNEL);

	if (!chunk)
		return NULL;
	chunk->charged = NULL;
	chunk->len = 0;
	chunk->packets = 0;
	chunk->cap = cap;
	return chunk;
}

static void kmqtt_chunk_free(struct kmqtt_chunk *chunk)
{
	if (chunk->charged)
		kmqtt_memory_uncharge(chunk->charged, chunk->cap);
	kvfree(chunk);
}

static void kmqtt_chunk_free_list(struct list_head *list)
{
	struct kmqtt_chunk *chunk, *next;

	list_for_each_entry_safe(chunk, next, list, link)
		kmqtt_chunk_free(chunk);
}

/* For packets of our own. @charged: against whose memory_limit they count; NULL: nobody's */
static struct kmqtt_chunk *kmqtt_chunk_new_ctrl(struct kmqtt_broker *charged, u32 len)
{
	struct kmqtt_chunk *chunk;

	if (!charged)
		return kmqtt_chunk_new(max_t(u32, len, KMQTT_CHUNK_MIN));
	if (!kmqtt_memory_charge(charged, len))
		return NULL;
	chunk = kmqtt_chunk_new(len);
	if (chunk)
		chunk->charged = charged;
	else
		kmqtt_memory_uncharge(charged, len);
	return chunk;
}

static u8 *kmqtt_conn_make_room(struct kmqtt_conn *conn, struct kmqtt_broker *charged, u32 len)
{
	struct kmqtt_chunk *chunk = NULL;
	u8 *p;

	if (!list_empty(&conn->ctrl))
		chunk = list_last_entry(&conn->ctrl, struct kmqtt_chunk, link);
	if (!chunk || chunk->cap - chunk->len < len) {
		chunk = kmqtt_chunk_new_ctrl(charged, len);
		if (!chunk) {
			kmqtt_conn_fail(conn, charged ? ENOBUFS : ENOMEM,
					charged ? KMQTT_RC_QUOTA_EXCEEDED : 0);
			return NULL;
		}
		list_add_tail(&chunk->link, &conn->ctrl);
	}
	p = chunk->data + chunk->len;
	chunk->len += len;
	chunk->packets++;
	conn->ctrl_bytes += len;
	return p;
}

u8 *kmqtt_conn_reserve(struct kmqtt_conn *conn, u32 len)
{
	return kmqtt_conn_make_room(conn, NULL, len);
}

/* A long one stays for as long as the peer does not read. */
u8 *kmqtt_conn_reserve_counted(struct kmqtt_conn *conn, u32 len)
{
	return kmqtt_conn_make_room(conn, len > KMQTT_CHUNK_FREE ? conn->broker : NULL, len);
}

u8 *kmqtt_tx_head(struct kmqtt_tx *tx, u32 len)
{
	u8 *p = kmqtt_tx_peek(tx, len);
	struct kmqtt_chunk *chunk;

	if (p)
		return p;
	chunk = kmqtt_chunk_new(len);
	if (!chunk)
		return NULL;
	list_add_tail(&chunk->link, &tx->chunks);
	return chunk->data;
}

static void kmqtt_tx_put(struct kmqtt_tx *tx)
{
	unsigned int i;

	for (i = 0; i < tx->nd; i++)
		kmqtt_delivery_put(&tx->d[i]);
	kmqtt_chunk_free_list(&tx->chunks);
	kmqtt_tx_free(tx);
}

void kmqtt_conn_tx_drop(struct kmqtt_conn *conn)
{
	if (conn->tx)
		kmqtt_tx_put(conn->tx);
	conn->tx = NULL;
	kmqtt_chunk_free_list(&conn->ctrl);
	INIT_LIST_HEAD(&conn->ctrl);
	conn->ctrl_bytes = 0;
}

bool kmqtt_conn_tx_idle(const struct kmqtt_conn *conn)
{
	return !conn->tx && list_empty(&conn->ctrl);
}

/* Own packets go into the batch. They leave room for messages. */
static void kmqtt_tx_take_ctrl(struct kmqtt_conn *conn, struct kmqtt_tx *tx)
{
	struct kmqtt_chunk *chunk;

	while (!list_empty(&conn->ctrl) && !kmqtt_tx_full(tx)) {
		chunk = list_first_entry(&conn->ctrl, struct kmqtt_chunk, link);
		list_move_tail(&chunk->link, &tx->chunks);
		conn->ctrl_bytes -= chunk->len;
		tx->packets += chunk->packets;
		kmqtt_tx_add(tx, chunk->data, chunk->len);
	}
}

/* Is there anything to make a batch of? */
static bool kmqtt_tx_wanted(struct kmqtt_conn *conn)
{
	return !list_empty(&conn->ctrl) || !conn->ops->pending || conn->ops->pending(conn);
}

/* Return: a batch to send, or NULL if there is nothing (or no memory: it fails) */
static struct kmqtt_tx *kmqtt_tx_fill(struct kmqtt_conn *conn)
{
	struct kmqtt_tx *tx = kmqtt_tx_alloc();

	if (!tx) {
		kmqtt_conn_fail(conn, ENOMEM, 0);
		return NULL;
	}
	kmqtt_tx_take_ctrl(conn, tx);
	if (!test_bit(KMQTT_CONN_FINISH, &conn->flags)) {
		conn->ops->refill(conn, tx);
		kmqtt_tx_take_ctrl(conn, tx);
	}
	if (tx->nvec)
		return tx;
	kmqtt_tx_put(tx);
	return NULL;
}

/* The first piece, by its pages, or as much of it as goes at a time. Return: as sendmsg() */
static int kmqtt_tx_send_pages(struct kmqtt_conn *conn, const struct kmqtt_tx *tx,
			       struct msghdr *msg)
{
	const void *p = tx->vec[tx->next].iov_base;
	size_t left = tx->vec[tx->next].iov_len, len = 0;
	struct bio_vec vec[KMQTT_TX_PAGES];
	unsigned int n;

	for (n = 0; left && n < KMQTT_TX_PAGES; n++) {
		size_t part = min_t(size_t, left, PAGE_SIZE - offset_in_page(p));

		vec[n].bv_page = is_vmalloc_addr(p) ? vmalloc_to_page(p) : virt_to_page(p);
		vec[n].bv_offset = offset_in_page(p);
		vec[n].bv_len = part;
		p += part;
		left -= part;
		len += part;
	}
	if (len < tx->bytes)
		msg->msg_flags |= MSG_MORE;
	iov_iter_bvec(&msg->msg_iter, ITER_SOURCE, vec, n, len);
	return kmqtt_sendmsg_pages(conn->sock, msg);
}

/* What is to be sent, or what stands before a piece that goes by its pages. Return: likewise */
static int kmqtt_tx_send_some(struct kmqtt_conn *conn, struct kmqtt_tx *tx)
{
	struct msghdr msg = { .msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL };
	unsigned int end = tx->nvec, i;
	size_t len = tx->bytes;

	/* what kTLS encrypts is copied all the same */
	if (sk_is_tcp(conn->sock->sk) && !test_bit(KMQTT_CONN_TLS, &conn->flags))
		end = find_next_bit(tx->paged, tx->nvec, tx->next);
	if (end == tx->next)
		return kmqtt_tx_send_pages(conn, tx, &msg);
	if (end < tx->nvec) {
		msg.msg_flags |= MSG_MORE;
		for (len = 0, i = tx->next; i < end; i++)
			len += tx->vec[i].iov_len;
	}
	return kernel_sendmsg(conn->sock, &msg, tx->vec + tx->next, end - tx->next, len);
}

/* Return: 0: sent wholly; -EAGAIN: the socket is full; other -errno */
static int kmqtt_tx_send(struct kmqtt_conn *conn, struct kmqtt_tx *tx)
{
	struct kvec *v;
	int ret;

	set_bit(KMQTT_CONN_STALLED, &conn->flags);
	ret = kmqtt_tx_send_some(conn, tx);
	if (ret <= 0)
		return ret ? ret : -EAGAIN;
	conn->bytes_sent += ret;
	conn->last_tx = jiffies;
	tx->bytes -= ret;
	if (!tx->bytes) {
		clear_bit(KMQTT_CONN_STALLED, &conn->flags);
		return 0;
	}
	/* kernel_sendmsg() leaves the pieces as they were */
	for (v = tx->vec + tx->next; ret >= v->iov_len; v++) {
		ret -= v->iov_len;
		tx->next++;
	}
	v->iov_base += ret;
	v->iov_len -= ret;
	return 1;
}

static void kmqtt_tx_count(struct kmqtt_conn *conn, u64 bytes, u64 packets)
{
	if (bytes)
		kmqtt_stats_add(conn->broker->stats, KMQTT_STAT_BYTES_SENT, bytes);
	if (packets)
		kmqtt_stats_add(conn->broker->stats, KMQTT_STAT_PACKETS_SENT, packets);
}

bool kmqtt_conn_tx(struct kmqtt_conn *conn)
{
	u64 bytes = conn->bytes_sent, packets = conn->packets_sent;
	bool held = conn->ctrl_bytes > KMQTT_CONN_CTRL_MAX;
	unsigned int n = 0;
	int ret = 0;

	while (n < KMQTT_CONN_TX_BUDGET && !test_bit(KMQTT_CONN_FAILED, &conn->flags)) {
		if (!conn->tx && kmqtt_tx_wanted(conn))
			conn->tx = kmqtt_tx_fill(conn);
		if (!conn->tx)
			break;
		ret = kmqtt_tx_send(conn, conn->tx);
		if (ret == -EAGAIN)
			break;
		n++;
		if (ret > 0)
			continue;
		if (ret) {
			set_bit(KMQTT_CONN_FAILED, &conn->flags);
			if (!conn->error && !conn->reason)
				conn->error = -ret;
			break;
		}
		conn->packets_sent += conn->tx->packets;
		kmqtt_tx_put(conn->tx);
		conn->tx = NULL;
	}
	kmqtt_tx_count(conn, conn->bytes_sent - bytes, conn->packets_sent - packets);
	return n == KMQTT_CONN_TX_BUDGET ||
	       (held && conn->ctrl_bytes <= KMQTT_CONN_CTRL_MAX);
}

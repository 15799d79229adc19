/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A connection: a stream socket that speaks MQTT, whichever side of it we are.
 *
 * It finds the packets in what comes, collects what is to be sent, and knows
 * nothing of sessions or handshakes: its owner does, by its ops.
 *
 * Who runs when: the socket's callbacks (softirq) and kmqtt_conn_kick() (any
 * context) only queue the work item io_work. It receives, then sends, within
 * budgets, and requeues itself; a work item never runs twice at a time, so what
 * only it touches needs no lock. All ops but ->closed() run in it. But for one: who
 * has a message for this connection, and no other work waits, may send it for it by
 * kmqtt_conn_send(): the bit KMQTT_CONN_BUSY lets one of the two in. The end is a
 * second work item, close_work, which takes the socket away from the callbacks,
 * waits for io_work, releases the socket and calls ->closed().
 *
 * Locks: none held when an op is called. Taken inside, outer first: lock_sock()
 * -> sk_callback_lock (bh). &kmqtt_handed.lock is taken with no other held but those
 * of the owner that starts it; inside it, only that of an AF_UNIX socket.
 */
#ifndef KMQTT_PORT_CONN_H
#define KMQTT_PORT_CONN_H

#include <linux/bitmap.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/timer.h>
#include <linux/types.h>
#include <linux/uio.h>
#include <linux/workqueue.h>

#include "core/session.h"
#include "proto/packet.h"

struct file;
struct net;
struct sock;
struct sockaddr_storage;
struct socket;
struct kmqtt_broker;
struct kmqtt_conn;

#define KMQTT_CONN_SCRATCH	16384	/* bytes of one recvmsg */
#define KMQTT_CONN_RX_BUDGET	(256 * 1024) /* bytes received in one run */
#define KMQTT_CONN_TX_BUDGET	16	/* batches sent in one run */
#define KMQTT_CONN_CTRL_MAX	65536	/* own packets unsent: do not read on */
#define KMQTT_TX_VECS		64	/* pieces of one sendmsg */
#define KMQTT_TX_MESSAGES	32	/* messages of one sendmsg */
#define KMQTT_TX_BYTES		65536	/* bytes of one sendmsg, but for a larger message */
#define KMQTT_TX_HEADS		13312	/* bytes for heads and small bodies of PUBLISHes */
#define KMQTT_TX_SPARE		1024	/* of them, those that a batch is begun no more with */
#define KMQTT_TX_COPY		512	/* bytes of a body that is copied rather than held */
#define KMQTT_TX_PAGED		8192	/* bytes of one whose pages the socket gets, at least */

/**
 * struct kmqtt_tx - what goes into one sendmsg; there only while something is sent
 * @nvec:	how many pieces
 * @next:	first one that is not wholly sent
 * @nd:		deliveries in @d
 * @head_len:	bytes used of @head
 * @bytes:	in all
 * @packets:	how many
 * @paged:	by piece: it is of pages that the socket may refer to
 * @chunks:	struct kmqtt_chunk that pieces point to
 * @vec:	pieces
 * @d:		what pieces point to, to be let go when it has been sent
 * @head:	heads and small bodies of PUBLISHes
 *
 * From @vec on it is not zeroed.
 */
struct kmqtt_tx {
	unsigned int nvec;
	unsigned int next;
	unsigned int nd;
	unsigned int head_len;
	size_t bytes;
	unsigned int packets;
	DECLARE_BITMAP(paged, KMQTT_TX_VECS);
	struct list_head chunks;
	struct kvec vec[KMQTT_TX_VECS];
	struct kmqtt_delivery d[KMQTT_TX_MESSAGES];
	u8 head[KMQTT_TX_HEADS];
};

/**
 * struct kmqtt_chunk - a packet or several of our own, waiting to be sent
 * @link:	in conn->ctrl, then in tx->chunks
 * @charged:	against whose memory_limit @cap counts; NULL: nobody's
 * @len:	bytes used of @data
 * @cap:	bytes at @data
 * @packets:	packets in it
 * @data:	they
 */
struct kmqtt_chunk {
	struct list_head link;
	struct kmqtt_broker *charged;
	u32 len;
	u32 cap;
	u32 packets;
	u8 data[];
};

/**
 * struct kmqtt_conn_ops - what a connection asks of its owner
 * @ready:	the socket is connected. May be NULL
 * @packet:	a whole packet that is no PUBLISH has come. Return: 0, or the reason
 *		code for which the connection is to be closed (&enum kmqtt_reason)
 * @run:	PUBLISH packets begin here: take those at once that can be, if any can.
 *		Return: bytes of what was taken, whole packets; 0: none. May be NULL
 * @publish:	the head of a PUBLISH has come; sets *@msg to the message into which
 *		its payload is received, or NULL if that is to be skipped. Return: as
 *		@packet
 * @published:	the payload is there. Return: 0, or -EAGAIN: the message cannot be
 *		taken now. Then nothing is read, and @resume is asked whenever the
 *		connection is kicked
 * @resume:	try again. Return: as @published
 * @pending:	would @refill append anything? NULL: always asked
 * @refill:	append to the batch what is to be sent. Called when the last one has
 *		been sent; own packets that wait are in it already
 * @timer:	the time set by kmqtt_conn_timer() is over
 * @goodbye:	the connection is about to be closed by us: kmqtt_conn_reserve() may
 *		still add a DISCONNECT
 * @closed:	the last thing that is heard of the connection, from close_work. The
 *		owner may free it after kmqtt_conn_release()
 */
struct kmqtt_conn_ops {
	void (*ready)(struct kmqtt_conn *conn);
	int (*packet)(struct kmqtt_conn *conn, const struct kmqtt_fixed *f,
		      const u8 *body);
	size_t (*run)(struct kmqtt_conn *conn, const u8 *p, size_t left);
	int (*publish)(struct kmqtt_conn *conn, const struct kmqtt_publish *pub,
		       struct kmqtt_msg **msg);
	int (*published)(struct kmqtt_conn *conn);
	int (*resume)(struct kmqtt_conn *conn);
	bool (*pending)(struct kmqtt_conn *conn);
	void (*refill)(struct kmqtt_conn *conn, struct kmqtt_tx *tx);
	void (*timer)(struct kmqtt_conn *conn);
	void (*goodbye)(struct kmqtt_conn *conn);
	void (*closed)(struct kmqtt_conn *conn);
};

/**
 * enum kmqtt_conn_flag - bits of &kmqtt_conn.flags
 * @KMQTT_CONN_STARTED:		its socket is its own; until then io_work does nothing
 * @KMQTT_CONN_CONNECTING:	waits for the socket to be connected
 * @KMQTT_CONN_TIMER:		the timer has fired
 * @KMQTT_CONN_FINISH:		close it in good order: DISCONNECT, FIN, wait
 * @KMQTT_CONN_FINISHING:	what comes is thrown away until the peer closes
 * @KMQTT_CONN_SHUT:		FIN sent
 * @KMQTT_CONN_PAUSED:		a message could not be taken; nothing is read
 * @KMQTT_CONN_STALLED:		the socket takes no more for now
 * @KMQTT_CONN_FAILED:		is being closed
 * @KMQTT_CONN_CLOSED:		close_work has begun
 * @KMQTT_CONN_TLS:		a kTLS socket
 * @KMQTT_CONN_EOF:		the peer has closed in good order
 * @KMQTT_CONN_HELD:		the owner wants nothing to be read for now
 * @KMQTT_CONN_READABLE:	something may have come, or an end
 * @KMQTT_CONN_BUSY:		io_work runs, or kmqtt_conn_send()
 * @KMQTT_CONN_ALONE:		nothing but sockets from user space is left of its namespace
 */
enum kmqtt_conn_flag {
	KMQTT_CONN_STARTED,
	KMQTT_CONN_CONNECTING,
	KMQTT_CONN_TIMER,
	KMQTT_CONN_FINISH,
	KMQTT_CONN_FINISHING,
	KMQTT_CONN_SHUT,
	KMQTT_CONN_PAUSED,
	KMQTT_CONN_STALLED,
	KMQTT_CONN_FAILED,
	KMQTT_CONN_CLOSED,
	KMQTT_CONN_TLS,
	KMQTT_CONN_EOF,
	KMQTT_CONN_HELD,
	KMQTT_CONN_READABLE,
	KMQTT_CONN_BUSY,
	KMQTT_CONN_ALONE,
};

/**
 * struct kmqtt_rx - where the receiver stands between two runs
 * @msg:	message whose payload is coming, a reference, or NULL
 * @body_left:	bytes of a payload still to come, for @msg or to be skipped
 * @in_body:	a PUBLISH is being received (@body_left may be 0 when it is paused)
 * @part:	begin of a packet that is not whole, or NULL
 * @part_len:	bytes of it
 * @part_cap:	bytes at @part
 * @rest:	what was received behind a message that could not be taken, or NULL
 * @rest_len:	bytes of it
 */
struct kmqtt_rx {
	struct kmqtt_msg *msg;
	u32 body_left;
	bool in_body;
	u8 *part;
	u32 part_len;
	u32 part_cap;
	u8 *rest;
	u32 rest_len;
};

/**
 * struct kmqtt_conn - a connection; embedded in its owner's object
 * @ops:	constant
 * @broker:	switch whose counters count
 * @sock:	socket
 * @file:	its file, a reference, if user space made it, else NULL
 * @handed:	in &kmqtt_handed.list, under &kmqtt_handed.lock, if there is a @file
 * @io_work:	receives and sends
 * @close_work:	ends it
 * @timer:	the owner's one timer
 * @flags:	&enum kmqtt_conn_flag, atomic
 * @data_ready:	the socket's own callbacks
 * @state_change: likewise
 * @write_space: likewise
 * @version:	protocol level, for decoding
 * @reason:	reason code with which it is closed, for ->goodbye() and ->closed()
 * @peer_reason: the peer gave the reason: nothing is sent to it any more
 * @error:	positive errno that ended it, or 0
 * @max_packet:	largest packet that is taken, in bytes with its fixed header
 * @tls_head:	bytes that have come of a TLS handshake message's head, 1 to 3, else 0
 * @tls_left:	bytes of that message still to come; with @tls_head, what is known of it
 * @rx:		receiver
 * @stream:	who has got messages from it since the last recvmsg, and where they went
 * @tx:		batch that is being sent, or NULL
 * @ctrl:	struct kmqtt_chunk to be sent before anything else
 * @ctrl_bytes:	bytes in @ctrl
 * @last_rx:	jiffies when bytes came last
 * @last_tx:	jiffies when bytes went last
 * @bytes_received: since it was made
 * @bytes_sent:	since it was made
 * @packets_received: since it was made
 * @packets_sent: since it was made
 *
 * From @version on everything belongs to io_work (to the owner before it
 * starts, to close_work after it).
 */
struct kmqtt_conn {
	const struct kmqtt_conn_ops *ops;
	struct kmqtt_broker *broker;
	struct socket *sock;
	struct file *file;
	struct list_head handed;
	struct work_struct io_work;
	struct work_struct close_work;
	struct timer_list timer;
	unsigned long flags;
	void (*data_ready)(struct sock *sk);
	void (*state_change)(struct sock *sk);
	void (*write_space)(struct sock *sk);

	u8 version;
	u8 reason;
	bool peer_reason;
	int error;
	u32 max_packet;
	u8 tls_head;
	u32 tls_left;
	struct kmqtt_rx rx;
	struct kmqtt_stream stream;
	struct kmqtt_tx *tx;
	struct list_head ctrl;
	u32 ctrl_bytes;
	unsigned long last_rx;
	unsigned long last_tx;
	u64 bytes_received;
	u64 bytes_sent;
	u64 packets_received;
	u64 packets_sent;
};

/**
 * kmqtt_conn_setup() - a connection without a socket yet
 * @conn:	connection, zeroed
 * @ops:	what it asks
 * @broker:	its switch
 */
void kmqtt_conn_setup(struct kmqtt_conn *conn, const struct kmqtt_conn_ops *ops,
		      struct kmqtt_broker *broker);

/**
 * kmqtt_conn_connect() - make a TCP connection to somewhere
 * @conn:	set up; own packets may wait in it already
 * @net:	network namespace
 * @addr:	IPv4 or IPv6 address and port
 *
 * Does not wait: ->ready() or ->closed() tell. Process context.
 * Return: 0, or -errno if there is no socket; then the connection is as before.
 */
int kmqtt_conn_connect(struct kmqtt_conn *conn, struct net *net,
		       const struct sockaddr_storage *addr);

/**
 * kmqtt_conn_start() - use a connected socket that kmqtt_sock_get() gave
 * @conn:	set up
 * @sock:	socket; it and its file reference belong to the connection from now
 * @early:	bytes read from it before, from kvmalloc(), or NULL; taken over
 * @early_len:	their number
 *
 * Process context. Return: 0, -EBUSY, -ENOTCONN; then everything is as before.
 */
int kmqtt_conn_start(struct kmqtt_conn *conn, struct socket *sock, u8 *early,
		     u32 early_len);

/** kmqtt_conn_kick() - there is something to send, or resume. Any context */
void kmqtt_conn_kick(struct kmqtt_conn *conn);

/** kmqtt_conn_idle() - does no connection of its namespace wait for its turn? Any context */
bool kmqtt_conn_idle(const struct kmqtt_conn *conn);

/**
 * kmqtt_conn_send() - send here and now what it can take
 * @conn:	connection that does not go away meanwhile; it is not the caller's own
 *
 * Or kmqtt_conn_kick(), if it is at work already. Process context of a worker: a process
 * might be held up at any time, and the connection with it. May sleep, no locks held.
 */
void kmqtt_conn_send(struct kmqtt_conn *conn);

/** kmqtt_conn_cancel() - io_work does not run, and will not unless it is kicked. Sleeps */
void kmqtt_conn_cancel(struct kmqtt_conn *conn);

/**
 * kmqtt_conn_timer() - call ->timer() after @delay jiffies; replaces the last one
 *
 * From an op, or before the start.
 */
void kmqtt_conn_timer(struct kmqtt_conn *conn, unsigned long delay);

/**
 * kmqtt_conn_hold() - use nothing more of what comes until kmqtt_conn_unhold()
 *
 * From an op. What has come is kept, and the peer is soon held up by its window.
 */
static inline void kmqtt_conn_hold(struct kmqtt_conn *conn)
{
	set_bit(KMQTT_CONN_HELD, &conn->flags);
}

/** kmqtt_conn_ending() - is it about to be closed? Any context */
static inline bool kmqtt_conn_ending(const struct kmqtt_conn *conn)
{
	return test_bit(KMQTT_CONN_FINISH, &conn->flags) ||
	       test_bit(KMQTT_CONN_FAILED, &conn->flags);
}

/** kmqtt_conn_unhold() - go on reading. Any context */
void kmqtt_conn_unhold(struct kmqtt_conn *conn);

/**
 * kmqtt_conn_fail() - something is wrong: close it. From an op
 * @conn:	connection
 * @error:	positive errno, or 0
 * @reason:	MQTT reason code, for ->goodbye(); 0: nothing is said to the peer
 */
void kmqtt_conn_fail(struct kmqtt_conn *conn, int error, u8 reason);

/**
 * kmqtt_conn_finish() - close it in good order: what ->goodbye() says is sent, then
 *	the peer has a second to close its side. Any context; ->closed() tells
 */
void kmqtt_conn_finish(struct kmqtt_conn *conn);

/** kmqtt_conn_close() - close it at once. Any context; ->closed() tells */
void kmqtt_conn_close(struct kmqtt_conn *conn);

/**
 * kmqtt_conn_release() - wait until nothing of it runs any more
 *
 * After ->closed(), and a grace period after the last kmqtt_conn_kick() could
 * begin. Process context, sleeps. The owner may free it then.
 */
void kmqtt_conn_release(struct kmqtt_conn *conn);

/**
 * kmqtt_conn_reserve() - room for an own packet, to be sent before all else
 * @conn:	connection
 * @len:	its exact size
 *
 * From an op, or before the start. Return: where to write it; NULL: no memory,
 * the connection fails.
 */
u8 *kmqtt_conn_reserve(struct kmqtt_conn *conn, u32 len);

/** kmqtt_conn_reserve_counted() - likewise; what is long counts against memory_limit until sent */
u8 *kmqtt_conn_reserve_counted(struct kmqtt_conn *conn, u32 len);

/**
 * kmqtt_tx_head() - room for the head of a packet in a batch
 * @tx:		batch
 * @len:	bytes, all of which kmqtt_tx_add() has to make a piece
 *
 * Return: where to write it, or NULL: no memory.
 */
u8 *kmqtt_tx_head(struct kmqtt_tx *tx, u32 len);

/**
 * kmqtt_tx_peek() - room at the end of tx->head, not taken yet
 * Return: where to write up to @len bytes, of which kmqtt_tx_add() takes what is
 * used; NULL: there is not so much
 */
static inline u8 *kmqtt_tx_peek(struct kmqtt_tx *tx, u32 len)
{
	return len <= KMQTT_TX_HEADS - tx->head_len ? tx->head + tx->head_len : NULL;
}

/** kmqtt_tx_add() - append a piece to a batch that is not kmqtt_tx_full() */
static inline void kmqtt_tx_add(struct kmqtt_tx *tx, const void *data, size_t len)
{
	struct kvec *last = tx->nvec ? &tx->vec[tx->nvec - 1] : NULL;

	if (data == tx->head + tx->head_len)
		tx->head_len += len;
	tx->bytes += len;
	if (last && last->iov_base + last->iov_len == data && !test_bit(tx->nvec - 1, tx->paged)) {
		last->iov_len += len;
		return;
	}
	tx->vec[tx->nvec].iov_base = (void *)data;
	tx->vec[tx->nvec++].iov_len = len;
}

/** kmqtt_tx_add_body() - likewise, what is of @msg and ends with it */
static inline void kmqtt_tx_add_body(struct kmqtt_tx *tx, const struct kmqtt_msg *msg,
				     const void *data, size_t len)
{
	unsigned int at = tx->nvec;

	if (len < KMQTT_TX_PAGED || !kmqtt_msg_paged(msg)) {
		kmqtt_tx_add(tx, data, len);
		return;
	}
	tx->bytes += len;
	tx->vec[at].iov_base = (void *)data;
	tx->vec[at].iov_len = len;
	__set_bit(at, tx->paged);
	tx->nvec++;
}

/** kmqtt_tx_full() - has it room for one more message of two pieces? */
static inline bool kmqtt_tx_full(const struct kmqtt_tx *tx)
{
	return tx->nvec + 2 > KMQTT_TX_VECS || tx->nd == KMQTT_TX_MESSAGES ||
	       tx->bytes >= KMQTT_TX_BYTES ||
	       tx->head_len > KMQTT_TX_HEADS - KMQTT_TX_SPARE;
}

/* conn_rx.c, conn_tx.c, conn_sock.c: the parts of a connection */

/** kmqtt_conn_rx() - receive within the budget. Return: is there more to do? */
bool kmqtt_conn_rx(struct kmqtt_conn *conn);

/** kmqtt_conn_rx_drop() - forget what was received of packets that are not whole */
void kmqtt_conn_rx_drop(struct kmqtt_conn *conn);

/** kmqtt_conn_tx() - send within the budget. Return: is there more to do? */
bool kmqtt_conn_tx(struct kmqtt_conn *conn);

/** kmqtt_conn_tx_idle() - is nothing of ours waiting to be sent? */
bool kmqtt_conn_tx_idle(const struct kmqtt_conn *conn);

/** kmqtt_conn_tx_drop() - forget what was not sent */
void kmqtt_conn_tx_drop(struct kmqtt_conn *conn);

/**
 * kmqtt_conn_tls_control() - take a TLS record that is no data (conn_tls.c)
 * Return: its bytes, at least 1; -EAGAIN; other -errno: the connection is over
 */
int kmqtt_conn_tls_control(struct kmqtt_conn *conn);

/** kmqtt_conn_tls_bye() - tell the peer that nothing more comes (close_notify) */
void kmqtt_conn_tls_bye(struct kmqtt_conn *conn);

/** kmqtt_sock_is_tls() - a TCP socket with the "tls" ULP */
bool kmqtt_sock_is_tls(struct sock *sk);

/**
 * kmqtt_sock_get() - check a socket that user space hands over (conn_sock.c)
 * @fd:		file descriptor of the calling process
 * @net:	network namespace that it has to be of
 * @why:	out, on error: what was wrong
 *
 * A plain TCP socket is closed to any other user (upper layer protocol) until
 * it dies, which also keeps this module loaded until then.
 * Any socket keeps it loaded while a connection has it: who unloads the module would
 * wait for whoever has the socket's lock, and all of the machine for him.
 * Return: the socket with its file reference, to be dropped with kmqtt_sock_put();
 * ERR_PTR() as kmqtt_uplink_attach().
 */
struct socket *kmqtt_sock_get(int fd, struct net *net, const char **why);

/** kmqtt_sock_put() - let go of what kmqtt_sock_get() returned. May sleep, and close it */
void kmqtt_sock_put(struct socket *sock);

/**
 * struct kmqtt_handed - the sockets from user space of a namespace, see conn_sock.c
 * @lock:	protects @list, @count and @unix_count
 * @list:	&kmqtt_conn.handed
 * @count:	connections in @list
 * @unix_count:	how many of them are AF_UNIX
 * @watch:	looks every now and then, while there is one, what else is left of the
 *		namespace
 */
struct kmqtt_handed {
	struct mutex lock;	/* list and counts */
	struct list_head list;
	unsigned int count;
	unsigned int unix_count;
	struct delayed_work watch;
};

/** kmqtt_handed_add() - the connection has a socket from user space. It may be over */
void kmqtt_handed_add(struct kmqtt_conn *conn);

/** kmqtt_handed_del() - it is about to let go of it; KMQTT_CONN_CLOSED is set */
void kmqtt_handed_del(struct kmqtt_conn *conn);

/** kmqtt_sock_has_fds() - are there file descriptors in what has come (SCM_RIGHTS)? */
bool kmqtt_sock_has_fds(struct sock *sk);

/** kmqtt_sock_init() / kmqtt_sock_exit() - at module load and exit */
int kmqtt_sock_init(void);
void kmqtt_sock_exit(void);

/** kmqtt_scratch_get() - a buffer of KMQTT_CONN_SCRATCH bytes; may wait for one */
void *kmqtt_scratch_get(void);
void kmqtt_scratch_put(void *scratch);

/** kmqtt_tx_alloc() - an empty batch, or NULL */
struct kmqtt_tx *kmqtt_tx_alloc(void);
void kmqtt_tx_free(struct kmqtt_tx *tx);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A client: a remote MQTT client that is connected to us.
 *
 *	listener -> kmqtt_client_new() -> CONNECT (client_connect.c) -> a session
 *	-> packets (client_packet.c) -> the end
 *
 * Everything between the first byte and the end runs in the connection's work
 * item (conn.h). The end comes in two steps: ->closed() takes the session away and
 * unlinks the client, and a grace period later, when no wake-up can come any more,
 * it is freed.
 */
#ifndef KMQTT_PORT_CLIENT_H
#define KMQTT_PORT_CLIENT_H

#include <linux/in6.h>
#include <linux/list.h>
#include <linux/refcount.h>
#include <linux/types.h>
#include <linux/workqueue.h>

#include "core/auth.h"
#include "port/auth_relay.h"
#include "port/bucket.h"
#include "port/listener.h"
#include "port/xchg.h"

struct socket;

/* What a client may send before it is let in, in bytes (as Mosquitto). */
#define KMQTT_CLIENT_CONNECT_MAX	100000
#define KMQTT_GREETING_FREE		16384	/* bytes of a CONNECT that count nowhere */

/* Clients of a listener that have not been let in: then the oldest has to go. */
#define KMQTT_CLIENT_PENDING_MAX	1024

/**
 * enum kmqtt_client_state - how far it has come
 * @KMQTT_CLIENT_NEW:		no CONNECT yet
 * @KMQTT_CLIENT_CHECKING:	its password is being checked
 * @KMQTT_CLIENT_CHECKED:	it has been; io_work goes on with the CONNECT
 * @KMQTT_CLIENT_AUTH:		enhanced authentication (MQTT 5.0, 4.12) is under way
 * @KMQTT_CLIENT_LIVE:		CONNACK has let it in
 */
enum kmqtt_client_state {
	KMQTT_CLIENT_NEW,
	KMQTT_CLIENT_CHECKING,
	KMQTT_CLIENT_CHECKED,
	KMQTT_CLIENT_AUTH,
	KMQTT_CLIENT_LIVE,
};

/**
 * struct kmqtt_greeting - a CONNECT that is being looked at
 * @auth:	its user name and password, while they are checked
 * @client:	whose it is
 * @connect:	the packet, decoded; views of @body
 * @made:	client identifier that we gave, or empty
 * @charged:	bytes of it that count against memory_limit, or 0
 * @body_len:	bytes of @body
 * @body:	the packet
 */
struct kmqtt_greeting {
	struct kmqtt_auth_request auth;
	struct kmqtt_client *client;
	struct kmqtt_connect connect;
	char made[48];
	u32 charged;
	u32 body_len;
	u8 body[];
};

/**
 * struct kmqtt_client - one client, from accept to its end
 * @x:		the connection, and the messages on it
 * @port:	of its session
 * @listener:	a reference
 * @conf:	the listener's settings when it came, a reference
 * @link:	in listener->clients, under listener->lock
 * @pending:	in listener->pending until it is let in, under listener->lock
 * @free_work:	frees it, after it has left both lists
 * @refs:	the connection's, kmqtt_client_new()'s own while it runs, and those of who
 *		sends for it
 * @started:	its connection has its socket; under listener->lock
 * @doomed:	it is to be ended as soon as it has; under listener->lock
 * @gone:	it has left @link; under listener->lock
 * @greeting:	from CONNECT to CONNACK, else NULL
 * @relay:	its enhanced authentication, if it named a method, else NULL
 * @state:	&enum kmqtt_client_state
 * @bridge:	it says that it is a bridge (bit 0x80 of the protocol level)
 * @problem_info: it wants reason strings (MQTT 5.0, 3.1.2.11.7)
 * @answered:	CONNACK was sent
 * @lost_reason: reason code with which somebody else ended it, or it says good-bye
 * @keepalive:	seconds in force; 0: off
 * @session_expiry: seconds, as CONNECT had it
 * @topic_cap:	bytes at @topic
 * @topic:	buffer for topic names with the mount point before them, or NULL
 * @why:	reason string for CONNACK and the event, constant, or NULL
 * @hold_until:	jiffies until which nothing is read, for it sent too much; 0: not
 * @messages:	token bucket of its PUBLISHes
 * @bytes:	token bucket of their bytes
 * @peer:	its address; of a socket that is no IP socket, sin6_family only
 *
 * From @greeting on all belongs to io_work, but @lost_reason, @keepalive and @peer,
 * which others read or write with READ_ONCE() and WRITE_ONCE().
 */
struct kmqtt_client {
	struct kmqtt_xchg x;
	struct kmqtt_port port;
	struct kmqtt_listener *listener;
	struct kmqtt_listener_conf *conf;
	union {
		struct {
			struct list_head link;
			struct list_head pending;
		};
		struct rcu_work free_work;
	};
	refcount_t refs;
	bool started;
	bool doomed;
	bool gone;
	struct kmqtt_greeting *greeting;
	struct kmqtt_relay *relay;
	u8 state;
	bool bridge;
	bool problem_info;
	bool answered;
	u8 lost_reason;
	u16 keepalive;
	u32 session_expiry;
	u32 topic_cap;
	u8 *topic;
	const char *why;
	unsigned long hold_until;
	struct kmqtt_bucket messages;
	struct kmqtt_bucket bytes;
	struct sockaddr_in6 peer;
};

static inline struct kmqtt_client *kmqtt_client_of(struct kmqtt_conn *conn)
{
	return container_of(conn, struct kmqtt_client, x.conn);
}

/**
 * kmqtt_client_new() - a client on a connected socket
 * @listener:	where it came
 * @sock:	socket, and if it has a file the reference to that, taken over on success
 * @early:	bytes that were read from it, from kvmalloc(), or NULL; taken over on
 *		success
 * @early_len:	how many
 *
 * Process context. Return: 0, -EUSERS (max_connections), -ENOMEM, -ENOTCONN,
 * -EBUSY, -ESHUTDOWN (the listener goes).
 */
int kmqtt_client_new(struct kmqtt_listener *listener, struct socket *sock, u8 *early,
		     u32 early_len);

/**
 * kmqtt_clients_end() - end all clients of a listener that lets nobody in any more
 * @listener:	listener, dead
 * @abort:	at once, without a word
 *
 * Does not wait for their end.
 */
void kmqtt_clients_end(struct kmqtt_listener *listener, bool abort);

/** kmqtt_client_address() - the peer's address as text, to show */
void kmqtt_client_address(const struct kmqtt_client *client, char *text, size_t size);

/** kmqtt_client_arm() - set the timer for what comes first. In io_work */
void kmqtt_client_arm(struct kmqtt_client *client);

/** kmqtt_client_admitted() - it is not pending any more; other limits hold now */
void kmqtt_client_admitted(struct kmqtt_client *client);

/* client_connect.c */

/** kmqtt_client_connect() - a CONNECT has come. Return: 0 or a reason code */
int kmqtt_client_connect(struct kmqtt_client *client, const struct kmqtt_fixed *f,
			 const u8 *body);

/**
 * kmqtt_client_checked() - KMQTT_CLIENT_CHECKED: what came of the check; in io_work
 * Return: 0 or a reason code
 */
int kmqtt_client_checked(struct kmqtt_client *client);

/** kmqtt_client_refuse() - append a CONNACK that does not let it in */
void kmqtt_client_refuse(struct kmqtt_client *client, u8 reason);

/** kmqtt_greeting_free() - forget a CONNECT; waits for its check. NULL is allowed */
void kmqtt_greeting_free(struct kmqtt_greeting *greeting);

/** kmqtt_client_admit() - it may come in: session and CONNACK. Return: 0 or a reason code */
int kmqtt_client_admit(struct kmqtt_client *client, struct kmqtt_greeting *greeting);

/* client_auth.c */

/**
 * kmqtt_client_auth_begin() - a CONNECT names an authentication method
 * Return: 0: the answer comes later; or a reason code
 */
int kmqtt_client_auth_begin(struct kmqtt_client *client, struct kmqtt_greeting *greeting);

/**
 * kmqtt_client_auth_packet() - an AUTH has come, or anything else while
 *	KMQTT_CLIENT_AUTH. See &kmqtt_conn_ops.packet
 */
int kmqtt_client_auth_packet(struct kmqtt_client *client, const struct kmqtt_fixed *f,
			     const u8 *body);

/** kmqtt_client_auth_answered() - user space has answered. Return: 0 or a reason code */
int kmqtt_client_auth_answered(struct kmqtt_client *client);

/** kmqtt_client_auth_props() - method and data, in CONNACK and AUTH; none without a method */
void kmqtt_client_auth_props(const struct kmqtt_client *client, struct kmqtt_props *props);

/* client_packet.c */

/** kmqtt_client_packet() - &kmqtt_conn_ops.packet, after CONNECT */
int kmqtt_client_packet(struct kmqtt_client *client, const struct kmqtt_fixed *f,
			const u8 *body);

int kmqtt_client_publish(struct kmqtt_conn *conn, const struct kmqtt_publish *pub,
			 struct kmqtt_msg **msg);
int kmqtt_client_published(struct kmqtt_conn *conn);
int kmqtt_client_resume(struct kmqtt_conn *conn);

/** kmqtt_client_run() - as &kmqtt_conn_ops.run */
size_t kmqtt_client_run(struct kmqtt_conn *conn, const u8 *p, size_t left);

/** kmqtt_client_xchg_ops - what a client's listener does with messages that go out */
extern const struct kmqtt_xchg_ops kmqtt_client_xchg_ops;

/**
 * kmqtt_client_topic_reserved() - may no client publish this, whatever the rules say?
 * @topic:	topic name, valid
 *
 * Below $SYS the switch itself publishes; what is below $share nobody can subscribe to
 * (MQTT 5.0, 4.8.2). Any context.
 */
bool kmqtt_client_topic_reserved(struct kmqtt_view topic);

/**
 * kmqtt_client_mount() - a topic or filter with the mount point before it
 * @client:	client
 * @topic:	as the client says it; a shared subscription's is put inside
 * @out:	out: @topic itself, or in client->topic until the next call
 *
 * Return: 0; -ENOMEM; -EILSEQ: it is too long then
 */
int kmqtt_client_mount(struct kmqtt_client *client, struct kmqtt_view topic,
		       struct kmqtt_view *out);

#endif

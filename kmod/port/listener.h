/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Listeners: where remote MQTT clients connect to, and what they may do there.
 *
 * A listener has a TCP socket of the kernel's, or none: then its clients are
 * sockets that user space hands over (kmqtt_listener_attach()). Its settings are
 * an object of their own, constant and reference counted: a change makes a new
 * one, and a client keeps the one that it was let in with.
 *
 * All functions are called from process context and may sleep, unless they say
 * otherwise. Locks, outer first: listeners->lock (mutex) -> listener->lock
 * (spinlock).
 */
#ifndef KMQTT_PORT_LISTENER_H
#define KMQTT_PORT_LISTENER_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/ratelimit.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/socket.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "port/bucket.h"

struct sock;
struct socket;
struct kmqtt_client;
struct kmqtt_net;

#define KMQTT_LISTENERS_MAX	64	/* listeners of a namespace */
#define KMQTT_LISTENER_NAME_MAX	63	/* bytes of a listener's name, without the NUL */
#define KMQTT_MOUNT_MAX		1024	/* bytes of a mount point */

/* bits of kmqtt_listener_conf.protocols */
#define KMQTT_PROTOCOL_BIT(version)	(1U << (version))
#define KMQTT_PROTOCOLS_ALL	(KMQTT_PROTOCOL_BIT(3) | KMQTT_PROTOCOL_BIT(4) | \
				 KMQTT_PROTOCOL_BIT(5))

/**
 * struct kmqtt_listener_conf - settings; names as in mosquitto.conf
 * @refs:	the listener's, and one of each client
 * @rcu:	freed a grace period after the last one
 * @max_connections: clients at a time; 0: none is let in
 * @max_packet_size: largest packet of a client in bytes, 20 to 268435460; 0: the
 *		switch's
 * @connect_timeout: seconds for a client to send its CONNECT, 1 to 3600
 * @connection_rate: connections a second that are accepted; 0: no limit
 * @message_rate: PUBLISHes a second of a client; 0: no limit
 * @byte_rate:	bytes a second of a client, of topics and payloads; 0: no limit
 * @receive_maximum: QoS 2 messages of a client that may be open (MQTT 5.0,
 *		3.2.2.3.3); 0: the switch's max_inflight_messages
 * @max_topic_alias: topic aliases that a client may use (3.2.2.3.8)
 * @max_topic_alias_broker: topic aliases that we use, if the client allows that
 * @max_keepalive: longest keep alive in seconds; 0: any (3.2.2.3.14)
 * @max_qos:	highest QoS that clients may publish with (3.2.2.3.4)
 * @protocols:	KMQTT_PROTOCOL_BIT() of the levels that are spoken
 * @anonymous:	clients without a user name are let in
 * @zero_length_client_id: a client may leave its client identifier to us
 * @mount_len:	bytes of @mount_point
 * @mount_point: what is put before each topic of a client; NUL terminated
 */
struct kmqtt_listener_conf {
	refcount_t refs;
	struct rcu_head rcu;
	u32 max_connections;
	u32 max_packet_size;
	u32 connect_timeout;
	u32 connection_rate;
	u32 message_rate;
	u64 byte_rate;
	u16 receive_maximum;
	u16 max_topic_alias;
	u16 max_topic_alias_broker;
	u16 max_keepalive;
	u8 max_qos;
	u8 protocols;
	bool anonymous;
	bool zero_length_client_id;
	u16 mount_len;
	char mount_point[];
};

/**
 * struct kmqtt_listener_stats - what a listener has seen
 * @accepted:	connections that were accepted
 * @refused:	of them, those over max_connections, closed at once
 * @denied:	CONNECTs that were not let in
 * @timeouts:	connections without a CONNECT in time, or pushed out by newer ones
 * @malformed:	connections that were closed for what they sent
 */
struct kmqtt_listener_stats {
	atomic64_t accepted;
	atomic64_t refused;
	atomic64_t denied;
	atomic64_t timeouts;
	atomic64_t malformed;
};

/**
 * struct kmqtt_listener - one of them
 * @link:	in listeners->list
 * @kn:		its namespace
 * @refs:	the list's, and one of each client
 * @conf:	settings, RCU; written under listeners->lock
 * @sock:	listening socket, or NULL
 * @data_ready:	the socket's own callback
 * @accept_work: accepts
 * @dead:	it goes: nobody is let in any more; under @lock
 * @lock:	protects @clients, @pending and the counts
 * @clients:	struct kmqtt_client, all of them
 * @pending:	of them, those that have not been let in yet, oldest first
 * @count:	clients
 * @pending_count: entries in @pending
 * @rate:	token bucket of connections, used by @accept_work
 * @log:	limits what is logged of its clients
 * @stats:	counters
 * @addr:	address and port; AF_UNSPEC: no socket
 * @v6only:	an IPv6 address for IPv6 alone
 * @name:	unique in its namespace, NUL terminated
 */
struct kmqtt_listener {
	struct list_head link;
	struct kmqtt_net *kn;
	refcount_t refs;
	struct kmqtt_listener_conf __rcu *conf;
	struct socket *sock;
	void (*data_ready)(struct sock *sk);
	struct delayed_work accept_work;
	bool dead;
	spinlock_t lock; /* clients and their counts */
	struct list_head clients;
	struct list_head pending;
	u32 count;
	u32 pending_count;
	struct kmqtt_bucket rate;
	struct ratelimit_state log;
	struct kmqtt_listener_stats stats;
	struct sockaddr_storage addr;
	bool v6only;
	char name[KMQTT_LISTENER_NAME_MAX + 1];
};

/**
 * struct kmqtt_listeners - of a namespace
 * @list:	struct kmqtt_listener, under @lock
 * @lock:	settings, making and ending listeners
 * @count:	entries in @list
 * @alive:	clients and listeners that are not freed yet, under @alive_lock
 * @alive_lock:	protects @alive
 * @idle:	woken when @alive is 0
 */
struct kmqtt_listeners {
	struct list_head list;
	struct mutex lock; /* list and settings */
	u32 count;
	u32 alive;
	spinlock_t alive_lock; /* alive */
	wait_queue_head_t idle;
};

/** kmqtt_listener_conf_default() - what an administrator does not set */
void kmqtt_listener_conf_default(struct kmqtt_listener_conf *conf);

/**
 * kmqtt_listener_conf_new() - settings with one reference, of @from or the defaults
 * @from:	to be copied, but for its mount point; NULL: the defaults
 * @mount:	mount point, NULL: none; a valid topic name of at most KMQTT_MOUNT_MAX
 *		bytes
 *
 * To be changed only until kmqtt_listener_add() or kmqtt_listener_set() takes it.
 * Return: them, or NULL.
 */
struct kmqtt_listener_conf *
kmqtt_listener_conf_new(const struct kmqtt_listener_conf *from, const char *mount);

/** kmqtt_listener_conf_put() - drop a reference; NULL is allowed (atomic) */
void kmqtt_listener_conf_put(struct kmqtt_listener_conf *conf);

/**
 * kmqtt_listener_name_valid() - may a listener be given this name?
 *
 * Letters, digits, `.`, `_` and `-`, a letter first: no address looks like that, and
 * names go into logs and on terminals.
 */
bool kmqtt_listener_name_valid(const char *name);

/**
 * kmqtt_listener_add() - make a listener
 * @kn:		namespace
 * @name:	name, see kmqtt_listener_name_valid(); NULL: made of the address
 * @addr:	IPv4 or IPv6 address and port, port 0: any, and then the one that it got
 *		is written there; AF_UNSPEC: no socket, and a name is needed
 * @v6only:	an IPv6 address takes no IPv4 connections
 * @conf:	settings, a reference, taken over on success
 * @made:	out: its name, with room for KMQTT_LISTENER_NAME_MAX + 1 bytes
 * @why:	out, on error: text for the user, or NULL
 *
 * Return: 0, -EEXIST (name), -EADDRINUSE, -EADDRNOTAVAIL, -EAFNOSUPPORT, -EINVAL,
 * -ENOSPC (KMQTT_LISTENERS_MAX), -ENOMEM.
 */
int kmqtt_listener_add(struct kmqtt_net *kn, const char *name,
		       struct sockaddr_storage *addr, bool v6only,
		       struct kmqtt_listener_conf *conf, char *made, const char **why);

/**
 * kmqtt_listener_find() - by name, or by address if @name is NULL
 *
 * listeners->lock held. Return: it, without a reference, or NULL.
 */
struct kmqtt_listener *kmqtt_listener_find(struct kmqtt_net *kn, const char *name,
					   const struct sockaddr_storage *addr);

/**
 * kmqtt_listener_set() - new settings; for new clients, but limits of rate and
 *	number for all
 * @listener:	listeners->lock held
 * @conf:	settings, a reference, taken over
 */
void kmqtt_listener_set(struct kmqtt_listener *listener, struct kmqtt_listener_conf *conf);

/**
 * kmqtt_listener_del() - end it and its clients
 * @listener:	listeners->lock held
 * @abort:	its clients are closed without a word
 *
 * Does not wait for the clients.
 */
void kmqtt_listener_del(struct kmqtt_listener *listener, bool abort);

/**
 * kmqtt_listener_attach() - a connected socket of user space becomes a client
 * @listener:	whose settings hold for it; the caller has a reference
 * @fd:		file descriptor of the calling process; TCP, kTLS or AF_UNIX
 * @early:	bytes that user space has read from it, or NULL
 * @early_len:	how many
 * @why:	out, on error: text for the user, or NULL
 *
 * Return: 0, -EUSERS (max_connections), -ESHUTDOWN (the listener goes), else as
 * kmqtt_uplink_attach().
 */
int kmqtt_listener_attach(struct kmqtt_listener *listener, int fd, const u8 *early,
			  u32 early_len, const char **why);

/** kmqtt_listener_put() - drop a reference (atomic) */
void kmqtt_listener_put(struct kmqtt_listener *listener);

/** kmqtt_listeners_get() - one more client or listener of a namespace is alive */
void kmqtt_listeners_get(struct kmqtt_net *kn);

/** kmqtt_listeners_put() - one is freed */
void kmqtt_listeners_put(struct kmqtt_net *kn);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Uplinks: brokers elsewhere to which the kernel is a client.
 *
 * What user space may do with them; netlink calls this. Everything is found by
 * its name, nothing here hands out a pointer that outlives the call.
 *
 * Context: process context, may sleep; the caller holds no lock.
 * Locks, outer first: uplinks->lock (table, all calls below) -> uplink->lock
 * (settings, topics, state) -> retain.lock -> tree->lock -> uplink->subs_lock
 * (what is subscribed upstream). See uplink_priv.h for who runs when.
 */
#ifndef KMQTT_PORT_UPLINK_H
#define KMQTT_PORT_UPLINK_H

#include <linux/bits.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/socket.h>
#include <linux/types.h>
#include <linux/wait.h>

struct kmqtt_net;

#define KMQTT_UPLINK_NAME_MAX	63	/* bytes in an uplink's name */
#define KMQTT_UPLINK_SERVERS	8	/* addresses of one uplink */
#define KMQTT_UPLINK_PREFIX_MAX	1024	/* bytes in a topic prefix */

/**
 * struct kmqtt_uplinks - all uplinks of a network namespace
 * @list:	struct kmqtt_uplink, in the order in which they were added
 * @lock:	protects @list; held through each call of this header, but while
 *		kmqtt_uplink_del() waits
 * @count:	entries in @list, under @lock
 * @generation:	counts the changes of what there is to show: uplinks and topics; not 0.
 *		Written under @lock
 * @dying:	the namespace goes: nothing is added any more
 * @idle:	woken when one has gone from @list
 */
struct kmqtt_uplinks {
	struct list_head list;
	struct mutex lock;	/* the table */
	unsigned int count;
	unsigned int generation;
	bool dying;
	wait_queue_head_t idle;
};

/**
 * enum kmqtt_uplink_field - members of struct kmqtt_uplink_conf
 * @KMQTT_UPLINK_SERVER:	server[], server_count
 * @KMQTT_UPLINK_VERSION:	version
 * @KMQTT_UPLINK_CLIENT_ID:	client_id
 * @KMQTT_UPLINK_USERNAME:	username
 * @KMQTT_UPLINK_PASSWORD:	password, password_len
 * @KMQTT_UPLINK_KEEPALIVE:	keepalive
 * @KMQTT_UPLINK_CLEAN:		clean
 * @KMQTT_UPLINK_SESSION_EXPIRY: session_expiry
 * @KMQTT_UPLINK_RECEIVE_MAX:	receive_max
 * @KMQTT_UPLINK_MAX_PACKET_SIZE: max_packet_size
 * @KMQTT_UPLINK_TOPIC_ALIAS_MAX: topic_alias_max
 * @KMQTT_UPLINK_MAX_INFLIGHT:	max_inflight
 * @KMQTT_UPLINK_MAX_QUEUED_MESSAGES: max_queued_messages
 * @KMQTT_UPLINK_MAX_QUEUED_BYTES: max_queued_bytes
 * @KMQTT_UPLINK_POLICY:	policy
 * @KMQTT_UPLINK_CONNECT_TIMEOUT: connect_timeout
 * @KMQTT_UPLINK_BACKOFF_MIN:	backoff_min
 * @KMQTT_UPLINK_BACKOFF_MAX:	backoff_max
 * @KMQTT_UPLINK_STABLE:	stable
 * @KMQTT_UPLINK_TRY_PRIVATE:	try_private
 * @KMQTT_UPLINK_WILL:		will_*
 * @KMQTT_UPLINK_BATCH:		batch
 */
enum kmqtt_uplink_field {
	KMQTT_UPLINK_SERVER		= BIT(0),
	KMQTT_UPLINK_VERSION		= BIT(1),
	KMQTT_UPLINK_CLIENT_ID		= BIT(2),
	KMQTT_UPLINK_USERNAME		= BIT(3),
	KMQTT_UPLINK_PASSWORD		= BIT(4),
	KMQTT_UPLINK_KEEPALIVE		= BIT(5),
	KMQTT_UPLINK_CLEAN		= BIT(6),
	KMQTT_UPLINK_SESSION_EXPIRY	= BIT(7),
	KMQTT_UPLINK_RECEIVE_MAX	= BIT(8),
	KMQTT_UPLINK_MAX_PACKET_SIZE	= BIT(9),
	KMQTT_UPLINK_TOPIC_ALIAS_MAX	= BIT(10),
	KMQTT_UPLINK_MAX_INFLIGHT	= BIT(11),
	KMQTT_UPLINK_MAX_QUEUED_MESSAGES = BIT(12),
	KMQTT_UPLINK_MAX_QUEUED_BYTES	= BIT(13),
	KMQTT_UPLINK_POLICY		= BIT(14),
	KMQTT_UPLINK_CONNECT_TIMEOUT	= BIT(15),
	KMQTT_UPLINK_BACKOFF_MIN	= BIT(16),
	KMQTT_UPLINK_BACKOFF_MAX	= BIT(17),
	KMQTT_UPLINK_STABLE		= BIT(18),
	KMQTT_UPLINK_TRY_PRIVATE	= BIT(19),
	KMQTT_UPLINK_WILL		= BIT(20),
	KMQTT_UPLINK_BATCH		= BIT(21),
};

/**
 * struct kmqtt_uplink_server - one address of a broker
 * @addr:	IPv4 or IPv6 address and port
 * @host:	what the user called it, NUL terminated, or NULL; only to show
 */
struct kmqtt_uplink_server {
	struct sockaddr_storage addr;
	const char *host;
};

/**
 * struct kmqtt_uplink_conf - settings of an uplink
 * @fields:	which members hold, of &enum kmqtt_uplink_field; what an add leaves
 *		out has its default, what a set leaves out stays. In what
 *		kmqtt_uplink_walk() shows, all hold
 * @server:	addresses, tried in this order; a connection that fails goes on to
 *		the next one. None: the uplink waits for a socket
 *		(kmqtt_uplink_attach())
 * @server_count: entries in @server, 0 to KMQTT_UPLINK_SERVERS; default 0
 * @version:	protocol level: 3, 4 or 5 for MQTT 3.1, 3.1.1, 5.0; default 5
 * @client_id:	client identifier (MQTT 5.0, 3.1.3.1), NUL terminated, up to
 *		KMQTT_NAME_MAX bytes; NULL or "": the server gives one (5.0), or
 *		one is made of the uplink's name (3.1, 3.1.1)
 * @username:	user name, NUL terminated; NULL: none
 * @password:	password, @password_len bytes; NULL: none
 * @password_len: up to 65535
 * @keepalive:	seconds (MQTT 5.0, 3.1.2.10), 0 to 65535; 0: none; default 60
 * @clean:	begin anew at each connect (MQTT 5.0, 3.1.2.4); default false
 * @session_expiry: seconds that the server keeps the session (MQTT 5.0,
 *		3.1.2.11.2); default 86400
 * @receive_max: QoS 1/2 messages the server may have in flight to us (MQTT 5.0,
 *		3.1.2.11.3), 1 to 65535; default 1000
 * @max_packet_size: largest packet taken from the server in bytes (MQTT 5.0,
 *		3.1.2.11.4), 20 to 268435460; 0: the switch's limit; default 0
 * @topic_alias_max: topic aliases, either way (MQTT 5.0, 3.1.2.11.5), 0 to 1024;
 *		default 10
 * @max_inflight: QoS 1/2 messages in flight to the server, 0: the switch's limit;
 *		the server's receive maximum holds if it is less; default 0
 * @max_queued_messages: messages that wait for the server, 0: the switch's limit
 * @max_queued_bytes: their bytes, 0: the switch's limit
 * @policy:	&enum kmqtt_policy when that is full; default KMQTT_POLICY_DEFAULT
 * @connect_timeout: seconds from the first SYN to CONNACK, 1 to 300; default 10
 * @backoff_min: seconds until the first new attempt, 1 to 3600; default 1
 * @backoff_max: longest time between attempts in seconds, @backoff_min to 3600;
 *		default 60; each time is the last one doubled, plus or minus a
 *		random quarter
 * @stable:	seconds after which a connection counts as stable and the next
 *		failure starts at @backoff_min again, 0 to 3600; default 10
 * @try_private: MQTT 3.x: set bit 0x80 of the protocol level, by which Mosquitto
 *		knows a bridge and returns nothing to it that it sent; without it
 *		where that is refused. Default true
 * @will_topic:	topic of the will (MQTT 5.0, 3.1.2.5), NUL terminated; NULL: none
 * @will_payload: its payload, @will_len bytes
 * @will_len:	up to 65535
 * @will_delay:	will delay interval in seconds (MQTT 5.0, 3.1.3.2.2)
 * @will_qos:	0 to 2
 * @will_retain: RETAIN flag of the will
 * @batch:	most filters in one SUBSCRIBE, 1 to 1000; default 8, which is what
 *		AWS IoT takes
 *
 * All pointers are the caller's; the uplink keeps copies.
 */
struct kmqtt_uplink_conf {
	u32 fields;
	struct kmqtt_uplink_server server[KMQTT_UPLINK_SERVERS];
	unsigned int server_count;
	u8 version;
	const char *client_id;
	const char *username;
	const u8 *password;
	u32 password_len;
	u16 keepalive;
	bool clean;
	u32 session_expiry;
	u16 receive_max;
	u32 max_packet_size;
	u16 topic_alias_max;
	u32 max_inflight;
	u32 max_queued_messages;
	u64 max_queued_bytes;
	u8 policy;
	u32 connect_timeout;
	u32 backoff_min;
	u32 backoff_max;
	u32 stable;
	bool try_private;
	const char *will_topic;
	const u8 *will_payload;
	u32 will_len;
	u32 will_delay;
	u8 will_qos;
	bool will_retain;
	u32 batch;
};

/**
 * enum kmqtt_uplink_state - what an uplink is doing
 * @KMQTT_UPLINK_DOWN:		switched off by kmqtt_uplink_down()
 * @KMQTT_UPLINK_WAIT_FD:	waits for a socket from user space
 * @KMQTT_UPLINK_BACKOFF:	waits until the next attempt
 * @KMQTT_UPLINK_CONNECTING:	TCP connection is being made
 * @KMQTT_UPLINK_HANDSHAKE:	CONNECT sent, waits for CONNACK
 * @KMQTT_UPLINK_UP:		CONNACK has come: it works
 * @KMQTT_UPLINK_CLOSING:	DISCONNECT sent, waits for the end
 */
enum kmqtt_uplink_state {
	KMQTT_UPLINK_DOWN = 0,
	KMQTT_UPLINK_WAIT_FD = 1,
	KMQTT_UPLINK_BACKOFF = 2,
	KMQTT_UPLINK_CONNECTING = 3,
	KMQTT_UPLINK_HANDSHAKE = 4,
	KMQTT_UPLINK_UP = 5,
	KMQTT_UPLINK_CLOSING = 6,
};

/**
 * struct kmqtt_uplink_stats - counters of one uplink since it was added
 * @attempts:		connections that were tried
 * @connects:		CONNACKs that accepted
 * @disconnects:	of them, how many ended
 * @packets_received:	control packets
 * @packets_sent:	likewise
 * @bytes_received:	of the MQTT stream
 * @bytes_sent:		likewise
 * @publishes_received:	messages
 * @publishes_sent:	likewise
 * @redelivered:	of @publishes_sent, with DUP
 * @too_large:		dropped: over the server's maximum packet size
 * @unmapped:		dropped: no topic of the uplink fits
 * @echoes_suppressed:	own publishes that came back
 * @malformed:		connections closed for bad packets
 * @pings:		PINGREQ sent
 * @subscribes:		SUBSCRIBE packets sent
 * @unsubscribes:	UNSUBSCRIBE packets sent
 */
struct kmqtt_uplink_stats {
	u64 attempts;
	u64 connects;
	u64 disconnects;
	u64 packets_received;
	u64 packets_sent;
	u64 bytes_received;
	u64 bytes_sent;
	u64 publishes_received;
	u64 publishes_sent;
	u64 redelivered;
	u64 too_large;
	u64 unmapped;
	u64 echoes_suppressed;
	u64 malformed;
	u64 pings;
	u64 subscribes;
	u64 unsubscribes;
};

/**
 * struct kmqtt_uplink_view - an uplink, as show shows it; valid within the call
 * @name:	its name
 * @session:	name of its session on the switch; "" if it has none
 * @conf:	settings, all of them; the password is not to be shown
 * @state:	&enum kmqtt_uplink_state
 * @attached:	a socket from user space is its transport
 * @tls:	the transport is a kTLS socket
 * @session_present: the server had kept the session (MQTT 5.0, 3.2.2.1.1)
 * @retain_available: of the server (MQTT 5.0, 3.2.2.3.5)
 * @server:	index in @conf->server of the current or next one
 * @version:	protocol level of the current connection
 * @bridge_bit:	it was made with bit 0x80 of the protocol level
 * @max_qos:	of the server (MQTT 5.0, 3.2.2.3.4)
 * @keepalive:	seconds in force (the server's where it gave one)
 * @receive_max: of the server
 * @max_packet_size: of the server; 0: no limit
 * @topic_alias_max: of the server
 * @session_expiry: seconds in force
 * @client_id:	in use, which the server may have assigned; "" while there is none
 * @since:	CLOCK_BOOTTIME second since which it is in @state
 * @retry_ms:	milliseconds until the next attempt, in KMQTT_UPLINK_BACKOFF
 * @last_error:	positive errno that ended the last connection, or 0
 * @last_reason: MQTT reason code that ended it, or 0
 * @queued_messages: messages that wait in the session
 * @inflight_messages: sent and not acknowledged
 * @filters:	filters subscribed upstream
 * @topics:	topics configured
 * @stats:	counters
 */
struct kmqtt_uplink_view {
	const char *name;
	const char *session;
	const struct kmqtt_uplink_conf *conf;
	u8 state;
	bool attached;
	bool tls;
	bool session_present;
	bool retain_available;
	unsigned int server;
	u8 version;
	bool bridge_bit;
	u8 max_qos;
	u16 keepalive;
	u16 receive_max;
	u32 max_packet_size;
	u16 topic_alias_max;
	u32 session_expiry;
	const char *client_id;
	u64 since;
	u32 retry_ms;
	int last_error;
	u8 last_reason;
	u32 queued_messages;
	u32 inflight_messages;
	u32 filters;
	u32 topics;
	struct kmqtt_uplink_stats stats;
};

/**
 * enum kmqtt_uplink_dir - which way messages of a topic go
 * @KMQTT_UPLINK_IN:	from the server to the switch
 * @KMQTT_UPLINK_OUT:	from the switch to the server
 * @KMQTT_UPLINK_BOTH:	both
 * @KMQTT_UPLINK_DEMAND: from the server, as far as and as long as somebody on the
 *			switch subscribes to it
 */
enum kmqtt_uplink_dir {
	KMQTT_UPLINK_IN = 1,
	KMQTT_UPLINK_OUT = 2,
	KMQTT_UPLINK_BOTH = 3,
	KMQTT_UPLINK_DEMAND = 4,
};

/**
 * struct kmqtt_uplink_topic_conf - one topic of an uplink, as in a Mosquitto bridge
 * @filter:	topic filter without the prefixes, NUL terminated; may be "" with
 *		both prefixes, which then are one whole topic
 * @local:	what precedes it on the switch, NUL terminated, or NULL
 * @remote:	what precedes it on the server, NUL terminated, or NULL
 * @dir:	&enum kmqtt_uplink_dir
 * @qos:	highest QoS, 0 to 2
 */
struct kmqtt_uplink_topic_conf {
	const char *filter;
	const char *local;
	const char *remote;
	u8 dir;
	u8 qos;
};

/**
 * kmqtt_uplink_add() - a new uplink, switched off
 * @kn:		namespace
 * @name:	name, 1 to KMQTT_UPLINK_NAME_MAX bytes of [A-Za-z0-9._-]
 * @conf:	settings
 * @why:	out, on error: what was wrong, a constant text; for extack
 *
 * Return: 0, -EEXIST, -EINVAL, -ENOMEM, -ENOSPC (64 uplinks), -ESHUTDOWN.
 */
int kmqtt_uplink_add(struct kmqtt_net *kn, const char *name,
		     const struct kmqtt_uplink_conf *conf, const char **why);

/**
 * kmqtt_uplink_set() - change settings; a connection is made anew with them
 *
 * Return: 0, -ENOENT, -EINVAL, -ENOMEM; nothing is changed on error.
 */
int kmqtt_uplink_set(struct kmqtt_net *kn, const char *name,
		     const struct kmqtt_uplink_conf *conf, const char **why);

/**
 * kmqtt_uplink_generation() - of what there is to show, uplinks and their topics
 *
 * A dump during which it changed is interrupted. Context: any. Return: not 0.
 */
unsigned int kmqtt_uplink_generation(const struct kmqtt_net *kn);

/**
 * kmqtt_uplink_del() - disconnect and forget it, with its session
 *
 * From then on it is not shown. Waits until its socket is closed and all of it is gone, about a
 * second. That may last longer, as while a process that has handed the socket over holds its
 * lock; so after ten seconds, or when the caller is killed, the rest goes by itself, and until
 * it has, there is no new uplink of that name.
 * Return: 0 or -ENOENT.
 */
int kmqtt_uplink_del(struct kmqtt_net *kn, const char *name);

/** kmqtt_uplink_up() - connect, and stay so; now if it waits. Return: 0, -ENOENT */
int kmqtt_uplink_up(struct kmqtt_net *kn, const char *name);

/** kmqtt_uplink_down() - disconnect, and stay so; the queue stays. Return: 0, -ENOENT */
int kmqtt_uplink_down(struct kmqtt_net *kn, const char *name);

/**
 * kmqtt_uplink_attach() - use a connected stream socket as the transport
 * @kn:		namespace
 * @name:	uplink; a connection that it has ends, and it is switched on
 * @fd:		file descriptor of the calling process: TCP, TCP with kTLS both
 *		ways, or an AF_UNIX stream
 * @early:	bytes that user space has already read from it (behind the TLS
 *		handshake), or NULL
 * @early_len:	their number
 * @why:	out, on error: what was wrong
 *
 * CONNECT is sent by the kernel. When the connection ends, the uplink stays
 * down with an event until the next socket comes, or kmqtt_uplink_up() if it
 * has servers.
 *
 * Return: 0, -ENOENT, -EBADF, -ENOTSOCK, -ENOTCONN, -EOPNOTSUPP (not such a
 * socket), -EXDEV (another namespace's), -EBUSY (in use), -EINVAL, -ENOMEM.
 */
int kmqtt_uplink_attach(struct kmqtt_net *kn, const char *name, int fd,
			const void *early, size_t early_len, const char **why);

/** typedef kmqtt_uplink_fn - return: 0, or non-zero to stop (this one was not taken) */
typedef int (*kmqtt_uplink_fn)(void *ctx, const struct kmqtt_uplink_view *view);

/**
 * kmqtt_uplink_walk() - show uplinks in the order in which they were added
 * @kn:		namespace
 * @name:	only this one, or NULL for all
 * @start:	index of the first one
 * @fn:		called for each, with locks held: must not call back into uplinks
 * @ctx:	for @fn
 *
 * Return: index of the one it stopped at, or how many there are; with @name 1,
 * or -ENOENT.
 */
int kmqtt_uplink_walk(struct kmqtt_net *kn, const char *name,
		      unsigned int start, kmqtt_uplink_fn fn, void *ctx);

/**
 * kmqtt_uplink_topic_add() - a topic is carried from now on
 *
 * Return: 0, -ENOENT (no such uplink), -EEXIST (same filter, direction and
 * prefixes), -EILSEQ (not valid as a topic filter), -EINVAL, -ENOMEM, -ENOSPC
 * (1024 topics).
 */
int kmqtt_uplink_topic_add(struct kmqtt_net *kn, const char *name,
			   const struct kmqtt_uplink_topic_conf *conf,
			   const char **why);

/**
 * kmqtt_uplink_topic_del() - a topic is not carried any more
 * @kn:		namespace
 * @name:	uplink
 * @conf:	filter; direction, local and remote prefix where not 0 or NULL: all
 *		that are so; qos is not looked at
 * @why:	out, on error: what was wrong
 *
 * Return: 0 or -ENOENT.
 */
int kmqtt_uplink_topic_del(struct kmqtt_net *kn, const char *name,
			   const struct kmqtt_uplink_topic_conf *conf,
			   const char **why);

/** typedef kmqtt_uplink_topic_fn - return: 0, or non-zero to stop */
typedef int (*kmqtt_uplink_topic_fn)(void *ctx,
				     const struct kmqtt_uplink_topic_conf *conf);

/**
 * kmqtt_uplink_topic_walk() - show an uplink's topics, from index @start
 *
 * Return: index of the one it stopped at, or how many there are; -ENOENT.
 */
int kmqtt_uplink_topic_walk(struct kmqtt_net *kn, const char *name,
			    unsigned int start, kmqtt_uplink_topic_fn fn,
			    void *ctx);

#endif

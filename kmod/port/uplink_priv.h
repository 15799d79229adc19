/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Inside of the uplinks.
 *
 * An uplink has settings, topics, a session on the switch and the set of
 * filters that are wanted upstream. While it has a connection it has a link,
 * which has all that ends with the connection.
 *
 * Who runs when:
 * - Calls of uplink.h: process context under uplinks->lock. They change settings
 *   and what is wanted, and kick the work item ->life.
 * - ->life makes and ends links, one at a time, and does nothing else. It never
 *   waits for a connection's work, or for a socket of user space, under uplink->lock:
 *   how long that takes is for others to say, and who asks by netlink waits for that
 *   lock with all of generic netlink behind him.
 * - ->end_work: once, when the uplink is deleted and has no link any more. Frees it.
 * - The link's connection runs in its own work item (conn.h): all packets.
 * - ->wake() and ->close() of the session's port come from anywhere; they kick.
 *
 * Locks, outer first: uplinks->lock -> uplink->lock -> (broker->sessions_lock or
 * broker->retain.lock -> tree->lock) -> uplink->subs_lock. The topics are read under RCU.
 */
#ifndef KMQTT_PORT_UPLINK_PRIV_H
#define KMQTT_PORT_UPLINK_PRIV_H

#include <linux/completion.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rbtree.h>
#include <linux/rcupdate.h>
#include <linux/siphash.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "core/broker.h"
#include "core/session.h"
#include "core/tree.h"
#include "port/conn.h"
#include "port/uplink.h"
#include "port/xchg.h"
#include "proto/packet.h"
#include "proto/topic.h"

#define KMQTT_UPLINK_COUNT_MAX	64	/* uplinks of a namespace */
#define KMQTT_UPLINK_TOPIC_MAX	1024	/* topics of an uplink */
#define KMQTT_UPLINK_SUBS_MAX	4096	/* filters of an uplink; each is compared with each */
#define KMQTT_UPLINK_SUBS_INFLIGHT 4	/* SUBSCRIBEs without their SUBACK */
#define KMQTT_UPLINK_ECHOES	256	/* publishes whose echo is awaited */
#define KMQTT_UPLINK_ECHO_TIME	(10 * HZ) /* and for how long */
#define KMQTT_UPLINK_REPLAY_TIME (5 * HZ) /* retained messages may follow a SUBACK */
#define KMQTT_UPLINK_REPLAYS	1024	/* topics of retained messages that were seen */
#define KMQTT_UPLINK_TEXT	128	/* an address, or another server's, to show */

/** KMQTT_UPSTAT() - place of a member of struct kmqtt_uplink_stats in uplink->stats */
#define KMQTT_UPSTAT(member) (offsetof(struct kmqtt_uplink_stats, member) / sizeof(u64))
#define KMQTT_UPSTAT_COUNT (sizeof(struct kmqtt_uplink_stats) / sizeof(u64))

/**
 * enum kmqtt_upsub_state - what the server has said of a filter on this connection
 * @KMQTT_UPSUB_NONE:	nothing, or that it is unsubscribed
 * @KMQTT_UPSUB_SUBSCRIBING: SUBSCRIBE sent
 * @KMQTT_UPSUB_ACTIVE:	SUBACK has come
 * @KMQTT_UPSUB_REFUSED: the server does not want it; not tried again before the
 *			next connection
 * @KMQTT_UPSUB_UNSUBSCRIBING: UNSUBSCRIBE sent
 */
enum kmqtt_upsub_state {
	KMQTT_UPSUB_NONE,
	KMQTT_UPSUB_SUBSCRIBING,
	KMQTT_UPSUB_ACTIVE,
	KMQTT_UPSUB_REFUSED,
	KMQTT_UPSUB_UNSUBSCRIBING,
};

/**
 * struct kmqtt_upsub - a filter for which somebody wants messages from the server
 * @node:	in subs.tree, by filter
 * @todo:	in subs.todo if the server is to be told something, in subs.sent while
 *		it is being told, else empty
 * @wanted:	in subs.maximal or subs.covered, or empty: nobody wants it, or the server refuses it
 * @claims:	struct kmqtt_upclaim: who wants it
 * @state:	&enum kmqtt_upsub_state
 * @qos:	with which it was subscribed
 * @maximal:	in subs.maximal
 * @known:	a SUBSCRIBE was sent in the server's session, and no UNSUBACK has come: it has to
 *		be unsubscribed before it is forgotten here. Also if the last SUBSCRIBE was refused,
 *		for the subscription that an earlier one made may be there still.
 * @forgotten:	nobody wanted it since it was subscribed: what its server has retained is kept
 *		here no more (uplink_retain.c), and has to be asked for again
 * @packet_id:	of the SUBSCRIBE or UNSUBSCRIBE that is on its way
 * @len:	bytes of @filter
 * @filter:	as the server knows it
 */
struct kmqtt_upsub {
	struct rb_node node;
	struct list_head todo;
	struct list_head wanted;
	struct list_head claims;
	u8 state;
	u8 qos;
	bool maximal;
	bool known;
	bool forgotten;
	u16 packet_id;
	u16 len;
	u8 filter[];
};

/**
 * struct kmqtt_upclaim - a topic of the uplink that wants a filter
 * @link:	in upsub->claims
 * @topic:	it
 * @count:	1, or with demand how many local filters come to this one
 */
struct kmqtt_upclaim {
	struct list_head link;
	const struct kmqtt_uptopic *topic;
	u32 count;
};

/**
 * struct kmqtt_upsubs - all of them; under uplink->subs_lock
 * @tree:	by filter
 * @count:	entries in @tree
 * @active:	of them, KMQTT_UPSUB_ACTIVE
 * @maximal:	entries that no other one covers: these are to be subscribed
 * @covered:	entries that one of @maximal brings
 * @todo:	entries with something to tell
 * @sent:	entries being told, in the order of their packets
 * @packets:	packets in @sent
 */
struct kmqtt_upsubs {
	struct rb_root tree;
	u32 count;
	u32 active;
	struct list_head maximal;
	struct list_head covered;
	struct list_head todo;
	struct list_head sent;
	unsigned int packets;
};

/**
 * struct kmqtt_uptopic - a topic of an uplink; constant once it is in the list, but
 *	for @retained_due
 * @link:	in uplink->topics, RCU, written under uplink->lock
 * @watch:	KMQTT_UPLINK_DEMAND: follows the local subscriptions
 * @up:		uplink
 * @dir:	&enum kmqtt_uplink_dir
 * @qos:	highest QoS
 * @retained_due: KMQTT_UPLINK_OUT: what is retained here has not gone to the server yet;
 *		under uplink->lock
 * @filter:	as the user gave it, NUL terminated, in @text
 * @local:	prefix on the switch, in @text
 * @remote:	prefix on the server, in @text
 * @lfilter:	filter on the switch, in @text
 * @rfilter:	filter on the server, in @text
 * @rcu:	freed a grace period after removal
 * @text:	all of the above
 */
struct kmqtt_uptopic {
	struct list_head link;
	struct kmqtt_sub_watch watch;
	struct kmqtt_uplink *up;
	u8 dir;
	u8 qos;
	bool retained_due;
	struct kmqtt_view filter;
	struct kmqtt_view local;
	struct kmqtt_view remote;
	struct kmqtt_view lfilter;
	struct kmqtt_view rfilter;
	struct rcu_head rcu;
	u8 text[];
};

/**
 * struct kmqtt_uppurge - retained messages of the server to be forgotten
 * @link:	in uplink->purge
 * @remote_len:	bytes of the prefix on the server, at the begin of @text
 * @local_len:	bytes of the prefix on the switch, behind that
 * @filter_len:	bytes of the filter on the switch, which begins with that prefix
 * @text:	prefix on the server, filter on the switch
 */
struct kmqtt_uppurge {
	struct list_head link;
	u32 remote_len;
	u32 local_len;
	u32 filter_len;
	u8 text[];
};

/**
 * struct kmqtt_echo - a publish that a 3.x server may send back
 * @hash:	of topic and payload; 0: unused
 * @time:	jiffies when it was sent
 */
struct kmqtt_echo {
	u64 hash;
	unsigned long time;
};

/**
 * struct kmqtt_link - a connection of an uplink, from the first SYN to its end
 * @x:		the connection, and the messages on it
 * @up:		uplink
 * @broker:	switch
 * @connected:	CONNACK has accepted it
 * @closed:	->closed() has run
 * @bridge:	bit 0x80 of the protocol level is set
 * @sent_any:	something has come from the server
 * @ping:	PINGREQ waits for its PINGRESP
 * @ping_at:	jiffies of the last PINGREQ
 * @echoes_due:	the server sends us back what we sent
 * @keepalive:	seconds in force
 * @server_receive_max: the server's
 * @connect_timeout: jiffies until CONNACK
 * @up_since:	jiffies when CONNACK came
 * @batch:	filters in one SUBSCRIBE
 * @clean:	Clean Start was set
 * @session_expiry: seconds
 * @replay_until: jiffies until which a retained message may be one that we have
 * @replayed:	hashes of the topics that had a retained message since the last
 *		SUBSCRIBE, KMQTT_UPLINK_REPLAYS of them, or NULL
 * @subs_since: jiffies of the last SUBSCRIBE or UNSUBSCRIBE
 * @topic:	buffer for topic names with another prefix, or NULL
 * @topic_cap:	bytes at @topic
 * @redirect:	Server Reference of CONNACK or DISCONNECT, NUL terminated
 */
struct kmqtt_link {
	struct kmqtt_xchg x;
	struct kmqtt_uplink *up;
	struct kmqtt_broker *broker;
	bool connected;
	bool closed;
	bool bridge;
	bool sent_any;
	bool ping;
	unsigned long ping_at;
	bool echoes_due;
	u16 keepalive;
	u16 server_receive_max;
	unsigned long connect_timeout;
	unsigned long up_since;
	u32 batch;
	bool clean;
	u32 session_expiry;
	unsigned long replay_until;
	u32 *replayed;
	unsigned long subs_since;
	u8 *topic;
	u32 topic_cap;
	char redirect[KMQTT_UPLINK_TEXT];
};

/**
 * struct kmqtt_uplink - one uplink
 * @list:	in uplinks->list
 * @kn:		namespace
 * @broker:	its switch
 * @lock:	protects all below up to @subs_lock
 * @conf:	settings, from kmqtt_upconf_merge()
 * @topics:	struct kmqtt_uptopic, read under RCU
 * @topic_count: how many
 * @session:	session on the switch, the port's reference, or NULL
 * @session_lost: it was killed: make a new one
 * @want_up:	it is switched on
 * @deleted:	it goes; written under uplinks->lock too
 * @ending:	->end_work is on its way
 * @drop_at:	jiffies when the session of one that is deleted goes, if its link still has not
 * @starting:	->life makes a link of a socket of user space, without the lock
 * @abort:	do not wait for the peer when it goes
 * @bounce:	the connection is to be made anew
 * @no_bridge:	a server did not like bit 0x80
 * @by_fd:	the last connection was a socket from user space
 * @by_server:	it ends, and the next one is to a server
 * @state:	&enum kmqtt_uplink_state
 * @since:	CLOCK_BOOTTIME second since which it is in @state
 * @server:	index of the current or next server
 * @tried:	servers that failed in a row
 * @backoff:	seconds of the last wait
 * @retry_at:	jiffies of the next attempt
 * @last_error:	that ended the last connection
 * @last_reason: likewise
 * @view_link:	what the last CONNACK said, to show
 * @assigned_id: client identifier that the server gave, or NULL
 * @next_sock:	socket from user space that waits for ->life, or NULL
 * @next_early:	bytes that were read from it
 * @next_early_len: how many
 * @slot:	its number among the uplinks, 1 to KMQTT_UPLINK_COUNT_MAX; constant
 * @subs_lock:	protects @subs and @purge
 * @subs:	filters that are wanted upstream
 * @purge:	struct kmqtt_uppurge that ->life has to see to
 * @echo:	KMQTT_UPLINK_ECHOES of them, or NULL; this and the next two belong to the
 *		link that there is, but outlive it: what is due may come by the next one
 * @echo_next:	place for the next one
 * @echo_key:	of their hashes
 * @link:	the connection, RCU; written by ->life
 * @port:	where the session plugs in
 * @life:	makes and ends links
 * @end_work:	the end of all
 * @gone:	of who waits for the end, or NULL; under uplinks->lock
 * @stats:	by KMQTT_UPSTAT()
 * @name:	its name, NUL terminated
 */
struct kmqtt_uplink {
	struct list_head list;
	struct kmqtt_net *kn;
	struct kmqtt_broker *broker;

	struct mutex lock;	/* settings, topics, state */
	struct kmqtt_uplink_conf *conf;
	struct list_head topics;
	unsigned int topic_count;
	struct kmqtt_session *session;
	bool session_lost;
	bool want_up;
	bool deleted;
	bool ending;
	bool starting;
	unsigned long drop_at;
	bool abort;
	bool bounce;
	bool no_bridge;
	bool by_fd;
	bool by_server;
	u8 state;
	u64 since;
	unsigned int server;
	unsigned int tried;
	u32 backoff;
	unsigned long retry_at;
	int last_error;
	u8 last_reason;
	struct kmqtt_uplink_view view_link;
	char *assigned_id;
	struct socket *next_sock;
	u8 *next_early;
	u32 next_early_len;

	u8 slot;
	struct mutex subs_lock;	/* subs, purge */
	struct kmqtt_upsubs subs;
	struct list_head purge;

	struct kmqtt_echo *echo;
	unsigned int echo_next;
	siphash_key_t echo_key;

	struct kmqtt_link __rcu *link;
	struct kmqtt_port port;
	struct delayed_work life;
	struct work_struct end_work;
	struct completion *gone;
	atomic64_t stats[KMQTT_UPSTAT_COUNT];
	char name[KMQTT_UPLINK_NAME_MAX + 1];
};

static inline void kmqtt_uplink_count(struct kmqtt_uplink *up,
				      unsigned int which, u64 n)
{
	atomic64_add(n, &up->stats[which]);
}

/* uplink_conf.c */

/**
 * kmqtt_upconf_merge() - settings from old ones and new ones
 * @old:	what holds so far, or NULL: the defaults
 * @conf:	what is set
 * @why:	out, on error: what was wrong
 *
 * Return: one allocation with copies of all, to be freed with
 * kmqtt_upconf_free(); ERR_PTR(-EINVAL), ERR_PTR(-ENOMEM).
 */
struct kmqtt_uplink_conf *kmqtt_upconf_merge(const struct kmqtt_uplink_conf *old,
					     const struct kmqtt_uplink_conf *conf,
					     const char **why);

/** kmqtt_upconf_free() - the password does not stay in memory; NULL is allowed */
void kmqtt_upconf_free(struct kmqtt_uplink_conf *conf);

/** kmqtt_upname_valid() - may an uplink be called so? */
bool kmqtt_upname_valid(const char *name);

/* uplink_life.c */

/** kmqtt_uplink_life() - the work item that makes and ends links */
void kmqtt_uplink_life(struct work_struct *work);

/** kmqtt_uplink_kick() - let ->life look what is to be done. Any context */
void kmqtt_uplink_kick(struct kmqtt_uplink *up);

/** kmqtt_uplink_set_state() - and when. uplink->lock held */
void kmqtt_uplink_set_state(struct kmqtt_uplink *up, u8 state);

/**
 * kmqtt_uplink_session() - make the session if there is none. uplink->lock held.
 * Return: 0 or -errno
 */
int kmqtt_uplink_session(struct kmqtt_uplink *up);

/** kmqtt_uplink_tune() - the session gets what the settings say. uplink->lock held */
void kmqtt_uplink_tune(struct kmqtt_uplink *up);

/** kmqtt_uplink_sock_drop() - let go the socket whose turn has not come. uplink->lock held */
void kmqtt_uplink_sock_drop(struct kmqtt_uplink *up);

/** kmqtt_uplink_stop() - it is deleted and has no link: nor ->life any more. Sleeps */
void kmqtt_uplink_stop(struct kmqtt_uplink *up);

/** kmqtt_uplink_event() - tell who watches. Any context */
void kmqtt_uplink_event(struct kmqtt_uplink *up, u8 type, u8 reason, int error,
			const char *text);

/** kmqtt_uplink_up_event() - CONNACK has come. Process context */
void kmqtt_uplink_up_event(struct kmqtt_uplink *up);

/* uplink.c */

/** kmqtt_uplink_changed() - there is something else to show. uplinks->lock held */
void kmqtt_uplink_changed(struct kmqtt_net *kn);

/** kmqtt_uplink_find() - by name, if it is not deleted, or NULL. uplinks->lock held */
struct kmqtt_uplink *kmqtt_uplink_find(struct kmqtt_net *kn, const char *name);

/* uplink_link.c */

/**
 * kmqtt_link_new() - a link with its CONNECT ready to be sent
 *
 * uplink->lock held. Return: it, or ERR_PTR().
 */
struct kmqtt_link *kmqtt_link_new(struct kmqtt_uplink *up);

/** kmqtt_link_free() - after kmqtt_conn_release() */
void kmqtt_link_free(struct kmqtt_link *link);

/* uplink_packet.c */

int kmqtt_link_publish(struct kmqtt_conn *conn, const struct kmqtt_publish *pub,
		       struct kmqtt_msg **msg);
int kmqtt_link_published(struct kmqtt_conn *conn);
int kmqtt_link_resume(struct kmqtt_conn *conn);

/**
 * kmqtt_link_map() - the name of a topic on the other side
 * @link:	link
 * @in:		from the server to the switch, or the other way
 * @topic:	name on this side
 * @out:	out: @topic itself, or in link->topic until the next call
 *
 * Return: 0, -ENOENT: no topic of the uplink carries it; -ENOMEM.
 */
int kmqtt_link_map(struct kmqtt_link *link, bool in, struct kmqtt_view topic,
		   struct kmqtt_view *out);

/* uplink_retain.c */

/** kmqtt_link_is_replay() - has the server sent this retained message again? */
bool kmqtt_link_is_replay(struct kmqtt_link *link, struct kmqtt_msg *msg);

/** kmqtt_uppurge_add() - its retained messages are to be forgotten. subs_lock held */
void kmqtt_uppurge_add(struct kmqtt_uplink *up, const struct kmqtt_uptopic *t,
		       struct kmqtt_view filter);

/** kmqtt_uppurge_run() - forget them. Process context, no lock held but uplinks->lock */
void kmqtt_uppurge_run(struct kmqtt_uplink *up);

/* uplink_send.c */

/** kmqtt_link_refill() - &kmqtt_conn_ops.refill: SUBSCRIBEs and messages */
void kmqtt_link_refill(struct kmqtt_conn *conn, struct kmqtt_tx *tx);

/** kmqtt_link_xchg_ops - what an uplink does with messages that go out */
extern const struct kmqtt_xchg_ops kmqtt_link_xchg_ops;

/** kmqtt_link_is_echo() - is that a publish of ours that comes back? Once each */
bool kmqtt_link_is_echo(struct kmqtt_link *link, const struct kmqtt_msg *msg);

/** kmqtt_link_echo_resume() - CONNACK: has the server @kept what it is to send us? */
void kmqtt_link_echo_resume(struct kmqtt_link *link, bool kept);

/** kmqtt_link_echo_end() - the link ends: who did not come back by now will not */
void kmqtt_link_echo_end(struct kmqtt_link *link);

/* uplink_topic.c */

/**
 * kmqtt_uptopic_out() - name on the server of a message of the switch
 * @up:		uplink
 * @topic:	topic name on the switch
 * @prefix:	out: what precedes it on the server; valid under RCU
 * @skip:	out: bytes of @topic to be left out
 *
 * rcu_read_lock() held. Return: the topic that carries it, or NULL.
 */
const struct kmqtt_uptopic *kmqtt_uptopic_out(struct kmqtt_uplink *up,
					      struct kmqtt_view topic,
					      struct kmqtt_view *prefix,
					      u32 *skip);

/** kmqtt_uptopic_in() - likewise, name on the switch of a message of the server */
const struct kmqtt_uptopic *kmqtt_uptopic_in(struct kmqtt_uplink *up,
					     struct kmqtt_view topic,
					     struct kmqtt_view *prefix,
					     u32 *skip);

/** kmqtt_uptopic_subscribe_all() - local subscriptions of a new session. uplink->lock held */
void kmqtt_uptopic_subscribe_all(struct kmqtt_uplink *up);

/**
 * kmqtt_uptopic_retained() - CONNACK: the server gets what is retained here, of all
 * topics or of those of which it had none. uplink->lock held
 */
void kmqtt_uptopic_retained(struct kmqtt_uplink *up, bool all);

/** kmqtt_uptopic_free_all() - at the end of an uplink; its session is gone */
void kmqtt_uptopic_free_all(struct kmqtt_uplink *up);

/* uplink_subs.c: all take uplink->subs_lock */

/** kmqtt_upsubs_init() / kmqtt_upsubs_destroy() */
void kmqtt_upsubs_init(struct kmqtt_upsubs *subs);
void kmqtt_upsubs_destroy(struct kmqtt_upsubs *subs);

/**
 * kmqtt_upsubs_get() - a topic wants this filter. May be called under tree->lock.
 * Return: 0, -ENOMEM, -ENOSPC
 */
int kmqtt_upsubs_get(struct kmqtt_uptopic *t, struct kmqtt_view filter);

/** kmqtt_upsubs_put() - it does not any more. May be called under tree->lock */
void kmqtt_upsubs_put(struct kmqtt_uptopic *t, struct kmqtt_view filter);

/** kmqtt_upsubs_put_all() - the topic goes, with all that it wanted */
void kmqtt_upsubs_put_all(struct kmqtt_uptopic *t);

/** kmqtt_upsubs_connected() - CONNACK: what the server knows now */
void kmqtt_upsubs_connected(struct kmqtt_uplink *up, bool session_present);

/** kmqtt_upsubs_send() - tell the server what it does not know. In io_work */
void kmqtt_upsubs_send(struct kmqtt_link *link);

/** kmqtt_upsubs_acked() - SUBACK or UNSUBACK. Return: 0 or a reason code */
int kmqtt_upsubs_acked(struct kmqtt_link *link, u8 type,
		       const struct kmqtt_suback *ack);

/** kmqtt_upsubs_waiting() - is a SUBACK or UNSUBACK due? */
bool kmqtt_upsubs_waiting(struct kmqtt_uplink *up);

/** kmqtt_upsubs_expected() - has the server been asked for this topic? */
bool kmqtt_upsubs_expected(struct kmqtt_uplink *up, struct kmqtt_view topic);

#endif

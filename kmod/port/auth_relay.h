/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Enhanced authentication (MQTT 5.0, 4.12) is done in user space: by the netlink
 * socket that has registered as the authenticator of its network namespace, one at
 * a time, until it is closed.
 *
 * A client that names an authentication method has a relay. Its connection asks,
 * and goes on when the answer is there: kmqtt_conn_kick() tells. There is always
 * one, for a time-out, a full buffer and the end of the authenticator are answers.
 *
 * Process context throughout; may sleep for memory and relays->lock, which is
 * taken with no other lock held.
 */
#ifndef KMQTT_PORT_AUTH_RELAY_H
#define KMQTT_PORT_AUTH_RELAY_H

#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "kmqtt_netlink.h"
#include "proto/wire.h"

struct sock;
struct kmqtt_conn;
struct kmqtt_net;

/**
 * struct kmqtt_relays - of a network namespace
 * @lock:	all below, and whose turn it is in each relay
 * @sk:		the authenticator, a reference, or NULL
 * @portid:	its port id
 * @by_id:	struct kmqtt_relay
 * @next:	where the search for the next id begins
 */
struct kmqtt_relays {
	struct mutex lock; /* all of it */
	struct sock *sk;
	u32 portid;
	struct xarray by_id;
	u32 next;
};

/**
 * enum kmqtt_relay_turn - who has to do something
 * @KMQTT_RELAY_NONE:	nobody: no authentication is under way
 * @KMQTT_RELAY_ASKED:	the authenticator
 * @KMQTT_RELAY_ANSWERED: the connection: the answer is there
 * @KMQTT_RELAY_CLIENT:	the client
 */
enum kmqtt_relay_turn {
	KMQTT_RELAY_NONE,
	KMQTT_RELAY_ASKED,
	KMQTT_RELAY_ANSWERED,
	KMQTT_RELAY_CLIENT,
};

/**
 * struct kmqtt_relay - the authentications of a client, one after the other
 * @relays:	those of its namespace
 * @conn:	its connection
 * @id:		by which the authenticator knows it
 * @turn:	&enum kmqtt_relay_turn; ASKED becomes ANSWERED under relays->lock, all
 *		else is in the connection's work item
 * @timeout:	answers if nobody does
 * @deadline:	jiffies when it does
 * @verdict:	ANSWERED: &enum kmqtt_auth_verdict
 * @reason:	ANSWERED: reason code of a refusal
 * @data:	ANSWERED: Authentication Data for the client, from kvmalloc(), or NULL
 * @data_len:	its bytes
 * @user:	user name that the authenticator gave, NUL terminated, or NULL
 * @told:	the authenticator has heard of it
 * @method_len:	bytes of @method
 * @method:	Authentication Method
 */
struct kmqtt_relay {
	struct kmqtt_relays *relays;
	struct kmqtt_conn *conn;
	u32 id;
	u8 turn;
	struct delayed_work timeout;
	unsigned long deadline;
	u8 verdict;
	u8 reason;
	u8 *data;
	u32 data_len;
	char *user;
	bool told;
	u16 method_len;
	u8 method[];
};

/**
 * struct kmqtt_relay_about - what the authenticator is told of a client
 * @session:	client identifier
 * @user:	user name; no data: none
 * @listener:	name of the listener
 * @address:	address and port
 */
struct kmqtt_relay_about {
	struct kmqtt_view session;
	struct kmqtt_view user;
	const char *listener;
	const char *address;
};

/** kmqtt_relay_listens() - is there an authenticator? Any context */
bool kmqtt_relay_listens(struct kmqtt_net *kn);

/**
 * kmqtt_relay_new() - a relay for a client
 * @kn:		namespace
 * @conn:	its connection, kicked when an answer is there
 * @method:	Authentication Method
 *
 * Return: it, or NULL for lack of memory.
 */
struct kmqtt_relay *kmqtt_relay_new(struct kmqtt_net *kn, struct kmqtt_conn *conn,
				    struct kmqtt_view method);

/** kmqtt_relay_free() - the client goes; the authenticator is told. NULL is allowed */
void kmqtt_relay_free(struct kmqtt_relay *relay);

/**
 * kmqtt_relay_ask() - it is the authenticator's turn
 * @relay:	relay; nobody has asked, or it is the client's turn
 * @step:	&enum kmqtt_auth_step
 * @about:	for all steps but KMQTT_AUTH_STEP_CONTINUE, else NULL
 * @data:	Authentication Data of the client; no data: none
 *
 * Return: 0 or the reason code with which the client is to be refused: nobody
 * listens, or does not keep up, or the data is too long for netlink.
 */
u8 kmqtt_relay_ask(struct kmqtt_relay *relay, u8 step,
		   const struct kmqtt_relay_about *about, struct kmqtt_view data);

/** kmqtt_relay_turn() - whose turn it is. Any context; see &kmqtt_relay.turn */
static inline u8 kmqtt_relay_turn(const struct kmqtt_relay *relay)
{
	/* pairs with kmqtt_relay_answer() */
	return smp_load_acquire(&relay->turn);
}

/** kmqtt_relay_taken() - the answer has been taken: now it is @turn's */
void kmqtt_relay_taken(struct kmqtt_relay *relay, u8 turn);

/** kmqtt_relay_net_init() / kmqtt_relay_net_exit() - of a namespace (main.c) */
void kmqtt_relay_net_init(struct kmqtt_net *kn);
void kmqtt_relay_net_exit(struct kmqtt_net *kn);

/** kmqtt_relay_init() / kmqtt_relay_exit() - at module load and exit */
int kmqtt_relay_init(void);
void kmqtt_relay_exit(void);

#endif

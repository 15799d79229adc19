/* SPDX-License-Identifier: GPL-2.0 */
/* What kmqtt keeps for a network namespace: the switch and its ports. */
#ifndef KMQTT_PORT_NET_H
#define KMQTT_PORT_NET_H

#include "core/broker.h"
#include "port/auth_relay.h"
#include "port/conn.h"
#include "port/listener.h"
#include "port/uplink.h"

/**
 * struct kmqtt_net - one per network namespace, made with it
 * @broker:	the switch
 * @uplinks:	its uplinks
 * @listeners:	where MQTT clients connect to
 * @relays:	their enhanced authentication
 * @handed:	sockets from user space that connections use
 * @conns_queued: connections whose work waits for its turn
 * @change_lock: one change of limits or access rules over netlink at a time: each reads, changes
 *		and sets limits as a whole, and a rule that was added stays until its id is read
 * @sockets_lock: one session per netlink socket, though several threads may ask at once
 */
struct kmqtt_net {
	struct kmqtt_broker broker;
	struct kmqtt_uplinks uplinks;
	struct kmqtt_listeners listeners;
	struct kmqtt_relays relays;
	struct kmqtt_handed handed;
	atomic_t conns_queued;
	struct mutex change_lock;	/* limits, access rules */
	struct mutex sockets_lock;	/* netlink sockets that get a session */
};

/** kmqtt_net_of() - of a network namespace that is alive (main.c) */
struct kmqtt_net *kmqtt_net_of(struct net *net);

/**
 * Set-up and end of the ports, called by main.c.
 *
 * At module load kmqtt_chardev_init() and kmqtt_netlink_init() come last, for
 * with them user space comes in; at exit they go first. kmqtt_uplink_net_exit() and
 * kmqtt_listener_net_exit() run in .pre_exit and return when no socket, work item
 * or timer of the namespace's uplinks, listeners and clients is left;
 * kmqtt_handed_net_exit() comes after them.
 */
int kmqtt_chardev_init(void);
void kmqtt_chardev_exit(void);
int kmqtt_netlink_init(void);
void kmqtt_netlink_exit(void);
int kmqtt_conn_init(void);
void kmqtt_conn_exit(void);
int kmqtt_client_init(void);
void kmqtt_client_exit(void);
int kmqtt_uplink_net_init(struct kmqtt_net *kn);
void kmqtt_uplink_net_exit(struct kmqtt_net *kn);
void kmqtt_listener_net_init(struct kmqtt_net *kn);
void kmqtt_listener_net_exit(struct kmqtt_net *kn);
void kmqtt_handed_net_init(struct kmqtt_net *kn);
void kmqtt_handed_net_exit(struct kmqtt_net *kn);
void kmqtt_netlink_net_init(struct kmqtt_net *kn);

#endif

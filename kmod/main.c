// SPDX-License-Identifier: GPL-2.0
/* kmqtt: MQTT as a service of the kernel. Load, unload, network namespaces. */
#include <linux/module.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>

#include "compat.h"
#include "core/broker.h"
#include "port/net.h"

static unsigned int kmqtt_net_id __read_mostly;

struct kmqtt_net *kmqtt_net_of(struct net *net)
{
	return net_generic(net, kmqtt_net_id);
}

struct kmqtt_broker *kmqtt_broker_of(struct net *net)
{
	return &kmqtt_net_of(net)->broker;
}

static int __net_init kmqtt_net_init(struct net *net)
{
	struct kmqtt_net *kn = kmqtt_net_of(net);
	int ret;

	ret = kmqtt_broker_init(&kn->broker, net);
	if (ret)
		return ret;
	kmqtt_netlink_net_init(kn);
	kmqtt_relay_net_init(kn);
	kmqtt_handed_net_init(kn);
	kmqtt_listener_net_init(kn);
	ret = kmqtt_uplink_net_init(kn);
	if (ret)
		kmqtt_broker_destroy(&kn->broker);
	return ret;
}

/*
 * Kernel sockets do not hold their namespace, so all of them must be closed
 * when this returns. Files of /dev/kmqtt, netlink sockets and those that a
 * process has handed over do hold it: none is open any more, unless it is the
 * module that goes.
 */
static void __net_exit kmqtt_net_pre_exit(struct net *net)
{
	struct kmqtt_net *kn = kmqtt_net_of(net);

	kmqtt_listener_net_exit(kn);
	kmqtt_relay_net_exit(kn);
	kmqtt_uplink_net_exit(kn);
	kmqtt_handed_net_exit(kn);
	kmqtt_broker_shutdown(&kn->broker);
}

static void __net_exit kmqtt_net_exit(struct net *net)
{
	kmqtt_broker_destroy(&kmqtt_net_of(net)->broker);
}

static struct pernet_operations kmqtt_net_ops = {
	.init = kmqtt_net_init,
	.pre_exit = kmqtt_net_pre_exit,
	.exit = kmqtt_net_exit,
	.id = &kmqtt_net_id,
	.size = sizeof(struct kmqtt_net),
};

static int __init kmqtt_init(void)
{
	int ret;

	ret = kmqtt_core_init();
	if (ret)
		return ret;
	ret = kmqtt_conn_init();
	if (ret)
		goto core;
	ret = kmqtt_client_init();
	if (ret)
		goto conn;
	ret = register_pernet_subsys(&kmqtt_net_ops);
	if (ret)
		goto client;
	ret = kmqtt_netlink_init();
	if (ret)
		goto net;
	ret = kmqtt_chardev_init();
	if (ret)
		goto netlink;
	return 0;
netlink:
	kmqtt_netlink_exit();
net:
	unregister_pernet_subsys(&kmqtt_net_ops);
client:
	kmqtt_client_exit();
conn:
	kmqtt_conn_exit();
core:
	kmqtt_core_exit();
	return ret;
}

static void __exit kmqtt_exit(void)
{
	kmqtt_chardev_exit();
	kmqtt_netlink_exit();
	unregister_pernet_subsys(&kmqtt_net_ops);
	kmqtt_client_exit();
	kmqtt_conn_exit();
	kmqtt_core_exit();
}

module_init(kmqtt_init);
module_exit(kmqtt_exit);
MODULE_DESCRIPTION("MQTT as a service of the kernel");
MODULE_AUTHOR("the kmqtt developers");
MODULE_LICENSE("GPL");

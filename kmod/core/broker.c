// SPDX-License-Identifier: GPL-2.0
/* The switch of one network namespace: set-up, limits, end. */
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/user_namespace.h>
#include <net/net_namespace.h>

#include "compat.h"
#include "core/broker.h"
#include "core/message.h"
#include "core/queue.h"
#include "core/stock.h"

/* smallest packet size to ask for, and the largest there is (MQTT 5.0, 1.5.5) */
#define KMQTT_PACKET_SIZE_MIN	20
#define KMQTT_PACKET_SIZE_MAX	268435460

struct workqueue_struct *kmqtt_wq;

/* As Mosquitto 2.1 has them, where it has them. */
static const struct kmqtt_limits kmqtt_limits_default = {
	.max_inflight_messages = 20,
	.max_queued_messages = 1000,
	.max_queued_bytes = 0,
	.max_packet_size = 2000000,
	.memory_limit = 0,
	.max_sessions = 0,
	.max_subscriptions = 0,
	.max_retained_messages = 0,
	.persistent_client_expiration = U32_MAX,
	.sys_interval = 10,
	.retain_available = true,
	.queue_qos0_messages = false,
	.upgrade_outgoing_qos = false,
	.check_retain_source = true,
	.policy = KMQTT_POLICY_DROP_NEWEST,
};

int kmqtt_core_init(void)
{
	int ret = kmqtt_message_init();

	if (ret)
		return ret;
	ret = kmqtt_queue_init();
	if (ret)
		goto message;
	ret = kmqtt_session_init();
	if (ret)
		goto queue;
	ret = kmqtt_stocks_init();
	if (ret)
		goto session;
	kmqtt_wq = alloc_workqueue("kmqtt", WQ_UNBOUND, 0);
	if (kmqtt_wq)
		return 0;
	ret = -ENOMEM;
	kmqtt_stocks_exit();
session:
	kmqtt_session_exit();
queue:
	kmqtt_queue_exit();
message:
	kmqtt_message_exit();
	return ret;
}

void kmqtt_core_exit(void)
{
	destroy_workqueue(kmqtt_wq);
	rcu_barrier();	/* sessions, identities and nodes on their way */
	kmqtt_stocks_exit();
	kmqtt_session_exit();
	kmqtt_queue_exit();
	kmqtt_message_exit();
}

int kmqtt_broker_init(struct kmqtt_broker *b, struct net *net)
{
	int ret;

	b->net = net;
	b->guest = net->user_ns != &init_user_ns;
	b->limits = kmqtt_limits_default;
	b->limits.memory_limit = kmqtt_memory_default();
	b->started = ktime_get_boottime_seconds();
	mutex_init(&b->sessions_lock);
	xa_init(&b->by_number);
	b->by_expiry = RB_ROOT_CACHED;
	INIT_DELAYED_WORK(&b->expiry_work, kmqtt_sessions_expire);
	atomic_set(&b->blockers, 0);
	kmqtt_sys_init(b);
	b->wq = alloc_workqueue("kmqtt_switch", WQ_UNBOUND, 0);
	if (!b->wq)
		return -ENOMEM;
	ret = -ENOMEM;
	b->stats = kmqtt_stats_alloc();
	if (!b->stats)
		goto queue;
	ret = percpu_counter_init(&b->memory, 0, GFP_KERNEL);
	if (ret)
		goto stats;
	ret = rhashtable_init(&b->sessions, &kmqtt_session_params_by_name);
	if (ret)
		goto memory;
	ret = kmqtt_tree_init(&b->tree);
	if (ret)
		goto sessions;
	b->tree.broker = b;
	ret = kmqtt_retain_init(&b->retain);
	if (ret)
		goto tree;
	kmqtt_acl_init(&b->acl);
	kmqtt_auth_init(&b->auth);
	return 0;
tree:
	kmqtt_tree_destroy(&b->tree);
sessions:
	rhashtable_destroy(&b->sessions);
memory:
	percpu_counter_destroy(&b->memory);
stats:
	free_percpu(b->stats);
queue:
	destroy_workqueue(b->wq);
	return ret;
}

void kmqtt_broker_shutdown(struct kmqtt_broker *b)
{
	might_sleep();
	kmqtt_sessions_end_all(b);
	cancel_delayed_work_sync(&b->expiry_work);
	/* a will that was on its way when its session ended */
	flush_workqueue(b->wq);
}

void kmqtt_broker_destroy(struct kmqtt_broker *b)
{
	destroy_workqueue(b->wq);
	kmqtt_auth_destroy(&b->auth);
	kmqtt_acl_destroy(&b->acl);
	kmqtt_retain_destroy(&b->retain);
	kmqtt_tree_destroy(&b->tree);
	rhashtable_destroy(&b->sessions);
	xa_destroy(&b->by_number);
	WARN_ON_ONCE(percpu_counter_sum(&b->memory));
	percpu_counter_destroy(&b->memory);
	free_percpu(b->stats);
}

/* Return: the name of the first key that is out of range, or NULL */
static const char *kmqtt_limits_check(const struct kmqtt_limits *l)
{
	if (!l->max_inflight_messages || l->max_inflight_messages > U16_MAX)
		return "max_inflight_messages";
	if (l->max_packet_size < KMQTT_PACKET_SIZE_MIN ||
	    l->max_packet_size > KMQTT_PACKET_SIZE_MAX)
		return "max_packet_size";
	if (l->policy < KMQTT_POLICY_DROP_NEWEST || l->policy > KMQTT_POLICY_BLOCK)
		return "policy";
	if (l->sys_interval > KMQTT_SYS_INTERVAL_MAX)
		return "sys_interval";
	return NULL;
}

int kmqtt_limits_set(struct kmqtt_broker *b, const struct kmqtt_limits *limits,
		     const char **bad)
{
	struct kmqtt_session *s;
	unsigned long number;

	*bad = kmqtt_limits_check(limits);
	if (*bad)
		return -ERANGE;
	mutex_lock(&b->sessions_lock);
	b->limits = *limits;
	/* writers that wait may have room now */
	xa_for_each(&b->by_number, number, s)
		wake_up_all(&s->space);
	mutex_unlock(&b->sessions_lock);
	kmqtt_sys_changed(b);
	return 0;
}

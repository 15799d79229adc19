// SPDX-License-Identifier: GPL-2.0
/* $SYS/broker: see sys.h. All but setting up runs in one work item. */
#include <linux/err.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/rcupdate.h>
#include <linux/string.h>

#include "compat.h"
#include "core/broker.h"

#define KMQTT_SYS_ROOT	"$SYS/broker/"
#define KMQTT_SYS_VERSION "kmqtt version 1.0.0"

/* The numbers, in the order of kmqtt_sys_collect(). */
static const char * const kmqtt_sys_names[] = {
	"clients/total", "clients/inactive", "clients/disconnected", "clients/active",
	"clients/connected", "clients/expired", "clients/maximum",
	"messages/stored", "store/messages/count", "store/messages/bytes",
	"subscriptions/count", "shared_subscriptions/count", "retained messages/count",
	"heap/current", "heap/maximum",
	"messages/received", "messages/sent",
	"publish/messages/received", "publish/messages/sent", "publish/messages/dropped",
	"publish/bytes/received", "publish/bytes/sent", "bytes/received", "bytes/sent",
};

static_assert(ARRAY_SIZE(kmqtt_sys_names) == KMQTT_SYS_VALUES);

static const char * const kmqtt_load_names[] = {
	[KMQTT_LOAD_MESSAGES_RECEIVED] = "messages/received",
	[KMQTT_LOAD_MESSAGES_SENT] = "messages/sent",
	[KMQTT_LOAD_PUBLISH_RECEIVED] = "publish/received",
	[KMQTT_LOAD_PUBLISH_SENT] = "publish/sent",
	[KMQTT_LOAD_PUBLISH_DROPPED] = "publish/dropped",
	[KMQTT_LOAD_BYTES_RECEIVED] = "bytes/received",
	[KMQTT_LOAD_BYTES_SENT] = "bytes/sent",
	[KMQTT_LOAD_SOCKETS] = "sockets",
	[KMQTT_LOAD_CONNECTIONS] = "connections",
};

static_assert(ARRAY_SIZE(kmqtt_load_names) == KMQTT_LOAD_COUNT);

static const u8 kmqtt_load_stat[] = {
	[KMQTT_LOAD_MESSAGES_RECEIVED] = KMQTT_STAT_PACKETS_RECEIVED,
	[KMQTT_LOAD_MESSAGES_SENT] = KMQTT_STAT_PACKETS_SENT,
	[KMQTT_LOAD_PUBLISH_RECEIVED] = KMQTT_STAT_MESSAGES_PUBLISHED,
	[KMQTT_LOAD_PUBLISH_SENT] = KMQTT_STAT_MESSAGES_DELIVERED,
	[KMQTT_LOAD_PUBLISH_DROPPED] = KMQTT_STAT_MESSAGES_DROPPED,
	[KMQTT_LOAD_BYTES_RECEIVED] = KMQTT_STAT_BYTES_RECEIVED,
	[KMQTT_LOAD_BYTES_SENT] = KMQTT_STAT_BYTES_SENT,
	[KMQTT_LOAD_SOCKETS] = KMQTT_STAT_SOCKETS,
	[KMQTT_LOAD_CONNECTIONS] = KMQTT_STAT_CONNECTS,
};

static const u8 kmqtt_load_minutes[KMQTT_LOAD_TIMES] = { 1, 5, 15 };

/* exp(-1 / 60 / minutes), times 2^32 */
static u64 kmqtt_decay_second(unsigned int minutes)
{
	switch (minutes) {
	case 1:
		return 4223977731ULL;
	case 5:
		return 4280674573ULL;
	default:
		return 4290197760ULL;
	}
}

u64 kmqtt_sys_decay(u64 avg, u64 now, unsigned int seconds, unsigned int minutes)
{
	u64 factor = 1ULL << 32, power = kmqtt_decay_second(minutes);

	for (; seconds; seconds >>= 1) {
		if (seconds & 1)
			factor = mul_u64_u64_shr(factor, power, 32);
		power = mul_u64_u64_shr(power, power, 32);
	}
	if (avg >= now)
		return now + mul_u64_u64_shr(avg - now, factor, 32);
	return now - mul_u64_u64_shr(now - avg, factor, 32);
}

/* What cannot be said is, with all else, the next time. */
static void kmqtt_sys_say(struct kmqtt_broker *b, const char *name, const char *value)
{
	char topic[80];
	struct kmqtt_msg_desc desc = {
		.topic = (const u8 *)topic,
		.topic_len = scnprintf(topic, sizeof(topic), KMQTT_SYS_ROOT "%s", name),
		.payload_len = strlen(value),
		.retain = true,
	};
	struct kmqtt_msg *msg = kmqtt_msg_alloc(b, &desc, GFP_KERNEL);

	if (IS_ERR(msg)) {
		b->sys.missed = true;
		return;
	}
	memcpy(kmqtt_msg_payload(msg), value, desc.payload_len);
	if (kmqtt_publish(NULL, msg, NULL) < 0)
		b->sys.missed = true;
	kmqtt_msg_put(msg);
}

/* What only a walk over the sessions tells. */
struct kmqtt_sys_clients {
	u64 total;
	u64 connected;
	u64 queued;
};

static void kmqtt_sys_count(struct kmqtt_broker *b, struct kmqtt_sys_clients *n)
{
	unsigned long number = 0;
	struct kmqtt_session *s;

	while ((s = kmqtt_session_next(b, number))) {
		number = s->number;
		n->queued += READ_ONCE(s->queued) + READ_ONCE(s->inflight_count);
		if (s->kind == KMQTT_KIND_REMOTE) {
			n->total++;
			n->connected += !!rcu_access_pointer(s->port);
		}
		kmqtt_session_put(s);
		cond_resched();
	}
}

static void kmqtt_sys_collect(struct kmqtt_broker *b, const u64 *stat, u64 *v)
{
	u64 memory = percpu_counter_sum_positive(&b->memory);
	u64 retained = READ_ONCE(b->retain.count);
	struct kmqtt_sys_clients n = {};
	struct kmqtt_sys *sys = &b->sys;

	kmqtt_sys_count(b, &n);
	sys->max_clients = max(sys->max_clients, n.connected);
	sys->max_memory = max(sys->max_memory, memory);
	*v++ = n.total;
	*v++ = n.total - n.connected;
	*v++ = n.total - n.connected;
	*v++ = n.connected;
	*v++ = n.connected;
	*v++ = stat[KMQTT_STAT_SESSIONS_EXPIRED];
	*v++ = sys->max_clients;
	*v++ = n.queued + retained;
	*v++ = n.queued + retained;
	*v++ = memory;
	*v++ = READ_ONCE(b->tree.count);
	*v++ = READ_ONCE(b->tree.shared_count);
	*v++ = retained;
	*v++ = memory;
	*v++ = sys->max_memory;
	*v++ = stat[KMQTT_STAT_PACKETS_RECEIVED];
	*v++ = stat[KMQTT_STAT_PACKETS_SENT];
	*v++ = stat[KMQTT_STAT_MESSAGES_PUBLISHED];
	*v++ = stat[KMQTT_STAT_MESSAGES_DELIVERED];
	*v++ = stat[KMQTT_STAT_MESSAGES_DROPPED];
	*v++ = stat[KMQTT_STAT_BYTES_PUBLISHED];
	*v++ = stat[KMQTT_STAT_BYTES_DELIVERED];
	*v++ = stat[KMQTT_STAT_BYTES_RECEIVED];
	*v++ = stat[KMQTT_STAT_BYTES_SENT];
}

static void kmqtt_sys_values(struct kmqtt_broker *b, const u64 *stat, bool all)
{
	struct kmqtt_sys *sys = &b->sys;
	u64 v[KMQTT_SYS_VALUES];
	char text[24];
	int i;

	kmqtt_sys_collect(b, stat, v);
	for (i = 0; i < KMQTT_SYS_VALUES; i++) {
		if (!all && sys->said[i] == v[i])
			continue;
		sys->said[i] = v[i];
		snprintf(text, sizeof(text), "%llu", v[i]);
		kmqtt_sys_say(b, kmqtt_sys_names[i], text);
	}
}

static void kmqtt_sys_load(struct kmqtt_broker *b, enum kmqtt_sys_load which, u64 count,
			   unsigned int seconds, bool all)
{
	struct kmqtt_sys_load_state *load = &b->sys.load[which];
	char name[48], text[24];
	u64 rate, hundredths;
	u32 rest;
	int i;

	/* what a lost connection did not send is taken back, and may be more */
	rate = seconds && count > load->last ?
	       div_u64((count - load->last) * 60 << 16, seconds) : 0;
	load->last = count;
	for (i = 0; i < KMQTT_LOAD_TIMES; i++) {
		load->avg[i] = kmqtt_sys_decay(load->avg[i], rate, seconds,
					       kmqtt_load_minutes[i]);
		hundredths = load->avg[i] * 100 >> 16;
		if (!all && load->said[i] == hundredths)
			continue;
		load->said[i] = hundredths;
		snprintf(name, sizeof(name), "load/%s/%umin", kmqtt_load_names[which],
			 kmqtt_load_minutes[i]);
		hundredths = div_u64_rem(hundredths, 100, &rest);
		snprintf(text, sizeof(text), "%llu.%02u", hundredths, rest);
		kmqtt_sys_say(b, name, text);
	}
}

static void kmqtt_sys_work(struct work_struct *work)
{
	struct kmqtt_sys *sys = container_of(to_delayed_work(work), struct kmqtt_sys, work);
	struct kmqtt_broker *b = container_of(sys, struct kmqtt_broker, sys);
	u32 interval = READ_ONCE(b->limits.sys_interval);
	u64 now = ktime_get_boottime_seconds();
	u64 stat[KMQTT_STAT_COUNT];
	bool all = !sys->begun || sys->missed;
	unsigned int seconds, i;
	char text[48];

	if (!interval)
		return;
	sys->missed = false;
	kmqtt_stats_sum(b->stats, stat);
	seconds = sys->begun ? min_t(u64, now - sys->last, KMQTT_SYS_INTERVAL_MAX) : 0;
	sys->last = now;
	if (all)
		kmqtt_sys_say(b, "version", KMQTT_SYS_VERSION);
	snprintf(text, sizeof(text), "%llu seconds", now - b->started);
	kmqtt_sys_say(b, "uptime", text);
	for (i = 0; i < KMQTT_LOAD_COUNT; i++)
		kmqtt_sys_load(b, i, stat[kmqtt_load_stat[i]], seconds, all);
	kmqtt_sys_values(b, stat, all);
	sys->begun = true;
	queue_delayed_work(b->wq, &sys->work, interval * HZ);
}

void kmqtt_sys_init(struct kmqtt_broker *b)
{
	mutex_init(&b->sys.lock);
	INIT_DELAYED_WORK(&b->sys.work, kmqtt_sys_work);
}

void kmqtt_sys_use(struct kmqtt_broker *b)
{
	mutex_lock(&b->sys.lock);
	if (!b->sys.users++)
		mod_delayed_work(b->wq, &b->sys.work, 0);
	mutex_unlock(&b->sys.lock);
}

void kmqtt_sys_unuse(struct kmqtt_broker *b)
{
	mutex_lock(&b->sys.lock);
	if (!--b->sys.users)
		cancel_delayed_work_sync(&b->sys.work);
	mutex_unlock(&b->sys.lock);
}

void kmqtt_sys_changed(struct kmqtt_broker *b)
{
	mutex_lock(&b->sys.lock);
	if (b->sys.users)
		mod_delayed_work(b->wq, &b->sys.work, 0);
	mutex_unlock(&b->sys.lock);
}

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the switch says of itself: retained messages below $SYS/broker, with the
 * names and formats of Mosquitto's, which exporters read literally.
 *
 * It is said every sys_interval seconds while somebody may connect from elsewhere
 * (kmqtt_sys_use()), and only what has changed.
 */
#ifndef KMQTT_CORE_SYS_H
#define KMQTT_CORE_SYS_H

#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/workqueue.h>

struct kmqtt_broker;

#define KMQTT_SYS_INTERVAL_MAX	65535	/* seconds */

/**
 * enum kmqtt_sys_load - what has averages over 1, 5 and 15 minutes
 * @KMQTT_LOAD_MESSAGES_RECEIVED: MQTT control packets
 * @KMQTT_LOAD_MESSAGES_SENT:	MQTT control packets
 * @KMQTT_LOAD_PUBLISH_RECEIVED: messages
 * @KMQTT_LOAD_PUBLISH_SENT:	messages
 * @KMQTT_LOAD_PUBLISH_DROPPED:	messages
 * @KMQTT_LOAD_BYTES_RECEIVED:	on MQTT connections
 * @KMQTT_LOAD_BYTES_SENT:	on MQTT connections
 * @KMQTT_LOAD_SOCKETS:		connections accepted
 * @KMQTT_LOAD_CONNECTIONS:	of them, let in
 * @KMQTT_LOAD_COUNT:		how many there are
 */
enum kmqtt_sys_load {
	KMQTT_LOAD_MESSAGES_RECEIVED,
	KMQTT_LOAD_MESSAGES_SENT,
	KMQTT_LOAD_PUBLISH_RECEIVED,
	KMQTT_LOAD_PUBLISH_SENT,
	KMQTT_LOAD_PUBLISH_DROPPED,
	KMQTT_LOAD_BYTES_RECEIVED,
	KMQTT_LOAD_BYTES_SENT,
	KMQTT_LOAD_SOCKETS,
	KMQTT_LOAD_CONNECTIONS,
	KMQTT_LOAD_COUNT,
};

#define KMQTT_LOAD_TIMES	3	/* 1, 5 and 15 minutes */
#define KMQTT_SYS_VALUES	24	/* numbers that are no averages */

/**
 * struct kmqtt_sys_load_state - one of them
 * @last:	counter when it was looked at last
 * @avg:	events a minute, times 65536
 * @said:	what was published last, in hundredths
 */
struct kmqtt_sys_load_state {
	u64 last;
	u64 avg[KMQTT_LOAD_TIMES];
	u64 said[KMQTT_LOAD_TIMES];
};

/**
 * struct kmqtt_sys - of a switch
 * @work:	publishes
 * @lock:	protects @users
 * @users:	listeners
 * @begun:	@said and @load are in use
 * @missed:	there was no room for something that was to be said
 * @last:	CLOCK_BOOTTIME second of the last time
 * @max_clients: most clients that were connected at a time, as seen then
 * @max_memory:	most memory of messages, as seen then
 * @said:	what was published last
 * @load:	averages
 *
 * All but @users belongs to @work.
 */
struct kmqtt_sys {
	struct delayed_work work;
	struct mutex lock; /* users */
	unsigned int users;
	bool begun;
	bool missed;
	u64 last;
	u64 max_clients;
	u64 max_memory;
	u64 said[KMQTT_SYS_VALUES];
	struct kmqtt_sys_load_state load[KMQTT_LOAD_COUNT];
};

/** kmqtt_sys_init() - says nothing yet */
void kmqtt_sys_init(struct kmqtt_broker *broker);

/** kmqtt_sys_use() - one more listener is there. Process context */
void kmqtt_sys_use(struct kmqtt_broker *broker);

/** kmqtt_sys_unuse() - one less: after the last one nothing is said. May sleep */
void kmqtt_sys_unuse(struct kmqtt_broker *broker);

/** kmqtt_sys_changed() - sys_interval has another value. Process context */
void kmqtt_sys_changed(struct kmqtt_broker *broker);

/**
 * kmqtt_sys_decay() - what is left of an average
 * @avg:	average
 * @now:	what it is an average of, now
 * @seconds:	since it was brought up to date last, up to KMQTT_SYS_INTERVAL_MAX
 * @minutes:	over which it is: 1, 5 or 15
 *
 * Return: @now + (@avg - @now) * exp(-@seconds / 60 / @minutes).
 */
u64 kmqtt_sys_decay(u64 avg, u64 now, unsigned int seconds, unsigned int minutes);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * kmqtt bench, a load generator for any broker: one process, one thread, epoll, its reads and
 * writes batched. Closed loop: what was published and has not arrived is at most a window, so
 * nothing queues without bound. Each message carries who published it and its number; each
 * delivery is counted and its size and order are checked.
 *
 * Whoever finds that the measurement cannot go on prints why and exits with STATUS_REFUSED.
 */
#ifndef KMQTT_CLI_BENCH_H
#define KMQTT_CLI_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdnoreturn.h>
#include <sys/types.h>

#include "resolve.h"

/** BENCH_SIZE_MIN - bytes at the beginning of a payload: publisher, number, time */
#define BENCH_SIZE_MIN	16

/**
 * enum bench_mode - what is measured
 * @BENCH_FLOW:		publishers to subscribers, as fast as it goes
 * @BENCH_ROUND_TRIP:	one message after another at a fixed rate; how long each took
 * @BENCH_FILTERS:	as BENCH_FLOW, each message for one of many filters
 * @BENCH_RETAINED:	what subscribers get that come to many retained messages
 * @BENCH_CONNECT:	clients that connect and leave
 * @BENCH_IDLE:		clients that are there: memory
 */
enum bench_mode {
	BENCH_FLOW,
	BENCH_ROUND_TRIP,
	BENCH_FILTERS,
	BENCH_RETAINED,
	BENCH_CONNECT,
	BENCH_IDLE,
};

/**
 * struct bench_conf - what is asked for
 * @server:		the broker
 * @mode:		&enum bench_mode
 * @publishers:		clients that publish
 * @subscribers:	clients that subscribe
 * @pairs:		each publisher has a subscriber and a topic of its own
 * @shared:		the subscribers share one subscription
 * @wildcard:		BENCH_FILTERS: the filters have a wildcard
 * @bare:		BENCH_IDLE: only sockets, to a listener of its own
 * @qos:		of messages and subscriptions
 * @version:		protocol level, 4 or 5
 * @size:		bytes of a payload
 * @window:		messages of all publishers on their way
 * @inflight:		messages of one publisher that are not acknowledged, at most
 * @deliveries:		measure so many; 0: for @ns
 * @ns:			measure at most so long
 * @rate:		BENCH_ROUND_TRIP: messages a second
 * @count:		filters, retained messages, connections
 * @pid:		whose memory is reported too; 0: nobody's
 * @username:		of CONNECT, or NULL
 * @password:		of CONNECT, or NULL
 * @password_len:	bytes of it
 * @prefix:		first level of all topics
 */
struct bench_conf {
	struct server server;
	enum bench_mode mode;
	uint64_t publishers;
	uint64_t subscribers;
	bool pairs;
	bool shared;
	bool wildcard;
	bool bare;
	uint64_t qos;
	uint64_t version;
	uint64_t size;
	uint64_t window;
	uint64_t inflight;
	uint64_t deliveries;
	uint64_t ns;
	uint64_t rate;
	uint64_t count;
	uint64_t pid;
	const char *username;
	const char *password;
	size_t password_len;
	const char *prefix;
};

/**
 * struct bench_clock - what all clocks and counters say at one time
 * @ns:			time
 * @machine:		processor time of all of this machine, in ns
 * @own:		processor time of this process, in ns
 * @switches:		context switches of all of this machine
 * @own_switches:	those of this process
 * @kernel_memory:	bytes in slabs, stacks, vmalloc and per-CPU areas
 * @used_memory:	bytes that are neither free nor a cache of files
 * @pid_memory:		resident bytes of &bench_conf.pid
 * @own_memory:		resident bytes of this process
 */
struct bench_clock {
	uint64_t ns;
	uint64_t machine;
	uint64_t own;
	uint64_t switches;
	uint64_t own_switches;
	int64_t kernel_memory;
	int64_t used_memory;
	int64_t pid_memory;
	int64_t own_memory;
};

/**
 * struct bench_result - what was measured
 * @n:			deliveries, or connections
 * @lost:		deliveries that did not come, of which a later one did
 * @spent:		what the clocks advanced by, of memory what it grew by
 * @setup_kernel_memory: what &bench_clock.kernel_memory grew by before, for subscriptions or
 *			retained messages
 * @setup_pid_memory:	the same of &bench_clock.pid_memory
 * @latency:		BENCH_ROUND_TRIP: ns of each message, sorted
 * @samples:		how many of them
 */
struct bench_result {
	uint64_t n;
	uint64_t lost;
	struct bench_clock spent;
	int64_t setup_kernel_memory;
	int64_t setup_pid_memory;
	uint32_t *latency;
	size_t samples;
};

/**
 * struct peer - one client
 * @fd:			its socket
 * @number:		its number among the publishers or subscribers
 * @publisher:		it publishes
 * @up:			CONNACK has come, and as many SUBACKs as it waits for
 * @subacks:		SUBACKs that it waits for
 * @inflight_max:	messages that may be not acknowledged
 * @sent:		messages published
 * @acked:		of these, acknowledged
 * @got:		messages received, and lost
 * @id:			packet identifier that was used last
 * @next:		subscriber: by publisher, the number that is expected
 * @out:		bytes to be sent
 * @out_size:		room in it
 * @out_len:		bytes in it
 * @out_gone:		of these, sent
 * @carry:		beginning of a packet whose rest has not come
 * @carry_len:		bytes of it
 * @skip:		bytes of a payload that are to come and are of no interest
 */
struct peer {
	int fd;
	unsigned int number;
	bool publisher;
	bool up;
	unsigned int subacks;
	unsigned int inflight_max;
	uint64_t sent;
	uint64_t acked;
	uint64_t got;
	uint16_t id;
	uint32_t *next;
	uint8_t *out;
	size_t out_size;
	size_t out_len;
	size_t out_gone;
	uint8_t carry[512];
	size_t carry_len;
	uint64_t skip;
};

/**
 * struct bench - the one that runs
 * @conf:	what is asked for
 * @peers:	publishers, then subscribers
 * @n_peers:	how many
 * @epfd:	epoll instance with all their sockets
 * @got:	deliveries to all, and lost ones
 * @lost:	of these, lost
 * @arrived:	called with the time in the payload of each delivery, or NULL
 */
struct bench {
	const struct bench_conf *conf;
	struct peer *peers;
	size_t n_peers;
	int epfd;
	uint64_t got;
	uint64_t lost;
	void (*arrived)(uint64_t sent_ns);
};

extern struct bench bench;

/** bench_fail() - it cannot go on. @fmt: as for printf() */
noreturn void bench_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/** bench_now() - monotonic time in ns */
uint64_t bench_now(void);

/** bench_clock_read() - all clocks */
void bench_clock_read(struct bench_clock *clock);

/** bench_begin() - what is measured begins. @clock: out: the clocks */
void bench_begin(struct bench_clock *clock);

/**
 * bench_end() - what is measured has ended
 * @begin:	the clocks when it began
 * @result:	&bench_result.spent is set
 */
void bench_end(const struct bench_clock *begin, struct bench_result *result);

/** bench_sockets() - allow this process so many more than a few files */
void bench_sockets(uint64_t count);

/** peer_dial() - a connected socket. Return: its descriptor */
int peer_dial(void);

/** peer_connect() - opens @p and queues its CONNECT. @id: number for its client identifier */
void peer_connect(struct peer *p, unsigned int id);

/** peer_connack() - sends its CONNECT and waits for the answer */
void peer_connack(struct peer *p);

/**
 * peer_subscribe() - queues a SUBSCRIBE
 * @p:		who
 * @filter:	gives the filters: called with 0 and so on, and where to put 64 bytes
 * @first:	number of the first filter
 * @step:	from one number to the next
 * @count:	filters
 */
void peer_subscribe(struct peer *p, int (*filter)(char *text, uint64_t number), uint64_t first,
		    uint64_t step, unsigned int count);

/**
 * peer_publish() - queues a PUBLISH
 * @p:		who
 * @topic:	topic name
 * @len:	bytes of it
 * @size:	bytes of payload: at least BENCH_SIZE_MIN; 0: none
 * @retain:	the RETAIN flag
 */
void peer_publish(struct peer *p, const char *topic, size_t len, size_t size, bool retain);

/** peer_disconnect() - sends DISCONNECT and closes */
void peer_disconnect(struct peer *p);

/** peer_flush() - sends as much of what is queued as the socket takes */
void peer_flush(struct peer *p);

/** peer_receive() - takes in what has come */
void peer_receive(struct peer *p);

/** peers_start() - connects all publishers, then all subscribers, in order, and waits for them */
void peers_start(void);

/** peers_wait() - until all that has been subscribed is acknowledged */
void peers_wait(void);

/**
 * peers_turn() - receives and sends where that is possible
 * @timeout:	ms to wait for it
 *
 * Return: how many peers there was something for
 */
int peers_turn(int timeout);

/** peers_stop() - disconnects all */
void peers_stop(void);

/** bench_topic() - the topic of BENCH_FLOW with a number. Return: its length */
int bench_topic(char *text, uint64_t number);

/** bench_flow() - BENCH_FLOW and BENCH_FILTERS */
void bench_flow(struct bench_result *result);

/** bench_round_trip() - BENCH_ROUND_TRIP */
void bench_round_trip(struct bench_result *result);

/** bench_retained() - BENCH_RETAINED */
void bench_retained(struct bench_result *result);

/** bench_connect() - BENCH_CONNECT */
void bench_connect(struct bench_result *result);

/** bench_idle() - BENCH_IDLE */
void bench_idle(struct bench_result *result);

#endif

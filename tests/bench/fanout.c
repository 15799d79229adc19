// SPDX-License-Identifier: GPL-2.0
/*
 * One writer, 100 subscribers, each a process of its own: deliveries per
 * second of CPU time of the whole machine, through /dev/kmqtt and through
 * Debian's mosquitto with libmosquitto on loopback. Both publish QoS 0 and
 * keep at most WINDOW messages between the writer and the slowest subscriber.
 */
#include <signal.h>

#include <mosquitto.h>

#include "bench.h"

#define SUBSCRIBERS	100
#define WINDOW		256
#define PORT		18830
#define MESSAGES_KMQTT	3000
#define MESSAGES_MOSQUITTO 600

/* What a subscriber has got, each in a cache line of its own. */
struct count {
	volatile long got;
	volatile int ready;
	char pad[64 - sizeof(long) - sizeof(int)];
};

static struct count *counts;

static long slowest(void)
{
	long least = counts[0].got;
	int i;

	for (i = 1; i < SUBSCRIBERS; i++)
		if (counts[i].got < least)
			least = counts[i].got;
	return least;
}

static void wait_ready(void)
{
	int i;

	for (i = 0; i < SUBSCRIBERS; i++)
		while (!counts[i].ready)
			usleep(1000);
}

/* Not more than WINDOW ahead; asked only now and then. */
static void keep_window(long sent)
{
	while (sent % (WINDOW / 2) == 0 && sent - slowest() > WINDOW / 2)
		usleep(200);
}

static void kmqtt_subscriber(struct count *c, long total)
{
	static char buf[65536];
	struct message m;
	int fd = open_subscriber(TOPIC);

	make_message(&m, TOPIC);
	c->ready = 1;
	while (c->got < total) {
		ssize_t n = read(fd, buf, sizeof(buf));

		if (n <= 0)
			die("read");
		c->got += n / m.head.len;
	}
	_exit(0);
}

static void on_message(struct mosquitto *mosq, void *obj,
		       const struct mosquitto_message *msg)
{
	struct count *c = obj;

	(void)mosq;
	(void)msg;
	c->got++;
}

static void on_connect(struct mosquitto *mosq, void *obj, int rc)
{
	(void)obj;
	if (rc || mosquitto_subscribe(mosq, NULL, TOPIC, 0))
		exit(1);
}

static void on_subscribe(struct mosquitto *mosq, void *obj, int mid, int n,
			 const int *qos)
{
	struct count *c = obj;

	(void)mosq;
	(void)mid;
	(void)n;
	(void)qos;
	c->ready = 1;
}

static struct mosquitto *mosquitto_client(void *obj)
{
	struct mosquitto *mosq;
	int i;

	mosquitto_lib_init();
	mosq = mosquitto_new(NULL, true, obj);
	if (!mosq)
		die("mosquitto_new");
	mosquitto_connect_callback_set(mosq, on_connect);
	mosquitto_subscribe_callback_set(mosq, on_subscribe);
	mosquitto_message_callback_set(mosq, on_message);
	if (!obj)
		mosquitto_connect_callback_set(mosq, NULL);
	for (i = 0; i < 200; i++) {
		if (!mosquitto_connect(mosq, "127.0.0.1", PORT, 600))
			return mosq;
		usleep(50000);
	}
	die("mosquitto_connect");
	return NULL;
}

static void mosquitto_subscriber(struct count *c, long total)
{
	struct mosquitto *mosq = mosquitto_client(c);

	while (c->got < total)
		if (mosquitto_loop(mosq, 1000, 1))
			die("mosquitto_loop");
	_exit(0);
}

static void start_subscribers(void (*subscriber)(struct count *, long), long total)
{
	int i;

	memset(counts, 0, sizeof(*counts) * SUBSCRIBERS);
	for (i = 0; i < SUBSCRIBERS; i++)
		if (!fork())
			subscriber(&counts[i], total);
	wait_ready();
}

static void wait_subscribers(void)
{
	int status, i;

	for (i = 0; i < SUBSCRIBERS; i++)
		if (wait(&status) < 0 || status)
			exit(1);
}

static double run_kmqtt(void)
{
	int fd = open_device();
	struct message m;
	double start;
	long i;

	make_message(&m, TOPIC);
	start_subscribers(kmqtt_subscriber, MESSAGES_KMQTT);
	start = busy();
	for (i = 1; i <= MESSAGES_KMQTT; i++) {
		write_all(fd, &m, m.head.len);
		keep_window(i);
	}
	wait_subscribers();
	close(fd);
	return (double)MESSAGES_KMQTT * SUBSCRIBERS / (busy() - start);
}

static pid_t start_mosquitto(void)
{
	char path[] = "/tmp/kmqtt-bench-XXXXXX";
	int fd = mkstemp(path);
	pid_t pid;

	if (fd < 0 ||
	    dprintf(fd, "listener %d 127.0.0.1\nallow_anonymous true\n"
		    "log_dest none\nmax_queued_messages 0\n", PORT) < 0)
		die(path);
	close(fd);
	pid = fork();
	if (!pid) {
		execlp("mosquitto", "mosquitto", "-c", path, NULL);
		die("mosquitto");
	}
	return pid;
}

static double run_mosquitto(void)
{
	pid_t broker = start_mosquitto();
	struct mosquitto *mosq;
	char payload[PAYLOAD] = "";
	double start, rate;
	long i;

	start_subscribers(mosquitto_subscriber, MESSAGES_MOSQUITTO);
	mosq = mosquitto_client(NULL);
	start = busy();
	for (i = 1; i <= MESSAGES_MOSQUITTO; i++) {
		if (mosquitto_publish(mosq, NULL, TOPIC, PAYLOAD, payload, 0, false) ||
		    mosquitto_loop(mosq, 0, 1))
			die("mosquitto_publish");
		keep_window(i);
	}
	wait_subscribers();
	rate = (double)MESSAGES_MOSQUITTO * SUBSCRIBERS / (busy() - start);
	mosquitto_destroy(mosq);
	kill(broker, SIGTERM);
	waitpid(broker, NULL, 0);
	return rate;
}

int main(void)
{
	double theirs, ours;

	counts = shared(sizeof(*counts) * SUBSCRIBERS);
	theirs = run_mosquitto();
	ours = run_kmqtt();
	row("deliveries a CPU second, 64 B, 1 to 100", ours / 1e3, "k/s", theirs / 1e3,
	    "mosquitto; >= 10");
	return 0;
}

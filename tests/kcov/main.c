// SPDX-License-Identifier: GPL-2.0-only
/* See kcov.h. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <kmqtt.h>

#include "kcov.h"

/* programs in a network namespace before another one is made */
#define TOGETHER	50
#define TIMER_US	5000
#define TELL_SECONDS	10
#define NAMES		128

struct options {
	uint64_t seed, runs;
	unsigned int seconds, least;
	bool unguided;
	const char *log, *replay;
};

/* How often what was tried, and was done. */
static struct {
	const char *name;
	unsigned int tried, done;
} notes[NAMES];

static int log_fd = -1, kmsg = -1;

void fail(const char *what)
{
	printf("not ok - %s: %s\n", what, strerror(errno));
	exit(1);
}

void note(const char *name, bool done)
{
	unsigned int i;

	for (i = 0; i < NAMES - 1 && notes[i].name && strcmp(notes[i].name, name); i++)
		;
	notes[i].name = name;
	notes[i].tried++;
	notes[i].done += done;
}

static void on_alarm(int number)
{
	(void)number;
}

/* What waits, is told not to. */
void timer(bool on)
{
	struct itimerval every = { .it_value.tv_usec = TIMER_US, .it_interval.tv_usec = TIMER_US };

	if (!on)
		memset(&every, 0, sizeof(every));
	setitimer(ITIMER_REAL, &every, NULL);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* A switch of its own, which goes with all that it has when the next one comes. */
static void new_namespace(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd;

	if (unshare(CLONE_NEWNET))
		fail("unshare");
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &lo))
		fail("lo");
	close(fd);
	if (log_fd >= 0 && (ftruncate(log_fd, 0) || lseek(log_fd, 0, SEEK_SET)))
		fail("the log");
}

/* Before it is run: if the machine goes down by it, this is there. */
static void log_program(const struct program *p)
{
	static char line[2 * PROGRAM_MAX + 1];
	unsigned int i;

	if (log_fd < 0)
		return;
	for (i = 0; i < p->len; i++)
		sprintf(line + 2 * i, "%02x", p->bytes[i]);
	line[2 * p->len] = '\n';
	if (write(log_fd, line, 2 * p->len + 1) < 0)
		fail("the log");
}

static void run(const struct program *p)
{
	unsigned int at;

	for (at = 0; at < p->len; at += OP_BYTES) {
		struct input in = { p->bytes + at + 1, OP_BYTES - 1 };
		enum op op = op_of(p->bytes[at]);

		memory_forget();
		cover_mark();
		if (op == OP_PEER)
			peer_op(&in);
		else if (op >= OP_REQUEST)
			netlink_op(op, &in);
		else
			device_op(op, &in);
	}
	/* what ends with the last use is done for this thread, too */
	cover_mark();
	device_close();
	netlink_close();
	peer_close();
}

/* Has the kernel complained? tests/vm/run judges that in the end; here it ends what is done. */
static bool complained(void)
{
	static const char *const bad[] = {
		"BUG:", "WARNING:", "KASAN", "UBSAN", "Oops", "Call Trace", "general protection",
	};
	char record[2048];
	ssize_t len;
	unsigned int i;

	for (;;) {
		len = read(kmsg, record, sizeof(record) - 1);
		/* some of it went before it was read; or there is no more */
		if (len < 0 && errno == EPIPE)
			continue;
		if (len <= 0)
			return false;
		record[len] = '\0';
		for (i = 0; i < ARRAY_LEN(bad); i++)
			if (strstr(record, bad[i])) {
				printf("# the kernel: %s", strchr(record, ';') + 1);
				return true;
			}
	}
}

static void tell(const struct options *o, const char *when, uint64_t runs, double seconds)
{
	printf("# %s, %s: %llu executions in %.0f s, %u programs in the corpus,"
	       " %u places of the module, %u ways between two\n", when,
	       o->unguided ? "unguided" : "guided", (unsigned long long)runs, seconds,
	       corpus_size(), cover_places(), cover_edges());
	fflush(stdout);
}

static void tell_notes(void)
{
	unsigned int i;

	/* to see that all of it is met; many of them are not to be done */
	printf("# done of how many tried:");
	for (i = 0; i < NAMES && notes[i].name; i++)
		printf("%s %s %u/%u", i ? "," : "", notes[i].name, notes[i].done, notes[i].tried);
	printf("\n");
	if (cover_lost())
		printf("# of %u programs KCOV did not tell all\n", cover_lost());
}

/* Return: did the kernel keep quiet? */
static bool fuzz(const struct options *o)
{
	double start = now(), told = start;
	struct program program;
	unsigned int seeds = corpus_size();
	bool quiet = true, place;
	uint64_t runs;

	for (runs = 0; quiet && (!o->runs || runs < o->runs); runs++) {
		if (o->seconds && now() - start >= o->seconds)
			break;
		if (runs % TOGETHER == 0)
			new_namespace();
		/* what there was at first, as it is; then what comes of it */
		if (runs < seeds)
			corpus_get(&program, runs);
		else
			program_new(&program);
		log_program(&program);
		cover_begin();
		run(&program);
		if (cover_end(&place) && !o->unguided && runs >= seeds)
			corpus_add(&program, place);
		quiet = !complained();
		if (now() - told >= TELL_SECONDS) {
			told = now();
			tell(o, "so far", runs + 1, told - start);
		}
	}
	tell(o, quiet ? "in the end" : "when the kernel complained", runs, now() - start);
	tell_notes();
	if (!quiet && o->log)
		printf("# the programs up to that are in %s\n", o->log);
	return quiet;
}

/* Programs of a log, as they were run: in a namespace of their own. */
static bool replay(const struct options *o)
{
	static char line[2 * PROGRAM_MAX + 2];
	FILE *file = fopen(o->replay, "r");
	struct program program;
	unsigned int runs = 0, byte;
	bool quiet = true, place;

	if (!file)
		fail(o->replay);
	new_namespace();
	while (quiet && fgets(line, sizeof(line), file)) {
		for (program.len = 0; sscanf(line + 2 * program.len, "%2x", &byte) == 1;)
			program.bytes[program.len++] = byte;
		cover_begin();
		run(&program);
		cover_end(&place);
		runs++;
		quiet = !complained();
	}
	fclose(file);
	tell(o, quiet ? "in the end" : "when the kernel complained", runs, 0);
	tell_notes();
	return quiet;
}

static void options(int argc, char **argv, struct options *o)
{
	static const struct option known[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "runs", required_argument, NULL, 'r' },
		{ "seconds", required_argument, NULL, 't' },
		{ "least", required_argument, NULL, 'm' },
		{ "log", required_argument, NULL, 'l' },
		{ "replay", required_argument, NULL, 'p' },
		{ "unguided", no_argument, NULL, 'u' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		unsigned long long value = optarg ? strtoull(optarg, NULL, 0) : 0;

		switch (c) {
		case 's':
			o->seed = value;
			break;
		case 'r':
			o->runs = value;
			break;
		case 't':
			o->seconds = value;
			break;
		case 'm':
			o->least = value;
			break;
		case 'l':
			o->log = optarg;
			break;
		case 'p':
			o->replay = optarg;
			break;
		case 'u':
			o->unguided = true;
			break;
		default:
			exit(1);
		}
	}
	if (optind < argc || (!o->runs && !o->seconds && !o->replay)) {
		fprintf(stderr, "a number of --runs, or --seconds, or a log to --replay\n");
		exit(1);
	}
}

/* What is told goes elsewhere: 0, 1 and 2 are no descriptors that kmqtt could be given. */
static void set_up(const struct options *o)
{
	struct sigaction action = { .sa_handler = on_alarm };
	int null = open("/dev/null", O_RDWR), told = fcntl(1, F_DUPFD_CLOEXEC, 100), i;

	stdout = told < 0 ? NULL : fdopen(told, "w");
	if (null < 0 || !stdout)
		_exit(1);
	for (i = 0; i < 3; i++)
		dup2(null, i);
	close(null);
	/* no restart: what is interrupted comes back */
	sigaction(SIGALRM, &action, NULL);
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (kmsg < 0 || lseek(kmsg, 0, SEEK_END) < 0)
		fail("/dev/kmsg");
	if (o->log)
		log_fd = open(o->log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (o->log && log_fd < 0)
		fail(o->log);
	/* so that somebody without rights may be refused by kmqtt, and not by the file's mode */
	if (chmod(KMQTT_DEVICE, 0666))
		fail(KMQTT_DEVICE);
}

int main(int argc, char **argv)
{
	struct options o = { .seed = time(NULL), .least = 1 };
	bool quiet, enough;

	options(argc, argv, &o);
	set_up(&o);
	printf("# seed %llu\n", (unsigned long long)o.seed);
	random_seed(o.seed);
	cover_open();
	memory_open();
	netlink_resolve();
	ring_start();
	seeds_add();
	quiet = o.replay ? replay(&o) : fuzz(&o);
	enough = cover_places() >= o.least;
	printf("%sok - the kernel kept quiet\n", quiet ? "" : "not ");
	printf("%sok - %u places of the module or more were reached\n", enough ? "" : "not ",
	       o.least);
	return !quiet || !enough;
}

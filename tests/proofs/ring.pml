/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The mmap ring (uapi/kmqtt.h, kmod/port/ring.c): publishers put messages into a session's queue
 * and fill its ring; the reader takes them from there, and sleeps in poll() when there are none.
 *
 * With an honest reader: each message arrives once, in order and whole; the kernel writes over
 * nothing that the reader has not consumed; no wake-up is lost. With -DHOSTILE the reader writes
 * whatever it likes into its page at any time, and calls poll(): the kernel writes nothing out of
 * the ring, keeps to what it believes, and comes back from every call.
 *
 * Each step is one access to memory that others use, or what a function does under a lock; the
 * function's name stands there. The reader's stores may be seen late (its CPU's store buffer);
 * otherwise memory is as if there were no caches: release and acquire are taken for granted.
 * Positions count modulo 8; a record is one or two long, the ring two. A publisher that copies
 * for the reader has a budget, KMQTT_RING_WAKE_BUDGET; kmqtt_ring_skip(), records of drops and readers
 * of several threads are not here.
 *
 * With -DBUG_... one thing is wrong that is right in kmod/: the check must find it.
 */
#define SIZE	2	/* bytes of data */
#define WRAP	8	/* positions */
#ifndef N
#define N	4	/* messages */
#endif
#define WRITERS	2
#define BUDGET	1	/* of a publisher */
#define NONE	255

#define LEN(m)	((m) % 3 == 1 -> 2 : 1)		/* kmqtt_delivery_record_len() */
#define POS(x)	(((x) + WRAP) % WRAP)

/* struct kmqtt_ring */
byte producer, consumer;
byte kicks;
bool dead;

/* struct kmqtt_ring_kernel, and the data: the number of the message */
byte kernel_producer;
bool more, error;
byte data[SIZE];

/* struct kmqtt_ring_user; and where the reader really is */
byte user_consumer;
byte reader;

/* the session's queue: messages @head to @tail - 1 */
byte head, tail;

/* the file's wait queue */
bool waiting, woken;

byte arrived;

/* What the reader's page says: honestly, or whatever a hostile reader has put there just now. */
#ifdef HOSTILE
#define read_user(to)	select(to : 0 .. 7)
#else
#define read_user(to)	to = user_consumer
#endif

/* kmqtt_session_take(), kmqtt_ring_put(): two at most of what fits */
inline ring_put(room, taken)
{
	do
	:: head < tail && LEN(head) <= room && taken < 2 ->
		/* never beyond the second mapping of the data */
		assert(producer % SIZE + LEN(head) <= 2 * SIZE);
		assert(POS(producer - consumer) + LEN(head) <= SIZE);
#ifndef HOSTILE
		assert(POS(producer - reader) + LEN(head) <= SIZE);
#endif
		data[producer % SIZE] = head;
		data[(producer + LEN(head) - 1) % SIZE] = head;
		room = room - LEN(head);
		producer = POS(producer + LEN(head));
		head++;
		taken++
	:: else -> break
	od
}

#ifdef BUG_NO_CHECK
#define SENSE(c)	true
#else
#define SENSE(c)	(POS((c) - consumer) <= POS(producer - consumer))
#endif

/* kmqtt_ring_fill_batch(): @go on if there is perhaps more, else @flag is KMQTT_RING_MORE */
inline ring_fill_batch(budget, room, before, go, flag)
{
	atomic {	/* kmqtt_ring_room() */
		before = producer;
		read_user(room);
		if
		:: SENSE(room) ->
#ifdef BUG_READ_TWICE
			read_user(room);
#endif
			consumer = room;
			room = SIZE - POS(producer - consumer);
			if
			:: room > budget -> room = budget
			:: else
			fi
		:: else ->
			dead = true;
			room = 0
		fi
	};
	atomic {
		go = false;
		flag = (head < tail);	/* if nothing fits: -EMSGSIZE */
		if
		:: dead
		:: else -> ring_put(room, go)
		fi;
		flag = (flag && producer == before);
		budget = (budget > POS(producer - before) -> budget - POS(producer - before) : 0);
		before = 0; room = 0
	};
	kernel_producer = producer
}

/* kmqtt_ring_fill(): @told: the reader has something to see */
inline ring_fill(budget, told)
{
	atomic {	/* atomic_fetch_inc() */
		seen = kicks; kicks++;
		assert(kicks <= N + 2);		/* nobody kicks without end */
		start = producer
	};
	if
	:: seen > 0 -> skip
	:: else ->
		do
		:: atomic { seen = kicks; flag = false };
		   do
		   :: dead -> break
		   :: else ->
			ring_fill_batch(budget, room, before, go, flag);
			if
			:: go && !dead -> skip
			:: else -> break
			fi
		   od;
		   atomic { error = dead; more = (flag && !dead) };
		   if
		   :: flag || dead ->
#ifndef BUG_KICKS_STAY
			kicks = 0;	/* atomic_xchg() */
#endif
			break
		   :: else ->
#ifdef BUG_KICKS_FORGOTTEN
			kicks = 0;
			break
#else
			/* atomic_sub_return() */
			atomic { kicks = kicks - seen; seen = kicks };
			if
			:: seen == 0 -> break
			:: else
			fi
#endif
		   fi
		od;
#ifdef BUG_TOLD_OF_FLAGS_ONLY
		told = (flag || dead)
#else
		told = (flag || dead || producer != start)
#endif
	fi;
	atomic { seen = 0; start = 0; go = false; flag = false; budget = 0 }
}

/* write(): kmqtt_queue_push(), kmqtt_file_wake() */
proctype writer(byte some)
{
	byte seen, start, room, before, budget, go;
	bool flag, told;

	do
	:: atomic { some > 0 ->
			some--;
			tail++;		/* kmqtt_queue_add_tail() */
			budget = BUDGET
		};
		ring_fill(budget, told);
		atomic {
			if
			:: told && waiting -> woken = true	/* wake_up_interruptible_sync_poll() */
			:: else
			fi;
			told = false
		}
	:: some == 0 -> break
	od
}

/* A full barrier: what the reader has stored is there. */
inline barrier()
{
#ifndef BUG_NO_BARRIER
	user_consumer = reader
#else
	skip
#endif
}

/* kmqtt_poll() and kmqtt_file_poll_ring(): @mask: EPOLLIN or EPOLLERR */
inline file_poll(mask)
{
	mask = false;
	do
	:: atomic { barrier(); budget = SIZE };	/* as atomic_fetch_inc() is */
	   ring_fill(budget, told);
	   barrier();		/* smp_mb() */
	   atomic {
		read_user(go);
		mask = (dead || kernel_producer != go);
		go = 0
	   };
	   if
#ifdef BUG_AGAIN_WHILE_OTHERS_FILL
	   :: !mask && more -> told = false	/* cond_resched() */
	   :: mask || !more -> break
#else
	   :: !mask && told && more -> told = false	/* cond_resched() */
	   :: mask || !told || !more -> break
#endif
	   fi
	od;
	told = false
}

#ifndef HOSTILE

/* The store buffer of the reader's CPU drains. */
proctype drain()
{
end:	do
	:: atomic { user_consumer != reader -> user_consumer = reader }
	od
}

/* The loop of struct kmqtt_ring_setup. */
proctype honest()
{
	byte seen, start, room, before, budget, go, m;
	bool flag, told, mask;

end:	do
	:: arrived == N -> break
	:: reader != kernel_producer ->
		atomic {
			m = data[reader % SIZE];
			assert(m == arrived);
			assert(data[(reader + LEN(m) - 1) % SIZE] == m);
			assert(POS(kernel_producer - reader) >= LEN(m));
			arrived++;
			reader = POS(reader + LEN(m));
			m = 0
		}
	:: reader == kernel_producer && arrived < N ->
#ifndef BUG_WAIT_LATE
		atomic { waiting = true; woken = false };	/* poll_wait() */
#endif
		do
		:: file_poll(mask);
#ifdef BUG_WAIT_LATE
		   atomic { waiting = true; woken = false };
#endif
		   if
		   :: mask -> break
		   :: else
		   fi;
end_sleep:	   atomic { woken -> woken = false }	/* poll_schedule_timeout() */
		od;
		waiting = false
	od
}

/* When nothing can happen any more. */
proctype judge()
{
	timeout;
	assert(arrived == N);
	assert(!error && !dead)
}

init {
	atomic {
		run writer(N / 2);
		run writer(N - N / 2);
		run drain();
		run honest();
		run judge()
	}
}

#else

/* What it writes into its page is in read_user(). */
proctype poller()
{
	byte seen, start, room, before, budget, go, calls;
	bool flag, told, mask;

	do
	:: calls < 2 -> calls++; file_poll(mask)
	:: else -> break
	od
}

init {
	atomic {
		run writer(N / 2);
		run writer(N - N / 2);
		run poller()
	}
}

#endif

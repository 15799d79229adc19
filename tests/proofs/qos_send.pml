/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * QoS 1 and 2 (MQTT 5.0, 4.3) with kmqtt as the sender: a session whose connections break at any
 * time, with what was on its way; the next one takes the session over while the work item of the
 * one before still runs. The peer keeps its state, or crashes and loses it.
 *
 * What must hold: QoS 2 arrives once, once more only where the peer lost its state before it
 * answered; QoS 1 arrives; in the end nothing is left in the session, and nobody waits for ever.
 *
 * A step in atomic { } is a function of kmod/ that runs under session->lock; its name stands there.
 * The queue and the window (session->inflight) are what of the messages 0, 1, ... is in that state,
 * in this order: kmqtt_queue_add_head() and kmqtt_window_add() keep it so. Access rules, expiry and
 * messages too large for the peer are not here.
 *
 * With -DBUG_... one thing is wrong that is right in kmod/: the check must find it.
 */
#define N	3	/* messages: QoS 2, QoS 1, QoS 2 */
#define IDS	2	/* packet identifiers: they are used again */
#define ROOM	2	/* the peer's Receive Maximum */
#ifndef CONNS
#define CONNS	3	/* connections, one after the other */
#endif
#define NONE	255

#define QOS(m)	((m) == 1 -> 1 : 2)

mtype = { PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP };

/* enum kmqtt_qent_state, and DONE: it is freed */
#define QUEUED		0
#define SENT		1
#define RELEASED	2
#define DONE		3

/* the session */
byte port = NONE;
byte newest;		/* the last that had it */
byte state[N];
byte packet_id[N];
bool unsent[N];
byte resend = NONE;
byte last_packet_id;
byte sent;

/* the connections: bytes in order, or lost with all that follows */
chan down[CONNS] = [8] of { mtype, byte, byte };
chan up[CONNS] = [8] of { mtype, byte };
bool called[CONNS];	/* the peer has connected */
bool broken[CONNS];
bool forgot[CONNS];	/* ... and has no session any more */

/* the peer, and who counts */
bool known[IDS + 1];
byte arrived[N];
bool acknowledged[N];	/* kmqtt has its PUBACK or PUBREC */
byte lost;		/* how often the peer lost its state */

#define IN_WINDOW(m)	(state[m] == SENT || state[m] == RELEASED)

/* the first entry of session->inflight that is not before @from, into @out */
inline window_from(from, out)
{
	out = from;
	do
	:: out < N && !IN_WINDOW(out) -> out++
	:: out < N && IN_WINDOW(out) -> break
	:: out >= N -> out = NONE; break
	od
}

/* kmqtt_window_find() */
inline window_find(id, out)
{
	out = 0;
	do
	:: out < N && !(IN_WINDOW(out) && packet_id[out] == id) -> out++
	:: out < N && IN_WINDOW(out) && packet_id[out] == id -> break
	:: out >= N -> out = NONE; break
	od
}

/* kmqtt_window_remove() */
inline window_remove(m, how)
{
	if
	:: !unsent[m] -> sent--
	:: else
	fi;
	unsent[m] = false;
	if
	:: resend == m -> window_from(m + 1, resend)
	:: else
	fi;
	state[m] = how;
	packet_id[m] = 0
}

/* kmqtt_window_packet_id() */
inline window_packet_id(out, i)
{
	do
	:: last_packet_id = (last_packet_id == IDS -> 1 : last_packet_id + 1);
#ifdef BUG_ID_IN_USE
	   break
#else
	   window_find(last_packet_id, i);
	   if
	   :: i == NONE -> break
	   :: else
	   fi
#endif
	od;
	out = last_packet_id
}

/* kmqtt_session_resume() */
inline session_resume(c, m)
{
	sent = 0;
	m = 0;
	if
	:: !forgot[c] ->
		do
		:: m < N -> unsent[m] = IN_WINDOW(m); m++
		:: else -> break
		od;
#ifndef BUG_NO_RESEND
		window_from(0, resend)
#endif
	:: else ->
		resend = NONE;
		do
		:: m < N ->
			unsent[m] = false;
			packet_id[m] = 0;
			if
#ifndef BUG_RELEASED_ANEW
			:: state[m] == RELEASED -> state[m] = DONE	/* the peer had it */
			:: state[m] == SENT -> state[m] = QUEUED	/* kmqtt_window_requeue() */
#else
			:: IN_WINDOW(m) -> state[m] = QUEUED
#endif
			:: else
			fi;
			m++
		:: else -> break
		od
	fi;
	m = 0
}

/* kmqtt_session_pending(): is there something, and kmqtt_window_room() for it? */
#define PENDING	(sent < ROOM && (resend != NONE || state[0] == QUEUED || \
				 state[1] == QUEUED || state[2] == QUEUED))

/* session->resend, or kmqtt_take_first() */
inline take_which(m)
{
	m = resend;
	if
	:: m == NONE ->
		m = 0;
		do
		:: state[m] != QUEUED -> m++
		:: else -> break
		od
	:: else
	fi
}

/* kmqtt_session_take() of one, kmqtt_xchg_one() */
inline session_take(c, m, i)
{
	take_which(m);
	if
	:: m == resend ->	/* kmqtt_take_again() */
		assert(unsent[m]);
		unsent[m] = false;
		window_from(m + 1, resend)
	:: else ->		/* kmqtt_take_new(), kmqtt_window_add() */
		window_packet_id(packet_id[m], i);
		state[m] = SENT
	fi;
	sent++;
	if
#ifndef BUG_PUBLISH_RELEASED
	:: state[m] == RELEASED -> down[c]!PUBREL(packet_id[m], m)	/* kmqtt_xchg_pubrel() */
#endif
	:: else -> down[c]!PUBLISH(packet_id[m], m)	/* kmqtt_xchg_put() */
	fi;
	m = 0;
	i = 0
}

#ifdef BUG_STALE
#define STALE(c)	false
#else
#define STALE(c)	(port != c)	/* -ESTALE of kmqtt_window_acked() */
#endif

/* kmqtt_xchg_ack(): kmqtt_session_puback(), _pubrec(), _pubcomp() */
inline xchg_ack(c, type, id, m)
{
	window_find(id, m);
	if
	:: STALE(c) -> skip
	:: else ->
		if
		:: type == PUBREC && m == NONE -> down[c]!PUBREL(id, 0)	/* packet id not found */
		:: type != PUBREC && m == NONE -> skip
		:: m != NONE && (QOS(m) == 1) != (type == PUBACK) -> assert(false)	/* -EPROTO */
		:: m != NONE && QOS(m) == 1 && type == PUBACK ->
			acknowledged[m] = true;
			window_remove(m, DONE)
		:: m != NONE && QOS(m) == 2 && type == PUBREC ->
			acknowledged[m] = true;
			state[m] = RELEASED;
			down[c]!PUBREL(id, m)
		:: m != NONE && QOS(m) == 2 && type == PUBCOMP ->
			if
			:: state[m] == RELEASED -> window_remove(m, DONE)
			:: else -> assert(false)	/* -EPROTO */
			fi
		fi
	fi;
	m = 0
}

/* The work item of connection c; it may notice late that the connection is broken. */
proctype worker(byte c)
{
	byte m, i, id;
	mtype type;

	called[c];
	/*
	 * kmqtt_session_open(): kmqtt_session_attach() unplugs the one before. An uplink makes its
	 * connections one after the other; of a client, a CONNECT that is looked at after that of a
	 * later connection is not here.
	 */
end_open:
	atomic { newest <= c -> newest = c; port = c };
	atomic {
		if
#ifndef BUG_RESUME_STALE
		:: port != c -> skip
#endif
		:: else -> session_resume(c, m)
		fi
	};
end:	do
	:: atomic { up[c]?type, id -> xchg_ack(c, type, id, m); type = 0; id = 0 }
	:: atomic { port == c && PENDING -> session_take(c, m, i) }
	:: broken[c] -> break
	od;
	atomic {	/* kmqtt_session_detach() */
		if
		:: port == c -> port = NONE
		:: else
		fi
	}
}

/* A receiver by the book: method A of figure 4.3 in 3.1.1, it passes on what is new at once. */
proctype peer()
{
	byte c, m, id;
	mtype type;

	called[0] = true;
end:	do
	:: atomic { down[c]?type, id, m ->
		if
		:: type == PUBLISH && QOS(m) == 1 ->
			arrived[m] = 1;
			up[c]!PUBACK(id)
		:: type == PUBLISH && QOS(m) == 2 ->
			if
			:: !known[id] ->
				known[id] = true;
				arrived[m]++;
				assert(!acknowledged[m]);
				assert(arrived[m] <= 1 + lost)
			:: else
			fi;
			up[c]!PUBREC(id)
		:: type == PUBREL ->
			known[id] = false;
			up[c]!PUBCOMP(id)
		fi;
		type = 0; id = 0; m = 0
	   }
	:: atomic { c < CONNS - 1 ->	/* it breaks, from here or from there */
		broken[c] = true;
		c++;
		if
		:: true
		:: lost == 0 ->
			lost++;
			forgot[c] = true;
			known[1] = false;
			known[2] = false
		fi;
		called[c] = true
	   }
	od
}

/* When nothing can happen any more. */
proctype judge()
{
	byte m;

	timeout;
	do
	:: m < N ->
		assert(state[m] == DONE);
		assert(arrived[m] >= 1);
		m++
	:: else -> break
	od
}

init {
	byte c;

	atomic {
		do
		:: c < CONNS -> run worker(c); c++
		:: else -> break
		od;
		run peer();
		run judge()
	}
}

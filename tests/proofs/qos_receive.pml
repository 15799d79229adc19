/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * QoS 1 and 2 (MQTT 5.0, 4.3) with kmqtt as the receiver: a client publishes, and its connections
 * break at any time, with what was on its way. The work item of a connection goes on with what it
 * has read, also when the client's next connection has the session already. A subscriber may be
 * full, so that a message has to wait, and the switch may refuse one (MQTT 5.0: it says so in its
 * PUBACK or PUBREC; 3.x: it closes the connection). Once, one of them crashes and has lost what it
 * knew: the client connects with Clean Start, or the server has no session for it, which comes to
 * the same; what was on its way then is given up.
 *
 * What must hold: a QoS 2 message that the client was told has arrived is published once, one that
 * was refused never, any other at most once; QoS 1 that was acknowledged is published; nobody waits
 * for ever.
 *
 * A step in atomic { } is a function of kmod/ that runs under session->lock; its name stands there.
 *
 * With -DBUG_... one thing is wrong that is right in kmod/: the check must find it.
 */
#define N	3	/* messages: QoS 2, QoS 1, QoS 2; the QoS 2 ones have the same identifier */
#ifndef CONNS
#define CONNS	3	/* connections, one after the other */
#endif
#define NONE	255

#define QOS(m)	((m) == 1 -> 1 : 2)

mtype = { PUBLISH, PUBACK, PUBREC, REFUSED, PUBREL, PUBCOMP };

/* the session; rx_qos2 of the one identifier that there is: a port that is publishing it, or */
#define FREE	254
#define ARRIVED	253

byte port = NONE;
byte newest;		/* the last that had it */
byte session;		/* which one it is: that of the connection that began it */
byte rx_qos2[CONNS] = FREE;
byte published[N];

chan up[CONNS] = [4] of { mtype, byte };
chan down[CONNS] = [4] of { mtype };
bool called[CONNS];
bool broken[CONNS];
bool clean[CONNS];	/* it has Clean Start */

/* the client */
byte now_sending;
bool told[N];		/* it is acknowledged */
bool refused[N];

/* kmqtt_session_rx_begin(): @ret: 1: new; 0: it has arrived before; ESTALE, EBUSY */
#define ESTALE	2
#define EBUSY	3

inline session_rx_begin(c, ret)
{
	if
#ifndef BUG_BEGIN_STALE
	:: port != c -> ret = ESTALE
#endif
	:: else ->
		if
		:: rx_qos2[mine] == ARRIVED -> ret = 0
#ifndef BUG_BEGIN_TWICE
		:: rx_qos2[mine] != ARRIVED && rx_qos2[mine] != FREE -> ret = EBUSY
		:: rx_qos2[mine] == FREE -> ret = 1; rx_qos2[mine] = c
#else
		:: rx_qos2[mine] != ARRIVED -> ret = 1; rx_qos2[mine] = c
#endif
		fi
	fi
}

/* kmqtt_session_rx_end(); with the session alive nobody else has touched it */
inline session_rx_end(c, how)
{
	assert(rx_qos2[mine] == c);
	rx_qos2[mine] = how
}

/* kmqtt_session_rx_release() */
inline session_rx_release(c, stale)
{
	stale = (port != c);
	if
	:: !stale && rx_qos2[mine] == ARRIVED -> rx_qos2[mine] = FREE
	:: else
	fi
}

/* kmqtt_publish_by() */
inline publish(m)
{
	published[m]++;
	assert(QOS(m) == 1 || published[m] == 1);
	assert(QOS(m) == 1 || !refused[m])
}

/* The work item of connection c; it may notice late that the connection is broken. */
proctype worker(byte c)
{
	byte m, ret, mine;
	bool known, stale, refuse;
	mtype type;

end_called:
	called[c];
	/*
	 * kmqtt_session_open(): kmqtt_session_attach() unplugs the one before. Here a CONNECT is
	 * not looked at after that of a later connection: with it an old copy of a message could
	 * come, and MQTT has nothing against that, whoever the server is.
	 */
end_open:
	atomic {
		newest <= c -> newest = c; port = c;
		if
#ifndef BUG_CLEAN_KEEPS
		:: clean[c] -> session = c
#endif
		:: else
		fi;
		mine = session
	};
end:	do
	:: up[c]?PUBLISH(m) ->
		/* kmqtt_xchg_begin(): kmqtt_session_rx_known(), without the lock */
#ifdef BUG_KNOWN_EARLY
		known = (QOS(m) == 2 && rx_qos2[mine] != FREE);
#else
		known = (QOS(m) == 2 && rx_qos2[mine] == ARRIVED);
#endif
again:		if
		:: known -> skip	/* its payload is passed over */
		:: !known && broken[c] -> break	/* kmqtt_xchg_drop(): it never came whole */
		:: !known && QOS(m) == 1 ->
			/* kmqtt_xchg_try_qos(): kmqtt_session_publish() */
			if
			:: port != c -> stale = true
			:: publish(m)
			:: goto again		/* -EAGAIN: a subscriber is full */
			:: refuse = true
			fi
		:: !known && QOS(m) == 2 ->
			/* kmqtt_xchg_try_qos() */
			atomic { session_rx_begin(c, ret) };
			if
			:: ret == ESTALE -> stale = true
			:: ret == EBUSY -> stale = true; broken[c] = true	/* kmqtt_conn_fail() */
			:: ret == 0 -> known = true	/* -EEXIST */
			:: ret == 1 ->
				if
				:: publish(m);
				   atomic { session_rx_end(c, ARRIVED) }
				:: /* -EAGAIN */
				   atomic { session_rx_end(c, FREE) };
				   goto again
				:: port != c -> /* -ESTALE */
				   atomic { session_rx_end(c, FREE) };
				   stale = true
				:: refuse = true;
				   atomic { session_rx_end(c, FREE) }
				fi
			fi
		fi;
		/* kmqtt_xchg_answer() */
		if
		:: stale -> skip
		:: !stale && refuse ->
			if
			:: down[c]!REFUSED
			:: broken[c] = true	/* 3.x: kmqtt_conn_fail() */
			fi
		:: !stale && !refuse && QOS(m) == 1 -> down[c]!PUBACK
		:: !stale && !refuse && QOS(m) == 2 -> down[c]!PUBREC
		fi;
		m = 0; ret = 0; known = false; refuse = false; stale = false
	:: up[c]?PUBREL(m) ->
		/* kmqtt_xchg_ack() */
		atomic { session_rx_release(c, stale) };
		if
		:: stale -> skip
		:: else -> down[c]!PUBCOMP
		fi;
		stale = false; m = 0
	:: broken[c] -> break
	od;
	atomic {	/* kmqtt_session_detach() */
		if
		:: port == c -> port = NONE
		:: else
		fi
	}
}

/* A sender by the book: one message after the other, what is open again after a reconnect. */
proctype client()
{
	byte c;
	bool released, lost, anew;
	mtype type;

	called[0] = true;
	up[0]!PUBLISH(0);
end:	do
	:: atomic { down[c]?type ->
		anew = false;
		if
		:: type == PUBREC ->
			told[now_sending] = true;
			released = true;
			up[c]!PUBREL(0)
		:: type == PUBACK -> told[now_sending] = true
		:: type == REFUSED -> refused[now_sending] = true
		:: type == PUBCOMP -> released = false
		fi;
		if
		:: !released ->
			now_sending++;
			if
			:: now_sending < N -> up[c]!PUBLISH(now_sending)
			:: else -> break
			fi
		:: else
		fi;
		type = 0
	   }
	:: atomic { c < CONNS - 1 ->
		broken[c] = true;
		c++;
		if
		:: !lost -> lost = true; anew = true
		:: skip
		fi;
		clean[c] = anew;	/* until it has heard that there is a session */
		called[c] = true;
		if
		:: anew ->
			released = false;
			now_sending++;
			if
			:: now_sending < N -> up[c]!PUBLISH(now_sending)
			:: else -> break
			fi
		:: !anew && released -> up[c]!PUBREL(0)
		:: else -> up[c]!PUBLISH(now_sending)
		fi
	   }
	:: c == CONNS - 1 && broken[c] -> break	/* more of them would be the same once more */
	od
}

/* When nothing can happen any more. */
proctype judge()
{
	byte m;

	timeout;
	assert(now_sending == N || broken[CONNS - 1]);
	do
	:: m < N ->
		assert(!told[m] || published[m] >= 1);
		assert(!(told[m] && refused[m]));
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
		run client();
		run judge()
	}
}

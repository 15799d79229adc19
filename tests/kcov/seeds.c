// SPDX-License-Identifier: GPL-2.0-only
/* Programs to begin with: each part of the module is met, and the rest is a matter of changes. */
#include <string.h>

#include "kcov.h"

#define SEED_OPS	8
#define SEED_BYTES	8

/* An operation's first bytes; the others are zero. */
struct seed {
	uint8_t op;
	uint8_t bytes[SEED_BYTES];
};

/* Requests, by the number of the command less one. */
enum {
	SWITCH_GET = 0, SWITCH_SET = 1, STATS_GET = 2, UPLINK_NEW = 3, UPLINK_SET = 4,
	UPLINK_DEL = 5, UPLINK_GET = 6, TOPIC_NEW = 7, TOPIC_DEL = 8, TOPIC_GET = 9,
	SESSION_GET = 10, SESSION_DEL = 11, SUBSCRIPTION_GET = 12, RETAINED_GET = 13,
	RETAINED_DEL = 14, ACL_NEW = 15, ACL_DEL = 16, ACL_GET = 17, ACL_FLUSH = 18,
	LISTENER_NEW = 19, LISTENER_GET = 22, CLIENT_ATTACH = 23, PUBLISH = 24, SUBSCRIBE = 25,
	UNSUBSCRIBE = 26, USER_SET = 29, USER_DEL = 30, USER_GET = 31, USER_REPLACE = 33,
	ACL_REPLACE = 34, AUTH_REGISTER = 35, AUTH_REPLY = 37,
};

/* The second byte of a request. */
#define DO	0
#define DUMP	1

static const struct seed seeds[][SEED_OPS] = {
	{ /* publish, and read */
		{ OP_SUBSCRIBE, { 0 } }, { OP_WRITE, { 0 } }, { OP_POLL, { 0 } },
		{ OP_READ, { 0 } },
		{ OP_UNSUBSCRIBE, { 0 } }, { OP_INFO, { 0, 1 } }, { OP_INFO, { 0 } },
		{ OP_CLOSE, { 0 } },
	}, { /* with acknowledgements, and a name */
		{ OP_SESSION, { 0, 1, 8, 0, 3 } }, { OP_SUBSCRIBE, { 0, 0, 2 } },
		{ OP_WRITE, { 1, 0, 0, 0, 1 } }, { OP_READ, { 0 } }, { OP_ACK, { 0 } },
		{ OP_CLOSE, { 0 } }, { OP_SESSION, { 0, 1, 8, 0, 3 } }, { OP_READ, { 0 } },
	}, { /* a ring */
		{ OP_RING, { 0, 4 } }, { OP_SUBSCRIBE, { 0 } },
		{ OP_WRITE, { 1, 0, 0, 0, 0, 0, 100 } },
		{ OP_POLL, { 0 } }, { OP_STORE, { 0 } }, { OP_STORM, { 0, 200 } },
		{ OP_WRITE, { 1, 0, 0, 0, 0, 0, 150, 4 } }, { OP_POLL, { 0 } },
	}, { /* many at once, to a full queue */
		{ OP_SESSION, { 0, 0, 1, 0, 0, 4, 1 } }, { OP_SUBSCRIBE, { 0 } },
		{ OP_WRITE, { 1, 0, 0, 0, 0, 0, 100 } },
		{ OP_WRITEV, { 1, 0, 0, 0, 0, 0, 150, 3 } },
		{ OP_READ, { 0, 1 } }, { OP_WRITE, { 1 } }, { OP_POLL, { 1 } }, { OP_READ, { 0 } },
	}, { /* what is retained */
		{ OP_WRITE, { 0, 0, 0, 0, 4 } }, { OP_WRITE, { 0, 1, 0, 2, 5 } },
		{ OP_REQUEST, { RETAINED_GET, DUMP } }, { OP_SUBSCRIBE, { 1, 0, 1 } },
		{ OP_READ, { 1 } }, { OP_REQUEST, { RETAINED_DEL, DO } },
		{ OP_REQUEST, { RETAINED_GET, DUMP } },
	}, { /* by netlink */
		{ OP_REQUEST, { SUBSCRIBE, DO } }, { OP_REQUEST, { PUBLISH, DO } },
		{ OP_RECEIVE, { 0 } }, { OP_MEMBER, { 0 } },
		{ OP_REQUEST, { SUBSCRIPTION_GET, DUMP } }, { OP_REQUEST, { UNSUBSCRIBE, DO } },
		{ OP_REQUEST, { SESSION_GET, DUMP } }, { OP_REQUEST, { STATS_GET, DO } },
	}, { /* the switch, and sessions */
		{ OP_REQUEST, { SWITCH_SET, DO, 0, 1, 0, 6, 0 } },
		{ OP_REQUEST, { SWITCH_GET, DO } },
		{ OP_SESSION, { 0, 1, 8, 0, 0 } }, { OP_SUBSCRIBE, { 0 } },
		{ OP_REQUEST, { SESSION_GET, DO } }, { OP_REQUEST, { SUBSCRIPTION_GET, DUMP } },
		{ OP_REQUEST, { SESSION_DEL, DO } }, { OP_READ, { 0 } },
	}, { /* access rules */
		{ OP_REQUEST, { ACL_NEW, DO, 0, 0, 0, 3, 1 } },
		{ OP_REQUEST, { ACL_NEW, DO, 0, 1, 0, 2, 0, 7 } },
		{ OP_REQUEST, { ACL_GET, DUMP } }, { OP_WRITE, { 0 } }, { OP_SUBSCRIBE, { 0 } },
		{ OP_REQUEST, { ACL_REPLACE, DO, 0, 0, 0, 0, 3 } },
		{ OP_REQUEST, { ACL_DEL, DO } }, { OP_REQUEST, { ACL_FLUSH, DO } },
	}, { /* users */
		{ OP_REQUEST, { USER_SET, DO, 0, 0, 0, 0, 1, 1 } },
		{ OP_REQUEST, { USER_GET, DUMP } },
		{ OP_REQUEST, { USER_REPLACE, DO, 0, 0, 0, 0, 0, 1 } },
		{ OP_REQUEST, { USER_GET, DUMP } }, { OP_REQUEST, { USER_DEL, DO } },
	}, { /* a listener, and clients */
		{ OP_REQUEST, { LISTENER_NEW, DO } }, { OP_PEER, { 1, 0 } }, { OP_PEER, { 1, 9 } },
		{ OP_REQUEST, { CLIENT_ATTACH, DO } }, { OP_PEER, { 0, 1 } }, { OP_WRITE, { 0 } },
		{ OP_REQUEST, { SESSION_GET, DUMP } }, { OP_REQUEST, { LISTENER_GET, DUMP } },
	}, { /* an authenticator */
		{ OP_REQUEST, { AUTH_REGISTER, DO } }, { OP_REQUEST, { LISTENER_NEW, DO } },
		{ OP_PEER, { 1, 4 } }, { OP_RECEIVE, { 0 } },
		{ OP_REQUEST, { AUTH_REPLY, DO, 0, 0, 0, 0, 2 } },
		{ OP_REQUEST, { AUTH_REPLY, DO, 0, 0, 0, 1, 2 } },
	}, { /* an uplink that looks for its broker */
		{ OP_REQUEST, { UPLINK_NEW, DO } },
		{ OP_REQUEST, { TOPIC_NEW, DO, 0, 0, 0, 0, 0, 2 } },
		{ OP_REQUEST, { UPLINK_GET, DUMP } }, { OP_REQUEST, { TOPIC_GET, DUMP } },
		{ OP_PUBLISH, { 0, 0, 0, 0, 0, 1 } }, { OP_REQUEST, { UPLINK_SET, DO } },
		{ OP_REQUEST, { TOPIC_DEL, DO } }, { OP_REQUEST, { UPLINK_DEL, DO } },
	}, { /* an uplink that is given its broker: the 29th attribute is a descriptor */
		{ OP_REQUEST, { UPLINK_NEW, DO, 0, 1 } },
		{ OP_REQUEST, { TOPIC_NEW, DO, 0, 0, 0, 0, 0, 2 } },
		{ OP_REQUEST, { UPLINK_SET, DO, 0, 1, 0, 0, 28 } }, { OP_PEER, { 0, 6 } },
		{ OP_WRITE, { 0, 0, 0, 0, 1 } }, { OP_REQUEST, { UPLINK_GET, DO } },
		{ OP_PUBLISH, { 0, 0, 0, 0, 0, 1 } }, { OP_FSYNC, { 0 } },
	},
};

/* How often each operation is met in what is random. */
static const uint8_t weights[] = {
	OP_OPEN, OP_SESSION, OP_SESSION, OP_SUBSCRIBE, OP_SUBSCRIBE, OP_UNSUBSCRIBE, OP_WRITE,
	OP_WRITE, OP_WRITEV, OP_READ, OP_READ, OP_POLL, OP_ACK, OP_PUBLISH, OP_INFO, OP_RING,
	OP_MAP, OP_STORE, OP_STORM, OP_FSYNC, OP_ANY, OP_CLOSE, OP_REQUEST, OP_REQUEST, OP_REQUEST,
	OP_REQUEST, OP_REQUEST, OP_REQUEST, OP_REQUEST, OP_REQUEST, OP_REQUEST, OP_REQUEST,
	OP_REQUEST, OP_REQUEST, OP_REQUEST, OP_REQUEST, OP_MEMBER, OP_RECEIVE, OP_LEAVE, OP_PEER,
	OP_PEER,
};

enum op op_of(uint8_t byte)
{
	return weights[byte % ARRAY_LEN(weights)];
}

static uint8_t byte_of(uint8_t op)
{
	uint8_t byte = 0;

	while (op_of(byte) != op)
		byte++;
	return byte;
}

void seeds_add(void)
{
	unsigned int i, j;

	for (i = 0; i < ARRAY_LEN(seeds); i++) {
		struct program program = { .len = 0 };

		/* an operation that is not there would be to open the first file */
		for (j = 0; j < SEED_OPS && (!j || seeds[i][j].op); j++) {
			uint8_t *to = program.bytes + program.len;

			to[0] = byte_of(seeds[i][j].op);
			memcpy(to + 1, seeds[i][j].bytes, SEED_BYTES);
			program.len += OP_BYTES;
		}
		corpus_add(&program, true);
	}
}

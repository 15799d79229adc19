// SPDX-License-Identifier: GPL-2.0
/*
 * Records of a kTLS socket that are no data. A recvmsg without room for a control
 * message stops at them; a second one with room takes them (kernel: net/tls).
 */
#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/net.h>
#include <linux/socket.h>
#include <linux/tls.h>
#include <net/inet_connection_sock.h>
#include <net/sock.h>
#include <net/tcp.h>

#include "port/conn.h"

/* RFC 8446, B.1 and B.3 */
#define KMQTT_TLS_ALERT			21
#define KMQTT_TLS_HANDSHAKE		22
#define KMQTT_TLS_DATA			23
#define KMQTT_TLS_KEY_UPDATE		24
#define KMQTT_TLS_HANDSHAKE_HEAD	4	/* type, three bytes of length */
#define KMQTT_TLS_WARNING		1
#define KMQTT_TLS_CLOSE_NOTIFY		0

/* More than most tickets: one that is longer comes in pieces, each of type 22. */
#define KMQTT_TLS_RECORD		512

bool kmqtt_sock_is_tls(struct sock *sk)
{
	const struct tcp_ulp_ops *ulp;

	if (!sk_is_tcp(sk))
		return false;
	ulp = READ_ONCE(inet_csk(sk)->icsk_ulp_ops);
	return ulp && !strcmp(ulp->name, "tls");
}

static u8 kmqtt_tls_record_type(const struct msghdr *msg, const void *control)
{
	const struct cmsghdr *cmsg = control;

	/* put_cmsg() has moved msg_control on if it wrote something */
	if (msg->msg_control == control || cmsg->cmsg_level != SOL_TLS ||
	    cmsg->cmsg_type != TLS_GET_RECORD_TYPE)
		return KMQTT_TLS_DATA;
	return *(const u8 *)CMSG_DATA(cmsg);
}

/*
 * Handshake messages follow each other with no regard to records (RFC 8446, 5.1), so
 * only their lengths tell where the next one begins. Return: does one change the keys?
 */
static bool kmqtt_tls_key_update(struct kmqtt_conn *conn, const u8 *p, u32 len)
{
	u32 n;

	for (; len; p += n, len -= n) {
		if (!conn->tls_head && !conn->tls_left && *p == KMQTT_TLS_KEY_UPDATE)
			return true;
		n = 1;
		if (conn->tls_head) {
			conn->tls_left = conn->tls_left << 8 | *p;
			if (++conn->tls_head == KMQTT_TLS_HANDSHAKE_HEAD)
				conn->tls_head = 0;
		} else if (conn->tls_left) {
			n = min(len, conn->tls_left);
			conn->tls_left -= n;
		} else {
			conn->tls_head = 1;
		}
	}
	return false;
}

/*
 * Tickets for resumption are of no use here; new keys could only be set by user
 * space, so a peer that changes its keys has to be connected to anew.
 */
int kmqtt_conn_tls_control(struct kmqtt_conn *conn)
{
	union {
		struct cmsghdr hdr;
		u8 buf[CMSG_SPACE(sizeof(u8))];
	} control = {};
	struct msghdr msg = {
		.msg_control = &control,
		.msg_controllen = sizeof(control),
		.msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL,
	};
	u8 record[KMQTT_TLS_RECORD];
	struct kvec iov = { .iov_base = record, .iov_len = sizeof(record) };
	int ret;

	ret = kernel_recvmsg(conn->sock, &msg, &iov, 1, sizeof(record),
			     MSG_DONTWAIT | MSG_NOSIGNAL);
	if (ret <= 0)
		return ret ? ret : -EPIPE;
	switch (kmqtt_tls_record_type(&msg, &control)) {
	case KMQTT_TLS_ALERT:
		if (ret >= 2 && record[1] == KMQTT_TLS_CLOSE_NOTIFY) {
			set_bit(KMQTT_CONN_EOF, &conn->flags);
			return -EPIPE;
		}
		return -ECONNABORTED;
	case KMQTT_TLS_HANDSHAKE:
		return kmqtt_tls_key_update(conn, record, ret) ? -EKEYEXPIRED : ret;
	default:
		return -EBADMSG;
	}
}

/* Without it the peer cannot tell the end from a stream that was cut (RFC 8446, 6.1). */
void kmqtt_conn_tls_bye(struct kmqtt_conn *conn)
{
	union {
		struct cmsghdr hdr;
		u8 buf[CMSG_SPACE(sizeof(u8))];
	} control = {};
	struct msghdr msg = {
		.msg_control = &control,
		.msg_controllen = sizeof(control),
		.msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL,
	};
	u8 alert[2] = { KMQTT_TLS_WARNING, KMQTT_TLS_CLOSE_NOTIFY };
	struct kvec iov = { .iov_base = alert, .iov_len = sizeof(alert) };

	control.hdr.cmsg_level = SOL_TLS;
	control.hdr.cmsg_type = TLS_SET_RECORD_TYPE;
	control.hdr.cmsg_len = CMSG_LEN(sizeof(u8));
	*(u8 *)CMSG_DATA(&control.hdr) = KMQTT_TLS_ALERT;
	/* if the socket is full, the peer does without */
	kernel_sendmsg(conn->sock, &msg, &iov, 1, sizeof(alert));
}

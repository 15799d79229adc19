# SPDX-License-Identifier: GPL-2.0
"""Pairs of connected sockets, one of which is handed over to the kernel: TCP, kTLS, AF_UNIX."""

import socket
import struct

SOL_TCP, TCP_ULP = 6, 31
SOL_TLS, TLS_TX, TLS_RX, TLS_RECORD_TYPE, TLS_GET_RECORD_TYPE = 282, 1, 2, 1, 2
ALERT, HANDSHAKE = 21, 22


def tcp_pair():
    with socket.create_server(("127.0.0.1", 0)) as server:
        ours = socket.create_connection(server.getsockname())
        theirs, _ = server.accept()
    return ours, theirs


def tls_keys(sock, direction, seed):
    """TLS 1.3, AES-128-GCM, with keys that both sides know."""
    info = struct.pack("=HH", 0x0304, 51) + bytes([seed] * 8) + bytes([seed] * 16) + \
        bytes([seed] * 4) + bytes(8)
    for _ in range(10):
        try:
            return sock.setsockopt(SOL_TLS, direction, info)
        except TimeoutError:
            # the cipher's module is tested while it is loaded, which takes long on a slow machine
            pass
    return sock.setsockopt(SOL_TLS, direction, info)


def tls_end(sock, sends, receives):
    """One end of a TCP connection has kernel TLS from now on, with these seeds of its keys."""
    sock.setsockopt(SOL_TCP, TCP_ULP, b"tls")
    tls_keys(sock, TLS_TX, sends)
    tls_keys(sock, TLS_RX, receives)


def make_tls(ours, theirs):
    """Both ends have it."""
    tls_end(ours, 1, 2)
    tls_end(theirs, 2, 1)


def tls_pair():
    ours, theirs = tcp_pair()
    make_tls(ours, theirs)
    return ours, theirs


def record(sock, kind, data):
    """A TLS record that is no data."""
    sock.sendmsg([data], [(SOL_TLS, TLS_RECORD_TYPE, bytes([kind]))])


PAIRS = {"tcp": tcp_pair, "tls": tls_pair,
         "unix": lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)}

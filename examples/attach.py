#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""MQTT over a Unix socket; who connects is handed over: attach.py /run/mqtt.sock LISTENER"""

import socket
import struct
import sys

CLIENT_ATTACH, NAME, FD = 24, 1, 22  # KMQTT_CMD_CLIENT_ATTACH, KMQTT_A_LISTENER_NAME and _FD


def ask(family, command, *attributes):
    data = b"".join(struct.pack("=HH", len(data) + 4, kind) + data + bytes(-len(data) % 4)
                    for kind, data in attributes)
    netlink.send(struct.pack("=IHHIIBBH", 20 + len(data), family, 5, 0, 0, command, 1, 0) + data)
    return netlink.recv(65536)


netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)  # NETLINK_GENERIC
kmqtt = struct.unpack_from("=H", ask(16, 3, (2, b"kmqtt\0")), 36)[0]  # CTRL_CMD_GETFAMILY
netlink.recv(65536)
with socket.socket(socket.AF_UNIX) as server:
    server.bind(sys.argv[1])
    server.listen()
    while True:
        with server.accept()[0] as client:
            error = struct.unpack_from("=i", ask(kmqtt, CLIENT_ATTACH, (NAME, sys.argv[2].encode()
                                       + b"\0"), (FD, struct.pack("=I", client.fileno()))), 16)[0]
            if error:
                raise OSError(-error, "the kernel does not take it")

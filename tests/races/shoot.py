# SPDX-License-Identifier: GPL-2.0
"""What `ss -K` does: TCP sockets of a namespace that are destroyed by whoever administers it."""

import socket
import struct

from kmqtt_nl import NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR

from space import inside

NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY, SOCK_DESTROY = 4, 20, 21
LISTEN, ALL = 1 << 10, 0xfff
# struct inet_diag_req_v2 before its struct inet_diag_sockid, and that
REQUEST, ID_SIZE = struct.Struct("=BBBBI"), 48


class Shooter:
    """Sits in a namespace, and sees all of its TCP sockets, the kernel's too."""

    def __init__(self, space):
        with inside(space):
            self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC,
                                      NETLINK_SOCK_DIAG)
            self.sock.bind((0, 0))

    def ask(self, kind, flags, family, states, ident):
        """The data of the answers, up to their end; the errno of what is acknowledged."""
        data = REQUEST.pack(family, socket.IPPROTO_TCP, 0, 0, states) + ident
        self.sock.send(struct.pack("=IHHII", 16 + len(data), kind, flags | NLM_F_REQUEST, 0, 0) +
                       data)
        while True:
            got, at = self.sock.recv(1 << 16), 0
            while at < len(got):
                size, kind, _, _, _ = struct.unpack_from("=IHHII", got, at)
                if kind == NLMSG_ERROR:
                    yield -struct.unpack_from("=i", got, at + 16)[0]
                if kind in (NLMSG_DONE, NLMSG_ERROR):
                    return
                yield got[at + 16:at + size]
                at += (size + 3) & ~3

    def sockets(self, states=ALL):
        """Each: family, its own port, its peer's, what names it."""
        for family in socket.AF_INET, socket.AF_INET6:
            for data in list(self.ask(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, family, states,
                                      bytes(ID_SIZE))):
                ident = data[4:4 + ID_SIZE]
                yield family, *struct.unpack_from(">HH", ident), ident

    def shoot(self, wanted, states=ALL):
        """Those of which wanted(own port, peer's port) is true. How many there still were."""
        count = 0
        for family, own, peer, ident in list(self.sockets(states)):
            if wanted(own, peer):
                # refused if it has gone meanwhile
                count += list(self.ask(SOCK_DESTROY, NLM_F_ACK, family, states, ident)) == [0]
        return count

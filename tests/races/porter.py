# SPDX-License-Identifier: GPL-2.0
"""Who accepts connections in user space, and hands them over to the kernel, as a TLS server does."""

import errno
import select
import socket

from kmqtt_nl import Netlink
from kmqtt_pairs import tls_end

from remote import STEP
from space import HANDED, HUB, HUB_ADDRESS, TLS_PORT


# It has been shot, its peer has gone, or there is no such listener for a while.
EXPECTED = [errno.ENOTCONN, errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED, errno.ENOENT,
            errno.ESHUTDOWN]


class Porter:
    """Puts kernel TLS on what comes, with keys that the clients know: it may be killed meanwhile."""

    name = "porter"
    space = HUB
    mortal = True

    def __init__(self):
        self.log = self.nl = None

    def run(self, ledger, stage, _chance):
        """Until the end of all."""
        self.log = ledger
        server = socket.create_server((HUB_ADDRESS, TLS_PORT))
        with server, Netlink() as self.nl:
            while not stage.ended():
                if select.select([server], [], [], STEP)[0]:
                    with server.accept()[0] as sock:
                        self.hand_over(sock)

    def hand_over(self, sock):
        """Or it is closed: who has connected comes again."""
        try:
            tls_end(sock, 1, 2)
            self.nl.do("client-attach", name=HANDED, fd=sock.fileno())
        except OSError as error:
            # a key may be late on a slow machine (kmqtt_pairs.tls_keys)
            if not isinstance(error, TimeoutError) and error.errno not in EXPECTED:
                raise
            self.log.event(f"not handed over: {errno.errorcode.get(error.errno, error)}")

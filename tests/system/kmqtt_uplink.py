# SPDX-License-Identifier: GPL-2.0
"""An uplink as the tests see it, over netlink."""

import errno
import ipaddress
import socket

import kmqtt_nl
from kmqtt_broker import Peer, wait_for

DOWN, WAIT_FD, BACKOFF, CONNECTING, HANDSHAKE, UP, CLOSING = range(7)
IN, OUT, BOTH, DEMAND = range(1, 5)


def server(host, port):
    address = ipaddress.ip_address(host)
    if address.version == 4:
        return {"ipv4": int(address), "port": port, "host": host}
    return {"ipv6": address.packed, "port": port, "host": host}


class Uplink:
    """Made at once, deleted at the end; @servers are (host, port) or things that have both."""

    def __init__(self, name, *servers, up=True, topics=(), **conf):
        self.name = name
        self.nl = kmqtt_nl.Netlink()
        self.events = kmqtt_nl.Netlink()
        self.events.listen()
        if servers:
            conf["server"] = [server(*(s if isinstance(s, tuple) else (s.host, s.port)))
                              for s in servers]
        conf.setdefault("connect_timeout", 10)
        wait_for(lambda: self.made(admin_up=0, **conf), text="the last one of this name to go")
        self.gone = False
        for topic in topics:
            self.topic(*topic)
        if up:
            self.set(admin_up=1)

    def made(self, **conf):
        """uplink-del waits for ten seconds at most, in which a slow machine may not be done."""
        try:
            self.nl.do("uplink-new", name=self.name, **conf)
        except kmqtt_nl.NlError as error:
            if error.errno != errno.EBUSY:
                raise
            return False
        return True

    def set(self, **conf):
        self.nl.do("uplink-set", name=self.name, **conf)

    def topic(self, filter_, direction, qos=0, local="", remote=""):
        self.nl.do("uplink-topic-new", uplink=self.name, filter=filter_, direction=direction,
                   qos=qos, local_prefix=local, remote_prefix=remote)

    def untopic(self, filter_, direction=0):
        attrs = {"direction": direction} if direction else {}
        self.nl.do("uplink-topic-del", uplink=self.name, filter=filter_, **attrs)

    def show(self):
        return self.nl.do("uplink-get", name=self.name)

    def wait(self, state, **attrs):
        """Wait for a state, and for what else is said."""
        def reached():
            shown = self.show()
            return shown if shown["state"] == state and all(
                shown[k] == v for k, v in attrs.items()) else None
        return wait_for(reached, text=f"state {state} {attrs}")

    def event(self, code, **attrs):
        """The next event of this code that is about this uplink."""
        event = self.events.event_of(code, seconds=20, uplink=self.name, **attrs)
        assert event is not None, f"no event {code} {attrs}"
        return event

    def delete(self):
        if not self.gone:
            self.gone = True
            self.nl.do("uplink-del", name=self.name)

    def close(self):
        self.delete()
        self.nl.close()
        self.events.close()

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.close()


def receive(device, count, seconds=20):
    """This many messages from a device, waiting for them."""
    out = []

    def enough():
        out.extend(device.drain())
        return len(out) >= count
    wait_for(enough, seconds, f"message {count}")
    assert len(out) == count, out
    return out


def works(up, dev, topic):
    """An uplink that waits for a socket, and takes this topic in, does so as on its first day."""
    dev.drain()
    ours, theirs = socket.socketpair()
    up.set(fd=ours.fileno())
    ours.close()
    with Peer(theirs) as peer:
        peer.handshake()
        up.wait(UP)
        peer.publish(f"{topic}/sound", b"and safe")
        assert receive(dev, 1)[0].payload == b"and safe"

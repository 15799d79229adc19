# SPDX-License-Identifier: GPL-2.0
"""What the module's workers do for a connection, with each one's Nth allocation failing.

A step is the whole life of a client, or a message each way of an uplink. A client's connection may
end, or be told that something was refused, but only if there was a fault, and the next one is
served. An uplink connects again by itself, and all that was promised arrives. Which worker does
what is not known beforehand, so it is over when none has met its fault a few times in a row.
"""

import pytest

from kmqtt_broker import Fake, Peer
from kmqtt_client import Client, Will, connect_packet
from kmqtt_dev import Device
from kmqtt_faults import STEPS, Attentive, Workers
from kmqtt_packet import (
    DISCONNECT, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, SUBACK, SUBSCRIBE, packet)
from kmqtt_uplink import BOTH, IN, Uplink

QUIET = 3
# All of the first ones; then it is every few of them, since a life has hundreds.
FIRST, EVERY = 16, 8


def walk(life, enough):
    """@life returns how many connections ended before their time."""
    ended = faults = quiet = steps = 0
    number = 1
    workers = Workers()
    while quiet < QUIET:
        assert number < STEPS, "it does not end"
        workers.prepare(number)
        try:
            now = life()
        finally:
            failed = workers.failed()
        assert failed or not now, f"step {number}: {now} ended, and nothing had failed"
        if now:
            assert not life(), "it does not go on afterwards"
        ended += now
        faults += failed
        quiet = 0 if failed else quiet + 1
        number += 1 + max(number - FIRST, 0) // EVERY
        steps += 1
    print(f"{steps} steps up to {number}, {faults} with faults, {ended} connections ended")
    assert ended >= enough


class Refused(EOFError):
    """It is told that there is no memory for it."""


def good(reason):
    if reason >= 0x80:
        raise Refused(f"{reason:#x}")


class Mortal:
    """Who may be told of the end, too."""

    def packet(self, *args):
        got = super().packet(*args)
        if got.type == DISCONNECT:
            raise Refused(got.body)
        return got


class MortalClient(Mortal, Attentive, Client):
    """A client."""


class MortalPeer(Mortal, Attentive, Peer):
    """The broker's side of an uplink."""


def lives(one, ident, topic, version):
    """It connects with a will, subscribes, publishes to itself, unsubscribes, and goes."""
    one.send(connect_packet(ident, version=version, will=Will(f"{topic}/will", b"w" * 500)))
    good(one.connacked().reason)
    for code in one.subscribe(f"{topic}/+", qos=1):
        good(code)
    one.publish(f"{topic}/x", b"x" * 10000, qos=1, packet_id=1)
    got = {now.type: now for now in (one.packet(), one.packet())}
    if PUBACK in got and len(got[PUBACK].body) > 2:
        good(got[PUBACK].body[2])
    assert set(got) == {PUBLISH, PUBACK}, got
    assert one.parse_publish(got[PUBLISH]).payload == b"x" * 10000
    one.ack(PUBACK, one.parse_publish(got[PUBLISH]).packet_id)
    for code in one.unsubscribe(f"{topic}/+"):
        good(code)
    one.disconnect()


@pytest.mark.parametrize("version", [4, 5])
def test_life_of_a_client(broker, ident, topic, version):
    def life():
        try:
            with MortalClient(broker.socket(), version) as one:
                lives(one, ident, topic, version)
        except (EOFError, ConnectionError):
            return 1
        return 0

    walk(life, 3)


def test_what_a_socket_had_no_memory_for(broker):
    """An answer comes, or the end does, though nothing else happens on the connection."""
    workers, ended, faults = Workers(), 0, 0
    for number in range(1, FIRST):
        one = broker.connect()
        workers.prepare(number)
        try:
            one.ping()
        except (EOFError, ConnectionError):
            ended += 1
        faults += workers.failed()
    print(f"{faults} faults, {ended} connections ended")
    assert faults >= ended > 0


class Exchange:
    """A message to the broker, and one from there, over as many connections as that takes."""

    def __init__(self, topic):
        self.topic = topic
        self.open = {PUBLISH, PUBACK}

    def over(self, peer):
        peer.handshake()
        peer.publish(f"{self.topic}/in", b"i" * 10000, qos=1, packet_id=9)
        while self.open:
            got = peer.packet()
            if got.type == SUBSCRIBE:
                peer.send(packet(SUBACK, got.body[:2] + b"\0\1"))
                continue
            assert got.type in (PUBLISH, PUBACK), got
            if got.type == PUBLISH:
                message = peer.parse_publish(got)
                assert (message.topic, message.payload) == (f"{self.topic}/out", b"o" * 10000)
                peer.ack(PUBACK, message.packet_id)
            else:
                # what is refused would be forgotten by a server
                assert got.body in (b"\0\x09", b"\0\x09\0"), got
            self.open.discard(got.type)


def test_life_of_an_uplink(topic):
    def life():
        ended, exchange = 0, Exchange(topic)
        with Fake() as fake, Device() as local, \
             Uplink("life", fake, backoff_min=1, backoff_max=1, connect_timeout=5,
                    topics=[(f"{topic}/#", BOTH, 1)]):
            local.subscribe(f"{topic}/in", qos=1)
            local.publish(f"{topic}/out", b"o" * 10000, qos=1)
            while exchange.open:
                with MortalPeer(fake.sock.accept()[0]) as peer:
                    try:
                        exchange.over(peer)
                    except (EOFError, ConnectionError):
                        ended += 1
            got = local.drain()
            assert got and all(m.payload == b"i" * 10000 for m in got)
        return ended

    walk(life, 3)


class Upstream:
    """A server whose one client's connections may end while it publishes."""

    def __init__(self, fake):
        self.fake, self.peer = fake, None
        self.again(False)

    def again(self, present=True):
        """The next connection, behind those that have ended while the one before was heard."""
        while True:
            self.peer = MortalPeer(self.fake.sock.accept()[0])
            try:
                self.peer.handshake(present=present)
                self.peer.subscribed()
                return
            except (EOFError, ConnectionError):
                self.peer.close()

    def publish(self, name, data, qos, packet_id, dup=False):
        """The reason code of its first acknowledgement."""
        self.peer.publish(name, data, qos=qos, packet_id=packet_id, dup=dup)
        number, reason = self.peer.acked(PUBACK if qos == 1 else PUBREC)
        assert number == packet_id
        return reason

    def release(self, packet_id):
        """The second half of QoS 2; the connection may have ended behind the first."""
        try:
            self.peer.ack(PUBREL, packet_id)
            got = self.peer.acked(PUBCOMP)
        except (EOFError, ConnectionError):
            self.again()
            self.peer.ack(PUBREL, packet_id)
            got = self.peer.acked(PUBCOMP)
        assert got == (packet_id, 0)


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("qos", [1, 2])
def test_no_memory_for_what_comes_from_the_server(topic, version, qos):
    """
    A server forgets what is acknowledged, and what it is told that there is no room for: if it is
    but memory that fails, the connection ends, and the message comes again.
    """
    workers, ended, faults = Workers(), 0, 0
    with Fake() as fake, Device() as local, \
         Uplink(f"less-{version}-{qos}", fake, version=version, clean_start=0, backoff_min=1,
                backoff_max=1, connect_timeout=5, topics=[("+", IN, 2, f"{topic}/", "far/")]):
        local.subscribe(f"{topic}/+", qos=2)
        server = Upstream(fake)
        for number in range(1, FIRST):
            # a longer name needs memory, too, for what it is here
            name, body = "far/" + "n" * 8 * number, b"%d " % number + bytes(5000)
            workers.prepare(number)
            try:
                reason = server.publish(name, body, qos, number)
            except (EOFError, ConnectionError):
                reason = None
            faults += workers.failed()
            if reason is None:
                ended += 1
                server.again()
                reason = server.publish(name, body, qos, number, True)
            assert reason == 0
            if qos == 2:
                server.release(number)
            got = [m.payload for m in local.drain()]
            # the first time it may have been the acknowledgement that found none
            assert got == [body] or qos == 1 and got == [body] * 2
        server.peer.close()
    print(f"{faults} faults, {ended} connections ended")
    assert faults >= ended > 0

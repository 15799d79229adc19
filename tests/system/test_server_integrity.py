# SPDX-License-Identifier: GPL-2.0
"""What is acknowledged at QoS 1 or 2 is not lost while the session lives.

Publishers and subscribers with sessions that stay, whose connections are cut at random places in
the stream, or taken over, or closed by the server for what they send. A publisher sends again
what has not been acknowledged; a subscriber keeps the identifiers of QoS 2. Then: nothing is lost
at QoS 1, nothing lost or doubled at QoS 2, and each publisher's messages are in order, per topic.
"""

import collections
import random
import select
import socket
import struct

import pytest

from kmqtt_client import connect_packet
from kmqtt_packet import (
    DISCONNECT, PUBACK, PUBCOMP, PUBREC, PUBREL, SESSION_EXPIRY, packet, publish_packet)

TOPICS = 3
WINDOW = 10     # unacknowledged messages of a publisher


class Peer:
    """A client whose session outlives its connections."""

    def __init__(self, broker, name, version, chance):
        self.broker = broker
        self.name = name
        self.version = version
        self.chance = chance
        self.one = None
        self.cuts = 0
        self.connect(present=False)

    def connect(self, present=True):
        """A new connection of the same session, whatever has become of the old one."""
        self.one = self.broker.raw(self.version)
        self.one.send(connect_packet(self.name, version=self.version, clean=False, props={
            SESSION_EXPIRY: 10000, 0x21: 20} if self.version == 5 else None))
        assert self.one.connacked().reason == 0
        assert self.one.connack.present == (present and self.version > 3)
        self.resume()

    def resume(self):
        """What the session asks for at the begin of a connection."""

    def cut(self):
        """An end of the connection, in one of the ways that there are."""
        self.cuts += 1
        how = self.chance.randrange(5)
        if how == 0:        # in the middle of a packet
            self.try_to_send(publish_packet("cut", bytes(100), version=self.version)[:
                             self.chance.randrange(1, 100)])
            self.one.close()
        elif how == 1:      # RST: what was not sent or read is gone
            self.one.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.one.close()
        elif how == 2:      # the server closes it
            self.try_to_send(b"\0\0")
        elif how == 3:
            self.one.close()
        # else: it is taken over
        self.connect()

    def try_to_send(self, data):
        try:
            self.one.send(data)
        except ConnectionError:
            pass

    def packets(self, limit):
        """Some of what has come; a connection that has ended is made again."""
        for _ in range(limit):
            if not self.one.whole():
                if not select.select([self.one.sock], [], [], 0)[0]:
                    return
            try:
                got = self.one.packet()
            except (EOFError, ConnectionError):
                self.connect()
                return
            if got.type == DISCONNECT:
                # what it sends again is still being published for the connection before: server
                # busy, and the end
                assert got.body == b"\x89", got
            else:
                yield got


class Publisher(Peer):
    """Numbered messages to some topics; what is not acknowledged is sent again."""

    def __init__(self, *args, topic, qos):
        self.topic = topic
        self.qos = qos
        self.number = 0
        self.packet_id = 0
        self.open = collections.OrderedDict()   # packet id: PUBLISH, or None after PUBREC
        super().__init__(*args)

    def resume(self):
        for packet_id, message in self.open.items():
            if message is None:
                self.try_to_send(packet(PUBREL, struct.pack(">H", packet_id)))
            else:
                self.try_to_send(bytes([message[0] | 8]) + message[1:])

    def step(self, count):
        while self.number < count and len(self.open) < WINDOW and self.chance.random() < 0.7:
            self.packet_id = self.packet_id % 65535 + 1
            text = f"{self.name} {self.number} "
            message = publish_packet(f"{self.topic}/{self.number % TOPICS}", text.encode() +
                                     bytes(self.chance.randrange(300)), qos=self.qos,
                                     packet_id=self.packet_id, version=self.version)
            self.number += 1
            self.open[self.packet_id] = message
            self.try_to_send(message)
        for got in self.packets(self.chance.randrange(1, 10)):
            packet_id = int.from_bytes(got.body[:2], "big")
            # 0x92: PUBREL has come before, and its PUBCOMP was lost
            assert got.body[2:3] in (b"", b"\0", b"\x10", b"\x92"[got.type != PUBCOMP:]), got
            if got.type == PUBREC:
                if packet_id in self.open:
                    self.open[packet_id] = None
                self.try_to_send(packet(PUBREL, got.body[:2]))
            else:
                assert got.type == (PUBCOMP if self.qos == 2 else PUBACK), got
                self.open.pop(packet_id, None)

    def done(self, count):
        return self.number == count and not self.open


class Subscriber(Peer):
    """Takes everything below a topic; what it has is in the order in which it came."""

    def __init__(self, *args, topic, qos):
        self.qos = qos
        self.got = []
        self.received = set()   # identifiers of QoS 2 before PUBREL
        super().__init__(*args)
        assert self.one.subscribe(f"{topic}/#", qos=qos) == [qos]

    def names(self):
        """Publisher and number of all that came."""
        return {(name, number) for name, _, number, _ in self.got}

    def step(self):
        for got in self.packets(self.chance.randrange(1, 20)):
            packet_id = int.from_bytes(got.body[:2], "big")
            if got.type == PUBREL:
                self.received.discard(packet_id)
                self.try_to_send(packet(PUBCOMP, got.body[:2]))
                continue
            message = self.one.parse_publish(got)
            name, number, _ = message.payload.split(b" ", 2)
            if message.qos == 1:
                self.got.append((name.decode(), message.topic, int(number), message.dup))
                self.try_to_send(packet(PUBACK, struct.pack(">H", message.packet_id)))
            else:
                if message.packet_id not in self.received:
                    self.received.add(message.packet_id)
                    self.got.append((name.decode(), message.topic, int(number), message.dup))
                self.try_to_send(packet(PUBREC, struct.pack(">H", message.packet_id)))


def receive(subscribers, expected, cuts):
    """Until each has all of this, with connections cut as often as said."""
    for _ in range(20000):
        waiting = [one for one in subscribers if not expected <= one.names()]
        if not waiting:
            return
        select.select([one.one.sock for one in waiting], [], [], 0.05)
        for one in waiting:
            if one.chance.random() < cuts:
                one.cut()
            one.step()
    raise AssertionError("it does not come")


def check(subscriber, publisher, count):
    """What one has of another's messages."""
    qos = min(subscriber.qos, publisher.qos)
    for i in range(TOPICS):
        topic = f"{publisher.topic}/{i}"
        numbers = [(n, dup) for name, where, n, dup in subscriber.got
                   if (name, where) == (publisher.name, topic)]
        first, seen = [], set()
        for number, dup in numbers:
            if number not in seen:
                first.append(number)
            elif publisher.qos == 2:
                assert dup, f"{number} came again, and not for the connection's sake"
            seen.add(number)
        assert first == list(range(i, count, TOPICS)), f"{publisher.name} to {subscriber.name}"
        if qos == 2:
            assert len(numbers) == len(first), f"doubled: {publisher.name} to {subscriber.name}"


@pytest.mark.broker(max_queued_messages=10000)
@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_nothing_is_lost(broker, ident, topic, seed):
    """Each of three publishers to each of three subscribers, cut a hundred times."""
    chance, count = random.Random(seed), 120
    publishers = [Publisher(broker, f"{ident}p{i}", version, chance, topic=topic, qos=qos)
                  for i, (version, qos) in enumerate([(4, 1), (5, 2), (3, 2)])]
    subscribers = [Subscriber(broker, f"{ident}s{i}", version, chance, topic=topic, qos=qos)
                   for i, (version, qos) in enumerate([(4, 2), (5, 1), (5, 2)])]
    peers = publishers + subscribers
    while not all(p.done(count) for p in publishers):
        for one in peers:
            if chance.random() < 0.08:
                one.cut()
            if one in publishers:
                one.step(count)
            else:
                one.step()
    # All is acknowledged: now it has to come, whatever is cut still.
    expected = {(p.name, n) for p in publishers for n in range(count)}
    receive(subscribers, expected, 0.02)
    broker.connect(version=4).deliver(f"{topic}/end", b"end 0 ")
    for one in subscribers:
        one.connect()
    receive(subscribers, {("end", 0)}, 0)
    assert sum(one.cuts for one in peers) > 10
    for subscriber in subscribers:
        for publisher in publishers:
            check(subscriber, publisher, count)


@pytest.mark.broker(max_queued_messages=10000)
@pytest.mark.parametrize("version", [3, 4, 5])
def test_acknowledged_before_the_end_is_stored(broker, ident, topic, version):
    """The connection ends behind the acknowledgement: subscribers that are away have it."""
    keep = {SESSION_EXPIRY: 1000} if version == 5 else None
    away = broker.connect(ident, version=version, clean=False, props=keep)
    away.subscribe(topic, qos=2)
    away.close()
    for i in range(30):
        one = broker.connect(version=version)
        one.deliver(topic, b"%d" % i, qos=1 + i % 2)
        one.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        one.close()
    away = broker.connect(ident, version=version, clean=False, props=keep)
    assert [m.payload for m in away.fence()] == [b"%d" % i for i in range(30)]


@pytest.mark.broker(max_queued_messages=10000)
@pytest.mark.parametrize("qos", [1, 2])
@pytest.mark.parametrize("version", [3, 4, 5])
def test_what_there_is_no_room_for_is_not_acknowledged(broker, ident, topic, version, qos):
    """5.0 says so, 3.x closes the connection; all that was acknowledged comes."""
    away = broker.connect(ident, version=4, clean=False)
    away.subscribe(topic, qos=2)
    away.close()
    one = broker.connect(version=version)
    broker.kmqtt("set", "memory_limit", 100000)
    try:
        taken = 0
        while one.deliver(topic, b"%d " % taken + bytes(9000), qos=qos) < 0x80:
            taken += 1
        assert version == 5
        one.ping()
    except (EOFError, ConnectionError):
        assert version < 5
    finally:
        broker.kmqtt("set", "memory_limit", 1 << 30)
    assert taken > 3
    away = broker.connect(ident, version=4, clean=False)
    assert [int(m.payload.split()[0]) for m in away.fence()] == list(range(taken))

# SPDX-License-Identifier: GPL-2.0
"""Clients elsewhere whose sessions outlive their connections, which end in every way that there is.

A publisher sends again what has not been acknowledged; a subscriber keeps the packet identifiers
of QoS 2. Each is a process of its own.
"""

import collections
import select
import socket
import struct
import time

from kmqtt_client import Client, connect_packet, subscribe_packet, unsubscribe_packet
from kmqtt_packet import (
    DISCONNECT, PINGREQ, PINGRESP, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, SESSION_EXPIRY, SUBACK,
    UNSUBACK, packet, publish_packet)

from kmqtt_pairs import tls_end

from ledger import TOPICS, body, parse_body
from space import FRONT, SLOWER

WINDOW = 10     # unacknowledged messages of a publisher
# For an answer of the server's, before the connection is taken to be dead.
PATIENCE = 4 * SLOWER
STEP = 0.1
FLOW = "flow/#"


def number_of(got):
    return int.from_bytes(got.body[:2], "big")


class Peer:
    """A client with a session that stays."""

    is_local = mortal = always = False

    def __init__(self, name, version, cuts, door=FRONT):
        """@cuts: how many connections a second it ends itself; @door: where it connects to"""
        self.name = name
        self.version = version
        self.cuts = cuts
        self.door = door
        self.space, self.on = door.space, door.on
        self.one = None
        self.known = False
        self.heard = self.asked = 0
        self.ledger = self.stage = self.chance = None

    def run(self, ledger, stage, chance):
        """Until the stage says that it is over."""
        self.ledger, self.stage, self.chance = ledger, stage, chance
        self.connect("begin")
        while not self.finished():
            if not self.one.whole():
                select.select([self.one.sock], [], [], STEP)
            try:
                for got in self.packets(50):
                    self.took(got)
                self.act()
                self.look_alive()
                if stage.running() and chance.random() < STEP * self.cuts:
                    self.cut()
            except (EOFError, OSError) as error:
                self.connect(f"{type(error).__name__} {error}")
            ledger.flush()
        self.one.close()

    def connect(self, why):
        """A new connection of the same session, whatever has become of the old one."""
        self.ledger.event(f"connect: {why}")
        while not self.connected():
            time.sleep(0.2)
        self.heard = self.asked = time.monotonic()
        try:
            self.resume()
        except OSError:
            # it is dead again; whoever reads next will know
            pass

    def connected(self):
        """One attempt."""
        sock = socket.socket()
        sock.settimeout(PATIENCE)
        try:
            sock.connect((self.door.address, self.door.port))
            if self.door.tls:
                tls_end(sock, 2, 1)
            one = Client(sock, self.version, exact=self.door.ours)
            one.send(connect_packet(self.name, version=self.version, clean=False, props={
                SESSION_EXPIRY: 10000} if self.version == 5 else None))
            one.fill(4, time.monotonic() + PATIENCE)
            got = one.connacked()
        except (EOFError, OSError):
            sock.close()
            return False
        assert got.reason == 0, got
        assert got.present or not self.known or self.version == 3, "the session is lost"
        self.known = True
        # the old one lives, or not: it has lost its session
        self.one = one
        return True

    def resume(self):
        """What the session asks for at the begin of a connection."""

    def cut(self):
        """An end of the connection, in one of the ways that there are."""
        how = self.chance.randrange(5)
        if how == 0:        # in the middle of a packet
            self.one.send(publish_packet("cut", bytes(100), version=self.version)[
                :self.chance.randrange(1, 100)])
            self.one.close()
        elif how == 1:      # RST: what was not sent or read is gone
            self.one.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.one.close()
        elif how == 2:      # the server closes it
            self.one.send(b"\0\0")
        elif how == 3:
            self.one.close()
        # else: it is taken over
        self.connect(f"cut {how}")

    def packets(self, limit):
        """Some of what has come."""
        for _ in range(limit):
            if not self.one.whole() and not select.select([self.one.sock], [], [], 0)[0]:
                return
            got = self.one.packet()
            self.heard = time.monotonic()
            yield got

    def look_alive(self):
        """A connection whose end was lost on the way tells nothing until it is asked."""
        clock = time.monotonic()
        if clock - self.heard > 2 * PATIENCE:
            raise EOFError("silence")
        if clock - max(self.heard, self.asked) > PATIENCE / 4:
            self.asked = clock
            self.one.send(packet(PINGREQ))

    def took(self, got):
        """Whatever is not of the flow itself."""
        assert got.type in (PINGRESP, DISCONNECT, SUBACK, UNSUBACK), got

    def act(self):
        """What it does by itself."""

    def finished(self):
        raise NotImplementedError


class Publisher(Peer):
    """Numbered messages to some topics; what is not acknowledged is sent again."""

    def __init__(self, name, version, qos, cuts, rate, door=FRONT):
        super().__init__(name, version, cuts, door)
        self.qos = [qos] * TOPICS
        self.rate = rate
        self.where = f"flow/{self.on}/{name}"
        self.number = 0
        self.packet_id = 0
        self.due = 0
        self.open = collections.OrderedDict()   # packet id: [topic, number, PUBLISH, or None]

    def resume(self):
        self.due = max(self.due, time.monotonic())
        for packet_id, (_, _, message) in self.open.items():
            if message is None:
                self.one.send(packet(PUBREL, struct.pack(">H", packet_id)))
            else:
                self.one.send(bytes([message[0] | 8]) + message[1:])

    def act(self):
        while self.stage.running() and len(self.open) < WINDOW and time.monotonic() > self.due:
            self.due += 1 / self.rate
            self.number += 1
            topic = f"{self.where}/{self.number % TOPICS}"
            payload = body(self.name, self.number, self.chance.randrange(300))
            qos = self.qos[0]
            if qos:
                self.packet_id = self.packet_id % 65535 + 1
            message = publish_packet(topic, payload, qos=qos, packet_id=self.packet_id,
                                     version=self.version)
            self.ledger.note("s", topic, self.number)
            if qos:
                self.open[self.packet_id] = (topic, self.number, message)
            self.one.send(message)

    def took(self, got):
        if got.type not in (PUBACK, PUBREC, PUBCOMP):
            super().took(got)
            return
        # 0x92: PUBREL has come before, and its PUBCOMP was lost
        assert got.body[2:3] in (b"", b"\0", b"\x10", b"\x92"[got.type != PUBCOMP:]), got
        topic, number, message = self.open.get(number_of(got), (None, 0, None))
        if got.type != PUBCOMP and message is not None:
            self.ledger.note("a", topic, number)
        if got.type == PUBREC:
            if topic:
                self.open[number_of(got)] = (topic, number, None)
            self.one.send(packet(PUBREL, got.body[:2]))
        else:
            self.open.pop(number_of(got), None)

    def finished(self):
        return not self.stage.running() and not self.open


class Subscriber(Peer):
    """Takes everything of the flow, and what it gets is noted in the order in which it came."""

    def __init__(self, name, version, qos, cuts, door=FRONT):
        super().__init__(name, version, cuts, door)
        self.qos = qos
        self.received = set()   # identifiers of QoS 2 before PUBREL
        self.subscribed = False
        self.last_look = False

    def resume(self):
        if not self.subscribed:
            self.one.send(subscribe_packet([FLOW], 1, version=self.version, qos=self.qos))

    def act(self):
        """Filters come and go beside the one that stays, or that one is subscribed to again."""
        if self.stage.over() and not self.last_look:
            self.last_look = True
            self.connect("the last one")
        if not self.subscribed or not self.stage.running() or self.chance.random() > 0.1:
            return
        extra = f"extra/{self.chance.randrange(8)}/#"
        message = self.chance.choice([
            unsubscribe_packet([extra], 3, version=self.version),
            subscribe_packet([extra], 4, version=self.version, qos=2),
            subscribe_packet([FLOW], 5, version=self.version, qos=self.qos)])
        self.one.send(message)

    def took(self, got):
        if got.type == PUBREL:
            self.received.discard(number_of(got))
            self.one.send(packet(PUBCOMP, got.body[:2]))
        elif got.type == PUBLISH:
            self.take(self.one.parse_publish(got))
        else:
            super().took(got)
            if got.type == SUBACK and number_of(got) == 1 and not self.subscribed:
                self.subscribed = True
                self.ledger.note("ready")

    def take(self, message):
        answer = struct.pack(">H", message.packet_id)
        if message.qos < 2 or message.packet_id not in self.received:
            if message.topic.startswith("flow/"):
                self.ledger.note("g", message.topic, parse_body(message.payload), message.qos,
                                 int(message.dup))
        if message.qos == 1:
            self.ledger.flush()
            self.one.send(packet(PUBACK, answer))
        elif message.qos == 2:
            self.received.add(message.packet_id)
            self.one.send(packet(PUBREC, answer))

    def finished(self):
        return self.last_look and self.stage.ended()

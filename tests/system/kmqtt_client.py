# SPDX-License-Identifier: GPL-2.0
"""A client of MQTT 3.1, 3.1.1 and 5.0 for tests: it does what a test says, right or wrong.

    c = Client(broker.socket()).connect("id", clean=False, props={SESSION_EXPIRY: 100})
    assert c.connack.present
    assert c.subscribe("a/#", qos=2) == [2]
    c.publish("a/b", b"payload", qos=1, packet_id=7)
    assert c.acked(PUBACK, 7).reason == 0
    assert c.receive().payload == b"payload"        # acknowledged, as its QoS asks for
    c.send(b"\xf0\x00")                             # any bytes
    c.refused(0x82)                                 # DISCONNECT with this code, and the end

Each wait has an end; a packet that comes and was not waited for is an error. The fixture `broker`
(kmqtt_server.py) makes clients that are closed after the test.
"""

import collections
import contextlib
import itertools
import socket
import struct

from kmqtt_packet import (
    CONNACK, CONNECT, DISCONNECT, MAXIMUM_PACKET_SIZE, PINGREQ, PINGRESP, PUBACK, PUBCOMP, PUBLISH,
    PUBREC, PUBREL, SUBACK, SUBSCRIBE, UNSUBACK, UNSUBSCRIBE, Ack, Reader, Stream, encode_props,
    packet, publish_packet, string)

NAMES = {3: b"MQIsdp", 4: b"MQTT", 5: b"MQTT"}
NUMBERS = itertools.count(1)

# Subscription options of MQTT 5.0 (3.8.3.1), to be or-ed to the QoS.
NO_LOCAL, RETAIN_AS_PUBLISHED = 0x04, 0x08
RETAIN_IF_NEW, RETAIN_NEVER = 0x10, 0x20

Connack = collections.namedtuple("Connack", "present reason props flags")
Codes = collections.namedtuple("Codes", "packet_id codes props")
Goodbye = collections.namedtuple("Goodbye", "reason props")
# What to publish if the client dies.
Will = collections.namedtuple("Will", "topic payload qos retain props",
                              defaults=(b"", 0, False, None))


def connect_packet(client_id="", *, version=5, clean=True, keepalive=0, props=None, will=None,
                   username=None, password=None, name=None, level=None, flags=None):
    """A CONNECT. @name, @level and @flags replace what is right."""
    bits = clean << 1
    if will is not None:
        bits |= 4 | will.qos << 3 | will.retain << 5
    bits |= (username is not None) << 7 | (password is not None) << 6
    body = string(NAMES[version] if name is None else name)
    body += bytes([version if level is None else level, bits if flags is None else flags])
    body += struct.pack(">H", keepalive)
    if version == 5:
        body += encode_props(props)
    body += string(client_id)
    if will is not None:
        if version == 5:
            body += encode_props(will.props)
        body += string(will.topic) + string(will.payload)
    body += b"".join(string(one) for one in (username, password) if one is not None)
    return packet(CONNECT, body)


def subscribe_packet(filters, packet_id=1, *, version=5, qos=0, props=None, flags=None):
    """A SUBSCRIBE of filters, each a name or (name, options)."""
    body = struct.pack(">H", packet_id)
    if version == 5:
        body += encode_props(props)
    for one in filters:
        name, options = one if isinstance(one, tuple) else (one, qos)
        body += string(name) + bytes([options])
    return packet(SUBSCRIBE, body, flags)


def unsubscribe_packet(filters, packet_id=1, *, version=5, props=None, flags=None):
    """An UNSUBSCRIBE of filters."""
    body = struct.pack(">H", packet_id)
    if version == 5:
        body += encode_props(props)
    return packet(UNSUBSCRIBE, body + b"".join(string(one) for one in filters), flags)


def turned_away(raw):
    """Nobody is let in: raw() is a client whose end may be there before connect() returns."""
    try:
        raw().closed()
    except ConnectionResetError:
        pass


class Client(Stream):
    """One connection, from the client's side."""

    def __init__(self, sock, version=5, exact=True):
        """@exact: the broker gives the reason code of the standard where it may give none"""
        super().__init__(sock, version)
        self.exact = exact
        self.connack = None
        self.client_id = None
        # Those that a test chooses itself are lower.
        self.packet_ids = itertools.count(1000)

    # Connecting

    def connect(self, client_id=None, reason=0, **more):
        """CONNECT and its CONNACK, which must say this; with a client id of its own if None."""
        self.client_id = f"client{next(NUMBERS)}" if client_id is None else client_id
        if isinstance(more.get("props"), dict):
            self.limit = more["props"].get(MAXIMUM_PACKET_SIZE)
        self.send(connect_packet(self.client_id, version=self.version, **more))
        got = self.connacked()
        assert got.reason == reason, got
        return self

    def connacked(self):
        """The next packet, which must be a CONNACK."""
        r = Reader(self.expect(CONNACK).body)
        flags, reason = r.number(1), r.number(1)
        props = r.props() if self.version == 5 and (r.data or self.exact) else {}
        assert not r.data
        self.connack = Connack(bool(flags & 1), reason, props, flags)
        return self.connack

    def not_connected(self, *reasons, silent=False):
        """A CONNACK with one of these codes, and the end; if @silent, the end alone will do too."""
        try:
            got = self.connacked()
        except (EOFError, ConnectionError):
            assert silent or not self.exact, "no CONNACK"
            return None
        assert got.reason in reasons if self.exact else got.reason, got
        assert not got.present
        self.closed()
        return got

    # The end

    def closed(self):
        """The broker closes the connection and says no more."""
        try:
            got = self.packet()
        except (EOFError, ConnectionError):
            return
        raise AssertionError(f"{got} and not the end")

    def leave(self):
        """Goes without a word, and the broker has noticed: nothing more is sent to it."""
        self.sock.shutdown(socket.SHUT_WR)
        with contextlib.suppress(EOFError, ConnectionError):
            while True:
                self.packet()
        self.close()

    def refused(self, *reasons):
        """The broker closes the connection; with MQTT 5.0 it says one of these codes first."""
        if self.version < 5:
            self.closed()
            return None
        try:
            got = self.disconnected()
        except (EOFError, ConnectionError):
            assert not self.exact, "no DISCONNECT"
            return None
        assert got.reason in reasons if self.exact else got.reason >= 0x80, got
        self.closed()
        return got

    def disconnected(self):
        """The next packet, which must be a DISCONNECT."""
        r = Reader(self.expect(DISCONNECT).body)
        reason = r.number(1) if r.data else 0
        props = r.props() if r.data else {}
        assert not r.data
        return Goodbye(reason, props)

    def disconnect(self, reason=None, props=None):
        """Say goodbye, and wait until the broker has closed the connection."""
        body = b"" if reason is None and props is None else bytes([reason or 0])
        if props is not None:
            body += encode_props(props)
        self.send(packet(DISCONNECT, body))
        self.closed()
        self.close()

    # Subscribing

    def subscribe(self, *filters, **more):
        """The codes of the SUBACK; see subscribe_packet()."""
        return self.suback(*filters, **more).codes

    def suback(self, *filters, packet_id=None, **more):
        """SUBSCRIBE and its SUBACK; messages must not be in between."""
        packet_id = packet_id or next(self.packet_ids)
        self.send(subscribe_packet(filters, packet_id, version=self.version, **more))
        got = self.codes(SUBACK)
        assert got.packet_id == packet_id, got
        assert len(got.codes) == len(filters), got
        return got

    def unsubscribe(self, *filters, **more):
        """The codes of the UNSUBACK, none before MQTT 5.0; see unsubscribe_packet()."""
        return self.unsuback(*filters, **more).codes

    def unsuback(self, *filters, packet_id=None, **more):
        """UNSUBSCRIBE and its UNSUBACK."""
        packet_id = packet_id or next(self.packet_ids)
        self.send(unsubscribe_packet(filters, packet_id, version=self.version, **more))
        got = self.codes(UNSUBACK)
        assert got.packet_id == packet_id, got
        assert len(got.codes) == (len(filters) if self.version == 5 else 0), got
        return got

    def codes(self, kind):
        """The next packet, a SUBACK or UNSUBACK."""
        r = Reader(self.expect(kind).body)
        packet_id = r.number(2)
        props = r.props() if self.version == 5 else {}
        return Codes(packet_id, list(r.data), props)

    # Messages

    def acked(self, kind, packet_id=None):
        """The next packet, which must be this acknowledgement."""
        got = self.expect(kind)
        assert got.flags == (2 if kind == PUBREL else 0), got
        r = Reader(got.body)
        number = r.number(2)
        assert self.version == 5 or not r.data, got
        reason = r.number(1) if r.data else 0
        props = r.props() if r.data else {}
        assert not r.data
        assert packet_id in (None, number), got
        return Ack(number, reason, props)

    def deliver(self, topic, payload=b"", qos=1, **more):
        """PUBLISH, with the whole handshake of its QoS; the code of the first acknowledgement."""
        packet_id = next(self.packet_ids) if qos else 0
        self.publish(topic, payload, qos=qos, packet_id=packet_id, **more)
        if not qos:
            self.ping()
            return 0
        got = self.acked(PUBREC if qos == 2 else PUBACK, packet_id)
        if qos == 2 and got.reason < 0x80:
            self.ack(PUBREL, packet_id)
            assert self.acked(PUBCOMP, packet_id).reason == 0
        return got.reason

    def answer(self, got):
        """The handshake of a message that was received."""
        if got.qos == 1:
            self.ack(PUBACK, got.packet_id)
        elif got.qos == 2:
            self.ack(PUBREC, got.packet_id)
            self.acked(PUBREL, got.packet_id)
            self.ack(PUBCOMP, got.packet_id)

    def receive(self):
        """The next packet, a message, with its handshake."""
        got = self.published()
        self.answer(got)
        return got

    def receive_all(self, count):
        """So many messages, all of them before the first is acknowledged."""
        got = [self.published() for _ in range(count)]
        for kind in (PUBACK, PUBREC):
            for one in got:
                if one.qos == (2 if kind == PUBREC else 1):
                    self.ack(kind, one.packet_id)
        for one in got:
            if one.qos == 2:
                self.ack(PUBCOMP, self.acked(PUBREL, one.packet_id).packet_id)
        return got

    def ping(self):
        """The broker has done all that was sent, and has nothing to say to it."""
        self.send(packet(PINGREQ))
        assert self.expect(PINGRESP).body == b""

    def fence(self):
        """The messages that the broker had for this client up to now, with their handshakes.

        What another client has published is among them if that was acknowledged, or followed by a
        ping().
        """
        mark = f"fence/{next(NUMBERS)}"
        ids = {SUBACK: next(self.packet_ids), PUBACK: next(self.packet_ids)}
        self.send(subscribe_packet([mark], ids[SUBACK], version=self.version, qos=1) +
                  publish_packet(mark, qos=1, packet_id=ids[PUBACK], version=self.version))
        out, marked, open_ids = [], False, set()
        while ids or open_ids or not marked:
            got = self.packet()
            if got.type == PUBLISH:
                message = self.parse_publish(got)
                if message.qos == 2:
                    open_ids.add(message.packet_id)
                if message.qos:
                    self.ack(PUBREC if message.qos == 2 else PUBACK, message.packet_id)
                marked = marked or message.topic == mark
                out.append(message)
                continue
            packet_id = int.from_bytes(got.body[:2], "big")
            if got.type == PUBREL:
                open_ids.remove(packet_id)
                self.ack(PUBCOMP, packet_id)
            else:
                assert ids.pop(got.type) == packet_id, got
        return [one for one in out if one.topic != mark]

# SPDX-License-Identifier: GPL-2.0
"""MQTT packets for the tests: bytes to fields and back, and a stream of them.

Written for the tests alone and from the standards alone: it shares nothing with the code under
test. It encodes what the standards forbid as readily as what they allow.
"""

import collections
import os
import struct
import time

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBSCRIBE, SUBACK = range(1, 10)
UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT, AUTH = range(10, 16)

# Properties of MQTT 5.0 (2.2.2.2).
PAYLOAD_FORMAT, MESSAGE_EXPIRY, CONTENT_TYPE = 0x01, 0x02, 0x03
RESPONSE_TOPIC, CORRELATION_DATA, SUBSCRIPTION_ID = 0x08, 0x09, 0x0b
SESSION_EXPIRY, ASSIGNED_CLIENT_ID, SERVER_KEEP_ALIVE = 0x11, 0x12, 0x13
AUTH_METHOD, AUTH_DATA, REQUEST_PROBLEM, WILL_DELAY = 0x15, 0x16, 0x17, 0x18
REQUEST_RESPONSE, RESPONSE_INFORMATION, SERVER_REFERENCE = 0x19, 0x1a, 0x1c
REASON_STRING, RECEIVE_MAXIMUM, TOPIC_ALIAS_MAXIMUM, TOPIC_ALIAS = 0x1f, 0x21, 0x22, 0x23
MAXIMUM_QOS, RETAIN_AVAILABLE, USER_PROPERTY, MAXIMUM_PACKET_SIZE = 0x24, 0x25, 0x26, 0x27
WILDCARD_AVAILABLE, SUBSCRIPTION_ID_AVAILABLE, SHARED_AVAILABLE = 0x28, 0x29, 0x2a

# The type of each property: 1, 2 or 4 bytes, variable byte integer, string, binary, pair.
PROPS = {0x01: 1, 0x02: 4, 0x03: "s", 0x08: "s", 0x09: "s", 0x0b: "v", 0x11: 4, 0x12: "s", 0x13: 2,
         0x15: "s", 0x16: "s", 0x17: 1, 0x18: 4, 0x19: 1, 0x1a: "s", 0x1c: "s", 0x1f: "s", 0x21: 2,
         0x22: 2, 0x23: 2, 0x24: 1, 0x25: 1, 0x26: "p", 0x27: 4, 0x28: 1, 0x29: 1, 0x2a: 1}
# These may be there several times; their values come as a list.
LISTS = (SUBSCRIPTION_ID, USER_PROPERTY)

# Nobody waits so long but for what does not come.
SECONDS = 8 if os.environ.get("KMQTT_TEST_BROKER") else 60

Packet = collections.namedtuple("Packet", "type flags body")
Publish = collections.namedtuple("Publish", "topic payload qos retain dup packet_id props")
Ack = collections.namedtuple("Ack", "packet_id reason props")
Connect = collections.namedtuple("Connect", "name level clean keepalive props client_id will"
                                 " username password")


def wait_for(condition, seconds=SECONDS, text="it"):
    """Wait until a condition holds, and return its value."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"{text} did not happen"
        time.sleep(0.05)


def varint(value):
    out = b""
    while True:
        value, low = divmod(value, 128)
        out += bytes([low | (128 if value else 0)])
        if not value:
            return out


def string(text):
    data = text if isinstance(text, bytes) else text.encode()
    return struct.pack(">H", len(data)) + data


def encode_props(props):
    """{identifier: value, or a list of them} as a block with its length; bytes stay as they are."""
    if isinstance(props, bytes):
        return props
    out = b""
    for number, values in (props or {}).items():
        for value in values if isinstance(values, list) else [values]:
            kind = PROPS[number]
            out += bytes([number])
            if kind == "v":
                out += varint(value)
            elif kind == "s":
                out += string(value)
            elif kind == "p":
                out += string(value[0]) + string(value[1])
            else:
                out += value.to_bytes(kind, "big")
    return varint(len(out)) + out


def packet(kind, body=b"", flags=None):
    if flags is None:
        flags = 2 if kind in (PUBREL, SUBSCRIBE, UNSUBSCRIBE) else 0
    return bytes([kind << 4 | flags]) + varint(len(body)) + body


class Reader:
    """What is left of a packet's body."""

    def __init__(self, data):
        self.data = data

    def take(self, size):
        assert len(self.data) >= size
        out, self.data = self.data[:size], self.data[size:]
        return out

    def number(self, size):
        return int.from_bytes(self.take(size), "big")

    def varint(self):
        value = shift = 0
        while True:
            byte = self.number(1)
            value |= (byte & 127) << shift
            shift += 7
            if not byte & 128:
                assert byte or shift == 7, "a number that is longer than need be"
                return value

    def string(self):
        return self.take(self.number(2))

    def props(self):
        inner = Reader(self.take(self.varint()))
        out = {}
        while inner.data:
            number = inner.number(1)
            kind = PROPS[number]
            if kind == "v":
                value = inner.varint()
            elif kind == "s":
                value = inner.string()
            elif kind == "p":
                value = (inner.string(), inner.string())
            else:
                value = inner.number(kind)
            if number in LISTS:
                out.setdefault(number, []).append(value)
            else:
                assert number not in out, f"property {number:#x} twice"
                out[number] = value
        return out


def parse_connect(body):
    r = Reader(body)
    name, level, flags, keepalive = r.string(), r.number(1), r.number(1), r.number(2)
    five = level == 5
    props = r.props() if five else {}
    client_id = r.string()
    will = None
    if flags & 4:
        will_props = r.props() if five else {}
        topic, payload = r.string(), r.string()
        will = (topic, payload, flags >> 3 & 3, bool(flags & 0x20), will_props)
    username = r.string() if flags & 0x80 else None
    password = r.string() if flags & 0x40 else None
    assert not r.data
    return Connect(name, level, bool(flags & 2), keepalive, props, client_id, will, username,
                   password)


def publish_packet(topic, payload=b"", qos=0, packet_id=0, retain=False, dup=False, props=None,
                   version=5):
    """A PUBLISH; its payload may be bytes only."""
    body = string(topic)
    if qos:
        body += struct.pack(">H", packet_id)
    if version == 5:
        body += encode_props(props)
    return packet(PUBLISH, body + payload, dup << 3 | qos << 1 | retain)


class Stream:
    """Packets over a connected socket."""

    def __init__(self, sock, version=5):
        self.sock = sock
        self.sock.settimeout(SECONDS)
        self.data = b""
        self.version = version
        # The Maximum Packet Size that was told to the peer.
        self.limit = None

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.close()

    def send(self, data):
        self.sock.sendall(data)

    def fill(self, size, end=None):
        """Have so many bytes, by this time if one is given."""
        while len(self.data) < size:
            if end is not None:
                self.sock.settimeout(max(end - time.monotonic(), 0.001))
            try:
                more = self.sock.recv(1 << 16)
            finally:
                if end is not None:
                    self.sock.settimeout(SECONDS)
            if not more:
                raise EOFError
            self.data += more

    def whole(self):
        """Is the next packet there already?"""
        data = self.data
        for at in range(1, min(len(data), 5)):
            if not data[at] & 128:
                size = sum((data[i] & 127) << 7 * (i - 1) for i in range(1, at + 1))
                return len(data) >= at + 1 + size
        return False

    def packet(self, seconds=SECONDS):
        """The next packet; EOFError at the end, TimeoutError if none is there in time."""
        end = time.monotonic() + seconds
        self.fill(2, end)
        size = shift = 0
        at = 1
        while True:
            self.fill(at + 1, end)
            size |= (self.data[at] & 127) << shift
            shift += 7
            at += 1
            if not self.data[at - 1] & 128:
                break
        assert at == 2 or self.data[at - 1], "a length that is longer than need be"
        assert at < 6 and (self.limit is None or at + size <= self.limit), f"{at + size} bytes"
        self.fill(at + size, end)
        out = Packet(self.data[0] >> 4, self.data[0] & 15, self.data[at:at + size])
        self.data = self.data[at + size:]
        return out

    def expect(self, kind):
        """The next packet, which must be this one."""
        got = self.packet()
        assert got.type == kind, got
        return got

    def nothing(self, seconds=0.5):
        """Nothing comes for a while."""
        self.sock.settimeout(seconds)
        try:
            got = self.data or self.sock.recv(100)
        except TimeoutError:
            got = None
        finally:
            self.sock.settimeout(SECONDS)
        assert got is None, got

    def ended(self):
        """The peer closes the connection, whatever else it says before."""
        try:
            while True:
                self.packet()
        except (EOFError, ConnectionError):
            return True

    def publish(self, topic, payload=b"", **more):
        """Sends a PUBLISH; see publish_packet()."""
        self.send(publish_packet(topic, payload, version=self.version, **more))

    def parse_publish(self, got):
        """A packet that must be a PUBLISH, taken apart."""
        assert got.type == PUBLISH, got
        r = Reader(got.body)
        qos = got.flags >> 1 & 3
        topic = r.string().decode()
        packet_id = r.number(2) if qos else 0
        props = r.props() if self.version == 5 else {}
        return Publish(topic, r.data, qos, bool(got.flags & 1), bool(got.flags & 8), packet_id,
                       props)

    def published(self):
        """The next packet, which must be a PUBLISH."""
        return self.parse_publish(self.expect(PUBLISH))

    def ack(self, kind, packet_id, reason=None, props=None):
        body = struct.pack(">H", packet_id)
        if reason is not None:
            body += bytes([reason])
        if props is not None:
            body += encode_props(props)
        self.send(packet(kind, body))

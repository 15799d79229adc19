# SPDX-License-Identifier: GPL-2.0
"""Brokers for the tests of the uplinks: Mosquitto, and one that does what a test says.

    with Fake() as fake:
        peer = fake.accept()            # the kernel has connected
        connect = peer.connect()        # its CONNECT, taken apart
        peer.connack(version=5)
        peer.publish("a/b", b"payload", qos=1, packet_id=7)
        peer.expect(PUBACK)

Waiting is bounded by seconds; no test depends on how fast something is.
"""

import collections
import os
import signal
import socket
import struct
import subprocess
import time

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBSCRIBE, SUBACK = range(1, 10)
UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT, AUTH = range(10, 16)

SECONDS = 20

Packet = collections.namedtuple("Packet", "type flags body")
Publish = collections.namedtuple("Publish", "topic payload qos retain dup packet_id props")
Connect = collections.namedtuple("Connect", "name level clean keepalive props client_id will"
                                 " username password")

# The type of each property: 1, 2 or 4 bytes, variable byte integer, string, binary, pair.
PROPS = {0x01: 1, 0x02: 4, 0x03: "s", 0x08: "s", 0x09: "s", 0x0b: "v", 0x11: 4, 0x12: "s", 0x13: 2,
         0x15: "s", 0x16: "s", 0x17: 1, 0x18: 4, 0x19: 1, 0x1a: "s", 0x1c: "s", 0x1f: "s", 0x21: 2,
         0x22: 2, 0x23: 2, 0x24: 1, 0x25: 1, 0x26: "p", 0x27: 4, 0x28: 1, 0x29: 1, 0x2a: 1}


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
    """{identifier: value, or a list of them} as a block with its length."""
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
            if number == 0x26:
                out.setdefault(number, []).append(value)
            else:
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


class Peer:
    """One connection of the kernel, from the broker's side."""

    def __init__(self, sock):
        self.sock = sock
        self.sock.settimeout(SECONDS)
        self.data = b""
        self.version = 5

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.close()

    def send(self, data):
        self.sock.sendall(data)

    def fill(self, size):
        while len(self.data) < size:
            more = self.sock.recv(1 << 16)
            if not more:
                raise EOFError
            self.data += more

    def packet(self):
        """The next packet; EOFError at the end."""
        self.fill(2)
        size = shift = 0
        at = 1
        while True:
            self.fill(at + 1)
            size |= (self.data[at] & 127) << shift
            shift += 7
            at += 1
            if not self.data[at - 1] & 128:
                break
        self.fill(at + size)
        out = Packet(self.data[0] >> 4, self.data[0] & 15, self.data[at:at + size])
        self.data = self.data[at + size:]
        return out

    def expect(self, kind):
        """The next packet but PINGREQ, which must be this one."""
        got = self.packet()
        while got.type == PINGREQ and kind != PINGREQ:
            self.send(packet(PINGRESP))
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
        """The kernel closes the connection, whatever else it says before."""
        try:
            while True:
                self.packet()
        except (EOFError, ConnectionError):
            return True

    def connect(self):
        got = parse_connect(self.expect(CONNECT).body)
        self.version = got.level & 0x7f
        return got

    def connack(self, reason=0, present=False, **props):
        body = bytes([present, reason])
        if self.version == 5:
            body += encode_props({int(k[1:], 16): v for k, v in props.items()})
        self.send(packet(CONNACK, body))

    def handshake(self, present=False, **props):
        got = self.connect()
        self.connack(present=present, **props)
        return got

    def publish(self, topic, payload=b"", qos=0, packet_id=0, retain=False, dup=False, props=None):
        body = string(topic)
        if qos:
            body += struct.pack(">H", packet_id)
        if self.version == 5:
            body += encode_props(props)
        self.send(packet(PUBLISH, body + payload, dup << 3 | qos << 1 | retain))

    def published(self):
        """The next packet, which must be a PUBLISH."""
        got = self.expect(PUBLISH)
        r = Reader(got.body)
        qos = got.flags >> 1 & 3
        topic = r.string().decode()
        packet_id = r.number(2) if qos else 0
        props = r.props() if self.version == 5 else {}
        return Publish(topic, r.data, qos, bool(got.flags & 1), bool(got.flags & 8), packet_id,
                       props)

    def ack(self, kind, packet_id, reason=None):
        body = struct.pack(">H", packet_id)
        self.send(packet(kind, body if reason is None else body + bytes([reason])))

    def acked(self, kind):
        """The next packet, an acknowledgement: packet identifier and reason code."""
        body = self.expect(kind).body
        return int.from_bytes(body[:2], "big"), body[2] if len(body) > 2 else 0

    def subscribed(self, codes=None):
        """The next packet, a SUBSCRIBE, which is answered: {filter: options}."""
        r = Reader(self.expect(SUBSCRIBE).body)
        packet_id = r.take(2)
        if self.version == 5:
            r.props()
        out = {}
        while r.data:
            name = r.string().decode()
            out[name] = r.number(1)
        codes = codes or [options & 3 for options in out.values()]
        self.send(packet(SUBACK, packet_id + (b"\0" if self.version == 5 else b"") + bytes(codes)))
        return out

    def unsubscribed(self):
        """The next packet, an UNSUBSCRIBE, which is answered: the filters."""
        r = Reader(self.expect(UNSUBSCRIBE).body)
        packet_id = r.take(2)
        if self.version == 5:
            r.props()
        out = []
        while r.data:
            out.append(r.string().decode())
        self.send(packet(UNSUBACK, packet_id + (b"\0" + bytes(len(out)) if self.version == 5
                                                else b"")))
        return out

    def disconnected(self):
        """The next packet, a DISCONNECT: its reason code."""
        body = self.expect(DISCONNECT).body
        return body[0] if body else 0


class Fake:
    """A listening socket."""

    def __init__(self, family=socket.AF_INET, host="127.0.0.1"):
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind((host, 0))
        self.sock.listen(8)
        self.sock.settimeout(SECONDS)
        self.host = host
        self.port = self.sock.getsockname()[1]
        self.peers = []

    def accept(self):
        peer = Peer(self.sock.accept()[0])
        self.peers.append(peer)
        return peer

    def close(self):
        for peer in self.peers:
            peer.close()
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.close()


class Mosquitto:
    """A real broker in a directory of its own."""

    def __init__(self, path, port=18830, host="127.0.0.1", conf="", netns=None):
        self.path = str(path)
        self.port = port
        self.host = host
        self.prefix = ["ip", "netns", "exec", netns] if netns else []
        self.config = os.path.join(self.path, "mosquitto.conf")
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(f"listener {port} {host}\nallow_anonymous true\npersistence true\n"
                       f"persistence_location {self.path}/\nuser root\n"
                       f"log_dest file {self.path}/log\nlog_type all\n{conf}\n")
        self.process = None

    def start(self):
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with
            self.prefix + ["mosquitto", "-c", self.config],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(lambda: self.run("mosquitto_pub", "-t", "up", "-m", "1",
                                  check=False).returncode == 0, text="Mosquitto's start")
        return self

    def stop(self, kill=False):
        """SIGTERM saves its database, SIGKILL does not."""
        if self.process:
            self.process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
            self.process.wait()
            self.process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *what):
        self.stop()

    def run(self, *command, check=True, **more):
        """A client of Mosquitto's, told where the broker is."""
        return subprocess.run([*self.prefix, command[0], "-h", self.host, "-p", str(self.port),
                               *command[1:]], check=check, timeout=60, capture_output=True, **more)

    def publish(self, topic, payload, *more):
        self.run("mosquitto_pub", "-t", topic, "-m", payload, *more)

    def subscribe(self, *options):
        """mosquitto_sub in the background; it has subscribed when this returns."""
        before = self.log().count("Sending SUBACK")
        process = subprocess.Popen(  # pylint: disable=consider-using-with
            [*self.prefix, "mosquitto_sub", "-h", self.host, "-p", str(self.port), *options],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        wait_for(lambda: self.log().count("Sending SUBACK") > before, text="a SUBACK")
        return process

    def log(self):
        try:
            with open(os.path.join(self.path, "log"), encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

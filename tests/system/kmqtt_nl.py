# SPDX-License-Identifier: GPL-2.0
"""A generic netlink client for the family kmqtt, driven by uapi/kmqtt.yaml.

    nl = Netlink()
    nl.do("switch-set", max_sessions=10)
    nl.dump("session-get")
    nl.do("subscribe", filter="a/#"); nl.message()

Attributes are keyword arguments with underscores. A refusal raises NlError.
"""

import collections
import os
import re
import select
import socket
import struct
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
SPEC = os.path.join(TOP, "uapi", "kmqtt.yaml")

NETLINK_GENERIC = 16
SOL_NETLINK = 270
NETLINK_ADD_MEMBERSHIP = 1
NETLINK_CAP_ACK = 10
NETLINK_EXT_ACK = 11
NETLINK_GET_STRICT_CHK = 12

NLM_F_REQUEST = 1
NLM_F_MULTI = 2
NLM_F_ACK = 4
NLM_F_DUMP_INTR = 0x10
NLM_F_CAPPED = 0x100
NLM_F_ACK_TLVS = 0x200
NLM_F_DUMP = 0x300
NLA_F_NESTED = 0x8000

NLMSG_NOOP = 1
NLMSG_ERROR = 2
NLMSG_DONE = 3
GENL_ID_CTRL = 0x10
CTRL_CMD_GETFAMILY = 3

INTEGERS = {"u8": "B", "u16": "H", "u32": "I", "u64": "Q"}

Attr = collections.namedtuple("Attr", "number type multi big nested")


class Spec:
    """What of uapi/kmqtt.yaml a client needs; the file is regular enough for lines."""

    def __init__(self, path=SPEC):
        self.sets = {}
        self.ops = {}
        self.op_set = {}
        self.op_kinds = {}
        self.values = {}
        with open(path, encoding="utf-8") as file:
            text = file.read()
        head, rest = text.split("\nattribute-sets:\n")
        sets, rest = rest.split("\noperations:\n")
        operations = rest.split("\nmcast-groups:\n", maxsplit=1)[0]
        for block in re.split(r"(?m)^  -\n", head)[1:]:
            self.define(block)
        for block in re.split(r"(?m)^  -\n", sets)[1:]:
            name = re.search(r"(?m)^    name: (.*)$", block)[1]
            self.sets[name] = self.attributes(block)
        for number, block in enumerate(re.split(r"(?m)^    -\n", operations)[1:], 1):
            name = re.search(r"(?m)^      name: (.*)$", block)[1]
            self.ops[name] = number
            self.op_set[name] = re.search(r"(?m)^      attribute-set: (.*)$", block)[1]
            # how it can be asked for; what is only told has none
            self.op_kinds[name] = re.findall(r"(?m)^      (do|dump):", block)
        self.op_names = {number: name for name, number in self.ops.items()}

    def define(self, block):
        """A constant, or the values of an enum."""
        name = re.search(r"(?m)^    name: (.*)$", block)[1]
        value = re.search(r"(?m)^    value: (\d+)$", block)
        if value:
            self.values[name] = int(value[1])
            return
        start = re.search(r"(?m)^    value-start: (\d+)$", block)
        entries = re.findall(r"(?m)^        name: (.*)$", block)
        inline = re.search(r"(?m)^    entries: \[(.*)\]$", block)
        if inline:
            entries = inline[1].split(", ")
        first = int(start[1]) if start else 0
        flags = "type: flags" in block
        self.values[name] = {entry: 1 << i if flags else first + i
                             for i, entry in enumerate(entries)}

    @staticmethod
    def attributes(block):
        attrs = {}
        for number, one in enumerate(re.split(r"(?m)^      -\n", block)[1:], 1):
            field = dict(re.findall(r"(?m)^        ([a-z-]+): (.*)$", one))
            attrs[field["name"]] = Attr(number, field["type"], field.get("multi-attr") == "true",
                                        field.get("byte-order") == "big-endian",
                                        field.get("nested-attributes"))
        return attrs

    def value(self, name, entry):
        """The number of an entry of an enum."""
        return self.values[name][entry]


SPEC_KMQTT = Spec()


def attribute(number, data):
    """One attribute as bytes, with its padding."""
    return struct.pack("=HH", len(data) + 4, number) + data + bytes(-len(data) % 4)


def encode_value(attr, value):
    if attr.type in INTEGERS:
        return struct.pack((">" if attr.big else "=") + INTEGERS[attr.type], value)
    if attr.type == "string":
        return (value if isinstance(value, bytes) else value.encode()) + b"\0"
    if attr.type == "nest":
        return encode(attr.nested, value)
    return bytes(value)


def encode(space, values):
    """A dictionary as attributes; a list is as many of them."""
    out = b""
    for name, value in values.items():
        attr = SPEC_KMQTT.sets[space][name.replace("_", "-")]
        number = attr.number | (NLA_F_NESTED if attr.type == "nest" else 0)
        for one in value if isinstance(value, list) else [value]:
            out += attribute(number, encode_value(attr, one))
    return out


def split(data):
    """The attributes in some bytes: number without flags, data."""
    at = 0
    while at + 4 <= len(data):
        size, number = struct.unpack_from("=HH", data, at)
        yield number & 0x3fff, data[at + 4:at + size]
        at += (size + 3) & ~3


def decode(space, data):
    """Attributes as a dictionary; what may be there many times is a list."""
    names = {attr.number: (name, attr) for name, attr in SPEC_KMQTT.sets[space].items()}
    out = {}
    for number, raw in split(data):
        name, attr = names[number]
        name = name.replace("-", "_")
        if attr.type == "pad":
            continue
        if attr.type in INTEGERS:
            raw = struct.unpack((">" if attr.big else "=") + INTEGERS[attr.type], raw)[0]
        elif attr.type == "string":
            assert raw.endswith(b"\0"), f"{name} is not terminated"
            raw = raw[:-1].decode()
        elif attr.type == "nest":
            raw = decode(attr.nested, raw)
        if attr.multi:
            out.setdefault(name, []).append(raw)
        else:
            assert name not in out, f"{name} twice"
            out[name] = raw
    return out


class NlError(OSError):
    """The kernel refused: errno, its explanation, the attribute that is wrong or missing."""

    def __init__(self, number, text, offset, missing):
        super().__init__(number, f"{os.strerror(number)}: {text}")
        self.text = text
        self.offset = offset
        self.missing = missing


class Netlink:
    """A socket of NETLINK_GENERIC. Its messages and events are kept until they are asked for."""

    def __init__(self, rcvbuf=0):
        self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC,
                                  NETLINK_GENERIC)
        for option in (NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK):
            self.sock.setsockopt(SOL_NETLINK, option, 1)
        if rcvbuf:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self.sock.bind((0, 0))
        self.portid = self.sock.getsockname()[0]
        self.buffer = bytearray(2 << 20)
        self.sequence = 0
        self.told = collections.deque()
        self.interrupted = False
        self.parts = 0
        self.family, self.groups = self.resolve()

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.close()

    # Sending

    def resolve(self):
        request = struct.pack("=BBH", CTRL_CMD_GETFAMILY, 1, 0) + attribute(2, b"kmqtt\0")
        self.send(GENL_ID_CTRL, request, NLM_F_ACK)
        attrs = dict(split(self.answer()[0][4:]))
        groups = {}
        for _, one in split(attrs[7]):
            group = dict(split(one))
            groups[group[1].rstrip(b"\0").decode()] = struct.unpack("=I", group[2])[0]
        return struct.unpack("=H", attrs[1])[0], groups

    def send(self, kind, data, flags):
        """Send a request; what is in the socket's error from before is not this one's."""
        self.sequence += 1
        head = struct.pack("=IHHII", 16 + len(data), kind, flags | NLM_F_REQUEST,
                           self.sequence, 0)
        self.sock.send(head + data)

    def send_op(self, name, attrs, flags, reserved=0):
        head = struct.pack("=BBH", SPEC_KMQTT.ops.get(name, name), 1, reserved)
        self.send(self.family, head + attrs, flags)

    # Receiving

    def receive(self):
        """The messages of one datagram: type, flags, sequence, data."""
        size = self.sock.recv_into(self.buffer)
        data = bytes(self.buffer[:size])
        at = 0
        while at < size:
            length, kind, flags, sequence, _ = struct.unpack_from("=IHHII", data, at)
            yield kind, flags, sequence, data[at + 16:at + length]
            at += (length + 3) & ~3

    def tell(self, data):
        """Keep a message or an event."""
        name = SPEC_KMQTT.op_names[data[0]]
        self.told.append((name, decode(SPEC_KMQTT.op_set[name], data[4:])))

    @staticmethod
    def refusal(kind, flags, data):
        error = -struct.unpack_from("=i", data)[0]
        attrs = {}
        if flags & NLM_F_ACK_TLVS and kind == NLMSG_DONE:
            attrs = dict(split(data[4:]))
        elif flags & NLM_F_ACK_TLVS:
            request = struct.unpack_from("=I", data, 4)[0]
            start = 20 if flags & NLM_F_CAPPED else 4 + ((request + 3) & ~3)
            attrs = dict(split(data[start:]))
        text = attrs.get(1, b"").rstrip(b"\0").decode()
        offset = struct.unpack("=I", attrs[2])[0] if 2 in attrs else None
        missing = struct.unpack("=I", attrs[5])[0] if 5 in attrs else None
        return NlError(error, text, offset, missing) if error else None

    def answer(self):
        """The data of the answers to the last request, up to its end."""
        out = []
        self.parts = 0
        self.interrupted = False
        while True:
            self.parts += 1
            for kind, flags, sequence, data in self.receive():
                if sequence != self.sequence:
                    self.tell(data)
                    continue
                self.interrupted |= bool(flags & NLM_F_DUMP_INTR)
                if kind in (NLMSG_ERROR, NLMSG_DONE):
                    error = self.refusal(kind, flags, data) if len(data) >= 4 else None
                    if error:
                        raise error
                    return out
                out.append(data)

    def do(self, name, /, **attrs):
        """A command; its answer as a dictionary, or None."""
        space = SPEC_KMQTT.op_set[name]
        return self.do_raw(name, encode(space, attrs))

    def do_raw(self, name, attrs, reserved=0):
        """Likewise, with attributes as bytes."""
        self.send_op(name, attrs, NLM_F_ACK, reserved)
        answers = self.answer()
        return decode(SPEC_KMQTT.op_set[name], answers[0][4:]) if answers else None

    def dump(self, name, /, **attrs):
        """All that a dump shows, each a dictionary."""
        space = SPEC_KMQTT.op_set[name]
        self.send_op(name, encode(space, attrs), NLM_F_DUMP)
        return [decode(space, data[4:]) for data in self.answer()]

    def listen(self, group="events"):
        self.sock.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, self.groups[group])

    def next(self, name, seconds=10):
        """The next message or event, or None if none comes."""
        end = time.monotonic() + seconds
        while True:
            for i, (what, attrs) in enumerate(self.told):
                if what == name:
                    del self.told[i]
                    return attrs
            left = max(0, end - time.monotonic())
            if not select.select([self.sock], [], [], left)[0]:
                return None
            for _, _, _, data in self.receive():
                self.tell(data)

    def message(self, seconds=10):
        return self.next("message", seconds)

    def event(self, seconds=10):
        return self.next("event", seconds)

    def event_of(self, code, seconds=10, **wanted):
        """The next event of this code with these attributes; others are let go."""
        end = time.monotonic() + seconds
        number = SPEC_KMQTT.value("event-code", code)
        while True:
            event = self.event(max(0, end - time.monotonic()))
            if event is None:
                return None
            if event["code"] == number and all(event.get(k) == v for k, v in wanted.items()):
                return event


def payload(message):
    """The payload of a message, which may be in pieces."""
    whole = b"".join(message["payload"])
    assert len(whole) == message["payload_len"]
    return whole

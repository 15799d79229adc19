# SPDX-License-Identifier: GPL-2.0
"""Which packets of a client a server has to take: read slowly, from the standards alone.

    judge(first_byte, body, version) -> GOOD, BAD, END (the client's good-bye) or EITHER

A client that is connected, and has announced nothing: session expiry 0, no authentication method
unless one is given. The topic aliases in `aliases`, if there are any, have been set before.
"""

from kmqtt_packet import (
    AUTH, CONNECT, DISCONNECT, PINGREQ, PROPS, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, SUBSCRIBE,
    UNSUBSCRIBE)

GOOD, BAD, END, EITHER = "good", "bad", "end", "either"

ALIASES = 10
USER = 0x26
IN_CONNECT = {0x11, 0x15, 0x16, 0x17, 0x19, 0x21, 0x22, 0x27, USER}
IN_WILL = {0x01, 0x02, 0x03, 0x08, 0x09, 0x18, USER}
IN_PUBLISH = {0x01, 0x02, 0x03, 0x08, 0x09, 0x23, USER}
IN_ACK = {0x1f, USER}
IN_SUBSCRIBE = {0x0b, USER}
IN_UNSUBSCRIBE = {USER}
IN_DISCONNECT = {0x11, 0x1f, USER}
IN_AUTH = {0x15, 0x16, 0x1f, USER}

REASONS = {
    PUBACK: {0, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99}, PUBREL: {0, 0x92},
    DISCONNECT: {0, 4, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99}}
REASONS[PUBREC], REASONS[PUBCOMP] = REASONS[PUBACK], REASONS[PUBREL]
# Of a server's DISCONNECT; nobody says what is to be done with one from a client.
SERVERS = {0x87, 0x89, 0x8b, 0x8d, 0x8e, 0x8f, *range(0x9a, 0xa3)}


class Bad(Exception):
    """It is not as the standard says."""


def need(condition):
    if not condition:
        raise Bad


class Body:
    """The bytes of a packet that were not read yet."""

    def __init__(self, data, version):
        self.data = data
        self.version = version

    def take(self, size):
        need(len(self.data) >= size)
        out, self.data = self.data[:size], self.data[size:]
        return out

    def number(self, size):
        return int.from_bytes(self.take(size), "big")

    def varint(self):
        value = 0
        for i in range(4):
            byte = self.number(1)
            value |= (byte & 127) << 7 * i
            if byte < 128:
                need(byte or not i)
                return value
        raise Bad

    def binary(self):
        return self.take(self.number(2))

    def string(self):
        try:
            text = self.binary().decode("utf-8")
        except UnicodeDecodeError as error:
            raise Bad from error
        need("\0" not in text)
        return text

    def packet_id(self):
        need(self.number(2))

    def end(self):
        need(not self.data)

    def props(self, allowed):
        """{identifier: value}; nothing before MQTT 5.0."""
        if self.version < 5:
            return {}
        inner, out = Body(self.take(self.varint()), 5), {}
        while inner.data:
            number = inner.varint()
            need(number in allowed)
            need(number == USER or number not in out)
            kind = PROPS[number]
            if kind == "v":
                value = inner.varint()
            elif kind == "p":
                value = inner.string(), inner.string()
            elif kind == "s":
                value = inner.binary() if number in (0x09, 0x16) else inner.string()
            else:
                value = inner.number(kind)
            need(number not in (0x01, 0x17, 0x19) or value < 2)
            need(number not in (0x0b, 0x21, 0x23, 0x27) or value)
            need(number != 0x23 or value <= ALIASES)
            if number == 0x08:
                topic_name(value)
            out[number] = value
        return out


def topic_name(text):
    need(text and "+" not in text and "#" not in text)


def topic_filter(text):
    need(text)
    levels = text.split("/")
    if levels[0] == "$share":
        need(len(levels) > 2 and levels[1] and not set(levels[1]) & {"+", "#"})
        levels = levels[2:]
        need(levels != [""])
    for i, level in enumerate(levels):
        need(level == "+" or "+" not in level)
        need("#" not in level or (level == "#" and i == len(levels) - 1))


def connect(first, body, methods=False):
    """A CONNECT as the first packet; is there somebody who knows every authentication method?"""
    try:
        need(first == CONNECT << 4)
        r = Body(body, 0)
        name, level = r.binary(), r.number(1)
        bridge = level in (0x83, 0x84)
        version = r.version = level & 0x7f if bridge else level
        need({3: b"MQIsdp", 4: b"MQTT", 5: b"MQTT"}.get(version) == name)
        if version == 3:
            return EITHER   # 3.1 forgives what others do not
        flags = r.number(1)
        r.number(2)
        need(not flags & 1)
        need(flags & 0x18 != 0x18)
        need(flags & 4 or not flags & 0x38)
        need(version == 5 or flags & 0xc0 != 0x40)
        props = r.props(IN_CONNECT)
        need(methods or 0x15 not in props)
        need(0x15 in props or 0x16 not in props)
        need(r.string() or version == 5 or flags & 2)
        if flags & 4:
            r.props(IN_WILL)
            topic_name(r.string())
            r.binary()
        if flags & 0x80:
            r.string()
        if flags & 0x40:
            r.binary()
        r.end()
    except Bad:
        return BAD
    return GOOD


def publish(flags, r, aliases):
    qos = flags >> 1 & 3
    need(qos < 3)
    if not qos and flags & 8:
        need(r.version < 4)
        return EITHER
    topic = r.string()
    if qos:
        r.packet_id()
    alias = r.props(IN_PUBLISH).get(0x23)
    need(topic or alias in aliases)
    topic_name(topic or "set before")
    return GOOD


def acknowledgement(kind, r):
    r.packet_id()
    if r.data:
        need(r.version == 5)
        need(r.number(1) in REASONS[kind])
    if r.data:
        r.props(IN_ACK)
    r.end()
    return GOOD


def subscribe(r):
    r.packet_id()
    r.props(IN_SUBSCRIBE)
    need(r.data)
    while r.data:
        text, options = r.string(), r.number(1)
        topic_filter(text)
        need(options & 3 < 3)
        if r.version < 5:
            need(options < 3)
        else:
            need(not options & 0xc0 and options & 0x30 != 0x30)
            need(not (options & 4 and text.startswith("$share/")))
    return GOOD


def unsubscribe(r):
    r.packet_id()
    r.props(IN_UNSUBSCRIBE)
    need(r.data)
    while r.data:
        topic_filter(r.string())
    return GOOD


def disconnect(r):
    result = END
    if r.data:
        need(r.version == 5)
        reason = r.number(1)
        if reason in SERVERS:
            result = EITHER
        else:
            need(reason in REASONS[DISCONNECT])
    if r.data:
        need(not r.props(IN_DISCONNECT).get(0x11))
    r.end()
    return result


def auth(r, method):
    """Only who has come with a method may begin again, with the same."""
    need(r.version == 5 and method is not None and r.data)
    need(r.number(1) == 0x19)
    need(r.data and r.props(IN_AUTH).get(0x15) == method)
    r.end()
    return GOOD


def judge(first, body, version, method=None, aliases=()):
    """A packet after CONNECT."""
    kind, flags, r = first >> 4, first & 15, Body(body, version)
    try:
        if kind == PUBLISH:
            return publish(flags, r, aliases)
        right = 2 if kind in (PUBREL, SUBSCRIBE, UNSUBSCRIBE) else 0
        # 3.1 has DUP on all that has an answer
        need(flags == right or (version == 3 and right and flags == right | 8))
        if kind in (PUBACK, PUBREC, PUBREL, PUBCOMP):
            return acknowledgement(kind, r)
        if kind == SUBSCRIBE:
            return subscribe(r)
        if kind == UNSUBSCRIBE:
            return unsubscribe(r)
        if kind == DISCONNECT:
            return disconnect(r)
        if kind == AUTH:
            return auth(r, method)
        need(kind == PINGREQ)
        r.end()
    except Bad:
        return BAD
    return GOOD

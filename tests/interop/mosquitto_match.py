# SPDX-License-Identifier: GPL-2.0
"""How a packet is compared with the one that a test of Mosquitto's expects.

Those tests compare bytes, and so ask in places for more than the standard. Packets are equal here

* whatever the order of different properties, which has no meaning (MQTT 5.0, 2.2.2.2), and with or
  without a Reason String, which the broker may add (e.g. 3.2.2.3.9);
* if the reason code says what Mosquitto's says, but more exactly (CODES);
* if the connection was to end and did, after a CONNACK or DISCONNECT of MQTT 5.0 that says why
  (4.13.1: the broker may, or should, send one; Mosquitto does not always).

All else is compared byte by byte.
"""

import socket
import struct

CONNECT, CONNACK, PUBACK, PUBREC, PUBREL, PUBCOMP, DISCONNECT, AUTH = 1, 2, 4, 5, 6, 7, 14, 15
REASON_STRING = 31
PATIENCE = 30
BYTES = {1: 1, 2: 4, 17: 4, 19: 2, 23: 1, 24: 4, 25: 1, 33: 2, 34: 2, 35: 2, 36: 1, 37: 1, 39: 4,
         40: 1, 41: 1, 42: 1}

# Type, the code expected, codes that say the same more exactly. 16 is "no matching subscribers",
# which a broker may say where it knows (3.4.2.1), and 146 "packet identifier not found", which is
# no error when a connection is made again (3.7.2.1); 134 is "bad user name or password", where
# Mosquitto says "not authorized"; 133 "client identifier not valid", where it says "unspecified
# error"; 143 and 144 are for a topic that is not accepted, where it says "malformed packet" or
# "protocol error".
CODES = {
    (PUBACK, 0): {16}, (PUBREC, 0): {16}, (PUBREL, 0): {146}, (PUBCOMP, 0): {146},
    (CONNACK, 135): {134}, (CONNACK, 128): {133}, (DISCONNECT, 129): {143, 144},
    (DISCONNECT, 130): {143, 144},
}


class Odd(Exception):
    """It is not what it has to be."""


def varint(data, at):
    """The variable byte integer there, and where it ends."""
    value = 0
    for shift in range(0, 28, 7):
        if at >= len(data):
            break
        value |= (data[at] & 127) << shift
        at += 1
        if data[at - 1] < 128:
            return value, at
    raise Odd


def size(data):
    """Bytes of the whole packet that begins so."""
    remaining, at = varint(data, 1)
    return at + remaining


def string_end(data, at):
    if at + 2 > len(data):
        raise Odd
    return at + 2 + struct.unpack_from("!H", data, at)[0]


def prop_end(data, at):
    """Where the property ends that begins there."""
    number = data[at]
    if number in BYTES:
        return at + 1 + BYTES[number]
    if number == 11:
        return varint(data, at + 1)[1]
    end = string_end(data, at + 1)
    return string_end(data, end) if number == 38 else end


def props(data, at, reason):
    """The properties there in an order that depends on their identifiers only, and their end."""
    length, at = varint(data, at)
    end = at + length
    if end > len(data):
        raise Odd
    out = []
    while at < end:
        nxt = prop_end(data, at)
        if data[at] != REASON_STRING or reason:
            out.append(data[at:nxt])
        at = nxt
    if at != end:
        raise Odd
    # those with the same identifier stay in their order
    return sorted(out, key=lambda prop: prop[0]), end


def is_v5(data, at):
    """Is it of MQTT 5.0? Of PUBLISH, SUBSCRIBE and the answers to it one cannot see that."""
    kind = data[0] >> 4
    if kind == CONNECT:
        level = string_end(data, at)
        return level < len(data) and data[level] == 5
    if kind == CONNACK:
        return len(data) - at > 2
    return PUBACK <= kind <= PUBCOMP or kind in (DISCONNECT, AUTH)


def parts(data, reason):
    """A whole packet, taken apart: type, what is before the code, code, properties, the rest.

    @reason: with a Reason String.
    """
    at = varint(data, 1)[1]
    if not is_v5(data, at):
        return data[0], data, 0, [], b""
    kind = data[0] >> 4
    head = string_end(data, at) + 4 if kind == CONNECT else \
        at + {CONNACK: 1, DISCONNECT: 0, AUTH: 0}.get(kind, 2)
    code = 0
    end = head
    if kind != CONNECT and head < len(data):
        code = data[head]
        end += 1
    some = []
    start = end
    if start < len(data):
        some, end = props(data, start, reason)
    return data[0], data[at:head], code, some, data[end:]


def same(received, expected):
    """Are they the same, but for what has no meaning?"""
    if received == expected:
        return True
    try:
        reason = parts(expected, True) != parts(expected, False)
        got, want = parts(received, reason), parts(expected, reason)
        kind = expected[0] >> 4
        if got[2] != want[2] and got[2] in CODES.get((kind, want[2]), ()):
            got = got[:2] + want[2:3] + got[3:]
        return got == want
    except (Odd, IndexError):
        return False


def is_refusal(data):
    """A whole CONNACK or DISCONNECT that says what was wrong."""
    try:
        return data[0] >> 4 in (CONNACK, DISCONNECT) and len(data) == size(data) and \
            len(data) > 2 and parts(data, True)[2] >= 128
    except (Odd, IndexError):
        return False


def begins(received, expected):
    """Does a packet begin as expected? Of a CONNACK that is cut, each property has to be there."""
    if received[:len(expected)] == expected:
        return True
    try:
        _, at = varint(expected, 1)
        if expected[0] >> 4 != CONNACK or received[:at + 2] != expected[:at + 2]:
            return False
        some = props(received, at + 2, True)[0]
        at = varint(expected, at + 2)[1]
        while at < len(expected):
            end = min(prop_end(expected, at), len(expected))
            if not any(prop.startswith(expected[at:end]) for prop in some):
                return False
            at = end
        return True
    except (Odd, IndexError):
        return False


def receive(sock, count):
    """So many bytes, or fewer at the end."""
    out = b""
    while len(out) < count:
        data = socket.socket.recv(sock, count - len(out))
        if not data:
            break
        out += data
    return out


def receive_packet(sock):
    """A whole packet, or what there is of it."""
    out = receive(sock, 2)
    while 2 <= len(out) < 5 and out[-1] & 128:
        out += receive(sock, 1)
    try:
        return out + receive(sock, size(out) - len(out))
    except (Odd, IndexError):
        return out


def receive_end(sock):
    """Nothing, if the connection ends, with or without a word; else what came."""
    received = receive_packet(sock)
    if is_refusal(received) and receive(sock, 1) == b"":
        return b""
    return received


def settimeout(self, seconds):
    """In the place of the sockets' own: none of the tests wants nothing to come within a time, and
    an emulated machine may stand still for longer than some of them wait."""
    super(socket.socket, self).settimeout(seconds and max(seconds, PATIENCE))


class Socket(socket.socket):
    """A connection where a DISCONNECT that says what was wrong is the end, for those who look."""

    def recv(self, size, flags=0):  # pylint: disable=redefined-outer-name
        first = super().recv(1, socket.MSG_PEEK)
        if first and first[0] == DISCONNECT << 4 and not flags:
            packet = receive_packet(self)
            if is_refusal(packet):
                return receive(self, size)
            return packet
        return super().recv(size, flags)


def use(mosq_test):
    """Put this in the place of what mosq_test has."""
    def expect_packet(sock, name, expected):
        try:
            whole = size(expected)
        except (Odd, IndexError):
            whole = 0
        if not expected:
            received = receive_end(sock)
            good = not received
        elif not whole or whole < len(expected):
            received = receive(sock, len(expected))
            good = received == expected
        else:
            received = receive_packet(sock)
            good = same(received, expected) if whole == len(expected) else \
                begins(received, expected)
        if good or mosq_test.packet_matches(name, received, expected):
            return True
        raise mosq_test.TestError

    connect = mosq_test.do_client_connect

    def do_client_connect(*args, **more):
        sock = connect(*args, **more)
        timeout = sock.gettimeout()
        sock = Socket(fileno=sock.detach())
        sock.settimeout(timeout)
        return sock

    socket.socket.settimeout = settimeout
    mosq_test.expect_packet = expect_packet
    mosq_test.do_client_connect = do_client_connect

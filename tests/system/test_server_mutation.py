# SPDX-License-Identifier: GPL-2.0
"""Good packets cut off at every place, and with each byte made another one, to a listener.

kmqtt_judge.py says what the standards make of each: it is taken, and the connection goes on, or it
is the end of the connection, with a reason code where there is one.
"""

import pytest

from kmqtt_auth import Porter
from kmqtt_client import Will, connect_packet, subscribe_packet, unsubscribe_packet
from kmqtt_judge import BAD, EITHER, END, GOOD, connect, judge
from kmqtt_packet import (
    AUTH, AUTH_DATA, AUTH_METHOD, CONTENT_TYPE, CORRELATION_DATA, DISCONNECT, MAXIMUM_PACKET_SIZE,
    MESSAGE_EXPIRY, PAYLOAD_FORMAT, PINGREQ, PINGRESP, PUBACK, PUBCOMP, PUBREC, PUBREL,
    REASON_STRING, RECEIVE_MAXIMUM, RESPONSE_TOPIC, SESSION_EXPIRY, SUBSCRIPTION_ID, TOPIC_ALIAS,
    USER_PROPERTY, WILL_DELAY, encode_props, packet, publish_packet)
from kmqtt_watch import Watch

# What a server may say: the codes for what is wrong with a packet.
CODES = {0x81, 0x82, 0x84, 0x85, 0x8c, 0x8f, 0x90, 0x93, 0x94, 0x95, 0x9b}
USER = {USER_PROPERTY: [("k", "v"), ("k", "v")]}


def good(version):
    """Packets of a client, whole."""
    five = version == 5
    message = {PAYLOAD_FORMAT: 1, MESSAGE_EXPIRY: 9, CONTENT_TYPE: "c", RESPONSE_TOPIC: "r",
               CORRELATION_DATA: b"\0", TOPIC_ALIAS: 3}
    why = b"\x10" + encode_props({REASON_STRING: "w"} | USER) if five else b""
    found = b"\x92" + encode_props({REASON_STRING: "w"}) if five else b""
    again = b"\x19" + encode_props({AUTH_METHOD: "m", AUTH_DATA: b"d", REASON_STRING: "w"} | USER)
    bye = b"\x04" + encode_props({SESSION_EXPIRY: 0, REASON_STRING: "w"}) if five else b""
    return {
        "PUBLISH 0": publish_packet("to/\u00e4", b"xy", props=message, version=version),
        "PUBLISH 1": publish_packet("t", b"x", qos=1, packet_id=257, props=USER, version=version),
        "PUBLISH 2": publish_packet("t", b"", qos=2, packet_id=257, version=version),
        "PUBACK": packet(PUBACK, b"\1\1" + why), "PUBREC": packet(PUBREC, b"\1\1" + why),
        "PUBREL": packet(PUBREL, b"\1\1" + found), "PUBCOMP": packet(PUBCOMP, b"\1\1" + found),
        "SUBSCRIBE": subscribe_packet([("a/+", 1), ("$share/g/t/#", 2)], 257, version=version,
                                      props={SUBSCRIPTION_ID: 200} | USER),
        "UNSUBSCRIBE": unsubscribe_packet(["a/+", "#"], 257, version=version, props=USER),
        "PINGREQ": packet(PINGREQ), "DISCONNECT": packet(DISCONNECT, bye),
        "AUTH": packet(AUTH, again)}


def mutations(data):
    """Of a packet with a length of one byte: others, as first byte and body."""
    first, body = data[0], data[2:]
    assert len(body) < 128
    for flags in range(16):
        yield first & 0xf0 | flags, body
    for at in range(len(body)):
        yield first, body[:at]
    yield first, body + b"\0"
    for at, byte in enumerate(body):
        for other in {byte ^ 0x80, byte ^ 1, 0, 0xff} - {byte}:
            yield first, body[:at] + bytes([other]) + body[at + 1:]


def whole(first, body):
    return packet(first >> 4, body, first & 15)


def outcome(one, answers):
    """What came of a packet with a PINGREQ behind it: GOOD, END, or BAD."""
    said = None
    try:
        while answers:
            got = one.packet()
            answers -= got.type in (PINGRESP, AUTH)
            if got.type == DISCONNECT:
                assert one.version == 5, "a DISCONNECT before MQTT 5.0"
                said = got.body[0]
        return GOOD
    except (EOFError, ConnectionError):
        pass
    if said is None:
        return END if one.version == 5 else BAD
    assert said in CODES, f"reason code {said:#x}"
    return BAD


@pytest.mark.parametrize("version", [3, 4, 5])
@pytest.mark.parametrize("what", good(5))
def test_packets(broker, what, version):
    """One after the other; a new connection only if the last one has ended."""
    one, tried = None, {GOOD: 0, BAD: 0, END: 0, EITHER: 0}
    method = "m" if what == "AUTH" and version == 5 else None
    props = {AUTH_METHOD: method} if method else None
    with Watch(broker) as watch, Porter(broker):
        for first, body in mutations(good(version)[what]):
            verdict = judge(first, body, version, method)
            one = one or broker.connect(version=version, props=props)
            one.send(whole(first, body))
            try:
                one.send(packet(PINGREQ))
            except ConnectionError:
                pass
            answered = first >> 4 in (PINGREQ, AUTH) and verdict == GOOD
            got = outcome(one, 1 + answered)
            if verdict == END and version < 5:
                verdict = BAD   # both are an end without a word
            assert verdict in (got, EITHER), f"{first:#x} {body.hex()}: {got}, not {verdict}"
            tried[verdict] += 1
            if got != GOOD:
                one.close()
                one = None
        watch.undisturbed()
    assert tried[BAD] > 10


@pytest.mark.parametrize("version", [3, 4, 5])
def test_connect(broker, ident, version):
    """CONNECT: let in, or told why not, or closed."""
    will = Will("w", b"m", 1, False, {WILL_DELAY: 1, CONTENT_TYPE: "c"})
    data = connect_packet(ident, version=version, will=will, username="u", password=b"p",
                          keepalive=100, props={SESSION_EXPIRY: 1, RECEIVE_MAXIMUM: 9,
                                                MAXIMUM_PACKET_SIZE: 5000})
    tried = {GOOD: 0, BAD: 0, EITHER: 0}
    with Watch(broker) as watch:
        for first, body in mutations(data):
            verdict = connect(first, body)
            one = broker.raw(version)
            one.send(whole(first, body))
            got = BAD
            try:
                answer = one.packet()
                assert answer.type == 2, answer
                if answer.body[1] == 0:
                    got = GOOD
                else:
                    assert answer.body[1] in CODES | {1, 2}, answer
                    one.closed()
            except (EOFError, ConnectionError):
                pass
            one.close()
            assert verdict in (got, EITHER), f"{first:#x} {body.hex()}: {got}, not {verdict}"
            tried[verdict] += 1
        watch.undisturbed()
    assert version == 3 or tried[BAD] > 10 and tried[GOOD] > 10

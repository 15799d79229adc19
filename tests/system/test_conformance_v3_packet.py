# SPDX-License-Identifier: GPL-2.0
"""MQTT 3.1.1, chapters 1 and 2: strings, flags, packet identifiers. Also 4.8, errors."""

import struct

import pytest

from kmqtt_client import Will, connect_packet, subscribe_packet, unsubscribe_packet
from kmqtt_packet import (
    CONNACK, PINGREQ, PINGRESP, PUBACK, PUBCOMP, PUBREC, PUBREL, SUBACK, UNSUBACK, packet,
    publish_packet)

BOM = "\ufeff"

BAD_UTF8 = {
    "surrogate": b"a\xed\xa0\x80", "surrogate pair": b"\xed\xa0\xbd\xed\xb8\x80",
    "overlong": b"\xc0\xaf", "overlong of three": b"\xe0\x80\xaf", "cut off": b"a\xe2\x82",
    "continuation alone": b"\x80", "beyond U+10FFFF": b"\xf4\x90\x80\x80", "0xff": b"a\xff"}
NUL = {"alone": b"\0", "in the middle": b"a\0b", "last": b"a\0"}

# A packet with a string in one place.
CONNECTS = {
    "client id": lambda s: connect_packet(s, version=4),
    "will topic": lambda s: connect_packet("c", version=4, will=Will(s, b"x")),
    "user name": lambda s: connect_packet("c", version=4, username=s),
}
PLACES = CONNECTS | {
    "topic": lambda s: publish_packet(s, b"x", version=4),
    "filter": lambda s: subscribe_packet([s], version=4),
    "second filter": lambda s: subscribe_packet(["a", s], version=4),
    "unsubscribed filter": lambda s: unsubscribe_packet([s], version=4),
}


@pytest.fixture
def client(broker):
    """A client of MQTT 3.1.1 that is connected."""
    return broker.connect(version=4)


BAD_STRINGS = [pytest.param(kind, strings, id=f"MQTT-{number} {kind}")
               for number, strings in (("1.5.3-1", BAD_UTF8), ("1.5.3-2", NUL))
               for kind in PLACES]


@pytest.mark.parametrize("kind, strings", BAD_STRINGS)
def test_bad_string(broker, kind, strings):
    """The connection is closed; a CONNECT has no answer."""
    for text in strings.values():
        one = broker.raw(version=4)
        if kind not in CONNECTS:
            one.connect()
        one.send(PLACES[kind](text))
        one.closed()


def test_mqtt311_1_5_3_1_good_strings_of_every_length(client, topic):
    name = f"{topic}/\u00df/\u20ac/\U0001f600/\U0010fffd"
    assert client.subscribe(name) == [0]
    client.publish(name, b"x")
    assert client.receive().topic == name


def test_mqtt311_1_5_3_3_byte_order_mark_is_a_character(client, topic):
    name = f"{BOM}{topic}/{BOM}b"
    assert client.subscribe(f"{topic}/b", f"{BOM}{topic}/b", f"{topic}/{BOM}b") == [0, 0, 0]
    client.publish(name, b"matches none of these")
    assert client.subscribe(name) == [0]
    client.publish(name, b"matches")
    got = client.receive()
    assert (got.topic, got.payload) == (name, b"matches")


def test_mqtt311_2_2_2_1_flags_of_what_the_server_sends(broker, topic):
    """Each packet that a server sends, and the flags of its fixed header."""
    one = broker.raw(version=4)
    one.send(connect_packet("", version=4))
    seen = [one.packet()]
    for data in (subscribe_packet([(topic, 2)], 1, version=4),
                 publish_packet(topic, b"0", version=4),
                 publish_packet("other", b"1", qos=1, packet_id=2, version=4),
                 publish_packet("other", b"2", qos=2, packet_id=3, version=4),
                 packet(PUBREL, b"\0\3"), packet(PINGREQ),
                 unsubscribe_packet(["none"], 4, version=4)):
        one.send(data)
        seen.append(one.packet())
    assert [(p.type, p.flags) for p in seen] == [
        (CONNACK, 0), (SUBACK, 0), (3, 0), (PUBACK, 0), (PUBREC, 0), (PUBCOMP, 0), (PINGRESP, 0),
        (UNSUBACK, 0)]
    broker.connect(version=4).deliver(topic, b"3", qos=2)
    got = one.packet()
    assert got.flags == 2 << 1
    one.ack(PUBREC, one.parse_publish(got).packet_id)
    got = one.packet()
    assert (got.type, got.flags) == (PUBREL, 2)


FLAGS = {
    "CONNECT": connect_packet("c", version=4), "PUBACK": packet(PUBACK, b"\0\1"),
    "PUBREC": packet(PUBREC, b"\0\1"), "PUBREL": packet(PUBREL, b"\0\1"),
    "PUBCOMP": packet(PUBCOMP, b"\0\1"), "SUBSCRIBE": subscribe_packet(["t"], version=4),
    "UNSUBSCRIBE": unsubscribe_packet(["t"], version=4), "PINGREQ": packet(PINGREQ),
    "DISCONNECT": packet(14)}


@pytest.mark.parametrize("name", [pytest.param(k, id=f"MQTT-2.2.2-2 {k}") for k in FLAGS])
def test_wrong_flags(broker, name):
    """Mosquitto does not look at those of PUBACK, PUBREC, PUBCOMP, PINGREQ and DISCONNECT."""
    data = FLAGS[name]
    for flags in set(range(16)) - {data[0] & 15}:
        one = broker.raw(version=4)
        if name != "CONNECT":
            one.connect()
        one.send(bytes([data[0] & 0xf0 | flags]) + data[1:])
        one.closed()


@pytest.mark.parametrize("data", [
    pytest.param(subscribe_packet(["t"], 0, version=4), id="MQTT-2.3.1-1 SUBSCRIBE"),
    pytest.param(unsubscribe_packet(["t"], 0, version=4), id="MQTT-2.3.1-1 UNSUBSCRIBE"),
    pytest.param(publish_packet("t", qos=1, packet_id=0, version=4), id="MQTT-2.3.1-1 QoS 1"),
    pytest.param(publish_packet("t", qos=2, packet_id=0, version=4), id="MQTT-2.3.1-1 QoS 2")])
def test_packet_id_0(client, data):
    client.send(data)
    client.closed()


def test_mqtt311_2_3_1_4_server_uses_unused_packet_ids(broker, client, topic):
    """None is given twice while it is in use, and none is 0 (2.3.1-1)."""
    client.subscribe(topic, qos=2)
    other = broker.connect(version=4)
    for i in range(18):
        other.deliver(topic, b"%d" % i, qos=1 + i % 2)
    got = [client.published() for _ in range(18)]
    assert len({m.packet_id for m in got} | {0}) == 19
    # Some are acknowledged: only theirs may come again.
    kept = {m.packet_id for m in got[6:]}
    for one in got[:6]:
        client.answer(one)
    for i in range(6):
        other.deliver(topic, b"again", qos=1)
    assert not kept & {client.published().packet_id for _ in range(6)}


def test_mqtt311_2_3_1_3_server_sends_again_with_the_same_packet_id(broker, ident, topic):
    one = broker.connect(ident, version=4, clean=False)
    one.subscribe(topic, qos=2)
    other = broker.connect(version=4)
    for i in range(4):
        other.deliver(topic, b"%d" % i, qos=1 + i % 2)
    first = {m.packet_id: m.payload for m in (one.published() for _ in range(4))}
    one.close()
    one = broker.connect(ident, version=4, clean=False)
    assert {m.packet_id: m.payload for m in (one.published() for _ in range(4))} == first


def test_mqtt311_2_3_1_5_qos_0_has_no_packet_id(client, topic):
    """What follows the topic is the payload, both ways."""
    client.subscribe(topic)
    body = struct.pack(">H", len(topic)) + topic.encode()
    client.send(packet(3, body + b"\0\7payload"))
    assert client.packet().body == body + b"\0\7payload"


@pytest.mark.parametrize("packet_id", [1, 2, 0x100, 0x7fff, 0x8000, 0xffff])
def test_mqtt311_2_3_1_6_acknowledgements_have_the_packet_id_of_the_publish(
        broker, client, topic, packet_id):
    client.publish(topic, b"1", qos=1, packet_id=packet_id)
    client.acked(PUBACK, packet_id)
    client.publish(topic, b"2", qos=2, packet_id=packet_id)
    client.acked(PUBREC, packet_id)
    client.ack(PUBREL, packet_id)
    client.acked(PUBCOMP, packet_id)
    other = broker.connect(version=4)
    other.subscribe(topic, qos=2)
    client.deliver(topic, b"3", qos=2)
    got = other.published()
    other.ack(PUBREC, got.packet_id)
    other.acked(PUBREL, got.packet_id)


@pytest.mark.parametrize("packet_id", [1, 2, 0x100, 0x7fff, 0x8000, 0xffff])
def test_mqtt311_2_3_1_7_suback_and_unsuback_have_the_packet_id_of_the_request(
        client, topic, packet_id):
    assert client.suback(topic, packet_id=packet_id).packet_id == packet_id
    assert client.unsuback(topic, packet_id=packet_id).packet_id == packet_id


VIOLATIONS = {
    "type 0": b"\0\0", "type 15": b"\xf0\0", "CONNACK": packet(CONNACK, b"\0\0"),
    "SUBACK": packet(SUBACK, b"\0\1\0"), "UNSUBACK": packet(UNSUBACK, b"\0\1"),
    "PINGRESP": packet(PINGRESP), "QoS 3": publish_packet("t", qos=3, packet_id=1, version=4),
    "length of five bytes": b"\x30\x80\x80\x80\x80\x01",
    "PUBACK with a reason code": packet(PUBACK, b"\0\1\0"), "PUBACK cut off": packet(PUBACK, b"\0"),
    "PINGREQ with a body": packet(PINGREQ, b"\0"), "DISCONNECT with a body": packet(14, b"\0"),
    "PUBLISH without a topic": packet(3), "topic beyond the packet": packet(3, b"\0\x40ab"),
    "QoS 1 without a packet id": packet(3, b"\0\1t", 2),
    "bytes after the last filter": packet(8, b"\0\1\0\1t\0\0"),
}


@pytest.mark.parametrize("what", [pytest.param(k, id=f"MQTT-4.8.0-1 {k}") for k in VIOLATIONS])
def test_protocol_violation(broker, client, topic, what):
    """That connection is closed, and only that one; its will is published.

    Mosquitto takes some packets of a server's, and does not look at all lengths.
    """
    watcher = broker.connect(version=4)
    watcher.subscribe(topic)
    one = broker.connect(version=4, will=Will(topic, b"gone"))
    one.send(VIOLATIONS[what])
    one.closed()
    assert watcher.receive().payload == b"gone"
    client.ping()

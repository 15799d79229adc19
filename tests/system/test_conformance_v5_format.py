# SPDX-License-Identifier: GPL-2.0
"""MQTT 5.0, chapters 1 and 2: representation of data, format of a packet."""

import pytest

from kmqtt_client import Will, connect_packet, subscribe_packet, unsubscribe_packet
from kmqtt_packet import (
    AUTH, AUTH_METHOD, CONNACK, CONNECT, CONTENT_TYPE, DISCONNECT, PINGREQ, PUBACK, PUBCOMP,
    PUBLISH, PUBREC, PUBREL, REASON_STRING, RESPONSE_TOPIC, SUBACK, SUBSCRIBE,
    UNSUBACK, UNSUBSCRIBE, USER_PROPERTY, encode_props, packet, publish_packet, string)

BAD_UTF8 = {
    "stray-continuation": b"a\x80b", "cut": b"a\xc3", "overlong": b"a\xc0\xafb", "byte-ff": b"\xff",
    "surrogate-low": b"\xed\xa0\x80", "surrogate-high": b"\xed\xbf\xbf",
    "above-10ffff": b"\xf4\x90\x80\x80",
}

# Each place of a string in what a client sends: a function of the string to the packet.
IN_CONNECT = {
    "client-id": connect_packet,
    "user-name": lambda s: connect_packet("utf8", username=s),
    "will-topic": lambda s: connect_packet("utf8", will=Will(s)),
    "will-content-type": lambda s: connect_packet("utf8", will=Will("w", props={CONTENT_TYPE: s})),
    "authentication-method": lambda s: connect_packet("utf8", props={AUTH_METHOD: s}),
    "user-property-name": lambda s: connect_packet("utf8", props={USER_PROPERTY: (s, "v")}),
    "user-property-value": lambda s: connect_packet("utf8", props={USER_PROPERTY: ("n", s)}),
}
LATER = {
    "topic-name": publish_packet,
    "content-type": lambda s: publish_packet("utf8", props={CONTENT_TYPE: s}),
    "response-topic": lambda s: publish_packet("utf8", props={RESPONSE_TOPIC: s}),
    "user-property-name": lambda s: publish_packet("utf8", props={USER_PROPERTY: (s, "v")}),
    "user-property-value": lambda s: publish_packet("utf8", props={USER_PROPERTY: ("n", s)}),
    "topic-filter": lambda s: subscribe_packet([s]),
    "subscribe-user-property": lambda s: subscribe_packet(["utf8"],
                                                          props={USER_PROPERTY: ("n", s)}),
    "topic-filter-unsubscribed": lambda s: unsubscribe_packet([s]),
    "puback-reason-string": lambda s: packet(
        PUBACK, b"\0\1\x80" + encode_props({REASON_STRING: s})),
    "disconnect-reason-string": lambda s: packet(
        DISCONNECT, b"\0" + encode_props({REASON_STRING: s})),
}


def refuses(broker, table, place, value):
    """A string in a place ends the connection as a malformed packet."""
    one = broker.raw()
    if table is IN_CONNECT:
        one.send(table[place](value))
        one.not_connected(0x81)
    else:
        one.connect().send(table[place](value))
        one.refused(0x81)


EACH_PLACE = pytest.mark.parametrize("table, place", [
    *((IN_CONNECT, place) for place in IN_CONNECT), *((LATER, place) for place in LATER)],
    ids=[*(f"connect-{place}" for place in IN_CONNECT), *LATER])


@pytest.mark.parametrize("bad", BAD_UTF8.values(), ids=BAD_UTF8)
@EACH_PLACE
def test_mqtt5_1_5_4_1_ill_formed_utf8(broker, table, place, bad):
    refuses(broker, table, place, bad)


@EACH_PLACE
def test_mqtt5_1_5_4_2_null_character(broker, table, place):
    refuses(broker, table, place, b"a\0b")


def test_mqtt5_1_5_4_3_zero_width_no_break_space_is_kept(broker, topic):
    """It is a character like others, wherever it is."""
    name = f"\ufeff{topic}/\ufeffx"
    one, plain, publisher = broker.connect("\ufeffbom"), broker.connect("bom"), broker.connect()
    one.subscribe(name)
    plain.subscribe(f"{topic}/x", f"{topic}/\ufeffx", f"\ufeff{topic}/x")
    publisher.deliver(name, b"1", props={USER_PROPERTY: ("\ufeffn", "\ufeff")})
    got = one.receive()
    assert got.topic == name
    assert got.props == {USER_PROPERTY: [("\ufeffn".encode(), "\ufeff".encode())]}
    assert plain.fence() == []


@pytest.mark.parametrize("data", [
    b"\xc0\x80\x00", packet(SUBSCRIBE, b"\0\1\x80\0" + string("a") + b"\0"),
    packet(SUBSCRIBE, b"\0\1\x03\x0b\x81\0" + string("a") + b"\0"),
    packet(PUBLISH, string("a") + b"\x80\0"),
], ids=["remaining-length", "property-length", "subscription-identifier", "publish-properties"])
def test_mqtt5_1_5_5_1_fewest_bytes(broker, data):
    """Mosquitto 2.0.11 takes a Remaining Length that is longer than need be. What a broker sends is
    checked in each test, see Stream.packet() and Reader.varint()."""
    one = broker.connect()
    one.send(data)
    one.refused(0x81)


def test_mqtt5_1_5_5_1_lengths_of_the_server(broker, topic):
    """Sizes around the borders between one, two and three bytes of length."""
    one = broker.connect()
    one.subscribe(topic)
    head = len(string(topic)) + 1
    for size in (127, 128, 16383, 16384, 100000):
        one.publish(topic, b"x" * (size - head))
        assert len(one.expect(PUBLISH).body) == size


@pytest.mark.parametrize("pair", [
    (b"\xff", "v"), ("n", b"\xed\xa0\x80"), (b"\0", "v"), ("n", b"\0")],
    ids=["name", "value", "name-null", "value-null"])
@pytest.mark.parametrize("make", [
    lambda props: publish_packet("pair", props=props),
    lambda props: subscribe_packet(["pair"], props=props),
    lambda props: unsubscribe_packet(["pair"], props=props),
    lambda props: packet(PUBREC, b"\0\1\0" + encode_props(props)),
    lambda props: packet(DISCONNECT, b"\0" + encode_props(props)),
], ids=["PUBLISH", "SUBSCRIBE", "UNSUBSCRIBE", "PUBREC", "DISCONNECT"])
def test_mqtt5_1_5_7_1_both_strings_of_a_pair(broker, make, pair):
    one = broker.connect()
    one.send(make({USER_PROPERTY: pair}))
    one.refused(0x81)


RESERVED = {
    "PUBACK": (PUBACK, b"\0\1", 0), "PUBREC": (PUBREC, b"\0\1", 0), "PUBREL": (PUBREL, b"\0\1", 2),
    "PUBCOMP": (PUBCOMP, b"\0\1", 0),
    "SUBSCRIBE": (SUBSCRIBE, b"\0\1\0" + string("a") + b"\0", 2),
    "UNSUBSCRIBE": (UNSUBSCRIBE, b"\0\1\0" + string("a"), 2), "PINGREQ": (PINGREQ, b"", 0),
    "DISCONNECT": (DISCONNECT, b"", 0), "AUTH": (AUTH, b"", 0), "type-0": (0, b"", None),
}


# Mosquitto 2.0.11 lets them pass in PUBACK, PUBREC, PUBCOMP and PINGREQ.
@pytest.mark.parametrize("bit", [1, 2, 4, 8])
@pytest.mark.parametrize("name", RESERVED)
def test_mqtt5_2_1_3_1_reserved_flags(broker, name, bit):
    kind, body, right = RESERVED[name]
    one = broker.connect()
    one.send(packet(kind, body, bit if right is None else right ^ bit))
    one.refused(0x81)


@pytest.mark.parametrize("bit", [1, 2, 4, 8])
def test_mqtt5_2_1_3_1_reserved_flags_of_connect(broker, bit):
    """Its version need not be known when it is refused."""
    one = broker.raw()
    one.send(packet(CONNECT, connect_packet("flags")[2:], bit))
    one.not_connected(0x81, silent=True)


def test_mqtt5_2_2_1_2_no_packet_identifier_at_qos_0(broker, topic):
    """Neither where it comes from nor where it goes to: the payload begins after the properties."""
    one = broker.connect()
    one.subscribe(topic, qos=2)
    one.send(packet(PUBLISH, string(topic) + b"\0" + b"\x12\x34"))
    assert one.expect(PUBLISH) == (PUBLISH, 0, string(topic) + b"\0" + b"\x12\x34")


@pytest.mark.parametrize("data", [
    subscribe_packet(["a"], 0), unsubscribe_packet(["a"], 0), publish_packet("a", qos=1),
    publish_packet("a", qos=2),
], ids=["SUBSCRIBE", "UNSUBSCRIBE", "QoS-1", "QoS-2"])
def test_mqtt5_2_2_1_3_packet_identifier_0_of_a_client(broker, data):
    one = broker.connect()
    one.send(data)
    one.refused(0x82, 0x81)


def test_mqtt5_2_2_1_4_packet_identifiers_of_the_server(broker, topic):
    """Those in flight are not 0 and differ, also when some have come back."""
    one, two = broker.connect(), broker.connect()
    one.subscribe(topic, qos=2)
    for i in range(12):
        two.deliver(topic, b"%d" % i, qos=1 + i % 2)
    used = [one.published().packet_id for i in range(12)]
    assert 0 not in used and len(set(used)) == 12
    for i in (0, 4, 6):
        one.ack(PUBACK, used[i])
    one.ack(PUBREC, used[1])
    one.acked(PUBREL, used[1])
    for i in range(3):
        two.deliver(topic, b"more %d" % i, qos=1)
    more = [one.published().packet_id for _ in range(3)]
    still = [used[i] for i in range(12) if i not in (0, 4, 6)]
    assert 0 not in more and len(set(still + more)) == 12


def test_mqtt5_2_2_1_5_acknowledgements_have_the_packet_identifier(broker, topic):
    one, two = broker.connect(), broker.connect()
    one.subscribe(topic, qos=2)
    two.publish(topic, qos=1, packet_id=65535)
    assert two.acked(PUBACK).packet_id == 65535
    one.receive()
    two.publish(topic, qos=2, packet_id=77)
    assert two.acked(PUBREC).packet_id == 77
    two.ack(PUBREL, 77)
    assert two.acked(PUBCOMP).packet_id == 77
    got = one.published()
    one.ack(PUBREC, got.packet_id)
    assert one.acked(PUBREL).packet_id == got.packet_id


def test_mqtt5_2_2_1_6_suback_and_unsuback_have_the_packet_identifier(broker, topic):
    one = broker.connect()
    for packet_id in (1, 256, 65535):
        one.send(subscribe_packet([topic], packet_id))
        assert one.codes(SUBACK).packet_id == packet_id
        one.send(unsubscribe_packet([topic], packet_id))
        assert one.codes(UNSUBACK).packet_id == packet_id


def test_mqtt5_2_2_2_1_no_properties_is_a_length_of_zero(broker, topic):
    one = broker.connect()
    one.send(subscribe_packet([topic], 5))
    assert one.expect(SUBACK).body == b"\0\5\0\0"
    one.publish(topic, b"x")
    assert one.expect(PUBLISH).body == string(topic) + b"\0x"
    one.send(unsubscribe_packet([topic], 6))
    assert one.expect(UNSUBACK).body == b"\0\6\0\0"


@pytest.mark.parametrize("data", [
    packet(SUBSCRIBE, b"\0\1" + string("a") + b"\0"), packet(UNSUBSCRIBE, b"\0\1" + string("a")),
    packet(PUBLISH, string("a")), packet(PUBLISH, string("a") + b"\0\1", 2),
], ids=["SUBSCRIBE", "UNSUBSCRIBE", "PUBLISH", "QoS-1"])
def test_mqtt5_2_2_2_1_a_missing_property_length(broker, data):
    """What stands where it should be is taken for it, and the packet is malformed."""
    one = broker.connect()
    one.send(data)
    one.refused(0x81)


def test_mqtt5_2_2_2_1_a_missing_property_length_in_connect(broker):
    one = broker.raw()
    one.send(packet(CONNECT, string("MQTT") + b"\x05\x02\0\0" + string("id")))
    one.not_connected(0x81)


def test_mqtt5_2_2_2_1_properties_of_connack(broker):
    """They are there, whatever they are; connect() takes them apart to the last byte."""
    one = broker.raw()
    one.send(connect_packet("length"))
    body = one.expect(CONNACK).body
    assert body[:2] == b"\0\0" and len(body) > 2

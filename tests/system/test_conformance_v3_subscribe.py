# SPDX-License-Identifier: GPL-2.0
"""MQTT 3.1.1, 3.8 SUBSCRIBE to 3.14 DISCONNECT."""

import pytest

from kmqtt_client import Will, subscribe_packet, unsubscribe_packet
from kmqtt_packet import (
    DISCONNECT, PINGREQ, PINGRESP, PUBACK, PUBCOMP, PUBREC, PUBREL, SUBACK, SUBSCRIBE, UNSUBACK,
    UNSUBSCRIBE, packet, publish_packet, string)


@pytest.fixture
def client(broker):
    """A client of MQTT 3.1.1 that is connected."""
    return broker.connect(version=4)


@pytest.fixture
def other(broker):
    """Another one."""
    return broker.connect(version=4)


def subscribe(filters, **more):
    return subscribe_packet(filters, version=4, **more)


# SUBSCRIBE and SUBACK

@pytest.mark.parametrize("request_", [
    subscribe(["a"]), unsubscribe_packet(["a"], version=4)],
    ids=["MQTT-3.8.1-1", "MQTT-3.10.1-1"])
def test_flags(broker, request_):
    """2 is right, all else is malformed."""
    for flags in range(16):
        one = broker.connect(version=4)
        one.send(bytes([request_[0] & 0xf0 | flags]) + request_[1:])
        if flags == 2:
            assert one.packet().type in (SUBACK, UNSUBACK)
        else:
            one.closed()


@pytest.mark.parametrize("body", [
    string(b"\xff") + b"\0", string("good") + b"\0" + string(b"\xed\xa0\x80") + b"\0",
    string("a\0") + b"\0", b"\0\5ab\0"], ids=["0xff", "surrogate", "NUL", "cut off"])
def test_mqtt311_3_8_3_1_filters_are_utf8(client, body):
    client.send(packet(SUBSCRIBE, b"\0\1" + body))
    client.closed()


def test_mqtt311_3_8_3_2_filters_with_wildcards_are_supported(client, other, topic):
    """So none is rejected for having one."""
    filters = [f"{topic}/+", f"{topic}/#", "+/+/+", f"+/{topic}/#"]
    assert client.subscribe(*filters, qos=1) == [1, 1, 1, 1]
    other.deliver(f"{topic}/x", b"")
    assert client.receive().topic == f"{topic}/x"


def test_mqtt311_3_8_3_3_at_least_one_filter(client):
    client.send(packet(SUBSCRIBE, b"\0\1"))
    client.closed()


@pytest.mark.parametrize("options", [3, *(1 << bit for bit in range(2, 8)), 0xff, 0x83])
@pytest.mark.parametrize("place", [0, 1])
def test_mqtt311_3_8_3_4_reserved_bits_and_qos_of_a_filter(client, options, place):
    filters = [("a", 0), ("b", 1)]
    filters[place] = (filters[place][0], options)
    client.send(subscribe(filters))
    client.closed()


@pytest.mark.parametrize("packet_id", [1, 0xffff])
def test_mqtt311_3_8_4_1_3_8_4_2_subscribe_is_answered(client, topic, packet_id):
    client.send(subscribe([topic], packet_id=packet_id))
    assert client.codes(SUBACK)[:2] == (packet_id, [0])
    client.ping()


def test_mqtt311_3_8_4_3_same_filter_again_replaces_the_subscription(client, other, topic):
    """With its QoS; retained messages come again, and nothing that is published gets lost."""
    other.deliver(topic, b"retained", qos=2, retain=True)
    assert client.subscribe(topic, qos=2) == [2]
    assert client.receive()[1:4] == (b"retained", 2, True)
    other.deliver(topic, b"1", qos=2)
    assert client.receive()[1:4] == (b"1", 2, False)
    assert client.subscribe(topic, qos=0) == [0]
    assert client.receive()[1:4] == (b"retained", 0, True)
    other.deliver(topic, b"2", qos=2)
    assert [m[1:4] for m in client.fence()] == [(b"2", 0, False)]
    # It is one subscription: it goes at once.
    client.unsubscribe(topic)
    other.deliver(topic, b"3", qos=2)
    assert client.fence() == []


def test_mqtt311_3_8_4_3_flow_is_not_interrupted(client, other, topic):
    """Subscribing again while messages come: each of them comes once, in order."""
    client.subscribe(topic, qos=1)
    for i in range(60):
        other.publish(topic, b"%d" % i, qos=1, packet_id=i + 1)
        if i % 10 == 5:
            client.send(subscribe([topic], packet_id=1000 + i, qos=1))
    got, subacks = [], 0
    while len(got) < 60 or subacks < 6:
        one = client.packet()
        if one.type == SUBACK:
            subacks += 1
            continue
        message = client.parse_publish(one)
        client.answer(message)
        got.append(int(message.payload))
    assert got == list(range(60))


def test_mqtt311_3_8_4_4_several_filters_as_several_requests(broker, client, topic):
    """One answer; each filter has what it would have alone."""
    names = [f"{topic}/{i}" for i in range(50)]
    other = broker.connect(version=4)
    for name in names[::10]:
        other.deliver(name, b"kept", qos=2, retain=True)
    asked = [(name, i % 3) for i, name in enumerate(names)]
    assert client.subscribe(*asked) == [qos for _, qos in asked]
    got = {m.topic: (m.qos, m.retain) for m in client.fence()}
    assert got == {name: (qos, True) for name, qos in asked[::10]}
    for i, name in enumerate(names[:3]):
        other.deliver(name, b"", qos=2)
        assert client.receive()[0:3:2] == (name, i)


def test_mqtt311_3_8_4_5_3_9_3_1_a_code_for_each_filter_in_order(client, topic):
    codes = [i * 7 % 3 for i in range(100)]
    assert client.subscribe(*((f"{topic}/{i}", qos) for i, qos in enumerate(codes))) == codes


@pytest.mark.broker(acl="topic readwrite fence/#\ntopic write closed/#\ntopic readwrite open/#\n")
def test_mqtt311_3_9_3_2_codes_of_suback(client, other, topic):
    """0, 1, 2 and 0x80: Mosquitto grants what it will not deliver."""
    assert client.subscribe((f"open/{topic}", 1), (f"closed/{topic}", 1), (f"open/{topic}/2", 2),
                            (f"elsewhere/{topic}", 0), (f"open/{topic}/0", 0)) == [
                                1, 0x80, 2, 0x80, 0]
    other.deliver(f"closed/{topic}", b"")
    other.deliver(f"open/{topic}", b"")
    assert client.receive().topic == f"open/{topic}"


@pytest.mark.broker(max_qos=1)
def test_mqtt311_3_8_4_5_qos_that_is_granted(client, topic):
    """What the server does not have is not granted."""
    assert client.subscribe((topic, 2), (f"{topic}/1", 1), (f"{topic}/0", 0)) == [1, 1, 0]


@pytest.mark.parametrize("granted", [0, 1, 2])
@pytest.mark.parametrize("published", [0, 1, 2])
def test_mqtt311_3_8_4_6_qos_is_the_smaller_one(client, other, topic, granted, published):
    client.subscribe(topic, qos=granted)
    other.deliver(topic, b"x", qos=published)
    assert [m.qos for m in client.fence()] == [min(granted, published)]


# UNSUBSCRIBE

@pytest.mark.parametrize("body", [
    string(b"\xff"), string("good") + string(b"\xc0\x80"), b"\0\5ab", string("a") + b"\0"],
    ids=["0xff", "overlong", "cut off", "a byte more"])
def test_mqtt311_3_10_3_1_filters_are_utf8_and_packed(client, body):
    client.send(packet(UNSUBSCRIBE, b"\0\1" + body))
    client.closed()


def test_mqtt311_3_10_3_2_at_least_one_filter_to_unsubscribe(client):
    client.send(packet(UNSUBSCRIBE, b"\0\1"))
    client.closed()


def test_mqtt311_3_10_4_1_filters_are_compared_by_character(client, other, topic):
    """A filter that matches what was subscribed to is not that filter."""
    held = [f"{topic}/a", f"{topic}/+/b", f"{topic}/c/#"]
    client.subscribe(*held)
    client.unsubscribe(f"{topic}/#", f"{topic}/A", f"{topic}/a/", f"{topic}/x/b", f"{topic}/c")
    for name in ("a", "x/b", "c", "c/d"):
        other.deliver(f"{topic}/{name}", b"")
        assert client.receive().topic == f"{topic}/{name}"
    for filter_ in held:
        client.unsubscribe(filter_)
    for name in ("a", "x/b", "c", "c/d"):
        other.deliver(f"{topic}/{name}", b"")
    assert client.fence() == []


def test_mqtt311_3_10_4_2_nothing_new_after_unsubscribe(client, other, topic):
    client.subscribe(topic, f"{topic}/#", qos=1)
    client.unsubscribe(topic)
    other.deliver(topic, b"by the other filter")
    assert [m.payload for m in client.fence()] == [b"by the other filter"]
    client.unsubscribe(f"{topic}/#")
    other.deliver(topic, b"")
    assert client.fence() == []


def test_mqtt311_3_10_4_3_what_was_begun_is_completed(broker, ident, topic, other):
    """Both handshakes go on behind UNSUBSCRIBE, over a new connection too."""
    one = broker.connect(ident, version=4, clean=False)
    one.subscribe(topic, qos=2)
    for qos in (1, 2, 2):
        other.deliver(topic, b"%d" % qos, qos=qos)
    first = [one.published() for _ in range(3)]
    one.ack(PUBREC, first[1].packet_id)
    one.acked(PUBREL, first[1].packet_id)
    one.unsubscribe(topic)
    one.ack(PUBREC, first[2].packet_id)
    one.acked(PUBREL, first[2].packet_id)
    one.ack(PUBCOMP, first[2].packet_id)
    # so that it has been read before the next connection takes the session
    one.ping()
    one.close()
    one = broker.connect(ident, version=4, clean=False)
    again = [one.packet() for _ in range(2)]
    assert [p.type for p in again] == [3, PUBREL]
    message = one.parse_publish(again[0])
    assert (message.payload, message.packet_id) == (b"1", first[0].packet_id)
    one.ack(PUBACK, message.packet_id)
    one.ack(PUBCOMP, first[1].packet_id)
    assert one.fence() == []


@pytest.mark.parametrize("packet_id", [1, 0xffff])
def test_mqtt311_3_10_4_4_unsubscribe_is_answered(client, topic, packet_id):
    client.subscribe(topic)
    client.send(unsubscribe_packet([topic], packet_id, version=4))
    assert client.packet()[1:] == (0, packet_id.to_bytes(2, "big"))


def test_mqtt311_3_10_4_5_answered_though_there_was_no_subscription(client, topic):
    client.send(unsubscribe_packet([topic], 77, version=4))
    got = client.packet()
    assert got == (UNSUBACK, 0, b"\0\x4d")
    client.ping()


def test_mqtt311_3_10_4_6_several_filters_one_answer(client, other, topic):
    names = [f"{topic}/{i}" for i in range(20)]
    client.subscribe(*names)
    client.unsubscribe(*names[:10], f"{topic}/none", *names[10:19])
    client.ping()
    for name in names:
        other.deliver(name, b"")
    assert [m.topic for m in client.fence()] == [names[19]]


# PINGREQ, DISCONNECT

def test_mqtt311_3_12_4_1_pingreq_is_answered(client):
    for _ in range(3):
        client.send(packet(PINGREQ) * 10)
        for _ in range(10):
            assert client.packet() == (PINGRESP, 0, b"")


@pytest.mark.parametrize("flags", range(1, 16))
def test_mqtt311_3_14_1_1_flags_of_disconnect(broker, client, topic, flags):
    """It is no DISCONNECT then: the will is published."""
    client.subscribe(topic)
    one = broker.connect(version=4, will=Will(topic, b"gone"))
    one.send(packet(DISCONNECT, flags=flags))
    one.closed()
    assert client.receive().payload == b"gone"


def test_mqtt311_3_14_4_1_connection_ends_with_disconnect(client):
    """If the client does not close it, the server does."""
    client.send(packet(DISCONNECT))
    client.closed()


def test_mqtt311_3_14_4_2_nothing_is_done_behind_disconnect(client, other, topic):
    client.subscribe(topic)
    other.send(packet(DISCONNECT) + publish_packet(topic, b"too late", version=4) +
               packet(PINGREQ))
    other.closed()
    assert client.fence() == []


def test_mqtt311_3_14_4_3_no_will_after_disconnect(broker, client, topic):
    client.subscribe(f"{topic}/#")
    broker.connect(version=4, will=Will(f"{topic}/not", b"")).disconnect()
    broker.connect(version=4, will=Will(f"{topic}/will", b"")).close()
    assert client.receive().topic == f"{topic}/will"

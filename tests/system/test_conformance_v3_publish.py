# SPDX-License-Identifier: GPL-2.0
"""MQTT 3.1.1, 3.3 PUBLISH to 3.7 PUBCOMP: flags, retained messages, acknowledgements."""

import pytest

from kmqtt_packet import (
    PUBACK, PUBCOMP, PUBREC, PUBREL, PUBLISH, packet, publish_packet, string)


@pytest.fixture
def client(broker):
    """A client of MQTT 3.1.1 that is connected."""
    return broker.connect(version=4)


@pytest.fixture
def other(broker):
    """Another one."""
    return broker.connect(version=4)


def retained(broker, name, qos=2):
    """What a new subscription to a topic gives: payload, QoS, retain of each."""
    one = broker.connect(version=4)
    assert one.subscribe(name, qos=qos) == [qos]
    return [(m.payload, m.qos, m.retain) for m in one.fence()]


# Flags

def test_mqtt311_3_3_1_1_dup_on_what_is_sent_again(broker, ident, topic, other):
    """And only on that: what was never sent before comes without."""
    one = broker.connect(ident, version=4, clean=False)
    one.subscribe(topic, qos=2)
    other.deliver(topic, b"1", qos=1)
    other.deliver(topic, b"2", qos=2)
    assert [(m.payload, m.dup) for m in (one.published(), one.published())] == [
        (b"1", False), (b"2", False)]
    one.leave()
    other.deliver(topic, b"3", qos=1)
    one = broker.connect(ident, version=4, clean=False)
    assert [(m.payload, m.dup) for m in one.receive_all(3)] == [
        (b"1", True), (b"2", True), (b"3", False)]


def test_mqtt311_3_3_1_2_no_dup_at_qos_0(client, other, topic):
    """Neither from the server nor from a client; Mosquitto takes it from a client."""
    client.subscribe(topic)
    other.publish(topic, b"0")
    assert not client.receive().dup
    other.send(publish_packet(topic, b"0", dup=True, version=4))
    other.closed()


@pytest.mark.parametrize("qos", [1, 2])
def test_mqtt311_3_3_1_3_dup_is_not_passed_on(client, other, topic, qos):
    client.subscribe(topic, qos=2)
    other.deliver(topic, b"again", qos=qos, dup=True)
    assert client.receive()[1:5] == (b"again", qos, False, False)


@pytest.mark.parametrize("dup", [False, True])
def test_mqtt311_3_3_1_4_no_qos_3(client, topic, dup):
    client.publish(topic, b"x", qos=3, packet_id=1, dup=dup)
    client.closed()


# Retained messages

@pytest.mark.parametrize("qos", [0, 1, 2])
def test_mqtt311_3_3_1_5_retained_message_and_its_qos_are_stored(broker, client, topic, qos):
    client.deliver(topic, b"kept", qos=qos, retain=True)
    client.disconnect()
    for most in range(3):
        assert retained(broker, topic, most) == [(b"kept", min(qos, most), True)]


def test_mqtt311_3_3_1_6_last_retained_message_of_each_matching_topic(broker, client, topic):
    for name in ("a", "b", "b/c", "d"):
        for i in range(3):
            client.deliver(f"{topic}/{name}", b"%s%d" % (name.encode(), i), retain=True)
    assert sorted(p for p, _, _ in retained(broker, f"{topic}/#")) == [b"a2", b"b/c2", b"b2", b"d2"]
    assert sorted(p for p, _, _ in retained(broker, f"{topic}/+")) == [b"a2", b"b2", b"d2"]
    assert [p for p, _, _ in retained(broker, f"{topic}/b/+")] == [b"b/c2"]
    assert retained(broker, f"{topic}/none") == []


def test_mqtt311_3_3_1_7_qos_0_replaces_what_was_retained(broker, client, topic):
    """The new one is stored, as it should be."""
    client.deliver(topic, b"old", qos=2, retain=True)
    client.deliver(topic, b"new", qos=0, retain=True)
    assert retained(broker, topic) == [(b"new", 0, True)]


def test_mqtt311_3_3_1_8_retain_is_set_for_a_new_subscription(client, other, topic):
    other.deliver(topic, b"kept", retain=True)
    client.subscribe(topic, qos=1)
    assert client.receive().retain
    client.subscribe(topic, qos=1)      # the same once more is new as well
    assert client.receive().retain
    client.subscribe(f"{topic}/#", qos=1)
    assert client.receive().retain


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_mqtt311_3_3_1_9_retain_is_not_set_for_an_old_subscription(client, other, topic, qos):
    client.subscribe(topic, qos=2)
    other.deliver(topic, b"kept", qos=qos, retain=True)
    assert client.receive()[1:4] == (b"kept", qos, False)


def test_mqtt311_3_3_1_10_empty_payload_removes(broker, client, other, topic):
    """It reaches who has subscribed, as any message."""
    other.deliver(topic, b"kept", retain=True)
    other.deliver(f"{topic}/not", b"kept", retain=True)
    client.subscribe(topic, qos=1)
    assert client.receive().payload == b"kept"
    other.deliver(topic, b"", retain=True)
    assert client.receive()[1:4] == (b"", 1, False)
    assert retained(broker, topic) == []
    assert retained(broker, f"{topic}/not") == [(b"kept", 1, True)]


def test_mqtt311_3_3_1_11_empty_payload_is_not_stored(broker, client, topic):
    client.deliver(topic, b"", retain=True)
    client.deliver(topic, b"", qos=0, retain=True)
    assert retained(broker, topic) == []


@pytest.mark.parametrize("payload", [b"", b"passes"])
def test_mqtt311_3_3_1_12_without_retain_nothing_is_stored_or_removed(
        broker, client, topic, payload):
    client.deliver(f"{topic}/none", payload)
    client.deliver(topic, b"kept", retain=True)
    client.deliver(topic, payload)
    assert retained(broker, topic) == [(b"kept", 1, True)]
    assert retained(broker, f"{topic}/none") == []


# Topic name

@pytest.mark.parametrize("body", [
    b"", b"\0", b"\0\5a/b", b"\xff\xff" + bytes(100), string(b"\xff\xfe"), string(b"a\0")])
def test_mqtt311_3_3_2_1_topic_name_comes_first_and_is_utf8(client, body):
    client.send(packet(PUBLISH, body))
    client.closed()


@pytest.mark.parametrize("name", ["#", "+", "a/#", "a/+", "a/+/b", "+/a", "a#", "a+", "/#"])
def test_mqtt311_3_3_2_2_4_7_1_1_no_wildcard_in_a_topic_name(broker, client, topic, name):
    client.subscribe("#", qos=0)
    client.fence()      # what is retained
    one = broker.connect(version=4)
    one.publish(name, b"x")
    one.closed()
    client.publish(topic, b"still here")
    assert client.receive().topic == topic


def test_mqtt311_3_3_2_3_topic_name_matches_the_filter(client, other, topic):
    """Byte for byte as it was published."""
    client.subscribe(f"{topic}/+/\u00e4/#")
    for name in (f"{topic}/a/\u00e4", f"{topic}//\u00e4/b/", f"{topic}/ /\u00e4/$x/\u20ac"):
        other.deliver(name, b"")
        other.deliver(f"{topic}/x/a\u0308", b"looks the same, and is not")
        assert client.receive().topic == name


# Answers

def test_mqtt311_3_3_4_1_answer_by_qos(client, topic):
    """None, PUBACK, or PUBREC; ping() sees to it that there is no other."""
    client.publish(topic, b"")
    client.ping()
    client.publish(topic, b"", qos=1, packet_id=10)
    client.acked(PUBACK, 10)
    client.ping()
    client.publish(topic, b"", qos=2, packet_id=11)
    client.acked(PUBREC, 11)
    client.ping()
    client.ack(PUBREL, 11)
    client.acked(PUBCOMP, 11)
    client.ping()


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (0, 0, 1)])
def test_mqtt311_3_3_5_1_largest_qos_of_overlapping_subscriptions(client, other, topic, order):
    """Once for all of them, or once for each: one with the largest QoS at least.

    Mosquitto delivers it once, with the QoS of the first filter that it finds.
    """
    filters = [f"{topic}/a", f"{topic}/+", f"{topic}/#"]
    client.subscribe(*zip(filters, order))
    other.deliver(f"{topic}/a", b"x", qos=2)
    other.deliver(f"{topic}/a", b"y", qos=1)
    got = client.fence()
    assert max(m.qos for m in got if m.payload == b"x") == max(order)
    assert max(m.qos for m in got if m.payload == b"y") == min(1, max(order))
    assert len(got) in (2, 6)


@pytest.mark.broker(acl="topic readwrite open/#\ntopic readwrite fence/#\ntopic read closed/#\n")
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_mqtt311_3_3_5_2_publish_that_is_not_permitted(client, other, topic, qos):
    """It is acknowledged as if nothing were wrong, and goes nowhere."""
    client.subscribe(f"open/{topic}", f"closed/{topic}", qos=2)
    other.deliver(f"closed/{topic}", b"", qos=qos, retain=True)
    other.deliver(f"open/{topic}", b"", qos=qos)
    assert client.receive().topic == f"open/{topic}"
    assert client.fence() == []
    client.subscribe(f"closed/{topic}", qos=2)
    assert client.fence() == []


def test_mqtt311_3_6_1_1_flags_of_pubrel(broker, topic):
    """2 is right, all else is malformed."""
    for flags in range(16):
        one = broker.connect(version=4)
        one.publish(topic, b"", qos=2, packet_id=1)
        one.acked(PUBREC, 1)
        one.send(packet(PUBREL, b"\0\1", flags))
        if flags == 2:
            one.acked(PUBCOMP, 1)
            one.ping()
        else:
            one.closed()

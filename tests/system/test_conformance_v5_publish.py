# SPDX-License-Identifier: GPL-2.0
"""MQTT 5.0, 3.3: PUBLISH."""

import time

import pytest

from kmqtt_client import (
    RETAIN_AS_PUBLISHED, RETAIN_IF_NEW, RETAIN_NEVER, subscribe_packet, unsubscribe_packet)
from kmqtt_packet import (
    CONTENT_TYPE, CORRELATION_DATA, MESSAGE_EXPIRY, PAYLOAD_FORMAT, PINGREQ, PINGRESP, PUBACK,
    PUBCOMP, PUBLISH, PUBREC, PUBREL, RECEIVE_MAXIMUM, RESPONSE_TOPIC, SESSION_EXPIRY, SUBACK,
    SUBSCRIPTION_ID, TOPIC_ALIAS, TOPIC_ALIAS_MAXIMUM, UNSUBACK, USER_PROPERTY, packet, string)

KEEP = {SESSION_EXPIRY: 1000}


@pytest.fixture
def pair(broker):
    """A subscriber and a publisher."""
    return broker.connect(), broker.connect()


# DUP

def test_mqtt5_3_3_1_1_dup_when_delivered_again(broker, topic, ident):
    one, two = broker.connect(ident, props=KEEP), broker.connect()
    one.subscribe(topic, qos=2)
    two.deliver(topic, b"1", qos=1)
    two.deliver(topic, b"2", qos=2)
    first = [one.published() for _ in range(2)]
    assert [m.dup for m in first] == [False, False]
    one.close()
    one = broker.connect(ident, clean=False, props=KEEP)
    again = [one.published() for _ in range(2)]
    assert again == [m._replace(dup=True) for m in first]


# Mosquitto 2.0.11 takes it.
@pytest.mark.parametrize("flags", [0x08, 0x09])
def test_mqtt5_3_3_1_2_dup_at_qos_0(broker, topic, flags):
    one = broker.connect()
    one.send(packet(PUBLISH, string(topic) + b"\0", flags))
    one.refused(0x81)


def test_mqtt5_3_3_1_2_no_dup_at_qos_0_from_the_server(pair, topic):
    """What came with DUP goes on at QoS 0 without."""
    one, two = pair
    one.subscribe(topic, qos=0)
    two.deliver(topic, b"x", qos=1, dup=True)
    got = one.receive()
    assert (got.payload, got.qos, got.dup) == (b"x", 0, False)


@pytest.mark.parametrize("qos", [1, 2])
def test_mqtt5_3_3_1_3_dup_is_not_handed_on(pair, topic, qos):
    one, two = pair
    one.subscribe(topic, qos=2)
    two.deliver(topic, b"x", qos=qos, dup=True)
    got = one.receive()
    assert (got.payload, got.qos, got.dup) == (b"x", qos, False)


@pytest.mark.parametrize("flags", [0x06, 0x07, 0x0e, 0x0f])
def test_mqtt5_3_3_1_4_qos_3(broker, topic, flags):
    one = broker.connect()
    one.send(packet(PUBLISH, string(topic) + b"\0\1\0", flags))
    one.refused(0x81)


# RETAIN

def retained(broker, topic):
    """What a new subscriber gets."""
    one = broker.connect()
    one.subscribe(topic, qos=2)
    return [(m.topic, m.payload, m.qos, m.retain) for m in one.fence()]


def test_mqtt5_3_3_1_5_retained_message_is_replaced(broker, topic):
    """One for each topic, the last, with its own QoS."""
    one = broker.connect()
    for qos in (0, 1, 2, 1):
        one.deliver(topic, b"%d" % qos, qos=qos, retain=True)
        assert retained(broker, topic) == [(topic, b"%d" % qos, qos, True)]


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_mqtt5_3_3_1_6_empty_retained_message_removes(broker, topic, qos):
    one, two = broker.connect(), broker.connect()
    one.deliver(topic, b"there", retain=True)
    two.subscribe(topic, qos=2)
    assert two.receive().retain
    one.deliver(topic, b"", qos=qos, retain=True)
    got = two.receive()
    assert (got.payload, got.retain, got.qos) == (b"", False, qos)
    assert retained(broker, topic) == []


def test_mqtt5_3_3_1_7_empty_retained_message_is_not_stored(broker, topic):
    """Not where there was none either."""
    broker.connect().deliver(topic, b"", retain=True)
    assert retained(broker, topic) == []
    assert retained(broker, f"{topic}/#") == []


def test_mqtt5_3_3_1_8_others_leave_the_retained_message(broker, topic):
    one = broker.connect()
    one.deliver(topic, b"not")
    assert retained(broker, topic) == []
    one.deliver(topic, b"stays", retain=True)
    one.deliver(topic, b"other")
    one.deliver(topic, b"")
    assert retained(broker, topic) == [(topic, b"stays", 1, True)]


def test_mqtt5_3_3_1_9_retain_handling_0(broker, topic):
    """All that match, at each SUBSCRIBE."""
    one, two = broker.connect(), broker.connect()
    names = [f"{topic}/{i}" for i in range(5)]
    for name in names:
        two.deliver(name, name.encode(), retain=True)
    two.deliver(f"other/{topic}", b"x", retain=True)
    for _ in range(2):
        one.subscribe(f"{topic}/#", qos=1)
        got = one.fence()
        assert sorted(m.topic for m in got) == names
        assert all(m.retain for m in got)


def test_mqtt5_3_3_1_10_retain_handling_1(broker, topic, ident):
    """Only if the subscription is new, in this session."""
    one = broker.connect(ident, props=KEEP)
    broker.connect().deliver(topic, b"x", retain=True)
    one.subscribe((topic, RETAIN_IF_NEW))
    assert [m.payload for m in one.fence()] == [b"x"]
    one.subscribe((topic, RETAIN_IF_NEW | 1))
    assert one.fence() == []
    one.disconnect()
    one = broker.connect(ident, clean=False)
    one.subscribe((topic, RETAIN_IF_NEW))
    assert one.fence() == []
    one.unsubscribe(topic)
    one.subscribe((topic, RETAIN_IF_NEW))
    assert [m.payload for m in one.fence()] == [b"x"]


def test_mqtt5_3_3_1_11_retain_handling_2(broker, topic):
    one, two = broker.connect(), broker.connect()
    two.deliver(topic, b"x", retain=True)
    for _ in range(2):
        one.subscribe((topic, RETAIN_NEVER))
        assert one.fence() == []
    two.deliver(topic, b"y", retain=True)
    assert one.receive().payload == b"y"


@pytest.mark.parametrize("retain", [False, True])
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_mqtt5_3_3_1_12_and_13_retain_as_published(broker, topic, qos, retain):
    """MQTT-3.3.1-12 without and MQTT-3.3.1-13 with the option."""
    plain, asis, two = broker.connect(), broker.connect(), broker.connect()
    plain.subscribe(topic, qos=2)
    asis.subscribe((topic, 2 | RETAIN_AS_PUBLISHED))
    two.deliver(topic, b"x", qos=qos, retain=retain)
    assert (plain.receive().retain, asis.receive().retain) == (False, retain)


# Topic Name

@pytest.mark.parametrize("bad", [b"\xff", b"a\xc3", b"\xed\xa0\x80", b"a\0b"])
def test_mqtt5_3_3_2_1_topic_name_is_utf8(broker, bad):
    one = broker.connect()
    one.publish(bad)
    one.refused(0x81)


@pytest.mark.parametrize("data", [b"", b"\0", b"\0\5abc", b"\xff\xff\0"])
def test_mqtt5_3_3_2_1_topic_name_is_there(broker, data):
    one = broker.connect()
    one.send(packet(PUBLISH, data))
    one.refused(0x81)


@pytest.mark.parametrize("qos", [0, 1])
def test_mqtt5_3_3_2_1_empty_topic_name_without_alias(broker, qos):
    one = broker.connect()
    one.publish("", qos=qos, packet_id=1)
    one.refused(0x82)


@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("name", ["a/+", "+", "a/#", "#", "a+b", "a#"])
def test_mqtt5_3_3_2_2_wildcards_in_a_topic_name(broker, name, qos):
    one = broker.connect()
    one.publish(name, qos=qos, packet_id=1)
    one.refused(0x90)


def test_mqtt5_3_3_2_3_topic_name_matches_the_filter(pair, topic):
    """Each of these goes to the filters that match it, under its own name."""
    one, two = pair
    names = ["a", "a/b", "a/b/c", "a//c", "a/", "x/b", "A/b"]
    wanted = {"a/+": {"a/b", "a/"}, "a/#": {"a", "a/b", "a/b/c", "a//c", "a/"},
              "+/b": {"a/b", "x/b", "A/b"}, "a/+/c": {"a/b/c", "a//c"}, "a/b": {"a/b"}}
    for i, filter_ in enumerate(wanted):
        one.subscribe(f"{topic}/{filter_}", props={SUBSCRIPTION_ID: i + 1})
    for name in names:
        two.deliver(f"{topic}/{name}", name.encode())
    got = {}
    for message in one.fence():
        assert message.topic == f"{topic}/{message.payload.decode()}"
        for number in message.props[SUBSCRIPTION_ID]:
            got.setdefault(number, set()).add(message.payload.decode())
    assert got == {i + 1: names for i, names in enumerate(wanted.values())}


# Properties

@pytest.mark.parametrize("value", [0, 1])
def test_mqtt5_3_3_2_4_payload_format_indicator(pair, topic, value):
    one, two = pair
    one.subscribe(topic)
    two.deliver(topic, "grün".encode(), props={PAYLOAD_FORMAT: value})
    assert one.receive().props == {PAYLOAD_FORMAT: value}


def test_mqtt5_3_3_2_5_expired_message(broker, topic, ident):
    """It is not delivered to whom it has waited for; a later one is."""
    one, two = broker.connect(ident, props=KEEP), broker.connect()
    one.subscribe(topic, qos=2)
    one.disconnect()
    for qos in (1, 2):
        two.deliver(topic, b"short", qos=qos, props={MESSAGE_EXPIRY: 1})
    two.deliver(topic, b"long", props={MESSAGE_EXPIRY: 1000})
    two.deliver(topic, b"ever")
    time.sleep(2.1)
    one = broker.connect(ident, clean=False)
    assert [m.payload for m in one.fence()] == [b"long", b"ever"]


def test_mqtt5_3_3_2_5_expired_retained_message(broker, topic):
    broker.connect().deliver(topic, b"short", retain=True, props={MESSAGE_EXPIRY: 1})
    time.sleep(2.1)
    assert retained(broker, topic) == []


def test_mqtt5_3_3_2_6_message_expiry_interval_is_counted_down(broker, topic, ident):
    """While a message waits for a client, and while it is retained."""
    one, two = broker.connect(ident, props=KEEP), broker.connect()
    one.subscribe((topic, 1 | RETAIN_NEVER))
    two.deliver(topic, b"x", retain=True, props={MESSAGE_EXPIRY: 1000})
    assert 900 < one.receive().props[MESSAGE_EXPIRY] <= 1000
    one.disconnect()
    two.deliver(topic, b"y", retain=True, props={MESSAGE_EXPIRY: 1000})
    time.sleep(1.1)
    one = broker.connect(ident, clean=False)
    assert 900 < one.receive().props[MESSAGE_EXPIRY] <= 999
    two.subscribe(topic)
    got = two.receive()
    assert got.payload == b"y" and 900 < got.props[MESSAGE_EXPIRY] <= 999


def test_mqtt5_3_3_2_7_topic_aliases_of_a_client_end_with_the_connection(broker, topic, ident):
    one = broker.connect(ident, props=KEEP)
    one.publish(topic, props={TOPIC_ALIAS: 1})
    one.publish("", props={TOPIC_ALIAS: 1})
    one.ping()
    one.disconnect()
    one = broker.connect(ident, clean=False, props=KEEP)
    one.publish("", props={TOPIC_ALIAS: 1})
    one.refused(0x82)


def test_mqtt5_3_3_2_7_topic_aliases_of_the_server_end_with_the_connection(broker, topic, ident):
    two = broker.connect()
    for present in (False, True):
        one = broker.connect(ident, clean=False, props={TOPIC_ALIAS_MAXIMUM: 3, **KEEP})
        assert one.connack.present == present
        one.subscribe(topic)
        known = {}
        for _ in range(4):
            two.deliver(topic, b"x", qos=0)
            got = one.published()
            alias = got.props.get(TOPIC_ALIAS)
            assert got.topic or alias in known
            known[alias] = got.topic or known[alias]
            assert known[alias] == topic
        one.disconnect()


def test_mqtt5_3_3_2_8_topic_alias_0(broker, topic):
    one = broker.connect()
    one.publish(topic, props={TOPIC_ALIAS: 0})
    one.refused(0x94)


@pytest.mark.broker(max_topic_alias=5)
def test_mqtt5_3_3_2_9_topic_alias_above_the_maximum(broker, topic):
    two = broker.connect()
    two.subscribe(topic)
    one = broker.connect()
    one.publish(topic, props={TOPIC_ALIAS: one.connack.props[TOPIC_ALIAS_MAXIMUM] + 1})
    one.refused(0x94)
    two.ping()


def test_mqtt5_3_3_2_11_topic_aliases_of_the_server(broker, topic):
    """More topics than it may give aliases to."""
    one, two = broker.connect(props={TOPIC_ALIAS_MAXIMUM: 3}), broker.connect()
    one.subscribe(f"{topic}/#", qos=1)
    known = {}
    for i in range(30):
        two.deliver(f"{topic}/{i % 7}", b"%d" % (i % 7), qos=i % 2)
        got = one.receive()
        alias = got.props.get(TOPIC_ALIAS)
        assert alias is None or 0 < alias <= 3
        if got.topic:
            known[alias] = got.topic
        assert (got.topic or known[alias]) == f"{topic}/{got.payload.decode()}"


@pytest.mark.broker(max_topic_alias=20)
def test_mqtt5_3_3_2_12_topic_aliases_of_a_client(pair, topic):
    """All that the server allows, each set, used and set anew."""
    one, two = pair
    one.subscribe(f"{topic}/#", qos=1)
    assert two.connack.props[TOPIC_ALIAS_MAXIMUM] == 20
    for turn in range(2):
        for alias in range(1, 21):
            two.publish(f"{topic}/{turn}/{alias}", props={TOPIC_ALIAS: alias})
        for alias in range(1, 21):
            two.publish("", b"again", qos=1, packet_id=alias, props={TOPIC_ALIAS: alias})
            two.acked(PUBACK, alias)
        names = [f"{topic}/{turn}/{alias}" for alias in range(1, 21)]
        assert [m.topic for m in one.fence()] == names + names


@pytest.mark.parametrize("bad", [b"\xff", b"a\xc3", b"\xed\xa0\x80", b"a\0b"])
def test_mqtt5_3_3_2_13_response_topic_is_utf8(broker, topic, bad):
    one = broker.connect()
    one.publish(topic, props={RESPONSE_TOPIC: bad})
    one.refused(0x81)


# Mosquitto 2.0.11 takes them.
@pytest.mark.parametrize("bad", ["a/#", "+", "a/+/b"])
def test_mqtt5_3_3_2_14_response_topic_has_no_wildcards(broker, topic, bad):
    one = broker.connect()
    one.publish(topic, props={RESPONSE_TOPIC: bad})
    one.refused(0x82)


@pytest.mark.parametrize("prop, value", [
    (RESPONSE_TOPIC, "answers/grün".encode()), (CORRELATION_DATA, b""),
    (CORRELATION_DATA, bytes(range(256))), (CONTENT_TYPE, "text/grün".encode()),
    (CONTENT_TYPE, b"")],
    ids=["3.3.2-15-response-topic", "3.3.2-16-empty", "3.3.2-16-correlation-data",
         "3.3.2-20-content-type", "3.3.2-20-empty"])
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_mqtt5_3_3_2_15_and_16_and_20_properties_are_unaltered(broker, topic, prop, value, qos):
    """MQTT-3.3.2-15 Response Topic, MQTT-3.3.2-16 Correlation Data, MQTT-3.3.2-20 Content Type: for
    all subscribers, and for those that subscribe later."""
    one, two, three = (broker.connect() for _ in range(3))
    one.subscribe(topic, qos=0)
    two.subscribe(topic, qos=2)
    three.deliver(topic, b"x", qos=qos, retain=True, props={prop: value})
    assert one.receive().props == {prop: value}
    assert two.receive().props == {prop: value}
    three.subscribe(topic)
    assert three.receive().props == {prop: value}


PAIRS = [("b", "2"), ("a", "1"), ("b", "1"), ("", ""), ("a", "1"), ("grün", "x" * 1000)]


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_mqtt5_3_3_2_17_and_18_user_properties(pair, topic, qos):
    """MQTT-3.3.2-17, MQTT-3.3.2-18: all of them, in their order, whatever is around them."""
    one, two = pair
    one.subscribe(topic, qos=qos, props={SUBSCRIPTION_ID: 9})
    two.deliver(topic, b"x", qos=qos, props={
        USER_PROPERTY: PAIRS, CONTENT_TYPE: "text", PAYLOAD_FORMAT: 0})
    assert one.receive().props == {
        USER_PROPERTY: [(n.encode(), v.encode()) for n, v in PAIRS], CONTENT_TYPE: b"text",
        PAYLOAD_FORMAT: 0, SUBSCRIPTION_ID: [9]}


@pytest.mark.parametrize("bad", [b"\xff", b"a\xc3", b"\xed\xa0\x80", b"a\0b"])
def test_mqtt5_3_3_2_19_content_type_is_utf8(broker, topic, bad):
    one = broker.connect()
    one.publish(topic, props={CONTENT_TYPE: bad})
    one.refused(0x81)


# Actions

def test_mqtt5_3_3_4_1_response_by_qos(broker, topic):
    """None, PUBACK, PUBREC."""
    one = broker.connect()
    one.publish(topic, qos=0)
    one.ping()
    one.publish(topic, qos=1, packet_id=5)
    assert one.acked(PUBACK, 5).reason in (0, 0x10)
    one.publish(topic, qos=2, packet_id=6)
    assert one.acked(PUBREC, 6).reason in (0, 0x10)
    one.ack(PUBREL, 6)
    assert one.acked(PUBCOMP, 6).reason == 0


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_mqtt5_3_3_4_2_overlapping_subscriptions(pair, topic, qos):
    """The greatest QoS of those that match counts."""
    one, two = pair
    one.subscribe((f"{topic}/#", 0), (f"{topic}/+", 2), (f"{topic}/x", 1), ("$share/g/none", 2))
    two.deliver(f"{topic}/x", b"1", qos=qos)
    got = one.fence()
    assert max(m.qos for m in got) == qos
    two.deliver(f"{topic}/x/y", b"2", qos=qos)
    assert [m.qos for m in one.fence()] == [0]


def test_mqtt5_3_3_4_3_and_4_and_5_subscription_identifiers(pair, topic):
    """MQTT-3.3.4-3: each that belongs to a subscription that matches comes. MQTT-3.3.4-4: all in
    one packet if that is the only one. MQTT-3.3.4-5: its own in each if there are several."""
    one, two = pair
    one.subscribe(f"{topic}/#", props={SUBSCRIPTION_ID: 1})
    one.subscribe(f"{topic}/+", props={SUBSCRIPTION_ID: 268435455})
    one.subscribe(f"{topic}/x")
    one.subscribe(f"{topic}/y", props={SUBSCRIPTION_ID: 300})
    for name, wanted in (("x", {1, 268435455}), ("y", {1, 268435455, 300}), ("x/z", {1})):
        two.deliver(f"{topic}/{name}", b"")
        got = one.fence()
        numbers = [n for m in got for n in m.props.get(SUBSCRIPTION_ID, [])]
        assert sorted(numbers) == sorted(wanted)
        if len(got) > 1:
            assert all(len(m.props.get(SUBSCRIPTION_ID, [])) <= 1 for m in got)


def test_mqtt5_3_3_4_5_subscription_identifier_is_replaced(pair, topic):
    """With the subscription that it belongs to; several may share one."""
    one, two = pair
    one.subscribe(topic, props={SUBSCRIPTION_ID: 1})
    one.subscribe(topic, props={SUBSCRIPTION_ID: 2})
    two.deliver(topic, b"x")
    assert one.receive().props == {SUBSCRIPTION_ID: [2]}
    one.subscribe(topic)
    two.deliver(topic, b"x")
    assert one.receive().props == {}


# Mosquitto 2.0.11 takes it.
def test_mqtt5_3_3_4_6_subscription_identifier_of_a_client(broker, topic):
    one = broker.connect()
    one.publish(topic, props={SUBSCRIPTION_ID: 1})
    one.refused(0x82)


# Receive Maximum

@pytest.mark.broker(receive_maximum=5)
def test_mqtt5_3_3_4_7_client_exceeds_receive_maximum(broker, topic):
    """With QoS 2 that was not released; Mosquitto 2.0.11 answers with 0x97 and goes on."""
    one = broker.connect()
    assert one.connack.props[RECEIVE_MAXIMUM] == 5
    for i in range(1, 6):
        one.publish(topic, qos=2, packet_id=i)
        one.acked(PUBREC, i)
    one.publish(topic, qos=2, packet_id=6)
    one.refused(0x93)


@pytest.mark.broker(receive_maximum=5)
def test_mqtt5_3_3_4_7_client_within_receive_maximum(broker, topic):
    """Released ones make room; QoS 1 is acknowledged at once."""
    one = broker.connect()
    for i in range(1, 31):
        one.publish(topic, qos=2, packet_id=i)
        one.acked(PUBREC, i)
        if i >= 4:
            one.ack(PUBREL, i - 3)
            one.acked(PUBCOMP, i - 3)
        one.publish(topic, qos=1, packet_id=100 + i)
        one.acked(PUBACK, 100 + i)


# Mosquitto 2.0.11 sends two as the first of QoS 2 is through.
@pytest.mark.parametrize("most", [1, 3, 10])
@pytest.mark.parametrize("qos", [1, 2])
def test_mqtt5_3_3_4_9_receive_maximum_of_a_client(broker, topic, qos, most):
    one, two = broker.connect(props={RECEIVE_MAXIMUM: most}), broker.connect()
    one.subscribe(topic, qos=qos)
    for i in range(14):
        two.deliver(topic, b"%d" % i, qos=qos)
    got = [one.published() for _ in range(most)]
    one.ping()
    one.nothing(0.3)
    for i in range(most, 14):
        first = got.pop(0)
        one.ack(PUBACK if qos == 1 else PUBREC, first.packet_id)
        if qos == 2:
            one.acked(PUBREL, first.packet_id)
            one.ack(PUBCOMP, first.packet_id)
        got.append(one.published())
        assert got[-1].payload == b"%d" % i
    assert len({m.packet_id for m in got}) == most


def test_mqtt5_3_3_4_9_pubrec_with_a_failure_makes_room(broker, topic):
    one, two = broker.connect(props={RECEIVE_MAXIMUM: 1}), broker.connect()
    one.subscribe(topic, qos=2)
    for i in range(3):
        two.deliver(topic, b"%d" % i, qos=2)
    for i in range(3):
        got = one.published()
        assert got.payload == b"%d" % i
        one.ack(PUBREC, got.packet_id, 0x83)


def test_mqtt5_3_3_4_10_other_packets_are_not_delayed(broker, topic):
    one, two = broker.connect(props={RECEIVE_MAXIMUM: 1}), broker.connect()
    one.subscribe(topic, qos=1)
    two.deliver(topic, b"1")
    two.deliver(topic, b"2")
    first = one.published()
    one.send(packet(PINGREQ))
    assert one.packet().type == PINGRESP
    one.send(subscribe_packet([f"{topic}/0"], 3))
    assert one.packet().type == SUBACK
    one.publish(f"{topic}/z", qos=1, packet_id=8)
    one.acked(PUBACK, 8)
    one.publish(f"{topic}/z", qos=2, packet_id=9)
    one.acked(PUBREC, 9)
    one.ack(PUBREL, 9)
    one.acked(PUBCOMP, 9)
    one.send(unsubscribe_packet([f"{topic}/0"], 4))
    assert one.packet().type == UNSUBACK
    one.ack(PUBACK, first.packet_id)
    assert one.published().payload == b"2"

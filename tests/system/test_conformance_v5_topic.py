# SPDX-License-Identifier: GPL-2.0
"""MQTT 5.0, 4.7 and 4.8: topic names and filters, subscriptions."""

import pytest

from kmqtt_client import subscribe_packet, unsubscribe_packet
from kmqtt_packet import (
    PUBACK, PUBCOMP, PUBREC, PUBREL, RECEIVE_MAXIMUM, SESSION_EXPIRY, SUBSCRIPTION_ID,
    publish_packet)

KEEP = {SESSION_EXPIRY: 1000}


def matches(broker, topic, filter_, names):
    """The names, below the topic of the test, that a subscription gets."""
    one, two = broker.connect(), broker.connect()
    one.subscribe(filter_)
    for name in names:
        two.publish(name, name.encode())
    two.ping()
    got = one.fence()
    assert all(m.topic == m.payload.decode() for m in got)
    return [m.topic.removeprefix(topic) for m in got]


@pytest.mark.parametrize("name", ["a/+/b", "#", "+", "a/#", "a+", "b#c"])
def test_mqtt5_4_7_0_1_wildcards_in_a_topic_name(broker, name):
    one = broker.connect()
    one.publish(name)
    one.refused(0x90)


@pytest.mark.parametrize("bad", ["a#", "a/#/b", "#/a", "a/b#", "##", "a/#b", "/#/"])
@pytest.mark.parametrize("make", [subscribe_packet, unsubscribe_packet])
def test_mqtt5_4_7_1_1_multi_level_wildcard_in_a_wrong_place(broker, make, bad):
    one = broker.connect()
    one.send(make([bad]))
    one.refused(0x8f)


def test_mqtt5_4_7_1_1_multi_level_wildcard(broker, topic):
    names = [topic, f"{topic}/", f"{topic}/a", f"{topic}/a/b", f"{topic}//c", f"{topic}a",
             f"x{topic}"]
    assert matches(broker, topic, f"{topic}/#", names) == ["", "/", "/a", "/a/b", "//c"]
    assert matches(broker, topic, f"{topic}/a/#", names) == ["/a", "/a/b"]


@pytest.mark.parametrize("bad", ["a+", "+a", "a/b+", "a/+b/c", "++", "a/++"])
@pytest.mark.parametrize("make", [subscribe_packet, unsubscribe_packet])
def test_mqtt5_4_7_1_2_single_level_wildcard_in_a_part_of_a_level(broker, make, bad):
    one = broker.connect()
    one.send(make([bad]))
    one.refused(0x8f)


def test_mqtt5_4_7_1_2_single_level_wildcard(broker, topic):
    names = [f"{topic}{rest}" for rest in ("", "/", "/a", "/a/b", "//b", "/a/b/c", "/a/", "//")]
    assert matches(broker, topic, f"{topic}/+", names) == ["/", "/a"]
    assert matches(broker, topic, f"{topic}/+/b", names) == ["/a/b", "//b"]
    assert matches(broker, topic, f"{topic}/+/+", names) == ["/a/b", "//b", "/a/", "//"]
    assert matches(broker, topic, f"{topic}/+/#", names) == names_below(names, topic)
    assert matches(broker, topic, f"+/{topic.split('/')[1]}/a/b", names) == ["/a/b"]


def names_below(names, topic):
    """Those that have one more level at least."""
    return [name.removeprefix(topic) for name in names if name != topic]


@pytest.mark.parametrize("filter_", ["#", "+/{}", "+/{}/#", "+/+/+", "/#"])
def test_mqtt5_4_7_2_1_names_that_begin_with_a_dollar(broker, topic, filter_):
    """No filter that begins with a wildcard matches them; one that begins as they do, does."""
    first, rest = topic.split("/")
    one, two, three = broker.connect(), broker.connect(), broker.connect()
    one.subscribe(filter_.format(f"{first}/{rest}"))
    two.subscribe(f"${first}/#")
    three.publish(f"${first}/{rest}", b"1")
    three.publish(f"${first}/{first}/{rest}", b"2")
    three.ping()
    assert [m for m in one.fence() if m.topic.startswith("$")] == []
    assert [m.payload for m in two.fence()] == [b"1", b"2"]


def test_mqtt5_4_7_2_1_retained_names_that_begin_with_a_dollar(broker, topic):
    first, rest = topic.split("/")
    one, two = broker.connect(), broker.connect()
    two.deliver(f"${first}/{rest}", b"1", retain=True)
    one.subscribe("#", f"+/{rest}", "+/+")
    assert [m for m in one.fence() if m.topic.startswith("$")] == []
    one.subscribe(f"${first}/#")
    assert one.receive().payload == b"1"


@pytest.mark.parametrize("make, reasons", [
    (lambda: publish_packet(""), [0x82, 0x90]), (lambda: subscribe_packet([""]), [0x8f]),
    (lambda: subscribe_packet(["a", ""]), [0x8f]), (lambda: unsubscribe_packet([""]), [0x8f])],
    ids=["PUBLISH", "SUBSCRIBE", "second", "UNSUBSCRIBE"])
def test_mqtt5_4_7_3_1_at_least_one_character(broker, make, reasons):
    one = broker.connect()
    one.send(make())
    one.refused(*reasons)


def test_mqtt5_4_7_3_1_one_character(broker):
    """A slash will do, and a space."""
    one, two = broker.connect(), broker.connect()
    for name in ("/", " ", "é"):
        one.subscribe(name)
        two.deliver(name, b"x")
        assert one.receive().topic == name
        one.unsubscribe(name)


@pytest.mark.parametrize("make", [publish_packet, lambda s: subscribe_packet([s]),
                                  lambda s: unsubscribe_packet([s])],
                         ids=["PUBLISH", "SUBSCRIBE", "UNSUBSCRIBE"])
@pytest.mark.parametrize("bad", [b"\0", b"a\0", b"a/\0/b"])
def test_mqtt5_4_7_3_2_null_character(broker, make, bad):
    one = broker.connect()
    one.send(make(bad))
    one.refused(0x81)


def test_mqtt5_4_7_3_3_as_long_as_can_be(broker):
    """65,535 bytes, all that the length field can say."""
    one, two = broker.connect(), broker.connect()
    name = "long/" + "x" * 65530
    assert one.subscribe(name) == [0]
    two.deliver(name, b"there")
    got = one.receive()
    assert (got.topic, got.payload) == (name, b"there")
    assert one.unsubscribe(name) == [0]


def test_mqtt5_4_7_3_4_no_normalization(broker, topic):
    """Case, composed and decomposed letters, white space, empty levels, dots: all differ."""
    names = [f"{topic}/{rest}" for rest in (
        "a", "A", "\u00e9", "e\u0301", " a", "a ", "a/", "/a", "//", "./a", "a/../a", "%61",
        "\ue000", "\U0001f600", "\ufb01", "fi", "\u212b", "\u00c5", "\\a")]
    one, two = broker.connect(), broker.connect()
    for i, name in enumerate(names):
        one.subscribe(name, qos=1, props={SUBSCRIPTION_ID: i + 1})
    for i, name in enumerate(names):
        two.deliver(name, name.encode())
        got = one.receive()
        assert (got.topic, got.payload) == (name, name.encode())
        assert got.props[SUBSCRIPTION_ID] == [i + 1]
    assert one.fence() == []


# Shared subscriptions

# Mosquitto 2.0.11 takes them, for filters as any.
@pytest.mark.parametrize("bad", ["$share/", "$share//a", "$share/g", "$share/g/"])
def test_mqtt5_4_8_2_1_form_of_a_shared_subscription(broker, bad):
    """The prefix, a name of one character at least, a filter."""
    one = broker.connect()
    one.send(subscribe_packet([bad]))
    one.refused(0x8f)


def test_mqtt5_4_8_2_1_shared_subscription(broker, topic):
    """One of those that share it gets each message, whatever other groups and clients get."""
    first = [broker.connect() for _ in range(3)]
    second, plain, two = broker.connect(), broker.connect(), broker.connect()
    for one in first:
        assert one.subscribe(f"$share/g/{topic}/+", qos=1) == [1]
    second.subscribe(f"$share/h/{topic}/#", qos=1)
    plain.subscribe(f"{topic}/a", qos=1)
    wanted = [b"%d" % i for i in range(12)]
    for payload in wanted:
        two.deliver(f"{topic}/a", payload)
    got = [[m.payload for m in one.fence()] for one in first]
    assert sorted((p for some in got for p in some), key=int) == wanted
    assert [len(some) for some in got] == [4, 4, 4]
    assert [m.payload for m in second.fence()] == wanted
    assert [m.payload for m in plain.fence()] == wanted


# Mosquitto 2.0.11 takes the first one, and $share/#.
@pytest.mark.parametrize("bad", ["$share/+/a", "$share/#/a", "$share/g+/a", "$share/g#/a",
                                 "$share/#", "$share/g/a#", "$share/g/#/a"])
def test_mqtt5_4_8_2_2_share_name_and_filter(broker, bad):
    one = broker.connect()
    one.send(subscribe_packet([bad]))
    one.refused(0x8f)


@pytest.mark.parametrize("granted", [0, 1, 2])
def test_mqtt5_4_8_2_3_granted_qos(broker, topic, granted):
    one, two = broker.connect(), broker.connect()
    assert one.subscribe(f"$share/g/{topic}", qos=granted) == [granted]
    for qos in (0, 1, 2):
        two.deliver(topic, b"%d" % qos, qos=qos)
    assert [m.qos for m in one.fence()] == [min(qos, granted) for qos in (0, 1, 2)]


def test_mqtt5_4_8_2_4_qos_2_is_completed_with_the_same_client(broker, topic, ident):
    """Though another one that shares the subscription is there."""
    one, other, two = broker.connect(ident, props=KEEP), broker.connect(), broker.connect()
    one.subscribe(f"$share/g/{topic}", qos=2)
    two.deliver(topic, b"1", qos=2)
    two.deliver(topic, b"2", qos=2)
    first, second = one.published(), one.published()
    one.ack(PUBREC, second.packet_id)
    one.acked(PUBREL, second.packet_id)
    other.subscribe(f"$share/g/{topic}", qos=2)
    one.close()
    assert other.fence() == []
    one = broker.connect(ident, clean=False, props=KEEP)
    assert one.published() == first._replace(dup=True)
    one.acked(PUBREL, second.packet_id)
    one.ack(PUBCOMP, second.packet_id)
    one.ack(PUBREC, first.packet_id)
    one.acked(PUBREL, first.packet_id)
    one.ack(PUBCOMP, first.packet_id)
    assert one.fence() == [] and other.fence() == []


def test_mqtt5_4_8_2_5_qos_2_is_not_sent_to_another_client(broker, topic):
    """If the session ends: the client has had it, perhaps."""
    one, other, two = broker.connect(), broker.connect(), broker.connect()
    one.subscribe(f"$share/g/{topic}", qos=2)
    two.deliver(topic, b"x", qos=2)
    one.published()
    other.subscribe(f"$share/g/{topic}", qos=2)
    one.close()
    assert not broker.connect(one.client_id, clean=False).connack.present
    assert other.fence() == []


# Mosquitto 2.0.11 forgets them.
def test_mqtt5_4_8_2_5_others_are_handed_on(broker, topic):
    """QoS 1 that was not acknowledged goes to another one as its session ends (4.8.2: SHOULD), and
    so does QoS 2 that was not sent yet."""
    one, other, two = broker.connect(props={RECEIVE_MAXIMUM: 1}), broker.connect(), broker.connect()
    one.subscribe(f"$share/g/{topic}", qos=2)
    two.deliver(topic, b"1", qos=1)
    two.deliver(topic, b"2", qos=2)
    assert one.published().payload == b"1"
    other.subscribe(f"$share/g/{topic}", qos=2)
    one.close()
    assert not broker.connect(one.client_id, clean=False).connack.present
    assert sorted(m.payload for m in other.receive_all(2)) == [b"1", b"2"]


@pytest.mark.parametrize("qos", [1, 2])
def test_mqtt5_4_8_2_6_refused_message_is_discarded(broker, topic, qos):
    """No other client gets what one of them has refused."""
    one, two = broker.connect(), broker.connect()
    one.subscribe(f"$share/g/{topic}", qos=2)
    two.deliver(topic, b"x", qos=qos)
    got = one.published()
    other = broker.connect()
    other.subscribe(f"$share/g/{topic}", qos=2)
    one.ack(PUBACK if qos == 1 else PUBREC, got.packet_id, 0x83)
    assert one.fence() == []
    one.close()
    assert not broker.connect(one.client_id, clean=False).connack.present
    assert other.fence() == []

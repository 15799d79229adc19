# SPDX-License-Identifier: GPL-2.0
"""MQTT 5.0, 3.1.2.5 to 3.1.2.7, 3.1.3.2 to 3.1.3.4: the Will Message."""

import time

import pytest

from kmqtt_client import RETAIN_AS_PUBLISHED, Will, connect_packet
from kmqtt_packet import (
    CONTENT_TYPE, CORRELATION_DATA, MESSAGE_EXPIRY, PAYLOAD_FORMAT, RESPONSE_TOPIC, SESSION_EXPIRY,
    SUBSCRIPTION_ID, TOPIC_ALIAS, USER_PROPERTY, WILL_DELAY, packet, string)

KEEP = {SESSION_EXPIRY: 1000}
DELAYED = {WILL_DELAY: 1000}


def test_mqtt5_3_1_2_7_will_is_stored(broker, topic):
    """It is published though the client can say nothing any more; see 3.1.2.5 for when."""
    one, two = broker.connect(), broker.connect(will=Will(topic, b"dead"))
    one.subscribe(topic)
    assert one.fence() == []
    two.close()
    assert one.receive().payload == b"dead"


@pytest.mark.parametrize("data", [packet(8, b"\0\1"), b"\xf1\0"],
                         ids=["SUBSCRIBE", "AUTH"])
def test_mqtt5_3_1_2_7_will_after_a_malformed_packet(broker, topic, data):
    one, two = broker.connect(), broker.connect(will=Will(topic, b"dead"))
    one.subscribe(topic)
    two.send(data)
    two.refused(0x81)
    assert one.receive().payload == b"dead"


def test_mqtt5_3_1_2_8_will_after_its_delay(broker, topic):
    one = broker.connect()
    one.subscribe(topic)
    two = broker.connect(will=Will(topic, b"dead", props={WILL_DELAY: 1}), props=KEEP)
    start = time.monotonic()
    two.close()
    assert one.receive().payload == b"dead"
    assert time.monotonic() - start >= 0.95


# Mosquitto 2.0.11 does not publish it as a Clean Start ends the session.
def test_mqtt5_3_1_2_8_will_as_the_session_ends(broker, topic):
    """If that comes before the delay has passed: by expiry, and by a Clean Start."""
    one = broker.connect()
    one.subscribe(topic)
    two = broker.connect(will=Will(topic, b"expired", props=DELAYED), props={SESSION_EXPIRY: 1})
    start = time.monotonic()
    two.close()
    assert one.receive().payload == b"expired"
    assert time.monotonic() - start >= 0.95
    two = broker.connect(will=Will(topic, b"ended", props=DELAYED), props=KEEP)
    two.close()
    broker.connect(two.client_id, clean=True)
    assert one.receive().payload == b"ended"


# Mosquitto 2.0.11 waits all the same.
def test_mqtt5_3_1_2_8_will_without_session_has_no_delay(broker, topic):
    """The session ends with its connection."""
    one = broker.connect()
    one.subscribe(topic)
    broker.connect(will=Will(topic, b"dead", props=DELAYED)).close()
    assert one.receive().payload == b"dead"


@pytest.mark.parametrize("props", [None, KEEP])
def test_mqtt5_3_1_2_8_no_will_after_normal_disconnection(broker, topic, props):
    one = broker.connect()
    one.subscribe(topic)
    two = broker.connect(will=Will(topic, b"dead"), props=props)
    two.disconnect()
    broker.connect(two.client_id).disconnect()
    assert one.fence() == []


# For Mosquitto 2.0.11 all but 0x04 are as 0x00.
@pytest.mark.parametrize("reason", [0x04, *range(0x80, 0x84), 0x90, *range(0x93, 0x9a)])
def test_mqtt5_3_1_2_8_will_after_another_disconnect(broker, topic, reason):
    """Each code of those that a client may send, but 0x00."""
    one, two = broker.connect(), broker.connect(will=Will(topic, b"dead"))
    one.subscribe(topic)
    two.disconnect(reason)
    assert one.receive().payload == b"dead"


# Mosquitto 2.0.11 publishes neither.
def test_mqtt5_3_1_2_8_will_of_a_client_that_was_taken_over(broker, topic, ident):
    """A new connection: no will if it was to come later, else there is one (3.1.3.2.2)."""
    one = broker.connect()
    one.subscribe(topic)
    broker.connect(ident, will=Will(topic, b"late", props=DELAYED), props=KEEP)
    broker.connect(ident, clean=False, will=Will(topic, b"now"), props=KEEP)
    broker.connect(ident, clean=False, props=KEEP).disconnect()
    assert one.receive().payload == b"now"
    assert one.fence() == []


@pytest.mark.parametrize("tail", [
    b"", b"\0", b"\0" + string("topic"), string("topic") + string("p")],
    ids=["nothing", "properties", "no-payload", "no-properties"])
def test_mqtt5_3_1_2_9_will_flag_without_a_whole_will(broker, tail):
    one = broker.raw()
    one.send(packet(1, connect_packet("will", flags=0x06)[2:] + tail))
    one.not_connected(0x81)


def test_mqtt5_3_1_2_9_will_qos_and_retain_are_used(broker, topic):
    one, there = broker.connect(), broker.connect()
    there.subscribe(f"{topic}/+")
    for qos in (0, 1, 2):
        broker.connect(will=Will(f"{topic}/{qos}", b"dead", qos=qos, retain=True)).close()
        assert there.receive().payload == b"dead"
        one.subscribe((f"{topic}/{qos}", 2 | RETAIN_AS_PUBLISHED))
        got = one.receive()
        assert (got.payload, got.qos, got.retain) == (b"dead", qos, True)


def test_mqtt5_3_1_2_10_will_is_removed(broker, topic, ident):
    """As soon as it was published: the session goes on without it."""
    one = broker.connect()
    one.subscribe(topic)
    broker.connect(ident, will=Will(topic, b"dead"), props=KEEP).close()
    assert one.receive().payload == b"dead"
    broker.connect(ident, clean=False, props=KEEP).close()
    two = broker.connect(ident, clean=False, will=Will(topic, b"gone"), props=KEEP)
    two.disconnect()
    broker.connect(ident, clean=False, props=KEEP).close()
    broker.connect(ident, clean=True).disconnect()
    assert one.fence() == []


@pytest.mark.parametrize("flags", [0x0a, 0x12, 0x1a])
def test_mqtt5_3_1_2_11_will_qos_without_will(broker, flags):
    one = broker.raw()
    one.send(connect_packet("will", flags=flags))
    one.not_connected(0x81)


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_mqtt5_3_1_2_12_will_qos(broker, topic, qos):
    one = broker.connect()
    one.subscribe(topic, qos=2)
    broker.connect(will=Will(topic, b"dead", qos=qos)).close()
    got = one.receive()
    assert (got.payload, got.qos, got.dup) == (b"dead", qos, False)


def test_mqtt5_3_1_2_12_will_qos_3(broker):
    one = broker.raw()
    one.send(connect_packet("will", will=Will("topic", qos=3)))
    one.not_connected(0x81)


@pytest.mark.parametrize("flags", [0x22, 0x20])
def test_mqtt5_3_1_2_13_will_retain_without_will(broker, flags):
    one = broker.raw()
    one.send(connect_packet("will", flags=flags))
    one.not_connected(0x81)


@pytest.mark.parametrize("retain", [False, True])
def test_mqtt5_3_1_2_14_and_15_will_retain(broker, topic, retain):
    """MQTT-3.1.2-14 and MQTT-3.1.2-15: who subscribes later gets it if it was retained."""
    one = broker.connect()
    one.subscribe((topic, RETAIN_AS_PUBLISHED))
    broker.connect(will=Will(topic, b"dead", retain=retain)).close()
    assert one.receive().retain == retain
    two = broker.connect()
    two.subscribe(topic)
    assert [(m.payload, m.retain) for m in two.fence()] == ([(b"dead", True)] if retain else [])


def test_mqtt5_3_1_3_9_no_will_if_the_client_is_back(broker, topic, ident):
    one = broker.connect()
    one.subscribe(topic)
    will = Will(topic, b"dead", props={WILL_DELAY: 4})
    start = time.monotonic()
    broker.connect(ident, will=will, props=KEEP).close()
    two = broker.connect(ident, clean=False, props=KEEP)
    assert time.monotonic() - start < 4, "this machine is too slow for the test"
    assert two.connack.present
    time.sleep(max(0, start + 4.5 - time.monotonic()))
    assert one.fence() == []
    two.ping()


def test_mqtt5_3_1_3_10_order_of_user_properties_of_a_will(broker, topic):
    pairs = [("b", "2"), ("a", "1"), ("b", "1"), ("", ""), ("a", "1")]
    one = broker.connect()
    one.subscribe(topic)
    broker.connect(will=Will(topic, b"dead", props={USER_PROPERTY: pairs})).close()
    assert one.receive().props == {USER_PROPERTY: [(n.encode(), v.encode()) for n, v in pairs]}


def test_mqtt5_3_1_3_10_properties_of_a_will(broker, topic):
    props = {PAYLOAD_FORMAT: 1, CONTENT_TYPE: b"text", RESPONSE_TOPIC: b"answer",
             CORRELATION_DATA: b"\0\xff"}
    one = broker.connect()
    one.subscribe(topic)
    broker.connect(will=Will(topic, b"dead", props={**props, MESSAGE_EXPIRY: 100})).close()
    got = one.receive().props
    assert 90 < got.pop(MESSAGE_EXPIRY) <= 100
    assert got == props


@pytest.mark.parametrize("prop, value, reason", [
    (TOPIC_ALIAS, 1, 0x81), (SUBSCRIPTION_ID, 1, 0x81),
    (WILL_DELAY, [1, 1], 0x82), (RESPONSE_TOPIC, "a/#", 0x82)])
def test_mqtt5_3_1_3_10_wrong_properties_of_a_will(broker, prop, value, reason):
    """Mosquitto 2.0.11 does not look into the Response Topic of a Will."""
    one = broker.raw()
    one.send(connect_packet("will", will=Will("topic", props={prop: value})))
    one.not_connected(reason)


@pytest.mark.parametrize("bad", [b"\xff", b"a\xc3", b"\xed\xa0\x80", b"a\0b"])
def test_mqtt5_3_1_3_11_will_topic_is_utf8(broker, bad):
    one = broker.raw()
    one.send(connect_packet("will", will=Will(bad)))
    one.not_connected(0x81)


@pytest.mark.parametrize("bad", ["", "a/#", "+/b"])
def test_mqtt5_3_1_3_11_will_topic_is_a_topic_name(broker, bad):
    one = broker.raw()
    one.send(connect_packet("will", will=Will(bad)))
    one.not_connected(0x90)

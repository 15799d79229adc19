# SPDX-License-Identifier: GPL-2.0
"""MQTT 5.0, 3.8 to 3.11: SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK."""

import pytest

from kmqtt_client import NO_LOCAL, RETAIN_IF_NEW, RETAIN_NEVER, subscribe_packet, unsubscribe_packet
from kmqtt_packet import (
    MAXIMUM_PACKET_SIZE, PUBACK, REASON_STRING, SESSION_EXPIRY, SUBACK, SUBSCRIBE, SUBSCRIPTION_ID,
    TOPIC_ALIAS, UNSUBACK, UNSUBSCRIBE, USER_PROPERTY, encode_props, packet)

KEEP = {SESSION_EXPIRY: 1000}
SECURED = pytest.mark.broker(acl="topic readwrite open/#\ntopic readwrite fence/#\n"
                                 "topic write closed/#\n")

# Tables 3-8 and 3-9.
SUBACK_CODES = {0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8f, 0x91, 0x97, 0x9e, 0xa1, 0xa2}
UNSUBACK_CODES = {0x00, 0x11, 0x80, 0x83, 0x87, 0x8f, 0x91}


# SUBSCRIBE

@pytest.mark.parametrize("flags", [f for f in range(16) if f != 2])
def test_mqtt5_3_8_1_1_reserved_flags_of_subscribe(broker, topic, flags):
    one = broker.connect()
    one.send(subscribe_packet([topic], flags=flags))
    one.refused(0x81)


@pytest.mark.parametrize("bad", [b"\xff", b"a\xc3", b"\xed\xa0\x80", b"a\0b"])
def test_mqtt5_3_8_3_1_topic_filter_is_utf8(broker, topic, bad):
    """Also if it is not the first one."""
    for filters in ([bad], [topic, bad], [bad, topic]):
        one = broker.connect()
        one.send(subscribe_packet(filters))
        one.refused(0x81)


def test_mqtt5_3_8_3_2_subscribe_without_topic_filter(broker):
    one = broker.connect()
    one.send(subscribe_packet([]))
    one.refused(0x82)


@pytest.mark.parametrize("tail", [b"\0", b"\0\1", b"\0\1a", b"\0\1a\0\0", b"\0\1a\0\0\1b",
                                  b"\xff\xff"])
def test_mqtt5_3_8_3_2_part_of_a_topic_filter(broker, tail):
    """Malformed: a filter that is cut, or has no options."""
    one = broker.connect()
    one.send(packet(SUBSCRIBE, b"\0\1\0" + tail))
    one.refused(0x81)


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_mqtt5_3_8_3_3_no_local(broker, topic, ident, qos):
    """It is about the client identifier, not the connection; others get the message."""
    one, two, three = broker.connect(ident, props=KEEP), broker.connect(), broker.connect()
    one.subscribe((topic, NO_LOCAL | 2))
    two.subscribe(topic, qos=2)
    one.deliver(topic, b"own", qos=qos)
    assert one.fence() == []
    assert two.receive().payload == b"own"
    one.disconnect()
    one = broker.connect(ident, clean=False)
    one.deliver(topic, b"own", qos=qos)
    three.deliver(topic, b"other", qos=qos)
    assert [m.payload for m in one.fence()] == [b"other"]


# Mosquitto 2.0.11 takes it.
def test_mqtt5_3_8_3_4_no_local_on_a_shared_subscription(broker, topic):
    one = broker.connect()
    one.send(subscribe_packet([(f"$share/g/{topic}", NO_LOCAL)]))
    one.refused(0x82)


@pytest.mark.parametrize("options, reasons", [
    (0x40, [0x81]), (0x80, [0x81]), (0xc0, [0x81]), (0x41, [0x81]), (0x03, [0x81, 0x82]),
    (0x30, [0x82, 0x81])], ids=["bit-6", "bit-7", "both", "with-qos", "qos-3", "retain-handling-3"])
def test_mqtt5_3_8_3_5_reserved_subscription_options(broker, topic, options, reasons):
    """The last two are Protocol Errors of 3.8.3.1."""
    one = broker.connect()
    one.send(subscribe_packet([(topic, options)]))
    one.refused(*reasons)


@pytest.mark.parametrize("props, reason", [
    ({SUBSCRIPTION_ID: 0}, 0x82), ({SUBSCRIPTION_ID: [1, 2]}, 0x82), ({TOPIC_ALIAS: 1}, 0x81),
    (b"\x05\x0b\xff\xff\xff\xff", 0x81)], ids=["0", "two", "alias", "too-long"])
def test_mqtt5_3_8_3_5_wrong_properties(broker, topic, props, reason):
    one = broker.connect()
    one.send(subscribe_packet([topic], props=props))
    one.refused(reason)


def test_mqtt5_3_8_4_1_and_2_suback(broker, topic):
    """MQTT-3.8.4-1, MQTT-3.8.4-2: it is there, with the same packet identifier."""
    one = broker.connect()
    for packet_id in (1, 65535, 1, 300):
        one.send(subscribe_packet([topic], packet_id))
        assert one.codes(SUBACK) == (packet_id, [0], {})


# Mosquitto 2.0.11 keeps the No Local of the old one.
def test_mqtt5_3_8_4_3_subscription_is_replaced(broker, topic):
    """QoS, identifier and options are those of the last one; there is one copy."""
    one, two = broker.connect(), broker.connect()
    one.subscribe((topic, 2 | NO_LOCAL), props={SUBSCRIPTION_ID: 5})
    one.subscribe((topic, 1))
    two.deliver(topic, b"x", qos=2)
    one.publish(topic, b"own")
    got = one.fence()
    assert [(m.payload, m.qos, m.props) for m in got] == [(b"x", 1, {}), (b"own", 0, {})]
    one.unsubscribe(topic)
    two.deliver(topic, b"y")
    assert one.fence() == []


def test_mqtt5_3_8_4_4_replacing_sends_retained_messages_again(broker, topic):
    one, two = broker.connect(), broker.connect()
    two.deliver(topic, b"kept", retain=True)
    for qos in (0, 1, 1):
        one.subscribe((topic, qos))
        got = one.receive()
        assert (got.payload, got.retain, got.qos) == (b"kept", True, qos)


def test_mqtt5_3_8_4_4_replacing_loses_nothing(broker, topic):
    """What another client publishes meanwhile comes, all of it."""
    one, two = broker.connect(), broker.connect()
    one.subscribe(topic, qos=1)
    subacks, payloads = 0, []
    for i in range(100):
        two.publish(topic, b"%d" % i, qos=1, packet_id=i + 1)
        one.send(subscribe_packet([(topic, 1 + i % 2 | RETAIN_NEVER)], i + 1))
    for i in range(100):
        two.acked(PUBACK, i + 1)
    while subacks < 100 or len(payloads) < 100:
        got = one.packet()
        if got.type == SUBACK:
            subacks += 1
        else:
            message = one.parse_publish(got)
            payloads.append(message.payload)
            one.ack(PUBACK, message.packet_id)
    assert payloads == [b"%d" % i for i in range(100)]


def test_mqtt5_3_8_4_5_several_topic_filters(broker, topic):
    """As if each had come alone: the retained ones of each, and one that is named twice counts as
    it was named last."""
    one, two = broker.connect(), broker.connect()
    two.deliver(f"{topic}/a", b"kept", retain=True)
    codes = one.subscribe((f"{topic}/a", 1), (f"{topic}/b", 0), (f"{topic}/c", 2),
                          (f"{topic}/b", 1), (f"{topic}/a", RETAIN_IF_NEW))
    assert codes == [1, 0, 2, 1, 0]
    assert [(m.payload, m.retain) for m in one.fence()] == [(b"kept", True)]
    for name in "abc":
        two.deliver(f"{topic}/{name}", name.encode(), qos=2)
    assert [(m.payload, m.qos) for m in one.fence()] == [(b"a", 0), (b"b", 1), (b"c", 2)]


@SECURED
def test_mqtt5_3_8_4_6_and_7_reason_codes_of_suback(broker, topic):
    """MQTT-3.8.4-6: one for each. MQTT-3.8.4-7: the QoS that was granted, or a failure."""
    one = broker.connect()
    filters = [(f"open/{topic}/{i}", i % 3) for i in range(30)]
    assert one.subscribe(*filters) == [i % 3 for i in range(30)]


@pytest.mark.parametrize("published", [0, 1, 2])
@pytest.mark.parametrize("granted", [0, 1, 2])
def test_mqtt5_3_8_4_8_qos_is_the_minimum(broker, topic, published, granted):
    """For what is published now, and for what was retained before."""
    one, two = broker.connect(), broker.connect()
    two.deliver(topic, b"kept", qos=published, retain=True)
    assert one.subscribe(topic, qos=granted) == [granted]
    two.deliver(topic, b"now", qos=published)
    assert [(m.payload, m.qos) for m in one.fence()] == [
        (b"kept", min(published, granted)), (b"now", min(published, granted))]


# SUBACK

@SECURED
def test_mqtt5_3_9_2_1_and_2_suback_within_maximum_packet_size(broker, topic):
    """MQTT-3.9.2-1, MQTT-3.9.2-2."""
    full = broker.connect().suback(f"closed/{topic}", "open/x")
    size = 2 + 2 + len(encode_props(full.props)) + 2
    for limit in {40, max(size - 1, 40)}:
        got = broker.connect(props={MAXIMUM_PACKET_SIZE: limit}).suback(f"closed/{topic}", "open/x")
        assert got.codes == full.codes
        if size > limit:
            assert not got.props.keys() & {REASON_STRING, USER_PROPERTY}


# Mosquitto 2.0.11 grants what it will not deliver.
@SECURED
def test_mqtt5_3_9_3_1_order_of_reason_codes(broker, topic):
    one = broker.connect()
    assert one.subscribe((f"open/{topic}", 2), (f"closed/{topic}", 1), (f"open/{topic}/x", 0),
                         (f"closed/{topic}/y", 0), (f"open/{topic}", 1)) == [2, 0x87, 0, 0x87, 1]


@SECURED
def test_mqtt5_3_9_3_2_reason_codes(broker, topic):
    """Of the table, each."""
    one = broker.connect()
    for filter_ in (f"open/{topic}", f"closed/{topic}", "#", "$SYS/#", f"$share/g/open/{topic}"):
        for qos in (0, 1, 2):
            got = one.subscribe(filter_, qos=qos)
            assert got[0] in SUBACK_CODES and (got[0] >= 0x80 or got[0] <= qos)


# UNSUBSCRIBE

@pytest.mark.parametrize("flags", [f for f in range(16) if f != 2])
def test_mqtt5_3_10_1_1_reserved_flags_of_unsubscribe(broker, topic, flags):
    one = broker.connect()
    one.send(unsubscribe_packet([topic], flags=flags))
    one.refused(0x81)


@pytest.mark.parametrize("bad", [b"\xff", b"a\xc3", b"\xed\xa0\x80", b"a\0b"])
def test_mqtt5_3_10_3_1_topic_filter_is_utf8(broker, topic, bad):
    for filters in ([bad], [topic, bad], [bad, topic]):
        one = broker.connect()
        one.send(unsubscribe_packet(filters))
        one.refused(0x81)


def test_mqtt5_3_10_3_2_unsubscribe_without_topic_filter(broker):
    one = broker.connect()
    one.send(unsubscribe_packet([]))
    one.refused(0x82)


@pytest.mark.parametrize("tail", [b"\0", b"\0\1", b"\0\1a\0", b"\xff\xff"])
def test_mqtt5_3_10_3_2_part_of_a_topic_filter(broker, tail):
    one = broker.connect()
    one.send(packet(UNSUBSCRIBE, b"\0\1\0" + tail))
    one.refused(0x81)


def test_mqtt5_3_10_4_1_topic_filters_are_compared(broker, topic):
    """To the letter, not by what they match; of a shared subscription all of it."""
    one, two = broker.connect(), broker.connect()
    filters = [f"{topic}/#", f"{topic}/+", f"{topic}/a", f"{topic}/A", f"$share/g/{topic}/a"]
    one.subscribe(*filters)
    for other in (f"{topic}/b", "#", f"{topic}/a/", f"/{topic}/a", f"$share/h/{topic}/a", topic):
        assert one.unsubscribe(other) == [0x11]
    for filter_ in filters:
        assert one.unsubscribe(filter_) == [0]
        assert one.unsubscribe(filter_) == [0x11]
    two.deliver(f"{topic}/a", b"x")
    assert one.fence() == []


def test_mqtt5_3_10_4_1_other_subscriptions_stay(broker, topic):
    one, two = broker.connect(), broker.connect()
    one.subscribe(f"{topic}/#", qos=1, props={SUBSCRIPTION_ID: 1})
    one.subscribe(f"{topic}/+", qos=1, props={SUBSCRIPTION_ID: 2})
    one.unsubscribe(f"{topic}/#")
    two.deliver(f"{topic}/a", b"x")
    assert one.receive().props == {SUBSCRIPTION_ID: [2]}


def test_mqtt5_3_10_4_2_no_new_messages(broker, topic):
    one, two = broker.connect(), broker.connect()
    one.subscribe(topic, qos=1)
    two.deliver(topic, b"1")
    assert one.receive().payload == b"1"
    assert one.unsubscribe(topic) == [0]
    two.deliver(topic, b"2")
    assert one.fence() == []


@pytest.mark.parametrize("qos", [1, 2])
def test_mqtt5_3_10_4_3_delivery_is_completed(broker, topic, ident, qos):
    """Of what was sent before, also over another connection."""
    one, two = broker.connect(ident, props=KEEP), broker.connect()
    one.subscribe(topic, qos=qos)
    two.deliver(topic, b"x", qos=qos)
    first = one.published()
    assert one.unsubscribe(topic) == [0]
    one.close()
    one = broker.connect(ident, clean=False, props=KEEP)
    again = one.published()
    assert again == first._replace(dup=True)
    one.answer(again)
    assert one.fence() == []


def test_mqtt5_3_10_4_4_and_5_unsuback(broker, topic):
    """MQTT-3.10.4-4, MQTT-3.10.4-5: it is there, with the same packet identifier, also if nothing
    was deleted."""
    one = broker.connect()
    one.subscribe(topic)
    for packet_id, code in ((1, 0), (65535, 0x11), (1, 0x11)):
        one.send(unsubscribe_packet([topic], packet_id))
        got = one.codes(UNSUBACK)
        assert got.packet_id == packet_id and got.codes == [code]


def test_mqtt5_3_10_4_6_several_topic_filters(broker, topic):
    """As if each had come alone: the second time it is not there any more."""
    one, two = broker.connect(), broker.connect()
    one.subscribe(f"{topic}/a", f"{topic}/b", f"{topic}/c")
    codes = one.unsubscribe(f"{topic}/a", f"{topic}/x", f"{topic}/c", f"{topic}/a")
    assert codes == [0, 0x11, 0, 0x11]
    for name in "abc":
        two.deliver(f"{topic}/{name}", name.encode())
    assert [m.payload for m in one.fence()] == [b"b"]


# UNSUBACK

def test_mqtt5_3_11_2_1_and_2_unsuback_within_maximum_packet_size(broker, topic):
    """MQTT-3.11.2-1, MQTT-3.11.2-2."""
    full = broker.connect().unsuback(topic, topic)
    size = 2 + 2 + len(encode_props(full.props)) + 2
    for limit in {40, max(size - 1, 40)}:
        got = broker.connect(props={MAXIMUM_PACKET_SIZE: limit}).unsuback(topic, topic)
        assert got.codes == full.codes == [0x11, 0x11]
        if size > limit:
            assert not got.props.keys() & {REASON_STRING, USER_PROPERTY}


def test_mqtt5_3_11_3_1_order_of_reason_codes(broker, topic):
    one = broker.connect()
    one.subscribe(f"{topic}/1", f"{topic}/3", f"{topic}/4")
    assert one.unsubscribe(*(f"{topic}/{i}" for i in range(6))) == [0x11, 0, 0x11, 0, 0, 0x11]


def test_mqtt5_3_11_3_2_reason_codes(broker, topic):
    """Of the table, each."""
    one = broker.connect()
    for filter_ in (topic, "#", "$SYS/#", f"$share/g/{topic}", "+/+"):
        got = one.unsubscribe(filter_)[0]
        assert got in UNSUBACK_CODES and got == 0x11

# SPDX-License-Identifier: GPL-2.0
"""MQTT 5.0, 4.1 to 4.6 and 4.9: session state, delivery, order, flow control."""

import time

import pytest

from kmqtt_client import subscribe_packet
from kmqtt_packet import (
    MESSAGE_EXPIRY, PINGREQ, PINGRESP, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, RECEIVE_MAXIMUM,
    SESSION_EXPIRY, SUBACK, packet)

KEEP = {SESSION_EXPIRY: 1000}
SECURED = pytest.mark.broker(acl="topic readwrite open/#\ntopic readwrite fence/#\n")


@pytest.fixture
def pair(broker):
    """A subscriber and a publisher."""
    return broker.connect(), broker.connect()


def back(broker, one, most=65535):
    """The client over a new connection; its session is there."""
    other = broker.connect(one.client_id, clean=False, props={**KEEP, RECEIVE_MAXIMUM: most})
    assert other.connack.present
    return other


def again(broker, one, most=65535):
    """The same, of one that is connected: the session has all that it has said."""
    one.leave()
    return back(broker, one, most)


# Session state

@pytest.mark.parametrize("expiry", [0, 1])
def test_mqtt5_4_1_0_1_session_stays_while_connected(broker, topic, expiry):
    """Its interval begins with the end of the connection."""
    one = broker.connect(props={SESSION_EXPIRY: expiry})
    one.subscribe(topic, qos=1)
    time.sleep(1.6)
    broker.connect().deliver(topic, b"x")
    assert one.receive().payload == b"x"


@pytest.mark.parametrize("goodbye", [True, False])
def test_mqtt5_4_1_0_2_session_ends_as_its_interval_has_passed(broker, topic, goodbye):
    one = broker.connect(props={SESSION_EXPIRY: 1})
    one.subscribe(topic, qos=1)
    if goodbye:
        one.disconnect()
    else:
        one.close()
    time.sleep(3)
    assert not broker.connect(one.client_id, clean=False).connack.present


def test_mqtt5_4_1_0_2_interval_begins_anew(broker, topic):
    """With each connection, and with what that one says."""
    one = broker.connect(props={SESSION_EXPIRY: 6})
    one.subscribe(topic)
    one.disconnect()
    one = broker.connect(one.client_id, clean=False, props=KEEP)
    assert one.connack.present
    one.disconnect()
    time.sleep(7)
    one = broker.connect(one.client_id, clean=False)
    assert one.connack.present
    one.disconnect()
    assert not broker.connect(one.client_id, clean=False).connack.present


def test_mqtt5_4_2_0_1_ordered_lossless_stream(broker, topic):
    """TCP: bytes one by one, and many packets in one piece."""
    one = broker.connect()
    for byte in subscribe_packet([topic], 7):
        one.send(bytes([byte]))
    assert one.codes(SUBACK).packet_id == 7
    two = broker.connect()
    two.send(b"".join(packet(PUBLISH, b"\0" + bytes([len(topic)]) + topic.encode() + b"\0%d" % i)
                      for i in range(500)))
    assert [one.published().payload for _ in range(500)] == [b"%d" % i for i in range(500)]


# QoS 0

def test_mqtt5_4_3_1_1_qos_0(pair, topic):
    one, two = pair
    one.subscribe(topic, qos=0)
    for qos in (0, 1, 2):
        two.deliver(topic, b"x", qos=qos)
        got = one.published()
        assert (got.qos, got.dup, got.payload) == (0, False, b"x")


# QoS 1

def test_mqtt5_4_3_2_1_and_2_qos_1_of_the_server(pair, topic):
    """MQTT-4.3.2-1: an unused packet identifier. MQTT-4.3.2-2: QoS 1 and no DUP."""
    one, two = pair
    one.subscribe(topic, qos=1)
    for i in range(10):
        two.deliver(topic, b"%d" % i)
    got = [one.published() for _ in range(10)]
    assert len({m.packet_id for m in got} - {0}) == 10
    assert all(m.qos == 1 and not m.dup for m in got)


def test_mqtt5_4_3_2_3_qos_1_stays_unacknowledged(broker, topic):
    """Until its PUBACK: it comes with each new connection, and then no more."""
    one = broker.connect(props=KEEP)
    one.subscribe(topic, qos=1)
    broker.connect().deliver(topic, b"x")
    first = one.published()
    for _ in range(3):
        one = again(broker, one)
        assert one.published() == first._replace(dup=True)
    one.ack(PUBACK, first.packet_id)
    one.ping()
    assert again(broker, one).fence() == []


def test_mqtt5_4_3_2_4_puback_of_the_server(pair, topic):
    """When it owns the message: who subscribes has it."""
    one, two = pair
    one.subscribe(topic, qos=1)
    two.publish(topic, b"x", qos=1, packet_id=400)
    assert two.acked(PUBACK, 400).reason in (0, 0x10)
    assert one.receive().payload == b"x"


@pytest.mark.parametrize("dup", [False, True])
def test_mqtt5_4_3_2_5_qos_1_again_is_a_new_message(pair, topic, dup):
    one, two = pair
    one.subscribe(topic, qos=1)
    for _ in range(3):
        two.publish(topic, b"x", qos=1, packet_id=5, dup=dup)
        two.acked(PUBACK, 5)
    assert [m.payload for m in one.fence()] == [b"x"] * 3


# QoS 2 of the server

def test_mqtt5_4_3_3_1_and_2_qos_2_of_the_server(pair, topic):
    """MQTT-4.3.3-1: an unused packet identifier. MQTT-4.3.3-2: QoS 2 and no DUP."""
    one, two = pair
    one.subscribe(topic, qos=2)
    for i in range(10):
        two.deliver(topic, b"%d" % i, qos=2)
    got = [one.published() for _ in range(10)]
    assert len({m.packet_id for m in got} - {0}) == 10
    assert all(m.qos == 2 and not m.dup for m in got)


def test_mqtt5_4_3_3_3_qos_2_stays_unacknowledged(broker, topic):
    """Until its PUBREC it comes with each new connection."""
    one = broker.connect(props=KEEP)
    one.subscribe(topic, qos=2)
    broker.connect().deliver(topic, b"x", qos=2)
    first = one.published()
    for _ in range(3):
        one = again(broker, one)
        assert one.published() == first._replace(dup=True)
    one.answer(first)
    assert again(broker, one).fence() == []


@pytest.mark.parametrize("reason", [None, 0x00, 0x10])
def test_mqtt5_4_3_3_4_pubrel_of_the_server(pair, topic, reason):
    """To a PUBREC that accepts the message; not to one that does not."""
    one, two = pair
    one.subscribe(topic, qos=2)
    two.deliver(topic, b"1", qos=2)
    got = one.published()
    one.ack(PUBREC, got.packet_id, reason)
    assert one.acked(PUBREL).packet_id == got.packet_id
    one.ack(PUBCOMP, got.packet_id)
    two.deliver(topic, b"2", qos=2)
    got = one.published()
    one.ack(PUBREC, got.packet_id, 0x80)
    one.ping()
    assert one.fence() == []


def test_mqtt5_4_3_3_5_and_6_pubrel_stays_unacknowledged(broker, topic):
    """MQTT-4.3.3-5: until its PUBCOMP it comes with each new connection. MQTT-4.3.3-6: the PUBLISH
    does not."""
    one = broker.connect(props=KEEP)
    one.subscribe(topic, qos=2)
    broker.connect().deliver(topic, b"x", qos=2)
    packet_id = one.published().packet_id
    one.ack(PUBREC, packet_id)
    one.acked(PUBREL, packet_id)
    for _ in range(3):
        one = again(broker, one)
        one.acked(PUBREL, packet_id)
        one.ping()
    one.ack(PUBCOMP, packet_id)
    assert again(broker, one).fence() == []


def test_mqtt5_4_3_3_6_pubrec_again(pair, topic):
    """A PUBREC that comes twice brings another PUBREL, and no PUBLISH."""
    one, two = pair
    one.subscribe(topic, qos=2)
    two.deliver(topic, b"x", qos=2)
    packet_id = one.published().packet_id
    for _ in range(2):
        one.ack(PUBREC, packet_id)
        one.acked(PUBREL, packet_id)
    one.ack(PUBCOMP, packet_id)
    assert one.fence() == []


def test_mqtt5_4_3_3_7_no_expiry_after_publish(broker, topic):
    """What was sent once comes again though its interval has passed; what was not, does not."""
    one, two = broker.connect(props={RECEIVE_MAXIMUM: 1, **KEEP}), broker.connect()
    one.subscribe(topic, qos=2)
    two.deliver(topic, b"sent", qos=2, props={MESSAGE_EXPIRY: 3})
    two.deliver(topic, b"waits", qos=2, props={MESSAGE_EXPIRY: 1})
    two.deliver(topic, b"stays", qos=2)
    first = one.published()
    assert first.payload == b"sent"
    time.sleep(4.1)
    one = again(broker, one, 1)
    got = one.published()
    assert (got.payload, got.packet_id, got.dup) == (b"sent", first.packet_id, True)
    one.answer(got)
    assert one.receive().payload == b"stays"


# QoS 2 of a client

def test_mqtt5_4_3_3_8_pubrec_of_the_server(pair, topic):
    """When it owns the message: it is delivered, if not before then after the PUBREL."""
    one, two = pair
    one.subscribe(topic, qos=2)
    two.publish(topic, b"x", qos=2, packet_id=40000)
    assert two.acked(PUBREC).packet_id == 40000
    two.ack(PUBREL, 40000)
    two.acked(PUBCOMP, 40000)
    assert one.receive().payload == b"x"


@SECURED
def test_mqtt5_4_3_3_9_qos_2_after_a_refusal_is_a_new_message(broker, topic):
    one, two = broker.connect(), broker.connect()
    one.subscribe(f"open/{topic}", qos=2)
    two.publish(f"closed/{topic}", b"1", qos=2, packet_id=5)
    assert two.acked(PUBREC, 5).reason == 0x87
    two.publish(f"open/{topic}", b"2", qos=2, packet_id=5)
    assert two.acked(PUBREC, 5).reason == 0
    two.ack(PUBREL, 5)
    assert two.acked(PUBCOMP, 5).reason == 0
    assert [m.payload for m in one.fence()] == [b"2"]


# Mosquitto 2.0.11 ends the connection at one that has no DUP.
def test_mqtt5_4_3_3_10_qos_2_again_is_the_same_message(broker, topic):
    """Until it is released, also over another connection: PUBREC each time, delivered once."""
    one, two = broker.connect(), broker.connect(props=KEEP)
    one.subscribe(topic, qos=2)
    for dup in (False, True, False, True):
        two.publish(topic, b"x", qos=2, packet_id=5, dup=dup)
        assert two.acked(PUBREC, 5).reason == 0
    two = again(broker, two)
    two.publish(topic, b"x", qos=2, packet_id=5, dup=True)
    assert two.acked(PUBREC, 5).reason == 0
    two.ack(PUBREL, 5)
    assert two.acked(PUBCOMP, 5).reason == 0
    assert [m.payload for m in one.fence()] == [b"x"]


def test_mqtt5_4_3_3_11_pubcomp_of_the_server(broker, topic):
    """Also to a PUBREL that comes again, over another connection."""
    two = broker.connect(props=KEEP)
    two.publish(topic, b"x", qos=2, packet_id=600)
    two.acked(PUBREC, 600)
    two.ack(PUBREL, 600)
    assert two.acked(PUBCOMP).packet_id == 600
    two = again(broker, two)
    two.ack(PUBREL, 600)
    assert two.acked(PUBCOMP).packet_id == 600


def test_mqtt5_4_3_3_12_qos_2_after_pubcomp_is_a_new_message(pair, topic):
    one, two = pair
    one.subscribe(topic, qos=2)
    for i in range(3):
        two.publish(topic, b"%d" % i, qos=2, packet_id=5, dup=bool(i))
        two.acked(PUBREC, 5)
        two.ack(PUBREL, 5)
        two.acked(PUBCOMP, 5)
    assert [m.payload for m in one.fence()] == [b"0", b"1", b"2"]


def test_mqtt5_4_3_3_13_acknowledgement_goes_on_after_expiry(broker, topic):
    """Both ways: the handshake is finished though the message has expired meanwhile."""
    one, two = broker.connect(), broker.connect()
    one.subscribe(f"{topic}/y", qos=2)
    two.deliver(f"{topic}/y", b"y", qos=2, props={MESSAGE_EXPIRY: 3})
    got = one.published()
    two.publish(f"{topic}/x", b"x", qos=2, packet_id=5, props={MESSAGE_EXPIRY: 1})
    two.acked(PUBREC, 5)
    time.sleep(4.1)
    two.ack(PUBREL, 5)
    assert two.acked(PUBCOMP, 5).reason == 0
    one.answer(got)
    assert one.fence() == []


# Delivering again

def test_mqtt5_4_4_0_1_again_with_the_session_and_only_then(broker, topic):
    """What is unacknowledged comes again with its packet identifier, in its order, as soon as the
    client is back; while it is connected nothing does."""
    one, two = broker.connect(props=KEEP), broker.connect()
    one.subscribe(topic, qos=2)
    for i in range(8):
        two.deliver(topic, b"%d" % i, qos=1 + i % 2)
    first = [one.published() for _ in range(8)]
    one.ack(PUBACK, first[0].packet_id)
    one.ack(PUBREC, first[1].packet_id)
    one.acked(PUBREL, first[1].packet_id)
    one.ack(PUBREC, first[5].packet_id)
    one.acked(PUBREL, first[5].packet_id)
    one.nothing(1)
    one = again(broker, one)
    released, published = [], []
    for _ in range(7):
        got = one.packet()
        if got.type == PUBREL:
            released.append(int.from_bytes(got.body[:2], "big"))
        else:
            published.append(one.parse_publish(got))
    assert released == [first[1].packet_id, first[5].packet_id]
    assert published == [first[i]._replace(dup=True) for i in (2, 3, 4, 6, 7)]
    one.nothing(1)


def test_mqtt5_4_4_0_1_not_after_a_clean_start(broker, topic):
    one = broker.connect(props=KEEP)
    one.subscribe(topic, qos=1)
    broker.connect().deliver(topic, b"x")
    one.published()
    one.close()
    assert broker.connect(one.client_id, clean=True).fence() == []


@pytest.mark.parametrize("kind", [PUBACK, PUBREC], ids=["PUBACK", "PUBREC"])
def test_mqtt5_4_4_0_2_refused_message_is_acknowledged(broker, topic, kind):
    one, two = broker.connect(props=KEEP), broker.connect()
    one.subscribe(topic, qos=2)
    two.deliver(topic, b"x", qos=1 if kind == PUBACK else 2)
    one.ack(kind, one.published().packet_id, 0x97)
    one.ping()
    assert again(broker, one).fence() == []


def test_mqtt5_4_5_0_1_message_joins_the_sessions(broker, topic):
    """Of all clients that match, those that are away included."""
    there, away, twice, two = (broker.connect(props=KEEP) for _ in range(4))
    there.subscribe(topic, qos=1)
    away.subscribe(topic, qos=1)
    twice.subscribe(topic, f"{topic}/#", qos=1)
    away.disconnect()
    for i in range(10):
        two.deliver(topic, b"%d" % i)
    wanted = [b"%d" % i for i in range(10)]
    assert [m.payload for m in there.fence()] == wanted
    assert [m.payload for m in back(broker, away).fence()] == wanted
    assert {m.payload for m in twice.fence()} == set(wanted)


# Order

def test_mqtt5_4_6_0_1_order_of_what_is_delivered_again(broker, topic):
    """The server does as a client must: it sends again in the order in which it sent first."""
    one, two = broker.connect(props=KEEP), broker.connect()
    one.subscribe(topic, qos=2)
    for i in range(12):
        two.deliver(topic, b"%d" % i, qos=2 if i % 3 else 1)
    first = [one.published() for _ in range(12)]
    one = again(broker, one)
    assert [one.published() for _ in range(12)] == [m._replace(dup=True) for m in first]


@pytest.mark.parametrize("kind", [PUBACK, PUBREC], ids=["4.6.0-2-PUBACK", "4.6.0-3-PUBREC"])
def test_mqtt5_4_6_0_2_and_3_order_of_acknowledgements(broker, topic, kind):
    """MQTT-4.6.0-2, MQTT-4.6.0-3: the server acknowledges in the order of the PUBLISH packets, as a
    client must."""
    one = broker.connect()
    ids = [7, 3, 9, 1, 500, 2, 8, 4]
    for packet_id in ids:
        one.publish(topic, qos=1 if kind == PUBACK else 2, packet_id=packet_id)
    assert [one.acked(kind).packet_id for _ in ids] == ids


def test_mqtt5_4_6_0_4_order_of_pubrel(pair, topic):
    """The server's are in the order of the PUBREC packets, as a client's must be."""
    one, two = pair
    one.subscribe(topic, qos=2)
    for i in range(6):
        two.deliver(topic, b"%d" % i, qos=2)
    ids = [one.published().packet_id for _ in range(6)]
    turned = [ids[i] for i in (3, 0, 5, 1, 2, 4)]
    for packet_id in turned:
        one.ack(PUBREC, packet_id)
    assert [one.acked(PUBREL).packet_id for _ in turned] == turned


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_mqtt5_4_6_0_5_and_6_order_of_a_topic(broker, topic, qos):
    """MQTT-4.6.0-5, MQTT-4.6.0-6: what a client publishes is delivered in its order, whatever the
    topic, to each subscriber, whatever their windows are."""
    subscribers = [broker.connect(props={RECEIVE_MAXIMUM: most}) for most in (1, 3, 65535)]
    for one in subscribers:
        one.subscribe(f"{topic}/#", qos=qos)
    two = broker.connect()
    wanted = []
    for i in range(60):
        wanted.append((f"{topic}/{i % 3}", b"%d" % i))
        two.deliver(*wanted[-1], qos=qos)
    for one in subscribers:
        assert [(m.topic, m.payload) for m in one.fence()] == wanted


# Flow control

@pytest.mark.parametrize("most", [1, 2, 7])
def test_mqtt5_4_9_0_1_initial_send_quota(broker, topic, most):
    """Something comes, and no more than may; with a new connection it begins anew."""
    one, two = broker.connect(props={RECEIVE_MAXIMUM: most, **KEEP}), broker.connect()
    one.subscribe(topic, qos=1)
    for i in range(10):
        two.deliver(topic, b"%d" % i)
    first = [one.published() for _ in range(most)]
    one.nothing(0.3)
    one = again(broker, one, most)
    assert [one.published() for _ in range(most)] == [m._replace(dup=True) for m in first]
    one.nothing(0.3)


@pytest.mark.parametrize("more", [{}, {RECEIVE_MAXIMUM: 65535}])
def test_mqtt5_4_9_0_1_receive_maximum_is_65535_if_absent(broker, topic, more):
    """The server may keep to less (max_inflight_messages, 20)."""
    one, two = broker.connect(props=more), broker.connect()
    one.subscribe(topic, qos=1)
    for i in range(25):
        two.deliver(topic, b"%d" % i)
    assert [m.payload for m in (one.receive() for _ in range(25))] == [b"%d" % i for i in range(25)]


# Mosquitto 2.0.11 sends two as the first of QoS 2 is through.
@pytest.mark.parametrize("qos", [1, 2])
def test_mqtt5_4_9_0_2_nothing_is_sent_at_a_quota_of_zero(broker, topic, qos):
    """Each PUBACK, PUBCOMP, or PUBREC with a failure lets one more come."""
    one, two = broker.connect(props={RECEIVE_MAXIMUM: 2}), broker.connect()
    one.subscribe(topic, qos=qos)
    for i in range(6):
        two.deliver(topic, b"%d" % i, qos=qos)
    window = [one.published(), one.published()]
    one.ping()
    one.nothing(0.3)
    if qos == 2:
        one.ack(PUBREC, window[0].packet_id)
        one.acked(PUBREL, window[0].packet_id)
        one.nothing(0.3)
        one.ack(PUBCOMP, window[0].packet_id)
        window[0] = one.published()
        one.nothing(0.3)
    one.ack(PUBACK if qos == 1 else PUBREC, window[1].packet_id, 0x80)
    got = one.published()
    assert got.payload == b"%d" % (qos + 1)
    one.nothing(0.3)


def test_mqtt5_4_9_0_3_other_packets_at_a_quota_of_zero(broker, topic):
    one, two = broker.connect(props={RECEIVE_MAXIMUM: 1}), broker.connect()
    one.subscribe(topic, qos=2)
    for i in range(3):
        two.deliver(topic, b"%d" % i, qos=2)
    first = one.published()
    one.send(packet(PINGREQ))
    assert one.packet().type == PINGRESP
    one.publish(f"{topic}/mine", qos=2, packet_id=1)
    one.acked(PUBREC, 1)
    one.ack(PUBREL, 1)
    one.acked(PUBCOMP, 1)
    assert one.subscribe(f"{topic}/more") == [0]
    assert one.unsubscribe(f"{topic}/more") == [0]
    one.ack(PUBREC, first.packet_id)
    one.acked(PUBREL, first.packet_id)
    one.ping()
    one.ack(PUBCOMP, first.packet_id)
    assert one.published().payload == b"1"

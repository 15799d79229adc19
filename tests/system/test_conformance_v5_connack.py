# SPDX-License-Identifier: GPL-2.0
"""MQTT 5.0, 3.2: CONNACK."""

import pytest

from kmqtt_client import Will, connect_packet
from kmqtt_packet import (
    ASSIGNED_CLIENT_ID, CONNACK, MAXIMUM_PACKET_SIZE, MAXIMUM_QOS, PINGREQ, REASON_STRING,
    RETAIN_AVAILABLE, SERVER_KEEP_ALIVE, SESSION_EXPIRY, TOPIC_ALIAS,
    TOPIC_ALIAS_MAXIMUM, USER_PROPERTY, packet, publish_packet)

KEEP = {SESSION_EXPIRY: 1000}
SECURED = pytest.mark.broker(users={"tester": "secret"}, anonymous=False)
TESTER = {"username": "tester", "password": "secret"}

# Table 3-1.
CODES = {0x00, *range(0x80, 0x8b), 0x8c, 0x90, 0x95, 0x97, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9f}


def test_mqtt5_3_2_0_1_connack_is_first(broker, topic, ident):
    """Also where messages wait, and where the client sends more with its CONNECT."""
    one = broker.connect(ident, props=KEEP)
    one.subscribe(topic, qos=1)
    one.disconnect()
    two = broker.connect()
    for i in range(5):
        two.deliver(topic, b"%d" % i)
    one = broker.raw()
    one.send(connect_packet(ident, clean=False) + packet(PINGREQ))
    assert one.packet().type == CONNACK
    rest = [one.packet() for _ in range(6)]
    assert [p.type for p in rest].count(PINGREQ + 1) == 1


def test_mqtt5_3_2_0_2_one_connack(broker, ident):
    """A second CONNECT does not bring another one."""
    one = broker.raw()
    one.send(connect_packet(ident) + connect_packet(ident))
    assert one.connacked().reason == 0
    one.refused(0x82)


@pytest.mark.parametrize("clean", [True, False])
def test_mqtt5_3_2_2_1_reserved_acknowledge_flags(broker, ident, clean):
    one = broker.connect(ident, props=KEEP)
    one.disconnect()
    assert one.connack.flags == 0
    assert broker.connect(ident, clean=clean).connack.flags == (0 if clean else 1)


def test_mqtt5_3_2_2_1_reserved_acknowledge_flags_of_a_refusal(broker):
    one = broker.raw()
    one.send(connect_packet("x", level=77))
    got = one.not_connected(0x84)
    assert not got or got.flags == 0


def test_mqtt5_3_2_2_2_session_present_after_clean_start(broker, ident):
    broker.connect(ident, props=KEEP).disconnect()
    got = broker.connect(ident, clean=True, props=KEEP).connack
    assert (got.present, got.reason) == (False, 0)


def test_mqtt5_3_2_2_3_session_present(broker, ident):
    assert not broker.connect(ident, clean=False, props=KEEP).connack.present
    for _ in range(2):
        got = broker.connect(ident, clean=False, props=KEEP).connack
        assert (got.present, got.reason) == (True, 0)


@SECURED
def test_mqtt5_3_2_2_6_no_session_present_in_a_refusal(broker, ident):
    broker.connect(ident, props=KEEP, **TESTER).disconnect()
    one = broker.raw()
    one.send(connect_packet(ident, clean=False, username="tester", password="wrong"))
    got = one.not_connected(0x86)
    assert not got.present
    assert broker.connect(ident, clean=False, **TESTER).connack.present


# Mosquitto 2.0.11 says nothing to the reserved flag, and answers an unknown version as 3.1.1's.
@SECURED
@pytest.mark.parametrize("data", [
    connect_packet("x", username="tester", password="wrong"), connect_packet("x"),
    connect_packet("x", flags=0x03, **TESTER), connect_packet("x", level=9, **TESTER),
], ids=["password", "anonymous", "reserved-flag", "version"])
def test_mqtt5_3_2_2_7_and_8_refusals(broker, data):
    """MQTT-3.2.2-7, MQTT-3.2.2-8: a code of the table, and then the end."""
    one = broker.raw()
    one.send(data + packet(PINGREQ))
    got = one.connacked()
    assert got.reason in CODES and got.reason >= 0x80
    one.closed()


@pytest.mark.parametrize("most", [
    pytest.param(0, marks=pytest.mark.broker(max_qos=0)),
    pytest.param(1, marks=pytest.mark.broker(max_qos=1))])
def test_mqtt5_3_2_2_9_maximum_qos(broker, most):
    assert broker.connect().connack.props[MAXIMUM_QOS] == most


def test_mqtt5_3_2_2_9_maximum_qos_2_is_not_told(broker):
    """Its value is 0 or 1; that it is absent says 2 (3.2.2.3.4)."""
    assert MAXIMUM_QOS not in broker.connect().connack.props


@pytest.mark.broker(max_qos=0)
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_mqtt5_3_2_2_10_subscribe_above_maximum_qos(broker, topic, qos):
    one, two = broker.connect(), broker.connect()
    assert one.subscribe(topic, qos=qos)[0] <= qos
    two.deliver(topic, b"x", qos=0)
    assert one.receive().payload == b"x"


@pytest.mark.parametrize("qos", [
    pytest.param(1, marks=pytest.mark.broker(max_qos=0)),
    pytest.param(2, marks=pytest.mark.broker(max_qos=0)),
    pytest.param(2, marks=pytest.mark.broker(max_qos=1))])
def test_mqtt5_3_2_2_11_publish_above_maximum_qos(broker, topic, qos):
    """The client must not; the server ends the connection and delivers nothing."""
    two = broker.connect()
    two.subscribe(topic)
    one = broker.connect()
    one.publish(topic, qos=qos, packet_id=1)
    one.refused(0x9b)
    two.ping()


@pytest.mark.parametrize("qos", [
    pytest.param(1, marks=pytest.mark.broker(max_qos=0)),
    pytest.param(2, marks=pytest.mark.broker(max_qos=1))])
def test_mqtt5_3_2_2_12_will_above_maximum_qos(broker, topic, qos):
    one = broker.raw()
    one.send(connect_packet("x", will=Will(topic, qos=qos)))
    one.not_connected(0x9b)
    broker.connect(will=Will(topic, qos=qos - 1))


@pytest.mark.broker(retain_available=False)
def test_mqtt5_3_2_2_13_will_retain_not_available(broker, topic):
    one = broker.raw()
    one.send(connect_packet("x", will=Will(topic, retain=True)))
    one.not_connected(0x9a)


@pytest.mark.broker(retain_available=False)
def test_mqtt5_3_2_2_14_retain_not_available(broker, topic):
    """The client is told, and must not; if it does all the same the connection ends."""
    one = broker.connect()
    assert one.connack.props[RETAIN_AVAILABLE] == 0
    one.publish(topic, retain=True)
    one.refused(0x9a)


def test_mqtt5_3_2_2_14_retain_available(broker):
    assert broker.connect().connack.props.get(RETAIN_AVAILABLE, 1) == 1


# Mosquitto 2.0.11 takes a byte more.
@pytest.mark.broker(max_packet_size=2000)
def test_mqtt5_3_2_2_15_maximum_packet_size_of_the_server(broker, topic):
    """To the byte."""
    one, two = broker.connect(), broker.connect()
    assert one.connack.props[MAXIMUM_PACKET_SIZE] == 2000
    two.subscribe(topic)
    data = publish_packet(topic, b"x" * 1000)
    one.publish(topic, b"x" * (3000 - len(data)))
    assert len(two.published().payload) == 3000 - len(data)
    one.publish(topic, b"x" * (3001 - len(data)))
    one.refused(0x95)
    two.ping()


@pytest.mark.broker(max_packet_size=2000)
def test_mqtt5_3_2_2_15_packet_is_refused_by_its_length_alone(broker):
    one = broker.connect()
    one.send(b"\x30\xff\xff\xff\x7f")
    one.refused(0x95)
    one = broker.raw()
    one.send(b"\x10\xff\xff\xff\x7f")
    one.not_connected(0x95, silent=True)


def test_mqtt5_3_2_2_16_assigned_client_identifier(broker):
    """One that no session has, those that are away included."""
    used = set()
    for i in range(6):
        one = broker.connect("", clean=bool(i % 2), props=KEEP)
        assert not one.connack.present
        used.add(one.connack.props[ASSIGNED_CLIENT_ID])
        if i > 3:
            one.disconnect()
    assert len(used) == 6


@pytest.mark.broker(max_topic_alias=5)
@pytest.mark.parametrize("alias", [6, 65535])
def test_mqtt5_3_2_2_17_topic_alias_above_the_maximum(broker, topic, alias):
    one = broker.connect()
    assert one.connack.props[TOPIC_ALIAS_MAXIMUM] == 5
    one.publish(topic, props={TOPIC_ALIAS: alias})
    one.refused(0x94)


@pytest.mark.broker(max_topic_alias=0)
def test_mqtt5_3_2_2_18_topic_alias_without_a_maximum(broker, topic):
    one = broker.connect()
    assert one.connack.props.get(TOPIC_ALIAS_MAXIMUM, 0) == 0
    one.publish(topic, props={TOPIC_ALIAS: 1})
    one.refused(0x94)


# Mosquitto 2.0.11 sends a CONNACK of any size.
@SECURED
@pytest.mark.parametrize("ident", ["x", ""])
@pytest.mark.parametrize("password", ["secret", "wrong"])
def test_mqtt5_3_2_2_19_and_20_connack_within_maximum_packet_size(broker, ident, password):
    """MQTT-3.2.2-19, MQTT-3.2.2-20: Reason String and User Properties are left out where a CONNACK
    would else be too large."""
    one = broker.raw()
    one.send(connect_packet(ident, username="tester", password=password))
    full = one.packet()
    size = len(full.body) + 2
    one = broker.raw()
    one.limit = size - 1
    one.send(connect_packet(ident, username="tester", password=password,
                            props={MAXIMUM_PACKET_SIZE: size - 1}))
    try:
        got = one.connacked()
    except (EOFError, ConnectionError):
        return
    assert not got.props.keys() & {REASON_STRING, USER_PROPERTY}


@pytest.mark.broker(max_keepalive=60)
def test_mqtt5_3_2_2_21_server_keep_alive(broker):
    """Told where the client's own is too long; the uplink shows that a client uses it."""
    assert broker.connect(keepalive=0).connack.props[SERVER_KEEP_ALIVE] == 60
    assert broker.connect(keepalive=100).connack.props[SERVER_KEEP_ALIVE] == 60
    assert SERVER_KEEP_ALIVE not in broker.connect(keepalive=59).connack.props


@pytest.mark.broker(max_keepalive=1)
def test_mqtt5_3_2_2_21_server_uses_its_keep_alive(broker):
    """Mosquitto 2.0.11 knows none below 10 s."""
    one = broker.connect(keepalive=1000)
    assert one.connack.props[SERVER_KEEP_ALIVE] == 1
    one.refused(0x8d)


def test_mqtt5_3_2_2_22_keep_alive_of_the_client(broker):
    one = broker.connect(keepalive=1)
    assert SERVER_KEEP_ALIVE not in one.connack.props
    one.refused(0x8d)

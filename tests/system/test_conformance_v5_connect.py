# SPDX-License-Identifier: GPL-2.0
"""MQTT 5.0, 3.1: CONNECT, but for its Will Message (test_conformance_v5_will.py)."""

import string as letters
import time

import pytest

from kmqtt_client import Will, connect_packet, subscribe_packet, unsubscribe_packet
from kmqtt_packet import (
    ASSIGNED_CLIENT_ID, AUTH_METHOD, CONNECT, CORRELATION_DATA, DISCONNECT, MAXIMUM_PACKET_SIZE,
    PINGREQ, PUBACK, PUBCOMP, PUBREC, PUBREL, REASON_STRING, RECEIVE_MAXIMUM, REQUEST_PROBLEM,
    REQUEST_RESPONSE, RESPONSE_INFORMATION, SESSION_EXPIRY, SUBACK, TOPIC_ALIAS,
    TOPIC_ALIAS_MAXIMUM, USER_PROPERTY, packet, publish_packet, string)

KEEP = {SESSION_EXPIRY: 1000}
SECURED = pytest.mark.broker(users={"tester": "secret"}, anonymous=False,
                             acl="user tester\ntopic readwrite open/#\ntopic readwrite fence/#\n")


# The order of packets

@pytest.mark.parametrize("data", [
    publish_packet("first"), publish_packet("first", qos=1, packet_id=1),
    subscribe_packet(["first"]), unsubscribe_packet(["first"]), packet(PINGREQ),
    packet(DISCONNECT), packet(PUBACK, b"\0\1"), packet(PUBREL, b"\0\1"), b"\xf0\x00",
    b"GET / HTTP/1.1\r\n\r\n", b"\x00\x00", b"\x20\x02\x00\x00",
], ids=["PUBLISH", "PUBLISH-QoS-1", "SUBSCRIBE", "UNSUBSCRIBE", "PINGREQ", "DISCONNECT", "PUBACK",
        "PUBREL", "AUTH", "HTTP", "zeros", "CONNACK"])
def test_mqtt5_3_1_0_1_first_packet_is_connect(broker, data):
    """Whatever else comes first ends the connection without a word."""
    one = broker.raw()
    one.send(data)
    one.closed()


def test_mqtt5_3_1_0_2_second_connect(broker, ident):
    one = broker.connect(ident)
    one.send(connect_packet(ident))
    one.refused(0x82)


# Protocol name and version

@pytest.mark.parametrize("name", ["MQTX", "mqtt", "", "MQTT ", "MQIsdp", "HTTP/1.1"])
def test_mqtt5_3_1_2_1_protocol_name(broker, name):
    one = broker.raw()
    one.send(connect_packet("name", name=name))
    one.not_connected(0x84)


@pytest.mark.parametrize("level", [6, 7, 100, 255])
def test_mqtt5_3_1_2_2_protocol_version(broker, level):
    one = broker.raw()
    one.send(connect_packet("level", level=level))
    one.not_connected(0x84)


@pytest.mark.parametrize("level", [0, 1, 2])
def test_mqtt5_3_1_2_2_protocol_version_before_3(broker, level):
    """Such a client is answered as one of 3.1.1 is: return code 1."""
    one = broker.raw(4)
    one.send(connect_packet("level", version=4, level=level))
    one.not_connected(1)


@pytest.mark.broker(protocols="3,4")
def test_mqtt5_3_1_2_2_protocol_version_that_is_turned_off(broker):
    """Mosquitto 2.0.11 has no such setting."""
    one = broker.raw()
    one.send(connect_packet("level"))
    one.not_connected(0x84)


# Connect Flags

@pytest.mark.parametrize("flags", [0x01, 0x03])
def test_mqtt5_3_1_2_3_reserved_connect_flag(broker, flags):
    one = broker.raw()
    one.send(connect_packet("reserved", flags=flags))
    one.not_connected(0x81)


def test_mqtt5_3_1_2_4_clean_start_discards_the_session(broker, topic, ident):
    """Its subscriptions, and what waits for it."""
    one = broker.connect(ident, props=KEEP)
    one.subscribe(topic, qos=1)
    one.disconnect()
    two = broker.connect()
    two.deliver(topic, b"waits")
    one = broker.connect(ident, clean=True, props=KEEP)
    assert not one.connack.present
    two.deliver(topic, b"later")
    assert one.fence() == []
    one.disconnect()
    assert broker.connect(ident, clean=False).connack.present


def test_mqtt5_3_1_2_5_session_is_resumed(broker, topic, ident):
    one = broker.connect(ident, props=KEEP)
    one.subscribe(topic, qos=1)
    one.disconnect()
    two = broker.connect()
    two.deliver(topic, b"waits")
    one = broker.connect(ident, clean=False, props=KEEP)
    assert one.connack.present
    assert one.receive().payload == b"waits"
    two.deliver(topic, b"later")
    assert one.receive().payload == b"later"


def test_mqtt5_3_1_2_6_session_is_made_where_there_is_none(broker, topic, ident):
    one = broker.connect(ident, clean=False, props=KEEP)
    assert not one.connack.present
    one.subscribe(topic)
    one.close()
    assert broker.connect(ident, clean=False).connack.present


# User Name and Password

@pytest.mark.parametrize("data", [
    connect_packet("flags", username="name", flags=0x02),
    connect_packet("flags", username="name", password="p", flags=0x42),
], ids=["name", "name-and-password"])
def test_mqtt5_3_1_2_16_user_name_without_flag(broker, data):
    one = broker.raw()
    one.send(data)
    one.not_connected(0x81)


def test_mqtt5_3_1_2_17_user_name_flag_without_user_name(broker):
    one = broker.raw()
    one.send(connect_packet("flags", flags=0x82))
    one.not_connected(0x81)


def test_mqtt5_3_1_2_18_password_without_flag(broker):
    one = broker.raw()
    one.send(connect_packet("flags", username="name", password="p", flags=0x82))
    one.not_connected(0x81)


@pytest.mark.parametrize("flags, username", [(0x42, None), (0xc2, "name")])
def test_mqtt5_3_1_2_19_password_flag_without_password(broker, flags, username):
    one = broker.raw()
    one.send(connect_packet("flags", username=username, flags=flags))
    one.not_connected(0x81)


def test_mqtt5_3_1_2_19_password_without_user_name(broker):
    """New in MQTT 5.0 (3.1.2.9)."""
    broker.connect(password="alone")


# Keep Alive

def test_mqtt5_3_1_2_22_keep_alive(broker, topic):
    """The connection ends after one and a half times, as if the network had failed."""
    two = broker.connect()
    two.subscribe(topic)
    one = broker.raw()
    start = time.monotonic()
    one.connect(keepalive=1, will=Will(topic, b"dead"))
    one.refused(0x8d)
    assert time.monotonic() - start >= 1.45
    assert two.receive().payload == b"dead"


def test_mqtt5_3_1_2_22_any_packet_keeps_alive(broker, topic):
    """Not only a PINGREQ. Without any the connection would have ended by then."""
    one = broker.connect(keepalive=4)
    for i in range(7):
        time.sleep(0.9)
        if i % 2:
            one.publish(topic)
        else:
            one.ping()
    one.ping()


# Session Expiry Interval

def test_mqtt5_3_1_2_23_session_is_stored(broker, topic, ident):
    """Also without a DISCONNECT: subscriptions, what waits, and what is under way both ways."""
    one, two = broker.connect(ident, props=KEEP), broker.connect()
    one.subscribe(topic, qos=2)
    two.deliver(topic, b"1")
    two.deliver(topic, b"2", qos=2)
    used = [one.published().packet_id for _ in range(2)]
    one.publish(topic + "/own", qos=2, packet_id=9)
    one.acked(PUBREC, 9)
    one.close()
    one = broker.connect(ident, clean=False, props=KEEP)
    assert one.connack.present
    got = [one.published() for _ in range(2)]
    assert [(m.payload, m.packet_id) for m in got] == [(b"1", used[0]), (b"2", used[1])]
    one.ack(PUBREL, 9)
    assert one.acked(PUBCOMP, 9).reason == 0


@pytest.mark.parametrize("props", [None, {SESSION_EXPIRY: 0}])
def test_mqtt5_3_1_2_23_session_ends_with_the_connection(broker, topic, ident, props):
    one = broker.connect(ident, props=props)
    one.subscribe(topic)
    one.disconnect()
    assert not broker.connect(ident, clean=False).connack.present


# Maximum Packet Size

# Mosquitto 2.0.11 sends one byte more than it may.
def test_mqtt5_3_1_2_24_packets_exceeding_the_maximum(broker, topic):
    """To the byte; who has no such maximum gets all."""
    one = broker.connect(props={MAXIMUM_PACKET_SIZE: 200})
    two, three = broker.connect(), broker.connect()
    one.subscribe(f"{topic}/#")
    two.subscribe(f"{topic}/#")
    most = 200 - len(publish_packet(f"{topic}/x")) - 1
    for size in (most + 1, most, 10000, 1):
        three.publish(f"{topic}/x", b"x" * size)
    assert [len(one.receive().payload) for _ in range(2)] == [most, 1]
    assert [len(two.receive().payload) for _ in range(4)] == [most + 1, most, 10000, 1]


# Mosquitto 2.0.11 counts what it has not sent as in flight.
@pytest.mark.parametrize("qos", [1, 2])
def test_mqtt5_3_1_2_25_too_large_is_as_if_it_were_sent(broker, topic, qos):
    """It takes no place among those in flight, and does not come again."""
    ident = f"large{qos}"
    props = {MAXIMUM_PACKET_SIZE: 200, RECEIVE_MAXIMUM: 2, **KEEP}
    one, two = broker.connect(ident, props=props), broker.connect()
    one.subscribe(topic, qos=2)
    for payload in (b"x" * 1000, b"y" * 1000, b"z" * 1000, b"a", b"b"):
        assert two.deliver(topic, payload, qos=qos) == 0
    assert [m.payload for m in one.receive_all(2)] == [b"a", b"b"]
    one.disconnect()
    one = broker.connect(ident, clean=False)
    assert one.connack.present
    assert one.fence() == []


# Topic Alias Maximum

def test_mqtt5_3_1_2_26_topic_aliases_up_to_the_maximum(broker, topic):
    one, two = broker.connect(props={TOPIC_ALIAS_MAXIMUM: 2}), broker.connect()
    one.subscribe(f"{topic}/#")
    names = {}
    for i in range(20):
        two.publish(f"{topic}/{i % 5}", b"%d" % (i % 5))
    for i in range(20):
        got = one.published()
        alias = got.props.get(TOPIC_ALIAS)
        assert alias in (None, 1, 2)
        if alias and got.topic:
            names[alias] = got.topic
        assert (got.topic or names[alias]) == f"{topic}/{i % 5}"


@pytest.mark.parametrize("props", [None, {TOPIC_ALIAS_MAXIMUM: 0}])
def test_mqtt5_3_1_2_27_no_topic_aliases(broker, topic, props):
    one, two = broker.connect(props=props), broker.connect()
    one.subscribe(f"{topic}/#")
    for i in range(10):
        two.publish(f"{topic}/{i % 2}")
    for i in range(10):
        got = one.published()
        assert (got.topic, got.props) == (f"{topic}/{i % 2}", {})


# Request Response Information, Request Problem Information

@pytest.mark.parametrize("props", [None, {REQUEST_RESPONSE: 0}])
def test_mqtt5_3_1_2_28_no_response_information(broker, props):
    assert RESPONSE_INFORMATION not in broker.connect(props=props).connack.props


@SECURED
def test_mqtt5_3_1_2_29_no_problem_information(broker):
    """In nothing that reports a failure, but where it is allowed."""
    one = broker.connect(username="tester", password="secret", props={REQUEST_PROBLEM: 0})
    one.publish("closed/x", qos=1, packet_id=1)
    puback = one.acked(PUBACK)
    one.publish("closed/x", qos=2, packet_id=2)
    pubrec = one.acked(PUBREC)
    one.ack(PUBREL, 99)
    pubcomp = one.acked(PUBCOMP)
    suback = one.suback("closed/#")
    unsuback = one.unsuback("never/there")
    for got in (puback, pubrec, pubcomp, suback, unsuback):
        assert not got.props.keys() & {REASON_STRING, USER_PROPERTY}


@pytest.mark.parametrize("value", [2, 255])
@pytest.mark.parametrize("prop", [REQUEST_RESPONSE, REQUEST_PROBLEM])
def test_mqtt5_3_1_2_29_neither_0_nor_1(broker, prop, value):
    one = broker.raw()
    one.send(connect_packet("flag", props={prop: value}))
    one.not_connected(0x82)


def test_mqtt5_3_1_2_30_other_packets_before_connack(broker, topic):
    """A client that wants to authenticate in its own way says nothing else before it has."""
    two = broker.connect()
    two.subscribe(topic)
    one = broker.raw()
    one.send(connect_packet("auth", props={AUTH_METHOD: "UNKNOWN"}) + publish_packet(topic))
    one.not_connected(0x8c)
    assert two.fence() == []


# Payload

@SECURED
def test_mqtt5_3_1_3_1_fields_in_order(broker, topic, ident):
    """Client Identifier, Will Properties, Will Topic, Will Payload, User Name, Password."""
    two = broker.connect(username="tester", password="secret")
    two.subscribe(f"open/{topic}")
    one = broker.connect(
        ident, username="tester", password="secret", props=KEEP,
        will=Will(f"open/{topic}", b"last", props={CORRELATION_DATA: b"first"}))
    one.close()
    got = two.receive()
    assert (got.payload, got.props) == (b"last", {CORRELATION_DATA: b"first"})
    again = broker.connect(ident, clean=False, username="tester", password="secret")
    assert again.connack.present


def test_mqtt5_3_1_3_2_client_identifier_identifies_the_session(broker, topic, ident):
    """It and nothing else, to the letter."""
    for name in (ident, ident.upper(), ident + "x"):
        one = broker.connect(name, props=KEEP)
        one.subscribe(f"{topic}/{name}", qos=1)
        one.disconnect()
    two = broker.connect()
    for name in (ident, ident.upper(), ident + "x"):
        two.deliver(f"{topic}/{name}", name.encode())
    for name in (ident + "x", ident, ident.upper()):
        one = broker.connect(name, clean=False)
        assert one.connack.present
        assert [m.payload for m in one.fence()] == [name.encode()]


def test_mqtt5_3_1_3_3_client_identifier_is_there(broker):
    one = broker.raw()
    one.send(packet(CONNECT, string("MQTT") + b"\x05\x02\0\0\0"))
    one.not_connected(0x81)


@pytest.mark.parametrize("bad", [b"\xff", b"a\xc3", b"\xed\xa0\x80", b"a\0b"])
def test_mqtt5_3_1_3_4_client_identifier_is_utf8(broker, bad):
    one = broker.raw()
    one.send(connect_packet(bad))
    one.not_connected(0x81)


def test_mqtt5_3_1_3_4_client_identifier_beyond_ascii(broker):
    one = broker.connect("grüße-ключ-鍵", props=KEEP)
    one.disconnect()
    assert broker.connect("grüße-ключ-鍵", clean=False).connack.present


@pytest.mark.parametrize("name", [
    "Z", "0", letters.digits + "abcdefghijklm", "nopqrstuvwxyz" + "ABCDEFGHIJ",
    "KLMNOPQRSTUVWXYZ" + "0123456"])
def test_mqtt5_3_1_3_5_client_identifiers_that_are_allowed(broker, name):
    assert len(name) <= 23
    one = broker.connect(name)
    assert ASSIGNED_CLIENT_ID not in one.connack.props


def test_mqtt5_3_1_3_6_client_identifier_is_assigned(broker):
    """Each time another one."""
    names = {broker.connect("").connack.props[ASSIGNED_CLIENT_ID] for _ in range(10)}
    assert len(names) == 10 and b"" not in names


@pytest.mark.parametrize("clean", [True, False])
def test_mqtt5_3_1_3_7_assigned_client_identifier_is_the_clients(broker, topic, clean):
    """As if it had been the client's own all along."""
    one = broker.connect("", clean=clean, props=KEEP)
    assert not one.connack.present
    one.subscribe(topic, qos=1)
    name = one.connack.props[ASSIGNED_CLIENT_ID].decode()
    one.disconnect()
    broker.connect().deliver(topic, b"waits")
    one = broker.connect(name, clean=False)
    assert one.connack.present and ASSIGNED_CLIENT_ID not in one.connack.props
    assert one.receive().payload == b"waits"


@pytest.mark.broker(zero_length_clientid=False)
def test_mqtt5_3_1_3_8_client_identifier_is_rejected(broker):
    """An empty one, by a listener that gives none."""
    one = broker.raw()
    one.send(connect_packet(""))
    one.not_connected(0x85)
    broker.connect("x" * 65535)


@pytest.mark.parametrize("bad", [b"\xff", b"a\xc3", b"\xed\xa0\x80", b"a\0b"])
def test_mqtt5_3_1_3_12_user_name_is_utf8(broker, bad):
    one = broker.raw()
    one.send(connect_packet("user", username=bad, password="p"))
    one.not_connected(0x81)


# Actions

BODY = connect_packet("broken", username="user", password="p", will=Will("w"))[2:]
WRONG = {
    "cut-in-password": packet(CONNECT, BODY[:-1]),
    "trailing-byte": packet(CONNECT, BODY + b"\0"),
    "cut-in-properties": packet(CONNECT, string("MQTT") + b"\x05\x02\0\0\x05\x11\0\0"),
    "property-of-another-packet": connect_packet("x", props={TOPIC_ALIAS: 1}),
    "unknown-property": connect_packet("x", props=b"\x02\x7f\x01"),
    "properties-end-in-a-property": connect_packet("x", props=b"\x02\x21\x00"),
}
PROTOCOL_ERRORS = {
    "twice": {SESSION_EXPIRY: [1, 1]}, "receive-maximum-0": {RECEIVE_MAXIMUM: 0},
    "maximum-packet-size-0": {MAXIMUM_PACKET_SIZE: 0},
    "authentication-data-alone": {0x16: b"data"},
}


@pytest.mark.parametrize("data", WRONG.values(), ids=WRONG)
def test_mqtt5_3_1_4_1_malformed_connect(broker, data):
    one = broker.raw()
    one.send(data)
    one.not_connected(0x81)


# Mosquitto 2.0.11 takes Authentication Data without an Authentication Method.
@pytest.mark.parametrize("props", PROTOCOL_ERRORS.values(), ids=PROTOCOL_ERRORS)
def test_mqtt5_3_1_4_1_connect_with_a_protocol_error(broker, props):
    one = broker.raw()
    one.send(connect_packet("x", props=props))
    one.not_connected(0x82)


@pytest.mark.parametrize("more, reason", [
    ({"username": "tester", "password": "wrong"}, 0x86), ({"username": "nobody"}, 0x86),
    ({"username": "nobody", "password": "secret"}, 0x86), ({}, 0x87)],
    ids=["password", "no-password", "name", "anonymous"])
@SECURED
def test_mqtt5_3_1_4_2_authentication(broker, more, reason):
    one = broker.raw()
    one.send(connect_packet("stranger", **more))
    one.not_connected(reason)


# Mosquitto 2.0.11 closes the connection without a DISCONNECT.
def test_mqtt5_3_1_4_3_take_over(broker, ident):
    one = broker.connect(ident, props=KEEP)
    two = broker.connect(ident, clean=False, props=KEEP)
    assert two.connack.present
    got = one.disconnected()
    assert got.reason == 0x8e
    one.closed()
    two.ping()


def test_mqtt5_3_1_4_4_clean_start_of_a_session_in_use(broker, topic, ident):
    """A take-over with Clean Start leaves nothing of the session; one without it, all."""
    one = broker.connect(ident, props=KEEP)
    one.subscribe(topic, qos=1)
    two = broker.connect(ident, clean=False, props=KEEP)
    one.refused(0x8e)
    broker.connect().deliver(topic, b"1")
    assert two.receive().payload == b"1"
    three = broker.connect(ident, clean=True)
    two.refused(0x8e)
    assert not three.connack.present
    broker.connect().deliver(topic, b"2")
    assert three.fence() == []


def test_mqtt5_3_1_4_5_connect_is_acknowledged(broker, ident):
    """With 0x00; packets that came with it are answered after that."""
    one = broker.raw()
    one.send(connect_packet(ident) + packet(PINGREQ) + subscribe_packet([ident], 3))
    got = one.connacked()
    assert (got.reason, got.flags) == (0, 0)
    one.expect(PINGREQ + 1)
    assert one.codes(SUBACK) == (3, [0], {})


@SECURED
def test_mqtt5_3_1_4_6_nothing_after_a_rejected_connect(broker, topic):
    two = broker.connect(username="tester", password="secret")
    two.subscribe(f"open/{topic}")
    one = broker.raw()
    one.send(connect_packet("x", username="tester", password="wrong") +
             publish_packet(f"open/{topic}") + publish_packet(f"open/{topic}", qos=1, packet_id=1))
    one.not_connected(0x86)
    assert two.fence() == []

# SPDX-License-Identifier: GPL-2.0
"""MQTT 5.0, 3.12 to 3.15 and 4.13: PINGREQ, DISCONNECT, AUTH, handling errors."""

import pytest

from kmqtt_client import Will, connect_packet, subscribe_packet
from kmqtt_packet import (
    AUTH, AUTH_METHOD, CONNACK, DISCONNECT, MAXIMUM_PACKET_SIZE, PINGREQ, PINGRESP, PUBACK,
    REASON_STRING, SERVER_REFERENCE, SESSION_EXPIRY, TOPIC_ALIAS, USER_PROPERTY, encode_props,
    packet, publish_packet)

KEEP = {SESSION_EXPIRY: 1000}

# Table 3-10: what a server may send.
SERVER_CODES = {0x00, *range(0x80, 0x84), 0x87, 0x89, 0x8b, 0x8d, 0x8e, 0x8f, 0x90,
                *range(0x93, 0xa3)}
# A client's violations, and what a server says to them. Mosquitto 2.0.11 takes a PINGRESP.
VIOLATIONS = {
    "second-connect": (connect_packet("x"), 0x82), "reserved-flag": (b"\xf1\0", 0x81),
    "wildcard": (publish_packet("a/#"), 0x90),
    "alias": (publish_packet("a", props={TOPIC_ALIAS: 0}), 0x94),
    "filter": (subscribe_packet(["a#"]), 0x8f), "no-filter": (subscribe_packet([]), 0x82),
    "connack": (packet(CONNACK, b"\0\0\0"), 0x82), "type-0": (b"\0\0", 0x81),
    "pingresp": (packet(PINGRESP), 0x82), "length": (b"\x30\xff\xff\xff\xff\x01", 0x81),
}
EACH = pytest.mark.parametrize("data, reason", VIOLATIONS.values(), ids=VIOLATIONS)


# PINGREQ

def test_mqtt5_3_12_4_1_pingresp(broker):
    """One for each."""
    one = broker.connect()
    one.send(packet(PINGREQ) * 100)
    for _ in range(100):
        assert one.packet() == (PINGRESP, 0, b"")
    one.ping()


# DISCONNECT

@pytest.mark.parametrize("data, reason", VIOLATIONS.values(), ids=VIOLATIONS)
def test_mqtt5_3_14_0_1_no_disconnect_before_connack(broker, data, reason):
    """Nor after one that refuses. A second CONNECT is the first here."""
    one = broker.raw()
    one.send(connect_packet("x", flags=0x03) + data)
    one.not_connected(0x81)
    if reason != 0x82 or data[0] >> 4 != 1:
        one = broker.raw()
        one.send(data)
        one.closed()


@pytest.mark.parametrize("flags", range(1, 16))
def test_mqtt5_3_14_1_1_reserved_flags_of_disconnect(broker, topic, flags):
    """It is no DISCONNECT then: the Will Message is published."""
    two = broker.connect()
    two.subscribe(topic)
    one = broker.connect(will=Will(topic, b"dead"))
    one.send(packet(DISCONNECT, b"", flags))
    one.refused(0x81)
    assert two.receive().payload == b"dead"


@pytest.mark.parametrize("reason", [0x00, 0x04, *range(0x80, 0x84), 0x90, *range(0x93, 0x9a)])
def test_mqtt5_3_14_2_1_reason_codes_of_a_client(broker, reason):
    broker.connect().disconnect(reason)


# Mosquitto 2.0.11 does not look at them.
@pytest.mark.parametrize("reason", [0x01, 0x10, 0x18, 0x7f, 0x84, 0x8a, 0x92, 0xa3, 0xff])
def test_mqtt5_3_14_2_1_wrong_reason_codes_of_a_client(broker, reason):
    one = broker.connect()
    one.send(packet(DISCONNECT, bytes([reason])))
    one.refused(0x82, 0x81)


@EACH
def test_mqtt5_3_14_2_1_and_2_disconnect_of_the_server(broker, data, reason):
    """MQTT-3.14.2-1: a code of the table. MQTT-3.14.2-2: no Session Expiry Interval."""
    one = broker.connect(props=KEEP)
    one.send(data)
    got = one.refused(reason)
    if got:
        assert got.reason in SERVER_CODES
        assert SESSION_EXPIRY not in got.props


def test_mqtt5_3_14_2_2_session_expiry_interval_on_disconnect(broker, topic, ident):
    """Only a client's: it may change the one of its CONNECT, but for one that was 0."""
    one = broker.connect(ident, props={SESSION_EXPIRY: 1000})
    one.disconnect(0, {SESSION_EXPIRY: 0})
    assert not broker.connect(ident, clean=False).connack.present
    one = broker.connect(ident, props={SESSION_EXPIRY: 1})
    one.disconnect(0, {SESSION_EXPIRY: 1000})
    one = broker.connect(ident, clean=False, props={SESSION_EXPIRY: 0})
    assert one.connack.present
    one.send(packet(DISCONNECT, b"\0" + encode_props({SESSION_EXPIRY: 5})))
    one.refused(0x82)


def test_mqtt5_3_14_2_2_server_reference_of_a_client(broker):
    """Only a server may send one (3.14.2.2.5)."""
    one = broker.connect()
    one.send(packet(DISCONNECT, b"\0" + encode_props({SERVER_REFERENCE: "other"})))
    one.refused(0x82, 0x81)


@EACH
def test_mqtt5_3_14_2_3_and_4_disconnect_within_maximum_packet_size(broker, data, reason):
    """MQTT-3.14.2-3, MQTT-3.14.2-4: Reason String and User Properties are left out."""
    one = broker.connect()
    one.send(data)
    full = one.refused(reason)
    size = 3 + len(encode_props(full.props)) if full else 0
    for limit in {40, max(size - 1, 40)}:
        one = broker.connect(props={MAXIMUM_PACKET_SIZE: limit})
        one.send(data)
        got = one.refused(reason)
        if got and size > limit:
            assert not got.props.keys() & {REASON_STRING, USER_PROPERTY}


@pytest.mark.parametrize("body", [b"", b"\0", b"\0\0", b"\x04"], ids=["empty", "0", "length", "4"])
def test_mqtt5_3_14_4_1_nothing_after_a_disconnect(broker, topic, body):
    """Of a client: what it sends after that is not looked at. Of the server: refused() sees that
    nothing follows."""
    two = broker.connect()
    two.subscribe(topic)
    one = broker.connect()
    one.send(packet(DISCONNECT, body) + publish_packet(topic) +
             publish_packet(topic, qos=1, packet_id=1) + packet(PINGREQ))
    one.closed()
    assert two.fence() == []
    one = broker.connect()
    one.send(b"\xf1\0" + packet(PINGREQ) + publish_packet(topic))
    one.refused(0x81)
    assert two.fence() == []


@pytest.mark.parametrize("reason", [None, 0x00, 0x04, 0x80])
def test_mqtt5_3_14_4_2_connection_is_closed(broker, reason):
    """By both: disconnect() waits for the server to close it, after the client's DISCONNECT; after
    its own see refused()."""
    broker.connect().disconnect(reason)
    one = broker.connect()
    two = broker.connect(one.client_id)
    one.refused(0x8e)
    two.ping()


@pytest.mark.parametrize("reason", [None, 0x00])
def test_mqtt5_3_14_4_3_will_is_discarded(broker, topic, reason):
    two = broker.connect()
    two.subscribe(topic)
    one = broker.connect(will=Will(topic, b"dead"), props=KEEP)
    one.disconnect(reason)
    broker.connect(one.client_id).disconnect()
    assert two.fence() == []


# AUTH; see test_conformance_v5_auth.py for the exchange

@pytest.mark.parametrize("flags", range(1, 16))
def test_mqtt5_3_15_1_1_reserved_flags_of_auth(broker, flags):
    one = broker.connect()
    one.send(packet(AUTH, b"\x19" + encode_props({AUTH_METHOD: "m"}), flags))
    one.refused(0x81)


@pytest.mark.parametrize("reason", [0x01, 0x1a, 0x80, 0x8c, 0xff])
def test_mqtt5_3_15_2_1_wrong_reason_codes_of_auth(broker, reason):
    one = broker.connect()
    one.send(packet(AUTH, bytes([reason]) + encode_props({AUTH_METHOD: "m"})))
    one.refused(0x82, 0x81)


# Handling errors

# Mosquitto 2.0.11 loses the session at a second CONNECT.
@EACH
def test_mqtt5_4_13_1_1_connection_is_closed(broker, topic, data, reason):
    """With the code that the standard gives; others do not notice, and the session stays."""
    two = broker.connect()
    two.subscribe(topic)
    one = broker.connect(f"broken{reason}", props=KEEP)
    one.send(data)
    one.refused(reason)
    assert broker.connect(one.client_id, clean=False).connack.present
    broker.connect().deliver(topic, b"fine")
    assert two.receive().payload == b"fine"


def test_mqtt5_4_13_2_1_connection_is_closed_after_a_code(broker, ident):
    """CONNACK and DISCONNECT with 0x80 or more are the last packet; PUBACK and its like are not."""
    one = broker.raw()
    one.send(connect_packet(ident, level=99) + packet(PINGREQ))
    one.not_connected(0x84)
    one = broker.connect(ident)
    one.send(b"\0\0" + packet(PINGREQ))
    one.refused(0x81)
    one = broker.connect(ident)
    one.unsubscribe("none")
    one.ping()


@pytest.mark.broker(acl="topic readwrite open/#\n")
def test_mqtt5_4_13_2_1_connection_goes_on_after_other_codes(broker):
    one = broker.connect()
    one.publish("closed", qos=1, packet_id=1)
    assert one.acked(PUBACK, 1).reason == 0x87
    one.ping()

# SPDX-License-Identifier: GPL-2.0
"""MQTT 5.0, 4.12: enhanced authentication, where nobody in user space takes part in it."""

import pytest

from kmqtt_client import connect_packet
from kmqtt_packet import (
    AUTH, AUTH_DATA, AUTH_METHOD, MAXIMUM_PACKET_SIZE, PINGREQ, SESSION_EXPIRY, TOPIC_ALIAS,
    encode_props, packet, publish_packet)

KEEP = {SESSION_EXPIRY: 1000}


def auth_packet(reason, props):
    return packet(AUTH, bytes([reason]) + encode_props(props))


@pytest.mark.parametrize("props", [
    {AUTH_METHOD: "SCRAM-SHA-256"}, {AUTH_METHOD: ""}, {AUTH_METHOD: "m", AUTH_DATA: b"\0\xff"}],
    ids=["method", "empty", "data"])
def test_mqtt5_4_12_0_1_and_4_unknown_method(broker, ident, props):
    """MQTT-4.12.0-1, MQTT-4.12.0-4: CONNACK 0x8C and the end; the session is not touched."""
    broker.connect(ident, props=KEEP).disconnect()
    one = broker.raw()
    one.send(connect_packet(ident, props=props))
    one.not_connected(0x8c)
    assert broker.connect(ident, clean=False).connack.present


def test_mqtt5_4_12_0_2_and_5_no_auth_of_the_server(broker):
    """MQTT-4.12.0-2, MQTT-4.12.0-5: with nobody to ask there is no exchange, but a CONNACK at once;
    an AUTH that came with the CONNECT changes nothing."""
    one = broker.raw()
    one.send(connect_packet("auth", props={AUTH_METHOD: "m"}) +
             auth_packet(0x18, {AUTH_METHOD: "m", AUTH_DATA: b"x"}))
    got = one.not_connected(0x8c)
    assert not got or AUTH_METHOD not in got.props


def test_mqtt5_3_15_2_2_and_3_no_auth_above_maximum_packet_size(broker):
    """MQTT-3.15.2-2, MQTT-3.15.2-3: nor one with a Reason String or User Properties."""
    one = broker.raw()
    one.limit = 40
    one.send(connect_packet("auth", props={AUTH_METHOD: "m" * 100, MAXIMUM_PACKET_SIZE: 40}))
    one.not_connected(0x8c)


@pytest.mark.parametrize("username", [None, "name"])
def test_mqtt5_4_12_0_6_no_method_no_auth(broker, username):
    one = broker.connect(username=username)
    assert not one.connack.props.keys() & {AUTH_METHOD, AUTH_DATA}
    one.ping()


@pytest.mark.parametrize("data", [
    packet(AUTH), packet(AUTH, b"\0"), auth_packet(0x18, {AUTH_METHOD: "m"}),
    auth_packet(0x19, {AUTH_METHOD: "m"})], ids=["empty", "success", "continue", "again"])
def test_mqtt5_4_12_0_7_auth_of_a_client_without_method(broker, topic, data):
    """A protocol error; nothing that follows is processed."""
    two = broker.connect()
    two.subscribe(topic)
    one = broker.connect()
    one.send(data + publish_packet(topic) + packet(PINGREQ))
    one.refused(0x82)
    assert two.fence() == []


@pytest.mark.parametrize("props, reasons", [
    ({AUTH_METHOD: "m"}, [0x82]), ({}, [0x82]), ({AUTH_DATA: b"x"}, [0x82]),
    ({AUTH_METHOD: ["m", "m"]}, [0x82]), ({AUTH_METHOD: "m", TOPIC_ALIAS: 1}, [0x81, 0x82])],
    ids=["method", "no-method", "data-alone", "twice", "topic-alias"])
def test_mqtt5_4_12_1_1_and_2_authenticate_again(broker, props, reasons):
    """MQTT-4.12.1-1, MQTT-4.12.1-2: it fails, and the connection is closed."""
    one = broker.connect()
    one.send(auth_packet(0x19, props))
    one.refused(*reasons)

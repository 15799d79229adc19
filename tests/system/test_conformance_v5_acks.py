# SPDX-License-Identifier: GPL-2.0
"""MQTT 5.0, 3.4 to 3.7: PUBACK, PUBREC, PUBREL, PUBCOMP."""

import pytest

from kmqtt_packet import (
    MAXIMUM_PACKET_SIZE, PUBACK, PUBCOMP, PUBREC, PUBREL, REASON_STRING, TOPIC_ALIAS,
    USER_PROPERTY, encode_props, packet)

# Tables 3-4, 3-5, 3-6 and 3-7: what may stand in each.
CODES = {PUBACK: {0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99}, PUBREL: {0x00, 0x92}}
CODES[PUBREC], CODES[PUBCOMP] = CODES[PUBACK], CODES[PUBREL]
NAMES = {PUBACK: "PUBACK", PUBREC: "PUBREC", PUBREL: "PUBREL", PUBCOMP: "PUBCOMP"}

SECURED = pytest.mark.broker(acl="topic readwrite open/#\ntopic readwrite fence/#\n")


def until(broker, topic, kind):
    """A subscriber, and a packet identifier that waits for an acknowledgement of this kind."""
    one, two = broker.connect(), broker.connect()
    one.subscribe(topic, qos=2)
    if kind == PUBREL:
        one.publish(f"{topic}/other", qos=2, packet_id=5)
        one.acked(PUBREC, 5)
        return one, 5
    two.deliver(topic, b"x", qos=1 if kind == PUBACK else 2)
    got = one.published().packet_id
    if kind == PUBCOMP:
        one.ack(PUBREC, got)
        one.acked(PUBREL, got)
    return one, got


def takes_each_code(broker, topic, kind):
    for reason in sorted(CODES[kind]):
        one, packet_id = until(broker, f"{topic}/{reason}", kind)
        one.ack(kind, packet_id, reason)
        if kind == PUBREC and reason < 0x80:
            one.acked(PUBREL, packet_id)
        elif kind == PUBREL:
            one.acked(PUBCOMP, packet_id)
        one.ping()


def refuses_other_codes(broker, topic, kind):
    """Those that no packet has, and those that belong to others."""
    for reason in (0x01, 0x04, 0x18, 0x7f, 0x81, 0x82, 0x8e, 0xa2, 0xff):
        one, packet_id = until(broker, f"{topic}/{reason}", kind)
        one.ack(kind, packet_id, reason)
        one.refused(0x82, 0x81)


def small(broker, topic, ask, code):
    """The acknowledgement that @ask brings about, with and without a limit to its size."""
    full = ask(broker.connect(), topic)
    assert full.reason == code
    size = 2 + 2 + 1 + (len(encode_props(full.props)) if full.props else 0)
    # No less than what lets a client connect.
    for limit in range(max(size - 1, 40), size + 1):
        got = ask(broker.connect(props={MAXIMUM_PACKET_SIZE: limit}), topic)
        assert got.reason == code
        if limit < size:
            assert not got.props.keys() & {REASON_STRING, USER_PROPERTY}
    got = ask(broker.connect(props={MAXIMUM_PACKET_SIZE: 40}), topic)
    assert got.reason == code


# PUBACK

@SECURED
def test_mqtt5_3_4_2_1_reason_codes_of_the_servers_puback(broker, topic):
    one = broker.connect()
    one.publish(f"open/{topic}", qos=1, packet_id=1)
    assert one.acked(PUBACK, 1).reason in (0x00, 0x10)
    one.publish(f"closed/{topic}", qos=1, packet_id=2)
    assert one.acked(PUBACK, 2).reason == 0x87


def test_mqtt5_3_4_2_1_reason_codes_of_a_clients_puback(broker, topic):
    takes_each_code(broker, topic, PUBACK)


# Mosquitto 2.0.11 takes all codes in all of them.
def test_mqtt5_3_4_2_1_wrong_reason_codes_of_a_clients_puback(broker, topic):
    refuses_other_codes(broker, topic, PUBACK)


@SECURED
def test_mqtt5_3_4_2_2_and_3_puback_within_maximum_packet_size(broker, topic):
    """MQTT-3.4.2-2, MQTT-3.4.2-3."""
    def ask(one, name):
        one.publish(f"closed/{name}", qos=1, packet_id=1)
        return one.acked(PUBACK, 1)
    small(broker, topic, ask, 0x87)


# PUBREC

@SECURED
def test_mqtt5_3_5_2_1_reason_codes_of_the_servers_pubrec(broker, topic):
    one = broker.connect()
    one.publish(f"open/{topic}", qos=2, packet_id=1)
    assert one.acked(PUBREC, 1).reason in (0x00, 0x10)
    one.publish(f"closed/{topic}", qos=2, packet_id=2)
    assert one.acked(PUBREC, 2).reason == 0x87


def test_mqtt5_3_5_2_1_reason_codes_of_a_clients_pubrec(broker, topic):
    takes_each_code(broker, topic, PUBREC)


def test_mqtt5_3_5_2_1_wrong_reason_codes_of_a_clients_pubrec(broker, topic):
    refuses_other_codes(broker, topic, PUBREC)


@SECURED
def test_mqtt5_3_5_2_2_and_3_pubrec_within_maximum_packet_size(broker, topic):
    """MQTT-3.5.2-2, MQTT-3.5.2-3."""
    def ask(one, name):
        one.publish(f"closed/{name}", qos=2, packet_id=1)
        return one.acked(PUBREC, 1)
    small(broker, topic, ask, 0x87)


# PUBREL

@pytest.mark.parametrize("flags", [f for f in range(16) if f != 2])
def test_mqtt5_3_6_1_1_reserved_flags_of_pubrel(broker, topic, flags):
    one = broker.connect()
    one.publish(topic, qos=2, packet_id=1)
    one.acked(PUBREC, 1)
    one.send(packet(PUBREL, b"\0\1", flags))
    one.refused(0x81)


def test_mqtt5_3_6_1_1_flags_of_the_servers_pubrel(broker, topic):
    """acked() looks at them."""
    one, packet_id = until(broker, topic, PUBREC)
    one.ack(PUBREC, packet_id)
    assert one.acked(PUBREL, packet_id).reason == 0


# Mosquitto 2.0.11 never says 0x92.
def test_mqtt5_3_6_2_1_reason_codes_of_the_servers_pubrel(broker):
    """Also to what it does not know."""
    one = broker.connect()
    one.ack(PUBREC, 77)
    assert one.acked(PUBREL, 77).reason == 0x92


def test_mqtt5_3_6_2_1_reason_codes_of_a_clients_pubrel(broker, topic):
    takes_each_code(broker, topic, PUBREL)


def test_mqtt5_3_6_2_1_wrong_reason_codes_of_a_clients_pubrel(broker, topic):
    refuses_other_codes(broker, topic, PUBREL)


def test_mqtt5_3_6_2_2_and_3_pubrel_within_maximum_packet_size(broker, topic):
    """MQTT-3.6.2-2, MQTT-3.6.2-3."""
    def ask(one, _):
        one.ack(PUBREC, 77)
        return one.acked(PUBREL, 77)
    small(broker, topic, ask, 0x92)


# PUBCOMP

def test_mqtt5_3_7_2_1_reason_codes_of_the_servers_pubcomp(broker, topic):
    one = broker.connect()
    one.publish(topic, qos=2, packet_id=1)
    one.acked(PUBREC, 1)
    one.ack(PUBREL, 1)
    assert one.acked(PUBCOMP, 1).reason == 0
    one.ack(PUBREL, 77)
    assert one.acked(PUBCOMP, 77).reason == 0x92


def test_mqtt5_3_7_2_1_reason_codes_of_a_clients_pubcomp(broker, topic):
    takes_each_code(broker, topic, PUBCOMP)


def test_mqtt5_3_7_2_1_wrong_reason_codes_of_a_clients_pubcomp(broker, topic):
    refuses_other_codes(broker, topic, PUBCOMP)


def test_mqtt5_3_7_2_2_and_3_pubcomp_within_maximum_packet_size(broker, topic):
    """MQTT-3.7.2-2, MQTT-3.7.2-3."""
    def ask(one, _):
        one.ack(PUBREL, 77)
        return one.acked(PUBCOMP, 77)
    small(broker, topic, ask, 0x92)


# What all have

FORMS = {
    "no-code": b"", "code": b"\0", "no-properties": b"\0\0",
    "reason-string": b"\0" + encode_props({REASON_STRING: "why"}),
    "user-properties": b"\0" + encode_props({USER_PROPERTY: [("a", "b"), ("a", "c")]}),
}


@pytest.mark.parametrize("rest", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("kind", NAMES, ids=NAMES.values())
def test_mqtt5_3_4_2_1_and_its_like_each_form(broker, topic, kind, rest):
    """What may be left out, and what may stand there."""
    one, packet_id = until(broker, topic, kind)
    one.send(packet(kind, packet_id.to_bytes(2, "big") + rest))
    if kind in (PUBREC, PUBREL):
        assert one.acked(kind + 1, packet_id).reason == 0
    one.ping()


BAD_FORMS = {
    "empty": (b"", 0x81), "one-byte": (b"\0", 0x81), "packet-id-0": (b"\0\0", 0x82),
    "trailing-byte": (b"\0\1\0\0\0", 0x81), "cut-properties": (b"\0\1\0\5\x1f\0", 0x81),
    "alias": (b"\0\1\0" + encode_props({TOPIC_ALIAS: 1}), 0x81),
    "reason-string-twice": (b"\0\1\0" + encode_props({REASON_STRING: ["a", "b"]}), 0x82),
}


# Mosquitto 2.0.11 takes a byte too much.
@pytest.mark.parametrize("body, reason", BAD_FORMS.values(), ids=BAD_FORMS)
@pytest.mark.parametrize("kind", NAMES, ids=NAMES.values())
def test_mqtt5_3_4_2_1_and_its_like_malformed(broker, kind, body, reason):
    one = broker.connect()
    one.send(packet(kind, body))
    one.refused(reason, 0x81)

# SPDX-License-Identifier: GPL-2.0
"""MQTT 3.1 (MQIsdp, level 3): where it differs from 3.1.1, and that the rest is the same.

Its specification numbers no statements: the names of the tests say the section. What it leaves
to the server is done as Mosquitto does it: a client identifier may have more than 23 bytes.
"""

import struct

import pytest

from kmqtt_client import Will, connect_packet
from kmqtt_packet import (
    CONNECT, PINGREQ, PINGRESP, PUBACK, PUBCOMP, PUBREC, PUBREL, SUBACK, SUBSCRIBE, UNSUBACK,
    UNSUBSCRIBE, packet, publish_packet, string)


@pytest.fixture
def client(broker):
    """A client of MQTT 3.1 that is connected."""
    return broker.connect(version=3)


@pytest.fixture
def other(broker):
    """Another one."""
    return broker.connect(version=3)


def body_of(flags, *fields, name="MQIsdp", level=3):
    """A CONNECT with these flags and these strings as payload."""
    return packet(CONNECT, string(name) + struct.pack(">BBH", level, flags, 0) +
                  b"".join(string(f) for f in fields))


# 3.1 CONNECT, 3.2 CONNACK

@pytest.mark.parametrize("name, level", [
    ("MQIsdp", 2), ("MQIsdp", 4), ("MQTT", 3), ("mqisdp", 3), ("MQIsdpX", 3)])
def test_mqtt31_3_1_protocol_name_and_version(broker, ident, name, level):
    """Code 1 (unacceptable protocol version), or nothing, and the end."""
    one = broker.raw(version=3)
    one.send(body_of(2, ident, name=name, level=level) + packet(PINGREQ))
    try:
        assert one.connacked()[:2] == (False, 1)
    except (EOFError, ConnectionError):
        return
    one.closed()


@pytest.mark.parametrize("client_id", ["1", "a" * 23, "\u20ac\u00e4 /+#", "b" * 24, "c" * 1000])
def test_mqtt31_3_1_client_identifier(broker, client_id):
    broker.connect(client_id, version=3).ping()


@pytest.mark.parametrize("clean", [False, True])
def test_mqtt31_3_1_empty_client_identifier_is_rejected(broker, clean):
    """Code 2, whatever Clean Session says: none is made up before 3.1.1."""
    one = broker.raw(version=3)
    one.send(connect_packet("", version=3, clean=clean) + packet(PINGREQ))
    assert one.connacked()[:2] == (False, 2)
    one.closed()


@pytest.mark.broker(anonymous=False, users={"user": "right"})
@pytest.mark.parametrize("more", [
    {}, {"username": "user"}, {"username": "user", "password": "wrong"},
    {"username": "nobody", "password": "right"}], ids=["none", "no password", "wrong", "unknown"])
def test_mqtt31_3_2_bad_user_name_or_password(broker, ident, more):
    """Code 4 or 5, and the end; the right ones are let in."""
    one = broker.raw(version=3)
    one.send(connect_packet(ident, version=3, **more))
    got = one.connacked()
    assert (got.flags, got.reason in (4, 5)) == (0, True)
    one.closed()
    broker.connect(ident, version=3, username="user", password="right").ping()


@pytest.mark.parametrize("data", [
    body_of(0xc2, "c"), body_of(0xc2, "c", "user"), body_of(0x82, "c"), body_of(0x03, "c"),
    body_of(0x2a, "c")],
    ids=["no user name and password", "no password", "no user name", "unused bit",
         "will QoS and retain without will"])
def test_mqtt31_3_1_what_the_flags_promise_may_be_missing(broker, data):
    """The Remaining Length takes precedence; bits that say nothing are not looked at."""
    one = broker.raw(version=3)
    one.send(data)
    assert one.connacked()[:2] == (False, 0)
    one.ping()


@pytest.mark.parametrize("data", [
    body_of(2), body_of(0x06, "c"), body_of(0x06, "c", "t"), body_of(0x1e, "c", "t", "m"),
    body_of(0x06, "c", "t/#", "m"), body_of(2, b"\xff"), body_of(2, b"c\0"),
    packet(CONNECT, b"\0\6MQIsdp\3\2\0")],
    ids=["no client id", "no will topic", "no will message", "will QoS 3", "will with a wildcard",
         "not UTF-8", "NUL", "cut off"])
def test_mqtt31_3_1_malformed_connect(broker, data):
    one = broker.raw(version=3)
    one.send(data)
    one.closed()


def test_mqtt31_3_2_no_session_present(broker, ident, topic, other):
    """The first byte of CONNACK is reserved; the session goes on all the same."""
    for _ in range(2):
        one = broker.connect(ident, version=3, clean=False)
        assert one.connack.flags == 0
        if _ == 0:
            one.subscribe(topic, qos=2)
            one.disconnect()
            other.deliver(topic, b"1", qos=1)
            other.deliver(topic, b"2", qos=2)
    assert [(m.payload, m.qos) for m in one.receive_all(2)] == [(b"1", 1), (b"2", 2)]
    one.disconnect()
    one = broker.connect(ident, version=3, clean=True)
    assert one.fence() == []


def test_mqtt31_3_1_second_client_with_the_same_identifier(broker, ident):
    one = broker.connect(ident, version=3)
    two = broker.connect(ident, version=3)
    one.closed()
    two.ping()


@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("retain", [False, True])
def test_mqtt31_3_1_will(broker, client, topic, qos, retain):
    client.subscribe(topic, qos=2)
    broker.connect(version=3, will=Will(topic, b"gone", qos, retain)).close()
    assert client.receive()[1:4] == (b"gone", qos, False)
    broker.connect(version=3, will=Will(topic, b"not gone", qos)).disconnect()
    assert client.fence() == []
    late = broker.connect(version=3)
    late.subscribe(topic, qos=2)
    assert [m.retain for m in late.fence()] == [True] * retain


def test_mqtt31_3_1_keep_alive(broker, client, topic):
    """Silence for one and a half times the time: the will is published."""
    client.subscribe(topic)
    one = broker.connect(version=3, keepalive=1, will=Will(topic, b"gone"))
    assert client.receive().payload == b"gone"
    one.closed()


# 3.3 PUBLISH to 3.7 PUBCOMP

@pytest.mark.parametrize("subscribed", [0, 1, 2])
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_mqtt31_3_3_messages_of_every_qos(client, other, topic, qos, subscribed):
    client.subscribe(topic, qos=subscribed)
    for i in range(3):
        other.deliver(topic, b"%d" % i, qos=qos)
    assert [(m.payload, m.qos, m.dup) for m in client.fence()] == [
        (b"%d" % i, min(qos, subscribed), False) for i in range(3)]


def test_mqtt31_3_3_retained(broker, client, topic):
    client.deliver(topic, b"kept", qos=1, retain=True)
    for expected in ([(b"kept", 1, True)], []):
        one = broker.connect(version=3)
        one.subscribe(topic, qos=2)
        assert [m[1:4] for m in one.fence()] == expected
        client.deliver(topic, b"", retain=True)


def test_mqtt31_4_1_redelivery(broker, ident, topic, other):
    """What is unacknowledged comes again with DUP and its identifier; PUBREL too."""
    one = broker.connect(ident, version=3, clean=False)
    one.subscribe(topic, qos=2)
    for qos in (1, 2, 2):
        other.deliver(topic, b"%d" % qos, qos=qos)
    first = [one.published() for _ in range(3)]
    one.ack(PUBREC, first[1].packet_id)
    one.acked(PUBREL, first[1].packet_id)
    one.close()
    one = broker.connect(ident, version=3, clean=False)
    got = [one.packet() for _ in range(3)]
    again = [one.parse_publish(got[i]) for i in (0, 2)]
    assert [(m.packet_id, m.dup) for m in again] == [(first[0].packet_id, True),
                                                     (first[2].packet_id, True)]
    assert (got[1].type, got[1].body) == (PUBREL, first[1].packet_id.to_bytes(2, "big"))


@pytest.mark.parametrize("data, answer", [
    (packet(PUBREL, b"\0\5", 0x0a), (PUBCOMP, 0, b"\0\5")),
    (packet(SUBSCRIBE, b"\0\6\0\1a\1", 0x0a), (SUBACK, 0, b"\0\6\1")),
    (packet(UNSUBSCRIBE, b"\0\7\0\1a", 0x0a), (UNSUBACK, 0, b"\0\7"))],
    ids=["PUBREL", "SUBSCRIBE", "UNSUBSCRIBE"])
def test_mqtt31_2_1_dup_of_what_is_not_a_publish(client, topic, data, answer):
    """3.1 has it on all that is acknowledged: what is sent again may say so."""
    client.publish(topic, b"", qos=2, packet_id=5)
    client.acked(PUBREC, 5)
    client.send(data)
    assert client.packet() == answer


@pytest.mark.parametrize("data", [
    b"\0\0", b"\xf0\0", publish_packet("t", qos=3, packet_id=1, version=3),
    publish_packet("", version=3), publish_packet("a/#", version=3),
    publish_packet(b"\xff", version=3), publish_packet("t", qos=1, packet_id=0, version=3),
    packet(SUBSCRIBE, b"\0\1"), packet(SUBSCRIBE, b"\0\1\0\1a\3"), packet(PUBACK, b"\0"),
    packet(PINGRESP, b"\0"), packet(SUBSCRIBE, b"\0\1\0\1a\0", 0), packet(UNSUBSCRIBE, b"\0\1")],
    ids=["type 0", "type 15", "QoS 3", "empty topic", "wildcard in a topic", "not UTF-8",
         "message id 0", "no filter", "filter with QoS 3", "PUBACK cut off",
         "PINGRESP with a body", "SUBSCRIBE of QoS 0", "nothing to unsubscribe"])
def test_mqtt31_2_malformed(broker, client, data):
    """Mosquitto forgives those without a filter, wrong flags, and lengths."""
    one = broker.connect(version=3)
    one.send(data)
    one.closed()
    client.ping()


# 3.8 SUBSCRIBE, 3.9 SUBACK

def test_mqtt31_3_9_granted_qos(client, topic):
    assert client.subscribe(*((f"{topic}/{i}", i % 3) for i in range(9))) == [0, 1, 2] * 3


@pytest.mark.broker(acl="topic readwrite fence/#\ntopic write closed/#\ntopic readwrite open/#\n")
def test_mqtt31_3_9_no_code_for_a_failure(client, other, topic):
    """A filter that is not permitted is granted as far as the client can see, and gets nothing."""
    codes = client.subscribe((f"open/{topic}", 1), (f"closed/{topic}", 2))
    assert codes[0] == 1 and codes[1] in (0, 1, 2)
    other.deliver(f"closed/{topic}", b"", qos=1)
    other.deliver(f"open/{topic}", b"", qos=1)
    assert [m.topic for m in client.fence()] == [f"open/{topic}"]


@pytest.mark.broker(acl="topic readwrite fence/#\ntopic readwrite open/#\n")
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_mqtt31_3_3_publish_that_is_not_permitted(client, other, topic, qos):
    """It is acknowledged: there is no way to say no."""
    client.subscribe(f"open/{topic}", qos=2)
    other.deliver(f"closed/{topic}", b"", qos=qos)
    other.deliver(f"open/{topic}", b"", qos=qos)
    assert [m.topic for m in client.fence()] == [f"open/{topic}"]


def test_mqtt31_3_10_unsubscribe(client, other, topic):
    client.subscribe(topic, f"{topic}/2", qos=1)
    assert client.unsubscribe(topic, "never there") == []
    other.deliver(topic, b"")
    other.deliver(f"{topic}/2", b"")
    assert [m.topic for m in client.fence()] == [f"{topic}/2"]


def test_mqtt31_3_12_ping(client):
    client.send(packet(PINGREQ))
    assert client.packet() == (PINGRESP, 0, b"")


# Together with the other versions

@pytest.mark.parametrize("version", [4, 5])
def test_mqtt31_messages_from_and_to_other_versions(broker, client, topic, version):
    third = broker.connect(version=version)
    third.subscribe(f"{topic}/a", qos=2)
    client.subscribe(f"{topic}/b", qos=2)
    client.deliver(f"{topic}/a", b"from 3.1", qos=2)
    assert third.receive()[1:3] == (b"from 3.1", 2)
    third.deliver(f"{topic}/b", b"to 3.1", qos=2)
    assert client.receive()[1:3] == (b"to 3.1", 2)


@pytest.mark.parametrize("version", [4, 5])
def test_mqtt31_session_of_another_version(broker, ident, topic, version):
    """A client that comes back with a newer version of the protocol has its session."""
    one = broker.connect(ident, version=3, clean=False)
    one.subscribe(topic, qos=1)
    one.disconnect()
    broker.connect(version=3).deliver(topic, b"waits")
    one = broker.connect(ident, version=version, clean=False)
    assert one.connack.present
    assert one.receive().payload == b"waits"

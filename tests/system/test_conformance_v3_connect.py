# SPDX-License-Identifier: GPL-2.0
"""MQTT 3.1.1, 3.1 CONNECT and 3.2 CONNACK."""

import socket
import string as letters
import struct

import pytest

from kmqtt_client import Will, connect_packet, subscribe_packet, unsubscribe_packet
from kmqtt_packet import (
    CONNACK, CONNECT, PINGREQ, PINGRESP, PUBACK, PUBREC, PUBREL, SUBACK, packet, publish_packet,
    string)

UNACCEPTABLE_LEVEL, IDENTIFIER_REJECTED = 1, 2


def connect(client_id, **more):
    return connect_packet(client_id, version=4, **more)


def body_of(flags, *fields, keepalive=0, name="MQTT", level=4):
    """A CONNECT with these flags and these strings as payload."""
    return packet(CONNECT, string(name) + struct.pack(">BBH", level, flags, keepalive) +
                  b"".join(string(f) for f in fields))


FIRST = {
    "CONNACK": packet(CONNACK, b"\0\0"), "PUBLISH": publish_packet("t", b"x", version=4),
    "PUBLISH of QoS 2": publish_packet("t", b"x", qos=2, packet_id=1, version=4),
    "PUBACK": packet(PUBACK, b"\0\1"), "PUBREC": packet(PUBREC, b"\0\1"),
    "PUBREL": packet(PUBREL, b"\0\1"), "SUBSCRIBE": subscribe_packet(["t"], version=4),
    "UNSUBSCRIBE": unsubscribe_packet(["t"], version=4), "PINGREQ": packet(PINGREQ),
    "DISCONNECT": packet(14), "type 0": b"\0\0", "type 15": b"\xf0\0",
    "HTTP": b"GET / HTTP/1.1\r\n"}


@pytest.mark.parametrize("first", [pytest.param(v, id=f"MQTT-3.1.0-1 {k}")
                                   for k, v in FIRST.items()])
def test_first_packet_is_no_connect(broker, first):
    one = broker.raw(version=4)
    one.send(first)
    one.closed()


def test_mqtt311_3_1_0_2_second_connect_is_a_violation(broker, ident, topic):
    """The connection ends as any that breaks the rules: with its will, which Mosquitto keeps."""
    watcher = broker.connect(version=4)
    watcher.subscribe(topic)
    one = broker.connect(ident, version=4, will=Will(topic, b"gone"))
    one.send(connect(ident))
    one.closed()
    assert watcher.receive().payload == b"gone"


@pytest.mark.parametrize("name", ["MQTX", "mqtt", "MQTTX", "MQT", "", "MQIsdp"])
def test_mqtt311_3_1_2_1_wrong_protocol_name(broker, ident, name):
    """No session of 3.1.1 comes of it: closed, or the level is said to be unacceptable."""
    one = broker.raw(version=4)
    one.send(body_of(2, ident, name=name) + packet(PINGREQ))
    try:
        assert one.connacked()[:2] == (False, UNACCEPTABLE_LEVEL)
    except (EOFError, ConnectionError):
        return
    one.closed()


@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_mqtt311_3_1_2_2_protocol_level_that_is_not_supported(broker, ident, level):
    one = broker.raw(version=4)
    one.send(body_of(2, ident, level=level))
    assert one.connacked()[:2] == (False, UNACCEPTABLE_LEVEL)
    one.closed()


@pytest.mark.parametrize("level", [6, 7, 0x44, 0x7f, 0x80, 0x82, 0x86, 0xff])
def test_mqtt311_3_1_2_2_protocol_level_of_the_future(broker, ident, level):
    """Above 5, MQTT 5.0 may have the word: the code is 0x84 then."""
    one = broker.raw(version=4)
    one.send(body_of(2, ident, level=level))
    assert one.expect(CONNACK).body[:2] in (b"\0\1", b"\0\x84")
    one.closed()


@pytest.mark.parametrize("data", [
    # A flag that is set or missing, and what is in the payload.
    pytest.param(body_of(0x03, "c"), id="MQTT-3.1.2-3 reserved flag"),
    pytest.param(body_of(0x01, "c"), id="MQTT-3.1.2-3 reserved flag alone"),
    pytest.param(body_of(0x06, "c"), id="MQTT-3.1.2-9 no will topic"),
    pytest.param(body_of(0x06, "c", "t"), id="MQTT-3.1.2-9 no will message"),
    pytest.param(body_of(0x02, "c", "t", "m"), id="MQTT-3.1.2-11 will without its flag"),
    pytest.param(body_of(0x2a, "c"), id="MQTT-3.1.2-11 will QoS and retain without will"),
    pytest.param(body_of(0x0a, "c"), id="MQTT-3.1.2-13 will QoS 1 without will"),
    pytest.param(body_of(0x12, "c"), id="MQTT-3.1.2-13 will QoS 2 without will"),
    pytest.param(body_of(0x1e, "c", "t", "m"), id="MQTT-3.1.2-14 will QoS 3"),
    pytest.param(body_of(0x22, "c"), id="MQTT-3.1.2-15 will retain without will"),
    pytest.param(body_of(0x02, "c", "u"), id="MQTT-3.1.2-18 user name without its flag"),
    pytest.param(body_of(0x82, "c"), id="MQTT-3.1.2-19 no user name"),
    pytest.param(body_of(0x82, "c", "u", "p"), id="MQTT-3.1.2-20 password without its flag"),
    pytest.param(body_of(0xc2, "c", "u"), id="MQTT-3.1.2-21 no password"),
    pytest.param(body_of(0x42, "c", "p"), id="MQTT-3.1.2-22 password without user name"),
    pytest.param(body_of(0x02), id="MQTT-3.1.3-3 no client identifier"),
    pytest.param(body_of(0x02, b"c\xff"), id="MQTT-3.1.3-4 client identifier not UTF-8"),
    pytest.param(body_of(0x06, "c", b"t\xff", "m"), id="MQTT-3.1.3-10 will topic not UTF-8"),
    pytest.param(body_of(0x82, "c", b"u\xff"), id="MQTT-3.1.3-11 user name not UTF-8"),
    pytest.param(body_of(0x06, "c", "t/#", "m"), id="MQTT-3.1.4-1 will topic with a wildcard"),
    pytest.param(body_of(0x06, "c", "", "m"), id="MQTT-3.1.4-1 empty will topic"),
    pytest.param(packet(CONNECT), id="MQTT-3.1.4-1 empty CONNECT"),
    pytest.param(packet(CONNECT, b"\0\4MQTT\4\2\0"), id="MQTT-3.1.4-1 keep alive cut off"),
    pytest.param(packet(CONNECT, b"\0\4MQTT\4\2\0\0\0\5abc"), id="MQTT-3.1.4-1 string cut off"),
    pytest.param(packet(CONNECT, b"\0\4MQTT\4\2\0\0\0\1c\0"), id="MQTT-3.2.2-6 bytes at the end"),
])
def test_malformed_connect(broker, data):
    """No CONNACK has a code for it, so none comes."""
    one = broker.raw(version=4)
    one.send(data)
    one.send(publish_packet("t", b"x", version=4))
    one.closed()


def test_mqtt311_3_1_2_4_session_is_resumed(broker, ident, topic):
    one = broker.connect(ident, version=4, clean=False)
    assert not one.connack.present
    one.subscribe(topic, qos=1)
    one.disconnect()
    one = broker.connect(ident, version=4, clean=False)
    assert one.connack.present
    one.publish(topic, b"still subscribed")
    assert one.receive().payload == b"still subscribed"
    one.close()     # no DISCONNECT: stored as well
    one = broker.connect(ident, version=4, clean=False)
    assert one.connack.present
    assert one.deliver("none", b"", qos=2) == 0


def test_mqtt311_3_1_2_5_messages_are_stored_for_a_session(broker, ident, topic):
    """Those of QoS 1 and 2 that match what the client has subscribed to."""
    one = broker.connect(ident, version=4, clean=False)
    one.subscribe((f"{topic}/1", 1), (f"{topic}/2", 2), (f"{topic}/gone", 2))
    one.unsubscribe(f"{topic}/gone")
    one.disconnect()
    other = broker.connect(version=4)
    for i in range(6):
        other.deliver(f"{topic}/{1 + i % 2}", b"%d" % i, qos=2)
        other.deliver(f"{topic}/gone", b"", qos=2)
    one = broker.connect(ident, version=4, clean=False)
    got = sorted((m.topic[-1], m.qos, m.payload) for m in one.fence())
    assert got == [("1", 1, b"0"), ("1", 1, b"2"), ("1", 1, b"4"),
                   ("2", 2, b"1"), ("2", 2, b"3"), ("2", 2, b"5")]


def test_mqtt311_3_1_2_6_clean_session_discards_the_old_one(broker, ident, topic):
    """Before it and after it."""
    one = broker.connect(ident, version=4, clean=False)
    one.subscribe(topic, qos=2)
    one.leave()
    other = broker.connect(version=4)
    other.deliver(topic, b"old", qos=2)
    one = broker.connect(ident, version=4, clean=True)
    assert not one.connack.present
    assert one.fence() == []
    one.subscribe(topic, qos=2)
    one.disconnect()
    other.deliver(topic, b"new", qos=2)
    one = broker.connect(ident, version=4, clean=False)
    assert not one.connack.present
    other.deliver(topic, b"newer", qos=2)
    assert one.fence() == []


def test_mqtt311_3_1_2_7_retained_messages_are_no_part_of_a_session(broker, ident, topic):
    one = broker.connect(ident, version=4, clean=True)
    one.deliver(topic, b"kept", retain=True)
    one.disconnect()
    one = broker.connect(ident, version=4, clean=True)
    one.subscribe(topic)
    assert one.receive().payload == b"kept"


def reset(client):
    """Ends a connection with RST."""
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


@pytest.mark.parametrize("end", [
    lambda c: c.close(), reset, lambda c: c.send(b"\0\0"),
    lambda c: c.sock.shutdown(socket.SHUT_WR)], ids=["FIN", "RST", "malformed", "half closed"])
def test_mqtt311_3_1_2_8_will_is_published_when_the_connection_ends(broker, topic, end):
    watcher = broker.connect(version=4)
    watcher.subscribe(topic)
    one = broker.connect(version=4, will=Will(topic, b"gone"))
    end(one)
    assert watcher.receive().payload == b"gone"


def test_mqtt311_3_1_2_8_no_will_of_a_connection_that_was_refused(broker, topic):
    watcher = broker.connect(version=4)
    watcher.subscribe(f"{topic}/#")
    one = broker.raw(version=4)
    one.send(connect("", clean=False, will=Will(f"{topic}/refused", b"")))
    assert one.connacked().reason == IDENTIFIER_REJECTED
    one.closed()
    broker.connect(version=4, will=Will(f"{topic}/accepted", b"")).close()
    assert watcher.receive().topic == f"{topic}/accepted"


@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("retain", [False, True])
def test_mqtt311_3_1_2_9_3_1_2_16_3_1_2_17_will_as_the_flags_say(broker, topic, qos, retain):
    """Its QoS and whether it is retained, seen by who was there and by who comes later."""
    watcher = broker.connect(version=4)
    watcher.subscribe(topic, qos=2)
    broker.connect(version=4, will=Will(topic, b"\0will", qos, retain)).close()
    assert watcher.receive()[1:4] == (b"\0will", qos, False)
    late = broker.connect(version=4)
    late.subscribe(topic, qos=2)
    if retain:
        assert late.receive()[1:4] == (b"\0will", qos, True)
    assert late.fence() == []


def test_mqtt311_3_1_2_9_empty_will_message(broker, topic):
    watcher = broker.connect(version=4)
    watcher.subscribe(topic)
    broker.connect(version=4, will=Will(topic, b"")).close()
    assert watcher.receive().payload == b""


def test_mqtt311_3_1_2_10_will_is_removed_once_published_or_disconnected(broker, ident, topic):
    """It does not come back with the session."""
    watcher = broker.connect(version=4)
    watcher.subscribe(topic)
    one = broker.connect(ident, version=4, clean=False, will=Will(topic, b"1"))
    one.close()
    assert watcher.receive().payload == b"1"
    broker.connect(ident, version=4, clean=False).close()
    one = broker.connect(ident, version=4, clean=False, will=Will(topic, b"2"))
    one.disconnect()
    broker.connect(ident, version=4, clean=False).close()
    broker.connect(version=4, will=Will(topic, b"3")).close()
    assert watcher.receive().payload == b"3"


def test_mqtt311_3_1_2_12_no_will_without_its_flag(broker, topic):
    watcher = broker.connect(version=4)
    watcher.subscribe(f"{topic}/#")
    broker.connect(version=4).close()
    broker.connect(version=4).send(b"\0\0")
    broker.connect(version=4).deliver(f"{topic}/only", b"")
    assert watcher.receive().topic == f"{topic}/only"


def test_mqtt311_3_1_2_24_silence_ends_the_connection(broker, topic):
    """As if the network had failed: with the will. Whoever speaks, stays."""
    watcher = broker.connect(version=4)
    watcher.subscribe(topic)
    speaker = broker.connect(version=4, keepalive=1)
    patient = broker.connect(version=4, keepalive=0)
    silent = broker.connect(version=4, keepalive=1, will=Will(topic, b"gone"))
    silent.sock.settimeout(0.3)
    for _ in range(60):
        speaker.ping()
        try:
            assert silent.sock.recv(100) == b""
        except TimeoutError:
            continue
        except ConnectionError:
            pass
        break
    else:
        raise AssertionError("it was not closed")
    assert watcher.receive().payload == b"gone"
    speaker.ping()
    patient.ping()


@pytest.mark.parametrize("which", ["id", "will", "user", "will and user", "all"])
def test_mqtt311_3_1_3_1_order_of_the_payload(broker, ident, topic, which):
    """Each field is taken for what its place makes it."""
    watcher = broker.connect(version=4)
    watcher.subscribe(f"{topic}/#")
    will = Will(f"{topic}/will", b"message") if which in ("will", "will and user", "all") else None
    user = {"username": "user"} if which != "id" and which != "will" else {}
    if which == "all":
        user["password"] = b"\0\xff"
    broker.connect(ident, version=4, will=will, **user).close()
    if will:
        assert watcher.receive()[:2] == will[:2]
    broker.connect(version=4, will=Will(f"{topic}/end", b"")).close()
    assert watcher.receive().topic == f"{topic}/end"


def test_mqtt311_3_1_3_2_client_identifier_names_the_session(broker, ident, topic):
    """Two that differ, be it in case only, are two sessions."""
    names = [f"{ident}a", f"{ident}A", f"{ident}ab"]
    for i, name in enumerate(names):
        one = broker.connect(name, version=4, clean=False)
        assert not one.connack.present
        one.subscribe(f"{topic}/{i}", qos=1)
        one.disconnect()
    other = broker.connect(version=4)
    for i in range(3):
        other.deliver(f"{topic}/{i}", b"")
    for i, name in enumerate(names):
        one = broker.connect(name, version=4, clean=False)
        assert one.connack.present
        assert [m.topic for m in one.fence()] == [f"{topic}/{i}"]


ALPHABET = letters.digits + letters.ascii_lowercase + letters.ascii_uppercase


@pytest.mark.parametrize("client_id", ["0", "Z", ALPHABET[:23], ALPHABET[23:46], ALPHABET[39:]])
def test_mqtt311_3_1_3_5_client_identifiers_that_every_server_allows(broker, client_id):
    broker.connect(client_id, version=4).ping()
    assert not broker.connect(client_id, version=4, clean=False).connack.present


def test_mqtt311_3_1_3_6_empty_client_identifier_is_made_up(broker, topic):
    """One for each: they do not take each other's session over."""
    clients = [broker.connect("", version=4) for _ in range(3)]
    for i, one in enumerate(clients):
        one.subscribe(f"{topic}/{i}", qos=1)
    for i, one in enumerate(clients):
        clients[i - 1].deliver(f"{topic}/{i}", b"%d" % i)
        assert one.receive().payload == b"%d" % i
        assert one.fence() == []


def test_mqtt311_3_1_3_7_3_1_3_8_3_1_3_9_3_2_2_5_empty_client_identifier_to_be_kept(broker):
    """The one identifier that is rejected: CONNACK with code 2, and the end."""
    one = broker.raw(version=4)
    one.send(connect("", clean=False) + packet(PINGREQ))
    assert one.connacked()[:2] == (False, IDENTIFIER_REJECTED)
    one.closed()


def test_mqtt311_3_1_4_2_second_client_with_the_same_identifier(broker, ident, topic):
    """The first one is disconnected, as by a failure: its will is published.

    Mosquitto does not publish it if neither has CleanSession 1.
    """
    watcher = broker.connect(version=4)
    watcher.subscribe(topic)
    one = broker.connect(ident, version=4, clean=False, will=Will(topic, b"gone"))
    one.subscribe("x", qos=1)
    two = broker.connect(ident, version=4, clean=False)
    assert two.connack.present
    one.closed()
    assert watcher.receive().payload == b"gone"
    two.ping()


@pytest.mark.parametrize("clean", [False, True])
def test_mqtt311_3_1_4_3_3_1_4_4_good_connect_is_acknowledged(broker, ident, clean):
    """With code 0, after what CleanSession asks for has been done."""
    broker.connect(ident, version=4, clean=False).disconnect()
    one = broker.raw(version=4)
    one.send(connect(ident, clean=clean))
    got = one.expect(CONNACK)
    assert got.body == bytes([not clean, 0])
    one.ping()


def test_mqtt311_3_1_4_5_nothing_is_done_behind_a_connect_that_is_refused(broker, ident, topic):
    """Not even what came in the same segment."""
    watcher = broker.connect(version=4)
    watcher.subscribe(f"{topic}/#")
    for number, bad in enumerate((connect("", clean=False), body_of(2, ident, level=6),
                                  body_of(3, ident))):
        one = broker.raw(version=4)
        one.send(bad + publish_packet(f"{topic}/{number}", b"x", retain=True, version=4) +
                 subscribe_packet(["#"], version=4))
        assert one.ended()
    broker.connect(version=4).deliver(f"{topic}/end", b"")
    assert watcher.receive().topic == f"{topic}/end"


def test_mqtt311_3_2_0_1_connack_is_the_first_packet(broker, ident, topic):
    """Though messages wait, and though more was sent than a CONNECT."""
    one = broker.connect(ident, version=4, clean=False)
    one.subscribe(topic, qos=1)
    one.leave()
    broker.connect(version=4).deliver(topic, b"waits")
    one = broker.raw(version=4)
    one.send(connect(ident, clean=False) + subscribe_packet([topic], 9, version=4) +
             packet(PINGREQ))
    assert one.packet()[::2] == (CONNACK, b"\1\0")
    kinds = [one.packet().type for _ in range(3)]
    assert sorted(kinds) == [3, SUBACK, PINGRESP]


def test_mqtt311_3_2_2_1_no_session_present_with_clean_session(broker, ident):
    for _ in range(2):
        broker.connect(ident, version=4, clean=False).disconnect()
        one = broker.connect(ident, version=4, clean=True)
        assert (one.connack.flags, one.connack.reason) == (0, 0)
        one.disconnect()


def test_mqtt311_3_2_2_2_session_present(broker, ident):
    broker.connect(ident, version=4, clean=False).disconnect()
    assert broker.connect(ident, version=4, clean=False).connack.flags == 1


def test_mqtt311_3_2_2_3_session_not_present(broker, ident):
    """Never there, or ended with the connection that it was for."""
    assert broker.connect(f"{ident}n", version=4, clean=False).connack.flags == 0
    broker.connect(ident, version=4, clean=True).disconnect()
    assert broker.connect(ident, version=4, clean=False).connack.flags == 0


@pytest.mark.broker(anonymous=False, users={"user": "right"})
def test_mqtt311_3_2_2_4_no_session_present_when_refused(broker, ident):
    """Though there is one for this client identifier."""
    good = {"username": "user", "password": "right", "clean": False, "version": 4}
    broker.connect(ident, **good).disconnect()
    for bad in ({}, {"username": "user"}, {"username": "user", "password": "wrong"},
                {"username": "nobody", "password": "right"}):
        one = broker.raw(version=4)
        one.send(connect(ident, clean=False, **bad))
        got = one.connacked()
        assert (got.flags, got.reason in (4, 5)) == (0, True)
        one.closed()
    assert broker.connect(ident, **good).connack.present

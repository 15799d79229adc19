# SPDX-License-Identifier: GPL-2.0
"""MQTT 3.1.1, 4.7 topics, 4.8 errors, chapters 6 and 7: transports."""

import pytest

from kmqtt_client import Will, connect_packet, subscribe_packet, unsubscribe_packet
from kmqtt_packet import CONNACK, PINGREQ, PINGRESP, PUBLISH, SUBACK, packet, publish_packet

LONGEST = 65535


@pytest.fixture
def client(broker):
    """A client of MQTT 3.1.1 that is connected."""
    return broker.connect(version=4)


@pytest.fixture
def other(broker):
    """Another one."""
    return broker.connect(version=4)


BAD_FILTERS = {
    "4.7.1-2": ["a/#/b", "#/a", "a#", "a/b#", "##", "#a", "/#/", "#/"],
    "4.7.1-3": ["a+", "+a", "a/+b", "a/b+/c", "++", "+#", "/+/a+", "#+"],
    "4.7.3-1": [""],
}


@pytest.mark.parametrize("kind", ["subscribe", "unsubscribe"])
@pytest.mark.parametrize("filter_", [pytest.param(f, id=f"MQTT-{number} {f}")
                                     for number, filters in BAD_FILTERS.items() for f in filters])
def test_bad_filter(client, filter_, kind):
    make = subscribe_packet if kind == "subscribe" else unsubscribe_packet
    client.send(make([filter_], version=4))
    client.closed()


# What matches what: 4.7.1 and 4.7.3, those of the standard and more.
MATCHES = {
    "sport/tennis/player1/#": (["sport/tennis/player1", "sport/tennis/player1/ranking",
                                "sport/tennis/player1/score/wimbledon", "sport/tennis/player1/"],
                               ["sport/tennis/player2", "sport/tennis/player11", "sport/tennis",
                                "Sport/tennis/player1"]),
    "sport/#": (["sport", "sport/", "sport/a", "sport//b"], ["sports", "/sport"]),
    "sport/tennis/+": (["sport/tennis/player1", "sport/tennis/"],
                       ["sport/tennis/player1/ranking", "sport/tennis"]),
    "sport/+": (["sport/"], ["sport", "sport/a/b"]),
    "+": (["finance"], ["/finance", "finance/"]),
    "+/+": (["/finance", "finance/", "/"], ["finance", "//"]),
    "/+": (["/finance", "/"], ["finance", "/finance/"]),
    "+/tennis/#": (["x/tennis", "/tennis/", "x/tennis/y/z"], ["x/y/tennis", "tennis"]),
    "sport/+/player1": (["sport/tennis/player1", "sport//player1"], ["sport/a/b/player1"]),
    "#": (["a", "/", "a/b/c", " "], []),
    "/#": (["/", "/a", "/a/b"], ["a", "a/"]),
}


@pytest.mark.parametrize("filter_", [
    pytest.param(f, id=f"MQTT-{'4.7.1-3' if '+' in f else '4.7.1-2'} {f}") for f in MATCHES])
def test_wildcards(broker, filter_):
    """The good ones match what they should, and nothing else."""
    one, other = broker.connect(version=4), broker.connect(version=4)
    one.subscribe(filter_)
    right, wrong = MATCHES[filter_]
    for name in wrong + right:
        other.publish(name, b"")
    other.ping()
    assert [m.topic for m in one.fence()] == right


def test_mqtt311_4_7_2_1_wildcard_does_not_match_a_dollar(client, other):
    """Neither when a message is published nor when a retained one is looked for."""
    names = ["$test/monitor/Clients", "$", "$test", "test/$x"]
    other.deliver("$test/monitor/Clients", b"kept", retain=True)
    client.subscribe("#", "+/monitor/Clients", "+/monitor/+", "+", "+/#", "+/+/Clients")
    client.fence()
    for name in names:
        other.deliver(name, b"new")
    assert {m.topic for m in client.fence()} == {"test/$x"}
    client.subscribe("$test/monitor/+", "$test/#")
    got = client.fence()
    assert {(m.topic, m.retain) for m in got} == {("$test/monitor/Clients", True)}
    other.deliver("$test/monitor/Clients", b"new", qos=0)
    other.deliver("$test", b"new", qos=0)
    assert {m.topic for m in client.fence()} == {"$test", "$test/monitor/Clients"}
    other.deliver("$test/monitor/Clients", b"", retain=True)


@pytest.mark.parametrize("data", [
    publish_packet("", version=4), publish_packet("", qos=1, packet_id=1, version=4),
    connect_packet("c", version=4, will=Will(""))], ids=["PUBLISH", "QoS 1", "will"])
def test_mqtt311_4_7_3_1_topic_of_one_character_at_least(broker, data):
    one = broker.raw(version=4)
    if data[0] >> 4 == PUBLISH:
        one.connect()
    one.send(data)
    one.closed()


def test_mqtt311_4_7_3_1_topic_of_one_character(client):
    for name in "/a \u20ac":
        client.subscribe(name)
        client.publish(name, b"")
        assert client.receive().topic == name


@pytest.mark.parametrize("data", [
    publish_packet("a\0b", version=4), subscribe_packet(["a\0b"], version=4),
    subscribe_packet(["a/\0/#"], version=4), unsubscribe_packet(["\0"], version=4)],
    ids=["PUBLISH", "SUBSCRIBE", "with a wildcard", "UNSUBSCRIBE"])
def test_mqtt311_4_7_3_2_no_null_character(client, data):
    client.send(data)
    client.closed()


def test_mqtt311_4_7_3_3_topic_of_65535_bytes(client, other, topic):
    """The longest that there can be; some of it is in characters of several bytes."""
    name = (f"{topic}/" + "\u20ac" * 20000).encode()
    name = (name + b"x" * (LONGEST - len(name))).decode()
    assert client.subscribe(name, qos=1) == [1]
    other.deliver(f"{name[:-1]}y", b"not this one")
    other.deliver(name, b"1")
    assert [(m.topic, m.payload) for m in client.fence()] == [(name, b"1")]
    client.unsubscribe(name)


PAIRS = {
    "composed": ("\u00e4", "a\u0308"), "case": ("A", "a"), "compatibility": ("\ufb01", "fi"),
    "slash at the end": ("a", "a/"), "empty level": ("a/b", "a//b"), "dot": ("a/./b", "a/b"),
    "space": ("a", "a "), "percent": ("a b", "a%20b"), "mark": ("a", "\ufeffa"),
    "private": ("\ue000", "\uf8ff"), "replacement": ("a\ufffd", "a?")}


@pytest.mark.parametrize("what", PAIRS)
def test_mqtt311_4_7_3_4_topics_are_not_normalized(broker, client, other, topic, what):
    """Two that look or mean the same are two: each matches itself and comes as it is."""
    names = [f"{topic}/{one}" for one in PAIRS[what]]
    client.subscribe(names[0], qos=1)
    other.subscribe(names[1], qos=1)
    publisher = broker.connect(version=4)
    for name in names:
        publisher.deliver(name, b"")
    assert [m.topic for m in client.fence()] == names[:1]
    assert [m.topic for m in other.fence()] == names[1:]


# Errors that are nobody's fault

@pytest.mark.broker(max_packet_size=1000)
def test_mqtt311_4_8_0_2_what_the_server_cannot_take_ends_the_connection(broker, client, topic):
    """A packet that is larger than what it has room for: 3.1.1 has no other answer."""
    client.subscribe(topic, qos=1)
    one = broker.connect(version=4)
    one.deliver(topic, bytes(1000 - 4 - 4 - len(topic) - 1))
    one.send(publish_packet(topic, bytes(1000), qos=1, packet_id=9, version=4))
    one.closed()
    assert len(client.fence()) == 1


# Transports

@pytest.mark.parametrize("offer", ["mqtt", "mqttv3.1", "chat, mqtt"])
def test_mqtt311_6_0_0_1_6_0_0_3_6_0_0_4_no_websocket(broker, client, offer):
    """The server takes part in no WebSocket, so it frames nothing and names no sub-protocol."""
    one = broker.raw(version=4)
    one.send(b"GET /mqtt HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
             b"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
             b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: %s\r\n\r\n" % offer.encode())
    one.closed()
    client.ping()


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100000])
def test_mqtt311_6_0_0_2_7_1_1_1_packets_in_a_stream_of_bytes(broker, topic, size):
    """However they are cut into pieces, many in one or one in many."""
    one = broker.raw(version=4)
    stream = connect_packet("", version=4) + subscribe_packet([topic], version=4)
    messages = [bytes([i]) * (i * 20) for i in range(10)]
    stream += b"".join(publish_packet(topic, m, version=4) for m in messages) + packet(PINGREQ)
    for at in range(0, len(stream), size):
        one.send(stream[at:at + size])
    kinds, got = [], []
    for _ in range(len(messages) + 3):
        answer = one.packet()
        if answer.type == PUBLISH:
            got.append(one.parse_publish(answer).payload)
        else:
            kinds.append(answer.type)
    assert (kinds[:2], sorted(kinds)) == ([CONNACK, SUBACK], [CONNACK, SUBACK, PINGRESP])
    assert got == messages


def test_mqtt311_7_0_0_2_nothing_but_the_standard_is_asked_for(broker, topic):
    """The bytes of the standard's own packets are enough for all that a client does."""
    name = topic.encode()
    length = len(name).to_bytes(2, "big")
    exchange = [
        (b"\x10\x0d\0\4MQTT\4\2\0\0\0\1x", b"\x20\2\0\0"),
        (b"\x82" + bytes([len(name) + 5]) + b"\0\1" + length + name + b"\2", b"\x90\3\0\1\2"),
        (b"\x32\6\0\2t1\0\2", b"\x40\2\0\2"),
        (b"\x34\6\0\2t2\0\3", b"\x50\2\0\3"), (b"\x62\2\0\3", b"\x70\2\0\3"),
        (b"\x30" + bytes([len(name) + 3]) + length + name + b"!",
         b"\x30" + bytes([len(name) + 3]) + length + name + b"!"),
        (b"\xa2" + bytes([len(name) + 4]) + b"\0\4" + length + name, b"\xb0\2\0\4"),
        (b"\xc0\0", b"\xd0\0"), (b"\xe0\0", b"")]
    with broker.socket() as sock:
        for said, answer in exchange:
            sock.sendall(said)
            got = b""
            while len(got) < len(answer):
                more = sock.recv(1000)
                assert more, f"closed after {said}"
                got += more
            assert got == answer
        assert sock.recv(1) == b""

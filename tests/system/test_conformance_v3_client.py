# SPDX-License-Identifier: GPL-2.0
"""MQTT 3.1.1, what a client must do: the uplink, which is one, and a broker that looks at it.

MQTT 3.1 asks for the same, but for the protocol name and level.
"""

import pytest

from kmqtt_broker import (
    DISCONNECT, PINGREQ, PINGRESP, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, SUBSCRIBE,
    UNSUBSCRIBE, Fake, packet, wait_for)
from kmqtt_packet import CONNACK, CONNECT, publish_packet, string
from kmqtt_uplink import BOTH, IN, OUT, UP, Uplink, receive

LEVELS = {3: b"MQIsdp", 4: b"MQTT"}


@pytest.fixture
def fake():
    with Fake() as one:
        yield one


@pytest.fixture(params=[4, 3], ids=["3.1.1", "3.1"])
def uplink(request, fake):
    """A function that makes an uplink of this level to the fake broker; it ends with the test."""
    made = []

    def make(**conf):
        conf.setdefault("client_id", "me")
        made.append(Uplink("one", fake, version=request.param, try_private=0, backoff_min=1,
                           backoff_max=1, **conf))
        return made[-1]

    yield make
    for one in made:
        one.close()


def up(link, fake, present=False):
    """Its connection, accepted."""
    peer = fake.accept()
    peer.handshake(present=present)
    link.wait(UP)
    return peer


def raw_connect(peer):
    """The bytes of its CONNECT: name, level, flags, keep alive, the strings of the payload."""
    body = peer.expect(CONNECT).body
    size = int.from_bytes(body[:2], "big")
    name, rest = body[2:2 + size], body[2 + size:]
    level, flags, keepalive, rest = rest[0], rest[1], int.from_bytes(rest[2:4], "big"), rest[4:]
    strings, peer.version = [], level
    while rest:
        size = int.from_bytes(rest[:2], "big")
        assert len(rest) >= 2 + size
        strings.append(rest[2:2 + size])
        rest = rest[2 + size:]
    return name, level, flags, keepalive, strings


WILL = {"will_topic": "w/t", "will_payload": b"gone"}
CONNECTS = {
    # What is set, and then: connect flags, payload.
    "2.2.2-1 3.1.0-1 3.1.2-3 nothing": ({"clean_start": 1}, 0x02, [b"me"]),
    "3.1.2-11 3.1.2-13 3.1.2-15 3.1.2-18 3.1.2-20 no will, no user": ({}, 0x00, [b"me"]),
    "3.1.2-9 will": (WILL, 0x04, [b"me", b"w/t", b"gone"]),
    "3.1.2-14 will of QoS 2": (WILL | {"will_qos": 2}, 0x14, [b"me", b"w/t", b"gone"]),
    "3.1.2-9 will, retained": (WILL | {"will_retain": 1, "will_qos": 1}, 0x2c,
                               [b"me", b"w/t", b"gone"]),
    "3.1.2-19 3.1.3-11 user": ({"username": "\u00fcser"}, 0x80, [b"me", "\u00fcser".encode()]),
    "3.1.2-21 password": ({"username": "u", "password": b"\0p"}, 0xc0, [b"me", b"u", b"\0p"]),
    "3.1.3-1 3.1.3-3 order": (WILL | {"username": "u", "password": b"p", "clean_start": 1}, 0xc6,
                              [b"me", b"w/t", b"gone", b"u", b"p"]),
    "3.1.3-4 3.1.3-10 UTF-8": (WILL | {"client_id": "\u20ac", "will_topic": "\u00e4"}, 0x04,
                               ["\u20ac".encode(), "\u00e4".encode(), b"gone"])}


@pytest.mark.parametrize("what", [pytest.param(k, id=f"MQTT-{k}") for k in CONNECTS])
def test_client_connect(fake, uplink, what):
    """It is the first packet; flags and payload agree, and there is nothing more."""
    conf, flags, payload = CONNECTS[what]
    link = uplink(keepalive=77, **conf)
    peer = fake.accept()
    name, level, got, keepalive, strings = raw_connect(peer)
    assert (got, keepalive, strings) == (flags, 77, payload)
    assert LEVELS[level] == name
    peer.connack()
    link.wait(UP)
    peer.nothing()      # nor a second one: 3.1.0-2


def test_mqtt311_3_1_2_22_password_needs_a_user_name(fake, uplink):
    """Whatever it makes of that setting, the flags say no password without a user name."""
    try:
        uplink(password=b"alone")
    except OSError:
        return
    _, _, flags, _, strings = raw_connect(fake.accept())
    assert flags & 0xc0 != 0x40 and len(strings) == 1 + bin(flags & 0xc0).count("1")


def test_mqtt311_3_1_3_7_empty_client_identifier(fake, uplink):
    """Never with CleanSession 0: it makes up a name of its own, or says 1."""
    uplink(client_id="")
    _, _, flags, _, strings = raw_connect(fake.accept())
    assert strings[0] or flags & 2


@pytest.mark.parametrize("clean", [0, 1])
def test_mqtt311_3_1_2_4_3_1_2_6_client_keeps_its_session_or_not(
        fake, uplink, device, topic, clean):
    """What was unacknowledged comes again if the session goes on."""
    dev = device()
    link = uplink(clean_start=clean, topics=[(f"{topic}/#", OUT, 1)])
    peer = up(link, fake)
    dev.publish(topic, b"1", qos=1)
    first = peer.published()
    peer.close()
    peer = fake.accept()
    assert bool(raw_connect(peer)[2] & 2) == bool(clean)
    peer.connack(present=not clean)
    if clean:
        # A new session: its identifier or a new message, but nothing is said to come again.
        link.wait(UP)
        dev.publish(topic, b"2", qos=1)
        assert not peer.published().dup
    else:
        again = peer.published()
        assert (again.payload, again.packet_id, again.dup) == (b"1", first.packet_id, True)


def test_mqtt311_3_1_2_23_pingreq_if_there_is_nothing_else(fake, uplink):
    """Several in a row, each answered."""
    link = uplink(keepalive=1)
    peer = up(link, fake)
    for _ in range(3):
        assert peer.packet() == (PINGREQ, 0, b"")
        peer.send(packet(PINGRESP))


def test_mqtt311_2_3_1_2_4_3_2_1_4_3_3_1_client_uses_unused_packet_ids(
        fake, uplink, device, topic):
    """DUP 0 and identifiers that none of the unacknowledged has, nor a SUBSCRIBE."""
    dev = device()
    link = uplink(topics=[(f"{topic}/out/#", OUT, 2), (f"{topic}/in/#", IN, 2)])
    peer = up(link, fake)
    subscribe = peer.expect(SUBSCRIBE)
    assert (subscribe.flags, subscribe.body[:2] != b"\0\0") == (2, True)
    for i in range(12):
        dev.publish(f"{topic}/out", b"%d" % i, qos=1 + i % 2)
    got = [peer.published() for _ in range(12)]
    assert not any(m.dup for m in got)
    assert [m.payload for m in got] == [b"%d" % i for i in range(12)]
    ids = [m.packet_id for m in got]
    assert len({*ids, 0, int.from_bytes(subscribe.body[:2], "big")}) == 14
    peer.ack(PUBACK, ids[0])
    dev.publish(f"{topic}/out", b"more", qos=1)
    assert peer.published().packet_id not in ids[1:]


def test_mqtt311_2_3_1_3_3_3_1_1_4_4_0_1_4_6_0_1_client_sends_again(fake, uplink, device, topic):
    """In order, with the same identifiers and DUP; PUBREL where PUBREC has come."""
    dev = device()
    link = uplink(topics=[(f"{topic}/#", OUT, 2)])
    peer = up(link, fake)
    for i in range(6):
        dev.publish(topic, b"%d" % i, qos=1 + i % 2)
    first = [peer.published() for _ in range(6)]
    peer.ack(PUBACK, first[2].packet_id)
    peer.ack(PUBREC, first[3].packet_id)
    assert peer.acked(PUBREL)[0] == first[3].packet_id
    for _ in range(2):
        peer.close()
        peer = up(link, fake, present=True)
        again = []
        for _ in range(5):
            got = peer.packet()
            if got.type == PUBREL:
                again.append((PUBREL, int.from_bytes(got.body, "big")))
            else:
                message = peer.parse_publish(got)
                assert message.dup
                again.append((message.payload, message.packet_id))
        assert again == [(b"0", first[0].packet_id), (b"1", first[1].packet_id),
                         (PUBREL, first[3].packet_id), (b"4", first[4].packet_id),
                         (b"5", first[5].packet_id)]


def test_mqtt311_2_3_1_5_3_3_1_2_4_3_1_1_client_sends_qos_0(fake, uplink, device, topic):
    """QoS 0 and DUP 0, no packet identifier: what follows the topic is the payload."""
    dev = device()
    link = uplink(topics=[(f"{topic}/#", OUT, 0)])
    peer = up(link, fake)
    dev.publish(topic, b"payload", qos=2)
    got = peer.packet()
    assert got == (PUBLISH, 0, string(topic) + b"payload")


def test_mqtt311_2_3_1_6_4_3_2_2_4_3_3_2_client_as_a_receiver(fake, uplink, device, topic):
    """Acknowledgements have the identifier of the PUBLISH; QoS 2 is passed on once."""
    dev = device().subscribe(f"{topic}/#", qos=2)
    link = uplink(topics=[(f"{topic}/#", IN, 2)])
    peer = up(link, fake)
    peer.subscribed()
    for dup in (False, True):
        peer.publish(topic, b"1", qos=1, packet_id=7, dup=dup)
        assert peer.acked(PUBACK) == (7, 0)
    for dup in (False, True, True):
        peer.publish(topic, b"2", qos=2, packet_id=8, dup=dup)
        assert peer.acked(PUBREC) == (8, 0)
    peer.ack(PUBREL, 8)
    assert peer.acked(PUBCOMP) == (8, 0)
    peer.publish(topic, b"2", qos=2, packet_id=8, dup=True)
    assert peer.acked(PUBREC) == (8, 0)
    assert [m.payload for m in receive(dev, 4)] == [b"1", b"1", b"2", b"2"]


def test_mqtt311_3_3_4_1_4_5_0_2_client_acknowledges_what_nobody_wants(fake, uplink, topic):
    link = uplink(topics=[(f"{topic}/#", IN, 2)])
    peer = up(link, fake)
    peer.subscribed()
    peer.publish(topic, b"", qos=0)
    peer.publish(f"{topic}/1", b"", qos=1, packet_id=1)
    assert peer.acked(PUBACK)[0] == 1
    peer.publish("not/subscribed/to", b"", qos=2, packet_id=2)
    assert peer.acked(PUBREC)[0] == 2


@pytest.mark.parametrize("kind, qos", [
    pytest.param(PUBACK, 1, id="MQTT-4.6.0-2"), pytest.param(PUBREC, 2, id="MQTT-4.6.0-3")])
def test_client_acknowledges_in_order(fake, uplink, topic, kind, qos):
    link = uplink(topics=[(f"{topic}/#", IN, 2)])
    peer = up(link, fake)
    peer.subscribed()
    ids = [i * 37 % 100 + 1 for i in range(20)]
    peer.send(b"".join(publish_packet(topic, b"", qos=qos, packet_id=i, version=4) for i in ids))
    assert [peer.acked(kind)[0] for _ in ids] == ids


def test_mqtt311_3_6_1_1_4_6_0_4_client_sends_pubrel_in_order(fake, uplink, device, topic):
    """With flags 2, in the order of the PUBRECs."""
    dev = device()
    link = uplink(topics=[(f"{topic}/#", OUT, 2)])
    peer = up(link, fake)
    for i in range(10):
        dev.publish(topic, b"%d" % i, qos=2)
    ids = [peer.published().packet_id for _ in range(10)]
    ids = [ids[i * 3 % 10] for i in range(10)]
    for one in ids:
        peer.ack(PUBREC, one)
    got = [peer.expect(PUBREL) for _ in ids]
    assert [(p.flags, int.from_bytes(p.body, "big")) for p in got] == [(2, i) for i in ids]


def test_mqtt311_3_8_1_1_3_8_3_3_3_10_1_1_client_subscribes_and_unsubscribes(
        fake, uplink, topic):
    """Flags 2, filters with their QoS, whole filters to unsubscribe."""
    link = uplink(topics=[(f"{topic}/a/#", IN, 1), (f"{topic}/+/\u00e4", BOTH, 2)])
    peer = up(link, fake)
    got = peer.expect(SUBSCRIBE)
    assert got.flags == 2
    entries = [string(f"{topic}/a/#") + b"\1", string(f"{topic}/+/\u00e4") + b"\2"]
    assert got.body[2:] in (entries[0] + entries[1], entries[1] + entries[0])
    peer.send(packet(9, got.body[:2] + bytes([got.body[-1], 3 - got.body[-1]])))
    link.untopic(f"{topic}/a/#")
    got = peer.expect(UNSUBSCRIBE)
    assert (got.flags, got.body[2:]) == (2, string(f"{topic}/a/#"))
    assert got.body[:2] != b"\0\0"


def test_mqtt311_3_14_1_1_3_14_4_1_3_14_4_2_client_says_goodbye(fake, uplink):
    """DISCONNECT with flags 0, then nothing but the end of the connection."""
    link = uplink()
    peer = up(link, fake)
    link.set(admin_up=0)
    assert peer.packet() == (DISCONNECT, 0, b"")
    with pytest.raises((EOFError, ConnectionError)):
        peer.packet()


VIOLATIONS = {
    "1.5.3-1 topic not UTF-8": packet(PUBLISH, b"\0\2a\xff"),
    "1.5.3-2 topic with U+0000": packet(PUBLISH, b"\0\2a\0"),
    "2.2.2-2 SUBACK with flags": packet(9, b"\0\1\0", 1),
    "2.2.2-2 PUBACK with flags": packet(PUBACK, b"\0\1", 2),
    "2.2.2-2 PUBREL without flags": packet(PUBREL, b"\0\1", 0),
    "3.3.1-4 QoS 3": packet(PUBLISH, b"\0\1a\0\1", 6),
    "4.8.0-1 CONNECT": packet(CONNECT, b"\0\4MQTT\4\2\0\0\0\1c"),
    "4.8.0-1 second CONNACK": packet(CONNACK, b"\0\0"),
    "4.8.0-1 SUBSCRIBE": packet(SUBSCRIBE, b"\0\1\0\1a\0"),
    "4.8.0-1 PINGREQ": packet(PINGREQ),
    "4.8.0-1 DISCONNECT": packet(DISCONNECT),
    "4.8.0-1 topic with a wildcard": packet(PUBLISH, b"\0\3a/#"),
    "4.8.0-1 SUBACK with code 3": packet(9, b"\0\1\3"),
}


@pytest.mark.parametrize("what", [pytest.param(k, id=f"MQTT-{k}") for k in VIOLATIONS])
def test_client_closes_on_a_violation(fake, uplink, what):
    """Without a word, and comes back."""
    link = uplink()
    peer = up(link, fake)
    peer.send(VIOLATIONS[what])
    with pytest.raises((EOFError, ConnectionError)):
        peer.packet()
    peer.close()
    up(link, fake)
    assert link.show()["malformed"] == 1


def test_mqtt311_1_5_3_3_client_keeps_a_byte_order_mark(fake, uplink, device, topic):
    name = f"{topic}/\ufeffa"
    dev = device().subscribe(f"{topic}/#")
    link = uplink(topics=[(f"{topic}/#", BOTH, 0)])
    peer = up(link, fake)
    peer.subscribed()
    peer.publish(name, b"in")
    assert receive(dev, 1)[0].topic == name
    device().publish(f"{name}/out", b"out")
    assert peer.published().topic == f"{name}/out"


def test_mqtt311_7_0_0_1_7_1_2_1_client_of_the_same_switch(fake, uplink, device, topic):
    """Over TCP, whole packets out of pieces; what comes goes to local processes and back."""
    dev = device().subscribe(f"{topic}/in")
    link = uplink(topics=[(f"{topic}/#", BOTH, 1)])
    peer = up(link, fake)
    peer.subscribed()
    for byte in publish_packet(f"{topic}/in", b"in", qos=1, packet_id=9, version=4):
        peer.send(bytes([byte]))
    assert peer.acked(PUBACK)[0] == 9
    assert receive(dev, 1)[0].payload == b"in"
    dev.publish(f"{topic}/out", b"out", qos=1)
    got = peer.published()
    assert (got.topic, got.payload, got.qos) == (f"{topic}/out", b"out", 1)
    peer.ack(PUBACK, got.packet_id)
    wait_for(lambda: link.show()["inflight_messages"] == 0, text="the acknowledgement")

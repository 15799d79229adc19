# SPDX-License-Identifier: GPL-2.0
"""MQTT 5.0: what the standard asks of a client, and the kernel does as one: its uplinks.

More of it is in test_uplink_session.py and test_uplink_faults.py.
"""

import pytest

from kmqtt_broker import Fake
from kmqtt_packet import (
    AUTH_METHOD, DISCONNECT, PINGREQ, PUBACK, PUBCOMP, PUBREC, PUBREL, SUBSCRIBE, TOPIC_ALIAS,
    Reader, packet)
from kmqtt_uplink import IN, OUT, UP, Uplink
import kmqtt_dev


@pytest.fixture
def fake():
    with Fake() as one:
        yield one


def connected(fake, up, **props):  # pylint: disable=redefined-outer-name
    """The server's side of an uplink that is up."""
    peer = fake.accept()
    peer.handshake(**props)
    up.wait(UP)
    return peer


def test_mqtt5_2_2_1_3_packet_identifiers_of_a_client(fake, device, topic):
    """Of SUBSCRIBE and PUBLISH: not 0, and no two in use at a time."""
    dev = device()
    topics = [(f"{topic}/in/#", IN, 1), (f"{topic}/out/#", OUT, 2)]
    with Uplink("one", fake, topics=topics) as up:
        peer = fake.accept()
        peer.handshake()
        used = [int.from_bytes(peer.expect(SUBSCRIBE).body[:2], "big")]
        for i in range(10):
            dev.publish(f"{topic}/out/{i}", b"x", qos=1 + i % 2)
        used += [peer.published().packet_id for _ in range(10)]
        assert 0 not in used and len(set(used)) == 11
        up.wait(UP)


def test_mqtt5_3_1_0_1_and_2_one_connect(fake):
    """MQTT-3.1.0-1: it comes first, of the name and version of MQTT 5.0."""
    with Uplink("one", fake) as up:
        peer = fake.accept()
        got = peer.connect()
        assert (got.name, got.level) == (b"MQTT", 5)
        peer.nothing(0.3)
        peer.connack()
        up.wait(UP)
        peer.nothing(0.3)


def test_mqtt5_3_1_2_30_no_authentication_method(fake):
    """An uplink has none, so it never sends an AUTH (MQTT-4.12.0-3, MQTT-4.12.0-7,
    MQTT-4.12.1-1); one that it gets is an error, see test_uplink_faults.py."""
    with Uplink("one", fake, username="name") as up:
        peer = fake.accept()
        assert AUTH_METHOD not in peer.connect().props
        peer.connack()
        up.wait(UP)
        up.set(admin_up=0)
        assert peer.packet().type == DISCONNECT


def test_mqtt5_3_2_2_14_retain_that_the_server_lacks(fake, device, topic):
    dev = device()
    with Uplink("one", fake, topics=[(f"{topic}/#", OUT, 1)]) as up:
        peer = connected(fake, up, x25=0)
        dev.publish(f"{topic}/a", b"1", qos=1, flags=kmqtt_dev.RETAIN)
        dev.publish(f"{topic}/a", b"2", qos=1)
        got = [peer.published() for _ in range(2)]
        assert [(m.payload, m.retain) for m in got] == [(b"1", False), (b"2", False)]
        dev.publish(f"{topic}/a", b"", qos=1, flags=kmqtt_dev.RETAIN)    # it is not left behind


def test_mqtt5_3_2_2_18_topic_aliases_that_the_server_lacks(fake, device, topic):
    dev = device()
    with Uplink("one", fake, topics=[(f"{topic}/#", OUT, 0)]) as up:
        peer = connected(fake, up)
        for _ in range(3):
            dev.publish(f"{topic}/a", b"x")
        for _ in range(3):
            got = peer.published()
            assert got.topic == f"{topic}/a" and TOPIC_ALIAS not in got.props


def test_mqtt5_3_3_4_8_and_4_9_0_3_other_packets_at_a_quota_of_zero(fake, device, topic):
    """MQTT-3.3.4-8, MQTT-4.9.0-3: acknowledgements, SUBSCRIBE, PINGREQ."""
    dev = device()
    topics = [(f"{topic}/in/#", IN, 2), (f"{topic}/out/#", OUT, 2)]
    with Uplink("one", fake, topics=topics) as up:
        peer = fake.accept()
        peer.handshake(x21=1, x13=2)
        peer.subscribed()
        up.wait(UP)
        dev.publish(f"{topic}/out/1", b"1", qos=1)
        dev.publish(f"{topic}/out/2", b"2", qos=1)
        first = peer.published()
        peer.publish(f"{topic}/in/1", b"x", qos=1, packet_id=9)
        assert peer.acked(PUBACK)[0] == 9
        peer.publish(f"{topic}/in/1", b"x", qos=2, packet_id=9)
        assert peer.acked(PUBREC)[0] == 9
        peer.ack(PUBREL, 9)
        assert peer.acked(PUBCOMP)[0] == 9
        up.topic(f"{topic}/more/#", IN, 1)
        assert list(peer.subscribed()) == [f"{topic}/more/#"]
        peer.expect(PINGREQ)
        peer.send(packet(PINGREQ + 1))
        peer.ack(PUBACK, first.packet_id)
        assert peer.published().payload == b"2"


def test_mqtt5_4_5_0_2_acknowledged_whoever_wants_it(fake, topic):
    """Nobody here has subscribed to what comes, not even the uplink."""
    with Uplink("one", fake, topics=[(f"{topic}/#", IN, 2)]) as up:
        peer = fake.accept()
        peer.handshake()
        peer.subscribed()
        up.wait(UP)
        for name in (f"{topic}/a", f"{topic}-not/asked/for"):
            peer.publish(name, b"x", qos=1, packet_id=1)
            assert peer.acked(PUBACK)[0] == 1
            peer.publish(name, b"x", qos=2, packet_id=2)
            assert peer.acked(PUBREC)[0] == 2
            peer.ack(PUBREL, 2)
            assert peer.acked(PUBCOMP)[0] == 2


def test_mqtt5_4_6_0_1_order_of_what_is_sent_again(fake, device, topic):
    dev = device()
    with Uplink("one", fake, topics=[(f"{topic}/#", OUT, 2)], backoff_min=1) as up:
        peer = connected(fake, up)
        for i in range(12):
            dev.publish(f"{topic}/{i % 3}", b"%d" % i, qos=1 + i % 2)
        first = [peer.published() for _ in range(12)]
        assert [m.payload for m in first] == [b"%d" % i for i in range(12)]
        peer.close()
        peer = connected_again(fake)
        assert [peer.published() for _ in range(12)] == [m._replace(dup=True) for m in first]


def connected_again(fake):  # pylint: disable=redefined-outer-name
    peer = fake.accept()
    peer.handshake(present=True)
    return peer


@pytest.mark.parametrize("kind", [PUBACK, PUBREC], ids=["4.6.0-2-PUBACK", "4.6.0-3-PUBREC"])
def test_mqtt5_4_6_0_2_and_3_order_of_acknowledgements(fake, topic, kind):
    """MQTT-4.6.0-2, MQTT-4.6.0-3."""
    with Uplink("one", fake, topics=[(f"{topic}/#", IN, 2)]):
        peer = fake.accept()
        peer.handshake()
        peer.subscribed()
        ids = [7, 3, 9, 1, 500, 2, 8, 4]
        for packet_id in ids:
            peer.publish(f"{topic}/a", b"x", qos=1 if kind == PUBACK else 2, packet_id=packet_id)
        assert [peer.acked(kind)[0] for _ in ids] == ids


def test_mqtt5_4_6_0_4_order_of_pubrel(fake, device, topic):
    dev = device()
    with Uplink("one", fake, topics=[(f"{topic}/#", OUT, 2)]) as up:
        peer = connected(fake, up)
        for i in range(6):
            dev.publish(f"{topic}/a", b"%d" % i, qos=2)
        ids = [peer.published().packet_id for _ in range(6)]
        turned = [ids[i] for i in (3, 0, 5, 1, 2, 4)]
        for packet_id in turned:
            peer.ack(PUBREC, packet_id)
        assert [peer.acked(PUBREL)[0] for _ in turned] == turned


def test_mqtt5_2_2_2_1_property_length_of_a_client(fake, topic):
    """Zero where there are none: in a SUBSCRIBE it is the third byte."""
    with Uplink("one", fake, topics=[(f"{topic}/#", IN, 1)]):
        peer = fake.accept()
        peer.handshake(x29=0)
        r = Reader(peer.expect(SUBSCRIBE).body)
        r.take(2)
        assert r.props() == {} and r.string() == f"{topic}/#".encode()

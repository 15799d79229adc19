# SPDX-License-Identifier: GPL-2.0
"""Uplinks and a broker that does what the test says: CONNECT, sessions, both handshakes."""

import pytest

import kmqtt_dev
from kmqtt_broker import (PINGREQ, PUBACK, PUBCOMP, PUBREC, PUBREL, Fake, packet,
                          wait_for)
from kmqtt_uplink import BOTH, DEMAND, IN, OUT, UP, Uplink, receive

SESSION_EXPIRY, SERVER_KEEP_ALIVE, RECEIVE_MAX, ALIAS_MAX = 0x11, 0x13, 0x21, 0x22
ALIAS, MAX_PACKET = 0x23, 0x27


@pytest.fixture
def fake():
    with Fake() as one:
        yield one


def test_connect_has_what_was_set(fake):
    with Uplink("one", fake, client_id="me", username="user", password=b"\0secret",
                keepalive=33, session_expiry=77, receive_maximum=12, topic_alias_maximum=5,
                maximum_packet_size=5000, will_topic="w/t", will_payload=b"gone", will_qos=1,
                will_retain=1, will_delay=9):
        got = fake.accept().connect()
    assert (got.name, got.level, got.clean, got.keepalive) == (b"MQTT", 5, False, 33)
    assert (got.client_id, got.username, got.password) == (b"me", b"user", b"\0secret")
    assert got.props == {SESSION_EXPIRY: 77, RECEIVE_MAX: 12, ALIAS_MAX: 5, MAX_PACKET: 5000}
    assert got.will == (b"w/t", b"gone", 1, True, {0x18: 9})


@pytest.mark.parametrize("version, name", [(3, b"MQIsdp"), (4, b"MQTT")])
def test_connect_before_5(fake, version, name):
    with Uplink("one", fake, version=version, clean_start=1, client_id="old"):
        peer = fake.accept()
        got = peer.connect()
        assert (got.name, got.level, got.clean) == (name, 0x80 | version, True)
        peer.connack()


def test_own_client_id_before_5(fake):
    with Uplink("gate", fake, version=4):
        assert fake.accept().connect().client_id.startswith(b"gate.")


def test_bridge_bit_refused(fake):
    """A server that does not like it gets a CONNECT without it, at once."""
    with Uplink("one", fake, version=4, backoff_min=600, backoff_max=600) as up:
        peer = fake.accept()
        assert peer.connect().level == 0x84
        peer.connack(reason=1)
        peer = fake.accept()
        assert peer.handshake().level == 4
        assert up.wait(UP)["bridge_bit"] == 0


def test_bridge_bit_closed_without_a_word(fake):
    with Uplink("one", fake, version=4, backoff_min=600, backoff_max=600):
        peer = fake.accept()
        assert peer.connect().level == 0x84
        peer.close()
        assert fake.accept().connect().level == 4


def test_no_bridge_bit_if_told(fake):
    with Uplink("one", fake, version=4, try_private=0):
        assert fake.accept().connect().level == 4


def test_what_the_server_gives(fake):
    with Uplink("one", fake, client_id="") as up:
        fake.accept().handshake(x12="given", x13=7, x21=3, x22=4, x24=1, x25=0, x27=900, x11=5)
        got = up.wait(UP)
        assert got["active_client_id"] == "given"
        assert got["active_keepalive"] == 7
        assert got["server_receive_maximum"] == 3
        assert got["server_topic_alias_maximum"] == 4
        assert got["server_maximum_qos"] == 1
        assert got["server_retain_available"] == 0
        assert got["server_maximum_packet_size"] == 900
        assert got["active_session_expiry"] == 5


def test_assigned_client_id_is_kept(fake):
    with Uplink("one", fake, client_id=""):
        peer = fake.accept()
        assert peer.connect().client_id == b""
        peer.connack(x12="given")
        peer.close()
        assert fake.accept().connect().client_id == b"given"


def test_goodbye(fake):
    """Down is a DISCONNECT; a deletion says that the session need not be kept."""
    with Uplink("one", fake) as up:
        peer = fake.accept()
        peer.handshake()
        up.wait(UP)
        up.set(admin_up=0)
        assert peer.disconnected() == 0
        assert peer.ended()
        up.set(admin_up=1)
        peer = fake.accept()
        peer.handshake()
        up.wait(UP)
        peer.sock.settimeout(20)
        up.delete()
        got = peer.packet()
        assert got.type == 14
        assert got.body == bytes([0, 5, SESSION_EXPIRY, 0, 0, 0, 0])


def test_in_qos(fake, device, topic):
    with Uplink("one", fake, topics=[(f"{topic}/#", IN, 2)]):
        dev = device().subscribe(f"{topic}/#", qos=2)
        peer = fake.accept()
        peer.handshake()
        assert peer.subscribed() == {f"{topic}/#": 2 | 4 | 8}
        peer.publish(f"{topic}/0", b"zero", props={0x26: [("k", "v")], 3: "text"})
        peer.publish(f"{topic}/1", b"one", qos=1, packet_id=5)
        peer.publish(f"{topic}/2", b"two", qos=2, packet_id=6)
        assert peer.acked(PUBACK) == (5, 0)
        assert peer.acked(PUBREC) == (6, 0)
        # once more before PUBREL: the same message
        peer.publish(f"{topic}/2", b"two", qos=2, packet_id=6, dup=True)
        assert peer.acked(PUBREC) == (6, 0)
        peer.ack(PUBREL, 6)
        assert peer.acked(PUBCOMP) == (6, 0)
        # the packet identifier is free again
        peer.publish(f"{topic}/2", b"three", qos=2, packet_id=6)
        assert peer.acked(PUBREC) == (6, 0)
        got = receive(dev, 4)
    assert [(m.payload, m.qos) for m in got] == [(b"zero", 0), (b"one", 1), (b"two", 2),
                                                 (b"three", 2)]
    assert got[0].props == kmqtt_dev.string_prop(3, "text") + kmqtt_dev.user_prop("k", "v") or \
        got[0].props == kmqtt_dev.user_prop("k", "v") + kmqtt_dev.string_prop(3, "text")


def test_pubrel_of_what_is_unknown(fake):
    with Uplink("one", fake):
        peer = fake.accept()
        peer.handshake()
        peer.ack(PUBREL, 9)
        assert peer.acked(PUBCOMP) == (9, 0x92)


def test_out_qos(fake, device, topic):
    dev = device()
    with Uplink("one", fake, topics=[(f"{topic}/#", OUT, 2)]) as up:
        peer = fake.accept()
        peer.handshake()
        up.wait(UP)
        dev.publish(f"{topic}/0", b"zero", props=kmqtt_dev.string_prop(3, "text"))
        dev.publish(f"{topic}/1", b"one", qos=1, expiry=100)
        dev.publish(f"{topic}/2", b"two", qos=2, flags=kmqtt_dev.RETAIN)
        got = [peer.published() for _ in range(3)]
        assert [(m.payload, m.qos, m.retain, m.dup) for m in got] == [
            (b"zero", 0, False, False), (b"one", 1, False, False), (b"two", 2, True, False)]
        assert got[0].props == {3: b"text"}
        assert 90 < got[1].props[2] <= 100
        peer.ack(PUBACK, got[1].packet_id)
        peer.ack(PUBREC, got[2].packet_id)
        assert peer.acked(PUBREL) == (got[2].packet_id, 0)
        peer.ack(PUBCOMP, got[2].packet_id)
        up.wait(UP, inflight_messages=0, publishes_sent=3)


def test_redelivery(fake, device, topic):
    """The server has kept the session: what was in flight comes again, in order, with DUP."""
    dev = device()
    with Uplink("one", fake, topics=[(f"{topic}/#", OUT, 2)], backoff_min=1) as up:
        peer = fake.accept()
        peer.handshake()
        up.wait(UP)
        for i in range(3):
            dev.publish(f"{topic}/a", b"%d" % i, qos=1 + i % 2)
        first = [peer.published() for _ in range(3)]
        peer.ack(PUBREC, first[1].packet_id)
        assert peer.acked(PUBREL)[0] == first[1].packet_id
        peer.close()
        dev.publish(f"{topic}/a", b"3", qos=1)
        peer = fake.accept()
        peer.handshake(present=True)
        again = peer.published()
        assert (again.payload, again.dup, again.packet_id) == (b"0", True, first[0].packet_id)
        assert peer.acked(PUBREL)[0] == first[1].packet_id
        again = peer.published()
        assert (again.payload, again.dup, again.packet_id) == (b"2", True, first[2].packet_id)
        fresh = peer.published()
        assert (fresh.payload, fresh.dup) == (b"3", False)
        assert up.wait(UP)["redelivered"] == 2


def test_redelivery_to_a_server_that_forgot(fake, device, topic):
    dev = device()
    with Uplink("one", fake, topics=[(f"{topic}/#", OUT, 2)], backoff_min=1) as up:
        peer = fake.accept()
        peer.handshake()
        up.wait(UP)
        for i in range(3):
            dev.publish(f"{topic}/a", b"%d" % i, qos=1)
        for _ in range(3):
            peer.published()
        peer.close()
        peer = fake.accept()
        peer.handshake(present=False)
        got = [peer.published() for _ in range(3)]
        assert [(m.payload, m.dup) for m in got] == [(b"0", False), (b"1", False), (b"2", False)]


def test_waiting_while_away(fake, device, topic):
    """QoS 1 and 2 wait in order, QoS 0 is dropped, local delivery goes on."""
    dev, local = device(), device().subscribe(f"{topic}/#", qos=2)
    with Uplink("one", fake, topics=[(f"{topic}/#", OUT, 2)], backoff_min=1) as up:
        for i in range(30):
            dev.publish(f"{topic}/a", b"%d" % i, qos=i % 3)
        assert len(receive(local, 30)) == 30
        assert up.show()["queued_messages"] == 20
        peer = fake.accept()
        peer.handshake()
        got = [peer.published() for _ in range(20)]
        assert [m.payload for m in got] == [b"%d" % i for i in range(30) if i % 3]
        for one in got:
            peer.ack(PUBACK if one.qos == 1 else PUBREC, one.packet_id)
            if one.qos == 2:
                assert peer.acked(PUBREL)[0] == one.packet_id
                peer.ack(PUBCOMP, one.packet_id)
        up.wait(UP, queued_messages=0, inflight_messages=0)


@pytest.mark.parametrize("qos", [0, 1])
@pytest.mark.parametrize("present", [False, True])
def test_retained_goes_up_once(fake, device, topic, present, qos):
    """What is retained when the uplink comes goes to the server once, whatever that knows."""
    dev = device()
    dev.publish(f"{topic}/r", b"1", qos=1, flags=kmqtt_dev.RETAIN)
    with Uplink("one", fake, client_id="me", topics=[(f"{topic}/#", OUT, qos)]) as up:
        peer = fake.accept()
        peer.handshake(present=present)
        up.wait(UP)
        dev.publish(f"{topic}/a", b"2", qos=1)
        got = [peer.published() for _ in range(2)]
        assert sorted((m.payload, m.retain) for m in got) == [(b"1", True), (b"2", False)]
        for one in got if qos else []:
            peer.ack(PUBACK, one.packet_id)
        up.wait(UP, inflight_messages=0)
        # a session that the server has kept has had it
        peer.close()
        peer = fake.accept()
        peer.handshake(present=True)
        up.wait(UP)
        dev.publish(f"{topic}/a", b"3", qos=1)
        assert peer.published().payload == b"3"
        peer.nothing()
    dev.publish(f"{topic}/r", b"", flags=kmqtt_dev.RETAIN)


def test_receive_maximum_of_the_server(fake, device, topic):
    dev = device()
    with Uplink("one", fake, topics=[(f"{topic}/#", OUT, 1)]) as up:
        peer = fake.accept()
        peer.handshake(x21=2)
        up.wait(UP)
        for i in range(4):
            dev.publish(f"{topic}/a", b"%d" % i, qos=1)
        got = [peer.published(), peer.published()]
        peer.nothing()
        peer.ack(PUBACK, got[0].packet_id)
        assert peer.published().payload == b"2"
        peer.nothing()


def test_receive_maximum_of_ours(fake, topic):
    with Uplink("one", fake, topics=[(f"{topic}/#", IN, 2)], receive_maximum=2) as up:
        peer = fake.accept()
        peer.handshake()
        peer.subscribed()
        for i in range(1, 4):
            peer.publish(f"{topic}/a", b"x", qos=2, packet_id=i)
        assert peer.acked(PUBREC)[0] == 1
        assert peer.acked(PUBREC)[0] == 2
        assert peer.disconnected() == 0x93
        assert up.event("uplink-malformed")["reason"] == 0x93


def test_too_large_for_the_server(fake, device, topic):
    dev = device()
    with Uplink("one", fake, topics=[(f"{topic}/#", OUT, 1)]) as up:
        peer = fake.accept()
        peer.handshake(x27=200)
        up.wait(UP)
        dev.publish(f"{topic}/a", bytes(300), qos=1)
        dev.publish(f"{topic}/a", bytes(300))
        dev.publish(f"{topic}/a", b"small", qos=1)
        assert peer.published().payload == b"small"
        up.wait(UP, too_large=2)


def test_aliases_of_the_server(fake, device, topic):
    dev = device().subscribe(f"{topic}/#")
    with Uplink("one", fake, topics=[(f"{topic}/#", IN, 0)], topic_alias_maximum=2):
        peer = fake.accept()
        assert peer.handshake().props[ALIAS_MAX] == 2
        peer.subscribed()
        peer.publish(f"{topic}/a", b"1", props={ALIAS: 1})
        peer.publish(f"{topic}/b", b"2", props={ALIAS: 2})
        peer.publish("", b"3", props={ALIAS: 1})
        peer.publish(f"{topic}/c", b"4", props={ALIAS: 1})
        peer.publish("", b"5", props={ALIAS: 1})
        got = receive(dev, 5)
        assert [(m.topic[-1], m.payload) for m in got] == [
            ("a", b"1"), ("b", b"2"), ("a", b"3"), ("c", b"4"), ("c", b"5")]


@pytest.mark.parametrize("alias, reason", [(3, 0x94), (2, 0x82)])
def test_bad_alias(fake, topic, alias, reason):
    with Uplink("one", fake, topics=[(f"{topic}/#", IN, 0)], topic_alias_maximum=2):
        peer = fake.accept()
        peer.handshake()
        peer.subscribed()
        peer.publish("", b"1", props={ALIAS: alias})
        assert peer.disconnected() == reason


def test_aliases_of_ours(fake, device, topic):
    dev = device()
    with Uplink("one", fake, topics=[(f"{topic}/#", OUT, 0)]) as up:
        peer = fake.accept()
        peer.handshake(x22=1)
        up.wait(UP)
        for name in "aabb":
            dev.publish(f"{topic}/{name}", name.encode())
        got = [peer.published() for _ in range(4)]
        assert [m.topic for m in got] == [f"{topic}/a", "", f"{topic}/b", f"{topic}/b"]
        assert [m.props for m in got] == [{ALIAS: 1}, {ALIAS: 1}, {}, {}]


def test_qos_that_the_server_lacks(fake, device, topic):
    dev = device()
    with Uplink("one", fake, topics=[(f"{topic}/#", OUT, 2)]) as up:
        peer = fake.accept()
        peer.handshake(x24=1)
        up.wait(UP)
        dev.publish(f"{topic}/a", b"1", qos=2)
        got = peer.published()
        assert got.qos == 1
        peer.ack(PUBACK, got.packet_id)
        up.wait(UP, inflight_messages=0)


def test_publish_that_waits(fake, device, topic):
    """It is done when the server has acknowledged it, with the server's reason."""
    import threading  # pylint: disable=import-outside-toplevel
    dev = device()
    with Uplink("one", fake, topics=[(f"{topic}/#", OUT, 1)]) as up:
        peer = fake.accept()
        peer.handshake()
        up.wait(UP)
        reasons = []
        thread = threading.Thread(target=lambda: reasons.append(
            dev.publish_wait(kmqtt_dev.record(f"{topic}/a", b"1", qos=1), 20000)))
        thread.start()
        got = peer.published()
        assert not reasons
        peer.ack(PUBACK, got.packet_id, 0x10)
        thread.join()
        assert reasons == [0x10]


def test_refused_publish(fake, device, topic):
    dev = device()
    with Uplink("one", fake, topics=[(f"{topic}/#", OUT, 2)]) as up:
        peer = fake.accept()
        peer.handshake()
        up.wait(UP)
        dev.publish(f"{topic}/a", b"1", qos=1)
        dev.publish(f"{topic}/a", b"2", qos=2)
        one, two = peer.published(), peer.published()
        peer.ack(PUBACK, one.packet_id, 0x87)
        peer.ack(PUBREC, two.packet_id, 0x97)
        assert up.event("uplink-puback")["reason"] == 0x87
        assert up.event("uplink-puback")["reason"] == 0x97
        up.wait(UP, inflight_messages=0)


def test_keepalive(fake, device, topic):
    """A PINGREQ only when nothing was sent; no PINGRESP ends the connection."""
    with Uplink("one", fake, keepalive=600, topics=[(f"{topic}/#", OUT, 0)]) as up:
        peer = fake.accept()
        peer.handshake(x13=1)
        for _ in range(2):
            peer.expect(PINGREQ)
            peer.send(packet(13))
        peer.expect(PINGREQ)
        assert peer.ended()
        assert up.event("uplink-down")["error"] == 110


def test_blocked_subscriber_stops_reading(fake, device, topic):
    """With KMQTT_POLICY_BLOCK nothing is lost, and what was not taken is not acknowledged."""
    slow = device("slow", policy=kmqtt_dev.BLOCK, messages=2).subscribe(f"{topic}/#", qos=1)
    with Uplink("one", fake, topics=[(f"{topic}/#", IN, 1)]):
        peer = fake.accept()
        peer.handshake()
        peer.subscribed()
        for i in range(1, 7):
            peer.publish(f"{topic}/a", b"%d" % i, qos=1, packet_id=i)
        assert [peer.acked(PUBACK)[0] for _ in range(2)] == [1, 2]
        peer.nothing()
        got = []
        while len(got) < 6:
            got += receive_some(slow)
        assert [peer.acked(PUBACK)[0] for _ in range(4)] == [3, 4, 5, 6]
    assert [m.payload for m in got] == [b"%d" % i for i in range(1, 7)]


def receive_some(dev):
    wait_for(dev.readable, text="a message")
    return dev.read()


def test_blocked_and_lost_comes_again(fake, device, topic):
    """A QoS 2 message that could not be taken is not taken for a duplicate later."""
    slow = device("slow", policy=kmqtt_dev.BLOCK, messages=1).subscribe(f"{topic}/#", qos=2)
    with Uplink("one", fake, topics=[(f"{topic}/#", IN, 2)], backoff_min=1) as up:
        peer = fake.accept()
        peer.handshake()
        peer.subscribed()
        peer.publish(f"{topic}/a", b"1", qos=2, packet_id=1)
        assert peer.acked(PUBREC)[0] == 1
        peer.publish(f"{topic}/a", b"2", qos=2, packet_id=2)
        peer.nothing()
        up.set(keepalive=50)
        peer = fake.accept()
        peer.handshake(present=True)
        peer.subscribed()
        assert receive(slow, 1)[0].payload == b"1"
        peer.publish(f"{topic}/a", b"2", qos=2, packet_id=2, dup=True)
        assert peer.acked(PUBREC)[0] == 2
        assert receive(slow, 1)[0].payload == b"2"


def test_large_messages(fake, device, topic):
    body = bytes(range(256)) * 6000
    dev = device().subscribe(f"{topic}/in")
    with Uplink("one", fake, topics=[(f"{topic}/in", IN, 1), (f"{topic}/out", OUT, 1)]) as up:
        peer = fake.accept()
        peer.handshake()
        peer.subscribed()
        peer.publish(f"{topic}/in", body, qos=1, packet_id=1)
        assert peer.acked(PUBACK) == (1, 0)
        wait_for(dev.readable)
        assert dev.read(4 << 20)[0].payload == body
        dev.publish(f"{topic}/out", body, qos=1)
        got = peer.published()
        assert got.payload == body
        peer.ack(PUBACK, got.packet_id)
        up.wait(UP, inflight_messages=0)


def test_prefixes(fake, device, topic):
    dev = device().subscribe(f"{topic}/#", qos=1, flags=kmqtt_dev.NO_LOCAL)
    topics = [("in/#", IN, 1, f"{topic}/l/", "r/"), ("out/+", OUT, 1, f"{topic}/l/", "r/"),
              ("", BOTH, 1, f"{topic}/whole", "all/of/it")]
    with Uplink("one", fake, topics=topics) as up:
        peer = fake.accept()
        peer.handshake()
        assert set(peer.subscribed()) == {"r/in/#", "all/of/it"}
        up.wait(UP, filters=2)
        peer.publish("r/in/x", b"1")
        peer.publish("all/of/it", b"2")
        peer.publish("other", b"3")
        got = receive(dev, 2)
        assert [(m.topic, m.payload) for m in got] == [(f"{topic}/l/in/x", b"1"),
                                                       (f"{topic}/whole", b"2")]
        dev.publish(f"{topic}/l/out/y", b"4", qos=1)
        dev.publish(f"{topic}/whole", b"5", qos=1)
        assert [peer.published().topic for _ in range(2)] == ["r/out/y", "all/of/it"]
        up.wait(UP, unmapped=1)


def test_topics_come_and_go(fake, topic):
    with Uplink("one", fake) as up:
        peer = fake.accept()
        peer.handshake()
        up.wait(UP)
        up.topic(f"{topic}/a", IN, 1)
        assert peer.subscribed() == {f"{topic}/a": 1 | 4 | 8}
        up.topic(f"{topic}/b", IN)
        assert peer.subscribed() == {f"{topic}/b": 4 | 8}
        up.untopic(f"{topic}/a")
        assert peer.unsubscribed() == [f"{topic}/a"]
        up.wait(UP, filters=1)


def test_batches(fake, topic):
    """No SUBSCRIBE has more filters than was said, nor more bytes than the server takes."""
    topics = [(f"{topic}/{i:02}", IN, 0) for i in range(20)]
    with Uplink("one", fake, topics=topics) as up:
        peer = fake.accept()
        peer.handshake()
        sizes = []
        while sum(sizes) < 20:
            sizes.append(len(peer.subscribed()))
        assert sizes == [8, 8, 4]
        up.wait(UP, filters=20)
        peer.close()
        peer = fake.accept()
        peer.handshake(x27=2 * (len(topic) + 6) + 8)
        sizes = []
        while sum(sizes) < 20:
            sizes.append(len(peer.subscribed()))
        assert max(sizes) == 2


def test_refused_filter(fake, topic):
    """An event; and what it would have covered is subscribed instead."""
    with Uplink("one", fake, topics=[(f"{topic}/#", IN, 0), (f"{topic}/a", IN, 0)]) as up:
        peer = fake.accept()
        peer.handshake()
        assert set(peer.subscribed(codes=[0x87])) == {f"{topic}/#"}
        event = up.event("uplink-suback")
        assert (event["reason"], event["topic"]) == (0x87, f"{topic}/#")
        assert set(peer.subscribed()) == {f"{topic}/a"}
        up.wait(UP, filters=1)


def test_demand(fake, device, topic):
    with Uplink("one", fake, topics=[(f"{topic}/#", DEMAND, 1)]) as up:
        peer = fake.accept()
        peer.handshake()
        up.wait(UP)
        peer.nothing()
        one = device().subscribe(f"{topic}/a/x")
        assert peer.subscribed() == {f"{topic}/a/x": 1 | 4 | 8}
        two = device().subscribe(f"{topic}/a/x")
        two.subscribe("elsewhere/#")
        peer.nothing()
        peer.publish(f"{topic}/a/x", b"1")
        assert receive(one, 1)[0].payload == b"1"
        assert receive(two, 1)[0].payload == b"1"
        one.close()
        peer.nothing()
        two.close()
        assert peer.unsubscribed() == [f"{topic}/a/x"]
        up.wait(UP, filters=0)


def test_demand_covers(fake, device, topic):
    """A wider filter comes first, then the narrower ones go; and the other way round."""
    with Uplink("one", fake, topics=[(f"{topic}/#", DEMAND, 0)]) as up:
        peer = fake.accept()
        peer.handshake()
        up.wait(UP)
        many = [device().subscribe(f"{topic}/a/{i}") for i in range(3)]
        seen = set()
        while len(seen) < 3:
            seen |= set(peer.subscribed())
        up.wait(UP, filters=3)
        wide = device().subscribe(f"{topic}/a/+")
        assert set(peer.subscribed()) == {f"{topic}/a/+"}
        assert set(peer.unsubscribed()) == {f"{topic}/a/{i}" for i in range(3)}
        up.wait(UP, filters=1)
        more = device().subscribe(f"{topic}/a/99")
        peer.nothing()
        more.close()
        wide.close()
        seen = set()
        while len(seen) < 3:
            seen |= set(peer.subscribed())
        assert seen == {f"{topic}/a/{i}" for i in range(3)}
        assert peer.unsubscribed() == [f"{topic}/a/+"]
        assert len(many) == 3


def test_demand_is_no_wider_than_told(fake, device, topic):
    """Of a local filter that reaches further only what is below the demand goes upstream."""
    with Uplink("one", fake, topics=[(f"x/{topic}/+/t", DEMAND, 0, "", "r/")]) as up:
        peer = fake.accept()
        peer.handshake()
        up.wait(UP)
        dev = device().subscribe("x/#")
        assert set(peer.subscribed()) == {f"r/x/{topic}/+/t"}
        dev.unsubscribe("x/#")
        assert peer.unsubscribed() == [f"r/x/{topic}/+/t"]
        dev.subscribe(f"+/{topic}/a/#")
        assert set(peer.subscribed()) == {f"r/x/{topic}/a/t"}


def test_second_subscriber_gets_the_retained_one(fake, device, topic):
    with Uplink("one", fake, topics=[(f"{topic}/#", DEMAND, 1)]):
        peer = fake.accept()
        peer.handshake()
        one = device().subscribe(f"{topic}/t")
        assert set(peer.subscribed()) == {f"{topic}/t"}
        peer.publish(f"{topic}/t", b"21", retain=True)
        assert [m.payload for m in receive(one, 1)] == [b"21"]
        two = device().subscribe(f"{topic}/t")
        got = receive(two, 1)[0]
        assert (got.payload, got.retain) == (b"21", True)
        peer.nothing()
        assert not one.readable()
        # a wider one: the server sends again what is retained, which the first has had
        three = device().subscribe(f"{topic}/+")
        assert set(peer.subscribed()) == {f"{topic}/+"}
        peer.publish(f"{topic}/t", b"21", retain=True)
        peer.publish(f"{topic}/u", b"22", retain=True)
        assert [m.payload for m in receive(three, 2)] == [b"21", b"22"]
        assert not one.readable()
        one.publish(f"{topic}/t", b"", flags=kmqtt_dev.RETAIN)
        one.publish(f"{topic}/u", b"", flags=kmqtt_dev.RETAIN)


def test_retained_goes_with_the_demand(fake, device, topic):
    """What nobody keeps up to date is not shown to the next subscriber; what is local stays."""
    dev = device()
    dev.publish(f"{topic}/mine", b"1", flags=kmqtt_dev.RETAIN)
    with Uplink("one", fake, topics=[(f"{topic}/#", DEMAND, 1)]) as up:
        peer = fake.accept()
        peer.handshake()
        with kmqtt_dev.Device() as first, kmqtt_dev.Device() as narrow:
            first.subscribe(f"{topic}/#")
            assert set(peer.subscribed()) == {f"{topic}/#"}
            narrow.subscribe(f"{topic}/t")
            peer.publish(f"{topic}/t", b"21", retain=True)
            assert [m.payload for m in receive(narrow, 1)] == [b"21"]
            assert [m.payload for m in receive(first, 2)] == [b"1", b"21"]
            # the wider one is there still, so this is kept
            narrow.unsubscribe(f"{topic}/t")
            narrow.subscribe(f"{topic}/+")
            assert sorted(m.payload for m in receive(narrow, 2)) == [b"1", b"21"]
        assert peer.unsubscribed() == [f"{topic}/#"]
        up.wait(UP, filters=0)
        with kmqtt_dev.Device() as second:
            second.subscribe(f"{topic}/#")
            assert [m.payload for m in receive(second, 1)] == [b"1"]
            assert not second.readable(300)
    dev.publish(f"{topic}/mine", b"", flags=kmqtt_dev.RETAIN)


def test_same_retained_message_again(fake, device, topic):
    """Published twice it is delivered twice; sent again after a reconnect it is not."""
    dev = device().subscribe(f"{topic}/#")
    with Uplink("one", fake, topics=[(f"{topic}/#", IN, 0)]) as up:
        peer = fake.accept()
        peer.handshake()
        peer.subscribed()
        for _ in range(3):
            peer.publish(f"{topic}/t", b"on", retain=True)
        assert [m.payload for m in receive(dev, 3)] == [b"on"] * 3
        peer.close()
        peer = fake.accept()
        peer.handshake()
        peer.subscribed()
        peer.publish(f"{topic}/t", b"on", retain=True)
        peer.publish(f"{topic}/t", b"on", retain=True)
        peer.publish(f"{topic}/t", b"", retain=True)
        assert [m.payload for m in receive(dev, 2)] == [b"on", b""]
        up.wait(UP)


def test_echo_of_a_server_without_no_local(fake, device, topic):
    """3.1.1 without the bridge bit: what comes back is dropped, once for each."""
    dev = device().subscribe(f"{topic}/#", flags=kmqtt_dev.NO_LOCAL)
    with Uplink("one", fake, version=4, try_private=0, topics=[(f"{topic}/#", BOTH, 0)]) as up:
        peer = fake.accept()
        peer.handshake()
        peer.subscribed()
        up.wait(UP)
        dev.publish(f"{topic}/a", b"mine")
        assert peer.published().payload == b"mine"
        peer.publish(f"{topic}/a", b"mine")
        peer.publish(f"{topic}/a", b"theirs")
        assert receive(dev, 1)[0].payload == b"theirs"
        up.wait(UP, echoes_suppressed=1)
        peer.publish(f"{topic}/a", b"mine")
        assert receive(dev, 1)[0].payload == b"mine"


def test_echo_after_a_reconnect(fake, device, topic):
    """A server that kept the session sends back later what it had to send back."""
    dev = device().subscribe(f"{topic}/#", qos=1, flags=kmqtt_dev.NO_LOCAL)
    with Uplink("one", fake, version=4, try_private=0, topics=[(f"{topic}/#", BOTH, 1)]) as up:
        peer = fake.accept()
        peer.handshake()
        peer.subscribed()
        up.wait(UP)
        dev.publish(f"{topic}/a", b"mine", qos=1)
        got = peer.published()
        assert got.payload == b"mine"
        peer.ack(PUBACK, got.packet_id)
        up.wait(UP, inflight_messages=0)
        peer.close()
        peer = fake.accept()
        peer.handshake(present=True)
        peer.subscribed()
        peer.publish(f"{topic}/a", b"mine", qos=1, packet_id=7)
        assert peer.acked(PUBACK) == (7, 0)
        peer.publish(f"{topic}/a", b"theirs", qos=1, packet_id=8)
        assert peer.acked(PUBACK) == (8, 0)
        assert receive(dev, 1)[0].payload == b"theirs"
        up.wait(UP, echoes_suppressed=1)
        # one that forgot the session has nothing to send back
        dev.publish(f"{topic}/a", b"more", qos=1)
        got = peer.published()
        assert got.payload == b"more"
        peer.ack(PUBACK, got.packet_id)
        up.wait(UP, inflight_messages=0)
        peer.close()
        peer = fake.accept()
        peer.handshake()
        peer.subscribed()
        peer.publish(f"{topic}/a", b"more", qos=1, packet_id=7)
        assert receive(dev, 1)[0].payload == b"more"


def test_set_makes_the_connection_anew(fake):
    with Uplink("one", fake, keepalive=60) as up:
        peer = fake.accept()
        peer.handshake()
        up.wait(UP)
        up.set(keepalive=61)
        assert peer.disconnected() == 0
        peer.close()
        assert fake.accept().connect().keepalive == 61


def test_killed_session_comes_back(fake, device, topic):
    dev = device()
    with Uplink("one", fake, topics=[(f"{topic}/#", OUT, 1)]) as up:
        peer = fake.accept()
        peer.handshake()
        up.wait(UP)
        up.nl.do("session-del", name="uplink.one")
        peer.disconnected()
        peer.close()
        peer = fake.accept()
        peer.handshake()
        up.wait(UP)
        dev.publish(f"{topic}/a", b"1", qos=1)
        assert peer.published().payload == b"1"



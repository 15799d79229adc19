# SPDX-License-Identifier: GPL-2.0
"""Brokers that break the rules, that say nothing, or too much."""

import socket
import struct
import time

import pytest

import kmqtt_dev
from kmqtt_broker import (CONNACK, PUBACK, PUBLISH, PUBREC, SUBACK, Fake, encode_props, packet,
                          string, varint, wait_for)
from kmqtt_uplink import BACKOFF, IN, OUT, UP, Uplink, receive


@pytest.fixture
def fake():
    with Fake() as one:
        yield one


def publish_body(topic, payload=b"", props=b"\0"):
    return string(topic) + props + payload


# What comes after CONNACK and SUBACK, and the reason code it deserves.
MALFORMED = {
    "type 0": (b"\x00\x00", 0x81),
    "reserved flags": (b"\x41\x02\x00\x01", 0x81),
    "overlong length": (b"\x30\x80\x80\x80\x80\x01", 0x81),
    "length longer than it need be": (b"\x30\x80\x00", 0x81),
    "QoS 3": (packet(PUBLISH, publish_body("a"), 6), 0x81),
    "packet id 0": (packet(PUBLISH, string("a") + b"\0\0\0", 2), 0x82),
    "wildcard in topic": (packet(PUBLISH, publish_body("a/#")), 0x90),
    "topic not UTF-8": (packet(PUBLISH, publish_body(b"\xff\xfe")), 0x81),
    "topic with NUL": (packet(PUBLISH, publish_body(b"a\0b")), 0x81),
    "topic longer than packet": (packet(PUBLISH, b"\x00\x40ab"), 0x81),
    "no topic, no alias": (packet(PUBLISH, publish_body("")), 0x82),
    "unknown property": (packet(PUBLISH, publish_body("a", props=b"\x02\x7f\x00")), 0x81),
    "property twice": (packet(PUBLISH, publish_body("a", props=b"\x04\x01\x00\x01\x00")), 0x82),
    "server's CONNECT": (packet(1, b"\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x00"), 0x82),
    "server's SUBSCRIBE": (packet(8, b"\x00\x01\x00\x00\x01a\x00"), 0x82),
    "second CONNACK": (packet(CONNACK, b"\0\0\0"), 0x82),
    "AUTH unasked": (packet(15, b"\x18\x00"), 0x82),
    "SUBACK unasked": (packet(SUBACK, b"\x00\x63\x00\x00"), 0x82),
    "PUBACK with bad reason": (packet(PUBACK, b"\x00\x01\x01\x00"), None),
    "too large": (b"\x30\xff\xff\xff\x7f", 0x95),
}


@pytest.mark.parametrize("what", MALFORMED)
def test_malformed(fake, device, topic, what):
    """DISCONNECT with the reason, an event, a new connection; nobody else notices."""
    data, reason = MALFORMED[what]
    dev = device().subscribe(f"{topic}/#")
    with Uplink("one", fake, topics=[(f"{topic}/#", IN, 0)]) as up:
        peer = fake.accept()
        peer.handshake()
        peer.subscribed()
        peer.send(data)
        got = peer.disconnected()
        assert got in ([0x81, 0x82] if reason is None else [reason])
        assert peer.ended()
        assert up.event("uplink-malformed")["reason"] == got
        dev.publish(f"{topic}/local", b"1")
        assert receive(dev, 1)[0].payload == b"1"
        peer.close()
        peer = fake.accept()
        peer.handshake()
        assert up.wait(UP)["malformed"] == 1


def test_malformed_before_5(fake):
    """There is no reason to be told: the connection just closes."""
    with Uplink("one", fake, version=4) as up:
        peer = fake.accept()
        peer.handshake()
        peer.send(b"\x00\x00")
        with pytest.raises((EOFError, ConnectionError)):
            peer.packet()
        assert up.event("uplink-malformed")["reason"] == 0x81


@pytest.mark.parametrize("data, reason", [
    (b"\x20\x03\x02\x00\x00", 0x81), (b"\x20\x04\x00\x00\x01\x11", 0x81),
    (b"\x20\x03\x01\x01\x00", None), (packet(PUBLISH, publish_body("a")), 0x82)])
def test_bad_first_packet(fake, data, reason):
    with Uplink("one", fake) as up:
        peer = fake.accept()
        peer.connect()
        peer.send(data)
        got = peer.disconnected()
        assert got >= 0x80 and reason in (None, got)
        assert up.event("uplink-malformed")["reason"] == got


def test_session_present_after_a_clean_start(fake):
    with Uplink("one", fake, clean_start=1):
        peer = fake.accept()
        peer.handshake(present=True)
        assert peer.disconnected() == 0x82


def test_refused(fake):
    """An event with the reason, and again after a while."""
    with Uplink("one", fake, backoff_min=1) as up:
        for _ in range(2):
            peer = fake.accept()
            peer.connect()
            peer.connack(reason=0x87, x1f="not you")
            event = up.event("uplink-refused")
            assert (event["reason"], event["text"]) == (0x87, "not you")
            assert peer.ended()
            peer.close()


def test_refused_before_5(fake):
    with Uplink("one", fake, version=4, try_private=0) as up:
        peer = fake.accept()
        peer.connect()
        peer.connack(reason=5)
        assert up.event("uplink-refused")["reason"] == 0x87


def test_server_that_knows_no_5(fake):
    with Uplink("one", fake) as up:
        peer = fake.accept()
        peer.connect()
        peer.send(b"\x20\x02\x00\x01")
        assert up.event("uplink-refused")["reason"] == 0x84


@pytest.mark.parametrize("reason", [0x9c, 0x9d])
def test_redirect(fake, reason):
    """Said, and not followed."""
    with Fake() as elsewhere, Uplink("one", fake, backoff_min=1) as up:
        peer = fake.accept()
        peer.connect()
        there = f"127.0.0.1:{elsewhere.port}"
        peer.connack(reason=reason, x1c=there)
        event = up.event("uplink-redirect")
        assert (event["reason"], event["text"]) == (reason, there)
        peer.close()
        peer = fake.accept()
        peer.handshake()
        up.wait(UP)
        peer.send(packet(14, bytes([reason]) + encode_props({0x1c: there})))
        assert up.event("uplink-redirect")["text"] == there
        elsewhere.sock.settimeout(0.5)
        with pytest.raises(TimeoutError):
            elsewhere.accept()


def test_server_disconnects(fake):
    with Uplink("one", fake, backoff_min=1) as up:
        peer = fake.accept()
        peer.handshake()
        up.wait(UP)
        peer.send(packet(14, b"\x8b"))
        with pytest.raises((EOFError, ConnectionError)):
            peer.packet()
        assert up.event("uplink-down")["reason"] == 0x8b
        assert fake.accept().connect()


def test_no_connack(fake):
    with Uplink("one", fake, connect_timeout=1, backoff_min=1) as up:
        peer = fake.accept()
        peer.connect()
        assert peer.ended()
        assert up.event("uplink-down")["error"] == 110
        assert fake.accept().connect()


def test_no_syn_ack():
    """A server whose queue is full answers no SYN."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        waiting = []
        for _ in range(3):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
            waiting.append(one)
        time.sleep(0.3)
        with Uplink("one", ("127.0.0.1", port), connect_timeout=1) as up:
            assert up.event("uplink-down")["error"] == 110
        for one in waiting:
            one.close()


def test_nobody_listens(fake):
    port = fake.port
    fake.close()
    with Uplink("one", ("127.0.0.1", port), backoff_min=600, backoff_max=600) as up:
        assert up.event("uplink-down")["error"] == 111
        assert up.wait(BACKOFF)["retry_in"] > 400_000


def test_network_unreachable():
    with Uplink("one", ("2001:db8::1", 1883)) as up:
        assert up.event("uplink-down")["error"] in (101, 113)


def test_next_server(fake):
    """At once, not after the pause that follows when all have failed."""
    with Fake() as second:
        dead = Fake()
        dead.close()
        with Uplink("one", dead, fake, second, backoff_min=600, backoff_max=600) as up:
            peer = fake.accept()
            peer.handshake()
            assert up.wait(UP)["peer"]["port"] == fake.port
            peer.close()
            peer = second.accept()
            peer.handshake()
            assert up.wait(UP)["peer"]["port"] == second.port


def test_ipv6(device, topic):
    with Fake(socket.AF_INET6, "::1") as fake:
        dev = device().subscribe(f"{topic}/#")
        with Uplink("one", fake, topics=[(f"{topic}/#", IN, 0)]):
            peer = fake.accept()
            peer.handshake()
            peer.subscribed()
            peer.publish(f"{topic}/a", b"1")
            assert receive(dev, 1)[0].payload == b"1"


def test_byte_at_a_time(fake, device, topic):
    """CONNACK, SUBACK and messages of all QoS in segments of one byte."""
    dev = device().subscribe(f"{topic}/#", qos=1)
    with Uplink("one", fake, topics=[(f"{topic}/#", IN, 1)]):
        peer = fake.accept()
        peer.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        whole = peer.send

        def slowly(data):
            for byte in data:
                whole(bytes([byte]))
                time.sleep(0.001)
        peer.send = slowly
        peer.handshake(x26=[("a", "b")])
        peer.subscribed()
        peer.publish(f"{topic}/a", b"zero", props={3: "text/plain"})
        peer.publish(f"{topic}/a", b"x" * 200, qos=1, packet_id=1)
        peer.publish(f"{topic}/a")
        assert peer.acked(PUBACK) == (1, 0)
        assert [m.payload for m in receive(dev, 3)] == [b"zero", b"x" * 200, b""]


@pytest.mark.parametrize("size", [3, 17, 1000, 16384, 40000])
def test_pieces(fake, device, topic, size):
    """The same stream, cut anywhere."""
    dev = device("pieces", messages=10000).subscribe(f"{topic}/#")
    bodies = [bytes([i]) * (i * 37 % 900) for i in range(200)] + [b"y" * 50000]
    with Uplink("one", fake, topics=[(f"{topic}/#", IN, 0)]):
        peer = fake.accept()
        peer.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer.handshake()
        peer.subscribed()
        stream = b"".join(packet(PUBLISH, publish_body(f"{topic}/{i % 7}", body))
                          for i, body in enumerate(bodies))
        for at in range(0, len(stream), size):
            peer.send(stream[at:at + size])
        got = receive(dev, len(bodies), 60)
        assert [m.payload for m in got] == bodies


def memory_kb():
    """What the kernel has not given out, and may get back."""
    with open("/proc/meminfo", encoding="ascii") as file:
        values = {line.split(":")[0]: int(line.split()[1]) for line in file}
    return values["MemAvailable"]


def test_flood_of_messages(fake, device, topic):
    """Nobody reads: the queue's cap holds, the rest is dropped and counted."""
    dev = device("reader", messages=100).subscribe(f"{topic}/#")
    with Uplink("one", fake, topics=[(f"{topic}/#", IN, 0)]) as up:
        peer = fake.accept()
        peer.handshake()
        peer.subscribed()
        one = packet(PUBLISH, publish_body(f"{topic}/a", b"z" * 1000))
        before = memory_kb()
        for _ in range(100):
            peer.send(one * 200)
        up.wait(UP, publishes_received=20000)
        assert before - memory_kb() < 20000
        stats = dev.stats()
        assert stats.queued_messages == 100
        assert stats.dropped_messages == 20000 - 100


def test_flood_that_wants_answers(fake, topic):
    """A peer that reads nothing does not make us hold more than a bounded number of answers."""
    with Uplink("one", fake, topics=[(f"{topic}/#", IN, 1)], keepalive=0) as up:
        peer = fake.accept()
        peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.handshake()
        peer.subscribed()
        before = memory_kb()
        one = b"".join(packet(PUBLISH, string("elsewhere") + struct.pack(">H", i) + b"\0", 2)
                       for i in range(1, 5000))
        peer.sock.settimeout(2)
        sent = 0
        try:
            while sent < 60_000_000:
                sent += peer.sock.send(one)
        except TimeoutError:
            pass
        assert sent < 60_000_000, "it reads on though nobody takes its answers"
        assert before - memory_kb() < 60000
        assert up.show()["state"] == UP


def test_flood_of_nothing(fake, device, topic):
    """PINGRESPs without end keep nobody from being served."""
    dev = device().subscribe(f"{topic}/#")
    with Uplink("one", fake, topics=[(f"{topic}/#", IN, 0)]) as up:
        peer = fake.accept()
        peer.handshake()
        peer.subscribed()
        for _ in range(50):
            peer.send(b"\xd0\x00" * 20000)
        peer.publish(f"{topic}/a", b"1")
        assert receive(dev, 1)[0].payload == b"1"
        assert up.show()["packets_received"] >= 1_000_000


def test_a_claim_of_much(fake, topic):
    """A long packet that is announced and does not come costs nothing."""
    with Uplink("one", fake, topics=[(f"{topic}/#", IN, 0)]) as up:
        peer = fake.accept()
        limit = peer.connect().props[0x27]
        peer.connack()
        peer.subscribed()
        before = memory_kb()
        size = min(limit, 100_000_000) - 5
        # a PUBLISH of that length, and of its topic name no more than the length
        peer.send(b"\x30" + varint(size) + b"\xff\xff")
        peer.nothing()
        assert before - memory_kb() < 20000
        assert up.show()["state"] == UP


@pytest.mark.parametrize("qos, answer", [(1, PUBACK), (2, PUBREC)])
def test_too_large_with_its_prefix(fake, device, topic, qos, answer):
    """What only the switch finds too large is refused; without an answer it would come for ever."""
    prefix = "p" * 1000 + "/"
    dev = device().subscribe("#", qos=2)
    with Uplink("one", fake, topics=[]) as up:
        up.topic(f"{topic}/#", IN, qos, local=prefix)
        peer = fake.accept()
        peer.handshake()
        peer.subscribed()
        peer.publish(f"{topic}/a", b"x" * 1999500, qos=qos, packet_id=7)
        assert peer.acked(answer) == (7, 0x97)
        peer.publish(f"{topic}/a", b"y", qos=qos, packet_id=7)
        assert peer.acked(answer) == (7, 0)
        assert receive(dev, 1)[0].payload == b"y"


def test_silent_server(fake, device, topic):
    """One that takes all and says nothing is found out, however much is sent to it."""
    dev = device()
    with Uplink("one", fake, keepalive=1, topics=[(f"{topic}/#", OUT, 0)]) as up:
        peer = fake.accept()
        peer.handshake()
        up.wait(UP)

        def gone():
            dev.publish(f"{topic}/a", b"1")
            return up.show()["state"] != UP
        wait_for(gone, text="end of the connection")
        assert up.event("uplink-down")["error"] == 110


def test_window_of_all_packet_ids(fake, device, topic):
    """A server that acknowledges nothing leaves an identifier for a SUBSCRIBE."""
    dev = device()
    with Uplink("one", fake, max_inflight_messages=65535, max_queued_messages=100000,
                max_queued_bytes=1 << 30, keepalive=0, topics=[(f"{topic}/o", OUT, 1)]) as up:
        peer = fake.accept()
        peer.handshake()
        up.wait(UP)
        some = kmqtt_dev.record(f"{topic}/o", b"", qos=1) * 1000
        for _ in range(66):
            assert dev.write(some) == len(some)
        taken = [0]

        def idle():
            """All that the window holds has been sent."""
            peer.sock.settimeout(1)
            try:
                while peer.sock.recv(1 << 20):
                    taken[0] += 1
            except TimeoutError:
                return up.show()["inflight_messages"] > 65000
            finally:
                peer.sock.settimeout(60)
        wait_for(idle, seconds=120, text="a full window")
        up.topic(f"{topic}/i", IN)
        assert set(peer.subscribed()) == {f"{topic}/i"}
        up.wait(UP, filters=1)


def test_reset(fake):
    with Uplink("one", fake, backoff_min=1) as up:
        peer = fake.accept()
        peer.handshake()
        up.wait(UP)
        peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
        assert up.event("uplink-down")["error"] == 104
        assert fake.accept().connect()


def test_backoff_grows(fake):
    """Each pause is announced: twice the last one, more or less a quarter, up to the maximum."""
    port = fake.port
    fake.close()
    with Uplink("one", ("127.0.0.1", port), backoff_min=1, backoff_max=2) as up:
        for attempts in (1, 2, 3):
            wait_for(lambda n=attempts: up.show()["attempts"] >= n)
            shown = up.wait(BACKOFF)
            assert shown["retry_in"] <= 2500


def test_local_delivery_without_a_broker(device, topic):
    dev = device().subscribe(f"{topic}/#", qos=1)
    with Uplink("one", ("127.0.0.1", 1), topics=[(f"{topic}/#", IN, 0)]):
        for i in range(100):
            dev.publish(f"{topic}/a", b"%d" % i, qos=i % 2)
        assert len(receive(dev, 100)) == 100


def test_bad_settings():
    with Uplink("one", up=False) as up:
        for conf in ({"version": 6}, {"batch": 0}, {"backoff_min": 9, "backoff_max": 8},
                     {"client_id": b"\xff"}, {"will_topic": "a/#"}, {"version": 4, "password": b"x"},
                     {"server": [{"ipv4": 0, "port": 1}]}):
            before = up.show()
            with pytest.raises(OSError):
                up.set(**conf)
            after = up.show()
            for one in (before, after):
                del one["state_time"]
            assert before == after, conf
        for filter_, more in (("a/#/b", {}), ("a", {"local": "x+"}), ("", {"local": "x"}),
                              ("$share/g/a", {}), ("#", {"remote": "x"})):
            with pytest.raises(OSError):
                up.topic(filter_, IN, **more)
        up.topic("a", IN)
        with kmqtt_dev.refused(17):
            up.topic("a", IN)
        with kmqtt_dev.refused(2):
            up.untopic("b")
        with kmqtt_dev.refused(17):
            Uplink("one", up=False)

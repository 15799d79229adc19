# SPDX-License-Identifier: GPL-2.0
"""What uplinks ask their server for, and what becomes of it when it does not do its part."""

import contextlib
import errno
import os
import socket
import threading

import pytest

import kmqtt_dev
from kmqtt_broker import PUBACK, SUBSCRIBE, Fake, packet, wait_for
from kmqtt_dev import alarms, libc, refused
from kmqtt_uplink import CONNECTING, DEMAND, DOWN, IN, OUT, UP, Uplink, receive


@pytest.fixture
def fake():
    with Fake() as one:
        yield one


# Subscriptions

def test_demand_by_two_filters(fake, device, topic):
    """Local filters that both reach what is told: the last one takes it away."""
    with Uplink("one", fake, topics=[(f"{topic}/a/b", DEMAND, 1)]) as up:
        peer = fake.accept()
        peer.handshake()
        up.wait(UP)
        dev = device().subscribe(f"{topic}/a/+")
        assert peer.subscribed() == {f"{topic}/a/b": 1 | 4 | 8}
        dev.subscribe(f"{topic}/+/b")
        dev.unsubscribe(f"{topic}/a/+")
        peer.nothing()
        peer.publish(f"{topic}/a/b", b"1")
        wait_for(dev.readable)
        assert [one.payload for one in dev.read()] == [b"1"]
        dev.unsubscribe(f"{topic}/+/b")
        assert peer.unsubscribed() == [f"{topic}/a/b"]
        up.wait(UP, filters=0)


def test_demand_that_comes_back(fake, device, topic):
    """Before the server is told that it had gone: what it has retained was forgotten meanwhile."""
    with Uplink("one", fake, topics=[(f"{topic}/#", DEMAND, 1)]) as up:
        peer = fake.accept()
        peer.handshake()
        up.wait(UP)
        one = device().subscribe(f"{topic}/a")
        assert set(peer.subscribed()) == {f"{topic}/a"}
        peer.publish(f"{topic}/a", b"kept", retain=True)
        assert [m.payload for m in receive(one, 1)] == [b"kept"]
        # nothing is unsubscribed as long as this is not answered
        device().subscribe(f"{topic}/b")
        peer.expect(SUBSCRIBE)
        one.close()
        wait_for(lambda: not up.nl.dump("retained-get", filter=f"{topic}/#"), text="a purge")
        two = device().subscribe(f"{topic}/a")
        assert set(peer.subscribed()) == {f"{topic}/a"}
        peer.publish(f"{topic}/a", b"kept", retain=True)
        assert [m.payload for m in receive(two, 1)] == [b"kept"]


def test_topic_that_another_has_too(fake, topic):
    """With the one that has gone, its QoS has; a filter that this no longer covers is asked for."""
    name = f"{topic}/#"
    with Uplink("one", fake, topics=[(name, IN, 2), (name, IN, 0, "local/"),
                                     (f"{topic}/a", IN, 1, "narrow/")]) as up:
        peer = fake.accept()
        peer.handshake()
        seen = {}
        while set(seen) != {name}:
            seen.update(peer.subscribed())
        assert seen == {name: 2 | 4 | 8}
        up.wait(UP, filters=1)
        up.nl.do("uplink-topic-del", uplink="one", filter=name, local_prefix="")
        seen = {}
        while set(seen) != {name, f"{topic}/a"}:
            seen.update(peer.subscribed())
        assert seen == {name: 0 | 4 | 8, f"{topic}/a": 1 | 4 | 8}
        up.wait(UP, filters=2)


def test_filter_longer_than_the_server_takes(fake, topic):
    """It cannot be asked for, and does not stand in the way of others."""
    long = f"{topic}/{'x' * 200}"
    with Uplink("one", fake, topics=[(long, IN), (f"{topic}/a", IN), (f"{topic}/b", IN)]) as up:
        peer = fake.accept()
        peer.handshake(x27=200)
        seen = set()
        while len(seen) < 2:
            seen |= set(peer.subscribed())
        assert seen == {f"{topic}/a", f"{topic}/b"}
        up.wait(UP, filters=2)
        up.topic(f"{topic}/c", IN)
        assert set(peer.subscribed()) == {f"{topic}/c"}


def test_more_than_may_be_asked_for(kernel_log, device, topic):
    """What is too much of a demand is not passed on, which the log says; here it is there."""
    with Uplink("one", up=False, topics=[(f"{topic}/#", DEMAND)]):
        dev = device(messages=10)
        for i in range(4097):
            dev.subscribe(f"{topic}/{i}")
        wait_for(lambda: any("a subscription is not passed on (-28)" in line
                             for line in kernel_log.lines()))
        for i in 0, 4096:
            dev.publish(f"{topic}/{i}", b"%d" % i)
        assert [one.payload for one in dev.read()] == [b"0", b"4096"]


def test_no_suback(fake, topic):
    """A server that is alive and never answers a SUBSCRIBE is given up after a minute."""
    with Uplink("one", fake, keepalive=5, backoff_min=1, topics=[(f"{topic}/#", IN)]) as up:
        peer = fake.accept()
        peer.handshake()
        peer.expect(SUBSCRIBE)
        up.wait(UP)
        while True:
            got = peer.packet()
            if got.type != 12:
                break
            peer.send(packet(13))
        assert (got.type, got.body[:1]) == (14, b"\x80")
        peer.close()
        peer = fake.accept()
        peer.handshake()
        assert set(peer.subscribed()) == {f"{topic}/#"}


# Messages

def test_server_that_has_qos_0_alone(fake, device, topic):
    """What it will not acknowledge is done when it has been sent, more of it than may be open."""
    dev = device()
    with Uplink("one", fake, max_inflight_messages=3, topics=[(f"{topic}/#", OUT, 2)]) as up:
        peer = fake.accept()
        peer.handshake(x24=0, x21=2)
        up.wait(UP)
        for i in range(20):
            dev.publish(f"{topic}/a", b"%d" % i, qos=i % 3)
        got = [peer.published() for _ in range(20)]
        assert {one.qos for one in got} == {0}
        numbers = [int(one.payload) for one in got]
        assert sorted(numbers) == list(range(20))
        for qos in range(3):
            assert [i for i in numbers if i % 3 == qos] == list(range(qos, 20, 3))
        up.wait(UP, inflight_messages=0, queued_messages=0)
        assert dev.publish_wait(kmqtt_dev.record(f"{topic}/a", b"1", qos=2), 20000) == 0
        peer.published()
        peer.nothing()


@pytest.mark.parametrize("reason", [0, 0x10, 0x97])
def test_fsync_waits_for_the_server(fake, device, topic, reason):
    """A signal ends it; what the server does not take is an error, which is told once."""
    dev = device()
    with Uplink("one", fake, topics=[(f"{topic}/#", OUT, 1)]) as up:
        peer = fake.accept()
        peer.handshake()
        up.wait(UP)
        for i in range(3):
            dev.publish(f"{topic}/a", b"%d" % i, qos=1)
        got = [peer.published() for _ in range(3)]
        with alarms(), refused(errno.EINTR):
            libc("fsync", dev.fd)
        done = []

        def wait():
            try:
                os.fsync(dev.fd)
                done.append(0)
            except OSError as error:
                done.append(error.errno)
        thread = threading.Thread(target=wait)
        thread.start()
        peer.ack(PUBACK, got[0].packet_id, reason)
        peer.ack(PUBACK, got[1].packet_id, 0)
        peer.nothing()
        assert not done
        peer.ack(PUBACK, got[2].packet_id, 0)
        thread.join()
        assert done == [errno.EPROTO if reason >= 0x80 else 0]
        os.fsync(dev.fd)


# The end

def test_server_says_goodbye(fake):
    """Without an error; it is the end of the connection all the same."""
    with Uplink("one", fake, backoff_min=1) as up:
        peer = fake.accept()
        peer.handshake()
        up.wait(UP)
        peer.send(packet(14))
        assert peer.ended()
        event = up.event("uplink-down")
        assert (event["error"], event.get("reason", 0)) == (errno.EPIPE, 0)
        fake.accept().handshake()
        up.wait(UP)


def test_down_while_it_connects():
    """There is nobody to say good-bye to: it is down at once, and may be set up again."""
    with socket.socket() as full, contextlib.ExitStack() as waiting:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        for _ in range(3):
            one = waiting.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        with Uplink("one", ("127.0.0.1", port), connect_timeout=300) as up:
            for _ in range(2):
                up.wait(CONNECTING)
                up.set(admin_up=0)
                assert up.wait(DOWN)["connects"] == 0
                up.set(admin_up=1)

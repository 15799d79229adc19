# SPDX-License-Identifier: GPL-2.0
"""Large payloads, which sockets get by their pages: whole, in order, whoever lets go of them first."""

import random
import socket

import pytest

from kmqtt_client import subscribe_packet
from kmqtt_dev import RETAIN, Device, record
from kmqtt_packet import (
    CORRELATION_DATA, MAXIMUM_PACKET_SIZE, SESSION_EXPIRY, publish_packet, wait_for)

VERSIONS = pytest.mark.parametrize("version", [3, 4, 5])
PAGE = 4096
# Around where payloads get pages of their own, where they begin and end, and where pages that lie
# together give way to mapped ones.
SIZES = [8000, 8192 - 200, 8191, 8192, 8193, 3 * PAGE - 100, 3 * PAGE, 65535, 65536, 70000,
         256 * 1024 - 300, 256 * 1024, 256 * 1024 + 1, 600017, 1000000]


def noise(size, seed=0):
    return random.Random(size + seed).randbytes(size)


@VERSIONS
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_every_size(broker, topic, version, qos):
    reader = broker.connect(version=version)
    reader.subscribe(topic, qos=qos)
    sender = broker.connect(version=version)
    for size in SIZES:
        sender.deliver(topic, noise(size), qos=qos)
        assert reader.receive().payload == noise(size)
    assert not reader.fence()


@VERSIONS
def test_among_small_ones(broker, topic, version):
    """The small ones go in front of, between and behind pages."""
    chance = random.Random(version)
    reader, sender = broker.connect(version=version), broker.connect(version=version)
    reader.subscribe(topic)
    sizes = [chance.choice([0, 1, 100, 600, 5000, 9000, 20000, 66000, 140000]) for _ in range(200)]
    for at in range(0, 200, 20):
        sender.send(b"".join(publish_packet(topic, noise(size, seed), version=version)
                             for seed, size in enumerate(sizes[at:at + 20], at)))
        for seed, size in enumerate(sizes[at:at + 20], at):
            assert reader.receive().payload == noise(size, seed)
    assert not reader.fence()


def test_with_properties(broker, topic):
    """They are one piece with the payload for MQTT 5, and not for the others."""
    readers = [broker.connect(version=version) for version in (3, 4, 5)]
    for reader in readers:
        reader.subscribe(topic)
    sender = broker.connect()
    for size in SIZES[:-2]:
        sender.deliver(topic, noise(size), props={CORRELATION_DATA: b"12345678901"})
        got = [reader.receive() for reader in readers]
        assert [one.payload for one in got] == [noise(size)] * 3
        assert got[2].props[CORRELATION_DATA] == b"12345678901"


def slow(broker, topic):
    """A subscriber whose socket is full at once."""
    reader = broker.connect()
    reader.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32768)
    reader.subscribe(topic, qos=1)
    return reader


@pytest.mark.broker(max_queued_bytes=0, max_queued_messages=0)
def test_slow_subscribers(broker, topic):
    """What they have not got is kept for them, when the sender and the faster ones are gone."""
    readers = [slow(broker, topic) for _ in range(3)]
    fast = broker.connect()
    fast.subscribe(topic)
    sender = broker.connect()
    for seed in range(20):
        sender.deliver(topic, noise(100000 + seed, seed), qos=1)
        assert fast.receive().payload == noise(100000 + seed, seed)
    sender.disconnect()
    fast.disconnect()
    readers[0].close()      # in the middle of one
    for reader in readers[1:]:
        for seed in range(20):
            assert reader.receive().payload == noise(100000 + seed, seed)


def test_retained_and_queued(broker, ident, topic):
    """Pages of a retained message go to many, and are let go of when another takes its place."""
    sender = broker.connect()
    sender.deliver(topic, noise(300000), retain=True)
    readers = [slow(broker, topic) for _ in range(3)]
    away = broker.connect(ident, props={SESSION_EXPIRY: 100})
    away.subscribe(topic, qos=1)
    assert away.receive().payload == noise(300000)
    away.leave()
    sender.deliver(topic, noise(90000), retain=True)
    sender.deliver(topic, b"", retain=True)
    for reader in readers:
        assert [one.payload for one in reader.receive_all(3)] == [noise(300000), noise(90000), b""]
    back = broker.connect(ident, clean=False, props={SESSION_EXPIRY: 0})
    assert [one.payload for one in back.receive_all(2)] == [noise(90000), b""]


def test_memory_comes_back(broker, topic):
    """What sockets refer to is let go of, whether it was sent or not."""
    with broker.netlink() as nl:
        before = nl.do("switch-get")["memory"]
        readers = [slow(broker, topic) for _ in range(3)]
        sender = broker.connect()
        for seed in range(10):
            sender.deliver(topic, noise(500000, seed), qos=1)
        for reader in readers:
            reader.close()
        sender.disconnect()
        # what is said in $SYS may have become longer meanwhile
        wait_for(lambda: nl.do("switch-get")["memory"] < before + 100000)


def test_small_ones_behind_what_is_too_large(broker, topic):
    """A batch of which nothing may be sent is not the end of the queue."""
    reader = broker.connect(props={MAXIMUM_PACKET_SIZE: 1000})
    reader.subscribe(topic)
    sender = broker.connect()
    for size in (2000, 70000, 200000):
        for _ in range(10):
            sender.send(publish_packet(topic, noise(size)) + publish_packet(topic, b"small"))
            assert reader.receive().payload == b"small"
    assert not reader.fence()


@pytest.mark.parametrize("version, refused", [(4, 0x80), (5, 0x97)])
def test_subscribe_that_would_take_minutes(broker, topic, version, refused):
    """Each filter is compared with all that is retained; but not for longer than ten seconds."""
    count = 30000
    with broker.inside(), Device() as device:
        for i in range(0, 50000, 500):
            device.write(b"".join(record(f"{topic}/{j}/a", b"x", flags=RETAIN)
                                  for j in range(i, i + 500)))
        reader = broker.connect(version=version)
        reader.send(subscribe_packet([f"{topic}/+/b"] * count, 7, version=version))
        codes = reader.packet(60).body[-count:]
        granted = codes.find(refused)
        assert granted > 0
        assert codes == bytes(granted) + bytes([refused]) * (count - granted)
        # what was granted holds
        device.publish(f"{topic}/1/b", b"y")
        assert reader.receive().payload == b"y"
    with broker.netlink() as nl:
        nl.do("retained-del", filter=f"{topic}/#")

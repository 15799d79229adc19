# SPDX-License-Identifier: GPL-2.0
"""Many messages of QoS 0 with one topic name in one segment: whoever gets them, however he does,
gets each one, in order, as if it had come alone."""

import itertools
import random

import pytest

import kmqtt_dev
from kmqtt_client import RETAIN_AS_PUBLISHED, subscribe_packet
from kmqtt_packet import (
    MAXIMUM_PACKET_SIZE, SESSION_EXPIRY, SUBSCRIPTION_ID, TOPIC_ALIAS_MAXIMUM, USER_PROPERTY, publish_packet)

VERSIONS = pytest.mark.parametrize("version", [3, 4, 5])
COUNT = 300


def numbered(count=COUNT, size=0):
    return [b"%05d" % i + bytes(size) for i in range(count)]


def stats(broker):
    with broker.netlink() as nl:
        return nl.do("stats-get")


def burst(sender, topic, payloads):
    """One write, and so mostly one segment."""
    sender.send(b"".join(publish_packet(topic, one, version=sender.version) for one in payloads))


def all_of(reader, count):
    """The payloads that a reader has got when what @sender sends last has come."""
    got = []
    while len(got) < count:
        got.append(bytes(reader.receive().payload))
    return got


@VERSIONS
@pytest.mark.parametrize("reading", [3, 4, 5])
def test_all_in_order(broker, topic, version, reading):
    reader = broker.connect(version=reading)
    reader.subscribe(topic)
    sender = broker.connect(version=version)
    burst(sender, topic, numbered())
    assert all_of(reader, COUNT) == numbered()
    assert not reader.fence()


KINDS = {
    "QoS 2": {"qos": 2}, "retain as published": {"qos": 1 | RETAIN_AS_PUBLISHED},
    "identifier": {"props": {SUBSCRIPTION_ID: 7}}, "two filters": {}, "aliases": {}, "shared": {}}


@VERSIONS
@pytest.mark.parametrize("kind", KINDS)
def test_other_readers(broker, topic, version, kind):
    """Who can be sent the packets as they came, and who cannot, at the same time."""
    plain = broker.connect(version=version)
    plain.subscribe(topic)
    other = broker.connect(props={TOPIC_ALIAS_MAXIMUM: 5} if kind == "aliases" else None)
    other.subscribe(f"$share/a/{topic}" if kind == "shared" else topic, **KINDS[kind])
    if kind == "two filters":
        other.subscribe(topic + "/#")
    sender = broker.connect(version=version)
    burst(sender, topic, numbered(50))
    for reader in plain, other:
        assert all_of(reader, 50) == numbered(50)
        assert not reader.fence()
    other.disconnect()
    burst(sender, topic, numbered(50))
    assert all_of(plain, 50) == numbered(50)
    assert not plain.fence()


@VERSIONS
def test_mixed_with_others(broker, topic, version):
    """Other topics, QoS, RETAIN, properties and sizes between them."""
    rng = random.Random(version)
    reader = broker.connect(version=version)
    reader.subscribe(topic + "/#", qos=2)
    sender = broker.connect(version=version)
    want, data, number = [], b"", itertools.count(1)
    for i in range(1000):
        name = topic + rng.choice(["/a"] * 5 + ["/b"])
        kind = rng.randrange(10)
        payload = b"%05d" % i + bytes(rng.choice([0, 0, 0, 1, 100, 1000]))
        more = {}
        if kind == 0:
            more = {"qos": 1, "packet_id": next(number)}
        elif kind == 1:
            more = {"retain": True}
        elif kind == 2 and version == 5:
            more = {"props": {USER_PROPERTY: ("a", "b")}}
        data += publish_packet(name, payload, version=version, **more)
        want.append((name, payload))
    while data:
        cut = rng.choice([1, 7, 100, 3000, 20000])
        sender.send(data[:cut])
        data = data[cut:]
    got = []
    while len(got) < len(want):
        one = reader.receive()
        got.append((one.topic, bytes(one.payload)))
    assert got == want
    for name in "ab":
        sender.publish(f"{topic}/{name}", b"", retain=True)


@VERSIONS
def test_what_is_wrong_behind_it_is_told(broker, topic, version):
    """All before a malformed packet is delivered, and nothing behind it."""
    reader = broker.connect(version=version)
    reader.subscribe(topic)
    sender = broker.connect(version=version)
    good = b"".join(publish_packet(topic, one, version=version) for one in numbered(50))
    sender.send(good + publish_packet("a/#", b"x", version=version) + good)
    sender.refused(0x90)
    assert all_of(reader, 50) == numbered(50)
    assert not reader.fence()


@pytest.mark.parametrize("limit", [40, 60])
def test_too_large_for_one_reader(broker, topic, limit):
    """It does not get what is too large for it, and all else."""
    name = topic[:10]
    small, other = broker.connect(props={MAXIMUM_PACKET_SIZE: limit}), broker.connect()
    for reader in small, other:
        reader.subscribe(name)
    sender = broker.connect()
    some = [b"x" * (i % 50) for i in range(100)]
    burst(sender, name, some)
    assert all_of(other, 100) == some
    want = [one for one in some if len(publish_packet(name, one)) <= limit]
    assert 0 < len(want) < 100
    assert all_of(small, len(want)) == want
    assert not small.fence()


@pytest.mark.broker(max_queued_messages=100)
def test_queue_takes_what_it_has_room_for(broker, topic):
    """Drop newest: of a burst, the first ones. What is counted adds up."""
    reader = broker.connect(version=4)
    reader.subscribe(topic)
    sender = broker.connect(version=4)
    sent = 0
    before = stats(broker)
    # its socket takes some megabytes before the queue does
    while stats(broker)["messages_dropped"] == before["messages_dropped"]:
        burst(sender, topic, [b"%06d" % i + bytes(1000) for i in range(sent, sent + 150)])
        sent += 150
        sender.ping()
    after = stats(broker)
    dropped = after["messages_dropped"] - before["messages_dropped"]
    # not with a fence, which itself may find no room as long as they wait
    got = [int(one[:6]) for one in all_of(reader, sent - dropped)]
    assert got == sorted(set(got))
    assert not reader.fence()
    after = stats(broker)
    assert after["messages_dropped"] - before["messages_dropped"] == dropped
    assert after["messages_delivered"] - before["messages_delivered"] == len(got) + 1
    assert got[:100] == list(range(100))
    # nothing is lost any more
    burst(sender, topic, numbered(90))
    assert all_of(reader, 90) == numbered(90)


@VERSIONS
def test_counters(broker, topic, version):
    reader = broker.connect(version=version)
    reader.subscribe(topic)
    sender = broker.connect(version=version)
    before = stats(broker)
    burst(sender, topic, numbered())
    assert all_of(reader, COUNT) == numbered()
    sender.ping()
    after = stats(broker)
    size = len(topic) + 5
    for key, value in (("messages_published", COUNT), ("messages_queued", COUNT),
                       ("messages_delivered", COUNT), ("bytes_published", COUNT * size),
                       ("bytes_delivered", COUNT * size), ("messages_dropped", 0)):
        assert after[key] - before[key] == value, key
    assert after["packets_received"] - before["packets_received"] == COUNT + 1
    assert after["packets_sent"] - before["packets_sent"] == COUNT + 1


@pytest.mark.broker(acl="topic read #\ntopic write free/#\ntopic write fence/#\n")
def test_rules_are_asked(broker):
    reader = broker.connect(version=4)
    reader.subscribe("#")
    sender = broker.connect(version=4)
    burst(sender, "free/x", numbered(50))
    burst(sender, "else/x", numbered(50))
    burst(sender, "free/x", numbered(50))
    assert all_of(reader, 100) == numbered(50) * 2
    assert not reader.fence()


@pytest.mark.broker(max_packet_size=100)
def test_packet_limit(broker, topic):
    """A packet behind a run that is too large ends the connection."""
    name = topic[:10]
    reader = broker.connect(version=4)
    reader.subscribe(name)
    sender = broker.connect(version=4)
    burst(sender, name, numbered(20) + [bytes(200)] + numbered(20))
    sender.refused(0x95)
    assert all_of(reader, 20) == numbered(20)
    assert not reader.fence()


def test_client_that_is_back_with_another_version(broker, topic, ident):
    """What it is sent is of the version that it speaks, whatever waited for it."""
    sender = broker.connect(version=4)

    def connect(version):
        return broker.connect(ident, version=version, clean=False,
                              props={SESSION_EXPIRY: 1000} if version == 5 else None)

    for version, later in (4, 5), (5, 4), (3, 5), (5, 3), (4, 3):
        reader = connect(version)
        reader.send(subscribe_packet([topic], version=version))
        burst(sender, topic, numbered(20))
        sender.ping()
        reader = connect(later)
        burst(sender, topic, [b"last"])
        while bytes(reader.receive().payload) != b"last":
            pass


def test_a_subscriber_of_a_process_too(broker, topic):
    """/dev/kmqtt gets records, whatever came."""
    sender = broker.connect(version=4)
    remote = broker.connect(version=4)
    remote.subscribe(topic)
    with broker.inside():
        local = kmqtt_dev.Device()
    try:
        local.subscribe(topic)
        burst(sender, topic, numbered(50))
        assert all_of(remote, 50) == numbered(50)
        got = []
        while len(got) < 50:
            got += [bytes(one.payload) for one in local.read()]
        assert got == numbered(50)
    finally:
        local.close()


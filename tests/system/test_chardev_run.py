# SPDX-License-Identifier: GPL-2.0
"""Records that are written at once go through the switch as one, where that can be. Whoever gets
them, however he reads, gets each of them as if it had been written alone."""

import ctypes
import errno
import os
import random
import select

import pytest
from kmqtt_dev import (BLOCK, DROP_OLDEST, HEAD, KEEP_LATEST, MESSAGE, RETAIN, Edge, libc, record, refused,
                       string_prop)
from test_server_run import burst, numbered

COUNT = 50


def batch(topic, payloads, **more):
    return b"".join(record(topic, one, **more) for one in payloads)


@pytest.fixture
def writer(device):
    """One that has written several at once before: then it is tried."""
    out = device()
    warm(out)
    return out


def warm(out):
    """Nobody reads this."""
    data = batch("nobody/reads/this", [b"1", b"2"])
    assert out.write(data) == len(data)


def payloads(messages):
    return [m.payload for m in messages]


def as_one(messages):
    """They came in at the same time, to the nanosecond: they went through as one."""
    return len({m.time_ns for m in messages}) == 1


def write(out, data):
    assert out.write(data) == len(data)


def test_as_one_in_order(writer, device, topic):
    reader = device().subscribe(topic)
    write(writer, batch(topic, numbered(COUNT)))
    got = reader.read()
    assert payloads(got) == numbered(COUNT) and as_one(got)
    assert [m.id for m in got] == list(range(1, COUNT + 1))
    for m in got:
        assert (m.topic, m.type, m.qos, m.props, m.expiry, m.sub_id) == (topic, MESSAGE, 0, b"", 0, 0)
        assert not (m.retain or m.dup or m.ack)


def test_any_lengths(writer, device, topic):
    """Also those that are too long for it, between the others."""
    reader = device().subscribe(topic)
    rng = random.Random(1)
    sent = [os.urandom(rng.choice([0, 1, 7, 8, 64, 100, 150, 190, 191, 192, 193, 200, 1000]))
            for _ in range(400)]
    write(writer, batch(topic, sent))
    assert payloads(reader.drain()) == sent


@pytest.mark.parametrize("size", [0, 3, 100])
@pytest.mark.parametrize("records", [1, 2, 7, 49, 50, 51])
def test_a_buffer_for_some_of_them(writer, device, topic, size, records):
    reader = device().subscribe(topic)
    sent = numbered(COUNT, size)
    write(writer, batch(topic, sent))
    write(writer, batch(topic, sent))
    one = len(record(topic, sent[0]))
    got = []
    while len(got) < 2 * COUNT:
        some = reader.read(one * records + one - 1)
        assert len(some) == min(records, 2 * COUNT - len(got))
        got += some
    assert payloads(got) == sent * 2
    assert [m.id for m in got] == list(range(1, 2 * COUNT + 1))
    assert not reader.readable()


def test_a_buffer_for_none_of_them(writer, device, topic):
    reader = device().subscribe(topic)
    write(writer, batch(topic, numbered(COUNT)))
    with refused(errno.EMSGSIZE):
        reader.read(len(record(topic, b"00000")) - 1)
    assert reader.stats().queued_messages == COUNT
    assert payloads(reader.read()) == numbered(COUNT)


def test_counters(writer, device, topic):
    reader = device().subscribe(topic)
    before = writer.stats()
    write(writer, batch(topic, numbered(COUNT)))
    one = len(record(topic, b"00000"))
    assert len(reader.read(10 * one)) == 10
    stats = reader.stats()
    assert (stats.queued_messages, stats.delivered_messages) == (COUNT - 10, 10)
    assert stats.delivered_bytes == 10 * (len(topic) + 5)
    assert len(reader.read()) == COUNT - 10
    stats = reader.stats()
    assert (stats.queued_messages, stats.delivered_messages) == (0, COUNT)
    assert stats.delivered_bytes == COUNT * (len(topic) + 5)
    after = writer.stats()
    assert after.published_messages - before.published_messages == COUNT
    assert after.published_bytes - before.published_bytes == COUNT * (len(topic) + 5)


def test_a_bad_page_loses_none_of_them(writer, device, topic):
    """Wherever it begins; what is before it is read, and its number is not given twice."""
    reader = device().subscribe(topic)
    one = len(record(topic, b"00000"))
    edge = Edge()
    for whole in (0, 1, 2, 13):
        write(writer, batch(topic, numbered(COUNT)))
        at, size = edge.before(whole * one + 20), ctypes.c_size_t(4096)
        if whole:
            assert libc("read", reader.fd, at, size) == whole * one
        else:
            with refused(errno.EFAULT):
                libc("read", reader.fd, at, size)
        stats = reader.stats()
        assert stats.queued_messages == COUNT - whole
        # and in the middle of what is left, with room for some
        with refused(errno.EFAULT):
            libc("read", reader.fd, edge.before(30), ctypes.c_size_t(3 * one))
        assert payloads(reader.read()) == numbered(COUNT)[whole:]
        assert not reader.readable()
    assert reader.stats().delivered_messages == 4 * COUNT


@pytest.mark.parametrize("there", [1, 50, 51, 3000])
def test_a_bad_page_of_the_writer(writer, device, topic, there):
    reader = device().subscribe(topic)
    data = batch(topic, numbered(COUNT))
    one = len(record(topic, b"00000"))
    edge = Edge()
    at = edge.put(data[:there + one])
    good = (there + one) // one
    assert libc("write", writer.fd, at, ctypes.c_size_t(len(data))) == good * one
    assert payloads(reader.drain()) == numbered(COUNT)[:good]
    with refused(errno.EFAULT):
        libc("write", writer.fd, edge.put(data[:one - 8]), ctypes.c_size_t(len(data)))
    assert not reader.readable()


READERS = {
    "identifier": {"sub_id": 7}, "QoS 2": {"qos": 2}, "two filters": {}, "shared": {},
    "drop oldest": {}, "keep latest": {}, "a cap in bytes": {}}


@pytest.mark.parametrize("kind", READERS)
def test_other_readers(writer, device, topic, kind):
    """Who can be given them as one, and who cannot, at the same time; and when he has gone."""
    plain, other = device().subscribe(topic), device()
    if kind == "a cap in bytes":
        other.session(size=1 << 20)
    if kind == "drop oldest":
        other.session(policy=DROP_OLDEST)
    if kind == "keep latest":
        other.session(policy=KEEP_LATEST)
    other.subscribe(f"$share/a/{topic}" if kind == "shared" else topic, **READERS[kind])
    if kind == "two filters":
        other.subscribe(topic + "/#")
    write(writer, batch(topic, numbered(COUNT)))
    assert payloads(plain.drain()) == numbered(COUNT)
    want = numbered(COUNT)
    assert payloads(other.drain()) == (want[-1:] if kind == "keep latest" else want)
    other.close()
    # it is seen after some more that they may go as one again
    for _ in range(40):
        write(writer, batch(topic, numbered(COUNT)))
        got = plain.drain()
        assert payloads(got) == numbered(COUNT)
    assert as_one(got)


def test_several_topics_and_kinds(writer, device, topic):
    """Each record of a run is as it would be alone, and so are those that cannot be in one."""
    reader = device().subscribe(topic + "/#", qos=2)
    rng = random.Random(2)
    data, want = b"", []
    for i in range(2000):
        name = topic + rng.choice(["/a"] * 9 + ["/b"])
        payload, more = b"%d" % i, {}
        kind = rng.randrange(40)
        if kind == 0:
            more = {"qos": rng.choice([1, 2])}
        elif kind == 1:
            more = {"props": string_prop(3, "text")}
        elif kind == 2:
            more = {"expiry": 1000}
        elif kind == 3:
            payload += bytes(500)
        data += record(name, payload, **more)
        want.append((name, payload, more.get("qos", 0), more.get("props", b""), bool(more.get("expiry"))))
        if not rng.randrange(60):
            write(writer, data)
            data = b""
            for m in reader.drain():
                assert (m.topic, m.payload, m.qos, m.props, m.expiry > 0) == want.pop(0)
    write(writer, data)
    for m in reader.drain():
        assert (m.topic, m.payload, m.qos, m.props, m.expiry > 0) == want.pop(0)
    assert not want


@pytest.mark.parametrize("good", [0, 1, 2, 30, 61, 62, 63, 130])
@pytest.mark.parametrize("what", ["flag", "topic", "NUL", "length"])
def test_what_is_wrong_ends_it_there(writer, device, topic, good, what):
    reader = device().subscribe(topic)
    bad = {"flag": dict(flags=0x8000), "length": dict(len=8)}.get(what, {})
    wrong = bytearray(record("a/+" if what == "topic" else topic, b"bad", **bad))
    if what == "NUL":
        wrong[HEAD.size + len(topic)] = 1
    data = batch(topic, numbered(good))
    whole = data + bytes(wrong) + record(topic, b"behind")
    if good:
        assert writer.write(whole) == len(data)
    with refused(errno.EILSEQ if what == "topic" else errno.EINVAL):
        writer.write(whole[len(data):])
    assert payloads(reader.drain()) == numbered(good)


def test_retained_among_them(writer, device, topic):
    reader = device().subscribe(topic)
    write(writer, batch(topic, numbered(10)) + record(topic, b"kept", flags=RETAIN) +
          batch(topic, numbered(10)))
    assert payloads(reader.drain()) == numbered(10) + [b"kept"] + numbered(10)
    assert payloads(device().subscribe(topic).drain()) == [b"kept"]
    writer.publish(topic, b"", flags=RETAIN)


def test_a_queue_takes_what_it_has_room_for(writer, device, topic):
    reader, other = device(messages=20).subscribe(topic), device().subscribe(topic)
    write(writer, batch(topic, numbered(COUNT)))
    assert as_one(other.read())
    assert reader.stats().queued_messages == 20
    assert payloads(reader.read(len(record(topic, b"00000")) * 5)) == numbered(5)
    write(writer, batch(topic, numbered(COUNT)))
    assert payloads(reader.read()) == numbered(COUNT)[5:20] + numbered(5)
    assert reader.stats().dropped_messages == 75


def test_who_waits_for_room_waits_for_each(writer, device, topic):
    """A reader that holds its writers up has as many as it said, and gets all."""
    reader = device(policy=BLOCK, messages=20).subscribe(topic)
    os.set_blocking(writer.fd, False)
    one = len(record(topic, b"00000"))
    data, sent = batch(topic, numbered(COUNT)), 0
    assert writer.write(data[:12 * one]) == 12 * one
    got = []
    sent = 12 * one
    while sent < len(data):
        sent += writer.write(data[sent:])
        assert reader.stats().queued_messages <= 20
        got += reader.read(5 * one)
    got += reader.drain()
    assert payloads(got) == numbered(COUNT)
    assert reader.stats().dropped_messages == 0


def test_who_was_held_up_may_write_elsewhere(device, topic):
    """As one or one by one, which changes: poll() forgets then that a queue was full."""
    one = device(policy=BLOCK, messages=1).subscribe(f"{topic}/full")
    reader = device().subscribe(f"{topic}/other")
    writer = device(mode=os.O_RDWR | os.O_NONBLOCK)
    full, other = (batch(f"{topic}/{name}", numbered(10)) for name in ("full", "other"))
    writer.publish(f"{topic}/full")
    ways = set()
    for refusals in range(1, 40):
        for _ in range(refusals):
            with refused(errno.EAGAIN):
                writer.write(full)
        assert writer.poll() & select.POLLOUT == 0
        write(writer, other)
        assert writer.poll() & select.POLLOUT
        got = reader.read()
        assert payloads(got) == numbered(10)
        ways.add(as_one(got))
    assert ways == {True, False}
    assert len(one.read()) == 1


def test_ones_own(writer, topic):
    writer.subscribe(topic)
    write(writer, batch(topic, numbered(COUNT)))
    assert payloads(writer.read()) == numbered(COUNT)


@pytest.mark.parametrize("size", [1 << 12, 1 << 16])
def test_into_a_ring(writer, device, topic, size):
    """Of one page there is room for some only, and one that is longer than it is between them."""
    reader = device().subscribe(topic)
    ring = reader.ring(size)
    sent = numbered(COUNT) + [bytes(5000)] * (size > 5000) + numbered(COUNT, 100)
    got = []
    for _ in range(3):
        write(writer, batch(topic, sent))
        while len(got) < len(sent):
            some = ring.take(7)
            if not some:
                assert reader.readable(1000)
            got += some
        assert payloads(got) == sent
        got = []
    assert [m.id for m in ring.take()] == []
    assert reader.stats().dropped_messages == 0


@pytest.mark.parametrize("version", [3, 4, 5])
def test_to_clients(broker, device, topic, version):
    """Of one version they get them as one, with a local reader; of the other one by one."""
    client = broker.connect(version=version)
    client.subscribe(topic)
    with broker.inside():
        reader, writer = device().subscribe(topic), device()
    warm(writer)
    write(writer, batch(topic, numbered(COUNT)))
    got = reader.read()
    assert payloads(got) == numbered(COUNT)
    assert as_one(got) == (version != 5)
    assert [bytes(client.receive().payload) for _ in range(COUNT)] == numbered(COUNT)
    assert not client.fence()


@pytest.mark.parametrize("version", [3, 4, 5])
@pytest.mark.parametrize("size", [30, 1000])
def test_from_clients(broker, device, topic, version, size):
    """What a client sends in one segment; a local reader makes records of it, short and long ones."""
    with broker.inside():
        reader, small, mapped = [device().subscribe(topic) for _ in range(3)]
        ring = mapped.ring(1 << 18)
    client = broker.connect(version=version)
    burst(client, topic, numbered(COUNT, size))
    client.ping()
    got = reader.drain()
    assert payloads(got) == numbered(COUNT, size)
    assert len({m.time_ns for m in got}) < COUNT
    assert payloads(ring.take()) == numbered(COUNT, size)
    one, some = len(record(topic, numbered(1, size)[0])), []
    while len(some) < COUNT:
        some += small.read(3 * one)
    assert payloads(some) == numbered(COUNT, size)


@pytest.mark.parametrize("length", [206, 207, 208, 209, 300, 1500])
def test_long_topic_names(broker, device, topic, length):
    """Where head and topic name are shorter and longer than what is put in one piece."""
    name = topic + "/" + "n" * (length - len(topic) - 1)
    with broker.inside():
        reader = device().subscribe(topic + "/#")
    client = broker.connect(version=4)
    burst(client, name, [b"", b"1", b"12345678"] * 5)
    client.ping()
    got = reader.drain()
    assert payloads(got) == [b"", b"1", b"12345678"] * 5
    assert {m.topic for m in got} == {name} and len({m.time_ns for m in got}) < 15


def test_a_session_that_goes_on(writer, device, topic):
    """A part is read, the file is closed, and another one has the rest."""
    reader = device(topic, expiry=1000).subscribe(topic)
    write(writer, batch(topic, numbered(COUNT)))
    assert payloads(reader.read(10 * len(record(topic, b"00000")))) == numbered(10)
    reader.close()
    again = device(topic, expiry=1000)
    assert again.present and payloads(again.drain()) == numbered(COUNT)[10:]


def test_a_few_of_each_topic_name(writer, device, topic, nl):
    """In a long write; they wait in messages that are as short as they are."""
    reader = device().subscribe(topic + "/#")
    names = [f"{topic}/{i}" for i in range(10)]
    before = nl.do("switch-get")["memory"]
    write(writer, b"".join(batch(name, numbered(5)) for name in names))
    after = nl.do("switch-get")["memory"]
    got = reader.drain()
    assert payloads(got) == numbered(5) * len(names)
    assert len({m.time_ns for m in got}) == len(names)
    assert after - before < len(got) * 1024

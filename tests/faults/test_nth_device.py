# SPDX-License-Identifier: GPL-2.0
"""Every system call on /dev/kmqtt, with its first allocation or copy failing, its second, ..."""

import contextlib
import ctypes
import errno
import fcntl
import mmap
import os
import select
import struct

import pytest

import kmqtt_dev as dev
from kmqtt_faults import Case, walk

PAYLOADS = {"short": b"x" * 20, "longer": b"y" * 3000, "paged": b"z" * 200000}


class Keep:
    """Arguments of an ioctl, with what they point at."""

    def __init__(self, file, number, data, *kept):
        self.file, self.number, self.data, self.kept = file, number, data, kept

    def __call__(self):
        return fcntl.ioctl(self.file.fd, self.number, self.data)


def text(data):
    data = data.encode()
    return ctypes.create_string_buffer(data, len(data)), len(data)


def subscription(file, number, pattern, qos=0):
    keep, size = text(pattern)
    return Keep(file, number, dev.SUBSCRIPTION.pack(
        dev.SUBSCRIPTION.size, 0, ctypes.addressof(keep), size, 0, qos, 0, b""), keep)


def test_open():
    walk(Case("open", lambda: os.open(dev.DEVICE, os.O_RDWR | os.O_CLOEXEC), os.close))


def test_info_and_stats(device):
    one = device()
    walk(Case("info", Keep(one, dev.IOC_INFO, dev.INFO.pack(dev.INFO.size, *[0] * 5))))
    walk(Case("stats", Keep(one, dev.IOC_STATS, dev.STATS.pack(dev.STATS.size, *[0] * 10))))


def test_session(device, ident):
    """A new one, one that is there and is taken over, and one that is tuned."""
    keep, size = text(ident)
    open_ = []

    def name(expiry):
        return dev.SESSION.pack(dev.SESSION.size, 0, ctypes.addressof(keep), size, expiry, 0, 0, 0,
                                0, 0)

    def again():
        while open_:
            open_.pop().close()
        open_.append(dev.Device())

    def call(expiry):
        return lambda: fcntl.ioctl(open_[-1].fd, dev.IOC_SESSION, name(expiry))

    # it may have got its name though it could not be told so: then it is closed
    walk(Case("a session", call(0), before=again, refused=again))
    with dev.Device(ident, expiry=100):
        pass
    walk(Case("a session that stays", call(100), before=again, refused=again))
    again()
    with dev.Device(ident, flags=dev.CLEAN):
        pass
    open_.pop().close()
    one = device()
    walk(Case("tuning", Keep(one, dev.IOC_SESSION, dev.SESSION.pack(
        dev.SESSION.size, dev.MANUAL_ACK, 0, 0, 0, dev.KEEP_LATEST, 50, 0, 5, 0))))


@pytest.mark.parametrize("pattern", ["{0}/a/b/c", "{0}/+/#", "$share/group/{0}/s"])
def test_subscribe_and_unsubscribe(device, topic, pattern):
    one = device()
    with device() as out:
        out.publish(f"{topic}/a/b/c", b"kept", flags=dev.RETAIN)
    on = subscription(one, dev.IOC_SUBSCRIBE, pattern.format(topic), 2)
    off = subscription(one, dev.IOC_UNSUBSCRIBE, pattern.format(topic))

    def subscribed():
        with contextlib.suppress(FileExistsError):
            on()

    walk(Case("subscribe", on, lambda _: off()))
    walk(Case("subscribe again", on, before=subscribed))
    walk(Case("unsubscribe", off, before=subscribed, least=0))
    one.drain()
    with device() as out:
        out.publish(f"{topic}/a/b/c", b"", flags=dev.RETAIN)


@pytest.mark.parametrize("qos", range(3))
@pytest.mark.parametrize("size", PAYLOADS)
def test_write(device, topic, qos, size):
    """What was taken comes, once, or at QoS 0 counts as dropped; nothing comes of what was not."""
    readers = [device(messages=100000).subscribe(topic, qos=2) for _ in range(2)]
    readers.append(device(messages=100000).subscribe(f"{topic}/#", qos=2).subscribe("#", qos=2))
    out = device()
    data = dev.record(topic, PAYLOADS[size], qos=qos, props=dev.user_prop("a", "b"))
    dropped = [0] * len(readers)

    def check(count):
        assert count == len(data)
        for i, reader in enumerate(readers):
            got = reader.drain()
            assert all((m.payload, m.qos) == (PAYLOADS[size], qos) for m in got)
            lost = reader.stats().dropped_messages - dropped[i]
            dropped[i] += lost
            assert len(got) + (0 if qos else lost) == 1

    def nothing():
        for reader in readers:
            assert not reader.drain(), "what was refused has come"

    walk(Case("write", lambda: os.write(out.fd, data), check, refused=nothing))


def test_write_of_several(device, topic):
    """What was taken of several records is told, and it comes."""
    reader = device(messages=100000).subscribe(topic, qos=1)
    out = device()
    records = [dev.record(topic, b"%d" % n, qos=1) for n in range(5)]

    def check(count):
        want = [b"%d" % n for n in range(count // len(records[0]))]
        assert [m.payload for m in reader.drain()] == want

    walk(Case("writev", lambda: os.writev(out.fd, records), check))


def test_write_of_a_run(device, topic):
    """Several that go through the switch as one, or one by one if there is no memory for that."""
    readers = [device(messages=100000).subscribe(topic) for _ in range(2)]
    data = b"".join(dev.record(topic, b"%d" % n) for n in range(9))
    dropped = [0] * len(readers)
    out, times = [], []

    def before():
        # one that has written several before; where it could not be, it is not tried soon again
        if out:
            out.pop().close()
        out.append(device())
        out[0].write(dev.record("nobody", b"1") * 2)

    def check(count):
        assert count == len(data)
        for i, reader in enumerate(readers):
            got = reader.drain()
            lost = reader.stats().dropped_messages - dropped[i]
            dropped[i] += lost
            assert len(got) + lost == 9
            if not lost:
                assert [m.payload for m in got] == [b"%d" % n for n in range(9)]
                times.append(len({m.time_ns for m in got}))

    walk(Case("write of a run", lambda: os.write(out[0].fd, data), check, before, least=0))
    assert times[-1] == 1 and max(times) > 1, "it was no run, or always one"


def test_retained(device, topic):
    out = device()
    keep = dev.record(topic, b"kept", flags=dev.RETAIN, qos=1)
    clear = dev.record(topic, b"", flags=dev.RETAIN)

    def retained(*wanted):
        with device() as late:
            assert [m.payload for m in late.subscribe(topic).drain()] == list(wanted)

    def undo(_):
        retained(b"kept")
        out.write(clear)

    walk(Case("retain", lambda: os.write(out.fd, keep), undo))
    out.write(keep)
    walk(Case("retain anew", lambda: os.write(out.fd, keep), lambda _: retained(b"kept")))
    walk(Case("clear", lambda: os.write(out.fd, clear), lambda _: retained(),
              before=lambda: out.write(keep)))


@pytest.mark.parametrize("size", PAYLOADS)
@pytest.mark.parametrize("qos", range(3))
def test_read(device, topic, qos, size):
    """A message that could not be read is still there."""
    reader = device(messages=100000).subscribe(topic, qos=2)
    out = device()

    def before():
        out.publish(topic, PAYLOADS[size], qos=qos)

    def check(data):
        assert [m.payload for m in dev.parse_all(data)] == [PAYLOADS[size]]
        assert not reader.readable()

    # the pages of the interpreter's buffer may be what fails; test_copies.py has the copy alone
    walk(Case("read", lambda: os.read(reader.fd, 1 << 20), check, before, least=0))


def test_acknowledge(device, topic):
    reader = device(flags=dev.MANUAL_ACK, messages=100000, inflight=10000).subscribe(topic, qos=2)
    out = device()
    now = []

    def before():
        out.publish(topic, b"x", qos=2)
        now[:] = [dev.ACKNOWLEDGE.pack(dev.ACKNOWLEDGE.size, 0, reader.read()[0].id)]

    walk(Case("ack", lambda: fcntl.ioctl(reader.fd, dev.IOC_ACK, now[0]), before=before))
    assert reader.stats().inflight_messages == 0


def test_ring_and_mmap(topic):
    """A ring that could not be made or mapped can be, later."""
    open_ = []
    setup = dev.RING.pack(dev.RING.size, 0, 1 << 16, 0, 0, 0, 0)

    def again():
        while open_:
            open_.pop().close()
        open_.append(dev.Device().subscribe(topic))

    walk(Case("ring", lambda: fcntl.ioctl(open_[0].fd, dev.IOC_RING, setup), before=again))
    again()
    reply = dev.RING.unpack(open_[0].ioctl_raw(dev.IOC_RING, setup))
    page, size, kernel = mmap.PAGESIZE, reply[3], reply[5]
    walk(Case("mmap", lambda: mmap.mmap(open_[0].fd, page, offset=0), lambda m: m.close()))
    walk(Case("mmap of what is read", lambda: mmap.mmap(
        open_[0].fd, size - page, prot=mmap.PROT_READ, offset=kernel), lambda m: m.close()))
    with dev.Device() as out:
        ring = open_[0]
        mapped = mmap.mmap(ring.fd, size - page, prot=mmap.PROT_READ, offset=kernel)
        walk(Case("write to a ring", lambda: os.write(out.fd, dev.record(topic, b"r")), least=0))
        assert struct.unpack_from("=Q", mapped, 0)[0] > 0
        mapped.close()
    again()
    open_.pop().close()


def test_poll_and_epoll(device, topic):
    reader = device().subscribe(topic)
    poller = select.poll()
    poller.register(reader.fd, select.POLLIN)
    walk(Case("poll", lambda: poller.poll(0), least=0))
    epoll = select.epoll()
    walk(Case("epoll", lambda: epoll.register(reader.fd, select.EPOLLIN),
              lambda _: epoll.unregister(reader.fd)))
    epoll.close()


def test_fsync_and_waiting(device, topic):
    """No uplink carries it: the publish that waits says so, and fsync() has nothing to wait for."""
    reader = device(messages=100000).subscribe(topic, qos=1)
    out = device()
    data = dev.record(topic, b"x", qos=1)
    keep = ctypes.create_string_buffer(data, len(data))
    waits = Keep(out, dev.IOC_PUBLISH, dev.PUBLISH.pack(
        dev.PUBLISH.size, 1000, ctypes.addressof(keep), len(data), 0), keep)

    def call():
        try:
            return waits()
        except OSError as error:
            if error.errno != errno.ENOLINK:
                raise
            return None

    def came(_):
        assert len(reader.drain()) == 1

    walk(Case("publish and wait", call, came, refused=lambda: reader.drain()))
    out.write(data)
    walk(Case("fsync", lambda: os.fsync(out.fd), before=lambda: out.write(data), least=0))
    assert reader.drain()

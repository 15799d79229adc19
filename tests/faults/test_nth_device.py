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
import kmqtt_faults
from kmqtt_faults import Case, fewest_steps

PAYLOADS = {"short": b"x" * 20, "longer": b"y" * 3000, "paged": b"z" * 200000}
# Members of file_operations that are not walked: one is no operation, one is walked by its numbers,
# and the third is that of 32-bit programs, which the kernel's compat_ptr_ioctl() leads there.
NOT_WALKED = {"owner", "unlocked_ioctl", "compat_ioctl"}
WALKED = set()
# Ioctls that were asked for.
ASKED = set()


def walk(operation, case):
    """As that of kmqtt_faults; @operation, a member of file_operations or an ioctl, is noted."""
    WALKED.add(operation)
    ASKED.clear()
    failed = kmqtt_faults.walk(case)
    assert isinstance(operation, str) or operation in ASKED, f"{case.name} is no such ioctl"
    return failed


def ioctl(file, number, data):
    ASKED.add(number)
    return fcntl.ioctl(file.fd, number, data)


class Keep:
    """Arguments of an ioctl, with what they point at."""

    def __init__(self, file, number, data, *kept):
        self.file, self.number, self.data, self.kept = file, number, data, kept

    def __call__(self):
        return ioctl(self.file, self.number, self.data)


def text(data):
    data = data.encode()
    return ctypes.create_string_buffer(data, len(data)), len(data)


def subscription(file, number, pattern, qos=0):
    keep, size = text(pattern)
    return Keep(file, number, dev.SUBSCRIPTION.pack(
        dev.SUBSCRIPTION.size, 0, ctypes.addressof(keep), size, 0, qos, 0, b""), keep)


def test_open():
    walk("open", Case("open", lambda: os.open(dev.DEVICE, os.O_RDWR | os.O_CLOEXEC), os.close))


def test_info_and_stats(device):
    one = device()
    info, stats = dev.INFO.pack(dev.INFO.size, *[0] * 5), dev.STATS.pack(dev.STATS.size, *[0] * 10)
    walk(dev.IOC_INFO, Case("info", Keep(one, dev.IOC_INFO, info)))
    walk(dev.IOC_STATS, Case("stats", Keep(one, dev.IOC_STATS, stats)))


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
        return lambda: ioctl(open_[-1], dev.IOC_SESSION, name(expiry))

    # it may have got its name though it could not be told so: then it is closed
    walk(dev.IOC_SESSION, Case("a session", call(0), before=again, refused=again))
    with dev.Device(ident, expiry=100):
        pass
    walk(dev.IOC_SESSION, Case("a session that stays", call(100), before=again, refused=again))
    again()
    with dev.Device(ident, flags=dev.CLEAN):
        pass
    open_.pop().close()
    one = device()
    walk(dev.IOC_SESSION, Case("tuning", Keep(one, dev.IOC_SESSION, dev.SESSION.pack(
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

    walk(dev.IOC_SUBSCRIBE, Case("subscribe", on, lambda _: off()))
    walk(dev.IOC_SUBSCRIBE, Case("subscribe again", on, before=subscribed))
    walk(dev.IOC_UNSUBSCRIBE, Case("unsubscribe", off, before=subscribed))
    one.drain()
    with device() as out:
        out.publish(f"{topic}/a/b/c", b"", flags=dev.RETAIN)


@pytest.mark.parametrize("qos", range(3))
@pytest.mark.parametrize("size", PAYLOADS)
def test_write(device, topic, qos, size):
    """
    What was taken comes, once, or at QoS 0 counts as dropped; nothing comes of what was not. Where two
    filters match, it has both identifiers, or one if there is no memory for two.
    """
    readers = [device(messages=100000).subscribe(topic, qos=2) for _ in range(2)]
    readers.append(device(messages=100000))
    for number, pattern in enumerate([f"{topic}/#", "#"], 1):
        readers[-1].subscribe(pattern, qos=2, sub_id=number)
    out = device()
    data = dev.record(topic, PAYLOADS[size], qos=qos, props=dev.user_prop("a", "b"))
    dropped = [0] * len(readers)
    both = set()

    def check(count):
        assert count == len(data)
        for i, reader in enumerate(readers):
            got = reader.drain()
            if reader is readers[2]:
                assert all(m.sub_id in (1, 2) for m in got)
                both.update(bytes([dev.SUBSCRIPTION_ID, 3 - m.sub_id]) in m.props for m in got)
            assert all((m.payload, m.qos) == (PAYLOADS[size], qos) for m in got)
            lost = reader.stats().dropped_messages - dropped[i]
            dropped[i] += lost
            assert len(got) + (0 if qos else lost) == 1

    def nothing():
        for reader in readers:
            assert not reader.drain(), "what was refused has come"

    walk("write_iter", Case("write", lambda: os.write(out.fd, data), check, refused=nothing))
    # that there was none for both is passed over at times, as caches have more or less at hand
    assert True in both


def test_write_of_several(device, topic):
    """What was taken of several records is told, and it comes."""
    reader = device(messages=100000).subscribe(topic, qos=1)
    out = device()
    records = [dev.record(topic, b"%d" % n, qos=1) for n in range(5)]

    def check(count):
        want = [b"%d" % n for n in range(count // len(records[0]))]
        assert [m.payload for m in reader.drain()] == want

    walk("write_iter", Case("writev", lambda: os.writev(out.fd, records), check))


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

    walk("write_iter", Case("write of a run", lambda: os.write(out[0].fd, data), check, before,
                            never=True))
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

    walk("write_iter", Case("retain", lambda: os.write(out.fd, keep), undo))
    out.write(keep)
    walk("write_iter", Case("retain anew", lambda: os.write(out.fd, keep),
                            lambda _: retained(b"kept")))
    walk("write_iter", Case("clear", lambda: os.write(out.fd, clear), lambda _: retained(),
                            before=lambda: out.write(keep)))


@pytest.mark.parametrize("size", PAYLOADS)
@pytest.mark.parametrize("qos", range(3))
def test_read(device, topic, qos, size):
    """A message that could not be read is still there."""
    reader = device(messages=100000).subscribe(topic, qos=2)
    out = device()

    def before():
        out.publish(topic, PAYLOADS[size], qos=qos)

    # pages of a new buffer could be what fails
    room = ctypes.create_string_buffer(bytes(1 << 20), 1 << 20)

    def check(count):
        assert [m.payload for m in dev.parse_all(room.raw[:count])] == [PAYLOADS[size]]
        assert not reader.readable()

    walk("read_iter", Case("read", lambda: dev.libc("read", reader.fd, room, len(room)), check,
                           before))


def test_acknowledge(device, topic):
    reader = device(flags=dev.MANUAL_ACK, messages=100000, inflight=10000).subscribe(topic, qos=2)
    out = device()
    now = []

    def before():
        out.publish(topic, b"x", qos=2)
        now[:] = [dev.ACKNOWLEDGE.pack(dev.ACKNOWLEDGE.size, 0, reader.read()[0].id)]

    walk(dev.IOC_ACK, Case("ack", lambda: ioctl(reader, dev.IOC_ACK, now[0]), before=before))
    assert reader.stats().inflight_messages == 0


def test_ring_and_mmap(topic):
    """A ring that could not be made or mapped can be, later."""
    open_ = []
    setup = dev.RING.pack(dev.RING.size, 0, 1 << 16, 0, 0, 0, 0)

    def again():
        while open_:
            open_.pop().close()
        open_.append(dev.Device().subscribe(topic))

    walk(dev.IOC_RING, Case("ring", lambda: ioctl(open_[0], dev.IOC_RING, setup), before=again))
    again()
    reply = dev.RING.unpack(open_[0].ioctl_raw(dev.IOC_RING, setup))
    page, size, kernel = mmap.PAGESIZE, reply[3], reply[5]
    walk("mmap", Case("mmap", lambda: mmap.mmap(open_[0].fd, page, offset=0), lambda m: m.close()))
    walk("mmap", Case("mmap of what is read", lambda: mmap.mmap(
        open_[0].fd, size - page, prot=mmap.PROT_READ, offset=kernel), lambda m: m.close()))
    with dev.Device() as out:
        ring = open_[0]
        mapped = mmap.mmap(ring.fd, size - page, prot=mmap.PROT_READ, offset=kernel)
        record = dev.record(topic, b"r")
        walk("write_iter", Case("write to a ring", lambda: os.write(out.fd, record)))
        assert struct.unpack_from("=Q", mapped, 0)[0] > 0
        mapped.close()
    again()
    open_.pop().close()


def test_poll_and_epoll(device, topic):
    reader = device().subscribe(topic)
    other = os.eventfd(0)
    poller, of_another = select.poll(), select.poll()
    poller.register(reader.fd, select.POLLIN)
    of_another.register(other, select.POLLIN)
    # with a time to wait, or it would not be entered among those that are woken
    walk("poll", Case("poll", lambda: poller.poll(1)))
    # what fails is the kernel's copy of the list; the module takes nothing
    assert fewest_steps(lambda: poller.poll(1)) == fewest_steps(lambda: of_another.poll(1))
    os.close(other)
    epoll = select.epoll()
    walk("poll", Case("epoll", lambda: epoll.register(reader.fd, select.EPOLLIN),
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

    walk(dev.IOC_PUBLISH, Case("publish and wait", call, came, refused=lambda: reader.drain()))
    out.write(data)

    def before():
        out.write(data)

    # it takes nothing, and gets no address
    walk("fsync", Case("fsync", lambda: os.fsync(out.fd), before=before, never=True))
    assert fewest_steps(lambda: os.fsync(out.fd), before) == 0
    assert reader.drain()


@pytest.mark.parametrize("kind", ["unnamed", "named", "ring"])
def test_close(device, topic, ident, kind):
    """It cannot be refused; what is there to be read goes, or stays with the session's name."""
    out = device()
    setup = dev.RING.pack(dev.RING.size, 0, 1 << 16, 0, 0, 0, 0)
    open_ = []

    def before():
        one = dev.Device(ident, expiry=100) if kind == "named" else dev.Device()
        one.subscribe(topic, qos=1)
        if kind == "ring":
            one.ioctl_raw(dev.IOC_RING, setup)
        out.publish(topic, b"x", qos=1)
        open_.append(one.fd)

    def close():
        os.close(open_.pop())

    walk("release", Case("close", close, before=before, never=True))
    assert fewest_steps(close, before) == 0
    if kind == "named":
        with dev.Device(ident) as one:
            assert one.present and one.drain()


def test_every_operation_was_walked():
    names = kmqtt_faults.ioctls()
    walked = {names.get(one, one) for one in WALKED}
    assert walked == set(names.values()) | kmqtt_faults.file_operations() - NOT_WALKED

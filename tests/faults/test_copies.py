# SPDX-License-Identifier: GPL-2.0
"""Every read, write and ioctl of /dev/kmqtt with its first copy to or from the process failing, ...

Nothing else fails, and that in the system call alone: each of them must say EFAULT, or that it did
a part; a message is there as often as it was said to be.
"""

import ctypes
import errno

import pytest

import kmqtt_dev as dev
from kmqtt_faults import IOCTL, READ, WRITE, Case, ioctls, walk_copies

PAYLOADS = {"short": b"x" * 20, "longer": b"y" * 3000, "paged": b"z" * 200000}
MANY = 5
# What the module takes from a queue at a time.
READ_BATCH = 16
# Ioctls that were asked for; each has its walk.
ASKED = set()


def address(buffer):
    return ctypes.addressof(buffer)


def pinned(data):
    """A buffer with this, whose pages are there."""
    return ctypes.create_string_buffer(data, len(data))


def ioctl(caller, file, number, data):
    """A function that does it with these arguments, each time anew."""
    def call():
        now = pinned(data)
        ASKED.add(number)
        caller(IOCTL, file.fd, number, address(now))
        return now.raw
    return call


@pytest.mark.parametrize("size", PAYLOADS)
@pytest.mark.parametrize("qos", range(3))
def test_write(device, topic, caller, qos, size):
    reader = device(messages=10000).subscribe(topic, qos=2)
    out = device()
    record = dev.record(topic, PAYLOADS[size], qos=qos, props=dev.user_prop("a", "b"))
    data = pinned(record)

    def check(count):
        assert count == len(record)
        assert [m.payload for m in reader.drain()] == [PAYLOADS[size]]

    walk_copies(Case("write", lambda: caller(WRITE, out.fd, address(data), len(record)), check,
                     refused=lambda: nothing(reader)), caller)


def nothing(reader):
    assert not reader.drain(), "what was refused has come"


def test_write_of_several(device, topic, caller):
    """What comes is what was said to be written, to the record."""
    reader = device(messages=10000).subscribe(topic, qos=1)
    out = device()
    records = [dev.record(topic, b"%4d" % n + bytes(500 * (n % 2)), qos=1) for n in range(MANY)]
    data = pinned(b"".join(records))
    parts = []

    def check(count):
        ends = [sum(map(len, records[:n])) for n in range(1, MANY + 1)]
        got = [int(m.payload[:4]) for m in reader.drain()]
        assert got == list(range(ends.index(count) + 1))
        parts.append(len(got))

    walk_copies(Case("write of several", lambda: caller(WRITE, out.fd, address(data),
                                                        len(data.raw)), check,
                     refused=lambda: nothing(reader)), caller)
    assert min(parts) < MANY, "nothing was written in part"


def test_write_of_a_run(device, topic, caller):
    """They go through the switch as one up to what could not be copied, which is tried again."""
    reader = device(messages=10000).subscribe(topic)
    out = device()
    records = [dev.record(topic, b"%4d" % n + bytes(n)) for n in range(MANY * 2)]
    data, some = pinned(b"".join(records)), dev.record("nobody", b"1") * 4
    ends = [sum(map(len, records[:n])) for n in range(1, MANY * 2 + 1)]
    parts, times = [], []

    def check(count):
        got = reader.drain()
        assert [int(m.payload[:4]) for m in got] == list(range(ends.index(count) + 1))
        parts.append(len(got))
        times.append(len({m.time_ns for m in got}))

    walk_copies(Case("write of a run", lambda: caller(WRITE, out.fd, address(data), len(data.raw)),
                     check, lambda: [out.write(some) for _ in range(40)],
                     refused=lambda: nothing(reader), never=True), caller)
    assert parts[-1] == MANY * 2 and times[-1] == 1, "it was no run"
    assert max(times) > 1, "it was always one"


@pytest.mark.parametrize("flags", [0, dev.MANUAL_ACK, dev.REPORT_DROPS])
def test_read_of_a_run(device, topic, caller, flags):
    """Those that are before the one that could not be read; then the others, all in order."""
    reader = device(flags=flags, messages=MANY, inflight=10000).subscribe(topic)
    out = device()
    room = pinned(bytes(1 << 16))
    data = b"".join(dev.record(topic, b"%d" % n) for n in range(MANY + 1))
    parts = []
    out.write(data)
    reader.drain()

    def check(count):
        first = dev.parse_all(room.raw[:count])
        parts.append(len(first))
        all_ = first + reader.drain()
        assert [m.payload for m in all_ if m.type == dev.MESSAGE] == [b"%d" % n for n in range(MANY)]
        assert len({m.time_ns for m in all_ if m.type == dev.MESSAGE}) == 1
        assert len(all_) - MANY == bool(flags & dev.REPORT_DROPS)

    walk_copies(Case("read of a run", lambda: caller(READ, reader.fd, address(room), len(room)),
                     check, lambda: out.write(data)), caller)
    assert min(parts) < max(parts), "nothing was read in part"


@pytest.mark.parametrize("size", PAYLOADS)
@pytest.mark.parametrize("qos", range(3))
def test_read(device, topic, caller, qos, size):
    """A message that could not be read is still there."""
    reader = device(messages=10000).subscribe(topic, qos=2)
    out = device()
    room = pinned(bytes(1 << 19))

    def check(count):
        assert [m.payload for m in dev.parse_all(room.raw[:count])] == [PAYLOADS[size]]
        assert not reader.readable()

    walk_copies(Case("read", lambda: caller(READ, reader.fd, address(room), len(room)), check,
                     lambda: out.publish(topic, PAYLOADS[size], qos=qos)), caller)


@pytest.mark.parametrize("many, size", [(MANY, 0), (READ_BATCH + 2, 500)])
@pytest.mark.parametrize("flags", [0, dev.MANUAL_ACK, dev.REPORT_DROPS])
def test_read_of_several(device, topic, caller, flags, many, size):
    """Those that are before the one that could not be read; then the others, all in order."""
    reader = device(flags=flags, messages=many, inflight=10000).subscribe(topic, qos=1)
    out = device()
    room = pinned(bytes(1 << 16))
    wanted = [b"%d" % n + bytes(size) for n in range(many + 1)]
    parts = []

    def before():
        for payload in wanted:
            out.publish(topic, payload, qos=1)

    def check(count):
        first = dev.parse_all(room.raw[:count])
        parts.append(len(first))
        all_ = first + reader.drain()
        assert [m.payload for m in all_ if m.type == dev.MESSAGE] == wanted[:many]
        assert len(all_) - many == bool(flags & dev.REPORT_DROPS)
        if flags & dev.MANUAL_ACK:
            reader.ack(all_[-1].id, dev.ACK_UP_TO)
            assert reader.stats().inflight_messages == 0

    walk_copies(Case("read of several",
                     lambda: caller(READ, reader.fd, address(room), len(room)), check, before),
                caller)
    assert min(parts) < max(parts), "nothing was read in part"


def test_what_is_asked(device, topic, caller):
    one = device().subscribe(topic)
    walk_copies(Case("info", ioctl(caller, one, dev.IOC_INFO,
                                   dev.INFO.pack(dev.INFO.size, *[0] * 5))), caller)
    walk_copies(Case("stats", ioctl(caller, one, dev.IOC_STATS,
                                    dev.STATS.pack(dev.STATS.size, *[0] * 10))), caller)


def test_subscribe_and_unsubscribe(device, topic, caller):
    one = device()
    name = pinned(f"{topic}/+/#".encode())
    data = dev.SUBSCRIPTION.pack(dev.SUBSCRIPTION.size, 0, address(name), len(name), 0, 0, 0, b"")
    on, off = (ioctl(caller, one, number, data)
               for number in (dev.IOC_SUBSCRIBE, dev.IOC_UNSUBSCRIBE))

    def state(subscriptions):
        assert one.stats().subscriptions == subscriptions

    walk_copies(Case("subscribe", on, lambda _: off(), refused=lambda: state(0)), caller)
    walk_copies(Case("unsubscribe", off, before=on, refused=lambda: state(1)), caller)
    state(0)


def test_session(topic, caller):
    """Who cannot be told of the session that he has got closes it, and begins anew."""
    name = pinned(topic.encode())
    data = dev.SESSION.pack(dev.SESSION.size, 0, address(name), len(name), 0, 0, 0, 0, 0, 0)
    open_ = []

    def again():
        while open_:
            open_.pop().close()
        open_.append(dev.Device())

    walk_copies(Case("session", lambda: ioctl(caller, open_[0], dev.IOC_SESSION, data)(),
                     before=again, refused=again), caller)
    open_.pop().close()


def test_acknowledge(device, topic, caller):
    reader = device(flags=dev.MANUAL_ACK, inflight=1000).subscribe(topic, qos=2)
    out = device()
    now = []

    def before():
        out.publish(topic, b"x", qos=2)
        now[:] = [dev.ACKNOWLEDGE.pack(dev.ACKNOWLEDGE.size, 0, reader.read()[0].id)]

    walk_copies(Case("ack", lambda: ioctl(caller, reader, dev.IOC_ACK, now[0])(), before=before),
                caller)
    assert reader.stats().inflight_messages == 0


def test_publish_and_wait(device, topic, caller):
    """No uplink carries it, which is said as ENOLINK, or by the reply that could not be written."""
    reader = device(messages=10000).subscribe(topic, qos=1)
    out = device()
    data = pinned(dev.record(topic, b"x" * 1000, qos=1))
    ask = ioctl(caller, out, dev.IOC_PUBLISH,
                dev.PUBLISH.pack(dev.PUBLISH.size, 1000, address(data), len(data), 0))

    def call():
        try:
            ask()
        except OSError as error:
            if error.errno != errno.ENOLINK:
                raise

    def came(_):
        assert len(reader.drain()) == 1

    walk_copies(Case("publish and wait", call, came, refused=lambda: reader.drain()), caller)


def test_ring(topic, caller):
    open_ = []

    def again():
        while open_:
            open_.pop().close()
        open_.append(dev.Device().subscribe(topic))

    data = dev.RING.pack(dev.RING.size, 0, 1 << 16, 0, 0, 0, 0)
    walk_copies(Case("ring", lambda: ioctl(caller, open_[0], dev.IOC_RING, data)(), before=again,
                     refused=again), caller)
    open_.pop().close()


def test_every_ioctl_was_walked():
    assert {name for number, name in ioctls().items() if number not in ASKED} == set()

# SPDX-License-Identifier: GPL-2.0
"""The mmap ring: messages without a system call."""

import contextlib
import ctypes
import errno
import mmap
import os
import random
import select
import struct
import subprocess
import sys
import threading
import time

import pytest
from conftest import HERE
from kmqtt_dev import (BLOCK, DROP_NEWEST, DROPPED, IOC_RING, MANUAL_ACK, MESSAGE, REPORT_DROPS,
                       RING, RING_ERROR, RING_MORE, SUBSCRIPTION_ID, libc, record, refused)

PAGE = mmap.PAGESIZE


@pytest.fixture
def ringed(device, topic):
    """A publisher, a subscriber, its ring of one page, and the topic."""
    one = device().subscribe(topic)
    return device(), one, one.ring(PAGE), topic


def payloads(messages):
    return [m.payload for m in messages]


def test_messages_come_without_a_system_call(ringed):
    writer, _, ring, topic = ringed
    assert ring.producer == ring.consumer == 0
    for i in range(10):
        writer.publish(topic, str(i))
    assert payloads(ring.take()) == [str(i).encode() for i in range(10)]
    assert ring.flags == 0 and ring.producer == ring.consumer == 10 * len(record(topic, "0"))


def test_a_record_in_the_ring_is_as_one_that_is_read(ringed):
    writer, _, ring, topic = ringed
    props = b"\x01\x01"
    writer.publish(topic, "payload", props=props, expiry=50, qos=2)
    [message] = ring.take()
    assert (message.type, message.topic, message.payload) == (MESSAGE, topic, b"payload")
    assert message.props == props and message.id == 1 and 0 < message.expiry <= 50
    assert message.time_ns > 0 and message.qos == 0 and not message.ack


def test_records_never_break_at_the_end_of_the_ring(ringed):
    writer, _, ring, topic = ringed
    rng = random.Random(1)
    for _ in range(400):
        payload = rng.randbytes(rng.randrange(600))
        writer.publish(topic, payload)
        assert payloads(ring.take()) == [payload]
    assert ring.producer > 10 * ring.size


def test_what_was_queued_before_is_in_the_ring(device, topic):
    one = device().subscribe(topic)
    device().publish(topic, "before")
    assert payloads(one.ring(PAGE).take()) == [b"before"]


def test_poll_tells_what_is_in_the_ring(ringed):
    writer, one, ring, topic = ringed
    assert one.poll() == select.POLLOUT
    writer.publish(topic)
    assert one.poll() == select.POLLIN | select.POLLOUT
    ring.take()
    assert one.poll() == select.POLLOUT


@pytest.mark.parametrize("edge", [0, select.EPOLLET])
def test_a_reader_that_sleeps_is_woken(ringed, edge):
    writer, one, ring, topic = ringed
    epoll = select.epoll()
    epoll.register(one.fd, select.EPOLLIN | edge)
    for _ in range(3):
        thread = threading.Timer(0.05, writer.publish, (topic,))
        thread.start()
        assert epoll.poll(60) == [(one.fd, select.EPOLLIN)]
        thread.join()
        assert len(ring.take()) == 1
        assert epoll.poll(0) == []


def test_what_does_not_fit_waits_in_the_queue(ringed):
    writer, one, ring, topic = ringed
    size = len(record(topic, bytes(100)))
    for i in range(100):
        writer.publish(topic, b"%3d" % i + bytes(97))
    fit = PAGE // size
    assert ring.producer == fit * size and ring.flags == RING_MORE
    assert one.stats().queued_messages == 100 - fit
    got = []
    while len(got) < 100:
        assert one.readable()
        got += [int(m.payload[:3]) for m in ring.take()]
    assert got == list(range(100)) and ring.flags == 0
    assert not one.readable()


def test_room_for_a_part_is_used_for_it(ringed):
    writer, one, ring, topic = ringed
    for _ in range(100):
        writer.publish(topic, bytes(100))
    ring.take(3)
    before = ring.producer
    assert one.readable()
    assert ring.producer - before == 3 * len(record(topic, bytes(100)))


def test_a_message_longer_than_the_ring_is_dropped_and_counted(ringed):
    writer, one, ring, topic = ringed
    writer.publish(topic, bytes(PAGE))
    writer.publish(topic, "fits")
    one.readable()
    assert payloads(ring.take()) == [b"fits"]
    assert one.stats().dropped_messages == 1 and ring.dropped == 1


@pytest.mark.parametrize("size", [PAGE - 200, 300 << 10, (1 << 20) + 5])
def test_messages_of_all_sizes(device, topic, size):
    """Beyond 256 KiB a publisher leaves it to the reader's poll() to copy."""
    one = device().subscribe(topic)
    ring = one.ring(1 << 21)
    for fill in range(3):
        device().publish(topic, bytes([fill]) * size)
        assert one.readable(60000)
        assert payloads(ring.take()) == [bytes([fill]) * size]


def test_drops_are_told(device, topic):
    one = device(flags=REPORT_DROPS, policy=DROP_NEWEST, messages=2).subscribe(topic)
    ring = one.ring(PAGE)
    writer = device()
    for _ in range(30):
        writer.publish(topic, bytes(200))
    fit = PAGE // len(record(topic, bytes(200)))
    lost = 30 - fit - 2
    ring.take()
    messages = []
    # told at once or by and by, as the reader comes to it
    while sum(m.id for m in messages if m.type == DROPPED) < lost or \
            len([m for m in messages if m.type == MESSAGE]) < 2:
        one.readable()
        messages += ring.take()
    assert sum(m.id for m in messages if m.type == DROPPED) == lost == ring.dropped
    assert len([m for m in messages if m.type == MESSAGE]) == 2


def test_a_full_ring_makes_writers_wait_if_the_policy_is_so(device, topic):
    one = device(policy=BLOCK, messages=5).subscribe(topic)
    ring = one.ring(PAGE)
    writer, total, got = device(), 300, []
    thread = threading.Thread(target=lambda: [writer.publish(topic, str(i)) for i in range(total)])
    thread.start()
    while len(got) < total:
        assert one.readable(60000)
        got += [int(m.payload) for m in ring.take()]
    thread.join()
    assert got == list(range(total)) and one.stats().dropped_messages == 0


def test_manual_acknowledgement(device, topic):
    one = device(topic, flags=MANUAL_ACK, inflight=2, expiry=60).subscribe(topic, qos=1)
    ring = one.ring(PAGE)
    for i in range(4):
        device().publish(topic, str(i), qos=1)
    first = ring.take()
    assert payloads(first) == [b"0", b"1"] and all(m.ack for m in first)
    one.ack(first[0].id)
    assert payloads(ring.take()) == [b"2"]
    one.close()
    again = device(topic, flags=MANUAL_ACK).read()
    assert payloads(again)[:2] == [b"1", b"2"]


def test_more_subscription_identifiers(device, topic):
    one = device().subscribe(topic, sub_id=1).subscribe(topic + "/#", sub_id=300)
    ring = one.ring(PAGE)
    device().publish(topic, "x")
    [message] = ring.take()
    both = {message.sub_id: bytes([SUBSCRIPTION_ID, 0xac, 2]),
            301 - message.sub_id: bytes([SUBSCRIPTION_ID, 1])}
    assert message.payload == b"x" and message.props == (
        both[1] if message.sub_id == 1 else bytes([SUBSCRIPTION_ID, 1]))


def test_read_is_not_for_a_file_with_a_ring(ringed):
    writer, one, _, topic = ringed
    writer.publish(topic)
    with refused(errno.EBUSY):
        one.read()


def test_a_reader_that_waits_when_the_ring_begins_is_told(device, topic):
    one, got = device().subscribe(topic), []

    def read():
        try:
            one.read()
        except OSError as error:
            got.append(error.errno)

    thread = threading.Thread(target=read)
    thread.start()
    time.sleep(0.1)
    one.ring(PAGE)
    thread.join()
    assert got == [errno.EBUSY]


def test_there_is_one_ring(ringed):
    _, one, _, _ = ringed
    with refused(errno.EBUSY):
        one.ring(PAGE)


@pytest.mark.parametrize("size", [0, 1, PAGE - 1, PAGE // 2, PAGE + 1, 3 * PAGE, 1 << 27, 1 << 63,
                                  (1 << 64) - 1])
def test_a_size_that_makes_no_sense_is_refused(device, topic, size):
    one = device().subscribe(topic)
    with refused(errno.EINVAL):
        one.ring(size)
    device().publish(topic)
    assert len(one.read()) == 1


def test_whom_its_size_cannot_be_told_has_no_ring(device, topic):
    """The struct can be read, and not be written."""
    one = device().subscribe(topic)
    memory = mmap.mmap(-1, PAGE)
    memory.write(RING.pack(RING.size, 0, PAGE, 0, 0, 0, 0))
    at = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    libc("mprotect", at, ctypes.c_size_t(PAGE), mmap.PROT_READ)
    with refused(errno.EFAULT):
        libc("ioctl", one.fd, ctypes.c_ulong(IOC_RING), at)
    ring = one.ring(PAGE)
    device().publish(topic, "x")
    assert payloads(ring.take()) == [b"x"]


def test_the_largest_ring(device, topic):
    one = device().subscribe(topic)
    ring = one.ring(64 << 20)
    device().publish(topic, "x")
    assert payloads(ring.take()) == [b"x"]


def test_takeover_ends_the_ring(device, topic):
    one = device(topic, expiry=60).subscribe(topic)
    ring = one.ring(PAGE)
    two = device(topic)
    assert one.poll() & select.POLLHUP
    before = ring.producer
    device().publish(topic, "x")
    assert ring.producer == before and payloads(two.read()) == [b"x"]


def test_a_ring_may_begin_before_the_name(device, topic):
    device(topic, expiry=60).subscribe(topic, qos=1).close()
    device().publish(topic, "missed", qos=1)
    one = device()
    ring = one.ring(PAGE)
    assert one.session(topic) and payloads(ring.take()) == [b"missed"]


def test_many_writers_lose_and_double_nothing(device, topic):
    one = device(policy=BLOCK, messages=200).subscribe(topic)
    ring, total, got = one.ring(4 * PAGE), 2000, {}
    code = ("import sys\nfrom kmqtt_dev import *\nd = Device()\n"
            f"for i in range({total}): d.publish(sys.argv[1], f'{{sys.argv[2]}} {{i}}')\n")
    writers = [subprocess.Popen([sys.executable, "-c", code, topic, str(n)], cwd=HERE)
               for n in range(3)]
    count = 0
    while count < 3 * total:
        assert one.readable(60000)
        for message in ring.take():
            writer, number = map(int, message.payload.split())
            assert number == got.get(writer, -1) + 1
            got[writer] = number
            count += 1
    assert [writer.wait() for writer in writers] == [0, 0, 0]


# ---- what the mapping allows

@pytest.mark.parametrize("offset, pages", [(PAGE, 1), (2 * PAGE, 1), (0, 2), (PAGE, 2)])
def test_only_the_first_page_can_be_written(ringed, offset, pages):
    _, one, _, _ = ringed
    with refused(errno.EPERM):
        mmap.mmap(one.fd, pages * PAGE, offset=offset)


def test_no_page_becomes_writable_later(ringed):
    _, _, ring, _ = ringed
    libc = ctypes.CDLL(None, use_errno=True)
    # An address of a mapping that Python knows as read only.
    address = [int(line.split("-")[0], 16) for line in open("/proc/self/maps", encoding="ascii")
               if "/dev/kmqtt" in line and " r--s" in line]
    assert address
    for start in address:
        assert libc.mprotect(ctypes.c_void_p(start), ctypes.c_size_t(PAGE), 3) == -1
        assert ctypes.get_errno() == errno.EACCES
        assert libc.mprotect(ctypes.c_void_p(start), ctypes.c_size_t(PAGE), 5) == -1
        assert ctypes.get_errno() == errno.EACCES
    assert ring.map_size == 4 * PAGE


def test_it_cannot_be_executed(ringed):
    _, one, _, _ = ringed
    with refused(errno.EPERM):
        mmap.mmap(one.fd, PAGE, prot=mmap.PROT_READ | mmap.PROT_EXEC, offset=PAGE)


def test_it_must_be_shared(ringed):
    _, one, _, _ = ringed
    with refused(errno.EINVAL):
        mmap.mmap(one.fd, PAGE, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ)


@pytest.mark.parametrize("offset, pages", [(0, 5), (PAGE, 4), (4 * PAGE, 1), (1 << 40, 1)])
def test_no_more_than_the_ring_is_mapped(ringed, offset, pages):
    _, one, _, _ = ringed
    with refused(errno.EINVAL):
        mmap.mmap(one.fd, pages * PAGE, prot=mmap.PROT_READ, offset=offset)


def test_without_a_ring_there_is_nothing_to_map(device):
    with refused(errno.EINVAL):
        mmap.mmap(device().fd, PAGE)


def test_the_whole_may_be_mapped_to_read(ringed):
    writer, one, ring, topic = ringed
    whole = mmap.mmap(one.fd, ring.map_size, prot=mmap.PROT_READ)
    writer.publish(topic, "x")
    assert whole[ring.data:ring.data + 4] == whole[ring.data + PAGE:ring.data + PAGE + 4] != bytes(4)
    whole.close()


def test_the_ring_is_mapped_longer_than_the_file_is_open(device, topic):
    one = device().subscribe(topic)
    ring = one.ring(PAGE)
    one.close()
    device().publish(topic, "still")
    assert payloads(ring.take()) == [b"still"]


def test_what_is_in_the_pages_is_the_rings_only(device, topic):
    """No byte of what the kernel had there before."""
    one = device().subscribe(topic)
    ring = one.ring(1 << 20)
    assert ring.rest[:].count(0) == len(ring.rest)


def limited(code):
    """In a process of another user, whose locked memory is limited to 80 KiB."""
    child = os.fork()
    if not child:
        status = 1
        try:
            import resource
            resource.setrlimit(resource.RLIMIT_MEMLOCK, (81920, 81920))
            status = code()
        except OSError as error:
            status = 100 + error.errno
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_rings_count_against_the_limit_of_locked_memory(device, topic):
    one, two, three = device(), device(), device()

    def code():
        os.setgid(65534)
        os.setuid(65534)
        one.ring(32768)
        for _ in range(3):
            try:
                two.ring(32768)
                return 2
            except OSError as error:
                if error.errno != errno.ENOMEM:
                    return 3
        three.ring(PAGE)
        return 0

    assert limited(code) == 0
    # What was refused left nothing behind.
    two.subscribe(topic)
    ring = two.ring(PAGE)
    device().publish(topic, "x")
    assert payloads(ring.take()) == [b"x"]


# ---- a reader who means harm

@pytest.mark.parametrize("value", [1, 7, 8, 4096, 1 << 32, 1 << 63, (1 << 64) - 8, (1 << 64) - 1])
def test_a_position_beyond_the_producers_ends_the_ring(ringed, device, value):
    writer, one, ring, topic = ringed
    other = device().subscribe(topic)
    ring.consumer = value
    writer.publish(topic, "x")
    assert ring.flags & RING_ERROR and ring.producer == 0
    assert one.poll() & select.POLLERR
    with refused(errno.EBADMSG):
        one.read()
    # Nobody else is touched, and writing still works.
    assert payloads(other.read()) == [b"x"]
    one.publish(topic, "y")
    assert payloads(other.read()) == [b"y"]


def test_a_position_that_goes_back_ends_the_ring(ringed):
    writer, one, ring, topic = ringed
    for _ in range(2):
        writer.publish(topic, "x")
        ring.take()
    writer.publish(topic, "x")
    ring.consumer = 0
    writer.publish(topic, "x")
    assert ring.flags & RING_ERROR and one.poll() & select.POLLERR


def test_a_dead_ring_stays_dead(ringed):
    writer, one, ring, topic = ringed
    ring.consumer = 8
    writer.publish(topic, "x")
    ring.consumer = 0
    writer.publish(topic, "x")
    assert ring.producer == 0 and ring.flags & RING_ERROR
    with refused(errno.EBUSY):
        one.ring(PAGE)


def test_a_reader_asleep_is_told_of_the_error(ringed):
    writer, one, ring, topic = ringed
    ring.consumer = 16

    thread = threading.Timer(0.1, writer.publish, (topic,))
    thread.start()
    assert one.poll(60000, select.POLLIN) & select.POLLERR
    thread.join()


def test_positions_that_change_while_the_kernel_writes(device, topic):
    """Threads write random and plausible positions as fast as they can."""
    writer, stop = device(), []
    other = device(policy=BLOCK).subscribe(topic)
    rng = random.Random(6)
    for turn in range(30):
        one = device().subscribe(topic)
        ring = one.ring(PAGE)

        def attack():
            while not stop:
                ring.consumer = rng.choice((ring.producer, ring.producer - 8, rng.getrandbits(64),
                                            ring.producer & ~7)) if turn % 3 else ring.producer

        thread = threading.Thread(target=attack)
        thread.start()
        for i in range(100):
            writer.publish(topic, bytes(rng.randrange(500)))
            one.poll()
        stop.append(1)
        thread.join()
        stop.clear()
        one.close()
        assert len(other.drain()) == 100


def test_a_forked_child_shares_the_ring(ringed):
    writer, one, ring, topic = ringed
    child = os.fork()
    if not child:
        try:
            for _ in range(1000):
                ring.consumer = ring.producer
                one.poll()
        finally:
            os._exit(0)
    for _ in range(1000):
        writer.publish(topic, bytes(50))
        # what it stands at may be gone under its hands, and be another record in part
        with contextlib.suppress(struct.error, AssertionError, UnicodeDecodeError):
            ring.take(1)
        one.poll()
    os.waitpid(child, 0)
    device_works = record(topic, "x")
    assert writer.write(device_works) == len(device_works)

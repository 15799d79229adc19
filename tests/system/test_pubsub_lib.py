# SPDX-License-Identifier: GPL-2.0
"""libkmqtt, called as from any language: by its shared library."""

import ctypes
import errno
import fcntl
import os
import re
import subprocess

import pytest

import kmqtt_dev
from pubsub import TOP

LIB = os.path.join(TOP, "build", "lib", "libkmqtt.so")
FUNCTIONS = re.compile(r"^(?:[a-z_]+ )+\*?(kmqtt_\w+)\(", re.M)
P, U, S = ctypes.c_void_p, ctypes.c_uint, ctypes.c_char_p


class Message(ctypes.Structure):
    """struct kmqtt_message"""
    _fields_ = [("topic", S), ("topic_len", ctypes.c_size_t), ("payload", P),
                ("payload_len", ctypes.c_size_t), ("props", P), ("props_len", ctypes.c_size_t),
                ("type", U), ("flags", U), ("qos", U), ("expiry", ctypes.c_uint32),
                ("sub_id", ctypes.c_uint32), ("id", ctypes.c_uint64), ("time_ns", ctypes.c_uint64)]

    def data(self):
        return ctypes.string_at(self.payload, self.payload_len)


class Publication(ctypes.Structure):
    """struct kmqtt_publication"""
    _fields_ = [("topic", S), ("payload", S), ("payload_len", ctypes.c_size_t), ("qos", U),
                ("flags", U), ("props", P)]


class Buffer(ctypes.Structure):
    """A buffer that is aligned to 8 bytes."""
    _fields_ = [("words", ctypes.c_uint64 * 1024)]


@pytest.fixture(scope="module")
def lib():
    out = ctypes.CDLL(LIB, use_errno=True)
    size, u64, u32 = ctypes.c_size_t, ctypes.c_uint64, ctypes.c_uint32
    for name, result, *arguments in [
            ("open", P, ctypes.c_int), ("close", None, P), ("fd", ctypes.c_int, P),
            ("session", ctypes.c_int, P, S, u32, U), ("stats", ctypes.c_int, P, P),
            ("info", ctypes.c_int, P, P), ("strerror", S, ctypes.c_int),
            ("subscribe", ctypes.c_int, P, S, U), ("unsubscribe", ctypes.c_int, P, S),
            ("receive", ctypes.c_int, P, P, ctypes.c_int), ("read", ctypes.c_ssize_t, P, P, size),
            ("message_next", ctypes.c_int, P, P, size, P), ("ack", ctypes.c_int, P, u64),
            ("ack_up_to", ctypes.c_int, P, u64), ("message_user", S, P, S, P),
            ("ring_open", ctypes.c_int, P, size), ("ring_next", ctypes.c_int, P, P),
            ("ring_release", None, P), ("publish", ctypes.c_int, P, S, S, size, U),
            ("publish_set", ctypes.c_int, P, P), ("publish_wait", ctypes.c_int, P, P, U, P),
            ("reply", ctypes.c_int, P, P, S, size), ("sync", ctypes.c_int, P),
            ("record_put", ctypes.c_ssize_t, P, size, P), ("props_new", P),
            ("props_free", None, P), ("props_user", ctypes.c_int, P, S, S),
            ("props_string", ctypes.c_int, P, ctypes.c_int, S, size),
            ("props_format", ctypes.c_int, P, U), ("props_expiry", None, P, u32)]:
        function = getattr(out, "kmqtt_" + name)
        function.restype, function.argtypes = result, arguments
    return out


@pytest.fixture
def session(lib):
    """A function that opens sessions, closed after the test."""
    opened = []

    def make(flags=0):
        opened.append(lib.kmqtt_open(flags))
        assert opened[-1], ctypes.get_errno()
        return opened[-1]

    yield make
    for one in opened:
        lib.kmqtt_close(one)


def fails(result, number):
    assert result == -1 and ctypes.get_errno() == number, errno.errorcode[ctypes.get_errno()]


def test_symbols():
    """The library exports the functions of its header, with a version, and nothing else."""
    with open(os.path.join(TOP, "userspace/lib/kmqtt/kmqtt.h"), encoding="ascii") as file:
        declared = set(FUNCTIONS.findall(file.read()))
    listed = subprocess.run(["nm", "-D", "--defined-only", LIB], capture_output=True, text=True,
                            check=True).stdout
    exported = set(re.findall(r" T (\w+)@@LIBKMQTT_1$", listed, re.M))
    assert exported == declared and len(declared) > 30
    needed = subprocess.run(["readelf", "-d", LIB], capture_output=True, text=True,
                            check=True).stdout
    assert re.findall(r"NEEDED.*\[(.*)\]", needed) == ["libc.so.6"]
    assert "[libkmqtt.so.1]" in needed


@pytest.mark.parametrize("flags", [0, os.O_NONBLOCK])
@pytest.mark.parametrize("ring", [False, True], ids=["read", "ring"])
def test_receive(lib, session, topic, flags, ring):
    """One message after the other, in order, by read() and from the ring; and none in time."""
    k, msg, name = session(flags), Message(), topic.encode()
    if ring:
        assert lib.kmqtt_ring_open(k, 1 << 16) == 0
    assert lib.kmqtt_subscribe(k, name + b"/#", 1) == 0
    assert lib.kmqtt_receive(k, ctypes.byref(msg), 0) == 0
    assert lib.kmqtt_receive(k, ctypes.byref(msg), 30) == 0
    writer = session()
    for number in range(300):
        assert lib.kmqtt_publish(writer, name + b"/%d" % number, b"%d" % number,
                                 len(b"%d" % number), number % 2) == 0
    for number in range(300):
        assert lib.kmqtt_receive(k, ctypes.byref(msg), 1000) == 1
        assert msg.topic == name + b"/%d" % number and msg.data() == b"%d" % number
        assert msg.qos == number % 2
    assert lib.kmqtt_receive(k, ctypes.byref(msg), 0) == 0


def test_ring_runs_full(lib, session, device, topic):
    """More than the ring holds: the rest waits in the queue and comes as there is room."""
    k, msg = session(), Message()
    assert lib.kmqtt_ring_open(k, 4096) == 0
    fails(lib.kmqtt_ring_open(k, 4096), errno.EBUSY)
    fails(lib.kmqtt_read(k, ctypes.byref(Buffer()), 8192), errno.EBUSY)
    lib.kmqtt_subscribe(k, topic.encode(), 1)
    writer = device()
    for number in range(500):
        writer.publish(topic, b"%d" % number + bytes(100), qos=1)
    for number in range(500):
        assert lib.kmqtt_receive(k, ctypes.byref(msg), 1000) == 1
        assert msg.data() == b"%d" % number + bytes(100)


def test_ring_peek(lib, session, device, topic):
    """Several messages are looked at, and their room given back together."""
    k, msg = session(), Message()
    assert lib.kmqtt_ring_open(k, 4096) == 0
    lib.kmqtt_subscribe(k, topic.encode(), 0)
    for number in range(3):
        device().publish(topic, b"%d" % number)
    seen = []
    while lib.kmqtt_ring_next(k, ctypes.byref(msg)) == 1:
        seen.append(msg.data())
    assert seen == [b"0", b"1", b"2"]
    lib.kmqtt_ring_release(k)
    device().publish(topic, b"3")
    assert lib.kmqtt_ring_next(k, ctypes.byref(msg)) == 1 and msg.data() == b"3"


@pytest.mark.parametrize("size", [0, 1000, 5000, 128 << 20])
def test_ring_sizes(lib, session, size):
    fails(lib.kmqtt_ring_open(session(), size), errno.EINVAL)


def test_large_message(lib, session, device, topic):
    """The buffer grows for a message that does not fit, and nothing is lost."""
    k, msg = session(), Message()
    lib.kmqtt_subscribe(k, topic.encode(), 0)
    for size in (10, 500000, 20):
        device().publish(topic, bytes([size & 255]) * size)
    for size in (10, 500000, 20):
        assert lib.kmqtt_receive(k, ctypes.byref(msg), 1000) == 1
        assert msg.data() == bytes([size & 255]) * size


def test_read_and_iterate(lib, session, device, topic):
    """Into a buffer of the caller; too small a one loses nothing."""
    k, msg, buffer = session(os.O_NONBLOCK), Message(), Buffer()
    lib.kmqtt_subscribe(k, topic.encode(), 0)
    fails(lib.kmqtt_read(k, ctypes.byref(buffer), 8192), errno.EAGAIN)
    for number in range(3):
        device().publish(topic, b"%d" % number)
    fails(lib.kmqtt_read(k, ctypes.byref(buffer), 16), errno.EMSGSIZE)
    length = lib.kmqtt_read(k, ctypes.byref(buffer), 8192)
    place, seen = ctypes.c_size_t(0), []
    while lib.kmqtt_message_next(ctypes.byref(place), ctypes.byref(buffer), length,
                                 ctypes.byref(msg)):
        seen.append(msg.data())
    assert seen == [b"0", b"1", b"2"] and place.value == length


def test_session_and_acknowledgement(lib, session, device, topic):
    """A named session: what was not acknowledged comes again, with its DUP flag."""
    name, msg = topic.encode(), Message()
    k = session()
    assert lib.kmqtt_session(k, name, 60, kmqtt_dev.MANUAL_ACK) == 0
    lib.kmqtt_subscribe(k, name, 1)
    fails(lib.kmqtt_session(k, name + b"2", 60, 0), errno.EBUSY)
    for number in range(5):
        device().publish(topic, b"%d" % number, qos=1)
    ids = []
    for number in range(5):
        assert lib.kmqtt_receive(k, ctypes.byref(msg), 1000) == 1
        assert msg.flags & kmqtt_dev.ACK
        ids.append(msg.id)
    assert lib.kmqtt_ack_up_to(k, ids[1]) == 0
    assert lib.kmqtt_ack(k, ids[3]) == 0
    fails(lib.kmqtt_ack(k, ids[3]), errno.ENOENT)
    again = session()
    assert lib.kmqtt_session(again, name, 0, kmqtt_dev.MANUAL_ACK) == 1
    fails(lib.kmqtt_receive(k, ctypes.byref(msg), 1000), errno.ESHUTDOWN)
    for number in (2, 4):
        assert lib.kmqtt_receive(again, ctypes.byref(msg), 1000) == 1
        assert msg.data() == b"%d" % number and msg.flags & kmqtt_dev.DUP
    assert lib.kmqtt_receive(again, ctypes.byref(msg), 0) == 0
    assert lib.kmqtt_unsubscribe(again, name) == 0
    fails(lib.kmqtt_unsubscribe(again, name), errno.ENOENT)


def test_ring_of_a_session_that_is_taken_over(lib, session, topic):
    """Who waits at a ring learns of it too."""
    name, msg, k = topic.encode(), Message(), session()
    assert lib.kmqtt_session(k, name, 60, 0) == 0
    assert lib.kmqtt_ring_open(k, 4096) == 0
    assert lib.kmqtt_session(session(), name, 0, kmqtt_dev.CLEAN) == 0
    fails(lib.kmqtt_receive(k, ctypes.byref(msg), 1000), errno.ESHUTDOWN)


def test_properties(lib, session, topic):
    """What the builder makes is what a reader finds."""
    k, msg, props = session(), Message(), lib.kmqtt_props_new()
    lib.kmqtt_subscribe(k, topic.encode(), 0)
    assert lib.kmqtt_props_user(props, b"unit", b"degree") == 0
    assert lib.kmqtt_props_string(props, kmqtt_dev.CONTENT_TYPE, b"text", 4) == 0
    assert lib.kmqtt_props_format(props, 1) == 0
    lib.kmqtt_props_expiry(props, 100)
    pub = Publication(topic.encode(), b"21", 2, 0, kmqtt_dev.RETAIN, props)
    assert lib.kmqtt_publish_set(k, ctypes.byref(pub)) == 0
    assert lib.kmqtt_receive(k, ctypes.byref(msg), 1000) == 1
    length = ctypes.c_size_t()
    value = lib.kmqtt_message_user(ctypes.byref(msg), b"unit", ctypes.byref(length))
    assert value[:length.value] == b"degree" and 0 < msg.expiry <= 100
    assert ctypes.string_at(msg.props, msg.props_len) == b"\x26\0\4unit\0\6degree\3\0\4text\1\1"
    lib.kmqtt_props_free(props)
    lib.kmqtt_publish_set(k, ctypes.byref(Publication(topic.encode(), None, 0, 0, 1, None)))


def test_batch(lib, session, device, topic):
    """Records one after the other, written at once."""
    k, buffer, place = session(), Buffer(), 0
    reader = device()
    reader.subscribe(topic)
    for payload in (b"", b"1", b"12345678"):
        pub = Publication(topic.encode(), payload, len(payload), 0, 0, None)
        place += lib.kmqtt_record_put(ctypes.addressof(buffer) + place, 8192 - place,
                                      ctypes.byref(pub))
    assert os.write(lib.kmqtt_fd(k), bytes(buffer)[:place]) == place
    assert [message.payload for message in reader.drain()] == [b"", b"1", b"12345678"]


def test_reply(lib, session, device, topic):
    """The answer goes to the response topic, with the correlation data and the QoS."""
    k, msg, name = session(), Message(), topic.encode()
    lib.kmqtt_subscribe(k, name, 1)
    asker = device()
    asker.subscribe(topic + "/answer", qos=2)
    asker.publish(topic, b"?", qos=1, props=kmqtt_dev.string_prop(8, topic + "/answer") +
                  kmqtt_dev.string_prop(9, b"c"))
    assert lib.kmqtt_receive(k, ctypes.byref(msg), 1000) == 1
    assert lib.kmqtt_reply(k, ctypes.byref(msg), b"!", 1) == 0
    message, = asker.drain()
    assert (message.payload, message.qos, message.props) == (b"!", 1, b"\x09\0\1c")
    asker.publish(topic, b"no topic")
    assert lib.kmqtt_receive(k, ctypes.byref(msg), 1000) == 1
    fails(lib.kmqtt_reply(k, ctypes.byref(msg), b"!", 1), errno.EINVAL)


def test_counts(lib, session, topic):
    k, msg = session(), Message()
    lib.kmqtt_subscribe(k, topic.encode(), 0)
    assert lib.kmqtt_publish(k, topic.encode(), b"12345", 5, 0) == 0
    assert lib.kmqtt_receive(k, ctypes.byref(msg), 1000) == 1
    raw = ctypes.create_string_buffer(kmqtt_dev.STATS.size)
    assert lib.kmqtt_stats(k, raw) == 0
    stats = kmqtt_dev.Stats(*kmqtt_dev.STATS.unpack(raw.raw))
    assert (stats.subscriptions, stats.published_messages, stats.delivered_messages) == (1, 1, 1)
    assert stats.published_bytes == len(topic) + 5
    raw = ctypes.create_string_buffer(kmqtt_dev.INFO.size)
    assert lib.kmqtt_info(k, raw) == 0
    assert kmqtt_dev.Info(*kmqtt_dev.INFO.unpack(raw.raw)).abi == 1


def test_errors(lib, session, topic):
    """Each with its errno, and a text."""
    k, name = session(), topic.encode()
    fails(lib.kmqtt_subscribe(k, b"a/#/b", 0), errno.EILSEQ)
    fails(lib.kmqtt_subscribe(k, name, 3), errno.EINVAL)
    fails(lib.kmqtt_publish(k, name + b"/#", None, 0, 0), errno.EILSEQ)
    fails(lib.kmqtt_publish(k, name, None, 0, 3), errno.EINVAL)
    pub = Publication(name, b"x", 1, 1, 0, None)
    fails(lib.kmqtt_publish_wait(k, ctypes.byref(pub), 100, None), errno.ENOLINK)
    fails(lib.kmqtt_ack(k, 12345), errno.ENOENT)
    assert lib.kmqtt_sync(k) == 0
    assert lib.kmqtt_strerror(errno.ENOLINK) == b"no uplink carries this topic"
    assert fcntl.fcntl(lib.kmqtt_fd(k), fcntl.F_GETFD) & fcntl.FD_CLOEXEC

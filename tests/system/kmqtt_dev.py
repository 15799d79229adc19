# SPDX-License-Identifier: GPL-2.0
"""The device /dev/kmqtt as uapi/kmqtt.h describes it, with nothing but the standard library."""

import contextlib
import ctypes
import errno
import fcntl
import mmap
import os
import select
import signal
import struct
from collections import namedtuple

DEVICE = "/dev/kmqtt"

MESSAGE, DROPPED = 1, 2
RETAIN, DUP, ACK = 1, 2, 4
DEFAULT, DROP_NEWEST, DROP_OLDEST, KEEP_LATEST, BLOCK = range(5)
MANUAL_ACK, REPORT_DROPS, CLEAN, QUEUE_QOS0 = 1, 2, 4, 8
NO_LOCAL, RETAIN_AS_PUBLISHED = 1, 2
ACK_UP_TO = 1
RING_MORE, RING_ERROR = 1, 2
FOREVER = 0xffffffff

PAYLOAD_FORMAT, CONTENT_TYPE, RESPONSE_TOPIC, CORRELATION, SUBSCRIPTION_ID, USER = (
    0x01, 0x03, 0x08, 0x09, 0x0b, 0x26)

HEAD = struct.Struct("=IHHHBBIIIIIQQ")
SESSION = struct.Struct("=IIQIIIIQII")
SUBSCRIPTION = struct.Struct("=IIQIIBB6s")
ACKNOWLEDGE = struct.Struct("=IIQ")
PUBLISH = struct.Struct("=IIQII")
STATS = struct.Struct("=IIIIQQQQQQQ")
RING = struct.Struct("=IIQQQQQ")
INFO = struct.Struct("=IIIIII")

Stats = namedtuple("Stats", "size subscriptions queued_messages inflight_messages queued_bytes"
                   " published_messages published_bytes delivered_messages delivered_bytes"
                   " dropped_messages expired_messages")
Info = namedtuple("Info", "size abi max_packet_size max_queued_messages max_inflight_messages"
                  " policy")
Message = namedtuple("Message", "topic payload qos retain dup ack props expiry sub_id id time_ns"
                     " type len")


def ioc(direction, number, size):
    return direction << 30 | size << 16 | 0xb7 << 8 | number


W, RW = 1, 3
IOC_INFO = ioc(RW, 0, INFO.size)
IOC_SESSION = ioc(RW, 1, SESSION.size)
IOC_SUBSCRIBE = ioc(W, 2, SUBSCRIPTION.size)
IOC_UNSUBSCRIBE = ioc(W, 3, SUBSCRIPTION.size)
IOC_ACK = ioc(W, 4, ACKNOWLEDGE.size)
IOC_PUBLISH = ioc(RW, 5, PUBLISH.size)
IOC_STATS = ioc(RW, 6, STATS.size)
IOC_RING = ioc(RW, 7, RING.size)


def raw(data):
    return data.encode() if isinstance(data, str) else bytes(data)


def string_prop(number, text):
    text = raw(text)
    return struct.pack(">BH", number, len(text)) + text


def user_prop(name, value):
    return string_prop(USER, name) + struct.pack(">H", len(raw(value))) + raw(value)


def record(topic, payload=b"", qos=0, flags=0, props=b"", expiry=0, **bad):
    """The bytes of a record to write. What @bad names of the head is replaced, to try it."""
    topic, payload = raw(topic), raw(payload)
    body = topic + b"\0" + props + payload
    size = (HEAD.size + len(body) + 7) & ~7
    head = dict(len=size, type=MESSAGE, flags=flags, topic_len=len(topic), qos=qos, reserved=0,
                props_len=len(props), payload_len=len(payload), expiry=expiry, sub_id=0,
                reserved2=0, id=0, time_ns=0)
    assert set(bad) <= set(head)
    head.update(bad)
    return HEAD.pack(*head.values()) + body.ljust(size - HEAD.size, b"\0")


def parse(data, at=0):
    """The record at this place."""
    (size, kind, flags, topic_len, qos, reserved, props_len, payload_len, expiry, sub_id,
     reserved2, number, time_ns) = HEAD.unpack_from(data, at)
    body = bytes(data[at + HEAD.size:at + size])
    assert reserved == 0 and reserved2 == 0 and size % 8 == 0
    assert size == (HEAD.size + topic_len + 1 + props_len + payload_len + 7) & ~7
    assert body[topic_len] == 0
    props = body[topic_len + 1:topic_len + 1 + props_len]
    rest = body[topic_len + 1 + props_len:]
    assert rest[payload_len:].strip(b"\0") == b""
    return Message(body[:topic_len].decode(), rest[:payload_len], qos, bool(flags & RETAIN),
                   bool(flags & DUP), bool(flags & ACK), props, expiry, sub_id, number, time_ns,
                   kind, size)


def parse_all(data):
    out, at = [], 0
    while at < len(data):
        out.append(parse(data, at))
        at += out[-1].len
    return out


class Ring:
    """The mapped ring. Positions are read and written in one piece, as the kernel does it."""

    def __init__(self, device, size):
        reply = device.ioctl_raw(IOC_RING, RING.pack(RING.size, 0, size, 0, 0, 0, 0))
        _, _, self.size, self.map_size, self.at_user, self.at_kernel, self.data = RING.unpack(reply)
        self.base = self.data - self.at_kernel
        self.map(device)

    def map(self, device):
        page = mmap.PAGESIZE
        self.user = mmap.mmap(device.fd, page, offset=self.at_user)
        self.rest = mmap.mmap(device.fd, self.map_size - page, prot=mmap.PROT_READ,
                              offset=self.at_kernel)

    def close(self):
        """Unmap it."""
        self.user.close()
        self.rest.close()

    @property
    def consumer(self):
        return struct.unpack_from("=Q", self.user, 0)[0]

    @consumer.setter
    def consumer(self, value):
        ctypes.c_uint64.from_buffer(self.user).value = value & (1 << 64) - 1

    @property
    def producer(self):
        return struct.unpack_from("=Q", self.rest, 0)[0]

    @property
    def dropped(self):
        return struct.unpack_from("=Q", self.rest, 8)[0]

    @property
    def flags(self):
        return struct.unpack_from("=I", self.rest, 16)[0]

    def take(self, limit=None):
        """Consume what is there, or as many as said."""
        out, consumer, producer = [], self.consumer, self.producer
        while consumer != producer and (limit is None or len(out) < limit):
            at = self.base + (consumer & self.size - 1)
            size = struct.unpack_from("=I", self.rest, at)[0]
            out.append(parse(self.rest[at:at + size]))
            consumer += size
        self.consumer = consumer
        return out


class Device:
    """An open file of /dev/kmqtt."""

    def __init__(self, name=None, mode=os.O_RDWR, **conf):
        self.fd = os.open(DEVICE, mode | os.O_CLOEXEC)
        self.present = None
        self.rings = []
        if name is not None or conf:
            try:
                self.present = self.session(name, **conf)
            except OSError:
                self.close()
                raise

    def close(self):
        if self.fd >= 0:
            os.close(self.fd)
        self.fd = -1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def fileno(self):
        return self.fd

    def ioctl_raw(self, number, data):
        buffer = bytearray(data)
        fcntl.ioctl(self.fd, number, buffer, True)
        return bytes(buffer)

    def session(self, name=None, flags=0, expiry=0, policy=0, messages=0, size=0, inflight=0):
        text = raw(name or "")
        keep = ctypes.create_string_buffer(text, len(text) or 1)
        reply = self.ioctl_raw(IOC_SESSION, SESSION.pack(
            SESSION.size, flags, ctypes.addressof(keep) if text else 0, len(text), expiry, policy,
            messages, size, inflight, 0))
        return bool(SESSION.unpack(reply)[-1])

    def subscription(self, number, pattern, flags=0, sub_id=0, qos=0, retain_handling=0,
                     reserved=b""):
        text = raw(pattern)
        keep = ctypes.create_string_buffer(text, len(text) or 1)
        self.ioctl_raw(number, SUBSCRIPTION.pack(
            SUBSCRIPTION.size, flags, ctypes.addressof(keep), len(text), sub_id, qos,
            retain_handling, reserved.ljust(6, b"\0")))

    def subscribe(self, pattern, **options):
        self.subscription(IOC_SUBSCRIBE, pattern, **options)
        return self

    def unsubscribe(self, pattern, **options):
        self.subscription(IOC_UNSUBSCRIBE, pattern, **options)

    def ack(self, number, flags=0):
        self.ioctl_raw(IOC_ACK, ACKNOWLEDGE.pack(ACKNOWLEDGE.size, flags, number))

    def publish_wait(self, data, timeout_ms=0):
        """Returns the reason code."""
        keep = ctypes.create_string_buffer(data, len(data))
        reply = self.ioctl_raw(IOC_PUBLISH, PUBLISH.pack(
            PUBLISH.size, timeout_ms, ctypes.addressof(keep), len(data), 0))
        return PUBLISH.unpack(reply)[-1]

    def stats(self):
        reply = self.ioctl_raw(IOC_STATS, STATS.pack(STATS.size, *[0] * 10))
        return Stats(*STATS.unpack(reply))

    def info(self):
        return Info(*INFO.unpack(self.ioctl_raw(IOC_INFO, INFO.pack(INFO.size, 0, 0, 0, 0, 0))))

    def write(self, data):
        return os.write(self.fd, data)

    def publish(self, topic, payload=b"", **more):
        data = record(topic, payload, **more)
        assert self.write(data) == len(data)

    def read(self, size=1 << 20):
        return parse_all(os.read(self.fd, size))

    def poll(self, timeout_ms=0, events=select.POLLIN | select.POLLOUT):
        poller = select.poll()
        poller.register(self.fd, events)
        found = poller.poll(timeout_ms)
        return found[0][1] if found else 0

    def readable(self, timeout_ms=0):
        return bool(self.poll(timeout_ms, select.POLLIN) & select.POLLIN)

    def drain(self):
        """All messages that are there, without waiting for more."""
        out = []
        while self.readable():
            out += self.read()
        return out

    def ring(self, size=1 << 16):
        self.rings.append(Ring(self, size))
        return self.rings[-1]


def refused(number):
    """A context in which exactly this errno is expected."""
    return _Refused(number)


class _Refused:
    def __init__(self, number):
        self.number = number

    def __enter__(self):
        return self

    def __exit__(self, kind, value, _):
        assert kind is not None, f"not refused, {errno.errorcode[self.number]} expected"
        if not issubclass(kind, OSError):
            return False
        assert value.errno == self.number, (
            f"{errno.errorcode.get(value.errno)} instead of {errno.errorcode[self.number]}")
        return True


LIBC = ctypes.CDLL(None, use_errno=True)


def libc(name, *args):
    """A system call by its C name, so that addresses can be anything; raises OSError."""
    call = getattr(LIBC, name)
    call.restype = ctypes.c_ssize_t if name in ("read", "write") else ctypes.c_int
    result = call(*(ctypes.c_void_p(a) if isinstance(a, int) and a > 1 << 30 else a for a in args))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


@contextlib.contextmanager
def alarms():
    """Signals, one after the other, to this thread, which waits in the kernel by libc()."""
    before = signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, 0.3, 0.3)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class Slow:
    """Memory in which whoever touches it first, the kernel too, waits until let_go()."""

    def __init__(self, size=1 << 16):
        self.map = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self.start = ctypes.addressof(ctypes.c_char.from_buffer(self.map))
        self.fd = libc("syscall", 323, os.O_CLOEXEC)  # userfaultfd()
        fcntl.ioctl(self.fd, 0xc018aa3f, struct.pack("=QQQ", 0xaa, 0, 0))  # UFFDIO_API
        self.range = struct.pack("=QQ", self.start, size)
        # UFFDIO_REGISTER, what is missing
        fcntl.ioctl(self.fd, 0xc020aa00, self.range + struct.pack("=QQ", 1, 0))

    def touched(self):
        """Wait until someone waits there."""
        os.read(self.fd, 32)

    def let_go(self):
        fcntl.ioctl(self.fd, 0x8010aa01, self.range)  # UFFDIO_UNREGISTER
        os.close(self.fd)


class Edge:
    """Memory whose second page cannot be touched: edge(n) is n bytes before that."""

    def __init__(self):
        self.map = mmap.mmap(-1, 2 * mmap.PAGESIZE)
        self.start = ctypes.addressof(ctypes.c_char.from_buffer(self.map))
        libc("mprotect", self.start + mmap.PAGESIZE, ctypes.c_size_t(mmap.PAGESIZE), 0)

    def before(self, count):
        return self.start + mmap.PAGESIZE - count

    def put(self, data):
        """These bytes, up to the edge. Returns their address."""
        self.map[mmap.PAGESIZE - len(data):mmap.PAGESIZE] = data
        return self.before(len(data))

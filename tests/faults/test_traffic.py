# SPDX-License-Identifier: GPL-2.0
"""One in twenty allocations fails, of whole pages three in ten, or one in twenty copies, while messages
flow.

What was acknowledged at QoS 1 and 2 comes, in order, at QoS 2 once; a publisher who was refused
says it again, and nobody has had it before. When the faults are over all is as it was.
"""

import ctypes
import random
import select
import socket
import struct
import threading
import time

import pytest

import kmqtt_dev as dev
from kmqtt_broker import Mosquitto, wait_for
from kmqtt_client import Client
from kmqtt_faults import ERRORS, IOCTL, READ, WRITE, Attentive, Chance, marked_workers
from kmqtt_packet import (
    PINGREQ, PINGRESP, PUBACK, PUBCOMP, PUBREC, PUBREL, SECONDS, packet, publish_packet)
from kmqtt_uplink import IN, OUT, UP, Uplink
from test_server_integrity import Peer, Subscriber, check, receive

# In percent. Of the copies of a system call a few, of the pages that a worker asks for even fewer.
ALLOCATIONS = {"failslab": 5, "fail_page_alloc": 30}
EACH = {**ALLOCATIONS, "fail_usercopy": 5}
COUNT = 100
PAYLOAD = b"." * 300
# Seconds without a word.
QUIET = 5
# Of a page and more, so that it has pages of its own.
LARGE = b"," * 20000


def payload(number):
    return struct.pack("=I", number) + (LARGE if number % 5 == 4 else PAYLOAD)


def numbers(messages):
    """Of whole messages."""
    found = [struct.unpack_from("=I", m.payload)[0] for m in messages]
    assert [m.payload for m in messages] == [payload(n) for n in found]
    return found


class Insistent:
    """One thread's system calls, each done until it does not fail."""

    def __init__(self, callers):
        self.caller = callers()
        self.failed = 0

    def close(self):
        self.caller.close()

    def __call__(self, *args):
        while True:
            try:
                return self.caller(*args)
            except OSError as error:
                assert error.errno in ERRORS, error
                self.failed += 1

    def write(self, file, record):
        data = ctypes.create_string_buffer(record, len(record))
        assert self(WRITE, file.fd, ctypes.addressof(data), len(record)) == len(record)

    def read(self, file):
        room = ctypes.create_string_buffer(1 << 16)
        count = self(READ, file.fd, ctypes.addressof(room), len(room))
        return dev.parse_all(room.raw[:count])

    def ack(self, file, number):
        data = ctypes.create_string_buffer(dev.ACKNOWLEDGE.pack(dev.ACKNOWLEDGE.size, 0, number))
        self(IOCTL, file.fd, dev.IOC_ACK, ctypes.addressof(data))


class Threads:
    """Some that work, each with system calls that fail; what goes wrong in one is told."""

    def __init__(self, callers):
        self.callers = callers
        self.errors, self.threads = [], []
        self.failed = 0

    def start(self, function, *args):
        def run():
            calls = Insistent(self.callers)
            try:
                function(calls, *args)
            except BaseException as error:  # pylint: disable=broad-except
                self.errors.append(error)
            self.failed += calls.failed
            calls.close()
        self.threads.append(threading.Thread(target=run))
        self.threads[-1].start()

    def join(self):
        for one in self.threads:
            one.join(300)
            assert not one.is_alive()
        if self.errors:
            raise self.errors[0]


def write(calls, topic, qos):
    with dev.Device() as out:
        for number in range(COUNT):
            calls.write(out, dev.record(topic, payload(number), qos=qos))


def read(calls, reader, seen, total):
    """Until all have come, or the last ones do not."""
    while len(seen) < total and reader.readable(20000):
        for message in calls.read(reader):
            calls.ack(reader, message.id)
            seen.append(message)


@pytest.mark.parametrize("kind", EACH)
def test_local_processes(device, topic, callers, kind):
    """Three writers, two readers that acknowledge by hand, one that has a ring."""
    threads = Threads(callers)
    readers = [device(flags=dev.MANUAL_ACK, messages=100000, inflight=10000) for _ in range(2)]
    for one in readers:
        one.subscribe(f"{topic}/+", qos=2)
    mapped = device(messages=100000)
    ring = mapped.ring(1 << 23)
    mapped.subscribe(f"{topic}/#", qos=1)
    seen = [[] for _ in readers]
    with Chance(kind, EACH[kind]) as chance:
        for number in range(3):
            threads.start(write, f"{topic}/{number}", 1 + number % 2)
        for one, what in zip(readers, seen):
            threads.start(read, one, what, 3 * COUNT)
        threads.join()
        assert chance.happened() >= 5 and threads.failed, "nothing has failed"
        print(f"{kind}: {chance.happened()} faults, {threads.failed} system calls failed")
    mapped.poll()
    for what in (*seen, ring.take()):
        for number in range(3):
            name = f"{topic}/{number}"
            assert numbers([m for m in what if m.topic == name]) == list(range(COUNT)), name
    for one in (*readers, mapped):
        assert one.stats().dropped_messages == 0


class AttentiveClient(Attentive, Client):
    """A client."""


class Attend:
    """A broker whose clients are attentive."""

    def __init__(self, broker):
        self.broker = broker

    def raw(self, version):
        self.broker.clients.append(AttentiveClient(self.broker.socket(), version))
        return self.broker.clients[-1]


class Patient:
    """A peer whose connections may be refused, or end at any time; its session stays.

    If nothing comes for a while it sends a ping, which is answered behind all that was to come.
    """

    waits = None
    asked = None
    heard = 0

    def connect(self, present=True):
        end = time.monotonic() + 10 * SECONDS
        self.heard, self.asked = time.monotonic(), None
        while True:
            try:
                return super().connect(present)
            except (EOFError, ConnectionError):
                self.cuts += 1
                assert time.monotonic() < end, "no connection"
            except AssertionError:
                if self.one.connack and self.one.connack.reason == 0:
                    raise       # the session has gone
                assert time.monotonic() < end, "no connection"

    def packets(self, limit):
        if time.monotonic() > self.heard + QUIET:
            self.heard, self.asked = time.monotonic(), self.waits
            self.try_to_send(packet(PINGREQ))
        for got in super().packets(limit):
            self.heard = time.monotonic()
            asked, self.asked = self.asked, None
            if got.type == PINGRESP:
                assert asked is None or asked != self.waits, "no acknowledgement"
                continue
            yield got


class PatientSubscriber(Patient, Subscriber):
    """Its subscription is made before anything may fail."""


class Publisher(Patient, Peer):
    """One message after the other; what is refused is sent once more."""

    def __init__(self, *args, topic, qos):
        self.topic, self.qos, self.number = topic, qos, 0
        self.released, self.refused = False, 0
        super().__init__(*args)

    def message(self, dup):
        data = publish_packet(f"{self.topic}/{self.number % 3}",
                              f"{self.name} {self.number} ".encode() +
                              (LARGE if self.number % 5 == 4 else PAYLOAD), qos=self.qos,
                              packet_id=self.number % 65535 + 1, version=self.version)
        return bytes([data[0] | dup << 3]) + data[1:]

    def resume(self):
        if self.waits is None:
            return
        self.try_to_send(packet(PUBREL, struct.pack(">H", self.waits)) if self.released
                         else self.message(True))

    def step(self, count):
        if self.waits is None and self.number < count:
            self.waits, self.released = self.number % 65535 + 1, False
            self.try_to_send(self.message(False))
        for got in self.packets(5):
            reason = got.body[2] if len(got.body) > 2 else 0
            assert int.from_bytes(got.body[:2], "big") == self.waits
            if reason >= 0x80 and reason != 0x92:
                assert not self.released
                self.refused += 1
                self.waits = None
            elif got.type == PUBREC:
                self.released = True
                self.try_to_send(packet(PUBREL, got.body[:2]))
            else:
                assert (got.type == PUBACK) == (self.qos == 1)
                self.number += 1
                self.waits = None

    def done(self, count):
        return self.number == count


@pytest.mark.timeout(1200)
@pytest.mark.broker(max_queued_messages=10000)
@pytest.mark.parametrize("kind", ALLOCATIONS)
def test_clients(broker, ident, topic, kind):
    """Each of three publishers to each of three subscribers, whose connections end at times."""
    some, count, attend = random.Random(1), 60, Attend(broker)
    publishers = [Publisher(attend, f"{ident}p{i}", version, some, topic=topic, qos=qos)
                  for i, (version, qos) in enumerate([(4, 1), (5, 2), (5, 1)])]
    subscribers = [PatientSubscriber(attend, f"{ident}s{i}", version, some, topic=topic, qos=qos)
                   for i, (version, qos) in enumerate([(4, 2), (5, 1), (5, 2)])]
    with Chance(kind, EACH[kind]) as chance, marked_workers():
        end, before = 0, []
        while not all(p.done(count) for p in publishers):
            # how long all of it takes says nothing; but something comes of what each does
            now = [p.number for p in publishers]
            end = time.monotonic() + 2 * SECONDS if now != before else end
            before = now
            assert time.monotonic() < end, now
            for one in publishers:
                one.step(count)
            for one in subscribers:
                one.step()
            select.select([one.one.sock for one in publishers + subscribers], [], [], 0.05)
        faults = chance.happened()
    receive(subscribers, {(p.name, n) for p in publishers for n in range(count)}, 0)
    for subscriber in subscribers:
        for publisher in publishers:
            check(subscriber, publisher, count)
    print(f"{kind}: {faults} faults, {sum(p.refused for p in publishers)} messages refused,"
          f" {sum(p.cuts for p in publishers + subscribers)} connections ended")
    assert faults >= 5
    broker.connect().disconnect()


def take(client, count):
    """So many messages of QoS 2, with their handshakes."""
    out = []
    while len(out) < count or got.type != PUBREL:
        got = client.packet()
        if got.type == PUBREL:
            client.ack(PUBCOMP, int.from_bytes(got.body[:2], "big"))
        else:
            out.append(client.parse_publish(got))
            client.ack(PUBREC, out[-1].packet_id)
    return out


@pytest.mark.parametrize("kind", ALLOCATIONS)
def test_uplink(device, topic, tmp_path, callers, kind):
    """To a broker, and from there; the connection is made while things fail."""
    near = device(messages=100000).subscribe(f"{topic}/in", qos=2)
    calls = Insistent(callers)
    with Mosquitto(tmp_path, conf="max_queued_messages 0") as far, \
         device() as out, Uplink(f"u-{kind}", far, up=False, session_expiry=1000, clean_start=0,
                                 max_queued_messages=100000, backoff_min=1, backoff_max=2,
                                 topics=[(f"{topic}/out", OUT, 2), (f"{topic}/in", IN, 2)]) as up:
        listens, speaks = (Client(socket.create_connection((far.host, far.port)), 4).connect()
                           for _ in range(2))
        listens.subscribe(f"{topic}/out", qos=2)
        with Chance(kind, EACH[kind]) as chance, marked_workers():
            up.set(admin_up=1)
            up.wait(UP, filters=1)
            for number in range(COUNT):
                calls.write(out, dev.record(f"{topic}/out", payload(number), qos=2))
                speaks.deliver(f"{topic}/in", payload(number), qos=2)
            assert chance.happened() >= 5
            print(f"{kind}: {chance.happened()} faults")
        heard, came = take(listens, COUNT), []
        wait_for(lambda: came.extend(near.drain()) or len(came) >= COUNT, 60, "the last message")
        assert numbers(heard) == numbers(came) == list(range(COUNT))
        for one in listens, speaks, calls:
            one.close()

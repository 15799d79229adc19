# SPDX-License-Identifier: GPL-2.0
"""Processes of /dev/kmqtt, or of netlink: some are killed at any moment and come back, and what they
are promised holds all the same. Each is a process of its own.
"""

import errno
import os
import time

from kmqtt_dev import ACK_UP_TO, MANUAL_ACK, Device, record
from kmqtt_nl import Netlink, payload

from ledger import TOPICS, Reader, body, parse_body
from remote import FLOW, STEP

RING_SIZE = 8192
RECEIVE_BUFFER = 8192
FOREVER = 100000


class Writer:
    """Writes numbered messages; what write() has taken is acknowledged."""

    is_local = True
    opened = Device

    def __init__(self, name, on, space, qos, rate, mortal):
        """@qos: of each topic; @mortal: it may be killed, so it does not wait for uplinks"""
        self.name = name
        self.on = on
        self.space = space
        self.qos = qos
        self.rate = rate
        self.mortal = mortal
        self.where = f"flow/{on}/{name}"

    def run(self, ledger, stage, chance):
        # what was not acknowledged in an earlier life may have arrived, or not: it is not repeated
        before = [int(words[2]) for words in Reader(self.name).lines()
                  if words[0] == "s"]
        number = max(before, default=0)
        with self.opened() as out:
            while stage.running():
                batch = range(number + 1, number + 1 + chance.randrange(1, 4))
                number = batch[-1]
                topics = [f"{self.where}/{n % TOPICS}" for n in batch]
                messages = [(topic, body(self.name, n, chance.randrange(300)), self.qos[n % TOPICS])
                            for topic, n in zip(topics, batch)]
                for topic, n in zip(topics, batch):
                    ledger.note("s", topic, n)
                ledger.flush()
                self.publish(out, messages)
                for topic, n in zip(topics, batch):
                    ledger.note("a", topic, n)
                ledger.flush()
                time.sleep(len(batch) / self.rate)
            if not self.mortal:
                # its broker has acknowledged all, if an uplink carries it
                os.fsync(out.fd)

    @staticmethod
    def publish(device, messages):
        """All of them at once."""
        data = b"".join(record(topic, text, qos=qos) for topic, text, qos in messages)
        written = device.write(data)
        assert written == len(data), f"{written} of {len(data)} bytes"


class NetlinkWriter(Writer):
    """Publishes over netlink; what the switch has answered is acknowledged."""

    opened = Netlink

    @staticmethod
    def publish(nl, messages):
        """One by one."""
        for topic, text, qos in messages:
            nl.do("publish", topic=topic, payload=text, qos=qos)


class LocalReader:
    """Reads all of the flow, from the begin to the end; nothing is ever lost to it."""

    is_local = True
    mortal = False
    always = True
    qos = 2

    def __init__(self, name, on, space):
        self.name = name
        self.on = on
        self.space = space

    @staticmethod
    def run(ledger, stage, chance):
        with Device(messages=FOREVER) as device:
            device.subscribe(FLOW, qos=2)
            ledger.note("ready")
            ledger.flush()
            while not stage.ended():
                if not device.readable(int(STEP * 1000)):
                    continue
                try:
                    got = device.read(chance.choice([500, 4096, 1 << 16]))
                except OSError as error:
                    if error.errno != errno.EMSGSIZE:
                        raise
                    got = device.read()
                for one in got:
                    ledger.note("g", one.topic, parse_body(one.payload), one.qos, int(one.dup))
                ledger.flush()
            assert device.stats().dropped_messages == 0, "its queue was full"


class NetlinkReader(LocalReader):
    """A socket that does so; what its buffer has no room for waits."""

    @staticmethod
    def run(ledger, stage, chance):
        with Netlink(rcvbuf=RECEIVE_BUFFER) as nl:
            nl.do("subscribe", filter=FLOW, qos=2)
            ledger.note("ready")
            ledger.flush()
            while not stage.ended():
                one = nl.message(STEP)
                if one is None:
                    continue
                assert "dropped" not in one, one
                ledger.note("g", one["topic"], parse_body(payload(one)), one["qos"], one["dup"])
                ledger.flush()
                if stage.running() and chance.random() < 0.02:
                    # its buffer runs full
                    time.sleep(10 * STEP)


class NamedReader:
    """A named session that acknowledges by itself: it is killed, and takes itself over."""

    is_local = True
    mortal = True
    always = False
    qos = 2

    def __init__(self, name, on, space, ring, moves):
        """@ring: it reads a mapped ring; @moves: how many times a second it opens the file anew,
        or maps the ring anew"""
        self.name = name
        self.on = on
        self.space = space
        self.ring = ring
        self.moves = moves
        self.device = None

    def run(self, ledger, stage, chance):
        self.open(ledger, "begin")
        while not stage.ended():
            if self.device.readable(int(STEP * 1000)):
                self.read(ledger, chance)
            if stage.running() and chance.random() < STEP * self.moves:
                self.move(ledger, chance)
        self.close(self.device)

    def open(self, ledger, why):
        """The session, in a new file."""
        ledger.event(f"open: {why}")
        known = any(words[0] == "ready" for words in Reader(self.name).lines())
        self.device = Device(self.name, flags=MANUAL_ACK, expiry=FOREVER, messages=FOREVER)
        assert self.device.present or not known, "the session is lost"
        if self.ring:
            self.device.ring(RING_SIZE)
        self.device.subscribe(FLOW, qos=2)
        if not known:
            ledger.note("ready")
            ledger.flush()

    def read(self, ledger, chance):
        """What is there; it is noted before it is acknowledged."""
        if self.ring:
            got = self.device.rings[0].take(chance.randrange(1, 30))
        else:
            got = self.device.read(1 << chance.randrange(12, 17))
        for one in got:
            ledger.note("g", one.topic, parse_body(one.payload), one.qos, int(one.dup))
        ledger.flush()
        last = max((one.id for one in got if one.ack), default=0)
        if last:
            self.device.ack(last, ACK_UP_TO)

    def move(self, ledger, chance):
        """Another file has the session, or another place the ring."""
        how = chance.randrange(3)
        if how == 0 and self.ring:
            self.device.rings[0].close()
            time.sleep(chance.random() * STEP)
            self.device.rings[0].map(self.device)
            return
        old = self.device
        if how == 1:
            self.close(old)
        self.open(ledger, f"move {how}")
        if how != 1:
            try:
                old.write(record("extra/1/old"))
                raise AssertionError("a file that has lost its session may write")
            except OSError as error:
                assert error.errno == errno.ESHUTDOWN, error
            self.close(old)

    @staticmethod
    def close(device):
        for ring in device.rings:
            ring.close()
        device.close()

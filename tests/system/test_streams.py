# SPDX-License-Identifier: GPL-2.0
"""Streams of real clients and brokers, cut at every position and damaged, to listener and uplink.

streams/ has what was recorded, kmqtt_streams.py what has to come of it: each whole packet is acted
on, one that was cut is not, and whoever is broken off disturbs nobody and leaves nothing behind.
KMQTT_STREAM_ROUNDS is how often each is damaged: more than 20, and each position is cut with pieces
of all sizes, not in turn, and the seed is any; fewer, for slow machines, and positions are left
out. KMQTT_STREAM_SEED repeats what a failure tells.
"""

import contextlib
import errno
import itertools
import os
import random
import socket
import struct
import time

import pytest

import kmqtt_dev
from kmqtt_auth import Porter
from kmqtt_broker import Peer
from kmqtt_judge import BAD, END
from kmqtt_packet import (
    CONNACK, DISCONNECT, PINGREQ, PINGRESP, PUBLISH, PUBREL, SUBACK, SUBSCRIBE, Stream, packet,
    wait_for)
from kmqtt_pairs import tcp_pair
from kmqtt_streams import (
    CLIENT, NAMES, SERVER, FromClient, FromServer, Record, body_of, damage, in_pieces, packets)
from kmqtt_uplink import BOTH, UP, WAIT_FD, Uplink, receive
from kmqtt_watch import Watch

DEFAULT = 20
ROUNDS = int(os.environ.get("KMQTT_STREAM_ROUNDS") or DEFAULT)
# What make check does is the same each time; who asks for more looks further.
ANY = time.time_ns() % 1000000 if ROUNDS > DEFAULT else 1
SEED = int(os.environ.get("KMQTT_STREAM_SEED") or ANY)
NUMBERS = itertools.count(1)
# Bytes at a time; 0: all.
PIECES = 0, 1, 7
OTHERS = {way: [Record(name).said[way] for name in NAMES] for way in (CLIENT, SERVER)}


def cuts(size):
    """Each position, and how many bytes go at a time: in turn, or all with more rounds."""
    step = max(1, DEFAULT // ROUNDS)
    for i, at in enumerate([*range(SEED % step, size, step), size]):
        for pieces in PIECES if ROUNDS > DEFAULT else [PIECES[i % 3]]:
            yield at, pieces


def number_of(got):
    """Of an answer, its packet identifier."""
    named = got.type not in (CONNACK, PINGRESP, DISCONNECT) and got.type < 15
    return int.from_bytes(got.body[:2], "big") if named else 0


def answers(one, count, besides):
    """So many answers, without what comes besides."""
    out = []
    while len(out) < count:
        got = one.packet()
        if got.type not in besides:
            out.append((got.type, number_of(got)))
    return out


def rest(one):
    """All that comes until the end."""
    out = []
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            out.append(one.packet())
    return out


def reset(sock):
    """Closed without good order."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


class Listener:
    """A broker, and who hears all that is published there."""

    def __init__(self, broker, watch):
        self.broker = broker
        self.watch = watch
        self.hears = broker.connect(version=5)
        assert self.hears.subscribe("+/#") == [0]
        self.heard = []
        self.before = self.state()

    def state(self):
        shown = self.watch.switch()
        return shown["sessions"], shown["memory"], self.watch.listener()["connections"]

    def messages(self, root, count):
        """What this round has published up to now, at least so many."""
        asked = answered = 0
        while len(self.heard) < count or not answered:
            if len(self.heard) >= count and not asked:
                self.hears.send(packet(PINGREQ))
                asked = 1
            got = self.hears.packet()
            answered |= got.type == PINGRESP
            if got.type == PUBLISH:
                one = self.hears.parse_publish(got)
                if one.topic.encode().startswith(root + b"/"):
                    self.heard.append((one.topic, one.payload))
        return self.heard

    def send(self, data, record, size, abrupt):
        """One connection that says this. What comes of it is as it must be, where that is sure."""
        want = FromClient(data, record)
        besides = {PUBLISH, PUBREL, *want.open}
        self.heard = []
        with Stream(self.broker.socket(), want.version) as one:
            one.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            expected = [answer for answer in want.answers if answer[0] not in besides]
            assert self.said(one, data, size, want, besides, len(expected)) == expected
            now = self.messages(record.root, len(want.messages))
            assert now[:len(want.messages)] == want.messages
            assert not want.sure or now == want.messages or want.end
            if not want.end and abrupt:
                reset(one.sock)
            elif not want.end:
                one.sock.shutdown(socket.SHUT_WR)
                self.last(want, rest(one), besides)
            else:
                self.last(want, rest(one), besides)
        if want.sure:
            if want.live and want.will:
                want.publish(want.will)
            assert self.messages(record.root, len(want.messages)) == want.messages
        if want.hello:
            self.kill(name=want.hello.client_id.decode())
        return want

    def kill(self, **session):
        """It need not be there any more."""
        try:
            self.watch.nl.do("session-del", **session)
        except OSError as error:
            assert error.errno == errno.ENOENT

    @staticmethod
    def said(one, data, size, want, besides, count):  # pylint: disable=too-many-arguments
        """Sends it; who acknowledges what it gets back waits for that first. The answers."""
        out, done = [], 0
        for at, kind, number in want.waits:
            in_pieces(one.sock, data[done:at], size)
            done = at
            while True:
                got = one.packet()
                if got.type not in besides:
                    out.append((got.type, number_of(got)))
                elif got.type == kind and number == (
                        number_of(got) if kind == PUBREL else one.parse_publish(got).packet_id):
                    break
        in_pieces(one.sock, data[done:], size)
        return out + answers(one, count - len(out), besides)

    @staticmethod
    def last(want, said, besides):
        """What was said before the end."""
        codes = [one.body[0 if one.type == DISCONNECT else 1] for one in said
                 if one.type in (DISCONNECT, CONNACK)]
        told = codes[-1:]
        bad = want.version < 5 or told == [1] and not want.live or told and told[0] >= 0x80
        assert not any(codes[:-1]), codes
        if not want.sure:
            assert not told or bad or told == [0], codes
            return
        if want.end == BAD:
            assert bad or not want.live and not told, f"{codes}: no DISCONNECT"
            said = [one for one in said if one.type not in (DISCONNECT, CONNACK)]
        assert all(one.type in besides for one in said), said

    def nothing_left(self):
        """All is as it was before, once the last ones are gone."""
        self.watch.nl.do("retained-del")
        wait_for(lambda: self.state()[2] == self.before[2], text="the end of all connections")
        mine = [one.client_id for one in (self.hears, self.watch.listens, self.watch.talks)]
        for one in self.watch.nl.dump("session-get"):
            if one["name"] not in mine:
                self.kill(number=one["number"])
        wait_for(lambda: self.state()[0] == self.before[0], text="the end of all sessions")
        # a little of what a connection has had belongs to the others, who have got its messages
        wait_for(lambda: self.state()[1] < self.before[1] + 1000, text="the end of what they had")
        self.watch.undisturbed()


@pytest.fixture
def listener(broker):
    with Watch(broker) as watch, Porter(broker, twice=True):
        yield Listener(broker, watch)


@pytest.mark.parametrize("name", NAMES)
def test_clients_cut(listener, name):
    """Cut at every position: what was whole was done, and of the rest nothing; no packet is bad."""
    size = len(Record(name).said[CLIENT])
    before = listener.watch.counters()["malformed"]
    seen = 0
    for at, pieces in cuts(size):
        record = Record(name, next(NUMBERS))
        try:
            want = listener.send(record.said[CLIENT][:at], record, pieces, at // 3 & 1)
        except (AssertionError, TimeoutError, EOFError, ConnectionError) as error:
            raise AssertionError(
                f"KMQTT_STREAM_SEED={SEED}, cut at {at}, {pieces} bytes at a time") from error
        assert want.sure and want.end in (None, END)
        seen = max(seen, len(want.answers))
    assert seen > 1
    assert listener.watch.counters()["malformed"] == before
    listener.nothing_left()


@pytest.mark.parametrize("name", NAMES)
def test_clients_damaged(listener, name):
    """Damaged: what came before is done, and it ends or goes on as the standards say."""
    rng = random.Random(f"{SEED} {name}")
    sure = 0
    for round_ in range(ROUNDS):
        record = Record(name, next(NUMBERS))
        data = damage(record.said[CLIENT], rng, OTHERS[CLIENT])
        try:
            want = listener.send(data, record, rng.choice(PIECES), rng.randrange(2))
        except (AssertionError, TimeoutError, EOFError, ConnectionError) as error:
            raise AssertionError(f"KMQTT_STREAM_SEED={SEED}, round {round_}: {data.hex()}") from error
        sure += want.sure
    assert sure or ROUNDS < DEFAULT
    listener.nothing_left()


class Upstream:
    """An uplink whose broker is what was recorded."""

    def __init__(self, up, dev):
        self.up = up
        self.dev = dev
        # Of this round: bytes that were sent, the packet identifier of our SUBSCRIBE.
        self.done, self.subscribed = 0, None

    def state(self, wanted):
        """Waits for it, in less time than wait_for() does."""
        end = time.monotonic() + 20
        while self.up.show()["state"] != wanted:
            assert time.monotonic() < end, self.up.show()
            time.sleep(0.0005)

    def connect(self, unix):
        """The other end of a connection that the uplink got; its CONNECT has come."""
        ours, theirs = socket.socketpair() if unix else tcp_pair()
        self.up.set(fd=ours.fileno())
        ours.close()
        if not unix:
            theirs.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer = Peer(theirs)
        peer.connect()
        return peer

    def messages(self, root, count, out):
        """What came from this round, at least so many."""
        while True:
            out += [(one.topic, one.payload) for one in self.dev.drain()
                    if one.topic.startswith(root.decode() + "/") and one.payload != b"mine"]
            if len(out) >= count:
                return out
            assert self.dev.readable(20000), f"{out} are too few"

    def send(self, data, record, size, peer, busy=False):  # pylint: disable=too-many-arguments
        """All that the broker says, behind what it has said already; then its end."""
        want = FromServer(data, record, self.subscribed, busy)
        in_pieces(peer.sock, data[self.done:], size)
        besides = {SUBSCRIBE, PUBLISH, PINGREQ, DISCONNECT}
        assert answers(peer, len(want.answers), besides) == want.answers
        out = self.messages(record.root, len(want.messages), [])
        if want.end:
            assert all(one.type in besides for one in rest(peer)), "not its end"
        peer.close()
        self.state(WAIT_FD)
        out = self.messages(record.root, len(want.messages), out)
        assert (out if want.sure else out[:len(want.messages)]) == want.messages
        return want

    def begin(self, record, peer, size, most):
        """CONNACK, if this position is behind it; SUBACK is made the one of our SUBSCRIBE."""
        whole = packets(record.said[SERVER])[0]
        self.done, self.subscribed = 0, None
        if whole[0][0] >> 4 != CONNACK or len(whole[0]) > most:
            return
        in_pieces(peer.sock, whole[0], size)
        got = peer.packet()
        while got.type != SUBSCRIBE:
            # what was on its way when the last connection ended
            assert got.type == PUBLISH, got
            got = peer.packet()
        number = got.body[:2]
        self.done, self.subscribed = len(whole[0]), int.from_bytes(number, "big")
        for i, one in enumerate(whole):
            if one[0] >> 4 == SUBACK:
                body = len(one) - len(body_of(one))
                whole[i] = one[:body] + number + one[body + 2:]
        record.said[SERVER] = b"".join(whole)


@contextlib.contextmanager
def upstream(device, name, topic):
    """An uplink with as many filters as the client of this record had."""
    record = Record(name)
    filters = ["+/#", "$other/#"][:record.filters()]
    dev = device("streams", messages=100000).subscribe("+/#", qos=2)
    with Uplink("streams", version=record.version, client_id="streams", clean_start=1,
                topics=[(one, BOTH, 2) for one in filters]) as up:
        yield Upstream(up, dev)
        # and it works as on the first day
        dev.drain()
        ours, theirs = socket.socketpair()
        up.set(fd=ours.fileno())
        ours.close()
        peer = Peer(theirs)
        peer.handshake()
        up.wait(UP)
        peer.publish(f"{topic}/sound", b"and safe")
        assert receive(dev, 1)[0].payload == b"and safe"
        peer.close()
    with kmqtt_dev.Device("streams", flags=kmqtt_dev.CLEAN):
        pass


@pytest.mark.parametrize("name", NAMES)
def test_brokers_cut(device, topic, nl, name):
    """Cut at every position: what was whole was done, and of the rest nothing."""
    before = nl.do("stats-get")["malformed"]
    size = len(Record(name).said[SERVER])
    bad = 0
    with upstream(device, name, topic) as one:
        for at, pieces in cuts(size):
            record = Record(name, next(NUMBERS))
            try:
                peer = one.connect(at & 1)
                one.begin(record, peer, pieces, at)
                want = one.send(record.said[SERVER][:at], record, pieces, peer)
            except (AssertionError, TimeoutError, EOFError, ConnectionError) as error:
                raise AssertionError(
                    f"KMQTT_STREAM_SEED={SEED}, cut at {at}, {pieces} bytes at a time") from error
            assert want.sure
            bad += want.end == BAD
    assert nl.do("stats-get")["malformed"] == before + bad


@pytest.mark.parametrize("name", NAMES)
def test_brokers_damaged(device, topic, name):
    """Damaged, while something is on its way to it: the connection ends in good order."""
    rng = random.Random(f"{SEED} {name}")
    with upstream(device, name, topic) as one:
        for round_ in range(ROUNDS):
            record, pieces = Record(name, next(NUMBERS)), rng.choice(PIECES)
            peer = one.connect(rng.randrange(2))
            one.begin(record, peer, pieces, 5000 if rng.randrange(4) else 0)
            data = record.said[SERVER]
            data = data[:one.done] + damage(data[one.done:], rng, OTHERS[SERVER])
            one.dev.publish(f"{record.root.decode()}/mine", b"mine", qos=round_ % 3)
            try:
                one.send(data, record, pieces, peer, busy=True)
            except (AssertionError, TimeoutError, EOFError, ConnectionError) as error:
                raise AssertionError(
                    f"KMQTT_STREAM_SEED={SEED}, round {round_}: {data.hex()}") from error

# SPDX-License-Identifier: GPL-2.0
"""Streams of clients and brokers, cut at every position and damaged, to listener and uplink.

streams/ has what was recorded of real ones, and two that were made; kmqtt_streams.py has what must
come of it: each whole packet is acted on, one that was cut is not, and whoever is broken off
disturbs nobody and leaves nothing behind. KMQTT_STREAM_ROUNDS is how often each is damaged: more
than 20, and each position is cut with pieces of all sizes, not in turn, and the seed is any; fewer,
for slow machines, and positions are left out. KMQTT_STREAM_SEED repeats what a failure tells.
"""

import collections
import contextlib
import errno
import os
import random
import socket
import struct
import time

import pytest

import kmqtt_dev
from kmqtt_auth import Porter
from kmqtt_broker import Peer
from kmqtt_judge import BAD
from kmqtt_packet import (
    AUTH, CONNACK, DISCONNECT, PINGREQ, PINGRESP, PUBACK, PUBLISH, PUBREC, PUBREL, SECONDS, SUBACK,
    SUBSCRIBE, UNSUBACK, Reader, Stream, packet, wait_for)
from kmqtt_pairs import tcp_pair
from kmqtt_streams import (
    CLIENT, NAMES, SERVER, FromClient, FromServer, Record, body_of, damage, in_pieces, packets)
from kmqtt_uplink import BOTH, WAIT_FD, Uplink, works
from kmqtt_watch import Watch

DEFAULT = 20
ROUNDS = int(os.environ.get("KMQTT_STREAM_ROUNDS") or DEFAULT)
# What make check does is the same each time; who asks for more looks further.
ANY = time.time_ns() % 1000000 if ROUNDS > DEFAULT else 1
SEED = int(os.environ.get("KMQTT_STREAM_SEED") or ANY)
# What an uplink says of its own.
OWN = SUBSCRIBE, PUBLISH, PINGREQ
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


def codes_of(got, version):
    """Of an answer or a DISCONNECT, the reason codes, or what 3.1.1 has in their place."""
    if got.type == CONNACK:
        return [got.body[1]]
    if got.type == DISCONNECT:
        return [got.body[0] if got.body else 0]
    if got.type in (PUBACK, PUBREC):
        return list(got.body[2:3])
    if got.type in (SUBACK, UNSUBACK):
        r = Reader(got.body[2:])
        if version == 5:
            r.props()
        return list(r.data)
    return []


class Answers:
    """What the other side of @one says, without what comes @besides."""

    def __init__(self, one, besides):
        self.one = one
        self.besides = besides
        self.got = []
        # How many there were of each type, and, by packet identifier, what was granted.
        self.seen = collections.Counter()
        self.granted = {}

    def packet(self):
        """The next packet; nobody is refused who has done nothing wrong."""
        got = self.one.packet()
        codes = codes_of(got, self.one.version)
        assert all(code < (0x80 if got.type != CONNACK else 1) for code in codes), got
        self.seen[got.type] += 1
        if got.type == SUBACK:
            self.granted[number_of(got)] = codes
        if got.type not in self.besides:
            self.got.append((got.type, number_of(got)))
        return got

    def until(self, count):
        """All answers, if there must be so many."""
        while len(self.got) < count:
            self.packet()
        return self.got


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


def shut(sock):
    """Nothing more will be said."""
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_WR)


def soon(condition, text):
    """Waits for it, in less time than wait_for() does."""
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, f"{text} did not happen"
        time.sleep(0.0005)


@contextlib.contextmanager
def told(text, data):
    """Whatever goes wrong, it is said how to see it again."""
    try:
        yield
    except Exception as error:
        raise AssertionError(f"KMQTT_STREAM_ROUNDS={ROUNDS} KMQTT_STREAM_SEED={SEED}, {text}:"
                             f" {data.hex()}") from error


class Listener:
    """A broker, and who hears all that is published there."""

    def __init__(self, broker, watch):
        self.broker = broker
        self.watch = watch
        self.hears = broker.connect(version=5)
        assert self.hears.subscribe("+/#") == [0]
        self.heard = []
        # The memory in use when nothing of others is left.
        self.before = None

    def begin(self, name):
        """One session as it was recorded; this is how it is when it has gone."""
        # those of the test before
        wait_for(lambda: self.state()[::2] == (3, 3), text="the end of all others")
        record = Record(name)
        self.send(record.said[CLIENT], record, 0, False)
        self.nothing_left()

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
            self.talk(Answers(one, besides), data, size, want)
            now = self.messages(record.root, len(want.messages))
            assert now[:len(want.messages)] == want.messages
            assert not want.sure or now == want.messages or want.end
            if not want.end and abrupt:
                reset(one.sock)
            else:
                if not want.end:
                    shut(one.sock)
                self.last(want, rest(one), besides)
        soon(lambda: self.watch.listener()["connections"] == 3, "the end of the connection")
        if want.hello and want.hello.client_id:
            self.leave(want, want.hello.client_id.decode())
        if want.sure:
            if want.live and want.will:
                want.publish(want.will)
            assert self.messages(record.root, len(want.messages)) == want.messages
        return want

    def session(self, name):
        """Is it there?"""
        try:
            return self.watch.nl.do("session-get", name=name)
        except OSError as error:
            assert error.errno == errno.ENOENT
            return None

    def kill(self, **session):
        """It need not be there any more."""
        try:
            self.watch.nl.do("session-del", **session)
        except OSError as error:
            assert error.errno == errno.ENOENT

    def leave(self, want, name):
        """The session ends with the connection, unless it is kept."""
        if want.sure and want.live and want.is_kept():
            assert self.session(name), "its session was not kept"
        if not want.sure or want.is_kept():
            self.kill(name=name)
        soon(lambda: not self.session(name), "the end of the session")

    @staticmethod
    def talk(answers, data, size, want):
        """Sends it; who acknowledges what it gets back waits for that first. All is answered."""
        done = 0
        expected = [one for one in want.answers if one[0] not in answers.besides]
        for at, kind, number in want.waits:
            in_pieces(answers.one.sock, data[done:at], size)
            done = at
            while True:
                got = answers.packet()
                if got.type == kind and number == (
                        number_of(got) if kind == PUBREL
                        else answers.one.parse_publish(got).packet_id):
                    break
        in_pieces(answers.one.sock, data[done:], size)
        assert answers.until(len(expected)) == expected
        for number, granted in want.granted.items():
            assert answers.granted[number] == granted
        # who begins again is asked again, and this is not in line with the other answers
        while want.open and not want.end and answers.seen[AUTH] < 2:
            answers.packet()
        assert answers.got == expected

    @staticmethod
    def last(want, said, besides):
        """What was said before the end, by the one who closes it, and why."""
        codes = [codes_of(one, want.version)[0] for one in said
                 if one.type in (CONNACK, DISCONNECT)]
        assert not any(codes[:-1]), codes
        assert want.version == 5 or DISCONNECT not in [one.type for one in said]
        if not want.sure:
            return
        assert all(one.type in {CONNACK, DISCONNECT, *besides} for one in said), said
        kinds = [one.type for one in said if one.type in (CONNACK, DISCONNECT)]
        if want.end == BAD and want.live:
            assert kinds == ([DISCONNECT] if want.version == 5 else [])
        elif want.end == BAD:
            # nobody need be told why it is not let in
            assert kinds in ([], [CONNACK])
        else:
            assert not kinds
        assert all(0x80 <= code if want.live or want.hello else code for code in codes), codes

    def nothing_left(self):
        """All is as it was before, once the last ones are gone."""
        self.watch.nl.do("retained-del")
        mine = [one.client_id for one in (self.hears, self.watch.listens, self.watch.talks)]
        for one in self.watch.nl.dump("session-get"):
            if one["name"] not in mine:
                self.kill(number=one["number"])
        wait_for(lambda: self.state()[::2] == (3, 3), text="the end of all sessions")
        now = self.state()[1]
        if self.before:
            # the last message of those who stay may be a little longer, by less than a session
            wait_for(lambda: self.state()[1] < self.before + 200, text=f"{now} after {self.before}")
        self.before = now
        self.watch.undisturbed()


@pytest.fixture
def listener(broker):
    with Watch(broker) as watch, Porter(broker, twice=True):
        yield Listener(broker, watch)


@pytest.mark.parametrize("name", NAMES)
def test_clients_cut(listener, name):
    """Cut at every position: what was whole was done, and of the rest nothing; no packet is bad."""
    listener.begin(name)
    before = listener.watch.counters()["malformed"]
    want = None
    for i, (at, pieces) in enumerate(cuts(len(Record(name).said[CLIENT]))):
        record = Record(name, i + 1)
        data = record.said[CLIENT][:at]
        with told(f"cut at {at}, {pieces} bytes at a time", data):
            want = listener.send(data, record, pieces, i // 3 & 1)
            assert want.sure and want.end != BAD
    # of all that was recorded
    assert len(want.answers) > 1
    listener.nothing_left()
    assert listener.watch.counters()["malformed"] == before


@pytest.mark.parametrize("name", NAMES)
def test_clients_damaged(listener, name):
    """Damaged: what came before is done, and it ends or goes on as the standards say."""
    rng = random.Random(f"{SEED} {name}")
    listener.begin(name)
    sure = 0
    for round_ in range(ROUNDS):
        record = Record(name, round_ + 1)
        data = damage(record.said[CLIENT], rng, OTHERS[CLIENT])
        with told(f"round {round_}", data):
            want = listener.send(data, record, rng.choice(PIECES), rng.randrange(2))
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
        answers = Answers(peer, OWN)
        assert answers.until(len(want.answers)) == want.answers
        out = self.messages(record.root, len(want.messages), [])
        if not want.end:
            shut(peer.sock)
        self.last(want, rest(peer))
        peer.close()
        soon(lambda: self.up.show()["state"] == WAIT_FD, "the end of the connection")
        out = self.messages(record.root, len(want.messages), out)
        assert (out if want.sure else out[:len(want.messages)]) == want.messages
        return want

    @staticmethod
    def last(want, said):
        """What it said before the end, and why, if it is the one who closes."""
        if not want.sure:
            return
        assert all(one.type in {DISCONNECT, *OWN} for one in said), said
        codes = [code for one in said if one.type == DISCONNECT
                 for code in codes_of(one, want.version)]
        if want.end == BAD and want.version == 5:
            assert len(codes) == 1 and codes[0] >= 0x80, codes
        elif want.end:
            # before 5.0 it would say that all is well
            assert not codes
        else:
            assert codes in ([], [0])

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
def upstream(device, nl, name, topic):
    """An uplink with as many filters as the client of this record had."""
    record = Record(name)
    filters = ["+/#", "$other/#"][:record.filters()]
    dev = device("streams", messages=100000).subscribe("+/#", qos=2)
    with Uplink("streams", version=record.version, client_id="streams", clean_start=1,
                topics=[(one, BOTH, 2) for one in filters]) as up:
        yield Upstream(up, dev)
        works(up, dev, topic)
    with kmqtt_dev.Device("streams", flags=kmqtt_dev.CLEAN):
        pass
    # with RETAIN where there was none
    nl.do("retained-del")


@pytest.mark.parametrize("name", NAMES)
def test_brokers_cut(device, topic, nl, name):
    """Cut at every position: what was whole was done, and of the rest nothing."""
    before = nl.do("stats-get")["malformed"]
    bad = 0
    with upstream(device, nl, name, topic) as one:
        for i, (at, pieces) in enumerate(cuts(len(Record(name).said[SERVER]))):
            record = Record(name, i + 1)
            with told(f"cut at {at}, {pieces} bytes at a time", record.said[SERVER][:at]):
                peer = one.connect(i & 1)
                one.begin(record, peer, pieces, at)
                want = one.send(record.said[SERVER][:at], record, pieces, peer)
                assert want.sure
            bad += want.end == BAD
    assert nl.do("stats-get")["malformed"] == before + bad


@pytest.mark.parametrize("name", NAMES)
def test_brokers_damaged(device, topic, nl, name):
    """Damaged, while something is on its way to it: what came before is done, and it ends."""
    rng = random.Random(f"{SEED} {name}")
    with upstream(device, nl, name, topic) as one:
        for round_ in range(ROUNDS):
            record, pieces, data = Record(name, round_ + 1), rng.choice(PIECES), bytearray()
            with told(f"round {round_}", data):
                peer = one.connect(rng.randrange(2))
                one.begin(record, peer, pieces, 5000 if rng.randrange(4) else 0)
                said = record.said[SERVER]
                data += said[:one.done] + damage(said[one.done:], rng, OTHERS[SERVER])
                one.dev.publish(f"{record.root.decode()}/mine", b"mine", qos=round_ % 3)
                one.send(bytes(data), record, pieces, peer, busy=True)

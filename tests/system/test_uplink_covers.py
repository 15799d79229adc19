# SPDX-License-Identifier: GPL-2.0
"""What an uplink asks its server for, of all that is wanted here, against a slow and obvious twin."""

import contextlib
import itertools
import os
import random
import select
import socket

import pytest

import kmqtt_dev
from kmqtt_broker import SUBACK, SUBSCRIBE, UNSUBACK, UNSUBSCRIBE, Peer, packet, wait_for
from kmqtt_uplink import DEMAND, IN, UP, WAIT_FD, Uplink

STEPS = int(os.environ.get("KMQTT_FUZZ_ROUNDS", "60"))
POOL = ["#", "+", "a", "b", "a/#", "b/#", "a/+", "+/a", "+/+", "+/b/#", "a/a", "a/b", "b/b",
        "a/+/a", "a/b/#", "a/b/a"]
# with a name that no filter has
TOPICS = [list(levels) for n in range(5) for levels in itertools.product("abc", repeat=n)]


def matches(filter_, topic):
    for i, level in enumerate(filter_):
        if level == "#":
            return True
        if i == len(topic) or level not in ("+", topic[i]):
            return False
    return len(filter_) == len(topic)


COVERS = {(a, b): a != b and all(matches(a.split("/"), one) for one in TOPICS
                                 if matches(b.split("/"), one))
          for a in POOL for b in POOL}


def expected(wanted, refused):
    """What is to be subscribed, and with which QoS, of (filter, QoS) that somebody wants."""
    best = {}
    for name, qos in wanted:
        if name not in refused:
            best[name] = max(qos, best.get(name, 0))
    return {name: qos for name, qos in best.items()
            if not any(COVERS[other, name] and best[other] >= qos for other in best)}


class Server:
    """It keeps its session, refuses other filters each time, and answers when it is asked to."""

    def __init__(self, up, topic, rng):
        self.up, self.prefix, self.rng = up, f"{topic}/", rng
        self.known, self.refused, self.subscribed = {}, set(), {}
        self.peer = None

    def __str__(self):
        return f"{self.known} to be {self.subscribed}, not {self.refused}: it"

    def connect(self, present):
        ours, theirs = socket.socketpair()
        self.up.set(fd=ours.fileno())
        ours.close()
        self.peer = Peer(theirs)
        self.peer.handshake(present=present)
        if not present:
            self.known = {}
        self.refused = set(self.rng.sample(POOL, 3))

    def close(self):
        """With all that has come, answered or not."""
        if self.peer and self.rng.randrange(2):
            while self.has_packet():
                self.take()
        if self.peer:
            self.peer.close()
        self.peer = None
        self.up.wait(WAIT_FD)

    def has_packet(self, seconds=0):
        if select.select([self.peer.sock], [], [], seconds)[0]:
            self.peer.fill(len(self.peer.data) + 1)
        return self.peer.whole()

    def take(self):
        """One SUBSCRIBE or UNSUBSCRIBE. Return: the answer."""
        kind = SUBSCRIBE if self.peer.data[0] >> 4 == SUBSCRIBE else UNSUBSCRIBE
        packet_id, filters = self.peer.subscription(kind)
        codes = []
        for name, options in filters.items():
            name = name.removeprefix(self.prefix)
            codes.append(0)
            if kind == UNSUBSCRIBE:
                self.known.pop(name, None)
            elif name in self.refused:
                codes[-1] = 0x87
            else:
                self.known[name] = codes[-1] = options & 3
        return packet(SUBACK if kind == SUBSCRIBE else UNSUBACK, packet_id + b"\0" + bytes(codes))

    def serve(self, most=1000):
        while most and self.has_packet():
            most -= 1
            self.peer.send(self.take())

    def settle(self):
        """The exchange comes to its end, after what was on its way."""
        for _ in range(100):
            if not self.has_packet(0.5):
                return
            self.peer.send(self.take())
        raise AssertionError(f"no end: {self}")

    def knows(self, wanted):
        """Is it subscribed to what it should be, and to nothing else, and the uplink sure of it?"""
        self.serve()
        self.subscribed = expected(wanted, self.refused)
        # a subscription that it had and was asked for again, in vain, may stay while it is wanted
        more = self.refused & {name for name, _ in wanted}
        return (self.subscribed == {k: v for k, v in self.known.items() if k not in more} and
                self.up.show()["filters"] == len(self.subscribed))


class Wants:
    """Topics of the uplink, each below a prefix of its own, and a process with subscriptions."""

    def __init__(self, up, topic, rng):
        self.up, self.topic, self.rng = up, topic, rng
        self.static, self.demand, self.dev = {}, set(), None

    def all(self):
        return [*self.static.values(), *((name, 1) for name in self.demand)]

    def change_static(self):
        number = self.rng.randrange(6)
        if number in self.static:
            self.up.nl.do("uplink-topic-del", uplink=self.up.name, local_prefix=f"{number}/",
                          filter=f"{self.topic}/{self.static.pop(number)[0]}")
        else:
            name, qos = self.rng.choice(POOL), self.rng.randrange(3)
            self.up.topic(f"{self.topic}/{name}", IN, qos, f"{number}/")
            self.static[number] = name, qos

    def change_demand(self):
        self.dev = self.dev or kmqtt_dev.Device()
        name = self.rng.choice(POOL)
        change = self.dev.unsubscribe if name in self.demand else self.dev.subscribe
        change(f"{self.topic}/{name}")
        self.demand ^= {name}

    def change(self):
        what = self.rng.randrange(20)
        if what < 6:
            self.change_static()
        elif what < 19:
            self.change_demand()
        elif self.dev:
            self.close()

    def demand_again(self):
        """The topic goes with all that it brought at once, and comes back."""
        self.up.untopic(f"{self.topic}/#", DEMAND)
        self.up.topic(f"{self.topic}/#", DEMAND, 1)

    def close(self):
        if self.dev:
            self.dev.close()
        self.demand, self.dev = set(), None


@pytest.fixture
def covers(topic):
    with Uplink("covers", client_id="covers", keepalive=0, connect_timeout=100,
                topics=[(f"{topic}/#", DEMAND, 1)]) as up:
        yield up


@pytest.mark.parametrize("seed", range(2))
def test_server_is_asked_for_what_no_other_covers(covers, topic, seed):
    """Whatever comes and goes meanwhile, is refused, or is lost with a connection."""
    rng = random.Random(seed)
    server = Server(covers, topic, rng)
    with contextlib.closing(Wants(covers, topic, rng)) as wants:
        server.connect(False)
        for _ in range(STEPS):
            for _ in range(rng.randrange(1, 8)):
                wants.change()
                server.serve(rng.randrange(2))
            if not rng.randrange(8):
                wants.demand_again()
            if not rng.randrange(3):
                server.close()
                for _ in range(rng.randrange(3)):
                    wants.change()
                server.connect(bool(rng.randrange(4)))
            wait_for(lambda: server.knows(wants.all()), text=server)
        server.settle()
        assert server.knows(wants.all()), server
    server.close()


def test_covered_one_whose_unsubscribe_is_lost(covers, device, topic):
    """It is still subscribed in the session that the server has kept."""
    server = Server(covers, topic, random.Random(0))
    server.connect(False)
    dev = device().subscribe(f"{topic}/a")
    assert set(server.peer.subscribed()) == {f"{topic}/a"}
    dev.subscribe(f"{topic}/+")
    assert set(server.peer.subscribed()) == {f"{topic}/+"}
    server.peer.subscription(UNSUBSCRIBE)
    for _ in range(2):
        server.close()
        server.connect(True)
    assert set(server.peer.subscribed()) == {f"{topic}/+"}
    assert server.peer.unsubscribed() == [f"{topic}/a"]
    dev.unsubscribe(f"{topic}/a")
    dev.unsubscribe(f"{topic}/+")
    assert server.peer.unsubscribed() == [f"{topic}/+"]
    covers.wait(UP, filters=0)


def test_one_whose_suback_is_lost(covers, topic):
    """It is subscribed, though nobody was told so, and nobody wants it any more."""
    server = Server(covers, topic, random.Random(0))
    server.connect(False)
    with contextlib.closing(kmqtt_dev.Device()) as dev:
        dev.subscribe(f"{topic}/a")
        server.peer.subscription(SUBSCRIBE)
        server.close()
    server.connect(True)
    assert server.peer.unsubscribed() == [f"{topic}/a"]
    server.peer.nothing()


def test_refused_one_that_was_had(covers, device, topic):
    """What a SUBSCRIBE before made may be there: it is asked to end when nobody wants it."""
    server = Server(covers, topic, random.Random(0))
    server.connect(False)
    dev = device().subscribe(f"{topic}/a")
    assert set(server.peer.subscribed()) == {f"{topic}/a"}
    server.close()
    server.connect(True)
    assert set(server.peer.subscribed([0x97])) == {f"{topic}/a"}
    covers.event("uplink-suback")
    server.peer.nothing()
    dev.unsubscribe(f"{topic}/a")
    assert server.peer.unsubscribed() == [f"{topic}/a"]
    server.peer.nothing()

# SPDX-License-Identifier: GPL-2.0
"""What is done to a switch, and to the network that it is on, while messages flow.

Each disturber is a process of its own that does one thing after the other, at random moments, and
notes what it does. What it has broken it mends again, after a while; space.heal() does the rest.
"""

import ctypes
import errno
import heapq
import itertools
import os
import signal
import subprocess
import time

from kmqtt_dev import LIBC
from kmqtt_uplink import BOTH, DEMAND, IN, OUT

import space
from shoot import ALL, LISTEN, Shooter
from space import ENDS, FAR, GOOD, HANDED, HUB, HUB_ADDRESS, PORT, PORTS, UP, UP_ADDRESS, UPLINKS

MOB = os.path.join(os.environ["KMQTT_TOP"], "build", "races", "mob")
SYS_DELETE_MODULE = 176
CONNECTED = ALL & ~LISTEN


def rmmod():
    """The module out, without waiting. 0, or the errno."""
    # O_NONBLOCK, as rmmod does
    result = LIBC.syscall(SYS_DELETE_MODULE, ctypes.c_char_p(b"kmqtt"), os.O_NONBLOCK)
    return ctypes.get_errno() if result < 0 else 0


def mob(where, *words):
    """A process of the mob, in a network namespace, which may go as soon as this has returned."""
    with space.inside(where):
        # pylint: disable-next=consider-using-with
        return subprocess.Popen([MOB, *map(str, words)], stdin=subprocess.DEVNULL)


def end(process):
    """kill -9. The mob must not have ended by itself, which says what it was refused."""
    assert process.poll() is None, f"{process.args} ended: {process.returncode}"
    process.send_signal(signal.SIGKILL)
    process.wait()


class Disturber:
    """Does what its methods do_... do, one at a time."""

    mortal = False
    space = None
    pause = 0.5     # between two of them, at most

    def __init__(self, name):
        self.name = name
        self.log = self.chance = self.stage = None
        self.later = []
        self.order = itertools.count()
        self.deeds = [getattr(self, deed) for deed in dir(self) if deed.startswith("do_")]

    def run(self, ledger, stage, chance):
        """While messages flow."""
        self.log, self.stage, self.chance = ledger, stage, chance
        while stage.running():
            self.mend(time.monotonic())
            deed = chance.choice(self.deeds)
            self.log.event(f"{deed.__name__[3:]}: {deed()}")
            time.sleep(chance.random() * self.pause)
        self.mend(float("inf"))

    def mend(self, when):
        """What is due by then."""
        while self.later and self.later[0][0] <= when:
            _, _, text, function = heapq.heappop(self.later)
            function()
            self.log.event(text)

    def after(self, seconds, text, function):
        """Something that mends what was done, within so many seconds."""
        heapq.heappush(self.later, (time.monotonic() + self.chance.random() * seconds,
                                    next(self.order), text, function))


class Network(Disturber):
    """Links that lose, repeat, delay and reorder packets, or are down; sockets that are shot."""

    def __init__(self, name):
        super().__init__(name)
        self.tools = {}
        self.shooters = {}

    def run(self, ledger, stage, chance):
        # a process for each namespace that reads commands: it takes long to start one
        self.tools = {(tool, where): subprocess.Popen(
            [tool, "-n", where, "-force", "-batch", "-"], stdin=subprocess.PIPE, text=True)
            for tool in ("tc", "ip") for where in (FAR, HUB, UP)}
        self.shooters = {where: Shooter(where) for where in (FAR, HUB, UP)}
        super().run(ledger, stage, chance)
        for tool in self.tools.values():
            tool.stdin.close()
            assert tool.wait() == 0, tool.args

    def tell(self, tool, where, *words):
        self.tools[tool, where].stdin.write(" ".join(map(str, words)) + "\n")
        self.tools[tool, where].stdin.flush()

    def do_netem(self):
        where, name = self.chance.choice(ENDS)
        words = []
        for word, most in ("loss", 15), ("duplicate", 10), ("reorder", 30), ("corrupt", 2):
            if self.chance.random() < 0.5:
                words += [word, f"{self.chance.randrange(1, most)}%"]
        # without a delay nothing can be reordered
        delay = self.chance.randrange(1, 60)
        words += ["delay", f"{delay}ms", f"{self.chance.randrange(delay)}ms"]
        self.tell("tc", where, "qdisc replace dev", name, "root netem", *words)
        self.after(5, f"netem: {where} {name} is good", lambda: self.tell(
            "tc", where, "qdisc replace dev", name, "root", *GOOD))
        return f"{where} {name} {' '.join(words)}"

    do_netem_again = do_netem

    def do_link(self):
        where, name = self.chance.choice(ENDS)
        self.tell("ip", where, "link set", name, "down")
        self.after(2, f"link: {where} {name} is up", lambda: self.tell(
            "ip", where, "link set", name, "up"))
        return f"{where} {name} is down"

    def do_shoot(self):
        where = self.chance.choice([FAR, HUB, UP])
        share = self.chance.choice([0.1, 0.5, 1])
        count = self.shooters[where].shoot(
            lambda own, peer: not {own, peer}.isdisjoint(PORTS) and self.chance.random() < share,
            CONNECTED)
        return f"{where}: {count} sockets"

    do_shoot_again = do_shoot


class Switch(Disturber):
    """Listeners and uplinks that come, go and change, sessions that are killed."""

    pause = 0.3
    extra_ports = range(1890, 1893)

    def __init__(self, name):
        super().__init__(name)
        self.hub = self.shooter = None

    def run(self, ledger, stage, chance):
        self.shooter = Shooter(HUB)
        with space.Switch(HUB) as self.hub:
            super().run(ledger, stage, chance)

    def do_listener_of_all(self):
        self.after(1, "listener_of_all: it is there again", self.hub.listen)
        return f"del: {self.hub.ask('listener-del', name='all')}"

    def do_listener_of_handed(self):
        self.after(1, "listener_of_handed: it is there again", self.hub.handed)
        return f"del: {self.hub.ask('listener-del', name=HANDED)}"

    def do_listener(self):
        port = self.chance.choice(self.extra_ports)
        if self.chance.random() < 0.5:
            return f"add {port}: {self.hub.listen(f'more{port}', port)}"
        return f"del {port}: {self.hub.ask('listener-del', name=f'more{port}')}"

    def do_listener_without_socket(self):
        """A listener whose socket is shot listens no more, and can be deleted."""
        assert self.hub.listen("shot", 1899) == 0
        count = self.shooter.shoot(lambda own, _: own == 1899, LISTEN)
        self.hub.must("listener-del", name="shot")
        assert count == 1, count
        return f"{count} sockets"

    def do_uplink(self):
        name = self.chance.choice(UPLINKS)
        self.hub.must("uplink-set", name=name, admin_up=0)
        self.after(1, f"uplink: {name} up", lambda: self.hub.must("uplink-set", name=name,
                                                                  admin_up=1))
        return f"{name} down"

    def do_another_uplink(self):
        name = f"more{self.chance.randrange(3)}"
        if self.chance.random() < 0.5:
            return f"{name} del: {self.hub.ask('uplink-del', name=name)}"
        done = self.hub.uplink(name, UP_ADDRESS, version=self.chance.choice([3, 4, 5]),
                               clean_start=self.chance.randrange(2))
        for way in OUT, IN, DEMAND:
            self.hub.topic(name, f"noise/{self.chance.randrange(4)}/#" if way == OUT else
                           f"extra/{self.chance.randrange(8)}/#", way)
        return f"{name} add: {done}"

    do_yet_another_uplink = do_another_uplink

    def do_topic(self):
        name, pattern = self.chance.choice(UPLINKS), f"extra/{self.chance.randrange(8)}/#"
        if self.chance.random() < 0.5:
            return f"{name} add {pattern}: " + str(
                self.hub.topic(name, pattern, self.chance.choice([IN, DEMAND])))
        return f"{name} del {pattern}: " + str(
            self.hub.ask("uplink-topic-del", uplink=name, filter=pattern))

    def do_session(self):
        name = self.chance.choice(["crowd", "mob"]) + str(self.chance.randrange(4))
        return f"kill {name}: {self.hub.ask('session-del', name=name)}"

    def do_show(self):
        what = self.chance.choice(["session-get", "subscription-get", "listener-get", "uplink-get",
                                   "retained-get"])
        return f"{what}: {len(self.hub.dump(what))}"

    def do_retained(self):
        return f"cleared: {self.hub.ask('retained-del', filter='noise/#')}"

    def do_rmmod(self):
        """It is refused while a process has it open, and nobody waits for it."""
        result = rmmod()
        assert result in (errno.EWOULDBLOCK, errno.EBUSY), result
        return f"refused, {errno.errorcode[result]}"


class Guests(Disturber):
    """Network namespaces with a switch of their own that is in full use when they are deleted."""

    pause = 2

    def __init__(self, name):
        super().__init__(name)
        self.number = 0
        self.mob = []

    def do_guest(self):
        self.number += 1
        name, link = f"race-guest{self.number}", f"guest{self.number}"
        prefix = f"10.92.{self.number % 250}"
        space.add(name)
        space.join((HUB, link), (name, "to-hub"), prefix)
        with space.Switch(name) as switch:
            switch.listen()
            switch.uplink("hub", f"{prefix}.1", version=self.chance.choice([4, 5]))
            switch.topic("hub", "noise/1/#", BOTH, 1)
        seed = self.chance.randrange(1 << 32)
        inside = [mob(name, "local", seed), mob(name, "local", seed + 1),
                  mob(name, "remote", seed + 2, f"{prefix}.1", PORT)]
        outside = mob(HUB, "remote", seed + 3, f"{prefix}.2", PORT)
        self.mob += [*inside, outside]
        self.after(4, f"guest: {name} is deleted", lambda: self.leave(name, inside, outside))
        return name

    def leave(self, name, inside, outside):
        """The mob first, or the namespace first, which lives until the mob is gone."""
        steps = [lambda: space.delete(name), lambda: [end(one) for one in inside],
                 lambda: end(outside)]
        self.chance.shuffle(steps)
        for step in steps:
            step()
            time.sleep(self.chance.random() / 5)
        for one in [*inside, outside]:
            self.mob.remove(one)

    def run(self, ledger, stage, chance):
        try:
            super().run(ledger, stage, chance)
        finally:
            for one in self.mob:
                one.kill()
                one.wait()


def crowd(chance):
    """The mob of the hub: sessions here, and clients elsewhere."""
    places = [(HUB, "local"), (HUB, "local"), (FAR, "remote"), (UP, "local")]
    return [(where, kind, chance.randrange(1 << 32), *([HUB_ADDRESS, PORT]
                                                       if kind == "remote" else []))
            for where, kind in places]

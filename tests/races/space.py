# SPDX-License-Identifier: GPL-2.0
"""Where it happens: network namespaces, and links between them that are as bad as one likes.

    far (10.90.0.2) ---- (10.90.0.1) hub (10.91.0.1) ---- (10.91.0.2) up

Clients are in far, the switch that all is about is the one of hub, and up has two brokers to each
of which hub has an uplink: a switch, and Mosquitto. Guests are namespaces that come and go, joined
to hub by a link of their own.
"""

import collections
import contextlib
import errno
import os
import subprocess

from kmqtt_cli import CLONE_NEWNET
from kmqtt_dev import libc
from kmqtt_nl import Netlink
from kmqtt_uplink import IN, OUT, server

FAR, HUB, UP = "race-far", "race-hub", "race-up"
HUB_ADDRESS, UP_ADDRESS = "10.90.0.1", "10.91.0.2"
PORT, TLS_PORT, MOSQUITTO_PORT = PORTS = 1883, 8883, 1884
# Where a client connects to: from which namespace, whose messages are flow/ON/..., whether the
# connection has kernel TLS (a process puts it on, porter.py) and is with the kernel at all.
Door = collections.namedtuple("Door", "space on address port tls ours", defaults=(False, True))
FRONT = Door(FAR, "hub", HUB_ADDRESS, PORT)
SAFE = Door(FAR, "hub", HUB_ADDRESS, TLS_PORT, tls=True)
ABROAD = Door(UP, "abroad", UP_ADDRESS, MOSQUITTO_PORT, ours=False)
# Each end of a link: its namespace, and its name there.
ENDS = [(FAR, "to-hub"), (HUB, "to-far"), (HUB, "to-up"), (UP, "to-hub")]
# The uplinks, and which messages each takes along: those that come with one go on with the other.
UPLINK, UPLINK_ABROAD = UPLINKS = "site", "abroad"
CARRIED = {UPLINK: (PORT, {"hub": OUT, "abroad": OUT, "up": IN}),
           UPLINK_ABROAD: (MOSQUITTO_PORT, {"hub": OUT, "up": OUT, "abroad": IN})}
# Whom their servers take hub's switch for.
CLIENT = "race"
# The listener without a socket for connections that are handed over.
HANDED = "handed"
# Kernels that look for mistakes take longer for everything.
SLOWER = 4 if os.environ["KMQTT_KERNEL"].endswith(("-debug", "-kcsan")) else 1
# A queue that loses nothing.
GOOD = ["pfifo", "limit", "1000"]


def run(*command, check=True, timeout=120 * SLOWER):
    """A command that must succeed, if nothing else is said; what it did."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, check=False, timeout=timeout)
    if check and done.returncode:
        raise RuntimeError(f"{command}: {done.returncode}: {done.stdout}{done.stderr}")
    return done


class Switch:
    """The switch of a namespace, as its administrator has it. Refused is an errno, not an error."""

    def __init__(self, space):
        with inside(space):
            self.nl = Netlink()

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.nl.close()

    def ask(self, verb, **attrs):
        """0, or the errno's name."""
        try:
            self.nl.do(verb, **attrs)
        except OSError as error:
            return errno.errorcode[error.errno]
        return 0

    def must(self, verb, **attrs):
        self.nl.do(verb, **attrs)

    def dump(self, verb):
        return self.nl.dump(verb)

    def listen(self, name="all", port=PORT):
        """A listener for everybody."""
        return self.ask("listener-new", name=name, ipv4=0, port=port, anonymous=1)

    def handed(self):
        """A listener for those who come by the porter."""
        return self.ask("listener-new", name=HANDED, anonymous=1)

    def uplink(self, name, address, port=PORT, **more):
        return self.ask("uplink-new", name=name, server=server(address, port), backoff_min=1,
                        backoff_max=2, connect_timeout=3, **more)

    def topic(self, name, pattern, direction, qos=0):
        return self.ask("uplink-topic-new", uplink=name, filter=pattern, direction=direction,
                        qos=qos, local_prefix="", remote_prefix="")


@contextlib.contextmanager
def inside(space):
    """This process is in the namespace."""
    with open("/proc/self/ns/net", encoding="ascii") as old:
        enter(space)
        try:
            yield
        finally:
            libc("setns", old.fileno(), CLONE_NEWNET)


def enter(space):
    """This process is in the namespace, and stays there."""
    with open(f"/run/netns/{space}", encoding="ascii") as new:
        libc("setns", new.fileno(), CLONE_NEWNET)


def add(*spaces):
    """Namespaces by name."""
    for space in spaces:
        run("ip", "netns", "add", space)
        run("ip", "-n", space, "link", "set", "lo", "up")


def delete(space):
    """Its name; it is gone when nobody is in it any more."""
    return run("ip", "netns", "del", space, check=False)


def join(one, other, prefix):
    """A link: each end is (namespace, name); the first one's address is .1, the other's .2."""
    run("ip", "link", "add", one[1], "netns", one[0], "type", "veth",
        "peer", "name", other[1], "netns", other[0])
    for number, (space, name) in enumerate((one, other), 1):
        run("ip", "-n", space, "addr", "add", f"{prefix}.{number}/24", "dev", name)
        run("ip", "-n", space, "link", "set", name, "up")


def build(versions):
    """All of it; the uplinks speak these versions of the protocol."""
    links()
    for space in HUB, UP:
        with Switch(space) as switch:
            # what is queued while a link is down must not be too much
            switch.must("switch-set", max_queued_messages=20000, memory_limit=1 << 30)
            assert switch.listen() == 0
    with Switch(HUB) as switch:
        assert switch.handed() == 0
        for version, (name, (port, carried)) in zip(versions, CARRIED.items()):
            assert switch.uplink(name, UP_ADDRESS, port, version=version, client_id=CLIENT,
                                 clean_start=0, session_expiry=3600, keepalive=5, admin_up=0) == 0
            for on, direction in carried.items():
                assert switch.topic(name, f"flow/{on}/#", direction, 2) == 0
            switch.must("uplink-set", name=name, admin_up=1)


def links():
    """The namespaces, and what joins them."""
    add(FAR, HUB, UP)
    join((HUB, "to-far"), (FAR, "to-hub"), "10.90.0")
    join((HUB, "to-up"), (UP, "to-hub"), "10.91.0")


def heal():
    """The links are good, the listeners there, the uplinks are wanted."""
    for space, name in ENDS:
        run("tc", "-n", space, "qdisc", "replace", "dev", name, "root", *GOOD)
        run("ip", "-n", space, "link", "set", name, "up")
    for space in HUB, UP:
        with Switch(space) as switch:
            switch.listen()
    with Switch(HUB) as switch:
        switch.handed()
        for name in UPLINKS:
            switch.must("uplink-set", name=name, admin_up=1)


def destroy():
    """All of it, whatever has been made."""
    for space in FAR, HUB, UP:
        if os.path.exists(f"/run/netns/{space}"):
            delete(space)

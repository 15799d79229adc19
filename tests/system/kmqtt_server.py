# SPDX-License-Identifier: GPL-2.0
"""The broker under test, and clients of it.

The fixture `broker` is a broker with the settings of the mark of the same name:

    pytestmark = pytest.mark.broker(max_qos=1)          # for a file, or on one test
    def test_it(broker, topic):
        one = broker.connect("id", version=4)           # a Client, connected
        two = broker.raw()                              # a Client, of a TCP connection only

It is kmqtt in a network namespace of its own. With KMQTT_TEST_BROKER=mosquitto in the environment
it is Debian's Mosquitto on this machine, which needs neither a module nor root: that shows that
the tests are sane. Where Mosquitto is wrong, a comment in the test says so. With KMQTT_CAPTURES=DIR
all that is said to kmqtt and by it is kept there.

A broker lives as long as the file of tests, one for each different set of settings, so topics and
client identifiers must be a test's own: `topic` and `ident` are.
"""

import contextlib
import ipaddress
import os
import shutil
import signal
import socket
import subprocess

import pytest

import kmqtt_nl
from kmqtt_broker import Mosquitto
from kmqtt_cli import CLONE_NEWNET, KMQTT
from kmqtt_client import NUMBERS, Client
from kmqtt_dev import libc
from kmqtt_packet import wait_for

MOSQUITTO = os.environ.get("KMQTT_TEST_BROKER") == "mosquitto"

# A folder where what goes over the listeners' ports is kept; none by default.
CAPTURES = os.environ.get("KMQTT_CAPTURES")

# Settings of the switch; all others are the listener's.
SWITCH = {"max_inflight_messages", "max_inflight_bytes", "max_queued_messages", "max_queued_bytes",
          "message_size_limit", "retain_available", "check_retain_source",
          "persistent_client_expiration", "queue_qos0_messages", "upgrade_outgoing_qos",
          "acl_default", "memory_limit", "max_sessions", "max_retained_messages", "sys_interval"}


def text(value):
    """A value as both brokers' settings are written."""
    return {True: "on", False: "off"}.get(value, str(value)) if isinstance(value, bool) else \
        str(value)


def password_file(path, users):
    """A file as mosquitto_passwd makes it."""
    open(path, "w", encoding="ascii").close()
    for name, password in users.items():
        subprocess.run(["mosquitto_passwd", "-b", path, name, password], check=True,
                       capture_output=True)


class Broker:
    """What both have: clients that end with the test."""

    exact = True
    port = 1883
    host = "127.0.0.1"

    def __init__(self):
        self.clients = []

    def socket(self):
        """A new connection."""
        return socket.create_connection((self.host, self.port), timeout=60)

    def raw(self, version=5):
        """A client that has said nothing yet."""
        self.clients.append(Client(self.socket(), version, self.exact))
        return self.clients[-1]

    def connect(self, client_id=None, version=5, **more):
        """A client whose CONNECT was accepted; see Client.connect() and connect_packet()."""
        return self.raw(version).connect(client_id, **more)

    def close_clients(self):
        while self.clients:
            self.clients.pop().close()


class Capture:
    """All that goes over a port of a network namespace, in a file, which tests/interop/dissect reads."""

    def __init__(self, path, netns, port):
        self.path = os.path.join(path, f"{netns}.pcapng")
        self.dumpcap = subprocess.Popen(  # pylint: disable=consider-using-with
            ["ip", "netns", "exec", netns, "dumpcap", "-q", "-i", "lo", "-w", self.path, "-B", "20",
             "-a", "filesize:20000", "-f", f"tcp port {port}"], stderr=subprocess.DEVNULL)
        # its header is written when the capture has begun; the first has all to be read from the host
        wait_for(lambda: os.path.exists(self.path) and os.path.getsize(self.path),
                 seconds=120, text="the capture")

    def stop(self):
        """Ends it, and keeps the file."""
        self.dumpcap.send_signal(signal.SIGINT)
        self.dumpcap.wait(60)
        os.makedirs(CAPTURES, exist_ok=True)
        shutil.move(self.path, CAPTURES)


class KmqttServer(Broker):
    """A listener in a network namespace of its own."""

    def __init__(self, path, conf):
        super().__init__()
        self.capture = None
        self.netns = f"broker{next(NUMBERS)}"
        self.run("ip", "netns", "add", self.netns)
        self.run("ip", "-n", self.netns, "link", "set", "lo", "up")
        users, acl = conf.pop("users", None), conf.pop("acl", None)
        switch = {key: conf.pop(key) for key in SWITCH & conf.keys()}
        for key, value in switch.items():
            self.kmqtt("set", key, text(value))
        if users:
            password_file(f"{path}/passwd", users)
            self.kmqtt("passwd", "load", f"{path}/passwd")
        if acl:
            with open(f"{path}/acl", "w", encoding="utf-8") as file:
                file.write(acl)
            self.kmqtt("acl", "load", f"{path}/acl")
        conf.setdefault("anonymous", True)
        if "protocols" in conf:
            conf["protocols"] = sum(1 << int(level) for level in conf["protocols"].split(","))
        with self.netlink() as nl:
            nl.do("listener-new", ipv4=int(ipaddress.ip_address(self.host)), port=self.port,
                  **{key: int(value) for key, value in conf.items()})
        if CAPTURES:
            self.capture = Capture(path, self.netns, self.port)

    def netlink(self):
        """A socket of the administrator's there."""
        with self.inside():
            return kmqtt_nl.Netlink()

    @staticmethod
    def run(*command):
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def kmqtt(self, *words):
        """The command kmqtt; what it prints."""
        return self.run(KMQTT, "-n", self.netns, *map(str, words))

    @contextlib.contextmanager
    def inside(self):
        """The test itself is in the namespace."""
        with open("/proc/self/ns/net", encoding="ascii") as old, \
             open(f"/run/netns/{self.netns}", encoding="ascii") as new:
            libc("setns", new.fileno(), CLONE_NEWNET)
            try:
                yield
            finally:
                libc("setns", old.fileno(), CLONE_NEWNET)

    def socket(self):
        with self.inside():
            return super().socket()

    def stop(self):
        self.close_clients()
        if self.capture:
            self.capture.stop()
        self.run("ip", "netns", "del", self.netns)


class MosquittoServer(Broker):
    """Mosquitto with the same settings under its own names."""

    exact = False
    names = {"receive_maximum": "max_inflight_messages", "anonymous": "allow_anonymous",
             "zero_length_clientid": "allow_zero_length_clientid"}

    def __init__(self, path, conf):
        super().__init__()
        lines = ["sys_interval 0"]
        users, acl = conf.pop("users", None), conf.pop("acl", None)
        if users:
            password_file(f"{path}/passwd", users)
            lines.append(f"password_file {path}/passwd")
        if acl:
            with open(f"{path}/acl", "w", encoding="ascii") as file:
                file.write(acl)
            lines.append(f"acl_file {path}/acl")
        for key, value in conf.items():
            value = {"on": "true", "off": "false"}.get(text(value), text(value))
            lines.append(f"{self.names.get(key, key)} {value}")
        with socket.socket() as probe:
            probe.bind((self.host, 0))
            self.port = probe.getsockname()[1]
        self.mosquitto = Mosquitto(path, self.port, self.host, "\n".join(lines))
        self.mosquitto.start(client=False)

    def stop(self):
        self.close_clients()
        self.mosquitto.stop()


def by_settings(kind, tmp_path_factory):
    """For a fixture: yields a function, settings to their broker, and stops all of them."""
    made = {}

    def get(conf):
        key = repr(sorted(conf.items()))
        if key not in made:
            made[key] = kind(str(tmp_path_factory.mktemp("broker")), dict(conf))
        return made[key]

    yield get
    for one in made.values():
        one.stop()


@pytest.fixture(scope="module")
def brokers(tmp_path_factory):
    """A function: settings to their broker."""
    yield from by_settings(MosquittoServer if MOSQUITTO else KmqttServer, tmp_path_factory)


@pytest.fixture
def broker(request, brokers):  # pylint: disable=redefined-outer-name
    """The broker with the settings of the nearest mark `broker`."""
    mark = request.node.get_closest_marker("broker")
    one = brokers(mark.kwargs if mark else {})
    yield one
    one.close_clients()


@pytest.fixture
def ident():
    """A client identifier that no other test uses, as every broker must accept it (3.1.3.1)."""
    return f"ident{next(NUMBERS)}"

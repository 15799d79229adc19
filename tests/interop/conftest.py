# SPDX-License-Identifier: GPL-2.0
"""What the system tests have, and a capture of all that goes over the network."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.realpath(__file__))
SYSTEM = os.path.join(os.path.dirname(HERE), "system")
sys.path[:0] = [HERE, SYSTEM]

# All that goes over the wire is kept, and read by `dissect`: kmqtt_server.py looks for this.
CAPTURES = os.path.join(os.environ.get("KMQTT_VM_OUT", "/tmp"), "captures")
os.environ["KMQTT_CAPTURES"] = CAPTURES

import kmqtt_nl  # pylint: disable=wrong-import-position
import kmqtt_shared  # pylint: disable=wrong-import-position
from agents import VERSIONS, Agent  # pylint: disable=wrong-import-position
from kmqtt_broker import wait_for  # pylint: disable=wrong-import-position
from kmqtt_server import (  # pylint: disable=wrong-import-position,unused-import
    KmqttServer, broker, by_settings, ident)

globals().update(kmqtt_shared.of_the_system_tests())


def pytest_sessionstart():
    shutil.rmtree(CAPTURES, ignore_errors=True)
    os.makedirs(CAPTURES)


def pytest_terminal_summary(terminalreporter):
    for one in sorted(VERSIONS.items()):
        terminalreporter.write_line("met: {} {}".format(*one))


class Server(KmqttServer):
    """A broker that can be looked at from other network namespaces."""

    @contextlib.contextmanager
    def inside(self, netns=None):
        """The test itself is in the broker's network namespace, or in another one."""
        mine = self.netns
        self.netns = netns or mine
        try:
            with super().inside():
                self.netns = mine
                yield
        finally:
            self.netns = mine

    def dump(self, what):
        """What netlink shows of the switch."""
        with self.inside(), kmqtt_nl.Netlink() as one:
            return one.dump(what)

    def subscribed(self, filter_):
        """How many subscriptions there are with this filter."""
        return sum(sub["filter"] == filter_ for sub in self.dump("subscription-get"))

    def session(self, client_id):
        return next(one for one in self.dump("session-get") if one["name"] == client_id)


@pytest.fixture(scope="module")
def brokers(tmp_path_factory):
    """A function: settings to their broker."""
    yield from by_settings(Server, tmp_path_factory)


@pytest.fixture(scope="module")
def agents():
    """A function: name and broker to an agent, which lives as long as the file."""
    made = {}

    def get(name, server):
        key = name, server.netns
        if key not in made:
            made[key] = Agent(name, server)
        return made[key]

    yield get
    for one in made.values():
        one.close()


class Rabbit:
    """RabbitMQ with its MQTT plugin, on a port of this namespace."""

    address = "127.0.0.1", 18840
    conf = ("listeners.tcp = none\nmqtt.listeners.tcp.default = 127.0.0.1:18840\n"
            "mqtt.allow_anonymous = true\nmqtt.vhost = /\nmqtt.exchange = amq.topic\n")

    def __init__(self, home):
        self.output = f"{home}/output"
        for name, text in ("enabled_plugins", "[rabbitmq_mqtt].\n"), ("rabbitmq.conf", self.conf):
            with open(f"{home}/{name}", "w", encoding="ascii") as file:
                file.write(text)
        env = dict(os.environ, HOME=home, RABBITMQ_NODENAME="kmqtt@localhost",
                   RABBITMQ_MNESIA_BASE=f"{home}/mnesia", RABBITMQ_LOG_BASE=f"{home}/log",
                   RABBITMQ_ENABLED_PLUGINS_FILE=f"{home}/enabled_plugins",
                   RABBITMQ_CONFIG_FILE=f"{home}/rabbitmq", RABBITMQ_PID_FILE=f"{home}/pid",
                   RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="+S 1:1 +sbwt none")
        with open(self.output, "wb") as output:
            self.process = subprocess.Popen(  # pylint: disable=consider-using-with
                ["/usr/lib/rabbitmq/bin/rabbitmq-server"], env=env, stdin=subprocess.DEVNULL,
                stdout=output, stderr=output, start_new_session=True)

    def listens(self):
        with open(self.output, encoding="utf-8") as output:
            assert self.process.poll() is None, output.read()
        with socket.socket() as probe:
            return not probe.connect_ex(self.address)

    def stop(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        # what it has left behind, to find others of its kind
        subprocess.run(["epmd", "-kill"], check=False, capture_output=True)


@pytest.fixture(scope="session", autouse=True)
def rabbit_begins(request, tmp_path_factory):
    """It has all the time of the other tests to begin."""
    if not any("rabbit" in item.fixturenames for item in request.session.items):
        yield None
        return
    one = Rabbit(str(tmp_path_factory.mktemp("rabbit")))
    yield one
    one.stop()


@pytest.fixture
def rabbit(rabbit_begins):
    """Where RabbitMQ listens."""
    wait_for(rabbit_begins.listens, seconds=300, text="RabbitMQ")
    return rabbit_begins.address

# SPDX-License-Identifier: GPL-2.0
"""The examples do what they say, each in thirty lines or fewer."""

import os
import re
import socket
import subprocess

import pytest

from kmqtt_client import Client
from kmqtt_nl import SPEC_KMQTT
from kmqtt_packet import wait_for
from pubsub import ENV, TOP, Kmqtt, Running

EXAMPLES = os.path.join(TOP, "examples")
SOURCES = sorted(name for name in os.listdir(EXAMPLES) if name.endswith((".c", ".sh", ".py")))


@pytest.fixture(scope="module")
def built():
    """The folder of the programs."""
    subprocess.run(["make", "-s", "-C", EXAMPLES, "CFLAGS=-O2 -Werror", f"BUILD={TOP}/build"],
                   check=True, env=ENV)
    return os.path.join(TOP, "build", "examples")


@pytest.mark.parametrize("name", SOURCES)
def test_short(name):
    with open(os.path.join(EXAMPLES, name), encoding="ascii") as file:
        assert len(file.readlines()) <= 30


def test_all_are_here():
    """A test below for each."""
    assert SOURCES == ["answer.c", "answer.sh", "attach.py", "plain.c", "publish.c", "request.c",
                       "ring.c", "session.c", "subscribe.c", "subscribe.py"]


class Device(Running):
    """An example that waits in read() or poll(), not only in poll()."""

    def waits(self):
        with open(f"/proc/{self.process.pid}/wchan", encoding="ascii") as file:
            return "kmqtt" in file.read() or super().waits()


def test_subscribe(built, topic):
    with Device([built + "/subscribe", topic + "/#"]) as example:
        example.ready()
        Kmqtt().publish("-t", topic + "/a", "-m", "one")
        assert example.process.stdout.readline() == f"{topic}/a one\n".encode()


def test_python(topic):
    with Device(["/usr/bin/python3", EXAMPLES + "/subscribe.py", topic + "/#"]) as example:
        example.ready()
        Kmqtt().publish("-t", topic + "/a", "-m", "one", "-D", "publish", "content-type", "x")
        Kmqtt().publish("-t", topic + "/a", "-n")
        assert example.process.stdout.readline() == f"{topic}/a (QoS 0) one\n".encode()
        assert example.process.stdout.readline() == f"{topic}/a (QoS 0) \n".encode()


def test_plain(built, topic):
    with Device(["stdbuf", "-oL", built + "/plain", topic + "/#"]) as example:
        example.ready()
        Kmqtt().publish("-t", topic + "/a", "-m", "one")
        assert example.process.stdout.readline() == f"{topic}/a\n".encode()


def test_publish(built, topic):
    with Running([built + "/publish", topic, "21.5"]) as example:
        assert example.end() == (0, b"", b"")
    done = Kmqtt().run("sub", "-t", topic, "-C", "1", "-F", "%p %r %P %E", "-W", "60")
    *words, expiry = done.out.split()
    assert words == [b"21.5", b"1", b"unit:degree"] and 0 < int(expiry) <= 3600
    Kmqtt().publish("-t", topic, "-r", "-n")


def test_ring(built, topic):
    with Running([built + "/ring", topic, "1000"]) as example:
        example.ready()
        Kmqtt().publish("-t", topic, "-m", "12345", "--repeat", "1000")
        assert example.end() == (0, b"5000 bytes\n", b"")


def test_session(built, topic):
    """A job that was not done comes again."""
    def run(*more):
        with Running([built + "/session", "worker-" + topic, topic, *more]) as example:
            return example.end().out

    assert run() == b"no job\n"
    for job in ("first", "second"):
        Kmqtt().publish("-t", topic, "-m", job, "-q", "1")
    assert run("fail") == b"first\n"
    assert run() == b"again: first\n"
    assert run().endswith(b"second\n")
    assert run() == b"no job\n"
    assert Kmqtt().run("sub", "-i", "worker-" + topic, "-t", topic, "-E").status == 0


def test_request_and_answer(built, topic):
    with Device([built + "/answer", topic]) as service:
        service.ready()
        with Running([built + "/request", topic, "hello"]) as example:
            assert example.end() == (0, b"5\n", b"")


def test_shell(topic):
    with Running([EXAMPLES + "/answer.sh", topic], start_new_session=True) as service:
        try:
            for number in range(20):
                # It may not have subscribed yet; an answer that is late goes elsewhere.
                done = Kmqtt().run("rr", "-t", topic, "-e", f"{topic}/{number}", "-m", "uname",
                                   "-W", "5", "-q", "1")
                if done.status == 0:
                    break
            assert done.out == b"Linux\n"
            done = Kmqtt().run("rr", "-t", topic, "-e", topic + "/me", "-m", "x", "-W", "60")
            assert done.out == b"I do not know about x\n"
        finally:
            os.killpg(service.process.pid, 15)
            service.end()


def test_attach(topic, nl, tmp_path):
    """The numbers are those of the header, and a client comes in over a Unix socket."""
    with open(EXAMPLES + "/attach.py", encoding="ascii") as file:
        numbers = re.search(r"^CLIENT_ATTACH, NAME, FD = (.*?)  #", file.read(), re.M)[1]
    attrs = SPEC_KMQTT.sets["listener"]
    assert numbers == \
        f"{SPEC_KMQTT.ops['client-attach']}, {attrs['name'].number}, {attrs['fd'].number}"
    path = str(tmp_path / "mqtt.sock")
    nl.do("listener-new", name="example", anonymous=1)
    with Running(["/usr/bin/python3", EXAMPLES + "/attach.py", path, "example"]) as example:
        wait_for(lambda: os.path.exists(path))
        for version in (3, 4, 5):
            sock = socket.socket(socket.AF_UNIX)
            wait_for(lambda: not sock.connect_ex(path))     # pylint: disable=cell-var-from-loop
            client = Client(sock, version).connect()
            client.subscribe(topic)
            client.publish(topic, b"x")
            assert client.published().payload == b"x"
            client.disconnect()
        nl.do("listener-del", name="example")
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(path)
            assert b"the kernel does not take it" in example.end().err

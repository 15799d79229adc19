# SPDX-License-Identifier: GPL-2.0
"""kmqtt rr: a request and its answer."""


import pytest

import kmqtt_dev
from pubsub import BITS, Kmqtt

@pytest.fixture
def kmqtt():
    """The programs; of 64 bits, unless a test asks for both."""
    return Kmqtt()


def answer(service, payload):
    """Wait for a request, answer it, and return it."""
    assert service.readable(10000)
    request, = service.drain()
    # The response topic is the last of its properties; the others go back as they are.
    at = request.props.index(b"\x08")
    where = request.props[at + 3:].decode()
    assert int.from_bytes(request.props[at + 1:at + 3], "big") == len(where)
    service.publish(where, payload, qos=request.qos, props=request.props[:at])
    return request


@BITS
@pytest.mark.parametrize("payload,qos", [(["-m", "what"], 0), (["-n"], 1), (["-s"], 2),
                                         (["-f", "/proc/version"], 1)])
def test_answer(kmqtt, device, topic, payload, qos):
    service = device()
    service.subscribe(topic + "/ask", qos=2)
    with kmqtt.start("rr", "-t", topic + "/ask", "-e", topic + "/answer", "-q", str(qos), "-F",
                     "%t %q %p", *payload, "-W", "60") as asked:
        asked.process.stdin.write(b"what")
        asked.process.stdin.close()
        asked.process.stdin = None
        request = answer(service, b"that")
        assert asked.end() == (0, f"{topic}/answer {qos} that\n".encode(), b"")
    with open("/proc/version", "rb") as file:
        expected = {"-m": b"what", "-n": b"", "-s": b"what", "-f": file.read()}
    assert request.payload == expected[payload[0]] and request.qos == qos


def test_correlation(kmqtt, device, topic):
    """The properties of a request come back with its answer."""
    service = device()
    service.subscribe(topic + "/ask")
    with kmqtt.start("rr", "-t", topic + "/ask", "-e", topic + "/answer", "-m", "x",
                     "-D", "publish", "correlation-data", "id-1", "-F", "%D %p",
                     "-W", "60") as asked:
        props = answer(service, b"y").props
        assert asked.end() == (0, b"id-1 y\n", b"")
    assert props.startswith(b"\x09\0\x04id-1\x08")


def test_timeout(kmqtt, topic):
    args = ["-t", topic, "-e", topic + "/answer", "-m", "x", "-W", "1"]
    assert kmqtt.run("rr", *args) == (27, b"", b"Timed out\n")
    assert kmqtt.run("rr", *args, "--quiet") == (27, b"", b"")


def test_subscribed_before_published(kmqtt, device, topic):
    """The answer to a request may come at once: the asker is its own service."""
    done = kmqtt.run("rr", "-t", topic, "-e", topic, "-m", "echo", "-W", "60")
    assert done == (0, b"echo\n", b"")
    opened = device()
    opened.subscribe(topic)
    assert kmqtt.run("rr", "-t", topic, "-e", topic, "-m", "echo", "-W", "60").out == b"echo\n"
    message, = opened.drain()
    assert message.type == kmqtt_dev.MESSAGE


def test_retained_answers(kmqtt, topic):
    """An old answer that is retained is printed, but not with -R."""
    kmqtt.publish("-t", topic + "/answer", "-m", "old", "-r")
    args = ["-t", topic, "-e", topic + "/answer", "-m", "x", "-W", "1"]
    assert kmqtt.run("rr", *args) == (0, b"old\n", b"")
    assert kmqtt.run("rr", *args, "-R") == (27, b"", b"Timed out\n")
    kmqtt.publish("-t", topic + "/answer", "-r", "-n")


def test_old_version_sends_no_properties(kmqtt, device, topic):
    service = device()
    service.subscribe(topic)
    kmqtt.run("rr", "-t", topic, "-e", topic + "/answer", "-m", "x", "-W", "1", "-V", "mqttv311")
    message, = service.drain()
    assert message.props == b""

# SPDX-License-Identifier: GPL-2.0
"""Publishers of the network wait for a process's session whose policy says so."""

import socket
import struct

import pytest

from kmqtt_dev import BLOCK
from kmqtt_packet import (PINGREQ, PINGRESP, PUBACK, PUBREC, SESSION_EXPIRY, packet, publish_packet,
                          wait_for)

WITH_ANSWER = pytest.mark.parametrize("qos, kind", [(1, PUBACK), (2, PUBREC)])
KEEP = {SESSION_EXPIRY: 100}


@pytest.fixture
def slow(broker, device, topic):
    """A reader that has room for two messages."""
    with broker.inside():
        return device(policy=BLOCK, messages=2).subscribe(f"{topic}/#", qos=2)


def take(dev, count):
    """This many messages, waiting for them."""
    out = []
    while len(out) < count:
        wait_for(dev.readable, text=f"message {len(out)}")
        out += [one.payload for one in dev.read()]
    return out


def publish(client, topic, numbers, qos, **more):
    for i in numbers:
        client.publish(f"{topic}/a", b"%d" % i, qos=qos, packet_id=i, **more)


@WITH_ANSWER
@pytest.mark.parametrize("version", [3, 4, 5])
def test_what_was_not_taken_is_not_answered(broker, slow, topic, version, qos, kind):
    client = broker.connect(version=version)
    publish(client, topic, range(1, 7), qos)
    assert [client.acked(kind).packet_id for _ in range(2)] == [1, 2]
    client.nothing()
    # others are served, also by the same worker
    broker.connect(version=version).ping()
    assert take(slow, 6) == [b"%d" % i for i in range(1, 7)]
    assert [client.acked(kind).packet_id for _ in range(4)] == [3, 4, 5, 6]
    client.ping()


@pytest.mark.parametrize("version", [3, 4, 5])
@pytest.mark.parametrize("size", [0, 3000])
def test_qos_0_in_one_stream(broker, slow, topic, version, size):
    """None of it is lost, and what comes behind it is not read before."""
    client = broker.connect(version=version)
    bodies = [b"%d" % i + bytes(size) for i in range(100)]
    client.send(b"".join(publish_packet(f"{topic}/a", one, version=version) for one in bodies) +
                packet(PINGREQ))
    client.nothing()
    assert take(slow, 100) == bodies
    client.expect(PINGRESP)


def test_reset_while_it_waits(broker, slow, topic, ident):
    """The end of the connection is seen though nothing is read, and what was not taken is gone."""
    client = broker.connect(ident)
    publish(client, topic, range(1, 4), 1)
    assert [client.acked(PUBACK).packet_id for _ in range(2)] == [1, 2]
    client.nothing()
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    with broker.netlink() as nl:
        wait_for(lambda: all(one["name"] != ident for one in nl.dump("session-get")))
    assert take(slow, 2) == [b"1", b"2"]
    assert not slow.readable()


@WITH_ANSWER
def test_taken_over_while_it_waits(broker, slow, topic, ident, qos, kind):
    """The next connection sends it again: it is delivered once, and answered to that one."""
    first = broker.connect(ident, props=KEEP)
    publish(first, topic, range(1, 4), qos)
    assert [first.acked(kind).packet_id for _ in range(2)] == [1, 2]
    first.nothing()
    second = broker.connect(ident, clean=False, props=KEEP)
    assert second.connack.present
    first.refused(0x8e)
    publish(second, topic, [3], qos, dup=True)
    second.nothing()
    assert take(slow, 3) == [b"1", b"2", b"3"]
    assert second.acked(kind).packet_id == 3
    second.ping()
    assert not slow.readable()
    with broker.netlink() as nl:
        nl.do("session-del", name=ident)
    second.refused(0x98)

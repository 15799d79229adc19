# SPDX-License-Identifier: GPL-2.0
"""A client that is back before the end of its old connection is known."""

import pytest

from kmqtt_client import Will
from kmqtt_packet import (
    PUBACK, PUBCOMP, PUBREC, PUBREL, RECEIVE_MAXIMUM, SESSION_EXPIRY, publish_packet)

VERSIONS = pytest.mark.parametrize("version", [4, 5])


def connect(broker, ident, version, **more):
    """A client whose session stays."""
    if version == 5:
        more["props"] = {SESSION_EXPIRY: 1000, **more.get("props", {})}
    return broker.connect(ident, version, clean=False, **more)


@VERSIONS
def test_half_a_message_has_not_arrived(broker, topic, ident, version):
    """It is sent again, and must not pass for one that came before: it would be lost."""
    watcher = broker.connect()
    watcher.subscribe(topic, qos=2)
    one = connect(broker, ident, version)
    half = publish_packet(topic, b"x" * 100000, qos=2, packet_id=7, version=version)
    one.send(half[:-1])
    two = connect(broker, ident, version)
    assert two.connack.present
    one.refused(0x8e)
    two.publish(topic, b"x" * 100000, qos=2, packet_id=7, dup=True)
    assert two.acked(PUBREC, 7).reason == 0
    two.ack(PUBREL, 7)
    two.acked(PUBCOMP, 7)
    assert watcher.receive().payload == b"x" * 100000
    assert watcher.fence() == []


@VERSIONS
def test_what_has_arrived_does_not_come_twice(broker, topic, ident, version):
    watcher = broker.connect()
    watcher.subscribe(topic, qos=2)
    one = connect(broker, ident, version)
    one.publish(topic, b"x", qos=2, packet_id=7)
    one.acked(PUBREC, 7)
    two = connect(broker, ident, version)
    one.refused(0x8e)
    two.publish(topic, b"x", qos=2, packet_id=7, dup=True)
    assert two.acked(PUBREC, 7).reason == 0
    two.ack(PUBREL, 7)
    two.acked(PUBCOMP, 7)
    assert [m.payload for m in watcher.fence()] == [b"x"]


def test_the_window_is_the_new_connection_s(broker, topic, ident):
    """What is in flight comes again, as much at a time as the new one takes."""
    one, other = connect(broker, ident, 5), broker.connect()
    one.subscribe(topic, qos=2)
    for number in range(3):
        other.deliver(topic, b"%d" % number, qos=1)
    first = [one.published() for _ in range(3)]
    two = connect(broker, ident, 5, props={RECEIVE_MAXIMUM: 1})
    one.refused(0x8e)
    for got in first:
        assert two.published() == got._replace(dup=True)
        two.ping()
        two.ack(PUBACK, got.packet_id)
    assert two.fence() == []


def test_acknowledged_on_the_next_connection(broker, topic, ident):
    """An application that acknowledges by itself knows nothing of connections."""
    one, other = connect(broker, ident, 5), broker.connect()
    one.subscribe(topic, qos=2)
    other.deliver(topic, b"1", qos=1)
    other.deliver(topic, b"2", qos=1)
    first, second = one.published(), one.published()
    two = connect(broker, ident, 5, props={RECEIVE_MAXIMUM: 1})
    # the second one is not sent again yet
    two.ack(PUBACK, second.packet_id)
    assert two.published() == first._replace(dup=True)
    two.ack(PUBACK, first.packet_id)
    assert two.fence() == []


def test_many_at_once_leave_one(broker, topic, ident):
    """Whoever comes last has the session; each before it is told, and its will is sent."""
    watcher = broker.connect()
    watcher.subscribe(topic)
    clients = [connect(broker, ident, 5, will=Will(topic, b"%d" % number))
               for number in range(20)]
    for one in clients[:-1]:
        one.refused(0x8e)
    clients[-1].disconnect()
    got = [watcher.receive().payload for _ in range(19)]
    assert sorted(got) == sorted(b"%d" % number for number in range(19))
    assert watcher.fence() == []

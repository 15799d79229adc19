# SPDX-License-Identifier: GPL-2.0
"""Mount points: what clients of such a listener say and hear is all below it."""

import ipaddress
import socket

import pytest

from kmqtt_client import Client, Will
from kmqtt_packet import (PUBACK, PUBCOMP, PUBREC, PUBREL, SESSION_EXPIRY, TOPIC_ALIAS,
                          TOPIC_ALIAS_MAXIMUM, wait_for)

PORT, MOUNT = 1884, "mount/point/"
# Longer than a topic may be, with the mount point.
LONG = "x" * (65535 - len(MOUNT) + 1)


@pytest.fixture
def mounted(broker):
    """A function: a client of a listener that has a mount point, connected."""
    with broker.netlink() as nl:
        nl.do("listener-new", name="mounted", ipv4=int(ipaddress.ip_address(broker.host)),
              port=PORT, anonymous=1, mount_point=MOUNT)

    def connect(client_id=None, version=5, **more):
        with broker.inside():
            sock = socket.create_connection((broker.host, PORT), timeout=20)
        broker.clients.append(Client(sock, version))
        return broker.clients[-1].connect(client_id, **more)

    yield connect
    with broker.netlink() as nl:
        nl.do("listener-del", name="mounted")


@pytest.mark.parametrize("version", [3, 4, 5])
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_both_ways(broker, mounted, topic, version, qos):
    """A client hears nothing of what is elsewhere, be its filter what it may."""
    inner, outer = mounted(version=version), broker.connect()
    inner.subscribe("#", qos=qos)
    outer.subscribe(f"{MOUNT}{topic}", topic, qos=qos)
    assert mounted(version=version).deliver(topic, b"from inside", qos=qos) == 0
    assert inner.receive().topic == topic
    got = outer.receive()
    assert (got.topic, got.payload, got.qos) == (MOUNT + topic, b"from inside", qos)
    sender = broker.connect()
    for name in topic, MOUNT[:-1], f"x{MOUNT}{topic}", f"{MOUNT}{topic}":
        sender.deliver(name, name.encode(), qos=qos)
    got = inner.receive()
    assert (got.topic, got.payload, got.qos) == (topic, f"{MOUNT}{topic}".encode(), qos)
    inner.ping()


def test_retained(broker, mounted, topic):
    outer = broker.connect()
    outer.deliver(topic, b"outer", retain=True)
    outer.deliver(MOUNT + topic, b"inner", retain=True)
    inner = mounted()
    inner.subscribe("#")
    got = inner.receive()
    assert (got.topic, got.payload, got.retain) == (topic, b"inner", True)
    inner.ping()
    for name in topic, MOUNT + topic:
        outer.deliver(name, b"", retain=True)


def test_shared(broker, mounted, topic):
    """The share's name is not below the mount point, the filter in it is."""
    members = [mounted(), mounted()]
    outer = broker.connect()
    for one in members:
        assert one.subscribe(f"$share/group/{topic}/+", qos=1) == [1]
    with broker.netlink() as nl:
        assert {one["filter"] for one in nl.dump("subscription-get",
                                                 session=members[0].client_id)} == \
            {f"$share/group/{MOUNT}{topic}/+"}
    for i in range(20):
        outer.deliver(f"{MOUNT}{topic}/a", b"%d" % i)
        outer.deliver(f"{topic}/a", b"elsewhere")
    got = [one for member in members for one in member.fence()]
    assert {one.topic for one in got} == {f"{topic}/a"}
    assert sorted(int(one.payload) for one in got) == list(range(20))
    for one in members:
        assert one.unsubscribe(f"$share/group/{topic}/+") == [0]
        assert one.unsubscribe(f"$share/group/{topic}/+") == [0x11]
    outer.deliver(f"{MOUNT}{topic}/a")
    assert [member.fence() for member in members] == [[], []]


def test_will(broker, mounted, topic):
    outer = broker.connect()
    outer.subscribe(f"{MOUNT}{topic}", topic)
    mounted(will=Will(topic, b"gone")).close()
    assert outer.receive().topic == MOUNT + topic
    assert outer.fence() == []


def test_topic_alias(broker, mounted, topic):
    """An alias is for the topic as the client says it, in either direction."""
    inner, outer = mounted(), broker.connect()
    outer.subscribe(f"{MOUNT}{topic}")
    inner.publish(topic, b"1", props={TOPIC_ALIAS: 3})
    inner.publish("", b"2", props={TOPIC_ALIAS: 3})
    assert [outer.receive().topic for _ in range(2)] == [MOUNT + topic] * 2
    inner = mounted(props={TOPIC_ALIAS_MAXIMUM: 1})
    inner.subscribe(topic)
    for _ in range(2):
        outer.publish(MOUNT + topic)
    assert [(one.topic, one.props[TOPIC_ALIAS]) for one in (inner.receive(), inner.receive())] == \
        [(topic, 1), ("", 1)]


@pytest.mark.parametrize("version", [3, 4, 5])
def test_topic_that_is_too_long_below_it(mounted, version):
    """Refused as far as the version has a word for it; the longest that fits is not."""
    client = mounted(version=version)
    refused = 0x90 if version == 5 else 0
    client.publish(LONG, b"x", qos=1, packet_id=1)
    assert client.acked(PUBACK, 1).reason == refused
    client.publish(LONG, b"x", qos=2, packet_id=2)
    assert client.acked(PUBREC, 2).reason == refused
    if version < 5:
        client.ack(PUBREL, 2)
        client.acked(PUBCOMP, 2)
    granted = {3: 1, 4: 0x80, 5: 0x8f}[version]
    assert client.subscribe(LONG, "ok", qos=1) == [granted, 1]
    assert client.unsubscribe(LONG, "ok") == ([0x8f, 0] if version == 5 else [])
    assert client.subscribe(LONG[1:]) == [0]
    client.publish(LONG[1:], b"y")
    assert client.published().topic == LONG[1:]


@pytest.mark.parametrize("version, reason", [(3, 3), (4, 3), (5, 0x90)])
def test_will_topic_that_is_too_long_below_it(mounted, ident, version, reason):
    """5.0 has a code for that alone (3.2.2.2)."""
    mounted(ident, version=version, reason=reason, will=Will(LONG)).closed()
    mounted(ident, version=version, will=Will(LONG[1:])).disconnect()


def test_session_of_another_listener(broker, mounted, topic, ident):
    """What waits for it and is not below the mount point is dropped, and nothing stops for it."""
    broker.connect(ident, props={SESSION_EXPIRY: 100}).subscribe("#", qos=1)
    broker.close_clients()
    outer = broker.connect()
    with broker.netlink() as nl:
        wait_for(lambda: not nl.do("session-get", name=ident)["attached"])
        for i in range(100):
            outer.deliver(topic, b"elsewhere")
            if not i % 10:
                outer.deliver(f"{MOUNT}{topic}", b"%d" % i)
        inner = mounted(ident, clean=False, props={SESSION_EXPIRY: 100})
        assert inner.connack.present
        got = [inner.receive() for _ in range(10)]
        assert [(one.topic, int(one.payload)) for one in got] == \
            [(topic, i) for i in range(0, 100, 10)]
        outer.deliver(topic, b"elsewhere")
        inner.ping()
        wait_for(lambda: not nl.do("session-get", name=ident)["inflight_messages"])
        shown = nl.do("session-get", name=ident)
        assert (shown["queued_messages"], shown["dropped_messages"]) == (0, 101)
        nl.do("session-del", name=ident)
    inner.refused(0x98)

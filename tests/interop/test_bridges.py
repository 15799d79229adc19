# SPDX-License-Identifier: GPL-2.0
"""Mosquitto's bridge to kmqtt, and kmqtt's uplink to kmqtt in another network namespace."""

import contextlib
import socket

import pytest

import kmqtt_nl
from kmqtt_broker import Mosquitto, wait_for
from kmqtt_client import Client
from kmqtt_uplink import BOTH, IN, OUT, UP, Uplink

VERSIONS = {3: "mqttv31", 4: "mqttv311", 5: "mqttv50"}


@pytest.mark.parametrize("private", [True, False])
@pytest.mark.parametrize("version", VERSIONS)
def test_mosquitto_bridge(broker, tmp_path, topic, ident, version, private):
    """In, out and both ways, each QoS, prefixes; that it is there, and that it is gone.

    What it sends both ways does not come back to it, if it can say that it does not want that: by
    No Local, or as a bridge.
    """
    conf = f"""
sys_interval 0
connection {ident}
address 127.0.0.1:1883
remote_clientid {ident}
bridge_protocol_version {VERSIONS[version]}
try_private {str(private).lower()}
topic in/# in 2 {topic}/ {topic}/
topic out/# out 2 {topic}/ {topic}/
topic # both 2 {topic}/l/ {topic}/r/
"""
    here = broker.connect(f"{ident}here", version=4)
    state = f"$SYS/broker/connection/{ident}/state"
    here.subscribe(state, qos=1)
    with Mosquitto(tmp_path, conf=conf, netns=broker.netns) as there:
        got = here.receive()
        while got.payload != b"1":
            got = here.receive()
        wait_for(lambda: broker.subscribed(f"{topic}/r/#"), text="the bridge's subscriptions")
        here.subscribe(f"{topic}/out/#", f"{topic}/r/#", qos=2)
        heard = ["out/a", "l/b", "in/c"] + ["l/b"] * (version < 5 and not private)
        sub = there.subscribe("-t", f"{topic}/#", "-q", "2", "-F", "%t %q %p", "-C",
                              str(3 * len(heard)))
        for qos in 0, 1, 2:
            there.publish(f"{topic}/out/a", f"{qos}", "-q", str(qos))
            got = here.receive()
            assert (got.topic, got.qos, got.payload) == (f"{topic}/out/a", qos, b"%d" % qos)
            there.publish(f"{topic}/l/b", f"{qos}", "-q", str(qos))
            got = here.receive()
            assert (got.topic, got.qos, got.payload) == (f"{topic}/r/b", qos, b"%d" % qos)
        assert here.fence() == []
        other = broker.connect(f"{ident}other", version=5)
        for qos in 0, 1, 2:
            other.deliver(f"{topic}/in/c", b"%d" % qos, qos=qos)
        lines = sub.communicate(timeout=60)[0].decode().splitlines()
        assert sorted(lines) == sorted(
            f"{topic}/{name} {qos} {qos}" for name in heard for qos in (0, 1, 2))
        session = broker.session(ident)
        assert session["subscriptions"] == 2
    assert here.receive().payload == b"0"


@pytest.fixture
def upstream(broker):
    """A wire from a network namespace with a switch of its own to the broker's; its name."""
    name = f"{broker.netns}up"
    run = broker.run
    run("ip", "netns", "add", name)
    run("ip", "link", "add", "veth0", "netns", name, "type", "veth", "peer", "name", "veth0",
        "netns", broker.netns)
    for netns, address in (broker.netns, "10.77.0.1/24"), (name, "10.77.0.2/24"):
        run("ip", "-n", netns, "address", "add", address, "dev", "veth0")
        run("ip", "-n", netns, "link", "set", "veth0", "up")
        run("ip", "-n", netns, "link", "set", "lo", "up")
    yield name
    run("ip", "netns", "del", name)


@pytest.fixture
def wire(broker):
    """A listener of the broker's on the wire; a function that takes it away and brings it back."""
    def add(up=True):
        with broker.inside(), kmqtt_nl.Netlink() as nl:
            with contextlib.suppress(OSError):
                nl.do("listener-del", name="wire")
            if up:
                nl.do("listener-new", name="wire", ipv4=0x0a4d0001, port=1884, anonymous=1)
    yield add
    add(False)


@pytest.mark.parametrize("version", VERSIONS)
def test_kernel_to_kernel(broker, upstream, wire, topic, ident, version):
    """Both sides are the kernel: each QoS both ways, and nothing is lost over a broken wire."""
    wire()
    topics = [(f"{topic}/in/#", IN, 2), (f"{topic}/out/#", OUT, 2), (f"{topic}/both/#", BOTH, 2)]
    here = broker.connect(ident)
    here.subscribe(f"{topic}/out/#", f"{topic}/both/#", qos=2)
    with broker.inside(upstream):
        with kmqtt_nl.Netlink() as nl:
            nl.do("listener-new", name="local", ipv4=0x7f000001, port=1883, anonymous=1)
        up = Uplink(f"up{version}", ("10.77.0.1", 1884), version=version, client_id=f"{ident}up",
                    backoff_min=1, backoff_max=1, topics=topics)
        local = Client(socket.create_connection(("127.0.0.1", 1883), 20)).connect(f"{ident}local")
    try:
        up.wait(UP, filters=2)
        local.subscribe(f"{topic}/in/#", f"{topic}/both/#", qos=2)
        for qos in 0, 1, 2:
            local.deliver(f"{topic}/out/a", b"%d" % qos, qos=qos)
            assert here.receive()[1:3] == (b"%d" % qos, qos)
            here.deliver(f"{topic}/in/a", b"%d" % qos, qos=qos)
            assert local.receive()[1:3] == (b"%d" % qos, qos)
        assert broker.session(f"{ident}up")["attached"] == 1
        wire(False)
        up.event("uplink-down")
        for i in range(100):
            local.deliver(f"{topic}/out/b", b"%d" % i, qos=1 + i // 50)
            here.deliver(f"{topic}/in/b", b"%d" % i, qos=1 + i // 50)
        wire()
        up.wait(UP, filters=2)
        assert up.show()["session_present"] == (version > 3)
        for side in up.show, lambda: broker.session(f"{ident}up"):
            wait_for(lambda show=side: not show()["queued_messages"] + show()["inflight_messages"],
                     text="an empty queue")
        for client in here, local:
            assert [m.payload for m in client.fence()] == [b"%d" % i for i in range(100)]
    finally:
        local.close()
        up.close()

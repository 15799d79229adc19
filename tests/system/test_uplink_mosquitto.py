# SPDX-License-Identifier: GPL-2.0
"""Uplinks and Debian's Mosquitto: on lo, and in another network namespace over veth."""

import os
import re
import subprocess
import sys

import pytest

import kmqtt_dev
from kmqtt_broker import Mosquitto, wait_for
from kmqtt_uplink import BACKOFF, BOTH, DEMAND, IN, OUT, UP, WAIT_FD, Uplink, receive

HERE = os.path.dirname(os.path.realpath(__file__))


@pytest.fixture
def broker(tmp_path):
    with Mosquitto(tmp_path) as one:
        yield one


def run(*command, check=True, **more):
    return subprocess.run(command, check=check, timeout=60, capture_output=True, text=True, **more)


@pytest.mark.parametrize("version", [3, 4, 5])
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_in_and_out(broker, device, topic, version, qos):
    dev = device().subscribe(f"{topic}/in/#", qos=2)
    topics = [(f"{topic}/in/#", IN, 2), (f"{topic}/out/#", OUT, 2)]
    with Uplink("m", broker, version=version, client_id="gate", topics=topics) as up:
        up.wait(UP, filters=1)
        broker.publish(f"{topic}/in/x", "hello", "-q", str(qos))
        got = receive(dev, 1)[0]
        assert (got.topic, got.payload, got.qos) == (f"{topic}/in/x", b"hello", qos)
        process = broker.subscribe("-t", f"{topic}/out/#", "-q", "2", "-C", "1", "-F", "%t %p %q")
        dev.publish(f"{topic}/out/y", b"world", qos=qos)
        assert process.communicate(timeout=20)[0] == b"%s/out/y world %d\n" % (topic.encode(), qos)
        up.wait(UP, inflight_messages=0, active_version=version)


@pytest.mark.parametrize("version, try_private", [(5, 1), (4, 1), (4, 0), (3, 1)])
def test_both_without_echo(broker, device, topic, version, try_private):
    """What we publish is not delivered to us again; what others publish is, once."""
    dev = device().subscribe(f"{topic}/#", qos=1)
    topics = [(f"{topic}/#", BOTH, 1)]
    with Uplink("m", broker, version=version, try_private=try_private, client_id="gate",
                topics=topics) as up:
        up.wait(UP, filters=1)
        process = broker.subscribe("-t", f"{topic}/#", "-q", "1", "-C", "20")
        for i in range(10):
            dev.publish(f"{topic}/a", b"mine %d" % i, qos=1)
        for i in range(10):
            broker.publish(f"{topic}/a", f"theirs {i}", "-q", "1")
        got = receive(dev, 20)
        assert process.communicate(timeout=20)[0].count(b"mine") == 10
        shown = up.wait(UP, inflight_messages=0)
        assert shown["publishes_sent"] == 10
        assert shown["echoes_suppressed"] == (0 if version == 5 or try_private else 10)
    assert sorted(m.payload for m in got) == sorted(
        [b"mine %d" % i for i in range(10)] + [b"theirs %d" % i for i in range(10)])


def test_retained_keeps_up(broker, device, topic):
    """What is retained upstream is retained here, with its later values."""
    broker.publish(f"{topic}/t", "1", "-r", "-q", "1")
    with Uplink("m", broker, topics=[(f"{topic}/#", DEMAND, 1)]) as up:
        up.wait(UP)
        one = device().subscribe(f"{topic}/#", qos=1)
        assert [(m.payload, m.retain) for m in receive(one, 1)] == [(b"1", False)]
        broker.publish(f"{topic}/t", "2", "-r", "-q", "1")
        assert receive(one, 1)[0].payload == b"2"
        two = device().subscribe(f"{topic}/t")
        assert [(m.payload, m.retain) for m in receive(two, 1)] == [(b"2", True)]
        assert up.show()["subscribes"] == 1
        assert not one.readable()
        broker.run("mosquitto_pub", "-t", f"{topic}/t", "-n", "-r")
        assert receive(one, 1)[0].payload == b""
        three = device().subscribe(f"{topic}/t")
        assert not three.readable(300)


@pytest.mark.parametrize("kill, qos", [(False, 1), (False, 2), (True, 1), (True, 2)])
def test_restart_with_messages_waiting(broker, device, topic, kill, qos):
    """QoS 1 and 2 publishes wait while it is away, and arrive in order."""
    dev = device()
    with Uplink("m", broker, client_id="gate", backoff_min=1, backoff_max=2,
                topics=[(f"{topic}/#", OUT, 2)]) as up:
        up.wait(UP)
        dev.publish(f"{topic}/a", b"before", qos=1)
        up.wait(UP, queued_messages=0, inflight_messages=0)
        broker.stop(kill=kill)
        up.event("uplink-down")
        for i in range(200):
            dev.publish(f"{topic}/a", b"%d" % i, qos=qos)
        assert up.show()["queued_messages"] == 200
        # a subscriber that is there before the uplink comes back
        up.set(admin_up=0)
        broker.start()
        process = broker.subscribe("-t", f"{topic}/#", "-q", "2", "-C", "200")
        up.set(admin_up=1)
        got = process.communicate(timeout=60)[0]
        up.wait(UP, queued_messages=0, inflight_messages=0)
    assert got.split() == [b"%d" % i for i in range(200)]


def test_nothing_is_lost_over_kills(broker, device, topic):
    """While messages flow it is killed and restarted: QoS 2 arrives, each once, in order."""
    dev = device()
    with Uplink("m", broker, client_id="gate", backoff_min=1, backoff_max=1,
                topics=[(f"{topic}/#", OUT, 2)]) as up:
        up.wait(UP)
        # its database outlives a SIGTERM: the subscriber's session is in it
        sub = ["-t", f"{topic}/#", "-q", "2", "-i", "sub", "-c"]
        broker.run("mosquitto_sub", *sub, "-E")
        for round_ in range(3):
            for i in range(60):
                dev.publish(f"{topic}/a", b"%d" % (round_ * 60 + i), qos=2)
            broker.stop()
            broker.start()
        up.wait(UP, queued_messages=0, inflight_messages=0)
        got = broker.run("mosquitto_sub", *sub, "-C", "180", "-W", "20", check=False).stdout
    assert got.split() == [b"%d" % i for i in range(180)]


def test_session_of_the_server(broker, device, topic):
    """What others publish while the uplink is down arrives when it is up again."""
    dev = device().subscribe(f"{topic}/#", qos=1)
    with Uplink("m", broker, client_id="gate", topics=[(f"{topic}/#", IN, 1)]) as up:
        up.wait(UP, filters=1)
        up.set(admin_up=0)
        for i in range(5):
            broker.publish(f"{topic}/a", str(i), "-q", "1")
        up.set(admin_up=1)
        assert up.wait(UP)["session_present"] == 1
        assert [m.payload for m in receive(dev, 5)] == [b"%d" % i for i in range(5)]


def test_will(broker, topic):
    """It is published when the connection breaks, not when it ends in good order."""
    conf = dict(client_id="gate", will_topic=f"{topic}/gone", will_payload=b"bye")
    with Uplink("m", broker, **conf) as up:
        up.wait(UP)
        process = broker.subscribe("-t", f"{topic}/#", "-C", "1")
        up.set(admin_up=0)
        up.wait(0)
        up.set(admin_up=1)
        up.wait(UP)
        port = re.findall(r"New client connected from 127.0.0.1:(\d+) as gate", broker.log())[-1]
        run("ss", "-K", "sport", "=", f":{port}", check=False)
        up.event("uplink-down", error=103)
        assert process.communicate(timeout=20)[0] == b"bye\n"


def test_password(tmp_path, topic):
    passwords = tmp_path / "passwords"
    run("mosquitto_passwd", "-b", "-c", str(passwords), "user", "secret")
    broker = Mosquitto(tmp_path, conf=f"allow_anonymous true\npassword_file {passwords}")
    with broker:
        with Uplink("m", broker, username="user", password=b"wrong", backoff_min=1) as up:
            assert up.event("uplink-refused")["reason"] == 0x87
            up.set(password=b"secret")
            up.wait(UP)
            assert topic


def test_many_filters(broker, device, topic):
    """A thousand local filters come upstream in batches, and go again."""
    with Uplink("m", broker, batch=100, topics=[(f"{topic}/#", DEMAND, 0)]) as up:
        up.wait(UP)
        dev = device()
        for i in range(1000):
            dev.subscribe(f"{topic}/{i}/x")
        up.wait(UP, filters=1000)
        broker.publish(f"{topic}/77/x", "1")
        assert receive(dev, 1)[0].topic == f"{topic}/77/x"
        wide = device().subscribe(f"{topic}/+/x")
        up.wait(UP, filters=1)
        wide.close()
        up.wait(UP, filters=1000)
        dev.close()
        up.wait(UP, filters=0)


def test_two_uplinks_to_each_other(broker, device, topic, tmp_path):
    """A message goes from one broker to the other and no further."""
    (tmp_path / "two").mkdir()
    with Mosquitto(tmp_path / "two", port=18831) as other:
        topics = [(f"{topic}/#", BOTH, 1)]
        with Uplink("m1", broker, topics=topics) as one, Uplink("m2", other, topics=topics) as two:
            one.wait(UP, filters=1)
            two.wait(UP, filters=1)
            dev = device().subscribe(f"{topic}/#", qos=1)
            broker.publish(f"{topic}/a", "1", "-q", "1")
            assert receive(dev, 1)[0].payload == b"1"
            wait_for(lambda: two.show()["publishes_sent"] == 1)
            two.wait(UP, inflight_messages=0)
            assert one.show()["publishes_sent"] == 0
            assert not dev.readable(300)


# Other network namespaces.

SPACES = ("kmqtt-gate", "kmqtt-far")


@pytest.fixture
def spaces():
    """gate (10.77.0.1) and far (10.77.0.2), joined by veth."""
    gate, far = SPACES
    for space in SPACES:
        run("ip", "netns", "del", space, check=False)
        run("ip", "netns", "add", space)
        run("ip", "-n", space, "link", "set", "lo", "up")
    run("ip", "link", "add", "veth-g", "netns", gate, "type", "veth",
        "peer", "name", "veth-f", "netns", far)
    for space, name, address in (gate, "veth-g", "10.77.0.1"), (far, "veth-f", "10.77.0.2"):
        run("ip", "-n", space, "addr", "add", f"{address}/24", "dev", name)
        run("ip", "-n", space, "link", "set", name, "up")
    yield gate, far
    for space in SPACES:
        run("ip", "netns", "del", space, check=False)


def inside(space, script, *args):
    """A script in a network namespace, with this folder's modules."""
    return run("ip", "netns", "exec", space, sys.executable, "-c",
               f"import sys; sys.path.insert(0, {HERE!r})\n{script}", *args)


ADD = """
from kmqtt_uplink import *
import kmqtt_nl
nl = kmqtt_nl.Netlink()
nl.do("uplink-new", name="far", server=server("10.77.0.2", 18830), keepalive=1, backoff_min=1,
      backoff_max=1, connect_timeout=3, client_id="gate", session_expiry=600)
nl.do("uplink-topic-new", uplink="far", filter="#", direction=BOTH, qos=1)
wait_for(lambda: nl.do("uplink-get", name="far")["state"] == UP, text="up")
"""


def test_over_veth(spaces, tmp_path):
    gate, far = spaces
    with Mosquitto(tmp_path, host="10.77.0.2", netns=far) as broker:
        inside(gate, ADD)
        got = inside(gate, """
import kmqtt_dev, subprocess
from kmqtt_uplink import receive
dev = kmqtt_dev.Device().subscribe("in/#")
subprocess.run(["ip", "netns", "exec", sys.argv[1], "mosquitto_pub", "-h", "10.77.0.2", "-p",
                "18830", "-t", "in/x", "-m", "over"], check=True)
print(receive(dev, 1)[0].payload.decode())
""", far)
        assert got.stdout == "over\n"
        assert "gate" in broker.log()
        # a switch of its own: the host's knows nothing of it
        with Uplink("m", up=False) as here:
            assert [one["name"] for one in here.nl.dump("uplink-get")] == ["m"]


def test_netns_goes_with_live_uplinks(spaces, tmp_path):
    """The connection ends with the namespace; nothing of it stays."""
    gate, far = spaces
    with Mosquitto(tmp_path, host="10.77.0.2", netns=far) as broker:
        inside(gate, ADD)
        run("ip", "netns", "del", gate)
        wait_for(lambda: "Client gate" in broker.log() and (
            "disconnected" in broker.log() or "closed its connection" in broker.log()
            or "exceeded timeout" in broker.log()), text="the end of the connection")


def test_netns_goes_while_connecting(spaces):
    """Nobody answers there."""
    gate, _ = spaces
    for _ in range(3):
        inside(gate, """
from kmqtt_uplink import *
import kmqtt_nl
nl = kmqtt_nl.Netlink()
for i in range(4):
    nl.do("uplink-new", name=f"u{i}", server=server("10.77.0.99", 1883), connect_timeout=60)
    nl.do("uplink-topic-new", uplink=f"u{i}", filter="#", direction=DEMAND)
""")
        run("ip", "netns", "del", gate)
        run("ip", "netns", "add", gate)
        run("ip", "-n", gate, "link", "set", "lo", "up")


def test_interface_down(spaces, tmp_path):
    """The keep alive notices; when the interface is back, so is the connection."""
    gate, far = spaces
    with Mosquitto(tmp_path, host="10.77.0.2", netns=far):
        inside(gate, ADD)
        run("ip", "-n", gate, "link", "set", "veth-g", "down")
        inside(gate, """
from kmqtt_uplink import *
import kmqtt_nl, kmqtt_dev
nl = kmqtt_nl.Netlink()
wait_for(lambda: nl.do("uplink-get", name="far")["state"] != UP, 60, "the end")
dev = kmqtt_dev.Device()
for i in range(10):
    dev.publish("out/a", b"%d" % i, qos=1)
assert nl.do("uplink-get", name="far")["queued_messages"] == 10
""")
        run("ip", "-n", gate, "link", "set", "veth-g", "up")
        inside(gate, """
from kmqtt_uplink import *
import kmqtt_nl
nl = kmqtt_nl.Netlink()
def done():
    shown = nl.do("uplink-get", name="far")
    return (shown["state"] == UP and not shown["queued_messages"]
            and not shown["inflight_messages"])
wait_for(done, 60, "up again")
nl.do("uplink-del", name="far")
""")


def test_rmmod_is_refused():
    with Uplink("m", ("127.0.0.1", 1), up=False) as up:
        got = run("rmmod", "kmqtt", check=False)
        assert got.returncode and "in use" in got.stderr
        assert up.show()["name"] == "m"


def test_come_and_go(broker, device, topic):
    """Made, used and deleted over and over while messages flow."""
    dev = device().subscribe(f"{topic}/#")
    for i in range(20):
        with Uplink(f"m{i}", broker, topics=[(f"{topic}/#", BOTH, 1), ("x/#", DEMAND, 1)]) as up:
            if i % 2:
                up.wait(UP)
            for j in range(20):
                dev.publish(f"{topic}/a", b"%d" % j, qos=1)
    assert len(receive(dev, 400)) == 400


def test_states(broker):
    with Uplink("m", up=False) as up:
        up.wait(0)
        up.set(admin_up=1)
        up.wait(WAIT_FD)
        up.set(server=[{"ipv4": 0x7f000001, "port": 1, "host": "nobody"}])
        up.wait(BACKOFF)
        up.set(server=[{"ipv4": 0x7f000001, "port": broker.port, "host": "somebody"}])
        assert up.wait(UP)["peer"]["host"] == "somebody"
        assert up.event("uplink-up")["text"] == f"127.0.0.1:{broker.port}"
        up.set(admin_up=0)
        up.wait(0)


def test_publish_that_waits_for_mosquitto(broker, device, topic):
    dev = device()
    with Uplink("m", broker, topics=[(f"{topic}/#", OUT, 2)]) as up:
        up.wait(UP)
        for qos in (1, 2):
            # nobody subscribes there: 0x10, no matching subscribers
            assert dev.publish_wait(kmqtt_dev.record(f"{topic}/a", b"1", qos=qos), 20000) in (
                0, 0x10)

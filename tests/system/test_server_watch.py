# SPDX-License-Identifier: GPL-2.0
"""The broker watched from outside: $SYS, tracepoints, and the limits of rate."""

import os
import time

import pytest

from kmqtt_client import Will

TRACING = "/sys/kernel/tracing"

# What Mosquitto 2 publishes and what exporters look for; of these, numbers.
NUMBERS = ["clients/total", "clients/inactive", "clients/disconnected", "clients/active",
           "clients/connected", "clients/expired", "clients/maximum", "messages/stored",
           "store/messages/count", "store/messages/bytes", "subscriptions/count",
           "shared_subscriptions/count", "retained messages/count", "heap/current",
           "heap/maximum", "messages/received", "messages/sent", "publish/messages/received",
           "publish/messages/sent", "publish/messages/dropped", "publish/bytes/received",
           "publish/bytes/sent", "bytes/received", "bytes/sent"]
LOADS = ["messages/received", "messages/sent", "publish/received", "publish/sent",
         "publish/dropped", "bytes/received", "bytes/sent", "sockets", "connections"]


def sys_of(broker):
    """All that is retained below $SYS, as a new client gets it."""
    client = broker.connect(f"sys{time.monotonic_ns()}")
    client.subscribe("$SYS/#")
    found = {}
    want = len(NUMBERS) + 3 * len(LOADS) + 2
    while len(found) < want:
        got = client.receive()
        found[got.topic.removeprefix("$SYS/broker/")] = bytes(got.payload).decode()
    client.close()      # more may be on its way
    return found


def until(check, seconds=30):
    """What the switch publishes comes when its turn is."""
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end
        time.sleep(0.2)


def test_sys_has_mosquittos_names_and_formats(broker):
    found = sys_of(broker)
    assert set(found) == set(NUMBERS) | {"version", "uptime"} | \
        {f"load/{name}/{minutes}min" for name in LOADS for minutes in (1, 5, 15)}
    for name in NUMBERS:
        assert found[name].isdecimal(), name
    for name in LOADS:
        whole, _, rest = found[f"load/{name}/5min"].partition(".")
        assert whole.isdecimal() and rest.isdecimal() and len(rest) == 2
    assert found["version"].startswith("kmqtt version ")
    assert found["uptime"].endswith(" seconds")


def test_sys_counts_clients_and_messages(broker, topic, ident):
    broker.kmqtt("set", "sys_interval", 1)
    one = broker.connect(ident)
    two = broker.connect(ident + "-two")
    one.subscribe(f"$share/group/{topic}")
    before = int(sys_of(broker)["publish/messages/received"])
    for _ in range(10):
        two.deliver(topic, b"x")

    def counted():
        found = sys_of(broker)
        return (int(found["clients/connected"]) >= 2 and
                int(found["shared_subscriptions/count"]) >= 1 and
                int(found["publish/messages/received"]) >= before + 10)

    until(counted)
    assert len(one.receive_all(10)) == 10
    one.disconnect()
    two.disconnect()
    until(lambda: int(sys_of(broker)["shared_subscriptions/count"]) == 0)


def test_sys_is_nobody_elses(broker, ident):
    """A client that publishes below $SYS is refused."""
    client = broker.connect(ident)
    watcher = broker.connect(ident + "-watcher")
    watcher.subscribe("$SYS/broker/version")
    watcher.receive()
    assert client.deliver("$SYS/broker/version", b"mine", qos=1) == 0x87
    assert watcher.fence() == []
    assert client.deliver("$share/group/topic", b"mine", qos=1) == 0x87
    will = Will("$SYS/broker/version", b"mine")
    broker.raw().connect(ident + "-will", reason=0x87, will=will)


def test_bridges_tell_their_state(broker, ident):
    """Below $SYS, only that a bridge of Mosquitto's is there, and by its will that it is not."""
    state = f"$SYS/broker/connection/{ident}/state"
    watcher = broker.connect(ident + "-watcher", version=4)
    watcher.subscribe(state, qos=1)
    bridge = broker.connect(ident, version=4, will=Will(state, b"0", 1))
    assert bridge.deliver(state, b"1", qos=1) == 0
    assert watcher.receive().payload == b"1"
    bridge.close()
    assert watcher.receive().payload == b"0"


def test_bridges_may_share(broker, topic):
    """What a bridge gets is not its own, but for a shared subscription, which others have too."""
    bridge, other = broker.connect(version=4, level=0x84), broker.connect(version=4, level=4)
    assert bridge.subscribe(f"$share/group/{topic}", f"{topic}/own") == [0, 0]
    assert other.subscribe(f"{topic}/own") == [0]
    bridge.publish(topic, b"shared", retain=True)
    got = bridge.receive()
    assert (got.payload, got.retain) == (b"shared", True)
    bridge.deliver(f"{topic}/own", b"own")
    bridge.ping()
    assert other.receive().payload == b"own"
    bridge.publish(topic, b"", retain=True)
    bridge.receive()


@pytest.fixture
def trace():
    """A function that tells what was traced; the tracepoints kmqtt:* are on meanwhile."""
    def write(name, text):
        with open(os.path.join(TRACING, name), "w", encoding="ascii") as file:
            file.write(text)

    def read():
        with open(os.path.join(TRACING, "trace"), encoding="ascii") as file:
            return [line for line in file if not line.startswith("#")]

    write("trace", "")
    write("events/kmqtt/enable", "1")
    yield read
    write("events/kmqtt/enable", "0")
    write("trace", "")


def test_tracepoints_tell_the_way_of_a_message(broker, topic, ident, trace):
    client = broker.connect(ident)
    client.subscribe(topic, qos=1)
    client.deliver(topic, b"secret", qos=1)
    client.receive()
    client.fence()
    client.disconnect()
    until(lambda: any("kmqtt_close:" in line and ident in line for line in trace()))
    lines = trace()

    def has(event, *words):
        return any(f"kmqtt_{event}:" in line and all(w in line for w in words)
                   for line in lines)

    name = ident[:31]
    assert has("connect", f"session={name}", "address=127.0.0.1:", "version=5", "reason=0x00")
    assert has("publish", f"session={name}", f"topic={topic[:63]}", "payload=6", "qos=1")
    assert has("route", f"topic={topic[:63]}", "matched=1", "queued=1")
    assert has("deliver", f"session={name}", f"topic={topic[:63]}", "qos=1")
    assert has("ack", f"session={name}", "packet=PUBACK")
    assert not any("secret" in line for line in lines)


def test_tracepoint_of_a_client_that_is_not_let_in(broker, trace):
    client = broker.raw()
    client.send(b"\x10\x0e\0\x04MQTT\x09\0\0\0\0\0\x01x")
    client.not_connected(0x84)
    until(lambda: any("kmqtt_connect:" in line and "reason=0x84" in line for line in trace()))


@pytest.mark.broker(message_rate=20)
def test_message_rate_holds_a_client_up(broker, topic, ident):
    """A second's worth at once, then so many a second: it is slowed down, nothing is lost."""
    sub = broker.connect(ident + "-sub")
    sub.subscribe(topic)
    pub = broker.connect(ident)
    begin = time.monotonic()
    for n in range(60):
        pub.publish(topic, b"%d" % n)
    assert [bytes(got.payload) for got in sub.receive_all(60)] == [b"%d" % n for n in range(60)]
    # 20 at once and 40 more take two seconds: never faster, whatever the machine does
    assert time.monotonic() - begin > 1.5


@pytest.mark.broker(byte_rate=10000)
def test_byte_rate_holds_a_client_up(broker, topic, ident):
    sub = broker.connect(ident + "-sub")
    sub.subscribe(topic)
    pub = broker.connect(ident)
    begin = time.monotonic()
    for _ in range(30):
        pub.publish(topic, bytes(1000))
    sub.receive_all(30)
    assert time.monotonic() - begin > 1.5


@pytest.mark.broker(message_rate=1)
def test_rate_is_raised_for_who_is_there(broker, topic, ident):
    """A new limit holds for clients that are connected, and the others go on meanwhile."""
    sub = broker.connect(ident + "-sub")
    sub.subscribe(topic)
    pub = broker.connect(ident)
    pub.publish(topic, b"0")
    pub.publish(topic, b"1")
    broker.kmqtt("listener", "set", "127.0.0.1:1883", "message-rate", 0)
    for n in range(2, 500):
        pub.publish(topic, b"%d" % n)
    assert len(sub.receive_all(500)) == 500


@pytest.mark.broker(connection_rate=5)
def test_connection_rate(broker, ident):
    begin = time.monotonic()
    for n in range(15):
        broker.connect(f"{ident}-{n}").disconnect()
    assert time.monotonic() - begin > 1.5

# SPDX-License-Identifier: GPL-2.0
"""Options of the whole broker that are in mosquitto.conf too."""

import pytest

from kmqtt_client import Will, connect_packet, subscribe_packet
from kmqtt_packet import (
    PUBACK, PUBREC, REASON_STRING, SESSION_EXPIRY, publish_packet, wait_for)


# message_size_limit

@pytest.mark.broker(message_size_limit=10)
@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("version", [3, 4, 5])
def test_payload_that_is_too_large(broker, topic, version, qos):
    """Dropped and acknowledged; 5.0 is told so. The connection goes on."""
    reader = broker.connect()
    reader.subscribe(topic)
    client = broker.connect(version=version)
    client.publish(topic, bytes(11), qos=qos, packet_id=qos and 7)
    if qos:
        assert client.acked(PUBREC if qos == 2 else PUBACK, 7).reason == \
            (0x83 if version == 5 else 0)
    if qos == 2 and version < 5:
        client.ack(6, 7)
        client.acked(7, 7)
    client.deliver(topic, bytes(10), qos=qos)
    assert len(reader.published().payload) == 10
    assert not reader.fence()


@pytest.mark.broker(message_size_limit=10)
@pytest.mark.parametrize("version, reason", [(3, 5), (4, 5), (5, 0x95)])
def test_will_that_is_too_large(broker, topic, ident, version, reason):
    client = broker.raw(version)
    client.send(connect_packet(ident, version=version, will=Will(topic, bytes(11))))
    client.not_connected(reason)
    broker.connect(ident, version=version, will=Will(topic, bytes(10))).disconnect()


# upgrade_outgoing_qos

@pytest.mark.broker(upgrade_outgoing_qos=True)
def test_qos_of_the_subscription(broker, topic):
    reader = broker.connect()
    reader.subscribe(topic, qos=2)
    sender = broker.connect()
    sender.deliver(topic, b"1", qos=0, retain=True)
    assert reader.receive().qos == 2
    later = broker.connect()
    later.subscribe(topic, qos=1)
    got = later.receive()
    assert (got.qos, got.retain) == (1, True)
    sender.deliver(topic, b"", qos=0, retain=True)


@pytest.mark.broker(upgrade_outgoing_qos=True)
@pytest.mark.parametrize("version", [3, 4, 5])
def test_qos_of_the_subscription_in_one_stream(broker, topic, version):
    """What comes in one piece is as what comes one by one."""
    reader = broker.connect()
    reader.subscribe(topic, qos=1)
    broker.connect(version=version).send(b"".join(
        publish_packet(topic, b"%d" % i, version=version) for i in range(20)))
    assert [(one.qos, one.payload) for one in (reader.receive() for _ in range(20))] == \
        [(1, b"%d" % i) for i in range(20)]


# check_retain_source

RULES = """topic read #
topic write fence/#
user bob
topic write b/#
"""


@pytest.mark.broker(anonymous=True, users={"bob": "x"}, acl=RULES)
@pytest.mark.parametrize("check", [True, False])
def test_retained_message_of_who_lost_his_right(broker, check, tmp_path):
    """It is not sent to new subscribers any more; his session may be long gone."""
    bob = broker.connect(username="bob", password="x")
    for name in ("b/one", "b/two"):
        assert bob.deliver(name, b"x", retain=True) < 0x80
    bob.disconnect()

    def seen():
        reader = broker.connect()
        reader.subscribe("b/#", qos=1)
        topics = sorted(one.topic for one in reader.fence())
        reader.disconnect()
        return topics

    assert seen() == ["b/one", "b/two"]
    (tmp_path / "acl").write_text(RULES.replace("write b/#", "write b/two"), encoding="ascii")
    broker.kmqtt("acl", "load", tmp_path / "acl")
    broker.kmqtt("set", "check_retain_source", "on" if check else "off")
    assert seen() == (["b/two"] if check else ["b/one", "b/two"])
    (tmp_path / "acl").write_text(RULES, encoding="ascii")
    broker.kmqtt("acl", "load", tmp_path / "acl")
    broker.kmqtt("set", "check_retain_source", "on")
    assert seen() == ["b/one", "b/two"]


# max_inflight_bytes

@pytest.mark.broker(max_inflight_bytes=1)
def test_one_in_flight(broker, topic, ident):
    """More wait until it is acknowledged, also when the client comes back."""
    reader = broker.connect(ident, props={SESSION_EXPIRY: 100})
    reader.subscribe(topic, qos=1)
    sender = broker.connect()
    for i in range(3):
        sender.deliver(topic, bytes([i]))
    assert reader.published().payload == b"\0"
    reader.ping()
    reader.close()
    reader = broker.connect(ident, clean=False)
    got = reader.published()
    assert (got.payload, got.dup) == (b"\0", True)
    reader.ping()
    reader.answer(got)
    assert [reader.receive().payload for _ in range(2)] == [b"\1", b"\2"]
    reader.ping()
    reader.disconnect()


# max_sessions

@pytest.mark.broker(max_sessions=1)
def test_no_more_sessions(broker, ident):
    """Who has one may come back to it."""
    client = broker.connect(ident, props={SESSION_EXPIRY: 100})
    for version, reason in (3, 3), (4, 3), (5, 0x97):
        other = broker.raw(version)
        other.send(connect_packet(f"{ident}-other", version=version))
        got = other.not_connected(reason)
    assert got.props == {REASON_STRING: b"max_sessions is reached"}
    client.ping()
    client.close()
    assert broker.connect(ident, clean=False).connack.present


@pytest.mark.parametrize("version, reason", [(3, 2), (4, 2), (5, 0x85)])
def test_name_of_another_kind_of_session(broker, device, ident, version, reason):
    """What a process has is not given to a client."""
    with broker.inside():
        dev = device(ident).subscribe(ident)
    client = broker.raw(version)
    client.send(connect_packet(ident, version=version))
    got = client.not_connected(reason)
    if version == 5:
        assert got.props == {REASON_STRING: b"the client identifier is the name of another kind"
                                            b" of session"}
    dev.publish(ident, b"still mine")
    assert [one.payload for one in dev.read()] == [b"still mine"]


# max_retained_messages

@pytest.mark.broker(max_retained_messages=1, sys_interval=0)
@pytest.mark.parametrize("qos", [1, 2])
def test_no_more_retained_messages(broker, topic, qos):
    """Before 5.0 that cannot be said, and the connection ends. One may take another's place."""
    client, old = broker.connect(), broker.connect(version=4)
    assert client.deliver(topic, b"1", qos=qos, retain=True) < 0x80
    assert client.deliver(f"{topic}/more", b"2", qos=qos, retain=True) == 0x97
    old.publish(f"{topic}/more", b"3", qos=qos, packet_id=1, retain=True)
    old.closed()
    assert client.deliver(topic, b"4", qos=qos, retain=True) < 0x80
    client.subscribe(f"{topic}/#")
    assert client.receive().payload == b"4"
    client.ping()
    client.unsubscribe(f"{topic}/#")
    client.deliver(topic, b"", retain=True)


# memory_limit

@pytest.mark.broker(memory_limit=2000000)
def test_packets_that_have_not_come_as_a_whole(broker, topic):
    """What has come of them counts; there is room for others when it is gone."""
    def memory():
        with broker.netlink() as nl:
            return nl.do("switch-get")["memory"]
    data = subscribe_packet([topic] * (1000000 // len(topic)))
    first, second, third = (broker.connect() for _ in range(3))
    before = memory()
    first.send(data[:600000])
    wait_for(lambda: memory() > before + 600000)
    second.send(data[:600000])
    second.refused(0x97)
    first.leave()
    wait_for(lambda: memory() < before)
    assert third.subscribe(topic, qos=1) == [1]

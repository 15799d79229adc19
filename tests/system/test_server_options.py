# SPDX-License-Identifier: GPL-2.0
"""Options of the whole broker that are in mosquitto.conf too."""

import pytest

from kmqtt_client import Will, connect_packet
from kmqtt_packet import PUBACK, PUBREC, SESSION_EXPIRY


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

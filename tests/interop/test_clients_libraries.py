# SPDX-License-Identifier: GPL-2.0
"""Client libraries that others wrote, against kmqtt: each version of MQTT, each QoS."""

import pytest

from agents import AGENTS, Agent, Message, bytes_of

ALL = [3, 4, 5]
USERS = {"joe": "secret"}

pytestmark = pytest.mark.parametrize("library", AGENTS)


@pytest.fixture
def agent(agents, broker, library):
    return agents(library, broker)


@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("version", ALL)
def test_messages(agent, topic, ident, version, qos):
    """What is published arrives with the lower of both QoS, once, in order, at any length."""
    a = agent.connect("a", version=version, id=f"{ident}a")
    b = agent.connect("b", version=version, id=f"{ident}b")
    assert a.subscribe(f"{topic}/+", qos=2) == 2
    assert b.subscribe(f"{topic}/x", qos=qos) == qos
    for i in range(10):
        assert b.publish(f"{topic}/x", payload=f"{i}", qos=qos) == 0
    assert b.publish(f"{topic}/x", qos=qos) == 0
    assert b.publish(f"{topic}/x", payload="*300000", qos=2) == 0
    payloads = [f"{i}" for i in range(10)] + ["-"]
    for client in a, b:
        for payload in payloads:
            assert client.message() == Message(f"{topic}/x", qos, False, payload, {})
    large = bytes_of(300000)
    assert a.message() == Message(f"{topic}/x", 2, False, large, {})
    assert b.message() == Message(f"{topic}/x", qos, False, large, {})
    a.unsubscribe(f"{topic}/+")
    b.publish(f"{topic}/x", payload="last", qos=1)
    assert b.message().payload == "last"
    assert a.quiet()
    a.disconnect()
    b.disconnect()


@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("version", ALL)
def test_retained(agent, topic, ident, version, qos):
    a = agent.connect("a", version=version, id=ident)
    a.publish(topic, payload="old", qos=qos, retain=1)
    a.publish(topic, payload="kept", qos=qos, retain=1)
    a.subscribe(topic, qos=2)
    assert a.message() == Message(topic, qos, True, "kept", {})
    a.publish(topic, qos=qos, retain=1)
    assert a.message() == Message(topic, qos, False, "-", {})
    b = agent.connect("b", version=version, id=f"{ident}b")
    b.subscribe(topic, qos=2)
    b.publish(topic, payload="new", qos=1)
    assert b.message().payload == "new"
    a.disconnect()
    b.disconnect()


@pytest.mark.parametrize("version", ALL)
def test_will(agent, broker, library, topic, ident, version):
    """Of a program that dies, not of one that says goodbye."""
    a = agent.connect("a", version=version, id=ident)
    a.subscribe(f"{topic}/#", qos=2)
    victim = Agent(library, broker)
    for qos in 0, 1, 2:
        victim.connect(f"v{qos}", version=version, id=f"{ident}v{qos}", topic=f"{topic}/{qos}",
                       payload="gone", qos=qos, retain=int(qos == 1))
    polite = victim.connect("p", version=version, id=f"{ident}p", topic=f"{topic}/p", qos=1)
    polite.disconnect()
    victim.kill()
    got = sorted(a.message() for _ in range(3))
    assert got == [Message(f"{topic}/{qos}", qos, False, "gone", {}) for qos in (0, 1, 2)]
    a.subscribe(f"{topic}/1", qos=1)
    assert a.message().retain
    a.publish(f"{topic}/1", retain=1, qos=1)
    assert a.message().payload == "-"
    a.disconnect()


@pytest.mark.parametrize("version", ALL)
def test_session(agent, topic, ident, version):
    """Subscriptions and messages wait for a client that comes again.

    Whether its session was there is - where a library does not tell it.
    """
    how = {"version": version, "id": f"{ident}a"}
    if version == 5:
        how["session"] = 1000
    a = agent.connect("a", clean=0, **how)
    assert a.connack["present"] != "1"
    assert a.subscribe(topic, qos=2) == 2
    a.disconnect()
    b = agent.connect("b", version=version, id=f"{ident}b")
    for i in range(20):
        b.publish(topic, payload=f"{i}", qos=1 + i % 2)
    b.disconnect()
    a = agent.connect("a", clean=0, **how)
    if version > 3:
        assert a.connack["present"] != "0"
    # a library hands out what is of QoS 2 when its handshake has ended, so each QoS has its order
    got = [a.message() for _ in range(20)]
    for qos in 1, 2:
        assert [m for m in got if m.qos == qos] == [
            Message(topic, qos, False, f"{i}", {}) for i in range(qos - 1, 20, 2)]
    a.disconnect()
    a = agent.connect("a", clean=1, version=version, id=f"{ident}a")
    assert a.connack["present"] != "1"
    a.disconnect()


@pytest.mark.parametrize("version", ALL)
def test_shared(agent, topic, ident, version):
    """Each message goes to one member of the group, in turn."""
    members = [agent.connect(name, version=version, id=f"{ident}{name}") for name in "ab"]
    for member in members:
        assert member.subscribe(f"$share/group/{topic}", qos=2) == 2
    c = agent.connect("c", version=version, id=f"{ident}c")
    for i in range(20):
        c.publish(topic, payload=f"{i}", qos=i % 3)
    got = [[member.message().payload for _ in range(10)] for member in members]
    assert sorted(got[0] + got[1], key=int) == [f"{i}" for i in range(20)]
    for client in *members, c:
        assert client.quiet()
        client.disconnect()


@pytest.mark.parametrize("version", ALL)
def test_take_over(agent, ident, version):
    """The later of two with the same name stays."""
    a = agent.connect("a", version=version, id=ident)
    b = agent.connect("b", version=version, id=ident)
    assert a.code("disconnected") != 0
    assert b.subscribe(ident) == 0
    b.disconnect()


@pytest.mark.parametrize("version", [4, 5])
def test_no_name(agent, topic, version):
    """A name is made for a client that has none; of MQTT 5.0 it is told."""
    a = agent.connect("a", version=version)
    b = agent.connect("b", version=version)
    if version == 5:
        assert a.connack["id"] and b.connack["id"]
        assert a.connack["id"] != b.connack["id"]
    a.subscribe(topic, qos=1)
    b.publish(topic, payload="hello", qos=1)
    assert a.message().payload == "hello"
    a.disconnect()
    b.disconnect()


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_properties(agent, topic, ident, qos):
    """What MQTT 5.0 says beside a message, as published, retained and as a will."""
    props = {"content": "text", "response": f"{topic}/answer", "correlation": "c0ffee",
             "user": "name:value"}
    a = agent.connect("a", id=f"{ident}a")
    assert a.subscribe(f"{topic}/#", qos=2, sub_id=7) == 2
    a.publish(f"{topic}/x", payload="p", qos=qos, **props)
    assert a.message() == Message(f"{topic}/x", qos, False, "p", {**props, "sub_id": "7"})
    a.publish(f"{topic}/x", payload="p", qos=qos, retain=1, expiry=100000, **props)
    a.message()
    b = agent.connect("b", id=f"{ident}b")
    b.subscribe(f"{topic}/x", qos=2)
    got = b.message()
    assert 99000 < int(got.props.pop("expiry")) <= 100000
    assert got == Message(f"{topic}/x", qos, True, "p", props)
    a.publish(f"{topic}/x", retain=1)
    a.disconnect()
    b.disconnect()


def test_no_local(agent, topic, ident):
    a = agent.connect("a", id=f"{ident}a")
    b = agent.connect("b", id=f"{ident}b")
    a.subscribe(topic, qos=1, no_local=1)
    a.publish(topic, payload="mine", qos=1)
    b.publish(topic, payload="theirs", qos=1)
    assert a.message().payload == "theirs"
    assert a.quiet()
    a.disconnect()
    b.disconnect()


@pytest.mark.broker(users=USERS, anonymous=False)
@pytest.mark.parametrize("version", ALL)
def test_password(agent, topic, ident, version):
    a = agent.connect("a", version=version, id=ident, login="joe", password="secret")
    a.subscribe(topic, qos=1)
    a.publish(topic, payload="hello", qos=1)
    assert a.message().payload == "hello"
    a.disconnect()
    wrong = 134 if version == 5 else 5
    agent.connect("b", wrong, version=version, id=ident, login="joe", password="public")
    agent.connect("b", wrong, version=version, id=ident, login="jim", password="secret")
    agent.connect("b", 135 if version == 5 else 5, version=version, id=ident)

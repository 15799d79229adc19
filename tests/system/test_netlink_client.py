# SPDX-License-Identifier: GPL-2.0
"""Remote clients as an administrator sees them: shown, killed, watched."""

import errno
import socket

import pytest

from kmqtt_client import Client, Will, connect_packet
from kmqtt_nl import SPEC_KMQTT, NlError
from kmqtt_packet import MAXIMUM_PACKET_SIZE, SESSION_EXPIRY, packet, wait_for

pytestmark = pytest.mark.broker(max_qos=1)
REMOTE = SPEC_KMQTT.value("session-type", "remote")


@pytest.fixture
def nl(broker):
    with broker.netlink() as one:
        yield one


@pytest.fixture
def watcher(broker):
    with broker.netlink() as one:
        one.listen()
        yield one


def refused(call, *args, **more):
    with pytest.raises(NlError) as error:
        call(*args, **more)
    return error.value


def address(client):
    return "{}:{}".format(*client.sock.getsockname())


# Shown

@pytest.mark.parametrize("version", [3, 4, 5])
def test_shown(broker, nl, ident, version):
    client = broker.connect(ident, version=version, clean=False, keepalive=77, username="someone")
    client.subscribe("shown/#", "$share/g/x")
    shown = nl.do("session-get", name=ident)
    wanted = {"name": ident, "kind": REMOTE, "attached": 1, "online": 1, "user": "someone",
              "subscriptions": 2, "peer": address(client), "listener": "127.0.0.1:1883",
              "version": version, "keepalive": 77, "packets_received": 2}
    assert {key: shown[key] for key in wanted} == wanted
    assert "uid" not in shown
    assert shown["bytes_received"] > shown["bytes_sent"] > 0
    # what was sent is counted when it has been
    wait_for(lambda: nl.do("session-get", name=ident)["packets_sent"] == 2)
    assert nl.do("session-get", number=shown["number"])["name"] == ident
    assert [one for one in nl.dump("session-get") if one["name"] == ident][0]["peer"] == \
        address(client)
    client.disconnect()
    broker.connect(ident, version=version).disconnect()


def test_shown_while_it_is_away(broker, nl, ident):
    """What is the connection's is gone; messages wait, and more are lost than may wait."""
    broker.connect(ident, props={SESSION_EXPIRY: 100}).subscribe(f"{ident}/#", qos=1)
    broker.close_clients()
    other = broker.connect()
    wait_for(lambda: not nl.do("session-get", name=ident)["attached"])
    shown = nl.do("session-get", name=ident)
    assert not shown.keys() & {"peer", "listener", "version", "keepalive", "bytes_sent"}
    before = nl.do("switch-get")["max_queued_messages"]
    nl.do("switch-set", max_queued_messages=2)
    for i in range(5):
        other.deliver(f"{ident}/{i}", b"x")
    nl.do("switch-set", max_queued_messages=before)
    shown = nl.do("session-get", name=ident)
    assert (shown["queued_messages"], shown["dropped_messages"]) == (2, 3)
    assert 0 < shown["expires_in"] <= 100
    nl.do("session-del", name=ident)


@pytest.mark.parametrize("size", [257, 65530])
def test_long_name(broker, nl, size):
    """Of a client that may be long, but still found by its name."""
    name = "n" * size
    client = broker.connect(name)
    client.subscribe("a/b")
    assert nl.do("session-get", name=name)["name"] == name
    shown = nl.dump("subscription-get", session=name)
    assert [one["filter"] for one in shown] == ["a/b"]
    assert shown[0]["session"] == name[:16384]
    nl.do("session-del", name=name)
    client.refused(0x98)


def test_name_that_no_attribute_holds(broker, nl):
    """Two clients whose names differ only behind that; each has a number."""
    names = ["n" * 65534 + end for end in "ab"]
    clients = [broker.connect(name, username="u" * 30000) for name in names]
    for i, client in enumerate(clients):
        client.subscribe("f" * 65534 + str(i))
    shown = [one for one in nl.dump("session-get") if one["name"] == "n" * 65530]
    assert len({one["number"] for one in shown}) == 2
    assert {one["user"] for one in shown} == {"u" * 16384}
    first = [one for one in shown if one["peer"] == address(clients[0])][0]["number"]
    subscriptions = nl.dump("subscription-get", number=first)
    assert [(one["number"], len(one["filter"]), one["session"]) for one in subscriptions] == \
        [(first, 65530, "n" * 16384)]
    assert len([one for one in nl.dump("subscription-get") if len(one["filter"]) == 65530]) == 2
    assert refused(nl.do, "session-get", name="n" * 65530).errno == errno.ENOENT
    nl.do("session-del", number=first)
    clients[0].refused(0x98)
    clients[1].ping()
    error = refused(nl.do, "session-del", number=first)
    assert (error.errno, error.text) == (errno.ENOENT, "no session of that number")
    assert error.offset == 20


# Killed

@pytest.mark.parametrize("reason", [None, 0x8b, 0x97, 0x9d])
def test_killed(broker, nl, watcher, ident, reason):
    """5.0 is told why, and the session is gone; so is its will published."""
    client = broker.connect(ident, props={SESSION_EXPIRY: 100}, will=Will(f"{ident}/will"))
    other = broker.connect()
    other.subscribe(f"{ident}/will")
    nl.do("session-del", name=ident, **({"reason": reason} if reason else {}))
    client.refused(reason or 0x98)
    assert other.published().topic == f"{ident}/will"
    event = watcher.event_of("detach", session=ident)
    assert (event["reason"], event["peer"]) == (reason or 0x98, address(client))
    assert refused(nl.do, "session-get", name=ident).errno == errno.ENOENT
    assert not broker.connect(ident, clean=False).connack.present


@pytest.mark.parametrize("version", [3, 4])
def test_killed_without_a_word(broker, nl, ident, version):
    """A server of 3.x has no DISCONNECT."""
    client = broker.connect(ident, version=version)
    nl.do("session-del", name=ident)
    client.closed()


def test_killed_with_a_reason_that_disconnect_has_not(broker, nl, ident):
    client = broker.connect(ident)
    nl.do("session-del", name=ident, reason=0x86)
    client.refused(0x80)


# Watched

@pytest.mark.parametrize("version", [3, 4, 5])
def test_coming_and_going(broker, watcher, ident, version):
    client = broker.connect(ident, version=version)
    event = watcher.event_of("attach", session=ident)
    assert (event["peer"], event["listener"], event["version"]) == \
        (address(client), "127.0.0.1:1883", version)
    client.subscribe("a/b")
    assert watcher.event_of("subscribe", session=ident)["topic"] == "a/b"
    where = address(client)
    client.disconnect()
    event = watcher.event_of("detach", session=ident)
    assert (event["reason"], event["peer"], "error" in event) == (0, where, False)


def test_gone_with_a_reason(broker, watcher, ident):
    """Its own reason, the keep alive's, the network's."""
    broker.connect(ident).disconnect(0x04)
    assert watcher.event_of("detach", session=ident)["reason"] == 0x04
    broker.connect(ident, keepalive=1).refused(0x8d)
    event = watcher.event_of("detach", session=ident)
    assert (event["reason"], event["error"]) == (0x8d, errno.ETIMEDOUT)
    broker.connect(ident).close()
    event = watcher.event_of("detach", session=ident)
    assert (event["reason"], event["error"]) == (0, errno.EPIPE)


@pytest.mark.parametrize("clean", [True, False])
def test_taken_over(broker, watcher, ident, clean):
    """The event has the address of the one that is pushed out."""
    client = broker.connect(ident)
    broker.connect(ident, clean=clean)
    event = watcher.event_of("takeover", session=ident)
    assert (event["reason"], event["peer"]) == (0x8e, address(client))
    client.refused(0x8e)


@pytest.mark.broker(anonymous=False)
def test_not_let_in(broker, watcher, ident):
    client = broker.raw()
    client.send(connect_packet(ident))
    client.not_connected(0x87)
    event = watcher.event_of("client-refused")
    assert (event["session"], event["reason"], event["version"]) == (ident, 0x87, 5)
    assert (event["peer"], event["listener"]) == (address(client), "127.0.0.1:1883")
    assert event["text"] == "this listener lets in no one without a user name and password"


def test_malformed(broker, nl, watcher, ident):
    before = nl.do("stats-get")["malformed"]
    client = broker.connect(ident)
    client.send(packet(15, b"", 1))
    client.refused(0x81)
    event = watcher.event_of("client-malformed")
    assert (event["session"], event["reason"], event["peer"]) == (ident, 0x81, address(client))
    assert watcher.event_of("detach", session=ident)["reason"] == 0x81
    silent = broker.raw()
    where = address(silent)
    silent.send(b"GET / HTTP/1.0\r\n\r\n")
    silent.closed()
    event = watcher.event_of("client-malformed", peer=where)
    assert event["reason"] and "session" not in event
    assert nl.do("stats-get")["malformed"] == before + 2


def test_too_large_for_a_client(broker, watcher, ident):
    """Lost for that one alone."""
    small = broker.connect(ident, props={MAXIMUM_PACKET_SIZE: 100})
    large = broker.connect()
    for one in (small, large):
        one.subscribe(f"{ident}/a", qos=1)
    broker.connect().deliver(f"{ident}/a", bytes(200))
    assert len(large.receive().payload) == 200
    event = watcher.event_of("drop", session=ident)
    assert (event["reason"], event["count"]) == (0x95, 1)


def test_killing_while_it_is_busy(broker, nl, ident):
    """Clients that send and are sent to as fast as they can are killed at any point."""
    sender = broker.connect()
    for i in range(30):
        name = f"{ident}{i}"
        client = broker.connect(name)
        client.subscribe(f"{ident}/#", qos=1)
        for _ in range(20):
            sender.publish(f"{ident}/x", bytes(3000))
            client.publish(f"{ident}/y", bytes(3000))
        nl.do("session-del", name=name)
        client.ended()
        client.close()
    sender.ping()


def test_killing_a_reader_that_does_not_read(broker, nl, ident):
    """Its buffers are full: it cannot be told, and goes all the same."""
    client = broker.raw()
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client = Client(client.sock).connect(ident)
    client.subscribe(f"{ident}/#")
    sender = broker.connect()
    for _ in range(300):
        sender.publish(f"{ident}/x", bytes(50000))
    sender.ping()
    nl.do("session-del", name=ident)
    assert refused(nl.do, "session-get", name=ident).errno == errno.ENOENT
    sender.disconnect()
    wait_for(lambda: nl.do("listener-get", name="127.0.0.1:1883")["connections"] == 0)

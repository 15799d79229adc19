# SPDX-License-Identifier: GPL-2.0
"""Sessions and subscriptions are shown, and killed."""

import errno
import os

import pytest

from kmqtt_dev import FOREVER, MANUAL_ACK
from kmqtt_nl import NLM_F_DUMP, SPEC_KMQTT, NlError, attribute, decode, encode

SESSION = SPEC_KMQTT.sets["subscription"]["session"].number


def refused(call, *args, **more):
    with pytest.raises(NlError) as error:
        call(*args, **more)
    return error.value


def test_named_session(nl, device, topic):
    dev = device("session one", flags=MANUAL_ACK, expiry=100, policy=3, messages=5, size=600,
                 inflight=7)
    dev.subscribe(topic, qos=1)
    dev.publish(topic, b"12345", qos=1)
    session = nl.do("session-get", name="session one")
    wanted = {"name": "session one", "kind": SPEC_KMQTT.value("session-type", "local"),
              "ack_mode": SPEC_KMQTT.value("ack-type", "manual"), "policy": 3, "attached": 1,
              "online": 1, "uid": os.getuid(), "expiry": 100, "subscriptions": 1,
              "queued_messages": 1, "inflight_messages": 0, "max_queued_messages": 5,
              "max_queued_bytes": 600, "max_inflight": 7, "published_messages": 1,
              "published_bytes": len(topic) + 5, "delivered_messages": 0, "dropped_messages": 0,
              "expired_messages": 0}
    assert {key: session[key] for key in wanted} == wanted
    assert session["queued_bytes"] > 5
    assert "expires_in" not in session
    dev.read()
    session = nl.do("session-get", name="session one")
    assert (session["queued_messages"], session["inflight_messages"]) == (0, 1)
    assert session["delivered_bytes"] == len(topic) + 5


def test_detached_session(nl, device):
    device("detached", expiry=100).close()
    device("for ever", expiry=FOREVER).close()
    session = nl.do("session-get", name="detached")
    assert (session["attached"], session["online"]) == (0, 0)
    assert 90 <= session["expires_in"] <= 100
    session = nl.do("session-get", name="for ever")
    assert session["expiry"] == FOREVER and "expires_in" not in session
    again = device("detached", expiry=FOREVER)
    assert "expires_in" not in nl.do("session-get", name="detached")
    again.close()
    assert "expires_in" not in nl.do("session-get", name="detached")
    nl.do("session-del", name="detached")
    nl.do("session-del", name="for ever")
    for name in ("detached", "for ever"):
        error = refused(nl.do, "session-get", name=name)
        assert (error.errno, error.text) == (errno.ENOENT, "no session of that name")
        assert error.offset == 20


def test_kill_attached(nl, device, topic):
    dev = device("victim", expiry=100)
    dev.subscribe(topic)
    nl.listen()
    nl.do("session-del", name="victim", reason=0x97)
    assert nl.event_of("detach", session="victim")["reason"] == 0x97
    with pytest.raises(OSError) as error:
        dev.read()
    assert error.value.errno == errno.ESHUTDOWN
    assert refused(nl.do, "session-get", name="victim").errno == errno.ENOENT
    assert nl.do("publish", topic=topic) == {"receivers": 0}


def test_kill_reason(nl, device):
    """Administrative action by default; reason codes of success are none to kill with."""
    device("victim", expiry=100)
    nl.listen()
    assert refused(nl.do, "session-del", name="victim", reason=0).errno == errno.ERANGE
    nl.do("session-del", name="victim")
    assert nl.event_of("detach", session="victim")["reason"] == 0x98


def test_kill_needs_name(nl):
    error = refused(nl.do, "session-del", reason=128)
    assert error.errno == errno.EINVAL
    assert error.missing == SPEC_KMQTT.sets["session"]["name"].number
    assert error.text == "which session?"
    error = refused(nl.do, "session-del", name="nobody")
    assert (error.errno, error.text) == (errno.ENOENT, "no session of that name")


@pytest.fixture
def many(nl, device):
    """Sessions whose dump needs several messages."""
    names = [f"many-{i:03}-" + "x" * 240 for i in range(150)]
    for name in names:
        device(name, expiry=100).close()
    yield names
    for name in names:
        try:
            nl.do("session-del", name=name)
        except NlError:
            pass


def test_dump_in_parts(nl, many):
    shown = nl.dump("session-get")
    assert nl.parts > 5
    assert [s["name"] for s in shown if s["name"].startswith("many-")] == many
    numbers = [s["number"] for s in shown]
    assert numbers == sorted(set(numbers))


def test_dump_goes_on_after_changes(nl, netlink, many):
    """What goes or comes while a dump is under way does not hide or double the others."""
    nl.send_op("session-get", b"", NLM_F_DUMP)
    seen = [decode("session", data[4:])["name"] for kind, _, _, data in nl.receive()]
    seen = [name for name in seen if name.startswith("many-")]
    assert 0 < len(seen) < len(many)
    other = netlink()
    gone = many[:len(seen)] + many[60:70]
    for name in gone:
        other.do("session-del", name=name)
    seen += [s["name"] for s in (decode("session", data[4:]) for data in nl.answer())
             if s["name"].startswith("many-")]
    assert len(set(seen)) == len(seen)
    assert set(many) - set(gone) <= set(seen)


def test_dump_given_up(nl, netlink, many):
    """A socket that is closed in the middle of a dump."""
    for _ in range(10):
        other = netlink()
        other.send_op("session-get", b"", NLM_F_DUMP)
        list(other.receive())
        other.close()
    assert len(nl.dump("session-get")) >= len(many)


# Subscriptions

def test_subscriptions(nl, device, netlink, topic):
    dev = device("subscriber")
    dev.subscribe(topic + "/#", qos=2, sub_id=9, flags=3, retain_handling=2)
    dev.subscribe("$share/group/" + topic)
    netlink().do("subscribe", filter=topic)
    number = nl.do("session-get", name="subscriber")["number"]
    shown = nl.dump("subscription-get", session="subscriber")
    assert sorted(shown, key=lambda s: s["filter"]) == [
        {"session": "subscriber", "number": number, "filter": "$share/group/" + topic, "qos": 0,
         "no_local": 0, "retain_as_published": 0, "retain_handling": 0},
        {"session": "subscriber", "number": number, "filter": topic + "/#", "qos": 2,
         "no_local": 1, "retain_as_published": 1, "retain_handling": 2, "id": 9}]
    assert nl.dump("subscription-get", number=number) == shown
    everything = nl.dump("subscription-get")
    assert all(s in everything for s in shown)
    assert [s["filter"] for s in everything if s["filter"] == topic] == [topic]


def test_subscriptions_of_nobody(nl):
    error = refused(nl.dump, "subscription-get", session="nobody")
    assert (error.errno, error.text) == (errno.ENOENT, "no session of that name")


def test_subscriptions_in_parts(nl, device, topic):
    wanted = set()
    for i in range(4):
        dev = device(f"subscriber-{i}")
        for j in range(100):
            dev.subscribe(f"{topic}/{i}/{j}/" + "y" * 100)
            wanted.add((f"subscriber-{i}", f"{topic}/{i}/{j}/" + "y" * 100))
    shown = [(s["session"], s["filter"]) for s in nl.dump("subscription-get")
             if s["filter"].startswith(topic)]
    assert nl.parts > 5
    assert len(shown) == 400 and set(shown) == wanted
    shown = [s["filter"] for s in nl.dump("subscription-get", session="subscriber-2")]
    assert nl.parts > 2
    assert len(shown) == 100 and {("subscriber-2", f) for f in shown} <= wanted


def test_subscriptions_go_on_after_changes(nl, netlink, device, topic):
    """As for sessions: what goes or comes meanwhile does not hide or double the others."""
    dev = device("subscriber")
    names = [f"{topic}/{i}/" + "y" * 100 for i in range(200)]
    for name in names:
        dev.subscribe(name)
    for more in ({}, {"session": "subscriber"}):
        nl.send_op("subscription-get", encode("subscription", more), NLM_F_DUMP)
        seen = [decode("subscription", data[4:])["filter"] for _, _, _, data in nl.receive()]
        assert 0 < len(set(seen) & set(names)) < len(names)
        gone = names[:10] + names[100:110]
        for name in gone:
            dev.unsubscribe(name)
        dev.subscribe(names[20], qos=2)
        seen += [decode("subscription", data[4:])["filter"] for data in nl.answer()]
        seen = [name for name in seen if name.startswith(topic)]
        assert len(set(seen)) == len(seen)
        assert set(names) - set(gone) <= set(seen)
        for name in gone:
            dev.subscribe(name)


def test_dump_of_a_session_that_comes_anew(nl, device, topic):
    """Another one of that name has subscriptions of its own."""
    names = [f"{topic}/{i}/" + "y" * 100 for i in range(100)]
    with device("subscriber") as dev:
        for name in names:
            dev.subscribe(name)
        nl.send_op("subscription-get", encode("subscription", {"session": "subscriber"}),
                   NLM_F_DUMP)
        assert list(nl.receive())
    device("subscriber").subscribe(topic)
    shown = [decode("subscription", data[4:])["filter"] for data in nl.answer()]
    assert topic in shown


def test_subscriptions_of_neighbours(nl, netlink, topic):
    """Sessions whose numbers follow one another."""
    wanted = [f"{topic}/{i}/{j}" for i in range(3) for j in range(4)]
    sockets = [netlink() for _ in range(3)]
    for i, one in enumerate(sockets):
        for j in range(4):
            one.do("subscribe", filter=f"{topic}/{i}/{j}")
    numbers = [one.do("session-get")["number"] for one in sockets]
    assert numbers == list(range(numbers[0], numbers[0] + 3))
    assert sorted(s["filter"] for s in nl.dump("subscription-get")
                  if s["filter"].startswith(topic)) == wanted


def test_long_filters(nl, device):
    """One of 65530 bytes is shown whole, a longer one cut off there."""
    dev = device("long")
    dev.subscribe("z" * 65530)
    dev.subscribe("z" * 65535)
    dev.subscribe("short")
    shown = [s["filter"] for s in nl.dump("subscription-get", session="long")]
    assert sorted(map(len, shown)) == [5, 65530, 65530]


def test_request_attributes_of_a_dump(nl):
    """A dump is as strict as a command."""
    nl.send_op("subscription-get", encode("subscription", {"qos": 1}), NLM_F_DUMP)
    assert refused(nl.answer).errno == errno.EINVAL
    nl.send_op("subscription-get", attribute(SESSION, b"no NUL"), NLM_F_DUMP)
    assert refused(nl.answer).errno == errno.EINVAL


@pytest.mark.parametrize("command, attrs", [
    ("session-get", {"name": "n"}), ("uplink-get", {"name": "n"}), ("acl-get", {"id": 1}),
    ("listener-get", {"name": "n"}), ("user-get", {"name": "n"})])
def test_a_dump_that_takes_no_attributes(nl, command, attrs):
    """One that names something to show would not get what it asks for."""
    nl.send_op(command, encode(SPEC_KMQTT.op_set[command], attrs), NLM_F_DUMP)
    error = refused(nl.answer)
    assert error.errno == errno.EINVAL and error.text

# SPDX-License-Identifier: GPL-2.0
"""Who may do what."""

import contextlib
import errno
import subprocess

import pytest

from kmqtt_dev import RETAIN, Device, record
from kmqtt_nl import SPEC_KMQTT, Netlink, NlError
from kmqtt_user import as_user, in_child, in_user_namespace, setns

# Commands that need CAP_NET_ADMIN, with a request that would be accepted.
PRIVILEGED = {
    "switch-set": {"max_sessions": 5}, "uplink-new": {"name": "u"}, "uplink-set": {"name": "u"},
    "uplink-del": {"name": "u"}, "uplink-get": {"name": "u"},
    "uplink-topic-new": {"uplink": "u", "filter": "f", "direction": 1},
    "uplink-topic-del": {"uplink": "u", "filter": "f"}, "session-get": {"name": "n"},
    "session-del": {"name": "n"}, "retained-del": {"filter": "nothing/here"},
    "acl-new": {"allow": 1}, "acl-del": {"id": 1}, "acl-flush": {},
    "acl-replace": {"rule": [{"allow": 1}]},
    "listener-new": {"name": "l"}, "listener-set": {"name": "l"}, "listener-del": {"name": "l"},
    "listener-get": {"name": "l"}, "client-attach": {"name": "l", "fd": 0},
    "auth-register": {}, "auth-reply": {"id": 1, "verdict": 0},
    "user-set": {"name": "u", "iterations": 1, "salt": b"s", "hash": bytes(64)},
    "user-del": {"name": "u"}, "user-flush": {},
    "user-replace": {"entry": [{"name": "u", "iterations": 1, "salt": b"s", "hash": bytes(64)}]}}

DUMPS = ["uplink-get", "uplink-topic-get", "session-get", "subscription-get", "retained-get",
         "acl-get", "user-get", "listener-get"]


def attempt(call, *args, **more):
    """0 or the errno."""
    try:
        call(*args, **more)
    except OSError as error:
        return error.errno
    return 0


def all_privileged():
    """What comes of all that needs the privilege."""
    with Netlink() as nl:
        out = {name: attempt(nl.do, name, **attrs) for name, attrs in PRIVILEGED.items()}
        out.update({"dump " + name: attempt(nl.dump, name) for name in DUMPS})
        out["events"] = attempt(nl.listen)
        return out


def test_nothing_was_forgotten():
    """Each command is either here, or needs no privilege."""
    free = {"switch-get", "stats-get", "publish", "subscribe", "unsubscribe", "message", "event",
            "auth-request"}
    assert set(SPEC_KMQTT.ops) == set(PRIVILEGED) | set(DUMPS) | free


def test_without_capability(nl):
    before = nl.do("switch-get")
    result = as_user(1234, all_privileged)
    assert set(result.values()) == {errno.EPERM}, result
    after = nl.do("switch-get")
    assert after["max_sessions"] == before["max_sessions"]


def test_says_why_own_session_only():
    def run():
        with Netlink() as mine:
            out = []
            for call, more in ((mine.do, {"name": "n"}), (mine.dump, {})):
                try:
                    call("session-get", **more)
                except NlError as error:
                    out.append(error.text)
            return out

    assert as_user(1234, run) == ["a session of others is shown to CAP_NET_ADMIN only",
                                  "all sessions are shown to CAP_NET_ADMIN only"]


def test_what_needs_no_privilege_where_a_rule_allows_it(nl, topic):
    def run():
        with Netlink() as mine:
            mine.do("subscribe", filter=topic, qos=1)
            mine.do("publish", topic=topic, payload=b"x", qos=1)
            message = mine.message()
            mine.do("unsubscribe", filter=topic)
            session = mine.do("session-get")
            return [mine.do("switch-get")["abi"], mine.do("stats-get")["messages_published"] > 0,
                    message["topic"], session["uid"], session["published_messages"]]

    nl.do("acl-new", filter=topic, access=3, allow=1)
    try:
        assert as_user(1234, run) == [1, True, topic, 1234, 1]
    finally:
        nl.do("acl-flush")


def test_root_of_a_user_namespace_in_our_network():
    """Capabilities count in the user namespace that owns the network namespace."""
    result = in_user_namespace(all_privileged, network=False)
    assert set(result.values()) == {errno.EPERM}, result


def test_owner_of_a_network_namespace(nl, topic):
    """He may configure his own, which is another switch."""
    before = nl.do("switch-get")

    def run():
        with Netlink() as mine, Netlink() as other:
            mine.listen()
            mine.do("switch-set", max_sessions=77)
            mine.do("publish", topic=topic, payload=b"x", retain=1)
            mine.do("acl-new", who=1, uid=0, allow=1)
            refused = attempt(mine.do, "acl-new", who=1, uid=4711, allow=1)
            other.do("subscribe", filter=topic)
            return [mine.do("switch-get")["max_sessions"], len(mine.dump("retained-get")),
                    mine.dump("acl-get")[0]["uid"], refused, other.message()["topic"],
                    mine.event() is not None, mine.do("session-get")["uid"],
                    len(mine.dump("session-get"))]

    assert in_user_namespace(run, network=True) == [77, 1, 0, errno.EINVAL, topic, True, 0, 2]
    assert nl.do("switch-get")["max_sessions"] == before["max_sessions"]
    assert nl.dump("retained-get", filter=topic) == []
    assert nl.dump("acl-get") == []


def test_owner_of_a_network_namespace_has_a_share_of_memory():
    """An eighth of the machine, which is what a switch has at first; he cannot make it more."""
    size = 1 << 20

    def run():
        with Netlink() as mine, Device() as device:
            share = mine.do("switch-get")["memory_limit"]
            mine.do("switch-set", memory_limit=0)
            count = 0
            with contextlib.suppress(OSError):
                while count * size < 2 * share:
                    device.write(record(f"a/{count}", bytes(size), flags=RETAIN))
                    count += 1
            mine.do("retained-del", filter="#")
            return count * size / share

    assert 0.9 < in_user_namespace(run, network=True) < 1.1


@pytest.fixture
def namespace():
    subprocess.run(["ip", "netns", "add", "kmqtt-nl"], check=True)
    yield "/run/netns/kmqtt-nl"
    subprocess.run(["ip", "netns", "del", "kmqtt-nl"], check=True)


def test_one_switch_per_network_namespace(nl, netlink, namespace, topic):
    other = netlink()
    other.do("subscribe", filter=topic)

    def run():
        setns(namespace)
        with Netlink() as there:
            there.do("subscribe", filter=topic)
            return there.do("publish", topic=topic)["receivers"]

    assert in_child(run) == 1
    assert other.message(0) is None
    assert nl.do("publish", topic=topic) == {"receivers": 1}


def test_namespace_goes_with_a_subscriber(nl, netlink, topic):
    """A socket keeps its namespace; both go, in either order."""
    for _ in range(3):
        subprocess.run(["ip", "netns", "add", "kmqtt-gone"], check=True)

        def run():
            setns("/run/netns/kmqtt-gone")
            there, publisher = Netlink(rcvbuf=4096), Netlink()
            there.do("subscribe", filter=topic, qos=1)
            for _ in range(50):
                publisher.do("publish", topic=topic, payload=bytes(900), qos=1)
            subprocess.run(["ip", "netns", "del", "kmqtt-gone"], check=True)
            publisher.do("publish", topic=topic, qos=1)
            return there.do("session-get")["queued_messages"] > 0

        assert in_child(run)
    assert nl.do("switch-get")["abi"] == 1
    assert netlink().do("publish", topic=topic) == {"receivers": 0}


def test_module_stays_while_a_socket_has_a_session(netlink, topic):
    one = netlink()
    one.do("subscribe", filter=topic)
    done = subprocess.run(["rmmod", "kmqtt"], capture_output=True, text=True, check=False)
    assert done.returncode != 0 and "in use" in done.stderr
    assert one.do("publish", topic=topic) == {"receivers": 1}

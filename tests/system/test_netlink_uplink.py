# SPDX-License-Identifier: GPL-2.0
"""Uplinks are configured and shown. What they then do is tested elsewhere."""

import errno
import os
import socket
import threading
import time

import pytest

from kmqtt_memory import kernels_own
from kmqtt_nl import NLM_F_DUMP, SPEC_KMQTT, NlError, decode

STATE = SPEC_KMQTT.values["link-state"]
DIRECTION = SPEC_KMQTT.values["direction"]
LOCAL = {"ipv4": 0x7f000001, "port": 1, "host": "localhost"}

# Each setting, with a value that is not the default.
SETTINGS = {
    "version": 4, "client_id": "id", "username": "user", "will_topic": "will/topic",
    "will_payload": b"gone\0", "will_qos": 2, "will_retain": 1, "will_delay": 9,
    "keepalive": 77, "clean_start": 1, "session_expiry": 88, "receive_maximum": 99,
    "maximum_packet_size": 5000, "topic_alias_maximum": 12, "max_inflight_messages": 13,
    "max_queued_messages": 14, "max_queued_bytes": 1 << 34, "policy": 3, "connect_timeout": 15,
    "backoff_min": 16, "backoff_max": 17, "stable": 18, "try_private": 0, "batch": 19,
    "server": [{"ipv4": 0x0a000001, "port": 1883, "host": "first.example"},
               {"ipv6": bytes(15) + b"\1", "port": 8883, "scope_id": 0},
               {"ipv6": b"\xfe\x80" + bytes(13) + b"\2", "port": 1, "scope_id": 3,
                "host": "h" * 255}]}
WILL = ["will_topic", "will_payload", "will_qos", "will_retain", "will_delay"]


def refused(call, *args, **more):
    with pytest.raises(NlError) as error:
        call(*args, **more)
    return error.value


@pytest.fixture(autouse=True)
def forget(nl):
    yield
    for uplink in nl.dump("uplink-get"):
        nl.do("uplink-del", name=uplink["name"])


class Broker:
    """Accepts connections and says in MQTT 5.0 that it does; keeps what it got."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.got = []
        self.open = []
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        try:
            while True:
                self.serve(self.listener.accept()[0])
        except OSError:
            pass

    def serve(self, sock):
        self.open.append(sock)
        self.got.append(sock.recv(4096))
        sock.sendall(bytes([0x20, 3, 0, 0, 0]))

    def close(self):
        self.listener.close()
        for sock in self.open:
            sock.close()


@pytest.fixture
def broker():
    one = Broker()
    yield one
    one.close()


def wait_for(nl, name, state):
    for _ in range(200):
        uplink = nl.do("uplink-get", name=name)
        if uplink["state"] == STATE[state]:
            return uplink
        time.sleep(0.05)
    return pytest.fail(f"{name} is not {state} but {uplink}")


def test_defaults(nl):
    nl.do("uplink-new", name="plain", admin_up=0)
    uplink = nl.do("uplink-get", name="plain")
    wanted = {"name": "plain", "version": 5, "has_password": 0, "keepalive": 60,
              "clean_start": 0, "session_expiry": 86400, "receive_maximum": 1000,
              "maximum_packet_size": 0, "topic_alias_maximum": 10, "connect_timeout": 10,
              "backoff_min": 1, "backoff_max": 60, "stable": 10, "try_private": 1, "batch": 8,
              "admin_up": 0, "state": STATE["down"], "topics": 0, "connects": 0}
    assert {key: uplink[key] for key in wanted} == wanted
    assert not {"server", "client_id", "username", "will_topic", "policy", "password"} & \
           set(uplink)


def test_all_settings(nl):
    nl.do("uplink-new", name="all", admin_up=0, password=b"secret", **SETTINGS)
    uplink = nl.do("uplink-get", name="all")
    assert {key: uplink[key] for key in SETTINGS} == SETTINGS
    assert uplink["has_password"] == 1 and "password" not in uplink


@pytest.mark.parametrize("key", [key for key in SETTINGS if key not in WILL])
def test_set_one(nl, key):
    """What is not named stays."""
    nl.do("uplink-new", name="one", admin_up=0)
    before = nl.do("uplink-get", name="one")
    more = {"backoff_max": 3600} if key == "backoff_min" else {}
    nl.do("uplink-set", name="one", **{key: SETTINGS[key]}, **more)
    after = nl.do("uplink-get", name="one")
    assert after[key] == SETTINGS[key] != before.get(key)
    same = [k for k in before if k in SETTINGS and k not in (key, *more)]
    assert [after[k] for k in same] == [before[k] for k in same]


def test_set_will_and_password(nl):
    nl.do("uplink-new", name="will", admin_up=0)
    nl.do("uplink-set", name="will", **{key: SETTINGS[key] for key in WILL})
    uplink = nl.do("uplink-get", name="will")
    assert {key: uplink[key] for key in WILL} == {key: SETTINGS[key] for key in WILL}
    nl.do("uplink-set", name="will", will_topic="")
    assert "will_topic" not in nl.do("uplink-get", name="will")
    nl.do("uplink-set", name="will", password=b"x", username="u")
    assert nl.do("uplink-get", name="will")["has_password"] == 1
    nl.do("uplink-set", name="will", password=b"", username="")
    uplink = nl.do("uplink-get", name="will")
    assert uplink["has_password"] == 0 and "username" not in uplink


@pytest.mark.parametrize("attrs, number, text", [
    ({"name": ""}, errno.EINVAL, "a name has 1 to 63 of the characters A-Z a-z 0-9 . _ -"),
    ({"name": "a/b"}, errno.EINVAL, "a name has 1 to 63 of the characters A-Z a-z 0-9 . _ -"),
    ({"version": 2}, errno.ERANGE, "integer out of range"),
    ({"version": 6}, errno.ERANGE, "integer out of range"),
    ({"receive_maximum": 0}, errno.ERANGE, "integer out of range"),
    ({"maximum_packet_size": 19}, errno.EINVAL,
     "maximum packet size must be 20 to 268435460"),
    ({"maximum_packet_size": 268435461}, errno.ERANGE, "integer out of range"),
    ({"topic_alias_maximum": 1025}, errno.ERANGE, "integer out of range"),
    ({"connect_timeout": 0}, errno.ERANGE, "integer out of range"),
    ({"connect_timeout": 301}, errno.ERANGE, "integer out of range"),
    ({"backoff_min": 0}, errno.ERANGE, "integer out of range"),
    ({"backoff_max": 3601}, errno.ERANGE, "integer out of range"),
    ({"backoff_min": 10, "backoff_max": 9}, errno.EINVAL,
     "backoff must be 1 to 3600 seconds, its maximum at least its minimum"),
    ({"batch": 0}, errno.ERANGE, "integer out of range"),
    ({"policy": 5}, errno.ERANGE, "integer out of range"),
    ({"will_qos": 1}, errno.EINVAL, "a will needs a topic"),
    ({"will_topic": "a/#"}, errno.EINVAL, "will topic is not a valid topic name"),
    ({"will_topic": "a", "will_qos": 3}, errno.ERANGE, "integer out of range"),
    ({"client_id": b"\xff"}, errno.EINVAL, "client id is not UTF-8 of at most 256 bytes"),
    ({"version": 4, "password": b"x"}, errno.EINVAL,
     "a password needs a user name before MQTT 5.0"),
    ({"server": [{"port": 1}]}, errno.EINVAL,
     "a server has either an IPv4 or an IPv6 address"),
    ({"server": [{"ipv4": 1, "ipv6": bytes(16), "port": 1}]}, errno.EINVAL,
     "a server has either an IPv4 or an IPv6 address"),
    ({"server": [{"ipv4": 1}]}, errno.EINVAL, "a server needs a port"),
    ({"server": [{"ipv4": 1, "port": 0}]}, errno.ERANGE, "integer out of range"),
    ({"server": [{"ipv4": 0, "port": 1}]}, errno.EINVAL, "not the address of a server"),
    ({"server": [LOCAL] * 9}, errno.EINVAL, "too many servers"),
    ({"early_data": b"x"}, errno.EINVAL, "early data belongs to a socket"),
    ({"fd": 0, "admin_up": 0}, errno.EINVAL, "an uplink that gets a socket is up"),
])
def test_new_refused(nl, attrs, number, text):
    error = refused(nl.do, "uplink-new", **{"name": "bad", **attrs})
    assert (error.errno, error.text) == (number, text)
    assert nl.dump("uplink-get") == []


@pytest.mark.parametrize("attrs, text", [
    ({"server": [{"port": 1}]}, "a server has either an IPv4 or an IPv6 address"),
    ({"server": [LOCAL] * 9}, "too many servers"),
    ({"early_data": b"x"}, "early data belongs to a socket"),
    ({"fd": 0, "admin_up": 0}, "an uplink that gets a socket is up"),
    ({"fd": 0}, "a socket is handed over without other settings"),
])
def test_set_refused(nl, attrs, text):
    nl.do("uplink-new", name="same", admin_up=0)
    error = refused(nl.do, "uplink-set", name="same", keepalive=5, **attrs)
    assert (error.errno, error.text) == (errno.EINVAL, text)
    assert nl.do("uplink-get", name="same")["keepalive"] == 60


@pytest.mark.parametrize("size", [0, 15, 17])
def test_ipv6_length(nl, size):
    error = refused(nl.do, "uplink-new", name="bad",
                    server=[{"ipv6": bytes(size), "port": 1}])
    assert error.errno in (errno.EINVAL, errno.ERANGE)


def test_set_refused_changes_nothing(nl):
    nl.do("uplink-new", name="same", admin_up=0)
    before = nl.do("uplink-get", name="same")
    refused(nl.do, "uplink-set", name="same", keepalive=5, backoff_min=10, backoff_max=9)
    refused(nl.do, "uplink-set", name="same", keepalive=5, fd=0)
    after = nl.do("uplink-get", name="same")
    assert after["keepalive"] == before["keepalive"]


@pytest.mark.parametrize("command", ["uplink-new", "uplink-set", "uplink-del", "uplink-get"])
def test_name_is_needed(nl, command):
    error = refused(nl.do, command)
    assert error.errno == errno.EINVAL
    assert error.text in ("an uplink needs a name", "which uplink?")
    assert error.missing == SPEC_KMQTT.sets["uplink"]["name"].number


@pytest.mark.parametrize("command", ["uplink-set", "uplink-del", "uplink-get"])
def test_no_such_uplink(nl, command):
    error = refused(nl.do, command, name="nobody")
    assert (error.errno, error.text, error.offset) == (errno.ENOENT, "no such uplink", 20)


def test_name_is_taken(nl):
    nl.do("uplink-new", name="twice", admin_up=0)
    error = refused(nl.do, "uplink-new", name="twice")
    assert (error.errno, error.text) == (errno.EEXIST, "there is an uplink of this name")
    assert error.offset == 20
    nl.do("uplink-del", name="twice")
    nl.do("uplink-new", name="twice", admin_up=0)


def test_dump_in_parts(nl, netlink):
    names = [f"uplink-{i:02}" for i in range(64)]
    for name in names:
        nl.do("uplink-new", name=name, admin_up=0, will_topic="w" * 500)
    error = refused(nl.do, "uplink-new", name="one-more")
    assert (error.errno, error.text) == (errno.ENOSPC, "there are 64 uplinks already")
    assert [u["name"] for u in nl.dump("uplink-get")] == names
    assert nl.parts > 5 and not nl.interrupted
    nl.send_op("uplink-get", b"", NLM_F_DUMP)
    assert [decode("uplink", data[4:]) for _, _, _, data in nl.receive()]
    netlink().do("uplink-del", name=names[-1])
    nl.answer()
    assert nl.interrupted


def test_largest_uplink(nl):
    """Its answer and its part of a dump have room for what may be longest."""
    long = {"username": "u" * 16384, "will_topic": "w" * 65530, "will_payload": bytes(4096),
            "client_id": "c" * 256,
            "server": [{"ipv6": bytes(15) + bytes([i]), "port": 1, "host": "h" * 255}
                       for i in range(1, 9)]}
    nl.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    for name in ("long-1", "long-2"):
        nl.do("uplink-new", name=name, admin_up=0, password=bytes(16384), **long)
    for uplink in [nl.do("uplink-get", name="long-1")] + nl.dump("uplink-get"):
        assert uplink["username"] == long["username"]
        assert uplink["will_topic"] == long["will_topic"]
        assert uplink["will_payload"] == long["will_payload"]
        assert len(uplink["server"]) == 8
    nl.do("uplink-set", name="long-1", will_topic="w", will_payload=bytes(4097))
    uplink = nl.do("uplink-get", name="long-1")
    assert uplink["will_topic"] == "w" and "will_payload" not in uplink


# Up, down, sockets

def test_up_and_down(nl, broker):
    server = [{"ipv4": 0x7f000001, "port": broker.port}]
    nl.do("uplink-new", name="live", server=server)     # up unless it is said otherwise
    uplink = wait_for(nl, "live", "up")
    assert uplink["admin_up"] == 1
    assert (uplink["connects"], uplink["attempts"], uplink["disconnects"]) == (1, 1, 0)
    assert uplink["peer"] == server[0]
    assert (uplink["active_version"], uplink["active_keepalive"]) == (5, 60)
    assert (uplink["server_receive_maximum"], uplink["server_maximum_qos"]) == (65535, 2)
    assert uplink["server_retain_available"] == 1
    assert uplink["packets_sent"] >= 1 and uplink["packets_received"] == 1
    assert uplink["bytes_received"] == 5
    assert uplink["bytes_sent"] >= len(broker.got[0])
    name = uplink["session"]
    assert nl.do("session-get", name=name)["kind"] == SPEC_KMQTT.value("session-type", "uplink")
    nl.do("uplink-set", name="live", admin_up=0)
    uplink = wait_for(nl, "live", "down")
    assert uplink["disconnects"] == 1 and "active_version" not in uplink
    nl.do("uplink-set", name="live", admin_up=1)
    assert wait_for(nl, "live", "up")["connects"] == 2
    nl.do("uplink-del", name="live")
    assert refused(nl.do, "session-get", name=name).errno == errno.ENOENT


def test_backoff(nl):
    """Nobody listens there."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    nl.do("uplink-new", name="away", backoff_min=60,
          server=[{"ipv4": 0x7f000001, "port": port}])
    uplink = wait_for(nl, "away", "backoff")
    assert uplink["error"] == errno.ECONNREFUSED
    assert 0 < uplink["retry_in"] <= 75000
    assert uplink["admin_up"] == 1 and uplink["connects"] == 0


def test_events(nl, broker):
    nl.listen()
    nl.do("uplink-new", name="told", server=[{"ipv4": 0x7f000001, "port": broker.port}])
    assert str(broker.port) in nl.event_of("uplink-up", uplink="told")["text"]
    broker.open[0].close()
    assert nl.event_of("uplink-down", uplink="told")


@pytest.mark.parametrize("kind", ["unix", "tcp"])
def test_socket_handed_over(nl, kind):
    if kind == "unix":
        ours, theirs = socket.socketpair()
    else:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            theirs = socket.create_connection(listener.getsockname())
            ours = listener.accept()[0]
    with ours, theirs:
        ours.settimeout(10)
        nl.do("uplink-new", name="given", fd=theirs.fileno(), client_id="handed")
        theirs.close()
        assert b"handed" in ours.recv(4096)
        ours.sendall(bytes([0x20, 3, 0, 0, 0]))
        uplink = wait_for(nl, "given", "up")
        assert uplink["handed_over"] == 1 and uplink["tls"] == 0 and "peer" not in uplink
        nl.do("uplink-del", name="given")


def test_early_data(nl):
    """What user space has read already comes first: here a part of the CONNACK."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        nl.do("uplink-new", name="early", admin_up=0)
        nl.do("uplink-set", name="early", fd=theirs.fileno(), early_data=bytes([0x20, 3, 0]))
        ours.sendall(bytes([0, 0]))
        wait_for(nl, "early", "up")


@pytest.mark.parametrize("what, number", [
    ("nothing", errno.EBADF), ("huge", errno.EBADF), ("file", errno.ENOTSOCK),
    ("not connected", errno.ENOTCONN), ("datagram", errno.EOPNOTSUPP),
    ("listener", errno.ENOTCONN)])
def test_bad_descriptor(nl, what, number):
    """Refused, and the uplink is not made."""
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as datagram, \
            socket.create_server(("127.0.0.1", 0)) as listener, \
            open(os.devnull, "rb") as file:
        fd = {"nothing": 99999, "huge": 0xffffffff, "file": file.fileno(),
              "not connected": tcp.fileno(), "datagram": datagram.fileno(),
              "listener": listener.fileno()}[what]
        error = refused(nl.do, "uplink-new", name="bad", fd=fd)
        assert error.errno == number
        assert error.offset is not None
    assert nl.dump("uplink-get") == []


# Topics

def topics(nl, **which):
    return [{key: value for key, value in topic.items() if key != "uplink"}
            for topic in nl.dump("uplink-topic-get", **which)]


def test_topics(nl):
    nl.do("uplink-new", name="t", admin_up=0)
    rules = [{"filter": "a/#", "direction": DIRECTION["both"], "qos": 2,
              "local_prefix": "here/", "remote_prefix": "there/"},
             {"filter": "b", "direction": DIRECTION["in"], "qos": 0},
             {"filter": "c/+", "direction": DIRECTION["demand"], "qos": 1},
             {"filter": "", "direction": DIRECTION["out"], "qos": 0,
              "local_prefix": "x", "remote_prefix": "y"}]
    for rule in rules:
        nl.do("uplink-topic-new", uplink="t", **rule)
    assert topics(nl, uplink="t") == rules == topics(nl)
    assert nl.do("uplink-get", name="t")["topics"] == 4
    nl.do("uplink-topic-del", uplink="t", filter="b")
    nl.do("uplink-topic-del", uplink="t", filter="a/#", direction=DIRECTION["both"],
          local_prefix="here/", remote_prefix="there/")
    assert topics(nl, uplink="t") == rules[2:]


@pytest.mark.parametrize("attrs, number, text", [
    ({"uplink": "nobody"}, errno.ENOENT, "no such uplink"),
    ({"filter": "a/#/b"}, errno.EILSEQ, "filter, with its prefixes, is not a valid topic filter"),
    ({"filter": ""}, errno.EINVAL,
     "without a filter both prefixes are needed: they are the topic then"),
    ({"local_prefix": "a/+/"}, errno.EINVAL, "a prefix must be valid UTF-8 without wildcards"),
    ({"local_prefix": "p" * 1025}, errno.EINVAL, "a prefix is longer than 1024 bytes"),
    ({"filter": "$share/g/f"}, errno.EINVAL, "an uplink does not carry shared subscriptions"),
    ({"filter": "there"}, errno.EEXIST, "the uplink has this topic already"),
    ({"direction": 0}, errno.ERANGE, "integer out of range"),
    ({"direction": 5}, errno.ERANGE, "integer out of range"),
    ({"qos": 3}, errno.ERANGE, "integer out of range"),
])
def test_topic_refused(nl, attrs, number, text):
    nl.do("uplink-new", name="t", admin_up=0)
    nl.do("uplink-topic-new", uplink="t", filter="there", direction=DIRECTION["in"])
    error = refused(nl.do, "uplink-topic-new",
                    **{"uplink": "t", "filter": "f", "direction": DIRECTION["in"], **attrs})
    assert (error.errno, error.text) == (number, text)
    assert len(topics(nl)) == 1


@pytest.mark.parametrize("missing", ["uplink", "filter", "direction"])
def test_topic_needs(nl, missing):
    nl.do("uplink-new", name="t", admin_up=0)
    attrs = {"uplink": "t", "filter": "f", "direction": DIRECTION["in"]}
    del attrs[missing]
    error = refused(nl.do, "uplink-topic-new", **attrs)
    assert error.errno == errno.EINVAL and error.text.startswith("which")
    assert error.missing == SPEC_KMQTT.sets["uplink-topic"][missing].number


def test_topic_del_refused(nl):
    nl.do("uplink-new", name="t", admin_up=0)
    nl.do("uplink-topic-new", uplink="t", filter="f", direction=DIRECTION["in"])
    for attrs, text in (({"filter": "g"}, "the uplink has no such topic"),
                        ({"filter": "f", "direction": DIRECTION["out"]},
                         "the uplink has no such topic"),
                        ({"uplink": "nobody", "filter": "f"}, "no such uplink")):
        error = refused(nl.do, "uplink-topic-del", **{"uplink": "t", **attrs})
        assert (error.errno, error.text) == (errno.ENOENT, text)
    assert len(topics(nl)) == 1


def test_topics_in_parts(nl):
    wanted = []
    for i in range(3):
        nl.do("uplink-new", name=f"u{i}", admin_up=0)
        for j in range(100 if i != 1 else 0):
            name = f"{j:03}/" + "t" * 100
            nl.do("uplink-topic-new", uplink=f"u{i}", filter=name, direction=DIRECTION["in"])
            wanted.append((f"u{i}", name))
    assert [(t["uplink"], t["filter"]) for t in nl.dump("uplink-topic-get")] == wanted
    assert nl.parts > 5
    assert [(t["uplink"], t["filter"]) for t in nl.dump("uplink-topic-get", uplink="u2")] == \
           wanted[100:]
    assert nl.dump("uplink-topic-get", uplink="u1") == []
    error = refused(nl.dump, "uplink-topic-get", uplink="nobody")
    assert (error.errno, error.text) == (errno.ENOENT, "no such uplink")


def test_most_topics(nl):
    nl.do("uplink-new", name="t", admin_up=0)
    for i in range(1024):
        nl.do("uplink-topic-new", uplink="t", filter=f"{i}", direction=DIRECTION["in"])
    more = {"uplink": "t", "filter": "more", "direction": DIRECTION["in"]}
    error = refused(nl.do, "uplink-topic-new", **more)
    assert (error.errno, error.text) == (errno.ENOSPC, "the uplink has 1024 topics already")
    nl.do("uplink-topic-del", uplink="t", filter="500")
    nl.do("uplink-topic-new", **more)
    assert nl.do("uplink-get", name="t")["topics"] == 1024


def test_longest_topic(nl):
    nl.do("uplink-new", name="t", admin_up=0)
    rule = {"filter": "t" * 64000, "direction": DIRECTION["in"], "qos": 0,
            "local_prefix": "l" * 1024, "remote_prefix": "r" * 1024}
    nl.do("uplink-topic-new", uplink="t", **rule)
    assert topics(nl) == [rule]


def test_long_topics_that_were_refused_are_given_back(nl, ident):
    """Nobody saw them, and they do not wait either."""
    rule = {"uplink": ident, "filter": "f" * 60000, "direction": DIRECTION["in"]}
    nl.do("uplink-new", name=ident, admin_up=0, server=[LOCAL])
    nl.do("uplink-topic-new", **rule)
    before, most = kernels_own(), 0
    for _ in range(300):
        assert refused(nl.do, "uplink-topic-new", **rule).errno == errno.EEXIST
        most = max(most, kernels_own() - before)
    assert most < 20000
    nl.do("uplink-del", name=ident)

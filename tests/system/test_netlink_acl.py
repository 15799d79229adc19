# SPDX-License-Identifier: GPL-2.0
"""Access rules are made, shown, removed, and hold for netlink itself."""

import errno
import os
import socket

import pytest

from kmqtt_nl import NLM_F_DUMP, SPEC_KMQTT, Netlink, NlError, attribute, decode
from kmqtt_user import as_user

WHO = SPEC_KMQTT.values["acl-who"]
READ, WRITE = 1, 2
SO_SNDBUFFORCE = 32


def refused(call, *args, **more):
    with pytest.raises(NlError) as error:
        call(*args, **more)
    return error.value


@pytest.fixture(autouse=True)
def flush(nl):
    before = nl.do("switch-get")["acl_default"]
    yield
    nl.do("acl-flush")
    nl.do("switch-set", acl_default=before)


def add(nl, **rule):
    return nl.do("acl-new", **rule)["id"]


def ids(nl):
    return [rule["id"] for rule in nl.dump("acl-get")]


@pytest.mark.parametrize("rule", [
    {"allow": 1},
    {"allow": 0, "filter": "a/+/#", "access": READ},
    {"allow": 1, "who": WHO["uid"], "uid": 1000, "access": WRITE, "filter": "$SYS/#"},
    {"allow": 0, "who": WHO["gid"], "gid": 0},
    {"allow": 1, "who": WHO["user"], "name": "somebody", "filter": "home/%u/#"},
    {"allow": 1, "who": WHO["client"], "name": "client id", "filter": "home/%c"},
    {"allow": 1, "who": WHO["cgroup"], "name": "/"},
    {"allow": 1, "who": WHO["anonymous"], "access": READ},
    {"allow": 1, "who": WHO["remote"], "filter": "a%cb", "substitute": 1},
    {"allow": 0, "who": WHO["wildcard"], "filter": ""},
    {"allow": 1, "filter": "%c", "substitute": 2},
])
def test_shown_as_made(nl, rule):
    number = add(nl, **rule)
    wanted = {"id": number, "who": 0, "access": READ | WRITE, "filter": "#", **rule}
    assert nl.dump("acl-get") == [wanted]


def test_order(nl):
    first, second = add(nl, allow=1), add(nl, allow=0)
    assert first < second
    between = add(nl, allow=1, before=second)
    front = add(nl, allow=1, before=first)
    assert ids(nl) == [front, first, between, second]
    nl.do("acl-del", id=first)
    assert ids(nl) == [front, between, second]
    nl.do("acl-flush")
    assert ids(nl) == []


@pytest.mark.parametrize("rule, number, text", [
    ({}, errno.EINVAL, "a rule must say whether it allows"),
    ({"allow": 2}, errno.ERANGE, "integer out of range"),
    ({"allow": 1, "who": 9}, errno.ERANGE, "integer out of range"),
    ({"allow": 1, "substitute": 3}, errno.ERANGE, "integer out of range"),
    ({"allow": 1, "access": 4}, errno.EINVAL, "reserved bit set"),
    ({"allow": 1, "access": 0}, errno.EINVAL, "neither read nor write"),
    ({"allow": 1, "before": 0}, errno.ERANGE, "integer out of range"),
    ({"allow": 1, "before": 4000000}, errno.ENOENT, "no rule of that number"),
    ({"allow": 1, "filter": "a/#/b"}, errno.EILSEQ, "not a valid topic filter without $share"),
    ({"allow": 1, "filter": "$share/g/f"}, errno.EILSEQ,
     "not a valid topic filter without $share"),
    ({"allow": 1, "who": WHO["uid"]}, errno.EINVAL, "who uid needs uid"),
    ({"allow": 1, "who": WHO["gid"]}, errno.EINVAL, "who gid needs gid"),
    ({"allow": 1, "who": WHO["user"]}, errno.EINVAL, "who user needs name"),
    ({"allow": 1, "who": WHO["client"]}, errno.EINVAL, "who client needs name"),
    ({"allow": 1, "who": WHO["cgroup"]}, errno.EINVAL, "who cgroup needs name, its path"),
    ({"allow": 1, "who": WHO["user"], "name": ""}, errno.EINVAL, "an empty name"),
    ({"allow": 1, "who": WHO["cgroup"], "name": "/no/such/group"}, errno.ENOENT,
     "no cgroup of that path"),
    ({"allow": 1, "who": WHO["uid"], "uid": 0xffffffff}, errno.EINVAL,
     "no such user in this user namespace"),
    ({"allow": 1, "who": WHO["gid"], "gid": 0xffffffff}, errno.EINVAL,
     "no such group in this user namespace"),
    ({"allow": 1, "who": WHO["remote"], "name": "x"}, errno.EINVAL,
     "this does not belong to who the rule is about"),
    ({"allow": 1, "uid": 0}, errno.EINVAL,
     "this does not belong to who the rule is about"),
    ({"allow": 1, "who": WHO["uid"], "uid": 0, "name": "x"}, errno.EINVAL,
     "this does not belong to who the rule is about"),
])
def test_refused(nl, rule, number, text):
    error = refused(nl.do, "acl-new", **rule)
    assert (error.errno, error.text) == (number, text)
    assert nl.dump("acl-get") == []


def test_del_refused(nl):
    error = refused(nl.do, "acl-del", id=4000000)
    assert (error.errno, error.text) == (errno.ENOENT, "no rule of that number")
    error = refused(nl.do, "acl-del")
    assert error.missing == SPEC_KMQTT.sets["acl"]["id"].number
    assert error.text == "which rule?"


def test_replace(nl):
    old = add(nl, allow=1)
    rules = [{"allow": 0, "who": WHO["user"], "name": "joe", "filter": "a/#", "access": READ},
             {"allow": 1, "who": WHO["uid"], "uid": 1000},
             {"allow": 1, "who": WHO["remote"], "filter": "x%u", "substitute": 1}]
    nl.do("acl-replace", rule=rules)
    shown = nl.dump("acl-get")
    numbers = [rule.pop("id") for rule in shown]
    assert numbers == sorted(set(numbers)) and old < numbers[0]
    assert shown == [{"who": 0, "access": READ | WRITE, "filter": "#", **rule} for rule in rules]
    nl.do("acl-del", id=numbers[1])
    assert ids(nl) == [numbers[0], numbers[2]]


@pytest.mark.parametrize("rule, number, text", [
    ({}, errno.EINVAL, "a rule must say whether it allows"),
    ({"allow": 1, "filter": "a#"}, errno.EILSEQ, "not a valid topic filter without $share"),
    ({"allow": 1, "who": WHO["user"]}, errno.EINVAL, "who user needs name"),
    ({"allow": 1, "who": WHO["cgroup"], "name": "/no/such"}, errno.ENOENT,
     "no cgroup of that path"),
    ({"allow": 1, "access": 0}, errno.EINVAL, "neither read nor write"),
])
def test_replace_all_or_none(nl, rule, number, text):
    old = add(nl, allow=1)
    error = refused(nl.do, "acl-replace", rule=[{"allow": 1}, rule, {"allow": 1}])
    # behind the headers and the first rule
    assert (error.errno, error.text, error.offset) == (number, text, 20 + 12)
    assert ids(nl) == [old]


def test_replace_refused(nl):
    old = add(nl, allow=1)
    error = refused(nl.do, "acl-replace")
    assert (error.errno, error.text) == (errno.EINVAL, "no rule: to remove all, flush them")
    number = SPEC_KMQTT.sets["acl"]["rule"].number | 0x8000
    allow = attribute(SPEC_KMQTT.sets["acl"]["allow"].number, b"\1")
    for name in "id", "before":
        unknown = attribute(SPEC_KMQTT.sets["acl"][name].number, bytes(4))
        assert refused(nl.do_raw, "acl-replace", attribute(number, allow + unknown))
    assert ids(nl) == [old]


def test_many_rules(nl):
    nl.sock.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, 4 << 20)
    number = SPEC_KMQTT.sets["acl"]["rule"].number | 0x8000
    rule = attribute(number, attribute(SPEC_KMQTT.sets["acl"]["allow"].number, b"\1"))
    nl.do_raw("acl-replace", rule * 65536)
    assert len(ids(nl)) == 65536
    error = refused(nl.do, "acl-new", allow=1)
    assert (error.errno, error.text) == (errno.ENOSPC, "too many rules")
    error = refused(nl.do_raw, "acl-replace", rule * 65537)
    assert (error.errno, error.text) == (errno.ENOSPC, "too many rules")


def test_dump_in_parts(nl, netlink):
    numbers = [add(nl, allow=1, filter="f" * 200) for _ in range(200)]
    assert ids(nl) == numbers
    assert nl.parts > 5 and not nl.interrupted
    # One that changes while it is dumped says so.
    nl.send_op("acl-get", b"", NLM_F_DUMP)
    assert [decode("acl", data[4:]) for _, _, _, data in nl.receive()]
    netlink().do("acl-del", id=numbers[0])
    nl.answer()
    assert nl.interrupted
    assert ids(nl) == numbers[1:]
    assert not nl.interrupted


# They hold

def test_default(nl, topic):
    """Without rules all is allowed; with rules what none matches follows acl-default."""
    nl.do("publish", topic=topic)
    nl.do("switch-set", acl_default=0)
    nl.do("publish", topic=topic)
    add(nl, allow=1, filter="else/where")
    error = refused(nl.do, "publish", topic=topic)
    assert (error.errno, error.text) == \
           (errno.EACCES, "the access rules forbid to publish this")
    error = refused(nl.do, "subscribe", filter=topic)
    assert (error.errno, error.text) == \
           (errno.EACCES, "the access rules forbid to subscribe to this")
    nl.do("switch-set", acl_default=1)
    nl.do("publish", topic=topic)


def test_first_match_decides(nl, topic):
    nl.do("switch-set", acl_default=0)
    add(nl, allow=0, filter=topic + "/secret", access=WRITE)
    add(nl, allow=1, filter=topic + "/#")
    nl.do("publish", topic=topic + "/open")
    assert refused(nl.do, "publish", topic=topic + "/secret").errno == errno.EACCES
    nl.do("subscribe", filter=topic + "/secret")


def test_denied_is_counted_and_told(nl, topic):
    add(nl, allow=0, filter=topic)
    before = nl.do("stats-get")["messages_denied"]
    nl.listen()
    refused(nl.do, "publish", topic=topic)
    assert nl.do("stats-get")["messages_denied"] == before + 1
    assert nl.event_of("deny")["topic"] == topic


def test_by_user(nl, topic):
    """The rules are about the process that sends."""
    nl.do("switch-set", acl_default=0)
    add(nl, allow=1, who=WHO["uid"], uid=1234, filter=topic)

    def publish():
        with Netlink() as mine:
            try:
                return mine.do("publish", topic=topic)["receivers"]
            except NlError as error:
                return error.errno

    assert as_user(1234, publish) == 0
    assert as_user(1235, publish) == errno.EACCES
    assert publish() == errno.EACCES


def test_socket_in_other_hands(nl, netlink, topic):
    """Who is given a socket by someone who may more cannot do more with it."""
    nl.do("switch-set", acl_default=0)
    add(nl, allow=0, who=WHO["uid"], uid=1234)
    add(nl, allow=1)
    other = netlink()
    other.do("publish", topic=topic)
    os.set_inheritable(other.sock.fileno(), True)

    def attempt(command, **attrs):
        try:
            other.do(command, **attrs)
        except NlError as error:
            return error.errno
        return 0

    assert as_user(1234, lambda: attempt("publish", topic=topic)) == errno.EACCES
    assert as_user(1234, lambda: attempt("subscribe", filter=topic)) == errno.EACCES
    assert as_user(1236, lambda: attempt("publish", topic=topic)) == 0
    assert as_user(1236, lambda: attempt("subscribe", filter=topic)) == 0

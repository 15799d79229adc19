# SPDX-License-Identifier: GPL-2.0
"""Retained messages are shown and forgotten."""

import errno

import pytest

from kmqtt_dev import CONTENT_TYPE, string_prop
from kmqtt_nl import NLM_F_DUMP, NlError, decode, encode


def refused(call, *args, **more):
    with pytest.raises(NlError) as error:
        call(*args, **more)
    return error.value


@pytest.fixture(autouse=True)
def clear(nl):
    yield
    nl.do("retained-del")


def keep(nl, topic, data=b"kept", **more):
    nl.do("publish", topic=topic, payload=data, retain=1, **more)


def test_shown(nl, topic):
    props = string_prop(CONTENT_TYPE, "text/plain")
    keep(nl, topic, b"hello", qos=2, expiry=100, properties=props)
    [message] = nl.dump("retained-get", filter=topic)
    assert message.pop("time_ns") > 1 << 60
    assert 90 <= message.pop("expiry") <= 100
    assert message == {"topic": topic, "payload_len": 5, "payload": b"hello", "qos": 2,
                       "properties": props}


def test_large_payload_is_not_shown(nl, topic):
    keep(nl, topic + "/1", bytes(4096))
    keep(nl, topic + "/2", bytes(4097))
    shown = nl.dump("retained-get", filter=topic + "/#")
    assert [(m["payload_len"], len(m.get("payload", b""))) for m in shown] == \
           [(4096, 4096), (4097, 0)]


def test_filter(nl, topic):
    for name in ("a", "a/b", "a/b/c", "c"):
        keep(nl, f"{topic}/{name}")

    def shown(pattern):
        return [m["topic"][len(topic) + 1:] for m in nl.dump("retained-get", filter=pattern)]

    assert shown(topic + "/a/#") == ["a", "a/b", "a/b/c"]
    assert shown(topic + "/+") == ["a", "c"]
    assert shown(topic + "/+/b") == ["a/b"]
    assert shown(topic + "/none") == []
    assert len(nl.dump("retained-get")) == 4


def test_system_topics(nl):
    """`#` does not match what begins with `$` (MQTT 5.0, 4.7.2)."""
    keep(nl, "$SYS/kept")
    assert nl.dump("retained-get") == []
    assert len(nl.dump("retained-get", filter="$SYS/#")) == 1
    assert nl.do("retained-del", filter="$SYS/#") == {"cleared": 1}


def test_forgotten(nl, topic):
    for name in ("a", "a/b", "c"):
        keep(nl, f"{topic}/{name}")
    assert nl.do("retained-del", filter=topic + "/a/#") == {"cleared": 2}
    assert [m["topic"] for m in nl.dump("retained-get")] == [topic + "/c"]
    assert nl.do("retained-del", filter=topic + "/a/#") == {"cleared": 0}
    assert nl.do("retained-del") == {"cleared": 1}
    assert nl.dump("retained-get") == []


@pytest.mark.parametrize("pattern", ["a/#/b", "", "a+"])
def test_bad_filter(nl, topic, pattern):
    keep(nl, topic)
    for call in (nl.dump, "retained-get"), (nl.do, "retained-del"):
        error = refused(*call, filter=pattern)
        assert (error.errno, error.text) == (errno.EILSEQ, "not a valid topic filter")
    assert len(nl.dump("retained-get")) == 1


def test_shared_filter(nl):
    error = refused(nl.do, "retained-del", filter="$share/g/a")
    assert (error.errno, error.text) == \
           (errno.EILSEQ, "a shared subscription has no retained messages")


def test_in_parts(nl, topic):
    names = sorted(f"{topic}/{i:03}" for i in range(200))
    for name in names:
        keep(nl, name, bytes(200))
    assert [m["topic"] for m in nl.dump("retained-get", filter=topic + "/#")] == names
    assert nl.parts > 5


def test_goes_on_after_changes(nl, netlink, topic):
    """Also if the topic that was shown last is gone."""
    names = sorted(f"{topic}/{i:03}" for i in range(200))
    for name in names:
        keep(nl, name, bytes(200))
    nl.send_op("retained-get", encode("retained", {"filter": topic + "/#"}), NLM_F_DUMP)
    seen = [decode("retained", data[4:])["topic"] for _, _, _, data in nl.receive()]
    assert 0 < len(seen) < 200
    other = netlink()
    for name in names[:len(seen)] + names[150:160]:
        assert other.do("retained-del", filter=name) == {"cleared": 1}
    seen += [decode("retained", data[4:])["topic"] for data in nl.answer()]
    assert len(set(seen)) == len(seen)
    assert set(names) - set(names[150:160]) <= set(seen)


def test_longest_topic(nl):
    """As long as goes into an attribute, with payload and properties."""
    for last in "ab":
        keep(nl, "t" * 65529 + last, bytes(4096), properties=string_prop(CONTENT_TYPE, "x" * 4000))
    shown = nl.dump("retained-get")
    assert [len(m["topic"]) for m in shown] == [65530, 65530]
    assert [len(m["payload"]) for m in shown] == [4096, 4096]

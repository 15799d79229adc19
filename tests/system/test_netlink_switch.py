# SPDX-License-Identifier: GPL-2.0
"""Limits, totals and counters of the switch; what any request must look like."""

import errno
import threading
import struct

import pytest

from kmqtt_dev import BLOCK
from kmqtt_nl import NLM_F_ACK, NLM_F_DUMP, SPEC_KMQTT, NlError, attribute, encode

LIMITS = {"max_inflight_messages": 7, "max_queued_messages": 11, "max_queued_bytes": 1 << 33,
          "max_packet_size": 65536, "memory_limit": 1 << 34, "max_sessions": 1000,
          "max_subscriptions": 13, "max_retained_messages": 17,
          "persistent_client_expiration": 19, "sys_interval": 21, "retain_available": 0,
          "queue_qos0_messages": 1, "max_inflight_bytes": 1 << 33, "message_size_limit": 23,
          "upgrade_outgoing_qos": 1, "check_retain_source": 0,
          "queue_policy": 3, "acl_default": 1}


@pytest.fixture(autouse=True)
def restore(nl):
    before = nl.do("switch-get")
    yield
    nl.do("switch-set", **{key: before[key] for key in LIMITS})


def test_defaults(nl):
    """Those of mosquitto.conf, where it has them."""
    switch = nl.do("switch-get")
    assert switch["max_inflight_messages"] == 20
    assert switch["max_queued_messages"] == 1000
    assert switch["max_packet_size"] == 2000000
    assert switch["persistent_client_expiration"] == 0xffffffff
    assert switch["retain_available"] == switch["check_retain_source"] == 1
    assert switch["max_inflight_bytes"] == switch["message_size_limit"] == 0
    assert switch["upgrade_outgoing_qos"] == switch["queue_qos0_messages"] == 0
    assert switch["queue_policy"] == SPEC_KMQTT.value("policy", "drop-newest")
    assert switch["memory_limit"] > 0
    assert switch["abi"] == 1


@pytest.mark.parametrize("key", LIMITS)
def test_set_one(nl, key):
    before = nl.do("switch-get")
    assert before[key] != LIMITS[key]
    nl.do("switch-set", **{key: LIMITS[key]})
    after = nl.do("switch-get")
    assert after[key] == LIMITS[key]
    assert {k: v for k, v in after.items() if k in LIMITS and k != key} == \
           {k: v for k, v in before.items() if k in LIMITS and k != key}


def test_set_all(nl):
    nl.do("switch-set", **LIMITS)
    switch = nl.do("switch-get")
    assert {key: switch[key] for key in LIMITS} == LIMITS


@pytest.mark.parametrize("key, value", [
    ("max_inflight_messages", 0), ("max_inflight_messages", 65536), ("max_packet_size", 19),
    ("max_packet_size", 268435461), ("retain_available", 2), ("queue_qos0_messages", 2),
    ("upgrade_outgoing_qos", 2), ("check_retain_source", 2),
    ("queue_policy", 0), ("queue_policy", 5), ("acl_default", 2)])
def test_set_none(nl, key, value):
    """One that is wrong, and none is set; the refusal says which it was."""
    before = nl.do("switch-get")
    with pytest.raises(NlError) as refused:
        nl.do("switch-set", **{"max_sessions": 3, key: value})
    assert refused.value.errno == errno.ERANGE
    assert refused.value.text == "integer out of range"
    assert refused.value.offset == 16 + 4 + 8
    after = nl.do("switch-get")
    assert {k: after[k] for k in LIMITS} == {k: before[k] for k in LIMITS}


def test_totals(nl, netlink, topic):
    before = nl.do("switch-get")
    other = netlink()
    other.do("subscribe", filter=topic)
    other.do("subscribe", filter=topic + "/+")
    other.do("publish", topic=topic, payload=bytes(5000), retain=1)
    after = nl.do("switch-get")
    assert after["sessions"] == before["sessions"] + 1
    assert after["subscriptions"] == before["subscriptions"] + 2
    assert after["retained_messages"] == before["retained_messages"] + 1
    assert after["retained_bytes"] >= before["retained_bytes"] + 5000
    assert after["memory"] >= before["memory"] + 5000
    assert nl.do("retained-del", filter=topic) == {"cleared": 1}
    other.close()
    end = nl.do("switch-get")
    assert end["sessions"] == before["sessions"]
    assert end["subscriptions"] == before["subscriptions"]
    assert end["retained_messages"] == before["retained_messages"]


def test_stats(nl, netlink, topic):
    before = nl.do("stats-get")
    assert list(before) == [name.replace("-", "_") for name in SPEC_KMQTT.sets["stats"]
                            if name != "pad"]
    other = netlink()
    other.do("subscribe", filter=topic)
    nl.do("publish", topic=topic, payload=b"12345")
    nl.do("publish", topic=topic + "/nobody", payload=b"")
    assert other.message()["topic"] == topic
    after = nl.do("stats-get")
    grown = {key: after[key] - before[key] for key in after if after[key] != before[key]}
    assert grown == {"messages_published": 2, "bytes_published": 2 * len(topic) + 7 + 5,
                     "messages_queued": 1, "messages_delivered": 1,
                     "bytes_delivered": len(topic) + 5, "messages_unmatched": 1}


# What any request must look like

def refused(call, *args, **more):
    with pytest.raises(NlError) as error:
        call(*args, **more)
    return error.value


def test_unknown_attribute(nl):
    error = refused(nl.do_raw, "switch-set", attribute(200, bytes(4)))
    assert (error.errno, error.text) == (errno.EINVAL, "Unknown attribute type")
    assert error.offset == 20


def test_attribute_of_an_answer(nl):
    """What is only in answers is unknown in requests."""
    error = refused(nl.do, "switch-set", sessions=1)
    assert (error.errno, error.text) == (errno.EINVAL, "Unknown attribute type")


def test_attribute_for_a_command_without_any(nl):
    assert refused(nl.do, "switch-get", max_sessions=1).errno == errno.EINVAL
    assert refused(nl.do_raw, "acl-flush", attribute(1, bytes(4))).errno == errno.EINVAL


@pytest.mark.parametrize("size", [0, 1, 3, 5, 8])
def test_wrong_length(nl, size):
    number = SPEC_KMQTT.sets["switch"]["max-sessions"].number
    error = refused(nl.do_raw, "switch-set", attribute(number, bytes(size)))
    assert error.errno in (errno.EINVAL, errno.ERANGE)
    assert error.text == "invalid attribute length"


def test_leftover_bytes(nl):
    error = refused(nl.do_raw, "switch-set", encode("switch", {"max_sessions": 9}) + bytes(3))
    assert error.errno == errno.EINVAL
    assert nl.do("switch-get")["max_sessions"] != 9


def test_attribute_longer_than_request(nl):
    error = refused(nl.do_raw, "switch-set", struct.pack("=HHI", 4000, 6, 1))
    assert error.errno == errno.EINVAL


def test_string_without_end(nl):
    error = refused(nl.do_raw, "session-get", attribute(1, b"name"))
    assert error.errno == errno.EINVAL
    assert error.offset == 20


def test_string_too_long(nl):
    longest = SPEC_KMQTT.values["uplink-name-len"]
    assert refused(nl.do, "uplink-get", name="n" * longest).errno == errno.ENOENT
    error = refused(nl.do, "uplink-get", name="n" * (longest + 1))
    assert error.errno in (errno.EINVAL, errno.ERANGE)
    assert (error.text, error.offset) == ("Attribute failed policy validation", 20)


def test_nest_without_flag(nl):
    server = encode("server", {"ipv4": 1, "port": 1})
    number = SPEC_KMQTT.sets["uplink"]["server"].number
    error = refused(nl.do_raw, "uplink-new", encode("uplink", {"name": "x"}) +
                    attribute(number, server))
    assert error.errno == errno.EINVAL
    assert "NLA_F_NESTED" in error.text


def test_reserved_header(nl):
    assert refused(nl.do_raw, "switch-get", b"", reserved=1).errno == errno.EINVAL


@pytest.mark.parametrize("command", [0, 200, 255])
def test_unknown_command(nl, command):
    nl.send_op(command, b"", NLM_F_ACK)
    assert refused(nl.answer).errno == errno.EOPNOTSUPP


@pytest.mark.parametrize("command, flags", [
    ("message", NLM_F_ACK), ("event", NLM_F_ACK), ("message", NLM_F_DUMP),
    ("uplink-topic-get", NLM_F_ACK), ("subscription-get", NLM_F_ACK),
    ("retained-get", NLM_F_ACK), ("acl-get", NLM_F_ACK), ("switch-get", NLM_F_DUMP),
    ("publish", NLM_F_DUMP)])
def test_not_in_this_way(nl, command, flags):
    """What is only sent, only dumped or never dumped."""
    nl.send_op(command, b"", flags)
    assert refused(nl.answer).errno == errno.EOPNOTSUPP


def test_a_raised_limit_lets_blocked_writers_go_on(nl, device, topic):
    before = nl.do("switch-get")["max_queued_messages"]
    nl.do("switch-set", max_queued_messages=1)
    reader, writer = device(policy=BLOCK).subscribe(topic), device()
    thread = threading.Thread(target=lambda: [writer.publish(topic) for _ in range(3)], daemon=True)
    try:
        thread.start()
        thread.join(1)
        assert thread.is_alive() and reader.stats().queued_messages == 1
        nl.do("switch-set", max_queued_messages=10)
        thread.join(60)
        assert not thread.is_alive() and reader.stats().queued_messages == 3
    finally:
        nl.do("switch-set", max_queued_messages=before)

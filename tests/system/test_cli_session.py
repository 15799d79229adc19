# SPDX-License-Identifier: GPL-2.0
"""kmqtt session, subscription, retained."""

import errno

from kmqtt_cli import cli  # pylint: disable=unused-import
from kmqtt_dev import (CONTENT_TYPE, CORRELATION, FOREVER, KEEP_LATEST, MANUAL_ACK, NO_LOCAL,
                       RETAIN, refused, string_prop, user_prop)

# pylint: disable=redefined-outer-name


def by_name(cli, *words):
    return {one["name"]: one for one in cli.json("session", *words)}


def test_sessions_are_shown(cli):
    cli.device("first", expiry=3600, flags=MANUAL_ACK, policy=KEEP_LATEST, messages=5, size=6000,
               inflight=7)
    second = cli.device("second", expiry=FOREVER)
    second.subscribe("a")
    second.subscribe("b/#")
    cli.device()
    shown = by_name(cli)
    assert len(shown) == 3
    first, second = shown["first"], shown["second"]
    assert first["kind"] == "local" and first["attached"] is True
    assert first["ack"] == "manual" and first["policy"] == "keep-latest"
    assert (first["max_queued_messages"], first["max_queued_bytes"], first["max_inflight"]) == \
        (5, 6000, 7)
    assert first["uid"] == 0 and first["expiry"] == 3600
    assert second["expiry"] == FOREVER and second["subscriptions"] == 2
    assert second["ack"] == "auto"
    assert set(by_name(cli, "show", "second")) == {"second"}


def test_session_counts(cli):
    device = cli.device("counting", messages=2)
    device.subscribe("a", qos=1)
    for number in range(5):
        device.publish("a", b"%d" % number, qos=1)
    shown = by_name(cli)["counting"]
    assert shown["published_messages"] == 5
    assert shown["queued_messages"] == 2
    assert shown["dropped_messages"] == 3
    assert shown["queued_bytes"] > 0
    device.drain()
    shown = by_name(cli)["counting"]
    assert shown["queued_messages"] == 0
    assert shown["delivered_messages"] == 2
    text = cli.run("session")
    assert text.startswith("counting local ")
    assert "dropped 3" in text
    assert "published 5" not in text
    assert "published 5" in cli.run("-s", "session")


def test_detached_session_says_when_it_ends(cli):
    cli.device("gone", expiry=1000).close()
    shown = by_name(cli)["gone"]
    assert shown["attached"] is False
    assert 0 < shown["expires_in"] <= 1000


def test_no_such_session(cli):
    cli.refused("session", "show", "nobody")
    cli.refused("session", "kill", "nobody")


def test_kill(cli):
    device = cli.device("victim", expiry=100)
    assert cli.run("session", "kill", "victim") == ""
    with refused(errno.ESHUTDOWN):
        device.read()
    assert cli.json("session") == []


def test_empty_lists(cli):
    for name in ("session", "subscription", "retained", "uplink", "acl"):
        assert cli.json(name) == []
        assert cli.run(name) == ""


def test_many_sessions_come_whole(cli):
    for number in range(300):
        cli.device(f"session-with-a-long-name-{number:04}", expiry=0)
    assert len(by_name(cli)) == 300


def test_subscriptions(cli):
    one = cli.device("one")
    one.subscribe("a/+", qos=2, flags=NO_LOCAL, sub_id=77, retain_handling=2)
    one.subscribe("$share/group/b/#", qos=1)
    cli.device("two").subscribe("c")
    shown = cli.json("subscription")
    assert len(shown) == 3
    mine = {sub["filter"]: sub for sub in cli.json("subscription", "show", "one")}
    assert set(mine) == {"a/+", "$share/group/b/#"}
    first = mine["a/+"]
    assert first["session"] == "one" and first["qos"] == 2 and first["no_local"] is True
    assert first["id"] == 77 and first["retain_handling"] == "never"
    assert first["retain_as_published"] is False
    assert "two c qos 0" in cli.run("subscription")
    cli.refused("subscription", "show", "nobody")


def test_retained(cli):
    device = cli.device()
    props = string_prop(CONTENT_TYPE, "text/plain") + string_prop(CORRELATION, b"\xff\x00") + \
        user_prop("k", "v 1") + user_prop("k", "v2")
    device.publish("r/a", b"hello", flags=RETAIN, qos=1, props=props, expiry=500)
    device.publish("r/b", b"\x00\xff", flags=RETAIN)
    device.publish("s", b"x" * 5000, flags=RETAIN)
    shown = {one["topic"]: one for one in cli.json("retained")}
    assert set(shown) == {"r/a", "r/b", "s"}
    first = shown["r/a"]
    assert first["payload"] == "hello" and first["payload_len"] == 5 and first["qos"] == 1
    assert 490 < first["expiry"] <= 500
    assert first["content_type"] == "text/plain"
    assert first["correlation_data_base64"] == "/wA="
    assert first["user_properties"] == [["k", "v 1"], ["k", "v2"]]
    assert first["time"].startswith("20") and first["time"].endswith("Z")
    assert shown["r/b"]["payload_base64"] == "AP8="
    assert shown["s"]["payload_len"] == 5000 and "payload" not in shown["s"]
    assert {one["topic"] for one in cli.json("retained", "show", "r/+")} == {"r/a", "r/b"}
    text = cli.run("retained", "show", "r/a")
    assert 'user-property k "v 1"' in text


def test_retained_clear(cli):
    device = cli.device()
    for topic in ("r/a", "r/b", "s", "t"):
        device.publish(topic, b"1", flags=RETAIN)
    assert cli.json("retained", "clear", "r/#") == {"cleared": 2}
    assert {one["topic"] for one in cli.json("retained")} == {"s", "t"}
    assert cli.run("retained", "clear") == "cleared 2\n"
    assert cli.json("retained") == []
    cli.refused("retained", "clear", "a#")


def test_no_control_code_reaches_the_terminal(cli):
    device = cli.device()
    device.publish("e\x1b[2Jvil", b"\x1b]0;x\x07", flags=RETAIN)
    text = cli.run("retained")
    assert "\x1b" not in text and "\x07" not in text
    assert "e\\x1b[2Jvil" in text
    assert cli.json("retained")[0]["topic"] == "e\x1b[2Jvil"

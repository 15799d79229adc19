# SPDX-License-Identifier: GPL-2.0
"""kmqtt acl, and the completion of bash."""

import errno
import os
import subprocess

from kmqtt_cli import KMQTT, TOP, cli  # pylint: disable=unused-import
from kmqtt_dev import refused

# pylint: disable=redefined-outer-name


def test_rules_are_shown_in_order(cli):
    first = cli.json("acl", "add", "allow", "read", "s/#", "uid", "daemon")["id"]
    second = cli.json("acl", "add", "deny", "readwrite", "#")["id"]
    third = cli.json("acl", "add", "allow", "write", "s/+", "gid", "1", "before", second)["id"]
    assert [one["id"] for one in cli.json("acl")] == [first, third, second]
    assert cli.json("acl")[0] == {"id": first, "action": "allow", "access": "read", "filter": "s/#",
                                  "who": "uid", "uid": 1}
    assert cli.run("acl").splitlines() == [
        f"{first}: allow read s/# uid 1", f"{third}: allow write s/+ gid 1",
        f"{second}: deny readwrite # any"]
    cli.run("acl", "del", third)
    assert [one["id"] for one in cli.json("acl", "show")] == [first, second]
    cli.run("acl", "flush")
    assert cli.json("acl") == []


def test_each_kind_of_rule(cli):
    cli.run("acl", "add", "allow", "read", "a", "user", "bob")
    cli.run("acl", "add", "allow", "read", "%u/#", "client", "c 1")
    cli.run("acl", "add", "allow", "read", "%c", "cgroup", "/sys/fs/cgroup/")
    shown = cli.json("acl")
    assert [(one["who"], one["name"]) for one in shown] == [
        ("user", "bob"), ("client", "c 1"), ("cgroup", "/")]
    assert shown[1]["filter"] == "%u/#"


def test_rules_hold(cli):
    device = cli.device("c1")
    cli.run("acl", "add", "allow", "write", "%c/#", "client", "c1")
    cli.run("acl", "add", "allow", "read", "open/#")
    device.publish("c1/x")
    with refused(errno.EACCES):
        device.publish("c2/x")
    device.subscribe("open/a")
    with refused(errno.EACCES):
        device.subscribe("closed/a")
    cli.run("set", "acl_default", "allow")
    device.publish("c2/x")


def test_refusals(cli):
    cli.refused("acl", "del", "12345")
    cli.refused("acl", "add", "allow", "read", "a#")
    cli.refused("acl", "add", "allow", "read", "a", "before", "12345")
    cli.refused("acl", "add", "allow", "read", "a", "cgroup", "/no/such/cgroup")
    assert "no user" in cli.refused("acl", "add", "allow", "read", "a", "uid", "no-such", status=1)
    assert cli.json("acl") == []


def test_files(cli, tmp_path):
    path = tmp_path / "acl"
    path.write_text("topic read open/#\nuser joe\ntopic deny a/b\ntopic a/#\npattern read c/%c/#\n"
                    "rule allow readwrite # uid root\n")
    old = cli.json("acl", "add", "allow", "read", "x")["id"]
    cli.run("acl", "load", path)
    ids = [one["id"] for one in cli.json("acl")]
    assert old not in ids
    assert cli.run("acl").splitlines() == [f"{number}: {rule}" for number, rule in zip(ids, [
        "allow readwrite # uid 0", "deny readwrite a/b user joe", "allow read open/# anonymous",
        "allow readwrite a/# user joe", "deny readwrite wildcard",
        "allow read c/%c/# remote substitute text", "deny readwrite remote"])]
    # all or none, and the line is named
    path.write_text("topic read open/#\n\ntopic a/#/b\n")
    assert f"{path}:3: not a valid topic filter" in cli.refused("acl", "load", path)
    path.write_text("rule allow read a cgroup /no/such\n")
    assert f"{path}:1: no cgroup" in cli.refused("acl", "load", path)
    path.write_text("topic read open/#\nunknown\n")
    assert f"{path}:2: it begins with" in cli.refused("acl", "load", path, status=1)
    assert [one["id"] for one in cli.json("acl")] == ids


def test_large_file(cli, tmp_path):
    path = tmp_path / "acl"
    path.write_text("".join(f"user u{number}\ntopic t/{number}/#\n" for number in range(20000)))
    cli.run("acl", "load", path)
    assert len(cli.json("acl")) == 20001


def complete(*words):
    """What bash offers for the last word."""
    script = ('source "$1"; shift; COMP_WORDS=(kmqtt "$@"); COMP_CWORD=$#; _kmqtt;'
              ' printf "%s\\n" "${COMPREPLY[@]}"')
    text = subprocess.check_output(
        ["bash", "-c", script, "bash", os.path.join(TOP, "completion", "kmqtt"), *words], text=True,
        env=os.environ | {"PATH": os.path.dirname(KMQTT) + ":" + os.environ["PATH"]})
    return set(text.split("\n")) - {""}


def test_completion_of_words():
    assert {"show", "uplink", "pub", "help"} <= complete("")
    assert complete("ses") == {"session"}
    assert complete("uplink", "add", "x", "vers") == {"version"}
    assert complete("uplink", "add", "x", "version", "3") == {"31", "311"}
    assert complete("uplink", "topic", "add", "b", "f", "") == {"in", "out", "both", "demand"}
    assert complete("set", "queue_policy", "b") == {"block"}
    assert complete("-j", "acl", "add", "allow", "") == {"read", "write", "readwrite"}
    assert complete("acl", "add", "allow", "read", "x", "anon") == {"anonymous"}
    assert complete("monitor", "event", "att") == {"attach"}


def test_completion_of_names(cli):
    cli.device("a-session")
    cli.run("uplink", "add", "an-uplink", "down")
    cli.run("uplink", "topic", "add", "an-uplink", "a/#", "in")
    number = cli.json("acl", "add", "allow", "read", "x")["id"]
    assert cli.netns in complete("-n", "")
    assert "a-session" in complete("-n", cli.netns, "session", "kill", "")
    assert complete("-n", cli.netns, "uplink", "down", "") == {"an-uplink"}
    assert complete("-n", cli.netns, "uplink", "topic", "del", "an-uplink", "") == {"a/#"}
    assert complete("-n", cli.netns, "acl", "del", "") == {str(number)}


def test_every_keyword_can_be_completed():
    """What the help of an object names, bash knows too."""
    usage = subprocess.check_output([KMQTT, "uplink", "help"], text=True)
    offered = complete("uplink", "add", "x", "")
    for keyword in offered - {"up", "down"}:
        assert f" {keyword} " in usage
    assert len(offered) > 25

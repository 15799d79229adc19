# SPDX-License-Identifier: GPL-2.0
"""The kernel's own YNL client drives the family from uapi/kmqtt.yaml."""

import json
import os
import subprocess
import sys

import pytest

from kmqtt_nl import SPEC, TOP


@pytest.fixture(scope="module")
def tools():
    """The YNL of the kernel's source, which the machine that builds has."""
    source = subprocess.run([os.path.join(TOP, "tests", "kernels", "kernel"), "source"],
                            stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    return os.path.join(source, "tools", "net", "ynl")


@pytest.fixture(scope="module")
def ynl(tools):
    """What cli.py is a face of; read once, for it takes its time."""
    sys.path.insert(0, tools)
    from pyynl.lib import YnlFamily     # pylint: disable=import-outside-toplevel,import-error

    sys.path.remove(tools)
    family = YnlFamily(SPEC, "")
    yield family
    family.sock.close()     # it has published: its session keeps the module


def test_command(tools, nl):
    """cli.py itself, with the schema checked."""
    def cli(*args):
        done = subprocess.run([sys.executable, os.path.join(tools, "pyynl", "cli.py"),
                               "--spec", SPEC, "--output-json", *args], text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.returncode, done.stdout

    schema = os.path.join(tools, "..", "..", "..", "Documentation", "netlink", "genetlink.yaml")
    status, text = cli("--schema", schema, "--do", "switch-get")
    assert status == 0, text
    assert json.loads(text)["queue-policy"] == "drop-newest"
    status, text = cli("--no-schema", "--do", "session-get", "--json", '{"name": "nobody"}')
    assert status != 0
    assert "no session of that name" in text and ".name" in text
    assert nl.do("switch-get")["queue_policy"] == 1


def test_set(ynl, nl):
    ynl.do("switch-set", {"queue-policy": "keep-latest", "max-sessions": 99})
    switch = nl.do("switch-get")
    nl.do("switch-set", queue_policy=1, max_sessions=0)
    assert (switch["queue_policy"], switch["max_sessions"]) == (3, 99)


def test_dump(ynl, device, topic):
    device("seen by ynl").subscribe(topic, qos=1)
    [mine] = [s for s in ynl.dump("session-get", {}) if s["name"] == "seen by ynl"]
    assert mine["kind"] == "local" and mine["ack-mode"] == "auto"
    assert ynl.dump("subscription-get", {"session": "seen by ynl"}) == [
        {"session": "seen by ynl", "number": mine["number"], "filter": topic, "qos": 1,
         "no-local": 0, "retain-as-published": 0, "retain-handling": 0}]


def test_flags_and_rules(ynl, nl):
    number = ynl.do("acl-new", {"allow": 1, "who": "uid", "uid": 5, "access": ["read"]})["id"]
    rules = ynl.dump("acl-get", {})
    nl.do("acl-flush")
    assert rules == [{"id": number, "who": "uid", "access": {"read"}, "allow": 1, "uid": 5,
                      "filter": "#"}]


def test_nested(ynl, nl):
    ynl.do("uplink-new", {"name": "ynl", "admin-up": 0,
                          "server": [{"ipv4": "192.0.2.1", "port": 1883, "host": "x"},
                                     {"ipv6": "2001:db8::1", "port": 1}]})
    uplink = nl.do("uplink-get", name="ynl")
    shown = ynl.do("uplink-get", {"name": "ynl"})
    nl.do("uplink-del", name="ynl")
    assert uplink["server"][0] == {"ipv4": 0xc0000201, "port": 1883, "host": "x"}
    assert [s["port"] for s in shown["server"]] == [1883, 1]
    assert shown["state"] == "down"


def test_publish(ynl, nl, topic):
    nl.do("subscribe", filter=topic)
    assert ynl.do("publish", {"topic": topic, "payload": [b"hello".hex()]}) == {"receivers": 1}
    assert nl.message()["payload"] == [b"hello"]

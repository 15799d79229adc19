# SPDX-License-Identifier: GPL-2.0
"""kmqtt listener: settings, names, addresses, and what it says."""

import socket
import subprocess

import pytest

from kmqtt_cli import cli, wait_until  # pylint: disable=unused-import
from kmqtt_client import Client

# pylint: disable=redefined-outer-name

SETTINGS = {
    "max-connections": ("77", 77),
    "max-qos": ("1", 1),
    "protocols": ("4,5", [4, 5]),
    "max-packet-size": ("5000", 5000),
    "max-topic-alias": ("3", 3),
    "max-topic-alias-broker": ("4", 4),
    "max-keepalive": ("2m", 120),
    "receive-maximum": ("9", 9),
    "anonymous": ("on", True),
    "zero-length-clientid": ("off", False),
    "mount-point": ("a/b/", "a/b/"),
    "connect-timeout": ("9", 9),
    "connection-rate": ("100", 100),
    "message-rate": ("200", 200),
    "byte-rate": ("5000000000", 5000000000),
}


def words(settings, underscores=False):
    return [word for key, (text, _) in settings.items()
            for word in (key.replace("-", "_") if underscores else key, text)]


def listener(cli, word):
    shown = cli.json("listener", "show", word)
    assert len(shown) == 1
    return shown[0]


def matches(shown):
    for key, (_, value) in SETTINGS.items():
        assert shown[key.replace("-", "_")] == value, key


def connect(cli, host="127.0.0.1", port=1883, **more):
    """A client that was let in."""
    with cli.inside():
        sock = socket.create_connection((host, port), timeout=60)
    return Client(sock).connect(**more)


def test_settings_of_add_and_set(cli):
    assert cli.run("listener", "add", "127.0.0.1:1883", "name", "one", *words(SETTINGS)) == \
        "name one port 1883\n"
    shown = listener(cli, "one")
    matches(shown)
    assert (shown["address"], shown["port"]) == ("127.0.0.1", 1883)
    cli.run("listener", "add", "none", "name", "two")
    cli.run("listener", "set", "two", *words(SETTINGS, underscores=True))
    matches(listener(cli, "two"))
    cli.run("listener", "set", "two", "mount-point", "", "allow_anonymous", "false")
    shown = listener(cli, "two")
    assert "mount_point" not in shown and shown["anonymous"] is False
    assert shown["max_connections"] == 77
    assert [one["name"] for one in cli.json("listener")] == ["one", "two"]


def test_defaults(cli):
    assert cli.json("listener", "add", "127.0.0.1:1883") == \
        {"name": "127.0.0.1:1883", "port": 1883}
    assert listener(cli, "127.0.0.1:1883") == {
        "name": "127.0.0.1:1883", "address": "127.0.0.1", "port": 1883, "connections": 0,
        "pending": 0, "max_connections": 16384, "protocols": [3, 4, 5], "max_qos": 2,
        "anonymous": False, "zero_length_clientid": True, "max_packet_size": 0,
        "max_topic_alias": 10, "max_topic_alias_broker": 10, "receive_maximum": 0,
        "max_keepalive": 0, "connect_timeout": 20, "connection_rate": 0, "message_rate": 0,
        "byte_rate": 0, "accepted": 0, "refused": 0, "denied": 0, "timeouts": 0, "malformed": 0}


def test_text(cli):
    cli.run("listener", "add", "127.0.0.1:1883", "anonymous", "on")
    cli.run("listener", "add", "[::1]:1884", "name", "six", "v6only", "on", "mount-point", "m/")
    cli.run("listener", "add", "none", "name", "tls")
    client = connect(cli)
    assert cli.run("listener") == (
        "127.0.0.1:1883: connections 1\n"
        "    max-connections 16384 protocols 3,4,5 max-qos 2 anonymous on zero-length-clientid on\n"
        "six: [::1]:1884 v6only connections 0\n"
        "    max-connections 16384 protocols 3,4,5 max-qos 2 anonymous off zero-length-clientid on\n"
        "    mount-point m/\n"
        "tls: no-socket connections 0\n"
        "    max-connections 16384 protocols 3,4,5 max-qos 2 anonymous off "
        "zero-length-clientid on\n")
    assert "accepted 1 refused 0 denied 0 timeouts 0 malformed 0" in \
        cli.run("-s", "listener", "show", "127.0.0.1:1883")
    client.disconnect()


@pytest.mark.parametrize("word", ["1883", "*:1883", "[::]:1883"])
def test_dual_stack(cli, word):
    """A port alone takes IPv4 and IPv6, and is found by what it was added with, and its name."""
    assert cli.run("listener", "add", word, "anonymous", "on") == "name [::]:1883 port 1883\n"
    connect(cli).disconnect()
    connect(cli, "::1").disconnect()
    for other in ("1883", "*:1883", "[::]:1883"):
        assert listener(cli, other)["accepted"] == 2
    cli.run("listener", "set", word, "max-qos", "0")
    assert listener(cli, word)["max_qos"] == 0
    cli.run("listener", "del", word)
    assert cli.json("listener") == []


def test_found_by_its_address(cli):
    cli.run("listener", "add", "127.0.0.1:1883", "name", "main")
    cli.run("listener", "set", "127.0.0.1:1883", "max-qos", "1")
    assert listener(cli, "main")["max_qos"] == 1
    cli.run("listener", "del", "127.0.0.1:1883")
    assert "LISTENER: no such listener" in cli.refused("listener", "del", "main")


def test_any_port(cli):
    added = cli.json("listener", "add", "127.0.0.1:0", "anonymous", "on")
    assert added["port"] and added["name"] == f"127.0.0.1:{added['port']}"
    connect(cli, port=added["port"]).disconnect()
    other = cli.json("listener", "add", "127.0.0.1:0")
    assert other["port"] != added["port"]


def test_a_name_is_resolved(cli):
    added = cli.json("listener", "add", "localhost:1883", "anonymous", "on")
    assert added["name"] in ("[::1]:1883", "127.0.0.1:1883")
    connect(cli, "localhost").disconnect()
    cli.run("listener", "del", "localhost:1883")


def test_refusals_name_the_keyword(cli):
    cli.run("listener", "add", "127.0.0.1:1883", "name", "main")
    assert "name: there is a listener of this name" in \
        cli.refused("listener", "add", "127.0.0.1:1884", "name", "main")
    assert "the address is in use" in cli.refused("listener", "add", "127.0.0.1:1883")
    assert "cannot bind to this address" in cli.refused("listener", "add", "192.0.2.1:1883")
    assert "needs a name" in cli.refused("listener", "add", "none")
    assert "name: a name is of letters" in \
        cli.refused("listener", "add", "none", "name", "1883")
    assert "max-packet-size: the smallest packet size is 20" in \
        cli.refused("listener", "set", "main", "max-packet-size", "19")
    assert "mount-point: not a topic name" in \
        cli.refused("listener", "set", "main", "mount-point", "a/#")
    assert "connect-timeout" in cli.refused("listener", "set", "main", "connect-timeout", "3601")
    for command in (["set", "nope", "max-qos", "1"], ["del", "1999"], ["show", "nope"],
                    ["attach", "nope", "fd", "0"]):
        assert "LISTENER: no such listener" in cli.refused("listener", *command)


def test_attach_a_connected_socket(cli):
    cli.run("listener", "add", "none", "name", "handed", "anonymous", "on")
    with cli.inside():
        ours, theirs = socket.socketpair()
    with ours:
        number = ours.fileno()
        cli.run("listener", "attach", "handed", "fd", number, pass_fds=[number])
    theirs.settimeout(60)
    client = Client(theirs).connect()
    assert listener(cli, "handed")["connections"] == 1
    client.disconnect()
    wait_until(lambda: listener(cli, "handed")["connections"] == 0)


def test_attach_early_data(cli, tmp_path):
    """What the program has read from the socket already."""
    cli.run("listener", "add", "none", "name", "handed", "anonymous", "on")
    with cli.inside():
        ours, theirs = socket.socketpair()
    theirs.settimeout(60)
    client = Client(theirs, 4)
    (tmp_path / "early").write_bytes(b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x00\x00\x01x")
    with ours:
        number = ours.fileno()
        cli.run("listener", "attach", "handed", "fd", number, "early-data-file",
                tmp_path / "early", pass_fds=[number])
    assert client.connacked().reason == 0
    client.disconnect()


def test_attach_refuses_what_is_no_socket(cli):
    cli.run("listener", "add", "none", "name", "handed")
    assert "fd" in cli.refused("listener", "attach", "handed", "fd", "99")
    done = subprocess.run(cli.command("listener", "attach", "handed", "fd", "0"),
                          stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert done.returncode == 2

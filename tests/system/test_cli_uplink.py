# SPDX-License-Identifier: GPL-2.0
"""kmqtt uplink, kmqtt uplink topic, kmqtt monitor of what uplinks do."""

import json
import os
import shutil
import socket
import subprocess

import pytest

from kmqtt_cli import cli, wait_until  # pylint: disable=unused-import

# pylint: disable=redefined-outer-name


def uplink(cli, name="b1"):
    shown = cli.json("uplink", "show", name)
    assert len(shown) == 1
    return shown[0]


def state(cli, name="b1"):
    return uplink(cli, name)["state"]


SETTINGS = {
    "version": ("311", "311"),
    "client-id": ("my id", "my id"),
    "username": ("someone", "someone"),
    "keepalive": ("2m", 120),
    "clean": ("on", True),
    "session-expiry": ("1h", 3600),
    "will-topic": ("w/t", "w/t"),
    "will-payload": ("gone", "gone"),
    "will-qos": ("1", 1),
    "will-retain": ("on", True),
    "receive-maximum": ("33", 33),
    "max-packet-size": ("5000", 5000),
    "topic-alias-maximum": ("4", 4),
    "max-inflight-messages": ("6", 6),
    "max-queued-messages": ("7", 7),
    "max-queued-bytes": ("800000", 800000),
    "policy": ("drop-oldest", "drop-oldest"),
    "connect-timeout": ("9", 9),
    "backoff-min": ("2", 2),
    "backoff-max": ("30", 30),
    "stable": ("5", 5),
    "try-private": ("off", False),
    "batch": ("3", 3),
}


def matches(shown):
    for key, (_, value) in SETTINGS.items():
        assert shown[key.replace("-", "_")] == value, key


def test_settings_of_add_and_set(cli):
    words = [word for key, (text, _) in SETTINGS.items() for word in (key, text)]
    cli.run("uplink", "add", "b1", "to", "192.0.2.1,[2001:db8::1]:1884", *words, "down")
    shown = uplink(cli)
    matches(shown)
    assert shown["state"] == "down" and shown["admin_up"] is False
    assert shown["servers"] == [
        {"host": "192.0.2.1", "address": "192.0.2.1", "port": 1883},
        {"host": "2001:db8::1", "address": "2001:db8::1", "port": 1884}]
    assert shown["has_password"] is False and shown["topics"] == []
    cli.run("uplink", "add", "b2", "down")
    cli.run("uplink", "set", "b2", *words)
    matches(uplink(cli, "b2"))
    cli.run("uplink", "set", "b2", "will-topic", "w", "will-delay", "5", "version", "5",
            "batch", "4")
    shown = uplink(cli, "b2")
    assert (shown["will_topic"], shown["will_delay"]) == ("w", 5)
    assert (shown["version"], shown["batch"]) == ("5", 4)
    assert shown["client_id"] == "my id"
    assert [one["name"] for one in cli.json("uplink")] == ["b1", "b2"]


def test_text(cli):
    cli.run("uplink", "add", "b1", "to", "192.0.2.1:1884", "client-id", "x", "down")
    cli.run("uplink", "topic", "add", "b1", "a/#", "both", "qos", "2", "local", "l/",
            "remote", "r/")
    text = cli.run("uplink")
    assert text.startswith("b1: down")
    assert "\n    to 192.0.2.1:1884\n" in text
    assert "client-id x" in text
    assert "\n    topic a/# both qos 2 local l/ remote r/\n" in text
    assert "backoff-min" not in text
    assert "backoff-min" in cli.run("-s", "uplink")


def test_password_is_read_and_not_shown(cli, tmp_path):
    path = tmp_path / "password"
    path.write_text("very secret\n", encoding="ascii")
    cli.run("uplink", "add", "b1", "username", "u", "password-file", path, "down")
    assert uplink(cli)["has_password"] is True
    assert "secret" not in cli.run("-j", "uplink") + cli.run("-s", "uplink")
    cli.run("uplink", "set", "b1", "password-file", "/dev/null")
    assert uplink(cli)["has_password"] is False
    cli.run("uplink", "set", "b1", "password-file", "-", input="from standard input\n")
    assert uplink(cli)["has_password"] is True


def test_refusals_name_the_keyword(cli):
    assert "NAME" in cli.refused("uplink", "del", "nope")
    assert "batch" in cli.refused("uplink", "add", "b1", "batch", "1001")
    cli.refused("uplink", "add", "a name")
    cli.run("uplink", "add", "b1", "down")
    cli.refused("uplink", "add", "b1")
    cli.refused("uplink", "set", "b1", "backoff-min", "50", "backoff-max", "40")
    assert uplink(cli)["backoff_min"] == 1
    assert "FILTER" in cli.refused("uplink", "topic", "add", "b1", "a#", "in")
    cli.refused("uplink", "topic", "del", "b1", "never/added")
    cli.refused("uplink", "show", "nope")


def test_topics(cli):
    cli.run("uplink", "add", "b1", "down")
    cli.run("uplink", "add", "b2", "down")
    for direction in ("in", "out", "both", "demand"):
        cli.run("uplink", "topic", "add", "b1", f"{direction}/#", direction, "qos", "1")
    cli.run("uplink", "topic", "add", "b2", "", "in", "local", "here", "remote", "there")
    shown = cli.json("uplink", "topic")
    assert len(shown) == 5
    assert shown[4] == {"uplink": "b2", "filter": "", "direction": "in", "qos": 0, "local": "here",
                        "remote": "there"}
    assert cli.run("uplink", "topic", "show", "b2") == 'b2 "" in qos 0 local here remote there\n'
    cli.run("uplink", "topic", "del", "b1", "out/#")
    cli.run("uplink", "topic", "del", "b1", "in/#", "in")
    left = cli.json("uplink", "topic", "show", "b1")
    assert [(one["filter"], one["direction"], one["qos"]) for one in left] == [
        ("both/#", "both", 1), ("demand/#", "demand", 1)]
    assert [one["filter"] for one in uplink(cli)["topics"]] == ["both/#", "demand/#"]


def test_up_down_and_del_with_a_broker(cli):
    cli.broker()
    cli.run("uplink", "add", "b1", "to", "localhost", "client-id", "the-kernel")
    wait_until(lambda: state(cli) == "up")
    shown = uplink(cli)
    assert shown["peer"]["port"] == 1883 and shown["peer"]["host"] == "localhost"
    assert shown["active_client_id"] == "the-kernel" and shown["connects"] == 1
    assert "uplink" in {one["kind"] for one in cli.json("session")}
    cli.run("uplink", "down", "b1")
    wait_until(lambda: state(cli) == "down")
    cli.run("uplink", "up", "b1")
    wait_until(lambda: state(cli) == "up")
    assert uplink(cli)["connects"] == 2
    cli.run("uplink", "del", "b1")
    assert cli.json("uplink") == []


def test_messages_go_both_ways(cli):
    cli.broker()
    cli.run("uplink", "add", "b1", "to", "127.0.0.1")
    cli.run("uplink", "topic", "add", "b1", "#", "out", "qos", "1", "local", "out/", "remote", "k/")
    cli.run("uplink", "topic", "add", "b1", "in/#", "demand", "qos", "1")
    local = cli.device()
    local.subscribe("in/+", qos=1)
    remote = cli.start("-t", "k/#", "-v", "-C", "1", program="mosquitto_sub")
    wait_until(lambda: uplink(cli)["filters"] == 1)

    def published():
        subprocess.run(["ip", "netns", "exec", cli.netns, "mosquitto_pub", "-t", "in/a", "-m",
                        "hello", "-q", "1"], check=True)
        return local.readable(1000)

    wait_until(published)
    assert local.read()[0].payload == b"hello"

    def arrived():
        local.publish("out/b", b"there", qos=1)
        return remote.poll() is not None

    wait_until(arrived)
    assert remote.communicate()[0] == "k/b there\n"
    text = cli.run("-s", "uplink")
    assert "sent packets" in text and "received packets" in text


def test_attach_a_connected_socket(cli):
    cli.broker(1899)
    cli.run("uplink", "add", "b1", "version", "311")
    assert state(cli) == "wait-fd"
    with cli.inside(), socket.create_connection(("127.0.0.1", 1899)) as sock:
        number = sock.fileno()
        cli.run("uplink", "attach", "b1", "fd", number, pass_fds=[number])
    wait_until(lambda: state(cli) == "up")
    assert uplink(cli)["handed_over"] is True


def test_attach_refuses_what_is_no_socket(cli):
    cli.run("uplink", "add", "b1")
    assert "fd" in cli.refused("uplink", "attach", "b1", "fd", "99")
    done = subprocess.run(cli.command("uplink", "attach", "b1", "fd", "0"),
                          stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert done.returncode == 2


@pytest.fixture
def hosts(cli):
    """Writes the hosts file of the namespace."""
    path = f"/etc/netns/{cli.netns}"
    os.makedirs(path)

    def write(text):
        with open(f"{path}/hosts", "w", encoding="ascii") as file:
            file.write(text)

    yield write
    shutil.rmtree(path)


def test_names_are_resolved_with_the_files_of_the_namespace(cli, hosts):
    hosts("192.0.2.77 only-there.example\n")
    cli.run("uplink", "add", "b1", "to", "only-there.example:7", "down")
    assert uplink(cli)["servers"] == [
        {"host": "only-there.example", "address": "192.0.2.77", "port": 7}]


def test_each_host_gets_its_share_of_the_addresses(cli, hosts):
    hosts("".join(f"192.0.2.{n} many\n198.51.100.{n} more\n" for n in range(1, 11)))
    cli.run("uplink", "add", "b1", "to", "many,more:7", "down")
    assert [(one["host"], one["port"]) for one in uplink(cli)["servers"]] == \
        [("many", 1883)] * 4 + [("more", 7)] * 4
    cli.run("uplink", "set", "b1", "to", "many")
    assert len({one["address"] for one in uplink(cli)["servers"]}) == 8


def listening(cli, *words):
    """A monitor that has seen an event: the sessions until then are not of interest."""
    process = cli.start("-j", "monitor", *words)

    def seen():
        cli.device("probe").close()
        return bool(process.stdout.buffer.peek(1))

    os.set_blocking(process.stdout.fileno(), False)
    wait_until(seen)
    os.set_blocking(process.stdout.fileno(), True)
    return process


def read_until(process, event):
    """The first event of this kind."""
    while True:
        line = process.stdout.readline()
        assert line, "the monitor ended"
        one = json.loads(line)
        if one["event"] == event:
            return one


def test_monitor_sessions(cli):
    process = listening(cli)
    device = cli.device("watched", messages=1)
    device.subscribe("a/b", qos=1)
    device.publish("a/b", qos=1)
    device.publish("a/b", qos=1)
    device.unsubscribe("a/b")
    device.close()
    found = read_until(process, "subscribe")
    assert found["session"] == "watched" and found["topic"] == "a/b"
    assert found["time"].startswith("20")
    found = read_until(process, "drop")
    assert found["session"] == "watched" and found["count"] == 1
    assert read_until(process, "unsubscribe")["topic"] == "a/b"
    assert read_until(process, "detach")["session"] == "watched"
    process.terminate()
    process.communicate(timeout=30)
    assert process.returncode == 0


def test_monitor_selects(cli):
    process = cli.start("monitor", "a/+", "event", "subscribe", "session", "me")
    device, other = cli.device("me"), cli.device("other")

    def seen():
        other.subscribe("a/x")
        device.subscribe("b/c")
        device.subscribe("a/b")
        device.unsubscribe("a/b")
        os.set_blocking(process.stdout.fileno(), False)
        return process.stdout.readline()

    line = wait_until(seen)
    assert line.split()[1:] == ["subscribe", "session", "me", "topic", "a/b"]


def test_monitor_uplink(cli):
    process = listening(cli)
    broker = cli.broker()
    cli.run("uplink", "add", "b1", "to", "127.0.0.1")
    assert read_until(process, "uplink-up")["uplink"] == "b1"
    broker.kill()
    assert read_until(process, "uplink-down")["uplink"] == "b1"

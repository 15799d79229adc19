# SPDX-License-Identifier: GPL-2.0
"""kmqtt show, set, stats, top; words, options and exit statuses."""

import json
import os
import re
import subprocess

import pytest
from kmqtt_cli import KMQTT, cli  # pylint: disable=unused-import
from kmqtt_dev import RETAIN

# pylint: disable=redefined-outer-name

LIMITS = {
    "max_inflight_messages": (20, 5),
    "max_inflight_bytes": (0, 6000000000),
    "max_queued_messages": (1000, 7),
    "max_queued_bytes": (0, 5000000000),
    "max_packet_size": (2000000, 4096),
    "message_size_limit": (0, 4000),
    "memory_limit": (None, 6000000000),
    "max_sessions": (0, 8),
    "max_subscriptions": (0, 9),
    "max_retained_messages": (0, 10),
    "persistent_client_expiration": (4294967295, 3600),
    "sys_interval": (10, 33),
    "retain_available": (True, False),
    "queue_qos0_messages": (False, True),
    "upgrade_outgoing_qos": (False, True),
    "check_retain_source": (True, False),
    "queue_policy": ("drop-newest", "keep-latest"),
    "acl_default": ("deny", "allow"),
}
TOTALS = {"uptime", "abi", "sessions", "subscriptions", "retained_messages", "retained_bytes",
          "memory"}


def word(value):
    return {True: "on", False: "off"}.get(value, value) if isinstance(value, bool) else value


def test_show_has_all_totals_and_limits(cli):
    shown = cli.json("show")
    assert set(shown) == TOTALS | set(LIMITS)
    for key, (default, _) in LIMITS.items():
        if default is not None:
            assert shown[key] == default
    assert shown["abi"] == 1
    assert shown["sessions"] == 0


def test_show_is_the_default(cli):
    def settled(text):
        return re.sub(r"up \S+", "up", text)

    assert settled(cli.run()) == settled(cli.run("show"))
    assert set(cli.json()) == set(cli.json("show"))


def test_text_names_every_limit(cli):
    text = cli.run("show")
    for key in LIMITS:
        assert f" {key} " in text


def test_set_each_limit(cli):
    for key, (_, value) in LIMITS.items():
        cli.run("set", key, word(value))
        assert cli.json("show")[key] == value


def test_set_all_limits_at_once(cli):
    words = []
    for key, (_, value) in LIMITS.items():
        words += [key, word(value)]
    cli.run("set", *words)
    shown = cli.json("show")
    assert {key: shown[key] for key in LIMITS} == {key: value for key, (_, value) in LIMITS.items()}


def test_set_is_all_or_none(cli):
    text = cli.refused("set", "max_sessions", 5, "max_inflight_messages", 65536)
    assert "max_inflight_messages" in text
    assert "1 to 65535" in text
    assert cli.json("show")["max_sessions"] == 0


def test_limits_are_of_one_namespace(cli):
    here = json.loads(subprocess.check_output([KMQTT, "-j", "show"]))
    cli.run("set", "max_sessions", 77)
    assert json.loads(subprocess.check_output([KMQTT, "-j", "show"])).get("max_sessions") == \
        here["max_sessions"]


def test_a_namespace_may_be_a_path(cli):
    cli.run("set", "max_sessions", 6)
    text = subprocess.check_output([KMQTT, "-j", "-n", f"/run/netns/{cli.netns}", "show"])
    assert json.loads(text)["max_sessions"] == 6


def test_pub_and_sub_are_in_the_namespace_too(cli):
    device = cli.device()
    device.subscribe("a/b")
    cli.run("pub", "-t", "a/b", "-m", "there")
    assert device.read()[0].payload == b"there"
    device.publish("kept", b"here", flags=RETAIN)
    assert cli.run("sub", "-t", "kept", "-C", "1") == "here\n"


def test_no_such_namespace():
    done = subprocess.run([KMQTT, "-n", "no-such-one", "show"], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 1
    assert "no-such-one" in done.stderr


def test_pretty_json_is_the_same(cli):
    plain, pretty = cli.run("-j", "show"), cli.run("-j", "-p", "show")
    assert plain.count("\n") == 1
    assert pretty.count("\n") > 10
    assert set(json.loads(plain)) == set(json.loads(pretty))


def test_words_may_be_shortened(cli):
    for words in ("sh", "ses", "session s", "subscr", "ret sh", "a sh", "u", "u sh", "u t sh",
                  "stat", "set max_se 5"):
        cli.run(*words.split())


def test_mistakes_have_status_1(cli):
    for words, says in (
            ("s", "ambiguous: show set session"),
            ("se", "ambiguous: set session"),
            ("uplink s", "ambiguous: show set"),
            ("set max_q 5", "ambiguous: max_queued_messages max_queued_bytes"),
            ("nonsense", "unknown object"),
            ("session nonsense", "unknown command"),
            ("set", "KEY VALUE"),
            ("set max_sessions", "needs a value"),
            ("set max_sessions many", "not a number"),
            ("show x", "too many")):
        assert says in cli.refused(*words.split(), status=1)


def test_unknown_option():
    done = subprocess.run([KMQTT, "--nonsense"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert not done.stdout


def test_help_is_on_standard_output():
    objects = ("show", "set", "uplink", "session", "subscription", "retained", "acl", "monitor",
               "stats", "top", "bench")
    for words in (["help"], ["--help"], ["-h"], ["uplink", "topic", "help"],
                  *([name, "help"] for name in objects)):
        done = subprocess.run([KMQTT, *words], capture_output=True, text=True, check=True)
        assert done.stdout.startswith("Usage: kmqtt ")
        assert not done.stderr


def test_version():
    assert subprocess.check_output([KMQTT, "-V"], text=True).startswith("kmqtt ")


def as_nobody(*words):
    return subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", KMQTT,
                           *words], capture_output=True, text=True, check=False, timeout=60)


def test_show_and_stats_need_no_privilege():
    for words in (["show"], ["stats"]):
        assert as_nobody(*words).returncode == 0


def test_all_else_needs_it():
    for words in ("set max_sessions 5", "uplink add b", "uplink", "session", "acl", "acl flush",
                  "retained", "subscription", "monitor", "top -b -n 1"):
        done = as_nobody(*words.split())
        assert done.returncode == 2
        assert done.stderr.startswith("kmqtt: ")
        assert not done.stdout


def test_stats_count_what_happens(cli):
    with cli.device() as device:
        device.subscribe("a/#")
        device.publish("a/b", b"12345")
        device.publish("c", b"")
        assert device.read()[0].payload == b"12345"
    stats = cli.json("stats")
    assert stats["messages_published"] == 2
    assert stats["messages_delivered"] == 1
    assert stats["messages_unmatched"] == 1
    assert stats["bytes_published"] == 9
    text = cli.run("stats")
    assert "messages_published 2\n" in text
    assert len(text.splitlines()) == len(stats)


def test_output_that_cannot_be_written_is_an_error(cli):
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run(cli.command("show"), stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode != 0
    assert b"standard output" in done.stderr


@pytest.mark.parametrize("words", ["monitor", "-j monitor", "top -b -d 0.01"])
def test_live_output_that_cannot_be_written_ends(cli, words):
    with open("/dev/full", "w", encoding="ascii") as full:
        process = subprocess.Popen(  # pylint: disable=consider-using-with
            cli.command(*words.split()), stdout=full, stderr=subprocess.PIPE)
    while process.poll() is None:
        cli.device("probe").close()
    assert process.communicate()[1].count(b"standard output") == 1
    assert process.returncode == 2


def test_top_in_batch_mode(cli):
    device = cli.device("top-session")
    device.subscribe("a/#")
    process = cli.start("top", "-b", "-d", "0.2", "-n", "3")
    while process.poll() is None:
        device.publish("a/b", b"x")
        device.drain()
    out = process.communicate()[0]
    assert process.returncode == 0
    assert out.count("kmqtt top: up") == 3
    assert "\033" not in out
    rows = [line.split() for line in out.splitlines() if line.endswith(" top-session")]
    assert len(rows) == 3
    assert all(row[0] == "local" and row[1] == "1" for row in rows)
    assert any(float(row[4]) > 0 and float(row[5]) > 0 for row in rows)
    rates = re.findall(r"messages/s +published (\d+), delivered (\d+)", out)
    assert len(rates) == 3
    assert any(int(published) and int(delivered) for published, delivered in rates)


def test_top_on_a_terminal_ends_with_q(cli):
    leader, follower = os.openpty()
    process = subprocess.Popen(  # pylint: disable=consider-using-with
        cli.command("top", "-d", "0.1"), stdin=follower, stdout=follower, stderr=follower)
    os.close(follower)
    seen = b""
    while seen.count(b"\033[H\033[J") < 2:
        seen += os.read(leader, 4096)
    assert b"SESSION" in seen
    os.write(leader, b"q")
    assert process.wait(timeout=30) == 0
    seen += os.read(leader, 65536)
    os.close(leader)
    assert seen.endswith(b"\033[?25h\r\n")


def test_top_ends_with_a_signal(cli):
    process = cli.start("top", "-b", "-d", "0.1")
    assert process.stdout.readline().startswith("kmqtt top: up")
    process.terminate()
    process.communicate(timeout=30)
    assert process.returncode == 0

# SPDX-License-Identifier: GPL-2.0
"""kmqtt bench against Mosquitto: every mode gets what it waits for, and says so."""

import json
import os
import subprocess

import pytest
from conftest import free_port

KMQTT = os.path.join(os.environ["KMQTT_BIN"], "kmqtt")


def run(port, words, *options):
    return subprocess.run([KMQTT, *options, "bench", f"127.0.0.1:{port}", *words.split()],
                          capture_output=True, text=True, check=False, timeout=120)


def bench(broker, words):
    done = run(broker.port, words, "-j")
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("version", [311, 5])
@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("words", ["", "subscribers 3", "publishers 3", "pairs 3",
                                   "publishers 2 subscribers 3 shared on", "filters count 30",
                                   "filters count 250 subscribers 3 wildcard on"])
def test_flow(broker, version, qos, words):
    out = bench(broker, f"{words} deliveries 300 window 20 qos {qos} version {version}")
    assert out["n"] >= 300 and out["lost"] == 0
    assert out["qos"] == qos and out["version"] == (5 if version == 5 else 4)


def test_large(broker):
    out = bench(broker, "size 3000000 deliveries 10 subscribers 2")
    assert out["n"] >= 10 and out["size"] == 3000000


def test_round_trip(broker):
    out = bench(broker, "round-trip deliveries 50 rate 500 qos 1")
    assert out["n"] == 50
    assert 0 < out["p50_ns"] <= out["p99_ns"] <= out["p999_ns"] <= out["max_ns"]


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_retained(broker, qos):
    """All of them for each; afterwards there are none."""
    # Mosquitto 2.0.11 loses some of QoS 2 beyond its max_inflight_messages, which are 20
    count = 20 if qos == 2 else 700
    for _ in range(2):
        out = bench(broker, f"retained count {count} subscribers 2 qos {qos} inflight 10")
        assert out["n"] == 2 * count
    left = subprocess.run(["mosquitto_sub", "-p", str(broker.port), "-t", "load/#", "-W", "1"],
                          capture_output=True, check=False)
    assert left.stdout == b""


@pytest.mark.parametrize("words,count", [("connect count 200", 200), ("idle count 100", 100),
                                         ("connect version 5", 1000)])
def test_connections(broker, words, count):
    assert bench(broker, words)["n"] == count


def test_bare():
    """It needs no broker."""
    out = json.loads(run(free_port(), "idle bare on count 20", "-j").stdout)
    assert out["n"] == 20


def test_text(broker):
    out = run(broker.port, "deliveries 100").stdout
    assert out.startswith("deliveries ") and "switches" in out and "{" not in out


def test_refused():
    """Nobody listens."""
    done = run(free_port(), "seconds 1")
    assert done.returncode == 2 and "Connection refused" in done.stderr and done.stdout == ""

# SPDX-License-Identifier: GPL-2.0
"""kmqtt sub: what it prints, when it ends, and the sessions that outlive it."""

import os
import signal

import pytest

import kmqtt_dev
from pubsub import BITS, Kmqtt, Running, wait_for

@pytest.fixture
def kmqtt():
    """The programs; of 64 bits, unless a test asks for both."""
    return Kmqtt()


@pytest.fixture
def name(topic):
    """The name of a session, which is gone after the test."""
    name = "sub-" + topic.replace("/", "-")
    yield name
    assert Kmqtt().run("sub", "-i", name, "-t", topic, "-E").status == 0


@BITS
def test_binary(kmqtt, device, topic):
    """Every byte of a large payload comes out, with nothing added by -N."""
    data = bytes(range(256)) * 1024
    with kmqtt.subscribe("-t", topic, "-C", "1", "-N") as sub:
        device().publish(topic, data)
        assert sub.end() == (0, data, b"")


@BITS
def test_many(kmqtt, device, topic):
    """More than one read() takes, in order."""
    device_ = device()
    with kmqtt.subscribe("-t", topic, "-C", "900", "-q", "1") as sub:
        for start in range(0, 900, 300):
            device_.write(b"".join(kmqtt_dev.record(topic, b"%d" % n, qos=1)
                                   for n in range(start, start + 300)))
        assert sub.end().out == b"".join(b"%d\n" % n for n in range(900))


def test_subscription_identifier(kmqtt, topic):
    with kmqtt.subscribe("-t", topic, "-C", "1", "-F", "%S", "-D", "subscribe",
                         "subscription-identifier", "268435455") as sub:
        kmqtt.publish("-t", topic, "-m", "x")
        assert sub.end().out == b"268435455\n"


def test_expiry_is_seen(kmqtt, topic):
    with kmqtt.subscribe("-t", topic, "-C", "1", "-F", "%E") as sub:
        kmqtt.publish("-t", topic, "-m", "x", "-D", "publish", "message-expiry-interval", "600")
        assert 0 < int(sub.end().out) <= 600


@BITS
@pytest.mark.parametrize("handling,count", [("always", 2), ("new", 1), ("never", 0)])
def test_retain_handling(kmqtt, topic, name, handling, count):
    """Retained messages at each subscribe, only at the first one, or never."""
    kmqtt.publish("-t", topic, "-m", "kept", "-r")
    args = ["-i", name, "-c", "-q", "1", "-t", topic, "-W", "1", "--retain-handling", handling]
    out = b"".join(kmqtt.run("sub", *args).out for _ in range(2))
    kmqtt.publish("-t", topic, "-n", "-r")
    assert out == b"kept\n" * count


def test_random_filter(kmqtt, device, topic):
    """All of them with 100, about half with 50: the odds of the bounds are one in 10^12."""
    for chance, least, most in (("100", 1000, 1000), ("50", 380, 620), ("0.1", 0, 20)):
        with kmqtt.subscribe("-t", topic, "-C", "1000", "--random-filter", chance) as sub:
            publisher = device()
            for _ in range(10):
                publisher.write(kmqtt_dev.record(topic, b"x") * 100)
            done = sub.end()
        assert done.status == 0 and least <= done.out.count(b"x\n") <= most


def test_unsubscribe(kmqtt, topic, name):
    """-U ends a subscription of a session that lives on."""
    args = ["-i", name, "-c", "-q", "1"]
    assert kmqtt.run("sub", *args, "-t", topic + "/a", "-t", topic + "/b", "-E").status == 0
    assert kmqtt.run("sub", *args, "-U", topic + "/a", "-U", topic + "/none", "-E").status == 0
    for letter in "ab":
        kmqtt.publish("-t", f"{topic}/{letter}", "-m", letter, "-q", "1")
    done = kmqtt.run("sub", *args, "-t", topic + "/b", "-C", "2", "-W", "1")
    assert done == (27, b"b\n", b"Timed out\n")


@BITS
def test_named_session(kmqtt, topic, name):
    """What comes meanwhile waits, without QoS 0; -C takes no more than it prints."""
    args = ["-i", name, "-c", "-q", "1", "-t", topic, "-W", "1"]
    assert kmqtt.run("sub", *args, "-E").status == 0
    for number in range(5):
        kmqtt.publish("-t", topic, "-m", str(number), "-q", "1")
    kmqtt.publish("-t", topic, "-m", "not kept", "-q", "0")
    assert kmqtt.run("sub", *args, "-C", "2") == (0, b"0\n1\n", b"")
    assert kmqtt.run("sub", *args, "-C", "3") == (0, b"2\n3\n4\n", b"")
    assert kmqtt.run("sub", *args) == (27, b"", b"Timed out\n")


def test_clean_session(kmqtt, topic, name):
    """Without -c everything of before is forgotten."""
    args = ["-i", name, "-q", "1", "-t", topic]
    assert kmqtt.run("sub", *args, "-c", "-E").status == 0
    kmqtt.publish("-t", topic, "-m", "old", "-q", "1")
    assert kmqtt.run("sub", *args, "-W", "1") == (27, b"", b"Timed out\n")


def test_session_expiry(kmqtt, topic, name):
    """-x: the session ends that many seconds after the process."""
    args = ["-i", name, "-q", "1", "-t", topic, "-W", "1"]
    for expiry, kept in (("1", b""), ("600", b"m\n"), ("-1", b"m\n")):
        assert kmqtt.run("sub", *args, "-c", "-x", expiry, "-E").status == 0
        kmqtt.publish("-t", topic, "-m", "m", "-q", "1")
        if not kept:
            wait_for(lambda: not kmqtt.run("sub", *args, "-c", "-x", "1", "--quiet").out)
        else:
            assert kmqtt.run("sub", *args, "-c", "-x", expiry).out == kept


def test_killed(kmqtt, device, topic, name):
    """A subscriber that is killed loses nothing: what it had not printed comes again."""
    args = ["-i", name, "-c", "-q", "1", "-t", topic]
    count = 50
    with kmqtt.subscribe(*args) as sub:
        publisher = device()
        for number in range(count):
            publisher.publish(topic, b"%d" % number, qos=1)
        sub.process.stdout.readline()
        sub.process.kill()
        sub.process.wait()
        seen = [0] + [int(line) for line in sub.process.stdout.read().split()]
    again = [int(line) for line in kmqtt.run("sub", *args, "-W", "1").out.split()]
    assert set(seen) | set(again) == set(range(count))
    assert again == sorted(again)


@BITS
def test_takeover(kmqtt, topic, name):
    """The same name elsewhere ends this one, as with Mosquitto."""
    with kmqtt.subscribe("-i", name, "-t", topic) as first:
        with kmqtt.subscribe("-i", name, "-t", topic, "-C", "1") as second:
            done = first.end()
            assert done.status == 7
            assert done.err.startswith(b"Error: The connection was lost: the session was taken")
            kmqtt.publish("-t", topic, "-m", "x")
            assert second.end() == (0, b"x\n", b"")


def test_id_prefix(kmqtt, topic):
    """-I: a name of this process only."""
    with kmqtt.subscribe("-I", "prefix-", "-t", topic, "-d") as sub:
        done = sub.stop(signal.SIGINT)
        assert f"Client prefix-{sub.process.pid} sending SUBSCRIBE".encode() in done.out


def test_not_mine(kmqtt, topic, name):
    """The session of another user is not for this one."""
    assert kmqtt.run("sub", "-i", name, "-c", "-t", topic, "-E").status == 0
    mode = os.stat("/dev/kmqtt").st_mode
    os.chmod("/dev/kmqtt", 0o666)
    try:
        done = kmqtt.run("sub", "-i", name, "-c", "-t", topic, "-E", user=65534, group=65534,
                         extra_groups=[])
    finally:
        os.chmod("/dev/kmqtt", mode & 0o777)
    assert done.status == 135
    assert done.err == b"Error: The session %s belongs to another user.\n" % name.encode()


def test_full_output(kmqtt, topic, name):
    """What could not be written is an error, and is not acknowledged."""
    args = ["-i", name, "-c", "-q", "1", "-t", topic, "-W", "2"]
    assert kmqtt.run("sub", *args, "-E").status == 0
    kmqtt.publish("-t", topic, "-m", "important", "-q", "1")
    command = " ".join(kmqtt.command("sub", args)) + " > /dev/full"
    with Running(["/bin/sh", "-c", command]) as shell:
        done = shell.end()
    assert done.status == 14 and done.err.startswith(b"Error: standard output: ")
    assert kmqtt.run("sub", *args, "-C", "1").out == b"important\n"


def test_bad_filter(kmqtt):
    done = kmqtt.run("sub", "-t", "", "-W", "1")
    assert done == (3, b"", b"Error: Invalid input. Does your topic contain '+' or '#'?\n")

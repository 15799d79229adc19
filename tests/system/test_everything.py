# SPDX-License-Identifier: GPL-2.0
"""A little of everything, much of it at once: for the lane with sanitizers, where time is dear.

What is asserted here is what must hold however things fall together; each promise by itself has
its test elsewhere.
"""

import json
import os
import random
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest

import kmqtt_dev as dev

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
KMQTT = os.path.join(TOP, "build", "bin", "kmqtt")
PORT = 18830
MESSAGES = 150


def kmqtt(*words, status=0, prefix=()):
    done = subprocess.run([*prefix, KMQTT, *words], capture_output=True, text=True, timeout=60,
                          check=False)
    assert done.returncode == status, done.stderr
    return done.stdout


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.1)


class Threads:
    """Threads whose exceptions are the test's."""

    def __init__(self):
        self.threads, self.errors, self.stop = [], [], threading.Event()

    def start(self, function, *args):
        def run():
            try:
                function(*args)
            except BaseException as error:  # pylint: disable=broad-except
                self.errors.append(error)
                self.stop.set()
        self.threads.append(threading.Thread(target=run, daemon=True))
        self.threads[-1].start()
        return self.threads[-1]

    def join(self, *threads, seconds=300):
        for thread in threads or self.threads:
            thread.join(seconds)
            assert not thread.is_alive(), f"a thread is stuck; errors: {self.errors}"
        if self.errors:
            raise self.errors[0]


class Broker:
    """A Mosquitto that can be killed and started again."""

    def __init__(self, port=PORT):
        self.port, self.process = port, None
        self.start()

    def start(self):
        # pylint: disable-next=consider-using-with
        self.process = subprocess.Popen(["mosquitto", "-p", str(self.port)],
                                        stderr=subprocess.DEVNULL)

        def listens():
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0
        until(listens)

    def kill(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def broker():
    one = Broker()
    yield one
    one.kill()


def churn(stop, seed):
    """Subscribes and unsubscribes, opens and closes, until told to stop."""
    rng = random.Random(seed)
    files = [dev.Device() for _ in range(4)]
    levels = ["a", "w", "+", "#", "$share/g/w/#", "w/+"]
    while not stop.is_set():
        at = rng.randrange(len(files))
        pattern = "/".join(rng.choice(levels[:3]) for _ in range(rng.randint(1, 4)))
        try:
            files[at].subscribe(rng.choice([pattern, rng.choice(levels)]), qos=rng.randint(0, 2))
            if rng.random() < 0.5:
                files[at].unsubscribe(pattern)
        except FileNotFoundError:
            pass
        if rng.random() < 0.1:
            files[at].close()
            files[at] = dev.Device()
    for one in files:
        one.close()


def write_numbers(topic, count):
    with dev.Device() as out:
        for number in range(count):
            out.publish(topic, struct.pack("=I", number), qos=2)


def read_numbers(name, total, seen, rng):
    """Comes back to the session again and again; what it did not acknowledge comes again."""
    done = 0
    while done < total:
        with dev.Device(name, flags=dev.MANUAL_ACK, expiry=600, messages=100000) as reader:
            for _ in range(rng.randint(1, 12)):
                if not reader.readable(2000):
                    break
                batch = reader.read(rng.choice([256, 1024, 65536]))
                keep = rng.randint(0, len(batch))
                for message in batch[:keep]:
                    reader.ack(message.id)
                    seen.setdefault(message.topic, []).append(
                        struct.unpack("=I", message.payload)[0])
                    done += 1
                if keep < len(batch):
                    break


def test_exactly_once_and_in_order_whatever_else_goes_on():
    threads, seen, rng = Threads(), {}, random.Random(1)
    with dev.Device("everything", flags=dev.MANUAL_ACK | dev.CLEAN, expiry=600,
                    messages=100000) as first:
        first.subscribe("w/+", qos=2)
    busy = [threads.start(churn, threads.stop, seed) for seed in range(2)]
    writers = [threads.start(write_numbers, f"w/{n}", MESSAGES) for n in range(3)]
    reader = threads.start(read_numbers, "everything", 3 * MESSAGES, seen, rng)
    threads.join(*writers, reader)
    threads.stop.set()
    threads.join(*busy)
    assert seen == {f"w/{n}": list(range(MESSAGES)) for n in range(3)}
    with dev.Device("everything", flags=dev.MANUAL_ACK | dev.CLEAN) as last:
        assert not last.readable()


def test_a_ring_and_a_reader_get_the_same_while_the_policy_drops_for_another():
    with dev.Device() as plain, dev.Device() as mapped, dev.Device(
            policy=dev.DROP_OLDEST, messages=5) as small, dev.Device() as out:
        ring = mapped.ring(1 << 14)
        for one in plain, mapped, small:
            one.subscribe("ring/#")
        got = []
        for number in range(200):
            out.publish("ring/x", b"%d" % number)
            got += [m.payload for m in ring.take()]
        assert got == [b"%d" % n for n in range(200)]
        assert [m.payload for m in plain.drain()] == got
        assert [m.payload for m in small.drain()] == got[-5:]
        assert small.stats().dropped_messages == 195


def blocked_child(kind):
    """A process that waits in the kernel in one way or another. Returns its id."""
    child = os.fork()
    if child:
        return child
    one = dev.Device(policy=dev.BLOCK, messages=2)
    one.subscribe(f"blocked/{kind}", qos=1)
    if kind == "read":
        one.read()
    elif kind == "poll":
        one.poll(-1, 1)
    elif kind == "write":
        with dev.Device() as out:
            while True:
                out.publish(f"blocked/{kind}", b"x", qos=1)
    else:
        one.ring()
        while True:
            time.sleep(1)
    os._exit(0)


def test_processes_are_killed_wherever_they_wait():
    children = [blocked_child(kind) for kind in ("read", "poll", "write", "ring")]
    time.sleep(2)
    for child in children:
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status)
    assert all("blocked" not in s["filter"] for s in json.loads(kmqtt("-j", "subscription", "show")))


def test_the_command_walks_through_everything(broker):
    kmqtt("set", "max_queued_messages", "500", "max_inflight_messages", "10")
    kmqtt("acl", "add", "allow", "readwrite", "#", "uid", "0")
    kmqtt("uplink", "add", "walk", "to", f"127.0.0.1:{broker.port}")
    kmqtt("uplink", "topic", "add", "walk", "in/#", "both", "qos", "2", "remote", "far/")
    kmqtt("uplink", "topic", "add", "walk", "want/#", "demand", "qos", "1")
    try:
        with dev.Device("walker", expiry=5) as one:
            one.subscribe("want/+/x", qos=1)
            one.publish("in/kept", b"1", qos=1, flags=dev.RETAIN)
            for words in (["show"], ["uplink", "show"], ["session", "show"], ["retained", "show"],
                          ["subscription", "show"], ["acl", "show"], ["stats"]):
                assert json.loads(kmqtt("-j", *words)) is not None
            shown = json.loads(kmqtt("-j", "retained", "show"))
            assert "in/kept" in [r["topic"] for r in shown]
    finally:
        kmqtt("uplink", "del", "walk")
        kmqtt("acl", "flush")
        kmqtt("retained", "clear")
        kmqtt("set", "max_queued_messages", "1000", "max_inflight_messages", "20")


def test_a_broker_that_dies_and_comes_back_disturbs_nobody(broker):
    threads, heard = Threads(), []
    kmqtt("uplink", "add", "dies", "to", f"127.0.0.1:{broker.port}", "backoff-min", "1",
          "backoff-max", "2")
    kmqtt("uplink", "topic", "add", "dies", "d/#", "both", "qos", "2")

    def write(topic):
        with dev.Device() as out:
            number = 0
            while not threads.stop.is_set():
                out.publish(topic, struct.pack("=I", number), qos=number % 3)
                number += 1
                time.sleep(0.01)

    try:
        with dev.Device(messages=100000) as local:
            local.subscribe("d/0", qos=2)
            writers = [threads.start(write, f"d/{n}") for n in range(2)]
            for _ in range(3):
                time.sleep(1)
                broker.kill()
                kmqtt("-s", "uplink", "show")
                broker.start()
            until(lambda: '"up"' in kmqtt("-j", "uplink", "show"))
            threads.stop.set()
            threads.join(*writers)
            heard = [struct.unpack("=I", m.payload)[0] for m in local.drain()]
        # Local delivery went on all the while, and nothing came twice from the broker.
        assert heard == list(range(len(heard))) and heard
        with dev.Device() as out:
            assert out.publish_wait(dev.record("d/last", b"x", qos=2), 60000) == 0
    finally:
        kmqtt("uplink", "del", "dies")


def test_a_namespace_goes_with_all_that_is_in_it():
    name = "kmqtt-everything"
    inside = ["ip", "netns", "exec", name]
    for round_ in range(2):
        subprocess.run(["ip", "netns", "add", name], check=True)
        subprocess.run([*inside, "ip", "link", "set", "lo", "up"], check=True)
        # pylint: disable-next=consider-using-with
        silent = subprocess.Popen(
            [*inside, "python3", "-c", "import socket, time; s = socket.socket();"
             "s.bind(('127.0.0.1', 1883)); s.listen(); print(flush=True); time.sleep(600)"],
            stdout=subprocess.PIPE)
        silent.stdout.readline()
        kmqtt("-n", name, "uplink", "add", "silent", "to", "127.0.0.1:1883")
        kmqtt("-n", name, "uplink", "add", "nowhere", "to", "127.0.0.2:1,[::1]:2")
        kmqtt("-n", name, "uplink", "topic", "add", "silent", "#", "out", "qos", "1")
        kmqtt("pub", "-t", "waits", "-m", str(round_), "-q", "1", prefix=inside)
        kmqtt("pub", "-t", "kept", "-m", "r", "-r", prefix=inside)
        assert kmqtt("sub", "-t", "kept", "-C", "1", "-W", "20", prefix=inside) == "r\n"
        silent.kill()
        silent.wait()
        silent.stdout.close()
        subprocess.run(["ip", "netns", "del", name], check=True)

# SPDX-License-Identifier: GPL-2.0
"""The command kmqtt in a network namespace of the test's own."""

import contextlib
import itertools
import json
import os
import subprocess
import time

import pytest

from kmqtt_dev import Device, libc

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
KMQTT = os.path.join(TOP, "build", "bin", "kmqtt")
CLONE_NEWNET = 0x40000000
PATIENCE = 30

NUMBERS = itertools.count(1)


def wait_until(condition):
    """What it returns as soon as that is true."""
    end = time.monotonic() + PATIENCE
    while True:
        value = condition()
        if value or time.monotonic() > end:
            assert value, "it did not happen"
            return value
        time.sleep(0.05)


class Cli:
    """Runs kmqtt in one network namespace."""

    def __init__(self, netns):
        self.netns = netns
        self.opened = []
        self.running = []

    def command(self, *words):
        return [KMQTT, "-n", self.netns, *map(str, words)]

    def run(self, *words, status=0, **more):
        """Its output; the exit status must be this one."""
        done = subprocess.run(self.command(*words), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, check=False, timeout=PATIENCE,
                              **more)
        assert done.returncode == status, f"{words}: {done.returncode}: {done.stdout}{done.stderr}"
        assert bool(done.stderr) == bool(status), f"{words}: {done.stderr}"
        return done.stdout

    def refused(self, *words, status=2):
        """What it says on standard error; nothing is on standard output."""
        done = subprocess.run(self.command(*words), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, check=False, timeout=PATIENCE)
        assert done.returncode == status, f"{words}: {done.returncode}: {done.stdout}{done.stderr}"
        assert not done.stdout
        assert done.stderr.startswith("kmqtt: ")
        return done.stderr

    def json(self, *words):
        """What it prints as JSON, which must be one value."""
        return json.loads(self.run("-j", *words))

    def start(self, *words, program=KMQTT, **more):
        """Starts it, or another program, in the background; ended after the test."""
        command = self.command(*words) if program == KMQTT else [
            "ip", "netns", "exec", self.netns, program, *map(str, words)]
        process = subprocess.Popen(  # pylint: disable=consider-using-with
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)
        self.running.append(process)
        return process

    @contextlib.contextmanager
    def inside(self):
        """The test itself is in the namespace."""
        with open("/proc/self/ns/net", encoding="ascii") as old, \
             open(f"/run/netns/{self.netns}", encoding="ascii") as new:
            libc("setns", new.fileno(), CLONE_NEWNET)
            try:
                yield
            finally:
                libc("setns", old.fileno(), CLONE_NEWNET)

    def device(self, *args, **more):
        """A file of /dev/kmqtt there; closed after the test."""
        with self.inside():
            self.opened.append(Device(*args, **more))
        return self.opened[-1]

    def broker(self, port=1883):
        """A Mosquitto there, that takes everyone."""
        path = f"/tmp/{self.netns}.conf"
        with open(path, "w", encoding="ascii") as conf:
            conf.write(f"listener {port}\nallow_anonymous true\n")
        process = self.start("-c", path, program="mosquitto")

        def accepts():
            with self.inside():
                probe = subprocess.run(["mosquitto_pub", "-p", str(port), "-t", "x", "-n"],
                                       stderr=subprocess.DEVNULL, check=False)
            return probe.returncode == 0

        wait_until(accepts)
        return process

    def close(self):
        for process in self.running:
            process.kill()
            process.communicate()
        for device in self.opened:
            device.close()


@pytest.fixture
def cli():
    """kmqtt in a network namespace with a switch that has nothing in it yet."""
    netns = f"cli{next(NUMBERS)}"
    subprocess.run(["ip", "netns", "add", netns], check=True)
    subprocess.run(["ip", "-n", netns, "link", "set", "lo", "up"], check=True)
    one = Cli(netns)
    yield one
    one.close()
    subprocess.run(["ip", "netns", "del", netns], check=True)

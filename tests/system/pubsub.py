# SPDX-License-Identifier: GPL-2.0
"""kmqtt pub, sub and rr, and Mosquitto's clients beside them, for the tests."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
BIN = os.path.join(TOP, "build", "bin")
BIN32 = os.path.join(TOP, "build", "m32", "bin")
ENV = dict(os.environ, TZ="UTC", HOME="/nonexistent", XDG_CONFIG_HOME="/nonexistent",
           PATH=BIN + ":" + os.environ["PATH"])
# More than enough: under emulation a guest's clock may run much faster than its programs.
SECONDS = 120
# The numbers of poll() for 64- and 32-bit programs, as /proc/PID/syscall shows them.
POLL = ("7 ", "168 ")


def wait_for(condition, seconds=SECONDS):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


class Done:
    """How a program ended, and what it wrote."""

    def __init__(self, status, out, err):
        self.status = status
        self.out = out
        self.err = err

    def __iter__(self):
        return iter((self.status, self.out, self.err))

    def __eq__(self, other):
        return tuple(self) == tuple(other)

    def __repr__(self):
        return f"Done{tuple(self)}"


class Running:
    """A program in the background."""

    def __init__(self, command, **more):
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=ENV, **more)

    def waits(self):
        """It sleeps in poll(): it has subscribed, and printed what was there."""
        if self.process.poll() is not None:
            return True
        with contextlib.suppress(ProcessLookupError), \
                open(f"/proc/{self.process.pid}/syscall", encoding="ascii") as file:
            return file.read().startswith(POLL)
        return False

    def ready(self):
        wait_for(self.waits)
        return self

    def end(self, data=None):
        out, err = self.process.communicate(data, timeout=SECONDS)
        return Done(self.process.returncode, out, err)

    def stop(self, signum=signal.SIGTERM):
        self.process.send_signal(signum)
        return self.end()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


class Kmqtt:
    """The programs of kmqtt."""

    name = "kmqtt"

    def __init__(self, folder=BIN):
        self.folder = folder

    def command(self, tool, args):
        return [os.path.join(self.folder, f"kmqtt_{tool}"), *args]

    def run(self, tool, *args, data=None, **more):
        """Run a program to its end."""
        return self.start(tool, *args, **more).end(data)

    def start(self, tool, *args, **more):
        return Running(self.command(tool, args), **more)

    def subscribe(self, *args):
        """kmqtt sub, that has subscribed."""
        return self.start("sub", *args).ready()

    def publish(self, *args, data=None):
        done = self.run("pub", *args, data=data)
        assert done.status == 0 and done.err == b"", done


# For @BITS: the fixture kmqtt with programs of 64 and of 32 bits (make BUILD=build/m32
# CFLAGS=-m32), on the same kernel.
BITS = pytest.mark.parametrize("kmqtt", [
    pytest.param(Kmqtt(BIN), id="64"),
    pytest.param(Kmqtt(BIN32), id="32")])


class Mosquitto(Kmqtt):
    """Mosquitto's programs, with a broker of their own."""

    name = "mosquitto"

    def __init__(self, folder):
        super().__init__()
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            self.port = sock.getsockname()[1]
        self.log = folder / "log"
        conf = folder / "mosquitto.conf"
        conf.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\n")
        program = shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin")
        with open(self.log, "wb") as log:
            self.broker = subprocess.Popen(  # pylint: disable=consider-using-with
                [program, "-v", "-c", str(conf)], stderr=log)
        wait_for(lambda: "running" in self.text())

    def text(self):
        return self.log.read_text(errors="replace")

    def command(self, tool, args):
        return [f"mosquitto_{tool}", "-p", str(self.port), *args]

    def subscribe(self, *args):
        before = self.text().count("Sending SUBACK")
        running = self.start("sub", *args)
        wait_for(lambda: self.text().count("Sending SUBACK") > before)
        return running

    def close(self):
        self.broker.terminate()
        self.broker.wait()

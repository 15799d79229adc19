# SPDX-License-Identifier: GPL-2.0
"""A Mosquitto on loopback, and a way to see one message through mosquitto_sub and kmqtt sub."""

import os
import shutil
import socket
import struct
import subprocess
import time

import pytest

# A kmqtt of 32 bits may have been built without libmnl: it has pub, sub and rr only.
HELP = subprocess.run([os.path.join(os.environ["KMQTT_BIN"], "kmqtt"), "help"],
                      capture_output=True, text=True, check=False).stdout
collect_ignore = [] if "bench" in HELP else ["test_bench.py"]


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def listens(port):
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


class Broker:
    """A Mosquitto: its port, and how many subscriptions it has confirmed so far."""

    def __init__(self, port, log):
        self.port = port
        self.log = log

    def subscriptions(self):
        return self.log.read_text(errors="replace").count("Sending SUBACK")


@pytest.fixture(scope="session")
def broker(tmp_path_factory):
    folder = tmp_path_factory.mktemp("broker")
    port = free_port()
    conf = folder / "mosquitto.conf"
    conf.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    mosquitto = shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin")
    with open(folder / "log", "wb") as log, \
            subprocess.Popen([mosquitto, "-v", "-c", str(conf)], stderr=log) as process:
        wait_for(lambda: listens(port))
        yield Broker(port, folder / "log")
        process.terminate()


class Message:
    """A message as it is published, and as the kernel would hand it out."""

    HEAD = struct.Struct("=IHHHBBIIIIIQQ")

    def __init__(self, topic, payload=b"", qos=0, **props):
        self.topic = topic.encode()
        self.payload = payload
        self.qos = qos
        self.expiry = props.pop("expiry", 0)
        self.users = props.pop("users", [])
        self.props = props

    def options(self):
        """Options of mosquitto_pub; the payload goes in through -s."""
        out = ["-t", self.topic.decode(), "-q", str(self.qos), "-V", "5"]
        out += ["-s"] if self.payload else ["-n"]
        for name, value in self.users:
            out += ["-D", "publish", "user-property", name, value]
        for name, value in self.props.items():
            out += ["-D", "publish", name.replace("_", "-"), str(value)]
        if self.expiry:
            out += ["-D", "publish", "message-expiry-interval", str(self.expiry)]
        return out

    def wire_props(self):
        """The properties as on the wire."""
        def string(text):
            data = text if isinstance(text, bytes) else text.encode()
            return struct.pack(">H", len(data)) + data

        out = b"".join(b"\x26" + string(name) + string(value) for name, value in self.users)
        ids = {"content_type": 3, "response_topic": 8, "correlation_data": 9}
        for name, value in self.props.items():
            if name == "payload_format_indicator":
                out += bytes([1, value])
            else:
                out += bytes([ids[name]]) + string(value)
        return out

    def record(self, mid, sub_id=0, time_ns=0):
        """struct kmqtt_record and what follows it."""
        props = self.wire_props()
        rest = self.topic + b"\0" + props + self.payload
        length = (self.HEAD.size + len(rest) + 7) & ~7
        head = self.HEAD.pack(length, 1, 0, len(self.topic), self.qos, 0, len(props),
                              len(self.payload), self.expiry, sub_id, 0, mid, time_ns)
        return (head + rest).ljust(length, b"\0")


UTC = dict(os.environ, TZ="UTC")


def show(records, *options, check=True):
    """What kmqtt sub prints of records: (standard output, standard error)."""
    done = subprocess.run([os.environ["KMQTT_SHOW"], "-t", "#", *options], input=records,
                          capture_output=True, check=check, env=UTC)
    return done.stdout, done.stderr


@pytest.fixture
def both(broker):
    """What mosquitto_sub and kmqtt sub print of a message: (theirs, ours), each (out, err)."""
    def run(message, *options, sub_id=0):
        before = broker.subscriptions()
        more = ["-D", "subscribe", "subscription-identifier", str(sub_id)] if sub_id else []
        with subprocess.Popen(
                ["mosquitto_sub", "-p", str(broker.port), "-t", message.topic.decode(), "-C", "1",
                 "-W", "60", "-q", "2", "-V", "5", *more, *options],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=UTC) as sub:
            wait_for(lambda: broker.subscriptions() > before)
            subprocess.run(["mosquitto_pub", "-p", str(broker.port), *message.options()],
                           input=message.payload, check=True)
            theirs = sub.communicate()
            assert sub.returncode == 0
        mid = 1 if message.qos else 0
        return theirs, show(message.record(mid, sub_id), *options)

    return run

# SPDX-License-Identifier: GPL-2.0
"""What was sent, acknowledged and received, in files that outlive whoever writes them.

A publisher notes "s TOPIC NUMBER" before it sends a message the first time, and "a TOPIC NUMBER"
when it is acknowledged; a subscriber "ready" once it has subscribed, and "g TOPIC NUMBER QOS DUP"
for each message that it gets. A topic is flow/SWITCH/PUBLISHER/N: the messages of a publisher are
numbered, each topic's ascend.
"""

import os
import time

TOPICS = 3


# Where they are, and where logs are that the machine does not take with it when it dies.
FOLDER, EVENTS = "/tmp/races", os.environ["KMQTT_VM_OUT"] + "/events"


def append_to(folder, name):
    return os.open(os.path.join(folder, name), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)


class Ledger:
    """One writer's file. What is noted is there when flush() returns, even if we are killed."""

    def __init__(self, name):
        self.name = name
        self.fd = append_to(FOLDER, name)
        self.events = append_to(EVENTS, name)
        self.lines = []

    def note(self, *words):
        self.lines.append(" ".join(map(str, words)) + "\n")

    def event(self, text):
        """Something that happened, with its time, for whoever has to understand a failure."""
        os.write(self.events, f"{time.monotonic():.2f} {text}\n".encode())

    def flush(self):
        if self.lines:
            os.write(self.fd, "".join(self.lines).encode())
            self.lines.clear()


def body(name, number, size):
    """A payload that tells what it is, and whether it is whole."""
    head = b"%s %d %d " % (name.encode(), number, size)
    return head + (b"%d," % number * (size // 2 + 1))[:size]


def parse_body(payload):
    """The number in a payload; ValueError if it is not as it was sent."""
    name, number, size, _ = payload.split(b" ", 3)
    if payload != body(name.decode(), int(number), int(size)):
        raise ValueError(payload)
    return int(number)


class Reader:
    """Follows a file that is being written: whole lines, as words."""

    def __init__(self, name):
        self.path = os.path.join(FOLDER, name)
        self.at = 0

    def lines(self):
        try:
            with open(self.path, "rb") as file:
                file.seek(self.at)
                data = file.read()
        except FileNotFoundError:
            return []
        whole = data[:data.rfind(b"\n") + 1]
        self.at += len(whole)
        return [line.split(" ") for line in whole.decode().splitlines()]

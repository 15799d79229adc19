# SPDX-License-Identifier: GPL-2.0
"""MQTT client libraries, each in a program that does what it is told (agents/).

    agent = Agent("libmosquitto", broker)
    a = agent.connect("a", version=4, id="name", clean=0)
    a.subscribe("x/#", qos=2)
    a.publish("x/y", payload="hello", qos=1)
    assert a.message() == Message("x/y", 1, False, "hello", {})
    agent.kill()                            # all its clients are gone, without a DISCONNECT

Lines to an agent: COMMAND CLIENT NAME=VALUE..., with the commands connect, subscribe, unsubscribe,
publish and disconnect. Lines from it: what has happened, CLIENT, and more. A payload is a word, or
*N for N bytes; it is told as -, a word, or *N:SUM. Each wait has an end.
"""

import collections
import os
import queue
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.realpath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
FETCH = os.path.join(HERE, "fetch")
SECONDS = 60

AGENTS = {
    "libmosquitto": [os.path.join(TOP, "build", "agents", "libmosquitto")],
    "paho-c": [os.path.join(TOP, "build", "agents", "paho_c")],
    "paho-c-async": [os.path.join(TOP, "build", "agents", "paho_async")],
    "paho-python": [sys.executable, os.path.join(HERE, "agents", "paho_python.py")],
    "mqtt.js": ["node", os.path.join(HERE, "agents", "mqttjs.js")],
}

# What was met: for the end of the report.
VERSIONS = {}

EVENTS = ("connected", "disconnected", "published", "subscribed", "unsubscribed", "message",
          "error")
Message = collections.namedtuple("Message", "topic qos retain payload props")


def bytes_of(count):
    """How a payload of so many bytes is told."""
    return f"*{count}:{count * ord('x')}"


class Client:
    """One client of an agent."""

    def __init__(self, agent, name):
        self.agent = agent
        self.name = name
        self.happened = {event: queue.Queue() for event in EVENTS}
        self.connack = None

    def tell(self, command, **words):
        self.agent.tell(command, self.name,
                        *(f"{key}={value}" for key, value in words.items() if value is not None))

    def wait(self, what):
        """The words of the next line of this kind."""
        try:
            return self.happened[what].get(timeout=SECONDS)
        except queue.Empty:
            raise AssertionError(f"{self.agent.name}: {self.name} was not {what}: "
                                 f"{self.agent.lines}") from None

    def answer(self, what):
        return dict(word.split("=", 1) for word in self.wait(what))

    def code(self, what):
        return int(self.answer(what)["code"])

    def subscribe(self, filter_, qos=0, **more):
        """The code that was granted."""
        self.tell("subscribe", filter=filter_, qos=qos, **more)
        return self.code("subscribed")

    def unsubscribe(self, filter_):
        self.tell("unsubscribe", filter=filter_)
        self.wait("unsubscribed")

    def publish(self, topic, payload=None, qos=0, **more):
        """Publish, and wait until the handshake has ended; the code, if the library tells it."""
        self.tell("publish", topic=topic, payload=payload, qos=qos, **more)
        return self.code("published")

    def disconnect(self):
        self.tell("disconnect")
        assert self.code("disconnected") == 0

    def message(self):
        topic, qos, retain, payload, *props = self.wait("message")
        return Message(topic, int(qos), retain == "1", payload,
                       dict(word.split("=", 1) for word in props))

    def quiet(self):
        """Whether no message is there that was not asked for."""
        return self.happened["message"].empty()


class Agent:
    """One program, in the network namespace of a broker."""

    def __init__(self, name, broker):
        self.name = name
        self.clients = {}
        self.lines = collections.deque(maxlen=20)
        env = dict(os.environ)
        if name == "mqtt.js":
            top = subprocess.run([FETCH, "mqttjs"], check=True, stdout=subprocess.PIPE, text=True)
            env["NODE_PATH"] = os.path.join(top.stdout.strip(), "node_modules")
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with
            ["ip", "netns", "exec", broker.netns, *AGENTS[name]], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, env=env)
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        for line in self.process.stdout:
            self.lines.append(line)
            what, name, *words = line.split()
            if what == "version":
                VERSIONS[self.name] = name
            elif name in self.clients:
                self.clients[name].happened[what].put(words)

    def tell(self, *words):
        self.process.stdin.write(" ".join(words) + "\n")
        self.process.stdin.flush()

    def connect(self, name, code=0, **words):
        """A client; its CONNACK must say this."""
        client = self.clients[name] = Client(self, name)
        client.tell("connect", **words)
        client.connack = client.answer("connected")
        assert int(client.connack["code"]) == code, client.connack
        return client

    def kill(self):
        self.process.kill()
        self.close()

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(SECONDS)
        finally:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()

# SPDX-License-Identifier: GPL-2.0
"""What the bench measures, and the bars of it."""

from dataclasses import dataclass, field


@dataclass
class Case:
    """One case: arguments of `kmqtt bench` behind HOST:PORT.

    By the clock it runs for some seconds; in instructions until so many deliveries have come, or
    at most for so long. `relay`: how the blind relay is started for it, None: it cannot do this.
    `short`: it belongs to the lane of tests/check. `local`: what it measures are ways of
    tests/bench/ways.c by the name of the system, with so many readers.
    """
    name: str
    words: str
    deliveries: int = 50000
    seconds: float = 0.4
    relay: list = None
    short: bool = False
    local: dict = None
    readers: int = 0
    unit: str = "delivery"
    figure: str = "cpu"

    def arguments(self, icount):
        words = self.words.split()
        if self.unit == "connection":
            return words
        words += ["inflight", "500"]
        if icount:
            return words + ["deliveries", str(self.deliveries), "seconds",
                                         str(self.seconds)]
        return words + ["seconds", "2"]


def flows():
    for qos in (0, 1, 2):
        for name, words, deliveries, seconds in (
                ("1 to 1", "", 100000, 0.5),
                ("1 to 100", "subscribers 100", 400000, 1.2),
                ("1 to 1000", "subscribers 1000", 2000000, 3.0),
                ("100 to 1", "publishers 100", 50000, 0.6),
                ("50 pairs", "pairs 50", 50000, 0.7)):
            relay = (["pairs"] if "pairs" in name else []) if qos == 0 else None
            yield Case(f"{name}, QoS {qos}", f"{words} qos {qos}",
                       deliveries if qos == 0 or deliveries <= 100000 else deliveries // 4, seconds,
                       relay, short="1000" not in name and (qos == 0 or "pairs" in name))


WAYS = {"kmqtt": "read", "kmqtt ring": "ring", "kmqtt netlink": "netlink", "pipe": "pipe",
        "unix datagram": "unix", "POSIX mq": "mq", "D-Bus": "dbus", "mosquitto": "mosquitto"}
# Who has several messages may write them at once; libmosquitto sends each, and waits for none.
BATCHES = {"kmqtt": "read-batch", "kmqtt ring": "ring-batch", "mosquitto": "mosquitto"}
# Of these so many times fewer messages: they take so much longer.
SLOW = {"dbus": 10, "mosquitto": 10}


def locals_():
    yield Case("local, 1 to 1", "", 40000, local=WAYS, readers=1, short=True)
    yield Case("local, 1 to 100", "", 2000, local=WAYS, readers=100)
    yield Case("local, 1 to 1000", "", 500, local=WAYS, readers=1000)
    yield Case("local, 1 to 1, 50 messages a write", "", 100000, local=BATCHES, readers=1,
               short=True)
    yield Case("local, 1 to 100, 50 messages a write", "", 5000, local=BATCHES, readers=100)
    yield Case("local, 1 to 1000, 50 messages a write", "", 500, local=BATCHES, readers=1000)
    yield Case("local, over a broker and back", "", 20000, local={"kmqtt": "uplink"}, readers=1)


CASES = [
    *flows(),
    Case("1 to 1, QoS 0, MQTT 5", "version 5", relay=[]),
    Case("50 pairs, QoS 1, MQTT 5", "pairs 50 qos 1 version 5"),
    Case("1 to 1, 1 KiB", "size 1024", relay=[]),
    Case("1 to 10, 64 KiB", "subscribers 10 size 65536", 5120, 1.5, relay=[], short=True),
    Case("1 to 10, 1 MiB", "subscribers 10 size 1048576", 120, 0.6, relay=[]),
    Case("round trip, 1000 a second", "round-trip", 300, 0.3, relay=[], short=True, figure="p50"),
    Case("10 filters", "filters subscribers 10 count 10", relay=None, short=True),
    Case("100,000 filters", "filters subscribers 10 count 100000"),
    Case("100,000 filters with wildcards", "filters subscribers 10 count 100000 wildcard on"),
    Case("1,000,000 filters", "filters subscribers 10 count 1000000"),
    Case("10,000 retained, a storm", "retained count 10000 subscribers 3"),
    Case("shared by 10, QoS 1", "publishers 10 subscribers 10 shared on qos 1"),
    Case("connect and leave", "connect count 2000 seconds 5", unit="connection"),
    Case("idle connections", "idle count 10000", unit="connection", figure="memory"),
    *locals_(),
]


@dataclass
class Bar:
    """What a case must reach: other by kmqtt at least, or kmqtt by other at most."""
    case: str
    other: str
    at_least: float = None
    at_most: float = None
    what: str = field(default="processor time a delivery")


BARS = [
    Bar("1 to 1, QoS 0", "mosquitto", at_least=40),
    Bar("1 to 1, QoS 0", "relay", at_most=5),
    Bar("1 to 100, QoS 0", "mosquitto", at_least=40),
    Bar("1 to 100, QoS 0", "relay", at_most=2),
    Bar("1 to 1000, QoS 0", "mosquitto", at_least=14),
    Bar("1 to 1000, QoS 0", "relay", at_most=1.3),
    Bar("100 to 1, QoS 0", "mosquitto", at_least=12),
    Bar("100 to 1, QoS 0", "relay", at_most=5),
    Bar("50 pairs, QoS 0", "mosquitto", at_least=20),
    Bar("50 pairs, QoS 1", "mosquitto", at_least=25),
    Bar("50 pairs, QoS 2", "mosquitto", at_least=30),
    Bar("1 to 10, 64 KiB", "mosquitto", at_least=2),
    Bar("1 to 10, 64 KiB", "relay", at_most=1),
    Bar("round trip, 1000 a second", "mosquitto", at_least=1.5, what="p50"),
    Bar("round trip, 1000 a second", "relay", at_most=1, what="p50"),
    Bar("100,000 filters", "mosquitto", at_least=20),
    Bar("100,000 filters", "kmqtt: 10 filters", at_most=1.3),
    Bar("100,000 filters with wildcards", "mosquitto", at_least=20),
    Bar("100,000 filters with wildcards", "kmqtt: 10 filters", at_most=1.3),
    Bar("local, 1 to 1", "mosquitto", at_least=10),
    Bar("local, 1 to 1", "pipe", at_most=1.2),
    Bar("local, 1 to 100", "mosquitto", at_least=30),
    Bar("local, 1 to 1000", "mosquitto", at_least=30),
    Bar("local, 1 to 100, 50 messages a write", "mosquitto", at_least=30),
    Bar("local, 1 to 1000, 50 messages a write", "mosquitto", at_least=30),
    Bar("local, 1 to 1, 50 messages a write", "instructions in all, by the ring", at_most=150),
    Bar("local, 1 to 1, 50 messages a write", "instructions of the reader, by the ring", at_most=150),
    Bar("idle connections", "bytes beyond a bare socket", at_most=1024, what="kernel memory"),
]

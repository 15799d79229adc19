# SPDX-License-Identifier: GPL-2.0
"""What an administrator and another client see while something bad is done to a broker.

    with Watch(broker) as watch:
        before = watch.counters()
        ...
        assert watch.counters()["malformed"] == before["malformed"] + 1
        watch.undisturbed()
"""

import itertools

import kmqtt_nl

NUMBERS = itertools.count(1)


class Watch:
    """Netlink in the broker's namespace, and two clients of whom one talks to the other."""

    def __init__(self, broker):
        with broker.inside():
            self.nl = kmqtt_nl.Netlink()
            self.events = kmqtt_nl.Netlink(rcvbuf=4 << 20)
        self.events.listen()
        self.topic = f"watch/{next(NUMBERS)}"
        self.listens = broker.connect(version=5)
        self.talks = broker.connect(version=4)
        assert self.listens.subscribe(self.topic, qos=2) == [2]

    def close(self):
        self.nl.close()
        self.events.close()

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.close()

    def counters(self):
        return self.nl.do("stats-get")

    def listener(self):
        """The only listener there is."""
        found = self.nl.dump("listener-get")
        assert len(found) == 1
        return found[0]

    def switch(self):
        return self.nl.do("switch-get")

    def event(self, code, **wanted):
        """The next event of this code; it must come."""
        got = self.events.event_of(code, seconds=20, **wanted)
        assert got is not None, f"no event {code} {wanted}"
        return got

    def undisturbed(self):
        """Messages of every QoS still come to the other client, with their handshakes."""
        for qos in range(3):
            payload = b"%d" % next(NUMBERS)
            assert self.talks.deliver(self.topic, payload, qos=qos) == 0
            assert self.listens.receive()[:3] == (self.topic, payload, qos)
        self.listens.ping()

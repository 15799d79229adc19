# SPDX-License-Identifier: GPL-2.0
"""Access rules that change while messages wait."""

import kmqtt_nl
from kmqtt_client import Client
from kmqtt_packet import SESSION_EXPIRY

READ = kmqtt_nl.SPEC_KMQTT.value("acl-access", "read")
CLIENT = kmqtt_nl.SPEC_KMQTT.value("acl-who", "client")


def rules(broker, *new):
    """These rules and no others."""
    with broker.inside():
        with kmqtt_nl.Netlink() as nl:
            nl.do("acl-flush")
            for rule in new:
                nl.do("acl-new", **rule)
            return nl.do("stats-get")["messages_denied"]


def test_what_waits_is_asked_again(broker, topic, ident):
    """What may not be read any more is not sent, though it was allowed when it was published."""
    one = broker.connect(ident, clean=False, props={SESSION_EXPIRY: 1000})
    assert one.subscribe(f"{topic}/+", qos=2) == [2]
    one.disconnect()
    other = broker.connect(f"{ident}-other")
    for i in range(12):
        other.deliver(f"{topic}/{'ab'[i % 2]}", b"%d" % i, qos=1 + i // 6)
    before = rules(broker, {"who": CLIENT, "name": ident, "access": READ, "allow": 0,
                            "filter": f"{topic}/b"},
                   {"allow": 1, "access": 3, "filter": "#"})
    one = broker.connect(ident, clean=False, props={SESSION_EXPIRY: 1000})
    assert one.connack.present
    assert [m.payload for m in one.fence()] == [b"%d" % i for i in range(0, 12, 2)]
    assert rules(broker) == before + 6


def test_what_is_in_flight_goes_on(broker, topic, ident):
    """What the client has been sent, it is sent again: it knows it."""
    one = Client(broker.socket()).connect(ident, clean=False, props={SESSION_EXPIRY: 1000})
    assert one.subscribe(topic, qos=1) == [1]
    other = broker.connect(f"{ident}-other")
    other.deliver(topic, b"sent", qos=1)
    assert one.published().payload == b"sent"
    one.close()
    rules(broker, {"access": READ, "allow": 0, "filter": topic},
          {"allow": 1, "access": 3, "filter": "#"})
    one = broker.connect(ident, clean=False, props={SESSION_EXPIRY: 1000})
    got = one.receive()
    assert got.payload == b"sent" and got.dup
    rules(broker)


def test_a_flood_of_changes(broker, topic, ident):
    """While messages flow and rules come and go, each is delivered or not, and nothing sticks."""
    one = broker.connect(ident)
    assert one.subscribe(f"{topic}/#", qos=1) == [1]
    other = broker.connect(f"{ident}-other")
    for i in range(30):
        rules(broker, *([{"access": READ, "allow": 0, "filter": f"{topic}/x"},
                         {"allow": 1, "access": 3, "filter": "#"}] if i % 2 else []))
        other.deliver(f"{topic}/x", b"%d" % i, qos=1)
        other.deliver(f"{topic}/y", b"%d" % i, qos=1)
    rules(broker)
    got = one.fence()
    assert [m.payload for m in got if m.topic.endswith("/x")] == [b"%d" % i for i in range(0, 30, 2)]
    assert [m.payload for m in got if m.topic.endswith("/y")] == [b"%d" % i for i in range(30)]

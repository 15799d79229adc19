# SPDX-License-Identifier: GPL-2.0
"""What abroad.py makes of Mosquitto's log, whose lines are those of 2.0.11."""

from abroad import repeated


def publish(client="desk", mid=1, topic="a/b", dup=0, qos=2, retain=0):
    return f"Sending PUBLISH to {client} (d{dup}, q{qos}, r{retain}, m{mid}, '{topic}'," \
           " ... (5 bytes))"


def pubrec(client="desk", mid=1):
    return f"Received PUBREC from {client} (Mid: {mid})"


def pubrel(client="desk", mid=1):
    return f"Sending PUBREL to {client} (m{mid})"


def pubcomp(client="desk", mid=1):
    return f"Received PUBCOMP from {client} (Mid: {mid}, RC:0)"


def again(client="desk"):
    """It is gone, and is back."""
    return [f"Client {client} closed its connection.",
            "New connection from 127.0.0.1:52088 on port 1883.",
            f"New client connected from 127.0.0.1:52088 as {client} (p5, c0, k60).",
            "No will message specified.", f"Sending CONNACK to {client} (1, 0)"]


def released(client="desk", mid=1, topic="a/b"):
    """A message that was sent, had and released, without an end."""
    return [publish(client, mid, topic), pubrec(client, mid), pubrel(client, mid)]


def count(*lines):
    """What is counted, without what is not."""
    counts = repeated("".join(f"1795761580: {line}\n" for line in lines))
    return {client: dict(topics) for client, topics in counts.items() if +topics}


def test_double():
    assert count(*released(), *again(), publish(dup=1)) == {"desk": {"a/b": 1}}


def test_double_that_ends_is_one():
    """What comes of the second PUBLISH is a hand-shake as any."""
    assert count(*released(), *again(), publish(dup=1), pubrec(), pubrel(), pubcomp(),
                 *released(), pubcomp()) == {"desk": {"a/b": 1}}


def test_double_after_each_release():
    """Whoever has it twice more may have it three times."""
    assert count(*released(), *again(), publish(dup=1), pubrec(), pubrel(), *again(),
                 publish(dup=1)) == {"desk": {"a/b": 2}}


def test_double_without_release_between():
    """A client that had no PUBREL meanwhile knows the packet identifier still."""
    assert count(*released(), *again(), publish(dup=1), *again(), publish(dup=1),
                 *again(), publish(dup=1)) == {"desk": {"a/b": 1}}


def test_dup_that_was_not_released():
    assert count(publish(), *again(), publish(dup=1), pubrec(), *again(), publish(dup=1)) == {}


def test_release_sent_again():
    """As the standard has it."""
    assert count(*released(), *again(), pubrel(), pubcomp()) == {}


def test_identifier_that_is_used_again():
    assert count(*released(), pubcomp(), publish(), pubrec(), pubrel(), pubcomp(),
                 publish(topic="a/c"), *again(), publish(topic="a/c", dup=1)) == {}


def test_two_clients():
    """Who has which identifier is his own affair."""
    lines = [*released("desk"), *released("roof"), pubcomp("roof"), *again("desk"), *again("roof"),
             publish("roof", topic="a/c", dup=1), publish("desk", dup=1)]
    assert count(*lines) == {"desk": {"a/b": 1}}
    assert count(*lines, *released("roof"), publish("roof", dup=1)) == {
        "desk": {"a/b": 1}, "roof": {"a/b": 1}}


def test_two_topics():
    """Also one with what stands around a topic, and an identifier that begins with the other."""
    odd = "it's, ... ('x', y"
    lines = [*released(mid=1), *released(mid=12, topic=odd), *released(mid=2, topic=odd), *again()]
    assert count(*lines, publish(mid=12, topic=odd, dup=1)) == {"desk": {odd: 1}}
    assert count(*lines, publish(mid=1, dup=1), publish(mid=12, topic=odd, dup=1),
                 publish(mid=2, topic=odd, retain=1, dup=1)) == {"desk": {"a/b": 1, odd: 2}}


def test_other_lines():
    """None of them counts, nor ends what was begun: others' packets, and QoS 0 and 1."""
    others = ["mosquitto version 2.0.11 running", "", "Received PINGREQ from desk",
              "Received PUBLISH from desk (d1, q2, r0, m1, 'a/b', ... (5 bytes))",
              "Sending PUBREC to desk (m1, rc0)", "Received PUBREL from desk (Mid: 1)",
              "Sending PUBCOMP to desk (m1)", "Received PUBACK from desk (Mid: 1, RC:0)",
              publish(qos=0, mid=0), publish(qos=1, dup=1), publish(qos=1)]
    assert count(*released(), *others) == {}
    assert count(*released(), *others, publish(dup=1)) == {"desk": {"a/b": 1}}

# SPDX-License-Identifier: GPL-2.0
"""Events go to the multicast group."""


import pytest

from kmqtt_nl import SPEC_KMQTT


@pytest.fixture
def monitor(netlink):
    one = netlink()
    one.listen()
    return one


def test_life_of_a_session(monitor, device, topic):
    dev = device("watched", expiry=1)
    event = monitor.event_of("attach", session="watched")
    assert event["time_ns"] > 1 << 60 and event["reason"] == 0
    dev.subscribe(topic)
    assert monitor.event_of("subscribe", session="watched")["topic"] == topic
    dev.unsubscribe(topic)
    assert monitor.event_of("unsubscribe", session="watched")["topic"] == topic
    other = device("watched", expiry=1)
    assert monitor.event_of("takeover", session="watched")["reason"] == 0x8e
    assert monitor.event_of("attach", session="watched")
    other.close()
    assert monitor.event_of("detach", session="watched")
    assert monitor.event_of("expire", session="watched")


def test_drop(monitor, netlink, device, topic):
    dev = device("full", messages=2)
    dev.subscribe(topic, qos=1)
    publisher = netlink()
    for _ in range(5):
        publisher.do("publish", topic=topic, qos=1)
    assert monitor.event_of("drop", session="full")["count"] >= 1


def test_only_members_of_the_group(netlink, device):
    other = netlink()
    device("unseen")
    assert other.event(0) is None


def test_each_listener_gets_each_event(netlink, device):
    listeners = [netlink() for _ in range(3)]
    for one in listeners:
        one.listen()
    device("seen by all")
    for one in listeners:
        assert one.event_of("attach", session="seen by all")


def test_order(monitor, netlink, topic):
    other = netlink()
    filters = [f"{topic}/{i}" for i in range(50)]
    for one in filters:
        other.do("subscribe", filter=one)
    seen = []
    while len(seen) < 50:
        seen.append(monitor.event_of("subscribe")["topic"])
    assert seen == filters


def test_long_topic(monitor, netlink):
    """Cut off at what an attribute can hold."""
    netlink().do("subscribe", filter="l" * 65530)
    assert len(monitor.event_of("subscribe")["topic"]) == 65530


def test_listener_that_does_not_keep_up(monitor, netlink, topic):
    """Its socket says that it lost events; nobody waits for it."""
    monitor.sock.setsockopt(1, 8, 4096)     # SOL_SOCKET, SO_RCVBUF
    other = netlink()
    for i in range(200):
        other.do("subscribe", filter=f"{topic}/{i}")
    with pytest.raises(OSError) as error:
        for _ in range(1000):
            monitor.event(0)
    assert error.value.errno == 105         # ENOBUFS
    assert other.do("session-get")["subscriptions"] == 200


def test_codes(monitor):
    """As many as the core has; static_assert in the kernel compares some."""
    assert monitor.groups.keys() == {"events"}
    assert list(SPEC_KMQTT.values["event-code"].values()) == list(range(1, 18))

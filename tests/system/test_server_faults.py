# SPDX-License-Identifier: GPL-2.0
"""Clients that are slow, silent, too many, too large, or do not read: what it costs whom."""

import resource
import socket

import pytest

from kmqtt_client import (
    NUMBERS, Client, connect_packet, subscribe_packet, turned_away, unsubscribe_packet)
from kmqtt_memory import kernels_own
from kmqtt_packet import (
    CONNECT, PINGREQ, PINGRESP, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, SESSION_EXPIRY, SUBSCRIBE,
    TOPIC_ALIAS, UNSUBACK, UNSUBSCRIBE, packet, publish_packet, string, varint, wait_for)
from kmqtt_watch import Watch

TOO_LARGE = 0x95
# The longest Remaining Length: 256 MB less one byte.
HUGE = b"\xff\xff\xff\x7f"


@pytest.fixture
def watch(broker):
    with Watch(broker) as one:
        yield one


@pytest.fixture
def many_files():
    """Sockets by the thousand."""
    old = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (8192, max(8192, old[1])))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, old)


# Slow-loris

CONNECTING = connect_packet("slow", version=4)


@pytest.mark.broker(connect_timeout=1)
@pytest.mark.parametrize("sent", [b"", b"\x10", CONNECTING[:2], CONNECTING[:-1],
                                  b"\x10\x80\x80\x06" + bytes(1000)],
                         ids=["nothing", "one byte", "fixed header", "all but one byte",
                              "part of a long one"])
def test_connect_in_time(broker, watch, sent):
    """Who does not say CONNECT in time is closed without a word."""
    before = watch.listener()
    slow = broker.raw()
    slow.send(sent)
    slow.closed()
    after = watch.listener()
    assert after["timeouts"] == before["timeouts"] + 1
    assert after["malformed"] == before["malformed"]
    # the end of the connection is seen before it is forgotten
    wait_for(lambda: not watch.listener()["pending"])
    watch.undisturbed()


@pytest.mark.broker(connect_timeout=1)
def test_a_byte_now_and_then_is_no_connect(broker, watch):
    """The time is that of the whole CONNECT: what trickles in does not lengthen it."""
    slow = broker.raw()
    slow.sock.settimeout(0.2)
    trickle = iter(b"\x10\x80\x80\x06" + bytes(1000))
    with pytest.raises((EOFError, ConnectionError)):
        while True:
            slow.send(bytes([next(trickle)]))
            try:
                if not slow.sock.recv(1):
                    raise EOFError
            except TimeoutError:
                pass
    watch.undisturbed()


@pytest.mark.broker(connect_timeout=1)
def test_time_for_connect_ends_with_connect(broker):
    """Who is let in may be silent as long as its keep alive says."""
    one = broker.connect(version=4, keepalive=0)
    for _ in range(2):      # two others come and go meanwhile
        broker.raw().closed()
    one.ping()


def test_time_for_connect_by_default(watch):
    assert watch.listener()["connect_timeout"] == 20


# Too large

@pytest.mark.parametrize("first", range(0x10, 0x100, 0x10))
def test_announced_256_mb_first(broker, watch, first):
    """Before CONNECT there is room for nothing: closed at the announcement."""
    one = broker.raw()
    one.send(bytes([first]) + HUGE)
    one.closed()
    watch.event("client-malformed")
    watch.undisturbed()


ANNOUNCED = {
    "PUBLISH": b"\x30" + HUGE + string("t") + b"\0", "PUBLISH QoS 2": b"\x34" + HUGE,
    "SUBSCRIBE": b"\x82" + HUGE, "UNSUBSCRIBE": b"\xa2" + HUGE, "PUBACK": b"\x40" + HUGE,
    "PUBREL": b"\x62" + HUGE, "DISCONNECT": b"\xe0" + HUGE, "AUTH": b"\xf0" + HUGE,
    "CONNECT": b"\x10" + HUGE}


@pytest.mark.parametrize("version", [3, 4, 5])
@pytest.mark.parametrize("what", ANNOUNCED)
def test_announced_256_mb(broker, watch, version, what):
    """Refused before any of it is buffered; 0x95 if there is a way to say so."""
    one = broker.connect(version=version)
    one.send(ANNOUNCED[what])
    if version == 5:
        one.refused(TOO_LARGE, 0x81, 0x82)
    else:
        one.closed()
    watch.undisturbed()


def test_announced_publish_is_too_large(broker, watch):
    one = broker.connect(version=5)
    one.send(ANNOUNCED["PUBLISH"])
    one.refused(TOO_LARGE)
    assert watch.event("client-malformed")["reason"] == TOO_LARGE


@pytest.mark.broker(max_packet_size=5000)
@pytest.mark.parametrize("version", [4, 5])
def test_largest_packet(broker, watch, topic, version):
    """To the byte: the one that is as large as allowed is taken."""
    one = broker.connect(version=version)
    head = len(publish_packet(topic, bytes(4000), qos=1, packet_id=1, version=version)) - 4000
    watch.listens.subscribe(topic, qos=1)
    one.publish(topic, bytes(5000 - head), qos=1, packet_id=1)
    one.acked(PUBACK, 1)
    assert len(watch.listens.receive().payload) == 5000 - head
    one.publish(topic, bytes(5000 - head + 1), qos=1, packet_id=2)
    one.refused(TOO_LARGE)
    assert watch.listens.fence() == []


def test_memory_does_not_grow_with_announcements(broker, watch):
    """A hundred clients that announce what they never send."""
    with Watch(broker):     # caches are warm
        watch.undisturbed()
    before, messages = kernels_own(), watch.switch()["memory"]
    clients = []
    for version in (3, 4, 5) * 33:
        one = broker.connect(version=version)
        one.send(b"\x30" + HUGE + string("t") + b"\0" * 1000)
        clients.append(one)
    for kind in (CONNECT, SUBSCRIBE, UNSUBSCRIBE) * 10:
        one = broker.raw()
        # the largest that is taken before CONNECT, and no more of it than this
        one.send(bytes([kind << 4 | (2 if kind != CONNECT else 0)]) + varint(99990) + bytes(10))
        clients.append(one)
    assert kernels_own() - before < 20000
    for one in clients:
        one.close()
    # $SYS is retained, and changes
    wait_for(lambda: watch.switch()["memory"] < messages + 50000, text="the memory's return")
    watch.undisturbed()


# Too many

def test_half_open_flood(broker, watch, many_files):
    """Connections that never say CONNECT are bounded: the oldest ones have to go."""
    assert many_files is None
    before = watch.listener()
    with broker.inside():
        flood = [socket.create_connection((broker.host, broker.port), timeout=20)
                 for _ in range(1100)]
    wait_for(lambda: watch.listener()["accepted"] - before["accepted"] >= 1100,
             text="1100 connections")
    now = watch.listener()
    assert now["pending"] <= 1024
    assert now["timeouts"] - before["timeouts"] >= 1100 - 1024
    for one in flood[:50]:
        Client(one).closed()
    Client(flood[-1]).connect().ping()
    watch.undisturbed()
    broker.connect(version=3).disconnect()
    for one in flood:
        one.close()
    wait_for(lambda: watch.listener()["pending"] == 0, text="the end of the flood")
    wait_for(lambda: watch.listener()["connections"] == 2, text="the end of the flood")


@pytest.mark.broker(max_connections=6)
def test_max_connections(broker, watch):
    """One more is closed at once; who is there stays, and there is room when one goes."""
    before = watch.listener()
    four = [broker.connect(version=4) for _ in range(4)]
    turned_away(broker.raw)
    wait_for(lambda: watch.listener()["refused"] == before["refused"] + 1, text="the refusal")
    assert watch.listener()["connections"] == 6
    watch.undisturbed()
    four.pop().disconnect()
    wait_for(lambda: watch.listener()["connections"] == 5, text="room")
    broker.connect(version=5).ping()


def test_connect_and_go(broker, watch):
    """Hundreds of short connections leave nothing behind."""
    before = watch.listener()
    for i in range(300):
        one = broker.raw(version=4)
        if i % 3 == 1:
            one.send(connect_packet(version=4)[:i % 12])
        elif i % 3 == 2:
            one.connect()
        one.close()
    wait_for(lambda: watch.listener()["connections"] == 2, text="the end of all of them")
    assert watch.listener()["accepted"] == before["accepted"] + 300
    watch.undisturbed()


# Pieces

@pytest.mark.parametrize("version", [3, 4, 5])
def test_segments_of_one_byte(broker, watch, topic, version):
    """CONNECT to DISCONNECT, each byte by itself."""
    one = broker.raw(version)
    one.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    watch.listens.subscribe(topic, qos=2)

    def trickle(data):
        for byte in data:
            one.send(bytes([byte]))
    trickle(connect_packet(f"bytes{next(NUMBERS)}", version=version))
    assert one.connacked().reason == 0
    trickle(subscribe_packet([topic], 7, version=version, qos=2))
    assert one.codes(9).codes == [2]
    trickle(publish_packet(topic, b"in pieces", qos=2, packet_id=9, version=version))
    got = sorted((one.packet() for _ in range(2)), key=lambda p: p.type)
    assert [p.type for p in got] == [PUBLISH, PUBREC]
    assert one.parse_publish(got[0]).payload == b"in pieces"
    trickle(packet(6, b"\0\x09"))
    one.acked(7, 9)
    trickle(packet(PINGREQ))
    one.expect(PINGRESP)
    assert watch.listens.receive().payload == b"in pieces"
    trickle(packet(14))
    one.closed()


@pytest.mark.parametrize("size", [2, 3, 5, 50, 1000, 16383, 16384, 16385])
def test_segments_of_any_size(broker, watch, topic, size):
    """A stream of messages of many lengths, cut at other places than theirs."""
    lengths = [0, 1, 2, 50, 119, 120, 121, 300, 1000] + ([16370, 40000] if size >= 50 else [])
    watch.listens.subscribe(topic, qos=0)
    one = broker.connect(version=5)
    stream = b"".join(publish_packet(topic, bytes([n & 255]) * n) for n in lengths)
    for at in range(0, len(stream), size):
        one.send(stream[at:at + size])
    one.ping()
    assert [m.payload for m in watch.listens.fence()] == [bytes([n & 255]) * n for n in lengths]


# A subscriber that stops reading

def thin(broker):
    """A client with so little room for what comes that it soon has to read."""
    with broker.inside():
        sock = socket.socket()
        # before it is connected, or TCP has to take back a window that it has given
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect((broker.host, broker.port))
    broker.clients.append(Client(sock))
    return broker.clients[-1]


def take(client, enough):
    """Messages with their handshakes, until there are enough."""
    out, open_ids = [], set()
    while open_ids or not enough(out):
        got = client.packet()
        if got.type == PUBREL:
            open_ids.discard(got.body[:2])
            client.send(packet(PUBCOMP, got.body[:2]))
            continue
        out.append(client.parse_publish(got))
        if out[-1].qos == 2:
            open_ids.add(out[-1].packet_id.to_bytes(2, "big"))
        if out[-1].qos:
            client.ack(PUBREC if out[-1].qos == 2 else PUBACK, out[-1].packet_id)
    return out


def numbers_of(messages):
    return [int(m.payload.split()[0]) for m in messages]


def pump(watch, topic, numbers, qos, size):
    """Messages from the one to the other, many at a time."""
    numbers = list(numbers)
    watch.talks.send(b"".join(publish_packet(topic, b"%d " % i + bytes(size), qos=qos,
                                             packet_id=i + 1, version=4) for i in numbers))
    for i in numbers if qos else []:
        watch.talks.acked(PUBREC if qos == 2 else PUBACK, i + 1)
    for i in numbers if qos == 2 else []:
        watch.talks.ack(PUBREL, i + 1)
        watch.talks.acked(PUBCOMP, i + 1)
    assert numbers_of(take(watch.listens, lambda out: len(out) == len(numbers))) == numbers


@pytest.mark.broker(max_queued_messages=30)
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_subscriber_that_stops_reading(broker, watch, topic, qos):
    """It costs its own queue only: others get all, and what it has lost is counted for it."""
    slow = thin(broker).connect(clean=False, props={SESSION_EXPIRY: 100})
    slow.subscribe(topic, qos=qos)
    watch.listens.subscribe(topic, qos=qos)
    before, size, count = watch.switch()["memory"], 20000, 0

    def session():
        return watch.nl.do("session-get", name=slow.client_id)

    while not session()["dropped_messages"]:
        pump(watch, topic, range(count, count + 10), qos, size)
        count += 10
    # its queue, its window, and what is on its way to the socket
    assert watch.switch()["memory"] - before <= (30 + 20 + 32) * (size + 1000)
    pump(watch, topic, range(count, count + 30), qos, size)
    count += 30
    assert watch.switch()["memory"] - before <= (30 + 20 + 32) * (size + 1000)
    watch.undisturbed()
    # It reads again: in order what was kept, and, when there is room, what is new.
    got = take(slow, lambda out: session()["queued_messages"] < 15)
    watch.talks.deliver(topic, b"%d new" % count, qos=qos)
    got += take(slow, lambda out: out and out[-1].payload.endswith(b"new"))
    numbers = numbers_of(got)
    assert numbers == sorted(set(numbers)) and 30 <= len(numbers) < count
    slow.disconnect(props={SESSION_EXPIRY: 0})


def keep_session(broker, one, name):
    """A session of this name that stays. Is there room for it?"""
    new = broker.raw()
    new.send(connect_packet(name, props={SESSION_EXPIRY: 3600}))
    got = new.connacked()
    if got.reason:
        new.closed()
    new.close()
    return got.reason


def keep_subscription(broker, one, name):
    return one.subscribe(name, qos=1)[0] & 0x80 and 0x97


def keep_share(broker, one, name):
    return one.subscribe(f"$share/{name}/a", qos=1)[0] & 0x80 and 0x97


def keep_alias(broker, one, name):
    one.publish(name, props={TOPIC_ALIAS: int(name[:2])})
    try:
        one.ping()
    except AssertionError:
        return 0x97
    return 0


@pytest.mark.broker(max_topic_alias=100)
@pytest.mark.parametrize("keep", [keep_session, keep_subscription, keep_share, keep_alias])
def test_what_clients_make_it_keep_has_a_limit(broker, ident, topic, keep):
    """Sessions, subscriptions and aliases of 60 kB each; nobody else is disturbed."""
    reader, one = broker.connect(), broker.connect()
    reader.subscribe(topic, qos=1)
    broker.kmqtt("set", "memory_limit", 520000)
    try:
        taken = 0
        while not (reason := keep(broker, one, f"{10 + taken}{ident}" + "x" * 60000)):
            taken += 1
        assert (reason, 3 <= taken <= 8) == (0x97, True)
        reader.deliver(topic, b"still there")
        assert reader.receive().payload == b"still there"
    finally:
        broker.kmqtt("set", "memory_limit", 1 << 30)
        for n in range(10, 10 + taken):
            broker.connect(f"{n}{ident}" + "x" * 60000, clean=True).disconnect()


@pytest.mark.broker(max_packet_size=2000000)
def test_a_long_acknowledgement_counts(broker, watch, ident):
    """It stays as long as the client does not read."""
    filters, before = [chr(97 + n % 26) for n in range(500000)], watch.switch()["memory"]
    with broker.inside():
        ours, theirs = socket.socketpair()
    watch.nl.do("client-attach", name=watch.listener()["name"], fd=ours.fileno())
    ours.close()

    def memory():
        return watch.switch()["memory"] - before

    with Client(theirs) as one:
        one.connect(ident)
        one.send(unsubscribe_packet(filters))
        wait_for(lambda: watch.nl.do("session-get", name=ident)["packets_received"] == 2)
        # the packet itself has gone
        wait_for(lambda: len(filters) <= memory() < 2 * len(filters))
        assert len(one.codes(UNSUBACK).codes) == len(filters)
        wait_for(lambda: memory() < 100000)


def test_long_names_that_go_are_given_back(broker, topic):
    """Levels of 60 kB that are made and dropped by a few bytes each: no more of them wait."""
    name, most = f"{topic}/" + "x" * 60000, 0
    with broker.connect(version=5) as one:
        one.publish(name, b"", props={TOPIC_ALIAS: 1})
        one.ping()
        before = kernels_own()
        for _ in range(10):
            one.send(b"".join(publish_packet("", payload, retain=True, props={TOPIC_ALIAS: 1})
                              for payload in [b"x", b""] * 45))
            one.ping()
            most = max(most, kernels_own() - before)
    assert most < 8000

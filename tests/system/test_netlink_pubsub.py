# SPDX-License-Identifier: GPL-2.0
"""Publish and subscribe over netlink."""

import errno
import select
import socket
import threading

import pytest

from kmqtt_dev import BLOCK, CONTENT_TYPE, SUBSCRIPTION_ID, string_prop, user_prop
from kmqtt_nl import SPEC_KMQTT, Netlink, NlError, attribute, encode, payload
from kmqtt_user import as_user


def refused(call, *args, **more):
    with pytest.raises(NlError) as error:
        call(*args, **more)
    return error.value


def own(nl):
    return nl.do("session-get")


def test_between_sockets(nl, netlink, topic):
    other = netlink()
    other.do("subscribe", filter=topic, qos=2, id=5)
    assert nl.do("publish", topic=topic, payload=b"hello", qos=1) == {"receivers": 1}
    message = other.message()
    assert message.pop("time_ns") > 1 << 60
    assert message == {"topic": topic, "payload_len": 5, "payload": [b"hello"], "qos": 1,
                       "retain": 0, "dup": 0, "id": 1, "subscription_id": [5]}


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 65527, 65528, 65529, 65531, 200000])
def test_payload_sizes(nl, netlink, topic, size):
    """One that does not fit in an attribute goes in pieces, both ways."""
    data = bytes(i * 7 & 0xff for i in range(size))
    pieces = [data[i:i + 60000] for i in range(0, size, 60000)]
    other = netlink(rcvbuf=4 << 20)
    other.do("subscribe", filter=topic)
    nl.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    nl.do("publish", topic=topic, payload=pieces)
    assert payload(other.message()) == data


def test_payload_absent_is_empty(nl, netlink, topic):
    other = netlink()
    other.do("subscribe", filter=topic)
    nl.do("publish", topic=topic)
    assert payload(other.message()) == b""


def test_too_large_for_netlink_counts_as_dropped(netlink, device, topic):
    """Like a message over the maximum packet size of an MQTT client (3.1.2.11.4)."""
    other = netlink()
    other.do("subscribe", filter=topic)
    device().publish(topic, bytes(1100000), qos=1)
    device().publish(topic, b"small", qos=1)
    message = other.message()
    assert payload(message) == b"small"
    assert own(other)["dropped_messages"] == 1


def test_device_to_netlink_and_back(nl, device, topic):
    dev = device()
    dev.subscribe(topic, qos=1)
    nl.do("subscribe", filter=topic, qos=1, no_local=1)
    nl.do("publish", topic=topic, payload=b"down", qos=1)
    dev.publish(topic, b"up", qos=1)
    assert payload(nl.message()) == b"up"
    assert [m.payload for m in dev.drain()] == [b"down", b"up"]


def test_no_local(nl, topic):
    nl.do("subscribe", filter=topic, no_local=1)
    assert nl.do("publish", topic=topic) == {"receivers": 0}
    nl.do("subscribe", filter=topic)
    assert nl.do("publish", topic=topic) == {"receivers": 1}


def test_qos_is_the_lower_one(nl, netlink, topic):
    for granted in range(3):
        other = netlink()
        other.do("subscribe", filter=topic, qos=granted)
        for sent in range(3):
            nl.do("publish", topic=topic, qos=sent)
            assert other.message()["qos"] == min(granted, sent)


def test_retained(nl, netlink, topic):
    nl.do("publish", topic=topic, payload=b"kept", retain=1)
    other = netlink()
    other.do("subscribe", filter=topic)
    assert other.message()["retain"] == 1
    other.do("subscribe", filter=topic, retain_handling=1)
    other.do("subscribe", filter=topic, retain_handling=2)
    nl.do("publish", topic=topic, payload=b"live", retain=1)
    message = other.message()
    assert (payload(message), message["retain"]) == (b"live", 0)
    other.do("subscribe", filter=topic, retain_as_published=1, retain_handling=2)
    nl.do("publish", topic=topic, payload=b"", retain=1)
    assert other.message()["retain"] == 1
    assert nl.dump("retained-get", filter=topic) == []


def test_properties_and_expiry(nl, netlink, topic):
    props = string_prop(CONTENT_TYPE, "text/plain") + user_prop("a", "1") + user_prop("a", "2")
    other = netlink()
    other.do("subscribe", filter=topic)
    nl.do("publish", topic=topic, properties=props, expiry=100)
    message = other.message()
    assert message["properties"] == props
    assert 0 < message["expiry"] <= 100


def test_several_identifiers(nl, netlink, topic):
    other = netlink()
    other.do("subscribe", filter=topic, id=3)
    other.do("subscribe", filter=topic + "/#", id=SPEC_KMQTT.values["subscription-id-max"])
    nl.do("publish", topic=topic)
    assert sorted(other.message()["subscription_id"]) == [3, 268435455]


def test_shared(nl, netlink, topic):
    members = [netlink(), netlink()]
    for one in members:
        one.do("subscribe", filter=f"$share/g/{topic}")
    for _ in range(4):
        assert nl.do("publish", topic=topic) == {"receivers": 1}
    for one in members:
        assert one.message() and one.message()
        assert one.message(0) is None


def test_unsubscribe(nl, netlink, topic):
    other = netlink()
    other.do("subscribe", filter=topic)
    other.do("unsubscribe", filter=topic)
    assert nl.do("publish", topic=topic) == {"receivers": 0}
    error = refused(other.do, "unsubscribe", filter=topic)
    assert (error.errno, error.text) == (errno.ENOENT, "not subscribed to this")


def test_unsubscribe_without_session(nl, topic):
    assert refused(nl.do, "unsubscribe", filter=topic).errno == errno.ENOENT


@pytest.mark.parametrize("attrs, number, text", [
    ({"topic": "a/+"}, errno.EILSEQ, "not a valid topic name"),
    ({"topic": ""}, errno.EILSEQ, "not a valid topic name"),
    ({"topic": b"a\xff"}, errno.EILSEQ, "not a valid topic name"),
    ({"topic": "t", "qos": 3}, errno.ERANGE, "integer out of range"),
    ({"topic": "t", "retain": 2}, errno.ERANGE, "integer out of range"),
    ({"topic": "t", "expiry": 0}, errno.ERANGE, "integer out of range"),
    ({"topic": "t", "properties": b"\xff"}, errno.EINVAL, "not valid MQTT 5.0 properties"),
    ({"topic": "t", "properties": string_prop(CONTENT_TYPE, "x")[:-1]}, errno.EINVAL,
     "not valid MQTT 5.0 properties"),
    ({"topic": "t", "properties": bytes([2, 0, 0, 0, 9])}, errno.EINVAL,
     "a property that a publisher does not give here"),
    ({"topic": "t", "properties": bytes([SUBSCRIPTION_ID, 1])}, errno.EINVAL,
     "a property that a publisher does not give here"),
])
def test_publish_refused(nl, attrs, number, text):
    error = refused(nl.do, "publish", **attrs)
    assert (error.errno, error.text) == (number, text)
    assert error.offset is not None


def test_publish_needs_topic(nl):
    error = refused(nl.do, "publish", payload=b"x")
    assert (error.errno, error.text) == (errno.EINVAL, "a message needs a topic")
    assert error.missing == SPEC_KMQTT.sets["message"]["topic"].number


def test_string_attribute_must_end(nl):
    error = refused(nl.do_raw, "publish", attribute(1, b"topic"))
    assert error.errno == errno.EINVAL


@pytest.mark.parametrize("attrs, number, text", [
    ({"filter": "a/#/b"}, errno.EILSEQ, "not a valid topic filter"),
    ({"filter": "$share/g"}, errno.EILSEQ, "not a valid topic filter"),
    ({"filter": ""}, errno.EILSEQ, "not a valid topic filter"),
    ({"filter": "f", "qos": 3}, errno.ERANGE, "integer out of range"),
    ({"filter": "f", "retain_handling": 3}, errno.ERANGE, "integer out of range"),
    ({"filter": "f", "id": 0}, errno.ERANGE, "integer out of range"),
    ({"filter": "f", "id": 268435456}, errno.ERANGE, "integer out of range"),
    ({"filter": "$share/g/f", "no_local": 1}, errno.EINVAL,
     "no-local makes no sense with $share (MQTT 5.0, 3.8.3.1)"),
])
def test_subscribe_refused(nl, attrs, number, text):
    error = refused(nl.do, "subscribe", **attrs)
    assert (error.errno, error.text) == (number, text)
    assert error.offset is not None


def test_subscribe_needs_filter(nl):
    error = refused(nl.do, "subscribe", qos=1)
    assert (error.errno, error.text) == (errno.EINVAL, "which topic filter?")
    assert error.missing == SPEC_KMQTT.sets["subscription"]["filter"].number


def test_limits(nl, netlink, topic):
    before = nl.do("switch-get")
    other = netlink()
    other.do("subscribe", filter=topic)
    try:
        nl.do("switch-set", max_subscriptions=1, max_packet_size=1000,
              max_sessions=nl.do("switch-get")["sessions"])
        error = refused(other.do, "subscribe", filter=topic + "/more")
        assert (error.errno, error.text) == (errno.ENOSPC, "too many subscriptions")
        error = refused(other.do, "publish", topic=topic, payload=bytes(1000))
        assert (error.errno, error.text) == \
               (errno.EMSGSIZE, "the message is larger than max-packet-size")
        error = refused(netlink().do, "subscribe", filter=topic)
        assert (error.errno, error.text) == (errno.ENOSPC, "too many sessions")
    finally:
        nl.do("switch-set", **{key: before[key] for key in
                               ("max_subscriptions", "max_packet_size", "max_sessions")})


def test_retained_limit(nl, topic):
    """One may be replaced still."""
    nl.do("publish", topic=topic, payload=b"1", retain=1)
    try:
        nl.do("switch-set", max_retained_messages=1)
        error = refused(nl.do, "publish", topic=f"{topic}/more", payload=b"2", retain=1)
        assert (error.errno, error.text) == (errno.ENOBUFS, "too many retained messages")
        nl.do("publish", topic=topic, payload=b"3", retain=1)
    finally:
        nl.do("switch-set", max_retained_messages=0)
    assert [one["payload_len"] for one in nl.dump("retained-get", filter=f"{topic}/#")] == [1]
    nl.do("retained-del", filter=topic)


def test_many_at_once(nl, netlink, topic):
    """All that is retained, in its order, as far as the socket has room for it."""
    for i in range(150):
        nl.do("publish", topic=f"{topic}/{i:03}", payload=b"%d" % i, retain=1)
    other = netlink(rcvbuf=4 << 20)
    other.do("subscribe", filter=f"{topic}/#")
    assert sorted(int(payload(other.message())) for _ in range(150)) == list(range(150))
    nl.do("retained-del", filter=f"{topic}/#")


def test_memory_limit(nl, topic):
    before = nl.do("switch-get")["memory_limit"]
    nl.do("publish", topic=topic, payload=bytes(2000), retain=1)
    try:
        nl.do("switch-set", memory_limit=1000)
        for call in ({"name": "publish", "topic": topic, "payload": b"x"},
                     {"name": "subscribe", "filter": topic}):
            error = refused(nl.do, call.pop("name"), **call)
            assert (error.errno, error.text) == \
                (errno.ENOBUFS, "the switch's memory-limit is reached")
    finally:
        nl.do("switch-set", memory_limit=before)
        nl.do("retained-del", filter=topic)


def test_blocking_subscriber(nl, device, topic):
    dev = device()
    dev.session(policy=BLOCK, messages=1)
    dev.subscribe(topic, qos=1)
    nl.do("publish", topic=topic, qos=1)
    error = refused(nl.do, "publish", topic=topic, qos=1)
    assert (error.errno, error.text) == \
           (errno.EAGAIN, "the queue of a subscriber with policy block is full")
    dev.read()
    nl.do("publish", topic=topic, qos=1)


# A socket that does not keep up

def test_full_socket_loses_nothing(nl, netlink, topic):
    """What does not fit in the socket waits in the session and comes in order."""
    other = netlink(rcvbuf=16384)
    other.do("subscribe", filter=topic, qos=1)
    for i in range(500):
        nl.do("publish", topic=topic, payload=b"%d" % i + bytes(500), qos=1)
    assert own(other)["queued_messages"] > 300
    got = [payload(other.message()) for _ in range(500)]
    assert got == [b"%d" % i + bytes(500) for i in range(500)]
    assert own(other)["queued_messages"] == 0
    assert own(other)["dropped_messages"] == 0
    assert own(other)["delivered_messages"] == 500


def test_full_socket_is_still_answered(nl, netlink, topic):
    """Half of the receive buffer is left to answers, and no ENOBUFS is seen."""
    other = netlink(rcvbuf=32768)
    other.do("subscribe", filter=topic, qos=1)
    for _ in range(200):
        nl.do("publish", topic=topic, payload=bytes(900), qos=1)
    for _ in range(5):
        assert other.do("switch-get")["abi"] == 1
    for _ in range(200):
        assert len(payload(other.message())) == 900


def test_full_session_drops_and_says_so(nl, netlink, topic):
    """Memory is bounded by the session's limits."""
    limit = nl.do("switch-get")["max_queued_messages"]
    nl.do("switch-set", max_queued_messages=10)
    try:
        other = netlink(rcvbuf=8192)
        other.do("subscribe", filter=topic, qos=1)
        for i in range(100):
            nl.do("publish", topic=topic, payload=b"%d" % i + bytes(1000), qos=1)
        session = own(other)
        # and what was taken and given back, since the socket was full: up to 16
        assert session["queued_messages"] <= 10 + 16
        lost = session["dropped_messages"]
        assert lost >= 60
        got = [other.message() for _ in range(100 - lost)]
        assert all(got) and other.message(0) is None
        assert [m["dropped"] for m in got if "dropped" in m][-1] == lost
        session = own(other)
        assert (session["dropped_messages"], session["queued_messages"]) == (lost, 0)
    finally:
        nl.do("switch-set", max_queued_messages=limit)


def test_larger_than_receive_buffer(nl, netlink, topic):
    """One message always fits if the socket has nothing else, as in netlink itself."""
    other = netlink(rcvbuf=4096)
    other.do("subscribe", filter=topic, qos=1)
    nl.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    for i in range(3):
        nl.do("publish", topic=topic, payload=bytes([i]) * 60000, qos=1)
    for i in range(3):
        assert payload(other.message()) == bytes([i]) * 60000


# The session of a socket

def test_own_session(nl, netlink, topic):
    error = refused(nl.do, "session-get")
    assert (error.errno, error.text) == (errno.ENOENT, "this socket has no session")
    nl.do("subscribe", filter=topic)
    session = own(nl)
    assert session["kind"] == SPEC_KMQTT.value("session-type", "netlink")
    assert session["attached"] == 1 and session["online"] == 1 and session["uid"] == 0
    assert session["subscriptions"] == 1
    other = netlink()
    other.do("publish", topic=topic)
    assert own(other)["published_messages"] == 1
    assert own(other)["name"] != session["name"]


def test_close_ends_the_session(nl, netlink, topic):
    other = netlink()
    other.do("subscribe", filter=topic)
    name = own(other)["name"]
    assert nl.do("session-get", name=name)["name"] == name
    other.close()
    assert refused(nl.do, "session-get", name=name).errno == errno.ENOENT
    assert nl.do("publish", topic=topic) == {"receivers": 0}


def test_close_with_messages_waiting(nl, netlink, topic):
    sessions = nl.do("switch-get")["sessions"]
    for _ in range(20):
        other = netlink(rcvbuf=4096)
        other.do("subscribe", filter=topic, qos=1)
        for _ in range(20):
            nl.do("publish", topic=topic, payload=bytes(500), qos=1)
        other.close()
    assert nl.do("switch-get")["sessions"] == sessions + 1
    assert nl.do("switch-get")["memory"] < 20 * 20 * 500


def test_killed_session(nl, netlink, topic):
    """The socket's next recv() says so, poll() too, and it gets no other session."""
    other = netlink()
    other.do("subscribe", filter=topic)
    nl.do("session-del", name=own(other)["name"])
    poll = select.poll()
    poll.register(other.sock, select.POLLIN)
    assert poll.poll(10000)[0][1] & select.POLLERR
    with pytest.raises(OSError) as error:
        other.sock.recv(4096)
    assert error.value.errno == errno.ESHUTDOWN
    error = refused(other.do, "publish", topic=topic)
    assert (error.errno, error.text) == (errno.ESHUTDOWN, "the session of this socket was ended")
    assert refused(other.do, "subscribe", filter=topic).errno == errno.ESHUTDOWN
    assert refused(other.do, "session-get").text == "the session of this socket was ended"


def test_threads_share_one_session(nl, netlink, topic):
    """Several first requests of one socket at once make one session."""
    for _ in range(20):
        before = nl.do("switch-get")["sessions"]
        other = netlink()
        start = threading.Barrier(4)

        def run(number, one=other, go=start):
            go.wait()
            one.send_op("subscribe", encode("subscription", {"filter": f"{topic}/{number}"}), 0)

        threads = [threading.Thread(target=run, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert nl.do("switch-get")["sessions"] == before + 1
        assert own(other)["subscriptions"] == 4
        other.close()


def as_nobody(name, **attrs):
    """Ask as the user nobody. Returns the errno that it was refused with, or 0."""
    def run():
        try:
            Netlink().do(name, **attrs)
        except NlError as error:
            return error.errno
        return 0

    return as_user(65534, run)


def test_without_rules_only_an_administrator_publishes_and_subscribes(nl, topic):
    """A socket has no mode as /dev/kmqtt has; the rules are what lets others in."""
    assert as_nobody("publish", topic=topic) == errno.EPERM
    assert as_nobody("subscribe", filter="#") == errno.EPERM
    nl.do("acl-new", filter=topic, access=3, allow=1)
    try:
        assert as_nobody("publish", topic=topic) == 0
        assert as_nobody("publish", topic="another") == errno.EACCES
        assert as_nobody("subscribe", filter="#") == 0
    finally:
        nl.do("acl-flush")

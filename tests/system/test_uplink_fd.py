# SPDX-License-Identifier: GPL-2.0
"""Connected sockets that a process hands over: TCP, kTLS, AF_UNIX."""

import os
import socket
import struct

import pytest

import kmqtt_dev
from kmqtt_broker import PUBACK, Fake, Peer, packet, wait_for
from kmqtt_pairs import (
    ALERT, HANDSHAKE, PAIRS, SOL_TCP, SOL_TLS, TCP_ULP, TLS_GET_RECORD_TYPE,
    TLS_RX, TLS_TX, record, tcp_pair, tls_keys, tls_pair)
from kmqtt_uplink import DOWN, IN, OUT, UP, WAIT_FD, Uplink, receive


@pytest.fixture(params=PAIRS)
def pair(request):
    ours, theirs = PAIRS[request.param]()
    yield ours, theirs
    ours.close()
    theirs.close()


def test_both_ways(pair, device, topic):
    """All that an uplink does, over a socket that its process closes at once."""
    ours, theirs = pair
    dev = device().subscribe(f"{topic}/in", qos=1)
    with Uplink("fd", topics=[(f"{topic}/in", IN, 1), (f"{topic}/out", OUT, 1)]) as up:
        up.wait(WAIT_FD)
        up.set(fd=ours.fileno())
        ours.close()
        peer = Peer(theirs)
        peer.handshake()
        peer.subscribed()
        body = bytes(range(256)) * 1000
        for i in range(1, 4):
            peer.publish(f"{topic}/in", body[:1000 * i], qos=1, packet_id=i)
            assert peer.acked(PUBACK) == (i, 0)
            dev.publish(f"{topic}/out", body[i:], qos=1)
            got = peer.published()
            assert got.payload == body[i:]
            peer.ack(PUBACK, got.packet_id)
        assert [m.payload for m in receive(dev, 3)] == [body[:1000 * i] for i in range(1, 4)]
        shown = up.wait(UP, inflight_messages=0)
        assert shown["handed_over"] == 1
        peer.close()
        assert up.event("uplink-down")["text"] == "socket from user space"
        up.wait(WAIT_FD)


def test_another_one(pair, device, topic):
    """A second socket takes the place of the first; what waited goes over it."""
    ours, theirs = pair
    dev = device()
    with Uplink("fd", topics=[(f"{topic}/out", OUT, 1)]) as up:
        up.set(fd=ours.fileno())
        first = Peer(theirs)
        first.handshake()
        up.wait(UP)
        dev.publish(f"{topic}/out", b"1", qos=1)
        assert first.published().payload == b"1"
        more, far = tcp_pair()
        up.set(fd=more.fileno())
        assert first.disconnected() == 0
        first.close()
        second = Peer(far)
        second.handshake(present=True)
        got = second.published()
        assert (got.payload, got.dup) == (b"1", True)
        more.close()
        second.close()


def test_one_that_waits_goes_with_down():
    """A socket whose turn has not come is let go when the uplink is switched off."""
    ours, theirs = tcp_pair()
    more, far = tcp_pair()
    with Uplink("fd") as up:
        up.set(fd=ours.fileno())
        first = Peer(theirs)
        first.handshake()
        up.wait(UP)
        # the first one does not close its side, so it takes a while
        up.set(fd=more.fileno())
        up.set(admin_up=0)
        more.close()
        far.settimeout(60)
        assert far.recv(100) == b""
        up.wait(DOWN)
    ours.close()
    first.close()
    far.close()


def test_early_data(device, topic):
    """What the process has read already comes before the rest."""
    ours, theirs = tcp_pair()
    with Uplink("fd", topics=[(f"{topic}/#", IN, 0)]) as up:
        peer = Peer(theirs)
        peer.connack()
        assert ours.recv(3) == b"\x20\x03\x00"
        up.set(fd=ours.fileno(), early_data=b"\x20\x03\x00")
        peer.connect()
        peer.subscribed()
        dev = device().subscribe(f"{topic}/#")
        peer.publish(f"{topic}/a", b"1")
        assert receive(dev, 1)[0].payload == b"1"
    ours.close()
    theirs.close()


def test_then_the_servers_again():
    """When the socket is gone, the uplink connects by itself only if it is told to."""
    ours, theirs = tcp_pair()
    with Fake() as fake, Uplink("fd", fake, up=False) as up:
        up.set(fd=ours.fileno())
        peer = Peer(theirs)
        peer.handshake()
        up.wait(UP)
        peer.close()
        up.wait(WAIT_FD)
        fake.sock.settimeout(0.5)
        with pytest.raises(TimeoutError):
            fake.accept()
        fake.sock.settimeout(60)
        up.set(admin_up=1)
        fake.accept().handshake()
        assert up.wait(UP)["handed_over"] == 0
    ours.close()


def test_up_before_it_is_down():
    """The socket is still being closed when the uplink is switched on again: to its server."""
    ours, theirs = tcp_pair()
    with Fake() as fake, Uplink("fd", fake, up=False) as up:
        up.set(fd=ours.fileno())
        Peer(theirs).handshake()
        up.wait(UP)
        # the peer does not close its side, so it takes a while
        up.set(admin_up=0)
        up.set(admin_up=1)
        fake.accept().handshake()
        assert up.wait(UP, handed_over=0)
    ours.close()
    theirs.close()


@pytest.mark.parametrize("split", [1, 7, 400])
def test_tls_records_that_are_no_data(device, topic, split):
    """Tickets, which TLS 1.3 sends at any time, are let go, in one piece or in many."""
    ours, theirs = tls_pair()
    dev = device().subscribe(f"{topic}/#", qos=1)
    with Uplink("fd", topics=[(f"{topic}/#", IN, 1)]) as up:
        up.set(fd=ours.fileno())
        peer = Peer(theirs)
        peer.connect()
        record(theirs, HANDSHAKE, b"\x04\x00\x05\xdc" + os.urandom(1500))
        ticket = b"\x04\x00\x00\x3c" + os.urandom(60)
        peer.connack()
        peer.subscribed()
        data = packet(3, struct.pack(">H", len(topic) + 2) + topic.encode() + b"/a" + b"\0" +
                      b"x" * 1000)
        for at in range(0, len(data), split * 5):
            theirs.sendall(data[at:at + split * 5])
            record(theirs, HANDSHAKE, ticket)
        assert receive(dev, 1)[0].payload == b"x" * 1000
        assert up.wait(UP)["tls"] == 1
    ours.close()
    theirs.close()


def test_tls_ticket_is_no_key_update(device, topic):
    """A ticket is longer than what is taken at once; nothing in it is the head of a message."""
    ours, theirs = tls_pair()
    dev = device().subscribe(f"{topic}/#")
    with Uplink("fd", topics=[(f"{topic}/#", IN, 0)]) as up:
        up.set(fd=ours.fileno())
        peer = Peer(theirs)
        peer.handshake()
        peer.subscribed()
        ticket = b"\x04\x00\x07\xd0" + b"\x18" * 996 + b"\x00" + b"\x18" * 1003
        # whole, two in one record, and one in two records
        record(theirs, HANDSHAKE, ticket)
        record(theirs, HANDSHAKE, ticket * 2)
        record(theirs, HANDSHAKE, ticket[:1000])
        record(theirs, HANDSHAKE, ticket[1000:])
        # the head of one in two records
        record(theirs, HANDSHAKE, ticket[:2])
        record(theirs, HANDSHAKE, ticket[2:])
        peer.publish(f"{topic}/a", b"1")
        assert receive(dev, 1)[0].payload == b"1"
        # behind a ticket it is one
        record(theirs, HANDSHAKE, ticket + b"\x18\x00\x00\x01\x00")
        assert up.event("uplink-down")["error"] == 127
    ours.close()
    theirs.close()


@pytest.mark.parametrize("data, error", [(b"\x01\x00", 32), (b"\x02\x28", 103)])
def test_tls_alert(data, error):
    """close_notify and handshake_failure end the connection."""
    ours, theirs = tls_pair()
    with Uplink("fd") as up:
        up.set(fd=ours.fileno())
        peer = Peer(theirs)
        peer.handshake()
        up.wait(UP)
        record(theirs, ALERT, data)
        assert up.event("uplink-down")["error"] == error
        up.wait(WAIT_FD)
    ours.close()
    theirs.close()


def test_tls_goodbye():
    """DISCONNECT, then close_notify: the peer knows that nothing was cut off."""
    ours, theirs = tls_pair()
    with Uplink("fd") as up:
        up.set(fd=ours.fileno())
        peer = Peer(theirs)
        peer.handshake()
        up.wait(UP)
        up.set(admin_up=0)
        assert peer.disconnected() == 0
        data, control, _, _ = theirs.recvmsg(100, 100)
        assert (data, control) == (b"\x01\x00", [(SOL_TLS, TLS_GET_RECORD_TYPE, b"\x15")])
        assert theirs.recv(1) == b""
        theirs.close()
        up.wait(0)
    ours.close()


def test_tls_key_update():
    """The kernel has no new keys: the connection ends."""
    ours, theirs = tls_pair()
    with Uplink("fd") as up:
        up.set(fd=ours.fileno())
        peer = Peer(theirs)
        peer.handshake()
        up.wait(UP)
        record(theirs, HANDSHAKE, b"\x18\x00\x00\x01\x00")
        assert up.event("uplink-down")["error"] == 127
    ours.close()
    theirs.close()


def test_tls_garbage():
    """What does not decrypt ends the connection."""
    ours, theirs = tcp_pair()
    ours.setsockopt(SOL_TCP, TCP_ULP, b"tls")
    tls_keys(ours, TLS_TX, 1)
    tls_keys(ours, TLS_RX, 2)
    with Uplink("fd") as up:
        up.set(fd=ours.fileno())
        theirs.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))
        assert up.event("uplink-down")["error"] == 74
    ours.close()
    theirs.close()


def test_refused_descriptors(tmp_path):
    """Each with its errno, and the uplink waits on."""
    tls, far = tcp_pair()
    tls.setsockopt(SOL_TCP, TCP_ULP, b"tls")
    listener = socket.create_server(("127.0.0.1", 0))
    unconnected = socket.socket()
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    packets, packets_far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with open(tmp_path / "file", "w", encoding="ascii") as file, Uplink("fd") as up:
        for what, number in ((file, 88), (udp, 95), (packets, 95), (listener, 107),
                             (unconnected, 107), (tls, 95)):
            with kmqtt_dev.refused(number):
                up.set(fd=what.fileno())
        with kmqtt_dev.refused(9):
            up.set(fd=9999)
        up.wait(WAIT_FD)
    for sock in (tls, far, listener, unconnected, udp, packets, packets_far):
        sock.close()


def test_in_use():
    """A socket serves one uplink, and nobody can put kTLS on it from behind."""
    ours, theirs = tcp_pair()
    with Uplink("fd") as up, Uplink("fd2") as other:
        up.set(fd=ours.fileno())
        peer = Peer(theirs)
        peer.handshake()
        up.wait(UP)
        with kmqtt_dev.refused(16):
            other.set(fd=ours.fileno())
        with kmqtt_dev.refused(17):
            ours.setsockopt(SOL_TCP, TCP_ULP, b"tls")
    ours.close()
    theirs.close()


def test_one_that_waits_for_two():
    """A socket whose turn has not come is nobody's yet: who uses it first has it."""
    ours, theirs = tcp_pair()
    more, far = tcp_pair()
    with Uplink("fd") as up, Uplink("fd2") as other:
        up.set(fd=ours.fileno())
        first = Peer(theirs)
        first.handshake()
        up.wait(UP)
        # the first one does not close its side, so it takes a while
        up.set(fd=more.fileno())
        other.set(fd=more.fileno())
        more.close()
        second = Peer(far)
        second.handshake()
        other.wait(UP)
        first.close()
        up.event("uplink-down", error=16)
        up.wait(WAIT_FD)
        other.set(admin_up=0)
        assert second.disconnected() == 0
        second.close()
        other.wait(DOWN)
    ours.close()


def test_module_stays_while_the_socket_lives():
    """The last one to close it lets the module go."""
    def references():
        with open("/sys/module/kmqtt/refcnt", encoding="ascii") as file:
            return int(file.read())
    ours, theirs = tcp_pair()
    with Uplink("fd") as up:
        up.set(fd=ours.fileno())
        peer = Peer(theirs)
        peer.handshake()
        up.wait(UP)
        peer.close()
        up.wait(WAIT_FD)
    left = references()
    assert left > 0
    ours.close()
    wait_for(lambda: references() < left, text="the module's release")


def test_stalled_peer(pair, device, topic):
    """What the socket does not take waits, and goes on when there is room."""
    ours, theirs = pair
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    dev = device()
    with Uplink("fd", topics=[(f"{topic}/out", OUT, 1)], max_queued_messages=1000) as up:
        up.set(fd=ours.fileno())
        peer = Peer(theirs)
        peer.handshake(x21=1000)
        up.wait(UP)
        for i in range(300):
            dev.publish(f"{topic}/out", struct.pack(">I", i) + bytes(2000), qos=1)
        for i in range(300):
            got = peer.published()
            assert got.payload == struct.pack(">I", i) + bytes(2000)
            peer.ack(PUBACK, got.packet_id)
        up.wait(UP, inflight_messages=0, queued_messages=0)

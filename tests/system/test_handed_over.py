# SPDX-License-Identifier: GPL-2.0
"""What a process hands over does not keep its network namespace when the process is gone.

    gate (10.78.0.1) ---- veth-g, veth-f ---- far (10.78.0.2)

The switch is the one of gate, whose name is taken away while its connections live on. When it has
gone, its end of the veth has, and with that the other end, in far.
"""

import array
import contextlib
import errno
import socket
import struct
import subprocess
import threading
import time

import pytest

import kmqtt_dev
from kmqtt_broker import PUBACK, Fake, Peer, wait_for
from kmqtt_cli import CLONE_NEWNET
from kmqtt_client import Client, Will
from kmqtt_dev import Slow, libc
from kmqtt_nl import Netlink, NlError
from kmqtt_packet import publish_packet
from kmqtt_pairs import PAIRS, make_tls
from kmqtt_uplink import HANDSHAKE, IN, OUT, UP, receive, server

GATE, FAR, OTHER = "kmqtt-held-gate", "kmqtt-held-far", "kmqtt-held-other"
# More than a work queue of the kernel's runs at once: WQ_DFL_ACTIVE, 256 in 6.1 and 6.12.
MANY = 300
# Longer than it takes a namespace to be found without anybody.
A_WHILE = 4


def run(*command, check=True):
    return subprocess.run(command, check=check, capture_output=True, text=True)


@contextlib.contextmanager
def inside(space):
    """The test itself is in the namespace."""
    with open("/proc/self/ns/net", encoding="ascii") as old, \
         open(f"/run/netns/{space}", encoding="ascii") as new:
        libc("setns", new.fileno(), CLONE_NEWNET)
        try:
            yield
        finally:
            libc("setns", old.fileno(), CLONE_NEWNET)


class Gate:
    """The namespace, and what is in it."""

    def __init__(self):
        for space in GATE, FAR:
            run("ip", "netns", "del", space, check=False)
            run("ip", "netns", "add", space)
            run("ip", "-n", space, "link", "set", "lo", "up")
        run("ip", "link", "add", "veth-g", "netns", GATE, "type", "veth",
            "peer", "name", "veth-f", "netns", FAR)
        for space, name, address in (GATE, "veth-g", "10.78.0.1"), (FAR, "veth-f", "10.78.0.2"):
            run("ip", "-n", space, "addr", "add", f"{address}/24", "dev", name)
            run("ip", "-n", space, "link", "set", name, "up")
        self.opened = []

    def pair(self, kind):
        """Ours, of gate, and theirs: of far, but an AF_UNIX socket's is of gate too."""
        if kind == "unix":
            with inside(GATE):
                ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        else:
            with inside(FAR):
                listening = socket.create_server(("10.78.0.2", 0))
            with inside(GATE):
                ours = socket.create_connection(listening.getsockname(), timeout=60)
            theirs, _ = listening.accept()
            listening.close()
            ours.setblocking(True)
        if kind == "tls":
            make_tls(ours, theirs)
        self.opened += [ours, theirs]
        return ours, theirs

    def uplink(self, ours, name="up", topic="in"):
        """An uplink that has this socket."""
        with inside(GATE), Netlink() as nl:
            nl.do("uplink-new", name=name, keepalive=0, connect_timeout=60)
            nl.do("uplink-topic-new", uplink=name, filter=f"{topic}/#", direction=IN, qos=1)
            nl.do("uplink-set", name=name, fd=ours.fileno())

    def client(self, ours):
        """A client of a listener that has no address."""
        with inside(GATE), Netlink() as nl:
            if not any(one["name"] == "handed" for one in nl.dump("listener-get")):
                nl.do("listener-new", name="handed", anonymous=1)
            nl.do("client-attach", name="handed", fd=ours.fileno())

    def peer(self, kind, **more):
        """The server of an uplink that is up; and the uplink's socket, still open."""
        ours, theirs = self.pair(kind)
        self.uplink(ours, **more)
        peer = Peer(theirs)
        peer.handshake()
        peer.subscribed()
        return peer, ours

    def slow(self):
        """The server of an uplink of the kernel's own, for whose queue publishers wait."""
        with inside(FAR):
            fake = Fake(host="10.78.0.2")
        self.opened.append(fake)
        with inside(GATE), Netlink() as nl:
            nl.do("uplink-new", name="slow", server=server(fake.host, fake.port),
                  policy=kmqtt_dev.BLOCK, max_inflight_messages=1, max_queued_messages=1,
                  keepalive=0)
            nl.do("uplink-topic-new", uplink="slow", filter="in/#", direction=OUT, qos=1)
        peer = fake.accept()
        peer.handshake()
        wait_for(self.up)
        return peer

    def up(self):
        with inside(GATE), Netlink() as nl:
            return all(one["state"] == UP for one in nl.dump("uplink-get"))

    def device(self, *args, **more):
        with inside(GATE):
            self.opened.append(kmqtt_dev.Device(*args, **more))
        return self.opened[-1]

    @staticmethod
    def forget():
        """It has no name any more."""
        run("ip", "netns", "del", GATE)

    @staticmethod
    def is_gone():
        return run("ip", "-n", FAR, "link", "show", "veth-f", check=False).returncode

    def gone(self):
        wait_for(self.is_gone, seconds=60, text="the end of the namespace")

    def stays(self):
        time.sleep(A_WHILE)
        assert not self.is_gone()

    def close(self):
        for one in self.opened:
            one.close()
        for space in GATE, FAR:
            run("ip", "netns", "del", space, check=False)


@pytest.fixture
def gate():
    one = Gate()
    yield one
    one.close()


def alive(peer, number):
    """The uplink takes what its server says."""
    peer.publish("in/a", b"x", qos=1, packet_id=number)
    assert peer.acked(PUBACK)[0] == number


def ended(stream):
    """Whatever way it has ended."""
    try:
        return stream.ended()
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("kind", ["tcp", "tls"])
def test_uplink(gate, kind):
    peer, ours = gate.peer(kind)
    wait_for(gate.up)
    ours.close()
    gate.forget()
    gate.gone()
    assert ended(peer)


@pytest.mark.parametrize("kind", ["tcp", "tls"])
def test_client(gate, kind):
    ours, theirs = gate.pair(kind)
    gate.client(ours)
    ours.close()
    with Client(theirs) as client:
        client.connect("one")
        client.subscribe("a")
        gate.forget()
        gate.gone()
        assert ended(client)


def test_client_without_a_word(gate):
    """It has not said what it wants, and its process is gone before it could."""
    ours, theirs = gate.pair("tcp")
    gate.client(ours)
    ours.close()
    gate.forget()
    gate.gone()
    with Client(theirs) as client:
        assert ended(client)


def test_kernel_on_both_sides(gate):
    """Both ends of an AF_UNIX pair are the kernel's, and many more sockets."""
    ours, theirs = gate.pair("unix")
    gate.client(theirs)
    gate.uplink(ours, "both")
    wait_for(gate.up)
    peer, more = gate.peer("tcp", name="far", topic="far")
    clients = []
    for _ in range(20):
        mine, other = gate.pair("tcp")
        gate.client(mine)
        mine.close()
        clients.append(Client(other).connect())
    for sock in ours, theirs, more:
        sock.close()
    gate.forget()
    gate.gone()
    assert all(ended(one) for one in [peer, *clients])


def test_descriptor_is_open(gate):
    """A process elsewhere has the socket too: it holds the namespace, as any socket does."""
    peer, ours = gate.peer("tcp")
    wait_for(gate.up)
    gate.forget()
    gate.stays()
    alive(peer, 1)
    ours.close()
    gate.gone()


def test_another_socket_is_open(gate):
    """So does any other socket, or file of the switch."""
    peer, ours = gate.peer("tcp")
    device = gate.device()
    other, _ = gate.pair("unix")
    ours.close()
    gate.forget()
    gate.stays()
    alive(peer, 1)
    device.close()
    gate.stays()
    alive(peer, 2)
    for sock in gate.opened:
        sock.close()
    assert other.fileno() < 0
    gate.gone()


def test_unix_other_end(gate):
    """The other end of an AF_UNIX socket is of the same namespace."""
    peer, ours = gate.peer("unix")
    wait_for(gate.up)
    ours.close()
    gate.forget()
    gate.stays()
    alive(peer, 1)
    peer.close()
    gate.gone()


def paused(gate, kind):
    """A connection that is not read: it waits for an uplink whose server acknowledges nothing."""
    slow = gate.slow()
    peer, ours = gate.peer(kind)
    for number in range(1, 7):
        peer.publish("in/a", b"x", qos=1, packet_id=number)
    assert slow.published().payload == b"x"
    count = 0
    with contextlib.suppress(TimeoutError):
        while True:
            assert peer.packet(1).type == PUBACK
            count += 1
    assert count < 6
    ours.close()
    return peer


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_paused(gate, kind):
    """It does not see that its peer has closed."""
    peer = paused(gate, kind)
    peer.close()
    gate.forget()
    gate.gone()


def test_uplink_cannot_start(gate):
    """A socket is not kept until there is room for the uplink's session."""
    ours, theirs = gate.pair("tcp")
    gate.device("only")
    with inside(GATE), Netlink() as nl:
        nl.do("uplink-new", name="up")
        nl.do("switch-set", max_sessions=1)
        nl.do("session-del", name="uplink.up")
        nl.do("uplink-set", name="up", fd=ours.fileno())
    ours.close()
    theirs.settimeout(60)
    assert theirs.recv(1) == b""


def descriptor(sock):
    return [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [sock.fileno()]))]


def test_descriptor_in_what_is_not_read(gate):
    """A socket that is on its way into the connection that it is the other end of."""
    peer = paused(gate, "unix")
    peer.sock.sendmsg([publish_packet("in/a", b"x", 1, 3)], descriptor(peer.sock))
    peer.close()
    gate.forget()
    gate.gone()


def test_descriptor_behind_what_is_not_sent(gate):
    """Likewise, where nothing is read as our acknowledgements are not."""
    peer, ours = gate.peer("unix")
    ours.close()
    peer.sock.settimeout(1)
    data = publish_packet("in/a", b"x", 1, 3) * 100
    with contextlib.suppress(TimeoutError, BrokenPipeError):
        while True:
            peer.sock.sendmsg([data], descriptor(peer.sock))
    peer.close()
    gate.forget()
    gate.gone()


def test_descriptors_are_dropped(gate):
    """An uplink that reads has no use for them."""
    peer, _ = gate.peer("unix")
    mine, other = socket.socketpair()
    peer.sock.sendmsg([publish_packet("in/a", b"x", 1, 3)], descriptor(mine))
    mine.close()
    assert peer.acked(PUBACK)[0] == 3
    other.settimeout(60)
    assert other.recv(1) == b""
    other.close()


class Taking(threading.Thread):
    """Hands a socket over, as client or uplink, which is to say something within a second."""

    def __init__(self, sock, role):
        super().__init__()
        self.sock, self.role = sock, role

    def run(self):
        with inside(GATE), Netlink() as nl, contextlib.suppress(NlError):
            if self.role == "client":
                nl.do("listener-new", name="handed", anonymous=1, connect_timeout=1)
                nl.do("client-attach", name="handed", fd=self.sock.fileno())
            else:
                nl.do("uplink-new", name="up", keepalive=0, connect_timeout=1)
                nl.do("uplink-set", name="up", fd=self.sock.fileno())


def held_by_sender(sock, slow):
    """Someone sends what is not there yet: until it is, the socket's lock is his."""
    def send():
        with contextlib.suppress(OSError):
            libc("send", sock.fileno(), slow.start, 10000, socket.MSG_NOSIGNAL)
    thread = threading.Thread(target=send)
    thread.start()
    slow.touched()
    return thread


@pytest.mark.parametrize("role", ["client", "uplink"])
def test_its_time_is_over_before_it_begins(gate, role):
    """Whoever takes over a socket waits for its lock; its end comes afterwards, and once.

    One with kTLS: another has been locked before, to be reserved.
    """
    ours, theirs = gate.pair("tls")
    slow = Slow()
    sender = held_by_sender(ours, slow)
    taking = Taking(ours, role)
    taking.start()
    time.sleep(2.5)
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    theirs.close()
    time.sleep(0.2)
    slow.let_go()
    sender.join()
    taking.join()
    ours.close()
    with inside(GATE), Netlink() as nl:
        if role == "client":
            wait_for(lambda: nl.do("listener-get", name="handed")["connections"] == 0)
    gate.forget()
    gate.gone()


def in_full_use(space):
    """A switch of the namespace: a client of a listener, a process, and a will when it ends."""
    with inside(space), Netlink() as nl, kmqtt_dev.Device() as device:
        if not nl.dump("listener-get"):
            nl.do("listener-new", name="all", ipv4=0, port=1883, anonymous=1)
        device.subscribe("a/#")
        sock = socket.create_connection(("127.0.0.1", 1883), timeout=60)
        with Client(sock).connect(will=Will("a/will", b"gone")) as client:
            client.publish("a/b", b"x", qos=1, packet_id=1)
            client.acked(PUBACK, 1)
        assert [one.payload for one in receive(device, 2)] == [b"x", b"gone"]


@contextlib.contextmanager
def another():
    """Another namespace, which must end as soon as nobody needs it any more."""
    run("ip", "netns", "add", OTHER)
    try:
        run("ip", "-n", OTHER, "link", "set", "lo", "up")
        run("ip", "link", "add", "veth-o", "netns", OTHER, "type", "veth",
            "peer", "name", "veth-h", "netns", FAR)
        yield
    finally:
        run("ip", "netns", "del", OTHER)
    wait_for(lambda: run("ip", "-n", FAR, "link", "show", "veth-h", check=False).returncode,
             seconds=60, text="the end of the other namespace")


def test_others_end_while_one_waits(gate):
    """The end of a namespace does not wait for a socket of another one, which a process holds."""
    ours, theirs = gate.pair("tls")
    slow = Slow()
    sender = held_by_sender(ours, slow)
    gate.uplink(ours)
    try:
        with another():
            in_full_use(OTHER)
        theirs.settimeout(0.1)
        with pytest.raises(TimeoutError):
            theirs.recv(100)
    finally:
        slow.let_go()
        sender.join()
    # it had been taken over, then, and its work waited all the while
    theirs.settimeout(60)
    sent = b""
    while b"MQTT" not in sent:
        more = theirs.recv(1 << 16)
        assert more
        sent += more


def full(sock):
    """Nothing more can be sent; and who closes it waits for what was, for as long as he likes.
    Returns how much that is.
    """
    sock.settimeout(1)
    sent = 0
    with contextlib.suppress(TimeoutError):
        while True:
            sent += sock.send(bytes(100000))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 10000))
    return sent


def test_others_end_while_one_lingers(gate):
    """Nor for a socket whose end takes as long as a process has said (SO_LINGER)."""
    ours, theirs = gate.pair("tcp")
    full(ours)
    with inside(GATE), Netlink() as nl:
        nl.do("listener-new", name="handed", anonymous=1, connect_timeout=1)
        nl.do("client-attach", name="handed", fd=ours.fileno())
        ours.close()
        wait_for(lambda: nl.do("listener-get", name="handed")["timeouts"] == 1)
    # it is about to be closed, or is being closed
    time.sleep(2)
    with another():
        with inside(OTHER), Netlink() as nl:
            mine, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
            nl.do("listener-new", name="handed", anonymous=1)
            nl.do("client-attach", name="handed", fd=mine.fileno())
            mine.close()
            with Client(other).connect() as client:
                client.subscribe("a/#")
    theirs.close()


def is_gone(name):
    """An uplink that was deleted, whose socket is still held: the others are there, and its name is
    not free before its end."""
    with inside(GATE), Netlink() as nl:
        nl.do("uplink-del", name=name)
        assert nl.dump("uplink-get") == []
        with pytest.raises(NlError) as refused:
            nl.do("uplink-set", name=name, keepalive=1)
        assert refused.value.errno == errno.ENOENT
        with pytest.raises(NlError) as refused:
            nl.do("uplink-new", name=name)
        assert refused.value.errno == errno.EBUSY
        nl.do("uplink-new", name="other")
        nl.do("uplink-del", name="other")


def is_free(name):
    """As soon as its end has come."""
    with inside(GATE), Netlink() as nl:
        def new():
            with contextlib.suppress(NlError):
                nl.do("uplink-new", name=name)
                return True
            return False
        wait_for(new)
        nl.do("uplink-del", name=name)


def test_uplink_goes_though_its_socket_would_linger(gate):
    """Who deletes it does not wait for as long as a process has said, with all of generic netlink
    behind him; and what was sent comes nevertheless."""
    ours, theirs = gate.pair("tcp")
    sent = full(ours)
    gate.uplink(ours)
    ours.close()
    with inside(GATE), Netlink() as nl:
        nl.do("uplink-del", name="up")
        assert nl.dump("session-get") == []
        nl.do("uplink-new", name="up")
        nl.do("uplink-del", name="up")
    theirs.settimeout(60)
    while data := theirs.recv(1 << 20):
        sent -= len(data)
    assert sent <= 0


def test_uplink_is_served_while_its_socket_is_held(gate):
    """Nobody waits for as long as a process has the socket's lock. (Who hands a socket without
    kTLS over does, himself.)
    """
    ours, theirs = gate.pair("tls")
    slow = Slow()
    sender = held_by_sender(ours, slow)
    gate.uplink(ours)
    try:
        # it is being taken over
        time.sleep(1)
        with inside(GATE), Netlink() as nl:
            assert nl.do("uplink-get", name="up")["state"] == HANDSHAKE
            nl.do("uplink-set", name="up", keepalive=10)
        is_gone("up")
    finally:
        slow.let_go()
        sender.join()
    ours.close()
    theirs.close()
    is_free("up")


def test_uplink_goes_while_its_socket_is_held(gate):
    """Nor do any messages wait for it."""
    peer, ours = gate.peer("tcp")
    slow = Slow()
    sender = held_by_sender(ours, slow)
    try:
        is_gone("up")
        with inside(GATE), Netlink() as nl:
            wait_for(lambda: nl.dump("session-get") == [])
    finally:
        slow.let_go()
        sender.join()
    ours.close()
    peer.close()
    is_free("up")


def test_module_stays_while_it_has_a_socket(gate):
    """Of whatever kind: who unloads it would wait for whoever holds the socket."""
    for kind in PAIRS:
        ours, theirs = gate.pair(kind)
        gate.client(ours)
        ours.close()
        Client(theirs).connect()
        done = run("rmmod", "kmqtt", check=False)
        assert done.returncode and "in use" in done.stderr, done
        theirs.close()


def test_others_work_while_many_wait(gate):
    """However many sockets one namespace's processes hold, the others' switches work."""
    slow = Slow()
    device = gate.device()
    senders = []
    for _ in range(MANY):
        ours, theirs = gate.pair("tcp")
        gate.client(ours)
        Client(theirs).connect().subscribe("in/#")
        senders.append(held_by_sender(ours, slow))
    # each of them is to be sent something
    device.publish("in/a", b"x")
    try:
        in_full_use(FAR)
    finally:
        slow.let_go()
        for one in senders:
            one.join()

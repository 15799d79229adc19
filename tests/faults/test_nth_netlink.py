# SPDX-License-Identifier: GPL-2.0
"""Every command of the netlink family, with its first allocation failing, its second, ..."""

import contextlib
import errno
import socket
import struct

import pytest

import kmqtt_nl
from kmqtt_broker import Fake
from kmqtt_client import NUMBERS, Client, connect_packet
from kmqtt_dev import RETAIN, Device
from kmqtt_faults import Case, walk
from kmqtt_nl import NLM_F_ACK, NLM_F_DUMP, SPEC_KMQTT, NlError, encode
from kmqtt_packet import AUTH_METHOD
from kmqtt_pairs import PAIRS

LOCALHOST = 0x7f000001
PORT = 18831
# A socket that cannot be made is one file too many for the kernel, and a port for which it has no
# memory is one that somebody has.
NO_MEMORY = errno.ENOMEM, errno.ENOBUFS, errno.ENFILE, errno.EADDRINUSE
WALKED = set()


def quietly(nl, name, /, **attrs):
    """What may be there already, or be gone."""
    with contextlib.suppress(NlError):
        nl.do(name, **attrs)


class Asker:
    """What a command does happens with the fault, and its answer is read without."""

    def __init__(self, nl):
        self.nl = nl
        self.refused = 0
        # of the last answer nothing is known
        self.unsure = False
        # an answer that does not come is an error too
        nl.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("qq", 10, 0))

    def request(self, name, attrs):
        space = SPEC_KMQTT.op_set[name]
        return struct.pack("=BBH", SPEC_KMQTT.ops[name], 1, 0) + encode(space, attrs)

    def answer(self):
        """Did it do what it was asked for? None: it may have, or not."""
        try:
            self.nl.answer()
        except NlError as error:
            assert error.errno in NO_MEMORY, error
            assert "family" not in error.text, error
            self.refused += 1
            return False
        except OSError as error:
            assert error.errno == errno.ENOBUFS, "no answer"
            self.refused += 1
            return None
        finally:
            self.rest()
        return True

    def rest(self):
        """A dump that broke off goes on as long as it is read."""
        while True:
            try:
                self.nl.sock.recv_into(self.nl.buffer, 0, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            except OSError as error:
                assert error.errno == errno.ENOBUFS, error

    def walk(self, name, attrs=None, undo=None, *, before=lambda: None, dump=False):
        """@attrs: of the command, or a function to them; @undo, @before: functions"""
        WALKED.add((name, "dump" if dump else "do"))
        flags = NLM_F_DUMP if dump else NLM_F_ACK
        undo = undo or (lambda: None)
        now = [b""]

        def prepare():
            before()
            now[0] = self.request(name, attrs() if callable(attrs) else attrs or {})

        def answered(_):
            done = self.answer()
            if not done:
                # asked for again, from the state that it was in
                if done is None:
                    self.unsure = True
                    undo()
                    self.unsure = False
                prepare()
                self.nl.send(self.nl.family, now[0], flags)
                self.nl.answer()
            undo()

        self.refused = 0
        walk(Case(name, lambda: self.nl.send(self.nl.family, now[0], flags), answered, prepare))
        # send() asks for memory itself: that it failed is not enough. To empty a list takes none,
        # and what the answer takes is at hand, or not.
        assert self.refused or name.endswith("-flush"), "it has never been refused"


@pytest.fixture
def asker(nl):
    return Asker(nl)


def test_switch(asker):
    asker.walk("switch-get")
    asker.walk("switch-set", {"max_sessions": 1000})
    asker.walk("stats-get")


def uplink(port=1, **more):
    return {"client_id": "c", "username": "u", "password": b"p" * 100, "will_topic": "will",
            "will_payload": b"w" * 3000, "max_queued_messages": 7, "admin_up": 0,
            "server": [{"ipv4": LOCALHOST, "port": port, "host": "localhost"}], **more}


def test_uplink(asker, nl, ident):
    conf = uplink(name=ident)

    def make():
        quietly(nl, "uplink-new", **conf)

    def delete():
        quietly(nl, "uplink-del", name=ident)

    asker.walk("uplink-new", conf, delete)
    asker.walk("uplink-del", {"name": ident}, before=make)
    make()
    asker.walk("uplink-set", conf)
    asker.walk("uplink-get", {"name": ident})
    asker.walk("uplink-get", dump=True)
    delete()


def test_uplink_topic(asker, nl, ident):
    nl.do("uplink-new", **uplink(name=ident))
    rule = {"uplink": ident, "filter": "a/+/b/#", "direction": 3, "local_prefix": "l/",
            "remote_prefix": "r/"}

    def make():
        quietly(nl, "uplink-topic-new", qos=1, **rule)

    def delete():
        quietly(nl, "uplink-topic-del", **rule)

    asker.walk("uplink-topic-new", {"qos": 1, **rule}, delete)
    asker.walk("uplink-topic-del", rule, before=make)
    make()
    asker.walk("uplink-topic-get", dump=True)
    nl.do("uplink-del", name=ident)


@pytest.mark.parametrize("kind", PAIRS)
def test_uplink_of_a_socket(asker, nl, ident, kind):
    """A socket that was not taken is still the process's."""
    pairs = []

    def make():
        pairs.append(PAIRS[kind]())

    def attrs():
        return {"name": ident, "fd": pairs[-1][0].fileno(), "early_data": b""}

    def delete():
        quietly(nl, "uplink-del", name=ident)
        while pairs:
            for one in pairs.pop():
                one.close()

    asker.walk("uplink-new", attrs, delete, before=make)


def test_uplink_that_begins(asker, nl, ident):
    """From admin_up on workers do the rest; it connects in the end."""
    with Fake() as fake:
        nl.do("uplink-new", **uplink(fake.port, name=ident))
        down = {"name": ident, "admin_up": 0}
        asker.walk("uplink-set", {"name": ident, "admin_up": 1},
                   lambda: nl.do("uplink-set", **down))
        nl.do("uplink-set", name=ident, admin_up=1)
        connected = False
        while not connected:
            with contextlib.suppress(EOFError, ConnectionError):
                connected = bool(fake.accept().handshake())
        nl.do("uplink-del", name=ident)


def test_session(asker, nl, ident, topic):
    with Device(ident, expiry=100) as one, Device(f"{ident}-other", expiry=100):
        one.subscribe(topic, qos=1)
        asker.walk("session-get", {"name": ident})
        asker.walk("session-get", dump=True)
        asker.walk("subscription-get", {"session": ident}, dump=True)
        asker.walk("subscription-get", dump=True)

    def make():
        with Device(ident, expiry=100) as one:
            one.subscribe(topic, qos=1)

    asker.walk("session-del", {"name": ident}, before=make)
    nl.do("session-del", name=f"{ident}-other")


def test_retained(asker, topic):
    def make():
        with Device() as out:
            for number in range(20):
                out.publish(f"{topic}/{number}", bytes(1000), flags=RETAIN)

    make()
    asker.walk("retained-get", {"filter": f"{topic}/+"}, dump=True)
    asker.walk("retained-del", {"filter": f"{topic}/#"}, before=make)


RULE = {"who": SPEC_KMQTT.value("acl-who", "user"), "name": "somebody", "access": 3, "allow": 1,
        "filter": "a/b/#"}


def test_acl(asker, nl):
    def flush():
        nl.do("acl-flush")

    def make():
        flush()
        nl.do("acl-new", **RULE)

    def first():
        return {"id": nl.dump("acl-get")[0]["id"]}

    asker.walk("acl-new", RULE, flush)
    asker.walk("acl-replace", {"rule": [RULE] * 10}, flush)
    asker.walk("acl-flush", before=make)
    asker.walk("acl-del", first, before=make)
    make()
    asker.walk("acl-get", dump=True)
    flush()


USER = {"name": "somebody", "iterations": 2, "salt": bytes(range(16)), "hash": bytes(range(64))}


def test_user(asker, nl):
    def flush():
        nl.do("user-flush")

    def make():
        nl.do("user-set", **USER)

    asker.walk("user-set", USER, flush)
    asker.walk("user-set", USER, before=make)
    entries = [{**USER, "name": f"user{number}"} for number in range(10)]
    asker.walk("user-replace", {"entry": entries}, flush)
    asker.walk("user-flush", before=make)
    asker.walk("user-del", {"name": USER["name"]}, before=make)
    make()
    asker.walk("user-get", dump=True)
    flush()


LISTENER = {"ipv4": LOCALHOST, "port": PORT, "anonymous": 1, "mount_point": "mounted/"}


def test_listener(asker, nl, ident):
    conf = {"name": ident, **LISTENER}

    def make():
        quietly(nl, "listener-new", **conf)

    def delete():
        quietly(nl, "listener-del", name=ident)

    asker.walk("listener-new", conf, delete)
    asker.walk("listener-del", {"name": ident}, before=make)
    make()
    asker.walk("listener-set", {"name": ident, "mount_point": "another/", "max_qos": 1})
    asker.walk("listener-get", {"name": ident})
    asker.walk("listener-get", dump=True)
    with socket.create_connection(("127.0.0.1", PORT), timeout=20) as sock:
        Client(sock).connect(ident).disconnect()
    delete()


@pytest.mark.parametrize("kind", PAIRS)
def test_client_attach(asker, nl, ident, kind):
    nl.do("listener-new", name=ident, **LISTENER)
    pairs = []

    def make():
        pairs.append(PAIRS[kind]())

    def attrs():
        return {"name": ident, "fd": pairs[-1][0].fileno(), "early_data": connect_packet("early")}

    def close():
        while pairs:
            for one in pairs.pop():
                one.close()

    asker.walk("client-attach", attrs, close, before=make)
    nl.do("listener-del", name=ident)


@pytest.mark.parametrize("qos", range(3))
def test_publish(asker, device, topic, qos):
    """What was taken comes; what was not does not."""
    reader = device(messages=100000).subscribe(topic, qos=2)
    message = {"topic": topic, "payload": b"x" * 3000, "qos": qos}

    def check():
        got = len(reader.drain())
        assert got == 1 or got == 0 and (asker.unsure or not qos)
        check.got += got

    check.got = 0
    asker.walk("publish", message, check)
    assert check.got


def test_subscribe(asker, nl, topic):
    def off():
        quietly(nl, "unsubscribe", filter=f"{topic}/+")

    def on():
        quietly(nl, "subscribe", filter=f"{topic}/+", qos=1)

    asker.walk("subscribe", {"filter": f"{topic}/+", "qos": 1}, off)
    asker.walk("unsubscribe", {"filter": f"{topic}/+"}, before=on)


def test_first_subscription_of_a_socket(topic):
    """The socket becomes a session with it."""
    made = []
    refused = []

    def again():
        while made:
            made.pop().close()
        made.append(kmqtt_nl.Netlink())

    def subscribe():
        one = made[-1]
        one.send(one.family, Asker(one).request("subscribe", {"filter": topic}), NLM_F_ACK)

    def answered(_):
        try:
            made[-1].answer()
        except OSError as error:
            refused.append(error)
        quietly(made[-1], "subscribe", filter=topic)
        assert made[-1].do("session-get")["subscriptions"] == 1

    walk(Case("first subscribe", subscribe, answered, again))
    assert refused, "it has never failed"
    made.pop().close()


def test_authenticator(nl, ident):
    """It registers, and answers: what was refused can be said once more."""
    nl.do("listener-new", name=ident, **{**LISTENER, "anonymous": 0})
    with kmqtt_nl.Netlink() as judge:
        asker = Asker(judge)
        asker.walk("auth-register")
        clients = []

        def wait():
            sock = socket.create_connection(("127.0.0.1", PORT), timeout=20)
            clients.append(Client(sock))
            name = f"{ident}-{next(NUMBERS)}"
            clients[-1].send(connect_packet(name, props={AUTH_METHOD: "m"}))

        def question():
            # of those that have gone it is told too
            asked = judge.next("auth-request", 20)
            while asked["step"] != SPEC_KMQTT.value("auth-step", "start"):
                asked = judge.next("auth-request", 20)
            return {"id": asked["id"], "user": "somebody",
                    "verdict": SPEC_KMQTT.value("auth-verdict", "success"), "data": b"d" * 100}

        def goodbye():
            while clients:
                clients.pop().close()

        asker.walk("auth-reply", question, goodbye, before=wait)
    nl.do("listener-del", name=ident)


def test_every_command_was_walked():
    assert WALKED == {(name, kind) for name, kinds in SPEC_KMQTT.op_kinds.items() for kind in kinds}

# SPDX-License-Identifier: GPL-2.0
"""Enhanced authentication (MQTT 5.0, 4.12), done by an authenticator in user space."""

import contextlib
import errno
import socket

import pytest

from kmqtt_auth import STEPS, VERDICTS, Authenticator
from kmqtt_client import connect_packet
from kmqtt_packet import (
    ASSIGNED_CLIENT_ID, AUTH, AUTH_DATA, AUTH_METHOD, DISCONNECT, MAXIMUM_PACKET_SIZE, PUBLISH,
    Reader, encode_props, packet, publish_packet)

CONTINUE, AGAIN = 0x18, 0x19
SECURED = pytest.mark.broker(anonymous=False, acl="user tester\ntopic readwrite open/#\n")


def auth_packet(reason, method="m", data=None):
    props = {AUTH_METHOD: method}
    if data is not None:
        props[AUTH_DATA] = data
    return packet(AUTH, bytes([reason]) + encode_props(props))


def connect(broker, ident, method="m", data=None, **more):
    """A client that has sent its CONNECT."""
    client = broker.raw()
    props = {AUTH_METHOD: method, **({} if data is None else {AUTH_DATA: data}),
             **more.pop("props", {})}
    client.send(connect_packet(ident, props=props, **more))
    return client


def authed(client):
    """The next packet, which must be an AUTH: reason code, method, data."""
    r = Reader(client.expect(AUTH).body)
    reason, props = r.number(1), r.props()
    assert not r.data and props.keys() <= {AUTH_METHOD, AUTH_DATA}
    return reason, props[AUTH_METHOD].decode(), props.get(AUTH_DATA)


@pytest.fixture
def sockets(broker):
    """A function that makes sockets in the broker's namespace; closed after the test."""
    made = []

    def make(register=True, **more):
        with broker.inside():
            made.append(Authenticator(**more))
        if register:
            made[-1].do("auth-register")
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def judge(sockets):
    """The authenticator."""
    return sockets()


@pytest.fixture
def member(broker, judge, ident):
    """A client that was let in, and its number."""
    client = connect(broker, ident)
    question = judge.asked("start")
    judge.reply(question, "success")
    assert client.connacked().reason == 0
    return client, question


@contextlib.contextmanager
def refused(number, text=None):
    with pytest.raises(OSError) as error:
        yield
    assert error.value.errno == number
    assert text is None or text == error.value.text


# Who is asked


def test_one_at_a_time(sockets):
    first, second = sockets(), sockets(register=False)
    first.do("auth-register")
    with refused(errno.EBUSY, "another socket is the authenticator of this network namespace"):
        second.do("auth-register")
    with refused(errno.EPERM, "this socket is no authenticator"):
        second.do("auth-reply", id=1, verdict=VERDICTS["success"])
    first.close()
    second.do("auth-register")


def test_one_of_each_namespace(sockets, nl, broker, ident):
    """That of another namespace is not asked."""
    other = nl
    other.do("auth-register")
    connect(broker, ident).not_connected(0x8c)
    judge = sockets()
    client = connect(broker, ident)
    judge.reply(judge.asked("start"), "success")
    assert client.connacked().reason == 0
    assert other.next("auth-request", 0) is None


def test_nobody_listens(broker, sockets, ident):
    connect(broker, ident).not_connected(0x8c)
    judge = sockets()
    client = connect(broker, ident)
    judge.asked("start")
    judge.close()
    client.not_connected(0x8c)
    connect(broker, ident).not_connected(0x8c)


def test_goes_while_the_client_answers(broker, sockets, ident):
    judge = sockets()
    client = connect(broker, ident)
    judge.reply(judge.asked("start"), "continue")
    assert authed(client) == (CONTINUE, "m", None)
    judge.close()
    client.send(auth_packet(CONTINUE))
    client.not_connected(0x8c)


def test_no_answer(broker, judge, ident):
    """It may think for ten seconds."""
    client = connect(broker, ident)
    question = judge.asked("start")
    client.not_connected(0x89)
    assert judge.asked("end")["id"] == question["id"]
    with refused(errno.ENOENT):
        judge.reply(question, "success")


def test_full_buffer(broker, sockets, ident):
    """Who cannot be asked is refused; the others wait for their answers."""
    judge = sockets()
    judge.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    clients = [connect(broker, f"{ident}{n}", data=b"x" * 1000) for n in range(8)]
    waiting, told, question = {}, False, True
    while question or not told:
        try:
            question = judge.next("auth-request", 1 if told else 20)
        except OSError as error:
            assert error.errno == errno.ENOBUFS
            told = True
            # for what comes from now on, and for the answers to our replies
            judge.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            continue
        if question and question["step"] == STEPS["start"]:
            waiting[question["session"]] = question
    assert 0 < len(waiting) < len(clients)
    for n, client in enumerate(clients):
        mine = waiting.get(f"{ident}{n}")
        if mine:
            judge.reply(mine, "success")
            assert client.connacked().reason == 0
        else:
            client.not_connected(0x89)


# CONNECT


@pytest.mark.parametrize("data", [None, b"", b"\0\xff" * 100], ids=["none", "empty", "some"])
def test_mqtt5_4_12_0_5_method_and_data(broker, judge, ident, data):
    """MQTT-4.12.0-5: they are passed on both ways, and each packet has the method."""
    more = {} if data is None else {"data": data}
    client = connect(broker, ident, "Meth-öd", data, username="name", password=b"secret")
    question = judge.asked("start")
    number, address = question.pop("id"), question.pop("address")
    assert address == "127.0.0.1:%d" % client.sock.getsockname()[1]
    assert question == {"step": STEPS["start"], "session": ident, "user": "name",
                        "listener": "127.0.0.1:1883", "method": "Meth-öd", **more}
    judge.do("auth-reply", id=number, verdict=VERDICTS["continue"], **more)
    assert authed(client) == (CONTINUE, "Meth-öd", data)
    client.send(auth_packet(CONTINUE, "Meth-öd", data))
    assert judge.asked("continue") == {"id": number, "step": STEPS["continue"],
                                       "method": "Meth-öd", **more}
    judge.do("auth-reply", id=number, verdict=VERDICTS["success"], **more)
    got = client.connacked()
    assert got.reason == 0
    assert (got.props[AUTH_METHOD].decode(), got.props.get(AUTH_DATA)) == ("Meth-öd", data)
    client.ping()


def test_mqtt5_4_12_0_2_and_3_many_steps(broker, judge, ident):
    client = connect(broker, ident)
    question = judge.asked("start")
    for number in range(20):
        judge.reply(question, "continue", data=b"%d" % number)
        assert authed(client) == (CONTINUE, "m", b"%d" % number)
        client.send(auth_packet(CONTINUE, data=b"%d!" % number))
        question = judge.asked("continue")
        assert question["data"] == b"%d!" % number
    judge.reply(question, "success", data=b"done")
    assert client.connacked().props[AUTH_DATA] == b"done"
    client.close()
    assert judge.asked("end")["id"] == question["id"]


@pytest.mark.parametrize("reason", [None, 0x86, 0x87, 0x8a, 0x8c, 0x97])
def test_mqtt5_4_12_0_4_refused(broker, judge, ident, reason):
    client = connect(broker, ident)
    judge.reply(judge.asked("start"), "refuse", **({} if reason is None else {"reason": reason}))
    client.not_connected(reason or 0x87)


def test_mqtt5_4_12_0_4_refused_after_a_step(broker, judge, ident):
    client = connect(broker, ident)
    judge.reply(judge.asked("start"), "continue")
    authed(client)
    client.send(auth_packet(CONTINUE))
    judge.reply(judge.asked("continue"), "refuse", reason=0x8a)
    client.not_connected(0x8a)


def test_reason_that_a_connack_may_not_have(broker, judge, ident):
    client = connect(broker, ident)
    judge.reply(judge.asked("start"), "refuse", reason=0x8d)
    client.not_connected(0x80)


def test_many_at_a_time(broker, judge, ident):
    """Each waits for its own answer."""
    clients = [connect(broker, f"{ident}{n}") for n in range(20)]
    questions = {q["session"]: q for q in (judge.asked("start") for _ in clients)}
    for n in reversed(range(20)):
        if n % 2:
            judge.reply(questions[f"{ident}{n}"], "success")
        else:
            judge.reply(questions[f"{ident}{n}"], "refuse", reason=0x8a)
    for n, client in enumerate(clients):
        if n % 2:
            assert client.connacked().reason == 0
        else:
            client.not_connected(0x8a)


@SECURED
@pytest.mark.parametrize("user, allowed", [(None, False), ("tester", True), ("else", False)])
def test_user_name_of_the_authenticator(broker, judge, ident, user, allowed):
    """It lets in who has no other name, and the rules are about the name that it gives."""
    client = connect(broker, ident)
    judge.reply(judge.asked("start"), "success", **({"user": user} if user else {}))
    assert client.connacked().reason == 0
    assert client.deliver("open/x") == (0x10 if allowed else 0x87)
    assert judge.do("session-get", name=ident).get("user") == user


@SECURED
def test_user_name_of_the_client(broker, judge, ident):
    client = connect(broker, ident, username="tester")
    judge.reply(judge.asked("start"), "success")
    assert client.connacked().reason == 0
    assert client.deliver("open/x") == 0x10


def test_assigned_client_identifier(broker, judge):
    client = connect(broker, "")
    question = judge.asked("start")
    judge.reply(question, "success")
    assert client.connacked().props[ASSIGNED_CLIENT_ID].decode() == question["session"]


def test_session_is_not_touched_before_the_end(broker, judge, ident):
    first = broker.connect(ident)
    client = connect(broker, ident)
    question = judge.asked("start")
    first.ping()
    judge.reply(question, "success")
    assert client.connacked().reason == 0
    first.refused(0x8e)


@pytest.mark.parametrize("data, reason", [
    (publish_packet("a"), 0x82), (packet(PUBLISH, b""), 0x81), (connect_packet("x"), 0x82),
    (auth_packet(CONTINUE, "other"), 0x82), (auth_packet(AGAIN), 0x82), (packet(AUTH), 0x82),
    (packet(AUTH, b"\x18"), 0x82), (packet(AUTH, b"\x18\x01"), 0x81)],
    ids=["publish", "malformed", "connect", "other-method", "again", "success", "no-method",
         "short"])
def test_mqtt5_3_1_2_30_what_may_not_come(broker, judge, ident, data, reason):
    """MQTT-3.1.2-30, MQTT-4.12.0-3, MQTT-4.12.0-5"""
    client = connect(broker, ident)
    question = judge.asked("start")
    judge.reply(question, "continue")
    authed(client)
    client.send(data)
    client.not_connected(reason)
    assert judge.asked("end")["id"] == question["id"]


def test_what_comes_too_early_waits(broker, judge, ident):
    """An AUTH that does not wait for its turn is looked at when it is."""
    client = connect(broker, ident)
    client.send(auth_packet(CONTINUE, data=b"early"))
    judge.reply(judge.asked("start"), "continue")
    authed(client)
    question = judge.asked("continue")
    assert question["data"] == b"early"
    judge.reply(question, "success")
    assert client.connacked().reason == 0


@pytest.mark.parametrize("way", ["close", "disconnect"])
@pytest.mark.parametrize("turn", ["ours", "theirs"])
def test_client_goes(broker, judge, ident, way, turn):
    client = connect(broker, ident)
    question = judge.asked("start")
    if turn == "ours":
        judge.reply(question, "continue")
        authed(client)
    client.send(packet(DISCONNECT))
    if way == "close" or turn == "theirs":
        client.close()
    else:
        client.closed()
    if turn == "theirs":
        # nothing is read while the authenticator thinks, so it may not be seen yet
        judge.reply(question, "continue")
    assert judge.asked("end")["id"] == question["id"]
    with refused(errno.ENOENT, "no client of that number waits for an answer"):
        judge.reply(question, "success")


def test_mqtt5_3_15_2_2_and_3_packets_that_are_too_large(broker, judge, ident):
    """MQTT-3.1.2-24: an AUTH that the client does not take is not sent."""
    client = connect(broker, ident, props={MAXIMUM_PACKET_SIZE: 100})
    client.limit = 100
    judge.reply(judge.asked("start"), "continue", data=b"x" * 100)
    client.not_connected(0x80)
    client = connect(broker, ident, data=b"x" * 65535)
    client.not_connected(0x95)


@pytest.mark.parametrize("answer, number, text", [
    ({"verdict": 1, "reason": 0x87}, errno.EINVAL, "a reason code is for a refusal"),
    ({"verdict": 0, "data": b"x"}, errno.EINVAL, "a refusal has no data"),
    ({"verdict": 1, "user": "x"}, errno.EINVAL, "a user name is for a success"),
    ({"verdict": 3}, errno.ERANGE, "integer out of range"),
    ({"verdict": 0, "reason": 127}, errno.ERANGE, "integer out of range"),
    ({}, errno.EINVAL, None), ({"verdict": 2, "id": 0}, errno.ERANGE, "integer out of range")])
def test_answers_that_are_none(broker, judge, ident, answer, number, text):
    client = connect(broker, ident)
    question = judge.asked("start")
    with refused(number, text):
        judge.do("auth-reply", **{"id": question["id"], **answer})
    with refused(errno.ENOENT, "no client of that number waits for an answer"):
        judge.do("auth-reply", id=question["id"] + 1, verdict=2)
    judge.reply(question, "success")
    assert client.connacked().reason == 0
    with refused(errno.ENOENT, "no client of that number waits for an answer"):
        judge.reply(question, "success")


@pytest.mark.parametrize("version", [3, 4, 5])
def test_without_a_method(broker, judge, ident, version):
    """Who names none is let in as ever."""
    broker.connect(ident, version=version).ping()
    assert judge.next("auth-request", 0) is None


# Once more


def test_mqtt5_4_12_1_1_again(member, judge):
    """MQTT-4.12.1-1: with steps, and other packets in between."""
    client, question = member
    for _ in range(2):
        client.send(auth_packet(AGAIN, data=b"1"))
        got = judge.asked("again")
        assert (got["id"], got["session"], got["data"]) == (question["id"],
                                                            question["session"], b"1")
        client.ping()
        judge.reply(got, "continue", data=b"2")
        assert authed(client) == (CONTINUE, "m", b"2")
        client.ping()
        client.send(auth_packet(CONTINUE, data=b"3"))
        got = judge.asked("continue")
        assert got["data"] == b"3"
        judge.reply(got, "success", data=b"4")
        assert authed(client) == (0, "m", b"4")
        client.ping()


@pytest.mark.parametrize("reason, said", [(None, 0x87), (0x98, 0x98), (0x86, 0x80)])
def test_mqtt5_4_12_1_2_refused_again(member, judge, reason, said):
    """MQTT-4.12.1-2: the connection is closed; with a code that a DISCONNECT may have."""
    client, _ = member
    client.send(auth_packet(AGAIN))
    judge.reply(judge.asked("again"), "refuse", **({} if reason is None else {"reason": reason}))
    client.refused(said)


def test_again_but_nobody_listens(member, judge):
    client, _ = member
    judge.close()
    client.ping()
    client.send(auth_packet(AGAIN))
    client.refused(0x8c)


def test_goes_while_it_is_asked_again(member, judge):
    client, _ = member
    client.send(auth_packet(AGAIN))
    judge.asked("again")
    judge.close()
    client.refused(0x8c)


@pytest.mark.parametrize("data", [
    auth_packet(CONTINUE), auth_packet(AGAIN, "other"), packet(AUTH), auth_packet(0)],
    ids=["no-turn", "other-method", "empty", "success"])
def test_mqtt5_4_12_1_1_what_may_not_come(member, data):
    client, _ = member
    client.send(data)
    client.refused(0x82)


def test_again_while_it_is_under_way(member, judge):
    client, _ = member
    client.send(auth_packet(AGAIN))
    judge.asked("again")
    client.send(auth_packet(AGAIN))
    client.refused(0x82)


@SECURED
def test_user_name_stays(broker, judge, ident):
    client = connect(broker, ident)
    judge.reply(judge.asked("start"), "success", user="tester")
    assert client.connacked().reason == 0
    client.send(auth_packet(AGAIN))
    question = judge.asked("again")
    with refused(errno.EINVAL, "a client that is connected keeps its user name"):
        judge.reply(question, "success", user="else")
    judge.reply(question, "success")
    assert authed(client) == (0, "m", None)
    assert client.deliver("open/x") == 0x10


# The end


def test_broker_goes_while_it_waits(sockets, nl, broker, ident):
    """The listener goes, and who waits there."""
    judge = sockets()
    judge.do("listener-new", name="short", ipv4=0x7f000001, port=1884)
    broker.port, port = 1884, broker.port
    try:
        client = connect(broker, ident)
    finally:
        broker.port = port
    question = judge.asked("start")
    judge.do("listener-del", name="short")
    assert judge.asked("end")["id"] == question["id"]
    client.not_connected(0x80, 0x88)

# SPDX-License-Identifier: GPL-2.0
"""Remote clients and the password table."""

import resource
import select

import pytest

from kmqtt_client import Will, connect_packet
from kmqtt_packet import REASON_STRING, wait_for
from kmqtt_server import KmqttServer

USERS = {"joe": "secret", "ann": "", "b c": "pä ss", "long": "x" * 1000}
pytestmark = pytest.mark.broker(anonymous=False, users=dict(USERS))

# What CONNACK says of a wrong password in each version (3.1.1, 3.2.2.3: not authorized).
WRONG = {3: 5, 4: 5, 5: 0x86}


def attempt(broker, ident, user, password, version=5):
    """A CONNECT with these, text or None."""
    client = broker.raw(version)
    client.send(connect_packet(ident, version=version, username=user,
                               password=None if password is None else password.encode()))
    return client


@pytest.mark.parametrize("version", [3, 4, 5])
def test_right_and_wrong(broker, ident, version):
    for user, password in USERS.items():
        client = attempt(broker, ident, user, password, version)
        assert client.connacked().reason == 0, user
        client.ping()
        for wrong in password + "x", password[:-1] + "X", password.upper() + " ":
            attempt(broker, ident, user, wrong, version).not_connected(WRONG[version])
    for user in "nobody", "", "jo", "joe ", "JOE", "x" * 60000:
        attempt(broker, ident, user, "secret", version).not_connected(WRONG[version])


@pytest.mark.parametrize("version", [3, 4, 5])
def test_without_a_password(broker, ident, version):
    """None is not an empty one."""
    for user in "joe", "ann", "nobody":
        attempt(broker, ident, user, None, version).not_connected(WRONG[version])


def test_without_a_user(broker, ident):
    """This listener lets in nobody who does not say who he is."""
    attempt(broker, ident, None, None).not_connected(0x87)
    attempt(broker, ident, None, "secret").not_connected(0x87)


def test_password_of_the_greatest_length(broker, ident):
    attempt(broker, ident, "joe", "x" * 65535).not_connected(0x86)


def test_wrong_password_does_not_take_a_session(broker, ident):
    first = broker.connect(ident, username="joe", password=b"secret")
    attempt(broker, ident, "joe", "wrong").not_connected(0x86)
    first.ping()
    second = broker.connect(ident, username="joe", password=b"secret")
    first.refused(0x8e)
    second.ping()


def test_table_changes(broker, ident):
    """From the next CONNECT on; who is in stays in."""
    broker.kmqtt("passwd", "add", "tim", "password", "one")
    client = broker.connect(ident, username="tim", password=b"one")
    broker.kmqtt("passwd", "add", "tim", "password", "two")
    attempt(broker, ident + "2", "tim", "one").not_connected(0x86)
    assert attempt(broker, ident + "2", "tim", "two").connacked().reason == 0
    broker.kmqtt("passwd", "del", "tim")
    attempt(broker, ident + "3", "tim", "two").not_connected(0x86)
    client.ping()


def test_client_goes_during_the_check(broker, ident):
    """And the next one is served."""
    with broker.netlink() as nl:
        nl.do("user-set", name="slow", iterations=10000, salt=b"s", hash=bytes(64))
    for number in range(8):
        attempt(broker, f"{ident}{number}", "slow", "x").close()
    assert attempt(broker, ident, "joe", "secret").connacked().reason == 0
    broker.kmqtt("passwd", "del", "slow")


@pytest.mark.broker(anonymous=True, connect_timeout=600, users={"joe": "secret"})
def test_storm(broker, ident, topic):
    """While many wait for their passwords to be checked the others go on, and too many are refused
    at once."""
    with broker.netlink() as nl:
        nl.do("user-set", name="slow", iterations=100000, salt=b"s", hash=bytes(64))
    one, two = broker.connect(ident), broker.connect()
    two.subscribe(topic, qos=1)
    waiting = [attempt(broker, f"{ident}{number}", "slow", "x") for number in range(40)]
    for number in range(20):
        assert one.deliver(topic, b"%d" % number) == 0
        assert two.receive().payload == b"%d" % number
    for client in waiting[::2]:
        client.close()
    broker.kmqtt("passwd", "del", "slow")
    # one of them is being checked
    for client in waiting[1::2]:
        client.close()
    assert attempt(broker, ident + "joe", "joe", "secret").connacked().reason == 0


@pytest.mark.broker(anonymous=True, connect_timeout=600, users={"joe": "secret"})
def test_who_waits_counts(broker, ident):
    """A long CONNECT is kept until its password has been checked, and is given back."""
    will = Will("a/b", bytes(60000))
    with broker.netlink() as nl:
        def memory():
            return nl.do("switch-get")["memory"]

        nl.do("user-set", name="slow", iterations=200000, salt=b"s", hash=bytes(64))
        before = memory()
        waiting = [broker.raw(5) for _ in range(20)]
        for number, client in enumerate(waiting):
            client.send(connect_packet(f"{ident}{number}", username="slow", password=b"x",
                                       will=will))
        wait_for(lambda: memory() >= before + len(waiting) * len(will.payload))
        nl.do("user-del", name="slow")
        broker.close_clients()
        wait_for(lambda: memory() < before + len(will.payload))


@pytest.mark.broker(anonymous=True, memory_limit=50000, users={"joe": "secret"})
def test_who_cannot_wait(broker, ident):
    """A long CONNECT for which there is no memory is refused, and told why."""
    client = broker.raw(5)
    client.send(connect_packet(ident, username="joe", password=b"secret",
                               will=Will("a/b", bytes(30000))))
    assert client.connacked().reason == 0x97
    assert attempt(broker, ident, "joe", "secret").connacked().reason == 0
    with broker.netlink() as nl:
        assert all(one["malformed"] == 0 for one in nl.dump("listener-get"))


@pytest.fixture
def many_files():
    """The test may open more files than is usual."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, tuple(max(one, 4096) for one in before))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.usefixtures("many_files")
@pytest.mark.broker(anonymous=False, connect_timeout=600, users={"joe": "secret"})
def test_more_checks_than_may_wait(broker, ident):
    """More than one listener's clients: who comes then is to come again later."""
    with broker.netlink() as nl:
        nl.do("listener-new", name="second", ipv4=0x7f000001, port=1884, connect_timeout=600)
        nl.do("user-set", name="slow", iterations=1000000, salt=b"s", hash=bytes(64))
        first, poller, waiting = broker.port, select.poll(), {}
        for number in range(1200):
            broker.port = first + number % 2
            client = attempt(broker, f"{ident}-{number}", "slow", "x")
            waiting[client.sock.fileno()] = client
            poller.register(client.sock, select.POLLIN)
        broker.port = first

        def refused():
            for number, _ in poller.poll(0):
                poller.unregister(number)
                got = waiting.pop(number).connacked()
                if got.reason == 0x89:
                    return got
                assert got.reason == 0x86
            return None
        assert wait_for(refused).props == \
            {REASON_STRING: b"too many passwords wait to be checked"}
        nl.do("user-del", name="slow")
        broker.close_clients()
        # behind the check that was under way: a million iterations, on a machine that has others
        wait_for(lambda: attempt(broker, ident, "joe", "secret").connacked().reason == 0, 150)
        nl.do("listener-del", name="second")


def test_namespace_goes_during_checks(tmp_path):
    """Nothing of them is left: the module can go at the end of all tests."""
    broker = KmqttServer(str(tmp_path), {"users": {"joe": "secret"}})
    with broker.netlink() as nl:
        nl.do("user-set", name="slow", iterations=1000000, salt=b"s", hash=bytes(64))
    for number in range(8):
        attempt(broker, f"c{number}", "slow", "x")
    broker.stop()

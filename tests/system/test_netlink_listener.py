# SPDX-License-Identifier: GPL-2.0
"""Listeners over netlink: settings, addresses, refusals, and what becomes of their clients."""

import errno
import ipaddress
import os
import socket
import subprocess

import pytest

from conftest import loaded, module_path
from kmqtt_cli import cli, wait_until  # pylint: disable=unused-import
from kmqtt_client import Client, connect_packet, turned_away
from kmqtt_nl import SPEC_KMQTT, Netlink, NlError
from kmqtt_packet import DISCONNECT, SESSION_EXPIRY, packet, publish_packet
from kmqtt_pairs import PAIRS, SOL_TCP, TCP_ULP, TLS_TX, tcp_pair, tls_keys, tls_pair

# pylint: disable=redefined-outer-name

SETTINGS = {
    "max_connections": 7, "max_qos": 1, "protocols": 16 | 32, "max_packet_size": 5000,
    "max_topic_alias": 3, "max_topic_alias_broker": 4, "max_keepalive": 120,
    "receive_maximum": 9, "anonymous": 1, "zero_length_clientid": 0, "mount_point": "a/b/",
    "connect_timeout": 9, "connection_rate": 100, "message_rate": 200, "byte_rate": 1 << 40}
DEFAULTS = {
    "max_connections": 16384, "max_qos": 2, "protocols": 8 | 16 | 32, "max_packet_size": 0,
    "max_topic_alias": 10, "max_topic_alias_broker": 10, "max_keepalive": 0,
    "receive_maximum": 0, "anonymous": 0, "zero_length_clientid": 1, "connect_timeout": 20,
    "connection_rate": 0, "message_rate": 0, "byte_rate": 0}
NOTHING = {"connections": 0, "pending": 0, "accepted": 0, "refused": 0, "denied": 0,
           "timeouts": 0, "malformed": 0}
LOOPBACK = int(ipaddress.ip_address("127.0.0.1"))
ANY6 = bytes(16)
LOOPBACK6 = ipaddress.ip_address("::1").packed


class Space:
    """A network namespace with a switch of its own, and clients of it that end with the test."""

    def __init__(self, one):
        self.cli = one
        self.inside = one.inside
        self.clients = []
        self.nls = []
        self.nl = self.netlink()

    def netlink(self):
        with self.inside():
            self.nls.append(Netlink())
        return self.nls[-1]

    def raw(self, host="127.0.0.1", port=1883, version=5):
        """A client that has said nothing yet."""
        with self.inside():
            sock = socket.create_connection((host, port), timeout=20)
        self.clients.append(Client(sock, version))
        return self.clients[-1]

    def connect(self, client_id=None, version=5, **more):
        """A client that was let in."""
        where = {key: more.pop(key) for key in ("host", "port") if key in more}
        return self.raw(version=version, **where).connect(client_id, **more)

    def attach(self, kind, name="handed", version=5, **more):
        """A client over a socket that was handed over and is closed here."""
        with self.inside():
            ours, theirs = PAIRS[kind]()
        with ours:
            self.nl.do("client-attach", name=name, fd=ours.fileno(), **more)
        self.clients.append(Client(theirs, version))
        return self.clients[-1]

    def listener(self, **which):
        return self.nl.do("listener-get", **which)

    def close(self):
        for one in self.clients + self.nls:
            one.close()


@pytest.fixture
def space(cli):
    one = Space(cli)
    yield one
    one.close()


def refused(call, *args, **more):
    with pytest.raises(NlError) as error:
        call(*args, **more)
    return error.value


def of(values, keys):
    return {key: values[key] for key in keys}


# Settings

def test_every_attribute(space):
    """Set by new or by set, shown by get and in a dump."""
    nl = space.nl
    assert nl.do("listener-new", name="one", ipv4=LOOPBACK, port=1883, **SETTINGS) == \
        {"name": "one", "port": 1883}
    assert nl.do("listener-new", name="two") == {"name": "two"}
    assert space.listener(name="one") == {"name": "one", "ipv4": LOOPBACK, "port": 1883,
                                          **SETTINGS, **NOTHING}
    assert space.listener(name="two") == {"name": "two", **DEFAULTS, **NOTHING}
    nl.do("listener-set", name="two", **SETTINGS)
    assert space.listener(name="two") == {"name": "two", **SETTINGS, **NOTHING}
    assert nl.dump("listener-get") == [space.listener(name="one"), space.listener(name="two")]


def test_set_changes_only_what_it_has(space):
    nl = space.nl
    nl.do("listener-new", name="one", **SETTINGS)
    changes = {**DEFAULTS, "mount_point": "c/"}
    now = dict(SETTINGS)
    for key, value in changes.items():
        nl.do("listener-set", name="one", **{key: value})
        now[key] = value
        assert of(space.listener(name="one"), now) == now
    nl.do("listener-set", name="one", mount_point="")
    assert "mount_point" not in space.listener(name="one")


def test_found_by_address(space):
    nl = space.nl
    nl.do("listener-new", name="one", ipv4=LOOPBACK, port=1883)
    nl.do("listener-new", ipv6=LOOPBACK6, port=1883, v6only=1)
    assert space.listener(ipv4=LOOPBACK, port=1883)["name"] == "one"
    assert space.listener(ipv6=LOOPBACK6, port=1883)["name"] == "[::1]:1883"
    nl.do("listener-set", ipv6=LOOPBACK6, port=1883, max_qos=0)
    assert space.listener(name="[::1]:1883")["max_qos"] == 0
    nl.do("listener-del", ipv4=LOOPBACK, port=1883)
    assert [one["name"] for one in nl.dump("listener-get")] == ["[::1]:1883"]
    error = refused(nl.do, "listener-del", ipv4=LOOPBACK, port=1883)
    assert (error.errno, error.text) == (errno.ENOENT, "no such listener")


REFUSED = {
    "both": ({"ipv4": LOOPBACK, "ipv6": LOOPBACK6, "port": 1}, errno.EINVAL,
             "a listener has either an IPv4 or an IPv6 address"),
    "no address": ({"name": "x", "port": 1}, errno.EINVAL, "a port needs an address"),
    "no port": ({"ipv4": LOOPBACK}, errno.EINVAL, "an address needs a port"),
    "no name": ({}, errno.EINVAL, "a listener without an address needs a name"),
    "digits": ({"name": "1883"}, errno.EINVAL,
               "a name is of letters, digits, '.', '_' and '-', a letter first"),
    "space": ({"name": "a b"}, errno.EINVAL,
              "a name is of letters, digits, '.', '_' and '-', a letter first"),
    "empty name": ({"name": ""}, errno.EINVAL,
                   "a name is of letters, digits, '.', '_' and '-', a letter first"),
    "clash": ({"name": "there"}, errno.EEXIST, "there is a listener of this name"),
    "in use": ({"ipv4": LOOPBACK, "port": 1883}, errno.EADDRINUSE, "the address is in use"),
    "not ours": ({"ipv4": int(ipaddress.ip_address("192.0.2.1")), "port": 1},
                 errno.EADDRNOTAVAIL, "cannot bind to this address"),
    "mount": ({"name": "x", "mount_point": "a/+"}, errno.EILSEQ, "not a topic name"),
    "size": ({"name": "x", "max_packet_size": 19}, errno.ERANGE,
             "the smallest packet size is 20"),
    "level": ({"name": "x", "protocols": 9}, errno.EINVAL, "no such protocol level"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused(space, what):
    """Says why, and leaves nothing behind."""
    space.nl.do("listener-new", name="there", ipv4=LOOPBACK, port=1883)
    attrs, number, text = REFUSED[what]
    error = refused(space.nl.do, "listener-new", **attrs)
    assert (error.errno, error.text) == (number, text)
    assert [one["name"] for one in space.nl.dump("listener-get")] == ["there"]


@pytest.mark.parametrize("key,value", [
    ("max_qos", 3), ("protocols", 0), ("protocols", 57), ("max_packet_size", (1 << 28) + 5),
    ("anonymous", 2), ("zero_length_clientid", 2), ("connect_timeout", 0),
    ("connect_timeout", 3601), ("byte_rate", (1 << 40) + 1), ("v6only", 2),
    ("mount_point", "m" * 1025), ("name", "n" * 64)])
def test_out_of_range(space, key, value):
    error = refused(space.nl.do, "listener-new", **{"name": "x", key: value})
    assert error.errno in (errno.ERANGE, errno.EINVAL)
    assert error.offset is not None
    assert space.nl.dump("listener-get") == []


def test_which_listener(space):
    nl = space.nl
    for command in ("listener-set", "listener-del", "listener-get"):
        assert refused(nl.do, command).text == "which listener?"
        error = refused(nl.do, command, name="nobody")
        assert (error.errno, error.text, error.offset) == (errno.ENOENT, "no such listener", 20)
    assert refused(nl.do, "client-attach", fd=0).text == "which listener?"
    error = refused(nl.do, "client-attach", name="nobody")
    assert (error.errno, error.text) == (errno.EINVAL, "which socket?")
    assert error.missing == SPEC_KMQTT.sets["listener"]["fd"].number


def test_as_many_as_there_may_be(space):
    """And a dump of them in parts, which changes interrupt."""
    nl = space.nl
    for i in range(64):
        nl.do("listener-new", name=f"n{i}", mount_point="m" * 1024)
    error = refused(nl.do, "listener-new", name="more")
    assert (error.errno, error.text) == (errno.ENOSPC, "too many listeners")
    shown = nl.dump("listener-get")
    assert nl.parts > 5 and not nl.interrupted
    assert [one["name"] for one in shown] == [f"n{i}" for i in range(64)]
    nl.do("listener-del", name="n9")
    nl.do("listener-new", name="more")


# Addresses

def test_ipv4_alone(space):
    space.nl.do("listener-new", ipv4=LOOPBACK, port=1883, anonymous=1)
    space.connect().disconnect()
    with pytest.raises(ConnectionRefusedError):
        space.raw("::1")


def test_dual_stack(space):
    """[::] takes both; who came by IPv4 is shown so."""
    space.nl.do("listener-new", ipv6=ANY6, port=1883, anonymous=1)
    for host in ("127.0.0.1", "::1"):
        client = space.connect("here", host=host)
        port = client.sock.getsockname()[1]
        shown = space.nl.do("session-get", name="here")
        assert shown["peer"] == (f"[::1]:{port}" if ":" in host else f"127.0.0.1:{port}")
        client.disconnect()


def test_address_on_two_links(space, cli):
    """Their names would be the same: the second needs one of its own."""
    subprocess.run(["ip", "link", "add", "veth-1", "netns", cli.netns, "type", "veth", "peer",
                    "name", "veth-2", "netns", cli.netns], check=True)
    scopes = []
    for link in "veth-1", "veth-2":
        subprocess.run(["ip", "-n", cli.netns, "addr", "add", "fe80::7/64", "dev", link, "nodad"],
                       check=True)
        subprocess.run(["ip", "-n", cli.netns, "link", "set", link, "up"], check=True)
        with space.inside():
            scopes.append(socket.if_nametoindex(link))
    wanted = {"ipv6": ipaddress.ip_address("fe80::7").packed, "port": 1883}
    first = space.nl.do("listener-new", scope_id=scopes[0], **wanted)
    assert first["name"] == "[fe80::7]:1883"
    error = refused(space.nl.do, "listener-new", scope_id=scopes[1], **wanted)
    assert (error.errno, error.text) == (errno.EEXIST, "there is a listener of this name")
    space.nl.do("listener-new", name="other", scope_id=scopes[1], **wanted)
    assert [(one["name"], one["scope_id"]) for one in space.nl.dump("listener-get")] == \
        [("[fe80::7]:1883", scopes[0]), ("other", scopes[1])]


def test_v6only(space):
    """Then the other family is free for another listener of the same port."""
    nl = space.nl
    nl.do("listener-new", ipv6=ANY6, port=1883, v6only=1, anonymous=1)
    with pytest.raises(ConnectionRefusedError):
        space.raw()
    assert nl.do("listener-new", ipv4=0, port=1883, anonymous=1)["name"] == "0.0.0.0:1883"
    space.connect().disconnect()
    space.connect(host="::1").disconnect()
    assert [one["accepted"] for one in nl.dump("listener-get")] == [1, 1]


def test_dual_stack_meets_ipv4(space):
    space.nl.do("listener-new", ipv4=0, port=1883)
    assert refused(space.nl.do, "listener-new", ipv6=ANY6, port=1883).errno == errno.EADDRINUSE


def test_link_local(space):
    """Of one interface."""
    subprocess.run(["ip", "-n", space.cli.netns, "link", "add", "d0", "type", "dummy"], check=True)
    subprocess.run(["ip", "-n", space.cli.netns, "addr", "add", "fe80::5/64", "dev", "d0",
                    "nodad"], check=True)
    subprocess.run(["ip", "-n", space.cli.netns, "link", "set", "d0", "up"], check=True)
    with space.inside():
        index = socket.if_nametoindex("d0")
    address = ipaddress.ip_address("fe80::5").packed
    error = refused(space.nl.do, "listener-new", ipv6=address, port=1883)
    assert (error.errno, error.text) == (errno.EINVAL, "cannot bind to this address")
    space.nl.do("listener-new", ipv6=address, scope_id=index, port=1883, anonymous=1)
    shown = space.listener(ipv6=address, scope_id=index, port=1883)
    assert (shown["ipv6"], shown["scope_id"]) == (address, index)
    space.connect(host="fe80::5%d0").disconnect()


def test_any_port(space):
    """The kernel chooses it, and says which."""
    nl = space.nl
    made = [nl.do("listener-new", ipv4=LOOPBACK, port=0, anonymous=1) for _ in range(5)]
    assert len({one["port"] for one in made}) == 5
    for one in made:
        assert one["name"] == f"127.0.0.1:{one['port']}"
        space.connect(port=one["port"]).disconnect()


def test_free_again_at_once(space):
    """What is left of its connections does not hold the address."""
    for _ in range(3):
        space.nl.do("listener-new", ipv4=LOOPBACK, port=1883, anonymous=1)
        client, other = space.connect(), space.connect()
        other.disconnect()
        space.nl.do("listener-del", ipv4=LOOPBACK, port=1883)
        assert client.disconnected().reason == 0x8b


def test_two_namespaces(space, cli):
    """The same address twice, and two switches."""
    other = f"{cli.netns}x"
    subprocess.run(["ip", "netns", "add", other], check=True)
    try:
        subprocess.run(["ip", "-n", other, "link", "set", "lo", "up"], check=True)
        there = type(cli)(other)
        far = Space(there)
        for one in (space, far):
            one.nl.do("listener-new", ipv4=LOOPBACK, port=1883, anonymous=1)
        here, away = space.connect("same"), far.connect("same")
        here.subscribe("a")
        away.subscribe("a")
        here.publish("a", b"here")
        assert here.published().payload == b"here"
        away.nothing()
        assert len(space.nl.dump("session-get")) == len(far.nl.dump("session-get")) == 1
        far.close()
    finally:
        subprocess.run(["ip", "netns", "del", other], check=True)


# Clients

def test_counts(space):
    nl = space.nl
    nl.do("listener-new", name="one", ipv4=LOOPBACK, port=1883, max_connections=2)
    space.raw().send(connect_packet("x"))
    space.clients[0].not_connected(0x87)
    wait_until(lambda: not space.listener(name="one")["connections"])
    nl.do("listener-set", name="one", anonymous=1)
    first, second = space.connect(), space.raw()
    wait_until(lambda: space.listener(name="one")["connections"] == 2)
    assert space.listener(name="one")["pending"] == 1
    turned_away(space.raw)
    second.send(b"\xf0\xff\xff\xff\xff\x7f")
    second.closed()
    wait_until(lambda: space.listener(name="one")["connections"] == 1)
    first.disconnect()
    wait_until(lambda: space.listener(name="one")["connections"] == 0)
    wanted = {"pending": 0, "accepted": 4, "refused": 1, "denied": 1, "malformed": 1,
              "timeouts": 0}
    assert of(space.listener(name="one"), wanted) == wanted


def test_no_connect_in_time(space):
    space.nl.do("listener-new", name="one", ipv4=LOOPBACK, port=1883, connect_timeout=1)
    turned_away(space.raw)
    assert space.listener(name="one")["timeouts"] == 1


def test_max_connections_changes(space):
    """Who is there stays; nobody comes until there is room."""
    nl = space.nl
    nl.do("listener-new", name="one", ipv4=LOOPBACK, port=1883, anonymous=1)
    clients = [space.connect() for _ in range(3)]
    nl.do("listener-set", name="one", max_connections=2)
    turned_away(space.raw)
    for one in clients:
        one.ping()
    clients[0].disconnect()
    wait_until(lambda: space.listener(name="one")["connections"] == 2)
    turned_away(space.raw)
    nl.do("listener-set", name="one", max_connections=3)
    space.connect().disconnect()
    assert space.listener(name="one")["refused"] == 2


def test_settings_change_while_clients_are_connected(space):
    """They keep what they were told; who comes is told the new ones."""
    nl = space.nl
    nl.do("listener-new", name="one", ipv4=LOOPBACK, port=1883, anonymous=1, mount_point="old/")
    old = space.connect()
    nl.do("listener-set", name="one", max_qos=0, mount_point="new/", protocols=16)
    assert old.deliver("a", b"1", qos=2, retain=True) < 0x80
    new = space.connect(version=4)
    new.publish("a", b"2", retain=True)
    new.ping()
    assert sorted(one["topic"] for one in nl.dump("retained-get")) == ["new/a", "old/a"]
    refused_one = space.raw()
    refused_one.send(connect_packet("x"))
    refused_one.not_connected(0x84)
    new.publish("a", b"3", qos=1, packet_id=1)
    new.refused()
    old.ping()


def test_del_tells_its_clients(space):
    """5.0 is told that the server is shutting down; their sessions stay."""
    nl, watcher = space.nl, space.netlink()
    nl.do("listener-new", name="one", ipv4=LOOPBACK, port=1883, anonymous=1)
    nl.do("listener-new", name="two", ipv4=LOOPBACK, port=1884, anonymous=1)
    five = space.connect("five", props={SESSION_EXPIRY: 100})
    four = space.connect("four", version=4)
    three = space.connect("three", version=3)
    silent = space.raw()
    stays = space.connect("stays", port=1884)
    wait_until(lambda: space.listener(name="one")["connections"] == 4)
    watcher.listen()
    nl.do("listener-del", name="one")
    five.refused(0x8b)
    four.closed()
    three.closed()
    silent.closed()
    stays.ping()
    gone = [watcher.event_of("detach") for _ in range(3)]
    assert {(one["session"], one["reason"]) for one in gone} == \
        {("five", 0x8b), ("four", 0x8b), ("three", 0x8b)}
    with pytest.raises(ConnectionRefusedError):
        space.raw()
    assert {one["name"]: one["attached"] for one in nl.dump("session-get")} == \
        {"five": 0, "stays": 1}


def test_namespace_goes_with_its_clients(space, cli):
    """Live clients, which are elsewhere, some with messages under way."""
    here, there = cli.netns, f"{cli.netns}y"
    for _ in range(3):
        subprocess.run(["ip", "netns", "add", there], check=True)
        subprocess.run(["ip", "link", "add", "veth-c", "netns", here, "type", "veth", "peer",
                        "name", "veth-s", "netns", there], check=True)
        for name, link, address in (here, "veth-c", "10.77.0.1/24"), (there, "veth-s",
                                                                      "10.77.0.2/24"):
            subprocess.run(["ip", "-n", name, "addr", "add", address, "dev", link], check=True)
            subprocess.run(["ip", "-n", name, "link", "set", link, "up"], check=True)
        far = Space(type(cli)(there))
        far.nl.do("listener-new", ipv6=ANY6, port=1883, anonymous=1)
        clients = [space.connect(host="10.77.0.2", version=version) for version in (5, 4, 3)]
        for one in clients:
            one.subscribe("a", qos=1)
        clients[0].send(b"\x30\x80\x80\x04\x00\x01a")
        space.raw("10.77.0.2")
        for i in range(50):
            clients[1].publish("a", bytes(1000) + bytes([i]))
        far.close()
        subprocess.run(["ip", "netns", "del", there], check=True)
        wait_until(lambda: not os.path.exists(f"/run/netns/{there}") and not subprocess.run(
            ["ip", "-n", here, "-o", "link", "show", "type", "veth"], capture_output=True,
            check=True).stdout)
    space.nl.do("listener-new", ipv4=LOOPBACK, port=1883, anonymous=1)
    space.connect().disconnect()


def test_unload_with_an_authenticator(space):
    """Its socket does not hold the module, and is nothing to the one that is loaded next."""
    for nl in space.nls:
        nl.close()
    with space.inside():
        old = Netlink()
    with old:
        old.do("auth-register")
        subprocess.run(["rmmod", "kmqtt"], check=True)
        assert not loaded()
        subprocess.run(["insmod", module_path()], check=True)
        with space.inside(), Netlink() as nl:
            nl.do("auth-register")


def test_unload_with_clients(space):
    """Listeners and their clients do not hold the module; it takes them with it."""
    for nl in space.nls:
        nl.close()
    with space.inside(), Netlink() as nl:
        nl.do("listener-new", ipv6=ANY6, port=1883, anonymous=1)
    clients = [space.connect(), space.connect(version=4), space.connect(host="::1")]
    for one in clients:
        one.subscribe("a/#", qos=1)
    clients[1].publish("a/b", bytes(100000))
    space.raw()
    subprocess.run(["rmmod", "kmqtt"], check=True)
    assert not loaded()
    for one in clients:
        assert one.ended()
    subprocess.run(["insmod", module_path()], check=True)
    with space.inside(), Netlink() as nl:
        assert nl.dump("listener-get") == []
        nl.do("listener-new", ipv6=ANY6, port=1883, anonymous=1)
    space.connect().disconnect()


# Sockets that are handed over

def goes(client, kind):
    """The kernel closes it; with TLS by an alert, which is no data."""
    if kind != "tls":
        client.closed()
        return
    with pytest.raises(OSError) as error:
        client.packet()
    assert error.value.errno == errno.EIO


@pytest.mark.parametrize("kind", PAIRS)
def test_attached(space, kind):
    """All that a client does, over sockets whose process has closed them."""
    space.nl.do("listener-new", name="handed", anonymous=1)
    client = space.attach(kind).connect("me", props={SESSION_EXPIRY: 10})
    other = space.attach(kind, version=4).connect("you")
    shown = space.nl.do("session-get", name="me")
    assert shown["listener"] == "handed"
    assert shown["peer"] == "local" if kind == "unix" else shown["peer"].startswith("127.0.0.1:")
    client.subscribe("a/#", qos=2)
    for qos in (0, 1, 2):
        body = bytes(range(256)) * 400 * (qos + 1)
        other.deliver("a/b", body, qos=qos)
        got = client.receive()
        assert (got.payload, got.qos) == (body, qos)
    assert space.listener(name="handed")["connections"] == 2
    client.send(packet(DISCONNECT))
    goes(client, kind)
    wait_until(lambda: space.listener(name="handed")["connections"] == 1)
    space.nl.do("listener-del", name="handed")
    goes(other, kind)
    assert space.nl.do("session-get", name="me")["attached"] == 0


@pytest.mark.parametrize("kind", PAIRS)
@pytest.mark.parametrize("size", [1, 14, 30, 60000])
def test_early_data(space, kind, size):
    """What the process has read already comes before the rest, be it a part of a packet."""
    space.nl.do("listener-new", name="handed", anonymous=1)
    data = connect_packet("me", version=4) + publish_packet("a/b", bytes(100000), version=4,
                                                            retain=True)
    client = space.attach(kind, version=4, early_data=data[:size])
    client.send(data[size:])
    assert client.connacked().reason == 0
    client.ping()
    assert space.nl.dump("retained-get")[0]["payload_len"] == 100000


def test_attach_early_data_is_all(space):
    """Nothing more comes from the socket."""
    space.nl.do("listener-new", name="handed", anonymous=1)
    client = space.attach("unix", version=4, early_data=connect_packet("me", version=4))
    assert client.connacked().reason == 0


def test_attach_obeys_the_listener(space):
    space.nl.do("listener-new", name="handed", max_connections=1)
    client = space.attach("tcp")
    client.send(connect_packet("x"))
    client.not_connected(0x87)
    wait_until(lambda: space.listener(name="handed")["connections"] == 0)
    space.nl.do("listener-set", name="handed", anonymous=1, mount_point="m/")
    client = space.attach("tcp").connect()
    client.deliver("a", b"x", retain=True)
    assert space.nl.dump("retained-get")[0]["topic"] == "m/a"
    with space.inside():
        ours, theirs = tcp_pair()
    with ours, theirs:
        error = refused(space.nl.do, "client-attach", name="handed", fd=ours.fileno())
        assert (error.errno, error.text) == \
            (errno.EUSERS, "the listener has max_connections clients")
        # it stays the process's
        theirs.send(b"x")
        assert ours.recv(1) == b"x"
    wanted = {"accepted": 3, "refused": 1, "denied": 1}
    assert of(space.listener(name="handed"), wanted) == wanted


def test_attach_to_a_listener_with_a_socket(space):
    space.nl.do("listener-new", ipv4=LOOPBACK, port=1883, anonymous=1)
    client = space.attach("unix", name="127.0.0.1:1883").connect()
    space.connect()
    assert space.listener(ipv4=LOOPBACK, port=1883)["connections"] == 2
    client.ping()


def test_attach_refused(space):
    nl = space.nl
    nl.do("listener-new", name="handed", anonymous=1)

    def says(sock, number, text):
        fd = sock if isinstance(sock, int) else sock.fileno()
        error = refused(nl.do, "client-attach", name="handed", fd=fd)
        assert (error.errno, error.text) == (number, text)

    says(1 << 20, errno.EBADF, "no such file descriptor")
    with open("/dev/null", encoding="ascii") as file:
        says(file.fileno(), errno.ENOTSOCK, "not a socket")
    other = "not a TCP or AF_UNIX stream socket"
    with space.inside():
        here = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
                socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET), socket.socket(),
                socket.create_server(("127.0.0.1", 0))]
        half, far = tcp_pair()
    for one, (number, text) in zip(here, [(errno.EOPNOTSUPP, other), (errno.EOPNOTSUPP, other),
                                          (errno.ENOTCONN, "the socket is not connected"),
                                          (errno.ENOTCONN, "the socket is not connected")]):
        says(one, number, text)
        one.close()
    ours, theirs = socket.socketpair()
    says(ours, errno.EXDEV, "the socket is of another network namespace")
    half.setsockopt(SOL_TCP, TCP_ULP, b"tls")
    tls_keys(half, TLS_TX, 1)
    says(half, errno.EOPNOTSUPP, "kTLS is not set up in both directions")
    for one in (half, far, ours, theirs):
        one.close()
    with space.inside():
        ours, theirs = tcp_pair()
    nl.do("client-attach", name="handed", fd=ours.fileno())
    says(ours, errno.EBUSY, "the socket is in use in the kernel")
    assert Client(theirs).connect().connack.reason == 0
    theirs.close()
    wait_until(lambda: space.listener(name="handed")["connections"] == 0)
    ours.close()
    assert space.listener(name="handed")["accepted"] == 1


def test_a_process_may_keep_its_descriptor(space):
    """The kernel shuts the socket down when it is done with it."""
    space.nl.do("listener-new", name="handed", anonymous=1)
    with space.inside():
        ours, theirs = tls_pair()
    space.nl.do("client-attach", name="handed", fd=ours.fileno())
    client = Client(theirs).connect()
    space.nl.do("listener-del", name="handed")
    assert client.disconnected().reason == 0x8b
    client.close()
    assert ours.recv(1) == b""
    ours.close()


def test_what_cannot_be_sent_to_is_ended(space):
    """Whoever sends for it finds that the process has shut down this half of its socket."""
    space.nl.do("listener-new", name="handed", anonymous=1)
    space.nl.do("listener-new", ipv4=LOOPBACK, port=1883, anonymous=1)
    sender = space.connect()
    for _ in range(5):
        with space.inside():
            ours, theirs = tcp_pair()
        space.nl.do("client-attach", name="handed", fd=ours.fileno())
        client = Client(theirs).connect()
        client.subscribe("a/b")
        ours.shutdown(socket.SHUT_WR)
        client.closed()
        sender.ping()
        sender.publish("a/b", b"x")
        wait_until(lambda: space.listener(name="handed")["connections"] == 0)
        client.close()
        ours.close()

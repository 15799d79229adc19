#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What Mosquitto's own tests take for Mosquitto: makes of kmqtt what mosquitto.conf says.

  mosquitto_broker.py [-v] [-p PORT] [-c FILE]

The switch is that of this network namespace; SIGTERM and SIGINT undo all of it and end the
program, SIGHUP loads the files of users and of access rules again. A switch has no disk: with
`persistence true` the sessions and the retained messages stay in the kernel for the next one that
starts here, if it finds the file in which Mosquitto has them. What is not known of a file is said,
and is the end.

While one runs here, another one takes a network namespace of its own: it listens here, connects its
bridges from here, and hands the switch one end of a pair of sockets for each connection.
"""

import contextlib
import ctypes
import fcntl
import getopt
import os
import select
import shlex
import signal
import socket
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.realpath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.append(os.path.join(TOP, "tests", "system"))

import kmqtt_nl  # pylint: disable=wrong-import-position

KMQTT = os.environ.get("KMQTT") or os.path.join(TOP, "build", "bin", "kmqtt")
CLONE_NEWNET = 0x40000000
LOOPBACK = 0x7f000001
ENUM = kmqtt_nl.SPEC_KMQTT.value

# Mosquitto has no limit of a packet.
SWITCH = {"max_packet_size": 268435460, "max_inflight_messages": 20, "max_queued_messages": 1000,
          "max_queued_bytes": 0, "retain_available": 1, "max_inflight_bytes": 0,
          "message_size_limit": 0, "upgrade_outgoing_qos": 0, "check_retain_source": 1}
# What a bridge of Mosquitto's says of itself.
UPLINK = {"batch": 1, "session_expiry": 0, "receive_maximum": 20, "topic_alias_maximum": 0}
# Name there: name here. Those of security are one listener's only with per_listener_settings.
LISTENER = {"max_connections": "max_connections", "maximum_qos": "max_qos", "max_qos": "max_qos",
            "max_topic_alias": "max_topic_alias", "mount_point": "mount_point"}
SECURITY = {"allow_anonymous": "anonymous", "allow_zero_length_clientid": "zero_length_clientid"}
BRIDGE = {"remote_clientid": "client_id", "cleansession": "clean_start",
          "keepalive_interval": "keepalive", "try_private": "try_private"}
VERSIONS = {"mqttv31": 3, "mqttv311": 4, "mqttv50": 5}
# What has no meaning here, or is set in the tests to what is never reached.
IGNORED = {"log_type", "log_dest", "sys_interval", "notifications", "bridge_attempt_unsubscribe"}


def relay(one, other):
    """What comes on the one goes on to the other, until it ends."""
    with contextlib.suppress(OSError):
        while data := one.recv(65536):
            other.sendall(data)
    with contextlib.suppress(OSError):
        other.shutdown(socket.SHUT_WR)


class Unknown(Exception):
    """Nothing in kmqtt is that."""


def value_of(word):
    if word in ("true", "false"):
        return int(word == "true")
    return int(word) if word.lstrip("-").isdigit() else word


class Config:
    """What a file says, in kmqtt's words."""

    def __init__(self, path=None, port=None):
        self.switch = dict(SWITCH)
        self.listeners = []
        self.common = {}
        self.bridges = []
        self.files = {}
        self.persistent = False
        self.database = "mosquitto.db"
        self.separate = False
        self.said = set()
        if path:
            with open(path, encoding="utf-8") as file:
                for line in file:
                    if line.strip() and not line.startswith("#"):
                        self.option(*shlex.split(line))
        # Without a listener it is for this machine alone, and for everyone here.
        if not self.listeners:
            self.listeners.append({"port": port or 1883, "ipv4": LOOPBACK})
            self.common.setdefault("anonymous", 1)
        # So it is there: who may come to the listener of `port` is not asked then.
        if self.separate and "port" in self.said:
            self.listeners[0].setdefault("anonymous", 1)
        for one in self.listeners:
            for name, value in self.common.items():
                one.setdefault(name, value)

    def listener(self):
        """The one that is described now; `port` describes the first one."""
        if not self.listeners:
            self.listeners.append({"port": 1883, "ipv6": bytes(16)})
        return self.listeners[-1]

    def option(self, name, *words):
        word = words[0] if words else ""
        self.said.add(name)
        if name == "per_listener_settings":
            self.separate = word == "true"
        elif name == "port":
            self.listener()
            self.listeners[0]["port"] = int(word)
        elif name == "listener":
            address = {"ipv4": int.from_bytes(socket.inet_aton(words[1]), "big")} \
                if len(words) > 1 else {"ipv6": bytes(16)}
            self.listeners.append({"port": int(word), **address})
        elif name in LISTENER:
            self.listener()[LISTENER[name]] = value_of(word)
        elif name in SECURITY:
            where = self.listener() if self.separate else self.common
            where[SECURITY[name]] = value_of(word)
        elif name == "max_keepalive":
            self.common[name] = int(word)
        elif name in self.switch:
            self.switch[name] = value_of(word)
        elif name in ("password_file", "acl_file"):
            self.files[name.split("_", maxsplit=1)[0]] = word
        elif name == "persistence":
            self.persistent = word == "true"
        elif name == "persistence_file":
            self.database = word
        elif name == "connection":
            self.bridges.append(({"name": word, "client_id": f"{socket.gethostname()}.{word}",
                                  **UPLINK, "server": []}, []))
        elif name not in IGNORED:
            self.bridge(name, *words)

    def bridge(self, name, *words):
        if not self.bridges:
            raise Unknown(" ".join([name, *words]))
        uplink, topics = self.bridges[-1]
        if name in ("address", "addresses"):
            for one in words:
                host, _, port = one.partition(":")
                address = int.from_bytes(socket.inet_aton(socket.gethostbyname(host)), "big")
                uplink["server"].append({"ipv4": address, "port": int(port or 1883), "host": host})
        elif name == "topic":
            topics.append(self.topic(*words))
        elif name == "bridge_protocol_version":
            uplink["version"] = VERSIONS[words[0]]
        elif name == "restart_timeout":
            uplink["backoff_min"] = uplink["backoff_max"] = int(words[0])
        elif name in BRIDGE:
            uplink[BRIDGE[name]] = value_of(words[0])
        else:
            raise Unknown(" ".join([name, *words]))

    @staticmethod
    def topic(pattern, direction="out", qos="0", local="", remote=""):
        return {"filter": pattern, "direction": ENUM("direction", direction), "qos": int(qos),
                "local_prefix": local, "remote_prefix": remote}


class Broker:
    """The switch, as a file says."""

    def __init__(self, config):
        self.config = config
        self.state = os.environ.get("KMQTT_STATE") or "/run"
        self.guest = False
        self.sockets = {}
        self.home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self.lock = os.open(os.path.join(self.state, "kmqtt-broker"),
                            os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.guest = True
        self.nl = None

    def files(self):
        for what, path in self.config.files.items():
            subprocess.run([KMQTT, {"password": "passwd"}.get(what, what), "load", path],
                           check=True, stdout=subprocess.DEVNULL)

    def clean(self):
        """Undo what a broker before has left."""
        for session in self.nl.dump("session-get"):
            if session["kind"] == ENUM("session-type", "remote"):
                self.nl.do("session-del", name=session["name"])
        self.nl.do("retained-del", filter="#")

    def start(self):
        if self.guest:
            self.listen()
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.unshare(CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "unshare")
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        self.nl = kmqtt_nl.Netlink()
        if not self.guest and os.read(self.lock, 1) and not (
                self.config.persistent and os.path.exists(self.config.database)):
            self.clean()
        os.pwrite(self.lock, b"used", 0)
        self.nl.do("switch-set", **self.config.switch)
        self.files()
        for uplink, topics in self.config.bridges:
            self.nl.do("uplink-new", admin_up=0, **self.through(uplink))
            for topic in topics:
                self.nl.do("uplink-topic-new", uplink=uplink["name"], **topic)
            self.nl.do("uplink-set", name=uplink["name"], admin_up=1)
        for number, one in enumerate(self.config.listeners):
            if self.guest:
                one = {key: value for key, value in one.items()
                       if key not in ("ipv4", "ipv6", "port")}
            self.nl.do("listener-new", name=f"listener{number}", **one)

    def stop(self):
        for number, _ in enumerate(self.config.listeners):
            self.nl.do("listener-del", name=f"listener{number}")
        for uplink, _ in self.config.bridges:
            self.nl.do("uplink-del", name=uplink["name"])
        self.nl.do("acl-flush")
        self.nl.do("user-flush")
        if self.config.persistent:
            with open(self.config.database, "w", encoding="ascii") as file:
                file.write("What was here is in the kernel.\n")

    # As a guest

    def listen(self):
        for number, one in enumerate(self.config.listeners):
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(("127.0.0.1", one["port"]))
            sock.listen(100)
            self.sockets[sock] = number

    def through(self, uplink):
        """An uplink whose connections are handed over has no servers."""
        return {key: value for key, value in uplink.items() if key != "server" or not self.guest}

    def hand_over(self, command, name, sock):
        """A connection to the switch, which takes a socket of its own namespace only."""
        ours, theirs = socket.socketpair()
        try:
            self.nl.do(command, name=name, fd=theirs.fileno())
        except OSError as error:
            print(f"mosquitto_broker: {name}: {error}", file=sys.stderr)
        theirs.close()
        for one, other in (ours, sock), (sock, ours):
            threading.Thread(target=relay, args=(one, other), daemon=True).start()

    def accept(self, sock):
        client = sock.accept()[0]
        self.hand_over("client-attach", f"listener{self.sockets[sock]}", client)

    def connect(self, uplink):
        """From where the other broker is."""
        libc = ctypes.CDLL(None, use_errno=True)
        here = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        sock = None
        try:
            libc.setns(self.home, CLONE_NEWNET)
            server = uplink["server"][0]
            sock = socket.create_connection((server["host"], server["port"]), timeout=5)
        except OSError:
            return
        finally:
            libc.setns(here, CLONE_NEWNET)
            os.close(here)
        sock.settimeout(None)
        self.hand_over("uplink-set", uplink["name"], sock)

    def serve(self, wakeup):
        """Until there is a signal: its number."""
        while True:
            ready = select.select([wakeup, *self.sockets], [], [], 0.5 if self.guest else None)[0]
            if wakeup in ready:
                return os.read(wakeup, 1)[0]
            for sock in ready:
                self.accept(sock)
            for uplink, _ in self.config.bridges if self.guest else ():
                shown = self.nl.do("uplink-get", name=uplink["name"])
                if shown["state"] == ENUM("link-state", "wait-fd"):
                    self.connect(uplink)


def main(args):
    options = dict(getopt.getopt(args, "c:p:v")[0])
    wakeup, told = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(told)
    for number in signal.SIGTERM, signal.SIGINT, signal.SIGHUP:
        signal.signal(number, lambda *_: None)
    try:
        broker = Broker(Config(options.get("-c"), int(options.get("-p", 0))))
        broker.start()
    except (Unknown, OSError, subprocess.CalledProcessError) as error:
        print(f"mosquitto_broker: {error}", file=sys.stderr)
        return 1
    while True:
        # whoever waits for it is told that it is ready, and each time that it has loaded its files
        if "KMQTT_READY" in os.environ:
            os.write(int(os.environ["KMQTT_READY"]), b"\n")
        if broker.serve(wakeup) != signal.SIGHUP:
            break
        broker.files()
    broker.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

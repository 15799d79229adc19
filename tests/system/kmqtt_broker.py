# SPDX-License-Identifier: GPL-2.0
"""Brokers for the tests of the uplinks: Mosquitto, and one that does what a test says.

    with Fake() as fake:
        peer = fake.accept()            # the kernel has connected
        connect = peer.connect()        # its CONNECT, taken apart
        peer.connack(version=5)
        peer.publish("a/b", b"payload", qos=1, packet_id=7)
        peer.expect(PUBACK)

Waiting is bounded by seconds; no test depends on how fast something is.
"""

import os
import signal
import socket
import subprocess
import time

from kmqtt_packet import (  # pylint: disable=unused-import
    AUTH, CONNACK, CONNECT, DISCONNECT, PINGREQ, PINGRESP, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL,
    SECONDS, SUBACK, SUBSCRIBE, UNSUBACK, UNSUBSCRIBE, Packet, Publish, Reader, Stream,
    encode_props, packet, parse_connect, string, varint, wait_for)


class Peer(Stream):
    """One connection of the kernel, from the broker's side."""

    def expect(self, kind):
        """The next packet but PINGREQ, which must be this one."""
        end = time.monotonic() + SECONDS
        got = self.packet()
        while got.type == PINGREQ and kind != PINGREQ:
            self.send(packet(PINGRESP))
            got = self.packet(end - time.monotonic())
        assert got.type == kind, got
        return got

    def connect(self):
        got = parse_connect(self.expect(CONNECT).body)
        self.version = got.level & 0x7f
        return got

    def connack(self, reason=0, present=False, **props):
        body = bytes([present, reason])
        if self.version == 5:
            body += encode_props({int(k[1:], 16): v for k, v in props.items()})
        self.send(packet(CONNACK, body))

    def handshake(self, present=False, **props):
        got = self.connect()
        self.connack(present=present, **props)
        return got

    def acked(self, kind):
        """The next packet, an acknowledgement: packet identifier and reason code."""
        body = self.expect(kind).body
        return int.from_bytes(body[:2], "big"), body[2] if len(body) > 2 else 0

    def subscription(self, kind):
        """The next packet, a SUBSCRIBE or UNSUBSCRIBE: its identifier, {filter: options or None}."""
        r = Reader(self.expect(kind).body)
        packet_id = r.take(2)
        if self.version == 5:
            r.props()
        out = {}
        while r.data:
            name = r.string().decode()
            out[name] = r.number(1) if kind == SUBSCRIBE else None
        return packet_id, out

    def subscribed(self, codes=None):
        """The next packet, a SUBSCRIBE, which is answered: {filter: options}."""
        packet_id, out = self.subscription(SUBSCRIBE)
        codes = codes or [options & 3 for options in out.values()]
        self.send(packet(SUBACK, packet_id + (b"\0" if self.version == 5 else b"") + bytes(codes)))
        return out

    def unsubscribed(self):
        """The next packet, an UNSUBSCRIBE, which is answered: the filters."""
        packet_id, out = self.subscription(UNSUBSCRIBE)
        self.send(packet(UNSUBACK, packet_id + (b"\0" + bytes(len(out)) if self.version == 5
                                                else b"")))
        return list(out)

    def disconnected(self):
        """The next packet, a DISCONNECT: its reason code."""
        body = self.expect(DISCONNECT).body
        return body[0] if body else 0


class Fake:
    """A listening socket."""

    def __init__(self, family=socket.AF_INET, host="127.0.0.1"):
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind((host, 0))
        self.sock.listen(8)
        self.sock.settimeout(SECONDS)
        self.host = host
        self.port = self.sock.getsockname()[1]
        self.peers = []

    def accept(self):
        peer = Peer(self.sock.accept()[0])
        self.peers.append(peer)
        return peer

    def close(self):
        for peer in self.peers:
            peer.close()
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.close()


class Mosquitto:
    """A real broker in a directory of its own."""

    def __init__(self, path, port=18830, host="127.0.0.1", conf="", netns=None):
        self.path = str(path)
        self.port = port
        self.host = host
        self.prefix = ["ip", "netns", "exec", netns] if netns else []
        self.config = os.path.join(self.path, "mosquitto.conf")
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(f"listener {port} {host}\nallow_anonymous true\npersistence true\n"
                       f"persistence_location {self.path}/\nuser root\n"
                       f"log_dest file {self.path}/log\nlog_type all\n{conf}\n")
        self.process = None

    def start(self, client=True):
        """Without a client it is up as soon as a connection is accepted."""
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with
            self.prefix + ["mosquitto", "-c", self.config],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(self.answers if client else self.accepts, text="Mosquitto's start")
        return self

    def answers(self):
        return self.run("mosquitto_pub", "-t", "up", "-m", "1", check=False).returncode == 0

    def accepts(self):
        with socket.socket() as probe:
            return not probe.connect_ex((self.host, self.port))

    def stop(self, kill=False):
        """SIGTERM saves its database, SIGKILL does not."""
        if self.process:
            self.process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
            self.process.wait()
            self.process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *what):
        self.stop()

    def run(self, *command, check=True, **more):
        """A client of Mosquitto's, told where the broker is."""
        return subprocess.run([*self.prefix, command[0], "-h", self.host, "-p", str(self.port),
                               *command[1:]], check=check, timeout=60, capture_output=True, **more)

    def publish(self, topic, payload, *more):
        self.run("mosquitto_pub", "-t", topic, "-m", payload, *more)

    def subscribe(self, *options):
        """mosquitto_sub in the background; it has subscribed when this returns."""
        before = self.log().count("Sending SUBACK")
        process = subprocess.Popen(  # pylint: disable=consider-using-with
            [*self.prefix, "mosquitto_sub", "-h", self.host, "-p", str(self.port), *options],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        wait_for(lambda: self.log().count("Sending SUBACK") > before, text="a SUBACK")
        return process

    def log(self):
        try:
            with open(os.path.join(self.path, "log"), encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

# SPDX-License-Identifier: GPL-2.0
"""Damaged streams from a broker: whatever comes, the connection ends in good order."""

import os
import random
import socket
import struct

import pytest

import kmqtt_dev
from kmqtt_broker import (PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, SUBACK, UNSUBACK, Peer,
                          encode_props, packet, string)
from kmqtt_uplink import BOTH, DEMAND, UP, WAIT_FD, Uplink, receive

ROUNDS = int(os.environ.get("KMQTT_FUZZ_ROUNDS", "60"))


def good_packets(topic, rng):
    """Packets that a broker may send, and some that it may not."""
    number = struct.pack(">H", rng.randrange(1, 6))
    props = encode_props(rng.choice([{}, {0x01: 1}, {0x02: 7}, {0x03: "text"}, {0x08: "answer"},
                                     {0x09: b"\0\1\2"}, {0x23: 1}, {0x26: [("a", "b"), ("c", "d")]},
                                     {0x0b: 300}]))
    name = string(f"{topic}/{rng.randrange(3)}")
    body = rng.randbytes(rng.choice([0, 1, 100, 3000]))
    return [packet(PUBLISH, name + props + body, rng.choice([0, 1])),
            packet(PUBLISH, name + number + props + body, rng.choice([2, 3, 10])),
            packet(PUBLISH, name + number + props + body, rng.choice([4, 5, 12])),
            packet(PUBLISH, string("") + encode_props({0x23: rng.randrange(1, 12)}) + body),
            packet(PUBACK, number), packet(PUBREC, number + b"\x10\x00"), packet(PUBREL, number),
            packet(PUBCOMP, number), packet(SUBACK, number + b"\0\1"),
            packet(UNSUBACK, number + b"\0\0"), packet(13), packet(14, b"\x8b"),
            packet(14, b"\x9c" + encode_props({0x1c: "elsewhere"}))]


def damage(data, rng):
    data = bytearray(data)
    for _ in range(rng.choice([0, 1, 1, 2, 5])):
        at = rng.randrange(len(data))
        what = rng.randrange(4)
        if what == 0:
            data[at] = rng.randrange(256)
        elif what == 1:
            data[at] ^= 1 << rng.randrange(8)
        elif what == 2:
            del data[at:at + rng.randrange(1, 8)]
        else:
            data[at:at] = rng.randbytes(rng.randrange(1, 8))
        if not data:
            break
    return bytes(data)


@pytest.mark.parametrize("version", [3, 4, 5])
def test_damaged_streams(device, topic, version):
    rng = random.Random(version)
    dev = device("fuzz", messages=100000).subscribe(f"{topic}/#", qos=2)
    with Uplink("fuzz", version=version, client_id="fuzz",
                topics=[(f"{topic}/#", BOTH, 2), ("other/#", DEMAND, 1)]) as up:
        for round_ in range(ROUNDS):
            ours, theirs = socket.socketpair()
            up.set(fd=ours.fileno())
            ours.close()
            peer = Peer(theirs)
            peer.connect()
            if round_ % 4:
                peer.connack(present=round_ % 2)
            stream = b"".join(damage(rng.choice(good_packets(topic, rng)), rng)
                              for _ in range(20))
            dev.publish(f"{topic}/mine", b"%d" % round_, qos=round_ % 3)
            try:
                while stream:
                    size = rng.choice([1, 7, 100, 5000])
                    theirs.sendall(stream[:size])
                    stream = stream[size:]
            except ConnectionError:
                pass
            peer.close()
            up.wait(WAIT_FD)
        # and it works as on the first day
        dev.drain()
        ours, theirs = socket.socketpair()
        up.set(fd=ours.fileno())
        ours.close()
        peer = Peer(theirs)
        peer.handshake()
        up.wait(UP)
        peer.publish(f"{topic}/sound", b"and safe")
        assert receive(dev, 1)[0].payload == b"and safe"
        peer.close()
    with kmqtt_dev.Device("fuzz", flags=kmqtt_dev.CLEAN):
        pass

# SPDX-License-Identifier: GPL-2.0
"""Random packets of a broker, damaged, to an uplink whose session goes on: all ends in good order.

test_streams.py has sessions that are as real brokers have them, and each begins anew.
"""

import os
import random
import socket
import struct

import pytest

import kmqtt_dev
from kmqtt_broker import (PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, SUBACK, UNSUBACK, Peer,
                          encode_props, packet, string)
from kmqtt_streams import damage, in_pieces
from kmqtt_uplink import BOTH, DEMAND, WAIT_FD, Uplink, works

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
            dev.publish(f"{topic}/mine", b"%d" % round_, qos=round_ % 3)
            for _ in range(20):
                packets = good_packets(topic, rng)
                one = rng.choice(packets)
                one = damage(one, rng, packets) if rng.randrange(5) else one
                in_pieces(theirs, one, rng.choice([0, 1, 7, 100]))
            peer.close()
            up.wait(WAIT_FD)
        works(up, dev, topic)
    with kmqtt_dev.Device("fuzz", flags=kmqtt_dev.CLEAN):
        pass

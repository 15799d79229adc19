# SPDX-License-Identifier: GPL-2.0
"""Requests at random: each is refused or done, and the kernel stays well."""

import os
import random
import struct

import pytest

from kmqtt_nl import (NLM_F_ACK, NLM_F_DUMP, SPEC_KMQTT, NlError, attribute, encode_value)
from kmqtt_user import in_user_namespace

# What is done here is done to a switch that goes away with its namespace.
ROUNDS = int(os.environ.get("KMQTT_FUZZ_ROUNDS", "1000"))

STRINGS = ["", "a", "a/b", "#", "+/#", "$share/g/a", "a/#/b", "x" * 300, "é/ü", "/", "//",
           "$SYS/x", "u" * 63]


def integer(rng, size):
    top = (1 << 8 * size) - 1
    if rng.randrange(4):
        return rng.randrange(5)
    return rng.choice([127, 128, 255, top, top - 1, top // 2, rng.randrange(top + 1)]) & top


def good(rng, attr):
    """A value of the right kind, mostly."""
    sizes = {"u8": 1, "u16": 2, "u32": 4, "u64": 8}
    if attr.type in sizes:
        return encode_value(attr, integer(rng, sizes[attr.type]))
    if attr.type == "string":
        return encode_value(attr, rng.choice(STRINGS))
    if attr.type == "nest":
        return attributes(rng, attr.nested)
    return rng.randbytes(rng.choice([0, 1, 4, 16, 100]))


def attributes(rng, space):
    out = b""
    attrs = list(SPEC_KMQTT.sets[space].values())
    # what comes after the padding is mostly for answers
    asked = attrs[:[attr.type for attr in attrs].index("pad")] if rng.randrange(10) and \
        any(attr.type == "pad" for attr in attrs) else attrs
    for _ in range(rng.choice([0, 0, 1, 1, 1, 2, 3, 6])):
        attr = rng.choice(asked)
        # a descriptor would be one of this process
        if attr.number == SPEC_KMQTT.sets["uplink"]["fd"].number and space == "uplink":
            continue
        data = good(rng, attr)
        number = attr.number | (0x8000 if attr.type == "nest" else 0)
        kind = rng.randrange(20)
        if kind == 0:
            number = rng.randrange(1 << 16)
        elif kind == 1:
            data = rng.randbytes(rng.randrange(20))
        elif kind == 2:
            data = data[:-1]
        out += attribute(number, data)
        if kind == 3:
            out += rng.randbytes(rng.randrange(8))
        elif kind == 4:
            out += struct.pack("=HH", rng.randrange(1 << 16), attr.number)
    return out


def fuzz(seed):
    from kmqtt_nl import Netlink    # pylint: disable=import-outside-toplevel

    rng = random.Random(seed)
    done = 0
    nl = Netlink()
    for i in range(ROUNDS):
        if i % 50 == 49:            # its session goes with it
            nl.close()
            nl = Netlink()
        command = rng.choice(list(SPEC_KMQTT.ops))
        dumps = command.endswith("-get") != (rng.randrange(6) == 0)
        flags = NLM_F_DUMP if dumps else NLM_F_ACK
        nl.send_op(command, attributes(rng, SPEC_KMQTT.op_set[command]), flags)
        try:
            nl.answer()
            done += 1
        except NlError:
            pass
        except OSError as error:    # its session was killed, or a message was lost
            assert error.errno in (105, 108), error
            nl.close()
            nl = Netlink()
    alive = nl.do("switch-get")["abi"]
    nl.close()
    return [alive, done]


@pytest.mark.parametrize("seed", range(3))
def test_random_requests(seed):
    alive, done = in_user_namespace(lambda: fuzz(seed), network=True)
    assert alive == 1
    assert done > ROUNDS // 20, "hardly any request was accepted"


def test_random_bytes():
    def run():
        from kmqtt_nl import Netlink    # pylint: disable=import-outside-toplevel

        rng = random.Random(4)
        with Netlink() as nl:
            for _ in range(ROUNDS):
                nl.send(nl.family, rng.randbytes(rng.randrange(200)), rng.choice([4, 0x300]))
                try:
                    nl.answer()
                except NlError:
                    pass
            return nl.do("switch-get")["abi"]

    assert in_user_namespace(run, network=True) == 1

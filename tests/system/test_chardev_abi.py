# SPDX-License-Identifier: GPL-2.0
"""The numbers and structs of uapi/kmqtt.h: sizes that grow, reserved fields, other programs."""

import ctypes
import errno
import fcntl
import os
import random
import subprocess

import pytest
from conftest import HERE, TOP
from kmqtt_dev import (ACKNOWLEDGE, INFO, IOC_ACK, IOC_INFO, IOC_PUBLISH, IOC_RING, IOC_SESSION,
                       IOC_STATS, IOC_SUBSCRIBE, IOC_UNSUBSCRIBE, PUBLISH, RING, SESSION, STATS,
                       SUBSCRIPTION, Edge, ioc, libc, record, refused)

STRUCTS = {"info": (IOC_INFO, INFO), "session": (IOC_SESSION, SESSION),
           "subscribe": (IOC_SUBSCRIBE, SUBSCRIPTION), "unsubscribe": (IOC_UNSUBSCRIBE, SUBSCRIPTION),
           "ack": (IOC_ACK, ACKNOWLEDGE), "publish": (IOC_PUBLISH, PUBLISH),
           "stats": (IOC_STATS, STATS), "ring": (IOC_RING, RING)}


def compile_c(out, source, *flags):
    subprocess.run(["gcc", "-O1", "-Wall", "-Wextra", "-Werror", "-I", os.path.join(TOP, "uapi"),
                    "-o", out, os.path.join(HERE, source), *flags], check=True)
    return out


@pytest.mark.parametrize("bits", ["-m64", "-m32"])
def test_32_and_64_bit_programs_see_the_same(tmp_path, topic, bits):
    program = compile_c(tmp_path / "abi", "abi.c", bits)
    done = subprocess.run([program, topic], check=False, capture_output=True, text=True)
    assert done.stdout == f"{bits[2:]} bits: ok\n", done.stderr


def test_io_uring(tmp_path, topic):
    program = compile_c(tmp_path / "uring", "uring.c", "-luring")
    done = subprocess.run([program, topic], check=False, capture_output=True, text=True)
    assert done.stdout == "io_uring: ok\n", done.stderr


@pytest.mark.parametrize("name", STRUCTS)
@pytest.mark.parametrize("size, number", [(0, errno.EINVAL), (3, errno.EINVAL), (4097, errno.E2BIG),
                                          (0xffffffff, errno.E2BIG)])
def test_a_size_that_makes_no_sense_is_refused(device, name, size, number):
    command, layout = STRUCTS[name]
    with refused(number):
        device().ioctl_raw(command, size.to_bytes(4, "little") + bytes(layout.size + 8192))


@pytest.mark.parametrize("name", STRUCTS)
def test_what_a_later_version_adds_must_be_zero(device, name):
    command, layout = STRUCTS[name]
    longer = (layout.size + 8).to_bytes(4, "little") + bytes(layout.size - 4)
    with refused(errno.E2BIG):
        device().ioctl_raw(command, longer + b"\1" + bytes(7))


def test_a_longer_struct_is_accepted_under_its_own_number(device, topic):
    one = device()
    text = topic.encode()
    keep = ctypes.create_string_buffer(text)
    longer = SUBSCRIPTION.pack(SUBSCRIPTION.size + 16, 0, ctypes.addressof(keep), len(text), 0, 0, 0,
                               b"") + bytes(16)
    one.ioctl_raw(ioc(1, 2, SUBSCRIPTION.size + 16), longer)
    assert one.stats().subscriptions == 1


def test_of_a_shorter_struct_the_rest_is_zero(device, topic):
    one = device()
    text = topic.encode()
    keep = ctypes.create_string_buffer(text)
    shorter = SUBSCRIPTION.pack(20, 0, ctypes.addressof(keep), len(text), 7, 2, 0, b"\1" * 6)[:20]
    one.ioctl_raw(ioc(1, 2, 20), shorter)
    device().publish(topic, qos=2)
    [message] = one.read()
    assert message.qos == 0 and message.sub_id == 0


def test_of_a_shorter_struct_no_more_is_written(device):
    reply = device().ioctl_raw(IOC_STATS, (16).to_bytes(4, "little") + b"\xaa" * (STATS.size - 4))
    assert reply[16:] == b"\xaa" * (STATS.size - 16) and reply[4:8] == bytes(4)


@pytest.mark.parametrize("name", STRUCTS)
def test_a_struct_that_cannot_be_read_changes_nothing(device, name):
    one = device()
    command, layout = STRUCTS[name]
    edge = Edge()
    for at in (0xdead00000000, edge.put(layout.size.to_bytes(4, "little") + bytes(4))):
        with refused(errno.EFAULT):
            libc("ioctl", one.fd, ctypes.c_ulong(command), at)
    assert one.stats().subscriptions == 0
    one.ring()


def test_a_name_that_cannot_be_read(device, topic):
    one = device()
    for name in (0, 0xdead00000000, (1 << 64) - 1):
        with refused(errno.EFAULT):
            one.ioctl_raw(IOC_SESSION, SESSION.pack(SESSION.size, 0, name, 5, 0, 0, 0, 0, 0, 0))
        with refused(errno.EFAULT):
            one.ioctl_raw(IOC_SUBSCRIBE,
                          SUBSCRIPTION.pack(SUBSCRIPTION.size, 0, name, 5, 0, 0, 0, b""))
        with refused(errno.EFAULT):
            one.ioctl_raw(IOC_PUBLISH, PUBLISH.pack(PUBLISH.size, 0, name, 64, 0))
    assert not one.session(topic)


@pytest.mark.parametrize("number", [ioc(3, 8, 24), ioc(3, 255, 24), ioc(0, 0, 0), ioc(1, 0, 24),
                                    ioc(2, 2, 32), 0x5401, 0, 0xffffffff])
def test_an_unknown_ioctl_is_refused(device, number):
    with refused(errno.ENOTTY):
        fcntl.ioctl(device().fd, number, bytearray(64), True)


def test_reserved_flags_are_refused(device):
    one = device()
    with refused(errno.EINVAL):
        one.ioctl_raw(IOC_RING, RING.pack(RING.size, 1, 65536, 0, 0, 0, 0))
    with refused(errno.EINVAL):
        one.ioctl_raw(IOC_ACK, ACKNOWLEDGE.pack(ACKNOWLEDGE.size, 2, 1))
    with refused(errno.EINVAL):
        one.session(flags=0x10)


def test_info(device):
    info = device().info()
    assert info.size == INFO.size and info.abi == 1
    assert info.max_packet_size >= 1 << 16 and info.max_inflight_messages == 20
    assert info.max_queued_messages == 1000 and info.policy == 1


def test_random_bytes_are_never_a_record(device):
    """Seeds are fixed, so that what fails once fails again."""
    writer, reader = device(), device().subscribe("#")
    rng = random.Random(1)
    for _ in range(3000):
        data = rng.randbytes(rng.choice((1, 8, 47, 48, 49, 56, 64, 100, 300, 5000)))
        try:
            writer.write(data)
        except OSError as error:
            assert error.errno in (errno.EINVAL, errno.EILSEQ, errno.EMSGSIZE)
    assert not reader.readable()


def test_a_good_record_with_random_damage_does_no_harm(device):
    """Each byte of the head, and some more, is changed: refused, or read as it was written."""
    rng = random.Random(2)
    writer, reader = device(), device().subscribe("#")
    for number in range(4000):
        data = bytearray(record("some/topic", rng.randbytes(rng.randrange(300)), qos=1,
                                props=b"\x01\x01\x26\x00\x01a\x00\x01b"))
        for _ in range(rng.randrange(1, 4)):
            data[rng.randrange(min(len(data), 80))] = rng.randrange(256)
        try:
            done = writer.write(bytes(data))
        except OSError as error:
            assert error.errno in (errno.EINVAL, errno.EILSEQ, errno.EMSGSIZE), number
        else:
            assert done == len(data)
        reader.drain()


def test_random_ioctls_do_no_harm(device):
    rng = random.Random(3)
    allowed = {errno.EINVAL, errno.EFAULT, errno.ENOTTY, errno.E2BIG, errno.EILSEQ, errno.ENOENT,
               errno.EBUSY, errno.ENOMEM, errno.EMSGSIZE, errno.ENOSPC}
    for _ in range(50):
        one = device()
        for _ in range(60):
            command, layout = rng.choice(list(STRUCTS.values()))
            data = bytearray(rng.randbytes(layout.size))
            if rng.random() < 0.9:
                data[0:4] = layout.size.to_bytes(4, "little")
            for at in range(4, layout.size):
                if rng.random() < 0.7:
                    data[at] = 0
            try:
                one.ioctl_raw(command, data)
            except OSError as error:
                assert error.errno in allowed, errno.errorcode[error.errno]
        one.close()

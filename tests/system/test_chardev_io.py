# SPDX-License-Identifier: GPL-2.0
"""Reading and writing records: whole ones, as many as fit, and nothing is ever lost."""

import ctypes
import errno
import os
import select
import stat

import pytest
from kmqtt_dev import (CONTENT_TYPE, DEVICE, DROPPED, HEAD, MESSAGE, RETAIN, Edge, libc, parse,
                       parse_all, record, refused, string_prop, user_prop)
from kmqtt_memory import kernels_own


@pytest.fixture
def pair(device, topic):
    """A publisher, a subscriber to the test's topic, and that topic."""
    return device(), device().subscribe(topic), topic


def test_the_device_is_for_root_and_its_group():
    mode = os.stat(DEVICE).st_mode
    assert stat.S_ISCHR(mode) and mode & 0o777 == 0o660


def test_a_message_arrives_as_it_was_written(pair):
    writer, reader, topic = pair
    writer.publish(topic, b"\x00\xff payload", expiry=100)
    [message] = reader.read()
    assert message.topic == topic and message.payload == b"\x00\xff payload"
    assert message.type == MESSAGE and message.qos == 0 and 0 < message.expiry <= 100
    assert not (message.retain or message.dup or message.ack or message.props or message.sub_id)


def test_the_time_is_when_the_switch_took_it(pair):
    import time
    writer, reader, topic = pair
    before = time.time_ns()
    writer.publish(topic)
    after = time.time_ns()
    assert before - 10**9 < reader.read()[0].time_ns < after + 10**9


def test_an_empty_payload_is_a_message(pair):
    writer, reader, topic = pair
    writer.publish(topic, b"")
    assert [m.payload for m in reader.read()] == [b""]


def test_every_size_around_the_fast_path(pair):
    """Up to 256 bytes a record is copied in one piece, above that in several."""
    writer, reader, topic = pair
    for size in [*range(0, 300), 511, 4095, 4096, 4097, 65535, 65536, 1 << 20]:
        payload = os.urandom(size)
        writer.publish(topic, payload)
        assert [m.payload for m in reader.read(2 << 20)] == [payload]


def test_what_was_read_is_given_back(pair):
    """Of long messages that come and go, no more is in use than a few, however fast it is."""
    writer, reader, topic = pair
    size, before, most = 1000, kernels_own(), 0
    for number in range(250):
        writer.publish(topic, bytes([number]) * (size << 10))
        assert reader.read(4 << 20)[0].payload[-1] == number
        most = max(most, kernels_own() - before)
    assert most < 20 * size


def test_a_topic_may_be_as_long_as_mqtt_allows(device):
    name = "x" * 65535
    reader = device().subscribe(name)
    device().publish(name, "y")
    assert reader.read()[0].topic == name


def test_numbers_of_deliveries_ascend(pair):
    writer, reader, topic = pair
    for _ in range(5):
        writer.publish(topic)
    assert [m.id for m in reader.read()] == [1, 2, 3, 4, 5]


def test_one_write_may_have_many_records(pair):
    writer, reader, topic = pair
    data = b"".join(record(topic, str(i) * i) for i in range(50))
    assert writer.write(data) == len(data)
    assert [m.payload for m in reader.read()] == [(str(i) * i).encode() for i in range(50)]


@pytest.mark.parametrize("size", [0, 10, 3000, 100000])
def test_one_write_may_have_more_than_is_copied_at_a_time(pair, size):
    writer, reader, topic = pair
    data = b"".join(record(topic, str(i).encode() + bytes(size)) for i in range(100))
    assert writer.write(data) == len(data)
    got = []
    while len(got) < 100:
        got += reader.read(1 << 20)
    assert [m.payload for m in got] == [str(i).encode() + bytes(size) for i in range(100)]


@pytest.mark.parametrize("good", [1, 2, 31, 32, 33, 70])
def test_what_stands_before_a_bad_record_is_published(pair, good):
    """And the bad one is told of by the next write, from where it begins."""
    writer, reader, topic = pair
    data = [record(topic, str(i)) for i in range(good)]
    bad = bytearray(record(topic, "bad"))
    bad[4] = 0xff
    data += [bytes(bad), record(topic, "behind")]
    whole = b"".join(data)
    done = writer.write(whole)
    assert done == len(b"".join(data[:good]))
    with refused(errno.EINVAL):
        writer.write(whole[done:])
    assert [m.payload for m in reader.read()] == [str(i).encode() for i in range(good)]
    assert not reader.readable()


def test_a_batch_goes_to_each_topic_in_order(device, topic):
    writer = device()
    readers = [device().subscribe(f"{topic}/{i}") for i in range(3)] + [device().subscribe(topic + "/+")]
    names = [f"{topic}/{i % 3}" for i in range(60)]
    data = b"".join(record(name, str(i)) for i, name in enumerate(names))
    assert writer.write(data) == len(data)
    for i in range(3):
        assert [m.payload for m in readers[i].read()] == [str(n).encode() for n in range(i, 60, 3)]
    assert [m.payload for m in readers[3].read()] == [str(n).encode() for n in range(60)]


def test_writev_gathers_records_from_pieces(pair):
    writer, reader, topic = pair
    data = b"".join(record(topic, str(i) * 100) for i in range(20))
    pieces = [data[i:i + 7] for i in range(0, len(data), 7)]
    assert os.writev(writer.fd, pieces) == len(data)
    assert [m.payload for m in reader.read()] == [(str(i) * 100).encode() for i in range(20)]


def test_readv_scatters_a_record(pair):
    writer, reader, topic = pair
    writer.publish(topic, b"p" * 500)
    buffers = [bytearray(13) for _ in range(60)]
    size = os.readv(reader.fd, buffers)
    assert parse(b"".join(buffers)[:size]).payload == b"p" * 500


def test_read_gives_whole_records_only(pair):
    writer, reader, topic = pair
    for _ in range(10):
        writer.publish(topic, b"z" * 40)
    size = len(record(topic, b"z" * 40))
    assert len(os.read(reader.fd, 3 * size + size - 1)) == 3 * size
    assert len(reader.read()) == 7


def test_a_buffer_that_is_too_small_loses_nothing(pair):
    writer, reader, topic = pair
    writer.publish(topic, b"z" * 100)
    size = len(record(topic, b"z" * 100))
    for room in (1, HEAD.size, size - 1):
        with refused(errno.EMSGSIZE):
            os.read(reader.fd, room)
    assert reader.stats().queued_messages == 1
    assert parse_all(os.read(reader.fd, size))[0].payload == b"z" * 100


def test_reading_nothing_is_nothing(pair):
    writer, reader, topic = pair
    assert os.read(reader.fd, 0) == b""
    writer.publish(topic)
    assert os.read(reader.fd, 0) == b"" and len(reader.read()) == 1


def test_a_bad_address_loses_nothing(pair):
    writer, reader, topic = pair
    for size in (10, 1000):
        writer.publish(topic, b"a" * size, qos=0)
        with refused(errno.EFAULT):
            libc("read", reader.fd, 0xdead00000000, ctypes.c_size_t(4096))
        assert [len(m.payload) for m in reader.read()] == [size]


def test_records_before_a_bad_page_are_read_and_the_rest_stays(pair):
    writer, reader, topic = pair
    for i in range(5):
        writer.publish(topic, b"%d" % i * 10)
    size = len(record(topic, b"0" * 10))
    edge = Edge()
    count = libc("read", reader.fd, edge.before(2 * size + 20), ctypes.c_size_t(4096))
    assert count == 2 * size
    assert [m.payload[:1] for m in reader.read()] == [b"2", b"3", b"4"]


def test_a_bad_page_anywhere_loses_nothing(pair):
    """In a record of which all parts are long, and the subscriptions' identifiers are in it."""
    writer, reader, topic = pair
    name = f"{topic}/{'x' * 300}"
    for number, pattern in enumerate([f"{topic}/+", f"{topic}/#", name], 1):
        reader.subscribe(pattern, sub_id=number)
    writer.publish(name, bytes(700), props=string_prop(CONTENT_TYPE, "t" * 200))
    edge = Edge()
    for there in range(0, 1200, 40):
        with refused(errno.EFAULT):
            libc("read", reader.fd, edge.before(there), ctypes.c_size_t(4096))
    [got] = reader.read()
    assert (got.topic, got.payload) == (name, bytes(700))
    text = string_prop(CONTENT_TYPE, "t" * 200)
    assert got.props[:len(text)] == text
    assert sorted([got.sub_id, *got.props[len(text) + 1::2]]) == [1, 2, 3]


def test_what_a_bad_address_gave_back_counts_as_queued(pair):
    writer, reader, topic = pair
    writer.publish(topic, b"a")
    with refused(errno.EFAULT):
        libc("read", reader.fd, 0xdead00000000, ctypes.c_size_t(4096))
    stats = reader.stats()
    assert (stats.queued_messages, stats.delivered_messages) == (1, 0)


def test_writing_from_a_bad_address_publishes_nothing(pair):
    writer, reader, topic = pair
    data = record(topic, b"a" * 1000)
    edge = Edge()
    for there in (10, HEAD.size + 5, len(data) - 8):
        at = edge.put(data[:there])
        with refused(errno.EFAULT):
            libc("write", writer.fd, at, ctypes.c_size_t(len(data)))
    assert not reader.readable() and writer.stats().published_messages == 0


def test_records_before_a_bad_page_are_published(pair):
    writer, reader, topic = pair
    good = record(topic, "1") + record(topic, "2")
    edge = Edge()
    at = edge.put(good + record(topic, b"3" * 1000)[:100])
    assert libc("write", writer.fd, at, ctypes.c_size_t(4096)) == len(good)
    assert [m.payload for m in reader.read()] == [b"1", b"2"]


BAD_HEADS = {
    "type": (dict(type=DROPPED), errno.EINVAL),
    "no type": (dict(type=0), errno.EINVAL),
    "dup": (dict(flags=2), errno.EINVAL),
    "flags": (dict(flags=0x8000), errno.EINVAL),
    "qos": (dict(qos=3), errno.EINVAL),
    "reserved": (dict(reserved=1), errno.EINVAL),
    "reserved2": (dict(reserved2=1), errno.EINVAL),
    "sub_id": (dict(sub_id=1), errno.EINVAL),
    "id": (dict(id=1), errno.EINVAL),
    "time": (dict(time_ns=1), errno.EINVAL),
    "len 0": (dict(len=0), errno.EINVAL),
    "len of head": (dict(len=HEAD.size), errno.EINVAL),
    "len odd": (dict(len=73), errno.EINVAL),
    "len huge": (dict(len=0xfffffff8), errno.EINVAL),
    "topic_len": (dict(topic_len=1), errno.EINVAL),
    "topic_len huge": (dict(topic_len=65535), errno.EINVAL),
    "payload_len": (dict(payload_len=0xffffffff), errno.EINVAL),
    "props_len": (dict(props_len=0xffffffff), errno.EINVAL),
    "sum that wraps": (dict(props_len=0xfffffff0, payload_len=0x20), errno.EINVAL),
}


@pytest.mark.parametrize("name", BAD_HEADS)
def test_a_bad_record_is_refused_and_publishes_nothing(pair, name):
    writer, reader, topic = pair
    bad, number = BAD_HEADS[name]
    with refused(number):
        writer.write(record(topic, "payload", **bad) + bytes(4096))
    assert not reader.readable() and writer.stats().published_messages == 0


@pytest.mark.parametrize("size", [1, 8, HEAD.size - 1, HEAD.size, HEAD.size + 8])
def test_a_record_that_is_cut_off_is_refused(pair, size):
    writer, reader, topic = pair
    with refused(errno.EINVAL):
        writer.write(record(topic, "a longer payload")[:size])
    assert not reader.readable()


@pytest.mark.parametrize("name", [b"", b"a/+", b"a/#", b"#", b"a\0b", b"\xff", b"\xed\xa0\x80",
                                  b"\xc0\x80", b"/".join([b"x"] * 202)])
def test_a_topic_that_mqtt_forbids_is_refused(device, name):
    writer, reader = device(), device().subscribe("#")
    with refused(errno.EILSEQ):
        writer.write(record(name, "x"))
    assert not reader.readable()


def test_the_topic_ends_with_a_nul(pair):
    writer, reader, topic = pair
    data = bytearray(record(topic, "x"))
    data[HEAD.size + len(topic)] = 1
    with refused(errno.EINVAL):
        writer.write(bytes(data))
    assert not reader.readable()


def test_a_bad_record_in_the_middle_ends_the_write_there(pair):
    writer, reader, topic = pair
    good = record(topic, "1") + record(topic, "2")
    assert writer.write(good + record(topic, "3", qos=3) + record(topic, "4")) == len(good)
    assert [m.payload for m in reader.read()] == [b"1", b"2"]


def test_a_message_over_max_packet_size_is_refused(pair):
    writer, reader, topic = pair
    largest = writer.info().max_packet_size
    with refused(errno.EMSGSIZE):
        writer.write(record(topic, bytes(largest)))
    with refused(errno.EMSGSIZE):
        writer.write(record(topic, b"", props=user_prop("a", b"v" * 60000) * (largest // 60000 + 1)))
    assert not reader.readable()
    writer.publish(topic, bytes(largest - len(topic) - 13))
    assert len(reader.read(largest * 2)[0].payload) == largest - len(topic) - 13


PROPS = (b"\x01\x01" + string_prop(0x03, "text/plain") + string_prop(0x08, "answers/here") +
         string_prop(0x09, b"\x00\xff") + user_prop("name", "value") + user_prop("name", "again"))


def test_properties_arrive_in_their_order(pair):
    writer, reader, topic = pair
    writer.publish(topic, "x", props=PROPS)
    assert reader.read()[0].props == PROPS


def test_long_properties_arrive(pair):
    writer, reader, topic = pair
    props = user_prop("k" * 1000, "v" * 30000) * 3
    writer.publish(topic, b"x" * 1000, props=props)
    [message] = reader.read()
    assert message.props == props and message.payload == b"x" * 1000


@pytest.mark.parametrize("props", [
    b"\x02\x00\x00\x00\x01",			# expiry: has a place in the head
    b"\x23\x00\x01",				# topic alias: none of a process's business
    b"\x0b\x01",				# subscription identifier: the switch's
    b"\x11\x00\x00\x00\x01",			# not of a PUBLISH
    b"\x7f\x01", b"\x01", b"\x01\x02",		# unknown, cut off, out of range
    b"\x01\x01\x01\x01",			# twice
    string_prop(0x08, "a/+"),			# a wildcard in the response topic
    string_prop(0x03, b"\xff"), string_prop(0x03, "text")[:-1],
], ids=lambda props: props.hex())
def test_properties_that_mqtt_forbids_are_refused(pair, props):
    writer, reader, topic = pair
    with refused(errno.EINVAL):
        writer.write(record(topic, "x", props=props))
    assert not reader.readable()


def test_nonblocking_read_says_so(device, topic):
    reader = device(mode=os.O_RDWR | os.O_NONBLOCK).subscribe(topic)
    with refused(errno.EAGAIN):
        reader.read()
    device().publish(topic)
    assert len(reader.read()) == 1


def test_poll_tells_what_can_be_had(pair):
    writer, reader, topic = pair
    assert reader.poll() == select.POLLOUT
    writer.publish(topic)
    assert reader.poll() == select.POLLIN | select.POLLOUT
    reader.read()
    assert reader.poll() == select.POLLOUT


def test_poll_wakes_up(pair):
    import threading
    writer, reader, topic = pair
    thread = threading.Timer(0.1, writer.publish, (topic,))
    thread.start()
    assert reader.poll(60000, select.POLLIN) == select.POLLIN
    thread.join()


@pytest.mark.parametrize("edge", [0, select.EPOLLET])
def test_epoll_wakes_for_each_new_message(pair, edge):
    writer, reader, topic = pair
    epoll = select.epoll()
    epoll.register(reader.fd, select.EPOLLIN | edge)
    assert epoll.poll(0) == []
    for _ in range(3):
        writer.publish(topic)
        assert epoll.poll(60) == [(reader.fd, select.EPOLLIN)]
        assert len(reader.read()) == 1
        assert epoll.poll(0) == []


def test_a_file_that_is_only_read_cannot_publish(device, topic):
    reader = device(mode=os.O_RDONLY).subscribe(topic)
    with refused(errno.EBADF):
        reader.write(record(topic))
    with refused(errno.EBADF):
        reader.publish_wait(record(topic, qos=1))
    device().publish(topic)
    assert len(reader.read()) == 1


def test_a_file_that_is_only_written_cannot_receive(device, topic):
    writer, reader = device(mode=os.O_WRONLY), device().subscribe(topic)
    with refused(errno.EBADF):
        writer.subscribe(topic)
    with refused(errno.EBADF):
        writer.ring()
    with refused(errno.EBADF):
        os.read(writer.fd, 100)
    writer.publish(topic)
    assert len(reader.read()) == 1


def test_the_device_has_no_position(device):
    for call in (lambda fd: os.lseek(fd, 0, os.SEEK_SET), lambda fd: os.pread(fd, 10, 0)):
        with refused(errno.ESPIPE):
            call(device().fd)


def test_a_retained_message_is_told_to_who_comes_later(device, topic):
    device().publish(topic, "kept", flags=RETAIN, props=PROPS)
    [message] = device().subscribe(topic).read()
    assert message.payload == b"kept" and message.retain and message.props == PROPS
    device().publish(topic, "", flags=RETAIN)
    assert not device().subscribe(topic).readable()


def test_expired_messages_are_not_read(device, topic):
    import time
    reader = device().subscribe(topic)
    device().publish(topic, "late", expiry=1)
    device().publish(topic, "stays")
    time.sleep(2.1)
    assert [m.payload for m in reader.read()] == [b"stays"]
    assert reader.stats().expired_messages == 1


def test_fsync_without_an_uplink_has_nothing_to_wait_for(device, topic):
    writer = device()
    os.fsync(writer.fd)
    writer.publish(topic, qos=2)
    os.fsync(writer.fd)


def test_a_publish_that_waits_needs_an_uplink(device, topic):
    reader = device().subscribe(topic, qos=1)
    with refused(errno.ENOLINK):
        device().publish_wait(record(topic, "x", qos=1))
    assert [m.payload for m in reader.read()] == [b"x"]


@pytest.mark.parametrize("data, number", [
    (record("a", qos=0), errno.EINVAL),
    (record("a", qos=1) * 2, errno.EINVAL),
    (record("a", qos=1)[:-8], errno.EINVAL),
    (record("a/+", qos=1), errno.EILSEQ),
])
def test_a_publish_that_waits_takes_one_good_record(device, data, number):
    with refused(number):
        device().publish_wait(data)

# SPDX-License-Identifier: GPL-2.0
"""Subscriptions, named sessions, acknowledgement, queues that are full."""

import ctypes
import errno
import os
import select
import threading
import time

import pytest
from kmqtt_dev import (ACK_UP_TO, BLOCK, CLEAN, DROP_NEWEST, DROP_OLDEST, DROPPED, FOREVER,
                       IOC_PUBLISH, KEEP_LATEST, MANUAL_ACK, NO_LOCAL, PUBLISH, QUEUE_QOS0,
                       REPORT_DROPS, RETAIN, RETAIN_AS_PUBLISHED, SUBSCRIPTION_ID, Device, Slow,
                       alarms, libc, parse_all, record, refused)


def payloads(messages):
    return [m.payload.decode() for m in messages]


def wait_until(condition):
    """Without a bound of its own: the run's time-out is the bound."""
    while not condition():
        time.sleep(0.01)


# ---- subscriptions

@pytest.mark.parametrize("pattern, name, match", [
    ("{}/a", "{}/a", True), ("{}/+", "{}/a", True), ("{}/#", "{}/a/b/c", True), ("{}/#", "{}", True),
    ("{}/+", "{}/a/b", False), ("{}/a", "{}/b", False), ("{}/+/c", "{}/b/c", True),
    ("$share/g/{}/+", "{}/a", True),
])
def test_filters_match_as_mqtt_says(device, topic, pattern, name, match):
    reader = device().subscribe(pattern.format(topic))
    device().publish(name.format(topic))
    assert reader.readable() == match


@pytest.mark.parametrize("published", [0, 1, 2])
@pytest.mark.parametrize("granted", [0, 1, 2])
def test_qos_is_the_lesser_of_both(device, topic, published, granted):
    reader = device().subscribe(topic, qos=granted)
    device().publish(topic, qos=published)
    assert reader.read()[0].qos == min(published, granted)


def test_no_local(device, topic):
    one, two = device(), device()
    one.subscribe(topic, flags=NO_LOCAL)
    two.subscribe(topic)
    one.publish(topic, "own")
    two.publish(topic, "other")
    assert payloads(one.drain()) == ["other"] and payloads(two.drain()) == ["own", "other"]


def test_retain_as_published(device, topic):
    plain = device().subscribe(topic)
    kept = device().subscribe(topic, flags=RETAIN_AS_PUBLISHED)
    device().publish(topic, "x", flags=RETAIN)
    assert not plain.read()[0].retain and kept.read()[0].retain
    device().publish(topic, flags=RETAIN)


def test_retain_handling(device, topic):
    device().publish(topic, "x", flags=RETAIN)
    reader = device()
    for handling, new, again in ((0, 1, 1), (1, 1, 0), (2, 0, 0)):
        reader.subscribe(topic, retain_handling=handling)
        assert len(reader.drain()) == new
        reader.subscribe(topic, retain_handling=handling)
        assert len(reader.drain()) == again
        reader.unsubscribe(topic)
    device().publish(topic, flags=RETAIN)


def test_subscription_identifier(device, topic):
    reader = device().subscribe(topic, sub_id=268435455)
    device().publish(topic)
    assert reader.read()[0].sub_id == 268435455


def test_more_subscription_identifiers_are_properties(device, topic):
    reader = device()
    first = topic.split("/")[0]
    numbers = {1: topic, 127: topic + "/#", 128: first + "/+", 16384: first + "/#",
               268435455: "+/" + topic.split("/")[1], 5: "+/+"}
    for number, pattern in numbers.items():
        reader.subscribe(pattern, sub_id=number)
    device().publish(topic, b"payload" * 100, props=b"\x01\x01")
    [message] = reader.read()
    assert message.payload == b"payload" * 100 and message.props[:2] == b"\x01\x01"
    found, at, props = [message.sub_id], 2, message.props
    while at < len(props):
        assert props[at] == SUBSCRIPTION_ID
        number = shift = 0
        while True:
            at += 1
            number, shift = number | (props[at] & 127) << shift, shift + 7
            if props[at] < 128:
                break
        at += 1
        found.append(number)
    assert sorted(found) == sorted(numbers)


def test_subscribing_again_changes_the_options(device, topic):
    reader = device().subscribe(topic, qos=0, sub_id=1).subscribe(topic, qos=2, sub_id=2)
    device().publish(topic, qos=2)
    [message] = reader.read()
    assert message.qos == 2 and message.sub_id == 2 and reader.stats().subscriptions == 1


def test_unsubscribe(device, topic):
    reader = device().subscribe(topic)
    reader.unsubscribe(topic)
    device().publish(topic)
    assert not reader.readable() and reader.stats().subscriptions == 0
    with refused(errno.ENOENT):
        reader.unsubscribe(topic)


@pytest.mark.parametrize("pattern", [b"", b"a/#/b", b"a#", b"a/b+", b"\xff", b"a\0", b"$share/a",
                                     b"$share//a", b"$share/+/a", b"x" * 65536])
def test_a_filter_that_mqtt_forbids_is_refused(device, pattern):
    reader = device()
    with refused(errno.EILSEQ):
        reader.subscribe(pattern)
    with refused(errno.EILSEQ):
        reader.unsubscribe(pattern)
    assert reader.stats().subscriptions == 0


@pytest.mark.parametrize("options", [dict(qos=3), dict(retain_handling=3), dict(flags=4),
                                     dict(flags=1 << 31), dict(sub_id=268435456),
                                     dict(reserved=b"\1"), dict(reserved=b"\0\0\0\0\0\1")])
def test_options_that_make_no_sense_are_refused(device, topic, options):
    reader = device()
    with refused(errno.EINVAL):
        reader.subscribe(topic, **options)
    assert reader.stats().subscriptions == 0
    reader.subscribe(topic)
    with refused(errno.EINVAL):
        reader.unsubscribe(topic, **options)
    assert reader.stats().subscriptions == 1


def test_no_local_makes_no_sense_with_a_shared_subscription(device, topic):
    with refused(errno.EINVAL):
        device().subscribe("$share/g/" + topic, flags=NO_LOCAL)


# ---- named sessions

def test_a_named_session_outlives_its_file(device, topic):
    one = device(topic, expiry=60)
    assert not one.present
    one.subscribe(topic, qos=1)
    one.close()
    device().publish(topic, "missed", qos=1)
    device().publish(topic, "lost", qos=0)
    two = device(topic, expiry=60)
    assert two.present and payloads(two.read()) == ["missed"]
    device().publish(topic, "now")
    assert payloads(two.read()) == ["now"]


def test_an_unnamed_session_ends_with_its_file(device, topic):
    one = device().subscribe("$share/g/" + topic)
    one.close()
    two = device().subscribe("$share/g/" + topic)
    for _ in range(4):
        device().publish(topic)
    assert len(two.read()) == 4


def test_without_expiry_a_named_session_ends_with_its_file(device, topic):
    device(topic).close()
    assert not device(topic).present


def test_a_session_expires(device, topic):
    device(topic, expiry=1).close()
    time.sleep(2.5)
    assert not device(topic, expiry=1).present


def test_clean_forgets(device, topic):
    one = device(topic, expiry=FOREVER).subscribe(topic, qos=1)
    one.close()
    device().publish(topic, qos=1)
    two = device(topic, flags=CLEAN)
    assert not two.present and not two.readable() and two.stats().subscriptions == 0


def test_qos0_is_queued_for_who_is_away_if_he_asked_for_it(device, topic):
    device(topic, flags=QUEUE_QOS0, expiry=60).subscribe(topic).close()
    device().publish(topic, "kept", qos=0)
    assert payloads(device(topic).read()) == ["kept"]


def test_a_name_that_is_in_use_is_taken_over(device, topic):
    one = device(topic, expiry=60).subscribe(topic)
    two = device(topic)
    assert two.present
    assert one.poll() & (select.POLLHUP | select.POLLIN) == select.POLLHUP | select.POLLIN
    for call in (one.read, lambda: one.subscribe(topic), lambda: one.publish(topic),
                 lambda: one.ack(1), lambda: one.session("other"), one.ring):
        with refused(errno.ESHUTDOWN):
            call()
    one.close()
    device().publish(topic, "x")
    assert payloads(two.read()) == ["x"]


def test_a_reader_that_waits_is_told_of_the_takeover(device, topic):
    one, got = device(topic, expiry=60), []

    def read():
        try:
            one.read()
        except OSError as error:
            got.append(error.errno)

    thread = threading.Thread(target=read)
    thread.start()
    time.sleep(0.1)
    device(topic)
    thread.join()
    assert got == [errno.ESHUTDOWN]


def test_who_lost_a_session_takes_nothing_more_from_it(device, topic):
    """Also if it was reading when it lost it: what it took then could not be acknowledged."""
    one = device(topic, flags=MANUAL_ACK, expiry=60, inflight=100).subscribe(topic, qos=1)
    fill(device, topic, 40, qos=1)
    slow, got = Slow(), []
    thread = threading.Thread(target=lambda: got.append(libc("read", one.fd, slow.start, 1 << 16)))
    thread.start()
    slow.touched()
    two = device(topic, flags=MANUAL_ACK, expiry=60, inflight=100)
    slow.let_go()
    thread.join()
    taken = len(parse_all(slow.map[:got[0]]))
    assert 0 < taken < 40
    again = two.read()
    assert payloads(again) == [str(i) for i in range(40)]
    assert [m.dup for m in again] == [i < taken for i in range(40)]


def test_who_must_not_wait_does_not_wait_for_another_reader(device, topic):
    one = device().subscribe(topic)
    fill(device, topic, 40)
    slow, got = Slow(), []
    thread = threading.Thread(target=lambda: got.append(libc("read", one.fd, slow.start, 1 << 16)))
    thread.start()
    slow.touched()
    with refused(errno.EAGAIN):
        os.preadv(one.fd, [bytearray(1 << 16)], -1, os.RWF_NOWAIT)
    slow.let_go()
    thread.join()
    assert payloads(parse_all(slow.map[:got[0]]) + one.drain()) == [str(i) for i in range(40)]


def test_a_session_has_one_name(device, topic):
    one = device(topic)
    with refused(errno.EBUSY):
        one.session(topic + "/other")
    with refused(errno.EBUSY):
        one.session(topic)


def test_a_session_is_named_before_it_subscribes(device, topic):
    one = device().subscribe(topic)
    with refused(errno.EBUSY):
        one.session(topic)
    device().publish(topic)
    assert len(one.read()) == 1


@pytest.mark.parametrize("name, number", [("x" * 257, errno.EINVAL), (b"a\0b", errno.EILSEQ),
                                          (b"\xff", errno.EILSEQ)])
def test_a_name_that_is_no_name_is_refused(device, name, number):
    with refused(number):
        device().session(name)


def test_the_longest_name(device):
    assert not device("n" * 256).present


@pytest.mark.parametrize("conf", [dict(flags=16), dict(flags=1 << 31), dict(policy=5),
                                  dict(inflight=65536), dict(flags=CLEAN), dict(expiry=5)])
def test_a_configuration_that_makes_no_sense_is_refused(device, conf):
    one = device()
    with refused(errno.EINVAL):
        one.session(**conf)


def test_a_session_belongs_to_its_user(device, topic):
    device(topic, expiry=60).subscribe(topic)
    fd = os.open("/dev/kmqtt", os.O_RDWR)
    os.close(fd)
    child = os.fork()
    if not child:
        status = 1
        try:
            os.setgid(os.stat("/dev/kmqtt").st_gid)
            os.setuid(65534)
            Device(topic)
        except OSError as error:
            status = 0 if error.errno == errno.EACCES else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


# ---- acknowledgement

def test_without_manual_acknowledgement_a_message_is_done_with_as_it_is_read(device, topic):
    one = device(topic, expiry=60).subscribe(topic, qos=2)
    device().publish(topic, qos=2)
    [message] = one.read()
    assert not message.ack and one.stats().inflight_messages == 0
    with refused(errno.ENOENT):
        one.ack(message.id)
    one.close()
    assert not device(topic).readable()


def test_what_is_not_acknowledged_comes_again(device, topic):
    one = device(topic, flags=MANUAL_ACK, expiry=60).subscribe(topic, qos=2)
    for i in range(4):
        device().publish(topic, str(i), qos=1 + i % 2)
    messages = one.read()
    assert all(m.ack and not m.dup for m in messages)
    one.ack(messages[1].id)
    assert one.stats().inflight_messages == 3
    one.close()
    two = device(topic, flags=MANUAL_ACK)
    again = two.read()
    assert payloads(again) == ["0", "2", "3"] and all(m.dup for m in again)


def test_acknowledging_up_to(device, topic):
    one = device(flags=MANUAL_ACK).subscribe(topic, qos=1)
    for i in range(4):
        device().publish(topic, str(i), qos=1)
    messages = one.read()
    one.ack(messages[2].id, ACK_UP_TO)
    assert one.stats().inflight_messages == 1
    with refused(errno.ENOENT):
        one.ack(messages[2].id)
    one.ack(messages[3].id)
    with refused(errno.ENOENT):
        one.ack(messages[3].id + 1)
    with refused(errno.ENOENT):
        one.ack(messages[3].id + 1, ACK_UP_TO)
    with refused(errno.EINVAL):
        one.ack(messages[3].id, 2)


def test_qos0_needs_no_acknowledgement(device, topic):
    one = device(flags=MANUAL_ACK).subscribe(topic, qos=2)
    device().publish(topic, qos=0)
    assert not one.read()[0].ack


def test_no_more_than_max_inflight_are_handed_out(device, topic):
    one = device(flags=MANUAL_ACK, inflight=2).subscribe(topic, qos=1)
    for i in range(5):
        device().publish(topic, str(i), qos=1)
    first = one.read()
    assert payloads(first) == ["0", "1"] and not one.readable()
    one.ack(first[0].id)
    assert one.readable() and payloads(one.read()) == ["2"]


def test_an_acknowledgement_wakes_a_reader(device, topic):
    one = device(flags=MANUAL_ACK, inflight=1).subscribe(topic, qos=1)
    for i in range(2):
        device().publish(topic, str(i), qos=1)
    [message] = one.read()
    thread = threading.Timer(0.1, one.ack, (message.id,))
    thread.start()
    assert payloads(one.read()) == ["1"]
    thread.join()


# ---- full queues

def fill(device, topic, count, **more):
    writer = device()
    for i in range(count):
        writer.publish(topic, str(i), **more)
    return writer


@pytest.mark.parametrize("policy, left", [(DROP_NEWEST, ["0", "1", "2"]),
                                          (DROP_OLDEST, ["7", "8", "9"]),
                                          (KEEP_LATEST, ["9"])])
def test_a_full_queue_follows_its_policy(device, topic, policy, left):
    one = device(policy=policy, messages=3).subscribe(topic)
    fill(device, topic, 10)
    stats = one.stats()
    assert stats.dropped_messages == 10 - len(left) and stats.queued_messages == len(left)
    assert payloads(one.read()) == left


def test_keep_latest_is_by_topic(device, topic):
    one = device(policy=KEEP_LATEST).subscribe(topic + "/#")
    writer = device()
    for i in range(3):
        for name in "ab":
            writer.publish(f"{topic}/{name}", str(i))
    assert [(m.topic[-1], m.payload) for m in one.read()] == [("a", b"2"), ("b", b"2")]


def test_a_queue_may_be_limited_in_bytes(device, topic):
    one = device(policy=DROP_NEWEST, size=10000).subscribe(topic)
    writer = device()
    for _ in range(10):
        writer.publish(topic, bytes(3000))
    assert len(one.read()) == 3 and one.stats().dropped_messages == 7


def test_drops_are_reported_to_who_asked(device, topic):
    one = device(flags=REPORT_DROPS, policy=DROP_NEWEST, messages=3).subscribe(topic)
    fill(device, topic, 10)
    messages = one.read()
    assert [(m.id, m.topic, m.payload) for m in messages if m.type == DROPPED] == [(7, "", b"")]
    assert len(messages) == 4
    fill(device, topic, 1)
    assert [m.type for m in one.read()] != [DROPPED]


def test_a_report_of_drops_is_not_lost_either(device, topic):
    one = device(flags=REPORT_DROPS, policy=DROP_NEWEST, messages=1).subscribe(topic)
    fill(device, topic, 3)
    with refused(errno.EMSGSIZE):
        os.read(one.fd, 16)
    assert [m.id for m in one.read() if m.type == DROPPED] == [2]


def test_drops_are_something_to_read(device, topic):
    """Also if there is nothing else: poll() says so, and a reader that waits is woken."""
    one = device(flags=REPORT_DROPS, size=1000).subscribe(topic)
    writer = device()
    for _ in range(2):
        writer.publish(topic, bytes(3000))
    assert one.readable()
    assert [(m.type, m.id) for m in one.read()] == [(DROPPED, 2)]
    assert not one.readable()
    for wait in (lambda: one.readable(10000), lambda: True):
        thread = threading.Timer(0.1, writer.publish, (topic, bytes(3000)))
        thread.start()
        assert wait()
        assert [(m.type, m.id) for m in one.read()] == [(DROPPED, 1)]
        thread.join()


def test_block_tells_a_writer_that_must_not_wait(device, topic):
    one = device(policy=BLOCK, messages=2).subscribe(topic)
    writer = device(mode=os.O_RDWR | os.O_NONBLOCK)
    data = record(topic, "x")
    assert writer.write(data * 5) == 2 * len(data)
    with refused(errno.EAGAIN):
        writer.write(data)
    assert writer.poll() & select.POLLOUT == 0
    assert len(one.read()) == 2
    assert writer.poll() & select.POLLOUT
    assert writer.write(data) == len(data)
    assert one.stats().dropped_messages == 0


def test_block_and_retained(device, topic):
    """What there is no room for is not retained either: it will be written once more."""
    one = device(policy=BLOCK, messages=1).subscribe(topic)
    writer = device(mode=os.O_RDWR | os.O_NONBLOCK)

    def retained():
        with device() as late:
            return [m.payload for m in late.subscribe(topic).drain()]

    writer.publish(topic, "1", flags=RETAIN)
    with refused(errno.EAGAIN):
        writer.publish(topic, "2", flags=RETAIN)
    assert retained() == [b"1"]
    assert [m.payload for m in one.read()] == [b"1"]
    writer.publish(topic, "2", flags=RETAIN)
    assert [m.payload for m in one.read()] == [b"2"]
    assert retained() == [b"2"]
    writer.publish(topic, "", flags=RETAIN)


def test_a_signal_ends_a_publish_that_waits(device, topic):
    """Where it has not gone out; and who must not wait is told so."""
    one = device(policy=BLOCK, messages=1).subscribe(topic, qos=1)
    writer, other = device(), device(mode=os.O_RDWR | os.O_NONBLOCK)
    writer.publish(topic, "1", qos=1)
    data = record(topic, "2", qos=1)
    keep = ctypes.create_string_buffer(data, len(data))
    argument = ctypes.create_string_buffer(PUBLISH.pack(
        PUBLISH.size, 0, ctypes.addressof(keep), len(data), 0))
    with alarms(), refused(errno.EINTR):
        libc("ioctl", writer.fd, ctypes.c_ulong(IOC_PUBLISH), argument)
    with refused(errno.EAGAIN):
        other.publish_wait(data)
    assert payloads(one.drain()) == ["1"]
    with refused(errno.ENOLINK):
        writer.publish_wait(data)
    assert payloads(one.drain()) == ["2"]


@pytest.mark.parametrize("edge", [0, select.EPOLLET])
def test_a_blocked_writer_is_woken_by_epoll(device, topic, edge):
    one = device(policy=BLOCK, messages=1).subscribe(topic)
    writer = device(mode=os.O_RDWR | os.O_NONBLOCK)
    epoll = select.epoll()
    epoll.register(writer.fd, select.EPOLLOUT | edge)
    assert epoll.poll(0)
    writer.publish(topic)
    with refused(errno.EAGAIN):
        writer.publish(topic)
    assert epoll.poll(0) == []
    one.read()
    assert epoll.poll(60) == [(writer.fd, select.EPOLLOUT)]
    writer.publish(topic)


def test_block_makes_a_writer_wait(device, topic):
    one = device(policy=BLOCK, messages=2).subscribe(topic)
    writer, done = device(), []

    def write():
        for i in range(20):
            writer.publish(topic, str(i))
            done.append(i)

    thread = threading.Thread(target=write)
    thread.start()
    wait_until(lambda: len(done) == 2)
    time.sleep(0.1)
    assert len(done) == 2
    got = []
    while len(got) < 20:
        got += payloads(one.read())
    thread.join()
    assert got == [str(i) for i in range(20)] and one.stats().dropped_messages == 0


def test_block_makes_a_batch_wait(device, topic):
    """The reader sleeps in read() when the batch comes: it is woken before the writer waits."""
    one = device(policy=BLOCK, messages=3).subscribe(topic)
    other = device().subscribe(topic)
    writer, got = device(), []

    def read():
        while len(got) < 100:
            got.extend(payloads(one.read()))

    thread = threading.Thread(target=read)
    thread.start()
    time.sleep(0.1)
    data = b"".join(record(topic, str(i)) for i in range(100))
    assert writer.write(data) == len(data)
    thread.join()
    assert got == [str(i) for i in range(100)] and one.stats().dropped_messages == 0
    assert payloads(other.read()) == got


@pytest.mark.parametrize("ending", ["close", "tune", "kill"])
def test_a_writer_waits_no_longer_than_for_the_subscriber(device, topic, ending):
    one = device(policy=BLOCK, messages=1).subscribe(topic)
    writer, done = device(), []
    writer.publish(topic)
    thread = threading.Thread(target=lambda: (writer.publish(topic), done.append(1)))
    thread.start()
    time.sleep(0.1)
    assert not done
    if ending == "close":
        one.close()
    elif ending == "tune":
        one.session(policy=DROP_OLDEST, messages=1)
    else:
        one.unsubscribe(topic)
        one.read()
    thread.join()
    assert done


def test_a_blocked_writer_that_loses_its_session_is_told(device, topic):
    device(policy=BLOCK, messages=1).subscribe(topic)
    writer, got = device(topic), []
    writer.publish(topic)

    def write():
        try:
            writer.publish(topic)
        except OSError as error:
            got.append(error.errno)

    thread = threading.Thread(target=write)
    thread.start()
    time.sleep(0.1)
    device(topic)
    thread.join()
    assert got == [errno.ESHUTDOWN]


def test_statistics(device, topic):
    one = device(policy=DROP_NEWEST, messages=2).subscribe(topic, qos=1)
    writer = device()
    for _ in range(3):
        writer.publish(topic, b"12345", qos=1)
    size = 5 + len(topic)
    before = one.stats()
    assert before.queued_messages == 2 and before.queued_bytes >= 2 * size
    assert before.dropped_messages == 1 and before.subscriptions == 1
    one.read()
    after, own = one.stats(), writer.stats()
    assert (after.delivered_messages, after.delivered_bytes) == (2, 2 * size)
    assert after.queued_messages == after.queued_bytes == 0
    assert (own.published_messages, own.published_bytes) == (3, 3 * size)

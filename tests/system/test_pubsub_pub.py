# SPDX-License-Identifier: GPL-2.0
"""kmqtt pub: where payloads come from, how large they may be, and what goes wrong."""

import os
import stat

import pytest

import kmqtt_dev
from kmqtt_broker import PUBACK, Fake
from kmqtt_uplink import OUT, UP, Uplink
from pubsub import BITS, Kmqtt, Running

@pytest.fixture
def kmqtt():
    """The programs; of 64 bits, unless a test asks for both."""
    return Kmqtt()


def one(reader):
    """The next message, which must be there."""
    messages = reader.drain()
    assert len(messages) == 1
    return messages[0]


@pytest.fixture
def reader(device, topic):
    """A device that has subscribed to everything below the topic."""
    opened = device()
    opened.subscribe(topic + "/#", qos=2)
    return opened


@BITS
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_message(kmqtt, reader, topic, qos):
    kmqtt.publish("-t", topic, "-m", "payload", "-q", str(qos))
    message = one(reader)
    assert (message.topic, message.payload, message.qos) == (topic, b"payload", qos)
    assert not message.retain and message.props == b"" and message.expiry == 0


@BITS
def test_binary_and_large_files(kmqtt, reader, topic, tmp_path):
    """Every byte, and more than one page, one pipe and one read()."""
    for size in (1, 255, 4096, 65536, 1 << 20, (2 << 20) - 1000):
        data = (bytes(range(256)) * (size // 256 + 1))[:size]
        path = tmp_path / "data"
        path.write_bytes(data)
        for args, stdin in ((["-f", str(path)], None), (["-s"], data)):
            if size > reader.info().max_packet_size - 100:
                continue
            kmqtt.publish("-t", topic, *args, data=stdin)
            message = parse_large(reader, size)
            assert message.payload == data


def parse_large(reader, size):
    data = os.read(reader.fd, size + 4096)
    message = kmqtt_dev.parse(data)
    assert message.len == len(data)
    return message


def test_empty_file(kmqtt, reader, topic, tmp_path):
    (tmp_path / "empty").write_bytes(b"")
    kmqtt.publish("-t", topic, "-f", str(tmp_path / "empty"))
    assert one(reader).payload == b""


def test_file_that_is_a_pipe(kmqtt, reader, topic):
    with Running(["/bin/sh", "-c", "seq 1000 | kmqtt_pub -f /dev/fd/0 -t " + topic]) as shell:
        assert shell.end().status == 0
    assert one(reader).payload == b"".join(b"%d\n" % n for n in range(1, 1001))


@BITS
def test_too_large(kmqtt, reader, topic, tmp_path):
    """Larger than max_packet_size: an error, and nothing was published."""
    path = tmp_path / "large"
    with open(path, "wb") as file:
        file.truncate(reader.info().max_packet_size)
    done = kmqtt.run("pub", "-t", topic, "-f", str(path))
    assert done == (9, b"", b"Error: Message payload is too large.\n")
    assert reader.drain() == []


@BITS
def test_lines_as_they_come(kmqtt, reader, topic):
    """A line is published at once, not when the input ends."""
    with kmqtt.start("pub", "-t", topic, "-l", "-q", "1") as pub:
        for number in range(3):
            pub.process.stdin.write(b"line %d\n" % number)
            pub.process.stdin.flush()
            assert reader.readable(10000)
            assert one(reader).payload == b"line %d" % number
        assert pub.end(b"rest without an end") == (0, b"", b"")
    assert one(reader).payload == b"rest without an end"


def test_retain(kmqtt, device, topic):
    kmqtt.publish("-t", topic, "-m", "kept", "-r")
    late = device()
    late.subscribe(topic)
    message = one(late)
    assert message.payload == b"kept" and message.retain
    kmqtt.publish("-t", topic, "-r", "-n")
    later = device()
    later.subscribe(topic)
    assert later.drain() == []


@BITS
def test_properties(kmqtt, reader, topic):
    """All that a message can have, on the wire as the standard says (MQTT 5.0, 3.3.2.3)."""
    kmqtt.publish("-t", topic, "-m", "x", "-D", "publish", "payload-format-indicator", "1",
                  "-D", "publish", "message-expiry-interval", "1000",
                  "-D", "publish", "content-type", "text/plain",
                  "-D", "publish", "response-topic", "a/b", "-D", "publish", "correlation-data",
                  "c", "-D", "publish", "user-property", "k", "v", "-D", "PUBLISH",
                  "user-property", "k", "")
    message = one(reader)
    assert 0 < message.expiry <= 1000
    assert message.props == (b"\x01\x01\x03\0\x0atext/plain\x08\0\x03a/b\x09\0\x01c"
                             b"\x26\0\x01k\0\x01v\x26\0\x01k\0\0")


def test_properties_of_an_old_version(kmqtt, reader, topic):
    kmqtt.publish("-t", topic, "-m", "x", "-D", "publish", "content-type", "a", "-V", "mqttv311")
    assert one(reader).props == b""


def test_alias_has_no_effect(kmqtt, reader, topic):
    done = kmqtt.run("pub", "-t", topic, "-m", "x", "-D", "publish", "topic-alias", "3")
    assert done == (0, b"", b"Note: no effect, since messages go through /dev/kmqtt: "
                            b"-D publish topic-alias\n")
    assert one(reader).topic == topic


def test_connection_options(kmqtt, reader, topic):
    """Accepted, with one line that says so; the topic of a URL counts."""
    done = kmqtt.run("pub", "-h", "host", "-p", "1883", "-u", "user", "-P", "pw", "-L",
                     f"mqtts://u:p@host:1/{topic}", "-m", "x")
    assert done == (0, b"", b"Note: no effect, since messages go through /dev/kmqtt: "
                            b"-h, -p, -u, -P, -L (but for its topic)\n")
    assert one(reader).topic == topic
    assert kmqtt.run("pub", "-h", "host", "-t", topic, "-m", "x", "--quiet") == (0, b"", b"")


@pytest.mark.parametrize("bad", ["", "/x" * 40000])
def test_bad_topics(kmqtt, bad):
    """What the kernel refuses is an error, where Mosquitto's exit status says nothing."""
    done = kmqtt.run("pub", "-t", bad, "-m", "x")
    assert done.status in (1, 3) and done.err.startswith(b"Error: Invalid ")


def test_no_permission(kmqtt, topic):
    """A process that may not open the device is told so."""
    assert stat.S_IMODE(os.stat("/dev/kmqtt").st_mode) & 0o007 == 0
    done = kmqtt.run("pub", "-t", topic, "-m", "x", user=65534, group=65534, extra_groups=[])
    assert done == (1, b"", b"Error: /dev/kmqtt: Permission denied\n")


@BITS
@pytest.mark.parametrize("qos", ["1", "2"])
def test_wait_without_uplink(kmqtt, reader, topic, qos):
    """--wait: no uplink carries the topic, and nothing else is disturbed."""
    done = kmqtt.run("pub", "-t", topic, "-m", "x", "-q", qos, "--wait", "1")
    assert done == (14, b"", b"Error: no uplink carries this topic\n")
    reader.drain()


@BITS
@pytest.mark.parametrize("reason,status,error", [
    (0x00, 0, b""), (0x10, 0, b""),
    (0x87, 0x87, b"Warning: Publish 1 failed: reason code 135.\n"),
    (None, 27, b"Timed out\n"),
])
def test_wait(kmqtt, topic, reason, status, error):
    """--wait: the broker takes the message, refuses it, or says nothing in time."""
    with Fake() as fake, Uplink("wait", fake, topics=[(topic, OUT, 1)]) as up:
        peer = fake.accept()
        peer.handshake()
        up.wait(UP)
        with kmqtt.start("pub", "-t", topic, "-m", "x", "-q", "1", "--wait",
                         "1" if reason is None else "60") as pub:
            got = peer.published()
            assert (got.topic, got.payload) == (topic, b"x")
            if reason is not None:
                assert pub.process.poll() is None
                peer.ack(PUBACK, got.packet_id, reason)
            assert pub.end() == (status, b"", error)


def test_wait_needs_qos(kmqtt, topic):
    done = kmqtt.run("pub", "-t", topic, "-m", "x", "--wait", "1")
    assert done == (3, b"", b"Error: --wait needs QoS 1 or 2.\n")


def test_debug(kmqtt, topic):
    done = kmqtt.run("pub", "-t", topic, "-m", "abc", "-q", "1", "-r", "-d", "-i", "dbg")
    assert done == (0, b"Client dbg sending PUBLISH (d0, q1, r1, m1, '%s', ... (3 bytes))\n"
                       b"Client dbg sending DISCONNECT\n" % topic.encode(), b"")
    kmqtt.publish("-t", topic, "-n", "-r")

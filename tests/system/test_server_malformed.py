# SPDX-License-Identifier: GPL-2.0
"""Malformed packets of every type to a listener.

For each: the reason code that the standard asks for, where there is one, the end of the
connection, the counter, an event for `kmqtt monitor`; and others do not notice.
"""

import json
import re
import select
import struct
import subprocess
import time

import pytest

from kmqtt_cli import KMQTT
from kmqtt_client import Will, connect_packet, subscribe_packet, unsubscribe_packet
from kmqtt_packet import (
    AUTH, AUTH_DATA, AUTH_METHOD, CONNACK, CONNECT, CONTENT_TYPE, CORRELATION_DATA, DISCONNECT,
    MAXIMUM_PACKET_SIZE, MESSAGE_EXPIRY, PAYLOAD_FORMAT, PINGREQ, PINGRESP, PUBACK, PUBCOMP,
    PUBLISH, PUBREC, PUBREL, REASON_STRING, RECEIVE_MAXIMUM, REQUEST_PROBLEM, REQUEST_RESPONSE,
    RESPONSE_TOPIC, SERVER_REFERENCE, SESSION_EXPIRY, SUBACK, SUBSCRIBE, SUBSCRIPTION_ID,
    TOPIC_ALIAS, TOPIC_ALIAS_MAXIMUM, UNSUBACK, UNSUBSCRIBE, USER_PROPERTY, WILL_DELAY,
    encode_props, packet, publish_packet, string)
from kmqtt_watch import Watch

MALFORMED, PROTOCOL, VERSION, CLIENT_ID = 0x81, 0x82, 0x84, 0x85
FILTER, TOPIC, ALIAS, TOO_LARGE = 0x8f, 0x90, 0x94, 0x95
# The standard names one code for some of it and lets the server choose for the rest.
EITHER = (MALFORMED, PROTOCOL)


@pytest.fixture
def watch(broker):
    with Watch(broker) as one:
        yield one


def block(*props):
    """Properties in this order, each (identifier, value) or bytes."""
    data = b"".join(one if isinstance(one, bytes) else encode_props({one[0]: one[1]})[1:]
                    for one in props)
    return bytes([len(data)]) + data


def ack(kind, body):
    return packet(kind, b"\0\1" + body)


def twice(number, value):
    return block((number, value), (number, value))


# Before the type matters.
HEADERS = {
    "type 0": (b"\0\0", MALFORMED),
    "type 0 with a body": (b"\0\2\0\0", MALFORMED),
    "length of five bytes": (b"\x30\x80\x80\x80\x80\x01", MALFORMED),
    "length longer than it need be": (b"\x30\x80\x00", MALFORMED),
    "PUBACK with flags": (packet(PUBACK, b"\0\1", 2), MALFORMED),
    "PUBREC with flags": (packet(PUBREC, b"\0\1", 1), MALFORMED),
    "PUBREL without flags": (packet(PUBREL, b"\0\1", 0), MALFORMED),
    "PUBCOMP with flags": (packet(PUBCOMP, b"\0\1", 8), MALFORMED),
    "SUBSCRIBE without flags": (packet(SUBSCRIBE, b"\0\1\0\0\1a\0", 0), MALFORMED),
    "UNSUBSCRIBE without flags": (packet(UNSUBSCRIBE, b"\0\1\0\0\1a", 0), MALFORMED),
    "PINGREQ with flags": (packet(PINGREQ, flags=4), MALFORMED),
    "PINGREQ with a body": (packet(PINGREQ, b"\0"), MALFORMED),
    "DISCONNECT with flags": (packet(DISCONNECT, flags=1), MALFORMED),
    "AUTH with flags": (packet(AUTH, b"\0", 1), MALFORMED),
    "CONNACK": (packet(CONNACK, b"\0\0\0"), PROTOCOL),
    "SUBACK": (packet(SUBACK, b"\0\1\0\0"), PROTOCOL),
    "UNSUBACK": (packet(UNSUBACK, b"\0\1\0\0"), PROTOCOL),
    "PINGRESP": (packet(PINGRESP), PROTOCOL),
    "second CONNECT": (connect_packet("again"), PROTOCOL),
    "AUTH without a method": (packet(AUTH, b"\x19\0"), PROTOCOL),
    "AUTH unasked": (packet(AUTH, b"\x19" + block((AUTH_METHOD, "m"))), PROTOCOL),
}

PUBLISHES = {
    "QoS 3": (publish_packet("t", qos=3, packet_id=1), MALFORMED),
    "QoS 0 and DUP": (publish_packet("t", dup=True), EITHER),
    "nothing": (packet(PUBLISH), MALFORMED),
    "topic cut off": (packet(PUBLISH, b"\0\5abc"), MALFORMED),
    "no packet id": (packet(PUBLISH, string("t"), 2), MALFORMED),
    "packet id 0": (publish_packet("t", qos=1), EITHER),
    "packet id 0, QoS 2": (publish_packet("t", qos=2), EITHER),
    "no properties": (packet(PUBLISH, string("t")), MALFORMED),
    "properties cut off": (packet(PUBLISH, string("t") + b"\5\1"), MALFORMED),
    "property length too long": (packet(PUBLISH, string("t") + b"\x80\0"), MALFORMED),
    "property length of five bytes": (packet(PUBLISH, string("t") + b"\x80\x80\x80\x80\1"),
                                      MALFORMED),
    "topic not UTF-8": (publish_packet(b"\xff\xfe"), MALFORMED),
    "topic with a surrogate": (publish_packet(b"\xed\xa0\x80"), MALFORMED),
    "topic with U+0000": (publish_packet(b"a\0b"), MALFORMED),
    "empty topic": (publish_packet(""), PROTOCOL),
    "topic with +": (publish_packet("a/+"), TOPIC),
    "topic with #": (publish_packet("a/#"), TOPIC),
    "alias 0": (publish_packet("t", props={TOPIC_ALIAS: 0}), ALIAS),
    "alias beyond the maximum": (publish_packet("t", props={TOPIC_ALIAS: 65535}), ALIAS),
    "alias that was not set": (publish_packet("", props={TOPIC_ALIAS: 1}), EITHER),
    "response topic with a wildcard": (publish_packet("t", props={RESPONSE_TOPIC: "a/#"}),
                                       (PROTOCOL, TOPIC)),
    "response topic not UTF-8": (publish_packet("t", props={RESPONSE_TOPIC: b"\xff"}), MALFORMED),
    "subscription identifier": (publish_packet("t", props={SUBSCRIPTION_ID: 1}), PROTOCOL),
    "unknown property": (publish_packet("t", props=block(b"\x7f\0")), EITHER),
    "property of CONNECT": (publish_packet("t", props={SESSION_EXPIRY: 1}), EITHER),
    "payload format twice": (publish_packet("t", props=twice(PAYLOAD_FORMAT, 1)), PROTOCOL),
    "payload format 2": (publish_packet("t", props={PAYLOAD_FORMAT: 2}), EITHER),
    "message expiry twice": (publish_packet("t", props=twice(MESSAGE_EXPIRY, 9)), PROTOCOL),
    "content type twice": (publish_packet("t", props=twice(CONTENT_TYPE, "x")), PROTOCOL),
    "correlation twice": (publish_packet("t", props=twice(CORRELATION_DATA, b"x")), PROTOCOL),
    "response topic twice": (publish_packet("t", props=twice(RESPONSE_TOPIC, "x")), PROTOCOL),
    "alias twice": (publish_packet("t", props=twice(TOPIC_ALIAS, 1)), PROTOCOL),
    "half of a user property": (publish_packet("t", props=block(b"\x26\0\1a")), MALFORMED),
    "content type with U+0000": (publish_packet("t", props={CONTENT_TYPE: b"\0"}), MALFORMED),
}

ACKS = {
    "PUBACK cut off": (packet(PUBACK, b"\0"), MALFORMED),
    "PUBREC without anything": (packet(PUBREC), MALFORMED),
    "PUBACK of packet id 0": (packet(PUBACK, b"\0\0"), EITHER),
    "PUBREL of packet id 0": (packet(PUBREL, b"\0\0"), EITHER),
    "PUBACK with the reason of another": (ack(PUBACK, b"\x92"), EITHER),
    "PUBREC with an unknown reason": (ack(PUBREC, b"\xff"), EITHER),
    "PUBREL with the reason of another": (ack(PUBREL, b"\x10"), EITHER),
    "PUBCOMP with the reason of another": (ack(PUBCOMP, b"\x80"), EITHER),
    "PUBACK, properties cut off": (ack(PUBACK, b"\0\1"), MALFORMED),
    "PUBREC, bytes after the properties": (ack(PUBREC, b"\0\0\0"), MALFORMED),
    "PUBREL, reason string twice": (ack(PUBREL, b"\0" + twice(REASON_STRING, "x")), PROTOCOL),
    "PUBCOMP, unknown property": (ack(PUBCOMP, b"\0" + block(b"\x7e")), EITHER),
    "PUBACK, property of another": (ack(PUBACK, b"\0" + block((CONTENT_TYPE, "x"))), EITHER),
    "PUBACK, reason string not UTF-8": (ack(PUBACK, b"\0" + block((REASON_STRING, b"\xff"))),
                                        MALFORMED),
}

SUBSCRIBES = {
    "packet id 0": (subscribe_packet(["t"], 0), EITHER),
    "packet id cut off": (packet(SUBSCRIBE, b"\0"), MALFORMED),
    "no properties": (packet(SUBSCRIBE, b"\0\1"), MALFORMED),
    "no filter": (subscribe_packet([]), PROTOCOL),
    "no options": (packet(SUBSCRIBE, b"\0\1\0" + string("t")), MALFORMED),
    "filter cut off": (packet(SUBSCRIBE, b"\0\1\0\0\5ab\0"), MALFORMED),
    "second filter cut off": (packet(SUBSCRIBE, b"\0\1\0\0\1a\0\0"), MALFORMED),
    "QoS 3": (subscribe_packet([("t", 3)]), EITHER),
    "reserved option 6": (subscribe_packet([("t", 0x40)]), MALFORMED),
    "reserved option 7": (subscribe_packet([("t", 0x80)]), MALFORMED),
    "retain handling 3": (subscribe_packet([("t", 0x30)]), PROTOCOL),
    "no local of a shared one": (subscribe_packet([("$share/g/t", 4)]), PROTOCOL),
    "empty filter": (subscribe_packet([""]), EITHER + (FILTER,)),
    "a+": (subscribe_packet(["a+"]), EITHER + (FILTER,)),
    "#/a": (subscribe_packet(["#/a"]), EITHER + (FILTER,)),
    "share without a filter": (subscribe_packet(["$share/g"]), EITHER + (FILTER,)),
    "share with a wildcard": (subscribe_packet(["$share/+/t"]), EITHER + (FILTER,)),
    "not UTF-8": (subscribe_packet([b"\xff"]), MALFORMED),
    "U+0000": (subscribe_packet([b"a\0"]), MALFORMED),
    "identifier 0": (subscribe_packet(["t"], props={SUBSCRIPTION_ID: 0}), PROTOCOL),
    "identifier twice": (subscribe_packet(["t"], props={SUBSCRIPTION_ID: [1, 2]}), PROTOCOL),
    "identifier of five bytes": (subscribe_packet(["t"], props=block(b"\x0b\x80\x80\x80\x80\1")),
                                 MALFORMED),
    "property of another": (subscribe_packet(["t"], props={CONTENT_TYPE: "x"}), EITHER),
}

UNSUBSCRIBES = {
    "packet id 0": (unsubscribe_packet(["t"], 0), EITHER),
    "no filter": (unsubscribe_packet([]), PROTOCOL),
    "no properties": (packet(UNSUBSCRIBE, b"\0\1"), MALFORMED),
    "filter cut off": (packet(UNSUBSCRIBE, b"\0\1\0\0\2t"), MALFORMED),
    "bad filter": (unsubscribe_packet(["t", "#a"]), EITHER + (FILTER,)),
    "empty filter": (unsubscribe_packet([""]), EITHER + (FILTER,)),
    "not UTF-8": (unsubscribe_packet([b"\x80"]), MALFORMED),
    "property of another": (unsubscribe_packet(["t"], props={SUBSCRIPTION_ID: 1}), EITHER),
}

GOODBYES = {
    "reason of another packet": (packet(DISCONNECT, b"\x01"), EITHER),
    "bytes after the properties": (packet(DISCONNECT, b"\0\0\0"), MALFORMED),
    "properties cut off": (packet(DISCONNECT, b"\0\5\x11"), MALFORMED),
    "server reference": (packet(DISCONNECT, b"\0" + block((SERVER_REFERENCE, "x"))), PROTOCOL),
    "session expiry twice": (packet(DISCONNECT, b"\0" + twice(SESSION_EXPIRY, 0)), PROTOCOL),
    "session expiry that was 0": (packet(DISCONNECT, b"\0" + block((SESSION_EXPIRY, 9))),
                                  PROTOCOL),
    "AUTH, reason of another": (packet(AUTH, b"\x80" + block((AUTH_METHOD, "m"))), EITHER),
    "AUTH, data without method": (packet(AUTH, b"\x18" + block((AUTH_DATA, b"x"))), PROTOCOL),
}

KINDS = {"header": HEADERS, "PUBLISH": PUBLISHES, "ack": ACKS, "SUBSCRIBE": SUBSCRIBES,
         "UNSUBSCRIBE": UNSUBSCRIBES, "goodbye": GOODBYES}


def tuple_of(reasons):
    return reasons if isinstance(reasons, tuple) else (reasons,)


class Told:
    """What the administrator is told of one bad packet: a count each, and an event."""

    def __init__(self, watch):
        self.watch = watch
        self.count = watch.counters()["malformed"]
        self.there = watch.listener()["malformed"]

    def once(self, reason=None):
        """Once more; the event says this reason, or any."""
        self.count += 1
        self.there += 1
        got = self.watch.event("client-malformed")
        assert got["reason"] == reason if reason else got["reason"] >= 0x80
        assert self.watch.counters()["malformed"] == self.count
        assert self.watch.listener()["malformed"] == self.there
        self.watch.listens.ping()


@pytest.mark.parametrize("kind", KINDS)
def test_malformed(broker, watch, kind):
    """DISCONNECT with the reason, and the end."""
    told = Told(watch)
    for what, (data, reasons) in KINDS[kind].items():
        print(what)
        one = broker.connect(version=5)
        one.send(data)
        told.once(one.refused(*tuple_of(reasons)).reason)
    watch.undisturbed()


OLD = {
    "type 0": b"\0\0", "type 15": b"\xf0\0", "CONNACK": packet(CONNACK, b"\0\0"),
    "CONNECT": connect_packet("again", version=4), "length": b"\x30\xff\xff\xff\xff\x7f",
    "PUBLISH": packet(PUBLISH, b"\0\x10abc"), "PUBLISH QoS 3": packet(PUBLISH, b"\0\1t\0\1", 6),
    "PUBACK": packet(PUBACK, b"\0"), "PUBREC": packet(PUBREC, b"\0\1\0"),
    "PUBREL": packet(PUBREL, b"\0\1", 0), "PUBCOMP": packet(PUBCOMP, b"\0\0"),
    "SUBSCRIBE": packet(SUBSCRIBE, b"\0\1\0\1a\3"), "SUBACK": packet(SUBACK, b"\0\1\0"),
    "UNSUBSCRIBE": packet(UNSUBSCRIBE, b"\0\1\0\1"), "UNSUBACK": packet(UNSUBACK, b"\0\1"),
    "PINGREQ": packet(PINGREQ, b"\0"), "PINGRESP": packet(PINGRESP),
    "DISCONNECT": packet(DISCONNECT, b"\0"), "AUTH": packet(AUTH, b"\0\0")}


@pytest.mark.parametrize("version", [3, 4])
def test_malformed_before_5(broker, watch, version):
    """No word to the client, but to the administrator."""
    told = Told(watch)
    for what, data in OLD.items():
        print(what)
        one = broker.connect(version=version)
        one.send(data)
        one.closed()
        told.once()
    watch.undisturbed()


def connect5(props=b"\0", rest=string("c"), flags=2, name="MQTT", level=5):
    """The parts of a CONNECT of MQTT 5.0."""
    return packet(CONNECT, string(name) + struct.pack(">BBH", level, flags, 0) + props + rest)


CONNECTS = {
    "nothing": (packet(CONNECT), None),
    "flags": (b"\x11" + connect5()[1:], None),
    "another packet": (packet(PINGREQ), None),
    "protocol name": (connect5(name="MQXT"), VERSION),
    "protocol name cut off": (packet(CONNECT, b"\0\4MQT"), None),
    "level": (connect5(level=9), VERSION),
    "keep alive cut off": (packet(CONNECT, string("MQTT") + b"\5\2\0"), None),
    "reserved flag": (connect5(flags=3), MALFORMED),
    "will QoS 3": (connect5(rest=string("c") + b"\0" + string("t") + string("m"), flags=0x1e),
                   MALFORMED),
    "will QoS without will": (connect5(flags=0x0a), MALFORMED),
    "will retain without will": (connect5(flags=0x22), MALFORMED),
    "no properties": (packet(CONNECT, string("MQTT") + b"\5\2\0\0"), MALFORMED),
    "properties cut off": (connect5(b"\x20"), MALFORMED),
    "no client id": (connect5(rest=b""), MALFORMED),
    "client id cut off": (connect5(rest=b"\0\5ab"), MALFORMED),
    "client id not UTF-8": (connect5(rest=string(b"\xff")), MALFORMED),
    "client id with U+0000": (connect5(rest=string(b"a\0")), MALFORMED),
    "no will topic": (connect5(flags=6, rest=string("c") + b"\0"), MALFORMED),
    "no will message": (connect5(flags=6, rest=string("c") + b"\0" + string("t")), MALFORMED),
    "will topic with a wildcard": (connect_packet("c", will=Will("a/#")), TOPIC),
    "empty will topic": (connect_packet("c", will=Will("")), EITHER + (TOPIC,)),
    "will topic not UTF-8": (connect_packet("c", will=Will(b"\xff")), MALFORMED),
    "will delay twice": (connect_packet("c", will=Will("t", props=twice(WILL_DELAY, 1))), PROTOCOL),
    "will with a property of another": (connect_packet("c", will=Will("t", props={
        SUBSCRIPTION_ID: 1})), EITHER),
    "no user name": (connect5(flags=0x82), MALFORMED),
    "no password": (connect5(flags=0x42), MALFORMED),
    "user name not UTF-8": (connect_packet("c", username=b"\xff"), MALFORMED),
    "bytes at the end": (connect5(rest=string("c") + b"\0"), MALFORMED),
    "session expiry twice": (connect5(twice(SESSION_EXPIRY, 1)), PROTOCOL),
    "receive maximum 0": (connect_packet("c", props={RECEIVE_MAXIMUM: 0}), PROTOCOL),
    "receive maximum twice": (connect5(twice(RECEIVE_MAXIMUM, 1)), PROTOCOL),
    "maximum packet size 0": (connect_packet("c", props={MAXIMUM_PACKET_SIZE: 0}), PROTOCOL),
    "topic alias maximum twice": (connect5(twice(TOPIC_ALIAS_MAXIMUM, 1)), PROTOCOL),
    "request response 2": (connect_packet("c", props={REQUEST_RESPONSE: 2}), PROTOCOL),
    "request problem 2": (connect_packet("c", props={REQUEST_PROBLEM: 2}), PROTOCOL),
    "method twice": (connect5(twice(AUTH_METHOD, "m")), PROTOCOL),
    "data without a method": (connect_packet("c", props={AUTH_DATA: b"x"}), PROTOCOL),
    "property of another": (connect_packet("c", props={TOPIC_ALIAS: 1}), EITHER),
    "half of a user property": (connect5(block(bytes([USER_PROPERTY]) + b"\0\1a")), MALFORMED),
}


def test_malformed_connect(broker, watch):
    """CONNACK with the reason where it is one of MQTT 5.0, and the end."""
    told = Told(watch)
    connects = watch.counters()["connects"]
    for what, (data, reasons) in CONNECTS.items():
        print(what)
        one = broker.raw(version=5)
        one.send(data)
        if reasons is None:
            one.closed()
        else:
            one.not_connected(*tuple_of(reasons))
        told.once()
    assert watch.counters()["connects"] == connects
    watch.undisturbed()


def test_several_packets_and_then_a_bad_one(broker, watch, topic):
    """What came before it is done, what comes behind it is not."""
    watch.listens.subscribe(topic, qos=2)
    one = broker.connect(version=5)
    one.send(publish_packet(topic, b"before", qos=1, packet_id=1) + b"\0\0" +
             publish_packet(topic, b"behind", qos=1, packet_id=2))
    one.acked(PUBACK, 1)
    one.refused(MALFORMED)
    assert [m.payload for m in watch.listens.fence()] == [b"before"]


def test_log_is_limited_and_has_no_payloads(broker, watch, kernel_log):
    """Ten lines in five seconds for a listener, however much comes."""
    start = time.monotonic()
    said, count = 0, 0
    # the tests before this one may have had all lines of this window
    while count < 100 or not said and time.monotonic() < start + 20:
        count += 1
        one = broker.connect(version=4)
        one.send(publish_packet("secret/#", b"hidden", version=4))
        one.closed()
        for line in kernel_log.lines():
            assert "kmqtt" not in line or not ("secret" in line or "hidden" in line)
            said += bool(re.search(r"kmqtt: client 127\.0\.0\.1:\d+: .*\(0x90\)", line))
    windows = (time.monotonic() - start) // 5 + 2
    assert 1 <= said <= 10 * windows
    watch.undisturbed()


def test_monitor_and_stats_show_it(broker):
    """`kmqtt -j monitor` and `kmqtt -j stats`, as an administrator sees it."""
    before = json.loads(broker.kmqtt("-j", "stats"))["malformed"]
    with subprocess.Popen([KMQTT, "-n", broker.netns, "-j", "monitor", "event",
                           "client-malformed"], stdout=subprocess.PIPE, text=True) as monitor:
        try:
            told = None
            while not told:     # it may not listen yet when the first one is sent
                one = broker.connect(version=5)
                one.send(b"\0\0")
                one.refused(MALFORMED)
                if select.select([monitor.stdout], [], [], 0.5)[0]:
                    told = monitor.stdout.readline()
                    assert told, "the monitor ended"
        finally:
            monitor.terminate()
    event = json.loads(told)
    assert event["event"] == "client-malformed"
    assert event["reason"] == MALFORMED
    assert event["peer"].startswith("127.0.0.1:")
    assert json.loads(broker.kmqtt("-j", "stats"))["malformed"] > before

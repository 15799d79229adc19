# SPDX-License-Identifier: GPL-2.0
"""Sessions that were recorded (streams/record), and what has to come of bytes that are sent again.

    for name in NAMES:
        one = Record(name, 7)           # with topics r00007/..., which no other round has
        want = FromClient(one.said[CLIENT][:20], one)
        want.answers                    # what a listener has to say: type, packet identifier
        want.messages                   # what it has to publish: topic, payload

What was recorded is right, and what is not as recorded is judged by kmqtt_judge.py, for a listener;
where the standards leave a choice, nothing of what follows is sure.
"""

import functools
import glob
import os

from kmqtt_judge import BAD, EITHER, END, GOOD, connect, judge
from kmqtt_packet import (
    AUTH, AUTH_METHOD, CONNACK, CONNECT, DISCONNECT, MAXIMUM_PACKET_SIZE, PINGREQ, PINGRESP,
    PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, SESSION_EXPIRY, SUBACK, SUBSCRIBE, TOPIC_ALIAS,
    UNSUBACK, UNSUBSCRIBE, WILL_DELAY, Reader, parse_connect)

CLIENT, SERVER = BOTH_WAYS = ">", "<"
HERE = os.path.join(os.path.dirname(os.path.realpath(__file__)), "streams")
NAMES = sorted(os.path.basename(name)[:-4] for name in glob.glob(f"{HERE}/*.txt"))
ROOT = b"r00000"


def packets(data):
    """The whole packets at the beginning, and what is left: part of one, or none at all."""
    out = []
    while True:
        size = shift = 0
        at = 1
        while at < min(len(data), 5):
            size |= (data[at] & 127) << shift
            shift += 7
            at += 1
            if not data[at - 1] & 128:
                break
        # no packet has a length that is longer than need be
        if at == 1 or data[at - 1] & 128 or (at > 2 and not data[at - 1]) or len(data) < at + size:
            return out, data
        out.append(data[:at + size])
        data = data[at + size:]


def body_of(one):
    """Of a whole packet, what is behind its length."""
    at = 1
    while one[at] & 128:
        at += 1
    return one[at + 1:]


@functools.cache
def read(name):
    """What either side has said."""
    said, arrow = dict.fromkeys(BOTH_WAYS, b""), None
    with open(os.path.join(HERE, f"{name}.txt"), encoding="ascii") as file:
        for line in file:
            if line[0] != "#":
                arrow = line[0] if line[0] != " " else arrow
                said[arrow] += bytes.fromhex(line[1:])
    return said


class Record:
    """One session, with topics and client identifiers of its own."""

    def __init__(self, name, number=0):
        self.root = b"r%05d" % number
        self.said = {k: v.replace(ROOT, self.root) for k, v in read(name).items()}
        self.version = parse_connect(body_of(packets(self.said[CLIENT])[0][0])).level

    def filters(self):
        """To how many the client has subscribed at once, as its SUBACK says."""
        return next((len(body_of(one)) - 2 - self.suback_props(one)
                     for one in packets(self.said[SERVER])[0] if one[0] >> 4 == SUBACK), 1)

    def suback_props(self, one):
        return 1 + body_of(one)[2] if self.version == 5 else 0


class Outcome:
    """What has to come of the bytes of one side."""

    def __init__(self, data, record, way):
        self.record = record
        self.version = record.version
        self.answers, self.messages = [], []
        # The whole packets are these; then the connection ends, or all that follows is open.
        self.end, self.sure = None, True
        self.aliases = {}
        # Of the last PUBLISH.
        self.topic = None
        self.right = True
        # Where the packet begins.
        self.at = done = 0
        whole, left = packets(data)
        for one in whole:
            self.at, done = done, done + len(one)
            self.right = record.said[way].startswith(data[:done])
            self.take(one[0], body_of(one))
            if self.end or not self.sure:
                return
        # its head may be enough to refuse a packet
        self.right = record.said[way].startswith(data)
        self.sure = self.right or not left

    def take(self, first, body):
        raise NotImplementedError

    def published(self, first, body):
        """A PUBLISH, which is right: its packet identifier, and what it says."""
        r, qos = Reader(body), first >> 1 & 3
        topic = r.string()
        number = r.number(2) if qos else 0
        props = r.props() if self.version == 5 else {}
        alias = props.get(TOPIC_ALIAS)
        topic = topic or self.aliases[alias]
        if alias:
            self.aliases[alias] = topic
        return qos, number, (topic.decode(), r.data)

    def message(self, first, body, open_ids):
        qos, number, message = self.published(first, body)
        self.topic = message[0]
        if qos < 2 or number not in open_ids:
            self.publish(message)
        if qos == 2:
            open_ids.add(number)
        if qos:
            self.answers.append((PUBREC if qos == 2 else PUBACK, number))

    def publish(self, message):
        if message[0].startswith(self.record.root.decode() + "/"):
            self.messages.append(message)


class FromClient(Outcome):
    """To a listener, with a kmqtt_auth.Porter that asks twice."""

    def __init__(self, data, record):
        self.hello = self.will = self.method = None
        self.live = self.subscribed = False
        # What it gets of its own; before which acknowledgements it waits for that: where, what
        self.filters, self.own, self.waits = [], 0, []
        self.ids = set()
        # To what an end may come first.
        self.open = set()
        # By packet identifier of a SUBSCRIBE: its filters' QoS.
        self.granted = {}
        super().__init__(data, record, CLIENT)

    def take(self, first, body):
        if not self.hello:
            verdict = connect(first, body, methods=True)
        elif self.live:
            verdict = judge(first, body, self.version, self.method, self.aliases)
        else:
            verdict = self.before(first)
        if verdict == EITHER and self.right:
            verdict = GOOD
        if verdict == EITHER:
            self.sure = False
        elif verdict == BAD:
            # a session that is kept may be given another end
            kept = self.hello and self.hello.props.get(SESSION_EXPIRY)
            self.sure = self.right or not (first >> 4 == DISCONNECT and kept)
            self.end = BAD
        elif not self.hello:
            self.connect(body)
        elif verdict == END:
            self.end = END
            if not self.live or self.version < 5 or not body or not body[0]:
                self.will = None
        else:
            self.act(first, body)

    def before(self, first):
        """Who is being asked may answer or go; whether that is an answer, nobody knows."""
        if first == AUTH << 4:
            return EITHER
        return END if first == DISCONNECT << 4 and self.right else BAD

    def is_kept(self):
        """Does the session outlive the connection?"""
        if self.version == 5:
            return bool(self.hello.props.get(SESSION_EXPIRY))
        return not self.hello.clean

    def connect(self, body):
        self.hello = parse_connect(body)
        self.version = self.hello.level & 0x7f
        props, will = self.hello.props, self.hello.will
        self.method = props[AUTH_METHOD].decode() if AUTH_METHOD in props else None
        # smaller than what is said to it
        self.sure = props.get(MAXIMUM_PACKET_SIZE, 5000) > 200
        if will:
            self.will = will[0].decode(), will[1]
            # it waits as long as the session may
            self.sure &= not (will[4].get(WILL_DELAY) and props.get(SESSION_EXPIRY))
        self.live = self.method is None
        self.answers.append((CONNACK if self.live else AUTH, 0))

    def act(self, first, body):
        kind, number = first >> 4, int.from_bytes(body[:2], "big")
        answer = {SUBSCRIBE: SUBACK, UNSUBSCRIBE: UNSUBACK, PUBREL: PUBCOMP}.get(kind)
        if kind == AUTH and self.live:
            # what it gets is not in line with the other answers
            self.open.add(AUTH)
            self.sure = self.right
        elif kind == AUTH:
            self.live = True
            self.answers.append((CONNACK, 0))
        elif kind == PUBLISH:
            self.message(first, body, self.ids)
            self.own += bool(first & 6) and any(self.topic.startswith(one) for one in self.filters)
        elif kind == PINGREQ:
            self.answers.append((PINGRESP, 0))
        elif answer:
            self.answers.append((answer, number))
            self.subscribed |= kind == SUBSCRIBE
            if kind == SUBSCRIBE and self.right:
                asked = dict(self.subscribe(body))
                self.filters += asked
                self.granted[number] = list(asked.values())
            self.ids.discard(number if kind == PUBREL else None)
        else:
            # of a message that has been sent, perhaps, with another QoS
            self.sure = self.right or not self.subscribed
            if self.sure and number <= self.own:
                self.waits.append((self.at, PUBREL if kind == PUBCOMP else PUBLISH, number))

    def subscribe(self, body):
        """Of a SUBSCRIBE what topics begin with, as filters end with # or have nothing, and QoS."""
        r = Reader(body[2:])
        if self.version == 5:
            r.props()
        while r.data:
            yield r.string().decode().rstrip("#"), r.number(1) & 3


class FromServer(Outcome):
    """To an uplink that has subscribed once, in one packet.

    What was recorded is sure, and what no server may say.

    Nor is an acknowledgement, if it is @busy: a message of this number may have another QoS.
    """

    def __init__(self, data, record, number=None, busy=False):
        self.number = number
        self.busy = busy
        self.connected = False
        self.ids = set()
        super().__init__(data, record, SERVER)

    def take(self, first, body):
        kind, number = first >> 4, int.from_bytes(body[:2], "big")
        if self.busy and kind in (PUBACK, PUBREC, PUBCOMP):
            self.sure = False
        elif not self.right:
            self.end = BAD if self.is_wrong(first, kind) else None
            self.sure = bool(self.end)
        elif not self.connected:
            self.connected = kind == CONNACK
            self.end = None if self.connected else BAD
        elif kind == PUBLISH:
            self.message(first, body, self.ids)
        elif kind == SUBACK:
            # the only one, and ours, if that is known
            self.sure = self.number is not None
            self.end = None if number == self.number or not self.sure else BAD
            self.number = 0
        elif kind == PUBREC and (len(body) < 3 or body[2] < 0x80):
            self.answers.append((PUBREL, number))
        elif kind == PUBREL:
            self.answers.append((PUBCOMP, number))
            self.ids.discard(number)
        elif kind == DISCONNECT:
            self.end = END
        elif kind in (AUTH, UNSUBACK):
            self.end = BAD

    def is_wrong(self, first, kind):
        """What no server may say to this client, whatever has been said before."""
        if kind == PUBLISH or not self.connected:
            return first & 6 == 6 if self.connected else kind != CONNACK
        flags = 2 if kind == PUBREL else 0
        # 3.1 has flags that are not looked at
        return (kind in (0, CONNECT, CONNACK, SUBSCRIBE, UNSUBSCRIBE, PINGREQ, AUTH)
                or self.version > 3 and first & 15 != flags)


def in_pieces(sock, data, size):
    """Sent so many bytes at a time; whether the peer still takes them or has closed."""
    try:
        for at in range(0, len(data), size or len(data) or 1):
            sock.sendall(data[at:at + size] if size else data)
    except ConnectionError:
        pass


def damage(data, rng, others):
    """Bytes changed, taken out, put in, twice, or another session's."""
    data = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 5])):
        at, size = rng.randrange(len(data)), rng.randrange(1, 9)
        what = rng.randrange(6)
        if what == 0:
            data[at] = rng.choice([0, 1, 0x7f, 0x80, 0xff, rng.randrange(256)])
        elif what == 1:
            data[at] ^= 1 << rng.randrange(8)
        elif what == 2:
            del data[at:at + size]
        elif what == 3:
            data[at:at] = rng.randbytes(size)
        elif what == 4:
            data[at:at] = data[at:at + 8 * size]
        else:
            other = rng.choice(others)
            begin = rng.randrange(len(other))
            data[at:at + 8 * size] = other[begin:begin + 8 * size]
        if not data:
            return b"\0"
    return bytes(data)

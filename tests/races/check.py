# SPDX-License-Identifier: GPL-2.0
"""What is promised to a subscriber of a publisher's messages, and whether it was kept.

Of each topic, messages arrive for the first time in the order in which they were sent, each whole,
with the lower QoS of both sides, and none that was not sent. Then, by that QoS:

 0  none comes twice. To a local reader that is there all the time all of its switch's writers come
 1  all that was acknowledged comes; it comes again only with DUP, where the publisher has not sent
    it again itself, nor an uplink is between
 2  all that was acknowledged comes, once; to a process that acknowledges by itself again only with
    DUP, if it was handed out before and not acknowledged

What Mosquitto sends twice may come twice (abroad.py).
"""

import collections

from ledger import TOPICS, Reader

Got = collections.namedtuple("Got", "number qos dup")


class Sent:
    """What a publisher has sent, and what of it was acknowledged, by topic."""

    def __init__(self, name):
        self.reader = Reader(name)
        self.sent = collections.defaultdict(set)
        self.acked = collections.defaultdict(set)

    def read(self):
        for words in self.reader.lines():
            if words[0] == "s":
                self.sent[words[1]].add(int(words[2]))
            elif words[0] == "a":
                self.acked[words[1]].add(int(words[2]))


class Received:
    """What a subscriber has got, by topic."""

    def __init__(self, name):
        self.reader = Reader(name)
        self.ready = False
        self.got = collections.defaultdict(list)
        self.numbers = collections.defaultdict(set)

    def read(self):
        for words in self.reader.lines():
            if words[0] == "g":
                self.got[words[1]].append(Got(int(words[2]), int(words[3]), words[4] == "1"))
                self.numbers[words[1]].add(int(words[2]))
            elif words[0] == "ready":
                self.ready = True


class Pair:
    """One publisher's messages at one subscriber."""

    def __init__(self, publisher, subscriber, sent, received):
        self.publisher = publisher
        self.subscriber = subscriber
        self.sent = sent
        self.received = received
        self.far = publisher.on != subscriber.on

    def topics(self):
        """Each with the QoS of its messages."""
        for i in range(TOPICS):
            yield f"{self.publisher.where}/{i}", min(self.publisher.qos[i], self.subscriber.qos)

    def wanted(self, topic, qos):
        """Numbers that must come."""
        if qos:
            return self.sent.acked[topic]
        near = self.publisher.is_local and not self.far and self.subscriber.is_local
        return self.sent.acked[topic] if near and self.subscriber.always else set()

    def count(self):
        """How many have come, whether they were promised or not."""
        return sum(len(self.received.got[topic]) for topic, _ in self.topics())

    def missing(self):
        """How many have not come yet."""
        return sum(len(self.wanted(topic, qos) - self.received.numbers[topic])
                   for topic, qos in self.topics())

    def wrongs(self, again):
        """What is wrong, in words. @again: by topic, how often the server sent a message twice"""
        for topic, qos in self.topics():
            lost = sorted(self.wanted(topic, qos) - self.received.numbers[topic])
            if lost:
                yield f"{topic}: {len(lost)} lost: {lost[:10]}"
            yield from (f"{topic}: {text}" for text in self.wrongs_of(topic, qos, again[topic]))

    def wrongs_of(self, topic, qos, again):
        """What is wrong with what came."""
        seen, last = set(), 0
        may_repeat = qos == 1 and (self.far or not self.publisher.is_local)
        for one in self.received.got[topic]:
            if one.number not in self.sent.sent[topic]:
                yield f"{one} was not sent"
            if one.qos != qos:
                yield f"{one} has not QoS {qos}"
            if one.number not in seen:
                if one.number < last:
                    yield f"{one} came behind {last}"
                last = one.number
            elif not may_repeat and not (one.dup and self.may_redeliver(qos)):
                again -= 1
                if again < 0:
                    yield f"{one} came again"
            seen.add(one.number)

    def may_redeliver(self, qos):
        """With DUP, that is."""
        if self.subscriber.is_local:
            return qos > 0 and self.subscriber.mortal
        return qos == 1

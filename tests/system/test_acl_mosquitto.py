# SPDX-License-Identifier: GPL-2.0
"""Mosquitto and the kernel decide alike, with the same ACL file.

For each client each topic is published to, and published by one who may. What came of it is asked
of both, and compared.
"""

import os

import pytest

import kmqtt_server
from kmqtt_client import Client
from kmqtt_packet import PINGREQ, PINGRESP, PUBACK, packet, publish_packet

# Who may do everything. The others are user name (None: none) and client identifier.
ROOT = ("root", "root-client")
PEERS = [(None, "c1"), (None, "joe"), ("joe", "c1"), ("joe", "joe"), ("ann b", "c2"), ("zoe", "c3"),
         ("joe", "a/b"), ("a/b", "c5"), ("joe", "c+x"), ("jo#e", "c6"), ("", "c7"), ("%u", "%c")]

TOPICS = ["a", "a/b", "a/b/c", "b", "open", "open/x", "secret", "secret/x", "with space", "/a", "a/",
          "home/joe", "home/joe/x", "home/ann b/x", "home/a/b/x", "home/a", "home//x",
          "home/%u/x", "dev/c1", "dev/c1/x", "dev/a/b", "dev/a/b/x", "dev/joe/x", "dev/%c/x", "xc1y", "xc1y/joe", "xjoey/joe", "joec1", "joejoe", "joe/c1/joe", "free",
          "free/x", "free/y", "read", "deny", "$other/x", "$other/joe/x", "none"]

ROOT_LINES = "user root\ntopic readwrite #\ntopic readwrite $other/#\n"

FILES = {
    "nothing": "",
    "anonymous": "topic read a/#\ntopic write a/b\ntopic open\ntopic deny a/b/c\n",
    "users": """
topic readwrite open
user joe
topic readwrite a/+
topic read secret/#
user ann b
topic   write   with space
topic readwrite /a
user zoe
topic readwrite #
topic deny secret/#
""",
    "denied first": """
user joe
topic readwrite a/#
topic deny a/b
topic write secret
topic deny secret
topic read a/b
user joe
topic deny open
topic open/#
""",
    "patterns": """
pattern readwrite home/%u/#
pattern read dev/%c/#
pattern write dev/%c
""",
    "patterns denied": """
user joe
topic readwrite home/joe/x
pattern deny home/%u/x
pattern readwrite home/#
pattern deny dev/%c/#
pattern dev/#
""",
    "patterns inside of a level": """
pattern readwrite x%cy
pattern readwrite x%cy/%u
pattern readwrite %u%c
pattern readwrite %u/%c/%u
pattern readwrite $other/%u/#
""",
    "patterns without a name": """
pattern readwrite free
pattern read free/#
pattern deny free/y
topic free/y
""",
    "percent in topics": """
topic readwrite home/%u/#
user joe
topic readwrite dev/%c/#
user %u
topic readwrite home/%u/x
""",
    "wildcards": """
topic readwrite +
user joe
topic readwrite +/+/#
topic deny +/x
user zoe
topic read $other/+
""",
    "words as topics": "topic read\ntopic deny deny\n",
}


class Judge:
    """A broker, and what it says of a client."""

    def __init__(self, broker):
        self.broker = broker
        self.root = self.connect(*ROOT)

    def connect(self, user, client_id):
        client = Client(self.broker.socket(), 5, False)
        self.broker.clients.append(client)
        return client.connect(client_id, username=user, password=user and b"x")

    @staticmethod
    def publish(client):
        """The topics that it may write."""
        out = set()
        for some in TOPICS[:20], TOPICS[20:]:
            ids = {i: topic for i, topic in enumerate(some, 1)}
            client.send(b"".join(publish_packet(topic, b"x", qos=1, packet_id=i, version=5)
                                 for i, topic in ids.items()))
            while ids:
                got = client.acked(PUBACK)
                topic = ids.pop(got.packet_id)
                assert got.reason in (0, 0x10, 0x87)
                if got.reason != 0x87:
                    out.add(topic)
        return out

    @staticmethod
    def received(client):
        """What has come: all, as soon as nothing comes before two answers to a PINGREQ.

        A PINGRESP may overtake what waits (4.6 is about messages): with the next it must be there.
        """
        out, quiet = set(), 0
        while quiet < 2:
            before = len(out)
            client.send(packet(PINGREQ))
            while (got := client.packet()).type != PINGRESP:
                out.add(client.parse_publish(got).topic)
            quiet = quiet + 1 if before == len(out) else 0
        return out

    def decisions(self, user, client_id):
        """The topics that it may write, and read."""
        client = self.connect(user, client_id)
        writes = self.publish(client)
        # if nothing of it may be read, this may be refused, or nothing comes
        for one in "#", "$other/#":
            client.subscribe(one)
        assert self.publish(self.root) == set(TOPICS)
        reads = self.received(client)
        client.close()
        return writes, reads


@pytest.fixture(params=FILES)
def judges(request, tmp_path):
    made = []
    for kind in (kmqtt_server.KmqttServer, kmqtt_server.MosquittoServer):
        own = tmp_path / kind.__name__
        os.mkdir(own)
        made.append(kind(str(own), {"acl": FILES[request.param] + ROOT_LINES}))
    yield [Judge(one) for one in made]
    for one in made:
        one.stop()


def test_same_decisions(judges):
    for peer in PEERS:
        ours, theirs = [judge.decisions(*peer) for judge in judges]
        assert ours[0] == theirs[0], f"{peer} writes"
        assert ours[1] == theirs[1], f"{peer} reads"

# SPDX-License-Identifier: GPL-2.0
"""What Mosquitto does against the standard, as its own log tells.

A client that is gone again before Mosquitto has sent its PUBREL anew gets the PUBLISH anew instead
when it comes the next time (2.0.11, db__message_reconnect_reset_outgoing()): for it, which has
forgotten the packet identifier at the first PUBREL, that is another message of QoS 2.
"""

import collections
import re

LINE = re.compile(r"Sending PUBREL to (?P<released>\S+) \(m(?P<release>\d+)"
                  r"|Received PUBCOMP from (?P<completed>\S+) \(Mid: (?P<complete>\d+)"
                  r"|Sending PUBLISH to (?P<to>\S+) \(d1, q2, r\d, m(?P<publish>\d+), '(?P<topic>.*)', ")


def repeated(log):
    """By client and topic: how often Mosquitto sent a message again that it had released."""
    released, again = set(), collections.defaultdict(collections.Counter)
    for line in log.splitlines():
        found = LINE.search(line)
        if not found:
            continue
        if found["released"]:
            released.add((found["released"], found["release"]))
        elif found["completed"]:
            released.discard((found["completed"], found["complete"]))
        elif (found["to"], found["publish"]) in released:
            released.remove((found["to"], found["publish"]))
            again[found["to"]][found["topic"]] += 1
    return again

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Does the command know all that uapi/kmqtt.yaml has? Prints TAP.

Words of enums in userspace/cli/fields.c, and keywords for what can be set. It reads the YAML by its
indentation, for nothing but the standard library may be needed.
"""

import os
import re
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))

# Enums, and what fields.c calls their words; where it has other words, they are here.
WORDS = {"policy": "policy", "session-type": "session_type", "ack-type": "ack_type",
         "direction": "direction", "link-state": "uplink_state", "acl-who": "acl_who",
         "acl-access": "acl_access", "acl-substitute": "acl_substitute", "event-code": "event"}
# Those of what the command does not do.
NO_WORDS = {"auth-step", "auth-verdict"}
MORE = {"acl-access": ["readwrite"]}
# What is set by a command or in another way than by a keyword of its own.
NO_KEYWORD = {"uplink-new": {"name", "fd", "early-data"}, "switch-set": set(),
              "listener-new": {"ipv4", "ipv6", "scope-id", "port"}}
SOURCES = {"uplink-new": "uplink.c", "switch-set": "switch.c", "listener-new": "listener.c"}

results = []


def read(*path):
    with open(os.path.join(TOP, *path), encoding="utf-8") as file:
        return file.read()


def ok(passed, text):
    results.append(passed)
    print(f"{'ok' if passed else 'not ok'} {len(results)} - {text}")


def section(spec, name):
    """The lines of `name: NAME` up to the next one that is indented as little."""
    match = re.search(rf"^( +)name: {name}\n((?:\1.*\n|\n)*)", spec, re.M)
    return match[2] if match else ""


def entries(spec, name):
    """The words of an enum."""
    text = section(spec, name)
    short = re.search(r"entries: \[(.*)\]", text)
    if short:
        return short[1].split(", ")
    return re.findall(r"^ +name: (\S+)", text, re.M)


def attributes(spec, operation):
    """The attributes of a request."""
    match = re.search(r"request:\n +attributes:.*\n((?: +- \S+\n)+)", section(spec, operation))
    return re.findall(r"- (\S+)", match[1]) if match else []


def main():
    definitions, rest = read("uapi", "kmqtt.yaml").split("\nattribute-sets:", 1)
    operations = rest.split("\noperations:", 1)[1]
    fields = read("userspace", "cli", "fields.c")
    for name in re.findall(r"type: (?:enum|flags)\n    name: (\S+)", definitions):
        if name in NO_WORDS:
            continue
        match = re.search(rf"words_{WORDS.get(name, '-')} = {{\s*\d, {{([^}}]*)}}", fields)
        words = re.findall(r'"(.*?)"', match[1]) if match else []
        expected = entries(definitions, name) + MORE.get(name, [])
        ok(len(words) > 1 and words == expected, f"words of {name}")
    for operation, source in SOURCES.items():
        text = read("userspace", "cli", source)
        asked = attributes(operations, operation)
        ok(len(asked) > 10, f"attributes of {operation}")
        for name in asked:
            if name not in NO_KEYWORD[operation]:
                macro = name.upper().replace("-", "_")
                ok(re.search(rf'PARAM\("[^"]+", A\({macro}\)', text) is not None,
                   f"{operation}: a keyword for {name}")
    print(f"1..{len(results)}")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The agent of Paho Python; see agent.h for what it is told and tells."""

import sys

import paho.mqtt
from paho.mqtt import client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

LEVELS = {3: mqtt.MQTTv31, 4: mqtt.MQTTv311, 5: mqtt.MQTTv5}
CLIENTS = {}


def tell(*words):
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def payload_of(word):
    return b"x" * int(word[1:]) if word.startswith("*") else word.encode()


def props_of(kind, o):
    props = Properties(kind)
    if "content" in o:
        props.ContentType = o["content"]
    if "response" in o:
        props.ResponseTopic = o["response"]
    if "correlation" in o:
        props.CorrelationData = o["correlation"].encode()
    if "user" in o:
        props.UserProperty = tuple(o["user"].split(":"))
    if "expiry" in o:
        props.MessageExpiryInterval = int(o["expiry"])
    return props


def payload_text(payload):
    """A payload that is no word is told by its length and the sum of its bytes."""
    if not payload:
        return "-"
    if len(payload) < 100 and 0 not in payload:
        return payload.decode()
    return f"*{len(payload)}:{sum(payload)}"


def props_text(props):
    if props is None:
        return
    for name, word in (("ContentType", "content"), ("ResponseTopic", "response"),
                       ("MessageExpiryInterval", "expiry")):
        if hasattr(props, name):
            yield f"{word}={getattr(props, name)}"
    if hasattr(props, "CorrelationData"):
        yield f"correlation={props.CorrelationData.decode()}"
    for name, value in getattr(props, "UserProperty", []):
        yield f"user={name}:{value}"
    for number in getattr(props, "SubscriptionIdentifier", []):
        yield f"sub_id={number}"


class Client:
    """One client with its thread."""

    def __init__(self, name, o):
        self.name = name
        self.version = int(o.get("version", 5))
        clean = o.get("clean") != "0"
        more = {} if self.version == 5 else {"clean_session": clean}
        self.mqtt = mqtt.Client(o.get("id", ""), protocol=LEVELS[self.version],
                                reconnect_on_failure=False, **more)
        self.mqtt.on_connect = self.on_connect
        self.mqtt.on_disconnect = lambda *args: tell("disconnected", name, f"code={args[2]}")
        self.mqtt.on_message = self.on_message
        self.mqtt.on_publish = lambda client, data, mid: tell("published", name, "code=0")
        self.mqtt.on_subscribe = self.on_subscribe
        self.mqtt.on_unsubscribe = lambda *args: tell("unsubscribed", name)
        if "login" in o:
            self.mqtt.username_pw_set(o["login"], o.get("password"))
        if "topic" in o:
            self.mqtt.will_set(
                o["topic"], payload_of(o.get("payload", "")), int(o.get("qos", 0)),
                o.get("retain") == "1",
                props_of(PacketTypes.WILLMESSAGE, o) if self.version == 5 else None)
        more = {}
        if self.version == 5:
            props = Properties(PacketTypes.CONNECT)
            if "session" in o:
                props.SessionExpiryInterval = int(o["session"])
            more = {"clean_start": clean, "properties": props}
        self.mqtt.connect("127.0.0.1", 1883, **more)
        self.mqtt.loop_start()

    def on_connect(self, client, data, flags, code, props=None):
        # pylint: disable=unused-argument,too-many-arguments
        ident = getattr(props, "AssignedClientIdentifier", "")
        tell("connected", self.name, f"code={getattr(code, 'value', code)}",
             f"present={flags['session present']}", f"id={ident}")

    def on_subscribe(self, client, data, mid, codes, props=None):
        # pylint: disable=unused-argument,too-many-arguments
        tell("subscribed", self.name, f"code={getattr(codes[0], 'value', codes[0])}")

    def on_message(self, client, data, got):  # pylint: disable=unused-argument
        tell("message", self.name, got.topic, got.qos, int(got.retain),
             payload_text(got.payload), *props_text(getattr(got, "properties", None)))

    def subscribe(self, o):
        if self.version < 5:
            self.mqtt.subscribe(o["filter"], int(o.get("qos", 0)))
            return
        props = Properties(PacketTypes.SUBSCRIBE)
        if "sub_id" in o:
            props.SubscriptionIdentifier = int(o["sub_id"])
        self.mqtt.subscribe(o["filter"], options=SubscribeOptions(
            int(o.get("qos", 0)), noLocal=o.get("no_local") == "1"), properties=props)

    def unsubscribe(self, o):
        self.mqtt.unsubscribe(o["filter"])

    def publish(self, o):
        props = props_of(PacketTypes.PUBLISH, o) if self.version == 5 else None
        self.mqtt.publish(o["topic"], payload_of(o.get("payload", "")), int(o.get("qos", 0)),
                          o.get("retain") == "1", properties=props)

    def disconnect(self, o):  # pylint: disable=unused-argument
        self.mqtt.disconnect()
        self.mqtt.loop_stop()


def main():
    tell("version", paho.mqtt.__version__)
    for line in sys.stdin:
        command, name, *words = line.split()
        o = dict(word.split("=", 1) for word in words)
        if command == "connect":
            CLIENTS[name] = Client(name, o)
        else:
            getattr(CLIENTS[name], command)(o)


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: GPL-2.0
"""Mosquitto's own clients from a shell, against kmqtt: each version of MQTT, each QoS."""

import json
import subprocess

import pytest

from kmqtt_broker import wait_for

VERSIONS = {3: "mqttv31", 4: "mqttv311", 5: "mqttv5"}
ALL = sorted(VERSIONS)


class Shell:
    """Runs clients in the network namespace of a broker."""

    def __init__(self, broker, version):
        self.broker = broker
        self.version = version
        self.started = []

    def words(self, program, *options):
        return ["ip", "netns", "exec", self.broker.netns, program, "-V", VERSIONS[self.version],
                *map(str, options)]

    def run(self, program, *options, status=0, **more):
        done = subprocess.run(self.words(program, *options), capture_output=True, text=True,
                              check=False, timeout=60, **more)
        assert done.returncode == status, done
        return done.stdout

    def subscribe(self, filter_, *options, program="mosquitto_sub"):
        """mosquitto_sub in the background; it has subscribed when this returns."""
        process = subprocess.Popen(  # pylint: disable=consider-using-with
            self.words(program, "-t", filter_, *options), stdout=subprocess.PIPE, text=True)
        self.started.append(process)
        wait_for(lambda: self.broker.subscribed(filter_), text=f"subscription {filter_}")
        return process

    @staticmethod
    def output(process):
        """Of one that ends by itself."""
        out = process.communicate(timeout=60)[0]
        assert process.returncode == 0
        return out

    def close(self):
        for process in self.started:
            process.kill()
            process.communicate()


@pytest.fixture
def shell(request, broker, version):
    one = Shell(broker, version)
    request.addfinalizer(one.close)
    return one


@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("version", ALL)
def test_pub_and_sub(shell, topic, qos):
    sub = shell.subscribe(f"{topic}/+", "-q", qos, "-C", 5, "-F", "%t %q %r %p")
    for i in range(3):
        shell.run("mosquitto_pub", "-t", f"{topic}/x", "-q", qos, "-m", f"message {i}")
    shell.run("mosquitto_pub", "-t", f"{topic}/l", "-q", 2, "-l", input="line 1\nline 2\n")
    assert shell.output(sub).splitlines() == [
        *(f"{topic}/x {qos} 0 message {i}" for i in range(3)),
        *(f"{topic}/l {qos} 0 line {i}" for i in (1, 2))]


@pytest.mark.parametrize("version", ALL)
def test_retained(shell, topic):
    for qos in 0, 1, 2:
        shell.run("mosquitto_pub", "-t", f"{topic}/{qos}", "-q", qos, "-r", "-m", f"kept {qos}")
    got = shell.run("mosquitto_sub", "-t", f"{topic}/#", "-q", 2, "-C", 3, "-F", "%t %q %r %p")
    assert sorted(got.splitlines()) == [f"{topic}/{qos} {qos} 1 kept {qos}" for qos in (0, 1, 2)]
    # with --remove-retained, 2.0.11 does not end by itself
    sub = shell.subscribe(f"{topic}/#", "--remove-retained", "-F", "%r %p")
    wait_for(lambda: topic not in shell.broker.kmqtt("retained", "show"), text="nothing retained")
    sub.terminate()
    got = sub.communicate(timeout=60)[0].splitlines()
    assert sorted(line for line in got if line[0] == "1") == [f"1 kept {qos}" for qos in (0, 1, 2)]


@pytest.mark.parametrize("version", ALL)
def test_will(shell, topic):
    sub = shell.subscribe(f"{topic}/will", "-q", 2, "-C", 1, "-F", "%q %r %p")
    victim = shell.subscribe(f"{topic}/other", "--will-topic", f"{topic}/will", "--will-payload",
                             "gone", "--will-qos", 2)
    polite = shell.subscribe(f"{topic}/third", "--will-topic", f"{topic}/will", "-C", 1)
    shell.run("mosquitto_pub", "-t", f"{topic}/third", "-m", "end", "-q", 1)
    shell.output(polite)
    victim.kill()
    assert shell.output(sub) == "2 0 gone\n"


@pytest.mark.parametrize("version", ALL)
def test_session(shell, topic, ident):
    how = ["-t", topic, "-i", ident, "-q", 2, "-c"]
    if shell.version == 5:
        how += ["-x", 1000]
    shell.run("mosquitto_sub", *how, "-E")
    for i in range(6):
        shell.run("mosquitto_pub", "-t", topic, "-q", 1 + i // 3, "-m", i)
    got = shell.run("mosquitto_sub", *how, "-C", 6, "-F", "%q %p")
    assert got.splitlines() == [f"{1 + i // 3} {i}" for i in range(6)]


@pytest.mark.parametrize("version", ALL)
def test_shared(shell, topic):
    filter_ = f"$share/g/{topic}"
    one = shell.subscribe(filter_, "-q", 1, "-C", 5)
    two = shell.subscribe(filter_, "-q", 1, "-C", 5)
    wait_for(lambda: shell.broker.subscribed(filter_) == 2, text="two subscriptions")
    shell.run("mosquitto_pub", "-t", topic, "-q", 1, "-l",
              input="".join(f"{i}\n" for i in range(10)))
    got = shell.output(one).split() + shell.output(two).split()
    assert sorted(got) == [f"{i}" for i in range(10)]


@pytest.mark.parametrize("version", [5])
def test_request_and_response(shell, topic):
    """mosquitto_rr asks; who answers, finds the question's correlation data."""
    answer = shell.subscribe(f"{topic}/ask", "-C", 1, "-F", "%R %D %p")
    ask = subprocess.Popen(  # pylint: disable=consider-using-with
        shell.words("mosquitto_rr", "-t", f"{topic}/ask", "-e", f"{topic}/told", "-m", "question",
                    "-D", "publish", "correlation-data", "c0ffee"),
        stdout=subprocess.PIPE, text=True)
    assert shell.output(answer) == f"{topic}/told c0ffee question\n"
    shell.run("mosquitto_pub", "-t", f"{topic}/told", "-m", "answer", "-D", "publish",
              "correlation-data", "c0ffee")
    assert shell.output(ask) == "answer\n"


@pytest.mark.parametrize("version", [3, 4])
def test_request_without_properties(shell, topic):
    ask = subprocess.Popen(  # pylint: disable=consider-using-with
        shell.words("mosquitto_rr", "-t", f"{topic}/ask", "-e", f"{topic}/told", "-m", "question"),
        stdout=subprocess.PIPE, text=True)
    wait_for(lambda: shell.broker.subscribed(f"{topic}/told"), text="a subscription")
    shell.run("mosquitto_pub", "-t", f"{topic}/told", "-m", "answer")
    assert shell.output(ask) == "answer\n"


@pytest.mark.parametrize("version", [5])
def test_properties(shell, topic):
    props = ["content-type", "text", "response-topic", "a/b", "correlation-data", "c0ffee",
             "message-expiry-interval", "1000"]
    words = [w for name, value in zip(props[::2], props[1::2])
             for w in ("-D", "publish", name, value)]
    sub = shell.subscribe(topic, "-C", 1, "-F", "%j", "-D", "subscribe", "subscription-identifier",
                          "7")
    shell.run("mosquitto_pub", "-t", topic, "-m", "p", "-D", "publish", "user-property", "n", "v",
              "-D", "publish", "topic-alias", 3, *words)
    got = json.loads(shell.output(sub))
    assert got["payload"] == "p"
    expiry = got["properties"].pop("message-expiry-interval")
    assert 900 < expiry <= 1000
    got["properties"].pop("topic-alias", None)
    # 2.0.11 has the first, later versions have the second
    assert got["properties"].pop("user-properties") in ({"n": "v"}, [{"n": "v"}])
    assert got["properties"] == {
        "content-type": "text", "response-topic": "a/b", "correlation-data": "c0ffee",
        "subscription-identifier": 7}


@pytest.mark.broker(users={"joe": "secret"}, anonymous=False)
@pytest.mark.parametrize("version", ALL)
def test_password(shell, topic):
    shell.run("mosquitto_pub", "-t", topic, "-m", "x", "-u", "joe", "-P", "secret", "-q", 1)
    wrong = 134 if shell.version == 5 else 5
    shell.run("mosquitto_pub", "-t", topic, "-m", "x", "-u", "joe", "-P", "public", status=wrong)

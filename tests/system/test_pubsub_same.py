# SPDX-License-Identifier: GPL-2.0
"""The same steps with Mosquitto's programs and with kmqtt's: the same output and exit status."""

import re

import pytest

from pubsub import Kmqtt, Mosquitto


@pytest.fixture(scope="module")
def mosquitto(tmp_path_factory):
    programs = Mosquitto(tmp_path_factory.mktemp("mosquitto"))
    yield programs
    programs.close()


@pytest.fixture
def same(mosquitto, topic):
    """Run steps with both, and compare what they return."""
    def run(steps):
        theirs = steps(mosquitto, topic)
        ours = steps(Kmqtt(), topic)
        assert plain(ours) == plain(theirs)
        return ours

    return run


def plain(result):
    """Without what differs from run to run."""
    text = re.sub(rb'"tst":(\t?)"[^"]*"', rb'"tst":\1"T"', result.out)
    text = re.sub(rb"mosq-[A-Za-z0-9]*|\(null\)", b"ID", text)
    return result.status, text.replace(b"mosquitto_", b"kmqtt_"), \
        result.err.replace(b"mosquitto_", b"kmqtt_")


FORM = r"%t|%p|%q|%r|%l|%m|%x|%C|%D|%E|%F|%P|%R|%S|%A\n%j"
PROPS = ["-V", "5", "-D", "publish", "content-type", "text/plain",
         "-D", "publish", "correlation-data", "c1", "-D", "publish", "response-topic", "answer/to",
         "-D", "publish", "payload-format-indicator", "1", "-D", "publish", "user-property", "a",
         "b", "-D", "publish", "user-property", "a", "c"]
PAYLOADS = {
    "text": ["-m", "hello"],
    "empty": ["-n"],
    "empty-text": ["-m", ""],
    "utf8": ["-m", "h\u00e9llo \u4e16"],
    "json": ["-m", '{"a":[1,2.5,{"b":null}],"c":"\\u00e9\\n"}'],
    "props": ["-m", "x", *PROPS],
    "retained-live": ["-m", "x", "-r"],
}


@pytest.mark.parametrize("payload,qos", [
    *((payload, str(number % 3)) for number, payload in enumerate(PAYLOADS)),
    ("props", "1"), ("props", "2"),
])
def test_one_message(same, payload, qos):
    """Each kind of message, each QoS, everything that a format can show of it."""
    def steps(programs, topic):
        with programs.subscribe("-V", "5", "-t", topic, "-q", "2", "-C", "1", "-W", "60",
                                "-F", FORM) as sub:
            programs.publish("-t", topic, "-q", qos, *PAYLOADS[payload])
            done = sub.end()
        programs.publish("-t", topic, "-n", "-r")
        return done

    assert same(steps).status == 0


@pytest.mark.parametrize("options", [[], ["-v"], ["-N"], ["-v", "-N"], ["-F", "%J"],
                                     ["-F", "%J", "--pretty"], ["-F", "%t %p", "-N"]], ids=" ".join)
def test_output(same, options):
    def steps(programs, topic):
        with programs.subscribe("-V", "5", "-t", topic + "/#", "-C", "4", "-W", "60",
                                *options) as sub:
            programs.publish("-t", topic, "-m", "1")
            programs.publish("-t", topic + "/a", "-n")
            programs.publish("-t", topic + "/a/b", "-s", data=b"line\nline\n")
            programs.publish("-t", topic + "/c", "-m", '{"x": [true]}')
            return sub.end()

    assert same(steps).status == 0


@pytest.mark.parametrize("filters", [
    ["-t", "T/+"], ["-t", "T/#"], ["-t", "T/a", "-t", "T/b"], ["-t", "T/+/c"], ["-t", "+/+/a"],
    ["-t", "T/#", "-T", "T/a"], ["-t", "T/#", "-T", "T/+/c", "-T", "T/b/#"],
    ["-L", "mqtt://127.0.0.1/T/a"],
], ids=" ".join)
def test_filters(same, filters):
    """What is subscribed, and what is filtered out."""
    def steps(programs, topic):
        args = [word.replace("T", topic, 1) if word != "-T" else word for word in filters]
        if programs.name == "mosquitto":
            args = [word.replace("127.0.0.1", f"127.0.0.1:{programs.port}") for word in args]
        with programs.subscribe("-v", *args, "-t", topic + "/end", "--quiet") as sub:
            for name in ("a", "b", "a/c", "b/c", "a/c/d", "c"):
                programs.publish("-t", f"{topic}/{name}", "-m", name)
            programs.publish("-t", topic + "/end", "-m", "last")
            out = b""
            while not out.endswith(b"last\n"):
                line = sub.process.stdout.readline()
                if not line:
                    break
                out += line
            done = sub.stop()
            done.out = out + done.out
            return done

    assert same(steps).status == 0


@pytest.mark.parametrize("options", [
    ["-C", "3"], ["-C", "3", "-R"], ["--retained-only"], ["-C", "3", "--retain-as-published"],
    ["-C", "3", "-F", "%r %p"], ["-C", "2", "-q", "1"],
], ids=" ".join)
def test_retained(same, options):
    """Two retained messages, then three live ones, of which one is to be retained."""
    def steps(programs, topic):
        for name in ("a", "b"):
            programs.publish("-t", f"{topic}/{name}", "-m", name, "-r", "-q", "1")
        args = [] if "-F" in options else ["-F", "%t %r %p"]
        with programs.subscribe("-V", "5", "-t", topic + "/#", "-W", "60", *args, *options) as sub:
            for name in ("c", "d", "e"):
                programs.publish("-t", f"{topic}/{name}", "-m", name, *(["-r"] * (name == "d")))
            done = sub.end()
        for name in ("a", "b", "d"):
            programs.publish("-t", f"{topic}/{name}", "-n", "-r")
        done.out = b"".join(sorted(done.out.splitlines(True)))
        return done

    assert same(steps).status == 0


def test_remove_retained(same):
    """What was retained is printed, and gone afterwards."""
    def steps(programs, topic):
        for name in ("a", "b"):
            programs.publish("-t", f"{topic}/{name}", "-m", name, "-r")
        with programs.start("sub", "-t", topic + "/#", "-T", topic + "/b", "--remove-retained",
                            "-C", "1", "-v", "-W", "20") as sub:
            first = sub.end()
        with programs.start("sub", "-t", topic + "/#", "-v", "-W", "1") as sub:
            second = sub.end()
        programs.publish("-t", topic + "/b", "-n", "-r")
        second.out = first.out + second.out
        return second

    done = same(steps)
    assert done.status == 27 and done.out.endswith(b"/b b\n") and done.out.count(b"\n") == 2


def test_timeout(same):
    done = same(lambda programs, topic: programs.run("sub", "-t", topic, "-W", "1"))
    assert done == (27, b"", b"Timed out\n")
    done = same(lambda programs, topic: programs.run("sub", "-t", topic, "-W", "1", "--quiet"))
    assert done == (27, b"", b"")


def test_exit_after_subscribe(same):
    assert same(lambda programs, topic: programs.run("sub", "-t", topic, "-E")) == (0, b"", b"")


@pytest.mark.parametrize("signum", [2, 15])
def test_signals(same, signum):
    """SIGINT and SIGTERM end it cleanly, with all that was received printed."""
    def steps(programs, topic):
        with programs.subscribe("-t", topic, "-v") as sub:
            programs.publish("-t", topic, "-m", "one")
            line = sub.process.stdout.readline()
            done = sub.stop(signum)
            done.out = line + done.out
            return done

    assert same(steps).status == 0


@pytest.mark.parametrize("data,qos", [
    pytest.param(b"", "0", id="nothing"), pytest.param(b"\n", "1", id="empty"),
    pytest.param(b"one\n", "0", id="one"), pytest.param(b"one\ntwo\n\nfour", "1", id="four"),
    pytest.param(b"x" * 5000 + b"\nend\n", "0", id="long"),
])
def test_lines(same, data, qos):
    """-l publishes each line."""
    def steps(programs, topic):
        with programs.subscribe("-t", topic, "-q", "1", "-F", "%l:%p", "-C",
                                str(max(1, len(data.splitlines()))), "-W", "60") as sub:
            programs.publish("-t", topic, "-l", "-q", qos, data=data)
            if not data:
                programs.publish("-t", topic, "-m", "none")
            return sub.end()

    assert same(steps).status == 0


@pytest.mark.parametrize("options", [["-m", "x"], ["-n"], ["-s"]], ids=" ".join)
def test_repeat(same, options):
    def steps(programs, topic):
        with programs.subscribe("-t", topic, "-F", "%p.", "-C", "3", "-W", "60") as sub:
            programs.publish("-t", topic, *options, "--repeat", "3", "--repeat-delay", "0.01",
                             data=b"in")
            return sub.end()

    assert same(steps).out.count(b".") == 3


def test_request(same):
    """A request and its answer, with the response topic and the correlation data."""
    def steps(programs, topic):
        with programs.subscribe("-V", "5", "-t", topic + "/ask", "-F", "%R|%D|%p", "-C", "1",
                                "-W", "60") as sub:
            with programs.start("rr", "-t", topic + "/ask", "-e", topic + "/answer", "-m", "what",
                                "-D", "publish", "correlation-data", "id7", "-v",
                                "-W", "60") as asked:
                heard = sub.end()
                where = heard.out.split(b"|")[0].decode()
                programs.publish("-t", where, "-m", "that")
                done = asked.end()
        done.out = heard.out + done.out
        return done

    done = same(steps)
    assert done.status == 0 and done.out.endswith(b"/answer that\n") and b"|id7|what\n" in done.out


def test_request_timeout(same):
    def steps(programs, topic):
        return programs.run("rr", "-t", topic, "-e", topic + "/a", "-m", "x", "-W", "1")

    assert same(steps) == (27, b"", b"Timed out\n")


def test_debug_of_subscribe(same):
    """-d tells what is subscribed and received, in the same words."""
    def steps(programs, topic):
        with programs.subscribe("-d", "-t", topic, "-t", topic + "/b", "-q", "0", "-C", "1", "-W",
                                "60") as sub:
            programs.publish("-t", topic, "-m", "x")
            done = sub.end()
        wanted = re.compile(rb"SUBSCRIBE|Subscribed|received PUBLISH|DISCONNECT")
        done.out = b"".join(line for line in done.out.splitlines(True) if wanted.search(line))
        return done

    assert same(steps).out.count(b"\n") == 5

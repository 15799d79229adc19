# SPDX-License-Identifier: GPL-2.0
"""Wrong command lines: the same words and exit statuses as Mosquitto's clients."""

import os
import re
import subprocess

import pytest

BIN = os.environ["KMQTT_BIN"]
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
ENV = dict(os.environ, HOME="/nonexistent", XDG_CONFIG_HOME="/nonexistent")


# Nothing here is to reach a switch: where the module is loaded its device is out of sight.
HIDDEN = ["unshare", "--mount", "--map-root-user", "sh", "-c",
          'mount -t tmpfs none /dev && exec "$@"', "sh"] if os.path.exists("/dev/kmqtt") else []


def ours(tool, *args, **more):
    return subprocess.run([*HIDDEN, os.path.join(BIN, f"kmqtt_{tool}"), *args],
                          capture_output=True, check=False,
                          **{"env": ENV, "input": b"", **more})


def theirs(tool, *args):
    return subprocess.run([f"mosquitto_{tool}", *args], capture_output=True, check=False,
                          input=b"", env=ENV)


WITH_VALUE = {
    "pub": ["-A", "--cafile", "--capath", "--cert", "--ciphers", "-f", "--file", "-h", "--host",
            "-i", "--id", "-I", "--id-prefix", "-k", "--keepalive", "--key", "--keyform", "-L",
            "--url", "-m", "--message", "-M", "-p", "--port", "-P", "--pw", "--proxy", "--psk",
            "--psk-identity", "-q", "--qos", "--repeat", "--repeat-delay", "-t", "--topic",
            "--tls-alpn", "--tls-engine", "--tls-engine-kpass-sha1", "--tls-version", "-u",
            "--username", "--unix", "-V", "--protocol-version", "--will-payload", "--will-qos",
            "--will-topic", "-x", "-D", "--property"],
    "sub": ["-C", "-F", "--random-filter", "-T", "--filter-out", "-U", "--unsubscribe", "-W"],
    "rr": ["-e", "-F", "-W"],
}

BAD = {
    "pub": [
        "-C 1", "-F x", "-v", "-W 1", "-E", "-R", "-T a", "-U a", "-e a", "--pretty",
        "--foo", "foo",
        "-t a/# -m x", "-t a/+/b -m x", "-t \xff -m x", "-t a -m x -m y", "-t a -n -l",
        "-t a -s -f x", "-q 3", "-q -1", "-p 65536", "-p -1", "-k 4", "-k 65536", "-M 0",
        "-V 4", "-V mqttv3", "-x foo", "-x 4294967296", "-x -2", "-x 1x", "--repeat 0",
        "--repeat -1", "--repeat-delay -1", "-i a -I b", "-I a -i b", "-c", "-c -V 5", "-x -1 -V 5",
        "-x 4294967295 -V 5", "-x \u221e -V 5",
        "-L foo://a/b", "-L mqtt://a", "-L mqtt://a/#", "-L ws",
        "--will-topic a/#", "--will-qos 3", "--will-payload x", "--will-retain",
        "-D publish", "-D publish content-type", "-D foo content-type x", "-D publish foo x",
        "-D publish user-property k", "-D publish will-delay-interval 1",
        "-D connect content-type x",
        "-D publish subscription-identifier 1", "-D puback user-property k v",
        "-D publish payload-format-indicator 256", "-D publish payload-format-indicator -1",
        "-D publish topic-alias 65536", "-D publish topic-alias 0 -t a -m x",
        "-D publish message-expiry-interval 4294967296",
        "-D publish content-type a -D publish content-type b -t a -m x",
        "-D connect receive-maximum 1 -D connect receive-maximum 2 -t a -m x",
        "-D publish content-type \xff", "-D publish user-property \xff a",
        "-D disconnect reason-string", "-D will topic-alias 3",
        "-t a -f /nonexistent/file", "-t a -s",
    ],
    "sub": [
        "", "-m x", "-f x", "-l", "-s", "-n", "-r", "--repeat 1", "-e a", "-t a/#/b", "-t a+",
        "-t +a", "-t #a", "-t \xff", "-T a/#/b -t a", "-T \xff -t a",
        "-U a/#/b", "-U \xff", "-C 0 -t a",
        "-C -1 -t a", "-C x -t a", "-W 0 -t a", "-W x -t a", "--random-filter 0 -t a",
        "-t a -R --retained-only", "-c -t a", "-L mqtt://h/a#", "-t a --will-retain",
    ],
    "rr": [
        "", "-t a -m x", "-t a -e b", "-e b -m x", "-t a -e b/# -m x",
        "-t a/# -e b -m x", "-e \xff",
        "-t a -e b -m x -D publish response-topic c", "-r", "-l", "-C 1", "-E", "-T a",
        "--retained-only", "-c -t a -e b -m x",
    ],
}


def same(tool, args):
    mine, other = ours(tool, *args), theirs(tool, *args)
    assert mine.stderr == other.stderr.replace(b"mosquitto_", b"kmqtt_")
    assert mine.returncode == other.returncode


@pytest.mark.parametrize("tool,option",
                         [(tool, option) for tool, all_ in WITH_VALUE.items() for option in all_])
def test_value_missing(tool, option):
    same(tool, [option])


@pytest.mark.parametrize("tool,line", [(tool, line) for tool, all_ in BAD.items() for line in all_])
def test_bad_line(tool, line):
    """Each word as latin-1, so that a word can be no UTF-8."""
    args = [arg.encode("utf-8" if "\u221e" in arg else "latin-1") for arg in line.split()]
    same(tool, args)


@pytest.mark.parametrize("args", [["-t", "a"], ["-m", "x"], []])
def test_incomplete_pub(args):
    """The error, and then the help."""
    mine, other = ours("pub", *args), theirs("pub", *args)
    assert (mine.returncode, mine.stderr) == (other.returncode, other.stderr)
    assert mine.stdout == ours("pub", "--help").stdout


@pytest.mark.parametrize("tool,line", [("pub", "-t a -m x"), ("sub", "-t a"), ("sub", "-t a -c"),
                                       ("rr", "-t a -e b -m x")])
def test_empty_id(tool, line):
    """An empty id is none: with -c, nobody should think that messages are kept."""
    same(tool, [*line.split(), "-i", ""])


# What Mosquitto 2.0 does wrong, or newer versions do otherwise.
OTHERWISE = {
    ("sub", "-t a --random-filter 200"): "Error: --random-filter chance must be between 0.1-100.0",
    ("sub", "-t a --random-filter x"): "Error: --random-filter chance must be between 0.1-100.0",
    ("sub", "-t a --retain-handling x"): "Error: Unknown value 'x' for --retain-handling.",
    ("pub", "-t a -m x --wait -1"): "Error: --wait argument must be >=0.0.",
    ("pub", "-D publish message-expiry-interval x"): "Error: Property value 'x' not a number.",
    ("pub", "-t a -m x -o"): "Error: -o argument given but no options file specified.",
    ("pub", "-t a -m x -o a -o b"): "Error: Duplicate -o argument given.",
    ("pub", "-t a -m x -o /nonexistent/x"): 'Error: Unable to open file "/nonexistent/x".',
    ("pub", "-D publish payload-format-indicator 2"):
        "Error in PUBLISH properties: A network protocol error occurred when communicating "
        "with the broker.",
}


@pytest.mark.parametrize("tool,line", OTHERWISE)
def test_otherwise(tool, line):
    done = ours(tool, *line.split())
    assert done.returncode == 1
    assert done.stderr.decode().split("\n")[0] == OTHERWISE[tool, line]


def options_in(text):
    """The options that a help text names."""
    words = re.sub(r"[][{},]", " ", text).split()
    return {word for word in words if word.startswith("-") and word.strip("-") and word != "-1"}


@pytest.mark.parametrize("tool", ["pub", "sub", "rr"])
def test_help(tool):
    """Names every option that Mosquitto's help names, and exits as it does."""
    mine, other = ours(tool, "--help"), theirs(tool, "--help")
    assert (mine.returncode, mine.stderr) == (other.returncode, b"")
    missing = options_in(other.stdout.decode()) - options_in(mine.stdout.decode())
    assert missing - {"--property"} == set()
    assert max(len(line) for line in mine.stdout.decode().split("\n")) <= 100


def manual(page):
    """The text of a man page, as it is written."""
    with open(os.path.join(TOP, "man", page), encoding="utf-8") as file:
        return file.read().replace("\\-", "-")


@pytest.mark.parametrize("tool", ["pub", "sub", "rr"])
def test_manual(tool):
    """Names every option of the help text."""
    named = set(re.findall(r"--?[A-Za-z][a-z0-9-]*", manual(f"kmqtt_{tool}.1")))
    assert options_in(ours(tool, "--help").stdout.decode()) - named == set()


def test_manual_of_the_library():
    """Names every function of the header."""
    with open(os.path.join(TOP, "userspace/lib/kmqtt/kmqtt.h"), encoding="ascii") as file:
        functions = set(re.findall(r"^(?:[a-z_]+ )+\*?(kmqtt_\w+)\(", file.read(), re.M))
    assert len(functions) > 30 and functions == set(re.findall(r"(kmqtt_\w+) \(\)",
                                                               manual("libkmqtt.3")))


@pytest.mark.parametrize("page", ["kmqtt_pub.1", "kmqtt_sub.1", "kmqtt_rr.1", "libkmqtt.3", "kmqtt.8"])
def test_manual_is_well_formed(page):
    done = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z",
                           os.path.join(TOP, "man", page)], capture_output=True, check=False,
                          env=dict(ENV, LC_ALL="C.UTF-8", MANROFFSEQ="t"))
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("tool", ["pub", "sub", "rr"])
def test_names(tool):
    """kmqtt TOOL and kmqtt_TOOL are the same program."""
    mine, other = ours(tool, "--version"), theirs(tool, "--version")
    assert mine.returncode == other.returncode
    assert mine.stdout.startswith(f"kmqtt_{tool} version ".encode())
    done = subprocess.run([os.path.join(BIN, "kmqtt"), tool, "--version"], capture_output=True,
                          check=False)
    assert done.stdout.startswith(f"kmqtt {tool} version ".encode())
    assert done.returncode == mine.returncode


@pytest.mark.parametrize("tool,args", [("pub", "-t a -m x"), ("sub", "-t a"),
                                       ("rr", "-t a -e b -m x")])
def test_no_module(tool, args):
    """Says what is missing, as a client that cannot connect; --quiet says nothing."""
    done = ours(tool, *args.split())
    assert done.returncode == theirs(tool, *args.split(), "-p", "1").returncode == 1
    assert done.stderr == b"Error: /dev/kmqtt: no such device; is the module kmqtt loaded?\n"
    assert ours(tool, *args.split(), "--quiet").stderr == b""


def test_no_effect():
    """Options about the connection are named on one line, which --quiet keeps away."""
    line = ("-A 1.2.3.4 --cafile f --capath d --cert f --ciphers c -h h --insecure -k 60 --key f "
            "--keyform pem --nodelay -p 1883 -P pw --proxy p --psk 00 --psk-identity i "
            "--tls-alpn p --tls-engine e --tls-engine-kpass-sha1 s --tls-use-os-certs "
            "--tls-version tlsv1.2 -u user --unix path --will-payload p --will-qos 1 "
            "--will-retain --will-topic t -t a -m x")
    text = ours("pub", *line.split()).stderr.decode().split("\n")
    assert text[0].startswith("Note: no effect, since messages go through /dev/kmqtt: -A, ")
    named = set(text[0].split(": ", 2)[2].split(", "))
    assert named == {word for word in line.split() if word.startswith("-")} - {"-t", "-m"}
    assert text[1].startswith("Error: /dev/kmqtt") and text[2:] == [""]
    assert ours("pub", *line.split(), "--quiet").stderr == b""


def test_options_file(tmp_path):
    """Lines of options, from -o or from the user's folder; the command line counts more."""
    wanted = tmp_path / "kmqtt_pub"
    wanted.write_text("# a comment\n\n-t a/b\n-m two words\n-h host\n")
    note = "Note: no effect, since messages go through /dev/kmqtt: -h"
    assert ours("pub", "-o", str(wanted)).stderr.decode().startswith(note)
    found = ours("pub", env=dict(ENV, XDG_CONFIG_HOME=str(tmp_path)))
    assert found.stderr.decode().startswith(note)
    os.mkdir(tmp_path / ".config")
    os.rename(wanted, tmp_path / ".config" / "kmqtt_pub")
    env = {**ENV, "HOME": str(tmp_path)}
    del env["XDG_CONFIG_HOME"]
    found = ours("pub", env=env)
    assert found.stderr.decode().startswith(note)

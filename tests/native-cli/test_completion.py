# SPDX-License-Identifier: GPL-2.0
"""Completion of bash, with a kernel whose names nobody has chosen well."""

import json
import os
import re
import subprocess

import pytest

BIN = os.environ["KMQTT_BIN"]
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
SCRIPT = """source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
function=$(complete -p "$1" | sed 's/.*-F \\([^ ]*\\).*/\\1/')
$function "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


def complete(*words, path=BIN, program="kmqtt"):
    """What bash offers for the last word."""
    done = subprocess.run(
        ["bash", "-c", SCRIPT, "bash", os.path.join(TOP, "completion", "kmqtt"), program, *words],
        capture_output=True, text=True, check=True,
        env=dict(os.environ, PATH=path + ":" + os.environ["PATH"], LC_ALL="C.UTF-8"))
    assert done.stderr == ""
    return set(done.stdout.split("\n")) - {""}


@pytest.fixture
def names(tmp_path):
    """A kmqtt in front of the real one, for which sessions have these names."""
    def put(*all_):
        listed = json.dumps([{"name": name, "topic": name} for name in all_],
                            separators=(",", ":"), ensure_ascii=False)
        program = tmp_path / "kmqtt"
        program.write_text(f"#!/bin/sh\ncat <<'END'\n{listed}\nEND\n")
        program.chmod(0o755)
        return str(tmp_path)

    return put


@pytest.mark.parametrize("command", ["$(touch {})", "`touch {}`", "${{x:=$(touch {})}}"])
@pytest.mark.parametrize("words", [("session", "kill"), ("retained", "show"), ("sub", "-t")])
def test_names_are_no_commands(names, tmp_path, command, words):
    """Anybody who may publish chooses a topic: the root who presses Tab does not run it."""
    mark = tmp_path / "mark"
    name = command.format(mark)
    offered = complete(*words, "", path=names(name))
    assert not mark.exists()
    # Nor does he when he goes on to press Enter.
    (word,) = offered
    said = subprocess.run(["bash", "-c", f"printf %s {word}"], capture_output=True, text=True,
                          check=True).stdout
    assert said == name and not mark.exists()


def test_names_with_blanks(names):
    path = names("two words", "two", "it's", "h\u00e9llo", 'a"b', "back\\slash")
    kill = ("session", "kill")
    assert {"two\\ words", "two", "it\\'s"} <= complete(*kill, "", path=path)
    assert complete(*kill, "two\\ ", path=path) == {"two\\ words"}
    assert complete(*kill, "'two ", path=path) == {"two words"}
    assert complete(*kill, '"two ', path=path) == {"two words"}
    assert complete(*kill, "'i", path=path) == set()
    assert complete(*kill, "h", path=path) in ({"h\u00e9llo"}, {"$'h\\303\\251llo'"})


def options_of(tool):
    """The options that its help describes or lists."""
    text = subprocess.run([os.path.join(BIN, f"kmqtt_{tool}"), "--help"], capture_output=True,
                          text=True, check=False).stdout
    return set(re.findall(r"^ (--?[A-Za-z][a-z0-9-]*) :", text, re.M))


@pytest.mark.parametrize("tool", ["pub", "sub", "rr"])
def test_options(tool):
    """kmqtt TOOL and kmqtt_TOOL: each option, and what some of them take."""
    wanted = options_of(tool)
    assert len(wanted) > 15
    for offered in complete(tool, "-"), complete("-", program=f"kmqtt_{tool}"):
        assert wanted <= offered and "--cafile" in offered
    assert complete(tool, "-t", "x", "-q", "") == {"0", "1", "2"}
    assert complete("-V", "mqttv3", program=f"kmqtt_{tool}") == {"mqttv31", "mqttv311"}
    assert "publish" in complete(tool, "-D", "")
    assert complete(tool, "-D", "publish", "cont") == {"content-type"}
    assert complete(tool, "-D", "subscribe", "") == {"subscription-identifier", "user-property"}


def test_some_options():
    assert "--retained-only" in complete("sub", "--re") and "-l" not in complete("sub", "-")
    assert complete("sub", "--retain-handling", "n") == {"new", "never"}
    assert complete("pub", "-f", TOP + "/READ") == {TOP + "/README.md"}


def test_bench():
    """Modes and settings, and what those take that have only a few values."""
    assert complete("bench", "localhost", "f") == {"flow", "filters"}
    assert complete("bench", "localhost", "flow", "q") == {"qos"}
    assert complete("bench", "localhost", "version", "") == {"311", "5"}
    assert complete("bench", "localhost", "filters", "wildcard", "") == {"on", "off"}
    assert complete("bench", "localhost", "size", "") == set()

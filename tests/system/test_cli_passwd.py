# SPDX-License-Identifier: GPL-2.0
"""kmqtt passwd, and password files as mosquitto_passwd makes them."""

import os
import pty
import subprocess
import termios

import pytest

from kmqtt_cli import KMQTT, cli, wait_until  # pylint: disable=unused-import
from test_cli_acl import complete

# pylint: disable=redefined-outer-name


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "passwd")


def mosquitto_passwd(*words):
    subprocess.run(["mosquitto_passwd", *words], check=True)


def test_users_are_made_and_shown(cli):
    assert cli.json("passwd") == []
    cli.run("passwd", "add", "joe", "password", "secret")
    cli.run("passwd", "add", "ann b", "-b", "x", "iterations", 7)
    assert cli.json("passwd") == [{"name": "ann b", "iterations": 7},
                                  {"name": "joe", "iterations": 1000}]
    assert cli.run("passwd", "show").splitlines() == ['"ann b" iterations 7',
                                                      "joe iterations 1000"]
    cli.run("passwd", "add", "joe", "iterations", 5, input="from standard input\n")
    assert cli.json("passwd")[1] == {"name": "joe", "iterations": 5}
    cli.run("passwd", "del", "joe")
    assert "no user of that name" in cli.refused("passwd", "del", "joe")
    cli.run("passwd", "flush")
    assert cli.json("passwd") == []


def test_files_of_mosquitto(cli, path):
    mosquitto_passwd("-c", "-b", path, "joe", "secret")
    mosquitto_passwd("-b", path, "ann", "other")
    cli.run("passwd", "add", "old", "password", "x")
    cli.run("passwd", "load", path)
    assert cli.json("passwd") == [{"name": "ann", "iterations": 101},
                                  {"name": "joe", "iterations": 101}]
    # all or none, and the line is named, by the command or with the kernel's words
    with open(path, encoding="ascii") as file:
        good = file.read()
    with open(path, "w", encoding="ascii") as file:
        file.write(good + "kim:$5$c2FsdA==$aGFzaA==\n")
    assert f"{path}:3: an unknown kind of hash" in cli.refused("passwd", "load", path, status=1)
    with open(path, "w", encoding="ascii") as file:
        file.write(good + "# twice\n" + good.splitlines(keepends=True)[0])
    assert f"{path}:4: two users have the same name" in cli.refused("passwd", "load", path)
    assert [one["name"] for one in cli.json("passwd")] == ["ann", "joe"]
    with open(path, "w", encoding="ascii") as file:
        file.write("# nobody\n")
    assert "no user" in cli.refused("passwd", "load", path)
    assert len(cli.json("passwd")) == 2


def test_files_from_before_mosquitto_2(cli, path):
    """One round of SHA-512 is shown as no iterations."""
    mosquitto_passwd("-c", "-b", path, "joe", "secret")
    mosquitto_passwd("-H", "sha512", "-b", path, "kim", "old kind")
    cli.run("passwd", "load", path)
    assert cli.json("passwd") == [{"name": "joe", "iterations": 101},
                                  {"name": "kim", "iterations": 0}]


def test_many_users(cli, path):
    mosquitto_passwd("-c", "-b", path, "u", "secret")
    with open(path, encoding="ascii") as file:
        line = file.read()
    with open(path, "w", encoding="ascii") as file:
        file.writelines(f"{number:05}{line}" for number in range(20000))
    cli.run("passwd", "load", path)
    users = cli.json("passwd")
    assert len(users) == 20000
    assert users[12345] == {"name": "12345u", "iterations": 101}


def test_mosquitto_takes_our_files(cli, path):
    """What is written here lets the same ones in there."""
    cli.run("passwd", "add", "joe", "password", "pä ss", "file", path)
    cli.run("passwd", "add", "ann", "password", "x" * 300, "iterations", 3, "file", path)
    with open(path, "a", encoding="ascii") as file:
        file.write("kim:as it is\n")
    cli.run("passwd", "hash", path)
    conf = path + ".conf"
    with open(conf, "w", encoding="ascii") as file:
        file.write(f"listener 1999\nallow_anonymous false\npassword_file {path}\nuser root\n")
    cli.start("-c", conf, program="mosquitto")

    def status(user, password):
        with cli.inside():
            return subprocess.run(["mosquitto_pub", "-p", "1999", "-t", "x", "-n", "-u", user,
                                   "-P", password], stderr=subprocess.DEVNULL,
                                  check=False).returncode

    def accepted(user, password):
        """Taken or refused by CONNACK; 1 is that nobody listens yet."""
        codes = []
        wait_until(lambda: codes.append(status(user, password)) or codes[-1] != 1)
        return codes[-1] == 0

    assert accepted("joe", "pä ss")
    assert accepted("ann", "x" * 300)
    assert accepted("kim", "as it is")
    assert not accepted("joe", "pass")
    assert not accepted("kim", "as it isn't")


def test_password_from_a_terminal(cli):
    """It is asked for twice and not shown."""
    def typed(*lines):
        master, slave = pty.openpty()
        # whatever happens, the terminal goes before the command is waited for
        with subprocess.Popen([KMQTT, "-n", cli.netns, "passwd", "add", "joe"], stdin=slave,
                              stdout=slave, stderr=slave) as process, \
             open(master, "rb+", buffering=0) as terminal:
            os.close(slave)
            said = b""
            for line in lines:
                while not said.endswith(b": "):
                    said += terminal.read(1)
                assert not termios.tcgetattr(master)[3] & termios.ECHO, "shown, if typed at once"
                terminal.write(line + b"\n")
                said += b"|"
            while True:
                try:
                    data = terminal.read(1024)
                except OSError:     # the other side is closed
                    data = b""
                if not data:
                    break
                said += data
        return process.returncode, said

    status, said = typed(b"secret", b"secret")
    assert status == 0 and b"secret" not in said, said
    assert len(cli.json("passwd")) == 1
    cli.run("passwd", "flush")
    status, said = typed(b"secret", b"Secret")
    assert status == 1 and b"the passwords differ" in said, said
    assert cli.json("passwd") == []


def test_completion(cli):
    cli.run("passwd", "add", "a-user", "password", "x")
    assert complete("passwd", "a") == {"add"}
    assert complete("-n", cli.netns, "passwd", "del", "") == {"a-user"}
    assert complete("passwd", "add", "x", "i") == {"iterations"}

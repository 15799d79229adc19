# SPDX-License-Identifier: GPL-2.0
"""Users with passwords are made, shown, removed, and replaced all at once."""

import errno
import socket

import pytest

from kmqtt_nl import NLM_F_DUMP, SPEC_KMQTT, NlError, attribute, decode, encode

SO_SNDBUFFORCE = 32
MAX = 65536
POLICY = {errno.EINVAL, errno.ERANGE}


def refused(call, *args, **more):
    with pytest.raises(NlError) as error:
        call(*args, **more)
    return error.value


@pytest.fixture(autouse=True)
def flush(nl):
    yield
    nl.do("user-flush")


def user(name, iterations=10, salt=b"salt", digest=bytes(64)):
    return {"name": name, "iterations": iterations, "salt": salt, "hash": digest}


def names(nl):
    return [one["name"] for one in nl.dump("user-get")]


def test_shown_by_name_and_without_hashes(nl):
    nl.do("user-set", **user("zoe"))
    nl.do("user-set", **user("joe", iterations=1000000, salt=b"s" * 64))
    nl.do("user-set", **user("Ann ü"))
    assert nl.dump("user-get") == [{"name": "Ann ü", "iterations": 10},
                                   {"name": "joe", "iterations": 1000000},
                                   {"name": "zoe", "iterations": 10}]
    nl.do("user-set", **user("joe", iterations=1))
    assert nl.dump("user-get")[1] == {"name": "joe", "iterations": 1}
    nl.do("user-del", name="joe")
    assert names(nl) == ["Ann ü", "zoe"]
    nl.do("user-flush")
    assert names(nl) == []


@pytest.mark.parametrize("change, number, text", [
    ({"name": ""}, errno.EINVAL, "an empty name"),
    ({"name": "x" * 16385}, POLICY, None),
    ({"iterations": 1000001}, errno.ERANGE, "integer out of range"),
    ({"salt": b""}, errno.EINVAL, "an empty salt"),
    ({"salt": b"s" * 65}, POLICY, None),
    ({"digest": bytes(63)}, POLICY, None),
    ({"digest": bytes(65)}, POLICY, None),
])
def test_refused(nl, change, number, text):
    """Where there is no text of ours, kernels have different ones."""
    bad = user(**{"name": "joe", **change})
    for call, attrs in (("user-set", bad), ("user-replace", {"entry": [user("ann"), bad]})):
        error = refused(nl.do, call, **attrs)
        assert error.errno in number if number is POLICY else error.errno == number
        assert text in (None, error.text)
        assert error.offset is not None
    assert names(nl) == []


@pytest.mark.parametrize("missing", ["name", "iterations", "salt", "hash"])
def test_all_is_needed(nl, missing):
    bad = user("joe")
    del bad[missing]
    for call, attrs in (("user-set", bad), ("user-replace", {"entry": [bad]})):
        error = refused(nl.do, call, **attrs)
        assert (error.errno, error.text) == (
            errno.EINVAL, "a user needs a name, iterations, salt and hash")
    assert names(nl) == []


def test_del_refused(nl):
    error = refused(nl.do, "user-del", name="nobody")
    assert (error.errno, error.text) == (errno.ENOENT, "no user of that name")
    error = refused(nl.do, "user-del")
    assert error.missing == SPEC_KMQTT.sets["user"]["name"].number


def test_replace_all_or_none(nl):
    nl.do("user-set", **user("old"))
    error = refused(nl.do, "user-replace", entry=[user("b"), user("a"), user("b"), user("c")])
    assert (error.errno, error.text) == (errno.EEXIST, "two users have the same name")
    # header, two entries: it is the third one
    size = len("b\0") + 2 + 4 + 8 + 8 + 68 + 4
    assert error.offset == 20 + 2 * size
    error = refused(nl.do, "user-replace")
    assert (error.errno, error.text) == (errno.EINVAL, "no user: to remove all, flush them")
    assert names(nl) == ["old"]
    nl.do("user-replace", entry=[user("b"), user("a"), user("c")])
    assert names(nl) == ["a", "b", "c"]


def entries(numbers):
    """As attributes, and quickly: there are many."""
    number = SPEC_KMQTT.sets["user"]["entry"].number | 0x8000
    one = attribute(number, encode("user-entry", user("user 00000")))
    head, tail = one.split(b"00000")
    return b"".join(b"%b%05d%b" % (head, n, tail) for n in numbers)


def test_as_many_as_there_may_be(nl):
    nl.sock.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, 16 << 20)
    nl.do_raw("user-replace", entries(reversed(range(MAX))))
    assert names(nl) == [f"user {n:05}" for n in range(MAX)]
    assert nl.parts > 100 and not nl.interrupted
    error = refused(nl.do, "user-set", **user("one more"))
    assert (error.errno, error.text) == (errno.ENOSPC, "too many users")
    error = refused(nl.do_raw, "user-replace", entries(range(MAX + 1)))
    assert (error.errno, error.text) == (errno.ENOSPC, "too many users")
    nl.do("user-set", **user("user 00000", iterations=3))
    nl.do("user-del", name="user 00001")
    assert nl.dump("user-get")[:2] == [{"name": "user 00000", "iterations": 3},
                                       {"name": "user 00002", "iterations": 10}]


def test_dump_that_changes_says_so(nl, netlink):
    nl.do("user-replace", entry=[user(f"{n:03}" + "x" * 200) for n in range(100)])
    nl.send_op("user-get", b"", NLM_F_DUMP)
    assert [decode("user", data[4:]) for _, _, _, data in nl.receive()]
    netlink().do("user-flush")
    nl.answer()
    assert nl.interrupted

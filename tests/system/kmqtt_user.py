# SPDX-License-Identifier: GPL-2.0
"""Run a function as somebody else: another user, without capabilities, in other namespaces."""

import ctypes
import json
import os
import traceback

CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
PR_SET_KEEPCAPS = 8

LIBC = ctypes.CDLL(None, use_errno=True)


def check(result):
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def unshare(flags):
    check(LIBC.unshare(flags))


def setns(path):
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        check(LIBC.setns(fd, 0))
    finally:
        os.close(fd)


def in_child(function):
    """What a function returns in a child process, by way of JSON."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.close(read)
            os.write(write, json.dumps(function()).encode())
            os._exit(0)
        except BaseException:  # pylint: disable=broad-exception-caught
            traceback.print_exc()
        finally:
            os._exit(1)
    os.close(write)
    with os.fdopen(read, "rb") as file:
        text = file.read()
    assert os.waitpid(child, 0)[1] == 0, "the child failed"
    return json.loads(text)


def as_user(uid, function):
    """As a user without any capability and without other groups."""
    def run():
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        return function()

    return in_child(run)


def in_user_namespace(function, network):
    """As root of a new user namespace, with a network namespace of its own or without."""
    def run():
        uid, gid = os.getuid(), os.getgid()
        unshare(CLONE_NEWUSER | (CLONE_NEWNET if network else 0))
        for file, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"),
                           ("gid_map", f"0 {gid} 1")):
            with open(f"/proc/self/{file}", "w", encoding="ascii") as out:
                out.write(text)
        return function()

    return in_child(run)

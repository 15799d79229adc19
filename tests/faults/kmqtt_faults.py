# SPDX-License-Identifier: GPL-2.0
"""Memory that is not there, and addresses that are not either, as the kernel makes believe.

fail-nth: the Nth allocation or user copy of one thread fails, be it of whatever kind:

    walk(Case("subscribe", call, undo))

does `call` with the first one failing, with the second, ... until it ends before its Nth. Each
time it must succeed, and is undone, or fail with one of ERRORS; then it is done once more, without
a fault, and must succeed.
"""

import contextlib
import errno
import os
import threading

from kmqtt_packet import wait_for

DEBUGFS = "/sys/kernel/debug"
KINDS = "failslab", "fail_page_alloc", "fail_usercopy"
# What may become of a system call for which there is no memory, or no page behind an address.
ERRORS = {errno.ENOMEM, errno.ENOBUFS, errno.EFAULT}
# No call has as many allocations: a walk that does not end is a mistake.
STEPS = 5000
TOTALS = "sessions", "subscriptions", "retained_messages", "retained_bytes", "memory"


def put(path, value):
    with open(path, "w", encoding="ascii") as file:
        file.write(str(value))


def knob(kind, name, value):
    put(f"{DEBUGFS}/{kind}/{name}", value)


def set_up():
    """Those that could wait may fail too, and those of a single page."""
    for kind in KINDS:
        knob(kind, "verbose", 0)
    for kind in "failslab", "fail_page_alloc":
        knob(kind, "ignore-gfp-wait", "N")
    knob("fail_page_alloc", "ignore-gfp-highmem", "N")
    knob("fail_page_alloc", "min-order", 0)


def totals(nl):
    """What the switch holds."""
    shown = nl.do("switch-get")
    return {name: shown[name] for name in TOTALS}


def settles(nl, before):
    """It is as it was, as soon as what ends in the background has ended."""
    wait_for(lambda: totals(nl) == before, 20, f"of {totals(nl)}, the end of more than {before}")


class Nth:
    """The Nth fault of this thread."""

    def __init__(self):
        self.fd = os.open(f"/proc/self/task/{threading.get_native_id()}/fail-nth", os.O_RDWR)

    def close(self):
        os.close(self.fd)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def call(self, number, function):
        """Returns its result, or its OSError, and whether the fault happened."""
        text = b"%d" % number
        try:
            os.pwrite(self.fd, text, 0)
            result = function()
        except OSError as error:
            result = error
        return result, self.end()

    def end(self):
        """Did it happen? What asks copies too, so that it may be what it happens to."""
        try:
            left = int(os.pread(self.fd, 16, 0))
        except OSError:
            return False
        with contextlib.suppress(OSError):
            os.pwrite(self.fd, b"0", 0)
        return not left


class Case:
    """A system call, what it needs before and what undoes it, or checks what it gave.

    @refused: called after an error, before it is done once more
    @may: further errors that it may give
    @least: how often it must have failed, for the walk to have met anything
    """

    def __init__(self, name, call, undo=lambda _: None, before=lambda: None, *,
                 refused=lambda: None, may=(), least=1):
        self.name, self.call, self.undo, self.before = name, call, undo, before
        self.refused, self.may, self.least = refused, ERRORS | set(may), least


def walk(case):
    """Returns how often it failed."""
    failed = 0
    with Nth() as nth:
        for number in range(1, STEPS):
            case.before()
            result, hit = nth.call(number, case.call)
            if isinstance(result, OSError):
                assert hit and result.errno in case.may, f"{case.name}, {number}: {result!r}"
                failed += 1
                case.refused()
                result = case.call()
            case.undo(result)
            if not hit:
                break
        else:
            raise AssertionError(f"{case.name} does not end")
    assert failed >= case.least, f"{case.name}: failed {failed} times"
    print(f"{case.name}: {number - 1} steps, {failed} errors")
    return failed

# SPDX-License-Identifier: GPL-2.0
"""Memory that is not there, and addresses that are not either, as the kernel makes believe.

fail-nth: the Nth allocation or user copy of one thread fails, be it of whatever kind:

    walk(Case("subscribe", call, undo))

does `call` with the first one failing, with the second, ... until it ends before its Nth. Each
time it must succeed, and is undone, or fail with one of ERRORS; then it is done once more, without
a fault, and must succeed.

make-it-fail: what a marked task asks for fails by chance, or its Nth copy does and nothing else:

    with Chance("failslab", 5), marked_workers():
        ...                                         # in the module's workers
        Caller()(WRITE, fd, address, size)          # and in this one system call of a thread's
"""

import contextlib
import ctypes
import errno
import glob
import os
import re
import subprocess
import threading

import kmqtt_dev
from kmqtt_packet import PINGREQ, SECONDS, packet, wait_for

HERE = os.path.dirname(os.path.realpath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
DEBUGFS = "/sys/kernel/debug"
KINDS = "failslab", "fail_page_alloc", "fail_usercopy"
# What may become of a system call for which there is no memory, or no page behind an address.
ERRORS = {errno.ENOMEM, errno.ENOBUFS, errno.EFAULT}
# No call has as many allocations: a walk that does not end is a mistake.
STEPS = 5000
# As often a walk is made until it has met what it is for.
WALKS = 10
# Faults that are not to be few.
MANY = 1 << 30
# System calls by their numbers on x86-64.
READ, WRITE, IOCTL = 0, 1, 16
TOTALS = "sessions", "subscriptions", "retained_messages", "retained_bytes", "memory"


def found(pattern, *paths):
    """What a pattern finds in files of the repository."""
    out = []
    for path in paths:
        with open(path, encoding="utf-8") as file:
            out += re.findall(pattern, file.read(), re.M | re.S)
    assert out, f"{pattern} is nowhere in {paths}"
    return out


def ioctls():
    """The numbers of all ioctls of uapi/kmqtt.h, as kmqtt_dev has them, with their names."""
    names = found(r"^#define KMQTT_(IOC_\w+)\s+_IO", os.path.join(TOP, "uapi", "kmqtt.h"))
    return {getattr(kmqtt_dev, name): name for name in names}


def file_operations():
    """Of all files that the module has: the members that are set."""
    return {member for body in found(r"struct file_operations \w+ = {(.*?)^};",
                                     *glob.glob(os.path.join(TOP, "kmod", "port", "*.c")))
            for member in re.findall(r"^\s*\.(\w+) =", body, re.M)}


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

    def count(self, function):
        """How many there could be of a function that succeeds."""
        many = 10 ** 6
        os.pwrite(self.fd, b"%d" % many, 0)
        function()
        left = int(os.pread(self.fd, 16, 0))
        os.pwrite(self.fd, b"0", 0)
        return many - left

    def end(self):
        """Did it happen? What asks copies too, so that it may be what it happens to."""
        try:
            left = int(os.pread(self.fd, 16, 0))
        except OSError:
            return False
        with contextlib.suppress(OSError):
            os.pwrite(self.fd, b"0", 0)
        return not left


class Attentive:
    """For a client: the other side may be gone, and have had no memory to send a reset with.

    Then it answers the next packet with one. One that is there but says nothing is an error.
    """

    def packet(self, seconds=SECONDS):
        try:
            return super().packet(seconds)
        except TimeoutError:
            self.send(packet(PINGREQ))
            super().packet(seconds)
            raise


class TooFew(AssertionError):
    """A walk has not met what it is for."""


class Case:
    """A system call, what it needs before and what undoes it, or checks what it gave.

    @refused: called after an error, before it is done once more
    @may: further errors that it may give
    @least: how often it must have failed, for the walk to have met anything
    @never: it does without what it does not get, and must not fail at all
    """

    def __init__(self, name, call, undo=lambda _: None, before=lambda: None, *,
                 refused=lambda: None, may=(), least=1, never=False):
        self.name, self.call, self.undo, self.before = name, call, undo, before
        self.refused, self.may = refused, set() if never else ERRORS | set(may)
        self.least = 0 if never else least


def walk_by(case, attempt, may, what):
    """
    Each of a case's steps is made to fail once: @attempt(number) gives what came of it, an error or
    not, and whether it was hit. Afterwards it works. Returns how often it failed.
    """
    failed = 0
    for number in range(1, STEPS):
        case.before()
        result, hit = attempt(number)
        if isinstance(result, OSError):
            assert hit and result.errno in may, f"{case.name}, {number}: {result!r}"
            failed += 1
            case.refused()
            result = case.call()
        case.undo(result)
        if not hit:
            break
    else:
        raise AssertionError(f"{case.name} does not end")
    if failed < case.least:
        raise TooFew(f"{case.name}: failed {failed} times")
    print(f"{case.name}: {number - 1} {what}, {failed} errors")
    return failed


def walk(case):
    """The Nth allocation or copy of the calling task fails."""
    with Nth() as nth:
        def attempt(number):
            return nth.call(number, case.call)

        # a page of the interpreter's may be in the way of the only one there is: not each time
        for _ in range(WALKS - 1):
            with contextlib.suppress(TooFew):
                return walk_by(case, attempt, case.may, "steps")
        return walk_by(case, attempt, case.may, "steps")


def fewest_steps(call, before=lambda: None):
    """
    How many steps a call has of its own that succeeds: some of a walk are the interpreter's, which
    may ask for pages in between, but not each time.
    """
    counts = []
    with Nth() as nth:
        for _ in range(10):
            before()
            counts.append(nth.count(call))
    return min(counts)


class Chance:
    """So many of a hundred allocations or copies of marked tasks fail, from the @space-th on."""

    def __init__(self, kind, percent, times=MANY, space=0):
        self.kind, self.times = kind, times
        self.knobs = {"task-filter": "Y", "times": times, "space": space, "probability": percent}

    def __enter__(self):
        for name, value in self.knobs.items():
            knob(self.kind, name, value)
        return self

    def __exit__(self, *_):
        knob(self.kind, "probability", 0)
        knob(self.kind, "task-filter", "N")

    def happened(self):
        """How many have failed."""
        with open(f"{DEBUGFS}/{self.kind}/times", encoding="ascii") as file:
            return self.times - int(file.read())


def workers():
    """The threads that do the work of unbound work queues, as the module's is: their folders."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            with open(f"/proc/{pid}/comm", encoding="ascii") as file:
                if file.read().startswith("kworker/u"):
                    found.append(f"/proc/{pid}")
    return found


def mark(value):
    for one in workers():
        with contextlib.suppress(OSError):
            put(f"{one}/make-it-fail", value)


@contextlib.contextmanager
def marked_workers():
    """Those that are there, and those that are made meanwhile, soon."""
    over = threading.Event()

    def again():
        while not over.wait(1):
            mark(1)

    mark(1)
    thread = threading.Thread(target=again)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        mark(0)


class Workers:
    """The Nth fault of each worker."""

    def __init__(self):
        self.set = {}

    def prepare(self, number):
        self.set = {one: number for one in workers()}
        for one in self.set:
            # those that have nothing to do end at any time
            with contextlib.suppress(OSError):
                put(f"{one}/fail-nth", number)

    def failed(self):
        """Has one of them met its fault? Nothing fails any more."""
        hit = False
        for one in self.set:
            with contextlib.suppress(OSError):
                with open(f"{one}/fail-nth", encoding="ascii") as file:
                    hit |= int(file.read()) == 0
                put(f"{one}/fail-nth", 0)
        self.set = {}
        return hit


class Caller:
    """System calls of one thread in which faults may happen."""

    library = None

    @classmethod
    def build(cls, path):
        subprocess.run(["gcc", "-O1", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", "-o", path,
                        os.path.join(HERE, "call.c")], check=True)
        cls.library = ctypes.CDLL(str(path))
        cls.library.kmqtt_call.restype = ctypes.c_long

    def __init__(self):
        thread = threading.get_native_id()
        self.fd = os.open(f"/proc/self/task/{thread}/make-it-fail", os.O_WRONLY)
        self.late = ctypes.c_bool()

    def close(self):
        os.close(self.fd)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __call__(self, number, *args):
        result = self.library.kmqtt_call(self.fd, ctypes.byref(self.late),
                                         *(ctypes.c_long(one) for one in (number, *args)))
        if result < 0:
            raise OSError(-result, os.strerror(-result))
        return result


def walk_copies(case, caller):
    """
    As walk(), but of a function of @caller with nothing but its Nth user copy failing: returns how
    often it said so. @case.call() is done once more by itself.
    """
    def attempt(number):
        with Chance("fail_usercopy", 100, times=1, space=number) as chance:
            try:
                result = case.call()
            except OSError as error:
                result = error
            return result, chance.happened() and not caller.late.value

    return walk_by(case, attempt, case.may & {errno.EFAULT}, "copies")

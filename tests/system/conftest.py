# SPDX-License-Identifier: GPL-2.0
"""Runs as root where the module may be loaded: in the virtual machine of tests/vm/run."""

import itertools
import os
import re
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.realpath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)

import kmqtt_dev  # pylint: disable=wrong-import-position
import kmqtt_nl  # pylint: disable=wrong-import-position
from kmqtt_server import (  # pylint: disable=wrong-import-position,unused-import
    MOSQUITTO, broker, brokers, ident)

# What a kernel says when something is wrong with it.
BAD = re.compile(r"WARNING:|\bBUG\b|Oops|general protection|KASAN|KCSAN|KFENCE|UBSAN|Call Trace"
                 r"|lockdep|suspicious RCU|refcount_t:|memory leak|detected.*stall"
                 r"|corruption|usercopy|scheduling while atomic|sleeping function")
# As in tests/vm/run: a test of faults has asked for it.
NO_MEMORY = re.compile(r"(kmem_cache_create\w*\(\w+\) failed with error -(12|22)"
                       r"|sysctl could not get directory: \S+ -12)"
                       r"$((?!WARNING:|\bBUG\b|Oops|KASAN).)*?</TASK>$", re.M | re.S)


def loaded():
    with open("/proc/modules", encoding="ascii") as modules:
        return any(line.startswith("kmqtt ") for line in modules)


def module_path():
    """$KMQTT_MODULE, what was built for the kernel of this machine, or what make left."""
    built = os.path.join(TOP, "build", f"kernel-{os.environ.get('KMQTT_KERNEL')}", "kmqtt.ko")
    for path in (os.environ.get("KMQTT_MODULE"), built, os.path.join(TOP, "kmqtt.ko")):
        if path and os.path.exists(path):
            return path
    return pytest.exit("no kmqtt.ko: build it first", 1)


def pytest_configure(config):
    config.addinivalue_line("markers", "broker(**settings): the settings of the fixture broker")


def pytest_collection_modifyitems(config, items):
    """$KMQTT_TEST_SHARE: I/N, the I-th of the N parts in which the tests are run."""
    share = os.environ.get("KMQTT_TEST_SHARE")
    if share:
        this, parts = map(int, share.split("/"))
        others = [item for i, item in enumerate(items) if i % parts != this % parts]
        items[:] = [item for i, item in enumerate(items) if i % parts == this % parts]
        config.hook.pytest_deselected(items=others)


def pytest_runtest_logstart(nodeid):
    """What runs, for tests/vm/run, should the machine hang or die."""
    if "KMQTT_VM_OUT" in os.environ:
        with open(os.path.join(os.environ["KMQTT_VM_OUT"], "test"), "w", encoding="utf-8") as file:
            file.write(nodeid)


@pytest.hookimpl(trylast=True)
def pytest_runtest_logreport(report):
    """A failure is told at once: a machine that hangs later tells no more."""
    if report.failed:
        said = str(report.longrepr).strip().splitlines()
        print(f"\nFAILED {report.nodeid} ({report.when}): {said[-1] if said else ''}",
              file=sys.__stdout__, flush=True)


class Log:
    """What the kernel says from now on."""

    def __init__(self):
        self.fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
        os.lseek(self.fd, 0, os.SEEK_END)

    def lines(self):
        out = []
        while True:
            try:
                text = os.read(self.fd, 8192).decode(errors="replace")
            except BlockingIOError:
                return out
            except BrokenPipeError:
                continue
            out.append(text.split(";", 1)[-1].rstrip("\n"))

    def check(self):
        text = NO_MEMORY.sub("", "\n".join(self.lines()))
        bad = [line for line in text.splitlines() if BAD.search(line)]
        assert not bad, "the kernel complained:\n" + "\n".join(bad)

    def close(self):
        os.close(self.fd)


@pytest.fixture(scope="session", autouse=True)
def module():
    """The module, loaded for all tests; taken out at the end if it was loaded here."""
    if MOSQUITTO or loaded():
        yield
        return
    log = Log()
    subprocess.run(["modprobe", "-q", "tls"], check=False)
    subprocess.run(["insmod", module_path()], check=True)
    yield
    # Refused if any test has leaked a file, a namespace or a process.
    subprocess.run(["rmmod", "kmqtt"], check=True)
    assert not loaded()
    log.check()
    log.close()


@pytest.fixture(autouse=True)
def kernel_log(module):  # pylint: disable=redefined-outer-name,unused-argument
    """Each test fails if the kernel complained while it ran."""
    if MOSQUITTO:
        yield None
        return
    log = Log()
    yield log
    log.check()
    log.close()


NUMBERS = itertools.count(1)


@pytest.fixture
def topic(request):
    """A topic name that no other test uses."""
    return f"{re.sub('[^a-z0-9_]', '-', request.node.name.lower())}/{next(NUMBERS)}"


@pytest.fixture
def device():
    """A function that opens /dev/kmqtt as kmqtt_dev.Device does; closed after the test."""
    opened = []

    def make(*args, **more):
        opened.append(kmqtt_dev.Device(*args, **more))
        return opened[-1]

    yield make
    for one in opened:
        one.close()
        for ring in one.rings:
            ring.close()


@pytest.fixture
def netlink():
    """A function that opens a kmqtt_nl.Netlink; closed after the test."""
    opened = []

    def make(*args, **more):
        opened.append(kmqtt_nl.Netlink(*args, **more))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


@pytest.fixture
def nl(netlink):  # pylint: disable=redefined-outer-name
    """A socket of the administrator's."""
    return netlink()

# SPDX-License-Identifier: GPL-2.0
"""The module is loaded, and a namespace gets its switch, with the Nth allocation failing."""

import errno
import os

import pytest

import kmqtt_nl
from kmqtt_dev import Device, libc
from kmqtt_faults import ERRORS, Case, Nth, put, walk
from kmqtt_shared import system_conftest

CONFTEST = system_conftest()
FINIT_MODULE = 313
CLONE_NEWNET = 0x40000000
TRACING = "/sys/kernel/tracing"
LOADED = "events/module/module_load/enable"
# So many allocations in a row whose failure nobody minds are none of ours.
CALM = 60


@pytest.fixture(autouse=True)
def same_memory(module):  # pylint: disable=unused-argument
    """Nothing stays that could be compared: the module goes, or the namespace."""
    yield
    assert CONFTEST.loaded()


@pytest.fixture
def loader():
    """Tells whether the loader had done its part since it was asked last."""
    put(f"{TRACING}/{LOADED}", 1)

    def done():
        with open(f"{TRACING}/trace", "r+", encoding="ascii") as file:
            text = file.read()
            file.truncate(0)
        return "module_load: kmqtt" in text

    done()
    yield done
    put(f"{TRACING}/{LOADED}", 0)


def unload():
    libc("delete_module", b"kmqtt", os.O_NONBLOCK)


def walk_back(load, loader_done):
    """As walk() does, from the last to the first that is not the loader's."""
    failed = calm = 0
    with Nth() as nth:
        for number in range(nth.count(load), 0, -1):
            unload()
            loader_done()
            result, hit = nth.call(number, load)
            is_error = isinstance(result, OSError)
            begun = loader_done()
            if is_error:
                assert hit and (result.errno in ERRORS or not begun), f"{number}: {result!r}"
                failed += begun
                load()
            calm = 0 if is_error else calm + 1
            if not begun or calm == CALM:
                break
    return failed


def test_load(loader):
    """Whatever part of the module finds no memory, those before are taken back."""
    with open(CONFTEST.module_path(), "rb") as file:
        unload()
        failed = walk_back(lambda: libc("syscall", FINIT_MODULE, file.fileno(), b"", 0), loader)
    print(f"load: {failed} errors")
    assert failed > 100
    with kmqtt_nl.Netlink() as nl:
        assert nl.do("switch-get")["sessions"] == 0


def test_namespace():
    """A namespace whose switch finds no memory does not come to be."""
    with open("/proc/thread-self/ns/net", "rb") as home:
        def back(_=None):
            libc("setns", home.fileno(), CLONE_NEWNET)

        # others of whom a namespace has something have other names for it
        walk(Case("namespace", lambda: libc("unshare", CLONE_NEWNET), back, may=errno.errorcode,
                  least=100))
        libc("unshare", CLONE_NEWNET)
        try:
            with Device() as one:
                one.subscribe("a/b").publish("a/b", b"here")
                assert one.read()[0].payload == b"here"
        finally:
            back()

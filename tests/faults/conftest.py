# SPDX-License-Identifier: GPL-2.0
"""What the system tests have, in a kernel that lets memory and copies fail (6.1-debug)."""

import importlib.util
import os
import sys

import pytest

HERE = os.path.dirname(os.path.realpath(__file__))
SYSTEM = os.path.join(os.path.dirname(HERE), "system")
sys.path[:0] = [HERE, SYSTEM]

# Its fixtures become ours: the module, loaded for all tests, and the kernel's log after each.
SPEC = importlib.util.spec_from_file_location("system_conftest",
                                              os.path.join(SYSTEM, "conftest.py"))
SYSTEM_CONFTEST = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(SYSTEM_CONFTEST)
for name in ("pytest_configure", "pytest_runtest_logreport", "module", "kernel_log", "topic",
             "device", "netlink", "nl"):
    globals()[name] = getattr(SYSTEM_CONFTEST, name)

import kmqtt_faults  # pylint: disable=wrong-import-position
import kmqtt_nl  # pylint: disable=wrong-import-position
from kmqtt_server import (  # pylint: disable=wrong-import-position,unused-import
    broker, brokers, ident)


@pytest.fixture(scope="session", autouse=True)
def quiet_faults():
    """Any allocation may fail, and nothing is said about it."""
    kmqtt_faults.set_up()


@pytest.fixture(autouse=True)
def same_memory(module):  # pylint: disable=redefined-outer-name,unused-argument
    """When a test is over, the switch holds what it held before."""
    with kmqtt_nl.Netlink() as one:
        # what the switch says of itself grows as it likes
        one.do("switch-set", sys_interval=0)
        before = kmqtt_faults.totals(one)
        yield
        kmqtt_faults.settles(one, before)

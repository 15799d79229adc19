# SPDX-License-Identifier: GPL-2.0
"""What the system tests have, in a kernel that lets memory and copies fail (6.1-debug, 7.2)."""

import os
import sys

import pytest

HERE = os.path.dirname(os.path.realpath(__file__))
SYSTEM = os.path.join(os.path.dirname(HERE), "system")
sys.path[:0] = [HERE, SYSTEM]

import kmqtt_faults  # pylint: disable=wrong-import-position
import kmqtt_nl  # pylint: disable=wrong-import-position
import kmqtt_shared  # pylint: disable=wrong-import-position
from kmqtt_server import (  # pylint: disable=wrong-import-position,unused-import
    broker, brokers, ident)

globals().update(kmqtt_shared.of_the_system_tests())


@pytest.fixture(scope="session", autouse=True)
def quiet_faults():
    """Any allocation may fail, and nothing is said about it."""
    kmqtt_faults.set_up()


@pytest.fixture(scope="session")
def callers(tmp_path_factory):
    """A function: a Caller for each thread that asks."""
    kmqtt_faults.Caller.build(tmp_path_factory.mktemp("call") / "call.so")
    return kmqtt_faults.Caller


@pytest.fixture
def caller(callers):  # pylint: disable=redefined-outer-name
    """That of this thread."""
    with callers() as one:
        yield one


@pytest.fixture(autouse=True)
def same_memory(module):  # pylint: disable=redefined-outer-name,unused-argument
    """When a test is over, the switch holds what it held before."""
    with kmqtt_nl.Netlink() as one:
        # what the switch says of itself grows as it likes
        one.do("switch-set", sys_interval=0)
        before = kmqtt_faults.totals(one)
        yield
        kmqtt_faults.settles(one, before)

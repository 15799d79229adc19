# SPDX-License-Identifier: GPL-2.0
"""What other folders of tests have in common with the system tests."""

import importlib.util
import os

SHARED = ("pytest_configure", "pytest_runtest_logstart", "pytest_runtest_logreport", "module",
          "kernel_log", "topic", "device", "netlink", "nl")


def system_conftest():
    """conftest.py here, as a module, for tests elsewhere."""
    path = os.path.join(os.path.dirname(os.path.realpath(__file__)), "conftest.py")
    spec = importlib.util.spec_from_file_location("system_conftest", path)
    conftest = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(conftest)
    return conftest


def of_the_system_tests():
    """Hooks and fixtures of conftest.py here, by name: the module, loaded for all tests, and the
    kernel's log after each. For the globals of a conftest.py elsewhere."""
    conftest = system_conftest()
    return {name: getattr(conftest, name) for name in SHARED}

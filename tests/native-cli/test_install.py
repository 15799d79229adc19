# SPDX-License-Identifier: GPL-2.0
"""What make install puts where, and that programs can be built with it alone."""

import os
import subprocess

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
BUILD = os.path.dirname(os.environ["KMQTT_BIN"])
# The flags of this run are those of the unit tests, not of what is built and installed.
ENV = {name: value for name, value in os.environ.items()
       if name not in ("MAKEFLAGS", "MAKEOVERRIDES", "CFLAGS")}


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run(["make", "-s", "-C", os.path.join(TOP, "userspace"), f"BUILD={BUILD}",
                    f"DESTDIR={folder}", "PREFIX=/usr", "install",
                    *(["CFLAGS=-O2 -g -m32"] if "m32" in BUILD else [])], check=True, env=ENV)
    return folder


def test_files(installed):
    for name in ("bin/kmqtt", "bin/kmqtt_pub", "bin/kmqtt_sub", "bin/kmqtt_rr", "lib/libkmqtt.a",
                 "lib/libkmqtt.so", "lib/libkmqtt.so.1", "lib/pkgconfig/libkmqtt.pc",
                 "include/kmqtt/kmqtt.h", "include/linux/kmqtt.h", "share/man/man1/kmqtt_sub.1",
                 "share/man/man3/libkmqtt.3", "share/man/man8/kmqtt.8",
                 "share/bash-completion/completions/kmqtt",
                 "share/bash-completion/completions/kmqtt_pub"):
        assert os.path.exists(installed / "usr" / name), name
    assert os.readlink(installed / "usr/bin/kmqtt_pub") == "kmqtt"


# For 32 bits there are the libraries of gcc alone.
COMPILERS = [("gcc", "c")] if "m32" in BUILD else [("gcc", "c"), ("g++", "c++"), ("clang", "c")]


@pytest.mark.parametrize("compiler,language", COMPILERS)
def test_programs_build(installed, tmp_path, compiler, language):
    """An example of C, and a program of C++, without a warning, against what was installed."""
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "libkmqtt"], capture_output=True,
                           text=True, check=True,
                           env=dict(ENV, PKG_CONFIG_PATH=str(installed / "usr/lib/pkgconfig"),
                                    PKG_CONFIG_SYSROOT_DIR=str(installed),
                                    PKG_CONFIG_ALLOW_SYSTEM_CFLAGS="1",
                                    PKG_CONFIG_ALLOW_SYSTEM_LIBS="1")).stdout.split()
    source = tmp_path / "program.c"
    source.write_text("#include <kmqtt/kmqtt.h>\n"
                      "int main(void) { return kmqtt_strerror(0) == nullptr; }\n"
                      if language == "c++" else
                      "#include <kmqtt/kmqtt.h>\n"
                      "int main(void) { return !kmqtt_strerror(0); }\n")
    more = ["-m32"] if "m32" in BUILD else []
    subprocess.run([compiler, "-x", language, "-Wall", "-Wextra", "-Wpedantic", "-Werror",
                    str(source), "-x", "none", *more, *flags, "-o", str(tmp_path / "program")],
                   check=True)
    env = dict(ENV, LD_LIBRARY_PATH=str(installed / "usr/lib"))
    assert subprocess.run([str(tmp_path / "program")], check=False, env=env).returncode == 0

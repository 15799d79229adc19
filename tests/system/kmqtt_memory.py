# SPDX-License-Identifier: GPL-2.0
"""How much memory the machine uses."""

import contextlib
import ctypes
import glob
import os
import re
import struct
import time

# Of /proc/meminfo, what is free, or a file's, and what is a task's.
FREE = "MemFree", "Buffers", "Cached"
TASKS = "AnonPages", "PageTables", "KernelStack"


def give_back():
    """What shrinkers know of, as what each CPU has of kmqtt's at hand, and empty slabs."""
    for name in ["/proc/sys/vm/drop_caches", *glob.glob("/sys/kernel/slab/*/shrink")]:
        with open(name, "w", encoding="ascii") as file:
            file.write("3" if name.endswith("drop_caches") else "1")


def purge():
    """
    The addresses of what vmalloc() has given back, as threads' stacks. The kernel keeps up to 64 MB of
    them, each with a description, and drops all when there are more, as when a large BPF map goes. It
    keeps for ever the page tables of those that were in use once: those of the map's are there then.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    # an array: its type, the sizes of a key and of a value, how many; by bpf() of x86-64, command 0
    array = struct.pack("=4I", 2, 4, 1 << 20, 384)
    file = libc.syscall(ctypes.c_long(321), 0, array, len(array))
    if file < 0:
        raise OSError(ctypes.get_errno(), "bpf")
    os.close(file)


def meminfo():
    """KiB by name."""
    with open("/proc/meminfo", encoding="ascii") as file:
        return {line.split(":")[0]: int(line.split()[1]) for line in file}


def slabs():
    """By cache: objects in use, and KiB of slabs."""
    with open("/proc/slabinfo", encoding="ascii") as file:
        rows = [line.split() for line in file.readlines()[2:]]
    page = os.sysconf("SC_PAGE_SIZE") // 1024
    return {row[0]: (int(row[1]), int(row[14]) * int(row[5]) * page) for row in rows}


def parts():
    """KiB of all that is told apart."""
    return {**meminfo(), **{name: size for name, (_, size) in slabs().items()}}


def used(seconds=2, without=FREE):
    """
    Memory in use in KiB, once it does not shrink any more: without files, empty slabs, and the free
    pages that each CPU has at hand.
    """
    best, quiet = None, 0
    while quiet < seconds:
        give_back()
        info = meminfo()
        with open("/proc/zoneinfo", encoding="ascii") as file:
            at_hand = sum(map(int, re.findall(r"^ +count: (\d+)$", file.read(), re.M)))
        now = info["MemTotal"] - at_hand * os.sysconf("SC_PAGE_SIZE") // 1024
        now -= sum(info[name] for name in without)
        quiet = 0 if best is None or now < best - 32 else quiet + 1
        best = now if best is None else min(best, now)
        time.sleep(1)
    return best


def kernels_own():
    """KiB of the kernel's own memory: slab, pages of vmalloc() and others."""
    info = meminfo()
    return info["SUnreclaim"] + info["VmallocUsed"]


def held():
    """How many objects of each of the module's caches are in use."""
    give_back()
    return {name: count for name, (count, _) in slabs().items() if name.startswith("kmqtt_")}


def workers():
    """How many threads work queues have."""
    found = 0
    for name in glob.glob("/proc/[0-9]*/comm"):
        with contextlib.suppress(OSError), open(name, encoding="ascii") as file:
            found += file.read().startswith("kworker/")
    return found

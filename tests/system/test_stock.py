# SPDX-License-Identifier: GPL-2.0
"""Objects that each CPU has at hand (kmod/core/stock.h) go when memory is short."""

import os

import pytest

from kmqtt_packet import wait_for

CACHES = "kmqtt_msg", "kmqtt_qent"
# What a CPU may have, of which a kernel with KASAN has nothing.
STOCK = 256


def put(path, value):
    with open(path, "w", encoding="ascii") as file:
        file.write(value)


def in_use(cache):
    """Objects of a cache, without those of which only a CPU's own slab knows that they are free."""
    put(f"/sys/kernel/slab/{cache}/shrink", "1")
    with open("/proc/slabinfo", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(f"{cache} "))


@pytest.mark.parametrize("cache", CACHES)
def test_each_cpu_gives_back_what_it_has(device, topic, cache):
    cpus = os.sched_getaffinity(0)
    assert len(cpus) > 1
    out = device()
    for cpu in cpus:
        os.sched_setaffinity(0, {cpu})
        reader = device().subscribe(topic)
        for _ in range(2 * STOCK):
            out.publish(topic, b"x")
        reader.close()
    os.sched_setaffinity(0, cpus)

    def given_back():
        put("/proc/sys/vm/drop_caches", "2")
        return in_use(cache) < STOCK

    wait_for(given_back, text=f"the end of {in_use(cache)} {cache}")

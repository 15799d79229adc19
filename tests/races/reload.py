# SPDX-License-Identifier: GPL-2.0
"""The module goes and comes while it is used."""

import os
import random
import subprocess
import time

from kmqtt_uplink import BOTH

import disturb
import space

MODULE = f"{os.environ['KMQTT_TOP']}/build/kernel-{os.environ['KMQTT_KERNEL']}/kmqtt.ko"
TIMES = 12
# How long it may take until what was killed has let go of the module.
PATIENCE = 30 * space.SLOWER


def load():
    subprocess.run(["insmod", MODULE], check=True)


def unload(between=lambda: None):
    """The module out: how many times it was refused, and what is wrong if it does not go at all."""
    end, refused = time.monotonic() + PATIENCE, 0
    while error := disturb.rmmod():
        refused += 1
        if time.monotonic() > end:
            holders = subprocess.run("grep kmqtt /proc/modules; ip netns; ls -l /proc/[0-9]*/fd |"
                                     " grep kmqtt", shell=True, capture_output=True, text=True,
                                     check=False)
            return refused, [os.strerror(error), *holders.stdout.splitlines()]
        between()
    return refused, []


def use(chance):
    """Listeners, and an uplink for a while: that keeps the module."""
    with space.Switch(space.UP) as switch:
        switch.listen()
    with space.Switch(space.HUB) as switch:
        switch.listen()
        if chance.random() < 0.7:
            switch.uplink("site", space.UP_ADDRESS)
            switch.topic("site", "noise/#", BOTH, 1)
            time.sleep(chance.random() / 2)
            switch.must("uplink-del", name="site")
        time.sleep(chance.random() / 3)


def reload(seed):
    """In and out, with processes that open it and clients that connect, and without. How many
    times, how many times it was refused, and what was wrong."""
    chance = random.Random(f"{seed} reload")
    refused, wrongs, mob = 0, [], []

    def between():
        # as soon as the mob lets go of it, it goes, in the middle of everything
        if mob and chance.random() < 0.05:
            disturb.end(mob.pop(chance.randrange(len(mob))))
        time.sleep(chance.random() / 100)

    space.links()
    try:
        for done in range(1, TIMES + 1):
            if len(mob) < 2:
                mob += [disturb.mob(*words) for words in disturb.crowd(chance)]
            load()
            if chance.random() < 0.8:
                use(chance)
            more, wrongs = unload(between)
            refused += more
            if wrongs:
                break
    finally:
        for one in mob:
            disturb.end(one)
        space.destroy()
    return done, refused, wrongs

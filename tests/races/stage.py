# SPDX-License-Identifier: GPL-2.0
"""How far a round is, as all of its processes see it."""

import mmap

RUNNING, DRAINING, OVER, ENDED = range(4)


class Stage:
    """A byte that they share."""

    def __init__(self):
        self.byte = mmap.mmap(-1, mmap.PAGESIZE)

    def drain(self):
        """Nothing new is sent, and nothing disturbs."""
        self.byte[0] = DRAINING

    def finish(self):
        """All that must come has come: subscribers look once more."""
        self.byte[0] = OVER

    def end(self):
        self.byte[0] = ENDED

    def running(self):
        return self.byte[0] == RUNNING

    def over(self):
        return self.byte[0] >= OVER

    def ended(self):
        return self.byte[0] == ENDED

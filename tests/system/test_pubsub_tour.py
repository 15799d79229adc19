# SPDX-License-Identifier: GPL-2.0
"""docs/tour.md prints what it says."""

import os
import re

import tour
from pubsub import TOP


def plain(line):
    """Without times, sizes and blanks."""
    line = re.sub(r"\b(\d+d)?(\d+h)?(\d+m)?\d+s\b", "T", line)
    return " ".join(re.sub(r"\d+", "N", line).split())


def test_tour():
    with open(os.path.join(TOP, "docs", "tour.md"), encoding="utf-8") as file:
        text = file.read()
    expected = [[plain(line) for line in lines] for _, lines in tour.steps(text)]
    assert len(expected) > 20
    assert [[plain(line) for line in lines] for lines in tour.run(text)] == expected

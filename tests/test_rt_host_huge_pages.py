"""Memory that huge pages can hold is found, and moving it there does not change its content."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kilohertz.rt.host import huge_pages

pytestmark = pytest.mark.host

HUGE = 2 << 20
MAPS = """\
00400000-00800000 r-xp 00000000 fe:00 11 /usr/bin/python3
01300000-01900000 rw-p 00000000 00:00 0 [heap]
7f0000000000-7f0000100000 rw-p 00000000 00:00 0
7f0000200000-7f0000600000 rw-p 00000000 00:00 0
7f0001000000-7f0001800000 rw-p 00000000 fe:00 12 /some/file
7f0002000000-7f0002800000 rw-s 00000000 00:01 0
7ffc00000000-7ffc00800000 rw-p 00000000 00:00 0 [stack]
"""


def test_whole_huge_pages_of_private_memory_are_found() -> None:
    assert huge_pages.spans(MAPS) == [(0x1400000, 2 * HUGE), (0x7F0000200000, 2 * HUGE)]


def test_memory_keeps_what_it_holds() -> None:
    held = np.arange(8 * HUGE // 8, dtype=np.float64)
    if not huge_pages.gather():
        pytest.skip("this kernel has no huge pages")
    assert (held == np.arange(len(held))).all()
    smaps = Path("/proc/self/smaps").read_text().splitlines()
    assert sum(int(line.split()[1]) for line in smaps if line.startswith("AnonHugePages:")) > 0

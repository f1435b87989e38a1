"""Moves the memory of the process into huge pages, where the kernel supports them.

A tick touches about 200 pages that are scattered over a heap of 100 MB. After 1 ms of sleep most of their
address translations must be looked up again, in a virtual machine on two levels: the whole-body controller
of a G1 at 1 kHz then takes 60 us instead of 52 us. When ticks run back to back there is no difference.
PREEMPT_RT kernels have no huge pages.
"""

from __future__ import annotations

import ctypes
from pathlib import Path

_HUGE_BYTES = 2 << 20
_MADV_HUGEPAGE, _MADV_COLLAPSE = 14, 25


def spans(maps: str) -> list[tuple[int, int]]:
    """Returns the memory ranges that huge pages can hold: private, writable and not backed by a file.

    Args:
        maps: content of /proc/self/maps.

    Returns:
        First address and length of each range [bytes], rounded to whole huge pages.
    """
    found = []
    for line in maps.splitlines():
        addresses, rights, _, _, inode, *_ = line.split()
        if rights != "rw-p" or inode != "0" or "[stack" in line:
            continue
        first, last = (int(address, 16) for address in addresses.split("-"))
        first = -(-first // _HUGE_BYTES) * _HUGE_BYTES
        last = last // _HUGE_BYTES * _HUGE_BYTES
        if last > first:
            found.append((first, last - first))
    return found


def gather() -> int:
    """Moves the memory of this process into huge pages.

    This takes about 30 ms: call it before the loop starts.

    Returns:
        Memory that is in huge pages now [bytes]; 0 where the kernel has none or is older than 6.1.
    """
    if not Path("/sys/kernel/mm/transparent_hugepage").exists():
        return 0
    madvise = ctypes.CDLL(None).madvise
    madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    total = 0
    for first, length in spans(Path("/proc/self/maps").read_text()):
        # A range without any touched page is refused; that does no harm, as there is nothing to look up.
        if madvise(first, length, _MADV_HUGEPAGE) == 0 and madvise(first, length, _MADV_COLLAPSE) == 0:
            total += length
    return total

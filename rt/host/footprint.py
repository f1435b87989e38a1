"""Counts page faults, garbage collections, memory growth and stolen processor time during a run."""

from __future__ import annotations

import gc
import os
import resource
import sys
from dataclasses import dataclass
from types import TracebackType

OLDEST_GENERATION = 2
_STEAL_FIELD = 8


@dataclass(frozen=True)
class Footprint:
    """Host resources used between `FootprintMeter.start` and `read`; None where they are not reported.

    Attributes:
        minor_faults: page faults of the loop's thread that were served from memory.
        major_faults: page faults of the loop's thread that needed the disk.
        preemptions: involuntary context switches of the loop's thread.
        full_collections: garbage collections of the oldest generation.
        block_growth: increase of the number of memory blocks allocated by the interpreter.
        rss_growth_bytes: increase of the resident memory of the process [bytes].
        steal_s: processor time that the hypervisor took away, summed over all cores [s].
    """

    minor_faults: int
    major_faults: int
    preemptions: int
    full_collections: int
    block_growth: int
    rss_growth_bytes: int | None
    steal_s: float | None


class StealMeter:
    """Reads the stolen time from /proc/stat; the file stays open, so that each reading is one system call.

    Args:
        path: the file to read; tests pass another one.
    """

    def __init__(self, path: str = "/proc/stat") -> None:
        self._ticks_per_s = os.sysconf("SC_CLK_TCK")
        try:
            self._file: int | None = os.open(path, os.O_RDONLY)
        except OSError:
            self._file = None

    def read_s(self) -> float | None:
        """Returns the time stolen from all cores since boot [s]; None where the kernel does not report it."""
        if self._file is None:
            return None
        fields = os.pread(self._file, 256, 0).split(b"\n", 1)[0].split()
        if len(fields) <= _STEAL_FIELD:
            return None
        return int(fields[_STEAL_FIELD]) / self._ticks_per_s

    def close(self) -> None:
        """Closes the file; later readings return None."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


class FootprintMeter:
    """Measures the calling thread and its process between `start` and `read`; use it as a context manager.

    Args:
        steal: meter of the stolen processor time.
    """

    def __init__(self, steal: StealMeter) -> None:
        self._steal = steal
        self._full_collections = 0
        self._begin: tuple[resource.struct_rusage, int, int, int | None, float | None] | None = None

    def __enter__(self) -> FootprintMeter:
        """Starts counting garbage collections."""
        gc.callbacks.append(self._on_collection)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stops counting garbage collections."""
        gc.callbacks.remove(self._on_collection)

    def _on_collection(self, phase: str, info: dict[str, int]) -> None:
        if phase == "stop" and info["generation"] == OLDEST_GENERATION:
            self._full_collections += 1

    def start(self) -> None:
        """Marks the start of the interval that `read` reports."""
        self._begin = self._sample()

    def read(self) -> Footprint:
        """Returns the changes since `start`; all changes are 0 if `start` was never called."""
        now = self._sample()
        begin = self._begin or now
        return Footprint(
            minor_faults=now[0].ru_minflt - begin[0].ru_minflt,
            major_faults=now[0].ru_majflt - begin[0].ru_majflt,
            preemptions=now[0].ru_nivcsw - begin[0].ru_nivcsw,
            full_collections=now[1] - begin[1],
            block_growth=now[2] - begin[2],
            rss_growth_bytes=None if now[3] is None or begin[3] is None else now[3] - begin[3],
            steal_s=None if now[4] is None or begin[4] is None else now[4] - begin[4],
        )

    def _sample(self) -> tuple[resource.struct_rusage, int, int, int | None, float | None]:
        return (
            resource.getrusage(resource.RUSAGE_THREAD),
            self._full_collections,
            sys.getallocatedblocks(),
            _resident_bytes(),
            self._steal.read_s(),
        )


def _resident_bytes() -> int | None:
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    except OSError:
        return None

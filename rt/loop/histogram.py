"""Latency histograms in the layout of HdrHistogram, with their own recording in the tick.

The layout is that of HdrHistogram(1, 1_000_000_000, 3), so that the counts are the same numbers: buckets of
2048 cells whose resolution is halved each time the value doubles, and half of each bucket is shared with the
one below. The recording here takes a fifth of the time of `record_value` of the library. In addition, the
library drops values that are out of range without notice, and those are the ticks of interest: here they are
clamped and counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import numpy as np
from hdrh.histogram import HdrHistogram
from numpy.typing import NDArray

HIGHEST_NS = 1_000_000_000
SIGNIFICANT_DIGITS = 3
# Keys of a latency summary, in the documented order; `wake` is the delay of the wake-up.
LATENCY_KEYS = ("tick", "read", "estimate", "kinematics", "assemble", "solve", "guard", "write", "wake")
PERCENTILES = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p99.9": 99.9}

_HALF_BITS = 10
_HALF = 1 << _HALF_BITS
_MASK = 2 * _HALF - 1
_SHIFT = _HALF_BITS + 1
CELLS = 21 * _HALF


class LatencyHistogram:
    """Counts of durations from 1 ns to 1 s to three significant digits.

    Attributes:
        cells: (21504,) counts, a memoryview of int64; unlike a list, it creates no objects as counts grow.
        max_ns: largest duration, exact and not clamped [ns].
        overflows: number of durations above 1 s; they are counted in the cell of 1 s.
        underflows: number of negative durations; they are counted in the cell of 0.
    """

    __slots__ = ("cells", "max_ns", "overflows", "underflows")

    def __init__(self) -> None:
        self.cells = memoryview(bytearray(8 * CELLS)).cast("q")
        self.max_ns = 0
        self.overflows = 0
        self.underflows = 0

    def record(self, duration_ns: int) -> None:
        """Counts one duration [ns]. Hot path."""
        if not 0 <= duration_ns <= HIGHEST_NS:
            duration_ns = self._clamp(duration_ns)
        if duration_ns > self.max_ns:
            self.max_ns = duration_ns
        bucket = (duration_ns | _MASK).bit_length() - _SHIFT
        self.cells[(bucket << _HALF_BITS) + (duration_ns >> bucket)] += 1

    def _clamp(self, duration_ns: int) -> int:
        if duration_ns < 0:
            self.underflows += 1
            return 0
        self.overflows += 1
        self.max_ns = max(self.max_ns, duration_ns)
        return HIGHEST_NS

    @property
    def counts(self) -> NDArray[np.int64]:
        """The counts as an array (21504,) that shares the memory of `cells`."""
        return np.frombuffer(self.cells, dtype=np.int64)

    @property
    def total(self) -> int:
        """Number of durations that were recorded."""
        return int(self.counts.sum())

    def percentile_ns(self, percentile: float) -> int | None:
        """Returns a percentile of the durations, accurate to 0.1 % [ns]; None if nothing was recorded.

        Args:
            percentile: percentage of the durations that do not exceed the result, from 0 to 100.
        """
        cumulated = np.cumsum(self.counts)
        total = int(cumulated[-1])
        if not total:
            return None
        target = max(int(percentile * total / 100.0 + 0.5), 1)
        return min(_highest_ns(int(np.searchsorted(cumulated, target))), self.max_ns)

    def summary_us(self) -> dict[str, float | None]:
        """Returns p50, p90, p99, p99.9 and max [us]; all are None if nothing was recorded."""
        values = {name: self.percentile_ns(percentile) for name, percentile in PERCENTILES.items()}
        values["max"] = self.max_ns if self.total else None
        return {name: None if value is None else value / 1000.0 for name, value in values.items()}

    def to_hdr(self) -> HdrHistogram:
        """Returns the same counts as an object of the `hdrhistogram` library."""
        histogram = HdrHistogram(1, HIGHEST_NS, SIGNIFICANT_DIGITS)
        filled = np.flatnonzero(self.counts)
        for index in filled.tolist():
            histogram.counts[index] = self.cells[index]
        if len(filled):
            histogram.set_internal_tacking_values(int(filled[0]), int(filled[-1]), self.total)
        return histogram

    def cyclictest_text(self, highest_us: int = 1000) -> str:
        """Formats the histogram as `cyclictest --histogram` does, for tools that read this format.

        Args:
            highest_us: number of lines, one per 1 us; longer durations are counted as overflows.
        """
        filled = np.flatnonzero(self.counts)
        counts = self.counts[filled]
        middle_us = np.array([_middle_ns(index) for index in filled.tolist()]) / 1000.0
        whole_us = middle_us.astype(np.int64)
        inside = whole_us < highest_us
        lines = np.bincount(whole_us[inside], weights=counts[inside], minlength=highest_us).astype(np.int64)
        total = int(counts.sum())
        mean_us = int(middle_us @ counts / total) if total else 0
        return "\n".join(
            [
                "# Histogram",
                *(f"{us:06d} {count:06d}" for us, count in enumerate(lines.tolist())),
                f"# Total: {int(lines.sum()):09d}",
                f"# Min Latencies: {int(whole_us[0]) if total else 0:05d}",
                f"# Avg Latencies: {mean_us:05d}",
                f"# Max Latencies: {self.max_ns // 1000:05d}",
                f"# Histogram Overflows: {total - int(lines.sum()):05d}",
                "",
            ]
        )


def hlog_text(histograms: Mapping[str, LatencyHistogram], start_s: float, duration_s: float) -> str:
    """Formats histograms as an .hlog file for the HdrHistogram tools: one tagged interval each, in base64.

    Args:
        histograms: the histograms, by tag.
        start_s: wall-clock time of the start of the run, since the epoch [s].
        duration_s: duration of the run [s].
    """
    stamp = datetime.fromtimestamp(start_s, UTC).isoformat(" ")
    lines = [
        "#[Histogram log format version 1.2]",
        f"#[StartTime: {start_s:.3f} (seconds since epoch), {stamp}]",
        '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"',
    ]
    for tag, histogram in histograms.items():
        payload = histogram.to_hdr().encode().decode("ascii")
        lines.append(f"Tag={tag},{start_s:.3f},{duration_s:.3f},{histogram.max_ns / 1e6:.6f},{payload}")
    return "\n".join(lines) + "\n"


def _lowest_and_width_ns(index: int) -> tuple[int, int]:
    if index < _HALF:
        return index, 1
    bucket = (index >> _HALF_BITS) - 1
    return ((index & (_HALF - 1)) + _HALF) << bucket, 1 << bucket


def _highest_ns(index: int) -> int:
    lowest, width = _lowest_and_width_ns(index)
    return lowest + width - 1


def _middle_ns(index: int) -> int:
    lowest, width = _lowest_and_width_ns(index)
    return lowest + width // 2


def latency_us(stages: Mapping[str, LatencyHistogram]) -> dict[str, dict[str, float | None]]:
    """Returns p50, p90, p99, p99.9 and max of the tick and of each of its stages [us].

    All values of a stage that was not measured (`wake` in lockstep) are None.
    """
    empty = LatencyHistogram()
    return {key: stages.get(key, empty).summary_us() for key in LATENCY_KEYS}

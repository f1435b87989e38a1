"""Converts a latency histogram to a few logarithmic bins, for plots and for the terminal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kilohertz.rt.loop.histogram import LatencyHistogram

Vector = NDArray[np.float64]


def log_bins(histogram: LatencyHistogram, per_decade: int) -> tuple[Vector, Vector]:
    """Returns the counts of a histogram in bins of equal ratio.

    Args:
        histogram: latency histogram, not empty.
        per_decade: number of bins per factor of ten.

    Returns:
        (n + 1,) bin edges, from below the shortest duration to above the longest [us], and (n,) counts.
    """
    recorded = [
        (item.value_iterated_to, item.count_added_in_this_iter_step)
        for item in histogram.to_hdr().get_recorded_iterator()
    ]
    value_us = np.maximum([value for value, _ in recorded], 1) / 1000.0
    first, last = np.floor(per_decade * np.log10(value_us[[0, -1]]))
    edges_us = 10.0 ** (np.arange(first, last + 2.0) / per_decade)
    # Because of rounding, the first or last value may lie outside the computed edges.
    edges_us[0], edges_us[-1] = min(edges_us[0], value_us[0]), max(edges_us[-1], value_us[-1])
    counts, _ = np.histogram(value_us, edges_us, weights=[count for _, count in recorded])
    return edges_us, counts

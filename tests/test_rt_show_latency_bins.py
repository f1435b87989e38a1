from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from kilohertz.rt.loop.histogram import LatencyHistogram
from kilohertz.rt.show.latency_bins import log_bins


@given(st.lists(st.integers(0, 2_000_000_000), min_size=1, max_size=50), st.integers(1, 40))
@settings(max_examples=30, deadline=None)
def test_every_duration_is_in_a_bin(durations_ns, per_decade):
    histogram = LatencyHistogram()
    for duration_ns in durations_ns:
        histogram.record(duration_ns)
    edges_us, counts = log_bins(histogram, per_decade)
    assert counts.sum() == len(durations_ns)
    assert len(edges_us) == len(counts) + 1
    assert np.all(np.diff(edges_us) > 0)


def test_a_duration_is_in_the_bin_around_it():
    histogram = LatencyHistogram()
    histogram.record(250_000)
    histogram.record(900_000)
    edges_us, counts = log_bins(histogram, 30)
    filled = np.flatnonzero(counts)
    assert len(filled) == 2
    for index, duration_us in zip(filled, (250.0, 900.0), strict=True):
        assert edges_us[index] <= duration_us * 1.001
        assert duration_us <= edges_us[index + 1] * 1.001

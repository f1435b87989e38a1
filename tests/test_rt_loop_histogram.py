"""The histogram counts as the HdrHistogram library does, and loses nothing it would drop."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader

from kilohertz.rt.loop.histogram import HIGHEST_NS, LATENCY_KEYS, LatencyHistogram, hlog_text, latency_us


def recorded(values_ns: list[int]) -> LatencyHistogram:
    histogram = LatencyHistogram()
    for value in values_ns:
        histogram.record(value)
    return histogram


@pytest.fixture
def values_ns() -> list[int]:
    random = np.random.default_rng(7)
    spread = np.exp(random.uniform(0.0, np.log(HIGHEST_NS), 20_000)).astype(np.int64).tolist()
    edges = [step + offset for bits in range(30) for step in (1 << bits,) for offset in (-1, 0, 1)]
    return spread + [value for value in edges if value <= HIGHEST_NS] + [0, 1, 2047, 2048, HIGHEST_NS]


def test_counts_are_identical_to_the_library(values_ns: list[int]) -> None:
    library = HdrHistogram(1, HIGHEST_NS, 3)
    for value in values_ns:
        assert library.record_value(value)
    assert recorded(values_ns).counts.tolist() == list(library.counts)


def test_percentiles_agree_with_an_exact_sort_and_with_the_library(values_ns: list[int]) -> None:
    histogram = recorded(values_ns)
    library = histogram.to_hdr()
    ordered = np.sort(values_ns)
    for percentile in (50.0, 90.0, 99.0, 99.9, 100.0):
        value = histogram.percentile_ns(percentile)
        exact = ordered[max(int(percentile * len(ordered) / 100 + 0.5), 1) - 1]
        assert value == pytest.approx(exact, rel=1e-3)
        assert value == min(library.get_value_at_percentile(percentile), histogram.max_ns)


def test_library_object_knows_total_and_extremes(values_ns: list[int]) -> None:
    library = recorded(values_ns).to_hdr()
    assert library.get_total_count() == len(values_ns)
    assert library.get_min_value() == 0
    assert library.get_max_value() == pytest.approx(HIGHEST_NS, rel=1e-3)


def test_what_is_out_of_range_is_clamped_and_counted() -> None:
    histogram = recorded([5, HIGHEST_NS, HIGHEST_NS + 1, 7 * HIGHEST_NS, -3])
    assert (histogram.overflows, histogram.underflows, histogram.total) == (2, 1, 5)
    assert histogram.max_ns == 7 * HIGHEST_NS
    assert histogram.counts[0] == 1


def test_summary_is_in_microseconds_and_null_when_empty() -> None:
    assert recorded([1500] * 10).summary_us() == dict.fromkeys(("p50", "p90", "p99", "p99.9", "max"), 1.5)
    assert set(LatencyHistogram().summary_us().values()) == {None}


def test_cyclictest_text_reads_back() -> None:
    text = recorded([500, 1_500, 1_600, 37_200, 2_000_000]).cyclictest_text(highest_us=50)
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    counts = {int(us): int(count) for us, count in (line.split() for line in lines)}
    assert len(counts) == 50
    assert {us: count for us, count in counts.items() if count} == {0: 1, 1: 2, 37: 1}
    assert "# Total: 000000004" in text
    assert "# Min Latencies: 00000" in text
    assert "# Max Latencies: 02000" in text
    assert "# Histogram Overflows: 00001" in text


def test_cyclictest_text_of_an_empty_histogram_is_all_zero() -> None:
    assert "# Total: 000000000" in LatencyHistogram().cyclictest_text(highest_us=3)


def test_hlog_is_read_by_the_library(tmp_path: Path, values_ns: list[int]) -> None:
    histograms = {"solve": recorded(values_ns), "tick": recorded([10, 20, 30])}
    path = tmp_path / "run.hlog"
    path.write_text(hlog_text(histograms, start_s=1_700_000_000.0, duration_s=10.0))
    reader = HistogramLogReader(str(path), HdrHistogram(1, HIGHEST_NS, 3))
    for tag, histogram in histograms.items():
        read = reader.get_next_interval_histogram()
        assert read.get_tag() == tag
        filled = np.flatnonzero(histogram.counts)
        assert [read.get_count_at_index(index) for index in filled] == histogram.counts[filled].tolist()
        assert read.get_total_count() == histogram.total
    assert reader.get_next_interval_histogram() is None
    reader.close()


def test_a_stage_that_was_not_measured_has_no_latency() -> None:
    latency = latency_us({"tick": recorded([250_000])})
    assert latency["tick"]["max"] == 250.0
    assert set(latency) == set(LATENCY_KEYS)
    assert latency["wake"] == {"p50": None, "p90": None, "p99": None, "p99.9": None, "max": None}

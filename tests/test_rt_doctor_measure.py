"""Wake-up latency is measured from the time grid, and judged together with cyclictest's output."""

from __future__ import annotations

import numpy as np
import pytest

from kilohertz.robots.model.period import PERIOD_NS
from kilohertz.rt.doctor import measure as doctor_measure
from kilohertz.rt.doctor.check import Status
from kilohertz.rt.doctor.measure import (
    WakeUps,
    add_cyclictest,
    measure_paired,
    measure_wake_ups,
    wake_up_checks,
)
from kilohertz.rt.loop.clock import GridClock
from kilohertz.rt.loop.histogram import LatencyHistogram

pytestmark = [pytest.mark.host, pytest.mark.quiet]

CYCLICTEST = """# /dev/cpu_dma_latency set to 0us
# Histogram
000000 000000
000012 000040
000013 000059
000014 000000
# Total: 000000099
# Min Latencies: 00012
# Avg Latencies: 00013
# Max Latencies: 08358
# Histogram Overflows: 00001
# Histogram Overflow at cycle number:
# Thread 0: 00017
"""


class LateTime:
    """A sleep that is late by what the list says, over and over."""

    def __init__(self, late_ns: list[int]) -> None:
        self.now_ns = 5_000_123
        self.late_ns = late_ns
        self.sleeps = 0

    def now(self) -> int:
        return self.now_ns

    def sleep_until(self, due_ns: int) -> None:
        self.now_ns = due_ns + self.late_ns[self.sleeps % len(self.late_ns)]
        self.sleeps += 1


def measured(late_ns: list[int], seconds: float = 0.1) -> WakeUps:
    time = LateTime(late_ns)
    wake_ups = WakeUps()
    measure_wake_ups(GridClock(now=time.now, sleep_until=time.sleep_until), seconds, wake_ups)
    return wake_ups


def test_every_wake_is_measured_from_its_grid_point() -> None:
    wake_ups = measured([10_000, 30_000])
    assert (wake_ups.ours.total, wake_ups.missed) == (100, 0)
    assert wake_ups.ours.max_ns == 30_000
    assert wake_ups.ours.percentile_ns(50.0) == pytest.approx(10_000, rel=1e-3)


def test_blocks_are_pooled() -> None:
    time = LateTime([0])
    wake_ups = WakeUps()
    for phase_ns in (0, 150_000):
        clock = GridClock(now=time.now, sleep_until=time.sleep_until)
        measure_wake_ups(clock, 0.05, wake_ups, phase_ns)
        assert clock.due_ns % PERIOD_NS == phase_ns
    assert wake_ups.ours.total == 100


def test_both_are_measured_over_the_same_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    time = LateTime([0])
    time.now_ns = 5_700_000_000
    calls: list[tuple[str, float, int]] = []

    def cyclictest(core: int, priority: int, seconds: int, phase_us: int) -> None:
        calls.append(("cyclictest", time.now_ns / 1e9, phase_us))
        time.now_ns += 300_000_000  # to start up

    def ours(clock: GridClock, seconds: float, wake_ups: WakeUps, phase_ns: int) -> None:
        calls.append(("ours", time.now_ns / 1e9, phase_ns // 1000))
        time.now_ns += round(seconds * 1e9)

    monkeypatch.setattr(doctor_measure.time, "monotonic_ns", time.now)
    monkeypatch.setattr(doctor_measure, "absolute_sleeper", lambda: time.sleep_until)
    monkeypatch.setattr(doctor_measure, "_start_cyclictest", cyclictest)
    monkeypatch.setattr(doctor_measure, "measure_wake_ups", ours)
    measure_paired(0, 80, seconds=4.0)
    assert calls == [
        ("cyclictest", 6.0, 0),
        ("ours", 7.0, 150),
        # The first block has ended before cyclictest does, at 9.0.
        ("cyclictest", 9.0, 150),
        ("ours", 10.0, 0),
    ]


def test_a_wake_that_is_late_by_periods_is_late_and_missed() -> None:
    wake_ups = measured([0] * 9 + [2 * PERIOD_NS + 1])
    assert wake_ups.missed == 2 * 8
    assert wake_ups.ours.total + wake_ups.missed == 100
    assert wake_ups.ours.max_ns == 2 * PERIOD_NS + 1


def test_cyclictest_is_read_back_with_its_overflows() -> None:
    histogram = LatencyHistogram()
    add_cyclictest(CYCLICTEST, histogram)
    assert histogram.total == 100
    assert histogram.percentile_ns(40.0) == pytest.approx(12_500, rel=1e-3)
    assert histogram.max_ns == 8_358_000


def test_cyclictest_text_made_from_a_histogram_reads_back() -> None:
    random = np.random.default_rng(1)
    ours, back = LatencyHistogram(), LatencyHistogram()
    for value in random.integers(2_000, 900_000, 500).tolist():
        ours.record(value)
    add_cyclictest(ours.cyclictest_text(), back)
    for percentile in (10.0, 50.0, 99.0):
        assert back.percentile_ns(percentile) == pytest.approx(ours.percentile_ns(percentile), abs=1_600)


@pytest.mark.parametrize("text", ["", "Unable to change scheduling policy!\n"])
def test_other_output_adds_nothing(text: str) -> None:
    histogram = LatencyHistogram()
    add_cyclictest(text, histogram)
    assert histogram.total == 0


def judged(late_ns: list[int], reference_us: int | None) -> dict[str, Status]:
    wake_ups = measured(late_ns)
    if reference_us is not None:
        add_cyclictest(f"{reference_us:06d} 000100\n", wake_ups.reference)
    return {check.name: check.status for check in wake_up_checks(wake_ups)}


@pytest.mark.parametrize(("late_us", "status"), [(20, Status.OK), (400, Status.WARN), (1_500, Status.FAIL)])
def test_latency_beyond_a_period_is_unfit(late_us: int, status: Status) -> None:
    assert judged([late_us * 1000], None)["wake-up"] == status


@pytest.mark.parametrize(
    ("reference_us", "status"),
    [(19, Status.OK), (2, Status.WARN), (900, Status.UNKNOWN), (None, Status.UNKNOWN)],
)
def test_latency_well_above_that_of_cyclictest_is_a_warning(reference_us: int | None, status: Status) -> None:
    assert judged([20_000], reference_us)["cyclictest"] == status


def test_missed_periods_are_a_warning() -> None:
    assert judged([0] * 50 + [3 * PERIOD_NS], None)["missed periods"] == Status.WARN


def test_without_a_measurement_nothing_is_known() -> None:
    assert [check.status for check in wake_up_checks(WakeUps())] == [Status.UNKNOWN]

"""The grid never moves: overruns are skipped and counted, never made up for."""

from __future__ import annotations

import signal
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilohertz.robots.model.period import PERIOD_NS
from kilohertz.rt.loop.clock import GridClock, Sleeper, absolute_sleeper, process_age_s, sleep_by_duration

pytestmark = [pytest.mark.host, pytest.mark.quiet]

LATE_NS = 15_000


class FakeTime:
    """A clock that only sleeping, working and being read move on."""

    def __init__(self, read_costs_ns: int = 0) -> None:
        self.now_ns = 12_345_678_901
        self.read_costs_ns = read_costs_ns
        self.late_ns = LATE_NS
        self.slept_until_ns: list[int] = []

    def now(self) -> int:
        self.now_ns += self.read_costs_ns
        return self.now_ns

    def sleep_until(self, due_ns: int) -> None:
        self.slept_until_ns.append(due_ns)
        self.now_ns = max(self.now_ns, due_ns) + self.late_ns

    def work(self, periods: float) -> None:
        self.now_ns += int(periods * PERIOD_NS)


def started(fake: FakeTime, spin_us: float = 0.0) -> GridClock:
    clock = GridClock(spin_us=spin_us, now=fake.now, sleep_until=fake.sleep_until)
    clock.start()
    return clock


def test_without_overruns_each_wake_is_one_period_after_the_last() -> None:
    fake = FakeTime()
    clock = started(fake)
    start_ns = fake.now_ns
    for tick in range(1, 50):
        assert clock.wait() == start_ns + tick * PERIOD_NS + LATE_NS
        assert clock.missed == 0
        fake.work(0.7)
    assert clock.missed_total == 0
    assert clock.dt_ns == PERIOD_NS


def test_the_grid_can_be_laid_at_a_phase_of_the_clock() -> None:
    fake = FakeTime()
    fake.late_ns = 0
    clock = started(fake)
    before_ns = fake.now_ns
    clock.start(phase_ns=150_000)
    woken_ns = clock.wait()
    assert woken_ns % PERIOD_NS == 150_000
    assert 0 < woken_ns - before_ns <= PERIOD_NS


def test_a_stall_of_two_and_a_half_periods_is_two_misses_and_the_old_grid() -> None:
    fake = FakeTime()
    fake.late_ns = 0
    clock = started(fake)
    start_ns = fake.now_ns
    clock.wait()
    fake.work(2.5)
    clock.wait()
    assert clock.missed == 2
    assert clock.due_ns == clock.woken_ns == start_ns + 4 * PERIOD_NS
    assert clock.dt_ns == 3 * PERIOD_NS
    clock.wait()
    assert (clock.missed, clock.missed_total) == (0, 2)
    assert clock.dt_ns == PERIOD_NS


def test_a_stall_while_asleep_is_counted_too_and_leaves_the_grid() -> None:
    fake = FakeTime()
    clock = started(fake)
    start_ns = fake.now_ns
    fake.late_ns = int(2.5 * PERIOD_NS)
    clock.wait()
    fake.late_ns = 0
    clock.wait()
    assert clock.missed == 2
    assert clock.woken_ns == start_ns + 4 * PERIOD_NS


@given(st.lists(st.floats(0.0, 7.0), min_size=1, max_size=60))
def test_no_work_moves_the_grid_or_makes_a_burst(work_periods: list[float]) -> None:
    fake = FakeTime()
    fake.late_ns = 0
    clock = started(fake)
    start_ns = fake.now_ns
    wakes = []
    for periods in work_periods:
        wakes.append(clock.wait())
        fake.work(periods)
    elapsed = [(wake - start_ns) // PERIOD_NS for wake in wakes]
    assert all((wake - start_ns) % PERIOD_NS == 0 for wake in wakes)
    assert elapsed == sorted(set(elapsed))
    assert clock.missed_total == elapsed[-1] - len(wakes)


def test_it_sleeps_in_every_period_even_when_it_cannot_keep_up() -> None:
    fake = FakeTime()
    clock = started(fake)
    for _ in range(20):
        clock.wait()
        assert fake.slept_until_ns[-1] == clock.due_ns
        fake.work(1.2)
    assert len(fake.slept_until_ns) == 20


def test_spinning_starts_before_the_grid_point_and_ends_on_it() -> None:
    fake = FakeTime(read_costs_ns=50)
    clock = started(fake, spin_us=60.0)
    woken_ns = clock.wait()
    assert fake.slept_until_ns == [clock.due_ns - 60_000]
    assert 0 <= woken_ns - clock.due_ns <= fake.read_costs_ns


def test_spinning_is_capped_at_a_tenth_of_the_period() -> None:
    assert GridClock(spin_us=800.0).spin_ns == PERIOD_NS // 10


@pytest.mark.parametrize("wrong", [{"period_ns": 0}, {"spin_us": -1.0}])
def test_nonsense_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must"):
        GridClock(**wrong)


@pytest.mark.parametrize("sleep_until", [absolute_sleeper(), sleep_by_duration])
def test_the_real_sleepers_never_wake_early_even_when_a_signal_interrupts_them(sleep_until: Sleeper) -> None:
    handled = []
    previous = signal.signal(signal.SIGALRM, lambda *_: handled.append(1))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.002)
        due_ns = time.monotonic_ns() + 10_000_000
        sleep_until(due_ns)
        assert time.monotonic_ns() >= due_ns
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, previous)
    assert handled


@pytest.mark.parametrize("sleep_until", [absolute_sleeper(), sleep_by_duration])
def test_a_time_already_past_returns(sleep_until: Sleeper) -> None:
    sleep_until(time.monotonic_ns() - 1)


def test_a_process_grows_older_with_the_clock():
    before_s, started_s = process_age_s(), time.monotonic()
    while time.monotonic() - started_s < 0.05:
        pass
    elapsed_s = process_age_s() - before_s
    assert 0.0 < before_s < time.clock_gettime(time.CLOCK_BOOTTIME)
    assert 0.05 <= elapsed_s <= time.monotonic() - started_s + 1e-3

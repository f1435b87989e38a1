"""The loop ticks on the grid, measures itself, and never leaves the robot without a command that brakes."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from kilohertz.robots.model.period import PERIOD_NS
from kilohertz.robots.model.rows import CommandRow, SensorRow
from kilohertz.rt.loop.clock import GridClock
from kilohertz.rt.loop.control_loop import DEGRADED, STOP_TICKS, WARM_UP_TICKS, ControlLoop, Pace
from kilohertz.rt.loop.fade import damping_command
from kilohertz.rt.loop.outcome import LoopResult
from kilohertz.rt.loop.stamps import BRAIN_STAGES, StageRing

NA, NC = 3, 2
DAMP = "damp"


class FakeTime:
    def __init__(self) -> None:
        self.now_ns = 1_000_000_000

    def now(self) -> int:
        self.now_ns += 10
        return self.now_ns

    def sleep_until(self, due_ns: int) -> None:
        self.now_ns = max(self.now_ns, due_ns)


@dataclass
class FakeRobot:
    """A link whose every read is the next millisecond, and that remembers what it was told."""

    lost_after: int = 10**9
    missing_stamps: set[int] = field(default_factory=set)
    late_s: tuple[float, ...] = (0.0,)
    reads: int = 0
    commands: list[tuple[float, float, float]] = field(default_factory=list)
    on_write: Callable[[int], None] = lambda tick: None
    lost_because: str = ""

    def read(self, sensors: SensorRow) -> bool:
        if self.reads >= self.lost_after:
            return False
        self.reads += 1
        sensors.seq[0] += 1
        while int(sensors.seq[0]) in self.missing_stamps:
            sensors.seq[0] += 1
        sensors.t_s[0] = sensors.seq[0] * 1e-3 + self.late_s[self.reads % len(self.late_s)]
        sensors.q[:] = 0.25
        return True

    def write(self, command: CommandRow) -> None:
        self.commands.append((float(command.seq[0]), float(command.kp.max()), float(command.kd.min())))
        self.on_write(len(self.commands))

    @property
    def last_damps(self) -> bool:
        _, kp, kd = self.commands[-1]
        return kp == 0.0 and kd > 0.0


@dataclass
class FakeOutput:
    command: CommandRow = field(default_factory=lambda: CommandRow(NA))
    state: str = "active"
    remark: str = ""


@dataclass
class FakeBrain:
    """Takes 1 us a stage, does as `on_step` says, and remembers its requests."""

    clock: FakeTime
    on_step: Callable[[int], None] = lambda tick: None
    output: FakeOutput = field(default_factory=FakeOutput)
    requests: list[Any] = field(default_factory=list)
    gains: list[Any] = field(default_factory=list)

    def step(self, sensors: SensorRow, request: Any, gains: Any, mark: Callable[[int], None]) -> FakeOutput:
        self.requests.append(request)
        self.gains.append(gains)
        for stage in range(len(BRAIN_STAGES)):
            self.clock.now_ns += 1000 * (stage + 1)
            mark(stage)
        self.on_step(len(self.requests) - 1)
        self.output.command.kp[:] = 50.0
        self.output.command.seq[:] = sensors.seq
        return self.output


class Bench:
    """A loop over fakes, with its parts at hand."""

    def __init__(self, **robot: Any) -> None:
        self.time = FakeTime()
        self.robot = FakeRobot(**robot)
        self.brain = FakeBrain(self.time)
        self.sensors = SensorRow(NA, NC)
        clock = GridClock(now=self.time.now, sleep_until=self.time.sleep_until)
        self.loop = ControlLoop(
            self.robot, self.brain, self.sensors, damping_command(NA, 2.0), "gains", clock=clock
        )

    def run(self, n_ticks: int, **options: Any) -> LoopResult:
        return self.loop.run(n_ticks, options.pop("schedule", [(0, "stand")]), **options)

    def stall_at(self, tick: int, periods: float) -> None:
        def on_step(now: int) -> None:
            if now == tick:
                self.time.now_ns += int(periods * PERIOD_NS)

        self.brain.on_step = on_step


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.mark.parametrize("pace", list(Pace))
def test_every_tick_reads_decides_and_writes_once(bench: Bench, pace: Pace) -> None:
    result = bench.run(50, pace=pace)
    assert result.ticks == bench.robot.reads == len(bench.brain.requests) == len(bench.robot.commands) == 50
    assert (result.exit_code, result.exit_state, result.overruns, result.error) == (0, "active", 0, None)
    assert bench.brain.gains == ["gains"] * 50


def test_stage_times_add_up_to_the_tick(bench: Bench) -> None:
    result = bench.run(20)
    figures = {name: histogram.summary_us()["p50"] for name, histogram in result.latency.items()}
    for index, stage in enumerate(BRAIN_STAGES):
        assert figures[stage] == pytest.approx(index + 1, abs=0.05)
    stages = sum(figures[name] or 0.0 for name in (*BRAIN_STAGES, "read", "write"))
    assert figures["tick"] == pytest.approx(stages, abs=0.05)
    assert figures["wake"] is None
    assert figures["period"] is None
    assert all(
        result.latency[name].total == 20 for name in (*BRAIN_STAGES, "read", "write", "record", "tick")
    )


def test_a_stage_that_did_not_run_is_not_measured(bench: Bench) -> None:
    bench.brain.step = lambda sensors, request, gains, mark: (mark(0), bench.brain.output)[1]
    result = bench.run(5000)
    assert result.latency["estimate"].total == result.latency["write"].total == 5000
    assert result.latency["solve"].total == 0


def test_on_the_timer_an_overrun_is_counted_and_the_grid_kept(bench: Bench) -> None:
    bench.stall_at(tick=10, periods=2.5)
    result = bench.run(30, pace=Pace.TIMER)
    assert (result.ticks, result.overruns) == (30, 2)
    assert [(miss.tick, miss.periods) for miss in result.misses] == [(11, 2)]
    period = result.latency["period"]
    assert period.max_ns == pytest.approx(3 * PERIOD_NS, rel=1e-3)
    assert period.percentile_ns(0.0) == pytest.approx(PERIOD_NS, rel=1e-3)
    assert result.latency["wake"].total == 30


@pytest.mark.parametrize(("periods", "told"), [(3.5, 0), (5.5, 1)])
def test_a_loop_that_loses_many_periods_says_once_that_it_is_too_slow(
    bench: Bench, periods: float, told: int
) -> None:
    bench.stall_at(tick=10, periods=periods)
    result = bench.run(30, pace=Pace.TIMER)
    assert [event.kind for event in result.events].count(DEGRADED) == told


def test_on_the_robots_pace_lost_states_are_overruns_and_time_goes_on() -> None:
    bench = Bench(missing_stamps={11, 12})
    result = bench.run(30, pace=Pace.ROBOT, schedule=[(0, "stand"), (12, "walk")])
    assert (result.ticks, result.overruns) == (28, 2)
    assert bench.brain.requests == ["stand"] * 10 + ["walk"] * 18
    assert result.latency["read"].total == 0


def test_a_jump_of_the_robots_clock_is_not_taken_for_missed_states() -> None:
    bench = Bench(missing_stamps=set(range(11, 100_000)))
    result = bench.run(30, pace=Pace.ROBOT)
    assert (result.ticks, result.overruns) == (30, 0)


@pytest.mark.parametrize("late_s", [(0.0, 3e-3, 2e-3, 1e-3), (0.0, 9e-4, 2e-4), (0.0, 0.0, 0.0, 0.0, 2e-3)])
def test_states_that_are_stamped_late_are_not_counted_as_lost_again_and_again(late_s: tuple[float]) -> None:
    bench = Bench(late_s=late_s)
    result = bench.run(2000, pace=Pace.ROBOT)
    assert result.ticks + result.overruns == pytest.approx(2000, abs=1)
    assert result.overruns <= 3
    assert DEGRADED not in [event.kind for event in result.events]


def test_a_lost_state_among_late_ones_is_counted() -> None:
    result = Bench(late_s=(0.0, 9e-4), missing_stamps={500, 501, 900}).run(2000, pace=Pace.ROBOT)
    assert result.overruns == pytest.approx(3, abs=1)


def test_requests_follow_the_schedule_and_the_last_of_a_tick_counts(bench: Bench) -> None:
    bench.run(9, schedule=[(0, "stand"), (3, "reach"), (3, "sway"), (7, "squat"), (100, "never")])
    assert bench.brain.requests == ["stand"] * 3 + ["sway"] * 4 + ["squat"] * 2


@pytest.mark.parametrize("schedule", [[], [(1, "late")], [(0, "a"), (5, "b"), (4, "c")]])
def test_a_schedule_that_leaves_a_tick_without_request_is_refused(bench: Bench, schedule: Any) -> None:
    with pytest.raises(ValueError, match="schedule"):
        bench.run(10, schedule=schedule)


def test_a_remark_of_the_brain_is_an_event_once(bench: Bench) -> None:
    def on_step(tick: int) -> None:
        if tick == 2:
            bench.brain.output.remark = "the hand is short of its place"

    bench.brain.on_step = on_step
    events = bench.run(6).events
    assert [event.text for event in events if event.kind == "remark"] == ["the hand is short of its place"]


def test_the_observer_sees_every_tick_after_it_was_written(bench: Bench) -> None:
    seen = []

    def observer(tick: int, sensors: SensorRow, request: Any, output: Any) -> None:
        seen.append((tick, len(bench.robot.commands), request, output is bench.brain.output))
        bench.time.now_ns += 700_000

    result = bench.run(5, observer=observer)
    assert seen == [(tick, tick + 1, "stand", True) for tick in range(5)]
    assert result.latency["tick"].max_ns < 100_000
    assert result.latency["record"].percentile_ns(0.0) > 700_000


def test_the_observer_can_end_the_run(bench: Bench) -> None:
    result = bench.run(100, observer=lambda tick, *_: bench.loop.stop() if tick == 6 else None)
    assert (result.ticks, result.exit_code) == (7, 0)


def test_a_failing_brain_ends_in_damping(bench: Bench) -> None:
    def on_step(tick: int) -> None:
        if tick == 5:
            raise ZeroDivisionError("no mass")

    bench.brain.on_step = on_step
    result = bench.run(100)
    assert (result.ticks, result.exit_code, result.exit_state) == (5, 5, "fault")
    assert isinstance(result.error, ZeroDivisionError)
    assert result.events[-1].kind == "fault"
    assert "ZeroDivisionError: no mass" in result.events[-1].text
    assert bench.robot.last_damps


def test_a_failing_link_is_an_event_and_not_a_traceback(bench: Bench) -> None:
    def refuse(tick: int) -> None:
        raise OSError("cable")

    bench.robot.on_write = refuse
    result = bench.run(10)
    assert result.exit_code == 5
    assert [event.kind for event in result.events] == ["fault", "fault"]
    assert "damping" in result.events[-1].text


def test_a_lost_link_ends_in_damping_with_its_own_status() -> None:
    bench = Bench(lost_after=7)
    result = bench.run(100, pace=Pace.TIMER)
    assert (result.ticks, result.exit_code, result.exit_state) == (7, 4, "link_lost")
    assert bench.robot.last_damps


@pytest.mark.parametrize(
    ("reason", "told"), [("the cable is out", "the cable is out"), ("", "no state came from the robot")]
)
def test_why_the_link_was_lost_is_told_where_it_knows(reason: str, told: str) -> None:
    bench = Bench(lost_after=3, lost_because=reason)
    assert told in bench.run(10).events[-1].text


def test_damping_is_newer_than_any_command_sent() -> None:
    bench = Bench(lost_after=7)
    bench.run(100)
    numbers = [seq for seq, _, _ in bench.robot.commands]
    assert numbers == sorted(set(numbers))


def test_what_is_no_error_of_the_tick_still_damps_and_goes_up(bench: Bench) -> None:
    def on_step(tick: int) -> None:
        raise SystemExit

    bench.brain.on_step = on_step
    with pytest.raises(SystemExit):
        bench.run(10)
    assert bench.robot.last_damps


def raise_signal_at(*ticks: int) -> Callable[[int], None]:
    def on_step(tick: int) -> None:
        if tick in ticks:
            os.kill(os.getpid(), signal.SIGTERM)

    return on_step


def test_a_first_signal_asks_the_brain_to_stop_and_a_long_stop_ends(bench: Bench) -> None:
    bench.brain.on_step = raise_signal_at(5)
    result = bench.run(10**6, stop_request=DAMP)
    assert bench.brain.requests == ["stand"] * 6 + [DAMP] * STOP_TICKS
    assert (result.exit_code, result.stopped_by, result.exit_state) == (0, "SIGTERM", "active")
    assert bench.robot.last_damps


def test_a_soft_stop_is_over_when_the_brain_is_idle(bench: Bench) -> None:
    stop = raise_signal_at(5)

    def on_step(tick: int) -> None:
        stop(tick)
        bench.brain.output.state = "idle" if tick == 20 else "damping" if tick > 5 else "active"

    bench.brain.on_step = on_step
    result = bench.run(10**6, stop_request=DAMP)
    assert result.ticks == 21
    assert [event.text for event in result.events if event.kind == "state"] == [
        "starts in active",
        "from active to damping",
        "from damping to idle",
    ]


def test_a_second_signal_stops_within_a_tick(bench: Bench) -> None:
    bench.brain.on_step = raise_signal_at(5, 9)
    result = bench.run(10**6, stop_request=DAMP)
    assert result.ticks == 10
    assert bench.robot.last_damps


def test_a_signal_without_a_stop_request_damps_after_the_tick(bench: Bench) -> None:
    bench.brain.on_step = raise_signal_at(5)
    assert bench.run(10**6).ticks == 7
    assert bench.robot.last_damps


def test_signal_handlers_are_restored(bench: Bench) -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    bench.run(3)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_the_worst_tick_is_kept_for_the_trace_viewer(bench: Bench) -> None:
    bench.stall_at(tick=10, periods=0.7)
    bench.run(5000)
    worst = bench.loop.stages.worst_rows()
    assert worst[-1, -1] == 10
    assert len(bench.loop.stages.rows()) == 2000


def test_a_second_run_shows_no_stage_of_the_first_and_loads_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A run that has dropped its rights may not be able to read a file any more.
    bench.run(100)
    monkeypatch.setattr(StageRing, "__init__", None)
    bench.run(5)
    assert len(bench.loop.stages.rows()) == 5


def test_the_tick_keeps_nothing(bench: Bench) -> None:
    bench.brain.requests = bench.brain.gains = _Forgetful()  # type: ignore[assignment]
    bench.robot.commands = _Forgetful()  # type: ignore[assignment]
    gc.collect()
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        result = bench.run(WARM_UP_TICKS + 3000)
    finally:
        if was_enabled:
            gc.enable()
    assert result.footprint.block_growth <= 16
    assert result.footprint.full_collections == 0


def test_full_garbage_passes_are_counted(bench: Bench) -> None:
    bench.brain.on_step = lambda tick: gc.collect() if tick == WARM_UP_TICKS + 5 else None
    callbacks = list(gc.callbacks)
    assert bench.run(WARM_UP_TICKS + 10).footprint.full_collections == 1
    assert gc.callbacks == callbacks


class _Forgetful(list[Any]):
    def append(self, item: Any) -> None:
        pass

"""The tick: read, decide, write, once a millisecond or as fast as the world allows."""

from __future__ import annotations

import enum
import gc
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from kilohertz.robots.model.rows import CommandRow, SensorRow
from kilohertz.robots.wire.link import TickLink
from kilohertz.rt.host.footprint import FootprintMeter, StealMeter
from kilohertz.rt.loop.clock import GridClock
from kilohertz.rt.loop.fade import FADE_TICKS, fade
from kilohertz.rt.loop.histogram import LatencyHistogram
from kilohertz.rt.loop.outcome import (
    EXIT_DONE,
    EXIT_LINK_LOST,
    EXIT_SAFETY_STOP,
    LoopEvent,
    LoopResult,
    Miss,
)
from kilohertz.rt.loop.signals import told_by_signals
from kilohertz.rt.loop.stamps import DUE, ORDER, READ, RECORD, STAGE_COLUMNS, START, WRITE, StageRing

Vector = NDArray[np.float64]

WARM_UP_TICKS = 200
STOP_TICKS = 1900
"""Two seconds from a signal to damping, with the fade at their end."""
CLOCK_JUMP_TICKS = 1000
COLLECT_EVERY_TICKS = 64
MISSES_KEPT = 256
EVENTS_KEPT = 1000
DEGRADED = "degraded"
DEGRADED_PERIODS, DEGRADED_TICKS = 3, 100
"""More periods lost than this, within so many, and the loop says that it is too slow."""

_NEVER = sys.maxsize


class Pace(enum.Enum):
    """What starts a tick.

    LOCKSTEP: the end of the one before, as fast as it goes, for a simulated robot. It never sleeps, so it
    must never run at FIFO priority.
    TIMER: the grid clock.
    ROBOT: the robot's own state message, for which the link's `read` waits; its time limit is the deadline.
    """

    LOCKSTEP = "lockstep"
    TIMER = "timer"
    ROBOT = "robot"


class Output(Protocol):
    """What the loop reads of a decision."""

    @property
    def command(self) -> CommandRow:
        """The command row to send."""
        ...

    @property
    def state(self) -> str:
        """State of the controller, such as "active"; a change of it is an event of the run."""
        ...

    @property
    def remark(self) -> str:
        """What could not be done as asked, one sentence; a change of it is an event of the run."""
        ...


# Requests and gains belong to the brain: the loop only carries them there.
Request = TypeVar("Request")
GainsLike = TypeVar("GainsLike")
Decision = TypeVar("Decision", bound=Output)
_Request = TypeVar("_Request", contravariant=True)
_Gains = TypeVar("_Gains", contravariant=True)
_Decision = TypeVar("_Decision", bound=Output, covariant=True)


class Brain(Protocol[_Request, _Gains, _Decision]):
    """What the loop needs of `kilohertz.controller.brain.Brain`."""

    def step(
        self, sensors: SensorRow, request: _Request, gains: _Gains, mark: Callable[[int], None], /
    ) -> _Decision:
        """One decision; calls `mark(stage)` as each stage ends."""
        ...


Observer = Callable[[int, SensorRow, Request, Decision], None]
Schedule = Sequence[tuple[int, Request]]


class _Stop:
    """What was asked from outside the tick: by signals, or by `ControlLoop.stop`."""

    def __init__(self) -> None:
        self.now = False
        self.signals = 0
        self.name: str | None = None

    def on_signal(self, number: int) -> None:
        self.signals += 1
        if self.signals == 1:
            self.name = signal.Signals(number).name
        else:
            self.now = True


class ControlLoop(Generic[Request, GainsLike, Decision]):
    """Runs a brain against a link, and measures every tick of it.

    Args:
        link: the robot.
        brain: decides.
        sensors: the row that the link fills and the brain reads.
        damping: what the robot is told when the loop ends badly; see `fade.damping_command`.
        gains: handed to the brain each tick; may be replaced between ticks.
        clock: the period, and the clock of every stamp.
        handle_signals: whether SIGINT and SIGTERM stop a run, the first softly, the second at once; only
            the main thread can.

    Attributes:
        stages: stage stamps of the last two seconds of the latest run, and of its worst tick.
    """

    def __init__(
        self,
        link: TickLink,
        brain: Brain[Request, GainsLike, Decision],
        sensors: SensorRow,
        damping: CommandRow,
        gains: GainsLike,
        *,
        clock: GridClock | None = None,
        handle_signals: bool = True,
    ) -> None:
        self.gains = gains
        self.clock = clock if clock is not None else GridClock()
        self._link = link
        self._brain = brain
        self._sensors = sensors
        self._damping = damping
        self._handle_signals = handle_signals
        self._prepare((), None)

    def _prepare(self, schedule: Schedule[Request], stop_request: Request | None) -> None:
        self.stages = StageRing(now=self.clock.now)
        self._histograms = {name: LatencyHistogram() for name in (*STAGE_COLUMNS, "tick", "wake", "period")}
        self._by_stage = [
            (column, self._histograms[STAGE_COLUMNS[column]].record) for column in ORDER if column != RECORD
        ]
        self._stop = _Stop()
        self._schedule = schedule
        self._next_entry = 0
        self._next_at = 0
        if schedule:
            self._request = schedule[0][1]
        self._stop_request = stop_request
        self._stopping = False
        self._tick = 0
        self._last_tick = 0
        self._paced_by_robot = False
        self._ticks_run = 0
        self._missed = 0
        self._overruns = 0
        self._last_miss_tick = 0
        self._lost_of_late = 0.0
        self._degraded = False
        self._previous_start_ns = 0
        self._previous_t_s = np.nan
        self._last_command: CommandRow | None = None
        self._state = ""
        self._link_lost = False
        self._events: list[LoopEvent] = []
        self._remark = ""
        self._misses: list[Miss] = []
        self._steal_s: float | None = None

    def stop(self) -> None:
        """Ends the run after this tick; for the observer."""
        self._stop.now = True

    def run(
        self,
        n_ticks: int,
        schedule: Schedule[Request],
        *,
        pace: Pace = Pace.LOCKSTEP,
        observer: Observer[Request, Decision] | None = None,
        stop_request: Request | None = None,
    ) -> LoopResult:
        """Runs for n_ticks periods and tells how it went; no exception of a tick leaves it.

        Args:
            n_ticks: how many periods.
            schedule: (tick, request) pairs in order of their tick, the first at tick 0.
            pace: what starts a tick.
            observer: called with (tick, sensors, request, output) after each tick is written and stamped;
                its time is the stage `record`, no part of the tick.
            stop_request: what to ask of the brain for up to STOP_TICKS after a first signal, or until it
                is idle; without it the robot damps at once.

        Raises:
            ValueError: if the schedule does not start at tick 0 or is out of order.
        """
        starts = [tick for tick, _ in schedule]
        if not starts or starts[0] != 0 or starts != sorted(starts):
            raise ValueError("the schedule must start at tick 0 and be in order")
        self._prepare(schedule, stop_request)
        self._last_tick = n_ticks
        self._paced_by_robot = pace is Pace.ROBOT
        error: BaseException | None = None
        with ExitStack() as stack:
            self._steal = StealMeter()
            stack.callback(self._steal.close)
            self._meter = stack.enter_context(FootprintMeter(self._steal))
            if self._handle_signals:
                stack.enter_context(told_by_signals(self._stop.on_signal))
            self._meter.start()
            self._steal_s = self._steal.read_s()
            self.clock.start()
            try:
                self._tick_on(pace, observer)
            except (
                BaseException
            ) as caught:  # A robot in motion must hear of any end, also of KeyboardInterrupt.
                error = caught
            result = self._conclude(error)
        if error is not None and not isinstance(error, Exception):
            raise error
        return result

    def _tick_on(self, pace: Pace, observer: Observer[Request, Decision] | None) -> None:
        """Ticks until the last; hot path: nothing here or below grows, waits or writes a file."""
        read = {
            Pace.LOCKSTEP: self._read_now,
            Pace.TIMER: self._read_on_time,
            Pace.ROBOT: self._read_when_sent,
        }[pace]
        mark = self.stages.mark
        sensors = self._sensors
        step = self._brain.step
        write = self._link.write
        while self._tick < self._last_tick and not self._stop.now:
            if not read():
                self._link_lost = True
                return
            request = self._current_request()
            output = step(sensors, request, self.gains, mark)
            write(output.command)
            mark(WRITE)
            self._record(output)
            if observer is not None:
                observer(self._tick, sensors, request, output)
            mark(RECORD)
            self._end_tick()

    def _read_now(self) -> bool:
        start_ns = self.clock.now()
        self.stages.begin(self._tick, start_ns, start_ns)
        arrived = self._link.read(self._sensors)
        self.stages.mark(READ)
        return arrived

    def _read_on_time(self) -> bool:
        clock = self.clock
        start_ns = clock.wait()
        self._missed = clock.missed
        self.stages.begin(self._tick, clock.due_ns, start_ns)
        self._histograms["wake"].record(start_ns - clock.due_ns)
        self._record_period(start_ns)
        arrived = self._link.read(self._sensors)
        self.stages.mark(READ)
        return arrived

    def _read_when_sent(self) -> bool:
        """The tick starts when the state is there; so it has no stage `read`, which would be the waiting."""
        if not self._link.read(self._sensors):
            return False
        start_ns = self.clock.now()
        t_s = self._sensors.t_s.item()
        periods = (t_s - self._previous_t_s) * 1e9 / self.clock.period_ns
        # The first state follows none (NaN); where the robot's clock jumped, nothing is known to be missed.
        self._missed = round(periods) - 1 if 1.5 < periods < CLOCK_JUMP_TICKS else 0
        self._previous_t_s = t_s
        self._tick += self._missed
        self.stages.begin(self._tick, start_ns, start_ns)
        self._record_period(start_ns)
        return True

    def _record_period(self, start_ns: int) -> None:
        if self._previous_start_ns:
            self._histograms["period"].record(start_ns - self._previous_start_ns)
        self._previous_start_ns = start_ns

    def _current_request(self) -> Request:
        if self._stop.signals and not self._stopping:
            self._begin_to_stop()
        while self._tick >= self._next_at:
            self._request = self._schedule[self._next_entry][1]
            self._next_entry += 1
            more = self._next_entry < len(self._schedule)
            self._next_at = self._schedule[self._next_entry][0] if more else _NEVER
        return self._request

    def _begin_to_stop(self) -> None:
        self._stopping = True
        self._next_at = _NEVER
        if self._stop_request is None:
            self._stop.now = True
        else:
            self._request = self._stop_request
            self._last_tick = min(self._last_tick, self._tick + STOP_TICKS)

    def _record(self, output: Output) -> None:
        stages = self.stages
        cells, row = stages.cells, stages.row
        previous_ns = start_ns = cells[row + START]
        for column, record in self._by_stage:
            stamp_ns = cells[row + column]
            if stamp_ns >= previous_ns:
                record(stamp_ns - previous_ns)
                previous_ns = stamp_ns
        self._histograms["tick"].record(previous_ns - start_ns)
        if previous_ns - cells[row + DUE] > stages.worst_ns:
            stages.keep_worst(previous_ns - cells[row + DUE])
        if self._missed:
            self._note_miss()
        if output.state != self._state:
            self._note_state(output.state)
        if output.remark is not self._remark:
            self._note_remark(output.remark)
        self._last_command = output.command

    def _end_tick(self) -> None:
        cells, row = self.stages.cells, self.stages.row
        self._histograms["record"].record(cells[row + RECORD] - cells[row + WRITE])
        self._tick += 1
        self._ticks_run += 1
        if self._ticks_run == WARM_UP_TICKS:
            self._meter.start()
        # With the collector off, cycles are freed here, between ticks, while they are young and few.
        if self._ticks_run % COLLECT_EVERY_TICKS == 0 and not gc.isenabled():
            gc.collect(0)

    def _note_miss(self) -> None:
        self._overruns += self._missed
        self._note_slowness()
        if len(self._misses) == MISSES_KEPT:
            return
        before_s, self._steal_s = self._steal_s, self._steal.read_s()
        stolen_s = None if before_s is None or self._steal_s is None else self._steal_s - before_s
        self._misses.append(Miss(self._tick, self._missed, stolen_s))

    def _note_slowness(self) -> None:
        """Counts periods lost of late; they are forgotten as time passes."""
        passed = self._tick - self._last_miss_tick
        share = max(0.0, 1.0 - passed / DEGRADED_TICKS)
        self._lost_of_late = self._lost_of_late * share + self._missed
        self._last_miss_tick = self._tick
        if share == 0.0:
            self._degraded = False
        if self._lost_of_late > DEGRADED_PERIODS and not self._degraded:
            self._degraded = True
            text = f"more than {DEGRADED_PERIODS} of {DEGRADED_TICKS} periods lost: tick or host is too slow"
            if len(self._events) < EVENTS_KEPT:
                self._events.append(LoopEvent(self._now_s(), DEGRADED, text))

    def _note_state(self, state: str) -> None:
        if self._stopping and state == "idle":
            self._stop.now = True
        if len(self._events) < EVENTS_KEPT:
            text = f"from {self._state} to {state}" if self._state else f"starts in {state}"
            self._events.append(LoopEvent(self._now_s(), "state", text))
        self._state = state

    def _note_remark(self, remark: str) -> None:
        self._remark = remark
        if remark and len(self._events) < EVENTS_KEPT:
            self._events.append(LoopEvent(self._now_s(), "remark", remark))

    def _now_s(self) -> float:
        return self._tick * self.clock.period_ns * 1e-9

    def _conclude(self, error: BaseException | None) -> LoopResult:
        exit_state, exit_code = self._state or "idle", EXIT_DONE
        t_s = self._now_s()
        if error is not None:
            exit_state, exit_code = "fault", EXIT_SAFETY_STOP
            self._events.append(LoopEvent(t_s, "fault", f"the tick failed: {type(error).__name__}: {error}"))
        elif self._link_lost:
            exit_state, exit_code = "link_lost", EXIT_LINK_LOST
            text = self._link.lost_because or "no state came from the robot within the link's time limit"
            self._events.append(LoopEvent(t_s, "link_lost", text))
        elif self._stop.name is not None:
            self._events.append(LoopEvent(t_s, "stopped", f"stopped by {self._stop.name}"))
        if exit_code != EXIT_DONE or self._stop.name is not None:
            self._damp()
        return LoopResult(
            ticks=self._ticks_run,
            overruns=self._overruns,
            exit_state=exit_state,
            exit_code=exit_code,
            events=self._events,
            misses=self._misses,
            latency=self._histograms,
            footprint=self._meter.read(),
            stopped_by=self._stop.name,
            error=error if isinstance(error, Exception) else None,
            stopped_softly=self._stopping and self._stop_request is not None and self._stop.signals == 1,
        )

    def _damp(self) -> None:
        damping, sensors = self._damping, self._sensors
        # Newer than anything sent, or a robot that takes only rising numbers would refuse it.
        last = self._last_command
        damping.seq[:] = np.maximum(last.seq if last is not None else sensors.seq, sensors.seq) + 1.0
        damping.t_s[:] = sensors.t_s
        damping.q_des[:] = sensors.q
        try:
            if self._paced_by_robot and last is not None and np.isfinite(last.data).all():
                self._fade_out(last)
            else:
                self._link.write(damping)
        except Exception as error:
            text = f"the damping command could not be sent: {type(error).__name__}: {error}"
            self._events.append(LoopEvent(self._now_s(), "fault", text))

    def _fade_out(self, last: CommandRow) -> None:
        """Damps a robot whose time goes on while we send."""
        words = CommandRow(len(last.kd))
        self.clock.start()
        for step in range(1, FADE_TICKS + 1):
            fade(last, self._damping, step, words)
            self._link.write(words)
            self.clock.wait()

"""The control loop, whose tick reads the sensors, runs the controller and writes the command."""

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
    EXIT_INTERNAL_ERROR,
    EXIT_LINK_LOST,
    LoopEvent,
    LoopResult,
    Miss,
)
from kilohertz.rt.loop.signals import told_by_signals
from kilohertz.rt.loop.stamps import DUE, ORDER, READ, RECORD, STAGE_COLUMNS, START, WRITE, StageRing

Vector = NDArray[np.float64]

WARM_UP_TICKS = 200
"""Number of ticks after which page faults, collections and memory are counted anew, without the warm-up."""
STOP_TICKS = 1900
"""Longest time from a signal to the fade to damping, in ticks; with the fade it stays below two seconds."""
CLOCK_JUMP_TICKS = 1000
"""If the time stamps of two successive states are this many periods apart or more, the clock of the robot is
taken to have jumped."""
LATEST_TICKS, KEPT_LATENESS = 8.0, 0.99
"""Lateness of a time stamp from which the robot's clock counts as set back, in periods, and the fraction of a
lateness that is kept from tick to tick: the robot's period may differ a little from the nominal one."""
COLLECT_EVERY_TICKS = 64
"""Number of ticks between two collections of young objects while automatic garbage collection is off."""
MISSES_KEPT = 256
"""Largest number of deadline misses that are recorded one by one."""
EVENTS_KEPT = 1000
"""Largest number of events that are recorded in the ticks of a run."""
DEGRADED = "degraded"
"""Kind of the event that reports a loop that is too slow."""
DEGRADED_PERIODS, DEGRADED_TICKS = 3, 100
"""The loop counts as too slow while the decaying sum of lost periods is above the first number; it decays to
zero in the second number of ticks."""

_NEVER = sys.maxsize


class Pace(enum.Enum):
    """Event that starts a tick.

    LOCKSTEP: the end of the previous tick, for a simulated robot that runs as fast as possible. The loop then
    never sleeps, and therefore must not run under SCHED_FIFO.
    TIMER: a grid point of the clock.
    ROBOT: the arrival of a state message; `read` of the link waits for it, up to the time limit of the link.
    """

    LOCKSTEP = "lockstep"
    TIMER = "timer"
    ROBOT = "robot"


class Output(Protocol):
    """The attributes of the controller's output that the loop uses."""

    @property
    def command(self) -> CommandRow:
        """The command row to send."""
        ...

    @property
    def state(self) -> str:
        """State of the controller, such as "active"; each change is an event of the run."""
        ...

    @property
    def remark(self) -> str:
        """The part of the request that could not be met, in one sentence; each new sentence is an event."""
        ...


# The types of requests and gains are those of the brain; the loop only passes them on.
Request = TypeVar("Request")
GainsLike = TypeVar("GainsLike")
Decision = TypeVar("Decision", bound=Output)
_Request = TypeVar("_Request", contravariant=True)
_Gains = TypeVar("_Gains", contravariant=True)
_Decision = TypeVar("_Decision", bound=Output, covariant=True)


class Brain(Protocol[_Request, _Gains, _Decision]):
    """The method of `kilohertz.controller.brain.Brain` that the loop uses."""

    def step(
        self, sensors: SensorRow, request: _Request, gains: _Gains, mark: Callable[[int], None], /
    ) -> _Decision:
        """Runs one tick of the controller; calls `mark(stage)` at the end of each stage."""
        ...


Observer = Callable[[int, SensorRow, Request, Decision], None]
Schedule = Sequence[tuple[int, Request]]


class _Stop:
    """Stop requests from outside the tick: by signals, or by `ControlLoop.stop`."""

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
    """Runs a controller ("brain") on a robot, and measures the timing of every tick.

    Args:
        link: link to the robot.
        brain: the controller.
        sensors: the sensor row that the link fills and the brain reads.
        damping: command that is sent if an error, a lost link or a signal ends the run, but not at its normal
            end or after `stop`; see `fade.damping_command`.
        gains: gains that are passed to the brain in each tick; they may be replaced between ticks.
        clock: clock that defines the period and all time stamps.
        handle_signals: whether SIGINT, SIGTERM and SIGHUP stop a run: the first signal softly if `run` has a
            `stop_request`, the second at once; this works in the main thread only.

    Attributes:
        stages: time stamps of the stages in the last two seconds of the latest run, and in its worst tick.
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
        # Made once: its compiled part is read from files, which a run without rights may not be able to read.
        self.stages = StageRing(now=self.clock.now)
        self._prepare((), None)

    def _prepare(self, schedule: Schedule[Request], stop_request: Request | None) -> None:
        self.stages.clear()
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
        self._behind = 0.0
        self._last_command: CommandRow | None = None
        self._state = ""
        self._link_lost = False
        self._events: list[LoopEvent] = []
        self._remark = ""
        self._misses: list[Miss] = []
        self._steal_s: float | None = None

    def stop(self) -> None:
        """Ends the run after the current tick; to be called by the observer."""
        self._stop.now = True

    def ask_to_stop(self, by: str, *, at_once: bool) -> None:
        """Stops the run as a signal does: softly if `run` has a `stop_request`, or at once; between ticks.

        Args:
            by: what stops the run, for its result, such as "the operator".
            at_once: whether the joints are damped at once.
        """
        self._stop.name = self._stop.name or by
        self._stop.signals += 1
        self._stop.now = self._stop.now or at_once

    def ask(self, request: Request) -> None:
        """Replaces the request to the brain from the next tick on, and drops the rest of the schedule.

        To be called by the observer. A run that is being stopped takes no more requests.
        """
        if not self._stopping:
            self._request = request
            self._next_at = _NEVER

    def drop_schedule(self) -> None:
        """Drops the rest of the schedule; the present request stays. To be called by the observer."""
        self._next_at = _NEVER

    def run(
        self,
        n_ticks: int,
        schedule: Schedule[Request],
        *,
        pace: Pace = Pace.LOCKSTEP,
        observer: Observer[Request, Decision] | None = None,
        stop_request: Request | None = None,
    ) -> LoopResult:
        """Runs the loop for n_ticks ticks; with `Pace.ROBOT`, missed periods count as ticks too.

        An exception in a tick ends the run with a damping command, and is part of the result; only exceptions
        such as KeyboardInterrupt, which are not an `Exception`, are raised again.

        Args:
            n_ticks: number of ticks.
            schedule: (tick, request) pairs in the order of their ticks, the first at tick 0.
            pace: event that starts a tick.
            observer: called with (tick, sensors, request, output) after the command of each tick was sent and
                stamped; its time is the stage `record`, which is not part of the tick.
            stop_request: request to the brain after a first signal, for up to STOP_TICKS or until the state
                is idle; None to damp the robot at once.

        Returns:
            Outcome and timing of the run.

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
            ) as caught:  # Any exception has to end in a damping command, also KeyboardInterrupt.
                error = caught
            result = self._conclude(error)
        if error is not None and not isinstance(error, Exception):
            raise error
        return result

    def _tick_on(self, pace: Pace, observer: Observer[Request, Decision] | None) -> None:
        """Runs all ticks. Hot path: except to wait for the start of a tick, nothing blocks or writes."""
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
        """Waits for a state; the tick starts when it arrives, so that stage `read` is not measured."""
        if not self._link.read(self._sensors):
            return False
        start_ns = self.clock.now()
        t_s = self._sensors.t_s.item()
        periods = (t_s - self._previous_t_s) * 1e9 / self.clock.period_ns
        # A state that is stamped late is no miss if the count of ticks was already ahead for such a state.
        behind = self._behind + periods - 1.0
        # NaN at the first state, which has no predecessor; after a clock jump the misses are not known.
        self._missed = missed = round(behind) if behind > 0.5 and periods < CLOCK_JUMP_TICKS else 0
        behind -= missed
        self._behind = KEPT_LATENESS * behind if -LATEST_TICKS < behind < 0.0 else 0.0
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
        # With automatic collection off, reference cycles are freed here, between ticks, while they are few.
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
        """Updates the number of periods that were lost recently; it decays to zero in DEGRADED_TICKS."""
        passed = self._tick - self._last_miss_tick
        share = max(0.0, 1.0 - passed / DEGRADED_TICKS)
        self._lost_of_late = self._lost_of_late * share + self._missed
        self._last_miss_tick = self._tick
        if share == 0.0:
            self._degraded = False
        if self._lost_of_late > DEGRADED_PERIODS and not self._degraded:
            self._degraded = True
            lost = f"more than {DEGRADED_PERIODS} periods lost within about {DEGRADED_TICKS}"
            text = f"{lost}: tick or host is too slow"
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
            exit_state, exit_code = "fault", EXIT_INTERNAL_ERROR
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
        # The sequence number has to be higher than all that were sent, or the robot refuses the command.
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
        """Fades from the last command to damping, for a robot that runs in real time."""
        words = CommandRow(len(last.kd))
        self.clock.start()
        for step in range(1, FADE_TICKS + 1):
            fade(last, self._damping, step, words)
            self._link.write(words)
            self.clock.wait()

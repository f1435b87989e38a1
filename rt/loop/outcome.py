"""Outcome of a run of the control loop: exit codes, events, deadline misses and timing."""

from __future__ import annotations

from dataclasses import dataclass

from kilohertz.rt.host.footprint import Footprint
from kilohertz.rt.loop.histogram import LatencyHistogram

EXIT_DONE = 0
EXIT_SAFETY_STOP = 1
EXIT_LINK_LOST = 4
EXIT_INTERNAL_ERROR = 5
EXIT_INTERRUPTED = 130


@dataclass(frozen=True)
class LoopEvent:
    """An event of a run, such as a change of state or a fault.

    Attributes:
        t_s: time of the event since the start of the run [s].
        kind: kind of the event, such as "state" or "fault".
        text: the event in words.
    """

    t_s: float
    kind: str
    text: str


@dataclass(frozen=True)
class Miss:
    """A deadline miss: periods that passed without a tick.

    Attributes:
        tick: number of the tick right after the gap.
        periods: number of periods that were skipped.
        steal_s: processor time that the hypervisor took on all cores since the last miss, or since the start
            of the run, in steps of 10 ms [s]; None if the host does not report it.
    """

    tick: int
    periods: int
    steal_s: float | None


@dataclass(frozen=True)
class LoopResult:
    """Outcome of a run of the control loop.

    Attributes:
        ticks: number of completed ticks.
        overruns: number of periods that passed without a tick.
        exit_state: last state of the controller, or `link_lost` or `fault`.
        exit_code: 0 done, 4 the link was lost, 5 an exception inside the loop ended the run.
        events: changes of state, stops and faults, in the order of time.
        misses: the first deadline misses, one by one.
        latency: a histogram for each stage, and for `tick` (from its start until the command was written),
            `wake` (delay of the wake-up), `period` (from start to start) and `record` (the observer, after
            the tick); empty if the pace has no such time.
        footprint: resources of the host that the run used after its warm-up.
        stopped_by: name of the first signal that requested a stop; None if there was none.
        error: the exception that ended the run; None if there was none.
        stopped_softly: whether there was one signal only, and the controller was requested to stop the robot.
    """

    ticks: int
    overruns: int
    exit_state: str
    exit_code: int
    events: list[LoopEvent]
    misses: list[Miss]
    latency: dict[str, LatencyHistogram]
    footprint: Footprint
    stopped_by: str | None
    error: Exception | None
    stopped_softly: bool = False

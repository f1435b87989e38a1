"""How a run of the loop went."""

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
    """Something worth telling: when [s since the start of the run], what kind, and in words."""

    t_s: float
    kind: str
    text: str


@dataclass(frozen=True)
class Miss:
    """Periods that passed without a tick.

    Attributes:
        tick: the tick right after the gap.
        periods: how many were skipped.
        steal_s: processor time that the hypervisor took since the last miss, or since the start, on all
            cores, in steps of 10 ms [s]; None where the host does not say.
    """

    tick: int
    periods: int
    steal_s: float | None


@dataclass(frozen=True)
class LoopResult:
    """How a run went.

    Attributes:
        ticks: ticks that ran to their end.
        overruns: periods that passed without a tick.
        exit_state: the brain's last state, or `link_lost` or `fault`.
        exit_code: 0 done, 1 a fault inside the loop ended it, 4 the link was lost.
        events: changes of state, stops and faults, in order.
        misses: the first overruns one by one.
        latency: a histogram for each stage, and for `tick` (from start to written), `wake` (from due to
            woken), `period` (from start to start) and `record` (observing, after the tick); empty where
            the pace has none.
        footprint: what the run took from the host once warm.
        stopped_by: name of the first signal that asked it to stop.
        error: the exception that ended it.
        stopped_softly: whether that signal was the only one, and the brain was asked to stop the robot.
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

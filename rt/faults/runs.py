"""Which faults can be provoked here, and how often by default."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from rt.faults import link_runs, session_runs
from rt.faults.link_runs import Outcome
from rt.faults.table import Fault, find_fault


@dataclass(frozen=True)
class FaultRun:
    """How to provoke a fault.

    Attributes:
        run: provokes it n times.
        n: how often by default, which takes some seconds.
        n_full: how often the table asks for, or as often as tells something.
    """

    run: Callable[[int], Outcome]
    n: int
    n_full: int


RUNS: dict[str, FaultRun] = {
    "F01": FaultRun(link_runs.f01_command_link_lost, 100, 1000),
    "F02": FaultRun(link_runs.f02_state_link_lost, 50, 1000),
    "F03": FaultRun(link_runs.f03_not_finite, 2_000, 100_000),
    "F06": FaultRun(session_runs.f06_twice_and_out_of_order, 200, 10_000),
    "F07": FaultRun(session_runs.f07_clock_jump, 20, 1000),
    "F17": FaultRun(link_runs.f17_wrong_robot, 100, 1000),
    "F18": FaultRun(link_runs.f18_hostile_packets, 5_000, 100_000),
    "F19": FaultRun(link_runs.f19_second_commander, 200, 10_000),
    "F22": FaultRun(session_runs.f22_signals, 4, 100),
    "F23": FaultRun(link_runs.f23_controller_killed, 30, 1000),
    "F24": FaultRun(link_runs.f24_controller_stopped, 10, 100),
    "F25": FaultRun(link_runs.f25_robot_killed, 10, 100),
}


@dataclass(frozen=True)
class Result:
    """A fault and what came of provoking it."""

    fault: Fault
    outcome: Outcome

    def as_json(self) -> dict[str, Any]:
        """Row of the report."""
        return {
            "fault": self.fault.name,
            "what": self.fault.fault,
            "injection": self.fault.injection,
            "n": self.outcome.n,
            "wanted": self.fault.figure,
            "worst": self.outcome.worst,
            "passed": self.outcome.passed,
        }


def run_faults(names: list[str], *, full: bool = False) -> Iterator[Result]:
    """Provokes faults one after the other; all that can be where no names are given.

    Raises:
        ConfigError: a name that is none.
    """
    for fault in [find_fault(name) for name in names or RUNS]:
        if fault.name not in RUNS:
            continue
        entry = RUNS[fault.name]
        yield Result(fault, entry.run(entry.n_full if full else entry.n))

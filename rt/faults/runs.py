"""Lists the faults that this version can inject, and runs them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from kilohertz.rt.faults import (
    body_runs,
    flood_runs,
    link_runs,
    log_runs,
    operator_runs,
    process_runs,
    sensor_runs,
    session_runs,
    start_runs,
    tuning_runs,
)
from kilohertz.rt.faults.link_runs import Outcome
from kilohertz.rt.faults.table import Fault, find_fault


@dataclass(frozen=True)
class FaultRun:
    """How to inject a fault.

    Attributes:
        run: function that injects the fault n times.
        n: default number of injections, which takes some seconds.
        n_full: number of injections that the table requires, or enough for a meaningful figure.
    """

    run: Callable[[int], Outcome]
    n: int
    n_full: int


RUNS: dict[str, FaultRun] = {
    "F01": FaultRun(link_runs.f01_command_link_lost, 100, 1000),
    "F02": FaultRun(link_runs.f02_state_link_lost, 50, 1000),
    "F03": FaultRun(link_runs.f03_not_finite, 2_000, 100_000),
    "F04": FaultRun(sensor_runs.f04_frozen_sensor, 20, 200),
    "F05": FaultRun(sensor_runs.f05_encoder_jump, 60, 1000),
    "F06": FaultRun(session_runs.f06_duplicated_and_reordered, 200, 10_000),
    "F07": FaultRun(session_runs.f07_clock_jump, 20, 1000),
    "F08": FaultRun(body_runs.f08_no_solution, 20, 200),
    "F09": FaultRun(body_runs.f09_slow_solver, 16, 200),
    "F10": FaultRun(process_runs.f10_overrun, 12, 100),
    "F11": FaultRun(body_runs.f11_joint_limits, 40, 10_000),
    "F12": FaultRun(body_runs.f12_torque_spike, 20, 200),
    "F14": FaultRun(sensor_runs.f14_estimator_diverges, 5, 100),
    "F15": FaultRun(body_runs.f15_fall, 3, 100),
    "F17": FaultRun(link_runs.f17_wrong_robot, 100, 1000),
    "F18": FaultRun(link_runs.f18_hostile_packets, 5_000, 100_000),
    "F19": FaultRun(link_runs.f19_second_commander, 200, 10_000),
    "F20": FaultRun(log_runs.f20_log, 9, 150),
    "F22": FaultRun(session_runs.f22_signals, 4, 100),
    "F23": FaultRun(link_runs.f23_controller_killed, 30, 1000),
    "F24": FaultRun(link_runs.f24_controller_stopped, 10, 100),
    "F25": FaultRun(link_runs.f25_robot_killed, 10, 100),
    "F26": FaultRun(start_runs.f26_odd_pose, 40, 1000),
    "F27": FaultRun(start_runs.f27_bad_gains, 120, 3000),
    "F28": FaultRun(tuning_runs.f28_unstable_gains, 6, 100),
    "F31": FaultRun(process_runs.f31_memory, 2_000, 100_000),
    "F32": FaultRun(process_runs.f32_host_is_not_real_time, 1, 100),
    "F33": FaultRun(operator_runs.f33_operator_lost, 3, 100),
    "F34": FaultRun(flood_runs.f34_flood, 60, 1000),
}


@dataclass(frozen=True)
class Result:
    """A fault and the result of injecting it."""

    fault: Fault
    outcome: Outcome

    def as_json(self) -> dict[str, Any]:
        """Returns the result as a row of the JSON report."""
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
    """Injects faults one after the other and yields each result.

    Args:
        names: names of the faults, such as F07; empty for all that can be injected.
        full: whether to inject each fault as often as the table requires.

    Raises:
        ConfigError: there is no fault of a given name.
    """
    for fault in [find_fault(name) for name in names or RUNS]:
        if fault.name not in RUNS:
            continue
        entry = RUNS[fault.name]
        yield Result(fault, entry.run(entry.n_full if full else entry.n))

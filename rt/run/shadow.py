"""Comparison of a controller that only watches with the one that commands the robot."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import CommandRow, SensorRow
from kilohertz.rt.loop.trace import Trace
from kilohertz.rt.run.summary import base_velocity_error, tilt_error_rad

Vector = NDArray[np.float64]

SLOTS = 64
KEPT = 200_000
"""Number of round trips and of largest differences that are kept for percentiles."""
LONGEST_LAG_TICKS = 20

# A command whose torque jumps by half a limit in several periods ends in damping on the robot's side; one
# jump as large as this, when a controller takes over, does not.
LARGEST_P99, LARGEST_RMS = 0.3, 0.1
LARGEST_TILT_DEG, LARGEST_VELOCITY_M_S = 1.5, 0.1
FEWEST_COMPARED = 1000
LATE_US = 4000.0
LARGEST_LATE_SHARE = 1e-3


class CommandComparison:
    """Compares the torques of two controllers that answer the same states of the robot.

    The torque of a command is tau_ff + kp (q_des - q) + kd (v_des - v), with the joint positions and
    velocities of the state that it answers. A state that only one of them answers does not count.

    Args:
        robot: model of the robot.

    Attributes:
        compared: number of states that both have answered.
        different: number of these states with a difference in any joint.
        round_trip_us: (n,) times from a state to its command, as the robot measured them [us].
        largest: (n,) largest difference of each compared state, over the torque limit.
        highest: (na,) largest difference of each joint, over its torque limit.
    """

    def __init__(self, robot: RobotModel) -> None:
        self.compared = self.different = 0
        self.highest = np.zeros(robot.na)
        self._limit = robot.torque_limit_Nm
        self._sum2 = np.zeros(robot.na)
        self._mine, self._theirs = np.zeros((SLOTS, robot.na)), np.zeros((SLOTS, 5, robot.na))
        self._q, self._v = np.zeros((SLOTS, robot.na)), np.zeros((SLOTS, robot.na))
        self._mine_of, self._theirs_of = [0] * SLOTS, [0] * SLOTS
        self._work = np.zeros(robot.na)
        self._largest, self._trips_us = np.zeros(KEPT), np.zeros(KEPT)
        self._trips = 0

    @property
    def round_trip_us(self) -> Vector:
        """Times from a state to its command, as the robot measured them: (n,) values [us]."""
        return self._trips_us[: min(self._trips, KEPT)]

    @property
    def largest(self) -> Vector:
        """Largest difference of each compared state, over the torque limit: (n,) values."""
        return self._largest[: min(self.compared, KEPT)]

    @property
    def rms(self) -> Vector:
        """RMS difference of each joint over its torque limit: (na,) values; NaN without a compared state."""
        if not self.compared:
            return np.full(self._sum2.shape, np.nan)
        return np.asarray(np.sqrt(self._sum2 / self.compared))

    @property
    def commanded(self) -> int:
        """Number of commands of the other controller that were received."""
        return self._trips

    def mine(self, state_seq: int, sensors: SensorRow, command: CommandRow) -> None:
        """Takes in the command of the watching controller for a state. Hot path."""
        slot = state_seq % SLOTS
        if self._mine_of[slot] == state_seq:
            return
        self._q[slot], self._v[slot] = sensors.q, sensors.v
        self._torque(slot, command.q_des, command.v_des, command.kp, command.kd, command.tau_ff)
        self._mine[slot] = self._work
        self._mine_of[slot] = state_seq
        if self._theirs_of[slot] == state_seq:
            self._compare(slot)

    def theirs(self, state_seq: int, trip_us: float, command: CommandRow) -> None:
        """Takes in the command of the controller that commands the robot. Hot path."""
        slot = state_seq % SLOTS
        self._trips_us[self._trips % KEPT] = trip_us
        self._trips += 1
        theirs = self._theirs[slot]
        theirs[0], theirs[1], theirs[2] = command.q_des, command.v_des, command.kp
        theirs[3], theirs[4] = command.kd, command.tau_ff
        self._theirs_of[slot] = state_seq
        if self._mine_of[slot] == state_seq:
            self._compare(slot)

    def _torque(self, slot: int, q_des: Vector, v_des: Vector, kp: Vector, kd: Vector, tau: Vector) -> None:
        work = self._work
        np.subtract(q_des, self._q[slot], out=work)
        work *= kp
        work += tau
        work += kd * (v_des - self._v[slot])

    def _compare(self, slot: int) -> None:
        work, theirs = self._work, self._theirs[slot]
        self._torque(slot, theirs[0], theirs[1], theirs[2], theirs[3], theirs[4])
        work -= self._mine[slot]
        np.abs(work, out=work)
        work /= self._limit
        largest = work.max().item()
        self._largest[self.compared % KEPT] = largest
        self.compared += 1
        self.different += largest > 0.0
        np.maximum(self.highest, work, out=self.highest)
        work *= work
        self._sum2 += work


def shadow_figures(
    comparison: CommandComparison,
    trace: Trace,
    robot: RobotModel,
    latency: Mapping[str, Any] | None,
    missed: int,
) -> dict[str, Any]:
    """Returns how the watching controller compares with the one that commands the robot.

    Args:
        comparison: torques of both, by state.
        trace: history of the watching controller.
        robot: model of the robot.
        latency: percentiles of its tick, `latency_us` of the summary; None in lockstep, where time does not
            count.
        missed: number of states that it did not answer because it was too slow.

    Returns:
        The section `shadow` of the summary. Without copies of the commands, torques are compared with the
        measured ones, at the delay at which they agree best.
    """
    names = robot.joint_names
    if comparison.commanded:
        against, lag_ms = "commands", 0.0
        rms, highest, largest = comparison.rms, comparison.highest, comparison.largest
    else:
        against = "measured torques"
        lag_ms, differences = _measured(trace, robot)
        largest, highest, rms = _sizes(differences)
    p99 = float(np.percentile(largest, 99.0)) if largest.size else math.nan
    trips = comparison.round_trip_us
    trip = np.percentile(trips, (50.0, 99.0, 99.9)).tolist() if trips.size else [None] * 3
    figures: dict[str, Any] = {
        "against": against,
        "compared": comparison.compared if comparison.commanded else len(largest),
        "different": comparison.different if comparison.commanded else None,
        "lag_ms": lag_ms,
        "torque_p99_fraction": _known(p99),
        "torque_max_fraction": _known(float(np.nanmax(highest))) if largest.size else None,
        "torque_rms_fraction_by_joint": dict(zip(names, map(_known, rms.tolist()), strict=True)),
        "commander_round_trip_us": dict(zip(("p50", "p99", "p99.9"), trip, strict=True)),
        "states_missed": missed,
    }
    reasons = _torque_reasons(figures, rms, names)
    reasons += _timing_reasons(trace, latency, missed) if latency is not None else []
    reasons += [*_state_reasons(trace), *(_estimate_reasons(trace) if robot.floating else [])]
    return figures | {"safe_to_take_over": not reasons, "reasons": reasons}


def _sizes(differences: Vector) -> tuple[Vector, Vector, Vector]:
    """Returns the largest difference of each row, and largest and RMS of each joint; NaN for an unknown one.

    Args:
        differences: (n, na) absolute differences over the torque limit; NaN where a torque is unknown.
    """
    known = np.isfinite(differences)
    seen = known.any(axis=0)
    unknown = np.full(differences.shape[1], np.nan)
    if not seen.any():
        return np.zeros(0), unknown, unknown
    sizes = np.where(known, differences, 0.0)
    highest = np.where(seen, sizes.max(axis=0), np.nan)
    return sizes.max(axis=1), highest, np.where(seen, np.sqrt(np.mean(sizes**2, axis=0)), np.nan)


def _measured(trace: Trace, robot: RobotModel) -> tuple[float, Vector]:
    """Returns the delay [ms] at which commanded and measured torques agree best, and their differences.

    Args:
        trace: history of the watching controller.
        robot: model of the robot.

    Returns:
        The delay, and (n, na) absolute differences over the torque limit; NaN where a torque is unknown.
    """
    tau, measured, t_s = trace.kept("tau"), trace.kept("tau_true"), trace.kept("t_s")
    period_ms = 1e3 * float(np.median(np.diff(t_s))) if len(t_s) > 1 else 0.0
    best, best_lag = np.zeros((0, robot.na)), 0
    least = math.inf
    for lag in range(min(LONGEST_LAG_TICKS, max(len(tau) - 1, 0)) + 1):
        differences = np.abs(measured[lag:] - tau[: len(tau) - lag]) / robot.torque_limit_Nm
        known = differences[np.isfinite(differences)]
        size = float(np.mean(known**2)) if known.size else math.inf
        if size < least:
            best, best_lag, least = differences, lag, size
    return best_lag * period_ms, best


def _torque_reasons(figures: Mapping[str, Any], rms: Vector, names: tuple[str, ...]) -> list[str]:
    if figures["compared"] < FEWEST_COMPARED:
        return [f"only {figures['compared']} torques could be compared, less than {FEWEST_COMPARED}"]
    p99 = figures["torque_p99_fraction"]
    reasons = []
    if p99 > LARGEST_P99:
        reasons.append(
            f"the torques differ by up to {p99:.2f} of a joint's limit (p99), more than {LARGEST_P99}: a "
            "take-over would be a jump"
        )
    worst = int(np.nanargmax(rms))
    if rms[worst] > LARGEST_RMS:
        reasons.append(
            f"the torque of {names[worst]} differs by {rms[worst]:.2f} of its limit (RMS), more than "
            f"{LARGEST_RMS}"
        )
    return reasons


def _timing_reasons(trace: Trace, latency: Mapping[str, Any], missed: int) -> list[str]:
    tick = latency["tick"]["p99.9"]
    reasons = []
    if tick is not None and tick > LATE_US:
        reasons.append(f"the tick takes {tick:.0f} us (p99.9), more than the deadline of {LATE_US:.0f} us")
    if missed > LARGEST_LATE_SHARE * max(trace.ticks, 1):
        reasons.append(f"{missed} of {trace.ticks + missed} states were not answered in time")
    return reasons


def _state_reasons(trace: Trace) -> list[str]:
    unsolved = int(trace.rung_ticks[2:].sum())
    reasons = []
    if trace.exit_state != "active":
        reasons.append(f"the watching controller is not active but in the state {trace.exit_state}")
    if unsolved:
        reasons.append(f"{unsolved} ticks were without a solution of the QP")
    return reasons


def _estimate_reasons(trace: Trace) -> list[str]:
    """Returns what is wrong with the estimate, where the robot sends its true state."""
    if trace.against != "truth" or trace.rows < 2:
        return []
    tilt = float(np.degrees(np.sqrt(np.mean(tilt_error_rad(trace) ** 2))))
    velocity = float(np.sqrt(np.mean(np.sum(base_velocity_error(trace) ** 2, axis=1))))
    reasons = []
    if tilt > LARGEST_TILT_DEG:
        reasons.append(f"the estimated tilt is off by {tilt:.2f} deg (RMS), more than {LARGEST_TILT_DEG} deg")
    if velocity > LARGEST_VELOCITY_M_S:
        reasons.append(
            f"the estimated velocity is off by {velocity:.2f} m/s (RMS), more than {LARGEST_VELOCITY_M_S} m/s"
        )
    return reasons


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None

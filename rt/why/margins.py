"""Margins of every tick of a recorded run, from its log and from running the controller over it again.

The log alone must be enough, as on hardware: neither the scenario nor the events of a simulation are read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kilohertz.controller.problem.tables import MAX_CONE_ROWS
from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.kin import FZ
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import Vector
from kilohertz.rt.log.file import LogReader
from kilohertz.rt.log.header import LogHeader
from kilohertz.rt.log.schema import WARM_UP
from kilohertz.rt.run.replay import PROGRESS_TICKS, ReplayedBrain
from kilohertz.rt.why.stop_figures import StopFigure, stop_figure

LOOP_EVENTS = ("state", "remark", "degraded", "link_lost", "fault", "stopped")
"""Kinds of the events that the loop itself records, on hardware as well as in simulation."""
ROBOT_EVENTS = ("damping",)
"""Kinds of the events of the robot's side: why it damps on its own."""
_RIDGE = 1e-6
"""Regularisation of the contact wrenches from the torques of the legs, relative to the normal matrix."""


class Doubts(NamedTuple):
    """Criteria of a diverged estimate, see `kilohertz.estimators.divergence.Doubt`; each (n,)."""

    doubt: Vector
    disagreement: Vector
    contradiction_m_s2: Vector
    opposed_m2_s3: Vector
    spun_rad: Vector
    gyro_turn_rad: Vector


@dataclass(frozen=True)
class Margins:
    """The recorded ticks of a run, and what was computed again for each of them.

    Attributes:
        header: header of the log.
        robot: model of the robot.
        rows: (n,) rows of the log, without the warm-up.
        rest: fields of the sensor sample before the first tick, of the robot at rest.
        events: events of the loop: dicts of t_s [s], kind and text.
        summary: summary of the run; None if the log has none.
        reasons: (index, sentence) of each change of the reason for which the joints are damped.
        same: whether all commands came out as recorded.
        planned: (n, nc) whether each contact should be closed.
        p_WF: (n, nc, 3) position of each contact in the world [m].
        R_WF: (n, nc, 3, 3) its orientation.
        vel_F: (n, nc, 6) its velocity, linear and angular, in its own axes [m/s, rad/s].
        leg_wrench_F: (n, nc, 6) wrench on each contact from torques and motion of the joints alone, in the
            contact's axes [N, Nm]; 0 for an estimator that uses the true state.
        active_torque: (n, na) whether the torque limit of each joint is active in the solution.
        active_range: (n, na) whether the barrier of the range of each joint is active.
        cone_use: (n, nc) largest use of a wrench cone or load bound in the solution, 1 at its bound.
        residual: (n, 7) residuals of the solution, see `kilohertz.controller.problem.tables.Solution`.
        doubts: criteria of a diverged estimate.
        surprise: (n, nc) squared innovation of each contact's position; NaN where it is not used.
        gyro_bias: (n, 3) estimated bias of the gyroscope [rad/s].
        accel_bias: (n, 3) estimated bias of the accelerometer [m/s^2].
        robot_events: events of the robot's side: dicts of t_s [s], kind and text.
        stop_figures: quantities for which a watch stopped the robot, by the index in `reasons`.
    """

    header: LogHeader
    robot: RobotModel
    rows: NDArray[Any]
    rest: Any
    events: list[dict[str, Any]]
    summary: dict[str, Any] | None
    reasons: list[tuple[int, str]]
    same: bool
    planned: NDArray[np.bool_]
    p_WF: Vector
    R_WF: Vector
    vel_F: Vector
    leg_wrench_F: Vector
    active_torque: NDArray[np.bool_]
    active_range: NDArray[np.bool_]
    cone_use: Vector
    residual: Vector
    doubts: Doubts
    surprise: Vector
    gyro_bias: Vector
    accel_bias: Vector
    robot_events: list[dict[str, Any]] = field(default_factory=list)
    stop_figures: dict[int, StopFigure] = field(default_factory=dict)

    @property
    def t_s(self) -> Vector:
        """(n,) time of each tick since the first one, on the clock of the robot [s]."""
        stamps = self.rows["sensors"]["t_s"][:, 0]
        since: Vector = stamps - stamps[0]
        return since


class _Arrays:
    """The arrays of `Margins` that are computed again, one row per tick, which grow with the log.

    Args:
        replayed: the controller of the run.
        n: number of ticks.
    """

    def __init__(self, replayed: ReplayedBrain, n: int) -> None:
        robot, brain = replayed.robot, replayed.brain
        nc, na = len(robot.contacts), robot.na
        self._kin, self._body = brain.body.arrays.kin, brain.body
        self._brain, self._estimator = brain, brain.estimator
        self._filter = getattr(self._estimator, "filter", None)
        self._frames = list(range(nc))
        self._n_base = robot.n_base
        self.planned = np.zeros((n, nc), dtype=bool)
        self.p_WF = np.zeros((n, nc, 3))
        self.R_WF = np.zeros((n, nc, 3, 3))
        self.vel_F = np.zeros((n, nc, 6))
        self.leg_wrench_F = np.zeros((n, nc, 6))
        self.active_torque = np.zeros((n, na), dtype=bool)
        self.active_range = np.zeros((n, na), dtype=bool)
        self.cone_use = np.zeros((n, nc))
        self.residual = np.zeros((n, len(brain.body.solution.residual)))
        self.doubts = np.zeros((n, len(Doubts._fields)))
        self.surprise = np.full((n, nc), np.nan)
        self.gyro_bias = np.zeros((n, 3))
        self.accel_bias = np.zeros((n, 3))

    def take(self, k: int, tau: Vector) -> None:
        """Copies the state of the controller after tick k, whose measured torques [Nm] are given."""
        kin, frames, solution = self._kin, self._frames, self._body.solution
        self.planned[k] = self._brain.motion.planned if frames else ()
        self.p_WF[k], self.R_WF[k], self.vel_F[k] = kin.p[frames], kin.R[frames], kin.vel[frames]
        self.residual[k] = solution.residual
        self.active_torque[k] = solution.y_tau != 0.0
        self.active_range[k] = solution.y_vdot != 0.0
        self._take_cones(k)
        if self._filter is None:
            return
        doubt, ekf = self._estimator._doubt, self._filter  # type: ignore[attr-defined]
        self.doubts[k] = [float(getattr(doubt, name)[0]) for name in Doubts._fields]
        self.gyro_bias[k], self.accel_bias[k] = ekf.gyro_bias, ekf.accel_bias
        self.surprise[k] = ekf.surprise[:, 0]
        self._take_legs(k, tau)

    def _take_cones(self, k: int) -> None:
        contacts, wrench = self._body.arrays.contacts, self._body.solution.wrench
        for c in range(len(self._frames)):
            if contacts.offset[c] < 0:
                continue
            n, dim = min(int(contacts.n_rows[c]), MAX_CONE_ROWS) - 1, int(contacts.dim[c])
            load = max(abs(float(wrench[c, FZ if dim == len(wrench[c]) else min(FZ, dim - 1)])), 1.0)
            value = contacts.cone[c, :n, :dim] @ wrench[c, :dim]
            # The bounds of the cone's rows are zero: how near a row is, relative to the load.
            self.cone_use[k, c] = 1.0 + float(value.max()) / load if n > 0 else 0.0

    def _take_legs(self, k: int, tau: Vector) -> None:
        kin, n_base = self._kin, self._n_base
        if not self._frames or not np.isfinite(tau).all():
            return
        J = kin.J[self._frames][:, :, n_base:].reshape(-1, len(tau))
        required = self._estimator._data.tau[n_base:] - tau  # type: ignore[attr-defined]
        normal = J @ J.T
        normal[np.diag_indices_from(normal)] += _RIDGE * np.trace(normal)
        self.leg_wrench_F[k] = np.linalg.solve(normal, J @ required).reshape(-1, 6)


def margins_of(
    reader: LogReader, robot: str | None = None, progress: Callable[[float], None] | None = None
) -> Margins:
    """Runs the controller over a log again, and collects the margins of every tick.

    Args:
        reader: reader of the log, at its beginning.
        robot: name or folder of the robot, if its folder has been moved.
        progress: called every `PROGRESS_TICKS` ticks with the time of the run [s].

    Raises:
        ConfigError: the controller of the log is not the one of this version, model and configuration, or
            rows are missing.
    """
    replayed = ReplayedBrain(reader.header, reader.row, robot)
    blocks = list(reader.blocks())
    if reader.lost:
        raise ConfigError(f"{reader.path} cannot be explained: {reader.lost} of its rows were lost")
    if not blocks:
        raise ConfigError(f"{reader.path} contains no tick")
    rows = np.concatenate(blocks)
    ticks = rows["tick"] != WARM_UP
    arrays = _Arrays(replayed, int(ticks.sum()))
    reasons: list[tuple[int, str]] = []
    figures: dict[int, StopFigure] = {}
    same, k, said = True, 0, ""
    assert reader.row.fields is not None
    at = reader.row.fields["command"][1] // 8
    command = replayed.command.view(np.int64)
    for cells, is_tick, tau in zip(
        rows.view(np.int64).reshape(len(rows), -1), ticks, rows["sensors"]["tau"], strict=True
    ):
        replayed.step(cells)
        if not is_tick:
            continue
        same = same and bool((command == cells[at : at + command.size]).all())
        arrays.take(k, tau)
        reason = replayed.brain.output.reason
        if reason != said:
            reasons.append((k, reason))
            figure = stop_figure(replayed, reason)
            if figure is not None:
                figures[k] = figure
            said = reason
        if progress is not None and k % PROGRESS_TICKS == 0:
            progress(k * reader.header.period_ns * 1e-9)
        k += 1
    doubts = Doubts(*arrays.doubts.T)
    again = {name: value for name, value in vars(arrays).items() if not name.startswith("_")}
    return Margins(
        header=reader.header,
        robot=replayed.robot,
        rows=rows[ticks],
        rest=rows["sensors"][0],
        events=[event for event in reader.events if event["kind"] in LOOP_EVENTS],
        summary=reader.summary,
        reasons=reasons,
        same=same,
        stop_figures=figures,
        robot_events=[event for event in reader.events if event["kind"] in ROBOT_EVENTS],
        **{**again, "doubts": doubts},
    )

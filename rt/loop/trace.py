"""History of a run tick by tick: references, estimates, true states, wrenches and torques.

All memory is allocated before the first tick; `record` copies one tick into its row and allocates nothing. A
long run keeps every n-th tick, but the counts and the worst values are those of all ticks.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from kilohertz.robots.model.motors import copper_loss_W_Nm2
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.wire.link import RobotTruth
from kilohertz.rt.loop.energy_meter import EnergyMeter

Vector = NDArray[np.float64]
Flags = NDArray[np.bool_]

# 120 s of G1 at 1 kHz take about 300 MB; a longer run keeps every n-th tick, in about the same memory.
ROWS_KEPT = 120_000
STATES = ("idle", "armed", "active", "soft_stop", "damping")
RUNGS = 5
TRUTH, ESTIMATE = "truth", "estimate"
"""What the columns `_true` hold: the true state of a simulator, or the estimate where that is not known."""
ITERATIONS_KEPT = 5_000
SATURATED_FRACTION = 0.999


class TracedOutput(Protocol):
    """The attributes of each output that are kept; see `kilohertz.controller.brain.BrainOutput`."""

    state: str
    rung: int
    qp_iterations: int
    p_WC: Vector
    v_WC: Vector
    p_WC_des: Vector
    v_WC_des: Vector
    p_WS: Vector
    p_RC: Vector
    zmp_des: Vector
    w_F: Vector
    tau: Vector
    p_WH_des: Vector
    hand_active: Flags

    @property
    def dynamics_residual_N(self) -> float:
        """Residual of the base's equations of motion in the tick's solution [N]."""
        ...

    @property
    def cone_violation_N(self) -> float:
        """Violation of the friction cones in the tick's solution [N]."""
        ...


class TracedEstimator(Protocol):
    """The attributes of the estimator that are kept; see `kilohertz.controller.brain.Estimator`."""

    q: Vector
    q_O: Vector
    v: Vector
    contact: Flags


class Trace:
    """History of one run, for its summary and its plots.

    Arrays have one row per kept tick; only the first `rows` rows are filled. The suffix `_true` is the true
    state of the simulator, `_est` the estimate, `_des` the reference. The frames are W world, C centre of
    mass (payload included), R centre of mass of the robot alone, S middle of the stance soles, F contact
    frame, H hand.

    Args:
        robot: the robot of the run.
        ticks: largest number of ticks of the run, >= 1.
        rows_kept: largest number of rows, >= 1; a longer run keeps every n-th tick.

    Attributes:
        against: what the columns `_true` hold, TRUTH or ESTIMATE.
        forces_measured: whether `normal_true_N` is known from a sensor or the simulator.
        energy: work of the motors so far; the columns `mechanical_J` and `electrical_J` hold it at each row.
    """

    def __init__(self, robot: RobotModel, ticks: int, rows_kept: int = ROWS_KEPT) -> None:
        if ticks < 1 or rows_kept < 1:
            raise ValueError(f"a trace needs at least one tick and one row, not {ticks} and {rows_kept}")
        nc, nh = len(robot.contact_names), len(robot.hand_names)
        self.stride = -(-ticks // rows_kept)
        self.capacity = -(-ticks // self.stride)
        self.rows = 0
        self.ticks = 0
        self.against = TRUTH
        self.forces_measured = True

        self.t_s = self._column()
        self.q_true = self._column(robot.nq)
        self.v_true = self._column(robot.nv)
        self.p_WC_true = self._column(3)
        self.p_WR_true = self._column(3)
        self.v_WC_true = self._column(3)
        self.p_WF_true = self._column(nc, 3)
        self.f_true_W = self._column(nc, 3)
        self.normal_true_N = self._column(nc)
        self.cop_true_W = self._column(nc, 3)
        self.tau_true = self._column(robot.na)
        self.p_WH_true = self._column(nh, 3)
        self.f_WH_true = self._column(nh, 3)
        self.q_est = self._column(robot.nq)
        self.base_O_est = self._column(robot.nq_base)
        self.v_est = self._column(robot.nv)
        self.contact_est = self._column(nc)
        self.p_WC_est = self._column(3)
        self.v_WC_est = self._column(3)
        self.p_WC_des = self._column(3)
        self.v_WC_des = self._column(3)
        self.p_WS_est = self._column(3)
        self.p_RC_est = self._column(3)
        self.p_WH_des = self._column(nh, 3)
        self.hand_active = self._column(nh)
        self.zmp_des = self._column(2)
        self.w_F = self._column(nc, 6)
        self.tau = self._column(robot.na)
        self.state = self._column()
        self.rung = self._column()
        self.mechanical_J = self._column()
        self.electrical_J = self._column()

        self.energy = EnergyMeter(copper_loss_W_Nm2(robot))
        self.rung_ticks = np.zeros(RUNGS, dtype=np.int64)
        self.iteration_ticks = np.zeros(ITERATIONS_KEPT + 1, dtype=np.int64)
        self.saturated_ticks = np.zeros(robot.na, dtype=np.int64)
        self.peak_torque_fraction = np.zeros(robot.na)
        self.worst_dynamics_residual = 0.0
        self.worst_cone_violation_N = 0.0
        self.exit_state = "idle"
        self._torque_limit_Nm, self._n_base = robot.torque_limit_Nm, robot.n_base
        self._fraction = np.zeros(robot.na)
        self._saturated = np.zeros(robot.na, dtype=np.bool_)

    def _column(self, *shape: int) -> Vector:
        column = np.empty((self.capacity, *shape))
        # Written once here, so that the ticks cause no page faults.
        column.fill(0.0)
        return column

    def record(self, output: TracedOutput, estimator: TracedEstimator, truth: RobotTruth) -> None:
        """Copies one tick into its row. Hot path.

        Args:
            output: output of the controller (`kilohertz.controller.brain.BrainOutput`).
            estimator: estimated state of the robot.
            truth: true state of the simulated robot when it was read (`kilohertz.sim.simulated_robot.Truth`).
        """
        self._count(output, truth)
        self.energy.add(truth.t_s, truth.tau, (truth.v if truth.known else estimator.v)[self._n_base :])
        tick = self.ticks
        self.ticks = tick + 1
        if tick % self.stride or self.rows == self.capacity:
            return
        i = self.rows
        self.t_s[i] = truth.t_s
        self.q_true[i] = truth.q
        self.v_true[i] = truth.v
        self.p_WC_true[i] = truth.p_WC
        self.p_WR_true[i] = truth.p_WR
        self.v_WC_true[i] = truth.v_WC
        self.p_WF_true[i] = truth.p_WF
        self.f_true_W[i] = truth.contact_force_W
        self.normal_true_N[i] = truth.normal_force_N
        self.cop_true_W[i] = truth.cop_W
        self.tau_true[i] = truth.tau
        self.p_WH_true[i] = truth.p_WH
        self.f_WH_true[i] = truth.f_WH
        self.q_est[i] = estimator.q
        self.base_O_est[i] = estimator.q_O[: self.base_O_est.shape[1]]
        self.v_est[i] = estimator.v
        self.contact_est[i] = estimator.contact
        self.p_WC_est[i] = output.p_WC
        self.p_RC_est[i] = output.p_RC
        self.v_WC_est[i] = output.v_WC
        self.p_WC_des[i] = output.p_WC_des
        self.v_WC_des[i] = output.v_WC_des
        self.p_WS_est[i] = output.p_WS
        self.p_WH_des[i] = output.p_WH_des
        self.hand_active[i] = output.hand_active
        self.zmp_des[i] = output.zmp_des
        self.w_F[i] = output.w_F
        self.tau[i] = output.tau
        self.state[i] = self.state_index(output.state)
        self.rung[i] = output.rung
        self.mechanical_J[i] = self.energy.mechanical_J
        self.electrical_J[i] = self.energy.electrical_J
        self.rows = i + 1

    def _count(self, output: TracedOutput, truth: RobotTruth) -> None:
        self.exit_state = output.state
        self.rung_ticks[output.rung] += 1
        self.iteration_ticks[min(output.qp_iterations, ITERATIONS_KEPT)] += 1
        self.worst_dynamics_residual = max(self.worst_dynamics_residual, float(output.dynamics_residual_N))
        self.worst_cone_violation_N = max(self.worst_cone_violation_N, float(output.cone_violation_N))
        np.abs(truth.tau, out=self._fraction)
        np.divide(self._fraction, self._torque_limit_Nm, out=self._fraction)
        np.maximum(self.peak_torque_fraction, self._fraction, out=self.peak_torque_fraction)
        np.greater_equal(self._fraction, SATURATED_FRACTION, out=self._saturated)
        self.saturated_ticks += self._saturated

    @staticmethod
    def state_index(name: str) -> int:
        """Returns the number by which the column `state` represents a state of the controller."""
        return STATES.index(name)

    def kept(self, name: str) -> Vector:
        """Returns a view of the filled rows of one column."""
        column: Vector = getattr(self, name)
        return column[: self.rows]

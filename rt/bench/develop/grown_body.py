"""Motion of a robot of any size while its tick is timed: balance, hold the posture, sway."""

from __future__ import annotations

import math

import numpy as np
import pinocchio as pin

from kilohertz.controller.gains.schema import Gains
from kilohertz.controller.standing.standing import standing_tasks
from kilohertz.controller.whole_body.from_gains import whole_body
from kilohertz.controller.whole_body.whole_body import WholeBody
from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.robots.model.kin import Floats
from kilohertz.robots.model.period import PERIOD_S
from kilohertz.robots.model.robot_model import RobotModel

_SWAY_M, _SWAY_RAD_S = 0.01, 2.0 * math.pi
_PALM_LOAD = 0.05
"""Share of the weight that each palm carries; the feet carry the rest."""


class GrownBody:
    """Whole-body problem of a robot of any size, with the tasks of standing.

    Args:
        robot: the robot, with its contacts in the order in which they are closed.
        gains: the robot's gains.
        solver: "osqp" or "exact".
    """

    def __init__(self, robot: RobotModel, gains: Gains, solver: str) -> None:
        self.robot = robot
        self.body = body = whole_body(robot, gains, standing_tasks(robot, gains), solver)
        self._always = [name for name in body.task_index if not name.endswith(".force")]
        for contacts in range(1, len(robot.contacts) + 1):
            body.prepare(*self._mode(contacts))
        body.update(robot.q_nominal.copy(), np.zeros(robot.nv))
        self._ask(gains)
        self._p_WC = body.arrays.kin.p_WC.copy()

    def _mode(self, contacts: int) -> tuple[tuple[str, ...], list[str]]:
        closed = self.robot.contact_names[:contacts]
        return closed, self._always + [f"{name}.force" for name in closed]

    def close(self, contacts: int) -> None:
        """Closes the first contacts, as many as given, and distributes the weight over them."""
        robot, body, kin = self.robot, self.body, self.body.arrays.kin
        body.set_mode(*self._mode(contacts))
        body.update(robot.q_nominal.copy(), np.zeros(robot.nv))
        weight_N = robot.mass_kg * GRAVITY_M_S2
        palms = max(contacts - 2, 0)
        wrench, momentum = np.zeros(6 * contacts), np.zeros((6, 6 * contacts))
        for c, name in enumerate(robot.contact_names[:contacts]):
            share = _PALM_LOAD if "palm" in name else (1.0 - palms * _PALM_LOAD) / (contacts - palms)
            wrench[6 * c + 2] = share * weight_N
            momentum[:, 6 * c : 6 * c + 6] = pin.SE3(kin.R[c], kin.p[c] - kin.p_WC).toDualActionMatrix()
        # The least change of these wrenches that balances the weight; most of it are moments of the soles.
        balance = np.array([0.0, 0.0, weight_N, 0.0, 0.0, 0.0])
        wrench += np.linalg.lstsq(momentum, balance - momentum @ wrench)[0]
        for c, name in enumerate(robot.contact_names[:contacts]):
            body.reference(f"{name}.force")[:6] = wrench[6 * c : 6 * c + 6]

    def _ask(self, gains: Gains) -> None:
        robot, body, kin = self.robot, self.body, self.body.arrays.kin
        body.gain("com")[:6] = np.repeat((gains.com.height_kp_per_s2, gains.com.height_kd_per_s), 3)
        for task in body.declared:
            if task.kind == "frame_orientation":
                body.reference(task.name)[:9] = kin.R[body.frame_index[str(task.frame)]].ravel()
        posture = body.reference("posture")
        posture[: robot.na] = robot.q_nominal[robot.nq_base :]
        posture[robot.na :] = gains.posture.weight
        for f in range(len(robot.contacts)):
            columns = kin.columns[f, : kin.n_columns[f]]
            posture[robot.na + columns[columns >= robot.n_base] - robot.n_base] = gains.posture.leg_weight
        half = float(max(np.abs(contact.corners_F).max() for contact in robot.contacts))
        for contact in robot.contacts:
            weights = body.reference(f"{contact.name}.force")[6:12]
            weights[:3] = gains.contact.force_weight / robot.mass_kg**2
            weights[3:] = gains.contact.moment_weight / (robot.mass_kg * half) ** 2

    def sway(self, t_s: float) -> None:
        """Sets the reference of the centre of mass at a time of the sway [s]."""
        com, angle = self.body.reference("com"), _SWAY_RAD_S * t_s
        com[:3], com[3:] = self._p_WC, 0.0
        com[1] += _SWAY_M * (1.0 - math.cos(angle))
        com[4] = _SWAY_M * _SWAY_RAD_S * math.sin(angle)
        com[7] = _SWAY_M * _SWAY_RAD_S**2 * math.cos(angle)

    def motion(self, ticks: int) -> list[tuple[Floats, Floats]]:
        """States (q, v) of the ticks of the sway with all contacts closed.

        Raises:
            ArithmeticError: a tick has no solution.
        """
        robot, states = self.robot, []
        q, v = robot.q_nominal.copy(), np.zeros(robot.nv)
        self.close(len(robot.contacts))
        for tick in range(ticks):
            states.append((q, v))
            self.sway(tick * PERIOD_S)
            if not self.tick(q, v):
                raise ArithmeticError(f"the sway of {robot.name} has no solution at tick {tick}")
            v = v + self.body.solution.vdot * PERIOD_S
            q = pin.integrate(robot.pin_model, q, v * PERIOD_S)
        return states

    def tick(self, q: Floats, v: Floats) -> bool:
        """One tick from the state to the torque; returns whether it was solved."""
        self.body.update(q, v)
        self.body.assemble()
        return self.body.solve()


def limits_in_force(body: WholeBody) -> int:
    """Number of limits with a multiplier above 1e-6 in the last solution."""
    solution = body.solution
    multipliers = (solution.y_cone, solution.y_tau, solution.y_vdot)
    return sum(int(np.count_nonzero(np.abs(y) > 1e-6)) for y in multipliers)

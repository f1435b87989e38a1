"""Inverse kinematics of an arm for a hand's pose: all postures that are found, the preferable ones first.

Levenberg-Marquardt from several initial postures, with a damping that vanishes at the solution. A joint in
the null space of the pose moves away from its stops and towards the present posture.

Source of the damping: Sugihara, "Solvability-unconcerned inverse kinematics by the Levenberg-Marquardt
method", IEEE T-RO 2011.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pinocchio as pin

from kilohertz.controller.upper_body.reach import arm_joints, orientation_part
from kilohertz.robots.model.robot_model import HandModel, RobotModel
from kilohertz.robots.model.rows import Vector

_ITERATIONS, _POLISH = 32, 6
_M_PER_RAD = 0.3
"""Weight of 1 rad of orientation error relative to 1 m of position error."""
_BIAS = 1e-3
"""Damping beside the one by the error; it bounds the steps at a singularity."""
_STEP_RAD = 0.7
_CLOSE_M, _CLOSE_RAD = 2e-5, 2e-4
_ALMOST_RAD = 0.2
"""Largest error of orientation for an arm that cannot hold both place and orientation."""
_TO_MIDDLE, _TO_PRESENT = 0.1, 0.05
_STOP_PER_ACCELERATION_S2, _LEAST_OFF_THE_STOP_RAD = 1.0 / 700.0, 0.03
_ALIKE_RAD = 0.05
_ON_LINE_M, _LINE_DAMPING = 1e-6, 1e-7


@dataclass(frozen=True)
class Goal:
    """A pose of a hand.

    Attributes:
        hand: the hand.
        p_WH: (3,) position in the world [m].
        R_WH: (3, 3) orientation in the world; None leaves it free.
    """

    hand: HandModel
    p_WH: Vector
    R_WH: Vector | None


def joint_range(robot: RobotModel) -> tuple[Vector, Vector]:
    """Returns the lowest and the highest positions at which planned motions may end, each (na,) [rad].

    They keep from the stops what the barriers of the controller need to brake a joint without a delay.
    """
    off = np.maximum(_LEAST_OFF_THE_STOP_RAD, _STOP_PER_ACCELERATION_S2 * robot.acceleration_limit_rad_s2)
    low, high = robot.position_lower_rad, robot.position_upper_rad
    off = np.minimum(off, np.where(np.isfinite(high - low), 0.1 * (high - low), off))
    return low + off, high - off


class ArmKinematics:
    """Finds postures of one robot for poses of its hands.

    Args:
        robot: robot with a fixed base.
    """

    def __init__(self, robot: RobotModel) -> None:
        self._robot = robot
        self._model, self._data = robot.pin_model, robot.pin_model.createData()
        self.low, self.high = joint_range(robot)

    def pose(self, q: Vector, hand: HandModel) -> pin.SE3:
        """Returns the pose of a hand in the world at a posture (na,) [rad], as a copy."""
        pin.forwardKinematics(self._model, self._data, q)
        return pin.updateFramePlacement(self._model, self._data, hand.frame_id).copy()

    def condition(self, q: Vector, hand: HandModel) -> float:
        """Returns the smallest singular value of the hand's Jacobian, with lengths in units of 0.3 m."""
        J = pin.computeFrameJacobian(self._model, self._data, q, hand.frame_id, pin.LOCAL)
        J = J[:, arm_joints(self._robot, hand)]
        J[:3] /= _M_PER_RAD
        values = np.linalg.svd(J, compute_uv=False)
        return float(values[min(len(values), 6) - 1])

    def solutions(self, goal: Goal, present: Vector, starts: int, seed: int = 0) -> Iterator[Vector]:
        """Yields different postures in which the hand has the pose, one after the other.

        Args:
            goal: pose of a hand.
            present: (na,) present posture [rad].
            starts: number of initial postures: the present one, the nominal one and random ones.
            seed: seed of the random postures.
        """
        joints = np.array(arm_joints(self._robot, goal.hand))
        low, high = self.low[joints], self.high[joints]
        rng = np.random.default_rng(seed)
        found: list[Vector] = []
        for i in range(starts):
            q = present.copy()
            if i == 1:
                q[joints] = self._robot.q_nominal[joints]
            elif i or seed:
                q[joints] = rng.uniform(np.maximum(low, -math.pi), np.minimum(high, math.pi))
            if not self.solve(goal, q, present, joints):
                continue
            self._unwind(q, present, joints)
            if all(np.abs(q - other).max() > _ALIKE_RAD for other in found):
                found.append(q)
                yield q

    def solve(self, goal: Goal, q: Vector, present: Vector, joints: Vector) -> bool:
        """Moves a posture to one in which the hand has the pose, in place; returns whether it has it.

        Args:
            goal: pose of a hand.
            q: (na,) posture [rad].
            present: (na,) posture towards which the null space moves [rad].
            joints: indices of the arm's joints.
        """
        low, high = self.low[joints], self.high[joints]
        np.clip(q[joints], low, high, out=(start := np.empty(len(joints))))
        q[joints] = start
        middle = np.where(np.isfinite(high - low), 0.5 * (low + high), present[joints])
        span = np.where(np.isfinite(high - low), high - low, 2.0 * math.pi)
        turned = goal.R_WH is not None
        full = not turned or orientation_part(self._robot, goal.hand) == 1.0
        rotation = _M_PER_RAD * (1.0 if full else 0.03)
        free = len(joints) > (6 if turned else 3)
        close = 0
        for i in range(_ITERATIONS + _POLISH):
            error, J = self._error(goal, q, joints, rotation)
            squared = float(error @ error)
            off_rad = float(np.linalg.norm(error[3:])) / rotation if turned else 0.0
            near_rad = _CLOSE_RAD if full else _ALMOST_RAD
            there = float(np.linalg.norm(error[:3])) < _CLOSE_M and off_rad < near_rad
            close = close + 1 if there else 0
            if close > (_POLISH if free or not full else 0) or i == _ITERATIONS + _POLISH - 1:
                return there
            H = J.T @ J
            H[np.diag_indices(len(joints))] += 0.5 * squared + _BIAS * min(squared, 1e-2) + 1e-12
            step = np.linalg.solve(H, J.T @ error)
            if free and i < _ITERATIONS - 2 * _POLISH:
                # Projected into the null space, so that the pose is not disturbed.
                wish = _TO_MIDDLE * (middle - q[joints]) / span**2 * 4.0
                wish += _TO_PRESENT * (present[joints] - q[joints])
                step += wish - J.T @ np.linalg.solve(J @ J.T + 1e-6 * np.eye(len(J)), J @ wish)
            step *= min(1.0, _STEP_RAD / max(float(np.abs(step).max()), 1e-9))
            q[joints] = np.clip(q[joints] + step, low, high)
        return False

    def follow(self, goal: Goal, q: Vector, before: Vector, joints: Vector) -> bool:
        """Moves a posture to a pose nearby without a change of the arm's shape, in place.

        Args:
            goal: pose of a hand, with an orientation.
            q: (na,) posture close to the result [rad].
            before: (na,) posture of the point before, towards which the null space moves [rad].
            joints: indices of the arm's joints.

        Returns:
            Whether the hand has the pose.
        """
        low, high = self.low[joints], self.high[joints]
        low, high = np.minimum(low, before[joints]), np.maximum(high, before[joints])
        rotation = _M_PER_RAD * (1.0 if orientation_part(self._robot, goal.hand) == 1.0 else 0.03)
        for _ in range(_ITERATIONS):
            error, J = self._error(goal, q, joints, rotation)
            if float(np.linalg.norm(error)) < _ON_LINE_M:
                return True
            step = J.T @ np.linalg.solve(J @ J.T + _LINE_DAMPING * np.eye(6), error)
            q[joints] = np.clip(q[joints] + step, low, high)
        return False

    def _error(self, goal: Goal, q: Vector, joints: Vector, rotation: float) -> tuple[Vector, Vector]:
        """Returns the error of the hand's pose in its own axes, and the Jacobian of the pose."""
        model, data = self._model, self._data
        pin.computeJointJacobians(model, data, q)
        pose = pin.updateFramePlacement(model, data, goal.hand.frame_id)
        J = pin.getFrameJacobian(model, data, goal.hand.frame_id, pin.LOCAL)[:, joints]
        error = np.zeros(6)
        error[:3] = pose.rotation.T @ (goal.p_WH - pose.translation)
        if goal.R_WH is None:
            return error[:3], J[:3]
        error[3:] = rotation * pin.log3(pose.rotation.T @ goal.R_WH)
        return error, np.vstack([J[:3], rotation * J[3:]])

    def _unwind(self, q: Vector, present: Vector, joints: Vector) -> None:
        """Adds whole turns to joints that can make them, so that they are nearest to the present posture."""
        for j in joints:
            for turn in (-2.0 * math.pi, 2.0 * math.pi):
                other = q[j] + turn
                if self.low[j] <= other <= self.high[j] and abs(other - present[j]) < abs(q[j] - present[j]):
                    q[j] = other

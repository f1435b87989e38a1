"""Check of a planned motion against collisions, joint ranges and torque limits, and the speed they allow."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pinocchio as pin

from kilohertz.controller.gains.schema import LimitGains
from kilohertz.controller.joint_motion.body_geometry import BodyGeometry
from kilohertz.controller.joint_motion.plan_row import (
    CURVE,
    FREE_ACCEL,
    FREE_JERK,
    FREE_SPEED,
    KIND,
    SLOW,
    JointState,
    PlanRow,
)
from kilohertz.controller.joint_motion.trajectory import Trajectory
from kilohertz.controller.motion.motion_limits import MotionLimits
from kilohertz.controller.qp.whole_body_kinematics import BRAKING_SHARE, LEAD_S, LEAST_BRAKING_RAD_S2
from kilohertz.robots.model.period import PERIOD_S
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import Vector
from kilohertz.robots.wire.envelope import RATE_PER_S, SPEED_MARGIN, TOP_SPEED

SAMPLE_S = 0.004
_CHECK_RAD = 0.012
"""Way of the joint that moves most between two postures that are checked for collisions."""
TORQUE_SHARE = 0.9
"""Part of the torque limits that motions use; the rest is left for friction and model errors."""
_LONGEST_S = 120.0
_MOST_TRIALS, _SLOWEST = 16, 0.1


class Samples(NamedTuple):
    """A motion over time, each (n, na): positions, velocities and accelerations of the joints."""

    q: Vector
    v: Vector
    a: Vector

    @property
    def duration_s(self) -> float:
        """Duration of the motion [s]."""
        return SAMPLE_S * (len(self.q) - 1)


class MotionCheck:
    """Checks motions of one robot.

    Args:
        robot: robot with a fixed base.
        geometry: its links.
    """

    def __init__(self, robot: RobotModel, geometry: BodyGeometry) -> None:
        self._robot, self._geometry = robot, geometry
        self.limits = MotionLimits.of(robot)
        self._model, self._data = robot.pin_model, robot.pin_model.createData()
        self._barrier = LimitGains()

    def samples(self, plan: PlanRow, start: JointState) -> Samples | None:
        """Returns the motion every SAMPLE_S; None if there is no such motion, or it does not end."""
        # A new object each time: the planner lives as long as the process, which Ruckig's objects must not.
        trajectory = Trajectory(self.limits)
        if not trajectory.begin(plan, start.q, start.v, start.a):
            return None
        rows = [np.concatenate([trajectory.q, trajectory.v, trajectory.a])]
        while not trajectory.done:
            if len(rows) * SAMPLE_S > _LONGEST_S:
                return None
            trajectory.at(len(rows) * SAMPLE_S)
            rows.append(np.concatenate([trajectory.q, trajectory.v, trajectory.a]))
        q, v, a = np.split(np.array(rows), 3, axis=1)
        return Samples(q, v, a)

    def collision(self, motion: Samples) -> str:
        """Returns which links touch along a motion, such as "a and b"; "" if none do.

        The postures at the beginning from which the arm leaves a collision are not counted.
        """
        last = motion.q[0]
        leaving = not self._geometry.free(last)
        for q in motion.q[1:]:
            if np.abs(q - last).max() < _CHECK_RAD and q is not motion.q[-1]:
                continue
            last = q
            if self._geometry.free(q):
                leaving = False
            elif not leaving:
                return self._geometry.touching(q)
        return self._geometry.touching(last) if leaving else ""

    def beyond_range(self, motion: Samples) -> bool:
        """Returns whether a joint leaves its range along a motion, more than where it begins."""
        low = np.minimum(self._robot.position_lower_rad, motion.q[0])
        high = np.maximum(self._robot.position_upper_rad, motion.q[0])
        return bool(((motion.q < low - 1e-9) | (motion.q > high + 1e-9)).any())

    def slow_down(self, plan: PlanRow, start: JointState) -> Samples | None:
        """Reduces the speed of a motion in the plan until torque limits and joint ranges allow it.

        Args:
            plan: the motion, changed in place.
            start: state from which it begins.

        Returns:
            The motion; None if it is possible at no speed.
        """
        for _ in range(_MOST_TRIALS):
            motion = self.samples(plan, start)
            if motion is None:
                return None
            part = min(self._part_for_torque(motion), self._part_for_limits(plan, motion))
            if part > 1.0 - 1e-6 and self._brakes_in_time(motion):
                return motion
            if part <= 0.0:
                return None
            part = min(part, 0.93) if part > 1.0 - 1e-6 else part * 0.995
            if plan.head[SLOW] * part < _SLOWEST:
                return None
            plan.head[SLOW] *= part
            if plan.head[KIND] == CURVE:
                plan.head[FREE_SPEED] *= part
                plan.head[FREE_ACCEL] *= part**2
                plan.head[FREE_JERK] *= part**3
        return None

    def _part_for_torque(self, motion: Samples) -> float:
        """Returns the time scale at which the torques are within their limits; 0 if not even at rest."""
        model, data, most = self._model, self._data, TORQUE_SHARE * self._robot.torque_limit_Nm
        part = np.inf
        for q, v, a in zip(*motion, strict=True):
            gravity = pin.computeGeneralizedGravity(model, data, q)
            moving = pin.rnea(model, data, q, v, a) - gravity
            left = most - np.sign(moving) * gravity
            if (left <= 0.0).any():
                # The arm can neither hold this posture with the margin, nor come away from it slowly.
                left = np.maximum(left, self._robot.torque_limit_Nm - np.sign(moving) * gravity)
                if (left <= 0.0).any():
                    return 0.0
            # The envelope of the robot's side lets less torque drive a joint that will be close to its speed
            # limit by the time in which the torque can be taken away.
            driving = np.maximum(np.sign(v) * (gravity + moving), 0.0) / most
            ahead = np.maximum(np.sign(v) * a, 0.0) * (driving / RATE_PER_S + PERIOD_S)
            speed = np.maximum((np.abs(v) + ahead) / self._robot.velocity_limit_rad_s, 1e-9)
            slower = ((TOP_SPEED - SPEED_MARGIN * driving) / speed).min()
            part = min(part, float((left / np.maximum(np.abs(moving), 1e-9)).min()), slower**2)
        return float(np.sqrt(part))

    def _part_for_limits(self, plan: PlanRow, motion: Samples) -> float:
        """Returns the time scale at which a motion along a curve is within the limits of the joints."""
        if plan.head[KIND] != CURVE:
            return 1.0
        speed, accel, jerk = self.limits
        change = np.abs(np.diff(motion.a, axis=0)).max(axis=0) / SAMPLE_S
        parts = (
            (speed / np.maximum(np.abs(motion.v).max(axis=0), 1e-9)).min(),
            np.sqrt((accel / np.maximum(np.abs(motion.a).max(axis=0), 1e-9)).min()),
            np.cbrt((jerk / np.maximum(change, 1e-9)).min()),
        )
        return float(min(parts))

    def _brakes_in_time(self, motion: Samples) -> bool:
        """Returns whether each joint slows down before the end of its range as its barrier will demand.

        See `kilohertz.controller.qp.whole_body_kinematics.barriers`, which does this in the tick.
        """
        robot, model, data = self._robot, self._model, self._data
        rate = self._barrier.position_per_s2 / self._barrier.damping_per_s
        for q, v, a in zip(*motion, strict=True):
            out = np.sign(v)
            left = np.where(v > 0.0, robot.position_upper_rad - q, q - robot.position_lower_rad)
            if not (np.abs(v) > rate * (left - 0.5)).any():
                continue  # not even close to where a joint has to brake
            speed, outwards = np.abs(v), out * a
            position = rate * self._barrier.damping_per_s * left - self._barrier.damping_per_s * speed
            M = np.abs(np.triu(pin.crba(model, data, q)))
            inertia = M.sum(axis=1) + M.sum(axis=0) - np.diag(M)
            h = pin.nonLinearEffects(model, data, q, v)
            brake = BRAKING_SHARE * (robot.torque_limit_Nm + out * h) / inertia
            brake = np.maximum(brake, LEAST_BRAKING_RAD_S2)
            bound = np.minimum(position, _braking(left - LEAD_S * speed, speed, brake, rate))
            if ((outwards > bound) & (speed > 1e-3) & np.isfinite(left)).any():
                return False
        return True


def _braking(left: Vector, speed: Vector, a: Vector, rate: float) -> Vector:
    """Returns the largest acceleration of joints towards the end of their range, see `braking` there."""
    corner = a / rate**2
    fastest = np.sqrt(np.maximum(a * (2.0 * left - corner), 1e-12))
    line = 2.0 * rate * (rate * left - speed) - rate * speed
    curve = 2.0 * rate * (fastest - speed) - a * speed / fastest
    return np.where(left < corner, line, curve)

"""State estimation of a robot with a fixed base: its joint positions and velocities."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from kilohertz.estimators import joint_observer, kernel_setup
from kilohertz.estimators.config import EstimatorGains, JointObserverGains
from kilohertz.estimators.driven_joints import command_joints, new_drive, reset_drive, take_sample
from kilohertz.estimators.pose_noise import SAMPLE_S
from kilohertz.robots.compile.bound_kernel import bind
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import SensorRow

Array = NDArray[np.float64]

LONGEST_GAP_S = 0.1


class FixedBaseEstimator:
    """Estimates the joint positions and velocities of an arm.

    Attributes (persistent arrays, updated in place):
        q (nq,), v (nv,): state in pinocchio's convention.
        q_O (nq,): the same array as q, because the base does not move.
        contact (nc,), normal_force_N (nc,): all open and zero, because an arm has no soles.
        doubt (1,): always 0, because the joint states have no second source.
        refused: number of samples that were refused because they were not finite or not plausible.

    Args:
        robot: a robot with a fixed base.
        config: noises.

    Raises:
        ValueError: the robot has a floating base.
    """

    name = "joint-observer"

    def __init__(self, robot: RobotModel, config: EstimatorGains | None = None) -> None:
        if robot.floating:
            raise ValueError(f"{robot.name} has a floating base")
        self.robot = robot
        self.config = config if config is not None else EstimatorGains()
        self.contact = np.zeros(len(robot.contacts), dtype=bool)
        self.normal_force_N: Array = np.zeros(len(robot.contacts))
        self.doubt: Array = np.zeros(1)
        self.refused = 0
        self._joints = kernel_setup.new_joints(_joint_noises(robot, self.config), robot.na)
        self._joints.q[:] = robot.q_nominal
        self._drive = new_drive(self.config.arm, self.config.joints.accel_rad_s2, robot.na)
        self._pending_s = 0.0
        self._commanded = robot.servo is None
        self.q: Array = self._joints.q
        self.q_O = self.q
        self.v: Array = self._joints.v
        self._observe = bind(
            "driven_joints",
            [take_sample],
            call={"row": "f8[::1]", "dt": "f8"},
            structs={"joints": self._joints, "drive": self._drive},
            returns="b1",
        )

    def reset(self, sensors: SensorRow) -> None:
        """Resets the estimator to an arm at rest at the measured joint positions.

        Args:
            sensors: sensor row of the arm at rest.

        Raises:
            ValueError: a joint position is not finite.
        """
        if not np.isfinite(sensors.q).all():
            raise ValueError("a robot at rest measures finite joint positions: check its encoders")
        joint_observer.reset_joints(self._joints, sensors.q)
        reset_drive(self._drive)
        self._pending_s = 0.0

    def update(self, sensors: SensorRow, planned_contact: NDArray[np.bool_], dt_s: float) -> None:
        """Updates the state with one sample; a refused sample changes nothing.

        Args:
            sensors: the newest sensor row.
            planned_contact: not used; it is here because all estimators have the same interface.
            dt_s: time since the last update [s].
        """
        if not 0.0 < dt_s <= LONGEST_GAP_S:
            dt_s = SAMPLE_S
        dt = min(self._pending_s + dt_s, LONGEST_GAP_S)
        if self._observe(sensors.data, dt):
            self._pending_s = 0.0
        else:
            self._pending_s = dt
            self.refused += 1

    def sent(self, vdot: Array, followed: bool) -> None:
        """Records the accelerations that were commanded in this tick.

        The estimate knows nothing of commands if this is never called.

        Args:
            vdot: (nv,) commanded joint accelerations [rad/s^2].
            followed: whether the drives get the torques of these accelerations.
        """
        if self._commanded:
            command_joints(self._drive, vdot, followed)


def _joint_noises(robot: RobotModel, config: EstimatorGains) -> JointObserverGains:
    """Returns the noises of the joint observer of this robot.

    The accelerations that it has to find are those that differ from the commanded ones; servos move as they
    like, and the noise of their encoders is at least that of their steps.
    """
    joints = config.joints
    if robot.servo is None:
        return joints.model_copy(
            update={"accel_rad_s2": min(joints.accel_rad_s2, config.arm.surprise_rad_s2)}
        )
    # Standard deviation of an error that is distributed evenly over a step.
    step_noise_rad = robot.servo.step_rad / math.sqrt(12.0)
    return joints.model_copy(update={"encoder_noise_rad": max(joints.encoder_noise_rad, step_noise_rad)})

"""Whether a hand gets to a pose that is given relative to the robot."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pinocchio as pin

from kilohertz.robots.model.robot_model import HandModel, RobotModel
from kilohertz.robots.model.rows import Vector

_STARTS, _ITERATIONS = 8, 60
_DAMPING = 1e-3
_STEP_RAD = 0.5
_OFF_THE_STOP_RAD = 0.03
_M_PER_RAD = 0.3
"""What a radian counts beside a metre, in a pose that cannot be had whole."""
_CLOSE_M, _CLOSE_RAD = 2e-3, 0.02


@dataclass(frozen=True)
class Nearest:
    """The pose nearest to one that was asked for.

    Attributes:
        p_BH: (3,) where the hand is then, in the base [m].
        off_m, off_rad: by how much it misses.
    """

    p_BH: Vector
    off_m: float
    off_rad: float

    @property
    def found(self) -> bool:
        """Whether that is the pose itself."""
        return self.off_m < _CLOSE_M and self.off_rad < _CLOSE_RAD

    def describe(self, turned: bool) -> str:
        """Words that follow "does not get there".

        Args:
            turned: whether an orientation was asked for.
        """
        place = ", ".join(f"{x:.2f}" for x in self.p_BH)
        text = f"; the nearest is [{place}], {self.off_m:.2f} m off"
        return f" turned as asked{text} and {math.degrees(self.off_rad):.0f} deg turned" if turned else text


def arm_joints(robot: RobotModel, hand: HandModel) -> list[int]:
    """Joints of an arm, from the trunk to the hand, as places in the joint arrays."""
    model = robot.pin_model
    trunk = robot.description.trunk or (robot.base_link if robot.floating else None)
    below = {0}  # the universe
    if trunk is not None:
        below |= set(model.supports[model.frames[model.getBodyId(trunk)].parentJoint])
    supports = model.supports[model.frames[hand.frame_id].parentJoint]
    return [model.joints[j].idx_v - robot.n_base for j in supports if j not in below]


def arm_length_m(robot: RobotModel, hand: HandModel) -> float:
    """How far from the first joint of its arm a hand can be at the most [m]."""
    model = robot.pin_model
    joints = [j for j in model.supports[model.frames[hand.frame_id].parentJoint] if j > 0]
    arm = joints[len(joints) - len(arm_joints(robot, hand)) :]
    parts = [model.jointPlacements[j].translation for j in arm[1:]]
    return sum(float(np.linalg.norm(p)) for p in (*parts, model.frames[hand.frame_id].placement.translation))


def nearest_pose(robot: RobotModel, hand: HandModel, p_BH: Vector, R_BH: Vector | None = None) -> Nearest:
    """The pose nearest to the asked one that an arm can have, its trunk upright over the base.

    Damped least squares from several postures, joints kept off their stops.

    Args:
        robot: the robot.
        hand: which of its hands.
        p_BH: (3,) where the hand should be, in the base, which is level [m].
        R_BH: (3, 3) how it should be turned; left out, however it comes.
    """
    model, data = robot.pin_model, robot.pin_model.createData()
    joints = np.array(arm_joints(robot, hand))
    low = np.maximum(robot.position_lower_rad[joints], -math.pi) + _OFF_THE_STOP_RAD
    high = np.minimum(robot.position_upper_rad[joints], math.pi) - _OFF_THE_STOP_RAD
    rng = np.random.default_rng(0)  # the same answer every time
    best = Nearest(np.full(3, math.nan), math.inf, math.inf)
    for start in range(_STARTS):
        q = robot.q_nominal.copy()
        q_arm = np.clip(q[robot.nq_base + joints] if start == 0 else rng.uniform(low, high), low, high)
        for _ in range(_ITERATIONS):
            q[robot.nq_base + joints] = q_arm
            pin.computeJointJacobians(model, data, q)
            pose = pin.updateFramePlacement(model, data, hand.frame_id)
            if robot.floating:
                pose = data.oMi[1].actInv(pose)
            error = np.zeros(6)
            error[:3] = pose.rotation.T @ (p_BH - pose.translation)
            if R_BH is not None:
                error[3:] = _M_PER_RAD * pin.log3(pose.rotation.T @ R_BH)
            here = Nearest(
                pose.translation.copy(),
                float(np.linalg.norm(error[:3])),
                float(np.linalg.norm(error[3:])) / _M_PER_RAD,
            )
            if _miss(here) < _miss(best):
                best = here
            J = pin.getFrameJacobian(model, data, hand.frame_id, pin.LOCAL)[:, robot.n_base + joints]
            J = np.vstack([J[:3], _M_PER_RAD * J[3:]])[: 6 if R_BH is not None else 3]
            step = J.T @ np.linalg.solve(J @ J.T + _DAMPING * np.eye(len(J)), error[: len(J)])
            step *= min(1.0, _STEP_RAD / max(float(np.abs(step).max()), 1e-9))
            q_arm = np.clip(q_arm + step, low, high)
        if best.found:
            break
    return best


def _miss(pose: Nearest) -> float:
    return pose.off_m + _M_PER_RAD * pose.off_rad

"""How far hands reach: whether a pose can be had, and the sphere around the shoulder that no hand leaves."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pinocchio as pin

from robots.model import HandModel, RobotModel
from robots.rows import Vector

_STARTS, _ITERATIONS = 8, 60
_DAMPING = 1e-3
_STEP_RAD = 0.5
_OFF_THE_STOP_RAD = 0.03
_M_PER_RAD = 0.3
"""What a radian counts beside a metre, in a pose that cannot be had whole."""
_CLOSE_M, _CLOSE_RAD = 2e-3, 0.02
_SAMPLES = 300
_EASY = 0.95
"""Of the reach: up to here a hand goes all the way, from here on less and less."""


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


def arm_joints(robot: RobotModel, hand: HandModel) -> list[int]:
    """Joints of an arm, from the trunk to the hand, as places in the joint arrays."""
    model = robot.pin_model
    trunk = robot.description.trunk or (robot.base_link if robot.floating else None)
    below: set[int] = set()
    if trunk is not None:
        below = set(model.supports[model.frames[model.getBodyId(trunk)].parentJoint])
    supports = model.supports[model.frames[hand.frame_id].parentJoint]
    return [model.joints[j].idx_v - robot.n_base for j in supports if j not in below and model.joints[j].nv]


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


@dataclass(frozen=True)
class Shoulder:
    """Where an arm is hinged, and how far its hand gets from there.

    Attributes:
        link: that the arm hangs on.
        p_LS: (3,) its first joint in that link [m].
        reach_m: the furthest that the hand gets.
    """

    link: str
    p_LS: tuple[float, float, float]
    reach_m: float

    def keep_in_reach(self, ref: Vector, p_WL: Vector, R_WL: Vector, vel_L: Vector) -> float:
        """Draws the reference of a pose task back into the reach, with no kink.

        Args:
            ref: (24,) reference: R, p, v, w, a, wdot; position and velocity are written.
            p_WL: (3,) where the link is [m].
            R_WL: (3, 3) how it is turned.
            vel_L: (6,) its velocity, linear and angular, in its own axes.

        Returns:
            How far the reference was out of reach, negative inside [m].
        """
        (a, b, c), R = self.p_LS, R_WL.tolist()
        sx, sy, sz = (float(p_WL[r]) + R[r][0] * a + R[r][1] * b + R[r][2] * c for r in range(3))
        x, y, z = float(ref[9]) - sx, float(ref[10]) - sy, float(ref[11]) - sz
        r = math.sqrt(x * x + y * y + z * z)
        easy, rest = _EASY * self.reach_m, (1.0 - _EASY) * self.reach_m
        if r <= easy:
            return r - self.reach_m
        slope = math.exp((easy - r) / rest)
        part = (easy + rest * (1.0 - slope)) / r
        way = np.array([x, y, z])
        v_WS = R_WL @ (vel_L[:3] + np.cross(vel_L[3:], self.p_LS))
        v_SH = ref[12:15] - v_WS
        ref[9], ref[10], ref[11] = sx + part * x, sy + part * y, sz + part * z
        ref[12:15] = v_WS + part * v_SH + (slope - part) / (r * r) * float(way @ v_SH) * way
        return r - self.reach_m


def shoulder_of(robot: RobotModel, hand: HandModel) -> Shoulder | None:
    """The shoulder of a hand; None for one that no joint moves against the trunk."""
    model, data = robot.pin_model, robot.pin_model.createData()
    joints = np.array(arm_joints(robot, hand), dtype=np.int64)
    if not len(joints):
        return None
    first = next(j for j in range(1, model.njoints) if model.joints[j].idx_v == robot.n_base + joints[0])
    low = np.maximum(robot.position_lower_rad[joints], -math.pi)
    high = np.minimum(robot.position_upper_rad[joints], math.pi)
    rng = np.random.default_rng(0)
    q, reach = robot.q_nominal.copy(), 0.0
    for _ in range(_SAMPLES):
        q[robot.nq_base + joints] = rng.uniform(low, high)
        pin.forwardKinematics(model, data, q)
        way = pin.updateFramePlacement(model, data, hand.frame_id).translation - data.oMi[first].translation
        reach = max(reach, float(np.linalg.norm(way)))
    link = robot.description.trunk or robot.base_link
    body = model.frames[model.getBodyId(link)]
    hinge = body.placement.actInv(model.jointPlacements[first]).translation
    return Shoulder(link, (float(hinge[0]), float(hinge[1]), float(hinge[2])), reach)

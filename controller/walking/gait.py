"""All parameters of a robot's gait: from its gains, or else scaled by its size.

Lengths scale with the height of the centre of mass and times with the square root of it (Froude scaling). The
defaults were found on a robot whose centre of mass is 0.6 m high while walking; scaled, they give a gait for
a robot of any size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pinocchio as pin

from kilohertz.controller.gains.schema import Gains, WalkGains
from kilohertz.controller.problem.soles import com_height
from kilohertz.controller.walking.pendulum import natural_frequency
from kilohertz.controller.walking.speed import walks
from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import Vector

_REFERENCE_HEIGHT_M = 0.6
"""Walking height of the centre of mass for which the defaults below are given [m]."""
_STEP_S, _SHORTEST_STEP_S = 0.40, 0.18
_STEP_WIDTH_M, _LEAST_WIDTH_M, _WIDEST_M, _LONGEST_M = 0.18, 0.09, 0.60, 0.60
_CLEARANCE_M = 0.05
_STEP_ON_POINTS = 0.55
"""Ratio of the step time on point feet to that on soles: a point foot corrects no DCM error within a step."""
_ON_FOOTSTEPS = 1.6
"""Ratio of the step time on given footsteps to that of a walk: on stairs, steps are long and high."""
_CLEARANCE_ON_FOOTSTEPS = 1.4
"""Ratio of the swing-foot clearance on given footsteps to that of a walk."""
_LEAST_ON_FOOTSTEPS = 0.6
"""Ratio of the shortest to the planned step time on given footsteps, where the foot has to clear an edge."""
_LEAST_PART_OF_STANCE = 0.7
"""Smallest ratio of the step width to the foot distance of the nominal posture, for robots with wide hips."""
_SIDE_GAP_M = 0.03
"""Least gap between the soles of two feet side by side, at the reference height [m]."""


@dataclass(frozen=True)
class Gait:
    """Gait of one robot.

    Attributes:
        left, right: indices of the contacts of the left and the right foot.
        height_m: height of the centre of mass over the soles while walking [m].
        omega: natural frequency of the pendulum of that height [1/s].
        step_s, shortest_step_s, longest_step_s: duration of single support, as planned and its bounds [s].
        double_support_s: duration of double support [s].
        width_m: sideways distance of the feet [m].
        least_width_m, widest_m, longest_m: reach of a foothold from the stance foot [m]: least and largest
            distance sideways, and largest distance ahead or back.
        clearance_m: height of the swing foot's apex over the ground [m].
        half_length_m, half_width_m: half extents of the usable part of a sole for the zero-moment point [m].
        leg_shift_s2: shift of the virtual repellent point per acceleration of the swing foot [m / (m/s^2)].
    """

    left: int
    right: int
    height_m: float
    omega: float
    step_s: float
    shortest_step_s: float
    longest_step_s: float
    double_support_s: float
    width_m: float
    least_width_m: float
    widest_m: float
    longest_m: float
    clearance_m: float
    half_length_m: float
    half_width_m: float
    leg_shift_s2: float


(
    STEP_S,
    SHORTEST_STEP_S,
    LONGEST_STEP_S,
    DOUBLE_SUPPORT_S,
    LEAST_WIDTH_M,
    WIDEST_M,
    LONGEST_M,
    HALF_LENGTH_M,
    HALF_WIDTH_M,
    LEG_SHIFT_S2,
) = range(10)
"""Indices of the array returned by `gait_row`; see the attributes of `Gait`."""


def gait_row(gait: Gait) -> Vector:
    """Returns the (10,) parameters that compiled code takes, indexed by STEP_S to LEG_SHIFT_S2."""
    return np.array(
        [
            gait.step_s,
            gait.shortest_step_s,
            gait.longest_step_s,
            gait.double_support_s,
            gait.least_width_m,
            gait.widest_m,
            gait.longest_m,
            gait.half_length_m,
            gait.half_width_m,
            gait.leg_shift_s2,
        ]
    )


def gait_of(robot: RobotModel, gains: Gains) -> Gait:
    """Returns the gait of a robot on two feet.

    Raises:
        ValueError: if the robot does not stand on two feet.
    """
    if not walks(robot):
        raise ValueError(f"'{robot.name}' has {len(robot.contacts)} contacts: walking takes two feet")
    walk = gains.walk
    model, data = robot.pin_model, robot.pin_model.createData()
    pin.framesForwardKinematics(model, data, robot.q_nominal)
    p_WF = [data.oMf[contact.frame_id].translation for contact in robot.contacts]
    left = 0 if p_WF[0][1] > p_WF[1][1] else 1
    height_m = walk.height * com_height(robot)
    length = height_m / _REFERENCE_HEIGHT_M
    time = math.sqrt(length)
    half_length, half_width = (walk.sole_use * half for half in _half_sole_m(robot))
    step_s = planned_step_s(robot, walk)
    least_width = _least_width_m(robot, length)
    stance = abs(float(p_WF[0][1] - p_WF[1][1]))
    width = max(min(_STEP_WIDTH_M * length, stance), _LEAST_PART_OF_STANCE * stance)
    return Gait(
        left=left,
        right=1 - left,
        height_m=height_m,
        omega=natural_frequency(height_m),
        step_s=step_s,
        shortest_step_s=min(walk.shortest_step_s or _SHORTEST_STEP_S * time, step_s),
        longest_step_s=step_s,
        double_support_s=walk.double_support_s * time,
        width_m=walk.width_m or max(width, least_width + 0.02 * length),
        least_width_m=least_width,
        widest_m=_WIDEST_M * length,
        longest_m=_LONGEST_M * length,
        clearance_m=walk.clearance_m or _CLEARANCE_M * length,
        half_length_m=half_length,
        half_width_m=half_width,
        leg_shift_s2=_leg_shift(robot),
    )


def planned_step_s(robot: RobotModel, walk: WalkGains) -> float:
    """Returns the planned duration of single support [s].

    Unlike `gait_of`, this is fast enough to be called within a tick.
    """
    time = math.sqrt(walk.height * com_height(robot) / _REFERENCE_HEIGHT_M)
    return walk.step_s or _STEP_S * time * (1.0 if _half_sole_m(robot)[0] > 0.0 else _STEP_ON_POINTS)


def _half_sole_m(robot: RobotModel) -> tuple[float, float]:
    """Returns half the length and half the width of the smallest sole [m]."""
    half = [np.abs(c.corners_F[:, :2] - c.corners_F[:, :2].mean(axis=0)).min(axis=0) for c in robot.contacts]
    length, width = np.min(half, axis=0).tolist()
    return length, width


def _least_width_m(robot: RobotModel, length: float) -> float:
    sole = np.max([np.ptp(c.corners_F[:, :2], axis=0) for c in robot.contacts], axis=0)
    return max(_LEAST_WIDTH_M * length, float(sole[1]) + _SIDE_GAP_M * length)


def least_width_m(robot: RobotModel, nominal_height_m: float) -> float:
    """Returns the least sideways distance of the feet [m].

    Args:
        robot: model of the robot.
        nominal_height_m: height of the centre of mass over the ground at the nominal posture [m].
    """
    return _least_width_m(robot, WalkGains().height * nominal_height_m / _REFERENCE_HEIGHT_M)


def gait_on_footsteps(gait: Gait) -> Gait:
    """Returns the gait of the same robot on given footsteps, which is slower because they may be stairs."""
    step_s = _ON_FOOTSTEPS * gait.step_s
    return replace(
        gait,
        step_s=step_s,
        shortest_step_s=_LEAST_ON_FOOTSTEPS * step_s,
        longest_step_s=step_s,
        clearance_m=_CLEARANCE_ON_FOOTSTEPS * gait.clearance_m,
    )


def _leg_shift(robot: RobotModel) -> float:
    """Returns the angular momentum about the centre of mass per foot speed, divided by the weight [s^2].

    The value is the mean over the horizontal axes and both feet. An accelerated leg rotates the rest of the
    robot, unless the ground force passes beside the centre of mass: by 4 to 8 cm at 0.5 m/s, as much as half
    a foot.
    """
    model, data, q = robot.pin_model, robot.pin_model.createData(), robot.q_nominal
    pin.ccrba(model, data, q, np.zeros(robot.nv))
    shifts = []
    for contact in robot.contacts:
        J = pin.computeFrameJacobian(
            model, robot.pin_model.createData(), q, contact.frame_id, pin.LOCAL_WORLD_ALIGNED
        )
        rows = 3 if len(contact.corners_F) == 1 else 6
        leg = [j for j in range(6, robot.nv) if np.abs(J[:, j]).max() > 1e-9]
        speed = np.linalg.pinv(J[:rows, leg])
        momentum = data.Ag[3:, leg] @ speed
        shifts += [-momentum[1, 0], momentum[0, 1]]
    return float(np.mean(shifts)) / (robot.mass_kg * GRAVITY_M_S2)

"""Checks whether given footsteps can be walked: reach, crossing feet, height of steps."""

from __future__ import annotations

import math

import numpy as np
import pinocchio as pin

from kilohertz.controller.motion.behaviour_error import BehaviourError
from kilohertz.controller.problem.soles import com_height
from kilohertz.controller.walking.gait import least_width_m
from kilohertz.controller.walking.route import CONTACT, MOST_FOOTSTEPS, STEP_X, STEP_YAW
from kilohertz.controller.walking.speed import walks
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import Vector

_AHEAD, _BACK, _ASIDE, _UP, _DOWN = 0.60, 0.30, 0.55, 0.23, 0.19
"""Reach of a step from the stance foot, divided by the nominal height of the centre of mass."""
_AHEAD_PER_RISE = 1.0
"""Reduction of the reach ahead per height of a step up or down [m/m]."""
_TURN_RAD = 0.5
"""Largest yaw of a step relative to the stance foot [rad]."""
_STANDING_M = 0.04
"""Tolerance on the nominal foot distance when the first step is taken [m]."""


class FootstepError(BehaviourError):
    """Raised for a footstep that cannot be walked.

    Attributes:
        index: number of the footstep, from 0.
        loc: path of the footstep among the parameters.
    """

    def __init__(self, index: int, sentence: str) -> None:
        super().__init__(("steps", index), sentence)
        self.index = index


def check_footsteps(robot: RobotModel, footsteps: Vector) -> None:
    """Raises an error if the robot cannot walk on these footsteps.

    Args:
        robot: model of the robot.
        footsteps: (n, 5) footsteps as for `Route.begin`.

    Raises:
        FootstepError: for the first footstep that cannot be walked; the message gives the remedy.
        ValueError: if the robot does not have two feet, or if there are no footsteps or too many.
    """
    if not walks(robot):
        raise ValueError(f"'{robot.name}' has {len(robot.contacts)} contacts: walking takes two feet")
    if not 1 <= len(footsteps) <= MOST_FOOTSTEPS:
        raise ValueError(f"footsteps are 1 to {MOST_FOOTSTEPS}, not {len(footsteps)}; split them up")
    data = robot.pin_model.createData()
    height = com_height(robot)
    pin.framesForwardKinematics(robot.pin_model, data, robot.q_nominal)
    soles = np.array([data.oMf[contact.frame_id].translation for contact in robot.contacts])
    soles -= soles.mean(axis=0)
    side = [1.0 if sole[1] >= soles[1 - c, 1] else -1.0 for c, sole in enumerate(soles)]
    least = least_width_m(robot, height)
    foot = int(footsteps[0, CONTACT])
    stance = np.array([1 - foot, *soles[1 - foot], 0.0])
    leeway = _STANDING_M
    for index, step in enumerate(footsteps):
        foot = int(step[CONTACT])
        name = robot.contact_names[foot]
        if foot == int(stance[CONTACT]):
            raise FootstepError(index, f"is {name} again; feet take turns")
        problem = _out_of_reach(step, stance, side[foot], height, least - leeway)
        if problem:
            raise FootstepError(index, f"{name} {problem}")
        stance, leeway = step, 0.0


def _out_of_reach(step: Vector, stance: Vector, side: float, height: float, least: float) -> str:
    """Returns a phrase that says why a step cannot be walked, or "" if it can."""
    c, s = math.cos(stance[STEP_YAW]), math.sin(stance[STEP_YAW])
    dx, dy, dz = (step[STEP_X:STEP_YAW] - stance[STEP_X:STEP_YAW]).tolist()
    ahead, outward = c * dx + s * dy, side * (c * dy - s * dx)
    turn = abs(math.remainder(float(step[STEP_YAW] - stance[STEP_YAW]), 2.0 * math.pi))
    if outward < least:
        where = "crosses over" if outward < 0.0 else "comes too close to"
        return (
            f"{where} the other foot, {outward:.2f} m beside it; keep it at least {max(least, 0.0):.2f} m "
            "out on its own side"
        )
    for value, most, unit, what in (
        (ahead, _AHEAD * height - _AHEAD_PER_RISE * abs(dz), "m", "ahead of"),
        (-ahead, _BACK * height, "m", "behind"),
        (outward, _ASIDE * height, "m", "beside"),
        (dz, _UP * height, "m", "above"),
        (-dz, _DOWN * height, "m", "below"),
        (turn, _TURN_RAD, "rad", "turned from"),
    ):
        if not value <= most:
            return f"is out of reach: {value:.2f} {unit} {what} the other foot; at most {most:.2f} {unit}"
    return ""

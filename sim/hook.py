"""The hook: the point of a robot at which the tether of a gantry pulls."""

from __future__ import annotations

from typing import Any

import numpy as np
import pinocchio as pin
from numpy.typing import NDArray

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.sim.scenario import attachments
from kilohertz.sim.scenario_schema import Scenario
from kilohertz.sim.surroundings_schema import GantryPlan

Vector = NDArray[np.float64]

HOOK = "gantry/hook"
"""Name of the body without mass at which the tether pulls."""

_OVER_COM = 0.5
"""Height of the hook over the centre of mass, relative to its height over the ground: about the shoulders."""


def hook_in_link(robot: RobotModel, plan: GantryPlan) -> tuple[str, Vector]:
    """Returns the link that the tether is fixed to, and the (3,) point in its frame [m].

    By default the point is over the centre of mass of the nominal posture, at the height of the shoulders, so
    that the robot hangs level.
    """
    if plan.p_LP_m is not None:
        attachment = attachments(robot, plan.link, plan.p_LP_m)[0]
        return attachment.link, attachment.p_LP_m
    link = attachments(robot, plan.link, (0.0, 0.0, 0.0))[0].link
    data = robot.pin_model.createData()
    com = pin.centerOfMass(robot.pin_model, data, robot.q_nominal).copy()
    pin.updateFramePlacements(robot.pin_model, data)
    soles = np.mean([data.oMf[contact.frame_id].translation for contact in robot.contacts], axis=0)
    over = com + np.array([0.0, 0.0, _OVER_COM * (com[2] - soles[2])])
    frame = data.oMf[robot.pin_model.getFrameId(link, pin.FrameType.BODY)]
    point: Vector = frame.actInv(over)
    return link, point


def add_hook(spec: Any, robot: RobotModel, scenario: Scenario) -> None:
    """Adds the body at which the tether pulls to a MuJoCo spec; nothing for a scenario without a gantry."""
    if scenario.gantry is None:
        return
    link, point = hook_in_link(robot, scenario.gantry)
    body = spec.body(link).add_body(name=HOOK, pos=point)
    body.explicitinertial = True
    body.ipos = np.zeros(3)
    body.mass = 0.0
    body.inertia = np.zeros(3)

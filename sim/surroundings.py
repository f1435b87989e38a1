"""Obstacles near an arm, the tips with which its hands touch them, and the sensors of these contacts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import mujoco
import numpy as np
import pinocchio as pin

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.sim.collision import SELF_FRICTION
from kilohertz.sim.scenario import frame_in_link, hand_body
from kilohertz.sim.scenario_schema import Scenario
from kilohertz.sim.surroundings_schema import BoxObstacle, Obstacles, Tip
from kilohertz.sim.terrain import GROUND, GROUND_BIT
from kilohertz.sim.truth import TOUCH

CONTACT_FORCE, NET_FORCE = 1 << 1, 3


_GRADUAL = [0.1, 0.95, 0.002, 0.5, 2.0]
"""Impedance of the surface of an obstacle, which hardens over the first 2 mm. By default a contact has nearly
its full force at once, and a ball that slides on the surface bounces by some micrometres at 100 to 200 Hz,
whatever the arm does. The ground under an arm with tips has it too."""


def add_surroundings(spec: Any, robot: RobotModel, scenario: Scenario) -> None:
    """Adds obstacles, tips and the sensors of their contact forces to a MuJoCo spec.

    Nothing is added for a scenario without obstacles, so that its world stays the same.
    """
    if not scenario.obstacles:
        return
    # Friction is then the same in every direction along a surface, and sliding does not lift a hand off it.
    spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    _add_obstacles(spec, robot, scenario.obstacles)
    _add_tips(spec, robot, scenario.tips)
    if scenario.tips:
        for geom in spec.worldbody.geoms:
            if geom.name.startswith(GROUND):
                geom.solimp = _GRADUAL
    for hand in robot.hands:
        spec.add_sensor(
            name=f"{TOUCH}/{hand.name}",
            type=mujoco.mjtSensor.mjSENS_CONTACT,
            objtype=mujoco.mjtObj.mjOBJ_XBODY,
            objname=_last_moving(spec.body(hand.link)).name,
            reftype=mujoco.mjtObj.mjOBJ_BODY,
            refname="world",
            intprm=[CONTACT_FORCE, NET_FORCE, 1],
        )


def _add_obstacles(spec: Any, robot: RobotModel, obstacles: Obstacles) -> None:
    for name, obstacle in obstacles.items():
        place = np.array(obstacle.p_WO_m)
        if obstacle.from_hand is not None:
            hand = robot.hands[robot.hand_names.index(obstacle.from_hand)]
            place += robot.nominal_point(hand.frame_id)
        quaternion = np.empty(4)
        mujoco.mju_mat2Quat(quaternion, pin.rpy.rpyToMatrix(*obstacle.rpy_WO_rad).ravel())
        box = isinstance(obstacle, BoxObstacle)
        size = 0.5 * np.array(obstacle.size_m) if isinstance(obstacle, BoxObstacle) else [0.0, 0.0, 1.0]
        spec.worldbody.add_geom(
            name=f"obstacle/{name}",
            type=mujoco.mjtGeom.mjGEOM_BOX if box else mujoco.mjtGeom.mjGEOM_PLANE,
            size=size,
            pos=place,
            quat=quaternion,
            contype=GROUND_BIT,
            conaffinity=0,
            condim=3,
            # With this priority the friction of the obstacle applies.
            priority=1,
            friction=[obstacle.friction, 0.005, 0.0001],
            solref=[obstacle.contact_time_s, 1.0],
            solimp=_GRADUAL,
        )


def _add_tips(spec: Any, robot: RobotModel, tips: Mapping[str, Tip]) -> None:
    for name, tip in tips.items():
        hand = robot.hands[robot.hand_names.index(name)]
        spec.body(hand_body(hand)).add_geom(
            name=f"tip/{name}",
            type=mujoco.mjtGeom.mjGEOM_SPHERE,
            size=[tip.radius_m, 0, 0],
            pos=frame_in_link(robot, hand.frame_id).translation,
            contype=0,
            conaffinity=GROUND_BIT,
            condim=3,
            friction=[SELF_FRICTION, 0.005, 0.0001],
            mass=0.0,
        )


def _last_moving(body: Any) -> Any:
    """Returns the nearest ancestor that has a joint, or the body itself if it has one."""
    while not list(body.joints) and body.parent.name != "world":
        body = body.parent
    return body

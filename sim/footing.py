"""Checks that the footsteps of a scenario lie on its ground: on treads, and not over their edges.

The robot follows given footsteps without vision, so that wrong heights would become apparent only as a fall.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kilohertz.robots.config.config_error import Problem
from kilohertz.robots.config.yaml_file import Positions
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.sim.scenario_schema import Flat, Scenario, Stairs
from kilohertz.sim.terrain import Terrain, make_terrain

Vector = NDArray[np.float64]

LEVEL_M = 0.02
"""Largest error of a footstep's height, and largest unevenness of the ground under a sole [m]."""
WALKS = ("walk", "footsteps")


def footing_problems(scenario: Scenario, positions: Positions, robot: RobotModel) -> Iterator[Problem]:
    """Yields the problems of a scenario's stairs and footsteps, each with its position in the file.

    Args:
        scenario: scenario to check.
        positions: positions of the keys in the scenario's file.
        robot: robot that is to run the scenario.
    """
    ground = scenario.ground
    if isinstance(ground, Stairs) and robot.floating and robot.contacts:
        sole_m = max(float(np.ptp(contact.corners_F[:, 0])) for contact in robot.contacts)
        if ground.tread_m < sole_m:
            yield positions.problem(
                ("ground", "tread_m"),
                f"should be at least {sole_m:.2f} m, the length of a sole of {robot.name}",
            )
            return
    known = isinstance(ground, (Flat, Stairs))
    for index, command in enumerate(scenario.commands):
        if command.kind != "footsteps":
            continue
        # The robot's position is known only while it has not walked yet.
        at_start = all(other.kind not in WALKS for other in scenario.commands if other.at_s < command.at_s)
        terrain = make_terrain(ground) if known and at_start else None
        for number, step in enumerate(command.params.get("steps", ())):
            # Which feet there are is checked with the command itself.
            if terrain is not None and step.get("foot") in robot.contact_names:
                sentence = _off_ground(step, robot, terrain)
                if sentence:
                    loc = ("commands", index, "footsteps", "steps", number, "p_SF_m")
                    yield positions.problem(loc, sentence)


def _off_ground(step: Mapping[str, Any], robot: RobotModel, terrain: Terrain) -> str:
    """What is wrong with the ground under a sole; "" where nothing is."""
    start = np.mean([robot.nominal_point(contact.frame_id) for contact in robot.contacts], axis=0)
    contact = robot.contacts[robot.contact_names.index(step["foot"])]
    yaw_rad = step.get("yaw_rad", 0.0)
    c, s = math.cos(yaw_rad), math.sin(yaw_rad)
    middle = start[:2] + np.array(step["p_SF_m"][:2])
    corners = middle + contact.corners_F[:, :2] @ np.array([[c, s], [-s, c]])
    heights = [terrain.height_at(x, y) for x, y in (middle, *corners)]
    low, high = min(heights), max(heights)
    if high - low > LEVEL_M:
        return (
            f"puts {step['foot']} over an edge: the ground under its sole is {low:.2f} to {high:.2f} m high; "
            "move it onto a tread"
        )
    if abs(high - step["p_SF_m"][2]) > LEVEL_M:
        return (
            f"is {step['p_SF_m'][2]:.2f} m high, and the ground there {high:.2f} m; give the ground's height"
        )
    return ""

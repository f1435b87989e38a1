"""The terrain of a scenario: its geometry in the MuJoCo world, and its height at a point.

A slope with positive pitch rises towards +x, and a slope with positive roll rises towards +y.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kilohertz.sim.scenario_schema import Blocks, Flat, Slope, Stairs

Vector = NDArray[np.float64]
GroundKind = Flat | Slope | Blocks | Stairs

GROUND = "ground"
"""Name of the ground's plane, and beginning of the names of the boxes on it."""
# Contact bits: geometry with GROUND_BIT in its conaffinity collides with the ground, and geometry with
# ROBOT_BIT collides with the robot's bodies.
GROUND_BIT = 1
ROBOT_BIT = 2

# Blocks fill a square around the start with this half side.
BLOCKS_HALF_EXTENT_M = 6.0
# The ground stays flat in a square around the start with this half side.
BLOCKS_START_M = 0.6
STAIRS_START_M = 0.5
STAIRS_HALF_WIDTH_M = 2.0
STAIRS_LANDING_M = 4.0
BOX_DEPTH_M = 0.5


@dataclass(frozen=True)
class Box:
    """An upright box on the ground.

    Attributes:
        x_min_m, x_max_m: extent along x in the world [m].
        y_min_m, y_max_m: extent along y in the world [m].
        top_m: height of the top in the world [m].
    """

    x_min_m: float
    x_max_m: float
    y_min_m: float
    y_max_m: float
    top_m: float


@dataclass(frozen=True)
class Terrain:
    """The ground of a scenario: one plane, and boxes on it.

    Attributes:
        R_WG: (3, 3) rotation of the plane's frame in the world; its third column is the normal.
        plane_m: height of the plane at the origin [m].
        boxes: boxes on the plane; only a horizontal plane has boxes.
        friction: Coulomb coefficient of the ground.
    """

    R_WG: Vector
    plane_m: float
    boxes: tuple[Box, ...]
    friction: float

    @property
    def normal_W(self) -> Vector:
        """(3,) upward unit normal of the plane, in the world."""
        return self.R_WG[:, 2]

    def height_at(self, x_m: float, y_m: float) -> float:
        """Returns the height of the ground at a point (x, y) of the world [m]."""
        normal = self.normal_W
        height = self.plane_m - (normal[0] * x_m + normal[1] * y_m) / normal[2]
        for box in self.boxes:
            if box.x_min_m <= x_m <= box.x_max_m and box.y_min_m <= y_m <= box.y_max_m:
                height = max(height, box.top_m)
        return float(height)

    def add_to(self, spec: Any) -> None:
        """Adds the ground's geometry to a MuJoCo spec, on the world body."""
        # Scenarios are checked against their terrain also where nothing is simulated.
        import mujoco

        common: dict[str, Any] = {
            "contype": GROUND_BIT,
            "conaffinity": 0,
            "condim": 3,
            # With this priority the ground's friction applies, instead of the larger one of the two
            # geometries.
            "priority": 1,
            "friction": [self.friction, 0.005, 0.0001],
        }
        quaternion = np.empty(4)
        mujoco.mju_mat2Quat(quaternion, np.ascontiguousarray(self.R_WG).ravel())
        spec.worldbody.add_geom(
            name=GROUND,
            type=mujoco.mjtGeom.mjGEOM_PLANE,
            size=[0.0, 0.0, 1.0],
            pos=[0.0, 0.0, self.plane_m],
            quat=quaternion,
            **common,
        )
        for index, box in enumerate(self.boxes):
            spec.worldbody.add_geom(
                name=f"{GROUND}_{index}",
                type=mujoco.mjtGeom.mjGEOM_BOX,
                size=[
                    (box.x_max_m - box.x_min_m) / 2,
                    (box.y_max_m - box.y_min_m) / 2,
                    BOX_DEPTH_M / 2,
                ],
                pos=[
                    (box.x_min_m + box.x_max_m) / 2,
                    (box.y_min_m + box.y_max_m) / 2,
                    box.top_m - BOX_DEPTH_M / 2,
                ],
                **common,
            )


def make_terrain(ground: GroundKind, run_seed: int = 0) -> Terrain:
    """Builds the terrain of a scenario.

    Args:
        ground: ground description of the scenario.
        run_seed: random seed of the run; random blocks depend on it and on the ground's own seed.
    """
    if isinstance(ground, Slope):
        return Terrain(_slope_rotation(ground), 0.0, (), ground.friction)
    if isinstance(ground, Blocks):
        return Terrain(np.eye(3), 0.0, _blocks(ground, run_seed), ground.friction)
    if isinstance(ground, Stairs):
        # For stairs that go down, the plane is at the height of the last step, and the start is on a box.
        lowest = min(0.0, ground.rise_m * ground.count)
        return Terrain(np.eye(3), lowest, _stairs(ground), ground.friction)
    return Terrain(np.eye(3), 0.0, (), ground.friction)


def _slope_rotation(ground: Slope) -> Vector:
    pitch, roll = -math.radians(ground.pitch_deg), math.radians(ground.roll_deg)
    about_y = np.array(
        [[math.cos(pitch), 0, math.sin(pitch)], [0, 1, 0], [-math.sin(pitch), 0, math.cos(pitch)]]
    )
    about_x = np.array([[1, 0, 0], [0, math.cos(roll), -math.sin(roll)], [0, math.sin(roll), math.cos(roll)]])
    rotation: Vector = about_y @ about_x
    return rotation


def _blocks(ground: Blocks, run_seed: int) -> tuple[Box, ...]:
    rng = np.random.default_rng([ground.seed, run_seed, 7])
    count = 2 * math.ceil(BLOCKS_HALF_EXTENT_M / ground.size_m)
    boxes = []
    for column in range(count):
        for row in range(count):
            # A number is drawn for every cell, so that the size of the flat start area changes no other
            # block.
            top_m = float(rng.uniform(0.0, ground.height_m))
            x_min = (column - count / 2) * ground.size_m
            y_min = (row - count / 2) * ground.size_m
            nearest_x = max(x_min, -(x_min + ground.size_m), 0.0)
            nearest_y = max(y_min, -(y_min + ground.size_m), 0.0)
            if max(nearest_x, nearest_y) < BLOCKS_START_M or top_m < 1e-6:
                continue
            boxes.append(Box(x_min, x_min + ground.size_m, y_min, y_min + ground.size_m, top_m))
    return tuple(boxes)


def _stairs(ground: Stairs) -> tuple[Box, ...]:
    width = STAIRS_HALF_WIDTH_M
    boxes = []
    if ground.rise_m < 0:
        boxes.append(Box(-STAIRS_LANDING_M, STAIRS_START_M, -width, width, 0.0))
    heights = list(range(1, ground.count + 1))
    if ground.and_back:
        heights += list(range(ground.count - 1, -1, -1))
    x_min = STAIRS_START_M
    for index, height in enumerate(heights):
        x_max = x_min + (ground.tread_m if index != ground.count - 1 else ground.landing_m)
        if height == 0 and ground.rise_m > 0:
            break  # this step is the plane itself
        if height == 0:
            x_max = x_min + STAIRS_LANDING_M
        boxes.append(Box(x_min, x_max, -width, width, height * ground.rise_m))
        x_min = x_max
    return tuple(boxes)

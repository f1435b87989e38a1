"""Collision geometry of the simulated robot.

A sole consists of one small sphere per corner. The lowest points of the spheres are the corners given in
robot.yaml, so that the support polygon is exactly the one with which the controller plans. All other links
keep the collision geometry of the model file, with meshes as convex hulls of few vertices. They collide with
the ground, because a falling robot lands on its body, and with the robot itself, except for neighbouring
links.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from kilohertz.robots.model.contact_model import ContactModel
from kilohertz.sim.terrain import GROUND_BIT, ROBOT_BIT

Vector = NDArray[np.float64]

SOLE_RADIUS_M = 0.005
SOLE_THICKNESS_M = 0.03
HULL_VERTICES = 32
# Bodies closer than this at the nominal posture never collide, because their hulls stand for finer shapes.
NEIGHBOUR_GAP_M = 0.005
# Bodies with at most this many joints between them never collide: the links of a hip overlap by design.
NEIGHBOUR_JOINTS = 2
SELF_FRICTION = 0.6


def sole_geom_name(contact: str, corner: int) -> str:
    """Returns the name of the sphere at a corner of a sole."""
    return f"sole/{contact}/{corner}"


def is_loadable_mesh(path: Path) -> bool:
    """Checks whether MuJoCo can read a mesh file: OBJ, MSH and binary STL, but not COLLADA or ASCII STL."""
    if not path.is_file():
        return False
    suffix = path.suffix.lower()
    if suffix == ".stl":
        with path.open("rb") as file:
            head = file.read(84)
        return len(head) == 84 and path.stat().st_size == 84 + 50 * int.from_bytes(head[80:84], "little")
    return suffix in (".obj", ".msh")


def set_robot_geometry(spec: Any) -> None:
    """Makes the robot's geometry collide with the ground and with itself, and simplifies its meshes."""
    for mesh in spec.meshes:
        mesh.maxhullvert = HULL_VERTICES
    for geom in spec.geoms:
        if not (geom.contype or geom.conaffinity):
            continue  # visual geometry of an MJCF file
        geom.contype = ROBOT_BIT
        geom.conaffinity = ROBOT_BIT | GROUND_BIT
        geom.condim = 3
        geom.friction = [SELF_FRICTION, 0.005, 0.0001]


def add_sole(spec: Any, contact: ContactModel, corners_L: Vector, R_WL: Vector) -> None:
    """Replaces the geometry of a foot by spheres at the corners of its sole and by a plate.

    The spheres collide with the ground, the plate with other links.

    Args:
        spec: MuJoCo spec of the robot, changed in place.
        contact: sole to add.
        corners_L: (k, 3) corners in the link's frame [m].
        R_WL: (3, 3) orientation of the link at the nominal posture, where the sole lies on the ground.
    """
    body = spec.body(contact.link)
    for member in _rigid_group(body):
        for geom in member.geoms:
            geom.conaffinity &= ROBOT_BIT
    for geom in body.geoms:
        # The geometry is disabled, not deleted, because the masses of an MJCF file may be derived from it.
        geom.contype = geom.conaffinity = 0
    up_L = R_WL[2]
    for index, corner in enumerate(corners_L):
        body.add_geom(
            name=sole_geom_name(contact.name, index),
            type=mujoco.mjtGeom.mjGEOM_SPHERE,
            size=[SOLE_RADIUS_M, 0, 0],
            pos=corner + SOLE_RADIUS_M * up_L,
            contype=0,
            conaffinity=GROUND_BIT,
            condim=3,
            mass=0.0,
        )
    if len(corners_L) < 3:
        return
    normal = int(np.argmax(np.abs(up_L)))
    low, high = corners_L.min(axis=0), corners_L.max(axis=0)
    middle, half = (low + high) / 2, (high - low) / 2
    half[normal] = SOLE_THICKNESS_M / 2
    middle[normal] += np.sign(up_L[normal]) * (SOLE_RADIUS_M + SOLE_THICKNESS_M / 2)
    body.add_geom(
        name=f"plate/{contact.name}",
        type=mujoco.mjtGeom.mjGEOM_BOX,
        size=half,
        pos=middle,
        contype=ROBOT_BIT,
        conaffinity=ROBOT_BIT,
        condim=3,
        friction=[SELF_FRICTION, 0.005, 0.0001],
        mass=0.0,
    )


def _rigid_group(body: Any) -> Iterator[Any]:
    """Yields all bodies that are rigidly connected to a body, including itself."""
    while not list(body.joints) and body.parent.name != "world":
        body = body.parent
    pending = [body]
    while pending:
        member = pending.pop()
        yield member
        pending += [child for child in member.bodies if not list(child.joints)]


def neighbours(model: Any, data: Any) -> list[tuple[str, str]]:
    """Returns the pairs of bodies that must not collide with each other, by name.

    Args:
        model: compiled MuJoCo model, before any pair is excluded.
        data: MuJoCo data of this model, with the positions of the nominal posture.
    """
    pairs = []
    bodies = sorted({int(model.geom_bodyid[geom]) for geom in _robot_geoms(model)})
    geoms_of = {body: [g for g in _robot_geoms(model) if model.geom_bodyid[g] == body] for body in bodies}
    for first, second in combinations(bodies, 2):
        if model.body_weldid[first] == model.body_weldid[second]:
            continue
        if _joints_between(model, first, second) <= NEIGHBOUR_JOINTS or _touch(
            model, data, geoms_of[first], geoms_of[second]
        ):
            pairs.append((model.body(first).name, model.body(second).name))
    return pairs


def _robot_geoms(model: Any) -> list[int]:
    return [geom for geom in range(model.ngeom) if model.geom_contype[geom] & ROBOT_BIT]


def _touch(model: Any, data: Any, firsts: list[int], seconds: list[int]) -> bool:
    fromto = np.empty(6)
    for first in firsts:
        for second in seconds:
            reach = model.geom_rbound[first] + model.geom_rbound[second] + NEIGHBOUR_GAP_M
            if np.linalg.norm(data.geom_xpos[first] - data.geom_xpos[second]) > reach:
                continue
            gap = mujoco.mj_geomDistance(model, data, first, second, 2 * NEIGHBOUR_GAP_M, fromto)
            if gap < NEIGHBOUR_GAP_M:
                return True
    return False


def _joints_between(model: Any, first: int, second: int) -> int:
    """Returns the number of moving joints between two bodies."""
    chains = []
    for body in (first, second):
        chain = [int(model.body_weldid[body])]
        while chain[-1] != 0:
            chain.append(int(model.body_weldid[model.body_parentid[chain[-1]]]))
        chains.append(chain)
    common = next(body for body in chains[0] if body in chains[1])
    return chains[0].index(common) + chains[1].index(common)


def low_geoms(model: Any, data: Any) -> list[int]:
    """Returns the geometries, without the soles, that touch the ground plane at the nominal posture."""
    fromto = np.empty(6)
    ground = model.geom("ground").id
    return [
        geom
        for geom in _robot_geoms(model)
        if model.geom_conaffinity[geom] & GROUND_BIT
        and model.body_weldid[model.geom_bodyid[geom]] != 0
        and mujoco.mj_geomDistance(model, data, ground, geom, 2 * NEIGHBOUR_GAP_M, fromto) < NEIGHBOUR_GAP_M
    ]

"""The figure of a robot: its meshes, or simpler bodies where there are none, and their poses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np
import trimesh
from numpy.typing import NDArray

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.view.coarse_mesh import Faces, Vertices, coarse_mesh
from kilohertz.sim.mujoco_robot import robot_spec
from kilohertz.sim.render import MUJOCO_GREY, PAINT

Vector = NDArray[np.float64]

MOST_FACES = 60_000
"""Largest number of triangles of a robot, which a browser without a graphics card still draws."""
LEAST_FACES = 100
CAPSULE_RADIUS_OF_HEIGHT = 0.03
THINNEST_CAPSULE_M = 0.01
SECTIONS = 20


@dataclass(frozen=True, eq=False)
class Part:
    """A rigid mesh that moves with a link.

    Attributes:
        link: index of the link in `RobotFigure.links`.
        vertices: (n, 3) vertices in the link's frame [m].
        faces: (m, 3) corners of the triangles.
        rgba: colour and opacity, from 0 to 1.
    """

    link: int
    vertices: Vertices
    faces: Faces
    rgba: tuple[float, float, float, float]


class RobotFigure:
    """Shape and pose of a robot for drawing.

    Args:
        robot: model of the robot.

    Attributes:
        links: names of the links, of which the first is the world.
        parts: meshes of the links; capsules between the joints if the model has no geometry.
        p_WL, quat_WL: (n, 3) and (n, 4) positions [m] and orientations (w, x, y, z) of the links.
        p_WF, R_WF: (nc, 3) and (nc, 3, 3) positions and orientations of the contacts.
        p_WH, R_WH: (nh, 3) and (nh, 3, 3) positions and orientations of the hands.

    Raises:
        ConfigError: MuJoCo cannot read the model.
    """

    def __init__(self, robot: RobotModel) -> None:
        spec, _ = robot_spec(robot, visual=True)
        self._robot = robot
        self._model = model = spec.compile()
        self._data = data = mujoco.MjData(model)
        self._qpos = np.array(
            [model.jnt_qposadr[model.joint(name).id] for name in robot.joint_names], np.intp
        )
        self.links = tuple(str(model.body(i).name) for i in range(model.nbody))
        self.p_WL, self.quat_WL = data.xpos, data.xquat
        self._contact_sites = [model.site(f"contact/{name}").id for name in robot.contact_names]
        self._hand_sites = [model.site(f"hand/{name}").id for name in robot.hand_names]
        self.pose(robot.q_nominal)
        self.parts = tuple(self._parts()) or tuple(self._capsules())

    def pose(self, q: Any) -> None:
        """Moves the figure into a posture.

        Args:
            q: (nq,) configuration in pinocchio's convention.
        """
        robot, data = self._robot, self._data
        values = np.asarray(q, dtype=np.float64)
        data.qpos[self._qpos] = values[robot.nq_base :]
        if robot.floating:
            data.qpos[:7] = values[[0, 1, 2, 6, 3, 4, 5]]
        mujoco.mj_kinematics(self._model, data)

    @property
    def p_WF(self) -> Vector:
        """(nc, 3) positions of the contacts in the world [m]."""
        return np.array(self._data.site_xpos[self._contact_sites]).reshape(-1, 3)

    @property
    def R_WF(self) -> Vector:
        """(nc, 3, 3) orientations of the contacts in the world."""
        return np.array(self._data.site_xmat[self._contact_sites]).reshape(-1, 3, 3)

    @property
    def p_WH(self) -> Vector:
        """(nh, 3) positions of the hands in the world [m]."""
        return np.array(self._data.site_xpos[self._hand_sites]).reshape(-1, 3)

    @property
    def R_WH(self) -> Vector:
        """(nh, 3, 3) orientations of the hands in the world."""
        return np.array(self._data.site_xmat[self._hand_sites]).reshape(-1, 3, 3)

    def _parts(self) -> Iterator[Part]:
        model = self._model
        meshes = [_mesh_of(model, geom) for geom in range(model.ngeom)]
        total = sum(len(faces) for _, faces in meshes) or 1
        for geom, (vertices, faces) in enumerate(meshes):
            if not len(faces):
                continue
            # Each mesh gets its share of the triangles.
            most = max(LEAST_FACES, MOST_FACES * len(faces) // total)
            vertices, faces = coarse_mesh(vertices, faces, most)
            rotation = np.zeros(9)
            mujoco.mju_quat2Mat(rotation, model.geom_quat[geom])
            placed = vertices @ rotation.reshape(3, 3).T + model.geom_pos[geom]
            rgba = PAINT if np.allclose(model.geom_rgba[geom], MUJOCO_GREY) else model.geom_rgba[geom]
            link = int(model.geom_bodyid[geom])
            red, green, blue, opacity = (float(value) for value in rgba)
            yield Part(link, placed.astype(np.float32), faces, (red, green, blue, opacity))

    def _capsules(self) -> Iterator[Part]:
        """Yields a capsule from each link to each of its children."""
        model = self._model
        size_m = float(np.ptp(self.p_WL[1:], axis=0).max()) if model.nbody > 2 else 0.0
        radius_m = max(THINNEST_CAPSULE_M, CAPSULE_RADIUS_OF_HEIGHT * size_m)
        for body in range(1, model.nbody):
            parent, end = int(model.body_parentid[body]), np.array(model.body_pos[body])
            if parent == 0:
                continue
            if np.linalg.norm(end) < radius_m:
                ball = trimesh.creation.icosphere(subdivisions=2, radius=radius_m)
                yield Part(parent, *_arrays(ball), PAINT)
                continue
            capsule = trimesh.creation.cylinder(
                radius=radius_m, segment=[np.zeros(3), end], sections=SECTIONS
            )
            yield Part(parent, *_arrays(capsule), PAINT)
            tip = trimesh.creation.icosphere(subdivisions=2, radius=radius_m)
            yield Part(body, *_arrays(tip), PAINT)


def _arrays(mesh: Any) -> tuple[Vertices, Faces]:
    return np.asarray(mesh.vertices, np.float32), np.asarray(mesh.faces, np.uint32)


def _mesh_of(model: Any, geom: int) -> tuple[Vertices, Faces]:
    """Returns the mesh of a geometry in its own frame; an empty one for what cannot be drawn."""
    kind, size = mujoco.mjtGeom(model.geom_type[geom]), model.geom_size[geom]
    if kind == mujoco.mjtGeom.mjGEOM_MESH:
        mesh = model.geom_dataid[geom]
        first, count = model.mesh_vertadr[mesh], model.mesh_vertnum[mesh]
        vertices = np.asarray(model.mesh_vert[first : first + count], np.float32)
        first, count = model.mesh_faceadr[mesh], model.mesh_facenum[mesh]
        return vertices, np.asarray(model.mesh_face[first : first + count], np.uint32)
    if kind == mujoco.mjtGeom.mjGEOM_BOX:
        return _arrays(trimesh.creation.box(extents=2.0 * size))
    if kind == mujoco.mjtGeom.mjGEOM_SPHERE:
        return _arrays(trimesh.creation.icosphere(subdivisions=2, radius=size[0]))
    if kind == mujoco.mjtGeom.mjGEOM_ELLIPSOID:
        ball = trimesh.creation.icosphere(subdivisions=2, radius=1.0)
        return np.asarray(ball.vertices * size, np.float32), np.asarray(ball.faces, np.uint32)
    if kind == mujoco.mjtGeom.mjGEOM_CYLINDER:
        return _arrays(trimesh.creation.cylinder(radius=size[0], height=2.0 * size[1], sections=SECTIONS))
    if kind == mujoco.mjtGeom.mjGEOM_CAPSULE:
        capsule = trimesh.creation.capsule(radius=size[0], height=2.0 * size[1], count=(SECTIONS, SECTIONS))
        return _arrays(capsule)
    return np.zeros((0, 3), np.float32), np.zeros((0, 3), np.uint32)

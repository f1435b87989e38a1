"""The collision geometry of a robot as points on its links."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pinocchio as pin

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import Vector

_RIM_POINTS = 24
"""Number of points that stand for the rim of a cylinder."""


@dataclass(frozen=True)
class Shape:
    """The convex hull of spheres of one radius.

    Attributes:
        points_L: (n, 3) centres of the spheres in the frame of the link [m].
        radius_m: radius of the spheres; 0 for a polyhedron [m].
    """

    points_L: Vector
    radius_m: float = 0.0

    def touching(self, down_L: Vector) -> Vector:
        """Returns the (n, 3) points of the spheres furthest along a unit vector of the link [m]."""
        touching: Vector = self.points_L + self.radius_m * down_L
        return touching

    def moved(self, R: Vector, p: Vector) -> Shape:
        """Returns the shape in another frame; R (3, 3) and p (3,) [m] are the pose of its own frame there."""
        return Shape(self.points_L @ R.T + p, self.radius_m)


Shapes = dict[str, list[Shape]]


def link_shapes(robot: RobotModel) -> Shapes:
    """Returns the collision geometry of each link by its name; the visual geometry if the model has no other.

    Meshes that cannot be read are left out.
    """
    if robot.model_format == "mjcf":
        return _of_mjcf(robot.model_path)
    return _of_urdf(robot, "collision") or _of_urdf(robot, "visual")


def visual_shapes(robot: RobotModel, links: Collection[str]) -> Shapes:
    """Returns the visual geometry of some links of a URDF by their names; nothing for an MJCF file."""
    return _of_urdf(robot, "visual", links) if robot.model_format == "urdf" else {}


def _of_urdf(robot: RobotModel, tag: str, links: Collection[str] | None = None) -> Shapes:
    root = ET.fromstring(robot.urdf_text)
    for link in root.findall("link"):
        left_out = links is not None and link.get("name") not in links
        for element in (*link.findall("collision"), *link.findall("visual")):
            mesh = element.find("geometry/mesh")
            missing = mesh is not None and not Path(mesh.get("filename", "")).is_file()
            if left_out or element.tag != tag or missing:
                link.remove(element)
    kind = pin.GeometryType.COLLISION if tag == "collision" else pin.GeometryType.VISUAL
    model = robot.pin_model
    text = ET.tostring(root, encoding="unicode")
    try:
        geometry = pin.buildGeomFromUrdfString(model, text, kind)
    except (ValueError, RuntimeError):
        return {}
    shapes: Shapes = {}
    for each in geometry.geometryObjects:
        frame = model.frames[each.parentFrame]
        pose = frame.placement.actInv(each.placement) * _upright(Path(each.meshPath))
        shape = _of_coal(each.geometry, pose)
        if shape is not None:
            shapes.setdefault(frame.name, []).append(shape)
    return shapes


def _upright(mesh: Path) -> pin.SE3:
    """Returns the rotation of a COLLADA mesh whose y axis points up, which pinocchio's reader leaves out."""
    upright = pin.SE3.Identity()
    if mesh.suffix.lower() == ".dae" and "<up_axis>Y_UP" in mesh.read_text("utf-8", "replace"):
        upright.rotation = pin.utils.rotate("x", 0.5 * np.pi)
    return upright


def _of_coal(geometry: Any, pose: pin.SE3) -> Shape | None:
    """Returns the shape of a collision object of pinocchio, at a pose on its link."""
    kind, radius = type(geometry).__name__, 0.0
    if kind == "Box":
        points = _box(geometry.halfSide)
    elif kind == "Sphere":
        points, radius = np.zeros((1, 3)), float(geometry.radius)
    elif kind == "Capsule":
        points, radius = _axis(geometry.halfLength), float(geometry.radius)
    elif kind == "Cylinder":
        points = _cylinder(geometry.radius, geometry.halfLength)
    elif hasattr(geometry, "vertices"):
        points = np.array(geometry.vertices())
    else:
        return None
    return Shape(points @ pose.rotation.T + pose.translation, radius)


def _of_mjcf(path: Path) -> Shapes:
    # Here, so that a robot with a URDF is examined without MuJoCo.
    import mujoco

    model = mujoco.MjModel.from_xml_path(str(path))
    shapes: Shapes = {}
    solid = (model.geom_contype != 0) | (model.geom_conaffinity != 0)
    on_robot = model.geom_bodyid > 0
    for index in np.flatnonzero(on_robot & solid if (on_robot & solid).any() else on_robot).tolist():
        shape = _of_geom(mujoco.mjtGeom, model, index)
        if shape is not None:
            shapes.setdefault(model.body(model.geom_bodyid[index]).name, []).append(shape)
    return shapes


def _of_geom(kinds: Any, model: Any, index: int) -> Shape | None:
    kind, size, radius = kinds(int(model.geom_type[index])), model.geom_size[index], 0.0
    if kind == kinds.mjGEOM_BOX:
        points = _box(size)
    elif kind == kinds.mjGEOM_SPHERE:
        points, radius = np.zeros((1, 3)), float(size[0])
    elif kind == kinds.mjGEOM_ELLIPSOID:
        points = _ellipsoid(size)
    elif kind == kinds.mjGEOM_CAPSULE:
        points, radius = _axis(size[1]), float(size[0])
    elif kind == kinds.mjGEOM_CYLINDER:
        points = _cylinder(size[0], size[1])
    elif kind == kinds.mjGEOM_MESH:
        mesh = model.geom_dataid[index]
        first = model.mesh_vertadr[mesh]
        points = np.array(model.mesh_vert[first : first + model.mesh_vertnum[mesh]], dtype=np.float64)
    else:
        return None
    w, x, y, z = model.geom_quat[index]
    return Shape(points @ pin.Quaternion(w, x, y, z).matrix().T + model.geom_pos[index], radius)


def _box(half: Vector) -> Vector:
    signs = np.array([[x, y, z] for x in (1, -1) for y in (1, -1) for z in (1, -1)], dtype=np.float64)
    points: Vector = signs * np.asarray(half)
    return points


def _ellipsoid(half: Vector) -> Vector:
    """Returns points on an ellipsoid: its tips, and circles of latitude between them."""
    latitudes = np.linspace(-0.5 * np.pi, 0.5 * np.pi, _RIM_POINTS // 2 + 1)
    angles = np.linspace(0.0, 2.0 * np.pi, _RIM_POINTS, endpoint=False)
    latitude, angle = (grid.ravel() for grid in np.meshgrid(latitudes, angles))
    unit = np.column_stack(
        [np.cos(latitude) * np.cos(angle), np.cos(latitude) * np.sin(angle), np.sin(latitude)]
    )
    points: Vector = unit * np.asarray(half)
    return points


def _axis(half: float) -> Vector:
    return np.array([[0.0, 0.0, half], [0.0, 0.0, -half]])


def _cylinder(radius: float, half: float) -> Vector:
    angles = np.linspace(0.0, 2.0 * np.pi, _RIM_POINTS, endpoint=False)
    rim = radius * np.column_stack([np.cos(angles), np.sin(angles)])
    return np.vstack([np.column_stack([rim, np.full(_RIM_POINTS, z)]) for z in (half, -half)])

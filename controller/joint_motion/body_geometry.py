"""Collisions of an arm with itself and with the ground, at a posture; for checks outside the tick.

The links are checked as the convex hulls of the model's collision geometry, which is fast; where hulls touch,
the meshes themselves decide. Links that share a joint, and links that
touch at the nominal posture, are never in collision with each other, because their geometry stands for
finer shapes; the same holds for links that touch the ground there.
"""

from __future__ import annotations

import functools
from typing import Any

import coal
import numpy as np
import pinocchio as pin

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import Vector

MARGIN_M = 0.005
"""Distance that planned motions keep between links, and from the ground [m]."""
_GROUND = "the ground"
_HULL_OPTIONS = "Qt"
"""Option of Qhull that triangulates the faces."""
_MOST_ROBOTS = 4


class BodyGeometry:
    """The links of an arm as convex bodies.

    Args:
        robot: robot with a fixed base.

    Attributes:
        known: whether the model has collision geometry that can be read; without it nothing collides.
    """

    def __init__(self, robot: RobotModel) -> None:
        self._model = robot.pin_model
        self._data = self._model.createData()
        self._geometry = geometry = self._read(robot)
        self.known = len(geometry.geometryObjects) > 0
        self._add_ground()
        self._add_pairs(robot)
        self._results, self._far = geometry.createData(), geometry.createData()
        self._close = coal.CollisionRequest()
        self._close.security_margin = MARGIN_M
        self._set_margin(MARGIN_M)
        self._drop_touching(robot.q_nominal)

    def _read(self, robot: RobotModel) -> pin.GeometryModel:
        self._meshes: dict[int, Any] = {}
        if robot.model_format != "urdf":
            return pin.GeometryModel()
        try:
            geometry = pin.buildGeomFromUrdfString(
                robot.pin_model, robot.urdf_text, pin.GeometryType.COLLISION
            )
        except (ValueError, RuntimeError):  # a mesh file that is missing or cannot be read
            return pin.GeometryModel()
        for i, body in enumerate(geometry.geometryObjects):
            mesh = body.geometry
            if hasattr(mesh, "buildConvexHull"):
                mesh.buildConvexHull(True, _HULL_OPTIONS)
                body.geometry = mesh.convex
                if mesh.convex.num_points < mesh.num_vertices:
                    self._meshes[i] = mesh
        return geometry

    def _add_ground(self) -> None:
        floor = coal.Halfspace(np.array([0.0, 0.0, 1.0]), 0.0)
        body = pin.GeometryObject(_GROUND, 0, pin.SE3.Identity(), floor)
        self._ground = self._geometry.addGeometryObject(body)

    def _add_pairs(self, robot: RobotModel) -> None:
        model, bodies = robot.pin_model, self._geometry.geometryObjects
        for i in range(len(bodies)):
            for j in range(i + 1, len(bodies)):
                a, b = bodies[i].parentJoint, bodies[j].parentJoint
                with_ground = self._ground in (i, j)
                near = a == b or model.parents[a] == b or model.parents[b] == a
                if (with_ground and max(a, b) > 0) or not (near or with_ground):
                    self._geometry.addCollisionPair(pin.CollisionPair(i, j))

    def _set_margin(self, margin_m: float) -> None:
        for data in (self._results, self._far):
            for request in data.collisionRequests:
                request.security_margin = margin_m

    def _drop_touching(self, q: Vector) -> None:
        pairs = list(self._geometry.collisionPairs)
        touching = [pair for pair, hit in zip(pairs, self._hits(q), strict=True) if hit]
        for pair in touching:
            self._geometry.removeCollisionPair(pair)
        self._results, self._far = self._geometry.createData(), self._geometry.createData()
        self._set_margin(MARGIN_M)

    def _hits(self, q: Vector) -> list[bool]:
        pin.computeCollisions(self._model, self._data, self._geometry, self._far, q, False)
        hits = [bool(result.isCollision()) for result in self._far.collisionResults]
        for i, pair in enumerate(self._geometry.collisionPairs):
            hits[i] = hits[i] and self._really_touch(pair.first, pair.second)
        return hits

    def _really_touch(self, first: int, second: int) -> bool:
        """Returns whether two bodies touch whose hulls do; their placements must be up to date."""
        if self._ground in (first, second) or not (first in self._meshes or second in self._meshes):
            return True
        shapes = [self._meshes.get(i, self._geometry.geometryObjects[i].geometry) for i in (first, second)]
        poses = [self._far.oMg[i] for i in (first, second)]
        transforms = [coal.Transform3s(pose.rotation, pose.translation) for pose in poses]
        result = coal.CollisionResult()
        coal.collide(shapes[0], transforms[0], shapes[1], transforms[1], self._close, result)
        return bool(result.isCollision())

    def free(self, q: Vector) -> bool:
        """Returns whether all links keep MARGIN_M from each other and from the ground.

        Args:
            q: (nq,) posture of the arm [rad].
        """
        if not pin.computeCollisions(self._model, self._data, self._geometry, self._results, q, True):
            return True
        return bool(self._meshes) and not any(self._hits(q))

    def touching(self, q: Vector) -> str:
        """Returns the names of two links that are closer than MARGIN_M, such as "a and b"; "" if none are.

        Args:
            q: (nq,) posture of the arm [rad].
        """
        for pair, hit in zip(self._geometry.collisionPairs, self._hits(q), strict=True):
            if hit:
                names = [self._name(index) for index in (pair.first, pair.second)]
                return " and ".join(sorted(names, key=lambda name: name == _GROUND))
        return ""

    def _name(self, index: int) -> str:
        body = self._geometry.geometryObjects[index]
        if index == self._ground:
            return _GROUND
        return str(self._model.frames[body.parentFrame].name)


@functools.lru_cache(maxsize=_MOST_ROBOTS)
def body_geometry(robot: RobotModel) -> BodyGeometry:
    """Returns the geometry of a robot, which is read once."""
    return BodyGeometry(robot)

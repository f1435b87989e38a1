"""Messages with the schemas of Foxglove, made from telemetry: for its live view and for its files.

`/tf` and `/joint_states` move the robot, `/robot` holds its meshes, `/scene` its contacts, contact forces and
balance, `/log` what happens, and `/telemetry` all other numbers for plots, as JSON. Meshes have a topic of
their own: a viewer that jumps within a file loads the newest message of each topic.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from foxglove import messages as fox

from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.view.robot_figure import Part, RobotFigure
from kilohertz.rt.view.sole_polygon import fan, sole_polygon

TF, JOINTS, ROBOT, SCENE, LOG, NUMBERS = "/tf", "/joint_states", "/robot", "/scene", "/log", "/telemetry"
SCHEMAS = {
    TF: fox.FrameTransforms,
    JOINTS: fox.JointStates,
    ROBOT: fox.SceneUpdate,
    SCENE: fox.SceneUpdate,
    LOG: fox.Log,
}
"""Message type of each topic but NUMBERS, which is JSON."""
WORLD = "world"
ARROW_M_PER_WEIGHT = 0.5
SHORTEST_ARROW_M = 1e-3
ERRORS = ("damping", "fell", "fault", "link_lost")
"""States and kinds of events that are errors."""
_INTO_DAMPING = "to damping"
_BALLS = (("p_WC", 0.06, (0.9, 0.62, 0.0)), ("p_WC_des", 0.045, (0.35, 0.35, 0.35)))
_CLOSED, _OPEN = fox.Color(r=0.0, g=0.62, b=0.45, a=0.8), fox.Color(r=0.67, g=0.67, b=0.67, a=0.8)
_NUMBERS = (
    "q", "v", "tau", "tau_ff", "tau_share_max", "p_WC", "v_WC", "p_WC_des", "v_WC_des", "p_WD", "p_WD_des",
    "zmp_des", "w_F", "contact", "p_WH_des", "payload_kg", "stage_us", "tick_us", "qp_iterations",
    "qp_iterations_max", "rung", "gains_generation", "t_s", "state", "behaviour", "behaviour_state",
)  # fmt: skip


def stamp_of(time_ns: int) -> Any:
    """Returns the Foxglove time stamp of a time since 1970 [ns]."""
    return fox.Timestamp(time_ns // 1_000_000_000, time_ns % 1_000_000_000)


class FoxgloveMessages:
    """Makes the messages of one robot.

    Args:
        robot: model of the robot.

    Raises:
        ConfigError: MuJoCo cannot read the model.
    """

    def __init__(self, robot: RobotModel) -> None:
        self._robot = robot
        self._figure = RobotFigure(robot)
        self._weight_N = robot.mass_kg * GRAVITY_M_S2
        self._soles = [sole_polygon(contact.corners_F) for contact in robot.contacts]

    def of_state(self, message: Mapping[str, Any], time_ns: int, *, scene: bool) -> dict[str, Any]:
        """Returns the message of each topic for one state of the robot.

        Args:
            message: state message of the telemetry, see `rt/TELEMETRY.md`.
            time_ns: its time since 1970 [ns].
            scene: whether to include SCENE.

        Returns:
            Messages by TF, JOINTS, SCENE, and NUMBERS, whose message is a dict for JSON.
        """
        stamp = stamp_of(time_ns)
        self._figure.pose(message["q"])
        found = {
            TF: fox.FrameTransforms(transforms=self._transforms(stamp)),
            JOINTS: self._joint_states(message, stamp),
            NUMBERS: plain({name: message[name] for name in _NUMBERS if name in message}),
        }
        if scene:
            found[SCENE] = fox.SceneUpdate(entities=[self._state(message, stamp)])
        return found

    def meshes(self, time_ns: int) -> Any:
        """Returns the message of ROBOT, which holds for the whole run; its time is since 1970 [ns]."""
        stamp = stamp_of(time_ns)
        parts = enumerate(self._figure.parts)
        return fox.SceneUpdate(entities=[self._mesh(number, part, stamp) for number, part in parts])

    def log(self, kind: str, text: str, time_ns: int) -> Any:
        """Returns a message of LOG.

        Args:
            kind: state of the robot, or kind of an event.
            text: what happened.
            time_ns: its time since 1970 [ns].
        """
        is_error = kind in ERRORS or _INTO_DAMPING in text
        level = fox.LogLevel.Error if is_error else fox.LogLevel.Info
        return fox.Log(timestamp=stamp_of(time_ns), level=level, message=text, name=self._robot.name)

    def _transforms(self, stamp: Any) -> list[Any]:
        figure = self._figure
        return [
            fox.FrameTransform(
                timestamp=stamp,
                parent_frame_id=WORLD,
                child_frame_id=figure.links[i],
                translation=_vector(figure.p_WL[i]),
                rotation=_quaternion(figure.quat_WL[i]),
            )
            for i in range(1, len(figure.links))
        ]

    def _joint_states(self, message: Mapping[str, Any], stamp: Any) -> Any:
        robot = self._robot
        q, v = message["q"][robot.nq_base :], message["v"][robot.n_base :]
        joints = [
            fox.JointState(name=name, position=position, velocity=velocity, effort=effort)
            for name, position, velocity, effort in zip(
                robot.joint_names, q, v, message["tau_ff"], strict=True
            )
        ]
        return fox.JointStates(timestamp=stamp, joints=joints)

    def _mesh(self, number: int, part: Part, stamp: Any) -> Any:
        link = self._figure.links[part.link] if part.link else WORLD
        points = [fox.Point3(x=x, y=y, z=z) for x, y, z in part.vertices.astype(float).tolist()]
        red, green, blue, opacity = part.rgba
        triangles = fox.TriangleListPrimitive(
            pose=_pose((0.0, 0.0, 0.0)),
            points=points,
            indices=part.faces.ravel().tolist(),
            color=fox.Color(r=red, g=green, b=blue, a=opacity),
        )
        return fox.SceneEntity(
            timestamp=stamp, frame_id=link, id=f"part {number}", frame_locked=True, triangles=[triangles]
        )

    def _state(self, message: Mapping[str, Any], stamp: Any) -> Any:
        """Returns the entity with contacts, contact forces and balance."""
        figure, arrows = self._figure, []
        forces = np.reshape(message.get("w_F", ()), (-1, 6))[:, :3] * (ARROW_M_PER_WEIGHT / self._weight_N)
        for place, R_WF, tip_F in zip(figure.p_WF, figure.R_WF, forces, strict=True):
            length_m = float(np.linalg.norm(tip_F))
            if not (math.isfinite(length_m) and length_m > SHORTEST_ARROW_M):
                continue
            arrows.append(
                fox.ArrowPrimitive(
                    pose=fox.Pose(
                        position=_vector(place), orientation=_quaternion(along_x(R_WF @ tip_F / length_m))
                    ),
                    shaft_length=0.8 * length_m,
                    shaft_diameter=0.02,
                    head_length=0.2 * length_m,
                    head_diameter=0.05,
                    color=fox.Color(r=0.84, g=0.37, b=0.0, a=1.0),
                )
            )
        balls = [
            fox.SpherePrimitive(
                pose=_pose(message[name]),
                size=fox.Vector3(x=size, y=size, z=size),
                color=fox.Color(r=colour[0], g=colour[1], b=colour[2], a=1.0),
            )
            for name, size, colour in _BALLS
            if self._robot.floating and np.isfinite(message[name]).all()
        ]
        return fox.SceneEntity(
            timestamp=stamp,
            frame_id=WORLD,
            id="state",
            arrows=arrows,
            spheres=balls,
            triangles=self._contacts(message),
        )

    def _contacts(self, message: Mapping[str, Any]) -> list[Any]:
        """Returns the soles, green where they are closed."""
        figure, soles = self._figure, []
        for place, R_WF, sole, closed in zip(
            figure.p_WF, figure.R_WF, self._soles, message.get("contact", ()), strict=True
        ):
            corners = place + sole @ R_WF.T
            soles.append(
                fox.TriangleListPrimitive(
                    pose=_pose((0.0, 0.0, 0.0)),
                    points=[fox.Point3(x=x, y=y, z=z) for x, y, z in corners.tolist()],
                    indices=fan(len(corners)).ravel().tolist(),
                    color=_CLOSED if closed else _OPEN,
                )
            )
        return soles


def plain(value: Any) -> Any:
    """Returns a value for JSON, which has no NaN: null in its place."""
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _vector(position: Any) -> Any:
    x, y, z = (float(value) for value in position)
    return fox.Vector3(x=x, y=y, z=z)


def _quaternion(wxyz: Any) -> Any:
    w, x, y, z = (float(value) for value in wxyz)
    return fox.Quaternion(x=x, y=y, z=z, w=w)


def _pose(position: Any) -> Any:
    return fox.Pose(position=_vector(position), orientation=fox.Quaternion(x=0.0, y=0.0, z=0.0, w=1.0))


def along_x(direction: Any) -> list[float]:
    """Returns the shortest rotation that turns the x axis, along which an arrow points, into a direction.

    Args:
        direction: (3,) unit vector.

    Returns:
        The quaternion (w, x, y, z).
    """
    axis = np.cross([1.0, 0.0, 0.0], direction)
    w = 1.0 + float(direction[0])
    if w < 1e-9:
        return [0.0, 0.0, 0.0, 1.0]
    numbers = np.array([w, *axis]) / math.sqrt(w * w + float(axis @ axis))
    rotation: list[float] = numbers.tolist()
    return rotation

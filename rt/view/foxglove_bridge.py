"""Shows a running controller in Foxglove or Lichtblick, with the topics that they expect.

`/tf` and `/joint_states` move the robot, `/scene` holds its meshes, contact forces and balance, `/log` the
changes of its state, and `/telemetry` all other numbers for plots. The server takes no commands.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import foxglove
import numpy as np
from foxglove import messages as fox
from foxglove.channels import (
    FrameTransformsChannel,
    JointStatesChannel,
    LogChannel,
    SceneUpdateChannel,
)

from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.telemetry.subscriber import Subscriber
from kilohertz.rt.view.robot_figure import Part, RobotFigure

WORLD = "world"
RECEIVE_S = 0.2
SCENE_EVERY_S = 0.04
ARROW_M_PER_WEIGHT = 0.5
SHORTEST_ARROW_M = 1e-3
BACKLOG = 64
_BALLS = (("p_WC", 0.06, (0.9, 0.62, 0.0)), ("p_WC_des", 0.045, (0.35, 0.35, 0.35)))
_NUMBERS = (
    "q", "v", "tau", "tau_ff", "tau_share_max", "p_WC", "v_WC", "p_WC_des", "v_WC_des", "p_WD", "p_WD_des",
    "zmp_des", "w_F", "contact", "p_WH_des", "payload_kg", "stage_us", "tick_us", "qp_iterations",
    "qp_iterations_max", "rung", "gains_generation", "t_s", "state", "behaviour", "behaviour_state",
)  # fmt: skip


class FoxgloveBridge:
    """Publishes the messages of one telemetry endpoint to all viewers that are connected.

    Args:
        subscriber: receiver of the telemetry.
        host: IP address to bind.
        port: port; 0 lets the system choose.

    Attributes:
        port: port of the server.
    """

    def __init__(self, subscriber: Subscriber, host: str, port: int) -> None:
        self._subscriber = subscriber
        self._context = context = foxglove.Context()
        self._tf = FrameTransformsChannel("/tf", context=context)
        self._joints = JointStatesChannel("/joint_states", context=context)
        self._scene = SceneUpdateChannel("/scene", context=context)
        self._log = LogChannel("/log", context=context)
        self._numbers = foxglove.Channel("/telemetry", message_encoding="json", context=context)
        self._newcomers = True
        self._server = foxglove.start_server(
            name="Kilohertz",
            host=host,
            port=port,
            server_listener=self,
            context=context,
            message_backlog_size=BACKLOG,
        )
        self.port: int = self._server.port
        self._run_ns = -1
        self._told = ("", "", "")
        self._scene_s = -math.inf
        self._config = ""

    def on_subscribe(self, client: Any, channel: Any) -> None:
        """Called by the server, from a thread of its own, for each new subscription."""
        self._newcomers = True

    def run(self) -> None:
        """Publishes what arrives until an exception, such as that of Ctrl-C, ends it."""
        try:
            while True:
                self.step()
        finally:
            self.close()

    def step(self) -> None:
        """Publishes the next message, if one arrives in time."""
        message = self._subscriber.receive(RECEIVE_S)
        if message is None:
            return
        hello = self._subscriber.hello
        if hello["clock_ns"] != self._run_ns:
            self._begin(hello)
        time_ns = self._started_ns + message["stamp_ns"] - self._run_ns
        stamp = fox.Timestamp(time_ns // 1_000_000_000, time_ns % 1_000_000_000)
        self._figure.pose(message["q"])
        self._tf.log(fox.FrameTransforms(transforms=self._transforms(stamp)), log_time=time_ns)
        self._joints.log(self._joint_states(message, stamp), log_time=time_ns)
        self._numbers.log(
            plain({name: message[name] for name in _NUMBERS if name in message}), log_time=time_ns
        )
        self._tell(message, stamp, time_ns)
        if self._newcomers:
            # A viewer that has just come has no meshes yet.
            self._newcomers = False
            meshes = [self._mesh(i, part, stamp) for i, part in enumerate(self._figure.parts)]
            self._scene.log(fox.SceneUpdate(entities=meshes), log_time=time_ns)
        if not 0.0 <= message["t_s"] - self._scene_s < SCENE_EVERY_S:
            self._scene_s = message["t_s"]
            self._scene.log(fox.SceneUpdate(entities=[self._state(message, stamp)]), log_time=time_ns)

    def _begin(self, hello: Mapping[str, Any]) -> None:
        self._run_ns, self._started_ns = hello["clock_ns"], hello["started_ns"]
        if self._config != hello["config_sha256"]:
            self._robot = RobotModel.load(hello["robot"])
            self._figure = RobotFigure(self._robot)
            self._weight_N = self._robot.mass_kg * GRAVITY_M_S2
            self._config = hello["config_sha256"]
        self._newcomers = True
        self._told = ("", "", "")

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

    def _tell(self, message: Mapping[str, Any], stamp: Any, time_ns: int) -> None:
        now = (message["state"], message["behaviour"], message["behaviour_state"])
        if now == self._told:
            return
        self._told = now
        level = fox.LogLevel.Error if now[0] == "damping" else fox.LogLevel.Info
        text = " ".join(part for part in now if part)
        self._log.log(
            fox.Log(timestamp=stamp, level=level, message=text, name=self._robot.name), log_time=time_ns
        )

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
        """Returns the entity with contact forces and balance."""
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
        return fox.SceneEntity(timestamp=stamp, frame_id=WORLD, id="state", arrows=arrows, spheres=balls)

    def close(self) -> None:
        """Ends the server and the connection."""
        self._server.stop()
        self._subscriber.close()


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

"""Shows a simulated run in MuJoCo's own viewer in the browser, where the robot can be pushed with the mouse.

The viewer serves every computer and asks for no password by itself. Here its server is bound to the loopback
address, and is behind the same front door as the cockpit.
"""

from __future__ import annotations

import queue
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import mujoco
import mujoco.studio.web.web_server as studio_server
import mujoco.studio.web_viewer as studio_viewer
import numpy as np
from mujoco.studio import app, launch_web, messages, plugin
from mujoco.studio.viewer_protocol import ViewerConfig

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.telemetry.subscriber import Subscriber
from kilohertz.rt.view.front_door import FrontDoor, guarded
from kilohertz.sim.mujoco_robot import robot_spec
from kilohertz.sim.push_mailbox import PushSender, pushable
from kilohertz.sim.render import MUJOCO_GREY, PAINT
from kilohertz.sim.scenario_schema import Flat
from kilohertz.sim.terrain import make_terrain

RECEIVE_S = 0.02
START_S = 60.0
WAIT_S = 600.0


class ShownRobot:
    """The robot in the viewer: a MuJoCo model that is put where the telemetry says.

    Args:
        robot: model of the robot.

    Attributes:
        model, data: MuJoCo's model, with flat ground, and data.
    """

    def __init__(self, robot: RobotModel) -> None:
        spec, _ = robot_spec(robot, visual=True)
        make_terrain(Flat(kind="flat"), 0).add_to(spec)
        for geom in spec.geoms:
            if np.allclose(geom.rgba, MUJOCO_GREY):
                geom.rgba = PAINT
        spec.visual.headlight.ambient = [0.35, 0.35, 0.35]
        spec.visual.headlight.diffuse = [0.5, 0.5, 0.5]
        self._robot = robot
        self.model = model = spec.compile()
        self.data = mujoco.MjData(model)
        joints = [model.joint(name).id for name in robot.joint_names]
        self._qpos, self._dof = model.jnt_qposadr[joints], model.jnt_dofadr[joints]
        names = pushable(robot)
        bodies = [str(model.body(i).name) for i in range(model.nbody)]
        self._links = {i: names.index(name) for i, name in enumerate(bodies) if name in names}
        self.pose(robot.q_nominal, np.zeros(robot.nv))
        # The viewer aims its camera there.
        mujoco.mj_kinematics(model, self.data)
        low, high = self.data.xpos[1:].min(axis=0), self.data.xpos[1:].max(axis=0)
        model.stat.center[:], model.stat.extent = (low + high) / 2, max(0.5, float((high - low).max()))

    def pose(self, q: Any, v: Any) -> None:
        """Puts the robot into a configuration.

        Args:
            q: (nq,) configuration in pinocchio's convention.
            v: (nv,) its velocity.
        """
        robot, data = self._robot, self.data
        values, rates = np.asarray(q, dtype=np.float64), np.asarray(v, dtype=np.float64)
        data.qpos[self._qpos], data.qvel[self._dof] = values[robot.nq_base :], rates[robot.n_base :]
        if robot.floating:
            data.qpos[:7] = values[[0, 1, 2, 6, 3, 4, 5]]
            # MuJoCo's linear velocity has the axes of the world, its angular velocity those of the base.
            mujoco.mju_rotVecQuat(data.qvel[:3], rates[:3], data.qpos[3:7])
            data.qvel[3:6] = rates[3:6]

    def pulls(self) -> Iterator[tuple[int, list[float]]]:
        """Yields the links that the mouse pulls, as indices in `pushable`, and the (6,) wrenches on them."""
        for body, link in self._links.items():
            wrench = self.data.xfrc_applied[body]
            if wrench.any() and np.isfinite(wrench).all():
                yield link, wrench.tolist()


class _KeepsTheModel(plugin.SimPlugin):  # type: ignore[misc]
    """Ignores files that are dropped onto the page: the run has its own model."""

    @messages.handler  # type: ignore[untyped-decorator]
    def on_load_model(self, event: messages.LoadModelEvent) -> bool:
        return True


@contextmanager
def behind_the_door(door: FrontDoor, host: str) -> Iterator[queue.SimpleQueue[int]]:
    """Binds MuJoCo's server to an address of our own and puts the door in front of it; it has no option.

    Yields:
        A queue that gets the port of each server when it is bound.
    """
    ports: queue.SimpleQueue[int] = queue.SimpleQueue()
    bind, serve, banner = (
        studio_server.bind_public_socket,
        studio_server.serve,
        studio_viewer._print_url_banner,
    )

    def bind_here(_: str, port: int = 0) -> socket.socket:
        bound: socket.socket = bind(host, port)
        ports.put(bound.getsockname()[1])
        return bound

    studio_server.bind_public_socket, studio_server.serve = bind_here, guarded(serve, door)
    # It would print an address without the token.
    studio_viewer._print_url_banner = lambda *_: None
    try:
        yield ports
    finally:
        studio_server.bind_public_socket, studio_server.serve = bind, serve
        studio_viewer._print_url_banner = banner


class MujocoView:
    """MuJoCo's viewer of one run.

    Args:
        subscriber: receiver of the telemetry.
        host: IP address to bind.
        port: port; 0 for the first that is free from 8080 on.
        token: secret token in the address of the page.

    Attributes:
        port: port of the page.

    Raises:
        ConfigError: no run publishes telemetry, or the port is in use.
    """

    def __init__(self, subscriber: Subscriber, host: str, port: int, token: str) -> None:
        self._subscriber = subscriber
        if subscriber.receive(WAIT_S) is None:
            raise ConfigError("no run publishes telemetry")
        self._robot = ShownRobot(RobotModel.load(subscriber.hello["robot"]))
        self._sender: PushSender | None = None
        with suppress(ConfigError):
            self._sender = PushSender(subscriber.hello["pushes"] or "")
        self._door = behind_the_door(FrontDoor(host, token), host)
        ports = self._door.__enter__()
        config = ViewerConfig(title="Kilohertz", gfx="web", http_port=port)
        self._handle = launch_web.launch(config, plugins=[app.App(), _KeepsTheModel()])
        try:
            self.port = ports.get(timeout=START_S)
        except queue.Empty:
            self._handle.close()
            raise ConfigError(f"MuJoCo's viewer cannot open port {port}") from None
        self._handle.set_model(self._robot.model, data=self._robot.data)

    def step(self) -> None:
        """Shows the next state, and passes on what the mouse pulls."""
        message = self._subscriber.receive(RECEIVE_S)
        if message is not None:
            self._robot.pose(message["q"], message["v"])
        # Only what the page says now counts: a page that is gone pulls no further.
        self._robot.data.xfrc_applied[:] = 0.0
        self._handle.sync()
        for link, wrench in self._robot.pulls():
            if self._sender is not None:
                self._sender.pull(link, wrench)

    def run(self) -> None:
        """Shows the run until an exception, such as that of Ctrl-C, ends it."""
        try:
            while self._handle.is_running():
                self.step()
        finally:
            self.close()

    def close(self) -> None:
        """Ends the viewer and the connections."""
        self._handle.close()
        self._door.__exit__(None, None, None)
        self._subscriber.close()
        if self._sender is not None:
            self._sender.close()

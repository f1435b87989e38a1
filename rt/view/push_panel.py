"""The controls that push a simulated robot."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import Any

import viser

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.sim.push_mailbox import PushSender, pushable
from kilohertz.sim.scenario import TRUNK

DURATION_S = 0.1
IMPULSE_PER_MASS_M_S, MOST_PER_MASS_M_S = 0.15, 0.8
"""Impulse at first and at most, over the mass of the robot [m/s]."""
DIRECTIONS = (
    ("Push forward", 0.0),
    ("Push backward", math.pi),
    ("Push to the left", 0.5 * math.pi),
    ("Push to the right", -0.5 * math.pi),
)
"""Name and angle from the robot's heading of each button [rad]."""


def impulse_of(q: Any, *, floating: bool, size_Ns: float, angle_rad: float) -> list[float]:
    """Returns a horizontal impulse in world axes, (3,) [Ns].

    Args:
        q: (nq,) configuration in pinocchio's convention.
        floating: whether the base is floating; for a fixed base the heading is the world's x axis.
        size_Ns: size of the impulse [Ns].
        angle_rad: direction of the impulse, from the heading to the left [rad].
    """
    heading_rad = 0.0
    if floating:
        x, y, z, w = (float(value) for value in q[3:7])
        heading_rad = math.atan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z))
    turn_rad = heading_rad + angle_rad
    return [size_Ns * math.cos(turn_rad), size_Ns * math.sin(turn_rad), 0.0]


class PushPanel:
    """Buttons that push the robot, in a folder of the tab that is open; nothing for a real robot.

    Args:
        server: web server of the cockpit.
        robot: model of the robot.
        address: address of the simulation's mailbox; None for a robot that cannot be pushed.
    """

    def __init__(self, server: viser.ViserServer, robot: RobotModel, address: str | None) -> None:
        self._robot, self._q = robot, robot.q_nominal
        self._sender: PushSender | None = None
        with suppress(ConfigError):
            self._sender = PushSender(address or "")
        if self._sender is None:
            return
        self._names = pushable(robot)
        gui, mass_kg = server.gui, robot.mass_kg
        with gui.add_folder("Push the simulated robot", expand_by_default=False):
            self._link = gui.add_dropdown("Link", self._names, initial_value=TRUNK)
            self._size = gui.add_slider(
                "Ns",
                0.0,
                _rounded(MOST_PER_MASS_M_S * mass_kg),
                0.1,
                _rounded(IMPULSE_PER_MASS_M_S * mass_kg),
                hint=f"Impulse, over {DURATION_S:g} s.",
            )
            for label, angle_rad in DIRECTIONS:
                gui.add_button(label).on_click(self._pusher(angle_rad))

    def _pusher(self, angle_rad: float) -> Any:
        async def push(_: Any) -> None:
            assert self._sender is not None
            impulse_Ns = impulse_of(
                self._q,
                floating=self._robot.floating,
                size_Ns=float(self._size.value),
                angle_rad=angle_rad,
            )
            self._sender.push(self._names.index(self._link.value), impulse_Ns, DURATION_S)

        return push

    def update(self, q: Any) -> None:
        """Takes the newest configuration of the robot, whose heading the directions follow."""
        self._q = q

    def close(self) -> None:
        """Ends the connection to the simulation."""
        if self._sender is not None:
            self._sender.close()


def _rounded(impulse_Ns: float) -> float:
    return max(0.1, round(impulse_Ns, 1))

"""Franka arms, controlled through the library `pylibfranka` (extra `franka`).

The arm sends a state every millisecond and expects an answer to each; it stops after twenty missing answers
in a row. It compensates gravity and friction itself, and stops if a torque changes by more than 1000 Nm/s.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.rows import Vector
from kilohertz.robots.wire.link import LinkLostError
from kilohertz.robots.wire.maker_arm import ArmStoppedError, vendor_module

JOINTS = 7


class FrankaArm:
    """A Franka arm with the interface of `kilohertz.robots.wire.maker_arm.Arm`.

    Args:
        address: network address of the arm's control box.
        enforce_realtime: whether the manufacturer's library refuses a kernel that is not real-time.

    Raises:
        ConfigError: the library is missing or refuses this host.
        LinkLostError: no arm answers at the address.
    """

    maker = "franka"
    joints = JOINTS
    periods = 1
    measures_torque = True

    def __init__(self, address: str, *, enforce_realtime: bool = True) -> None:
        self.q: Vector = np.zeros(JOINTS)
        self.v: Vector = np.zeros(JOINTS)
        self.tau: Vector = np.zeros(JOINTS)
        self.t_s = 0.0
        vendor = self._vendor = vendor_module("pylibfranka", "franka")
        realtime = vendor.RealtimeConfig
        try:
            self._robot: Any = vendor.Robot(
                address, realtime.kEnforce if enforce_realtime else realtime.kIgnore
            )
        except vendor.NetworkException as error:
            raise LinkLostError(f"{address}: no Franka arm answers: {error}") from None
        except RuntimeError as error:
            raise ConfigError(f"{address}: the Franka arm cannot be used: {error}") from None
        self._control: Any = None
        self._mode: Any = None

    def read(self) -> None:
        """Waits for the next state of the arm and stores it in the attributes."""
        try:
            state = self._robot.read_once() if self._control is None else self._control.readOnce()[0]
        except RuntimeError as error:
            self._fail(error)
        self.q[:] = state.q
        self.v[:] = state.dq
        self.tau[:] = state.tau_J
        self.t_s = state.time.to_sec()
        self._mode = state.robot_mode

    def problem(self) -> str | None:
        """Returns why torque control must not begin; None for an arm in mode Idle."""
        if self._control is not None or self._mode in (None, self._vendor.RobotMode.Idle):
            return None
        return f"the arm is in mode {self._mode.name}, not Idle: recover or unlock it in Desk"

    def engage(self) -> None:
        """Begins torque control; see `Arm.engage`."""
        try:
            self._control = self._robot.start_torque_control()
        except RuntimeError as error:
            self._fail(error)

    def write(self, tau: Vector) -> None:
        """Sends torques without gravity as the answer to the last state read [Nm]."""
        try:
            self._control.writeOnce(self._vendor.Torques(tau.tolist()))
        except RuntimeError as error:
            self._fail(error)

    def release(self) -> None:
        """Ends torque control, as the answer to the last state read."""
        last = self._vendor.Torques([0.0] * JOINTS)
        last.motion_finished = True
        control, self._control = self._control, None
        try:
            control.writeOnce(last)
        except RuntimeError as error:
            self._fail(error)

    def close(self) -> None:
        """Closes the connection: the library does so when its last reference is dropped."""
        self._control = self._robot = None

    def _fail(self, error: RuntimeError) -> None:
        self._control = None
        if isinstance(error, self._vendor.NetworkException):
            raise LinkLostError(f"the Franka arm does not answer any more: {error}") from None
        raise ArmStoppedError(f"the Franka arm has stopped: {error}") from None

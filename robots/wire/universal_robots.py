"""Arms of Universal Robots, controlled through the library `ur-rtde` (extra `ur`) and its `directTorque`.

The arm has a cycle of 2 ms. It compensates gravity and most of its friction itself, and holds its position
again if it receives no torque in a cycle. Torque control needs an e-Series arm or a newer one, with PolyScope
5.25.1 or 10.12.1.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.rows import Vector
from kilohertz.robots.wire.link import LinkLostError
from kilohertz.robots.wire.maker_arm import ArmStoppedError, vendor_module

JOINTS = 6
CYCLE_S = 0.002
RUNNING = 7


class UniversalRobotsArm:
    """An arm of Universal Robots with the interface of `kilohertz.robots.wire.maker_arm.Arm`.

    Args:
        address: network address of the arm's control box.

    Raises:
        ConfigError: the library is missing, or the arm's cycle is not 2 ms.
        LinkLostError: no arm answers at the address.
    """

    maker = "ur"
    joints = JOINTS
    periods = 2
    # The arm's "measured" values are motor currents, not torques.
    measures_torque = False

    def __init__(self, address: str) -> None:
        self.q: Vector = np.zeros(JOINTS)
        self.v: Vector = np.zeros(JOINTS)
        self.tau: Vector = np.zeros(JOINTS)
        self.t_s = 0.0
        receive, control = vendor_module("rtde_receive", "ur"), vendor_module("rtde_control", "ur")
        try:
            self._receive: Any = receive.RTDEReceiveInterface(address, 1.0 / CYCLE_S)
            self._control: Any = control.RTDEControlInterface(address, 1.0 / CYCLE_S)
        except RuntimeError as error:
            raise LinkLostError(f"{address}: no Universal Robots arm answers: {error}") from None
        cycle_s = self._control.getStepTime()
        if abs(cycle_s - CYCLE_S) > 1e-6:
            self.close()
            raise ConfigError(
                f"{address}: the arm has a cycle of {1e3 * cycle_s:g} ms; "
                "torque control needs a cycle of 2 ms"
            )
        self._cycle: Any = None
        self._engaged = False

    def read(self) -> None:
        """Waits for the end of the cycle and stores the newest state in the attributes."""
        if self._cycle is not None:
            self._control.waitPeriod(self._cycle)
        self._cycle = self._control.initPeriod()
        if not self._receive.isConnected():
            raise LinkLostError("the Universal Robots arm does not answer any more")
        self.q[:] = self._receive.getActualQ()
        self.v[:] = self._receive.getActualQd()
        self.t_s = self._receive.getTimestamp()
        if self._engaged and (problem := self.problem()) is not None:
            self._engaged = False
            raise ArmStoppedError(problem)

    def problem(self) -> str | None:
        """Returns why torque control must not begin; None for an arm that runs and is not stopped."""
        if self._receive.isEmergencyStopped():
            return "the arm is in emergency stop: release it at its panel"
        if self._receive.isProtectiveStopped():
            return "the arm is in protective stop: unlock it at its panel"
        mode = self._receive.getRobotMode()
        return None if mode == RUNNING else f"the arm is in robot mode {mode}, not {RUNNING} (running)"

    def engage(self) -> None:
        """Starts the arm's program that receives the torques, unless it runs already."""
        if not self._control.isProgramRunning() and not self._control.reuploadScript():
            raise ArmStoppedError(
                "the arm's program that receives torques does not run: switch the arm to remote control"
            )
        self._engaged = True

    def write(self, tau: Vector) -> None:
        """Sends the torques of this cycle, without gravity [Nm]."""
        if not self._control.directTorque(tau.tolist()):
            self._engaged = False
            raise ArmStoppedError(self.problem() or "the arm does not accept torques any more")

    def release(self) -> None:
        """Ends torque control; without torques the arm holds its position."""
        self._engaged = False

    def close(self) -> None:
        """Stops the arm's program and closes both connections."""
        self._control.stopScript()
        self._control.disconnect()
        self._receive.disconnect()

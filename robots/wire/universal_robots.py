"""Arms of Universal Robots, through `ur-rtde` (extra `ur`) and its `directTorque`.

The arm has a cycle of 2 ms, adds gravity and most of its friction itself, and goes back to holding its
position where a cycle brings no torque. That needs an e-Series or newer with PolyScope 5.25.1 or 10.12.1.
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
    """See `kilohertz.robots.wire.maker_arm.Arm`.

    Args:
        address: of the arm's control box.

    Raises:
        ConfigError: the library is missing, or the arm has another cycle.
        LinkLostError: no arm answers at the address.
    """

    maker = "ur"
    joints = JOINTS
    periods = 2
    # What it calls measured are currents.
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
                f"{address}: the arm has a cycle of {1e3 * cycle_s:g} ms; torques need one of 2 ms"
            )
        self._cycle: Any = None
        self._engaged = False

    def read(self) -> None:
        """Waits for the end of the cycle, and takes the newest state."""
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
        """Only an arm that runs and is not stopped may be controlled."""
        if self._receive.isEmergencyStopped():
            return "the arm is in emergency stop"
        if self._receive.isProtectiveStopped():
            return "the arm is in protective stop: unlock it at its panel"
        mode = self._receive.getRobotMode()
        return None if mode == RUNNING else f"the arm is in robot mode {mode}, not {RUNNING} (running)"

    def engage(self) -> None:
        """Sees to it that the program runs which takes the torques."""
        if not self._control.isProgramRunning() and not self._control.reuploadScript():
            raise ArmStoppedError(
                "the program that takes torques does not run: is the arm in remote control?"
            )
        self._engaged = True

    def write(self, tau: Vector) -> None:
        """Sends the torques of this cycle."""
        if not self._control.directTorque(tau.tolist()):
            self._engaged = False
            raise ArmStoppedError(self.problem() or "the arm takes no torques any more")

    def release(self) -> None:
        """Without torques it holds its position by itself."""
        self._engaged = False

    def close(self) -> None:
        """Ends the program and both connections."""
        self._control.stopScript()
        self._control.disconnect()
        self._receive.disconnect()

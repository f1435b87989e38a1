"""Mock of the control interface of ur-rtde: the same names, and the rules of the arm.

Rules, from the script manual and ur-rtde's documentation: torques must be sent once in each cycle of 2 ms, or
the arm holds its position again; they must be finite, within the limits, and without gravity; a stopped
program accepts no calls.
"""

from __future__ import annotations

import numpy as np
from stand_in_arm import arms

CYCLE_S = 0.002


class RTDEControlInterface:
    def __init__(self, hostname: str, frequency: float = -1.0) -> None:
        self._arm = arms[-1]
        self._arm.vendor = self  # type: ignore[attr-defined]
        if frequency != 500.0 or self._arm.frequency != 500.0:  # type: ignore[attr-defined]
            self._arm.violations.append("not at 500 Hz")
        self._runs = True
        self._tau: np.ndarray | None = None
        self._in_this_cycle = 0
        self.cycles_with_torque = 0
        self.dropped_out = 0

    def getStepTime(self) -> float:
        return 0.008 if getattr(self._arm, "slow", False) else CYCLE_S

    def initPeriod(self) -> float:
        return self._arm.t_s

    def waitPeriod(self, start_s: float) -> None:
        if self._in_this_cycle > 1:
            self._arm.violations.append(f"{self._in_this_cycle} torques in a cycle")
        if self._tau is None or not self._in_this_cycle:
            self.dropped_out += self._tau is not None
            if self._tau is not None and np.abs(self._arm.v).max() > 0.1:
                self._arm.violations.append("torques ended in motion")
            self._tau = None
            self._arm.hold(CYCLE_S)
        else:
            self.cycles_with_torque += 1
            self._arm.move(self._tau, CYCLE_S)
        self._in_this_cycle = 0

    def isProgramRunning(self) -> bool:
        return self._runs

    def reuploadScript(self) -> bool:
        self._runs = True
        return True

    def directTorque(self, torque: list[float]) -> bool:
        tau = np.array(torque)
        if not self._runs:
            self._arm.violations.append("torques to a program that does not run")
        if type(torque) is not list or tau.shape != (6,) or not np.isfinite(tau).all():
            self._arm.violations.append("no six finite torques")
            return False
        if (np.abs(tau + self._arm.gravity()) > self._arm.limit_Nm + 1e-9).any():
            self._arm.violations.append("torque limit")
        if self._arm.protective_stop:  # type: ignore[attr-defined]
            return False
        self._tau = tau
        self._in_this_cycle += 1
        return True

    def stopScript(self) -> None:
        self._runs = False

    def disconnect(self) -> None: ...

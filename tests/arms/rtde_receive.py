"""Mock of the receive interface of ur-rtde: joint positions, velocities and modes of the arm."""

from __future__ import annotations

from stand_in_arm import StandInArm, arms


class RTDEReceiveInterface:
    def __init__(self, hostname: str, frequency: float = -1.0) -> None:
        if hostname == "nobody":
            raise RuntimeError("could not connect")
        self._arm = StandInArm("ur5")
        self._arm.network = True  # type: ignore[attr-defined]
        self._arm.protective_stop = False  # type: ignore[attr-defined]
        self._arm.frequency = frequency  # type: ignore[attr-defined]
        arms.append(self._arm)

    def isConnected(self) -> bool:
        return bool(self._arm.network)  # type: ignore[attr-defined]

    def getActualQ(self) -> list[float]:
        return [float(angle) for angle in self._arm.q]

    def getActualQd(self) -> list[float]:
        return [float(speed) for speed in self._arm.v]

    def getTimestamp(self) -> float:
        return round(self._arm.t_s / 0.002) * 0.002

    def getRobotMode(self) -> int:
        return 7

    def isProtectiveStopped(self) -> bool:
        return bool(self._arm.protective_stop)  # type: ignore[attr-defined]

    def isEmergencyStopped(self) -> bool:
        return False

    def disconnect(self) -> None:
        self._arm.network = False  # type: ignore[attr-defined]

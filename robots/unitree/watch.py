"""Watch of a Unitree robot's motor temperatures, motor errors and battery.

Source of the limits: unitreerobotics/unitree_sdk2, include/unitree/robot/g1/common/terminations.hpp. The
machines with `unitree_go` state one temperature per motor, which counts as that of the casing.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kilohertz.robots.unitree.families import Family

WARNING_MARGIN_C = 15.0
LOW_PERCENT, EMPTY_PERCENT = 20.0, 10.0
"""Charge below which the robot is not armed, and charge below which it is stopped [%]."""


class Watch:
    """Finds what people should be told, and what the robot must be stopped for.

    Args:
        family: the machine, with the temperature limits.
        joints: names of the joints.
        slots: motor index of each joint.

    Attributes:
        percent: charge of the battery [%]; NaN while it is unknown.
    """

    def __init__(self, family: Family, joints: tuple[str, ...], slots: list[int]) -> None:
        self.percent = math.nan
        self._joints, self._slots = joints, np.array(slots, dtype=np.intp)
        self._hg = family.hg
        self._limits = (("casing", family.casing_C), ("winding", family.winding_C))[: 2 if family.hg else 1]
        self._hottest = [(0.0, 0)] * len(self._limits)
        self._broken: list[tuple[int, int]] = []
        self._told: set[str] = set()

    def look(self, motors: Any, percent: float) -> None:
        """Reads the newest state.

        Args:
            motors: record of each motor, by motor index.
            percent: charge of the battery; NaN if this state does not carry it [%].
        """
        if not math.isnan(percent):
            self.percent = percent
        temperatures = motors["temperature"][self._slots]
        for kind in range(len(self._limits)):
            of_kind = temperatures[:, kind] if self._hg else temperatures
            joint = int(of_kind.argmax())
            self._hottest[kind] = float(of_kind[joint]), joint
        codes = motors["motorstate" if self._hg else "lost"][self._slots]
        # `lost` counts packets that a motor missed, so that only a state of `unitree_hg` has an error code.
        self._broken = [(int(i), int(codes[i])) for i in np.flatnonzero(codes)] if self._hg else []

    def stop(self) -> str:
        """Returns why the robot must be stopped, in one sentence; "" if nothing requires it."""
        for (kind, limit), (hottest, joint) in zip(self._limits, self._hottest, strict=True):
            if hottest >= limit:
                return f"{self._heat(kind, hottest, joint)}; its limit is {limit:.0f} C"
        if self.percent < EMPTY_PERCENT:
            return f"the battery has {self.percent:.0f} %, less than {EMPTY_PERCENT:.0f} %"
        return ""

    def _heat(self, kind: str, temperature_C: float, joint: int) -> str:
        return f"the {kind} of the motor of {self._joints[joint]} is at {temperature_C:.0f} C"

    def problem(self) -> str:
        """Returns why the robot must not be armed, in one sentence; "" if nothing is wrong."""
        if self._broken:
            joint, code = self._broken[0]
            return f"the motor of {self._joints[joint]} reports the error {code:#x}"
        if self.percent < LOW_PERCENT:
            return f"the battery has {self.percent:.0f} %, less than {LOW_PERCENT:.0f} %: charge it"
        return self.stop()

    def news(self) -> list[str]:
        """Returns sentences about what is near a limit or broken; each of them once."""
        found = {}
        for (kind, limit), (hottest, joint) in zip(self._limits, self._hottest, strict=True):
            if hottest >= limit - WARNING_MARGIN_C:
                text = self._heat(kind, hottest, joint)
                found[f"{kind} {joint}"] = f"{text}; the robot is stopped at {limit:.0f} C"
        if self.percent < LOW_PERCENT:
            found["battery"] = (
                f"the battery has {self.percent:.0f} %; the robot is stopped below {EMPTY_PERCENT:.0f} %"
            )
        for joint, code in self._broken:
            name = self._joints[joint]
            found[f"error {name} {code}"] = f"the motor of {name} reports the error {code:#x}"
        new = [text for key, text in found.items() if key not in self._told]
        self._told.update(found)
        return new

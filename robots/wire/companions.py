"""Messages that a robot sends directly before a state, and that belong to it: truth and wrist sensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import SensorRow
from kilohertz.robots.wire.robot_side import TRUTH, WRIST
from kilohertz.robots.wire.row_messages import TruthRow, WristBlock


class Companions:
    """Holds what came before a state until the state itself comes.

    Args:
        robot: model of the robot.
        truth: whether to request the true state of a simulated robot.

    Attributes:
        options: options to request in `hello`.
        truth: true state of the simulated robot at the last state; None if the robot does not send it.
    """

    def __init__(self, robot: RobotModel, truth: bool) -> None:
        self.options: tuple[str, ...] = (TRUTH,) * truth + (WRIST,) * bool(robot.wrists)
        self.truth: TruthRow | None = None
        self._robot = robot
        self._next_truth = TruthRow(robot)
        self._next_wrist = WristBlock(robot) if robot.wrists else None
        self._truth_seq = self._wrist_seq = 0

    def granted(self, options: Sequence[str]) -> None:
        """Prepares for what the robot has granted in `welcome`."""
        if TRUTH in options and self.truth is None:
            self.truth = TruthRow(self._robot)

    def take_in(self, kind: str, values: tuple[Any, ...]) -> bool:
        """Keeps a message that belongs to the next state. Hot path.

        Returns:
            False for a message of another kind.
        """
        if kind == TRUTH:
            self._truth_seq = values[0] if self._next_truth.read(values) else 0
        elif kind == WRIST:
            known = self._next_wrist is not None and self._next_wrist.read(values)
            self._wrist_seq = values[0] if known else 0
        else:
            return False
        return True

    def is_ahead(self, state_seq: int) -> bool:
        """Returns whether a message came whose state is newer than the given one. Hot path."""
        return self._truth_seq > state_seq or self._wrist_seq > state_seq

    def complete(self, state_seq: int, row: SensorRow) -> None:
        """Adds what belongs to a state that came; wrist sensors without a message are NaN. Hot path."""
        if self.truth is not None and self._truth_seq == state_seq:
            self.truth.data[:] = self._next_truth.data
        if self._next_wrist is not None:
            row.wrist[:] = self._next_wrist.values if self._wrist_seq == state_seq else np.nan

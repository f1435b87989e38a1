"""Count and reason of the states that a link did not accept, for the sentence that ends a run."""

from __future__ import annotations

from typing import Any

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.wire import messages as wire
from kilohertz.robots.wire.row_messages import StateCodec


class RefusedStates:
    """Counts refused states; the reason of the latest one is worked out only when it is asked for.

    Args:
        robot: model of the robot.
        states: codec that refused the states.

    Attributes:
        total: number of states that were not valid or not plausible.
        in_a_row: number of such states since the last accepted one.
        old_in_a_row: number of states since the last accepted one whose number did not rise.
    """

    def __init__(self, robot: RobotModel, states: StateCodec) -> None:
        self.total = 0
        self.in_a_row = 0
        self.old_in_a_row = 0
        self._states = states
        self._row = robot.new_sensor_row()
        self._payload = b""
        self._values: tuple[Any, ...] | None = None
        self._old_seq = 0

    def accepted(self) -> None:
        """Notes that a state was accepted. Hot path."""
        self.in_a_row = self.old_in_a_row = 0

    def not_valid(self, payload: bytes) -> None:
        """Counts a message that is not valid."""
        self.total += 1
        self.in_a_row += 1
        self._payload, self._values = payload, None

    def not_plausible(self, values: tuple[Any, ...]) -> None:
        """Counts a state with a block of a wrong length, or with a value that is not finite or not plausible.

        Args:
            values: fields of the state message.
        """
        self.total += 1
        self.in_a_row += 1
        self._values = values

    def old(self, seq: int) -> None:
        """Counts a state whose number is not above that of the last accepted one."""
        self.old_in_a_row += 1
        self._old_seq = seq

    @property
    def reason(self) -> str:
        """Why the latest refused state was refused, as the end of a sentence; empty if there was none."""
        if not self.total:
            return ""
        if self._values is None:
            return wire.problem(self._payload)
        return self._states.problem(self._values, self._row)

    def sentence(self) -> str:
        """Returns count and reason of all refused states in one sentence; empty if there was none."""
        return (
            f"{_states(self.total)} of the robot {_were(self.total)} refused: {self.reason}"
            if self.total
            else ""
        )

    def since_accepted(self, newest_seq: int) -> str:
        """Returns what was refused since the last accepted state, in one sentence; empty if nothing was.

        Args:
            newest_seq: number of the last accepted state.
        """
        if self.in_a_row:
            n = self.in_a_row
            return f"{_states(n)} of the robot {_were(n)} refused: {self.reason}"
        if self.old_in_a_row:
            n = self.old_in_a_row
            return (
                f"{_states(n)} of the robot {_were(n)} refused: `seq` does not rise, "
                f"it is {self._old_seq} after {newest_seq}"
            )
        return ""


def _states(count: int) -> str:
    return "1 state" if count == 1 else f"{count} states"


def _were(count: int) -> str:
    return "was" if count == 1 else "were"

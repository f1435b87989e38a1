"""The one interface through which the loop meets a robot, simulated or real."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from kilohertz.robots.model.rows import CommandRow, SensorRow


class LinkLostError(Exception):
    """The robot does not answer; one sentence."""


class RobotLink(Protocol):
    """A robot that can be read and commanded once a tick.

    A simulated robot in lockstep moves on by one period in `write`; hardware moves on by itself and
    `read` waits for its next state.
    """

    def read(self, sensors: SensorRow) -> bool:
        """Fills the row with the newest state.

        Returns:
            False when no state came within the link's own time limit; the row is then untouched.
        """
        ...

    def write(self, command: CommandRow) -> None:
        """Sends the command; never blocks."""
        ...

    def close(self) -> None:
        """Leaves the robot damping and frees the link."""
        ...

"""A simulated robot in the loop's own process, whose world moves between ticks and not inside them."""

from __future__ import annotations

from kilohertz.robots.model.rows import CommandRow, SensorRow
from kilohertz.robots.wire.link import RobotLink


class SteppedLink:
    """Keeps the command in `write` and hands it to the simulated robot in `advance`.

    A simulated robot in lockstep moves its world within `write`. Called from the tick that would count the
    simulator's work as latency of the controller, and show an observer the world after the command
    instead of the one that was measured. The observer calls `advance` when it has looked.

    Args:
        robot: the simulated robot.
        na: number of actuated joints.
    """

    robot_stopped = False
    """Nobody but us can stop a robot in our own process."""

    def __init__(self, robot: RobotLink, na: int) -> None:
        self._robot = robot
        self._command = CommandRow(na)
        self._pending = False

    def first_sample(self, sensors: SensorRow) -> None:
        """A sample of the robot at rest."""
        self._robot.read(sensors)

    def arm(self) -> None:
        """A robot in our own process waits for our first command anyway."""

    def read(self, sensors: SensorRow) -> bool:
        """Fills the row with the newest state."""
        return self._robot.read(sensors)

    def write(self, command: CommandRow) -> None:
        """Keeps a copy of the command; hot path."""
        self._command.copy_from(command)
        self._pending = True

    def advance(self) -> None:
        """Applies the command kept last and moves the world on by one period; nothing without a command."""
        if self._pending:
            self._pending = False
            self._robot.write(self._command)

    def close(self) -> None:
        """Applies a command that is still kept, and closes the robot's link."""
        self.advance()
        self._robot.close()

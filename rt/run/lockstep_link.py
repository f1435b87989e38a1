"""A simulated robot in the loop's own process, whose world moves between ticks and not inside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from kilohertz.robots.model.rows import CommandRow, SensorRow
from kilohertz.robots.wire.link import RobotTruth


class Simulation(Protocol):
    """What the link needs of `kilohertz.sim.simulated_robot.SimulatedRobot`; see there."""

    @property
    def truth(self) -> RobotTruth:
        """The true state, updated in place."""
        ...

    @property
    def events(self) -> Sequence[Mapping[str, Any]]:
        """What happened so far."""
        ...

    @property
    def fell(self) -> bool:
        """Whether the robot fell."""
        ...

    @property
    def fell_at_s(self) -> float | None:
        """When it fell [s]."""
        ...

    def read(self, sensors: SensorRow) -> bool:
        """Copies the newest sample."""
        ...

    def write(self, command: CommandRow) -> None:
        """Takes the command and moves the world on by one period."""
        ...

    def close(self) -> None:
        """Leaves the drives damping."""
        ...


class SteppedLink:
    """A `RobotLink` that keeps the command in `write` and hands it to the simulated robot in `advance`.

    A simulated robot in lockstep moves its world within `write`. Called from the tick that would count the
    simulator's work as latency of the controller, and show an observer the world after the command
    instead of the one that was measured. The observer calls `advance` when it has looked.

    Args:
        robot: the simulated robot.
        na: number of actuated joints.
    """

    hardware = False
    robot_stopped = False
    """Nobody but us can stop a robot in our own process."""
    lost_because = ""
    """A robot in our own process always answers."""

    def __init__(self, robot: Simulation, na: int) -> None:
        self._robot = robot
        self._command = CommandRow(na)
        self._pending = False

    @property
    def truth(self) -> RobotTruth:
        """The true state, updated in place."""
        return self._robot.truth

    @property
    def events(self) -> Sequence[Mapping[str, Any]]:
        """What happened to the robot so far: dicts of t_s [s], kind and text."""
        return self._robot.events

    @property
    def fell(self) -> bool:
        """Whether the robot fell."""
        return self._robot.fell

    @property
    def fell_at_s(self) -> float | None:
        """When it fell [s]; None if it did not."""
        return self._robot.fell_at_s

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

    def figures(self) -> None:
        """There is no link to judge."""
        return None

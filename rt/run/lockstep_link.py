"""Link to a simulated robot in the process of the loop, which is simulated between ticks and not in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from kilohertz.robots.model.rows import CommandRow, OutsideRow, SensorRow
from kilohertz.robots.wire.link import RobotTruth


class Simulation(Protocol):
    """The members of `kilohertz.sim.simulated_robot.SimulatedRobot` that the link uses."""

    @property
    def truth(self) -> RobotTruth:
        """The true state, updated in place."""
        ...

    @property
    def events(self) -> Sequence[Mapping[str, Any]]:
        """Events so far: dicts of t_s [s], kind and text."""
        ...

    @property
    def outside(self) -> OutsideRow | None:
        """The newest pose of the base that was measured from outside; None without such a measurement."""
        ...

    @property
    def fell(self) -> bool:
        """Whether the robot fell."""
        ...

    @property
    def left_envelope(self) -> str:
        """Why a command left the robot's envelope; empty if none did."""
        ...

    @property
    def fell_at_s(self) -> float | None:
        """Time of the fall [s]; None if the robot did not fall."""
        ...

    def read(self, sensors: SensorRow) -> bool:
        """Copies the newest sample into the sensor row."""
        ...

    def write(self, command: CommandRow) -> None:
        """Applies the command and simulates one period."""
        ...

    def close(self) -> None:
        """Makes the drives damp from now on."""
        ...


class SteppedLink:
    """A `RobotLink` that stores the command in `write` and passes it to the simulated robot in `advance`.

    A simulated robot in lockstep simulates one period within its `write`. If the tick called this method, the
    work of the simulator would count as latency of the controller, and an observer would see the state after
    the command instead of the measured one. The observer therefore calls `advance` after it has recorded the
    tick.

    Args:
        robot: the simulated robot.
        na: number of actuated joints.
    """

    hardware = False
    robot_stopped = False
    """Always False: only this process can stop a robot that it simulates itself."""
    adds_gravity = False
    """Always False: the drives of a simulated robot add nothing."""

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
        """Events of the robot so far: dicts of t_s [s], kind and text."""
        return self._robot.events

    @property
    def outside(self) -> OutsideRow | None:
        """The newest pose of the base that was measured from outside; None without such a measurement."""
        return self._robot.outside

    @property
    def fell(self) -> bool:
        """Whether the robot fell."""
        return self._robot.fell

    @property
    def fell_at_s(self) -> float | None:
        """Time of the fall [s]; None if the robot did not fall."""
        return self._robot.fell_at_s

    def first_sample(self, sensors: SensorRow) -> None:
        """Fills the sensor row with a sample of the robot at rest."""
        self._robot.read(sensors)

    def arm(self) -> None:
        """Does nothing, because a robot in this process waits for the first command anyway."""

    @property
    def lost_because(self) -> str:
        """Why `read` returned False: the robot damps, because a command left its envelope; else empty."""
        reason = self._robot.left_envelope
        return f"the robot damps on its own: {reason}" if reason else ""

    def read(self, sensors: SensorRow) -> bool:
        """Fills the sensor row with the newest sample; returns False if a command left the envelope."""
        return self._robot.read(sensors) and not self._robot.left_envelope

    def write(self, command: CommandRow) -> None:
        """Stores a copy of the command. Hot path."""
        self._command.copy_from(command)
        self._pending = True

    def advance(self) -> None:
        """Applies the stored command and simulates one period; does nothing without a stored command."""
        if self._pending:
            self._pending = False
            self._robot.write(self._command)

    def close(self) -> None:
        """Applies a command that is still stored, and closes the simulated robot."""
        self.advance()
        self._robot.close()

    def figures(self) -> None:
        """Returns None, because a robot in this process has no network link with figures."""
        return None

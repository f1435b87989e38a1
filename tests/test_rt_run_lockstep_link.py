"""The world advances only in `advance`, and every command is applied."""

from __future__ import annotations

from typing import Any

from kilohertz.robots.model.rows import CommandRow, SensorRow
from kilohertz.rt.run.lockstep_link import SteppedLink


class FakeSimulation:
    def __init__(self) -> None:
        self.applied: list[float] = []
        self.closed = False
        self.truth: Any = object()
        self.events: list[dict[str, Any]] = []
        self.fell = False
        self.fell_at_s: float | None = None
        self.left_envelope = ""

    def read(self, sensors: SensorRow) -> bool:
        sensors.q[:] = len(self.applied)
        return True

    def write(self, command: CommandRow) -> None:
        self.applied.append(float(command.tau_ff[0]))

    def close(self) -> None:
        self.closed = True


def test_a_robot_that_left_its_envelope_is_a_lost_link_with_the_reason() -> None:
    simulation = FakeSimulation()
    link, sensors = SteppedLink(simulation, 2), SensorRow(2, 0)
    assert link.read(sensors)
    assert link.lost_because == ""
    simulation.left_envelope = "kp of knee is too large"
    assert not link.read(sensors)
    assert "kp of knee is too large" in link.lost_because


def command_of(tau: float) -> CommandRow:
    command = CommandRow(2)
    command.tau_ff[:] = tau
    return command


def test_the_world_moves_in_advance_and_not_in_write() -> None:
    robot = FakeSimulation()
    link = SteppedLink(robot, 2)
    link.write(command_of(3.0))
    assert robot.applied == []
    link.advance()
    assert robot.applied == [3.0]


def test_it_keeps_a_copy_of_the_last_command_only() -> None:
    robot = FakeSimulation()
    link = SteppedLink(robot, 2)
    command = command_of(1.0)
    link.write(command_of(9.0))
    link.write(command)
    command.tau_ff[:] = 5.0
    link.advance()
    link.advance()
    assert robot.applied == [1.0]


def test_reading_goes_straight_through() -> None:
    link = SteppedLink(FakeSimulation(), 2)
    sensors = SensorRow(2, 0)
    link.write(command_of(1.0))
    link.advance()
    assert link.read(sensors)
    assert sensors.q.tolist() == [1.0, 1.0]


def test_closing_applies_what_is_kept() -> None:
    robot = FakeSimulation()
    link = SteppedLink(robot, 2)
    link.write(command_of(7.0))
    link.close()
    assert robot.applied == [7.0]
    assert robot.closed


def test_it_tells_what_the_simulated_robot_tells() -> None:
    robot = FakeSimulation()
    link = SteppedLink(robot, 2)
    assert link.truth is robot.truth
    assert (link.fell, link.fell_at_s, list(link.events)) == (False, None, [])
    robot.fell, robot.fell_at_s = True, 0.3
    robot.events.append({"t_s": 0.3, "kind": "fell", "text": "tilted"})
    assert (link.fell, link.fell_at_s, len(link.events)) == (True, 0.3, 1)
    assert not link.hardware
    assert link.figures() is None

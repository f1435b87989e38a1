"""The robot's end of the protocol that bridges share: what it refuses, and whom it tells why it damps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.wire import messages as wire
from kilohertz.robots.wire.served_robot import ServedRobot, sleep_until


def served(tmp_path: Path, robot: str = "ur5", problem: str | None = None) -> ServedRobot:
    return ServedRobot(
        RobotModel.load(robot), "maker", f"ipc://{tmp_path / 'robot'}", lambda: problem, periods=2
    )


def test_position_servos_need_another_bridge(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a bridge to 'maker' sends torques"):
        served(tmp_path, "so101")


def test_what_the_machine_says_forbids_to_arm_before_anything_else(tmp_path: Path) -> None:
    made = served(tmp_path, problem="the machine is asleep")
    assert made._problem() == "the machine is asleep"
    made.close()
    made = served(tmp_path)
    assert "sensor samples" in str(made._problem())
    made.close()


def test_why_it_damps_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = served(tmp_path)
    told: list[tuple[str, str]] = []
    monkeypatch.setattr(made, "tell", lambda kind, text: told.append((kind, text)))
    made.damp("a reason")
    made.idle()
    made.damp("another")
    assert told == [("damping", "a reason")]
    assert made.side.mode == wire.DAMPING
    assert not made.commanded
    made.close()


def test_between_two_states_positions_are_extrapolated_and_the_machine_is_driven_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[int] = []
    robot = RobotModel.load("ur5")
    made = ServedRobot(
        robot, "maker", f"ipc://{tmp_path / 'robot'}", lambda: None, periods=2, sleep=slept.append
    )
    done: list[tuple[float, float, int]] = []

    def tick(missed: int) -> None:
        done.append((float(made.sensors.t_s[0]), float(made.sensors.q[2]), missed))

    monkeypatch.setattr(made, "tick", tick)
    made.cycle(robot.q_nominal, np.full(robot.na, 2.0), 7.0, 100, 3, lambda: done.append((0.0, 0.0, -1)))
    q = float(robot.q_nominal[2])
    assert done == [(7.0, q, 3), (0.0, 0.0, -1), (7.001, pytest.approx(q + 0.002), 0)]
    assert slept == [100 + 1_000_000]
    made.close()


def test_the_envelope_is_that_of_the_cycle(tmp_path: Path) -> None:
    made = served(tmp_path)
    assert made.side.envelope.numbers.period_s == 0.002
    made.close()


def test_a_time_that_has_passed_is_not_waited_for() -> None:
    sleep_until(0)

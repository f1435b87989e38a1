"""Temperatures, motor errors and the battery: told, and a reason to stop."""

from __future__ import annotations

import math
from typing import Any

from kilohertz.robots.unitree.families import G1, H1
from kilohertz.robots.unitree.messages import Message
from kilohertz.robots.unitree.watch import Watch


def watched(family: Any = G1, percent: float = 80.0, **changes: tuple[int, Any]) -> Watch:
    """A watch that has seen one state in which single motors differ."""
    joints = tuple(joint for joint in family.motors if joint)
    watch = Watch(family, joints, family.slots(joints))
    motors = Message(family.state).fields["motor_state"]
    for field, (slot, value) in changes.items():
        motors[field][slot] = value
    watch.look(motors, percent)
    return watch


def test_a_healthy_robot_says_nothing() -> None:
    watch = watched(temperature=(3, (60, 90)))
    assert (watch.stop(), watch.problem(), watch.news()) == ("", "", [])


def test_a_hot_motor_is_told_once_and_stopped_at_its_limit() -> None:
    watch = watched(temperature=(3, (72, 40)))
    assert watch.news() == [
        "the casing of the motor of left_knee_joint is at 72 C; the robot is stopped at 85 C"
    ]
    assert watch.news() == []
    assert watch.stop() == ""
    assert watched(temperature=(3, (85, 40))).stop() == (
        "the casing of the motor of left_knee_joint is at 85 C; its limit is 85 C"
    )
    assert (
        "the winding of the motor of left_knee_joint is at 121 C"
        in watched(temperature=(3, (40, 121))).stop()
    )


def test_a_low_battery_is_not_armed_and_an_empty_one_is_stopped() -> None:
    assert watched(percent=19.0).stop() == ""
    assert watched(percent=19.0).problem() == "the battery has 19 %, less than 20 %: charge it"
    assert watched(percent=19.0).news() == ["the battery has 19 %; the robot is stopped below 10 %"]
    assert watched(percent=9.0).stop() == "the battery has 9 %, less than 10 %"
    assert watched(percent=math.nan).problem() == ""


def test_a_charge_that_was_told_is_remembered() -> None:
    watch = watched(percent=15.0)
    watch.look(Message(G1.state).fields["motor_state"], math.nan)
    assert watch.percent == 15.0


def test_the_error_of_a_motor_is_told_and_forbids_to_arm() -> None:
    watch = watched(motorstate=(4, 0x20))
    assert watch.problem() == "the motor of left_ankle_pitch_joint reports the error 0x20"
    assert watch.news() == [watch.problem()]
    assert watch.stop() == ""


def test_an_older_machine_has_one_temperature_and_no_errors() -> None:
    watch = watched(H1, temperature=(2, 90), lost=(2, 5))
    assert "the casing of the motor of right_knee_joint is at 90 C" in watch.stop()
    assert watched(H1, lost=(2, 5)).problem() == ""

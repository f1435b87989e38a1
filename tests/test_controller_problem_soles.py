"""Soles that span an area hold a robot still, points do not."""

import numpy as np
import pytest

from kilohertz.controller.problem.soles import can_rest, sole_corners
from kilohertz.controller.supervision.request import make_request
from kilohertz.robots.model.robot_model import RobotModel


@pytest.mark.parametrize(
    ("name", "rests"), [("g1", True), ("talos", True), ("alexander", True), ("bolt", False)]
)
def test_a_robot_rests_on_soles_but_not_on_points(name, rests):
    robot = RobotModel.load(name)
    assert can_rest(robot) is rests
    assert len(sole_corners(robot)) == sum(len(contact.corners_F) for contact in robot.contacts)


def test_corners_lie_around_the_base():
    assert np.abs(sole_corners(RobotModel.load("g1")).mean(axis=0)).max() < 0.05


def test_a_robot_that_cannot_stand_still_must_walk():
    bolt = RobotModel.load("bolt")
    with pytest.raises(ValueError, match="point feet and cannot stand still; ask it to walk"):
        make_request(bolt, "stand", {})
    make_request(bolt, "walk", {"velocity_m_s": (0.0, 0.0)})

"""The row of a log: its groups follow the robot."""

import pytest

from kilohertz.controller.gains.schema import load_gains
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.log.row import row_type


@pytest.mark.parametrize(("name", "hands"), [("bolt", False), ("alexander", False), ("panda", True)])
def test_a_robot_without_hands_has_no_group_of_hands(name, hands):
    robot = RobotModel.load(name)
    assert ("hands" in (row_type(robot, live=False, outside=False).names or ())) is hands
    assert load_gains(robot)

"""The row of a log: its groups follow the robot."""

import pytest

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.log.file import LogReader, read_rows
from kilohertz.rt.log.row import row_type
from kilohertz.rt.run.session import RunPlan, Session


@pytest.mark.parametrize(("name", "hands"), [("bolt", False), ("alexander", False), ("panda", True)])
def test_a_robot_without_hands_has_no_group_of_hands(name, hands):
    robot = RobotModel.load(name)
    assert ("hands" in (row_type(robot, live=False).names or ())) is hands


@pytest.mark.closed_loop
def test_a_run_of_a_robot_without_hands_is_recorded(tmp_path):
    pytest.importorskip("mcap")
    walk = [{"at_s": 0.0, "walk": {"velocity_m_s": [0.0, 0.0]}}]
    scenario = {"name": "in-place", "duration_s": 0.05, "commands": walk}
    with LogReader(Session(RunPlan("bolt", scenario, log=tmp_path)).run().log) as reader:
        rows = read_rows(reader, ["tick", "estimate"])
    assert (rows["tick"] >= 0).sum() == 50

"""A log's rows are those of the robot in its header, or it is refused."""

from __future__ import annotations

import numpy as np
import pytest
from toy_log import ROW, toy_header, toy_rows, write_toy_log

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.log import file as log_file
from kilohertz.rt.log import writer as log_writer
from kilohertz.rt.log.header import LogHeader
from kilohertz.rt.log.row import row_type
from kilohertz.rt.log.row_check import problem_of_rows
from kilohertz.rt.log.schema import schema_text


@pytest.mark.parametrize("name", ["g1", "panda", "ur5"])
@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("outside", [False, True])
def test_the_rows_of_a_run_are_accepted(name, live, outside):
    robot = RobotModel.load(name)
    header = toy_header(
        joint_names=list(robot.joint_names),
        contact_names=list(robot.contact_names),
        hand_names=list(robot.hand_names),
    )
    row = row_type(robot, live=live, outside=outside)
    assert problem_of_rows(row, header, row.names) == ""
    short = toy_header(joint_names=list(robot.joint_names)[:-1], contact_names=[], hand_names=[])
    assert "another field 'sensors.q'" in problem_of_rows(row, short)


def test_a_missing_field_is_named_where_it_is_needed(tmp_path):
    assert problem_of_rows(ROW, toy_header()) == ""
    assert problem_of_rows(ROW, toy_header(), ["estimate"]) == "rows have no field 'estimate.q'"
    path = tmp_path / "toy.mcap"
    write_toy_log(path, toy_rows(3), None)
    with log_file.LogReader(path) as reader, pytest.raises(ConfigError, match=r"no field 'estimate\.q'"):
        reader.require("tick", "estimate")


def test_a_log_whose_schema_is_another_robots_is_refused(tmp_path):
    other = np.dtype([("tick", "<f8"), *[(name, ROW[name]) for name in ROW.names[1:]]])
    path = tmp_path / "toy.mcap"
    writer = log_writer.LogWriter(path, toy_header(), schema_text(other))
    rows = toy_rows(3)
    writer.add(np.arange(3), rows[:, 0], rows)
    writer.close(None)
    with pytest.raises(ConfigError, match="another field 'tick' than its robot"):
        log_file.LogReader(path)


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("joint_names", "3", "joint_names"),
        ("requests", '[["x"]]', "requests"),
        ("scenario", "{}", "scenario has no name"),
        ("period_ns", "0", "out of range"),
        ("started_ns", "99999999999999999999999", "out of range"),
        ("seed", "null", "seed"),
        ("machine", "[]", "machine"),
    ],
)
def test_a_header_of_wrong_kinds_is_refused(field, value, sentence):
    text = toy_header().as_text()
    assert LogHeader.of_text(text).joint_names == ["hip", "knee"]
    with pytest.raises(ValueError, match=sentence):
        LogHeader.of_text(text | {field: value})

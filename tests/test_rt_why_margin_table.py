"""The margins of a tick: what is used of each, where, and against which limit."""

import numpy as np
import pytest
from why_runs import calm

from kilohertz.rt.why.margin_table import Margin, capture_point, margins_at


def margin(m, k, kind):
    return next(each for each in margins_at(m, k) if each.kind == kind)


def test_the_most_used_joint_is_named():
    m = calm(20)
    limit = m.robot.torque_limit_Nm
    m.rows["command"]["tau_ff"][5] = 0.1 * limit
    m.rows["command"]["tau_ff"][5, 4] = -0.9 * limit[4]
    found = margin(m, 5, "torque")
    assert found.where == m.robot.joint_names[4]
    assert found.used == pytest.approx(0.9)
    assert found.text == f"torque 90 % ({found.where})"


def test_a_joint_at_the_end_of_its_range_uses_all_of_it():
    m = calm(20)
    m.rows["sensors"]["q"][5, 2] = m.robot.position_lower_rad[2]
    found = margin(m, 5, "joint range")
    assert (found.where, found.limit) == (m.robot.joint_names[2], m.robot.position_lower_rad[2])
    assert found.used == pytest.approx(1.0)


def test_the_capture_point_of_a_robot_at_rest_is_its_centre_of_mass():
    m = calm(20)
    point, out = capture_point(m)
    np.testing.assert_allclose(point, 0.0)
    assert (out < 0.0).all()
    m.rows["balance"]["v_WC"][5, 0] = 1.0
    point, out = capture_point(m)
    height = 0.66
    assert point[5, 0] == pytest.approx(np.sqrt(height / 9.81), rel=1e-3)
    assert out[5] == pytest.approx(point[5, 0] - m.robot.contacts[0].corners_F[:, 0].max())


def test_an_open_contact_does_not_support():
    m = calm(20)
    m.rows["estimate"]["contact"][5, 0] = 0.0
    _, out = capture_point(m)
    assert out[5] > out[4]


def test_the_duration_of_a_tick_is_compared_with_the_period():
    m = calm(20)
    m.rows["stamps_ns"]["write"][5] = 500_000
    assert margin(m, 5, "time of the tick").used == pytest.approx(0.5)


def test_an_unknown_margin_says_so():
    assert Margin("torque", None, "", None, None, "Nm").text == "torque unknown"

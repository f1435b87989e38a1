"""What a robot with position servos accepts, whatever its controller does."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sim_runs import robot

from kilohertz.robots.wire.position_envelope import OUT_TICKS, PositionEnvelope, position_numbers

LEAD_RAD, SPEED_RAD_S = 0.2, 4.7


@pytest.fixture
def envelope():
    unit = PositionEnvelope(position_numbers(robot("so101")))
    q = robot("so101").q_nominal.copy()
    unit.limit_positions(q.copy(), q, follows=False)
    return unit


def command(model, tau_Nm=0.0, kp=17.8):
    row = model.new_command_row()
    row.tau_ff[2], row.kp[:] = tau_Nm, kp
    return row


def test_only_commands_for_servos_are_admitted(envelope):
    model = robot("so101")
    assert envelope.admit(command(model))
    assert not envelope.admit(command(model, tau_Nm=0.1))
    assert "the command is for drives that apply torques" in envelope.reason
    envelope.enter()
    assert not envelope.admit(command(model, kp=0.0))


def test_a_position_moves_no_faster_than_the_joint(envelope):
    q, sent = robot("so101").q_nominal, []
    for _ in range(10):
        goal = q + 0.1
        envelope.limit_positions(goal, q, follows=True)
        sent.append(goal[0] - q[0])
    np.testing.assert_allclose(np.diff([0.0, *sent]), SPEED_RAD_S * 1e-3)
    assert envelope.reason == ""


def test_a_position_stays_near_the_joint_and_in_its_range(envelope):
    model = robot("so101")
    q = model.q_nominal.copy()
    for _ in range(200):
        goal = q + 10.0
        envelope.limit_positions(goal, q, follows=True)
        envelope.enter()
    np.testing.assert_allclose(goal - q, LEAD_RAD)
    at_stop = model.position_upper_rad - 0.05
    for _ in range(2000):
        goal = at_stop + 10.0
        envelope.limit_positions(goal, at_stop, follows=True)
        envelope.enter()
    np.testing.assert_allclose(goal, model.position_upper_rad)


def test_a_position_far_away_ends_in_damping_with_the_joint_and_the_bound(envelope):
    q = robot("so101").q_nominal
    for tick in range(OUT_TICKS):
        assert envelope.reason == "", tick
        goal = q.copy()
        goal[1] += 0.5
        envelope.limit_positions(goal, q, follows=True)
    assert "shoulder_lift is sent to 0.000 rad" in envelope.reason
    assert "0.200 rad are allowed" in envelope.reason


def test_the_robots_own_position_is_not_limited_in_rate_and_is_where_the_first_command_starts(envelope):
    q = robot("so101").q_nominal
    held = q + 0.05
    envelope.limit_positions(held.copy(), q, follows=False)
    goal = held.copy()
    envelope.limit_positions(goal, q, follows=True)
    np.testing.assert_array_equal(goal, held)


def test_the_numbers_of_a_robot_with_torque_drives_are_refused():
    with pytest.raises(ValueError, match="the drives of panda apply torques"):
        position_numbers(robot("panda"))


def test_the_numbers_are_json():
    found = json.loads(json.dumps(position_numbers(robot("so101")).content()))
    assert found["drives"] == "position"
    assert found["lead_rad"] == LEAD_RAD
    assert found["joints"][0] == "shoulder_pan"

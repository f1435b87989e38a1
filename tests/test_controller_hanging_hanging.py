"""The posture of a hanging robot ends nominal, and no change of who carries the robot makes a torque step."""

from types import SimpleNamespace

import numpy as np
import pytest
from sim_runs import robot

from kilohertz.controller.hanging.hanging import Hanging
from kilohertz.controller.supervision.request import make_request
from kilohertz.robots.model.gravity import GRAVITY_M_S2

DT = 1e-3
G1 = robot("g1")
WEIGHT_N = G1.mass_kg * GRAVITY_M_S2


@pytest.fixture
def hanging():
    q = np.zeros(G1.nq)
    q[G1.nq_base :] = np.clip(0.1, G1.position_lower_rad, G1.position_upper_rad)
    body = SimpleNamespace(arrays=SimpleNamespace(kin=SimpleNamespace(q=q)))
    return Hanging(G1, body, SimpleNamespace(sole_load_N=np.zeros(2)))


def load(hanging, *shares):
    hanging.estimator.sole_load_N[:] = WEIGHT_N * np.array(shares)


def advance(hanging, seconds):
    for _ in range(round(seconds / DT)):
        hanging.advance(DT)


def weigh(hanging, seconds):
    for _ in range(round(seconds / DT)):
        hanging.weigh(DT)


def held(hanging, tau, seconds=DT):
    """The command after some time at the present posture of the joints."""
    command = G1.new_command_row()
    for _ in range(round(seconds / DT)):
        hanging.advance(DT)
        command.q_des[:], command.kp[:], command.kd[:] = hanging.q_des, 10.0, 1.0
        hanging.hold(command, tau.copy())
    return command


def test_the_posture_begins_where_the_joints_are_and_ends_nominal(hanging):
    hanging.start(np.zeros(G1.na))
    q = hanging._kin.q[G1.nq_base :]
    hanging.advance(DT)
    np.testing.assert_allclose(hanging.q_des, q, atol=1e-6)
    assert not hanging.settled
    advance(hanging, 5.0)
    np.testing.assert_allclose(hanging.q_des, G1.q_nominal[G1.nq_base :], atol=1e-12)
    assert hanging.settled


def test_it_stands_only_when_both_soles_carry_it_for_some_time_in_the_nominal_posture(hanging):
    hanging.start(np.zeros(G1.na))
    load(hanging, 0.4, 0.4)
    advance(hanging, 1.0)
    assert not hanging.carried
    advance(hanging, 4.0)
    assert hanging.carried
    for shares in ((0.2, 0.2), (0.7, 0.05)):
        load(hanging, *shares)
        advance(hanging, 0.3)
        assert not hanging.carried
    load(hanging, 0.4, 0.4)
    advance(hanging, 0.09)
    assert not hanging.carried
    advance(hanging, 0.3)
    assert hanging.carried


def test_the_torque_goes_on_from_that_of_the_moment_before(hanging):
    before, weight = np.full(G1.na, 3.0), np.full(G1.na, -1.0)
    hanging.start(before)
    first = held(hanging, weight)
    np.testing.assert_allclose(first.tau_ff, before, atol=1e-3)
    assert first.kp.max() < 1e-3
    last = held(hanging, weight, 1.0)
    np.testing.assert_allclose(last.tau_ff, weight)
    np.testing.assert_allclose(last.kp, 10.0)


def test_standing_goes_on_from_the_torque_of_the_springs_too(hanging):
    hanging.start(np.zeros(G1.na))
    command = held(hanging, np.zeros(G1.na), 6.0)
    springs = 10.0 * (command.q_des - hanging._kin.q[G1.nq_base :])
    hanging.land()
    standing = np.full(G1.na, 2.0)
    tau = standing.copy()
    assert not hanging.fade(command, tau, DT)
    np.testing.assert_allclose(tau, np.clip(springs, -G1.torque_limit_Nm, G1.torque_limit_Nm))
    while not hanging.fade(command, tau := standing.copy(), DT):
        pass
    np.testing.assert_allclose(command.tau_ff, standing, atol=1e-4)


def test_a_request_waits_until_the_tether_is_slack(hanging):
    stand = make_request(G1, "stand", {})
    hanging.land()
    hanging.request = stand
    load(hanging, 0.3, 0.3)
    weigh(hanging, 2.0)
    assert hanging.due is None
    load(hanging, 0.5, 0.5)
    weigh(hanging, 0.5)
    assert hanging.due is None
    weigh(hanging, 0.4)
    assert hanging.due is stand


def test_the_load_is_lost_only_after_some_time(hanging):
    hanging.tether()
    load(hanging, 0.05, 0.1)
    weigh(hanging, 0.05)
    assert not hanging.lost
    weigh(hanging, 0.25)
    assert hanging.lost
    load(hanging, 0.3, 0.3)
    weigh(hanging, 0.1)
    assert not hanging.lost

"""Positions for servos follow from accelerations and torques, near the measured ones, and hold when told."""

from __future__ import annotations

import numpy as np
import pytest
from sim_runs import robot

import kilohertz as khz
from kilohertz.controller.safety.servo_command import ServoCommand

DT = 1e-3
STIFFNESS, DAMPING = 17.8, 0.6
LEAD_RAD, FASTEST_RAD_S = 0.18, 0.9 * 4.7


@pytest.fixture
def unit():
    model = robot("so101")
    command = ServoCommand(model, model.servo)
    command.reset(model.q_nominal)
    return command


def advance(unit, ticks, tau=0.0, vdot=0.0, q=None, dt=DT):
    model = robot("so101")
    row = model.new_command_row()
    for _ in range(ticks):
        here = unit.q_ref.copy() if q is None else q
        unit.command(row, np.full(5, tau), np.full(5, vdot), here, dt)
    return row


def test_at_rest_the_servo_is_sent_its_place_displaced_by_the_torque(unit):
    row = advance(unit, 1, tau=0.5)
    np.testing.assert_allclose(row.q_des, robot("so101").q_nominal + 0.5 / STIFFNESS)
    np.testing.assert_array_equal(row.kp, STIFFNESS)
    assert not row.tau_ff.any()
    assert not row.v_des.any()


def test_accelerations_are_integrated_twice_and_the_damping_is_overcome(unit):
    row = advance(unit, 100, vdot=10.0)
    moved = unit.q_ref - robot("so101").q_nominal
    np.testing.assert_allclose(moved, 0.5 * 10.0 * 0.1**2, rtol=0.02)
    np.testing.assert_allclose(unit.v_ref, 1.0)
    np.testing.assert_allclose(row.q_des - unit.q_ref, DAMPING / STIFFNESS, rtol=1e-9)


def test_a_blocked_joint_is_led_by_a_bounded_distance_and_let_go_without_speed(unit):
    q = robot("so101").q_nominal.copy()
    row = advance(unit, 1000, vdot=10.0, q=q)
    assert (row.q_des <= q + LEAD_RAD + 1e-12).all()
    np.testing.assert_allclose(unit.q_ref, q + LEAD_RAD)
    np.testing.assert_allclose(unit.v_ref, 0.0, atol=1e-9)


def test_speed_and_range_are_kept(unit):
    model = robot("so101")
    for _ in range(1500):
        before = unit.q_ref.copy()
        advance(unit, 1, vdot=100.0)
        assert (unit.q_ref - before <= FASTEST_RAD_S * DT + 1e-12).all()
    np.testing.assert_allclose(unit.q_ref, model.position_upper_rad)


def test_held_positions_do_not_change(unit):
    last = advance(unit, 50, tau=0.3, vdot=5.0).q_des.copy()
    held = advance(unit, 50, tau=-1.0, vdot=-50.0, dt=0.0)
    np.testing.assert_array_equal(held.q_des, last)


@pytest.mark.long
@pytest.mark.closed_loop
def test_damping_holds_the_arm_where_it_is():
    commands = [
        {"at_s": 0, "stand": {}},
        {"at_s": 0.1, "circle": {"hand": "hand", "radius_m": 0.05, "period_s": 2}},
        {"at_s": 1.0, "damp": {}},
    ]
    scenario = {"name": "damp", "duration_s": 2, "commands": commands}
    run = khz.simulate("so101", scenario=scenario, solver="exact", seed=1)
    assert run.summary["exit_state"] == "damping"
    # A torque-driven arm would have sunk by now; the servos carry this one.
    at_stop, at_end = run.history["p_WH_true"][1100].ravel(), run.history["p_WH_true"][-1].ravel()
    assert np.linalg.norm(at_end - at_stop) < 2e-3
    assert np.abs(run.history["v_true"][-50:]).max() < 0.02


@pytest.mark.closed_loop
def test_the_hand_comes_to_rest_at_its_goal():
    reach = {"hand": "hand", "offset_m": [0, 0.08, 0.05]}
    commands = [{"at_s": 0, "stand": {}}, {"at_s": 0.1, "reach": reach}]
    scenario = {"name": "reach", "duration_s": 3, "commands": commands}
    run = khz.simulate("so101", scenario=scenario, solver="exact", seed=2)
    wanted = run.history["p_WH_des"][2000:].reshape(-1, 3)
    off_m = np.linalg.norm(run.history["p_WH_true"][2000:].reshape(-1, 3) - wanted, axis=1)
    assert off_m.max() < 2e-3
    assert np.abs(run.history["v_true"][2500:]).max() < 0.2
